"""Write the reference pages from the code: ``python docs/generate.py``. A test holds them."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer
from pydantic import BaseModel
from typer.testing import CliRunner

from litehedge import protecting
from litehedge.cli.app import app
from litehedge.cli.rules import GROUPS
from litehedge.config import Settings
from litehedge.features.vector import FAMILIES
from litehedge.hedge.policies import policies
from litehedge.hedge.quantities import QUANTITIES
from litehedge.hedge.rule_kernel import MAX_CONDITIONS, MAX_RULES
from litehedge.hedge.rule_reading import COMPARATORS, MAX_PLANS
from litehedge.hedge.rules import DOES, HOLDING, words_of
from litehedge.risk import fallbacks, parachute, state, verdicts
from litehedge.settings import load_settings
from litehedge.shelf.rules import load_rules
from litehedge.sim.market.parameters import Parameters
from litehedge.sim.scenario import SIZES, load_scenario, scenario_names
from litehedge.store.bundled import preset_names

FOLDER = Path(__file__).parent / "reference"
HEAD = "<!-- Written by docs/generate.py from the code; do not edit. -->\n\n"


def pages() -> dict[str, str]:
    """Return every page by file name."""
    return {
        "settings.md": HEAD + "# Settings\n\n" + "\n".join(_settings()),
        "commands.md": HEAD + "# Commands\n\n" + "\n".join(_commands()),
        "limits.md": (
            HEAD + "# Hard limits and trading state\n\nEvery guard answers with the largest change "
            "of the hedge that it allows; the smallest wins. A guard that cut or refused says so "
            "with its code.\n\n" + verdicts.table() + "\n\n## Trading state\n\n```text\n"
            + state.drawing() + "\n```\n\n" + state.table()
            + f"\n\nResuming needs the word `{state.RESUME_WORD}`. Causes without a row change "
            "nothing. The state is in the journal: a restart takes it up.\n\n```mermaid\n"
            + state.mermaid() + "\n```\n"
        ),
        "policies.md": HEAD + "# Policies\n\n" + "\n".join(_policies()),
        "rules.md": HEAD + "# Rules\n\n" + "\n".join(_rules()),
        "features.md": HEAD + "# Features\n\n" + "\n".join(_features()),
        "fallbacks.md": HEAD + "# Fallbacks\n\n" + "\n".join(_fallbacks()),
        "scenarios.md": HEAD + "# Scenarios\n\n" + "\n".join(_scenarios()),
    }  # fmt: skip


def _settings() -> Iterator[str]:
    for name, field in Settings.model_fields.items():
        section = field.annotation
        assert isinstance(section, type)
        assert issubclass(section, BaseModel)
        yield f"## `[{name}]`\n\n{field.description}\n"
        yield "| setting | default | range | meaning |\n|---|---|---|---|"
        schema = section.model_json_schema()["properties"]
        for key, leaf in section.model_fields.items():
            shown = (
                json.dumps(leaf.default)
                if isinstance(leaf.default, (str, bool, tuple))
                else f"{leaf.default:g}"
            )
            yield f"| `{key}` | `{shown}` | {_range(schema[key])} | {leaf.description} |"
        yield ""


def _range(schema: dict[str, Any]) -> str:
    schema = schema.get("items", schema)
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    words = {
        "exclusiveMinimum": "above {:g}", "minimum": "{:g} or more",
        "exclusiveMaximum": "below {:g}", "maximum": "{:g} or less",
    }  # fmt: skip
    return ", ".join(text.format(schema[key]) for key, text in words.items() if key in schema)


def _names(typer_app: typer.Typer, before: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield the words of every command, in the order in which they were registered."""
    yield before
    for command in typer_app.registered_commands:
        assert command.callback is not None
        yield (*before, command.name or command.callback.__name__.replace("_", "-"))
    for group in typer_app.registered_groups:
        assert group.typer_instance is not None
        yield from _names(group.typer_instance, (*before, str(group.name)))


def _commands() -> Iterator[str]:
    for command in _names(app):
        title = " ".join(("litehedge", *command))
        result = CliRunner().invoke(app, [*command, "--help"], prog_name="litehedge")
        lines = "\n".join(line.rstrip() for line in result.output.strip("\n").splitlines())
        yield f"## `{title}`\n\n```text\n{lines}\n```\n"


def _policies() -> Iterator[str]:
    yield "| name | what it does |\n|---|---|"
    for policy in policies(load_settings()).values():
        yield f"| `{policy.name}` | {policy.about} |"
    yield ""


RULE_KEYS = (
    ("`hedge_at_least`", 'a floor: the least hedge, such as `"50 %"` or `0.5`'),
    ("`never_above`", "a cap: the most hedge; a rule has one of the two"),
    ("`when_all`, `when_any`", "conditions that must all hold, or of which one is enough"),
    ("`always = true`", "instead of conditions"),
    ("`for`", 'how long it stays in force after it last applied: `"30 min"`, `"2 h"`'),
    ('`when_unknown = "hedge"`', "for floors: a condition on something unknown counts as met"),
    ("`name`", "what decisions and messages call it"),
)


def _rules() -> Iterator[str]:
    yield (
        "[How to write them](../how-to/rules.md). A file has `policy` (optional), `about`, and up "
        f"to {MAX_RULES} sections `[[rules]]` of up to {MAX_CONDITIONS} conditions each; an entry "
        "of `when_all` and `when_any` may be one group, `{ any = [...] }` or `{ all = [...] }`.\n"
    )
    yield "| key of a rule | meaning |\n|---|---|"
    for key, meaning in RULE_KEYS:
        yield f"| {key} | {meaning} |"
    yield (
        f"\nThere may be up to {MAX_PLANS} sections `[[plan]]`, with the same conditions: "
        "[plans](../how-to/override.md#write-the-plan-in-calm) are carried out once when they come "
        "true.\n"
    )
    yield "| key of a plan | meaning |\n|---|---|"
    yield "| `name` | what alerts call it; every plan has one |"
    yield "| `when_all`, `when_any` | as of a rule; what is not known fulfils nothing |"
    does = "; ".join(f"`{then}`: {words}" for then, words in DOES.items())
    yield f"| `then` | {does} |"
    yield f"| `for` | of {' and '.join(f'`{one}`' for one in HOLDING)}: how long; 7 d without it |"
    words = ", ".join(f"`{word}`" for word in COMPARATORS)
    yield (
        "\n## Conditions\n\nA condition is a quantity, a comparator and a value, in quotes, or "
        'the same as a table: `{ quantity = "volatility", above = "0.4 %" }`. Comparators: '
        f'{words}. Shares may be written `"2 %"` or `0.02`.\n'
    )
    for group, title in GROUPS.items():
        yield f"### {title.capitalize()}\n"
        yield "| quantity | range | example | meaning |\n|---|---|---|---|"
        for q in QUANTITIES.values():
            if q.group == group:
                yield f"| `{q.name}` | {q.range_words} | `{q.example}` | {q.words}: {q.about} |"
        yield ""
    yield "## Presets\n"
    for name in preset_names():
        rules = load_rules(name)
        assert rules is not None
        yield f"### {name}\n\n{rules.about} Policy: `{rules.policy}`.\n"
        yield from (f"- {said}" for said in words_of(rules))
        yield ""


def _features() -> Iterator[str]:
    yield "| family | features |\n|---|---|"
    for family, names in FAMILIES.items():
        yield f"| {family} | {', '.join(f'`{name}`' for name in names)} |"
    yield ""


def _fallbacks() -> Iterator[str]:
    yield (
        "What is watched besides the market, and what is done when it fails. The strictest "
        "fallback of the open watches counts. A watch closes when all was well for "
        "`parachute.calm_s`.\n"
    )
    yield parachute.table()
    yield (
        "\n## When feeds die\n\nThe end state of the system, and the seconds within which it is "
        "reached with the default settings. `tests/faults/test_dead_feeds.py` takes each family "
        "away, alone, one after another and together.\n"
    )
    yield fallbacks.table(Settings().parachute)
    yield "\n## Fallbacks, the strictest last\n\n| fallback | what is done |\n|---|---|"
    yield from (f"| `{one.name}` | {told} |" for one, told in protecting.DONE.items())
    yield ""


def _scenarios() -> Iterator[str]:
    yield "## Packaged\n\n| name | what happens |\n|---|---|"
    for name in scenario_names():
        yield f"| `{name}` | {load_scenario(name).about} |"
    yield "\n## Kinds of shock\n\n| kind | size | because |\n|---|---|---|"
    for shock, size in SIZES.items():
        told = f"{size.low:g} to {size.high:g}: {size.meaning}" if size else "takes none"
        yield f"| `{shock.name.lower()}` | {told} | {size.why if size else ''} |"
    yield "\n## Parameters\n\n| parameter | default | range | meaning |\n|---|---|---|---|"
    schema = Parameters.model_json_schema()["properties"]
    for key, field in Parameters.model_fields.items():
        yield f"| `{key}` | {field.default:g} | {_range(schema[key])} | {field.description} |"
    yield ""


def main() -> None:
    """Write the pages."""
    FOLDER.mkdir(exist_ok=True)
    for name, text in pages().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
    sys.stdout.write(f"wrote {len(pages())} pages to {FOLDER}\n")


os.environ.update(COLUMNS="100", TERMINAL_WIDTH="100", NO_COLOR="1", TERM="dumb")
if __name__ == "__main__":
    main()

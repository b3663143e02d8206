"""``litehedge rules``: presets, what they say, whether a file is right; how commands use rules."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from litehedge.cli.common import check_writable, console, print_table, write_file, write_json
from litehedge.config import Settings
from litehedge.errors import ConfigError, UsageError
from litehedge.hedge.policies import Policy, with_rules
from litehedge.hedge.quantities import QUANTITIES
from litehedge.hedge.rules import Rules, plan_words, tree_of, words_of
from litehedge.settings import near_miss
from litehedge.shelf.policies import choose_policy
from litehedge.shelf.rules import load_rules, rule_files
from litehedge.store.bundled import preset_names, preset_text

app = typer.Typer(pretty_exceptions_enable=False)

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


# --- for other commands -----------------------------------------------------------------------


def ruled(settings: Settings, policy: str | None = None) -> tuple[Settings, Rules | None]:
    """Read the rules of ``hedge.rules``; their policy becomes that of the settings.

    A `policy` that was asked for on the command line stays.
    """
    rules = load_rules(settings.hedge.rules)
    if rules is not None and rules.policy and policy is None:
        hedge = settings.hedge.model_copy(update={"policy": rules.policy})
        settings = settings.model_copy(update={"hedge": hedge})
    return settings, rules


def ruled_policy(text: str, settings: Settings) -> Policy:
    """Return a policy by name, with rules where ``plugin+balanced`` asks for them."""
    name, plus, rules = text.partition("+")
    found = choose_policy(name, settings)
    return with_rules(found, load_rules(rules)) if plus else found


# --- commands ---------------------------------------------------------------------------------


@app.callback()
def rules() -> None:
    """Your own rules around a policy: hedge at least x, never above y, when conditions hold.

    1. See what there is:        litehedge rules list

    2. Read one in words:        litehedge rules show balanced

    3. Copy it and change it:    litehedge rules new balanced --out my.toml

    4. Check what you wrote:     litehedge rules check my.toml

    5. Try it on history:        litehedge backtest --data ltc_spot_5m --episodes 7d --rules my.toml
    """


def _facts(found: Rules) -> dict[str, Any]:
    return {"name": found.name, "about": found.about, "policy": found.policy,
            "words": words_of(found), "plans": plan_words(found),
            "tree": tree_of(found)}  # fmt: skip


@app.command("list")
def list_(as_json: Json = False) -> None:
    """List the presets and what they do, in words; and your own, made on the screen.

    Example: litehedge rules list
    """
    found = [one for name in preset_names() if (one := load_rules(name)) is not None]
    if as_json:
        write_json({"presets": [_facts(one) for one in found]}, "-")
        return
    for one in found:
        _say(one)
        console.print()
    for name, path in rule_files().items():
        console.print(f"[bold]{escape(name)}[/]  your own: {escape(str(path))}", highlight=False,
                      soft_wrap=True)  # fmt: skip


@app.command()
def show(
    rules: Annotated[str, typer.Argument(help="A preset, or a TOML file.", show_default=False)],
    as_json: Json = False,
) -> None:
    """Say rules in words.

    Example: litehedge rules show balanced
    """
    found = _required(rules)
    if as_json:
        write_json(_facts(found), "-")
        return
    _say(found)


@app.command()
def check(
    file: Annotated[str, typer.Argument(help="A TOML file with rules.", show_default=False)],
    as_json: Json = False,
) -> None:
    """Look for mistakes in a file of rules; every one is told with its line, none is repaired.

    Exits 0 when there is none, 2 otherwise.

    Example: litehedge rules check my.toml
    """
    try:
        found = _required(file)
    except ConfigError as error:
        if not as_json:
            raise
        write_json({"ok": False, "mistakes": error.what.splitlines()}, "-")
        raise typer.Exit(error.exit_code) from None
    if as_json:
        write_json({"ok": True, "mistakes": [], **_facts(found)}, "-")
        return
    _say(found)
    console.print("[green]no mistakes[/]")


@app.command()
def quantities(as_json: Json = False) -> None:
    """List what conditions may read: unit, range, an example.

    Example: litehedge rules quantities
    """
    if as_json:
        rows = [{"name": q.name, "group": q.group, "words": q.words, "about": q.about,
                 "unit": q.unit, "choices": list(q.choices), "low": q.low, "high": q.high,
                 "example": q.example} for q in QUANTITIES.values()]  # fmt: skip
        write_json({"quantities": rows}, "-")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("quantity", "from .. to", "example of a condition", "meaning"):
        table.add_column(heading, no_wrap=heading != "meaning")
    for group, title in GROUPS.items():
        table.add_row(f"[bold]{title}[/]")
        for q in QUANTITIES.values():
            if q.group == group:
                reach = f"{len(q.choices)} words" if len(q.choices) > 4 else q.range_words
                table.add_row(f"  {q.name}", reach, q.example, escape(f"{q.words}: {q.about}"))
    print_table(table, folds=True)


@app.command()
def new(
    preset: Annotated[str, typer.Argument(help="The preset to begin with.", show_default=False)],
    out: Annotated[Path | None, typer.Option(help="File to write.", show_default=False)] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Write over a file.")] = False,
) -> None:
    """Copy a preset, comments and all, to a file that you can change.

    Example: litehedge rules new balanced --out my.toml
    """
    if preset not in preset_names():
        raise UsageError(f"there is no preset {preset}", near_miss(preset, preset_names()).strip())
    if out is None:
        raise UsageError(
            "no file to write was named", f"add --out, for example --out {preset}.toml"
        )
    check_writable(out)
    if out.exists() and not replace:
        raise UsageError(f"{out} is there already", "give another --out, or add --replace")
    write_file(out, preset_text(preset).encode())
    console.print(f"wrote {out}; change it, then: litehedge rules check {out}",
                  highlight=False, soft_wrap=True, markup=False)  # fmt: skip


GROUPS = {"forecast": "what the model says", "market": "the market",
          "margin": "your position", "time": "time"}  # fmt: skip
"""Groups of quantities and their titles."""


def _required(name_or_file: str) -> Rules:
    found = load_rules(name_or_file)
    if found is None:
        raise UsageError("no rules were named", f"choose one of {', '.join(preset_names())}")
    return found


def _say(found: Rules) -> None:
    console.print(f"[bold]{escape(found.name)}[/]  {escape(found.about)}", highlight=False)
    for line in _lines(found):
        console.print(f"  {line}", highlight=False, markup=False)


def _lines(found: Rules) -> Iterator[str]:
    policy = found.policy or "that of the settings"
    yield f"policy: {policy}"
    for rule in found.rules:
        yield f"- {rule.name + ': ' if rule.name else ''}{rule.words()}"
    for plan in found.plans:
        yield f"- plan {plan.name}: {plan.words()}"

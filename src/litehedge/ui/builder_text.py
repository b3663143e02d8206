"""What a draft says: its rules, its file, its words, and every mistake beside its field."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from litehedge.config import Settings
from litehedge.hedge.policies import ORACLE, policies
from litehedge.hedge.quantities import QUANTITIES
from litehedge.hedge.rule_reading import COMPARATORS, read_rules
from litehedge.hedge.rules import (
    CAP,
    DOES,
    FLOOR,
    HEDGE_WHEN_UNKNOWN,
    HOLDING,
    Condition,
    Mode,
    Plan,
    Rule,
    Rules,
    to_toml,
)
from litehedge.settings import read_toml, shown_value
from litehedge.store.bundled import preset_names
from litehedge.ui.builder_model import Block, Box, Draft, Line, Part, line_of

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,59}")

GROUPS: Final = {"forecast": "Model", "market": "Market", "margin": "Position", "time": "Time"}
OFTEN: Final = (
    "distance_to_liquidation", "squeeze_60min", "volatility", "move_against_15min",
    "funding_you_pay", "leverage_now", "weekend",
)  # fmt: skip
"""What lies on the shelf first."""

SAYS: Final = {
    FLOOR: "Hedge at least",
    CAP: "Never hedge above",
    "freeze": "Leave the hedge as it is",
    "hedge_fully": "Hedge fully",
    "close_all": "Close position and hedge",
    "halt": "Halt trading",
    "alert": "Alert me",
}
"""What an action is called."""


_SHORTER: Final = {
    "probability of a squeeze against you": "squeeze",
    "probability of a squeeze in your favour": "squeeze in your favour",
}


# --- between drafts, trees and files ------------------------------------------------------------


def tree_of_draft(draft: Draft) -> dict[str, Any]:
    """Return the draft as the tree of its file, right or wrong, as `read_rules` takes it."""
    tree: dict[str, Any] = {
        key: value for key in ("name", "about", "policy") if (value := getattr(draft, key))
    }
    rules = [_rule_tree(one) for one in draft.blocks if not one.is_plan]
    plans = [_plan_tree(one) for one in draft.blocks if one.is_plan]
    if rules or not plans:
        tree["rules"] = rules
    if plans:
        tree["plan"] = plans
    return tree


def _rule_tree(block: Block) -> dict[str, Any]:
    tree: dict[str, Any] = {"name": block.name} if block.name else {}
    tree[block.does] = block.ratio
    if block.parts:
        tree[f"when_{block.mode}"] = [_part_tree(one) for one in block.parts]
    else:
        tree["always"] = True
    if block.lasts:
        tree["for"] = block.lasts
    if block.when_unknown:
        tree["when_unknown"] = HEDGE_WHEN_UNKNOWN
    return tree


def _plan_tree(block: Block) -> dict[str, Any]:
    tree: dict[str, Any] = {"name": block.name}
    tree[f"when_{block.mode}"] = [_part_tree(one) for one in block.parts]
    tree["then"] = block.does
    if block.lasts:
        tree["for"] = block.lasts
    return tree


def _part_tree(part: Part) -> Any:
    if isinstance(part, Box):
        return {part.mode: [_part_tree(one) for one in part.lines]}
    if not part.comparator:
        return part.quantity
    values = list(part.values) if part.comparator == "between" else part.values[0]
    return {"quantity": part.quantity, part.comparator.replace(" ", "_"): values}


def draft_of_text(text: str, name: str) -> tuple[Draft, list[str]]:
    """Return a file as a draft, mistakes and all, and what of it the draft cannot hold.

    Raises
    ------
    ConfigError
        When it is not TOML.
    """
    draft, left_out = draft_of_tree({"name": name, **read_toml(text, f"{name}.toml")[0]})
    if any(line.lstrip().startswith("#") for line in text.splitlines()):
        left_out.append("comments")
    return draft, left_out


def draft_of_tree(tree: Mapping[str, Any]) -> tuple[Draft, list[str]]:
    """Return a tree as a draft, and the names of what the draft cannot hold."""
    reader = _Taking()
    blocks = [reader.rule(one) for one in _sections(tree, "rules", reader)]
    blocks += [reader.plan(one) for one in _sections(tree, "plan", reader)]
    reader.rest("", tree, ("name", "about", "policy", "rules", "plan"))
    words = {key: _text(tree.get(key, "")) for key in ("name", "about", "policy")}
    return Draft(**words, blocks=tuple(blocks), next_key=reader.key), reader.left_out


def _sections(tree: Mapping[str, Any], key: str, reader: _Taking) -> list[Mapping[str, Any]]:
    listed = tree.get(key, [])
    if isinstance(listed, list):
        found: list[Mapping[str, Any]] = [one for one in listed if isinstance(one, dict)]
        if len(found) == len(listed):
            return found
    reader.left_out.append(key)
    return []


class _Taking:
    """Takes over a tree, giving out keys, and notes what has no place in a draft."""

    def __init__(self) -> None:
        self.key = 1
        self.left_out: list[str] = []

    def _next(self) -> int:
        self.key += 1
        return self.key - 1

    def rest(self, of: str, tree: Mapping[str, Any], known: Sequence[str]) -> None:
        """Note the keys that are not known."""
        self.left_out += [f"{of}{key}" for key in tree if key not in known]

    def rule(self, tree: Mapping[str, Any]) -> Block:
        """Return a section of rules as a block."""
        does = CAP if CAP in tree and FLOOR not in tree else FLOOR
        block = self._block(tree, does, _text(tree.get(does, "")))
        unknown = tree.get("when_unknown")
        known = [does, "name", "for", "always", f"when_{block.mode}"]
        if unknown in (None, "", HEDGE_WHEN_UNKNOWN):
            known.append("when_unknown")
        self.rest("rule: ", tree, known)
        return block

    def plan(self, tree: Mapping[str, Any]) -> Block:
        """Return a section of plans as a block."""
        then = tree.get("then")
        does = then if isinstance(then, str) and then in DOES else "alert"
        block = self._block(tree, does, "")
        known = ["name", "for", f"when_{block.mode}", *(["then"] if does == then else [])]
        self.rest("plan: ", tree, known)
        return block

    def _block(self, tree: Mapping[str, Any], does: str, ratio: str) -> Block:
        key = self._next()
        mode: Mode = "any" if "when_any" in tree and "when_all" not in tree else "all"
        listed = tree.get(f"when_{mode}", [])
        parts = [self._part(one) for one in (listed if isinstance(listed, list) else [listed])]
        return Block(
            key, does, _text(tree.get("name", "")), ratio, mode, tuple(parts),
            _text(tree.get("for", "")), tree.get("when_unknown") == HEDGE_WHEN_UNKNOWN,
        )  # fmt: skip

    def _part(self, raw: Any) -> Part:
        if isinstance(raw, dict) and "quantity" not in raw:
            modes: list[Mode] = ["all", "any"]
            for mode in modes:
                if mode in raw:
                    key = self._next()
                    self.rest("group: ", raw, (mode,))
                    listed = raw[mode] if isinstance(raw[mode], list) else [raw[mode]]
                    return Box(key, mode, tuple(map(self._line, listed)))
        return self._line(raw)

    def _line(self, raw: Any) -> Line:
        key = self._next()
        if not isinstance(raw, dict):
            return line_of(key, _text(raw))
        quantity = _text(raw.get("quantity", ""))
        for name, value in raw.items():
            comparator = COMPARATORS.get(str(name).replace("_", " "))
            if comparator is None:
                continue
            self.rest(f"{quantity}: ", raw, ("quantity", name))
            given = [_text(one) for one in (value if isinstance(value, list) else [value])]
            wide = 2 if comparator == "between" else 1
            return Line(key, quantity, comparator, tuple([*given, "", ""][:wide]))
        return Line(key, quantity or _text(raw), "", ())


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else str(value)


# --- reading ------------------------------------------------------------------------------------


def problems(draft: Draft) -> dict[str, str]:
    """Return what is wrong, by field: ``file.name``, ``7.ratio``, ``9.line``; empty is good.

    Fields of blocks: name, ratio, does, parts, lasts, unknown, and block for the whole; of lines:
    line; of boxes: box.
    """
    tree = tree_of_draft(draft)
    found: dict[str, str] = {}
    wrong_name = name_problem(draft.name)
    if wrong_name:
        found["file.name"] = wrong_name
    for path, text in read_rules(tree)[1]:
        field, said = _field(draft, tree, path.split("."), text)
        if field not in found:
            found[field] = said
        elif said not in found[field]:
            found[field] += f" {said}"
    return found


def name_problem(name: str) -> str:
    """Return what is wrong with the name of a file of rules."""
    if name in preset_names():
        return f"{name} is the name of a preset; give yours another one."
    if not _NAME.fullmatch(name) or name != name.strip():
        return "Give it a name of letters, digits, spaces, dots and dashes; it names the file."
    return ""


def _field(draft: Draft, tree: Any, path: list[str], text: str) -> tuple[str, str]:
    if path[0] not in ("rules", "plan") or len(path) == 1:
        field = f"file.{path[0]}" if path[0] in ("name", "about", "policy") else "file"
        return field, _said(text) if draft.blocks else "Drop an action here to begin."
    of_kind = [one for one in draft.blocks if one.is_plan == (path[0] == "plan")]
    at = int(path[1])
    if at >= len(of_kind):
        return "file", _said(text)
    block, rest = of_kind[at], path[2:]
    raw = tree[path[0]][at]
    if not rest:
        if block.is_plan and not block.name.strip():
            return f"{block.key}.name", "Give the plan a name: alerts say it."
        return f"{block.key}.block", _said(text)
    if rest[0].startswith("when_") and rest[0] != "when_unknown":
        return _in_parts(block, raw.get(rest[0]), rest[1:], text)
    names = {FLOOR: "ratio", CAP: "ratio", "for": "lasts", "name": "name", "then": "does",
             "when_unknown": "unknown"}  # fmt: skip
    told = text.removeprefix(f"{rest[0]} = {shown_value(raw.get(rest[0]))}").lstrip(": ")
    return f"{block.key}.{names.get(rest[0], 'block')}", _said(told)


def _in_parts(block: Block, raw: Any, rest: list[str], text: str) -> tuple[str, str]:
    if not rest or int(rest[0]) >= len(block.parts):
        if block.is_plan and not block.parts:
            return f"{block.key}.parts", "A plan needs a condition: drop one here."
        return f"{block.key}.parts", _said(text)
    part, raw = block.parts[int(rest[0])], raw[int(rest[0])]
    if isinstance(part, Box):
        if len(rest) < 3:
            empty = "Drop a condition in here, or remove the group."
            return f"{part.key}.box", _said(text) if part.lines else empty
        at = int(rest[2])
        return _on_line(part.lines[at], raw[part.mode][at], text)
    return _on_line(part, raw, text)


def _on_line(line: Line, raw: Any, text: str) -> tuple[str, str]:
    return f"{line.key}.line", _said(text.removeprefix(f"{shown_value(raw)}: "))


def _said(text: str) -> str:
    return text[:1].upper() + text[1:]


def rules_of_draft(draft: Draft) -> Rules | None:
    """Return the rules; None while anything is wrong."""
    if problems(draft):
        return None
    return read_rules(tree_of_draft(draft))[0]


def file_of(draft: Draft) -> str | None:
    """Return the text of the file to save; None while anything is wrong."""
    rules = rules_of_draft(draft)
    return None if rules is None else to_toml(rules)


# --- words --------------------------------------------------------------------------------------


def line_words(line: Line) -> str:
    """Say a condition in a few words, as far as it can be read."""
    found = read_rules({"rules": [{FLOOR: 1.0, "when_all": [_part_tree(line)]}]})[0]
    for one in (part for rule in found.rules for part in rule.conditions):
        if isinstance(one, Condition):
            return _short(one)
    quantity = QUANTITIES.get(line.quantity)
    called = line.quantity if quantity is None else quantity.words.removeprefix("the ")
    return _said(" ".join([called, line.comparator, " and ".join(line.values)]).strip())


def _short(one: Condition) -> str:
    text = one.words().removeprefix("the ")
    for long, short in _SHORTER.items():
        text = text.replace(long, short)
    return _said(text)


def sentences(draft: Draft) -> list[tuple[int, str]]:
    """Return key and sentence of every block; a block that cannot be read says so."""
    wrong = {int(field.split(".")[0]) for field in problems(draft) if field[0].isdigit()}
    rules, _ = read_rules(tree_of_draft(draft))
    ruling: dict[int, Rule | Plan] = {}
    for of_plans, found in ((False, rules.rules), (True, rules.plans)):
        keys = [one.key for one in draft.blocks if one.is_plan == of_plans]
        ruling |= dict(zip(keys, found, strict=False))
    said = []
    for block in draft.blocks:
        if wrong & set(_keys(block)) or block.key not in ruling:
            said.append((block.key, "Not a rule yet: see what is marked."))
        else:
            said.append((block.key, ruling[block.key].words()))
    return said


def _keys(block: Block) -> Iterator[int]:
    yield block.key
    for part in block.parts:
        yield part.key
        if isinstance(part, Box):
            yield from (line.key for line in part.lines)


def policy_names() -> dict[str, str]:
    """Return the policies that rules may go with, by name, and what to call them."""
    known = {
        name: f"{name}: {one.about}"
        for name, one in policies(Settings()).items()
        if not one.free_ratio and one.kind != ORACLE
    }
    return {"": "that of the settings", **known}


def comparators_for(quantity: str) -> list[str]:
    """Return what a quantity may be compared by."""
    one = QUANTITIES.get(quantity)
    words = ["above", "at least", "below", "at most", "between"]
    if one is None or not one.choices:
        return words
    return ["is", "is not", *(words if one.is_cyclic else [])]


def lasts_for(does: str) -> bool:
    """Tell whether an action has a length of time."""
    return does in (FLOOR, CAP, *HOLDING)


def holders(draft: Draft) -> list[tuple[int, str, bool]]:
    """Return all that conditions stand in: key, name, and whether it may hold groups too."""
    found = []
    for number, block in enumerate(draft.blocks, start=1):
        called = block_title(block, number)
        found.append((block.key, called, True))
        found += [
            (one.key, f"{called}: group {'of all' if one.mode == 'all' else 'of any'}", False)
            for one in block.parts
            if isinstance(one, Box)
        ]
    return found


def targets(draft: Draft, key: int) -> list[tuple[int, str]]:
    """Return where a condition or group may be moved: key of the container, and its name."""
    part, now = draft.part(key), draft.holder(key)
    if part is None:
        return []
    return [
        (one, called)
        for one, called, holds_groups in holders(draft)
        if one != now and (holds_groups or isinstance(part, Line))
    ]


def example_words(quantity: str) -> str:
    """Say the condition that comes from the shelf."""
    return line_words(line_of(0, QUANTITIES[quantity].example))


def block_title(block: Block, number: int) -> str:
    """Return what a block is called in menus."""
    does = f"{SAYS[block.does]}{f' {block.ratio}' if block.ratio else ''}"
    return f"{number}. {block.name or does}"

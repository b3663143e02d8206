"""Reads rules from TOML text or from the tree of a screen, and tells every mistake at once."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, cast, get_args

from litehedge.config import Settings
from litehedge.errors import ConfigError, UsageError
from litehedge.hedge.policies import STATIC, policies
from litehedge.hedge.quantities import PERCENT, QUANTITIES, Quantity, read_number, read_value
from litehedge.hedge.rule_checks import mistakes as contradictions
from litehedge.hedge.rule_checks import plan_mistakes
from litehedge.hedge.rule_kernel import MAX_CONDITIONS, MAX_RULES
from litehedge.hedge.rules import (
    CAP,
    DOES,
    FLOOR,
    HEDGE_WHEN_UNKNOWN,
    HOLDING,
    HOLDS_NS,
    Comparator,
    Condition,
    Group,
    Mode,
    Plan,
    Rule,
    Rules,
)
from litehedge.settings import near_miss, places_of, read_toml, shown_value
from litehedge.units import NS_PER_DAY, NS_PER_SECOND, duration_ns

LONGEST_FOR_NS: Final = 30 * NS_PER_DAY

COMPARATORS: Final[dict[str, Comparator]] = {
    **{word: word for word in get_args(Comparator)},
    ">": "above", ">=": "at least", "<": "below", "<=": "at most", "=": "is", "==": "is",
    "!=": "is not",
}  # fmt: skip
"""What may stand between a quantity and a value."""

MAX_PLANS: Final = MAX_RULES

_FILE_KEYS: Final = ("name", "about", "policy", "rules", "plan")
_PLAN_KEYS: Final = ("name", "when_all", "when_any", "then", "for")
_RULE_KEYS: Final = (
    "name", FLOOR, CAP, "when_all", "when_any", "always", "for", "when_unknown"
)  # fmt: skip
_CONDITION: Final = re.compile(
    r"\s*(?P<quantity>[^<>=!]+?)\s*"
    r"(?P<comparator>>=|<=|==|!=|>|<|=|\b(?:is\s+not|at\s+least|at\s+most|above|below|between|is)\b)"
    r"(?P<value>.*)",
    re.DOTALL,
)
_THENS: Final = ", ".join(DOES)
_EXAMPLE: Final = '"distance_to_liquidation below 8 %"'


class Mistake(ValueError):
    """What is wrong, without its place."""


def parse_rules(text: str, where: str, name: str) -> Rules:
    """Read rules from TOML text; `where` names the file in messages, `name` the rules without one.

    Raises
    ------
    ConfigError
        With one line per mistake, all of them: file and line, rule, what is allowed.
    """
    tree = read_toml(text, where)[0]
    places = places_of(text)
    return rules_of({"name": name, **tree}, lambda path: _place(path, places, where))


def _place(path: str, places: Mapping[str, int], where: str) -> str:
    """Return file and line of a path, or of the nearest thing around it."""
    parts = path.split(".")
    around = (".".join(parts[:length]) for length in range(len(parts), 0, -1))
    line = next((places[one] for one in around if one in places), None)
    return where if line is None else f"{where}:{line}"


def rules_of(tree: Mapping[str, Any], place: Callable[[str], str] = str) -> Rules:
    """Read rules from a tree of dicts, lists and texts, as `rules.tree_of` writes them.

    Raises
    ------
    ConfigError
        With one line per mistake, all of them; `place` says where a path is.
    """
    rules, mistakes = read_rules(tree)
    if mistakes:
        told = [f"{place(path)}  {_rule_named(path, tree)}{text}" for path, text in mistakes]
        raise ConfigError("\n".join(sorted(dict.fromkeys(told), key=_line)), "nothing was started")
    return rules


def read_rules(tree: Mapping[str, Any]) -> tuple[Rules, list[tuple[str, str]]]:
    """Read what can be read of a tree, and tell every mistake: its path, and what is wrong.

    A path is dotted, with numbers in lists: ``rules.0.when_all.1``. With mistakes the rules are
    not whole, and good for nothing but the words of those without one.
    """
    reader = _Reader()
    rules = reader.file(tree)
    told_of = [re.match(r"(rules|plan)\.(\d+)", path) for path, _ in reader.mistakes]
    broken = {(one[1], int(one[2])) for one in told_of if one is not None}
    for check, kind in ((contradictions, "rules"), (plan_mistakes, "plan")):
        reader.mistakes += check(rules, {number for one, number in broken if one == kind})
    ended = [(path, text + ("" if text[-1] in ".?" else ".")) for path, text in reader.mistakes]
    return rules, list(dict.fromkeys(ended))


def _line(told: str) -> int:
    found = re.match(r".*?:(\d+)  ", told)
    return int(found[1]) if found else 0


def _rule_named(path: str, tree: Mapping[str, Any]) -> str:
    found = re.match(r"(rules|plan)\.(\d+)", path)
    if found is None:
        return ""
    rule = tree[found[1]][int(found[2])]
    name = rule.get("name") if isinstance(rule, dict) else None
    called = f' "{_line_of(name)}"' if isinstance(name, str) and name else ""
    return f"{found[1].removesuffix('s')} {int(found[2]) + 1}{called}: "


def _line_of(text: str) -> str:
    """Return text that a message can hold: one line, nothing that a terminal would obey."""
    return text if text.isprintable() else ascii(text)[1:-1]


class _Reader:
    """Reads what it can, and collects what is wrong, with its path."""

    def __init__(self) -> None:
        self.mistakes: list[tuple[str, str]] = []

    def _wrong(self, path: str, text: str) -> None:
        self.mistakes.append((path, text))

    def _unknown(self, path: str, tree: Mapping[str, Any], known: Iterable[str]) -> None:
        names = list(known)
        for key in tree:
            if key not in names:
                here = f"{path}.{key}" if path else key
                self._wrong(here, f"{_line_of(key)} is not known here.{near_miss(key, names)}")

    def _text(self, path: str, tree: Mapping[str, Any], key: str) -> str:
        value = tree.get(key, "")
        if not isinstance(value, str):
            at = f"{path}.{key}" if path else key
            self._wrong(at, f"{key} = {shown_value(value)}: must be text in quotes")
            return ""
        if not value.isprintable():
            at = f"{path}.{key}" if path else key
            self._wrong(at, f"{key} = {shown_value(value)}: must be one line of plain text")
        return value

    def file(self, tree: Mapping[str, Any]) -> Rules:
        self._unknown("", tree, _FILE_KEYS)
        policy = self._text("", tree, "policy")
        known = policies(Settings())
        if policy and policy not in known:
            traded = [name for name, one in known.items() if one.kind != STATIC]
            self._wrong(
                "policy", f'there is no policy "{_line_of(policy)}".{near_miss(policy, traded)}'
            )
        elif policy and known[policy].free_ratio:
            self._wrong("policy", f"{policy} is a smaller position from the start, which rules "
                        "cannot change; choose a policy that trades, or unhedged")  # fmt: skip
        listed = self._sections(tree, "rules", MAX_RULES)
        plans = self._sections(tree, "plan", MAX_PLANS)
        if tree.get("rules", []) == [] and not tree.get("plan"):
            self._wrong("rules", "there is no rule; begin one with [[rules]]")
        return Rules(
            self._text("", tree, "name"),
            tuple(self.rule(f"rules.{i}", rule) for i, rule in enumerate(listed)),
            self._text("", tree, "about"),
            policy,
            tuple(self.plan(f"plan.{i}", plan) for i, plan in enumerate(plans)),
        )

    def _sections(self, tree: Mapping[str, Any], key: str, most: int) -> list[Mapping[str, Any]]:
        listed = tree.get(key, [])
        if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
            self._wrong(key, f"{key} must be sections that begin with [[{key}]]")
            return []
        if len(listed) > most:
            name = "rules" if key == "rules" else "plans"
            self._wrong(f"{key}.{most}", f"is one too many: there may be {most} {name}")
        return listed[:most]

    def plan(self, path: str, tree: Mapping[str, Any]) -> Plan:
        self._unknown(path, tree, _PLAN_KEYS)
        before = len(self.mistakes)
        name = self._text(path, tree, "name")
        if len(self.mistakes) == before and not name.strip():
            self._wrong(path, 'needs a name, which alerts say: name = "near the end"')
        then = tree.get("then")
        if "then" not in tree:
            self._wrong(path, f'needs what is to be done: then = "freeze"; one of {_THENS}')
        elif not isinstance(then, str) or then not in DOES:
            hint = near_miss(then, DOES, or_all=False) if isinstance(then, str) else ""
            self._wrong(
                f"{path}.then", f"then = {shown_value(then)}: must be one of {_THENS}.{hint}"
            )
            then = ""
        when = self._one_of(
            path, tree, ("when_all", "when_any"), f"when_all = [{_EXAMPLE}], or when_any"
        )
        conditions = self._conditions(f"{path}.{when}", when, tree[when]) if when else ()
        for_ns = self._for(path, tree)
        if "for" in tree and then not in HOLDING and then in DOES:
            self._wrong(
                f"{path}.for",
                f"for goes with {' and '.join(HOLDING)} only: {then} has no end by itself",
            )
        elif then in HOLDING and not for_ns:
            for_ns = HOLDS_NS
        plan = Plan(
            name, cast(Any, then or "alert"), "any" if when == "when_any" else "all", conditions,
            for_ns if then in HOLDING else 0,
        )  # fmt: skip
        self._count(f"{path}.{when}", plan.rule, before, "plan")
        return plan

    def _count(self, path: str, rule: Rule, before: int, what: str) -> None:
        leaves = sum(1 for _ in rule.leaves())
        if len(self.mistakes) == before and leaves > MAX_CONDITIONS:
            self._wrong(path, f"has {leaves} conditions, those in groups counted; "
                        f"there may be {MAX_CONDITIONS} in a {what}")  # fmt: skip

    def rule(self, path: str, tree: Mapping[str, Any]) -> Rule:
        self._unknown(path, tree, _RULE_KEYS)
        before = len(self.mistakes)
        kind = self._one_of(path, tree, (FLOOR, CAP), f'{FLOOR} = "50 %", or {CAP} = "50 %"')
        ratio = 0.0
        if kind:
            ratio = self._ratio(f"{path}.{kind}", kind, tree[kind])
        when = self._one_of(
            path, tree, ("when_all", "when_any", "always"),
            f"when_all = [{_EXAMPLE}], when_any, or always = true",
        )  # fmt: skip
        conditions: tuple[Condition | Group, ...] = ()
        if when == "always":
            if tree["always"] is not True:
                self._wrong(f"{path}.always", "always must be true, or be left out")
        elif when:
            conditions = self._conditions(f"{path}.{when}", when, tree[when])
        unknown = self._text(path, tree, "when_unknown")
        if unknown not in ("", HEDGE_WHEN_UNKNOWN):
            self._wrong(f"{path}.when_unknown", f'when_unknown = "{unknown}": must be '
                        f'"{HEDGE_WHEN_UNKNOWN}", or be left out')  # fmt: skip
        elif unknown and kind == CAP:
            self._wrong(f"{path}.when_unknown", "when_unknown is for hedge_at_least only: what is "
                        "not known never lowers a hedge. Leave it out")  # fmt: skip
        rule = Rule(
            cast(Any, kind or FLOOR), ratio, "any" if when == "when_any" else "all", conditions,
            self._text(path, tree, "name"), self._for(path, tree), cast(Any, unknown),
        )  # fmt: skip
        self._count(f"{path}.{when}", rule, before, "rule")
        return rule

    def _one_of(
        self, path: str, tree: Mapping[str, Any], keys: tuple[str, ...], example: str
    ) -> str:
        there = [key for key in keys if key in tree]
        if len(there) == 1:
            return there[0]
        if there:
            self._wrong(f"{path}.{there[1]}", f"has both {there[0]} and {there[1]}; "
                        "make it two rules")  # fmt: skip
        else:
            self._wrong(path, f"needs one of {', '.join(keys)}: {example}")
        return ""

    def _ratio(self, path: str, key: str, raw: Any) -> float:
        try:
            ratio = read_number(PERCENT, raw)
        except ValueError as error:
            self._wrong(path, f"{key} = {shown_value(raw)} {error}")
            return 0.0
        if 0.0 <= ratio <= 1.0:
            return ratio
        hint = f" Did you mean {ratio:g} %?" if 1.0 < ratio <= 100.0 and "%" not in str(raw) else ""
        self._wrong(path, f"{key} = {shown_value(raw)}: must be from 0 % to 100 % of the position."
                    + hint)  # fmt: skip
        return 0.0

    def _for(self, path: str, tree: Mapping[str, Any]) -> int:
        if "for" not in tree:
            return 0
        raw = tree["for"]
        span_ns = 0
        try:
            span_ns = duration_ns(_spelled(raw)) if isinstance(raw, str) else 0
        except (UsageError, OverflowError):
            span_ns = 0
        if not 0 < span_ns <= LONGEST_FOR_NS or span_ns % NS_PER_SECOND:
            self._wrong(f"{path}.for", f"for = {shown_value(raw)}: must be a length of time of up "
                        'to 30 d with its unit, for example "30 min", "2 h", "1 d"')  # fmt: skip
            return 0
        return span_ns

    # --- conditions ---------------------------------------------------------------------------

    def _conditions(self, path: str, key: str, raw: Any) -> tuple[Condition | Group, ...]:
        if not isinstance(raw, list) or not raw:
            self._wrong(path, f"{key} must be a list of conditions, for example [{_EXAMPLE}]")
            return ()
        found = [self._entry(f"{path}.{i}", one) for i, one in enumerate(raw)]
        return tuple(one for one in found if one is not None)

    def _entry(self, path: str, raw: Any) -> Condition | Group | None:
        if isinstance(raw, dict) and ({"all", "any"} & set(raw)) and "quantity" not in raw:
            mode = self._one_of(path, raw, ("all", "any"), "")
            self._unknown(path, raw, ("all", "any"))
            listed = raw.get(mode)
            if not mode or not isinstance(listed, list) or not listed:
                if mode:
                    self._wrong(f"{path}.{mode}", f"{mode} must be a list of conditions")
                return None
            leaves = []
            for i, one in enumerate(listed):
                if isinstance(one, dict) and {"all", "any"} & set(one):
                    self._wrong(f"{path}.{mode}.{i}", "is a group inside a group: groups hold "
                                "plain conditions only. Make it a rule of its own")  # fmt: skip
                elif (leaf := self._leaf(f"{path}.{mode}.{i}", one)) is not None:
                    leaves.append(leaf)
            return Group(cast(Mode, mode), tuple(leaves)) if leaves else None
        return self._leaf(path, raw)

    def _leaf(self, path: str, raw: Any) -> Condition | None:
        try:
            return _condition_of(raw)
        except Mistake as error:
            self._wrong(path, f"{shown_value(raw)}: {error}")
            return None


def _spelled(span: str) -> str:
    """Long names of units are read too: ``30 minutes``, ``2 hours``, ``1 day``."""
    return re.sub(r"\b(minute|min|hour|h|day|d|week|w)s?\b", lambda it: {
        "minute": "min", "hour": "h", "day": "d", "week": "w"}.get(it[1], it[1]), span)  # fmt: skip


def _condition_of(raw: Any) -> Condition:
    """Read ``"volatility above 0.4 %"`` or ``{quantity = "volatility", above = "0.4 %"}``."""
    if isinstance(raw, str):
        return _from_text(raw)
    if not isinstance(raw, dict):
        raise Mistake(f"must be a condition in quotes, for example {_EXAMPLE}")
    given = raw.get("quantity")
    if not isinstance(given, str):
        raise Mistake('needs a quantity, for example { quantity = "volatility", above = "0.4 %" }')
    quantity = _quantity(given)
    keys = [key for key in raw if key != "quantity"]
    names = {key: COMPARATORS.get(key.replace("_", " ")) for key in keys}
    for key, comparator in names.items():
        if comparator is None:
            known = [word.replace(" ", "_") for word in COMPARATORS]
            raise Mistake(f"{_line_of(key)} is not a comparator.{near_miss(key, known)}")
    if len(keys) != 1:
        raise Mistake("needs one comparator, such as above or below; use two conditions for two")
    [comparator] = cast("list[Comparator]", list(names.values()))
    values = raw[keys[0]]
    if comparator == "between":
        if not isinstance(values, list) or len(values) != 2:
            raise Mistake('between needs two values, for example ["2 %", "5 %"]')
        return _checked(quantity, comparator, values)
    return _checked(quantity, comparator, [values])


def split_condition(text: str) -> tuple[str, Comparator, list[str]] | None:
    """Take a written condition apart: quantity, comparator, values; None where it is none.

    Nothing is checked: ``between`` may come with one value, and the quantity need not exist.
    """
    found = _CONDITION.fullmatch(text)
    if found is None:
        return None
    comparator = COMPARATORS[" ".join(found["comparator"].split())]
    value = found["value"].strip()
    values = re.split(r"\s+(?:and|to)\s+", value) if comparator == "between" else [value]
    return found["quantity"], comparator, values


def _from_text(text: str) -> Condition:
    parts = split_condition(text)
    if parts is None:
        bare = QUANTITIES.get(_plain_name(text))
        if bare is not None and bare.name == "weekend":
            return Condition(bare.name, "is", (1.0,))
        if bare is not None:
            raise Mistake(f"needs a comparator and a value, for example: {bare.example}")
        words = text.split()
        hint = near_miss(_plain_name(text), QUANTITIES, or_all=False)
        if words and _plain_name(words[0]) in QUANTITIES:
            raise Mistake(f"has no comparator; choose from {', '.join(COMPARATORS)}")
        raise Mistake(f"is not a condition; write one as {_EXAMPLE}.{hint}")
    quantity, comparator, values = _quantity(parts[0]), parts[1], parts[2]
    if comparator == "between" and len(values) != 2:
        raise Mistake(f"between needs two values, for example: {quantity.name} between "
                      f"{quantity.range_words.replace(' to ', ' and ')}")  # fmt: skip
    return _checked(quantity, comparator, values)


def _plain_name(text: str) -> str:
    return re.sub(r"[\s-]+", "_", text.strip().lower())


def _quantity(given: str) -> Quantity:
    name = _plain_name(given)
    if name not in QUANTITIES:
        raise Mistake(
            f'there is no quantity "{_line_of(given.strip())}".{near_miss(name, QUANTITIES)}'
        )
    return QUANTITIES[name]


def _checked(quantity: Quantity, comparator: Comparator, raw: list[Any]) -> Condition:
    is_word = bool(quantity.choices)
    if is_word and comparator not in ("is", "is not") and not quantity.is_cyclic:
        raise Mistake(f"{quantity.name} is a word: write is or is not, for example: "
                      f"{quantity.example}")  # fmt: skip
    if not is_word and comparator in ("is", "is not"):
        raise Mistake(f"{quantity.name} is a number: write above, below or between, for example: "
                      f"{quantity.example}")  # fmt: skip
    values = []
    for one in raw:
        try:
            values.append(read_value(quantity, one))
        except ValueError as error:
            text = str(error)
            raise Mistake(
                text if text.startswith("is ") else f"{_line_of(str(one))} {text}"
            ) from None
    if comparator == "between" and values[0] > values[1] and not quantity.is_cyclic:
        raise Mistake("the first value of between must not be above the second")
    if any(math.isnan(value) for value in values):
        raise Mistake(f"must be a number, as in: {quantity.example}")
    return Condition(quantity.name, comparator, tuple(values))

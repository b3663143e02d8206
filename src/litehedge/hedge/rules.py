"""The user's rules: hedge at least x, never above y, when all or any of these conditions hold.

A plain tree that a screen can edit: `Rules` holds `Rule`, a rule holds conditions, and a condition
may be one `Group` of conditions; no deeper. Beside rules it may hold `Plan`: what is to be done,
once, when conditions come true. `tree_of` and `to_toml` write it, `rule_reading`
reads and checks it, `words_of` says it, `write_rules` turns it into what `rule_kernel` reads.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from typing import Any, Final, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from litehedge.hedge import rule_kernel as rk
from litehedge.hedge import signals as sg
from litehedge.hedge.quantities import QUANTITIES, Quantity, share_words, shown
from litehedge.units import LONG, NS_PER_DAY, NS_PER_HOUR, NS_PER_MINUTE, NS_PER_SECOND

Floats = NDArray[np.float64]

Mode = Literal["all", "any"]
Comparator = Literal["above", "at least", "below", "at most", "between", "is", "is not"]

FLOOR: Final = "hedge_at_least"
CAP: Final = "never_above"
HEDGE_WHEN_UNKNOWN: Final = "hedge"

Then = Literal["freeze", "hedge_fully", "close_all", "halt", "alert"]
DOES: Final[dict[Then, str]] = {
    "freeze": "leave the hedge as it is",
    "hedge_fully": "hedge fully",
    "close_all": "close position and hedge, then only watch",
    "halt": "halt trading until you resume",
    "alert": "alert you",
}
"""What a plan may do, in words."""
HOLDING: Final = ("freeze", "hedge_fully")
"""Plans that hold the hedge for a while, as an override does."""
HOLDS_NS: Final = 7 * NS_PER_DAY
"""For how long, where a plan does not say."""


class Condition(msgspec.Struct, frozen=True):
    """A quantity held against one value, or, with ``between``, two.

    `values` are in the base of the quantity's unit: a share as a fraction, an hour in hours.
    """

    quantity: str
    comparator: Comparator
    values: tuple[float, ...]

    @property
    def of(self) -> Quantity:
        """What is read."""
        return QUANTITIES[self.quantity]

    def interval(self) -> tuple[float, float, bool]:
        """Return the closed interval [low, high], and whether the value must lie outside of it."""
        first, last = self.values[0], self.values[-1]
        match self.comparator:
            case "above":
                return math.nextafter(first, math.inf), math.inf, False
            case "at least":
                return first, math.inf, False
            case "below":
                return -math.inf, math.nextafter(first, -math.inf), False
            case "at most":
                return -math.inf, first, False
            case "is not":
                return first, first, True
            case _ if first > last:  # over midnight, over Sunday
                return math.nextafter(last, math.inf), math.nextafter(first, -math.inf), True
            case _:
                return first, last, False

    def text(self) -> str:
        """Write it as a rules file has it."""
        values = " and ".join(shown(self.of, value) for value in self.values)
        return f"{self.quantity} {self.comparator} {values}"

    def words(self) -> str:
        """Say it."""
        if self.quantity == "weekend":
            return f"it is {'' if self._is_yes() else 'not '}the weekend (UTC)"
        values = " and ".join(shown(self.of, value) for value in self.values)
        values = values.title() if self.quantity == "weekday" else values
        clock = " (UTC)" if self.of.group == "time" else ""
        verb = self.comparator if self.comparator.startswith("is") else f"is {self.comparator}"
        return f"{self.of.words} {verb} {values}{clock}"

    def _is_yes(self) -> bool:
        return (self.values[0] == 1.0) == (self.comparator == "is")


class Group(msgspec.Struct, frozen=True):
    """Conditions of which all must hold, or any: it stands where one condition could."""

    mode: Mode
    conditions: tuple[Condition, ...]

    def words(self) -> str:
        """Say it."""
        return _joined(self.mode, [one.words() for one in self.conditions])


class Rule(msgspec.Struct, frozen=True):
    """A floor or a cap of the hedge, and when it is in force.

    `ratio` is a fraction of the position. Without conditions it always holds. Once triggered it
    stays in force for `for_ns`. `when_unknown` is ``hedge`` where a floor is to hold while a
    quantity is not known, else empty: then what is not known fulfils nothing.
    """

    kind: Literal["hedge_at_least", "never_above"]
    ratio: float
    mode: Mode = "all"
    conditions: tuple[Condition | Group, ...] = ()
    name: str = ""
    for_ns: int = 0
    when_unknown: Literal["", "hedge"] = ""

    def leaves(self) -> Iterator[Condition]:
        """Return every plain condition, those in groups too."""
        for one in self.conditions:
            if isinstance(one, Group):
                yield from one.conditions
            else:
                yield one

    def words(self) -> str:
        """Say it in one sentence."""
        does = "Hedge at least" if self.kind == FLOOR else "Never hedge above"
        said = f"{does} {share_words(self.ratio)}"
        said += f" when {_said(self.mode, self.conditions)}" if self.conditions else ", always"
        if self.when_unknown:
            said += ", or while that is not known"
        if self.for_ns:
            said += f"; keep that up for {span_words(self.for_ns)}"
        return said + "."


class Plan(msgspec.Struct, frozen=True):
    """What is to be done when conditions come true: written in calm, carried out in panic.

    What is not known fulfils nothing. `for_ns` is how long a plan that holds the hedge (freeze,
    hedge_fully) does so, unless a person says something else; 0 for the others.
    """

    name: str
    then: Then
    mode: Mode = "all"
    conditions: tuple[Condition | Group, ...] = ()
    for_ns: int = 0

    @property
    def rule(self) -> Rule:
        """The same conditions as a rule, for the kernel and the checks."""
        return Rule("hedge_at_least", 1.0, self.mode, self.conditions, self.name)

    def when(self) -> str:
        """Say its conditions."""
        return _said(self.mode, self.conditions)

    def words(self) -> str:
        """Say it in one sentence."""
        said = f"When {self.when()}: {DOES[self.then]}"
        if self.then in HOLDING:
            said += f" for {span_words(self.for_ns)}, unless you say otherwise"
        return said + ("." if self.then == "alert" else ", and alert you.")


class Rules(msgspec.Struct, frozen=True):
    """A file of rules: what it is for, the policy that it goes with, the rules and plans."""

    name: str
    rules: tuple[Rule, ...]
    about: str = ""
    policy: str = ""
    plans: tuple[Plan, ...] = ()


def _joined(mode: Mode, parts: Sequence[str]) -> str:
    return (" and " if mode == "all" else " or ").join(parts)


def _said(mode: Mode, conditions: Sequence[Condition | Group]) -> str:
    """Say conditions, a group of them in brackets."""
    parts = [
        f"({one.words()})" if isinstance(one, Group) and len(conditions) > 1 else one.words()
        for one in conditions
    ]
    return _joined(mode, parts)


def words_of(rules: Rules) -> list[str]:
    """Say every rule, in one sentence each."""
    return [rule.words() for rule in rules.rules]


def plan_words(rules: Rules) -> list[str]:
    """Say every plan, in one sentence each."""
    return [plan.words() for plan in rules.plans]


def span_words(span_ns: int) -> str:
    """Write a length of time so that it is read as the same: ``30 min``, ``2 h``, ``1 d``."""
    for unit, size in (("d", NS_PER_DAY), ("h", NS_PER_HOUR), ("min", NS_PER_MINUTE)):
        if span_ns % size == 0:
            return f"{span_ns // size} {unit}"
    return f"{span_ns // NS_PER_SECOND} s"


# --- writing ----------------------------------------------------------------------------------


def tree_of(rules: Rules) -> dict[str, Any]:
    """Return the rules as the tree of their file: dicts, lists and texts."""
    tree: dict[str, Any] = {
        key: value for key in ("name", "about", "policy") if (value := getattr(rules, key))
    }
    if rules.rules or not rules.plans:
        tree["rules"] = [_rule_tree(rule) for rule in rules.rules]
    if rules.plans:
        tree["plan"] = [_plan_tree(plan) for plan in rules.plans]
    return tree


def _plan_tree(plan: Plan) -> dict[str, Any]:
    tree: dict[str, Any] = {"name": plan.name, **_conditions_tree(plan.mode, plan.conditions)}
    tree["then"] = plan.then
    if plan.for_ns:
        tree["for"] = span_words(plan.for_ns)
    return tree


def _conditions_tree(mode: Mode, conditions: Sequence[Condition | Group]) -> dict[str, Any]:
    listed = [
        {one.mode: [leaf.text() for leaf in one.conditions]}
        if isinstance(one, Group) else one.text() for one in conditions
    ]  # fmt: skip
    return {f"when_{mode}": listed}


def _rule_tree(rule: Rule) -> dict[str, Any]:
    tree: dict[str, Any] = {"name": rule.name} if rule.name else {}
    tree[rule.kind] = share_words(rule.ratio)
    if rule.conditions:
        tree |= _conditions_tree(rule.mode, rule.conditions)
    else:
        tree["always"] = True
    if rule.for_ns:
        tree["for"] = span_words(rule.for_ns)
    if rule.when_unknown:
        tree["when_unknown"] = rule.when_unknown
    return tree


def to_toml(rules: Rules) -> str:
    """Return the rules as the text of a file; reading it gives the same rules."""
    tree = tree_of(rules)
    sections = ("rules", "plan")
    lines = [f"{key} = {_toml(value)}" for key, value in tree.items() if key not in sections]
    for section, one in ((name, one) for name in sections for one in tree.get(name, ())):
        lines += ["", f"[[{section}]]"]
        for key, value in one.items():
            if isinstance(value, list):
                lines += [f"{key} = [", *(f"    {_toml(one)}," for one in value), "]"]
            else:
                lines.append(f"{key} = {_toml(value)}")
    return "\n".join(lines) + "\n"


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_toml(one)}" for key, one in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(_toml(one) for one in value) + "]"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


# --- for the kernel ---------------------------------------------------------------------------


def write_rules(rules: Rules | None, side: float, row: NDArray[np.void]) -> None:
    """Write the rules into ``(1,)`` `terms.TERMS`, as a position of `side` (+1, -1) reads them."""
    row["n_rules"] = 0 if rules is None else len(rules.rules)
    for r, rule in enumerate(rules.rules if rules is not None else ()):
        numbers = row["rules"][0, r]
        numbers[rk.KIND] = rk.FLOOR if rule.kind == FLOOR else rk.CAP
        numbers[rk.RATIO] = rule.ratio
        numbers[rk.FOR_NS] = rule.for_ns
        numbers[rk.IS_ANY] = rule.mode == "any" and bool(rule.conditions)
        numbers[rk.HOLDS_UNKNOWN] = rule.when_unknown == HEDGE_WHEN_UNKNOWN
        at = 0
        for place, one in enumerate(rule.conditions):
            group = one if isinstance(one, Group) else None
            for leaf in (one,) if isinstance(one, Condition) else one.conditions:
                condition = row["conditions"][0, r, at]
                _write_condition(leaf, side, condition)
                condition[rk.GROUP] = -1.0 if group is None else place
                condition[rk.GROUP_IS_ANY] = group is not None and group.mode == "any"
                at += 1
        numbers[rk.N_CONDITIONS] = at


def _write_condition(condition: Condition, side: float, out: Floats) -> None:
    quantity, place = condition.of, 0 if side == LONG else 1
    low, high, is_not = condition.interval()
    out[rk.SOURCE] = sg.N_SIGNALS + quantity.code if quantity.rows is None else quantity.rows[place]
    out[rk.FACTOR] = quantity.factors[place]
    out[rk.LOW] = low
    out[rk.HIGH] = high
    out[rk.IS_NOT] = is_not


# --- what a decision says ---------------------------------------------------------------------


def binding(rules: Rules, memory: Floats, now_ns: int, lo: float, hi: float) -> list[Rule]:
    """Return the rules that set an edge of the band in the decision of `now_ns`.

    Shapes: `memory` ``(N_MEMORY,)``, as `rule_kernel.under_rules` left it.
    """
    return [
        rule for r, rule in enumerate(rules.rules)
        if now_ns <= memory[1 + r] and rule.ratio == (lo if rule.kind == FLOOR else hi)
    ]  # fmt: skip


def reason_of(binding: Sequence[Rule], reason: str) -> str:
    """Put the rules that set the band before the policy's own reason."""
    if not binding:
        return reason
    told = " ".join(f"Your rule{f' {r.name!r}' if r.name else ''}: {r.words()}" for r in binding)
    return f"{told} The policy: {reason}"

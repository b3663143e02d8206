"""What rules may not say: a rule that can never hold, a floor above a cap that always meets it.

Conditions are taken apart into alternatives, each a list of plain conditions that must all hold.
Whether a value fulfils conditions on one quantity changes only at their thresholds, so trying
those, points between them and the ends of the range settles it exactly.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Container, Iterator, Sequence
from typing import NamedTuple

from litehedge.hedge.quantities import QUANTITIES, share_words
from litehedge.hedge.rules import CAP, FLOOR, Condition, Group, Mode, Rule, Rules


class _Test(NamedTuple):
    """A condition as an interval, or what lies outside of it."""

    condition: Condition
    low: float
    high: float
    is_not: bool

    def holds(self, value: float) -> bool:
        if self.condition.quantity == "weekend":  # it reads the weekday too
            value = float(value >= 5.0)
        return (self.low <= value <= self.high) != self.is_not


_Alternatives = list[list[_Test]]


def mistakes(rules: Rules, broken: Container[int] = ()) -> Iterator[tuple[str, str]]:
    """Return what contradicts itself: path of the rule or condition, and what is wrong with it.

    Rules whose number is in `broken` could not be read whole, and are left out.
    """
    whole = [(number, rule) for number, rule in enumerate(rules.rules) if number not in broken]
    for number, rule in whole:
        yield from _impossible(f"rules.{number}", rule, rule.words())
    for (i, one), (j, other) in itertools.combinations(whole, 2):
        floor, cap = (one, other) if one.kind == FLOOR else (other, one)
        if (floor.kind, cap.kind) != (FLOOR, CAP) or floor.ratio <= cap.ratio:
            continue
        if not (_ever(_of_rule(floor)) and _ever(_of_rule(cap))):
            continue  # told already
        if _implies(floor, cap) or _implies(cap, floor):
            text = (
                f"asks for {_asks(other)} where rule {i + 1}{_called(one)} asks for {_asks(one)}: "
                "where one of them holds, so does the other, and a floor cannot lie above a cap. "
                f"Lower the floor to {share_words(cap.ratio)}, raise the cap to "
                f"{share_words(floor.ratio)}, or give them conditions that exclude each other"
            )
            yield f"rules.{j}", text


def plan_mistakes(rules: Rules, broken: Container[int] = ()) -> Iterator[tuple[str, str]]:
    """Return what contradicts itself among the plans: path, and what is wrong."""
    names: dict[str, int] = {}
    for number, plan in enumerate(rules.plans):
        if number in broken:
            continue
        yield from _impossible(f"plan.{number}", plan.rule, plan.when())
        first = names.setdefault(plan.name, number)
        if first != number:
            yield f"plan.{number}.name", f"has the name of plan {first + 1}; names must differ"


def _asks(rule: Rule) -> str:
    return f"{'at least' if rule.kind == FLOOR else 'never above'} {share_words(rule.ratio)}"


def _called(rule: Rule) -> str:
    return f' "{rule.name}"' if rule.name else ""


def _impossible(path: str, rule: Rule, words: str) -> Iterator[tuple[str, str]]:
    found = False
    for place, one in enumerate(rule.conditions):
        if not _ever(_of(one)):
            found = True
            yield (
                f"{path}.when_{rule.mode}.{place}",
                f"can never hold: {one.words()}{_limits(one)}",
            )
    if not found and not _ever(_of_rule(rule)):
        yield f"{path}.when_{rule.mode}", f"can never hold: {words}"


def _limits(one: Condition | Group) -> str:
    if isinstance(one, Group) or not one.of.is_bounded or one.of.choices:
        return ""
    return f". It is always from {one.of.range_words}"


# --- alternatives -----------------------------------------------------------------------------


def _of(one: Condition | Group, *, denied: bool = False) -> _Alternatives:
    if isinstance(one, Group):
        return _combined(one.mode, [_of(leaf, denied=denied) for leaf in one.conditions], denied)
    low, high, is_not = one.interval()
    return [[_Test(one, low, high, is_not != denied)]]


def _combined(mode: Mode, parts: Sequence[_Alternatives], denied: bool) -> _Alternatives:
    """Join parts; denied, all becomes any and the other way round."""
    if (mode == "any") != denied:
        return [tests for part in parts for tests in part]
    return [list(itertools.chain(*tests)) for tests in itertools.product(*parts)]


def _of_rule(rule: Rule, *, denied: bool = False) -> _Alternatives:
    """Without conditions: one alternative that asks for nothing, or denied, none at all."""
    return _combined(rule.mode, [_of(one, denied=denied) for one in rule.conditions], denied)


def _implies(one: Rule, other: Rule) -> bool:
    """Tell whether `other` holds wherever `one` does: `one` and not `other` never happens."""
    return not any(
        _possible([*tests, *against])
        for tests, against in itertools.product(_of_rule(one), _of_rule(other, denied=True))
    )


def _ever(alternatives: _Alternatives) -> bool:
    return any(_possible(tests) for tests in alternatives)


def _possible(tests: Sequence[_Test]) -> bool:
    """Tell whether all of these can hold at once; different quantities are free of each other."""
    by_variable: dict[str, list[_Test]] = {}
    for test in tests:
        name = test.condition.quantity
        by_variable.setdefault("weekday" if name == "weekend" else name, []).append(test)
    return all(
        any(all(test.holds(value) for test in group) for value in _tried(name, group))
        for name, group in by_variable.items()
    )


def _tried(name: str, tests: Sequence[_Test]) -> list[float]:
    quantity = QUANTITIES[name]
    if quantity.choices:
        return [float(place) for place in range(len(quantity.choices))]
    ends = {quantity.low, quantity.high}
    edges = sorted(ends | {x for t in tests for x in (t.low, t.high) if math.isfinite(x)})
    between = [
        beside for edge in edges
        for beside in (edge, math.nextafter(edge, -math.inf), math.nextafter(edge, math.inf))
    ]  # fmt: skip
    if quantity.is_bounded:
        return [x for x in between if quantity.low <= x <= quantity.high]
    return between

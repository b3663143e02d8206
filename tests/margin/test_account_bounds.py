"""The closed-form liquidation bounds against a search for the price, and how they must move."""

from __future__ import annotations

import math

import pytest
from books import ROWS, hedged, lone_distance, position_of, smallest_gap
from hypothesis import assume, event, given, settings
from hypothesis import strategies as st

from litehedge.margin.account import HEDGE, POSITION, apply_fill
from litehedge.margin.liquidation import bounds, distance, gap
from litehedge.margin.tiers import RATE, tier_index
from strategies import KINDS, Plan, log_floats, plans


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
@settings(max_examples=60)
def test_bounds_are_where_stepping_the_price_first_kills(kind: str, data: st.DataObject) -> None:
    plan = data.draw(plans(kinds=(kind,)))
    mark = plan.entry * math.exp(data.draw(st.floats(-0.05, 0.05)))
    books, account = hedged(plan)
    assume(account.is_alive(mark))
    low, high = bounds(books, mark, ROWS)
    found_low, found_high = account.death_prices(mark)
    assert low == pytest.approx(found_low, rel=1e-4, abs=1e-9)
    assert high == pytest.approx(found_high, rel=1e-4)
    expected = min(1.0, 1.0 - low / mark, high / mark - 1.0)
    assert distance(books, mark, ROWS) == pytest.approx(max(0.0, expected))
    for bound in (low, high):
        if 0.0 < bound < math.inf:
            size = abs(plan.qty)
            changed = tier_index(size * bound, ROWS) != tier_index(size * mark, ROWS)
            event(f"the tier {'changed' if changed else 'stayed'} on the way")


@given(plans(kinds=("cross", "isolated")), log_floats(1e-6, 10.0))
def test_more_margin_never_liquidates_earlier(plan: Plan, more: float) -> None:
    books, _ = hedged(plan)
    low, high = bounds(books, plan.entry, ROWS)
    purse = "isolated" if plan.isolated else "wallet"
    books[purse][0] += more * plan.wallet
    richer_low, richer_high = bounds(books, plan.entry, ROWS)
    assert richer_low <= low * (1 + 1e-12)
    assert richer_high >= high * (1 - 1e-12)
    if 0.0 < low < math.inf and more > 1e-3:
        assert richer_low < low


@given(plans(kinds=("cross",)), st.floats(0.0, 1.0), st.floats(0.0, 1.0))
def test_a_larger_hedge_moves_the_adverse_bound_further_away(
    plan: Plan, one: float, other: float
) -> None:
    """As long as the bound is further away than the maintenance that the larger hedge adds."""
    smaller, larger = sorted((one, other))
    adverse = []
    for ratio in (smaller, larger):
        books, _ = position_of(plan)
        apply_fill(books, HEDGE, -ratio * plan.qty, plan.entry, 0.0, 0.0)
        assume(smallest_gap(books, plan.entry) > 0.0)
        low, high = bounds(books, plan.entry, ROWS)
        adverse.append(1.0 - low / plan.entry if plan.side > 0.0 else high / plan.entry - 1.0)
    before, after = adverse
    assume(math.isfinite(before))
    worth = larger * plan.notional * (1.0 + max(before, 0.0))
    added = float(ROWS[tier_index(worth, ROWS), RATE]) * (1.0 + before)
    assume(before > added)
    event("the hedge grew" if larger > smaller else "the hedge stayed")
    assert after >= before * (1 - 1e-9)


@given(
    log_floats(50.0, 5e7), st.floats(0.001, 2.0), log_floats(20.0, 400.0), st.sampled_from([1, -1])
)
def test_a_lone_leg_dies_where_the_closed_formula_of_the_venue_says(
    notional: float, share: float, mark: float, side: int
) -> None:
    plan = Plan(mark, notional, side, 1.0 / share, "cross", 1.0, 0.0, 0.0)
    books, _ = position_of(plan)
    assume(gap(books, 0, mark, ROWS) > 0.0)
    low, high = bounds(books, mark, ROWS)
    adverse = 1.0 - low / mark if side > 0 else high / mark - 1.0
    alone = lone_distance(float(books["wallet"][0, 0]), plan.qty, mark)
    assert alone == pytest.approx(min(1.0, adverse), rel=1e-9, abs=1e-12)
    assert books["qty"][0, POSITION] == plan.qty

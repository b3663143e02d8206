"""Margin health: what is closed is enough and no more, and stops stand before liquidation does."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from litehedge.margin.account import HEDGE, POSITION, apply_fill, equity, new_account
from litehedge.margin.liquidation import margin_ratio, scope_bounds
from litehedge.risk import health
from synthetic import packaged_tiers

TIERS = packaged_tiers().rows
PRICE = 80.0
LOT, TICK = Decimal("0.001"), Decimal("0.01")
STEPS = [(LOT, TICK)] * 2
SIDES = st.sampled_from([1.0, -1.0])
LEVERAGES = st.floats(1.0, 40.0)
HEDGED = st.floats(0.0, 1.0)
MOVES = st.floats(-0.3, 0.3)
REACHES = st.floats(0.0, 0.2)


def both(tiers):
    """The same tiers on both venues."""
    return tiers, tiers


def account(side, leverage, hedged, wallet=1000.0):
    qty = round(wallet * leverage / PRICE, 3) * side
    books = new_account(wallet, qty, PRICE, leverage)
    books["qty"][0, HEDGE] = -round(abs(qty) * hedged, 3) * side
    books["entry"][0, HEDGE] = PRICE
    return books


def relieved(books, mark, reach, trigger=0.6, target=0.4, cost=0.001):
    """Close what is asked for, once; return what was closed, and of which leg."""
    leg, scope, judged_at, most = health.endangered(
        books, mark, both(health.stricter(TIERS, trigger)), reach
    )
    if leg < 0:
        return leg, 0.0, judged_at
    qty = health.relief(
        books, scope, leg, mark, judged_at, cost, health.stricter(TIERS, target), most
    )
    signed = -np.copysign(qty, books["qty"][0, leg])
    apply_fill(books, leg, signed, mark, cost * qty * mark, 0.0)
    return leg, qty, judged_at


@given(SIDES, LEVERAGES, HEDGED, MOVES, REACHES)
def test_after_it_the_ratio_is_at_the_target_where_the_mark_may_be(
    side, leverage, hedged, move, reach
):
    books = account(side, leverage, hedged)
    mark = PRICE * (1.0 + move)
    assume(margin_ratio(books, mark, TIERS) < 1.0)
    before = float(books["qty"][0, POSITION]), float(books["qty"][0, HEDGE])
    leg, qty, judged_at = relieved(books, mark, reach)
    if leg < 0:
        assert qty == 0.0
        return
    net = float(books["qty"][0].sum())
    assert 0.0 <= qty <= abs(before[leg])
    if abs(net) > 1e-9:  # else both legs hold each other, and no price can hurt
        assert margin_ratio(books, judged_at, TIERS) <= 0.4 + 1e-6


@given(SIDES, LEVERAGES, HEDGED, MOVES, REACHES)
def test_nothing_is_closed_without_danger_and_something_is_with_it(
    side, leverage, hedged, move, reach
):
    books = account(side, leverage, hedged)
    mark = PRICE * (1.0 + move)
    assume(margin_ratio(books, mark, TIERS) < 1.0)
    trigger = both(health.stricter(TIERS, 0.6))
    low, high = health.alarm_marks(books, mark, trigger, reach)
    leg, qty, _ = relieved(books.copy(), mark, reach)
    if low < mark < high or float(books["qty"][0].sum()) == 0.0:
        assert leg < 0
    else:
        assert leg >= 0
        assert qty > 0.0


@given(SIDES, LEVERAGES, st.floats(0.0, 1.2), MOVES, REACHES)
def test_what_is_closed_never_raises_the_net_exposure(side, leverage, hedged, move, reach):
    books = account(side, leverage, hedged)
    mark = PRICE * (1.0 + move)
    assume(margin_ratio(books, mark, TIERS) < 1.0)
    before = float(books["qty"][0].sum())
    relieved(books, mark, reach)
    after = float(books["qty"][0].sum())
    assert abs(after) <= abs(before)
    assert after * before >= 0.0


def test_what_holds_each_other_is_left_alone_whatever_maintenance_it_needs():
    """In a crash the hedge of a whole position was closed: its distance fell from 30 % to 2 %."""
    books = account(1.0, 20.0, 1.0)
    books["wallet"][0, 0] = 1.5 * 2.0 * 0.0065 * abs(float(books["qty"][0, POSITION])) * PRICE
    assert margin_ratio(books, PRICE, TIERS) > 0.6
    trigger = both(health.stricter(TIERS, 0.6))
    assert health.endangered(books, PRICE, trigger, 0.02)[0] == -1
    books["qty"][0, HEDGE] += 0.0004  # less than a lot of it is open
    assert health.endangered(books, PRICE, trigger, 0.02, 0.001)[0] == -1


@given(SIDES, LEVERAGES, MOVES, st.floats(0.0, 0.1), st.floats(0.0, 0.1))
def test_a_wider_reach_never_closes_less(side, leverage, move, reach, more):
    mark = PRICE * (1.0 + move)
    books = account(side, leverage, 0.0)
    assume(margin_ratio(books, mark, TIERS) < 1.0)
    _, near, _ = relieved(books.copy(), mark, reach)
    _, far, _ = relieved(books.copy(), mark, min(0.5, reach + more))
    assert far >= near - 1e-9


@given(SIDES, LEVERAGES, MOVES, REACHES, st.floats(0.05, 0.35))
def test_a_lower_target_never_closes_less(side, leverage, move, reach, target):
    mark = PRICE * (1.0 + move)
    books = account(side, leverage, 0.0)
    assume(margin_ratio(books, mark, TIERS) < 1.0)
    _, usual, _ = relieved(books.copy(), mark, reach)
    _, strict, _ = relieved(books.copy(), mark, reach, target=target)
    assert strict >= usual - 1e-9


@given(SIDES, LEVERAGES, HEDGED, MOVES)
def test_a_stop_stands_between_the_mark_and_liquidation(side, leverage, hedged, move):
    books = account(side, leverage, hedged)
    mark = PRICE * (1.0 + move)
    ratio = margin_ratio(books, mark, TIERS)
    assume(ratio < 0.79)
    for stop in health.wanted_stops(books, mark, both(health.stricter(TIERS, 0.8)), STEPS):
        held = float(books["qty"][0, stop.leg])
        assert stop.qty_ltc <= Decimal(repr(abs(held)))
        assert stop.qty_ltc % LOT == 0
        assert stop.trigger_usdt % TICK == 0
        if stop.qty_ltc == 0:
            continue
        low, high = scope_bounds(books, 0, mark, TIERS)
        if held > 0.0:
            assert low < float(stop.trigger_usdt) <= mark + 0.01
        else:
            assert mark - 0.01 <= float(stop.trigger_usdt) < high


@given(SIDES, st.floats(2.0, 40.0), HEDGED)
def test_a_stop_leaves_what_hedges_itself(side, leverage, hedged):
    """Both legs are as large as each other, once the stop has traded."""
    books = account(side, leverage, hedged)
    position, hedge = health.wanted_stops(books, PRICE, both(health.stricter(TIERS, 0.8)), STEPS)
    assert hedge.qty_ltc == 0
    held = [abs(float(q)) for q in books["qty"][0]]
    if position.qty_ltc:
        assert held[POSITION] - float(position.qty_ltc) == pytest.approx(held[HEDGE], abs=2e-3)


def test_an_isolated_position_is_left_to_its_stop():
    books = new_account(1000.0, 200.0, PRICE, 20.0, isolated=True)
    mark = PRICE * 0.957
    assert health.endangered(books, mark, both(health.stricter(TIERS, 0.6)), 0.05)[0] == -1
    position, _ = health.wanted_stops(books, mark, both(health.stricter(TIERS, 0.8)), STEPS)
    assert position.qty_ltc == 200


def test_the_preview_is_what_the_books_become():
    books = account(1.0, 20.0, 0.0)
    told = health.preview(books, POSITION, -100.0, 78.0, 0.0005, both(TIERS))
    apply_fill(books, POSITION, -100.0, 78.0, 0.0005 * 100.0 * 78.0, 0.0)
    assert told.margin_ratio == margin_ratio(books, 78.0, TIERS)
    assert told.position_ltc == float(books["qty"][0, POSITION])


def test_the_pace_is_that_of_the_price():
    pace = health.Pace()
    chance = np.random.default_rng(1)
    price = PRICE
    for second in range(3000):
        pace.see(second * 10**9, price)
        price *= float(np.exp(0.001 * chance.standard_normal()))
    assert np.sqrt(pace.variance) == pytest.approx(0.001, rel=0.4)
    calm = pace.reach(30.0)
    assert calm == pytest.approx(3 * 0.001 * np.sqrt(30), rel=0.4)
    pace.see(3001 * 10**9, price * 0.97)
    assert pace.reach(30.0) > 2 * calm


def test_a_gap_in_the_prices_is_no_jump():
    pace = health.Pace()
    pace.see(0, PRICE)
    pace.see(600 * 10**9, PRICE * 0.5)
    assert pace.variance == 0.0


@given(st.floats(0.0, 1e4), st.floats(1.0, 1e6), st.floats(0.0, 0.5), st.floats(0.0, 0.5))
def test_more_severity_never_asks_for_less_margin(worth, notional, severity, more):
    asked = health.top_up_usdt(worth, notional, 0.01, severity)
    assert health.top_up_usdt(worth, notional, 0.01, severity + more) >= asked >= 0.0
    assert health.top_up_usdt(worth + asked, notional, 0.01, severity) == pytest.approx(0, abs=1e-6)
    assert health.top_up_usdt(worth, notional, 0.01, float("nan")) == 0.0


def test_equity_is_kept_by_what_is_closed_but_for_its_cost():
    books = account(1.0, 20.0, 0.0)
    mark = PRICE * 0.965
    before = equity(books, mark)
    _, qty, _ = relieved(books, mark, 0.01)
    assert qty > 0.0
    assert equity(books, mark) == pytest.approx(before - 0.001 * qty * mark)

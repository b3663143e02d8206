"""Margin health at its edges: hedged legs, odd prices, books that differ, a venue long down.

What closes never leaves more exposed than it found, and nothing that is heard stops it.
"""

from __future__ import annotations

from math import inf, isnan, nan

import pytest
from hypothesis import assume, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from msgspec import structs

from laws.test_protecting import PRICE, SIDES, TIERS, WALLET, Desk, S
from litehedge.effects import Alert, KeepStop, Protection, Submit
from litehedge.engine import step
from litehedge.engine_state import restore, start, take_checkpoint
from litehedge.hedge import signals as sg
from litehedge.margin.account import HEDGE, POSITION
from litehedge.market import events as ev
from litehedge.model.baselines.blind import BlindForecaster
from litehedge.protecting import missing_margin
from litehedge.runner import _raises
from litehedge.squeeze.forecast import SEVERITY_LEVELS
from litehedge.units import NS_PER_HOUR


def hedged(share, side, wallet, policy="hazard"):
    """Return a desk whose position is hedged in the same account, with so much of a wallet left."""
    apart = {"hedge": {"location": "same_account"}}
    desk = Desk(side, policy=policy, limits={"max_leverage": 250.0}, **apart)
    books = desk.state.books
    books["qty"][0, HEDGE] = -round(float(books["qty"][0, POSITION]) * share, 3)
    books["entry"][0, HEDGE] = PRICE
    books["wallet"][0, 0] = wallet
    desk.effects.clear()
    return desk


@SIDES
@pytest.mark.parametrize("share", [1.0, 0.97, 0.9, 0.6])
def test_what_a_hedge_holds_is_left_where_it_is(side, way, share):
    """Only what is not hedged is closed: neither leg is uncovered on the way, for no moment."""
    desk = hedged(share, side, 330.0 if share > 0.8 else 250.0)
    hedge = float(desk.state.books["qty"][0, HEDGE])
    net = abs(float(desk.state.books["qty"][0].sum()))
    assert desk.ratio > 0.6
    for _ in range(90):
        desk.market(PRICE)
        while desk.state.order is not None:
            desk.fill()
            assert abs(float(desk.state.books["qty"][0].sum())) <= net + 0.0011
    assert float(desk.state.books["qty"][0, HEDGE]) == hedge
    assert {told.leg for told in desk.of(Protection)} == ({POSITION} if share < 1.0 else set())


@pytest.mark.parametrize("policy", ["move-3pct", "hazard"])
def test_what_was_closed_of_a_reduced_position_does_not_come_back(policy):
    desk = Desk(policy=policy, hedge={"location": "reduce"}, parachute={"enabled": False})
    said = desk.fall(PRICE * 0.955, 50)
    assert any(isinstance(e, Protection) for e in said)
    desk.fill()
    held = float(desk.state.books["qty"][0, POSITION])
    assert float(desk.state.terms["size"][0]) == pytest.approx(held)
    desk.quiet(600)
    assert desk.state.order is None
    assert float(desk.state.books["qty"][0, POSITION]) == pytest.approx(held)


def test_what_was_closed_of_a_reduced_position_is_known_after_a_restart():
    desk = Desk(policy="hazard", hedge={"location": "reduce"})
    desk.fall(PRICE * 0.955, 50)
    order, kept = desk.state.order, take_checkpoint(desk.state, desk.now_ns)
    again = start(
        desk.settings, desk.state.fixed.policy, TIERS, BlindForecaster(), session="p",
        atom_ns=5 * S, per_frame=12,
    )  # fmt: skip
    restore(again, kept)
    again, _ = step(
        again,
        ev.OrderFilled(
            desk.now_ns, desk.now_ns, order.client_id, order.leg, float(order.qty_ltc), 77.0, 0.0,
            0.0,
        ),
    )  # fmt: skip
    held = float(again.books["qty"][0, POSITION])
    assert float(again.terms["size"][0]) == pytest.approx(held)


def test_a_venue_that_takes_nothing_for_hours_ends_nothing():
    desk = Desk(policy="hazard")
    desk.fall(PRICE * 0.955, 50)
    desk.state.guards.failures = 5000
    desk.tell(ev.OrderRejected, desk.state.order.client_id, "down")
    assert desk.state.guards.retry_ns - desk.now_ns <= 10 * S


@pytest.mark.parametrize("odd", [0.0, -1.0, nan, inf])
@pytest.mark.parametrize("kind", [ev.Mark, ev.Index, ev.Book])
def test_a_price_that_cannot_be_is_not_heard(kind, odd):
    facts = (odd, odd, 0.0, 0.0) if kind is ev.Book else (odd,)
    desk = Desk(policy="hazard", parachute={"enabled": True})
    desk.quiet(5)
    variance = desk.state.guards.pace.variance
    for _ in range(40):
        desk.now_ns += S
        desk.tell(kind, *facts)
        desk.tell(ev.Tick)
    assert desk.state.guards.pace.variance == variance
    desk.fall(PRICE * 0.955, 50)
    assert desk.state.order is not None, "and it ends nothing"


@pytest.mark.parametrize("odd", [0.0, -1.0, nan, inf])
def test_an_odd_first_mark_spoils_nothing(odd):
    fresh = Desk(policy="hazard")
    state = start(
        fresh.settings, fresh.state.fixed.policy, TIERS, BlindForecaster(), session="p",
        atom_ns=5 * S, per_frame=12,
    )  # fmt: skip
    for second, price in enumerate((odd, PRICE, PRICE, PRICE)):
        at_ns = fresh.now_ns + 2 * second * S
        state, _ = step(state, ev.Mark(at_ns, at_ns, price))
    assert state.guards.pace.reach(30.0) == 0.0


def test_without_a_book_the_mark_is_enough():
    """A venue whose book never comes must not leave the account without margin health."""
    fresh = Desk(policy="hazard")
    state = start(
        fresh.settings, fresh.state.fixed.policy, TIERS, BlindForecaster(), session="p",
        atom_ns=5 * S, per_frame=12,
    )  # fmt: skip
    state, effects = step(
        state, ev.Opened(fresh.now_ns, fresh.now_ns, WALLET, None, 250.0, PRICE, 20.0, False)
    )
    for second in range(1, 61):
        at_ns, price = fresh.now_ns + second * S, PRICE * (1.0 - 0.045 * second / 60)
        for event in (ev.Mark(at_ns, at_ns, price), ev.Tick(at_ns, at_ns)):
            state, said = step(state, event)
            effects = effects + said
    assert any(isinstance(e, KeepStop) and e.qty_ltc > 0 for e in effects)
    assert any(isinstance(e, Protection) for e in effects)


def test_when_the_book_dies_the_mark_tells_the_pace():
    desk = Desk(leverage=3.0, policy="hazard")
    desk.quiet(5)
    calm = desk.state.guards.pace.reach(30.0)
    for second in range(90):
        desk.now_ns += S
        desk.tell(ev.Mark, PRICE * (1.0 + 0.004 * (second % 2)))
        desk.tell(ev.Tick)
    assert desk.state.guards.pace.reach(30.0) > calm + 0.01


@pytest.mark.parametrize("location", ["same_account", "second_venue"])
def test_a_hedge_elsewhere_does_not_make_margin_here_less_missing(location):
    tree = {"hedge": {"location": location}} | (
        {"position": {"side": "long", "leverage": 20.0, "wallet_usdt": WALLET}}
    )
    desk = Desk(policy="hazard", **tree)
    second = 1000.0 if location == "second_venue" else None
    desk.tell(ev.Opened, WALLET, second, 250.0, PRICE, 20.0, False)
    desk.state.books["qty"][0, HEDGE] = -250.0
    desk.state.books["entry"][0, HEDGE] = PRICE
    desk.state.signals[sg.ONSET : sg.SEVERITY] = 0.9
    desk.state.signals[sg.SEVERITY : sg.SEVERITY + 2 * len(SEVERITY_LEVELS)] = 0.2
    said = missing_margin(desk.state, desk.now_ns, PRICE)
    assert bool(said) == (location == "second_venue")


# --- books that differ --------------------------------------------------------------------------


def test_while_an_explanation_may_come_nothing_is_closed():
    desk = Desk(policy="hazard")
    held = float(desk.state.books["qty"][0, POSITION])
    desk.fall(PRICE * 0.985, 60)
    assert desk.state.order is None
    desk.tell(ev.Reported, qty_ltc=held - 200.0, entry_usdt=PRICE)
    assert desk.state.differs_ns >= 0
    for number in range(4):
        desk.market(PRICE * (0.98 - 0.008 * number))
        assert desk.state.order is None
    desk.market(PRICE * 0.955)
    desk.market(PRICE * 0.955)
    assert desk.state.order is not None, "then it is, of what is there"


def test_no_more_is_closed_than_the_venue_holds():
    desk = Desk(policy="hazard")
    held = float(desk.state.books["qty"][0, POSITION])
    desk.tell(ev.Reported, qty_ltc=20.0, entry_usdt=PRICE)
    desk.quiet(7)
    assert desk.state.is_differing
    last = desk.of(KeepStop)[-1]
    assert float(last.qty_ltc) == 20.0, "a stop for more closes nothing in hedge mode"
    said = desk.fall(PRICE * 0.955, 50)
    (order,) = [e.order for e in said if isinstance(e, Submit)]
    assert abs(float(order.qty_ltc)) <= 20.0 < held


def test_nothing_is_closed_of_a_leg_that_the_venue_does_not_hold():
    desk = Desk(policy="hazard")
    desk.tell(ev.Reported, qty_ltc=0.0)
    desk.quiet(7)
    assert desk.state.is_differing
    desk.effects.clear()
    desk.fall(PRICE * 0.95, 60)
    assert not desk.of(Submit)
    assert not [e for e in desk.of(Alert) if "limits allow" in e.text]


def test_less_than_a_lot_of_a_hedge_is_left_alone():
    desk = Desk(leverage=5.0, policy="hazard")
    held = float(desk.state.books["qty"][0, POSITION])
    desk.state.books["qty"][0, HEDGE] = -0.0004
    desk.state.books["entry"][0, HEDGE] = PRICE
    desk.tell(ev.Deleveraged, POSITION, -held, PRICE)
    desk.effects.clear()
    desk.quiet(60)
    assert not desk.of(Submit)
    assert not desk.of(Alert)


# --- without a journal --------------------------------------------------------------------------


def test_close_all_needs_no_journal():
    """Of legs that are alike one goes first, which is more net exposure for a second."""
    desk = hedged(1.0, "long", WALLET)
    desk.tell(ev.CloseAll, "enough")
    seen = set()
    for _ in range(60):
        if desk.state.order is not None:
            assert not _raises(desk.state, desk.state.order)
            seen.add(desk.state.order.leg)
            desk.fill()
        desk.market(PRICE)
    assert seen == {POSITION, HEDGE}
    assert desk.state.closing is None


def test_without_a_journal_no_hedge_is_lifted():
    desk = hedged(1.0, "long", WALLET)
    desk.tell(ev.SetHedge, 0.5, desk.now_ns + NS_PER_HOUR)
    order = desk.state.order
    assert order.leg == HEDGE
    assert order.reduce_only
    assert _raises(desk.state, order)


def test_new_steps_count_for_the_rule_that_needs_no_forecast_too():
    desk = Desk(leverage=5.0)
    rows = tuple(tuple(float(x) for x in row) for row in TIERS.rows)
    told = ev.ContractChanged(
        desk.now_ns, desk.now_ns, is_trading=True, tick_usdt=0.1, lot_ltc=0.1,
        min_notional_usdt=5.0, taker_fee=0.001, clearance_fee=0.01, cap_usdt=TIERS.cap_usdt,
        tiers=rows,
    )  # fmt: skip
    desk.state, _ = step(desk.state, structs.replace(told))
    for name in ("tick", "lot", "min_notional", "taker_fee", "clearance"):
        assert desk.state.safe[name][0] == desk.state.terms[name][0]
    assert desk.state.safe["lot"][0] == 0.1


@given(mark=st.floats(0.9, 1.1), share=st.floats(0.01, 0.5))
@hypothesis_settings(max_examples=20, deadline=None)
def test_no_order_takes_more_of_the_book_than_its_share_at_whatever_price_it_is_counted(
    mark: float, share: float
) -> None:
    desk = Desk(leverage=3.0, limits={"max_depth_share": share}, hedge={"location": "same_account"})
    depth = 5_000.0
    desk.now_ns += S
    desk.tell(ev.Book, PRICE - 0.005, PRICE + 0.005, depth, depth)
    desk.tell(ev.Mark, PRICE * mark)
    desk.tell(ev.SetHedge, 1.0, desk.now_ns + NS_PER_HOUR)
    order = desk.state.order
    assume(order is not None)
    assert float(abs(order.qty_ltc)) * PRICE * max(mark, 1.0) <= depth * share + 1e-6


@pytest.mark.parametrize("location", ["same_account", "reduce"])
def test_a_book_that_fell_silent_allows_no_larger_order_than_it_did(location: str) -> None:
    desk = Desk(leverage=3.0, limits={"max_depth_share": 0.1}, hedge={"location": location})
    depth = 5_000.0
    desk.now_ns += S
    desk.tell(ev.Book, PRICE - 0.005, PRICE + 0.005, depth, depth)
    for _ in range(180):  # the book is silent; trades and marks are not
        desk.now_ns += S
        desk.tell(ev.Trade, PRICE, 1.0, True)
        desk.tell(ev.Mark, PRICE)
        desk.tell(ev.Tick)
        assert desk.state.order is None
    assert isnan(desk.state.signals[sg.DEPTH, 0])
    desk.tell(ev.SetHedge, 1.0, desk.now_ns + NS_PER_HOUR)
    order = desk.state.order
    assert order is not None
    assert float(abs(order.qty_ltc)) * PRICE <= 0.1 * depth + 1e-6

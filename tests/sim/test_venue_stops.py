"""Protective stops at the simulated venue: they fire without us, and never make a leg larger."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_venue import MINUTE, TIERS, Made, bar, flat, live, order, told

from litehedge.config import Costs, Hedge, Position, Settings
from litehedge.effects import KeepStop
from litehedge.margin.account import HEDGE, POSITION
from litehedge.market import events as ev
from litehedge.orders.manager import new_order
from litehedge.sim.market.gateway import DOWN, Reply
from litehedge.sim.opening import Opening
from litehedge.sim.venue import SimVenue
from litehedge.sim.venue_stops import Stops
from litehedge.units import NS_PER_DAY, NS_PER_SECOND
from synthetic import T0


def keep(leg: int, qty: float, trigger: float) -> KeepStop:
    return KeepStop(leg, Decimal(repr(qty)), Decimal(repr(trigger)))


def on_bars(location: str = "same_account", leverage: float = 5.0, **costs: float) -> SimVenue:
    """A venue on bars, its position of 50 (at leverage 5) open at 100."""
    told_ = Settings(
        position=Position(leverage=leverage),
        costs=Costs(**costs),
        hedge=Hedge(location=location),  # type: ignore[arg-type]
    )
    here = SimVenue(told_, TIERS, Opening(T0, reopens=True), MINUTE)
    here.on_market(flat(1))
    return here


def kinds(said: list[Any]) -> list[type]:
    return [type(one) for one in said]


# --- on bars ------------------------------------------------------------------------------------


def test_a_stop_arrives_like_an_order_and_fires_within_the_bar() -> None:
    here = on_bars()
    assert here.keep_stop(keep(POSITION, 50.0, 95.0), T0 + MINUTE) == []
    [armed] = here.on_market(flat(2))
    assert (armed.leg, armed.qty_ltc, armed.trigger) == (POSITION, 50.0, 95.0)  # type: ignore[union-attr]
    assert here.on_market(bar(3, 100, 101, 95.01, 96)) == []
    [fired, gone] = [*here.on_market(bar(4, 96, 97, 94, 96)), None]
    assert isinstance(fired, ev.StopFilled)
    assert fired.qty_ltc == -50.0
    assert fired.price < 95.0  # half a spread and the impact worse
    assert fired.fee_usdt == pytest.approx(50.0 * fired.price * 0.0005, rel=0.5)
    assert gone is None
    assert not here.is_open
    assert here.equity() == pytest.approx(1000.0 + 50.0 * (fired.price - 100.0) - fired.fee_usdt)


def test_a_gap_past_the_stop_alone_fills_at_the_open() -> None:
    here = on_bars()
    here.keep_stop(keep(POSITION, 50.0, 95.0), T0 + MINUTE)
    here.on_market(flat(2))
    [fired] = here.on_market(bar(3, 90, 91, 89, 90))
    assert isinstance(fired, ev.StopFilled)
    assert 89.0 < fired.price < 90.0


def test_a_gap_past_both_is_a_liquidation() -> None:
    here = on_bars(leverage=20.0)
    here.keep_stop(keep(POSITION, 1000.0, 97.0), T0 + MINUTE)
    here.on_market(flat(2))
    said = here.on_market(bar(3, 90, 91, 89, 90))
    assert ev.Liquidated in kinds(said)
    assert ev.StopFilled not in kinds(said)
    assert not here._stops.armed


def test_a_stop_before_the_liquidation_price_saves_from_it() -> None:
    saved, lost = on_bars(leverage=20.0), on_bars(leverage=20.0)
    saved.keep_stop(keep(POSITION, 1000.0, 97.0), T0 + MINUTE)
    for here in (saved, lost):
        here.on_market(flat(2))
    fired = saved.on_market(bar(3, 100, 100, 80, 82))
    assert kinds(fired) == [ev.StopFilled]
    assert saved.equity() > 300.0
    assert ev.Liquidated in kinds(lost.on_market(bar(3, 100, 100, 80, 82)))


def test_a_stop_behind_the_liquidation_price_comes_too_late() -> None:
    here = on_bars(leverage=20.0)
    here.keep_stop(keep(POSITION, 1000.0, 85.0), T0 + MINUTE)
    here.on_market(flat(2))
    said = here.on_market(bar(3, 100, 100, 80, 82))
    assert ev.Liquidated in kinds(said)
    assert ev.StopFilled not in kinds(said)


def test_what_would_fire_at_once_is_refused_and_tried_again() -> None:
    here = on_bars()
    here.keep_stop(keep(POSITION, 50.0, 101.0), T0 + MINUTE)
    [failed] = here.on_market(flat(2))
    assert isinstance(failed, ev.StopFailed)
    assert "fire at once" in failed.reason
    said = [one for n in (3, 4) for one in here.on_market(flat(n, 103.0))]
    assert ev.StopArmed in kinds(said)


def test_the_last_stop_of_a_leg_counts_and_none_takes_it_away() -> None:
    here = on_bars()
    here.keep_stop(keep(POSITION, 50.0, 95.0), T0 + MINUTE)
    here.on_market(flat(2))
    here.keep_stop(keep(POSITION, 20.0, 90.0), T0 + 2 * MINUTE)
    here.on_market(flat(3))
    assert here.on_market(bar(4, 100, 100, 93, 94)) == []
    [fired] = here.on_market(bar(5, 94, 94, 89, 92))
    assert fired.qty_ltc == -20.0  # type: ignore[union-attr]
    assert here.is_open
    here.keep_stop(keep(POSITION, 30.0, 85.0), T0 + 5 * MINUTE)
    here.on_market(flat(6, 92.0))
    here.keep_stop(keep(POSITION, 0, 0), T0 + 6 * MINUTE)
    [gone] = here.on_market(flat(7, 92.0))
    assert (type(gone), gone.qty_ltc) == (ev.StopArmed, 0.0)  # type: ignore[union-attr]
    assert here.on_market(bar(8, 92, 92, 84, 90)) == []


def test_a_hedge_that_stands_alone_is_watched_and_may_be_reduced() -> None:
    here = on_bars()
    here.submit(order(-20.0, 90.0), T0 + MINUTE)
    here.on_market(flat(2))
    here.keep_stop(keep(POSITION, 50.0, 95.0), T0 + 2 * MINUTE)
    here.on_market(flat(3))
    here.on_market(bar(4, 100, 100, 94, 94))
    assert not here.is_open
    assert here.books["qty"][0].tolist() == [0.0, -20.0]
    now = T0 + 5 * MINUTE
    paid = here.on_market(ev.Funding(now, now, 0.0001))
    assert kinds(paid) == [ev.FundingPaid]
    more = here.submit(order(-5.0, 80.0, 7), now)
    assert kinds(more) == [ev.OrderRejected]
    lift = new_order(
        "v", 8, HEDGE, 20.0, 99.0, lot=Decimal("0.001"), tick=Decimal("0.01"),
        reduce_only=True, decided_ns=T0,
    )  # fmt: skip
    assert kinds(here.submit(lift, now)) == [ev.OrderAccepted]
    assert kinds(here.on_market(flat(6, 94.0))) == [ev.OrderFilled]
    assert here.books["qty"][0].tolist() == [0.0, 0.0]
    assert here.on_market(flat(7, 94.0)) == []
    past = (NS_PER_DAY * 2) // MINUTE
    assert kinds(here.on_market(flat(past, 94.0))) == [ev.Opened]


def test_a_hedge_alone_may_be_liquidated() -> None:
    here = on_bars("second_venue", leverage=10.0)
    held = float(here.books["qty"][0, POSITION])
    here.submit(order(-held, 90.0), T0 + MINUTE)
    here.on_market(flat(2))
    assert here.sizes()[1] > 0
    here.keep_stop(keep(POSITION, held, 97.0), T0 + 2 * MINUTE)
    here.on_market(flat(3))
    here.on_market(bar(4, 100, 100, 96, 96))
    assert not here.is_open
    said = here.on_market(bar(5, 96, 500, 96, 500))
    assert ev.Liquidated in kinds(said)
    assert here.books["qty"][0, HEDGE] == 0.0


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.floats(-0.05, 0.05), st.floats(0.0, 0.04), st.floats(0.0, 0.04),
            st.one_of(
                st.none(), st.tuples(st.sampled_from([0, 1]), st.floats(0, 80), st.floats(70, 130))
            ),
            st.one_of(st.none(), st.floats(-30, 30)),
        ),
        min_size=1, max_size=12,
    ),
    st.sampled_from(["same_account", "second_venue"]),
)  # fmt: skip
def test_a_stop_only_reduces_and_what_is_told_is_what_happened(path, location) -> None:
    here = on_bars(location, leverage=10.0)
    price = 100.0
    for n, (move, up, down, stop, change) in enumerate(path):
        now = T0 + (n + 1) * MINUTE
        if stop is not None:
            here.keep_stop(keep(stop[0], round(stop[1], 3), round(stop[2], 2)), now)
        if change is not None and abs(change) >= 1.0:
            here.submit(order(round(change, 3), 1000.0 if change > 0 else 1.0, n), now)
        qty = here.books["qty"][0].copy()
        end = price * (1.0 + move)
        high, low = max(price, end) * (1.0 + up), min(price, end) * (1.0 - down)
        said = here.on_market(bar(n + 2, price, high, low, end))
        price = end
        for one in said:
            if isinstance(one, ev.OrderFilled):
                qty[one.leg] += one.qty_ltc
            if isinstance(one, ev.StopFilled):
                assert one.qty_ltc * qty[one.leg] < 0.0
                assert abs(one.qty_ltc) <= abs(qty[one.leg]) + 1e-9
                qty[one.leg] += one.qty_ltc
            if isinstance(one, ev.Liquidated):
                qty = None
                break
        if qty is None:
            break
        assert here.books["qty"][0] == pytest.approx(qty, abs=1e-9)
        for leg, armed in here._stops.armed.items():
            assert here.books["qty"][0, leg] != 0.0
            assert not armed.is_hit(price, price)


# --- in a market --------------------------------------------------------------------------------


def test_in_a_market_it_fires_at_the_mark_while_the_venue_answers_nobody() -> None:
    market = Made()
    here = live(market)
    here.keep_stop(keep(POSITION, 50.0, 98.0), T0)
    market.second(1, 100.0)
    assert kinds(told(here, 1)) == [ev.StopArmed]
    market.is_down = True
    market.second(2, 97.5)
    [fired] = told(here, 2)
    assert isinstance(fired, ev.StopFilled)
    assert fired.price < 97.45
    assert market.felt == [pytest.approx(-50.0 * fired.price)]


def test_a_venue_that_is_down_does_not_hear_of_it_and_is_asked_again() -> None:
    market = Made(Reply(False, True, DOWN, 0), Reply(False, False, "", 0))
    here = live(market)
    [failed] = here.keep_stop(keep(POSITION, 50.0, 98.0), T0)
    assert (type(failed), failed.reason) == (ev.StopFailed, DOWN)  # type: ignore[union-attr]
    said: list[Any] = []
    for n in range(1, 40):
        market.second(n, 100.0)
        said += told(here, n)
    assert kinds(said) == [ev.StopFailed, ev.StopArmed]  # unanswered, asked about, sent anew
    assert "did not answer" in said[0].reason
    assert said[1].event_ns >= T0 + 15 * NS_PER_SECOND


def test_what_was_taken_and_not_told_stands() -> None:
    market = Made(Reply(True, False, "", 0))
    here = live(market)
    assert here.keep_stop(keep(POSITION, 50.0, 98.0), T0) == []
    said: list[Any] = []
    for n in range(1, 20):
        market.second(n, 100.0)
        said += told(here, n)
    assert kinds(said) == [ev.StopArmed]


def test_a_leg_that_is_deleveraged_takes_its_stop_with_it() -> None:
    market = Made(closes_ltc=1e9)
    here = live(market)
    here.submit(order(-20.0, 90.0), T0)
    market.second(1, 100.0)
    here.keep_stop(keep(HEDGE, 20.0, 120.0), T0 + NS_PER_SECOND)
    market.second(2, 95.0)
    told(here, 2)
    assert HEDGE in here._stops.armed
    market.second(3, 95.0, deleveraged=500.0)
    said = told(here, 3)
    assert [type(one) for one in said] == [ev.Deleveraged, ev.StopArmed]
    assert said[1].qty_ltc == 0.0  # type: ignore[union-attr]


def test_an_older_request_that_arrives_later_changes_nothing() -> None:
    here = on_bars()
    replies = [Reply(True, True, "", 9 * NS_PER_SECOND), Reply(True, True, "", 0)]
    stops = Stops(lambda number: replies[number - 1])
    stops.keep(keep(POSITION, 50.0, 90.0), T0)
    stops.keep(keep(POSITION, 50.0, 95.0), T0)
    stops.arrive(here.books, 100.0, T0 + 10 * NS_PER_SECOND)
    assert stops.armed[POSITION].trigger_usdt == 95.0

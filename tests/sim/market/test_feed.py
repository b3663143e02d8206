"""A world's record as feeds tell it, live and afterwards."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from litehedge.market import events as ev
from litehedge.sim.market.feed import WAVE_S, LiveMarket, events_of, tell
from litehedge.sim.market.forced import winners_ahead
from litehedge.sim.market.gateway import Reply
from litehedge.sim.market.parameters import Parameters
from litehedge.sim.market.recording import Second
from litehedge.sim.market.shocks import SHOCK, Shock
from litehedge.sim.market.state import World, new_world
from litehedge.sim.market.step import run_world
from litehedge.units import NS_PER_SECOND

MONDAY = 1_767_571_200


def shock(kind: Shock, at: int, lasts: int, size: float = 0.0) -> NDArray[np.void]:
    return np.array([(int(kind), MONDAY + at, MONDAY + at + lasts, size)], dtype=SHOCK)


def test_events_are_in_order_and_whole() -> None:
    record = run_world(new_world(Parameters(), 1, MONDAY), 9 * 3_600)
    told = list(events_of(record, MONDAY, 5, 1))
    times = [event.known_ns for event in told]
    assert times == sorted(times)
    kinds = [type(event) for event in told]
    heard = record.size - kinds.count(ev.Tick)
    assert record.size - 12 < heard  # the connection is lost for seconds at most
    assert kinds.count(ev.Book) == kinds.count(ev.Mark) == kinds.count(ev.Index) == heard
    assert kinds.count(ev.Bar) == 2 * heard
    assert kinds.count(ev.Funding) == 1
    assert 9 * 12 - 4 <= kinds.count(ev.OpenInterest) < 9 * 12  # the last one is late
    forced = sum(e.notional_usdt for e in told if isinstance(e, ev.Liquidation) and e.feed == "all")
    closed = record["liquidated_long_usdt"].sum() + record["liquidated_short_usdt"].sum()
    assert forced == pytest.approx(closed)


def test_a_frozen_feed_repeats_itself_and_the_market_goes_on() -> None:
    record = run_world(new_world(Parameters(), 1, MONDAY), 1_200)
    told = tell(record, MONDAY, 5, shock(Shock.FREEZE, 300, 600))
    frozen = slice(60, 180)
    assert (told["close"][frozen] == record["close"][59]).all()
    assert not told["buy_usdt"][frozen].any()
    np.testing.assert_array_equal(told[:60], record[:60])
    np.testing.assert_array_equal(told[180:], record[180:])
    later = tell(record[60:], MONDAY + 300, 5, shock(Shock.FREEZE, 300, 600), record[59:60])
    np.testing.assert_array_equal(later, told[60:])


def test_crossed_quotes_and_nothing_else() -> None:
    record = run_world(new_world(Parameters(), 1, MONDAY), 600)
    told = tell(record, MONDAY, 5, shock(Shock.CROSS, 100, 100, 0.004))
    crossed = told["bid"] > told["ask"]
    np.testing.assert_array_equal(np.flatnonzero(crossed), np.arange(20, 40))
    np.testing.assert_array_equal(told["close"], record["close"])
    assert tell(record, MONDAY, 5, shock(Shock.DEPTH, 0, 600, 0.5)) is record


def sent(market: LiveMarket, *, reduce_only: bool) -> Reply:
    """What becomes of an order, of which something is said."""
    asked = (market.reply(n, reduce_only=reduce_only, latency_ns=10**8) for n in range(100))
    return next(one for one in asked if one.is_told)


def test_what_a_venue_refuses() -> None:
    for kind, raising, reducing in (
        (Shock.OUTAGE, "the venue is down", "the venue is down"),
        (Shock.REFUSE, "the venue takes only orders that reduce", ""),
    ):
        market = LiveMarket(new_world(Parameters(), 1, MONDAY), 5, shock(kind, 10, 10))
        feed = market.events(100)
        assert sent(market, reduce_only=False).is_taken
        while market.world.second < MONDAY + 10:
            next(feed)
        assert sent(market, reduce_only=False).why == raising
        assert sent(market, reduce_only=True).why == reducing
        assert market.is_down == (kind is Shock.OUTAGE)


def test_who_joined_sees_every_second_as_it_truly_is() -> None:
    """Even where quotes are told crossed and the feed stands still."""
    shocks = np.concatenate([shock(Shock.CROSS, 100, 100, 0.004), shock(Shock.FREEZE, 300, 100)])
    market = LiveMarket(new_world(Parameters(), 1, MONDAY), 5, shocks)
    seen: list[Second] = []
    market.join(seen.append)
    told = list(market.events(120))
    assert [one.now_ns for one in seen] == [(MONDAY + i) * NS_PER_SECOND for i in range(1, 601)]
    assert all(one.bid < one.ask for one in seen)
    record = run_world(new_world(Parameters(), 1, MONDAY), 600)
    for name in ("bid", "ask", "bid_depth_usdt", "ask_depth_usdt", "mark"):
        np.testing.assert_array_equal([getattr(one, name) for one in seen[4::5]], record[name])
    marks = [one.price for one in told if isinstance(one, ev.Mark)]
    assert len(set(marks[60:80])) == 1 < len({one.mark for one in seen[300:400]})


def test_funding_settles_in_its_second() -> None:
    market = LiveMarket(new_world(Parameters(), 1, MONDAY + 28_740))
    seen: list[Second] = []
    market.join(seen.append)
    [funding] = [one for one in market.events(24) if isinstance(one, ev.Funding)]
    settled = [one for one in seen if one.settled_rate == one.settled_rate]
    assert [(one.now_ns, one.settled_rate) for one in settled] == [(funding.event_ns, funding.rate)]


# --- deleveraging -----------------------------------------------------------------------------


def a_wave(ltc: float, *, world: World | None = None) -> tuple[LiveMarket, Second]:
    """A market in which so many LTC of shorts are deleveraged, and the second of it."""
    market = LiveMarket(world or new_world(Parameters(), 1, MONDAY))
    market._note_deleveraging(1, ltc)
    return market, Second(0, 84.9, 85.1, 1e6, 1e6, 85.0, float("nan"), 0.0, ltc)


@given(st.floats(1e-3, 1e5), st.floats(1e-3, 1e5), st.floats(0.0, 20.0), st.floats(0.0, 20.0))
@settings(max_examples=40)
def test_the_queue_of_winners(wave: float, held: float, rank: float, other: float) -> None:
    """No more than the leg, than the second, than the wave; a higher rank is reached earlier."""
    market, second = a_wave(wave)
    closed = market.deleverages(second, -held, rank)
    assert 0.0 <= closed <= min(wave, held)
    if other >= rank:
        assert market.deleverages(second, -held, other) >= closed
    assert market.deleverages(second, -held, float("inf")) == min(wave, held)
    assert market.deleverages(second, -held, 0.0) == 0.0  # a leg that loses
    assert market.deleverages(second, held, float("inf")) == 0.0  # the side that dies


def test_a_leg_is_reached_when_the_wave_has_passed_those_ahead() -> None:
    world = new_world(Parameters(), 1, MONDAY)
    crowd = (world.state[0], world.mass, world.scale, 1)
    everybody, middle = (float(winners_ahead(*crowd, rank)) for rank in (0.0, 0.1))
    assert 0.0 < middle < everybody < 0.6 * world.total[1].sum()  # the others lose
    market, second = a_wave(middle - 1.0, world=world)
    assert market.deleverages(second, -50.0, 0.1) == 0.0
    market._note_deleveraging(1, 31.0)
    assert market.deleverages(second, -50.0, 0.1) == pytest.approx(30.0)
    world.second += WAVE_S + 1
    market._note_deleveraging(1, 5.0)  # a new wave begins at the front again
    assert market.deleverages(second, -50.0, 0.1) == 0.0


def test_our_trade_moves_the_market_once() -> None:
    ours, theirs = (LiveMarket(new_world(Parameters(), 1, MONDAY)) for _ in range(2))
    ours.trade(2e6)
    closes = [
        [e.close for e in market.events(12) if isinstance(e, ev.Bar) and e.asset == "LTC"]
        for market in (ours, theirs)
    ]
    assert closes[0][0] > closes[1][0] * 1.0005
    assert closes[0][-1] < closes[0][0]  # the book refills
    assert ours.world.second == MONDAY + 60 == (MONDAY * NS_PER_SECOND) // NS_PER_SECOND + 60

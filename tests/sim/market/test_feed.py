"""A world's record as feeds tell it, live and afterwards."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from litehedge.market import events as ev
from litehedge.sim.market.feed import LiveMarket, events_of, tell
from litehedge.sim.market.parameters import Parameters
from litehedge.sim.market.shocks import SHOCK, Shock
from litehedge.sim.market.state import new_world
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


def test_what_a_venue_refuses() -> None:
    for kind, raising, reducing in (
        (Shock.OUTAGE, "the venue is down", "the venue is down"),
        (Shock.REFUSE, "the venue takes only orders that reduce", ""),
    ):
        market = LiveMarket(new_world(Parameters(), 1, MONDAY), 5, shock(kind, 10, 10))
        feed = market.events(100)
        assert market.refuses(reduce_only=False) == ""
        while market.world.second < MONDAY + 10:
            next(feed)
        assert market.refuses(reduce_only=False) == raising
        assert market.refuses(reduce_only=True) == reducing


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

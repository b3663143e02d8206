"""The past through ccxt: what is read of rows, and what a venue that lives gives."""

from __future__ import annotations

import asyncio
import time
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from litehedge.errors import BadMessage
from litehedge.exchange.scene import Scripted
from litehedge.exchange.server import FakeExchange
from litehedge.market import events as ev
from litehedge.venues import ccxt_history
from litehedge.venues.ccxt_facts import rewritten
from litehedge.venues.ccxt_history import bars_of, funding_of, interest_of, past_interest
from litehedge.venues.limits import LIMITS

START, END = 1_795_000_020_000, 1_795_000_020_000 + 10 * 60_000
odd = st.one_of(st.none(), st.integers(), st.floats(), st.text(max_size=5), st.lists(st.none()))


def test_minutes_of_the_span_are_read_in_coins() -> None:
    rows = [[START + i * 60_000, 84.0, 85.0, 83.0, 84.5, 10.0] for i in range(-2, 12)]
    bars = bars_of(rows, "LTC", 0.1, START, END)
    assert [bar.event_ns for bar in bars] == [
        (START + i * 60_000) * 1_000_000 for i in range(1, 11)
    ]
    assert {bar.volume for bar in bars} == {1.0}


@given(st.lists(st.lists(odd, max_size=7) | odd, max_size=4))
def test_rows_are_read_or_refused(rows: list[Any]) -> None:
    for read in (
        lambda: bars_of(rows, "BTC", 1.0, START, END),
        lambda: funding_of([{"timestamp": row, "fundingRate": row} for row in rows], START, END),
        lambda: interest_of(
            [{"timestamp": row, "openInterestAmount": row} for row in rows], 1.0, START, END
        ),
    ):
        try:
            for event in read():
                assert START * 1_000_000 <= event.known_ns <= END * 1_000_000
        except BadMessage:
            pass


@pytest.mark.parametrize("row", [[84, 83, 82, 84, 1], [84, 85, 0, 84, 1], [84, 85, 83, 84, -1]])
def test_bars_that_cannot_be_true_are_refused(row: list[float]) -> None:
    with pytest.raises(BadMessage):
        bars_of([[START, *row]], "LTC", 1.0, START, END)


class Levels:
    """Tells open interest in contracts each five minutes, a page at a time."""

    def __init__(self, breaks_at: int = 10**9) -> None:
        self.asked: list[int] = []
        self.breaks_at = breaks_at

    async def fetch_open_interest_history(
        self, symbol: str, every: str, since: int, limit: int
    ) -> list[dict[str, Any]]:
        import ccxt

        self.asked.append(since)
        if len(self.asked) > self.breaks_at:
            raise ccxt.BadRequest("too far back")
        first = -(-since // 300_000) * 300_000
        return [
            {"timestamp": first + i * 300_000, "openInterestAmount": 70.0} for i in range(limit)
        ]


@pytest.mark.parametrize("breaks_at", [10**9, 1])
def test_past_open_interest_comes_in_pages_and_in_coins(
    monkeypatch: pytest.MonkeyPatch, breaks_at: int
) -> None:
    monkeypatch.setattr(ccxt_history, "INTEREST_PAGE", 10)
    venue, span = Levels(breaks_at), (1_795_000_200_000, 1_795_000_200_000 + 2 * 3_600_000)
    waiter = LIMITS["okx"].waiter()
    told = asyncio.run(past_interest(venue, "LTC", 0.1, span, waiter))
    assert {one.oi_ltc for one in told} == {7.0}
    assert len(told) == (24 if breaks_at > 1 else 10)
    assert [b.event_ns - a.event_ns for a, b in pairwise(told)] == [300 * 10**9] * (len(told) - 1)
    assert all(one.known_ns - one.event_ns == 300 * 10**9 for one in told)


def test_ccxt_asks_page_by_page_for_both_coins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ccxt_history, "PAGE", 2)

    async def work() -> list[ev.MarketEvent]:
        scene = Scripted(
            begins_s=int(time.time()) - 400, funding=((200, 0.0003),), interval_s=10**9
        )
        async with FakeExchange(scene, venues=("bybit",), step_ms=1000) as fake:
            for _ in range(400):
                fake.step()
            return await ccxt_history.history(
                "bybit", 6, lambda urls: rewritten(urls, fake.url, fake.ws_url)
            )

    told = asyncio.run(asyncio.wait_for(work(), 30))
    bars = [event for event in told if isinstance(event, ev.Bar)]
    ltc = [bar.event_ns for bar in bars if bar.asset == "LTC"]
    assert len(ltc) >= 5
    assert ltc == list(range(ltc[0], ltc[-1] + 1, 60_000_000_000))
    assert [event.rate for event in told if isinstance(event, ev.Funding)] == [0.0003]
    assert told == sorted(told, key=lambda event: event.known_ns)

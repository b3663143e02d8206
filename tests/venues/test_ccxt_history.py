"""The past through ccxt: what is read of rows, and what a venue that lives gives."""

from __future__ import annotations

import asyncio
import time
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
from litehedge.venues.ccxt_history import bars_of, funding_of

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
    ):
        try:
            for event in read():
                assert START * 1_000_000 <= event.event_ns <= END * 1_000_000
        except BadMessage:
            pass


@pytest.mark.parametrize("row", [[84, 83, 82, 84, 1], [84, 85, 0, 84, 1], [84, 85, 83, 84, -1]])
def test_bars_that_cannot_be_true_are_refused(row: list[float]) -> None:
    with pytest.raises(BadMessage):
        bars_of([[START, *row]], "LTC", 1.0, START, END)


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

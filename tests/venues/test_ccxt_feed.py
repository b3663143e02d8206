"""Market sources through the real ccxt.pro against a fake OKX: what comes, what stands still."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from fake_okx import FIXTURES, FakeOkx

from litehedge.market.events import Book, Mark, PredictedFunding, Trade
from litehedge.venues.ccxt_feed import CcxtSource, Kind

NOW = 1_795_000_001 * 10**9
T_MS = "1795000000000"
BOOK = [
    (FIXTURES / f"okx_ws_books_{what}_LTC.json").read_bytes() for what in ("snapshot", "update")
]


def channel(name: str, *rows: dict[str, Any]) -> bytes:
    arg = {"channel": name, "instId": "LTC-USDT-SWAP"}
    return json.dumps({"arg": arg, "data": list(rows)}).encode()


class Heard:
    """An outlet that remembers."""

    def __init__(self) -> None:
        self.events: list[Any] = []
        self.states: list[tuple[str, str]] = []
        self.bads = 0
        self.changed = asyncio.Event()

    def now_ns(self) -> int:
        return NOW

    def put(self, event: Any) -> None:
        self.events.append(event)
        self.changed.set()

    def bad(self, source: str, error: Any, payload: bytes) -> None:
        self.bads += 1
        self.changed.set()

    def health(self, source: str, state: str, detail: str = "") -> None:
        self.states.append((state, detail))
        self.changed.set()

    async def until(self, done: Any) -> None:
        async with asyncio.timeout(20):
            while not done():
                self.changed.clear()
                await self.changed.wait()


def hear(
    kind: Kind, says: list[list[bytes]], count: int, *, frozen_s: float = 20.0, own: bool = False
) -> tuple[Heard, FakeOkx]:
    async def run() -> tuple[Heard, FakeOkx]:
        async with FakeOkx() as fake:
            fake.says = says
            heard = Heard()
            source = CcxtSource(
                "okx", kind, rewrite=fake.rewrite, frozen_s=frozen_s, own=own, poll_s=0.01
            )
            task = asyncio.create_task(source.run(heard))
            await heard.until(lambda: len(heard.events) >= count or task.done())
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            return heard, fake

    return asyncio.run(run())


def test_a_book_comes() -> None:
    heard, _ = hear("book", [BOOK[:1]], 1)
    [book] = heard.events
    assert isinstance(book, Book)
    assert (book.bid, book.ask) == (84.10, 84.11)
    assert book.event_ns == int(T_MS) * 10**6
    assert ("ok", "") in heard.states


def test_a_book_that_stands_still_is_opened_anew() -> None:
    """ccxt says that it is connected, and nothing comes: close, connect, go on."""
    heard, fake = hear("book", [BOOK[:1], BOOK[:1]], 2, frozen_s=0.4)
    assert fake.connections >= 2
    assert [book.bid for book in heard.events[:2]] == [84.10, 84.10]
    assert any(state == "stale" and "nothing changed" in why for state, why in heard.states)


def test_trades_come_once_and_old_ones_not_at_all() -> None:
    def row(number: int, ts: str = T_MS, side: str = "sell") -> dict[str, Any]:
        return {"instId": "LTC-USDT-SWAP", "tradeId": str(number), "px": "84.1", "sz": "2.5",
                "side": side, "ts": ts, "count": "1"}  # fmt: skip

    talk = [
        channel("trades", row(1, "1794999000000")), channel("trades", row(2)),
        channel("trades", row(2)), channel("trades", row(3, side="buy")),
    ]  # fmt: skip
    heard, _ = hear("trades", [talk], 2)
    assert [(type(t), t.qty_ltc, t.taker_buys) for t in heard.events] == [
        (Trade, 2.5, False), (Trade, 2.5, True),
    ]  # fmt: skip


def test_marks_and_funding() -> None:
    marks = channel("mark-price", {"instType": "SWAP", "instId": "LTC-USDT-SWAP", "markPx": "84.2",
                                   "ts": T_MS})  # fmt: skip
    heard, _ = hear("mark", [[marks]], 1)
    assert heard.events[0] == Mark(int(T_MS) * 10**6, NOW, 84.2)
    rates = channel("funding-rate", {
        "instType": "SWAP", "instId": "LTC-USDT-SWAP", "fundingRate": "0.0001",
        "fundingTime": T_MS, "nextFundingTime": "1795014400000", "ts": T_MS,
    })  # fmt: skip
    for own, venue in ((False, "okx"), (True, "own")):
        heard, _ = hear("funding", [[rates]], 1, own=own)
        assert heard.events[0] == PredictedFunding(NOW, NOW, venue, 0.0002)  # of four hours

"""Bitcoin on the fake exchange: our sources and histories run on it with nothing changed."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from conftest import run
from litehedge.exchange.scene import Scripted
from litehedge.exchange.server import FakeExchange
from litehedge.market import events as ev
from litehedge.ports import Source
from litehedge.units import NS_PER_MINUTE, NS_PER_SECOND
from litehedge.venues import binance, bybit
from litehedge.venues.binance_feed import BtcSource

LIVED_S = 200


class Heard:
    """An outlet that remembers."""

    def __init__(self) -> None:
        self.events: list[Any] = []

    def now_ns(self) -> int:
        return time.time_ns()

    def put(self, event: Any) -> None:
        self.events.append(event)

    def bad(self, source: str, error: Any, payload: bytes) -> None:
        raise AssertionError((source, error, payload))

    def health(self, source: str, state: str, detail: str = "") -> None:
        pass


def lived(venue: str) -> FakeExchange:
    """An exchange whose market has lived for some minutes, up to now."""
    begins_s = int(time.time()) - LIVED_S
    scene = Scripted(begins_s=begins_s, btc_path=((0, 60_000.0), (LIVED_S, 61_000.0)))
    fake = FakeExchange(scene, venues=(venue,), step_ms=1000)  # type: ignore[arg-type]
    for _ in range(LIVED_S):
        fake.step()
    return fake


async def past(venue: str, fake: FakeExchange) -> list[ev.MarketEvent]:
    if venue == "binance":
        hosts = binance.Hosts(fake.url, "", fake.ws_url, fake.ws_url + "/ws-fapi/v1")
        return await binance.history(10, hosts=hosts)
    return await bybit.BybitMarket(bybit_hosts(fake)).history(10)


def bybit_hosts(fake: FakeExchange) -> bybit.Hosts:
    return bybit.Hosts(fake.url, fake.ws_url + "/v5/public/linear", "", "")


@pytest.mark.parametrize("venue", ["binance", "bybit"])
def test_the_past_holds_minutes_of_both_coins(venue: str) -> None:
    async def work() -> None:
        async with lived(venue) as fake:
            told = await past(venue, fake)
        bars = [event for event in told if isinstance(event, ev.Bar)]
        ends = {
            asset: [bar.event_ns for bar in bars if bar.asset == asset] for asset in ("LTC", "BTC")
        }
        assert len(ends["BTC"]) >= 2
        assert ends["BTC"] == ends["LTC"]
        btc = [bar for bar in bars if bar.asset == "BTC"]
        assert all(60_000 <= bar.low <= bar.close <= bar.high <= 61_000 for bar in btc)
        assert btc[-1].close > btc[0].close
        assert all(bar.volume > 0 for bar in btc)

    run(work())


async def bars_of(source: Source, fake: FakeExchange, seconds: int) -> list[ev.Bar]:
    """Let market time pass while a source listens."""
    out = Heard()
    job = asyncio.create_task(source.run(out))
    async with asyncio.timeout(20):
        while not any(c.topics for hub in fake._hubs.values() for c in hub.connections):
            await asyncio.sleep(0.01)
        await fake.advance(seconds)
        while not out.events:
            await asyncio.sleep(0.01)
    job.cancel()
    await asyncio.gather(job, return_exceptions=True)
    return [event for event in out.events if isinstance(event, ev.Bar)]


def test_binance_tells_trades_of_bitcoin() -> None:
    async def work() -> None:
        async with lived("binance") as fake:
            hosts = binance.Hosts(fake.url, "", fake.ws_url, "")
            source = BtcSource((5 * NS_PER_SECOND, NS_PER_MINUTE), hosts=hosts)
            bars = await bars_of(source, fake, 130)
        for interval_ns in (5 * NS_PER_SECOND, NS_PER_MINUTE):
            ends = [bar.event_ns for bar in bars if bar.interval_ns == interval_ns]
            assert len(ends) >= 130 * NS_PER_SECOND // interval_ns - 2
            assert ends == list(range(ends[0], ends[-1] + 1, interval_ns))
        assert {bar.asset for bar in bars} == {"BTC"}

    run(work())


def test_bybit_tells_minutes_of_bitcoin_once_each() -> None:
    async def work() -> None:
        async with lived("bybit") as fake:
            btc = {s.name: s for s in bybit.BybitMarket(bybit_hosts(fake)).sources()}["bybit.btc"]
            bars = await bars_of(btc, fake, 190)
        ends = [bar.event_ns for bar in bars]
        assert len(ends) >= 2
        assert ends == list(range(ends[0], ends[-1] + 1, NS_PER_MINUTE))

    run(work())


def test_no_order_is_taken_for_bitcoin_and_its_trades_are_not_ours() -> None:
    fake = lived("binance")
    ltc, btc = (fake.binance.history.tapes[name] for name in ("LTCUSDT", "BTCUSDT"))
    assert {trade.symbol for trade in btc.trades} == {"BTCUSDT"}
    assert {trade.symbol for trade in ltc.trades} == {"LTCUSDT"}
    assert max(float(trade.price_usdt) for trade in ltc.trades) < 1000.0

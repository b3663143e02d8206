"""From sockets to a backtest: the fake exchange is recorded, and what was recorded is replayed."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from litehedge.exchange.scene import Scripted
from litehedge.exchange.server import FakeExchange
from litehedge.feeds.across import Across
from litehedge.live.places import Places
from litehedge.live.recorder import Options, Recorder, record
from litehedge.live.recorder_tables import BAR_NS
from litehedge.live.sockets import SocketThread
from litehedge.live.sources import Context, sources_for
from litehedge.store.lake import Lake
from litehedge.units import NS_PER_MINUTE, NS_PER_MS
from litehedge.venues import binance, bybit
from litehedge.venues.binance_feed import PollSource

MINUTES = 45
CRASH = ((0, 84.1), (1200, 84.0), (1320, 78.0), (2700, 79.0))


def places(fake: FakeExchange) -> Places:
    """Where everything is when there is nothing but the fake."""
    return Places(
        binance=binance.Hosts(fake.url, "", fake.ws_url, fake.ws_url + "/ws-fapi/v1"),
        bybit=bybit.Hosts(fake.url, fake.ws_url + "/v5/public/linear", "", ""),
        across={"bybit": fake.url},
    )


def exchange(begins_s: int = 1_795_003_600, **options: Any) -> FakeExchange:
    scene = Scripted(
        begins_s=begins_s, path=CRASH, btc_path=((0, 60_000.0), (2700, 59_000.0)),
        liquidations=((1300, "long", 250.0, 79.0), (1400, "long", 80.0, 78.0)),
    )  # fmt: skip
    return FakeExchange(scene, venues=("binance", "bybit"), step_ms=1000, **options)


async def recorded(folder: Path, lake: Lake) -> None:
    """Record so many minutes of market time, as fast as they can be told."""
    async with exchange() as fake, aiohttp.ClientSession() as session:
        context = Context(
            session, places=places(fake), venues=("binance",), btc_intervals_ns=BAR_NS
        )
        sources = [one for name in ("binance", "across") for one in sources_for(name, context)]
        for one in sources:  # market time passes faster than what is asked now and then
            if isinstance(one, PollSource):
                one.every_s = 0.1
            elif isinstance(one, Across):
                one._every_s = 0.1
        clock = lambda: fake.now_ms * NS_PER_MS  # noqa: E731
        options = Options(flush_s=0.1, min_free_bytes=0)
        stop = asyncio.Event()
        async with Recorder(folder, lake, options, clock=clock) as recorder:
            job = asyncio.create_task(record(sources, recorder, stop))
            async with asyncio.timeout(60):
                while len([one for one in recorder.heard.values() if one.state == "ok"]) < 7:
                    await asyncio.sleep(0.01)
                for _ in range(MINUTES * 60 // 2):
                    await fake.advance(2)
                    await asyncio.sleep(0)
                while not recorder.heard["binance.market"].events:
                    await asyncio.sleep(0.01)
            stop.set()
            await job


def test_what_was_recorded_can_be_tested_upon(litehedge, lake, tmp_path) -> None:
    asyncio.run(recorded(tmp_path / "home" / "recordings", lake))
    names = {one.name for one in lake.datasets()}
    kinds = ("trades", "book", "mark_index", "liquidations", "predicted_funding", "open_interest")
    wanted = {f"recorded_binance_{kind}" for kind in (*kinds, "ltc_5s", "ltc_1m", "btc_1m")}
    assert wanted | {"recorded_across_predicted_funding"} <= names
    bars = lake.dataset("recorded_binance_ltc_1m")
    assert bars.rows >= MINUTES - 3
    assert bars.interval_ns == NS_PER_MINUTE
    companions = {role: one.name for role, one in lake.companions(bars).items()}
    assert companions["btc"] == "recorded_binance_btc_1m"
    assert companions["predicted_funding"] == "recorded_binance_predicted_funding"
    assert companions["across"] == "recorded_across_predicted_funding"
    assert companions["open_interest"] == "recorded_binance_open_interest"
    assert companions["liquidations"] == "recorded_binance_liquidations"
    assert set(lake.read("recorded_across_predicted_funding")["venue"]) == {"bybit"}

    done = litehedge(
        "backtest", "--data", "recorded_binance_ltc_1m", "--policy", "margin-vol",
        "--leverage", "10", "--json", "-",
    )  # fmt: skip
    assert done.code == 0, done.err
    meta = done.json["meta"]
    assert meta["companions"] == companions
    [hedged, _] = done.json["rows"]
    assert hedged["mean_return"] == pytest.approx(10 * (79.0 / 84.1 - 1), abs=0.05)


def test_the_command_records_venue_and_feed(litehedge, lake, monkeypatch) -> None:
    async def begin() -> FakeExchange:
        fake = exchange(int(time.time()), speed=1.0)
        return await fake.__aenter__()

    with SocketThread() as thread:
        fake = thread.call(begin())
        monkeypatch.setattr("litehedge.cli.data_record.PRODUCTION", places(fake))
        try:
            done = litehedge(
                "data", "record", "--venue", "binance", "--feed", "across", "--for", "3s", "--json"
            )
        finally:
            thread.call(fake.__aexit__(None, None, None))
    assert done.code == 0, done.err
    heard = {one["source"]: one for one in done.json["feeds"]}
    assert set(heard) == {
        "binance.depth", "binance.market", "binance.btc", "binance.open_interest",
        "binance.long_short", "binance.funding", "across",
    }  # fmt: skip
    assert {one["state"] for one in heard.values()} == {"ok"}, heard
    assert heard["across"]["kinds"] == ["predicted_funding"]
    assert lake.read("recorded_across_predicted_funding").height >= 1
    assert lake.read("recorded_binance_trades").height >= 1


@pytest.mark.parametrize("venue", ["binance", "bybit"])
def test_other_settings_are_refused_in_one_line(litehedge, venue, tmp_path) -> None:
    (tmp_path / "litehedge.toml").write_text('[feeds]\nextra = ["stars"]\n')
    done = litehedge("data", "record", "--venue", venue, "--for", "1s")
    assert done.code == 2
    assert "feeds.extra.0" in done.err

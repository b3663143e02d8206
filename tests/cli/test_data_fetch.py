"""``litehedge data fetch`` against an archive on this machine."""

from __future__ import annotations

import asyncio
import sys
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest
from aiohttp import web

from litehedge.feeds import fetch_api

sys.path.insert(0, str(Path(__file__).parents[1] / "feeds"))
from misbehaving import Archive, gzipped, klines, served, zipped

from litehedge.units import NS_PER_DAY, instant_ns

DAY = instant_ns("2025-02-01")
UM = "/data/futures/um"
VENUES = Path(__file__).parents[1] / "fixtures" / "venues"


@contextmanager
def serving(handle):
    """Serve from a thread, since the command has a loop of its own."""
    ready, done = threading.Event(), []
    loop = asyncio.new_event_loop()
    found = []

    async def main():
        stop = asyncio.Event()
        done.append(lambda: loop.call_soon_threadsafe(stop.set))
        async with served(handle) as base:
            found.append(base)
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(main()))
    thread.start()
    ready.wait()
    try:
        yield found[0]
    finally:
        done[0]()
        thread.join()
        loop.close()


def test_bars_funding_and_open_interest_of_binance(litehedge, lake) -> None:
    one = f"{UM}/daily/klines/LTCUSDT/1m/LTCUSDT-1m-2025-02-0{{}}.zip"
    metrics = (
        "create_time,symbol,sum_open_interest,count_long_short_ratio\n"
        "2025-02-01 00:05:00,LTCUSDT,500000,1.5\n2025-02-01 00:10:00,LTCUSDT,500001,1.6\n"
    )
    archive = Archive(
        {
            one.format(1): zipped(klines(DAY), "LTCUSDT-1m-2025-02-01.csv"),
            one.format(2): zipped(klines(DAY + NS_PER_DAY), "LTCUSDT-1m-2025-02-02.csv"),
            f"{UM}/daily/metrics/LTCUSDT/LTCUSDT-metrics-2025-02-01.zip": zipped(
                metrics, "LTCUSDT-metrics-2025-02-01.csv"
            ),
        }
    )
    words = ("data", "fetch", "binance", "--from", "2025-02-01", "--to")
    with serving(archive.handle) as base:
        done = litehedge(*words, "2025-02-01", "--base", base)
        assert done.code == 0, done.err
        assert "does not have LTCUSDT-fundingRate-2025-02.zip" in done.out
        assert lake.read("binance_ltc_perp_1m").height == 1440
        done = litehedge(*words, "2025-02-02", "--base", base, "--json")
        assert done.json["files"] == {
            "kept": 2, "fetched": 1, "missing": 2,
            "missing_files": [
                f"{base}{UM}/monthly/fundingRate/LTCUSDT/LTCUSDT-fundingRate-2025-02.zip",
                f"{base}{UM}/daily/metrics/LTCUSDT/LTCUSDT-metrics-2025-02-02.zip",
            ],
            "failed_files": [],
        }  # fmt: skip
    bars = lake.dataset("binance_ltc_perp_1m")
    assert (bars.rows, bars.market, bars.venue) == (2880, "perp", "binance")
    assert lake.gaps(bars) == []
    assert lake.read("binance_ltc_open_interest")["oi"].to_list() == [500000.0, 500001.0]
    assert lake.read("binance_ltc_long_short_ratio")["ratio"].to_list() == [1.5, 1.6]


def test_trades_of_bybit(litehedge, lake) -> None:
    text = (
        f"timestamp,symbol,side,size,price\n{DAY // 10**9 + 5},LTCUSDT,Buy,2,83.5\n"
        f"{DAY // 10**9 + 90},LTCUSDT,Sell,2,83.7\n"
    )
    archive = Archive({"/trading/LTCUSDT/LTCUSDT2025-02-01.csv.gz": gzipped(text)})
    with serving(archive.handle) as base:
        for _ in range(2):
            done = litehedge(
                "data", "fetch", "bybit", "--from", "2025-02-01", "--to", "2025-02-02",
                "--base", base,
            )  # fmt: skip
            assert done.code == 0, done.err
    assert lake.read("bybit_ltc_trades")["price"].to_list() == [83.5, 83.7]
    assert lake.read("bybit_ltc_perp_1m")["close"].to_list() == [83.5, 83.7]


def test_forced_volume_of_coinalyze(litehedge, lake, monkeypatch) -> None:
    payload = (VENUES / "coinalyze_liquidation_history.json").read_bytes()
    keys = []

    async def handle(request):
        keys.append(request.headers["api_key"])
        return web.Response(body=payload, status=200 if keys[-1] == "right" else 401)

    words = ("data", "fetch", "coinalyze", "--from", "2025-10-09", "--to", "2025-10-09", "--base")
    with serving(handle) as base:
        monkeypatch.setenv("COINALYZE_API_KEY", "right")
        for _ in range(2):
            assert litehedge(*words, base).code == 0
        monkeypatch.setenv("COINALYZE_API_KEY", "wrong")
        refused = litehedge(*words, base)
    assert lake.read("coinalyze_ltc_liquidations_daily")["notional_usdt"].sum() == 17444.5
    assert (refused.code, "does not accept the key" in refused.err) == (2, True)
    assert "wrong" not in refused.err + refused.out


def test_forced_orders_of_kraken_page_by_page(litehedge, lake, monkeypatch) -> None:
    payload = (VENUES / "kraken_history_executions_PF_LTCUSD_liquidation.json").read_bytes()
    last = payload.replace(b'"YWJj"', b"null").replace(b"e7a1", b"e7a2")
    asked = []
    monkeypatch.setattr(fetch_api, "KRAKEN_PAUSE_S", 0.0)

    async def handle(request):
        asked.append(request.query.get("continuation_token"))
        return web.Response(body=payload if asked[-1] is None else last)

    day = "2026-11-18"
    assert instant_ns(day) <= 1795000000000 * 10**6 < instant_ns(day) + NS_PER_DAY
    with serving(handle) as base:
        words = ("data", "fetch", "kraken", "--from", day, "--to", day, "--base", base)
        assert litehedge(*words).code == 0
        assert asked == [None, "YWJj"]
        assert litehedge(*words).code == 0
    assert len(asked) == 2, "a day that is there is not asked for again"
    rows = lake.read("kraken_ltc_liquidations")
    assert rows.select("side", "qty").rows() == [("long", 17.0), ("long", 17.0)]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("moon",), "there is no source moon"),
        (("binance", "--kinds", "candles"), "there is no kind candles"),
        (("binance", "--from", "yesterday"), "is not a day"),
        (("bybit", "--from", "2025-02-02", "--to", "2025-02-01"), "2025-02-02 is after"),
    ],
)
def test_what_cannot_be_meant_is_said(litehedge, words, message) -> None:
    done = litehedge("data", "fetch", *words)
    assert (done.code, message in done.err) == (2, True), done.err


def test_no_network(litehedge, monkeypatch) -> None:
    from litehedge.cli import data_fetch

    real = data_fetch.fetch_all
    monkeypatch.setattr(data_fetch, "fetch_all", lambda *a, **m: real(*a, **m, tries=1))
    done = litehedge("data", "fetch", "bybit", "--from", "2025-02-01", "--to", "2025-02-01",
                     "--base", "http://127.0.0.1:9")  # fmt: skip
    assert done.code == 1
    assert "could not be fetched" in done.err
    assert "it goes on where it was" in done.err

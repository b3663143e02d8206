"""Binance's market as sources, over real sockets on loopback."""

from __future__ import annotations

import asyncio
import time
from itertools import pairwise

from binance_samples import fixture
from binance_stub import Out, running, stub, until

from litehedge.market import events as ev
from litehedge.ports import Source
from litehedge.units import NS_PER_MINUTE, NS_PER_MS, NS_PER_SECOND
from litehedge.venues.binance import history, sources
from litehedge.venues.binance_feed import BookSource, BtcSource, MarketSource
from litehedge.venues.binance_wire import FundingClock


def kinds(out):
    return {type(event).__name__ for event in out.events}


def test_the_market_over_its_routed_socket():
    async def main():
        async with stub() as venue:
            source: Source = MarketSource("LTCUSDT", FundingClock(), venue.hosts)
            out = Out()
            async with running(source.run(out)):
                await until(lambda: len(venue.subscribed) == 3)
                for name in ("ws_aggTrade_LTCUSDT", "ws_markPrice_1s_LTCUSDT",
                             "ws_forceOrder_LTCUSDT",
                             "ws_forceOrder_arr_COINM_must_be_filtered"):  # fmt: skip
                    await venue.streams[0].send_json(fixture(name))
                await venue.streams[0].send_json(fixture("ws_aggTrade_LTCUSDT") | {"p": "NaN"})
                await until(lambda: out.wrong)
            assert kinds(out) == {"Trade", "Mark", "Index", "PredictedFunding", "Liquidation"}
            assert len(out.events) == 5
            assert venue.subscribed == [
                f"/market/ws ltcusdt@{name}" for name in ("aggTrade", "markPrice@1s", "forceOrder")
            ]

    asyncio.run(main())


def test_a_stream_that_is_silent_among_others_is_asked_for_anew():
    async def main():
        async with stub() as venue:
            source = MarketSource("LTCUSDT", FundingClock(), venue.hosts, trades_silence_s=0.0)
            out = Out()
            async with running(source.run(out)):
                await until(lambda: len(venue.streams) == 2)  # its answer speaks, the trades do not
            assert any("no trades" in detail for _, _, detail in out.states)

    asyncio.run(main())


def test_a_refused_subscription_is_said():
    async def main():
        async with stub() as venue:

            async def refuse(socket, names):
                await socket.send_json({"error": {"code": 2, "msg": "Invalid stream"}, "id": 1})

            venue.greet = refuse
            out = Out()
            async with running(BookSource("LTCUSDT", 0.01, venue.hosts).run(out)):
                await until(lambda: any("Invalid stream" in d for _, _, d in out.states))

    asyncio.run(main())


def test_the_book_begins_with_a_snapshot_and_is_read_anew_after_a_gap():
    async def main():
        async with stub() as venue:
            out = Out()
            told = fixture("ws_depth_sequence_LTCUSDT")["events"]
            async with running(BookSource("LTCUSDT", 0.01, venue.hosts).run(out)):
                await until(lambda: venue.subscribed)
                for message in told[:3]:
                    await venue.streams[0].send_json(message)
                await until(lambda: out.events and out.events[-1].ask == 84.11)
                last = out.events[-1]
                assert (last.bid, last.ask) == (84.09, 84.11)
                assert last.bid_depth_usdt > 0.0
                later = fixture("rest_depth_LTCUSDT") | {"lastUpdateId": 1018}
                venue.on("GET", "/fapi/v1/depth", 200, later)
                count = len(out.events)
                await venue.streams[0].send_json(told[3])  # a gap
                await until(lambda: len(out.events) > count)
            assert venue.count("GET", "/fapi/v1/depth") >= 2
            states = [state for _, state, _ in out.states]
            assert states.index("stale") < len(states) - 1
            assert states[-1] == "ok"
            assert venue.subscribed == ["/public/ws ltcusdt@depth@100ms"]

    asyncio.run(main())


def test_a_book_that_cannot_be_asked_for_is_stale_and_asked_for_again():
    async def main():
        async with stub() as venue:
            venue.on("GET", "/fapi/v1/depth", 503, {"msg": "Service Unavailable."})
            out = Out()
            async with running(BookSource("LTCUSDT", 0.01, venue.hosts).run(out)):
                await until(lambda: venue.subscribed)
                await venue.streams[0].send_json(fixture("ws_depth_sequence_LTCUSDT")["events"][1])
                await until(lambda: any(state == "stale" for _, state, _ in out.states))
                del venue.answers["GET", "/fapi/v1/depth"]
                await until(lambda: out.events)

    asyncio.run(main())


def test_bitcoin_comes_in_bars():
    async def main():
        async with stub() as venue:
            out = Out()
            source = BtcSource((5 * NS_PER_SECOND,), hosts=venue.hosts)
            async with running(source.run(out)):
                await until(lambda: venue.subscribed)
                trade = fixture("ws_aggTrade_LTCUSDT") | {"s": "BTCUSDT"}
                at = time.time_ns() // NS_PER_MS // 5000 * 5000
                for place in (at - 1000, at - 900, at + 1):
                    await venue.streams[0].send_json(trade | {"T": place})
                await until(lambda: out.events)
            bar = out.events[0]
            assert (bar.asset, bar.interval_ns) == ("BTC", 5 * NS_PER_SECOND)
            assert bar.event_ns % (5 * NS_PER_SECOND) == 0
            assert bar.volume in (3.25, 6.5)  # the clock may have cut between two

    asyncio.run(main())


def test_polls():
    async def main():
        async with stub() as venue:
            made = {s.name: s for s in sources("LTCUSDT", 0.01, 5 * NS_PER_SECOND, venue.hosts)}
            assert len(made) == 6
            out = Out()
            old = fixture("rest_fundingRate_LTCUSDT")[0] | {"fundingTime": 1_000_000_000_000}
            new = old | {"fundingTime": time.time_ns() // NS_PER_MS + 3_600_000}
            venue.on("GET", "/fapi/v1/fundingRate", 200, [old, new, new])
            async with (
                running(made["binance.open_interest"].run(out)),
                running(made["binance.long_short"].run(out)),
                running(made["binance.funding"].run(out)),
            ):
                await until(lambda: len(out.events) >= 3)
            assert kinds(out) == {"OpenInterest", "LongShortRatio", "Funding"}
            assert len(out.events) == 3  # what was settled before the start is history

    asyncio.run(main())


def test_a_poll_that_fails_says_so_and_goes_on():
    async def main():
        async with stub() as venue:
            made = {s.name: s for s in sources("LTCUSDT", 0.01, 5 * NS_PER_SECOND, venue.hosts)}
            source = made["binance.open_interest"]
            source.every_s = 0.01
            venue.on("GET", "/fapi/v1/openInterest", 200, b"<html>")
            out = Out()
            async with running(source.run(out)):
                await until(lambda: out.wrong)
                venue.on("GET", "/fapi/v1/openInterest", 500, b"")
                await until(lambda: any(state == "down" for _, state, _ in out.states))
                del venue.answers["GET", "/fapi/v1/openInterest"]
                await until(lambda: out.events)

    asyncio.run(main())


def test_the_past_comes_in_the_order_in_which_it_became_known():
    minutes = 2000  # more than one page of bars

    async def main():
        async with stub() as venue:

            def klines(params):
                start, end = int(params["startTime"]), int(params["endTime"])
                first = -(-start // 60_000) * 60_000
                row = fixture("rest_klines_LTCUSDT")[0]
                times = range(first, end + 1, 60_000)
                assert len(times) <= int(params["limit"])
                return 200, [[t, *row[1:6], t + 59_999, *row[7:]] for t in times]

            venue.answers["GET", "/fapi/v1/klines"] = klines
            at = (venue.now_ms() - 3_600_000) // 1000 * 1000
            funding = fixture("rest_fundingRate_LTCUSDT")[0] | {"fundingTime": at}
            venue.on("GET", "/fapi/v1/fundingRate", 200, [funding])
            interest = fixture("rest_openInterestHist_LTCUSDT")[0] | {"timestamp": at + 1}
            venue.on("GET", "/futures/data/openInterestHist", 200, [interest])
            got = await history(minutes, hosts=venue.hosts)
            assert [e.known_ns for e in got] == sorted(e.known_ns for e in got)
            bars = [e for e in got if isinstance(e, ev.Bar)]
            for asset in ("LTC", "BTC"):
                closes = [b.event_ns for b in bars if b.asset == asset]
                assert minutes - 1 <= len(closes) <= minutes
                assert all(b - a == NS_PER_MINUTE for a, b in pairwise(closes))
            assert sum(isinstance(e, ev.Funding) for e in got) == 1
            assert sum(isinstance(e, ev.OpenInterest) for e in got) == 1

    asyncio.run(main())

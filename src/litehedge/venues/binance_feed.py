"""Binance USD-M as sources of market events: routed sockets, polls, and the past for warming up.

Since 2026-04 the streams are routed: the book comes over ``/public``, trades, marks and forced
orders over ``/market``. Each socket has one job, so that a burst on one never delays another.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

import aiohttp
import msgspec

from litehedge.errors import BadMessage, VenueDown, VenueError, VenueRefused, WrongSetup
from litehedge.market import events as ev
from litehedge.market.bars import BarFold
from litehedge.net import Newest, Pause, Resync, Wire, keep_socket
from litehedge.ports import Outlet, Source
from litehedge.units import NS_PER_MS, NS_PER_SECOND
from litehedge.venues import binance_rest as rest_words
from litehedge.venues import binance_wire as wire_words
from litehedge.venues.binance_book import BookSync, Step
from litehedge.venues.binance_link import PRODUCTION, Hosts, Rest
from litehedge.venues.book import LocalBook

BOOK_SILENCE_S: Final = 10.0
MARK_SILENCE_S: Final = 10.0
TRADES_SILENCE_S: Final = 60.0
BTC_SILENCE_S: Final = 30.0
GRACE_NS: Final = 300_000_000  # trades of a bar may come so late
SNAPSHOT_LEVELS: Final = 1000
PAST_PATIENCE_S: Final = 90.0  # a long past may use up what a minute allows
KEPT_MS: Final = 29 * 86_400_000  # how much of open interest Binance keeps, and answers for


def subscribe(streams: Sequence[str]) -> bytes:
    """Return the message that asks for streams; one message for all stays below 10 a second."""
    return msgspec.json.encode({"method": "SUBSCRIBE", "params": list(streams), "id": 1})


def _no_refusal(heard: wire_words.Reply) -> None:
    if heard.error:
        raise Resync(f"Binance refused the streams: {heard.error}")


async def _keep(
    session: aiohttp.ClientSession,
    name: str,
    url: str,
    streams: Sequence[str],
    out: Outlet,
    message: Callable[[bytes], None],
    *,
    silence_s: float,
    began: Callable[[], None] = lambda: None,
    closed: Callable[[], None] = lambda: None,
) -> None:
    async def address() -> str:
        return url

    async def opened(wire: Wire) -> None:
        began()
        await wire.send(subscribe(streams))

    await keep_socket(
        session, name, address, out,
        opened=opened, message=message, closed=closed, silence_s=silence_s,
    )  # fmt: skip


@dataclass
class BookSource:
    """The book of a contract, kept in step with Binance; what changes at once is told once."""

    symbol: str
    tick_usdt: float
    hosts: Hosts = PRODUCTION
    name: str = "binance.depth"

    async def run(self, out: Outlet) -> None:
        """Put books until cancelled."""
        sync = BookSync(LocalBook(self.tick_usdt))
        fetching: list[asyncio.Task[None]] = []

        def tell(event_ms: int) -> None:
            book = sync.book.event(event_ms * NS_PER_MS, out.now_ns())
            if book is not None:
                out.put(book)

        newest = Newest(tell)

        def fetch() -> None:
            if not fetching or fetching[0].done():
                fetching[:] = [asyncio.create_task(self._fetch(rest, sync, out, tell))]

        def message(payload: bytes) -> None:
            heard = wire_words.read_stream(payload)
            if isinstance(heard, wire_words.Reply):
                _no_refusal(heard)
                return
            if not isinstance(heard, wire_words.DepthUpdate) or heard.s != self.symbol:
                return
            step = sync.update(heard)
            if step is Step.APPLIED:
                newest.put(heard.T)
            elif step is not Step.DROPPED:
                if step is Step.LOST:
                    out.health(self.name, "stale", "updates were lost: the book is read anew")
                fetch()

        def stop() -> None:
            for task in fetching:
                task.cancel()
            newest.drop()
            sync.restart()

        async with aiohttp.ClientSession() as session:
            rest = Rest(session, self.hosts)
            try:
                await _keep(
                    session, self.name, f"{self.hosts.stream}/public/ws",
                    [f"{self.symbol.lower()}@depth@100ms"], out, message,
                    silence_s=BOOK_SILENCE_S, began=sync.restart, closed=stop,
                )  # fmt: skip
            finally:
                stop()
                await asyncio.gather(*fetching, return_exceptions=True)

    async def _fetch(
        self, rest: Rest, sync: BookSync, out: Outlet, tell: Callable[[int], None]
    ) -> None:
        """Ask for snapshots until one fits; a snapshot costs 20 of 2400 a minute."""
        params: dict[str, str | int] = {"symbol": self.symbol, "limit": SNAPSHOT_LEVELS}
        pause = Pause(first_s=0.25, longest_s=10.0)
        while True:
            try:
                body = await rest.get("/fapi/v1/depth", params, "the book")
                taken = rest_words.snapshot(body)
                if sync.snapshot(taken) is Step.APPLIED:
                    out.health(self.name, "ok")
                    tell(taken.T)
                    return
            except BadMessage as error:
                out.bad(self.name, error, b"")
            except VenueError as error:
                out.health(self.name, "stale", str(error))
            await asyncio.sleep(pause.after(0.0))


@dataclass
class MarketSource:
    """Trades, mark, index, predicted funding, settlements, and forced orders of a contract."""

    symbol: str
    settled: wire_words.FundingClock
    hosts: Hosts = PRODUCTION
    interval_h: float = wire_words.FUNDING_HOURS
    name: str = "binance.market"
    trades_silence_s: float = TRADES_SILENCE_S

    async def run(self, out: Outlet) -> None:
        """Put events until cancelled. A stream that is silent among others is asked for anew."""
        watch = wire_words.StreamWatch({"trades": self.trades_silence_s, "mark": MARK_SILENCE_S})
        clock = asyncio.get_running_loop().time

        def message(payload: bytes) -> None:
            heard = wire_words.read_stream(payload)
            known_ns, now_s = out.now_ns(), clock()
            match heard:
                case wire_words.AggTrade() if heard.s == self.symbol:
                    watch.heard("trades", now_s)
                    out.put(wire_words.trade(heard, known_ns))
                case wire_words.MarkPrice() if heard.s == self.symbol:
                    watch.heard("mark", now_s)
                    for event in wire_words.mark_events(heard, known_ns, self.interval_h):
                        out.put(event)
                    settled = self.settled.heard(heard, known_ns)
                    if settled is not None:
                        out.put(settled)
                case wire_words.ForceOrder():
                    forced = wire_words.liquidation(heard, self.symbol, known_ns)
                    if forced is not None:
                        out.put(forced)
                case wire_words.Reply():
                    _no_refusal(heard)
                case _:
                    pass
            silent = watch.silent(now_s)
            if silent:
                raise Resync(f"no {' and no '.join(silent)} while others spoke")

        low = self.symbol.lower()
        async with aiohttp.ClientSession() as session:
            await _keep(
                session, self.name, f"{self.hosts.stream}/market/ws",
                [f"{low}@aggTrade", f"{low}@markPrice@1s", f"{low}@forceOrder"], out, message,
                silence_s=MARK_SILENCE_S, began=lambda: watch.start(clock()),
            )  # fmt: skip


@dataclass
class BtcSource:
    """Bars of Bitcoin of one length or several, folded from its trades by their own time."""

    intervals_ns: tuple[int, ...]
    symbol: str = "BTCUSDT"
    hosts: Hosts = PRODUCTION
    name: str = "binance.btc"

    async def run(self, out: Outlet) -> None:
        """Put bars until cancelled."""
        folds = [BarFold("BTC", interval_ns) for interval_ns in self.intervals_ns]
        step_ns = min(self.intervals_ns)

        def message(payload: bytes) -> None:
            heard = wire_words.read_stream(payload)
            if isinstance(heard, wire_words.Reply):
                _no_refusal(heard)
            elif isinstance(heard, wire_words.AggTrade) and heard.s == self.symbol:
                known_ns = out.now_ns()
                for fold in folds:
                    done = fold.trade(heard.T * NS_PER_MS, heard.p, heard.q, not heard.m, known_ns)
                    if done is not None:
                        out.put(done)

        async def flush() -> None:
            while True:
                now_ns = out.now_ns()
                wait_ns = step_ns - (now_ns - GRACE_NS) % step_ns
                await asyncio.sleep(wait_ns / NS_PER_SECOND)
                now_ns = out.now_ns()
                for fold in folds:
                    done = fold.until(now_ns - GRACE_NS, now_ns)
                    if done is not None:
                        out.put(done)

        flushing = asyncio.create_task(flush())
        try:
            async with aiohttp.ClientSession() as session:
                await _keep(
                    session, self.name, f"{self.hosts.stream}/market/ws",
                    [f"{self.symbol.lower()}@aggTrade"], out, message, silence_s=BTC_SILENCE_S,
                )  # fmt: skip
        finally:
            flushing.cancel()
            await asyncio.gather(flushing, return_exceptions=True)


@dataclass
class PollSource:
    """What Binance tells only when asked."""

    name: str
    every_s: float
    asked: Callable[[Rest, Outlet], Awaitable[Sequence[ev.MarketEvent]]]
    hosts: Hosts = PRODUCTION

    async def run(self, out: Outlet) -> None:
        """Ask and put until cancelled; what could not be had is asked for again in time."""
        out.health(self.name, "starting")
        async with aiohttp.ClientSession() as session:
            rest = Rest(session, self.hosts)
            while True:
                try:
                    for event in await self.asked(rest, out):
                        out.put(event)
                    out.health(self.name, "ok")
                except BadMessage as error:
                    out.bad(self.name, error, b"")
                except VenueError as error:
                    out.health(self.name, "down", str(error))
                await asyncio.sleep(self.every_s)


def sources(
    symbol: str,
    tick_usdt: float,
    btc_intervals_ns: int | tuple[int, ...],
    hosts: Hosts = PRODUCTION,
    *,
    interval_h: float = wire_words.FUNDING_HOURS,
    has_btc: bool = True,
) -> list[Source]:
    """Return everything that Binance tells about the market of a contract, and of Bitcoin.

    Parameters
    ----------
    btc_intervals_ns
        Length of Bitcoin's bars; the engine hears one, a recording may keep several.
    """
    if isinstance(btc_intervals_ns, int):
        btc_intervals_ns = (btc_intervals_ns,)
    settled = wire_words.FundingClock()
    one: dict[str, str | int] = {"symbol": symbol}
    since_ns: list[int] = []

    async def open_interest(rest: Rest, out: Outlet) -> list[ev.MarketEvent]:
        body = await rest.get("/fapi/v1/openInterest", one, "open interest")
        return [rest_words.open_interest(body, symbol, out.now_ns())]

    async def ratio(rest: Rest, out: Outlet) -> list[ev.MarketEvent]:
        params = {**one, "period": "5m", "limit": 1}
        body = await rest.get("/futures/data/globalLongShortAccountRatio", params, "the ratio")
        return [rest_words.long_short_ratio(body, symbol, out.now_ns())]

    async def funding(rest: Rest, out: Outlet) -> list[ev.MarketEvent]:
        now_ns = out.now_ns()
        if not since_ns:
            since_ns.append(now_ns)  # what was settled before is history
        body = await rest.get("/fapi/v1/fundingRate", {**one, "limit": 3}, "funding")
        rows = rest_words.funding(body, symbol, out.now_ns())
        new = (settled.asked(row) for row in rows if row.event_ns > since_ns[0])
        return [event for event in new if event is not None]

    return [
        BookSource(symbol, tick_usdt, hosts),
        MarketSource(symbol, settled, hosts, interval_h),
        *([BtcSource(btc_intervals_ns, hosts=hosts)] if has_btc else []),
        PollSource("binance.open_interest", 10.0, open_interest, hosts),
        PollSource("binance.long_short", 300.0, ratio, hosts),
        PollSource("binance.funding", 300.0, funding, hosts),
    ]


async def history(
    minutes: int, symbol: str = "LTCUSDT", btc: str = "BTCUSDT", hosts: Hosts = PRODUCTION
) -> list[ev.MarketEvent]:
    """Return the last minutes as events in the order in which they became known.

    Bars of a minute of both coins, funding, and open interest each five minutes (Binance keeps a
    month of it): what warms up features before the first live event.

    Raises
    ------
    VenueError
        When Binance does not answer, or not readably.
    """
    made: list[ev.MarketEvent] = []
    async with aiohttp.ClientSession() as session:
        rest = Rest(session, hosts, patience_s=PAST_PATIENCE_S)
        try:
            body = await rest.get("/fapi/v1/time", {}, "the time")
            until_ms = rest_words.server_time_ms(body)
            since_ms = until_ms - minutes * 60_000

            async def pages(path: str, length_ms: int, most: int, extra: dict[str, str]) -> None:
                at_ms = since_ms if "Hist" not in path else max(since_ms, until_ms - KEPT_MS)
                while at_ms < until_ms:
                    end_ms = min(until_ms, at_ms + most * length_ms) - 1
                    params: dict[str, str | int] = {
                        **extra, "startTime": at_ms, "endTime": end_ms, "limit": most,
                    }  # fmt: skip
                    answer = await rest.get(path, params, "the past")
                    made.extend(_past(path, answer, extra["symbol"], symbol, until_ms))
                    at_ms = end_ms + 1

            await pages("/fapi/v1/klines", 60_000, 1500, {"symbol": symbol, "interval": "1m"})
            with contextlib.suppress(VenueRefused, WrongSetup):  # the other coin is no must
                await pages("/fapi/v1/klines", 60_000, 1500, {"symbol": btc, "interval": "1m"})
            await pages("/fapi/v1/fundingRate", 3_600_000, 1000, {"symbol": symbol})
            await pages(
                "/futures/data/openInterestHist", 300_000, 500, {"symbol": symbol, "period": "5m"}
            )
        except BadMessage as error:
            raise VenueDown(f"Binance's past cannot be read ({error.what})", "try again") from None
    since_ns, until_ns = since_ms * NS_PER_MS, until_ms * NS_PER_MS
    inside = [e for e in made if since_ns < e.known_ns <= until_ns]
    return sorted(inside, key=lambda event: event.known_ns)


def _past(
    path: str, body: bytes, name: str, symbol: str, until_ms: int
) -> Sequence[ev.MarketEvent]:
    if path.endswith("klines"):
        return rest_words.bars(body, "LTC" if name == symbol else "BTC", until_ms)
    if path.endswith("fundingRate"):
        return rest_words.funding(body, symbol)
    return rest_words.past_open_interest(body, symbol)

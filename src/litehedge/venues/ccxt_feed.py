"""Market sources through ccxt.pro: book, trades, mark and predicted funding of any of its venues.

ccxt keeps the connections; this keeps watch over ccxt. Books that stand still while it says that it
is connected are a known trouble: where nothing changes for a while, everything is closed and opened
anew. Exceptions are counted and told, none ends a source.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Final, Literal

from litehedge.errors import BadMessage, VenueError, WrongSetup
from litehedge.market.events import FUNDING_VENUES, FundingVenue, Mark, PredictedFunding
from litehedge.net import Pause
from litehedge.ports import Outlet
from litehedge.units import NS_PER_SECOND
from litehedge.venues import ccxt_read
from litehedge.venues.ccxt_errors import translated
from litehedge.venues.ccxt_facts import venue_named
from litehedge.venues.ccxt_make import TIMEOUT_MS, make_exchange

Kind = Literal["book", "trades", "mark", "funding"]
FROZEN_S: Final[dict[Kind, float]] = {"book": 15.0, "trades": 300.0, "mark": 30.0, "funding": 300.0}
OLD_TRADE_NS: Final = 10 * NS_PER_SECOND
POLL_S: Final = 15.0
REMEMBERED: Final = 2000
_MARKS: Final = ("markPrice", "markPx", "mark_price", "value")


class CcxtSource:
    """A `Source` of one kind of event of one venue.

    Parameters
    ----------
    venue
        One of `ccxt_facts.VENUES`.
    own
        Whether it is the venue where we trade: then its funding is `own`.
    frozen_s
        After so long without a change everything is opened anew.
    rewrite
        Turns ccxt's tree of addresses into another, for a fake venue.
    """

    def __init__(
        self,
        venue: str,
        kind: Kind,
        *,
        own: bool = False,
        frozen_s: float | None = None,
        rewrite: Callable[[Any], Any] | None = None,
        poll_s: float = POLL_S,
    ) -> None:
        self._venue, self._kind, self._own = venue_named(venue), kind, own
        self._frozen_s = FROZEN_S[kind] if frozen_s is None else frozen_s
        self._rewrite, self._poll_s = rewrite, poll_s
        self._contract_ltc = 1.0
        self._seen: deque[str] = deque(maxlen=REMEMBERED)
        self.failures = 0

    @property
    def name(self) -> str:
        """Name of the source."""
        return f"{self._venue.name}.{self._kind}"

    async def run(self, out: Outlet) -> None:
        """Put events until cancelled."""
        pause = Pause()
        clock = asyncio.get_running_loop().time
        out.health(self.name, "starting")
        while True:
            began, state, why = clock(), "down", ""
            exchange = make_exchange(self._venue, None, self._rewrite, TIMEOUT_MS)
            try:
                with translated(self._venue.name, f"{self._kind} is not heard"):
                    await exchange.load_markets()
                    market = exchange.market(self._venue.symbol)
                    self._contract_ltc = float(market.get("contractSize") or 1)
                    why = await self._watch(exchange, out)
                    state = "stale"
            except WrongSetup as error:
                state, why = "off", str(error)
            except (VenueError, BadMessage) as error:
                why = str(error)
            finally:
                await self._close(exchange)
            self.failures += 1
            out.health(self.name, "stale" if state == "stale" else _state(state), why)
            await asyncio.sleep(pause.after(clock() - began))

    async def _close(self, exchange: Any) -> None:
        try:
            with translated(self._venue.name, "was not closed"):
                await exchange.close()
        except VenueError:
            return  # it is thrown away

    async def _watch(self, exchange: Any, out: Outlet) -> str:
        """Put what comes until nothing changes any more; return why it ended."""
        clock = asyncio.get_running_loop().time
        last, changed = None, clock()
        is_told = False
        while True:
            left = self._frozen_s - (clock() - changed)
            if left <= 0:
                return f"nothing changed for {self._frozen_s:g} s"
            try:
                async with asyncio.timeout(left):
                    told = await self._next(exchange)
            except TimeoutError:
                continue
            try:
                now = self._put(told, out)
            except BadMessage as error:
                out.bad(self.name, error, repr(told)[:2000].encode())
                continue
            if now != last:
                last, changed = now, clock()
                if not is_told:
                    is_told = True
                    out.health(self.name, "ok")

    async def _next(self, exchange: Any) -> Any:
        symbol = self._venue.symbol
        if self._kind == "book":
            return await exchange.watch_order_book(symbol)
        if self._kind == "trades":
            return await exchange.watch_trades(symbol)
        if self._kind == "mark":
            if exchange.has.get("watchMarkPrice"):
                return await exchange.watch_mark_price(symbol)
            return await exchange.watch_ticker(symbol)
        if exchange.has.get("watchFundingRate"):
            return await exchange.watch_funding_rate(symbol)
        told = await exchange.fetch_funding_rate(symbol)
        await asyncio.sleep(self._poll_s)
        return told

    def _put(self, told: Any, out: Outlet) -> object:
        """Put events; return what must change from time to time, else the source is frozen."""
        now_ns = out.now_ns()
        if self._kind == "book":
            event = ccxt_read.book(told, now_ns, self._contract_ltc)
            out.put(event)
            return event.bid, event.ask, event.bid_depth_usdt, event.ask_depth_usdt
        if self._kind == "trades":
            return self._put_trades(told, now_ns, out)
        if self._kind == "mark":
            info = told.get("info")
            price = _first(told, _MARKS[:1]) or _first(info, _MARKS)
            mark = float(ccxt_read.exact(price, "a mark"))
            if mark <= 0.0:
                raise BadMessage(f"a mark of {mark}", "it is skipped")
            event_ns = min(ccxt_read.ns_of(told.get("timestamp")) or now_ns, now_ns)
            out.put(Mark(event_ns, now_ns, mark))
            return mark
        rate = float(ccxt_read.exact(told.get("fundingRate"), "a funding rate"))
        hours = _hours(told.get("interval")) or self._venue.funding_interval_h
        source = self._funding_of()
        if source is not None:
            out.put(PredictedFunding(now_ns, now_ns, source, rate * 8.0 / hours))
        return now_ns  # a rate may stand still for hours: an answer is life enough

    def _funding_of(self) -> FundingVenue | None:
        if self._own:
            return "own"
        return next((venue for venue in FUNDING_VENUES if venue == self._venue.name), None)

    def _put_trades(self, told: Any, now_ns: int, out: Outlet) -> object:
        """Put trades that are new: on opening, venues tell old ones, which moved nothing now."""
        for one in told:
            event = ccxt_read.trade(one, now_ns, self._contract_ltc)
            key = str(one.get("id") or "")
            if now_ns - event.event_ns > OLD_TRADE_NS or (key and key in self._seen):
                continue
            self._seen.append(key)
            out.put(event)
        return now_ns


def _first(told: object, names: tuple[str, ...]) -> Any:
    if not isinstance(told, Mapping):
        return None
    return next((told[name] for name in names if told.get(name)), None)


def _hours(interval: object) -> float | None:
    if isinstance(interval, str) and interval[:-1].isdigit() and interval.endswith("h"):
        return float(interval[:-1]) or None
    return None


def _state(state: str) -> Literal["off", "down"]:
    return "off" if state == "off" else "down"

"""What can be listened to, by name: venues, and groups of feeds beside them.

A group's factory is imported when it is asked for, so that one that is not set up costs the others
nothing. What is missing (a library, a key, a file) makes a source that is `off` and says why; it
never ends a session.

One session hears one venue's prices, `feeds.venue`: events do not say whose they are. Where two
could tell the same, `session_sources` decides whom the engine hears.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import Final, get_args

import aiohttp

from litehedge.config import FeedGroup, Settings, VenueName
from litehedge.errors import BadMessage, LitehedgeError, UsageError
from litehedge.live.places import PRODUCTION, Places
from litehedge.market import events as ev
from litehedge.ports import Health, Outlet, Source
from litehedge.units import NS_PER_SECOND

VENUES: Final[tuple[str, ...]] = get_args(VenueName)
GROUPS: Final[tuple[str, ...]] = get_args(FeedGroup)
OWN_OPEN_INTEREST: Final = frozenset({"binance", "bybit"})
"""Venues that tell open interest of their own."""


@dataclass
class Context:
    """What factories need, and what sources share.

    Parameters
    ----------
    session
        For what is polled; the caller closes it after the sources were cancelled.
    own
        The venue whose prices an engine hears (`venue_heard`); empty where nothing but a recording
        listens.
    venues
        Every venue that is listened to.
    btc_intervals_ns
        Lengths of Bitcoin's bars, where a venue does not decide.
    """

    session: aiohttp.ClientSession
    settings: Settings = field(default_factory=Settings)
    environ: Mapping[str, str] = field(default_factory=dict)
    places: Places = PRODUCTION
    own: str = ""
    venues: tuple[str, ...] = ()
    btc_intervals_ns: tuple[int, ...] = (5 * NS_PER_SECOND,)
    symbol: str = ""
    _price_usdt: float = math.nan

    def __post_init__(self) -> None:
        self.symbol = self.symbol or self.settings.venue.symbol
        if self.own and not self.venues:
            self.venues = (self.own,)

    def price_usdt(self) -> float:
        """Return the last price of LTC that was heard, NaN before the first."""
        return self._price_usdt

    def overhear(self, event: ev.AnyEvent) -> None:
        """Take note of a price."""
        if isinstance(event, ev.Trade | ev.Mark):
            self._price_usdt = event.price


Factory = Callable[[Context], Sequence[Source]]
"""Returns the sources of a venue or group."""

_PLACES: Final[dict[str, str]] = {
    "binance": "litehedge.live.groups:binance",
    "bybit": "litehedge.live.groups:bybit",
    **{name: f"litehedge.live.groups:{name}" for name in GROUPS},
}
"""Name -> where its factory is; venues that are not named go through ccxt."""
_CCXT: Final = "litehedge.live.groups:through_ccxt"

_REGISTERED: Final[dict[str, Factory]] = {}


def register(name: str, factory: Factory) -> None:
    """Make sources known under a name, or replace those that are."""
    _REGISTERED[name] = factory


def venue_heard(settings: Settings) -> str:
    """Return the venue whose prices are heard: the one that is traded on, unless set."""
    return settings.feeds.venue or settings.venue.name


def venues() -> list[str]:
    """Return the venues that can be asked for."""
    return sorted({*VENUES, *_REGISTERED} - set(GROUPS))


def names() -> list[str]:
    """Return everything that can be asked for."""
    return sorted({*VENUES, *GROUPS, *_REGISTERED})


def sources_for(name: str, context: Context) -> list[Source]:
    """Return the sources of a venue or group.

    Raises
    ------
    UsageError
        When there is none of that name, or a venue's cannot be loaded. Without a group everything
        else goes on: it is `off`, and says why.
    """
    if name not in names():
        raise UsageError(f"there is no venue {name}", f"choose from: {', '.join(names())}")
    try:
        found = _factory(name)(context)
    except (ImportError, AttributeError, LitehedgeError) as error:
        if name in GROUPS:
            return [Off(name, str(error))]
        raise UsageError(
            f"the sources of {name} cannot be loaded ({error})",
            "install litehedge with what they need, or leave them out",
        ) from None
    return [_Overheard(one, context) if _tells_prices(one) else one for one in found]


def _factory(name: str) -> Factory:
    if name in _REGISTERED:
        return _REGISTERED[name]
    module, function = _PLACES.get(name, _CCXT).split(":")
    if name not in _PLACES:
        made: Callable[[str, Context], Sequence[Source]] = getattr(import_module(module), function)
        return lambda context: made(name, context)
    factory: Factory = getattr(import_module(module), function)
    return factory


def session_sources(context: Context) -> list[Source]:
    """Return everything that an engine hears: the venue's own prices, and `feeds.extra`.

    Each source once. A venue without Bitcoin of its own gets Binance's, which leads Litecoin.

    Raises
    ------
    UsageError
        When the venue is not known, or its sources cannot be loaded.
    """
    found = sources_for(context.own, context)
    if context.own in VENUES and context.own not in OWN_OPEN_INTEREST:
        found += sources_for_bitcoin(context)
    for name in context.settings.feeds.extra:
        found += sources_for(name, context)
    return unique(found)


def sources_for_bitcoin(context: Context) -> list[Source]:
    """Return Binance's bars of Bitcoin alone."""
    from litehedge.venues.binance_feed import BtcSource

    return [BtcSource(context.btc_intervals_ns, hosts=context.places.binance)]


def unique(found: Sequence[Source]) -> list[Source]:
    """Return the sources, of those with the same name the first."""
    return list({one.name: one for one in reversed(found)}.values())[::-1]


History = Callable[[int], Awaitable[list[ev.MarketEvent]]]
"""Given minutes, returns what happened in them, in the order in which it became known."""


def history_for(
    venue: str, places: Places = PRODUCTION, symbol: str = "LTCUSDT", tick_usdt: float = 0.01
) -> History:
    """Return what asks a venue for its past. It raises `VenueError` when there is no answer.

    Raises
    ------
    UsageError
        When there is no such venue.
    """
    if venue not in VENUES:
        raise UsageError(f"there is no venue {venue}", f"choose from: {', '.join(VENUES)}")

    async def past(minutes: int) -> list[ev.MarketEvent]:
        if venue == "binance":
            from litehedge.venues import binance

            return await binance.history(minutes, symbol, hosts=places.binance)
        if venue == "bybit":
            from litehedge.venues.bybit_market import BybitMarket

            market = BybitMarket(places.bybit, symbol, tick_usdt=tick_usdt)
            return await market.history(minutes)
        from litehedge.venues import ccxt_history

        return await ccxt_history.history(venue, minutes, places.ccxt)

    return past


# --- sources around sources -----------------------------------------------------------------------


class Off:
    """A source that is not set up: it says so, and nothing else."""

    def __init__(self, name: str, why: str) -> None:
        self._name = name
        self._why = why

    @property
    def name(self) -> str:
        """The source's name."""
        return self._name

    async def run(self, out: Outlet) -> None:
        """Wait to be cancelled."""
        out.health(self._name, "off", self._why)
        await asyncio.Event().wait()


def _tells_prices(source: Source) -> bool:
    return source.name.partition(".")[2] in ("market", "trades", "tickers", "mark")


class _Overheard:
    """A source whose prices others need to know: what whales move is told in USDT."""

    def __init__(self, source: Source, context: Context) -> None:
        self._source = source
        self._context = context

    @property
    def name(self) -> str:
        return self._source.name

    async def run(self, out: Outlet) -> None:
        await self._source.run(_Ear(out, self._context))


class _Ear:
    def __init__(self, out: Outlet, context: Context) -> None:
        self._out = out
        self._overhear = context.overhear
        self.now_ns = out.now_ns
        self.bad: Callable[[str, BadMessage, bytes], None] = out.bad

    def put(self, event: ev.AnyEvent) -> None:
        self._overhear(event)
        self._out.put(event)

    def health(self, source: str, state: Health, detail: str = "") -> None:
        self._out.health(source, state, detail)

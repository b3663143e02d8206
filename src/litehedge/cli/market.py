"""Which market and which account a command speaks with: names, test networks, other servers."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import aiohttp

from litehedge.config import Settings
from litehedge.errors import UsageError
from litehedge.live.clients import client_for
from litehedge.live.places import PRODUCTION, TESTNET, Places
from litehedge.live.running import ATOM_NS
from litehedge.live.sockets import SocketThread
from litehedge.live.sources import VENUES, Context, history_for, session_sources
from litehedge.market import events as ev
from litehedge.ports import Source, VenueClient
from litehedge.units import NS_PER_MINUTE
from litehedge.venues import binance, bybit
from litehedge.venues.keys import Keys


def check_market(venue: str) -> None:
    """Refuse a venue that there is not.

    Raises
    ------
    UsageError
        With those that there are.
    """
    if venue not in VENUES:
        raise UsageError(f"there is no venue {venue!r}", f"choose one of {', '.join(VENUES)}")


def places_of(host: str, *, testnet: bool = False) -> Places:
    """Return where venues are: the real ones, their test networks, or a server that speaks so."""
    if not host:
        return TESTNET if testnet else PRODUCTION
    streams = host.replace("http", "ws", 1)
    five = f"{streams}/v5"
    return Places(
        binance=binance.Hosts(host, host, streams, f"{streams}/ws-fapi/v1"),
        bybit=bybit.Hosts(host, f"{five}/public/linear", f"{five}/private", f"{five}/trade"),
    )


@dataclass(frozen=True, slots=True)
class Market:
    """A venue's market: what it tells now, what it told in the last minutes, and since then."""

    sources: Sequence[Source]
    past: Sequence[ev.MarketEvent]
    since: Callable[[int], Sequence[ev.MarketEvent]]


@contextmanager
def listening(
    thread: SocketThread,
    venue: str,
    settings: Settings,
    places: Places,
    minutes: int,
    now_ns: Callable[[], int] = time.time_ns,
) -> Iterator[Market]:
    """Fetch the past of a venue and give the sources of the session; both end with the block.

    Another server than the venue's knows nothing of the chain, of mood and of other venues: then
    `feeds.extra` is left out.

    Raises
    ------
    VenueError
        When the venue does not answer.
    """
    if places not in (PRODUCTION, TESTNET):
        feeds = settings.feeds.model_copy(update={"extra": ()})
        settings = settings.model_copy(update={"feeds": feeds})
    own = settings.feeds.venue or venue
    tick = settings.venue.tick_usdt

    async def past(last: int) -> Sequence[ev.MarketEvent]:
        return await history_for(own, places, settings.venue.symbol, tick)(last)

    def since(known_ns: int) -> Sequence[ev.MarketEvent]:
        last = (now_ns() - known_ns) // NS_PER_MINUTE + 2
        return [event for event in thread.call(past(max(2, last))) if event.known_ns > known_ns]

    async def session() -> aiohttp.ClientSession:
        return aiohttp.ClientSession()

    told = thread.call(past(minutes))
    shared = thread.call(session())
    try:
        context = Context(
            shared, settings, os.environ, places, own=own, btc_intervals_ns=(ATOM_NS,)
        )
        yield Market(session_sources(context), told, since)
    finally:
        thread.call(_close(thread, shared))


async def _close(thread: SocketThread, session: aiohttp.ClientSession) -> None:
    await thread.cancel()
    await session.close()
    await asyncio.sleep(0)


def client_of(
    keys: Keys, settings: Settings, places: Places, *, testnet: bool = False
) -> VenueClient:
    """Return the client of an account on a venue that `check_market` took."""
    position = settings.position
    return client_for(
        keys.venue, keys, symbol=settings.venue.symbol, testnet=testnet, places=places,
        isolated=position.margin_mode == "isolated", leverage=max(1, round(position.leverage)),
        hedge_mode=settings.hedge.location == "same_account",
    )  # fmt: skip

"""Which market and which account a command speaks with: names, test networks, other servers."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator, Sequence
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
    """A venue's market: what it tells now, and what it told in the last minutes."""

    sources: Sequence[Source]
    past: Sequence[ev.MarketEvent]


@contextmanager
def listening(
    thread: SocketThread, venue: str, settings: Settings, places: Places, minutes: int
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

    async def past() -> Sequence[ev.MarketEvent]:
        return await history_for(own, places, settings.venue.symbol, tick)(minutes)

    async def session() -> aiohttp.ClientSession:
        return aiohttp.ClientSession()

    told = thread.call(past())
    shared = thread.call(session())
    try:
        context = Context(
            shared, settings, os.environ, places, own=own, btc_intervals_ns=(ATOM_NS,)
        )
        yield Market(session_sources(context), told)
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

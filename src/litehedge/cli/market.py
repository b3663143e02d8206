"""Which market a command listens to: its sources and its past."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

from litehedge.config import Settings
from litehedge.errors import UsageError
from litehedge.live.running import ATOM_NS
from litehedge.market import events as ev
from litehedge.ports import Source, VenueClient
from litehedge.venues import binance, bybit
from litehedge.venues.keys import Keys

MARKETS = ("binance", "bybit")


@dataclass(frozen=True, slots=True)
class Market:
    """A venue's market: what it tells now, and what it told in the last minutes."""

    sources: Callable[[], Sequence[Source]]
    history: Callable[[int], Coroutine[Any, Any, Sequence[ev.MarketEvent]]]


def check_market(venue: str) -> None:
    """Refuse a venue whose market cannot be listened to.

    Raises
    ------
    UsageError
        With those that can.
    """
    if venue not in MARKETS:
        raise UsageError(f"there is no market of {venue!r}", f"choose one of {', '.join(MARKETS)}")


def binance_hosts(host: str, *, testnet: bool = False) -> binance.Hosts:
    """Return where Binance is: the real one, its testnet, or a server that speaks like it."""
    if host:
        streams = host.replace("http", "ws", 1)
        return binance.Hosts(host, host, streams, f"{streams}/ws-fapi/v1")
    return binance.TESTNET if testnet else binance.PRODUCTION


def bybit_hosts(host: str, *, testnet: bool = False) -> bybit.Hosts:
    """Return where Bybit is: the real one, its testnet, or a server that speaks like it."""
    if host:
        streams = host.replace("http", "ws", 1) + "/v5/"
        return bybit.Hosts(host, f"{streams}public/linear", f"{streams}private", f"{streams}trade")
    return bybit.TESTNET if testnet else bybit.PRODUCTION


def market_of(venue: str, settings: Settings, host: str = "", *, testnet: bool = False) -> Market:
    """Return the market of a venue that `check_market` took."""
    symbol, tick = settings.venue.symbol, settings.venue.tick_usdt
    if venue == "binance":
        hosts = binance_hosts(host, testnet=testnet)
        return Market(
            lambda: binance.sources(symbol, tick, ATOM_NS, hosts),
            lambda minutes: binance.history(minutes, symbol, hosts=hosts),
        )
    market = bybit.BybitMarket(bybit_hosts(host, testnet=testnet), symbol, tick_usdt=tick)
    return Market(market.sources, market.history)


def client_of(
    keys: Keys, settings: Settings, host: str = "", *, testnet: bool = False
) -> VenueClient:
    """Return the client of an account on a venue that `check_market` took."""
    symbol = settings.venue.symbol
    if keys.venue == "binance":
        return binance.BinanceClient(keys, symbol, binance_hosts(host, testnet=testnet))
    return bybit.BybitClient(keys, bybit_hosts(host, testnet=testnet), symbol)

"""Where all is that is asked over the network; other places serve tests and mirrors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from litehedge.feeds import across_wire, onchain_space, sentiment
from litehedge.venues import binance_link, bybit_rest, liquidations_live


@dataclass(frozen=True, slots=True)
class Places:
    """Addresses; by default the real ones.

    Parameters
    ----------
    ccxt
        Turns ccxt's tree of addresses into another.
    """

    binance: binance_link.Hosts = binance_link.PRODUCTION
    bybit: bybit_rest.Hosts = bybit_rest.PRODUCTION
    ccxt: Callable[[Any], Any] | None = None
    across: Mapping[across_wire.AcrossVenue, str] = field(
        default_factory=lambda: across_wire.HOSTS, repr=False
    )
    okx_socket: str = liquidations_live.OKX_PUBLIC
    kraken_socket: str = liquidations_live.KRAKEN_FUTURES
    litecoinspace: str = onchain_space.API_URL
    litecoinspace_socket: str = onchain_space.PUSH_URL
    fear_greed: str = sentiment.FEAR_GREED_URL
    gdelt: str = sentiment.GDELT_URL
    lunarcrush: str = sentiment.LUNARCRUSH_URL
    cryptopanic: str = sentiment.CRYPTOPANIC_URL


PRODUCTION: Final = Places()
TESTNET: Final = Places(binance=binance_link.TESTNET, bybit=bybit_rest.TESTNET)
"""Accounts without real money. Feeds of other venues, of the chain and of mood stay real."""

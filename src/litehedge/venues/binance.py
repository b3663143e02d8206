"""Binance USD-M: the market as sources, the past, and our account. What the rest of us uses.

The parts: `binance_wire`, `binance_rest`, `binance_account`, `binance_user_wire`, `binance_user`,
`binance_errors` and `binance_book` are pure; `binance_link`, `binance_feed`, `binance_listen`,
`binance_stops` and `binance_client` speak over sockets.
"""

from __future__ import annotations

from litehedge.venues.binance_client import BinanceClient
from litehedge.venues.binance_feed import history, sources
from litehedge.venues.binance_link import PRODUCTION, TESTNET, Hosts

__all__ = ["PRODUCTION", "TESTNET", "BinanceClient", "Hosts", "history", "sources"]

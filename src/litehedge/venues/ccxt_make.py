"""ccxt's object for a venue, with its own habits switched off."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from litehedge.venues.ccxt_errors import translated
from litehedge.venues.ccxt_facts import CcxtVenue
from litehedge.venues.keys import Keys

TIMEOUT_MS: Final = 10_000


def make_exchange(
    venue: CcxtVenue,
    keys: Keys | None,
    rewrite: Callable[[Any], Any] | None,
    timeout_ms: int,
    *,
    testnet: bool = False,
) -> Any:
    """Return ccxt's object for a venue with its own habits switched off. Imports ccxt: slow.

    Raises
    ------
    WrongSetup
        When a testnet is wanted of a venue that has none.
    """
    import ccxt.pro

    settings = {
        "enableRateLimit": False,
        "timeout": timeout_ms,
        "options": {**venue.options, "maxRetriesOnFailure": 0},
        **(credentials(venue, keys) if keys is not None else {}),
    }
    exchange = getattr(ccxt.pro, venue.ccxt_id)(settings)
    exchange.has["fetchCurrencies"] = False  # asks with keys for what is not needed
    if testnet:
        with translated(venue.name, "there is no testnet"):
            exchange.set_sandbox_mode(True)
    if rewrite is not None:
        exchange.urls["api"] = rewrite(exchange.urls["api"])
        exchange.urls["hostname"] = exchange.hostname
    if venue.ccxt_id == "hyperliquid":
        # Before the first order ccxt would approve a builder's fee and set a referrer.
        exchange.initialize_client = _nothing_to_do
    return exchange


def credentials(venue: CcxtVenue, keys: Keys) -> dict[str, str]:
    """Return keys under the names that ccxt has for them."""
    parts = (keys.key, keys.secret, keys.passphrase)
    return dict(zip(venue.keys, parts, strict=False))


async def _nothing_to_do() -> bool:
    return True

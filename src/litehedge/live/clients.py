"""One account on any of the venues, behind `VenueClient`, below the venue's limits."""

from __future__ import annotations

from litehedge.errors import WrongSetup
from litehedge.live.places import PRODUCTION, TESTNET, Places
from litehedge.ports import VenueClient
from litehedge.venues.keys import Keys
from litehedge.venues.limits import LIMITS

VENUES = tuple(LIMITS)
"""Where orders can go, by the names that keys and settings have for them."""


def client_for(
    venue: str,
    keys: Keys,
    *,
    symbol: str = "LTCUSDT",
    testnet: bool = False,
    places: Places | None = None,
    isolated: bool = False,
    leverage: int = 1,
    hedge_mode: bool = False,
) -> VenueClient:
    """Return the client of an account; nothing is connected before it is opened.

    Binance and Bybit have clients of their own; the others go through ccxt, whose own limiter is
    off: `venues.limits` says what they allow.

    Parameters
    ----------
    symbol
        As Binance and Bybit spell it; ccxt's venues have one Litecoin contract each.
    testnet
        Whether to trade where there is no real money.
    places
        Other addresses, for a fake venue.
    isolated, leverage, hedge_mode
        As `CcxtClient` takes them; the others ask their account.

    Raises
    ------
    WrongSetup
        When there is no such venue, or the keys are another's.
    """
    if venue not in LIMITS:
        raise WrongSetup(f"no venue is called {venue!r}", f"choose one of {', '.join(VENUES)}")
    if keys.venue != venue:
        raise WrongSetup(
            f"these are keys of {keys.venue}, not of {venue}", f"give those of {venue}"
        )
    where = places or (TESTNET if testnet else PRODUCTION)
    if venue == "binance":
        from litehedge.venues.binance import BinanceClient

        return BinanceClient(keys, symbol, where.binance)
    if venue == "bybit":
        from litehedge.venues.bybit import BybitClient

        return BybitClient(keys, where.bybit, symbol)
    from litehedge.venues.ccxt_venue import CcxtClient

    return CcxtClient(
        venue,
        keys,
        limiter=LIMITS[venue].waiter(),
        isolated=isolated,
        leverage=leverage,
        hedge_mode=hedge_mode,
        testnet=testnet,
        rewrite=where.ccxt,
    )

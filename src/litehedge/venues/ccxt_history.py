"""The past of a venue through ccxt: minutes of both coins, funding, and open interest.

Open interest is told by OKX, Gate and KuCoin (ccxt 4.5, `fetch_open_interest_history`), in
contracts; nobody tells what takers bought. Gate and KuCoin count volume in contracts too, the
others in coins (`parse_ohlcv` of each).
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence
from typing import Any, Final, Literal

from litehedge.errors import BadMessage, VenueDown
from litehedge.market import events as ev
from litehedge.units import NS_PER_MINUTE, NS_PER_MS
from litehedge.venues.ccxt_errors import translated
from litehedge.venues.ccxt_facts import venue_named
from litehedge.venues.ccxt_make import TIMEOUT_MS, make_exchange
from litehedge.venues.limiter import Waiter
from litehedge.venues.limits import LIMITS

log = logging.getLogger("litehedge.venues")

MINUTE_MS: Final = 60_000
PAGE: Final = 200
"""Minutes that are asked for at once: what every venue gives."""
INTEREST_MS: Final = 5 * MINUTE_MS
INTEREST_PAGE: Final = 100
IN_CONTRACTS: Final = frozenset({"gate", "kucoin"})


def bars_of(
    rows: Sequence[Any], asset: Literal["LTC", "BTC"], coins: float, start_ms: int, end_ms: int
) -> list[ev.Bar]:
    """Read rows of (open ms, open, high, low, close, volume); outside of the span they are left.

    Parameters
    ----------
    coins
        In a unit of the volume.

    Raises
    ------
    BadMessage
        When a row cannot be read or true.
    """
    found = []
    for row in rows:
        try:
            at_ms, (open_, high, low, close), volume = int(row[0]), map(float, row[1:5]), row[5]
            volume = 0.0 if volume is None else float(volume) * coins
        except (TypeError, ValueError, IndexError, OverflowError) as error:
            raise BadMessage(f"a bar that cannot be read ({error})", "try again") from None
        if not start_ms <= at_ms <= end_ms - MINUTE_MS:
            continue
        is_true = 0.0 < low <= min(open_, close) and max(open_, close) <= high < math.inf
        if not is_true or not 0.0 <= volume < math.inf or at_ms % MINUTE_MS:
            raise BadMessage(f"a bar of {asset} contradicts itself", "try again")
        end_ns = (at_ms + MINUTE_MS) * NS_PER_MS
        found.append(ev.Bar(end_ns, end_ns, asset, NS_PER_MINUTE, open_, high, low, close, volume))
    return found


def funding_of(rows: Sequence[Any], start_ms: int, end_ms: int) -> list[ev.Funding]:
    """Read settlements; those outside of the span are left.

    Raises
    ------
    BadMessage
        When one cannot be read or true.
    """
    found = []
    for row in rows:
        try:
            at_ms, rate = int(row["timestamp"]), float(row["fundingRate"])
        except (TypeError, ValueError, KeyError, OverflowError) as error:
            raise BadMessage(f"a settlement that cannot be read ({error})", "try again") from None
        if not abs(rate) <= 1.0:
            raise BadMessage(f"a funding rate of {rate}", "try again")
        if start_ms < at_ms <= end_ms:
            found.append(ev.Funding(at_ms * NS_PER_MS, at_ms * NS_PER_MS, rate))
    return found


def interest_of(
    rows: Sequence[Any], coins: float, start_ms: int, end_ms: int
) -> list[ev.OpenInterest]:
    """Read past open interest in contracts of so many coins; outside of the span it is left.

    As in the archives (decision 0009), a row counts as known five minutes after its label.

    Raises
    ------
    BadMessage
        When one cannot be read or true.
    """
    found = []
    for row in rows:
        try:
            at_ms, amount = int(row["timestamp"]), float(row["openInterestAmount"]) * coins
        except (TypeError, ValueError, KeyError, OverflowError) as error:
            raise BadMessage(f"open interest that cannot be read ({error})", "try again") from None
        if not 0.0 <= amount < math.inf:
            raise BadMessage(f"an open interest of {amount}", "try again")
        if start_ms < at_ms + INTEREST_MS <= end_ms:
            known_ns = (at_ms + INTEREST_MS) * NS_PER_MS
            found.append(ev.OpenInterest(at_ms * NS_PER_MS, known_ns, amount))
    return found


async def past_interest(
    exchange: Any, symbol: str, coins: float, span_ms: tuple[int, int], waiter: Waiter
) -> list[ev.OpenInterest]:
    """Ask for past open interest page by page; what a venue does not keep any more is left out.

    Raises
    ------
    BadMessage
        When it cannot be read.
    """
    import ccxt

    start_ms, end_ms = span_ms
    found: dict[int, ev.OpenInterest] = {}
    at_ms = start_ms
    while at_ms < end_ms:
        await waiter.wait("market")
        try:
            rows = await exchange.fetch_open_interest_history(symbol, "5m", at_ms, INTEREST_PAGE)
        except ccxt.ExchangeError as error:  # without it the rest still warms up
            log.warning("no past open interest: %s", str(error)[:200])
            break
        told = interest_of(rows, coins, start_ms, end_ms)
        found |= {one.event_ns: one for one in told}
        last_ms = max((one.event_ns // NS_PER_MS for one in told), default=0)
        at_ms = last_ms + INTEREST_MS if last_ms >= at_ms else at_ms + INTEREST_PAGE * INTEREST_MS
    return list(found.values())


async def history(
    name: str, minutes: int, rewrite: Callable[[Any], Any] | None = None
) -> list[ev.MarketEvent]:
    """Return the last minutes as events in the order in which they became known.

    Raises
    ------
    VenueError
        When the venue does not answer, or not readably.
    """
    venue = venue_named(name)
    waiter = LIMITS[name].waiter()
    exchange = make_exchange(venue, None, rewrite, TIMEOUT_MS)
    made: dict[tuple[str, int], ev.MarketEvent] = {}
    try:
        with translated(name, "its past was not read"):
            await exchange.load_markets()
            end_ms = exchange.milliseconds() // MINUTE_MS * MINUTE_MS
            start_ms = end_ms - minutes * MINUTE_MS
            pairs: tuple[tuple[Literal["LTC", "BTC"], str], ...] = (
                ("LTC", venue.symbol), ("BTC", venue.symbol.replace("LTC", "BTC")),
            )  # fmt: skip
            for asset, symbol in pairs:
                if symbol not in exchange.markets:
                    continue
                size = float(exchange.market(symbol).get("contractSize") or 1.0)
                coins = size if name in IN_CONTRACTS else 1.0
                at_ms = start_ms
                while at_ms < end_ms:
                    await waiter.wait("market")
                    rows = await exchange.fetch_ohlcv(symbol, "1m", at_ms, PAGE)
                    bars = bars_of(rows, asset, coins, start_ms, end_ms)
                    made |= {(asset, bar.event_ns): bar for bar in bars}
                    last_ms = max((bar.event_ns // NS_PER_MS for bar in bars), default=0)
                    at_ms = last_ms if last_ms > at_ms else at_ms + PAGE * MINUTE_MS
            if exchange.has.get("fetchFundingRateHistory"):
                await waiter.wait("market")
                told = await exchange.fetch_funding_rate_history(venue.symbol, start_ms)
                made |= {("", one.event_ns): one for one in funding_of(told, start_ms, end_ms)}
            if exchange.has.get("fetchOpenInterestHistory") is True:
                size = float(exchange.market(venue.symbol).get("contractSize") or 1.0)
                span = (start_ms, end_ms)
                levels = await past_interest(exchange, venue.symbol, size, span, waiter)
                made |= {("interest", one.event_ns): one for one in levels}
    except BadMessage as error:
        raise VenueDown(f"{name}: {error.what}", "try again") from None
    finally:
        await exchange.close()
    return sorted(made.values(), key=lambda event: event.known_ns)

"""The past of a venue through ccxt: minutes of both coins, and settlements of funding.

No venue here tells past open interest, nor what takers bought. Gate and KuCoin count volume in
contracts, the others in coins (ccxt 4.5, `parse_ohlcv` of each).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Final, Literal

from litehedge.errors import BadMessage, VenueDown
from litehedge.market import events as ev
from litehedge.units import NS_PER_MINUTE, NS_PER_MS
from litehedge.venues.ccxt_errors import translated
from litehedge.venues.ccxt_facts import venue_named
from litehedge.venues.ccxt_make import TIMEOUT_MS, make_exchange
from litehedge.venues.limits import LIMITS

MINUTE_MS: Final = 60_000
PAGE: Final = 200
"""Minutes that are asked for at once: what every venue gives."""
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
    except BadMessage as error:
        raise VenueDown(f"{name}: {error.what}", "try again") from None
    finally:
        await exchange.close()
    return sorted(made.values(), key=lambda event: event.known_ns)

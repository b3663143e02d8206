"""Small series to put into a lake."""

from __future__ import annotations

import numpy as np
import polars as pl

from litehedge.feeds.archive import Kind, Series
from litehedge.units import NS_PER_HOUR, instant_ns

T0 = instant_ns("2021-05-30")
HOUR = NS_PER_HOUR


def bars(
    n: int = 48,
    *,
    start: int = T0,
    step: int = HOUR,
    asset: str = "LTC",
    market: str = "spot",
    source: str = "a.csv",
    price: float = 100.0,
    drop: tuple[int, ...] = (),
) -> Series:
    """Bars whose first opens at `start`; the price depends on the time alone."""
    close_ns = start + step * np.arange(1, n + 1)
    close_ns = np.delete(close_ns, drop)
    close = price + (close_ns // step) % 7
    table = pl.DataFrame(
        {
            "event_ns": close_ns,
            "known_ns": close_ns,
            "open": close - 0.5,
            "high": close + 1.0,
            "low": close - 1.0,
            "close": close.astype(float),
            "volume": np.full(close.size, np.nan if market == "mark" else 3.0),
        }
    )
    return series("bars", table, asset=asset, market=market, interval_ns=step, source=source)


def series(
    kind: Kind,
    table: pl.DataFrame,
    *,
    asset: str = "LTC",
    market: str = "perp",
    interval_ns: int = 0,
    unit: str = "",
    source: str = "a.csv",
) -> Series:
    sha256 = f"{abs(hash(source)):064x}"
    symbol = asset + "USDT"
    return Series(kind, asset, symbol, "binance", market, interval_ns, unit, table, source, sha256)


def funding(n: int = 6, start: int = T0, asset: str = "LTC") -> Series:
    times = start + 8 * HOUR * np.arange(n)
    table = pl.DataFrame({"event_ns": times, "known_ns": times, "rate": np.full(n, 1e-4)})
    return series("funding", table, asset=asset)


def open_interest(step: int, unit: str = "LTC", n: int = 48) -> Series:
    times = T0 + step * np.arange(n)
    table = pl.DataFrame({"event_ns": times, "known_ns": times, "oi": np.full(n, 7.0)})
    table = table.with_columns(unit=pl.lit(unit))
    return series("open_interest", table, interval_ns=step, unit=unit)


def liquidations(times: list[int], qty: list[float], source: str = "a.csv") -> Series:
    table = pl.DataFrame(
        {
            "event_ns": times,
            "known_ns": times,
            "side": ["long"] * len(times),
            "price": [100.0] * len(times),
            "qty": qty,
            "notional_usdt": [100.0 * q for q in qty],
        }
    )
    return series("liquidations", table, source=source)

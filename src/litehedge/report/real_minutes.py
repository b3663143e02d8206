"""Real bars of the lake, as the stylised facts take them."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from litehedge.errors import EmptyRange
from litehedge.sim.facts import Minutes
from litehedge.store.lake import Lake
from litehedge.units import NS_PER_MINUTE


def minutes_of(
    lake: Lake, dataset_name: str, start_ns: int | None = None, end_ns: int | None = None
) -> Minutes:
    """Return the bars that close in ``(start_ns, end_ns]``, with Bitcoin and funding beside them.

    Volume is in USDT at the close of each bar; None when a bar has none, as those of mark prices.

    Raises
    ------
    DataError
        When there is no such data set, it holds no bars, or none in the range.
    UsageError
        When its bars are not 1, 5 or 60 minutes long.
    """
    dataset = lake.bars(dataset_name)
    bars = lake.read(dataset_name, start_ns, end_ns).sort("event_ns")
    closes = bars["event_ns"].to_numpy()
    companions = lake.companions(dataset)
    since_ns, until_ns = int(closes[0]) - dataset.interval_ns, int(closes[-1])

    def beside(role: str) -> pl.DataFrame | None:
        if role not in companions:
            return None
        try:
            return lake.read(companions[role].name, since_ns, until_ns).sort("event_ns")
        except EmptyRange:
            return None

    btc, funding = beside("btc"), beside("funding")
    close, volume = _floats(bars, "close"), _floats(bars, "volume")
    return Minutes(
        end_ns=closes,
        close=close,
        high=_floats(bars, "high"),
        low=_floats(bars, "low"),
        volume_usdt=None if np.isnan(volume).any() else volume * close,
        btc_close=None if btc is None else _at(closes, btc),
        funding_ns=None if funding is None else funding["event_ns"].to_numpy(),
        funding_rate=None if funding is None else _floats(funding, "rate"),
        bar_min=dataset.interval_ns // NS_PER_MINUTE,
    )


def _at(closes_ns: NDArray[np.int64], bars: pl.DataFrame) -> NDArray[np.float64]:
    """Return the closes of other bars at these times; NaN where there is none."""
    times_ns, close = bars["event_ns"].to_numpy(), _floats(bars, "close")
    at = np.minimum(np.searchsorted(times_ns, closes_ns), times_ns.size - 1)
    return np.where(times_ns[at] == closes_ns, close[at], np.nan)


def _floats(table: pl.DataFrame, column: str) -> NDArray[np.float64]:
    return table[column].cast(pl.Float64).fill_null(np.nan).to_numpy()

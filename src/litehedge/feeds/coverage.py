"""How much of its time a recorded feed covers, and how many forced orders a feed may have seen.

Pure: tables in, numbers out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from litehedge.units import NS_PER_DAY, NS_PER_MINUTE, NS_PER_MS, NS_PER_SECOND, iso_utc

Ints = NDArray[np.int64]
Span = tuple[int, int]

WINDOW_NS: Final = 15 * NS_PER_MINUTE
SQUEEZE_MOVE: Final = 0.015
SQUEEZE_DROP: Final = 0.005
TAG_OF: Final = {
    "trades": "trade", "book": "book", "liquidations": "liquidation", "funding": "funding",
    "open_interest": "open_interest", "mark_index": "mark", "transfers": "transfer",
    "long_short_ratio": "long_short_ratio", "sentiment": "sentiment", "bars": "trade",
    "predicted_funding": "predicted_funding",
}  # fmt: skip
"""Kind of data set -> tag of its events, as gaps name them."""


@dataclass(frozen=True, slots=True)
class DayCoverage:
    """A day (UTC) of a data set.

    Parameters
    ----------
    coverage
        Share of the day, as far as the data set spans it, that was not in a gap.
    gaps, gap_s
        How many, and together how many seconds.
    rows, per_s
        Rows, and rows a second of the time that was covered.
    repeated
        Rows that are the same as an earlier one in everything, times included.
    age_ms, worst_age_ms
        Time from happening to being known: median and 99th percentile.
    """

    day: str
    coverage: float
    gaps: int
    gap_s: float
    rows: int
    per_s: float
    repeated: int
    age_ms: float
    worst_age_ms: float


def spans_of(gaps: pl.DataFrame, kind: str) -> list[Span]:
    """Return the times of which a kind tells nothing: gaps of its sources, one where they overlap.

    `gaps` is a table of the kind ``gaps``. A gap without a source is one of all of them.
    """
    tag = TAG_OF.get(kind, kind)
    concerned = [
        (int(row["start_ns"]), int(row["event_ns"]))
        for row in gaps.iter_rows(named=True)
        if row["source"] == "" or tag in row["kinds"].split(" ")
    ]
    return united(concerned)


def united(spans: Iterable[Span]) -> list[Span]:
    """Return spans in order, those that touch made one; empty ones are left out."""
    merged: list[Span] = []
    for start_ns, end_ns in sorted(span for span in spans if span[1] > span[0]):
        if merged and start_ns <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end_ns))
        else:
            merged.append((start_ns, end_ns))
    return merged


def days_of(table: pl.DataFrame, span: Span, gaps: Sequence[Span]) -> list[DayCoverage]:
    """Return each day of a data set.

    Parameters
    ----------
    table
        Its rows.
    span
        From when to when it was recorded.
    gaps
        As `united` gives them; of bars, the times without bars.
    """
    event_ns, known_ns = table["event_ns"].to_numpy(), table["known_ns"].to_numpy()
    repeated = (~table.to_struct("row").is_first_distinct()).to_numpy()
    found = []
    for day in range(span[0] // NS_PER_DAY, max(span[1] - 1, span[0]) // NS_PER_DAY + 1):
        begin, end = max(day * NS_PER_DAY, span[0]), min((day + 1) * NS_PER_DAY, span[1])
        inside = [(max(a, begin), min(b, end)) for a, b in gaps if a < end and b > begin]
        gone_ns = sum(b - a for a, b in inside)
        # A bar of the last minute of a day is known at midnight.
        chosen = (known_ns > day * NS_PER_DAY) & (known_ns <= (day + 1) * NS_PER_DAY)
        rows = int(chosen.sum())
        ages = (known_ns[chosen] - event_ns[chosen]) / NS_PER_MS
        length = max(end - begin, 1)
        found.append(
            DayCoverage(
                day=iso_utc(day * NS_PER_DAY)[:10],
                coverage=1.0 - gone_ns / length,
                gaps=len(inside),
                gap_s=gone_ns / NS_PER_SECOND,
                rows=rows,
                per_s=rows / max((length - gone_ns) / NS_PER_SECOND, 1e-9) if rows else 0.0,
                repeated=int(repeated[chosen].sum()),
                age_ms=float(np.median(ages)) if rows else float("nan"),
                worst_age_ms=float(np.quantile(ages, 0.99)) if rows else float("nan"),
            )
        )
    return found


@dataclass(frozen=True, slots=True)
class ForcedCoverage:
    """What `forced_coverage` found. `share` is NaN when there was no squeeze.

    `low` and `high` are the quartiles over the windows: how much one differs from another.
    """

    windows: int
    forced_usdt: float
    oi_drop_usdt: float
    share: float
    low: float
    high: float


def forced_coverage(
    forced: pl.DataFrame, open_interest: pl.DataFrame, bars: pl.DataFrame
) -> ForcedCoverage:
    """Estimate which share of forced volume a feed told: against open interest that vanished.

    A squeeze is a window of 15 minutes in which the price moved by 1.5 % or more and open interest
    fell by 0.5 % or more. With the price P at its begin::

        share = sum of forced volume of the side that lost / sum of max(0, OI begin - OI end) * P

    over all such windows. It is an estimate within a factor of two or so, and says more when feeds
    or months are compared than by itself. Open interest also falls by people who close by
    themselves, which makes the share too small; it does not fall when a forced order meets
    somebody who opens, and rises again within the window, which make it too large, even above 1.
    Open interest of one venue has to stand against forced orders of that venue.

    Parameters
    ----------
    forced
        Table of the kind ``liquidations``, of one feed.
    open_interest
        In coins. Windows without a value in both halves are left out.
    bars
        For the price.
    """
    empty = ForcedCoverage(0, 0.0, 0.0, float("nan"), float("nan"), float("nan"))
    if open_interest.height < 2 or bars.is_empty():
        return empty
    oi_ns, oi = _sorted(open_interest, "oi")
    bar_ns, close = _sorted(bars, "close")
    begins = np.arange(
        max(oi_ns[0], bar_ns[0]) // WINDOW_NS + 1, min(oi_ns[-1], bar_ns[-1]) // WINDOW_NS
    )
    if begins.size == 0:
        return empty
    edges = np.append(begins, begins[-1] + 1) * WINDOW_NS
    at_oi = np.searchsorted(oi_ns, edges, side="right") - 1
    at_bar = np.searchsorted(bar_ns, edges, side="right") - 1
    is_fresh = (edges - oi_ns[at_oi] < WINDOW_NS // 2) & (edges - bar_ns[at_bar] < WINDOW_NS // 2)
    level, price = oi[at_oi], close[at_bar]
    move = price[1:] / price[:-1] - 1.0
    drop = level[:-1] - level[1:]
    is_squeeze = (
        is_fresh[1:] & is_fresh[:-1] & (np.abs(move) >= SQUEEZE_MOVE)
        & (drop >= SQUEEZE_DROP * level[:-1])
    )  # fmt: skip
    if not is_squeeze.any():
        return empty
    usdt = {side: _sums(forced.filter(pl.col("side") == side), edges) for side in ("long", "short")}
    told = np.where(move < 0.0, usdt["long"], usdt["short"])[is_squeeze]
    gone = (drop * price[:-1])[is_squeeze]
    low, high = np.quantile(told / gone, (0.25, 0.75))
    return ForcedCoverage(
        windows=int(is_squeeze.sum()), forced_usdt=float(told.sum()),
        oi_drop_usdt=float(gone.sum()), share=float(told.sum() / gone.sum()),
        low=float(low), high=float(high),
    )  # fmt: skip


def _sorted(table: pl.DataFrame, column: str) -> tuple[Ints, NDArray[np.float64]]:
    ordered = table.sort("event_ns")
    return ordered["event_ns"].to_numpy(), ordered[column].to_numpy()


def _sums(table: pl.DataFrame, edges: Ints) -> NDArray[np.float64]:
    sums, _ = np.histogram(
        table["event_ns"].to_numpy(), bins=edges, weights=table["notional_usdt"].to_numpy()
    )
    return sums

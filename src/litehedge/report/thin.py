"""Thinning of long paths for charts: few points, and every extreme still among them."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

MOST_POINTS: Final = 2500


def outages(end_ns: Ints) -> Ints:
    """Return the bars after which data are missing for a hundredth of the span or longer."""
    if end_ns.size < 2:
        return np.empty(0, dtype=np.int64)
    steps = np.diff(end_ns)
    long = (steps > steps.min()) & (steps >= (end_ns[-1] - end_ns[0]) // 100)
    return np.flatnonzero(long)


def kept_bars(series: Floats, outages: Ints, most: int = MOST_POINTS) -> Ints:
    """Choose the bars to draw when several lines share one time axis.

    The bars are cut into equal buckets; of each bucket stay the lowest and the highest value of
    every line and the first missing one, so that no spike and no gap is lost. The first and the
    last bar stay, and the bars around outages.

    Shapes: `series` ``(line, bar)``, NaN where a line is missing; returns rising bar numbers, at
    most `most` of them (all of them when that is enough).
    """
    lines, bars = series.shape
    if bars <= most:
        return np.arange(bars)
    has_gaps = [bool(np.isnan(values).any()) for values in series]
    per_bucket = 2 * lines + sum(has_gaps)
    buckets = max(1, (most - 2 - 2 * outages.size) // per_bucket)
    starts = (np.arange(buckets + 1) * bars) // buckets
    kept = [0, bars - 1, *outages.tolist(), *(outages + 1).tolist()]
    for line in range(lines):
        values = series[line]
        gaps = np.isnan(values)
        for a, b in zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True):
            hole = gaps[a:b]
            if has_gaps[line] and hole.any():
                kept.append(a + int(hole.argmax()))
                if hole.all():
                    continue
            kept.append(a + int(np.nanargmin(values[a:b])))
            kept.append(a + int(np.nanargmax(values[a:b])))
    return np.unique(np.array(kept, dtype=np.int64))


def kept_moments(times_ns: Ints, most: int = MOST_POINTS) -> Ints:
    """Choose at most `most` of the moments, evenly in number; the first and the last stay."""
    if times_ns.size <= most:
        return np.arange(times_ns.size)
    return np.unique(np.linspace(0, times_ns.size - 1, most).round().astype(np.int64))

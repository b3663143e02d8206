"""Blocks of frames that hang together, and the bootstrap over them.

Frames of one crash are not independent, so not frames are drawn but blocks: a block is a stretch
of three days, and its end moves on to where nothing is pending: no frame may be parted from the
event that ends its wait, nor may a squeeze that runs be cut. Both sides of a crash are then in one
block, since the rebound begins while the fall runs or within the horizon after it. First passages
may be pending without a break for weeks; where no free place is found within a whole stretch the
end stays where it was, and a wait of at most four hours is cut once in three days.

A draw is how often each block was taken. Measures that are sums over blocks, or ranks of weighted
frames, are then known for all draws at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from litehedge.model.artefact import Score
from litehedge.squeeze.hazard import ONSET_HORIZON_MIN
from litehedge.squeeze.times import Times
from litehedge.units import NS_PER_DAY

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

BLOCK_DAYS: Final = 3
DRAWS: Final = 200
LEVEL: Final = 0.90
DIGITS: Final = 6


def pending(times: Times) -> Bools:
    """Return where an event of a side at risk comes within the horizon, ``(frame, side)``."""
    return times.happened & times.at_risk & (times.minutes <= ONSET_HORIZON_MIN)


def event_blocks(times: Times, end_ns: Ints) -> Ints:
    """Return the block of each frame, ``(frame,)``, numbered from 0 in the order of time."""
    order = np.argsort(end_ns, kind="stable")
    stretch = ((end_ns[order] - 1) // (BLOCK_DAYS * NS_PER_DAY)).astype(np.int64)
    is_free: Bools = np.asarray(~pending(times)[order].any(axis=1))
    if times.competing:  # not at risk: inside a squeeze
        is_free[:-1] &= times.at_risk[order][1:].all(axis=1)
    free = np.flatnonzero(is_free)
    ends = []
    for last in np.flatnonzero(np.diff(stretch)).tolist():
        at = int(np.searchsorted(free, last))
        found = int(free[at]) if at < free.size else last
        near = end_ns[order[found]] - end_ns[order[last]] < BLOCK_DAYS * NS_PER_DAY
        ends.append(found if near else last)
    sorted_blocks = np.zeros(end_ns.size, dtype=np.int64)
    begins = np.unique(np.array(ends, dtype=np.int64)) + 1
    sorted_blocks[begins[begins < end_ns.size]] = 1
    out = np.empty_like(sorted_blocks)
    out[order] = np.cumsum(sorted_blocks)
    return out


def draw_counts(blocks: int, draws: int, seed: int) -> Floats:
    """Return how often each block is taken, ``(block, 1 + draw)``; the first column is all ones.

    Column 0 gives the measure itself, the others its bootstrap.
    """
    rng = np.random.default_rng(seed)
    picked = rng.integers(0, blocks, (draws, blocks))
    counts = np.ones((blocks, 1 + draws))
    for draw in range(draws):
        counts[:, 1 + draw] = np.bincount(picked[draw], minlength=blocks)
    return counts


@dataclass(frozen=True, slots=True)
class Drawn:
    """A measure and its value in every draw, ``(draw,)``; NaN where it has none."""

    value: float
    draws: Floats

    @classmethod
    def of(cls, values: Floats) -> Drawn:
        """Take ``(1 + draw,)`` values apart, as `draw_counts` orders them."""
        return cls(float(values[0]), values[1:])

    def score(self) -> Score | None:
        """Return the value with its 90 % interval; None where it was not measurable."""
        known = self.draws[np.isfinite(self.draws)]
        if not np.isfinite(self.value) or 2 * known.size < self.draws.size or known.size == 0:
            return None
        low, high = np.quantile(known, [0.5 - LEVEL / 2, 0.5 + LEVEL / 2])
        return Score(
            round(self.value, DIGITS), round(float(low), DIGITS), round(float(high), DIGITS)
        )

    def less(self, other: Drawn) -> Drawn:
        """Return this measure less another, draw by draw."""
        return Drawn(self.value - other.value, self.draws - other.draws)

    def gain_over(self, other: Drawn) -> Drawn:
        """Return by which share this loss is smaller than another, draw by draw."""
        with np.errstate(divide="ignore", invalid="ignore"):
            share = 1.0 - np.float64(self.value) / other.value
            return Drawn(float(share), 1.0 - self.draws / other.draws)


def summed(values: Floats, block: Ints, counts: Floats) -> Floats:
    """Return the sum over frames in every draw: ``(frame,)`` values to ``(1 + draw,)``."""
    return counts.T @ np.bincount(block, weights=values, minlength=counts.shape[0])


def ratio(above: Floats, below: Floats) -> Drawn:
    """Return the ratio of two sums ``(1 + draw,)``."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return Drawn.of(above / below)


def weighted_median(values: Floats, weights: Floats) -> Floats:
    """Return the median in every draw, NaN without any weight: values ``(n,)`` to ``(1 + draw,)``.

    A weight of two is the same as a value that is there twice. Shapes: `weights` ``(n, 1 + draw)``.
    """
    if values.size == 0:
        return np.full(weights.shape[1], np.nan)
    order = np.argsort(values, kind="stable")
    cumulated = np.cumsum(weights[order], axis=0)
    half = 0.5 * cumulated[-1]
    lower = values[order[np.argmax(cumulated >= half, axis=0)]]
    upper = values[order[np.argmax(cumulated > half, axis=0)]]
    return np.where(half > 0.0, 0.5 * (lower + upper), np.nan)

"""Which days are drawn: one bootstrap that intervals and differences of policies share.

Episodes overlap and markets have moods, so stretches of days are drawn (circular blocks, four
episodes long), with all episodes that opened in them. The draws hang on the openings alone: two
policies that went through the same episodes are drawn alike, so their difference is paired.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from litehedge.units import NS_PER_DAY

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

CONFIDENCE: Final = 0.90
RESAMPLES: Final = 2000
SEED: Final = 0
BLOCK_LENGTHS: Final = 4  # a block of days is so many episodes long
_AT_ONCE: Final = 4_000_000  # weights held in memory at a time
_FIRST_LOOK: Final = 0.3  # share of the episodes in which the worst 5 % of a draw mostly lie


@dataclass(frozen=True, slots=True)
class DayBlocks:
    """How often each day was taken.

    Shapes: `day_of` ``(episode,)``, the day in which each opened; `counts` ``(draw, day)``;
    `episodes` ``(draw,)``, how many of them each draw holds. `unseen` bounds a share of which none
    was seen, as if of the episodes that do not overlap (Clopper and Pearson).
    """

    day_of: Ints
    counts: Floats
    episodes: Floats
    unseen: float

    def means(self, values: Floats) -> Floats:
        """Return the mean over the episodes of every draw that has any, ``(draw,)``."""
        per_day = np.bincount(self.day_of, weights=values, minlength=self.counts.shape[1])
        has = self.episodes > 0
        return np.asarray((self.counts @ per_day)[has] / self.episodes[has])

    def worst_means(self, values: Floats, part: int) -> Floats:
        """Return the mean of the worst ``1 / part`` of the episodes of every draw, ``(draw,)``.

        At least one episode, and whole ones, as `metrics.cvar5` has it. The values are sorted
        once; a draw only weighs them.
        """
        has = self.episodes > 0
        counts, wanted = self.counts[has], np.maximum(1.0, self.episodes[has] // part)
        order = np.argsort(values, kind="stable")
        found = np.full(wanted.size, np.nan)
        missing = np.arange(wanted.size)
        for depth in (int(np.ceil(_FIRST_LOOK * order.size)), order.size):
            worst = order[:depth]
            step = max(1, _AT_ONCE // depth)
            for some in (missing[i : i + step] for i in range(0, missing.size, step)):
                weights = counts[some][:, self.day_of[worst]]
                until = np.minimum(np.cumsum(weights, axis=1), wanted[some, np.newaxis])
                reached = until[:, -1] == wanted[some]
                sums = np.diff(until, axis=1, prepend=0.0) @ values[worst]
                found[some[reached]] = sums[reached] / wanted[some[reached]]
            missing = np.flatnonzero(np.isnan(found))
        return found


def draw_blocks(opens_ns: Ints, length_ns: int) -> DayBlocks | None:
    """Draw blocks of days; None where less than four blocks fit, which give no interval.

    Shapes: `opens_ns` ``(episode,)``, when each opened; `length_ns` is the length of an episode.
    """
    day_of = (opens_ns - opens_ns.min()) // NS_PER_DAY
    days = int(day_of.max()) + 1
    block = int(np.ceil(BLOCK_LENGTHS * length_ns / NS_PER_DAY))
    if days < 4 * block:
        return None
    drawn = np.random.default_rng(SEED).integers(0, days, (RESAMPLES, round(days / block)))
    edges = np.zeros((RESAMPLES, days + block))
    rows = np.arange(RESAMPLES)[:, np.newaxis]
    np.add.at(edges, (rows, drawn), 1.0)
    np.add.at(edges, (rows, drawn + block), -1.0)
    counts = np.cumsum(edges, axis=1)
    counts[:, :block] += counts[:, days:]  # the last day is followed by the first
    counts = np.ascontiguousarray(counts[:, :days])
    per_day = np.bincount(day_of, minlength=days).astype(np.float64)
    apart = max(1, int(days * NS_PER_DAY // length_ns))
    unseen = 1.0 - ((1.0 - CONFIDENCE) / 2.0) ** (1.0 / apart)
    return DayBlocks(day_of, counts, counts @ per_day, unseen)

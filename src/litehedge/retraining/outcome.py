"""What two hedges were worth at equal risk.

A hedge that is always larger loses less in a crash and earns less in calm: means alone, or tails
alone, tell nothing. A smaller position costs nothing and scales mean and tail alike, so the riskier
of the two is made smaller until the means of the worst 5 % are equal, and then means are compared.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from litehedge.model.measures.blocks import Drawn
from litehedge.report.blocks import DayBlocks
from litehedge.report.metrics import TAIL

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

PART: Final = round(1.0 / TAIL)


@dataclass(frozen=True, slots=True)
class Outcomes:
    """What positions returned, in wallets, ``(episode,)``, hedged by either model.

    `opens_ns` is when each was opened.
    """

    opens_ns: Ints
    champion: Floats
    challenger: Floats

    @staticmethod
    def joined(some: list[Outcomes]) -> Outcomes:
        """Return the positions of several spans as one."""
        names = ("opens_ns", "champion", "challenger")
        return Outcomes(*(np.concatenate([getattr(o, n) for o in some]) for n in names))


def draws_of(block: Ints, counts: Floats) -> DayBlocks:
    """Return draws over blocks of events for episodes, the first of them everything once.

    Shapes: `block` ``(episode,)``; `counts` ``(block, 1 + draw)`` as `draw_counts` gives them.
    """
    per_block = np.bincount(block, minlength=counts.shape[0]).astype(np.float64)
    episodes = counts.T @ per_block
    return DayBlocks(block, np.ascontiguousarray(counts.T), episodes, float("nan"))


def better_at_equal_risk(outcomes: Outcomes, drawn: DayBlocks) -> Drawn:
    """Return by how much the challenger's mean is higher at equal CVaR, in every draw.

    Without positions, or where neither ever lost, NaN.
    """
    if outcomes.opens_ns.size == 0:
        return Drawn(float("nan"), np.empty(0))
    means = [drawn.means(leg) for leg in (outcomes.champion, outcomes.challenger)]
    lost = [-drawn.worst_means(leg, PART) for leg in (outcomes.champion, outcomes.challenger)]
    least = np.minimum(*lost)
    with np.errstate(divide="ignore", invalid="ignore"):
        one, other = (
            np.where(tail > 0.0, np.clip(least / tail, 0.0, 1.0), 1.0) * mean
            for mean, tail in zip(means, lost, strict=True)
        )
    return Drawn.of(other - one)

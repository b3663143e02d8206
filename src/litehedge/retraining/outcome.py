"""What two hedges were worth at equal risk.

A hedge that is always larger loses less in a crash and earns less in calm: means alone, or tails
alone, tell nothing. So the challenger's positions are mixed with positions wholly hedged, or with
naked ones, until the mean of their worst 5 % is the champion's, and then means are compared. A
mixture is linear in what its parts returned; that it would pay other costs and be liquidated at
other times is left out, for both the same.
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
SHARES: Final = np.linspace(0.0, 1.0, 41)
"""Of the position that is mixed in."""


@dataclass(frozen=True, slots=True)
class Outcomes:
    """What positions returned, in wallets, ``(episode,)``: hedged by either model, or by none.

    `opens_ns` is when each was opened; `naked` has no hedge, `hedged` nothing but hedge.
    """

    opens_ns: Ints
    champion: Floats
    challenger: Floats
    naked: Floats
    hedged: Floats

    @staticmethod
    def joined(some: list[Outcomes]) -> Outcomes:
        """Return the positions of several spans as one."""
        names = ("opens_ns", "champion", "challenger", "naked", "hedged")
        return Outcomes(*(np.concatenate([getattr(o, n) for o in some]) for n in names))


def draws_of(block: Ints, counts: Floats) -> DayBlocks:
    """Return draws over blocks of events for episodes, the first of them everything once.

    Shapes: `block` ``(episode,)``; `counts` ``(block, 1 + draw)`` as `draw_counts` gives them.
    """
    per_block = np.bincount(block, minlength=counts.shape[0]).astype(np.float64)
    return DayBlocks(block, np.ascontiguousarray(counts.T), counts.T @ per_block, float("nan"))


def better_at_equal_risk(outcomes: Outcomes, drawn: DayBlocks) -> Drawn:
    """Return by how much the challenger's mean is higher at the champion's CVaR, in every draw.

    Where no mixture reaches the champion's CVaR the one that comes nearest counts.
    """
    budget = drawn.worst_means(outcomes.champion, PART)
    own = drawn.worst_means(outcomes.challenger, PART)
    means, tails = {}, {}
    for name, leg in (("hedged", outcomes.hedged), ("naked", outcomes.naked)):
        mixed = [(1.0 - share) * outcomes.challenger + share * leg for share in SHARES.tolist()]
        means[name] = np.stack([drawn.means(values) for values in mixed])
        tails[name] = np.stack([drawn.worst_means(values, PART) for values in mixed])
    riskier = own < budget
    mean = np.where(
        riskier, _at(means["hedged"], tails["hedged"], budget, up=True),
        _at(means["naked"], tails["naked"], budget, up=False),
    )  # fmt: skip
    return Drawn.of(mean - drawn.means(outcomes.champion))


def _at(means: Floats, tails: Floats, budget: Floats, *, up: bool) -> Floats:
    """Return the mean where the tail crosses the budget for the first time, ``(draw,)``.

    Shapes: `means` and `tails` ``(share, draw)``. With `up` the tail rises to the budget, else it
    falls to it.
    """
    beyond = tails >= budget if up else tails <= budget
    first = np.where(beyond.any(axis=0), beyond.argmax(axis=0), tails.shape[0] - 1)
    draws = np.arange(budget.size)
    low = np.maximum(first - 1, 0)
    a, b = tails[low, draws], tails[first, draws]
    with np.errstate(divide="ignore", invalid="ignore"):
        way = np.where(b != a, (budget - a) / (b - a), 0.0)
    way = np.clip(way, 0.0, 1.0)
    return np.asarray((1.0 - way) * means[low, draws] + way * means[first, draws])

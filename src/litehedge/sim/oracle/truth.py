"""The true hazard of a squeeze at instants of a world, and what really came of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from litehedge.errors import UsageError
from litehedge.sim.market.state import World
from litehedge.sim.market.step import NO_SHOCKS, run_world
from litehedge.sim.oracle.futures import branch_seeds, futures
from litehedge.sim.oracle.onsets import NEVER, TAIL_MIN, Timeline, next_onsets, timeline_of
from litehedge.squeeze.hazard import ONSET_EDGES, ONSET_HORIZON_MIN
from litehedge.squeeze.labels import SIDES
from litehedge.units import NS_PER_SECOND

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Progress = Callable[[int, int], None]
"""Told how many of how many instants are done."""

MINUTE_S: Final = 60
STRETCH_MIN: Final = 30 * 1440
FEWEST_BRANCHES: Final = 8
INSIDE: Final = -2
"""In place of minutes to the next onset: a squeeze of that side is running."""


@dataclass(frozen=True, slots=True)
class Truth:
    """What an all-knowing forecaster would say, and what happened.

    Shapes: `end_ns` ``(instant,)``; `edges_min` ``(edge,)``; `probability`
    ``(instant, side, edge)``: P(the next squeeze of that side begins within so many minutes),
    NaN where every future is inside one already; `branches` ``(instant, side)``: futures that
    this was counted in; `to_onset_min` ``(instant, side)``: NaN when none came within the last
    edge; `at_risk` ``(instant, side)``: False inside a squeeze.
    """

    end_ns: Ints
    edges_min: Floats
    probability: Floats
    branches: Ints
    to_onset_min: Floats
    at_risk: NDArray[np.bool_]
    foreseen: Ints

    def happened(self, minutes: float) -> NDArray[np.bool_]:
        """Tell whether the next squeeze began within so many minutes, ``(instant, side)``."""
        within: NDArray[np.bool_] = self.to_onset_min <= minutes
        return within

    def within(self, minutes: float) -> Floats:
        """Return its true probability, ``(instant, side)``; `minutes` is one of the edges."""
        return self.probability[:, :, int(np.flatnonzero(self.edges_min == minutes)[0])]

    def table(self) -> pl.DataFrame:
        """Return it as rows, one per instant and side."""
        n = self.end_ns.size
        columns: dict[str, object] = {
            "end_ns": np.repeat(self.end_ns, 2),
            "side": list(SIDES) * n,
            "at_risk": self.at_risk.reshape(-1),
            "to_onset_min": self.to_onset_min.reshape(-1),
            "branches": self.branches.reshape(-1),
        }
        for e, edge in enumerate(self.edges_min.tolist()):
            columns[f"p_onset_{edge:g}m"] = self.probability[:, :, e].reshape(-1)
        return pl.DataFrame(columns)


def live_minutes(
    world: World, minutes: int, shocks: NDArray[np.void] = NO_SHOCKS
) -> NDArray[np.void]:
    """Let a world live on. Return its minutes, `ATOM` ``(minute,)``."""
    parts = [
        run_world(
            world, min(STRETCH_MIN, minutes - done) * MINUTE_S, atom_s=MINUTE_S, shocks=shocks
        )
        for done in range(0, minutes, STRETCH_MIN)
    ]
    return np.concatenate(parts)


def true_hazards(
    world: World,
    instants: Ints,
    branches: int,
    *,
    horizon_min: float = ONSET_HORIZON_MIN,
    shocks: NDArray[np.void] = NO_SHOCKS,
    timeline: Timeline | None = None,
    progress: Progress = lambda done, total: None,
) -> Truth:
    """Branch a world at each instant and count the futures that hold a squeeze.

    The world is left where the last instant is. A probability counted in `branches` futures has a
    standard error of sqrt(p (1 - p) / branches).

    Parameters
    ----------
    instants
        Whole minutes after the world's present second, rising, ``(instant,)``.
    horizon_min
        The last edge; one of `ONSET_EDGES`.
    timeline
        The world's minutes from its present second until the horizon and `TAIL_MIN` after the
        last instant, if they are at hand already.

    Raises
    ------
    UsageError
        When there are too few branches or the horizon is no edge.
    """
    if branches < FEWEST_BRANCHES:
        raise UsageError(
            f"{branches} futures tell nothing about a probability",
            f"take at least {FEWEST_BRANCHES}; 64 and more for one that is to be compared",
        )
    if horizon_min not in ONSET_EDGES[1:]:
        told = ", ".join(f"{edge:g}" for edge in ONSET_EDGES[1:])
        raise UsageError(f"{horizon_min:g} min is no horizon of a forecast", f"choose of {told}")
    ahead = int(horizon_min) + TAIL_MIN
    begin_s = world.second
    if timeline is None:
        lived = live_minutes(world.copy(), int(instants[-1]) + ahead, shocks)
        timeline = timeline_of(lived, begin_s)
    edges = ONSET_EDGES[(ONSET_EDGES > 0.0) & (horizon_min >= ONSET_EDGES)]
    probability = np.full((instants.size, 2, edges.size), np.nan)
    counted = np.zeros((instants.size, 2), dtype=np.int64)
    to_onset = np.full((instants.size, 2), np.nan)
    at_risk = np.zeros((instants.size, 2), dtype=np.bool_)
    foreseen = np.empty((instants.size, branches, 2), dtype=np.int64)
    for i, now in enumerate(instants.tolist()):
        run_world(world, begin_s + now * MINUTE_S - world.second, atom_s=MINUTE_S, shocks=shocks)
        seeds = branch_seeds(world.seed, world.second, branches)
        possible = futures(world, seeds, ahead * MINUTE_S, atom_s=MINUTE_S, shocks=shocks)
        minutes, risky = next_onsets(timeline, now, possible)
        foreseen[i] = np.where(risky, minutes, INSIDE)
        counted[i] = risky.sum(axis=0)
        for e, edge in enumerate(edges.tolist()):
            probability[i, :, e] = ((foreseen[i] >= 0) & (foreseen[i] <= edge)).sum(axis=0)
        real, risk = next_onsets(timeline, now, timeline.record[np.newaxis, now : now + ahead])
        came = (real[0] != NEVER) & (real[0] <= horizon_min)
        to_onset[i] = np.where(came, real[0], np.nan)
        at_risk[i] = risk[0]
        progress(i + 1, instants.size)
    probability /= np.where(counted > 0, counted, np.nan)[:, :, np.newaxis]
    end_ns = (begin_s + instants * MINUTE_S) * NS_PER_SECOND
    return Truth(end_ns, edges, probability, counted, to_onset, at_risk, foreseen)

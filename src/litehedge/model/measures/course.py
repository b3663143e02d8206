"""The course of a squeeze that runs or comes: when it peaks and how bad it gets.

Every *event* counts the same, however many frames it has: a measure is averaged over the frames of
an event first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from litehedge.jit import kernel
from litehedge.model.measures.blocks import Drawn, ratio, summed, weighted_median
from litehedge.model.measures.trial import Trial
from litehedge.squeeze.forecast import N_SEVERITY, SEVERITY_LEVELS
from litehedge.squeeze.hazard import (
    N_PEAK,
    PEAK_EDGES,
    PEAK_HORIZON_MIN,
    incidence,
    time_quantile,
)
from litehedge.squeeze.targets import Targets

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

LOW, MEDIAN, HIGH = 0.1, 0.5, 0.9
LEAD_MIN: Final = 30.0
"""Severity is asked of frames from which the onset is no further away than this."""


@dataclass(frozen=True, slots=True)
class Course:
    """Measures by name, and from how many frames and events of how many they come."""

    frames: int
    left_out: int
    events: int
    drawn: dict[str, Drawn]


class _Events:
    """Frames by event, to average over frames and then over events in every draw."""

    def __init__(self, event: Ints, block: Ints, counts: Floats) -> None:
        names, first, self.of = np.unique(event, return_index=True, return_inverse=True)
        self.n = names.size
        self.block = block[first]  # blocks do not cut events
        self.counts = counts
        self.frames = np.bincount(self.of, minlength=self.n)

    def means(self, values: Floats) -> Floats:
        """Return the mean over the frames of each event, ``(event,)``."""
        return np.bincount(self.of, weights=values, minlength=self.n) / self.frames

    def mean(self, values: Floats) -> Drawn:
        """Return the mean over events of the mean over frames."""
        total = summed(np.ones(self.n), self.block, self.counts)
        return ratio(summed(self.means(values), self.block, self.counts), total)

    def median(self, values: Floats) -> Drawn:
        """Return the median over events of the mean over frames."""
        return Drawn.of(weighted_median(self.means(values), self.counts[self.block]))


def peak_course(
    trial: Trial, hazards: Floats, targets: Targets, side: int,
    issued: tuple[Floats, Floats] | None = None,
) -> Course:  # fmt: skip
    """Measure the time to the peak inside squeezes of a side.

    ``error_min`` and ``error_share`` (of the time from onset to peak): median over events of the
    absolute error of the median forecast; ``coverage`` of the interval from the 10 % to the 90 %
    quantile, which should be 0.8; ``width_min`` of it. With `issued`, ``coverage_adaptive`` and
    ``width_adaptive_min`` of those intervals.

    Shapes: `hazards` ``(frame, side, 12)``; `targets` of the frames of the trial; `issued` low and
    high in minutes, ``(frame,)`` each.

    Raises
    ------
    ValueError
        When the hazards have another shape.
    """
    if hazards.shape != (len(trial), 2, N_PEAK):
        raise ValueError(f"hazards are {hazards.shape}, wanted {(len(trial), 2, N_PEAK)}")
    asked = targets.inside[:, side] & np.isfinite(targets.to_peak_min[:, side])
    told = np.isfinite(hazards[:, side]).all(axis=1)
    rows = asked & told
    missing = int((asked & ~told).sum())
    if not rows.any():
        return Course(0, missing, 0, {})
    to_peak = targets.to_peak_min[rows, side]
    low, median, high = peak_quantiles(hazards[rows, side])
    events = _Events(targets.event[rows, side], trial.block[rows], trial.counts)
    longest = np.zeros(events.n)
    np.maximum.at(longest, events.of, to_peak)
    # The first frame inside begins where the onset ends.
    duration = (longest + trial.frame_min)[events.of]
    error = np.abs(median - to_peak)
    drawn = {
        "error_min": events.median(error),
        "error_share": events.median(error / duration),
        "coverage": events.mean(((low <= to_peak) & (to_peak <= high)).astype(np.float64)),
        "width_min": events.mean(high - low),
    }
    if issued is not None:
        low, high = (np.minimum(edge[rows], PEAK_HORIZON_MIN) for edge in issued)
        within = (low <= to_peak) & (to_peak <= high)
        drawn |= {
            "coverage_adaptive": events.mean(within.astype(np.float64)),
            "width_adaptive_min": events.mean(high - low),
        }
    return Course(int(rows.sum()), missing, events.n, drawn)


def peak_quantiles(hazards: Floats) -> tuple[Floats, Floats, Floats]:
    """Return the 10, 50, 90 % quantiles of the time to the peak, given it is within the horizon.

    Shapes: `hazards` ``(frame, 12)``; results ``(frame,)``, in minutes.
    """
    low, median, high = _quantiles(
        np.ascontiguousarray(hazards), PEAK_EDGES, np.array([LOW, MEDIAN, HIGH])
    )
    return low, median, high


@kernel
def _quantiles(hazards: Floats, edges: Floats, levels: Floats) -> Floats:
    out = np.empty((levels.size, hazards.shape[0]))
    cif = np.empty((1, hazards.shape[1]))
    for i in range(hazards.shape[0]):
        incidence(hazards[i : i + 1], cif)
        for q in range(levels.size):
            out[q, i] = time_quantile(cif[0], edges, levels[q])
    return out


def severity_course(
    trial: Trial, severity_bps: Floats, targets: Targets, came_bps: Floats,
    reference_bps: Floats, side: int, issued: tuple[Floats, Floats] | None = None,
) -> Course:  # fmt: skip
    """Measure the quantiles of severity at the frames of the last thirty minutes before an onset.

    ``pinball``: mean quantile loss in log bps over all levels; ``pinball_gain``: by which share it
    is smaller than that of the constant quantiles; ``coverage`` of the interval from the 10 % to
    the 90 % quantile, which should be 0.8; ``below_q95``, which should be 0.95. With `issued`,
    ``coverage_adaptive`` of those intervals.

    Parameters
    ----------
    severity_bps
        Foretold quantiles, ``(frame, side, level)``.
    came_bps
        Severity of each squeeze of the catalogue, ``(event,)``, indexed by `targets.event`.
    reference_bps
        Quantiles of the severity of the side's squeezes in the training span, ``(level,)``.
    issued
        Low and high of other intervals in bps, ``(frame,)`` each.

    Raises
    ------
    ValueError
        When the quantiles have another shape.
    """
    if severity_bps.shape != (len(trial), 2, N_SEVERITY):
        wanted = (len(trial), 2, N_SEVERITY)
        raise ValueError(f"severities are {severity_bps.shape}, wanted {wanted}")
    asked = severity_rows(targets, side)
    told = np.isfinite(severity_bps[:, side]).all(axis=1)
    rows = asked & told
    missing = int((asked & ~told).sum())
    if not rows.any():
        return Course(0, missing, 0, {})
    event = targets.event[rows, side]
    events = _Events(event, trial.block[rows], trial.counts)
    came, said = came_bps[event], severity_bps[rows, side]
    loss = events.mean(pinball(came, said))
    constant = events.mean(pinball(came, np.broadcast_to(reference_bps, said.shape)))
    low, high, tail = (int(np.flatnonzero(q == SEVERITY_LEVELS)[0]) for q in (LOW, HIGH, 0.95))
    inside = (said[:, low] <= came) & (came <= said[:, high])
    drawn = {
        "pinball": loss,
        "pinball_gain": loss.gain_over(constant),
        "coverage": events.mean(inside.astype(np.float64)),
        "below_q95": events.mean((came <= said[:, tail]).astype(np.float64)),
    }
    if issued is not None:
        within = (issued[0][rows] <= came) & (came <= issued[1][rows])
        drawn["coverage_adaptive"] = events.mean(within.astype(np.float64))
    return Course(int(rows.sum()), missing, events.n, drawn)


def severity_rows(targets: Targets, side: int) -> Bools:
    """Tell at which frames the severity of a squeeze is asked: its last `LEAD_MIN` before onset."""
    coming = targets.has_onset[:, side] & targets.at_risk[:, side] & (targets.event[:, side] >= 0)
    soon: Bools = coming & (targets.to_onset_min[:, side] <= LEAD_MIN)
    return soon


def pinball(came_bps: Floats, said_bps: Floats) -> Floats:
    """Return the quantile loss in logs, averaged over levels.

    Shapes: `came_bps` and the result ``(frame,)``; `said_bps` ``(frame, level)``.
    """
    left = np.log(np.maximum(came_bps, 1.0))[:, np.newaxis] - np.log(np.maximum(said_bps, 1.0))
    return np.maximum(SEVERITY_LEVELS * left, (SEVERITY_LEVELS - 1.0) * left).mean(axis=1)

"""What every baseline learns from and is asked, and the score that tunes it.

A baseline forecasts hazards of the three events of `squeeze.times` and is tuned, like the
network, on the right-censored log-loss of the validation span.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from litehedge.features import vector as fv
from litehedge.jit import kernel
from litehedge.market.frames import Frames, segments
from litehedge.squeeze.hazard import N_ONSET, ONSET_EDGES, bin_of
from litehedge.squeeze.targets import Targets
from litehedge.squeeze.times import Times
from litehedge.units import NS_PER_MINUTE

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

TASKS: Final = ("squeeze", "percent", "sigma")
GROUPS: Final = ((0, 4), (4, 6), (6, 7), (7, 9), (9, 13))
"""Bins that share slopes: 0-5, 5-15, 15-30, 30-60 and 60-240 minutes."""
LEAST_HAZARD: Final = 1e-12
NEAR_MIN: Final = 30.0

Progress = Callable[[str], None]
Parameters = Mapping[str, float | str]
Hazards = dict[str, Floats]


@dataclass(frozen=True, slots=True)
class Part:
    """Consecutive frames of one market: features, prices, and what came after.

    Shapes: `end_ns` ``(frame,)``; `features` ``(frame, feature)``; `values` ``(frame, column)``,
    at least the first six of `market.schema`; `tasks` by the names of `TASKS`; `severity_bps`
    ``(event,)`` indexed by ``targets.event``.
    """

    end_ns: Ints
    frame_ns: int
    features: Floats
    values: Floats
    tasks: dict[str, Times]
    targets: Targets
    severity_bps: Floats

    @property
    def warm(self) -> Bools:
        """Where there is enough history for a forecast, ``(frame,)``."""
        return np.isfinite(self.features[:, fv.LOG_SIGMA])

    @property
    def minutes(self) -> float:
        """Length of a frame."""
        return self.frame_ns / NS_PER_MINUTE

    def segments(self) -> Iterator[slice]:
        """Yield the stretches without a gap."""
        return segments(Frames(self.end_ns, self.values, self.frame_ns, 1))

    def elapsed_min(self) -> Floats:
        """Return the minutes between the end of the frame before and of each, ``(frame,)``."""
        return (self.steps() * self.minutes).astype(np.float64)

    def steps(self) -> Ints:
        """Return how many frames after the one before each frame ends, ``(frame,)``; 0 first."""
        return np.diff(self.end_ns, prepend=self.end_ns[:1]) // self.frame_ns


@dataclass(frozen=True, slots=True)
class Observed:
    """Times in bins, ``(frame, side)``.

    `stop` is the number of bins through which a side was at risk and seen, the bin of an event
    included; `own` whether the last of them holds an event of that side.
    """

    stop: Ints
    own: Bools


@dataclass(frozen=True, slots=True)
class Trial:
    """Parameters that were tried, and the validation log-loss per frame of each task."""

    parameters: Parameters
    losses: dict[str, float]

    @property
    def total(self) -> float:
        """Sum over tasks."""
        return sum(self.losses.values())


class Baseline(Protocol):
    """A forecaster of hazards that tunes itself."""

    name: str
    trials: list[Trial]
    chosen: dict[str, Parameters]

    def fit(self, train: list[Part], valid: list[Part], say: Progress) -> None:
        """Fit on `train` for all trials, keep what is best on `valid` for each task."""
        ...

    def hazards(self, part: Part) -> Hazards:
        """Return hazards ``(frame, side, 13)`` of each task; NaN where cold."""
        ...


def observed(times: Times) -> Observed:
    """Put times into bins. A bin counts if it was seen to its end or holds an event.

    Of competing events the first ends the wait for both sides.
    """
    minutes = np.where(times.at_risk, times.minutes, np.inf)
    own = times.happened & times.at_risk
    ended = own
    if times.competing:
        first = minutes.min(axis=1, keepdims=True)
        own = own & (minutes <= first)
        minutes = np.broadcast_to(first, minutes.shape)
        ended = np.broadcast_to(own.any(axis=1, keepdims=True), own.shape)
    event_bin = bin_of(minutes, ONSET_EDGES)
    within = event_bin < N_ONSET
    survived = np.searchsorted(ONSET_EDGES[1:], minutes, side="right")
    stop = np.where(ended & within, event_bin + 1, survived)
    return Observed(np.where(times.at_risk, stop, 0).astype(np.int64), own & within)


def log_loss(hazards: Floats, times: Times) -> Floats:
    """Return the right-censored log-loss of each frame, in nats, ``(frame,)``.

    Competing sides are one observation, others are added up. NaN where the frame asks nothing
    or the hazards ``(frame, side, 13)`` are unknown.
    """
    seen = observed(times)
    out = np.empty(hazards.shape[0])
    _losses(hazards, seen.stop, seen.own, times.competing, out)
    return out


def validation_loss(hazards: list[Floats], parts: list[Part], task: str) -> float:
    """Return the mean log-loss per frame over parts; frames that ask nothing do not count."""
    losses = [log_loss(h, part.tasks[task]) for h, part in zip(hazards, parts, strict=True)]
    return float(np.nanmean(np.concatenate(losses)))


def finished(hazards: Floats, part: Part, task: str) -> Floats:
    """Return valid hazards: at most 1, of competing sides in sum, and NaN where cold."""
    clipped = np.clip(hazards, LEAST_HAZARD, 1.0)
    if part.tasks[task].competing:
        clipped /= np.maximum(clipped.sum(axis=1, keepdims=True), 1.0)
    clipped[~part.warm] = np.nan
    return clipped


def weights_of_frames(part: Part, every: int, near_every: int = 1) -> Floats:
    """Return how much each frame counts in training, ``(frame,)``: 0 where it is left out.

    Neighbouring frames tell nearly the same. Of the frames within `NEAR_MIN` of an event one of
    `near_every` is kept, of the others one of `every`, and stands for all of them. Cold frames
    are left out.
    """
    near = np.zeros(part.end_ns.size, dtype=np.bool_)
    for times in part.tasks.values():
        soon = times.at_risk & times.happened & (times.minutes <= NEAR_MIN)
        near |= soon.any(axis=1)
    turn = np.arange(near.size)
    thin = np.where(near, near_every, every)
    return np.where(part.warm & (turn % thin == 0), thin, 0).astype(np.float64)


@kernel
def _losses(hazards: Floats, stop: Ints, own: Bools, competing: bool, out: Floats) -> None:
    sides = stop.shape[1]
    for i in range(stop.shape[0]):
        total = 0.0
        last = 0
        for side in range(sides):
            last = max(last, stop[i, side])
        for k in range(last):
            survived = 1.0
            happened = False
            for side in range(sides):
                if k >= stop[i, side]:
                    continue
                h = hazards[i, side, k]
                if own[i, side] and k == stop[i, side] - 1:
                    total -= np.log(max(h, 1e-12))
                    happened = True
                elif competing:
                    survived -= h
                else:
                    total -= np.log(max(1.0 - h, 1e-12))
            if competing and not happened:
                total -= np.log(max(survived, 1e-12))
        out[i] = total if last > 0 else np.nan

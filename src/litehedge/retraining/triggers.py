"""When to learn anew before the month is over: pure functions of what the champion said and met.

Four causes: its log-loss has risen (ADWIN: Bifet and Gavalda 2007), its intervals cover too few of
the last squeezes, the market looks less and less like what it learnt from (ADWIN on its
confidence, which follows the distance index), or extreme squeezes come in a cluster. A cause is
acted upon when the episode is over: nobody learns from half a squeeze.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from litehedge.model.optional import train_module
from litehedge.squeeze.labels import RECOVERY_MINUTES, SECOND_TIER_BPS, Squeeze
from litehedge.units import NS_PER_DAY, NS_PER_HOUR, NS_PER_MINUTE

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

EXTREME_WINDOW_NS: Final = NS_PER_DAY


class Cause(enum.StrEnum):
    """Why a retraining begins."""

    ASKED = "asked"  # by a person
    SCHEDULE = "schedule"  # a month is over
    LOG_LOSS = "log_loss"
    COVERAGE = "coverage"
    DRIFT = "drift"
    EXTREMES = "extremes"


class TriggerTerms(msgspec.Struct, frozen=True):
    """When a cause fires.

    `delta` is ADWIN's: the probability of a false alarm in a stretch without change. Of the last
    `coverage_events` squeezes at least the share `coverage` must lie in their intervals. More than
    `extremes` squeezes of at least `extreme_bps` within a day are a cluster.
    """

    delta: float = 0.002
    coverage: float = 0.6
    coverage_events: int = 20
    extremes: int = 3
    extreme_bps: float = SECOND_TIER_BPS


class Fired(msgspec.Struct, frozen=True):
    """A cause, when it was met, and in words."""

    cause: Cause
    time_ns: int
    words: str


@dataclass(frozen=True, slots=True)
class Lived:
    """What the champion said since it serves, and what came.

    Shapes: `end_ns`, `loss` (right-censored log-loss, NaN where nothing was asked), `confidence`
    (NaN where a feed was missing) ``(frame,)``; `covered` ``(event,)`` whether its interval held
    the severity of each squeeze, `covered_ns` when that was known, in the order of time.
    """

    end_ns: Ints
    loss: Floats
    confidence: Floats
    covered: Floats
    covered_ns: Ints
    squeezes: Sequence[Squeeze]


def fired(lived: Lived, terms: TriggerTerms, since_ns: int = 0) -> list[Fired]:
    """Return the causes that were met after `since_ns`, each once, in the order of `Cause`.

    Raises
    ------
    UsageError
        When river is missing.
    """
    found = (
        _changed(lived.end_ns, lived.loss, terms, Cause.LOG_LOSS, rises=True),
        _uncovered(lived, terms),
        _changed(lived.end_ns, lived.confidence, terms, Cause.DRIFT, rises=False),
        clustered(lived.squeezes, terms),
    )
    return [one for one in found if one is not None and one.time_ns > since_ns]


def is_over(squeezes: Sequence[Squeeze], now_ns: int) -> bool:
    """Tell whether no squeeze runs, and none ended within the time that a market recovers in."""
    after_ns = int(RECOVERY_MINUTES * NS_PER_MINUTE)
    return all(not q.onset_ns <= now_ns < q.end_ns + after_ns for q in squeezes)


def hourly(end_ns: Ints, values: Floats) -> tuple[Ints, Floats]:
    """Return the end of every hour that has a value, and the mean of its values."""
    known = np.isfinite(values)
    hour = (end_ns[known] - 1) // NS_PER_HOUR
    numbers, place = np.unique(hour, return_inverse=True)
    if numbers.size == 0:
        return np.empty(0, np.int64), np.empty(0)
    means = np.bincount(place, weights=values[known]) / np.bincount(place)
    return (numbers + 1) * NS_PER_HOUR, means


def _changed(
    end_ns: Ints, values: Floats, terms: TriggerTerms, cause: Cause, *, rises: bool
) -> Fired | None:
    """Return the last change for the worse that ADWIN saw in hourly means, None without one."""
    adwin: Any = train_module("river.drift").ADWIN(delta=terms.delta)
    last: Fired | None = None
    before = 0.0
    for time_ns, mean in zip(*hourly(end_ns, values), strict=True):
        adwin.update(float(mean / (1.0 + mean)))  # ADWIN's bound is of numbers up to one
        now = float(adwin.estimation)
        if adwin.drift_detected and (now > before) == rises:
            what = "its log-loss rose" if rises else "the market looks less like what it learnt"
            last = Fired(cause, int(time_ns), f"{what}: {_back(before):.3f} to {_back(now):.3f}")
        before = now
    return last


def _back(shrunk: float) -> float:
    return shrunk / max(1.0 - shrunk, 1e-9)


def _uncovered(lived: Lived, terms: TriggerTerms) -> Fired | None:
    if lived.covered.size < terms.coverage_events:
        return None
    share = float(lived.covered[-terms.coverage_events :].mean())
    if share >= terms.coverage:
        return None
    return Fired(
        Cause.COVERAGE, int(lived.covered_ns[-1]),
        f"its intervals held {share:.0%} of the last {terms.coverage_events} squeezes",
    )  # fmt: skip


def clustered(squeezes: Sequence[Squeeze], terms: TriggerTerms) -> Fired | None:
    """Return the last cluster of extreme squeezes, None without one."""
    ends = np.sort([q.end_ns for q in squeezes if q.severity_bps >= terms.extreme_bps])
    within = np.arange(1, ends.size + 1) - np.searchsorted(ends, ends - EXTREME_WINDOW_NS, "right")
    at = np.flatnonzero(within > terms.extremes)
    if at.size == 0:
        return None
    return Fired(
        Cause.EXTREMES, int(ends[at[-1]]),
        f"{int(within[at[-1]])} squeezes of {terms.extreme_bps:g} bps or more within a day",
    )  # fmt: skip

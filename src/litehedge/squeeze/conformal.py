"""Intervals that keep their promise: adaptive conformal inference (Gibbs and Candes 2021).

A forecast interval at miscoverage alpha reaches from quantile alpha / 2 to 1 - alpha / 2. The
level at which intervals are made is not the target but a working level that learns from what came:

    alpha <- alpha + gamma (target - missed)

It falls after a miss, so that the next interval is wider. Below zero the interval is everything,
at one and above it is a point, which covers nothing. Whatever the outcomes, even chosen by an
adversary, the share missed over T outcomes is then within (max(alpha_1, 1 - alpha_1) + gamma) /
(gamma T) of the target; when up to D outcomes are not known yet, (1 + D) gamma stands for gamma
in the numerator.

One outcome is one squeeze, known when it has ended; `missed` is the share of its intervals that
missed. Long and short squeezes have a working level each. Intervals are of the time to the peak
and of severity.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from litehedge.jit import kernel

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

TARGET: Final = 0.2
"""Intervals are of 80 per cent."""
GAMMA: Final = 0.01

Interval = Callable[[int, float], tuple[float, float]]


@kernel
def covers(low: float, high: float, outcome: float) -> bool:
    """Return whether an interval covers; one without width covers nothing."""
    return low < high and low <= outcome <= high


@kernel
def severity_quantile(quantiles: Floats, levels: Floats, share: float) -> float:
    """Return the severity below which `share` lies: the inverse of `hazard.tail_probability`.

    Zero at 0 and below, infinite at 1 and above.

    Shapes: both ``(level,)``; quantiles are positive and rising.
    """
    n = levels.size
    if share <= 0.0:
        return 0.0
    if share >= 1.0:
        return np.inf
    if share <= levels[0]:
        return quantiles[0] * share / levels[0]
    i = 1
    while i < n - 1 and share > levels[i]:
        i += 1
    below = quantiles[i - 1]
    span = np.log(quantiles[i] / below)
    if i == n - 1:
        span = max(span, 1e-6)
    a = np.log(1.0 - levels[i - 1])
    b = np.log(1.0 - levels[i])
    return below * np.exp(span * (np.log(1.0 - share) - a) / (b - a))


@kernel
def severity_interval(quantiles: Floats, levels: Floats, alpha: float) -> tuple[float, float]:
    """Return the interval of severity at a working level, in the unit of the quantiles.

    Shapes: both ``(level,)``.
    """
    alpha = min(alpha, 1.0)
    return (
        severity_quantile(quantiles, levels, 0.5 * alpha),
        severity_quantile(quantiles, levels, 1.0 - 0.5 * alpha),
    )


@kernel
def peak_quantile(hazards: Floats, edges: Floats, share: float) -> float:
    """Return the minutes within which the peak comes with probability `share`.

    Zero at 0 and below; infinite where the hazards do not add up to `share` by their horizon.
    `hazard.time_quantile` differs: it is for a peak given that it comes within the horizon.

    Shapes: `hazards` ``(bin,)``; `edges` ``(bin + 1,)``, in minutes.
    """
    if share <= 0.0:
        return 0.0
    before = 0.0
    for k in range(hazards.size):
        after = before + (1.0 - before) * min(hazards[k], 1.0)
        if after >= share:
            inside = (share - before) / (after - before)
            return edges[k] + inside * (edges[k + 1] - edges[k])
        before = after
    return np.inf


@kernel
def peak_interval(hazards: Floats, edges: Floats, alpha: float) -> tuple[float, float]:
    """Return the interval of the time to the peak at a working level, in minutes.

    Shapes: `hazards` ``(bin,)``; `edges` ``(bin + 1,)``.
    """
    if alpha <= 0.0:
        return 0.0, np.inf
    alpha = min(alpha, 1.0)
    return (
        peak_quantile(hazards, edges, 0.5 * alpha),
        peak_quantile(hazards, edges, 1.0 - 0.5 * alpha),
    )


@dataclass(frozen=True, slots=True)
class Replayed:
    """Intervals as they would have been issued.

    Shapes: `low`, `high`, `alpha`, `covered` ``(forecast,)`` in the order given; `final`
    ``(side,)``, the working levels after every outcome. `coverage` weighs every event the same,
    and is NaN without any.
    """

    low: Floats
    high: Floats
    alpha: Floats
    covered: Bools
    final: Floats
    coverage: float


def replay(
    interval: Interval,
    issued_ns: Ints,
    known_ns: Ints,
    side: Ints,
    event: Ints,
    outcome: Floats,
    *,
    gamma: float = GAMMA,
    target: float = TARGET,
) -> Replayed:
    """Issue every interval with what was known by then, and learn from outcomes as they are known.

    Parameters
    ----------
    interval
        Gives the interval of a forecast, by its number, at a working level.
    issued_ns, known_ns
        When each forecast was made, and when its event was over ``(forecast,)``. An event is
        learnt from once, when it is over by the latest of these; a forecast made at that very
        moment knows it.
    side, event
        Whose working level it is; which forecasts share an outcome.
    outcome
        What came, in the unit of the interval.

    Raises
    ------
    ValueError
        When an outcome was known when its forecast was made.
    """
    n = issued_ns.size
    if (known_ns <= issued_ns).any():
        raise ValueError("an outcome was known when its forecast was made")
    low, high, alpha = (np.full(n, np.nan) for _ in range(3))
    covered = np.zeros(n, dtype=np.bool_)
    names, number, frames = np.unique(event, return_inverse=True, return_counts=True)
    over_ns = np.full(names.size, np.iinfo(np.int64).min)
    np.maximum.at(over_ns, number, known_ns)
    missed = np.zeros(names.size)
    whose = np.zeros(names.size, dtype=np.int64)
    working = np.full(2, target)
    pending: list[tuple[int, int]] = []
    begun = np.zeros(names.size, dtype=np.bool_)

    def learn(until_ns: int | None) -> None:
        while pending and (until_ns is None or pending[0][0] <= until_ns):
            e = heapq.heappop(pending)[1]
            working[whose[e]] += gamma * (target - missed[e])

    for i in np.argsort(issued_ns, kind="stable").tolist():
        learn(int(issued_ns[i]))
        alpha[i] = working[side[i]]
        low[i], high[i] = interval(i, float(alpha[i]))
        covered[i] = covers(low[i], high[i], float(outcome[i]))
        e = int(number[i])
        missed[e] += (not covered[i]) / frames[e]
        if not begun[e]:
            begun[e] = True
            whose[e] = side[i]
            heapq.heappush(pending, (int(over_ns[e]), e))
    learn(None)
    coverage = float(1.0 - missed.mean()) if names.size else float("nan")
    return Replayed(low, high, alpha, covered, working, coverage)

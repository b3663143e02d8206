"""Survival mathematics in discrete time: bins, hazards, incidence, censoring.

Time to the next onset is cut into 13 bins up to 240 minutes, time to the peak of a running
squeeze into 12 bins up to 120 minutes. The two sides are competing risks: the hazard of side s
in bin k is P(onset of s in k | no onset of either side before k), and the cumulative incidence

    CIF_s(k) = sum_{j<=k} h_s(j) prod_{i<j} (1 - h_long(i) - h_short(i))

(Kvamme and Borgan 2021; Nnet-survival, Gensheimer and Narasimhan 2019.)
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from litehedge.jit import kernel

Floats = NDArray[np.float64]

ONSET_WIDTHS: Final = (1, 1, 1, 2, 5, 5, 15, 15, 15, 30, 30, 60, 60)  # minutes
PEAK_WIDTHS: Final = (1, 1, 1, 2, 5, 5, 5, 10, 15, 15, 30, 30)  # minutes
ONSET_EDGES: Final[Floats] = np.concatenate(([0.0], np.cumsum(ONSET_WIDTHS)))
PEAK_EDGES: Final[Floats] = np.concatenate(([0.0], np.cumsum(PEAK_WIDTHS)))
N_ONSET: Final = len(ONSET_WIDTHS)
N_PEAK: Final = len(PEAK_WIDTHS)
ONSET_HORIZON_MIN: Final = float(ONSET_EDGES[-1])
PEAK_HORIZON_MIN: Final = float(PEAK_EDGES[-1])


def bin_of(minutes: Floats, edges: Floats) -> NDArray[np.int64]:
    """Return the bin (edge_k, edge_{k+1}] of each time, 0 for zero, the bin count beyond the last.

    Examples
    --------
    >>> bin_of(np.array([0.0, 1.0, 1.5, 240.0, 241.0]), ONSET_EDGES).tolist()
    [0, 0, 1, 12, 13]
    """
    return np.maximum(np.searchsorted(edges, minutes, side="left") - 1, 0)


@kernel
def incidence(hazards: Floats, out: Floats) -> None:
    """Write the cumulative incidence of competing risks.

    Shapes: `hazards` and `out` ``(cause, bin)``.
    """
    alive = 1.0
    for k in range(hazards.shape[1]):
        total = 0.0
        for cause in range(hazards.shape[0]):
            total += hazards[cause, k]
        scale = 1.0 / total if total > 1.0 else 1.0
        for cause in range(hazards.shape[0]):
            before = out[cause, k - 1] if k > 0 else 0.0
            out[cause, k] = before + alive * hazards[cause, k] * scale
        alive *= 1.0 - min(total, 1.0)


@kernel
def incidence_at(cif: Floats, edges: Floats, minutes: float) -> float:
    """Return the cumulative incidence at a time between edges, linear inside a bin.

    Shapes: `cif` ``(bin,)``; `edges` ``(bin + 1,)``, in minutes.
    """
    if minutes <= 0.0:
        return 0.0
    previous = 0.0
    for k in range(cif.size):
        if minutes <= edges[k + 1]:
            share = (minutes - edges[k]) / (edges[k + 1] - edges[k])
            return previous + share * (cif[k] - previous)
        previous = cif[k]
    return previous


@kernel
def time_quantile(cif: Floats, edges: Floats, share: float) -> float:
    """Return when the incidence, given that it happens at all within the horizon, reaches `share`.

    In minutes; NaN when the incidence is zero throughout, or unknown.
    """
    total = cif[cif.size - 1]
    if not total > 0.0:
        return np.nan
    wanted = share * total
    previous = 0.0
    for k in range(cif.size):
        if cif[k] >= wanted:
            inside = (wanted - previous) / (cif[k] - previous) if cif[k] > previous else 1.0
            return edges[k] + inside * (edges[k + 1] - edges[k])
        previous = cif[k]
    return edges[cif.size]


@kernel
def log_likelihood(hazards: Floats, last_bin: int, cause: int) -> float:
    """Return the right-censored log-likelihood of one observation.

    `last_bin` is the bin in which `cause` happened; with `cause` -1 the observation was censored
    after surviving all bins before `last_bin` (a bin that was not observed to its end does not
    count).

    Shapes: `hazards` ``(cause, bin)``.
    """
    total = 0.0
    for k in range(last_bin):
        sum_ = 0.0
        for c in range(hazards.shape[0]):
            sum_ += hazards[c, k]
        total += np.log(max(1.0 - sum_, 1e-12))
    if cause >= 0:
        total += np.log(max(hazards[cause, last_bin], 1e-12))
    return total


@kernel
def tail_probability(
    values: NDArray[np.floating[Any]], first: int, column: int, levels: Floats, x: float
) -> float:
    """Return P(severity > x) from quantiles at rising levels: log-linear inside, Pareto above.

    Below the first quantile the probability falls linearly from 1 at zero. Above the last one
    the tail keeps the slope, in log-log, of the last two.

    Shapes: the quantiles are ``values[first : first + levels.size, column]``, positive and
    rising; `levels` ``(level,)``. Taken by place, because a view costs more than the arithmetic.
    """
    n = levels.size
    if x <= 0.0:
        return 1.0
    if x <= values[first, column]:
        return 1.0 - levels[0] * x / values[first, column]
    for i in range(1, n):
        if x <= values[first + i, column]:
            below = values[first + i - 1, column]
            span = np.log(values[first + i, column] / below)
            share = np.log(x / below) / span if span > 0.0 else 1.0
            a = np.log(1.0 - levels[i - 1])
            b = np.log(1.0 - levels[i])
            return np.exp(a + share * (b - a))
    a = np.log(1.0 - levels[n - 2])
    b = np.log(1.0 - levels[n - 1])
    top = values[first + n - 1, column]
    span = max(np.log(top / values[first + n - 2, column]), 1e-6)
    return np.exp(b + (b - a) / span * np.log(x / top))

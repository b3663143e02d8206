"""How far a forecast may be relied on, and how much wider its intervals have to be.

Confidence is a product of shares in 0..1, each of which asks one thing and none of which makes up
for another:

    min(1, USUAL_DI / di)               is the market like training (distance of its trunk)
    1 / (1 + spread - USUAL_SPREAD)     do the members agree (deviation of their log-odds, nats)
    share_present                       are the families of features there
    1 / max(1, rms_ratio)               are the features of usual size
    min(1, coverage / TARGET_COVERAGE)  have recent intervals kept their promise

No share is above 1, and what is not known (NaN: one member has no spread, no squeeze has ended
yet) asks nothing. What 19 of 20 frames of a validation span show is usual: with five members on
5-minute bars of Litecoin, first half of 2024, an index below 1.7 and a spread below 0.3.

A strange market silences nothing: it makes intervals wider. `widening` stretches the upper
quantiles of severity, and the time to the peak both ways, around their medians in logs.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from litehedge.jit import kernel
from litehedge.squeeze.hazard import ONSET_EDGES, incidence, incidence_at, time_quantile

Floats = NDArray[np.float64]

TARGET_COVERAGE: Final = 0.8
HORIZON_MIN: Final = 30.0
USUAL_DI: Final = 1.7
USUAL_SPREAD: Final = 0.3
WIDEN_FROM_DI: Final = 2.0
WIDEN_FROM_SPREAD: Final = 0.5
WIDEN_PER_DI: Final = 0.5
WIDEN_PER_SPREAD: Final = 0.5
WIDEST: Final = 3.0


@kernel
def confidence(
    di: float, spread: float, share_present: float, rms_ratio: float, coverage: float
) -> float:
    """Return the confidence in 0..1; the formula is at the head of this file.

    Parameters
    ----------
    di
        Dissimilarity index, about 1 in training; lowers nothing up to `USUAL_DI`.
    spread
        Deviation of the members' log-odds of an onset within 30 minutes, in nats; lowers nothing
        up to `USUAL_SPREAD`.
    share_present
        Share of the families that training had which are present, 0..1.
    rms_ratio
        Root mean square of the standardised inputs over the usual one.
    coverage
        Share of recent intervals of 80 per cent that covered.
    """
    out = min(max(share_present, 0.0), 1.0)
    if di > USUAL_DI:
        out *= USUAL_DI / di
    if spread > USUAL_SPREAD:
        out /= 1.0 + spread - USUAL_SPREAD
    if rms_ratio > 1.0:
        out /= rms_ratio
    if coverage < TARGET_COVERAGE:
        out *= max(coverage, 0.0) / TARGET_COVERAGE
    return out


@kernel
def widening(di: float, spread: float) -> float:
    """Return the factor, 1 to 3, by which intervals are stretched.

    It begins beyond what 49 of 50 frames show: an index of 2, a spread of a half.
    """
    factor = 1.0
    if di > WIDEN_FROM_DI:
        factor += WIDEN_PER_DI * (di - WIDEN_FROM_DI)
    if spread > WIDEN_FROM_SPREAD:
        factor += WIDEN_PER_SPREAD * (spread - WIDEN_FROM_SPREAD)
    return min(factor, WIDEST)


@kernel
def stretch_severity(log_quantiles: NDArray[np.floating[Any]], median: int, factor: float) -> None:
    """Stretch the quantiles above the median around it, in place.

    Shapes: `log_quantiles` ``(level,)``, logs of bps; `median` is the index of the median.
    """
    for i in range(median + 1, log_quantiles.size):
        above = log_quantiles[i] - log_quantiles[median]
        log_quantiles[i] = log_quantiles[median] + factor * above


@kernel
def stretch_hazards(hazards: Floats, edges: Floats, factor: float) -> None:
    """Stretch a time to an event around its median in logs, in place.

    The new incidence at time t is the old one at ``median (t / median)^(1 / factor)``: at every
    edge before the median it has risen, at every later one it has fallen. Where the median lies
    beyond the horizon, nothing is known of what follows, and nothing changes.

    Shapes: `hazards` ``(bin,)``; `edges` ``(bin + 1,)``, in minutes.
    """
    n = hazards.size
    cif = np.empty(n)
    left = 1.0
    for k in range(n):
        left *= 1.0 - hazards[k]
        cif[k] = 1.0 - left
    if cif[n - 1] <= 0.5:
        return
    median = time_quantile(cif, edges, 0.5 / cif[n - 1])
    before = 0.0
    for k in range(n):
        t = median * (edges[k + 1] / median) ** (1.0 / factor)
        now = max(incidence_at(cif, edges, t), before)
        hazards[k] = (now - before) / (1.0 - before) if before < 1.0 else 1.0
        before = now


@kernel
def spread_of_members(hazards: NDArray[np.floating[Any]], out: Floats) -> None:
    """Write the deviation between members of the log-odds of an onset within 30 minutes.

    NaN for fewer than two members.

    Shapes: `hazards` ``(member, side, 13)``; `out` ``(side,)``.
    """
    members, sides, bins = hazards.shape
    out[:] = np.nan
    if members < 2:
        return
    one = np.empty((sides, bins))
    cif = np.empty((sides, bins))
    odds = np.empty((members, sides))
    for i in range(members):
        one[:] = hazards[i]
        incidence(one, cif)
        for s in range(sides):
            p = incidence_at(cif[s], ONSET_EDGES, HORIZON_MIN)
            p = min(max(p, 1e-7), 1.0 - 1e-7)
            odds[i, s] = np.log(p / (1.0 - p))
    for s in range(sides):
        mean = odds[:, s].mean()
        out[s] = np.sqrt(((odds[:, s] - mean) ** 2).sum() / (members - 1))

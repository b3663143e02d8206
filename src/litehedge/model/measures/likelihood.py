"""The right-censored log-loss of hazards: the proper score of a time to an event.

A frame whose wait ended in bin k gives the survival of the bins before k and the event in k; a
censored one gives the bins that it survived whole.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from litehedge.jit import kernel
from litehedge.model.measures.trial import CENSORED, Trial
from litehedge.squeeze.hazard import ONSET_EDGES, bin_of

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

LEAST: Final = 1e-7


def log_loss(trial: Trial, hazards: Floats) -> Floats:
    """Return the loss of each frame and side in nats, NaN where not at risk or not foretold.

    Competing sides have one loss together, which stands in the first column; a side that is not
    at risk cannot happen there. The second column is then NaN.

    Shapes: `hazards` ``(frame, side, bin)``; the result ``(frame, side)``.
    """
    out = np.full((len(trial), 2), np.nan)
    for side in range(1 if trial.times.competing else 2):
        if trial.times.competing:
            minutes, cause = joint(trial)
            possible = trial.times.at_risk
        else:
            minutes, cause = trial.first(side)
            possible = np.zeros((len(trial), 2), dtype=np.bool_)
            possible[:, side] = True
        asked = np.isfinite(minutes)
        out[asked, side] = _loss(
            np.ascontiguousarray(hazards[asked]), last_bins(minutes[asked], cause[asked]),
            cause[asked], possible[asked],
        )  # fmt: skip
    return out


def joint(trial: Trial) -> tuple[Floats, Ints]:
    """Return when the wait of competing sides ended and by which; the long side's first if both.

    Shapes: ``(frame,)``; NaN where neither side is at risk.
    """
    minutes, cause = trial.first(0)
    alone, whose = trial.first(1)
    missing = ~trial.times.at_risk[:, 0]
    return np.where(missing, alone, minutes), np.where(missing, whose, cause)


def last_bins(minutes: Floats, cause: Ints) -> Ints:
    """Return the bin of an event, or how many bins a censored frame survived whole."""
    whole = np.searchsorted(ONSET_EDGES[1:], minutes, side="right")
    return np.where(cause == CENSORED, whole, bin_of(minutes, ONSET_EDGES)).astype(np.int64)


@kernel
def _loss(hazards: Floats, last: Ints, cause: Ints, possible: Bools) -> Floats:
    bins = hazards.shape[2]
    out = np.empty(hazards.shape[0])
    for i in range(hazards.shape[0]):
        total = 0.0
        for k in range(min(last[i], bins)):
            any_ = 0.0
            for side in range(2):
                if possible[i, side]:
                    any_ += hazards[i, side, k]
            alive = 1.0 - any_
            total -= np.log(LEAST if alive < LEAST else alive)  # NaN stays NaN
        if cause[i] >= 0 and last[i] < bins:
            h = hazards[i, cause[i], last[i]]
            total -= np.log(LEAST if h < LEAST else h)
        out[i] = total
    return out

"""What may be learnt while a session runs: a few numbers around the model, within hard bounds.

No weight is ever changed. The hazards of the onset move along a line of their logits,

    logit h' = PIVOT + slope (logit h - PIVOT) + shift,    slope > 0,

one line for each side, so that within a bin the order of frames stays (but where both sides
together are all but certain, and give way to one another); the quantiles of severity
are read at another working level (`conformal`), below the target wider and above it narrower. The
values that ship change nothing, to the last bit. What lies beyond the bounds is never taken up.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from litehedge.jit import kernel
from litehedge.squeeze import forecast as fc
from litehedge.squeeze.conformal import TARGET, severity_quantile
from litehedge.squeeze.hazard import N_ONSET

Floats = NDArray[np.float64]
Values = tuple[float, ...]
"""All that was learnt, in the order of `NAMES`."""

PIVOT: Final = -5.0
"""Logit of a hazard around which a slope turns: about that of an hour's bin in a usual market."""

NAMES: Final = (
    "onset slope, long", "onset shift, long", "onset slope, short", "onset shift, short",
    "severity miss, long", "severity miss, short", "half spread", "impact",
)  # fmt: skip
SLOPE, SHIFT, MISS, HALF_SPREAD, IMPACT = 0, 1, 4, 6, 7
"""Places of the long side's slope and shift (the short side's come two later), and the rest."""

SHIPPED: Final[Values] = (1.0, 0.0, 1.0, 0.0, TARGET, TARGET, 1.0, 1.0)
LOWEST: Final[Values] = (0.7, -0.7, 0.7, -0.7, 0.05, 0.05, 0.5, 0.5)
HIGHEST: Final[Values] = (1.4, 0.7, 1.4, 0.7, 0.3, 0.3, 4.0, 4.0)
"""Shifts are nats of the log odds: at most about twice or half as likely. A working level may go
far down, which widens an interval, and a little up. Costs are factors of what the settings say,
and may rise further than they fall."""

LARGEST_BPS: Final = math.exp(9.2)
MOST_HAZARD: Final = 0.99
"""Of both sides together in one bin."""
_CLIP: Final = 1e-12
_COLD: Final = float(fc.ForecastState.COLD)
_MEDIAN: Final = int(np.flatnonzero(fc.SEVERITY_LEVELS == 0.5)[0])


def fault_of(values: Sequence[float]) -> str:
    """Say why values may not be taken up, "" where they may."""
    if len(values) != len(NAMES):
        return f"{len(values)} values, and {len(NAMES)} are known"
    for name, value, low, high in zip(NAMES, values, LOWEST, HIGHEST, strict=True):
        if not low <= value <= high:  # NaN is not
            return f"{name} of {value:g} is outside of {low:g} to {high:g}"
    return ""


def changes_nothing(values: Sequence[float]) -> bool:
    """Tell whether forecasts stay as the model makes them."""
    return tuple(values[:HALF_SPREAD]) == SHIPPED[:HALF_SPREAD]


def corrected(row: Floats, values: Sequence[float]) -> Floats:
    """Return a forecast row as what was learnt has it; the same row where that changes nothing.

    A row that is cold or expired stays as it is.

    Shapes: `row` ``(N_FORECAST,)``; `values` as `NAMES`.
    """
    if changes_nothing(values):
        return row
    out = row.copy()
    correct(out, np.array(values))
    return out


def corrected_all(rows: Floats, values: Sequence[float]) -> Floats:
    """Return many rows ``(frame, N_FORECAST)`` as `corrected` returns one."""
    out = rows.copy()
    if not changes_nothing(values):
        _correct_all(out, np.array(values))
    return out


@kernel
def _correct_all(rows: Floats, values: Floats) -> None:
    for i in range(rows.shape[0]):
        correct(rows[i], values)


@kernel
def correct(row: Floats, values: Floats) -> None:
    """Correct a row in place; hazards that are 0, 1 or unknown stay so.

    The sides compete: where both are so likely that their hazards would sum to more than
    `MOST_HAZARD`, and to more than before, both give way in proportion.

    Shapes: `row` ``(N_FORECAST,)``; `values` as `NAMES`.
    """
    if not row[fc.STATE_AT] < _COLD:
        return
    levels = np.empty(fc.N_SEVERITY)
    before = np.empty(N_ONSET)
    for k in range(N_ONSET):
        before[k] = row[fc.ONSET_AT + k] + row[fc.ONSET_AT + N_ONSET + k]
    for side in range(2):
        slope = values[SLOPE + 2 * side]
        shift = values[SHIFT + 2 * side]
        if slope != 1.0 or shift != 0.0:
            for k in range(N_ONSET):
                at = fc.ONSET_AT + side * N_ONSET + k
                h = row[at]
                if h > _CLIP and h < 1.0 - _CLIP:
                    x = PIVOT + slope * (np.log(h / (1.0 - h)) - PIVOT) + shift
                    row[at] = 1.0 / (1.0 + np.exp(-x))
        miss = values[MISS + side]
        if miss == TARGET:
            continue
        at = fc.SEVERITY_AT + side * fc.N_SEVERITY
        for i in range(fc.N_SEVERITY):
            levels[i] = row[at + i]
        if not (levels[0] > 0.0 and np.isfinite(levels[fc.N_SEVERITY - 1])):
            continue
        for i in range(fc.N_SEVERITY):
            if i == _MEDIAN:
                continue
            share = fc.SEVERITY_LEVELS[i] * miss / TARGET
            if i > _MEDIAN:
                share = 1.0 - (1.0 - fc.SEVERITY_LEVELS[i]) * miss / TARGET
            most = max(levels[i], LARGEST_BPS)
            row[at + i] = min(severity_quantile(levels, fc.SEVERITY_LEVELS, share), most)
    for k in range(N_ONSET):
        at, other = fc.ONSET_AT + k, fc.ONSET_AT + N_ONSET + k
        total, most = row[at] + row[other], max(MOST_HAZARD, before[k])
        if total > most:
            row[at] *= most / total
            row[other] *= most / total

"""Forecast rows that mean harm, or that are broken; none of them says so.

What a forecaster is replaced by, from the first minute on, to see what guards are worth when it is
wrong. `wrong` is milder: there a forecaster goes wrong on some day.
"""

from __future__ import annotations

import enum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from litehedge.squeeze import forecast as fc
from litehedge.squeeze.hazard import N_ONSET, N_PEAK
from litehedge.squeeze.targets import PHASES

Floats = NDArray[np.float64]

CALM_VOL: Final = 1e-7  # per root minute: a price that never moves
WILD_VOL: Final = 0.05
AHEAD_MIN: Final = 60
BIG: Final = 0.01
"""Who says the opposite looks `AHEAD_MIN` ahead, and calls a move of this share a squeeze."""


def told(onset: Floats, vol: float, severity_bps: float, *, inside: float) -> Floats:
    """Return a row that is sure of itself. `onset` ``(2,)``: hazard per bin of each side."""
    row = np.zeros(fc.N_FORECAST)
    row[fc.ONSET_AT : fc.PEAK_AT] = np.repeat(onset, N_ONSET)
    row[fc.PEAK_AT : fc.SEVERITY_AT] = np.repeat(np.full(2, 0.5), N_PEAK)
    steps = np.linspace(0.5, 2.0, fc.N_SEVERITY)
    row[fc.SEVERITY_AT : fc.PHASE_AT] = np.tile(severity_bps * steps, 2)
    row[fc.PHASE_AT : fc.VOL_AT] = (1.0 - inside) / (len(PHASES) - 1)
    row[fc.PHASE_AT + 2] = inside
    row[fc.VOL_AT : fc.CONFIDENCE_AT] = vol
    row[fc.CONFIDENCE_AT] = 1.0
    row[fc.STATE_AT] = fc.ForecastState.OK
    return row


def unknown() -> Floats:
    """Return a row without a number that claims to be well."""
    row = np.full(fc.N_FORECAST, np.nan)
    row[fc.CONFIDENCE_AT], row[fc.STATE_AT] = 1.0, fc.ForecastState.OK
    return row


NEVER: Final = told(np.zeros(2), CALM_VOL, 1e-3, inside=0.0)
NOW: Final = told(np.full(2, 0.5), WILD_VOL, 3_000.0, inside=1.0)


def opposite(fall: float, rise: float) -> Floats:
    """Return the opposite of what comes, of the largest fall and rise as shares of price."""
    if max(fall, rise) < BIG:
        return NOW  # nothing is coming: cry wolf
    onset = np.array([0.0, 0.5]) if fall > rise else np.array([0.5, 0.0])
    return told(onset, CALM_VOL, 1e-3, inside=0.0)


class Mind(enum.IntEnum):
    """What the forecaster is replaced by."""

    RIGHT = 0
    SILENT = 1
    NAN = 2
    OPPOSITE = 3


ABOUT: Final = {
    Mind.RIGHT: "as it is",
    Mind.SILENT: "it always says 0: no squeeze, and a price that never moves",
    Mind.NAN: "all its numbers are NaN, and it says that it is well",
    Mind.OPPOSITE: f"it knows the next {AHEAD_MIN} minutes and says the opposite",
}


def rows_of(mind: Mind, right: Floats, bars: Floats) -> Floats:
    """Return what a mind says of every bar, ``(bar, N_FORECAST)``.

    Shapes: `right` ``(bar, N_FORECAST)``, what the forecaster says; `bars` ``(bar, 5)``.
    """
    if mind is Mind.RIGHT:
        return right
    if mind is Mind.SILENT:
        return np.broadcast_to(NEVER, right.shape)
    if mind is Mind.NAN:
        return np.broadcast_to(unknown(), right.shape)
    highest, lowest = (ahead(bars[:, 1], np.maximum), ahead(bars[:, 2], np.minimum))
    falls, rises = 1.0 - lowest / bars[:, 3], highest / bars[:, 3] - 1.0
    said = np.array([NOW, opposite(1.0, 0.0), opposite(0.0, 1.0)])
    which = np.where(np.maximum(falls, rises) < BIG, 0, np.where(falls > rises, 1, 2))
    return said[which]


def ahead(values: Floats, extreme: np.ufunc) -> Floats:
    """Return the extreme of the `AHEAD_MIN` values after each; of fewer at the end.

    The last one, which has none after it, is its own.
    """
    padded = np.concatenate((values[1:], np.full(AHEAD_MIN, values[-1])))
    windows = np.lib.stride_tricks.sliding_window_view(padded, AHEAD_MIN)
    return np.asarray(extreme.reduce(windows, axis=1))[: values.size]

"""What policies may look at in one frame: the forecast boiled down, plus what simple rules use.

Signals are float32, ``(signal, frame)``: years of 5-second frames fit in memory, and a loop over
frames touches only the signals that its policy reads. Engine and backtest read the same rounded
numbers. Kernels take the whole array and a frame's number.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from litehedge.features import vector as fv
from litehedge.jit import kernel
from litehedge.squeeze import forecast as fc
from litehedge.squeeze.hazard import (
    N_ONSET,
    N_PEAK,
    ONSET_EDGES,
    PEAK_EDGES,
    incidence,
    incidence_at,
    time_quantile,
)
from litehedge.squeeze.targets import BEFORE

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]

HORIZONS_MIN: Final = (15.0, 60.0, 240.0)

# Layout; pairs are (long squeeze, short squeeze)
STATE: Final = 0
CONFIDENCE: Final = 1
ONSET: Final = 2  # (side, horizon) probability of an onset within 15, 60, 240 minutes
SEVERITY: Final = ONSET + 2 * len(HORIZONS_MIN)  # (side, level) quantiles, fraction of price
VOL_30: Final = (
    SEVERITY + 2 * fc.N_SEVERITY
)  # forecast volatility per root minute over the next 30 minutes
VOL_120: Final = VOL_30 + 1  # the same over 120 minutes
SIGMA: Final = VOL_120 + 1  # slow volatility per root minute
VOL_RULE: Final = SIGMA + 1  # volatility of 5-minute returns, span 60 minutes
MOVE_15M: Final = VOL_RULE + 1  # log return over 15 minutes
VOLUME: Final = MOVE_15M + 1  # LTC per minute, mean of about an hour
FUNDING: Final = VOLUME + 1  # last settled funding rate, as a fraction
DEPTH: Final = FUNDING + 1  # USDT within 1 % of mid, of the thinner side; NaN without a fresh book
PHASE: Final = DEPTH + 1  # probability of being before, in, after a squeeze of either side
PEAK: Final = PHASE + 3  # (side,) median minutes to the peak of a squeeze, if inside one
ORACLE: Final = PEAK + 2  # (side,) 1 inside a squeeze, onset to peak: only known afterwards
N_SIGNALS: Final = ORACLE + 2

COLD: Final = float(fc.ForecastState.COLD)
LEEWAY: Final = 1e-6  # rounding may take a probability over the edge
LARGEST_BPS: Final = 1e6  # of a forecast move


@kernel
def is_sound(forecast: Floats) -> bool:
    """Tell whether a forecast row can have been meant: its numbers lie where theirs do.

    What is unknown (NaN) is no offence, but for the state, and for a forecast that says it is well:
    it has a confidence, and knows something. A row that is cold or expired says nothing else.
    """
    state = forecast[fc.STATE_AT]
    if not (state >= 0.0 and state <= 3.0) or state != np.floor(state):
        return False
    if state >= 2.0:
        return True
    confidence = forecast[fc.CONFIDENCE_AT]
    if not (confidence >= 0.0 and confidence <= 1.0 + LEEWAY):
        return False
    knows = False
    for i in range(fc.CONFIDENCE_AT):
        knows = knows or not np.isnan(forecast[i])
        most = 1.0 + LEEWAY
        if fc.SEVERITY_AT <= i < fc.PHASE_AT:
            most = LARGEST_BPS
        if forecast[i] < -LEEWAY or forecast[i] > most:
            return False
    return knows


@kernel
def write_signals(
    forecast: Floats, features: Floats, cif: Floats, out: Singles, frame: int
) -> None:
    """Boil one forecast row and feature row down to signals; the oracle's entries become 0.

    A row that is not sound (`is_sound`) counts as cold, so that policies fall back on their rule.

    Shapes: `forecast` ``(N_FORECAST,)``; `features` ``(feature,)``; `cif` is scratch space
    ``(2, 13)``; `out` ``(N_SIGNALS, frame)``, of which column `frame` is written.
    """
    if not is_sound(forecast):
        forecast = np.full(fc.N_FORECAST, np.nan)
        forecast[fc.CONFIDENCE_AT] = 0.0
        forecast[fc.STATE_AT] = COLD
    out[STATE, frame] = forecast[fc.STATE_AT]
    out[CONFIDENCE, frame] = forecast[fc.CONFIDENCE_AT]
    onset = forecast[fc.ONSET_AT : fc.PEAK_AT].reshape(2, N_ONSET)
    incidence(onset, cif)
    for side in range(2):
        for h in range(len(HORIZONS_MIN)):
            out[ONSET + side * len(HORIZONS_MIN) + h, frame] = incidence_at(
                cif[side], ONSET_EDGES, HORIZONS_MIN[h]
            )
        for level in range(fc.N_SEVERITY):
            i = side * fc.N_SEVERITY + level
            out[SEVERITY + i, frame] = forecast[fc.SEVERITY_AT + i] * 1e-4
    out[VOL_30, frame] = forecast[fc.VOL_AT + 1]
    out[VOL_120, frame] = forecast[fc.VOL_AT + 2]
    out[SIGMA, frame] = np.exp(features[fv.LOG_SIGMA])
    out[VOL_RULE, frame] = features[fv.VOL_RULE]
    out[MOVE_15M, frame] = features[fv.MOVE_15M]
    out[VOLUME, frame] = features[fv.VOLUME_PER_MIN]
    out[FUNDING, frame] = features[fv.FUNDING_BPS] * 1e-4
    out[DEPTH, frame] = features[fv.DEPTH]
    for i in range(3):
        out[PHASE + i, frame] = forecast[fc.PHASE_AT + BEFORE + i]
    peak = forecast[fc.PEAK_AT : fc.SEVERITY_AT].reshape(2, N_PEAK)
    for side in range(2):
        incidence(peak[side : side + 1], cif[side : side + 1, :N_PEAK])
        out[PEAK + side, frame] = time_quantile(cif[side, :N_PEAK], PEAK_EDGES, 0.5)
    out[ORACLE, frame] = 0.0
    out[ORACLE + 1, frame] = 0.0


@kernel
def write_all_signals(
    forecasts: Floats, features: Floats, places: NDArray[np.int64], out: Singles
) -> None:
    """Do `write_signals` for many frames; frame number i goes to column ``places[i]``.

    Shapes: `forecasts` and `features` ``(frame, ...)``; a negative place skips its frame.
    """
    cif = np.empty((2, N_ONSET))
    for i in range(places.size):
        if places[i] >= 0:
            write_signals(forecasts[i], features[i], cif, out, places[i])

"""Whether a forecaster that somebody brings does what the engine takes for granted."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from litehedge.errors import ArtefactError
from litehedge.features import vector as fv
from litehedge.model.layout import AGES
from litehedge.squeeze import forecast as fc
from litehedge.squeeze.forecast import Forecaster, ForecastState

Floats = NDArray[np.float64]

FRAMES: Final = AGES + 20
_CLOSE: Final = 1e-5


def probe(forecaster: Forecaster, frame_ns: int) -> None:
    """Feed a forecaster made-up frames, in one batch and one by one.

    Raises
    ------
    ArtefactError
        When it stays cold, puts out what no forecast can be, or says other things frame by frame
        than in a batch: a backtest would then not be what the engine does.
    """
    features = _features()
    end_ns = frame_ns * np.arange(1, FRAMES + 1, dtype=np.int64)
    whole = forecaster.batch(
        forecaster.start(1), np.zeros(FRAMES, dtype=np.int64), end_ns, features
    )
    memory = forecaster.start(1)
    single = np.array(
        [
            forecaster.step(memory, 0, end, x)
            for end, x in zip(end_ns.tolist(), features, strict=True)
        ]
    )
    remedy = "see litehedge.model.graph for what a network must do"
    last = whole[-1]
    if last[fc.STATE_AT] == ForecastState.COLD or not np.isfinite(last).all():
        raise ArtefactError(f"the model says nothing after {FRAMES} frames", remedy)
    shares = np.concatenate((last[: fc.SEVERITY_AT], last[fc.PHASE_AT : fc.VOL_AT]))
    severity = last[fc.SEVERITY_AT : fc.PHASE_AT].reshape(2, fc.N_SEVERITY)
    if (shares < 0.0).any() or (shares > 1.0).any() or (np.diff(severity, axis=1) < 0.0).any():
        raise ArtefactError("the model's probabilities or quantiles cannot be", remedy)
    if not np.allclose(single, whole, rtol=_CLOSE, atol=_CLOSE, equal_nan=True):
        raise ArtefactError("the model says other things frame by frame than in a batch", remedy)


def _features() -> Floats:
    """Features that swing, each at its own pace; like none in particular, the same every time."""
    frame = np.arange(FRAMES, dtype=np.float64)[:, np.newaxis]
    feature = np.arange(fv.N_FEATURES, dtype=np.float64)
    out: Floats = np.sin(0.1 * frame * (1.0 + 0.37 * feature) + feature)
    out[:, fv.LOG_SIGMA] = -7.0
    return out

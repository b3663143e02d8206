"""Raw outputs that say the same of every frame: what was true on average in training."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from litehedge.model import layout as ly
from litehedge.model.material import Material
from litehedge.squeeze.forecast import SEVERITY_LEVELS
from litehedge.squeeze.hazard import N_ONSET, N_PEAK

Singles = NDArray[np.float32]
Floats = NDArray[np.float64]


def base_rates(train: Sequence[Material]) -> Singles:
    """Return the constant raw output ``(N_RAW,)`` with the best loss, nearly."""
    out = np.zeros(ly.N_RAW)
    bins = np.concatenate([m.onset_bin for m in train])
    cause = np.concatenate([m.onset_cause for m in train])
    came = cause >= 0
    risk = np.concatenate([m.onset_risk for m in train])
    onset = np.stack(
        [
            _rates(np.where(risk[:, side], bins, -1), came, N_ONSET, cause == side)
            for side in range(2)
        ]
    )
    none = np.maximum(1.0 - onset.sum(axis=0), 1e-3)
    out[ly.ONSET] = np.log(onset / none).ravel()
    b = np.concatenate([m.passage_bin for m in train])
    hit = np.concatenate([m.passage_hit for m in train])
    out[ly.PASSAGE] = np.concatenate(
        [_logit(_rates(b[:, k, s], hit[:, k, s], N_ONSET)) for k in range(2) for s in range(2)]
    )
    b = np.concatenate([m.peak_bin for m in train])
    hit = np.concatenate([m.peak_hit for m in train])
    out[ly.PEAK] = np.concatenate([_logit(_rates(b[:, s], hit[:, s], N_PEAK)) for s in range(2)])
    severity = np.concatenate([m.severity for m in train])
    steps = []
    for side in range(2):
        known = severity[~np.isnan(severity[:, side]), side]
        levels = np.quantile(known, SEVERITY_LEVELS) if known.size else np.log(
            [160.0, 250.0, 500.0, 650.0, 1000.0]
        )  # fmt: skip
        gaps = np.maximum(np.diff(levels), 1e-3)
        steps.append(np.concatenate((levels[:1], np.log(np.expm1(gaps)))))
    out[ly.SEVERITY] = np.concatenate(steps)
    phases = np.concatenate([m.phase for m in train])
    phase = np.bincount(phases[phases >= 0], minlength=4) + 1.0
    out[ly.PHASE] = np.log(phase / phase.sum())
    vol = np.concatenate([m.vol for m in train])
    known = ~np.isnan(vol)
    total = np.where(known, vol, 0.0).sum(axis=0)
    out[ly.VOL] = np.where(known.any(axis=0), total / np.maximum(known.sum(axis=0), 1), -8.0)
    return out.astype(np.float32)


def _rates(
    last: NDArray[np.int8], hit: NDArray[np.bool_], bins: int, own: NDArray[np.bool_] | None = None
) -> Floats:
    """Return the hazard of each bin over everything that reached it; never quite 0.

    `hit`: the last bin ended with an event; `own`: with the one that is asked about.
    """
    own = hit if own is None else own
    ended = np.bincount(last[hit & (last >= 0)], minlength=bins)[:bins]
    mine = np.bincount(last[own & (last >= 0)], minlength=bins)[:bins]
    reached = np.array([(last > k).sum() for k in range(bins)]) + ended
    return np.clip((mine + 0.01) / (reached + 1.0), 1e-5, 0.9)


def _logit(p: Floats) -> Floats:
    out: Floats = np.log(p / (1.0 - p))
    return out

"""How good a forecaster is on data it has not seen: proper scores, with intervals over events.

Intervals come from a bootstrap over blocks of days, since frames of one squeeze are not
independent. This file grows with the network; today it scores what the logistic card states.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from litehedge.features import vector as fv
from litehedge.model.artefact import Score
from litehedge.model.sklearn import sklearn_module
from litehedge.squeeze import forecast as fc
from litehedge.squeeze.hazard import N_ONSET, ONSET_EDGES, incidence, incidence_at
from litehedge.squeeze.labels import SIDES
from litehedge.squeeze.targets import Targets
from litehedge.units import NS_PER_DAY

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

HORIZON_MIN: Final = 30.0
BLOCK_DAYS: Final = 3
DRAWS: Final = 100


def onset_probabilities(rows: Floats, minutes: float) -> Floats:
    """Return P(onset within `minutes`), ``(frame, side)``, of forecast rows; NaN while cold."""
    out = np.full((rows.shape[0], 2), np.nan)
    cif = np.empty((2, N_ONSET))
    for i in np.flatnonzero(np.isfinite(rows[:, fc.ONSET_AT])):
        incidence(rows[i, fc.ONSET_AT : fc.PEAK_AT].reshape(2, N_ONSET), cif)
        for side in range(2):
            out[i, side] = incidence_at(cif[side], ONSET_EDGES, minutes)
    return out


def onset_scores(
    end_ns: Ints, rows: Floats, features: Floats, targets: Targets, seed: int
) -> tuple[dict[str, Score], dict[str, Score]]:
    """Score the onset within 30 minutes, per side; volatility alone and the base rate beside it.

    Returns
    -------
    tuple
        Scores of the model and of the baselines: ``auc_30_long``, ``ap_30_long``,
        ``brier_skill_30_long`` (against the base rate of this span), ``slope_30_long``
        (calibration slope; 1 is right), ``base_rate_30_long``, ``vol_auc_30_long``,
        ``vol_ap_30_long``, and the same for the short side.
    """
    probabilities = onset_probabilities(rows, HORIZON_MIN)
    scores: dict[str, Score] = {}
    baselines: dict[str, Score] = {}
    rng = np.random.default_rng(seed)
    for side, name in enumerate(SIDES):
        happened = targets.has_onset[:, side] & (targets.to_onset_min[:, side] <= HORIZON_MIN)
        known = happened | (targets.to_onset_min[:, side] > HORIZON_MIN)
        rows_used = known & targets.at_risk[:, side] & np.isfinite(probabilities[:, side])
        y = happened[rows_used]
        p = probabilities[rows_used, side]
        if y.sum() < 5:
            continue
        vol = _best_volatility(y, features[rows_used])
        blocks = end_ns[rows_used] // (BLOCK_DAYS * NS_PER_DAY)
        suffix = f"30_{name}"
        measured = _bootstrap(y, p, vol, blocks, rng)
        for key in ("auc", "ap", "brier_skill", "slope"):
            scores[f"{key}_{suffix}"] = measured[key]
        for key in ("base_rate", "vol_auc", "vol_ap"):
            baselines[f"{key}_{suffix}"] = measured[key]
    return scores, baselines


def _best_volatility(y: NDArray[np.bool_], features: Floats) -> Floats:
    """Return the volatility that ranks the outcomes best: as it is, or relative to the slow one."""
    metrics = sklearn_module("metrics")
    candidates = [np.nan_to_num(features[:, fv.INDEX[name]]) for name in ("vol_rule", "vol_60m")]
    return max(candidates, key=lambda vol: float(metrics.average_precision_score(y, vol)))


def _measure(y: NDArray[np.bool_], p: Floats, vol: Floats) -> dict[str, float]:
    metrics = sklearn_module("metrics")
    rate = float(y.mean())
    return {
        "auc": float(metrics.roc_auc_score(y, p)),
        "ap": float(metrics.average_precision_score(y, p)),
        "brier_skill": float(1.0 - np.mean((p - y) ** 2) / np.mean((rate - y) ** 2)),
        "slope": calibration_slope(y, p),
        "base_rate": rate,
        "vol_auc": float(metrics.roc_auc_score(y, vol)),
        "vol_ap": float(metrics.average_precision_score(y, vol)),
    }


def calibration_slope(y: NDArray[np.bool_], p: Floats) -> float:
    """Return the slope of a logistic regression of the outcome on logit(p): 1 when calibrated."""
    linear_model = sklearn_module("linear_model")
    clipped = np.clip(p, 1e-6, 1 - 1e-6)
    logit = np.log(clipped / (1.0 - clipped))
    model = linear_model.LogisticRegression(C=1e6, max_iter=200)
    return float(model.fit(logit[:, np.newaxis], y).coef_[0, 0])


def _bootstrap(
    y: NDArray[np.bool_], p: Floats, vol: Floats, blocks: Ints, rng: np.random.Generator
) -> dict[str, Score]:
    point = _measure(y, p, vol)
    names, inverse = np.unique(blocks, return_inverse=True)
    members = [np.flatnonzero(inverse == b) for b in range(names.size)]
    draws: dict[str, list[float]] = {key: [] for key in point}
    for _ in range(DRAWS):
        picked = rng.integers(0, names.size, names.size)
        rows = np.concatenate([members[b] for b in picked])
        if not 0 < y[rows].sum() < rows.size:
            continue
        for key, value in _measure(y[rows], p[rows], vol[rows]).items():
            draws[key].append(value)
    return {
        key: Score(
            round(value, 4),
            round(float(np.quantile(draws[key], 0.05)), 4),
            round(float(np.quantile(draws[key], 0.95)), 4),
        )
        for key, value in point.items()
    }

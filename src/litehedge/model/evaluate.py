"""What the card of a model says of its skill; the measures themselves are in `measures`."""

from __future__ import annotations

from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from litehedge.features import vector as fv
from litehedge.model.artefact import Score
from litehedge.model.measures.blocks import Drawn, ratio, summed
from litehedge.model.measures.calibration import recalibration
from litehedge.model.measures.measure import LEAST_HITS, scores_of
from litehedge.model.measures.ranks import ranks
from litehedge.model.measures.trial import Trial
from litehedge.squeeze import forecast as fc
from litehedge.squeeze.hazard import N_ONSET, ONSET_EDGES, incidence, incidence_at
from litehedge.squeeze.labels import SIDES
from litehedge.squeeze.targets import Targets
from litehedge.squeeze.times import squeeze_times

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

HORIZON_MIN: Final = 30.0
DRAWS: Final = 100
DIGITS: Final = 4
VOLATILITIES: Final = ("vol_rule", "vol_60m")


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
    trial = Trial.of(squeeze_times(targets), end_ns, draws=DRAWS, seed=seed)
    scores: dict[str, Drawn] = {}
    baselines: dict[str, Drawn] = {}
    for side, name in enumerate(SIDES):
        known, happened = trial.outcome(side, HORIZON_MIN)
        used = known & np.isfinite(probabilities[:, side])
        y, p, block = happened[used], probabilities[used, side], trial.block[used]
        if not LEAST_HITS <= y.sum() < y.size:
            continue
        counts = trial.counts
        suffix = f"30_{name}"
        scores[f"auc_{suffix}"], scores[f"ap_{suffix}"] = ranks(p, y, block, counts)
        missed = summed(np.square(p - y), block, counts)
        plain = summed(np.square(y.mean() - y), block, counts)
        scores[f"brier_skill_{suffix}"] = ratio(plain - missed, plain)
        scores[f"slope_{suffix}"], _ = recalibration(p, y, block, counts)
        hits = summed(y.astype(np.float64), block, counts)
        baselines[f"base_rate_{suffix}"] = ratio(hits, summed(np.ones(y.size), block, counts))
        # Volatility as it is, or relative to the slow one: whichever ranks the outcomes better.
        candidates = [
            ranks(np.nan_to_num(features[used, fv.INDEX[v]]), y, block, counts)
            for v in VOLATILITIES
        ]
        auc, ap = max(candidates, key=lambda measured: measured[1].value)
        baselines |= {f"vol_auc_{suffix}": auc, f"vol_ap_{suffix}": ap}
    return _rounded(scores), _rounded(baselines)


def _rounded(drawn: dict[str, Drawn]) -> dict[str, Score]:
    return {
        key: Score(*(round(value, DIGITS) for value in msgspec.structs.astuple(score)))
        for key, score in scores_of(drawn).items()
    }

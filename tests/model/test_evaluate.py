"""What the card of a model states, against scikit-learn on the same frames."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics
from test_measures import TRIAL, N

from forecasters import logistic
from litehedge.features import vector as fv
from litehedge.model.evaluate import onset_probabilities, onset_scores
from litehedge.squeeze import forecast as fc
from litehedge.squeeze.forecast import from_scratch
from litehedge.squeeze.targets import Targets

KEYS = {"auc", "ap", "brier_skill", "slope"}
BASE_KEYS = {"base_rate", "vol_auc", "vol_ap"}


def made():
    rng = np.random.default_rng(0)
    features = rng.normal(size=(N, fv.N_FEATURES))
    features[:, fv.LOG_SIGMA] = -7.0
    features[:30, fv.LOG_SIGMA] = np.nan  # cold
    none = np.full((N, 2), np.nan)
    minutes, happened = TRIAL.times.minutes.copy(), TRIAL.times.happened.copy()
    targets = Targets(
        minutes, happened, TRIAL.times.at_risk, np.zeros((N, 2), bool), none, none,
        np.full((N, 2), -1), np.zeros(N, dtype=np.int64), none,
    )  # fmt: skip
    return features, targets, from_scratch(logistic(3), TRIAL.end_ns, features)


def test_the_card_states_what_scikit_learn_finds():
    features, targets, rows = made()
    scores, baselines = onset_scores(TRIAL.end_ns, rows, features, targets, 0)
    assert set(scores) == {f"{key}_30_{side}" for key in KEYS for side in ("long", "short")}
    assert set(baselines) == {f"{key}_30_{side}" for key in BASE_KEYS for side in ("long", "short")}
    p = onset_probabilities(rows, 30.0)
    for side, name in enumerate(("long", "short")):
        known, happened = TRIAL.outcome(side, 30.0)
        used = known & np.isfinite(p[:, side])
        assert used.sum() < known.sum()
        y, q = happened[used], p[used, side]
        expected = {
            "auc": metrics.roc_auc_score(y, q), "ap": metrics.average_precision_score(y, q),
            "brier_skill": 1.0 - np.mean((q - y) ** 2) / np.mean((y.mean() - y) ** 2),
        }  # fmt: skip
        for key, value in expected.items():
            score = scores[f"{key}_30_{name}"]
            assert score.value == pytest.approx(value, abs=5.1e-5)
            assert score.low <= score.value <= score.high
        assert baselines[f"base_rate_30_{name}"].value == pytest.approx(y.mean(), abs=5.1e-5)
        vols = [features[used, fv.INDEX[v]] for v in ("vol_rule", "vol_60m")]
        best = max(metrics.average_precision_score(y, v) for v in vols)
        assert baselines[f"vol_ap_30_{name}"].value == pytest.approx(best, abs=5.1e-5)


def test_without_events_a_card_states_nothing():
    features, targets, rows = made()
    targets.has_onset[:] = False
    targets.to_onset_min[:] = 1e5
    assert onset_scores(TRIAL.end_ns, rows[:, : fc.N_FORECAST], features, targets, 0) == ({}, {})

"""The solver: against scikit-learn, and on hazards that were planted."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from litehedge.model.baselines.hazard_fit import base_hazards, fit_side
from litehedge.model.baselines.part import GROUPS
from litehedge.squeeze.hazard import N_ONSET


def planted(n, slope, seed):
    """Bins in which events came, of hazards logistic in a score."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 2))
    hazard = 1.0 / (1.0 + np.exp(3.5 - x @ slope))
    came = rng.random((n, N_ONSET)) < hazard[:, np.newaxis]
    own = came.any(axis=1)
    return x, np.where(own, came.argmax(axis=1) + 1, N_ONSET), own, hazard


def test_planted_slopes_come_back_in_every_group():
    slope = np.array([0.8, -0.5])
    x, stop, own, hazard = planted(40_000, slope, 1)
    fit = fit_side(x, stop, own, np.ones(40_000))
    np.testing.assert_allclose(fit.slopes / fit.scale, np.tile(slope, (len(GROUPS), 1)), atol=0.1)
    found = fit.hazards(x)
    assert found.mean(axis=0) == pytest.approx(np.full(N_ONSET, hazard.mean()), rel=0.15)
    assert np.corrcoef(found[:, 5], hazard)[0, 1] > 0.98


def test_one_bin_is_a_logistic_regression():
    """A group of a single bin is what scikit-learn calls a logistic regression with penalty C."""
    x, stop, own, _ = planted(4_000, np.array([0.8, -0.5]), 2)
    fit = fit_side(x, stop, own, np.ones(4_000), penalty=0.01, standardise=False)
    group = GROUPS.index((6, 7))
    rows = stop > 6
    same = LogisticRegression(C=0.01, tol=1e-10, max_iter=1000).fit(
        x[rows], (own & (stop == 7))[rows]
    )
    np.testing.assert_allclose(fit.slopes[group], same.coef_[0], atol=1e-4)
    assert fit.intercepts[6] == pytest.approx(same.intercept_[0], abs=1e-4)


def test_a_weight_is_a_copy():
    x, stop, own, _ = planted(1_500, np.array([1.0, 0.0]), 3)
    twice = [np.repeat(part, 2, axis=0) for part in (x, stop, own)]
    once = fit_side(x, stop, own, np.full(1_500, 2.0))
    again = fit_side(*twice, np.ones(3_000))
    np.testing.assert_allclose(once.hazards(x), again.hazards(x), rtol=1e-5)


def test_starting_elsewhere_ends_in_the_same_place():
    x, stop, own, _ = planted(3_000, np.array([1.0, 0.5]), 4)
    weights = np.ones(3_000)
    loose = fit_side(x, stop, own, weights, penalty=10.0)
    strict = fit_side(x, stop, own, weights, penalty=0.01)
    warm = fit_side(x, stop, own, weights, penalty=0.01, start=loose)
    np.testing.assert_allclose(warm.hazards(x), strict.hazards(x), rtol=1e-3)


def test_a_missing_score_gives_the_base_rate():
    x, stop, own, _ = planted(2_000, np.array([1.0, 0.0]), 5)
    x[::7, 0] = np.nan
    fit = fit_side(x, stop, own, np.ones(2_000))
    found = fit.hazards(x)
    np.testing.assert_array_equal(found[0], fit.base)
    assert np.isfinite(found).all()


def test_base_rates_are_counts():
    stop, own = np.array([1, 1, 13, 13]), np.array([True, False, True, False])
    rates = base_hazards(stop, own, np.ones(4))
    assert rates[0] == pytest.approx(1 / 4, abs=1e-3)
    assert rates[12] == pytest.approx(1 / 2, abs=1e-3)
    assert (rates[1:12] < 1e-3).all()


def test_bins_that_never_saw_an_event_stay_near_zero():
    x, stop, own, _ = planted(2_000, np.array([1.0, 0.0]), 6)
    early = stop <= 3
    stop[early], own[early] = 13, False
    found = fit_side(x, stop, own, np.ones(2_000)).hazards(x)
    assert (found[:, :3] < 1e-3).all()
    assert (found[:, 3:] > 1e-3).any()

"""Forecast volatility: the recursion against `arch`, gaps, EWMA."""

import numpy as np
import pytest
from arch import arch_model
from hypothesis import given
from hypothesis import strategies as st

from litehedge.model.baselines.garch import (
    Gjr,
    ewma,
    fit_gjr,
    gjr_variance,
    needed_move,
    passage_score,
    returns_of,
)
from made_parts import made_part


def test_the_recursion_is_that_of_arch():
    part = made_part(3_000)
    returns = 100.0 * returns_of(part)[1:]
    model = arch_model(returns, mean="Zero", vol="GARCH", p=1, o=1, q=1, dist="t", rescale=False)
    found = model.fit(disp="off", show_warning=False)
    omega, alpha, gamma, beta, _ = found.params.to_numpy()
    variances = found.conditional_volatility**2
    ours = gjr_variance(
        returns, np.ones(returns.size, dtype=np.int64), omega, alpha, gamma, beta, variances[0]
    )
    np.testing.assert_allclose(ours[:-1], variances[1:], rtol=1e-9)


def test_a_fit_in_other_units_is_the_same_fit():
    returns = returns_of(made_part(4_000))[1:]
    one, two = fit_gjr(returns), fit_gjr(100.0 * returns)
    assert two.omega == pytest.approx(1e4 * one.omega, rel=1e-3)
    assert two.beta == pytest.approx(one.beta, rel=1e-3)
    assert 0.0 < one.kept < 1.0 + 1e-6  # the optimiser may stop on the edge


@given(st.integers(1, 400), st.floats(1e-7, 1e-4))
def test_over_a_gap_variance_goes_home(steps, start):
    fit = Gjr(1e-7, 0.05, 0.04, 0.9, 5.0)
    found = gjr_variance(
        np.array([np.nan]), np.array([steps]), fit.omega, fit.alpha, fit.gamma, fit.beta, start
    )[0]
    expected = fit.usual + fit.kept**steps * (start - fit.usual)
    assert found == pytest.approx(expected, rel=1e-9)


def test_the_mean_over_a_horizon_is_the_mean_of_the_steps():
    part = made_part(400)
    fit = Gjr(1e-7, 0.05, 0.04, 0.9, 5.0)
    ahead = fit.mean_variance(part, 5.0)
    steps = [fit.usual + fit.kept**j * (ahead - fit.usual) for j in range(6)]
    np.testing.assert_allclose(fit.mean_variance(part, 30.0), np.mean(steps, axis=0))


def test_returns_do_not_reach_over_gaps():
    part = made_part(900, gaps=(500,))
    unknown = np.flatnonzero(np.isnan(returns_of(part)))
    assert unknown.tolist() == [0, 500]


def test_ewma_is_a_weighted_mean_of_what_was_seen():
    squares = np.array([np.nan, 4.0, np.nan, 1.0])
    np.testing.assert_allclose(ewma(squares, 0.5), [np.nan, 4.0, 4.0, (0.5 * 4.0 + 1.0) / 1.5])


def test_the_needed_moves_are_those_of_the_tasks():
    """Price passes a barrier exactly at the move that the score is measured against."""
    part = made_part(2_000)
    log = np.log(part.values)
    for task in ("percent", "sigma"):
        times = part.tasks[task]
        move = needed_move(part, task)
        for i in np.flatnonzero(times.happened[:1_800, 1] & part.warm[:1_800])[::50]:
            j = i + int(times.minutes[i, 1] / 5.0)
            assert log[j, 1] - log[i, 3] >= move[i]
            assert (log[i + 1 : j, 1] - log[i, 3] < move[i]).all()


def test_more_volatility_is_nearer():
    part = made_part(600)
    calm, wild = (passage_score(part, "percent", np.full(600, v)) for v in (1e-7, 1e-5))
    assert (wild[..., 0] < calm[..., 0]).all()
    assert (wild[..., 1] > calm[..., 1]).all()

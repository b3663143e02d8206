"""PBO and the deflated Sharpe ratio: by hand, in noise, and with one trial that is truly better."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from litehedge.cli.contest import read_trials
from litehedge.errors import UsageError
from litehedge.report.contest.overfitting import (
    Trials,
    deflated_sharpe,
    luckiest_sharpe,
    probability_of_overfitting,
    sharpe,
    verdict,
)
from litehedge.units import NS_PER_DAY


def noise(trials: int = 40, weeks: int = 160, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0.0, 0.05, (weeks, trials))


def test_by_hand_with_four_stretches_and_two_trials():
    """One trial wins in the first half of the time, the other in the second.

    Six ways to choose two of four stretches. Chosen inside and beaten outside: {1, 2} and {3, 4}.
    In the four others both trials are equal inside and outside, and a tie counts half.
    """
    swing = np.array([0.01, -0.01, 0.01, -0.01])
    high, low = swing + 0.05, swing
    one = np.concatenate((high, high, low, low))
    other = np.concatenate((low, low, high, high))
    found = probability_of_overfitting(np.column_stack([one, other]), stretches=4)
    assert (found.stretches, found.ways, found.weeks, found.trials) == (4, 6, 16, 2)
    assert found.pbo == pytest.approx((2.0 + 4.0 * 0.5) / 6.0)


def test_pure_noise_is_overfitted_about_half_of_the_time():
    found = [probability_of_overfitting(noise(seed=seed)).pbo for seed in range(10)]
    assert np.mean(found) == pytest.approx(0.5, abs=0.12)


def test_one_trial_that_is_truly_better_is_not():
    returns = noise()
    returns[:, 7] += 0.04
    assert probability_of_overfitting(returns).pbo < 0.02


def test_identical_trials_are_a_tie():
    returns = np.repeat(noise(1), 5, axis=1)
    assert probability_of_overfitting(returns).pbo == pytest.approx(0.5)


@settings(max_examples=20, deadline=None)
@given(st.integers(2, 8), st.floats(0.1, 10.0), st.randoms())
def test_neither_scale_nor_the_order_of_trials_matters(trials, scale, random):
    returns = noise(trials, 40, seed=trials)
    order = list(range(trials))
    random.shuffle(order)
    found = probability_of_overfitting(returns).pbo
    assert probability_of_overfitting(scale * returns[:, order]).pbo == pytest.approx(found)


def test_too_few_weeks_or_one_trial_tell_nothing():
    assert math.isnan(probability_of_overfitting(noise(5, 12)).pbo)
    assert math.isnan(probability_of_overfitting(noise(1, 160)).pbo)


def test_what_never_moves_has_no_ratio():
    assert sharpe(np.zeros((10, 2))).tolist() == [0.0, 0.0]
    assert math.isnan(deflated_sharpe(np.zeros(10), 5, 0.1))


def test_a_single_trial_is_the_probability_that_the_ratio_is_positive():
    """Normal returns: sqrt(T - 1) SR / sqrt(1 + SR^2 / 2)."""
    assert luckiest_sharpe(1, 0.3) == 0.0
    returns = np.tile([0.03, -0.01], 32)  # SR 0.5, no skew, kurtosis 1
    expected = 0.5 * (1.0 + math.erf(math.sqrt(63) * 0.5 / math.sqrt(2.0)))
    assert deflated_sharpe(returns, 1, 0.0) == pytest.approx(expected)


def test_the_luckiest_of_a_thousand_is_what_extreme_values_say():
    rng = np.random.default_rng(0)
    best = rng.normal(0.0, 1.0, (4000, 1000)).max(axis=1).mean()
    assert luckiest_sharpe(1000, 1.0) == pytest.approx(best, rel=0.02)


@given(st.integers(2, 400), st.integers(1, 400))
def test_more_trials_deflate_more(few, more):
    returns = noise(1, 60)[:, 0] + 0.01
    assert deflated_sharpe(returns, few + more, 0.1) <= deflated_sharpe(returns, few, 0.1)


def test_a_verdict_counts_everything_that_was_tried():
    compared = Trials(["a", "b"], np.arange(60), noise(2, 60))
    tried = Trials([f"t{i}" for i in range(30)], np.arange(90), noise(30, 90))
    found = verdict(compared, tried)
    assert found.trials == 32
    assert found.tried is not None
    assert found.tried.trials == 30
    assert found.deflated["a"] < verdict(compared, None).deflated["a"]


def test_trials_of_a_fit_are_read_week_after_week_over_all_kinds(tmp_path):
    opens_ns = NS_PER_DAY * np.array([0, 2, 7, 9, 14])  # two weeks overlap their neighbours
    long, short = np.arange(10.0).reshape(2, 5), 1.0 + np.arange(10.0).reshape(2, 5)
    path = tmp_path / "trials.npz"
    np.savez(path, names=np.array(["a: on 0.1", "b"]), kinds=np.array(["long 5x", "short 5x"]),
             opens_ns=opens_ns, returns=np.concatenate((long, short), axis=1))  # fmt: skip
    found = read_trials(path)
    assert list(found.names) == ["a: on 0.1", "b"]
    assert found.opens_ns.tolist() == opens_ns[[0, 2, 4]].tolist()
    assert found.returns.T.tolist() == [[0.5, 2.5, 4.5], [5.5, 7.5, 9.5]]


@pytest.mark.parametrize("payload", [b"", b"no trials", b"PK\x03\x04 broken"])
def test_a_file_that_holds_no_trials_is_refused(tmp_path, payload):
    path = tmp_path / "trials.npz"
    path.write_bytes(payload)
    with pytest.raises(UsageError, match="does not hold trials"):
        read_trials(path)
    with pytest.raises(UsageError, match="no file"):
        read_trials(tmp_path / "none.npz")
    np.savez(path, names=np.array(["a"]), kinds=np.array(["long 5x"]), opens_ns=np.arange(3),
             returns=np.zeros((1, 2)))  # fmt: skip
    with pytest.raises(UsageError, match="do not fit together"):
        read_trials(path)

"""The Hawkes likelihood and intensity against sums over pairs of triggers; planted kernels."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from litehedge.model.baselines.hawkes import fit_kernel, intensity, log_likelihood, triggers
from made_parts import made_part

MU, ALPHA, BETA = 0.01, (0.4, 0.2), 0.05


def brute_intensity(events, at, when, mu, alpha, beta, *, also_now):
    total = mu
    for r in range(2):
        for i in np.flatnonzero(events[:, r]):
            if at[i] < when or (also_now and at[i] == when):
                total += alpha[r] * beta * np.exp(-beta * (when - at[i]))
    return total


def brute_likelihood(events, elapsed, seen, side, mu, alpha, beta):
    at = np.cumsum(elapsed)
    total = 0.0
    for i in range(at.size):
        if not seen[i]:
            continue
        before = at[i] - elapsed[i]
        total -= mu * elapsed[i]
        for r in range(2):
            for j in np.flatnonzero(events[:i, r]):
                total -= alpha[r] * (
                    np.exp(-beta * (before - at[j])) - np.exp(-beta * (at[i] - at[j]))
                )
        if events[i, side]:
            total += np.log(brute_intensity(events, at, at[i], mu, alpha, beta, also_now=False))
    return total


@given(st.integers(0, 10_000), st.floats(1e-3, 0.1), st.floats(0.0, 0.9), st.floats(0.01, 0.5))
def test_likelihood_and_intensity_are_sums_over_pairs(seed, mu, alpha, beta):
    rng = np.random.default_rng(seed)
    events = rng.random((40, 2)) < 0.3
    elapsed = np.where(rng.random(40) < 0.1, 60.0, 5.0)
    elapsed[0] = 0.0
    seen = elapsed == 5.0
    both = (alpha, 0.5 * alpha)
    for side in range(2):
        assert log_likelihood(events, elapsed, seen, side, mu, *both, beta) == pytest.approx(
            brute_likelihood(events, elapsed, seen, side, mu, both, beta)
        )
    at = np.cumsum(elapsed)
    expected = [brute_intensity(events, at, t, mu, both, beta, also_now=True) for t in at]
    np.testing.assert_allclose(intensity(events, elapsed, mu, *both, beta), expected)


def excited(n, seed):
    """Triggers of both sides in frames of one minute, from the planted kernels."""
    rng = np.random.default_rng(seed)
    events = np.zeros((n, 2), dtype=bool)
    sums = np.zeros(2)
    for i in range(n):
        sums *= np.exp(-BETA)
        rates = [MU + BETA * (ALPHA[0] * sums[s] + ALPHA[1] * sums[1 - s]) for s in range(2)]
        events[i] = rng.random(2) < -np.expm1(-np.array(rates))
        sums += events[i]
    return events


def test_planted_kernels_come_back():
    events = [excited(40_000, seed) for seed in (1, 2)]
    elapsed, seen = [np.ones(40_000)] * 2, [np.ones(40_000, dtype=bool)] * 2
    found = fit_kernel(events, elapsed, seen, 0)
    assert found.mu == pytest.approx(MU, rel=0.15)
    assert found.alpha == pytest.approx(ALPHA, abs=0.07)
    assert found.beta == pytest.approx(BETA, rel=0.25)
    given_decay = fit_kernel(events, elapsed, seen, 0, beta=0.02)
    assert given_decay.beta == 0.02


def test_triggers_are_beyond_the_level_and_first_of_their_run():
    part = made_part(3_000)
    every, first = triggers(part, 0.5, False), triggers(part, 0.5, True)
    assert every.sum() > first.sum() > 0
    assert not every[~part.warm].any()
    assert (first <= every).all()
    assert not (first[1:] & every[:-1]).any()

"""Shapley values: the axioms, brute force, and sums that come out even."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from litehedge.model.attribution import EXACT_FAMILIES, attribute

FRAMES = 12


def network(family, seed=0, couplings=1.0):
    """A made probability: families add up and interact, through values and through masks."""
    rng = np.random.default_rng(seed)
    n = family.size
    linear = rng.normal(size=(2 * n, 2))
    pair = couplings * rng.normal(size=(2 * n, 2 * n, 2)) / n
    asked = []

    def probability(batch):
        asked.append(batch.shape[0])
        u = batch.mean(axis=1)
        logit = u @ linear - 2.0 + np.einsum("bi,ijs,bj->bs", u, pair, u)
        return 1.0 / (1.0 + np.exp(-logit))

    return probability, asked


def window_of(family, seed=0):
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(FRAMES, family.size))
    return np.concatenate((z, np.zeros_like(z)), axis=1).astype(np.float32)


def families_of(count, seed=0):
    rng = np.random.default_rng(seed)
    return np.sort(np.concatenate((np.arange(count), rng.integers(0, count, count))))


NAMES = tuple(f"family {i}" for i in range(20))


@given(st.integers(1, 10), st.integers(0, 100))
@settings(max_examples=20)
def test_points_and_remainder_sum_to_the_difference(count, seed):
    family = families_of(count, seed)
    probability, _ = network(family, seed)
    window = window_of(family, seed)
    found = attribute(probability, window, family, NAMES, seed=seed, pairs=3)
    np.testing.assert_allclose(found.remainder, 0.0, atol=1e-11)
    total = found.points.sum(axis=0) + found.remainder
    np.testing.assert_allclose(total, 100.0 * (found.probability - found.masked), atol=1e-12)
    np.testing.assert_allclose(found.probability, probability(window[np.newaxis])[0], rtol=1e-6)


def test_exact_values_are_the_mean_over_all_orders():
    family = families_of(4)
    probability, _ = network(family)
    window = window_of(family)
    found = attribute(probability, window, family, NAMES, seed=0)
    expected = np.zeros((4, 2))
    for order in permutations(range(4)):
        now = window.copy()
        now[:, : family.size] = 0.0
        now[:, family.size :] = 1.0
        before = probability(now[np.newaxis])[0]
        for i in order:
            mine = np.concatenate((family == i, family == i))
            now[:, mine] = window[:, mine]
            after = probability(now[np.newaxis])[0]
            expected[i] += 100.0 * (after - before) / 24
            before = after
    np.testing.assert_allclose(found.points, expected, atol=1e-5)


def test_sampled_orders_come_near_the_exact_values(monkeypatch):
    family = families_of(6)
    probability, _ = network(family)
    window = window_of(family)
    exact = attribute(probability, window, family, NAMES, seed=0)
    monkeypatch.setattr("litehedge.model.attribution.EXACT_FAMILIES", 0)
    few = attribute(probability, window, family, NAMES, seed=0, pairs=1)
    many = attribute(probability, window, family, NAMES, seed=0, pairs=60)
    apart = np.abs(many.points - exact.points).max()
    assert apart < 0.1 * np.abs(exact.points).max()
    assert apart < np.abs(few.points - exact.points).max()


def test_a_family_that_does_nothing_gets_nothing():
    family = np.array([0, 1, 2, 2])
    window = window_of(family)

    def blind(batch):
        return np.stack((batch[:, -1, 0], 0.0 * batch[:, -1, 0]), axis=1) * 0.01 + 0.1

    found = attribute(blind, window, family, NAMES, seed=0)
    np.testing.assert_allclose(found.points[1:], 0.0, atol=1e-6)
    np.testing.assert_allclose(found.points[0, 0], window[-1, 0], atol=1e-5)
    assert found.points[0, 1] == 0.0


def test_families_that_act_alike_get_the_same():
    family = np.array([0, 1, 2])
    window = window_of(family)
    window[:, 1] = window[:, 0]

    def alike(batch):
        both = batch[:, -1, 0] + batch[:, -1, 1]
        return np.stack((np.tanh(both), both**2), axis=1)

    points = attribute(alike, window, family, NAMES, seed=0).points
    np.testing.assert_allclose(points[0], points[1], rtol=1e-5)


def test_absent_families_cost_nothing_and_get_nothing():
    family = families_of(9)
    probability, asked = network(family)
    window = window_of(family)
    gone = family < 5
    window[:, : family.size][:, gone] = 0.0
    window[:, family.size :][:, gone] = 1.0
    found = attribute(probability, window, family, NAMES, seed=0)
    assert (found.points[:5] == 0.0).all()
    assert (found.points[5:] != 0.0).all()
    assert sum(asked) == 2**4
    assert max(asked) <= 32
    window[:, : family.size], window[:, family.size :] = 0.0, 1.0
    nothing = attribute(probability, window, family, NAMES, seed=0)
    assert (nothing.points == 0.0).all()
    np.testing.assert_array_equal(nothing.probability, nothing.masked)


def test_what_the_window_does_not_hold_is_the_remainder():
    family = families_of(EXACT_FAMILIES)
    probability, _ = network(family)
    window = window_of(family)
    alone = attribute(probability, window, family, NAMES, seed=0)
    served = alone.probability + np.array([0.02, -0.01])
    found = attribute(probability, window, family, NAMES, seed=0, served=served)
    np.testing.assert_allclose(found.remainder, [2.0, -1.0], atol=1e-9)
    np.testing.assert_array_equal(found.points, alone.points)


def test_the_same_seed_gives_the_same_bits_and_each_set_is_asked_once():
    family = families_of(9)
    probability, asked = network(family)
    window = window_of(family)
    before = window.copy()
    one = attribute(probability, window, family, NAMES, seed=4)
    np.testing.assert_array_equal(window, before)
    assert sum(asked) <= 16 * 8 + 2
    two = attribute(probability, window, family, NAMES, seed=4)
    np.testing.assert_array_equal(one.points, two.points)
    other = attribute(probability, window, family, NAMES, seed=5)
    assert (one.points != other.points).any()


def test_families_are_ranked_by_effect():
    family = families_of(3)
    probability, _ = network(family)
    found = attribute(probability, window_of(family), family, NAMES, seed=0)
    points = [abs(p) for _, p in found.ranked(1)]
    assert points == sorted(points, reverse=True)
    assert dict(found.ranked(0)) == dict(zip(NAMES[:3], found.points[:, 0].tolist(), strict=True))


def test_a_window_of_other_inputs_is_refused():
    with pytest.raises(ValueError, match="does not hold 4 inputs"):
        attribute(lambda u: u, np.zeros((3, 6)), np.zeros(4, dtype=np.int64), NAMES, seed=0)

"""Learning on near the champion."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest

from breaking_markets import blank, learnt, poisoned, replay
from litehedge.errors import UsageError
from litehedge.model.baselines.logistic import LogisticWeights
from litehedge.model.baselines.logistic_anchor import anchored_logistic, refit
from synthetic import T0


def drawn(n=4_000, seed=0):
    rng = np.random.default_rng(seed)
    design = rng.standard_normal((n, 3))
    truth = np.array([-2.0, 1.0, -0.5, 0.0])
    p = 1.0 / (1.0 + np.exp(-(truth[0] + design @ truth[1:])))
    return design, rng.random(n) < p, truth


def test_held_without_end_slopes_stay_and_let_go_they_find_the_truth():
    design, happened, truth = drawn()
    weight = np.ones(happened.size)
    begin = np.array([0.0, -1.0, 2.0, 0.3])
    held = anchored_logistic(design, happened, weight, begin, 1e9)
    np.testing.assert_allclose(held[1:], begin[1:], atol=1e-4)
    free = anchored_logistic(design, happened, weight, begin, 1e-6)
    np.testing.assert_allclose(free, truth, atol=0.2)


def test_a_stronger_hold_never_lets_slopes_go_further():
    design, happened, _ = drawn()
    begin = np.zeros(4)
    moved = [
        np.linalg.norm(anchored_logistic(design, happened, np.ones(4_000), begin, s)[1:])
        for s in (1.0, 10.0, 100.0, 1_000.0, 1e4)
    ]
    assert moved == sorted(moved, reverse=True)


def test_a_weight_of_two_is_a_frame_that_is_there_twice():
    design, happened, _ = drawn(500)
    begin = np.zeros(4)
    one = anchored_logistic(design, happened, np.full(500, 2.0), begin, 5.0)
    twice = anchored_logistic(
        np.concatenate((design, design)), np.concatenate((happened, happened)), np.ones(1_000),
        begin, 5.0,
    )  # fmt: skip
    np.testing.assert_allclose(one, twice, rtol=1e-6)


def test_without_an_event_it_stays_finite_and_says_seldom():
    design, _, _ = drawn(500)
    found = anchored_logistic(design, np.zeros(500, bool), np.ones(500), np.zeros(4), 10.0)
    assert np.isfinite(found).all()
    assert found[0] < -3.0


def test_a_champion_learns_on_and_its_standards_stay():
    kept, features = learnt(60, 2, True, T0)
    begin = blank(features)
    found = refit(begin, replay(kept), strength=100.0)
    for name in ("mean", "scale", "seen", "trained_family"):
        np.testing.assert_array_equal(getattr(found, name), getattr(begin, name))
    for f in fields(LogisticWeights):
        assert np.isfinite(getattr(found, f.name)).all(), f.name
    assert LogisticWeights.from_json(found.to_json()).onset.shape == found.onset.shape
    np.testing.assert_allclose(found.onset_share.reshape(2, -1).sum(axis=1), 4.0)


def test_too_few_squeezes_are_refused():
    kept, features = learnt(60, 2, True, T0)
    few = np.where(np.arange(kept.weight.size) < kept.weight.size // 40, kept.weight, 0.0)
    with pytest.raises(UsageError, match="squeezes to learn on from"):
        refit(blank(features), replay(kept, weight=few))
    with pytest.raises(ValueError, match="no such way"):
        poisoned("no such way", blank(features), kept, 0)

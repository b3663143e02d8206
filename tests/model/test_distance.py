"""Distance to training: against brute force, about 1 at home, more abroad."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from litehedge.errors import ArtefactError
from litehedge.model.distance import (
    Neighbours,
    fit_neighbours,
    mean_of_nearest,
    plus_plus,
    squared_distances,
)
from litehedge.squeeze.targets import DURING, NORMAL
from litehedge.units import NS_PER_DAY, NS_PER_MINUTE

HIDDEN = 12


def market(n, seed=0, during=40):
    """Calm frames around one place, a few frames of squeezes scattered around another."""
    rng = np.random.default_rng(seed)
    trunks = rng.normal(size=(n, HIDDEN)).astype(np.float32)
    phase = np.zeros(n, dtype=np.int64)
    squeezed = rng.choice(n, during, replace=False)
    phase[squeezed] = DURING
    trunks[squeezed] = 6.0 + 3.0 * rng.normal(size=(during, HIDDEN))
    return trunks, phase, np.arange(n) * NS_PER_DAY


def fitted(n=3_000, size=200, **given):
    return fit_neighbours(*market(n), seed=1, size=size, **given)


def indices(neighbours, trunks):
    return np.array([neighbours.dissimilarity(trunk) for trunk in trunks])


@given(st.integers(0, 1_000), st.integers(1, 5))
def test_distances_are_those_of_brute_force(seed, nearest):
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(HIDDEN, 50)).astype(np.float32)
    x = rng.normal(size=HIDDEN).astype(np.float32)
    squared = np.empty(50, dtype=np.float32)
    squared_distances(points, x, squared)
    exact = np.linalg.norm(points - x[:, np.newaxis], axis=0)
    np.testing.assert_allclose(np.sqrt(squared), exact, rtol=1e-5)
    mean, which = mean_of_nearest(squared, nearest)
    assert mean == pytest.approx(np.sort(exact)[:nearest].mean(), rel=1e-5)
    assert which == np.argmin(exact)


def test_a_frame_like_training_has_an_index_about_one_whatever_its_phase():
    neighbours = fitted()
    fresh, phase, _ = market(3_000, seed=9)
    index = indices(neighbours, fresh)
    assert index[phase == NORMAL].mean() == pytest.approx(1.0, abs=0.1)
    assert index[phase == DURING].mean() == pytest.approx(1.0, abs=0.25)


def test_the_index_rises_with_distance():
    neighbours = fitted()
    away = indices(neighbours, np.outer([5, 10, 20, 40], -np.ones(HIDDEN)))
    assert away[0] > 1.5
    assert (np.diff(away) > 0.0).all()


def test_standards_do_not_matter():
    trunks, phase, end_ns = market(1_000)
    neighbours = fit_neighbours(trunks, phase, end_ns, seed=2, size=100)
    moved = fit_neighbours(trunks * 4.0 + 8.0, phase, end_ns, seed=2, size=100)
    np.testing.assert_allclose(
        indices(moved, trunks * 4.0 + 8.0), indices(neighbours, trunks), rtol=1e-3
    )


def test_squeezes_are_in_the_sample():
    """Forty squeezed frames out of three thousand: by chance it would be three of 200."""
    neighbours = fitted()
    assert neighbours.points.shape == (HIDDEN, 200)
    assert np.unique(neighbours.usual).size == 2
    squeezed = neighbours.usual == neighbours.usual.max()
    assert squeezed.sum() == 40


def test_small_data_are_stored_whole():
    trunks, phase, end_ns = market(60, during=10)
    assert fit_neighbours(trunks, phase, end_ns, seed=0, size=500).points.shape == (HIDDEN, 60)
    with pytest.raises(ValueError, match="too few"):
        fit_neighbours(trunks[:3], phase[:3], end_ns[:3], seed=0)


def test_frames_of_the_same_day_do_not_make_training_look_dense():
    trunks, phase, end_ns = market(400, during=0)
    alone = fit_neighbours(trunks, phase, end_ns, seed=0, size=400)
    doubled = fit_neighbours(
        np.repeat(trunks, 2, axis=0), np.repeat(phase, 2),
        np.repeat(end_ns, 2) + np.tile([0, NS_PER_MINUTE], 400), seed=0, size=800, nearest=3,
    )  # fmt: skip
    assert doubled.usual[0] > 0.85 * alone.usual[0]


def test_the_same_seed_gives_the_same_sample():
    one, two = fitted(), fitted()
    for name, array in one.arrays().items():
        np.testing.assert_array_equal(array, two.arrays()[name])
    other = fit_neighbours(*market(3_000), seed=3, size=200)
    assert (other.points != one.points).any()


def test_what_is_not_known_is_not_measured():
    trunks, phase, end_ns = market(500)
    trunks[3] = np.nan
    neighbours = fit_neighbours(trunks, phase, end_ns, seed=0, size=50)
    index = indices(neighbours, trunks[2:5])
    assert np.isnan(index).tolist() == [False, True, False]


def test_choice_spreads_out():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(500, 2)).astype(np.float32)
    x[:5] = 40.0 * np.array([[1, 0], [0, 1], [-1, 0], [0, -1], [1, 1]])
    picked = plus_plus(x, 12, rng.random(12))
    assert np.unique(picked).size == 12
    assert set(range(5)) <= set(picked.tolist())
    same = np.ones((6, 2), dtype=np.float32)
    assert plus_plus(same, 6, rng.random(6)).tolist() == list(range(6))


def test_arrays_come_back_and_bad_ones_are_refused():
    neighbours = fitted()
    again = Neighbours.from_arrays(neighbours.arrays() | {"mean": np.zeros(3)})
    trunks = market(20, during=2)[0]
    np.testing.assert_array_equal(indices(again, trunks), indices(neighbours, trunks))
    for change in (
        {"training_scale": np.ones(3)}, {"training_usual": np.full(200, np.nan)},
        {"training_nearest": np.array([0])}, {"training_points": np.ones(4)},
    ):  # fmt: skip
        with pytest.raises(ArtefactError):
            Neighbours.from_arrays(neighbours.arrays() | change)
    with pytest.raises(ArtefactError):
        Neighbours.from_arrays({})

"""Streaming statistics against the same statistics taken from the whole array."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from litehedge.features.windows import (
    decay_of_half_life,
    decay_of_span,
    extreme_push,
    mean_get,
    mean_push,
    ring_get,
    ring_push,
)

Floats = NDArray[np.float64]

observations = st.lists(
    st.one_of(st.just(float("nan")), st.floats(-1e6, 1e6)), min_size=1, max_size=120
).map(lambda xs: np.array(xs, dtype=np.float64))
finite_observations = st.lists(
    st.one_of(st.floats(-1e6, 1e6), st.sampled_from([0.0, 1.0, 2.0])), min_size=1, max_size=150
).map(lambda xs: np.array(xs, dtype=np.float64))


@given(observations, st.floats(0.5, 500.0), st.integers(1, 20))
def test_means_are_polars_means_with_normalised_weights(
    x: Floats, half_life: float, warm: int
) -> None:
    table = np.zeros((3, 3))
    streamed = np.empty(x.size)
    for i, value in enumerate(x):
        mean_push(table, 1, value, decay_of_half_life(half_life))
        streamed[i] = mean_get(table, 1, warm)
    expected = (
        pl.Series(x)
        .fill_nan(None)
        .ewm_mean(half_life=half_life, adjust=True, ignore_nulls=True, min_samples=1)
        .forward_fill()
    )
    seen = np.cumsum(~np.isnan(x))
    expected = expected.to_numpy().copy()
    expected[seen < warm] = np.nan
    np.testing.assert_allclose(streamed, expected, rtol=1e-9, atol=1e-9 * 1e6)
    assert not table[[0, 2]].any()


@given(st.floats(1.0, 1000.0))
def test_decays(n: float) -> None:
    assert decay_of_half_life(n) ** n == pytest.approx(0.5)
    assert decay_of_span(n) == pytest.approx(1.0 - 2.0 / (n + 1.0))


@given(observations, st.integers(0, 40), st.sampled_from([1, 8, 32]))
def test_a_ring_remembers_its_capacity(x: Floats, lag: int, capacity: int) -> None:
    rings = np.full((2, capacity), -7.0)
    for i, value in enumerate(x):
        ring_push(rings, 1, i, value)
        got = ring_get(rings, 1, i, lag)
        expected = x[i - lag] if lag <= i and lag < capacity else np.nan
        np.testing.assert_equal(got, expected)
    assert np.all(rings[0] == -7.0)


@pytest.mark.parametrize("sign", [1.0, -1.0])
@given(x=finite_observations, window=st.integers(1, 64))
def test_sliding_extremes(sign: float, x: Floats, window: int) -> None:
    values, numbers = np.zeros((2, 64)), np.zeros((2, 64), dtype=np.int64)
    ends = np.zeros((2, 2), dtype=np.int64)
    pick = max if sign > 0 else min
    for i, value in enumerate(x):
        got = extreme_push(values, numbers, ends, 1, i, value, window, sign)
        if i + 1 < window:
            assert np.isnan(got)
        else:
            assert got == pick(x[i + 1 - window : i + 1])
    assert not ends[0].any()


def test_an_extreme_goes_on_for_ever() -> None:
    values, numbers = np.zeros((1, 4)), np.zeros((1, 4), dtype=np.int64)
    ends = np.zeros((1, 2), dtype=np.int64)
    rng = np.random.default_rng(0)
    x = rng.standard_normal(5000)
    got = [extreme_push(values, numbers, ends, 0, i, v, 4, 1.0) for i, v in enumerate(x)]
    windows = np.lib.stride_tricks.sliding_window_view(x, 4).max(axis=1)
    np.testing.assert_array_equal(got[3:], windows)

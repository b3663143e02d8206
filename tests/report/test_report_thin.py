"""Thinning: few points, no extreme lost, no gap closed."""

from __future__ import annotations

import made
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from litehedge.report.axes import dataset
from litehedge.report.thin import MOST_POINTS, kept_bars, kept_moments, outages
from litehedge.units import NS_PER_HOUR

NONE = np.empty(0, dtype=np.int64)


@given(st.integers(1, 4), st.integers(1, 3000), st.integers(20, 400), st.integers(0, 99))
def test_every_extreme_and_both_ends_stay(lines: int, bars: int, most: int, seed: int) -> None:
    series = np.random.default_rng(seed).standard_t(2, (lines, bars))
    kept = kept_bars(series, NONE, most)
    assert kept.size <= max(most, min(bars, most))
    assert (np.diff(kept) > 0).all()
    assert kept[0] == 0
    assert kept[-1] == bars - 1
    for line in series:
        assert line[kept].max() == line.max()
        assert line[kept].min() == line.min()


@given(st.integers(0, 99))
def test_a_spike_of_one_bar_stays(seed: int) -> None:
    rng = np.random.default_rng(seed)
    calm = np.zeros((1, 100_000))
    spikes = rng.choice(100_000, 50, replace=False)
    calm[0, spikes] = rng.uniform(1.0, 2.0, 50)
    kept = kept_bars(calm, NONE)
    assert kept.size <= MOST_POINTS
    buckets = np.unique(spikes // (100_000 // ((MOST_POINTS - 2) // 2)))
    assert (calm[0, kept] > 0.0).sum() >= 0.9 * buckets.size


@given(st.integers(0, 8000), st.integers(60, 2000))
def test_a_gap_stays_a_gap(start: int, length: int) -> None:
    series = np.ones((2, 10_000))
    series[0, start : start + length] = np.nan
    kept = kept_bars(series, NONE, 1000)
    assert kept.size <= 1000
    assert np.isnan(series[0, kept]).any()
    inside = (kept >= start) & (kept < start + length)
    assert np.isnan(series[0, kept[inside]]).all()


def test_a_line_that_is_missing_throughout_does_not_disturb() -> None:
    series = np.vstack([np.full(9000, np.nan), np.arange(9000.0)])
    kept = kept_bars(series, NONE, 500)
    assert kept[0] == 0
    assert kept[-1] == 8999
    assert kept.size <= 500


def test_what_is_short_is_kept_whole() -> None:
    assert kept_bars(np.zeros((3, 7)), NONE).tolist() == list(range(7))


def test_lines_break_where_data_are_missing_for_long() -> None:
    end_ns = made.T0 + NS_PER_HOUR * np.concatenate((np.arange(100), np.arange(150, 250)))
    assert outages(end_ns).tolist() == [99]
    rows = dataset(end_ns, [np.arange(200.0)], 1)["source"]
    assert rows[100] == [rows[99][0] + 1, None]
    assert len(rows) == 201


def test_a_short_hole_breaks_no_line() -> None:
    end_ns = made.T0 + NS_PER_HOUR * np.concatenate((np.arange(500), np.arange(502, 1000)))
    assert outages(end_ns).size == 0
    assert outages(end_ns[:1]).size == 0


def test_the_bars_around_an_outage_are_drawn() -> None:
    end_ns = made.T0 + NS_PER_HOUR * np.concatenate((np.arange(5000), np.arange(9000, 14_000)))
    kept = kept_bars(np.sin(np.arange(10_000.0))[None, :], outages(end_ns), 300)
    assert {4999, 5000} <= set(kept.tolist())
    assert kept.size <= 300


def test_moments_are_thinned_evenly_and_keep_both_ends() -> None:
    times = np.arange(10_000, dtype=np.int64)
    kept = kept_moments(times, 100)
    assert kept.size <= 100
    assert kept[0] == 0
    assert kept[-1] == 9999
    assert kept_moments(times[:5], 100).tolist() == [0, 1, 2, 3, 4]

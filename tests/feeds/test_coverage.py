"""Coverage: gaps are counted once, and what a squeeze took is set against what was told."""

from __future__ import annotations

import math
from itertools import pairwise

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from litehedge.feeds.coverage import days_of, forced_coverage, spans_of, united
from litehedge.units import NS_PER_HOUR, NS_PER_MINUTE, instant_ns

T0 = instant_ns("2026-11-22")
spans = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), max_size=12)


@given(spans)
def test_united_spans_cover_the_same_moments_once(some) -> None:
    merged = united(some)
    covered = {t for a, b in some for t in range(a, b)}
    assert {t for a, b in merged for t in range(a, b)} == covered
    assert sum(b - a for a, b in merged) == len(covered)
    assert all(one[1] < other[0] for one, other in pairwise(merged))


def test_gaps_of_other_sources_do_not_count() -> None:
    gaps = pl.DataFrame(
        {
            "start_ns": [0, 5, 20], "event_ns": [10, 15, 30], "source": ["", "b.book", "b.trades"],
            "kinds": ["", "book mark", "trade"],
        }
    )  # fmt: skip
    assert spans_of(gaps, "book") == [(0, 15)]
    assert spans_of(gaps, "trades") == [(0, 10), (20, 30)]


def test_days() -> None:
    times = [T0 + NS_PER_HOUR * hour for hour in (1, 1, 2, 30)]
    table = pl.DataFrame(
        {"event_ns": [t - 5_000_000 for t in times], "known_ns": times, "price": 1.0}
    )
    gaps = [(T0 + 20 * NS_PER_HOUR, T0 + 27 * NS_PER_HOUR)]
    one, two = days_of(table, (T0, T0 + 36 * NS_PER_HOUR), gaps)
    assert (one.day, one.rows, one.repeated, one.gaps) == ("2026-11-22", 3, 1, 1)
    assert (one.coverage, two.coverage) == (pytest.approx(20 / 24), pytest.approx(9 / 12))
    assert (one.age_ms, two.rows) == (5.0, 1)
    assert one.gap_s + two.gap_s == 7 * 3600


def market(closes, levels):
    times = [T0 + i * 15 * NS_PER_MINUTE for i in range(len(closes))]
    bars = pl.DataFrame({"event_ns": times, "known_ns": times, "close": closes})
    oi = pl.DataFrame({"event_ns": times, "known_ns": times, "oi": levels})
    return bars, oi


def test_forced_volume_against_what_vanished() -> None:
    bars, oi = market([100.0, 100.0, 95.0, 95.0, 95.5, 95.5], [1e4, 1e4, 9e3, 9e3, 8e3, 8e3])
    at = T0 + 20 * NS_PER_MINUTE
    forced = pl.DataFrame(
        {
            "event_ns": [at, at, at + NS_PER_HOUR], "known_ns": [at] * 3,
            "side": ["long", "short", "long"], "notional_usdt": [4e4, 7.0, 9e9],
        }
    )  # fmt: skip
    found = forced_coverage(forced, oi, bars)
    assert found.windows == 1, "the second drop came without a move"
    assert found.oi_drop_usdt == pytest.approx(1e5)
    assert found.share == pytest.approx(0.4)
    assert found.low == found.high == found.share


@given(st.floats(1.0, 5.0))
def test_the_share_grows_with_what_was_told(factor) -> None:
    bars, oi = market([100.0, 100.0, 95.0, 95.0], [1e4, 1e4, 9e3, 9e3])
    at = [T0 + 20 * NS_PER_MINUTE]
    forced = pl.DataFrame(
        {"event_ns": at, "known_ns": at, "side": ["long"], "notional_usdt": [1e4 * factor]}
    )
    assert forced_coverage(forced, oi, bars).share == pytest.approx(0.1 * factor)


def test_a_calm_market_says_nothing() -> None:
    bars, oi = market([100.0] * 5, [1e4] * 5)
    forced = pl.DataFrame({"event_ns": [T0], "known_ns": [T0], "side": ["long"],
                           "notional_usdt": [1.0]})  # fmt: skip
    assert math.isnan(forced_coverage(forced, oi, bars).share)
    assert forced_coverage(forced, oi[:1], bars).windows == 0

"""The squeeze catalogue on made-up markets in which we know what happened."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from litehedge.features.trigger import FLOOR
from litehedge.market import schema as sc
from litehedge.market.frames import Frames
from litehedge.squeeze import labels
from litehedge.squeeze.labels import LONGEST_MINUTES, Squeeze, catalogue, spec_hash
from litehedge.units import NS_PER_MINUTE
from synthetic import Crash, Market, market

MINUTE = NS_PER_MINUTE


def found_in(own: Market) -> list[Squeeze]:
    return catalogue(own.events().frames())


def assert_same(one: Squeeze, other: Squeeze) -> None:
    """NaN equals NaN here, and rounding does not count."""
    for name, value in one.row().items():
        expected = other.row()[name]
        if isinstance(value, float):
            expected = pytest.approx(expected, rel=1e-9, nan_ok=True)
        assert value == expected, name


def bars_after(own: Market, time_ns: int, at: int) -> float:
    """How many bars after bar `at` closed a time is."""
    return (time_ns - int(own.end_ns[at])) / own.bar_ns


# --- what is there is found -------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    ("minutes", "fall_bars", "depth"), [(1, 20, 0.06), (1, 4, 0.03), (5, 6, 0.08), (5, 1, 0.05)]
)
def test_a_planted_crash_is_found_where_it_was_planted(
    seed: int, minutes: int, fall_bars: int, depth: float
) -> None:
    crash = Crash(700, fall_bars, depth, rebound_bars=max(2, 10 // minutes))
    own = market(1_200, seed=seed, bar_ns=minutes * MINUTE, vol=0.0003, crashes=(crash,))
    [squeeze] = [q for q in found_in(own) if q.side == "long"]
    late = math.ceil(0.1 * fall_bars)  # the onset is within a tenth of the whole move
    assert -1 <= bars_after(own, squeeze.onset_ns, 700) <= late + 1
    assert abs(bars_after(own, squeeze.peak_ns, 700 + fall_bars)) <= 1
    assert squeeze.severity_bps == pytest.approx(1e4 * depth, rel=0.25)
    assert squeeze.onset_ns < squeeze.trigger_ns <= squeeze.peak_ns < squeeze.end_ns
    assert squeeze.complete
    assert squeeze.proxy
    assert squeeze.tier == (2 if squeeze.severity_bps >= 300 else 1)
    assert np.isnan(squeeze.liquidated_usdt)
    assert np.isnan(squeeze.oi_change)


@pytest.mark.parametrize("seed", range(3))
def test_the_mirrored_market_has_the_mirrored_squeezes(seed: int) -> None:
    crashes = (Crash(500, 12, 0.05), Crash(1_500, 30, 0.09), Crash(2_400, 3, 0.03))
    own = market(3_000, seed=seed, vol=0.0012, crashes=crashes)
    here, there = found_in(own), found_in(own.mirrored())
    assert len(here) >= 3
    turned = [
        replace(
            q,
            side="short" if q.side == "long" else "long",
            onset_price=100.0**2 / q.onset_price,
            peak_price=100.0**2 / q.peak_price,
        )
        for q in there
    ]
    turned.sort(key=lambda q: (q.onset_ns, q.side))
    for one, other in zip(here, turned, strict=True):
        assert_same(one, other)


@pytest.mark.parametrize("seed", range(10))
def test_a_calm_random_walk_has_none(seed: int) -> None:
    assert found_in(market(5_000, seed=seed, vol=0.0006)) == []


@pytest.mark.parametrize("seed", range(4))
def test_whatever_is_found_makes_sense(seed: int) -> None:
    """In a wild market with dozens of squeezes."""
    crashes = tuple(Crash(at, 8, 0.08) for at in range(500, 5_500, 400))
    own = market(6_000, seed=seed, vol=0.0025, crashes=crashes)
    squeezes = found_in(own)
    assert len(squeezes) >= 10
    place = {int(end): i for i, end in enumerate(own.end_ns)}
    for side, sign in (("long", 1.0), ("short", -1.0)):
        mine = [q for q in squeezes if q.side == side]
        for before, after in pairwise(mine):
            assert before.end_ns <= after.onset_ns
        for q in mine:
            onset, trigger, peak, end = (
                place[t] for t in (q.onset_ns, q.trigger_ns, q.peak_ns, q.end_ns)
            )
            assert onset < trigger <= peak <= end
            assert (end - onset) <= LONGEST_MINUTES
            lows, highs = own.bars[:, 2], own.bars[:, 1]
            along, against = (lows, highs) if sign > 0 else (highs, lows)
            assert q.onset_price == against[onset]
            assert q.peak_price == along[peak]
            extreme = along[trigger : end + 1]
            assert q.peak_price == (extreme.min() if sign > 0 else extreme.max())
            move = sign * math.log(q.onset_price / q.peak_price)
            assert q.severity_bps == pytest.approx(1e4 * move)
            moved = sign * math.log(own.bars[trigger - 15, 3] / along[trigger])
            assert moved >= FLOOR
            if q.complete and peak + 60 < len(own):
                back = sign * math.log(own.bars[peak + 60, 3] / q.peak_price) / move
                assert q.retrace_60m == pytest.approx(back)


# --- thresholds are trailing ------------------------------------------------------------------


def test_the_same_fall_is_a_squeeze_after_calm_and_noise_after_a_storm() -> None:
    crash = (Crash(1_000, 10, 0.03),)
    assert len(found_in(market(1_100, seed=3, vol=0.0005, crashes=crash))) == 1
    wild = market(1_100, seed=3, vol=0.0040, crashes=crash)
    assert not [q for q in found_in(wild) if bars_after(wild, q.trigger_ns, 1_000) > 0]


def test_a_storm_to_come_does_not_unmake_a_squeeze() -> None:
    calm = market(3_000, seed=3, vol=0.0005, crashes=(Crash(1_000, 10, 0.03),))
    [before] = found_in(calm)
    later = market(3_000, seed=9, vol=0.01)
    bars = calm.bars.copy()
    bars[1_500:] = later.bars[1_500:] * (calm.bars[1_499, 3] / later.bars[1_499, 3])
    after = found_in(replace(calm, bars=bars))
    assert_same(before, after[0])


# --- gaps and edges ---------------------------------------------------------------------------


def test_a_fall_across_a_gap_is_not_a_squeeze() -> None:
    own = market(1_200, seed=1, vol=0.0004, crashes=(Crash(700, 10, 0.06, rebound=0.0),))
    assert len(found_in(own)) == 1
    assert found_in(own.without(slice(699, 712))) == []


def test_no_squeeze_reaches_across_a_gap() -> None:
    own = market(1_200, seed=1, vol=0.0004, crashes=(Crash(700, 20, 0.06),))
    hole = slice(712, 714)
    squeezes = found_in(own.without(hole))
    assert squeezes
    edge = int(own.end_ns[711])
    for q in squeezes:
        assert (q.end_ns <= edge) or (q.onset_ns > edge)
    assert not squeezes[0].complete
    assert squeezes[0].end_ns == edge


def test_a_squeeze_that_the_data_cut_off_says_so() -> None:
    own = market(712, seed=1, vol=0.0004, crashes=(Crash(700, 20, 0.06),))
    [squeeze] = found_in(own)
    assert not squeeze.complete
    assert squeeze.end_ns == own.end_ns[-1]
    assert np.isnan(squeeze.retrace_60m)


def test_nothing_to_look_at() -> None:
    assert catalogue(market(3).events().frames()) == []
    nothing = Frames(np.empty(0, np.int64), np.empty((0, sc.N_COLUMNS)), MINUTE, 1)
    assert catalogue(nothing) == []


# --- liquidations and open interest -----------------------------------------------------------

CRASH_AT = 2_000


def crashed() -> Frames:
    own = market(2_400, seed=7, vol=0.0004, crashes=(Crash(CRASH_AT, 12, 0.05),))
    return own.events().frames()


def with_liquidations(frames: Frames, burst: NDArray[np.float64]) -> Frames:
    values = frames.values.copy()
    usual = np.random.default_rng(0).exponential(100.0, len(frames))
    values[:, sc.LIQUIDATED_LONGS] = usual
    values[CRASH_AT : CRASH_AT + burst.size, sc.LIQUIDATED_LONGS] = burst
    values[:, sc.LIQUIDATED_SHORTS] = usual
    return replace(frames, values=values)


def test_without_unusual_liquidations_a_fall_is_no_squeeze() -> None:
    frames = crashed()
    assert len(catalogue(frames)) == 1
    assert catalogue(with_liquidations(frames, np.full(30, 50.0))) == []


def test_unusual_liquidations_confirm_it() -> None:
    burst = np.full(20, 50_000.0)
    frames = with_liquidations(crashed(), burst)
    [squeeze] = catalogue(frames)
    assert not squeeze.proxy
    ends = frames.end_ns
    during = (ends >= squeeze.onset_ns) & (ends <= squeeze.end_ns)
    total = frames.values[during, sc.LIQUIDATED_LONGS].sum()
    assert squeeze.liquidated_usdt == pytest.approx(total)


def test_the_onset_waits_for_liquidations_to_begin() -> None:
    frames = crashed()
    [plain] = catalogue(frames)
    late = np.concatenate((np.full(5, 50.0), np.full(20, 50_000.0)))
    [squeeze] = catalogue(with_liquidations(frames, late))
    assert squeeze.onset_ns > plain.onset_ns
    assert squeeze.onset_ns == frames.end_ns[CRASH_AT + 4]
    assert squeeze.peak_ns == plain.peak_ns


def with_open_interest(frames: Frames, change: float, age_s: float = 60.0) -> Frames:
    values = frames.values.copy()
    values[:, sc.OPEN_INTEREST] = 1e6
    values[CRASH_AT + 1 :, sc.OPEN_INTEREST] *= math.exp(change)
    values[:, sc.FIRST_AGE + sc.FEED_OPEN_INTEREST] = age_s
    return replace(frames, values=values)


@pytest.mark.parametrize("change", [0.0, -0.004, 0.02])
def test_open_interest_that_does_not_fall_refutes_it(change: float) -> None:
    assert catalogue(with_open_interest(crashed(), change)) == []


def test_open_interest_that_falls_confirms_it() -> None:
    [squeeze] = catalogue(with_open_interest(crashed(), -0.03))
    assert squeeze.oi_change == pytest.approx(-0.03)
    assert not squeeze.proxy


def test_stale_open_interest_says_nothing() -> None:
    [squeeze] = catalogue(with_open_interest(crashed(), 0.0, age_s=901.0))
    assert squeeze.proxy
    assert np.isnan(squeeze.oi_change)


# --- the definition ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    ["SPEC_VERSION", "FLOOR", "SIGMAS", "QUIET_MINUTES", "RETRACED", "OI_FALL", "LONGEST_MINUTES",
     "LIQUIDATION_QUANTILE", "CALM_QUANTILE", "NEAR_EXTREME", "WALK_BACK_MINUTES"],
)  # fmt: skip
def test_the_hash_changes_with_every_number(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before = spec_hash()
    monkeypatch.setattr(labels, name, getattr(labels, name) * 2)
    assert spec_hash() != before


def test_the_catalogue_looks_at_the_stated_columns_alone() -> None:
    frames = market(3_200, seed=11, vol=0.0008, crashes=(Crash(3_000, 20, 0.15),)).events()
    whole = frames.frames()
    rest = [c for c in range(sc.N_COLUMNS) if c not in labels.COLUMNS_READ]
    values = whole.values.copy()
    values[:, rest] = -1.0
    found = catalogue(whole)
    assert found
    assert repr(catalogue(replace(whole, values=values))) == repr(found)
    for column in labels.COLUMNS_READ[:3]:
        values = whole.values.copy()
        values[:, column] *= np.linspace(1.0, 2.0, len(whole))
        assert repr(catalogue(replace(whole, values=values))) != repr(found)

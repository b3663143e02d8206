"""Facts obey the laws of their statistics, never look across a gap, and find the real market."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from litehedge.errors import UsageError
from litehedge.feeds.archive import read
from litehedge.report.real_minutes import minutes_of
from litehedge.sim.facts import (
    TARGETS,
    Minutes,
    autocorrelation,
    compare,
    episodes,
    excess_kurtosis,
    facts,
    hill,
    retraces,
)
from litehedge.sim.facts_targets import FEEDS, LATE_YEARS, SPANS, STUDIES, YEARS, accepted
from litehedge.store.lake import Lake
from litehedge.units import MINUTES_PER_DAY, NS_PER_HOUR, NS_PER_MINUTE, instant_ns

START_NS = instant_ns("2024-01-01")  # a Monday


def made(log_close: np.ndarray, bar_min: int = 1, **more: np.ndarray) -> Minutes:
    """Bars whose highs and lows are their closes, from midnight on."""
    close = np.exp(log_close)
    end_ns = START_NS + np.arange(1, close.size + 1, dtype=np.int64) * bar_min * NS_PER_MINUTE
    return Minutes(end_ns=end_ns, close=close, high=close, low=close, bar_min=bar_min, **more)


def walk(days: int, bar_min: int = 1, seed: int = 1, scale: float = 1e-3) -> np.ndarray:
    steps = np.random.default_rng(seed).standard_t(4, days * MINUTES_PER_DAY // bar_min)
    return scale * np.cumsum(steps)


def some(minutes: Minutes, keep: np.ndarray) -> Minutes:
    """The same bars with gaps."""
    columns = ("end_ns", "close", "high", "low", "volume_usdt", "btc_close")
    values = {name: getattr(minutes, name) for name in columns}
    return replace(minutes, **{k: v[keep] for k, v in values.items() if v is not None})


# --- laws -------------------------------------------------------------------------------------


def test_every_target_has_a_fact_and_every_fact_a_target() -> None:
    assert list(facts(made(walk(2)))) == list(TARGETS)


def test_twice_the_moves_are_twice_the_volatility_and_nothing_else() -> None:
    path = walk(60)
    once, twice = facts(made(path)), facts(made(2.0 * path))
    for name in ("vol_5m", "vol_1d"):
        assert twice[name] == pytest.approx(2.0 * once[name])
    same = ("kurtosis_1m", "kurtosis_1h", "hill_5m", "acf_abs_1m_10", "acf_5m_1", "weekend_ratio")
    for name in same:
        assert twice[name] == pytest.approx(once[name])


def test_the_volatility_of_a_walk_is_that_of_its_steps() -> None:
    steps = np.random.default_rng(2).standard_normal(400 * MINUTES_PER_DAY)
    found = facts(made(1e-3 * np.cumsum(steps)))
    annual = 1e-3 * np.sqrt(365 * MINUTES_PER_DAY)
    assert found["vol_5m"] == pytest.approx(annual, rel=0.01)
    assert found["vol_1d"] == pytest.approx(annual, rel=0.10)


def test_a_normal_distribution_has_no_excess_kurtosis() -> None:
    normal = np.random.default_rng(3).standard_normal(200_000)
    assert abs(excess_kurtosis(normal)) < 0.05
    assert excess_kurtosis(np.tile([-1.0, 1.0], 50)) == pytest.approx(-2.0)


@pytest.mark.parametrize("alpha", [2.0, 3.0, 5.0])
def test_hill_finds_the_index_of_a_pareto_tail(alpha: float) -> None:
    rng = np.random.default_rng(4)
    sample = (1.0 + rng.pareto(alpha, 200_000)) * rng.choice([-1.0, 1.0], 200_000)
    assert hill(sample) == pytest.approx(alpha, rel=0.08)


def test_white_noise_remembers_nothing_and_a_filter_what_it_is_given() -> None:
    noise = np.random.default_rng(5).standard_normal(100_000)
    assert all(abs(autocorrelation(noise, lag)) < 0.015 for lag in (1, 5, 60, 1440))
    filtered = noise[1:] + 0.5 * noise[:-1]
    assert autocorrelation(filtered, 1) == pytest.approx(0.4, abs=0.015)
    holes = np.where(np.random.default_rng(6).random(filtered.size) < 0.3, np.nan, filtered)
    assert autocorrelation(holes, 1) == pytest.approx(0.4, abs=0.02)


def test_what_happens_in_a_gap_is_no_return() -> None:
    """The price doubles while nobody looks: no fact may see it."""
    path = walk(70)
    keep = np.ones(path.size, dtype=bool)
    gap = slice(40_003, 40_010)
    keep[gap] = False
    jump = path.copy()
    jump[gap.stop :] += np.log(2.0)
    calm, torn = (facts(some(made(x), keep)) for x in (path, jump))
    for name, value in calm.items():
        assert torn[name] == pytest.approx(value, rel=1e-6, nan_ok=True), name
    assert facts(made(jump))["kurtosis_5m"] > 1000.0  # without the gap it would show


def test_a_gap_changes_little_elsewhere() -> None:
    path = walk(70)
    volume = np.full(path.size, 1e5)
    whole = made(path, volume_usdt=volume, btc_close=np.exp(walk(70, seed=9) + 0.5 * path))
    keep = np.ones(path.size, dtype=bool)
    keep[50_000:50_100] = False
    one, two = facts(whole), facts(some(whole, keep))
    assert two["volume_median"] == one["volume_median"] == pytest.approx(144.0)
    for name in ("vol_5m", "btc_correlation_1h", "btc_beta_1h", "acf_abs_1m_1"):
        assert two[name] == pytest.approx(one[name], rel=0.02, abs=0.002), name


def test_bars_of_one_and_of_five_minutes_tell_the_same() -> None:
    path = walk(40)
    volume = np.random.default_rng(7).random(path.size) * 1e5
    fine = made(path, volume_usdt=volume)
    grouped = np.exp(path).reshape(-1, 5)
    coarse = Minutes(
        end_ns=fine.end_ns[4::5],
        close=fine.close[4::5],
        high=grouped.max(axis=1),
        low=grouped.min(axis=1),
        volume_usdt=volume.reshape(-1, 5).sum(axis=1),
        bar_min=5,
    )
    one, two = facts(fine), facts(coarse)
    of_minutes = ("kurtosis_1m", "acf_abs_1m", "minute_")
    for name, value in one.items():
        if name.startswith(of_minutes):
            assert np.isnan(two[name])
        else:
            assert two[name] == pytest.approx(value, nan_ok=True), name


def test_bitcoin_twice_as_calm_has_a_beta_of_two() -> None:
    path = walk(60, bar_min=5)
    found = facts(made(path, bar_min=5, btc_close=np.exp(0.5 * path)))
    for span in ("5m", "1h", "1d"):
        assert found[f"btc_correlation_{span}"] == pytest.approx(1.0)
    assert found["btc_beta_1h"] == pytest.approx(2.0)


# --- examples ---------------------------------------------------------------------------------


def test_the_retrace_of_a_v_made_by_hand() -> None:
    """From 0 down by 4 % in 20 minutes; back to half after 5 minutes, to a quarter after hours."""
    path = np.zeros(600)
    path[101:105] = [-0.01, -0.02, -0.03, -0.04]
    path[105:110] = -0.02
    path[110:] = -0.03
    low = path.copy()
    found = retraces(path, path, low, "fall")
    assert found == {
        "retrace_fall_5m": pytest.approx(0.5),
        "retrace_fall_1h": pytest.approx(0.25),
        "retrace_fall_4h": pytest.approx(0.25),
        "retrace_fall_24h": pytest.approx(0.25),
    }
    low[104] = -0.06  # a wick is the bottom
    assert retraces(path, path, low, "fall")["retrace_fall_5m"] == pytest.approx(4.0 / 6.0)
    assert all(np.isnan(x) for x in retraces(-path, -low, -path, "rise").values())
    risen = facts(made(-path, bar_min=5))
    assert risen["retrace_rise_5m"] == pytest.approx(0.5)
    assert np.isnan(risen["retrace_fall_5m"])


def test_a_fall_whose_return_is_not_seen_is_left_out() -> None:
    path = np.zeros(300)
    path[101:] = -0.04
    path[140] = np.nan
    found = retraces(path, path, path, "fall")
    assert found["retrace_fall_1h"] == pytest.approx(0.0)
    assert np.isnan(found["retrace_fall_4h"])
    ends = retraces(path[:105], path[:105], path[:105], "fall")
    assert all(np.isnan(value) for value in ends.values())


def test_moves_close_to_each_other_are_one_episode() -> None:
    moves = np.array([np.nan, 0.0, -0.05, 0.04, 0.0, 0.0, 0.0, 0.05, -0.01, np.nan])
    first, sign = episodes(moves, 0.03, apart=3)
    assert first.tolist() == [2, 7]
    assert sign.tolist() == [-1, 1]
    assert episodes(moves, 0.03, apart=4)[0].tolist() == [2]


def test_one_crash_in_four_weeks_is_a_quarter_of_an_episode_per_week() -> None:
    path = np.zeros(28 * 288)
    path[4000:] = -0.06
    found = facts(made(path, bar_min=5))
    for name in ("episodes_1h_2", "episodes_1h_3"):
        assert found[name] == pytest.approx(0.25, rel=0.01)
    assert found["episodes_1h_5"] == pytest.approx(365.25 / 12 / 28, rel=0.01)
    assert found["episodes_4h_10"] == 0.0
    assert found["down_share_1h_5"] == 1.0
    assert np.isnan(found["down_share_4h_10"])
    assert found["worst_fall_5m"] == pytest.approx(np.expm1(-0.06))


def test_weekends_and_round_minutes() -> None:
    steps = np.full(28 * MINUTES_PER_DAY, 1e-4).reshape(-1, 60)
    steps[:, 15] = 2e-4
    steps = steps.reshape(28, MINUTES_PER_DAY)
    steps[5::7] *= 0.5
    steps[6::7] *= 0.5
    found = facts(made(np.cumsum(steps.ravel())))
    assert found["weekend_ratio"] == pytest.approx(0.5, rel=0.01)
    assert found["minute_15"] == pytest.approx(120 / 61, rel=1e-3)
    assert found["minute_30"] == pytest.approx(60 / 61, rel=1e-3)


def test_funding_by_hand() -> None:
    rate = np.tile([1e-4, 1e-4, 3e-4, -1e-4], 10)
    times = START_NS + np.arange(40, dtype=np.int64) * 8 * NS_PER_HOUR
    found = facts(made(walk(1), funding_ns=times, funding_rate=rate))
    assert found["funding_mean"] == pytest.approx(1.0)
    assert found["funding_sd"] == pytest.approx(np.sqrt(2.0))
    assert (found["funding_min"], found["funding_max"]) == pytest.approx((-1.0, 3.0))
    assert (found["funding_at_base"], found["funding_negative"]) == (0.5, 0.25)
    assert found["funding_acf_1"] == pytest.approx(-10 * 4 / 39 / 2.0)


def test_forced_orders_by_hand() -> None:
    n = 3 * MINUTES_PER_DAY
    long_usdt, interest = np.zeros(n), np.full(n, 1e6)
    long_usdt[[10, 2000]] = 1e5, 3e5
    interest[2001:] = 5e5
    found = facts(
        made(
            walk(3),
            liquidated_long_usdt=long_usdt,
            liquidated_short_usdt=np.zeros(n),
            reported_usdt=0.1 * long_usdt,
            open_interest_usdt=interest,
        )
    )
    assert found["liquidated_mean"] == pytest.approx(0.4 / 3)
    assert found["liquidated_median"] == pytest.approx(0.1)
    assert found["liquidated_worst"] == pytest.approx(0.3)
    assert found["reported_share"] == pytest.approx(0.1)


def test_bars_off_the_clock_are_refused() -> None:
    bars = made(walk(1))
    for bad in ({"end_ns": bars.end_ns + 1}, {"end_ns": bars.end_ns[::-1]}, {"bar_min": 7}):
        with pytest.raises(UsageError):
            replace(bars, **bad)


def test_comparing_worlds_with_history() -> None:
    worlds = [{"vol_5m": x} for x in (0.7, 0.8, 9.0)] + [{"vol_5m": float("nan")}]
    rows = {row.fact: row for row in compare(worlds, {"vol_5m": 0.74})}
    assert list(rows) == list(TARGETS)
    row = rows["vol_5m"]
    assert (row.real, row.median, row.lowest, row.highest) == (0.74, 0.8, 0.7, 9.0)
    assert row.verdict == "inside"
    assert {row.fact: row for row in compare(worlds[2:], None)}["vol_5m"].verdict == "outside"
    assert rows["hill_5m"].verdict == "not measured"


def test_the_published_values_are_accepted() -> None:
    for name, target in TARGETS.items():
        assert target.low < target.high, name
        assert np.isnan(target.real) or target.low <= target.real <= target.high, name


def test_bars_of_the_lake_bring_bitcoin_and_funding(tmp_path: Path) -> None:
    opens = ("07:58", "07:59", "08:00", "08:01", "08:02")
    rows = [f"2024-01-01 {at}:00,9,15,8,1{m},2" for m, at in enumerate(opens)]
    files = {
        "ltc_perp_1m": ["ts,open,high,low,close,volume", *rows],
        "btc_perp_1m": ["ts,open,high,low,close,volume", *rows[1:4]],
        "ltc_funding": ["ts,funding_rate", *(f"2024-01-01 0{h}:00:00,0.0001" for h in (0, 8))],
    }
    lake = Lake(tmp_path / "lake")
    for name, lines in files.items():
        path = tmp_path / f"{name}.csv"
        path.write_text("\n".join(lines) + "\n")
        lake.write([read(path)], name)
    minutes = minutes_of(lake, "ltc_perp_1m")
    assert minutes.bar_min == 1
    assert minutes.end_ns[0] == instant_ns("2024-01-01T07:59")
    assert minutes.close.tolist() == [10.0, 11.0, 12.0, 13.0, 14.0]
    assert minutes.volume_usdt is not None
    assert minutes.volume_usdt.tolist() == [20.0, 22.0, 24.0, 26.0, 28.0]
    assert minutes.btc_close is not None
    expected = [np.nan, 11.0, 12.0, 13.0, np.nan]
    np.testing.assert_array_equal(minutes.btc_close, expected)
    assert minutes.funding_ns is not None
    assert minutes.funding_ns.tolist() == [instant_ns("2024-01-01T08:00")]
    assert minutes.funding_rate is not None
    assert minutes.funding_rate.tolist() == [1e-4]


# --- history ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def lake(history: Path, tmp_path_factory: pytest.TempPathFactory) -> Lake:
    made_lake = Lake(tmp_path_factory.mktemp("facts"))
    kinds = ("perp_1m", "perp_5m", "perp_1h", "spot_1m", "spot_5m")
    for name in ("ltc_funding", *(f"{coin}_{kind}" for coin in ("ltc", "btc") for kind in kinds)):
        made_lake.write([read(history / f"{name}.parquet")], name)
    return made_lake


@cache
def real(lake: Lake, name: str, first: str, after: str) -> dict[str, float]:
    return facts(minutes_of(lake, name, instant_ns(first), instant_ns(after)))


@pytest.mark.history
def test_the_published_facts_come_out_of_the_history(lake: Lake) -> None:
    """Hours on the clock here, five minutes past there: fourth moments differ by some."""
    found = real(lake, "ltc_perp_5m", "2023-01-01", "2024-05-15")
    loose = {"kurtosis_1h": 0.15, "kurtosis_1d": 0.10, "acf_5m_1": 0.03}
    for name, value in found.items():
        target = TARGETS[name].real
        if not np.isfinite(value):
            assert name.startswith(("kurtosis_1m", "acf_abs_1m", "minute", "liquidated", "report"))
        elif name.startswith("retrace"):
            assert value == pytest.approx(target, abs=0.05), name
        else:
            assert value == pytest.approx(target, rel=loose.get(name, 0.06), abs=0.01), name
    calm = real(lake, "ltc_perp_1m", "2024-12-19", "2025-01-19")
    for name in [name for name in TARGETS if name.startswith(("acf_abs_1m", "kurtosis_1m"))]:
        assert calm[name] == pytest.approx(TARGETS[name].real, rel=0.01, abs=0.001), name


@pytest.mark.history
def test_what_is_accepted_is_what_varies_between_spans(lake: Lake) -> None:
    for name, target in TARGETS.items():
        if target.source in (STUDIES, FEEDS):
            continue
        assert name.startswith("funding") <= (target.source in (YEARS, LATE_YEARS))
        values = [real(lake, *span)[name] for span in SPANS[target.source]]
        low, high = accepted(values, target.source, target.real)
        assert target.low == pytest.approx(low, rel=0.011), (name, values)
        capped = target.high == 1.0
        assert capped or target.high == pytest.approx(high, rel=0.011), (name, values)

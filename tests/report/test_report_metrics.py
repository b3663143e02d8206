"""Figures of episodes and runs: the laws that any true figure obeys, then examples."""

from __future__ import annotations

import math
from dataclasses import replace

import made
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from litehedge.backtest import STATIC_GRID
from litehedge.errors import UsageError
from litehedge.report.metrics import (
    ComparisonRow,
    comparison_interval,
    comparison_row,
    cvar5,
    run_summary,
    tail_count,
)
from litehedge.units import NS_PER_DAY

RETURNS = st.lists(st.floats(-1.0, 3.0), min_size=1, max_size=80)
KEYS = [
    "policy", "side", "leverage", "episodes", "liquidation_rate", "mean_return", "cvar5", "worst",
    "cost_fees", "cost_slippage", "cost_funding", "avg_hedge", "turnover", "trades",
    "static_liquidation_rate", "static_mean_return", "location",
]  # fmt: skip


def row_of(outcomes: np.ndarray) -> ComparisonRow:
    return comparison_row("plugin", "long", 5, outcomes, made.FRONTIER)


# --- episodes ---------------------------------------------------------------------------------


def test_a_row_has_exactly_these_keys_in_this_order() -> None:
    assert list(row_of(made.outcomes_of([0.1]))) == KEYS


@given(RETURNS)
def test_worst_is_below_the_tail_and_the_tail_below_the_mean(returns: list[float]) -> None:
    row = row_of(made.outcomes_of(returns))
    assert row["worst"] <= row["cvar5"] + 1e-12
    assert row["cvar5"] <= row["mean_return"] + 1e-12


@given(RETURNS, st.floats(0.01, 1000.0))
def test_a_larger_wallet_changes_no_figure(returns: list[float], scale: float) -> None:
    small = row_of(made.outcomes_of(returns, wallet_usdt=1000.0, hedge=0.3))
    large = row_of(made.outcomes_of(returns, wallet_usdt=1000.0 * scale, hedge=0.3))
    for key in KEYS[3:-1]:
        assert large[key] == pytest.approx(small[key], rel=1e-9, abs=1e-9), key


@given(st.sampled_from(range(STATIC_GRID.size)))
def test_static_figures_are_exact_on_the_grid(i: int) -> None:
    row = row_of(made.outcomes_of([0.1, 0.2], hedge=float(STATIC_GRID[i])))
    assert row["static_liquidation_rate"] == pytest.approx(made.FRONTIER[0][i], abs=1e-12)
    assert row["static_mean_return"] == pytest.approx(made.FRONTIER[1][i], abs=1e-12)


def test_static_figures_lie_between_the_grid_points() -> None:
    row = row_of(made.outcomes_of([0.1], hedge=0.125))
    between = made.FRONTIER[0][2:4].mean()
    assert row["static_liquidation_rate"] == pytest.approx(between)


def test_costs_are_means_in_fractions_of_the_wallet_and_clearance_is_a_fee() -> None:
    row = row_of(made.outcomes_of([0.1, -0.1], wallet_usdt=500.0))
    assert row["cost_fees"] == pytest.approx(0.011)
    assert row["cost_slippage"] == pytest.approx(0.02)
    assert row["cost_funding"] == pytest.approx(-0.005)


def test_average_hedge_is_the_mean_over_episodes_whatever_their_length() -> None:
    outcomes = made.outcomes_of([0.0, 0.0], hedge=1.0)
    outcomes["bars"] = [100, 10]
    outcomes["ratio_sum"] = [0.0, 10.0]
    assert row_of(outcomes)["avg_hedge"] == pytest.approx(0.5)


def test_a_position_of_nothing_counts_as_hedged() -> None:
    outcomes = made.outcomes_of([0.0, 0.0])
    outcomes["ratio_sum"] = np.nan
    assert row_of(outcomes)["avg_hedge"] == 1.0


def test_a_single_episode_is_its_own_tail() -> None:
    row = row_of(made.outcomes_of([-0.25], died=[True]))
    assert row["mean_return"] == row["cvar5"] == row["worst"] == pytest.approx(-0.25)
    assert row["liquidation_rate"] == 1.0
    assert row["episodes"] == 1


def test_no_episode_is_refused() -> None:
    with pytest.raises(UsageError, match="no episodes"):
        row_of(made.outcomes_of([]))


@pytest.mark.parametrize(("n", "count"), [(1, 1), (19, 1), (39, 1), (40, 2), (100, 5), (140, 7)])
def test_the_tail_is_a_twentieth_and_at_least_one(n: int, count: int) -> None:
    assert tail_count(n) == count
    assert cvar5(np.arange(float(n))) == pytest.approx(np.arange(count).mean())


def test_nothing_has_no_tail() -> None:
    assert math.isnan(cvar5(np.empty(0)))


# --- intervals --------------------------------------------------------------------------------


def days(n: int) -> np.ndarray:
    return made.T0 + NS_PER_DAY * np.arange(n)


def test_intervals_hold_the_figure_and_shrink_with_more_weeks() -> None:
    returns = np.random.default_rng(0).normal(0.0, 0.1, 1400)
    outcomes = made.outcomes_of(returns, died=list(returns < -0.15))
    few = comparison_interval(outcomes[:70], days(70), 4 * NS_PER_DAY)
    many = comparison_interval(outcomes, days(1400), 4 * NS_PER_DAY)
    row = row_of(outcomes)
    for name in ("liquidation_rate", "mean_return"):
        low, high = getattr(many, name)
        assert low < row[name] < high
        assert high - low < 0.5 * (getattr(few, name).high - getattr(few, name).low)


def test_what_does_not_vary_has_an_interval_of_no_width() -> None:
    interval = comparison_interval(made.outcomes_of(np.full(70, 0.02)), days(70), 4 * NS_PER_DAY)
    assert interval.mean_return == pytest.approx((0.02, 0.02))


def test_what_never_happened_may_still_happen() -> None:
    """None of 17 episodes apart: one in six is not excluded (0.05 ** (1 / 17) = 0.84)."""
    for died, expected in ((False, (0.0, 0.1615)), (True, (0.8385, 1.0))):
        outcomes = made.outcomes_of(np.full(70, 0.02), died=[died] * 70)
        rate = comparison_interval(outcomes, days(70), 4 * NS_PER_DAY).liquidation_rate
        assert rate == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize(("n", "length_days"), [(2, 1), (63, 4), (400, 30)])
def test_few_blocks_are_no_sample(n: int, length_days: int) -> None:
    outcomes = made.outcomes_of(np.linspace(-0.1, 0.2, n))
    interval = comparison_interval(outcomes, days(n), length_days * NS_PER_DAY)
    assert all(math.isnan(v) for v in (*interval.mean_return, *interval.liquidation_rate))


def test_overlapping_episodes_do_not_narrow_the_interval() -> None:
    returns = np.random.default_rng(0).normal(0.0, 0.1, 100)
    once = comparison_interval(made.outcomes_of(returns), days(700)[::7], 7 * NS_PER_DAY)
    again = comparison_interval(
        made.outcomes_of(np.repeat(returns, 4)), np.repeat(days(700)[::7], 4), 7 * NS_PER_DAY
    )
    assert again.mean_return == pytest.approx(once.mean_return)


def test_the_same_episodes_give_the_same_interval() -> None:
    outcomes = made.outcomes_of(np.random.default_rng(0).normal(0.0, 0.1, 70))
    first, second = (comparison_interval(outcomes, days(70), NS_PER_DAY) for _ in range(2))
    assert first == second


def test_long_episodes_that_overlap_are_few() -> None:
    """Weeks that begin every day share six days: 90 % intervals hold the truth 8 times in 10."""
    held = 0
    for seed in range(60):
        moves = np.random.default_rng(seed).normal(0.0, 0.02, 406)
        returns = np.convolve(moves, np.ones(7), mode="valid")
        low, high = comparison_interval(
            made.outcomes_of(returns), days(400), 7 * NS_PER_DAY
        ).mean_return
        held += low < 0.0 < high
    assert held >= 48


# --- one run ----------------------------------------------------------------------------------


@given(st.integers(0, 50), st.floats(0.0, 1.0))
def test_days_and_months_add_up_to_the_profit(seed: int, ratio: float) -> None:
    given_settings = made.settings()
    tape = made.tape_of(made.wandering(900, seed))
    run = made.run_of(tape, given_settings, ratio, fees_usdt=7.0)
    s = run_summary(run, tape, given_settings)
    assert sum(m.pnl_usdt for m in s.months) == pytest.approx(s.pnl_usdt)
    assert s.worst_day.pnl_usdt <= s.pnl_usdt / s.days + 1e-9
    assert s.worst_month.pnl_usdt == min(m.pnl_usdt for m in s.months)
    assert s.daily_cvar5 <= s.pnl_usdt / s.days / s.wallet_usdt + 1e-12
    assert s.pnl_share == pytest.approx(s.pnl_usdt / 1000.0)


@given(st.floats(1.0, 100.0))
def test_shares_do_not_depend_on_the_wallet(scale: float) -> None:
    tape = made.tape_of(made.wandering(200, 3))
    figures = []
    for wallet in (1000.0, 1000.0 * scale):
        chosen = made.settings(wallet_usdt=wallet)
        run, naked = made.run_of(tape, chosen, 0.5), made.run_of(tape, chosen, policy="unhedged")
        s = run_summary(run, tape, chosen, naked)
        figures.append(
            [s.pnl_share, s.life_drawdown, s.drawdown_wallets, s.worst_day.share,
             s.volatility_annual, s.effectiveness, s.leg_correlation, s.avg_hedge]
        )  # fmt: skip
    # The position is bought in whole lots, so that sizes agree to a thousandth of a coin.
    assert figures[0] == pytest.approx(figures[1], rel=1e-3, abs=1e-3)


def test_profit_is_summed_over_lives_and_each_brings_its_wallet() -> None:
    sheet = made.sheet_of()
    naked = run_summary(sheet.runs["unhedged"], sheet.tape, sheet.settings)
    assert naked.lives == 2
    assert naked.invested_usdt == 2000.0
    assert naked.liquidated_ns == [int(sheet.tape.end_ns[39])]
    outcomes = sheet.runs["unhedged"].outcomes
    assert naked.pnl_usdt == pytest.approx(-1000.0 + float(outcomes["equity"][1]) - 1000.0)
    assert naked.life_drawdown == 1.0
    assert naked.drawdown_usdt == pytest.approx(1000.0)


def test_a_full_hedge_takes_all_of_the_loss_and_half_a_hedge_half_of_it() -> None:
    chosen = made.settings()
    tape = made.tape_of(made.wandering(24 * 60, 5))
    naked = made.run_of(tape, chosen, policy="unhedged")
    full = run_summary(made.run_of(tape, chosen, 1.0), tape, chosen, naked)
    half = run_summary(made.run_of(tape, chosen, 0.5), tape, chosen, naked)
    assert full.effectiveness == pytest.approx(1.0)
    assert half.effectiveness == pytest.approx(0.5)
    assert full.worst_days == 3


def test_no_hedge_has_no_effectiveness_and_no_correlation() -> None:
    chosen = made.settings()
    tape = made.tape_of(made.wandering(24 * 10, 5))
    naked = made.run_of(tape, chosen, policy="unhedged")
    for s in (run_summary(naked, tape, chosen), run_summary(naked, tape, chosen, naked)):
        assert math.isnan(s.effectiveness)
        assert math.isnan(s.leg_correlation)


@pytest.mark.parametrize("side", ["long", "short"])
def test_a_constant_hedge_is_the_mirror_of_its_position(side: made.Side) -> None:
    chosen = made.settings(side)
    tape = made.tape_of(made.wandering(24 * 10, 5))
    s = run_summary(made.run_of(tape, chosen, 0.4), tape, chosen)
    assert s.leg_correlation == pytest.approx(-1.0)
    assert s.avg_hedge == pytest.approx(0.4)


def test_volatility_is_of_days_and_a_year_has_365() -> None:
    chosen = made.settings()
    tape = made.tape_of([100.0, 102.0, 101.0, 103.0], bar_ns=NS_PER_DAY)
    s = run_summary(made.run_of(tape, chosen), tape, chosen)
    daily = np.array([0.0, 2.0, -1.0, 2.0]) * 50.0 / 1000.0
    assert s.volatility_annual == pytest.approx(daily.std(ddof=1) * np.sqrt(365))
    assert s.daily_cvar5 == pytest.approx(-0.05)
    assert s.worst_day.start_ns == made.T0 + 2 * NS_PER_DAY


def test_one_day_has_no_volatility() -> None:
    chosen = made.settings()
    tape = made.tape_of([100.0, 101.0])
    s = run_summary(made.run_of(tape, chosen), tape, chosen)
    assert math.isnan(s.volatility_annual)
    assert s.days == 1


def test_a_run_that_never_held_anything_has_no_distance() -> None:
    chosen = made.settings()
    tape = made.tape_of([100.0, 101.0, 102.0])
    run = made.run_of(tape, chosen)
    empty = replace(run, path=np.full_like(run.path, np.nan))
    s = run_summary(empty, tape, chosen)
    assert math.isnan(s.nearest_liquidation)
    assert s.cost_usdt == 0.0


def test_costs_are_summed_over_lives() -> None:
    chosen = made.settings()
    tape = made.tape_of(made.wandering(100))
    lives = [made.Life(0, 30), made.Life(48, 100)]
    s = run_summary(made.run_of(tape, chosen, 0.5, lives, fees_usdt=3.0), tape, chosen)
    assert s.fees_usdt == 6.0
    assert s.cost_usdt == 6.0
    assert s.trades == 2

"""Series of a run: profit over several lives, by day and month, of each leg; the band."""

from __future__ import annotations

from dataclasses import replace

import made
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from litehedge.errors import UsageError
from litehedge.hedge.band import Action
from litehedge.report.series import (
    align,
    band,
    cumulated_pnl,
    daily_pnl,
    drawdown,
    filled_forward,
    legs_pnl,
    monthly_pnl,
)
from litehedge.sim.episode import PATH_EQUITY, PATH_HI, PATH_LO
from litehedge.units import NS_PER_DAY, instant_ns

CHOSEN = made.settings()


def test_profit_goes_on_from_life_to_life_and_rests_in_between() -> None:
    tape = made.tape_of(made.wandering(100))
    lives = [made.Life(5, 30, died=True), made.Life(48, 100)]
    run = made.run_of(tape, CHOSEN, 0.0, lives)
    profit = cumulated_pnl(run)
    assert (profit[:5] == 0.0).all()
    assert (profit[29:48] == -1000.0).all()
    assert profit[48] == pytest.approx(-1000.0 + run.path[48, PATH_EQUITY] - 1000.0)
    settled = (run.outcomes["equity"] - run.outcomes["wallet"]).sum()
    assert profit[-1] == pytest.approx(settled)


@given(st.lists(st.integers(1, 20), min_size=1, max_size=6), st.integers(0, 9))
def test_no_profit_appears_between_lives(lengths: list[int], seed: int) -> None:
    tape = made.tape_of(made.wandering(200, seed))
    starts = np.cumsum([0, *(length + 3 for length in lengths)])[:-1]
    lives = [
        made.Life(int(a), int(a) + n, n % 2 == 0) for a, n in zip(starts, lengths, strict=True)
    ]
    run = made.run_of(tape, CHOSEN, 0.3, lives, fees_usdt=2.0)
    profit = cumulated_pnl(run)
    carried = 0.0
    for life, outcome in zip(lives, run.outcomes, strict=True):
        carried += float(outcome["equity"] - outcome["wallet"])
        assert profit[life.stop - 1 : life.stop + 2] == pytest.approx(carried)
    assert np.isfinite(profit).all()


def test_a_hole_in_a_path_keeps_the_last_value() -> None:
    tape = made.tape_of(made.wandering(20))
    run = made.run_of(tape, CHOSEN)
    run.path[7:9, PATH_EQUITY] = np.nan
    profit = cumulated_pnl(run)
    assert profit[7] == profit[8] == profit[6]


def test_filling_starts_with_what_was_before() -> None:
    filled = filled_forward(np.array([np.nan, 1.0, np.nan, 2.0]), 9.0)
    assert filled.tolist() == [9.0, 1.0, 1.0, 2.0]


def test_drawdown_is_measured_from_the_peak_and_from_zero() -> None:
    assert drawdown(np.array([-1.0, 2.0, 1.0, 3.0])).tolist() == [-1.0, 0.0, -1.0, 0.0]


def test_the_bar_that_ends_at_midnight_belongs_to_the_day_before() -> None:
    end_ns = made.T0 + np.array([NS_PER_DAY - 1, NS_PER_DAY, NS_PER_DAY + 1])
    days = daily_pnl(end_ns, np.array([1.0, 5.0, 2.0]))
    assert days.start_ns.tolist() == [made.T0, made.T0 + NS_PER_DAY]
    assert days.pnl_usdt.tolist() == [5.0, -3.0]


def test_months_are_calendar_months() -> None:
    end_ns = np.array([instant_ns(t) for t in ("2024-02-29T23:00", "2024-03-01", "2024-03-02")])
    months = monthly_pnl(end_ns, np.array([1.0, 2.0, 7.0]))
    assert months.start_ns.tolist() == [instant_ns("2024-02-01"), instant_ns("2024-03-01")]
    assert months.pnl_usdt.tolist() == [2.0, 5.0]


@given(st.integers(0, 30), st.sampled_from(["long", "short"]))
def test_the_legs_together_are_the_profit_before_costs(seed: int, side: made.Side) -> None:
    chosen = made.settings(side)
    tape = made.tape_of(made.wandering(60, seed))
    ratio = np.round(np.random.default_rng(seed).uniform(0.0, 1.0, 60), 2)
    run = made.run_of(tape, chosen, ratio)
    legs = legs_pnl(run, tape, chosen)
    both = float((legs.position_usdt + legs.hedge_usdt).sum())
    assert both == pytest.approx(float(run.outcomes["equity"][0]) - 1000.0)


def test_the_bar_of_a_liquidation_counts_for_no_leg() -> None:
    tape = made.tape_of(made.wandering(30))
    run = made.run_of(tape, CHOSEN, 0.5, [made.Life(0, 20, died=True)])
    legs = legs_pnl(run, tape, CHOSEN)
    assert (legs.position_usdt[19:] == 0.0).all()
    assert (legs.hedge_usdt[19:] == 0.0).all()


# --- on another tape --------------------------------------------------------------------------


def test_a_run_that_began_later_is_put_in_its_place() -> None:
    tape = made.tape_of(made.wandering(50))
    late = made.run_of(tape, CHOSEN, 0.5, [made.Life(10, 30, died=True), made.Life(35, 50)])
    cut = replace(late, end_ns=late.end_ns[10:], path=late.path[10:], outcomes=late.outcomes.copy())
    cut.outcomes["start"] -= 10
    cut.outcomes["stop"] -= 10
    placed = align(cut, tape)
    assert np.array_equal(placed.path, late.path, equal_nan=True)
    assert np.array_equal(placed.outcomes, late.outcomes)
    assert placed.liquidated_ns == late.liquidated_ns == cut.liquidated_ns


def test_a_run_of_another_market_is_refused() -> None:
    tape = made.tape_of(made.wandering(50))
    other = made.run_of(tape, CHOSEN)
    with pytest.raises(UsageError, match="does not have"):
        align(replace(other, end_ns=other.end_ns + 1), tape)


# --- the band ---------------------------------------------------------------------------------


def test_a_recorded_band_is_taken_as_it_is() -> None:
    run = made.run_of(made.tape_of(made.wandering(20)), CHOSEN, 0.4)
    lo, hi = band(run)
    assert np.array_equal(lo, run.path[:, PATH_LO])
    assert np.array_equal(hi, run.path[:, PATH_HI])


def test_a_band_told_by_decisions_holds_until_the_next_one() -> None:
    tape = made.tape_of(made.wandering(20))
    run = made.run_of(tape, CHOSEN, 0.0, [made.Life(0, 15)])
    run.path[:, [PATH_LO, PATH_HI]] = np.nan
    run.decisions.extend(
        [
            made.decision_at(int(tape.end_ns[4]), Action.MAINTAIN, 0.0, 0.3),
            made.decision_at(int(tape.end_ns[9]), Action.INCREASE, 0.3, 0.8),
        ]
    )
    lo, hi = band(run)
    assert np.isnan(lo[:4]).all()
    assert hi[4:9].tolist() == [0.3] * 5
    assert lo[9:15].tolist() == [0.3] * 6
    assert hi[9:15].tolist() == [0.8] * 6
    assert np.isnan(hi[15:]).all()


def test_without_band_and_decisions_there_is_nothing_to_draw() -> None:
    run = made.run_of(made.tape_of(made.wandering(5)), CHOSEN)
    run.path[:, [PATH_LO, PATH_HI]] = np.nan
    assert np.isnan(band(run)[0]).all()

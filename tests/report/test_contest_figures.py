"""Figures of bad times, kinds of market and crises, on episodes that can be worked out by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import made
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_contest_families import trace_of

from litehedge import backtest as bt
from litehedge.hedge import signals as sg
from litehedge.hedge.policies import policies, static
from litehedge.report.contest.crises import crises_of, crisis_rows, entries_of
from litehedge.report.contest.figures import (
    daily_returns,
    leg_correlations,
    oracle_share,
    saved_share,
    squeezed_bars,
    static_at_mean,
    worst_month,
)
from litehedge.report.contest.judge import contest_row
from litehedge.report.contest.strata import kinds_of_episodes, stratum_rows, worst_of
from litehedge.squeeze.crises import Span
from litehedge.units import NS_PER_DAY, NS_PER_HOUR, iso_utc

WEEK_NS = 7 * NS_PER_DAY


def weeks(n: int, length: int = 10) -> bt.Episodes:
    starts = length * np.arange(n)
    return bt.Episodes(starts, starts + length)


# --- chains -----------------------------------------------------------------------------------


def test_worst_month_is_the_worst_sum_of_four_weeks_in_a_row():
    returns = np.array([0.1, -0.2, -0.3, 0.1, -0.5, 0.4, -0.1])
    assert worst_month(returns, weeks(7), WEEK_NS) == pytest.approx(-0.9)  # the second to fifth


def test_a_month_long_episode_is_a_month_and_a_gap_breaks_a_chain():
    returns = np.array([0.1, -0.2, -0.3, 0.1, -0.5])
    assert worst_month(returns, weeks(5), 30 * NS_PER_DAY) == -0.5
    gapped = bt.Episodes(np.array([0, 10, 21, 31, 41]), np.array([10, 20, 31, 41, 51]))
    assert math.isnan(worst_month(returns, gapped, WEEK_NS))


def test_chains_of_interleaved_episodes_do_not_mix():
    starts = 5 * np.arange(8)  # two chains of four
    returns = np.array([1.0, -1.0] * 4)
    assert worst_month(returns, bt.Episodes(starts, starts + 10), WEEK_NS) == -4.0


# --- what was saved ---------------------------------------------------------------------------


@given(st.lists(st.floats(-1.0, 1.0), min_size=1, max_size=60), st.floats(0.0, 1.0))
def test_a_static_hedge_saves_its_share(returns, hedge):
    naked = np.array(returns)
    found = saved_share((1.0 - hedge) * naked, naked)
    if not math.isnan(found):
        assert found == pytest.approx(hedge)


def test_where_nothing_was_lost_nothing_is_saved():
    assert math.isnan(saved_share(np.array([0.1]), np.array([0.2])))
    assert math.isnan(saved_share(np.empty(0), np.empty(0)))


# --- the static hedges ------------------------------------------------------------------------


def test_share_of_the_oracle_is_counted_from_the_best_static_within_the_budget():
    statics = trace_of([0.0, 0.5, 1.0], [0.4, 0.1, 0.0], [0.06, 0.02, 0.0], [-0.9, -0.4, 0.0])
    oracle = made.row_of("oracle", mean=0.12, tail=-0.3)
    assert oracle_share(0.07, -0.5, statics, oracle) == pytest.approx(0.5)
    assert oracle_share(0.09, -1.0, statics, oracle) == pytest.approx(0.5)
    assert oracle_share(0.02, -0.4, statics, oracle) == 0.0
    assert math.isnan(oracle_share(0.07, -0.2, statics, oracle))  # the oracle breaks the budget
    assert math.isnan(oracle_share(0.07, -0.5, statics, None))
    worse = made.row_of("oracle", mean=0.01, tail=-0.3)
    assert math.isnan(oracle_share(0.07, -0.5, statics, worse))


def test_static_at_equal_mean_is_the_least_liquidated_with_no_lower_mean():
    statics = trace_of([0.0, 0.5, 1.0], [0.4, 0.1, 0.0], mean=[0.06, 0.02, 0.0])
    hedge, rate = static_at_mean(0.04, statics)
    assert (hedge, rate) == pytest.approx((0.25, 0.25), abs=2e-3)
    assert static_at_mean(-0.1, statics) == (1.0, 0.0)
    assert all(math.isnan(v) for v in static_at_mean(0.07, statics))


# --- against a family -------------------------------------------------------------------------


def test_half_of_the_liquidations_counts_only_with_mean_and_tail_no_worse():
    family = trace_of([0.0, 1.0], [0.4, 0.0], [0.0, -0.02], [-0.8, -0.1])
    row = made.full_row_of(
        "plugin", made.outcomes_of(np.full(40, 0.01), hedge=0.5), made.outcomes_of([0.0]), family
    )
    held = contest_row(row, family, 7.0)
    assert held["family_liquidation_rate"] == pytest.approx(0.2)
    assert held["family_mean_return"] == pytest.approx(-0.01)
    assert held["halves"]
    assert not contest_row({**row, "liquidation_rate": 0.11}, family, 7.0)["halves"]
    assert not contest_row({**row, "mean_return": -0.011}, family, 7.0)["halves"]
    assert not contest_row({**row, "cvar5": -0.46}, family, 7.0)["halves"]
    outside = trace_of([0.0, 0.4], [0.4, 0.0])
    assert not contest_row(row, outside, 7.0)["halves"]


# --- recorded episodes ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def walked():
    """Prices that fall by a third in a day, and 5x positions through them."""
    closes = made.wandering(24 * 40, seed=3, step=0.008)
    closes[480:504] *= np.linspace(1.0, 0.66, 24)
    closes[504:] *= 0.66
    tape = made.tape_of(closes)
    tape.signals[sg.VOL_RULE] = 0.005
    tape.squeezes.append(made.squeeze_at(tape, 479, 503, 505))
    where = bt.episodes(tape, WEEK_NS, NS_PER_DAY)
    return tape, where


@pytest.mark.parametrize("name", ["unhedged", "static-50", "margin-vol", "move-3pct"])
def test_recorded_episodes_end_as_those_of_the_grid(walked, name):
    tape, where = walked
    given_ = made.settings()
    policy = policies(given_)[name]
    one_by_one = bt.apart(where)
    assert (one_by_one.starts[1:] >= one_by_one.stops[:-1]).all()
    run = bt.walk_episodes(tape, one_by_one, given_, made.TIERS, policy)
    grid = bt.run_grid(tape, where, given_, made.TIERS, policy)
    kept = np.searchsorted(where.starts, one_by_one.starts)
    assert np.array_equal(run.outcomes, grid[kept])
    total = (run.outcomes["equity"] / run.outcomes["wallet"] - 1.0).sum()
    assert daily_returns(run).sum() == pytest.approx(total)


def test_a_static_hedge_goes_against_the_position_everywhere(walked):
    tape, where = walked
    given_ = made.settings()
    squeezed = squeezed_bars(tape, "long")
    assert np.flatnonzero(squeezed).tolist() == list(range(480, 506))
    assert not squeezed_bars(tape, "short").any()
    half = bt.walk_episodes(tape, bt.apart(where), given_, made.TIERS, static(0.5))
    found = leg_correlations(half, tape, given_, squeezed)
    assert found == pytest.approx((-1.0, -1.0))
    naked = bt.walk_episodes(tape, bt.apart(where), given_, made.TIERS, static(0.0))
    assert all(math.isnan(v) for v in leg_correlations(naked, tape, given_, squeezed))


# --- kinds of market and crises ---------------------------------------------------------------


def test_every_episode_is_in_one_tercile_and_trend_and_one_session(walked):
    tape, where = walked
    tape.signals[sg.SIGMA] = np.linspace(0.001, 0.002, len(tape))
    kinds = kinds_of_episodes(tape, where)
    moods = [mask for name, mask in kinds.items() if ", " in name]
    assert (np.sum(moods, axis=0) == 1).all()
    assert kinds["00-08 UTC"].all()  # a new one every midnight
    first = int(where.starts[0])
    trend = "rising" if tape.bars[first - 1, 3] >= tape.bars[first - 24, 0] else "falling"
    assert kinds[f"calm, {trend}"][0]


def test_strata_with_few_episodes_are_silent_and_the_worst_is_named():
    outcomes = made.outcomes_of([0.1] * 30 + [-0.5] * 30)
    kinds = {
        "good": np.arange(60) < 30, "bad": np.arange(60) >= 30, "rare": np.arange(60) < 5,
    }  # fmt: skip
    rows = stratum_rows(kinds, outcomes, "plugin", "long", 5.0, 7.0)
    assert [row["stratum"] for row in rows] == ["good", "bad"]
    worst = worst_of(rows, "plugin")
    assert worst is not None
    assert (worst["stratum"], worst["mean_return"]) == ("bad", pytest.approx(-0.5))
    assert worst_of(rows, "none") is None


def test_crises_are_those_by_name_and_the_largest_squeezes_beside_them(walked):
    tape, _ = walked
    named = Span(
        "the fall", iso_utc(int(tape.end_ns[470]))[:10], iso_utc(int(tape.end_ns[560]))[:10]
    )
    assert [c.name for c in crises_of(tape, [named])] == ["the fall"]  # the squeeze lies in it
    [own] = crises_of(tape, [])
    assert own.side == "long"
    assert ", longs squeezed by " in own.name
    beyond = Span("later", "2033-01-01", "2033-02-01")
    assert len(crises_of(tape, [beyond], largest=0)) == 0


def test_positions_open_one_three_and_seven_days_before_a_crisis(walked):
    tape, _ = walked
    given_ = made.settings()
    entries = entries_of(tape, crises_of(tape, []))
    assert entries.days_before == [1, 3, 7]
    onset = tape.end_ns[479]
    opens = tape.end_ns[entries.where.starts] - tape.bar_ns
    assert (onset - opens).tolist() == [d * NS_PER_DAY for d in (1, 3, 7)]
    assert (tape.end_ns[entries.where.stops - 1] - onset >= NS_PER_DAY).all()
    outcomes = bt.run_grid(tape, entries.where, given_, made.TIERS, static(0.0))
    rows = crisis_rows(entries, outcomes, "unhedged", "long", 5.0)
    assert [row["liquidated"] for row in rows] == [True] * 3
    assert all(row["gain"] < -0.5 for row in rows)
    assert tape.bar_ns == NS_PER_HOUR


def test_no_position_opens_in_a_gap_before_a_crisis(walked):
    tape, _ = walked
    kept = np.r_[0:300, 400 : len(tape)]  # the seventh day before lies in what is missing
    gapped = replace(
        tape, end_ns=tape.end_ns[kept], bars=tape.bars[kept], signals=tape.signals[:, kept]
    )
    assert entries_of(gapped, crises_of(gapped, [])).days_before == [1, 3]

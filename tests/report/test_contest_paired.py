"""Differences in the same draws: nothing against itself, paired against everybody else."""

from __future__ import annotations

import math

import made
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from litehedge.report.blocks import DayBlocks, draw_blocks
from litehedge.report.contest.paired import MEASURES, drawn_measures, gap, pair_rows
from litehedge.report.metrics import comparison_interval, cvar5
from litehedge.units import NS_PER_DAY

DAYS = 70
LENGTH_NS = 2 * NS_PER_DAY


def opens(n: int = DAYS) -> np.ndarray:
    return made.T0 + NS_PER_DAY * np.arange(n)


def blocks() -> DayBlocks:
    found = draw_blocks(opens(), LENGTH_NS)
    assert found is not None
    return found


def some(seed: int, shift: float = 0.0, n: int = DAYS) -> np.ndarray:
    returns = np.random.default_rng(seed).normal(shift, 0.1, n)
    return made.outcomes_of(returns, died=list(returns < -0.15))


def test_every_draw_takes_as_many_days_as_there_are_blocks():
    found = blocks()
    block = 8
    assert (found.counts.sum(axis=1) == block * round(DAYS / block)).all()
    assert (found.counts >= 0.0).all()


def test_the_worst_of_a_draw_is_that_of_its_episodes_written_out():
    found = blocks()
    values = np.random.default_rng(1).normal(0.0, 1.0, DAYS)
    tails = found.worst_means(values, 20)
    means = found.means(values)
    for draw in (0, 7, 1999):
        written = np.repeat(values, found.counts[draw].astype(int))
        assert tails[draw] == pytest.approx(cvar5(written))
        assert means[draw] == pytest.approx(written.mean())


def test_a_draw_whose_worst_lie_deep_is_looked_through_whole():
    counts = np.array([[0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0]])
    found = DayBlocks(np.arange(10), counts, counts.sum(axis=1), 0.1)
    assert found.worst_means(np.arange(10.0), 2).tolist() == [8.0]


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.integers(0, 1000))
def test_a_policy_paired_with_itself_has_no_difference_at_all(seed, copy):
    one = drawn_measures(some(seed), blocks())
    twin = drawn_measures(some(seed), blocks())
    for measure in MEASURES:
        assert gap(one, one, measure) == (0.0, 0.0, 0.0)
        if measure != "liquidation_rate":
            assert gap(one, twin, measure) == (0.0, 0.0, 0.0)
    other = drawn_measures(some(copy, 0.01), blocks())
    for measure in MEASURES:
        there, back = gap(one, other, measure), gap(other, one, measure)
        assert there.value == -back.value
        assert (there.low, there.high) == pytest.approx((-back.high, -back.low), abs=1e-12)


@settings(max_examples=10, deadline=None)
@given(st.randoms())
def test_the_order_of_episodes_changes_nothing(random):
    order = list(range(DAYS))
    random.shuffle(order)
    straight = drawn_measures(some(3), draw_blocks(opens(), LENGTH_NS))
    shuffled = drawn_measures(some(3)[order], draw_blocks(opens()[order], LENGTH_NS))
    for measure in MEASURES:
        assert shuffled.values[measure] == pytest.approx(straight.values[measure])
        assert shuffled.draws[measure] == pytest.approx(straight.draws[measure])


def test_pairing_takes_out_what_both_lived_through():
    """A cent better in every week is a clear difference, however wild the weeks."""
    worse, better = some(5), some(5)
    better["equity"] += 10.0
    found = gap(drawn_measures(better, blocks()), drawn_measures(worse, blocks()), "mean_return")
    assert found == pytest.approx((0.01, 0.01, 0.01))
    assert found.is_clear
    interval = comparison_interval(worse, opens(), LENGTH_NS).mean_return
    assert interval.high - interval.low > 0.02


def test_no_death_of_either_does_not_say_that_there_is_no_difference():
    calm, calmer = made.outcomes_of(np.full(DAYS, 0.1)), made.outcomes_of(np.full(DAYS, 0.2))
    found = gap(drawn_measures(calm, blocks()), drawn_measures(calmer, blocks()),
                "liquidation_rate")  # fmt: skip
    assert found.value == 0.0
    assert found.low < 0.0 < found.high


def test_few_days_have_differences_without_intervals():
    assert draw_blocks(opens(10), LENGTH_NS) is None
    one, other = (drawn_measures(some(s, n=10), None) for s in (1, 2))
    found = gap(one, other, "cvar5")
    assert math.isfinite(found.value)
    assert math.isnan(found.low)
    assert not found.is_clear


def test_every_pair_is_told_once():
    drawn = {name: drawn_measures(some(i), blocks()) for i, name in enumerate("abc")}
    rows = pair_rows(drawn, "long", 5.0, 2.0)
    assert [(row["policy"], row["than"]) for row in rows] == [("b", "a"), ("c", "a"), ("c", "b")]

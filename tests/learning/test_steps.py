"""Steps: bounded, from what is over alone, the same from the same, and nothing from nothing."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from learnt_pasts import FRAME_NS, MODEL, cut, fill, made
from litehedge.learning import steps as lr
from litehedge.learning.kept import reverted
from litehedge.squeeze import conformal as cf
from litehedge.squeeze import forecast as fc
from litehedge.squeeze import learnt as le


@pytest.fixture(scope="module")
def timid():
    """It says a third of what comes, and its intervals are far too narrow."""
    return made(odds=0.33, low=400.0, high=450.0)


@pytest.fixture(scope="module")
def learnt(timid):
    return lr.learn(timid)


@settings(max_examples=6, deadline=None)
@given(st.integers(0, 3), st.floats(0.02, 50.0), st.floats(50.0, 3000.0))
def test_no_update_leaves_its_bounds_and_no_step_is_larger_than_it_may_be(seed, odds, low):
    past = made(12, seed, odds=odds, low=low, high=1.2 * low)
    past = replace(past, fills=[fill(i, int(past.end_ns[300 + 40 * i]), 40.0 * (-1) ** i * i)
                                for i in range(20)])  # fmt: skip
    before = le.SHIPPED
    most = [lr.STEP_SLOPE, lr.STEP_SHIFT] * 2 + [cf.GAMMA] * 2 + [lr.STEP_COST] * 2
    for one in lr.learn(past):
        assert le.fault_of(one.values) == ""
        moved = np.abs(np.array(one.values) - np.array(before))
        assert (moved <= np.array(most) + 1e-12).all()
        assert one.changes == lr.changes_of(before, tuple(one.values))
        before = tuple(one.values)


def test_one_step_for_each_squeeze_that_is_over_and_none_without(timid, learnt):
    over = [q for q in timid.squeezes() if q.complete and q.onset_ns >= timid.end_ns[288]]
    assert len(over) > 20
    assert [one.time_ns for one in learnt] == sorted(q.end_ns for q in over)
    assert all(one.kind == "squeeze" for one in learnt)
    calm = cut(timid, timid.squeezes()[0].onset_ns - FRAME_NS)
    assert lr.learn(calm) == []
    assert lr.learn(timid, learnt) == []  # nothing new, nothing learnt
    assert lr.learn(cut(timid, 0)) == []


def test_the_future_changes_no_step(timid, learnt):
    """No look-ahead: a past cut anywhere gives the very steps that the whole one gave by then."""
    for share in (0.31, 0.5, 0.77):
        now_ns = int(timid.end_ns[int(share * timid.end_ns.size)])
        assert lr.learn(cut(timid, now_ns)) == [u for u in learnt if u.time_ns <= now_ns]
    during = timid.squeezes()[12]
    now_ns = (during.trigger_ns + during.end_ns) // 2
    assert lr.learn(cut(timid, now_ns)) == [u for u in learnt if u.time_ns <= now_ns]


def test_learning_in_parts_is_learning_at_once(timid, learnt):
    kept = []
    for share in (0.2, 0.5, 0.8, 1.0):
        now_ns = int(timid.end_ns[int(share * (timid.end_ns.size - 1))])
        kept += lr.learn(cut(timid, now_ns), kept)
    assert kept == learnt
    assert [one.number for one in kept] == list(range(1, len(kept) + 1))


def test_a_model_that_says_too_little_is_raised_and_its_short_side_left(learnt):
    last = learnt[-1].values
    assert last[le.SHIFT] > 0.2
    assert last[le.SHIFT + 2] == 0.0  # no short squeeze came
    assert last[le.SLOPE + 2] == 1.0
    loud = lr.learn(made(odds=3.0))[-1].values
    assert loud[le.SHIFT] < -0.2


def test_intervals_that_miss_are_widened_and_wide_ones_narrowed(timid, learnt):
    assert learnt[-1].values[le.MISS] < cf.TARGET
    wide = lr.learn(made(low=1.0, high=9000.0))[-1].values
    assert cf.TARGET < wide[le.MISS] <= le.HIGHEST[le.MISS]


def test_of_another_model_nothing_is_learnt(timid):
    other = timid.model.copy().astype("U10")
    other[: other.size // 2] = "before@1"
    half = replace(timid, model=other)
    begins = int(timid.end_ns[other.size // 2])
    found = lr.learn(half)
    assert found
    assert all(u.model == MODEL and u.time_ns > begins for u in found)
    silent = timid.rows.copy()
    silent[:, fc.STATE_AT] = fc.ForecastState.COLD
    assert lr.learn(replace(timid, rows=silent)) == []


def test_costs_follow_what_is_paid_and_one_strange_fill_moves_little():
    past = made(12)
    times = past.end_ns[300 + 10 * np.arange(60)]
    dear = replace(past, fills=[fill(i, int(t), 2.0) for i, t in enumerate(times)])
    costs = [u for u in lr.learn(dear) if u.kind == "fill"]
    spreads = [u.values[le.HALF_SPREAD] for u in costs]
    assert all(a <= b for a, b in pairwise(spreads))
    assert 1.5 < spreads[-1] < 2.0
    assert costs[-1].values[le.IMPACT] == pytest.approx(1.0)
    strange = replace(past, fills=[fill(0, int(times[0]), 4000.0)])
    [one] = [u for u in lr.learn(strange) if u.kind == "fill"]
    assert one.values[le.HALF_SPREAD] == pytest.approx(1.0 + lr.STEP_COST)


def test_the_way_back_gives_the_same_values_and_learning_goes_on_from_there(timid, learnt):
    half = learnt[: len(learnt) // 2]
    back = reverted(half, 3, half[-1].time_ns + 1)
    assert back.values == learnt[2].values
    assert back.kind == "revert"
    home = reverted(half, 0, half[-1].time_ns + 1)
    assert tuple(home.values) == le.SHIPPED
    again = lr.learn(timid, [*half, home])
    assert again[0].time_ns > home.time_ns
    assert abs(again[0].values[le.SHIFT]) <= lr.STEP_SHIFT
    assert again[0].number == home.number + 1

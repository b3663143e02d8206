"""Whether it helped: judged on what came after each step, and honest about too little."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from learnt_pasts import MODEL, cut, fill, made
from litehedge.learning import worth as wt
from litehedge.learning.steps import learn
from litehedge.squeeze import forecast as fc
from litehedge.squeeze import learnt as le


@pytest.fixture(scope="module")
def timid():
    return made(odds=0.33, low=400.0, high=450.0)


@pytest.fixture(scope="module")
def judged(timid):
    return wt.judge(timid, learn(timid), MODEL)


def test_what_was_learnt_of_a_timid_model_helped_and_is_offered(timid, judged):
    assert judged.log_loss.low > 0.0
    assert judged.brier.value > 0.0
    assert judged.missed < judged.missed_shipped
    last = learn(timid)[-1].values
    offered = wt.offered(last, judged)
    assert offered[: le.HALF_SPREAD] == tuple(last[: le.HALF_SPREAD])
    assert offered[le.HALF_SPREAD :] == (1.0, 1.0)  # no fill told anything


def test_a_frame_is_judged_with_what_was_known_before_it_alone(timid):
    updates = learn(timid)
    rows = wt.with_lessons(timid, updates, MODEL)
    first = updates[0].time_ns
    before = timid.end_ns <= first
    assert np.array_equal(rows[before], timid.rows[before])
    assert not np.array_equal(rows[~before], timid.rows[~before])
    some = updates[4]
    at = int(np.searchsorted(timid.end_ns, some.time_ns, side="right"))
    assert np.array_equal(rows[at], le.corrected(timid.rows[at], some.values))
    # The same frames with the later half of the updates unknown: nothing before changes.
    half = wt.with_lessons(timid, updates[:5], MODEL)
    early = timid.end_ns <= updates[5].time_ns
    assert np.array_equal(rows[early], half[early])


def test_a_model_that_is_right_gains_nothing_that_counts():
    right = made(seed=4)
    judged = wt.judge(right, learn(right), MODEL)
    assert abs(judged.log_loss.value) < 0.03
    bad = [u for u in learn(made(odds=0.33)) if u.kind == "squeeze"]
    wrong = wt.judge(right, bad, MODEL)
    assert wrong.log_loss.value < 0.0
    assert not wrong.calibration_helped
    assert wt.offered(bad[-1].values, wrong)[: le.MISS] == le.SHIPPED[: le.MISS]


def test_of_too_little_nothing_is_said(timid):
    updates = learn(timid)
    early = cut(timid, updates[5].time_ns)
    judged = wt.judge(early, updates[:6], MODEL)
    assert judged.log_loss is None
    assert judged.missed is None
    assert judged.slippage is None
    assert judged.events < wt.LEAST_EVENTS
    assert wt.offered(updates[5].values, judged)[: le.MISS] == le.SHIPPED[: le.MISS]
    assert wt.judge(timid, [], MODEL).events == 0


def test_costs_are_judged_on_later_fills():
    past = made(12)
    times = past.end_ns[300 + 10 * np.arange(60)]
    dear = replace(past, fills=[fill(i, int(t), 2.0) for i, t in enumerate(times)])
    updates = learn(dear)
    judged = wt.judge(dear, updates, MODEL)
    assert judged.fills == 59  # the first was only learnt from
    assert judged.slippage < judged.slippage_shipped == pytest.approx(1.0)
    assert judged.costs_helped
    assert wt.offered(updates[-1].values, judged)[le.HALF_SPREAD] > 1.0


def test_a_silent_model_is_not_judged(timid):
    rows = timid.rows.copy()
    rows[:, fc.STATE_AT] = fc.ForecastState.COLD
    judged = wt.judge(replace(timid, rows=rows), learn(timid), MODEL)
    assert judged.frames == 0
    assert judged.log_loss is None

"""The frozen crises stay frozen."""

from __future__ import annotations

import os
from itertools import pairwise

import numpy as np
import polars as pl
import pytest

from breaking_markets import BAR_NS, blank, forecaster, hedging, learnt, replay
from litehedge.model.baselines.logistic_anchor import refit
from litehedge.retraining.suite import (
    DAYS,
    FROZEN,
    Crisis,
    begin_s_of,
    coarser,
    digest_of,
    frozen_crises,
)
from litehedge.sim.scenario import scenario_names
from litehedge.units import NS_PER_MINUTE, NS_PER_SECOND
from synthetic import T0

WHOLE = "e3171e7547974d8a"


@pytest.mark.skipif(not os.environ.get("LITEHEDGE_POISONS"), reason="six worlds take a while")
def test_the_suite_is_the_one_that_every_verdict_was_of():
    assert digest_of() == WHOLE


def test_a_crisis_is_watched_whole_by_both():
    kept, features = learnt(60, 2, True, T0)
    model = forecaster(refit(blank(features), replay(kept)), "m")
    (one,) = frozen_crises((model, model), hedging(), BAR_NS, [FROZEN[2]])
    assert one.name == "short-squeeze"
    assert one.days == pytest.approx(DAYS, abs=0.01)
    assert one.times.happened.any()
    np.testing.assert_array_equal(one.champion, one.challenger)
    assert one.outcomes.opens_ns.size > 50
    assert one.end_ns[0] > begin_s_of(0) * NS_PER_SECOND
    assert digest_of([FROZEN[2]]) != digest_of([Crisis("short-squeeze", 1)])


def test_scenarios_exist_and_worlds_do_not_overlap():
    assert {c.scenario for c in FROZEN} <= set(scenario_names())
    begins = [begin_s_of(i) for i in range(len(FROZEN))]
    assert all(b - a > (DAYS + 20) * 86_400 for a, b in pairwise(begins))


def test_longer_bars_hold_what_the_minutes_held():
    ends = NS_PER_MINUTE * np.arange(1, 11)
    price = np.arange(10.0)
    bars = pl.DataFrame(
        {"event_ns": ends, "known_ns": ends, "open": price, "high": price + 2, "low": price - 2,
         "close": price + 1, "volume": np.ones(10)}
    )  # fmt: skip
    two = coarser(bars, 5 * NS_PER_MINUTE)
    assert two["event_ns"].to_list() == [ends[4], ends[9]]
    assert two["open"].to_list() == [0.0, 5.0]
    assert two["high"].to_list() == [6.0, 11.0]
    assert two["low"].to_list() == [-2.0, 3.0]
    assert two["close"].to_list() == [5.0, 10.0]
    assert two["volume"].to_list() == [5.0, 5.0]
    assert coarser(bars, NS_PER_MINUTE).equals(bars)

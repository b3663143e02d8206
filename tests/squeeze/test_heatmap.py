"""The map of liquidations: laws of the estimate, and what it is worth where the truth is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from litehedge.market import events as ev
from litehedge.sim.market.parameters import BUCKETS, STOPS, Parameters
from litehedge.sim.market.state import new_world
from litehedge.sim.market.step import run_world
from litehedge.squeeze import heatmap as hm
from litehedge.units import NS_PER_MINUTE, NS_PER_SECOND

MONDAY = 1_767_571_200

steps = st.lists(
    st.tuples(st.floats(-0.03, 0.03), st.floats(0, 0.02), st.floats(0, 0.02), st.floats(1e3, 2e3)),
    min_size=1, max_size=40,
)  # fmt: skip


def lived(crowd: hm.Crowd, moves) -> float:
    price = 80.0
    for move, down, up, interest in moves:
        price *= math.exp(move)
        crowd.advance(price * (1 - down), price * (1 + up), price, interest, 1 / 12)
    return price


@given(steps)
@settings(max_examples=60)
def test_as_many_are_long_as_short_and_both_are_the_open_interest(moves):
    crowd = hm.Crowd()
    lived(crowd, moves)
    for side in (hm.LONG, hm.SHORT):
        assert crowd.mass[side].sum() == pytest.approx(moves[-1][3])
    assert (crowd.mass >= 0.0).all()


@given(steps)
@settings(max_examples=60)
def test_longs_die_below_the_price_and_shorts_above(moves):
    crowd = hm.Crowd()
    price = lived(crowd, moves)
    here = hm.level_of(price)
    first, last = here - 900, here + 900
    longs, shorts = (crowd.usdt(side, first, last) for side in (hm.LONG, hm.SHORT))
    assert longs[here - first + 1 :].sum() == 0.0
    assert shorts[: here - first].sum() == 0.0


def test_levels_that_the_price_reached_are_empty():
    crowd = hm.Crowd()
    crowd.advance(80, 80, 80, 1e6, 0.1)
    before = crowd.usdt(hm.LONG, hm.level_of(70), hm.level_of(79)).sum()
    assert before > 0.0
    crowd.advance(70, 80, 80, math.nan, 0.0)
    assert crowd.usdt(hm.LONG, hm.level_of(70), hm.level_of(79)).sum() == 0.0


def test_a_long_dies_where_margin_says():
    assumed = hm.Assumed((10.0,), (1.0,), (24.0,), 0.01, (1.0,))
    crowd = hm.Crowd(assumed)
    crowd.advance(100, 100, 100, 5.0, 0.1)
    at = hm.level_of(100 * (1 - 0.1 + 0.01))
    assert crowd.usdt(hm.LONG, at, at)[0] == pytest.approx(5.0 * hm.price_of(at))
    at = hm.level_of(100 * (1 + 0.1 - 0.01))
    assert crowd.usdt(hm.SHORT, at, at)[0] == pytest.approx(5.0 * hm.price_of(at))


def bar(step: int, low: float, high: float, close: float) -> ev.Bar:
    now = MONDAY * NS_PER_SECOND + step * NS_PER_MINUTE
    return ev.Bar(now, now, "LTC", NS_PER_MINUTE, close, high, low, close, 1.0)


def test_a_guess_that_knows_nothing_is_worth_what_a_guess_is():
    course = hm.Course()
    rng = np.random.default_rng(1)
    price, forced = 80.0, []
    course.push(ev.OpenInterest(0, 0, 1e6))
    for step in range(6000):
        price *= math.exp(rng.normal(0, 0.004))
        course.push(bar(step, price, price, price))
        course.push(
            ev.Liquidation(0, bar(step, 1, 1, 1).known_ns, ("long", "short")[step % 2], 1000.0)
        )
    forced = course.heard()
    assert len(forced) == 6000
    told = hm.score(course, forced)
    assert told.windows > 50
    assert told.uniform == pytest.approx(0.52, abs=0.04)
    assert told.inside == pytest.approx(told.uniform, abs=0.15)  # the price stays near longest


def test_nobody_heard_of_is_nothing_tested():
    told = hm.score(hm.Course())
    assert told.windows == 0
    assert math.isnan(told.inside)
    assert hm.heat_of(hm.Course()) is None


def test_the_most_complete_feed_counts_and_the_two_are_not_added_up():
    course = hm.Course()
    course.push(bar(0, 79, 81, 80))
    for feed, usdt in (("all", 10.0), ("largest", 7.0)):
        course.push(ev.Liquidation(1, 1, "long", usdt, feed))
    assert [f.usdt for f in course.heard()] == [10.0]


@pytest.fixture(scope="module", params=[1, 2])
def simulated(request):
    """Ten days of a market: its course, everybody who was liquidated, and who still may be."""
    world = new_world(Parameters(), request.param, MONDAY)
    record = run_world(world, 10 * 86_400, atom_s=60)
    course, forced = hm.Course(), []
    for i, row in enumerate(record):
        now = (MONDAY + 60 * (i + 1)) * NS_PER_SECOND - 1
        course.push(ev.Bar(now, now, "LTC", NS_PER_MINUTE, *(float(row[c]) for c in _BAR), 1.0))
        if i % 5 == 4:
            course.push(ev.OpenInterest(now, now, float(row["open_interest_ltc"])))
        for side, name, price in ((0, "long", row["low"]), (1, "short", row["high"])):
            usdt = float(row[f"liquidated_{name}_usdt"])
            if usdt > 0.0:
                forced.append(hm.Forced(now, side, usdt, float(price)))
    return course, forced, world


_BAR = ("open", "high", "low", "close")


def test_where_the_price_went_it_is_better_than_a_guess(simulated):
    course, forced, _ = simulated
    told = hm.score(course, forced)
    assert told.windows >= 50
    assert 0.5 <= told.uniform <= 0.6
    assert told.inside > told.uniform + 0.1


def test_of_those_who_may_still_die_it_finds_more_than_a_guess(simulated):
    course, _, world = simulated
    crowd, before_ns = hm.Crowd(), course.end_ns[0]
    for i, end_ns in enumerate(course.end_ns):
        hours = (end_ns - before_ns) / 3.6e12
        before_ns = end_ns
        crowd.advance(course.low[i], course.high[i], course.close[i], course.interest_ltc[i], hours)
    here = hm.level_of(math.exp(float(world.state["mark"][0])))
    for side, sign in ((0, -1), (1, 1)):
        levels = here + sign * np.arange(1, 54)
        usdt = crowd.usdt(side, min(levels), max(levels))[::sign]
        true = np.zeros(levels.size)
        for layer in range(world.mass.shape[1]):
            if layer != STOPS:
                for part in (0, 1):
                    at = (2 * levels + part) % BUCKETS
                    true += world.mass[side, layer, at] * world.scale[side, layer]
        best = np.argsort(-usdt)[: levels.size // 2]
        assert true[best].sum() / true.sum() > 0.55 > best.size / levels.size
        amount = usdt.sum() / math.exp(float(world.state["mark"][0])) / true.sum()
        assert 1.0 < amount < 5.0  # it says too much, and the page says so

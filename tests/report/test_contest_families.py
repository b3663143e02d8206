"""Families of policies: the envelope lies below everything, and static hedges are their own."""

from __future__ import annotations

import math

import made
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from litehedge.backtest import STATIC_GRID
from litehedge.hedge.policies import static
from litehedge.report.contest.families import (
    Family,
    Trace,
    envelope,
    families,
    static_family,
    trace,
)

SHARES = st.integers(0, 1000).map(lambda thousandths: thousandths / 1000)
POINTS = st.lists(st.tuples(SHARES, SHARES), min_size=1, max_size=30)


def trace_of(hedge, rate, mean=None, tail=None) -> Trace:
    n = len(hedge)
    zeros = np.zeros(n)
    return Trace(
        "made", [f"m{i}" for i in range(n)], np.array(hedge, dtype=np.float64),
        {
            "liquidation_rate": np.array(rate, dtype=np.float64),
            "mean_return": zeros if mean is None else np.array(mean, dtype=np.float64),
            "cvar5": zeros if tail is None else np.array(tail, dtype=np.float64),
            "drawdown_mean": zeros,
        },
    )  # fmt: skip


@given(POINTS)
def test_no_point_lies_below_the_envelope_and_it_is_convex(points):
    x, y = (np.array(column) for column in zip(*points, strict=True))
    corners = envelope(x, y)
    assert (np.diff(x[corners]) > 0.0).all()
    below = np.interp(x, x[corners], y[corners])
    assert (y >= below - 1e-9).all()
    slopes = np.diff(y[corners]) / np.diff(x[corners])
    assert (np.diff(slopes) >= -1e-9 * (1.0 + np.abs(slopes[1:]))).all()


@given(POINTS, st.randoms())
def test_the_order_of_members_changes_nothing(points, random):
    x, y = (np.array(column) for column in zip(*points, strict=True))
    order = list(range(x.size))
    random.shuffle(order)
    one, other = trace_of(x, y), trace_of(x[order], y[order])
    at = float(x.mean())
    assert one.best(at, "liquidation_rate") == pytest.approx(other.best(at, "liquidation_rate"))


def test_where_nobody_dies_the_mixture_is_of_the_nearest_members():
    found = trace_of([0.0, 0.2, 0.4, 1.0], [0.5, 0.0, 0.0, 0.0]).safest(0.3)
    assert found is not None
    assert (found.one, found.other) == (1, 2)


def test_what_is_no_number_is_left_out():
    corners = envelope(np.array([0.0, np.nan, 1.0, 0.5]), np.array([1.0, 0.0, 0.0, np.nan]))
    assert corners.tolist() == [0, 2]


def test_a_mixture_of_two_members_is_found_and_told():
    one = trace_of([0.0, 0.2, 0.6, 1.0], [0.8, 0.1, 0.3, 0.0], mean=[0.0, 0.04, 0.0, 0.0])
    assert one.best(0.1, "liquidation_rate") == pytest.approx(0.45)
    assert one.best(0.6, "liquidation_rate") == pytest.approx(0.05)  # of 0.2 and 1.0: 0.1 and 0.0
    mixture = one.safest(0.6)
    assert mixture is not None
    assert (mixture.one, mixture.other) == (1, 3)
    assert mixture.weight == pytest.approx(0.5)
    assert one.of(mixture, "mean_return") == pytest.approx(0.02)
    assert one.of(mixture, "liquidation_rate") == pytest.approx(0.05)


def test_more_is_better_where_it_is():
    one = trace_of([0.0, 0.5, 1.0], [0.0, 0.0, 0.0], mean=[0.0, 0.3, 0.0], tail=[-1.0, -0.9, 0.0])
    assert one.best(0.25, "mean_return") == pytest.approx(0.15)
    assert one.best(0.5, "cvar5") == pytest.approx(-0.5)


def test_nothing_is_told_outside_of_what_the_family_covers():
    one = trace_of([0.2, 0.6], [0.5, 0.1])
    assert math.isnan(one.best(0.1, "liquidation_rate"))
    assert math.isnan(one.along(0.7, "mean_return"))
    assert one.safest(0.7) is None


def test_the_static_family_reproduces_static_rows():
    rng = np.random.default_rng(0)
    family = static_family()
    outcomes = [
        made.outcomes_of(rng.normal(0.0, 0.1, 60), hedge=h, died=list(rng.random(60) < 0.5 - h / 2))
        for h in STATIC_GRID.tolist()
    ]
    found = trace(family, outcomes)
    for i in (0, 5, 10, 15, 20):
        assert family.members[i].name == static(float(STATIC_GRID[i])).name
        row = made.full_row_of(family.members[i].name, outcomes[i], outcomes[0], found)
        for figure in ("liquidation_rate", "mean_return", "cvar5", "drawdown_mean"):
            assert found.along(row["avg_hedge"], figure) == pytest.approx(row[figure])
        assert row["static_cvar5"] == pytest.approx(row["cvar5"])


def test_the_rule_is_traced_around_its_own_thresholds_with_both_limits():
    rule, plugin = families(made.settings())
    parameters = np.array([member.parameters for member in rule.members])
    assert len({member.name for member in rule.members}) == len(rule.members)
    assert ((parameters[:, :3] == [0.004, 0.0008, 0.10]).all(axis=1)).any()
    assert np.isinf(parameters[0, 0])
    assert parameters[-1, :2].tolist() == [0.0, 0.0]
    assert isinstance(plugin, Family)
    assert len(plugin.members) > 4

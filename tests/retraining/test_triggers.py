"""When a retraining begins before its month is over."""

from __future__ import annotations

import numpy as np
import pytest

from litehedge.retraining.triggers import (
    Cause,
    Lived,
    TriggerTerms,
    clustered,
    fired,
    hourly,
    is_over,
)
from litehedge.squeeze.labels import Squeeze
from litehedge.units import NS_PER_DAY, NS_PER_HOUR, NS_PER_MINUTE
from synthetic import T0

FRAME_NS = 5 * NS_PER_MINUTE


def squeeze(onset_ns, severity=400.0, minutes=30):
    known = {
        "side": "long", "onset_ns": onset_ns, "peak_ns": onset_ns + minutes * NS_PER_MINUTE // 2,
        "end_ns": onset_ns + minutes * NS_PER_MINUTE, "severity_bps": severity,
    }  # fmt: skip
    from dataclasses import fields

    return Squeeze(**{f.name: known.get(f.name, 0) for f in fields(Squeeze)})


def lived(days=40, *, loss=None, confidence=None, covered=(), squeezes=()):
    n = days * 288
    rng = np.random.default_rng(1)
    end_ns = T0 + FRAME_NS * np.arange(1, n + 1)
    return Lived(
        end_ns, rng.exponential(0.4, n) if loss is None else loss,
        rng.uniform(0.7, 1.0, n) if confidence is None else confidence,
        np.array(covered, dtype=float), T0 + NS_PER_DAY * np.arange(len(covered)), squeezes,
    )  # fmt: skip


TERMS = TriggerTerms()


def test_nothing_fires_while_nothing_changes():
    assert fired(lived(), TERMS) == []


@pytest.mark.parametrize(("scale", "fires"), [(4.0, True), (0.25, False)])
def test_a_log_loss_that_rises_fires_and_one_that_falls_does_not(scale, fires):
    n = 40 * 288
    loss = np.random.default_rng(2).exponential(0.4, n)
    loss[n // 2 :] *= scale
    found = fired(lived(loss=loss), TERMS)
    assert [f.cause for f in found] == ([Cause.LOG_LOSS] if fires else [])
    if fires:
        assert found[0].time_ns > T0 + 20 * NS_PER_DAY
        assert fired(lived(loss=loss), TERMS, since_ns=found[0].time_ns) == []


def test_a_market_that_looks_strange_fires():
    n = 40 * 288
    confidence = np.random.default_rng(3).uniform(0.8, 1.0, n)
    confidence[n // 2 :] *= 0.4
    assert [f.cause for f in fired(lived(confidence=confidence), TERMS)] == [Cause.DRIFT]


def test_intervals_that_hold_too_few_fire_and_a_few_squeezes_say_nothing():
    good, bad = [1.0] * 16 + [0.0] * 4, [1.0] * 8 + [0.0] * 12
    assert fired(lived(covered=good), TERMS) == []
    assert [f.cause for f in fired(lived(covered=bad), TERMS)] == [Cause.COVERAGE]
    assert fired(lived(covered=[0.0] * 19), TERMS) == []


def test_a_cluster_of_extreme_squeezes_fires():
    apart = [squeeze(T0 + i * NS_PER_DAY) for i in range(6)]
    assert clustered(apart, TERMS) is None
    close = [squeeze(T0 + i * 3 * NS_PER_HOUR) for i in range(4)]
    assert clustered(close, TERMS).cause is Cause.EXTREMES
    assert clustered(close[:3], TERMS) is None
    small = [squeeze(T0 + i * 3 * NS_PER_HOUR, severity=200.0) for i in range(4)]
    assert clustered(small, TERMS) is None


def test_nobody_learns_from_half_a_squeeze():
    one = [squeeze(T0)]
    assert not is_over(one, T0 + 10 * NS_PER_MINUTE)
    assert not is_over(one, T0 + 60 * NS_PER_MINUTE)
    assert is_over(one, T0 + NS_PER_DAY)
    assert is_over([], T0)


def test_hours_without_a_value_are_left_out():
    end_ns = T0 + NS_PER_HOUR * np.arange(1, 5)
    hours, means = hourly(end_ns, np.array([1.0, np.nan, 3.0, np.nan]))
    assert hours.tolist() == [end_ns[0], end_ns[2]]
    assert means.tolist() == [1.0, 3.0]

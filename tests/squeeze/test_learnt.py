"""What is learnt stays within bounds, keeps the order of frames, and changes nothing by default."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecasters import Moody
from litehedge.hedge.signals import is_sound
from litehedge.squeeze import forecast as fc
from litehedge.squeeze import learnt as le
from litehedge.squeeze.forecast import ForecastState
from litehedge.units import NS_PER_MINUTE


def values():
    return st.tuples(
        *(st.floats(low, high) for low, high in zip(le.LOWEST, le.HIGHEST, strict=True))
    )


def rows(n=60, first=0):
    moody = Moody()
    return np.array(
        [moody.step(None, 0, (first + i) * NS_PER_MINUTE, np.zeros(0)) for i in range(n)]
    )


def test_what_ships_changes_no_bit_and_is_within_its_bounds():
    for row in rows():
        assert le.corrected(row, le.SHIPPED) is row
    assert le.fault_of(le.SHIPPED) == ""
    costs_only = (*le.SHIPPED[: le.HALF_SPREAD], 2.0, 2.0)
    assert le.corrected(row, costs_only) is row


@settings(max_examples=40)
@given(values(), st.integers(0, 1000))
def test_order_within_a_bin_stays_and_rows_stay_sound(learnt, first):
    before = rows(40, first)
    after = le.corrected_all(before, learnt)
    one = np.array([le.corrected(row, learnt) for row in before])
    assert np.array_equal(after, one, equal_nan=True)
    for b, a in zip(before, after, strict=True):
        assert is_sound(a) == is_sound(b)
        if b[fc.STATE_AT] >= ForecastState.COLD:
            assert np.array_equal(a, b, equal_nan=True)
    spoken = before[:, fc.STATE_AT] < ForecastState.COLD
    for k in range(fc.ONSET_AT, fc.PEAK_AT):
        b, a = before[spoken, k], after[spoken, k]
        order = np.argsort(b)
        assert (np.diff(a[order]) >= 0.0).all()
    severity = after[spoken, fc.SEVERITY_AT : fc.PHASE_AT].reshape(-1, 2, fc.N_SEVERITY)
    assert (np.diff(severity, axis=2) >= 0.0).all()
    kept = np.ones(fc.N_FORECAST, dtype=bool)
    kept[fc.ONSET_AT : fc.PEAK_AT] = kept[fc.SEVERITY_AT : fc.PHASE_AT] = False
    assert np.array_equal(after[:, kept], before[:, kept], equal_nan=True)


def test_a_shift_raises_every_hazard_and_a_lower_level_widens_the_severity():
    row = rows(1)[0]
    row[fc.STATE_AT] = 0
    row[fc.ONSET_AT : fc.PEAK_AT] = 1e-3
    row[fc.SEVERITY_AT : fc.PHASE_AT] = np.tile([150.0, 300.0, 700.0, 900.0, 1500.0], 2)
    learnt = (1.0, 0.5, 1.0, 0.0, 0.1, 0.2, 1.0, 1.0)
    after = le.corrected(row, learnt)
    long, short = after[fc.ONSET_AT : fc.PEAK_AT].reshape(2, -1)
    assert (long > 1e-3).all()
    assert (short == 1e-3).all()
    severity = after[fc.SEVERITY_AT : fc.PHASE_AT].reshape(2, -1)
    assert severity[0, 0] == pytest.approx(75.0)  # half as much lies below
    assert severity[0, 1] == 300.0
    # Half as much above: the 90 % quantile is where the 95 % one was.
    assert severity[0, 2] == pytest.approx(900.0)
    assert severity[0, 4] > 1500.0
    assert severity[1].tolist() == [150.0, 300.0, 700.0, 900.0, 1500.0]


@given(st.integers(0, 7), st.floats(allow_nan=True, allow_infinity=True))
def test_nothing_beyond_a_bound_is_without_fault(which, value):
    some = list(le.SHIPPED)
    some[which] = value
    allowed = le.LOWEST[which] <= value <= le.HIGHEST[which]
    assert (le.fault_of(some) == "") == allowed
    assert le.fault_of(some[:-1])


@given(values(), st.floats(0.0, 1.0), st.floats(0.0, 1.0))
def test_sides_that_compete_are_never_more_likely_together_than_certain(learnt, total, share):
    row = rows(1)[0]
    row[fc.STATE_AT] = 0
    hazards = row[fc.ONSET_AT : fc.PEAK_AT].reshape(2, -1)
    hazards[0], hazards[1] = total * share, total * (1.0 - share)
    after = le.corrected(row, learnt)[fc.ONSET_AT : fc.PEAK_AT].reshape(2, -1)
    assert (after >= 0.0).all()
    assert (after.sum(axis=0) <= max(le.MOST_HAZARD, total) + 1e-12).all()

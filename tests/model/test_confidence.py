"""Confidence and widening: bounds and the direction of every argument."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from litehedge.model.confidence import (
    TARGET_COVERAGE,
    USUAL_DI,
    USUAL_SPREAD,
    WIDEST,
    confidence,
    spread_of_members,
    stretch_hazards,
    stretch_severity,
    widening,
)
from litehedge.squeeze.hazard import N_ONSET, N_PEAK, PEAK_EDGES, time_quantile

ratios = st.floats(0.0, 20.0)
shares = st.floats(0.0, 1.0)
arguments = st.tuples(ratios, ratios, shares, ratios, shares)


@given(arguments)
def test_confidence_is_a_share(given_):
    assert 0.0 <= confidence(*given_) <= 1.0


@given(arguments, st.integers(0, 4), st.floats(0.0, 5.0))
def test_confidence_is_monotone_in_each_argument(given_, which, more):
    raised = list(given_)
    raised[which] += more
    falls = which in (0, 1, 3)
    before, after = confidence(*given_), confidence(*raised)
    assert after <= before if falls else after >= before


@pytest.mark.parametrize(
    "worse",
    [
        {"di": 2.0 * USUAL_DI},
        {"spread": 1.0 + USUAL_SPREAD},
        {"present": 0.5},
        {"rms": 2.0},
        {"coverage": 0.4},
    ],
)
def test_one_thing_that_is_half_wrong_halves_confidence(worse):
    fine = {
        "di": USUAL_DI,
        "spread": USUAL_SPREAD,
        "present": 1.0,
        "rms": 1.0,
        "coverage": TARGET_COVERAGE,
    }
    assert confidence(*fine.values()) == 1.0
    assert confidence(*(fine | worse).values()) == pytest.approx(0.5)


def test_what_is_not_known_asks_nothing():
    nan = np.nan
    assert confidence(nan, nan, 0.75, nan, nan) == 0.75
    assert widening(nan, nan) == 1.0


@given(ratios, ratios, st.floats(0.0, 5.0))
def test_widening_never_narrows_and_rises(di, spread, more):
    factor = widening(di, spread)
    assert 1.0 <= factor <= WIDEST
    assert widening(di + more, spread) >= factor
    assert widening(di, spread + more) >= factor


def test_what_training_shows_is_not_widened():
    assert widening(1.0, 0.3) == 1.0
    assert widening(2.0, 0.5) == 1.0
    assert widening(3.0, 0.3) == pytest.approx(1.5)
    assert widening(1.0, 1.5) == pytest.approx(1.5)


@given(st.lists(st.floats(0.0, 2.0), min_size=4, max_size=4), st.floats(1.0, 3.0))
def test_stretched_severity_moves_up_alone_and_never_crosses(steps, factor):
    before = 5.0 + np.concatenate(([0.0], np.cumsum(steps)))
    after = before.copy()
    stretch_severity(after, 1, factor)
    np.testing.assert_array_equal(after[:2], before[:2])
    assert (after >= before - 1e-12).all()
    assert (np.diff(after) >= 0.0).all()
    still = before.copy()
    stretch_severity(still, 1, 1.0)
    np.testing.assert_allclose(still, before)


def cumulated(hazards):
    return 1.0 - np.cumprod(1.0 - hazards)


@given(
    st.lists(st.floats(0.0, 1.0), min_size=N_PEAK, max_size=N_PEAK), st.floats(1.0, 3.0)
)  # fmt: skip
def test_stretched_hazards_rise_before_the_median_and_fall_after_it(hazards, factor):
    before = np.array(hazards)
    after = before.copy()
    stretch_hazards(after, PEAK_EDGES, factor)
    cif, wide = cumulated(before), cumulated(after)
    assert ((after >= 0.0) & (after <= 1.0)).all()
    if cif[-1] <= 0.5:
        np.testing.assert_array_equal(after, before)
        return
    early = PEAK_EDGES[1:] < time_quantile(cif, PEAK_EDGES, 0.5 / cif[-1])
    assert (wide[early] >= cif[early] - 1e-9).all()
    assert (wide[~early] <= cif[~early] + 1e-9).all()
    same = before.copy()
    stretch_hazards(same, PEAK_EDGES, 1.0)
    np.testing.assert_allclose(cumulated(same), cif, atol=1e-9)


def test_members_that_agree_have_no_spread():
    out = np.empty(2)
    hazards = np.full((5, 2, N_ONSET), 0.01)
    spread_of_members(hazards, out)
    np.testing.assert_allclose(out, 0.0, atol=1e-12)
    hazards[2, 1] = 0.02
    spread_of_members(hazards, out)
    assert out[0] < 0.05 < out[1]
    spread_of_members(hazards[:1], out)
    assert np.isnan(out).all()


def test_spread_is_in_nats():
    """Two members whose small odds differ by a factor of e are a nat apart."""
    hazards = np.zeros((2, 2, N_ONSET))
    hazards[:, :, 0] = np.array([1e-4, np.e * 1e-4])[:, np.newaxis]
    out = np.empty(2)
    spread_of_members(hazards, out)
    np.testing.assert_allclose(out, 1.0 / np.sqrt(2.0), rtol=1e-3)

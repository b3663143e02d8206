"""Adaptive conformal intervals: coverage against any opponent, and no look ahead."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from litehedge.squeeze import conformal as cf
from litehedge.squeeze.forecast import N_SEVERITY, SEVERITY_LEVELS
from litehedge.squeeze.hazard import N_PEAK, PEAK_EDGES, incidence, tail_probability, time_quantile


def uniform(_, alpha):
    """The interval of a forecaster that believes in the uniform distribution on 0..1."""
    if alpha <= 0.0:
        return -np.inf, np.inf
    alpha = min(alpha, 1.0)
    return 0.5 * alpha, 1.0 - 0.5 * alpha


@st.composite
def severities(draw):
    steps = draw(st.lists(st.floats(1e-3, 1.0), min_size=N_SEVERITY, max_size=N_SEVERITY))
    return np.exp(4.0 + np.cumsum(steps))[:, np.newaxis]


def one_by_one(outcome, **given):
    n = outcome.size
    at = np.arange(n)
    return cf.replay(uniform, at, at + 1, np.zeros(n, dtype=np.int64), at, outcome, **given)


peaks = st.lists(st.floats(1e-6, 0.99), min_size=N_PEAK, max_size=N_PEAK).map(np.array)


# --- coverage ---------------------------------------------------------------------------------


@given(
    st.sampled_from(["always far", "never far", "uniform", "drift", "blocks", "middle"]),
    st.sampled_from([0.005, 0.02, 0.1]), st.sampled_from([0.1, 0.2, 0.5]), st.integers(0, 99),
)  # fmt: skip
def test_coverage_tends_to_the_target_whatever_comes(kind, gamma, target, seed):
    n = 1_500
    rng = np.random.default_rng(seed)
    outcome = {
        "always far": np.full(n, 9.0),
        "never far": np.full(n, 0.5 - 1e-9),
        "middle": np.full(n, 0.5),
        "uniform": rng.random(n),
        "drift": rng.random(n) + np.linspace(-1.0, 1.0, n),
        "blocks": np.where(np.arange(n) // 100 % 2 == 0, 5.0, 0.5),
    }[kind]
    seen = one_by_one(outcome, gamma=gamma, target=target)
    bound = (max(target, 1.0 - target) + gamma) / (gamma * n)
    assert abs(1.0 - seen.coverage - target) <= bound + 1e-9


def test_an_adversary_who_knows_the_interval_gains_nothing():
    n = 4_000
    at = np.arange(n)
    outcome = np.zeros(n)

    def betrayed(i, alpha):
        low, high = uniform(i, alpha)
        outcome[i] = high + 1.0 if i % 7 else 0.5 * (low + high)
        return low, high

    seen = cf.replay(betrayed, at, at + 1, np.zeros(n, dtype=np.int64), at, outcome)
    assert outcome.all()
    bound = (0.8 + cf.GAMMA) / (cf.GAMMA * n)
    assert 1.0 - seen.coverage == pytest.approx(cf.TARGET, abs=bound)


@given(st.integers(0, 1_000), st.integers(1, 6), st.integers(0, 30))
def test_coverage_holds_with_events_of_many_frames_known_late(seed, frames, delay):
    rng = np.random.default_rng(seed)
    events = 600
    event = np.repeat(np.arange(events), frames)
    issued = np.arange(event.size)
    known = (event + 1) * frames + delay
    outcome = np.repeat(rng.normal(1.0, 1.0, events), frames)
    zeros = np.zeros(event.size, dtype=np.int64)
    seen = cf.replay(uniform, issued, known, zeros, event, outcome, gamma=0.02)
    waiting = 2 + delay // frames
    bound = (0.8 + (1 + waiting) * 0.02) / (0.02 * events)
    assert abs(1.0 - seen.coverage - cf.TARGET) <= bound + 1e-9


# --- what a replay knows ----------------------------------------------------------------------


def stream(seed, n=120):
    rng = np.random.default_rng(seed)
    event = np.sort(rng.integers(0, 30, n))
    issued = np.sort(rng.integers(0, 1_000, n))
    last = np.array([issued[event == e].max() for e in event])
    known = last + np.array([1 + (37 * e) % 90 for e in event])
    side = event % 2
    return issued, known, side, event, rng.normal(0.5, 1.0, 30)[event]


@given(st.integers(0, 1_000))
def test_a_still_level_is_the_static_interval(seed):
    issued, known, side, event, outcome = stream(seed)
    seen = cf.replay(uniform, issued, known, side, event, outcome, gamma=0.0)
    assert (seen.alpha == cf.TARGET).all()
    assert (seen.low == 0.1).all()
    assert (seen.high == 0.9).all()


@given(st.integers(0, 1_000), st.integers(0, 29))
def test_an_outcome_changes_nothing_before_it_is_known(seed, changed):
    issued, known, side, event, outcome = stream(seed)
    before = cf.replay(uniform, issued, known, side, event, outcome, gamma=0.1)
    other = np.where(event == changed, 0.5 + 100.0 * (np.abs(outcome - 0.5) < 0.4), outcome)
    after = cf.replay(uniform, issued, known, side, event, other, gamma=0.1)
    if not (event == changed).any():
        return
    early = (issued < known[event == changed].max()) | (side != changed % 2)
    np.testing.assert_array_equal(before.high[early], after.high[early])
    flipped = before.covered[event == changed] != after.covered[event == changed]
    if flipped.all() and not early.all():
        first = np.flatnonzero(~early)[0]
        assert before.alpha[first] != after.alpha[first]


@given(st.integers(0, 1_000))
def test_the_order_in_which_forecasts_are_listed_does_not_matter(seed):
    issued, known, side, event, outcome = stream(seed)
    issued = np.arange(issued.size) * 8
    known = np.maximum(known, issued.max() // 2 + issued)
    mixed = np.random.default_rng(seed).permutation(issued.size)
    one = cf.replay(uniform, issued, known, side, event, outcome)
    two = cf.replay(uniform, *(a[mixed] for a in (issued, known, side, event, outcome)))
    np.testing.assert_array_equal(one.high[mixed], two.high)
    assert one.coverage == pytest.approx(two.coverage)


def test_an_outcome_known_before_its_forecast_is_refused():
    one = np.array([1])
    with pytest.raises(ValueError, match="was known when"):
        cf.replay(uniform, one, one, one * 0, one, np.array([0.5]))


def test_an_outcome_is_of_one_side_and_weighs_as_the_share_that_missed():
    one = np.array([1])
    after = cf.replay(uniform, one, one + 1, one, one, np.array([9.0]), gamma=0.02)
    assert after.final.tolist() == pytest.approx([0.2, 0.2 - 0.02 * 0.8])
    five = np.arange(5)
    outcome = np.array([0.5, 0.5, 0.5, 0.5, 9.0])  # as many missed as promised
    after = cf.replay(uniform, five, five + 9, five * 0, five * 0, outcome)
    assert after.final.tolist() == pytest.approx([0.2, 0.2])
    assert np.isnan(cf.replay(uniform, *(np.empty(0, np.int64),) * 4, np.empty(0)).coverage)


# --- intervals of a forecast ------------------------------------------------------------------


@given(severities(), st.floats(1e-4, 0.9999))
def test_severity_quantiles_invert_the_tail(values, share):
    x = cf.severity_quantile(values[:, 0], SEVERITY_LEVELS, share)
    assert tail_probability(values, 0, 0, SEVERITY_LEVELS, x) == pytest.approx(1 - share, rel=1e-6)


@given(severities())
def test_severity_quantiles_are_the_forecast_at_its_levels(values):
    made = [cf.severity_quantile(values[:, 0], SEVERITY_LEVELS, p) for p in SEVERITY_LEVELS]
    np.testing.assert_allclose(made, values[:, 0])
    low, high = cf.severity_interval(values[:, 0], SEVERITY_LEVELS, 0.2)
    assert (low, high) == (pytest.approx(values[0, 0]), pytest.approx(values[2, 0]))


@given(peaks, st.floats(1e-4, 0.9999))
def test_peak_quantiles_invert_the_incidence(hazards, share):
    cif = np.empty((1, N_PEAK))
    incidence(hazards[np.newaxis], cif)
    minutes = cf.peak_quantile(hazards, PEAK_EDGES, share)
    if share > cif[0, -1]:
        assert minutes == np.inf
    else:
        total = cif[0, -1]
        assert minutes == pytest.approx(time_quantile(cif[0], PEAK_EDGES, share / total), abs=1e-6)


@given(severities(), peaks, st.floats(-0.5, 1.5), st.floats(-0.5, 1.5))
def test_a_lower_level_never_narrows(values, hazards, a, b):
    a, b = sorted((a, b))
    for wide, narrow in (
        [cf.severity_interval(values[:, 0], SEVERITY_LEVELS, x) for x in (a, b)],
        [cf.peak_interval(hazards, PEAK_EDGES, x) for x in (a, b)],
    ):
        assert wide[0] <= narrow[0] <= narrow[1] <= wide[1]


def test_at_the_ends_intervals_are_everything_and_a_point():
    values = np.array([100.0, 200.0, 400.0, 500.0, 900.0])[:, np.newaxis]
    hazards = np.full(N_PEAK, 0.2)
    assert cf.severity_interval(values[:, 0], SEVERITY_LEVELS, -0.1) == (0.0, np.inf)
    assert cf.peak_interval(hazards, PEAK_EDGES, 0.0) == (0.0, np.inf)
    for low, high in (
        cf.severity_interval(values[:, 0], SEVERITY_LEVELS, 1.2),
        cf.peak_interval(hazards, PEAK_EDGES, 1.0),
    ):
        assert low == high
        assert not cf.covers(low, high, low)

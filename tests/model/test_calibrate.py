"""Calibration: what is right stays, what is distorted is repaired, ranks and losses are kept."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from litehedge.model.calibrate import (
    LOWEST_SLOPE,
    Validation,
    _derivatives,
    _loss,
    distinct_events,
    event_weights,
    fit_calibration,
    fit_hazards,
    fit_peak,
    fit_severity,
    log_loss,
    recalibrated,
    weighted_quantile,
)
from litehedge.model.calibration import BAND_OF_BIN, N_BANDS
from litehedge.squeeze.forecast import N_SEVERITY, SEVERITY_LEVELS
from litehedge.squeeze.hazard import N_ONSET, N_PEAK, ONSET_EDGES, PEAK_EDGES, log_likelihood
from litehedge.squeeze.targets import Targets
from litehedge.squeeze.times import Times
from litehedge.units import NS_PER_DAY

IDENTITY = np.tile([1.0, 0.0], (2, N_BANDS, 1))


def sigmoid(x):
    return 1.0 / (1.0 + np.exp(-x))


def drawn_hazards(rng, n, bins=N_ONSET, level=-4.0, spread=1.0):
    return sigmoid(
        level + spread * rng.normal(size=(n, 2, 1)) + 0.2 * rng.normal(size=(n, 2, bins))
    )


def lived(rng, hazards, competing=True):
    """Times drawn from hazards; waits that nothing ends are censored, some of them early."""
    n = hazards.shape[0]
    minutes = np.full((n, 2), 1e4)
    happened = np.zeros((n, 2), dtype=bool)
    if competing:
        odds = np.concatenate((hazards, 1.0 - hazards.sum(axis=1, keepdims=True)), axis=1)
        fate = (rng.random((n, 1, N_ONSET)) > np.cumsum(odds, axis=1)[:, :2]).sum(axis=1)
        ended = fate < 2
        first = np.where(ended.any(axis=1), np.argmax(ended, axis=1), N_ONSET)
        for i in np.flatnonzero(first < N_ONSET):
            happened[i, fate[i, first[i]]] = True
            minutes[i, fate[i, first[i]]] = ONSET_EDGES[first[i] + 1]
    else:
        came = rng.random(hazards.shape) < hazards
        happened = came.any(axis=2)
        minutes = np.where(happened, ONSET_EDGES[np.argmax(came, axis=2) + 1], minutes)
    early = np.where(rng.random(n) < 0.5, rng.uniform(0.0, 240.0, n), rng.choice(ONSET_EDGES, n))
    edge = np.where(rng.random(n) < 0.2, early, 1e4)[:, np.newaxis]
    happened &= minutes <= edge
    minutes = np.minimum(minutes, edge)
    return Times(minutes, happened, np.ones((n, 2), dtype=bool), competing)


def days(n):
    return np.arange(n) * NS_PER_DAY


def distorted(hazards, slope, shift):
    """What a forecaster says for which (slope, shift) is the cure."""
    logit = np.log(hazards / (1.0 - hazards))
    return sigmoid((logit - np.array(shift)[:, None]) / np.array(slope)[:, None])


# --- hazards ----------------------------------------------------------------------------------


@pytest.mark.parametrize("competing", [True, False])
def test_what_is_calibrated_stays(competing):
    rng = np.random.default_rng(0)
    hazards = drawn_hazards(rng, 8_000)
    times = lived(rng, hazards, competing)
    pairs = fit_hazards([(hazards, times, days(8_000))])
    np.testing.assert_allclose(pairs[..., 0], 1.0, atol=0.2)
    np.testing.assert_allclose(pairs[..., 0] * -4.0 + pairs[..., 1], -4.0, atol=0.2)


@pytest.mark.parametrize("competing", [True, False])
def test_a_distorted_forecaster_is_repaired(competing):
    rng = np.random.default_rng(1)
    hazards = drawn_hazards(rng, 8_000)
    times = lived(rng, hazards, competing)
    wrong = distorted(hazards, (0.5, 1.6), (-2.0, 1.0))
    pairs = fit_hazards([(wrong, times, days(8_000))])
    for band in range(N_BANDS):
        np.testing.assert_allclose(pairs[:, band, 0], [0.5, 1.6], rtol=0.25)
        # What the lines say of a hazard that is often met; far from it they may differ.
        met = distorted(np.full((1, 2, 1), sigmoid(-4.0)), (0.5, 1.6), (-2.0, 1.0))[0, :, 0]
        logit = np.log(met / (1.0 - met))
        np.testing.assert_allclose(pairs[:, band, 0] * logit + pairs[:, band, 1], -4.0, atol=0.3)
    cured = recalibrated(wrong, pairs)
    assert log_loss(cured, times) < log_loss(wrong, times) - 0.01
    assert log_loss(cured, times) < log_loss(hazards, times) + 0.001


def test_each_band_is_repaired_by_itself():
    rng = np.random.default_rng(8)
    hazards = drawn_hazards(rng, 8_000)
    times = lived(rng, hazards)
    wrong = hazards.copy()
    late = BAND_OF_BIN == N_BANDS - 1
    wrong[:, :, late] = distorted(hazards, (0.5, 0.5), (-2.0, -2.0))[:, :, late]
    pairs = fit_hazards([(wrong, times, days(8_000))])
    np.testing.assert_allclose(pairs[:, :-1, 0], 1.0, atol=0.25)
    np.testing.assert_allclose(pairs[:, -1, 0], 0.5, atol=0.15)


@given(
    st.integers(0, 10_000), st.floats(0.1, 4.0), st.floats(-4.0, 4.0), st.booleans(),
    st.integers(1, 300),
)  # fmt: skip
def test_the_loss_of_the_sample_never_rises_and_ranks_stay(seed, slope, shift, competing, n):
    rng = np.random.default_rng(seed)
    hazards = drawn_hazards(rng, n)
    times = lived(rng, hazards, competing)
    wrong = np.clip(distorted(hazards, (slope, 1.0), (shift, 0.0)), 1e-6, 0.45)
    pairs = fit_hazards([(wrong, times, days(n))])
    assert (pairs[..., 0] >= LOWEST_SLOPE - 1e-12).all()
    cured = recalibrated(wrong, pairs)
    if cured.sum(axis=1).max() < 1.0:
        assert log_loss(cured, times) <= log_loss(wrong, times) + 1e-12
    for side in range(2):
        for k in range(N_ONSET):
            order = np.argsort(wrong[:, side, k])
            assert (np.diff(cured[order, side, k]) >= 0.0).all()


def test_a_forecaster_that_ranks_the_wrong_way_keeps_a_slope_above_zero():
    rng = np.random.default_rng(2)
    hazards = drawn_hazards(rng, 4_000)
    times = lived(rng, hazards)
    wrong = distorted(hazards, (-1.0, 1.0), (-8.0, 0.0))
    pairs = fit_hazards([(wrong, times, days(4_000))])
    assert pairs[0, :, 0] == pytest.approx(LOWEST_SLOPE)
    assert pairs[1, :, 0] == pytest.approx(1.0, abs=0.3)
    assert log_loss(recalibrated(wrong, pairs), times) < log_loss(wrong, times)


def test_the_loss_is_that_of_the_likelihood():
    rng = np.random.default_rng(3)
    hazards = drawn_hazards(rng, 300, level=-2.5)
    hazards *= np.minimum(1.0, 0.9 / hazards.sum(axis=1, keepdims=True))
    times = lived(rng, hazards)
    total = 0.0
    for i in range(300):
        first = times.minutes[i].min()
        if times.happened[i].any():
            last = int(np.searchsorted(ONSET_EDGES, first, side="left")) - 1
            total -= log_likelihood(hazards[i], last, int(np.argmax(times.happened[i])))
        else:
            whole = int((ONSET_EDGES[1:] <= first).sum())
            total -= log_likelihood(hazards[i], whole, -1)
    assert log_loss(hazards, times) == pytest.approx(total / 300, rel=1e-9)


def test_newton_has_the_derivatives_of_the_loss():
    rng = np.random.default_rng(8)
    n, step = 400, 1e-5
    x = rng.normal(-2.5, 0.7, (n, 2))
    both = (rng.random(n) < 0.5) & (x.sum(axis=1) < -0.5)
    m = np.where(both[:, np.newaxis], 1.0, rng.random((n, 2)) < 0.6)
    y = np.where(both[:, np.newaxis], 0.0, (rng.random((n, 2)) < 0.3) * m)
    tilt, weight = x - x.mean(axis=0), rng.random(n)
    design = np.stack((tilt[:, 0], np.ones(n), tilt[:, 1], np.ones(n)), axis=1)

    def at(theta):
        return x + np.stack((design[:, :2] @ theta[:2], design[:, 2:] @ theta[2:]), axis=1)

    gradient, hessian = _derivatives(x, tilt, y, m, both, weight)
    for a, nudge in enumerate(step * np.eye(4)):
        up, down = at(nudge), at(-nudge)
        slope = weight @ (_loss(up, y, m, both) - _loss(down, y, m, both)) / (2 * step)
        assert gradient[a] == pytest.approx(slope, rel=1e-5, abs=1e-6)
        above, below = (_derivatives(z, tilt, y, m, both, weight)[0] for z in (up, down))
        np.testing.assert_allclose(hessian[a], (above - below) / (2 * step), rtol=1e-4, atol=1e-5)


def test_few_events_calibrate_little():
    """As if ten events had been forecast perfectly: with ten of its own, half of the way."""
    n = 2_000
    hazards = np.full((n, 2, N_ONSET), 1e-4)
    times = Times(
        np.full((n, 2), 240.0), np.zeros((n, 2), dtype=bool), np.ones((n, 2), dtype=bool), False
    )
    times.happened[:200, 0] = True  # expected 2.6
    loose = fit_hazards([(hazards, times, days(n))], ridge_events=0.01)
    tight = fit_hazards([(hazards, times, days(n))], ridge_events=1e5)
    some = fit_hazards([(hazards, times, days(n))])
    shift = pairs_at(loose, 1e-4), pairs_at(some, 1e-4), pairs_at(tight, 1e-4)
    assert shift[0] > shift[1] > shift[2] >= 0.0
    assert shift[2] < 0.02


def pairs_at(pairs, hazard):
    """How far the logit of this hazard moves, of the first side and the last band."""
    logit = np.log(hazard / (1.0 - hazard))
    return pairs[0, -1, 0] * logit + pairs[0, -1, 1] - logit


def test_frames_of_one_event_count_once():
    """A thousand frames before one onset pull no harder than one event does."""
    n = 1_000
    hazards = np.full((n, 2, N_ONSET), 0.01)
    happened = np.zeros((n, 2), dtype=bool)
    happened[:, 0] = True
    minutes = np.stack((np.linspace(240.0, 1.0, n), np.full(n, 500.0)), axis=1)
    end_ns = -np.round(minutes[:, 0] * 6e10).astype(np.int64)
    times = Times(minutes, happened, np.ones((n, 2), dtype=bool), True)
    assert distinct_events(times, end_ns) == 1
    pairs = fit_hazards([(hazards, times, end_ns)])
    assert 0.0 < pairs_at(pairs, 0.01) < 0.45  # in each band: one event against two


def test_nothing_to_learn_from_changes_nothing():
    n = 50
    hazards = np.full((n, 2, N_ONSET), 0.01)
    never = Times(
        np.full((n, 2), 300.0), np.zeros((n, 2), dtype=bool), np.ones((n, 2), dtype=bool), True
    )
    np.testing.assert_array_equal(fit_hazards([(hazards, never, days(n))]), IDENTITY)
    cold = np.full_like(hazards, np.nan)
    np.testing.assert_array_equal(fit_hazards([(cold, never, days(n))]), IDENTITY)
    assert np.isnan(recalibrated(cold, IDENTITY)).all()


# --- peak and severity ------------------------------------------------------------------------


def targets_of(n, **given):
    """Targets of n frames that ask nothing unless given."""
    columns = {
        "to_onset_min": np.full((n, 2), np.nan), "has_onset": np.zeros((n, 2), dtype=bool),
        "at_risk": np.zeros((n, 2), dtype=bool), "inside": np.zeros((n, 2), dtype=bool),
        "to_peak_min": np.full((n, 2), np.nan), "to_come_bps": np.full((n, 2), np.nan),
        "event": np.full((n, 2), -1), "phase": np.zeros(n, dtype=np.int64),
        "log_vol": np.zeros((n, 3)),
    }  # fmt: skip
    return Targets(**(columns | given))


def peaks(rng, hazards, frames_each=1):
    """Peaks drawn from hazards ``(event, 2, 12)`` of the long side, each told by some frames."""
    came = rng.random(hazards[:, 0].shape) < hazards[:, 0]
    k = np.where(came.any(axis=1), np.argmax(came, axis=1), N_PEAK)
    minutes = np.append(PEAK_EDGES[1:], 150.0)[k]
    n = minutes.size * frames_each
    inside = np.zeros((n, 2), dtype=bool)
    inside[:, 0] = True
    to_peak, event = np.full((n, 2), np.nan), np.full((n, 2), -1)
    to_peak[:, 0] = np.repeat(minutes, frames_each)
    event[:, 0] = np.repeat(np.arange(minutes.size), frames_each)
    return targets_of(n, inside=inside, to_peak_min=to_peak, event=event)


def test_peak_hazards_are_repaired():
    rng = np.random.default_rng(4)
    hazards = drawn_hazards(rng, 4_000, N_PEAK, level=-1.5)
    targets = peaks(rng, hazards)
    np.testing.assert_allclose(fit_peak([(hazards, targets)]), IDENTITY[:, 0], atol=0.08)
    wrong = distorted(hazards, (0.7, 1.0), (1.0, 0.0))
    np.testing.assert_allclose(fit_peak([(wrong, targets)])[0], [0.7, 1.0], rtol=0.1)


@given(st.integers(0, 100), st.integers(2, 9))
@settings(max_examples=15)
def test_a_squeeze_weighs_the_same_however_long_it_ran(seed, repeated):
    rng = np.random.default_rng(seed)
    hazards = drawn_hazards(rng, 60, N_PEAK, level=-1.0)
    once = fit_peak([(hazards, peaks(np.random.default_rng(seed), hazards))])
    often = fit_peak(
        [
            (
                np.repeat(hazards, repeated, axis=0),
                peaks(np.random.default_rng(seed), hazards, repeated),
            )
        ]
    )
    np.testing.assert_allclose(once, often, atol=1e-6)


def severities(rng, events, frames_each, actual):
    n = events * frames_each
    event = np.full((n, 2), -1)
    event[:, 0] = np.repeat(np.arange(events), frames_each)
    to_onset = np.full((n, 2), np.nan)
    to_onset[:, 0] = rng.uniform(1.0, 30.0, n)
    side = np.zeros((n, 2), dtype=bool)
    side[:, 0] = True
    return targets_of(n, event=event, to_onset_min=to_onset, has_onset=side, at_risk=side), actual


def test_severity_is_covered_after_the_shift():
    rng = np.random.default_rng(5)
    log = rng.normal(5.5, 0.5, 2_000)
    targets, actual = severities(rng, 2_000, 3, np.exp(log))
    quantiles = np.full((6_000, 2, N_SEVERITY), 5.0) + np.arange(N_SEVERITY) * 0.1
    shift = fit_severity([(quantiles, targets, actual)])
    covered = [(log <= quantiles[0, 0, i] + shift[0, i]).mean() for i in range(N_SEVERITY)]
    np.testing.assert_allclose(covered, SEVERITY_LEVELS, atol=0.006)
    assert (shift[1] == 0.0).all()
    again = fit_severity([(quantiles + shift, targets, actual)])
    np.testing.assert_allclose(again, 0.0, atol=0.02)


def test_ten_severities_move_half_of_the_way():
    rng = np.random.default_rng(6)
    targets, actual = severities(rng, 10, 4, np.full(10, np.exp(6.0)))
    quantiles = np.full((40, 2, N_SEVERITY), 5.0)
    np.testing.assert_allclose(fit_severity([(quantiles, targets, actual)])[0], 0.5)


@given(st.lists(st.floats(-5, 5), min_size=1, max_size=30), st.floats(0.01, 0.99))
def test_a_weighted_quantile_is_that_of_the_plain_ranks(values, level):
    values = np.sort(np.array(values))
    rank = level * (values.size + 1)
    expected = np.interp(rank, np.arange(1, values.size + 1), values)
    assert weighted_quantile(values, np.ones(values.size), level) == pytest.approx(expected)


@given(st.integers(0, 1_000), st.integers(1, 20), st.floats(0.01, 0.99))
def test_a_weighted_quantile_does_not_lean_to_one_side(seed, n, level):
    rng = np.random.default_rng(seed)
    values, weight = rng.normal(size=n), rng.uniform(0.05, 1.0, n)
    mirrored = -weighted_quantile(-values, weight, 1.0 - level)
    assert weighted_quantile(values, weight, level) == pytest.approx(mirrored, abs=1e-9)


def test_weights_of_an_event_sum_to_one():
    assert event_weights(np.array([4, 4, 7, 4])).tolist() == [1 / 3, 1 / 3, 1.0, 1 / 3]


def test_every_task_is_fitted():
    rng = np.random.default_rng(7)
    n = 1_500
    onset = drawn_hazards(rng, n)
    passage = np.stack((drawn_hazards(rng, n), drawn_hazards(rng, n)), axis=1)
    peak = drawn_hazards(rng, n, N_PEAK, level=-1.5)
    wrong = Validation(
        days(n),
        distorted(onset, (0.5, 0.5), (0.0, 0.0)),
        passage,
        peak,
        np.full((n, 2, N_SEVERITY), 5.0),
        lived(rng, onset),
        (lived(rng, passage[:, 0], False), lived(rng, passage[:, 1], False)),
        peaks(rng, peak),
        np.full(n, 300.0),
    )
    fitted = fit_calibration([wrong])
    assert (fitted.onset[..., 0] < 0.75).all()
    assert fitted.passage.shape == (2, 2, N_BANDS, 2)
    np.testing.assert_allclose(fitted.passage[..., 0].mean(axis=-1), 1.0, atol=0.25)
    np.testing.assert_allclose(fitted.peak, IDENTITY[:, 0], atol=0.2)
    assert (fitted.severity == 0.0).all()
    stored = fitted.to_json()
    assert stored["passage"] == fitted.passage.tolist()
    assert list(stored) == ["onset", "passage", "peak", "severity"]

"""Measures of skill: laws that hold for any forecast, then examples worked out by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import linear_model, metrics

from litehedge.model.measures import compare as cp
from litehedge.model.measures import measure as ms
from litehedge.model.measures.blocks import (
    Drawn,
    draw_counts,
    event_blocks,
    pending,
    weighted_median,
)
from litehedge.model.measures.calibration import (
    calibration_slope,
    logit,
    recalibration,
    reliability,
)
from litehedge.model.measures.likelihood import log_loss
from litehedge.model.measures.ranks import concordance, ranks, uncensored
from litehedge.model.measures.trial import (
    BIN_OF_HORIZON,
    CENSORED,
    HORIZONS_MIN,
    Trial,
    base_rates,
    incidences,
)
from litehedge.squeeze.hazard import N_ONSET, ONSET_EDGES, ONSET_WIDTHS, bin_of, log_likelihood
from litehedge.squeeze.times import Times
from litehedge.units import NS_PER_DAY, NS_PER_MINUTE

STEP_MIN = 5.0
N = 6_000


def ends(n):
    return (1 + np.arange(n)) * int(STEP_MIN * NS_PER_MINUTE)


def market(n=N, seed=0, rate=0.004, competing=True):
    """Times whose hazard rises with a slow hidden state; the state, ``(frame,)``."""
    rng = np.random.default_rng(seed)
    state = np.zeros(n)
    for i in range(1, n):
        state[i] = 0.98 * state[i - 1] + 0.2 * rng.normal()
    minutes, happened = np.empty((n, 2)), np.empty((n, 2), dtype=bool)
    for side in range(2):
        comes = rng.random(n) < rate * np.exp((1.5 if side == 0 else -1.5) * state)
        events = np.flatnonzero(comes)
        which = np.searchsorted(events, np.arange(n), side="right")
        at = np.append(events, n - 1)[which]
        happened[:, side] = which < events.size
        minutes[:, side] = STEP_MIN * (at - np.arange(n))
    return Times(minutes, happened, np.ones((n, 2), dtype=bool), competing), state


def hazards_of(score, base=2e-3):
    """Hazards that rise with a score ``(frame, side)``."""
    widths = np.array(ONSET_WIDTHS, dtype=float)
    rate = base * np.exp(score)[:, :, np.newaxis] * widths
    return np.minimum(1.0 - np.exp(-rate), 0.45)


def trial_of(seed=0, competing=True, draws=60, **more):
    times, state = market(seed=seed, competing=competing, **more)
    return Trial.of(times, ends(state.size), draws=draws, seed=1), state


TRIAL, STATE = trial_of()
GOOD = hazards_of(np.stack((1.5 * STATE, -1.5 * STATE), axis=1))
RATES = base_rates(TRIAL.times, TRIAL.end_ns)


def perfect(trial):
    """Hazards that know the bin in which each wait ends."""
    out = np.full((len(trial), 2, N_ONSET), 1e-7)
    for side in range(2):
        minutes, cause = trial.first(side)
        rows = np.flatnonzero((cause == side) & (minutes <= 240.0))
        out[rows, side, bin_of(minutes[rows], ONSET_EDGES)] = 1.0 - 2e-7
    return out


def value(measured, name):
    return measured.drawn[name].value


# --- blocks -----------------------------------------------------------------------------------


@pytest.mark.parametrize("competing", [True, False])
@pytest.mark.parametrize("seed", range(3))
def test_blocks_never_part_a_frame_from_the_event_that_ends_its_wait(seed, competing):
    trial, _ = trial_of(seed, competing)
    assert (np.diff(trial.block) >= 0).all()
    waits = pending(trial.times)
    for side in range(2):
        rows = np.flatnonzero(waits[:, side])
        at = rows + np.rint(trial.times.minutes[rows, side] / STEP_MIN).astype(int)
        np.testing.assert_array_equal(trial.block[rows], trial.block[at])
    days = np.bincount(trial.block) * STEP_MIN / 1440.0
    assert days.size >= 5
    assert days[:-1].max() < 6.5


def test_blocks_do_not_cut_a_squeeze_that_runs():
    n = 3 * 3 * 288
    boundary = 3 * 288
    at_risk = np.ones((n, 2), dtype=bool)
    at_risk[boundary - 20 : boundary + 30, 0] = False
    times = Times(np.full((n, 2), 1e4), np.zeros((n, 2), dtype=bool), at_risk, True)
    block = event_blocks(times, ends(n))
    assert block[boundary - 21] == block[boundary + 29]
    assert block[boundary + 30] == block[boundary + 29] + 1
    assert block.max() == 2


def test_waits_without_a_break_do_not_grow_a_block_without_end():
    n = 12 * 288
    times = Times(np.full((n, 2), 5.0), np.ones((n, 2), bool), np.ones((n, 2), bool), False)
    assert event_blocks(times, ends(n)).max() == 3 or event_blocks(times, ends(n)).max() == 4


def test_counts_draw_as_many_blocks_as_there_are():
    counts = draw_counts(17, 30, 3)
    assert (counts[:, 0] == 1.0).all()
    assert (counts.sum(axis=0) == 17.0).all()
    np.testing.assert_array_equal(counts, draw_counts(17, 30, 3))


# --- a weight of two is twice there -----------------------------------------------------------


def repeated(block, counts, draw):
    """Rows of one draw, each as often as its block was taken."""
    return np.repeat(np.arange(block.size), counts[block, draw].astype(int))


@given(st.integers(0, 10_000), st.integers(2, 12))
@settings(max_examples=40, deadline=None)
def test_ranks_are_those_of_scikit_learn_in_every_draw(seed, levels):
    rng = np.random.default_rng(seed)
    block = np.sort(rng.integers(0, 6, 80))
    counts = draw_counts(6, 4, seed)
    said = rng.integers(0, levels, 80) / levels  # with ties
    happened = rng.random(80) < 0.1 + 0.5 * said
    auc, ap = ranks(said, happened, block, counts)
    for draw in range(5):
        rows = repeated(block, counts, draw)
        y = happened[rows]
        if not 0 < y.sum() < y.size:
            continue
        got = (auc.value, ap.value) if draw == 0 else (auc.draws[draw - 1], ap.draws[draw - 1])
        assert got[0] == pytest.approx(metrics.roc_auc_score(y, said[rows]))
        assert got[1] == pytest.approx(metrics.average_precision_score(y, said[rows]))


def test_every_measure_of_a_draw_is_the_measure_of_its_frames_repeated():
    hazards = GOOD
    whole = ms.measure(TRIAL, hazards, RATES, thresholds=(0.1, 0.1))
    draw = 5
    rows = repeated(TRIAL.block, TRIAL.counts, draw)
    ones = replace(TRIAL[rows], counts=np.ones((TRIAL.counts.shape[0], 2)))
    again = ms.measure(ones, hazards[rows], RATES, thresholds=(0.1, 0.1))
    for one, other in zip(whole, again, strict=True):
        for name, drawn in one.drawn.items():
            if name in ("recall", "false_per_day", "lead_min", "concordance"):
                continue  # frames twice in time are no path; censoring is that of the whole
            loose = {"slope": 5e-3, "intercept": 2e-2, "ece": 0.3}.get(name.split("_")[0], 1e-9)
            assert drawn.draws[draw - 1] == pytest.approx(value(other, name), rel=loose), name


def test_a_weighted_median_is_that_of_repeated_values():
    rng = np.random.default_rng(0)
    values, weights = rng.normal(size=30), rng.integers(0, 4, (30, 8)).astype(float)
    expected = [np.median(np.repeat(values, w.astype(int))) for w in weights.T]
    np.testing.assert_allclose(weighted_median(values, weights), expected)
    assert np.isnan(weighted_median(values, np.zeros((30, 1)))).all()


# --- laws -------------------------------------------------------------------------------------


@pytest.mark.parametrize("competing", [True, False])
def test_nobody_beats_who_knows(competing):
    trial, state = trial_of(3, competing)
    rates = base_rates(trial.times, trial.end_ns)
    known = ms.measure(trial, perfect(trial), rates, thresholds=(0.5, 0.5))
    guess = ms.measure(
        trial, hazards_of(np.stack((1.5 * state, -1.5 * state), axis=1)), rates,
        thresholds=(0.05, 0.05),
    )  # fmt: skip
    for one, other in zip(known, guess, strict=True):
        for name in one.drawn:
            if name.startswith(("auc", "ap", "brier", "concordance", "recall")):
                assert value(one, name) >= value(other, name) - 1e-12, name
            if name in ("log_loss", "ece_30", "false_per_day"):
                assert value(one, name) <= value(other, name) + 1e-12, name
    for side in range(2):
        assert value(known[side], "auc_30") == pytest.approx(1.0)
        assert value(known[side], "ap_30") == pytest.approx(1.0)
        assert value(known[side], "brier_skill_30") == pytest.approx(1.0)
        # Two events in one bin are told apart by time, but not by who knows the bin alone.
        assert value(known[side], "concordance") > 0.98
        assert value(known[side], "false_per_day") == 0.0
    assert value(known[2], "log_loss") == pytest.approx(0.0, abs=1e-3)


def test_who_sees_the_hidden_state_has_skill_and_who_guesses_has_none():
    long, short, both = ms.measure(TRIAL, GOOD, RATES, thresholds=(0.1, 0.1))
    for one in (long, short):
        assert one.drawn["auc_30"].score().low > 0.6
        assert one.drawn["concordance"].score().low > 0.6
    missed = []
    for seed in range(8):
        order = np.random.default_rng(seed).permutation(len(TRIAL))
        blind = ms.measure(TRIAL, GOOD[order], RATES, only=("auc", "concordance", "log_loss"))
        for one in blind[:2]:
            assert value(one, "ap_lift_30") == pytest.approx(1.0, abs=0.4)
            for name in ("auc_30", "auc_60", "concordance"):
                score = one.drawn[name].score()
                assert score.value == pytest.approx(0.5, abs=0.06)
                missed.append(not score.low <= 0.5 <= score.high)
    assert np.mean(missed) < 0.35  # intervals of 90 %
    gain = cp.difference(both, blind[2])[cp.GAIN]
    assert gain.low > 0.0


@given(st.integers(0, 1000))
@settings(max_examples=10, deadline=None)
def test_the_order_of_frames_changes_nothing(seed):
    order = np.random.default_rng(seed).permutation(len(TRIAL))
    straight = ms.measure(TRIAL, GOOD, RATES, thresholds=(0.1, 0.1))
    mixed = ms.measure(TRIAL[order], GOOD[order], RATES, thresholds=(0.1, 0.1))
    for one, other in zip(straight, mixed, strict=True):
        assert one.drawn.keys() == other.drawn.keys()
        for name in one.drawn:
            assert value(one, name) == pytest.approx(value(other, name), nan_ok=True), name
            np.testing.assert_allclose(
                one.drawn[name].draws, other.drawn[name].draws, rtol=1e-6, err_msg=name
            )


def test_blocks_do_not_depend_on_the_order_of_frames():
    order = np.random.default_rng(1).permutation(N)
    np.testing.assert_array_equal(
        event_blocks(TRIAL.times[order], TRIAL.end_ns[order]), TRIAL.block[order]
    )


def test_ranks_do_not_change_under_a_rising_map():
    known, happened = TRIAL.outcome(0, 30.0)
    p = incidences(GOOD, competing=True)[known, 0, BIN_OF_HORIZON[30]]
    straight = ranks(p, happened[known], TRIAL.block[known], TRIAL.counts)
    bent = ranks(np.log(p) * 3.0 - 7.0, happened[known], TRIAL.block[known], TRIAL.counts)
    for one, other in zip(straight, bent, strict=True):
        np.testing.assert_array_equal(one.draws, other.draws)


def test_less_than_nothing_differs_from_itself():
    one, other = (ms.measure(TRIAL, GOOD, RATES) for _ in range(2))
    for a, b in zip(one, other, strict=True):
        for score in cp.difference(a, b).values():
            assert (score.value, score.low, score.high) == (0.0, 0.0, 0.0)


def test_paired_differences_are_narrower_than_what_they_are_taken_from():
    noise = np.random.default_rng(2).normal(size=(N, 2, 1))
    one = ms.measure(TRIAL, GOOD, RATES)[0]
    other = ms.measure(TRIAL, np.minimum(GOOD * np.exp(0.3 * noise), 0.45), RATES)[0]
    gap = cp.difference(one, other)["auc_30"]
    own = one.drawn["auc_30"].score()
    assert gap.high - gap.low < 0.5 * (own.high - own.low)
    assert gap.value > 0.0


def test_measured_on_other_frames_cannot_be_compared():
    holed = GOOD.copy()
    holed[:100, 0, 0] = np.nan
    one, other = ms.measure(TRIAL, GOOD, RATES)[0], ms.measure(TRIAL, holed, RATES)[0]
    assert (other.left_out, other.frames) == (100, N - 100)
    with pytest.raises(ValueError, match="different frames"):
        cp.difference(one, other)
    both = cp.common((GOOD, holed))
    assert both.sum() == N - 100
    again = ms.measure(TRIAL[both], holed[both], RATES)[0]
    assert value(again, "auc_30") == value(other, "auc_30")


def test_forecasters_are_compared_on_the_frames_that_all_foretell():
    holed = 0.9 * GOOD
    holed[:100, 0, 0] = np.nan
    at = {"good": (0.1, 0.1), "holed": (0.1, 0.1)}
    skills, differences = cp.compare(
        TRIAL, {"good": GOOD, "holed": holed}, RATES, "squeeze", thresholds=at, against=["holed"]
    )
    assert [(s.forecaster, s.side) for s in skills] == [
        (name, side) for name in ("good", "holed") for side in ("long", "short", "both")
    ]
    assert {(s.frames, s.left_out) for s in skills} == {(N - 100, 100)}
    assert [(d.forecaster, d.than, d.side) for d in differences] == [
        ("good", "holed", side) for side in ("long", "short", "both")
    ]
    alone = ms.measure(TRIAL[100 + np.arange(N - 100)], GOOD[100:], RATES, thresholds=(0.1, 0.1))
    assert skills[0].scores == ms.scores_of(alone[0].drawn)
    assert len(skills[0].reliability) == 10
    assert len(skills[0].alarms) > 30
    with pytest.raises(KeyError):
        cp.compare(TRIAL, {"good": GOOD}, RATES, "squeeze", thresholds={})


def test_wrong_shapes_are_refused():
    with pytest.raises(ValueError, match="wanted"):
        ms.measure(TRIAL, GOOD[:, :, :12], RATES)


# --- calibration ------------------------------------------------------------------------------


@given(st.floats(0.4, 2.0), st.floats(-1.0, 1.0), st.integers(0, 100))
@settings(max_examples=20, deadline=None)
def test_recalibration_finds_what_was_bent(slope, shift, seed):
    rng = np.random.default_rng(seed)
    x = rng.normal(-2.0, 1.2, 4_000)
    happened = rng.random(x.size) < 1.0 / (1.0 + np.exp(-(slope * x + shift)))
    p = 1.0 / (1.0 + np.exp(-x))
    block = np.arange(x.size) // 100
    found = recalibration(p, happened, block, draw_counts(40, 40, seed))
    fitted = linear_model.LogisticRegression(C=1e9, tol=1e-10, max_iter=1000)
    fitted.fit(logit(p)[:, np.newaxis], happened)
    assert found[0].value == pytest.approx(fitted.coef_[0, 0], rel=1e-4, abs=1e-4)
    assert found[1].value == pytest.approx(fitted.intercept_[0], rel=1e-3, abs=1e-3)
    assert calibration_slope(happened, p) == pytest.approx(found[0].value, rel=1e-9)
    same = np.full((40, 2), 1.0)
    cells = recalibration(p, happened, block, same)
    assert cells[0].draws[0] == pytest.approx(cells[0].value, rel=3e-3)
    assert found[0].score().low < found[0].value < found[0].score().high


def test_there_is_no_slope_without_errors_or_without_events():
    p = np.linspace(0.01, 0.99, 50)
    assert np.isnan(calibration_slope(p > 0.5, p))
    assert np.isnan(calibration_slope(np.zeros(50, dtype=bool), p))
    assert np.isnan(calibration_slope(p > 0.5, np.full(50, 0.3)))


def test_reliability_of_calibrated_forecasts_lies_on_the_diagonal():
    rng = np.random.default_rng(0)
    p = rng.beta(1.0, 12.0, 40_000)
    happened = rng.random(p.size) < p
    block = np.arange(p.size) // 400
    curve, error = reliability(p, happened, block, draw_counts(100, 100, 0))
    assert curve.frames.tolist() == [4_000] * 10
    misses = 0
    for said, came in zip(curve.foretold, curve.came, strict=True):
        score = came.score()
        misses += not score.low <= said <= score.high
    assert misses <= 4
    assert error.value < 0.01
    _, bold = reliability(np.minimum(2.0 * p, 1.0), happened, block, draw_counts(100, 100, 0))
    assert bold.value == pytest.approx(p.mean(), rel=0.1)


def test_equal_forecasts_are_one_bin():
    p = np.full(100, 0.25)
    curve, error = reliability(p, np.arange(100) < 30, np.arange(100) // 10, draw_counts(10, 5, 0))
    assert curve.frames.tolist() == [100]
    assert error.value == pytest.approx(0.05)


# --- censoring, by hand -----------------------------------------------------------------------


def by_hand(rows, competing=True):
    """A trial of (minutes, happened, at risk) of each side, one draw beside the measure itself."""
    minutes = np.array([[a[0], b[0]] for a, b in rows], dtype=float)
    happened = np.array([[a[1], b[1]] for a, b in rows], dtype=bool)
    at_risk = np.array([[a[2], b[2]] for a, b in rows], dtype=bool)
    return Trial.of(Times(minutes, happened, at_risk, competing), ends(len(rows)), draws=1)


ROWS = [
    ((20, 1, 1), (500, 0, 1)),  # the long side's event
    ((20, 1, 1), (10, 1, 1)),  # the short side's comes first
    ((20, 0, 1), (20, 0, 1)),  # censored early
    ((30, 0, 1), (30, 0, 1)),  # seen for just the horizon
    ((31, 1, 1), (900, 1, 1)),  # after it
    ((5, 1, 0), (20, 1, 1)),  # the long side is not at risk: its next event does not count
    ((20, 1, 1), (20, 1, 1)),  # both in one minute
]


def test_outcomes_of_competing_sides():
    known, happened = by_hand(ROWS).outcome(0, 30.0)
    assert known.tolist() == [True, True, False, True, True, False, True]
    assert happened.tolist() == [True, False, False, False, False, False, True]
    known, happened = by_hand(ROWS).outcome(1, 30.0)
    assert known.tolist() == [True, True, False, True, True, True, True]
    assert happened.tolist() == [False, True, False, False, False, True, True]


def test_outcomes_of_sides_that_do_not_compete():
    known, happened = by_hand(ROWS, competing=False).outcome(0, 30.0)
    assert known.tolist() == [True, True, False, True, True, False, True]
    assert happened.tolist() == [True, True, False, False, False, False, True]


def test_a_horizon_shorter_than_a_frame_is_not_asked():
    assert TRIAL.horizons == HORIZONS_MIN
    assert replace(TRIAL, frame_min=15.0).horizons == HORIZONS_MIN[1:]


@pytest.mark.parametrize("row", range(len(ROWS)))
def test_the_joint_loss_is_that_of_the_hazards(row):
    h = np.random.default_rng(row).uniform(0.01, 0.2, (2, N_ONSET))
    expected = {
        0: -log_likelihood(h, int(bin_of(np.array([20.0]), ONSET_EDGES)[0]), 0),
        1: -log_likelihood(h, int(bin_of(np.array([10.0]), ONSET_EDGES)[0]), 1),
        2: -log_likelihood(h, 6, -1),  # bins end at 1, 2, 3, 5, 10, 15: six were survived whole
        3: -log_likelihood(h, 7, -1),
        4: -log_likelihood(h, 7, 0),
        5: -log_likelihood(np.stack((np.zeros(N_ONSET), h[1])), 6, 1),
        6: -log_likelihood(h, 6, 0),
    }[row]
    trial = by_hand([ROWS[row], ROWS[row]])
    loss = log_loss(trial, np.stack((h, h)))
    assert loss[0, 0] == pytest.approx(expected)
    assert np.isnan(loss[:, 1]).all()


def test_the_loss_of_sides_that_do_not_compete_is_their_own():
    h = np.random.default_rng(0).uniform(0.01, 0.2, (1, 2, N_ONSET)).repeat(2, axis=0)
    trial = by_hand([ROWS[1], ROWS[5]], competing=False)
    loss = log_loss(trial, h)
    for side, bins in ((0, 6), (1, 4)):
        assert loss[0, side] == pytest.approx(-log_likelihood(h[0, side : side + 1], bins, 0))
    assert np.isnan(loss[1, 0])


def test_what_was_said_to_be_impossible_costs_a_finite_price():
    trial = by_hand([ROWS[0], ROWS[0]])
    loss = log_loss(trial, np.zeros((2, 2, N_ONSET)))
    np.testing.assert_allclose(loss[:, 0], -np.log(1e-7))


def test_the_true_hazard_has_the_least_loss():
    rng = np.random.default_rng(4)
    n = 40_000
    minutes = rng.exponential(1.0 / 0.004, (n, 2))
    times = Times(minutes, np.ones((n, 2), bool), np.ones((n, 2), bool), True)
    trial = Trial.of(times, ends(n), draws=1)
    losses = []
    for factor in (0.8, 1.0, 1.25):
        total = 1.0 - np.exp(-0.008 * factor * np.array(ONSET_WIDTHS))
        hazards = np.broadcast_to(0.5 * total, (n, 2, N_ONSET))
        losses.append(float(np.nanmean(log_loss(trial, hazards))))
    assert losses[1] == min(losses)


# --- concordance ------------------------------------------------------------------------------


def slow_concordance(minutes, cause, side, risk, censored_survival):
    """Uno's concordance for competing risks, pair by pair."""
    right = pairs = 0.0
    g = censored_survival
    for i in range(minutes.size):
        if cause[i] != side:
            continue
        for j in range(minutes.size):
            later = minutes[j] > minutes[i] or (minutes[j] == minutes[i] and cause[j] == CENSORED)
            if later:
                w = 1.0 / (g[i] * g[i])
            elif cause[j] not in (CENSORED, side):
                w = 1.0 / (g[i] * g[j])
            else:
                continue
            pairs += w
            a, b = risk[i][int(minutes[i])], risk[j][int(minutes[i])]
            right += w * (1.0 if a > b else 0.5 if a == b else 0.0)
    return right / pairs


@pytest.mark.parametrize("competing", [True, False])
@pytest.mark.parametrize("seed", range(4))
def test_concordance_is_that_of_all_pairs(seed, competing):
    rng = np.random.default_rng(seed)
    n = 400
    minutes = np.maximum(STEP_MIN * rng.integers(0, 60, (n, 2)), STEP_MIN)
    happened = rng.random((n, 2)) < 0.6
    times = Times(minutes, happened, np.ones((n, 2), bool), competing)
    trial = Trial.of(times, ends(n), draws=3)
    hazards = rng.uniform(0.0, 0.05, (n, 2, N_ONSET)).round(2)
    cif = incidences(hazards, competing=competing)
    kept = trial.end_ns % (30 * NS_PER_MINUTE) < STEP_MIN * NS_PER_MINUTE
    assert kept.sum() == n // 6
    for side in range(2):
        t, cause = (a[kept] for a in trial.first(side))
        cause = np.where(t > 240.0, CENSORED, cause)
        t = np.minimum(t, 240.0)
        g = uncensored(t, cause == CENSORED)
        bins = bin_of(np.arange(241.0), ONSET_EDGES)
        risk = cif[kept, side][:, np.minimum(bins, N_ONSET - 1)]
        assert concordance(trial, cif[:, side], side).value == pytest.approx(
            slow_concordance(t, cause, side, risk, g)
        )


def test_survival_of_censoring_by_hand():
    minutes = np.array([1.0, 2.0, 2.0, 3.0, 4.0])
    censored = np.array([False, True, False, True, False])
    # At 2 one of five has ended and one ends: of the three left one is lost; at 3 one of two.
    np.testing.assert_allclose(uncensored(minutes, censored), [1.0, 1.0, 1.0, 2.0 / 3.0, 1.0 / 3.0])


# --- the rest ---------------------------------------------------------------------------------


def test_base_rates_are_those_of_the_outcomes():
    for i, horizon in enumerate(HORIZONS_MIN):
        known, happened = TRIAL.outcome(1, horizon)
        assert RATES[1, i] == pytest.approx(happened[known].mean())


def test_brier_skill_is_against_the_base_rate_of_training():
    p = incidences(GOOD, competing=True)[:, 0, BIN_OF_HORIZON[30]]
    known, happened = TRIAL.outcome(0, 30.0)
    p, y = p[known], happened[known]
    for rate in (0.001, 0.2):
        got = value(ms.measure(TRIAL, GOOD, np.full((2, 6), rate))[0], "brier_skill_30")
        assert got == pytest.approx(1.0 - np.mean((p - y) ** 2) / np.mean((rate - y) ** 2))


def test_incidences_at_the_last_bin():
    h = np.full((1, 2, N_ONSET), 0.1)
    alone = incidences(h, competing=False)
    assert alone[0, 0, -1] == pytest.approx(1.0 - 0.9**N_ONSET)
    together = incidences(h, competing=True)
    assert together[0, 0, -1] == pytest.approx(0.5 * (1.0 - 0.8**N_ONSET))


def test_what_cannot_be_measured_has_no_score():
    assert Drawn(float("nan"), np.ones(10)).score() is None
    assert Drawn(1.0, np.full(10, np.nan)).score() is None
    times = Times(np.full((50, 2), 300.0), np.zeros((50, 2), bool), np.ones((50, 2), bool), True)
    trial = Trial.of(times, ends(50), draws=5)
    long, _, both = ms.measure(trial, GOOD[:50], RATES, thresholds=(0.1, 0.1))
    assert ms.scores_of(long.drawn) == {}
    assert long.events == 0
    assert ms.scores_of(both.drawn).keys() == {"log_loss"}


def test_a_day_is_a_day():
    assert int(STEP_MIN * NS_PER_MINUTE) * 288 == NS_PER_DAY

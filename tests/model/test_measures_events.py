"""Alarms, the course of a squeeze and strata: laws, and small cases worked out by hand."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from test_measures import GOOD, RATES, TRIAL, ends, trial_of

from litehedge.features import vector as fv
from litehedge.model.measures import compare as cp
from litehedge.model.measures import measure as ms
from litehedge.model.measures.alarms import alarms_at, curve, threshold_for, watch
from litehedge.model.measures.course import peak_course, peak_quantiles, pinball, severity_course
from litehedge.model.measures.strata import SESSIONS, strata, volatility_edges
from litehedge.model.measures.trial import BIN_OF_HORIZON, Trial, incidences
from litehedge.squeeze.forecast import SEVERITY_LEVELS
from litehedge.squeeze.hazard import N_PEAK, PEAK_EDGES, bin_of
from litehedge.squeeze.targets import Targets
from litehedge.squeeze.times import Times
from litehedge.units import NS_PER_HOUR, NS_PER_MINUTE

P30 = incidences(GOOD, competing=True)[:, :, BIN_OF_HORIZON[30]]


# --- alarms -----------------------------------------------------------------------------------


def one_side(events, n, at_risk=None, competing=True):
    """A trial of the long side whose events begin at the ends of these frames."""
    events = np.array(events)
    which = np.searchsorted(events, np.arange(n))
    known = which < events.size
    minutes = np.full((n, 2), 1e5)
    minutes[:, 0] = 5.0 * (np.append(events, n - 1)[which] - np.arange(n))
    happened = np.stack((known, np.zeros(n, bool)), axis=1)
    risk = np.ones((n, 2), bool)
    if at_risk is not None:
        risk[:, 0] = at_risk
    return Trial.of(Times(minutes, happened, risk, competing), ends(n), draws=3)


def said(n, *spans):
    p = np.zeros(n)
    for span in spans:
        p[span] = 0.5
    return p


def test_an_alarm_speaks_for_an_hour_and_is_false_without_an_event_in_it():
    n = 288
    trial = one_side([100, 200], n)
    # Up 30 minutes before the first event; flickers once with nothing after it.
    p = said(n, slice(94, 97), slice(98, 101), slice(150, 151), slice(155, 156))
    alarms = alarms_at(watch(trial, p, 0), 0.5)
    assert alarms.recall.value == 0.5
    assert alarms.lead_min.value == 30.0
    assert alarms.false_per_day.value == pytest.approx(1.0)


def test_an_alarm_that_stays_on_is_raised_anew_every_hour():
    n = 288
    alarms = alarms_at(watch(one_side([100], n), np.ones(n), 0), 0.5)
    assert alarms.recall.value == 1.0
    assert alarms.false_per_day.value == pytest.approx(23.0)
    assert alarms.lead_min.value == 20.0  # frame 96 = 8 hours after the first


def test_one_alarm_may_foretell_two_events_of_its_hour():
    alarms = alarms_at(watch(one_side([100, 104], 288), said(288, slice(97, 98)), 0), 0.5)
    assert (alarms.recall.value, alarms.false_per_day.value) == (1.0, 0.0)
    assert alarms.lead_min.value == 25.0  # 15 and 35 minutes


def test_no_alarm_is_raised_inside_a_squeeze():
    risk = np.ones(288, bool)
    risk[101:130] = False
    trial = one_side([100, 140], 288, risk)
    seen = watch(trial, said(288, slice(105, 129)), 0)
    alarms = alarms_at(seen, 0.5)
    assert (alarms.recall.value, alarms.false_per_day.value) == (0.0, 0.0)
    assert np.isnan(alarms.lead_min.value)


def test_first_passages_within_an_hour_are_one_event():
    events = [100, 103, 110, 180]
    assert watch(one_side(events, 288), np.zeros(288), 0).events[0] == 4
    seen = watch(one_side(events, 288, competing=False), np.zeros(288), 0)
    assert seen.events[0] == 2
    assert (seen.begins_ns == ends(288)[[100, 180]]).all()


def test_an_alarm_in_the_frame_of_the_passage_comes_too_late():
    p = said(288, slice(100, 101))
    for competing, recall in ((True, 1.0), (False, 0.0)):
        seen = watch(one_side([100], 288, competing=competing), p, 0)
        assert alarms_at(seen, 0.5).recall.value == recall
    seen = watch(one_side([100], 288, competing=False), said(288, slice(99, 101)), 0)
    assert alarms_at(seen, 0.5).lead_min.value == 5.0


def test_a_lower_threshold_is_never_more_often_silent():
    for side in range(2):
        points = curve(watch(TRIAL, P30[:, side], side))
        assert len(points) > 30
        # An alarm may hide a better one, so this holds in the large and not point by point.
        assert points[0].recall.value < 0.1
        assert points[-1].recall.value > 0.95
        assert points[-1].false_per_day.value == max(p.false_per_day.value for p in points)
        assert all(a.threshold > b.threshold for a, b in pairwise(points))


def test_the_threshold_keeps_to_one_false_alarm_a_day():
    points = curve(watch(TRIAL, P30[:, 0], 0))
    chosen = alarms_at(watch(TRIAL, P30[:, 0], 0), threshold_for(points))
    assert chosen.false_per_day.value <= 1.0
    allowed = [p.recall.value for p in points if p.false_per_day.value <= 1.0]
    assert chosen.recall.value == max(allowed) > 0.0
    assert ms.alarm_thresholds(TRIAL, GOOD)[0] == threshold_for(points)
    assert threshold_for([]) == float("inf")


# --- the course -------------------------------------------------------------------------------


def squeezes(n=600, every=60, long=(6, 30)):
    """Long squeezes, alternately short and long, with their targets and frames."""
    onsets = list(range(40, n - 60, every))
    inside = np.zeros((n, 2), bool)
    to_peak = np.full((n, 2), np.nan)
    event = np.full((n, 2), -1)
    at_risk = np.ones((n, 2), bool)
    minutes, happened = np.full((n, 2), 1e5), np.zeros((n, 2), bool)
    for i, onset in enumerate(onsets):
        length = long[i % len(long)]
        run = slice(onset + 1, onset + length)
        inside[run, 0] = True
        to_peak[run, 0] = 5.0 * np.arange(length - 1, 0, -1)
        at_risk[run, 0] = False
        event[onset - 6 : onset + 1, 0] = i
        event[run, 0] = i
        minutes[onset - 6 : onset + 1, 0] = 5.0 * np.arange(6, -1, -1)
        happened[onset - 6 : onset + 1, 0] = True
    targets = Targets(
        minutes, happened, at_risk, inside, to_peak, to_peak, event, np.zeros(n, dtype=np.int64),
        np.zeros((n, 3)),
    )  # fmt: skip
    trial = Trial.of(Times(minutes, happened, at_risk, True), ends(n), draws=20)
    return trial, targets, len(onsets)


def test_who_knows_the_peak_is_right_but_for_the_bin():
    trial, targets, count = squeezes()
    hazards = np.full((len(trial), 2, N_PEAK), 1e-9)
    rows = np.flatnonzero(targets.inside[:, 0])
    bins = bin_of(targets.to_peak_min[rows, 0], PEAK_EDGES)
    hazards[rows, 0, np.minimum(bins, N_PEAK - 1)] = 1.0
    course = peak_course(trial, hazards, targets, 0)
    assert course.events == count
    assert course.drawn["error_min"].value < 8.0
    assert course.drawn["width_min"].value < 20.0
    flat = peak_course(trial, np.full_like(hazards, 0.1), targets, 0)
    assert flat.drawn["error_min"].value > course.drawn["error_min"].value


def test_events_count_the_same_however_long_they_are():
    trial, targets, _ = squeezes()
    # 5-minute events end within 25 minutes, long ones after up to 145; a forecast of [0, 30]
    # covers all frames of the former and the last six of the latter.
    hazards = np.full((len(trial), 2, N_PEAK), 1e-9)
    hazards[:, :, 0] = 0.1 - 1e-9
    hazards[:, :, 7] = 1.0
    course = peak_course(trial, hazards, targets, 0)
    low, _, high = peak_quantiles(hazards[:1, 0])
    shares = []
    for i in np.unique(targets.event[targets.inside[:, 0], 0]):
        mine = targets.inside[:, 0] & (targets.event[:, 0] == i)
        left = targets.to_peak_min[mine, 0]
        shares.append(np.mean((low[0] <= left) & (left <= high[0])))
    assert course.drawn["coverage"].value == pytest.approx(np.mean(shares))
    pooled = targets.to_peak_min[targets.inside[:, 0], 0]
    assert abs(np.mean((low[0] <= pooled) & (pooled <= high[0])) - np.mean(shares)) > 0.05


def test_errors_of_the_peak_by_hand():
    trial, targets, _ = squeezes(n=130, every=1000, long=(3,))
    hazards = np.full((130, 2, N_PEAK), 1e-12)
    hazards[:, :, 4] = 1.0  # within 5 to 10 minutes: the median says 7.5
    course = peak_course(trial, hazards, targets, 0)
    # Frames 10 and 5 minutes before the peak of a squeeze of 15 minutes.
    assert course.frames == 2
    assert course.drawn["error_min"].value == pytest.approx(2.5)
    assert course.drawn["error_share"].value == pytest.approx(2.5 / 15.0)
    assert course.drawn["width_min"].value == pytest.approx(4.0)
    assert course.drawn["coverage"].value == 0.0


def test_unknown_peaks_are_left_out_and_counted():
    trial, targets, _ = squeezes()
    hazards = np.full((len(trial), 2, N_PEAK), np.nan)
    course = peak_course(trial, hazards, targets, 0)
    assert (course.frames, course.events, course.drawn) == (0, 0, {})
    assert course.left_out == targets.inside[:, 0].sum()
    assert peak_course(trial, hazards, targets, 1).left_out == 0
    with pytest.raises(ValueError, match="wanted"):
        peak_course(trial, hazards[:, :, :3], targets, 0)


def test_severity_quantiles_that_are_right_cover_what_they_should():
    trial, targets, count = squeezes(n=40_000, every=60)
    rng = np.random.default_rng(0)
    normal = {0.1: -1.2816, 0.5: 0.0, 0.9: 1.2816, 0.95: 1.6449, 0.99: 2.3263}
    centre = rng.normal(5.0, 0.5, count)
    came = np.exp(centre + 0.3 * rng.normal(size=count))
    z = np.array([normal[q] for q in SEVERITY_LEVELS])
    by_frame = centre[np.maximum(targets.event[:, 0], 0)]
    told = np.exp(by_frame[:, np.newaxis] + 0.3 * z)[:, np.newaxis].repeat(2, axis=1)
    constant = np.exp(5.0 + np.hypot(0.5, 0.3) * z)
    course = severity_course(trial, told, targets, came, constant, 0)
    assert course.events == count
    assert course.drawn["coverage"].value == pytest.approx(0.8, abs=0.05)
    assert course.drawn["below_q95"].value == pytest.approx(0.95, abs=0.03)
    assert course.drawn["pinball_gain"].value == pytest.approx(
        1 - 0.3 / np.hypot(0.5, 0.3), abs=0.1
    )
    flat = np.broadcast_to(constant, told.shape)
    none = severity_course(trial, flat, targets, came, constant, 0)
    assert none.drawn["pinball_gain"].value == 0.0
    gained = cp.difference(course, none)["pinball"]
    assert gained.high < 0.0
    skill = ms.skill_of_course(course, "m", "severity", 0)
    assert skill.events == count
    assert skill.scores.keys() == course.drawn.keys()


def test_pinball_by_hand():
    loss = pinball(np.array([np.e**5]), np.full((1, 5), np.e**4))
    assert loss[0] == pytest.approx(SEVERITY_LEVELS.mean())
    loss = pinball(np.array([np.e**4]), np.full((1, 5), np.e**5))
    assert loss[0] == pytest.approx(1.0 - SEVERITY_LEVELS.mean())


# --- strata -----------------------------------------------------------------------------------


def features(n, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, fv.N_FEATURES))


def test_strata_part_the_frames():
    n = 3_000
    x = features(n)
    x[:50, fv.LOG_SIGMA] = np.nan
    x[60:80, fv.FUNDING_BPS] = np.nan
    masks = strata(x, ends(n), volatility_edges(x))
    groups = list(masks.values())
    assert len(masks) == 11
    assert np.sum(groups[:6], axis=0).tolist() == [0] * 50 + [1] * (n - 50)
    assert np.sum(groups[6:8], axis=0).sum() == n - 20
    assert (np.sum(groups[8:], axis=0) == 1).all()
    assert 0.3 < np.mean(masks["calm, falling"] | masks["calm, rising"]) < 0.36


def test_a_frame_belongs_to_the_session_in_which_it_lies():
    end = np.array([8 * NS_PER_HOUR, 8 * NS_PER_HOUR + NS_PER_MINUTE, 24 * NS_PER_HOUR])
    masks = strata(features(3), end, np.zeros(2))
    assert [[bool(masks[s][i]) for s in SESSIONS].index(True) for i in range(3)] == [0, 1, 2]


def test_strata_are_measured_where_there_are_enough_events():
    trial, state = trial_of(seed=2)
    high = {"high": state > 0.0, "nowhere": np.zeros(state.size, bool)}
    hazards = GOOD  # of another market: no skill, but measurable
    rows = cp.in_strata(trial, hazards, RATES, high, "m", "squeeze", least=5)
    assert {row.name for row in rows} == {"high"}
    assert {row.side for row in rows} == {"long", "short", "both"}
    for row in rows:
        assert row.events >= 5
        assert not any(key.startswith(("slope", "ece", "concordance")) for key in row.scores)
    assert cp.in_strata(trial, hazards, RATES, high, "m", "squeeze", least=10**6) == []

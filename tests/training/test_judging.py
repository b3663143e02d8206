"""Forecasters judged beside each other, on a made-up market whose volatility tells something."""

import numpy as np
import pytest

from dying import dies
from litehedge.errors import UsageError
from litehedge.features import vector as fv
from litehedge.model import layout as ly
from litehedge.model.artefact import Score
from litehedge.model.baselines.part import observed
from litehedge.squeeze.hazard import N_ONSET
from litehedge.training.judging import field as fd
from litehedge.training.judging import judge as jd
from litehedge.training.judging.field import Entry, Span
from litehedge.training.told import Said
from made_parts import made_part


@pytest.fixture(scope="module")
def span():
    return Span([made_part(3_000, 1)], made_part(2_000, 2), made_part(2_500, 3))


@pytest.fixture(scope="module")
def bench(span):
    return jd.Bench.of(span, 30, 0)


def usual(times):
    """How often a bin that was reached held an event of a side, ``(side, bin)``."""
    seen = observed(times)
    reached = np.stack([(seen.stop > k).sum(axis=0) for k in range(N_ONSET)], axis=1)
    came = [(seen.own & (seen.stop == k + 1)).sum(axis=0) for k in range(N_ONSET)]
    return np.stack(came, axis=1) / np.maximum(reached, 1)


def said_by(part, bench, tilt):
    """Base rates, moved by what tells of volatility: so far as `tilt` says."""
    known = part.features[:, fv.INDEX["vol_60m"]]
    loud = np.exp(tilt * np.clip(known - np.nanmean(known), -3.0, 3.0))
    hazards = {
        task: np.clip(usual(times) * loud[:, None, None], 1e-6, 0.45)
        for task, times in bench.span.train[0].tasks.items()
    }
    for h in hazards.values():
        h[~part.warm] = np.nan
    return Said(hazards)


def entry(bench, name, tilt):
    return Entry(name, *(said_by(p, bench, tilt) for p in (bench.span.valid, bench.span.test)))


def test_who_knows_more_is_judged_better(bench):
    entries = [entry(bench, "blind", 0.0), entry(bench, "seeing", 1.0)]
    skills, differences = jd.skills_of(bench, entries, ["blind"])
    assert {(s.forecaster, s.task) for s in skills} == {
        (e.name, task) for e in entries for task in ly.TASKS
    }
    loss = {
        (s.forecaster, s.task, s.side): found.value
        for s in skills
        if (found := s.score("log_loss")) is not None
    }
    assert {task for _, task, _ in loss} == set(ly.TASKS)
    sides = [side for name, task, side in loss if (name, task) == ("seeing", "percent")]
    assert sides
    for side in sides:  # of moves in per cent volatility tells much, of those in sigmas little
        assert loss["seeing", "percent", side] < loss["blind", "percent", side]
    assert differences
    assert {d.task for d in differences} == set(ly.TASKS)


def test_who_does_not_speak_of_a_task_is_not_measured_at_it(bench):
    whole = entry(bench, "whole", 1.0)
    only = Entry(
        "only", *(Said({"squeeze": s.hazards["squeeze"]}) for s in (whole.valid, whole.test))
    )
    skills, _ = jd.skills_of(bench, [whole, only], ["whole"])
    assert {s.task for s in skills if s.forecaster == "only"} == {"squeeze"}


def test_taking_away_what_tells_is_a_loss_and_taking_nothing_is_none(bench):
    whole, lesser = (entry(bench, "x", tilt).test for tilt in (1.0, 0.0))
    rows = jd.ablation(bench, "without volatility", whole, lesser, ["percent"])
    gains = [r.score.value for r in rows if r.measure == "log_loss_gain"]
    assert gains
    assert all(gain < 0.0 for gain in gains)
    assert {r.task for r in rows} == {"percent"}
    for row in jd.ablation(bench, "without nothing", whole, whole):
        assert (row.score.value, row.score.low, row.score.high) == (0.0, 0.0, 0.0)


def test_seeds_are_told_by_their_median_worst_and_best(bench):
    assert jd.middle([3.0, 1.0, 2.0]) == Score(2.0, 1.0, 3.0)
    entries = [entry(bench, f"seed {i}", tilt) for i, tilt in enumerate((0.2, 0.6, 1.0))]
    skills, _ = jd.skills_of(bench, [*entries, entry(bench, "other", 0.0)], [])
    found = jd.over_seeds(skills, [e.name for e in entries])
    score = found["percent long log_loss"]
    assert score.low < score.value < score.high


def test_baselines_are_fitted_beside_each_other_and_come_back_by_name(span):
    small = Span([made_part(1_500, 4)], made_part(1_200, 5), made_part(900, 6))
    names = fd.baseline_names()[:2]
    heard = []
    found = fd.baselines(small, names, 0, processes=1, say=heard.append)
    assert [e.name for e in found] == names
    assert len(heard) == 2
    for one in found:
        assert one.trials >= 1
        for task, hazards in one.test.hazards.items():
            assert hazards.shape == (900, 2, 13), task
            assert np.isnan(hazards[~small.test.warm]).all()


def test_a_baseline_whose_process_is_killed_is_an_error(span, monkeypatch):
    monkeypatch.setattr(fd, "_job", dies)
    with pytest.raises(UsageError, match="that fits a baseline died"):
        fd.baselines(span, fd.baseline_names()[:1], 0)


def test_an_unknown_baseline_is_refused(span):
    with pytest.raises(UsageError, match="no baseline 'oracle'") as error:
        fd.baselines(span, ["oracle"], 0)
    assert fd.LOGISTIC in error.value.remedy

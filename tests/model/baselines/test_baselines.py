"""Laws of every baseline: valid hazards, no look-ahead, better than the base rate."""

from functools import cache

import numpy as np
import pytest

from litehedge.model.baselines.boosted import BoostedHazard
from litehedge.model.baselines.every import every_baseline
from litehedge.model.baselines.part import TASKS, validation_loss
from litehedge.squeeze.hazard import N_ONSET
from made_parts import changed_after, made_part

NAMES = [baseline.name for baseline in every_baseline()]
TELLING = set(NAMES) - {"base rate", "3 % in 15 min"}


@cache
def parts():
    return [made_part(8_000, 1, gaps=(3_000,)), made_part(4_000, 2)], [made_part(4_000, 3)]


@cache
def fitted(name):
    """The baseline of that name, fitted; few trials of the one that is slow."""
    baseline = next(b for b in every_baseline() if b.name == name)
    if isinstance(baseline, BoostedHazard):
        baseline = BoostedHazard(0, trials=2)
    baseline.fit(*parts(), lambda _: None)
    return baseline


def test_names_differ():
    assert len(set(NAMES)) == len(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_hazards_are_hazards_and_cold_frames_have_none(name):
    part = made_part(2_000, 4, gaps=(1_500,))
    found = fitted(name).hazards(part)
    assert set(found) == set(TASKS)
    for task, hazards in found.items():
        assert hazards.shape == (2_000, 2, N_ONSET)
        assert np.isnan(hazards[~part.warm]).all()
        warm = hazards[part.warm]
        assert ((warm > 0.0) & (warm <= 1.0)).all()
        if part.tasks[task].competing:
            assert (warm.sum(axis=1) <= 1.0 + 1e-12).all()


@pytest.mark.parametrize("name", NAMES)
def test_another_future_changes_nothing_up_to_now(name):
    part = made_part(2_000, 5)
    at = 1_200
    here, there = (fitted(name).hazards(p) for p in (part, changed_after(part, at)))
    for task in TASKS:
        np.testing.assert_array_equal(here[task][: at + 1], there[task][: at + 1])


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"base rate"}))
def test_the_future_does_change_what_is_said_later(name):
    """Else the law above would hold for a baseline that looks at nothing."""
    part = made_part(2_000, 5)
    here, there = (fitted(name).hazards(p) for p in (part, changed_after(part, 1_200)))
    assert any((here[task][1_201:] != there[task][1_201:]).any() for task in TASKS)


@pytest.mark.parametrize("name", sorted(TELLING))
def test_what_tells_beats_the_base_rate_on_frames_it_has_not_seen(name):
    fresh = [made_part(6_000, 7)]
    for task in TASKS:
        own, base = (
            validation_loss([fitted(n).hazards(p)[task] for p in fresh], fresh, task)
            for n in (name, "base rate")
        )
        assert own < base - 0.02, task


@pytest.mark.parametrize("name", NAMES)
def test_the_trials_are_told_and_the_best_is_kept(name):
    baseline = fitted(name)
    assert baseline.trials
    for task in TASKS:
        best = min(baseline.trials, key=lambda trial: trial.losses[task])
        assert baseline.chosen[task] == best.parameters
    assert baseline.trials[0].total == pytest.approx(sum(baseline.trials[0].losses.values()))


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"LightGBM"}))
def test_the_kept_one_has_the_score_of_its_trial(name):
    baseline = fitted(name)
    _, valid = parts()
    for task in TASKS:
        again = validation_loss([baseline.hazards(p)[task] for p in valid], valid, task)
        assert again == pytest.approx(min(trial.losses[task] for trial in baseline.trials))


def test_the_same_seed_gives_the_same_trees():
    one, two = BoostedHazard(3, trials=1), BoostedHazard(3, trials=1)
    part = made_part(2_500, 8)
    for baseline in (one, two):
        baseline.fit([part], [made_part(2_500, 9)], lambda _: None)
    for task in TASKS:
        np.testing.assert_array_equal(one.hazards(part)[task], two.hazards(part)[task])

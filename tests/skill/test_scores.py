"""Scores of the ladder: laws on made-up worlds whose truth is known."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from litehedge.skill.rungs import together
from litehedge.skill.scores import (
    TRUTH,
    Judged,
    Rung,
    reliability,
    score,
    sharpened,
    truth_of,
)


@dataclass
class Made:
    judged: Judged
    p: np.ndarray


def made(n: int = 3_000, futures: int = 40, seed: int = 1, weight: float = 1.0) -> Made:
    """Instants with known probabilities; one forecaster sees half of what decides them."""
    chance = np.random.default_rng(seed)
    seen, unseen = chance.normal(size=n), chance.normal(size=n)
    p = 1.0 / (1.0 + np.exp(3.5 - 1.2 * seen - 1.2 * unseen))
    guess = 1.0 / (1.0 + np.exp(3.1 - 1.1 * seen))
    judged = Judged(
        happened=chance.random(n) < p,
        weight=np.full(n, weight),
        block=np.arange(n) // 10,
        came=np.stack([chance.binomial(futures // 2, p) for _ in range(2)], axis=1),
        futures=np.full((n, 2), futures // 2),
        said={"noise": chance.random(n) * 0.1, "half": guess, "all": p},
        ranks_only=frozenset({"noise"}),
        hints=np.stack([seen, unseen + 0.3 * chance.normal(size=n)], axis=1),
    )
    return Made(judged, p)


def rungs(judged: Judged, draws: int = 4) -> dict[str, Rung]:
    return {rung.name: rung for rung in score(judged, 1, draws)}


def test_rungs_stand_in_their_order() -> None:
    found = rungs(made().judged, 60)
    assert found["noise"].auc.low < 0.5 < found["noise"].auc.high
    assert found["half"].auc.low > 0.6
    assert found["half"].below_truth.low > 0.02
    assert 0.2 < found["half"].share.value < 0.8
    assert np.isnan(found["noise"].brier_skill.value), "what only ranks has no Brier score"
    for rung in found.values():
        assert not rung.auc.low > rung.auc.value
        assert not rung.auc.high < rung.auc.value


def test_who_says_the_truth_has_all_of_its_skill_whatever_the_number_of_futures() -> None:
    for futures in (4, 40, 400):
        world = made(n=20_000, futures=futures)
        found = rungs(world.judged)
        assert found["all"].share.value == pytest.approx(1.0, abs=0.03)
        rate = world.p.mean()
        real = np.var(world.p) / (rate * (1.0 - rate))
        assert found[TRUTH].brier_skill.value == pytest.approx(real, abs=0.02)
        assert found[TRUTH].auc.value < found["all"].auc.value + 0.005


def test_weights_of_all_alike_change_nothing() -> None:
    one, other = (rungs(made(weight=w).judged) for w in (1.0, 7.0))
    for name in one:
        assert one[name].auc.value == pytest.approx(other[name].auc.value)
        assert one[name].ap.value == pytest.approx(other[name].ap.value)


def test_what_was_drawn_less_often_weighs_more() -> None:
    """Half of the calm instants left out, the others counted twice: the same scores, about."""
    whole = made(n=20_000).judged
    alarm = whole.said["half"] > np.median(whole.said["half"])
    kept = alarm | (np.arange(20_000) % 2 == 0)
    thinned = Judged(
        whole.happened[kept], np.where(alarm, 1.0, 2.0)[kept], whole.block[kept],
        whole.came[kept], whole.futures[kept], {name: p[kept] for name, p in whole.said.items()},
        whole.ranks_only, whole.hints[kept],
    )  # fmt: skip
    one, other = rungs(whole), rungs(thinned)
    for name in ("half", "all", TRUTH):
        assert one[name].auc.value == pytest.approx(other[name].auc.value, abs=0.01)
        assert one[name].brier_skill.value == pytest.approx(other[name].brier_skill.value, abs=0.01)


def test_sharpening_comes_nearer_to_the_truth_and_asks_nothing_of_what_happened() -> None:
    world = made()
    counted = world.judged.came.sum(axis=1) / world.judged.futures.sum(axis=1)
    sharp = truth_of(world.judged)
    assert np.mean((sharp - world.p) ** 2) < 0.5 * np.mean((counted - world.p) ** 2)
    assert ((sharp > 0.0) & (sharp < 1.0)).all()
    other = replace(world.judged, happened=~world.judged.happened)
    assert np.array_equal(truth_of(other), sharp)


def test_what_never_comes_has_no_probability() -> None:
    nothing = sharpened(np.zeros(5, np.int64), np.full(5, 10), np.zeros((5, 1)))
    assert nothing.tolist() == [0.0] * 5


def test_reliability_finds_a_truth_that_is_none() -> None:
    world = made(n=20_000)
    honest = truth_of(world.judged)
    found = reliability(honest, world.judged.happened, world.judged.block)
    assert sum(one.instants for one in found) == 20_000
    for one in found:
        assert abs(one.came - one.foretold) < 4.0 * one.error
    boasting = reliability(np.sqrt(honest), world.judged.happened, world.judged.block)
    assert any(abs(one.came - one.foretold) > 4.0 * one.error for one in boasting)


def test_worlds_are_joined_whole() -> None:
    parts = [made(n=100, seed=s).judged for s in (1, 2)]
    both = together(parts)
    assert both.happened.size == 200
    assert both.said["half"][100:].tolist() == parts[1].said["half"].tolist()
    assert both.came[:100].tolist() == parts[0].came.tolist()
    assert both.hints.shape == (200, 2)

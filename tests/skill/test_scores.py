"""Scores of the ladder: laws on made-up worlds whose truth is known."""

from dataclasses import replace

import numpy as np
import pytest

from litehedge.skill.rungs import sharpened, together
from litehedge.skill.scores import TRUTH, Judged, reliability, score


def judged(n: int = 3_000, futures: int = 40, seed: int = 1, weight: float = 1.0) -> Judged:
    """Instants with known probabilities; the truth is counted, one forecaster sees half of it."""
    chance = np.random.default_rng(seed)
    seen, unseen = chance.normal(size=n), chance.normal(size=n)
    p = 1.0 / (1.0 + np.exp(3.5 - 1.2 * seen - 1.2 * unseen))
    guess = 1.0 / (1.0 + np.exp(3.1 - 1.1 * seen))
    return Judged(
        happened=chance.random(n) < p,
        weight=np.full(n, weight),
        block=np.arange(n) // 10,
        futures=np.full(n, futures),
        said={
            "noise": chance.random(n) * 0.1,
            "half": guess,
            TRUTH: chance.binomial(futures, p) / futures,
        },
        ranks_only=frozenset({"noise"}),
        hints=np.stack([seen, unseen + 0.3 * chance.normal(size=n)], axis=1),
    )


def test_rungs_stand_in_their_order() -> None:
    rungs = {rung.name: rung for rung in score(sharpened(judged()), 1, 60)}
    assert rungs["noise"].auc.low < 0.5 < rungs["noise"].auc.high
    assert rungs["half"].auc.low > 0.6
    assert rungs["half"].below_truth.low > 0.02
    assert 0.0 < rungs["half"].share.value < 0.8
    assert np.isnan(rungs["noise"].brier_skill.value), "what only ranks has no Brier score"
    for rung in rungs.values():
        assert rung.auc.low <= rung.auc.value <= rung.auc.high


def test_weights_of_all_alike_change_nothing() -> None:
    one, other = (score(judged(weight=w), 1, 4) for w in (1.0, 7.0))
    for a, b in zip(one, other, strict=True):
        assert a.auc.value == pytest.approx(b.auc.value)
        assert a.ap.value == pytest.approx(b.ap.value)


def test_what_was_drawn_less_often_weighs_more() -> None:
    """Half of the calm instants left out, the others counted twice: the same scores, about."""
    whole = judged(n=20_000)
    kept = whole.happened | (np.arange(20_000) % 2 == 0)
    thinned = Judged(
        whole.happened[kept], np.where(whole.happened, 1.0, 2.0)[kept], whole.block[kept],
        whole.futures[kept], {name: p[kept] for name, p in whole.said.items()}, whole.ranks_only,
        whole.hints[kept],
    )  # fmt: skip
    for a, b in zip(score(whole, 1, 4), score(thinned, 1, 4), strict=True):
        assert a.auc.value == pytest.approx(b.auc.value, abs=0.02)
        if a.name != "noise":
            assert a.brier_skill.value == pytest.approx(b.brier_skill.value, abs=0.02)


def test_sharpening_comes_nearer_to_the_truth_and_asks_nothing_of_what_happened() -> None:
    counted = judged()
    sharp = sharpened(counted)
    rng = np.random.default_rng(1)
    seen, unseen = rng.normal(size=3_000), rng.normal(size=3_000)
    p = 1.0 / (1.0 + np.exp(3.5 - 1.2 * seen - 1.2 * unseen))
    before = np.mean((counted.said[TRUTH] - p) ** 2)
    after = np.mean((sharp.said[TRUTH] - p) ** 2)
    assert after < 0.5 * before
    assert ((sharp.said[TRUTH] > 0.0) & (sharp.said[TRUTH] < 1.0)).all()
    other = replace(counted, happened=~counted.happened)
    assert np.array_equal(sharpened(other).said[TRUTH], sharp.said[TRUTH])
    for name in ("noise", "half"):
        assert sharp.said[name] is counted.said[name]


def test_reliability_finds_a_truth_that_is_none() -> None:
    honest = sharpened(judged(n=20_000))
    for one in reliability(honest):
        assert abs(one.came - one.foretold) < 4.0 * one.error + 0.003
    boasting = replace(honest, said=honest.said | {TRUTH: np.sqrt(honest.said[TRUTH])})
    assert any(abs(b.came - b.foretold) > 4.0 * b.error for b in reliability(boasting))
    assert sum(b.instants for b in reliability(honest)) == 20_000


def test_worlds_are_joined_whole() -> None:
    parts = [judged(n=100, seed=s) for s in (1, 2)]
    both = together(parts)
    assert both.happened.size == 200
    assert both.said["half"][100:].tolist() == parts[1].said["half"].tolist()
    assert both.hints.shape == (200, 2)

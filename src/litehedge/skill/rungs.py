"""The rungs: forecasters that learn in some worlds and speak in others, and the truth."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from importlib import import_module
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from litehedge.features import vector as fv
from litehedge.features.vector import FeatureSchema
from litehedge.model.baselines.logistic import CLIP, INPUTS, LogisticForecaster
from litehedge.model.baselines.logistic_fit import Sample, fit
from litehedge.model.evaluate import onset_probabilities
from litehedge.model.sklearn import sklearn_module
from litehedge.sim.oracle.onsets import timeline_of
from litehedge.sim.oracle.truth import Truth, true_hazards
from litehedge.sim.study import warmed_world
from litehedge.skill.scores import TRUTH, Judged
from litehedge.skill.seen import WARM_MIN, Seen, draw
from litehedge.squeeze.forecast import Forecaster
from litehedge.squeeze.labels import SIDES
from litehedge.units import NS_PER_DAY, NS_PER_MINUTE

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

CALM_EVERY: Final = 5
"""One in five of the frames that no squeeze follows is learnt from, with that weight, and all
others. Which ones is chance: every fifth would tell them by the age of five-minute feeds."""

PENALTY: Final = 0.001  # scikit-learn's C, that of our logistic forecaster
BLOCK_DAYS: Final = 3
VOLATILITIES: Final = ("vol_rule", "vol_60m")

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Learnt:
    """Everything that learnt from the training worlds; `informed` by side."""

    logistic: Forecaster
    informed: tuple[Any, Any]


def learn(worlds: Sequence[Seen], minutes: float, say: Say) -> Learnt:
    """Fit the logistic forecaster, and per side a logistic regression that sees hidden state.

    Raises
    ------
    UsageError
        When scikit-learn is missing or the worlds hold too few squeezes.
    """
    weights, _ = fit([Sample(w.features, w.targets, w.severity_bps) for w in worlds], say=say)
    logistic = LogisticForecaster(weights, "ladder", FeatureSchema(NS_PER_MINUTE).hash)
    frames = [_frames(world, minutes) for world in worlds]
    inputs = np.concatenate([inputs_of(w)[f] for w, f in zip(worlds, frames, strict=True)])
    follows = np.concatenate([w.follows(minutes)[f] for w, f in zip(worlds, frames, strict=True)])
    risk = np.concatenate([w.targets.at_risk[f] for w, f in zip(worlds, frames, strict=True)])
    weight = np.where(follows.any(axis=1), 1.0, float(CALM_EVERY))
    informed = []
    for side, name in enumerate(SIDES):
        say(f"{name} squeezes, with the hidden state")
        r = risk[:, side]
        model = _linear(PENALTY)
        model.fit(inputs[r], follows[r, side], logisticregression__sample_weight=weight[r])
        informed.append(model)
    return Learnt(logistic, (informed[0], informed[1]))


def _linear(penalty: float) -> Any:
    """Return a logistic regression that takes missing inputs as average ones."""
    make = sklearn_module("pipeline").make_pipeline
    clip = partial(np.clip, a_min=-CLIP, a_max=CLIP)
    return make(
        sklearn_module("preprocessing").StandardScaler(),
        sklearn_module("preprocessing").FunctionTransformer(clip),
        sklearn_module("impute").SimpleImputer(strategy="constant", fill_value=0.0),
        sklearn_module("linear_model").LogisticRegression(C=penalty, max_iter=400),
    )


def inputs_of(seen: Seen) -> Floats:
    """Return a model's inputs, then the hidden state, ``(frame, input)``."""
    return np.concatenate((seen.features[:, list(INPUTS)], seen.hidden), axis=1)


def _frames(seen: Seen, minutes: float) -> Ints:
    n = len(seen.frames)
    drawn = np.random.default_rng(seen.seed).random(n) < 1.0 / CALM_EVERY
    kept = seen.follows(minutes).any(axis=1) | drawn
    return np.flatnonzero(kept & (np.arange(n) >= WARM_MIN))


def judge(
    world: Seen,
    learnt: Learnt,
    others: dict[str, Forecaster],
    minutes: float,
    *,
    per_side: int,
    negatives: int,
    branches: int,
    chance: np.random.Generator,
    progress: Callable[[int, int], None],
) -> tuple[Judged, Judged]:
    """Ask every rung about drawn instants of one world, per side; the truth among them.

    `others` are forecasters by name that learnt elsewhere.
    """
    at, weight = draw(world, minutes, per_side, negatives, chance)
    truth = _truth(world, world.minute[at], branches, minutes, progress)
    features = world.features[at]
    rows = learnt.logistic.batch(world.frames.end_ns[at], features)
    said: dict[str, Floats] = {
        name: np.repeat(features[:, fv.INDEX[name], np.newaxis], 2, axis=1) for name in VOLATILITIES
    }
    for name, other in others.items():
        said[name] = onset_probabilities(other.batch(world.frames.end_ns[at], features), minutes)
    said["logistic"] = onset_probabilities(rows, minutes)
    inputs = inputs_of(world)[at]
    said["logistic that sees the hidden state"] = np.stack(
        [model.predict_proba(inputs)[:, 1] for model in learnt.informed], axis=1
    )
    hints = np.concatenate(
        (
            _logit(said["logistic"]),
            _logit(said["logistic that sees the hidden state"]),
            features[:, [fv.INDEX[name] for name in VOLATILITIES]],
            world.hidden[at],
        ),
        axis=1,
    )
    said[TRUTH] = truth.within(minutes)
    blocks = world.frames.end_ns[at] // (BLOCK_DAYS * NS_PER_DAY) + (world.seed << 32)
    happened = truth.happened(minutes)
    judged = []
    for side in range(2):
        rows_used = truth.at_risk[:, side] & np.all(
            [np.isfinite(p[:, side]) for p in said.values()], axis=0
        )
        judged.append(
            Judged(
                happened[rows_used, side],
                weight[rows_used],
                blocks[rows_used],
                truth.branches[rows_used, side],
                {name: p[rows_used, side] for name, p in said.items()},
                frozenset(VOLATILITIES),
                hints[rows_used],
            )
        )
    return judged[0], judged[1]


def _logit(p: Floats) -> Floats:
    clipped = np.clip(p, 1e-6, 1.0 - 1e-6)
    logit: Floats = np.log(clipped / (1.0 - clipped))
    return logit


def sharpened(judged: Judged) -> Judged:
    """Return the same with a better estimate of the truth than the count in finitely many futures.

    A probability of a thousandth is not counted in a hundred futures. Empirical Bayes: the counts
    of all instants teach what `hints` say of the probability (logistic regression) and how far it
    scatters around that (beta-binomial likelihood); then p = (k + m prior) / (n + m). What really
    happened has no part in it.
    """
    special = import_module("scipy.special")
    n = judged.futures.astype(np.float64)
    k = np.rint(judged.said[TRUTH] * n)
    model = _linear(1.0)
    twice = np.concatenate((judged.hints, judged.hints))
    came = np.repeat([True, False], n.size)
    model.fit(twice, came, logisticregression__sample_weight=np.concatenate((k, n - k)))
    prior = np.clip(model.predict_proba(judged.hints)[:, 1], 1e-6, 1.0 - 1e-6)
    strengths = np.geomspace(0.5, 5_000.0, 60)
    likelihood = [
        float(
            np.sum(
                special.betaln(k + m * prior, n - k + m * (1.0 - prior))
                - special.betaln(m * prior, m * (1.0 - prior))
            )
        )
        for m in strengths
    ]
    m = float(strengths[int(np.argmax(likelihood))])
    return replace(judged, said=judged.said | {TRUTH: (k + m * prior) / (n + m)})


def _truth(
    world: Seen, instants: Ints, branches: int, minutes: float,
    progress: Callable[[int, int], None],
) -> Truth:  # fmt: skip
    begin = warmed_world(world.parameters, world.seed, world.begin_s)
    return true_hazards(
        begin, instants, branches, horizon_min=minutes,
        timeline=timeline_of(world.record, world.begin_s), progress=progress,
    )  # fmt: skip


def together(parts: Sequence[Judged]) -> Judged:
    """Join what was judged in several worlds."""
    first = parts[0]
    return Judged(
        np.concatenate([p.happened for p in parts]),
        np.concatenate([p.weight for p in parts]),
        np.concatenate([p.block for p in parts]),
        np.concatenate([p.futures for p in parts]),
        {name: np.concatenate([p.said[name] for p in parts]) for name in first.said},
        first.ranks_only,
        np.concatenate([p.hints for p in parts]),
    )

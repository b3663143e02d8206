"""The rungs: forecasters that learn in some worlds and speak in others, and the truth."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from litehedge.features import vector as fv
from litehedge.features.vector import FeatureSchema
from litehedge.model.baselines.logistic import INPUTS, LogisticForecaster
from litehedge.model.baselines.logistic_fit import Sample, fit
from litehedge.model.evaluate import onset_probabilities
from litehedge.sim.oracle.onsets import timeline_of
from litehedge.sim.oracle.truth import INSIDE, Truth, true_hazards
from litehedge.sim.study import warmed_world
from litehedge.skill.scores import Judged, linear
from litehedge.skill.seen import WARM_MIN, Seen, draw
from litehedge.squeeze.forecast import Forecaster, from_scratch
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
        model = linear(PENALTY)
        model.fit(inputs[r], follows[r, side], logisticregression__sample_weight=weight[r])
        informed.append(model)
    return Learnt(logistic, (informed[0], informed[1]))


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
    instants: int,
    branches: int,
    chance: np.random.Generator,
    progress: Callable[[int, int], None],
) -> tuple[Judged, Judged]:
    """Ask every rung about drawn instants of one world, per side; the truth among them.

    `others` are forecasters by name that learnt elsewhere. Half of the instants are drawn among
    the twentieth of all frames that the logistic forecaster finds the most alarming.
    """
    ends = world.frames.end_ns
    alarm = onset_probabilities(from_scratch(learnt.logistic, ends, world.features), minutes)
    at, weight = draw(world, alarm.max(axis=1), instants, chance)
    truth = _truth(world, world.minute[at], branches, minutes, progress)
    features = world.features[at]
    said: dict[str, Floats] = {
        name: np.repeat(features[:, fv.INDEX[name], np.newaxis], 2, axis=1) for name in VOLATILITIES
    }
    for name, other in others.items():
        said[name] = onset_probabilities(from_scratch(other, ends, world.features)[at], minutes)
    said["logistic"] = alarm[at]
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
    came, futures = _in_halves(truth, minutes)
    happened = _comes_first(np.nan_to_num(truth.to_onset_min, nan=np.inf), minutes)
    blocks = ends[at] // (BLOCK_DAYS * NS_PER_DAY) + (world.seed << 32)
    judged = []
    for side in range(2):
        rows = truth.at_risk[:, side] & (futures[:, :, side].min(axis=1) > 1)
        rows &= np.all([np.isfinite(p[:, side]) for p in said.values()], axis=0)
        judged.append(
            Judged(
                happened[rows, side], weight[rows], blocks[rows],
                came[rows, :, side], futures[rows, :, side],
                {name: p[rows, side] for name, p in said.items()}, frozenset(VOLATILITIES),
                hints[rows],
            )
        )  # fmt: skip
    return judged[0], judged[1]


def _comes_first(until: Floats, minutes: float) -> NDArray[np.bool_]:
    """Tell whether a squeeze of each side, ``(..., side)``, comes in time and before the other.

    That is what a forecast says: the sides are competing risks.
    """
    first: NDArray[np.bool_] = (until <= minutes) & (until <= until.min(axis=-1, keepdims=True))
    return first


def _in_halves(truth: Truth, minutes: float) -> tuple[Ints, Ints]:
    """Return in how many of how many futures a squeeze comes, ``(instant, half, side)`` each."""
    comes = _comes_first(np.where(truth.foreseen >= 0, truth.foreseen, np.inf), minutes)
    risky = truth.foreseen != INSIDE
    came, futures = (
        np.stack([one[:, half::2].sum(axis=1) for half in range(2)], axis=1)
        for one in (comes, risky)
    )
    return came, futures


def _truth(
    world: Seen, instants: Ints, branches: int, minutes: float,
    progress: Callable[[int, int], None],
) -> Truth:  # fmt: skip
    begin = warmed_world(world.parameters, world.seed, world.begin_s)
    return true_hazards(
        begin, instants, branches, horizon_min=minutes,
        timeline=timeline_of(world.record, world.begin_s), progress=progress,
    )  # fmt: skip


def _logit(p: Floats) -> Floats:
    clipped = np.clip(p, 1e-6, 1.0 - 1e-6)
    logit: Floats = np.log(clipped / (1.0 - clipped))
    return logit


def together(parts: Sequence[Judged]) -> Judged:
    """Join what was judged in several worlds."""
    first = parts[0]
    return Judged(
        np.concatenate([p.happened for p in parts]),
        np.concatenate([p.weight for p in parts]),
        np.concatenate([p.block for p in parts]),
        np.concatenate([p.came for p in parts]),
        np.concatenate([p.futures for p in parts]),
        {name: np.concatenate([p.said[name] for p in parts]) for name in first.said},
        first.ranks_only,
        np.concatenate([p.hints for p in parts]),
    )

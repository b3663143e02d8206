"""Discrete-time hazards that are logistic in a score: one solver for maps and for regressions.

Of one side, for bin k of group g and score x,

    logit h_k(x) = a_k + b_g . x

fitted by Newton's method on person-periods, with the penalty |b|^2 / (2 C) on standardised
scores. The bins of a group share a slope, so a frame costs one row per group, not one per bin.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from litehedge.jit import kernel
from litehedge.model.baselines.part import (
    GROUPS,
    Part,
    finished,
    observed,
    weights_of_frames,
)
from litehedge.squeeze.hazard import N_ONSET

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

CLIP: Final = 8.0
MAP_PENALTY: Final = 1.0
MAP_EVERY: Final = 3
MAX_ROUNDS: Final = 30
TOLERANCE: Final = 1e-7


@dataclass(frozen=True, slots=True)
class SideFit:
    """The fit of one side: intercepts ``(13,)``, slopes ``(group, k)``, standards ``(k,)``.

    `base` ``(13,)`` are the hazards where a score is missing: the base rates.
    """

    intercepts: Floats
    slopes: Floats
    mean: Floats
    scale: Floats
    base: Floats

    def hazards(self, score: Floats) -> Floats:
        """Return hazards ``(frame, 13)`` of scores ``(frame, k)``."""
        known = np.isfinite(score).all(axis=1)
        x = np.clip((score[known] - self.mean) / self.scale, -CLIP, CLIP)
        out = np.empty((score.shape[0], N_ONSET))
        out[~known] = self.base
        logits = np.empty((x.shape[0], N_ONSET))
        for group, (first, stop) in enumerate(GROUPS):
            logits[:, first:stop] = (x @ self.slopes[group])[:, np.newaxis]
        out[known] = 1.0 / (1.0 + np.exp(-(logits + self.intercepts)))
        return out


def base_hazards(stop: Ints, own: Bools, weights: Floats) -> Floats:
    """Return the share of events among those at risk in each bin, ``(13,)``; never quite 0."""
    events = np.bincount(stop[own] - 1, weights[own], minlength=N_ONSET)
    ended = np.bincount(stop, weights, minlength=N_ONSET + 1)
    at_risk = ended[::-1].cumsum()[::-1][1:]
    return np.minimum((events + 1e-3) / np.maximum(at_risk, 1.0), 0.999)


def fit_side(
    score: Floats,
    stop: Ints,
    own: Bools,
    weights: Floats,
    *,
    penalty: float = MAP_PENALTY,
    start: SideFit | None = None,
    standardise: bool = True,
) -> SideFit:
    """Fit one side; rows with an unknown score are left out.

    Parameters
    ----------
    score
        ``(frame, k)``.
    stop, own
        One side of `Observed`.
    weights
        How much each frame counts, ``(frame,)``.
    penalty
        Inverse strength of the L2 penalty (scikit-learn's ``C``).
    start
        An earlier fit on the same rows, as the point to start from.
    standardise
        Whether the penalty is meant for scores in units of their own deviation.
    """
    used = (weights > 0.0) & np.isfinite(score).all(axis=1)
    x, stop, own, weights = score[used], stop[used], own[used], weights[used]
    base = base_hazards(stop, own, weights)
    mean, scale = np.zeros(x.shape[1]), np.ones(x.shape[1])
    if standardise and start is None:
        mean = np.average(x, axis=0, weights=weights)
        deviation = np.sqrt(np.average((x - mean) ** 2, axis=0, weights=weights))
        scale = np.where(deviation > 1e-9, deviation, 1.0)
    elif start is not None:
        mean, scale = start.mean, start.scale
    x = np.clip((x - mean) / scale, -CLIP, CLIP)
    intercepts = np.log(base / (1.0 - base))
    slopes = np.zeros((len(GROUPS), x.shape[1]))
    if start is not None:
        intercepts, slopes = start.intercepts.copy(), start.slopes.copy()
    for group, (first, last) in enumerate(GROUPS):
        rows = stop > first
        _fit_group(
            x[rows], np.minimum(stop[rows], last) - first, own[rows] & (stop[rows] <= last),
            weights[rows], penalty, intercepts[first:last], slopes[group],
        )  # fmt: skip
    return SideFit(intercepts, slopes, mean, scale, base)


def _fit_group(
    x: Floats, stop: Ints, own: Bools, weights: Floats, penalty: float, intercepts: Floats,
    slopes: Floats,
) -> None:  # fmt: skip
    """Fit the bins of one group in place; bins without an event keep their base rate."""
    n_bins = intercepts.size
    live = np.flatnonzero(np.bincount(stop[own] - 1, minlength=n_bins) > 0)
    if live.size == 0:
        return
    m = live.size
    residual = np.empty((x.shape[0], n_bins))
    curvature = np.empty((x.shape[0], n_bins))

    def loss_at(beta: Floats, mind: bool) -> float:
        at = intercepts.copy()
        at[live] = beta[:m]
        loss = _terms(
            x @ beta[m:], stop, own, weights, at, residual, curvature, mind
        )  # fmt: skip
        return float(loss + 0.5 * (beta[m:] @ beta[m:]) / penalty)

    beta = np.concatenate((intercepts[live], slopes))
    loss = loss_at(beta, True)
    for _ in range(MAX_ROUNDS):
        gradient = np.concatenate(
            (residual[:, live].sum(axis=0), residual.sum(axis=1) @ x + beta[m:] / penalty)
        )
        hessian = np.zeros((beta.size, beta.size))
        hessian[:m, :m] = np.diag(curvature[:, live].sum(axis=0) + 1e-9)
        hessian[:m, m:] = curvature[:, live].T @ x
        hessian[m:, :m] = hessian[:m, m:].T
        hessian[m:, m:] = (x * curvature.sum(axis=1)[:, np.newaxis]).T @ x
        hessian[m:, m:] += np.eye(slopes.size) / penalty
        step = np.linalg.solve(hessian, gradient)
        promised = float(gradient @ step)
        if promised < TOLERANCE * (1.0 + abs(loss)):
            break
        length = 1.0
        while (tried := loss_at(beta - length * step, False)) > loss and length > 1e-4:
            length *= 0.5
        if not tried < loss:
            break
        beta = beta - length * step
        loss = loss_at(beta, True)
    intercepts[live] = beta[:m]
    slopes[:] = beta[m:]


@kernel
def _terms(
    eta: Floats, stop: Ints, own: Bools, weights: Floats, intercepts: Floats, residual: Floats,
    curvature: Floats, mind: bool,
) -> float:  # fmt: skip
    """Return the negative log-likelihood; write its derivatives by each row's logit in a bin."""
    total = 0.0
    for i in range(eta.size):
        if mind:
            residual[i, :] = 0.0
            curvature[i, :] = 0.0
        for k in range(stop[i]):
            logit = intercepts[k] + eta[i]
            event = own[i] and k == stop[i] - 1
            size = np.exp(-abs(logit))
            total += weights[i] * (np.log1p(size) + max(logit, 0.0) - (logit if event else 0.0))
            if mind:
                p = 1.0 / (1.0 + size) if logit >= 0.0 else size / (1.0 + size)
                residual[i, k] = weights[i] * (p - (1.0 if event else 0.0))
                curvature[i, k] = weights[i] * p * (1.0 - p)
    return total


@dataclass(frozen=True, slots=True)
class TaskMap:
    """The fits of both sides of a task."""

    task: str
    sides: tuple[SideFit, SideFit]

    def hazards(self, score: Floats, part: Part) -> Floats:
        """Return hazards ``(frame, side, 13)`` of scores ``(frame, side, k)``; NaN where cold."""
        both = np.stack([self.sides[s].hazards(score[:, s]) for s in range(2)], axis=1)
        return finished(both, part, self.task)


@dataclass(frozen=True, slots=True)
class Lesson:
    """What training parts, joined and thinned, teach about a task.

    Shapes: `used` ``(row,)`` indexes the joined frames; `weights` ``(row,)``; `stop` and `own`
    ``(row, side)`` as in `Observed`.
    """

    task: str
    competing: bool
    used: Ints
    weights: Floats
    stop: Ints
    own: Bools

    @classmethod
    def of(
        cls, parts: Sequence[Part], task: str, every: int = MAP_EVERY, near_every: int = 1
    ) -> Lesson:
        """Keep one of `every` frames that are far from events, of near ones of `near_every`."""
        weights = np.concatenate([weights_of_frames(p, every, near_every) for p in parts])
        used = np.flatnonzero(weights > 0.0)
        seen = [observed(part.tasks[task]) for part in parts]
        stop = np.concatenate([one.stop for one in seen])[used]
        own = np.concatenate([one.own for one in seen])[used]
        return cls(task, parts[0].tasks[task].competing, used, weights[used], stop, own)

    def fit(self, scores: Sequence[Floats]) -> TaskMap:
        """Fit hazards to scores ``(frame, side, k)`` of the parts."""
        joined = np.concatenate(scores)[self.used]
        one, two = (
            fit_side(joined[:, s], self.stop[:, s], self.own[:, s], self.weights) for s in range(2)
        )
        return TaskMap(self.task, (one, two))

"""Scores of every rung at the same instants, with intervals that respect what hangs together.

What forecasters are held to is not the one thing that happened but all that could have: at each
instant the squeeze came in k of n futures. With p = k / n,

    E[(q - y)^2] = E[(q - p)^2] + E[p (1 - p)]      (y what happens, q a forecast)

and E[(q - p)^2] is known without bias once the scatter of p, p (1 - p) / (n - 1), is taken off.
Ranks are scored by counting each instant k times as one that a squeeze followed and n - k times as
one that it did not. The truth itself ranks with one half of the futures and is scored by the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from litehedge.model.baselines.logistic import CLIP
from litehedge.model.optional import train_module

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

TRUTH: Final = "truth"
DRAWS: Final = 300
LEVEL: Final = 0.90


@dataclass(frozen=True, slots=True)
class Judged:
    """Instants of all test worlds, and what each rung said of them, for one side.

    Shapes: `happened`, `weight` (for how many frames an instant stands) and `block` (instants of
    one block are not independent) ``(instant,)``; `came`, `futures` ``(instant, 2)``: in how many
    of how many futures a squeeze came, in two halves; `said` by rung ``(instant,)``: a
    probability, or for `ranks_only` any number that rises with it; `hints` ``(instant, hint)``:
    what may help to estimate the truth.
    """

    happened: Bools
    weight: Floats
    block: Ints
    came: Ints
    futures: Ints
    said: dict[str, Floats]
    ranks_only: frozenset[str]
    hints: Floats


@dataclass(frozen=True, slots=True)
class Measure:
    """A value with its 90 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Rung:
    """How good one rung is.

    `brier_skill` is 1 - Brier / Brier of the base rate, NaN for what only ranks; `share` is the
    part of the truth's Brier skill that it reaches; `below_truth` is how much AUC it lacks.
    """

    name: str
    auc: Measure
    ap: Measure
    brier_skill: Measure
    share: Measure
    below_truth: Measure


# --- the truth, from counts -------------------------------------------------------------------


def linear(penalty: float) -> Any:
    """Return an unfitted logistic regression that takes missing inputs as average ones.

    Raises
    ------
    UsageError
        When scikit-learn is missing.
    """
    preprocessing = train_module("sklearn.preprocessing")
    return train_module("sklearn.pipeline").make_pipeline(
        preprocessing.StandardScaler(),
        preprocessing.FunctionTransformer(_clipped),
        train_module("sklearn.impute").SimpleImputer(strategy="constant", fill_value=0.0),
        train_module("sklearn.linear_model").LogisticRegression(C=penalty, max_iter=400),
    )


def _clipped(x: Floats) -> Floats:
    return np.clip(x, -CLIP, CLIP)


def sharpened(came: Ints, futures: Ints, hints: Floats) -> Floats:
    """Return a better estimate of probabilities than a count in finitely many futures.

    A probability of a thousandth is not counted in a hundred futures. Empirical Bayes: the counts
    of all instants teach what the hints say of the probability (logistic regression) and how far
    it scatters around that (beta-binomial likelihood); then p = (k + m prior) / (n + m). What
    really happened has no part in it.

    Shapes: `came`, `futures` and the result ``(instant,)``; `hints` ``(instant, hint)``.
    """
    special = import_module("scipy.special")
    k, n = came.astype(np.float64), futures.astype(np.float64)
    if not 0.0 < k.sum() < n.sum():
        return np.full(k.size, k.sum() / n.sum())
    model = linear(1.0)
    model.fit(
        np.concatenate((hints, hints)), np.repeat([True, False], n.size),
        logisticregression__sample_weight=np.concatenate((k, n - k)),
    )  # fmt: skip
    prior = np.clip(model.predict_proba(hints)[:, 1], 1e-6, 1.0 - 1e-6)
    strengths = np.geomspace(0.5, 5_000.0, 60)
    likelihood = [
        np.sum(
            special.betaln(k + m * prior, n - k + m * (1.0 - prior))
            - special.betaln(m * prior, m * (1.0 - prior))
        )
        for m in strengths
    ]
    m = strengths[int(np.argmax(likelihood))]
    estimate: Floats = (k + m * prior) / (n + m)
    return estimate


def truth_of(judged: Judged) -> Floats:
    """Return the best estimate of the truth at each instant, from all of its futures."""
    return sharpened(judged.came.sum(axis=1), judged.futures.sum(axis=1), judged.hints)


# --- scores -----------------------------------------------------------------------------------


def score(judged: Judged, seed: int, draws: int = DRAWS) -> list[Rung]:
    """Score every rung, the truth last; `draws` is that of the bootstrap over blocks."""
    halves = [
        sharpened(judged.came[:, half], judged.futures[:, half], judged.hints) for half in range(2)
    ]
    chance = np.random.default_rng(seed)
    names, inverse = np.unique(judged.block, return_inverse=True)
    members = [np.flatnonzero(inverse == b) for b in range(names.size)]
    point = _measure(judged, halves, np.arange(judged.weight.size))
    drawn: dict[tuple[str, str], list[float]] = {key: [] for key in point}
    for _ in range(draws):
        rows = np.concatenate([members[b] for b in chance.integers(0, names.size, names.size)])
        if judged.came[rows].sum(axis=0).min() == 0:
            continue
        for key, value in _measure(judged, halves, rows).items():
            drawn[key].append(value)

    def told(rung: str, what: str) -> Measure:
        value = point[rung, what]
        if np.isnan(value):
            return Measure(value, value, value)
        edges = np.nanquantile(drawn[rung, what], [0.5 - LEVEL / 2, 0.5 + LEVEL / 2])
        return Measure(value, float(edges[0]), float(edges[1]))

    return [
        Rung(rung, *(told(rung, what) for what in ("auc", "ap", "brier_skill", "share", "below")))
        for rung in (*judged.said, TRUTH)
    ]


def _measure(judged: Judged, halves: list[Floats], rows: Ints) -> dict[tuple[str, str], float]:
    w = judged.weight[rows]
    n = judged.futures[rows].sum(axis=1)
    p = judged.came[rows].sum(axis=1) / n
    scatter = p * (1.0 - p) / (n - 1)
    rate = float(np.average(p, weights=w))
    spread = float(np.average((p - rate) ** 2 - scatter, weights=w))
    out: dict[tuple[str, str], float] = {}
    for rung, said in judged.said.items():
        q = said[rows]
        missed = float(np.average((q - p) ** 2 - scatter, weights=w))
        skill = np.nan if rung in judged.ranks_only else (spread - missed) / (rate * (1.0 - rate))
        out[rung, "auc"], out[rung, "ap"] = _ranks(q, p, w)
        out[rung, "brier_skill"] = skill
        known = not np.isnan(skill) and spread > 0.0  # else chance alone makes the counts differ
        out[rung, "share"] = 1.0 - missed / spread if known else np.nan
    ranked = [
        _ranks(halves[half][rows], judged.came[rows, other] / judged.futures[rows, other], w)
        for half, other in ((0, 1), (1, 0))
    ]
    out[TRUTH, "auc"], out[TRUTH, "ap"] = np.mean(ranked, axis=0).tolist()
    out[TRUTH, "brier_skill"] = spread / (rate * (1.0 - rate))
    out[TRUTH, "share"] = 1.0
    for rung in (*judged.said, TRUTH):
        out[rung, "below"] = out[TRUTH, "auc"] - out[rung, "auc"]
    return out


def _ranks(q: Floats, p: Floats, w: Floats) -> tuple[float, float]:
    """Return AUC and average precision of scores `q` where squeezes follow with probability p."""
    metrics = train_module("sklearn.metrics")
    twice = np.concatenate((q, q))
    follows = np.repeat([1, 0], q.size)
    weight = np.concatenate((w * p, w * (1.0 - p)))
    return (
        float(metrics.roc_auc_score(follows, twice, sample_weight=weight)),
        float(metrics.average_precision_score(follows, twice, sample_weight=weight)),
    )


# --- does the truth come true? ----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Reliability:
    """What was foretold and what came, in one bin of the truth."""

    low: float
    high: float
    instants: int
    foretold: float
    came: float
    error: float


EDGES: Final = (0.0, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0)


def reliability(truth: Floats, happened: Bools, block: Ints) -> list[Reliability]:
    """Return whether probabilities realise in the instants drawn, ``(instant,)`` each.

    `error` is the standard error of `came`; what is in one block may have happened together.
    """
    out = []
    for low, high in pairwise(EDGES):
        inside = (truth >= low) & ((truth < high) | (high == 1.0))
        if not inside.any():
            continue
        p = truth[inside]
        _, group = np.unique(block[inside], return_inverse=True)
        missed = np.bincount(group, weights=happened[inside] - p)
        alone = np.sum(p * (1.0 - p))
        error = float(np.sqrt(max(alone, np.sum(missed**2)))) / p.size
        out.append(
            Reliability(low, high, p.size, float(p.mean()), float(happened[inside].mean()), error)
        )
    return out

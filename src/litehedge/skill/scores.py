"""Scores of every rung at the same instants, with intervals that respect what hangs together."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from litehedge.model.sklearn import sklearn_module

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

TRUTH: Final = "truth"
DRAWS: Final = 400
LEVEL: Final = 0.90


@dataclass(frozen=True, slots=True)
class Judged:
    """Instants of all test worlds, and what each rung said of them, for one side.

    Shapes, all ``(instant,)``: `happened`; `weight`: for how many frames an instant stands;
    `block`: instants of one block are not independent; `futures` behind the truth; `said` by
    rung: a probability, or for `ranks_only` any number that rises with it; `hints`
    ``(instant, hint)``: what may help to estimate the truth.
    """

    happened: Bools
    weight: Floats
    block: Ints
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


def score(judged: Judged, seed: int, draws: int = DRAWS) -> list[Rung]:
    """Score every rung. The truth is an estimate too, so that its scores are a lower bound.

    `draws` is that of the bootstrap.
    """
    chance = np.random.default_rng(seed)
    names, inverse = np.unique(judged.block, return_inverse=True)
    members = [np.flatnonzero(inverse == b) for b in range(names.size)]
    point = _measure(judged, np.arange(judged.happened.size))
    drawn: dict[tuple[str, str], list[float]] = {key: [] for key in point}
    for _ in range(draws):
        rows = np.concatenate([members[b] for b in chance.integers(0, names.size, names.size)])
        if not 0 < judged.happened[rows].sum() < rows.size:
            continue
        for key, value in _measure(judged, rows).items():
            drawn[key].append(value)

    def told(rung: str, what: str) -> Measure:
        value = point[rung, what]
        if np.isnan(value):
            return Measure(value, value, value)
        edges = np.nanquantile(drawn[rung, what], [0.5 - LEVEL / 2, 0.5 + LEVEL / 2])
        return Measure(value, float(edges[0]), float(edges[1]))

    return [
        Rung(rung, *(told(rung, what) for what in ("auc", "ap", "brier_skill", "share", "below")))
        for rung in judged.said
    ]


def _measure(judged: Judged, rows: Ints) -> dict[tuple[str, str], float]:
    metrics = sklearn_module("metrics")
    y, w = judged.happened[rows], judged.weight[rows]
    rate = float(np.average(y, weights=w))
    base = float(np.average((rate - y) ** 2, weights=w))
    out: dict[tuple[str, str], float] = {}
    for rung, said in judged.said.items():
        p = said[rows]
        brier = np.average((p - y) ** 2, weights=w)
        skill = np.nan if rung in judged.ranks_only else float(1.0 - brier / base)
        out[rung, "auc"] = float(metrics.roc_auc_score(y, p, sample_weight=w))
        out[rung, "ap"] = float(metrics.average_precision_score(y, p, sample_weight=w))
        out[rung, "brier_skill"] = skill
    for rung in judged.said:
        out[rung, "share"] = out[rung, "brier_skill"] / out[TRUTH, "brier_skill"]
        out[rung, "below"] = out[TRUTH, "auc"] - out[rung, "auc"]
    return out


@dataclass(frozen=True, slots=True)
class Reliability:
    """What was foretold and what came, in one bin of the truth."""

    low: float
    high: float
    instants: int
    foretold: float
    came: float
    error: float


EDGES: Final = (0.0, 0.01, 0.03, 0.1, 0.3, 1.0)


def reliability(judged: Judged) -> list[Reliability]:
    """Return whether the truth's probabilities realise, weighted back to all frames.

    `error` is the standard error of `came` in a bin.
    """
    p = judged.said[TRUTH]
    out = []
    for low, high in pairwise(EDGES):
        inside = (p >= low) & ((p < high) | (high == 1.0))
        if not inside.any():
            continue
        w = judged.weight[inside] / judged.weight[inside].sum()
        came = float(np.sum(w * judged.happened[inside]))
        error = float(np.sqrt(np.sum((w * (judged.happened[inside] - came)) ** 2)))
        foretold = float(np.sum(w * p[inside]))
        out.append(Reliability(low, high, int(inside.sum()), foretold, came, error))
    return out

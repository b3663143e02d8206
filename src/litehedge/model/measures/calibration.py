"""Whether probabilities come true: logistic recalibration, reliability, expected error."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from litehedge.model.measures.blocks import Drawn, ratio, summed

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

LEAST: Final = 1e-6
CELLS: Final = 512
QUANTILE_BINS: Final = 10
_STEPS: Final = 60
_LONGEST_STEP: Final = 2.0
_STEEPEST: Final = 100.0


def logit(p: Floats) -> Floats:
    """Return log odds, clipped at a millionth."""
    clipped = np.clip(p, LEAST, 1.0 - LEAST)
    return np.log(clipped / (1.0 - clipped))


def recalibration(p: Floats, happened: Bools, block: Ints, counts: Floats) -> tuple[Drawn, Drawn]:
    """Return slope and intercept of a logistic regression of the outcome on log odds.

    Calibrated forecasts have slope 1 and intercept 0; a slope below 1 means too bold. Draws are
    fitted on cells of equal width in log odds (about 0.03), the value itself on all frames.

    Shapes: `p`, `happened` and `block` ``(frame,)``; `counts` ``(block, 1 + draw)``.
    """
    x = logit(p)
    low, high = float(x.min(initial=0.0)), float(x.max(initial=0.0))
    width = max((high - low) / CELLS, 1e-12)
    cell = np.minimum(((x - low) / width).astype(np.int64), CELLS - 1)
    at = block * CELLS + cell
    size = counts.shape[0] * CELLS

    def by_cell(values: Floats | None) -> Floats:
        sums = np.bincount(at, weights=values, minlength=size).reshape(-1, CELLS)
        return np.asarray(sums.T @ counts, dtype=np.float64)

    n = np.bincount(cell, minlength=CELLS)
    filled = n > 0
    centre = np.bincount(cell, weights=x, minlength=CELLS)[filled] / n[filled]
    fitted = _fit(centre, by_cell(happened.astype(np.float64))[filled], by_cell(None)[filled])
    ones = np.ones((x.size, 1))
    fitted[:, 0] = _fit(x, happened.astype(np.float64)[:, np.newaxis], ones)[:, 0]
    return Drawn.of(fitted[1]), Drawn.of(fitted[0])


def calibration_slope(happened: Bools, p: Floats) -> float:
    """Return the slope of a logistic regression of the outcome on logit(p): 1 when calibrated.

    NaN when the outcomes are all the same or told apart without error.
    """
    y = happened.astype(np.float64)[:, np.newaxis]
    return float(_fit(logit(p), y, np.ones((p.size, 1)))[1, 0])


def _fit(x: Floats, hits: Floats, n: Floats) -> Floats:
    """Fit many logistic regressions on one variable at once by Newton's method.

    Shapes: `x` ``(cell,)``; `hits` and `n` (how many of how many) ``(cell, fit)``; the result
    ``(2, fit)``, intercept and slope, NaN where there is no finite one.
    """
    total, came = n.sum(axis=0), hits.sum(axis=0)
    possible = (came > 0.0) & (came < total)
    share = np.where(possible, came / np.maximum(total, 1.0), 0.5)
    a, b = np.log(share / (1.0 - share)), np.zeros(share.size)
    # Centred, so that both unknowns are of the same order.
    middle = float(x.mean()) if x.size else 0.0
    z = x[:, np.newaxis] - middle
    done = ~possible
    for _ in range(_STEPS):
        p = 1.0 / (1.0 + np.exp(-np.clip(a + b * z, -40.0, 40.0)))
        left = hits - n * p
        w = n * p * (1.0 - p)
        g0, g1 = left.sum(axis=0), (left * z).sum(axis=0)
        h00, h01, h11 = w.sum(axis=0), (w * z).sum(axis=0), (w * z * z).sum(axis=0)
        det = h00 * h11 - h01 * h01
        solvable = det > 1e-12 * np.maximum(h00 * h11, 1e-300)
        det = np.where(solvable, det, 1.0)
        da = np.where(solvable, (h11 * g0 - h01 * g1) / det, 0.0)
        db = np.where(solvable, (h00 * g1 - h01 * g0) / det, 0.0)
        scale = np.minimum(1.0, _LONGEST_STEP / np.maximum(np.hypot(da, db), 1e-300))
        a, b = a + scale * da, b + scale * db
        possible &= solvable & (np.abs(b) < _STEEPEST)
        done = ~possible | (np.abs(scale * da) + np.abs(scale * db) < 1e-9)
        if done.all():
            break
    good = possible & done
    return np.where(good, np.stack((a - b * middle, b)), np.nan)


@dataclass(frozen=True, slots=True)
class Curve:
    """Foretold and happened by quantile bin, ``(bin,)`` frames and values in all draws."""

    frames: Ints
    foretold: Floats
    came: list[Drawn]


def reliability(p: Floats, happened: Bools, block: Ints, counts: Floats) -> tuple[Curve, Drawn]:
    """Return the reliability curve over ten quantile bins, and the expected calibration error.

    Equal forecasts are never parted, so there may be fewer bins.
    """
    edges = np.unique(np.quantile(p, np.linspace(0.0, 1.0, QUANTILE_BINS + 1)[1:-1]))
    bins = np.searchsorted(edges, p, side="left")
    frames, foretold, came = [], [], []
    wrong = np.zeros(counts.shape[1])
    for i in np.unique(bins).tolist():
        mine = bins == i
        n = summed(mine.astype(np.float64), block, counts)
        said = summed(np.where(mine, p, 0.0), block, counts)
        hits = summed((mine & happened).astype(np.float64), block, counts)
        frames.append(int(mine.sum()))
        foretold.append(float(p[mine].mean()))
        came.append(ratio(hits, n))
        wrong += np.abs(said - hits)
    total = summed(np.ones(p.size), block, counts)
    curve = Curve(np.array(frames, dtype=np.int64), np.array(foretold), came)
    return curve, ratio(wrong, total)

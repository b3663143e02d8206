"""How far a frame is from everything the forecaster was trained on.

Distance is measured where the network has condensed the market, between trunk vectors
``(hidden,)`` standardised by training: the mean distance to the nearest few of a stored sample of
training frames, over the same mean of training frames themselves (the dissimilarity index of
FreqAI). About 1 is usual; the usual is that of the phase (normal, before, during, after) of the
nearest one, since squeezes are rarer and lie further apart than calm frames. A training frame
does not count those within a day of itself, which resemble it because they overlap it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from litehedge.errors import ArtefactError
from litehedge.jit import kernel
from litehedge.squeeze.targets import PHASES
from litehedge.units import NS_PER_DAY

Floats = NDArray[np.float64]
Floats32 = NDArray[np.float32]
Ints = NDArray[np.int64]
Sample = tuple[Floats32, Floats32, Floats32, Floats32, int]
"""What the kernel `dissimilarity` takes after the trunk vector."""

SIZE: Final = 1024
NEAREST: Final = 3
APART_NS: Final = NS_PER_DAY
_DRAWN_FROM: Final = 8_192  # frames of a phase among which the stored ones are chosen
_MEASURED: Final = 2_048  # frames of a phase whose distances make the usual one
PREFIX: Final = "training_"
"""Of the names under which the arrays are stored beside others."""
_LEAST: Final = 1e-6


@kernel
def squared_distances(points: Floats32, x: Floats32, out: Floats32) -> None:
    """Write the squared distance of `x` to every point.

    Shapes: `points` ``(hidden, point)``, so that the inner loop runs along memory and over many
    sums at once; `x` ``(hidden,)``; `out` ``(point,)``.
    """
    out[:] = np.float32(0.0)
    for d in range(points.shape[0]):
        for j in range(points.shape[1]):
            apart = points[d, j] - x[d]
            out[j] += apart * apart


@kernel
def mean_of_nearest(squared: Floats32, nearest: int) -> tuple[float, int]:
    """Return the mean distance of the nearest few, and which is the very nearest.

    Infinite, and -1, where fewer than that are finite.

    Shapes: `squared` ``(point,)``.
    """
    best = np.full(nearest, np.inf)
    which = -1
    for j in range(squared.size):
        if squared[j] < best[nearest - 1]:
            i = nearest - 1
            while i > 0 and squared[j] < best[i - 1]:
                best[i] = best[i - 1]
                i -= 1
            best[i] = squared[j]
            if i == 0:
                which = j
    if best[nearest - 1] == np.inf:
        return np.inf, -1
    return np.sqrt(best).mean(), which


@kernel
def dissimilarity(
    trunk: Floats32, mean: Floats32, scale: Floats32, points: Floats32, usual: Floats32,
    nearest: int,
) -> float:  # fmt: skip
    """Return the dissimilarity index of one trunk vector; NaN for one that is not finite.

    Shapes: `trunk`, `mean`, `scale` ``(hidden,)``; `points` ``(hidden, point)``; `usual`
    ``(point,)``.
    """
    x = np.empty(trunk.size, np.float32)
    for d in range(trunk.size):
        x[d] = (trunk[d] - mean[d]) / scale[d]
        if not np.isfinite(x[d]):
            return np.nan
    squared = np.empty(points.shape[1], np.float32)
    squared_distances(points, x, squared)
    distance, which = mean_of_nearest(squared, nearest)
    return distance / usual[which] if which >= 0 else np.nan


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The stored sample, standardised, and how far apart its kind usually is.

    Shapes: `mean`, `scale` ``(hidden,)``; `points` ``(hidden, point)``; `usual` ``(point,)``; all
    float32. `nearest` ``(1,)`` is how many neighbours a distance is the mean of.
    """

    mean: Floats32
    scale: Floats32
    points: Floats32
    usual: Floats32
    nearest: Ints

    def dissimilarity(self, trunk: NDArray[np.floating[Any]]) -> float:
        """Return the dissimilarity index of one trunk vector ``(hidden,)``; NaN stays NaN."""
        return float(dissimilarity(np.asarray(trunk, dtype=np.float32), *self.arguments()))

    def arguments(self) -> Sample:
        """Return the sample as kernels take it."""
        return self.mean, self.scale, self.points, self.usual, int(self.nearest[0])

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return everything as named arrays, to be stored; the names begin with `PREFIX`."""
        return {PREFIX + field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Neighbours:
        """Read what `arrays` gave, from among other arrays.

        Raises
        ------
        ArtefactError
            When one is missing, not finite, or their shapes do not fit each other.
        """
        try:
            parts = {
                name: np.ascontiguousarray(arrays[PREFIX + name], dtype=np.float32)
                for name in ("mean", "scale", "points", "usual")
            }
            nearest = np.asarray(arrays[PREFIX + "nearest"], dtype=np.int64)
        except (KeyError, ValueError, TypeError):
            raise ArtefactError(
                "the sample of training frames is incomplete", "train the model again"
            ) from None
        hidden, size = parts["points"].shape if parts["points"].ndim == 2 else (0, 0)
        shapes = {"mean": (hidden,), "scale": (hidden,), "points": (hidden, size), "usual": (size,)}
        fits = all(parts[n].shape == s and np.isfinite(parts[n]).all() for n, s in shapes.items())
        if not fits or nearest.shape != (1,) or not 1 <= nearest[0] <= size:
            raise ArtefactError(
                "the sample of training frames has shapes that do not fit, or holds NaN",
                "train the model again",
            )
        return cls(**parts, nearest=nearest)


def no_sample(hidden: int) -> Sample:
    """Return the sample of a forecaster that has none; kernels must not measure from it."""
    none = np.zeros(hidden, dtype=np.float32)
    return none, none, np.zeros((hidden, 0), dtype=np.float32), none[:0], 1


def fit_neighbours(
    trunks: NDArray[np.floating[Any]],
    phase: Ints,
    end_ns: Ints,
    *,
    seed: int,
    size: int = SIZE,
    nearest: int = NEAREST,
) -> Neighbours:
    """Choose the frames to store: the same number of every phase, far apart by k-means++.

    Phases with fewer frames leave their places to the others. Frames with NaN are left out.

    Parameters
    ----------
    trunks
        ``(frame, hidden)``, the mean over the members of an ensemble.
    phase, end_ns
        The phase of each frame as in `targets.PHASES`, and its end ``(frame,)``.

    Raises
    ------
    ValueError
        When there are not more usable frames than neighbours.
    """
    usable = np.isfinite(trunks).all(axis=1)
    trunks, phase, end_ns = trunks[usable], phase[usable], end_ns[usable]
    if trunks.shape[0] <= nearest:
        raise ValueError(f"{trunks.shape[0]} frames are too few to measure distances among them")
    mean = trunks.mean(axis=0, dtype=np.float64).astype(np.float32)
    deviation = trunks.std(axis=0, dtype=np.float64)
    scale = np.where(deviation > _LEAST, deviation, 1.0).astype(np.float32)
    rng = np.random.default_rng(seed)
    members = [np.flatnonzero(phase == p) for p in range(len(PHASES))]
    members = [m if m.size <= _DRAWN_FROM else np.sort(rng.choice(m, _DRAWN_FROM, replace=False))
               for m in members]  # fmt: skip
    standard = [np.ascontiguousarray((trunks[m] - mean) / scale, dtype=np.float32) for m in members]
    picked = [
        plus_plus(x, count, rng.random(count))
        for x, count in zip(standard, _shares([m.size for m in members], size), strict=True)
    ]
    points = np.concatenate([x[i] for x, i in zip(standard, picked, strict=True)]).T.copy()
    at_ns = np.concatenate([end_ns[m[i]] for m, i in zip(members, picked, strict=True)])
    typical = []
    for x, m in zip(standard, members, strict=True):
        some = np.arange(m.size)
        if m.size > _MEASURED:
            some = np.sort(rng.choice(m.size, _MEASURED, replace=False))
        apart = np.full(some.size, np.nan)
        _distances_apart(x[some], end_ns[m[some]], points, at_ns, APART_NS, nearest, apart)
        typical.append(apart[np.isfinite(apart)])
    overall = float(np.concatenate(typical).mean()) if any(t.size for t in typical) else 1.0
    usual = [float(t.mean()) if t.size > nearest else overall for t in typical]
    per_point = np.repeat(usual, [i.size for i in picked])
    return Neighbours(
        mean, scale, points, np.maximum(per_point, _LEAST).astype(np.float32), np.array([nearest])
    )


def _shares(available: list[int], size: int) -> list[int]:
    """Share `size` places out evenly among phases, none getting more than it has frames."""
    out = [0] * len(available)
    left = min(size, sum(available))
    while left:
        wanting = [p for p, n in enumerate(available) if out[p] < n]
        for p in wanting:
            more = min(max(left // len(wanting), 1), available[p] - out[p], left)
            out[p] += more
            left -= more
            if not left:
                break
    return out


@kernel
def plus_plus(x: Floats32, count: int, uniform: Floats) -> Ints:
    """Choose rows by k-means++: each with probability as its squared distance to those chosen.

    Shapes: `x` ``(row, hidden)``; `uniform` ``(count,)``, random numbers in 0..1; returns
    ``(count,)``, rising. No row is chosen twice.
    """
    n = x.shape[0]
    weight = np.ones(n)
    taken = np.zeros(n, np.bool_)
    for c in range(count):
        total = 0.0
        for i in range(n):
            if not taken[i]:
                total += weight[i] + 1e-12  # so that equal rows can be chosen too
        wanted = uniform[c] * total
        pick = -1
        for i in range(n):
            if not taken[i]:
                pick = i
                wanted -= weight[i] + 1e-12
                if wanted < 0.0:
                    break
        taken[pick] = True
        for i in range(n):
            squared = 0.0
            for d in range(x.shape[1]):
                apart = np.float64(x[i, d]) - np.float64(x[pick, d])
                squared += apart * apart
            if c == 0 or squared < weight[i]:
                weight[i] = squared
    return np.flatnonzero(taken)


@kernel
def _distances_apart(
    x: Floats32, end_ns: Ints, points: Floats32, at_ns: Ints, apart_ns: int, nearest: int,
    out: Floats,
) -> None:  # fmt: skip
    """Distances of frames to the points that are not near them in time; infinite if too few."""
    squared = np.empty(points.shape[1], np.float32)
    for i in range(x.shape[0]):
        squared_distances(points, x[i], squared)
        for j in range(at_ns.size):
            if abs(at_ns[j] - end_ns[i]) < apart_ns:
                squared[j] = np.inf
        out[i] = mean_of_nearest(squared, nearest)[0]

"""The squeezes of history as the network saw them thirty minutes before their onset.

A frame is compared with them by the distance of trunk vectors. The same squeeze seen in two data
sets (onsets of one side within an hour) is shown once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from litehedge.errors import ArtefactError
from litehedge.squeeze.labels import SIDES, SNAPSHOT_MINUTES, Side, Squeeze
from litehedge.units import NS_PER_HOUR, NS_PER_MINUTE, iso_utc

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Trunks = NDArray[np.floating[Any]]

SAME_NS: Final = NS_PER_HOUR
PREFIX: Final = "squeeze_"
"""Of the names under which the arrays are stored beside others."""
_LEAST: Final = 1e-6
_KINDS: Final = {"trunks": "f", "onset_ns": "i", "side": "i", "severity_bps": "f",
                 "peak_min": "f", "data": "U", "mean": "f", "scale": "f", "usual": "f"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Nearest:
    """A squeeze of history and how much the market resembles what came before it.

    `similarity` falls from 1 with `distance`; it is a half where squeezes are usually apart.
    """

    onset_ns: int
    side: Side
    severity_bps: float
    peak_min: float
    data: str
    distance: float
    similarity: float

    @property
    def move(self) -> float:
        """Move from onset to peak as a signed fraction of price."""
        sign = -1.0 if self.side == "long" else 1.0
        return float(np.expm1(sign * self.severity_bps * 1e-4))

    def row(self) -> dict[str, object]:
        """Return the squeeze as JSON takes it, its onset in UTC."""
        return {
            "onset": iso_utc(self.onset_ns),
            "side": self.side,
            "move": self.move,
            "severity_bps": self.severity_bps,
            "peak_min": self.peak_min,
            "data": self.data,
            "distance": self.distance,
            "similarity": self.similarity,
        }


@dataclass(frozen=True, slots=True)
class SqueezeIndex:
    """What is stored of every squeeze.

    Shapes: `trunks` ``(event, hidden)`` float16, standardised by `mean` and `scale`
    ``(hidden,)`` float32; the others ``(event,)``: `onset_ns`, `side` (0 long, 1 short),
    `severity_bps`, `peak_min` from onset to peak, and `data`, the name of the data set. `usual`
    ``(1,)`` is how far apart squeezes usually are.
    """

    trunks: NDArray[np.float16]
    onset_ns: Ints
    side: NDArray[np.int8]
    severity_bps: Floats
    peak_min: Floats
    data: NDArray[np.str_]
    mean: NDArray[np.float32]
    scale: NDArray[np.float32]
    usual: Floats

    def __len__(self) -> int:
        """Return how many squeezes there are."""
        return int(self.onset_ns.size)

    def nearest(
        self, trunk: Trunks, count: int = 3, *, before_ns: int | None = None
    ) -> tuple[Nearest, ...]:
        """Return the nearest squeezes to a trunk vector ``(hidden,)``, the nearest first.

        With `before_ns`, only squeezes that had peaked before: a replay of the past must not see
        its future. A vector that is not finite resembles nothing.
        """
        known = np.arange(len(self))
        if before_ns is not None:
            peak_ns = self.onset_ns + np.round(self.peak_min * NS_PER_MINUTE).astype(np.int64)
            known = np.flatnonzero(peak_ns < before_ns)
        x = (np.asarray(trunk, dtype=np.float64) - self.mean) / self.scale
        if not np.isfinite(x).all():
            return ()
        apart = np.linalg.norm(self.trunks[known].astype(np.float64) - x, axis=1)
        usual = float(self.usual[0])
        found: list[Nearest] = []
        for i in np.lexsort((self.onset_ns[known], apart)).tolist():
            e = int(known[i])
            side, onset_ns = SIDES[int(self.side[e])], int(self.onset_ns[e])
            if any(f.side == side and abs(f.onset_ns - onset_ns) <= SAME_NS for f in found):
                continue
            found.append(
                Nearest(
                    onset_ns, side, float(self.severity_bps[e]), float(self.peak_min[e]),
                    str(self.data[e]), float(apart[i]), float(usual / (usual + apart[i])),
                )
            )  # fmt: skip
            if len(found) == count:
                break
        return tuple(found)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return everything as named arrays, to be stored; the names begin with `PREFIX`."""
        return {PREFIX + field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> SqueezeIndex:
        """Read what `arrays` gave, from among other arrays.

        Raises
        ------
        ArtefactError
            When one is missing, or they do not fit each other.
        """
        try:
            parts = {name: np.asarray(arrays[PREFIX + name]) for name in _KINDS}
        except (KeyError, ValueError) as error:
            raise ArtefactError(
                f"the index of squeezes is incomplete ({error})", "train the model again"
            ) from None
        events, hidden = parts["onset_ns"].size, parts["mean"].size
        shapes = {"trunks": (events, hidden), "mean": (hidden,), "scale": (hidden,), "usual": (1,)}
        for name, kind in _KINDS.items():
            if parts[name].dtype.kind != kind or parts[name].shape != shapes.get(name, (events,)):
                raise ArtefactError(
                    f"the index of squeezes has {name} of shape {parts[name].shape}",
                    "train the model again",
                )
        return cls(**parts)


@dataclass(frozen=True, slots=True)
class Seen:
    """A data set as the network saw it: ``(frame, hidden)`` trunks, ends, squeezes, its name."""

    trunks: Trunks
    end_ns: Ints
    squeezes: Sequence[Squeeze]
    data: str


def build_index(
    seen: Sequence[Seen], *, mean: NDArray[np.float32], scale: NDArray[np.float32], frame_ns: int
) -> SqueezeIndex:
    """Take the trunk thirty minutes before every onset, standardised by `mean` and `scale`.

    Squeezes without a frame then (a gap, the start of the data), or with a cold one, are left
    out. In order of onset.
    """
    rows: list[tuple[int, str, int, float, float]] = []
    vectors: list[Trunks] = []
    for one in seen:
        for q in one.squeezes:
            snapshot_ns = q.onset_ns - int(SNAPSHOT_MINUTES * NS_PER_MINUTE)
            at = int(np.searchsorted(one.end_ns, snapshot_ns, side="right")) - 1
            if at < 0 or snapshot_ns - one.end_ns[at] >= frame_ns:
                continue
            vector = (one.trunks[at] - mean) / scale
            if not np.isfinite(vector).all():
                continue
            peak_min = (q.peak_ns - q.onset_ns) / NS_PER_MINUTE
            rows.append((q.onset_ns, one.data, SIDES.index(q.side), q.severity_bps, peak_min))
            vectors.append(vector)
    order = sorted(range(len(rows)), key=lambda i: rows[i][:3])
    rows = [rows[i] for i in order]
    trunks = np.clip(np.array([vectors[i] for i in order]).reshape(len(rows), mean.size), -6e4, 6e4)
    onset_ns = np.array([row[0] for row in rows], dtype=np.int64)
    return SqueezeIndex(
        trunks.astype(np.float16),
        onset_ns,
        np.array([row[2] for row in rows], dtype=np.int8),
        np.array([row[3] for row in rows], dtype=np.float64),
        np.array([row[4] for row in rows], dtype=np.float64),
        np.array([row[1] for row in rows], dtype=np.str_),
        np.asarray(mean, dtype=np.float32),
        np.asarray(scale, dtype=np.float32),
        np.array([usual_distance(trunks, onset_ns)]),
    )


def usual_distance(trunks: Trunks, onset_ns: Ints) -> float:
    """Return the median distance of a squeeze to the nearest different one; 1 if there is none.

    Squeezes of either side within an hour do not count as different.

    Shapes: `trunks` ``(event, hidden)``; `onset_ns` ``(event,)``.
    """
    points = np.asarray(trunks, dtype=np.float64)
    square = (points**2).sum(axis=1)
    squared = square[:, np.newaxis] + square - 2.0 * points @ points.T
    same = np.abs(onset_ns[:, np.newaxis] - onset_ns) <= SAME_NS
    least = np.where(same, np.inf, squared).min(axis=1, initial=np.inf)
    least = least[np.isfinite(least)]
    return max(float(np.sqrt(np.median(np.maximum(least, 0.0)))), _LEAST) if least.size else 1.0

"""What a network learns from: standardised streams and what was asked at each frame."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from litehedge.features.families import FAMILIES, INDEX
from litehedge.squeeze.hazard import ONSET_EDGES, PEAK_EDGES, bin_of
from litehedge.squeeze.targets import Targets
from litehedge.squeeze.times import Times

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]
Bytes = NDArray[np.int8]
Ints = NDArray[np.int64]

SEVERITY_LEAD_MIN: Final = 60.0
NOT_ASKED: Final = -1


@dataclass(frozen=True, slots=True)
class Material:
    """One data set, ready to learn from.

    Shapes: `z` ``(frame, input)``, NaN where missing; the answers as `loss.Asked` has them, with
    the frame as their only leading axis; `edges`: where segments without a gap begin, and the
    number of frames; `weight` of the whole data set in the loss.
    """

    name: str
    z: Singles
    onset_bin: Bytes
    onset_cause: Bytes
    onset_risk: NDArray[np.bool_]
    passage_bin: Bytes
    passage_hit: NDArray[np.bool_]
    peak_bin: Bytes
    peak_hit: NDArray[np.bool_]
    severity: Singles
    phase: Bytes
    vol: Singles
    edges: Ints
    weight: float = 1.0

    def __len__(self) -> int:
        return int(self.z.shape[0])

    def segments(self) -> Iterator[tuple[int, int]]:
        """Yield first frame and end of every stretch without a gap."""
        yield from zip(self.edges[:-1].tolist(), self.edges[1:].tolist(), strict=True)

    @property
    def busy(self) -> NDArray[np.bool_]:
        """Tell where a squeeze comes within the horizon or is running, ``(frame,)``."""
        soon: NDArray[np.bool_] = (self.onset_cause >= 0) | (self.peak_bin >= 0).any(axis=1)
        return soon


def material(
    name: str,
    end_ns: Ints,
    frame_ns: int,
    z: Singles,
    asked: Targets,
    severity_bps: Floats,
    squeezes: Times,
    passages: Sequence[Times],
    weight: float = 1.0,
) -> Material:
    """Turn targets into bins.

    `z` is cold (all NaN) where nothing may be asked; arguments as `Sample` and `times` have them.
    A frame after which no bin was seen to its end asks nothing, as in `baselines.part.log_loss`.
    """
    cold: NDArray[np.bool_] = np.asarray(np.isnan(z).all(axis=1))
    minutes = np.where(squeezes.at_risk, squeezes.minutes, np.inf)
    first = minutes.min(axis=1)
    came = squeezes.happened & squeezes.at_risk & (minutes <= first[:, np.newaxis])
    risk = squeezes.at_risk.any(axis=1) & ~cold & np.isfinite(first)
    onset_bin, within = _censored(np.where(risk, first, 0.0), came.any(axis=1), ONSET_EDGES)
    cause = np.where(came.any(axis=1) & within & risk, np.argmax(came, axis=1), NOT_ASKED)
    risk &= (onset_bin > 0) | (cause >= 0)
    binned = [_censored(np.nan_to_num(t.minutes), t.happened, ONSET_EDGES) for t in passages]
    passage_bin = np.stack([b for b, _ in binned], axis=1)
    passage_hit = np.stack([hit for _, hit in binned], axis=1)
    asked_there = np.stack([t.at_risk for t in passages], axis=1) & ~cold[:, None, None]
    asked_there &= (passage_bin > 0) | passage_hit
    inside = asked.inside & ~cold[:, None]
    peak_bin, peak_hit = _censored(np.nan_to_num(asked.to_peak_min), asked.inside, PEAK_EDGES)
    near = asked.inside | (
        asked.has_onset & asked.at_risk & (asked.to_onset_min <= SEVERITY_LEAD_MIN)
    )
    known = near & (asked.event >= 0) & ~cold[:, None]
    severity = np.full(known.shape, np.nan, dtype=np.float32)
    severity[known] = np.log(np.maximum(severity_bps[asked.event[known]], 1.0))
    jump = np.flatnonzero(np.diff(end_ns) != frame_ns) + 1
    return Material(
        name=name,
        z=z,
        onset_bin=np.where(risk, onset_bin, NOT_ASKED).astype(np.int8),
        onset_cause=cause.astype(np.int8),
        onset_risk=squeezes.at_risk & ~cold[:, None],
        passage_bin=np.where(asked_there, passage_bin, NOT_ASKED).astype(np.int8),
        passage_hit=passage_hit,
        peak_bin=np.where(inside, peak_bin, NOT_ASKED).astype(np.int8),
        peak_hit=peak_hit,
        severity=severity,
        phase=np.where(cold, NOT_ASKED, asked.phase).astype(np.int8),
        vol=np.where(cold[:, None], np.nan, asked.log_vol).astype(np.float32),
        edges=np.concatenate(([0], jump, [end_ns.size])).astype(np.int64),
        weight=weight,
    )


def _censored(
    minutes: Floats, happened: NDArray[np.bool_], edges: Floats
) -> tuple[Ints, NDArray[np.bool_]]:
    """Return the first bin that did not pass without event, and whether the event ended it.

    A bin that was not observed to its end does not count as passed.
    """
    within: NDArray[np.bool_] = happened & (minutes <= edges[-1])
    passed = np.searchsorted(edges, minutes, side="right") - 1
    return np.where(within, bin_of(minutes, edges), np.minimum(passed, edges.size - 1)), within


def family_columns(inputs: Sequence[int]) -> list[NDArray[np.int64]]:
    """Return the columns of each family that is among the inputs: what a dead feed takes away."""
    place = {feature: column for column, feature in enumerate(inputs)}
    found = []
    for names in FAMILIES.values():
        columns = [place[INDEX[name]] for name in names if INDEX[name] in place]
        if columns:
            found.append(np.array(columns, dtype=np.int64))
    return found


# --- drawing ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Run:
    """A stretch to learn from: frames `start` to `stop` after a warm-up from `warm_from` on."""

    of: int
    warm_from: int
    start: int
    stop: int
    weight: float


def draw_runs(
    materials: Sequence[Material], length: int, warm: int, balance: float,
    chance: np.random.Generator,
) -> list[Run]:  # fmt: skip
    """Draw an epoch: as many frames as there are, busy runs oftener.

    A run is drawn with probability (1 - balance) * its share of all frames + balance * its share
    of busy ones, and weighs as much less, so that expected losses, and with them probabilities,
    stay what they are. Runs without a warm frame have nothing to teach: a gap is full of frames
    that only a settlement of funding ended.
    """
    all_runs: list[Run] = []
    busy: list[float] = []
    for of, one in enumerate(materials):
        counted = np.concatenate(([0], np.cumsum(one.busy)))
        warmed = np.concatenate(([0], np.cumsum(~np.isnan(one.z).all(axis=1))))
        for first, stop in one.segments():
            start = first - int(chance.integers(0, length))
            while start < stop:
                a, b = max(start, first), min(start + length, stop)
                crumb = b - a <= min(length, stop - first) // 8  # but of every segment some
                if not crumb and warmed[b] > warmed[a]:
                    all_runs.append(Run(of, max(first, a - warm), a, b, one.weight))
                    busy.append(float(counted[b] - counted[a]))
                start += length
    share = np.array(busy)
    frames = np.array([run.stop - run.start for run in all_runs], dtype=np.float64)
    n = -(-int(frames.sum()) // length)
    p = frames / frames.sum()
    if share.sum() > 0.0:
        p = (1.0 - balance) * p + balance * share / share.sum()
    picked = chance.choice(len(all_runs), n, p=p)
    return [
        Run(r.of, r.warm_from, r.start, r.stop, r.weight / (n * float(p[i])))
        for i, r in ((i, all_runs[i]) for i in picked.tolist())
    ]


def lanes(one: Material, count: int, warm: int) -> list[Run]:
    """Cut a data set into at least `count` runs that cover every frame once: for validation."""
    length = max(1, -(-len(one) // count))
    found = []
    for first, stop in one.segments():
        found += [
            Run(0, max(first, a - warm), a, min(a + length, stop), 1.0)
            for a in range(first, stop, length)
        ]
    return found

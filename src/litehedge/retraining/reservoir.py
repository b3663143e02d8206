"""What is replayed: every squeeze ever, and of the calm between them a stratified reservoir.

Squeezes are rare and calm is long. So every frame near a squeeze is kept; of the others, kind of
market by kind of market, so many are drawn, and each stands for all that it was drawn from. The
draw of a stretch depends on its seed alone, so that a training that was killed draws the same.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from litehedge.features import vector as fv
from litehedge.model.baselines.logistic_anchor import Replayed
from litehedge.model.baselines.logistic_fit import Sample
from litehedge.squeeze.hazard import ONSET_HORIZON_MIN
from litehedge.squeeze.targets import NORMAL, Targets
from litehedge.units import NS_PER_DAY

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

CALM_PER_KIND: Final = 60
"""Calm frames that are kept of each kind of market, for each stretch."""
HALF_LIFE_DAYS: Final = 180.0
"""A calm frame that is so old counts half."""
LEAST_OF_EVENTS: Final = 0.25
"""Frames of a squeeze never count less than this: crises are kept for ever."""
VOLATILITY_STEP: Final = 0.5
"""Kinds of market differ in log volatility by this, in the sign of the day, in the session."""


@dataclass(frozen=True, slots=True)
class Kept:
    """Frames of one stretch that are kept.

    Shapes: `end_ns`, `weight`, `is_event` ``(frame,)``; `sample` of these frames. `onsets_ns`,
    `squeezed_long` ``(event,)`` tell every squeeze of the stretch; `frames` is how many there were.
    """

    end_ns: Ints
    weight: Floats
    is_event: Bools
    sample: Sample
    onsets_ns: Ints
    squeezed_long: Bools
    frames: int

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return everything by name, as it goes to disk."""
        t = self.sample.targets
        return {
            "end_ns": self.end_ns, "weight": self.weight, "is_event": self.is_event,
            "features": self.sample.features, "severity_bps": self.sample.severity_bps,
            "onsets_ns": self.onsets_ns, "squeezed_long": self.squeezed_long,
            "frames": np.array(self.frames),
        } | {f"target_{f.name}": getattr(t, f.name) for f in fields(Targets)}  # fmt: skip

    @classmethod
    def from_arrays(cls, arrays: dict[str, NDArray[Any]]) -> Kept:
        """Read what `arrays` gave.

        Raises
        ------
        KeyError
            When one is missing.
        """
        targets = Targets(**{f.name: arrays[f"target_{f.name}"] for f in fields(Targets)})
        return cls(
            arrays["end_ns"], arrays["weight"], arrays["is_event"],
            Sample(arrays["features"], targets, arrays["severity_bps"]),
            arrays["onsets_ns"], arrays["squeezed_long"], int(arrays["frames"]),
        )  # fmt: skip


def near_squeezes(targets: Targets) -> Bools:
    """Return which frames belong to a squeeze: its horizon before, the course, the time after."""
    soon = targets.has_onset & targets.at_risk & (targets.to_onset_min <= ONSET_HORIZON_MIN)
    return np.asarray(soon.any(axis=1) | targets.inside.any(axis=1) | (targets.phase != NORMAL))


def kinds(features: Floats, end_ns: Ints) -> Ints:
    """Return the number of the kind of market of each frame, ``(frame,)``; -1 while cold."""
    volatility = features[:, fv.LOG_SIGMA]
    cold = ~np.isfinite(volatility)
    step = np.floor(np.where(cold, 0.0, volatility) / VOLATILITY_STEP).astype(np.int64)
    falls = (features[:, fv.INDEX["ret_1440m"]] < 0.0).astype(np.int64)
    third = ((end_ns - 1) % NS_PER_DAY) * 3 // NS_PER_DAY
    number = (step - step.min(initial=0)) * 6 + falls * 3 + third
    return np.where(cold, -1, number)


def chosen(
    features: Floats, targets: Targets, end_ns: Ints, seed: int, most: int = CALM_PER_KIND
) -> tuple[Ints, Floats, Bools]:
    """Choose what is kept of a stretch.

    Returns
    -------
    tuple
        Rows in the order of time, for how many frames each stands, whether it is of a squeeze;
        ``(kept,)`` each. The weights sum to the number of warm frames.
    """
    rng = np.random.default_rng(seed)
    near = near_squeezes(targets)
    of_kind = kinds(features, end_ns)
    rows = [np.flatnonzero(near & (of_kind >= 0))]
    weights = [np.ones(rows[0].size)]
    for kind in np.unique(of_kind[of_kind >= 0]).tolist():
        mine = np.flatnonzero(~near & (of_kind == kind))
        if mine.size == 0:
            continue
        some = mine if mine.size <= most else rng.choice(mine, most, replace=False)
        rows.append(some)
        weights.append(np.full(some.size, mine.size / some.size))
    joined, weight = np.concatenate(rows), np.concatenate(weights)
    order = np.argsort(joined, kind="stable")
    return joined[order], weight[order], near[joined[order]]


def keep(
    sample: Sample, end_ns: Ints, onsets_ns: Ints, squeezed_long: Bools, seed: int,
    most: int = CALM_PER_KIND,
) -> Kept:  # fmt: skip
    """Keep a stretch: every squeeze of it, and a reservoir of its calm."""
    rows, weight, is_event = chosen(sample.features, sample.targets, end_ns, seed, most)
    few = Targets(**{f.name: getattr(sample.targets, f.name)[rows] for f in fields(Targets)})
    return Kept(
        end_ns[rows], weight, is_event, Sample(sample.features[rows], few, sample.severity_bps),
        onsets_ns, squeezed_long, int(end_ns.size),
    )  # fmt: skip


def ages(kept: Kept, now_ns: int, half_life_days: float = HALF_LIFE_DAYS) -> Floats:
    """Return by how much each frame counts for its age, ``(frame,)``."""
    days = np.maximum(now_ns - kept.end_ns, 0) / NS_PER_DAY
    fresh = 0.5 ** (days / half_life_days)
    return np.where(kept.is_event, np.maximum(fresh, LEAST_OF_EVENTS), fresh)


def joined(some: list[Kept], now_ns: int, half_life_days: float = HALF_LIFE_DAYS) -> Replayed:
    """Put stretches together as of a moment; their squeezes are numbered through.

    Raises
    ------
    ValueError
        Without any stretch.
    """
    firsts = np.cumsum([0, *(k.sample.severity_bps.size for k in some[:-1])]).tolist()

    def column(name: str) -> Any:
        return np.concatenate([getattr(k.sample.targets, name) for k in some])

    asked = {f.name: column(f.name) for f in fields(Targets)}
    events = [
        np.where(k.sample.targets.event >= 0, k.sample.targets.event + first, -1)
        for k, first in zip(some, firsts, strict=True)
    ]
    asked["event"] = np.concatenate(events)
    sample = Sample(
        np.concatenate([k.sample.features for k in some]), Targets(**asked),
        np.concatenate([k.sample.severity_bps for k in some]),
    )  # fmt: skip
    weight = np.concatenate([k.weight * ages(k, now_ns, half_life_days) for k in some])
    return Replayed(sample, weight)

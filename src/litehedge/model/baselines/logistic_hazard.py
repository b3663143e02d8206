"""The logistic hazard as a baseline: person-periods, linear in the design, for all three tasks.

The design is that of the shipped `logistic`; slopes are shared by the bins of a group and each
bin has its intercept. Tuned: the penalty, and whether squares and products of what tells most
(volatilities, returns, nearness of the trigger) join the design.
"""

from __future__ import annotations

from itertools import combinations
from typing import Final

import numpy as np
from numpy.typing import NDArray

from litehedge.features import vector as fv
from litehedge.model.baselines.hazard_fit import CLIP, Lesson, SideFit, TaskMap, fit_side
from litehedge.model.baselines.logistic import FAMILY_OF_INPUT, INPUTS, N_DESIGN
from litehedge.model.baselines.logistic_fit import standards, write_designs
from litehedge.model.baselines.part import (
    TASKS,
    Hazards,
    Parameters,
    Part,
    Progress,
    Trial,
    validation_loss,
)
from litehedge.model.baselines.scored import said

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

PENALTIES: Final = (1e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 1e-1)
EVERY: Final = 5
SQUARED: Final = (*fv.FAMILIES["volatility"], "ret_frame", "ret_5m", "ret_15m", "ret_60m",
                  "ret_240m", "ret_1440m", "squeezing_down", "squeezing_up", "volume_15m",
                  "volume_frame", "btc_ret_5m", "btc_ret_15m", "btc_vol_15m")  # fmt: skip
MULTIPLIED: Final = ("log_sigma", "vol_15m", "vol_60m", "vol_240m", "vol_1440m", "range_vol_15m")
ABSOLUTE: Final = ("ret_5m", "ret_15m", "ret_60m", "btc_ret_5m", "btc_ret_15m", "down_share_60m")

_INPUTS: Final = np.array(INPUTS, dtype=np.int64)
_FAMILY: Final = np.array(FAMILY_OF_INPUT, dtype=np.int64)
_AT: Final = {fv.NAMES[index]: place for place, index in enumerate(INPUTS)}


class LogisticHazard:
    """Logistic regression of person-periods, tuned over its penalty and its design."""

    name = "logistic"

    def __init__(self) -> None:
        self.trials: list[Trial] = []
        self.chosen: dict[str, Parameters] = {}
        self._maps: dict[str, TaskMap] = {}
        self._standards: tuple[Floats, Floats, Floats] | None = None
        self._moments: tuple[Floats, Floats] | None = None

    def fit(self, train: list[Part], valid: list[Part], say: Progress = lambda _: None) -> None:
        """Fit all penalties of both designs; keep the best of each task."""
        lessons = {task: Lesson.of(train, task, EVERY) for task in TASKS}
        used = lessons[TASKS[0]].used
        warm = np.concatenate([part.features[part.warm][:, _INPUTS] for part in train])
        self._standards = standards(warm)
        del warm
        features = np.concatenate([part.features for part in train])[used]
        curves = _curves(self._linear(features))
        self._moments = curves.mean(axis=0), np.maximum(curves.std(axis=0), 1e-9)
        self.trials = []
        best: dict[str, float] = {}
        for curved in (False, True):
            design = self._design(features, curved)
            designs = [self._design(part.features, curved) for part in valid]
            starts: dict[str, TaskMap] = {}
            for penalty in PENALTIES:
                parameters: Parameters = {"penalty": penalty, "curved": float(curved)}
                say(f"{self.name}: {said(parameters)}")
                losses = {}
                for task, lesson in lessons.items():
                    found = _fit_task(design, lesson, penalty, starts.get(task))
                    starts[task] = found
                    hazards = [
                        found.hazards(_twice(x), p) for x, p in zip(designs, valid, strict=True)
                    ]
                    losses[task] = validation_loss(hazards, valid, task)
                    if losses[task] < best.get(task, np.inf):
                        best[task] = losses[task]
                        self.chosen[task] = parameters
                        self._maps[task] = found
                self.trials.append(Trial(parameters, losses))

    def hazards(self, part: Part) -> Hazards:
        """Return hazards ``(frame, side, 13)`` of each task; NaN where cold."""
        designs = {
            curved: self._design(part.features, bool(curved))
            for curved in {parameters["curved"] for parameters in self.chosen.values()}
        }
        return {
            task: self._maps[task].hazards(_twice(designs[self.chosen[task]["curved"]]), part)
            for task in TASKS
        }

    def _linear(self, features: Floats) -> Floats:
        assert self._standards is not None
        design = np.empty((features.shape[0], N_DESIGN))
        write_designs(
            features, _INPUTS, _FAMILY, *self._standards, design, np.empty(features.shape[0])
        )
        return design

    def _design(self, features: Floats, curved: bool) -> Floats:
        """Return the design ``(frame, column)``, without what training did not see."""
        assert self._standards is not None
        assert self._moments is not None
        design = self._linear(features)
        seen = self._standards[2] > 0.0
        families = np.bincount(_FAMILY, weights=seen) > 0.0
        parts = [design[:, np.concatenate((seen, families))]]
        if curved:
            mean, scale = self._moments
            parts.append(np.clip((_curves(design) - mean) / scale, -CLIP, CLIP))
        return np.concatenate(parts, axis=1)


def _curves(design: Floats) -> Floats:
    """Return squares, products and absolute values of inputs, ``(frame, column)``."""
    squares = [design[:, _AT[name]] ** 2 for name in SQUARED]
    products = [design[:, _AT[a]] * design[:, _AT[b]] for a, b in combinations(MULTIPLIED, 2)]
    absolute = [np.abs(design[:, _AT[name]]) for name in ABSOLUTE]
    return np.stack([*squares, *products, *absolute], axis=1)


def _fit_task(design: Floats, lesson: Lesson, penalty: float, start: TaskMap | None) -> TaskMap:
    sides: list[SideFit] = [
        fit_side(
            design, lesson.stop[:, s], lesson.own[:, s], lesson.weights, penalty=penalty,
            start=None if start is None else start.sides[s], standardise=False,
        )
        for s in range(2)
    ]  # fmt: skip
    return TaskMap(lesson.task, (sides[0], sides[1]))


def _twice(design: Floats) -> Floats:
    return np.broadcast_to(design[:, np.newaxis], (design.shape[0], 2, design.shape[1]))

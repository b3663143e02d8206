"""Baselines that are one score of a frame, turned into hazards by a map of few parameters.

Each has a list of candidates, parameters of its score. All are fitted on training and measured on
validation, and each task keeps its best one.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Final

import numpy as np
from numpy.typing import NDArray

from litehedge.features import vector as fv
from litehedge.jit import kernel
from litehedge.model.baselines.hazard_fit import (
    Lesson,
    TaskMap,
    base_hazards,
)
from litehedge.model.baselines.part import (
    TASKS,
    Hazards,
    Parameters,
    Part,
    Progress,
    Trial,
    finished,
    validation_loss,
)
from litehedge.squeeze.hazard import N_ONSET

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

TYPICAL_LOG_SIGMA: Final = -7.0  # 9 bps per root minute
LEAST_VOLATILITY: Final = 1e-6
RULE_MOVES: Final = (0.02, 0.03, 0.04)
RULE_DECAYS_MIN: Final = (30.0, 60.0, 120.0, 240.0, 480.0)


class BaseRate:
    """Constant hazards: the share of events among those at risk in each bin of training."""

    name = "base rate"

    def __init__(self) -> None:
        self.trials: list[Trial] = []
        self.chosen: dict[str, Parameters] = {}
        self._hazards: dict[str, Floats] = {}

    def fit(self, train: list[Part], valid: list[Part], say: Progress = lambda _: None) -> None:
        """Count."""
        say(self.name)
        losses = {}
        for task in TASKS:
            lesson = Lesson.of(train, task, 1)
            self._hazards[task] = np.stack(
                [base_hazards(lesson.stop[:, s], lesson.own[:, s], lesson.weights)
                 for s in range(2)]
            )  # fmt: skip
            self.chosen[task] = {}
            losses[task] = validation_loss([self._of(p, task) for p in valid], valid, task)
        self.trials = [Trial({}, losses)]

    def hazards(self, part: Part) -> Hazards:
        """Return the same hazards for every warm frame, ``(frame, side, 13)`` of each task."""
        return {task: self._of(part, task) for task in TASKS}

    def _of(self, part: Part, task: str) -> Floats:
        same = np.broadcast_to(self._hazards[task], (part.end_ns.size, 2, N_ONSET))
        return finished(same, part, task)


class ScoredBaseline(ABC):
    """A score, its candidates, and the maps that validation chose."""

    name: str

    def __init__(self) -> None:
        self.trials: list[Trial] = []
        self.chosen: dict[str, Parameters] = {}
        self._maps: dict[str, TaskMap] = {}

    @abstractmethod
    def candidates(self) -> list[Parameters]:
        """Return the parameters to try."""

    @abstractmethod
    def score(self, part: Part, task: str, parameters: Parameters) -> Floats:
        """Return the score ``(frame, side, k)``; it uses nothing after its frame."""

    def prepare(self, train: list[Part], say: Progress) -> None:  # noqa: B027
        """Fit what the score itself needs; most need nothing."""

    def fit(self, train: list[Part], valid: list[Part], say: Progress = lambda _: None) -> None:
        """Fit a map for each candidate and task; keep the best on validation."""
        self.prepare(train, say)
        self.trials = []
        lessons = {task: Lesson.of(train, task) for task in TASKS}
        best: dict[str, float] = {}
        for parameters in self.candidates():
            say(f"{self.name}: {said(parameters)}")
            losses = {}
            for task, lesson in lessons.items():
                found = lesson.fit([self.score(part, task, parameters) for part in train])
                hazards = [found.hazards(self.score(p, task, parameters), p) for p in valid]
                losses[task] = validation_loss(hazards, valid, task)
                if losses[task] < best.get(task, np.inf):
                    best[task] = losses[task]
                    self.chosen[task] = parameters
                    self._maps[task] = found
            self.trials.append(Trial(parameters, losses))

    def hazards(self, part: Part) -> Hazards:
        """Return hazards ``(frame, side, 13)`` of each task; NaN where cold."""
        return {
            task: self._maps[task].hazards(self.score(part, task, self.chosen[task]), part)
            for task in TASKS
        }


def said(parameters: Parameters) -> str:
    """Return parameters in words."""
    return ", ".join(f"{name} {value}" for name, value in parameters.items())


def both_sides(score: Floats) -> Floats:
    """Give one score ``(frame, k)`` to both sides, ``(frame, side, k)``."""
    return np.broadcast_to(score[:, np.newaxis], (score.shape[0], 2, score.shape[1]))


class Volatility(ScoredBaseline):
    """One realised volatility: its logarithm and the square of that.

    The features are relative to the slow volatility sigma; each is tried with none, half and all
    of log sigma put back.
    """

    name = "volatility"

    RELATIVE: Final = ("vol_5m", "vol_15m", "vol_60m", "vol_240m", "vol_1440m", "range_vol_15m",
                       "range_vol_60m")  # fmt: skip

    def candidates(self) -> list[Parameters]:
        """Return each volatility with each share of the slow one."""
        tried: list[Parameters] = [
            {"volatility": name, "sigma_power": power}
            for name in self.RELATIVE
            for power in (0.0, 0.5, 1.0)
        ]
        return [*tried, {"volatility": "vol_rule"}, {"volatility": "log_sigma"}]

    def score(self, part: Part, task: str, parameters: Parameters) -> Floats:
        """Return log volatility, about centred, and its square."""
        name = str(parameters["volatility"])
        slow = part.features[:, fv.LOG_SIGMA] - TYPICAL_LOG_SIGMA
        if name == "vol_rule":
            of_five = part.features[:, fv.INDEX[name]]
            x = np.log(np.maximum(of_five, LEAST_VOLATILITY)) - TYPICAL_LOG_SIGMA
        elif name == "log_sigma":
            x = slow
        else:
            x = part.features[:, fv.INDEX[name]] + float(parameters["sigma_power"]) * slow
        return both_sides(np.stack([x, x**2], axis=1))


class Rule(ScoredBaseline):
    """The rule of thumb "a move of 3 % in 15 minutes is trouble for half an hour".

    The alarm of a side is 1 when it rings and decays exponentially; the score is both alarms.
    3 % and 30 minutes are among the candidates.
    """

    name = "3 % in 15 min"

    def candidates(self) -> list[Parameters]:
        """Return moves (log, in 15 minutes) and decay times (minutes)."""
        return [{"move": m, "decay_min": d} for m in RULE_MOVES for d in RULE_DECAYS_MIN]

    def score(self, part: Part, task: str, parameters: Parameters) -> Floats:
        """Return the alarms of the own and of the other side."""
        move = np.nan_to_num(part.features[:, fv.INDEX["move_15m"]])
        rung = np.stack([move <= np.log1p(-float(parameters["move"])),
                         move >= np.log1p(float(parameters["move"]))], axis=1)  # fmt: skip
        alarm = np.empty(rung.shape)
        _decaying(rung, np.exp(-part.elapsed_min() / float(parameters["decay_min"])), alarm)
        return np.stack([alarm, alarm[:, ::-1]], axis=2)


@kernel
def _decaying(rung: Bools, kept: Floats, out: Floats) -> None:
    """Write 1 where it rings, else what is kept of the frame before."""
    for side in range(rung.shape[1]):
        last = 0.0
        for i in range(rung.shape[0]):
            last = 1.0 if rung[i, side] else last * kept[i]
            out[i, side] = last

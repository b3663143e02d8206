"""The LightGBM hazard as a baseline: person-periods, trees instead of a linear design.

Per task, side and group of bins one booster gives P(event in the group | none before, features);
inside a group the log survival is shared out in the proportions of the base rates, as in
`logistic`. It sees what the network sees: all families but the raw one, NaN where missing. Tuned
with Optuna; each booster stops early on validation.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from litehedge.features import vector as fv
from litehedge.model.baselines.hazard_fit import Lesson, base_hazards
from litehedge.model.baselines.logistic import INPUTS
from litehedge.model.baselines.part import (
    GROUPS,
    TASKS,
    Hazards,
    Parameters,
    Part,
    Progress,
    Trial,
    finished,
    validation_loss,
)
from litehedge.model.optional import train_module
from litehedge.squeeze.hazard import N_ONSET

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

TRIALS: Final = 15
THIN: Final = (10, 1)  # far and near frames of the final fits
TUNING_THIN: Final = (40, 4)
CHECK_THIN: Final = (6, 2)  # validation frames that stop a booster early
TUNING_CHECK: Final = 3  # tuning scores one validation frame of three
FINAL_RATE: Final = 0.6  # of the rate that was tuned: more, smaller trees
MAX_ROUNDS: Final = 400
PATIENCE: Final = 15
MIN_EVENTS: Final = 20
RISING: Final = ("log_sigma", "vol_5m", "vol_15m", "vol_60m", "vol_240m", "range_vol_15m",
                 "range_vol_60m", "range_frame")  # fmt: skip
START: Final[Parameters] = {
    "leaves": 15.0, "min_share": 0.01, "rate": 0.15, "columns": 0.5, "l2": 10.0, "monotone": 1.0,
}  # fmt: skip

Key = tuple[str, int, int]  # task, side, group


@dataclass(frozen=True, slots=True)
class _Rows:
    """Rows of one booster: places in the shared data set, outcomes, weights."""

    places: Ints
    happened: Bools
    weights: Floats


class BoostedHazard:
    """LightGBM hazards, tuned over leaves, leaf size, rate, columns, L2 and monotony.

    Trials are fitted and scored on thinned frames, with larger steps than the final fit: their
    losses compare with each other, not with those of other baselines.

    Raises `UsageError` from `fit` when the ``train`` extra is not installed.
    """

    name = "LightGBM"

    def __init__(self, seed: int = 0, trials: int = TRIALS) -> None:
        self.trials: list[Trial] = []
        self.chosen: dict[str, Parameters] = {}
        self._seed = seed
        self._n_trials = trials
        self._boosters: dict[Key, Any] = {}
        self._rates: dict[Key, float] = {}
        self._shares: dict[str, Floats] = {}

    def fit(self, train: list[Part], valid: list[Part], say: Progress = lambda _: None) -> None:
        """Tune on thinned frames, then fit the best parameters of each task on more of them."""
        optuna = train_module("optuna")
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self.trials = []
        for task in TASKS:
            lesson = Lesson.of(train, task)
            self._shares[task] = np.stack([_shares(lesson, side) for side in range(2)])
        coarse = _Bench(train, valid, TUNING_THIN)
        some = [_every(part, TUNING_CHECK) for part in valid]
        study = optuna.create_study(
            sampler=optuna.samplers.TPESampler(seed=self._seed, n_startup_trials=6)
        )
        study.enqueue_trial(dict(START))
        best: dict[str, float] = {}
        for number in range(self._n_trials):
            trial = study.ask()
            parameters = _suggested(trial)
            say(f"{self.name}: trial {number + 1} of {self._n_trials}")
            losses = {}
            for task in TASKS:
                self._fit_task(coarse, task, parameters)
                found = [self._of(part, task) for part in some]
                losses[task] = validation_loss(found, some, task)
                if losses[task] < best.get(task, np.inf):
                    best[task] = losses[task]
                    self.chosen[task] = parameters
            self.trials.append(Trial(parameters, losses))
            study.tell(trial, self.trials[-1].total)
        del coarse
        fine = _Bench(train, valid, THIN)
        for task in TASKS:
            say(f"{self.name}: final fit, {task}")
            slower = float(self.chosen[task]["rate"]) * FINAL_RATE
            self._fit_task(fine, task, {**self.chosen[task], "rate": slower})

    def hazards(self, part: Part) -> Hazards:
        """Return hazards ``(frame, side, 13)`` of each task; NaN where cold."""
        return {task: self._of(part, task) for task in TASKS}

    def _fit_task(self, bench: _Bench, task: str, parameters: Parameters) -> None:
        for side in range(2):
            for group in range(len(GROUPS)):
                key = (task, side, group)
                self._boosters[key], self._rates[key] = bench.fit(key, parameters, self._seed)

    def _of(self, part: Part, task: str) -> Floats:
        warm = part.warm
        x = _inputs(part)[warm]
        hazards = np.full((part.end_ns.size, 2, N_ONSET), np.nan)
        for side in range(2):
            for group, (first, last) in enumerate(GROUPS):
                booster = self._boosters[task, side, group]
                if booster is None:
                    p = np.full(x.shape[0], self._rates[task, side, group])
                else:
                    p = booster.predict(x, num_threads=1)
                share = self._shares[task][side, first:last]
                survival = np.log1p(-np.clip(p, 0.0, 1.0 - 1e-9))
                hazards[warm, side, first:last] = -np.expm1(survival[:, np.newaxis] * share)
        return finished(hazards, part, task)


class _Bench:
    """Binned training and validation data that all boosters share."""

    def __init__(self, train: list[Part], valid: list[Part], thin: tuple[int, int]) -> None:
        self._lightgbm = train_module("lightgbm")
        self._data, self._rows = self._dataset(train, thin, None)
        self._check, self._check_rows = self._dataset(valid, CHECK_THIN, self._data)
        self._subsets: dict[Key, tuple[Any, Any]] = {}

    def fit(self, key: Key, parameters: Parameters, seed: int) -> tuple[Any, float]:
        """Return a booster, None where there are too few events, and the base rate."""
        rows = self._rows[key]
        rate = float(np.average(rows.happened, weights=rows.weights)) if rows.places.size else 0.0
        if rows.happened.sum() < MIN_EVENTS or self._check_rows[key].happened.sum() == 0:
            return None, rate
        if key not in self._subsets:
            self._subsets[key] = (
                _subset(self._data, rows), _subset(self._check, self._check_rows[key])
            )  # fmt: skip
        found, check = self._subsets[key]
        lightgbm = self._lightgbm
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of parameters that the data set knows already
            booster = lightgbm.train(
                _settings(parameters, rows.places.size, seed), found, MAX_ROUNDS,
                valid_sets=[check],
                callbacks=[lightgbm.early_stopping(PATIENCE, verbose=False)],
            )  # fmt: skip
        return booster, rate

    def _dataset(
        self, parts: list[Part], thin: tuple[int, int], reference: Any
    ) -> tuple[Any, dict[Key, _Rows]]:
        lessons = {task: Lesson.of(parts, task, *thin) for task in TASKS}
        used = lessons[TASKS[0]].used
        x = np.concatenate([_inputs(part) for part in parts])[used]
        data = self._lightgbm.Dataset(
            x, np.zeros(x.shape[0]), reference=reference, free_raw_data=False, params=_BINNING
        )
        data.construct()
        rows = {
            (task, side, group): _rows_of(lesson, side, group)
            for task, lesson in lessons.items()
            for side in range(2)
            for group in range(len(GROUPS))
        }
        return data, rows


_BINNING: Final[dict[str, Any]] = {
    "verbosity": -1, "num_threads": 1, "max_bin": 127, "feature_pre_filter": False,
    "deterministic": True, "force_col_wise": True,
}  # fmt: skip


def _settings(parameters: Parameters, rows: int, seed: int) -> dict[str, Any]:
    monotone = [int(fv.NAMES[i] in RISING) for i in INPUTS]
    own = {
        "objective": "binary",
        "num_leaves": int(parameters["leaves"]),
        "min_data_in_leaf": max(int(float(parameters["min_share"]) * rows), 5),
        "min_sum_hessian_in_leaf": 1.0,
        "learning_rate": float(parameters["rate"]),
        "feature_fraction": float(parameters["columns"]),
        "lambda_l2": float(parameters["l2"]),
        "seed": seed,
    }
    if parameters["monotone"]:
        own |= {"monotone_constraints": monotone}
    return {**_BINNING, **own}


def _suggested(trial: Any) -> Mapping[str, float]:
    return {
        "leaves": float(trial.suggest_float("leaves", 3, 31, log=True) // 1),
        "min_share": float(trial.suggest_float("min_share", 0.001, 0.03, log=True)),
        "rate": float(trial.suggest_float("rate", 0.08, 0.3, log=True)),
        "columns": float(trial.suggest_float("columns", 0.2, 1.0)),
        "l2": float(trial.suggest_float("l2", 0.1, 300.0, log=True)),
        "monotone": float(trial.suggest_categorical("monotone", [0.0, 1.0])),
    }


def _every(part: Part, n: int) -> Part:
    """Return one frame of n, for baselines without memory; the targets stay whole."""
    return replace(
        part, end_ns=part.end_ns[::n], features=part.features[::n], values=part.values[::n],
        tasks={task: times[::n] for task, times in part.tasks.items()},
    )  # fmt: skip


def _inputs(part: Part) -> Floats:
    return part.features[:, list(INPUTS)]


def _rows_of(lesson: Lesson, side: int, group: int) -> _Rows:
    """Return the rows that reached the group and of which its outcome is known."""
    first, last = GROUPS[group]
    stop, own = lesson.stop[:, side], lesson.own[:, side]
    happened = own & (stop > first) & (stop <= last)
    by_other = np.zeros_like(happened)
    if lesson.competing:
        other = 1 - side
        by_other = lesson.own[:, other] & ~own & (stop > first) & (stop <= last)
    places = np.flatnonzero(happened | by_other | ((stop >= last) & ~happened))
    return _Rows(places, happened[places], lesson.weights[places])


def _subset(data: Any, rows: _Rows) -> Any:
    found = data.subset(rows.places)
    found.construct()
    found.set_label(rows.happened.astype(np.float64))
    found.set_weight(rows.weights)
    return found


def _shares(lesson: Lesson, side: int) -> Floats:
    """Return the share of its group's log survival that falls to each bin, ``(13,)``."""
    base = base_hazards(lesson.stop[:, side], lesson.own[:, side], lesson.weights)
    log_survival = -np.log1p(-base)
    for first, last in GROUPS:
        log_survival[first:last] /= log_survival[first:last].sum()
    return log_survival

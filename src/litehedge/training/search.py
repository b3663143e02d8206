"""Looking for a recipe: Optuna, one seed per trial, on the validation span alone.

Every trial is kept in ``trials.json``, the bad ones too: whoever judges the winner must know how
many were tried. An interrupted search of the same recipe on the same data goes on where it was.
Recipes are chosen in rounds of a fixed size: the search is the same whoever works for it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import msgspec
import platformdirs
import torch

from litehedge.cluster import Cluster
from litehedge.errors import UsageError
from litehedge.model.network import DROPOUT, NetworkConfig
from litehedge.model.optional import train_module
from litehedge.model.train import Recipe
from litehedge.training.ensemble import Lesson, key_of, train_ensemble
from litehedge.training.network import Sources, lesson_from
from litehedge.training.workers import Workers, in_processes

COSTS: Final = ("peak", "severity", "phase", "vol")


ROUND: Final = 4
"""Recipes that are chosen together, before any of them is judged: however many work at once."""
SPREAD: Final = 100_003
"""Between the seeds of two searches, so that their trials have seeds of their own."""


def search_recipe(
    sources: Sources,
    recipe: Recipe,
    trials: int,
    work: Path,
    seed: int,
    told: Callable[[int, str], None] = lambda number, text: None,
    processes: Workers = 1,
) -> tuple[Recipe, float]:
    """Try so many recipes, the given one first; return the best, and its dropout.

    `told` hears the number of trials that are done, and the latest in words. `processes`: recipes
    of a round at once, each about as large as a training of one seed.

    Raises
    ------
    UsageError
        Under torchrun, without Optuna, or when a process died.
    """
    optuna = train_module("optuna")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    lesson = lesson_from(sources)
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise UsageError("a search is one process", "run it without torchrun, then train with it")
    work.mkdir(parents=True, exist_ok=True)
    study = optuna.create_study(
        study_name=f"{key_of(lesson, NetworkConfig(1), recipe)}-{ROUND}", load_if_exists=True,
        storage=f"sqlite:///{work / 'trials.db'}", direction="minimize",
    )  # fmt: skip
    if not study.trials:
        study.enqueue_trial(
            {"rate": recipe.rate, "decay": recipe.decay, "balance": recipe.balance,
             "lose_family": recipe.lose_family, "mirror": recipe.mirror, "dropout": DROPOUT,
             "auxiliary": 1.0}
        )  # fmt: skip
    for first in range(0, trials, ROUND):
        numbers = range(first, min(first + ROUND, trials))
        asked = [_asked(study, number, seed, recipe) for number in numbers]
        left = [one for one in asked if one is not None]

        def heard(found: tuple[int, float]) -> None:
            number, score = found
            study.tell(number, score)
            given = next(t.params for t in study.trials if t.number == number)
            done = sum(t.state.is_finished() for t in study.trials)
            told(done, f"trial {number}: {score:.5f} {given}")

        if processes == 1 or (torch.cuda.is_available() and not isinstance(processes, Cluster)):
            _learn(lesson, seed, work)
            for one in left:
                heard(_tried(one))
        elif left:
            in_processes(
                _tried, left, "tries a recipe", processes=processes, begin=_learn,
                given=(lesson, seed, work.absolute()), done=heard,
            )  # fmt: skip
    log = [{"number": t.number, "score": t.value, **t.params} for t in study.trials]
    (work / "trials.json").write_bytes(msgspec.json.format(msgspec.json.encode(log), indent=2))
    return suggested(optuna.trial.FixedTrial(study.best_params), recipe)


def _asked(study: Any, number: int, seed: int, recipe: Recipe) -> tuple[int, Recipe, float] | None:
    """Return the recipe of a trial, as it was asked if it was; None when it is judged."""
    optuna = train_module("optuna")
    # Chance of its own for every trial: a search that goes on asks what it would have asked.
    study.sampler = optuna.samplers.TPESampler(seed=seed * SPREAD + number, constant_liar=True)
    known = {t.number: t for t in study.trials}
    if number in known and known[number].state.is_finished():
        return None
    if number in known and known[number].state == optuna.trial.TrialState.RUNNING:
        trial = optuna.trial.Trial(study, known[number]._trial_id)  # of a search that was killed
    else:
        trial = study.ask()
    return (number, *suggested(trial, recipe))


_shared: dict[str, Any] = {}


def _learn(lesson: Lesson, seed: int, work: Path) -> None:
    _shared.update(lesson=lesson, seed=seed, work=work)


def _tried(one: tuple[int, Recipe, float]) -> tuple[int, float]:
    number, recipe, dropout = one
    lesson: Lesson = _shared["lesson"]
    config = NetworkConfig(inputs=len(lesson.standards), dropout=dropout)
    folder: Path = _shared["work"]
    if not folder.is_dir():  # another machine, which does not see it
        folder = platformdirs.user_cache_path("litehedge") / "cluster"
    folder /= f"trial-{number}"
    member = train_ensemble(lesson, config, recipe, [_shared["seed"]], folder, processes=1)[0]
    return number, member.score


def suggested(trial: Any, recipe: Recipe) -> tuple[Recipe, float]:
    """Return the recipe of a trial, and its dropout."""
    auxiliary = trial.suggest_float("auxiliary", 0.1, 3.0, log=True)
    cost = {k: v * auxiliary if k in COSTS else v for k, v in recipe.cost.items()}
    mine = replace(
        recipe,
        rate=trial.suggest_float("rate", 2e-4, 4e-3, log=True),
        decay=trial.suggest_float("decay", 0.01, 1.0, log=True),
        balance=trial.suggest_float("balance", 0.0, 0.8),
        lose_family=trial.suggest_float("lose_family", 0.0, 0.3),
        mirror=trial.suggest_float("mirror", 0.0, 0.5),
        cost=cost,
    )
    return mine, trial.suggest_float("dropout", 0.0, 0.5)

"""Looking for a recipe: Optuna, one seed per trial, on the validation span alone.

Every trial is kept in ``trials.json``, the bad ones too: whoever judges the winner must know how
many were tried. An interrupted search of the same recipe on the same data goes on where it was.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import msgspec

from litehedge.errors import UsageError
from litehedge.model.network import DROPOUT, NetworkConfig
from litehedge.model.optional import train_module
from litehedge.model.train import Recipe
from litehedge.training.ensemble import key_of, train_ensemble
from litehedge.training.network import Sources, lesson_from

COSTS: Final = ("peak", "severity", "phase", "vol")


def search_recipe(
    sources: Sources,
    recipe: Recipe,
    trials: int,
    work: Path,
    seed: int,
    told: Callable[[int, str], None] = lambda number, text: None,
) -> tuple[Recipe, float]:
    """Try so many recipes, the given one first; return the best, and its dropout.

    `told` hears the number of trials that are done, and the latest in words.

    Raises
    ------
    UsageError
        Under torchrun, or without Optuna.
    """
    optuna = train_module("optuna")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    lesson = lesson_from(sources)
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise UsageError("a search is one process", "run it without torchrun, then train with it")
    work.mkdir(parents=True, exist_ok=True)
    study = optuna.create_study(
        study_name=key_of(lesson, NetworkConfig(1), recipe), load_if_exists=True,
        storage=f"sqlite:///{work / 'trials.db'}", direction="minimize",
        sampler=optuna.samplers.TPESampler(seed=seed),
    )  # fmt: skip
    if not study.trials:
        study.enqueue_trial(
            {"rate": recipe.rate, "decay": recipe.decay, "balance": recipe.balance,
             "lose_family": recipe.lose_family, "mirror": recipe.mirror, "dropout": DROPOUT,
             "auxiliary": 1.0}
        )  # fmt: skip

    def trial_of(trial: Any) -> float:
        mine, dropout = suggested(trial, recipe)
        config = NetworkConfig(inputs=len(lesson.standards), dropout=dropout)
        member = train_ensemble(lesson, config, mine, [seed], work / f"trial-{trial.number}")[0]
        told(trial.number + 1, f"trial {trial.number}: {member.score:.5f} {trial.params}")
        return member.score

    left = trials - sum(t.state.is_finished() for t in study.trials)
    if left > 0:
        study.optimize(trial_of, n_trials=left)
    log = [{"number": t.number, "score": t.value, **t.params} for t in study.trials]
    (work / "trials.json").write_bytes(msgspec.json.format(msgspec.json.encode(log), indent=2))
    return suggested(optuna.trial.FixedTrial(study.best_params), recipe)


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

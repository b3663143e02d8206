"""Fit the plug-in policy and its strongest rival alike: ``python -m studies.fit_policies``.

Optuna looks for the parameters of each, with as many trials. A trial carries 5x and 10x positions
of both sides through weeks and through months, in the data up to 2023-12-31. Asked is: of no kind
of position more than 1 % of the weeks or of the months liquidated; the worst 5 % of weeks
lose no more than the risk budget and 5 points; a week costs at most 0.3 % of the wallet at 5x and
1.2 % at 10x. Of the combinations that keep this the one that hedges least wins: it leaves most of
the position that its owner wanted. The mean return decides nothing; it is noise about the
direction of the market. The data after that day has no part in it. The forecasts are in sample
(the shipped model learned from the same years), so what the table says of the plug-in flatters
it; the test span of the README does not.

``--trials FILE`` keeps the returns of every week of every trial, for
``litehedge backtest --compare all --trials FILE``: how likely the best of so many is luck.

Needs the history in the lake: ``litehedge data import``.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import optuna
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from litehedge.backtest import Episodes, episodes, run_grid, with_position
from litehedge.config import Plugin, Settings
from litehedge.hedge.policies import (
    MARGIN_VOLATILITY,
    N_PARAMETERS,
    Policy,
    policies,
    policy_named,
)
from litehedge.margin.tiers import TierTable
from litehedge.report.metrics import cvar5, episode_returns
from litehedge.settings import load_settings
from litehedge.shelf.home import home
from litehedge.shelf.models import choose_model
from litehedge.store.bundled import tier_table
from litehedge.store.lake import Lake
from litehedge.tape import Tape, build_tape, check_range
from litehedge.units import NS_PER_DAY, instant_ns

Floats = NDArray[np.float64]

DATA = "ltc_spot_5m"
LAST = "2024-01-01"
POSITIONS = tuple(product(("long", "short"), (5.0, 10.0)))
MOST_LIQUIDATED = {7: 0.01, 30: 0.01}  # days: share of the episodes
MOST_COST = {5.0: 0.003, 10.0: 0.012}  # leverage: share of the wallet in a week
SLACK = 0.05  # of the wallet, below the risk budget
SHOWN = 5


@dataclass(frozen=True)
class Tried:
    """One combination and what became of the positions; lists are per kind of position."""

    family: str
    told: str
    liquidated: list[float]
    months_liquidated: list[float]
    means: list[float]
    cvar5: list[float]
    hedge: list[float]
    months_hedge: list[float]
    cost: list[float]
    broken: dict[str, float]

    @property
    def average_hedge(self) -> float:
        """Over kinds of position, weeks and months alike."""
        return float(np.mean([*self.hedge, *self.months_hedge]))

    @property
    def keeps_all(self) -> bool:
        """Whether it keeps everything that is asked."""
        return all(by <= 0.0 for by in self.broken.values())


@dataclass(frozen=True)
class Ground:
    """What every combination is tried on."""

    tape: Tape
    weeks: Episodes
    months: Episodes
    settings: Settings
    tiers: TierTable

    def tried(self, family: str, policy: Policy, told: str) -> tuple[Tried, Floats]:
        """Carry all kinds of position through all episodes; return the weeks' returns too."""
        liquidated, months_liquidated, means, tails = [], [], [], []
        hedges, months_hedges, costs, returns = [], [], [], []
        for side, leverage in POSITIONS:
            settings = with_position(self.settings, side, leverage)
            week = run_grid(self.tape, self.weeks, settings, self.tiers, policy)
            month = run_grid(self.tape, self.months, settings, self.tiers, policy)
            returns.append(episode_returns(week))
            liquidated.append(float((week["liquidations"] > 0).mean()))
            months_liquidated.append(float((month["liquidations"] > 0).mean()))
            means.append(float(returns[-1].mean()))
            tails.append(cvar5(returns[-1]))
            hedges.append(float((week["ratio_sum"] / week["bars"]).mean()))
            months_hedges.append(float((month["ratio_sum"] / month["bars"]).mean()))
            costs.append(float(((week["fees"] + week["slippage"]) / week["wallet"]).mean()))
        budget = self.settings.hedge.risk_budget
        broken = {
            "liquidated weeks": max(liquidated) - MOST_LIQUIDATED[7],
            "liquidated months": max(months_liquidated) - MOST_LIQUIDATED[30],
            "worst weeks": -min(tails) - budget - SLACK,
        }
        for leverage, most in MOST_COST.items():
            mine = [c for c, (_, at) in zip(costs, POSITIONS, strict=True) if at == leverage]
            broken[f"cost at {leverage:g}x"] = max(mine) - most
        one = Tried(
            family, told, liquidated, months_liquidated, means, tails, hedges, months_hedges,
            costs, broken,
        )  # fmt: skip
        return one, np.concatenate(returns)


def a_plugin(trial: optuna.Trial, settings: Settings) -> tuple[Policy, str]:
    """Draw a combination of the plug-in; values are round, so that what wins can ship."""
    enter = trial.suggest_categorical(
        "enter", [0.003, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15]
    )
    share = trial.suggest_categorical("release / enter", [0.1, 0.03, 0.01, 0.005, 0.002, 0.001])
    plugin = Plugin(
        horizon_min=trial.suggest_categorical("horizon", [15.0, 30.0, 60.0, 90.0, 120.0, 240.0]),
        enter_probability=enter,
        release_horizon_min=trial.suggest_categorical("release horizon", [60.0, 120.0, 240.0]),
        release_probability=enter * share,
        step=trial.suggest_categorical("step", [0.1, 0.25, 0.5, 1.0]),
        width=trial.suggest_categorical("width", [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6]),
        peak_release=trial.suggest_categorical("peak release", [0.0, 0.3, 0.6, 0.9]),
        tilt=trial.suggest_categorical("tilt", [0.0, 0.5, 1.0]),
    )
    told = ", ".join(f"{name} {value:g}" for name, value in trial.params.items())
    return policy_named("plugin", settings.model_copy(update={"plugin": plugin})), told


def a_rule(trial: optuna.Trial, settings: Settings) -> tuple[Policy, str]:
    """Draw a combination of the margin-aware volatility rule."""
    parameters = np.zeros(N_PARAMETERS)
    parameters[0] = trial.suggest_float("on above", 0.0008, 0.008, log=True)
    parameters[1] = parameters[0] * trial.suggest_float("off / on", 0.05, 0.9)
    parameters[2] = trial.suggest_float("distance under", 0.02, 0.25, log=True)
    told = ", ".join(f"{name} {value:.4g}" for name, value in trial.params.items())
    return Policy("margin-vol", MARGIN_VOLATILITY, parameters, told), told


Draw = Callable[[optuna.Trial, Settings], tuple[Policy, str]]
FAMILIES: dict[str, Draw] = {"plugin": a_plugin, "margin-vol": a_rule}


def search(
    family: str, ground: Ground, trials: int, seed: int, reached: Callable[[], Any]
) -> list[tuple[Tried, Floats]]:
    """Let Optuna look for the least hedge that keeps what is asked. Return every trial."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    done: list[tuple[Tried, Floats]] = []

    def objective(trial: optuna.Trial) -> float:
        policy, told = FAMILIES[family](trial, ground.settings)
        done.append(ground.tried(family, policy, told))
        for name, by in done[-1][0].broken.items():
            trial.set_constraint(name, by)
        reached()
        return done[-1][0].average_hedge

    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed, multivariate=True))
    study.optimize(objective, n_trials=trials)
    return done


def main() -> None:
    """Try everything and print the best of each family beside the shipped parameters."""
    options = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    options.add_argument("--count", type=int, default=120, help="trials of each (default 120)")
    options.add_argument("--every", type=int, default=2, help="days between weeks (default 2)")
    options.add_argument("--model", default="ltc-5m-logistic", help="whose forecasts")
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--json", type=Path, metavar="FILE", help="write every combination")
    options.add_argument("--trials", type=Path, metavar="FILE", help="write all weeks' returns")
    given = options.parse_args()
    console = Console(width=150)
    lake = Lake(home() / "lake")
    dataset = lake.dataset(DATA)
    model = choose_model(given.model, dataset.interval_ns)
    with console.status("signals …"):
        span = check_range(dataset, None, instant_ns(LAST))
        tape = build_tape(lake, dataset, model.forecaster, *span)
    ground = Ground(
        tape,
        episodes(tape, 7 * NS_PER_DAY, given.every * NS_PER_DAY),
        episodes(tape, 30 * NS_PER_DAY, 7 * NS_PER_DAY),
        load_settings(),
        tier_table("binance", "LTCUSDT"),
    )
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    tried: list[tuple[Tried, Floats]] = []
    with Progress(*columns, TimeRemainingColumn(), console=console) as progress:
        for family in FAMILIES:
            task = progress.add_task(family, total=given.count)
            tried += search(
                family, ground, given.count, given.seed, lambda task=task: progress.advance(task)
            )
    shipped = [
        ground.tried(name, policies(ground.settings)[name], "as shipped")
        for name in ("unhedged", "margin-vol", "margin-vol-safe", "plugin")
    ]
    everything = [*tried, *shipped]
    if given.json is not None:
        given.json.write_bytes(msgspec.json.encode([one for one, _ in everything]))
    if given.trials is not None:
        np.savez_compressed(
            given.trials,
            opens_ns=tape.end_ns[ground.weeks.starts] - tape.bar_ns,
            kinds=np.array([f"{side} {leverage:g}x" for side, leverage in POSITIONS]),
            names=np.array([f"{one.family}: {one.told}" for one, _ in everything]),
            returns=np.array([returns for _, returns in everything]),
        )
    console.print(_table([one for one, _ in tried], [one for one, _ in shipped], ground))


def _table(tried: list[Tried], shipped: list[Tried], ground: Ground) -> Table:
    table = Table(
        title=f"{DATA} up to {LAST}: {len(ground.weeks)} weeks, {len(ground.months)} months, "
        "5x and 10x, long and short"
    )
    for heading in (
        "policy", "parameters", "liquidated, worst kind: weeks", "months", "mean return",
        "worst cvar5", "hedge", "cost 5x", "10x",
    ):  # fmt: skip
        table.add_column(
            heading, justify="left" if heading in ("policy", "parameters") else "right"
        )
    for family in FAMILIES:
        own = [t for t in tried if t.family == family]
        fitting = sorted((t for t in own if t.keeps_all), key=lambda t: t.average_hedge)
        if not fitting:  # then those that come nearest
            fitting = sorted(own, key=lambda t: sum(max(0.0, by) for by in t.broken.values()))
        for t in fitting[:SHOWN]:
            _row(table, t)
        table.add_section()
    for t in shipped:
        _row(table, t)
    return table


def _row(table: Table, t: Tried) -> None:
    costs = [
        max(c for c, (_, at) in zip(t.cost, POSITIONS, strict=True) if at == leverage)
        for leverage in MOST_COST
    ]
    table.add_row(
        t.family if t.keeps_all else f"{t.family} (breaks a limit)", t.told,
        f"{max(t.liquidated):.2%}", f"{max(t.months_liquidated):.2%}",
        f"{np.mean(t.means):+.2%}", f"{min(t.cvar5):+.1%}", f"{t.average_hedge:.2f}",
        *(f"{cost:.2%}" for cost in costs),
    )  # fmt: skip


if __name__ == "__main__":
    main()

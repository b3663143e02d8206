"""What the floor under the wallet is worth without a forecast: ``python -m studies.cold_floor``.

The same traders in the same simulated worlds, with a model that never says anything, so that the
plug-in's rule decides from the first minute on: once with a risk budget of everything, which is a
rule that keeps no floor, and once with the budget of the settings. The compiled loop, behind the
hard limits; guards between decisions are not in it.
"""

from __future__ import annotations

import argparse

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table

from litehedge.backtest import with_position
from litehedge.blowup.lives import BEGIN_S, SIDES, life_of, live, ruined_at
from litehedge.blowup.worlds import world_tape
from litehedge.config import Settings
from litehedge.hedge.policies import policy_named
from litehedge.margin.tiers import TierTable
from litehedge.model.baselines.blind import BlindForecaster
from litehedge.settings import load_settings
from litehedge.sim.market.parameters import Parameters
from litehedge.sim.scenario import shocks_array
from litehedge.store.bundled import tier_table
from litehedge.tape import Tape

Lives = NDArray[np.void]


def cold_lives(
    tape: Tape, settings: Settings, tiers: TierTable, leverages: list[float], budget: float
) -> Lives:
    """Return the lives on a tape that has no forecast, `LIFE` ``(life,)``, with a risk budget."""
    lives = []
    for leverage in leverages:
        for side in SIDES:
            placed = with_position(settings, side, leverage)
            hedge = placed.hedge.model_copy(update={"risk_budget": budget})
            placed = placed.model_copy(update={"hedge": hedge})
            policy = policy_named("plugin", placed)
            lives.append(life_of(*live(tape, placed, tiers, policy), policy, leverage, side))
    return np.concatenate(lives)


def table_of(arms: dict[str, Lives], leverages: list[float], floor: float) -> Table:
    """Return what became of the lives of each arm: of all, then by leverage."""
    table = Table(title="without a forecast")
    for head in ("leverage", "rule", "lives", "ruined", f"below {floor:.0%}", "mean equity",
                 "worst 5 %", "hedge", "costs"):  # fmt: skip
        table.add_column(head, justify="left" if head == "rule" else "right")
    for leverage in (None, *leverages):
        for name, lives in arms.items():
            own = lives if leverage is None else lives[lives["leverage"] == leverage]
            worth = np.sort(own["equity"])
            worst = worth[: max(1, round(0.05 * worth.size))]
            table.add_row(
                "all" if leverage is None else f"{leverage:g}x", name, str(own.size),
                str((ruined_at(own) >= 0).sum()), str((worth < floor).sum()),
                f"{worth.mean():.0%}", f"{worst.mean():.0%}", f"{own['hedge'].mean():.0%}",
                f"{own['costs'].mean():.1%}",
            )  # fmt: skip
    return table


def main() -> None:
    """Live through the worlds and print the table."""
    asked = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    asked.add_argument("--worlds", type=int, default=6)
    asked.add_argument("--first", type=int, default=4, help="the first seed")
    asked.add_argument("--days", type=int, default=90)
    asked.add_argument("--leverage", default="3,5,10,20")
    options = asked.parse_args()
    settings = load_settings(overrides={"position.wallet_usdt": 500.0})
    tiers = tier_table(settings.venue.name, settings.venue.symbol)
    leverages = [float(one) for one in options.leverage.split(",")]
    budgets = {"no floor": 1.0, "floor": settings.hedge.risk_budget}
    found: dict[str, list[Lives]] = {name: [] for name in budgets}
    seeds = range(options.first, options.first + options.worlds)
    for seed in track(seeds, "worlds", console=Console(stderr=True)):
        tape = world_tape(
            Parameters(), shocks_array([], BEGIN_S), seed, BEGIN_S, options.days, BlindForecaster()
        )
        for name, budget in budgets.items():
            found[name].append(cold_lives(tape, settings, tiers, leverages, budget))
    arms = {name: np.concatenate(lives) for name, lives in found.items()}
    Console(width=120).print(table_of(arms, leverages, 1.0 - settings.hedge.risk_budget))


if __name__ == "__main__":
    main()

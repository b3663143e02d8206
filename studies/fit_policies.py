"""Fit the plug-in policy and its strongest rival alike: ``python -m studies.fit_policies``.

Every combination of parameters carries 5x and 10x positions of both sides through weeks that begin
every day, in the data up to 2023-12-31. Of those that lose at most 0.3 % of the positions of any
kind and cost at most 1 % of the wallet a week, the one that hedges least wins: it leaves most of
the position that its owner wanted. The mean return decides nothing; it is noise about the direction
of the market. The data after that day has no part in it.
The forecasts are in sample (the shipped model learned from the same years), so what the table says
of the plug-in flatters it; the test span of the README does not.

Needs the history in the lake: ``litehedge data import``.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import msgspec
import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from litehedge.backtest import Episodes, episodes, run_grid, with_position
from litehedge.cli.common import home
from litehedge.cli.models import choose_model
from litehedge.config import Plugin, Settings
from litehedge.hedge.policies import (
    MARGIN_VOLATILITY,
    N_PARAMETERS,
    Policy,
    policies,
    policy_named,
)
from litehedge.margin.tiers import TierTable
from litehedge.settings import load_settings
from litehedge.store.bundled import tier_table
from litehedge.store.lake import Lake
from litehedge.tape import Tape, build_tape, check_range
from litehedge.units import NS_PER_DAY, instant_ns

DATA = "ltc_spot_5m"
LAST = "2024-01-01"
POSITIONS = tuple(product(("long", "short"), (5.0, 10.0)))
MOST_LIQUIDATED = 0.003
MOST_COST = 0.01
SHOWN = 5


@dataclass(frozen=True)
class Tried:
    """One combination and what became of the positions; shares per kind of position."""

    family: str
    parameters: str
    liquidated: list[float]
    mean_return: float
    cvar5: float
    hedge: float
    cost: float


def plugins(settings: Settings) -> Iterator[tuple[str, Policy]]:
    """Yield the combinations of the plug-in."""
    for horizon, enter, share, step in product(
        (60.0, 120.0, 240.0), (0.003, 0.005, 0.01, 0.02), (0.1, 0.03, 0.01, 0.003, 0.001),
        (0.25, 0.5, 1.0),
    ):  # fmt: skip
        plugin = Plugin(
            horizon_min=horizon, enter_probability=enter,
            release_probability=enter * share, step=step,
        )  # fmt: skip
        told = f"horizon {horizon:g} min, enter {enter:g}, release {enter * share:g}, step {step:g}"
        yield told, policy_named("plugin", settings.model_copy(update={"plugin": plugin}))


def margin_volatility_rules() -> Iterator[tuple[str, Policy]]:
    """Yield as many combinations of the margin-aware volatility rule."""
    for on, share, distance in product(
        (0.001, 0.0015, 0.002, 0.003, 0.004, 0.006), (0.1, 0.2, 0.4, 0.6, 0.8),
        (0.03, 0.05, 0.07, 0.10, 0.13, 0.17),
    ):  # fmt: skip
        parameters = np.zeros(N_PARAMETERS)
        parameters[:3] = on, on * share, distance
        told = f"on above {on:g}, off below {on * share:g}, distance under {distance:g}"
        yield told, Policy("margin-vol", MARGIN_VOLATILITY, parameters, told)


def trial(
    tape: Tape, where: Episodes, settings: Settings, tiers: TierTable, policy: Policy, told: str
) -> Tried:
    """Carry all kinds of position through all weeks."""
    liquidated, means, tails, hedges, costs = [], [], [], [], []
    for side, leverage in POSITIONS:
        done = run_grid(tape, where, with_position(settings, side, leverage), tiers, policy)
        returns = np.sort(done["equity"] / done["wallet"] - 1.0)
        liquidated.append(float((done["liquidations"] > 0).mean()))
        means.append(returns.mean())
        tails.append(returns[: max(1, returns.size // 20)].mean())
        hedges.append((done["ratio_sum"] / done["bars"]).mean())
        costs.append(((done["fees"] + done["slippage"]) / done["wallet"]).mean())
    return Tried(
        policy.name, told, liquidated, *(float(np.mean(x)) for x in (means, tails, hedges, costs))
    )


def main() -> None:
    """Try everything and print the best of each family beside the shipped parameters."""
    options = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    options.add_argument("--every", type=int, default=1, help="days between weeks (default 1)")
    options.add_argument("--json", type=Path, metavar="FILE", help="write every combination")
    given = options.parse_args()
    every = given.every
    console = Console(width=150)
    lake = Lake(home() / "lake")
    dataset = lake.dataset(DATA)
    model = choose_model("ltc-5m-logistic", dataset.interval_ns)
    with console.status("signals …"):
        span = check_range(dataset, None, instant_ns(LAST))
        tape = build_tape(lake, dataset, model.forecaster, *span)
    settings, tiers = load_settings(), tier_table("binance", "LTCUSDT")
    where = episodes(tape, 7 * NS_PER_DAY, every * NS_PER_DAY)
    wanted = [*plugins(settings), *margin_volatility_rules()]
    tried = [
        trial(tape, where, settings, tiers, policy, told)
        for told, policy in track(wanted, f"{len(wanted)} combinations", console=console)
    ]
    shipped = [
        trial(tape, where, settings, tiers, policies(settings)[name], "as shipped")
        for name in ("unhedged", "margin-vol", "plugin")
    ]
    if given.json is not None:
        given.json.write_bytes(msgspec.json.encode([*tried, *shipped]))
    console.print(_table(tried, shipped, len(where)))


def _table(tried: list[Tried], shipped: list[Tried], n: int) -> Table:
    table = Table(title=f"{DATA} up to {LAST}: {n} weeks, 5x and 10x, long and short")
    for heading in (
        "policy", "parameters", "liquidated, worst kind", "mean return", "cvar5", "hedge", "cost",
    ):  # fmt: skip
        table.add_column(
            heading, justify="left" if heading in ("policy", "parameters") else "right"
        )
    for family in dict.fromkeys(t.family for t in tried):
        own = [t for t in tried if t.family == family]
        safe = [t for t in own if max(t.liquidated) <= MOST_LIQUIDATED and t.cost <= MOST_COST]
        best = sorted(safe, key=lambda t: t.hedge)[:SHOWN]
        if not safe:  # then those that lose least
            best = sorted(own, key=lambda t: max(t.liquidated))[:SHOWN]
        for t in best:
            _row(table, t)
        table.add_section()
    for t in shipped:
        _row(table, t)
    return table


def _row(table: Table, t: Tried) -> None:
    table.add_row(
        t.family, t.parameters, f"{max(t.liquidated):.2%}", f"{t.mean_return:+.2%}",
        f"{t.cvar5:+.1%}", f"{t.hedge:.2f}", f"{t.cost:.2%}",
    )  # fmt: skip


if __name__ == "__main__":
    main()

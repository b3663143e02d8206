"""Every scenario with a forecaster that means harm: ``python -m studies.adversaries``.

The model is replaced by one that always says 0, always 1, anything, NaN, or knows the future and
says the opposite; all claim to be well. Behind the default guards no hard limit may be exceeded,
whatever they say; and an account may die only where the rule-based safe hedge, behind the same
guards in the same world, died too. Limits are worked out again from what a journal holds (see
`adversary_audit`). ``--hours`` cuts long scenarios; ``--without-guards`` lives all of it once more
with every limit opened and without margin health, stops and parachute.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import msgspec
from rich.console import Console
from rich.progress import track
from rich.table import Table

from litehedge.settings import load_settings
from litehedge.sim.scenario import load_scenario, scenario_names
from litehedge.store.bundled import tier_table
from studies.adversary_minds import MINDS
from studies.adversary_worlds import SAFE, Ending, excess, live_through


def lived(
    world: tuple[str, int], *, minds: Sequence[str], places: Sequence[str],
    leverages: Sequence[float], most_s: int, policy: str, guards: Sequence[bool] = (True,),
) -> list[Ending]:  # fmt: skip
    """Return the endings in the world of a scenario and a seed."""
    name, seed = world
    settings = load_settings(overrides={"hedge.policy": policy})
    tiers = tier_table(settings.venue.name, settings.venue.symbol)
    return live_through(
        load_scenario(name), seed, settings, tiers, minds=minds, places=places,
        leverages=leverages, most_s=most_s, guards=guards,
    )  # fmt: skip


def death_table(endings: Sequence[Ending]) -> Table:
    """Return deaths by scenario and mind: of all accounts, and those the safe hedge survived."""
    minds = list(dict.fromkeys(e.case.mind for e in endings))
    table = Table(title="dead (of these, where the safe hedge lived)")
    for head in ("scenario", "accounts each", *minds):
        table.add_column(head)
    more = Counter((e.case.scenario, e.case.mind) for e in excess(endings))
    for name in dict.fromkeys(e.case.scenario for e in endings):
        own = [e for e in endings if e.case.scenario == name]
        dead = Counter(e.case.mind for e in own if e.died_s is not None)
        each = sum(e.case.mind == minds[0] for e in own)
        cells = (
            f"{dead[mind]}" + (f" ({more[name, mind]})" if mind != SAFE else "") for mind in minds
        )
        table.add_row(name, str(each), *cells)
    return table


def limit_table(endings: Sequence[Ending]) -> Table:
    """Return breaches by limit and mind, the busiest minutes, costs, and engines that raised."""
    minds = list(dict.fromkeys(e.case.mind for e in endings))
    table = Table(title="hard limits")
    for head in ("", *minds):
        table.add_column(head)
    by_mind = {mind: [e for e in endings if e.case.mind == mind] for mind in minds}
    counts = {m: Counter(b.limit for e in own for b in e.breaches) for m, own in by_mind.items()}
    for limit in sorted({limit for count in counts.values() for limit in count}):
        table.add_row(f"beyond: {limit}", *(str(counts[mind][limit]) for mind in minds))
    rows = {
        "engines that raised": lambda own: str(sum(bool(e.crashed) for e in own)),
        "orders per account": lambda own: f"{sum(e.orders for e in own) / len(own):.1f}",
        "most orders in a minute": lambda own: str(max(e.most_in_minute for e in own)),
        "most ratio in a minute": lambda own: f"{max(e.most_ratio_in_minute for e in own):.2f}",
        "costs, share of wallet": lambda own: f"{sum(e.cost for e in own) / len(own):.2%}",
        "equity at the end": lambda own: f"{sum(e.equity for e in own) / len(own):.0%}",
    }
    for head, told in rows.items():
        table.add_row(head, *(told(by_mind[mind]) for mind in minds))
    return table


def main() -> None:
    """Run the worlds and print the tables."""
    asked = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    asked.add_argument("--scenario", action="append", choices=scenario_names(), default=[])
    asked.add_argument("--mind", action="append", choices=list(MINDS), default=[])
    asked.add_argument("--place", action="append", choices=("same_account", "reduce"), default=[])
    asked.add_argument("--seeds", type=int, default=3, help="so many worlds of each scenario")
    asked.add_argument("--first", type=int, default=1, help="the first seed")
    asked.add_argument("--leverage", default="3,5,10,20")
    asked.add_argument("--policy", default="plugin", help="the policy that listens to the minds")
    asked.add_argument("--without-guards", action="store_true", help="and all of it without guards")
    asked.add_argument("--hours", type=float, default=1e6, help="watch no longer than this")
    asked.add_argument("--processes", type=int, default=1)
    asked.add_argument("--json", type=Path, help="write every ending here")
    options = asked.parse_args()
    live = partial(
        lived, minds=options.mind or list(MINDS),
        places=options.place or [load_settings().hedge.location],
        leverages=[float(one) for one in options.leverage.split(",")],
        most_s=int(3_600 * options.hours), policy=options.policy,
        guards=(True, False) if options.without_guards else (True,),
    )  # fmt: skip
    names = options.scenario or scenario_names()
    seeds = range(options.first, options.first + options.seeds)
    worlds = [(name, seed) for seed in seeds for name in names]
    endings: list[Ending] = []
    with ProcessPoolExecutor(max(1, options.processes)) as pool:
        done = map(live, worlds) if options.processes <= 1 else pool.map(live, worlds)
        for some in track(done, "worlds", len(worlds), console=Console(stderr=True)):
            endings += some
            if options.json:
                options.json.write_bytes(msgspec.json.encode(endings))
    screen = Console(width=220)
    for is_guarded in sorted({e.case.guards for e in endings}, reverse=True):
        own = [e for e in endings if e.case.guards == is_guarded]
        screen.print("behind the guards" if is_guarded else "without guards")
        screen.print(death_table(own))
        screen.print(limit_table(own))
    for ending in [e for e in endings if e.crashed][:5] + [e for e in endings if e.breaches][:10]:
        screen.print(ending.case, ending.crashed, ending.breaches[:3])


if __name__ == "__main__":
    main()

"""Survival when the venue refuses and deleverages: ``python -m studies.crash_survival``.

Many worlds live through the scenario ``crash-2025-10``: news, then a plunge in which the venue is
slow, refuses what adds exposure, leaves orders without an answer, and closes winners. In each,
positions were opened at one moment 2 to 24 hours before the news. Positions without hedge and
smaller ones; those that a policy guards, with the engine, forecaster and limits that would run
live; and those of operators see the same market and the same venue.

*Alive* is who was never closed by force, not even in part, until four hours after the news. A
position that the venue deleverages away is closed at a profit and no death; but a hedge that is
left alone by that is watched, and dies like any position.

*A perfect operator* knows the path. He hedges the whole position at its opening, when the venue
still takes everything, through the same venue with the same latency, refusals and deleveraging,
is bound by no limit of ours, and tries again every five seconds whenever a part of the hedge is
missing. *Could have been kept* is an account that he keeps in at least one place of the hedge: the
opposite leg in the same account, or (``reduce``) a position made smaller, here by all of it. Other
operators know less: they do the same at the first news, or when the plunge begins.

Seeds are the unit: intervals (90 %) draw whole worlds. Nothing is fitted on these. ``--without
refusals`` and ``--without deleveraging`` take a part of the scenario away, to see what does it.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from functools import partial
from pathlib import Path

import msgspec
from rich.console import Console
from rich.progress import track
from rich.table import Table

from litehedge.settings import load_settings
from litehedge.shelf.models import choose_model
from litehedge.sim.scenario import Scenario, load_scenario
from litehedge.store.bundled import tier_table
from litehedge.tape import FRAME_NS
from studies.crash_accounts import crash
from studies.crash_fates import (
    AT_OPENING,
    PERFECT,
    PLUNGE_S,
    UNHEDGED,
    Arm,
    Fate,
    Share,
    could_be_kept,
    share_of,
)

SCENARIO = "crash-2025-10"
PLACES = ("same_account", "reduce")
PARTS = ("refusals", "deleveraging")
NO_DELEVERAGING_USDT = 1e10
"""An insurance fund that takes everything."""


def arms_of(policies: Sequence[str]) -> list[Arm]:
    """Return everything that owners do."""
    operators = ((PERFECT, AT_OPENING), ("operator, at the news", 0.0),
                 ("operator, at the plunge", float(PLUNGE_S)))  # fmt: skip
    return [
        UNHEDGED,
        Arm("half as large", free_ratio=0.5),
        *(Arm(name, place, name) for name in policies for place in PLACES),
        *(Arm(name, place, acts_s=acts_s) for name, acts_s in operators for place in PLACES),
    ]


def without(scenario: Scenario, parts: Sequence[str]) -> Scenario:
    """Return a scenario without its refusals, or with a fund that is never exhausted."""
    changed: dict[str, object] = {}
    if "refusals" in parts:
        changed["shocks"] = tuple(one for one in scenario.shocks if one.kind != "refuse")
    if "deleveraging" in parts:
        overrides = scenario.overrides | {"fund_position_usdt": NO_DELEVERAGING_USDT}
        changed["parameters"] = type(scenario.parameters)(**overrides)
    return scenario.model_copy(update=changed)


def lived(
    seed: int, *, policies: Sequence[str], sides: Sequence[str], leverages: Sequence[float],
    parts: Sequence[str],
) -> list[Fate]:  # fmt: skip
    """Return what becomes of everybody in the world of a seed."""
    settings = load_settings()
    tiers = tier_table(settings.venue.name, settings.venue.symbol)
    model = choose_model(settings.model.name, FRAME_NS)
    scenario = without(load_scenario(SCENARIO), parts)
    return crash(
        seed, arms_of(policies), sides, leverages, scenario, settings, tiers, model.forecaster
    )  # fmt: skip


# --- tables -------------------------------------------------------------------------------------


def told(share: Share) -> str:
    """Return a share with its interval, in per cent."""
    if not share.accounts:
        return "-"
    return f"{100 * share.value:.1f} [{100 * share.low:.0f}, {100 * share.high:.0f}]"


def _is_alive(fate: Fate) -> bool:
    return fate.died_s is None


def _kinds(fates: Sequence[Fate]) -> list[tuple[str, str]]:
    return list(dict.fromkeys((fate.arm, fate.location) for fate in fates))


def survival_table(fates: Sequence[Fate]) -> Table:
    """Return the shares of accounts alive, by what was done; then of those that could be kept."""
    sides = list(dict.fromkeys(fate.side for fate in fates))
    leverages = sorted({fate.leverage for fate in fates})
    kept = could_be_kept(fates)
    table = Table(title="alive, % of accounts")
    for name in ("", "hedge", *sides, *(f"{s} {x:g}x" for s in sides for x in leverages)):
        table.add_column(name)
    table.add_column("of those that could be kept")
    for arm, place in _kinds(fates):
        own = [fate for fate in fates if (fate.arm, fate.location) == (arm, place)]
        cells = [told(share_of([f for f in own if f.side == side], _is_alive)) for side in sides]
        for side in sides:
            for leverage in leverages:
                some = [f for f in own if (f.side, f.leverage) == (side, leverage)]
                cells.append(f"{100 * share_of(some, _is_alive).value:.0f}")
        possible = [f for f in own if (f.seed, f.side, f.leverage) in kept]
        table.add_row(arm, place, *cells, told(share_of(possible, _is_alive)))
    return table


def cause_table(fates: Sequence[Fate]) -> Table:
    """Return what deaths have in common, in per cent of the accounts of a kind and side."""
    why = [name for name, _ in Counter(f.why for f in fates if f.why).most_common()]
    table = Table(title="dead, % of accounts, by what came last")
    for name in ("", "hedge", "side", *why, "hedged at the plunge", "orders", "refused",
                 "unanswered"):  # fmt: skip
        table.add_column(name)
    for arm, place in _kinds(fates):
        for side in dict.fromkeys(fate.side for fate in fates):
            own = [f for f in fates if (f.arm, f.location, f.side) == (arm, place, side)]
            if all(map(_is_alive, own)):
                continue
            counts = Counter(f.why for f in own if f.why)
            orders, refused, silent, ratio = (
                sum(getattr(f, name) for f in own) / len(own)
                for name in ("orders", "refused", "unanswered", "ratio_at_plunge")
            )
            table.add_row(
                arm, place, side, *(f"{100 * counts[name] / len(own):.1f}" for name in why),
                f"{100 * ratio:.0f} %", f"{orders:.1f}", f"{refused:.1f}", f"{silent:.1f}",
            )  # fmt: skip
    return table


def _words(text: str) -> list[str]:
    return [part for part in text.split(",") if part]


def main() -> None:
    """Run the worlds and print the tables."""
    asked = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    asked.add_argument("--seeds", type=int, default=40, help="so many worlds")
    asked.add_argument("--first", type=int, default=1, help="the first seed")
    asked.add_argument("--leverage", default="3,5,10,20")
    asked.add_argument("--side", choices=("long", "short", "both"), default="both")
    asked.add_argument("--policy", default="plugin,margin-vol", help="policies that guard")
    asked.add_argument("--without", action="append", choices=PARTS, default=[])
    asked.add_argument("--processes", type=int, default=1)
    asked.add_argument("--json", type=Path, help="write every fate here")
    options = asked.parse_args()
    live = partial(
        lived, policies=_words(options.policy),
        sides=("long", "short") if options.side == "both" else (options.side,),
        leverages=[float(one) for one in _words(options.leverage)], parts=options.without,
    )  # fmt: skip
    seeds = range(options.first, options.first + options.seeds)
    fates: list[Fate] = []
    with ProcessPoolExecutor(max(1, options.processes)) as pool:
        done = map(live, seeds) if options.processes <= 1 else pool.map(live, seeds)
        for some in track(done, "worlds", len(seeds), console=Console(stderr=True)):
            fates += some
            if options.json:
                found = {"without": options.without, "fates": [asdict(one) for one in fates]}
                options.json.write_bytes(msgspec.json.encode(found))
    screen = Console(width=220)
    screen.print(survival_table(fates))
    screen.print(cause_table(fates))


if __name__ == "__main__":
    main()

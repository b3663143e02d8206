"""``litehedge study skill``: forecasters beside the truth, which only a simulated market has."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Final

import numpy as np
import typer
from rich.table import Table

import litehedge
from litehedge.cli.common import check_writable, console, print_table, progress, write_json
from litehedge.errors import UsageError
from litehedge.shelf.home import stderr
from litehedge.shelf.models import choose_model
from litehedge.sim.market.parameters import Parameters
from litehedge.sim.oracle.onsets import TAIL_MIN
from litehedge.sim.oracle.truth import FEWEST_BRANCHES
from litehedge.skill.rungs import Learnt, judge, learn, together
from litehedge.skill.scores import (
    TRUTH,
    Judged,
    Measure,
    Reliability,
    Rung,
    reliability,
    score,
    truth_of,
)
from litehedge.skill.seen import Seen, see
from litehedge.squeeze.forecast import Forecaster
from litehedge.squeeze.hazard import ONSET_EDGES
from litehedge.squeeze.labels import SIDES
from litehedge.units import NS_PER_MINUTE, NS_PER_SECOND, instant_ns

BEGIN: Final = "2026-01-05"
JUDGE_SEEDS: Final = 1_000_000
LEARN_SEEDS: Final = 2_000_000
"""Worlds have seeds of their own, so far from --seed that nobody has simulated them before."""


def skill(
    worlds: Annotated[int, typer.Option(min=1, help="Worlds to judge in.")] = 3,
    learn_worlds: Annotated[int, typer.Option(min=1, help="Other worlds, to learn from.")] = 3,
    days: Annotated[int, typer.Option(min=10, help="Days of each world.")] = 240,
    minutes: Annotated[float, typer.Option(help="Squeeze within so many minutes.")] = 60.0,
    instants: Annotated[
        int,
        typer.Option(min=20, help="Instants of each world, half of them alarming ones."),
    ] = 240,
    branches: Annotated[
        int, typer.Option(min=FEWEST_BRANCHES, help="Futures of each instant.")
    ] = 128,
    model: Annotated[
        list[str] | None, typer.Option(help="A model that learnt elsewhere, too; repeat for more.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the first world.")] = 1,
    json: Annotated[
        str | None, typer.Option("--json", metavar="FILE", help="Write JSON; - is the terminal.")
    ] = None,
) -> None:
    """Show how much of what can be known of the next squeeze is known.

    Simulated worlds are branched into many futures: that is the truth, the ceiling of any
    forecaster. Beside it: volatility alone, the logistic forecaster, and one that also sees the
    hidden state. All of them learn in some worlds and are judged in others, by all that
    could have happened at an instant, not by what did.

    litehedge study skill --worlds 1 --learn-worlds 1 --days 120 --instants 60 --branches 32
    """
    if minutes not in ONSET_EDGES[1:]:
        told = ", ".join(f"{edge:g}" for edge in ONSET_EDGES[1:])
        raise UsageError(f"{minutes:g} min is no horizon of a forecast", f"choose of {told}")
    check_writable(Path(json) if json not in (None, "-") else None)
    begun = time.monotonic()
    begin_s = instant_ns(BEGIN) // NS_PER_SECOND
    others = {
        name: choose_model(name, NS_PER_MINUTE).forecaster for name in dict.fromkeys(model or [])
    }
    seeds = range(seed + LEARN_SEEDS, seed + LEARN_SEEDS + learn_worlds)
    with progress(f"{learn_worlds} worlds to learn from", learn_worlds) as reach:
        lived: list[Seen] = []
        for done, one in enumerate(seeds, 1):
            lived.append(see(Parameters(), one, begin_s, days))
            reach(done)
    with stderr.status("learning …") as status:
        learnt = learn(lived, minutes, lambda what: status.update(f"{what} …"))
    del lived
    judged = _judge(worlds, seed, begin_s, days, minutes, instants, branches, learnt, others)
    scored = {
        side: score(one, seed) for side, one in zip(SIDES, judged, strict=True) if _enough(one)
    }
    checked = {
        side: reliability(truth_of(judged[SIDES.index(side)]), one.happened, one.block)
        for side, one in zip(SIDES, judged, strict=True)
        if side in scored
    }
    if not scored:
        raise UsageError("too few squeezes to judge anything", "give more --worlds or --days")
    if json is not None:
        write_json(
            {
                "rungs": [{"side": s} | _row(r) for s, found in scored.items() for r in found],
                "reliability": checked,
                "meta": {
                    "litehedge": litehedge.__version__, "seed": seed, "worlds": worlds,
                    "learn_worlds": learn_worlds, "days": days, "minutes": minutes,
                    "branches": branches, "instants": [int(j.happened.size) for j in judged],
                    "squeezes_in_futures": [int(j.came.sum()) for j in judged],
                },
            },
            json,
        )  # fmt: skip
    if json != "-":
        for side, rungs in scored.items():
            _print(side, rungs, minutes, judged[SIDES.index(side)])
        console.print("Intervals: 90 %, bootstrap over blocks of three days.", highlight=False)
        for side, bins in checked.items():
            _print_reliability(side, bins, minutes)
        stderr.print(f"{time.monotonic() - begun:.0f} s", highlight=False)


FEWEST: Final = 10


def _enough(judged: Judged) -> bool:
    return bool(judged.came.sum(axis=0).min() >= FEWEST)


def _judge(
    worlds: int, seed: int, begin_s: int, days: int, minutes: float, instants: int, branches: int,
    learnt: Learnt, others: dict[str, Forecaster],
) -> tuple[Judged, Judged]:  # fmt: skip
    parts: list[tuple[Judged, Judged]] = []
    with progress("worlds to judge in", worlds * instants) as reach:
        for number in range(worlds):
            world = see(
                Parameters(), seed + JUDGE_SEEDS + number, begin_s, days, int(minutes) + TAIL_MIN
            )
            parts.append(
                judge(
                    world, learnt, others, minutes, instants=instants, branches=branches,
                    chance=np.random.default_rng([seed, number]),
                    progress=partial(_reach, reach, number * instants),
                )
            )  # fmt: skip
    long, short = (together(side) for side in zip(*parts, strict=True))
    return long, short


def _reach(reach: Callable[..., None], before: int, done: int, total: int) -> None:
    reach(before + done)


def _row(rung: Rung) -> dict[str, Any]:
    row: dict[str, Any] = {"rung": rung.name}
    for what in ("auc", "ap", "brier_skill", "share", "below_truth"):
        measure: Measure = getattr(rung, what)
        row |= {what: measure.value, f"{what}_low": measure.low, f"{what}_high": measure.high}
    return row


def _print(side: str, rungs: list[Rung], minutes: float, judged: Judged) -> None:
    rate = np.average(judged.came.sum(axis=1) / judged.futures.sum(axis=1), weights=judged.weight)
    table = Table(
        title=f"{side} squeeze within {minutes:g} min: {judged.weight.size} instants, in "
        f"{judged.came.sum():,} of {judged.futures.sum():,} futures; {rate:.2%} of all frames"
    )
    for head in ("forecaster", "AUC", "below the truth", "AP", "Brier skill", "of the truth's"):
        table.add_column(head, justify="left" if head == "forecaster" else "right")
    for rung in sorted(rungs, key=lambda one: (one.name == TRUTH, one.auc.value)):
        below = "" if rung.name == TRUTH else _told(rung.below_truth)
        table.add_row(
            rung.name, _told(rung.auc), below, _told(rung.ap), _told(rung.brier_skill),
            _told(rung.share) if rung.name != TRUTH else "",
        )  # fmt: skip
    print_table(table)


def _told(measure: Measure) -> str:
    if np.isnan(measure.value):
        return ""
    return f"{measure.value:.3f}  [{measure.low:.3f}, {measure.high:.3f}]"


def _print_reliability(side: str, bins: list[Reliability], minutes: float) -> None:
    table = Table(title=f"does the truth come true? {side} squeeze within {minutes:g} min")
    for head in ("true probability", "instants", "foretold", "came", "standard error"):
        table.add_column(head, justify="right")
    for one in bins:
        table.add_row(
            f"{one.low:g} to {one.high:g}", str(one.instants), f"{one.foretold:.4f}",
            f"{one.came:.4f}", f"{one.error:.4f}",
        )  # fmt: skip
    print_table(table)

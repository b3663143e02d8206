"""``litehedge retrain``: the champion learns on; challengers are judged; the way back."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from litehedge.cli.common import (
    console,
    print_table,
    progress,
    settings_from,
    write_json,
)
from litehedge.errors import UsageError
from litehedge.retraining.gate import Gain, Terms, Verdict
from litehedge.retraining.judging import Court
from litehedge.retraining.learner import Recipe
from litehedge.retraining.service import Service, run_for_good, yield_to_others
from litehedge.retraining.shadow import Hedging
from litehedge.retraining.state import StateFile, lines_of
from litehedge.retraining.triggers import Cause
from litehedge.shelf.champion import opened
from litehedge.shelf.home import home, stderr
from litehedge.shelf.policies import choose_policy
from litehedge.store.bundled import tier_table
from litehedge.store.durable import exclusive
from litehedge.store.lake import Dataset, Lake
from litehedge.units import instant_ns

app = typer.Typer(pretty_exceptions_enable=False)

Data = Annotated[
    list[str] | None,
    typer.Option(help="Data set with bars, the recorded one first; give it again for more."),
]
SettingsFile = Annotated[
    Path | None, typer.Option(help="Settings file. Default: litehedge.toml if it exists.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.callback(invoke_without_command=True)
def retrain(
    context: typer.Context,
    data: Data = None,
    until: Annotated[
        str | None, typer.Option(help="Learn from data up to this moment (UTC). Default: now.")
    ] = None,
    watch: Annotated[
        bool,
        typer.Option(
            "--watch",
            help="Go on for good: every month, and when the market or its forecasts "
            "change; judge challengers, and watch new champions.",
        ),
    ] = False,
    seed: Annotated[int, typer.Option(min=0, help="Of the frames that are drawn.")] = 0,
    settings: SettingsFile = None,
    as_json: Json = False,
) -> None:
    """Let the champion learn on, and register what comes of it as the challenger.

    It learns from every squeeze in the data and from a reservoir of calm, and is held near what it
    was. Nothing serves before it has passed the gate: litehedge retrain judge. One that was killed
    goes on where it was. This is a process of its own, of the lowest priority: sessions go on.

    Example: litehedge retrain --data ltc_perp_5m

    Example: litehedge retrain --data ltc_perp_5m --watch
    """  # fmt: skip
    if context.invoked_subcommand is not None:
        return
    if watch and until is not None:
        raise UsageError("--watch learns from what there is by then", "leave --until out")
    yield_to_others()
    with _serving(data, settings, seed) as service, exclusive(service.state.folder):
        if watch:
            stderr.print("watching; end it with Ctrl-C", highlight=False)
            run_for_good(service)
            return
        until_ns = None if until is None else instant_ns(until)
        with _shown(service, "retraining"):
            made = service.retrain(Cause.ASKED, until_ns=until_ns)
    if as_json:
        write_json({"challenger": made.label, "model": made.id, "card": made.card}, "-")
        return
    console.print(
        f"{made.label} is the challenger. It serves when it has passed the gate, on what is "
        "recorded from now on: litehedge retrain judge",
        highlight=False, soft_wrap=True, markup=False,
    )  # fmt: skip


@app.command()
def judge(data: Data = None, settings: SettingsFile = None, as_json: Json = False) -> None:
    """Judge the challenger on what was recorded since it was made; promote it if it passes.

    Champion and challenger are run over the same frames, and over frozen crises. The verdict and
    its reasons go into the history of the registry; every judgement counts against luck.

    Example: litehedge retrain judge --data ltc_perp_5m
    """
    yield_to_others()
    with _serving(data, settings, 0) as service, exclusive(service.state.folder):
        with _shown(service, "judging"):
            found = service.judge()
        rolled = service.watch_champion() if found.change is None else None
    if as_json:
        write_json(
            {
                "challenger": found.challenger.label, "champion": found.champion.label,
                "verdict": found.verdict, "promoted": found.change is not None,
                "rolled_back": None if rolled is None else rolled.why,
            },
            "-",
        )  # fmt: skip
        return
    _print_verdict(found.verdict, found.challenger.label, found.champion.label)
    if rolled is not None:
        console.print(f"rolled back: {rolled.why}", highlight=False, soft_wrap=True, markup=False)


@app.command()
def status(as_json: Json = False) -> None:
    """Tell what the retraining is doing, when it is due, and what the gate said last.

    Example: litehedge retrain status
    """
    file = StateFile(home())
    state = file.read()
    if as_json:
        write_json({"running": file.is_running, "state": state}, "-")
        return
    for line in lines_of(state, is_running=file.is_running):
        console.print(line, highlight=False, soft_wrap=True, markup=False)
    if state.verdict is not None and len(state.labels) == 2:
        _print_verdict(state.verdict, *state.labels)


@contextmanager
def _serving(data: list[str] | None, settings: Path | None, seed: int) -> Iterator[Service]:
    """Put together what retrains; the registry is closed at the end."""
    if not data:
        raise UsageError("there is nothing to learn from", "give --data; see: data list")
    chosen = settings_from(settings)
    lake = Lake(home() / "lake")
    hedging = Hedging(
        chosen, tier_table(chosen.venue.name, chosen.venue.symbol),
        choose_policy(chosen.hedge.policy, chosen),
    )  # fmt: skip

    def read() -> tuple[Dataset, list[Dataset]]:
        found = [lake.bars(name) for name in data]
        return found[0], found

    dataset, datasets = read()
    registry = opened()
    try:
        court = Court(registry, lake, dataset, hedging, Terms())
        yield Service(
            court, datasets, StateFile(home()), time.time_ns, Recipe(seed=seed), reread=read
        )
    finally:
        registry.close()


@contextmanager
def _shown(service: Service, what: str) -> Iterator[None]:
    """Show on the terminal what the state file tells the screen."""
    with progress(what, 1.0) as reach:

        def said(step: str) -> None:
            reach(service.state.read().share, step)

        object.__setattr__(service.court, "say", said)
        yield


def _print_verdict(verdict: Verdict, challenger: str, champion: str) -> None:
    console.print(
        f"{challenger} against {champion}: {verdict.words()}",
        highlight=False, soft_wrap=True, markup=False,
    )  # fmt: skip
    rows = [*verdict.strata, *verdict.crises]
    if not rows:
        return
    table = Table(title="log-loss saved by the challenger; a margin is held against the worst")
    for heading in ("where", "squeezes", "saved", "at worst"):
        table.add_column(heading, justify="left" if heading == "where" else "right")
    for row in rows:
        table.add_row(*_row(row))
    print_table(table)


def _row(one: Gain) -> tuple[Any, ...]:
    worst = "too little seen" if one.worst is None else f"{one.worst:+.1%}"
    return one.name, f"{one.events}", f"{one.gain:+.1%}", worst

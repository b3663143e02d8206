"""``litehedge study``: questions to many simulated worlds at once."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray
from rich.table import Table

from litehedge.blowup.lives import Plan, world_lives
from litehedge.cli.common import (
    cancellable,
    check_writable,
    console,
    numbers,
    print_table,
    progress,
    to_json,
    write_file,
    write_json,
)
from litehedge.cli.study_guards import guards
from litehedge.cli.study_plan import blowup_plan
from litehedge.cli.study_skill import skill
from litehedge.errors import UsageError
from litehedge.report.ruin import ARMS, RuinStudy, ruin_study
from litehedge.report.ruin_charts import alive_svg
from litehedge.report.ruin_sheet import (
    DEFINITION,
    HEADS,
    cells,
    difference_cells,
    mix_in_words,
    mix_rows,
    ruin_page,
    traders,
)
from litehedge.report.ruin_told import told_of
from litehedge.report.style import percent
from litehedge.shelf.home import home, stderr
from litehedge.shelf.reports import keep_report

app = typer.Typer(
    help="Ask many simulated worlds one question.", no_args_is_help=True, rich_markup_mode="rich"
)


app.command()(guards)
app.command()(skill)


@app.callback()
def _studies() -> None:
    """Ask many simulated worlds one question."""


@app.command()
def blowup(
    worlds: Annotated[int, typer.Option(min=2, help="Simulated worlds; seeds follow --seed.")] = 40,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the first world.")] = 1,
    days: Annotated[int, typer.Option(min=2, max=3650, help="How long traders live.")] = 182,
    leverages: Annotated[str, typer.Option(help="Leverages of the traders.")] = "3,5,10,20,50",
    wallet: Annotated[float, typer.Option(help="Margin wallet of each, in USDT.")] = 500.0,
    policy: Annotated[str | None, typer.Option(help="Policy that hedges.")] = None,
    model: Annotated[str | None, typer.Option(help="Model by name or folder; auto; none.")] = None,
    scenario: Annotated[
        list[str] | None,
        typer.Option(help="Scenario by name or TOML file, from the first minute of the lives on."),
    ] = None,
    settings: Annotated[
        Path | None, typer.Option(help="Settings file. Default: litehedge.toml if it exists.")
    ] = None,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Processes, about 1 GB each. Default: one per core.")
    ] = None,
    report: Annotated[
        Path | None, typer.Option(help="Write a report: one HTML file, no network needed.")
    ] = None,
    plot: Annotated[Path | None, typer.Option(help="Write who is alive by day, as SVG.")] = None,
    json: Annotated[
        str | None, typer.Option("--json", metavar="FILE", help="Write JSON; - is the terminal.")
    ] = None,
    keep: Annotated[
        bool, typer.Option(help="Keep the result in the home folder: the screen's Reports list it.")
    ] = True,
) -> None:
    """Let many traders live for months in simulated worlds, and see who is ruined, hedged and not.

    Every trader opens one position in the first minute and keeps it. The arms: unhedged; smaller
    from the start by what the hedge is on average, which is free; hedged with every limit opened;
    hedged behind the limits. Then the same with forecasters that have gone wrong.

    The seed decides everything; the number of --jobs changes nothing.

    litehedge study blowup --worlds 4 --days 30

    litehedge study blowup --worlds 40 --report blowup.html --json blowup.json
    """
    for target in (report, plot, Path(json) if json not in (None, "-") else None):
        check_writable(target)
    plan, meta = blowup_plan(
        settings, wallet, policy, model, scenario or [], numbers("--leverages", leverages), days
    )
    begun = time.monotonic()
    seeds = range(seed, seed + worlds)
    with progress(f"{worlds} worlds", worlds) as reach:
        lives = _all_lives(
            plan, seeds, min(worlds, jobs or os.cpu_count() or 1),
            lambda done: reach(done, f"{done} of {worlds} worlds"),
        )  # fmt: skip
    study = ruin_study(lives, days)
    meta |= {"worlds": study.worlds, "seeds": f"{seed} .. {seeds[study.worlds - 1]}"}
    if study.worlds < worlds:
        meta["cancelled"] = f"cancelled after {study.worlds} of {worlds} worlds"
    told = told_of(study, meta)
    page = ruin_page(study, meta, time.time_ns()).encode()
    if plot is not None:
        write_file(plot, alive_svg(study).encode())
    if report is not None:
        write_file(report, page)
    if json is not None:
        write_json(told, json)
    if keep:
        asked = {"worlds": str(study.worlds), "days": str(days)}
        kept = keep_report(home(), "blowup", asked, to_json(told), page, datetime.now(UTC))
        stderr.print(f"kept in {kept}", highlight=False, soft_wrap=True)
    if json != "-":
        _print(study)
        stderr.print(f"{study.worlds} worlds in {time.monotonic() - begun:.0f} s", highlight=False)


def _all_lives(
    plan: Plan, seeds: Sequence[int], jobs: int, reach: Callable[[int], None]
) -> NDArray[np.void]:
    """Live through every world, in the order of the seeds whoever is done first."""
    if jobs == 1:
        return _lives_alone(plan, seeds, reach)
    context = multiprocessing.get_context("spawn")  # a fork would copy numba's threads half-way
    with ProcessPoolExecutor(jobs, mp_context=context, initializer=_die_quietly) as pool:
        futures = [pool.submit(world_lives, plan, seed) for seed in seeds]
        try:
            for done, future in enumerate(as_completed(futures), 1):
                future.result()
                reach(done)
        except BrokenProcessPool:
            raise UsageError(
                "a worker was killed, for memory perhaps", "give fewer --jobs"
            ) from None
        except BaseException:
            pool.shutdown(cancel_futures=True)  # a worker that still lives ends its world first
            raise
    return np.concatenate([future.result() for future in futures])


def _lives_alone(
    plan: Plan, seeds: Sequence[int], reach: Callable[[int], None]
) -> NDArray[np.void]:
    """Live through one world after another; cancelled, through those that were begun."""
    lives: list[NDArray[np.void]] = []
    with cancellable() as is_over:
        for done, seed in enumerate(seeds, 1):
            lives.append(world_lives(plan, seed))
            reach(done)
            if is_over():
                break
    if len(lives) == 1 < len(seeds):
        raise UsageError("cancelled after one world: nothing can be said of it", "run it again")
    return np.concatenate(lives)


def _die_quietly() -> None:
    """Let Ctrl-C end a worker without a word: its parent tells what happened."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _print(study: RuinStudy) -> None:
    table = Table(title=f"{study.days} days in {study.worlds} worlds: the mix of all traders")
    for i, head in enumerate(HEADS):
        table.add_column(head, justify="left" if i < 2 else "right")
    for row in mix_rows(study):
        table.add_row(*cells(row))
    print_table(table)
    console.print(DEFINITION, mix_in_words(study), highlight=False, sep="\n")
    table = Table(title="ruined, by leverage and side")
    for i, head in enumerate(("leverage", "side", *ARMS)):
        table.add_column(head, justify="left" if i < 2 else "right")
    for heading, rows in traders(study):
        table.add_row(*heading, *(percent(row["ruin_rate"]) for row in rows))
    print_table(table)
    table = Table(title="one arm less another, in the same worlds")
    for head in ("arms", "forecaster", "ruined", "90 %", "mean equity", "90 %"):
        table.add_column(head, justify="left" if head in ("arms", "forecaster") else "right")
    for difference in study.differences:
        table.add_row(*difference_cells(difference))
    print_table(table)

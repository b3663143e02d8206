"""``litehedge simulate``: make a market, put it into the lake or a folder, or measure it."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Annotated, Any, Final

import numpy as np
import polars as pl
import typer
from numpy.typing import NDArray
from rich.progress import track
from rich.table import Table

from litehedge.cli.common import (
    check_writable,
    console,
    print_table,
    progress,
    write_file,
    write_json,
)
from litehedge.errors import DataError, UsageError
from litehedge.features.trigger import MOVE_MINUTES
from litehedge.feeds.archive import Series
from litehedge.report.real_minutes import minutes_of
from litehedge.shelf.home import home, stderr
from litehedge.sim.facts import Row, compare, facts
from litehedge.sim.market.feed import tell
from litehedge.sim.market.parameters import Parameters
from litehedge.sim.market.state import World
from litehedge.sim.market.step import run_world
from litehedge.sim.market.telling import Teller
from litehedge.sim.oracle.truth import FEWEST_BRANCHES, Truth, true_hazards
from litehedge.sim.scenario import compose, load_scenario, scenario_names, shocks_array
from litehedge.sim.study import DAY_S, facts_of_world, warmed_world
from litehedge.store.lake import Lake, check_name
from litehedge.store.worlds import DATA_SETS, series_of
from litehedge.units import MINUTES_PER_DAY, NS_PER_MINUTE, NS_PER_SECOND, duration_ns, instant_ns

BEGIN: Final = "2026-01-05"  # a Monday
REAL: Final = "ltc_perp_5m"
TRUTH_FROM_MIN: Final = int(MINUTES_PER_DAY) + int(MOVE_MINUTES)
"""The thresholds of a squeeze need a day of 15-minute sums before them."""


def simulate(
    days: Annotated[int, typer.Option(min=1, help="Days of market.")] = 30,
    seed: Annotated[int, typer.Option(min=0, help="Another seed, another market.")] = 1,
    scenario: Annotated[
        list[str] | None,
        typer.Option(help="Scenario by name or TOML file; give it again to combine several."),
    ] = None,
    bars: Annotated[str, typer.Option(help="Length of bars: 5s to 1min.")] = "1min",
    name: Annotated[str, typer.Option(help="Begin of the names of the data sets.")] = "sim",
    out: Annotated[
        Path | None, typer.Option(help="Write Parquet files here, a month each, hidden state too.")
    ] = None,
    replace: Annotated[bool, typer.Option(help="Replace data sets of that name.")] = False,
    oracle: Annotated[
        str | None,
        typer.Option(
            metavar="EVERY",
            help="Also write the true hazard of a squeeze, known from many futures: one instant "
            "every 1h, say.",
        ),
    ] = None,
    branches: Annotated[
        int, typer.Option(min=FEWEST_BRANCHES, help="With --oracle: futures of each instant.")
    ] = 64,
    show_facts: Annotated[
        bool, typer.Option("--facts", help="Measure stylised facts beside the real ones; no data.")
    ] = False,
    seeds: Annotated[int, typer.Option(min=1, help="With --facts: so many seeds.")] = 5,
    scenarios: Annotated[bool, typer.Option("--list", help="List the scenarios.")] = False,
    json: Annotated[
        str | None,
        typer.Option("--json", metavar="FILE", help="Write the result as JSON; - is the terminal."),
    ] = None,
) -> None:
    """Simulate a Litecoin market in which squeezes emerge from leverage that meets a thin book.

    The data sets can be labelled, trained on and backtested like real ones:

    litehedge simulate --days 90 --seed 7 --name sim7, then: litehedge label --data sim7_ltc

    What no forecaster can beat, to see how much of it one has:

    litehedge simulate --days 30 --name known --oracle 1h --branches 100

    Stylised facts of three years of five seeds beside those of real Litecoin:

    litehedge simulate --facts --days 1095 --seeds 5
    """
    if scenarios:
        _list(json)
        return
    parameters, planned = compose([load_scenario(one) for one in scenario or []])
    begin_s = instant_ns(BEGIN) // NS_PER_SECOND
    if show_facts:
        if planned or oracle is not None:
            raise UsageError(
                "facts are of a market left alone", "leave out --scenario and --oracle"
            )
        _facts(parameters, seed, seeds, days, begin_s, json)
        return
    atom_s = duration_ns(bars) // NS_PER_SECOND
    if not 5 <= atom_s <= 60 or 60 % atom_s:
        raise UsageError(
            f"bars of {bars} do not make up a minute", "choose 5s, 10s, 15s, 30s, 1min"
        )
    check_name(name)
    every_min = _every_min(oracle, days)
    truth_at = (out if out is not None else home() / "oracle") / f"{name}-oracle.parquet"
    if out is None:
        _refuse_taken(name, replace=replace)
    else:
        check_writable(out / "a month")
    old = [truth_at] if out is None else sorted(out.glob(f"{name}-*.parquet"))
    old = [path for path in old if path.exists()]
    if old and not replace:
        raise UsageError(f"{old[0]} exists", "give another --name, or --replace")
    check_writable(truth_at if every_min else None)
    shocks = shocks_array(planned, begin_s)
    with stderr.status("five days to warm up …"):
        world = warmed_world(parameters, seed, begin_s)
    for path in old:  # of a world that is no more
        path.unlink()
    untouched = world.copy()
    parts: dict[str, list[Series]] = {what: [] for what in DATA_SETS}
    teller = Teller(seed, atom_s)
    last = None
    steps = [min(30, days - done) for done in range(0, days, 30)]
    for i, step in enumerate(track(steps, f"{days} days", console=stderr, transient=True)):
        record = run_world(world, step * DAY_S, atom_s=atom_s, shocks=shocks)
        begun_s = begin_s + i * 30 * DAY_S
        told_record = tell(record, begun_s, atom_s, shocks, last)
        if out is None:
            btc = float((record if last is None else last)["btc"][0])
            heard = teller.tell(told_record, begun_s)
            source = f"seed-{seed}-{i:03d}"
            for what, series in series_of(record, begun_s, atom_s, heard, btc, name, source):
                parts[what].append(series)
        last = told_record[-1:].copy()
        if out is not None:
            _write_month(out, name, i, told_record, begun_s, atom_s)
    told: dict[str, Any] = {"seed": seed, "days": days, "begin": BEGIN, "bars_s": atom_s}
    if out is None:
        told["data"] = _store(parts, name, replace=replace)
    else:
        told["folder"] = str(out)
    if every_min:
        truth = _truth(untouched, days, every_min, branches, shocks)
        buffer = io.BytesIO()
        truth.table().write_parquet(buffer)
        write_file(truth_at, buffer.getvalue())
        told["oracle"] = str(truth_at)
    if json is not None:
        write_json(told, json)
    if json != "-":
        if every_min:
            console.print(f"true hazards in {truth_at}", highlight=False, soft_wrap=True)
        where = ", ".join(told["data"]) if out is None else str(out)
        console.print(f"{days} days of market, seed {seed}, in {where}", highlight=False)
        if out is None:
            console.print(f"Next: litehedge label --data {name}_ltc", highlight=False)


def _every_min(text: str | None, days: int) -> int:
    """Return the minutes between the instants of the oracle, 0 without it."""
    if text is None:
        return 0
    every_ns = duration_ns(text)
    if every_ns % NS_PER_MINUTE or every_ns == 0:
        raise UsageError(f"an oracle every {text} does not fall on minutes", "choose 15min, 1h")
    every_min = every_ns // NS_PER_MINUTE
    if days * MINUTES_PER_DAY <= -(-TRUTH_FROM_MIN // every_min) * every_min:
        raise UsageError(
            f"{days} days have no room for an oracle",
            "its thresholds trail behind by a day: --days 2 or more",
        )
    return every_min


def _truth(
    world: World, days: int, every_min: int, branches: int, shocks: NDArray[np.void]
) -> Truth:
    first = -(-TRUTH_FROM_MIN // every_min) * every_min  # on the clock
    instants = np.arange(first, days * MINUTES_PER_DAY, every_min, dtype=np.int64)
    what = f"{branches} futures of {instants.size} instants"
    with progress(what, instants.size) as reach:
        return true_hazards(
            world, instants, branches, shocks=shocks, progress=lambda done, total: reach(done)
        )


def _refuse_taken(name: str, *, replace: bool) -> None:
    """Refuse before the work what the lake would refuse after it, with half of the data there."""
    taken = {one.name for one in Lake(home() / "lake").datasets()}
    mine = [own for what in DATA_SETS if (own := f"{name}_{what}") in taken]
    if mine and not replace:
        raise UsageError(
            f"there already are {', '.join(mine)}", "give another --name, or --replace"
        )


def _list(json: str | None) -> None:
    found = [load_scenario(one) for one in scenario_names()]
    if json is not None:
        write_json([{"name": s.name, "about": s.about} for s in found], json)
    if json != "-":
        table = Table("scenario", "what happens")
        for s in found:
            table.add_row(s.name, s.about)
        print_table(table, folds=True)


def _ends_s(record: NDArray[np.void], begin_s: int, atom_s: int) -> NDArray[np.int64]:
    return begin_s + atom_s * np.arange(1, record.size + 1, dtype=np.int64)


def _write_month(
    folder: Path, name: str, number: int, record: NDArray[np.void], begin_s: int, atom_s: int
) -> None:
    """Write a month of atoms with everything, the hidden state too; whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    columns = {column: record[column] for column in record.dtype.names or ()}
    table = pl.DataFrame({"end_ns": _ends_s(record, begin_s, atom_s) * NS_PER_SECOND, **columns})
    path = folder / f"{name}-{number:03d}.parquet"
    partial = path.with_suffix(".partial")
    table.write_parquet(partial)
    partial.replace(path)


def _store(parts: dict[str, list[Series]], name: str, *, replace: bool) -> list[str]:
    """Put what feeds told into the lake. Return the names of the data sets.

    What an older world of this name had and this one has not goes.
    """
    lake = Lake(home() / "lake")
    names = []
    for what, series in parts.items():
        own = f"{name}_{what}"
        if series:
            lake.write(series, own, replace=replace)
            names.append(own)
        elif replace:
            lake.remove(own)
    return names


# --- facts ------------------------------------------------------------------------------------


def _facts(
    parameters: Parameters, first: int, seeds: int, days: int, begin_s: int, json: str | None
) -> None:
    wanted = range(first, first + seeds)
    measured = [
        facts_of_world(parameters, seed, begin_s, days)
        for seed in track(wanted, f"{seeds} seeds", console=stderr, transient=True)
    ]
    try:
        real = facts(minutes_of(Lake(home() / "lake"), REAL))
    except DataError:
        real = None
        stderr.print(f"no {REAL} in the lake: the column of real data is empty")
    rows = compare(measured, real)
    if json is not None:
        write_json({"days": days, "seeds": seeds, "facts": rows}, json)
    if json != "-":
        _print_facts(rows, days, seeds)


def _print_facts(rows: list[Row], days: int, seeds: int) -> None:
    table = Table(title=f"stylised facts: {seeds} seeds of {days} days beside real Litecoin")
    for heading in (
        "fact",
        "unit",
        "published",
        "accepted",
        f"{REAL} here",
        "simulated",
        "seeds",
        "",
    ):
        left = heading in ("fact", "unit", "")
        table.add_column(heading, justify="left" if left else "right")
    for row in rows:
        style = {"inside": "green", "outside": "red"}.get(row.verdict, "dim")
        table.add_row(
            row.fact, row.unit, _figure(row.target), f"{_figure(row.low)} .. {_figure(row.high)}",
            _figure(row.real), _figure(row.median),
            f"{_figure(row.lowest)} .. {_figure(row.highest)}", f"[{style}]{row.verdict}[/]",
        )  # fmt: skip
    print_table(table)
    outside = [row.fact for row in rows if row.verdict == "outside"]
    told = ", ".join(outside) if outside else "none"
    console.print(f"outside: {told}", highlight=False)


def _figure(x: float) -> str:
    return f"{x:.3g}" if np.isfinite(x) else ""

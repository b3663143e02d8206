"""``litehedge data``: import, list and check recorded history."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

from litehedge.cli.common import open_lake, print_table, write_json
from litehedge.cli.data_check import check
from litehedge.cli.data_fetch import fetch_command
from litehedge.cli.data_record import record_command
from litehedge.cli.data_remote import pull_command, push_command
from litehedge.cli.data_words import facts, kind, say, what
from litehedge.errors import DataError, UsageError
from litehedge.feeds.archive import Series, read
from litehedge.feeds.names import check_market, check_symbol
from litehedge.shelf.home import home, stderr
from litehedge.store.lake import Dataset, Lake, check_name
from litehedge.store.merge import merge
from litehedge.store.remote import FetchingLake
from litehedge.units import iso_utc

app = typer.Typer(help="Import, fetch, record, list and check history.", no_args_is_help=True)

_CHECKSUM = ".CHECKSUM"

app.command("check")(check)
app.command("fetch")(fetch_command)
app.command("record")(record_command)
app.command("push")(push_command)
app.command("pull")(pull_command)

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]


# --- import -----------------------------------------------------------------------------------


@app.command("import")
def import_(
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE",
            help="Binance archive zips, CSV or Parquet files. A FILE.CHECKSUM beside a file "
            "is verified.",
            show_default=False,
        ),
    ],
    name: Annotated[
        str | None,
        typer.Option(
            help="Merge all files into one data set of this name. Without it each file "
            "becomes a data set called like the file."
        ),
    ] = None,
    symbol: Annotated[
        str | None, typer.Option(help="What is traded, for example LTCUSDT. Default: by name.")
    ] = None,
    market: Annotated[
        str | None,
        typer.Option(help="spot, perp, mark, 'coin-m perp' or unknown. Default: by name."),
    ] = None,
    venue: Annotated[
        str | None, typer.Option(help="Where it is traded, for example binance. Default: by name.")
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace data sets that are there already.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Import recorded history: all files or, if anything in one of them is wrong, none.

    Beside archive zips, files with these columns are read (ts is UTC):
    bars: ts (the open), open, high, low, close, volume
    funding: ts, funding_rate
    open interest: ts, oi
    liquidations: ts, side, qty, price

    Example: litehedge data import LTCUSDT-1m-2021-*.zip --name ltc_perp_1m
    """
    lake = Lake(home() / "lake")
    groups = _groups(paths, name)
    symbol = check_symbol(symbol) if symbol is not None else None
    market = check_market(market) if market is not None else None
    parsed: dict[str, list[Series]] = {}
    with _progress() as progress:
        reading = progress.add_task("reading", total=sum(len(files) for files in groups.values()))
        for group, files in groups.items():
            parsed[group] = []
            for file in files:
                one = read(file, symbol=symbol, market=market, venue=venue)
                parsed[group].append(one)
                progress.advance(reading)
        # Merging each group here finds contradictions before the first data set is written.
        fresh = {group: some for group, some in parsed.items() if not _held(lake, group, some)}
        if not replace:
            for group in fresh:
                _refuse_taken(lake, group)
        else:
            fresh = parsed
        for some in fresh.values():
            if len(some) > 1:
                merge(some)
        writing = progress.add_task("writing", total=len(fresh))
        imported = []
        for group, some in fresh.items():
            imported.append(lake.write(some, group, replace=replace))
            progress.advance(writing)
    unchanged = [lake.dataset(group) for group in parsed if group not in fresh]
    notes = [(one.source, note) for some in parsed.values() for one in some for note in one.notes]
    if as_json:
        write_json(
            {
                "imported": [facts(dataset) for dataset in imported],
                "unchanged": [facts(dataset) for dataset in unchanged],
                "notes": [{"file": file, "note": note} for file, note in notes],
            },
            "-",
        )
        return
    if imported:
        _print_table(lake, imported)
    _print_notes(notes)
    for dataset in unchanged:
        say(f"unchanged: {dataset.name} already holds this")
    if imported:
        sets = f"{len(imported)} data set{'s' if len(imported) > 1 else ''}"
        # The one that a person most likely came for.
        first = min(imported, key=lambda one: (one.kind != "bars", one.asset != "LTC"))
        say(f"{sets} imported. Next: litehedge data check {first.name}")


def _groups(paths: Sequence[Path], name: str | None) -> dict[str, list[Path]]:
    files = [path for path in paths if path.suffix != _CHECKSUM]
    if not files:
        raise UsageError("only checksum files were given", "give the files that they belong to")
    if name is not None:
        return {check_name(name): files}
    groups: dict[str, list[Path]] = {}
    for file in files:
        stem = check_name(file.stem)
        if stem in groups:
            raise UsageError(
                f"{groups[stem][0]} and {file} would both become data set {stem}",
                "merge them with --name, or import them one by one with different names",
            )
        groups[stem] = [file]
    return groups


def _held(lake: Lake, name: str, series: Sequence[Series]) -> bool:
    """Tell whether a data set came from these very files, read in the same way."""
    held = next((dataset for dataset in lake.datasets() if dataset.name == name), None)
    if held is None:
        return False
    hashes = {source.sha256 for source in held.sources}
    what = (held.kind, held.symbol, held.market, held.venue)
    return all(
        one.sha256 in hashes and (one.kind, one.symbol, one.market, one.venue) == what
        for one in series
    )


def _refuse_taken(lake: Lake, name: str) -> None:
    for dataset in lake.datasets():
        if dataset.name == name:
            raise DataError(
                f"there already is a data set {name} ({what(dataset)}, {dataset.span}), "
                "from other files or read in another way",
                "add --replace and give all files it should hold, or choose another --name",
            )
    for broken, reason in lake.broken():
        if broken == name:
            raise DataError(f"there already is a data set {name}: {reason}", "add --replace")


def _print_notes(notes: Sequence[tuple[str, str]]) -> None:
    files: dict[str, list[str]] = {}
    for file, note in notes:
        files.setdefault(note, []).append(file)
    for note, some in files.items():
        more = f" and {len(some) - 1} more" if len(some) > 1 else ""
        say(f"note: {some[0]}{more}: {note}")


# --- list -------------------------------------------------------------------------------------


@app.command("list")
def list_(as_json: Json = False) -> None:
    """List the data sets: what each holds, of which time, and how many gaps it has.

    Example: litehedge data list
    """
    lake = open_lake()
    datasets, broken = lake.datasets(), lake.broken()
    if as_json:
        listed = [{**facts(dataset), "gaps": _gap_count(lake, dataset)} for dataset in datasets]
        reasons = [{"name": name, "reason": reason} for name, reason in broken]
        write_json({"datasets": listed, "broken": reasons}, "-")
        return
    if not datasets and not broken:
        say(f"The lake in {lake.root} is empty. Import files: litehedge data import FILE...")
    if datasets:
        _print_table(lake, datasets)
    for name, reason in broken:
        say(f"broken: {name}: {reason}")


def _print_table(lake: Lake, datasets: Sequence[Dataset]) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("name", "holds", "symbol", "market", "span (UTC)"):
        table.add_column(column, no_wrap=True)
    for column in ("rows", "gaps"):
        table.add_column(column, justify="right", no_wrap=True)
    for one in datasets:
        table.add_row(
            Text(one.name),
            f"{one.interval} {kind(one)}".strip(),
            one.symbol,
            one.market,
            # The last bar of April closes at midnight of the first of May.
            f"{iso_utc(one.start_ns)[:10]} .. {iso_utc(one.end_ns - 1)[:10]}",
            f"{one.rows:,}",
            _gaps_told(lake, one),
        )
    print_table(table)


def _gap_count(lake: Lake, dataset: Dataset) -> int | None:
    if isinstance(lake, FetchingLake):
        return None  # counting reads every file: a list does not bring a whole lake here
    try:
        return len(lake.gaps(dataset))
    except DataError:
        return None


def _gaps_told(lake: Lake, dataset: Dataset) -> str:
    gaps = _gap_count(lake, dataset)
    if gaps is None:
        return "" if isinstance(lake, FetchingLake) else "damaged"
    return f"{gaps:,}" if dataset.kind == "bars" else ""


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        console=stderr,
        transient=True,
        disable=not stderr.is_terminal,
    )

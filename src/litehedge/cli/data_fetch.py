"""``litehedge data fetch``: public history, from where it lies into the lake."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Final

import aiohttp
import typer

from litehedge.cli.common import progress, write_json
from litehedge.cli.data_words import facts, say
from litehedge.errors import DataError, LitehedgeError, UsageError
from litehedge.feeds import fetch_api as api
from litehedge.feeds import fetch_plan as plan
from litehedge.feeds.archive import Series
from litehedge.feeds.fetch import Outcome, Progress, fetch_all
from litehedge.feeds.names import check_symbol
from litehedge.shelf.home import home
from litehedge.store import growing
from litehedge.store.fetched import name_of, store_files
from litehedge.store.lake import Dataset, Lake
from litehedge.units import NS_PER_DAY, instant_ns

SOURCES: Final = ("binance", "bybit", "coinalyze", "kraken")
_BASES: Final = {"binance": plan.BINANCE, "bybit": plan.BYBIT, "coinalyze": api.COINALYZE,
                 "kraken": api.KRAKEN}  # fmt: skip


def fetch_command(
    source: Annotated[
        str, typer.Argument(metavar="SOURCE", help="binance, bybit, coinalyze or kraken.")
    ],
    first: Annotated[
        str | None, typer.Option("--from", help="First day, 2025-01-01. Default: 30 days ago.")
    ] = None,
    last: Annotated[
        str | None, typer.Option("--to", help="Last day, included. Default: yesterday.")
    ] = None,
    kinds: Annotated[
        str | None,
        typer.Option(
            help=f"Of binance, with commas between: {', '.join(plan.BINANCE_KINDS)}. "
            f"Default: {','.join(plan.USUAL)}."
        ),
    ] = None,
    symbol: Annotated[str, typer.Option(help="What is traded.")] = "LTCUSDT",
    interval: Annotated[
        str, typer.Option(help="Of coinalyze: 1min, 5min, 1hour or daily (goes back for years).")
    ] = "daily",
    parallel: Annotated[int, typer.Option(min=1, max=16, help="Files at once.")] = 4,
    base: Annotated[
        str | None, typer.Option(help="Another address of the same archive: a mirror.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")] = False,
) -> None:
    """Fetch public history and import it. Interrupted, it goes on where it was.

    binance: bars, mark prices, funding, open interest, trades, depth, forced orders until 2024-03.
    bybit: trades, and bars of a minute made from them.
    coinalyze: forced volume per interval; a free key in COINALYZE_API_KEY or in the keyring.
    kraken: every forced order since 2022-03, found by paging through all trades of a day.

    Files are kept below the home folder and verified by their checksums. What an archive does not
    have is told, and is no error.

    Example: litehedge data fetch binance --from 2025-01-01 --to 2025-06-30
    """
    if source not in SOURCES:
        raise UsageError(f"there is no source {source}", f"choose from: {', '.join(SOURCES)}")
    today = datetime.now(UTC).date()
    end = _day(last) if last is not None else today - timedelta(days=1)
    begin = _day(first) if first is not None else end - timedelta(days=29)
    if end < begin:
        raise UsageError(f"{begin} is after {end}", "give the first day with --from")
    symbol = check_symbol(symbol)
    lake, folder = Lake(home() / "lake"), home() / "archive"
    address = (base or _BASES[source]).rstrip("/")
    outcomes: list[Outcome] = []
    try:
        if source in ("binance", "bybit"):
            if source == "bybit":
                wanted = plan.bybit(symbol, begin, end, today, address)
            else:
                chosen = [k.strip() for k in kinds.split(",")] if kinds else list(plan.USUAL)
                wanted = plan.binance(symbol, chosen, begin, end, today, address)
            outcomes = asyncio.run(_files(wanted, folder, parallel))
            sets = _store(lake, source, symbol, outcomes)
        elif source == "coinalyze":
            key = api.api_key("coinalyze", "COINALYZE_API_KEY")
            sets = asyncio.run(_coinalyze(lake, key, symbol, interval, begin, end, address))
        else:
            sets = asyncio.run(_kraken(lake, folder, begin, end, address))
    except OSError as error:
        raise DataError(
            f"{folder} cannot be written: {error.strerror or error}",
            "make room, and run it again: it goes on where it was",
        ) from None
    _tell(outcomes, sets, as_json=as_json)


async def _files(wanted: Sequence[plan.Wanted], folder: Path, parallel: int) -> list[Outcome]:
    with progress("fetching", max(1, len(wanted))) as reach:

        def told(now: Progress) -> None:
            share = now.done / max(1, now.files) * max(1, len(wanted))
            reach(share, f"{now.done:,} of {now.files:,} files, {now.bytes / 2**20:,.1f} MiB")

        async with aiohttp.ClientSession() as session:
            return await fetch_all(session, wanted, folder, report=told, parallel=parallel)


def _store(lake: Lake, venue: str, symbol: str, outcomes: Sequence[Outcome]) -> list[Dataset]:
    sets: dict[str, Dataset] = {}
    by_kind: dict[str, list[tuple[str, Path]]] = {}
    for one in outcomes:
        if one.state in ("fetched", "kept"):
            by_kind.setdefault(one.wanted.kind, []).append((one.wanted.period, one.path))
    for kind, files in by_kind.items():
        with progress(f"storing {kind}", len(files)) as reach:
            for dataset in store_files(lake, venue, symbol, kind, files, reach):
                sets[dataset.name] = dataset
    return list(sets.values())


async def _coinalyze(
    lake: Lake, key: str, symbol: str, interval: str, first: date, last: date, base: str
) -> list[Dataset]:
    found: Series | None
    with progress("asking Coinalyze", 1) as reach:
        async with aiohttp.ClientSession() as session:
            found = await api.coinalyze(
                session, key, f"{symbol}_PERP.A", interval, first, last, symbol=symbol, base=base,
                report=lambda done, total: reach(done / total),
            )  # fmt: skip
    if found is None:
        return []
    name = name_of("coinalyze", symbol, f"liquidations_{interval}")
    start_ns = instant_ns(first.isoformat())
    span = (start_ns, instant_ns(last.isoformat()) + NS_PER_DAY)
    return [growing.append(lake, found, name, period_ns=span)]


async def _kraken(lake: Lake, folder: Path, first: date, last: date, base: str) -> list[Dataset]:
    days = (last - first).days + 1
    with progress("paging through Kraken", days) as reach:
        async with aiohttp.ClientSession() as session:
            files = await api.kraken(
                session, "PF_LTCUSD", first, last, folder, base=base,
                report=lambda done, total: reach(done, f"Kraken, {done} of {total} days"),
            )  # fmt: skip
    return store_files(lake, "kraken", "LTCUSD", "liquidations", [("", path) for path in files[:1]])


def _tell(outcomes: Sequence[Outcome], sets: Sequence[Dataset], *, as_json: bool) -> None:
    by_state: dict[str, list[Outcome]] = {}
    for one in outcomes:
        by_state.setdefault(one.state, []).append(one)
    failed = by_state.get("failed", [])
    if as_json:
        told: dict[str, Any] = {state: len(some) for state, some in by_state.items()}
        told["missing_files"] = [one.wanted.url for one in by_state.get("missing", [])]
        told["failed_files"] = [{"url": one.wanted.url, "why": one.why} for one in failed]
        write_json({"files": told, "datasets": [facts(one) for one in sets]}, "-")
    else:
        for state, some in by_state.items():
            if state == "missing":
                names = ", ".join(one.path.name for one in some[:3])
                more = f" and {len(some) - 3:,} more" if len(some) > 3 else ""
                say(f"the archive does not have {names}{more}")
            elif state != "failed":
                say(f"{len(some):,} files {state}" + (" from before" if state == "kept" else ""))
        for dataset in sets:
            say(f"{dataset.name}: {dataset.rows:,} rows, {dataset.span}")
        if not sets and not failed:
            say("nothing was found for these days")
        elif sets:
            say(f"Next: litehedge data check {sets[0].name}")
    if failed:
        more = f" (and {len(failed) - 1:,} more)" if len(failed) > 1 else ""
        raise LitehedgeError(
            f"{failed[0].wanted.url} could not be fetched: {failed[0].why}{more}",
            "run the command again: it goes on where it was",
        )


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{text!r} is not a day", "write 2025-10-10") from None

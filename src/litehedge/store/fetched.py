"""Fetched files become data sets: by the importer where it reads them, else day by day."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import polars as pl

from litehedge.feeds import fetch_parse as parse
from litehedge.feeds.archive import Kind, read
from litehedge.feeds.names import asset_of, period_ns
from litehedge.store import growing
from litehedge.store.lake import Dataset, Lake
from litehedge.units import NS_PER_MINUTE

_WHOLE: Final = {
    "klines": "perp_1m", "markPriceKlines": "mark_1m", "fundingRate": "funding",
    "metrics": "open_interest", "liquidations": "liquidations",
}  # fmt: skip
"""Kinds that the importer reads, and the end of the data set's name."""
_Parse = Callable[[bytes, str], pl.DataFrame]
_GROWING: Final[dict[tuple[str, str], tuple[tuple[str, Kind, int, _Parse], ...]]] = {
    ("binance", "aggTrades"): (("trades", "trades", 0, parse.agg_trades),),
    ("binance", "bookDepth"): (("book", "book", 0, parse.book_depth),),
    ("binance", "liquidationSnapshot"): (
        ("liquidations", "liquidations", 0, parse.liquidation_snapshot),
    ),
    ("binance", "metrics"): (
        ("long_short_ratio", "long_short_ratio", 5 * NS_PER_MINUTE, parse.long_short_ratio),
    ),
    ("bybit", "trades"): (
        ("trades", "trades", 0, parse.bybit_trades),
        (
            "perp_1m", "bars", NS_PER_MINUTE,
            lambda payload, name: parse.minute_bars(parse.bybit_trades(payload, name)),
        ),
    ),
}  # fmt: skip


def name_of(venue: str, symbol: str, end: str) -> str:
    """Return the name of a fetched data set: ``binance_ltc_perp_1m``."""
    return f"{venue}_{asset_of(symbol).lower()}_{end}"


def store_files(
    lake: Lake, venue: str, symbol: str, kind: str, files: Sequence[tuple[str, Path]],
    report: Callable[[int], None] = lambda done: None,
) -> list[Dataset]:  # fmt: skip
    """Put the files of one kind into the lake; return the data sets that hold them now.

    `files` are (period, path). What is in the lake already stays; doing it again changes nothing.

    Raises
    ------
    DataError
        When a file holds what cannot be true, or the lake cannot be written.
    """
    sets: dict[str, Dataset] = {}
    if files and kind in _WHOLE and (venue, kind) != ("bybit", "trades"):
        name = name_of(venue, symbol, _WHOLE[kind])
        # All files of the kind that were ever fetched: a data set is imported as a whole.
        paths = sorted({path for _, first in files for path in _siblings(first)})
        market = "mark" if kind == "markPriceKlines" else "perp"
        some = [read(path, symbol=symbol, market=market, venue=venue) for path in paths]
        held = growing.held(lake, name)
        hashes = {source.sha256 for source in held.sources} if held is not None else set()
        if held is None or {one.sha256 for one in some} != hashes:
            held = lake.write(some, name, replace=True)
        sets[name] = held
    for end, what, interval_ns, build in _GROWING.get((venue, kind), ()):
        name = name_of(venue, symbol, end)
        for number, (period, path) in enumerate(sorted(files)):
            payload = path.read_bytes()
            table = build(payload, path.name)
            if not table.is_empty():
                one = parse.series(
                    what, payload, path.name, table, symbol=symbol, venue=venue,
                    interval_ns=interval_ns,
                )  # fmt: skip
                sets[name] = growing.append(lake, one, name, period_ns=_span(period, table))
            report(number + 1)
    return list(sets.values())


def _siblings(path: Path) -> list[Path]:
    """Return this file and those of its kind beside it, and by month or by day."""
    folders = [path.parent]
    parts = list(path.parts)
    for often, other in (("daily", "monthly"), ("monthly", "daily")):
        if often in parts:
            parts[parts.index(often)] = other
            folders.append(Path(*parts).parent)
            break
    found = [one for folder in folders for one in folder.glob(f"*{path.suffix}")]
    # Files of days without a row have their header alone.
    return [one for one in found if one.suffix != ".csv" or one.stat().st_size > 20]


def _span(period: str, table: pl.DataFrame) -> tuple[int, int]:
    """Return the times that a file tells all of, as ``start < known <= end``."""
    start_ns, end_ns = period_ns(period)
    first_ns = int(table["known_ns"].min())  # type: ignore[arg-type]
    last_ns = int(table["known_ns"].max())  # type: ignore[arg-type]
    # Labels run over the edge: a bar closes at midnight, metrics are known five minutes later.
    return min(start_ns, first_ns - 1), max(end_ns - 1, last_ns)

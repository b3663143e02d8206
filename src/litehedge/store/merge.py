"""Several files of one history become one table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import polars as pl

from litehedge.errors import DataError
from litehedge.feeds.archive import Series
from litehedge.feeds.rawtable import say_time
from litehedge.units import describe_ns

_STATED: Final = ("symbol", "market", "venue")  # what a person can state for all files


def merge(series: Sequence[Series]) -> pl.DataFrame:
    """Return the rows of all files in order of ``known_ns``, each once.

    Raises
    ------
    DataError
        When the files are of different things, or differ about a time that several of them hold.
    """
    if not series:
        raise DataError("there is no file to import", "give at least one")
    for other in series:
        _same_thing(series[0], other)
        if other.table.is_empty():
            raise DataError(f"{other.source} holds no rows", "leave it out")
    ordered = sorted(series, key=lambda one: int(one.table["known_ns"][0]))
    parts = [ordered[0].table]
    last_ns = int(parts[0]["known_ns"][-1])
    for other in ordered[1:]:
        table = other.table
        if int(table["known_ns"][0]) <= last_ns:
            # Only overlapping files pay for a comparison; months in a row just follow each other.
            known = pl.concat(parts)
            parts = [known]
            table = _new_rows(known, other)
        if not table.is_empty():
            last_ns = max(last_ns, int(table["known_ns"][-1]))
            parts.append(table)
    return pl.concat(parts).sort("known_ns", maintain_order=True)


def _same_thing(one: Series, other: Series) -> None:
    checks = [
        ("kind", one.kind, other.kind),
        ("symbol", one.symbol, other.symbol),
        ("market", one.market, other.market),
        ("venue", one.venue, other.venue),
        ("unit", one.unit, other.unit),
    ]
    if one.interval_ns and other.interval_ns:
        checks.append(("interval", describe_ns(one.interval_ns), describe_ns(other.interval_ns)))
    for what, a, b in checks:
        if a != b:
            option = f", or state it for all with --{what}" if what in _STATED else ""
            raise DataError(
                f"{one.source} and {other.source} cannot be one data set: "
                f"their {what} is {a} and {b}",
                f"import them under different names{option}",
            )


def _new_rows(known: pl.DataFrame, other: Series) -> pl.DataFrame:
    """Return the rows of times that are not known yet; the others must be known exactly so."""
    table = other.table
    columns = table.columns
    again = table.filter(pl.col("known_ns").is_in(known["known_ns"].implode()))
    before = known.filter(pl.col("known_ns").is_in(table["known_ns"].implode()))
    balance = (
        pl.concat([again.with_columns(count=1), before.with_columns(count=-1)])
        .group_by(columns)
        .agg(pl.col("count").sum())
        .filter(pl.col("count") != 0)
    )
    if not balance.is_empty():
        first_ns = balance["known_ns"].min()
        rows = [
            part.filter(pl.col("known_ns") == first_ns).drop("event_ns", "known_ns").row(0)
            for part in (again, before)
        ]
        event_ns = again.filter(pl.col("known_ns") == first_ns)["event_ns"][0]
        raise DataError(
            f"{other.source} contradicts the files before it at {say_time(int(event_ns))}: "
            f"{_values(columns[2:], rows[0])} there, {_values(columns[2:], rows[1])} before",
            "leave out the file that is wrong",
        )
    return table.filter(~pl.col("known_ns").is_in(known["known_ns"].implode()))


def _values(columns: Sequence[str], row: tuple[object, ...]) -> str:
    return ", ".join(f"{column} {value}" for column, value in zip(columns, row, strict=True))

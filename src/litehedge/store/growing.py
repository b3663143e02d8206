"""Data sets that grow: rows are added day by day, each version whole as in `store/lake.py`.

A recorder and long downloads add to the end of a data set many times a day. Its files are days, so
that an addition rewrites the days it touches; all others are the same files under a new name.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import polars as pl
from polars.exceptions import PanicException, PolarsError

import litehedge
from litehedge.errors import DataError
from litehedge.feeds.archive import Series
from litehedge.store.lake import Dataset, Lake, check_name, new_version
from litehedge.store.manifest import Part, Source
from litehedge.units import NS_PER_DAY, instant_ns

_DAY: Final = len("2021-05-19")


def held(lake: Lake, name: str) -> Dataset | None:
    """Return a data set, None when there is none.

    Raises
    ------
    DataError
        When there is one that cannot be used.
    """
    found = next((one for one in lake.datasets() if one.name == name), None)
    if found is None:
        for broken, reason in lake.broken():
            if broken == name:
                raise DataError(f"data set {name} cannot grow: {reason}", "move it away")
    return found


def mark_of(dataset: Dataset | None) -> str:
    """Return the last source that was added with `is_chain`; empty when there is none."""
    return "" if dataset is None or not dataset.sources else dataset.sources[-1].file


def append(
    lake: Lake,
    one: Series,
    name: str,
    *,
    is_chain: bool = False,
    period_ns: tuple[int, int] | None = None,
) -> Dataset:
    """Add the rows of a series to a data set, which need not exist yet.

    Adding the same source again changes nothing, so that whoever was killed may simply do it again.

    Parameters
    ----------
    is_chain
        Sources come in the order of their names, and only the last one is remembered, with a
        checksum over all of them. Else every source is.
    period_ns
        The series tells all of ``start < known_ns <= end``: rows there are replaced.

    Raises
    ------
    DataError
        When the data set holds something else or was imported as a whole, when another process
        writes, or the disk refuses. It is as before then.
    """
    check_name(name)
    with lake.writing(name):
        old = held(lake, name)
        if old is not None:
            _same_thing(old, one)
            if is_chain and one.source <= mark_of(old):
                return old
            if not is_chain and any(s.sha256 == one.sha256 for s in old.sources):
                return old
        if old is None and one.table.is_empty():
            raise DataError(f"{one.source} holds no rows", "leave it out")
        days = _by_day(one.table)
        kept_rows = {part.month: part.rows for part in old.parts} if old is not None else {}
        touched = set(days)
        if period_ns is not None:
            touched |= {day for day in kept_rows if _overlaps(day, period_ns)}
        tables: dict[str, pl.DataFrame] = {}
        rows = dict(kept_rows)
        for day in sorted(touched):
            parts = [days[day]] if day in days else []
            if old is not None and day in kept_rows:
                before = _read(lake, old, day)
                if period_ns is not None:
                    known = pl.col("known_ns")
                    before = before.filter((known <= period_ns[0]) | (known > period_ns[1]))
                parts.insert(0, before)
            table = pl.concat(parts, how="diagonal").sort("known_ns", maintain_order=True)
            if table.is_empty():
                rows.pop(day, None)
            else:
                tables[day] = table
                rows[day] = table.height
        starts = [int(t["event_ns"].min()) for t in tables.values()]  # type: ignore[arg-type]
        ends = [int(t["event_ns"].max()) for t in tables.values()]  # type: ignore[arg-type]
        first_ns = min(starts, default=0) - (one.interval_ns if one.kind == "bars" else 0)
        dataset = Dataset(
            name=name, kind=one.kind, asset=one.asset, symbol=one.symbol, venue=one.venue,
            market=one.market, unit=one.unit, rows=sum(rows.values()),
            interval_ns=one.interval_ns if old is None else old.interval_ns,
            start_ns=first_ns if old is None else min(first_ns, old.start_ns),
            end_ns=max(ends, default=0) if old is None else max(*ends, old.end_ns, 0),
            sources=_sources(old, one, is_chain=is_chain),
            parts=tuple(Part(day, count) for day, count in sorted(rows.items())),
            version=new_version(), created_by=litehedge.__version__,
        )  # fmt: skip
        lake.put(dataset, tables, old)
    return dataset


def size_bytes(lake: Lake, dataset: Dataset) -> dict[str, int]:
    """Return how many bytes each day of a data set takes."""
    sizes = {}
    for part in dataset.parts:
        path = lake.part(dataset, part.month)
        sizes[part.month] = path.stat().st_size if path.is_file() else 0
    return sizes


def drop_before(lake: Lake, name: str, day: str) -> int:
    """Forget the days before `day` (``2026-11-23``); return how many. The last one always stays.

    Raises
    ------
    DataError
        When another process writes, or the disk refuses. The data set is as before then.
    """
    with lake.writing(name):
        old = held(lake, name)
        if old is None:
            return 0
        parts = tuple(p for p in old.parts if p.month >= day) or old.parts[-1:]
        if len(parts) == len(old.parts):
            return 0
        first = _read(lake, old, parts[0].month)
        shortest = old.interval_ns if old.kind == "bars" else 0
        lake.put(
            replace(
                old, parts=parts, rows=sum(p.rows for p in parts), version=new_version(),
                start_ns=int(first["event_ns"].min()) - shortest,  # type: ignore[arg-type]
            ),
            {}, old,
        )  # fmt: skip
    return len(old.parts) - len(parts)


def retain(
    lake: Lake, names: Sequence[str], *, before_day: str = "", max_bytes: int | None = None
) -> int:
    """Forget the oldest days of some data sets until none is too old and all fit into the room.

    Return how many files went. A day goes from all of them at once.

    Raises
    ------
    DataError
        As `drop_before` does.
    """
    sizes = {name: size_bytes(lake, one) for name in names if (one := held(lake, name)) is not None}
    days = sorted({day for some in sizes.values() for day in some})
    total = sum(size for some in sizes.values() for size in some.values())
    cutoff = before_day
    for day in days[:-1]:
        if max_bytes is None or total <= max_bytes:
            break
        total -= sum(some.get(day, 0) for some in sizes.values())
        cutoff = max(cutoff, days[days.index(day) + 1])
    if not cutoff:
        return 0
    return sum(
        drop_before(lake, name, cutoff) for name, some in sizes.items() if min(some) < cutoff
    )


def _by_day(table: pl.DataFrame) -> dict[str, pl.DataFrame]:
    # As in the lake: what is known at midnight belongs to the day that has ended.
    day = pl.from_epoch(pl.col("known_ns") - 1, time_unit="ns").dt.strftime("%Y-%m-%d")
    parts = table.with_columns(day=day).partition_by("day", as_dict=True, include_key=False)
    return {str(key[0]): part for key, part in parts.items()}


def _overlaps(day: str, period_ns: tuple[int, int]) -> bool:
    start_ns = instant_ns(day)
    return start_ns < period_ns[1] and period_ns[0] < start_ns + NS_PER_DAY


def _read(lake: Lake, dataset: Dataset, day: str) -> pl.DataFrame:
    try:
        return pl.read_parquet(lake.part(dataset, day))
    except (PolarsError, PanicException, OSError) as error:
        raise DataError(
            f"{day} of data set {dataset.name} is missing or damaged ({str(error)[:120]})",
            f"move the data set away, or forget it: {lake.root / dataset.name}",
        ) from None


def _same_thing(old: Dataset, one: Series) -> None:
    for what in ("kind", "asset", "symbol", "venue", "market", "unit"):
        a, b = getattr(old, what), getattr(one, what)
        if a != b:
            raise DataError(
                f"data set {old.name} holds {what} {a}, not {b}", "choose another name for it"
            )
    if any(len(part.month) != _DAY for part in old.parts):
        raise DataError(
            f"data set {old.name} was imported as a whole", "choose another name for what grows"
        )


def _sources(old: Dataset | None, one: Series, *, is_chain: bool) -> tuple[Source, ...]:
    before = () if old is None else old.sources
    if not is_chain:
        # A file that came again, corrected, takes the place of the one of its name.
        kept = tuple(source for source in before if source.file != one.source)
        return (*kept, Source(one.source, one.sha256, one.table.height))
    past = before[-1] if before else Source("", "", 0)
    digest = hashlib.sha256((past.sha256 + one.sha256).encode()).hexdigest()
    return (Source(one.source, digest, past.rows + one.table.height),)

"""What `litehedge data check` says of recorded feeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Final

import polars as pl
from rich.table import Table

from litehedge.cli.common import print_table, write_json
from litehedge.cli.data_words import line, say
from litehedge.errors import DataError
from litehedge.feeds.coverage import (
    DayCoverage,
    ForcedCoverage,
    days_of,
    forced_coverage,
    spans_of,
    united,
)
from litehedge.live.recorder_compact import PREFIX
from litehedge.store.lake import Dataset, Lake
from litehedge.units import NS_PER_SECOND, describe_ns, iso_utc

DAYS_SHOWN: Final = 10


def coverage_of(lake: Lake, dataset: Dataset, table: pl.DataFrame) -> list[DayCoverage]:
    """Return each day of a data set; gaps are those that were recorded, of bars the missing ones.

    Raises
    ------
    DataError
        When a file is missing or damaged.
    """
    span = (dataset.start_ns, dataset.end_ns)
    if dataset.kind == "bars":
        return days_of(table, span, united(lake.gaps(dataset)))
    return days_of(table, span, spans_of(_gaps(lake, dataset), dataset.kind))


def print_days(days: Sequence[DayCoverage]) -> None:
    """Print the last days of a data set."""
    shown = days[-DAYS_SHOWN:]
    for label, day in zip(["days", *[""] * len(shown)], shown, strict=False):
        repeated = f", {day.repeated:,} repeated" if day.repeated else ""
        line(
            label,
            f"{day.day}  {100 * day.coverage:6.2f} % covered, {day.gaps:,} gaps, "
            f"{day.rows:,} rows, {day.per_s:.3g}/s, age {day.age_ms:,.0f} ms "
            f"(99 %: {day.worst_age_ms:,.0f}){repeated}",
        )
    if len(days) > DAYS_SHOWN:
        line("", f"and {len(days) - DAYS_SHOWN:,} days before")


def check_recorded(lake: Lake, *, as_json: bool) -> None:
    """Print every recorded feed, and the estimate for forced orders.

    Raises
    ------
    DataError
        When nothing was recorded yet, or a file is damaged.
    """
    everything = [one for one in lake.datasets() if one.name.startswith(PREFIX)]
    feeds = [one for one in everything if one.kind != "gaps"]
    if everything and not feeds:
        _only_gaps(lake, everything, as_json=as_json)
        return
    if not feeds:
        raise DataError(
            "nothing was recorded yet", "record: litehedge data record, or name a data set"
        )
    days = {one.name: coverage_of(lake, one, lake.read(one.name)) for one in feeds}
    forced = _forced(lake, feeds)
    if as_json:
        write_json(
            {
                "feeds": [
                    {"name": one.name, "kind": one.kind, "venue": one.venue, "rows": one.rows,
                     "days": [asdict(day) for day in days[one.name]]}
                    for one in feeds
                ],
                "forced": [{**named, **asdict(found)} for named, found in forced],
            },
            "-",
        )  # fmt: skip
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("feed", no_wrap=True)
    for column in ("days", "covered", "gaps", "longest", "rows", "per s", "age ms", "repeated"):
        table.add_column(column, justify="right", no_wrap=True)
    for one in feeds:
        table.add_row(one.name, *_row(lake, one, days[one.name]))
    print_table(table)
    for named, found in forced:
        say(_said(named, found))


def _only_gaps(lake: Lake, sets: Sequence[Dataset], *, as_json: bool) -> None:
    """Print the gaps where a recording heard nothing at all."""
    rows = pl.concat([lake.read(one.name) for one in sets], how="diagonal").sort("start_ns")
    if as_json:
        write_json({"feeds": [], "forced": [], "gaps": rows.to_dicts()}, "-")
        return
    say(f"the recorder ran and heard nothing: {rows.height:,} gaps, the last ones (UTC):")
    for row in rows.tail(DAYS_SHOWN).iter_rows(named=True):
        span = describe_ns((row["event_ns"] - row["start_ns"]) // NS_PER_SECOND * NS_PER_SECOND)
        source = row["source"] or "all feeds"
        line("", f"{iso_utc(row['start_ns'])}  {source}, {span}  {row['why']}".rstrip())


def _row(lake: Lake, dataset: Dataset, days: Sequence[DayCoverage]) -> list[str]:
    span_s = max((dataset.end_ns - dataset.start_ns) / NS_PER_SECOND, 1e-9)
    gone_s = sum(day.gap_s for day in days)
    spans = (
        united(lake.gaps(dataset)) if dataset.kind == "bars"
        else spans_of(_gaps(lake, dataset), dataset.kind)
    )  # fmt: skip
    longest = max((b - a for a, b in spans), default=0) // NS_PER_SECOND * NS_PER_SECOND
    ages = [day.age_ms for day in days if day.rows]
    return [
        f"{len(days):,}",
        f"{100 * (1 - min(gone_s / span_s, 1.0)):.2f} %",
        f"{len(spans):,}",
        describe_ns(longest) if longest else "",
        f"{dataset.rows:,}",
        f"{dataset.rows / span_s:.3g}",
        f"{sorted(ages)[len(ages) // 2]:,.0f}" if ages else "",
        f"{sum(day.repeated for day in days):,}",
    ]


def _gaps(lake: Lake, dataset: Dataset) -> pl.DataFrame:
    """Return what was recorded of gaps of a venue; nothing where nothing was."""
    name = f"{PREFIX}{dataset.venue}_gaps"
    if dataset.name.startswith(PREFIX) and any(one.name == name for one in lake.datasets()):
        return lake.read(name)
    return pl.DataFrame({"start_ns": [], "event_ns": [], "source": [], "kinds": []})


def _forced(lake: Lake, feeds: Sequence[Dataset]) -> list[tuple[dict[str, str], ForcedCoverage]]:
    """Return the estimate for each venue that told forced orders, open interest and prices."""
    by_name = {one.name: one for one in feeds}
    found = []
    for venue in sorted({one.venue for one in feeds}):
        names = [f"{PREFIX}{venue}_{end}" for end in ("liquidations", "open_interest", "ltc_1m")]
        if not all(name in by_name for name in names):
            continue
        told, levels, bars = (lake.read(name) for name in names)
        for (feed,), part in sorted(told.partition_by("feed", as_dict=True).items()):
            found.append(({"venue": venue, "feed": str(feed)}, forced_coverage(part, levels, bars)))
    return found


def _said(named: dict[str, str], found: ForcedCoverage) -> str:
    what = f"forced orders of {named['venue']} ({named['feed']})"
    if found.windows == 0:
        return f"{what}: no squeeze was recorded, so that nothing can be said about coverage"
    return (
        f"{what}: about {100 * found.share:.0f} % of what open interest lost in {found.windows:,} "
        f"squeezes ({found.forced_usdt:,.0f} of {found.oi_drop_usdt:,.0f} USDT; half of them "
        f"between {100 * found.low:.0f} and {100 * found.high:.0f} %). An estimate: see --help"
    )

"""How commands about data name data sets, times and gaps."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from litehedge.cli.common import console
from litehedge.store.lake import Dataset
from litehedge.store.survey import Gap
from litehedge.units import NS_PER_DAY, NS_PER_HOUR, NS_PER_MINUTE, describe_ns, iso_utc


def facts(dataset: Dataset) -> dict[str, Any]:
    """Return what a data set is, for JSON."""
    facts = asdict(dataset)
    del facts["parts"]
    start, end = iso_utc(dataset.start_ns), iso_utc(dataset.end_ns)
    return {**facts, "interval": dataset.interval, "start": start, "end": end}


def what(dataset: Dataset) -> str:
    """Say what a data set holds."""
    every = f"{dataset.interval} " if dataset.kind == "bars" else ""
    unit = f" in {dataset.unit}" if dataset.unit else ""
    return f"{dataset.symbol} {dataset.market}, {every}{kind(dataset)}{unit}"


def kind(dataset: Dataset) -> str:
    """Say the kind of a data set."""
    return dataset.kind.replace("_", " ")


def gap(found: Gap | None) -> dict[str, Any] | None:
    """Return a gap for JSON."""
    if found is None:
        return None
    return {
        "start": iso_utc(found.start_ns),
        "end": iso_utc(found.end_ns),
        "start_ns": found.start_ns,
        "end_ns": found.end_ns,
        "length": length(found.length_ns),
    }


def gap_text(gap: Gap) -> str:
    """Write a gap on a line."""
    return f"{iso_utc(gap.start_ns)} .. {iso_utc(gap.end_ns)}  {length(gap.length_ns)}"


def length(span_ns: int) -> str:
    """Write a length of time with its two largest units: ``417d 20h``."""
    words = []
    for unit, size in (("d", NS_PER_DAY), ("h", NS_PER_HOUR), ("m", NS_PER_MINUTE)):
        count, span_ns = divmod(span_ns, size)
        if count:
            words.append(f"{count}{unit}")
    return " ".join(words[:2]) or describe_ns(span_ns)


def line(label: str, text: str) -> None:
    """Print a line with its label."""
    say(f"  {label:<8}{text}")


def say(text: str, style: str = "") -> None:
    """Print a line."""
    # No markup: file names may hold brackets.
    console.print(text, style=style, markup=False, highlight=False, soft_wrap=True)

"""Whose data a file holds: what its name, the file inside a zip and its columns say together."""

from __future__ import annotations

from pathlib import PurePath

import numpy as np
import polars as pl

from litehedge.errors import DataError
from litehedge.feeds import names
from litehedge.feeds.rawtable import RawTable


def same_names(name: str, outer: names.NameFacts, inner: names.NameFacts) -> None:
    """Refuse a zip whose name and the name of the file inside contradict each other.

    Raises
    ------
    DataError
        With what they differ in.
    """
    for what, a, b in (
        ("symbol", outer.symbol, inner.symbol),
        ("period", outer.period, inner.period),
        ("kind", outer.kind, inner.kind),
        ("bar length", outer.interval_ns, inner.interval_ns),
    ):
        if a is not None and b is not None and a != b:
            raise DataError(
                f"{name} and the file inside it differ in {what}: {a} and {b}",
                "one of them was renamed; fetch it again",
            )


def symbol_of(raw: RawTable, given: str | None, facts: names.NameFacts, notes: list[str]) -> str:
    """Return the symbol from what a person gave, the column `symbol`, the name; else LTCUSDT.

    Raises
    ------
    DataError
        When the column holds several symbols, or another than was given or named.
    """
    named = given if given is not None else facts.symbol
    if "symbol" not in raw.table.columns:
        if named is None:
            notes.append("symbol LTCUSDT assumed: the file name names no coin (see --symbol)")
        return named if named is not None else "LTCUSDT"
    column = raw.table["symbol"].cast(pl.String)
    differing = (column.ne_missing(column[0])).to_numpy()
    if differing.any():
        row = int(np.argmax(differing))
        raise DataError(
            f"{raw.where(row)}: symbol is {column[row]}, above it is {column[0]}",
            "split the file: one symbol per file",
        )
    inside = str(column[0] or "").upper().split(".")[0]  # LTCUSD_PERP.A: A is the venue's letter
    if not inside:
        raise DataError(f"{raw.where(0)}: symbol is missing", "fill in the symbol")
    # "ltc" in a name says the coin alone; LTCUSDT in full says more.
    exact = given is not None or (facts.symbol or "").lower() in PurePath(raw.name).stem.lower()
    differs = named is not None and (
        inside != named if exact else names.asset_of(inside) != names.asset_of(named)
    )
    if differs:
        raise DataError(
            f"{raw.name} holds rows of {inside}, not of {named}",
            "rename the file" if given is None else "check --symbol",
        )
    return inside

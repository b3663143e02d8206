"""What cannot be true in recorded history: each check names the first row that breaks it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from litehedge.errors import DataError
from litehedge.feeds.names import period_ns
from litehedge.feeds.rawtable import Floats, Ints, RawTable, say_time
from litehedge.units import NS_PER_DAY, describe_ns

_WEEK_NS: Final = 7 * NS_PER_DAY
_FIRST_MONDAY_NS: Final = 4 * NS_PER_DAY  # 1970-01-05: weekly bars open on Mondays


def refuse_where(
    raw: RawTable,
    bad: NDArray[np.bool_],
    columns: Sequence[str],
    what: str,
    remedy: str,
) -> None:
    """Refuse the file at the first bad row, with the row's values.

    Raises
    ------
    DataError
        When any row is bad.
    """
    if bad.any():
        row = int(np.argmax(bad))
        values = ", ".join(f"{column} {raw.value(column, row)}" for column in columns)
        raise DataError(f"{raw.where(row)}: {values}: {what}", remedy)


def increasing(raw: RawTable, time_ns: Ints, *, repeats: bool = False) -> None:
    """Refuse rows out of order and, unless `repeats`, two rows of one time.

    Raises
    ------
    DataError
        At the first such row.
    """
    steps = np.diff(time_ns)
    back = steps < 0
    if back.any():
        row = int(np.argmax(back)) + 1
        raise DataError(
            f"{raw.where(row)}: {say_time(int(time_ns[row]))} comes after "
            f"{say_time(int(time_ns[row - 1]))}: the rows are not in order of time",
            "sort the file by time, oldest first",
        )
    if not repeats and (steps == 0).any():
        row = int(np.argmax(steps == 0)) + 1
        raise DataError(
            f"{raw.where(row)}: {say_time(int(time_ns[row]))} was already there in the row above",
            "delete one of the two rows",
        )


def usual_spacing(time_ns: Ints) -> int:
    """Return the most common time between rows; of several the smallest; 0 for a single row."""
    if time_ns.size < 2:
        return 0
    spacings, counts = np.unique(np.diff(time_ns), return_counts=True)
    return int(spacings[np.argmax(counts)])


def interval(raw: RawTable, open_ns: Ints, stated_ns: int | None) -> int:
    """Return the length of the bars; all open on its grid and lie whole bars apart.

    Raises
    ------
    DataError
        When it cannot be told, differs from what the name states, or a row is off the grid.
    """
    found_ns = usual_spacing(open_ns)
    if found_ns == 0:
        if stated_ns is None:
            raise DataError(
                f"{raw.name} holds a single row, which does not tell the length of a bar",
                "say it in the file name: ltc_spot_1m.csv",
            )
        found_ns = stated_ns
    if stated_ns is not None and found_ns != stated_ns:
        raise DataError(
            f"{raw.name} is called {describe_ns(stated_ns)}, but its rows are "
            f"{describe_ns(found_ns)} apart (first {say_time(int(open_ns[0]))}, "
            f"then {say_time(int(open_ns[1]))})",
            "rename the file, or export it again",
        )
    off = np.diff(open_ns) % found_ns != 0
    if off.any():
        row = int(np.argmax(off)) + 1
        raise DataError(
            f"{raw.where(row)}: {say_time(int(open_ns[row]))} is "
            f"{describe_ns(int(open_ns[row] - open_ns[row - 1]))} after the row above, not a "
            f"multiple of the bar length {describe_ns(found_ns)}",
            "export bars of one length; split the file where the length changes",
        )
    anchor_ns = _FIRST_MONDAY_NS if found_ns == _WEEK_NS else 0
    if (int(open_ns[0]) - anchor_ns) % found_ns != 0:
        raise DataError(
            f"{raw.where(0)}: {say_time(int(open_ns[0]))} is not the open of a "
            f"{describe_ns(found_ns)} bar (UTC)",
            "write the open of each bar in UTC, not its close and not local time",
        )
    return found_ns


def within(raw: RawTable, time_ns: Ints, period: str | None, *, end_included: bool = False) -> None:
    """Refuse rows outside the month or day that the file name states.

    Raises
    ------
    DataError
        At the first such row.
    """
    if period is None:
        return
    start, end = period_ns(period)
    outside = (time_ns < start) | ((time_ns > end) if end_included else (time_ns >= end))
    if outside.any():
        row = int(np.argmax(outside))
        raise DataError(
            f"{raw.where(row)}: {say_time(int(time_ns[row]))} is not in {period}, "
            "as the file name says",
            "rename the file, or fetch it again",
        )


def prices_and_volume(
    raw: RawTable,
    prices: Mapping[str, Floats],
    volume: Floats,
    market: str,
    stated: str | None,
) -> tuple[str, Floats]:
    """Refuse bars that cannot be; return their market and volume.

    Bars whose price moves while every volume is 0 are mark prices: nobody trades at the mark. Their
    volume becomes NaN. A bar without trades is flat, and stays.

    Parameters
    ----------
    market, stated
        The market as far as known, and when a person or the name says so in words, that.

    Raises
    ------
    DataError
        At the first such bar, or when mark prices are called something else.
    """
    columns = ("open", "high", "low", "close")
    for column in columns:
        refuse_where(
            raw, prices[column] <= 0.0, (column,), "not above zero", "correct or delete that row"
        )
    top = np.maximum(prices["open"], prices["close"])
    bottom = np.minimum(prices["open"], prices["close"])
    half_written = "the bar contradicts itself, as if it was written before it closed"
    refuse_where(
        raw,
        (prices["high"] < top) | (prices["low"] > bottom),
        columns,
        half_written,
        "delete that row or fetch it again",
    )
    refuse_where(raw, volume < 0.0, ("volume",), "below zero", "correct or delete that row")
    idle = volume == 0.0
    moved = prices["high"] > prices["low"]
    if idle.all() and (moved.any() or market == "mark"):
        if stated not in (None, "mark", "unknown"):
            raise DataError(
                f"{raw.name} is called {stated}, but has volume 0 in every row although the price "
                "moves, as mark prices do",
                "import it with --market mark, or with the volume it should have",
            )
        return "mark", np.full(volume.size, np.nan)
    if market == "mark":
        refuse_where(
            raw,
            ~idle,
            ("volume",),
            "mark prices have no volume",
            "import it with --market perp or spot",
        )
    refuse_where(
        raw,
        idle & moved,
        (*columns, "volume"),
        "the price moved without a trade",
        "fetch the volume again, or delete that row",
    )
    return market, volume

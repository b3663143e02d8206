"""Bytes of a zip, CSV or Parquet file as columns, and columns as times and numbers.

Nothing is repaired here: what cannot be read is named by file, line and value.
"""

from __future__ import annotations

import csv
import io
import lzma
import re
import struct
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import PurePath
from typing import Final, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray
from polars.exceptions import PanicException, PolarsError

from litehedge.errors import DataError
from litehedge.units import NS_PER_DAY, NS_PER_SECOND, iso_utc

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

_KLINE_COLUMNS: Final = (
    "open_time", "open", "high", "low", "close", "volume", "close_time", "quote_volume",
    "count", "taker_buy_volume", "taker_buy_quote_volume", "ignore",
)  # fmt: skip
_EARLIEST_S: Final = 1_230_768_000  # 2009-01-01: before the first coin
_LATEST_S: Final = 4_102_444_800  # 2100-01-01
_UNITS: Final = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_TEXT_FORMATS: Final = ("%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M", "%Y-%m-%d")
_OFFSET_FORMAT: Final = "%Y-%m-%d %H:%M:%S%.f%#z"
_ZIP_ERRORS: Final = (
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error,
    EOFError, OSError, RuntimeError, ValueError,
)  # fmt: skip
_LARGEST_MEMBER: Final = 2 * 1024**3


@dataclass(frozen=True, slots=True)
class RawTable:
    """The columns of a file as they are, and how to name its rows to a person.

    Parameters
    ----------
    name
        The file, as messages call it.
    table
        Columns with lower-case names; text throughout when the file is text.
    label
        ``line`` of a text file, ``row`` of a Parquet file.
    positions
        Number of each row in the file, from 1.
    member
        The file inside the zip, without its ending; empty when there is no zip.
    """

    name: str
    table: pl.DataFrame
    label: Literal["line", "row"]
    positions: Ints
    member: str = ""

    def where(self, row: int) -> str:
        """Name a row: ``ltc.csv, line 7``."""
        return f"{self.name}, {self.label} {self.positions[row]}"

    def value(self, column: str, row: int) -> str:
        """Return what the file says there."""
        cells = self.table[column]
        # A damaged time may lie beyond any calendar: its number can always be written.
        return str(cells.to_physical()[row] if cells.dtype.is_temporal() else cells[row])

    def without(self, drop: NDArray[np.bool_]) -> RawTable:
        """Return the table without some rows; the others keep their positions."""
        kept = self.table.filter(pl.Series(~drop))
        return RawTable(self.name, kept, self.label, self.positions[~drop], self.member)


def open_table(payload: bytes, name: str) -> RawTable:
    """Read the bytes of a ``.zip``, ``.csv`` or ``.parquet`` file.

    Raises
    ------
    DataError
        When the content is not what the ending says, is empty, cut off or not readable.
    """
    ending = PurePath(name).suffix.lower()
    if not payload:
        raise DataError(f"{name} is empty (0 bytes)", "fetch or export it again")
    if ending == ".zip":
        return _open_zip(payload, name)
    if ending == ".csv":
        return _open_csv(payload, name, "")
    if ending == ".parquet":
        return _open_parquet(payload, name)
    raise DataError(
        f"{name} ends in {ending or 'nothing'}, not in .zip, .csv or .parquet",
        "give a Binance archive zip, a CSV or a Parquet file (unpack other formats first)",
    )


def _open_zip(payload: bytes, name: str) -> RawTable:
    try:
        if not zipfile.is_zipfile(io.BytesIO(payload)):
            raise DataError(
                f"{name} is not a zip file, or only a part of one{_looks_like(payload)}",
                "fetch it again",
            )
        with zipfile.ZipFile(io.BytesIO(payload)) as archive:
            members = [info for info in archive.infolist() if not info.is_dir()]
            if len(members) != 1:
                listed = ", ".join(info.filename for info in members[:4]) or "none"
                raise DataError(
                    f"{name} holds {len(members)} files ({listed}), not one CSV",
                    "unpack it and import the CSV files themselves",
                )
            member = members[0]
            if PurePath(member.filename).suffix.lower() != ".csv":
                raise DataError(
                    f"{name} holds {member.filename}, not a CSV file",
                    "unpack it and import what is inside, if that is CSV or Parquet",
                )
            if member.file_size > _LARGEST_MEMBER:
                raise DataError(
                    f"{name} unpacks to {member.file_size:,} bytes, more than a month of bars has",
                    "check where the file comes from",
                )
            text = archive.read(member)
    except _ZIP_ERRORS as error:
        raise DataError(f"{name} is damaged or locked ({error})", "fetch it again") from None
    if not text:
        raise DataError(f"{name} holds an empty file {member.filename}", "fetch it again")
    return _open_csv(text, name, PurePath(member.filename).stem)


def _open_csv(payload: bytes, name: str, member: str) -> RawTable:
    payload = payload.removeprefix(b"\xef\xbb\xbf")
    kind = _looks_like(payload)
    try:
        text = payload.decode("utf-8")
    except UnicodeDecodeError:
        raise DataError(f"{name} is not UTF-8 text{kind}", "save it as UTF-8 CSV") from None
    if kind or "\0" in text:
        raise DataError(f"{name} is not CSV text{kind}", "give it the ending that its content has")
    try:
        table = pl.read_csv(payload, has_header=False, infer_schema=False)
    except (PolarsError, PanicException, ValueError):
        raise _ragged(text, name) from None
    _whole_last_line(text, name, table.width)
    table = table.with_columns(pl.all().str.strip_chars().replace("", None))
    positions = np.arange(1, table.height + 1, dtype=np.int64)
    blank = table.select(pl.all_horizontal(pl.all().is_null())).to_series().to_numpy()
    table, positions = table.filter(pl.Series(~blank)), positions[~blank]
    if table.is_empty():
        raise DataError(f"{name} holds no rows", "fetch or export it again")
    first = table.row(0)
    if re.fullmatch(r"[-+0-9.:TZ ]+", first[0] or ""):
        if table.width != len(_KLINE_COLUMNS):
            raise DataError(
                f"{name} has no header line and {table.width} columns",
                "write a first line like ts,open,high,low,close,volume "
                f"(only archive bars with {len(_KLINE_COLUMNS)} columns may go without)",
            )
        table.columns = list(_KLINE_COLUMNS)
    else:
        table.columns = _header(name, [str(cell or "") for cell in first])
        table, positions = table[1:], positions[1:]
        if table.is_empty():
            raise DataError(f"{name} holds a header line and no rows", "fetch or export it again")
    return RawTable(name, table, "line", positions, member)


def _whole_last_line(text: str, name: str, width: int) -> None:
    text = text.rstrip()
    last = text[text.rfind("\n") + 1 :]
    fields = last.count(",") + 1
    if '"' not in last and fields < width:
        raise DataError(
            f"{name}, line {text.count(chr(10)) + 1} has {fields} of {width} fields ({last[:60]}): "
            "the file was cut off",
            "fetch or export it again",
        )


def _header(name: str, cells: list[str]) -> list[str]:
    header = [cell.strip().lower() for cell in cells]
    for column in header:
        if column and header.count(column) > 1:
            raise DataError(f"{name} has two columns called {column}", "rename one of them")
    # A column without a name (an exported index, say) is of no use, but no harm either.
    return [column or f"(column {place})" for place, column in enumerate(header, start=1)]


def _ragged(text: str, name: str) -> DataError:
    """Find the line that the CSV reader choked on."""
    reader = csv.reader(io.StringIO(text), strict=True)
    width = None
    try:
        for cells in reader:
            width = len(cells) if width is None else width
            if len(cells) > width:
                return DataError(
                    f"{name}, line {reader.line_num} has {len(cells)} fields, the first line "
                    f"has {width}",
                    "correct the line (numbers need a point as decimal mark)",
                )
    except csv.Error as error:
        return DataError(
            f"{name}, line {reader.line_num} is not CSV ({error})", "correct it or export again"
        )
    return DataError(f"{name} is not readable as CSV", "separate the fields with commas")


def _open_parquet(payload: bytes, name: str) -> RawTable:
    if payload[:4] != b"PAR1":
        raise DataError(
            f"{name} is not a Parquet file{_looks_like(payload)}",
            "give it the ending that its content has, or export it again",
        )
    try:
        table = pl.read_parquet(io.BytesIO(payload))
    except (PolarsError, PanicException, OSError, ValueError) as error:
        reason = str(error).splitlines()[0][:120] if str(error) else type(error).__name__
        raise DataError(
            f"{name} is a damaged or cut-off Parquet file ({reason})", "fetch or export it again"
        ) from None
    if table.is_empty():
        raise DataError(f"{name} holds no rows", "fetch or export it again")
    table.columns = _header(name, table.columns)
    return RawTable(name, table, "row", np.arange(1, table.height + 1, dtype=np.int64))


def _looks_like(payload: bytes) -> str:
    for magic, kind in (
        (b"PAR1", "Parquet"),
        (b"PK\x03\x04", "zip"),
        (b"\x1f\x8b", "gzip"),
        (b"<", "a web page or XML"),
        (b"{", "JSON"),
    ):
        if payload.lstrip()[: len(magic)] == magic:
            return f": it looks like {kind}"
    return ""


# --- columns ----------------------------------------------------------------------------------


def numbers(raw: RawTable, column: str) -> Floats:
    """Return a column as finite numbers.

    Raises
    ------
    DataError
        At the first value that is missing or not a finite number.
    """
    given = raw.table[column]
    if not (given.dtype.is_numeric() or given.dtype == pl.String):
        raise DataError(
            f"{raw.name}: column {column} holds {given.dtype}, not numbers", "export it as numbers"
        )
    values = given.cast(pl.Float64, strict=False).to_numpy()
    bad = ~np.isfinite(values)
    if bad.any():
        _refuse_cell(raw, column, int(np.argmax(bad)), "a number")
    return values


def missing(raw: RawTable, column: str) -> NDArray[np.bool_]:
    """Return which rows leave the column empty."""
    given = raw.table[column]
    empty = given.is_null()
    if given.dtype.is_float():
        empty |= given.is_nan().fill_null(False)
    flags: NDArray[np.bool_] = empty.to_numpy()
    return flags


def _refuse_cell(raw: RawTable, column: str, row: int, wanted: str) -> None:
    if raw.table[column][row] is not None:
        raise DataError(
            f"{raw.where(row)}: {column} is {raw.value(column, row)}, not {wanted}",
            "correct or delete that row",
        )
    raise DataError(f"{raw.where(row)}: {column} is missing", "fill in or delete that row")


def times_ns(raw: RawTable, column: str) -> Ints:
    """Return a column of times: dates and times of any unit, epochs in s, ms, us or ns, ISO text.

    Text without an offset is UTC. The unit of an epoch follows from its magnitude, and is the
    same in all rows.

    Raises
    ------
    DataError
        At the first value that is missing, unreadable, outside 2009 .. 2100, or in another unit
        than the first.
    """
    given = raw.table[column]
    gone = given.is_null().to_numpy()
    if gone.any():
        _refuse_cell(raw, column, int(np.argmax(gone)), "a time")
    if given.dtype == pl.String:
        if re.fullmatch(r"[-+]?\d+", given[0]) is None:
            return _parse_text(raw, column)
        epochs = given.cast(pl.Int64, strict=False)
        unreadable = epochs.is_null().to_numpy()
        if unreadable.any():
            _refuse_cell(raw, column, int(np.argmax(unreadable)), "a whole number like the first")
        return _from_epochs(raw, column, epochs.to_numpy())
    if isinstance(given.dtype, pl.Datetime):
        unit = _UNITS[given.dtype.time_unit]
        return _from_unit(raw, column, given.to_physical().to_numpy(), unit)
    if given.dtype == pl.Date:
        days = given.to_physical().cast(pl.Int64).to_numpy()
        return _from_unit(raw, column, days * (NS_PER_DAY // NS_PER_SECOND), 1)
    if given.dtype.is_integer():
        epochs = given.cast(pl.Int64, strict=False).fill_null(-1)
        return _from_epochs(raw, column, epochs.to_numpy())
    raise DataError(
        f"{raw.name}: column {column} holds {given.dtype}, not times",
        "write a date and time, a whole epoch in s, ms, us or ns, or ISO text",
    )


def _from_unit(raw: RawTable, column: str, stamps: Ints, per_second: int) -> Ints:
    outside = (stamps < _EARLIEST_S * per_second) | (stamps > _LATEST_S * per_second)
    if outside.any():
        row = int(np.argmax(outside))
        raise DataError(
            f"{raw.where(row)}: {column} {raw.value(column, row)} lies outside 2009 .. 2100",
            "check the unit of the times in the file",
        )
    return stamps * (NS_PER_SECOND // per_second)


def _from_epochs(raw: RawTable, column: str, epochs: Ints) -> Ints:
    ranges = {unit: (_EARLIEST_S * n, _LATEST_S * n) for unit, n in _UNITS.items()}
    first = int(epochs[0])
    unit = next((u for u, (low, high) in ranges.items() if low <= first <= high), None)
    if unit is None:
        raise DataError(
            f"{raw.where(0)}: {column} {first} lies outside 2009 .. 2100 in s, ms, us and ns",
            "write the times as UTC epochs in one of these units, or as ISO text",
        )
    low, high = ranges[unit]
    outside = (epochs < low) | (epochs > high)
    if outside.any():
        row = int(np.argmax(outside))
        other = next((u for u, (a, b) in ranges.items() if a <= int(epochs[row]) <= b), None)
        if other is None:
            what = f"lies outside 2009 .. 2100, while the first row is in {unit}"
        else:
            what = f"is in {other}, while the first row ({first}) is in {unit}"
        raise DataError(
            f"{raw.where(row)}: {column} {int(epochs[row])} {what}",
            "write all times of a file in one unit",
        )
    return epochs * (NS_PER_SECOND // _UNITS[unit])


def _parse_text(raw: RawTable, column: str) -> Ints:
    text = raw.table[column].str.replace("T", " ", literal=True)
    text = text.str.replace(r"\s*(Z|UTC|\+00:?00)$", "")
    # In microseconds: in nanoseconds a year like 2600 would wrap around into our range.
    cell = pl.col(column).str
    readings = [cell.to_datetime(form, time_unit="us", strict=False) for form in _TEXT_FORMATS]
    offset = cell.to_datetime(_OFFSET_FORMAT, time_unit="us", strict=False)
    readings.append(offset.dt.replace_time_zone(None))
    moments = text.to_frame(column).select(pl.coalesce(readings)).to_series()
    unreadable = moments.is_null().to_numpy()
    if unreadable.any():
        row = int(np.argmax(unreadable))
        raise DataError(
            f"{raw.where(row)}: {column} is {raw.value(column, row)!r}, not a time",
            "write 2021-05-19 12:45:00 (UTC), or a whole epoch in s, ms, us or ns",
        )
    return _from_unit(raw, column, moments.to_physical().to_numpy(), _UNITS["us"])


def say_time(time_ns: int) -> str:
    """Write a time for a message, as exactly as it needs."""
    whole = iso_utc(time_ns, seconds=True)
    fraction = time_ns % NS_PER_SECOND
    return f"{whole}.{fraction:09d}".rstrip("0") if fraction else whole

"""A file that cannot be true is refused with one message: what, where, what to do."""

from __future__ import annotations

import hashlib
import io
import zipfile
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from archive_files import (
    MINUTE,
    as_csv,
    as_parquet,
    as_zip,
    candles,
    csv_lines,
    klines,
    metrics,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from litehedge.errors import DataError, LitehedgeError
from litehedge.feeds.archive import parse, read
from litehedge.units import NS_PER_SECOND, instant_ns


def refusal(payload: bytes, name: str, **stated: str) -> str:
    with pytest.raises(DataError) as caught:
        parse(payload, name, **stated)
    assert caught.value.remedy, "every refusal says what to do"
    return str(caught.value)


def broken_line(row: int, old: str, new: str) -> bytes:
    lines = csv_lines()
    assert old in lines[row]
    lines[row] = lines[row].replace(old, new, 1)
    return as_csv(lines)


LINES = csv_lines()
# line 3 of the file: 2021-05-01 00:01:00,100.5,102.0,100.0,101.0,11.0


@pytest.mark.parametrize(
    ("payload", "says"),
    [
        (
            as_csv([LINES[0], LINES[2], LINES[1], *LINES[3:]]),
            "line 3: 2021-05-01 00:00:00 comes after 2021-05-01 00:01:00",
        ),
        (
            as_csv([*LINES[:3], LINES[2], *LINES[3:]]),
            "line 4: 2021-05-01 00:01:00 was already there",
        ),
        (broken_line(2, "101.0", "nan"), "line 3: close is nan, not a number"),
        (broken_line(2, "101.0", ""), "line 3: close is missing"),
        (broken_line(2, "101.0", "inf"), "line 3: close is inf, not a number"),
        (broken_line(2, "101.0", "1O1.0"), "line 3: close is 1O1.0, not a number"),
        (broken_line(2, "100.0", "-100.0"), "line 3: low -100.0: not above zero"),
        (broken_line(2, "100.5", "0.0"), "line 3: open 0.0: not above zero"),
        (broken_line(2, "102.0", "100.9"), "line 3: open 100.5, high 100.9, low 100.0, close 101."),
        (broken_line(2, ",100.0", ",100.8"), "line 3: open 100.5, high 102.0, low 100.8, close 10"),
        (broken_line(2, "11.0", "-1"), "line 3: volume -1: below zero"),
        (broken_line(2, "11.0", ""), "line 3: volume is missing"),
        (broken_line(2, "11.0", "0"), "volume 0: the price moved without a trade"),
        (as_csv(LINES)[:-12], "line 7 has 4 of 6 fields (2021-05-01 00:05:00,104.5,106.0,104.0)"),
        (broken_line(3, "00:02:00", "yesterday"), "line 4: ts is '2021-05-01 yesterday', not a t"),
        (broken_line(3, "2021", "1970"), "line 4: ts 1970-05-01 00:02:00 lies outside 2009 .. 21"),
        (broken_line(3, "2021", "2600"), "line 4: ts 2600-05-01 00:02:00 lies outside 2009 .. 21"),
        (broken_line(3, "00:02:00", "00:02:30"), "line 4: 2021-05-01 00:02:30 is 1.5m after the "),
        (
            as_csv([line.replace(":00,", ":13,") for line in LINES]),
            "line 2: 2021-05-01 00:00:13 is not the open of a 1m bar (UTC)",
        ),
        (as_csv(csv_lines(6, timedelta(minutes=5))), "is called 1m, but its rows are 5m apart"),
        (b"", "is empty (0 bytes)"),
        (b"\n\n", "holds no rows"),
        (as_csv(LINES[:1]), "holds a header line and no rows"),
        (as_csv(["ts;open;high;low;close;volume", "1;2;3;4;5;6"]), "has columns ts;open;high;low"),
        (as_csv(["time,o,h,l,c,v", "1,2,3,4,5,6"]), "has columns time, o, h, l, c, v: no layout"),
        (as_csv(["ts,open,high,low,close", "1,2,3,4,5"]), "for bars it lacks volume"),
        (as_csv(["ts,open,open,low,close,volume", "1,2,3,4,5,6"]), "two columns called open"),
        (as_csv(LINES[1:]), "has no header line and 6 columns"),
        (as_csv([*LINES[:3], LINES[3] + ",7"]), "line 4 has 7 fields, the first line has 6"),
        (as_csv([*LINES[:3], '"' + LINES[3]]), "line 4 is not CSV"),
        ("ts,open\n2021,Ł".encode("utf-16"), "is not UTF-8 text"),
        (as_parquet(candles()), "looks like Parquet"),
        (as_zip("x", "x.csv"), "looks like zip"),
        (b"<html>not found</html>", "looks like a web page"),
    ],
)
def test_bad_csv_is_refused(payload: bytes, says: str) -> None:
    message = refusal(payload, "in/ltc_spot_1m.csv")
    assert message.startswith("in/ltc_spot_1m.csv")
    assert says in message


def test_every_refusal_lists_the_known_layouts_when_columns_are_unknown() -> None:
    message = refusal(as_csv(["a,b", "1,2"]), "ltc.csv")
    for layout in ("ts,open,high,low,close,volume", "ts,funding_rate", "ts,side,qty,price"):
        assert layout in message


def with_cell(column: str, row: int, value: float | None) -> bytes:
    here = pl.int_range(pl.len()) == row
    cell = pl.when(here).then(pl.lit(value)).otherwise(pl.col(column)).alias(column)
    return as_parquet(candles().with_columns(cell))


def with_epochs(epochs: list[int]) -> bytes:
    return as_parquet(candles(len(epochs)).with_columns(ts=pl.Series(epochs)))


FIRST_S = instant_ns("2021-05-01") // NS_PER_SECOND


@pytest.mark.parametrize(
    ("payload", "says"),
    [
        (with_cell("high", 3, None), "row 4: high is missing"),
        (with_cell("high", 3, float("nan")), "row 4: high is nan, not a number"),
        (with_cell("low", 5, 0.0), "row 6: low 0.0: not above zero"),
        (with_cell("volume", 0, None), "row 1: volume is missing"),
        (with_epochs([1, 61, 121]), "row 1: ts 1 lies outside 2009 .. 2100 in s, ms, us and ns"),
        (
            with_epochs([FIRST_S, FIRST_S + 60, (FIRST_S + 120) * 1000]),
            f"row 3: ts {FIRST_S + 120}000 is in ms, while the first row ({FIRST_S}) is in s",
        ),
        (
            with_epochs([FIRST_S, 7, FIRST_S + 60]),
            "row 2: ts 7 lies outside 2009 .. 2100, while the first row is in s",
        ),
        (
            as_parquet(candles().with_columns(ts=pl.Series([None] * 6, dtype=pl.Datetime))),
            "row 1: ts is missing",
        ),
        (
            as_parquet(candles().with_columns(ts=pl.lit(datetime(9999, 1, 1)))),  # noqa: DTZ001
            "lies outside 2009 .. 2100",
        ),
        (as_parquet(candles().with_columns(ts=pl.lit(1.5))), "ts holds Float64, not times"),
        (as_parquet(candles().with_columns(open=pl.lit(True))), "open holds Boolean, not numbers"),
        (as_parquet(candles(0)), "holds no rows"),
        (as_parquet(candles())[:-9], "damaged or cut-off Parquet"),
        (as_csv(LINES), "is not a Parquet file"),
    ],
)
def test_bad_parquet_is_refused(payload: bytes, says: str) -> None:
    assert says in refusal(payload, "ltc_spot_1m.parquet")


def test_epochs_of_mixed_units_in_text() -> None:
    text = klines(3) + klines(1, unit=10**6, start="2021-05-02")
    message = refusal(text.encode(), "LTCUSDT-1m-2021-05.csv")
    assert "line 4: open_time 1619913600000000 is in us, while the first row" in message
    message = refusal(as_csv(["ts,funding_rate", "1619827200,0", "soon,0"]), "ltc_funding.csv")
    assert "line 3: ts is soon, not a whole number like the first" in message


@pytest.mark.parametrize(
    ("member", "text", "says"),
    [
        ("LTCUSDT-1m-2021-06.csv", klines(), "differ in period: 2021-05 and 2021-06"),
        ("BTCUSDT-1m-2021-05.csv", klines(), "differ in symbol: LTCUSDT and BTCUSDT"),
        ("LTCUSDT-5m-2021-05.csv", klines(), "differ in bar length"),
        ("LTCUSDT-fundingRate-2021-05.csv", klines(), "holds archive klines"),
        ("LTCUSDT-1m-2021-05.txt", klines(), "not a CSV file"),
        ("LTCUSDT-1m-2021-05.csv", "", "holds an empty file"),
        (
            "LTCUSDT-1m-2021-05.csv",
            klines(start="2021-06-01"),
            "line 1: 2021-06-01 00:00:00 is not in 2021-05",
        ),
    ],
)
def test_zip_that_is_not_what_its_name_says(member: str, text: str, says: str) -> None:
    name = "LTCUSDT-1m-2021-05.zip"
    if "fundingRate" in member:
        name = "LTCUSDT-fundingRate-2021-05.zip"
        message = refusal(as_zip(text, member), name)
        assert "is called funding, but" in message
    else:
        message = refusal(as_zip(text, member), name)
    assert says in message


def test_zip_of_several_files_or_none() -> None:
    payload = io.BytesIO()
    with zipfile.ZipFile(payload, "w") as archive:
        archive.writestr("a.csv", "1")
        archive.writestr("b.csv", "2")
    assert "holds 2 files (a.csv, b.csv)" in refusal(payload.getvalue(), "ltc_1m.zip")
    empty = io.BytesIO()
    zipfile.ZipFile(empty, "w").close()
    assert "holds 0 files (none)" in refusal(empty.getvalue(), "ltc_1m.zip")
    whole = as_zip(klines(500), "LTCUSDT-1m-2021-05.csv")
    assert "only a part" in refusal(whole[:-30], "LTCUSDT-1m-2021-05.zip")
    middle = bytearray(whole)
    middle[len(middle) // 2] ^= 0xFF
    assert "damaged" in refusal(bytes(middle), "LTCUSDT-1m-2021-05.zip")
    assert "looks like Parquet" in refusal(as_parquet(candles()), "ltc_1m.zip")
    assert "ends in .gz" in refusal(b"\x1f\x8b", "ltc_1m.csv.gz")


def test_symbol_inside_must_be_the_one_named() -> None:
    text = metrics([("2023-08-17 00:05:00", "1")], symbol="BTCUSDT").encode()
    assert "rows of BTCUSDT, not of LTCUSDT" in refusal(text, "LTCUSDT-metrics-2023-08-17.csv")
    assert "not of LTCUSDT" in refusal(text, "ltc_metrics.csv")
    assert "check --symbol" in refusal(text, "metrics.csv", symbol="LTCUSDT")
    assert parse(text, "metrics.csv").symbol == "BTCUSDT"
    two = text + b"2023-08-17 00:10:00,LTCUSDT,1,1,1,1,1,1\n"
    assert "line 3: symbol is LTCUSDT, above it is BTCUSDT" in refusal(two, "metrics.csv")


def test_volume_and_market_must_agree() -> None:
    idle = as_parquet(candles().with_columns(volume=pl.lit(0.0)))
    assert "called spot, but has volume 0 in every row" in refusal(idle, "ltc_spot_1m.parquet")
    assert parse(idle, "ltc_1m.parquet").market == "mark"
    assert "--market mark" in refusal(idle, "ltc_1m.parquet", market="perp")
    traded = as_parquet(candles())
    assert "mark prices have no volume" in refusal(traded, "ltc_mark_1m.parquet")


def test_kind_and_name_must_agree() -> None:
    assert "is called open interest, but holds bars" in refusal(as_csv(LINES), "ltc_oi_1m.csv")


def test_funding_in_percent_is_refused() -> None:
    message = refusal(as_csv(["ts,funding_rate", "2021-05-01,0.5"]), "ltc_funding.csv")
    assert "line 2: funding_rate 0.5: more than 10 % per interval" in message


def test_bad_liquidations_and_open_interest_are_refused() -> None:
    head, time = "ts,side,qty,price", "2021-05-01 00:00:01"
    name = "ltc_liquidations.csv"
    assert "side HOLD: neither BUY" in refusal(as_csv([head, f"{time},HOLD,1,1"]), name)
    assert "qty 0: not above zero" in refusal(as_csv([head, f"{time},BUY,0,1"]), name)
    assert "price -1: not above" in refusal(as_csv([head, f"{time},BUY,1,-1"]), name)
    assert "oi -1: below zero" in refusal(as_csv(["ts,oi", f"{time},-1"]), "ltc.csv")
    assert "empty in every row" in refusal(as_csv(["ts,oi", f"{time},"]), "ltc.csv")


def test_a_single_bar_needs_its_length_in_the_name() -> None:
    single = as_csv(LINES[:2])
    assert parse(single, "ltc_spot_1m.csv").interval_ns == MINUTE
    assert "single row" in refusal(single, "ltc_spot.csv")


def test_two_values_of_one_time_are_refused() -> None:
    rows = [("2023-08-17 00:05:00", "1"), ("2023-08-17 00:05:00", "2")]
    assert "line 3" in refusal(metrics(rows).encode(), "LTCUSDT-metrics-2023-08-17.csv")


# --- files on the disk ------------------------------------------------------------------------


def test_checksum_beside_the_file(tmp_path: Path) -> None:
    path = tmp_path / "LTCUSDT-1m-2021-05.zip"
    path.write_bytes(as_zip(klines(), "LTCUSDT-1m-2021-05.csv"))
    beside = tmp_path / "LTCUSDT-1m-2021-05.zip.CHECKSUM"
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    beside.write_text(f"{digest}  LTCUSDT-1m-2021-05.zip\n")
    assert read(path).sha256 == digest
    beside.write_text(f"{'0' * 64}  LTCUSDT-1m-2021-05.zip\n")
    with pytest.raises(DataError, match="not what its checksum file promises"):
        read(path)
    beside.write_text("not found")
    with pytest.raises(DataError, match="holds no SHA-256"):
        read(path)


def test_paths_that_are_no_files(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no file"):
        read(tmp_path / "ltc.csv")
    with pytest.raises(DataError, match="is a folder"):
        read(tmp_path)


@settings(max_examples=150, deadline=None)
@given(data=st.data(), name=st.sampled_from(["ltc_spot_1m.csv", "LTCUSDT-1m-2021-05.zip"]))
def test_a_damaged_file_never_raises_anything_but_our_errors(
    data: st.DataObject, name: str
) -> None:
    whole = as_csv(LINES) if name.endswith("csv") else as_zip(klines(), "LTCUSDT-1m-2021-05.csv")
    damaged = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(damaged) - 1))
        length = data.draw(st.integers(0, 20))
        damaged[at : at + length] = data.draw(st.binary(max_size=8))
        if not damaged:
            break
    message = name
    table = candles()
    try:
        table = parse(bytes(damaged), name).table
    except LitehedgeError as error:
        message = str(error)
    assert message.startswith(name)
    assert table[table.columns[0]].is_sorted()
    assert (table["high"] >= table["low"]).all()

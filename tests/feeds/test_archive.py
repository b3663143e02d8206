"""Files become checked tables."""

from __future__ import annotations

import hashlib
import os
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from archive_files import (
    KLINE_HEADER,
    MINUTE,
    START,
    as_csv,
    as_parquet,
    as_zip,
    candles,
    csv_lines,
    klines,
    metrics,
)

from litehedge.errors import UsageError
from litehedge.feeds.archive import METRICS_DELAY_NS, parse, read
from litehedge.feeds.names import asset_of, facts_of, period_ns
from litehedge.units import NS_PER_DAY, NS_PER_HOUR, NS_PER_SECOND, instant_ns

# --- what a good file becomes -----------------------------------------------------------------


@pytest.mark.parametrize(
    "payload", [as_csv(csv_lines()), as_parquet(candles())], ids=["csv", "parquet"]
)
def test_bars_are_known_at_their_close(payload: bytes) -> None:
    name = "ltc_spot_1m" + (".parquet" if payload[:4] == b"PAR1" else ".csv")
    series = parse(payload, name)
    assert (series.kind, series.asset, series.symbol) == ("bars", "LTC", "LTCUSDT")
    assert (series.market, series.interval_ns, series.unit) == ("spot", MINUTE, "")
    assert series.source == name
    assert series.sha256 == hashlib.sha256(payload).hexdigest()
    assert series.notes == ()
    opens = instant_ns("2021-05-01") + MINUTE * np.arange(6)
    assert series.table.columns == [
        "event_ns", "known_ns", "open", "high", "low", "close", "volume",
    ]  # fmt: skip
    assert series.table["event_ns"].to_list() == (opens + MINUTE).tolist()
    assert series.table["known_ns"].equals(series.table["event_ns"].rename("known_ns"))
    assert series.table["close"].to_list() == candles()["close"].to_list()
    assert series.table.dtypes == [pl.Int64, pl.Int64] + [pl.Float64] * 5


@pytest.mark.parametrize(
    "times",
    [
        [f"{START + timedelta(minutes=i)}" for i in range(6)],
        [f"{(START + timedelta(minutes=i)).isoformat()}Z" for i in range(6)],
        [f"{(START + timedelta(minutes=i)).isoformat()}+00:00" for i in range(6)],
        [f"{(START + timedelta(minutes=i, hours=2)).isoformat()}+02:00" for i in range(6)],
        [f"{START + timedelta(minutes=i):%Y-%m-%d %H:%M}" for i in range(6)],
        [f"{START + timedelta(minutes=i):%Y-%m-%d %H:%M:%S}.000" for i in range(6)],
    ],
    ids=["plain", "Z", "offset 0", "offset 2", "minutes", "fraction"],
)
def test_times_as_text(times: list[str]) -> None:
    rows = [line.split(",", 1)[1] for line in csv_lines()[1:]]
    body = [f"{time},{row}" for time, row in zip(times, rows, strict=True)]
    series = parse(as_csv([csv_lines()[0], *body]), "ltc_spot_1m.csv")
    assert series.table["event_ns"][0] == instant_ns("2021-05-01T00:01")


@pytest.mark.parametrize("per_second", [1, 10**3, 10**6, 10**9], ids=["s", "ms", "us", "ns"])
@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_epochs_of_any_unit(per_second: int, ending: str) -> None:
    first = instant_ns("2021-05-01") // NS_PER_SECOND
    table = candles().with_columns(
        ts=pl.Series([(first + 60 * i) * per_second for i in range(6)], dtype=pl.Int64)
    )
    payload = as_parquet(table) if ending == ".parquet" else table.write_csv().encode()
    assert parse(payload, "ltc_spot_1m" + ending).table["event_ns"][0] == first * 10**9 + MINUTE


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "UTC", "Europe/Berlin"])
def test_datetimes_of_any_unit_and_zone(unit: str, zone: str | None) -> None:
    moments = pl.col("ts").cast(pl.Datetime(unit)).dt.replace_time_zone("UTC")  # type: ignore[arg-type]
    moments = moments.dt.convert_time_zone(zone) if zone else moments.dt.replace_time_zone(None)
    series = parse(as_parquet(candles().with_columns(ts=moments)), "ltc_spot_1m.parquet")
    assert series.table["event_ns"][0] == instant_ns("2021-05-01T00:01")


def test_days_as_dates() -> None:
    table = candles(4, timedelta(days=1)).with_columns(pl.col("ts").cast(pl.Date))
    series = parse(as_parquet(table), "ltc_spot_1d.parquet")
    assert series.interval_ns == NS_PER_DAY
    assert series.table["event_ns"][0] == instant_ns("2021-05-02")


def test_weekly_bars_open_on_mondays() -> None:
    table = candles(4).with_columns(
        ts=pl.Series([date(2021, 5, 3) + timedelta(weeks=i) for i in range(4)])
    )
    assert parse(as_parquet(table), "ltc_spot_1w.parquet").interval_ns == 7 * NS_PER_DAY


@pytest.mark.parametrize("header", ["", KLINE_HEADER + "\n"], ids=["no header", "header"])
@pytest.mark.parametrize("packed", [True, False], ids=["zip", "csv"])
def test_archive_klines(header: str, packed: bool) -> None:
    text, stem = header + klines(), "LTCUSDT-1m-2021-05"
    payload = as_zip(text, stem + ".csv") if packed else text.encode()
    series = parse(payload, stem + (".zip" if packed else ".csv"))
    assert (series.venue, series.market, series.symbol) == ("binance", "perp", "LTCUSDT")
    assert series.table["event_ns"][0] == instant_ns("2021-05-01T00:01")
    assert series.table["volume"].to_list() == [10.0] * 5
    assert any("market perp assumed" in note for note in series.notes)
    assert parse(payload, stem + (".zip" if packed else ".csv"), market="spot").market == "spot"


def test_microseconds_of_an_archive_mean_spot() -> None:
    text = klines(unit=10**6, start="2025-02-01")
    series = parse(as_zip(text, "LTCUSDT-1m-2025-02.csv"), "LTCUSDT-1m-2025-02.zip")
    assert series.market == "spot"
    assert series.table["event_ns"][0] == instant_ns("2025-02-01T00:01")


@pytest.mark.parametrize(
    ("folder", "market"),
    [
        ("data/spot/monthly/klines/LTCUSDT/1m", "spot"),
        ("data/futures/um/monthly/klines/LTCUSDT/1m", "perp"),
        ("data/futures/um/monthly/markPriceKlines/LTCUSDT/1m", "mark"),
    ],
)
def test_folders_of_the_archive_tell_the_market(tmp_path: Path, folder: str, market: str) -> None:
    path = tmp_path / folder / "LTCUSDT-1m-2021-05.csv"
    path.parent.mkdir(parents=True)
    path.write_text(klines(volume="0" if market == "mark" else "10"))
    series = read(path)
    assert (series.market, series.notes) == (market, ())


def test_coin_margined_klines_count_coins_not_contracts() -> None:
    series = parse(klines().encode(), "LTCUSD_PERP-1m-2021-05.csv")
    assert (series.market, series.symbol, series.asset) == ("coin-m perp", "LTCUSD_PERP", "LTC")
    assert series.table["volume"].to_list() == [1005.0] * 5


def test_mark_prices_are_told_by_their_volume() -> None:
    series = parse(klines(volume="0").encode(), "LTCUSDT-1m-2021-05.csv")
    assert series.market == "mark"
    assert series.table["volume"].is_nan().all()
    assert series.notes == ()


def test_flat_bars_without_volume_stay() -> None:
    table = candles()
    quiet = {"open": 100.0, "high": 100.0, "low": 100.0, "close": 100.0, "volume": 0.0}
    third = pl.int_range(pl.len()) == 2
    table = table.with_columns(
        pl.when(third).then(pl.lit(value)).otherwise(pl.col(column)).alias(column)
        for column, value in quiet.items()
    )
    series = parse(as_parquet(table), "ltc_perp_1m.parquet")
    assert series.table.height == 6
    assert series.table["volume"][2] == 0.0


def test_a_gap_is_no_fault() -> None:
    lines = csv_lines(10)
    series = parse(as_csv(lines[:3] + lines[6:]), "ltc_spot_1m.csv")
    assert series.table.height == 7


def test_archive_funding_keeps_its_jitter() -> None:
    first_ms = instant_ns("2021-05-01") // 10**6
    rows = [f"{first_ms + 28_800_000 * i + i},8,0.0001{i}" for i in range(3)]
    text = "\n".join(["calc_time,funding_interval_hours,last_funding_rate", *rows]) + "\n"
    stem = "LTCUSDT-fundingRate-2021-05"
    series = parse(as_zip(text, stem + ".csv"), stem + ".zip")
    assert (series.kind, series.market, series.interval_ns) == ("funding", "perp", 0)
    assert series.table.columns == ["event_ns", "known_ns", "rate"]
    assert series.table["known_ns"][1] == instant_ns("2021-05-01T08:00") + 10**6
    assert series.table["rate"].to_list() == [0.00010, 0.00011, 0.00012]


def test_metrics_are_known_five_minutes_after_their_label() -> None:
    """In 2025 row t holds the value at t + 5 min: a model must not see it before."""
    times = ["2023-08-17 00:05:00", "2023-08-17 00:10:00", "2023-08-18 00:00:00"]
    text = metrics([(time, f"{700_000 + i}") for i, time in enumerate(times)])
    stem = "LTCUSDT-metrics-2023-08-17"
    series = parse(as_zip(text, stem + ".csv"), stem + ".zip")
    assert (series.kind, series.market, series.unit) == ("open_interest", "perp", "LTC")
    assert series.interval_ns == METRICS_DELAY_NS == 5 * MINUTE
    labels = [instant_ns(time) for time in times]
    assert series.table["event_ns"].to_list() == labels
    assert series.table["known_ns"].to_list() == [label + 5 * MINUTE for label in labels]
    assert series.table["oi"].to_list() == [700_000.0, 700_001.0, 700_002.0]
    assert series.table["unit"].to_list() == ["LTC"] * 3


def test_metrics_without_a_value_or_given_twice_are_left_out() -> None:
    times = [f"2023-08-17 00:{minute:02d}:00" for minute in (5, 10, 10, 15)]
    text = metrics(list(zip(times, ["1.0", "2.0", "2.0", ""], strict=True)))
    series = parse(text.encode(), "LTCUSDT-metrics-2023-08-17.csv")
    assert series.table["oi"].to_list() == [1.0, 2.0]
    assert series.notes == (
        "1 row without open interest left out",
        "1 repeated row left out",
    )


def test_daily_open_interest_is_known_when_the_day_is_over() -> None:
    table = pl.DataFrame(
        {
            "ts": [START + timedelta(days=i) for i in range(3)],
            "symbol": ["LTCUSD_PERP.A"] * 3,
            "oi_open": [1.0, 2.0, 3.0],
            "oi_close": [2.0, 3.0, 4.0],
        }
    )
    series = parse(as_parquet(table), "ltc_oi_daily.parquet")
    assert (series.symbol, series.asset, series.market) == ("LTCUSD_PERP", "LTC", "coin-m perp")
    assert (series.unit, series.interval_ns) == ("contracts", NS_PER_DAY)
    assert series.table["known_ns"][0] == instant_ns("2021-05-02")
    assert series.table["oi"].to_list() == [2.0, 3.0, 4.0]


def test_selling_closes_a_long() -> None:
    lines = ["ts,side,qty,price", "2021-05-01 00:00:01,SELL,2,100", "2021-05-01 00:00:01,buy,1,101"]
    series = parse(as_csv(lines), "ltc_liquidations_2021-05.csv")
    assert series.table["side"].to_list() == ["long", "short"]
    assert series.table["notional_usdt"].to_list() == [200.0, 101.0]
    assert series.kind == "liquidations"


def test_parameters_outrank_the_name() -> None:
    payload = as_csv(csv_lines())
    series = parse(payload, "ltc_spot_1m.csv", symbol="btcusdc", market="perp", venue="okx")
    assert (series.asset, series.symbol) == ("BTC", "BTCUSDC")
    assert (series.market, series.venue) == ("perp", "okx")
    assert parse(payload, "x_1m.csv", symbol="BTC").symbol == "BTCUSDT"
    for wrong in ({"symbol": "L T C"}, {"market": "casino"}):
        with pytest.raises(UsageError):
            parse(payload, "ltc_spot_1m.csv", **wrong)


def test_an_unnamed_coin_is_assumed_aloud() -> None:
    series = parse(as_csv(csv_lines()), "mydata.csv")
    assert (series.symbol, series.market, series.venue) == ("LTCUSDT", "unknown", "unknown")
    assert any("LTCUSDT assumed" in note for note in series.notes)


@pytest.mark.parametrize(
    ("stem", "symbol", "market", "interval_ns"),
    [
        ("ltc_spot_1m", "LTCUSDT", "spot", MINUTE),
        ("ltc_perp_1h", "LTCUSDT", "perp", NS_PER_HOUR),
        ("ltc_mark_1h", "LTCUSDT", "mark", NS_PER_HOUR),
        ("btc_spot_5m", "BTCUSDT", "spot", 5 * MINUTE),
        ("LTCUSDT-1m-2021-05", "LTCUSDT", "perp", MINUTE),
        ("LTCUSDT-1m-2021-05 (1)", "LTCUSDT", "perp", MINUTE),
        ("LTCUSDT-1m-2021-05.csv", "LTCUSDT", "perp", MINUTE),
        ("bybit_LTC-USDC_perp_15min", "LTCUSDC", "perp", 15 * MINUTE),
        ("XMRUSDT-5m-2021-05-19", "XMRUSDT", "perp", 5 * MINUTE),
        ("ltc_oi_daily", "LTCUSDT", None, NS_PER_DAY),
        ("LTC_1M", "LTCUSDT", None, None),
        ("history", None, None, None),
    ],
)
def test_names(stem: str, symbol: str | None, market: str | None, interval_ns: int | None) -> None:
    facts = facts_of(stem)
    assert (facts.symbol, facts.market, facts.interval_ns) == (symbol, market, interval_ns)


def test_periods_in_names() -> None:
    assert facts_of("LTCUSDT-1m-2021-05").period == "2021-05"
    assert facts_of("LTCUSDT-metrics-2021-05-19").period == "2021-05-19"
    assert facts_of("ltc_2019-2025").period is None
    assert facts_of("ltc_2021-05_2021-06").period is None
    assert period_ns("2024-02")[1] == instant_ns("2024-03-01")
    assert period_ns("2021-12-31") == (instant_ns("2021-12-31"), instant_ns("2022-01-01"))
    assert asset_of("LTCUSD_PERP") == asset_of("LTCFDUSD") == asset_of("LTC") == "LTC"


@pytest.mark.history
@pytest.mark.skipif(
    "LITEHEDGE_TEST_DATA" not in os.environ,
    reason="LITEHEDGE_TEST_DATA does not point at the real Litecoin history",
)
def test_real_history_reads_without_an_error() -> None:
    folder = Path(os.environ["LITEHEDGE_TEST_DATA"])
    rows = {path.stem: read(path).table.height for path in sorted(folder.glob("*.parquet"))}
    assert rows["ltc_spot_1m"] == 343_638
    assert rows["ltc_spot_5m"] == 425_983
    assert rows["ltc_metrics_5m"] == 125
    assert len(rows) >= 16

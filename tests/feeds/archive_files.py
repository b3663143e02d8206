"""Files as people have them: small, whole, and easy to break in one place."""

from __future__ import annotations

import io
import zipfile
from datetime import datetime, timedelta

import polars as pl

from litehedge.units import NS_PER_MINUTE, NS_PER_SECOND, instant_ns

START = datetime(2021, 5, 1)  # noqa: DTZ001 - ISO text and Parquet hold naive UTC
MINUTE = NS_PER_MINUTE
KLINE_HEADER = (
    "open_time,open,high,low,close,volume,close_time,quote_volume,count,"
    "taker_buy_volume,taker_buy_quote_volume,ignore"
)
METRICS_HEADER = (
    "create_time,symbol,sum_open_interest,sum_open_interest_value,"
    "count_toptrader_long_short_ratio,sum_toptrader_long_short_ratio,count_long_short_ratio,"
    "sum_taker_long_short_vol_ratio"
)


def candles(n: int = 6, step: timedelta = timedelta(minutes=1)) -> pl.DataFrame:
    closes = [100.0 + i % 7 for i in range(n)]
    return pl.DataFrame(
        {
            "ts": [START + i * step for i in range(n)],
            "open": [c - 0.5 for c in closes],
            "high": [c + 1.0 for c in closes],
            "low": [c - 1.0 for c in closes],
            "close": closes,
            "volume": [10.0 + i for i in range(n)],
        }
    )


def csv_lines(n: int = 6, step: timedelta = timedelta(minutes=1)) -> list[str]:
    return candles(n, step).write_csv(datetime_format="%Y-%m-%d %H:%M:%S").splitlines()


def as_csv(lines: list[str]) -> bytes:
    return ("\n".join(lines) + "\n").encode()


def as_parquet(table: pl.DataFrame) -> bytes:
    payload = io.BytesIO()
    table.write_parquet(payload)
    return payload.getvalue()


def as_zip(text: str, member: str) -> bytes:
    payload = io.BytesIO()
    with zipfile.ZipFile(payload, "w", zipfile.ZIP_DEFLATED) as archive:
        # With the hour of writing, the names of tests would differ between their processes.
        archive.writestr(zipfile.ZipInfo(member), text, zipfile.ZIP_DEFLATED)
    return payload.getvalue()


def klines(n: int = 5, unit: int = 1000, start: str = "2021-05-01", volume: str = "10") -> str:
    first_s = instant_ns(start) // NS_PER_SECOND
    return "".join(
        f"{(first_s + 60 * i) * unit},100.0,101.5,99.5,100.5,{volume},"
        f"{(first_s + 60 * i + 60) * unit - 1},1005.0,7,4.0,402.0,0\n"
        for i in range(n)
    )


def metrics(rows: list[tuple[str, str]], symbol: str = "LTCUSDT") -> str:
    body = [f"{time},{symbol},{oi},1e6,1.1,1.2,,0.9" for time, oi in rows]
    return "\n".join([METRICS_HEADER, *body]) + "\n"

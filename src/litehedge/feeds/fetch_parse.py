"""What was fetched, as tables of the lake: the files that `feeds/archive.py` does not read. Pure.

Formats: Binance's ``data.binance.vision`` (a CSV in a zip; older files without a header line),
Bybit's ``public.bybit.com`` (gzipped CSV), Coinalyze's ``/v1/liquidation-history``, Kraken
Futures' ``/api/history/v3/market/SYMBOL/executions``.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import zipfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

import msgspec
import polars as pl
from polars.exceptions import PanicException, PolarsError

from litehedge.errors import BadMessage, DataError
from litehedge.feeds.archive import METRICS_DELAY_NS, Kind, Series
from litehedge.feeds.names import asset_of
from litehedge.units import NS_PER_MINUTE, NS_PER_MS, NS_PER_SECOND

_Read = TypeVar("_Read")

LARGEST_BYTES: Final = 2 * 1024**3
"""What a file may unpack to."""

_AGG: Final = (
    "agg_trade_id", "price", "quantity", "first_trade_id", "last_trade_id", "transact_time",
    "is_buyer_maker",
)  # fmt: skip
_DEPTH: Final = ("timestamp", "percentage", "depth", "notional")
_SNAPSHOT: Final = (
    "time", "side", "order_type", "time_in_force", "original_quantity", "price", "average_price",
    "order_status", "last_fill_quantity", "accumulated_fill_quantity",
)  # fmt: skip
_METRICS: Final = ("create_time", "symbol", "count_long_short_ratio")


def series(
    kind: Kind, payload: bytes, name: str, table: pl.DataFrame, *, symbol: str, venue: str,
    interval_ns: int = 0,
) -> Series:  # fmt: skip
    """Return a table with what it is of."""
    digest = hashlib.sha256(payload).hexdigest()
    return Series(
        kind, asset_of(symbol), symbol, venue, "perp", interval_ns, "", table, name, digest
    )


# --- Binance ----------------------------------------------------------------------------------


def agg_trades(payload: bytes, name: str) -> pl.DataFrame:
    """Read ``aggTrades``: the taker bought where the buyer was not the maker.

    Raises
    ------
    DataError
        When the file is not what it should be.
    """
    raw = _unzipped(payload, name, _AGG)

    def build() -> pl.DataFrame:
        time_ns = _number(raw, "transact_time", pl.Int64) * NS_PER_MS
        return pl.DataFrame(
            {
                "event_ns": time_ns, "known_ns": time_ns,
                "price": _number(raw, "price"), "qty_ltc": _number(raw, "quantity"),
                "taker_buys": raw["is_buyer_maker"].str.to_lowercase() == "false",
            }
        )  # fmt: skip

    return _checked(build, name, positive=("price", "qty_ltc"))


def book_depth(payload: bytes, name: str) -> pl.DataFrame:
    """Read ``bookDepth``: what lies within so many percent of mid. Bid and ask are not told: NaN.

    Raises
    ------
    DataError
        When the file is not what it should be.
    """
    raw = _unzipped(payload, name, _DEPTH)

    def build() -> pl.DataFrame:
        time_ns = _moment(raw["timestamp"])
        rows = pl.DataFrame(
            {"t": time_ns, "p": _number(raw, "percentage"), "usdt": _number(raw, "notional")}
        )
        unknown = pl.lit(float("nan"))
        columns = {"event_ns": pl.col("t"), "known_ns": pl.col("t"), "bid": unknown, "ask": unknown}
        for suffix, percent in (("", 1.0), ("_near", 0.2), ("_far", 5.0)):
            for side, sign in (("bid", -1.0), ("ask", 1.0)):
                columns[f"{side}_depth{suffix}_usdt"] = (
                    pl.col("usdt").filter(pl.col("p") == sign * percent).first()
                ).fill_null(float("nan"))
        names = [column for column in columns if "_depth" in column]
        told = rows.group_by("t", maintain_order=True).agg(
            **{column: columns[column] for column in names}
        )
        return told.select(
            event_ns=pl.col("t"), known_ns=pl.col("t"), bid=unknown, ask=unknown,
            **{column: pl.col(column) for column in names},
        )  # fmt: skip

    return _checked(build, name)


def liquidation_snapshot(payload: bytes, name: str) -> pl.DataFrame:
    """Read ``liquidationSnapshot``: the largest forced order of each second, as it was filled.

    Some days hold rows twice; they count once.

    Raises
    ------
    DataError
        When the file is not what it should be.
    """
    raw = _unzipped(payload, name, _SNAPSHOT)

    def build() -> pl.DataFrame:
        time_ns = _number(raw, "time", pl.Int64) * NS_PER_MS
        price, qty = _number(raw, "average_price"), _number(raw, "accumulated_fill_quantity")
        table = pl.DataFrame(
            {
                "event_ns": time_ns, "known_ns": time_ns,
                "side": _closed(raw["side"], name), "price": price, "qty": qty,
                "notional_usdt": price * qty, "feed": ["largest"] * raw.height,
            }
        )  # fmt: skip
        return table.filter(pl.col("qty") > 0.0).unique(maintain_order=True)

    return _checked(build, name, positive=("price",))


def long_short_ratio(payload: bytes, name: str) -> pl.DataFrame:
    """Read the ratio of accounts from ``metrics``; known as late as `archive` has it.

    Raises
    ------
    DataError
        When the file is not what it should be.
    """
    raw = _unzipped(payload, name, _METRICS)

    def build() -> pl.DataFrame:
        time_ns = _moment(raw["create_time"])
        ratio = raw["count_long_short_ratio"].cast(pl.Float64, strict=False)
        rows = pl.DataFrame({"event_ns": time_ns, "ratio": ratio})
        return (
            rows.drop_nulls()
            .unique("event_ns", keep="first", maintain_order=True)
            .select("event_ns", known_ns=pl.col("event_ns") + METRICS_DELAY_NS, ratio="ratio")
        )

    return _checked(build, name)


# --- Bybit ------------------------------------------------------------------------------------


def bybit_trades(payload: bytes, name: str) -> pl.DataFrame:
    """Read a day of trades of Bybit; times are seconds with decimals.

    Raises
    ------
    DataError
        When the file is not what it should be.
    """
    try:
        unpacker = zlib.decompressobj(wbits=31)
        text = unpacker.decompress(payload, LARGEST_BYTES)
        if not unpacker.eof:
            raise DataError(f"{name} is cut off, or unpacks to far too much", "fetch it again")
    except (zlib.error, gzip.BadGzipFile, EOFError) as error:
        raise DataError(f"{name} is not a gzip file ({error})", "fetch it again") from None
    raw = _csv(text, name, ("timestamp", "side", "size", "price"), headless=())

    def build() -> pl.DataFrame:
        # A decimal number of seconds in a float is right to half a microsecond.
        time_ns = (_number(raw, "timestamp") * 1e6).round().cast(pl.Int64) * 1_000
        return pl.DataFrame(
            {
                "event_ns": time_ns, "known_ns": time_ns, "price": _number(raw, "price"),
                "qty_ltc": _number(raw, "size"),
                "taker_buys": raw["side"].str.to_lowercase() == "buy",
            }
        )  # fmt: skip

    return _checked(build, name, positive=("price", "qty_ltc"))


def minute_bars(trades: pl.DataFrame) -> pl.DataFrame:
    """Return bars of a minute from trades; a minute without a trade has none."""
    end = (pl.col("event_ns") // NS_PER_MINUTE + 1) * NS_PER_MINUTE
    bars = (
        trades.sort("event_ns", maintain_order=True)
        .group_by(end.alias("end_ns"), maintain_order=True)
        .agg(
            open=pl.col("price").first(), high=pl.col("price").max(), low=pl.col("price").min(),
            close=pl.col("price").last(), volume=pl.col("qty_ltc").sum(),
            buy_volume=pl.col("qty_ltc").filter(pl.col("taker_buys")).sum(),
        )
    )  # fmt: skip
    return bars.select(event_ns="end_ns", known_ns="end_ns", **_same(bars.columns[1:]))


def _same(names: Sequence[str]) -> dict[str, pl.Expr]:
    return {name: pl.col(name) for name in names}


# --- answers of interfaces --------------------------------------------------------------------


class _Point(msgspec.Struct):
    t: int
    l: float = 0.0  # noqa: E741 - Coinalyze's word for longs
    s: float = 0.0


class _History(msgspec.Struct):
    symbol: str
    history: list[_Point]


def coinalyze_liquidations(payload: bytes, interval_ns: int) -> pl.DataFrame:
    """Read liquidation sums in USD; an interval is known when it has ended.

    Raises
    ------
    BadMessage
        When the answer is not one.
    """
    told = _answer(payload, list[_History])
    rows = [
        ((point.t * NS_PER_SECOND) + interval_ns, side, amount, one.symbol)
        for one in told
        for point in one.history
        for side, amount in (("long", point.l), ("short", point.s))
        if amount > 0.0
    ]
    table = pl.DataFrame(
        rows,
        schema={
            "event_ns": pl.Int64, "side": pl.String, "notional_usdt": pl.Float64, "who": pl.String,
        },
        orient="row",
    )  # fmt: skip
    unknown = pl.lit(float("nan"))
    # Binance (.A) tells the largest order of each second alone, and so do sums over it.
    feed = (
        pl.when(pl.col("who").str.ends_with(".A")).then(pl.lit("largest")).otherwise(pl.lit("all"))
    )
    return table.sort("event_ns").select(
        "event_ns", "side", "notional_usdt", known_ns="event_ns", price=unknown, qty=unknown,
        feed=feed,
    )  # fmt: skip


class _Order(msgspec.Struct, rename="camel"):
    order_type: str = ""
    direction: str = ""


class _Execution(msgspec.Struct, rename="camel"):
    uid: str
    timestamp: int
    quantity: str
    price: str
    taker_order: _Order


class _Wrapped(msgspec.Struct):
    execution: _Execution


class _Event(msgspec.Struct):
    Execution: _Wrapped | None = None


class _Element(msgspec.Struct):
    timestamp: int
    event: _Event


class _Page(msgspec.Struct, rename="camel"):
    elements: list[_Element]
    continuation_token: str | None = None


@dataclass(frozen=True, slots=True)
class ForcedTrade:
    """A forced execution of Kraken: numbers as they were written."""

    uid: str
    time_ms: int
    side: str
    qty: str
    price: str


@dataclass(frozen=True, slots=True)
class KrakenPage:
    """One answer: forced executions of the span, how many rows in all, and where to go on."""

    forced: tuple[ForcedTrade, ...]
    rows: int
    token: str


def kraken_page(payload: bytes) -> KrakenPage:
    """Read a page of executions; `side` is that of the closing order, as the importer has it.

    The word for a forced order is not documented, so that any order type with "liquidat" is one.

    Raises
    ------
    BadMessage
        When the answer is not one.
    """
    page = _answer(payload, _Page)
    forced = []
    for element in page.elements:
        if element.event.Execution is None:
            continue
        one = element.event.Execution.execution
        if "liquidat" not in one.taker_order.order_type.lower():
            continue
        side = one.taker_order.direction.upper()
        try:
            is_sound = float(one.quantity) > 0 and float(one.price) > 0
        except ValueError:
            is_sound = False
        if side not in ("BUY", "SELL") or not is_sound:
            raise BadMessage(f"execution {one.uid[:40]} has no side, quantity or price", "")
        forced.append(ForcedTrade(one.uid, one.timestamp, side, one.quantity, one.price))
    return KrakenPage(tuple(forced), len(page.elements), page.continuation_token or "")


def _answer(payload: bytes, what: type[_Read]) -> _Read:
    try:
        return msgspec.json.decode(payload, type=what)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadMessage(f"the answer cannot be read ({error})", "try again later") from None


# --- text -------------------------------------------------------------------------------------


def _unzipped(payload: bytes, name: str, columns: Sequence[str]) -> pl.DataFrame:
    try:
        with zipfile.ZipFile(io.BytesIO(payload)) as archive:
            members = [info for info in archive.infolist() if not info.is_dir()]
            if len(members) != 1 or members[0].file_size > LARGEST_BYTES:
                raise DataError(f"{name} does not hold one file of a usual size", "fetch it again")
            text = archive.read(members[0])
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, ValueError) as error:
        raise DataError(f"{name} is not a whole zip file ({error})", "fetch it again") from None
    return _csv(text, name, columns, headless=columns)


def _csv(
    text: bytes, name: str, columns: Sequence[str], *, headless: Sequence[str]
) -> pl.DataFrame:
    """Read text columns; a file without a header line has those of `headless`."""
    begins_with_number = text[:1].isdigit()
    try:
        table = pl.read_csv(text, has_header=not begins_with_number, infer_schema=False)
    except (PolarsError, PanicException, ValueError) as error:
        raise DataError(f"{name} cannot be read ({_first(error)})", "fetch it again") from None
    if begins_with_number and table.width == len(headless):
        table.columns = list(headless)
    lacking = [column for column in columns if column not in table.columns]
    if lacking:
        raise DataError(f"{name} has no column {', '.join(lacking)}", "its layout is not known")
    return table


def _number(
    raw: pl.DataFrame, column: str, kind: type[pl.Float64] | type[pl.Int64] = pl.Float64
) -> pl.Series:
    return raw[column].str.strip_chars().cast(kind)


def _moment(text: pl.Series) -> pl.Series:
    return text.str.to_datetime("%Y-%m-%d %H:%M:%S", time_unit="ns").dt.epoch("ns")


def _closed(side: pl.Series, name: str) -> pl.Series:
    upper = side.str.to_uppercase()
    if not upper.is_in(["BUY", "SELL"]).all():
        raise DataError(f"{name} has a side that is neither BUY nor SELL", "fetch it again")
    return upper.replace({"SELL": "long", "BUY": "short"})  # selling closes a long


def _checked(
    build: Callable[[], pl.DataFrame], name: str, positive: Sequence[str] = ()
) -> pl.DataFrame:
    try:
        table = build()
    except (PolarsError, PanicException, ValueError, TypeError) as error:
        raise DataError(f"{name} cannot be read ({_first(error)})", "fetch it again") from None
    if table["known_ns"].has_nulls() or table["event_ns"].has_nulls():
        raise DataError(f"{name} has a row without a time", "fetch it again")
    for column in positive:
        if not (table[column] > 0.0).fill_null(False).all():
            raise DataError(f"{name} has a {column} that is not above zero", "fetch it again")
    return table.sort("known_ns", maintain_order=True)


def _first(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:160]

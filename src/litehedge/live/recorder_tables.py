"""A recorded segment as tables of the lake. Pure.

Trades become rows and bars. A trade belongs to the bar in which it became *known*, as the running
system saw it. A bar is there only when recording covered all of it and the trades were not down;
one without a trade stands at the last price with volume 0. Segments begin and end at full minutes
unless the recorder itself does, so no bar needs two of them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from litehedge.feeds.archive import Kind, Series
from litehedge.feeds.names import asset_of
from litehedge.market import events as ev
from litehedge.store.segments import Segment
from litehedge.units import NS_PER_MINUTE, NS_PER_SECOND, describe_ns

BAR_NS: Final = (5 * NS_PER_SECOND, NS_PER_MINUTE)
"""Lengths of the bars that are made from trades."""

Ints = NDArray[np.int64]

_LONE: Final[tuple[tuple[type, Kind, tuple[str, ...]], ...]] = (
    (ev.Trade, "trades", ("price", "qty_ltc", "taker_buys")),
    (
        ev.Book, "book",
        ("bid", "ask", "bid_depth_usdt", "ask_depth_usdt", "bid_depth_near_usdt",
         "ask_depth_near_usdt", "bid_depth_far_usdt", "ask_depth_far_usdt"),
    ),
    (ev.Liquidation, "liquidations", ("side", "notional_usdt", "feed")),
    (ev.Funding, "funding", ("rate",)),
    (ev.OpenInterest, "open_interest", ("oi_ltc",)),
    (ev.LongShortRatio, "long_short_ratio", ("ratio",)),
    (ev.Transfer, "transfers", ("notional_usdt", "to_exchange")),
    (ev.Sentiment, "sentiment", ("score",)),
    (ev.PredictedFunding, "predicted_funding", ("venue", "rate")),
)  # fmt: skip
"""Event, kind of data set, what is kept of it."""


def tables_of(segment: Segment, source: str, sha256: str) -> Iterator[tuple[str, Series]]:
    """Yield what a segment holds: the end of the data set's name, and its series.

    Names end in ``ltc_5s`` and ``ltc_1m`` (from trades), ``btc_1m`` (as told), or in the kind. Bars
    of Litecoin that a source tells itself end in ``_told``. Account events and ticks are left out.
    """
    header = segment.header
    heard = sorted(
        (event for _, events in segment.batches for event in events),
        key=lambda event: event.known_ns,
    )
    by_type: dict[type, list[Any]] = {}
    for event in heard:
        by_type.setdefault(type(event), []).append(event)

    def series(kind: Kind, table: pl.DataFrame, interval_ns: int = 0, asset: str = "") -> Series:
        asset = asset or asset_of(header.symbol)
        symbol = header.symbol if asset == asset_of(header.symbol) else f"{asset}USDT"
        unit = asset if kind == "open_interest" else ""
        digest = hashlib.sha256(f"{sha256}:{kind}:{asset}:{interval_ns}".encode()).hexdigest()
        return Series(
            kind, asset, symbol, header.venue, "perp", interval_ns, unit, table, source, digest
        )

    for what, kind, columns in _LONE:
        if some := by_type.get(what):
            table = _table(some, columns)
            if kind == "liquidations":
                unknown = pl.lit(float("nan"))  # a source tells what it was worth, no more
                table = table.with_columns(price=unknown, qty=unknown)
            if kind == "open_interest":
                table = table.rename({"oi_ltc": "oi"}).with_columns(unit=pl.lit("LTC"))
            interval_ns = _spacing(table) if kind in ("open_interest", "long_short_ratio") else 0
            yield kind, series(kind, table, interval_ns)
    marks = _mark_index(by_type.get(ev.Mark, []), by_type.get(ev.Index, []))
    if not marks.is_empty():
        yield "mark_index", series("mark_index", marks)
    trades = by_type.get(ev.Trade, [])
    if trades or header.last_price_usdt is not None:
        for interval_ns in BAR_NS:
            bars = bars_of(trades, segment, interval_ns)
            if not bars.is_empty():
                yield f"ltc_{describe_ns(interval_ns)}", series("bars", bars, interval_ns)
    for asset, interval_ns in sorted({(b.asset, b.interval_ns) for b in by_type.get(ev.Bar, [])}):
        told = [b for b in by_type[ev.Bar] if (b.asset, b.interval_ns) == (asset, interval_ns)]
        name = f"{asset.lower()}_{describe_ns(interval_ns)}" + ("_told" if asset == "LTC" else "")
        yield name, series("bars", _told_bars(told), interval_ns, asset)
    gaps = gap_table(segment)
    if not gaps.is_empty():
        yield "gaps", series("gaps", gaps)


def gap_table(segment: Segment) -> pl.DataFrame:
    """Return the gaps of a segment, known when they had ended."""
    gaps = sorted(segment.gaps, key=lambda gap: gap.end_ns or 0)
    ends = [gap.end_ns or segment.end_ns for gap in gaps]
    return pl.DataFrame(
        {
            "event_ns": ends,
            "known_ns": ends,
            "start_ns": [gap.start_ns for gap in gaps],
            "source": [gap.source for gap in gaps],
            "kinds": [" ".join(gap.kinds) for gap in gaps],
            "why": [gap.why for gap in gaps],
        },
        schema={
            "event_ns": pl.Int64, "known_ns": pl.Int64, "start_ns": pl.Int64,
            "source": pl.String, "kinds": pl.String, "why": pl.String,
        },
    )  # fmt: skip


def bars_of(trades: Sequence[ev.Trade], segment: Segment, interval_ns: int) -> pl.DataFrame:
    """Return the bars of a segment: whole ones that were covered, in order.

    `trades` are in order of ``known_ns``; those outside of the segment's time are left out.
    """
    first = -(-segment.header.start_ns // interval_ns)
    count = segment.end_ns // interval_ns - first
    if count <= 0:
        return pl.DataFrame()
    rows = np.array(
        [(t.known_ns, t.price, t.qty_ltc, t.taker_buys) for t in trades],
        dtype=[("ns", "i8"), ("price", "f8"), ("qty", "f8"), ("buys", "?")],
    )
    index = rows["ns"] // interval_ns - first
    before = rows["price"][index < 0]
    rows, index = rows[(index >= 0) & (index < count)], index[(index >= 0) & (index < count)]
    price, qty = rows["price"], rows["qty"]
    highs, lows = np.full(count, -np.inf), np.full(count, np.inf)
    np.maximum.at(highs, index, price)
    np.minimum.at(lows, index, price)
    volume = np.bincount(index, weights=qty, minlength=count)
    bought = np.bincount(index, weights=np.where(rows["buys"], qty, 0.0), minlength=count)
    closes, opens = np.full(count, np.nan), np.full(count, np.nan)
    closes[index] = price  # of several, the last
    opens[index[::-1]] = price[::-1]
    last = segment.header.last_price_usdt
    if before.size:
        last = float(before[-1])
    is_down = np.zeros(count, dtype=np.bool_)
    for gap in segment.gaps:
        if gap.source == "" or "trade" in gap.kinds:
            low = gap.start_ns // interval_ns - first
            high = -(-(gap.end_ns or segment.end_ns) // interval_ns) - first
            is_down[max(low, 0) : max(high, 0)] = True
    silent = np.isnan(closes)
    # A price is held through silence, but nobody knows it after a gap until the next trade.
    at = np.maximum.accumulate(np.where(silent & ~is_down, -1, np.arange(count)))
    held = np.where(at < 0, np.nan if last is None else last, closes[np.maximum(at, 0)])
    for values in (opens, highs, lows, closes):
        values[silent] = held[silent]
    is_known = ~np.isnan(closes) & ~is_down
    close_ns = (first + 1 + np.arange(count, dtype=np.int64)) * interval_ns
    return pl.DataFrame(
        {
            "event_ns": close_ns, "known_ns": close_ns, "open": opens, "high": highs, "low": lows,
            "close": closes, "volume": volume, "buy_volume": bought,
        }
    ).filter(pl.Series(is_known))  # fmt: skip


def _table(some: Sequence[Any], columns: Sequence[str]) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "event_ns": [event.event_ns for event in some],
            "known_ns": [event.known_ns for event in some],
            **{column: [getattr(event, column) for event in some] for column in columns},
        }
    )


def _mark_index(marks: Sequence[ev.Mark], indexes: Sequence[ev.Index]) -> pl.DataFrame:
    """Put what one message told into one row; NaN where it told one of them alone."""
    keys = ["event_ns", "known_ns"]
    schema = {"event_ns": pl.Int64, "known_ns": pl.Int64}
    both = [
        pl.DataFrame(
            {key: [getattr(e, key) for e in some] for key in keys}
            | {name: [e.price for e in some]},
            schema=schema | {name: pl.Float64},
        ).unique(keys, keep="last", maintain_order=True)
        for name, some in (("mark", marks), ("index", indexes))
    ]
    joined = both[0].join(both[1], on=keys, how="full", coalesce=True)
    return joined.with_columns(pl.col("mark", "index").fill_null(float("nan"))).sort(
        "known_ns", "event_ns"
    )


def _told_bars(told: Sequence[ev.Bar]) -> pl.DataFrame:
    """Return bars once each, known at their close as the lake holds them."""
    table = _table(told, ("open", "high", "low", "close", "volume", "buy_volume"))
    return (
        table.unique("event_ns", keep="last", maintain_order=True)
        .with_columns(known_ns=pl.col("event_ns"))
        .sort("event_ns")
    )


def _spacing(table: pl.DataFrame) -> int:
    """Return the usual time between rows, to the second; a minute when there is one row alone."""
    steps = np.diff(table["event_ns"].to_numpy())
    steps = steps[steps > 0]
    if steps.size == 0:
        return NS_PER_MINUTE
    return max(1, round(float(np.median(steps)) / NS_PER_SECOND)) * NS_PER_SECOND

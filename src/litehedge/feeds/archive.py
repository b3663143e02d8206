"""Recorded history as files: Binance archive zips, CSV and Parquet become checked tables.

A file becomes one `Series`. Its table is sorted by ``known_ns``; all times are int64 nanoseconds.

========================  ====================================================================
kind                      columns
========================  ====================================================================
``bars``                  event_ns (the close), known_ns, open, high, low, close, volume;
                          buy_volume where it is known
``funding``               event_ns, known_ns, rate
``open_interest``         event_ns, known_ns, oi, unit
``liquidations``          event_ns, known_ns, side (of the position), price, qty, notional_usdt;
                          feed (``all`` or ``largest``) where it is known
``book``                  event_ns, known_ns, bid, ask, depth per side within 1 %, 0.2 %, 5 %
``mark_index``            event_ns, known_ns, mark, index
``long_short_ratio``      event_ns, known_ns, ratio
``transfers``             event_ns, known_ns, notional_usdt, to_exchange
``sentiment``             event_ns, known_ns, score
``predicted_funding``     event_ns, known_ns, venue, rate
``trades``                event_ns, known_ns, price, qty_ltc, taker_buys
``gaps``                  event_ns (the end), known_ns, start_ns, source, kinds, why
========================  ====================================================================

Files hold the first four; the others are recorded from feeds.

Corrupt data is worse than no data: the first thing in a file that cannot be true refuses the file.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Final, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from litehedge.errors import DataError
from litehedge.feeds import barcheck, identity, names
from litehedge.feeds.rawtable import RawTable, missing, numbers, open_table, times_ns
from litehedge.units import NS_PER_DAY, NS_PER_MINUTE

Kind = Literal[
    "bars", "funding", "open_interest", "liquidations", "book", "mark_index", "long_short_ratio",
    "transfers", "sentiment", "predicted_funding", "trades", "gaps",
]  # fmt: skip

METRICS_DELAY_NS: Final = 5 * NS_PER_MINUTE
_LARGEST_FUNDING: Final = 0.1


@dataclass(frozen=True, slots=True)
class Series:
    """One file's content as a checked table.

    Parameters
    ----------
    kind
        What the rows are.
    asset, symbol, venue, market
        ``LTC``, ``LTCUSDT``, ``binance`` (or ``unknown``), and one of `names.MARKETS`.
    interval_ns
        Length of a bar; of open interest the usual time between rows; 0 when rows come at any
        time.
    unit
        What open interest is counted in, a coin or ``contracts``; empty for other kinds.
    table
        The rows, with the columns that the module names.
    source
        Name of the file.
    sha256
        Of the file's bytes, in hexadecimal.
    notes
        What was assumed or left out, for a person to read.
    """

    kind: Kind
    asset: str
    symbol: str
    venue: str
    market: str
    interval_ns: int
    unit: str
    table: pl.DataFrame
    source: str
    sha256: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Layout:
    kind: Kind
    columns: tuple[str, ...]  # the first is the time
    what: str


_LAYOUTS: Final = (
    _Layout("bars", ("ts", "open", "high", "low", "close", "volume"), "bars"),
    _Layout("bars", ("open_time", "open", "high", "low", "close", "volume"), "archive klines"),
    _Layout("funding", ("ts", "funding_rate"), "funding"),
    _Layout("funding", ("calc_time", "last_funding_rate"), "archive fundingRate"),
    _Layout("open_interest", ("ts", "oi"), "open interest"),
    _Layout("open_interest", ("create_time", "sum_open_interest"), "archive metrics"),
    _Layout("open_interest", ("ts", "oi_close"), "open interest per day"),
    _Layout("liquidations", ("ts", "side", "qty", "price"), "liquidations"),
)


def read(
    path: Path, *, symbol: str | None = None, market: str | None = None, venue: str | None = None
) -> Series:
    """Read a file, and verify it against ``<file>.CHECKSUM`` when that lies beside it.

    Parameters
    ----------
    symbol, market, venue
        Outrank what the name says.

    Raises
    ------
    DataError
        When the file cannot be read, or holds anything that cannot be true.
    UsageError
        When `symbol` or `market` is not one.
    """
    if path.is_dir():
        raise DataError(f"{path} is a folder", f"give files, for example {path}/*.zip")
    try:
        payload = path.read_bytes()
    except FileNotFoundError:
        raise DataError(f"there is no file {path}", "check the path") from None
    except OSError as error:
        reason = error.strerror or error
        raise DataError(f"{path} cannot be read: {reason}", "check its permissions") from None
    _verify(path, payload)
    folders = path.absolute().parts[:-1]
    return parse(payload, str(path), symbol=symbol, market=market, venue=venue, folders=folders)


def _verify(path: Path, payload: bytes) -> None:
    beside = path.with_name(path.name + ".CHECKSUM")
    try:
        text = beside.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return
    except OSError as error:
        reason = error.strerror or error
        raise DataError(f"{beside} cannot be read: {reason}", "check its permissions") from None
    stated = re.match(r"\s*([0-9a-fA-F]{64})\b", text)
    if stated is None:
        raise DataError(
            f"{beside} holds no SHA-256 checksum", "fetch it again, or remove it to go without"
        )
    found = hashlib.sha256(payload).hexdigest()
    if found != stated[1].lower():
        raise DataError(
            f"{path} is not what its checksum file promises: its SHA-256 is {found[:12]}…, "
            f"not {stated[1][:12].lower()}…",
            "fetch both files again",
        )


def parse(
    payload: bytes,
    name: str,
    *,
    symbol: str | None = None,
    market: str | None = None,
    venue: str | None = None,
    folders: Sequence[str] = (),
) -> Series:
    """Turn the bytes of a file into a checked series.

    The kind follows from the columns; symbol, venue and market from the name unless given. Binance
    switched the epochs of its spot archive to microseconds in 2025, of spot alone: such bars are
    spot when nothing else says what they are.

    Raises
    ------
    DataError
        With the first thing that cannot be true: file, line, values, what to do.
    UsageError
        When `symbol` or `market` is not one.
    """
    raw = open_table(payload, name)
    facts = names.facts_of(PurePath(name).stem, folders)
    if raw.member:
        identity.same_names(name, facts, names.facts_of(raw.member))
    layout = _layout_of(raw)
    if facts.kind is not None and facts.kind != layout.kind:
        raise DataError(
            f"{name} is called {facts.kind.replace('_', ' ')}, but holds {layout.what}",
            "rename the file",
        )
    notes: list[str] = []
    symbol = names.check_symbol(symbol) if symbol is not None else None
    symbol = identity.symbol_of(raw, symbol, facts, notes)
    chosen = names.check_market(market) if market is not None else None
    guessed = _market_of(raw, layout, facts, symbol)
    asset = names.asset_of(symbol)
    table, seen_market, interval_ns, unit = _build(
        raw, layout, facts, chosen or guessed, chosen, asset, notes
    )
    if chosen is None and facts.market_assumed and seen_market == "perp" and layout.kind == "bars":
        notes.append("market perp assumed: archives of spot bear the same name (see --market)")
    return Series(
        kind=layout.kind,
        asset=asset,
        symbol=symbol,
        venue=venue or facts.venue or "unknown",
        market=seen_market,
        interval_ns=interval_ns,
        unit=unit,
        table=table,
        source=PurePath(name).name,
        sha256=hashlib.sha256(payload).hexdigest(),
        notes=tuple(notes),
    )


def _layout_of(raw: RawTable) -> _Layout:
    found = raw.table.columns
    for layout in _LAYOUTS:
        if set(layout.columns) <= set(found):
            return layout
    nearest = max(_LAYOUTS, key=lambda layout: len(set(layout.columns) & set(found)))
    lacking = [column for column in nearest.columns if column not in found]
    known = "; ".join(f"{one.what}: {','.join(one.columns)}" for one in _LAYOUTS)
    hint = f" (for {nearest.what} it lacks {', '.join(lacking)})" if len(lacking) < 3 else ""
    listed = ", ".join(found[:12]) + (", …" if len(found) > 12 else "")
    raise DataError(
        f"{raw.name} has columns {listed}: no layout that litehedge knows{hint}",
        f"rename the columns; known are {known}",
    )


def _market_of(raw: RawTable, layout: _Layout, facts: names.NameFacts, symbol: str) -> str:
    if symbol.endswith("USD_PERP"):
        return "coin-m perp"
    if facts.market is not None and not facts.market_assumed:
        return facts.market
    if layout.kind != "bars":
        return "perp"  # spot has neither funding, open interest nor liquidations
    if facts.market_assumed and layout.columns[0] == "open_time":
        first = str(raw.table["open_time"][0])
        return "spot" if len(first) == len("1735689600000000") else "perp"
    return facts.market or "unknown"


def _build(
    raw: RawTable,
    layout: _Layout,
    facts: names.NameFacts,
    market: str,
    chosen: str | None,
    asset: str,
    notes: list[str],
) -> tuple[pl.DataFrame, str, int, str]:
    """Return table, market, interval and unit."""
    if layout.kind == "bars":
        stated = chosen if chosen is not None else None if facts.market_assumed else facts.market
        return (*_bars(raw, layout, facts, market, stated), "")
    if layout.kind == "funding":
        return _funding(raw, layout, facts), market, 0, ""
    if layout.kind == "liquidations":
        return _liquidations(raw, layout, facts), market, 0, ""
    unit = "contracts" if market == "coin-m perp" else asset
    table, interval_ns = _open_interest(raw, layout, facts, unit, notes)
    return table, market, interval_ns, unit


def _bars(
    raw: RawTable, layout: _Layout, facts: names.NameFacts, market: str, stated: str | None
) -> tuple[pl.DataFrame, str, int]:
    open_ns = times_ns(raw, layout.columns[0])
    barcheck.increasing(raw, open_ns)
    interval_ns = barcheck.interval(raw, open_ns, facts.interval_ns)
    barcheck.within(raw, open_ns, facts.period)
    prices = {column: numbers(raw, column) for column in ("open", "high", "low", "close")}
    # Coin-margined klines count contracts in `volume` and coins in `quote_volume`.
    counted = market == "coin-m perp" and "quote_volume" in raw.table.columns
    volume = numbers(raw, "quote_volume" if counted else "volume")
    market, volume = barcheck.prices_and_volume(raw, prices, volume, market, stated)
    close_ns = open_ns + interval_ns
    table = pl.DataFrame({"event_ns": close_ns, "known_ns": close_ns, **prices, "volume": volume})
    return table, market, interval_ns


def _funding(raw: RawTable, layout: _Layout, facts: names.NameFacts) -> pl.DataFrame:
    time, rate = layout.columns
    event_ns = times_ns(raw, time)
    barcheck.increasing(raw, event_ns)
    barcheck.within(raw, event_ns, facts.period)
    rates = numbers(raw, rate)
    barcheck.refuse_where(
        raw,
        np.abs(rates) > _LARGEST_FUNDING,
        (rate,),
        "more than 10 % per interval",
        "write rates as fractions: 0.0001 is 0.01 %",
    )
    return pl.DataFrame({"event_ns": event_ns, "known_ns": event_ns, "rate": rates})


def _open_interest(
    raw: RawTable, layout: _Layout, facts: names.NameFacts, unit: str, notes: list[str]
) -> tuple[pl.DataFrame, int]:
    """Read open interest, known late enough to be safe from the labels of the archive.

    In Binance's metrics of 2021 and 2023, row t holds the value at t; in those of 2025 the value
    at t + 5 min, which would be a look into the future. One cannot tell from the file, so that
    every row counts as known five minutes after its label (`METRICS_DELAY_NS`). A value per day
    (``oi_close``) is known when its day has ended.
    """
    time, value = layout.columns
    raw = _without_blanks(raw, value, notes)
    label_ns = times_ns(raw, time)
    per_day = value == "oi_close"
    if not per_day:
        again = np.zeros(label_ns.size, dtype=np.bool_)
        again[1:] = (np.diff(label_ns) == 0) & (np.diff(numbers(raw, value)) == 0)
        if again.any():  # some archived days hold rows twice
            notes.append(_left_out(again, "repeated row{}"))
            raw, label_ns = raw.without(again), label_ns[~again]
    barcheck.increasing(raw, label_ns)
    values = numbers(raw, value)
    barcheck.refuse_where(raw, values < 0.0, (value,), "below zero", "correct or delete that row")
    if per_day:
        interval_ns = barcheck.interval(raw, label_ns, facts.interval_ns or NS_PER_DAY)
        barcheck.within(raw, label_ns, facts.period)
        event_ns = label_ns + interval_ns
        known_ns = event_ns
    else:
        interval_ns = barcheck.usual_spacing(label_ns)
        # Archived days run from 00:05 to 00:00 of the next day.
        barcheck.within(raw, label_ns, facts.period, end_included=True)
        event_ns = label_ns
        known_ns = label_ns + METRICS_DELAY_NS
    columns = {"event_ns": event_ns, "known_ns": known_ns, "oi": values}
    return pl.DataFrame(columns).with_columns(unit=pl.lit(unit)), interval_ns


def _without_blanks(raw: RawTable, value: str, notes: list[str]) -> RawTable:
    blank = missing(raw, value)
    if not blank.any():
        return raw
    if blank.all():
        raise DataError(f"{raw.name}: {value} is empty in every row", "fetch another file")
    notes.append(_left_out(blank, "row{} without open interest"))
    return raw.without(blank)


def _left_out(flags: NDArray[np.bool_], what: str) -> str:
    count = int(flags.sum())
    return f"{count:,} {what.format('s' if count > 1 else '')} left out"


def _liquidations(raw: RawTable, layout: _Layout, facts: names.NameFacts) -> pl.DataFrame:
    event_ns = times_ns(raw, layout.columns[0])
    barcheck.increasing(raw, event_ns, repeats=True)  # two orders can share a millisecond
    barcheck.within(raw, event_ns, facts.period)
    price, qty = numbers(raw, "price"), numbers(raw, "qty")
    for column, values in (("price", price), ("qty", qty)):
        barcheck.refuse_where(
            raw, values <= 0.0, (column,), "not above zero", "correct or delete that row"
        )
    order = raw.table["side"].cast(pl.String).str.to_uppercase()
    known: NDArray[np.bool_] = order.is_in(["BUY", "SELL"]).fill_null(False).to_numpy()
    barcheck.refuse_where(
        raw, ~known, ("side",), "neither BUY nor SELL", "write the side of the closing order"
    )
    long = (order == "SELL").to_numpy()  # selling closes a long
    return pl.DataFrame(
        {
            "event_ns": event_ns,
            "known_ns": event_ns,
            "side": np.where(long, "long", "short").tolist(),
            "price": price,
            "qty": qty,
            "notional_usdt": price * qty,
        }
    )

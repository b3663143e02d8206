"""A simulated world as data sets: what a lake keeps of what was told of it.

Bars and settled funding are those that a venue publishes afterwards: they are true, and an outage
makes no hole in them. Everything else is as its feed told it: gaps, frozen and crossed quotes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from litehedge.feeds.archive import Kind, Series
from litehedge.feeds.replay import EventArrays, merge
from litehedge.market import rows as rw
from litehedge.market.events import FUNDING_VENUES
from litehedge.sim.market.second import FUNDING_S
from litehedge.sim.market.telling import OPEN_INTEREST_S, RATIO_S, Told
from litehedge.store.lake import SIMULATED
from litehedge.units import NS_PER_SECOND

DATA_SETS: Final[dict[str, Kind]] = {
    "ltc": "bars", "btc": "bars", "open_interest": "open_interest", "funding": "funding",
    "liquidations": "liquidations", "book": "book", "mark_index": "mark_index",
    "long_short_ratio": "long_short_ratio", "transfers": "transfers", "sentiment": "sentiment",
    "predicted_funding": "predicted_funding",
}  # fmt: skip
"""What a world is kept as, and the kind of each."""

_INTERVAL_S: Final[dict[str, int]] = {
    "open_interest": OPEN_INTEREST_S, "long_short_ratio": RATIO_S, "funding": 0,
    "liquidations": 0, "transfers": 0, "sentiment": 0, "predicted_funding": 0,
}  # fmt: skip
"""Usual time between rows, 0 where they come at any time; of the others it is the atom."""

_BOOK: Final = (
    "bid", "ask", "bid_depth_usdt", "ask_depth_usdt", "bid_depth_near_usdt",
    "ask_depth_near_usdt", "bid_depth_far_usdt", "ask_depth_far_usdt",
)  # fmt: skip


def series_of(
    record: NDArray[np.void], begin_s: int, atom_s: int, told: Told, btc_before: float, world: str,
    source: str,
) -> Iterator[tuple[str, Series]]:  # fmt: skip
    """Yield what there is of `DATA_SETS`, each with its series.

    Parameters
    ----------
    record
        `ATOM` ``(atom,)``, consecutive, as they truly were.
    begin_s
        When the first atom begins, in seconds since 1970.
    told
        By `Teller.tell`, of these atoms as feeds tell them.
    btc_before
        Price of Bitcoin when the first atom begins.
    world, source
        Name of the world, and which part of it this is.
    """
    for what, rows in tables_of(record, begin_s, atom_s, told, btc_before):
        if rows.height == 0:
            continue
        asset = "BTC" if what == "btc" else "LTC"
        kind = DATA_SETS[what]
        interval_s = _INTERVAL_S.get(what, atom_s)
        digest = hashlib.sha256(f"{world}:{what}:{source}".encode()).hexdigest()
        yield what, Series(
            kind, asset, f"{asset}USDT", f"{SIMULATED}{world}", "perp", interval_s * NS_PER_SECOND,
            asset if kind == "open_interest" else "", rows, source, digest,
        )  # fmt: skip


def tables_of(
    record: NDArray[np.void], begin_s: int, atom_s: int, told: Told, btc_before: float
) -> Iterator[tuple[str, pl.DataFrame]]:
    """Yield each of `DATA_SETS` as a table, perhaps empty; arguments as `series_of` takes them."""
    ends_s = begin_s + atom_s * np.arange(1, record.size + 1, dtype=np.int64)
    ends_ns = ends_s * NS_PER_SECOND
    ended = {"event_ns": ends_ns, "known_ns": ends_ns}
    close = record["close"]
    prices = {name: record[name] for name in ("open", "high", "low", "close")}
    volumes = {
        "volume": (record["buy_usdt"] + record["sell_usdt"]) / close,
        "buy_volume": record["buy_usdt"] / close,
    }
    yield "ltc", pl.DataFrame({**ended, **prices, **volumes})
    btc = record["btc"]
    btc_open = np.concatenate(([btc_before], btc[:-1]))
    btc_prices = {
        "open": btc_open, "high": np.maximum(btc_open, btc), "low": np.minimum(btc_open, btc),
        "close": btc, "volume": np.full(btc.size, np.nan),  # a world has no volume of Bitcoin
    }  # fmt: skip
    yield "btc", pl.DataFrame({**ended, **btc_prices})

    def lone(kind: int, column: str) -> pl.DataFrame:
        one = told.chosen(told.kinds == kind)
        return pl.DataFrame(_times(one) | {column: one.values[:, 0]})

    level = lone(rw.KIND_OPEN_INTEREST, "oi").with_columns(unit=pl.lit("LTC"))
    yield "open_interest", level
    settles = ends_s % FUNDING_S == 0
    settled = {"event_ns": ends_ns[settles], "known_ns": ends_ns[settles]}
    yield "funding", pl.DataFrame({**settled, "rate": record["funding_rate"][settles]})
    yield "liquidations", _liquidations(told, ends_ns, close)
    book = told.chosen(told.kinds == rw.KIND_BOOK)
    columns = {name: book.values[:, i] for i, name in enumerate(_BOOK)}
    yield "book", pl.DataFrame(_times(book) | columns)
    marks = lone(rw.KIND_MARK, "mark")
    index = lone(rw.KIND_INDEX, "index")["index"]  # one message tells both
    yield "mark_index", marks.with_columns(index)
    ratio = lone(rw.KIND_LONG_SHORT_RATIO, "ratio")
    yield "long_short_ratio", ratio
    moved = told.chosen(told.kinds == rw.KIND_TRANSFER)
    transfers = _times(moved) | {
        "notional_usdt": moved.values[:, 0], "to_exchange": moved.values[:, 1] > 0.0,
    }  # fmt: skip
    yield "transfers", pl.DataFrame(transfers)
    yield "sentiment", lone(rw.KIND_SENTIMENT, "score")
    rates = told.chosen(told.kinds == rw.KIND_PREDICTED_FUNDING)
    venues = [FUNDING_VENUES[i] for i in rates.values[:, 0].astype(np.int64).tolist()]
    predicted = pl.DataFrame(_times(rates) | {"rate": rates.values[:, 1]}).with_columns(
        venue=pl.Series(venues, dtype=pl.String)
    )
    yield "predicted_funding", predicted


def events_of_world(
    record: NDArray[np.void], begin_s: int, atom_s: int, told: Told, btc_before: float
) -> tuple[EventArrays, pl.DataFrame]:
    """Return the events that a lake with this world in it would give back, and the bars."""
    tables = dict(tables_of(record, begin_s, atom_s, told, btc_before))
    tables["bars"] = tables.pop("ltc")
    filled = {role: table for role, table in tables.items() if table.height > 0}
    return merge(filled, atom_s * NS_PER_SECOND), tables["bars"]


def _times(told: Told) -> dict[str, NDArray[np.generic]]:
    return {"event_ns": told.event_ns, "known_ns": told.known_ns}


def _liquidations(
    told: Told, ends_ns: NDArray[np.int64], close: NDArray[np.float64]
) -> pl.DataFrame:
    """Both feeds in one table; the price of an order is the close of its atom."""
    one = told.chosen(
        (told.kinds == rw.KIND_LIQUIDATION) | (told.kinds == rw.KIND_LARGEST_LIQUIDATION)
    )
    is_long = one.values[:, 0] > 0.0
    notional = one.values[:, :2].sum(axis=1)
    price = close[np.searchsorted(ends_ns, one.event_ns)]
    is_all = one.kinds == rw.KIND_LIQUIDATION
    return pl.DataFrame(
        _times(one) | {"price": price, "qty": notional / price, "notional_usdt": notional}
    ).with_columns(
        side=pl.Series(np.where(is_long, "long", "short").tolist(), dtype=pl.String),
        feed=pl.Series(np.where(is_all, "all", "largest").tolist(), dtype=pl.String),
    )

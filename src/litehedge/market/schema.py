"""The columns of atoms and frames: what they hold, which feed fills them, how they fold.

A value that is not known is NaN. Each feed has an age: seconds from its last event to the end of
the atom, NaN before the first one. Last-known values (funding, open interest, mark, book) stay
with their age; sums and extremes are of this atom alone. Forced orders come from two feeds that
are never added up: one that tells all, one that tells the largest of each second.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final, Literal

Fold = Literal["first", "max", "min", "last", "sum"]

FEEDS: Final = (
    "price", "book", "liquidations", "funding", "open_interest", "mark", "btc",
    "largest_liquidations", "index", "long_short_ratio", "transfers", "sentiment",
    "funding_own", "funding_bybit", "funding_okx",
)  # fmt: skip
(
    FEED_PRICE,
    FEED_BOOK,
    FEED_LIQUIDATIONS,
    FEED_FUNDING,
    FEED_OPEN_INTEREST,
    FEED_MARK,
    FEED_BTC,
    FEED_LARGEST_LIQUIDATIONS,
    FEED_INDEX,
    FEED_LONG_SHORT_RATIO,
    FEED_TRANSFERS,
    FEED_SENTIMENT,
    FEED_FUNDING_OWN,
    FEED_FUNDING_BYBIT,
    FEED_FUNDING_OKX,
) = range(len(FEEDS))


@dataclass(frozen=True, slots=True)
class Column:
    """One column of an atom."""

    name: str
    feed: str
    unit: str
    fold: Fold


COLUMNS: Final = (
    Column("open", "price", "USDT", "first"),
    Column("high", "price", "USDT", "max"),
    Column("low", "price", "USDT", "min"),
    Column("close", "price", "USDT", "last"),
    Column("volume", "price", "LTC", "sum"),
    Column("buy_volume", "price", "LTC bought by takers", "sum"),
    Column("bid", "book", "USDT", "last"),
    Column("ask", "book", "USDT", "last"),
    Column("bid_depth", "book", "USDT within 1 %", "last"),
    Column("ask_depth", "book", "USDT within 1 %", "last"),
    Column("bid_depth_near", "book", "USDT within 0.2 %", "last"),
    Column("ask_depth_near", "book", "USDT within 0.2 %", "last"),
    Column("bid_depth_far", "book", "USDT within 5 %", "last"),
    Column("ask_depth_far", "book", "USDT within 5 %", "last"),
    Column("liquidated_longs", "liquidations", "USDT", "sum"),
    Column("liquidated_shorts", "liquidations", "USDT", "sum"),
    Column("largest_longs", "largest_liquidations", "USDT", "sum"),
    Column("largest_shorts", "largest_liquidations", "USDT", "sum"),
    Column("transfers_in", "transfers", "USDT to exchanges", "sum"),
    Column("transfers_out", "transfers", "USDT from exchanges", "sum"),
    Column("funding_rate", "funding", "fraction per interval", "last"),
    Column("open_interest", "open_interest", "LTC", "last"),
    Column("mark", "mark", "USDT", "last"),
    Column("index", "index", "USDT", "last"),
    Column("long_short_ratio", "long_short_ratio", "accounts long / short", "last"),
    Column("sentiment", "sentiment", "score", "last"),
    Column("funding_own", "funding_own", "predicted fraction of 8 hours", "last"),
    Column("funding_bybit", "funding_bybit", "predicted fraction of 8 hours", "last"),
    Column("funding_okx", "funding_okx", "predicted fraction of 8 hours", "last"),
    Column("btc_high", "btc", "USDT", "max"),
    Column("btc_low", "btc", "USDT", "min"),
    Column("btc_close", "btc", "USDT", "last"),
    Column("btc_volume", "btc", "BTC", "sum"),
    *(Column(f"age_{feed}", feed, "s", "last") for feed in FEEDS),
)
NAMES: Final = tuple(column.name for column in COLUMNS)
N_COLUMNS: Final = len(COLUMNS)
(
    OPEN,
    HIGH,
    LOW,
    CLOSE,
    VOLUME,
    BUY_VOLUME,
    BID,
    ASK,
    BID_DEPTH,
    ASK_DEPTH,
    BID_DEPTH_NEAR,
    ASK_DEPTH_NEAR,
    BID_DEPTH_FAR,
    ASK_DEPTH_FAR,
    LIQUIDATED_LONGS,
    LIQUIDATED_SHORTS,
    LARGEST_LONGS,
    LARGEST_SHORTS,
    TRANSFERS_IN,
    TRANSFERS_OUT,
    FUNDING_RATE,
    OPEN_INTEREST,
    MARK,
    INDEX,
    LONG_SHORT_RATIO,
    SENTIMENT,
    FUNDING_OWN,
    FUNDING_BYBIT,
    FUNDING_OKX,
    BTC_HIGH,
    BTC_LOW,
    BTC_CLOSE,
    BTC_VOLUME,
    FIRST_AGE,
) = range(N_COLUMNS - len(FEEDS) + 1)


def schema_hash() -> str:
    """Return a short hash that changes with any column's name, feed, unit or fold."""
    text = "\n".join(f"{c.name} {c.feed} {c.unit} {c.fold}" for c in COLUMNS)
    return hashlib.sha256(text.encode()).hexdigest()[:16]

"""What happens on the fake venue, as values: each wire dialect renders them in its own words.

Times are milliseconds of market time since 1970. An order in a happening is the venue's own
record: render it at once, it changes later.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Literal

from litehedge.exchange.book import Change
from litehedge.exchange.terms import Algo, Fill, Held, Side

LTC: Final = "LTCUSDT"
OrderMove = Literal["new", "trade", "canceled", "expired", "calculated"]
Reason = Literal["ORDER", "FUNDING_FEE", "INSURANCE_CLEAR", "DEPOSIT", "MARGIN_TYPE_CHANGE"]


@dataclass(frozen=True, slots=True)
class LegNow:
    """One leg as the venue holds it; `qty_ltc` is signed."""

    side: Side
    qty_ltc: Decimal
    entry_usdt: Decimal
    realised_usdt: Decimal  # in its whole life, without fees
    unrealised_usdt: Decimal
    isolated: bool
    isolated_wallet_usdt: Decimal
    maintenance_usdt: Decimal
    initial_usdt: Decimal


@dataclass(frozen=True, slots=True)
class BookMoved:
    """A step of the book."""

    at_ms: int
    change: Change


@dataclass(frozen=True, slots=True)
class Traded:
    """A trade of others or of ours; `qty_ltc` counts coins of the contract."""

    at_ms: int
    trade_id: int
    price_usdt: Decimal
    qty_ltc: Decimal
    taker_buys: bool
    symbol: str = LTC


@dataclass(frozen=True, slots=True)
class Marked:
    """A second has passed."""

    at_ms: int
    mark_usdt: Decimal
    index_usdt: Decimal
    rate: Decimal
    next_funding_ms: int


@dataclass(frozen=True, slots=True)
class Closed:
    """A position was liquidated, of others or of ours: side of the *position*."""

    at_ms: int
    long: bool
    qty_ltc: Decimal
    price_usdt: Decimal


@dataclass(frozen=True, slots=True)
class OrderMoved:
    """An order of ours is in another state."""

    at_ms: int
    order: Held
    move: OrderMove
    fill: Fill | None = None


@dataclass(frozen=True, slots=True)
class AccountMoved:
    """Wallet or legs changed. `change_usdt` is what came or went besides trading."""

    at_ms: int
    reason: Reason
    wallet_usdt: Decimal
    change_usdt: Decimal
    legs: tuple[LegNow, ...]


@dataclass(frozen=True, slots=True)
class MarginCalled:
    """The account is near its liquidation."""

    at_ms: int
    wallet_usdt: Decimal
    mark_usdt: Decimal
    legs: tuple[LegNow, ...]


@dataclass(frozen=True, slots=True)
class LeverageSet:
    """The leverage of the contract is another."""

    at_ms: int
    leverage: int


@dataclass(frozen=True, slots=True)
class AlgoMoved:
    """A conditional order is in another state."""

    at_ms: int
    algo: Algo


Happening = (
    BookMoved
    | Traded
    | Marked
    | Closed
    | OrderMoved
    | AccountMoved
    | MarginCalled
    | LeverageSet
    | AlgoMoved
)

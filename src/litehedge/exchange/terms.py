"""The rules of a contract on the fake venue, what it refuses, and how an order stands with it."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final, Literal

VenueName = Literal["binance", "bybit"]
Side = Literal["both", "long", "short"]
Kind = Literal["limit", "market", "liquidation", "adl"]
TimeInForce = Literal["GTC", "IOC", "FOK", "GTX"]
Status = Literal["new", "part", "filled", "expired", "canceled", "rejected"]

ZERO: Final = Decimal(0)
ENDED: Final[frozenset[str]] = frozenset({"filled", "expired", "canceled", "rejected"})


@dataclass(frozen=True, slots=True)
class Terms:
    """The rules of LTCUSDT on a venue. Fees and rates are fractions, prices and minima USDT.

    Source: exchangeInfo and instruments-info as known in 2026, see the tier tables for their date.
    """

    venue: VenueName
    symbol: str
    tick_usdt: Decimal
    lot_ltc: Decimal
    min_notional_usdt: Decimal
    max_qty_ltc: Decimal
    max_market_qty_ltc: Decimal
    price_band: Decimal  # how far from the mark a limit may lie
    take_bound: Decimal  # how far from the mark a market order may trade
    taker_fee: Decimal
    maker_fee: Decimal
    clearance_fee: Decimal
    funding_interval_s: int = 8 * 3600


BINANCE: Final = Terms(
    "binance", "LTCUSDT", Decimal("0.01"), Decimal("0.001"), Decimal(20), Decimal(20_000),
    Decimal(5_000), Decimal("0.05"), Decimal("0.05"), Decimal("0.0005"), Decimal("0.0002"),
    Decimal("0.0125"),
)  # fmt: skip
BYBIT: Final = Terms(
    "bybit", "LTCUSDT", Decimal("0.01"), Decimal("0.1"), Decimal(5), Decimal(28_740),
    Decimal(6_160), Decimal("0.05"), Decimal("0.05"), Decimal("0.00055"), Decimal("0.0002"),
    Decimal(0),
)  # fmt: skip
TERMS: Final[dict[VenueName, Terms]] = {"binance": BINANCE, "bybit": BYBIT}

Why = Literal[
    "symbol", "side", "reduce only", "not sent here", "precision", "tick", "lot", "quantity",
    "above maximum", "notional", "too high", "too low", "client id", "duplicate", "margin", "tier",
    "unfilled", "post only", "unknown order", "no such order", "only reducing", "no change",
    "has position", "leverage", "type", "missing", "would trigger",
]  # fmt: skip
"""Why a request is refused, in one word for all venues; each venue has its own code for it."""


class Refused(Exception):
    """The venue refuses: nothing was done. `detail` goes into the message of the venue."""

    def __init__(self, why: Why, detail: str = "") -> None:
        self.why: Why = why
        self.detail = detail
        super().__init__(f"{why} {detail}".strip())


@dataclass(frozen=True, slots=True)
class Ask:
    """An order as it was asked for. `limit_usdt` None: at the market. Quantities are unsigned.

    `closes_all` closes whatever the leg holds (then `qty_ltc` is not looked at).
    """

    client_id: str
    buys: bool
    side: Side
    qty_ltc: Decimal
    limit_usdt: Decimal | None
    tif: TimeInForce = "GTC"
    reduce_only: bool = False
    closes_all: bool = False


@dataclass(frozen=True, slots=True)
class Fill:
    """One trade of ours. `realised_usdt` is what closing earned, before the fee."""

    trade_id: int
    at_ms: int
    price_usdt: Decimal
    qty_ltc: Decimal
    fee_usdt: Decimal
    realised_usdt: Decimal
    is_maker: bool


@dataclass(slots=True)
class Held:
    """An order as the venue holds it. `visible_ms`: from when on the venue admits to know it."""

    order_id: int
    client_id: str
    kind: Kind
    buys: bool
    side: Side
    leg: int
    qty_ltc: Decimal
    limit_usdt: Decimal | None
    tif: TimeInForce
    reduce_only: bool
    created_ms: int
    updated_ms: int
    status: Status = "new"
    ended: str = ""  # why an order ended that was not filled: "ioc", "market", "liquidation", ...
    fills: list[Fill] = field(default_factory=list)
    visible_ms: int = 0
    closes_all: bool = False
    algo_id: int = 0

    @property
    def filled_ltc(self) -> Decimal:
        """What was traded, unsigned."""
        return sum((fill.qty_ltc for fill in self.fills), ZERO)

    @property
    def left_ltc(self) -> Decimal:
        """What was not traded, unsigned."""
        return self.qty_ltc - self.filled_ltc

    @property
    def notional_usdt(self) -> Decimal:
        """The sum of quantity times price of the fills."""
        return sum((fill.qty_ltc * fill.price_usdt for fill in self.fills), ZERO)

    @property
    def fee_usdt(self) -> Decimal:
        """The fees of all fills."""
        return sum((fill.fee_usdt for fill in self.fills), ZERO)

    @property
    def average_usdt(self) -> Decimal:
        """The average price, 0 without fills."""
        filled = self.filled_ltc
        return self.notional_usdt / filled if filled else ZERO

    @property
    def is_open(self) -> bool:
        """Whether it may still trade."""
        return self.status not in ENDED


@dataclass(slots=True)
class Algo:
    """A conditional order: sends a market order when the price passes `trigger_usdt`."""

    algo_id: int
    client_id: str
    type: str
    buys: bool
    side: Side
    qty_ltc: Decimal
    closes_all: bool
    reduce_only: bool
    trigger_usdt: Decimal
    working: str
    rises: bool  # triggers when the price rises to it
    created_ms: int
    updated_ms: int
    status: Literal["NEW", "CANCELED", "TRIGGERED", "FINISHED", "REJECTED", "EXPIRED"] = "NEW"
    order_id: int = 0

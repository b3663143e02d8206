"""What a venue's client is asked and what it answers, in one shape for every venue.

Quantities and money are exact decimals. Reports are *cumulative*: what an order has done so far,
what an account holds now. So a report that comes twice, late or out of order does no harm.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final, Literal

import msgspec

PositionSide = Literal["both", "long", "short"]
"""Whose leg an order is for: `both` in one-way mode, else the long or the short leg."""


class VenueOrder(msgspec.Struct, frozen=True):
    """A limit order, immediate or cancel, as it goes on the wire. `qty_ltc` is unsigned."""

    client_id: str
    buys: bool
    position_side: PositionSide
    qty_ltc: Decimal
    limit_usdt: Decimal
    reduce_only: bool


OrderStatus = Literal["open", "filled", "expired", "rejected", "missing"]
"""`missing`: the venue does not know the order (yet); all but `open` and `missing` are final."""
FINAL: Final = frozenset({"filled", "expired", "rejected"})


class OrderReport(msgspec.Struct, frozen=True):
    """Where an order stands: everything that it has traded so far, not the last piece.

    `notional_usdt` is the sum of quantity times price of its fills, NaN (a decimal) where the
    source does not tell; `fee_usdt` None where it does not tell.
    """

    client_id: str
    status: OrderStatus
    filled_ltc: Decimal = Decimal(0)  # unsigned
    notional_usdt: Decimal = Decimal(0)
    fee_usdt: Decimal | None = None
    reason: str = ""
    event_ns: int = 0


class LegReport(msgspec.Struct, frozen=True):
    """One leg as the venue holds it; `qty_ltc` is signed."""

    position_side: PositionSide
    qty_ltc: Decimal
    entry_usdt: Decimal
    leverage: Decimal
    isolated: bool
    isolated_wallet_usdt: Decimal = Decimal(0)
    liquidation_usdt: Decimal | None = None


class OtherPosition(msgspec.Struct, frozen=True):
    """A position in another contract that is settled in the same money.

    Unless it is isolated it shares the wallet: what it loses, and what is kept for it, is not
    there for ours. `qty` is signed, in that contract's coins or contracts.
    """

    symbol: str
    qty: Decimal
    notional_usdt: Decimal  # unsigned
    maintenance_usdt: Decimal
    unrealised_usdt: Decimal
    isolated: bool = False


class AccountReport(msgspec.Struct, frozen=True):
    """What an account holds now: wallet balance (without unrealised profit), legs, its mode.

    `others` are positions of other contracts, where the report tells of them.
    """

    event_ns: int
    wallet_usdt: Decimal
    legs: list[LegReport]
    hedge_mode: bool
    can_trade: bool = True
    can_withdraw: bool | None = None  # None: the venue does not tell
    others: list[OtherPosition] = []


class StopReport(msgspec.Struct, frozen=True):
    """A protective stop as the venue holds it; `qty_ltc` None closes whatever its leg holds."""

    client_id: str  # "" where stops have none
    position_side: PositionSide
    buys: bool
    trigger_usdt: Decimal
    qty_ltc: Decimal | None = None


class ForcedReport(msgspec.Struct, frozen=True):
    """The venue itself closed something of ours. `qty_ltc` is the signed change of the leg."""

    kind: Literal["liquidation", "deleveraging"]
    position_side: PositionSide
    qty_ltc: Decimal
    price_usdt: Decimal
    fee_usdt: Decimal
    event_ns: int
    trade_id: str  # the same closing told twice has the same one


class FundingReport(msgspec.Struct, frozen=True):
    """Funding was settled: positive `amount_usdt` was received."""

    event_ns: int
    amount_usdt: Decimal


class Contract(msgspec.Struct, frozen=True):
    """The rules of a contract, as the venue states them now.

    `tiers` are (floor USDT, cap USDT, maximum leverage, maintenance rate, cumulative USDT);
    `price_band` is how far from the mark a limit may lie, as a fraction, None where unlimited.
    """

    venue: str
    symbol: str
    is_trading: bool
    tick_usdt: Decimal
    lot_ltc: Decimal
    min_notional_usdt: Decimal
    max_qty_ltc: Decimal
    price_band: Decimal | None
    taker_fee: Decimal
    maker_fee: Decimal
    clearance_fee: Decimal
    tiers: list[tuple[Decimal, Decimal, Decimal, Decimal, Decimal]]
    funding_interval_h: float = 8.0
    max_market_qty_ltc: Decimal | None = None  # of orders without a limit, such as stops


Report = OrderReport | AccountReport | ForcedReport | FundingReport

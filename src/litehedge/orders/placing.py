"""From an order of the engine to an order on a venue's wire, or a refusal in words.

Everything is exact, and every rounding is towards caution: a quantity never grows, a limit never
gets worse than the engine's collar.
"""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Literal

import msgspec

from litehedge.margin.account import HEDGE, POSITION
from litehedge.orders.manager import Order
from litehedge.orders.reports import AccountReport, Contract, LegReport, PositionSide, VenueOrder


class Placement(msgspec.Struct, frozen=True):
    """Where our legs live in one account.

    `is_second` tells that this is the account that holds nothing but hedges, on a second venue.
    """

    side: Literal["long", "short"]
    location: Literal["same_account", "second_venue", "reduce"]
    hedge_mode: bool
    is_second: bool = False

    @property
    def can_hold_hedge(self) -> bool:
        """Whether a hedge leg beside the position, or alone, is possible in this account."""
        return self.is_second or (self.location == "same_account" and self.hedge_mode)

    def holds(self, leg: int) -> bool:
        """Tell whether a leg of ours lives in this account."""
        if leg == POSITION:
            return not self.is_second
        return leg == HEDGE and (self.is_second or self.location == "same_account")

    def side_of(self, leg: int) -> Literal["long", "short"]:
        """Return which way a leg profits."""
        other: Literal["long", "short"] = "short" if self.side == "long" else "long"
        return self.side if leg == POSITION else other

    def leg_of(self, position_side: PositionSide) -> int | None:
        """Return the leg that the venue means, None where it is not one of ours."""
        if position_side == "both":
            return HEDGE if self.is_second else POSITION
        leg = POSITION if position_side == self.side else HEDGE
        return leg if self.holds(leg) else None


class Refusal(msgspec.Struct, frozen=True):
    """An order that is not sent, and why."""

    why: str


def venue_order(
    order: Order, placement: Placement, contract: Contract, mark_usdt: Decimal | None
) -> VenueOrder | Refusal:
    """Return what goes on the wire, or why nothing does.

    Parameters
    ----------
    mark_usdt
        The mark price, around which the venue takes limits; None where it is not known.

    Notes
    -----
    In hedge mode a leg and a direction say whether an order closes, and ``reduceOnly`` must not be
    sent (Binance -4061, -1106). In one-way mode a long and a short of one account net out, so a
    hedge there would be a reduction under another name: it is refused. Limits are clamped to the
    venue's price band (Binance -4016, -4024), and the smallest notional does not bind what closes
    (Binance -4164).
    """
    side = placement.side_of(order.leg)
    buys = order.qty_ltc > 0
    closes = buys == (side == "short")
    if not placement.holds(order.leg):
        where = "the second venue" if placement.is_second else "this account"
        return Refusal(f"leg {order.leg} does not live in {where}")
    if order.leg == HEDGE and not placement.can_hold_hedge:
        return Refusal(
            f"{contract.venue} nets both sides in one-way mode, so a hedge in the same account is "
            "impossible: switch hedge mode on, or set hedge.location to 'reduce' or 'second_venue'"
        )
    if order.reduce_only and not closes:
        return Refusal("it should reduce, and would make its leg larger")
    if not contract.is_trading:
        return Refusal(f"{contract.venue} has stopped trading {contract.symbol}")
    lot = contract.lot_ltc
    qty = min(abs(order.qty_ltc), contract.max_qty_ltc)
    qty = (qty / lot).to_integral_value(ROUND_FLOOR) * lot
    if qty <= 0:
        return Refusal(f"{abs(order.qty_ltc)} LTC are less than the venue's lot of {lot}")
    limit = _limit(order.limit_usdt, buys, contract, mark_usdt)
    lowest = limit if mark_usdt is None else min(limit, mark_usdt)
    if not (order.reduce_only and closes) and qty * lowest < contract.min_notional_usdt:
        return Refusal(
            f"{qty} LTC are worth {qty * lowest:.2f} USDT, and {contract.venue} takes no orders "
            f"below {contract.min_notional_usdt} USDT that do not reduce"
        )
    return VenueOrder(
        client_id=order.client_id,
        buys=buys,
        position_side=side if placement.hedge_mode else "both",
        qty_ltc=qty,
        limit_usdt=limit,
        reduce_only=order.reduce_only and not placement.hedge_mode,
    )


def _limit(limit: Decimal, buys: bool, contract: Contract, mark: Decimal | None) -> Decimal:
    """Clamp a limit into the band around the mark and onto a tick; it only becomes stricter."""
    if mark is not None and contract.price_band is not None:
        if buys:
            limit = min(limit, mark * (1 + contract.price_band))
        else:
            limit = max(limit, mark * (1 - contract.price_band))
    tick = contract.tick_usdt
    rounding = ROUND_FLOOR if buys else ROUND_CEILING
    return (limit / tick).to_integral_value(rounding) * tick


def setup_faults(report: AccountReport, placement: Placement) -> list[str]:
    """Return what about an account does not fit where our legs are meant to live, in words."""
    faults: list[str] = []
    if not report.can_trade:
        faults.append("the account may not trade")
    if report.can_withdraw:
        faults.append("the key can withdraw: make one that cannot")
    if report.hedge_mode != placement.hedge_mode:
        have, want = ("hedge", "one-way") if report.hedge_mode else ("one-way", "hedge")
        faults.append(f"the account is in {have} mode, and {want} mode is expected")
    if not placement.is_second and placement.location == "same_account" and not report.hedge_mode:
        faults.append("a hedge in the same account needs hedge mode")
    ours = "; if it is the hedge, set hedge.location = same_account"
    hint = ours if placement.location == "reduce" and report.hedge_mode else ""
    faults += [
        f"the account also holds {leg.qty_ltc} LTC {leg.position_side}, which is not guarded{hint}"
        for leg in foreign_legs(report, placement)
    ]
    return faults


def foreign_legs(report: AccountReport, placement: Placement) -> list[LegReport]:
    """Return the legs that hold something and are not ours."""
    return [
        leg
        for leg in report.legs
        if leg.qty_ltc != 0 and placement.leg_of(leg.position_side) is None
    ]

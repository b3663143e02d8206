"""Protective stops on a venue's wire: what is asked for, and what their fills mean. Pure.

A stop is not an order of the engine: it has ids of its own, which name its leg. So a fill is
understood after a restart too, and by whoever hears of it first; it counts once.
"""

from __future__ import annotations

import re
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Final

import msgspec

from litehedge.market import events as ev
from litehedge.orders.placing import Placement, Refusal
from litehedge.orders.reports import (
    Contract,
    OrderReport,
    PositionSide,
    StopReport,
    VenueOrder,
)

CANNOT: Final = "cannot"
"""The `code` of a `VenueRefused` that says that a venue has no such thing at all."""

_LETTERS: Final[dict[str, PositionSide]] = {"b": "both", "l": "long", "s": "short"}
_ID: Final = re.compile(r"lhs-(?P<side>both|long|short)-.+|lh-stop(?P<letter>[bls])-\d+")
_REMEMBERED: Final = 256


def stop_id(side: PositionSide, number: int) -> str:
    """Return the client id of a stop; `number` has at most ten digits."""
    return f"lh-stop{side[0]}-{number:06d}"


def side_of(client_id: str) -> PositionSide | None:
    """Return whose leg a stop of ours closes, None for an id that is no stop's."""
    found = _ID.fullmatch(client_id)
    if found is None:
        return None
    return found["side"] or _LETTERS[found["letter"]]  # type: ignore[return-value]


def stop_order(
    leg: int, qty_ltc: Decimal, trigger_usdt: Decimal, placement: Placement, contract: Contract,
    client_id: str = "",
) -> tuple[VenueOrder, Decimal] | Refusal:  # fmt: skip
    """Return what goes on the wire and the trigger, or why nothing does.

    The quantity is cut to whole lots: in hedge mode a venue refuses to close more than is held, and
    would then close nothing; and to what the venue takes at most in an order without a limit. The
    trigger is rounded so that the stop fires earlier.
    """
    if not placement.holds(leg):
        where = "the second venue" if placement.is_second else "this account"
        return Refusal(f"leg {leg} does not live in {where}")
    side = placement.side_of(leg)
    buys = side == "short"
    lot, tick = contract.lot_ltc, contract.tick_usdt
    most = min(contract.max_qty_ltc, contract.max_market_qty_ltc or contract.max_qty_ltc)
    qty = (min(qty_ltc, most) / lot).to_integral_value(ROUND_FLOOR) * lot
    if qty_ltc != 0 and qty <= 0:
        return Refusal(f"{qty_ltc} LTC are less than the venue's lot of {lot}")
    earlier = ROUND_FLOOR if buys else ROUND_CEILING
    trigger = (trigger_usdt / tick).to_integral_value(earlier) * tick
    order = VenueOrder(
        client_id=client_id,
        buys=buys,
        position_side=side if placement.hedge_mode else "both",
        qty_ltc=qty,
        limit_usdt=trigger,
        reduce_only=not placement.hedge_mode,
    )
    return order, trigger


def is_same(held: StopReport, order: VenueOrder, trigger_usdt: Decimal) -> bool:
    """Tell whether a stop at the venue does what is wanted; one without a quantity closes all."""
    fits = held.qty_ltc is None or held.qty_ltc == order.qty_ltc
    return closes_as(held, order) and fits and held.trigger_usdt == trigger_usdt


def closes_as(held: StopReport, order: VenueOrder) -> bool:
    """Tell whether a stop at the venue closes the leg that an order would."""
    return held.position_side == order.position_side and held.buys == order.buys


class _Done(msgspec.Struct):
    filled_ltc: Decimal = Decimal(0)
    notional_usdt: Decimal = Decimal(0)
    fee_usdt: Decimal = Decimal(0)


class StopFills:
    """Turns what is told of stops, cumulative and more than once, into each fill once."""

    def __init__(self) -> None:
        self._done: dict[str, _Done] = {}

    def take(
        self, report: OrderReport, placement: Placement, contract: Contract, now_ns: int
    ) -> list[ev.StopFilled]:
        """Return what a stop filled since the last report of it."""
        side = side_of(report.client_id)
        leg = None if side is None else placement.leg_of(side)
        if leg is None or report.filled_ltc <= 0 or not report.notional_usdt.is_finite():
            return []
        if report.notional_usdt <= 0:
            return []  # its price is told with the next report
        done = self._done.setdefault(report.client_id, _Done())
        while len(self._done) > _REMEMBERED:
            del self._done[next(iter(self._done))]
        more = report.filled_ltc - done.filled_ltc
        if more <= 0:
            return []
        average = report.notional_usdt / report.filled_ltc
        since = (report.notional_usdt - done.notional_usdt) / more
        price = since if average / 2 < since < average * 2 else average
        if report.fee_usdt is None:
            fee = more * price * contract.taker_fee
        else:
            fee = report.fee_usdt - done.fee_usdt
        done.filled_ltc, done.notional_usdt = report.filled_ltc, report.notional_usdt
        done.fee_usdt += fee
        signed = more if placement.side_of(leg) == "short" else -more
        when_ns = report.event_ns or now_ns
        return [ev.StopFilled(when_ns, now_ns, leg, float(signed), float(price), float(fee))]

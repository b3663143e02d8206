"""The life of an order, as a table; deterministic client ids; quantities in exact decimals.

An order is journaled before it is on the wire. When its outcome is unknown it is queried, never
sent again blindly. What is not in the table is an error that halts the engine.
"""

from __future__ import annotations

import enum
from decimal import Decimal
from math import isfinite
from typing import Final

import msgspec

from litehedge.errors import OrderProtocolError
from litehedge.market import events as ev


class OrderState(enum.StrEnum):
    """Where an order is in its life."""

    INTENDED = "intended"  # in the journal, not known to the venue
    ACCEPTED = "accepted"
    PARTLY_FILLED = "partly filled"
    UNKNOWN = "unknown"  # sent, outcome not known: query before anything else
    FILLED = "filled"
    EXPIRED = "expired"
    REJECTED = "rejected"


class Order(msgspec.Struct, frozen=True):
    """A marketable limit order, immediate or cancel, within its collar.

    `qty_ltc` is signed and exact; `limit_usdt` is the worst price. One that `protects` closes for
    good what liquidation comes near to: it is no hedge that could be lifted.
    """

    client_id: str
    leg: int
    qty_ltc: Decimal
    limit_usdt: Decimal
    reduce_only: bool
    decided_ns: int
    state: OrderState = OrderState.INTENDED
    filled_ltc: Decimal = Decimal(0)
    reason: str = ""
    protects: bool = False

    @property
    def is_open(self) -> bool:
        """Whether the order may still trade."""
        return self.state in OPEN_STATES


OPEN_STATES: Final = frozenset(
    {OrderState.INTENDED, OrderState.ACCEPTED, OrderState.PARTLY_FILLED, OrderState.UNKNOWN}
)

_S = OrderState
TRANSITIONS: Final[dict[tuple[OrderState, type[ev.Event]], OrderState]] = {
    (_S.INTENDED, ev.OrderAccepted): _S.ACCEPTED,
    (_S.INTENDED, ev.OrderRejected): _S.REJECTED,
    (_S.INTENDED, ev.OrderUnknown): _S.UNKNOWN,
    # A fill may overtake its acknowledgement, and resolves an unknown outcome.
    **{
        (state, ev.OrderFilled): _S.PARTLY_FILLED
        for state in (_S.INTENDED, _S.ACCEPTED, _S.PARTLY_FILLED, _S.UNKNOWN)
    },
    **{
        (state, ev.OrderExpired): _S.EXPIRED
        for state in (_S.INTENDED, _S.ACCEPTED, _S.PARTLY_FILLED, _S.UNKNOWN)
    },
    (_S.UNKNOWN, ev.OrderAccepted): _S.ACCEPTED,
    (_S.ACCEPTED, ev.OrderAccepted): _S.ACCEPTED,  # the answer to a query
    (_S.UNKNOWN, ev.OrderRejected): _S.REJECTED,
    (_S.PARTLY_FILLED, ev.OrderAccepted): _S.PARTLY_FILLED,
    (_S.FILLED, ev.OrderAccepted): _S.FILLED,
}

OrderEvent = (
    ev.OrderAccepted | ev.OrderRejected | ev.OrderFilled | ev.OrderExpired | ev.OrderUnknown
)


PREFIX: Final = "lh-"


def is_ours(client_id: str) -> bool:
    """Tell by its client id whether an order is one that we sent, now or in an earlier run."""
    return client_id.startswith(PREFIX)


def new_order(
    session: str,
    number: int,
    leg: int,
    qty_ltc: float,
    limit_usdt: float,
    *,
    lot: Decimal,
    tick: Decimal,
    reduce_only: bool,
    decided_ns: int,
    protects: bool = False,
) -> Order:
    """Build the order number `number` of a session.

    The client id depends on session and number alone, so that a replay and a restart give the
    same one. Quantity and limit come in as floats that already lie on the grid of lots and ticks;
    here they become the exact decimals.
    """
    lots = (Decimal(repr(abs(qty_ltc))) / lot).to_integral_value() * lot
    ticks = (Decimal(repr(limit_usdt)) / tick).to_integral_value() * tick
    return Order(
        client_id=f"{PREFIX}{session}-{number:06d}",
        leg=leg,
        qty_ltc=lots if qty_ltc > 0 else -lots,
        limit_usdt=ticks,
        reduce_only=reduce_only,
        decided_ns=decided_ns,
        protects=protects,
    )


def advance(order: Order, event: OrderEvent) -> Order:
    """Return the order after the venue said `event`.

    Raises
    ------
    OrderProtocolError
        When the order's state does not allow the event, or what was filled was not ordered.
    """
    after = TRANSITIONS.get((order.state, type(event)))
    if after is None:
        raise OrderProtocolError(
            f"order {order.client_id} is {order.state} and was told {type(event).__name__}",
            "trading halts; compare orders and positions with the venue",
        )
    if isinstance(event, ev.OrderFilled):
        possible = (
            event.leg == order.leg
            and isfinite(event.qty_ltc)
            and isfinite(event.price)
            and event.qty_ltc * float(order.qty_ltc) > 0.0
        )
        filled = order.filled_ltc + Decimal(repr(event.qty_ltc)) if possible else Decimal(0)
        if not possible or abs(filled) > abs(order.qty_ltc) + Decimal("1e-9"):
            raise OrderProtocolError(
                f"order {order.client_id} of {order.qty_ltc} LTC on leg {order.leg} was filled by "
                f"{event.qty_ltc} on leg {event.leg} at {event.price}, {order.filled_ltc} before",
                "trading halts; compare orders and positions with the venue",
            )
        complete = abs(abs(filled) - abs(order.qty_ltc)) <= Decimal("1e-9")
        return msgspec.structs.replace(
            order, state=OrderState.FILLED if complete else after, filled_ltc=filled
        )
    reason = getattr(event, "reason", "")
    return msgspec.structs.replace(order, state=after, reason=reason or order.reason)

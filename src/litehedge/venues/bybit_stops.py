"""Bybit v5: the stop of a leg (`trading-stop`), asked for, told and traded. Pure.

Shapes: https://bybit-exchange.github.io/docs/v5/position/trading-stop. A stop in `Full` mode closes
whatever its leg holds and is replaced in one step, so that there is never none and never two; one
in `Partial` mode names a quantity, but a second one stands beside the first.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

import msgspec

from litehedge.orders.reports import OrderReport, PositionSide, StopReport, VenueOrder
from litehedge.venues.bybit_account import PositionRow, leg_side
from litehedge.venues.bybit_orders import POSITION_IDX, ExecutionRow, Executions, stop_link
from litehedge.venues.bybit_values import money, plain

NO_STOP: Final = frozenset({"34040", "10001"})
"""Codes of a removal where there was nothing to remove: not modified, no position."""


def stop_request(order: VenueOrder, trigger_usdt: Decimal, symbol: str) -> dict[str, object]:
    """Return the body of `position/trading-stop`: the stop of a whole leg, by the mark price."""
    return {
        "category": "linear",
        "symbol": symbol,
        "tpslMode": "Full",
        "positionIdx": POSITION_IDX[order.position_side],
        "stopLoss": plain(trigger_usdt),
        "slTriggerBy": "MarkPrice",
        "slOrderType": "Market",
    }


def no_stop_request(side: PositionSide, symbol: str) -> dict[str, object]:
    """Return the body of `position/trading-stop` that takes the stop of a leg away."""
    return {
        "category": "linear",
        "symbol": symbol,
        "tpslMode": "Full",
        "positionIdx": POSITION_IDX[side],
        "stopLoss": "0",
    }


def stops_of(rows: list[PositionRow], symbol: str) -> list[StopReport]:
    """Return the stops that legs have, from `position/list`.

    Raises
    ------
    BadMessage
        When a leg cannot be read.
    """
    found = []
    for row in rows:
        trigger = money(row.stop_loss, "stop of a leg")
        if row.symbol == symbol and trigger > 0:
            found.append(StopReport("", leg_side(row), row.side == "Sell", trigger))
    return found


def stops_traded(rows: list[ExecutionRow], symbol: str, side: PositionSide) -> OrderReport | None:
    """Return what the last stop of a leg traded, from executions, oldest first; None: none did.

    Raises
    ------
    BadMessage
        When an execution cannot be read.
    """
    found = [
        row
        for row in rows
        if row.symbol == symbol
        and row.exec_type == "Trade"
        and stop_link(row, side != "both").startswith(f"lhs-{side}-")
    ]
    if not found:
        return None
    mine = [row for row in found if row.order_id == found[-1].order_id]
    link = stop_link(mine[-1], side != "both")
    told = [
        one
        for one in Executions(symbol).take(mine, hedge_mode=side != "both")
        if isinstance(one, OrderReport)
    ]
    return msgspec.structs.replace(told[-1], client_id=link, status="filled") if told else None

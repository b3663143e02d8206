"""Liquidations and deleveragings of our own legs, out of the raw orders of venues that mark them.

OKX: `category` `full_liquidation`, `partial_liquidation`, `adl`. Bybit: `createType`
`CreateByLiq`, `CreateByAdl_PassThrough` and the like. Gate: `finish_as` `liquidated`,
`auto_deleveraged`. Binance: client ids `autoclose-...` and `adl_autoclose`. Elsewhere what the
venue closed shows in the next account report alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Literal

from litehedge.orders.reports import ForcedReport, PositionSide
from litehedge.venues.ccxt_read import exact, fee_of, maybe, ns_of


def kind_of(venue: str, order: Mapping[str, Any]) -> Literal["liquidation", "deleveraging"] | None:
    """Return what the venue did by this order, None for an ordinary one."""
    info = order.get("info")
    info = info if isinstance(info, Mapping) else {}
    mark = ""
    if venue == "okx":
        mark = str(info.get("category") or "")
    elif venue == "bybit":
        mark = str(info.get("createType") or "")
    elif venue == "gate":
        mark = str(info.get("finish_as") or "")
    elif venue == "binanceusdm":
        mark = str(order.get("clientOrderId") or "")
    mark = mark.lower()
    if "adl" in mark or "deleverag" in mark:
        return "deleveraging"
    if "liq" in mark or mark.startswith("autoclose"):
        return "liquidation"
    return None


def forced(venue: str, order: Mapping[str, Any], contract_ltc: Decimal) -> ForcedReport | None:
    """Return what was closed of ours once the order is over; None for an ordinary order.

    Raises
    ------
    BadMessage
        When a number is none.
    """
    kind = kind_of(venue, order)
    if kind is None:
        return None
    filled = maybe(order.get("filled"), "a forced order's size") or Decimal(0)
    if filled == 0 or order.get("status") == "open":
        return None
    side = str((order.get("info") or {}).get("posSide") or "both").lower()
    at_leg: PositionSide = "both"
    if side in ("long", "short"):
        at_leg = "long" if side == "long" else "short"
    size = filled * contract_ltc
    return ForcedReport(
        kind,
        at_leg,
        size if order.get("side") == "buy" else -size,
        exact(order.get("average") or order.get("price"), "a forced order's price"),
        fee_of(order) or Decimal(0),
        ns_of(order.get("lastUpdateTimestamp") or order.get("timestamp")),
        str(order.get("id")),
    )

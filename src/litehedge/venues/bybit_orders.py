"""Bybit v5 orders and executions, asked for and told, as `OrderReport`s. Pure.

Shapes: https://bybit-exchange.github.io/docs/v5/order/, `/v5/websocket/private/` and
`/v5/websocket/trade/guideline`. An acknowledgement says only that an order was accepted; what
became of it comes over the topics `order` (cumulative) and `execution` (single fills).
"""

from __future__ import annotations

from collections import OrderedDict
from decimal import Decimal
from typing import Any, Final, Literal

import msgspec

from litehedge.errors import BadMessage
from litehedge.orders.reports import (
    ForcedReport,
    FundingReport,
    OrderReport,
    OrderStatus,
    PositionSide,
    VenueOrder,
)
from litehedge.venues.bybit_values import (
    SKIPPED,
    Whole,
    Wire,
    decode,
    money,
    one_of,
    plain,
    time_ns,
)

POSITION_IDX: Final[dict[PositionSide, int]] = {"both": 0, "long": 1, "short": 2}
UNKNOWN: Final = Decimal("NaN")


class Private(Wire, frozen=True):
    """The outside of what a private or a trading socket sends."""

    topic: str = ""
    op: str = ""
    success: bool | None = None
    ret_msg_private: str = msgspec.field(default="", name="ret_msg")
    ret_code: Whole = 0
    ret_msg: str | None = ""
    req_id: str = ""
    creation_time: Whole = 0
    data: msgspec.Raw = msgspec.Raw(b"")
    header: msgspec.Raw = msgspec.Raw(b"")


class Envelope(Wire, frozen=True):
    """The outside of every REST answer."""

    ret_code: Whole
    ret_msg: str | None = ""
    result: msgspec.Raw = msgspec.Raw(b"")
    time: Whole = 0


class OrderRow(Wire, frozen=True):
    """An order as the `order` topic and the order lists tell it; quantities in LTC."""

    symbol: str
    order_status: str
    order_id: str = ""
    order_link_id: str = ""
    cum_exec_qty: str = ""
    cum_exec_value: str = ""
    cum_exec_fee: str = ""
    cum_fee_detail: Any = None
    cancel_type: str = ""
    reject_reason: str = ""
    side: str = ""
    qty: str = ""
    trigger_price: str = ""
    updated_time: str = ""


class ExecutionRow(Wire, frozen=True):
    """One execution; `exec_fee` is positive when we pay."""

    symbol: str
    side: str
    exec_id: str
    exec_type: str
    exec_qty: str
    exec_price: str
    exec_time: str
    exec_fee: str = ""
    exec_value: str = ""
    order_link_id: str = ""
    order_qty: str = ""
    create_type: str = ""
    fee_currency: str = ""
    order_id: str = ""


class _Rows(Wire, frozen=True):
    rows: list[OrderRow] = msgspec.field(name="list")
    next_page_cursor: str = ""


class _Executions(Wire, frozen=True):
    rows: list[ExecutionRow] = msgspec.field(name="list")
    next_page_cursor: str = ""


_PRIVATE = msgspec.json.Decoder(Private)
_ENVELOPE = msgspec.json.Decoder(Envelope)
_ORDERS = msgspec.json.Decoder(list[OrderRow])
_ORDER_LIST = msgspec.json.Decoder(_Rows)
_EXECUTIONS = msgspec.json.Decoder(list[ExecutionRow])
_EXECUTION_LIST = msgspec.json.Decoder(_Executions)

_STATUS: Final[dict[str, OrderStatus]] = {
    "Created": "open", "New": "open", "PartiallyFilled": "open", "Untriggered": "open",
    "Triggered": "open", "PendingCancel": "open", "Active": "open", "Filled": "filled",
    "Cancelled": "expired", "PartiallyFilledCanceled": "expired", "Deactivated": "expired",
    "Rejected": "rejected",
}  # fmt: skip
_SIGN: Final[dict[str, int]] = {"Buy": 1, "Sell": -1}
_WHY: Final[dict[str, str]] = {
    "EC_NoImmediateQtyToFill": "nobody was there within the limit",
    "EC_NoEnoughQtyToFill": "nobody was there within the limit",
    "EC_CancelForNoFullFill": "the rest found nobody within the limit",
    "EC_PerCancelRequest": "cancelled as asked",
    "EC_ReachMaxTradeNum": "it met too many orders, the rest was cancelled",
    "EC_ReachRiskPriceLimit": "the price is beyond the venue's band",
    "EC_ReachMarketPriceLimit": "the price is beyond the venue's band",
    "EC_InvalidSymbolStatus": "the contract is not traded now",
    "EC_BySelfMatch": "it would have met an order of ours",
    "CancelByUser": "cancelled as asked",
    "CancelByReduceOnly": "there is less to reduce than was ordered",
    "CancelByPrepareLiq": "the venue prepares a liquidation",
    "CancelAllBeforeLiq": "the venue prepares a liquidation",
    "CancelByPrepareAdl": "the venue prepares a deleveraging",
    "CancelAllBeforeAdl": "the venue prepares a deleveraging",
    "CancelByTpSlTsClear": "the position is closed",
    "CancelByDCP": "the venue did not hear from us",
    "CancelBySmp": "it would have met an order of ours",
}


def private(payload: bytes) -> Private:
    """Read the outside of a message of a private or a trading socket.

    Raises
    ------
    BadMessage
        When it is not one of Bybit's.
    """
    return decode(_PRIVATE, payload, "private message")


def envelope(payload: bytes) -> Envelope:
    """Read the outside of a REST answer.

    Raises
    ------
    BadMessage
        When it is not one of Bybit's.
    """
    return decode(_ENVELOPE, payload, "answer")


def closes(order: VenueOrder) -> bool:
    """Whether an order can only lower what is held: in hedge mode its leg and side tell."""
    return order.reduce_only or order.position_side == ("short" if order.buys else "long")


def order_request(order: VenueOrder, symbol: str) -> dict[str, object]:
    """Return the body of `order/create`: a limit order, immediate or cancel.

    In hedge mode Bybit wants `reduceOnly` on what closes a leg, so that it never opens the other.
    """
    return {
        "category": "linear",
        "symbol": symbol,
        "side": "Buy" if order.buys else "Sell",
        "orderType": "Limit",
        "qty": plain(order.qty_ltc),
        "price": plain(order.limit_usdt),
        "timeInForce": "IOC",
        "positionIdx": POSITION_IDX[order.position_side],
        "orderLinkId": order.client_id,
        "reduceOnly": closes(order),
    }


def report(row: OrderRow) -> OrderReport:
    """Return where an order stands.

    Raises
    ------
    BadMessage
        When what it tells cannot be true.
    """
    status: OrderStatus = one_of(row.order_status, _STATUS, "status of an order")
    filled = money(row.cum_exec_qty, "filled quantity")
    notional = money(row.cum_exec_value, "filled value")
    if filled and not notional:
        notional = UNKNOWN
    if filled and status == "rejected":
        status = "expired"  # what was done is done
    reason = ""
    if status in ("expired", "rejected"):
        word = row.reject_reason
        if word in ("", "EC_NoError"):
            word = row.cancel_type
        reason = _WHY.get(word, word[:60])
    when_ns = time_ns(row.updated_time, "time of an order") if row.updated_time else 0
    fee = _fee(row) if filled else Decimal(0)
    return OrderReport(row.order_link_id, status, filled, notional, fee, reason, when_ns)


def _fee(row: OrderRow) -> Decimal | None:
    """Return the fee in USDT; None when it was paid in another coin, or is not told."""
    detail = row.cum_fee_detail
    if isinstance(detail, dict) and detail:
        paid = detail.get("USDT") if set(detail) == {"USDT"} else None
        return money(paid, "fee", signed=True) if isinstance(paid, str) else None
    return money(row.cum_exec_fee, "fee", signed=True) if row.cum_exec_fee else None


def orders_told(message: Private, symbol: str) -> list[OrderReport]:
    """Read the `order` topic; orders of other symbols and without a client id are left out.

    Raises
    ------
    BadMessage
        When it cannot be read.
    """
    rows = decode(_ORDERS, message.data, "order topic")
    return [report(row) for row in rows if row.symbol == symbol and row.order_link_id]


def order_list(result: msgspec.Raw) -> tuple[list[OrderRow], str]:
    """Read `order/realtime` or `order/history`: the orders, and where the next page begins.

    Raises
    ------
    BadMessage
        When it cannot be read.
    """
    page = decode(_ORDER_LIST, result, "order list")
    return page.rows, page.next_page_cursor


def execution_list(result: msgspec.Raw) -> tuple[list[ExecutionRow], str]:
    """Read `execution/list`, newest first.

    Raises
    ------
    BadMessage
        When it cannot be read.
    """
    page = decode(_EXECUTION_LIST, result, "execution list")
    return page.rows, page.next_page_cursor


def executions_told(message: Private) -> list[ExecutionRow]:
    """Read the `execution` topic.

    Raises
    ------
    BadMessage
        When it cannot be read.
    """
    return decode(_EXECUTIONS, message.data, "execution topic")


def stop_link(row: ExecutionRow, hedge_mode: bool) -> str:
    """Return a name for the order that came of the stop of a leg itself, "" for any other order.

    People set it, and versions before this one did. Bybit gives a `trading-stop` no client id;
    `createType` says what it is. A stop always closes.
    """
    if row.create_type not in _STOPPED or not row.order_id:
        return ""
    side: PositionSide = "both"
    if hedge_mode:
        side = "long" if row.side == "Sell" else "short"
    return f"lhs-{side}-{row.order_id}"


_STOPPED: Final = ("CreateByStopLoss", "CreateByPartialStopLoss")


REMEMBERED: Final = 4096
"""Executions and orders that are remembered, so that what is told twice counts once."""
_Forced = Literal["liquidation", "deleveraging"]
_FORCED_TYPE: Final[dict[str, _Forced]] = {"BustTrade": "liquidation", "AdlTrade": "deleveraging"}
_FORCED_MAKER: Final[dict[str, _Forced]] = {
    "CreateByLiq": "liquidation",
    "CreateByTakeOver_PassThrough": "liquidation",
    "CreateByAdl_PassThrough": "deleveraging",
}


class Executions:
    """Adds single executions up to reports; each counts once, however often it is told.

    `foreign` tells whether something traded that no order of ours explains (a stop, a person, a
    delivery), or that could not be read: then the account has to be read anew. `bad` is the last
    one that could not be read.
    """

    def __init__(self, symbol: str) -> None:
        self._symbol = symbol
        self._seen: OrderedDict[str, None] = OrderedDict()
        self._done: OrderedDict[str, tuple[Decimal, Decimal, Decimal | None]] = OrderedDict()
        self.foreign = False
        self.bad: BadMessage | None = None

    def take(
        self, rows: list[ExecutionRow], hedge_mode: bool
    ) -> list[OrderReport | ForcedReport | FundingReport]:
        """Return what executions tell anew. In hedge mode what is forced always closes a leg."""
        out: list[OrderReport | ForcedReport | FundingReport] = []
        for row in rows:
            if row.symbol != self._symbol or row.exec_id in self._seen:
                continue
            self._seen[row.exec_id] = None
            if len(self._seen) > REMEMBERED:
                self._seen.popitem(last=False)
            try:
                told = self._one(row, hedge_mode)
            except BadMessage as error:
                self.foreign, self.bad = True, error
                continue
            if told is not None:
                out.append(told)
        return out

    def _one(
        self, row: ExecutionRow, hedge_mode: bool
    ) -> OrderReport | ForcedReport | FundingReport | None:
        if not row.exec_id:
            raise BadMessage("bybit execution has no id", SKIPPED)
        when_ns = time_ns(row.exec_time, "time of an execution")
        fee = money(row.exec_fee, "fee", signed=True)
        if row.exec_type == "Funding":
            return FundingReport(when_ns, -fee)
        qty, price = money(row.exec_qty, "quantity"), money(row.exec_price, "price")
        if qty <= 0 or price <= 0:
            raise BadMessage("bybit execution has no quantity or price", SKIPPED)
        signed = one_of(row.side, _SIGN, "side of an execution") * qty
        kind = _FORCED_TYPE.get(row.exec_type) or _FORCED_MAKER.get(row.create_type)
        if kind is not None:
            side: PositionSide = "both"
            if hedge_mode:
                side = "long" if signed < 0 else "short"
            return ForcedReport(kind, side, signed, price, fee, when_ns, row.exec_id)
        link = stop_link(row, hedge_mode) or row.order_link_id
        if row.exec_type != "Trade" or not link:
            self.foreign = True
            return None
        value = money(row.exec_value, "value") or qty * price
        paid = fee if row.fee_currency in ("", "USDT") else None
        return self._add(row, link, qty, value, paid, when_ns)

    def _add(
        self, row: ExecutionRow, link: str, qty: Decimal, value: Decimal, fee: Decimal | None,
        when_ns: int,
    ) -> OrderReport:  # fmt: skip
        zero = Decimal(0)
        before = self._done.pop(link, (zero, zero, zero))
        fees = None if fee is None or before[2] is None else before[2] + fee
        filled, notional = before[0] + qty, before[1] + value
        self._done[link] = (filled, notional, fees)
        if len(self._done) > REMEMBERED:
            self._done.popitem(last=False)
        ordered = money(row.order_qty, "ordered quantity")
        status: OrderStatus = "filled" if ordered and filled >= ordered else "open"
        return OrderReport(link, status, filled, notional, fees, "", when_ns)

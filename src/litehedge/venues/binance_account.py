"""Binance USD-M answers about our account and our orders: bytes in, reports out. Pure.

Formats: developers.binance.com, "USDS Margined Futures / Trade" and "/ Account". Since 2026-07-15
the acknowledgement of an order tells no average price: its notional is then not known. Whatever
cannot be read raises `BadMessage`; `account_of` alone may raise `WrongSetup` too.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, Final, Literal, TypeVar

import msgspec
from msgspec import Meta, Struct

from litehedge.errors import BadMessage, WrongSetup
from litehedge.orders.reports import (
    AccountReport,
    LegReport,
    OrderReport,
    OrderStatus,
    OtherPosition,
    PositionSide,
    StopReport,
    VenueOrder,
)
from litehedge.units import NS_PER_MS
from litehedge.venues.binance_rest import exact, positive
from litehedge.venues.binance_wire import Ms, Name, OrderSide, read

T = TypeVar("T")

Leg = Literal["BOTH", "LONG", "SHORT"]
LEGS: Final[dict[Leg, PositionSide]] = {"BOTH": "both", "LONG": "long", "SHORT": "short"}
WIRE_LEGS: Final[dict[PositionSide, Leg]] = {"both": "BOTH", "long": "LONG", "short": "SHORT"}
VenueStatus = Literal[
    "NEW", "PARTIALLY_FILLED", "FILLED", "CANCELED", "EXPIRED", "EXPIRED_IN_MATCH", "REJECTED"
]
STATUSES: Final[dict[VenueStatus, OrderStatus]] = {
    "NEW": "open",
    "PARTIALLY_FILLED": "open",
    "FILLED": "filled",
    "CANCELED": "expired",
    "EXPIRED": "expired",
    "EXPIRED_IN_MATCH": "expired",
    "REJECTED": "rejected",
}
NOT_TOLD: Final = Decimal("NaN")


def _decoder(kind: type[T]) -> msgspec.json.Decoder[T]:
    return msgspec.json.Decoder(kind, strict=False)


def signed(qty: Decimal, leg: Leg) -> Decimal:
    """Return the quantity of a leg with its sign, which one-way mode already carries."""
    exact(qty, "a position")
    if leg == "BOTH":
        return qty
    return abs(qty) if leg == "LONG" else -abs(qty)


# --- orders -------------------------------------------------------------------------------------


class _Order(Struct):
    symbol: Name
    clientOrderId: Name  # noqa: N815
    status: VenueStatus
    executedQty: Decimal  # noqa: N815
    updateTime: Ms = 0  # noqa: N815
    avgPrice: Decimal | None = None  # noqa: N815
    cumQuote: Decimal | None = None  # noqa: N815


class _OpenOrder(Struct):
    symbol: Name
    clientOrderId: Name  # noqa: N815


_ORDER: Final = _decoder(_Order)
_OPEN_ORDERS: Final = _decoder(list[_OpenOrder])


def order_report(payload: bytes, symbol: str) -> OrderReport:
    """Read an acknowledgement, or the answer to a query, as what the order has done so far."""
    got = read(_ORDER, payload, "an order")
    if got.symbol != symbol:
        raise BadMessage(f"Binance: an order is not of {symbol}", "it is asked again")
    filled = exact(got.executedQty, "a filled quantity")
    if filled < 0:
        raise BadMessage("Binance: an order filled less than nothing", "it is asked again")
    notional = NOT_TOLD
    if filled == 0:
        notional = Decimal(0)
    elif got.cumQuote is not None and exact(got.cumQuote, "a notional") > 0:
        notional = got.cumQuote
    elif got.avgPrice is not None and exact(got.avgPrice, "an average price") > 0:
        notional = filled * got.avgPrice
    status = STATUSES[got.status]
    return OrderReport(
        client_id=got.clientOrderId,
        status=status,
        filled_ltc=filled,
        notional_usdt=notional,
        fee_usdt=Decimal(0) if filled == 0 else None,
        reason="" if status in ("open", "filled") else got.status.lower().replace("_", " "),
        event_ns=got.updateTime * NS_PER_MS,
    )


def open_orders(payload: bytes, symbol: str) -> list[str]:
    """Read ``GET /fapi/v1/openOrders``; stops of the algo service are not in it."""
    return [
        row.clientOrderId
        for row in read(_OPEN_ORDERS, payload, "open orders")
        if row.symbol == symbol
    ]


def order_params(order: VenueOrder, symbol: str) -> dict[str, str]:
    """Return the parameters of ``POST /fapi/v1/order``: limit, immediate or cancel.

    In hedge mode the side and the leg say whether an order reduces, and `reduceOnly` may not be
    sent (-1106).
    """
    params = {
        "symbol": symbol,
        "side": "BUY" if order.buys else "SELL",
        "positionSide": WIRE_LEGS[order.position_side],
        "type": "LIMIT",
        "timeInForce": "IOC",
        "quantity": f"{order.qty_ltc:f}",
        "price": f"{order.limit_usdt:f}",
        "newClientOrderId": order.client_id,
        "newOrderRespType": "RESULT",
    }
    if order.reduce_only and order.position_side == "both":
        params["reduceOnly"] = "true"
    return params


# --- protective stops ---------------------------------------------------------------------------

STOP_PREFIX: Final = "lhs-"
"""Client ids of our stops begin so; those of our orders begin with ``lh-``."""


class Stop(Struct, frozen=True):
    """A protective stop as the algo service holds it; `qty_ltc` None closes the whole leg."""

    client_id: str
    leg: Leg
    side: OrderSide
    trigger_usdt: Decimal
    qty_ltc: Decimal | None


class _Algo(Struct):
    clientAlgoId: Name  # noqa: N815
    symbol: Name
    side: OrderSide
    orderType: Name  # noqa: N815
    algoStatus: Name  # noqa: N815
    triggerPrice: Decimal | None = None  # noqa: N815
    quantity: Decimal | None = None
    positionSide: Leg = "BOTH"  # noqa: N815
    closePosition: bool = False  # noqa: N815


_ALGOS: Final = _decoder(list[_Algo])


def stops(payload: bytes, symbol: str) -> list[Stop]:
    """Read ``GET /fapi/v1/openAlgoOrders``: our own protective stops that are still armed."""
    return [
        Stop(
            client_id=row.clientAlgoId,
            leg=row.positionSide,
            side=row.side,
            trigger_usdt=exact(row.triggerPrice or Decimal(0), "a trigger"),
            qty_ltc=None if row.closePosition else exact(row.quantity or Decimal(0), "a quantity"),
        )
        for row in read(_ALGOS, payload, "open stops")
        if row.symbol == symbol
        and row.clientAlgoId.startswith(STOP_PREFIX)
        and row.orderType == "STOP_MARKET"
        and row.algoStatus == "NEW"
    ]


def stop_report(stop: Stop) -> StopReport:
    """Return a stop in the words of every venue."""
    return StopReport(
        stop.client_id, LEGS[stop.leg], stop.side == "BUY", stop.trigger_usdt, stop.qty_ltc
    )


class _Fate(Struct):
    algoStatus: Name  # noqa: N815
    actualOrderId: str = ""  # noqa: N815


_FATE: Final = _decoder(_Fate)


def stop_fate(payload: bytes) -> tuple[str, bool]:
    """Read ``GET /fapi/v1/algoOrder``: the order that came of a stop, and whether it still waits.

    Raises
    ------
    BadMessage
        When it cannot be read, or names no order of digits.
    """
    told = read(_FATE, payload, "a stop")
    if told.actualOrderId and not told.actualOrderId.isdigit():
        raise BadMessage("Binance: a stop's order has no number", "it is asked again")
    return told.actualOrderId, told.algoStatus == "NEW"


def stop_params(
    closes: VenueOrder, trigger_usdt: Decimal, symbol: str, client_id: str
) -> dict[str, str]:
    """Return the parameters of ``POST /fapi/v1/algoOrder`` for a stop on the mark price.

    A quantity of 0 closes whatever the leg then holds (`closePosition`); Binance takes one such
    stop for each side, so that it cannot be replaced without a moment without it.
    """
    params = {
        "algoType": "CONDITIONAL",
        "symbol": symbol,
        "side": "BUY" if closes.buys else "SELL",
        "positionSide": WIRE_LEGS[closes.position_side],
        "type": "STOP_MARKET",
        "triggerPrice": f"{trigger_usdt:f}",
        "workingType": "MARK_PRICE",
        "clientAlgoId": client_id,
    }
    if closes.qty_ltc == 0:
        params["closePosition"] = "true"
    else:
        params["quantity"] = f"{closes.qty_ltc:f}"
        if closes.position_side == "both":
            params["reduceOnly"] = "true"
    return params


# --- the account --------------------------------------------------------------------------------


class _AccountConfig(Struct):
    canTrade: bool  # noqa: N815
    dualSidePosition: bool  # noqa: N815
    multiAssetsMargin: bool = False  # noqa: N815


class _SymbolConfig(Struct):
    symbol: Name
    marginType: Literal["CROSSED", "ISOLATED"]  # noqa: N815
    leverage: Annotated[int, Meta(ge=1, le=1000)]


class _Position(Struct):
    symbol: Name
    positionSide: Leg  # noqa: N815
    positionAmt: Decimal  # noqa: N815
    entryPrice: Decimal  # noqa: N815
    liquidationPrice: Decimal = Decimal(0)  # noqa: N815
    isolatedWallet: Decimal = Decimal(0)  # noqa: N815
    notional: Decimal = Decimal(0)
    maintMargin: Decimal = Decimal(0)  # noqa: N815
    unRealizedProfit: Decimal = Decimal(0)  # noqa: N815
    marginAsset: str = "USDT"  # noqa: N815


class _Balance(Struct):
    asset: Name
    balance: Decimal


class _Restrictions(Struct):
    enableWithdrawals: bool  # noqa: N815
    enableFutures: bool = True  # noqa: N815


class _ListenKey(Struct):
    listenKey: Annotated[str, Meta(min_length=1, max_length=256, pattern="^[A-Za-z0-9_-]+$")]  # noqa: N815


class _WsAnswer(Struct):
    id: Any = None
    status: Annotated[int, Meta(ge=0, le=999)] = 0
    result: msgspec.Raw = msgspec.Raw(b"")
    error: msgspec.Raw = msgspec.Raw(b"")


_ACCOUNT_CONFIG: Final = _decoder(_AccountConfig)
_SYMBOL_CONFIG: Final = _decoder(list[_SymbolConfig])
_POSITIONS: Final = _decoder(list[_Position])
_BALANCES: Final = _decoder(list[_Balance])
_RESTRICTIONS: Final = _decoder(_Restrictions)
_LISTEN_KEY: Final = _decoder(_ListenKey)
_WS_ANSWER: Final = _decoder(_WsAnswer)


def account_of(
    account_config: bytes,
    symbol_config: bytes,
    positions: bytes,
    balances: bytes,
    symbol: str,
    *,
    event_ns: int,
    can_withdraw: bool | None,
) -> AccountReport:
    """Put the account together.

    Read ``GET /fapi/v1/accountConfig``, ``/fapi/v1/symbolConfig``, ``/fapi/v3/positionRisk`` (of
    all contracts) and ``/fapi/v3/balance``. Every leg of the mode is in the report, empty ones too.

    Raises
    ------
    BadMessage
        When an answer cannot be read.
    WrongSetup
        When several assets back the positions: their margin is then not what we reckon.
    """
    config = read(_ACCOUNT_CONFIG, account_config, "an account's configuration")
    if config.multiAssetsMargin:
        raise WrongSetup(
            "Binance backs the positions with several assets",
            "set single-asset mode on Binance; nothing was started, and the position and its "
            "stops stay as they are",
        )
    ours = [c for c in read(_SYMBOL_CONFIG, symbol_config, "a configuration") if c.symbol == symbol]
    if not ours:
        raise BadMessage(f"Binance: no configuration of {symbol}", "it is asked again")
    rows = read(_POSITIONS, positions, "positions")
    held = {row.positionSide: row for row in rows if row.symbol == symbol}
    wallet = Decimal(0)
    for row in read(_BALANCES, balances, "balances"):
        if row.asset == "USDT":
            wallet = exact(row.balance, "the wallet")
    wanted: tuple[Leg, ...] = ("LONG", "SHORT") if config.dualSidePosition else ("BOTH",)
    return AccountReport(
        event_ns=event_ns,
        wallet_usdt=wallet,
        legs=[
            _leg(leg, held.get(leg), ours[0].leverage, ours[0].marginType == "ISOLATED")
            for leg in wanted
        ],
        hedge_mode=config.dualSidePosition,
        can_trade=config.canTrade,
        can_withdraw=can_withdraw,
        others=[_other(row) for row in rows if row.symbol != symbol and _shares(row)],
    )


def _shares(row: _Position) -> bool:
    return row.marginAsset == "USDT" and exact(row.positionAmt, "a position") != 0


def _other(row: _Position) -> OtherPosition:
    """Read a position in another contract."""
    return OtherPosition(
        symbol=row.symbol,
        qty=signed(row.positionAmt, row.positionSide),
        notional_usdt=abs(exact(row.notional, "a notional")),
        maintenance_usdt=exact(row.maintMargin, "a maintenance margin"),
        unrealised_usdt=exact(row.unRealizedProfit, "an unrealised profit"),
        isolated=exact(row.isolatedWallet, "an isolated wallet") != 0,
    )


def _leg(leg: Leg, held: _Position | None, leverage: int, isolated: bool) -> LegReport:
    if held is None:
        zero = Decimal(0)
        return LegReport(LEGS[leg], zero, zero, Decimal(leverage), isolated)
    qty = signed(held.positionAmt, leg)
    liquidation = exact(held.liquidationPrice, "a liquidation price")
    return LegReport(
        position_side=LEGS[leg],
        qty_ltc=qty,
        entry_usdt=positive(held.entryPrice, "an entry price") if qty else Decimal(0),
        leverage=Decimal(leverage),
        isolated=isolated,
        isolated_wallet_usdt=exact(held.isolatedWallet, "an isolated wallet"),
        liquidation_usdt=liquidation if liquidation > 0 else None,
    )


def may_withdraw(payload: bytes) -> bool:
    """Read ``GET /sapi/v1/account/apiRestrictions``.

    Raises
    ------
    WrongSetup
        When the key may not trade futures.
    """
    got = read(_RESTRICTIONS, payload, "a key's permissions")
    if not got.enableFutures:
        raise WrongSetup(
            "the Binance key may not trade futures",
            "allow futures for it on Binance; position and hedge stay as they are",
            code="-2015",
        )
    return got.enableWithdrawals


def listen_key(payload: bytes) -> str:
    """Read ``POST /fapi/v1/listenKey``; the key is a secret: it opens our account's stream."""
    try:
        return _LISTEN_KEY.decode(payload).listenKey
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError):
        raise BadMessage("Binance: not a listen key", "it is asked again") from None


class WsAnswer(Struct, frozen=True):
    """An answer over the websocket API: the result, or the body of an error."""

    id: str
    status: int
    body: bytes


def ws_answer(payload: bytes) -> WsAnswer:
    """Read an answer over the websocket API."""
    got = read(_WS_ANSWER, payload, "an answer")
    request = got.id if isinstance(got.id, str) else ""
    return WsAnswer(request, got.status, bytes(got.error) or bytes(got.result))

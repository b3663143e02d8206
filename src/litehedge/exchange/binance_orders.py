"""What Binance's order requests ask for: parameters in, an order of the fake venue out. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Final, cast

from litehedge.exchange.binance_words import error
from litehedge.exchange.terms import Ask, Refused, Side, TimeInForce
from litehedge.exchange.venue import Venue

Params = Mapping[str, str]

_ALGO_TYPES: Final = (
    "STOP",
    "STOP_MARKET",
    "TAKE_PROFIT",
    "TAKE_PROFIT_MARKET",
    "TRAILING_STOP_MARKET",
)
_TAKEN_ALGOS: Final = ("STOP_MARKET", "TAKE_PROFIT_MARKET")
_TIFS: Final = ("GTC", "IOC", "FOK", "GTX")


def needed(params: Params, name: str) -> str:
    """Return a mandatory parameter.

    Raises
    ------
    Refused
        When it was not sent.
    """
    value = params.get(name, "")
    if not value:
        raise Refused("missing", name)
    return value


def whole(params: Params, name: str) -> int | None:
    """Return a parameter that is a whole number, None when it was not sent."""
    value = params.get(name)
    if value is None or value == "":
        return None
    try:
        return int(value)
    except ValueError:
        raise error(-1100, f"Illegal characters found in parameter '{name}'.") from None


def number(params: Params, name: str, places: int) -> Decimal:
    """Return a mandatory decimal parameter with at most so many decimals."""
    value = needed(params, name)
    try:
        got = Decimal(value)
    except InvalidOperation:
        raise error(-1100, f"Illegal characters found in parameter '{name}'.") from None
    if not got.is_finite():
        raise error(-1100, f"Illegal characters found in parameter '{name}'.")
    exponent = got.normalize().as_tuple().exponent
    if isinstance(exponent, int) and -exponent > places:
        raise Refused("precision")
    return got


def is_true(params: Params, name: str) -> bool:
    """Return a parameter that is true or false, false when it was not sent."""
    return params.get(name, "false").lower() == "true"


def check_symbol(params: Params, symbol: str) -> None:
    """Refuse another symbol, or none.

    Raises
    ------
    Refused
        When it is not the venue's.
    """
    if needed(params, "symbol") != symbol:
        raise Refused("symbol")


def _side(params: Params) -> tuple[bool, Side]:
    side = needed(params, "side")
    if side not in ("BUY", "SELL"):
        raise error(-1117, "Invalid side.")
    position = params.get("positionSide", "BOTH")
    if position not in ("BOTH", "LONG", "SHORT"):
        raise error(-4060, "Invalid position side.")
    return side == "BUY", cast("Side", position.lower())


def order_of(params: Params, venue: Venue) -> Ask:
    """Read `POST /fapi/v1/order`.

    Raises
    ------
    Refused, Error
        When a parameter is missing, not allowed, or not of its kind.
    """
    check_symbol(params, venue.terms.symbol)
    buys, side = _side(params)
    kind = needed(params, "type")
    if kind in _ALGO_TYPES:
        raise error(
            -4120,
            "Order type not supported for this endpoint. Please use the Algo Order API endpoints "
            "instead.",
        )
    if kind not in ("LIMIT", "MARKET"):
        raise Refused("type")
    if "reduceOnly" in params and venue.ledger.hedge_mode:
        raise Refused("not sent here")
    limit: Decimal | None = None
    tif = "GTC"
    if kind == "LIMIT":
        tif = needed(params, "timeInForce")
        if tif not in _TIFS:
            raise error(-1115, "Invalid timeInForce.")
        # Finer than the tick by one decimal is off the grid (-4014), by more too precise (-1111).
        limit = number(params, "price", 3)
    elif "timeInForce" in params:
        raise error(-1106, "Parameter 'timeInForce' sent when not required.")
    return Ask(
        params.get("newClientOrderId", ""), buys, side, number(params, "quantity", 3), limit,
        cast("TimeInForce", tif), is_true(params, "reduceOnly"),
    )  # fmt: skip


def algo_of(params: Params, venue: Venue) -> tuple[Ask, str, Decimal, str]:
    """Read `POST /fapi/v1/algoOrder`: the order, its type, trigger and working type.

    Raises
    ------
    Refused, Error
        When a parameter is missing, not allowed, or not of its kind.
    """
    check_symbol(params, venue.terms.symbol)
    if needed(params, "algoType") != "CONDITIONAL":
        raise Refused("missing", "algoType")
    buys, side = _side(params)
    kind = needed(params, "type")
    if kind not in _TAKEN_ALGOS:
        raise Refused("type")
    closes = is_true(params, "closePosition")
    if closes and ("quantity" in params or "reduceOnly" in params):
        name = "quantity" if "quantity" in params else "reduceonly"
        raise error(-1106, f"Parameter '{name}' sent when not required.")
    if "reduceOnly" in params and venue.ledger.hedge_mode:
        raise Refused("not sent here")
    qty = Decimal(0) if closes else number(params, "quantity", 3)
    ask = Ask(
        params.get("clientAlgoId", ""), buys, side, qty, None,
        reduce_only=is_true(params, "reduceOnly"), closes_all=closes,
    )  # fmt: skip
    working = params.get("workingType", "CONTRACT_PRICE")
    if working not in ("MARK_PRICE", "CONTRACT_PRICE"):
        raise error(-1120, "Invalid workingType.")
    return ask, kind, number(params, "triggerPrice", 2), working


def is_exempt(params: Params) -> bool:
    """Tell whether system protection (-1008) lets an order through: it can only reduce.

    The four forms of Binance's rate-limit page: `closePosition`; `BOTH` with `reduceOnly`;
    `LONG` that sells; `SHORT` that buys.
    """
    position, side = params.get("positionSide", "BOTH"), params.get("side")
    return (
        is_true(params, "closePosition")
        or (position == "BOTH" and is_true(params, "reduceOnly"))
        or (position == "LONG" and side == "SELL")
        or (position == "SHORT" and side == "BUY")
    )

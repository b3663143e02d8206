"""Liquidations of Gate, HTX and Deribit out of raw messages; `liquidations` says what all share."""

from __future__ import annotations

import zlib
from typing import Any, Final

import msgspec

from litehedge.errors import BadMessage
from litehedge.market.events import Liquidation
from litehedge.units import NS_PER_MS, NS_PER_SECOND
from litehedge.venues.liquidations import Side, closed_by, decode, decoder_of, liquidation, ns_of

LARGEST_INFLATED: Final = 2**20

# --- Gate ---------------------------------------------------------------------------------------


class _GateLiquidate(msgspec.Struct):
    contract: str
    price: float
    size: float
    time: float = 0.0
    time_ms: float = 0.0


class _GateMessage(msgspec.Struct):
    channel: str = ""
    event: str = ""
    error: Any = None
    result: Any = None


class _GateOrder(msgspec.Struct):
    contract: str
    size: float
    fill_price: float
    time: float
    left: float = 0.0


_GATE = decoder_of(_GateMessage)
_GATE_HISTORY = decoder_of(list[_GateOrder])


def gate(
    payload: bytes, known_ns: int, *, contract: str = "LTC_USDT", contract_ltc: float = 0.1
) -> list[Liquidation]:
    """Read a message of Gate's `futures.public_liquidates` channel; a negative size sells.

    One object or a list of them. `contract_ltc` is the contract's `quanto_multiplier`; `time` came
    in seconds first and comes in milliseconds now.

    Raises
    ------
    BadMessage
        When it is not such a message, or the venue says that a subscription failed.
    """
    message = decode(_GATE, payload, "gate")
    if message.error is not None:
        raise BadMessage(f"gate: refused: {message.error!r:.200}")
    if message.channel != "futures.public_liquidates" or message.event != "update":
        return []
    rows = message.result if isinstance(message.result, list) else [message.result]
    try:
        orders = msgspec.convert(rows, list[_GateLiquidate], strict=False)
    except (msgspec.ValidationError, ValueError) as error:
        raise BadMessage(f"gate: not a message of liquidations ({error})", "skipped") from None
    found = []
    for order in orders:
        if order.contract != contract:
            continue
        at = order.time_ms or order.time
        ms = at if at > 1e11 else at * 1e3
        notional_usdt = abs(order.size) * contract_ltc * order.price
        side: Side = "long" if order.size < 0 else "short"
        found.append(liquidation("gate", side, notional_usdt, ns_of(ms, "gate"), known_ns))
    return found


def gate_history(
    payload: bytes,
    known_ns: int | None = None,
    *,
    contract: str = "LTC_USDT",
    contract_ltc: float = 0.1,
) -> list[Liquidation]:
    """Read `GET /futures/usdt/liq_orders`: there the size is the *position's*, positive for longs.

    Raises
    ------
    BadMessage
        When it is not such a list.
    """
    found = []
    for order in decode(_GATE_HISTORY, payload, "gate"):
        closed = abs(order.size) - abs(order.left)
        if order.contract != contract or closed <= 0:
            continue
        event_ns = ns_of(order.time * (NS_PER_SECOND / NS_PER_MS), "gate")
        side: Side = "long" if order.size > 0 else "short"
        known = event_ns if known_ns is None else known_ns
        notional_usdt = closed * contract_ltc * order.fill_price
        found.append(liquidation("gate", side, notional_usdt, event_ns, known))
    return found


# --- HTX ----------------------------------------------------------------------------------------


class _HtxRow(msgspec.Struct):
    contract_code: str
    amount: float  # coins
    direction: str = ""
    side: str = ""
    position_side: str = ""
    trade_turnover: float | None = None
    price: float | None = None
    bankrupt_price: float | None = None
    created_at: int | None = None
    liquidation_time: int | None = None


class _HtxMessage(msgspec.Struct):
    data: list[_HtxRow] = []
    op: str = ""
    code: int = 200
    err_code: int = msgspec.field(default=0, name="err-code")


_HTX = decoder_of(_HtxMessage)


def htx(payload: bytes, known_ns: int, *, contract: str = "LTC-USDT") -> list[Liquidation]:
    """Read HTX's `public.{contract}.liquidation_orders` (zipped or not), or its v5 REST list.

    Raises
    ------
    BadMessage
        When it is not such a message, or the venue refused.
    """
    if payload[:2] == b"\x1f\x8b":
        payload = _inflated(payload)
    message = decode(_HTX, payload, "htx")
    if message.code != 200 or message.err_code not in (0, 2014):  # 2014: subscribed already
        raise BadMessage(f"htx: refused with {message.code} and {message.err_code}")
    found = []
    for row in message.data:
        if row.contract_code != contract:
            continue
        price = row.price if row.price is not None else row.bankrupt_price
        if row.trade_turnover is not None:
            notional_usdt = row.trade_turnover
        elif price is not None:
            notional_usdt = row.amount * price
        else:
            raise BadMessage("htx: a liquidation without turnover and price", "it is skipped")
        at = row.created_at if row.created_at is not None else row.liquidation_time
        side: Side
        if row.position_side in ("long", "short"):
            side = "long" if row.position_side == "long" else "short"
        else:
            side = closed_by(row.direction or row.side, "htx")
        found.append(liquidation("htx", side, notional_usdt, ns_of(at or 0, "htx"), known_ns))
    return found


def _inflated(payload: bytes) -> bytes:
    try:
        opened = zlib.decompressobj(wbits=31)
        text = opened.decompress(payload, LARGEST_INFLATED)
    except zlib.error as error:
        raise BadMessage(f"htx: cannot be unzipped ({error})", "it is skipped") from None
    if not opened.eof:
        raise BadMessage("htx: a message that ends too early, or is too long", "it is skipped")
    return text


# --- Deribit ------------------------------------------------------------------------------------


class _DeribitTrade(msgspec.Struct):
    instrument_name: str
    direction: str
    amount: float
    price: float
    timestamp: int
    liquidation: str = ""


class _DeribitParams(msgspec.Struct):
    channel: str = ""
    data: Any = None


class _DeribitMessage(msgspec.Struct):
    params: _DeribitParams = msgspec.field(default_factory=_DeribitParams)
    error: Any = None


_DERIBIT = decoder_of(_DeribitMessage)


def deribit(
    payload: bytes, known_ns: int, *, instrument: str = "LTC_USDC-PERPETUAL"
) -> list[Liquidation]:
    """Read a message of Deribit's `trades.{instrument}.{interval}`.

    Trades with `liquidation` count. `T`: the taker was liquidated, `M`: the maker, whose side is
    the other one, `MT`: both, which gives two events.

    Raises
    ------
    BadMessage
        When it is not such a message, or the venue refused.
    """
    message = decode(_DERIBIT, payload, "deribit")
    if message.error is not None:
        raise BadMessage(f"deribit: refused: {message.error!r:.200}")
    if not message.params.channel.startswith("trades."):
        return []
    try:
        trades = msgspec.convert(message.params.data, list[_DeribitTrade], strict=False)
    except (msgspec.ValidationError, ValueError) as error:
        raise BadMessage(f"deribit: not a message of trades ({error})", "skipped") from None
    found = []
    for trade in trades:
        if trade.instrument_name != instrument or not trade.liquidation:
            continue
        taker = closed_by(trade.direction, "deribit")
        maker: Side = "short" if taker == "long" else "long"
        sides = {"T": [taker], "M": [maker], "MT": [maker, taker]}.get(trade.liquidation)
        if sides is None:
            raise BadMessage(f"deribit: liquidation of {trade.liquidation!r:.40}", "it is skipped")
        ns = ns_of(trade.timestamp, "deribit")
        notional_usdt = trade.amount * trade.price
        found += [liquidation("deribit", side, notional_usdt, ns, known_ns) for side in sides]
    return found

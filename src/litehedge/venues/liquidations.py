"""Liquidations out of the raw messages of every venue that publishes them, in one shape.

Venues disagree about everything: whose side they name (the closing order's or the position's), in
what they count (coins or contracts), at which price (the fill or the bankruptcy), and whether they
tell all. Here each becomes `Liquidation` with the side of the *position*, the notional in USDT (a
dollar of USD, USDC and USDT is taken as one), and whether the source tells `all` or a part
(`largest`). Bytes in, values out: nothing here opens a socket. Gate, HTX and Deribit are in
`liquidations_others`.

| venue | side named | size | price | tells |
|---|---|---|---|---|
| OKX `liquidation-orders` | closing order | contracts | bankruptcy | a part |
| Kraken Futures `trade` | taker, which is the closing order | LTC | fill | all |
| Gate `futures.public_liquidates` | closing order, by the sign | contracts | order | all |
| Gate `liq_orders` | position, by the sign | contracts | fill | all |
| HTX `liquidation_orders` | closing order | coins, and turnover in USDT | bankruptcy | all |
| Deribit `trades` | taker; `liquidation` tells which side was liquidated | coins | fill | all |

Reference: OKX API v5 "Liquidation orders channel" (it "doesn't represent the total number"); Kraken
Futures "Trade" feed and "Get public execution events"; Gate futures WebSocket v4 and REST v4 (its
REST names a signed *position* size, its socket a signed *order* size; the sign of the second was
not seen live); HTX linear swap notifications, version 1 and v5 REST; Deribit
`trades.{instrument}`.
"""

from __future__ import annotations

import math
from typing import Final, Literal, TypeVar

import msgspec

from litehedge.errors import BadMessage
from litehedge.market.events import Liquidation
from litehedge.units import NS_PER_MS

_LATEST_NS: Final = 2**62  # what fits beside every other time that the engine knows

_T = TypeVar("_T")
Side = Literal["long", "short"]
_CLOSES: Final[dict[str, Side]] = {"sell": "long", "buy": "short"}
"""Whose position an order of that side closes."""


# --- what all of them share ---------------------------------------------------------------------


def decode(decoder: msgspec.json.Decoder[_T], payload: bytes, source: str) -> _T:
    """Read a message.

    Raises
    ------
    BadMessage
        When it has another shape.
    """
    try:
        return decoder.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise BadMessage(f"{source}: not a message of liquidations ({error})", "skipped") from None


def closed_by(order_side: str, source: str) -> Side:
    """Return the side of the position that an order of `order_side` closes.

    Raises
    ------
    BadMessage
        When it is neither `buy` nor `sell`.
    """
    side = _CLOSES.get(order_side.lower())
    if side is None:
        raise BadMessage(f"{source}: an order that is neither buy nor sell: {order_side!r:.40}")
    return side


def liquidation(
    source: str,
    side: Side,
    notional_usdt: float,
    event_ns: int,
    known_ns: int,
    feed: Literal["all", "largest"] = "all",
) -> Liquidation:
    """Return the event.

    Raises
    ------
    BadMessage
        When the notional is not a positive number, or the time none that can be.
    """
    if not (math.isfinite(notional_usdt) and notional_usdt > 0.0):
        raise BadMessage(f"{source}: a liquidation of {notional_usdt} USDT", "it is skipped")
    if not 0 < event_ns < _LATEST_NS:
        raise BadMessage(f"{source}: a liquidation at {event_ns} ns", "it is skipped")
    # A venue whose clock is ahead of ours cannot have told us before it happened.
    return Liquidation(min(event_ns, known_ns), known_ns, side, notional_usdt, feed)


def decoder_of(shape: type[_T]) -> msgspec.json.Decoder[_T]:
    """Return a decoder that takes numbers with and without quotes."""
    return msgspec.json.Decoder(shape, strict=False)


def ns_of(ms: float, source: str) -> int:
    """Return milliseconds as nanoseconds.

    Raises
    ------
    BadMessage
        When it is no time that can be.
    """
    if not abs(ms) < _LATEST_NS // NS_PER_MS:  # NaN is not either
        raise BadMessage(f"{source}: a time of {ms} ms", "it is skipped")
    return int(ms) * NS_PER_MS


# --- OKX ----------------------------------------------------------------------------------------


class _OkxDetail(msgspec.Struct):
    side: str
    sz: float
    bkPx: float  # noqa: N815
    ts: int


class _OkxRow(msgspec.Struct):
    instId: str  # noqa: N815
    details: list[_OkxDetail]


class _OkxArg(msgspec.Struct):
    channel: str = ""


class _OkxMessage(msgspec.Struct):
    data: list[_OkxRow] = []
    arg: _OkxArg = msgspec.field(default_factory=_OkxArg)
    event: str = ""
    code: str = ""
    msg: str = ""


_OKX = decoder_of(_OkxMessage)


def okx(
    payload: bytes, known_ns: int, *, instrument: str = "LTC-USDT-SWAP", contract_ltc: float = 1.0
) -> list[Liquidation]:
    """Read a message of OKX's `liquidation-orders` channel, or of its REST twin.

    Every detail counts, not only the first; they come in no order of time. `posSide` may be `net`,
    so the side is read from the closing order.

    Raises
    ------
    BadMessage
        When it is not such a message, or the venue says that a subscription failed.
    """
    if payload == b"pong":
        return []
    message = decode(_OKX, payload, "okx")
    if message.event == "error" or message.code not in ("", "0"):
        raise BadMessage(f"okx: refused with {message.code}: {message.msg:.200}")
    if message.arg.channel not in ("", "liquidation-orders"):
        return []
    return [
        liquidation(
            "okx",
            closed_by(detail.side, "okx"),
            detail.sz * contract_ltc * detail.bkPx,
            ns_of(detail.ts, "okx"),
            known_ns,
            "largest",
        )
        for row in message.data
        if row.instId == instrument
        for detail in row.details
    ]


# --- Kraken Futures -----------------------------------------------------------------------------


class _KrakenTrade(msgspec.Struct):
    product_id: str
    uid: str
    side: str
    type: str
    time: int
    qty: float
    price: float


class _KrakenMessage(msgspec.Struct):
    feed: str = ""
    event: str = ""
    message: str = ""
    trades: list[_KrakenTrade] = []


class KrakenTrades(msgspec.Struct, frozen=True):
    """Liquidations of one message, each with the id of its trade; `snapshot`: told on opening."""

    snapshot: bool
    found: list[tuple[str, Liquidation]]


_KRAKEN = decoder_of(_KrakenMessage)
_KRAKEN_TRADE = decoder_of(_KrakenTrade)


def kraken(payload: bytes, known_ns: int, *, product: str = "PF_LTCUSD") -> KrakenTrades:
    """Read a message of Kraken Futures' `trade` feed; trades of type `liquidation` count.

    Raises
    ------
    BadMessage
        When it is not a message of that feed, or the venue says that a subscription failed.
    """
    message = decode(_KRAKEN, payload, "kraken")
    if message.event in ("error", "alert"):
        raise BadMessage(f"kraken: {message.event}: {message.message:.200}")
    if message.feed == "trade" and not message.event:
        trades = [decode(_KRAKEN_TRADE, payload, "kraken")]
    elif message.feed == "trade_snapshot":
        trades = message.trades
    else:
        trades = []
    found = [
        (
            trade.uid,
            liquidation(
                "kraken",
                closed_by(trade.side, "kraken"),
                trade.qty * trade.price,
                ns_of(trade.time, "kraken"),
                known_ns,
            ),
        )
        for trade in trades
        if trade.product_id == product and trade.type == "liquidation"
    ]
    return KrakenTrades(message.feed == "trade_snapshot", found)


class _KrakenOrder(msgspec.Struct):
    direction: str
    orderType: str  # noqa: N815
    tradeable: str = ""


class _KrakenExecution(msgspec.Struct):
    uid: str
    takerOrder: _KrakenOrder  # noqa: N815
    timestamp: int
    quantity: float
    price: float
    usdValue: float | None = None  # noqa: N815


class _KrakenExecuted(msgspec.Struct):
    execution: _KrakenExecution


class _KrakenWhat(msgspec.Struct):
    Execution: _KrakenExecuted | None = None


class _KrakenElement(msgspec.Struct):
    event: _KrakenWhat


class _KrakenHistory(msgspec.Struct):
    elements: list[_KrakenElement]
    continuationToken: str | None = None  # noqa: N815


class KrakenPage(msgspec.Struct, frozen=True):
    """One page of executions: the liquidations in it with their ids, and where the next begins."""

    found: list[tuple[str, Liquidation]]
    next_token: str | None
    executions: int


_KRAKEN_HISTORY = decoder_of(_KrakenHistory)


def kraken_history(
    payload: bytes, known_ns: int | None = None, *, product: str = "PF_LTCUSD"
) -> KrakenPage:
    """Read a page of `GET /api/history/v3/market/{product}/executions`.

    The order types of liquidations (`PartialLiquidation`, ...) are not documented: every type that
    holds "liquidat" counts. `known_ns` None: known when it happened, for archives.

    Raises
    ------
    BadMessage
        When it is not such a page.
    """
    page = decode(_KRAKEN_HISTORY, payload, "kraken")
    found = []
    for element in page.elements:
        if element.event.Execution is None:
            continue
        made = element.event.Execution.execution
        taker = made.takerOrder
        if "liquidat" not in taker.orderType.lower() or taker.tradeable not in ("", product):
            continue
        event_ns = ns_of(made.timestamp, "kraken")
        notional_usdt = made.quantity * made.price if made.usdValue is None else made.usdValue
        side = closed_by(taker.direction, "kraken")
        known = event_ns if known_ns is None else known_ns
        found.append((made.uid, liquidation("kraken", side, notional_usdt, event_ns, known)))
    return KrakenPage(found, page.continuationToken or None, len(page.elements))

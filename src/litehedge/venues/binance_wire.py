"""Binance USD-M market messages: bytes in, typed values and events out. Pure.

Formats: developers.binance.com, "USDS Margined Futures / Websocket Market Streams", with the
fields that came in 2026 (`st`, `ps`, `nq`, `ap`). Numbers come as strings; limits that no true
message exceeds are checked while decoding, so NaN, infinity and absurd sizes never get further.
Whatever cannot be read raises `BadMessage`, and nothing else is ever raised.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, TypeVar

import msgspec
from msgspec import Meta, Struct

from litehedge.errors import BadMessage
from litehedge.market import events as ev
from litehedge.units import NS_PER_MINUTE, NS_PER_MS

T = TypeVar("T")

Price = Annotated[float, Meta(gt=0.0, le=1e9)]
Size = Annotated[float, Meta(ge=0.0, le=1e12)]
Rate = Annotated[float, Meta(ge=-1.0, le=1.0)]
Ms = Annotated[int, Meta(ge=0, le=9_000_000_000_000)]  # the year 2255, within 63 bits of ns
Id = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Name = Annotated[str, Meta(max_length=64)]
OrderSide = Literal["BUY", "SELL"]
Level = tuple[Price, Size]

USD_M: Final = 1
"""`st` of our contracts; 2 is COIN-M, which has shared these streams since 2026-06-30."""
FUNDING_HOURS: Final = 8.0
STALE_RATE_MS: Final = 60_000

_NOT_OURS = (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError, OverflowError)


def read(decoder: msgspec.json.Decoder[T], payload: bytes, what: str) -> T:
    """Decode `payload`.

    Raises
    ------
    BadMessage
        When it is not what the decoder expects.
    """
    try:
        return decoder.decode(payload)
    except _NOT_OURS as error:
        raise BadMessage(f"Binance: not {what} ({str(error)[:160]})", "it is skipped") from None


# --- streams ------------------------------------------------------------------------------------


class DepthUpdate(Struct, frozen=True, tag_field="e", tag="depthUpdate", gc=False):
    """Absolute quantities at prices; `u` is its last update id, `pu` that of the one before."""

    s: Name
    T: Ms
    U: Id
    u: Id
    pu: Id
    b: list[Level]
    a: list[Level]


class AggTrade(Struct, frozen=True, tag_field="e", tag="aggTrade", gc=False):
    """Trades of one taker at one price; `m` tells that the buyer was the maker."""

    s: Name
    T: Ms
    p: Price
    q: Size
    m: bool


class BookTicker(Struct, frozen=True, tag_field="e", tag="bookTicker", gc=False):
    """The best bid and ask with their quantities."""

    s: Name
    T: Ms
    b: Price
    B: Size
    a: Price
    A: Size


class MarkPrice(Struct, frozen=True, tag_field="e", tag="markPriceUpdate", gc=False):
    """Mark, index, the funding rate that would settle now, and when it settles (`T`)."""

    s: Name
    E: Ms
    p: Price
    i: Price
    r: Rate
    T: Ms


class ForcedOrder(Struct, frozen=True, gc=False):
    """A liquidation order; `z` is what it filled in all, `ap` at what average price."""

    s: Name
    S: OrderSide
    z: Size
    ap: Size
    T: Ms


class ForceOrder(Struct, frozen=True, tag_field="e", tag="forceOrder", gc=False):
    """The largest forced order of a symbol in a second: Binance tells no more than one."""

    o: ForcedOrder
    st: int = USD_M


class Candle(Struct, frozen=True, gc=False):
    """The bar inside a kline message; `x` tells that it is closed."""

    t: Ms
    T: Ms
    s: Name
    i: Name
    o: Price
    c: Price
    h: Price
    l: Price  # noqa: E741
    v: Size
    V: Size
    x: bool


class Kline(Struct, frozen=True, tag_field="e", tag="kline", gc=False):
    """A bar so far."""

    k: Candle


Heard = DepthUpdate | AggTrade | BookTicker | MarkPrice | ForceOrder | Kline
_HEARD: Final = msgspec.json.Decoder(Heard, strict=False)


class Reply(Struct, frozen=True, gc=False):
    """The answer to SUBSCRIBE; `error` says why it was refused."""

    id: int | str | None
    error: str = ""


class _Frame(Struct, frozen=True):
    """Any message: an event itself (`e`), one in a wrapper (`stream`, `data`), or an answer."""

    e: Any = None
    stream: str | None = None
    data: msgspec.Raw = msgspec.Raw(b"")
    id: Any = None
    error: Any = None
    code: Any = None
    msg: Any = None


_FRAME: Final = msgspec.json.Decoder(_Frame, strict=False)


def read_stream(payload: bytes) -> Heard | Reply:
    """Read a message of a market stream, with or without the combined wrapper.

    Raises
    ------
    BadMessage
        When it is none that we subscribe to.
    """
    if payload.startswith(b'{"e":"'):  # raw mode: no need to look twice
        return read(_HEARD, payload, "a market message")
    frame = read(_FRAME, payload, "a market message")
    wrapped = bytes(frame.data)
    if wrapped:
        return read(_HEARD, wrapped, "a market message")
    if frame.e is None and (frame.id is not None or frame.code is not None or frame.error):
        why = frame.error or (frame.msg if frame.code is not None else "")
        known_id = frame.id if isinstance(frame.id, int | str) else None
        return Reply(known_id, str(why)[:160] if why else "")
    return read(_HEARD, payload, "a market message")


# --- events -------------------------------------------------------------------------------------


def trade(heard: AggTrade, known_ns: int) -> ev.Trade:
    """Return the trade; ADL and insurance-fund trades are not in this stream."""
    return ev.Trade(heard.T * NS_PER_MS, known_ns, heard.p, heard.q, not heard.m)


def top_of_book(heard: BookTicker, known_ns: int) -> ev.Book:
    """Return the top of the book; this stream does not tell the depth."""
    return ev.Book(heard.T * NS_PER_MS, known_ns, heard.b, heard.a, ev.UNKNOWN, ev.UNKNOWN)


def mark_events(
    heard: MarkPrice, known_ns: int, interval_h: float = FUNDING_HOURS
) -> list[ev.MarketEvent]:
    """Return mark, index and the predicted funding, the latter as a fraction of 8 hours."""
    at_ns = heard.E * NS_PER_MS
    rate = heard.r * FUNDING_HOURS / interval_h
    return [
        ev.Mark(at_ns, known_ns, heard.p),
        ev.Index(at_ns, known_ns, heard.i),
        ev.PredictedFunding(at_ns, known_ns, "own", rate),
    ]


def liquidation(heard: ForceOrder, symbol: str, known_ns: int) -> ev.Liquidation | None:
    """Return the forced closing of a position; None for other contracts, or nothing filled.

    `S` is the side of the closing order: SELL closes a long. Size is what was filled (`z`) at its
    average price (`ap`), neither the last fill nor the bankruptcy price.
    """
    order = heard.o
    if heard.st != USD_M or order.s != symbol or order.z * order.ap <= 0.0:
        return None
    side: Literal["long", "short"] = "long" if order.S == "SELL" else "short"
    return ev.Liquidation(order.T * NS_PER_MS, known_ns, side, order.z * order.ap, "largest")


def bar(heard: Kline, asset: Literal["LTC", "BTC"], known_ns: int) -> ev.Bar | None:
    """Return the bar once it is closed. `T` is its last millisecond; its close is one later."""
    k = heard.k
    if not k.x:
        return None
    close_ns, open_ns = (k.T + 1) * NS_PER_MS, k.t * NS_PER_MS
    return checked_bar(
        ev.Bar(close_ns, known_ns, asset, close_ns - open_ns, k.o, k.h, k.l, k.c, k.v, k.V)
    )


def checked_bar(made: ev.Bar) -> ev.Bar:
    """Return the bar when it can be true.

    Raises
    ------
    BadMessage
        When it has no length, prices lie outside its range, or takers bought more than all.
    """
    inside = made.low <= min(made.open, made.close) and max(made.open, made.close) <= made.high
    bought = made.buy_volume <= made.volume * (1.0 + 1e-9)
    if not inside or not bought or made.interval_ns <= 0:
        raise BadMessage("Binance: a bar contradicts itself", "it is skipped")
    return made


class FundingClock:
    """Tells each funding settlement once, whichever source tells it first.

    The stream tells it by the next funding time moving on; the rate is then the last one before.
    When that one is old (we were away), the stream says nothing and the REST answer will.
    """

    def __init__(self) -> None:
        self._next_ms = 0
        self._rate = 0.0
        self._heard_ms = 0
        self._told_ms = 0

    def heard(self, mark: MarkPrice, known_ns: int) -> ev.Funding | None:
        """Take note of a mark message; return the settlement that it reveals."""
        due_ms, rate, before_ms = self._next_ms, self._rate, self._heard_ms
        if before_ms > mark.E or due_ms > mark.T:
            return None  # out of order
        self._next_ms, self._rate, self._heard_ms = mark.T, mark.r, mark.E
        fresh = due_ms - before_ms <= STALE_RATE_MS
        if 0 < due_ms < mark.T and due_ms <= mark.E and fresh:
            return self._tell(due_ms, rate, known_ns)
        return None

    def asked(self, settled: ev.Funding) -> ev.Funding | None:
        """Return a settlement that REST told, unless it was told before."""
        return self._tell(settled.event_ns // NS_PER_MS, settled.rate, settled.known_ns)

    def _tell(self, at_ms: int, rate: float, known_ns: int) -> ev.Funding | None:
        # REST gives a settlement a few milliseconds past the full hour; settlements are hours apart
        if at_ms <= self._told_ms + NS_PER_MINUTE // NS_PER_MS:
            return None
        self._told_ms = at_ms
        return ev.Funding(at_ms * NS_PER_MS, known_ns, rate)


class StreamWatch:
    """Which streams of one socket have been silent for too long.

    Parameters
    ----------
    limits_s
        For each stream, how long it may be silent; what may be silent for ever is not named.
    """

    def __init__(self, limits_s: dict[str, float]) -> None:
        self._limits_s = limits_s
        self._last_s: dict[str, float] = {}

    def start(self, now_s: float) -> None:
        """Begin: every stream counts as heard now."""
        self._last_s = dict.fromkeys(self._limits_s, now_s)

    def heard(self, stream: str, now_s: float) -> None:
        """Take note that a stream spoke."""
        if stream in self._limits_s:
            self._last_s[stream] = now_s

    def silent(self, now_s: float) -> list[str]:
        """Return the streams that are silent for longer than they may."""
        return [s for s, at_s in self._last_s.items() if now_s - at_s > self._limits_s[s]]

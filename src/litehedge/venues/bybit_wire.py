"""Bybit v5 public messages of linear contracts, as events. Pure: bytes in, events out.

Shapes: https://bybit-exchange.github.io/docs/v5/websocket/public/, `/v5/market/`. Times are
milliseconds, prices and quantities are texts; 1 contract is 1 LTC.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal

import msgspec

from litehedge.errors import BadMessage
from litehedge.market import events as ev
from litehedge.units import NS_PER_MINUTE
from litehedge.venues.book import BANDS, LocalBook
from litehedge.venues.bybit_values import SKIPPED, Whole, Wire, decode, number, price, time_ns

Level = tuple[str, str]


class Public(Wire, frozen=True):
    """The outside of everything that a public socket sends; answers to commands have an `op`."""

    topic: str = ""
    op: str = ""
    success: bool = True
    ret_msg: str = msgspec.field(default="", name="ret_msg")
    type: str = ""
    ts: Whole = 0
    cts: Whole = 0
    data: msgspec.Raw = msgspec.Raw(b"")


class _Trade(Wire, frozen=True, rename=None):
    T: Whole
    S: Literal["Buy", "Sell"]
    v: str
    p: str
    s: str


class _Book(Wire, frozen=True, rename=None):
    s: str
    b: list[Level]
    a: list[Level]
    u: Whole
    seq: Whole = 0


class _Ticker(Wire, frozen=True):
    symbol: str
    mark_price: str = ""
    index_price: str = ""
    open_interest: str = ""
    funding_rate: str = ""
    next_funding_time: str = ""
    funding_interval_hour: str = ""


class _Bar(Wire, frozen=True):
    start: Whole
    end: Whole
    open: str
    high: str
    low: str
    close: str
    volume: str
    confirm: bool


_PUBLIC = msgspec.json.Decoder(Public)
_TRADES = msgspec.json.Decoder(list[_Trade])
_BOOK = msgspec.json.Decoder(_Book)
_TICKER = msgspec.json.Decoder(_Ticker)
_BARS = msgspec.json.Decoder(list[_Bar])


def public(payload: bytes) -> Public:
    """Read the outside of a public message.

    Raises
    ------
    BadMessage
        When it is not one of Bybit's.
    """
    return decode(_PUBLIC, payload, "message")


def _ours(symbol: str, wanted: str) -> None:
    if symbol != wanted:
        raise BadMessage(f"bybit told of {symbol[:20]!r} where {wanted} was asked for", SKIPPED)


def trades(message: Public, symbol: str, known_ns: int) -> list[ev.Trade]:
    """Read `publicTrade`; `S` is the side of the taker.

    Raises
    ------
    BadMessage
        When one of the trades cannot be true.
    """
    out = []
    for row in decode(_TRADES, message.data, "publicTrade"):
        _ours(row.s, symbol)
        when_ns = time_ns(row.T, "time of a trade")
        out.append(
            ev.Trade(when_ns, known_ns, price(row.p, "price"), price(row.v, "size"), row.S == "Buy")
        )
    return out


def liquidations(message: Public, symbol: str, known_ns: int) -> list[ev.Liquidation]:
    """Read `allLiquidation`: every liquidation, in batches of half a second.

    `S` is the side of the *position*: a `Buy` is a long that was liquidated. (Other venues tell the
    side of the closing order.) `p` is the bankruptcy price, not that of a fill, so the notional is
    the loss-free one.

    Raises
    ------
    BadMessage
        When one of them cannot be true.
    """
    out = []
    for row in decode(_TRADES, message.data, "allLiquidation"):
        _ours(row.s, symbol)
        notional = price(row.v, "size") * price(row.p, "price")
        when_ns = time_ns(row.T, "time of a liquidation")
        side: Literal["long", "short"] = "long" if row.S == "Buy" else "short"
        out.append(ev.Liquidation(when_ns, known_ns, side, notional, "all"))
    return out


def closed_bars(message: Public, asset: Literal["LTC", "BTC"], known_ns: int) -> list[ev.Bar]:
    """Read `kline.1`: the minutes that are closed; those still open are left out.

    Raises
    ------
    BadMessage
        When a bar cannot be true.
    """
    rows = [row for row in decode(_BARS, message.data, "kline") if row.confirm]
    return [
        bar((str(r.start), r.open, r.high, r.low, r.close, r.volume), asset, known_ns) for r in rows
    ]


def bar(row: tuple[str, ...], asset: Literal["LTC", "BTC"], known_ns: int | None) -> ev.Bar:
    """Read one minute: start in ms, open, high, low, close, volume in coins.

    `known_ns` None: it was known at its close. Bybit does not tell what takers bought.

    Raises
    ------
    BadMessage
        When it cannot be true.
    """
    if len(row) < 6:
        raise BadMessage(f"bybit kline has {len(row)} columns", SKIPPED)
    close_ns = time_ns(row[0], "start of a minute") + NS_PER_MINUTE
    first, high, low, last = (price(text, "price") for text in row[1:5])
    if not low <= min(first, last) <= max(first, last) <= high:
        raise BadMessage(f"bybit kline has high {high} and low {low} around {last}", SKIPPED)
    volume = number(row[5], "volume")
    known_ns = close_ns if known_ns is None else known_ns
    return ev.Bar(close_ns, known_ns, asset, NS_PER_MINUTE, first, high, low, last, volume)


Taken = Literal["applied", "ignored", "lost"]


class BookSync:
    """The book of one `orderbook` topic: a snapshot, then deltas whose `u` go up by one.

    A snapshot always begins anew, and so does ``u == 1``, which tells that Bybit's service was
    restarted. A delta that was there before is ignored. After a gap, or a book that crosses, the
    book is empty and everything is `lost` until the next snapshot: subscribe anew.

    Reference: https://bybit-exchange.github.io/docs/v5/websocket/public/orderbook ("update id, is
    always in sequence").
    """

    def __init__(self, symbol: str, tick_usdt: float, depth: int = 200) -> None:
        self._symbol = symbol
        self._reach_usdt = depth * tick_usdt
        self._book = LocalBook(tick_usdt)
        self._last = 0  # 0: no book
        self.event_ns = 0

    def clear(self) -> None:
        """Forget the book: the connection ended."""
        self._book.clear()
        self._last = 0

    def take(self, message: Public) -> Taken:
        """Apply one message.

        Raises
        ------
        BadMessage
            When it cannot be read; the book is lost then, since what it said is not in it.
        """
        try:
            return self._take(message)
        except BadMessage:
            self.clear()
            raise

    def _take(self, message: Public) -> Taken:
        data = decode(_BOOK, message.data, "orderbook")
        _ours(data.s, self._symbol)
        if message.type not in ("snapshot", "delta"):
            raise BadMessage(f"bybit orderbook is a {message.type[:20]!r}", SKIPPED)
        when_ns = time_ns(message.cts or message.ts, "time of the book")
        if data.u < 1:
            raise BadMessage(f"bybit orderbook has update {data.u}", SKIPPED)
        if message.type == "snapshot" or data.u == 1:
            self._book.reset(data.b, data.a)
        elif not self._last:
            return "lost"
        elif data.u <= self._last:
            return "ignored"
        elif data.u != self._last + 1:
            self.clear()
            return "lost"
        else:
            self._book.update(data.b, data.a)
        if self._book.is_crossed:
            self.clear()
            return "lost"
        self._last, self.event_ns = data.u, when_ns
        return "applied"

    def event(self, known_ns: int) -> ev.Book | None:
        """Return the top and the depth, None while there is no whole book.

        A topic of so many levels reaches at least so many price steps. What lies within a band
        that is wider than that is not known, and NaN.
        """
        told = self._book.event(self.event_ns, known_ns) if self._last else None
        if told is None:
            return None
        near, usual, far = (band * 0.5 * (told.bid + told.ask) for band in BANDS)
        unknown: dict[str, float] = {}
        if near > self._reach_usdt:
            unknown |= dict.fromkeys(("bid_depth_near_usdt", "ask_depth_near_usdt"), ev.UNKNOWN)
        if usual > self._reach_usdt:
            unknown |= dict.fromkeys(("bid_depth_usdt", "ask_depth_usdt"), ev.UNKNOWN)
        if far > self._reach_usdt:
            unknown |= dict.fromkeys(("bid_depth_far_usdt", "ask_depth_far_usdt"), ev.UNKNOWN)
        return msgspec.structs.replace(told, **unknown) if unknown else told

    def levels(self, side: int) -> list[tuple[float, float]]:
        """Return (price, quantity) of the bids (0) or asks (1), best first: for checks."""
        return self._book.levels(side)


RATE_LIVES_NS: Final = 5 * NS_PER_MINUTE


@dataclass(slots=True)
class TickerFold:
    """What the `tickers` topic tells: after the first message only what changed.

    When the next funding time moves on, the funding at the one before was settled, at the rate
    that was valid last. If the topic had been silent for five minutes before, nobody knows the rate
    and nothing is told.
    """

    symbol: str
    venue: ev.FundingVenue = "own"
    interval_h: float = 8.0
    _next_ns: int = field(default=0, init=False)
    _rate: float = field(default=ev.UNKNOWN, init=False)
    _told_ns: int = field(default=0, init=False)
    _settled_ns: int = field(default=0, init=False)

    def take(self, message: Public, known_ns: int) -> list[ev.MarketEvent]:
        """Return what a message tells anew.

        Raises
        ------
        BadMessage
            When one of its values cannot be true; then none of it is taken.
        """
        data = decode(_TICKER, message.data, "tickers")
        _ours(data.symbol, self.symbol)
        now_ns = time_ns(message.ts, "time of tickers")
        out: list[ev.MarketEvent] = []
        if data.mark_price:
            out.append(ev.Mark(now_ns, known_ns, price(data.mark_price, "mark price")))
        if data.index_price:
            out.append(ev.Index(now_ns, known_ns, price(data.index_price, "index price")))
        if data.open_interest:
            held = number(data.open_interest, "open interest")
            out.append(ev.OpenInterest(now_ns, known_ns, held))
        next_ns, rate, hours = self._next_ns, self._rate, self.interval_h
        if data.funding_interval_hour:
            hours = price(data.funding_interval_hour, "funding interval")
        if data.next_funding_time:
            next_ns = time_ns(data.next_funding_time, "next funding time")
        if data.funding_rate:
            rate = number(data.funding_rate, "funding rate", least=-1.0)
            if rate > 1.0:
                raise BadMessage(f"bybit funding rate is {rate}", SKIPPED)
        settled = self._settled(next_ns, now_ns, known_ns)
        if settled is not None:
            out.append(settled)
            self._settled_ns = settled.event_ns
        if data.funding_rate:
            out.append(ev.PredictedFunding(now_ns, known_ns, self.venue, rate * 8.0 / hours))
        self._next_ns, self._rate, self.interval_h = next_ns, rate, hours
        self._told_ns = now_ns
        return out

    def _settled(self, next_ns: int, now_ns: int, known_ns: int) -> ev.Funding | None:
        """Return the settlement that lies between what was told before and what is told now."""
        before_ns = self._next_ns
        fresh = before_ns - self._told_ns <= RATE_LIVES_NS
        passed = self._settled_ns < before_ns <= now_ns and next_ns > before_ns
        if self.venue != "own" or not before_ns or not fresh or not passed:
            return None
        return ev.Funding(before_ns, known_ns, self._rate)

"""Binance USD-M's streams on the fake exchange: who hears what, over which of the three routes.

`/public` has books, `/market` everything else that is public, `/private` the user stream. A stream
asked for on the wrong route is taken and stays silent, as on the real venue.
"""

from __future__ import annotations

import json
from typing import Any, Final

from aiohttp import web

from litehedge.exchange import binance_account as account
from litehedge.exchange import binance_words as words
from litehedge.exchange.binance_rest import BinanceRest
from litehedge.exchange.book import Change, Levels
from litehedge.exchange.happenings import (
    LTC,
    AccountMoved,
    AlgoMoved,
    BookMoved,
    Closed,
    Happening,
    LeverageSet,
    MarginCalled,
    Marked,
    OrderMoved,
    Traded,
)
from litehedge.exchange.hub import Connection, Hub

FORCE_EVERY_MS: Final = 1_000
MOST_STREAMS: Final = 1_024
MOST_MESSAGES: Final = 10  # a second, from the client


class BinanceStreams:
    """Renders what happens for those who listen."""

    def __init__(self, rest: BinanceRest, hub: Hub) -> None:
        self.rest = rest
        self.hub = hub
        self.symbol = rest.venue.terms.symbol
        self._force_at_ms = 0
        self._force: Closed | None = None
        self._slow: dict[int, Change] = {}
        self._best: Any = None

    # --- telling ----------------------------------------------------------------------------------

    def tell(self, happening: Happening) -> None:
        """Send what happened to everybody who listens."""
        if not self.hub.connections:
            return
        match happening:
            case BookMoved():
                self._tell_book(happening)
            case Traded():
                symbol = happening.symbol
                self._stream("market", "aggTrade", words.agg_trade(happening), symbol)
                self._stream("public", "trade", words.trade_event(happening), symbol)
            case Marked():
                self._tell_second(happening)
            case Closed():
                self._tell_closed(happening)
            case OrderMoved():
                if happening.fill is not None and happening.move == "trade":
                    self._user("TRADE_LITE", account.trade_lite(happening))
                self._user("ORDER_TRADE_UPDATE", account.order_update(happening))
            case AccountMoved():
                cross = self.rest.venue.ledger.cross_wallet()
                self._user("ACCOUNT_UPDATE", account.account_update(happening, cross))
            case MarginCalled():
                self._user("MARGIN_CALL", account.margin_call(happening))
            case LeverageSet():
                self._user("ACCOUNT_CONFIG_UPDATE", account.leverage_set(happening))
            case AlgoMoved():
                self._user("ALGO_UPDATE", account.algo_update(happening))

    def expire_keys(self) -> None:
        """Let every listen key expire; its connections hear that and nothing after."""
        now = self.rest.venue.matching.now_ms
        keys, self.rest.listen_keys = list(self.rest.listen_keys), {}
        for key in keys:
            # Binance sends E as a string here, unlike everywhere else.
            told = {"e": "listenKeyExpired", "E": str(now), "listenKey": key}
            self._user("listenKeyExpired", told, key)
        for connection in self.hub.connections:
            connection.listen_key = ""

    def _tell_book(self, moved: BookMoved) -> None:
        terms, change, at = self.rest.venue.terms, moved.change, moved.at_ms
        for every_ms, name in ((100, "depth@100ms"), (250, "depth"), (500, "depth@500ms")):
            told: Change | None = change
            if every_ms > 100:
                told = self._gathered(every_ms, at, change)
            if told is not None and self._heard("public", name):
                ids = (told.first, told.last, told.before)
                text = words.depth_update(terms, at, ids, told.bids, told.asks)
                self._stream("public", name, text)
        self._tell_partial(at)
        if self._heard("public", "bookTicker"):
            book = self.rest.venue.matching.book
            best = book.best()
            if best != self._best:
                self._best = best
                self._stream("public", "bookTicker", words.book_ticker(book, terms, at))

    def _tell_partial(self, at_ms: int) -> None:
        """Tell `depth5`, `depth10` and `depth20`: snapshots, whatever changed."""
        book, terms = self.rest.venue.matching.book, self.rest.venue.terms
        for levels in (5, 10, 20):
            for pace in ("@100ms", "", "@500ms"):
                name = f"depth{levels}{pace}"
                if self._heard("public", name):
                    rows = words.depth(book, terms, at_ms, levels)
                    ids = (book.last_id, book.last_id, book.last_id)
                    told = words.depth_update(terms, at_ms, ids, {}, {})
                    self._stream("public", name, told | {"b": rows["bids"], "a": rows["asks"]})

    def _gathered(self, every_ms: int, at_ms: int, change: Change) -> Change | None:
        """Merge changes until a slower stream is due."""
        before = self._slow.get(every_ms)
        if before is not None:
            bids: Levels = before.bids | change.bids
            asks: Levels = before.asks | change.asks
            change = Change(before.first, change.last, before.before, bids, asks)
        if at_ms % every_ms < 100:
            self._slow.pop(every_ms, None)
            return change
        self._slow[every_ms] = change
        return None

    def _tell_second(self, marked: Marked) -> None:
        self._stream("market", "markPrice@1s", words.mark_price(marked, self.symbol))
        if marked.at_ms // 1000 % 3 == 0:
            self._stream("market", "markPrice", words.mark_price(marked, self.symbol))
        if self._force is not None and marked.at_ms - self._force_at_ms >= FORCE_EVERY_MS:
            self._send_force(self._force)
        for symbol, tape in self.rest.venue.history.tapes.items():
            if tape.candles and self._heard("market", "kline_1m", symbol):
                candle, now = tape.candles[-1], marked.at_ms
                is_closed = candle.open_ms + 60_000 <= now
                told = words.kline_event(candle, symbol, now, closed=is_closed)
                self._stream("market", "kline_1m", told, symbol)

    def _tell_closed(self, closed: Closed) -> None:
        """Keep the largest of a second: the stream tells no more than one."""
        if self._force is None or closed.qty_ltc > self._force.qty_ltc:
            self._force = closed

    def _send_force(self, closed: Closed) -> None:
        self._force, self._force_at_ms = None, self.rest.venue.matching.now_ms
        told = words.force_order(closed, self.symbol)
        self._stream("market", "forceOrder", told)
        self._stream("market", "!forceOrder@arr", told)

    def flush(self) -> None:
        """Tell the liquidation of this second; called at the end of each."""
        if self._force is not None:
            self._send_force(self._force)

    def _heard(self, route: str, name: str, symbol: str = LTC) -> bool:
        full = _stream_name(name, symbol)
        return any(c.kind == route and full in c.topics for c in self.hub.connections)

    def _stream(self, route: str, name: str, told: Any, symbol: str = LTC) -> None:
        full = _stream_name(name, symbol)
        raw = ""
        for connection in list(self.hub.connections):
            if connection.kind == route and full in connection.topics:
                raw = raw or json.dumps(told, separators=(",", ":"))
                text = f'{{"stream":"{full}","data":{raw}}}' if connection.combined else raw
                now = self.rest.venue.matching.now_ms
                self.hub.deliver(connection, f"binance {name}", text, now)

    def _user(self, event: str, told: Any, key: str | None = None) -> None:
        subject = f"binance {event}"
        if event == "ORDER_TRADE_UPDATE":
            subject += f" {told['o']['x']}"
        raw = ""
        for connection in list(self.hub.connections):
            listens = connection.listen_key if key is None else connection.listen_key == key
            if connection.kind != "private" or not listens:
                continue
            if connection.events is not None and event not in connection.events:
                continue
            raw = raw or json.dumps(told, separators=(",", ":"))
            name = connection.listen_key
            text = f'{{"stream":"{name}","data":{raw}}}' if connection.combined else raw
            self.hub.deliver(connection, subject, text, self.rest.venue.matching.now_ms)

    # --- connecting -------------------------------------------------------------------------------

    async def connect(self, request: web.Request) -> web.StreamResponse:
        """Serve a socket of a route: `/public/ws`, `/market/stream?streams=a/b`, ..."""
        route = request.match_info["route"]
        form = request.match_info["form"]
        name = request.match_info.get("name", "")
        socket = web.WebSocketResponse(autoping=False)
        await socket.prepare(request)
        connection = Connection(socket, route)
        connection.combined = form == "stream"
        if route == "private":
            self._listen(connection, request.query.get("listenKey") or name, request)
        else:
            asked = request.query.get("streams", "") if form == "stream" else name
            connection.topics.update(part for part in asked.split("/") if "@" in part)
        return await self.hub.talk(request, connection, "binance", self._hear)

    def _listen(self, connection: Connection, key: str, request: web.Request) -> None:
        """Attach a connection to a listen key; an unknown one hears nothing."""
        known = self.rest.listen_keys.get(key)
        if known is not None and known > self.rest.access.clock():
            connection.listen_key = key
        events = request.query.get("events")
        connection.events = None if not events else frozenset(events.split("/"))

    async def _hear(self, connection: Connection, text: str) -> None:
        """Take one message of the subscription protocol."""
        now = self.rest.access.clock()
        heard = [at for at in connection.depth_told.get("heard", []) if at > now - 1000]
        connection.depth_told["heard"] = [*heard, now]
        if len(heard) >= MOST_MESSAGES:
            connection.end()
            return
        try:
            asked = json.loads(text)
            method, params, number = asked["method"], asked.get("params"), asked.get("id")
        except (ValueError, KeyError, TypeError, AttributeError):
            connection.put('{"error":{"code":3,"msg":"Invalid JSON: expected value"}}')
            return
        result: Any = None
        if method == "SUBSCRIBE" and isinstance(params, list):
            connection.topics.update(str(name) for name in params)
            if len(connection.topics) > MOST_STREAMS:
                connection.end()
                return
        elif method == "UNSUBSCRIBE" and isinstance(params, list):
            connection.topics.difference_update(str(name) for name in params)
        elif method == "LIST_SUBSCRIPTIONS":
            result = sorted(connection.topics)
        elif method == "SET_PROPERTY" and isinstance(params, list) and len(params) == 2:
            connection.combined = bool(params[1])
        elif method == "GET_PROPERTY":
            result = connection.combined
        else:
            bad = {"code": 2, "msg": f"Invalid request: unknown variant {method!s}"}
            connection.put(json.dumps({"error": bad, "id": number}))
            return
        connection.put(json.dumps({"result": result, "id": number}))


def _stream_name(name: str, symbol: str) -> str:
    """Return the full name of a stream; those of all contracts begin with `!`."""
    return name if name.startswith("!") else f"{symbol.lower()}@{name}"

"""Bybit v5's streams on the fake exchange: public linear topics, and the private ones."""

from __future__ import annotations

import json
from typing import Any, Final

from aiohttp import web

from litehedge.exchange import bybit_words as words
from litehedge.exchange.access import is_signed
from litehedge.exchange.bybit_wire import BybitWire
from litehedge.exchange.faults import Fault
from litehedge.exchange.happenings import (
    LTC,
    AccountMoved,
    AlgoMoved,
    BookMoved,
    Closed,
    Happening,
    Marked,
    OrderMoved,
    Traded,
)
from litehedge.exchange.hub import Connection, Hub
from litehedge.exchange.tape import SYMBOLS

DEPTHS: Final = (1, 50, 200, 1000)
PRIVATE: Final = ("order", "execution", "position", "wallet")


class BybitStreams:
    """Renders what happens for those who listen."""

    def __init__(self, wire: BybitWire, hub: Hub) -> None:
        self.wire = wire
        self.hub = hub
        self.venue = wire.rest.venue
        self._number = 18_521_288
        self._closed: list[Closed] = []
        self._ticker: dict[str, str] = {}
        self._ids = 0
        self._closed_ms: dict[str, int] = {}

    # --- telling ----------------------------------------------------------------------------------

    def tell(self, happening: Happening) -> None:
        """Send what happened to everybody who listens."""
        match happening:
            case BookMoved():
                self._tell_book(happening)
            case Traded():
                topic = f"publicTrade.{happening.symbol}"
                self._public(topic, "snapshot", happening.at_ms, [words.trade(happening)])
            case Marked():
                self._tell_candles(happening.at_ms)
                self._tell_ticker(happening.at_ms)
            case Closed():
                self._closed.append(happening)
            case OrderMoved():
                if happening.fill is not None:
                    row = words.execution(happening.order, happening.fill, self.venue.mark)
                    self._private("execution", happening.at_ms, [row], row["execType"])
                row = words.order_row(happening.order)
                self._private("order", happening.at_ms, [row], row["orderStatus"])
            case AlgoMoved(at_ms=at_ms, algo=algo):
                if not algo.closes_all and algo.status in ("NEW", "CANCELED"):
                    row = words.conditional_row(algo)
                    self._private("order", at_ms, [row], row["orderStatus"])
            case AccountMoved():
                if happening.reason == "FUNDING_FEE":
                    row = words.funding_row(happening.at_ms, happening.change_usdt, self.venue)
                    self._private("execution", happening.at_ms, [row], "Funding")
                rows = [words.position_row(leg, self.venue) for leg in happening.legs]
                if rows:
                    self._private("position", happening.at_ms, rows)
                self._private("wallet", happening.at_ms, [words.wallet(self.venue)])

    def flush(self) -> None:
        """Tell every liquidation of this second."""
        if self._closed:
            rows = [words.liquidation(closed, LTC) for closed in self._closed]
            self._closed.clear()
            self._public(f"allLiquidation.{LTC}", "snapshot", self.venue.matching.now_ms, rows)

    def _tell_book(self, moved: BookMoved) -> None:
        self._number += 1
        book, terms = self.venue.matching.book, self.venue.terms
        for depth in DEPTHS:
            topic = f"orderbook.{depth}.{LTC}"
            if depth == 1:
                data = words.orderbook(book, terms, 1, self._number)
                self._public(topic, "snapshot", moved.at_ms, data, {"cts": moved.at_ms})
                continue
            data = {
                "s": LTC, "b": words.changed(moved.change.bids, terms),
                "a": words.changed(moved.change.asks, terms), "u": self._number,
                "seq": moved.change.last,
            }  # fmt: skip
            self._public(topic, "delta", moved.at_ms, data, {"cts": moved.at_ms})

    def _tell_candles(self, at_ms: int) -> None:
        """Tell the minute so far; one that is over is told as such, once."""
        for symbol, tape in self.venue.history.tapes.items():
            topic = f"kline.1.{symbol}"
            if not tape.candles or not any(topic in c.topics for c in self.hub.connections):
                continue
            candle = tape.candles[-1]
            is_closed = candle.open_ms + 60_000 <= at_ms
            if is_closed and self._closed_ms.get(symbol) == candle.open_ms:
                continue
            if is_closed:
                self._closed_ms[symbol] = candle.open_ms
            row = words.kline_topic(candle, at_ms, closed=is_closed)
            self._public(topic, "snapshot", at_ms, [row])

    def _tell_ticker(self, at_ms: int) -> None:
        """Tell what changed of the ticker: a missing field is as it was."""
        if not any(f"tickers.{LTC}" in c.topics for c in self.hub.connections):
            return
        now = words.ticker(self.venue)
        changed = {name: value for name, value in now.items() if self._ticker.get(name) != value}
        self._ticker = now
        if changed:
            data = {"symbol": LTC} | changed
            more = {"cs": self.venue.matching.book.last_id}
            self._public(f"tickers.{LTC}", "delta", at_ms, data, more)

    def _public(
        self, topic: str, kind: str, at_ms: int, data: Any, more: dict[str, Any] | None = None
    ) -> None:
        text = ""
        for connection in list(self.hub.connections):
            if connection.kind == "public" and topic in connection.topics:
                told = {"topic": topic, "type": kind, "ts": at_ms, "data": data} | (more or {})
                text = text or json.dumps(told, separators=(",", ":"))
                self.hub.deliver(connection, f"bybit {topic}", text, self.venue.matching.now_ms)

    def _private(self, topic: str, at_ms: int, rows: list[Any], what: str = "") -> None:
        for connection in list(self.hub.connections):
            name = topic if topic in connection.topics else f"{topic}.linear"
            if connection.kind != "private" or name not in connection.topics:
                continue
            self._ids += 1
            told = {"id": f"fake_{self._ids}", "topic": name, "creationTime": at_ms, "data": rows}
            subject = f"bybit {topic} {what}".strip()
            self.hub.deliver(connection, subject, json.dumps(told), self.venue.matching.now_ms)

    # --- connecting -------------------------------------------------------------------------------

    async def connect(self, request: web.Request) -> web.StreamResponse:
        """Serve `/v5/public/linear`, `/v5/private` or `/v5/trade`."""
        kind = request.path.split("/")[2]
        socket = web.WebSocketResponse(autoping=False)
        await socket.prepare(request)
        connection = Connection(socket, kind)
        return await self.hub.talk(request, connection, "bybit", self._hear)

    async def _hear(self, connection: Connection, text: str) -> None:
        try:
            asked = json.loads(text)
            op, args, number = asked["op"], asked.get("args") or [], asked.get("req_id")
        except (ValueError, KeyError, TypeError, AttributeError):
            connection.put('{"success":false,"ret_msg":"error:invalid op","conn_id":"fake"}')
            return
        head = {"conn_id": "fake", "op": op} | ({} if number is None else {"req_id": number})
        if op == "auth":
            self._authenticate(connection, args)
        elif connection.kind == "trade":
            await self.wire.hear(connection, text)
        elif op == "ping":
            self._pong(connection, number)
        elif op == "subscribe":
            self._subscribe(connection, [str(topic) for topic in args], head)
        elif op == "unsubscribe":
            connection.topics.difference_update(args)
            connection.put(json.dumps({"success": True, "ret_msg": ""} | head))
        else:
            connection.put(json.dumps({"success": False, "ret_msg": "error:invalid op"} | head))

    def _pong(self, connection: Connection, number: Any) -> None:
        if self.hub.faults.strikes(Fault.NO_PONG, f"bybit ping {connection.kind}") is not None:
            return
        extra = {} if number is None else {"req_id": number}
        if connection.kind == "public":
            told = {"success": True, "ret_msg": "pong", "conn_id": "fake", "op": "ping"} | extra
        else:
            args = [str(self.wire.access.clock())]
            told = extra | {"op": "pong", "args": args, "conn_id": "fake"}
        connection.put(json.dumps(told))

    def _authenticate(self, connection: Connection, args: list[Any]) -> None:
        name, expires, signature = ([*map(str, args), "", "", ""])[:3]
        key = self.wire.access.keys.get(name)
        good = (
            key is not None
            and is_signed(key.secret, f"GET/realtime{expires}", signature)
            and expires.isdigit()
            and int(expires) > self.wire.access.clock()
        )
        connection.is_authentic = good
        if connection.kind == "trade":
            told: dict[str, Any] = {"retCode": 0 if good else 10004, "op": "auth", "connId": "fake"}
            told["retMsg"] = "OK" if good else "Error sign"
        else:
            why = "" if good else "Params Error"
            told = {"success": good, "ret_msg": why, "op": "auth", "conn_id": "fake"}
        connection.put(json.dumps(told))

    def _subscribe(self, connection: Connection, topics: list[str], head: dict[str, Any]) -> None:
        bad = [topic for topic in topics if not self._exists(connection, topic)]
        if bad:
            why = f"error:handler not found,topic:{bad[0]}"
            connection.put(json.dumps({"success": False, "ret_msg": why} | head))
            return
        connection.topics.update(topics)
        connection.put(json.dumps({"success": True, "ret_msg": ""} | head))
        now, book = self.venue.matching.now_ms, self.venue.matching.book
        for topic in topics:
            told: dict[str, Any] = {"topic": topic, "type": "snapshot", "ts": now}
            if topic.startswith("orderbook."):
                most = int(topic.split(".")[1])
                told["data"] = words.orderbook(book, self.venue.terms, most, self._number)
                told["cts"] = now
            elif topic.startswith("tickers."):
                told |= {"data": words.ticker(self.venue), "cs": book.last_id}
            else:
                continue
            connection.put(json.dumps(told))

    def _exists(self, connection: Connection, topic: str) -> bool:
        if connection.kind == "private":
            return connection.is_authentic and topic.removesuffix(".linear") in PRIVATE
        name, _, rest = topic.partition(".")
        if name == "orderbook":
            return rest in {f"{depth}.{LTC}" for depth in DEPTHS}
        if name == "publicTrade" or topic.startswith("kline.1."):
            return topic.rpartition(".")[2] in SYMBOLS
        return topic in {f"tickers.{LTC}", f"allLiquidation.{LTC}"}

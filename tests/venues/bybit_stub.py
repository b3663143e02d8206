"""A small Bybit on loopback: what a test makes it say, and what it was asked."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import WSMsgType, web

from litehedge.errors import BadMessage
from litehedge.venues.bybit import Hosts

FIXTURES = Path(__file__).parents[1] / "fixtures" / "venues"
KEY, SECRET = "AKEY", "ASECRET"
ANSWERS = {
    "/v5/user/query-api": "query_api",
    "/v5/account/wallet-balance": "wallet_balance",
    "/v5/position/list": "position_list_hedge",
    "/v5/account/info": "account_info",
    "/v5/market/instruments-info": "instruments_LTCUSDT",
    "/v5/market/risk-limit": "risk_limit_LTCUSDT",
    "/v5/account/fee-rate": "fee_rate_LTCUSDT",
    "/v5/order/realtime": "order_realtime",
    "/v5/market/kline": "kline_LTCUSDT",
    "/v5/market/funding/history": "funding_history_LTCUSDT",
    "/v5/market/open-interest": "open_interest_LTCUSDT",
    "/v5/order/create": "order_create",
}


def fixture(name: str) -> Any:
    return json.loads((FIXTURES / f"bybit_{name}.json").read_bytes())


class Heard:
    """An outlet that remembers."""

    def __init__(self) -> None:
        self.events: list[Any] = []
        self.bads: list[BadMessage] = []
        self.states: list[tuple[str, str, str]] = []
        self.news = asyncio.Event()

    def now_ns(self) -> int:
        return 1_795_000_000_500_000_000

    def put(self, event: Any) -> None:
        self.events.append(event)
        self.news.set()

    tell = put

    def bad(self, source: str, error: BadMessage, payload: bytes) -> None:
        self.bads.append(error)
        self.news.set()

    def health(self, source: str, state: str, detail: str = "") -> None:
        self.states.append((source, state, detail))
        self.news.set()

    async def until(self, there: Any) -> None:
        async with asyncio.timeout(30):
            while not there():
                self.news.clear()
                await self.news.wait()


class Stub:
    """`says` replaces answers by path; `asked` holds (path, query or body) in order."""

    def __init__(self) -> None:
        self.says: dict[str, Any] = {}
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.headers: dict[str, str] = {}
        self.sockets: dict[str, list[web.WebSocketResponse]] = {}
        self.commands: list[tuple[str, dict[str, Any]]] = []
        self.orders: Any = {"retCode": 0, "retMsg": "OK", "data": {}}  # None: no answer
        self.accepts_login = True
        self.silent: set[str] = set()  # topics that are not begun
        self.news = asyncio.Event()

    async def rest(self, request: web.Request) -> web.StreamResponse:
        text = request.rel_url.raw_query_string if request.method == "GET" else await request.text()
        given = dict(request.query) if request.method == "GET" else json.loads(text)
        self.asked.append((request.path, given))
        stamp = request.headers.get("X-BAPI-TIMESTAMP")
        if stamp is not None:
            signed = f"{stamp}{KEY}{request.headers['X-BAPI-RECV-WINDOW']}{text}"
            right = hmac.new(SECRET.encode(), signed.encode(), hashlib.sha256).hexdigest()
            if request.headers["X-BAPI-SIGN"] != right:
                body = {"retCode": 10004, "retMsg": f"error sign! origin_string[{stamp}{KEY}]"}
                return web.json_response(body | {"result": {}, "time": 1})
        says = self.says.get(request.path)
        if callable(says):
            says = says(given)
        if isinstance(says, web.StreamResponse):
            return says
        if says is None:
            name = ANSWERS.get(request.path)
            body = {"retCode": 0, "retMsg": "OK", "result": {"list": []}, "time": 1_795_000_000_000}
            says = fixture(f"rest_{name}") if name else body
        return web.json_response(says, headers=self.headers)

    async def socket(self, request: web.Request) -> web.WebSocketResponse:
        kind = request.path.rsplit("/", 1)[-1]
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self.sockets.setdefault(kind, []).append(socket)
        async for got in socket:
            if got.type is not WSMsgType.TEXT:
                break
            command = json.loads(got.data)
            self.commands.append((kind, command))
            await self._obey(kind, socket, command)
            self.news.set()
        return socket

    async def _obey(self, kind: str, socket: web.WebSocketResponse, command: Any) -> None:
        match command["op"]:
            case "auth":
                key, expires, sign = command["args"]
                text = f"GET/realtime{expires}".encode()
                right = hmac.new(SECRET.encode(), text, hashlib.sha256).hexdigest()
                fine = self.accepts_login and (key, sign) == (KEY, right)
                answer = {"op": "auth", "success": fine, "ret_msg": ""}
                if kind == "trade":
                    answer = {"op": "auth", "retCode": 0 if fine else 10004, "retMsg": ""}
                await socket.send_json(answer | {"reqId": command.get("reqId", "")})
            case "ping":
                await socket.send_json({"op": "pong", "success": True, "ret_msg": "pong"})
            case "subscribe":
                if not self.silent & set(command["args"]):
                    answer = {"success": True, "ret_msg": "", "op": "subscribe"}
                    await socket.send_json(answer)
            case "order.create" if self.orders is not None:
                answer = {"reqId": command["reqId"], "op": "order.create", "header": {}}
                await socket.send_json(answer | self.orders)

    async def say(self, kind: str, message: Any) -> None:
        await self.sockets[kind][-1].send_json(message)

    async def until(self, there: Any) -> None:
        async with asyncio.timeout(30):
            while not there():
                self.news.clear()
                await self.news.wait()


@asynccontextmanager
async def serving() -> AsyncIterator[tuple[Stub, Hosts]]:
    stub, app = Stub(), web.Application()
    app.router.add_get("/ws/{kind}", stub.socket)
    app.router.add_route("*", "/v5/{rest:.*}", stub.rest)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    ws = f"ws://{host}:{port}/ws"
    try:
        yield stub, Hosts(f"http://{host}:{port}", f"{ws}/public", f"{ws}/private", f"{ws}/trade")
    finally:
        for sockets in stub.sockets.values():
            for socket in sockets:
                await socket.close()
        await runner.cleanup()

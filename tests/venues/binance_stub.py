"""A few answers of Binance over loopback, for tests of the client: no market, no matching."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import time
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import WSMsgType, web
from binance_samples import (
    ACCOUNT_CONFIG,
    BALANCES,
    COMMISSION,
    EXCHANGE_INFO,
    FUNDING_INFO,
    POSITIONS,
    RATIOS,
    RESTRICTIONS,
    SYMBOL_CONFIG,
    fixture,
)

from litehedge.venues.binance import Hosts
from litehedge.venues.keys import Keys

KEYS = Keys("binance", "the-key", "the-secret")
Answer = tuple[int, Any]


class Stub:
    """Answers by path; keeps what it was asked, the stops it holds, and the open sockets."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, dict[str, str]]] = []
        self.answers: dict[tuple[str, str], Callable[[dict[str, str]], Answer]] = {}
        self.ws_answers: list[Answer] = []
        self.ws_asked: list[dict[str, Any]] = []
        self.open: list[dict[str, Any]] = []  # orders
        self.stops: dict[str, dict[str, Any]] = {}
        self.least_stops = 10**9
        self.users: list[web.WebSocketResponse] = []
        self.streams: list[web.WebSocketResponse] = []
        self.subscribed: list[str] = []
        self.keys = 0
        self.mute_ws = False
        self.headers: dict[str, str] = {}
        self.skew_ms = 0
        self.url = ""
        self.greet: Callable[[web.WebSocketResponse, list[str]], Awaitable[None]] | None = None

    @property
    def hosts(self) -> Hosts:
        ws = self.url.replace("http", "ws", 1)
        return Hosts(rest=self.url, sapi=self.url, stream=ws, ws_api=f"{ws}/ws-fapi/v1")

    def on(self, method: str, path: str, status: int, body: Any) -> None:
        self.answers[method, path] = lambda _: (status, body)

    def count(self, method: str, path: str) -> int:
        return sum((m, p) == (method, path) for m, p, _ in self.asked)

    # --- HTTP -------------------------------------------------------------------------------

    async def http(self, request: web.Request) -> web.StreamResponse:
        params = dict(parse_qsl(request.query_string))
        self.asked.append((request.method, request.path, params))
        if "signature" in params:
            text = request.query_string.rsplit("&signature=", 1)[0]
            good = hmac.new(b"the-secret", text.encode(), hashlib.sha256).hexdigest()
            if params["signature"] != good or request.headers["X-MBX-APIKEY"] != "the-key":
                return web.json_response({"code": -1022, "msg": "Signature."}, status=400)
            if abs(int(params["timestamp"]) - self.now_ms()) > 5000:
                return web.json_response({"code": -1021, "msg": "Timestamp."}, status=400)
        custom = self.answers.get((request.method, request.path))
        status, body = custom(params) if custom else self.usual(request, params)
        headers = self.headers | ({"Retry-After": "30"} if status == 429 else {})
        if isinstance(body, bytes):
            return web.Response(body=body, status=status, headers=headers)
        return web.json_response(body, status=status, headers=headers)

    def now_ms(self) -> int:
        return int(time.time() * 1000) + self.skew_ms

    def usual(self, request: web.Request, params: dict[str, str]) -> Answer:
        match request.method, request.path:
            case "GET", "/fapi/v1/time":
                return 200, {"serverTime": self.now_ms()}
            case "GET", "/fapi/v1/exchangeInfo":
                return 200, EXCHANGE_INFO
            case "GET", "/fapi/v1/leverageBracket":
                return 200, fixture("rest_leverageBracket_LTCUSDT")
            case "GET", "/fapi/v1/commissionRate":
                return 200, COMMISSION
            case "GET", "/fapi/v1/fundingInfo":
                return 200, FUNDING_INFO
            case "GET", "/sapi/v1/account/apiRestrictions":
                return 200, RESTRICTIONS
            case "GET", "/fapi/v1/accountConfig":
                return 200, ACCOUNT_CONFIG
            case "GET", "/fapi/v1/symbolConfig":
                return 200, SYMBOL_CONFIG
            case "GET", "/fapi/v3/positionRisk":
                return 200, POSITIONS
            case "GET", "/fapi/v3/balance":
                return 200, BALANCES
            case "GET", "/fapi/v1/openOrders":
                return 200, self.open
            case "DELETE", "/fapi/v1/order":
                wanted = params["origClientOrderId"]
                left = [one for one in self.open if one["clientOrderId"] != wanted]
                gone, self.open = len(left) < len(self.open), left
                return (200, {}) if gone else (400, {"code": -2011, "msg": "Unknown"})
            case "GET", "/fapi/v1/depth":
                return 200, fixture("rest_depth_LTCUSDT")
            case "GET", "/fapi/v1/openInterest":
                return 200, fixture("rest_openInterest_LTCUSDT")
            case "GET", "/futures/data/globalLongShortAccountRatio":
                return 200, RATIOS
            case (("POST" | "PUT"), "/fapi/v1/listenKey"):
                self.keys += request.method == "POST"
                return 200, {"listenKey": f"key{self.keys}"}
            case "POST", "/fapi/v1/order":
                return 200, self.ack(params)
            case "GET", "/fapi/v1/openAlgoOrders":
                return 200, list(self.stops.values())
            case "POST", "/fapi/v1/algoOrder":
                return self.arm(params)
            case "DELETE", "/fapi/v1/algoOrder":
                gone = self.stops.pop(params["clientAlgoId"], None)
                self.least_stops = min(self.least_stops, len(self.stops))
                return (200, {"code": "200"}) if gone else (400, {"code": -2011, "msg": "Unknown"})
        return 200, {"code": 200, "msg": "success"}

    def ack(self, params: dict[str, Any]) -> Any:
        done = {"clientOrderId": params["newClientOrderId"], "status": "EXPIRED",
                "executedQty": "6.000"}  # fmt: skip
        return fixture("rest_order_ack_IOC_LTCUSDT") | done

    def arm(self, params: dict[str, str]) -> Answer:
        closing = params.get("closePosition") == "true"
        held = [s for s in self.stops.values() if s["positionSide"] == params["positionSide"]]
        if closing and any(s["closePosition"] for s in held):
            return 400, {"code": -4130, "msg": "An open stop with closePosition is existing."}
        self.stops[params["clientAlgoId"]] = {
            "clientAlgoId": params["clientAlgoId"], "symbol": "LTCUSDT", "side": params["side"],
            "orderType": params["type"], "algoStatus": "NEW", "closePosition": closing,
            "triggerPrice": params["triggerPrice"], "positionSide": params["positionSide"],
            "quantity": params.get("quantity", "0"),
        }  # fmt: skip
        return 200, self.stops[params["clientAlgoId"]]

    # --- sockets ----------------------------------------------------------------------------

    async def user(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self.users.append(socket)
        async for _ in socket:
            pass
        return socket

    async def stream(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self.streams.append(socket)
        async for message in socket:
            wanted = json.loads(message.data)
            self.subscribed += [f"{request.path} {name}" for name in wanted["params"]]
            await socket.send_json({"result": None, "id": wanted["id"]})
            if self.greet is not None:
                await self.greet(socket, wanted["params"])
        return socket

    async def ws_api(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            if message.type is not WSMsgType.TEXT:
                break
            wanted = json.loads(message.data)
            self.ws_asked.append(wanted)
            if self.mute_ws:
                await socket.close()
                break
            status, body = self.ws_answers.pop(0) if self.ws_answers else (
                200, self.ack(wanted["params"])
            )  # fmt: skip
            part = "result" if status == 200 else "error"
            await socket.send_json({"id": wanted["id"], "status": status, part: body})
        return socket


@asynccontextmanager
async def stub():
    """Serve a stub on loopback."""
    made = Stub()
    app = web.Application()
    app.router.add_get("/private/ws", made.user)
    app.router.add_get("/public/ws", made.stream)
    app.router.add_get("/market/ws", made.stream)
    app.router.add_get("/ws-fapi/v1", made.ws_api)
    app.router.add_route("*", "/{rest:.*}", made.http)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    made.url = f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}"
    try:
        yield made
    finally:
        for socket in (*made.users, *made.streams):
            await socket.close()
        await runner.cleanup()


class Out:
    """Keeps what a source says."""

    def __init__(self) -> None:
        self.events: list[Any] = []
        self.states: list[tuple[str, str, str]] = []
        self.wrong: list[str] = []

    def now_ns(self) -> int:
        return time.time_ns()

    def put(self, event: Any) -> None:
        self.events.append(event)

    def bad(self, source: str, error: Exception, payload: bytes) -> None:
        self.wrong.append(f"{source}: {error}")

    def health(self, source: str, state: str, detail: str = "") -> None:
        self.states.append((source, state, detail))


async def until(true: Callable[[], Any], within_s: float = 15.0) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(within_s):
        while not true():
            await asyncio.sleep(0.01)


@asynccontextmanager
async def running(coroutine: Any):
    """Run something beside a test, and end it."""
    task = asyncio.create_task(coroutine)
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

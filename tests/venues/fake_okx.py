"""A fake OKX and a fake Kraken Futures on loopback: enough for ccxt's real clients to trade on."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

from aiohttp import web

from litehedge.venues.ccxt_facts import rewritten

FIXTURES = Path(__file__).parents[1] / "fixtures" / "venues"
INSTRUMENT = {
    "instType": "SWAP", "instId": "LTC-USDT-SWAP", "uly": "LTC-USDT", "instFamily": "LTC-USDT",
    "category": "1", "baseCcy": "", "quoteCcy": "", "settleCcy": "USDT", "ctVal": "1",
    "ctMult": "1", "ctValCcy": "LTC", "ctType": "linear", "optType": "", "stk": "",
    "listTime": "1611916828000", "expTime": "", "lever": "50", "tickSz": "0.01", "lotSz": "0.1",
    "minSz": "0.1", "alias": "", "state": "live", "maxLmtSz": "10000", "maxMktSz": "1000",
}  # fmt: skip
TIERS = [
    {"instId": "LTC-USDT-SWAP", "tier": "1", "minSz": "0", "maxSz": "100", "mmr": "0.01",
     "imr": "0.02", "maxLever": "50"},
    {"instId": "LTC-USDT-SWAP", "tier": "2", "minSz": "100", "maxSz": "1000", "mmr": "0.02",
     "imr": "0.04", "maxLever": "25"},
]  # fmt: skip
POSITION = {
    "instId": "LTC-USDT-SWAP", "instType": "SWAP", "pos": "-3.5", "posSide": "net",
    "mgnMode": "cross", "avgPx": "84.2", "lever": "5", "liqPx": "101.5", "upl": "12.0",
    "margin": "", "imr": "50", "mmr": "4", "notionalUsd": "294", "uTime": "1795000000000",
    "cTime": "1795000000000", "markPx": "84.1", "mgnRatio": "9", "adl": "1", "uplRatio": "0.1",
}  # fmt: skip


class FakeOkx:
    """What it was asked, what it holds, and how it misbehaves."""

    def __init__(self) -> None:
        self.orders: dict[str, dict[str, Any]] = {}
        self.asked: list[str] = []
        self.fault = ""
        self.deadman: list[str] = []
        self.connections = 0
        self.says: list[list[bytes]] = []  # messages of each connection, after a subscription
        self._runner: web.AppRunner | None = None
        self.at = ""

    async def __aenter__(self) -> FakeOkx:
        app = web.Application()
        app.router.add_get("/ws/{tail:.*}", self._socket)
        app.router.add_route("*", "/{tail:.*}", self._answer)
        self._runner = web.AppRunner(app, shutdown_timeout=0.2)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.at = f"127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    def rewrite(self, urls: Any) -> Any:
        return rewritten(urls, f"http://{self.at}", f"ws://{self.at}")

    def _place(self, body: dict[str, Any]) -> dict[str, Any]:
        if body["clOrdId"] in self.orders:
            return {"code": "1", "data": [{"sCode": "51016", "sMsg": "Duplicated clOrdId"}]}
        if self.fault == "no money":
            return {"code": "1", "data": [{"sCode": "51008", "sMsg": "Insufficient margin"}]}
        self.orders[body["clOrdId"]] = {
            "instId": body["instId"], "instType": "SWAP", "ordId": str(len(self.orders) + 1),
            "clOrdId": body["clOrdId"], "side": body["side"], "sz": body["sz"],
            "px": body["px"], "ordType": body["ordType"], "state": "canceled",
            "accFillSz": "1.5", "avgPx": "83.2", "fee": "-0.0624", "feeCcy": "USDT",
            "cTime": "1795000000000", "uTime": "1795000000005", "lever": "5", "tdMode": "cross",
        }  # fmt: skip
        order = self.orders[body["clOrdId"]]
        return {"code": "0", "data": [{"ordId": order["ordId"], "clOrdId": order["clOrdId"],
                                       "sCode": "0", "sMsg": ""}]}  # fmt: skip

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        path = request.path
        self.asked.append(f"{request.method} {path}")
        if path == "/api/v5/trade/order" and request.method == "POST":
            if self.fault == "wrong key":
                return web.json_response(
                    {"code": "50111", "msg": "Invalid OK-ACCESS-KEY"}, status=401
                )
            if self.fault == "busy":
                return web.json_response({"code": "50011", "msg": "Too Many Requests"}, status=429)
            answer = self._place(await request.json())
            if self.fault == "silent":
                await asyncio.sleep(30)
            if self.fault == "broken":
                assert request.transport is not None
                request.transport.abort()
            if self.fault == "503":
                return web.Response(status=503, text="Service Unavailable")
            if self.fault == "nonsense":
                return web.json_response({"code": "0", "data": "what"})
            return web.json_response(answer)
        if path == "/api/v5/trade/cancel-all-after":
            self.deadman.append((await request.json())["timeOut"])
        if path == "/api/v5/trade/order":
            order = self.orders.get(request.query.get("clOrdId", ""))
            if order is None:
                return web.json_response(
                    {"code": "51603", "msg": "Order does not exist", "data": []}
                )
            return web.json_response({"code": "0", "data": [order]})
        return web.json_response({"code": "0", "msg": "", "data": DATA.get(path, [])})

    async def _socket(self, request: web.Request) -> web.WebSocketResponse:
        self.connections += 1
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            if message.data == "ping":
                await socket.send_str("pong")
                continue
            asked = json.loads(message.data)
            if asked.get("op") == "subscribe" and self.says:
                for text in self.says.pop(0):
                    await socket.send_str(text.decode())
        return socket


DATA: dict[str, Any] = {
    "/api/v5/public/instruments": [INSTRUMENT],
    "/api/v5/account/instruments": [INSTRUMENT],
    "/api/v5/public/time": [{"ts": "1795000000000"}],
    "/api/v5/public/position-tiers": TIERS,
    "/api/v5/account/trade-fee": [
        {"instType": "SWAP", "category": "1", "maker": "-0.0002", "taker": "-0.0005",
         "makerU": "-0.0002", "takerU": "-0.0005", "delivery": "", "level": "Lv1", "ts": "1"}
    ],
    "/api/v5/public/funding-rate": [
        {"instId": "LTC-USDT-SWAP", "fundingRate": "0.0001", "fundingTime": "1795000000000",
         "nextFundingTime": "1795014400000", "nextFundingRate": "", "ts": "1794990000000"}
    ],
    "/api/v5/market/books": [
        {"asks": [["84.11", "95.2", "0", "3"]], "bids": [["84.09", "1", "0", "4"]], "ts": "1"}
    ],
    "/api/v5/account/balance": [
        {"uTime": "1795000000000", "totalEq": "1012", "details": [
            {"ccy": "USDT", "eq": "1012", "cashBal": "1000", "upl": "12", "availEq": "900",
             "availBal": "900", "frozenBal": "50"}]}
    ],
    "/api/v5/account/positions": [POSITION],
    "/api/v5/account/config": [{"posMode": "net_mode", "uid": "1", "acctLv": "2"}],
}  # fmt: skip

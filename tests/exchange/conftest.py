"""A plain client of the fake exchange: it signs and asks, and believes nothing."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlencode

import aiohttp
import pytest

from litehedge.exchange.access import sign
from litehedge.exchange.server import FakeExchange


class Client:
    """Asks one exchange as Binance's documentation says."""

    def __init__(self, exchange: FakeExchange, session: aiohttp.ClientSession) -> None:
        self.exchange = exchange
        self.session = session

    async def ask(
        self, method: str, path: str, *, key: str = "key", secret: str = "secret",
        ahead_ms: int = 0, **params: Any,
    ) -> tuple[int, Any]:  # fmt: skip
        """Send a signed request; return status and body."""
        params["timestamp"] = int(time.time() * 1000) + ahead_ms
        query = urlencode(params)
        query += f"&signature={sign(secret, query)}"
        return await self.plain(method, f"{path}?{query}", {"X-MBX-APIKEY": key})

    async def plain(
        self, method: str, path: str, headers: dict[str, str] | None = None
    ) -> tuple[int, Any]:
        """Send a request as it is."""
        url = self.exchange.url + path
        async with self.session.request(method, url, headers=headers) as response:
            return response.status, await response.json()

    async def order(
        self, side: str, leg: str, qty: str, price: str, **more: Any
    ) -> tuple[int, Any]:
        """Send an immediate limit order."""
        return await self.ask(
            "POST", "/fapi/v1/order", symbol="LTCUSDT", side=side, positionSide=leg, type="LIMIT",
            timeInForce=more.pop("tif", "IOC"), quantity=qty, price=price, **more,
        )  # fmt: skip

    async def listen(self, path: str, *topics: str) -> aiohttp.ClientWebSocketResponse:
        """Open a socket, and subscribe."""
        socket = await self.session.ws_connect(self.exchange.ws_url + path, autoping=True)
        if topics:
            await socket.send_json({"method": "SUBSCRIBE", "params": list(topics), "id": 1})
            assert (await socket.receive_json(timeout=5)) == {"result": None, "id": 1}
        return socket

    async def user(self) -> aiohttp.ClientWebSocketResponse:
        """Open the user stream."""
        headers = {"X-MBX-APIKEY": "key"}
        _, told = await self.plain("POST", "/fapi/v1/listenKey", headers)
        return await self.listen(f"/private/ws?listenKey={told['listenKey']}")


async def heard(socket: aiohttp.ClientWebSocketResponse, wait_s: float = 0.15) -> list[Any]:
    """Return everything that came until nothing came for a while."""
    got: list[Any] = []
    while True:
        try:
            message = await socket.receive(timeout=wait_s)
        except TimeoutError:
            return got
        if message.type is not aiohttp.WSMsgType.TEXT:
            return [*got, message.type]
        try:
            got.append(json.loads(message.data))
        except ValueError:
            got.append(message.data)


@asynccontextmanager
async def at_work(exchange: FakeExchange) -> AsyncIterator[Client]:
    """Run an exchange, with a client of it."""
    async with exchange, aiohttp.ClientSession() as session:
        yield Client(exchange, session)


def to_loopback(urls: Any, exchange: FakeExchange) -> Any:
    """Replace every host in ccxt's addresses, and nothing else."""
    if isinstance(urls, dict):
        return {name: to_loopback(value, exchange) for name, value in urls.items()}
    urls = re.sub(r"^https://[^/]+", exchange.url, urls)
    return re.sub(r"^wss://[^/]+", exchange.ws_url, urls)


def run(work: Any) -> Any:
    """Run a coroutine to its end, at most 30 s."""
    return asyncio.run(asyncio.wait_for(work, 30))


@pytest.fixture
def fake() -> FakeExchange:
    """A quiet exchange in hedge mode."""
    return FakeExchange()

"""A kept socket: its messages are bytes, and a silence is noticed, but no pause before that."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import aiohttp
from aiohttp import web

from litehedge.errors import BadMessage
from litehedge.market.events import AnyEvent
from litehedge.net import SLACK, Wire, keep_socket
from litehedge.ports import Health

SILENCE_S = 0.4


class Out:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[Health, str]] = []
        self.worse = asyncio.Event()
        self.bads: list[bytes] = []

    def now_ns(self) -> int:
        return 0

    def put(self, event: AnyEvent) -> None:
        raise AssertionError("nobody puts events here")

    def bad(self, source: str, error: BadMessage, payload: bytes) -> None:
        self.bads.append(payload)

    def health(self, source: str, state: Health, detail: str = "") -> None:
        self.told.append((state, detail))
        if state in ("stale", "down"):
            self.worse.set()


def kept(
    serve: Callable[[web.WebSocketResponse], Awaitable[None]], message: Callable[[bytes], None]
) -> tuple[Out, float]:
    """Keep a socket to a server until it is worse off; return what was told, and after how long."""

    async def inside() -> tuple[Out, float]:
        async def handle(request: web.Request) -> web.WebSocketResponse:
            socket = web.WebSocketResponse()
            await socket.prepare(request)
            await serve(socket)
            async for _ in socket:  # until the client has left
                pass
            return socket

        app = web.Application()
        app.router.add_get("/", handle)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        port = runner.addresses[0][1]

        async def address() -> str:
            return f"ws://127.0.0.1:{port}/"

        async def opened(wire: Wire) -> None:
            pass

        out = Out()
        began_s = asyncio.get_running_loop().time()
        async with aiohttp.ClientSession() as session:
            keeping = asyncio.create_task(
                keep_socket(
                    session,
                    "test",
                    address,
                    out,
                    opened=opened,
                    message=message,
                    silence_s=SILENCE_S,
                )
            )
            async with asyncio.timeout(20.0):
                await out.worse.wait()
            took_s = asyncio.get_running_loop().time() - began_s
            keeping.cancel()
            await asyncio.gather(keeping, return_exceptions=True)
        await runner.cleanup()
        return out, took_s

    return asyncio.run(inside())


def test_a_silence_is_noticed_and_not_before_its_time() -> None:
    heard: list[bytes] = []
    last_s: list[float] = []

    async def serve(socket: web.WebSocketResponse) -> None:
        for number in range(4):
            await socket.send_str(f"{number}")
            await asyncio.sleep(0.5 * SLACK * SILENCE_S)  # within what one timer covers

    def message(payload: bytes) -> None:
        heard.append(payload)
        last_s.append(asyncio.get_running_loop().time())

    out, took_s = kept(serve, message)
    assert heard == [b"0", b"1", b"2", b"3"]
    assert out.told[-1] == ("stale", f"silent for {SILENCE_S:g} s")
    assert took_s >= last_s[-1] - last_s[0] + SILENCE_S


def test_messages_come_as_bytes_and_bad_ones_are_counted() -> None:
    async def serve(socket: web.WebSocketResponse) -> None:
        await socket.send_str('{"price": "84.10 µ"}')
        await socket.send_bytes(b"\xff\xfe")

    heard: list[bytes] = []

    def message(payload: bytes) -> None:
        heard.append(payload)
        if payload.startswith(b"\xff"):
            raise BadMessage("not ours", "it is skipped")

    out, _ = kept(serve, message)
    assert heard == ['{"price": "84.10 µ"}'.encode(), b"\xff\xfe"]
    assert out.bads == [b"\xff\xfe"]

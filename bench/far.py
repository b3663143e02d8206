"""The far end of a socket: the fake exchange in a process of its own, told what to do by a pipe.

Its processor time is then not ours, and nothing of ours runs while it sends. Times of both ends
are those of `time.perf_counter_ns`, which on Linux is one clock for all processes.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Self

from aiohttp import web

from litehedge.exchange.binance_wire import BinanceWire
from litehedge.exchange.scene import Scripted
from litehedge.exchange.server import FakeExchange
from litehedge.exchange.terms import VenueName

BEGINS_S = 1_795_000_000
BASE_MS = BEGINS_S * 1000 + 1_000
MID_USDT = 84.105
SWAY_TICKS = 5
CLUMP_NS = 1_000_000


@dataclass(frozen=True)
class Burst:
    """What was sent: when each message went out, by its number, and what a message was like."""

    sent_ns: list[int]
    mean_bytes: float

    @property
    def took_s(self) -> float:
        """From the first message to the last."""
        return (self.sent_ns[-1] - self.sent_ns[0]) / 1e9


class Far:
    """The process, as seen from here. Use it as a context manager."""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.far"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            text=True, bufsize=1,
        )  # fmt: skip
        told = self._answer()
        self.url, self.ws_url = told["url"], told["ws_url"]
        return self

    def __exit__(self, *why: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(10.0)
        assert self._process.stdout is not None
        self._process.stdout.close()

    def tell(self, do: str, **terms: Any) -> None:
        """Have something done."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"do": do, **terms}) + "\n")

    def ask(self, do: str, **terms: Any) -> Any:
        """Have something done and wait for what comes of it."""
        self.tell(do, **terms)
        return self._answer()

    def burst(self, venue: str, kind: str, first: int, count: int, pause_us: float = 0.0) -> None:
        """Send messages `first` to `first + count`; their market time is `BASE_MS` + number.

        With a pause of 0 all are made first and then sent; below 0 each is made and sent before
        the next one, as a plain server does.
        """
        self.tell("burst", venue=venue, kind=kind, first=first, count=count, pause_us=pause_us)

    def burst_sent(self) -> Burst:
        """Wait until the burst is on the wire."""
        return Burst(**self._answer())

    def arrivals(self) -> dict[str, int]:
        """Return when each order arrived since this was asked last, by its id."""
        return dict(self.ask("arrivals"))

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the far end is gone; its last words are above")
        return json.loads(line)


class _Ears:
    """Notes when each order arrives, before anything is done about it."""

    def __init__(self) -> None:
        self.heard: list[tuple[int, str]] = []
        ears, hear, http = self, BinanceWire.hear, BinanceWire.http

        async def noting_hear(self: BinanceWire, connection: Any, text: str) -> None:
            ears.heard.append((time.perf_counter_ns(), text))
            await hear(self, connection, text)

        async def noting_http(self: BinanceWire, request: web.Request) -> web.StreamResponse:
            now_ns = time.perf_counter_ns()
            body = (await request.read()).decode()
            ears.heard.append((now_ns, f"{request.rel_url.raw_query_string}&{body}"))
            return await http(self, request)

        BinanceWire.hear = noting_hear  # type: ignore[method-assign]
        BinanceWire.http = noting_http  # type: ignore[method-assign]

    def take(self) -> dict[str, int]:
        """Return what was heard, by client id."""
        heard, self.heard = self.heard, []
        found: dict[str, int] = {}
        for at_ns, text in heard:
            if text.startswith("{"):
                name = json.loads(text).get("params", {}).get("newClientOrderId")
            else:
                name = text.partition("newClientOrderId=")[2].partition("&")[0]
            if name:
                found.setdefault(name, at_ns)
        return found


class _Mouth:
    """Notes when each message goes out."""

    def __init__(self) -> None:
        self.sent: list[tuple[int, str]] = []
        self.pause_ns = 0
        mouth, send = self, web.WebSocketResponse.send_str

        async def noting_send(
            self: web.WebSocketResponse, text: str, compress: int | None = None
        ) -> None:
            if mouth.pause_ns and mouth.sent:
                due_ns = mouth.sent[0][0] + len(mouth.sent) * mouth.pause_ns
                ahead_ns = due_ns - time.perf_counter_ns()
                if ahead_ns > CLUMP_NS:  # the loop's timers are no finer than a millisecond
                    await asyncio.sleep(ahead_ns / 1e9)
            mouth.sent.append((time.perf_counter_ns(), text))
            await send(self, text, compress)

        web.WebSocketResponse.send_str = noting_send  # type: ignore[method-assign]

    def begin(self, pause_us: float = 0.0) -> None:
        """Forget what was sent."""
        self.sent = []
        self.pause_ns = int(1000.0 * pause_us)


async def _serve() -> None:
    ears, mouth = _Ears(), _Mouth()
    scene = Scripted(((0.0, MID_USDT),), begins_s=BEGINS_S, depth_usdt=40e6)
    exchange = FakeExchange(
        scene, venues=("binance", "bybit"), wallet_usdt=Decimal(200_000), limited=False
    )
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    async with exchange:
        exchange.step()
        _say({"url": exchange.url, "ws_url": exchange.ws_url})
        while line := await reader.readline():
            asked = json.loads(line)
            match asked["do"]:
                case "burst":
                    mouth.begin(max(0.0, asked["pause_us"]))
                    if asked["pause_us"] < 0.0:
                        for number in range(asked["first"], asked["first"] + asked["count"]):
                            _burst(exchange, asked | {"first": number, "count": 1})
                            await exchange.sent()
                    else:
                        _burst(exchange, asked)
                        await exchange.sent()
                    sizes = [len(text) for _, text in mouth.sent]
                    mean = sum(sizes) / max(1, len(sizes))
                    _say({"sent_ns": [at for at, _ in mouth.sent], "mean_bytes": mean})
                case "books":  # a message each, and the first `trades` of them with a trade
                    mouth.begin()
                    for place, (at_ms, mid) in enumerate(asked["steps"]):
                        _move(exchange, "binance", at_ms, mid, trades=place < asked["trades"])
                case "sent":  # when the first of them went out
                    _say(next(at for at, text in mouth.sent if "depthUpdate" in text[:24]))
                case "arrivals":
                    _say(ears.take())


def _burst(exchange: FakeExchange, asked: dict[str, Any]) -> None:
    venue = exchange.venues[asked["venue"]]
    for number in range(asked["first"], asked["first"] + asked["count"]):
        if asked["kind"] == "book":
            mid = MID_USDT + 0.01 * (number // 8 % SWAY_TICKS)
            _move(exchange, asked["venue"], BASE_MS + number, mid)
        else:
            venue.matching.now_ms = BASE_MS + number
            venue.matching.publish(Decimal("84.10"), Decimal("1.250"), number % 2 == 0)


def _move(
    exchange: FakeExchange, name: VenueName, at_ms: int, mid: float, *, trades: bool = False
) -> None:
    """Let the touch go somewhere, and tell the book; with `trades` also a trade and the mark."""
    venue = exchange.venues[name]
    assert venue.moment is not None
    moment = replace(
        venue.moment, bid=mid - 0.005, ask=mid + 0.005, mark=mid, index=mid,
        flows=((mid + 0.005, 1.25, True),),
    )  # fmt: skip
    if trades:
        venue.second(at_ms, moment)
    else:
        venue.moment = moment
        venue.step(at_ms)


def _say(words: Any) -> None:
    print(json.dumps(words), flush=True)


if __name__ == "__main__":
    asyncio.run(_serve())

"""Bybit's market over sockets: one source for each topic, and the past hours by REST. Thin.

Each topic has a socket of its own, so that a book that lost its thread takes nothing else with it.
A socket that lives while its topic is silent is as bad as none: it is left and made anew.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, Literal

import aiohttp
import msgspec

from litehedge.errors import BadMessage
from litehedge.market import events as ev
from litehedge.net import Newest, Pause, Resync, Wire, keep_socket
from litehedge.ports import Health, Outlet, Source
from litehedge.venues import bybit_history as past
from litehedge.venues import bybit_wire as wire
from litehedge.venues.bybit_rest import PRODUCTION, Hosts, Rest

PING: Final = '{"op":"ping"}'
PING_EVERY_S: Final = 20.0
FIRST_S: Final = 10.0
"""By then a topic has answered, or its socket is left."""

Read = Callable[[wire.Public, int], Iterable[ev.MarketEvent]]


class _Gate:
    """Passes health on when it changes; `ok` only when the topic itself has spoken."""

    def __init__(self, out: Outlet, name: str) -> None:
        self._out = out
        self._name = name
        self._last: tuple[Health, str] | None = None

    def now_ns(self) -> int:
        """Return the time of this machine."""
        return self._out.now_ns()

    def put(self, event: ev.AnyEvent) -> None:
        """Pass an event on."""
        self._out.put(event)

    def bad(self, source: str, error: BadMessage, payload: bytes) -> None:
        """Pass a message on that could not be read."""
        self._out.bad(source, error, payload)

    def health(self, source: str, state: Health, detail: str = "") -> None:
        """Pass on what the socket says of itself; that it is open is not yet `ok`."""
        if state not in ("ok", "starting"):
            self.say(state, detail)
        elif self._last is None:
            self.say("starting", "")

    def say(self, state: Health, detail: str = "") -> None:
        """Tell a state, once."""
        if self._last != (state, detail):
            self._last = (state, detail)
            self._out.health(self._name, state, detail)


@dataclass(slots=True)
class TopicSource:
    """One topic of the public socket as a source.

    Parameters
    ----------
    read
        Turns a message of the topic into events; may raise `BadMessage` and `Resync`.
    forget
        Called when the connection ended.
    silence_s
        After so long without the topic the socket is left; None where silence is normal.
    """

    topic_name: str
    url: str
    topic: str
    read: Read
    forget: Callable[[], None] = lambda: None
    silence_s: float | None = None
    first_s: float = FIRST_S
    ping_every_s: float = PING_EVERY_S
    only_newest: bool = False  # of events that come at once the last one tells all
    _newest: Newest[ev.MarketEvent] | None = None
    _heard_s: float | None = None
    _due_s: float | None = None

    @property
    def name(self) -> str:
        """Unique name, such as `bybit.depth`."""
        return self.topic_name

    async def run(self, out: Outlet) -> None:
        """Put what the topic tells until cancelled."""
        gate, pause = _Gate(out, self.name), Pause()
        self._newest = Newest(gate.put) if self.only_newest else None
        async with aiohttp.ClientSession() as session:
            while True:
                socket = asyncio.create_task(self._keep(session, gate, pause))
                watch = asyncio.create_task(self._watch())
                try:
                    await asyncio.wait({socket, watch}, return_when=asyncio.FIRST_COMPLETED)
                    if socket.done():
                        socket.result()  # a mistake of ours, which must be seen
                    gate.say("stale", watch.result())
                finally:
                    socket.cancel()
                    watch.cancel()
                    await asyncio.gather(socket, watch, return_exceptions=True)
                    self._closed()
                await asyncio.sleep(pause.after(0.0))

    async def _keep(self, session: aiohttp.ClientSession, gate: _Gate, pause: Pause) -> None:
        async def address() -> str:
            return self.url

        async def opened(socket: Wire) -> None:
            self._due_s, self._heard_s = self._now_s() + self.first_s, None
            command = {"op": "subscribe", "args": [self.topic], "req_id": self.topic}
            await socket.send(msgspec.json.encode(command))

        await keep_socket(
            session,
            self.name,
            address,
            gate,
            opened=opened,
            message=lambda payload: self._message(payload, gate),
            closed=self._closed,
            silence_s=2.5 * self.ping_every_s,
            heartbeat=(PING, self.ping_every_s),
            pause=pause,
        )

    def _message(self, payload: bytes, gate: _Gate) -> None:
        message = wire.public(payload)
        if message.op == "subscribe":
            if not message.success:
                raise Resync(f"bybit does not serve {self.topic}: {message.ret_msg[:80]}")
            if self.silence_s is None:  # it may have nothing to tell for hours
                self._heard(gate)
        elif message.topic == self.topic:
            self._heard(gate)
            put = gate.put if self._newest is None else self._newest.put
            for event in self.read(message, gate.now_ns()):
                put(event)

    def _heard(self, gate: _Gate) -> None:
        self._heard_s, self._due_s = self._now_s(), None
        gate.say("ok")

    def _closed(self) -> None:
        self._heard_s = self._due_s = None
        if self._newest is not None:
            self._newest.drop()
        self.forget()

    async def _watch(self) -> str:
        """Return why the socket has to be left, when it has."""
        step_s = min(self.first_s, self.silence_s or self.first_s) / 4
        while True:
            await asyncio.sleep(step_s)
            now_s = self._now_s()
            if self._due_s is not None and now_s > self._due_s:
                return f"{self.topic} did not begin within {self.first_s:g} s"
            silent = self.silence_s is not None and self._heard_s is not None
            if silent and now_s - (self._heard_s or 0.0) > (self.silence_s or 0.0):
                return f"{self.topic} is silent for {self.silence_s:g} s while connected"

    @staticmethod
    def _now_s() -> float:
        return asyncio.get_running_loop().time()


class BybitMarket:
    """What Bybit tells of a contract.

    Parameters
    ----------
    depth
        Levels of the book: 50 (each 20 ms), 200 (each 100 ms), or what Bybit offers besides.
    venue
        Whose funding it is: `own` where we trade here, else `bybit`.
    """

    def __init__(
        self,
        hosts: Hosts = PRODUCTION,
        symbol: str = "LTCUSDT",
        *,
        tick_usdt: float = 0.01,
        depth: int = 200,
        venue: ev.FundingVenue = "own",
        btc: str = "BTCUSDT",
    ) -> None:
        self._hosts = hosts
        self._symbol = symbol
        self._tick_usdt = tick_usdt
        self._depth = depth
        self._venue: ev.FundingVenue = venue
        self._btc = btc

    def sources(self) -> list[Source]:
        """Return the sources, to be run side by side."""
        symbol = self._symbol
        return [
            self.depth(),
            self._source("trades", f"publicTrade.{symbol}", self._trades, 300.0),
            self._source("tickers", f"tickers.{symbol}", self._tickers(), 30.0),
            self._source("liquidations", f"allLiquidation.{symbol}", self._liquidations, None),
            self._source("btc", f"kline.1.{self._btc}", self._bars, 120.0),
        ]

    def depth(self) -> TopicSource:
        """Return the source of the book."""
        sync = wire.BookSync(self._symbol, self._tick_usdt, self._depth)

        def read(message: wire.Public, known_ns: int) -> list[ev.MarketEvent]:
            taken = sync.take(message)
            if taken == "lost":
                raise Resync("the book has a gap")
            event = sync.event(known_ns) if taken == "applied" else None
            return [] if event is None else [event]

        topic = f"orderbook.{self._depth}.{self._symbol}"
        source = self._source("depth", topic, read, 10.0)
        source.forget = sync.clear
        source.only_newest = True
        return source

    async def history(self, minutes: int) -> list[ev.MarketEvent]:
        """Return the past minutes of Litecoin and Bitcoin, funding and open interest.

        They come in the order in which they became known. The minute that is not over is left out.

        Raises
        ------
        VenueDown
            When Bybit does not answer.
        BadMessage
            When an answer cannot be read.
        """
        async with aiohttp.ClientSession() as session:
            rest = Rest(session, self._hosts.rest)
            return await past.history(rest, self._symbol, self._btc, minutes)

    def _source(self, name: str, topic: str, read: Read, silence_s: float | None) -> TopicSource:
        return TopicSource(f"bybit.{name}", self._hosts.public, topic, read, silence_s=silence_s)

    def _trades(self, message: wire.Public, known_ns: int) -> list[ev.Trade]:
        return wire.trades(message, self._symbol, known_ns)

    def _liquidations(self, message: wire.Public, known_ns: int) -> list[ev.Liquidation]:
        return wire.liquidations(message, self._symbol, known_ns)

    def _bars(self, message: wire.Public, known_ns: int) -> list[ev.Bar]:
        asset: Literal["BTC"] = "BTC"
        return wire.closed_bars(message, asset, known_ns)

    def _tickers(self) -> Read:
        return wire.TickerFold(self._symbol, self._venue).take

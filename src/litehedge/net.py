"""Sockets that stay, and requests whose failures are told apart: what every source builds upon.

Nothing here knows a venue. A connection that is silent is as bad as one that is closed: both are
left and made anew, with a pause that grows while nothing comes.
"""

from __future__ import annotations

import asyncio
import random
import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Generic, Literal, TypeVar

import aiohttp

from litehedge.errors import BadMessage, VenueDown, VenueUnknown
from litehedge.ports import Outlet

FIRST_PAUSE_S: Final = 0.2
LONGEST_PAUSE_S: Final = 30.0
SLACK: Final = 0.1  # a silence is noticed so much later at most, as a share of it
SETTLED_S: Final = 60.0  # a connection that lived so long was no failure
CONNECT_S: Final = 10.0
LARGEST_MESSAGE: Final = 16 * 2**20
HOLD_S: Final = 0.001  # for so long a state may wait for a newer one that is there already

T = TypeVar("T")

Socket = aiohttp.ClientWebSocketResponse[Literal[False]]  # its texts come as bytes


class Resync(Exception):
    """Raised by a reader of messages that has lost the thread: connect anew."""


@dataclass(slots=True)
class Pause:
    """How long to wait before the next try: doubles, with chance so that not all come at once."""

    first_s: float = FIRST_PAUSE_S
    longest_s: float = LONGEST_PAUSE_S
    _next_s: float = field(default=0.0, init=False)

    def after(self, lived_s: float) -> float:
        """Return the pause after a connection that lived so long."""
        if lived_s >= SETTLED_S or self._next_s == 0.0:
            self._next_s = self.first_s
        now_s = self._next_s
        self._next_s = min(self.longest_s, 2.0 * now_s)
        return now_s * random.uniform(0.5, 1.0)


class Wire:
    """An open websocket, to send on."""

    def __init__(self, socket: Socket) -> None:
        self._socket = socket

    async def send(self, text: str | bytes) -> None:
        """Send one text message.

        Raises
        ------
        VenueDown
            When the connection is gone: it was not sent.
        """
        if self._socket.closed:
            raise VenueDown("the socket is closed", "it is being opened again")
        try:
            await self._socket.send_str(text if isinstance(text, str) else text.decode())
        except (ConnectionError, aiohttp.ClientError, RuntimeError) as error:
            raise VenueUnknown(f"the socket broke while sending ({error})") from None


async def keep_socket(
    session: aiohttp.ClientSession,
    name: str,
    address: Callable[[], Awaitable[str]],
    out: Outlet,
    *,
    opened: Callable[[Wire], Awaitable[None]],
    message: Callable[[bytes], None],
    closed: Callable[[], None] = lambda: None,
    silence_s: float = 30.0,
    heartbeat: tuple[str, float] | None = None,
    life_s: float = 23.5 * 3600,
    ping_s: float | None = None,
    pause: Pause | None = None,
) -> None:
    """Keep a websocket open for ever; hand over its messages.

    Parameters
    ----------
    name
        Of the source, for health.
    address
        Where to connect; asked before every try, since a listen key may have to be fetched.
    opened
        Called on every new connection, to log in and to subscribe.
    message
        Called with each message. It may raise `BadMessage` (counted, skipped) and `Resync`.
    closed
        Called when a connection ended, before the next.
    silence_s
        After so long without a message the connection is left.
    heartbeat
        Text to send, and every how many seconds. Its answer is a message: it ends a silence.
    life_s
        The connection is renewed after so long, before the venue cuts it.
    ping_s
        Every how many seconds the protocol itself is asked for a sign of life: for streams that
        may be silent for hours.
    """
    pause = pause or Pause()
    clock = asyncio.get_running_loop().time
    out.health(name, "starting")
    while True:
        began, why = clock(), ""
        beats: asyncio.Task[None] | None = None
        try:
            url = await address()
            async with asyncio.timeout(CONNECT_S):
                socket = await session.ws_connect(
                    url,
                    max_msg_size=LARGEST_MESSAGE,
                    autoping=True,
                    compress=0,
                    heartbeat=ping_s,
                    decode_text=False,  # what reads messages wants bytes
                )
            try:
                wire = Wire(socket)
                await opened(wire)
                if heartbeat is not None:
                    beats = asyncio.create_task(_beat(wire, *heartbeat))
                out.health(name, "ok")
                why = await _read(socket, name, out, message, silence_s, began + life_s)
            finally:
                if beats is not None:
                    beats.cancel()
                await socket.close()
        except Resync as lost:
            why = f"out of step: {lost}"
        except (VenueDown, VenueUnknown) as error:
            why = str(error)
        except TimeoutError:
            why = f"no connection within {CONNECT_S:.0f} s"
        except (OSError, aiohttp.ClientError, ssl.SSLError) as error:
            why = f"{type(error).__name__}: {error}"
        closed()
        wait_s = pause.after(clock() - began)
        out.health(name, "stale" if why.startswith("silent") else "down", why)
        await asyncio.sleep(wait_s)


async def _read(
    socket: Socket,
    name: str,
    out: Outlet,
    message: Callable[[bytes], None],
    silence_s: float,
    until: float,
) -> str:
    """Hand over messages until the connection has to be left; return why."""
    clock = asyncio.get_running_loop().time
    slack_s, again_s = SLACK * silence_s, 0.0
    try:
        async with asyncio.timeout(None) as limit:
            while (now_s := clock()) < until:
                if now_s >= again_s:  # a timer for each message would cost as much as reading it
                    again_s = now_s + slack_s
                    limit.reschedule(again_s + silence_s)
                got = await socket.receive()
                if got.type is aiohttp.WSMsgType.TEXT or got.type is aiohttp.WSMsgType.BINARY:
                    payload: bytes = got.data
                elif got.type is aiohttp.WSMsgType.ERROR:
                    return f"{type(got.data).__name__}: {got.data}"
                else:
                    return f"closed by the other side ({socket.close_code})"
                try:
                    message(payload)
                except BadMessage as error:
                    out.bad(name, error, payload)
    except TimeoutError:
        return f"silent for {silence_s:g} s"
    return "renewed before its end"


async def _beat(wire: Wire, text: str, every_s: float) -> None:
    while True:
        await asyncio.sleep(every_s)
        try:
            await wire.send(text)
        except (VenueDown, VenueUnknown):
            return  # the reader sees the end of the connection


class Newest(Generic[T]):
    """Hands over the newest of what comes at once, where only the last state counts.

    Messages that wait in a socket's buffer are read without a pause between them: what they all
    change is told once, when the last of them was read, and at the latest after `HOLD_S`. So a
    burst does not make whoever listens late by one telling for each message. What comes alone is
    told in the same turn of the loop.
    """

    def __init__(self, tell: Callable[[T], None]) -> None:
        self._tell = tell
        self._handle: asyncio.Handle | None = None
        self._waiting: list[T] = []
        self._due_s = 0.0

    def put(self, item: T) -> None:
        """Take what is the newest now."""
        loop = asyncio.get_running_loop()
        self._waiting[:] = [item]
        if self._handle is None:
            self._due_s = loop.time() + HOLD_S
            self._handle = loop.call_soon(self._flush)
        elif loop.time() >= self._due_s:
            self._flush()

    def drop(self) -> None:
        """Forget what waits."""
        self._waiting.clear()
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _flush(self) -> None:
        waiting = list(self._waiting)
        self.drop()
        for item in waiting:
            self._tell(item)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server said. Header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


async def ask(
    session: aiohttp.ClientSession,
    method: str,
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    body: bytes | str | None = None,
    changes: bool = False,
    timeout_s: float = 10.0,
    **options: Any,
) -> Answer:
    """Send one request and return the whole answer, whatever its status.

    Parameters
    ----------
    url
        With its query; it goes on the wire as it is, since signatures cover it.
    changes
        Whether the request changes something: then an answer that does not come leaves the
        outcome unknown.

    Raises
    ------
    VenueDown
        When the server was not reached, or (with `changes` false) did not answer.
    VenueUnknown
        When a request that changes something was sent and no answer came.
    """
    from yarl import URL  # comes with aiohttp

    lost = VenueUnknown if changes else VenueDown
    host = URL(url).host
    try:
        async with asyncio.timeout(timeout_s):
            async with session.request(
                method, URL(url, encoded=True), headers=headers, data=body, **options
            ) as response:
                payload = await response.read()
                named = {key.lower(): value for key, value in response.headers.items()}
                return Answer(response.status, named, payload)
    except (aiohttp.ClientConnectorError, aiohttp.InvalidURL) as error:
        raise VenueDown(f"{host} cannot be reached ({error})", "check the network") from None
    except TimeoutError:
        raise lost(f"{host} did not answer within {timeout_s:g} s", "it is asked again") from None
    except (OSError, aiohttp.ClientError) as error:
        what = f"{host} broke off ({type(error).__name__}: {error})"
        raise lost(what, "it is asked again") from None

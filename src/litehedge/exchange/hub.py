"""Connections of the fake exchange: what each listens to, and the faults that strike messages.

Each connection has a writer of its own, so that a client that does not read holds up nobody else.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp import web

from litehedge.exchange.faults import MESSAGES, Fault, Faults


class Connection:
    """An open websocket of a client."""

    def __init__(self, socket: web.WebSocketResponse, kind: str) -> None:
        self.socket = socket
        self.kind = kind  # public, market, private, api, ...
        self.topics: set[str] = set()
        self.combined = False
        self.listen_key = ""
        self.events: frozenset[str] | None = None
        self.is_authentic = False
        self.held: list[str] = []
        self.depth_told: dict[str, Any] = {}
        self._out: asyncio.Queue[str | None] = asyncio.Queue()
        self._writer = asyncio.create_task(self._write())

    def put(self, text: str) -> None:
        """Queue a message."""
        self._out.put_nowait(text)

    def end(self) -> None:
        """Close the connection after what is queued."""
        self._out.put_nowait(None)

    async def sent(self) -> None:
        """Wait until everything that was queued is on the wire."""
        await self._out.join()

    async def stop(self) -> None:
        """End the writer; what is queued is lost."""
        self._writer.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._writer

    async def _write(self) -> None:
        while True:
            text = await self._out.get()
            try:
                if text is None:
                    await self.socket.close(code=aiohttp.WSCloseCode.GOING_AWAY)
                elif not self.socket.closed:
                    await self.socket.send_str(text)
            except (ConnectionError, RuntimeError):
                pass  # the client is gone; the reader notices
            finally:
                self._out.task_done()


@dataclass(slots=True)
class Hub:
    """All connections of one venue."""

    faults: Faults
    connections: list[Connection] = field(default_factory=list)
    _late: list[tuple[int, Connection, str]] = field(default_factory=list)

    def deliver(self, connection: Connection, subject: str, text: str, now_ms: int) -> None:
        """Send a message of a stream, unless a fault has it otherwise.

        Parameters
        ----------
        subject
            What faults match: the venue and the stream or event.
        now_ms
            Market time, for what is delayed.
        """
        times = 1
        if self.faults:
            for fault in MESSAGES:
                terms = self.faults.strikes(fault, subject)
                if terms is None:
                    continue
                if fault in (Fault.SILENCE, Fault.GAP):
                    return
                if fault is Fault.DISCONNECT:
                    connection.end()
                    return
                if fault is Fault.MALFORMED:
                    text = text[: len(text) // 2]
                elif fault is Fault.DELAY:
                    late_ms = now_ms + round(1000 * float(terms.get("seconds", 1.0)))
                    self._late.append((late_ms, connection, text))
                    return
                elif fault is Fault.REORDER:
                    connection.held.append(text)
                    return
                else:
                    times = 2
        for _ in range(times):
            connection.put(text)
        if connection.held:
            for held in connection.held:
                connection.put(held)
            connection.held.clear()

    def release(self, now_ms: int) -> None:
        """Send what was delayed until now."""
        if not self._late:
            return
        due = [entry for entry in self._late if entry[0] <= now_ms]
        self._late = [entry for entry in self._late if entry[0] > now_ms]
        for _, connection, text in due:
            connection.put(text)

    async def sent(self) -> None:
        """Wait until everything that was said is on the wire."""
        for connection in list(self.connections):
            await connection.sent()

    async def talk(
        self, request: web.Request, connection: Connection, venue: str, hear: Any
    ) -> web.WebSocketResponse:
        """Read a connection until it ends; `hear` gets each text, pings are answered."""
        self.connections.append(connection)
        socket = connection.socket
        try:
            async for message in socket:
                if message.type is aiohttp.WSMsgType.TEXT:
                    await hear(connection, message.data)
                elif message.type is aiohttp.WSMsgType.PING:
                    subject = f"{venue} ping {connection.kind}"
                    if self.faults.strikes(Fault.NO_PONG, subject) is None:
                        await socket.pong(message.data)
        except ConnectionError:
            pass  # a client that went away while it was answered
        finally:
            self.connections.remove(connection)
            await connection.stop()
        return socket

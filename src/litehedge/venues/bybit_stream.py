"""Bybit's private socket: what happens to the account, told as reports. Thin.

Protocol: https://bybit-exchange.github.io/docs/v5/ws/connect. After every connection the whole
account is read, and the executions that were missed; so it is when something traded that no order
of ours explains, and every few minutes, since interest and fees are told nowhere else.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Final

import aiohttp
import msgspec

from litehedge.errors import BadMessage, VenueError, WrongSetup
from litehedge.net import Pause, Resync, Wire, keep_socket
from litehedge.orders.reports import AccountReport, Report
from litehedge.ports import Outlet
from litehedge.venues.bybit_account import AccountMirror
from litehedge.venues.bybit_orders import (
    ExecutionRow,
    Executions,
    Private,
    executions_told,
    orders_told,
    private,
)
from litehedge.venues.bybit_rest import now_ms
from litehedge.venues.bybit_sign import login
from litehedge.venues.keys import Keys

NAME: Final = "bybit.account"
PING: Final = '{"op":"ping"}'
TOPICS: Final = ("order", "execution", "position", "wallet")
READ_EVERY_S: Final = 300.0
WRONG_SETUP_S: Final = 30.0


class PrivateStream:
    """Tells what happens to an account.

    Parameters
    ----------
    read_account
        Reads the whole account into the mirror.
    read_executions
        Reads what was executed since a time in ms, oldest first.
    """

    def __init__(
        self,
        url: str,
        keys: Keys,
        symbol: str,
        mirror: AccountMirror,
        read_account: Callable[[], Awaitable[AccountReport]],
        read_executions: Callable[[int], Awaitable[list[ExecutionRow]]],
        *,
        clock_ms: Callable[[], int] = now_ms,
        read_every_s: float = READ_EVERY_S,
    ) -> None:
        self._url = url
        self._keys = keys
        self._symbol = symbol
        self._mirror = mirror
        self._read_account = read_account
        self._read_executions = read_executions
        self._clock_ms = clock_ms
        self._read_every_s = read_every_s
        self._executions = Executions(symbol)
        self._since_ms = clock_ms()
        self._wanted = asyncio.Event()
        self._wire: Wire | None = None
        self._sending: set[asyncio.Task[None]] = set()

    async def run(
        self, session: aiohttp.ClientSession, tell: Callable[[Report], None], out: Outlet
    ) -> None:
        """Tell until cancelled."""

        async def address() -> str:
            return self._url

        reader = asyncio.create_task(self._keep_reading(tell, out))
        socket = asyncio.create_task(
            keep_socket(
                session,
                NAME,
                address,
                out,
                opened=self._opened,
                message=lambda payload: self._message(payload, tell, out),
                closed=self._closed,
                silence_s=45.0,
                heartbeat=(PING, 20.0),
            )
        )
        tasks = {reader, socket}
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
            for task in done:
                task.result()
        finally:
            for task in (*tasks, *self._sending):
                task.cancel()
            await asyncio.gather(*tasks, *self._sending, return_exceptions=True)

    async def _opened(self, socket: Wire) -> None:
        self._wire = socket
        await socket.send(msgspec.json.encode(login(self._keys, self._clock_ms())))

    def _closed(self) -> None:
        self._wire = None

    def _message(self, payload: bytes, tell: Callable[[Report], None], out: Outlet) -> None:
        message = private(payload)
        if message.op == "auth":
            if message.success is not True:
                raise Resync("bybit does not log the private socket in: check the key")
            self._send({"op": "subscribe", "args": list(TOPICS)})
        elif message.op == "subscribe":
            if message.success is not True:
                raise Resync("bybit does not serve the private topics")
            self._wanted.set()  # what happened before is not told here
        elif message.topic.split(".")[0] in TOPICS:
            self._topic(message, payload, tell, out)

    def _send(self, command: dict[str, object]) -> None:
        if self._wire is None:
            return
        task = asyncio.create_task(_quietly(self._wire.send(msgspec.json.encode(command))))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    def _topic(
        self, message: Private, payload: bytes, tell: Callable[[Report], None], out: Outlet
    ) -> None:
        kind = message.topic.split(".")[0]
        try:
            if kind == "order":
                for report in orders_told(message, self._symbol):
                    tell(report)
            elif kind == "execution":
                self._executed(executions_told(message), tell, out, payload)
            else:
                self._holds(message, tell)
        except BadMessage:
            self._wanted.set()  # it said something that is now missing
            raise

    def _holds(self, message: Private, tell: Callable[[Report], None]) -> None:
        changed = self._mirror.take(message)
        report = self._mirror.report()
        if report is None:
            self._wanted.set()
        elif changed:
            tell(report)

    def _executed(
        self,
        rows: list[ExecutionRow],
        tell: Callable[[Report], None],
        out: Outlet,
        payload: bytes = b"",
    ) -> None:
        if not self._mirror.is_whole:  # whose legs these are is not known yet: they are read again
            self._wanted.set()
            return
        told = self._executions.take(rows, self._mirror.hedge_mode)
        for report in told:
            self._since_ms = max(self._since_ms, report.event_ns // 1_000_000)
            tell(report)
        if self._executions.bad is not None:
            out.bad(NAME, self._executions.bad, payload)
            self._executions.bad = None
        if self._executions.foreign:
            self._executions.foreign = False
            self._wanted.set()

    async def _keep_reading(self, tell: Callable[[Report], None], out: Outlet) -> None:
        """Read the account when it is wanted, again and again until it was read."""
        pause = Pause()
        while True:
            try:
                async with asyncio.timeout(self._read_every_s):
                    await self._wanted.wait()
            except TimeoutError:
                if self._wire is None:
                    continue  # it is read after the next connection
            self._wanted.clear()
            try:
                # The account comes first: what is told of executions needs to know its mode.
                report = await self._read_account()
                rows = await self._read_executions(self._since_ms - 5_000)
            except WrongSetup as error:
                out.health(NAME, "down", str(error))
                await asyncio.sleep(WRONG_SETUP_S)
            except VenueError as error:
                out.health(NAME, "stale", str(error))
                await asyncio.sleep(pause.after(0.0))
            except BadMessage as error:
                out.bad(NAME, error, b"")
                await asyncio.sleep(pause.after(0.0))
            else:
                pause = Pause()
                self._executed(rows, tell, out)
                # Topics may have told more while we read.
                tell(self._mirror.report() or report)
                if self._wire is not None:
                    out.health(NAME, "ok")
                continue
            self._wanted.set()


async def _quietly(sending: Awaitable[None]) -> None:
    with contextlib.suppress(VenueError):  # the reader of the socket sees its end
        await sending

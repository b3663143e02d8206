"""Asking Binance: hosts, keys, signatures, requests over HTTP and over the websocket API.

Thin: what is sent and what answers mean is decided by the pure files beside it.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlencode

import aiohttp
import msgspec

from litehedge.errors import BadMessage, VenueDown, VenueError, VenueUnknown, WrongSetup
from litehedge.net import Wire, ask, keep_socket
from litehedge.ports import Health, Outlet
from litehedge.venues.binance_account import WsAnswer, ws_answer
from litehedge.venues.binance_errors import error_of, hold_s
from litehedge.venues.binance_rest import server_time_ms
from litehedge.venues.binance_weights import costs, is_urgent, used
from litehedge.venues.keys import Keys
from litehedge.venues.limiter import Waiter
from litehedge.venues.limits import LIMITS

RECV_WINDOW_MS: Final = 5000
CLOCK_AGE_S: Final = 1800.0
ANSWER_S: Final = 5.0
PING_S: Final = 20.0
QUIET_S: Final = 23.0 * 3600  # a socket that answers pings may say nothing for so long
PATIENCE_S: Final = 5.0
"""A request that the limits hold back for longer is given up: by then it would be out of date."""


@dataclass(frozen=True, slots=True)
class Hosts:
    """Where Binance is; addresses end without a slash. An empty `sapi` is not asked."""

    rest: str = "https://fapi.binance.com"
    sapi: str = "https://api.binance.com"
    stream: str = "wss://fstream.binance.com"
    ws_api: str = "wss://ws-fapi.binance.com/ws-fapi/v1"


PRODUCTION: Final = Hosts()
TESTNET: Final = Hosts(
    rest="https://demo-fapi.binance.com",
    sapi="",
    stream="wss://fstream.binancefuture.com",
    ws_api="wss://testnet.binancefuture.com/ws-fapi/v1",
)


def sign(keys: Keys, text: str) -> str:
    """Return the HMAC-SHA256 of the text under the secret, in hexadecimal."""
    return hmac.new(keys.secret.encode(), text.encode(), hashlib.sha256).hexdigest()


def now_ms() -> float:
    """Return the time of this machine, milliseconds since 1970."""
    return time.time() * 1000.0


class Rest:
    """Requests over HTTP, signed where that is asked for.

    Requests wait for their turn below Binance's limits; orders, cancels and stops pass the others.
    After 429 or 418 nothing is asked until Binance allows it again: asking on makes a ban longer.

    Parameters
    ----------
    waiter
        Limits that are shared with others behind the same address; own ones when left out.
    patience_s
        How long a request may wait for its turn.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        hosts: Hosts,
        keys: Keys | None = None,
        clock_ms: Callable[[], float] = now_ms,
        waiter: Waiter | None = None,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._session = session
        self.waiter = waiter or LIMITS["binance"].waiter()
        self._patience_s = patience_s
        self.hosts = hosts
        self._keys = keys
        self._clock_ms = clock_ms
        self.ahead_ms = 0.0  # by how much this machine's clock is ahead of Binance's
        self._held_until_ms = 0.0

    def venue_ms(self) -> int:
        """Return Binance's time as far as we know it."""
        return int(self._clock_ms() - self.ahead_ms)

    async def sync_clock(self) -> float:
        """Compare clocks; return by how many milliseconds ours is ahead."""
        began = self._clock_ms()
        body = await self.get("/fapi/v1/time", {}, "the time")
        ended = self._clock_ms()
        try:
            self.ahead_ms = 0.5 * (began + ended) - server_time_ms(body)
        except BadMessage as error:
            raise VenueDown(error.what, "it is asked again") from None
        return self.ahead_ms

    def stamped(self, params: Mapping[str, str | int]) -> dict[str, str | int]:
        """Return the parameters with the time that their signature is good for."""
        return {**params, "recvWindow": RECV_WINDOW_MS, "timestamp": self.venue_ms()}

    async def get(
        self, path: str, params: Mapping[str, str | int], what: str, *, signed: bool = False
    ) -> bytes:
        """Ask for something; return the body."""
        return await self.send("GET", path, params, what, signed=signed)

    async def send(
        self,
        method: str,
        path: str,
        params: Mapping[str, str | int],
        what: str,
        *,
        signed: bool = True,
        changes: bool = False,
        host: str = "",
    ) -> bytes:
        """Send a request; return the body of an answer that says it was done.

        A signed request that was refused for its time is sent once more after the clocks were
        compared: it was certainly not done.

        Raises
        ------
        VenueError
            Whatever Binance's answer means, or that none came.
        """
        try:
            return await self._send(method, path, params, what, signed, changes, host)
        except WrongSetup as error:
            if error.code != "-1021":
                raise
        await self.sync_clock()
        return await self._send(method, path, params, what, signed, changes, host)

    async def _send(
        self,
        method: str,
        path: str,
        params: Mapping[str, str | int],
        what: str,
        signed: bool,
        changes: bool,
        host: str,
    ) -> bytes:
        if not host:  # another host has limits of its own, which we are far from
            await self.turn(method, path, params, what)
        self.may_ask(what)
        headers = {}
        if self._keys is not None:
            headers["X-MBX-APIKEY"] = self._keys.key
        query = urlencode(self.stamped(params) if signed else params)
        if signed:
            query += f"&signature={sign(self._signer(), query)}"
        url = f"{host or self.hosts.rest}{path}" + (f"?{query}" if query else "")
        answer = await ask(self._session, method, url, headers=headers, changes=changes)
        if not host:
            for rule, spent in used(answer.headers).items():
                self.waiter.told(rule, spent)
        if 200 <= answer.status < 300:
            return answer.body
        self.heed(answer.status, answer.headers.get("retry-after"), answer.body)
        raise error_of(answer.status, answer.body, what, changes=changes)

    async def turn(
        self, method: str, path: str, params: Mapping[str, str | int], what: str
    ) -> None:
        """Wait until the limits have room for a request.

        Raises
        ------
        VenueDown
            When that would take too long: nothing was sent.
        """
        cost, urgent = costs(method, path, params), is_urgent(method, path)
        if self.waiter.at_once(cost, urgent):
            return
        try:
            async with asyncio.timeout(self._patience_s):
                await self.waiter.wait(cost, urgent)
        except TimeoutError:
            raise VenueDown(
                f"Binance's limits are used up; {what} was not asked for",
                "nothing was sent; position and hedge stay as they are",
                code="-1003",
            ) from None

    def may_ask(self, what: str) -> None:
        """Say no while Binance wants us to wait.

        Raises
        ------
        VenueDown
            When nothing may be asked now.
        """
        wait_s = (self._held_until_ms - self._clock_ms()) / 1000.0
        if wait_s > 0.0:
            raise VenueDown(
                f"Binance asked us to wait; {what} was not asked for",
                f"it goes on in {wait_s:.0f} s; position and hedge stay as they are",
                code="-1003",
            )

    def heed(self, status: int, retry_after: str | None, body: bytes) -> None:
        """Take note of an answer that wants us to wait."""
        held_s = hold_s(status, retry_after, body, int(self._clock_ms()))
        if held_s > 0.0:
            self._held_until_ms = self._clock_ms() + 1000.0 * held_s

    def signed_params(self, params: Mapping[str, str | int]) -> dict[str, str | int]:
        """Return the parameters of a request over the websocket API: sorted by name, signed."""
        keys = self._signer()
        full = self.stamped({**params, "apiKey": keys.key})
        text = "&".join(f"{name}={full[name]}" for name in sorted(full))
        full["signature"] = sign(keys, text)
        return full

    def _signer(self) -> Keys:
        if self._keys is None:
            raise WrongSetup("there is no Binance key", "give one in the environment or keyring")
        return self._keys


class Quiet:
    """An outlet that only passes on how a source is, to whom it is told later; no secret in it."""

    def __init__(self) -> None:
        self.out: Outlet | None = None
        self.secret = ""

    def now_ns(self) -> int:
        """Return the time of this machine."""
        return time.time_ns() if self.out is None else self.out.now_ns()

    def put(self, event: object) -> None:
        """Drop it: no market events come this way."""

    def bad(self, source: str, error: BadMessage, payload: bytes) -> None:
        """Pass on a message that could not be read."""
        if self.out is not None:
            self.out.bad(source, error, payload)

    def health(self, source: str, state: Health, detail: str = "") -> None:
        """Pass on how a source is."""
        if self.out is not None:
            clean = detail.replace(self.secret, "...") if self.secret else detail
            self.out.health(source, state, clean)


@dataclass(slots=True)
class WsApi:
    """Requests over one kept websocket: no connection is made when an order must go out."""

    session: aiohttp.ClientSession
    url: str
    out: Quiet = field(default_factory=Quiet)
    _wire: Wire | None = None
    _waiting: dict[str, asyncio.Future[WsAnswer]] = field(default_factory=dict)
    _number: int = 0
    _task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Connect, and stay connected until `stop`."""
        self._task = asyncio.create_task(self._keep())

    async def stop(self) -> None:
        """Let go of the connection."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._closed()

    @property
    def is_ready(self) -> bool:
        """Whether a request can be sent now."""
        return self._wire is not None

    async def ready(self, within_s: float) -> bool:
        """Wait until connected, or so long; return whether it is."""
        for _ in range(int(within_s / 0.01)):
            if self._wire is not None:
                return True
            await asyncio.sleep(0.01)
        return self._wire is not None

    async def call(self, method: str, params: Mapping[str, str | int]) -> WsAnswer | None:
        """Send a request and wait for its answer; None when there is no connection to send on.

        Raises
        ------
        VenueUnknown
            When it was sent and no answer came.
        """
        wire = self._wire
        if wire is None:
            return None
        self._number += 1
        request = f"lh{self._number}"
        future: asyncio.Future[WsAnswer] = asyncio.get_running_loop().create_future()
        self._waiting[request] = future
        try:
            try:
                await wire.send(
                    msgspec.json.encode({"id": request, "method": method, "params": params})
                )
            except VenueDown:
                self._wire = None
                return None
            async with asyncio.timeout(ANSWER_S):
                return await future
        except TimeoutError:
            self._wire = None  # until it speaks again, requests go over HTTP
            raise VenueUnknown(
                f"Binance did not answer within {ANSWER_S:g} s",
                "it is asked what became of it before anything is sent again",
            ) from None
        finally:
            self._waiting.pop(request, None)

    async def _keep(self) -> None:
        current: list[Wire] = []

        async def address() -> str:
            return self.url

        async def opened(wire: Wire) -> None:
            current[:] = [wire]
            self._wire = wire

        def message(payload: bytes) -> None:
            answer = ws_answer(payload)
            if current:
                self._wire = current[0]
            future = self._waiting.get(answer.id)
            if future is not None and not future.done():
                future.set_result(answer)

        def closed() -> None:
            current.clear()
            self._closed()

        await keep_socket(
            self.session, "binance.orders", address, self.out, opened=opened, message=message,
            closed=closed, silence_s=QUIET_S, ping_s=PING_S,
        )  # fmt: skip

    def _closed(self) -> None:
        self._wire = None
        lost = VenueUnknown(
            "the connection to Binance broke before the answer",
            "it is asked what became of it before anything is sent again",
        )
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(lost)


def readable(error: BadMessage, *, changes: bool) -> VenueError:
    """Return what it means that an answer could not be read."""
    kind = VenueUnknown if changes else VenueDown
    return kind(f"an answer of Binance cannot be read ({error.what})", "it is asked again")

"""Bybit v5 over HTTP: where it is, and one request at a time. Thin: what is said is read elsewhere.

Signing: https://bybit-exchange.github.io/docs/v5/guide. Limits come back in `X-Bapi-Limit` (what
this path may be asked in a second) and `X-Bapi-Limit-Status` (what is left of it).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote, urlencode

import aiohttp
import msgspec

from litehedge.errors import BadMessage, VenueDown, VenueUnknown
from litehedge.net import Answer, ask
from litehedge.venues import bybit_errors as errors
from litehedge.venues.bybit_orders import Envelope, envelope
from litehedge.venues.bybit_sign import headers
from litehedge.venues.keys import Keys
from litehedge.venues.limiter import Waiter
from litehedge.venues.limits import LIMITS, penalty_s

PATIENCE_S: Final = 5.0
"""A request that the limits hold back for longer is given up: by then it would be out of date."""


@dataclass(frozen=True, slots=True)
class Hosts:
    """Where Bybit is: REST, and the public, private and trading sockets."""

    rest: str = "https://api.bybit.com"
    public: str = "wss://stream.bybit.com/v5/public/linear"
    private: str = "wss://stream.bybit.com/v5/private"
    trade: str = "wss://stream.bybit.com/v5/trade"


PRODUCTION: Final = Hosts()
TESTNET: Final = Hosts(
    "https://api-testnet.bybit.com",
    "wss://stream-testnet.bybit.com/v5/public/linear",
    "wss://stream-testnet.bybit.com/v5/private",
    "wss://stream-testnet.bybit.com/v5/trade",
)


def now_ms() -> int:
    """Return the time of this machine, milliseconds since 1970."""
    return time.time_ns() // 1_000_000


class Rest:
    """Asks Bybit; raises the errors of `ports.VenueClient`.

    Parameters
    ----------
    keys
        None: only what is public can be asked.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        base: str,
        keys: Keys | None = None,
        waiter: Waiter | None = None,
        clock_ms: Callable[[], int] = now_ms,
        timeout_s: float = 10.0,
    ) -> None:
        self._session = session
        self._base = base.rstrip("/")
        self._keys = keys
        self.waiter = waiter or LIMITS["bybit"].waiter()
        self._clock_ms = clock_ms
        self._timeout_s = timeout_s

    async def get(self, path: str, doing: str, **query: object) -> Envelope:
        """Ask for something; a question about orders passes what waits."""
        given = {k: v for k, v in query.items() if v not in (None, "")}
        if "cursor" in given:
            given["cursor"] = unquote(str(given["cursor"]))  # it comes encoded already
        text = urlencode(given)
        urgent = path.startswith("/v5/order/")
        return await self._send("GET", path, text, doing, changes=False, emergency=urgent)

    async def post(
        self, path: str, doing: str, body: Mapping[str, object], *, emergency: bool = False
    ) -> Envelope:
        """Have something done. `emergency`: it passes what waits."""
        text = msgspec.json.encode(body).decode()
        return await self._send("POST", path, text, doing, changes=True, emergency=emergency)

    async def turn(self, path: str, doing: str, emergency: bool) -> None:
        """Wait until a path may be asked.

        Raises
        ------
        VenueDown
            When that would take too long: nothing was sent.
        """
        cost = {"ip": 1.0, path: 1.0}
        if self.waiter.at_once(cost, emergency):
            return
        try:
            async with asyncio.timeout(PATIENCE_S):
                await self.waiter.wait(cost, emergency)
        except TimeoutError:
            what = f"{doing}: bybit's limits are used up, or it asked for silence"
            raise VenueDown(what, "nothing was sent, the position is as it was") from None

    async def _send(
        self, method: str, path: str, text: str, doing: str, *, changes: bool, emergency: bool
    ) -> Envelope:
        await self.turn(path, doing, emergency)
        url = f"{self._base}{path}" + (f"?{text}" if method == "GET" and text else "")
        signed = headers(self._keys, self._clock_ms(), text) if self._keys else {}
        try:
            answer = await ask(
                self._session,
                method,
                url,
                headers=signed,
                body=text if method == "POST" else None,
                changes=changes,
                timeout_s=self._timeout_s,
            )
        except VenueUnknown as error:
            raise VenueUnknown(f"{doing}: {error.what}", errors.ASKED) from None
        except VenueDown as error:
            raise VenueDown(f"{doing}: {error.what}", errors.AS_IT_WAS) from None
        self._learn(path, answer)
        return self._read(answer, path, doing, changes)

    def _read(self, answer: Answer, path: str, doing: str, changes: bool) -> Envelope:
        try:
            read = envelope(answer.body)
        except BadMessage:
            if answer.status == 200:
                raise errors.unreadable(doing, changes=changes) from None
            raise errors.http_failure(answer.status, doing, changes=changes) from None
        if read.ret_code == 0 and answer.status != 200:
            raise errors.http_failure(answer.status, doing, changes=changes)
        if read.ret_code in errors.TOO_OFTEN:
            self.waiter.pause(1.0, path)
        if read.ret_code != 0 and read.ret_code not in errors.UNCHANGED:
            raise errors.refusal(read.ret_code, read.ret_msg or "", doing, changes=changes)
        return read

    def _learn(self, path: str, answer: Answer) -> None:
        """Take in what an answer says about limits."""
        silence_s = penalty_s("bybit", answer.status, answer.headers)
        if silence_s:
            self.waiter.pause(silence_s)
        self.told(path, answer.headers)

    def told(self, path: str, named: Mapping[str, str]) -> None:
        """Take in `x-bapi-limit` and `x-bapi-limit-status`, names in lower case."""
        try:
            limit, left = int(named["x-bapi-limit"]), int(named["x-bapi-limit-status"])
        except (KeyError, ValueError):
            return
        if 0 <= left <= limit <= 100_000:
            self.waiter.told(path, float(limit - left), float(limit))

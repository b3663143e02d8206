"""Bybit's trading socket: orders without the wait for a new request. Thin.

Protocol: https://bybit-exchange.github.io/docs/v5/websocket/trade/guideline. Every command has an
id, with which its answer comes back. When the socket ends first, the outcome is unknown.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

import aiohttp
import msgspec

from litehedge.errors import BadMessage, VenueDown, VenueUnknown
from litehedge.net import Resync, Wire, keep_socket
from litehedge.ports import Outlet
from litehedge.venues import bybit_errors as errors
from litehedge.venues.bybit_orders import Private, private
from litehedge.venues.bybit_rest import Rest, now_ms
from litehedge.venues.bybit_sign import RECV_WINDOW_MS, login
from litehedge.venues.keys import Keys

NAME: Final = "bybit.orders"
PING: Final = '{"op":"ping"}'
CREATE: Final = "/v5/order/create"


class TradeSocket:
    """Sends orders over a socket that is kept open.

    Parameters
    ----------
    rest
        Whose limits count for this socket too.
    timeout_s
        After so long without an answer the outcome is unknown.
    """

    def __init__(
        self,
        url: str,
        keys: Keys,
        rest: Rest,
        clock_ms: Callable[[], int] = now_ms,
        timeout_s: float = 5.0,
    ) -> None:
        self._url = url
        self._keys = keys
        self._rest = rest
        self._clock_ms = clock_ms
        self._timeout_s = timeout_s
        self._wire: Wire | None = None
        self._logged_in = False
        self._waiting: dict[str, asyncio.Future[Private]] = {}
        self._number = 0

    @property
    def is_ready(self) -> bool:
        """Whether an order can be sent now."""
        return self._logged_in and self._wire is not None

    async def run(self, session: aiohttp.ClientSession, out: Outlet) -> None:
        """Keep the socket until cancelled."""

        async def address() -> str:
            return self._url

        try:
            await keep_socket(
                session,
                NAME,
                address,
                out,
                opened=self._opened,
                message=self._message,
                closed=self._closed,
                silence_s=45.0,
                heartbeat=(PING, 20.0),
            )
        finally:
            self._closed()

    async def create(self, order: dict[str, Any], doing: str) -> None:
        """Send one order; return when Bybit accepted it. The caller has waited for its turn.

        Raises
        ------
        VenueDown
            When it was not sent, or Bybit did not begin: it may go another way.
        """
        socket = self._wire
        if socket is None or not self._logged_in:
            raise VenueDown(f"{doing}: the trading socket is not open", errors.AS_IT_WAS)
        self._number += 1
        request_id = f"{self._clock_ms()}-{self._number}"
        command = {
            "reqId": request_id,
            "header": {
                "X-BAPI-TIMESTAMP": str(self._clock_ms()),
                "X-BAPI-RECV-WINDOW": str(RECV_WINDOW_MS),
            },
            "op": "order.create",
            "args": [order],
        }
        future: asyncio.Future[Private] = asyncio.get_running_loop().create_future()
        self._waiting[request_id] = future
        try:
            async with asyncio.timeout(self._timeout_s):
                await socket.send(msgspec.json.encode(command))
                answer = await future
        except TimeoutError:
            what = f"{doing}: bybit did not answer within {self._timeout_s:g} s"
            raise VenueUnknown(what, errors.ASKED) from None
        except VenueUnknown as error:
            raise VenueUnknown(f"{doing}: {error.what}", errors.ASKED) from None
        finally:
            self._waiting.pop(request_id, None)
        self._learn(answer)
        if answer.ret_code != 0:
            raise errors.refusal(answer.ret_code, answer.ret_msg or "", doing, changes=True)

    def _learn(self, answer: Private) -> None:
        try:
            named = _HEADER.decode(answer.header) if answer.header else {}
        except msgspec.MsgspecError:
            return
        self._rest.told(CREATE, {k.lower(): v for k, v in named.items() if isinstance(v, str)})
        if answer.ret_code in errors.TOO_OFTEN:
            self._rest.waiter.pause(1.0, CREATE)

    async def _opened(self, socket: Wire) -> None:
        self._wire = socket
        await socket.send(msgspec.json.encode(login(self._keys, self._clock_ms(), "login")))

    def _message(self, payload: bytes) -> None:
        message = private(payload)
        if message.op == "auth":
            if message.ret_code != 0:
                raise Resync(f"bybit does not log the trading socket in ({message.ret_code})")
            self._logged_in = True
        elif message.req_id:
            future = self._waiting.get(message.req_id)
            if future is not None and not future.done():
                future.set_result(message)
        elif message.op not in ("pong", "ping"):
            raise BadMessage("bybit's trading socket said what nobody asked", "it is skipped")

    def _closed(self) -> None:
        self._wire, self._logged_in = None, False
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(VenueUnknown("the trading socket ended before the answer"))


_HEADER: Final = msgspec.json.Decoder(dict[str, Any])

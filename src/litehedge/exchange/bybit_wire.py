"""Bybit v5 on the wire: HTTP requests with their checks and faults, and `/v5/trade`."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any, Final

from aiohttp import web

from litehedge.exchange.access import RECV_WINDOW_MS, Access, Key, in_window, is_signed, params_of
from litehedge.exchange.binance_wire import LostAnswer
from litehedge.exchange.bybit_rest import PUBLIC, SIGNED, BybitRest, answer
from litehedge.exchange.bybit_words import Error
from litehedge.exchange.faults import Fault, Faults
from litehedge.exchange.hub import Connection

CREATE: Final = "/v5/order/create"
OPS: Final = {"order.create": CREATE, "order.cancel": "/v5/order/cancel"}
TIMEOUT: Final = "Server Timeout"


class BybitWire:
    """Checks, limits and faults around the requests.

    `THROTTLED` strikes nothing here: Bybit has no such protection. An unknown outcome is code
    10000, "Server Timeout".
    """

    def __init__(self, rest: BybitRest, access: Access, faults: Faults) -> None:
        self.rest = rest
        self.access = access
        self.faults = faults

    async def http(self, request: web.Request) -> web.StreamResponse:
        """Answer one HTTP request."""
        body = (await request.read()).decode("utf-8", "replace")
        method, path, query = request.method, request.path, request.rel_url.raw_query_string
        subject = f"bybit {method} {path}"
        slow = self.faults.strikes(Fault.SLOW, subject)
        if slow is not None:
            await asyncio.sleep(float(slow.get("seconds", 1.0)))
        try:
            if (method, path) not in PUBLIC and (method, path) not in SIGNED:
                return web.Response(status=404, text="404 not found")
            key = self._authentic(method, path, query, body, request.headers, subject)
            params: Mapping[str, Any] = params_of(query)
            if method == "POST":
                params = _object(body)
            said = self._envelope(0, "OK", self.ask(method, path, params, key, subject))
        except Error as error:
            if error.status != 200:
                return web.Response(status=error.status, text=error.text)
            said = self._envelope(error.code, error.text, {})
        except LostAnswer:
            if request.transport is not None:
                request.transport.abort()
            return web.Response()
        return web.json_response(said, headers=self._headers())

    def ask(
        self, method: str, path: str, params: Mapping[str, Any], key: Key | None, subject: str
    ) -> Any:
        """Do what was asked, with the faults that strike it.

        Raises
        ------
        Error
            When the venue refuses or a fault does.
        LostAnswer
            When it is done, and the answer shall be lost.
        """
        strikes = self.faults.strikes
        refused = strikes(Fault.REFUSED, subject)
        if refused is not None:
            raise Error(int(refused.get("code", 10016)), str(refused.get("msg", "Server error.")))
        if strikes(Fault.BANNED, subject) is not None:
            raise Error(403, "access too frequent", 403)
        if strikes(Fault.TOO_MANY, subject) is not None:
            raise Error(10006, "Too many visits. Exceeded the API Rate Limit.")
        if strikes(Fault.UNAVAILABLE, subject) is not None:
            raise Error(503, "Service Unavailable.", 503)
        if strikes(Fault.UNKNOWN_NOT_DONE, subject) is not None:
            raise Error(10000, TIMEOUT)
        queries = path.startswith("/v5/order/") and method == "GET"
        if queries and strikes(Fault.HIDDEN, subject) is not None:
            return {"category": "linear", "list": [], "nextPageCursor": ""}
        late = strikes(Fault.UNKNOWN_LATE, subject)
        if late is not None:
            self.rest.late_ms = round(1000 * float(late.get("seconds", 1.0)))
        result = answer(self.rest, method, path, params, key)
        if late is not None or strikes(Fault.UNKNOWN_DONE, subject) is not None:
            raise Error(10000, TIMEOUT)
        if strikes(Fault.LOST_ANSWER, subject) is not None:
            raise LostAnswer
        return result

    def _envelope(self, code: int, text: str, result: Any) -> dict[str, Any]:
        return {
            "retCode": code, "retMsg": text, "result": result, "retExtInfo": {},
            "time": self.access.clock(),
        }  # fmt: skip

    def _headers(self) -> dict[str, str]:
        self.access.weight.use(1, self.access.clock())
        return {
            "X-Bapi-Limit": "10", "X-Bapi-Limit-Status": "9",
            "X-Bapi-Limit-Reset-Timestamp": str(self.access.clock()),
        }  # fmt: skip

    def _authentic(
        self, method: str, path: str, query: str, body: str, headers: Mapping[str, str],
        subject: str,
    ) -> Key | None:  # fmt: skip
        if (method, path) in PUBLIC:
            return None
        name, at = headers.get("X-BAPI-API-KEY", ""), headers.get("X-BAPI-TIMESTAMP", "")
        window = headers.get("X-BAPI-RECV-WINDOW", str(RECV_WINDOW_MS))
        key = self.access.keys.get(name)
        if key is None:
            raise Error(10003, "API key is invalid.")
        text = at + name + window + (body if method == "POST" else query)
        if not is_signed(key.secret, text, headers.get("X-BAPI-SIGN", "")):
            raise Error(10004, "Error sign, please check your signature generation algorithm.")
        self._timely(at, window, subject)
        if method == "POST" and not key.can_trade:
            raise Error(10005, "Permission denied, please check your API key permissions.")
        return key

    def _timely(self, at: str, window: str, subject: str) -> None:
        skew = self.faults.strikes(Fault.SKEW, subject)
        server = self.access.clock() + (0 if skew is None else int(skew.get("ms", 10_000)))
        if not at.isdigit() or not window.isdigit() or not in_window(int(at), server, int(window)):
            raise Error(
                10002,
                f"invalid request, please check your server timestamp or recv_window param. "
                f"req_timestamp[{at}],server_timestamp[{server}],recv_window[{window}]",
            )

    async def hear(self, connection: Connection, text: str) -> None:
        """Answer one request of `/v5/trade`, which was authenticated when it connected."""
        asked = _object(text) if text.startswith("{") else {}
        op, number = str(asked.get("op", "")), asked.get("reqId")
        head = {"reqId": number, "op": op, "connId": "fake"}
        if op == "ping":
            data = [str(self.access.clock())]
            pong = {"retCode": 0, "retMsg": "OK", "op": "pong", "data": data, "connId": "fake"}
            connection.put(json.dumps(pong))
            return
        subject = f"bybit WS {op}"
        slow = self.faults.strikes(Fault.SLOW, subject)
        if slow is not None:
            await asyncio.sleep(float(slow.get("seconds", 1.0)))
        try:
            if not connection.is_authentic:
                raise Error(10003, "API key is invalid.")
            if op not in OPS:
                raise Error(10404, "op type is not found")
            header = asked.get("header") or {}
            window = str(header.get("X-BAPI-RECV-WINDOW", RECV_WINDOW_MS))
            self._timely(str(header.get("X-BAPI-TIMESTAMP", "")), window, subject)
            args = asked.get("args") or [{}]
            result = self.ask("POST", OPS[op], args[0], None, subject)
            said = head | {"retCode": 0, "retMsg": "OK", "data": result, "retExtInfo": {}}
        except Error as error:
            said = head | {"retCode": error.code, "retMsg": error.text, "data": {}}
        except LostAnswer:
            connection.end()
            return
        connection.put(json.dumps(said | {"header": self._headers()}))


def _object(body: str) -> dict[str, Any]:
    try:
        got = json.loads(body or "{}")
    except ValueError:
        raise Error(10001, "Request parameter error.") from None
    if not isinstance(got, dict):
        raise Error(10001, "Request parameter error.")
    return got

"""Binance USD-M on the wire: HTTP requests with their checks and faults, and the websocket API."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any, Final

from aiohttp import web

from litehedge.exchange.access import (
    RECV_WINDOW_MS,
    Access,
    Key,
    in_window,
    is_signed,
    params_of,
    split_signature,
)
from litehedge.exchange.binance_orders import is_exempt
from litehedge.exchange.binance_rest import BinanceRest
from litehedge.exchange.binance_routes import KEYED, ORDER, PUBLIC, ROUTES, answer, weight_of
from litehedge.exchange.binance_words import Error, error, missing
from litehedge.exchange.faults import Fault, Faults
from litehedge.exchange.hub import Connection

UNKNOWN: Final = "Unknown error, please check your request or try again later."
THROTTLED: Final = (
    "Request throttled by system-level protection. Reduce-only/close-position orders are exempt. "
    "Please try again."
)
TOO_MANY: Final = "Too many requests; current limit is 2400 requests per minute."
TOO_MANY_ORDERS: Final = "Too many new orders; current limit is 300 orders per 10 SECOND."
WS_METHODS: Final[Mapping[str, tuple[str, str]]] = {
    "order.place": ("POST", "/fapi/v1/order"),
    "order.status": ("GET", "/fapi/v1/order"),
    "order.cancel": ("DELETE", "/fapi/v1/order"),
    "algoOrder.place": ("POST", "/fapi/v1/algoOrder"),
    "algoOrder.cancel": ("DELETE", "/fapi/v1/algoOrder"),
    "account.position": ("GET", "/fapi/v2/positionRisk"),
    "v2/account.position": ("GET", "/fapi/v3/positionRisk"),
    "account.balance": ("GET", "/fapi/v2/balance"),
    "v2/account.balance": ("GET", "/fapi/v3/balance"),
    "account.status": ("GET", "/fapi/v2/account"),
    "v2/account.status": ("GET", "/fapi/v3/account"),
    "ticker.book": ("GET", "/fapi/v1/ticker/bookTicker"),
    "ticker.price": ("GET", "/fapi/v1/ticker/price"),
    "depth": ("GET", "/fapi/v1/depth"),
}


class LostAnswer(Exception):
    """What was asked is done, and the connection breaks before the answer."""


class BinanceWire:
    """Checks, limits and faults around the requests."""

    def __init__(self, rest: BinanceRest, access: Access, faults: Faults) -> None:
        self.rest = rest
        self.access = access
        self.faults = faults

    # --- HTTP -------------------------------------------------------------------------------------

    async def http(self, request: web.Request) -> web.StreamResponse:
        """Answer one HTTP request."""
        body = (await request.read()).decode("utf-8", "replace")
        method, path, query = request.method, request.path, request.rel_url.raw_query_string
        subject = f"binance {method} {path}"
        slow = self.faults.strikes(Fault.SLOW, subject)
        if slow is not None:
            await asyncio.sleep(float(slow.get("seconds", 1.0)))
        try:
            params = params_of(query, body)
            self._meter(method, path, params, subject)
            key = self._authentic(method, path, query, body, request.headers, params, subject)
            status, words, headers = 200, self.ask(method, path, params, key, subject), {}
        except Error as refused:
            status, words, headers = refused.status, refused.body, refused.headers
        except LostAnswer:
            if request.transport is not None:
                request.transport.abort()
            return web.Response()
        headers = headers | {
            "X-MBX-USED-WEIGHT-1M": str(self.access.weight.total),
            "X-MBX-ORDER-COUNT-10S": str(self.access.orders_10s.total),
            "X-MBX-ORDER-COUNT-1M": str(self.access.orders_1m.total),
        }
        return web.json_response(words, status=status, headers=headers)

    # --- what both ways share ---------------------------------------------------------------------

    def ask(
        self, method: str, path: str, params: Mapping[str, str], key: Key | None, subject: str
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
        if not self.faults:
            return answer(self.rest, method, path, params, key)
        refused = strikes(Fault.REFUSED, subject)
        if refused is not None:
            text = str(
                refused.get("msg", "An unknown error occurred while processing the request.")
            )
            raise error(int(refused.get("code", -1000)), text)
        if strikes(Fault.UNAVAILABLE, subject) is not None:
            raise Error(503, {"msg": "Service Unavailable."})
        raises = (method, path) in (("POST", "/fapi/v1/order"), ("POST", "/fapi/v1/algoOrder"))
        if raises and not is_exempt(params) and strikes(Fault.THROTTLED, subject) is not None:
            raise error(-1008, THROTTLED, 503)
        if strikes(Fault.UNKNOWN_NOT_DONE, subject) is not None:
            raise Error(503, {"msg": UNKNOWN})
        queries = (method, path) == ("GET", "/fapi/v1/order")
        if queries and strikes(Fault.HIDDEN, subject) is not None:
            raise error(-2013, "Order does not exist.")
        late = strikes(Fault.UNKNOWN_LATE, subject)
        if late is not None:
            self.rest.late_ms = round(1000 * float(late.get("seconds", 1.0)))
        words = answer(self.rest, method, path, params, key)
        if late is not None or strikes(Fault.UNKNOWN_DONE, subject) is not None:
            raise Error(503, {"msg": UNKNOWN})
        if strikes(Fault.LOST_ANSWER, subject) is not None:
            raise LostAnswer
        return words

    def _meter(self, method: str, path: str, params: Mapping[str, str], subject: str) -> None:
        access = self.access
        now = access.clock()
        route = ROUTES.get((method, path))
        weight = weight_of(path, params, route[2]) if route is not None else 1
        banned = self.faults.strikes(Fault.BANNED, subject)
        if banned is not None:
            access.banned_until_ms = now + round(1000 * float(banned.get("seconds", 120.0)))
        if banned is not None or now < access.banned_until_ms:
            text = f"Way too many requests; IP banned until {access.banned_until_ms}."
            wait = str((access.banned_until_ms - now) // 1000 + 1)
            raise Error(418, {"code": -1003, "msg": text}, {"Retry-After": wait})
        within = access.weight.use(weight, now)
        if route is not None and route[1] == ORDER:
            many = not access.orders_10s.use(1, now)
            if (not access.orders_1m.use(1, now) or many) and access.limited:
                raise Error(429, {"code": -1015, "msg": TOO_MANY_ORDERS})
        struck = self.faults.strikes(Fault.TOO_MANY, subject)
        if struck is not None or (access.limited and not within):
            wait = str(int(struck.get("seconds", 1))) if struck is not None else "60"
            raise Error(429, {"code": -1003, "msg": TOO_MANY}, {"Retry-After": wait})

    def _authentic(
        self, method: str, path: str, query: str, body: str, headers: Mapping[str, str],
        params: Mapping[str, str], subject: str,
    ) -> Key | None:  # fmt: skip
        route = ROUTES.get((method, path))
        if route is None or route[1] == PUBLIC:
            return None
        key = self._key(headers.get("X-MBX-APIKEY", ""))
        if route[1] == KEYED:
            return key
        signed_query, first = split_signature(query)
        signed_body, second = split_signature(body)
        self._signed(key, signed_query + signed_body, first or second)
        self._timely(params, subject)
        self._allowed(key, route[1])
        return key

    def _key(self, name: str) -> Key:
        if not name:
            raise error(-2014, "API-key format invalid.", 401)
        key = self.access.keys.get(name)
        if key is None:
            raise error(-2015, "Invalid API-key, IP, or permissions for action.", 401)
        return key

    def _signed(self, key: Key, text: str, signature: str | None) -> None:
        if signature is None:
            raise missing("signature")
        if not is_signed(key.secret, text, signature):
            raise error(-1022, "Signature for this request is not valid.")

    def _timely(self, params: Mapping[str, str], subject: str) -> None:
        try:
            at = int(params["timestamp"])
            window = int(params.get("recvWindow", RECV_WINDOW_MS))
        except (KeyError, ValueError):
            raise missing("timestamp") from None
        if window > 60_000:
            raise error(-1131, "recvWindow must be less than 60000.")
        skew = self.faults.strikes(Fault.SKEW, subject)
        ahead = 0 if skew is None else int(skew.get("ms", 10_000))
        if not in_window(at, self.access.clock() + ahead, window):
            raise error(-1021, "Timestamp for this request is outside of the recvWindow.")

    def _allowed(self, key: Key, security: int) -> None:
        if security == ORDER and not key.can_trade:
            raise error(-2015, "Invalid API-key, IP, or permissions for action.", 401)

    # --- the websocket API ------------------------------------------------------------------------

    async def hear(self, connection: Connection, text: str) -> None:
        """Answer one request of `/ws-fapi/v1`."""
        try:
            asked = json.loads(text)
            number, method = asked.get("id"), str(asked.get("method", ""))
            given = dict(asked.get("params") or {})
        except (ValueError, AttributeError, TypeError):
            bad = {"code": -1135, "msg": "Invalid JSON Request"}
            connection.put(json.dumps({"id": None, "status": 400, "error": bad}))
            return
        subject = f"binance WS {method}"
        slow = self.faults.strikes(Fault.SLOW, subject)
        if slow is not None:
            await asyncio.sleep(float(slow.get("seconds", 1.0)))
        try:
            result = self._ws(method, given, subject)
            said: dict[str, Any] = {"id": number, "status": 200, "result": result}
        except Error as refused:
            said = {"id": number, "status": refused.status, "error": refused.body}
        except LostAnswer:
            connection.end()
            return
        said["rateLimits"] = [
            {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1,
             "limit": 2400, "count": self.access.weight.total}
        ]  # fmt: skip
        connection.put(json.dumps(said))

    def _ws(self, method: str, given: dict[str, Any], subject: str) -> Any:
        if method == "ping":
            return {}
        route = WS_METHODS.get(method)
        if route is None:
            raise error(-1130, f"Unknown method {method!r}")
        params = {name: _text(value) for name, value in given.items()}
        self._meter(*route, params, subject)
        security = ROUTES[route][1]
        key: Key | None = None
        if security != PUBLIC:
            key = self._key(params.get("apiKey", ""))
            signature = params.pop("signature", None)
            signed = "&".join(f"{name}={params[name]}" for name in sorted(params))
            self._signed(key, signed, signature)
            self._timely(params, subject)
            self._allowed(key, security)
        return self.ask(*route, params, key, subject)


def _text(value: Any) -> str:
    """Return a JSON value as it stands in what is signed."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)

"""What stands before every page: it sees each request and websocket first, and most go no further.

Pure ASGI, since middleware of the usual kind does not see websockets. In order: is the request well
made, is this screen meant by its name (else a page elsewhere could reach it by DNS rebinding), does
it come from our own pages, does somebody ask who may, and not too often. Every answer leaves with
headers that keep it out of frames, caches and foreign pages.

A page may be opened without a session only where people come in; everything else is built for who
has one. A websocket without one, or of a foreign page, is refused before its handshake; one that is
open ends when its session does.
"""

from __future__ import annotations

import json
import logging
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from typing import Any, Final
from urllib.parse import quote

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from litehedge.ui.binding import Binding
from litehedge.ui.door import Door, Who
from litehedge.ui.rates import Buckets, client_of

log = logging.getLogger("litehedge.ui")

WHO: Final = "litehedge.who"
"""Where the scope of a request says who asks: a `door.Who`."""

PUBLIC: Final = frozenset({"/login", "/first", "/health"})
FOR_TOKENS: Final = ("/api/", "/metrics")
SOCKETS: Final = "/_nicegui_ws/"
_FIXED_FILES: Final = re.compile(r"/_nicegui/[^/]+/(?!dynamic_resources/)")

METHODS: Final = ("GET", "HEAD", "POST")
PATH_LONGEST: Final = 1024
QUERY_LONGEST: Final = 4096
HEADERS_MOST: Final = 64
HEADERS_LONGEST: Final = 16_384
BODY_LONGEST: Final = 262_144
ONCE: Final = frozenset(
    {b"host", b"origin", b"cookie", b"content-length", b"content-type", b"authorization",
     b"transfer-encoding", b"sec-fetch-site", b"idempotency-key", b"upgrade"}
)  # fmt: skip

PAGE_POLICY: Final = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data:; object-src 'none'; "
    "base-uri 'self'; form-action 'self'; frame-ancestors 'none'"
)
"""The strictest under which NiceGUI runs: it compiles templates in the page."""
DATA_POLICY: Final = "default-src 'none'; frame-ancestors 'none'"
HEADERS: Final = {
    b"x-content-type-options": b"nosniff",
    b"x-frame-options": b"DENY",
    # `no-referrer` would let browsers send forms with `Origin: null`, which is refused.
    b"referrer-policy": b"same-origin",
    b"cross-origin-opener-policy": b"same-origin",
    b"cross-origin-resource-policy": b"same-origin",
    b"permissions-policy": b"camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}


@dataclass(frozen=True, slots=True)
class Names:
    """What the cookies are called. The port keeps two screens of one machine apart."""

    session: str
    device: str
    form: str
    is_secure: bool

    @classmethod
    def of(cls, binding: Binding) -> Names:
        """Return the names for where the screen listens."""
        before = "__Host-" if binding.is_encrypted else ""
        told = [f"{before}litehedge-{what}-{binding.port}" for what in ("in", "device", "form")]
        return cls(told[0], told[1], told[2], binding.is_encrypted)


@dataclass(frozen=True, slots=True)
class No:
    """Why a request goes no further."""

    status: int
    code: str
    what: str
    wait_s: float = 0.0


class Guard:
    """The outermost ASGI app.

    Parameters
    ----------
    app
        What is guarded.
    door
        Who may come in.
    binding
        Where it listens, and by which names.
    asks, comes_in, opens
        How often an address or session may ask; an address may send a passphrase or link; and a
        session may open a websocket.
    body_longest
        Bytes of a body.
    monotonic_s
        A clock for the rates.
    """

    def __init__(
        self, app: ASGIApp, *, door: Door, binding: Binding, asks: Buckets | None = None,
        comes_in: Buckets | None = None, opens: Buckets | None = None,
        body_longest: int = BODY_LONGEST, monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self._app = app
        self._door = door
        self._binding = binding
        self._names = Names.of(binding)
        self._asks = asks or Buckets(per_s=50.0, burst=400.0)
        self._comes_in = comes_in or Buckets(per_s=0.5, burst=15.0)
        self._opens = opens or Buckets(per_s=1.0, burst=30.0)
        self._body_longest = body_longest
        self._monotonic_s = monotonic_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Guard one connection."""
        kind = scope["type"]
        if kind == "lifespan":
            await self._app(scope, receive, send)
            return
        if kind not in ("http", "websocket"):
            raise RuntimeError(f"{kind} is not guarded")
        headers: dict[bytes, bytes] = {name.lower(): value for name, value in scope["headers"]}
        no = _malformed(scope) or self._misdirected(headers) or _foreign(scope, headers)
        who = None
        if no is None:
            no, who = self._admitted(scope, headers)
        if no is not None:
            await self._refuse(scope, receive, send, no)
            return
        scope[WHO] = who
        if kind == "websocket":
            await self._app(scope, self._while_in(who, receive, send), send)
        else:
            await self._pass(scope, headers, receive, send)

    # --- who is meant, and who asks -----------------------------------------------------------

    def _misdirected(self, headers: dict[bytes, bytes]) -> No | None:
        host = headers.get(b"host", b"").decode("latin-1")
        if not self._binding.is_called(host):
            return No(421, "not_this_host", "this screen is not called by that name: see --name")
        origin = headers.get(b"origin")
        if origin is not None and origin.decode("latin-1") != f"{self._binding.scheme}://{host}":
            return No(403, "foreign_origin", "another page asks")
        return None

    def _admitted(self, scope: Scope, headers: dict[bytes, bytes]) -> tuple[No | None, Who | None]:
        """Return who asks, or why not: rates, then session or token."""
        path = scope["path"]
        now_s = self._monotonic_s()
        address = client_of((scope.get("client") or ("",))[0])
        who = self._who(path, headers)
        # Who is in has a bucket of his own: others at the same address cannot empty it.
        if wait_s := self._asks.take(address if who is None else who.key, now_s):
            return No(429, "too_often", "too many requests", wait_s), None
        if scope["type"] == "websocket":
            if who is None or not path.startswith(SOCKETS):
                return No(401, "no_session", "log in first"), None
            if wait_s := self._opens.take(who.key, now_s):
                return No(429, "too_often", "too many websockets", wait_s), None
            return None, who
        is_post = scope["method"] == "POST"
        if who is None and path not in PUBLIC:
            return No(401, "no_session", "log in first, or give a token of the API"), None
        if is_post and (who is None or who.is_person) and b"origin" not in headers:
            return No(403, "foreign_origin", "it does not say which page asks"), None
        if is_post and path in PUBLIC and (wait_s := self._comes_in.take(address, now_s)):
            return No(429, "too_often", "too many attempts", wait_s), None
        return None, who

    def _who(self, path: str, headers: dict[bytes, bytes]) -> Who | None:
        if path.startswith(FOR_TOKENS) and b"authorization" in headers:
            word, _, token = headers[b"authorization"].decode("latin-1").partition(" ")
            return self._door.bearer(token.strip()) if word.lower() == "bearer" else None
        return self._door.who(_cookie(headers, self._names.session))

    # --- letting through ----------------------------------------------------------------------

    async def _pass(
        self, scope: Scope, headers: dict[bytes, bytes], receive: Receive, send: Send
    ) -> None:
        length = headers.get(b"content-length", b"0")
        if not length.isdigit() or int(length[:12]) > self._body_longest or len(length) > 12:
            await self._refuse(scope, receive, send, No(413, "too_large", "the body is too large"))
            return
        began = ended = is_over = False
        got = 0

        async def counted() -> Message:
            nonlocal got, is_over
            message = await receive()
            if message["type"] == "http.request":
                got += len(message.get("body", b""))
                if got > self._body_longest:
                    is_over = True
                    raise _TooLarge
            return message

        async def dressed(message: Message) -> None:
            nonlocal began, ended
            if is_over:
                return
            if message["type"] == "http.response.start":
                began = True
                told = _dressed(scope["path"], message["status"], message["headers"])
                message = {**message, "headers": told}
            elif not message.get("more_body"):
                ended = True
            await send(message)

        try:
            await self._app(scope, counted, dressed)
        except _TooLarge:
            pass
        except Exception:
            if began and not ended:
                raise  # half an answer: the server cuts the line
            log.exception("%s %s went wrong", scope["method"], scope["path"])
            if began:
                return
            await self._refuse(
                scope, receive, send, No(500, "went_wrong", "the screen failed; its log says how")
            )
            return
        if is_over and not began:
            await self._refuse(scope, receive, send, No(413, "too_large", "the body is too large"))

    def _while_in(self, who: Who | None, receive: Receive, send: Send) -> Receive:
        """Receive for a websocket as long as its session lasts."""

        async def still() -> Message:
            message = await receive()
            if message["type"] == "websocket.receive" and (
                who is None or not self._door.is_in(who)
            ):
                await send({"type": "websocket.close", "code": 4401, "reason": "logged out"})
                return {"type": "websocket.disconnect", "code": 4401}
            return message

        return still

    # --- refusing -----------------------------------------------------------------------------

    async def _refuse(self, scope: Scope, receive: Receive, send: Send, no: No) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008, "reason": ""})
            return
        extra: list[tuple[bytes, bytes]] = []
        status, body = no.status, b""
        if no.code == "no_session" and _wants_page(scope):
            to = scope["path"] + ("?" + scope["query_string"].decode("latin-1")
                                  if scope["query_string"] else "")  # fmt: skip
            status = 303
            extra.append((b"location", b"/login?next=" + quote(to, safe="/").encode()))
        else:
            body = error_body(no.code, no.what)
        if status == 401:
            extra.append((b"www-authenticate", b'Bearer realm="litehedge"'))
        if status == 405:
            extra.append((b"allow", ", ".join(METHODS).encode()))
        if no.wait_s:
            extra.append((b"retry-after", str(int(no.wait_s) + 1).encode()))
        extra.append((b"content-type", b"application/json"))
        extra.append((b"content-length", str(len(body)).encode()))
        extra.append((b"content-security-policy", DATA_POLICY.encode()))
        await send({
            "type": "http.response.start", "status": status,
            "headers": _dressed(scope["path"], status, extra),
        })  # fmt: skip
        is_head = scope["method"] == "HEAD"
        await send({"type": "http.response.body", "body": b"" if is_head else body})


class _TooLarge(Exception):
    """A body went on for too long."""


def error_body(code: str, what: str, remedy: str = "") -> bytes:
    """Return the one shape in which errors are told as JSON."""
    return json.dumps({"error": {"code": code, "what": what, "remedy": remedy}}).encode()


# --- is it well made ---------------------------------------------------------------------------


def _malformed(scope: Scope) -> No | None:
    headers: list[tuple[bytes, bytes]] = scope["headers"]
    if len(headers) > HEADERS_MOST or sum(len(n) + len(v) for n, v in headers) > HEADERS_LONGEST:
        return No(431, "headers", "too many or too long headers")
    names = [name.lower() for name, _ in headers]
    if any(names.count(name) > 1 for name in ONCE) or b"host" not in names:
        return No(400, "headers", "a header is missing, or there twice")
    if b"content-length" in names and b"transfer-encoding" in names:
        return No(400, "headers", "two lengths")
    if any(_has_controls(name) or _has_controls(value) for name, value in headers):
        return No(400, "headers", "control characters in a header")
    if scope["type"] == "http" and scope["method"] not in METHODS:
        return No(405, "method", "that is not done here")
    return _bad_path(scope)


def _bad_path(scope: Scope) -> No | None:
    raw: bytes | None = scope.get("raw_path")
    if raw is None:
        raw = quote(scope["path"]).encode()
    raw, query = raw.partition(b"?")[0], scope.get("query_string", b"")
    if len(raw) > PATH_LONGEST or len(query) > QUERY_LONGEST:
        return No(414, "path", "that address is too long")
    no = No(400, "path", "that is no address of this screen")
    if not raw.startswith(b"/") or b"//" in raw or b"\\" in raw or _has_controls(raw + query):
        return no
    if re.search(rb"%(2e|2f|5c|25|00|0[0-9a-f]|1[0-9a-f]|7f)", raw.lower()):
        return no
    if re.search(rb"%0[0ad]", query.lower()):
        return no
    path: str = scope["path"]
    if not path.isprintable() or any(part in (".", "..") for part in path.split("/")):
        return no
    return None


def _has_controls(text: bytes) -> bool:
    return any((byte < 32 and byte != 9) or byte == 127 for byte in text)


def _foreign(scope: Scope, headers: dict[bytes, bytes]) -> No | None:
    """Refuse what another site's page asks, but for following a link to here."""
    no = No(403, "foreign_origin", "another page asks")
    is_socket = scope["type"] == "websocket"
    if is_socket and b"origin" not in headers:
        return no
    site = headers.get(b"sec-fetch-site", b"same-origin")
    if site in (b"same-origin", b"none"):
        return None
    is_link = (
        not is_socket
        and scope["method"] in ("GET", "HEAD")
        and headers.get(b"sec-fetch-mode") == b"navigate"
        and headers.get(b"sec-fetch-dest") == b"document"
    )
    return None if is_link else no


def _cookie(headers: dict[bytes, bytes], name: str) -> str:
    jar: SimpleCookie = SimpleCookie()
    try:
        jar.load(headers.get(b"cookie", b"").decode("ascii"))
    except (CookieError, UnicodeDecodeError):
        return ""
    return jar[name].value if name in jar else ""


def _wants_page(scope: Scope) -> bool:
    accept = dict(scope["headers"]).get(b"accept", b"")
    is_data = scope["path"].startswith((*FOR_TOKENS, "/_nicegui"))
    return scope["method"] in ("GET", "HEAD") and b"text/html" in accept and not is_data


# --- what leaves -------------------------------------------------------------------------------


def _dressed(path: str, status: int, headers: Any) -> list[tuple[bytes, bytes]]:
    """Return an answer's headers with ours."""
    kept = [(n, v) for n, v in headers if n.lower() not in HEADERS and n.lower() != b"server"]
    kept += HEADERS.items()
    names = {name.lower() for name, _ in kept}
    if b"content-security-policy" not in names:
        is_data = path.startswith(FOR_TOKENS) or path == "/health"
        policy = DATA_POLICY if is_data else PAGE_POLICY
        kept.append((b"content-security-policy", policy.encode()))
    # Scripts of a version never change, and are most of what a phone would load again.
    is_fixed = status == 200 and _FIXED_FILES.match(path)
    keeps = b"private, max-age=31536000, immutable" if is_fixed else b"no-store"
    return [(n, v) for n, v in kept if n.lower() != b"cache-control"] + [(b"cache-control", keeps)]

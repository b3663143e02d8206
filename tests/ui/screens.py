"""A screen on a real journal, asked as bytes on a wire would be."""

from __future__ import annotations

import asyncio
import json
import shutil
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from argon2 import PasswordHasher
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route, WebSocketRoute

from litehedge.engine_state import start
from litehedge.hedge.policies import policy_named
from litehedge.live.session import Session, session_at
from litehedge.market import events as ev
from litehedge.model.baselines.blind import BlindForecaster
from litehedge.runner import run
from litehedge.settings import load_settings
from litehedge.sim.opening import Opening
from litehedge.sim.venue import SimVenue
from litehedge.store.inbox import Inbox
from litehedge.store.journal import Journal
from litehedge.ui import api, health, login, panic
from litehedge.ui.binding import Binding, bound
from litehedge.ui.door import Door
from litehedge.ui.guard import Guard, Names
from litehedge.ui.once import Once
from litehedge.ui.rates import Buckets
from litehedge.ui.watching import Home
from litehedge.units import NS_PER_MINUTE
from litehedge_runs import header
from synthetic import T0, everything, market, packaged_tiers

PASSPHRASE = "four words nobody expects"
QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
MINUTES = 120


class Sitting:
    """A guarded session that goes on as far as it is told."""

    def __init__(self, session: Session) -> None:
        session.folder.mkdir(parents=True, exist_ok=True)
        settings = load_settings()
        own = market(MINUTES + 60, seed=3, vol=0.002)
        self._events = iter([e for one in everything(own).events() for e in with_book(one)])
        self._journal = Journal(session.journal)
        self._journal.begin(header(mode="paper", session="t", keeps_checkpoints=True))
        self._state = start(
            settings, policy_named("plugin", settings), packaged_tiers(), BlindForecaster(),
            session="t", atom_ns=NS_PER_MINUTE, held_every_ns=0, keeps_checkpoints=True,
        )  # fmt: skip
        self._venue = SimVenue(
            settings, packaged_tiers(), Opening(T0, reopens=False), NS_PER_MINUTE
        )
        self._now_ns = 0
        steady = iter(range(0, 10**18, 10**9))
        self._inbox = Inbox(session.inbox, monotonic_ns=lambda: next(steady))
        self._inbox.attach(lambda: self._now_ns, self._journal.flush)

    def go(self, minutes: int) -> None:
        """Live on for so many minutes."""

        def feed():
            until_ns = None
            for event in self._events:
                until_ns = until_ns or event.known_ns + minutes * NS_PER_MINUTE
                self._now_ns = event.known_ns
                yield event
                if event.known_ns >= until_ns:
                    return

        self._state = run(self._state, feed(), self._venue, journal=self._journal,
                          inbox=self._inbox)  # fmt: skip

    def close(self) -> None:
        self._inbox.close()
        self._journal.close()


def with_book(event: ev.AnyEvent) -> list[ev.AnyEvent]:
    """A bar of LTC with a book of its close after it: else nothing could be closed."""
    if not isinstance(event, ev.Bar) or event.asset != "LTC":
        return [event]
    at_ns, price = event.known_ns, event.close
    book = ev.Book(at_ns, at_ns, price - 0.01, price + 0.01, 1e6, 1e6)
    return [event, book, ev.Mark(at_ns, at_ns, price)]


def commands_in(session: Session) -> list[ev.Command]:
    """What was asked of a session and not yet taken."""
    if not session.inbox.exists():
        return []
    steady = iter(range(0, 10**12, 10**9))
    with Inbox(session.inbox, monotonic_ns=lambda: next(steady)) as inbox:
        return list(inbox.attach(lambda: 7, lambda: None).take())


@dataclass
class Answer:
    """What came back. `refused` tells that a websocket's handshake was not made."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes
    refused: bool = False

    def header(self, name: str) -> str:
        found = [value for key, value in self.headers if key == name]
        assert len(found) <= 1, f"{name} is there {len(found)} times"
        return found[0] if found else ""

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def cookies(self) -> dict[str, str]:
        """Cookies that were set, by name; "" for one that was taken away."""
        set_ = [value for key, value in self.headers if key == "set-cookie"]
        pairs = [one.partition(";")[0].partition("=") for one in set_]
        return {name: value.strip('"') for name, _, value in pairs}


def wire(
    app: Any, method: str, target: str, headers: list[tuple[str, str]] = (), body: bytes = b"",
    *, raw_path: bytes | None = None, kind: str = "http", client: str = "127.0.0.1",
    chunks: list[bytes] | None = None, path: str | None = None,
) -> Answer:  # fmt: skip
    """Ask an ASGI app with exactly these headers."""
    parts = urlsplit(target)
    pairs = [(k.encode("latin-1"), v.encode("latin-1")) for k, v in headers]
    scope: dict[str, Any] = {
        "type": kind, "asgi": {"version": "3.0"}, "http_version": "1.1", "path": path or parts.path,
        "raw_path": parts.path.encode() if raw_path is None else raw_path,
        "query_string": parts.query.encode(), "root_path": "", "headers": pairs,
        "client": (client, 50000), "server": ("127.0.0.1", 8600),
        "scheme": "ws" if kind == "websocket" else "http", "state": {},
    }  # fmt: skip
    if kind == "http":
        scope["method"] = method
    else:
        scope["subprotocols"] = []
    parts_ = [body] if chunks is None else chunks
    last = len(parts_) - 1
    coming: list[dict[str, Any]] = [
        {"type": "http.request", "body": b, "more_body": i < last} for i, b in enumerate(parts_)
    ]
    if kind == "websocket":
        coming = [{"type": "websocket.connect"}, {"type": "websocket.disconnect", "code": 1000}]
    sent: list[dict[str, Any]] = []

    async def receive():
        return coming.pop(0) if coming else {"type": f"{kind}.disconnect"}

    async def send(message):
        sent.append(message)

    asyncio.run(app(scope, receive, send))
    if kind == "websocket":
        return Answer(0, [], b"", refused=sent[0]["type"] == "websocket.close")
    begins = [m for m in sent if m["type"] == "http.response.start"]
    assert len(begins) == 1
    told = [(k.decode("latin-1").lower(), v.decode("latin-1")) for k, v in begins[0]["headers"]]
    whole = b"".join(m.get("body", b"") for m in sent if m["type"] == "http.response.body")
    return Answer(begins[0]["status"], told, whole)


@dataclass
class Screen:
    """All parts behind the guard, and a browser of its owner. Time is `now_ns`."""

    root: Path
    is_demo: bool = False
    behind_proxy: bool = False
    rates: dict[str, Buckets] = field(default_factory=dict)
    now_ns: int = 1_700_000_000 * 10**9
    steady_s: float = 0.0

    def __post_init__(self) -> None:
        self.begin()
        self.jar: dict[str, str] = {}

    def begin(self) -> None:
        """Start its process, or start it again."""
        names = ["ltc.example.org"] if self.behind_proxy else []
        self.binding: Binding = bound(names=names, behind_proxy=self.behind_proxy)
        self.names = Names.of(self.binding)
        self.home = Home(self.root)
        self.door = Door(
            self.root / "ui", is_demo=self.is_demo, now_ns=lambda: self.now_ns,
            monotonic_s=lambda: self.steady_s, hasher=QUICK,
        )  # fmt: skip
        self.once = Once(self.root / "ui")
        self.reached: list[str] = []
        generous = {
            "asks": Buckets(1e6, 1e6), "comes_in": Buckets(1e6, 1e6), "opens": Buckets(1e6, 1e6),
        }  # fmt: skip
        self.app = Guard(
            Starlette(routes=[
                *login.routes(self.door, self.binding),
                *panic.routes(self.home, self.once, lambda: self.now_ns),
                *health.routes(self.home),
                Mount(api.AT, api.api(self.home, self.once, self.binding, lambda: self.now_ns)),
                WebSocketRoute("/_nicegui_ws/socket.io/", self._socket),
                Route("/{path:path}", self._desk, methods=["GET", "POST"]),
            ]),
            door=self.door, binding=self.binding, monotonic_s=lambda: self.steady_s,
            **(generous | self.rates),
        )  # fmt: skip

    async def _desk(self, request):
        self.reached.append(f"{request.method} {request.url.path}")
        return PlainTextResponse("the desk")

    async def _socket(self, websocket):
        self.reached.append("websocket")
        await websocket.accept()
        async for text in websocket.iter_text():
            self.reached.append(text)

    @property
    def origin(self) -> str:
        return f"{self.binding.scheme}://{self.host}"

    @property
    def host(self) -> str:
        return "ltc.example.org" if self.behind_proxy else "127.0.0.1:8600"

    def headers(self, **more: str | None) -> list[tuple[str, str]]:
        """What a browser of its owner sends; None leaves one out."""
        told = {"host": self.host, "accept": "text/html"}
        if self.jar:
            told["cookie"] = "; ".join(f"{k}={v}" for k, v in self.jar.items())
        told |= {name.replace("_", "-"): value for name, value in more.items()}
        return [(name, value) for name, value in told.items() if value is not None]

    def get(self, target: str, **more: str | None) -> Answer:
        return self._keep(wire(self.app, "GET", target, self.headers(**more)))

    def post(self, target: str, fields: dict[str, str], **more: str | None) -> Answer:
        body = urlencode(fields).encode()
        told = {"origin": self.origin, "content_type": "application/x-www-form-urlencoded",
                "content_length": str(len(body))} | more  # fmt: skip
        return self._keep(wire(self.app, "POST", target, self.headers(**told), body))

    def program(self, method: str, target: str, token: str, body: Any = None,
                **more: str | None) -> Answer:  # fmt: skip
        """Ask as a program does."""
        payload = b"" if body is None else json.dumps(body).encode()
        told = {"cookie": None, "authorization": f"Bearer {token}", "accept": "*/*",
                "content_type": "application/json",
                "content_length": str(len(payload))}  # fmt: skip
        return wire(self.app, method, api.AT + target, self.headers(**(told | more)), payload)

    def _keep(self, answer: Answer) -> Answer:
        self.jar |= answer.cookies
        self.jar = {name: value for name, value in self.jar.items() if value}
        return answer

    def come_in(self) -> None:
        """Choose the passphrase by the link of the first run."""
        token = self.door.invite()
        page = self.get(f"/first?token={token}")
        fields = Fields.of(page.text) | {"passphrase": PASSPHRASE, "again": PASSPHRASE}
        assert self.post("/first", fields).status == 200
        assert self.names.session in self.jar


class Fields(HTMLParser):
    """The fields of a page's forms, as a browser without script would send them."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[dict[str, str]] = []
        self.scripts = 0

    @classmethod
    def of(cls, html: str, having: str = "") -> dict[str, str]:
        """The fields of the first form that has a field called `having`."""
        found = cls()
        found.feed(html)
        assert found.scripts == 0
        return next(form for form in found.forms if having in form or not having)

    def handle_starttag(self, tag, attrs):
        told = dict(attrs)
        if tag == "script" or any(name.startswith("on") or name == "style" for name in told):
            self.scripts += 1
        if tag == "form":
            self.forms.append({})
        elif tag in ("input", "button") and told.get("name") and self.forms:
            self.forms[-1][told["name"]] = told.get("value") or ""


def copy_session(whole: Path, root: Path, name: str = "paper") -> Session:
    """A session as it was left."""
    session = session_at(root, name)
    shutil.copytree(whole, session.folder)
    return session

"""What the guard must not let through: none of these reaches a page, and none asks a session.

Each request is that of the owner's browser or program, which gets in, but for one thing.
"""

from __future__ import annotations

import asyncio
import json
from urllib.parse import unquote_to_bytes, urlencode

import pytest
from screens import PASSPHRASE, Fields, Screen, commands_in, wire

from litehedge.ui.door import form_key, hashed
from litehedge.ui.guard import BODY_LONGEST

KEY = {"idempotency_key": "0123456789abcdef"}


@pytest.fixture
def inside(screen):
    screen.come_in()
    screen.reached.clear()
    return screen


def ways_in(screen: Screen) -> None:
    """What is changed below works unchanged."""
    assert screen.get("/desk").status == 200
    assert screen.reached == ["GET /desk"]
    screen.reached.clear()


def nothing_happened(screen: Screen, session) -> None:
    assert screen.reached == []
    assert commands_in(session) == []


HOSTS = [
    "evil.example", "evil.example:8600", "127.0.0.1:8601", "127.0.0.1.evil.example:8600",
    "localhost.evil.example", "127.0.0.1:8600@evil.example", "127.0.0.2:8600", "",
    " 127.0.0.1:8600",
    "127.0.0.1:", "127.0.0.1", "localhost.:8600", "[::1", "[::1]:80", "0.0.0.0:8600",
    "2130706433:8600",
    "127.1:8600", "127.0.0.1:8600, evil.example", "127.0.0.1:8600/evil", "http://127.0.0.1:8600",
    "127.0.0.1:08600", "127.0.0.1:8600\t", "LOCALHOST.EVIL:8600", "\xad127.0.0.1:8600",
]  # fmt: skip


@pytest.mark.parametrize("host", HOSTS)
def test_a_foreign_name_reaches_nothing(inside, session, host):
    ways_in(inside)
    for target in ("/desk", "/login", "/health"):
        assert inside.get(target, host=host).status in (400, 421)
    nothing_happened(inside, session)


@pytest.mark.parametrize(
    "host", ["localhost:8600", "127.0.0.1:8600", "[::1]:8600", "LocalHost:8600"]
)
def test_its_own_names_do(inside, host):
    assert inside.get("/desk", host=host).status == 200


ORIGINS = [
    "https://evil.example", "http://evil.example:8600", "null", "", "http://127.0.0.1",
    "http://127.0.0.1:8601", "https://127.0.0.1:8600", "http://localhost:8600", "file://",
    "http://127.0.0.1:8600.evil.example", "http://127.0.0.1:8600/", "HTTP://127.0.0.1:8600",
    "http://127.0.0.1:8600 http://evil.example", "http://user@127.0.0.1:8600", None,
]  # fmt: skip


@pytest.mark.parametrize("origin", ORIGINS)
def test_a_foreign_page_cannot_send_a_form(inside, session, origin):
    fields = Fields.of(inside.get("/panic/halt?session=paper").text, "act")
    assert inside.post("/panic", fields, origin=origin).status == 403
    assert inside.post("/desk", {}, origin=origin).status == 403
    nothing_happened(inside, session)
    assert inside.post("/panic", fields).status == 303
    assert len(commands_in(session)) == 1


@pytest.mark.parametrize("origin", ORIGINS)
def test_a_foreign_page_cannot_open_a_websocket(inside, session, origin):
    answer = socket(inside, inside.headers(origin=origin))
    assert answer.refused
    nothing_happened(inside, session)


def socket(screen: Screen, headers, target: str = "/_nicegui_ws/socket.io/?EIO=4"):
    return wire(screen.app, "", target, headers, kind="websocket")


def test_our_own_page_opens_a_websocket(inside):
    assert not socket(inside, inside.headers(origin=inside.origin)).refused
    assert inside.reached == ["websocket"]


@pytest.mark.parametrize(
    ("target", "more"),
    [
        ("/_nicegui_ws/socket.io/?EIO=4", {"cookie": None}),
        ("/_nicegui_ws/socket.io/?EIO=4", {"cookie": "litehedge-in-8600=forged-forged-forged-fo"}),
        ("/_nicegui_ws/socket.io/?EIO=4", {"cookie": None, "authorization": "Bearer TOKEN"}),
        ("/_nicegui_ws/socket.io/?EIO=4", {"host": "evil.example"}),
        ("/_nicegui_ws/socket.io/?EIO=4", {"sec_fetch_site": "cross-site"}),
        ("/_nicegui_ws/socket.io/?EIO=4", {"sec_fetch_site": "same-site"}),
        ("/desk", {}), ("/login", {}), ("/health", {}), ("/panic", {}),
        ("/api/v1/sessions", {"authorization": "Bearer TOKEN"}),
        ("/_nicegui_ws/../socket.io/", {}),
    ],
)  # fmt: skip
def test_a_websocket_without_a_session_or_elsewhere_is_refused(inside, session, target, more):
    token = inside.door.make_token("t", "command")
    told = {name: value and value.replace("TOKEN", token) for name, value in more.items()}
    assert socket(inside, inside.headers(**({"origin": inside.origin} | told)), target).refused
    nothing_happened(inside, session)


def test_a_websocket_ends_with_its_session(inside):
    sent, who = [], inside.door.who(inside.jar[inside.names.session])
    told = [{"type": "websocket.connect"}, {"type": "websocket.receive", "text": "before"},
            {"type": "websocket.receive", "text": "after"}]  # fmt: skip

    async def receive():
        message = told.pop(0)
        if message.get("text") == "after":
            inside.door.leave(who)
        return message

    async def send(message):
        sent.append(message)

    scope = {
        "type": "websocket", "path": "/_nicegui_ws/socket.io/", "query_string": b"",
        "raw_path": b"/_nicegui_ws/socket.io/", "root_path": "", "client": ("127.0.0.1", 1),
        "headers": [(k.encode(), v.encode()) for k, v in inside.headers(origin=inside.origin)],
        "subprotocols": [], "scheme": "ws",
    }  # fmt: skip
    asyncio.run(inside.app(scope, receive, send))
    assert inside.reached == ["websocket", "before"]
    assert sent[-1]["type"] == "websocket.close"


COOKIES = [
    None, "", "litehedge-in-8600=", "litehedge-in-8600=" + "a" * 43,
    "litehedge-in-8600=" + "a" * 5000,
    "other=REAL", "litehedge-in-8601=REAL", "litehedge-in-8600=REALx", "litehedge-in-8600=\xff\xfe",
    "__Host-litehedge-in-8600=REAL", "litehedge-in-8600=REAL; litehedge-in-8600=forged", "=REAL",
    "litehedge-in-8600 REAL", "litehedge-in-8600=HASH", "litehedge-device-8600=REAL",
]  # fmt: skip


@pytest.mark.parametrize("cookie", COOKIES)
def test_without_a_session_nothing_is_shown(inside, session, cookie):
    real = inside.jar[inside.names.session]
    told = cookie and cookie.replace("REAL", real).replace("HASH", hashed(real))
    for target in (
        "/desk", "/panic", "/panic/halt", "/api/v1/sessions", "/metrics", "/logout", "/docs",
        "/_nicegui/3.18.0/static/vue.js", "/static/x.css", "/openapi.json",
    ):  # fmt: skip
        answer = inside.get(target, cookie=told)
        assert answer.status in (303, 401)
        if answer.status == 303:
            assert answer.header("location").startswith("/login?next=")
        assert b"paper" not in answer.body
    nothing_happened(inside, session)


def test_a_session_that_ended_shows_nothing(inside, session):
    kept = dict(inside.jar)
    fields = Fields.of(inside.get("/logout").text, "where") | {"where": "here"}
    assert inside.post("/logout", fields).status == 303
    inside.jar = kept
    assert inside.get("/desk").status == 303
    nothing_happened(inside, session)


@pytest.mark.parametrize("days", [8, 31, 400])
def test_a_session_that_is_too_old_shows_nothing(inside, session, days):
    inside.now_ns += days * 86_400 * 10**9
    assert inside.get("/desk").status == 303
    nothing_happened(inside, session)


@pytest.mark.parametrize(
    "method",
    ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "get", "post", "HACK", "",
     "GET /evil"],
)  # fmt: skip
def test_methods_that_nothing_here_has(inside, session, method):
    for target in ("/desk", "/panic", "/api/v1/sessions/paper/halt"):
        answer = wire(inside.app, method, target, inside.headers(origin=inside.origin))
        assert answer.status == 405
        assert answer.header("allow") == "GET, HEAD, POST"
    nothing_happened(inside, session)


@pytest.mark.parametrize("name", ["x-http-method-override", "x-method-override", "x-http-method"])
def test_a_method_in_a_header_changes_nothing(inside, session, name):
    assert inside.get("/panic", **{name: "POST"}).status == 200
    assert commands_in(session) == []
    assert inside.get("/desk?_method=POST").status == 200
    assert inside.reached == ["GET /desk"]


PATHS = [
    b"/../etc/passwd", b"/%2e%2e/etc/passwd", b"/%2E%2E%2Fetc", b"/a/..%2fb", b"/a/%2e/b", b"/./a",
    b"/a//b", b"//evil.example/", b"/a\\b", b"/a%5cb", b"/a%00b", b"/a\x00b", b"/%252e%252e/a",
    b"/a%0d%0aset-cookie:x=1", b"/a\r\nset-cookie: x=1", b"/" + b"a" * 1100, b"", b"desk", b"*",
    b"http://evil.example/desk", b"/desk/../panic", b"/desk/..", b"/desk/.", b"/%7f", b"/a%2Fb",
    b"/_nicegui/../secrets.json", b"/static/%2e%2e/%2e%2e/ui/secrets.json", b"/\x80\x01",
]  # fmt: skip


@pytest.mark.parametrize("raw", PATHS)
def test_path_tricks(inside, session, raw):
    path = unquote_to_bytes(raw).decode("latin-1")
    answer = wire(inside.app, "GET", "/", inside.headers(), raw_path=raw, path=path or "/x")
    assert answer.status in (400, 414)
    nothing_happened(inside, session)


@pytest.mark.parametrize("query", ["a=%0d%0aset-cookie:x", "a=%00", "q=" + "a" * 4100])
def test_query_tricks(inside, session, query):
    assert inside.get(f"/desk?{query}").status in (400, 414)
    nothing_happened(inside, session)


@pytest.mark.parametrize(
    "extra",
    [
        [("host", "127.0.0.1:8600")], [("Host", "evil.example")], [("cookie", "a=b")],
        [("origin", "http://127.0.0.1:8600"), ("origin", "http://127.0.0.1:8600")],
        [("content-length", "0"), ("content-length", "5")],
        [("content-length", "5"), ("transfer-encoding", "chunked")],
        [("authorization", "Bearer a"), ("Authorization", "Bearer b")],
        [("sec-fetch-site", "same-origin"), ("sec-fetch-site", "cross-site")],
        [("x-a", "b\r\nset-cookie: x=1")], [("x-a", "b\nc")], [("x-a", "b\x00c")], [("x\ra", "b")],
        [("x-big", "a" * 16_500)], [(f"x-{n}", "a") for n in range(80)],
        [("accept", "\x7f")], [("sec-fetch-site", "cross-site")], [("sec-fetch-site", "same-site")],
        [("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "no-cors"),
         ("sec-fetch-dest", "script")],
        [("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate"),
         ("sec-fetch-dest", "iframe")],
        [("content-length", "-1")], [("content-length", "1e3")],
        [("content-length", "99999999999999")],
        [("content-length", "+5")], [("content-length", "\u00b2")],
    ],
)  # fmt: skip
def test_header_tricks(inside, session, extra):
    answer = wire(inside.app, "GET", "/desk", inside.headers() + extra)
    assert answer.status in (400, 403, 413, 431)
    nothing_happened(inside, session)


def test_without_a_host_nothing_is_shown(inside, session):
    assert inside.get("/desk", host=None).status == 400
    nothing_happened(inside, session)


def test_a_link_elsewhere_leads_here(inside):
    told = {
        "sec_fetch_site": "cross-site",
        "sec_fetch_mode": "navigate",
        "sec_fetch_dest": "document",
    }
    assert inside.get("/desk", **told).status == 200
    assert inside.post("/desk", {}, **told).status == 403


@pytest.mark.parametrize("is_told", [True, False])
@pytest.mark.parametrize("target", ["/desk", "/panic", "/login"])
def test_a_body_that_is_too_large(inside, session, is_told, target):
    chunks = [b"a" * 65_536] * (BODY_LONGEST // 65_536 + 1)
    told = {"origin": inside.origin, "content_type": "application/x-www-form-urlencoded"}
    if is_told:
        told["content_length"] = str(sum(map(len, chunks)))
    headers = inside.headers(**told)

    async def reads_all(scope, receive, send):
        while (await receive()).get("more_body"):
            pass
        inside.reached.append("read")

    inside.app._app = reads_all if target == "/desk" else inside.app._app
    answer = wire(inside.app, "POST", target, headers, chunks=chunks)
    assert answer.status in (400, 413)
    nothing_happened(inside, session)


# --- forms and links ----------------------------------------------------------------------------


@pytest.mark.parametrize("key", [None, "", "0" * 64, "of another session", "é"])
@pytest.mark.parametrize("target", ["/panic", "/logout"])
def test_a_form_without_the_key_of_its_session(inside, session, key, target):
    page = "/panic/halt?session=paper" if target == "/panic" else "/logout"
    fields = Fields.of(inside.get(page).text, "form_key")
    fields.pop("form_key")
    if key is not None:
        fields["form_key"] = form_key("x" * 43) if key == "of another session" else key
    assert inside.post(target, fields).status == 403
    assert inside.get("/desk").status == 200
    assert commands_in(session) == []


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/json", "multipart/form-data", "", None]
)
def test_a_form_of_another_type(inside, session, kind):
    fields = Fields.of(inside.get("/panic/halt?session=paper").text, "act")
    assert inside.post("/panic", fields, content_type=kind).status == 400
    assert commands_in(session) == []


@pytest.mark.parametrize(
    "body",
    [b"\xff\xfe", b"a=%ff", b"act=halt&act=halt", b"&" * 100, b"=".join([b"a"] * 3000),
     b"a=1&" * 50, b"noequals", b"a=" + b"b" * 9000],
)  # fmt: skip
def test_a_form_that_cannot_be_read(inside, session, body):
    told = {"origin": inside.origin, "content_type": "application/x-www-form-urlencoded"}
    answer = wire(inside.app, "POST", "/panic", inside.headers(**told), body)
    assert answer.status in (400, 403)
    assert commands_in(session) == []


@pytest.mark.parametrize("token", ["", "x", "a" * 43, "\xe9", "a" * 4000, "../secrets", None])
def test_a_link_that_was_never_made(screen, session, token):
    screen.door.invite()
    target = "/first" if token is None else "/first?" + urlencode({"token": token})
    assert screen.get(target).status == 403
    nothing_happened(screen, session)


@pytest.mark.parametrize("again", ["used", "old", "replaced"])
def test_a_link_works_once_and_not_for_long(screen, session, again):
    token = screen.door.invite()
    fields = Fields.of(screen.get(f"/first?token={token}").text) | {
        "passphrase": PASSPHRASE, "again": PASSPHRASE,
    }  # fmt: skip
    if again == "used":
        assert screen.post("/first", fields).status == 200
    elif again == "old":
        screen.now_ns += 601 * 10**9
    else:
        screen.door.invite()
    screen.jar = {k: v for k, v in screen.jar.items() if k == screen.names.form}
    assert screen.get(f"/first?token={token}").status == 403
    assert screen.post("/first", fields | {"passphrase": "another four words"}).status == 403
    assert screen.names.session not in screen.jar
    nothing_happened(screen, session)


# --- programs -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "authorization",
    ["", "Bearer", "Bearer ", "Bearer x", "Basic TOKEN", "TOKEN", "Bearer TOKENx", "Bearer lh_",
     "bearer lh_" + "a" * 43, "Bearer TOKEN TOKEN", "Bearer \xff", "Bearer REVOKED", "Bearer HASH"],
)  # fmt: skip
def test_a_token_that_is_none_commands_nothing(inside, session, authorization):
    token, revoked = (inside.door.make_token(name, "command") for name in ("a", "b"))
    inside.door.revoke_token("b")
    told = authorization.replace("TOKEN", token).replace("REVOKED", revoked)
    told = told.replace("HASH", hashed(token))
    for more in ({"cookie": None}, {"cookie": inside.headers()[-1][1]}):
        answer = inside.program("POST", "/sessions/paper/halt", token, {}, authorization=told,
                                **(KEY | more))  # fmt: skip
        assert answer.status == 401
    nothing_happened(inside, session)


def test_a_token_that_may_read_commands_nothing(inside, session):
    token = inside.door.make_token("a", "read")
    assert inside.program("GET", "/sessions", token).status == 200
    for what in ("halt", "adopt", "ignore", "override/follow"):
        assert inside.program("POST", f"/sessions/paper/{what}", token, {}, **KEY).status == 403
    nothing_happened(inside, session)


def test_a_person_s_cookie_commands_nothing_by_the_api(inside, session):
    body = json.dumps({}).encode()
    told = {"origin": inside.origin, "content_type": "application/json", **KEY}
    answer = wire(inside.app, "POST", "/api/v1/sessions/paper/halt", inside.headers(**told), body)
    assert answer.status == 403
    nothing_happened(inside, session)


@pytest.mark.parametrize("target", ["/desk", "/panic", "/", "/logout", "/apix", "/API/v1/sessions"])
def test_a_token_opens_no_page(inside, session, target):
    token = inside.door.make_token("a", "command")
    answer = inside.get(target, cookie=None, authorization=f"Bearer {token}")
    assert answer.status in (303, 401)
    nothing_happened(inside, session)


def test_a_damaged_file_of_secrets_lets_nobody_in(inside, session, tmp_path):
    (tmp_path / "ui" / "secrets.json").write_text('{"sessions": ')
    token = "lh_" + "a" * 43
    assert inside.get("/desk").status == 303
    assert inside.program("GET", "/sessions", token).status == 401
    nothing_happened(inside, session)

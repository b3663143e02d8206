"""The API: what it tells is what the session tells; what is asked is asked once."""

from __future__ import annotations

import time

import pytest
from screens import Screen, commands_in, wire

from litehedge.market import events as ev
from litehedge.ui import api
from litehedge.ui.seen import Seen

KEY = "0123456789abcdef"
HOURS = 3600 * 10**9


@pytest.fixture
def token(screen):
    return screen.door.make_token("tests", "command")


def ask(screen: Screen, token: str, what: str, body=None, key: str | None = KEY):
    return screen.program("POST", f"/sessions/paper/{what}", token, body, idempotency_key=key)


def test_what_it_tells_is_what_the_session_tells(screen, token):
    seen = screen.home.meant("paper").seen
    account = seen.account()
    listed = screen.program("GET", "/sessions", token).json
    assert [one["name"] for one in listed] == ["paper"]
    assert listed[0] == {"name": "paper", "mode": "paper", "runs": False, "health": "down"}
    status = screen.program("GET", "/sessions/paper", token).json
    assert status["price_usdt"] == seen.price
    assert status["trading_state"] == "ACTIVE"
    assert status["liquidation_distance"] == account.away
    told = screen.program("GET", "/sessions/paper/account", token).json
    assert (told["side"], told["equity_usdt"]) == ("long", account.equity_usdt)
    assert told["liquidation_price_usdt"] == account.liquidation
    feeds = screen.program("GET", "/sessions/paper/feeds", token).json
    assert {"bar", "book", "mark"} <= {feed["kind"] for feed in feeds}
    alerts = screen.program("GET", "/sessions/paper/alerts", token).json
    assert [alert["text"] for alert in alerts] == [a.text for _, a in reversed(seen.alerts)]


def test_what_is_not_known_is_null(screen, token):
    watching = screen.home.meant("paper")
    decision = watching.seen.decision
    assert decision.recommendation.target == decision.recommendation.target
    forecast = screen.program("GET", "/sessions/paper/forecast", token)
    assert forecast.status == 200
    assert b"NaN" not in forecast.body
    watching.seen.price = float("nan")
    assert screen.program("GET", "/sessions/paper", token).json["price_usdt"] is None
    assert screen.program("GET", "/sessions/paper/account", token).json is None


def test_pages_of_decisions_hold_each_once_newest_first(screen, token):
    seen, target, pages = [], "/sessions/paper/decisions?limit=50", 0
    while target:
        page = screen.program("GET", target, token).json
        seen += [decision["time_ns"] for decision in page["decisions"]]
        pages += 1
        target = page["next"] and f"/sessions/paper/decisions?limit=50&before={page['next']}"
    assert pages == 3
    assert seen == sorted(set(seen), reverse=True)
    newest = screen.home.meant("paper").seen.decisions
    assert seen[: len(newest)] == [d.time_ns for d in reversed(newest)]


@pytest.mark.parametrize(
    ("what", "body", "command"),
    [
        ("halt", {}, ev.Halt(7, 7, "a program asked")),
        ("halt", {"reason": "storm"}, ev.Halt(7, 7, "storm")),
        ("resume", {"word": "RESUME"}, ev.Resume(7, 7, "RESUME")),
        ("override/follow", None, ev.Follow(7, 7)),
        ("close-all", {"words": "CLOSE ALL"}, ev.CloseAll(7, 7, "a program asked")),
        ("adopt", None, ev.Adopt(7, 7)),
        ("ignore", None, ev.Ignore(7, 7)),
    ],
)
def test_a_command_is_asked_once_however_often_it_is_sent(
    screen, session, token, what, body, command
):
    screen.now_ns = time.time_ns()
    first = ask(screen, token, what, body)
    assert first.status == 202
    assert first.json["is_new"] is True
    screen.begin()
    again = ask(screen, token, what, body)
    assert again.status == 202
    assert again.json == first.json | {"is_new": False}
    assert commands_in(session) == [command]
    assert ask(screen, token, what, body, "another-key-entirely").json["is_new"] is True


def test_overrides_end_by_themselves(screen, session, token):
    screen.now_ns = time.time_ns()
    ask(screen, token, "override/set", {"ratio": 0.5, "lasts_s": 21_600}, "key-of-the-first")
    screen.now_ns += HOURS  # sent again later: it still ends when it was to
    ask(screen, token, "override/set", {"ratio": 0.5, "lasts_s": 21_600}, "key-of-the-first")
    ask(screen, token, "override/freeze", {"lasts_s": 1800}, "key-of-the-second")
    hold, freeze = commands_in(session)
    assert hold == ev.SetHedge(7, 7, 0.5, screen.now_ns + 5 * HOURS)
    assert freeze == ev.Freeze(7, 7, screen.now_ns + HOURS // 2)


def test_in_a_demo_overrides_are_counted_by_its_own_clock(screen, session, token, monkeypatch):
    monkeypatch.setattr(Seen, "mode", "demo")
    screen.now_ns = time.time_ns()
    status = screen.program("GET", "/sessions/paper", token).json
    assert 0 < status["now_ns"] < screen.now_ns - 1000 * HOURS  # its market is of another year
    ask(screen, token, "override/set", {"ratio": 0.5, "lasts_s": 3600}, "key-of-the-first")
    ask(screen, token, "override/freeze", {"lasts_s": 3600}, "key-of-the-second")
    assert [c.until_ns for c in commands_in(session)] == [status["now_ns"] + HOURS] * 2


@pytest.mark.parametrize(
    ("what", "body", "status"),
    [
        ("resume", {"word": "resume"}, 422), ("resume", {}, 422), ("resume", {"word": None}, 422),
        ("close-all", {"words": "CLOSE"}, 422), ("close-all", {"words": "close all"}, 422),
        ("override/set", {"ratio": 1.5, "lasts_s": 21_600}, 422),
        ("override/set", {"ratio": -0.1, "lasts_s": 21_600}, 422),
        ("override/set", {"ratio": "0.5", "lasts_s": 21_600}, 422),
        ("override/set", {"ratio": 0.5, "lasts_s": 691_200}, 422),
        ("override/set", {"ratio": 0.5, "lasts_s": 0}, 422),
        ("override/set", {"ratio": 0.5, "lasts_s": 10**400}, 422),
        ("override/freeze", {"lasts_s": "soon"}, 422), ("override/freeze", {}, 422),
        ("halt", {"reason": "a\nb"}, 422), ("halt", {"reason": "x" * 201}, 422),
        ("halt", {"raeson": "storm"}, 422), ("halt", [], 422), ("halt", "x", 422),
        ("sell", {}, 404), ("override", {}, 404),
    ],
)  # fmt: skip
def test_what_cannot_be_asked_is_told_in_one_shape_and_not_asked(
    screen, session, token, what, body, status
):
    answer = ask(screen, token, what, body)
    assert answer.status == status
    assert set(answer.json) == {"error"}
    assert set(answer.json["error"]) == {"code", "what", "remedy"}
    assert commands_in(session) == []


def test_numbers_that_are_none_are_refused(screen, session, token):
    for ratio in ("NaN", "Infinity", "-Infinity", "1e999"):
        body = f'{{"ratio": {ratio}, "lasts_s": 21_600}}'.encode()
        told = {"cookie": None, "authorization": f"Bearer {token}", "idempotency_key": KEY,
                "content_type": "application/json"}  # fmt: skip
        target = f"{api.AT}/sessions/paper/override/set"
        assert wire(screen.app, "POST", target, screen.headers(**told), body).status == 422
    assert commands_in(session) == []


@pytest.mark.parametrize(
    "key", [None, "", "short", "x" * 65, "a key with spaces", "k\u00e9y-of-mine"]
)
def test_a_command_needs_a_key(screen, session, token, key):
    assert ask(screen, token, "halt", {}, key).status == 422
    assert commands_in(session) == []


def test_a_key_is_for_one_request(screen, session, token):
    screen.now_ns = time.time_ns()
    assert ask(screen, token, "halt", {}).status == 202
    answer = ask(screen, token, "halt", {"reason": "other"})
    assert answer.status == 409
    assert answer.json["error"]["code"] == "conflict"
    other = screen.door.make_token("other", "command")
    assert ask(screen, other, "adopt").status == 202  # his keys are his own
    assert len(commands_in(session)) == 2


def test_what_was_cut_off_is_not_done_again_unseen(screen, session, token, monkeypatch, caplog):
    class Dies(Exception):
        pass

    def die(command):
        raise Dies

    watching = screen.home.meant("paper")
    monkeypatch.setattr(watching, "ask", die)
    failed = ask(screen, token, "adopt")
    assert failed.status == 500
    assert failed.json["error"]["code"] == "went_wrong"
    assert "Dies" in caplog.text
    monkeypatch.undo()
    answer = ask(screen, token, "adopt")
    assert answer.status == 409
    assert "cut off" in answer.json["error"]["what"]
    assert commands_in(session) == []


def test_what_cannot_be_written_may_be_sent_again(screen, session, token):
    screen.now_ns = time.time_ns()
    session.inbox.mkdir()
    answer = ask(screen, token, "halt", {})
    assert answer.status == 503
    session.inbox.rmdir()
    assert ask(screen, token, "halt", {}).json["is_new"] is True
    assert len(commands_in(session)) == 1


@pytest.mark.parametrize("name", ["other", "..", "PAPER", "paper%00", "a" * 41])
def test_a_session_that_is_not_there(screen, token, name):
    assert screen.program("GET", f"/sessions/{name}", token).status in (400, 404, 422)


def test_a_person_s_session_reads(screen):
    screen.come_in()
    assert screen.get("/api/v1/sessions").json[0]["name"] == "paper"


def test_without_a_guard_it_tells_nothing(screen, session):
    from screens import wire

    from litehedge.ui import api

    app = api.api(screen.home, screen.once, screen.binding)
    for target in ("/sessions", "/sessions/paper", "/sessions/paper/decisions"):
        assert wire(app, "GET", target, [("host", "x")]).status == 401
    told = [("host", "x"), ("idempotency-key", KEY), ("content-type", "application/json")]
    assert wire(app, "POST", "/sessions/paper/halt", told, b"{}").status == 401
    assert commands_in(session) == []


def test_openapi_describes_every_field(screen, token):
    spec = screen.program("GET", "/openapi.json", token).json
    assert spec["openapi"].startswith("3.")
    assert spec["servers"] == [{"url": "/api/v1"}]
    for name, model in spec["components"]["schemas"].items():
        for field, told in model.get("properties", {}).items():
            assert told.get("description") or "$ref" in told, f"{name}.{field}"

"""Coming in and leaving: the link, the passphrase, sessions over restarts, guesses that wait."""

from __future__ import annotations

import re
import stat
import threading

import pytest
from screens import PASSPHRASE, QUICK, Fields, Screen

from litehedge.errors import DataError, UsageError
from litehedge.ui import door as doors
from litehedge.ui.door import IDLE_NS, TOUCH_NS, Door, Refused
from litehedge.ui.login import link_to, qr_text
from litehedge.ui.vault import Vault

DAY = 86_400 * 10**9


@pytest.fixture
def inside(screen):
    screen.come_in()
    return screen


def login(screen: Screen, passphrase: str, **more):
    fields = Fields.of(screen.get("/login").text, "passphrase")
    return screen.post("/login", fields | {"passphrase": passphrase} | more)


def test_the_first_time_a_link_leads_to_a_passphrase_and_in(screen):
    assert "Nobody has chosen a passphrase yet" in screen.get("/login").text
    token = screen.door.invite()
    assert link_to(screen.binding, token) == f"http://127.0.0.1:8600/first?token={token}"
    page = screen.get(f"/first?token={token}")
    assert page.status == 200
    fields = Fields.of(page.text)
    weak = screen.post("/first", fields | {"passphrase": "short", "again": "short"})
    assert weak.status == 422
    assert 'id="passphrase-error"' in weak.text
    assert 'value="short"' not in weak.text
    differ = screen.post("/first", fields | {"passphrase": PASSPHRASE, "again": "other"})
    assert 'id="again-error"' in differ.text
    done = screen.post("/first", fields | {"passphrase": PASSPHRASE, "again": PASSPHRASE})
    assert done.status == 200
    assert 'http-equiv="refresh" content="0; url=/"' in done.text
    assert screen.get("/desk").status == 200
    assert not screen.door.needs_link


def test_looking_at_a_link_does_not_use_it_up(screen):
    token = screen.door.invite()
    for _ in range(3):
        assert screen.get(f"/first?token={token}").status == 200
    assert screen.names.session not in screen.jar


def test_in_the_demo_the_link_lets_in_once(session, tmp_path):
    screen = Screen(tmp_path, is_demo=True)
    token = screen.door.invite()
    assert screen.get(f"/first?token={token}").status == 200
    assert screen.get("/desk").status == 200
    screen.jar.clear()
    assert screen.get(f"/first?token={token}").status == 403
    assert screen.get("/desk").status == 303


def test_later_the_passphrase_lets_in_and_leads_to_where_one_was_going(inside):
    inside.jar.clear()
    lost = inside.get("/panic?session=paper")
    assert lost.status == 303
    page = inside.get(lost.header("location"))
    fields = Fields.of(page.text, "passphrase")
    wrong = inside.post("/login", fields | {"passphrase": "not this one at all"})
    assert wrong.status == 401
    assert "that is not the passphrase" in wrong.text
    assert Fields.of(wrong.text, "passphrase")["next"] == "/panic?session=paper"
    assert "not this one" not in wrong.text
    done = inside.post("/login", fields | {"passphrase": PASSPHRASE})
    assert 'content="0; url=/panic?session=paper"' in done.text
    assert inside.get("/panic?session=paper").status == 200


@pytest.mark.parametrize(
    "where",
    ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:1", "", "/a\nb"],
)
def test_it_leads_nowhere_else(inside, where):
    inside.jar.clear()
    done = login(inside, PASSPHRASE, next=where)
    assert 'content="0; url=/"' in done.text


def test_cookies_are_for_this_screen_alone(inside, tmp_path, left_session):
    inside.jar.clear()
    set_ = [v for k, v in login(inside, PASSPHRASE).headers if k == "set-cookie"]
    assert len(set_) == 2
    for one in set_:
        told = one.lower()
        assert "httponly" in told
        assert "samesite=strict" in told
        assert "path=/" in told
        assert "domain" not in told
        assert "secure" not in told
    proxied = Screen(tmp_path / "other", behind_proxy=True)
    token = proxied.door.invite()
    assert token in link_to(proxied.binding, token)
    (form,) = (v for k, v in proxied.get(f"/first?token={token}").headers if k == "set-cookie")
    assert form.startswith("__Host-litehedge-form-8600=")
    assert "; Secure" in form


def test_nothing_on_disk_opens_a_door_and_nobody_else_reads_it(inside, tmp_path):
    token = inside.door.make_token("grafana", "read")
    link = inside.door.invite()
    file = tmp_path / "ui" / "secrets.json"
    text = file.read_text()
    for secret in (PASSPHRASE, token, link, *inside.jar.values()):
        assert secret not in text
    assert "$argon2id$" in text
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert not list(file.parent.glob("*.partial"))


def test_sessions_outlive_the_screen(inside):
    inside.begin()
    assert inside.get("/desk").status == 200


def test_a_session_that_is_used_lasts_a_month_and_one_that_is_not_a_week(inside):
    for _ in range(5):
        inside.now_ns += 6 * DAY
        assert inside.get("/desk").status == 200
        inside.begin()  # its last use is on disk
    inside.now_ns += DAY
    assert inside.get("/desk").status == 303
    login(inside, PASSPHRASE)
    inside.now_ns += 7 * DAY + 1
    assert inside.get("/desk").status == 303


def test_at_three_in_the_morning_the_phone_is_still_in(inside):
    inside.now_ns += 15 * 3600 * 10**9
    assert inside.get("/panic").status == 200


def test_leaving_here_and_everywhere(inside):
    phone, inside.jar = inside.jar, {}
    login(inside, PASSPHRASE)
    desk = dict(inside.jar)
    page = inside.get("/logout").text
    assert inside.post("/logout", Fields.of(page, "form_key") | {"where": "here"}).status == 303
    assert inside.names.session not in inside.jar
    inside.jar = dict(desk)
    assert inside.get("/desk").status == 303
    inside.jar = dict(phone)
    assert inside.get("/desk").status == 200
    page = inside.get("/logout").text
    inside.post("/logout", Fields.of(page, "form_key") | {"where": "everywhere"})
    for jar in (phone, desk):
        inside.jar = dict(jar)
        assert inside.get("/desk").status == 303


def test_guesses_wait_longer_and_longer_and_are_not_looked_at_meanwhile(inside):
    inside.jar.clear()
    for _ in range(3):
        assert login(inside, "wrong wrong wrong").status == 401
    answer = login(inside, PASSPHRASE)
    assert answer.status == 429
    assert "wait" in answer.text
    assert int(answer.header("retry-after")) >= 1
    waits = []
    for _ in range(8):
        inside.steady_s += waits[-1] if waits else 1.0
        assert login(inside, "wrong wrong wrong").status == 401
        waits.append(float(login(inside, "wrong wrong wrong").header("retry-after")))
    assert waits == sorted(waits)
    assert waits[-1] == 61.0
    inside.steady_s += 61.0
    assert login(inside, PASSPHRASE).status == 200


def test_who_guesses_does_not_keep_a_known_device_out(inside):
    device = {inside.names.device: inside.jar[inside.names.device]}
    inside.jar.clear()
    for _ in range(10):
        login(inside, "wrong wrong wrong")
    assert login(inside, PASSPHRASE).status == 429
    inside.jar = dict(device)
    assert login(inside, PASSPHRASE).status == 200


def test_a_forgotten_passphrase_is_reset_where_it_runs(inside, tmp_path):
    token = inside.door.make_token("a", "command")
    doors.reset(tmp_path / "ui")
    assert inside.get("/desk").status == 303
    assert inside.program("GET", "/sessions", token).status == 401
    assert inside.door.needs_link
    inside.jar.clear()
    inside.come_in()
    assert inside.get("/desk").status == 200


def test_a_damaged_file_is_reset_too(inside, tmp_path):
    (tmp_path / "ui" / "secrets.json").write_text("{")
    with pytest.raises(DataError, match="--reset"):
        Door(tmp_path / "ui", hasher=QUICK)
    doors.reset(tmp_path / "ui")
    assert Door(tmp_path / "ui", hasher=QUICK).needs_link


def test_a_second_link_cannot_replace_a_passphrase(inside):
    token = inside.door.invite()
    with pytest.raises(Refused, match="already"):
        inside.door.begin(token, "another four words here")
    inside.jar.clear()
    assert login(inside, PASSPHRASE).status == 200


@pytest.mark.parametrize(
    "passphrase", ["", "short", "a" * 12, "abababababababab", "x" * 257, "eleven sign"]
)
def test_weak_passphrases_are_refused_with_why(screen, passphrase):
    with pytest.raises(Refused, match=r"short|long|same"):
        screen.door.begin(screen.door.invite(), passphrase)


def test_tokens_are_made_listed_and_revoked(inside):
    inside.door.make_token("b", "command")
    inside.door.make_token("a", "read")
    assert [(t.name, t.scope) for t in inside.door.tokens()] == [("a", "read"), ("b", "command")]
    with pytest.raises(UsageError, match="already"):
        inside.door.make_token("a", "read")
    inside.door.revoke_token("a")
    with pytest.raises(UsageError, match="no token"):
        inside.door.revoke_token("a")
    for name in ("", "x" * 41, "a\nb"):
        with pytest.raises(UsageError, match="no name"):
            inside.door.make_token(name, "read")


def test_what_another_process_changes_counts_at_once(inside, tmp_path):
    other = Door(tmp_path / "ui", now_ns=lambda: inside.now_ns, hasher=QUICK)
    token = other.make_token("a", "read")
    assert inside.program("GET", "/sessions", token).status == 200
    other.leave_everywhere()
    assert inside.get("/desk").status == 303


def test_the_same_signs_typed_otherwise_are_the_same_passphrase(screen):
    screen.door.begin(screen.door.invite(), "caf\u00e9 vier W\u00f6rter hier")
    assert screen.door.login("cafe\u0301 vier Wo\u0308rter hier", "127.0.0.1")


def test_the_qr_code_is_drawn_with_characters():
    lines = qr_text("http://127.0.0.1:8600/first?token=" + "a" * 43).splitlines()
    assert len(lines) > 15
    drawn = [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in lines]
    assert {len(line) for line in drawn} == {len(drawn[0])}


def test_login_pages_have_no_script(screen):
    token = screen.door.invite()
    for target in ("/login", f"/first?token={token}", "/first?token=x"):
        page = screen.get(target)
        found = Fields()
        found.feed(page.text)
        assert found.scripts == 0
        assert page.header("content-security-policy").startswith("default-src 'none'")


def test_a_full_disk_shuts_out_nobody_who_is_in(tmp_path, monkeypatch):
    now_ns = [10**18]
    door = Door(tmp_path / "ui", is_demo=True, now_ns=lambda: now_ns[0])
    cookie = door.enter(door.invite())
    now_ns[0] += 2 * TOUCH_NS

    def refuses(vault, payload):
        raise DataError("it cannot be written (no space left)", "nothing was changed")

    monkeypatch.setattr(Vault, "_write", refuses)
    assert door.who(cookie) is not None
    door.settle()
    now_ns[0] += IDLE_NS + 1
    assert door.who(cookie) is None


def test_the_use_of_a_session_is_on_disk_and_nobody_waits_for_it(tmp_path, monkeypatch):
    now_ns = [10**18]
    door = Door(tmp_path / "ui", is_demo=True, now_ns=lambda: now_ns[0])
    cookie = door.enter(door.invite())
    now_ns[0] += 2 * TOUCH_NS
    goes_on, writes, write = threading.Event(), [], Vault._write

    def slow(vault, payload):
        writes.append(threading.current_thread())
        assert goes_on.wait(20.0)
        write(vault, payload)

    monkeypatch.setattr(Vault, "_write", slow)
    for _ in range(3):  # while the disk is at it
        assert door.who(cookie) is not None
    goes_on.set()
    door.settle()
    assert len(writes) == 1
    assert writes[0] is not threading.current_thread()
    other = Door(tmp_path / "ui", now_ns=lambda: now_ns[0])  # of another process, or after a start
    now_ns[0] += IDLE_NS - TOUCH_NS
    assert other.who(cookie) is not None
    other.settle()

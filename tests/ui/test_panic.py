"""The panic page: what is asked there is asked once, in stages, without a script."""

from __future__ import annotations

import math
import os
import re
import time
from dataclasses import replace

import pytest
from screens import Fields, Screen, Sitting, commands_in, copy_session

from litehedge.live.session import held, session_at
from litehedge.market import events as ev
from litehedge.ui.seen import Seen

TICK = '<span class="hg-done">&#10003;</span> '


@pytest.fixture
def inside(screen):
    screen.come_in()
    return screen


def confirmed(screen: Screen, page: str = "/panic/halt?session=paper"):
    return screen.post("/panic", Fields.of(screen.get(page).text, "act"))


def test_the_page_has_no_script_and_may_load_nothing(inside):
    page = inside.get("/panic")
    assert page.status == 200
    found = Fields()
    found.feed(page.text)
    assert found.scripts == 0
    policy = page.header("content-security-policy")
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "script-src" not in policy
    assert "frame-ancestors 'none'" in policy
    assert not re.search(r"(src|href)=\"(https?:)?//", page.text)


def test_it_shows_what_matters_and_what_it_does_not_do(inside):
    page = inside.get("/panic").text
    assert "Trading is active" in page
    assert "Paper account" in page
    assert re.search(r'hg-hero">\d+\.\d%', page)
    for told in ("liquidation at", "hedge", "equity", "the price would have to fall",
                 "Your open position and hedge stay as they are"):  # fmt: skip
        assert told in page


def test_one_tap_asks_nothing_and_the_confirm_asks_once(inside, session):
    page = inside.get("/panic/halt?session=paper")
    assert "Halt trading?" in page.text
    assert not session.inbox.exists()
    fields = Fields.of(page.text, "act")
    first = inside.post("/panic", fields)
    assert first.status == 303
    again = inside.post("/panic", fields)  # a double tap, or a form sent again
    assert again.status == 303
    assert commands_in(session) == [ev.Halt(7, 7, "a person asked, on the panic page")]


def test_a_reload_after_asking_asks_nothing(inside, session):
    where = confirmed(inside).header("location")
    for _ in range(3):
        assert inside.get(where).status == 200
    assert len(commands_in(session)) == 1


def test_a_form_sent_again_after_a_restart_of_the_screen_asks_nothing(inside, session):
    fields = Fields.of(inside.get("/panic/halt?session=paper").text, "act")
    inside.post("/panic", fields)
    inside.begin()
    assert inside.post("/panic", fields).status == 303
    assert len(commands_in(session)) == 1


def test_stages_until_it_is_halted_and_on_again(tmp_path):
    session = session_at(tmp_path, "paper")
    sitting = Sitting(session)
    sitting.go(60)
    screen = Screen(tmp_path)
    screen.come_in()
    with held(session):
        assert "does not run" not in screen.get("/panic").text
        where = confirmed(screen).header("location")
        page = screen.get(where).text
        assert "asked at" in page
        assert "not yet received" in page
        assert 'http-equiv="refresh"' in page
        sitting.go(5)
        page = screen.get(where).text
        assert TICK + "received: the session&#x27;s journal shows it" in page
        assert TICK + "done: trading is halted" in page
        assert "Trading is halted" in page
        assert 'http-equiv="refresh"' not in page
        fields = Fields.of(screen.get("/panic").text, "act") | {"word": "RESUME"}
        assert fields["act"] == "resume"
        where = screen.post("/panic", fields).header("location")
        sitting.go(5)
        page = screen.get(where).text
        assert TICK + "done: trading is active" in page
        assert "Trading is active" in page
    sitting.close()
    screen.home.close()


def test_closing_is_done_only_when_nothing_is_held(tmp_path):
    session = session_at(tmp_path, "paper")
    sitting = Sitting(session)
    sitting.go(60)
    screen = Screen(tmp_path)
    screen.come_in()
    with held(session):
        page = screen.get("/panic").text
        fields = Fields.of(page, "word") | {"word": "CLOSE ALL"}
        where = screen.post("/panic", fields).header("location")
        assert "not yet done" in screen.get(where).text
        sitting.go(30)
        page = screen.get(where).text
        assert TICK + "done: position and hedge are closed" in page
        assert "No position is open" in page
    sitting.close()
    screen.home.close()


@pytest.mark.parametrize("word", ["", "close all", "CLOSEALL", "RESUME", "CLOSE ALL <b>"])
def test_without_the_typed_words_nothing_is_asked_and_what_was_typed_stays(inside, session, word):
    fields = Fields.of(inside.get("/panic").text, "word") | {"word": word}
    answer = inside.post("/panic", fields)
    assert answer.status == 422
    assert "the words are CLOSE ALL" in answer.text
    assert Fields.of(answer.text, "word")["word"] == word
    assert "<b>" not in answer.text
    assert commands_in(session) == []


@pytest.mark.parametrize(
    "change",
    [{"form_key": ""}, {"form_key": "0" * 64}, {"act": "sell"}, {"act": ""}, {"key": "x"},
     {"key": "k" * 65}, {"session": "other"}, {"session": "../paper"}, {"session": ""}],
)  # fmt: skip
def test_a_form_that_is_not_ours_asks_nothing(inside, session, change):
    fields = Fields.of(inside.get("/panic/halt?session=paper").text, "act") | change
    assert inside.post("/panic", fields).status in (400, 403, 404)
    assert commands_in(session) == []


def test_a_demo_that_is_over_leaves_nobody_unguarded(inside, session):
    session.aside.write_text('{"over": "The demo is over: it survived."}')
    page = inside.get("/panic").text
    assert "The demo is over: it survived." in page
    assert "nobody guards" not in page


def test_a_session_that_does_not_run_is_told(inside):
    page = inside.get("/panic").text
    assert "does not run: nobody guards" in page
    told = inside.get(confirmed(inside).header("location")).text
    assert "this counts at its next start" in told


def test_one_that_says_nothing_new_is_told(inside, session):
    for file in session.folder.iterdir():
        os.utime(file)  # written now
    with held(session):
        assert "Nothing new" not in inside.get("/panic").text
        inside.home.meant("paper")._monotonic_s = lambda: time.monotonic() + 3600.0
        assert re.search(r"Nothing new for 3,6\d\d s", inside.get("/panic").text)


def test_with_several_sessions_one_chooses(inside, left_session, tmp_path):
    copy_session(left_session, tmp_path, "second")
    page = inside.get("/panic").text
    assert "Other sessions" in page
    assert 'href="/panic?session=' in page
    assert "session second" in inside.get("/panic?session=second").text
    assert "Choose one" in inside.get("/panic?session=third").text
    confirmed(inside, "/panic/halt?session=second")
    assert len(commands_in(session_at(tmp_path, "second"))) == 1
    assert commands_in(session_at(tmp_path, "paper")) == []


def test_without_any_session_it_says_so(tmp_path):
    screen = Screen(tmp_path)
    screen.come_in()
    assert screen.get("/panic").status == 404
    assert "There is no session" in screen.get("/panic").text


def test_what_cannot_be_written_is_told_and_may_be_asked_again(inside, session):
    session.inbox.write_bytes(b"this is no database, but long enough to be looked at" * 9)
    fields = Fields.of(inside.get("/panic/halt?session=paper").text, "act")
    answer = inside.post("/panic", fields)
    assert answer.status == 503
    assert "cannot be opened" in answer.text
    session.inbox.unlink()
    assert inside.post("/panic", fields).status == 303
    assert len(commands_in(session)) == 1


def test_it_names_no_way_to_a_liquidation_that_no_price_brings(inside, monkeypatch):
    account = inside.home.meant("paper").seen.account()
    safe = replace(account, liquidation=math.nan, away=1.0)
    monkeypatch.setattr(Seen, "account", lambda seen: safe)
    page = inside.get("/panic").text
    assert "No price liquidates this account" in page
    assert "the price would have to" not in page
    above = replace(account, side="long", liquidation=2.0 * inside.home.meant("paper").seen.price)
    monkeypatch.setattr(Seen, "account", lambda seen: above)
    assert "the price would have to rise" in inside.get("/panic").text


def test_a_position_is_not_denied_where_no_price_is_known(inside):
    inside.home.meant("paper").seen.price = math.nan
    page = inside.get("/panic").text
    assert "A position is open; no price is known yet." in page
    assert "No position is open" not in page

"""Following sessions: nothing is lost, nothing comes twice, and no trouble stops the others."""

from __future__ import annotations

import asyncio
import shutil
import threading

import pytest

from litehedge.live.session import session_at
from litehedge.market import events as ev
from litehedge.store.journal import Journal
from litehedge.store.tail import Tail
from litehedge.ui import watching as module
from litehedge.ui.seen import Seen
from litehedge.ui.watching import REST_S, WANTED_S, Home, Watching, meant
from litehedge.units import NS_PER_SECOND
from litehedge_runs import header


def _journal(session, prices):
    """A journal with a trade a second; it is open."""
    session.folder.mkdir(parents=True, exist_ok=True)
    journal = Journal(session.journal)
    journal.begin(header())
    _trades(journal, prices)
    return journal


def _trades(journal, prices):
    for price in prices:
        at_ns = int(price * NS_PER_SECOND)
        journal.event(ev.Trade(at_ns, at_ns, price, 1.0, True))
    journal.write()


def _prices(watching):
    return [price for _, price in watching.seen.prices]


@pytest.fixture
def session(tmp_path):
    return session_at(tmp_path, "t")


def test_a_session_that_cannot_be_understood_stops_no_other(session, tmp_path, monkeypatch):
    _journal(session, [80.0]).close()
    other = session_at(tmp_path, "other")
    writer = _journal(other, [80.0])
    home = Home(tmp_path)
    first, second = home.meant("t"), home.meant("other")
    begin = Seen.begin

    def fails(seen, *given):
        if seen.name == "t":
            raise ValueError("settings of a version to come")
        begin(seen, *given)

    monkeypatch.setattr(Seen, "begin", fails)
    again = Journal(session.journal)
    again.begin(header())
    again.close()
    _trades(writer, [81.0])
    home.look()
    assert "settings of a version to come" in first.trouble
    assert _prices(second) == [80.0, 81.0]
    writer.close()
    home.close()


def test_after_such_trouble_it_is_read_anew_and_nothing_is_there_twice(session, monkeypatch):
    _journal(session, [80.0, 81.0]).close()
    now_s = [0.0]
    watching = Watching(session, lambda: now_s[0])
    take = Seen.take

    def breaks_off(seen, items):
        take(seen, items[:1])
        raise RuntimeError("in the midst")

    with monkeypatch.context() as patched:
        patched.setattr(Seen, "take", breaks_off)
        watching.look()
    assert "in the midst" in watching.trouble
    now_s[0] += 0.5 * REST_S
    watching.look()
    assert watching.trouble
    now_s[0] += REST_S
    watching.look()
    assert watching.trouble == ""
    assert _prices(watching) == [80.0, 81.0]
    watching.close()


def test_many_pages_that_open_at_once_follow_the_same_reader(session, tmp_path, monkeypatch):
    _journal(session, [80.0]).close()
    home, all_are_in, found = Home(tmp_path), threading.Barrier(4, timeout=10.0), []
    look = Watching.look

    def waits(watching):
        all_are_in.wait()
        look(watching)

    monkeypatch.setattr(Watching, "look", waits)
    pages = [threading.Thread(target=lambda: found.append(home.meant("t"))) for _ in range(4)]
    for page in pages:
        page.start()
    for page in pages:
        page.join()
    assert len(found) == 4
    assert {id(one) for one in found} == {id(home.meant("t"))}
    home.close()


def test_who_looks_while_another_does_takes_nothing_a_second_time(session, monkeypatch):
    _journal(session, [80.0]).close()
    watching, is_in, may_go, calls = Watching(session), threading.Event(), threading.Event(), []
    news = Tail.news

    def slow(tail):
        calls.append(tail)
        is_in.set()
        may_go.wait(10.0)
        return news(tail)

    monkeypatch.setattr(Tail, "news", slow)
    other = threading.Thread(target=watching.look)
    other.start()
    assert is_in.wait(10.0)
    threading.Timer(0.3, may_go.set).start()
    watching.look()
    other.join()
    assert len(calls) == 1
    assert _prices(watching) == [80.0]
    watching.close()


def test_a_journal_that_was_replaced_is_followed_and_the_old_one_forgotten(session):
    _journal(session, [80.0, 81.0]).close()
    watching = Watching(session)
    watching.look()
    count = watching.seen.count
    for file in session.folder.glob("journal.sqlite*"):
        file.unlink()
    watching.look()
    assert "cannot be read" in watching.trouble
    assert _prices(watching) == [80.0, 81.0]
    writer = _journal(session, [90.0])
    watching.look()
    assert watching.trouble == ""
    assert _prices(watching) == [90.0]
    assert watching.seen.count > count  # what pages made of it is made anew
    _trades(writer, [91.0])
    watching.look()
    assert _prices(watching) == [90.0, 91.0]
    writer.close()
    watching.close()


def test_a_session_that_goes_away_while_all_are_listed_hurts_nobody(session, tmp_path, monkeypatch):
    _journal(session, [80.0]).close()
    _journal(session_at(tmp_path, "other"), [80.0]).close()

    def takes_away(one):
        if one.name == "t":
            one.journal.unlink(missing_ok=True)
        return False

    monkeypatch.setattr(module, "is_held", takes_away)
    assert "other" in Home(tmp_path).names()


def test_a_home_without_sessions_has_none(tmp_path):
    home = Home(tmp_path / "nowhere")
    assert home.names() == []
    assert home.meant() is None
    home.look()
    home.close()


@pytest.mark.parametrize("name", ["t", None])
def test_a_session_is_opened_in_a_thread_and_what_is_new_is_taken_in_beside_the_pages(
    session, tmp_path, monkeypatch, name
):
    writer = _journal(session, [80.0])
    home, looked = Home(tmp_path), []
    look = Watching.look

    def notes(watching):
        looked.append(threading.current_thread() is threading.main_thread())
        look(watching)

    monkeypatch.setattr(Watching, "look", notes)
    watching = asyncio.run(meant(home, name))
    assert looked == [False, True]
    _trades(writer, [81.0])
    assert asyncio.run(meant(home, name)) is watching
    assert looked == [False, True, True]
    assert _prices(watching) == [80.0, 81.0]
    writer.close()
    home.close()


def test_a_copy_of_a_session_by_a_name_that_is_none_hinders_nobody(session, tmp_path):
    _journal(session, [80.0]).close()
    shutil.copytree(session.folder, session.folder.with_name("t (copy)"))
    home = Home(tmp_path)
    assert home.names() == ["t"]
    assert home.meant().session.name == "t"
    home.close()


def test_a_session_at_which_nobody_looks_is_let_go_of_and_read_anew(session, tmp_path):
    writer, other = _journal(session, [80.0]), session_at(tmp_path, "other")
    _journal(other, [70.0]).close()
    now_s = [0.0]
    home = Home(tmp_path, lambda: now_s[0])
    first, second = home.meant("t"), home.meant("other")
    for _ in range(3):
        now_s[0] += 0.9 * WANTED_S
        second.want()  # a page that is open
        home.look()
    assert home.meant("other") is second
    again = home.meant("t")
    assert again is not first
    assert first._tail is None
    _trades(writer, [81.0])
    home.look()
    assert _prices(again) == [80.0, 81.0]
    writer.close()
    home.close()

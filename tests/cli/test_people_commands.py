"""``litehedge halt`` and the others: what is asked is in the session's inbox, or nothing is."""

from __future__ import annotations

import json
import time

import pytest

from litehedge.live.session import Session, held, session_at
from litehedge.market import events as ev
from litehedge.store.inbox import POLL_NS, Inbox
from litehedge.units import NS_PER_MINUTE


def begun(tmp_path, name: str = "paper") -> Session:
    session = session_at(tmp_path / "home", name)
    session.folder.mkdir(parents=True)
    session.journal.write_bytes(b"")
    return session


def asked(session: Session) -> list[ev.Command]:
    """What a session that starts now takes."""
    steady = iter(range(0, 10 * POLL_NS, POLL_NS))
    with Inbox(session.inbox, monotonic_ns=lambda: next(steady)) as inbox:
        return list(inbox.attach(lambda: 7, lambda: None).take())


@pytest.mark.parametrize(
    ("arguments", "command"),
    [
        (["halt"], ev.Halt(7, 7, "a person asked")),
        (["halt", "--reason", "storm"], ev.Halt(7, 7, "storm")),
        (["resume", "--word", "RESUME"], ev.Resume(7, 7, "RESUME")),
        (["adopt"], ev.Adopt(7, 7)),
        (["ignore"], ev.Ignore(7, 7)),
        (["override", "close-all", "--yes"], ev.CloseAll(7, 7, "a person asked")),
        (["override", "follow"], ev.Follow(7, 7)),
    ],
)
def test_what_is_asked_reaches_the_inbox(litehedge, tmp_path, arguments, command):
    session = begun(tmp_path)
    with held(session):
        done = litehedge(*arguments)
    assert done.code == 0, done.err
    assert "asked session paper to" in done.out
    assert "at once" in done.out
    assert asked(session) == [command]


def test_overrides_end_by_themselves(litehedge, tmp_path):
    session = begun(tmp_path)
    before_ns = time.time_ns()
    assert litehedge("override", "set", "0.5", "--for", "30m").code == 0
    assert litehedge("override", "freeze", "--for", "30m").code == 0
    hold, freeze = asked(session)
    assert isinstance(hold, ev.SetHedge)
    assert isinstance(freeze, ev.Freeze)
    assert hold.ratio == 0.5
    for command in (hold, freeze):
        assert before_ns <= command.until_ns - 30 * NS_PER_MINUTE <= time.time_ns()


def test_it_says_when_no_process_runs_the_session(litehedge, tmp_path):
    begun(tmp_path)
    halted = litehedge("halt").out
    assert "at its next start" in halted
    assert "within a minute" not in halted
    assert "at its next start, if that is within a minute" in litehedge("adopt").out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["resume", "--word", "yes"], "not confirmed"),
        (["resume"], "nobody is at the terminal"),
        (["override", "close-all"], "nobody is at the terminal"),
        (["override", "set", "1.5", "--for", "30m"], "no share"),
        (["override", "set", "nan", "--for", "30m"], "no share"),
        (["override", "freeze", "--for", "8d"], "too long"),
        (["override", "freeze", "--for", "soon"], "no"),
        (["override", "freeze"], "--for"),
        (["halt", "--name", "other"], "the sessions are: paper"),
        (["halt", "--name", "../x"], "no name for a session"),
    ],
)
def test_what_cannot_be_asked_is_one_message_and_nothing_is_written(
    litehedge, tmp_path, monkeypatch, arguments, message
):
    session = begun(tmp_path)
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
    done = litehedge(*arguments)
    assert done.code == 2
    assert message in done.err
    assert not session.inbox.exists()


def test_without_a_name_it_is_the_one_that_runs(litehedge, tmp_path):
    assert "no sessions" in litehedge("halt").err
    begun(tmp_path, "one")
    two = begun(tmp_path, "two")
    refused = litehedge("halt")
    assert refused.code == 2
    assert "one, two" in refused.err
    with held(two):
        assert "session two" in litehedge("halt").out
    assert len(asked(two)) == 1


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["halt", "--reason", "storm"], {"asked": "halt", "reason": "storm"}),
        (["resume", "--word", "RESUME"], {"asked": "resume"}),
        (["adopt"], {"asked": "adopt"}),
        (["ignore"], {"asked": "ignore"}),
        (["override", "set", "0.5", "--for", "30m"], {"asked": "set", "ratio": 0.5}),
        (["override", "freeze", "--for", "30m"], {"asked": "freeze"}),
        (["override", "follow"], {"asked": "follow"}),
        (["override", "close-all", "--yes"], {"asked": "close-all", "reason": "a person asked"}),
    ],
)
def test_for_scripts_it_says_the_same_as_json(litehedge, tmp_path, arguments, told):
    session = begun(tmp_path)
    done = litehedge(*arguments, "--json")
    assert done.code == 0, done.err
    said = json.loads(done.out)
    assert told.items() <= said.items()
    assert (said["session"], said["runs"]) == ("paper", False)
    assert len(asked(session)) == 1


@pytest.mark.parametrize(("typed", "code"), [("CLOSE ALL", 0), ("yes", 2)])
def test_closing_everything_asks_for_typed_words(litehedge, tmp_path, monkeypatch, typed, code):
    session = begun(tmp_path)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("typer.prompt", lambda text: typed)
    assert litehedge("override", "close-all").code == code
    assert session.inbox.exists() == (code == 0)

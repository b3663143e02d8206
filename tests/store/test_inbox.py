"""The inbox: each command once, in order, whichever process wrote it and whenever one dies."""

from __future__ import annotations

import logging
import signal
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from litehedge.errors import JournalError
from litehedge.market import events as ev
from litehedge.store.inbox import POLL_NS, STALE_NS, Inbox

NOW_NS = 1_700_000_000_000_000_000
COMMANDS = st.one_of(
    st.builds(ev.Halt, st.just(0), st.just(0), st.text(max_size=20)),
    st.builds(ev.Resume, st.just(0), st.just(0), st.text(max_size=20)),
    st.builds(ev.SetHedge, st.just(0), st.just(0), st.floats(0, 1), st.integers(0, 2**62)),
    st.builds(ev.Freeze, st.just(0), st.just(0), st.integers(0, 2**62)),
    st.builds(ev.Follow, st.just(0), st.just(0)),
    st.builds(ev.Adopt, st.just(0), st.just(0)),
)


class Times:
    """The clocks of a test."""

    def __init__(self) -> None:
        self.wall_ns = NOW_NS
        self.steady_ns = 0
        self.engine_ns = NOW_NS

    def inbox(self, path: Path) -> Inbox:
        return Inbox(path, lambda: self.wall_ns, lambda: self.steady_ns)

    def session(self, path: Path, settle=lambda: None) -> Inbox:
        return self.inbox(path).attach(lambda: self.engine_ns, settle)

    def take(self, inbox: Inbox) -> list[ev.Command]:
        self.steady_ns += POLL_NS
        return list(inbox.take())


@pytest.fixture
def times() -> Times:
    return Times()


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "inbox.sqlite"


def bare(commands):
    return [structs.replace(command, event_ns=0, known_ns=0) for command in commands]


def script(path: Path, body: str) -> list[str]:
    begin = (
        "import sys; from pathlib import Path; from litehedge.store.inbox import Inbox; "
        "from litehedge.market import events as ev; "
    )
    return [sys.executable, "-c", f"{begin}inbox = Inbox(Path({str(path)!r}))\n{body}"]


# --- laws ---------------------------------------------------------------------------------------


@given(st.lists(st.one_of(COMMANDS, st.just("take"), st.just("restart")), max_size=25))
def test_each_is_taken_once_and_in_order_over_all_restarts(steps):
    times = Times()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "inbox.sqlite"
        people, session = times.inbox(path), times.session(path)
        written, taken = [], []
        for one in [*steps, "take"]:
            times.engine_ns += 7
            if one == "take":
                taken += times.take(session)
            elif one == "restart":
                session.close()
                session = times.session(path)
            else:
                written.append(one)
                people.write(one)
        people.close()
        session.close()
    assert bare(taken) == written
    known = [command.known_ns for command in taken]
    assert known == sorted(known)
    assert known == [command.event_ns for command in taken]


def test_many_processes_write_at_once_and_each_keeps_its_order(path, times):
    body = "for n in range(10): inbox.write(ev.Halt(0, 0, f'{sys.argv[1]} {n}'))"
    writers = [subprocess.Popen([*script(path, body), str(n)]) for n in range(3)]
    assert [writer.wait(60) for writer in writers] == [0, 0, 0]
    with times.session(path) as session:
        reasons = [command.reason for command in times.take(session)]
        assert times.take(session) == []
    assert len(set(reasons)) == len(reasons) == 30
    for number in range(3):
        mine = [reason for reason in reasons if reason.startswith(f"{number} ")]
        assert mine == [f"{number} {n}" for n in range(10)]


def test_a_writer_that_is_killed_has_asked_and_a_later_session_is_told(path, times):
    body = "import os, signal; inbox.write(ev.Halt(0, 0, 'x')); os.kill(os.getpid(), 9)"
    assert subprocess.run(script(path, body), timeout=60).returncode == -signal.SIGKILL
    with times.session(path) as session:
        assert times.take(session) == [ev.Halt(NOW_NS, NOW_NS, "x")]


@pytest.mark.parametrize(
    ("command", "comes_again"), [(ev.Halt(0, 0, "x"), True), (ev.Follow(0, 0), False)]
)
def test_of_a_death_before_the_journal_has_it_only_a_halt_comes_again(
    path, times, command, comes_again
):
    with times.inbox(path) as people, times.session(path) as session:
        people.write(command)
        times.steady_ns += POLL_NS
        given_first = iter(session.take())
        assert bare([next(given_first)]) == [command]  # and here the process dies
    with times.session(path) as session:
        assert bare(times.take(session)) == [command] * comes_again


def test_what_was_carried_out_is_made_durable_before_a_halt_counts_as_taken(path, times):
    told = []

    def settle() -> None:
        with sqlite3.connect(path) as file:
            told.append(file.execute("SELECT taken_ns FROM inbox").fetchall())
        file.close()

    with times.inbox(path) as people, times.session(path, settle) as session:
        people.write(ev.Halt(0, 0, "x"))
        assert len(times.take(session)) == 1
        settle()
    assert told == [[(None,)], [(NOW_NS,)]]


# --- examples -----------------------------------------------------------------------------------


def test_nothing_is_taken_before_the_engine_is_awake(path, times):
    with times.inbox(path) as people, times.session(path) as session:
        times.engine_ns = 0
        people.write(ev.Adopt(0, 0))
        assert times.take(session) == []
        times.engine_ns = 5
        assert times.take(session) == [ev.Adopt(5, 5)]


def test_it_looks_every_fifty_milliseconds_at_most(path, times):
    with times.inbox(path) as people, times.session(path) as session:
        assert times.take(session) == []
        people.write(ev.Adopt(0, 0))
        times.steady_ns += POLL_NS - 1
        assert list(session.take()) == []
        times.steady_ns += 1
        assert len(list(session.take())) == 1


def test_what_is_old_is_told_and_left_out_but_a_halt_counts(path, times, caplog):
    with times.inbox(path) as people:
        people.write(ev.SetHedge(0, 0, 0.5, NOW_NS))
        people.write(ev.Halt(0, 0, "old"))
        times.wall_ns += STALE_NS + 1
        people.write(ev.Follow(0, 0))
        with caplog.at_level(logging.WARNING), times.session(path) as session:
            assert bare(times.take(session)) == [ev.Halt(0, 0, "old"), ev.Follow(0, 0)]
        assert "stale: SetHedge" in caplog.text
        with times.session(path) as session:
            assert times.take(session) == []


def test_what_comes_in_a_long_warm_up_is_not_old(path, times):
    with times.inbox(path) as people, times.session(path) as session:
        people.write(ev.Follow(0, 0))
        times.wall_ns += 10 * STALE_NS
        assert len(times.take(session)) == 1


@pytest.mark.parametrize("payload", [b"\xc1", b"", "text", ev.encode(ev.Tick(1, 1))])
def test_what_is_no_command_is_skipped(path, times, payload, caplog):
    with times.inbox(path) as people, times.session(path) as session:
        people._file.execute("INSERT INTO inbox (written_ns, payload) VALUES (1, ?)", (payload,))
        people.write(ev.Adopt(0, 0))
        assert bare(times.take(session)) == [ev.Adopt(0, 0)]
    assert "inbox, number 1" in caplog.text


def test_a_file_in_use_ends_nothing_and_is_tried_again(path, times, caplog):
    with times.inbox(path) as people, times.session(path) as session:
        people.write(ev.Follow(0, 0))
        people._file.execute("BEGIN IMMEDIATE")
        assert times.take(session) == []
        assert times.take(session) == []
        assert caplog.text.count("cannot be used") == 1
        people._file.execute("COMMIT")
        assert len(times.take(session)) == 1
        assert times.take(session) == []


def test_another_file_is_one_clear_message(path):
    path.write_bytes(b"no database at all" * 100)
    with pytest.raises(JournalError, match="cannot be opened"):
        Inbox(path)

"""A journal on a server: whole whatever the server does, one engine an account, no secrets."""

from __future__ import annotations

import logging
import os
import signal
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from litehedge.effects import Alert
from litehedge.errors import JournalError, LeaseLost, UsageError
from litehedge.market import events as ev
from litehedge.store import steady as module
from litehedge.store.directory import _KNOWN, sessions_at
from litehedge.store.journal import BATCH, Journal, encode_effect
from litehedge.store.places import Served, place_of, server_url
from litehedge.store.sender import Sender
from litehedge.store.steady import SteadyJournal
from litehedge_runs import header

pytestmark = pytest.mark.xdist_group("postgres")


@pytest.fixture
def place(pg_url):
    return Served(server_url(pg_url), "paper")


@pytest.fixture
def server(pg_server):
    """The server, which runs again after the test."""
    yield pg_server
    pg_server.thaw() if pg_server._process else pg_server.start()


class Clock:
    """Time enough has passed for another try, each time."""

    now_s = 0.0

    def __call__(self):
        self.now_s += module.RETRY_S
        return self.now_s


def begun(place, **options):
    journal = SteadyJournal(place, now_s=Clock(), **options)
    journal.begin(header())
    return journal


def tell(journal, numbers):
    """Write down events with an effect each; return them."""
    told = []
    for number in numbers:
        effect = Alert("done", f"what became of {number}")
        journal.event(ev.Tick(number, number))
        journal.effect(effect)
        told.append((ev.Tick(number, number), encode_effect(effect)))
    return told


def read(place):
    journal = Journal(place, reads_only=True)
    ((number, _),) = journal.runs()
    events, effects = list(journal.events(number)), [x for _, x in journal.effects(number)]
    journal.close()
    return list(zip(events, effects, strict=True))


def until_whole(journal):
    """Write until the record is whole, as a session does with every event."""
    until = time.monotonic() + 20.0
    while journal.trouble:
        assert time.monotonic() < until, journal.trouble
        time.sleep(0.01)
        journal.write()


@pytest.mark.parametrize("how", [signal.SIGQUIT, signal.SIGINT, "freeze"])
def test_the_record_is_whole_when_the_server_is_back(place, server, how, monkeypatch):
    monkeypatch.setattr(module, "PATIENCE_S", 0.2)
    journal = begun(place)
    told = tell(journal, range(50))
    journal.write()
    assert journal.trouble == ""
    server.freeze() if how == "freeze" else server.stop(how)
    for first in range(50, 2 * BATCH, 500):
        told += tell(journal, range(first, first + 500))
        journal.write()  # does not raise
        assert journal.trouble
    assert "hushhush" not in journal.trouble
    server.thaw() if how == "freeze" else server.start()
    told += tell(journal, range(10**6, 10**6 + 5))
    until_whole(journal)
    journal.close()
    assert read(place) == told


@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.tuples(st.sampled_from(["up", "lost", "frozen"]), st.integers(0, 20)),
                min_size=1, max_size=6), st.integers(0, 10**9))  # fmt: skip
def test_any_run_of_good_and_bad_times_leaves_the_same_record(pg_url, server, times, name):
    """`lost`: it was done, and the connection broke before anybody came to say so."""
    here = Served(server_url(pg_url), f"s{name}")
    patience, module.PATIENCE_S = module.PATIENCE_S, 0.05
    try:
        journal, told = begun(here), []
        done = journal._sender._done
        for what, count in times:
            told += tell(journal, range(count))
            if what == "frozen":
                server.freeze()
                journal.write()
                server.thaw()
            elif what == "lost":
                journal._sender._done = lambda *rows: done(*rows) or OSError("no answer came")
                journal.write()
                journal._sender._done = done
            else:
                journal.write()
        until_whole(journal)
        journal.close()
        assert read(here) == told
    finally:
        module.PATIENCE_S = patience


def test_nobody_waits_long_for_a_server_that_hangs(place, server):
    journal = begun(place)
    server.freeze()
    told = tell(journal, [1])
    begin_s = time.monotonic()
    journal.write()
    assert module.PATIENCE_S <= time.monotonic() - begin_s < module.PATIENCE_S + 2.0
    begin_s = time.monotonic()
    for number in range(10):
        told += tell(journal, [number])
        journal.write()
    assert time.monotonic() - begin_s < 5.0  # ten tries
    server.thaw()
    until_whole(journal)
    journal.close()
    assert read(place) == told


def test_what_was_written_is_committed(place, server):
    journal = begun(place)
    told = tell(journal, range(3))
    journal.write()
    server.stop(signal.SIGQUIT)  # as it stands
    server.start()
    assert read(place) == told
    told += tell(journal, [3])
    journal.close()  # over another connection, at once
    assert read(place) == told


def test_a_journal_that_cannot_be_closed_says_what_is_lost(place, server):
    journal = begun(place)
    server.stop()
    tell(journal, range(3))
    with pytest.raises(JournalError, match="the last 3 events are lost"):
        journal.close()


def test_a_second_engine_of_a_session_is_refused_and_told_who_has_it(place):
    journal = begun(place)
    with pytest.raises(
        UsageError, match=rf"run by another process already .paper, process {os.getpid()} "
    ):
        SteadyJournal(place)
    journal.close()
    SteadyJournal(place).close()


def test_a_second_engine_on_an_account_is_refused_whatever_its_session(pg_url):
    one, two = (SteadyJournal(Served(server_url(pg_url), name)) for name in ("one", "two"))
    one.hold(["binance-1234"])
    with pytest.raises(UsageError, match=r"is guarded by another process already .one"):
        two.hold(["bybit-1", "binance-1234"])
    one.close()
    two.hold(["binance-1234"])
    two.close()


def test_two_processes_on_two_accounts_share_a_database(pg_url):
    children = []
    for name in ("one", "two"):
        child = os.fork()
        if child == 0:
            try:
                journal = begun(Served(server_url(pg_url), name))
                journal.hold([name])
                for number in range(40):
                    tell(journal, [number])
                    journal.write()
                journal.close()
                os._exit(0)
            except BaseException:
                logging.exception("in the child")
                os._exit(1)
        children.append(child)
    assert all(os.waitpid(child, 0)[1] == 0 for child in children)
    for name in ("one", "two"):
        assert [event.event_ns for event, _ in read(Served(pg_url, name))] == list(range(40))


def test_the_lease_of_a_process_that_was_killed_is_free(place):
    ready, told = os.pipe()
    child = os.fork()
    if child == 0:
        begun(place)
        os.write(told, b"!")
        signal.pause()
    os.read(ready, 1)
    with pytest.raises(UsageError):
        Sender(place)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    Sender(place).stop()  # at once: the server may not have noticed yet


def test_whoever_lost_its_lease_to_another_writes_nothing_and_ends(place, server):
    journal = begun(place)
    told = tell(journal, [1])
    journal.write()
    server.stop()
    tell(journal, [2])
    journal.write()
    assert journal.trouble
    server.start()
    other = Sender(place)  # faster than the first one
    with pytest.raises(LeaseLost, match="run by another process by now"):
        journal.write()
    other.stop()
    with pytest.raises(JournalError):
        journal.close()
    assert read(place)[: len(told)] == told


def test_the_sessions_of_a_server_are_told_with_who_runs_them(pg_url):
    assert sessions_at(pg_url) == {}
    journal = begun(Served(server_url(pg_url), "a-b"))
    Journal(Served(server_url(pg_url), "quiet")).close()
    _KNOWN.clear()
    assert sessions_at(pg_url) == {"a-b": f"a-b, process {os.getpid()} on {os.uname().nodename}",
                                   "quiet": ""}  # fmt: skip
    journal.close()


def test_a_server_that_is_gone_has_the_sessions_that_it_had(pg_url, server):
    Journal(Served(server_url(pg_url), "one")).close()
    assert list(sessions_at(pg_url)) == ["one"]
    for gone, back in ((server.stop, server.start), (server.freeze, server.thaw)):
        gone()
        _KNOWN[pg_url].until_s = 0.0
        begin_s = time.monotonic()
        assert list(sessions_at(pg_url)) == ["one"]
        assert time.monotonic() - begin_s < 2.0
        back()


def test_reading_changes_nothing_and_cannot(place):
    Journal(place).close()
    with pytest.raises(JournalError, match="refused"):
        Journal(place, reads_only=True).begin(header())
    with pytest.raises(JournalError, match="cannot be opened"):
        Journal(Served(place.url, "nobody"), reads_only=True)
    assert "nobody" not in sessions_at(place.url)


def test_a_password_is_shown_nowhere(place, server, caplog):
    server.stop()
    with pytest.raises(JournalError, match="cannot be opened") as told:
        SteadyJournal(place)
    shown = f"{told.value} {place} {place!r} {caplog.text}"
    assert "hushhush" not in shown
    assert f"{place}".startswith("postgresql://litehedge:***@127.0.0.1:")


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql://h/d", "names no session"),
        ("postgresql://h/d?session=No!", "names no session"),
        ("postgresql://u:hushhush@h:port/d?session=a", "cannot be read"),
        ("mysql://u:hushhush@h/d?session=a", "is no place for a journal"),
    ],
)
def test_a_url_that_names_no_journal_is_said_so(url, said):
    with pytest.raises(UsageError, match=said) as told:
        place_of(url)
    assert "hushhush" not in str(told.value)


def test_a_url_and_what_is_shown_of_it_name_the_same_session():
    found = place_of("postgres://me:hushhush@h:5433/d?sslmode=require&session=paper")
    assert (found.name, found.schema) == ("paper", "litehedge_paper")
    assert str(found) == "postgresql://me:***@h:5433/d?sslmode=require&session=paper"

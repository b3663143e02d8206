"""Who writes into an inbox wakes the session; nobody else does."""

from __future__ import annotations

import threading

from litehedge.market import events as ev
from litehedge.store.inbox import POLL_NS, Inbox
from litehedge.store.inbox_watch import InboxWatch

PATIENCE_S = 20.0


class Bell:
    """Counts how often it was rung."""

    def __init__(self) -> None:
        self._rung = threading.Semaphore(0)

    def __call__(self) -> None:
        self._rung.release()

    def waits(self, seconds: float = PATIENCE_S) -> bool:
        return self._rung.acquire(timeout=seconds)


def test_a_command_wakes_and_taking_it_does_not(tmp_path):
    path = tmp_path / "inbox.sqlite"
    bell = Bell()
    with Inbox(path) as inbox:
        inbox.attach(lambda: 7, lambda: None)
        with InboxWatch(path, bell, 0.002):
            assert bell.waits()  # what was there before it looked
            for reason in ("one", "two"):
                with Inbox(path) as person:
                    person.write(ev.Halt(0, 0, reason))
                assert bell.waits()
                inbox.hurry()
                assert list(inbox.take()) == [ev.Halt(7, 7, reason)]
            assert not bell.waits(0.05)


def test_trouble_with_the_file_ends_nothing(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr("litehedge.store.inbox_watch.TROUBLE_S", 0.002)
    path = tmp_path / "inbox.sqlite"
    bell = Bell()
    with InboxWatch(path, bell, 0.002):
        assert not bell.waits(0.05)
        with Inbox(path) as person:
            person.write(ev.Follow(0, 0))
        assert bell.waits()
    assert caplog.text.count("cannot be watched") == 1


def test_in_a_hurry_it_looks_again_at_once(tmp_path):
    path = tmp_path / "inbox.sqlite"
    with Inbox(path, monotonic_ns=lambda: POLL_NS) as inbox, Inbox(path) as person:
        inbox.attach(lambda: 7, lambda: None)
        assert list(inbox.take()) == []
        person.write(ev.Follow(0, 0))
        assert list(inbox.take()) == []
        inbox.hurry()
        assert list(inbox.take()) == [ev.Follow(7, 7)]

"""A journal that goes on when the disk does not: nothing is lost, nothing raises, it is told."""

from __future__ import annotations

import os
import resource
import sqlite3
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from litehedge.effects import Alert
from litehedge.errors import JournalError
from litehedge.market import events as ev
from litehedge.store import steady as module
from litehedge.store.journal import BATCH, Journal, encode_effect
from litehedge.store.steady import SteadyJournal
from litehedge_runs import header


@contextmanager
def full_disk(path):
    """Let no file grow, as the kernel does on a full disk; errors come from the real write."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    size = max(path.stat().st_size, Path(f"{path}-wal").stat().st_size)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@contextmanager
def locked(path):
    """Hold the file as somebody does who copies or repairs it."""
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    try:
        yield
    finally:
        other.execute("ROLLBACK")
        other.close()


class Clock:
    now_s = 0.0

    def __call__(self):
        self.now_s += module.RETRY_S
        return self.now_s


def begun(path, **options):
    journal = SteadyJournal(path, now_s=Clock(), **options)
    journal.begin(header())
    return journal


def tell(journal, numbers):
    """Write down events with an effect each; return them."""
    told = []
    for number in numbers:
        journal.event(ev.Tick(number, number))
        journal.effect(Alert("done", "x" * 200 + str(number)))
        told.append(
            (ev.Tick(number, number), encode_effect(Alert("done", "x" * 200 + str(number))))
        )
    return told


def read(path):
    journal = Journal(path)
    events, effects = list(journal.events(1)), [payload for _, payload in journal.effects(1)]
    journal.close()
    return list(zip(events, effects, strict=True))


@pytest.mark.parametrize("misfortune", [full_disk, locked])
def test_the_record_is_whole_when_the_disk_is_back(tmp_path, misfortune):
    path = tmp_path / "j"
    journal = begun(path)
    told = tell(journal, range(50))
    journal.write()
    assert journal.trouble == ""
    with misfortune(path):
        for first in range(50, 3 * BATCH, 500):
            told += tell(journal, range(first, first + 500))
            journal.write()
        assert "refused" in journal.trouble
        journal.flush()  # does not raise either
        assert "refused" in journal.trouble
    told += tell(journal, range(10**6, 10**6 + 5))
    journal.write()
    assert journal.trouble == ""
    journal.close()
    assert read(path) == told


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 40)), max_size=12), st.integers(0, 10**9))
def test_any_run_of_good_and_bad_times_leaves_the_same_record(tmp_path, times, name):
    path = tmp_path / str(name)
    path.unlink(missing_ok=True)
    journal, told = begun(path), []
    for is_bad, count in times:
        if is_bad:
            with locked(path):
                told += tell(journal, range(count))
                journal.write()
                assert bool(journal.trouble) == bool(told[-count:] if count else journal.trouble)
        else:
            told += tell(journal, range(count))
            journal.write()
    journal.close()
    assert read(path) == told
    path.unlink()


def test_it_is_not_tried_again_at_once(tmp_path):
    journal = SteadyJournal(tmp_path / "j", now_s=lambda: 1.0)
    journal.begin(header())
    with locked(tmp_path / "j"):
        tell(journal, range(2))
        journal.write()
    journal.write()
    assert journal.trouble
    journal.close()


def test_what_memory_cannot_hold_is_missing_and_told(tmp_path):
    path = tmp_path / "j"
    journal = begun(path, most_waiting=2 * BATCH)
    tell(journal, range(10))
    journal.write()
    with locked(path):
        for _ in range(5):
            for number in range(BATCH):
                journal.event(ev.Tick(number, number))
            journal.write()
    journal.event(ev.Tick(7, 7))
    journal.close()
    again = Journal(path)
    with pytest.raises(JournalError, match=r"lacks its events 4106 to 10249"):
        list(again.events(1))
    again.close()


def test_a_journal_that_cannot_be_closed_says_what_is_lost(tmp_path):
    journal = begun(tmp_path / "j")
    with locked(tmp_path / "j"):
        tell(journal, range(3))
        with pytest.raises(JournalError, match="the last 3 events are lost"):
            journal.close()


@pytest.mark.parametrize("is_replaced", [False, True])
def test_a_file_that_is_gone_or_replaced_is_told_and_so_is_its_return(tmp_path, is_replaced):
    path, away = tmp_path / "j", tmp_path / "away"
    journal = begun(path)
    path.rename(away)
    if is_replaced:
        path.write_bytes(b"")
    tell(journal, range(3))
    journal.flush()
    assert "replaced" in journal.trouble or "gone" in journal.trouble
    away.rename(path)
    journal.flush()
    assert journal.trouble == ""
    journal.close()
    assert len(read(path)) == 3


def test_a_disk_that_does_not_keep_is_told(tmp_path, monkeypatch):
    journal = begun(tmp_path / "j")

    def fails(path):
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as broken:
        broken.setattr(module, "sync_log", fails)
        tell(journal, range(1))
        journal.flush()
        assert "Input/output error" in journal.trouble
    journal.flush()
    assert journal.trouble == ""
    journal.close()


def test_a_long_log_is_moved_into_the_file_beside_the_writer(tmp_path):
    path = tmp_path / "j"
    journal = begun(path)
    for first in range(0, 40_000, 4_000):
        tell(journal, range(first, first + 4_000))
        journal.flush()
    assert path.stat().st_size > 2 * module.TIDY_BYTES
    assert Path(f"{path}-wal").stat().st_size < 4 * module.TIDY_BYTES
    journal.close()


@pytest.mark.parametrize("tail", ["cut", "garbage", "gone"])
def test_a_torn_log_gives_whole_transactions_from_the_front(tmp_path, tail):
    path, log = tmp_path / "j", tmp_path / "j-wal"
    journal = begun(path)
    told = []
    for number in range(40):
        told += tell(journal, [number])
        journal.write()
    image, torn = path.read_bytes(), log.read_bytes()  # as a loss of power leaves them
    journal.close()
    kept = {"cut": len(torn) * 2 // 3, "garbage": len(torn) // 2, "gone": 0}[tail]
    path.write_bytes(image)
    log.write_bytes(torn[:kept] + (os.urandom(9000) if tail == "garbage" else b""))
    left = read(path) if Journal(path).runs() else []
    assert left == told[: len(left)]
    assert (len(left) > 5) == (tail != "gone")

"""What a journal gives back to a restart: the last checkpoint, and what came after it."""

from __future__ import annotations

import msgspec
import pytest

from litehedge.effects import Checkpoint
from litehedge.errors import JournalError
from litehedge.market import events as ev
from litehedge.store.journal import Journal, decode_checkpoint, encode_effect
from litehedge_runs import header

POINT = Checkpoint(
    time_ns=5, trading=1, is_open=True, books={"fees": 1.5, "qty": [2.0, -1.0]}, budgets={},
    size_ltc=2.0, floor_usdt=3.0, memory=[0.0], order=None, orders_made=4, transfer=None,
    transfers_made=0, transfer_wait_ns=-1, override=ev.SetHedge(1, 1, 0.5, 9), hedge_wait_ns=-1,
    closed_ltc=0.0, is_reduced_by_books=True,
)  # fmt: skip


def test_a_new_journal_and_a_run_without_checkpoints_give_nothing(database):
    journal = Journal(database)
    assert journal.resume_point() is None
    journal.begin(header())
    journal.event(ev.Tick(1, 1))
    journal.close()
    assert Journal(database).resume_point() is None


@pytest.mark.parametrize("flush_every", [1, 3, 100])
def test_it_is_the_last_checkpoint_with_what_the_account_said_since(database, flush_every):
    journal = Journal(database)
    journal.begin(header())
    for n in range(20):
        event = ev.Follow(n, n) if n % 4 == 0 else ev.Tick(n, n)
        journal.event(event)
        if n in (3, 9):
            journal.effect(msgspec.structs.replace(POINT, time_ns=n))
        if n % flush_every == 0:
            journal.flush()
    journal.close()
    point = Journal(database).resume_point()
    assert point is not None
    assert point.checkpoint == msgspec.structs.replace(POINT, time_ns=9)
    assert point.events == [ev.Follow(12, 12), ev.Follow(16, 16)]


def test_a_run_that_died_at_once_gives_what_it_began_with(database):
    journal = Journal(database)
    journal.begin(header(checkpoint=encode_effect(POINT), needs_reconciling=True))
    journal.event(ev.Follow(1, 1))
    journal.close()
    point = Journal(database).resume_point()
    assert point is not None
    assert (point.checkpoint, point.events) == (POINT, [ev.Follow(1, 1)])


def test_bytes_of_another_version_are_one_clear_message():
    with pytest.raises(JournalError, match="another version"):
        decode_checkpoint(b"\x01")

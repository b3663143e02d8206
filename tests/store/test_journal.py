"""The journal keeps order, keeps everything that was flushed, and remembers a halt."""

import pytest

from litehedge.effects import Alert, StateChange
from litehedge.errors import JournalError
from litehedge.market import events as ev
from litehedge.risk.state import TradingState
from litehedge.store.journal import BATCH, Journal, encode_effect
from litehedge_runs import header, journaled_run


def ticks(n, first=0):
    return [ev.Tick(i, i) for i in range(first, first + n)]


def test_events_and_effects_come_back_in_order_across_batches(database):
    journal = Journal(database)
    journal.begin(header())
    sent = ticks(2 * BATCH + 7)
    for event in sent:
        journal.event(event)
        if event.event_ns % 1000 == 0:
            journal.effect(Alert("done", f"{event.event_ns}"))
            journal.effect(Alert("digest", f"{event.event_ns}"))
    journal.close()
    again = Journal(database)
    ((number, _),) = again.runs()
    assert list(again.events(number)) == sent
    told = list(again.effects(number))
    assert [event for event, _ in told] == [i for i in range(0, len(sent), 1000) for _ in range(2)]
    assert told[0][1] == encode_effect(Alert("done", "0"))


def test_what_was_not_flushed_is_not_there_and_what_was_is(database):
    journal = Journal(database)
    journal.begin(header())
    for event in ticks(10):
        journal.event(event)
    journal.flush()
    journal.event(ev.Tick(11, 11))
    assert len(list(Journal(database).events(1))) == 10


def test_runs_of_one_journal_do_not_mix(database):
    for first in (0, 100):
        journal = Journal(database)
        journal.begin(header())
        for event in ticks(5, first):
            journal.event(event)
        journal.close()
    journal = Journal(database)
    assert [number for number, _ in journal.runs()] == [1, 2]
    assert list(journal.events(2)) == ticks(5, 100)


def test_a_halt_survives_a_restart(database):
    assert Journal(database).trading_state() is TradingState.ACTIVE
    journal = Journal(database)
    journal.begin(header())
    for time_ns, after in ((1, "HALTED"), (2, "ACTIVE"), (3, "HALTED")):
        journal.event(ev.Tick(time_ns, time_ns))
        journal.effect(StateChange(time_ns, "ACTIVE", after, "halt command"))
    journal.close()
    later = Journal(database)
    later.begin(header())  # a run in which nothing changed
    assert later.trading_state() is TradingState.HALTED


def test_orders_are_on_disk_before_they_are_on_the_wire(database):
    seen = []

    class Wire:
        def on_submit(self, order):
            stored = Journal(database)
            told = [payload for _, payload in stored.effects(1)]
            seen.append(any(order.client_id.encode() in payload for payload in told))

    journaled_run(database, Wire())
    assert seen
    assert all(seen)


@pytest.mark.parametrize("content", [b"", b"nonsense" * 200])
def test_a_file_that_is_no_journal(tmp_path, content):
    path = tmp_path / "a.db"
    path.write_bytes(content)
    if content:
        with pytest.raises(JournalError, match="cannot be opened"):
            Journal(path)
    else:
        assert Journal(path).runs() == []


def test_a_header_of_another_format_is_refused(tmp_path):
    journal = Journal(tmp_path / "a.db")
    journal.begin(header(format=99))
    with pytest.raises(JournalError, match="format 99"):
        journal.runs()

"""Following a journal that is being written."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from litehedge.effects import Alert, Decision, Effect, Submit
from litehedge.errors import JournalError
from litehedge.market import events as ev
from litehedge.store.journal import Journal, encode_effect
from litehedge.store.reading import Unreadable
from litehedge.store.tail import Tail
from litehedge.units import NS_PER_DAY, NS_PER_MINUTE, NS_PER_SECOND
from litehedge_runs import header, journaled_run

EFFECTS = msgspec.msgpack.Decoder(Effect)


def _trade(number: int) -> ev.Trade:
    at_ns = number * NS_PER_SECOND
    return ev.Trade(at_ns, at_ns, 80.0 + number, 1.0, True)


def _all(tail: Tail) -> list:
    news = tail.news()
    return [] if news is None else news.items


@settings(max_examples=30, deadline=None)
@given(pieces=st.lists(st.integers(0, 4), min_size=1, max_size=8), looks=st.sets(st.integers(0, 8)))
def test_however_it_is_written_and_looked_at_everything_comes_once_and_in_order(
    tmp_path_factory, pieces, looks
):
    path = tmp_path_factory.mktemp("tail") / "journal.sqlite"
    journal = Journal(path)
    journal.begin(header())
    tail, heard, told, number = Tail(path, NS_PER_DAY), [], [], 0
    for turn, piece in enumerate(pieces):
        for _ in range(piece):
            number += 1
            alert = Alert("done", f"after {number}")
            journal.event(_trade(number))
            journal.effect(alert)
            told += [_trade(number), alert]
        journal.write()
        if turn in looks:
            heard += _all(tail)
    heard += _all(tail)
    assert heard == told
    assert tail.news() is None
    tail.close()
    journal.close()


def test_a_whole_run_comes_as_the_journal_has_it_without_what_a_screen_needs_not(tmp_path):
    path = tmp_path / "journal.sqlite"
    journaled_run(path, held_every_ns=NS_PER_DAY)
    news = Tail(path, NS_PER_DAY).news()
    assert news is not None
    assert news.header is not None
    assert news.header.session == "t"
    journal = Journal(path)
    events = [item for item in news.items if isinstance(item, ev.Event)]
    assert events == list(journal.events(1))
    effects = [item for item in news.items if not isinstance(item, ev.Event)]
    numbered = list(journal.effects(1))
    kept = [payload for _, payload in numbered if not isinstance(EFFECTS.decode(payload), Submit)]
    assert [encode_effect(effect) for effect in effects] == kept
    assert any(isinstance(effect, Decision) for effect in effects)
    journal.close()


def test_only_what_is_recent_is_read_at_first(tmp_path):
    path = tmp_path / "journal.sqlite"
    journal = Journal(path)
    journal.begin(header())
    for number in range(100):
        journal.event(_trade(number))
        journal.write()
    items = _all(Tail(path, 10 * NS_PER_SECOND))
    assert items[-1] == _trade(99)
    assert 10 <= len(items) <= 12
    journal.close()


def test_a_new_run_is_told_with_its_header(tmp_path):
    path = tmp_path / "journal.sqlite"
    journal = Journal(path)
    journal.begin(header())
    journal.event(_trade(1))
    journal.write()
    tail = Tail(path, NS_PER_MINUTE)
    assert _all(tail) == [_trade(1)]
    again = Journal(path)
    again.begin(header(session="again"))
    again.event(_trade(2))
    again.write()
    news = tail.news()
    assert news is not None
    assert news.header is not None
    assert (news.header.session, news.items) == ("again", [_trade(2)])
    again.close()
    journal.close()


@pytest.mark.parametrize("piece", ["_begins", "_events", "_new_effects"])
def test_what_a_look_lost_to_trouble_comes_with_the_next(tmp_path, monkeypatch, piece):
    path = tmp_path / "journal.sqlite"
    journal = Journal(path)
    journal.begin(header())
    journal.event(_trade(1))
    journal.effect(Alert("done", "after 1"))
    journal.write()
    tail, whole = Tail(path, NS_PER_MINUTE), getattr(Tail, piece)

    def breaks(reader):
        whole(reader)
        raise Unreadable("database is locked")

    with monkeypatch.context() as patched:
        patched.setattr(Tail, piece, breaks)
        with pytest.raises(JournalError, match="locked"):
            tail.news()
    news = tail.news()
    assert news is not None
    assert news.header is not None
    assert news.items == [_trade(1), Alert("done", "after 1")]
    journal.close()


def test_a_reader_cannot_write(tmp_path):
    path = tmp_path / "journal.sqlite"
    Journal(path).close()
    tail = Tail(path, NS_PER_MINUTE)
    with pytest.raises(Exception, match="readonly"):
        tail._file.row("DELETE FROM runs")


@pytest.mark.parametrize("content", [None, b"", b"no database at all, but long enough" * 40])
def test_what_is_no_journal_is_said_so(tmp_path, content):
    path = tmp_path / "journal.sqlite"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(JournalError, match="cannot be read"):
        Tail(path, NS_PER_MINUTE)


def test_a_batch_that_reaches_back_further_than_asked_is_read_whole(tmp_path):
    path = tmp_path / "journal.sqlite"
    journal = Journal(path)
    journal.begin(header())
    for number in range(100):
        journal.event(_trade(number))
    journal.close()
    heard = _all(Tail(path, NS_PER_SECOND))
    assert heard == [_trade(number) for number in range(100)]

"""Following a journal that another process writes: what is new since the last look."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import msgspec

from litehedge.effects import Effect
from litehedge.errors import BadMessage, JournalError
from litehedge.market.events import AnyEvent, decode_batch
from litehedge.store.header import Header
from litehedge.store.places import Place
from litehedge.store.reading import Unreadable, header_of, opened

RECENT: Final = 400
"""So many of the last effects are read when a journal is opened."""

PATIENCE_S: Final = 0.2
_SKIPPED: Final = "('Submit', 'Query', 'QueryTransfer', 'CancelAll')"
_EFFECTS: Final = msgspec.msgpack.Decoder(Effect)


@dataclass(frozen=True, slots=True)
class News:
    """What is new: a header where another run began, else None; events and effects in order.

    An effect stands after the event that caused it: `items` holds both.
    """

    run_id: int = 0
    header: Header | None = None
    items: list[AnyEvent | Effect] = field(default_factory=list)


class Tail:
    """One reader's place in a journal.

    Parameters
    ----------
    place
        Where it lies.
    recent_ns
        How far back the events of the last run are read at first, nanoseconds before the last.

    Raises
    ------
    JournalError
        When it is not there, or is no journal of this version.
    """

    def __init__(self, place: Place, recent_ns: int) -> None:
        self._where = place
        self._recent_ns = recent_ns
        self._run_id = 0
        self._event = self._place = self._first = -1
        self._version = -1
        try:
            self._file = opened(place, PATIENCE_S)
        except Unreadable as error:
            raise JournalError(
                f"the journal {place} cannot be read ({error})",
                "begin a session first, such as: litehedge paper",
            ) from None

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def news(self) -> News | None:
        """Return what came since the last call; None where nothing did.

        Raises
        ------
        JournalError
            When the file cannot be read; the next call tries again.
        """
        before = self._run_id, self._event, self._place, self._first
        told = None
        try:
            version = self._file.version()
            if version == self._version:
                return None
            with self._file.snapshot():
                told = self._read()
        except Unreadable as error:
            raise JournalError(
                f"the journal {self._where} cannot be read ({error})", "it is tried again"
            ) from None
        except (msgspec.DecodeError, BadMessage) as error:
            raise JournalError(
                f"the journal {self._where} holds what this version cannot read ({error})",
                "it was written by another version of litehedge",
            ) from None
        finally:
            if told is None:  # what was read goes nowhere: the next call reads it again
                self._run_id, self._event, self._place, self._first = before
        self._version = version
        return told if told.header is not None or told.items else None

    # --- pieces -------------------------------------------------------------------------------

    def _read(self) -> News:
        row = self._file.row("SELECT run_id, header FROM runs ORDER BY run_id DESC LIMIT 1")
        if row is None:
            return News()
        header = None
        if row[0] != self._run_id:
            header = header_of(self._where, row[1])
            self._run_id = row[0]
            self._event, self._place, self._first = self._begins()
        events = self._events()
        effects = self._new_effects()
        return News(self._run_id, header, _woven(events, effects))

    def _begins(self) -> tuple[int, int, int]:
        """Return after which effect and batch of the run to begin."""
        found = self._file.row(
            "SELECT event, place FROM effects WHERE run_id = ? AND kind NOT IN "
            f"{_SKIPPED} ORDER BY event DESC, place DESC LIMIT 1 OFFSET ?",
            (self._run_id, RECENT),
        )
        event, place = found or (-1, -1)
        first, newest_ns = -1, 0
        for number, payload in self._file.rows(
            "SELECT first, payload FROM event_batches WHERE run_id = ? ORDER BY first DESC",
            (self._run_id,),
        ):
            batch = decode_batch(payload)
            newest_ns = newest_ns or batch[-1].known_ns
            if newest_ns - batch[0].known_ns > self._recent_ns:
                first = number - 1  # with this one: it may hold the whole run
                break
        return event, place, first

    def _events(self) -> list[tuple[int, AnyEvent]]:
        found = []
        for first, payload in self._file.rows(
            "SELECT first, payload FROM event_batches WHERE run_id = ? AND first > ? "
            "ORDER BY first",
            (self._run_id, self._first),
        ):
            self._first = first
            found += list(enumerate(decode_batch(payload), first))
        return found

    def _new_effects(self) -> list[tuple[int, Effect]]:
        found = []
        for event, place, payload in self._file.rows(
            "SELECT event, place, payload FROM effects WHERE run_id = ? AND (event, place) > "
            f"(?, ?) AND kind NOT IN {_SKIPPED} ORDER BY event, place",
            (self._run_id, self._event, self._place),
        ):
            self._event, self._place = event, place
            found.append((event, _EFFECTS.decode(payload)))
        return found


def _woven(
    events: list[tuple[int, AnyEvent]], effects: list[tuple[int, Effect]]
) -> list[AnyEvent | Effect]:
    """Return both in the order of their numbers, an effect after its event."""
    keyed: list[tuple[int, int, AnyEvent | Effect]] = [(n, 0, e) for n, e in events]
    keyed += [(n, 1, e) for n, e in effects]
    keyed.sort(key=lambda item: item[:2])
    return [item for _, _, item in keyed]

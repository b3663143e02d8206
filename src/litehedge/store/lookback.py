"""Looking back into a journal that may still be written: decisions, and what led to them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import msgspec

from litehedge.effects import Decision, ModelChange
from litehedge.errors import BadMessage, JournalError
from litehedge.market.events import AnyEvent, decode_batch
from litehedge.store.header import Header
from litehedge.store.places import Place as Where
from litehedge.store.reading import Unreadable, header_of, opened

Place = tuple[int, int, int]
"""Run, event and place within it: where an effect stands in its journal."""

NEWEST: Final[Place] = (2**62, 2**62, 2**62)
PATIENCE_S: Final = 2.0
_DECISION: Final = msgspec.msgpack.Decoder(Decision)
_CHANGE: Final = msgspec.msgpack.Decoder(ModelChange)


class _When(msgspec.Struct, tag="decision"):
    """As much of a decision as tells whether it is the one: reading all of many takes long."""

    time_ns: int


_WHEN: Final = msgspec.msgpack.Decoder(_When)


@dataclass(frozen=True, slots=True)
class Found:
    """A decision and where it stands: its run, and the number of the event that it followed."""

    run_id: int
    event: int
    decision: Decision


@dataclass(frozen=True, slots=True)
class Forecasting:
    """A model that forecast: id and folder; it lived through frames that ended from `from_ns`."""

    model_id: str
    folder: str
    from_ns: int


class Past:
    """A journal, read backwards.

    Parameters
    ----------
    path
        Where it lies.

    Raises
    ------
    JournalError
        When it cannot be opened.
    """

    def __init__(self, path: Where) -> None:
        self.path = path
        try:
            self._file = opened(path, PATIENCE_S)
        except Unreadable as error:
            raise self._unreadable(error) from None

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def newest_header(self) -> Header | None:
        """Return what the last run began with, None before there is one.

        Raises
        ------
        JournalError
            When it cannot be read, or another version wrote it.
        """
        try:
            row = self._file.row("SELECT max(run_id) FROM runs")
        except Unreadable as error:
            raise self._unreadable(error) from None
        return None if row is None or row[0] is None else self.header(row[0])

    def header(self, run_id: int) -> Header:
        """Return what a run began with.

        Raises
        ------
        JournalError
            When there is no such run, or another version wrote it.
        """
        try:
            row = self._file.row("SELECT header FROM runs WHERE run_id = ?", (run_id,))
        except Unreadable as error:
            raise self._unreadable(error) from None
        if row is None:
            raise self._unreadable(f"there is no run {run_id}")
        return header_of(self.path, row[0])

    def model_at(self, run_id: int, event: int) -> Forecasting:
        """Return the model that forecast before an event of a run: another may have taken over.

        Raises
        ------
        JournalError
            When it cannot be read.
        """
        header = self.header(run_id)
        try:
            row = self._file.row(
                "SELECT payload FROM effects WHERE run_id = ? AND kind = 'ModelChange' "
                "AND event <= ? ORDER BY event DESC, place DESC LIMIT 1",
                (run_id, event),
            )
            if row is None:
                return Forecasting(header.model_id, header.model_folder, 0)
            change = _CHANGE.decode(row[0])
        except (Unreadable, msgspec.DecodeError) as error:
            raise self._unreadable(error) from None
        return Forecasting(change.after, change.folder, change.from_ns)

    def last_model(self) -> Forecasting | None:
        """Return the model that the last run ended with, None before there is one.

        Raises
        ------
        JournalError
            When it cannot be read.
        """
        try:
            row = self._file.row("SELECT max(run_id) FROM runs")
        except Unreadable as error:
            raise self._unreadable(error) from None
        return None if row is None or row[0] is None else self.model_at(row[0], NEWEST[1])

    def decisions(
        self, is_meant: Callable[[Decision], bool], *, before_ns: int | None = None, most: int = 20
    ) -> list[Found]:
        """Return at most so many decisions that are meant, of any run, the newest first.

        With `before_ns` only those from before it.

        Raises
        ------
        JournalError
            When they cannot be read.
        """
        found = []
        for (run_id, event, _), payload in self._newest_first():
            if before_ns is not None and self._when(payload) >= before_ns:
                continue
            decision = self._read(payload)
            if is_meant(decision):
                found.append(Found(run_id, event, decision))
                if len(found) == most:
                    break
        return found

    def page(self, before: Place, count: int) -> list[tuple[Place, Decision]]:
        """Return up to `count` decisions before a place, newest first, each with its own.

        Raises
        ------
        JournalError
            When they cannot be read.
        """
        return [
            (place, self._read(payload)) for place, payload in self._newest_first(before, count)
        ]

    def decision_at(self, time_ns: int) -> Found | None:
        """Return the decision of a moment, None where there is none; of several the last.

        Raises
        ------
        JournalError
            When they cannot be read.
        """
        for (run_id, event, _), payload in self._newest_first():
            if self._when(payload) == time_ns:
                return Found(run_id, event, self._read(payload))
        return None

    def events(self, run_id: int, to_event: int) -> Iterator[tuple[int, list[AnyEvent]]]:
        """Yield the batches of a run up to an event, included, each with its first event's number.

        Raises
        ------
        JournalError
            When some are missing or cannot be read.
        """
        number = 0
        try:
            for first, payload in self._file.rows(
                'SELECT "first", payload FROM event_batches WHERE run_id = ? AND "first" <= ? '
                'ORDER BY "first"',
                (run_id, to_event),
            ):
                if first != number:
                    raise self._unreadable(f"it lacks the events {number} to {first - 1}")
                batch = decode_batch(payload)
                number += len(batch)
                yield first, batch[: to_event + 1 - first]
        except (Unreadable, BadMessage) as error:
            raise self._unreadable(error) from None
        if number <= to_event:
            raise self._unreadable(f"it lacks the events from {number}")

    def after(self, run_id: int, event: int) -> Iterator[tuple[int, list[AnyEvent]]]:
        """Yield what a run heard after an event, in batches, each with its first event's number.

        Raises
        ------
        JournalError
            When they cannot be read.
        """
        try:
            for first, payload in self._file.rows(
                'SELECT "first", payload FROM event_batches WHERE run_id = ? AND "first" >= '
                '(SELECT coalesce(max("first"), 0) FROM event_batches WHERE run_id = ? AND '
                '"first" <= ?) ORDER BY "first"',
                (run_id, run_id, max(0, event + 1)),
            ):
                skipped = max(0, event + 1 - first)
                batch = decode_batch(payload)[skipped:]
                if batch:
                    yield first + skipped, batch
        except (Unreadable, BadMessage) as error:
            raise self._unreadable(error) from None

    # --- pieces -------------------------------------------------------------------------------

    def _newest_first(
        self, before: Place = NEWEST, most: int = NEWEST[0]
    ) -> Iterator[tuple[Place, bytes]]:
        try:
            for run_id, event, place, payload in self._file.rows(
                "SELECT run_id, event, place, payload FROM effects WHERE kind = 'Decision' "
                "AND (run_id, event, place) < (?, ?, ?) "
                "ORDER BY run_id DESC, event DESC, place DESC LIMIT ?",
                (*before, most),
            ):
                yield (run_id, event, place), payload
        except Unreadable as error:
            raise self._unreadable(error) from None

    def _when(self, payload: bytes) -> int:
        try:
            return _WHEN.decode(payload).time_ns
        except msgspec.DecodeError as error:
            raise self._unreadable(error) from None

    def _read(self, payload: bytes) -> Decision:
        try:
            return _DECISION.decode(payload)
        except msgspec.DecodeError as error:
            raise self._unreadable(error) from None

    def _unreadable(self, error: object) -> JournalError:
        return JournalError(
            f"the journal {self.path} cannot be read ({error})",
            "it is torn, or was written by another version of litehedge",
        )


def last_folder(path: Where) -> str:
    """Return the folder of the model that a journal's last run ended with, "" before there is one.

    Raises
    ------
    JournalError
        When it cannot be read.
    """
    past = Past(path)
    try:
        found = past.last_model()
    finally:
        past.close()
    return "" if found is None else found.folder

"""The journal: what came in, what was decided, what was done; append-only, on SQLAlchemy Core.

SQLite with a write-ahead log is the default; a session may have a schema of a PostgreSQL database
instead (`store.places`). Events are packed in batches, effects are rows of their own; both carry
the number of the event they belong to. `write` hands everything to the system, which outlives the
process; `flush` returns when it is on disk, which outlives a loss of power. A server does both at
once. A process that dies in between leaves whole transactions only.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, get_args

import msgspec
import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from litehedge.effects import Checkpoint, Decision, Effect, StateChange, Submit
from litehedge.errors import JournalError
from litehedge.market.events import AccountEvent, AnyEvent, Command, decode_batch, encode_batch
from litehedge.orders.manager import Order
from litehedge.risk.state import TradingState
from litehedge.store.durable import sync_folder
from litehedge.store.header import FORMAT, Header, read_header
from litehedge.store.places import Place, Served, place_of
from litehedge.store.tables import EFFECTS, EVENTS, JOURNAL, RUNS
from litehedge.store.transaction import FileTransaction, Transaction, first_line, insertion
from litehedge.store.upgrade import check_known, prepare

BATCH: Final = 2048
_AT_ONCE: Final = 200  # rows, as a server sends them

_INTO_EVENTS, _INTO_EFFECTS = insertion(EVENTS), insertion(EFFECTS)

_ENCODER = msgspec.msgpack.Encoder()
_EFFECT_DECODER = msgspec.msgpack.Decoder(Effect)
_NOT_MARKET: Final = frozenset(get_args(AccountEvent) + get_args(Command))
_COMMAND_TAGS: Final = [kind.__struct_config__.tag.encode() for kind in get_args(Command)]


class ResumePoint(msgspec.Struct, frozen=True):
    """Where the last run stood, as far as it is on disk.

    `events` are those of the account and of people that came after the checkpoint.
    """

    header: Header
    checkpoint: Checkpoint
    events: list[AnyEvent]


def encode_effect(effect: Effect) -> bytes:
    """Return the effect as bytes; equal effects give equal bytes."""
    return _ENCODER.encode(effect)


def decode_checkpoint(payload: bytes) -> Checkpoint | None:
    """Read the checkpoint of a header, None where it has none.

    Raises
    ------
    JournalError
        When the bytes are no checkpoint of this version.
    """
    if not payload:
        return None
    try:
        read = _EFFECT_DECODER.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise JournalError(
            f"a checkpoint cannot be read ({error})",
            "it was written by another version of litehedge: begin a new journal",
        ) from None
    return read if isinstance(read, Checkpoint) else None


class Journal:
    """One run's view of a journal database.

    Parameters
    ----------
    place
        The path of an SQLite file, or a server's; either as a URL too.
    reads_only
        Whether nothing of it may change: an older one is read as it is.

    Raises
    ------
    JournalError
        When the database cannot be opened or is no journal that this version knows.
    UsageError
        When a URL names no place for a journal.
    """

    trouble = ""
    """Why it cannot be written; a journal of this class raises instead."""

    def __init__(self, place: str | Path | Served, *, reads_only: bool = False) -> None:
        self.place: Place = place_of(place)
        self._run_id = 0
        self.path = self.place if isinstance(self.place, Path) else None
        self.url = str(self.place) if self.path is None else f"sqlite:///{self.path}"
        try:
            self._engine = self._opened(reads_only=reads_only)
        except (SQLAlchemyError, sqlite3.Error, OSError) as error:
            raise JournalError(
                f"the journal {self.place} cannot be opened ({first_line(error)})",
                "check the path, or give another with --journal; a file that is damaged can be "
                "moved away: a new one is begun, and venues are asked what the account holds"
                if self.path is not None else "look whether the server runs, and at its URL",
            ) from None  # fmt: skip
        self._events: list[AnyEvent] = []
        self._batches: list[dict[str, Any]] = []  # packed, not written yet
        self._effects: list[dict[str, Any]] = []
        self._count = 0
        self._packed = 0
        self._place = 0

    def _opened(self, *, reads_only: bool) -> sa.Engine:
        if isinstance(self.place, Served):
            engine = self.place.engine(reads_only=reads_only)
            if not reads_only:
                with engine.begin() as connection:
                    schema = sa.schema.CreateSchema(self.place.schema, if_not_exists=True)
                    connection.execute(schema)
        elif reads_only:
            address = f"{self.place.absolute().as_uri()}?mode=ro&uri=true"
            engine = sa.create_engine(f"sqlite:///{address}")
        else:
            self.place.parent.mkdir(parents=True, exist_ok=True)
            engine = sa.create_engine(self.url)
            sa.event.listen(engine, "connect", self._connected)
        if reads_only:
            with engine.connect() as connection:
                connection.execute(sa.select(RUNS.c.run_id).limit(1))
            check_known(engine, JOURNAL)
        else:
            prepare(engine, JOURNAL, self.path)
        return engine

    def begin(self, header: Header) -> None:
        """Start a run; later runs of the same journal follow it."""
        with self._transaction() as connection:
            done = connection.execute(RUNS.insert().values(header=msgspec.json.encode(header)))
            assert done.inserted_primary_key is not None
            self._run_id = int(done.inserted_primary_key[0])
        self._count = self._packed = 0
        self._sync()
        if self.path is not None:
            sync_folder(self.path.parent)

    def event(self, event: AnyEvent) -> None:
        """Record an event before the engine sees it."""
        if len(self._events) >= BATCH:
            self.write()  # before, not after: an event and its effects are written together
        self._events.append(event)
        self._count += 1
        self._place = 0

    def effect(self, effect: Effect) -> None:
        """Record what the engine wanted done because of the last event."""
        self._effects.append(
            {
                "run_id": self._run_id,
                "event": self._count - 1,
                "place": self._place,
                "kind": type(effect).__name__,
                "payload": encode_effect(effect),
            }
        )
        self._place += 1

    def write(self) -> None:
        """Hand everything so far to the system: it outlives this process, if not the power.

        Raises
        ------
        JournalError
            When the database refuses; no order may be sent then. Nothing is forgotten: the next
            call tries again.
        """
        self._pack()
        if not self._batches and not self._effects:
            return
        if self.path is not None:
            self._write_file()
        else:
            with self._transaction() as connection:
                if self._batches:
                    connection.execute(EVENTS.insert(), self._batches)
                if self._effects:
                    connection.execute(EFFECTS.insert(), self._effects)
        self._batches = []
        self._effects = []

    def _write_file(self) -> None:
        """Write to SQLite as its driver does it: an order waits for this, and half as long so."""
        with FileTransaction(self._engine, self.url) as cursor:
            cursor.executemany(_INTO_EVENTS, self._batches)
            cursor.executemany(_INTO_EFFECTS, self._effects)

    def keep(self) -> None:
        """Begin to make durable what was written: here there is nobody who could; see `flush`."""

    def flush(self) -> None:
        """Make everything so far durable: it outlives a loss of power.

        Raises
        ------
        JournalError
            When the database or the disk refuses; no money may be moved then.
        """
        self.write()
        self._sync()

    def close(self) -> None:
        """Flush and let go of the database."""
        try:
            self.flush()
        finally:
            self._engine.dispose()

    def _pack(self) -> None:
        if self._events:
            payload = encode_batch(self._events)
            self._batches.append(
                {"run_id": self._run_id, "first": self._packed, "payload": payload}
            )
            self._packed = self._count
            self._events = []

    def _sync(self) -> None:
        """Wait until what was written is on disk. Servers do that by themselves."""
        if self.path is None:
            return
        try:
            sync_log(self.path)
        except OSError as error:
            raise JournalError(
                f"the disk does not keep the journal {self.path} ({error.strerror or error})",
                "check the disk",
            ) from None

    def _connected(self, connection: Any, record: Any) -> None:
        _durable(connection, record)

    # --- reading ------------------------------------------------------------------------------

    def runs(self) -> list[tuple[int, Header]]:
        """Return number and header of every run.

        Raises
        ------
        JournalError
            When a header cannot be read.
        """
        return self._headers(sa.select(RUNS).order_by(RUNS.c.run_id))

    def last_run(self) -> tuple[int, Header] | None:
        """Return number and header of the last run, None where there is none.

        Raises
        ------
        JournalError
            When it cannot be read.
        """
        found = self._headers(sa.select(RUNS).order_by(RUNS.c.run_id.desc()).limit(1))
        return found[0] if found else None

    def _headers(self, query: sa.Select[Any]) -> list[tuple[int, Header]]:
        with self._transaction() as connection:
            rows = connection.execute(query).all()
        found = []
        for run_id, payload in rows:
            try:
                header = read_header(payload)
            except (msgspec.DecodeError, msgspec.ValidationError) as error:
                raise JournalError(
                    f"run {run_id} of {self.url} cannot be read ({error})",
                    "it was written by another version of litehedge",
                ) from None
            if header.format != FORMAT:
                raise JournalError(
                    f"run {run_id} of {self.url} has format {header.format}, this version reads "
                    f"{FORMAT}",
                    f"use litehedge {header.litehedge}",
                )
            found.append((int(run_id), header))
        return found

    def events(self, run_id: int) -> Iterator[AnyEvent]:
        """Yield the events of a run, in order.

        Raises
        ------
        JournalError
            When some are missing: the disk could not be written for longer than memory lasts.
        """
        query = sa.select(EVENTS.c["first"], EVENTS.c.payload).where(EVENTS.c.run_id == run_id)
        number = 0
        for first, payload in self._rows(query.order_by(EVENTS.c["first"])):
            if first != number:
                raise JournalError(
                    f"run {run_id} of {self.url} lacks its events {number} to {first - 1}",
                    "they could not be written in time; what is before and after is there",
                )
            batch = decode_batch(payload)
            number += len(batch)
            yield from batch

    def effects(self, run_id: int) -> Iterator[tuple[int, bytes]]:
        """Yield (event number, bytes) of the effects of a run, in order."""
        query = sa.select(EFFECTS.c.event, EFFECTS.c.payload).where(EFFECTS.c.run_id == run_id)
        for number, payload in self._rows(query.order_by(EFFECTS.c.event, EFFECTS.c.place)):
            yield int(number), payload

    def orders(self, run_id: int) -> Iterator[Order]:
        """Yield the orders that a run sent, as they were when it sent them."""
        query = sa.select(EFFECTS.c.payload).where(
            EFFECTS.c.run_id == run_id, EFFECTS.c.kind == "Submit"
        )
        for (payload,) in self._rows(query.order_by(EFFECTS.c.event, EFFECTS.c.place)):
            sent = _EFFECT_DECODER.decode(payload)
            assert isinstance(sent, Submit)
            yield sent.order

    def decisions(self, run_id: int) -> Iterator[Decision]:
        """Yield the decisions of a run, in order."""
        query = sa.select(EFFECTS.c.payload).where(
            EFFECTS.c.run_id == run_id, EFFECTS.c.kind == "Decision"
        )
        for (payload,) in self._rows(query.order_by(EFFECTS.c.event, EFFECTS.c.place)):
            decision = _EFFECT_DECODER.decode(payload)
            assert isinstance(decision, Decision)
            yield decision

    def fired(self, run_id: int) -> frozenset[int]:
        """Return the numbers of the events at which plans of a run came true."""
        is_one = (EFFECTS.c.run_id == run_id) & (EFFECTS.c.kind == "PlanFired")
        with self._transaction() as connection:
            rows = connection.execute(sa.select(EFFECTS.c.event).where(is_one))
            return frozenset(int(number) for (number,) in rows)

    def length(self, run_id: int) -> int:
        """Return how many events a run holds before its last batch: enough to tell progress."""
        query = sa.select(sa.func.max(EVENTS.c["first"])).where(EVENTS.c.run_id == run_id)
        with self._transaction() as connection:
            return int(connection.execute(query).scalar() or 0)

    def commands(self, run_id: int) -> Iterator[Command]:
        """Yield what people asked of a run, in order; batches without any are not decoded."""
        query = sa.select(EVENTS.c.payload).where(EVENTS.c.run_id == run_id)
        for (payload,) in self._rows(query.order_by(EVENTS.c["first"])):
            if any(tag in payload for tag in _COMMAND_TAGS):
                yield from (e for e in decode_batch(payload) if isinstance(e, Command))

    def resume_point(self) -> ResumePoint | None:
        """Return where the last run stood, None where it left nothing to take up.

        Raises
        ------
        JournalError
            When it cannot be read.
        """
        last = self.last_run()
        if last is None:
            return None
        run_id, header = last
        query = (
            sa.select(EFFECTS.c.event, EFFECTS.c.payload)
            .where(EFFECTS.c.run_id == run_id, EFFECTS.c.kind == "Checkpoint")
            .order_by(EFFECTS.c.event.desc(), EFFECTS.c.place.desc())
            .limit(1)
        )
        with self._transaction() as connection:
            row = connection.execute(query).first()
        number, payload = (int(row[0]), row[1]) if row is not None else (-1, header.checkpoint)
        checkpoint = decode_checkpoint(payload)
        if checkpoint is None:
            return None
        after = [e for e in self._events_after(run_id, number) if type(e) in _NOT_MARKET]
        return ResumePoint(header, checkpoint, after)

    def _events_after(self, run_id: int, number: int) -> Iterator[AnyEvent]:
        """Yield the events of a run with numbers above `number`."""
        query = sa.select(EVENTS.c["first"], EVENTS.c.payload).where(EVENTS.c.run_id == run_id)
        begins = sa.select(sa.func.max(EVENTS.c["first"])).where(
            EVENTS.c.run_id == run_id, EVENTS.c["first"] <= max(number, 0)
        )
        query = query.where(EVENTS.c["first"] >= begins.scalar_subquery())
        for first, payload in self._rows(query.order_by(EVENTS.c["first"])):
            yield from decode_batch(payload)[max(0, number + 1 - first) :]

    def trading_state(self) -> TradingState:
        """Return the state that the last run ended in: a halt survives a restart."""
        query = (
            sa.select(EFFECTS.c.payload)
            .where(EFFECTS.c.kind == "StateChange")
            .order_by(EFFECTS.c.run_id.desc(), EFFECTS.c.event.desc(), EFFECTS.c.place.desc())
            .limit(1)
        )
        with self._transaction() as connection:
            row = connection.execute(query).first()
        if row is None:
            return TradingState.ACTIVE
        change = _EFFECT_DECODER.decode(row[0])
        assert isinstance(change, StateChange)
        return TradingState[change.after]

    def _rows(self, query: sa.Select[Any]) -> Iterator[Any]:
        """Yield rows as they come: a journal may be larger than memory."""
        with (
            self._transaction() as connection,
            connection.execution_options(yield_per=_AT_ONCE).execute(query) as rows,
        ):
            yield from rows

    def _transaction(self) -> Transaction:
        return Transaction(self._engine, str(self.url))


def sync_log(path: Path) -> None:
    """Wait until every transaction of an SQLite file is on disk.

    SQLite writes them to its log and, with ``synchronous=NORMAL``, waits for the disk only before
    it moves them into the file. To wait for the log is what it does itself with ``FULL``.
    """
    try:
        descriptor = os.open(f"{path}-wal", os.O_RDWR)
    except FileNotFoundError:
        return  # all of it was moved into the file, which SQLite waited for
    try:
        getattr(os, "fdatasync", os.fsync)(descriptor)
    finally:
        os.close(descriptor)


def _durable(connection: Any, record: Any) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=NORMAL")
    cursor.close()

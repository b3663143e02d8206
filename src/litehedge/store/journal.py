"""The journal: what came in, what was decided, what was done; append-only, on SQLAlchemy Core.

SQLite with a write-ahead log is the default. Events are packed in batches, effects are rows of
their own; both carry the number of the event they belong to. `write` hands everything to the
system, which outlives the process; `flush` returns when it is on disk, which outlives a loss of
power. A process that dies in between leaves whole transactions only.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, get_args

import msgspec
import numpy as np
import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from litehedge.effects import Checkpoint, Decision, Effect, StateChange, Submit
from litehedge.errors import JournalError
from litehedge.margin.tiers import TierTable
from litehedge.market.events import AccountEvent, AnyEvent, Command, decode_batch, encode_batch
from litehedge.orders.manager import Order
from litehedge.risk.state import TradingState
from litehedge.store.durable import sync_folder
from litehedge.store.transaction import FileTransaction, Transaction, first_line, insertion

FORMAT: Final = 1
BATCH: Final = 2048

_META = sa.MetaData()
RUNS = sa.Table(
    "runs",
    _META,
    sa.Column("run_id", sa.Integer, primary_key=True),
    sa.Column("header", sa.LargeBinary, nullable=False),
)
EVENTS = sa.Table(
    "event_batches",
    _META,
    sa.Column("run_id", sa.Integer, primary_key=True),
    sa.Column("first", sa.Integer, primary_key=True),  # number of the batch's first event
    sa.Column("payload", sa.LargeBinary, nullable=False),
)
EFFECTS = sa.Table(
    "effects",
    _META,
    sa.Column("run_id", sa.Integer, primary_key=True),
    sa.Column("event", sa.Integer, primary_key=True),  # number of the event that caused it
    sa.Column("place", sa.Integer, primary_key=True),
    sa.Column("kind", sa.String(20), nullable=False, index=True),
    sa.Column("payload", sa.LargeBinary, nullable=False),
)

_INTO_EVENTS, _INTO_EFFECTS = insertion(EVENTS), insertion(EFFECTS)

_ENCODER = msgspec.msgpack.Encoder()
_EFFECT_DECODER = msgspec.msgpack.Decoder(Effect)
_NOT_MARKET: Final = frozenset(get_args(AccountEvent) + get_args(Command))
_COMMAND_TAGS: Final = [kind.__struct_config__.tag.encode() for kind in get_args(Command)]


class Tiers(msgspec.Struct, frozen=True):
    """The maintenance tiers of a run: see `margin.tiers.TierTable`."""

    venue: str
    symbol: str
    version: str
    source: str
    clearance_fee: float
    cap_usdt: float
    rows: list[list[float]]

    @classmethod
    def of(cls, table: TierTable) -> Tiers:
        """Return a table as it is written down."""
        return cls(
            table.venue, table.symbol, table.version, table.source, table.clearance_fee,
            table.cap_usdt, table.rows.tolist(),
        )  # fmt: skip

    @property
    def table(self) -> TierTable:
        """The table that was written down."""
        return TierTable(
            self.venue, self.symbol, self.version, self.source, self.clearance_fee, self.cap_usdt,
            np.array(self.rows, dtype=np.float64),
        )  # fmt: skip


class Header(msgspec.Struct, frozen=True):
    """What a run was started with: everything a replay needs besides the events."""

    litehedge: str
    created: str
    mode: str
    settings: dict[str, Any]
    policy: str
    free_ratio: float
    model_id: str
    model_folder: str
    session: str
    atom_ns: int
    per_frame: int
    held_every_ns: int
    trading_state: int
    data: str
    rules: str = ""  # the user's, as TOML
    format: int = FORMAT
    policy_id: str = ""  # of a network policy
    keeps_checkpoints: bool = False
    checkpoint: bytes = b""  # where it took up an earlier run: see `encode_effect`
    needs_reconciling: bool = False
    tiers: Tiers | None = None  # as the venue told them; None: those of the package
    looks_between: bool = False  # whether guards looked at the account between two frames


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
    url
        An SQLAlchemy URL, or the path of an SQLite file.

    Raises
    ------
    JournalError
        When the database cannot be opened or is not a journal of this format.
    """

    trouble = ""
    """Why it cannot be written; a journal of this class raises instead."""

    def __init__(self, url: str | Path) -> None:
        self.url = url if isinstance(url, str) and "://" in url else f"sqlite:///{url}"
        self._run_id = 0
        is_file = self.url.startswith("sqlite:///")
        self.path = Path(self.url.removeprefix("sqlite:///")) if is_file else None
        try:
            if self.path is not None:
                self.path.parent.mkdir(parents=True, exist_ok=True)
            self._engine = sa.create_engine(self.url)
            if self._engine.dialect.name == "sqlite":
                sa.event.listen(self._engine, "connect", self._connected)
            _META.create_all(self._engine)
        except (SQLAlchemyError, OSError) as error:
            raise JournalError(
                f"the journal {url} cannot be opened ({first_line(error)})",
                "check the path, or give another with --journal; a file that is damaged can be "
                "moved away: a new one is begun, and venues are asked what the account holds",
            ) from None
        self._events: list[AnyEvent] = []
        self._batches: list[dict[str, Any]] = []  # packed, not written yet
        self._effects: list[dict[str, Any]] = []
        self._count = 0
        self._packed = 0
        self._place = 0

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
                header = msgspec.json.decode(payload, type=Header)
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
        with self._transaction() as connection:
            for first, payload in connection.execute(query.order_by(EVENTS.c["first"])):
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
        with self._transaction() as connection:
            for number, payload in connection.execute(
                query.order_by(EFFECTS.c.event, EFFECTS.c.place)
            ):
                yield int(number), payload

    def orders(self, run_id: int) -> Iterator[Order]:
        """Yield the orders that a run sent, as they were when it sent them."""
        query = sa.select(EFFECTS.c.payload).where(
            EFFECTS.c.run_id == run_id, EFFECTS.c.kind == "Submit"
        )
        with self._transaction() as connection:
            for (payload,) in connection.execute(query.order_by(EFFECTS.c.event, EFFECTS.c.place)):
                sent = _EFFECT_DECODER.decode(payload)
                assert isinstance(sent, Submit)
                yield sent.order

    def decisions(self, run_id: int) -> Iterator[Decision]:
        """Yield the decisions of a run, in order."""
        query = sa.select(EFFECTS.c.payload).where(
            EFFECTS.c.run_id == run_id, EFFECTS.c.kind == "Decision"
        )
        with self._transaction() as connection:
            for (payload,) in connection.execute(query.order_by(EFFECTS.c.event, EFFECTS.c.place)):
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
        with self._transaction() as connection:
            for (payload,) in connection.execute(query.order_by(EVENTS.c["first"])):
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
        with self._transaction() as connection:
            for first, payload in connection.execute(query.order_by(EVENTS.c["first"])):
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

"""The journal: what came in, what was decided, what was done; append-only, on SQLAlchemy Core.

SQLite with a write-ahead log is the default. Events are packed in batches, effects are rows of
their own; both carry the number of the event they belong to. `flush` returns when everything is
on disk, and the runner calls it before any order leaves. A process that dies in between leaves
whole transactions only.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, get_args

import msgspec
import numpy as np
import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from litehedge.effects import (
    Alert,
    CancelAll,
    Checkpoint,
    Decision,
    Effect,
    Query,
    QueryTransfer,
    StateChange,
    Submit,
    Transfer,
)
from litehedge.errors import JournalError
from litehedge.margin.tiers import TierTable
from litehedge.market.events import AccountEvent, AnyEvent, Command, decode_batch, encode_batch
from litehedge.orders.manager import Order
from litehedge.risk.state import TradingState

FORMAT: Final = 1
BATCH: Final = 2048

_META = sa.MetaData()
_RUNS = sa.Table(
    "runs",
    _META,
    sa.Column("run_id", sa.Integer, primary_key=True),
    sa.Column("header", sa.LargeBinary, nullable=False),
)
_EVENTS = sa.Table(
    "event_batches",
    _META,
    sa.Column("run_id", sa.Integer, primary_key=True),
    sa.Column("first", sa.Integer, primary_key=True),  # number of the batch's first event
    sa.Column("payload", sa.LargeBinary, nullable=False),
)
_EFFECTS = sa.Table(
    "effects",
    _META,
    sa.Column("run_id", sa.Integer, primary_key=True),
    sa.Column("event", sa.Integer, primary_key=True),  # number of the event that caused it
    sa.Column("place", sa.Integer, primary_key=True),
    sa.Column("kind", sa.String(20), nullable=False, index=True),
    sa.Column("payload", sa.LargeBinary, nullable=False),
)

_ENCODER = msgspec.msgpack.Encoder()
_EFFECT_DECODER = msgspec.msgpack.Decoder(
    Submit
    | Query
    | Transfer
    | QueryTransfer
    | CancelAll
    | Alert
    | Decision
    | StateChange
    | Checkpoint
)
_NOT_MARKET: Final = frozenset(get_args(AccountEvent) + get_args(Command))


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

    def __init__(self, url: str | Path) -> None:
        self.url = url if isinstance(url, str) and "://" in url else f"sqlite:///{url}"
        try:
            if self.url.startswith("sqlite:///"):
                Path(self.url.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
            self._engine = sa.create_engine(self.url)
            if self._engine.dialect.name == "sqlite":
                sa.event.listen(self._engine, "connect", _durable)
            _META.create_all(self._engine)
        except (SQLAlchemyError, OSError) as error:
            raise JournalError(
                f"the journal {url} cannot be opened ({_first_line(error)})",
                "check the path, or give another with --journal",
            ) from None
        self._run_id = 0
        self._events: list[AnyEvent] = []
        self._effects: list[dict[str, Any]] = []
        self._count = 0
        self._flushed = 0
        self._place = 0

    def begin(self, header: Header) -> None:
        """Start a run; later runs of the same journal follow it."""
        with self._transaction() as connection:
            done = connection.execute(_RUNS.insert().values(header=msgspec.json.encode(header)))
            assert done.inserted_primary_key is not None
            self._run_id = int(done.inserted_primary_key[0])
        self._count = self._flushed = 0

    def event(self, event: AnyEvent) -> None:
        """Record an event before the engine sees it."""
        if len(self._events) >= BATCH:
            self.flush()  # before, not after: an event and its effects go to disk together
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

    def flush(self) -> None:
        """Make everything so far durable.

        Raises
        ------
        JournalError
            When the database refuses; no order may be sent then.
        """
        if not self._events and not self._effects:
            return
        with self._transaction() as connection:
            if self._events:
                connection.execute(
                    _EVENTS.insert().values(
                        run_id=self._run_id,
                        first=self._flushed,
                        payload=encode_batch(self._events),
                    )
                )
            if self._effects:
                connection.execute(_EFFECTS.insert(), self._effects)
        self._flushed = self._count
        self._events = []
        self._effects = []

    def close(self) -> None:
        """Flush and let go of the database."""
        self.flush()
        self._engine.dispose()

    # --- reading ------------------------------------------------------------------------------

    def runs(self) -> list[tuple[int, Header]]:
        """Return number and header of every run.

        Raises
        ------
        JournalError
            When a header cannot be read.
        """
        with self._transaction() as connection:
            rows = connection.execute(sa.select(_RUNS).order_by(_RUNS.c.run_id)).all()
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
        """Yield the events of a run, in order."""
        query = sa.select(_EVENTS.c.payload).where(_EVENTS.c.run_id == run_id)
        with self._transaction() as connection:
            for (payload,) in connection.execute(query.order_by(_EVENTS.c["first"])):
                yield from decode_batch(payload)

    def effects(self, run_id: int) -> Iterator[tuple[int, bytes]]:
        """Yield (event number, bytes) of the effects of a run, in order."""
        query = sa.select(_EFFECTS.c.event, _EFFECTS.c.payload).where(_EFFECTS.c.run_id == run_id)
        with self._transaction() as connection:
            for number, payload in connection.execute(
                query.order_by(_EFFECTS.c.event, _EFFECTS.c.place)
            ):
                yield int(number), payload

    def orders(self, run_id: int) -> Iterator[Order]:
        """Yield the orders that a run sent, as they were when it sent them."""
        query = sa.select(_EFFECTS.c.payload).where(
            _EFFECTS.c.run_id == run_id, _EFFECTS.c.kind == "Submit"
        )
        with self._transaction() as connection:
            for (payload,) in connection.execute(
                query.order_by(_EFFECTS.c.event, _EFFECTS.c.place)
            ):
                sent = _EFFECT_DECODER.decode(payload)
                assert isinstance(sent, Submit)
                yield sent.order

    def decisions(self, run_id: int) -> Iterator[Decision]:
        """Yield the decisions of a run, in order."""
        query = sa.select(_EFFECTS.c.payload).where(
            _EFFECTS.c.run_id == run_id, _EFFECTS.c.kind == "Decision"
        )
        with self._transaction() as connection:
            for (payload,) in connection.execute(
                query.order_by(_EFFECTS.c.event, _EFFECTS.c.place)
            ):
                decision = _EFFECT_DECODER.decode(payload)
                assert isinstance(decision, Decision)
                yield decision

    def resume_point(self) -> ResumePoint | None:
        """Return where the last run stood, None where it left nothing to take up.

        Raises
        ------
        JournalError
            When it cannot be read.
        """
        runs = self.runs()
        if not runs:
            return None
        run_id, header = runs[-1]
        query = (
            sa.select(_EFFECTS.c.event, _EFFECTS.c.payload)
            .where(_EFFECTS.c.run_id == run_id, _EFFECTS.c.kind == "Checkpoint")
            .order_by(_EFFECTS.c.event.desc(), _EFFECTS.c.place.desc())
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
        query = sa.select(_EVENTS.c["first"], _EVENTS.c.payload).where(_EVENTS.c.run_id == run_id)
        begins = sa.select(sa.func.max(_EVENTS.c["first"])).where(
            _EVENTS.c.run_id == run_id, _EVENTS.c["first"] <= max(number, 0)
        )
        query = query.where(_EVENTS.c["first"] >= begins.scalar_subquery())
        with self._transaction() as connection:
            for first, payload in connection.execute(query.order_by(_EVENTS.c["first"])):
                yield from decode_batch(payload)[max(0, number + 1 - first) :]

    def trading_state(self) -> TradingState:
        """Return the state that the last run ended in: a halt survives a restart."""
        query = (
            sa.select(_EFFECTS.c.payload)
            .where(_EFFECTS.c.kind == "StateChange")
            .order_by(_EFFECTS.c.run_id.desc(), _EFFECTS.c.event.desc(), _EFFECTS.c.place.desc())
            .limit(1)
        )
        with self._transaction() as connection:
            row = connection.execute(query).first()
        if row is None:
            return TradingState.ACTIVE
        change = _EFFECT_DECODER.decode(row[0])
        assert isinstance(change, StateChange)
        return TradingState[change.after]

    def _transaction(self) -> _Transaction:
        return _Transaction(self._engine, str(self.url))


class _Transaction:
    """A connection whose foreign errors come out as ours."""

    def __init__(self, engine: sa.Engine, url: str) -> None:
        self._context = engine.begin()
        self._url = url

    def __enter__(self) -> sa.Connection:
        try:
            return self._context.__enter__()
        except SQLAlchemyError as error:
            raise self._ours(error) from None

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        try:
            self._context.__exit__(kind, error, trace)
        except SQLAlchemyError as failure:
            raise self._ours(failure) from None
        if isinstance(error, SQLAlchemyError):
            raise self._ours(error) from None

    def _ours(self, error: BaseException) -> JournalError:
        return JournalError(
            f"the journal {self._url} refused ({_first_line(error)})",
            "check the file and the disk; no order is sent without the journal",
        )


def _durable(connection: Any, record: Any) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.close()


def _first_line(error: BaseException) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__

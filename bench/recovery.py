"""How long a start takes to know where the last run stood, after a day and a month of paper.

The journal holds an event a second, and a decision with its checkpoint every minute.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import msgspec
import sqlalchemy as sa

from bench.timing import Figure
from litehedge.effects import Alert, Checkpoint
from litehedge.market import events as ev
from litehedge.market.events import encode_batch
from litehedge.store.header import Header
from litehedge.store.journal import BATCH, EFFECTS, EVENTS, Journal, encode_effect
from litehedge.units import NS_PER_SECOND

EVENTS_A_DAY = 86_400
EVERY = 60  # events between two checkpoints
RUNS = 5
_POINT = Checkpoint(
    time_ns=0, trading=0, is_open=True, books={f"field_{n}": [1.0, 2.0] for n in range(30)},
    budgets={f"budget_{n}": 1.0 for n in range(10)}, size_ltc=1.0, floor_usdt=1.0,
    memory=[0.0] * 64, order=None, orders_made=0, transfer=None, transfers_made=0,
    transfer_wait_ns=-1, override=None, hedge_wait_ns=-1, closed_ltc=0.0,
    is_reduced_by_books=False,
)  # fmt: skip


def measure() -> list[Figure]:
    """Time opening the journal and reading where its last run stood."""
    figures = []
    for name, days in (("a day", 1), ("a month", 30)):
        with tempfile.TemporaryDirectory(dir=".", prefix=".bench-") as folder:
            path = Path(folder) / "journal.sqlite"
            _write(path, days)
            size = path.stat().st_size / 2**20
            took = min(_recover(path) for _ in range(RUNS))
        figures.append(Figure(f"journal of {name} ({size:,.0f} MiB) to ready", took, "ms"))
    return figures


def _recover(path: Path) -> float:
    began = time.perf_counter()
    journal = Journal(path)
    journal.last_run()
    point = journal.resume_point()
    journal.trading_state()
    took = (time.perf_counter() - began) * 1e3
    assert point is not None
    journal.close()
    return took


def _write(path: Path, days: int) -> None:
    journal = Journal(path)
    journal.begin(
        Header(
            litehedge="", created="", mode="paper", settings={}, policy="", free_ratio=0.0,
            model_id="", model_folder="", session="bench-1", atom_ns=1, per_frame=1,
            held_every_ns=1, trading_state=0, data="",
        )
    )  # fmt: skip
    now_ns = 1_795_000_000 * NS_PER_SECOND
    batch = encode_batch([
        ev.Book(now_ns + n, now_ns + n, 84.0, 84.01, 1e6, 1e6) for n in range(BATCH)
    ])  # fmt: skip
    count = days * EVENTS_A_DAY // BATCH * BATCH
    decided = encode_effect(Alert("digest", "as long as a decision " * 40))
    with journal._engine.begin() as connection:
        connection.execute(sa.text("PRAGMA synchronous=OFF"))
        connection.execute(
            EVENTS.insert(),
            [{"run_id": 1, "first": n, "payload": batch} for n in range(0, count, BATCH)],
        )
        rows = []
        for number in range(0, count - BATCH, EVERY):
            point = encode_effect(msgspec.structs.replace(_POINT, time_ns=now_ns + number))
            for place, kind, payload in ((0, "Decision", decided), (1, "Checkpoint", point)):
                rows.append(
                    {"run_id": 1, "event": number, "place": place, "kind": kind, "payload": payload}
                )
        connection.execute(EFFECTS.insert(), rows)
    journal.close()

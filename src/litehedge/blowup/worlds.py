"""A simulated world as the tape that a backtest would read, without a lake between them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from litehedge.feeds.replay import EventArrays
from litehedge.market.events import MarketEvent
from litehedge.sim.market.feed import tell
from litehedge.sim.market.parameters import Parameters
from litehedge.sim.market.step import run_world
from litehedge.sim.market.telling import Teller
from litehedge.sim.study import DAY_S, MINUTE_S, warmed_world
from litehedge.squeeze.forecast import Forecaster
from litehedge.store.worlds import events_of_world
from litehedge.tape import WARM_UP_NS, Tape, tape_of
from litehedge.units import NS_PER_MINUTE, NS_PER_SECOND

WARM_UP_DAYS: Final = int(WARM_UP_NS // (DAY_S * NS_PER_SECOND))
"""Statistics warm up on so many days before the first life, as in a backtest."""

CHUNK_DAYS: Final = 10

Ints = NDArray[np.int64]


def world_tape(
    parameters: Parameters,
    shocks: NDArray[np.void],
    seed: int,
    begin_s: int,
    days: int,
    forecaster: Forecaster,
    warm_up_days: int = WARM_UP_DAYS,
    reached: Callable[[int], None] = lambda now_ns: None,
) -> Tape:
    """Return so many days of one world as minute bars with the signals of every minute.

    Parameters
    ----------
    shocks
        `SHOCK` ``(shock,)``, times in seconds since 1970.
    begin_s
        When the tape begins, in seconds since 1970. The crowd has lived for days before the
        warm-up of the statistics begins.
    reached
        Is told the time after every chunk.
    """
    chunks = _chunks(parameters, shocks, seed, begin_s, days, warm_up_days)
    return tape_of(
        f"world {seed}", NS_PER_MINUTE, chunks, forecaster, begin_s * NS_PER_SECOND,
        days * DAY_S // MINUTE_S, reached,
    )  # fmt: skip


def world_events(
    parameters: Parameters, shocks: NDArray[np.void], seed: int, begin_s: int, days: int,
    warm_up_days: int = WARM_UP_DAYS,
) -> Iterator[MarketEvent]:  # fmt: skip
    """Yield the events of the same world that `world_tape` makes bars and signals of."""
    for events, _ in _chunks(parameters, shocks, seed, begin_s, days, warm_up_days):
        yield from events.events()


def _chunks(
    parameters: Parameters, shocks: NDArray[np.void], seed: int, begin_s: int, days: int,
    warm_up_days: int,
) -> Iterator[tuple[EventArrays, pl.DataFrame]]:  # fmt: skip
    world = warmed_world(parameters, seed, begin_s - warm_up_days * DAY_S)
    teller = Teller(seed, MINUTE_S)
    total = warm_up_days + days
    before: NDArray[np.void] | None = None
    for done in range(0, total, CHUNK_DAYS):
        now_s = world.second
        record = run_world(
            world, min(CHUNK_DAYS, total - done) * DAY_S, atom_s=MINUTE_S, shocks=shocks
        )
        as_told = tell(record, now_s, MINUTE_S, shocks, before)
        btc_before = float((record if before is None else before)["btc"][0])
        told = teller.tell(as_told, now_s)
        before = as_told[-1:]
        yield events_of_world(record, now_s, MINUTE_S, told, btc_before)

"""A simulated world as the tape that a backtest would read, without a lake between them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from litehedge.feeds.replay import EventArrays, merge
from litehedge.sim.market.feed import OPEN_INTEREST_S, tell
from litehedge.sim.market.parameters import Parameters
from litehedge.sim.market.second import FUNDING_S
from litehedge.sim.market.step import run_world
from litehedge.sim.study import DAY_S, MINUTE_S, warmed_world
from litehedge.squeeze.forecast import Forecaster
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


def _chunks(
    parameters: Parameters, shocks: NDArray[np.void], seed: int, begin_s: int, days: int,
    warm_up_days: int,
) -> Iterator[tuple[EventArrays, pl.DataFrame]]:  # fmt: skip
    world = warmed_world(parameters, seed, begin_s - warm_up_days * DAY_S)
    total = warm_up_days + days
    before: NDArray[np.void] | None = None
    for done in range(0, total, CHUNK_DAYS):
        now_s = world.second
        record = run_world(
            world, min(CHUNK_DAYS, total - done) * DAY_S, atom_s=MINUTE_S, shocks=shocks
        )
        record = tell(record, now_s, MINUTE_S, shocks, before)
        tables = _tables(record, now_s, before)
        before = record[-1:]
        yield merge(tables, NS_PER_MINUTE), tables["bars"]


def _tables(
    record: NDArray[np.void], begin_s: int, before: NDArray[np.void] | None
) -> dict[str, pl.DataFrame]:
    """Return what feeds tell of a record of minutes, by role, as `litehedge simulate` stores it."""
    ends_s = begin_s + MINUTE_S * np.arange(1, record.size + 1, dtype=np.int64)

    def timed(chosen: NDArray[np.bool_], **columns: Any) -> pl.DataFrame:
        times = ends_s[chosen] * NS_PER_SECOND
        told = {name: values[chosen] for name, values in columns.items()}
        return pl.DataFrame({"event_ns": times, "known_ns": times, **told})

    every = np.ones(record.size, dtype=bool)
    btc = record["btc"]
    btc_open = np.concatenate(((record if before is None else before)["btc"][:1], btc[:-1]))
    price = record["close"]
    forced = [
        timed(
            record[f"liquidated_{side}_usdt"] > 0.0, side=np.full(record.size, side),
            notional_usdt=record[f"liquidated_{side}_usdt"],
        )
        for side in ("long", "short")
    ]  # fmt: skip
    return {
        "bars": timed(
            every, open=record["open"], high=record["high"], low=record["low"], close=price,
            volume=(record["buy_usdt"] + record["sell_usdt"]) / price,
        ),
        "btc": timed(
            every, open=btc_open, high=np.maximum(btc_open, btc), low=np.minimum(btc_open, btc),
            close=btc, volume=np.ones(record.size),
        ),
        "open_interest": timed(ends_s % OPEN_INTEREST_S == 0, oi=record["open_interest_ltc"]),
        "funding": timed(ends_s % FUNDING_S == 0, rate=record["funding_rate"]),
        "liquidations": pl.concat(forced).sort("event_ns", "side"),
    }  # fmt: skip

"""Worlds measured: years of a world as minutes, and its stylised facts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from litehedge.sim.facts import Minutes, facts
from litehedge.sim.market.parameters import Parameters
from litehedge.sim.market.second import FUNDING_S
from litehedge.sim.market.state import World, new_world
from litehedge.sim.market.step import NO_SHOCKS, run_world
from litehedge.units import NS_PER_SECOND

DAY_S: Final = 86_400
MINUTE_S: Final = 60
WARM_DAYS: Final = 5
"""The crowd needs some days to forget how it was placed."""

Progress = Callable[[int], None]


def warmed_world(parameters: Parameters, seed: int, begin_s: int, days: int = WARM_DAYS) -> World:
    """Return a world that has lived some days before `begin_s` (seconds since 1970)."""
    world = new_world(parameters, seed, begin_s - days * DAY_S)
    run_world(world, days * DAY_S, atom_s=MINUTE_S)
    return world


def minutes_of_record(record: NDArray[np.void], begin_s: int) -> Minutes:
    """Return a record of one-minute atoms as the stylised facts take it."""
    ends_s = begin_s + MINUTE_S * np.arange(1, record.size + 1, dtype=np.int64)
    settles = ends_s % FUNDING_S == 0
    return Minutes(
        end_ns=ends_s * NS_PER_SECOND,
        close=record["close"],
        high=record["high"],
        low=record["low"],
        volume_usdt=record["buy_usdt"] + record["sell_usdt"],
        btc_close=record["btc"],
        funding_ns=ends_s[settles] * NS_PER_SECOND,
        funding_rate=record["funding_rate"][settles],
        liquidated_long_usdt=record["liquidated_long_usdt"],
        liquidated_short_usdt=record["liquidated_short_usdt"],
        reported_usdt=record["reported_long_usdt"] + record["reported_short_usdt"],
        open_interest_usdt=record["open_interest_ltc"] * record["mark"],
    )


def facts_of_world(
    parameters: Parameters, seed: int, begin_s: int, days: int, progress: Progress = lambda n: None
) -> dict[str, float]:
    """Return the stylised facts of so many days of one world; `progress` is told the days done."""
    world = warmed_world(parameters, seed, begin_s)
    months = []
    done = 0
    while done < days:
        step = min(30, days - done)
        months.append(run_world(world, step * DAY_S, atom_s=MINUTE_S, shocks=NO_SHOCKS))
        done += step
        progress(done)
    return facts(minutes_of_record(np.concatenate(months), begin_s))

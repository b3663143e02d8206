"""Find a squeeze in a world, and stand before it."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from litehedge.errors import UsageError
from litehedge.sim.market.parameters import Parameters
from litehedge.sim.market.state import World
from litehedge.sim.market.step import run_world
from litehedge.sim.study import DAY_S, MINUTE_S, warmed_world

WINDOW_MIN = 30


def world_before_fall(
    parameters: Parameters,
    seed: int,
    begin_s: int,
    *,
    fall: float,
    lead_s: int,
    most_days: int = 2_000,
) -> tuple[World, int]:
    """Return a world `lead_s` before its first fall of that share within half an hour, and when.

    The second returned is that of the last high before the low. A copy of the world at the begin
    of each day is kept: finding the fall costs one run, standing before it another short one.

    Raises
    ------
    UsageError
        When nothing falls so far within `most_days`.
    """
    world = warmed_world(parameters, seed, begin_s)
    back = lead_s // DAY_S + 2
    mornings: list[World] = []
    closes = np.empty(0)
    lows = np.empty(0)
    for _ in range(most_days):
        mornings.append(world.copy())
        del mornings[: -back - 1]
        record = run_world(world, DAY_S, atom_s=MINUTE_S)
        closes = np.concatenate((closes[-WINDOW_MIN:], record["close"]))
        lows = np.concatenate((lows[-WINDOW_MIN:], record["low"]))
        lowest = sliding_window_view(lows, WINDOW_MIN).min(axis=1)[1:]
        falls = np.flatnonzero(lowest < closes[: lowest.size] * (1.0 - fall))
        if falls.size == 0:
            continue
        first = int(falls[0])
        low = first + 1 + int(np.argmin(lows[first + 1 : first + 1 + WINDOW_MIN]))
        high = first + int(np.argmax(closes[first:low]))
        high_s = world.second - MINUTE_S * (closes.size - 1 - high)
        start_s = high_s - lead_s
        fitting = [m for m in mornings if m.second <= start_s]
        if not fitting:  # so early that there is no room before it
            continue
        before = fitting[-1]
        run_world(before, start_s - before.second, atom_s=MINUTE_S)
        return before, high_s
    raise UsageError(
        f"nothing falls by {fall:.0%} within half an hour in {most_days} days of seed {seed}",
        "choose another --seed",
    )

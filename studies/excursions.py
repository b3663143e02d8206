"""How far the market went against a position: what advice is fitted on, and judged by.

An excursion is the largest move against a position within a horizon, in log price: the lowest low
below the entry for a long one, the highest high above it for a short one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from litehedge.backtest import episodes
from litehedge.hedge.leverage import volatilities
from litehedge.tape import Tape
from litehedge.units import NS_PER_DAY, NS_PER_HOUR

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Starts:
    """What was known when positions were opened, and how far it went against them.

    Shapes: `opens_ns`, `now`, `slow`, `confidence` ``(start,)``; `moves` ``(side, start)``, log
    excursions of long and short positions.
    """

    opens_ns: Ints
    now: Floats
    slow: Floats
    confidence: Floats
    moves: Floats

    def picked(self, chosen: NDArray[np.bool_]) -> Starts:
        """Return some of them."""
        return Starts(
            self.opens_ns[chosen], self.now[chosen], self.slow[chosen], self.confidence[chosen],
            self.moves[:, chosen],
        )  # fmt: skip


def extremes(values: Floats, starts: Ints, length: int) -> Floats:
    """Return the maximum of each `length` values from a start on, by doubling windows."""
    covered = 1
    window = values.copy()
    while 2 * covered <= length:
        window[:-covered] = np.maximum(window[:-covered], window[covered:])
        covered *= 2
    return np.maximum(window[starts], window[starts + length - covered])


def starts_of(tape: Tape, horizon_days: float, every_ns: int = NS_PER_HOUR) -> Starts:
    """Open a position every `every_ns` and follow it for the horizon.

    Positions open at a bar's open; what was known is the frame that had just ended.
    """
    where = episodes(tape, int(horizon_days * NS_PER_DAY), every_ns)
    length = int(where.stops[0] - where.starts[0])
    entry = np.log(tape.bars[where.starts, 0])
    high = extremes(np.log(tape.bars[:, 1]), where.starts, length)
    low = -extremes(-np.log(tape.bars[:, 2]), where.starts, length)
    known = np.array([volatilities(tape.signals, i) for i in (where.starts - 1).tolist()])
    fine = np.isfinite(known).all(axis=1)
    found = Starts(
        tape.end_ns[where.starts] - tape.bar_ns, *known.T, np.stack((entry - low, high - entry))
    )
    return found.picked(fine)

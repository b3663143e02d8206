"""Forecasters that have gone wrong: what guards are there for.

From a day on the forecast in a tape's signals is replaced. Everything that is no forecast (prices,
statistics of past returns, volume, funding) stays, and so does the forecaster's word that it is
well: a wrong forecaster does not know that it is wrong.
"""

from __future__ import annotations

import enum
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from litehedge.hedge import signals as sg
from litehedge.tape import Tape
from litehedge.units import NS_PER_DAY

Singles = NDArray[np.float32]

_ONSETS: Final = slice(sg.ONSET, sg.SEVERITY)
_PER_SIDE: Final = len(sg.HORIZONS_MIN)


class Wrong(enum.IntEnum):
    """How a forecaster has gone wrong."""

    NOT = 0
    FLIPS = 1
    STUCK = 2


ABOUT: Final = {
    Wrong.NOT: "as it is",
    Wrong.FLIPS: "from a random day on every minute's probabilities are 0 or 1, by a coin per side",
    Wrong.STUCK: "from a random day on it sees no squeeze, and the least volatility that it "
    "forecast on the day before",
}


def first_wrong_bar(tape: Tape, seed: int) -> int:
    """Return the first bar of the day from which the forecaster is wrong: never the first day.

    Raises
    ------
    ValueError
        When the tape has less than two days.
    """
    per_day = NS_PER_DAY // tape.bar_ns
    days = len(tape) // per_day
    if days < 2:
        raise ValueError(
            f"{days} days are too few for a forecaster that goes wrong after the first"
        )
    chance = np.random.default_rng((seed, Wrong.FLIPS))
    return int(chance.integers(1, days)) * per_day


def gone_wrong(tape: Tape, wrong: Wrong, seed: int) -> Tape:
    """Return the tape with a forecast that is wrong from `first_wrong_bar` on; `seed` decides."""
    if wrong is Wrong.NOT:
        return tape
    first = first_wrong_bar(tape, seed)
    signals = tape.signals.copy()
    if wrong is Wrong.FLIPS:
        coins = np.random.default_rng((seed, Wrong.FLIPS, 1)).integers(
            0, 2, (2, len(tape) - first), dtype=np.int8
        )
        signals[_ONSETS, first:] = np.repeat(coins, _PER_SIDE, axis=0)
    else:
        signals[_ONSETS, first:] = 0.0
        before = slice(first - NS_PER_DAY // tape.bar_ns, first)
        for row in (sg.VOL_30, sg.VOL_120):
            signals[row, first:] = np.nanmin(signals[row, before])
    return replace(tape, signals=signals)

"""The causal half of what a squeeze is: a move that is too large for the last 15 minutes.

The threshold is trailing: it uses volatility up to now only. Labels confirm a squeeze with it
after the fact, features say how near it is, and both call this code.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from litehedge.jit import kernel

MOVE_MINUTES: Final = 15.0
FLOOR: Final = 0.0150  # log move; an absolute floor, else calm days would be full of squeezes
SIGMAS: Final = 4.0
SLOW_HALF_LIFE_DAYS: Final = 10.0  # mean age of an observation 14 days, as in a 30-day window


@kernel
def threshold(sigma_per_min: float, minutes: float) -> float:
    """Return the log move within `minutes` that triggers.

    max(150 bps, 4 sigma sqrt(15)) in 15 minutes; where frames are longer than that, both grow
    with the square root of time. `sigma_per_min` is the slow volatility per square root of a
    minute; NaN leaves the floor.
    """
    stretch = np.sqrt(minutes / MOVE_MINUTES)
    if np.isnan(sigma_per_min):
        return FLOOR * stretch
    return max(FLOOR, SIGMAS * sigma_per_min * np.sqrt(MOVE_MINUTES)) * stretch


def frames_per(minutes: float, frame_minutes: float) -> int:
    """Return how many frames cover `minutes`, at least one."""
    return max(1, round(minutes / frame_minutes))

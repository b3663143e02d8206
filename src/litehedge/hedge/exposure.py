"""How far liquidation is, and how likely, at a given hedge ratio: shared by all policies."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from litehedge.hedge import signals as sg
from litehedge.jit import kernel
from litehedge.squeeze.forecast import N_SEVERITY, SEVERITY_LEVELS
from litehedge.squeeze.hazard import tail_probability

Singles = NDArray[np.float32]

SAME_ACCOUNT, SECOND_VENUE, REDUCE = range(3)
"""Where the hedge lives, as kernels know it; the order of `config.HedgeLocation`."""

SHARED, APART, REDUCED = range(3)
"""What the hedge does to the position's margin: what it earns backs the position too; it earns
elsewhere, and the position dies where it would without; or the position itself is smaller."""


@kernel
def hedged_distance(
    side: float, ratio: float, equity_share: float, maintenance_rate: float, coupling: int
) -> float:
    """Return the adverse move, as a fraction of price, that liquidates at hedge ratio `ratio`.

    With maintenance rate m and the equity e that backs the position as shares of its notional,
    after an adverse move x: ``e - (1-h) x = m (1 + h) (1 -+ x)`` when the hedge shares the margin,
    ``m (1 - h)`` when reducing; a hedge apart changes nothing (h = 0). Capped at 1; 0 when already
    under maintenance.
    """
    if coupling == APART:
        ratio = 0.0
    legs = 1.0 - ratio if coupling == REDUCED else 1.0 + ratio
    free = equity_share - maintenance_rate * legs
    if free <= 0.0:
        return 0.0
    slope = (1.0 - ratio) - side * maintenance_rate * legs
    if slope <= 0.0:
        return 1.0
    return min(1.0, free / slope)


SURE: Final = 1e-4
HOPELESS: Final = 1e-2
"""Probabilities to die before money comes, below which it counts whole, and above which not at all:
those at which the plug-in, as it was fitted, lifts and puts on a hedge."""
LONGEST_DELAY_MIN: Final = 240.0


@kernel
def counts_in_time(
    signals: Singles, frame: int, side: float, distance: float, trigger_distance: float,
    delay_min: float,
) -> float:  # fmt: skip
    """Return the share, 0 to 1, of money that counts as margin although it has yet to come.

    The position dies before it comes if price first takes away what lies above the trigger, upon
    which money is sent, and then the rest within the delay. That probability is judged without the
    money. 1 below `SURE`, 0 above `HOPELESS`, between them in proportion to its logarithm: a policy
    that looks at the sum then puts its hedge on and lifts it far apart, as with its own margin. 0
    too while the forecast is cold, or where the delay is longer than it reaches.

    Parameters
    ----------
    distance
        To liquidation without the money, as a fraction of price.
    trigger_distance
        To liquidation when money is sent; infinity when it has been.
    """
    if delay_min <= 0.0:
        return 1.0
    if signals[sg.STATE, frame] >= 2.0 or np.isnan(signals[sg.VOL_30, frame]):
        return 0.0
    if delay_min > LONGEST_DELAY_MIN:
        return 0.0
    left = min(distance, trigger_distance)
    late = adverse_probability(signals, frame, side, left, delay_min)
    if distance > left:
        late *= adverse_probability(signals, frame, side, distance - left, LONGEST_DELAY_MIN)
    if late <= SURE:
        return 1.0
    if late >= HOPELESS:
        return 0.0
    return np.log(HOPELESS / late) / np.log(HOPELESS / SURE)


@kernel
def student4_tail(x: float) -> float:
    """Return P(T > x) for Student's t with 4 degrees of freedom, in units of its own deviation.

    Closed form; the variance of t4 is 2.
    """
    t = x * np.sqrt(2.0)
    s = 1.0 + 0.25 * t * t
    return 0.5 - 0.375 * (t / np.sqrt(s)) * (1.0 - t * t / (12.0 * s))


@kernel
def adverse_probability(
    signals: Singles, frame: int, side: float, move: float, minutes: float
) -> float:
    """Return P(price moves against the position by `move` within `minutes`).

    Diffusion with fat tails (first passage by reflection, Student t4) and, independently, the
    onset of a squeeze that is worse than `move`. NaN when the forecast is cold.

    Parameters
    ----------
    signals, frame
        ``(N_SIGNALS, frame)`` and the frame's number.
    side
        +1 for a long position, -1 for a short one.
    move
        Fraction of price.
    minutes
        Horizon, up to 240.
    """
    if move <= 0.0:
        return 1.0
    # Between the two forecast horizons volatility is interpolated in log time.
    weight = min(1.0, max(0.0, np.log(minutes / 30.0) / np.log(4.0)))
    vol = signals[sg.VOL_30, frame] * (1.0 - weight) + signals[sg.VOL_120, frame] * weight
    if np.isnan(vol):  # `min` would lose it
        return np.nan
    diffuse = min(1.0, 2.0 * student4_tail(move / (vol * np.sqrt(minutes))))
    risky = 0 if side > 0.0 else 1
    base = sg.ONSET + risky * 3
    if minutes <= 15.0:
        onset = signals[base, frame] * minutes / 15.0
    elif minutes <= 60.0:
        onset = (
            signals[base, frame]
            + (signals[base + 1, frame] - signals[base, frame]) * (minutes - 15.0) / 45.0
        )
    else:
        onset = (
            signals[base + 1, frame]
            + (signals[base + 2, frame] - signals[base + 1, frame]) * (minutes - 60.0) / 180.0
        )
    first = sg.SEVERITY + risky * N_SEVERITY
    squeezed = onset * tail_probability(signals, first, frame, SEVERITY_LEVELS, move)
    return 1.0 - (1.0 - diffuse) * (1.0 - squeezed)

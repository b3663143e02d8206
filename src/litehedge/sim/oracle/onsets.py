"""When the next squeeze begins in each future: the catalogue's rules, around one instant.

What is known at the instant stays as it is: thresholds that trail over days are those of the
instant for the hours that follow. The realised future is judged by the same rule as the futures
that were only possible.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from litehedge.features.trigger import MOVE_MINUTES, SLOW_HALF_LIFE_DAYS
from litehedge.features.windows import decay_of_half_life
from litehedge.jit import kernel
from litehedge.sim.market.telling import OPEN_INTEREST_S
from litehedge.squeeze import labels as lb
from litehedge.squeeze.labels import find, fired, noise_of, rolling_sum, slow_sigma
from litehedge.units import MINUTES_PER_DAY

Floats = NDArray[np.float64]

LAG: Final = int(MOVE_MINUTES)
PAST_MIN: Final = int(lb.LONGEST_MINUTES + lb.WALK_BACK_MINUTES) + 2 * LAG
"""How far back a squeeze may have begun that still runs."""

TAIL_MIN: Final = 60
"""How far beyond the horizon a future must go: an onset shows itself only by what follows."""

NEVER: Final = -1
_HIGH, _LOW, _CLOSE, _LIQUIDATED, _OI_CHANGE, _SIGMA, _UNUSUAL, _USUAL = range(8)
_N_ROWS: Final = 8


@dataclass(frozen=True, slots=True)
class Timeline:
    """The minutes that a world really lived, with the thresholds that trail behind them.

    Shapes: `record` `ATOM` ``(minute,)``; `thresholds` ``(side, 3, minute)``: slow volatility,
    and what liquidations must reach to count as a burst and to count as noise, in USDT.
    """

    begin_s: int
    record: NDArray[np.void]
    thresholds: Floats

    def __len__(self) -> int:
        return int(self.record.size)


def timeline_of(record: NDArray[np.void], begin_s: int) -> Timeline:
    """Return a record of minutes, `ATOM` ``(minute,)``, with its thresholds."""
    thresholds = np.empty((2, 3, record.size))
    decay = decay_of_half_life(SLOW_HALF_LIFE_DAYS * MINUTES_PER_DAY)
    sigma = slow_sigma(np.ascontiguousarray(record["close"]), decay, lb.SIGMA_WARM_MINUTES, 1.0)
    for side, name in enumerate(lb.SIDES):
        liquidated = np.ascontiguousarray(record[f"liquidated_{name}_usdt"])
        burst = rolling_sum(liquidated, LAG)
        thresholds[side, 0] = sigma
        thresholds[side, 1] = lb.trailing_quantile(burst, 1.0, lb.LIQUIDATION_QUANTILE)
        thresholds[side, 2] = lb.trailing_quantile(liquidated, 1.0, lb.CALM_QUANTILE)
    return Timeline(begin_s, record, thresholds)


def _oi_change(open_interest: Floats, begin_s: int) -> Floats:
    """Return the log change over 15 minutes of what was published before each minute's end."""
    every = OPEN_INTEREST_S // 60
    ends = begin_s // 60 + np.arange(1, open_interest.size + 1)
    published = np.arange(open_interest.size) - ((ends - 1) % every + 1)
    known = np.where(published >= 0, open_interest[np.maximum(published, 0)], np.nan)
    change = np.full(open_interest.size, np.nan)
    change[LAG:] = np.log(known[LAG:] / known[:-LAG])
    return change


def next_onsets(
    timeline: Timeline, now: int, futures: NDArray[np.void]
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return when the next squeeze of each side begins in each future.

    Parameters
    ----------
    timeline
        What was before; nothing after `now` is used.
    now
        Number of its minutes that are over.
    futures
        Minutes from then on, `ATOM` ``(branch, minute)``.

    Returns
    -------
    tuple
        Minutes to the next onset, ``(branch, side)``, `NEVER` without one; and whether a frame
        is at risk: not inside a squeeze of that side already, ``(branch, side)``.
    """
    n = min(now, PAST_MIN)
    before = timeline.record[now - n : now]
    minutes = np.full((futures.shape[0], 2), NEVER, dtype=np.int64)
    at_risk = np.ones((futures.shape[0], 2), dtype=np.bool_)
    rows = np.empty((_N_ROWS, n + futures.shape[1]))

    def both(name: str, branch: int) -> Floats:
        return np.concatenate((before[name], futures[branch][name]))

    for b in range(futures.shape[0]):
        rows[_HIGH] = both("high", b)
        rows[_LOW] = both("low", b)
        rows[_CLOSE] = both("close", b)
        rows[_OI_CHANGE] = _oi_change(
            both("open_interest_ltc", b), timeline.begin_s + 60 * (now - n)
        )
        for side, name in enumerate(lb.SIDES):
            rows[_LIQUIDATED] = both(f"liquidated_{name}_usdt", b)
            rows[_SIGMA:, :n] = timeline.thresholds[side, :, now - n : now]
            rows[_SIGMA:, n:] = timeline.thresholds[side, :, now - 1, np.newaxis]
            minutes[b, side], at_risk[b, side] = _next_onset(rows, n, 1.0 if side == 0 else -1.0)
    return minutes, at_risk


@kernel
def _next_onset(rows: Floats, n: int, side: float) -> tuple[int, bool]:
    """Return the minutes from the end of minute ``n - 1`` to the next onset, and the risk."""
    burst = np.full(rows.shape[1], np.nan)
    total = 0.0
    for i in range(rows.shape[1]):
        total += rows[_LIQUIDATED, i]
        if i >= LAG:
            total -= rows[_LIQUIDATED, i - LAG]
        if i >= LAG - 1:
            burst[i] = total
    fires = fired(
        rows[_HIGH], rows[_LOW], rows[_CLOSE], rows[_SIGMA], burst, rows[_UNUSUAL],
        rows[_OI_CHANGE], LAG, float(LAG), side,
    )  # fmt: skip
    count = fires.sum()
    if count == 0:
        return NEVER, True
    noise = noise_of(rows[_LIQUIDATED], rows[_USUAL])
    against = np.log(rows[_HIGH])
    along = np.log(rows[_LOW])
    if side < 0.0:
        against, along = -along, -against
    out = np.zeros((count, 5), np.int64)
    found = find(
        fires, against, along, noise, int(lb.WALK_BACK_MINUTES), int(lb.QUIET_MINUTES),
        int(lb.SILENT_MINUTES), int(lb.LONGEST_MINUTES), out,
    )  # fmt: skip
    at_risk = True
    for i in range(found):
        if out[i, 0] < n - 1 < out[i, 3]:
            at_risk = False
        if out[i, 0] >= n - 1:
            return out[i, 0] - (n - 1), at_risk
    return NEVER, at_risk

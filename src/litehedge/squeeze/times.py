"""Time to an event as every survival model and measure takes it, whatever the event is.

Three events are forecast. The onset of the next *squeeze* of the catalogue, whose two sides are
competing risks; and two that need no catalogue, first passages of price from where it is now:
*percent*, a move of 2 per cent, and *sigma*, a move of five times the trailing weekly volatility
of 5-minute returns. A fall is the long side's event (longs are liquidated), a rise the short's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from litehedge.features.trigger import frames_per
from litehedge.features.windows import decay_of_half_life
from litehedge.jit import kernel
from litehedge.market import schema as sc
from litehedge.market.frames import Frames, segments
from litehedge.squeeze.hazard import ONSET_HORIZON_MIN
from litehedge.squeeze.targets import Targets
from litehedge.units import MINUTES_PER_DAY, NS_PER_MINUTE

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

PERCENT: Final = 0.02
SIGMAS: Final = 5.0
SIGMA_MINUTES: Final = 5.0
SIGMA_HALF_LIFE_DAYS: Final = 3.5  # an observation is 5 days old on average
SIGMA_WARM_DAYS: Final = 1.0


@dataclass(frozen=True, slots=True)
class Times:
    """Minutes to the next event of each side, right-censored.

    Shapes: ``(frame, side)``. `minutes` is the time to the event or, where `happened` is False,
    how long none was seen; `at_risk` is False where the question makes no sense (inside a squeeze
    of that side, before statistics are warm). `competing`: the first event of either side ends
    the wait for both.
    """

    minutes: Floats
    happened: Bools
    at_risk: Bools
    competing: bool

    def __getitem__(self, rows: slice | Bools | Ints) -> Times:
        """Return the same of some frames."""
        return Times(self.minutes[rows], self.happened[rows], self.at_risk[rows], self.competing)


def squeeze_times(targets: Targets) -> Times:
    """Return the times to the next onset of the catalogue."""
    return Times(targets.to_onset_min, targets.has_onset, targets.at_risk, True)


def passage_times(frames: Frames, *, edge_ns: int | None = None) -> tuple[Times, Times]:
    """Return the times of first passage by 2 per cent, and by 5 weekly sigma.

    Price passes when the low (high) of a later frame is that far from the close of this one.
    Censored after 240 minutes, at gaps, and at `edge_ns`: nothing after it is used.
    """
    minutes_per = frames.frame_ns / NS_PER_MINUTE
    ahead = int(ONSET_HORIZON_MIN / minutes_per)
    n = len(frames)
    minutes = np.full((2, n, 2), np.nan)
    happened = np.zeros((2, n, 2), dtype=np.bool_)
    at_risk = np.zeros((2, n, 2), dtype=np.bool_)
    decay = decay_of_half_life(SIGMA_HALF_LIFE_DAYS * MINUTES_PER_DAY / minutes_per)
    for segment in segments(frames):
        end_ns = frames.end_ns[segment]
        usable = end_ns.size if edge_ns is None else int(np.count_nonzero(end_ns <= edge_ns))
        log = np.log(frames.values[segment][:usable][:, [sc.HIGH, sc.LOW, sc.CLOSE]])
        high, low, close = (np.ascontiguousarray(log[:, i]) for i in range(3))
        sigma = weekly_sigma(
            close, decay, frames_per(SIGMA_WARM_DAYS * MINUTES_PER_DAY, minutes_per)
        ) * np.sqrt(SIGMA_MINUTES / minutes_per)
        for kind in range(2):
            sigmas = SIGMAS * sigma
            fall = np.full(usable, -np.log1p(-PERCENT)) if kind == 0 else sigmas
            rise = np.full(usable, np.log1p(PERCENT)) if kind == 0 else sigmas
            at = slice(segment.start, segment.start + usable)
            steps, passed = first_passage(close, high, low, fall, rise, ahead)
            minutes[kind, at] = steps * minutes_per
            happened[kind, at] = passed
            at_risk[kind, at] = np.isfinite(sigma)[:, np.newaxis]
    one, two = (Times(minutes[k], happened[k], at_risk[k], False) for k in range(2))
    return one, two


@kernel
def weekly_sigma(log_close: Floats, decay: float, warm: int) -> Floats:
    """Return the trailing volatility of one frame's return, ``(frame,)``; NaN while not warm."""
    out = np.full(log_close.size, np.nan)
    weight = 0.0
    total = 0.0
    for i in range(1, log_close.size):
        r = log_close[i] - log_close[i - 1]
        weight = decay * weight + 1.0
        total = decay * total + r * r
        if i >= warm and total > 0.0:
            out[i] = np.sqrt(total / weight)
    return out


@kernel
def first_passage(
    close: Floats, high: Floats, low: Floats, fall: Floats, rise: Floats, ahead: int
) -> tuple[Floats, Bools]:
    """Return after how many frames price has fallen, risen so far, and whether it did at all.

    Shapes: logs ``(frame,)``; results ``(frame, side)``. Where it did not, the number of frames
    in which it was seen not to, at most `ahead`.
    """
    n = close.size
    steps = np.zeros((n, 2))
    passed = np.zeros((n, 2), np.bool_)
    for i in range(n):
        last = min(i + ahead, n - 1)
        steps[i, :] = last - i
        for j in range(i + 1, last + 1):
            if not passed[i, 0] and close[i] - low[j] >= fall[i]:
                passed[i, 0] = True
                steps[i, 0] = j - i
            if not passed[i, 1] and high[j] - close[i] >= rise[i]:
                passed[i, 1] = True
                steps[i, 1] = j - i
            if passed[i, 0] and passed[i, 1]:
                break
    return steps, passed

"""What a forecaster is asked at each frame, derived from the catalogue.

Per side: minutes to the next onset (right-censored at the horizon, at gaps, at fold edges and by
the other side, which is a competing risk), minutes to the peak while inside a squeeze, what is
still to come of the move, the phase, and dense auxiliary volatilities.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from litehedge.features.trigger import frames_per
from litehedge.market import schema as sc
from litehedge.market.frames import Frames, segments
from litehedge.squeeze.labels import BEFORE_MINUTES, RECOVERY_MINUTES, SIDES, Squeeze
from litehedge.units import BPS, NS_PER_MINUTE

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

PHASES: Final = ("normal", "before", "during", "after")
NORMAL, BEFORE, DURING, AFTER = range(len(PHASES))
VOL_MINUTES: Final = (5, 30, 120)


@dataclass(frozen=True, slots=True)
class Targets:
    """Targets of frames; NaN or False where there is nothing to learn.

    Shapes: everything ``(frame, side)`` with sides long, short, except `phase` ``(frame,)`` and
    `log_vol` ``(frame, 3)``.

    `to_onset_min` is the time to the next onset or, where `has_onset` is False, to censoring;
    `at_risk` is False inside a squeeze of the same side. `to_peak_min` and `to_come_bps` (the
    log move still to come) hold inside a squeeze. `event` is the index of the squeeze in the
    catalogue that the row is about, -1 for none. `log_vol` is the log of realised volatility per
    root minute over the next 5, 30 and 120 minutes.
    """

    to_onset_min: Floats
    has_onset: NDArray[np.bool_]
    at_risk: NDArray[np.bool_]
    inside: NDArray[np.bool_]
    to_peak_min: Floats
    to_come_bps: Floats
    event: Ints
    phase: Ints
    log_vol: Floats


def targets(frames: Frames, squeezes: list[Squeeze], *, edge_ns: int | None = None) -> Targets:
    """Derive the targets of each frame.

    `edge_ns` is the end of a fold: nothing after it is used, times are censored there.
    """
    n = len(frames)
    to_onset = np.full((n, 2), np.nan)
    has_onset = np.zeros((n, 2), dtype=np.bool_)
    at_risk = np.zeros((n, 2), dtype=np.bool_)
    inside = np.zeros((n, 2), dtype=np.bool_)
    to_peak = np.full((n, 2), np.nan)
    to_come = np.full((n, 2), np.nan)
    event = np.full((n, 2), -1, dtype=np.int64)
    phase = np.zeros(n, dtype=np.int64)
    log_vol = np.full((n, len(VOL_MINUTES)), np.nan)

    for segment in segments(frames):
        end_ns = frames.end_ns[segment]
        close = frames.values[segment, sc.CLOSE]
        edge = int(end_ns[-1]) if edge_ns is None else min(int(end_ns[-1]), edge_ns)
        usable = end_ns <= edge
        _fill_volatility(log_vol[segment], close, end_ns, edge, frames.frame_ns)
        for s, side in enumerate(SIDES):
            mine = [
                (i, q)
                for i, q in enumerate(squeezes)
                if q.side == side and end_ns[0] <= q.onset_ns <= edge
            ]
            onsets = np.array([q.onset_ns for _, q in mine], dtype=np.int64)
            which = np.searchsorted(onsets, end_ns, side="left")
            known = which < onsets.size
            at = np.where(known, np.append(onsets, edge)[which], edge)
            to_onset[segment, s] = np.where(usable, (at - end_ns) / NS_PER_MINUTE, np.nan)
            has_onset[segment, s] = known & usable
            at_risk[segment, s] = usable
            numbers = np.array([i for i, _ in mine] + [-1], dtype=np.int64)
            event[segment, s] = np.where(known & usable, numbers[which], -1)
            for i, q in mine:
                within = (end_ns > q.onset_ns) & (end_ns < q.end_ns) & usable
                at_risk[segment, s][within] = False
                during = (end_ns > q.onset_ns) & (end_ns < q.peak_ns) & usable
                if q.peak_ns <= edge:
                    inside[segment, s][during] = True
                    event[segment, s][during] = i
                    to_peak[segment, s][during] = (q.peak_ns - end_ns[during]) / NS_PER_MINUTE
                    left = np.abs(np.log(close[during] / q.peak_price))
                    to_come[segment, s][during] = left / BPS
        _fill_phase(
            phase[segment], end_ns, [q for q in squeezes if end_ns[0] <= q.onset_ns <= edge]
        )
    return Targets(to_onset, has_onset, at_risk, inside, to_peak, to_come, event, phase, log_vol)


def _fill_phase(phase: Ints, end_ns: Ints, squeezes: list[Squeeze]) -> None:
    """Later phases overwrite earlier ones: during > after > before."""
    before_ns = int(BEFORE_MINUTES * NS_PER_MINUTE)
    after_ns = int(RECOVERY_MINUTES * NS_PER_MINUTE)
    for q in squeezes:
        phase[(end_ns >= q.onset_ns - before_ns) & (end_ns <= q.onset_ns)] = BEFORE
    for q in squeezes:
        phase[(end_ns >= q.peak_ns) & (end_ns < q.end_ns + after_ns)] = AFTER
    for q in squeezes:
        phase[(end_ns > q.onset_ns) & (end_ns < q.peak_ns)] = DURING


def _fill_volatility(out: Floats, close: Floats, end_ns: Ints, edge: int, frame_ns: int) -> None:
    """Realised volatility over the coming minutes; NaN where they reach past the edge."""
    minutes = frame_ns / NS_PER_MINUTE
    squared = np.concatenate(([0.0], np.cumsum(np.diff(np.log(close)) ** 2)))
    usable = int(np.count_nonzero(end_ns <= edge))
    for column, horizon in enumerate(VOL_MINUTES):
        ahead = frames_per(horizon, minutes)
        if usable > ahead:
            sums = squared[ahead:usable] - squared[: usable - ahead]
            floor = (0.1 * BPS) ** 2  # a dead calm market still has the tick
            out[: usable - ahead, column] = 0.5 * np.log(sums / (ahead * minutes) + floor)

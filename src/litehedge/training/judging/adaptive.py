"""Intervals that adaptive conformal inference would have issued on the judged span.

It starts on the validation span, with intervals of 80 per cent, and learns from each squeeze
`KNOWN_AFTER_MIN` after its peak; one of the judged span is known only when it is over.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from litehedge.model.baselines.part import Part
from litehedge.model.measures.course import severity_rows
from litehedge.squeeze import conformal as cf
from litehedge.squeeze.forecast import SEVERITY_LEVELS
from litehedge.squeeze.hazard import PEAK_EDGES
from litehedge.training.judging.field import Entry, Span
from litehedge.units import NS_PER_MINUTE

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

KNOWN_AFTER_MIN: Final = 30.0
"""An end is known that long after the peak: no new extreme for half an hour."""

MakeInterval = Callable[[Floats, float], tuple[float, float]]


def adaptive_peaks(span: Span, entry: Entry, side: int) -> tuple[Floats, Floats]:
    """Return the intervals of time to peak, ``(frame,)`` of the judged span, in minutes.

    NaN outside of squeezes.
    """
    asked = []
    for part, said in ((span.valid, entry.valid), (span.test, entry.test)):
        if said.peak is not None:
            asked.append((part, part.targets.inside[:, side], said.peak[:, side],
                          part.targets.to_peak_min[:, side]))  # fmt: skip
    return _replayed(asked, side, _peak_interval, span.test.end_ns.size)


def adaptive_severities(span: Span, entry: Entry, side: int) -> tuple[Floats, Floats]:
    """Return the intervals of severity, ``(frame,)`` of the judged span, in bps.

    NaN where no severity is asked, see `severity_rows`.
    """
    asked = []
    for part, said in ((span.valid, entry.valid), (span.test, entry.test)):
        if said.severity_bps is not None:
            event = part.targets.event[:, side]
            came = np.where(event >= 0, part.severity_bps[event], np.nan)
            asked.append((part, severity_rows(part.targets, side), said.severity_bps[:, side],
                          came))  # fmt: skip
    return _replayed(asked, side, _severity_interval, span.test.end_ns.size)


def _peak_interval(told: Floats, alpha: float) -> tuple[float, float]:
    return cf.peak_interval(told, PEAK_EDGES, alpha)


def _severity_interval(told: Floats, alpha: float) -> tuple[float, float]:
    return cf.severity_interval(told, SEVERITY_LEVELS, alpha)


def _replayed(
    asked: list[tuple[Part, Bools, Floats, Floats]], side: int, interval: MakeInterval, frames: int
) -> tuple[Floats, Floats]:
    """Replay the validation and the judged part, in this order; return what the last one got."""
    rows, told_of, issued, known, outcome, events = [], [], [], [], [], []
    for number, (part, wanted, told, came) in enumerate(asked):
        at = np.flatnonzero(wanted & np.isfinite(told).all(axis=1))
        event = part.targets.event[at, side]
        peak_ns = _peak_ns(part, side)[event]
        rows.append(np.where(number == len(asked) - 1, at, -1))
        told_of.append(told[at])
        issued.append(part.end_ns[at])
        known.append(np.maximum(peak_ns, part.end_ns[at]) + round(KNOWN_AFTER_MIN * NS_PER_MINUTE))
        outcome.append(came[at])
        events.append(event + (number << 32))
    found = np.full((2, frames), np.nan)
    if asked:
        place, told_all = np.concatenate(rows), np.concatenate(told_of)
        issued_ns = np.concatenate(issued)
        done = cf.replay(
            lambda i, alpha: interval(told_all[i], alpha), issued_ns, np.concatenate(known),
            np.full(issued_ns.size, side), np.concatenate(events), np.concatenate(outcome),
        )  # fmt: skip
        mine = place >= 0
        found[:, place[mine]] = np.stack((done.low, done.high))[:, mine]
    return found[0], found[1]


def _peak_ns(part: Part, side: int) -> NDArray[np.int64]:
    """Return when each squeeze of a side peaked, ``(event,)``: a frame after its onset, or later.

    0 for the other side's.
    """
    asked, ends = part.targets, part.end_ns
    peaks = np.zeros(part.severity_bps.size, dtype=np.int64)
    waits = np.flatnonzero(asked.has_onset[:, side] & asked.at_risk[:, side])
    inside = np.flatnonzero(asked.inside[:, side])
    for rows, ahead_min in (
        (waits, asked.to_onset_min[waits, side] + part.minutes),
        (inside, asked.to_peak_min[inside, side]),
    ):
        at_ns = ends[rows] + (ahead_min * NS_PER_MINUTE).astype(np.int64)
        np.maximum.at(peaks, asked.event[rows, side], at_ns)
    return peaks

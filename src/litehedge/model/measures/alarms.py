"""Forecasts as alarms: how many events are foretold, how early, at how many false alarms a day.

An alarm is raised when P(event within 30 minutes) is at or above a threshold, and speaks for one
hour: until then it is not raised again, and if the probability is still up then, it is a new one.
(If an alarm that stays on were a single one, one that never ends would foretell everything at the
price of one.) It is false when no event of that side follows within its hour. An event is caught
by any alarm raised within the hour before it, and the first of them gives the lead. First passages
within an hour of one another are one event, which begins with the first; the frame that ends with
it holds the passage already, so that an alarm must come before that. A squeeze begins with the end
of the last frame before its move, and an alarm may come with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from litehedge.jit import kernel
from litehedge.model.measures.blocks import Drawn, ratio, summed, weighted_median
from litehedge.model.measures.trial import Trial, moments_ns
from litehedge.units import MINUTES_PER_DAY, NS_PER_MINUTE

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

HORIZON_MIN: Final = 30
HOUR_MIN: Final = 60.0
THRESHOLDS: Final = 80
MOST_FALSE_PER_DAY: Final = 1.0


@dataclass(frozen=True, slots=True)
class Alarms:
    """What alarms at one threshold came to; `lead_min` is the median over events caught."""

    threshold: float
    false_per_day: Drawn
    recall: Drawn
    lead_min: Drawn


@dataclass(frozen=True, slots=True)
class Watch:
    """A side of a span, watched: frames at risk in the order of time, and the events to catch.

    Shapes: `p`, `end_ns`, `event` (the number of the next one where it comes within the hour, else
    -1) and `block` ``(frame,)``; `begins_ns`, `last_ns` (when an alarm still comes in time) and
    `event_block` ``(event,)``; `days` and `events` ``(1 + draw,)``.
    """

    p: Floats
    end_ns: Ints
    event: Ints
    block: Ints
    begins_ns: Ints
    last_ns: Ints
    event_block: Ints
    counts: Floats
    days: Floats
    events: Floats


def watch(trial: Trial, p: Floats, side: int) -> Watch:
    """Prepare the alarms of a side from P(event within 30 minutes), ``(frame,)``."""
    at_risk = trial.times.at_risk[:, side] & np.isfinite(p)
    rows = np.flatnonzero(at_risk)
    rows = rows[np.argsort(trial.end_ns[rows], kind="stable")]
    end_ns, block, minutes = trial.end_ns[rows], trial.block[rows], trial.times.minutes[rows, side]
    soon = trial.times.happened[rows, side] & (minutes <= HOUR_MIN)
    moment = moments_ns(end_ns, np.where(soon, minutes, 0.0))
    moments = np.unique(moment[soon])
    apart_ns = 0 if trial.times.competing else int(HOUR_MIN * NS_PER_MINUTE)
    is_new = np.ones(moments.size, dtype=np.bool_)
    is_new[1:] = np.diff(moments) > apart_ns
    number = np.cumsum(is_new) - 1
    event = np.full(rows.size, -1, dtype=np.int64)
    event[soon] = number[np.searchsorted(moments, moment[soon])]
    event_block = np.zeros(int(is_new.sum()), dtype=np.int64)
    event_block[event[soon]] = block[soon]
    counts = trial.counts
    days = summed(np.full(rows.size, trial.frame_min / MINUTES_PER_DAY), block, counts)
    begins_ns = moments[is_new]
    last_ns = begins_ns if trial.times.competing else begins_ns - 1
    return Watch(
        p[rows], end_ns, event, block, begins_ns, last_ns, event_block, counts,
        days, summed(np.ones(event_block.size), event_block, counts),
    )  # fmt: skip


def alarms_at(seen: Watch, threshold: float) -> Alarms:
    """Return what alarms at a threshold come to, in all draws."""
    raised = _raised(seen.p, seen.end_ns, threshold, int(HOUR_MIN * NS_PER_MINUTE))
    event = seen.event[raised]
    false = summed((event < 0).astype(np.float64), seen.block[raised], seen.counts)
    raised_ns = seen.end_ns[raised]
    hour_ns = int(HOUR_MIN * NS_PER_MINUTE)
    first = np.searchsorted(raised_ns, seen.begins_ns - hour_ns)
    at_ns = np.append(raised_ns, np.iinfo(np.int64).max)[first]
    caught = np.flatnonzero(at_ns <= seen.last_ns)
    lead_min = (seen.begins_ns[caught] - at_ns[caught]) / NS_PER_MINUTE
    counts = seen.counts
    blocks = seen.event_block[caught]
    return Alarms(
        threshold,
        ratio(false, seen.days),
        ratio(summed(np.ones(caught.size), blocks, counts), seen.events),
        Drawn.of(weighted_median(lead_min, counts[blocks])),
    )


@kernel
def _raised(p: Floats, end_ns: Ints, threshold: float, hour_ns: int) -> Ints:
    """Return the frames at which an alarm is raised."""
    out = np.empty(p.size, np.int64)
    n = 0
    over_ns = np.int64(-(2**62))
    for i in range(p.size):
        if p[i] >= threshold and end_ns[i] >= over_ns:
            out[n] = i
            n += 1
            over_ns = end_ns[i] + hour_ns
    return out[:n]


def curve(seen: Watch) -> list[Alarms]:
    """Return what alarms come to at many thresholds, from the highest to the lowest."""
    if seen.p.size == 0:
        return []
    shares = np.geomspace(1.0 / max(seen.p.size, 2), 1.0, THRESHOLDS)
    thresholds = np.unique(np.quantile(seen.p, 1.0 - shares))
    return [alarms_at(seen, float(t)) for t in thresholds[::-1]]


def threshold_for(points: list[Alarms], most: float = MOST_FALSE_PER_DAY) -> float:
    """Return the threshold that catches most at no more than so many false alarms a day.

    Chosen on a validation span, it is then judged on another. Infinite, which never raises an
    alarm, when there is none.
    """
    allowed = [a for a in points if a.false_per_day.value <= most]
    best = max(allowed, key=lambda a: (a.recall.value, a.threshold), default=None)
    return best.threshold if best is not None else float("inf")

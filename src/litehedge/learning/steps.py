"""What is learnt from each squeeze and each fill: small steps, in the order in which things ended.

- **Calibration** of the onset, when a squeeze is over: the line of its side (`squeeze.learnt`)
  moves towards the ridge fit of everything that this model said in this session, by at most
  `STEP_SLOPE` and `STEP_SHIFT`. The ridge holds it at the line that ships as strongly as ten
  squeezes would (`model.calibrate`).
- **Intervals** of severity, when a squeeze is over: adaptive conformal inference moves the working
  level of its side by `conformal.GAMMA` times what was missed too much.
- **Costs**, when an order is filled: two factors, of half spread and impact, follow what was paid
  by recursive least squares that forgets, from ones as strong as `PRIOR_FILLS` fills; by at most
  `STEP_COST`.

A step uses only what was over by then; squeezes that run censor what waits for them. The same past
gives the same steps, and a longer one the same steps and more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from litehedge.learning.past import Fill, Past
from litehedge.market.frames import Frames
from litehedge.model.calibrate import SEVERITY_LEAD_MIN, fit_lines
from litehedge.squeeze import conformal as cf
from litehedge.squeeze import forecast as fc
from litehedge.squeeze import learnt as le
from litehedge.squeeze.hazard import N_ONSET
from litehedge.squeeze.labels import SIDES, WALK_BACK_MINUTES, Squeeze
from litehedge.squeeze.targets import Targets, targets
from litehedge.squeeze.times import squeeze_times
from litehedge.units import NS_PER_MINUTE, iso_utc

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

STEP_SLOPE: Final = 0.05
STEP_SHIFT: Final = 0.1
STEP_COST: Final = 0.05
FIT_EVERY_NS: Final = 30 * NS_PER_MINUTE
"""Frames that lie closer tell the same story: the fit takes one of so many minutes."""
PRIOR_FILLS: Final = 10.0
FORGET: Final = 0.99
STRANGEST: Final = (-5.0, 10.0)
"""A fill counts as one within these multiples of the slippage that was expected: what the price
did meanwhile says little of the venue."""


class Change(msgspec.Struct, frozen=True):
    """One number that moved: before, after, and its hard bounds."""

    name: str
    before: float
    after: float
    low: float
    high: float


class Update(msgspec.Struct, frozen=True):
    """One step: when, for which model, what moved, all values after it, and the evidence.

    `kind` is ``squeeze`` or ``fill`` for a step, ``revert`` for a person's way back. `events`
    counts the squeezes, or fills, that it is based on.
    """

    number: int
    time_ns: int
    model: str
    kind: str
    evidence: str
    events: int
    changes: list[Change]
    values: list[float]


def changes_of(before: le.Values, after: le.Values) -> list[Change]:
    """Return what moved between two sets of values."""
    rows = zip(le.NAMES, before, after, le.LOWEST, le.HIGHEST, strict=True)
    return [Change(name, b, a, low, high) for name, b, a, low, high in rows if a != b]


@dataclass(frozen=True, slots=True)
class Seen:
    """Frames that a model spoke of while it served, up to a moment, and what was known by then.

    Shapes: `which` ``(n,)`` numbers of the past's frames; the rest of them.
    """

    which: Ints
    end_ns: Ints
    hazards: Floats
    severity_bps: Floats
    asked: Targets
    squeezes: list[Squeeze]


def seen_by(past: Past, squeezes: Sequence[Squeeze], model: str, now_ns: int) -> Seen:
    """Return what was known at a moment: nothing that comes later changes it."""
    count = int(np.searchsorted(past.end_ns, now_ns, side="right"))
    over = [q for q in squeezes if q.complete and q.end_ns <= now_ns]
    running = [
        q.trigger_ns for q in squeezes
        if q.trigger_ns <= now_ns and not (q.complete and q.end_ns <= now_ns)
    ]  # fmt: skip
    edge_ns = min([now_ns, *(t - round(WALK_BACK_MINUTES * NS_PER_MINUTE) for t in running)])
    frames = Frames(past.end_ns[:count], past.values[:count], past.frame_ns, 1)
    asked = targets(frames, [q for q in over if q.onset_ns <= edge_ns], edge_ns=edge_ns)
    spoken = past.is_live[:count] & (past.model[:count] == model)
    spoken &= past.rows[:count, fc.STATE_AT] < fc.ForecastState.COLD
    which = np.flatnonzero(spoken & (past.end_ns[:count] <= edge_ns))
    rows = past.rows[which]
    return Seen(
        which, past.end_ns[which], rows[:, fc.ONSET_AT : fc.PEAK_AT].reshape(-1, 2, N_ONSET),
        rows[:, fc.SEVERITY_AT : fc.PHASE_AT].reshape(-1, 2, fc.N_SEVERITY),
        _of(asked, which), [q for q in over if q.onset_ns <= edge_ns],
    )  # fmt: skip


def _of(asked: Targets, which: Ints) -> Targets:
    return Targets(**{name: getattr(asked, name)[which] for name in Targets.__slots__})


def learn(past: Past, kept: Sequence[Update] = ()) -> list[Update]:
    """Return the new steps for the model that served last, in order of time.

    Parameters
    ----------
    kept
        Every update so far, reverts too: what ended by the last one was learnt from already.
    """
    if not past.end_ns.size:
        return []
    model = str(past.model[-1])
    mine = [u for u in kept if u.model == model]
    since_ns = mine[-1].time_ns if mine else 0
    number = kept[-1].number if kept else 0
    squeezes = past.squeezes()
    begins_ns = _begin_of(past, model)
    lessons: list[tuple[int, int, Squeeze | list[Fill]]] = [
        (q.end_ns, 0, q) for q in squeezes
        if q.complete and q.onset_ns >= begins_ns and q.end_ns > since_ns
    ]  # fmt: skip
    orders = [list(group) for _, group in groupby(past.fills, key=lambda fill: fill.client_id)]
    costs = _Costs()
    for fills in orders:
        ended_ns = fills[-1].known_ns
        if begins_ns <= ended_ns <= since_ns:
            costs.note(fills)
        elif ended_ns >= begins_ns:
            lessons.append((ended_ns, 1, fills))
    values = tuple(mine[-1].values) if mine else le.SHIPPED
    levels = _Levels(mine)
    found: list[Update] = []
    for time_ns, _, lesson in sorted(lessons, key=lambda one: one[:2]):
        before = values
        if isinstance(lesson, Squeeze):
            seen = seen_by(past, squeezes, model, time_ns)
            values = _calibrated(values, seen, SIDES.index(lesson.side))
            values = levels.learn(values, seen, lesson, time_ns)
            kind, events = "squeeze", len([q for q in seen.squeezes if q.onset_ns >= begins_ns])
            evidence = (
                f"{lesson.side} squeeze of {iso_utc(lesson.onset_ns)}, "
                f"{lesson.severity_bps:.0f} bps"
            )
        else:
            costs.note(lesson)
            values = costs.step(values)
            kind, events = "fill", costs.fills
            evidence = f"order {lesson[0].client_id}: slippage of {1e4 * _paid(lesson):.1f} bps"
        if values != before:
            number += 1
            changed = changes_of(before, values)
            found.append(
                Update(number, time_ns, model, kind, evidence, events, changed, list(values))
            )
    return found


def _begin_of(past: Past, model: str) -> int:
    mine = past.is_live & (past.model == model)
    return int(past.end_ns[np.argmax(mine)]) if mine.any() else int(past.end_ns[-1])


def _moved(values: le.Values, place: int, target: float, most: float) -> le.Values:
    """Step towards a target, by at most `most`, within the bounds."""
    now = values[place]
    if not np.isfinite(target):
        return values
    stepped = now + min(max(target - now, -most), most)
    kept = min(max(stepped, le.LOWEST[place]), le.HIGHEST[place])
    return (*values[:place], float(kept), *values[place + 1 :])


def _calibrated(values: le.Values, seen: Seen, side: int) -> le.Values:
    some = seen.end_ns % FIT_EVERY_NS == 0
    if not some.any():
        return values
    times = squeeze_times(seen.asked)[some]
    slope, shift = fit_lines(seen.hazards[some], times, seen.end_ns[some])[side].tolist()
    around = shift + (slope - 1.0) * le.PIVOT
    values = _moved(values, le.SLOPE + 2 * side, slope, STEP_SLOPE)
    return _moved(values, le.SHIFT + 2 * side, around, STEP_SHIFT)


class _Levels:
    """Working levels of the severity of both sides: which was in force when."""

    def __init__(self, kept: Sequence[Update]) -> None:
        self._since: list[list[tuple[int, float]]] = [
            [(0, cf.TARGET), *((u.time_ns, u.values[le.MISS + side]) for u in kept)]
            for side in range(2)
        ]

    def learn(self, values: le.Values, seen: Seen, squeeze: Squeeze, now_ns: int) -> le.Values:
        """Learn from a squeeze whether the intervals before it held its severity."""
        side = SIDES.index(squeeze.side)
        missed = missed_by(seen, squeeze, self._since[side])
        if missed is None:
            return values
        place = le.MISS + side
        step = cf.GAMMA * (cf.TARGET - missed)
        values = _moved(values, place, values[place] + step, abs(step))
        for s in range(2):
            self._since[s].append((now_ns, values[le.MISS + s]))
        return values


def missed_by(seen: Seen, squeeze: Squeeze, levels: Sequence[tuple[int, float]]) -> float | None:
    """Return the share of the intervals before a squeeze that missed its severity.

    None where the model said nothing in the `SEVERITY_LEAD_MIN` minutes before its onset.

    Parameters
    ----------
    levels
        Times and working levels, rising: each is in force for frames that end after its time.
    """
    side = SIDES.index(squeeze.side)
    ahead_ns = squeeze.onset_ns - seen.end_ns
    asked = (ahead_ns >= 0) & (ahead_ns <= SEVERITY_LEAD_MIN * NS_PER_MINUTE)
    asked &= seen.asked.at_risk[:, side]
    told = seen.severity_bps[:, side]
    asked &= np.isfinite(told).all(axis=1) & (told[:, 0] > 0.0)
    places = np.flatnonzero(asked).tolist()
    if not places:
        return None
    missed = 0
    for i in places:
        level = [value for time_ns, value in levels if time_ns < int(seen.end_ns[i])][-1]
        low, high = cf.severity_interval(told[i], fc.SEVERITY_LEVELS, level)
        missed += not cf.covers(low, high, squeeze.severity_bps)
    return missed / len(places)


class _Costs:
    """Recursive least squares with forgetting of two factors of slippage, from ones."""

    def __init__(self) -> None:
        self._information = np.eye(2) * PRIOR_FILLS / 2.0
        self._moment = self._information @ np.ones(2)
        self.fills = 0

    def note(self, fills: Sequence[Fill]) -> None:
        """Take in an order; its trades count as one."""
        expected = _mean(fills, "half_spread"), _mean(fills, "impact")
        whole = sum(expected)
        if not whole > 0.0:
            return
        x = np.array(expected) / whole
        y = min(max(_paid(fills) / whole, STRANGEST[0]), STRANGEST[1])
        prior = np.eye(2) * PRIOR_FILLS / 2.0
        self._information = FORGET * self._information + (1.0 - FORGET) * prior + np.outer(x, x)
        self._moment = (
            FORGET * self._moment + (1.0 - FORGET) * prior @ np.ones(2) + x * y
        )  # fmt: skip
        self.fills += 1

    def step(self, values: le.Values) -> le.Values:
        """Move the factors towards what was paid."""
        target = np.linalg.solve(self._information, self._moment).tolist()
        values = _moved(values, le.HALF_SPREAD, target[0], STEP_COST)
        return _moved(values, le.IMPACT, target[1], STEP_COST)


def _mean(fills: Sequence[Fill], name: str) -> float:
    total = sum(abs(f.qty_ltc) for f in fills)
    return sum(getattr(f, name) * abs(f.qty_ltc) for f in fills) / total if total else 0.0


def _paid(fills: Sequence[Fill]) -> float:
    return _mean(fills, "slippage")

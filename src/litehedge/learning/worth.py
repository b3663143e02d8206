"""Whether it helped: every step judged on what came after it alone.

A frame is forecast with the values that were in force when it ended, and without any; the two
share the frames, what came, and the draws of the bootstrap, whose blocks hang together. An update
never sees what it is judged on.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from litehedge.learning.past import Past
from litehedge.learning.steps import Seen, Update, missed_by, seen_by
from litehedge.model.artefact import Score
from litehedge.model.measures.blocks import ratio, summed
from litehedge.model.measures.likelihood import log_loss
from litehedge.model.measures.trial import BIN_OF_HORIZON, Trial, incidences
from litehedge.squeeze import conformal as cf
from litehedge.squeeze import forecast as fc
from litehedge.squeeze import learnt as le
from litehedge.squeeze.hazard import N_ONSET
from litehedge.squeeze.labels import SIDES, Squeeze
from litehedge.squeeze.times import squeeze_times

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

LEAST_EVENTS: Final = 10
LEAST_FILLS: Final = 20
"""Below these nothing is said of whether it helped, and nothing of it is offered."""
HORIZON_MIN: Final = 30
NORMAL: Final = 1.645
"""A 90 % interval reaches so many standard errors either way."""


class Judged(msgspec.Struct, frozen=True):
    """What was learnt, judged on what came after each step.

    `log_loss` and `brier` are the shares of the loss that were saved (positive: it helped), with
    90 % intervals; None below `LEAST_EVENTS` squeezes, or where there is nothing to draw. `missed`
    and `missed_shipped` are the shares of intervals of severity that missed, wanted is one in
    five. `slippage` and `slippage_shipped` are mean errors of the expected slippage in bps, and
    `slippage_saved` by how much it is smaller, with a 90 % interval.
    """

    model: str
    since_ns: int
    frames: int
    events: int
    log_loss: Score | None
    brier: Score | None
    missed: float | None
    missed_shipped: float | None
    missed_events: int
    fills: int
    slippage: float | None
    slippage_shipped: float | None
    slippage_saved: Score | None

    @property
    def calibration_helped(self) -> bool:
        """Whether the calibration surely saved loss on enough that came after."""
        return self.log_loss is not None and self.log_loss.low > 0.0

    @property
    def costs_helped(self) -> bool:
        """Whether the costs were surely foretold better on enough fills that came after."""
        return self.slippage_saved is not None and self.slippage_saved.low > 0.0


def in_force(updates: Sequence[Update], model: str, times_ns: Ints) -> Ints:
    """Return which update counted at each time, -1 for none: one counts from after its moment."""
    mine = np.array([u.time_ns for u in updates if u.model == model], dtype=np.int64)
    return np.searchsorted(mine, times_ns, side="left") - 1


def with_lessons(past: Past, updates: Sequence[Update], model: str) -> Floats:
    """Return the rows as they would have been with every update taken up at once."""
    mine = [u for u in updates if u.model == model]
    which = in_force(mine, model, past.end_ns)
    out = past.rows.copy()
    for number in np.unique(which[which >= 0]).tolist():
        here = which == number
        out[here] = le.corrected_all(past.rows[here], mine[number].values)
    return out


def judge(past: Past, updates: Sequence[Update], model: str) -> Judged:
    """Judge everything that was learnt of a model."""
    mine = [u for u in updates if u.model == model]
    if not mine or not past.end_ns.size:
        return Judged(model, 0, 0, 0, None, None, None, None, 0, 0, None, None, None)
    squeezes = past.squeezes()
    since_ns = mine[0].time_ns
    seen = seen_by(past, squeezes, model, past.now_ns)
    after = seen.end_ns > since_ns
    corrected = with_lessons(past, mine, model)[seen.which]
    times = squeeze_times(seen.asked)[after]
    raw = seen.hazards[after]
    learnt = corrected[after, fc.ONSET_AT : fc.PEAK_AT].reshape(-1, 2, N_ONSET)
    events, saved, brier = 0, None, None
    if after.any():
        trial = Trial.of(times, seen.end_ns[after])
        events = trial.events(0) + trial.events(1)
        if events >= LEAST_EVENTS:
            saved, brier = _loss_saved(trial, raw, learnt), _brier_saved(trial, raw, learnt)
    missed = [_missed(mine, q, seen) for q in seen.squeezes if q.onset_ns > since_ns]
    told = [pair for pair in missed if pair is not None]
    errors = _cost_errors(past, mine)
    return Judged(
        model, since_ns, int(after.sum()), events, saved, brier,
        float(np.mean([a for a, _ in told])) if len(told) >= LEAST_EVENTS else None,
        float(np.mean([b for _, b in told])) if len(told) >= LEAST_EVENTS else None,
        len(told), len(errors),
        1e4 * float(np.mean([a for a, _ in errors])) if len(errors) >= LEAST_FILLS else None,
        1e4 * float(np.mean([b for _, b in errors])) if len(errors) >= LEAST_FILLS else None,
        _slippage_saved(errors),
    )  # fmt: skip


def _loss_saved(trial: Trial, raw: Floats, learnt: Floats) -> Score | None:
    one, other = (np.nansum(log_loss(trial, h), axis=1) for h in (learnt, raw))
    block, counts = trial.block, trial.counts
    if counts.shape[0] < 2:
        return None
    return ratio(summed(other - one, block, counts), summed(other, block, counts)).score()


def _brier_saved(trial: Trial, raw: Floats, learnt: Floats) -> Score | None:
    if trial.counts.shape[0] < 2:
        return None
    saved, whole = np.zeros(len(trial)), np.zeros(len(trial))
    for side in range(len(SIDES)):
        known, came = trial.outcome(side, HORIZON_MIN)
        first, second = (
            incidences(h, competing=True)[:, side, BIN_OF_HORIZON[HORIZON_MIN]]
            for h in (raw, learnt)
        )
        saved += np.where(known, (first - came) ** 2 - (second - came) ** 2, 0.0)
        whole += np.where(known, (first - came) ** 2, 0.0)
    block, counts = trial.block, trial.counts
    return ratio(summed(saved, block, counts), summed(whole, block, counts)).score()


def _missed(updates: Sequence[Update], squeeze: Squeeze, seen: Seen) -> tuple[float, float] | None:
    side = SIDES.index(squeeze.side)
    levels = [(0, cf.TARGET), *((u.time_ns, u.values[le.MISS + side]) for u in updates)]
    one = missed_by(seen, squeeze, levels)
    other = missed_by(seen, squeeze, [(0, cf.TARGET)])
    return None if one is None or other is None else (one, other)


def _cost_errors(past: Past, updates: Sequence[Update]) -> list[tuple[float, float]]:
    """Return |paid - expected| of every fill after the first step, with and without lessons."""
    found = []
    for fill in past.fills:
        before = [u for u in updates if u.time_ns < fill.known_ns]
        if not any(u.kind == "fill" for u in before):
            continue
        spread, impact = before[-1].values[le.HALF_SPREAD : le.IMPACT + 1]
        expected = spread * fill.half_spread + impact * fill.impact
        shipped = fill.half_spread + fill.impact
        found.append((abs(fill.slippage - expected), abs(fill.slippage - shipped)))
    return found


def _slippage_saved(errors: Sequence[tuple[float, float]]) -> Score | None:
    """Return by how many bps the error is smaller; fills of one session hardly hang together."""
    if len(errors) < LEAST_FILLS:
        return None
    saved = 1e4 * np.array([shipped - learnt for learnt, shipped in errors])
    mean = float(saved.mean())
    reach = NORMAL * float(saved.std(ddof=1)) / float(np.sqrt(saved.size))
    return Score(round(mean, 4), round(mean - reach, 4), round(mean + reach, 4))


def offered(values: Sequence[float], judged: Judged) -> le.Values:
    """Return what a session is to go by: what has surely helped, and for the rest what ships.

    Intervals learn from the first squeeze on: that they keep their promise is proved for whatever
    comes (`squeeze.conformal`).
    """
    out = list(le.SHIPPED)
    out[le.MISS : le.MISS + 2] = values[le.MISS : le.MISS + 2]
    if judged.calibration_helped:
        out[le.SLOPE : le.MISS] = values[le.SLOPE : le.MISS]
    if judged.costs_helped:
        out[le.HALF_SPREAD : le.IMPACT + 1] = values[le.HALF_SPREAD : le.IMPACT + 1]
    return tuple(out)

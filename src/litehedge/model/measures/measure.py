"""All measures of one forecaster at one task."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from litehedge.model.artefact import Score
from litehedge.model.measures import result as rs
from litehedge.model.measures.alarms import (
    HORIZON_MIN,
    Alarms,
    alarms_at,
    curve,
    threshold_for,
    watch,
)
from litehedge.model.measures.blocks import Drawn, ratio, summed
from litehedge.model.measures.calibration import Curve, recalibration, reliability
from litehedge.model.measures.course import Course
from litehedge.model.measures.likelihood import log_loss
from litehedge.model.measures.ranks import concordance, ranks
from litehedge.model.measures.trial import (
    BIN_OF_HORIZON,
    HORIZONS_MIN,
    Trial,
    checked,
    incidences,
)
from litehedge.squeeze.labels import SIDES

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

LOG_LOSS: Final = "log_loss"
CONCORDANCE: Final = "concordance"
RECALL, FALSE, LEAD = "recall", "false_per_day", "lead_min"
CALIBRATED_MIN: Final = (15, 30, 60)
LEAST_HITS: Final = 5
"""Frames with an event that a horizon needs to be measured at all."""


@dataclass(frozen=True, slots=True)
class Measured:
    """Measures of one forecaster for one side in all draws.

    `drawn` by name: ``auc_30``, ``ap_30``, ``ap_lift_30`` (over the base rate of the span),
    ``base_rate_30``, ``brier_skill_30`` at each horizon in minutes; ``slope_30``,
    ``intercept_30``, ``ece_30`` at 15, 30, 60; ``concordance``; ``log_loss`` in nats per frame;
    ``recall``, ``false_per_day``, ``lead_min`` at the threshold given.
    """

    side: str
    frames: int
    left_out: int
    events: int
    drawn: dict[str, Drawn]
    reliability: Curve | None = None
    alarms: list[Alarms] = field(default_factory=list)

    def skill(self, forecaster: str, task: str) -> rs.Skill:
        """Return it as it is kept."""
        return rs.Skill(
            forecaster, task, self.side, self.frames, self.left_out, self.events,
            scores_of(self.drawn), _bins(self.reliability), _points(self.alarms),
        )  # fmt: skip


def measure(
    trial: Trial, hazards: Floats, rates: Floats, *,
    thresholds: tuple[float, float] | None = None, only: Collection[str] | None = None,
) -> list[Measured]:  # fmt: skip
    """Measure a forecaster: long, short, and both together (the log-loss alone).

    Frames with NaN among their hazards are left out and counted.

    Parameters
    ----------
    hazards
        ``(frame, side, 13)``.
    rates
        Base rates of the training span, ``(side, horizon)``, from `trial.base_rates`.
    thresholds
        Of alarms for each side, chosen on another span with `alarm_thresholds`; without them
        there is a curve of alarms but no recall.
    only
        Names of measures (``auc`` for all horizons) where not all are wanted.

    Raises
    ------
    ValueError
        When the hazards have another shape.
    """
    hazards = checked(hazards, len(trial))
    told: Bools = np.asarray(np.isfinite(hazards).all(axis=(1, 2)))
    asked = trial.times.at_risk
    left_out = (asked & ~told[:, np.newaxis]).sum(axis=0)
    cut, given = trial[told], hazards[told]
    cif = incidences(given, competing=trial.times.competing)
    losses = log_loss(cut, given)
    out = []
    for side, name in enumerate(SIDES):
        drawn: dict[str, Drawn] = {}
        curves: Curve | None = None
        points: list[Alarms] = []
        for i, horizon in enumerate(HORIZONS_MIN):
            if horizon not in cut.horizons:
                continue
            p = cif[:, side, BIN_OF_HORIZON[horizon]]
            found = _at_horizon(cut, p, side, horizon, float(rates[side, i]), only)
            drawn |= found[0]
            curves = found[1] if horizon == HORIZON_MIN else curves
        if _wanted(CONCORDANCE, only) and cut.events(side) > 0:
            drawn[CONCORDANCE] = concordance(cut, cif[:, side], side)
        if _wanted(RECALL, only) and cut.events(side) > 0:
            seen = watch(cut, cif[:, side, BIN_OF_HORIZON[HORIZON_MIN]], side)
            points = curve(seen)
            if thresholds is not None:
                at = alarms_at(seen, thresholds[side])
                drawn |= {RECALL: at.recall, FALSE: at.false_per_day, LEAD: at.lead_min}
        if not trial.times.competing and _wanted(LOG_LOSS, only):
            drawn[LOG_LOSS] = _mean_loss(cut, losses[:, side])
        frames = int(cut.times.at_risk[:, side].sum())
        out.append(
            Measured(name, frames, int(left_out[side]), cut.events(side), drawn, curves, points)
        )
    together: dict[str, Drawn] = {}
    if _wanted(LOG_LOSS, only):
        lost: Bools = np.asarray(np.isfinite(losses).any(axis=1))
        together[LOG_LOSS] = _mean_loss(cut, np.nansum(losses, axis=1), lost)
    missing = int((asked.any(axis=1) & ~told).sum())
    events = sum(one.events for one in out)
    frames = int(cut.times.at_risk.any(axis=1).sum())
    return [*out, Measured(rs.BOTH, frames, missing, events, together)]


def _wanted(name: str, only: Collection[str] | None) -> bool:
    return only is None or name in only


def _mean_loss(trial: Trial, losses: Floats, asked: Bools | None = None) -> Drawn:
    asked = np.isfinite(losses) if asked is None else asked
    total = summed(np.where(asked, losses, 0.0), trial.block, trial.counts)
    return ratio(total, summed(asked.astype(np.float64), trial.block, trial.counts))


def _at_horizon(
    trial: Trial, p: Floats, side: int, horizon: int, rate: float, only: Collection[str] | None
) -> tuple[dict[str, Drawn], Curve | None]:
    known, happened = trial.outcome(side, horizon)
    if happened.sum() < LEAST_HITS or happened.sum() == known.sum():
        return {}, None
    p, y, block, counts = p[known], happened[known], trial.block[known], trial.counts
    hits, total = (
        summed(y.astype(np.float64), block, counts),
        summed(np.ones(y.size), block, counts),
    )
    base = ratio(hits, total)
    drawn = {f"base_rate_{horizon}": base}
    if _wanted("auc", only) or _wanted("ap", only):
        auc, ap = ranks(p, y, block, counts)
        with np.errstate(divide="ignore", invalid="ignore"):
            lift = Drawn(ap.value / base.value, ap.draws / base.draws)
        drawn |= {f"auc_{horizon}": auc, f"ap_{horizon}": ap, f"ap_lift_{horizon}": lift}
    if _wanted("brier_skill", only):
        missed = summed(np.square(p - y), block, counts)
        plain = summed(np.square(rate - y), block, counts)
        drawn[f"brier_skill_{horizon}"] = ratio(plain - missed, plain)
    found: Curve | None = None
    if horizon in CALIBRATED_MIN and _wanted("slope", only):
        slope, intercept = recalibration(p, y, block, counts)
        found, error = reliability(p, y, block, counts)
        drawn |= {
            f"slope_{horizon}": slope, f"intercept_{horizon}": intercept, f"ece_{horizon}": error,
        }  # fmt: skip
    return drawn, found


def skill_of_course(course: Course, forecaster: str, task: str, side: int) -> rs.Skill:
    """Return the measures of a course (``peak`` or ``severity``) as they are kept."""
    return rs.Skill(
        forecaster, task, SIDES[side], course.frames, course.left_out, course.events,
        scores_of(course.drawn),
    )  # fmt: skip


def scores_of(drawn: Mapping[str, Drawn]) -> dict[str, Score]:
    """Return values with their intervals; what was not measurable is left out."""
    found = {name: one.score() for name, one in drawn.items()}
    return {name: score for name, score in found.items() if score is not None}


def alarm_thresholds(trial: Trial, hazards: Floats) -> tuple[float, float]:
    """Return the threshold of each side for at most one false alarm a day on a validation span."""
    cif = incidences(checked(hazards, len(trial)), competing=trial.times.competing)
    p = cif[:, :, BIN_OF_HORIZON[HORIZON_MIN]]
    long, short = (threshold_for(curve(watch(trial, p[:, side], side))) for side in range(2))
    return long, short


def _bins(found: Curve | None) -> list[rs.ReliabilityBin]:
    if found is None:
        return []
    scores = [came.score() for came in found.came]
    return [
        rs.ReliabilityBin(int(found.frames[i]), float(found.foretold[i]), score)
        for i, score in enumerate(scores)
        if score is not None
    ]


def _points(found: list[Alarms]) -> list[rs.AlarmPoint]:
    return [
        rs.AlarmPoint(
            a.threshold, a.false_per_day.value, a.recall.value,
            a.lead_min.value if np.isfinite(a.lead_min.value) else None,
        )
        for a in found
        if np.isfinite(a.recall.value)
    ]  # fmt: skip

"""Forecasters beside each other: on the same frames, in the same draws, in every kind of market."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from litehedge.model.artefact import Score
from litehedge.model.measures.course import Course
from litehedge.model.measures.measure import LOG_LOSS, Measured, measure, scores_of
from litehedge.model.measures.result import Difference, Skill, Stratum
from litehedge.model.measures.strata import LEAST_EVENTS
from litehedge.model.measures.trial import Trial

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

GAIN: Final = "log_loss_gain"


def common(hazards: Iterable[Floats]) -> Bools:
    """Return the frames of which every forecaster has hazards, ``(frame,)``.

    Only on the same frames do differences mean anything: cut the trial to them first.
    """
    return np.logical_and.reduce([np.isfinite(h).all(axis=(1, 2)) for h in hazards])


def difference(one: Measured | Course, other: Measured | Course) -> dict[str, Score]:
    """Return one less the other in the same draws; for the log-loss the gain in its place.

    Raises
    ------
    ValueError
        When they were measured on different frames.
    """
    if (one.frames, one.left_out) != (other.frames, other.left_out):
        raise ValueError("measured on different frames: cut the trial to `common` ones first")
    names = [name for name in one.drawn if name in other.drawn]
    drawn = {name: one.drawn[name].less(other.drawn[name]) for name in names if name != LOG_LOSS}
    if LOG_LOSS in names:
        drawn[GAIN] = one.drawn[LOG_LOSS].gain_over(other.drawn[LOG_LOSS])
    return scores_of(drawn)


def compare(
    trial: Trial, foretold: Mapping[str, Floats], rates: Floats, task: str, *,
    thresholds: Mapping[str, tuple[float, float]] | None = None, against: Sequence[str] = (),
) -> tuple[list[Skill], list[Difference]]:  # fmt: skip
    """Measure forecasters on the frames of which all have hazards, and how they differ.

    Parameters
    ----------
    foretold
        Hazards ``(frame, side, 13)`` by name.
    thresholds
        Of alarms, by name, from `measure.alarm_thresholds` on a validation span.
    against
        Names from which every other forecaster is told apart.

    Raises
    ------
    KeyError
        When a forecaster has no thresholds, or one of `against` is not among them.
    """
    kept = common(foretold.values())
    cut = trial[kept]
    dropped = (trial.times.at_risk & ~kept[:, np.newaxis]).sum(axis=0).tolist()
    dropped.append(int((trial.times.at_risk.any(axis=1) & ~kept).sum()))
    measured = {
        name: measure(
            cut, hazards[kept], rates,
            thresholds=None if thresholds is None else thresholds[name],
        )
        for name, hazards in foretold.items()
    }  # fmt: skip
    skills = [
        msgspec.structs.replace(one.skill(name, task), left_out=int(missing))
        for name, found in measured.items()
        for one, missing in zip(found, dropped, strict=True)
    ]
    differences = [
        Difference(name, than, task, one.side, difference(one, other))
        for than in against
        for name, found in measured.items()
        if name != than
        for one, other in zip(found, measured[than], strict=True)
    ]
    return skills, differences


STRATUM_MEASURES: Final = ("auc", "brier_skill", LOG_LOSS)


def in_strata(
    trial: Trial, hazards: Floats, rates: Floats, masks: Mapping[str, Bools], forecaster: str,
    task: str, least: int = LEAST_EVENTS,
) -> list[Stratum]:  # fmt: skip
    """Measure AUC, Brier skill and log-loss in every stratum with enough events of a side."""
    rows = []
    for name, mask in masks.items():
        for one in measure(trial[mask], hazards[mask], rates, only=STRATUM_MEASURES):
            if one.events >= least:
                scores = scores_of(one.drawn)
                rows.append(
                    Stratum(name, forecaster, task, one.side, one.frames, one.events, scores)
                )
    return rows

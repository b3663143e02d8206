"""What a forecaster says of every frame of a part, whatever it is inside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from litehedge.features import vector as fv
from litehedge.model import layout as ly
from litehedge.model import outputs as op
from litehedge.model.baselines.part import Baseline, Part
from litehedge.model.calibrate import Validation, fit_calibration
from litehedge.model.calibration import Calibration
from litehedge.model.serve import NetworkForecaster
from litehedge.squeeze import forecast as fc
from litehedge.squeeze.forecast import Forecaster
from litehedge.squeeze.hazard import N_ONSET, N_PEAK

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Said:
    """Hazards of each task ``(frame, side, 13)``; of the peak ``(frame, side, 12)`` and quantiles
    of severity in bps ``(frame, side, 5)``, None where a forecaster has nothing to say of them.
    NaN while cold.
    """

    hazards: dict[str, Floats]
    peak: Floats | None = None
    severity_bps: Floats | None = None

    @staticmethod
    def joined(some: Sequence[Said]) -> Said:
        """Return what was said of parts that follow one another."""
        first = some[0]
        return Said(
            {task: np.concatenate([s.hazards[task] for s in some]) for task in first.hazards},
            None if first.peak is None else np.concatenate([_of(s.peak) for s in some]),
            None
            if first.severity_bps is None
            else np.concatenate([_of(s.severity_bps) for s in some]),
        )


def _of(values: Floats | None) -> Floats:
    if values is None:
        raise ValueError("of these parts only some were told a course")
    return values


def by_baseline(baseline: Baseline, part: Part) -> Said:
    """Return the hazards of a fitted baseline."""
    return Said(baseline.hazards(part))


def by_forecaster(forecaster: Forecaster, part: Part) -> Said:
    """Return what any forecaster says, as it would be served; of passages only networks speak."""
    phases = np.zeros(part.end_ns.size, dtype=np.int64)
    if isinstance(forecaster, NetworkForecaster):
        found = forecaster.hazards_batch(forecaster.start(1), phases, part.end_ns, part.features)
        hazards = {
            "squeeze": found.onset, "percent": found.passage[:, 0], "sigma": found.passage[:, 1],
        }  # fmt: skip
        return _with_course(hazards, found.rows)
    rows = forecaster.batch(forecaster.start(1), phases, part.end_ns, part.features)
    return _with_course(
        {"squeeze": rows[:, fc.ONSET_AT : fc.PEAK_AT].reshape(-1, 2, N_ONSET)}, rows
    )


def _with_course(hazards: dict[str, Floats], rows: Floats) -> Said:
    return Said(
        hazards,
        rows[:, fc.PEAK_AT : fc.SEVERITY_AT].reshape(-1, 2, N_PEAK),
        rows[:, fc.SEVERITY_AT : fc.PHASE_AT].reshape(-1, 2, fc.N_SEVERITY),
    )


def by_raw(raw: Singles, calibration: Calibration | None = None) -> Said:
    """Return what members ``(member, frame, N_RAW)`` say together, NaN where one is NaN."""
    frames = raw.shape[1]
    used = calibration or Calibration()
    rows = np.full((frames, fc.N_FORECAST), np.nan)
    passage = np.full((frames, 2, 2, N_ONSET), np.nan)
    told = np.flatnonzero(np.isfinite(raw).all(axis=(0, 2)))
    op.write_all_forecasts(raw, used.lines(), used.shifts(), told, rows)
    op.write_passages(np.ascontiguousarray(raw[:, told]), used.lines(), told, rows, passage)
    hazards = {
        "squeeze": rows[:, fc.ONSET_AT : fc.PEAK_AT].reshape(-1, 2, N_ONSET),
        "percent": passage[:, 0],
        "sigma": passage[:, 1],
    }
    return _with_course(hazards, rows)


def calibrated_on(said: Sequence[Said], parts: Sequence[Part]) -> Calibration:
    """Fit a calibration to what was said, uncalibrated, of validation parts."""
    spans = [
        Validation(
            part.end_ns, s.hazards["squeeze"],
            np.stack([s.hazards[kind] for kind in ly.PASSAGES], axis=1), _of(s.peak),
            np.log(_of(s.severity_bps)), part.tasks["squeeze"],
            (part.tasks["percent"], part.tasks["sigma"]), part.targets, part.severity_bps,
        )
        for s, part in zip(said, parts, strict=True)
    ]  # fmt: skip
    return msgspec.convert(fit_calibration(spans).to_json(), Calibration)


def without(part: Part, features: Sequence[int]) -> Part:
    """Return the part as it looks when these features are not known."""
    lost = part.features.copy()
    lost[:, list(features)] = np.nan
    return _replaced(part, features=lost)


def _replaced(part: Part, **changes: Any) -> Part:
    values = {name: getattr(part, name) for name in Part.__slots__}
    return Part(**(values | changes))


def family_features(family: str) -> list[int]:
    """Return the features of a family; `LOG_SIGMA` stays, without it nothing can be told."""
    return [fv.INDEX[n] for n in fv.FAMILIES[family] if fv.INDEX[n] != fv.LOG_SIGMA]

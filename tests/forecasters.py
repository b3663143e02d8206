"""Forecasters for tests: one that is cheap and moody, one with random weights."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from litehedge.features.vector import FeatureSchema
from litehedge.model.baselines.logistic import (
    MODEL_FAMILIES,
    N_DESIGN,
    N_GROUPS,
    N_INPUTS,
    LogisticForecaster,
    LogisticWeights,
)
from litehedge.squeeze import forecast as fc
from litehedge.squeeze.hazard import N_ONSET, N_PEAK
from litehedge.units import NS_PER_MINUTE

Floats = NDArray[np.float64]


class Moody:
    """A forecast that depends on the time alone: calm, alarmed, degraded or cold."""

    id = "moody"
    schema_hash = ""

    def start(self, phases: int) -> fc.Memory:
        return np.zeros((phases, 0))

    def step(self, memory: fc.Memory, phase: int, end_ns: int, features: Floats) -> Floats:
        rng = np.random.default_rng(end_ns // NS_PER_MINUTE)
        row = np.empty(fc.N_FORECAST)
        mood = rng.choice([1e-5, 1e-3, 0.05])
        row[fc.ONSET_AT : fc.PEAK_AT] = mood * rng.random(2 * N_ONSET)
        row[fc.PEAK_AT : fc.SEVERITY_AT] = 0.1
        row[fc.SEVERITY_AT : fc.PHASE_AT] = np.tile([150.0, 300.0, 700.0, 900.0, 1500.0], 2)
        row[fc.PHASE_AT : fc.VOL_AT] = 0.25
        row[fc.VOL_AT : fc.CONFIDENCE_AT] = rng.choice([3e-4, 1e-3, 4e-3])
        row[fc.CONFIDENCE_AT] = rng.random()
        row[fc.STATE_AT] = rng.choice([0, 0, 0, 1, 2, 3])
        if row[fc.STATE_AT] >= 2:
            row[: fc.CONFIDENCE_AT] = np.nan
        return row

    def batch(
        self, memory: fc.Memory, phases: NDArray[np.int64], end_ns: NDArray[np.int64],
        features: Floats,
    ) -> Floats:  # fmt: skip
        frames = zip(phases.tolist(), end_ns.tolist(), features, strict=True)
        return np.array([self.step(memory, *frame) for frame in frames])


def logistic_weights(seed: int = 0) -> LogisticWeights:
    """Small random weights: everything that is forecast depends on the features."""
    rng = np.random.default_rng(seed)

    def head(*shape: int, first: float, spread: float = 0.15) -> Floats:
        weights = spread * rng.standard_normal((*shape, 1 + N_DESIGN))
        weights[..., 0] += first
        return weights

    severity = head(2, fc.N_SEVERITY, first=0.0, spread=0.02)
    severity[..., 0] += np.log([150.0, 300.0, 700.0, 900.0, 1500.0])
    return LogisticWeights(
        mean=np.zeros(N_INPUTS),
        scale=np.ones(N_INPUTS),
        seen=np.ones(N_INPUTS),
        trained_family=np.ones(len(MODEL_FAMILIES)),
        onset=head(2, N_GROUPS, first=-3.5, spread=0.3),
        onset_share=np.full((2, N_ONSET), 0.25),
        peak=head(2, N_GROUPS, first=-1.0),
        peak_share=np.full((2, N_PEAK), 0.25),
        severity=severity,
        phase=head(4, first=0.0),
        vol=head(3, first=-7.0, spread=0.05),
        usual_rms=np.array([2.0]),
    )


def logistic(seed: int = 0, frame_ns: int = NS_PER_MINUTE) -> LogisticForecaster:
    """A forecaster with random weights."""
    weights = logistic_weights(seed)
    return LogisticForecaster(weights, f"random-{seed}", FeatureSchema(frame_ns).hash)

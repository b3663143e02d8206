"""The forecaster that says nothing: what is left when there is no usable model.

Its rows are cold, so every policy falls back on its rule.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from litehedge.squeeze import forecast as fc

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class BlindForecaster:
    """Always cold."""

    __slots__ = ("id", "schema_hash")

    def __init__(self) -> None:
        self.id = "none"
        self.schema_hash = ""

    def start(self, phases: int) -> fc.Memory:
        """Return an empty memory."""
        return np.empty((phases, 0))

    def step(self, memory: fc.Memory, phase: int, end_ns: int, features: Floats) -> Floats:
        """Return a cold row."""
        return self.batch(memory, np.array([phase]), np.array([end_ns]), features[np.newaxis])[0]

    def batch(self, memory: fc.Memory, phases: Ints, end_ns: Ints, features: Floats) -> Floats:
        """Return cold rows."""
        rows = np.full((features.shape[0], fc.N_FORECAST), np.nan)
        rows[:, fc.CONFIDENCE_AT] = 0.0
        rows[:, fc.STATE_AT] = fc.ForecastState.COLD
        return rows

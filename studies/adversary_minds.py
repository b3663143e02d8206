"""Forecasters that mean harm, or that are broken. None of them says so.

Each answers a frame with a row that claims to be well and certain (but for `everything nan`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from litehedge.blowup.minds import AHEAD_MIN, NEVER, NOW, opposite, told, unknown
from litehedge.squeeze import forecast as fc

Floats = NDArray[np.float64]

LOOKS_S: Final = 60 * AHEAD_MIN
"""The anti-oracle looks this far ahead."""

Truth = Callable[[int], tuple[float, float]]
"""Largest fall and rise of the mark after a time, within `LOOKS_S`, as shares of price."""


class Mind:
    """A forecaster by the name of what is wrong with it. It remembers nothing.

    `truth` is for the anti-oracle; `seed` decides what chance there is.
    """

    schema_hash = ""

    def __init__(self, name: str, seed: int, truth: Truth) -> None:
        self.id = name
        self._row = MINDS[name]
        self._seed = seed
        self._truth = truth

    def start(self, phases: int) -> fc.Memory:
        """Return nothing to remember."""
        return np.zeros((phases, 0))

    def step(self, memory: fc.Memory, phase: int, end_ns: int, features: Floats) -> Floats:
        """Return the row of a frame."""
        return self._row(self._seed, end_ns, self._truth)

    def batch(
        self, memory: fc.Memory, phases: NDArray[np.int64], end_ns: NDArray[np.int64],
        features: Floats,
    ) -> Floats:  # fmt: skip
        """Return the rows of frames."""
        frames = zip(phases.tolist(), end_ns.tolist(), features, strict=True)
        return np.array([self.step(memory, *frame) for frame in frames])


def _random(seed: int, end_ns: int, truth: Truth) -> Floats:
    chance = np.random.default_rng((seed, end_ns))  # noqa: TID251, seeded
    row = told(np.zeros(2), 10.0 ** chance.uniform(-7.0, -1.0), 1.0, inside=chance.random())
    row[fc.ONSET_AT : fc.SEVERITY_AT] = 10.0 ** chance.uniform(-8.0, 0.0, fc.SEVERITY_AT)
    row[fc.SEVERITY_AT : fc.PHASE_AT] = 10.0 ** chance.uniform(-2.0, 5.0, 2 * fc.N_SEVERITY)
    return row


def _flips(seed: int, end_ns: int, truth: Truth) -> Floats:
    return NEVER if end_ns // 5_000_000_000 % 2 else NOW


def _nan(seed: int, end_ns: int, truth: Truth) -> Floats:
    return unknown()


def _all_nan(seed: int, end_ns: int, truth: Truth) -> Floats:
    return np.full(fc.N_FORECAST, np.nan)


def _garbage(seed: int, end_ns: int, truth: Truth) -> Floats:
    chance = np.random.default_rng((seed, end_ns))  # noqa: TID251, seeded
    words = np.array([np.nan, np.inf, -np.inf, -1.0, 0.0, 1e-300, 1e300, -1e300, 2.0, 7.5])
    row: Floats = chance.choice(words, fc.N_FORECAST)
    return row


def _raises(seed: int, end_ns: int, truth: Truth) -> Floats:
    raise RuntimeError("the model is gone")


def _anti_oracle(seed: int, end_ns: int, truth: Truth) -> Floats:
    return opposite(*truth(end_ns))


MINDS: Final[dict[str, Callable[[int, int, Truth], Floats]]] = {
    "always 0": lambda seed, end_ns, truth: NEVER,
    "always 1": lambda seed, end_ns, truth: NOW,
    "random": _random,
    "flips": _flips,
    "nan": _nan,
    "everything nan": _all_nan,
    "garbage": _garbage,
    "raises": _raises,
    "anti-oracle": _anti_oracle,
}

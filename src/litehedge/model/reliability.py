"""How often a model was right: what came, of what it foretold, counted by probability.

The counts are of data that the model did not learn from, and lie beside its card, in
``reliability.json``. They belong to one model: with other weights they are not read.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from litehedge.model.artefact import Span

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

FILE: Final = "reliability.json"
EDGES: Final = (0.0, 0.005, 0.01, 0.02, 0.04, 0.08, 0.15, 0.25, 0.4, 1.0)
"""Bins of the probability; the last holds one."""


class Promise(msgspec.Struct, frozen=True):
    """Forecasts of about one probability: how many, their mean, the share that came.

    `events` counts the squeezes that came after them: frames in a row wait for the same one, and
    so are no independent trials.
    """

    frames: int
    foretold: float
    came: float
    events: int


class Reliability(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What was counted, by side, rising by probability.

    A frame counts where no squeeze of its side runs, and it is known what came within
    `horizon_min`.
    """

    model: str
    horizon_min: float
    measured_on: list[Span]
    sides: dict[str, list[Promise]]

    def of(self, side: str, probability: float) -> Promise | None:
        """Return what became of forecasts like this one, None where there were none."""
        bin_of = _bin(probability)
        for promise in self.sides.get(side, []):
            if _bin(promise.foretold) == bin_of:
                return promise
        return None


def promises(foretold: Floats, came: Bools, event: Ints) -> list[Promise]:
    """Count forecasts by probability.

    Shapes: all ``(frame,)``; `event` is the number of the squeeze that came, where one did.
    """
    bins = np.searchsorted(EDGES[1:-1], foretold, side="right")
    found = []
    for i in np.unique(bins).tolist():
        mine = bins == i
        found.append(
            Promise(
                int(mine.sum()), float(foretold[mine].mean()), float(came[mine].mean()),
                int(np.unique(event[mine & came]).size),
            )
        )  # fmt: skip
    return found


def load(folder: Path, model_id: str) -> Reliability | None:
    """Return the counts of a model in its folder; None where nobody counted, or for another one."""
    try:
        told = msgspec.json.decode((folder / FILE).read_bytes(), type=Reliability)
    except (OSError, msgspec.DecodeError):
        return None
    return told if told.model == model_id else None


def save(folder: Path, told: Reliability) -> None:
    """Write counts beside a model's card."""
    payload: Any = msgspec.json.format(msgspec.json.encode(told), indent=1)
    (folder / FILE).write_bytes(payload + b"\n")


def _bin(probability: float) -> int:
    return int(np.searchsorted(EDGES[1:-1], probability, side="right"))

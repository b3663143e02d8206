"""Calibration: what turns hazards that rank well into hazards that are right.

The logit of each hazard is taken along a line of its head and side, so that within a bin the
order of frames never changes; severity is shifted per level in log bps.
"""

from __future__ import annotations

import math
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from litehedge.errors import ArtefactError
from litehedge.jit import kernel
from litehedge.squeeze.forecast import N_SEVERITY

Floats = NDArray[np.float64]
Line = tuple[float, float]
"""Slope, above zero, and shift: ``logit h' = slope * logit h + shift``."""

SAME: Final[Line] = (1.0, 0.0)

# Rows of the lines, as kernels take them
LINE_ONSET: Final = 0  # (side,)
LINE_PASSAGE: Final = 2  # (kind, side)
LINE_PEAK: Final = 6  # (side,)
N_LINES: Final = 8


class Calibration(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Lines per head and side (long, short), and shifts of severity in log bps per level.

    `passage` is ``(kind, side)`` with the kinds percent and sigma. Without arguments nothing is
    changed.
    """

    onset: tuple[Line, Line] = (SAME, SAME)
    passage: tuple[tuple[Line, Line], tuple[Line, Line]] = ((SAME, SAME), (SAME, SAME))
    peak: tuple[Line, Line] = (SAME, SAME)
    severity: tuple[tuple[float, ...], tuple[float, ...]] = (
        (0.0,) * N_SEVERITY,
        (0.0,) * N_SEVERITY,
    )

    def lines(self) -> Floats:
        """Return the lines, ``(N_LINES, 2)``."""
        return np.array([*self.onset, *self.passage[0], *self.passage[1], *self.peak])

    def shifts(self) -> Floats:
        """Return the shifts of severity, ``(side, level)``."""
        return np.array(self.severity)

    def to_bytes(self) -> bytes:
        """Return the JSON that `calibration_of` reads."""
        return msgspec.json.format(msgspec.json.encode(self), indent=2) + b"\n"


def calibration_of(payload: bytes) -> Calibration:
    """Read a calibration.

    Raises
    ------
    ArtefactError
        When it cannot be read, or holds a slope that is not above zero.
    """
    remedy = "calibrate or train the model again"
    try:
        found = msgspec.json.decode(payload, type=Calibration)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise ArtefactError(f"the calibration cannot be read ({error})", remedy) from None
    if any(len(side) != N_SEVERITY for side in found.severity):
        raise ArtefactError(f"the calibration needs {N_SEVERITY} shifts of severity", remedy)
    if not all(slope > 0.0 for slope in found.lines()[:, 0]):
        raise ArtefactError("the calibration has a slope that is not above zero", remedy)
    if not all(math.isfinite(x) for x in (*found.lines().flat, *found.shifts().flat)):
        raise ArtefactError("the calibration holds numbers that are not finite", remedy)
    return found


@kernel
def calibrated(hazard: float, lines: Floats, row: int) -> float:
    """Return a hazard along one line; unchanged where the line changes nothing."""
    slope = lines[row, 0]
    shift = lines[row, 1]
    if slope == 1.0 and shift == 0.0:
        return hazard
    h = min(max(hazard, 1e-12), 1.0 - 1e-12)
    return 1.0 / (1.0 + np.exp(-(slope * np.log(h / (1.0 - h)) + shift)))

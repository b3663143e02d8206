"""Calibration: what turns hazards that rank well into hazards that are right.

The logit of each hazard is taken along a line of its head, side and band of bins, so that within
a bin the order of frames never changes; severity is shifted per level in log bps. Bands, because a
forecaster that is right on hours may still be too timid on minutes.
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

Lines = tuple[Line, ...]
"""One line for each band."""

SAME: Final[Line] = (1.0, 0.0)
BANDS: Final = ("0-5", "5-15", "15-30", "30-60", "60-240")  # minutes
BAND_OF_BIN: Final = np.array([0, 0, 0, 0, 1, 1, 2, 3, 3, 4, 4, 4, 4], dtype=np.int64)
N_BANDS: Final = len(BANDS)

# Rows of the lines, as kernels take them
LINE_ONSET: Final = 0  # (side, band)
LINE_PASSAGE: Final = 2 * N_BANDS  # (kind, side, band)
LINE_PEAK: Final = 6 * N_BANDS  # (side,)
N_LINES: Final = LINE_PEAK + 2

_SAME: Final[Lines] = (SAME,) * N_BANDS


class Calibration(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Lines per head, side (long, short) and band, and shifts of severity in log bps per level.

    `peak` has one line per side. `passage` is ``(kind, side)`` with the kinds percent and sigma.
    Without arguments nothing is changed.
    """

    onset: tuple[Lines, Lines] = (_SAME, _SAME)
    passage: tuple[tuple[Lines, Lines], tuple[Lines, Lines]] = ((_SAME, _SAME), (_SAME, _SAME))
    peak: tuple[Line, Line] = (SAME, SAME)
    severity: tuple[tuple[float, ...], tuple[float, ...]] = (
        (0.0,) * N_SEVERITY,
        (0.0,) * N_SEVERITY,
    )

    def lines(self) -> Floats:
        """Return the lines, ``(N_LINES, 2)``."""
        banded = (*self.onset, *self.passage[0], *self.passage[1])
        return np.array([*(line for lines in banded for line in lines), *self.peak])

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
    if any(len(lines) != N_BANDS for lines in (*found.onset, *found.passage[0], *found.passage[1])):
        raise ArtefactError(f"the calibration needs a line for each of {N_BANDS} bands", remedy)
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

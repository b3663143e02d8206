"""The layout of a network's raw outputs, one row per frame; NumPy and torch code share it."""

from __future__ import annotations

from typing import Final

from litehedge.squeeze.forecast import N_SEVERITY
from litehedge.squeeze.hazard import N_ONSET, N_PEAK
from litehedge.squeeze.targets import PHASES, VOL_MINUTES

PASSAGES: Final = ("percent", "sigma")
TASKS: Final = ("squeeze", *PASSAGES)

ONSET: Final = slice(0, 2 * N_ONSET)  # (side, bin) logits of competing hazards
PASSAGE: Final = slice(ONSET.stop, ONSET.stop + 4 * N_ONSET)  # (kind, side, bin) logits of hazards
PEAK: Final = slice(PASSAGE.stop, PASSAGE.stop + 2 * N_PEAK)  # (side, bin) logits of hazards
SEVERITY: Final = slice(PEAK.stop, PEAK.stop + 2 * N_SEVERITY)  # (side, level): log bps, then steps
PHASE: Final = slice(SEVERITY.stop, SEVERITY.stop + len(PHASES))  # logits
VOL: Final = slice(PHASE.stop, PHASE.stop + len(VOL_MINUTES))  # log volatility per root minute
N_RAW: Final = VOL.stop

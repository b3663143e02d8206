"""What the network puts out, and what it is made of: names, shapes and places, shared by all.

Notation: n inputs, D = `HIDDEN`; a stream's frames are its past, one frame length apart.
"""

from __future__ import annotations

from typing import Final

from litehedge.squeeze.forecast import N_SEVERITY
from litehedge.squeeze.hazard import N_ONSET, N_PEAK
from litehedge.squeeze.targets import PHASES, VOL_MINUTES

HIDDEN: Final = 64
AGES: Final = 240
"""How many past hidden states attention sees; also the frames before a forecast is warm."""

PASSAGES: Final = ("percent", "sigma")
TASKS: Final = ("squeeze", *PASSAGES)

# Places in the raw output ``(N_RAW,)``
RAW_ONSET: Final = 0  # (side, bin) logits of competing risks
RAW_PASSAGE: Final = RAW_ONSET + 2 * N_ONSET  # (kind, side, bin) logits; kinds as `PASSAGES`
RAW_PEAK: Final = RAW_PASSAGE + 4 * N_ONSET  # (side, bin) logits
RAW_SEVERITY: Final = RAW_PEAK + 2 * N_PEAK  # (side, level): first log bps, then increments
RAW_PHASE: Final = RAW_SEVERITY + 2 * N_SEVERITY  # (phase,) logits
RAW_VOL: Final = RAW_PHASE + len(PHASES)  # log volatility per root minute
N_RAW: Final = RAW_VOL + len(VOL_MINUTES)
ONSET: Final = slice(RAW_ONSET, RAW_PASSAGE)
PASSAGE: Final = slice(RAW_PASSAGE, RAW_PEAK)
PEAK: Final = slice(RAW_PEAK, RAW_SEVERITY)
SEVERITY: Final = slice(RAW_SEVERITY, RAW_PHASE)
PHASE: Final = slice(RAW_PHASE, RAW_VOL)
VOL: Final = slice(RAW_VOL, N_RAW)


def weight_shapes(n: int) -> dict[str, tuple[int, ...]]:
    """Return name and shape of every weight of a member with `n` inputs.

    Gates of the LSTM come in the order input, forget, cell, output. The ``gate_*`` weights are
    left out of a network that does not select, ``query_w`` and ``age_bias`` of one without
    attention.
    """
    d = HIDDEN
    return {
        "gate_w": (n, 2 * n), "gate_b": (n,),
        "lstm1_wx": (4 * d, 2 * n), "lstm1_wh": (4 * d, d), "lstm1_b": (4 * d,),
        "lstm2_wx": (4 * d, d), "lstm2_wh": (4 * d, d), "lstm2_b": (4 * d,),
        "query_w": (d, d), "age_bias": (AGES,),
        "trunk_w": (d, 2 * d), "trunk_b": (d,),
        "head_w": (N_RAW, d), "skip_w": (N_RAW, 2 * n), "head_b": (N_RAW,),
    }  # fmt: skip

"""What a venue demands of the crowd by size of position, and how it closes large ones in steps.

Who uses little leverage holds large positions: each leverage has a typical size, and the venue's
tier table says what that size must keep. When the mark reaches it, only the part above the tier's
floor is closed; the rest demands less, and dies further on.
"""

from __future__ import annotations

from importlib import resources
from typing import Final

import numpy as np
from numpy.typing import NDArray

from litehedge.margin.tiers import FLOOR, RATE, maintenance, parse_tiers, tier_index

Floats = NDArray[np.float64]

SIZES_USDT: Final = (1.8e6, 1.8e6, 1.02e6, 2.2e5, 1.2e5, 6e4, 1.4e4, 1.4e4)
"""Typical notional of a position of each leverage, above the median of all and below whales."""

_TABLE: Final = "binance-LTCUSDT.toml"
TIERS: Final = parse_tiers(
    (resources.files("litehedge.margin") / "tables" / _TABLE).read_text("utf-8"), _TABLE
)
N_RESTS: Final = int(tier_index(max(SIZES_USDT), TIERS.rows))
"""What is left of a position lies at the top of a tier: one of so many."""

MAINTENANCE: Final = np.array([maintenance(size, TIERS.rows) / size for size in SIZES_USDT])
"""Maintenance rate of each leverage."""


def _steps() -> tuple[Floats, Floats, NDArray[np.int64], Floats]:
    """Return what happens to a position that is reached, by kind: leverages, then rests.

    Share that stays ``(kind,)``; its further log distance ``(side, kind)``; which rest it becomes
    ``(kind,)``, -1 for none; the maintenance rate of what is closed ``(kind,)``.
    """
    rows, fee = TIERS.rows, TIERS.clearance_fee
    sizes = [*SIZES_USDT, *(float(rows[tier + 1, FLOOR]) for tier in range(N_RESTS))]
    stays, rest = np.zeros(len(sizes)), np.full(len(sizes), -1, dtype=np.int64)
    away = np.zeros((2, len(sizes)))
    rates = np.array([maintenance(size, rows) / size for size in sizes])
    for kind, size in enumerate(sizes):
        tier = int(tier_index(size, rows))
        left = float(rows[tier, FLOOR])
        spare = maintenance(size, rows) - fee * (size - left) - maintenance(left, rows)
        while left > 0.0 and spare <= 0.0:  # the fee ate what the smaller size would free
            tier -= 1
            left = float(rows[tier, FLOOR])
            spare = maintenance(size, rows) - fee * (size - left) - maintenance(left, rows)
        if left <= 0.0:
            continue
        stays[kind] = left / size
        rest[kind] = tier - 1
        # What is left demands the rate below the floor as price falls, above it as it rises.
        away[0, kind] = -np.log1p(-spare / (left * (1.0 - rows[tier - 1, RATE])))
        away[1, kind] = np.log1p(spare / (left * (1.0 + rows[tier, RATE])))
    return stays, away, rest, rates


STAYS, FURTHER, REST_OF, RATES = _steps()

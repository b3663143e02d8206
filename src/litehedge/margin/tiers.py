"""Maintenance tiers: how much margin a venue demands of a position of a given size.

Kernels take a table as one array of shape ``(tier, 4)`` with the columns `FLOOR`, `RATE`,
`CUM`, `MAX_LEVERAGE`. Maintenance of a notional N in tier i is ``N * rate_i - cum_i`` and is
continuous in N because ``cum_i = cum_{i-1} + floor_i * (rate_i - rate_{i-1})``.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from litehedge.errors import DataError, UsageError
from litehedge.jit import kernel

FLOOR: Final = 0
RATE: Final = 1
CUM: Final = 2
MAX_LEVERAGE: Final = 3


@dataclass(frozen=True, slots=True)
class TierTable:
    """The tiers of one contract on one venue, as of one date.

    Shapes: `rows` is ``(tier, 4)``: floor in USDT, maintenance rate, cumulative amount in USDT,
    maximum leverage.
    """

    venue: str
    symbol: str
    version: str
    source: str
    clearance_fee: float
    cap_usdt: float
    rows: NDArray[np.float64]

    def max_leverage(self, notional_usdt: float) -> float:
        """Return the highest leverage the venue allows at this position size."""
        return float(self.rows[tier_index(notional_usdt, self.rows), MAX_LEVERAGE])

    def largest_leverage(self, equity_usdt: float) -> float:
        """Return the highest leverage at which the venue takes a position backed by so much.

        The position grows with leverage, and its tier with it.
        """
        return float(_largest_leverage(equity_usdt, self.cap_usdt, self.rows))

    def check_leverage(self, leverage: float, notional_usdt: float) -> None:
        """Refuse a leverage or a size that the venue would refuse.

        Raises
        ------
        UsageError
            With the largest leverage, or the largest size, that is allowed.
        """
        where = f"{self.venue} {self.symbol} (tiers of {self.version})"
        if notional_usdt > self.cap_usdt:
            raise UsageError(
                f"a position of {notional_usdt:,.0f} USDT is above the cap of {where}",
                f"use at most {self.cap_usdt:,.0f} USDT",
            )
        allowed = self.max_leverage(notional_usdt)
        if leverage > allowed:
            raise UsageError(
                f"{leverage:g}x on {notional_usdt:,.0f} USDT is above the maximum of {where}",
                f"use at most {allowed:g}x at this size, or a smaller wallet",
            )


def parse_tiers(text: str, where: str) -> TierTable:
    """Read a tier table from TOML text and prove that it is continuous.

    Raises
    ------
    DataError
        When a field is missing or not finite, the floors or rates do not rise, or a cumulative
        amount is off.
    """
    try:
        table = tomllib.loads(text)
        rows = np.array(table["tiers"], dtype=np.float64)
        tiers = TierTable(
            venue=table["venue"],
            symbol=table["symbol"],
            version=table["version"],
            source=table["source"],
            clearance_fee=float(table["clearance_fee"]),
            cap_usdt=float(table["cap_usdt"]),
            rows=rows,
        )
    except (tomllib.TOMLDecodeError, KeyError, TypeError, ValueError) as error:
        raise DataError(
            f"{where} is not a tier table ({error})", "compare it with a packaged one"
        ) from None
    if rows.ndim != 2 or rows.shape[1] != 4 or rows[0, FLOOR] != 0.0 or rows[0, CUM] != 0.0:
        raise DataError(
            f"{where}: tiers must be rows of 4 numbers, the first from 0 USDT with cum 0"
        )
    if not (np.isfinite(rows).all() and np.isfinite([tiers.clearance_fee, tiers.cap_usdt]).all()):
        raise DataError(f"{where} holds a number that is not finite")
    if np.any(np.diff(rows[:, FLOOR]) <= 0) or np.any(np.diff(rows[:, RATE]) <= 0):
        raise DataError(f"{where}: floors and maintenance rates must rise from tier to tier")
    expected = np.cumsum(rows[1:, FLOOR] * np.diff(rows[:, RATE]))
    wrong = np.flatnonzero(np.abs(rows[1:, CUM] - expected) > 1e-6 * np.maximum(expected, 1.0))
    if wrong.size:
        tier = int(wrong[0]) + 1
        raise DataError(
            f"{where}: cumulative amount of tier {tier + 1} is {rows[tier, CUM]:,.2f}",
            f"maintenance is continuous only with {expected[tier - 1]:,.2f}",
        )
    return tiers


@kernel
def tier_index(notional_usdt: float, tiers: NDArray[np.float64]) -> int:
    """Return the tier of a notional; a notional on a floor belongs to the lower tier."""
    i = 0
    while i + 1 < tiers.shape[0] and notional_usdt > tiers[i + 1, 0]:
        i += 1
    return i


@kernel
def _largest_leverage(equity_usdt: float, cap_usdt: float, tiers: NDArray[np.float64]) -> float:
    """Return the highest leverage that any tier allows for so much equity; NaN where none does."""
    most = np.nan
    for i in range(tiers.shape[0]):
        ceiling = tiers[i + 1, 0] if i + 1 < tiers.shape[0] else cap_usdt
        allowed = min(tiers[i, 3], ceiling / equity_usdt)
        if allowed * equity_usdt > tiers[i, 0] and not allowed <= most:
            most = allowed
    return most


@kernel
def maintenance(notional_usdt: float, tiers: NDArray[np.float64]) -> float:
    """Return the maintenance margin in USDT of a position worth `notional_usdt` at mark."""
    i = tier_index(notional_usdt, tiers)
    return notional_usdt * tiers[i, 1] - tiers[i, 2]

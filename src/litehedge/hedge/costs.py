"""What one trade costs: fee, half the spread, square-root impact, and funding of the hedge.

The spread widens in proportion to volatility beyond a calm market. Impact follows the
square-root law: ``impact * volatility * sqrt(quantity / volume)`` over the same unit of time
(Toth et al. 2011; here per root minute and LTC per minute).
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from litehedge.config import Costs
from litehedge.jit import kernel
from litehedge.units import BPS

CALM_VOL: Final = 0.001  # per root minute: about the median of Litecoin since 2021
WIDEST: Final = 50.0  # the spread never widens more than this many times

COSTS: Final = np.dtype(
    [
        ("taker_fee", np.float64),
        ("half_spread", np.float64),
        ("impact", np.float64),
        ("max_bar_share", np.float64),
    ]
)


def costs_array(costs: Costs) -> NDArray[np.void]:
    """Return the costs as a ``(1,)`` array of `COSTS`, in fractions."""
    row = np.zeros(1, dtype=COSTS)
    row["taker_fee"] = costs.taker_fee_bps * BPS
    row["half_spread"] = costs.half_spread_bps * BPS
    row["impact"] = costs.impact
    row["max_bar_share"] = costs.max_bar_share
    return row


@kernel
def slippage_rate(
    costs: NDArray[np.void], vol_per_min: float, volume_per_min: float, qty: float
) -> float:
    """Return half spread plus impact of `qty` LTC, as a fraction of price.

    Unknown (NaN) volatility counts as calm; unknown or zero volume leaves impact out.
    """
    cost = costs[0]
    vol = CALM_VOL if np.isnan(vol_per_min) else vol_per_min
    half = cost.half_spread * min(max(1.0, vol / CALM_VOL), WIDEST)
    if not volume_per_min > 0.0:
        return half
    return half + cost.impact * vol * np.sqrt(abs(qty) / volume_per_min)


@kernel
def trade_cost(
    costs: NDArray[np.void], vol_per_min: float, volume_per_min: float, qty: float,
    side: float, funding_rate: float,
) -> float:  # fmt: skip
    """Return the expected cost of hedging `qty` LTC once, as a fraction of its notional.

    Fee, slippage, and one funding payment where the hedge (opposite to `side`) would pay it.
    """
    funding = 0.0 if np.isnan(funding_rate) else max(0.0, -side * funding_rate)
    return costs[0].taker_fee + slippage_rate(costs, vol_per_min, volume_per_min, qty) + funding

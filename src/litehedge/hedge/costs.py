"""What one trade costs: fee, half the spread, square-root impact, and funding of the hedge.

The spread widens in proportion to volatility beyond a calm market. Impact follows the
square-root law: ``impact * volatility * sqrt(quantity / volume)`` over the same unit of time
(Toth et al. 2011; here per root minute and LTC per minute).
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from litehedge.hedge import signals as sg
from litehedge.jit import kernel

CALM_VOL: Final = 0.001  # per root minute: about the median of Litecoin since 2021
WIDEST: Final = 50.0  # the spread never widens more than this many times


@kernel
def slippage_rate(terms: Any, vol_per_min: float, volume_per_min: float, qty: float) -> float:
    """Return half spread plus impact of `qty` LTC, as a fraction of price; `terms` is a record.

    Unknown (NaN) volatility counts as calm; unknown or zero volume leaves impact out.
    """
    vol = CALM_VOL if np.isnan(vol_per_min) else vol_per_min
    half = terms.half_spread * min(max(1.0, vol / CALM_VOL), WIDEST)
    if not volume_per_min > 0.0:
        return half
    return half + terms.impact * vol * np.sqrt(abs(qty) / volume_per_min)


@kernel
def trade_cost(terms: Any, signals: NDArray[np.float32], frame: int, qty: float) -> float:
    """Return the expected cost of hedging `qty` LTC once, as a fraction of its notional.

    Fee, slippage, and one funding payment where the hedge would pay it.
    """
    vol_per_min = signals[sg.VOL_RULE, frame] / np.sqrt(5.0)
    rate = signals[sg.FUNDING, frame]
    funding = 0.0 if np.isnan(rate) else max(0.0, -terms.side * rate)
    slippage = slippage_rate(terms, vol_per_min, signals[sg.VOLUME, frame], qty)
    return terms.taker_fee + slippage + funding

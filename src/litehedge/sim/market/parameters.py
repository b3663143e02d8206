"""What a simulated world is made of: every constant with its meaning, unit and allowed range.

The defaults reproduce the stylised facts of LTC (`facts`); the ranges are where the mechanics stay
meaningful.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from litehedge.sim.market.brackets import N_RESTS

BUCKETS: Final = 8192
BUCKET_WIDTH: Final = 1e-3
"""Positions lie in buckets of log liquidation price, so wide each, on a ring of so many."""

LEVERAGES: Final = (2.0, 3.5, 6.0, 10.0, 15.0, 25.0, 40.0, 60.0)
N_LEVERAGES: Final = len(LEVERAGES)
STOPS: Final = N_LEVERAGES
"""The layer after the leverages: positions that end by a stop order before liquidation."""
RESTS: Final = STOPS + 1
"""The first of the layers of what is left of positions that were liquidated in part."""
N_LAYERS: Final = RESTS + N_RESTS


class Parameters(BaseModel):
    """The constants of a world. Volatilities are annual, times in seconds, sizes in USDT or LTC."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    # --- efficient prices ---
    price_usdt: float = Field(85.0, ge=1, le=10_000, description="price of LTC at the start")
    btc_vol: float = Field(0.42, ge=0.05, le=2, description="annual volatility of Bitcoin")
    own_vol: float = Field(0.29, ge=0.05, le=2, description="annual volatility of LTC's own part")
    beta: float = Field(0.95, ge=0, le=3, description="move of LTC per move of Bitcoin")
    arch_fast: float = Field(
        0.08, ge=0, le=0.4, description="share of variance fed back from squared returns, 8 min"
    )
    arch_slow: float = Field(
        0.16, ge=0, le=0.4, description="share of variance fed back from squared returns, 2.5 h"
    )
    vol_sd_25m: float = Field(
        0.34, ge=0, le=1, description="sd of log volatility, 25-minute factor"
    )
    vol_sd_5h: float = Field(0.27, ge=0, le=1, description="sd of log volatility, 5-hour factor")
    vol_sd_3d: float = Field(0.36, ge=0, le=1, description="sd of log volatility, 3-day factor")
    vol_sd_40d: float = Field(0.22, ge=0, le=1, description="sd of log volatility, 40-day factor")
    btc_news_per_day: float = Field(0.9, ge=0, le=20, description="news jumps of Bitcoin a day")
    own_news_per_day: float = Field(0.7, ge=0, le=20, description="news jumps of LTC alone a day")
    btc_news_size: float = Field(
        0.0024, ge=0, le=0.02, description="smallest jump of Bitcoin, log return"
    )
    own_news_size: float = Field(
        0.0029, ge=0, le=0.02, description="smallest jump of LTC alone, log return"
    )
    news_tail: float = Field(2.4, ge=1.5, le=6, description="Pareto exponent of jumps")
    news_excitation: float = Field(
        0.30, ge=0, le=0.7, description="jumps that a jump calls forth on average"
    )
    news_down: float = Field(1.22, ge=0.5, le=3, description="size of falls relative to rises")
    news_skew: float = Field(
        0.05, ge=-0.4, le=0.4, description="surplus probability that a jump is a fall"
    )
    overshoot_down: float = Field(
        0.45, ge=0, le=2, description="share of a falling jump that comes back"
    )
    overshoot_up: float = Field(
        0.20, ge=0, le=2, description="share of a rising jump that comes back"
    )
    noise_sd: float = Field(0.0007, ge=0, le=0.01, description="sd of the transient price error")
    noise_s: float = Field(420.0, ge=10, le=86_400, description="time in which it fades, s")
    reversion_s: float = Field(
        4.7e7, ge=1e6, le=1e10, description="pull of the price to its level of years, s"
    )
    drift: float = Field(0.5, ge=-3, le=3, description="annual drift of log price")

    # --- the crowd ---
    open_interest_ltc: float = Field(1.9e6, ge=1e4, le=1e9, description="usual open interest")
    long_bias: float = Field(
        0.45, ge=-3, le=3, description="log odds that a new position is long, other things equal"
    )
    taker_share: float = Field(
        0.5, ge=0, le=1, description="share of openings and closings that cross the spread"
    )
    stop_share: float = Field(
        0.45, ge=0, le=0.95, description="share of positions with a stop before liquidation"
    )
    panic: float = Field(1.0, ge=0, le=5, description="how much adverse moves hasten closing")

    # --- the book ---
    depth_usdt: float = Field(
        2.2e6, ge=1e4, le=1e9, description="usual depth within 1 % on each side"
    )
    depth_exponent: float = Field(0.55, ge=0, le=2, description="fall of depth with volatility")
    depth_vol: float = Field(
        6.0, ge=0.5, le=50, description="volatility, in multiples of the usual, at which it falls"
    )
    depth_floor: float = Field(0.06, ge=0.001, le=1, description="least depth, share of the usual")
    withdraw_s: float = Field(12.0, ge=1, le=600, description="time in which makers withdraw, s")
    return_s: float = Field(420.0, ge=5, le=86_400, description="time in which they return, s")
    refill_s: float = Field(
        10.0, ge=1.5, le=600, description="time in which a taken book refills, s"
    )
    toxicity: float = Field(0.25, ge=0, le=5, description="withdrawal per percent of book taken")
    spot_depth: float = Field(
        0.8, ge=0.05, le=10, description="depth of spot relative to perpetual"
    )

    # --- impact ---
    slow_impact: float = Field(1.0, ge=0, le=5, description="square-root impact coefficient")
    daily_volume_usdt: float = Field(3.6e8, ge=1e5, le=1e12, description="usual volume a day")
    slow_impact_s: float = Field(5400.0, ge=60, le=864_000, description="time in which it fades, s")
    permanent_impact: float = Field(
        0.30, ge=0, le=2, description="share of a trade's impact that stays"
    )
    forced_impact: float = Field(
        1.0, ge=0, le=1, description="share of forced orders that reaches the book (1; 0 to ablate)"
    )
    arbitrage: float = Field(0.04, ge=0, le=1, description="strength of spot-perpetual arbitrage")
    patient_rate: float = Field(0.02, ge=0, le=1, description="speed of value buyers")
    patient_from: float = Field(
        0.004, ge=0, le=0.1, description="displacement from fair at which they begin"
    )
    patient_capital_usdt: float = Field(3e6, ge=1e3, le=1e10, description="what they can spend")
    patient_return_s: float = Field(
        36_000.0, ge=60, le=1e7, description="time in which their capital returns, s"
    )

    # --- liquidation ---
    queue_rate: float = Field(
        0.10, ge=0.001, le=1, description="share of the liquidation queue tried each second"
    )
    queue_depth_share: float = Field(
        0.02, ge=0, le=1, description="share of the usual depth tried each second besides"
    )
    queue_ageing: float = Field(
        0.012, ge=0, le=1, description="share of the queue that goes to the fund each second"
    )
    liquidation_slippage: float = Field(
        0.004, ge=0, le=0.1, description="beyond bankruptcy that the engine sells"
    )
    stop_slippage: float = Field(0.02, ge=0, le=0.5, description="price protection of stops")
    fund_position_usdt: float = Field(
        8e6, ge=0, le=1e10, description="position that the insurance fund takes before ADL"
    )

    # --- whales, sentiment, funding, regimes ---
    transfers_per_day: float = Field(2.2, ge=0, le=100, description="whale transfers a day")
    transfer_usdt: float = Field(1.5e6, ge=1e3, le=1e9, description="smallest whale transfer")
    transfer_tail: float = Field(1.35, ge=1.05, le=5, description="Pareto exponent of transfers")
    false_transfers_per_day: float = Field(
        1.5, ge=0, le=100, description="transfers that are not what they seem, a day"
    )
    sentiment_drift: float = Field(
        0.004, ge=0, le=0.1, description="drift a day per unit of sentiment that leads"
    )
    premium_base: float = Field(
        -4.5e-4,
        ge=-0.01,
        le=0.01,
        description="premium of a balanced crowd; perpetuals trade low",
    )
    discount_share: float = Field(
        0.1,
        ge=0,
        le=1,
        description="how far discounts go relative to premiums; arbitrage",
    )
    premium_imbalance: float = Field(
        3.5e-3, ge=0, le=0.05, description="premium at complete imbalance of the crowd"
    )
    premium_sd: float = Field(2.5e-4, ge=0, le=0.01, description="sd of the premium's own motion")
    premium_s: float = Field(120_000.0, ge=600, le=1e7, description="memory of the premium, s")
    regime_days: float = Field(21.0, ge=0.5, le=1e6, description="mean length of a regime, days")


PARAMETERS: Final = np.dtype([(name, np.float64) for name in Parameters.model_fields])

REGIME: Final = np.dtype(
    [
        ("vol", np.float64),  # factor
        ("interest", np.float64),  # log factor of open interest
        ("bias", np.float64),  # added to the log odds of longs
        ("depth", np.float64),  # factor
        ("whales_act", np.float64),  # probability that a transfer is followed by an order
        ("sentiment", np.float64),  # how much sentiment leads
        ("tilt", np.float64),  # exponent of leverage in the mix
    ]
)
REGIME_NAMES: Final = ("calm", "greed", "fear", "storm", "thin")
REGIMES: Final = np.array(
    [
        (0.83, 0.0, 0.10, 1.15, 0.35, 0.6, 0.0),
        (1.0, 0.35, 0.50, 1.0, 0.40, 1.0, 0.30),
        (1.10, -0.10, -0.75, 0.9, 0.50, -0.3, 0.05),
        (1.36, -0.2, 0.0, 0.7, 0.45, 0.3, -0.15),
        (0.72, -0.1, 0.15, 0.62, 0.30, 0.0, 0.2),
    ],
    dtype=REGIME,
)


def parameters_array(parameters: Parameters) -> NDArray[np.void]:
    """Return the parameters as kernels see them, a ``(1,)`` array of `PARAMETERS`."""
    row = np.zeros(1, dtype=PARAMETERS)
    values: dict[str, Any] = parameters.model_dump()
    for name, value in values.items():
        row[name] = value
    return row

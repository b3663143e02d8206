"""The recommendation: which edge, how much, and why."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from situations import NAMES

from litehedge.config import Settings
from litehedge.hedge import signals as sg
from litehedge.hedge.band import Action, Situation, has_forecast, recommend
from litehedge.hedge.policies import policy_named
from strategies import ratios, sides, signal_rows

Singles = NDArray[np.float32]


def situation(ratio: float = 0.0, leverage: float = 10.0, side: float = 1.0) -> Situation:
    return Situation(
        side=side, ratio=ratio, price=100.0, position_ltc=50.0, equity_usdt=5000.0 / leverage,
        equity_share=1.0 / leverage, floor_share=0.3 / leverage,
        maintenance_rate=0.005, distance=0.1, cost=7e-4, coupling=0,
    )  # fmt: skip


def wanted_by(ratio: float, lo: float, hi: float) -> float:
    """What a band asks of a hedge ratio, in LTC of a position of 50."""
    return 50.0 * (max(ratio, lo) - ratio if ratio < lo else min(ratio, hi) - ratio)


# --- the recommendation -----------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
@given(
    signals=signal_rows(), ratio=ratios, a=ratios, b=ratios, side=sides,
    cold=st.booleans(), leverage=st.floats(1.0, 100.0),
)  # fmt: skip
def test_whatever_it_says_adds_up(
    name: str, signals: Singles, ratio: float, a: float, b: float, side: float, cold: bool,
    leverage: float,
) -> None:  # fmt: skip
    lo, hi = sorted((a, b))
    if cold:
        signals[:] = np.nan
        signals[sg.STATE] = 2
    here = situation(ratio, leverage, side)
    wanted = wanted_by(ratio, lo, hi)
    advice = recommend(policy_named(name, Settings()), lo, hi, wanted, signals, here)
    assert (advice.ratio, advice.lo, advice.hi, advice.size_ltc) == (ratio, lo, hi, wanted)
    expected = (Action.MAINTAIN, ratio)
    if ratio < lo:
        expected = (Action.INCREASE, lo)
    elif ratio > hi:
        expected = (Action.DECREASE, hi)
    assert (advice.action, advice.target) == expected
    assert advice.size_ltc == pytest.approx((advice.target - ratio) * 50.0)
    assert 0.0 <= advice.confidence <= 1.0
    change = advice.target - ratio
    assert advice.cost_bps == pytest.approx(abs(change) * 7.0 * (2.0 if change > 0.0 else 1.0))
    if advice.action is Action.MAINTAIN:
        assert advice.size_ltc == advice.cost_bps == advice.benefit_bps == 0.0
    elif cold:
        assert math.isnan(advice.benefit_bps)
    assert advice.reason
    assert "nan" not in advice.reason or cold


@given(signal_rows(), st.sampled_from([0.25, 0.5, 1.0]))
def test_more_hedge_is_worth_what_it_saves(signals: Singles, target: float) -> None:
    plugin = policy_named("plugin", Settings())
    advice = recommend(plugin, target, 1.0, 50.0 * target, signals, situation())
    assert advice.action is Action.INCREASE
    assert advice.benefit_bps >= -1e-9
    assert advice.benefit_bps <= 1000.0  # a tenth of the position is all there is to lose


def test_the_reason_names_the_numbers() -> None:
    signals = np.zeros((sg.N_SIGNALS, 1), dtype=np.float32)
    signals[[sg.VOL_30, sg.VOL_120]] = 4e-3
    signals[sg.VOL_RULE] = 0.006
    signals[sg.CONFIDENCE] = 1.0
    signals[sg.SEVERITY : sg.SEVERITY + 10, 0] = np.tile([0.015, 0.03, 0.07, 0.09, 0.15], 2)
    settings = Settings()
    away = "liquidation 9.5% away without hedge"

    def reason(name: str, lo: float, hi: float, ratio: float) -> str:
        policy, wanted = policy_named(name, settings), wanted_by(ratio, lo, hi)
        return recommend(policy, lo, hi, wanted, signals, situation(ratio)).reason

    up = reason("plugin", 0.5, 1.0, 0.0)
    entered = settings.plugin
    assert up.startswith(f"P(ruin in {entered.horizon_min:.0f} min) is ")
    above = f", above {100 * entered.enter_probability:.2g}%; {away}, the risk budget 7% away"
    assert up.endswith(above)
    assert ": inside " in reason("plugin", 0.0, 1.0, 0.5)
    assert "low enough to let go below " in reason("plugin", 0.0, 0.2, 0.5)
    assert reason("margin-vol", 1.0, 1.0, 0.0) == f"volatility 0.0060 above 0.004 and {away}"
    assert reason("margin-vol", 0.0, 0.0, 1.0) == "volatility 0.0060 below 0.0008"
    assert reason("vol-target", 0.0, 1.0, 0.0) == "volatility of 5-minute returns is 0.0060"
    assert reason("move-3pct", 0.0, 1.0, 0.0) == "price moved 0% in 15 min"
    assert reason("hazard", 0.0, 1.0, 0.0) == "P(squeeze within 60 min) is 0%"
    assert reason("static-25", 0.25, 0.25, 0.0) == "hold 25%"
    signals[sg.STATE] = 2
    assert reason("plugin", 0.0, 1.0, 0.0).startswith("no forecast yet: the volatility rule")
    signals[sg.STATE] = 3
    too_old = "the model is too old, so there is no forecast: the volatility rule stands in"
    assert reason("plugin", 0.0, 1.0, 0.0).startswith(too_old)


def test_a_recommendation_carries_the_terms_that_made_it() -> None:
    signals = np.zeros((sg.N_SIGNALS, 1), dtype=np.float32)
    signals[[sg.VOL_30, sg.VOL_120]] = 4e-3
    signals[sg.CONFIDENCE] = 0.5
    signals[sg.PEAK] = np.nan
    plugin = policy_named("plugin", Settings())
    told = recommend(plugin, 0.5, 1.0, 25.0, signals, situation()).terms
    assert told["enter_above"] == pytest.approx(0.5 * Settings().plugin.enter_probability)
    assert told["release_below"] < told["enter_above"]
    assert told["distance_to_ruin"] == pytest.approx(0.07)
    assert told["distance_to_liquidation"] == pytest.approx(0.0955, abs=1e-3)
    assert told["cost"] == 7e-4
    assert "peak_in_min" not in told  # unknown
    signals[sg.STATE] = 2
    assert "ruin" not in recommend(plugin, 0.5, 1.0, 25.0, signals, situation()).terms


def test_what_counts_as_a_forecast() -> None:
    signals = np.zeros((sg.N_SIGNALS, 1), dtype=np.float32)
    for state, speaks in enumerate([True, True, False, False]):
        signals[sg.STATE] = state
        assert has_forecast(signals) == speaks
    signals[sg.STATE] = 0
    signals[sg.VOL_30] = np.nan
    assert not has_forecast(signals)

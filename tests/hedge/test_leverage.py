"""Leverage advice: less in wilder markets, more for the bold, never above the venue's limit."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
from hypothesis import event, given
from hypothesis import strategies as st
from numpy.typing import NDArray
from situations import TIERS

from litehedge.hedge import signals as sg
from litehedge.hedge.leverage import (
    LeverageAdvice,
    advise,
    distance_at,
    excursion_deviation,
    liquidation_probability,
)
from litehedge.margin.account import new_account
from litehedge.margin.liquidation import bounds
from strategies import log_floats, signal_rows

Singles = NDArray[np.float32]


def advised(
    signals: Singles, notional: float, leverage: float = 5.0, *, days: float = 7.0,
    tolerance: float = 0.05,
) -> LeverageAdvice:  # fmt: skip
    return advise(signals, TIERS, notional, leverage, horizon_days=days, tolerance=tolerance)


notionals = log_floats(100.0, 5e6)
tolerances = st.floats(1e-3, 0.6)


@given(signal_rows(), notionals, tolerances, st.floats(1.0, 3.0))
def test_more_tolerance_never_advises_less(
    signals: Singles, notional: float, tolerance: float, factor: float
) -> None:
    shy = advised(signals, notional, tolerance=tolerance)
    bold = advised(signals, notional, tolerance=tolerance * factor)
    event("more" if bold.leverage > shy.leverage else "the same")
    assert bold.leverage >= shy.leverage - 1e-9


@given(signal_rows(), notionals, st.floats(1.0, 4.0), st.sampled_from(["vol", "sigma", "doubt"]))
def test_a_wilder_or_less_known_market_bears_no_more(
    signals: Singles, notional: float, factor: float, what: str
) -> None:
    calm = advised(signals, notional)
    if what == "doubt":
        signals[sg.CONFIDENCE] /= np.float32(factor)
    else:
        signals[sg.VOL_120 if what == "vol" else sg.SIGMA] *= np.float32(factor)
    wild = advised(signals, notional)
    assert wild.leverage <= calm.leverage + 1e-9
    assert wild.probability_now >= calm.probability_now - 1e-12


@given(signal_rows(), notionals, st.floats(0.5, 10.0), st.floats(1.0, 5.0))
def test_a_longer_horizon_bears_no_more(
    signals: Singles, notional: float, days: float, factor: float
) -> None:
    short = advised(signals, notional, days=days)
    long = advised(signals, notional, days=days * factor)
    assert long.leverage <= short.leverage + 1e-9


@given(signal_rows(), notionals, tolerances)
def test_the_advice_uses_the_tolerance_up(
    signals: Singles, notional: float, tolerance: float
) -> None:
    advice = advised(signals, notional, tolerance=tolerance)
    allowed = TIERS.max_leverage(notional)
    assert 0.0 < advice.leverage <= allowed
    again = advised(signals, notional, advice.leverage, tolerance=tolerance)
    if advice.leverage > 0.11:
        assert again.probability_now <= tolerance * (1 + 1e-6)
        if advice.leverage < allowed * (1 - 1e-9):
            assert again.probability_now == pytest.approx(tolerance, rel=1e-3)


def test_variance_decays_from_the_forecast_to_the_slow_one() -> None:
    signals = np.zeros((sg.N_SIGNALS, 1), dtype=np.float32)
    signals[sg.CONFIDENCE] = 1.0
    signals[sg.SIGMA] = 1e-3
    signals[sg.VOL_120] = 3e-3
    for days in (0.01, 1.0, 7.0):
        minutes = np.linspace(0.0, days * 1440, 200_001)
        local = 1e-6 + (9e-6 - 1e-6) * np.exp(-minutes / 1440)
        expected = np.sqrt(np.trapezoid(local, minutes))
        assert excursion_deviation(signals, days) == pytest.approx(expected, rel=1e-5)
    signals[sg.VOL_120] = np.nan
    signals[sg.VOL_RULE] = 3e-3 * np.sqrt(5)
    assert excursion_deviation(signals, 7.0) == pytest.approx(expected, rel=1e-5)
    signals[sg.CONFIDENCE] = 0.5
    assert excursion_deviation(signals, 7.0) == pytest.approx(1.5 * expected, rel=1e-5)


def test_the_worst_excursion_by_reflection() -> None:
    expected = 2 * scipy.stats.t.sf(2.0 * np.sqrt(2.0), df=4)
    assert liquidation_probability(0.05, np.expm1(0.10)) == pytest.approx(expected)
    assert liquidation_probability(0.05, 0.0) == 1.0
    assert np.isnan(liquidation_probability(0.0, 0.1))
    assert np.isnan(liquidation_probability(float("nan"), 0.1))


@given(log_floats(1.01, 70.0))
def test_the_distance_is_that_of_a_fresh_short(leverage: float) -> None:
    """The nearer of both sides: a short's maintenance grows as it loses."""
    books = new_account(1000.0 / leverage, -10.0, 100.0, leverage)
    _, high = bounds(books, 100.0, TIERS.rows)
    assert distance_at(leverage, 0.005) == pytest.approx(high / 100.0 - 1.0)


def test_while_cold_there_is_no_advice() -> None:
    signals = np.full((sg.N_SIGNALS, 1), np.nan, dtype=np.float32)
    advice = advised(signals, 1000.0)
    assert np.isnan(advice.leverage)
    assert np.isnan(advice.probability_now)

"""Leverage advice: less in wilder markets, more for the bold, never above the venue's limit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import event, given
from hypothesis import strategies as st
from numpy.typing import NDArray
from situations import TIERS

from litehedge.hedge import excursions as ex
from litehedge.hedge import signals as sg
from litehedge.hedge.leverage import (
    SMALLEST,
    LeverageAdvice,
    advise,
    deviations,
    exceedance,
    excursion_probability,
    fresh_move,
    liquidation_probability,
    volatilities,
)
from litehedge.margin.account import ACCOUNT, new_account
from litehedge.margin.liquidation import bounds
from strategies import log_floats, sides, signal_rows

Singles = NDArray[np.float32]

LEVELS = np.array(ex.LEVELS)
QUANTILES = np.array(ex.QUANTILES)
HORIZONS = np.array(ex.HORIZONS_DAYS)


def advised(
    signals: Singles, side: float, backing: float, leverage: float = 5.0, *, days: float = 7.0,
    tolerance: float = 0.05,
) -> LeverageAdvice:  # fmt: skip
    return advise(signals, TIERS, side, backing, leverage, horizon_days=days, tolerance=tolerance)


backings = log_floats(20.0, 5e6)
tolerances = st.floats(1e-3, 0.5)
horizons = st.floats(1.0, 30.0)
leverages = log_floats(0.5, 75.0)
BOTH = pytest.mark.parametrize("side", [1.0, -1.0])


# --- laws -------------------------------------------------------------------------------------


@given(signal_rows(), sides, backings, tolerances, st.floats(1.0, 3.0), horizons)
def test_more_tolerance_never_advises_less(
    signals: Singles, side: float, backing: float, tolerance: float, factor: float, days: float
) -> None:
    shy = advised(signals, side, backing, tolerance=tolerance, days=days)
    bold = advised(signals, side, backing, tolerance=min(0.5, tolerance * factor), days=days)
    event("more" if bold.leverage > shy.leverage else "the same")
    assert bold.leverage >= shy.leverage * (1 - 1e-9)


@given(
    signal_rows(), sides, backings, horizons, st.floats(1.0, 4.0),
    st.sampled_from(["vol", "sigma", "doubt"]),
)  # fmt: skip
def test_a_wilder_or_less_known_market_bears_no_more(
    signals: Singles, side: float, backing: float, days: float, factor: float, what: str
) -> None:
    calm = advised(signals, side, backing, days=days)
    if what == "doubt":
        signals[sg.CONFIDENCE] /= np.float32(factor)
    else:
        signals[sg.VOL_120 if what == "vol" else sg.SIGMA] *= np.float32(factor)
    wild = advised(signals, side, backing, days=days)
    assert wild.leverage <= calm.leverage * (1 + 1e-9)
    assert wild.probability_now >= calm.probability_now - 1e-12


@given(signal_rows(), sides, backings, horizons, st.floats(1.0, 30.0))
def test_a_longer_horizon_bears_no_more(
    signals: Singles, side: float, backing: float, days: float, factor: float
) -> None:
    short = advised(signals, side, backing, days=days)
    long = advised(signals, side, backing, days=min(30.0, days * factor))
    assert long.leverage <= short.leverage * (1 + 1e-9)
    assert long.probability_now >= short.probability_now - 1e-12


@given(signal_rows(), sides, backings, horizons, leverages, st.floats(1.0, 5.0))
def test_more_leverage_is_never_safer(
    signals: Singles, side: float, backing: float, days: float, leverage: float, factor: float
) -> None:
    low, high = (
        liquidation_probability(signals, TIERS, side, backing, one, days)
        for one in (leverage, leverage * factor)
    )
    assert 0.0 <= low <= high + 1e-12
    assert high <= 1.0


@given(signal_rows(), sides, backings, tolerances, horizons)
def test_the_advice_uses_the_tolerance_up(
    signals: Singles, side: float, backing: float, tolerance: float, days: float
) -> None:
    advice = advised(signals, side, backing, tolerance=tolerance, days=days)
    allowed = TIERS.largest_leverage(backing)
    assert SMALLEST <= advice.leverage <= allowed * (1 + 1e-12)
    again = advised(signals, side, backing, advice.leverage, tolerance=tolerance, days=days)
    if advice.leverage > SMALLEST * 1.001:
        assert again.probability_now <= tolerance * (1 + 1e-6)
        more = advised(signals, side, backing, advice.leverage * 1.001, days=days)
        if advice.leverage < allowed * (1 - 1e-9):
            assert more.probability_now >= tolerance * (1 - 1e-6)


@given(signal_rows(), sides, st.sampled_from([sg.VOL_120, sg.VOL_RULE, sg.SIGMA]), backings)
def test_one_volatility_is_enough_for_advice(
    signals: Singles, side: float, known: int, backing: float
) -> None:
    """A cold forecast falls back on the slow volatility; nothing is said only without a past."""
    kept = float(signals[known, 0])
    signals[:] = np.nan
    signals[sg.CONFIDENCE] = 0.0
    assert np.isnan(advised(signals, side, backing).leverage)
    signals[known] = kept
    assert advised(signals, side, backing).leverage >= SMALLEST


# --- the shipped table ------------------------------------------------------------------------


def test_the_table_is_a_distribution() -> None:
    assert QUANTILES.shape == (2, HORIZONS.size, LEVELS.size)
    assert np.all(np.diff(LEVELS) < 0)
    assert np.all(np.diff(QUANTILES, axis=-1) > 0)
    assert QUANTILES.min() > 0
    assert np.all(np.array(ex.WEIGHTS) >= 0)
    assert ex.DOUBT >= 0


@BOTH
def test_exceedance_goes_through_the_quantiles_and_beyond(side: float) -> None:
    own = QUANTILES[0 if side > 0 else 1]
    for row in own:
        for level, z in zip(LEVELS, row, strict=True):
            assert exceedance(z, LEVELS, row) == pytest.approx(level)
        assert exceedance(0.0, LEVELS, row) == 1.0
        assert 0.0 < exceedance(10.0 * row[-1], LEVELS, row) < LEVELS[-1]


def test_between_horizons_probability_is_interpolated_in_log_time() -> None:
    units = deviations(1e-3, 1e-3, 1.0)
    ends = [
        excursion_probability(0.2, days, units, HORIZONS, LEVELS, QUANTILES[0])
        for days in (7.0, np.sqrt(7.0 * 14.0), 14.0)
    ]
    assert ends[1] == pytest.approx((ends[0] + ends[2]) / 2)


# --- examples ---------------------------------------------------------------------------------


@given(sides, log_floats(1.05, 70.0), log_floats(50.0, 1e6))
def test_the_move_is_that_of_the_margin_account(
    side: float, leverage: float, backing: float
) -> None:
    move = fresh_move(side, leverage, backing, TIERS.rows, np.zeros(1, dtype=ACCOUNT))
    books = new_account(backing, side * leverage * backing / 80.0, 80.0, leverage)
    low, high = bounds(books, 80.0, TIERS.rows)
    if low > high:
        assert move == 0.0
    else:
        assert 80.0 * np.exp(-side * move) == pytest.approx(low if side > 0 else high)


def test_a_long_without_debt_cannot_be_liquidated() -> None:
    books = np.zeros(1, dtype=ACCOUNT)
    assert fresh_move(1.0, 0.9, 100.0, TIERS.rows, books) == np.inf
    assert fresh_move(-1.0, 0.9, 100.0, TIERS.rows, books) < np.inf
    assert fresh_move(1.0, 500.0, 100.0, TIERS.rows, books) == 0.0


def test_without_forecast_the_last_hour_stands_in_without_confidence() -> None:
    signals = np.full((sg.N_SIGNALS, 1), np.nan, dtype=np.float32)
    signals[sg.SIGMA] = 1e-3
    signals[sg.CONFIDENCE] = 0.9
    assert volatilities(signals) == pytest.approx((1e-3, 1e-3, 0.0))
    signals[sg.VOL_RULE] = 3e-3 * np.sqrt(5.0)
    assert volatilities(signals) == pytest.approx((3e-3, 1e-3, 0.0))
    signals[sg.VOL_120] = 2e-3
    assert volatilities(signals) == pytest.approx((2e-3, 1e-3, 0.9))
    signals[sg.SIGMA] = np.nan
    assert volatilities(signals) == pytest.approx((2e-3, 2e-3, 0.9))

"""What a trade is expected to cost, and the signals and terms that say so."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from situations import TIERS, terms

from forecasters import Moody, logistic
from litehedge.config import Settings
from litehedge.errors import DataError
from litehedge.features import vector as fv
from litehedge.features.vector import FeatureStream
from litehedge.hedge import signals as sg
from litehedge.hedge.costs import slippage_rate, trade_cost
from litehedge.hedge.exposure import REDUCE
from litehedge.hedge.policies import static
from litehedge.hedge.terms import MAX_TIERS, padded, terms_of
from litehedge.margin.tiers import TierTable, maintenance, tier_index
from litehedge.squeeze import forecast as fc
from litehedge.squeeze.forecast import Forecast, from_scratch
from litehedge.squeeze.hazard import N_ONSET
from litehedge.units import NS_PER_MINUTE
from strategies import log_floats, sides, signal_rows
from synthetic import T0, everything, market

Singles = NDArray[np.float32]


# --- slippage ---------------------------------------------------------------------------------


@given(log_floats(1e-5, 0.1), log_floats(0.1, 1e6), log_floats(1e-3, 1e5), st.floats(1.0, 100.0))
def test_slippage_rises_with_size_and_volatility_and_falls_with_volume(
    vol: float, volume: float, qty: float, factor: float
) -> None:
    record = terms()[0]
    here = slippage_rate(record, vol, volume, qty)
    assert here >= 1e-4
    assert slippage_rate(record, vol, volume, qty * factor) >= here
    assert slippage_rate(record, vol * factor, volume, qty) >= here
    assert slippage_rate(record, vol, volume * factor, qty) <= here
    assert slippage_rate(record, vol, volume, -qty) == here


def test_slippage_by_hand() -> None:
    record = terms(half_spread_bps=2.0, impact=0.5)[0]
    calm = slippage_rate(record, 1e-3, 400.0, 100.0)
    assert calm == pytest.approx(2e-4 + 0.5 * 1e-3 * 0.5)
    assert slippage_rate(record, 3e-3, np.nan, 100.0) == pytest.approx(6e-4)
    assert slippage_rate(record, np.nan, 0.0, 100.0) == pytest.approx(2e-4)
    assert slippage_rate(record, 9.0, 0.0, 100.0) == pytest.approx(50 * 2e-4)


@given(signal_rows(), sides, log_floats(0.01, 1e4))
def test_a_trade_costs_fee_slippage_and_the_funding_it_would_pay(
    signals: Singles, side: float, qty: float
) -> None:
    record = terms(side=side)[0]
    vol = float(signals[sg.VOL_RULE, 0]) / np.sqrt(5.0)
    expected = 5e-4 + slippage_rate(record, vol, float(signals[sg.VOLUME, 0]), qty)
    expected += max(0.0, -side * float(signals[sg.FUNDING, 0]))
    assert trade_cost(record, signals, 0, qty) == pytest.approx(expected, rel=1e-6)
    signals[sg.FUNDING] = np.nan
    assert trade_cost(record, signals, 0, qty) <= expected * (1 + 1e-6)


# --- signals ----------------------------------------------------------------------------------


def test_signals_are_the_forecast_boiled_down() -> None:
    row = Moody().step(np.empty(0), 0, T0 + 3 * NS_PER_MINUTE, np.empty(0))
    row[fc.STATE_AT] = 1
    features = np.arange(fv.N_FEATURES, dtype=np.float64) / 100.0
    out = np.full((sg.N_SIGNALS, 3), 7.0, dtype=np.float32)
    sg.write_signals(row, features, np.empty((2, N_ONSET)), out, 1)
    assert np.all(out[:, [0, 2]] == 7.0)
    forecast = Forecast.of_row(0, row)
    expected = [1.0, forecast.confidence]
    for side in ("long", "short"):
        expected += [forecast.onset_probability(side, m) for m in (15.0, 60.0, 240.0)]
    expected += (forecast.severity_bps.ravel() * 1e-4).tolist()
    expected += forecast.vol[1:].tolist()
    expected += [np.exp(features[fv.INDEX["log_sigma"]]), features[fv.VOL_RULE]]
    expected += [features[fv.INDEX["move_15m"]], features[fv.INDEX["volume_per_min"]]]
    expected += [features[fv.FUNDING_BPS] * 1e-4, features[fv.DEPTH]]
    expected += [*forecast.phase[1:], forecast.peak_minutes("long"), forecast.peak_minutes("short")]
    expected += [0.0, 0.0]
    np.testing.assert_array_equal(out[:, 1], np.array(expected, dtype=np.float32))


def test_many_frames_at_once_are_the_same_frames() -> None:
    frames = everything(market(1_600, seed=3)).frames()
    features = FeatureStream(NS_PER_MINUTE).batch(frames)
    rows = from_scratch(logistic(), frames.end_ns, features)
    n = len(frames)
    places = np.arange(n) - 100
    places[200:300] = -1
    together = np.full((sg.N_SIGNALS, n), -1.0, dtype=np.float32)
    sg.write_all_signals(rows, features, places, together)
    one = np.empty((sg.N_SIGNALS, 1), dtype=np.float32)
    cif = np.empty((2, N_ONSET))
    for i in range(0, n, 37):
        sg.write_signals(rows[i], features[i], cif, one, 0)
        if places[i] >= 0:
            np.testing.assert_array_equal(together[:, places[i]], one[:, 0])
    assert np.all(together[:, 100:200] == -1.0)
    assert np.all(together[:, n - 100 :] == -1.0)


# --- terms ------------------------------------------------------------------------------------


def test_padded_tiers_are_the_tiers() -> None:
    rows = padded(TIERS)
    assert rows.shape == (MAX_TIERS, 4)
    for notional in (1.0, 10_000.0, 10_001.0, 5e6, 9e7, 1e15):
        assert tier_index(notional, rows) == tier_index(notional, TIERS.rows)
        assert maintenance(notional, rows) == maintenance(notional, TIERS.rows)


def test_too_many_tiers_are_refused() -> None:
    many = TierTable("v", "S", "1", "x", 0.01, 1e9, np.zeros((MAX_TIERS + 1, 4)))
    with pytest.raises(DataError, match="at most 24 are supported"):
        padded(many)


def test_terms_say_what_the_settings_say() -> None:
    settings = Settings()
    [row] = terms_of(settings, static(0.25), TIERS, 12.5)
    assert (row["side"], row["size"], row["location"], row["max_ratio"]) == (1.0, 12.5, REDUCE, 1.0)
    assert row["parameters"][0] == 0.25
    assert row["taker_fee"] == pytest.approx(5e-4)
    assert row["collar"] == pytest.approx(0.015)
    assert (row["lot"], row["tick"], row["min_notional"]) == (0.001, 0.01, 20.0)
    assert row["clearance"] == TIERS.clearance_fee


def test_a_cold_row_knows_neither_phase_nor_peak() -> None:
    row = np.full(fc.N_FORECAST, np.nan)
    row[fc.STATE_AT] = 2.0
    out = np.empty((sg.N_SIGNALS, 1), dtype=np.float32)
    sg.write_signals(row, np.full(fv.N_FEATURES, np.nan), np.empty((2, N_ONSET)), out, 0)
    assert np.isnan(out[sg.PHASE : sg.ORACLE]).all()

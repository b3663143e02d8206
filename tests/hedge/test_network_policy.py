"""The network policy: a band whatever comes in, the same for a long and a short in the mirror."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from situations import TIERS, leverages, locations, sizes

from litehedge.config import Hedge, Position, Settings
from litehedge.errors import ConfigError, UsageError
from litehedge.hedge import network_policy as net
from litehedge.hedge import plugin
from litehedge.hedge import signals as sg
from litehedge.hedge.network_policy import Brain
from litehedge.hedge.policies import NETWORK, decide, policies, policy_named
from litehedge.hedge.terms import Terms, terms_of
from litehedge.settings import load_settings
from strategies import log_floats, sides, signal_rows

Singles = NDArray[np.float32]
PRICE = 80.0


def brain(seed: int, scale: float = 0.3) -> Brain:
    rng = np.random.default_rng(seed)
    return Brain("made up", (scale * rng.standard_normal(net.N_WEIGHTS)).astype(np.float32))


def terms(
    weights: Brain, side: float = 1.0, location: str = "same_account", max_ratio: float = 1.0,
    risk_budget: float = 0.6, leverage: float = 10.0,
) -> Terms:  # fmt: skip
    settings = Settings(
        position=Position(side="long" if side > 0 else "short", leverage=leverage),
        hedge=Hedge(location=location, max_ratio=max_ratio, risk_budget=risk_budget),  # type: ignore[arg-type]
    )
    return terms_of(settings, policy_named("network", settings, weights), TIERS, 100.0)


def band(
    kept: Terms, signals: Singles, leverage: float = 10.0, size: float = 100.0
) -> tuple[float, float, float]:
    return decide(kept[0], 0.0, signals, 0, 0, size, PRICE, size * PRICE / leverage)


def inputs(kept: Terms, signals: Singles, leverage: float, size: float = 100.0) -> Singles:
    out = np.full(net.N_INPUTS, np.nan, dtype=np.float32)
    notional = size * PRICE
    net.write_inputs(kept[0], signals, 0, size, notional / leverage, notional, out)
    return out


def mirrored(signals: Singles) -> Singles:
    """The same market with its sides exchanged."""
    out = signals.copy()
    for first, width in ((sg.ONSET, 3), (sg.SEVERITY, 5), (sg.PEAK, 1)):
        out[first : first + width] = signals[first + width : first + 2 * width]
        out[first + width : first + 2 * width] = signals[first : first + width]
    out[[sg.MOVE_15M, sg.FUNDING]] *= -1.0
    return out


# --- laws -------------------------------------------------------------------------------------


@given(
    signals=signal_rows(), missing=st.lists(st.integers(0, sg.N_SIGNALS - 1), max_size=8),
    wild=st.lists(
        st.tuples(
            st.integers(0, sg.N_SIGNALS - 1),
            st.sampled_from([np.inf, -np.inf, 0.0, -1.0, 1e30, 1e-30]),
        ),
        max_size=6,
    ),
    seed=st.integers(0, 50), scale=st.sampled_from([0.0, 0.3, 10.0, 1e4]), side=sides,
    location=locations, max_ratio=st.sampled_from([1.0, 0.5, 0.01]),
    leverage=st.one_of(leverages, st.just(-3.0), st.just(1e6)), size=sizes,
)  # fmt: skip
def test_whatever_comes_in_a_band_comes_out(
    signals: Singles, missing: list[int], wild: list[tuple[int, float]], seed: int, scale: float,
    side: float, location: str, max_ratio: float, leverage: float, size: float,
) -> None:  # fmt: skip
    signals[missing] = np.nan
    for row, value in wild:
        signals[row] = value
    kept = terms(brain(seed, scale), side, location, max_ratio)
    assert np.isfinite(inputs(kept, signals, leverage, size)).all()
    assert np.abs(inputs(kept, signals, leverage, size)).max() <= net.MOST
    lo, hi, _ = band(kept, signals, leverage, size)
    assert 0.0 <= lo <= hi <= max_ratio
    assert band(kept, signals, leverage, size)[:2] == (lo, hi)


@given(signal_rows(), log_floats(1.5, 60.0), sides, locations)
def test_a_long_and_a_short_in_the_mirror_see_the_same(
    signals: Singles, leverage: float, side: float, location: str
) -> None:
    """Up to the maintenance that grows with price: it moves liquidation by its own rate."""
    signals[sg.PHASE : sg.PHASE + 3] = 0.2
    signals[sg.PEAK : sg.PEAK + 2] = [[5.0], [np.nan]]
    one = inputs(terms(brain(0), side, location), signals, leverage)
    other = inputs(terms(brain(0), -side, location), mirrored(signals), leverage)
    by_distance = [
        net.DISTANCE, net.DISTANCE_30, net.DISTANCE_240, net.SEVERE, net.SEVERE + 1,
        net.SEVERE + 2, net.P_240, net.P_HALF, net.P_30,
    ]  # fmt: skip
    rest = np.setdiff1d(np.arange(net.N_INPUTS), by_distance)
    np.testing.assert_array_equal(one[rest], other[rest])
    np.testing.assert_allclose(one[by_distance[:6]], other[by_distance[:6]], atol=0.11)
    np.testing.assert_allclose(one[by_distance[6:]], other[by_distance[6:]], atol=0.5)


@given(signal_rows(), st.integers(0, 20), sides, st.sampled_from([2.0, 3.0]))
def test_without_a_forecast_the_safe_rule_answers(
    signals: Singles, seed: int, side: float, state: float
) -> None:
    signals[sg.STATE] = state
    kept = terms(brain(seed), side)
    expected = plugin.safe_band(kept[0], signals, 0, 800.0, 8000.0)
    assert band(kept, signals)[:2] == expected


@given(signal_rows(), st.integers(0, 20), sides, leverages)
def test_a_hedge_on_a_second_venue_is_left_to_the_plugin(
    signals: Singles, seed: int, side: float, leverage: float
) -> None:
    kept = terms(brain(seed), side, "second_venue")
    plain = kept.copy()
    plain["kind"] = policies(Settings())["plugin"].kind
    assert band(kept, signals, leverage) == band(plain, signals, leverage)


@given(signal_rows(), st.integers(0, 20))
def test_the_future_is_not_read(signals: Singles, seed: int) -> None:
    kept = terms(brain(seed))
    before = band(kept, signals)
    signals[sg.ORACLE :] = 1.0
    assert band(kept, signals) == before


# --- by hand ----------------------------------------------------------------------------------


@given(signal_rows(), st.integers(0, 20), leverages)
def test_the_network_is_what_numpy_makes_of_the_same_weights(
    signals: Singles, seed: int, leverage: float
) -> None:
    made = brain(seed)
    kept = terms(made)
    x = inputs(kept, signals, leverage)
    parts: dict[str, Any] = {}
    at = 0
    for name, shape in net.SHAPES:
        n = int(np.prod(shape))
        parts[name] = made.weights[at : at + n].reshape(shape).astype(np.float64)
        at += n
    h = np.maximum(x @ parts["w1"] + parts["b1"], 0.0)
    h = np.maximum(h @ parts["w2"] + parts["b2"], 0.0)
    centre, width = h @ parts["w3"] + parts["b3"]
    middle, half = 0.5 + 0.75 * np.tanh(centre), 0.75 / (1.0 + np.exp(-width))
    expected = np.clip([middle - half, middle + half], 0.0, 1.0)
    np.testing.assert_allclose(band(kept, signals, leverage)[:2], expected, atol=1e-5)


def test_what_the_inputs_say_of_an_account() -> None:
    signals = np.zeros((sg.N_SIGNALS, 1), dtype=np.float32)
    signals[[sg.VOL_30, sg.VOL_120, sg.SIGMA]] = 1e-3
    signals[sg.VOL_RULE] = 1e-3 * np.sqrt(5.0)
    signals[sg.SEVERITY : sg.SEVERITY + 10, 0] = np.tile([0.015, 0.03, 0.06, 0.09, 0.12], 2)
    signals[sg.ONSET : sg.ONSET + 6, 0] = 0.5
    signals[sg.CONFIDENCE] = 1.0
    signals[sg.MOVE_15M] = -2e-3 * np.sqrt(15.0)
    signals[sg.PEAK + 1] = np.nan
    kept = terms(brain(0), risk_budget=0.9)
    x = inputs(kept, signals, 10.0)
    distance = (0.1 - 0.005) / (1.0 - 0.005)
    assert x[net.DISTANCE] == pytest.approx(np.log(distance / 0.1), abs=1e-5)
    assert x[net.KEPT] == pytest.approx(0.0, abs=1e-5)
    assert x[net.ONSET] == pytest.approx(2.0)
    assert x[net.MOVE] == pytest.approx(2.0, rel=1e-5)
    assert x[net.VOL_RATIO] == pytest.approx(0.0, abs=1e-5)
    assert x[net.BUDGET] == pytest.approx(1.4)
    assert x[net.UNKNOWN] == 0.0
    assert inputs(kept, signals, 20.0)[net.KEPT] == pytest.approx(-2.0)
    signals[[sg.FUNDING, sg.VOL_120]] = np.nan
    assert inputs(kept, signals, 10.0)[net.UNKNOWN] == pytest.approx(0.25 * 2)


def test_weights_must_be_whole() -> None:
    with pytest.raises(ValueError, match="float32 numbers"):
        Brain("short", np.zeros(3, dtype=np.float32))
    weights = np.zeros(net.N_WEIGHTS, dtype=np.float32)
    weights[7] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        Brain("broken", weights)


def test_the_policy_is_there_when_its_weights_are() -> None:
    assert "network" not in policies(Settings())
    with pytest.raises(UsageError, match="there is no policy 'network'"):
        policy_named("network", Settings())
    assert policies(Settings(), brain(0))["network"].kind == NETWORK


@pytest.mark.parametrize("value", ["0.1", "0.95", "'half'"])
def test_a_risk_budget_out_of_range_is_refused(value: str) -> None:
    with pytest.raises(ConfigError, match=r"hedge.risk_budget = .*: must be "):
        load_settings(f"[hedge]\nrisk_budget = {value}\n")

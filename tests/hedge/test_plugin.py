"""The plug-in's band: which way it must move, and what it does without a forecast."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import event, given
from hypothesis import strategies as st
from numpy.typing import NDArray
from situations import TIERS, leverages, locations, plugins, sizes, terms

from litehedge.hedge import plugin
from litehedge.hedge import signals as sg
from litehedge.hedge.costs import trade_cost
from litehedge.hedge.exposure import REDUCE, SAME_ACCOUNT
from litehedge.hedge.terms import Terms
from litehedge.margin.tiers import maintenance
from strategies import log_floats, sides, signal_rows

Singles = NDArray[np.float32]
Plug = dict[str, float]


def band(kept: Terms, signals: Singles, size: float, leverage: float) -> tuple[float, float]:
    notional = size * 100.0
    return plugin.band(kept[0], signals, 0, size, notional / leverage, notional)


# --- which way it moves -----------------------------------------------------------------------


@given(signal_rows(), sides, locations, plugins, sizes, leverages, st.floats(0.0, 1.0))
def test_nearer_liquidation_never_lowers_the_band(
    signals: Singles, side: float, location: str, plug: Plug, size: float, leverage: float,
    share: float,
) -> None:  # fmt: skip
    """Less equity behind the same position."""
    kept = terms(side=side, location=location, plugin=plug)
    far = band(kept, signals, size, leverage)
    near = band(kept, signals, size, leverage * (1.0 + 3.0 * share))
    event("it moved" if near != far else "it stayed")
    assert near[0] >= far[0]
    assert near[1] >= far[1]


@given(signal_rows(), sides, plugins, sizes, leverages, log_floats(0.1, 50.0), st.floats(1.0, 9.0))
def test_more_cost_never_narrows_the_band(
    signals: Singles, side: float, plug: Plug, size: float, leverage: float, fee: float,
    factor: float,
) -> None:  # fmt: skip
    cheap = band(terms(side=side, plugin=plug, taker_fee_bps=fee), signals, size, leverage)
    dear = terms(side=side, plugin=plug, taker_fee_bps=fee * factor)
    dear_band = band(dear, signals, size, leverage)
    event("it widened" if dear_band != cheap else "it stayed")
    assert dear_band[0] == cheap[0]
    assert dear_band[1] >= cheap[1]


@given(signal_rows(), sides, plugins, sizes, leverages, st.floats(0.0, 1.0))
def test_less_confidence_never_lowers_the_hedge(
    signals: Singles, side: float, plug: Plug, size: float, leverage: float, share: float
) -> None:
    kept = terms(side=side, plugin=plug)
    sure = band(kept, signals, size, leverage)
    signals[sg.CONFIDENCE] *= share
    unsure = band(kept, signals, size, leverage)
    assert unsure[0] >= sure[0]
    assert unsure[1] >= sure[1]


@given(signal_rows(), sides, plugins, sizes, leverages, st.floats(1.0, 5.0))
def test_more_volatility_never_lowers_the_band(
    signals: Singles, side: float, plug: Plug, size: float, leverage: float, factor: float
) -> None:
    signals[sg.VOL_RULE] = 1e-3  # the cost stays the same
    kept = terms(side=side, plugin=plug)
    calm = band(kept, signals, size, leverage)
    signals[[sg.VOL_30, sg.VOL_120]] *= np.float32(factor)
    wild = band(kept, signals, size, leverage)
    assert wild[0] >= calm[0]
    assert wild[1] >= calm[1]


@given(signal_rows(), sides, locations, plugins, sizes, leverages, st.floats(0.0, 1.0))
def test_a_smaller_risk_budget_never_lowers_the_band(
    signals: Singles, side: float, location: str, plug: Plug, size: float, leverage: float,
    share: float,
) -> None:  # fmt: skip
    kept = terms(side=side, location=location, plugin=plug)
    all_of_it = band(kept, signals, size, leverage)
    kept["floor"] = share * size * 100.0 / leverage
    less = band(kept, signals, size, leverage)
    event("it moved" if less != all_of_it else "it stayed")
    assert less[0] >= all_of_it[0]
    assert less[1] >= all_of_it[1]


@given(signal_rows(), sides, plugins, sizes, leverages)
def test_below_the_floor_everything_is_hedged(
    signals: Singles, side: float, plug: Plug, size: float, leverage: float
) -> None:
    kept = terms(side=side, plugin=plug)
    kept["floor"] = 1.01 * size * 100.0 / leverage
    assert band(kept, signals, size, leverage) == (1.0, 1.0)


@given(signal_rows(), sides, plugins, sizes, leverages)
def test_a_squeeze_that_has_peaked_is_let_go_no_later(
    signals: Singles, side: float, plug: Plug, size: float, leverage: float
) -> None:
    kept = terms(side=side, plugin=plug)
    signals[sg.PHASE + 2] = 0.0
    before = band(kept, signals, size, leverage)
    signals[sg.PHASE + 2] = 1.0
    after = band(kept, signals, size, leverage)
    event("it moved" if after != before else "it stayed")
    assert after[0] == before[0]
    assert after[1] <= before[1]


@given(signal_rows(), sides, plugins, sizes, leverages, st.floats(0.0, 1.0))
def test_a_likelier_squeeze_of_the_other_side_lets_go_no_later(
    signals: Singles, side: float, plug: Plug, size: float, leverage: float, onset: float
) -> None:
    kept = terms(side=side, plugin=plug)
    other = sg.ONSET + (4 if side > 0.0 else 1)
    usual = band(kept, signals, size, leverage)
    signals[other] = max(signals[other, 0], onset)
    likelier = band(kept, signals, size, leverage)
    assert likelier[0] == usual[0]
    assert likelier[1] <= usual[1]


@given(signal_rows(), sides, plugins, sizes, leverages, st.floats(0.0, 0.9))
def test_the_edges_are_the_first_rungs_that_are_safe_enough(
    signals: Singles, side: float, plug: Plug, size: float, leverage: float, floor: float
) -> None:
    kept = terms(side=side, plugin=plug)
    kept["floor"] = floor * size * 100.0 / leverage
    lo, hi = band(kept, signals, size, leverage)
    notional = size * 100.0
    rate = maintenance(notional, TIERS.rows) / notional
    cost = trade_cost(kept[0], signals, 0, size)
    enter = plug["enter_probability"] * max(0.05, float(signals[sg.CONFIDENCE, 0]))
    release = plugin.release_below(kept[0]["parameters"], signals, 0, side, cost)
    rungs = [min(1.0, k * plug["step"]) for k in range(round(1 / plug["step"]) + 1)]

    def p(h: float, horizon: str) -> float:
        return plugin.ruin_probability(
            signals, 0, plug[horizon], side, h, 1.0 / leverage, floor / leverage, rate,
            SAME_ACCOUNT,
        )  # fmt: skip

    def first_from(start: float, horizon: str, wanted: float) -> float:
        safe = [h for h in rungs if h >= start - 1e-9 and p(h, horizon) <= wanted]
        return min([*safe, 1.0])

    needed = first_from(0.0, "horizon_min", enter)
    assert lo == pytest.approx(needed)
    later = first_from(needed, "release_horizon_min", release)
    assert hi == pytest.approx(max(later, min(1.0, needed + plug["width"])))


@given(signal_rows(), plugins, sides, log_floats(1e-5, 0.1))
def test_release_is_never_above_enter(
    signals: Singles, plug: Plug, side: float, cost: float
) -> None:
    parameters = terms(side=side, plugin=plug)[0]["parameters"]
    enter = plugin.enter_probability(parameters, signals, 0)
    assert 0.0 < plugin.release_below(parameters, signals, 0, side, cost) <= enter * (1 + 1e-12)


def test_at_the_reference_cost_release_is_what_was_set() -> None:
    assert plugin.release_probability(0.01, 0.0005, 7e-4) == pytest.approx(0.0005)
    assert plugin.release_probability(0.01, 0.0005, 0.0) == 0.01
    assert plugin.release_probability(0.01, 0.0005, -1.0) == 0.01


# --- without a forecast -----------------------------------------------------------------------


@pytest.mark.parametrize("how", ["cold", "expired", "no volatility"])
@given(signals=signal_rows(), leverage=leverages, side=sides, vol=log_floats(1e-4, 0.02))
def test_without_a_forecast_the_safe_rule_stands_in(
    how: str, signals: Singles, leverage: float, side: float, vol: float
) -> None:
    signals[sg.VOL_RULE] = vol
    if how == "no volatility":
        signals[sg.VOL_30] = np.nan
    else:
        signals[sg.STATE] = 2 if how == "cold" else 3
    rule = terms("margin-vol-safe", side)
    got = band(terms(side=side), signals, 10.0, leverage)
    expected = plugin.margin_aware_volatility(
        0.003, 0.0003, 0.13, rule[0], signals, 0, 1000.0 / leverage, 1000.0
    )
    assert got == expected


@pytest.mark.parametrize(("leverage", "expected"), [(25.0, (1.0, 1.0)), (15.0, (0.0, 1.0))])
def test_blind_it_hedges_only_near_liquidation(
    leverage: float, expected: tuple[float, float]
) -> None:
    signals = np.full((sg.N_SIGNALS, 1), np.nan, dtype=np.float32)
    signals[sg.STATE] = 2
    assert band(terms(), signals, 10.0, leverage) == expected


def cold(vol: float) -> Singles:
    """No forecast, and a volatility that was measured."""
    signals = np.full((sg.N_SIGNALS, 1), np.nan, dtype=np.float32)
    signals[sg.STATE] = 2
    signals[sg.VOL_RULE] = vol
    return signals


vols = st.one_of(st.just(np.nan), log_floats(1e-6, 0.05))
shares = st.floats(0.0, 1.0)


def floored(
    vol: float, side: float, location: str, leverage: float, floor: float
) -> tuple[float, float]:  # fmt: skip
    """The cold band of 10 LTC; the floor is a share of what backs them."""
    kept = terms(side=side, location=location)
    kept["floor"] = floor * 1000.0 / leverage
    return band(kept, cold(vol), 10.0, leverage)


@given(vols, sides, locations, leverages, shares, shares)
def test_a_higher_floor_under_the_wallet_never_lowers_the_cold_band(
    vol: float, side: float, location: str, leverage: float, floor: float, more: float
) -> None:
    low = floored(vol, side, location, leverage, floor * more)
    high = floored(vol, side, location, leverage, floor)
    event("it moved" if low != high else "it stayed")
    assert high[0] >= low[0]
    assert high[1] >= low[1]


@given(vols, sides, locations, leverages, st.floats(1.0, 3.0))
def test_below_the_floor_everything_is_hedged_without_a_forecast_too(
    vol: float, side: float, location: str, leverage: float, floor: float
) -> None:
    assert floored(vol, side, location, leverage, floor) == (1.0, 1.0)


@given(log_floats(1e-6, 0.05), st.floats(1.0, 10.0), sides, locations, leverages, shares)
def test_more_measured_volatility_never_lowers_the_cold_band(
    vol: float, factor: float, side: float, location: str, leverage: float, floor: float
) -> None:
    calm = floored(vol, side, location, leverage, floor)
    wild = floored(vol * factor, side, location, leverage, floor)
    assert wild[0] >= calm[0]
    assert wild[1] >= calm[1]


def test_what_was_hedged_at_the_floor_is_let_go_when_it_is_far_calmer() -> None:
    """10x, 45 % of the wallet left to lose: the floor is 5.5 % away, liquidation 9 %."""
    at = {vol: floored(vol, 1.0, "reduce", 10.0, 0.45) for vol in (4e-4, 2e-3, 0.012)}
    assert at[4e-4] == (0.0, 1.0)  # the rule itself lets go below 3e-4
    assert at[2e-3] == (0.0, 1.0)  # neither taken on nor let go
    assert at[0.012] == (1.0, 1.0)
    assert floored(1e-4, 1.0, "reduce", 10.0, 0.45) == (0.0, 0.0)
    assert floored(1e-4, 1.0, "reduce", 10.0, 0.999) == (1.0, 1.0)  # 0.01 % away: not even then


def test_a_degraded_forecast_is_still_a_forecast() -> None:
    signals = np.zeros((sg.N_SIGNALS, 1), dtype=np.float32)
    signals[[sg.VOL_30, sg.VOL_120]] = 5e-4
    signals[sg.CONFIDENCE] = 0.5
    signals[sg.SEVERITY : sg.SEVERITY + 10, 0] = np.tile([0.015, 0.03, 0.07, 0.09, 0.15], 2)
    signals[sg.VOL_RULE] = 0.02  # the safe rule would hedge fully
    signals[sg.STATE] = 1
    assert band(terms(plugin={"width": 0.0}), signals, 10.0, 3.0) == (0.0, 0.0)
    assert REDUCE == 2

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


@given(signal_rows(), sides, plugins, sizes, leverages)
def test_the_edges_are_the_first_rungs_that_are_safe_enough(
    signals: Singles, side: float, plug: Plug, size: float, leverage: float
) -> None:
    kept = terms(side=side, plugin=plug)
    lo, hi = band(kept, signals, size, leverage)
    notional = size * 100.0
    rate = maintenance(notional, TIERS.rows) / notional
    trust = max(0.05, float(signals[sg.CONFIDENCE, 0]))
    cost = trade_cost(kept[0], signals, 0, size)
    enter = plug["enter_probability"]
    release = enter * (plug["release_probability"] / enter) ** (cost / 7e-4) ** (1 / 3)
    rungs = [min(1.0, k * plug["step"]) for k in range(round(1 / plug["step"]) + 1)]

    def p(h: float) -> float:
        return plugin.liquidation_probability(
            signals, 0, plug["horizon_min"], side, h, 1.0 / leverage, rate, SAME_ACCOUNT
        )

    for edge, wanted in ((lo, enter * trust), (hi, release * trust)):
        assert min(abs(edge - rung) for rung in rungs) < 1e-9
        if edge < 1.0:
            assert p(edge) <= wanted * (1 + 1e-9)
        for rung in rungs:
            if rung < edge - 1e-9 and (edge == lo or rung >= lo - 1e-9):
                assert p(rung) > wanted * (1 - 1e-9)


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


def test_a_degraded_forecast_is_still_a_forecast() -> None:
    signals = np.zeros((sg.N_SIGNALS, 1), dtype=np.float32)
    signals[[sg.VOL_30, sg.VOL_120]] = 5e-4
    signals[sg.CONFIDENCE] = 0.5
    signals[sg.SEVERITY : sg.SEVERITY + 10, 0] = np.tile([0.015, 0.03, 0.07, 0.09, 0.15], 2)
    signals[sg.VOL_RULE] = 0.02  # the safe rule would hedge fully
    signals[sg.STATE] = 1
    assert band(terms(), signals, 10.0, 3.0) == (0.0, 0.0)
    assert REDUCE == 2

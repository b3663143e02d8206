"""Every policy behind the one switch: what a band always is, and each baseline by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from situations import NAMES, leverages, locations, plugins, sizes, terms

from litehedge.config import Settings
from litehedge.errors import UsageError
from litehedge.hedge import signals as sg
from litehedge.hedge.policies import N_PARAMETERS, decide, policies, policy_named, static
from litehedge.units import NS_PER_MINUTE
from strategies import sides, signal_rows

Singles = NDArray[np.float32]
PRICE = 80.0


def band(
    kept: NDArray[np.void], signals: Singles, leverage: float = 10.0, size: float = 100.0,
    now_ns: int = 0, memory: float = 0.0,
) -> tuple[float, float, float]:  # fmt: skip
    return decide(kept[0], memory, signals, 0, now_ns, size, PRICE, size * PRICE / leverage)


def calm() -> Singles:
    """A warm frame in which nothing happens."""
    row = np.zeros((sg.N_SIGNALS, 1), dtype=np.float32)
    row[sg.CONFIDENCE] = 1.0
    row[[sg.VOL_30, sg.VOL_120, sg.SIGMA]] = 5e-4
    row[sg.VOL_RULE] = 1e-3
    row[sg.SEVERITY : sg.SEVERITY + 10, 0] = np.tile([0.015, 0.03, 0.07, 0.09, 0.15], 2)
    row[sg.VOLUME] = 1e4
    return row


# --- what a band always is --------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
@given(
    signals=signal_rows(), missing=st.lists(st.integers(0, sg.N_SIGNALS - 1), max_size=8),
    side=sides, location=locations, max_ratio=st.sampled_from([1.0, 0.5, 0.01]),
    leverage=st.one_of(leverages, st.just(-3.0), st.just(1e6)), size=sizes, plugin=plugins,
)  # fmt: skip
def test_a_band_lies_between_nothing_and_the_largest_ratio(
    name: str, signals: Singles, missing: list[int], side: float, location: str,
    max_ratio: float, leverage: float, size: float, plugin: dict[str, float],
) -> None:  # fmt: skip
    """Whatever is missing, however deep under water the account is."""
    signals[missing] = np.nan
    kept = terms(name, side, location, max_ratio, plugin)
    lo, hi, memory = band(kept, signals, leverage, size)
    assert 0.0 <= lo <= hi <= max_ratio
    assert memory >= 0.0
    assert band(kept, signals, leverage, size) == (lo, hi, memory)


@pytest.mark.parametrize("name", [n for n in NAMES if n != "oracle"])
@given(signals=signal_rows(), side=sides)
def test_only_the_oracle_reads_the_future(name: str, signals: Singles, side: float) -> None:
    kept = terms(name, side)
    before = band(kept, signals)
    signals[sg.ORACLE :] = 1.0
    assert band(kept, signals) == before


# --- by hand ----------------------------------------------------------------------------------


def test_static_hedges_hold_their_ratio() -> None:
    for ratio in (0.0, 0.25, 0.5, 0.75, 1.0):
        policy = static(ratio)
        assert policy.free_ratio == ratio
        kept = terms(policy.name)
        assert band(kept, calm())[:2] == (ratio, ratio)


def test_the_volatility_target() -> None:
    """Daily volatility of 17 % at 2x: exposure of 0.25 / 0.34 of the position remains."""
    signals = calm()
    signals[sg.VOL_RULE] = 0.01
    daily = 0.01 * np.sqrt(288)
    lo, hi, _ = band(terms("vol-target"), signals, leverage=2.0)
    centre = 1.0 - 0.25 * 0.5 / daily
    assert (lo, hi) == pytest.approx((max(0.0, centre - 0.2), min(1.0, centre + 0.2)))
    signals[sg.VOL_RULE] = np.nan
    assert band(terms("vol-target"), signals)[:2] == (0.0, 1.0)


@pytest.mark.parametrize("side", [1.0, -1.0])
def test_three_per_cent_in_fifteen_minutes(side: float) -> None:
    kept, signals = terms("move-3pct", side), calm()
    signals[sg.MOVE_15M] = side * 0.05
    assert band(kept, signals) == (0.0, 0.0, 0.0)
    signals[sg.MOVE_15M] = -side * 0.031
    lo, hi, until = band(kept, signals, now_ns=NS_PER_MINUTE)
    assert (lo, hi, until) == (1.0, 1.0, 31 * NS_PER_MINUTE)
    signals[sg.MOVE_15M] = 0.0
    held = [
        band(kept, signals, now_ns=minute * NS_PER_MINUTE, memory=until)[0]
        for minute in (2, 30, 31)
    ]
    assert held == [1.0, 1.0, 0.0]


@pytest.mark.parametrize(("side", "row"), [(1.0, sg.ONSET + 1), (-1.0, sg.ONSET + 4)])
def test_in_proportion_to_the_hazard_of_the_adverse_side(side: float, row: int) -> None:
    signals = calm()
    signals[row] = 0.15
    assert band(terms("hazard", side), signals)[:2] == pytest.approx((0.5, 0.7), rel=1e-6)
    assert band(terms("hazard", -side), signals)[:2] == pytest.approx((0.0, 0.1), rel=1e-6)


@pytest.mark.parametrize(
    ("vol", "leverage", "expected"),
    [
        (0.0050, 15.0, (1.0, 1.0)),  # volatile and near
        (0.0050, 5.0, (0.0, 1.0)),  # volatile and far
        (0.0030, 15.0, (0.0, 1.0)),  # in between: leave it
        (0.0007, 15.0, (0.0, 0.0)),  # calm
    ],
)
def test_the_margin_aware_rule(vol: float, leverage: float, expected: tuple[float, float]) -> None:
    signals = calm()
    signals[sg.VOL_RULE] = vol
    assert band(terms("margin-vol"), signals, leverage)[:2] == expected


def test_the_oracle_hedges_inside_adverse_squeezes() -> None:
    signals = calm()
    signals[sg.ORACLE] = 1.0
    assert band(terms("oracle", 1.0), signals)[:2] == (1.0, 1.0)
    assert band(terms("oracle", -1.0), signals)[:2] == (0.0, 0.0)


# --- names ------------------------------------------------------------------------------------


def test_names() -> None:
    known = policies(Settings())
    assert len(known) == 12
    for name, policy in known.items():
        assert policy.name == name
        assert policy.parameters.shape == (N_PARAMETERS,)
        assert policy.about
        assert policy_named(name, Settings()).kind == policy.kind


def test_a_policy_that_does_not_exist() -> None:
    with pytest.raises(UsageError) as refused:
        policy_named("magic", Settings())
    assert str(refused.value).startswith("there is no policy 'magic': choose one of unhedged, ")
    assert "plugin" in refused.value.remedy

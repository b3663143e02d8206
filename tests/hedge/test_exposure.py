"""How far and how likely liquidation is: against the account, SciPy, and common sense."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.typing import NDArray
from situations import TIERS

from litehedge.config import Hedge, Position, Settings
from litehedge.decision import backing_line
from litehedge.hedge import signals as sg
from litehedge.hedge.exposure import (
    REDUCE,
    SAME_ACCOUNT,
    adverse_probability,
    counts_in_time,
    hedged_distance,
    student4_tail,
)
from litehedge.hedge.policies import policy_named
from litehedge.hedge.terms import terms_of
from litehedge.margin.account import HEDGE, POSITION, apply_fill, new_account
from litehedge.margin.liquidation import bounds, distance, scope_bounds
from litehedge.margin.tiers import maintenance
from strategies import log_floats, sides, signal_rows

Singles = NDArray[np.float32]
ROWS = TIERS.rows


# --- distance ---------------------------------------------------------------------------------


@given(
    log_floats(50.0, 4_000.0), log_floats(1.05, 60.0), sides, st.floats(0.0, 1.0),
    st.sampled_from([SAME_ACCOUNT, REDUCE]), log_floats(20.0, 400.0),
)  # fmt: skip
def test_the_formula_is_the_account_while_one_tier_holds(
    notional: float, leverage: float, side: float, ratio: float, location: int, price: float
) -> None:
    """Up to 10,000 USDT, within 1 % (in fact exactly)."""
    qty = side * notional / price
    equity = notional / leverage
    rate = maintenance(notional, ROWS) / notional
    got = hedged_distance(side, ratio, equity / notional, rate, location)
    held = qty * (1.0 - ratio) if location == REDUCE else qty
    books = new_account(equity, held, price, leverage)
    if location == SAME_ACCOUNT and ratio > 0.0:
        apply_fill(books, HEDGE, -ratio * qty, price, 0.0, 0.0)
    low, high = bounds(books, price, ROWS)
    adverse = 1.0 - low / price if side > 0.0 else high / price - 1.0
    if low == np.inf:
        assert got == pytest.approx(0.0, abs=1e-9)
        return
    assume(notional * (1.0 + (adverse if side < 0.0 else 0.0)) <= 10_000.0)
    assert got == pytest.approx(min(1.0, adverse), rel=1e-2)
    assert got == pytest.approx(min(1.0, adverse), rel=1e-6, abs=1e-9)


@given(
    log_floats(50.0, 4_000.0), log_floats(1.05, 60.0), sides, st.floats(0.0, 1.0),
    st.sampled_from([("cross", "second_venue"), ("isolated", "second_venue"),
                     ("isolated", "reduce")]), log_floats(60.0, 140.0),
)  # fmt: skip
def test_a_hedge_apart_does_not_move_the_liquidation(
    notional: float, leverage: float, side: float, ratio: float, place: tuple[str, str],
    price: float,
) -> None:  # fmt: skip
    """The equity that backs the position, as the account has it, gives the account's bound."""
    mode, location = place
    settings = Settings(
        position=Position(margin_mode=mode, side="long" if side > 0 else "short"),  # type: ignore[arg-type]
        hedge=Hedge(location=location),  # type: ignore[arg-type]
    )
    qty = side * notional / 100.0
    terms = terms_of(settings, policy_named("plugin", settings), TIERS, abs(qty))
    second = None if location == "reduce" else 1e6
    books = new_account(
        notional / leverage, qty, 100.0, leverage, isolated=mode == "isolated",
        second_wallet_usdt=second,
    )  # fmt: skip
    leg = POSITION if location == "reduce" else HEDGE
    apply_fill(books, leg, -ratio * qty, price, 0.0, 0.0)
    assume(abs(books["qty"][0, POSITION]) * price > 1.0)
    low, high = scope_bounds(books, 2 if mode == "isolated" else 0, price, ROWS)
    assume(low != np.inf)
    adverse = 1.0 - low / price if side > 0.0 else high / price - 1.0
    assume(notional * price / 100.0 * (1.0 + (adverse if side < 0.0 else 0.0)) <= 10_000.0)
    constant, slope = backing_line(terms, books)
    share = (constant + slope * price) / (abs(qty) * price)
    got = hedged_distance(side, ratio, share, 0.005, int(terms["coupling"][0]))
    assert got == pytest.approx(min(1.0, adverse), rel=1e-6, abs=1e-9)


@given(
    log_floats(20_000.0, 2e6), log_floats(2.0, 15.0), sides,
    st.sampled_from([0.0, 0.25, 0.5, 0.9]),
)  # fmt: skip
def test_across_tiers_the_formula_stays_near(
    notional: float, leverage: float, side: float, ratio: float
) -> None:
    """A single rate stands for the tiers that a move passes: off by at most a tenth or so."""
    qty = side * notional / 100.0
    rate = maintenance(notional, ROWS) / notional
    books = new_account(notional / leverage, qty, 100.0, leverage)
    apply_fill(books, HEDGE, -ratio * qty, 100.0, 0.0, 0.0)
    assume(distance(books, 100.0, ROWS) > 0.0)
    low, high = bounds(books, 100.0, ROWS)
    adverse = min(1.0, 1.0 - low / 100.0 if side > 0.0 else high / 100.0 - 1.0)
    got = hedged_distance(side, ratio, 1.0 / leverage, rate, SAME_ACCOUNT)
    assert got == pytest.approx(adverse, rel=0.15, abs=0.02)


@given(st.floats(-0.5, 2.0), st.floats(0.0, 0.2), sides, st.floats(0.0, 1.0), st.integers(0, 2))
def test_a_distance_is_a_share_of_the_price(
    equity: float, rate: float, side: float, ratio: float, location: int
) -> None:
    got = hedged_distance(side, ratio, equity, rate, location)
    assert 0.0 <= got <= 1.0
    assert hedged_distance(side, ratio, equity + 0.1, rate, location) >= got


# --- the tail ---------------------------------------------------------------------------------


@given(st.floats(-60.0, 60.0))
def test_the_tail_is_that_of_students_t(x: float) -> None:
    """In units of its own standard deviation, which is the root of two."""
    expected = scipy.stats.t.sf(x * math.sqrt(2.0), df=4)
    assert student4_tail(x) == pytest.approx(expected, rel=1e-9, abs=1e-14)


def test_the_tail_by_hand() -> None:
    assert student4_tail(0.0) == 0.5
    samples = scipy.stats.t(df=4).ppf(np.linspace(0.001, 0.999, 9)) / math.sqrt(2.0)
    for x, p in zip(samples, np.linspace(0.999, 0.001, 9), strict=True):
        assert student4_tail(x) == pytest.approx(p)


# --- the probability --------------------------------------------------------------------------


@given(signal_rows(), sides, st.floats(0.0, 1.0), st.floats(0.0, 0.5), st.floats(1.0, 240.0))
def test_a_probability_that_falls_with_distance(
    signals: Singles, side: float, move: float, more: float, minutes: float
) -> None:
    near = adverse_probability(signals, 0, side, move, minutes)
    far = adverse_probability(signals, 0, side, move + more, minutes)
    assert 0.0 <= far <= near + 1e-12
    assert near <= 1.0


@given(signal_rows(), sides, st.floats(0.001, 0.3), st.floats(1.0, 240.0), st.floats(0.0, 1.0))
def test_a_probability_that_rises_with_the_horizon_in_steady_volatility(
    signals: Singles, side: float, move: float, minutes: float, share: float
) -> None:
    signals[sg.VOL_120] = signals[sg.VOL_30]
    sooner = adverse_probability(signals, 0, side, move, max(1e-6, minutes * share))
    later = adverse_probability(signals, 0, side, move, minutes)
    assert later >= sooner - 1e-12


@given(signal_rows(), st.floats(0.001, 0.3), st.floats(1.0, 240.0))
def test_only_the_adverse_side_counts(signals: Singles, move: float, minutes: float) -> None:
    before = adverse_probability(signals, 0, 1.0, move, minutes)
    signals[sg.ONSET + 3 : sg.ONSET + 6] = 0.9
    signals[sg.SEVERITY + 5 : sg.SEVERITY + 10] = 5.0
    assert adverse_probability(signals, 0, 1.0, move, minutes) == before


@pytest.mark.parametrize("edge", [15.0, 60.0])
@given(signals=signal_rows(), side=sides, move=st.floats(0.005, 0.2))
def test_the_horizon_is_continuous_at_its_knots(
    edge: float, signals: Singles, side: float, move: float
) -> None:
    below = adverse_probability(signals, 0, side, move, edge * (1 - 1e-9))
    above = adverse_probability(signals, 0, side, move, edge * (1 + 1e-9))
    assert below == pytest.approx(above, abs=1e-6)


# --- money that has yet to come ---------------------------------------------------------------


@given(
    signal_rows(), sides, st.floats(0.0, 0.5), st.floats(0.0, 0.5), st.floats(0.0, 0.1),
    st.floats(0.1, 400.0), st.floats(0.0, 400.0),
)  # fmt: skip
def test_money_counts_less_the_nearer_the_end_and_the_longer_its_way(
    signals: Singles, side: float, away: float, more: float, trigger: float, delay: float,
    longer: float,
) -> None:  # fmt: skip
    signals[sg.VOL_120] = signals[sg.VOL_30]
    counted = counts_in_time(signals, 0, side, away, trigger, delay)
    assert 0.0 <= counted <= 1.0
    assert counts_in_time(signals, 0, side, away, trigger, delay + longer) <= counted + 1e-9
    on_its_way = counts_in_time(signals, 0, side, away, np.inf, delay)
    assert counts_in_time(signals, 0, side, away + more, np.inf, delay) >= on_its_way - 1e-9


@given(signal_rows(), sides, st.floats(0.0, 0.5), st.floats(0.0, 0.1))
def test_money_that_needs_no_time_counts_and_that_which_needs_too_long_does_not(
    signals: Singles, side: float, away: float, trigger: float
) -> None:
    assert counts_in_time(signals, 0, side, away, trigger, 0.0) == 1.0
    assert counts_in_time(signals, 0, side, away, trigger, 241.0) == 0.0
    signals[sg.STATE] = 2.0  # cold
    assert counts_in_time(signals, 0, side, away, trigger, 5.0) == 0.0


def test_nowhere_to_go_is_certain() -> None:
    signals = np.zeros((sg.N_SIGNALS, 1), dtype=np.float32)
    assert adverse_probability(signals, 0, 1.0, 0.0, 60.0) == 1.0


def test_a_cold_forecast_knows_nothing() -> None:
    signals = np.full((sg.N_SIGNALS, 1), np.nan, dtype=np.float32)
    assert np.isnan(adverse_probability(signals, 0, 1.0, 0.05, 60.0))

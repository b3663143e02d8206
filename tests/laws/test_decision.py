"""The decision kernel: guards can only shrink what the band asks for, in its direction."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from litehedge.config import Costs, Hedge, Limits, Position, Settings
from litehedge.decision import (
    backing,
    backing_line,
    collar_price,
    decision,
    is_cut,
    is_outside,
    order_quantity,
    sizes,
    slack_of,
)
from litehedge.hedge import signals as sg
from litehedge.hedge.policies import policy_named
from litehedge.hedge.terms import Terms, terms_of
from litehedge.margin.account import HEDGE, POSITION, Books, apply_fill, new_account
from litehedge.margin.liquidation import margin_ratio
from litehedge.risk.limits import N_GUARDS, limits_array, new_budget
from litehedge.risk.state import TradingState
from strategies import log_floats, ratios, sides, signal_rows
from synthetic import packaged_tiers

Singles = NDArray[np.float32]
NAMES = ("plugin", "margin-vol", "vol-target", "hazard", "move-3pct", "oracle", "static-50")
LOT = 0.001


def terms(size: float = 100.0, policy: str = "plugin", side: float = 1.0, **hedge: Any) -> Terms:
    settings_ = Settings(
        position=Position(side="long" if side > 0 else "short"), hedge=Hedge(**hedge), costs=Costs()
    )
    return terms_of(settings_, policy_named(policy, settings_), packaged_tiers(), size)


def held(kept: Terms, ratio: float, leverage: float) -> Books:
    """An account that holds a position at 100 USDT, hedged by `ratio` as its terms say."""
    size, side = float(kept["size"][0]), float(kept["side"][0])
    reduces = kept["location"][0] == 2
    second = size * 100.0 / leverage / 2 if kept["location"][0] == 1 else None
    left = size * (1.0 - ratio) if reduces else size
    books = new_account(
        size * 100.0 / leverage, side * left, 100.0, leverage, second_wallet_usdt=second
    )
    if not reduces and ratio > 0.0:
        apply_fill(books, HEDGE, -side * ratio * size, 100.0, 0.0, 0.0)
    return books


limits = st.builds(
    Limits,
    max_ratio_per_minute=st.sampled_from([1.0, 0.2]),
    max_hedge_notional_usdt=log_floats(100.0, 1e6),
    min_margin_buffer=st.sampled_from([0.0, 0.1, 0.9]),
    equity_stop_share=st.sampled_from([0.0, 0.05, 0.9]),
)


@given(
    signals=signal_rows(), size=log_floats(0.5, 1e4), ratio=ratios, side=sides,
    policy=st.sampled_from(NAMES), leverage=log_floats(1.0, 60.0), limits_=limits,
    location=st.sampled_from(["same_account", "second_venue", "reduce"]),
    max_ratio=st.sampled_from([1.0, 0.5]), price=st.floats(70.0, 130.0),
    override=st.one_of(st.just(np.nan), st.floats(-1.0, 2.0)),
    state=st.sampled_from(list(TradingState)),
)  # fmt: skip
@settings(max_examples=200)
def test_what_is_allowed_is_part_of_what_was_wanted(
    signals: Singles, size: float, ratio: float, side: float, policy: str, leverage: float,
    limits_: Limits, location: str, max_ratio: float, price: float, override: float,
    state: TradingState,
) -> None:  # fmt: skip
    kept = terms(size, policy, side, location=location, max_ratio=max_ratio)
    books = held(kept, ratio, leverage)
    budgets = new_budget(size * 100.0 / leverage)
    budgets["state"] = state
    allowed = np.empty(N_GUARDS)
    lo, hi, wanted, change = decision(
        kept, np.zeros(1), signals, 0, 10**18, price, np.nan, 0.0, override, books, budgets,
        limits_array(limits_), allowed,
    )  # fmt: skip
    position, hedge = sizes(kept, books)
    now = hedge / position
    assert 0.0 <= lo <= hi <= max_ratio
    if not np.isnan(override):
        assert lo == hi == min(max(override, 0.0), max_ratio)
    assert change * wanted >= 0.0
    assert abs(change) <= abs(wanted) * (1 + 1e-12) + 1e-9 * LOT
    assert (wanted != 0.0) == is_outside(now, lo, hi, slack_of(position, LOT))
    if wanted == 0.0:
        assert np.all(np.isinf(allowed))
        assert lo - LOT / position < now < hi + LOT / position
    else:
        event("cut" if is_cut(wanted, change, LOT) else "let through")
        edge = lo if now < lo else hi
        assert now + wanted / position == pytest.approx(edge, abs=1e-9)
        assert is_cut(wanted, change, LOT) == bool(abs(wanted) - abs(change) > LOT * (1 - 2e-6))
    if state is TradingState.HALTED:
        assert change == 0.0
    if budgets["state"][0] >= TradingState.REDUCING:
        assert change >= 0.0
    assert budgets["state"][0] >= state


def test_near_ruin_only_protection_is_left() -> None:
    kept = terms()
    signals = np.zeros((sg.N_SIGNALS, 1), dtype=np.float32)
    kept_limits = limits_array(Limits(equity_stop_share=0.5))
    for override, expected in ((1.0, 1), (0.0, 0)):
        books = held(kept, 0.5, 10.0)
        budgets = new_budget(10_000.0)  # of which a tenth is left
        _, _, wanted, change = decision(
            kept, np.zeros(1), signals, 0, 10**18, 100.0, np.nan, 0.0, override, books, budgets,
            kept_limits, np.empty(N_GUARDS),
        )  # fmt: skip
        assert budgets["state"][0] == TradingState.REDUCING
        assert wanted != 0.0
        assert bool(change) == bool(expected)


@pytest.mark.parametrize(
    ("ratio", "outside"),
    [(0.5, False), (0.50000999, False), (0.50001, True), (0.3, True), (0.39999001, False)],
)
def test_a_band_is_left_by_whole_lots(ratio: float, outside: bool) -> None:
    """A lot of 0.001 LTC is 0.001 % of a position of 100 LTC."""
    assert is_outside(ratio, 0.4, 0.5, slack_of(100.0, LOT)) == outside


# --- money between venues, and a position that grows again -------------------------------------


@given(
    signal_rows(), log_floats(0.5, 1e4), ratios, sides, log_floats(1.0, 60.0),
    st.floats(70.0, 130.0),
)  # fmt: skip
def test_what_another_venue_can_send_counts_at_most_whole(
    signals: Singles, size: float, ratio: float, side: float, leverage: float, price: float
) -> None:
    kept = terms(size, "plugin", side, location="second_venue")
    books = held(kept, ratio, leverage)
    constant, slope = backing_line(kept, books)
    own = constant + slope * price
    aided = backing(kept, books, signals, 0, price)
    assert own <= aided <= own + float(books["wallet"][0, 1]) + 1e-9
    kept["moves_money"] = 0
    assert backing(kept, books, signals, 0, price) == own
    kept["moves_money"] = 1
    kept["transfer_delay_ns"] = 10**18  # never in time
    assert backing(kept, books, signals, 0, price) == own


def isolated_and_reduced(ratio: float, price: float) -> tuple[Terms, Books]:
    settings_ = Settings(
        position=Position(margin_mode="isolated", leverage=10.0), hedge=Hedge(location="reduce")
    )
    kept = terms_of(settings_, policy_named("plugin", settings_), packaged_tiers(), 100.0)
    books = new_account(1000.0, 100.0, 100.0, 10.0, isolated=True)
    apply_fill(books, POSITION, -100.0 * ratio, price, 0.0, 0.0)
    return kept, books


def test_an_isolated_position_that_was_sold_whole_is_judged_by_what_a_new_one_would_have() -> None:
    kept, books = isolated_and_reduced(1.0, 95.0)
    constant, slope = backing_line(kept, books)
    assert constant + slope * 95.0 == pytest.approx(100.0 * 95.0 / 10.0)


@given(st.floats(0.05, 1.0), st.floats(91.0, 110.0))
def test_an_isolated_position_grows_only_by_what_its_wallet_pays(ratio: float, at: float) -> None:
    kept, books = isolated_and_reduced(ratio, at)
    now = int(1e18)
    _, _, wanted, change = decision(
        kept, np.zeros(1), np.zeros((sg.N_SIGNALS, 1), dtype=np.float32), 0, now, at, np.nan, 0.0,
        0.0, books, new_budget(1000.0), limits_array(Limits(equity_stop_share=0.0)),
        allowed := np.empty(N_GUARDS),
    )  # fmt: skip
    assert wanted < 0.0
    apply_fill(books, POSITION, -change, at * 1.015, -change * at * 1.015 * 5e-4, 0.0)
    assert books["wallet"][0, 0] >= -1e-9
    if is_cut(wanted, change, LOT):
        assert allowed.min() < abs(wanted)


def test_a_position_that_was_reduced_does_not_grow_into_its_liquidation() -> None:
    """4 million USDT need 5 % and more as maintenance; the net leverage of 40 would allow it."""
    settings_ = Settings(hedge=Hedge(location="reduce"))
    kept = terms_of(settings_, policy_named("plugin", settings_), packaged_tiers(), 40_000.0)
    books = new_account(150_000.0, 20_000.0, 100.0, 20.0)
    _, _, wanted, change = decision(
        kept, np.zeros(1), np.zeros((sg.N_SIGNALS, 1), dtype=np.float32), 0, int(1e18), 100.0,
        np.nan, 0.0, 0.0, books, new_budget(150_000.0), limits_array(Limits()), np.empty(N_GUARDS),
    )  # fmt: skip
    assert wanted == pytest.approx(-20_000.0)
    apply_fill(books, POSITION, -change, 100.0, 0.0, 0.0)
    assert margin_ratio(books, 100.0, packaged_tiers().rows) <= 0.9 + 1e-6


# --- orders -----------------------------------------------------------------------------------


@given(log_floats(10.0, 1e3), st.booleans(), log_floats(1.0, 5_000.0), st.floats(1.0, 1.9))
def test_the_limit_is_inside_the_collar_on_a_tick_and_tighter_is_nearer(
    price: float, buys: bool, collar_bps: float, factor: float
) -> None:
    qty = 1.0 if buys else -1.0
    found = []
    for bps in (collar_bps, collar_bps / factor):
        kept = terms()
        kept["collar"] = bps * 1e-4
        limit = collar_price(kept, price, qty)
        assert limit == float(round(Decimal(limit), 2))
        beyond = (limit - price) * qty
        assert beyond <= price * bps * 1e-4 + 1e-10
        assert beyond > price * bps * 1e-4 - 0.01 - 1e-9
        found.append(beyond)
    assert found[1] <= found[0]


@given(sides, st.floats(0.001, 100.0), st.booleans())
def test_more_hedge_sells_a_long_and_buys_a_short(side: float, size: float, adds: bool) -> None:
    change = size if adds else -size
    for location, leg in (("same_account", HEDGE), ("second_venue", HEDGE), ("reduce", POSITION)):
        kept = terms(side=side, location=location)
        assert order_quantity(kept, change) == (leg, -side * change)


def test_sizes() -> None:
    assert sizes(terms(), held(terms(), 0.25, 5.0)) == (100.0, 25.0)
    reduced = terms(location="reduce")
    assert sizes(reduced, held(reduced, 0.25, 5.0)) == (100.0, 25.0)
    assert sizes(reduced, held(reduced, 1.0, 5.0)) == (100.0, 100.0)

"""Is the wallet large enough: more never hurts what is too small, and the venue agrees."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from litehedge.config import Hedge, Limits, Plugin, Position, Settings, VenueRules
from litehedge.risk.capital import CapitalCheck, Placeable, capital_check
from litehedge.risk.limits import allow_minimum, whole_lots
from strategies import log_floats, prices, sides
from synthetic import packaged_tiers

TIERS = packaged_tiers()
ORDER = list(Placeable)

wallets = log_floats(0.1, 1e5)
leverages = log_floats(0.5, 70.0)
steps = st.sampled_from([0.05, 0.1, 0.25, 0.5, 1.0])
lots = st.sampled_from([0.001, 0.01, 0.1, 1.0])
policies = st.sampled_from(["plugin", "margin-vol", "hazard", "vol-target", "unhedged"])
locations = st.sampled_from(["same_account", "second_venue", "reduce"])


def check(
    wallet: float, leverage: float = 5.0, price: float = 80.0, *, step: float = 0.25,
    lot: float = 0.001, least: float = 20.0, policy: str = "plugin", side: float = 1.0,
    location: str = "same_account", max_ratio: float = 1.0,
) -> CapitalCheck:  # fmt: skip
    settings = Settings(
        position=Position(
            side="long" if side > 0 else "short", leverage=leverage, wallet_usdt=wallet
        ),
        hedge=Hedge(policy=policy, location=location, max_ratio=max_ratio),  # type: ignore[arg-type]
        plugin=Plugin(step=step),
        venue=VenueRules(lot_ltc=lot, min_notional_usdt=least),
        limits=Limits(),
    )
    return capital_check(settings, price, TIERS)


# --- laws -------------------------------------------------------------------------------------


@given(wallets, leverages, prices, steps, lots, policies, locations, sides, st.floats(1.0, 10.0))
def test_a_larger_wallet_never_places_less(
    wallet: float, leverage: float, price: float, step: float, lot: float, policy: str,
    location: str, side: float, factor: float,
) -> None:  # fmt: skip
    how = {"step": step, "lot": lot, "policy": policy, "location": location, "side": side}
    small = check(wallet, leverage, price, **how)  # type: ignore[arg-type]
    large = check(wallet * factor, leverage, price, **how)  # type: ignore[arg-type]
    assert ORDER.index(large.placeable) >= ORDER.index(small.placeable)
    assert large.minimum_usdt == small.minimum_usdt


@given(wallets, leverages, prices, steps, lots, st.floats(1.0, 5.0))
def test_less_leverage_never_needs_a_smaller_wallet(
    wallet: float, leverage: float, price: float, step: float, lot: float, factor: float
) -> None:
    high = check(wallet, leverage, price, step=step, lot=lot)
    low = check(wallet, leverage / factor, price, step=step, lot=lot)
    assert low.minimum_usdt >= high.minimum_usdt * (1 - 1e-12)
    assert ORDER.index(low.placeable) <= ORDER.index(high.placeable)


@given(leverages, prices, steps, lots, policies, locations)
def test_the_minimum_is_enough_and_less_is_not(
    leverage: float, price: float, step: float, lot: float, policy: str, location: str
) -> None:
    how = {"step": step, "lot": lot, "policy": policy, "location": location}
    least = check(1.0, leverage, price, **how).minimum_usdt  # type: ignore[arg-type]
    assume(least < 1e7)
    assert check(least, leverage, price, **how).is_enough  # type: ignore[arg-type]
    assert not check(0.99 * least, leverage, price, **how).is_enough  # type: ignore[arg-type]


@given(wallets, leverages, prices, steps, lots)
def test_what_is_enough_passes_the_guard_and_is_not_rounded_away(
    wallet: float, leverage: float, price: float, step: float, lot: float
) -> None:
    found = check(wallet, leverage, price, step=step, lot=lot)
    size = found.position_usdt / price
    change = whole_lots(step * size, lot)
    taken = change > 0.0 and allow_minimum(change, price * (1 + 1e-9), 20.0, False) > 0.0
    assert bool(taken) == found.is_enough


# --- examples ---------------------------------------------------------------------------------


def test_a_quarter_of_the_position_must_be_an_order() -> None:
    """20 USDT are a quarter of 80; at 5x that is a wallet of 16."""
    found = check(300.0, price=80.0)
    assert found.minimum_usdt == pytest.approx(16.0)
    assert found.hedge_minimum_usdt == pytest.approx(4.0)
    assert found.placeable is Placeable.ALL
    assert found.problems == []
    assert found.rounding == pytest.approx(0.001 / (0.25 * 18.75), rel=1e-6)


def test_what_goes_wrong_below_is_said_in_numbers() -> None:
    coarse, naked, nothing = (check(w) for w in (10.0, 4.1, 3.0))
    assert coarse.placeable is Placeable.COARSE
    assert "in steps of 25%, the venue takes none below 40%" in coarse.problems[0]
    assert check(3.9, max_ratio=0.5).placeable is Placeable.NOTHING
    assert naked.placeable is Placeable.COARSE
    half = check(5.0, max_ratio=0.5)
    assert half.placeable is Placeable.POSITION
    assert "nothing can be hedged below a wallet of 8.00 USDT" in half.problems[0]
    assert nothing.placeable is Placeable.NOTHING
    assert "4.00 USDT at 5x is the least for the position" in nothing.problems[0]


def test_a_position_without_hedge_needs_only_itself() -> None:
    assert check(4.1, policy="unhedged").is_enough


def test_a_second_venue_holds_back_its_share() -> None:
    assert check(100.0, location="second_venue").minimum_usdt == pytest.approx(32.0)


def test_what_gets_worse_with_size_is_told_apart() -> None:
    """75x is allowed up to 10,000 USDT; beyond, brackets refuse, however much money there is."""
    small, large = check(100.0, 75.0), check(1000.0, 75.0)
    assert small.maximum_usdt == pytest.approx(10_000 / 75)
    assert not any("brackets" in p for p in small.problems)
    assert any("brackets allow 75x up to a wallet of 133 USDT" in p for p in large.problems)
    assert large.is_enough
    assert any("the margin bears a hedge of" in p for p in check(1000.0, 60.0).problems)
    assert np.isclose(check(1000.0, 60.0, location="reduce").hedge_room, 1.0)

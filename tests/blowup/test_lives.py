"""Lives depend on their world and on nothing else; more leverage is never safer."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from worlds_lived import DAYS, PLAN, SEEDS, lives, made_tape, tape

from litehedge.backtest import STATIC_GRID, with_position
from litehedge.blowup.lives import (
    RUIN_SHARE,
    SIDES,
    Arm,
    crowd_mix,
    live,
    lives_on,
    opened,
    ruined_at,
)
from litehedge.blowup.wrong import Wrong
from litehedge.config import Limits
from litehedge.hedge.policies import static
from litehedge.risk.limits import N_GUARDS, Code, allowances, limits_array, new_budget, refill
from litehedge.sim.market.parameters import LEVERAGES
from litehedge.sim.market.state import SHARES
from strategies import log_floats

MINUTES = DAYS * 1440


def lasted(some):
    """Minutes until ruin; those who never are last for ever."""
    ends = ruined_at(some)
    return np.where(ends < 0, np.iinfo(np.int64).max, ends)


# --- laws -------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
def test_a_life_does_not_depend_on_the_lives_beside_it(seed):
    together, alone = lives(seed), lives(seed, (10.0,))
    np.testing.assert_array_equal(together[together["leverage"] == 10.0], alone)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_same_world_gives_the_same_bytes(seed):
    assert lives_on(tape(seed), PLAN, seed).tobytes() == lives(seed).tobytes()


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("side", range(len(SIDES)))
def test_unhedged_ruin_comes_no_later_with_more_leverage(seed, side):
    mine = lives(seed)
    naked = mine[(mine["arm"] == Arm.STATIC) & (mine["ratio"] == 0.0) & (mine["side"] == side)]
    assert naked["leverage"].tolist() == sorted(PLAN.leverages)
    assert (np.diff(lasted(naked)) <= 0).all()


@pytest.mark.parametrize("seed", SEEDS)
def test_a_smaller_position_is_ruined_no_earlier(seed):
    mine = lives(seed)
    for leverage in PLAN.leverages:
        for side in range(len(SIDES)):
            same = (mine["leverage"] == leverage) & (mine["side"] == side)
            smaller = mine[same & (mine["arm"] == Arm.STATIC)]
            assert smaller["ratio"].tolist() == STATIC_GRID.tolist()
            ends = lasted(smaller)
            assert (ends[1:] >= ends[:-1]).all()


@pytest.mark.parametrize("seed", SEEDS)
def test_opened_limits_refuse_nothing_even_a_forecaster_gone_wrong(seed):
    mine = lives(seed)
    unguarded = mine[mine["arm"] == Arm.UNGUARDED]
    assert unguarded["turnover"].sum() > 5.0
    assert (unguarded["refusals"] == 0).all()
    guarded = mine[(mine["arm"] == Arm.GUARDED) & (mine["wrong"] == Wrong.FLIPS)]
    assert guarded["refusals"].sum() > 0


@given(
    delta=st.floats(-1e4, 1e4), position=log_floats(0.01, 1e4), price=log_floats(1.0, 1e4),
    equity=log_floats(1e-3, 1e6), orders=st.integers(0, 10_000), cost=log_floats(0.01, 1e9),
    age_s=log_floats(0.01, 1e9), later_ns=st.integers(0, 10**15),
)  # fmt: skip
def test_an_opened_limit_never_speaks(
    delta, position, price, equity, orders, cost, age_s, later_ns
):
    limits = limits_array(opened(Limits()))
    budget = new_budget(equity)
    refill(budget, limits, 0)
    budget["order_tokens"] -= orders
    budget["ratio_tokens"] -= orders
    budget["orders_today"] = orders
    budget["cost_today"] = cost
    refill(budget, limits, later_ns)
    allowed = np.empty(N_GUARDS)
    allowances(
        delta, position, 0.5 * position, price, equity, 0.0, age_s, equity, 1e9, True, budget,
        limits, PLAN.tiers.rows, 0.001, 0.0, allowed,
    )  # fmt: skip
    depth = list(Code).index(Code.DEPTH_SHARE_ABOVE_LIMIT)  # an empty book has nothing to open
    assert (np.delete(allowed, depth) >= abs(delta)).all()


# --- examples ---------------------------------------------------------------------------------


def test_all_lives_are_there_and_end_within_the_world():
    mine = lives(1)
    per_trader = STATIC_GRID.size + 2 * len(Wrong)
    assert mine.size == len(PLAN.leverages) * len(SIDES) * per_trader
    assert (mine["seed"] == 1).all()
    ends = ruined_at(mine)
    assert ((ends >= -1) & (ends < MINUTES)).all()
    assert (ends >= 0).any()
    assert (ends < 0).any()
    for name in mine.dtype.names:
        assert np.isfinite(mine[name]).all(), name
    nothing = mine[(mine["arm"] == Arm.STATIC) & (mine["ratio"] == 1.0)]
    assert (nothing["equity"] == 1.0).all()
    assert (ruined_at(nothing) == -1).all()


def test_equity_below_a_tenth_is_ruin_before_the_venue_closes():
    falls = 100.0 * (1.0 - np.concatenate((np.zeros(5), 0.001 * np.arange(1, 400))))
    settings = with_position(PLAN.settings, "long", 5.0)
    outcome, poor_at = live(made_tape(falls), settings, PLAN.tiers, static(0.0))
    worth = 1.0 + 5.0 * (falls / 100.0 - 1.0)
    assert poor_at == np.flatnonzero(worth < RUIN_SHARE - 1e-9)[0]
    assert poor_at < outcome["forced_at"][0] == outcome["stop"][0] - 1
    # At 50x a tenth of the wallet is below maintenance: the venue is first.
    settings = with_position(PLAN.settings, "long", 50.0)
    outcome, poor_at = live(made_tape(falls), settings, PLAN.tiers, static(0.0))
    assert outcome["forced_at"][0] >= 0
    assert poor_at < 0 or outcome["forced_at"][0] <= poor_at


def test_a_market_that_stands_still_ruins_nobody():
    settings = with_position(PLAN.settings, "long", 50.0)
    outcome, poor_at = live(made_tape(np.full(3000, 100.0)), settings, PLAN.tiers, static(0.0))
    assert (outcome["forced_at"][0], poor_at) == (-1, -1)
    assert outcome["equity"] == outcome["wallet"]


def test_a_later_fall_below_a_tenth_does_not_count_before_an_earlier_closing():
    some = np.zeros(4, dtype=lives(1).dtype)
    some["forced_at"] = (5, -1, 9, -1)
    some["poor_at"] = (7, 3, 2, -1)
    assert ruined_at(some).tolist() == [5, 3, 2, -1]


def test_the_crowd_is_shared_out_among_the_traders():
    assert crowd_mix(LEVERAGES) == dict(zip(LEVERAGES, SHARES.tolist(), strict=True))
    mix = crowd_mix((3.0, 20.0))
    assert sum(mix.values()) == pytest.approx(1.0)
    assert mix[3.0] == pytest.approx(SHARES[:3].sum())


def test_shorter_plans_are_refused_by_the_forecaster_that_goes_wrong():
    with pytest.raises(ValueError, match="too few"):
        lives_on(made_tape(np.full(1440, 100.0)), replace(PLAN, days=1), 1)

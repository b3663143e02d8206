"""The compiled loop equals the faithful path: engine, runner, simulated venue."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st
from two_paths import Recording, assert_same, both

from forecasters import Moody, logistic
from litehedge.backtest import Episodes, episodes, run_grid, walk
from litehedge.config import Costs, Hedge, Limits, Position, Settings
from litehedge.errors import UsageError
from litehedge.hedge.network_policy import N_WEIGHTS, Brain
from litehedge.hedge.policies import policies, policy_named, static
from litehedge.market import events as ev
from litehedge.sim.episode import OUTCOME, PATH_RATIO
from litehedge.units import NS_PER_DAY, NS_PER_HOUR, NS_PER_MINUTE, NS_PER_SECOND
from synthetic import Crash, everything, funding, market, packaged_tiers

POLICIES = [name for name in policies(Settings()) if name != "oracle"]
LOCATIONS = ["same_account", "second_venue", "reduce"]
MODES = [("cross", "same_account"), ("cross", "second_venue"), ("cross", "reduce"),
         ("isolated", "second_venue"), ("isolated", "reduce")]  # fmt: skip
FIVE = 5 * NS_PER_MINUTE
WARM = 300  # bars of five minutes before the position opens: a day and a bit


@cache
def recording(
    seed: int, *, thin: bool = False, gaps: bool = True, moody: bool = False
) -> Recording:
    """Four days of five-minute bars with three crashes, settlements and holes."""
    rng = np.random.default_rng(seed)
    crashes = tuple(
        Crash(int(at), int(rng.integers(1, 12)), float(rng.uniform(0.03, 0.25)), rebound_bars=12)
        for at in (WARM + 60, WARM + 300, WARM + 560)
    )
    own = market(
        WARM + 864, seed=seed, bar_ns=FIVE, vol=0.0012, crashes=crashes,
        volume=0.2 if thin else 1000.0,
    )  # fmt: skip
    if rng.random() < 0.5:
        own = own.mirrored()
    if gaps:
        own = own.without(
            slice(WARM + 63, WARM + 64),
            slice(WARM + 400, WARM + 410),
            slice(WARM + 620, WARM + 625),
        )
    events = everything(own)
    opens = int(own.end_ns[WARM]) - FIVE
    forecaster = Moody() if moody else logistic(seed, FIVE)
    return Recording(events, forecaster, opens, 1)


def some_settings(
    side: str = "long", leverage: float = 10.0, location: str = "same_account",
    mode: str = "cross", latency_ms: float = 250.0, collar_bps: float = 150.0,
    ratio_per_minute: float = 1.0, max_ratio: float = 1.0,
) -> Settings:  # fmt: skip
    return Settings(
        position=Position(side=side, leverage=leverage, margin_mode=mode),  # type: ignore[arg-type]
        hedge=Hedge(location=location, max_ratio=max_ratio),  # type: ignore[arg-type]
        costs=Costs(latency_ms=latency_ms),
        limits=Limits(collar_bps=collar_bps, max_ratio_per_minute=ratio_per_minute),
    )


# --- equal ------------------------------------------------------------------------------------


@pytest.mark.parametrize("location", LOCATIONS)
@pytest.mark.parametrize("side", ["long", "short"])
@pytest.mark.parametrize("name", POLICIES)
def test_every_policy_side_and_place(name: str, side: str, location: str) -> None:
    settings_ = some_settings(side, 12.0, location)
    policy = policy_named(name, settings_)
    fast, faithful = both(recording(1), settings_, policy)
    assert_same(fast, faithful, policy.free_ratio)
    if name == "vol-target" or (name == "plugin" and location != "second_venue"):
        assert fast.outcomes["trades"].sum() > 0


@pytest.mark.parametrize("location", LOCATIONS)
@pytest.mark.parametrize("side", ["long", "short"])
@pytest.mark.parametrize("weights", [0, 1])
def test_a_network_policy(weights: int, side: str, location: str) -> None:
    rng = np.random.default_rng(weights)
    drawn = (0.3 * rng.standard_normal(N_WEIGHTS)).astype(np.float32)
    settings_ = some_settings(side, 12.0, location)
    policy = policy_named("network", settings_, Brain("made up", drawn))
    fast, faithful = both(recording(1), settings_, policy)
    assert_same(fast, faithful, 0.0)
    assert weights == 1 or location == "second_venue" or fast.outcomes["trades"].sum() > 0


@pytest.mark.parametrize(("mode", "location"), MODES)
@pytest.mark.parametrize("leverage", [2.0, 25.0])
@pytest.mark.parametrize("name", ["plugin", "margin-vol", "move-3pct"])
def test_margin_modes_and_leverage(name: str, leverage: float, mode: str, location: str) -> None:
    settings_ = some_settings("long", leverage, location, mode)
    fast, faithful = both(recording(2), settings_, policy_named(name, settings_))
    assert_same(fast, faithful, 0.0)


@pytest.mark.parametrize("latency_ms", [0.0, 299_999.0, 300_000.0, 400_000.0, 599_999.0])
@pytest.mark.parametrize("gaps", [False, True])
def test_latency_around_whole_bars(latency_ms: float, gaps: bool) -> None:
    settings_ = some_settings(latency_ms=latency_ms)
    trades = 0
    for name in ("vol-target", "move-3pct", "hazard"):
        world = recording(3, gaps=gaps, moody=True)
        fast, faithful = both(world, settings_, policy_named(name, settings_))
        assert_same(fast, faithful, 0.0)
        trades += fast.outcomes["trades"].sum()
    assert trades > 10


@pytest.mark.parametrize("collar_bps", [1.01, 1.5, 3.0])
def test_a_tight_collar(collar_bps: float) -> None:
    settings_ = some_settings(collar_bps=collar_bps)
    world = recording(4, moody=True)
    fast, faithful = both(world, settings_, policy_named("hazard", settings_))
    assert_same(fast, faithful, 0.0)
    reasons = {e.reason for e in faithful.account_events if hasattr(e, "reason")}
    assert "beyond the collar" in reasons


@pytest.mark.parametrize("name", ["hazard", "plugin", "vol-target"])
def test_thin_volume_fills_in_parts(name: str) -> None:
    settings_ = some_settings(leverage=6.0)
    world = recording(5, thin=True, moody=True)
    fast, faithful = both(world, settings_, policy_named(name, settings_))
    assert_same(fast, faithful, 0.0)
    reasons = {e.reason for e in faithful.account_events if hasattr(e, "reason")}
    assert "the rest found no volume" in reasons


@given(
    seed=st.integers(0, 30), name=st.sampled_from(POLICIES),
    side=st.sampled_from(["long", "short"]),
    place=st.sampled_from(MODES),
    leverage=st.sampled_from([1.0, 3.0, 8.0, 20.0, 40.0]),
    latency=st.sampled_from([0.0, 250.0, 310_000.0, 590_000.0]),
    collar=st.sampled_from([2.0, 20.0, 150.0]), thin=st.booleans(), moody=st.booleans(),
    per_minute=st.sampled_from([1.0, 0.2]), max_ratio=st.sampled_from([1.0, 0.55]),
    reopens=st.booleans(),
)  # fmt: skip
@settings(max_examples=80)
def test_any_mixture(
    seed: int, name: str, side: str, place: tuple[str, str], leverage: float, latency: float,
    collar: float, thin: bool, moody: bool, per_minute: float, max_ratio: float, reopens: bool,
) -> None:  # fmt: skip
    mode, location = place
    settings_ = some_settings(
        side, leverage, location, mode, latency, collar, per_minute, max_ratio
    )
    policy = policy_named(name, settings_)
    world = recording(seed, thin=thin, moody=moody)
    fast, faithful = both(world, settings_, policy, reopens=reopens)
    assert_same(fast, faithful, policy.free_ratio)
    event("traded" if fast.outcomes["trades"].any() else "held still")
    event(f"{fast.outcomes['liquidated'].sum()} liquidations")


@pytest.mark.parametrize("location", LOCATIONS)
def test_what_the_venue_closed_of_a_large_position_is_not_bought_back(location: str) -> None:
    """300,000 USDT reach far into the tiers: liquidations are partial."""
    settings_ = some_settings(leverage=10.0, location=location)
    position = settings_.position.model_copy(update={"wallet_usdt": 300_000.0})
    settings_ = settings_.model_copy(update={"position": position})
    partial = 0
    for seed in range(4):
        for name in ("unhedged", "plugin"):
            fast, faithful = both(recording(seed), settings_, policy_named(name, settings_))
            assert_same(fast, faithful, 0.0)
            if name == "unhedged":
                assert not fast.outcomes["trades"].any()
                assert not np.nansum(fast.path[:, PATH_RATIO])
                partial += int((fast.outcomes["liquidations"] > fast.outcomes["liquidated"]).sum())
    assert partial > 0


def test_bars_of_five_seconds_that_roll_into_minutes() -> None:
    """Twelve phases; without gaps, since silent atoms are frames that the fast path lacks."""
    bar = 5 * NS_PER_SECOND
    warm = 12 * 1_445
    own = market(
        warm + 4_000, seed=8, bar_ns=bar, vol=0.0015,
        crashes=(Crash(warm + 1_000, 60, 0.06), Crash(warm + 2_500, 24, 0.08)),
    )  # fmt: skip
    opens = int(own.end_ns[warm]) - bar
    world = Recording(everything(own), logistic(8, NS_PER_MINUTE), opens, 12)
    settings_ = some_settings(leverage=20.0)
    for name in ("plugin", "vol-target"):
        fast, faithful = both(world, settings_, policy_named(name, settings_))
        assert_same(fast, faithful, 0.0)
        assert fast.outcomes["trades"].sum() > 0


def test_settlements_in_a_long_gap_are_paid_one_by_one() -> None:
    own = market(WARM + 800, seed=9, bar_ns=FIVE, vol=0.0005)
    holed = own.without(slice(WARM + 100, WARM + 400))  # a day without data: three settlements
    events = holed.events(funding(own, rate=1e-3))
    world = Recording(events, logistic(9, FIVE), int(own.end_ns[WARM]) - FIVE, 1)
    settings_ = some_settings(leverage=2.0)
    fast, faithful = both(world, settings_, static(0.0))
    assert_same(fast, faithful, 0.0)
    assert fast.outcomes["funding"][0] != 0.0


def test_a_fill_and_the_end_in_the_same_bar() -> None:
    """The order fills at the open of the bar that then liquidates."""
    own = market(WARM + 60, seed=1, bar_ns=FIVE, vol=0.0002)
    bars = own.bars.copy()
    bars[WARM + 20, 3] = bars[WARM + 20, 2] = bars[WARM + 20, 0] * 0.965
    bars[WARM + 21 :, :4] *= 0.965
    bars[WARM + 21, 2] *= 0.5
    bars[:, 4] = 0.2  # a twentieth of a Litecoin at a time
    own = type(own)(own.end_ns, bars, FIVE)
    world = Recording(own.events(), Moody(), int(own.end_ns[WARM]) - FIVE, 1)
    settings_ = some_settings(leverage=9.0)
    fast, faithful = both(world, settings_, policy_named("move-3pct", settings_), reopens=False)
    assert_same(fast, faithful, 0.0)
    assert fast.outcomes["liquidated"].tolist() == [1]
    fills = [e for e in faithful.account_events if isinstance(e, ev.OrderFilled)]
    assert 0 < faithful.liquidated_ns[0] - fills[-1].event_ns < FIVE


def test_a_position_that_dies_in_the_bar_in_which_it_opens() -> None:
    own = market(WARM + 30, seed=1, bar_ns=FIVE, vol=0.0002)
    bars = own.bars.copy()
    bars[WARM, 2] *= 0.8
    world = Recording(
        type(own)(own.end_ns, bars, FIVE).events(), Moody(), int(own.end_ns[WARM]) - FIVE, 1
    )
    settings_ = some_settings(leverage=10.0)
    fast, faithful = both(world, settings_, static(0.0), reopens=False)
    assert fast.outcomes["wallet"].tolist() == [1000.0]
    assert_same(fast, faithful, 0.0)


# --- episodes ---------------------------------------------------------------------------------


def test_the_grid_is_a_walk_from_each_start() -> None:
    world = recording(6)
    tape = world.tape()
    settings_ = some_settings(leverage=15.0)
    for name in ("plugin", "static-50"):
        policy = policy_named(name, settings_)
        where = Episodes(np.array([300]), np.array([500]))
        [one] = run_grid(tape, where, settings_, packaged_tiers(), policy)
        assert (one["start"], one["wallet"]) == (300, 1000.0)
        assert 300 < one["stop"] <= 500
        # The same, walked on a tape that begins there and ends with the episode.
        cut = Recording(world.events, world.forecaster, int(tape.end_ns[300]) - FIVE, 1).tape()
        assert np.array_equal(cut.bars[:10], tape.bars[300:310])
        whole = walk(cut, settings_, packaged_tiers(), policy, reopens=False).outcomes[0]
        if one["liquidated"]:
            assert whole["bars"] == one["bars"]


def test_episodes_lie_within_stretches_without_a_gap_and_after_a_warm_up() -> None:
    tape = recording(1).tape()
    where = episodes(tape, 12 * NS_PER_HOUR, NS_PER_HOUR, 6 * NS_PER_HOUR)
    opens = tape.end_ns - FIVE
    assert len(where) > 3
    for start, stop in zip(where.starts, where.stops, strict=True):
        assert stop - start == 144
        assert opens[start] % NS_PER_HOUR == 0
        assert np.all(np.diff(tape.end_ns[start - 72 : stop]) == FIVE)
    with pytest.raises(UsageError, match="no episode of 30 days fits into the data"):
        episodes(tape, 30 * NS_PER_DAY, NS_PER_HOUR)


def test_a_static_hedge_is_a_smaller_position_and_free() -> None:
    tape = recording(1, gaps=False).tape()
    settings_ = some_settings(leverage=2.0)
    where = Episodes(np.array([0]), np.array([50]))
    bare, half, full = (
        run_grid(tape, where, settings_, packaged_tiers(), static(h))[0] for h in (0.0, 0.5, 1.0)
    )
    gained = bare["equity"] - bare["wallet"] + bare["funding"]
    halved = half["equity"] - half["wallet"] + half["funding"]
    assert halved == pytest.approx(gained / 2, rel=1e-3, abs=0.2)
    assert (half["fees"], half["slippage"], half["trades"]) == (0.0, 0.0, 0)
    assert half["ratio_sum"] == pytest.approx(0.5 * half["bars"])
    assert (full["equity"], full["ratio_sum"]) == (1000.0, full["bars"])
    assert set(OUTCOME.names or ()) >= {"equity", "funding"}

"""Money between two venues on both paths, in the venue, and through journal and replay."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st
from test_episode import FIVE, WARM, recording
from test_venue import MINUTE, TIERS, Made, bar, flat, live, told
from two_paths import Recording, assert_same, both

from forecasters import Moody, logistic
from litehedge.backtest import Run, walk
from litehedge.config import Hedge, Position, Settings, Transfer
from litehedge.hedge.policies import policy_named, static
from litehedge.margin.account import HEDGE, POSITION, equity
from litehedge.market import events as ev
from litehedge.orders.transfers import MarginTransfer
from litehedge.sim.opening import Opening
from litehedge.sim.venue import SimVenue
from litehedge.units import NS_PER_SECOND
from synthetic import T0, everything, market, packaged_tiers

BUSY = {"trigger_ratio": 0.3, "target_ratio": 0.15}


def some_settings(
    side: str = "long", leverage: float = 12.0, mode: str = "cross",
    location: str = "second_venue", share: float = 0.5, **transfer: object,
) -> Settings:  # fmt: skip
    return Settings(
        position=Position(side=side, leverage=leverage, margin_mode=mode),  # type: ignore[arg-type]
        hedge=Hedge(location=location, second_wallet_share=share),  # type: ignore[arg-type]
        transfer=Transfer(**{**BUSY, **transfer}),  # type: ignore[arg-type]
    )


# --- both paths ---------------------------------------------------------------------------------


@pytest.mark.parametrize("delay_min", [0.0, 5.0, 31.0])
@pytest.mark.parametrize("mode", ["cross", "isolated"])
@pytest.mark.parametrize("name", ["plugin", "margin-vol", "vol-target"])
def test_both_paths_send_the_same_money(name: str, mode: str, delay_min: float) -> None:
    sent = 0
    for seed in (1, 2):
        settings_ = some_settings(mode=mode, delay_min=delay_min)
        fast, faithful = both(recording(seed), settings_, policy_named(name, settings_))
        assert_same(fast, faithful, 0.0)
        sent += fast.outcomes["transfers"].sum()
        told_of = [e for e in faithful.account_events if isinstance(e, ev.TransferSent)]
        assert len(told_of) == fast.outcomes["transfers"].sum()
    assert sent > 0


@given(
    seed=st.integers(0, 20), name=st.sampled_from(["plugin", "margin-vol", "vol-target", "hazard"]),
    side=st.sampled_from(["long", "short"]), mode=st.sampled_from(["cross", "isolated"]),
    leverage=st.sampled_from([3.0, 8.0, 20.0]), share=st.sampled_from([0.2, 0.5]),
    delay_min=st.sampled_from([0.0, 7.0, 30.0, 300.0]), moody=st.booleans(),
    trigger=st.sampled_from([0.1, 0.3, 0.8]), per_day=st.sampled_from([60.0, 1e5]),
    reopens=st.booleans(),
)  # fmt: skip
@settings(max_examples=40)
def test_any_mixture_with_transfers(
    seed: int, name: str, side: str, mode: str, leverage: float, share: float, delay_min: float,
    moody: bool, trigger: float, per_day: float, reopens: bool,
) -> None:  # fmt: skip
    settings_ = some_settings(
        side, leverage, mode, share=share, delay_min=delay_min, trigger_ratio=trigger,
        target_ratio=trigger / 2, max_per_day_usdt=per_day,
    )  # fmt: skip
    world = recording(seed, moody=moody)
    fast, faithful = both(world, settings_, policy_named(name, settings_), reopens=reopens)
    assert_same(fast, faithful, 0.0)
    event(f"{min(3, fast.outcomes['transfers'].sum())} transfers")
    event("too late" if fast.outcomes["late_transfers"].any() else "in time")


def same_bits(one: Run, other: Run) -> None:
    assert one.outcomes.tobytes() == other.outcomes.tobytes()
    np.testing.assert_array_equal(one.path, other.path)


@pytest.mark.parametrize("location", ["same_account", "reduce"])
def test_other_places_do_not_know_of_transfers(location: str) -> None:
    tape = recording(1).tape()
    runs = []
    for transfer in ({}, {"enabled": False}, {"delay_min": 0.0, "trigger_ratio": 0.9}):
        settings_ = some_settings(location=location, **transfer)
        policy = policy_named("plugin", settings_)
        runs.append(walk(tape, settings_, packaged_tiers(), policy))
    assert runs[0].outcomes["trades"].sum() > 0
    same_bits(runs[0], runs[1])
    same_bits(runs[0], runs[2])


def test_disabled_nothing_moves_and_money_in_time_saves() -> None:
    """A fall by 11 % within two hours: 10x dies at 9.5 %, 500 USDT wait elsewhere."""
    own = market(WARM + 60, seed=1, bar_ns=FIVE, vol=0.0002)
    bars = own.bars.copy()
    fall = np.linspace(1.0, 0.89, 25)
    for i in range(24):
        bars[WARM + 10 + i, :4] = own.bars[WARM, 0] * np.array(
            [fall[i], fall[i], fall[i + 1], fall[i + 1]]
        )
    bars[WARM + 34 :, :4] = bars[WARM + 33, 3]
    own = type(own)(own.end_ns, bars, FIVE)
    world = Recording(everything(own), logistic(1, FIVE), int(own.end_ns[WARM]) - FIVE, 1)
    lives = {}
    for delay in (5.0, 30.0, 240.0, None):
        settings_ = some_settings(
            "long", 10.0, enabled=delay is not None, delay_min=delay or 0.0,
            trigger_ratio=0.1, target_ratio=0.07,
        )  # fmt: skip
        fast, faithful = both(world, settings_, static(0.0), reopens=False)
        assert_same(fast, faithful, 0.0)
        lives[delay] = fast.outcomes[0]
    assert [int(lives[d]["liquidated"]) for d in (5.0, 30.0, 240.0, None)] == [0, 0, 1, 1]
    assert lives[None]["transfers"] == 0
    assert (lives[240.0]["transfers"], lives[240.0]["late_transfers"]) == (1, 1)
    assert lives[5.0]["late_transfers"] == 0
    # What was under way is not lost: but for the fee both dead accounts own the same.
    assert lives[240.0]["equity"] == pytest.approx(lives[None]["equity"] - 1.0)


# --- the venue ----------------------------------------------------------------------------------


def money(amount: str, number: int = 0, target: int = POSITION) -> MarginTransfer:
    return MarginTransfer(f"lh-v-t{number:06d}", target, Decimal(amount), T0)


def on_bars(**transfer: object) -> SimVenue:
    here = SimVenue(
        some_settings(leverage=10.0, **transfer), TIERS, Opening(T0, reopens=False), MINUTE
    )
    here.on_market(flat(1))
    return here


def test_money_leaves_at_once_and_backs_nothing_until_it_is_there() -> None:
    here = on_bars(delay_min=2.0)
    now = T0 + MINUTE
    assert here.transfer(money("100.25"), now) == [ev.TransferSent(now, now, "lh-v-t000000")]
    assert here.books["wallet"][0].tolist() == [500.0, 399.75]
    assert equity(here.books, 100.0) == pytest.approx(999.0)
    assert here.on_market(flat(2)) == []
    assert here.on_market(flat(3)) == []  # it comes as this bar closes
    [arrived] = here.on_market(flat(4))
    assert isinstance(arrived, ev.TransferArrived)
    assert (arrived.event_ns, arrived.amount_usdt) == (now + 2 * MINUTE, 99.25)
    assert here.books["wallet"][0].tolist() == [599.25, 399.75]


def test_the_same_transfer_is_never_sent_twice() -> None:
    here = on_bars()
    now = T0 + MINUTE
    first = here.transfer(money("100"), now)
    assert here.transfer(money("100"), now + 5) == first
    assert here.query_transfer("lh-v-t000000", now + 5) == first
    assert here.books["wallet"][0, 1] == 400.0
    [never] = here.query_transfer("lh-v-t000009", now)
    assert isinstance(never, ev.TransferRejected)


def test_more_than_the_venue_pays_out_is_refused() -> None:
    here = on_bars()
    [refused] = here.transfer(money("500.01"), T0 + MINUTE)
    assert isinstance(refused, ev.TransferRejected)
    [refused] = here.transfer(money("480", 1, HEDGE), T0 + MINUTE)  # the position needs 25
    assert isinstance(refused, ev.TransferRejected)
    assert here.books["wallet"][0].tolist() == [500.0, 500.0]


def test_money_that_is_under_way_when_the_position_dies_comes_anyhow() -> None:
    here = on_bars(delay_min=3.0)
    here.transfer(money("100"), T0 + MINUTE)
    said = here.on_market(bar(2, 100.0, 100.0, 50.0, 50.0))
    assert any(isinstance(e, ev.Liquidated) and not e.alive for e in said)
    assert [type(e) for n in (3, 4, 5) for e in here.on_market(flat(n, 50.0))] == [
        ev.TransferArrived
    ]
    assert equity(here.books, 50.0) == pytest.approx(499.0)


def test_in_a_market_that_lives() -> None:
    made = Made()
    here = live(made, hedge=Hedge(location="second_venue"), transfer=Transfer(delay_min=1.0 / 30.0))
    made.is_down = True
    now = T0 + NS_PER_SECOND // 2
    assert [type(e) for e in here.transfer(money("50"), now)] == [ev.TransferUnknown]
    assert here.query_transfer("lh-v-t000000", now) == []
    made.is_down = False
    [never] = here.query_transfer("lh-v-t000000", now)
    assert isinstance(never, ev.TransferRejected)
    assert here.books["wallet"][0].tolist() == [500.0, 500.0]
    assert [type(e) for e in here.transfer(money("50", 1), now)] == [ev.TransferSent]
    for number in (1, 2, 3):
        made.second(number, 100.0)
    assert here.books["wallet"][0].tolist() == [549.0, 450.0]
    assert here.query_transfer("lh-v-t000001", now) == []  # about to be told
    assert [type(e) for e in told(here, 4)] == [ev.TransferArrived]
    assert isinstance(here.query_transfer("lh-v-t000001", now)[0], ev.TransferArrived)


def test_money_of_a_life_before_does_not_come_into_the_next() -> None:
    """The fall is late in the day, the delay long: a fresh wallet opens meanwhile."""
    own = market(WARM + 600, seed=3, bar_ns=FIVE, vol=0.0002)
    bars = own.bars.copy()
    at = WARM + 280
    bars[at, 2] *= 0.85
    world = Recording(
        type(own)(own.end_ns, bars, FIVE).events(), Moody(), int(own.end_ns[WARM]) - FIVE, 1
    )
    settings_ = some_settings(
        leverage=10.0, share=0.9, delay_min=10_000.0, trigger_ratio=0.04, target_ratio=0.039,
        min_usdt=5.0,
    )  # fmt: skip
    fast, faithful = both(world, settings_, static(0.0))
    assert_same(fast, faithful, 0.0)
    assert fast.outcomes["liquidated"].tolist() == [1, 0]
    assert fast.outcomes["transfers"][0] == 1

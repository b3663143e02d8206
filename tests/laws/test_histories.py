"""The guards over whole histories of the engine: what no market, venue, person or model gets past.

Each limit made tighter never sends more; halted, nothing goes out but what was asked to close; the
trading state relaxes by the rows of its table alone, also over a restart; and a model that is dead,
always alarmed, always calm or random cannot exceed a limit.
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import event as note
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from test_engine import BUSY, World, engine, opened, some_settings
from test_limits import tightened

from forecasters import Moody
from litehedge.config import Hedge, Limits, Position, Settings
from litehedge.decision import sizes
from litehedge.effects import Checkpoint, Effect, StateChange, Submit
from litehedge.engine import relive, step
from litehedge.engine_state import State, start
from litehedge.hedge.policies import policy_named
from litehedge.margin.account import equity
from litehedge.market import events as ev
from litehedge.risk.limits import limits_array
from litehedge.risk.state import TRANSITIONS, Cause, TradingState
from litehedge.squeeze import forecast as fc
from litehedge.units import BPS, NS_PER_DAY, NS_PER_MINUTE
from synthetic import T0, packaged_tiers

MINUTE = NS_PER_MINUTE
ACTIVE, REDUCING, HALTED = TradingState


class Wider(World):
    """Also lets a person close everything."""

    def events(self, n: int) -> Iterator[ev.AnyEvent]:
        for happened in super().events(n):
            yield happened
            if self.draw(st.integers(0, 19)) == 19:
                yield ev.CloseAll(self.now, self.now)


def submits(effects: list[Effect]) -> list[Submit]:
    return [e for e in effects if isinstance(e, Submit)]


# --- a tighter limit ----------------------------------------------------------------------------


def held_to(state: State, limits: Limits) -> State:
    """The same state under other limits, as if they had been these all along."""
    twin = copy.deepcopy(state)
    settings_ = twin.fixed.settings.model_copy(update={"limits": limits})
    twin.fixed = replace(twin.fixed, settings=settings_)
    twin.limits = limits_array(limits)
    twin.terms["collar"] = limits.collar_bps * BPS
    return twin


@pytest.mark.parametrize("name", sorted(Limits.model_fields))
@given(
    st.data(), some_settings(), st.sampled_from(BUSY), st.sampled_from([0.0, 0.3, 0.9, 0.99])
)  # fmt: skip
@settings(max_examples=12)
def test_a_tighter_limit_never_sends_more(
    name: str, data: st.DataObject, settings_: Settings, policy: str, share: float
) -> None:
    state = engine(settings_, policy)
    world = World(data, settings_)
    tight_limits = tightened(settings_.limits, name, share)
    pays_from_wallet = settings_.position.margin_mode == "isolated"
    for happened in world.events(data.draw(st.integers(5, 30))):
        twin = held_to(state, tight_limits)
        state, effects = step(state, happened)
        twin, fewer = step(twin, happened)
        assert twin.trading >= state.trading
        for tight in submits(fewer):
            [loose] = submits(effects)
            wide, narrow = loose.order, tight.order
            assert narrow.leg == wide.leg
            assert narrow.reduce_only == wide.reduce_only
            assert narrow.qty_ltc * wide.qty_ltc > 0
            if name == "collar_bps":
                side = 1 if wide.qty_ltc > 0 else -1
                assert side * narrow.limit_usdt <= side * wide.limit_usdt
            # What a nearer collar saves of the worst price, an isolated wallet can buy more of.
            if name != "collar_bps" or not pays_from_wallet:
                assert abs(narrow.qty_ltc) <= abs(wide.qty_ltc)
            note("less" if narrow.qty_ltc != wide.qty_ltc else "the same")
        world.sent = state.order if state.order is not None else world.sent


# --- the trading state --------------------------------------------------------------------------


@given(st.data(), some_settings(), st.sampled_from(BUSY))
@settings(max_examples=40)
def test_the_state_relaxes_by_its_rows_alone_and_survives_restarts(
    data: st.DataObject, settings_: Settings, policy: str
) -> None:
    state = engine(settings_, policy, keeps_checkpoints=True)
    world = Wider(data, settings_)
    kept: Checkpoint | None = None
    since: list[ev.AnyEvent] = []
    asked_to_close = False
    for happened in world.events(data.draw(st.integers(5, 40))):
        before = state.trading
        asked_to_close |= isinstance(happened, ev.CloseAll)
        state, effects = step(state, happened)
        assert_rows(before, state.trading, happened, effects)
        if before is HALTED or state.trading is HALTED:
            for sent in submits(effects):
                assert sent.order.reduce_only
                assert asked_to_close
        since.append(happened)
        for effect in effects:
            if isinstance(effect, Checkpoint):
                kept, since = effect, []
        world.sent = state.order if state.order is not None else world.sent
    if kept is None:
        return
    wire = msgspec.msgpack.decode(msgspec.msgpack.encode(kept), type=Checkpoint)
    again = start(
        settings_, policy_named(policy, settings_), packaged_tiers(), Moody(), session="law",
        atom_ns=MINUTE, keeps_checkpoints=True, checkpoint=wire, needs_reconciling=True,
    )  # fmt: skip
    assert relive(again, since).trading is state.trading
    for name in ("refused", "cost_week", "orders_today"):
        assert name in kept.budgets


def assert_rows(
    before: TradingState, after: TradingState, happened: ev.AnyEvent, effects: list[Effect]
) -> None:
    now = before
    for change in (e for e in effects if isinstance(e, StateChange)):
        assert change.before == now.name
        now = TRANSITIONS[now, Cause(change.cause)]
        assert change.after == now.name
    assert now is after
    if after < before:
        note(f"{before.name} to {after.name}")
        if before is HALTED:
            assert isinstance(happened, ev.Resume)
        if isinstance(happened, ev.Resume):
            assert happened.word == "RESUME"
        else:
            assert isinstance(happened, ev.Opened | ev.Adopt)


# --- the model ----------------------------------------------------------------------------------


class Broken(Moody):
    """A model that has gone wrong in one way, and does not know it."""

    id = "broken"

    def __init__(self, how: str) -> None:
        self.how = how

    def step(
        self, memory: fc.Memory, phase: int, end_ns: int, features: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        row = super().step(memory, phase, end_ns, features)
        row[fc.STATE_AT] = 0
        if self.how == "nan":
            row[: fc.STATE_AT] = np.nan
        elif self.how == "moody":
            row = super().step(memory, phase, end_ns, features)
        else:
            row[: fc.CONFIDENCE_AT] = {"zero": 0.0, "one": 1.0}[self.how]
            row[fc.CONFIDENCE_AT] = 1.0
            if self.how == "one":
                row[fc.SEVERITY_AT : fc.PHASE_AT] = 1e4
        return row


class Lived:
    """A venue that fills whole, and what no order may have done."""

    def __init__(self, settings_: Settings, state: State) -> None:
        self.settings = settings_
        self.state = state
        self.sent_ns: list[int] = []
        self.lifted_ns: list[int] = []
        self.orders = 0

    def take(self, happened: ev.AnyEvent, price: float) -> None:
        spent = self.state.budgets.copy()
        was = self.state.trading
        self.state, effects = step(self.state, happened)
        for sent in submits(effects):
            self.check(sent, price, spent, was, happened.known_ns)
            fee = abs(float(sent.order.qty_ltc)) * price * 7e-4
            self.state, _ = step(
                self.state,
                ev.OrderFilled(
                    happened.known_ns, happened.known_ns, sent.order.client_id, sent.order.leg,
                    float(sent.order.qty_ltc), price, fee, 0.0,
                ),
            )  # fmt: skip

    def check(
        self, sent: Submit, price: float, spent: NDArray[np.void], was: TradingState, now_ns: int
    ) -> None:
        limits = self.settings.limits
        order = sent.order
        side = 1 if self.settings.position.side == "long" else -1
        lifts = (order.qty_ltc > 0) == (side > 0)
        size = float(abs(order.qty_ltc))
        position, hedge = sizes(self.state.terms, self.state.books)
        worth = float(equity(self.state.books, price))
        self.orders += 1
        self.sent_ns.append(now_ns)
        lately = [t for t in self.sent_ns if now_ns - t < MINUTE]
        assert len(lately) <= limits.max_orders_per_minute
        a_day = Counter(t // NS_PER_DAY for t in self.sent_ns)[now_ns // NS_PER_DAY]
        assert a_day <= limits.max_orders_per_day
        assert order.qty_ltc % Decimal("0.001") == 0
        assert self.state.trading is not HALTED
        if not lifts:
            assert (hedge + size) * price <= limits.max_hedge_notional_usdt * (1 + 1e-9)
            return
        assert size / position <= limits.max_ratio_per_minute * (1 + 1e-9)
        assert was is ACTIVE
        assert self.state.trading is ACTIVE
        assert a_day <= max(1, limits.max_orders_per_day * 3 // 4)
        if spent["day"][0] == now_ns // NS_PER_DAY:
            assert spent["cost_today"][0] < limits.daily_cost_share * worth
        net = abs(position - hedge + size) * price
        assert net <= limits.max_leverage * worth * (1 + 1e-9)


@pytest.mark.parametrize("how", ["nan", "zero", "one", "moody"])
@given(
    seed=st.integers(0, 2**32), side=st.sampled_from(["long", "short"]),
    location=st.sampled_from(["same_account", "second_venue", "reduce"]),
    policy=st.sampled_from(["plugin", "hazard", "vol-target", "margin-vol"]),
    limits=st.builds(
        Limits,
        max_hedge_notional_usdt=st.sampled_from([1e6, 2_000.0]),
        max_leverage=st.sampled_from([40.0, 4.0]),
        max_ratio_per_minute=st.sampled_from([1.0, 0.2]),
        max_orders_per_minute=st.sampled_from([6, 2, 1]),
        max_orders_per_day=st.sampled_from([200, 12]),
        daily_cost_share=st.sampled_from([0.03, 0.002]),
        weekly_cost_share=st.sampled_from([0.1, 0.03]),
        equity_stop_share=st.sampled_from([0.05, 0.7]),
    ),
)  # fmt: skip
@settings(max_examples=12)
def test_no_model_gets_past_a_limit(
    how: str, seed: int, side: Any, location: Any, policy: str, limits: Limits
) -> None:
    settings_ = Settings(
        position=Position(side=side, leverage=8.0), hedge=Hedge(location=location), limits=limits
    )
    state = start(
        settings_, policy_named(policy, settings_), packaged_tiers(), Broken(how), session="law",
        atom_ns=MINUTE,
    )  # fmt: skip
    lived = Lived(settings_, state)
    rng = np.random.default_rng(seed)
    price, now = 100.0, T0
    lived.take(opened(settings_, now, price), price)
    for _ in range(120):
        now += MINUTE
        before, price = price, price * float(np.exp(rng.normal(0.0, rng.choice([1e-3, 0.01]))))
        high, low = max(before, price), min(before, price)
        lived.take(ev.Bar(now, now, "LTC", MINUTE, before, high, low, price, 1e4), price)
        if rng.random() < 0.05:
            wish = ev.SetHedge(now, now, float(rng.random()), now + 5 * MINUTE)
            lived.take(wish, price)
    note(f"{how}: {'traded' if lived.orders else 'sent nothing'}")


def test_what_a_venue_refuses_costs_no_order_of_the_day() -> None:
    """A venue refuses for an hour; then it takes the hedge at once, with a budget of two."""
    settings_ = Settings(limits=Limits(max_orders_per_minute=2, max_orders_per_day=2))
    state = engine(settings_, "unhedged")
    state, _ = step(state, opened(settings_, T0, 100.0))
    state, _ = step(state, ev.SetHedge(T0, T0, 1.0, T0 + NS_PER_DAY))
    sent = 0
    now = T0
    for _ in range(60):
        now += MINUTE
        state, effects = step(state, ev.Bar(now, now, "LTC", MINUTE, *[100.0] * 4, 1e4))
        for submit in submits(effects):
            sent += 1
            name = submit.order.client_id
            state, _ = step(state, ev.OrderRejected(now, now, name, "overloaded"))
    assert sent == 60
    assert state.budgets["refused"][0] == 60
    assert state.budgets["orders_today"][0] == 0.0
    now += MINUTE
    state, effects = step(state, ev.Bar(now, now, "LTC", MINUTE, *[100.0] * 4, 1e4))
    assert len(submits(effects)) == 1

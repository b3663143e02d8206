"""The venue changes the rules of the contract while we trade it."""

from __future__ import annotations

import copy
from dataclasses import replace
from decimal import Decimal
from typing import Any

import msgspec
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from forecasters import Moody
from litehedge.config import Hedge, Position, Settings
from litehedge.effects import Alert, Effect, Submit
from litehedge.engine import step
from litehedge.engine_state import State, start
from litehedge.hedge.policies import policy_named
from litehedge.hedge.terms import padded
from litehedge.margin.tiers import CUM, FLOOR, RATE
from litehedge.market import events as ev
from litehedge.units import NS_PER_HOUR, NS_PER_MINUTE
from synthetic import T0, packaged_tiers

MINUTE = NS_PER_MINUTE


def rules(rate: float = 1.0, **changes: Any) -> ev.ContractChanged:
    """The packaged contract; `rate` multiplies its maintenance rates."""
    table = packaged_tiers()
    rows = table.rows.copy()
    rows[:, RATE] *= rate
    rows[1:, CUM] = np.cumsum(rows[1:, FLOOR] * np.diff(rows[:, RATE]))
    venue, costs = Settings().venue, Settings().costs
    told: dict[str, Any] = {
        "is_trading": True, "tick_usdt": venue.tick_usdt, "lot_ltc": venue.lot_ltc,
        "min_notional_usdt": venue.min_notional_usdt, "taker_fee": costs.taker_fee_bps * 1e-4,
        "clearance_fee": table.clearance_fee, "cap_usdt": table.cap_usdt,
        "tiers": tuple(map(tuple, rows.tolist())),
    }  # fmt: skip
    return ev.ContractChanged(T0, T0, **(told | changes))


def guarded(location: str = "same_account") -> State:
    made = Settings(position=Position(leverage=20.0), hedge=Hedge(location=location))
    state = start(
        made, policy_named("margin-vol", made), packaged_tiers(), Moody(), session="c",
        atom_ns=MINUTE,
    )  # fmt: skip
    second = 800.0 if location == "second_venue" else None
    state, _ = step(state, ev.Opened(T0, T0, 1000.0, second, 200.0, 100.0, 20.0, False))
    return state


def frame(state: State, number: int, close: float = 100.0) -> list[Effect]:
    now = T0 + number * MINUTE
    return step(state, ev.Bar(now, now, "LTC", MINUTE, close, close, close, close, 1e4))[1]


def alerts(effects: list[Effect]) -> list[str]:
    return [e.text for e in effects if isinstance(e, Alert)]


numbers = st.one_of(st.floats(), st.sampled_from([0.0, 0.01, 0.5, 1.0, 100.0]))


@given(
    st.builds(
        ev.ContractChanged, st.just(T0), st.just(T0), st.booleans(), *[numbers] * 6,
        st.lists(st.tuples(*[numbers] * 4), max_size=30).map(tuple), st.booleans(),
    )
)  # fmt: skip
@settings(max_examples=150)
def test_whatever_a_venue_says_of_its_contract_nothing_breaks_and_nothing_is_sent(event):
    state = guarded()
    twin = copy.deepcopy(state)
    books = state.books.tobytes()
    state, effects = step(state, event)
    twin, again = step(twin, event)
    assert msgspec.msgpack.encode(effects) == msgspec.msgpack.encode(again)
    assert state.books.tobytes() == books
    assert all(isinstance(e, Alert) for e in effects)
    rows = state.fixed.tiers.rows
    assert np.isfinite(rows).all()
    np.testing.assert_array_equal(state.terms["tiers"][0], padded(state.fixed.tiers))
    frame(state, 1)


@given(
    st.floats(1.1, 1.9), st.sampled_from([0.01, 0.05]), st.sampled_from([0.001, 0.1]),
    st.floats(1.0, 50.0), st.floats(-0.0002, 0.002), st.floats(0.0, 0.03),
)  # fmt: skip
@settings(max_examples=60)
def test_new_rules_are_what_the_next_decision_reckons_with(rate, tick, lot, least, fee, clearance):
    told = rules(
        rate, tick_usdt=tick, lot_ltc=lot, min_notional_usdt=least, taker_fee=fee,
        clearance_fee=clearance,
    )  # fmt: skip
    state, effects = step(guarded(), told)
    assert any("maintenance margin" in text for text in alerts(effects))
    terms = state.terms[0]
    assert (terms["tick"], terms["lot"], terms["min_notional"]) == (tick, lot, least)
    assert (terms["taker_fee"], terms["clearance"]) == (fee, clearance)
    assert state.fixed.tiers.rows.tolist() == [list(row) for row in told.tiers]
    fresh = start(
        state.fixed.settings, state.fixed.policy, state.fixed.tiers, Moody(), session="c",
        atom_ns=MINUTE,
    )  # fmt: skip
    for name in ("tick", "lot", "min_notional", "clearance", "tiers"):
        np.testing.assert_array_equal(fresh.terms[name], state.terms[name])
    assert step(state, replace_time(told))[1] == []  # told again, it is no news
    state, _ = step(state, ev.SetHedge(T0, T0, 0.4, T0 + NS_PER_HOUR))
    for order in (e.order for e in frame(state, 1) if isinstance(e, Submit)):
        assert order.qty_ltc % Decimal(str(lot)) == 0
        assert order.limit_usdt % Decimal(str(tick)) == 0


def replace_time(event: ev.ContractChanged) -> ev.ContractChanged:
    return msgspec.structs.replace(event, event_ns=event.event_ns + 1, known_ns=event.known_ns + 1)


def test_higher_maintenance_brings_the_liquidation_nearer():
    near, far = guarded(), guarded()
    near, _ = step(near, rules(1.5))
    both = []
    for state in (near, far):
        state, _ = step(state, ev.SetHedge(T0, T0, 0.0, T0 + NS_PER_HOUR))
        both.append(next(e for e in frame(state, 1) if hasattr(e, "distance")).distance)
    assert both[0] < both[1]


def test_floors_that_move_with_the_price_are_taken_over_without_a_word():
    moved = tuple((f * 1.01, r, c * 1.01, m) for f, r, c, m in rules().tiers)
    state, effects = step(guarded(), rules(tiers=moved))
    assert effects == []
    assert state.fixed.tiers.rows[1, FLOOR] == moved[1][0]


def test_rules_that_cannot_be_are_told_and_left():
    bad = [
        rules(tick_usdt=0.0), rules(lot_ltc=float("nan")), rules(taker_fee=0.5), rules(tiers=()),
        rules(tiers=((0.0, 0.01, 0.0, 50.0), (1000.0, 0.02, 999.0, 20.0))),
    ]  # fmt: skip
    for event in bad:
        state = guarded()
        before = state.fixed
        state, effects = step(state, event)
        assert state.fixed is before
        assert "cannot be" in alerts(effects)[0]


def test_while_the_contract_does_not_trade_nothing_is_sent():
    state = guarded()
    state, effects = step(state, rules(is_trading=False))
    assert "stopped trading" in alerts(effects)[0]
    state, _ = step(state, ev.SetHedge(T0, T0, 0.4, T0 + NS_PER_HOUR))
    said = [e for number in (1, 2, 3) for e in frame(state, number)]
    assert not any(isinstance(e, Submit) for e in said)
    assert state.order is None
    state, effects = step(state, rules())
    assert alerts(effects) == ["the venue trades the contract again"]
    assert any(isinstance(e, Submit) for e in frame(state, 4))


def test_where_the_venue_of_the_hedge_stops_the_position_is_reduced():
    state = guarded("second_venue")
    state, _ = step(state, rules(is_trading=False, is_second=True, tick_usdt=7.0))
    assert state.fixed.settings.venue.tick_usdt == 0.01  # the other venue's rules are not ours
    state, _ = step(state, ev.SetHedge(T0, T0, 0.4, T0 + NS_PER_HOUR))
    [order] = [e.order for e in frame(state, 1) if isinstance(e, Submit)]
    assert (order.leg, order.reduce_only) == (0, True)


def test_where_reducing_is_not_wanted_nothing_is_sent():
    state = guarded("second_venue")
    hedge = state.fixed.settings.hedge.model_copy(update={"fall_back_to_reduce": False})
    kept = state.fixed.settings.model_copy(update={"hedge": hedge})
    state.fixed = replace(state.fixed, settings=kept)
    state, _ = step(state, rules(is_trading=False, is_second=True))
    state, _ = step(state, ev.SetHedge(T0, T0, 0.4, T0 + NS_PER_HOUR))
    assert not any(isinstance(e, Submit) for e in frame(state, 1))

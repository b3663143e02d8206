"""What a protective stop closed is booked once, like a fill; it never makes a leg larger."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from litehedge.config import Hedge, Position, Settings
from litehedge.decision import sizes
from litehedge.effects import Alert, Effect, KeepStop
from litehedge.engine import step
from litehedge.engine_state import State, Stop, restore, start, take_checkpoint
from litehedge.hedge.policies import policy_named
from litehedge.margin.account import HEDGE, POSITION, equity
from litehedge.market import events as ev
from litehedge.model.baselines.blind import BlindForecaster
from litehedge.stops import TELL_FAILURE_NS, keep
from litehedge.store.journal import decode_checkpoint, encode_effect
from litehedge.units import NS_PER_SECOND
from synthetic import T0, packaged_tiers

PLACES = ("same_account", "second_venue", "reduce")
TIERS = packaged_tiers()


def opened(location: str = "same_account", *, long: bool = True, hedge: float = 20.0) -> State:
    side = 1.0 if long else -1.0
    told = Settings(
        position=Position(leverage=5.0, side="long" if long else "short"),
        hedge=Hedge(location=location),  # type: ignore[arg-type]
    )
    state = start(
        told, policy_named("unhedged", told), TIERS, BlindForecaster(), session="stops",
        atom_ns=60 * NS_PER_SECOND,
    )  # fmt: skip
    second = 800.0 if location == "second_venue" else None
    hedge = 0.0 if location == "reduce" else hedge
    account = ev.Opened(
        T0, T0, 1000.0, second, side * 50.0, 100.0, 5.0, False,
        hedge_qty_ltc=-side * hedge, hedge_entry_usdt=100.0 if hedge else 0.0,
    )  # fmt: skip
    state, _ = step(state, account)
    return state


def tell(state: State, event: ev.AnyEvent) -> list[Effect]:
    _, effects = step(state, event)
    return effects


def filled(leg: int, qty: float, price: float = 90.0, fee: float = 1.0, now: int = T0 + 1):
    return ev.StopFilled(now, now, leg, qty, price, fee)


def texts(effects: list[Effect]) -> str:
    return "; ".join(e.text for e in effects if isinstance(e, Alert))


@settings(max_examples=60, deadline=None)
@given(
    place=st.sampled_from(PLACES),
    long=st.booleans(),
    fills=st.lists(
        st.tuples(
            st.sampled_from([POSITION, HEDGE]), st.floats(-60.0, 60.0), st.floats(50.0, 150.0)
        ),
        max_size=6,
    ),
)
def test_a_stop_only_reduces_and_costs_what_it_says(place, long, fills) -> None:
    state = opened(place, long=long)
    for i, (leg, qty, price) in enumerate(fills):
        held = state.books["qty"][0].copy()
        worth = float(equity(state.books, price))
        tell(state, filled(leg, qty, price, 0.5, T0 + 1 + i))
        now = state.books["qty"][0]
        assert keeps_its_side(held[leg], now[leg])
        assert now[1 - leg] == held[1 - leg]
        reduces = qty * held[leg] < 0.0
        assert abs(now[leg]) == pytest.approx(
            max(0.0, abs(held[leg]) - abs(qty)) if reduces else abs(held[leg]), abs=1e-9
        )
        # At the price of the fill nothing but the fee is lost.
        assert float(equity(state.books, price)) == pytest.approx(worth - (0.5 if reduces else 0.0))
        assert state.is_open == (now[POSITION] != 0.0)
        position, hedge = sizes(state.terms, state.books)
        assert position >= 0.0
        assert hedge >= -1e-9


def keeps_its_side(before: float, after: float) -> bool:
    return after == 0.0 or before * after > 0.0


def test_the_stop_of_the_whole_position_ends_the_guarding_and_tells_of_the_hedge() -> None:
    state = opened()
    said = texts(tell(state, filled(POSITION, -50.0)))
    assert "closed 50.000 LTC of the position at 90.00 USDT: 0.000 LTC are left" in said
    assert "the hedge of 20.000 LTC stands alone" in said
    assert not state.is_open
    assert float(state.books["qty"][0, HEDGE]) == -20.0
    assert float(state.books["fees"][0]) == 1.0


def test_what_a_stop_closed_of_a_reduced_position_is_no_hedge_that_could_be_lifted() -> None:
    state = opened("reduce")
    tell(state, filled(POSITION, -30.0))
    position, hedge = sizes(state.terms, state.books)
    assert (position, hedge) == (20.0, 0.0)


def test_a_fill_that_the_books_hold_already_is_told_and_not_booked() -> None:
    state = opened()
    said = tell(state, filled(POSITION, -50.0, now=T0 - 1))
    assert "our books have it" in texts(said)
    assert float(state.books["qty"][0, POSITION]) == 50.0


def test_the_same_stop_is_wanted_once_and_again_after_it_traded() -> None:
    state = opened()
    stop = KeepStop(POSITION, Decimal("50"), Decimal("85"))
    nothing = KeepStop(HEDGE, Decimal(0), Decimal(0))
    assert keep(state, nothing) == []
    assert keep(state, stop) == [stop]
    assert keep(state, stop) == []
    tell(state, ev.StopArmed(T0 + 1, T0 + 1, POSITION, 50.0, 85.0))
    assert state.stops[POSITION].armed_ltc == 50.0
    tell(state, filled(POSITION, -10.0, now=T0 + 2))
    assert state.stops[POSITION].armed_ltc == 0.0
    assert keep(state, stop) == [stop]


def test_after_a_start_every_stop_is_wanted_anew() -> None:
    state = opened()
    stop = KeepStop(POSITION, Decimal("50"), Decimal("85"))
    keep(state, stop)
    tell(state, ev.Opened(T0 + 9, T0 + 9, 1000.0, None, 50.0, 100.0, 5.0, False, is_resumed=True))
    assert keep(state, stop) == [stop]
    nothing = KeepStop(HEDGE, Decimal(0), Decimal(0))
    assert keep(state, nothing) == [nothing]  # one of the run before may stand there
    assert keep(state, nothing) == []


def test_what_the_venue_holds_outlives_a_restart() -> None:
    state = opened()
    tell(state, ev.StopArmed(T0 + 1, T0 + 1, POSITION, 50.0, 85.0))
    point = decode_checkpoint(encode_effect(take_checkpoint(state, T0 + 2)))
    other = opened()
    restore(other, point)
    assert other.stops == {POSITION: Stop(None, 50.0, 85.0)}


def test_a_failing_stop_is_told_now_and_again_and_when_it_stands() -> None:
    state = opened()
    later = T0 + TELL_FAILURE_NS
    assert "refused it" in texts(tell(state, ev.StopFailed(T0, T0, POSITION, "refused it")))
    assert tell(state, ev.StopFailed(T0 + 1, T0 + 1, POSITION, "refused it")) == []
    assert texts(tell(state, ev.StopFailed(later, later, POSITION, "refused it")))
    assert "stands: 50.000 LTC" in texts(
        tell(state, ev.StopArmed(later + 1, later + 1, POSITION, 50.0, 85.0))
    )
    assert tell(state, ev.StopArmed(later + 2, later + 2, POSITION, 50.0, 85.0)) == []


@pytest.mark.parametrize("leg", [-1, 2])
def test_a_leg_that_is_none_changes_nothing(leg: int) -> None:
    state = opened()
    tell(state, ev.StopArmed(T0, T0, leg, 1.0, 1.0))
    tell(state, ev.StopFailed(T0, T0, leg, "x"))
    assert "there is none" in texts(tell(state, filled(leg, -1.0)))
    assert state.stops == {}

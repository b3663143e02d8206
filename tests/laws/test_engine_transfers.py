"""What the engine makes of what a venue says of transfers."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import event as note
from hypothesis import given
from hypothesis import strategies as st
from test_engine import MINUTE, engine

from litehedge.config import Hedge, Position, Settings, Transfer
from litehedge.effects import Effect, QueryTransfer
from litehedge.effects import Transfer as Move
from litehedge.engine import step
from litehedge.engine_state import State
from litehedge.errors import OrderProtocolError
from litehedge.margin.account import equity
from litehedge.market import events as ev
from litehedge.orders.transfers import TransferState, advance, is_of, new_transfer
from litehedge.risk.state import TradingState
from synthetic import T0


def guarded(**transfer: Any) -> State:
    settings = Settings(
        position=Position(leverage=10.0, wallet_usdt=1000.0),
        hedge=Hedge(location="second_venue"),
        transfer=Transfer(**{"trigger_ratio": 0.15, "target_ratio": 0.1, **transfer}),
    )
    state = engine(settings, "unhedged")
    return step(state, ev.Opened(T0, T0, 500.0, 500.0, 50.0, 100.0, 10.0, False))[0]


def bar(state: State, number: int, price: float) -> list[Effect]:
    now = T0 + number * MINUTE
    made = ev.Bar(now, now, "LTC", MINUTE, price, price, price, price, 1e4)
    return step(state, made)[1]


def moves(effects: list[Effect]) -> list[Move]:
    return [e for e in effects if isinstance(e, Move)]


def in_danger() -> tuple[State, Move]:
    state = guarded()
    assert moves(bar(state, 1, 100.0)) == []
    [move] = moves(bar(state, 2, 93.0))  # equity 150, maintenance 23
    return state, move


def test_money_is_taken_for_gone_at_once_and_one_transfer_is_made_at_a_time() -> None:
    state, move = in_danger()
    amount = float(move.transfer.amount_usdt)
    assert move.transfer.target == 0
    assert state.books["wallet"][0].tolist() == [500.0, 500.0 - amount]
    assert equity(state.books, 93.0) == pytest.approx(1000.0 - 350.0 - 1.0)
    assert moves(bar(state, 3, 92.9)) == []
    name = move.transfer.transfer_id
    now = T0 + 3 * MINUTE
    step(state, ev.TransferSent(now, now, name))
    step(state, ev.TransferArrived(now, now, name, amount - 1.5))  # the way cost more
    assert state.transfer is None
    assert state.books["wallet"][0, 0] == pytest.approx(500.0 + amount - 1.5)
    assert state.books["transfer_fees"][0] == pytest.approx(1.5)


def test_a_refusal_brings_the_money_back_and_is_not_repeated_at_once() -> None:
    state, move = in_danger()
    now = T0 + 2 * MINUTE
    step(state, ev.TransferRejected(now, now, move.transfer.transfer_id, "withdrawals are off"))
    assert state.books["wallet"][0] == pytest.approx([500.0, 500.0])
    assert [moves(bar(state, n, 93.0)) for n in (3, 4, 5, 6)] == [[]] * 4
    [again] = moves(bar(state, 7, 93.0))
    assert again.transfer.transfer_id != move.transfer.transfer_id


def test_an_unknown_outcome_is_asked_about_and_nothing_is_sent_meanwhile() -> None:
    state, move = in_danger()
    name = move.transfer.transfer_id
    now = T0 + 2 * MINUTE
    assert step(state, ev.TransferUnknown(now, now, name))[1] == [QueryTransfer(name)]
    effects = bar(state, 4, 93.0)
    assert QueryTransfer(name) in effects
    assert moves(effects) == []
    step(state, ev.TransferSent(now, now, name))
    assert state.transfer is not None
    # On its way it is given time: its delay twice, and a minute.
    asked = [QueryTransfer(name) in bar(state, n, 93.0) for n in range(5, 70)]
    assert asked.index(True) == 60  # 61 minutes after it was last asked about


def test_halted_nothing_is_sent() -> None:
    state = guarded()
    step(state, ev.Halt(T0, T0, "enough"))
    assert moves(bar(state, 2, 93.0)) == []


def test_disabled_nothing_is_sent() -> None:
    assert moves(bar(guarded(enabled=False), 2, 93.0)) == []


@pytest.mark.parametrize("kind", [ev.TransferSent, ev.TransferUnknown])
def test_a_transfer_that_is_not_ours_halts_and_one_of_an_account_before_is_told(kind: Any) -> None:
    state, move = in_danger()
    now = T0 + 2 * MINUTE
    step(state, ev.Opened(now, now, 500.0, 500.0, 50.0, 93.0, 10.0, False))
    effects = step(state, kind(now, now, move.transfer.transfer_id))[1]
    assert state.trading is TradingState.ACTIVE
    assert "before this one" in effects[0].text  # type: ignore[union-attr]
    step(state, kind(now, now, "lh-other-t000000"))
    assert state.trading is TradingState.HALTED


@pytest.mark.parametrize("amount", [0.0, -1.0, 1e9, float("nan"), float("inf")])
def test_an_impossible_arrival_halts(amount: float) -> None:
    state, move = in_danger()
    now = T0 + 2 * MINUTE
    step(state, ev.TransferArrived(now, now, move.transfer.transfer_id, amount))
    assert state.trading is TradingState.HALTED


KINDS = {
    "sent": lambda now, name: ev.TransferSent(now, now, name),
    "arrived": lambda now, name: ev.TransferArrived(now, now, name, 10.0),
    "rejected": lambda now, name: ev.TransferRejected(now, now, name, "no"),
    "unknown": lambda now, name: ev.TransferUnknown(now, now, name),
}


@given(st.lists(st.tuples(st.sampled_from([*KINDS, "bar"]), st.floats(88.0, 104.0)), max_size=40))
def test_whatever_is_said_money_is_conserved_and_sent_once(story: list[tuple[str, float]]) -> None:
    state = guarded(min_usdt=5.0)
    ids: set[str] = set()
    for n, (what, price) in enumerate(story):
        if what == "bar":
            for move in moves(bar(state, n + 1, price)):
                note("sent")
                assert state.trading is not TradingState.HALTED
                assert move.transfer.transfer_id not in ids
                ids.add(move.transfer.transfer_id)
        elif state.transfer is not None:
            now = T0 + (n + 1) * MINUTE
            step(state, KINDS[what](now, state.transfer.transfer_id))
        account = state.books[0]
        total = account["wallet"].sum() + account["under_way"].sum() + account["transfer_fees"]
        assert total == pytest.approx(1000.0)
        assert (state.transfer is None) == (account["under_way"].sum() == 0.0)


def test_the_table() -> None:
    made = new_transfer("s", 3, 1, 12.34, T0)
    assert (made.transfer_id, str(made.amount_usdt)) == ("lh-s-t000003", "12.34")
    assert is_of("s", made.transfer_id)
    assert not is_of("other", made.transfer_id)
    done = advance(made, ev.TransferRejected(T0, T0, made.transfer_id, "no"))
    assert done.state is TransferState.REJECTED
    assert not done.is_open
    with pytest.raises(OrderProtocolError, match="was told TransferSent"):
        advance(done, ev.TransferSent(T0, T0, made.transfer_id))

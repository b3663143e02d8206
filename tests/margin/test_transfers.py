"""Money between two venues: conserved, never at the sender's cost, and when it comes in time."""

from __future__ import annotations

import numpy as np
import pytest
from books import CLEARANCE, ROWS, copy_of
from hypothesis import event, given
from hypothesis import strategies as st

from litehedge.margin.account import HEDGE, POSITION, Books, apply_fill, equity, new_account
from litehedge.margin.liquidation import liquidate, scope_bounds
from litehedge.margin.transfers import (
    arrive,
    call_back,
    scope_of,
    send,
    spare,
    standing,
    wanted_transfer,
)
from strategies import Plan, plans

TWO = ("two wallets", "isolated on two venues")
TRIGGER, TARGET = 0.15, 0.1
FEE, MINIMUM = 1.0, 20.0
PLENTY = 1e9


def opened(plan: Plan) -> Books:
    books = new_account(
        plan.wallet, plan.qty, plan.entry, plan.leverage, isolated=plan.isolated,
        second_wallet_usdt=plan.second_wallet,
    )  # fmt: skip
    if plan.ratio > 0.0:
        apply_fill(books, HEDGE, -plan.ratio * plan.qty, plan.hedge_price, 0.0, 0.0)
    return books


def wanted(
    books: Books, mark: float, *, trigger: float = TRIGGER, target: float = TARGET,
    most: float = PLENTY, minimum: float = MINIMUM, fee: float = FEE,
) -> tuple[int, float]:  # fmt: skip
    full = abs(float(books["qty"][0, POSITION]))
    leg, amount = wanted_transfer(
        books, mark, full, ROWS, ROWS, trigger, target, target, minimum, most, fee
    )
    return int(leg), float(amount)


def ratio(books: Books, leg: int, mark: float) -> float:
    """Maintenance over equity of what really stands on a leg's venue."""
    _, owned, needed = standing(books, leg, mark, 0.0, ROWS)
    if needed == 0.0:
        return 0.0
    return float(needed / owned) if owned > 0.0 else float("inf")


settings_of = st.tuples(st.floats(0.02, 0.9), st.floats(0.05, 0.95)).map(
    lambda pair: (pair[0], pair[0] * pair[1])  # trigger, target below it
)
moves = st.floats(-0.3, 0.3)


@given(
    plans(TWO, largest=3e6), moves, st.integers(0, 1), st.floats(0.01, 1.0), st.floats(0.0, 0.9),
    st.booleans(),
)  # fmt: skip
def test_money_is_conserved_on_the_way_and_called_back(
    plan: Plan, move: float, leg: int, share: float, cost: float, comes_back: bool
) -> None:
    books = opened(plan)
    mark = plan.entry * (1.0 + move)
    amount = share * plan.wallet
    fee = cost * amount
    before = copy_of(books)
    worth = float(equity(books, mark))
    close = {"rel": 1e-12, "abs": 1e-9 * plan.notional}
    send(books, leg, amount, fee)
    assert books["under_way"][0, leg] == pytest.approx(amount - fee)
    assert equity(books, mark) == pytest.approx(worth - fee, **close)
    if comes_back:
        call_back(books, leg, amount)
        assert equity(books, mark) == pytest.approx(worth, **close)
        for name in ("transfers", "transferred", "transfer_fees", "late_transfers"):
            assert books[name][0] == pytest.approx(before[name][0], **close)
    else:
        arrive(books, leg)
        assert (books["transfers"][0], books["transfer_fees"][0]) == (1, fee)
        assert equity(books, mark) == pytest.approx(worth - fee, **close)
    assert books["under_way"].sum() == 0.0


@given(plans(TWO, largest=3e6), moves, settings_of)
def test_the_sender_stays_at_its_target_and_the_other_comes_nearer_to_it(
    plan: Plan, move: float, numbers: tuple[float, float]
) -> None:
    trigger, target = numbers
    books = opened(plan)
    mark = plan.entry * (1.0 + move)
    leg, amount = wanted(books, mark, trigger=trigger, target=target)
    before = ratio(books, leg, mark)
    source = 1 - leg
    if amount == 0.0:
        return
    event("to the position" if leg == POSITION else "to the hedge")
    assert amount >= MINIMUM
    assert amount == pytest.approx(round(amount, 2), abs=1e-9)
    assert ratio(books, source, mark) <= target
    send(books, leg, amount, FEE)
    assert ratio(books, source, mark) <= target * (1.0 + 1e-9)
    low, high = scope_bounds(books, scope_of(books, source), mark, ROWS)
    assert low < mark < high
    arrive(books, leg)
    after = ratio(books, leg, mark)
    assert after <= before
    if leg == POSITION:
        assert after >= target * (1.0 - 1e-6) - 1e-12  # no more than was asked for
    # Nobody is short at once again but who got less than was needed.
    again, more = wanted(books, mark, trigger=trigger, target=target)
    assert more == 0.0 or again == leg


@given(plans(TWO, largest=3e6), st.floats(0.5, 0.97))
def test_one_at_a_time_and_within_the_day(plan: Plan, lost: float) -> None:
    books = opened(plan)
    mark = plan.entry * (1.0 - plan.side * lost / plan.leverage)
    leg, amount = wanted(books, mark)
    event("asked for" if amount > 0.0 else "not asked for")
    if amount > 0.0:
        assert wanted(books, mark, most=amount / 2)[1] <= amount / 2
        assert wanted(books, mark, minimum=amount * 1.01)[1] == 0.0
        send(books, leg, amount, FEE)
    else:
        send(books, HEDGE, 0.1, 0.0)
    assert wanted(books, mark) == (POSITION, 0.0)


@given(st.floats(0.0, 1e6), st.floats(-1e6, 1e6), st.floats(0.0, 1e5), st.floats(0.01, 0.99))
def test_an_unrealised_profit_does_not_leave(
    cash: float, owned: float, needed: float, keep: float
) -> None:
    free = spare(cash, owned, needed, keep)
    assert 0.0 <= free <= cash
    if free > 0.0:
        assert needed <= keep * (owned - free) * (1.0 + 1e-9) + 1e-9


def test_by_hand() -> None:
    """5x on 500 USDT, 500 wait elsewhere: 2,500 USDT, of which a venue wants 0.5 %."""
    books = new_account(500.0, 25.0, 100.0, 5.0, second_wallet_usdt=500.0)
    assert wanted(books, 100.0) == (POSITION, 0.0)
    # 25 x 83 x 0.005 = 10.375; equity 75; above 0.15 of it is below 69.17
    assert wanted(books, 83.0) == (POSITION, 0.0)
    leg, amount = wanted(books, 82.0)  # equity 50, maintenance 10.25, target 102.5, and the fee
    assert (leg, amount) == (POSITION, pytest.approx(53.5))
    send(books, leg, amount, FEE)
    assert books["wallet"][0].tolist() == [500.0, 446.5]
    assert equity(books, 82.0) == pytest.approx(1000.0 - 450.0 - 1.0)
    arrive(books, leg)
    assert books["wallet"][0].tolist() == [552.5, 446.5]


def test_a_hedge_on_a_rebound_is_helped_from_the_positions_venue() -> None:
    books = new_account(1000.0, 25.0, 100.0, 5.0, second_wallet_usdt=150.0)
    apply_fill(books, HEDGE, -25.0, 100.0, 0.0, 0.0)
    leg, amount = wanted(books, 104.0)  # 50 left behind 2,600 USDT
    assert leg == HEDGE
    assert amount == pytest.approx(25.0 * 104.0 * 0.005 / TARGET - 50.0 + FEE)


def test_the_venue_of_a_hedge_that_is_not_there_yet_is_kept_able_to_open_it() -> None:
    books = new_account(500.0, 25.0, 100.0, 5.0, second_wallet_usdt=150.0)
    leg, amount = wanted(books, 82.0)  # a full hedge needs 10.25, and 102.5 behind it
    assert (leg, amount) == (POSITION, pytest.approx(47.5))
    books = new_account(500.0, 25.0, 100.0, 5.0, second_wallet_usdt=50.0)
    assert wanted(books, 82.0)[1] == 0.0
    assert wanted(books, 100.0)[1] == 0.0  # nobody takes from the position for what is not there


def test_money_that_comes_too_late_is_counted_and_comes_anyhow() -> None:
    books = new_account(500.0, 25.0, 100.0, 5.0, second_wallet_usdt=500.0)
    send(books, POSITION, 100.0, FEE)
    assert liquidate(books, 70.0, ROWS, CLEARANCE)
    assert (books["liquidations"][0], books["hedge_liquidations"][0]) == (1, 0)
    assert books["late_transfers"][0] == 1
    before = float(equity(books, 70.0))
    arrive(books, POSITION)
    assert books["wallet"][0, 0] == pytest.approx(99.0)
    assert equity(books, 70.0) == pytest.approx(before)
    assert books["is_late"].sum() == 0


def test_money_for_an_isolated_position_that_is_gone_comes_into_its_wallet() -> None:
    books = new_account(500.0, 25.0, 100.0, 5.0, isolated=True, second_wallet_usdt=500.0)
    send(books, POSITION, 100.0, FEE)
    assert liquidate(books, 70.0, ROWS, CLEARANCE)
    arrive(books, POSITION)
    assert books["isolated"][0].tolist() == [0.0, 0.0]
    assert books["wallet"][0, 0] == pytest.approx(99.0)


# --- faster -------------------------------------------------------------------------------------


def lived(path: list[float], delay: int, *, transfers: int, hedge: float) -> bool:
    """Carry a 10x long along a path of marks, money taking `delay` steps; tell if it lives."""
    books = new_account(500.0, 50.0, 100.0, 10.0, second_wallet_usdt=500.0)
    if hedge > 0.0:
        apply_fill(books, HEDGE, -50.0 * hedge, 100.0, 0.0, 0.0)
    arrives, leg, sent = -1, POSITION, 0
    for i, mark in enumerate(path):
        if i == arrives:
            arrive(books, leg)
            arrives = -1
        liquidate(books, mark, ROWS, CLEARANCE)
        if books["qty"][0, POSITION] == 0.0:
            return False
        if arrives < 0 and sent < transfers:
            leg, amount = wanted(books, mark)
            if amount > 0.0:
                send(books, leg, amount, FEE)
                arrives, sent = i + delay, sent + 1
    return True


paths = st.lists(st.floats(-0.03, 0.025), min_size=5, max_size=40).map(
    lambda moves: (100.0 * np.cumprod(1.0 + np.array(moves))).tolist()
)


@given(paths, st.integers(1, 10), st.integers(1, 10))
def test_a_single_transfer_that_is_faster_kills_no_position(
    path: list[float], delay: int, more: int
) -> None:
    if lived(path, delay + more, transfers=1, hedge=0.0):
        assert lived(path, delay, transfers=1, hedge=0.0)


def test_many_transfers_that_are_faster_may_kill() -> None:
    """The fast money is there, and just below the trigger nothing is asked for.

    The slow one finds, when its first money is there, that the fall has gone further, asks for more
    at once, and stands the last step.
    """
    path = [93.0, 93.0, 91.3, 91.3, 89.8, 89.8, 89.8, 89.8, 89.8, 86.8]
    assert not lived(path, 1, transfers=99, hedge=0.0)
    assert lived(path, 4, transfers=99, hedge=0.0)

"""What must hold for every history of every account.

Conservation, agreement with the reference, and what a liquidation may and may not do.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from books import (
    CLEARANCE,
    ROWS,
    assert_same,
    copy_of,
    hedged,
    is_on_the_edge,
    position_of,
    smallest_gap,
)
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from reference import Account

from litehedge.margin import account as kernel
from litehedge.margin import liquidation
from litehedge.margin.account import HEDGE, POSITION, Books
from strategies import Plan, plans

Step = tuple[str, int, float, float]

shares = st.floats(0.01, 1.0)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("fill"), st.integers(0, 1), st.floats(-1.5, 1.5), st.floats(0, 2e-3)),
        st.tuples(st.just("move"), st.just(0), st.floats(-0.15, 0.15), st.just(0.0)),
        st.tuples(st.just("move"), st.just(0), st.floats(-1.0, 1.0), st.just(0.0)),
        st.tuples(st.just("funding"), st.just(0), st.floats(-0.01, 0.01), st.just(0.0)),
        st.tuples(st.just("adl"), st.integers(0, 1), shares, st.floats(-0.05, 0.05)),
        st.tuples(st.just("transfer"), st.integers(0, 1), shares, st.just(0.0)),
        st.tuples(st.just("liquidate"), st.just(0), st.just(0.0), st.just(0.0)),
    ),
    min_size=1,
    max_size=25,
)


class Life:
    """Carries both accounts through a history and adds up what should have become of equity."""

    def __init__(self, plan: Plan) -> None:
        self.books, self.reference = position_of(plan)
        self.unit = abs(plan.qty)
        self.mark = plan.entry
        self.scale = plan.notional
        self.expected = float(kernel.equity(self.books, self.mark))

    def live(self, step: Step) -> None:
        what, leg, x, y = step
        account = self.books[0]
        if what == "move":
            before, self.mark = self.mark, self.mark * math.exp(x)
            self.expected += float(account["qty"].sum()) * (self.mark - before)
        elif what == "fill" and abs(x) > 1e-6:
            self._fill(leg, x, y)
        elif what == "funding":
            paid = float(account["qty"].sum()) * self.mark * x
            self.expected -= paid
            assert kernel.apply_funding(self.books, self.mark, x) == pytest.approx(paid)
            self.reference.settle(self.mark, x)
        elif what == "adl":
            price = self.mark * (1.0 + y)
            closed = -float(account["qty"][leg]) * x
            self.expected += closed * (self.mark - price)
            kernel.auto_deleverage(self.books, leg, x, price)
            self.reference.deleverage(leg, x, price)
        elif what == "transfer":
            amount = x * max(float(account["wallet"][leg]), 0.0)
            kernel.transfer(self.books, leg, 1 - leg, amount)
            self.reference.transfer(leg, 1 - leg, amount)
        elif what == "liquidate":
            paid, helped = float(account["clearance"]), float(account["insurance"])
            happened = liquidation.liquidate(self.books, self.mark, ROWS, CLEARANCE)
            assert happened == self.reference.liquidate(self.mark, CLEARANCE)
            self.expected -= float(account["clearance"]) - paid
            self.expected += float(account["insurance"]) - helped
        self.scale = max(self.scale, float(np.abs(account["qty"]).sum()) * self.mark)

    def _fill(self, leg: int, share: float, cost: float) -> None:
        qty = share * self.unit
        price = self.mark * (1.0 + math.copysign(cost, qty))
        fee = abs(qty) * price * 5e-4
        trade = (leg, qty, price, fee, abs(qty * (price - self.mark)))
        kernel.apply_fill(self.books, *trade)
        self.reference.fill(*trade)
        self.expected += qty * (self.mark - price) - fee


@given(plans(largest=3e6), STEPS)
@settings(max_examples=150)
def test_equity_is_conserved_and_the_kernel_equals_the_reference_at_every_step(
    plan: Plan, history: list[Step]
) -> None:
    """Start + position x price change - what was paid + insurance; slippage is in the prices."""
    life = Life(plan)
    for step in history:
        life.live(step)
        tolerance = {"rel": 1e-9, "abs": 1e-9 * life.scale}
        assert kernel.equity(life.books, life.mark) == pytest.approx(life.expected, **tolerance)
        assert_same(life.books, life.reference, life.scale)
        _assert_same_readings(life.books, life.reference, life.mark, life.scale)
        _assert_cash_adds_up(life.books, plan, life.scale)


def _assert_same_readings(books: Books, reference: Account, mark: float, scale: float) -> None:
    for scope, pot in enumerate(reference.pots):
        mine = liquidation.gap(books, scope, mark, ROWS)
        assert mine == pytest.approx(reference.gap(pot, mark), rel=1e-9, abs=1e-9 * scale)
    ratio = reference.margin_ratio(mark)
    if ratio < 1e3:  # beyond, equity is a rounding error of large numbers
        assert liquidation.margin_ratio(books, mark, ROWS) == pytest.approx(ratio, rel=1e-5)


def _assert_cash_adds_up(books: Books, plan: Plan, scale: float) -> None:
    account = books[0]
    cash = float(account["wallet"].sum() + account["isolated"].sum())
    start = plan.wallet + (plan.second_wallet or 0.0)
    paid = account["fees"] + account["funding"] + account["clearance"] - account["insurance"]
    assert cash == pytest.approx(start + account["realised"] - paid, rel=1e-9, abs=1e-9 * scale)


# --- what a liquidation does ------------------------------------------------------------------

MOVES = st.floats(-1.2, 1.2)


@given(plans(), MOVES)
def test_a_liquidation_leaves_every_scope_flat_or_compliant(plan: Plan, move: float) -> None:
    books, _ = hedged(plan)
    mark = plan.entry * math.exp(move)
    assume(not is_on_the_edge(books, mark))
    before = np.abs(books["qty"][0]).copy()
    was_under = smallest_gap(books, mark) <= 0.0
    happened = liquidation.liquidate(books, mark, ROWS, CLEARANCE)
    assert happened == was_under
    assert smallest_gap(books, mark) > 0.0
    assert not liquidation.liquidate(books, mark, ROWS, CLEARANCE)
    assert np.all(np.abs(books["qty"][0]) <= before)
    if not books["qty"][0].any():
        assert np.all(books["wallet"][0] >= -1e-12 * plan.notional)
        assert np.all(books["isolated"][0] == 0.0)


@given(plans(), st.floats(0.0, 0.3))
def test_touching_the_bound_always_closes_something(plan: Plan, beyond: float) -> None:
    """A position that is told to die must not slip through by a rounding error."""
    books, _ = hedged(plan)
    assume(smallest_gap(books, plan.entry) > 0.0 and not is_on_the_edge(books, plan.entry))
    low, high = liquidation.bounds(books, plan.entry, ROWS)
    assert low < plan.entry < high
    for bound, toward in ((low, 1.0 - beyond), (high, 1.0 + beyond)):
        if not 0.0 < bound < np.inf:
            continue
        dying = copy_of(books)
        reached = bound * toward
        bar = (min(plan.entry, reached), max(plan.entry, reached))
        price = liquidation.liquidate_within(dying, low, high, plan.entry, *bar, ROWS, CLEARANCE)
        assert price == bound
        assert np.abs(dying["qty"][0]).sum() < np.abs(books["qty"][0]).sum()
        assert dying["liquidations"][0] >= 1
        assert smallest_gap(dying, price) > 0.0


@given(plans(), st.floats(0.0, 0.999))
def test_inside_the_bounds_nothing_happens(plan: Plan, share: float) -> None:
    books, _ = hedged(plan)
    assume(smallest_gap(books, plan.entry) > 0.0 and not is_on_the_edge(books, plan.entry))
    low, high = liquidation.bounds(books, plan.entry, ROWS)
    reach = min(high, 10 * plan.entry)
    bar = (plan.entry + share * (low - plan.entry), plan.entry + share * (reach - plan.entry))
    before = copy_of(books)
    price = liquidation.liquidate_within(books, low, high, plan.entry, *bar, ROWS, CLEARANCE)
    assert np.isnan(price)
    assert books.tobytes() == before.tobytes()
    for mark in bar:
        if share < 0.99:
            assert smallest_gap(books, mark) > 0.0


@given(plans(kinds=("isolated",)), st.floats(-3.0, 3.0))
def test_an_isolated_leg_loses_at_most_its_margin(plan: Plan, move: float) -> None:
    books, _ = hedged(plan)
    outside = books["wallet"][0].copy()
    set_aside = books["isolated"][0].copy()
    liquidation.liquidate(books, plan.entry * math.exp(move), ROWS, CLEARANCE)
    assert np.all(books["wallet"][0] >= outside)
    lost = set_aside.sum() - books["isolated"][0].sum() - (books["wallet"][0] - outside).sum()
    assert lost <= set_aside.sum() * (1 + 1e-12)


@given(plans(kinds=("two wallets",)), st.floats(-3.0, 3.0))
def test_one_venue_never_pays_for_the_other(plan: Plan, move: float) -> None:
    books, _ = hedged(plan)
    before = books["wallet"][0].copy()
    mark = plan.entry * math.exp(move)
    assume(not is_on_the_edge(books, mark))
    dies = [
        books["qty"][0, leg] != 0.0 and liquidation.gap(books, leg, mark, ROWS) <= 0.0
        for leg in (POSITION, HEDGE)
    ]
    liquidation.liquidate(books, mark, ROWS, CLEARANCE)
    for leg in (POSITION, HEDGE):
        if not dies[leg]:
            assert books["wallet"][0, leg] == before[leg]


def test_gaps_through_every_floor_end() -> None:
    """A rest that was cut to a tier's floor may lie above it by one rounding error."""
    rng = np.random.default_rng(5)
    for mark in np.round(rng.uniform(20.0, 200.0, 4000), 2).tolist():
        books = kernel.new_account(1.0, 30_000.0 / mark, mark, 20.0)
        assert liquidation.liquidate(books, mark, ROWS, CLEARANCE)
        assert books["qty"][0, POSITION] == 0.0

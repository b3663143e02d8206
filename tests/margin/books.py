"""The same account twice: as the package keeps it, and as the reference does."""

from __future__ import annotations

import numpy as np
import pytest
from reference import Account, TierRow, open_account

from litehedge.margin import account as kernel
from litehedge.margin import liquidation
from litehedge.margin.account import HEDGE, Books
from litehedge.margin.tiers import FLOOR, RATE, maintenance, tier_index
from strategies import Plan
from synthetic import packaged_tiers

TIERS = packaged_tiers()
ROWS = TIERS.rows
CLEARANCE = TIERS.clearance_fee
REFERENCE_TIERS: list[TierRow] = [(float(r[FLOOR]), float(r[RATE])) for r in ROWS]


def position_of(plan: Plan) -> tuple[Books, Account]:
    """Open the plan's position, still without hedge."""
    opening = (plan.wallet, plan.qty, plan.entry, plan.leverage)
    books = kernel.new_account(
        *opening, isolated=plan.isolated, second_wallet_usdt=plan.second_wallet
    )
    account = open_account(
        *opening, REFERENCE_TIERS, isolated=plan.isolated, second_wallet=plan.second_wallet
    )
    return books, account


def hedged(plan: Plan) -> tuple[Books, Account]:
    """Open the plan's position and put its hedge on."""
    books, account = position_of(plan)
    if plan.ratio > 0.0:
        trade = (HEDGE, -plan.ratio * plan.qty, plan.hedge_price, 0.0, 0.0)
        kernel.apply_fill(books, *trade)
        account.fill(*trade)
    return books, account


def assert_same(books: Books, account: Account, scale: float) -> None:
    """Hold every number of the two accounts together, to 1e-9 of the account's size."""
    row = books[0]
    close = pytest.approx
    legs = account.legs
    assert list(row["wallet"]) == close(account.wallets, rel=1e-9, abs=1e-9 * scale)
    assert list(row["qty"]) == close([leg.qty for leg in legs], rel=1e-9, abs=1e-9)
    assert list(row["entry"]) == close([leg.entry for leg in legs], rel=1e-9, abs=1e-9)
    assert list(row["isolated"]) == close([g.margin for g in legs], rel=1e-9, abs=1e-9 * scale)
    for name in ("fees", "slippage", "funding", "clearance", "insurance", "realised", "traded"):
        assert row[name] == close(getattr(account, name), rel=1e-9, abs=1e-9 * scale), name
    assert row["liquidations"] == account.liquidations


def gaps(books: Books, mark: float) -> list[float]:
    """The gap of every scope that holds something."""
    return [
        float(liquidation.gap(books, scope, mark, ROWS))
        for scope in range(kernel.N_SCOPES)
        if any(kernel.in_scope(books, scope, leg) and books["qty"][0, leg] != 0.0 for leg in (0, 1))
    ]


def smallest_gap(books: Books, mark: float) -> float:
    """The smallest gap of any scope that holds something; infinite when none does."""
    return min(gaps(books, mark), default=float("inf"))


def is_on_the_edge(books: Books, mark: float) -> bool:
    """Tell whether some scope is so near to its liquidation that rounding decides."""
    worth = float(np.abs(books["qty"][0]).sum()) * mark
    return any(abs(gap) <= 1e-7 * worth for gap in gaps(books, mark))


def copy_of(books: Books) -> Books:
    """A copy that shares nothing."""
    return np.array(books)


def lone_distance(equity_usdt: float, qty: float, mark: float) -> float:
    """Return the adverse move, as a fraction of `mark`, that liquidates a single leg.

    The closed formula of the venue, iterated over the tiers.
    """
    size = abs(qty)
    side = 1.0 if qty > 0.0 else -1.0
    if equity_usdt <= maintenance(size * mark, ROWS):
        return 0.0
    price = mark
    for _ in range(64):
        i = tier_index(size * price, ROWS)
        root = (equity_usdt + ROWS[i, 2] - side * size * mark) / (size * (ROWS[i, 1] - side))
        if side > 0.0 and root <= 0.0:
            if price == 0.0:
                return 1.0
            root = 0.0  # the tangent overshot: in a lower tier there may still be a price
        if abs(root - price) <= 1e-13 * root:
            break
        price = root
    return max(0.0, min(1.0, side * (1.0 - price / mark)))

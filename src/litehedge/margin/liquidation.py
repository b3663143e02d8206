"""Liquidation: at which mark price an account dies, and what the venue then closes.

Within a scope the *gap* between equity and maintenance, as a function of the mark price p, is

    gap(p) = base + sum_l q_l (p - e_l) - sum_l MM(|q_l| p)

MM is convex, so the gap is concave and the scope is alive on one interval (low, high) of prices.

Sources: Binance USD-M liquidation protocol and its closed formula
``LP = (WB + cum - side*Q*EP) / (Q*(MMR - side))``, of which the interval above is the
generalisation to two legs.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from litehedge.jit import kernel
from litehedge.margin.account import (
    HEDGE,
    N_SCOPES,
    POSITION,
    Books,
    add_to_base,
    in_scope,
    scope_base,
)
from litehedge.margin.tiers import maintenance, tier_index

Floats = NDArray[np.float64]


# --- where --------------------------------------------------------------------------------------


@kernel
def gap(books: Books, scope: int, mark: float, tiers: Floats) -> float:
    """Return equity minus maintenance of a scope at `mark`, in USDT."""
    account = books[0]
    total = scope_base(books, scope)
    for leg in range(2):
        if in_scope(books, scope, leg) and account.qty[leg] != 0.0:
            q = account.qty[leg]
            total += q * (mark - account.entry[leg]) - maintenance(abs(q) * mark, tiers)
    return total


@kernel
def _tangent(books: Books, scope: int, price: float, tiers: Floats) -> tuple[float, float]:
    """Return (constant, slope) of the straight piece of the gap at `price`."""
    account = books[0]
    constant = scope_base(books, scope)
    slope = 0.0
    for leg in range(2):
        if in_scope(books, scope, leg) and account.qty[leg] != 0.0:
            q = account.qty[leg]
            i = tier_index(abs(q) * price, tiers)
            constant += tiers[i, 2] - q * account.entry[leg]
            slope += q - abs(q) * tiers[i, 1]
    return constant, slope


@kernel
def _follow_tangents(books: Books, scope: int, start: float, tiers: Floats) -> float:
    """Newton's method on a concave piecewise linear gap: exact after finitely many pieces."""
    price = start
    for _ in range(64):
        constant, slope = _tangent(books, scope, price, tiers)
        root = -constant / slope
        if abs(root - price) <= 1e-13 * abs(root):
            return root
        price = root
    return price


@kernel
def scope_bounds(books: Books, scope: int, mark: float, tiers: Floats) -> tuple[float, float]:
    """Return the mark prices (low, high) at which a scope is liquidated.

    ``low`` is 0 and ``high`` is inf where there is no such price. A scope that is under
    maintenance already returns (inf, 0): every price liquidates it.
    """
    account = books[0]
    if not (
        (in_scope(books, scope, 0) and account.qty[0] != 0.0)
        or (in_scope(books, scope, 1) and account.qty[1] != 0.0)
    ):
        return 0.0, np.inf
    if gap(books, scope, mark, tiers) <= 0.0:
        return np.inf, 0.0
    _, slope_here = _tangent(books, scope, mark, tiers)
    at_zero, _ = _tangent(books, scope, 0.0, tiers)
    far = 1e12
    _, slope_far = _tangent(books, scope, far, tiers)
    low = 0.0
    if at_zero < 0.0:
        low = _follow_tangents(books, scope, mark if slope_here > 0.0 else 0.0, tiers)
    high = np.inf
    if slope_far < 0.0:
        high = _follow_tangents(books, scope, mark if slope_here < 0.0 else far, tiers)
    return low, high


@kernel
def bounds(books: Books, mark: float, tiers: Floats) -> tuple[float, float]:
    """Return the mark prices (low, high) at which any scope is liquidated first."""
    return bounds_apart(books, mark, tiers, tiers)


@kernel
def bounds_apart(books: Books, mark: float, tiers: Floats, second: Floats) -> tuple[float, float]:
    """Return the same where the second venue has tiers of its own."""
    low = 0.0
    high = np.inf
    for scope in range(N_SCOPES):
        rows = second if is_second(books, scope) else tiers
        scope_low, scope_high = scope_bounds(books, scope, mark, rows)
        low = max(low, scope_low)
        high = min(high, scope_high)
    return low, high


@kernel
def is_second(books: Books, scope: int) -> bool:
    """Tell whether a scope is on the second venue, which has tiers of its own."""
    return scope == 1 or (scope >= 2 and books[0].wallet_of[scope - 2] == 1)


@kernel
def distance(books: Books, mark: float, tiers: Floats) -> float:
    """Return how far the mark must move, as a fraction, until the first liquidation (cap 1).

    Looks at both directions: a fully hedged account can only die of maintenance growing with
    price.
    """
    return distance_apart(books, mark, tiers, tiers)


@kernel
def distance_apart(books: Books, mark: float, tiers: Floats, second: Floats) -> float:
    """Return the same where the second venue has tiers of its own."""
    low, high = bounds_apart(books, mark, tiers, second)
    return max(0.0, min(1.0, 1.0 - low / mark, high / mark - 1.0))


@kernel
def margin_ratio(books: Books, mark: float, tiers: Floats) -> float:
    """Return the worst scope's maintenance / equity: 1 or more means liquidation, 0 no position."""
    return margin_ratio_apart(books, mark, tiers, tiers)


@kernel
def margin_ratio_apart(books: Books, mark: float, tiers: Floats, second: Floats) -> float:
    """Return the same where the second venue has tiers of its own."""
    account = books[0]
    worst = 0.0
    for scope in range(N_SCOPES):
        rows = second if is_second(books, scope) else tiers
        owned = scope_base(books, scope)
        needed = 0.0
        for leg in range(2):
            if in_scope(books, scope, leg):
                q = account.qty[leg]
                owned += q * (mark - account.entry[leg])
                needed += maintenance(abs(q) * mark, rows)
        if needed > 0.0:
            ratio = needed / owned if owned > 0.0 else np.inf
            worst = max(worst, ratio)
    return worst


# --- what ---------------------------------------------------------------------------------------


@kernel
def _close_forced(books: Books, scope: int, leg: int, qty: float, price: float) -> None:
    """Close |qty| of a leg inside its scope; profit stays in the scope's base."""
    account = books[0]
    old = account.qty[leg]
    signed = -qty if old > 0.0 else qty
    profit = -signed * (price - account.entry[leg])
    add_to_base(books, scope, profit)
    account.realised += profit
    account.qty[leg] = old + signed
    if abs(account.qty[leg]) < 1e-12:
        account.qty[leg] = 0.0
        account.entry[leg] = 0.0
    account.traded += qty * price


@kernel
def _charge_clearance(books: Books, scope: int, notional: float, rate: float) -> None:
    """Take the clearance fee, but never more than the scope still has."""
    account = books[0]
    fee = min(notional * rate, max(scope_base(books, scope), 0.0))
    add_to_base(books, scope, -fee)
    account.clearance += fee


@kernel
def _liquidate_scope(
    books: Books, scope: int, price: float, tiers: Floats, clearance: float, slack: float
) -> None:
    account = books[0]
    # Hedge mode: what the two legs have in common is closed against each other, free of charge.
    if (
        in_scope(books, scope, 0)
        and in_scope(books, scope, 1)
        and account.qty[0] * account.qty[1] < 0.0
    ):
        common = min(abs(account.qty[0]), abs(account.qty[1]))
        _close_forced(books, scope, 0, common, price)
        _close_forced(books, scope, 1, common, price)
    for leg in range(2):
        # From the top tier down, until the rest is compliant again. No tier twice: a rest that was
        # cut to a floor may lie above it by a rounding error.
        i = tier_index(abs(account.qty[leg]) * price, tiers)
        while (
            in_scope(books, scope, leg)
            and account.qty[leg] != 0.0
            and gap(books, scope, price, tiers) <= slack
        ):
            size = abs(account.qty[leg])
            closing = max(0.0, size - tiers[i, 0] / price) if i > 0 else size
            i -= 1
            _close_forced(books, scope, leg, closing, price)
            _charge_clearance(books, scope, closing * price, clearance)
    flat = not (
        (in_scope(books, scope, 0) and account.qty[0] != 0.0)
        or (in_scope(books, scope, 1) and account.qty[1] != 0.0)
    )
    base = scope_base(books, scope)
    if flat and base < 0.0:
        add_to_base(books, scope, -base)
        account.insurance += -base
    if flat and scope >= 2:
        rest = scope_base(books, scope)
        account.isolated[scope - 2] = 0.0
        account.wallet[account.wallet_of[scope - 2]] += rest


@kernel
def _note_liquidation(books: Books, scope: int) -> None:
    """Count a liquidation, and the money that was under way to what it hits: it comes too late."""
    account = books[0]
    account.liquidations += 1
    if in_scope(books, scope, HEDGE) and not in_scope(books, scope, POSITION):
        account.hedge_liquidations += 1
    for leg in range(2):
        is_hit = in_scope(books, scope, leg) and account.under_way[leg] > 0.0
        if is_hit and account.is_late[leg] == 0:
            account.is_late[leg] = 1
            account.late_transfers += 1


@kernel
def liquidate(books: Books, price: float, tiers: Floats, clearance: float) -> bool:
    """Liquidate every scope under maintenance at the mark `price`; tell whether there was one.

    Opposite legs of one wallet are first closed against each other; then the rest is closed
    tier by tier until it is compliant, paying `clearance` on what is closed. A wallet never ends
    below zero: beyond the bankruptcy price the insurance fund pays.
    """
    account = books[0]
    any_liquidated = False
    for scope in range(N_SCOPES):
        notional = 0.0
        for leg in range(2):
            if in_scope(books, scope, leg):
                notional += abs(account.qty[leg]) * price
        # At the liquidation price itself the gap is zero up to rounding.
        slack = 1e-9 * notional
        if notional > 0.0 and gap(books, scope, price, tiers) <= slack:
            _note_liquidation(books, scope)
            _liquidate_scope(books, scope, price, tiers, clearance, slack)
            any_liquidated = True
    return any_liquidated


@kernel
def liquidate_within(
    books: Books, low: float, high: float, open_: float, bar_low: float, bar_high: float,
    tiers: Floats, clearance: float,
) -> float:  # fmt: skip
    """Liquidate if the bar's mark range touches the bounds. Return the price, NaN if alive.

    The trigger price is the bound itself, or the open when the bar opens beyond it. When one bar
    touches both bounds, the one nearer to the open counts.
    """
    hit_low = bar_low <= low
    hit_high = bar_high >= high
    if not (hit_low or hit_high):
        return np.nan
    if hit_low and (not hit_high or open_ - low <= high - open_):
        price = min(low, open_)
    else:
        price = max(high, open_)
    liquidate(books, price, tiers, clearance)
    return price

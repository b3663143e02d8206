"""The margin account of one user: two legs, two wallets, exact liquidation.

An account is one record of dtype `ACCOUNT`. Leg `POSITION` is what the user holds, leg `HEDGE`
is ours and of opposite sign. Each leg draws on one wallet, either with all of it (cross) or with
margin set aside (isolated); both legs in wallet 0 is hedge mode on one venue, the hedge in
wallet 1 is a second venue. The same kernels serve engine, backtest, simulator and training.

Whatever shares margin is a *scope*: wallet 0, wallet 1, or one isolated leg. Within a scope the
*gap* between equity and maintenance, as a function of the mark price p, is

    gap(p) = base + sum_l q_l (p - e_l) - sum_l MM(|q_l| p)

MM is convex, so the gap is concave and the scope is alive on one interval (low, high) of prices.

Sources: Binance USD-M liquidation protocol and its closed formula
``LP = (WB + cum - side*Q*EP) / (Q*(MMR - side))``, of which the interval above is the
generalisation to two legs.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from litehedge.jit import kernel
from litehedge.margin.tiers import maintenance, tier_index

POSITION: Final = 0
HEDGE: Final = 1

ACCOUNT: Final = np.dtype(
    [
        ("wallet", np.float64, (2,)),  # USDT, without unrealised profit
        ("qty", np.float64, (2,)),  # LTC, signed
        ("entry", np.float64, (2,)),  # USDT per LTC, average
        ("isolated", np.float64, (2,)),  # USDT set aside for an isolated leg
        ("leverage", np.float64, (2,)),  # sets the margin of isolated legs
        ("is_isolated", np.int64, (2,)),
        ("wallet_of", np.int64, (2,)),
        # What was paid so far, in USDT, positive = cost to the user
        ("fees", np.float64),
        ("slippage", np.float64),  # contained in the fill prices, told apart here
        ("funding", np.float64),
        ("clearance", np.float64),
        # What the venue's insurance fund paid for us beyond bankruptcy, in USDT
        ("insurance", np.float64),
        ("realised", np.float64),
        ("traded", np.float64),  # notional of all fills, in USDT
        ("liquidations", np.int64),
    ]
)

Floats = NDArray[np.float64]
Books = NDArray[np.void]
"""An array ``(1,)`` of `ACCOUNT`: unlike a single record it enters a kernel cheaply."""

N_SCOPES: Final = 4


def new_account(
    wallet_usdt: float,
    qty_ltc: float,
    entry_usdt: float,
    leverage: float,
    *,
    isolated: bool = False,
    second_wallet_usdt: float | None = None,
) -> Books:
    """Open the books on a position that the user already holds.

    With `isolated`, the position's margin (notional / leverage) moves out of the wallet; a hedge
    beside it is isolated too. With `second_wallet_usdt`, hedges live on a second venue that starts
    with that much and backs them with all of it.

    Shapes: returns a ``(1,)`` array of `ACCOUNT`, so that kernels can change it in place.
    """
    books = np.zeros(1, dtype=ACCOUNT)
    account = books[0]
    account["wallet"][0] = wallet_usdt
    account["leverage"][:] = leverage
    account["qty"][POSITION] = qty_ltc
    account["entry"][POSITION] = entry_usdt
    if second_wallet_usdt is not None:
        account["wallet"][1] = second_wallet_usdt
        account["wallet_of"][HEDGE] = 1
    if isolated:
        margin = abs(qty_ltc) * entry_usdt / leverage
        account["is_isolated"][POSITION] = 1
        account["is_isolated"][HEDGE] = 1 if second_wallet_usdt is None else 0
        account["isolated"][POSITION] = margin
        account["wallet"][0] -= margin
    return books


# --- scopes -----------------------------------------------------------------------------------


@kernel
def in_scope(books: Books, scope: int, leg: int) -> bool:
    """Tell whether `leg` draws on `scope` (0, 1: cross wallets; 2, 3: isolated legs 0, 1)."""
    account = books[0]
    if scope < 2:
        return account.is_isolated[leg] == 0 and account.wallet_of[leg] == scope
    return account.is_isolated[leg] == 1 and leg == scope - 2


@kernel
def scope_base(books: Books, scope: int) -> float:
    """Return the cash that backs a scope, in USDT."""
    account = books[0]
    if scope < 2:
        return account.wallet[scope]
    return account.isolated[scope - 2]


@kernel
def _add_to_base(books: Books, scope: int, amount: float) -> None:
    account = books[0]
    if scope < 2:
        account.wallet[scope] += amount
    else:
        account.isolated[scope - 2] += amount


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
    low = 0.0
    high = np.inf
    for scope in range(N_SCOPES):
        scope_low, scope_high = scope_bounds(books, scope, mark, tiers)
        low = max(low, scope_low)
        high = min(high, scope_high)
    return low, high


# --- reading the account ----------------------------------------------------------------------


@kernel
def unrealised(books: Books, mark: float) -> float:
    """Return the unrealised profit of both legs at `mark`, in USDT."""
    account = books[0]
    return account.qty[0] * (mark - account.entry[0]) + account.qty[1] * (mark - account.entry[1])


@kernel
def equity_line(books: Books) -> tuple[float, float]:
    """Return (constant, slope) of equity as a function of the mark: it is a straight line."""
    account = books[0]
    cash = account.wallet[0] + account.wallet[1] + account.isolated[0] + account.isolated[1]
    cost = account.qty[0] * account.entry[0] + account.qty[1] * account.entry[1]
    return cash - cost, account.qty[0] + account.qty[1]


@kernel
def equity(books: Books, mark: float) -> float:
    """Return everything the user owns at `mark`: wallets, set-aside margin, unrealised profit."""
    constant, slope = equity_line(books)
    return constant + slope * mark


@kernel
def margin_ratio(books: Books, mark: float, tiers: Floats) -> float:
    """Return the worst scope's maintenance / equity: 1 or more means liquidation, 0 no position."""
    account = books[0]
    worst = 0.0
    for scope in range(N_SCOPES):
        owned = scope_base(books, scope)
        needed = 0.0
        for leg in range(2):
            if in_scope(books, scope, leg):
                q = account.qty[leg]
                owned += q * (mark - account.entry[leg])
                needed += maintenance(abs(q) * mark, tiers)
        if needed > 0.0:
            ratio = needed / owned if owned > 0.0 else np.inf
            worst = max(worst, ratio)
    return worst


@kernel
def distance(books: Books, mark: float, tiers: Floats) -> float:
    """Return how far the mark must move, as a fraction, until the first liquidation (cap 1).

    Looks at both directions: a fully hedged account can only die of maintenance growing with
    price.
    """
    low, high = bounds(books, mark, tiers)
    return max(0.0, min(1.0, 1.0 - low / mark, high / mark - 1.0))


@kernel
def naked_distance(books: Books, mark: float, tiers: Floats) -> float:
    """Return the adverse move that would liquidate the position if its hedge were lifted now.

    A fraction of `mark`, at most 1; the position's own scope only.
    """
    account = books[0]
    q = account.qty[POSITION]
    if q == 0.0:
        return 1.0
    scope = 2 if account.is_isolated[POSITION] else account.wallet_of[POSITION]
    base = scope_base(books, scope)
    for leg in range(2):
        if in_scope(books, scope, leg):
            base += account.qty[leg] * (mark - account.entry[leg])
    return lone_distance(base, q, mark, tiers)


@kernel
def lone_distance(equity_usdt: float, qty: float, mark: float, tiers: Floats) -> float:
    """Return the adverse move, as a fraction of `mark`, that liquidates a single leg.

    The closed formula of the venue, iterated over the tiers.
    """
    size = abs(qty)
    side = 1.0 if qty > 0.0 else -1.0
    if equity_usdt <= maintenance(size * mark, tiers):
        return 0.0
    price = mark
    for _ in range(64):
        i = tier_index(size * price, tiers)
        root = (equity_usdt + tiers[i, 2] - side * size * mark) / (size * (tiers[i, 1] - side))
        if side > 0.0 and root <= 0.0:
            if price == 0.0:
                return 1.0
            root = 0.0  # the tangent overshot: in a lower tier there may still be a price
        if abs(root - price) <= 1e-13 * root:
            break
        price = root
    return max(0.0, min(1.0, side * (1.0 - price / mark)))


# --- changing the account ---------------------------------------------------------------------


@kernel
def apply_fill(
    books: Books, leg: int, qty: float, price: float, fee: float, slippage: float
) -> None:
    """Book a fill of signed `qty` at `price`; `fee` and `slippage` in USDT, positive = cost.

    Slippage is already in `price`; it is only remembered apart. A fill may cross zero. An
    isolated leg takes margin from its wallet as it grows and gives it back as it shrinks.
    """
    account = books[0]
    old = account.qty[leg]
    wallet = account.wallet_of[leg]
    if old * qty < 0.0:
        closed = min(abs(qty), abs(old))
        profit = closed * (price - account.entry[leg]) * (1.0 if old > 0.0 else -1.0)
        account.wallet[wallet] += profit
        account.realised += profit
        if account.is_isolated[leg]:
            released = account.isolated[leg] * (closed / abs(old))
            account.isolated[leg] -= released
            account.wallet[wallet] += released
    new = old + qty
    if abs(new) < 1e-12:
        new = 0.0
    opened = 0.0
    if old * qty >= 0.0:
        opened = abs(qty)
        if new != 0.0:
            account.entry[leg] = (old * account.entry[leg] + qty * price) / new
    elif old * new < 0.0:
        opened = abs(new)
        account.entry[leg] = price
    if account.is_isolated[leg] and opened > 0.0:
        margin = opened * price / account.leverage[leg]
        account.isolated[leg] += margin
        account.wallet[wallet] -= margin
    if new == 0.0:
        account.entry[leg] = 0.0
    account.qty[leg] = new
    account.wallet[wallet] -= fee
    account.fees += fee
    account.slippage += slippage
    account.traded += abs(qty) * price


@kernel
def apply_funding(books: Books, mark: float, rate: float) -> float:
    """Settle one funding interval: longs pay shorts when `rate` is positive. Return what we paid.

    Isolated legs pay from their own margin.
    """
    account = books[0]
    paid = 0.0
    for leg in range(2):
        amount = account.qty[leg] * mark * rate
        if account.is_isolated[leg]:
            account.isolated[leg] -= amount
        else:
            account.wallet[account.wallet_of[leg]] -= amount
        paid += amount
    account.funding += paid
    return paid


@kernel
def transfer(books: Books, source: int, target: int, amount: float) -> None:
    """Move cash between the wallets of two venues; what arrives is what was sent."""
    account = books[0]
    account.wallet[source] -= amount
    account.wallet[target] += amount


@kernel
def auto_deleverage(books: Books, leg: int, share: float, price: float) -> float:
    """Close `share` of a leg by the venue's ADL at `price`, without a fee. Return the quantity."""
    account = books[0]
    qty = -account.qty[leg] * share
    apply_fill(books, leg, qty, price, 0.0, 0.0)
    return qty


@kernel
def _close_forced(books: Books, scope: int, leg: int, qty: float, price: float) -> None:
    """Close |qty| of a leg inside its scope; profit stays in the scope's base."""
    account = books[0]
    old = account.qty[leg]
    signed = -qty if old > 0.0 else qty
    profit = -signed * (price - account.entry[leg])
    _add_to_base(books, scope, profit)
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
    _add_to_base(books, scope, -fee)
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
        _add_to_base(books, scope, -base)
        account.insurance += -base
    if flat and scope >= 2:
        rest = scope_base(books, scope)
        account.isolated[scope - 2] = 0.0
        account.wallet[account.wallet_of[scope - 2]] += rest


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
            _liquidate_scope(books, scope, price, tiers, clearance, slack)
            account.liquidations += 1
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

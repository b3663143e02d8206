"""The margin account of one user: two legs, two wallets, what they hold and what changes them.

An account is one record of dtype `ACCOUNT`. Leg `POSITION` is what the user holds, leg `HEDGE`
is ours and of opposite sign. Each leg draws on one wallet, either with all of it (cross) or with
margin set aside (isolated); both legs in wallet 0 is hedge mode on one venue, the hedge in
wallet 1 is a second venue. The same kernels serve engine, backtest, simulator and training.

Whatever shares margin is a *scope*: wallet 0, wallet 1, or one isolated leg.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from litehedge.jit import kernel

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
        ("hedge_liquidations", np.int64),  # of these, of a hedge that stands alone in its scope
        # Money between two venues: see `transfers`
        ("under_way", np.float64, (2,)),  # USDT on its way to what backs each leg
        ("is_late", np.int64, (2,)),  # whether that leg was liquidated meanwhile
        ("transfers", np.int64),
        ("late_transfers", np.int64),
        ("transferred", np.float64),  # USDT that left
        ("transfer_fees", np.float64),  # USDT
    ]
)

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
def add_to_base(books: Books, scope: int, amount: float) -> None:
    """Add USDT to the cash that backs a scope."""
    account = books[0]
    if scope < 2:
        account.wallet[scope] += amount
    else:
        account.isolated[scope - 2] += amount


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
    cash += account.under_way[0] + account.under_way[1]
    cost = account.qty[0] * account.entry[0] + account.qty[1] * account.entry[1]
    return cash - cost, account.qty[0] + account.qty[1]


@kernel
def equity(books: Books, mark: float) -> float:
    """Return everything the user owns at `mark`.

    Wallets, set-aside margin, money between two venues, unrealised profit.
    """
    constant, slope = equity_line(books)
    return constant + slope * mark


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
def deleveraging_rank(books: Books, leg: int, mark: float) -> float:
    """Return how early a venue deleverages a leg: profit by entry notional x effective leverage.

    Effective leverage is the leg's notional by the equity of its scope. 0 for a leg that loses;
    infinity without equity. Source: Binance's leverage and profit ranking.
    """
    account = books[0]
    qty = account.qty[leg]
    gain = qty * (mark - account.entry[leg])
    if gain <= 0.0:
        return 0.0
    worth = 0.0
    for scope in range(N_SCOPES):
        if in_scope(books, scope, leg):
            worth = scope_base(books, scope)
            for other in range(2):
                if in_scope(books, scope, other):
                    worth += account.qty[other] * (mark - account.entry[other])
    if worth <= 0.0:
        return np.inf
    return gain / account.entry[leg] * mark / worth


@kernel
def auto_deleverage(books: Books, leg: int, share: float, price: float) -> float:
    """Close `share` of a leg by the venue's ADL at `price`, without a fee. Return the quantity."""
    account = books[0]
    qty = -account.qty[leg] * share
    apply_fill(books, leg, qty, price, 0.0, 0.0)
    return qty

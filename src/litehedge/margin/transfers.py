"""Money between two venues: when margin is asked for, how much may leave, what is under way.

The position's margin is on one venue, the hedge's on another. When one of them runs short, money
that the other can spare is sent; it leaves at once and arrives later, and while under way it backs
nothing. Two numbers keep it from going to and fro: margin is asked for above the *trigger* ratio
(maintenance / equity) and brings it down to the *target*; the sender stays at the target or below.

Only cash leaves. Venues count an unrealised profit as margin but do not pay it out (Binance USD-M,
Bybit, OKX alike), so what a hedge has earned frees the cash behind it, and no more.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from litehedge.jit import kernel
from litehedge.margin.account import HEDGE, POSITION, Books, add_to_base, scope_base
from litehedge.margin.tiers import maintenance

Floats = NDArray[np.float64]


@kernel
def scope_of(books: Books, leg: int) -> int:
    """Return the scope that a leg draws on."""
    account = books[0]
    return leg + 2 if account.is_isolated[leg] == 1 else account.wallet_of[leg]


@kernel
def standing(
    books: Books, leg: int, mark: float, full_ltc: float, tiers: Floats
) -> tuple[float, float, float]:
    """Return (cash, equity, maintenance) of a leg's scope at `mark`, in USDT.

    For legs that share no margin. The hedge's maintenance is that of a hedge of `full_ltc` or more.
    """
    account = books[0]
    qty = account.qty[leg]
    cash = scope_base(books, scope_of(books, leg))
    size = abs(qty)
    if leg == HEDGE:
        size = max(size, full_ltc)
    return cash, cash + qty * (mark - account.entry[leg]), maintenance(size * mark, tiers)


@kernel
def spare(cash: float, equity: float, needed: float, keep: float) -> float:
    """Return the cash that may leave so that maintenance / equity stays at `keep` or below."""
    return max(0.0, min(cash, equity - needed / keep))


@kernel
def wanted_transfer(
    books: Books, mark: float, full_ltc: float, tiers: Floats, hedge_tiers: Floats, trigger: float,
    target: float, keep: float, minimum: float, most: float, fee: float,
) -> tuple[int, float]:  # fmt: skip
    """Return which leg's margin needs money, and how much is to leave the other's, in USDT.

    The position comes first. 0 when nothing is to be done: nobody is short, what can be spared is
    too little, or the one sent before is still under way. The fee is taken out of what leaves.

    Parameters
    ----------
    full_ltc
        Size of a full hedge. Its venue keeps what that needs: it must be able to open it, and a
        transfer takes time.
    tiers, hedge_tiers
        Of the venue of the position, and of the hedge's.
    trigger, target, keep
        Margin ratios: above which money is asked for, to which it is brought, at which the sender
        stays at most.
    minimum, most
        The least and the most that may leave now, in USDT.
    """
    account = books[0]
    if account.under_way[0] + account.under_way[1] > 0.0:
        return POSITION, 0.0
    for leg in range(2):
        here, there = (tiers, hedge_tiers) if leg == POSITION else (hedge_tiers, tiers)
        _, equity, needed = standing(books, leg, mark, 0.0, here)
        if needed > trigger * equity:
            cash, owned, kept = standing(books, 1 - leg, mark, full_ltc, there)
            amount = min(needed / target - equity + fee, spare(cash, owned, kept, keep), most)
            if amount >= minimum:
                # To the cent, not above what was found.
                return leg, np.floor(amount * 100.0 * (1.0 + 1e-15)) / 100.0
    return POSITION, 0.0


@kernel
def send(books: Books, target: int, amount: float, fee: float) -> None:
    """Let money leave for what backs leg `target`; the fee is taken out of it."""
    account = books[0]
    add_to_base(books, scope_of(books, 1 - target), -amount)
    account.under_way[target] += amount - fee
    account.is_late[target] = 0
    account.transfers += 1
    account.transferred += amount
    account.transfer_fees += fee


@kernel
def _into(books: Books, leg: int, amount: float) -> None:
    """Add USDT to what backs a leg; where the leg is gone, to its wallet."""
    account = books[0]
    scope = scope_of(books, leg)
    if account.qty[leg] == 0.0:
        scope = account.wallet_of[leg]
    add_to_base(books, scope, amount)


@kernel
def arrive(books: Books, target: int) -> None:
    """Let what is under way to leg `target` arrive, whether the leg still lives or not."""
    account = books[0]
    _into(books, target, account.under_way[target])
    account.under_way[target] = 0.0
    account.is_late[target] = 0


@kernel
def call_back(books: Books, target: int, amount: float) -> None:
    """Undo a transfer of `amount` that the venue did not make: it never left."""
    account = books[0]
    _into(books, 1 - target, amount)
    account.transfer_fees -= amount - account.under_way[target]
    account.transferred -= amount
    account.transfers -= 1
    account.late_transfers -= account.is_late[target]
    account.under_way[target] = 0.0
    account.is_late[target] = 0

"""One frame's decision: policy, override, guards, size. The engine and the fast backtest call it.

Whatever else differs between live, paper and backtest, the numbers that lead to an order come
out of these kernels.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from litehedge.hedge.costs import trade_cost
from litehedge.hedge.exposure import APART, REDUCE, SAME_ACCOUNT, SECOND_VENUE
from litehedge.hedge.policies import decide
from litehedge.hedge.rule_kernel import under_rules
from litehedge.hedge.terms import Record, Terms
from litehedge.jit import kernel
from litehedge.margin.account import HEDGE, POSITION, Books, equity, equity_line
from litehedge.margin.tiers import maintenance
from litehedge.risk.limits import allowances, equity_stopped, refill

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]


@kernel
def sizes(terms: Terms, books: Books) -> tuple[float, float]:
    """Return the unsigned sizes of position and hedge in LTC.

    When reducing, the position is what it was at the start, and what we sold of it is the hedge.
    """
    account = books[0]
    held = abs(account.qty[POSITION])
    if terms[0].location == REDUCE:
        return terms[0].size, terms[0].size - held
    return held, abs(account.qty[HEDGE])


def note_opening(terms: Terms, books: Books, price: float) -> None:
    """Let the terms know the position that was opened at `price`: its size, and its floor.

    Shapes: `terms` and `books` ``(1,)``.
    """
    terms["size"] = abs(books[0]["qty"][POSITION])
    constant, slope = backing_line(terms, books)
    terms["floor"] = (1.0 - terms["budget"]) * (constant + slope * price)


@kernel
def note_forced_closing(terms: Terms, books: Books, hedge: float) -> None:
    """After a liquidation: what the venue closed is gone, and no hedge that could be lifted.

    `hedge` is its size in LTC from before.
    """
    if terms[0].location == REDUCE:
        terms[0].size = abs(books[0].qty[POSITION]) + hedge


@kernel
def backing_line(terms: Terms, books: Books) -> tuple[float, float]:
    """Return (constant, slope) in price of the equity in USDT that backs the position.

    All of it when hedge and position share their margin; else what the position's own scope has
    (of an isolated position that was reduced, as if it were whole).
    """
    if terms[0].coupling != APART:
        return equity_line(books)
    account = books[0]
    qty = account.qty[POSITION]
    cash = account.wallet[account.wallet_of[POSITION]]
    whole = 1.0
    if account.is_isolated[POSITION] == 1:
        cash = account.isolated[POSITION]
        if terms[0].location == REDUCE and qty != 0.0:
            whole = terms[0].size / abs(qty)
    return (cash - qty * account.entry[POSITION]) * whole, qty * whole


@kernel
def _hedge_margin(
    terms: Record, books: Books, position: float, price: float, worth: float
) -> tuple[float, float]:
    """Return what backs the hedge leg, and what of it the position needs, in USDT.

    Infinity when there is no such leg.
    """
    if terms.location == SAME_ACCOUNT:
        return worth, maintenance(position * price, terms.tiers)
    if terms.location == SECOND_VENUE:
        account = books[0]
        wallet = account.wallet[account.wallet_of[HEDGE]]
        return wallet + account.qty[HEDGE] * (price - account.entry[HEDGE]), 0.0
    return np.inf, 0.0


@kernel
def guarded_change(
    terms: Record, ratio: float, lo: float, hi: float, position: float, hedge: float, price: float,
    worth: float, books: Books, depth_usdt: float, age_s: float, now_ns: int,
    budgets: NDArray[np.void], limits: NDArray[np.void], allowed: Floats,
) -> tuple[float, float]:  # fmt: skip
    """Turn a ratio outside its band into the change that the guards allow.

    Returns
    -------
    tuple
        Wanted and allowed change of the hedge in LTC, signed; positive adds hedge. `allowed`
        ``(N_GUARDS,)`` is written: what each guard allows.
    """
    refill(budgets, limits, now_ns)
    edge = lo if ratio < lo else hi
    wanted = (edge - ratio) * position
    reduces_leg = wanted < 0.0 if terms.location != REDUCE else wanted > 0.0
    backing, taken = _hedge_margin(terms, books, position, price, worth)
    size = allowances(
        wanted, position, hedge, price, worth, depth_usdt, age_s, backing, taken, reduces_leg,
        budgets, limits, terms.tiers, terms.lot, terms.min_notional, allowed,
    )  # fmt: skip
    return wanted, size if wanted > 0.0 else -size


@kernel
def slack_of(position: float, lot: float) -> float:
    """Return the distance from its band, in hedge ratio, that is worth one lot."""
    return lot * (1.0 - 1e-6) / position


@kernel
def is_outside(ratio: float, lo: float, hi: float, slack: float) -> bool:
    """Tell whether a hedge ratio lies outside its band by at least the slack."""
    return ratio <= lo - slack or ratio >= hi + slack


@kernel
def is_cut(wanted: float, change: float, lot: float) -> bool:
    """Tell whether guards cut a change by more than the rounding to lots."""
    return abs(wanted) - abs(change) >= lot * (1.0 - 1e-6)


@kernel
def decision(
    terms: Terms, memory: Floats, signals: Singles, frame: int, now_ns: int, price: float,
    depth_usdt: float, age_s: float, override: float, books: Books, budgets: NDArray[np.void],
    limits: NDArray[np.void], allowed: Floats,
) -> tuple[float, float, float, float]:  # fmt: skip
    """Decide what to do with the hedge at the end of a frame.

    Parameters
    ----------
    memory
        ``(N_MEMORY,)``: what policy and rules remember, changed in place.
    override
        Hedge ratio that a person set, NaN to follow the policy; it outranks rules too.
    allowed
        ``(N_GUARDS,)``, written: what each guard allows; infinity where the band asks nothing.

    Returns
    -------
    tuple
        Band edges ``lo`` and ``hi``; signed change of the hedge that was wanted and that is
        allowed, in LTC (positive adds hedge).
    """
    allowed[:] = np.inf
    position, hedge = sizes(terms, books)
    if position <= 0.0:
        return 0.0, 0.0, 0.0, 0.0
    worth = equity(books, price)
    if equity_stopped(budgets, limits, worth):
        budgets[0].state = max(budgets[0].state, 1)
    ratio = hedge / position
    if np.isnan(override):
        constant, slope = backing_line(terms, books)
        lo, hi, memory[0] = decide(
            terms[0], memory[0], signals, frame, now_ns, position, price, constant + slope * price
        )
        if terms[0].n_rules > 0:
            lo, hi = under_rules(
                terms[0], memory, signals, frame, now_ns, ratio, constant + slope * price,
                position * price, worth / budgets[0].equity_start, lo, hi,
            )  # fmt: skip
    else:
        lo = min(max(override, 0.0), terms[0].max_ratio)
        hi = lo
    wanted = 0.0
    change = 0.0
    if is_outside(ratio, lo, hi, slack_of(position, terms[0].lot)):
        wanted, change = guarded_change(
            terms[0], ratio, lo, hi, position, hedge, price, worth, books, depth_usdt, age_s,
            now_ns, budgets, limits, allowed,
        )  # fmt: skip
    return lo, hi, wanted, change


@kernel
def order_quantity(terms: Terms, change: float) -> tuple[int, float]:
    """Return the leg and signed quantity that change the hedge by `change` LTC.

    More hedge means selling for a long position: on the hedge leg, or, when reducing, on the
    position itself.
    """
    leg = POSITION if terms[0].location == REDUCE else HEDGE
    return leg, -terms[0].side * change


@kernel
def collar_price(terms: Terms, price: float, qty: float) -> float:
    """Return the worst price of an order decided at `price`: inside the collar, on a tick."""
    tick = terms[0].tick
    if qty > 0.0:
        ticks = np.floor(price * (1.0 + terms[0].collar) / tick + 1e-9)
    else:
        ticks = np.ceil(price * (1.0 - terms[0].collar) / tick - 1e-9)
    return np.round(ticks * tick * 1e8) / 1e8


@kernel
def cost_of_hedge(terms: Terms, signals: Singles, frame: int, qty: float) -> float:
    """Return the expected cost of hedging `qty` LTC once, as a fraction of its notional."""
    return trade_cost(terms[0], signals, frame, qty)

"""One frame's decision: policy, override, guards, size. The engine and the fast backtest call it.

Whatever else differs between live, paper and backtest, the numbers that lead to an order come
out of these kernels.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from litehedge.hedge.costs import trade_cost
from litehedge.hedge.exposure import (
    APART,
    REDUCE,
    SAME_ACCOUNT,
    SECOND_VENUE,
    counts_in_time,
    hedged_distance,
)
from litehedge.hedge.policies import decide
from litehedge.hedge.rule_kernel import under_rules
from litehedge.hedge.terms import Record, Terms
from litehedge.jit import kernel
from litehedge.margin.account import HEDGE, POSITION, Books, equity, equity_line
from litehedge.margin.tiers import maintenance
from litehedge.margin.transfers import (
    arrive,
    call_back,
    send,
    spare,
    standing,
    wanted_transfer,
)
from litehedge.risk.governor import eased, eases_below
from litehedge.risk.limits import (
    MARGIN_GUARD,
    MINIMUM_GUARD,
    allow_margin,
    allowances,
    equity_stopped,
    refill,
    share_left,
    transfer_budget,
    whole_lots,
)
from litehedge.risk.verdicts import Case, Verdict, verdicts
from litehedge.units import NS_PER_MINUTE

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
    (of an isolated position that was reduced, as if it were whole; where nothing is left of it,
    what would be set aside for a new one).
    """
    if terms[0].coupling != APART:
        return equity_line(books)
    account = books[0]
    qty = account.qty[POSITION]
    cash = account.wallet[account.wallet_of[POSITION]]
    whole = 1.0
    if account.is_isolated[POSITION] == 1:
        cash = account.isolated[POSITION]
        if terms[0].location == REDUCE and qty == 0.0:
            return 0.0, terms[0].size / account.leverage[POSITION]
        if terms[0].location == REDUCE:
            whole = terms[0].size / abs(qty)
    return (cash - qty * account.entry[POSITION]) * whole, qty * whole


@kernel
def aided_equity(
    terms: Terms, books: Books, signals: Singles, frame: int, price: float, own: float
) -> float:
    """Return the equity that backs the position, in USDT, with what the hedge's venue can send.

    `own` is the position's own. What is under way and what can be spared count as far as they come
    in time. A hedge apart helps the position by this alone. `terms` remember the difference: it
    keeps liquidation away, but it is no profit that may be risked.
    """
    fixed = terms[0]
    fixed.aid = 0.0
    size = abs(books[0].qty[POSITION])
    notional = size * price
    cash, owned, needed = standing(books, HEDGE, price, fixed.max_ratio * size, fixed.hedge_tiers)
    coming = books[0].under_way[POSITION]
    more = spare(cash, owned, needed, fixed.transfer_keep)
    if more >= fixed.transfer_minimum:
        more -= fixed.transfer_fee
    else:
        more = 0.0
    if more + coming <= 0.0:
        return own
    rate = maintenance(notional, fixed.tiers) / notional
    away = hedged_distance(fixed.side, 0.0, own / notional, rate, APART)
    at_trigger = np.inf
    if coming == 0.0:
        at_trigger = hedged_distance(fixed.side, 0.0, rate / fixed.transfer_trigger, rate, APART)
    delay_min = fixed.transfer_delay_ns / NS_PER_MINUTE
    counts = counts_in_time(signals, frame, fixed.side, away, at_trigger, delay_min)
    if np.isnan(counts):  # a forecast of no movement at all: such a model brings no money
        counts = 0.0
    fixed.aid = counts * (more + coming)
    return own + fixed.aid


@kernel
def backing(terms: Terms, books: Books, signals: Singles, frame: int, price: float) -> float:
    """Return the equity in USDT on which policies judge the position."""
    constant, slope = backing_line(terms, books)
    own = constant + slope * price
    if terms[0].moves_money == 0:
        return own
    return aided_equity(terms, books, signals, frame, price, own)


@kernel
def transfer_due(
    terms: Terms, books: Books, price: float, now_ns: int, budgets: NDArray[np.void]
) -> tuple[int, float]:
    """Return which leg's margin is to be helped, and with how much that leaves the other's (USDT).

    0 where there is nothing to do, where money does not move, and where trading is halted.
    """
    fixed = terms[0]
    if fixed.moves_money == 0 or budgets[0].state >= 2:
        return POSITION, 0.0
    full = fixed.max_ratio * abs(books[0].qty[POSITION])
    most = transfer_budget(budgets, now_ns, fixed.transfer_per_day)
    return wanted_transfer(
        books, price, full, fixed.tiers, fixed.hedge_tiers, fixed.transfer_trigger,
        fixed.transfer_target, fixed.transfer_keep, fixed.transfer_minimum, most,
        fixed.transfer_fee,
    )  # fmt: skip


@kernel
def money_left(terms: Terms, books: Books, target: int, amount: float) -> None:
    """Let money leave for leg `target`'s margin. What is brought to or taken from the position's
    margin moves its floor too: it is neither a profit nor a loss.
    """
    send(books, target, amount, terms[0].transfer_fee)
    if target == HEDGE:
        terms[0].floor -= amount


@kernel
def money_came(terms: Terms, books: Books, target: int) -> None:
    """Let what is under way to leg `target` arrive."""
    if target == POSITION:
        terms[0].floor += books[0].under_way[target]
    arrive(books, target)


@kernel
def money_back(terms: Terms, books: Books, target: int, amount: float) -> None:
    """Undo a transfer that the venue did not make."""
    call_back(books, target, amount)
    if target == HEDGE:
        terms[0].floor += amount


@kernel
def hedge_margin(
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
def _room_to_grow(
    terms: Record, books: Books, size: float, price: float, worth: float, buffer: float
) -> float:
    """Return how much of `size` LTC a reduced position may grow by, as its venue sees it.

    The margin buffer must be left; an isolated position takes its margin from the wallet, which
    pays the fee too, at the worst price of the order.
    """
    account = books[0]
    if account.is_isolated[POSITION] == 1:
        cost = 1.0 / account.leverage[POSITION] + terms.taker_fee
        cash = account.wallet[account.wallet_of[POSITION]]
        return max(0.0, cash / (price * (1.0 + terms.collar) * cost))
    held = abs(account.qty[POSITION])
    return allow_margin(size, held, price, worth, 0.0, buffer, terms.tiers)


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
    backing, taken = hedge_margin(terms, books, position, price, worth)
    size = allowances(
        wanted, position, hedge, price, worth, depth_usdt, age_s, backing, taken, reduces_leg,
        budgets, limits, terms.hedge_tiers, terms.lot, terms.min_notional, allowed,
    )  # fmt: skip
    if terms.location == REDUCE and wanted < 0.0:
        room = _room_to_grow(terms, books, size, price, worth, limits[0].min_margin_buffer)
        if room < size:
            allowed[MARGIN_GUARD] = room
            size = whole_lots(room, terms.lot)
            if size * price < terms.min_notional:
                allowed[MINIMUM_GUARD] = 0.0
                size = 0.0
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
        behind = backing(terms, books, signals, frame, price)
        lo, hi, memory[0] = decide(
            terms[0], memory[0], signals, frame, now_ns, position, price, behind
        )
        if worth < eases_below(budgets, limits):
            hi = eased(hi, terms[0].max_ratio, worth, now_ns, budgets, limits)
        if terms[0].n_rules > 0:
            lo, hi = under_rules(
                terms[0], memory, signals, frame, now_ns, ratio, behind, position * price,
                share_left(budgets, worth), lo, hi,
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


def said_by_guards(
    terms: Terms, books: Books, wanted: float, price: float, depth_usdt: float, age_s: float,
    budgets: NDArray[np.void], limits: NDArray[np.void], allowed: Floats,
) -> list[Verdict]:  # fmt: skip
    """Return the verdicts on a wanted change of the hedge, with their numbers.

    To be asked right after `decision`, with what it was asked and what it wrote.
    """
    position, hedge = sizes(terms, books)
    worth = equity(books, price)
    behind, taken = hedge_margin(terms[0], books, position, price, worth)
    case = Case(
        wanted, position, hedge, price, worth, depth_usdt, age_s, behind, taken,
        float(terms["min_notional"][0]), budgets, limits, terms["hedge_tiers"][0],
    )  # fmt: skip
    return verdicts(abs(wanted), allowed, case)


@kernel
def order_quantity(terms: Terms, change: float) -> tuple[int, float]:
    """Return the leg and signed quantity that change the hedge by `change` LTC.

    More hedge means selling for a long position: on the hedge leg, or, when reducing, on the
    position itself.
    """
    leg = POSITION if terms[0].location == REDUCE else HEDGE
    return leg, -terms[0].side * change


@kernel
def worst_price(tick: float, collar: float, price: float, qty: float) -> float:
    """Return the worst price at which signed `qty` may trade: within the collar, on a tick."""
    if qty > 0.0:
        ticks = np.floor(price * (1.0 + collar) / tick + 1e-9)
    else:
        ticks = np.ceil(price * (1.0 - collar) / tick - 1e-9)
    return np.round(ticks * tick * 1e8) / 1e8


@kernel
def collar_price(terms: Terms, price: float, qty: float) -> float:
    """Return the worst price of an order decided at `price`: inside the collar, on a tick."""
    return worst_price(terms[0].tick, terms[0].collar, price, qty)


@kernel
def cost_of_hedge(terms: Terms, signals: Singles, frame: int, qty: float) -> float:
    """Return the expected cost of hedging `qty` LTC once, as a fraction of its notional."""
    return trade_cost(terms[0], signals, frame, qty)

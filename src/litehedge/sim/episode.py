"""One guarded position through a stretch of bars, compiled: the fast path of the backtest.

Every step calls the kernels that engine and simulated venue use: policies, guards, fills, the
margin account. A test holds this loop equal to the faithful path through the runner.

Order of things within a bar: money from another venue that has come by the open is there; the order
decided at the last close executes at the open; the mark range may liquidate; at the close money may
be sent and we decide; then funding that was settled at the close is paid.
"""

from __future__ import annotations

from typing import Final

import numba
import numpy as np
from numpy.typing import NDArray

from litehedge.decision import (
    aided_equity,
    backing_line,
    collar_price,
    guarded_change,
    is_cut,
    is_outside,
    money_came,
    money_left,
    note_forced_closing,
    order_quantity,
    sizes,
    slack_of,
    transfer_due,
)
from litehedge.hedge import signals as sg
from litehedge.hedge.policies import decide
from litehedge.hedge.rule_kernel import N_MEMORY, under_rules
from litehedge.hedge.terms import Terms
from litehedge.jit import kernel, parallel_kernel
from litehedge.margin.account import (
    HEDGE,
    POSITION,
    Books,
    apply_fill,
    apply_funding,
    equity,
    equity_line,
)
from litehedge.margin.liquidation import bounds, liquidate_within
from litehedge.risk.governor import eased, eases_below, spend_cost, spend_funding
from litehedge.risk.limits import N_GUARDS, share_left, spend_order, spend_transfer
from litehedge.sim.execution import execute, observe_bars
from litehedge.units import NS_PER_MINUTE

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]
Ints = NDArray[np.int64]

OUTCOME: Final = np.dtype(
    [
        ("start", np.int64),  # first bar
        ("stop", np.int64),  # one past the last bar that was lived
        ("liquidated", np.int64),  # 1 when the position was closed by force
        ("liquidations", np.int64),  # partial ones included
        ("forced_at", np.int64),  # bar of the first of them, -1 for none
        ("entry", np.float64),  # USDT per LTC
        ("wallet", np.float64),  # USDT at the start
        ("equity", np.float64),  # USDT at the end
        ("lowest_equity", np.float64),  # USDT, at closes
        ("drawdown", np.float64),  # largest fall of equity from its peak, share of the peak
        ("ratio_sum", np.float64),  # of the hedge ratio over bars
        ("bars", np.int64),
        ("trades", np.int64),
        ("refusals", np.int64),  # frames in which guards cut or refused what the band wanted
        ("turnover", np.float64),  # sum of |change of the hedge ratio|
        ("fees", np.float64),  # USDT
        ("slippage", np.float64),
        ("funding", np.float64),
        ("clearance", np.float64),
        ("insurance", np.float64),
        ("hedge_liquidations", np.int64),  # of the hedge leg alone, on its own venue
        ("transfers", np.int64),
        ("late_transfers", np.int64),  # that came after what they were sent for was liquidated
        ("transferred", np.float64),  # USDT that left
        ("transfer_fees", np.float64),
    ]
)

# Columns of a recorded path
PATH_EQUITY, PATH_RATIO, PATH_LO, PATH_HI, PATH_DISTANCE = range(5)
N_PATH: Final = 5


@kernel
def run_episode(
    end_ns: Ints, bars: Floats, funding_at: Ints, funding: Floats, signals: Singles, start: int,
    stop: int, bar_minutes: float, latency_ns: int, decay_sq: float, decay_vol: float,
    liquidity: Floats, terms: Terms, books: Books, budgets: NDArray[np.void],
    limits: NDArray[np.void], outcome: NDArray[np.void], path: Floats,
) -> None:  # fmt: skip
    """Carry the position in `books` through bars ``start .. stop - 1`` or until it is gone.

    What does not change while nothing is traded (bounds, equity as a line in price, hedge ratio)
    is kept between bars; so are the venue's statistics, which `liquidity` takes back at the end.

    Shapes: `end_ns` ``(bar,)``; `bars` ``(bar, 5)`` open, high, low, close, volume; `funding_at`
    and `funding` ``(settlement,)``: the bar at whose close, and the rate; `signals`
    ``(N_SIGNALS, bar)``; `liquidity` ``(4,)``; `path` ``(stop - start, N_PATH)``, or with no rows
    to record nothing; `outcome` ``(1,)``.

    Parameters
    ----------
    latency_ns
        From a decision to its order's arrival; it fills in the first bar that ends after that.
    """
    account = books[0]
    tiers = terms[0].tiers
    clearance = terms[0].clearance
    lot = terms[0].lot
    memory = 0.0
    has_rules = terms[0].n_rules > 0
    rule_memory = np.zeros(N_MEMORY)
    allowed = np.empty(N_GUARDS)
    record = path.shape[0] > 0
    squared, squared_weight, traded, traded_weight = liquidity
    settlement = np.searchsorted(funding_at, start)
    funded_bar = funding_at[settlement] if settlement < funding_at.size else -1
    pending_qty = 0.0
    pending_leg = 0
    pending_limit = 0.0
    pending_ns = -1  # when the order in flight arrives
    moves_money = terms[0].moves_money == 1
    bar_ns = round(bar_minutes * NS_PER_MINUTE)
    arrives_ns = -1  # when the money between two venues does
    arrives_at = POSITION
    # Marked at the open of the first bar, where the position was entered.
    low, high = bounds(books, bars[start, 0], tiers)
    constant, slope = equity_line(books)
    position, hedge = sizes(terms, books)
    ratio = hedge / position if position > 0.0 else 0.0
    slack = slack_of(position, lot)
    backing_constant, backing_slope = backing_line(terms, books)
    worth = constant + slope * bars[start, 0]
    wallet = worth
    entry = account.entry[POSITION]
    eases_at = eases_below(budgets, limits)  # equity below which the cost governor has a say
    stop_level = limits[0].equity_stop_share * budgets[0].equity_start
    peak = worth
    trough = worth
    lowest = worth
    drawdown = 0.0
    ratio_sum = 0.0
    turnover = 0.0
    trades = 0
    refusals = 0
    forced_at = -1
    dead = False
    i = start
    while i < stop and not dead:
        open_ = bars[i, 0]
        close = bars[i, 3]
        volume = bars[i, 4]
        changed = False
        if arrives_ns >= 0 and end_ns[i] - bar_ns >= arrives_ns:
            money_came(terms, books, arrives_at)
            arrives_ns = -1
            low, high = bounds(books, open_, tiers)
            changed = True
        if pending_ns >= 0 and end_ns[i] > pending_ns:
            liquidity[0] = squared
            liquidity[1] = squared_weight
            liquidity[2] = traded
            liquidity[3] = traded_weight
            qty, price, fee, slippage = execute(
                pending_qty, pending_limit, open_, volume, bar_minutes, liquidity, terms
            )
            pending_ns = -1
            if qty != 0.0:
                apply_fill(books, pending_leg, qty, price, fee, slippage)
                spend_cost(budgets, fee + slippage)
                eases_at = eases_below(budgets, limits)
                trades += 1
                turnover += abs(qty) / position
                low, high = bounds(books, open_, tiers)
                position, hedge = sizes(terms, books)
                changed = True
        reached = open_
        while bars[i, 2] <= low or bars[i, 1] >= high:  # what is left may die in the same bar
            reached = liquidate_within(
                books, low, high, reached, bars[i, 2], bars[i, 1], tiers, clearance
            )
            low, high = bounds(books, reached, tiers)
            note_forced_closing(terms, books, hedge)
            pending_ns = -1
            changed = True
            if forced_at < 0:
                forced_at = i
            dead = account.qty[POSITION] == 0.0
        if changed:
            constant, slope = equity_line(books)
            backing_constant, backing_slope = backing_line(terms, books)
            position, hedge = sizes(terms, books)
            ratio = 0.0 if dead else hedge / position
            slack = slack_of(position, lot)
        change_in_bar = close - open_
        squared = decay_sq * squared + change_in_bar * change_in_bar
        squared_weight = decay_sq * squared_weight + 1.0
        traded = decay_vol * traded + volume
        traded_weight = decay_vol * traded_weight + 1.0
        if moves_money and not dead and arrives_ns < 0:
            arrives_at, amount = transfer_due(terms, books, close, end_ns[i], budgets)
            if amount > 0.0:
                money_left(terms, books, arrives_at, amount)
                spend_transfer(budgets, amount)
                arrives_ns = end_ns[i] + terms[0].transfer_delay_ns
                low, high = bounds(books, close, tiers)
                constant, slope = equity_line(books)
                backing_constant, backing_slope = backing_line(terms, books)
        worth = constant + slope * close
        if worth > peak:
            peak = worth
            trough = worth
        elif worth < trough:
            trough = worth
            drawdown = max(drawdown, 1.0 - worth / peak)
            lowest = min(lowest, worth)
        ratio_sum += ratio
        lo = np.nan
        hi = np.nan
        if not dead and pending_ns < 0 and position > 0.0:
            if worth <= stop_level:
                budgets[0].state = max(budgets[0].state, 1)
            behind = backing_constant + backing_slope * close
            if moves_money:
                behind = aided_equity(terms, books, signals, i, close, behind)
            lo, hi, memory = decide(
                terms[0], memory, signals, i, end_ns[i], position, close, behind
            )  # fmt: skip
            if worth < eases_at:
                hi = eased(hi, terms[0].max_ratio, worth, end_ns[i], budgets, limits)
                eases_at = eases_below(budgets, limits)
            if has_rules:
                lo, hi = under_rules(
                    terms[0], rule_memory, signals, i, end_ns[i], ratio,
                    behind, position * close, share_left(budgets, worth), lo, hi,
                )  # fmt: skip
            if is_outside(ratio, lo, hi, slack):
                wanted, change = guarded_change(
                    terms[0], ratio, lo, hi, position, hedge, close, worth, books,
                    float(signals[sg.DEPTH, i]), 0.0, end_ns[i], budgets, limits, allowed,
                )  # fmt: skip
                refusals += is_cut(wanted, change, lot)
                if change != 0.0:
                    spend_order(budgets, abs(change) / position)
                    pending_leg, pending_qty = order_quantity(terms, change)
                    pending_limit = collar_price(terms, close, pending_qty)
                    pending_ns = end_ns[i] + latency_ns
        if record:
            path[i - start, PATH_EQUITY] = worth
            if not dead:
                path[i - start, PATH_RATIO] = ratio
                path[i - start, PATH_LO] = lo
                path[i - start, PATH_HI] = hi
                path[i - start, PATH_DISTANCE] = max(
                    0.0, min(1.0, 1.0 - low / close, high / close - 1.0)
                )
        while i == funded_bar:  # a gap may hold several settlements
            if not dead:
                hedge_pays = account.qty[HEDGE] * close * funding[settlement]
                spend_funding(budgets, hedge_pays, end_ns[i])
                eases_at = eases_below(budgets, limits)
                apply_funding(books, close, funding[settlement])
                low, high = bounds(books, close, tiers)
                constant, slope = equity_line(books)
                backing_constant, backing_slope = backing_line(terms, books)
            settlement += 1
            funded_bar = funding_at[settlement] if settlement < funding_at.size else -1
        i += 1
    liquidity[0] = squared
    liquidity[1] = squared_weight
    liquidity[2] = traded
    liquidity[3] = traded_weight
    result = outcome[0]
    result.start = start
    result.stop = i
    result.bars = i - start
    result.liquidated = 1 if dead else 0
    result.liquidations = account.liquidations
    result.forced_at = forced_at
    result.entry = entry
    result.wallet = wallet
    result.equity = equity(books, bars[i - 1, 3])
    result.lowest_equity = lowest
    result.drawdown = drawdown
    result.ratio_sum = ratio_sum
    result.trades = trades
    result.refusals = refusals
    result.turnover = turnover
    result.fees = account.fees
    result.slippage = account.slippage
    result.funding = account.funding
    result.clearance = account.clearance
    result.insurance = account.insurance
    result.hedge_liquidations = account.hedge_liquidations
    result.transfers = account.transfers
    result.late_transfers = account.late_transfers
    result.transferred = account.transferred
    result.transfer_fees = account.transfer_fees


@parallel_kernel
def run_episodes(
    end_ns: Ints, bars: Floats, funding_at: Ints, funding: Floats, signals: Singles,
    starts: Ints, stops: Ints, bar_minutes: float, latency_ns: int, decay_sq: float,
    decay_vol: float, warm_bars: int, terms: Terms, books: Books, budgets: NDArray[np.void],
    limits: NDArray[np.void], outcomes: NDArray[np.void],
) -> None:  # fmt: skip
    """Run many episodes, spread over the cores; each has its own account, terms and budget.

    Shapes: everything per episode is ``(episode,)``; `warm_bars` bars before each start teach
    the venue's liquidity.
    """
    nothing = np.empty((0, N_PATH))
    for e in numba.prange(starts.size):
        liquidity = np.zeros(4)
        before = bars[max(0, starts[e] - warm_bars) : starts[e]]
        observe_bars(liquidity, before, decay_sq, decay_vol)
        run_episode(
            end_ns, bars, funding_at, funding, signals, starts[e], stops[e], bar_minutes,
            latency_ns, decay_sq, decay_vol, liquidity, terms[e : e + 1], books[e : e + 1],
            budgets[e : e + 1], limits, outcomes[e : e + 1], nothing,
        )  # fmt: skip

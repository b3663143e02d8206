"""One guarded position through a stretch of bars, compiled: the fast path of the backtest.

Every step calls the kernels that engine and simulated venue use: `decision`, `execute`, the
margin account. A test holds this loop equal to the faithful path through the runner.

Order of things within a bar: the order decided at the last close executes at the open; the mark
range may liquidate; at the close we decide; then funding that was settled at the close is paid.
"""

from __future__ import annotations

from typing import Final

import numba
import numpy as np
from numpy.typing import NDArray

from litehedge.decision import collar_price, decision, order_quantity, sizes
from litehedge.hedge.policies import N_MEMORY
from litehedge.jit import kernel, parallel_kernel
from litehedge.margin.account import (
    POSITION,
    Books,
    apply_fill,
    apply_funding,
    bounds,
    equity,
    liquidate_within,
)
from litehedge.risk.limits import N_GUARDS, spend_cost, spend_order
from litehedge.sim.execution import execute, observe_bar, observe_bars

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]
Ints = NDArray[np.int64]

OUTCOME: Final = np.dtype(
    [
        ("start", np.int64),  # first bar
        ("stop", np.int64),  # one past the last bar that was lived
        ("liquidated", np.int64),  # 1 when the position was closed by force
        ("liquidations", np.int64),  # partial ones included
        ("entry", np.float64),  # USDT per LTC
        ("wallet", np.float64),  # USDT at the start
        ("equity", np.float64),  # USDT at the end
        ("lowest_equity", np.float64),  # USDT, at closes
        ("drawdown", np.float64),  # largest fall of equity from its peak, share of the peak
        ("ratio_sum", np.float64),  # of the hedge ratio over bars
        ("bars", np.int64),
        ("trades", np.int64),
        ("refusals", np.int64),  # frames in which a guard cut or refused what the band wanted
        ("turnover", np.float64),  # sum of |change of the hedge ratio|
        ("fees", np.float64),  # USDT
        ("slippage", np.float64),
        ("funding", np.float64),
        ("clearance", np.float64),
        ("insurance", np.float64),
    ]
)

# Columns of a recorded path
PATH_EQUITY, PATH_RATIO, PATH_LO, PATH_HI, PATH_DISTANCE = range(5)
N_PATH: Final = 5


@kernel
def run_episode(
    end_ns: Ints, bars: Floats, funding: Floats, signals: Singles, start: int, stop: int,
    bar_minutes: float, delay: int, decay_sq: float, decay_vol: float, liquidity: Floats,
    kind: int, parameters: Floats, setup: NDArray[np.void], books: Books,
    budgets: NDArray[np.void], limits: NDArray[np.void], costs: NDArray[np.void], tiers: Floats,
    clearance: float, lot: float, outcome: NDArray[np.void], path: Floats,
) -> None:  # fmt: skip
    """Carry the position in `books` through bars ``start .. stop - 1`` or until it is gone.

    Shapes: `end_ns`, `funding` ``(bar,)``; `bars` ``(bar, 5)`` open, high, low, close, volume;
    `signals` ``(bar, N_SIGNALS)``; `path` ``(stop - start, N_PATH)``, or with no rows to record
    nothing; `outcome` ``(1,)``.

    Parameters
    ----------
    delay
        Whole bars by which latency exceeds the next open.
    funding
        Sum of the rates settled from this bar's close until the next, NaN for none.
    """
    account = books[0]
    result = outcome[0]
    memory = np.zeros(N_MEMORY)
    allowed = np.empty(N_GUARDS)
    record = path.shape[0] > 0
    pending_qty = 0.0
    pending_leg = 0
    pending_limit = 0.0
    pending_due = 0
    # Marked at the open of the first bar, where the position was entered.
    low, high = bounds(books, bars[start, 0], tiers)
    peak = equity(books, bars[start, 0])
    result.start = start
    result.wallet = peak
    result.entry = account.entry[POSITION]
    result.lowest_equity = peak
    i = start
    while i < stop:
        open_ = bars[i, 0]
        close = bars[i, 3]
        volume = bars[i, 4]
        if pending_qty != 0.0 and i >= pending_due:
            qty, price, fee, slippage = execute(
                pending_qty, pending_limit, open_, volume, bar_minutes, liquidity, costs, lot
            )
            pending_qty = 0.0
            if qty != 0.0:
                position, _ = sizes(setup, books)
                apply_fill(books, pending_leg, qty, price, fee, slippage)
                spend_cost(budgets, fee + slippage)
                result.trades += 1
                result.turnover += abs(qty) / position
                low, high = bounds(books, open_, tiers)
        died = liquidate_within(books, low, high, open_, bars[i, 2], bars[i, 1], tiers, clearance)
        if not np.isnan(died):
            pending_qty = 0.0
            low, high = bounds(books, died, tiers)
        observe_bar(liquidity, open_, close, volume, decay_sq, decay_vol)
        position, hedge = sizes(setup, books)
        worth = equity(books, close)
        peak = max(peak, worth)
        result.lowest_equity = min(result.lowest_equity, worth)
        result.drawdown = max(result.drawdown, 1.0 - worth / peak)
        result.bars += 1
        if account.qty[POSITION] == 0.0 and not np.isnan(died):
            result.liquidated = 1
            if record:
                path[i - start, PATH_EQUITY] = worth
            i += 1
            break
        ratio = hedge / position
        result.ratio_sum += ratio
        lo = 0.0
        hi = 0.0
        if pending_qty == 0.0:
            lo, hi, wanted, change = decision(
                kind, parameters, memory, signals[i], end_ns[i], close, np.nan, 0.0, np.nan,
                setup, books, budgets, limits, costs, tiers, allowed,
            )  # fmt: skip
            if abs(change) < abs(wanted) - 1e-9:
                result.refusals += 1
            if change != 0.0:
                spend_order(budgets, abs(change) / position)
                pending_leg, pending_qty = order_quantity(setup, change)
                pending_limit = collar_price(setup, close, pending_qty)
                pending_due = i + 1 + delay
        if record:
            path[i - start, PATH_EQUITY] = worth
            path[i - start, PATH_RATIO] = ratio
            path[i - start, PATH_LO] = lo
            path[i - start, PATH_HI] = hi
            path[i - start, PATH_DISTANCE] = max(
                0.0, min(1.0, 1.0 - low / close, high / close - 1.0)
            )
        if not np.isnan(funding[i]):
            apply_funding(books, close, funding[i])
            low, high = bounds(books, close, tiers)
        i += 1
    result.stop = i
    result.equity = equity(books, bars[i - 1, 3])
    result.liquidations = account.liquidations
    result.fees = account.fees
    result.slippage = account.slippage
    result.funding = account.funding
    result.clearance = account.clearance
    result.insurance = account.insurance


@parallel_kernel
def run_episodes(
    end_ns: Ints, bars: Floats, funding: Floats, signals: Singles, starts: Ints, stops: Ints,
    bar_minutes: float, delay: int, decay_sq: float, decay_vol: float, warm_bars: int, kind: int,
    parameters: Floats, setups: NDArray[np.void], books: Books, budgets: NDArray[np.void],
    limits: NDArray[np.void], costs: NDArray[np.void], tiers: Floats, clearance: float,
    lot: float, outcomes: NDArray[np.void],
) -> None:  # fmt: skip
    """Run many episodes, spread over the cores; each has its own account, setup and budget.

    Shapes: everything per episode is ``(episode,)``; `warm_bars` bars before each start teach
    the venue's liquidity.
    """
    nothing = np.empty((0, N_PATH))
    for e in numba.prange(starts.size):
        liquidity = np.zeros((2, 3))
        before = bars[max(0, starts[e] - warm_bars) : starts[e]]
        observe_bars(liquidity, before, decay_sq, decay_vol)
        run_episode(
            end_ns, bars, funding, signals, starts[e], stops[e], bar_minutes, delay, decay_sq,
            decay_vol, liquidity, kind, parameters, setups[e : e + 1], books[e : e + 1],
            budgets[e : e + 1], limits, costs, tiers, clearance, lot, outcomes[e : e + 1], nothing,
        )  # fmt: skip

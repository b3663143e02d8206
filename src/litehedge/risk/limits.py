"""The hard limits: each a small pure function, all of them run, the strictest wins.

A guard answers with the largest change of the hedge, in LTC, that it allows; infinity means that
it has nothing to say. A guard can only shrink a change, so a verdict never raises risk, and a
tighter limit never allows more. A change with positive `delta` adds hedge (protects); a negative
one lifts hedge (raises the user's net exposure).
"""

from __future__ import annotations

import enum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from litehedge.config import Limits
from litehedge.jit import kernel
from litehedge.margin.tiers import maintenance
from litehedge.risk.backoff import allow_after_refusal
from litehedge.risk.governor import DAYS_BEFORE, days_begun, roll_days
from litehedge.risk.sliding import LONG_AGO_NS, REMEMBERED, lately_sent, note_sent
from litehedge.risk.state import TradingState
from litehedge.units import NS_PER_DAY

Floats = NDArray[np.float64]


class Code(enum.StrEnum):
    """Why a change of the hedge was refused or cut. The order is that of the guards."""

    TRADING_HALTED = "TRADING_HALTED"
    TRADING_REDUCING = "TRADING_REDUCING"
    NOTIONAL_ABOVE_LIMIT = "NOTIONAL_ABOVE_LIMIT"
    LEVERAGE_ABOVE_LIMIT = "LEVERAGE_ABOVE_LIMIT"
    RATIO_STEP_ABOVE_LIMIT = "RATIO_STEP_ABOVE_LIMIT"
    ORDERS_PER_MINUTE_ABOVE_LIMIT = "ORDERS_PER_MINUTE_ABOVE_LIMIT"
    ORDERS_PER_DAY_ABOVE_LIMIT = "ORDERS_PER_DAY_ABOVE_LIMIT"
    ORDERS_REFUSED_LATELY = "ORDERS_REFUSED_LATELY"
    COST_ABOVE_BUDGET = "COST_ABOVE_BUDGET"
    WEEKLY_COST_ABOVE_BUDGET = "WEEKLY_COST_ABOVE_BUDGET"
    DEPTH_SHARE_ABOVE_LIMIT = "DEPTH_SHARE_ABOVE_LIMIT"
    MARGIN_BUFFER_BELOW_LIMIT = "MARGIN_BUFFER_BELOW_LIMIT"
    PRICE_TOO_OLD = "PRICE_TOO_OLD"
    PARACHUTE_OPEN = "PARACHUTE_OPEN"
    ORDER_BELOW_MINIMUM = "ORDER_BELOW_MINIMUM"


MEANING: Final[dict[Code, str]] = {
    Code.TRADING_HALTED: "trading is halted: no hedge is moved until a person resumes",
    Code.TRADING_REDUCING: "only trades that lower the net exposure are allowed",
    Code.NOTIONAL_ABOVE_LIMIT: "the hedge would be worth more than limits.max_hedge_notional_usdt",
    Code.LEVERAGE_ABOVE_LIMIT: "lifting the hedge would leave more net leverage than allowed",
    Code.RATIO_STEP_ABOVE_LIMIT: "the hedge ratio would fall faster than allowed",
    Code.ORDERS_PER_MINUTE_ABOVE_LIMIT: "too many orders in a minute; the last is for protection",
    Code.ORDERS_PER_DAY_ABOVE_LIMIT: "too many orders today; the last quarter is for protection",
    Code.ORDERS_REFUSED_LATELY: "the venue refused the last orders: the next try waits a while",
    Code.COST_ABOVE_BUDGET: "today's cost budget is spent: only protecting trades",
    Code.WEEKLY_COST_ABOVE_BUDGET: "the week's cost budget is spent: only protecting trades",
    Code.DEPTH_SHARE_ABOVE_LIMIT: "the order would take too much of the visible depth",
    Code.MARGIN_BUFFER_BELOW_LIMIT: "the leg that grows would use up the margin buffer",
    Code.PRICE_TOO_OLD: "the last price is too old to add risk on it",
    Code.PARACHUTE_OPEN: "something cannot be trusted now: what lifts the hedge waits",
    Code.ORDER_BELOW_MINIMUM: "the venue does not take orders this small",
}
N_GUARDS: Final = len(Code)
MARGIN_GUARD: Final = list(Code).index(Code.MARGIN_BUFFER_BELOW_LIMIT)
PARACHUTE_GUARD: Final = list(Code).index(Code.PARACHUTE_OPEN)
MINIMUM_GUARD: Final = list(Code).index(Code.ORDER_BELOW_MINIMUM)

# What the limits are, as kernels see them
LIMITS: Final = np.dtype(
    [
        ("max_hedge_notional", np.float64),  # USDT
        ("max_leverage", np.float64),
        ("max_ratio_per_minute", np.float64),
        ("max_orders_per_minute", np.float64),
        ("max_orders_per_day", np.float64),
        ("daily_cost_share", np.float64),
        ("weekly_cost_share", np.float64),
        ("max_depth_share", np.float64),
        ("min_margin_buffer", np.float64),
        ("equity_stop_share", np.float64),
        ("max_price_age_s", np.float64),
    ]
)

# What the guards remember between trades
BUDGET: Final = np.dtype(
    [
        ("ratio_tokens", np.float64),  # what is left of the minute, as of `refilled_ns`
        ("order_tokens", np.float64),
        ("refilled_ns", np.int64),
        ("day", np.int64),
        ("orders_today", np.float64),
        ("cost_today", np.float64),  # USDT; see `governor`
        ("cost_before", np.float64, (DAYS_BEFORE,)),  # of the days before, the last one first
        ("cost_week", np.float64),  # of all of these days
        ("transfer_day", np.int64),
        ("transferred_today", np.float64),  # USDT
        ("equity_start", np.float64),  # USDT
        ("state", np.int64),  # TradingState
        ("ratio_sent", np.float64),  # what the last order took of `ratio_tokens`
        ("refused", np.int64),  # orders in a row that the venue did not take
        ("refused_ns", np.int64),  # when the last of them was refused
        ("sent_ns", np.int64, (REMEMBERED,)),  # of the last orders, in a ring; see `sliding`
        ("sent_ratio", np.float64, (REMEMBERED,)),  # by how much each moved the hedge ratio
        ("sent_to", np.int64),  # where the next one goes
        ("day_high", np.int64),  # the latest day ever begun: see `governor.days_begun`
        ("transfer_high", np.int64),
    ]
)


def limits_array(limits: Limits) -> NDArray[np.void]:
    """Return the limits as a ``(1,)`` array of `LIMITS`."""
    row = np.zeros(1, dtype=LIMITS)
    row["max_hedge_notional"] = limits.max_hedge_notional_usdt
    row["max_leverage"] = limits.max_leverage
    row["max_ratio_per_minute"] = limits.max_ratio_per_minute
    row["max_orders_per_minute"] = limits.max_orders_per_minute
    row["max_orders_per_day"] = limits.max_orders_per_day
    row["daily_cost_share"] = limits.daily_cost_share
    row["weekly_cost_share"] = limits.weekly_cost_share
    row["max_depth_share"] = limits.max_depth_share
    row["min_margin_buffer"] = limits.min_margin_buffer
    row["equity_stop_share"] = limits.equity_stop_share
    row["max_price_age_s"] = limits.max_price_age_s
    return row


def new_budget(equity_usdt: float) -> NDArray[np.void]:
    """Return untouched budgets, a ``(1,)`` array of `BUDGET`."""
    row = np.zeros(1, dtype=BUDGET)
    row["equity_start"] = equity_usdt
    row["refilled_ns"] = -1
    row["day"] = -1
    row["transfer_day"] = -1
    row["day_high"] = -1
    row["transfer_high"] = -1
    row["sent_ns"] = LONG_AGO_NS
    row["state"] = TradingState.ACTIVE
    return row


@kernel
def refill(budgets: NDArray[np.void], limits: NDArray[np.void], now_ns: int) -> None:
    """Let time flow into the budgets: what is left of any sixty seconds, counters per UTC day."""
    budget = budgets[0]
    limit = limits[0]
    count, ratio = lately_sent(budgets, now_ns)
    budget.order_tokens = limit.max_orders_per_minute - count
    budget.ratio_tokens = limit.max_ratio_per_minute - ratio
    budget.refilled_ns = now_ns
    roll_days(budgets, now_ns)


@kernel
def spend_order(budgets: NDArray[np.void], ratio: float) -> None:
    """Take one order that moves the hedge ratio by `ratio` out of the budgets, after `refill`."""
    budget = budgets[0]
    budget.ratio_tokens -= ratio
    budget.ratio_sent = ratio
    budget.order_tokens -= 1.0
    budget.orders_today += 1.0
    note_sent(budgets, ratio, budget.refilled_ns)


@kernel
def transfer_budget(budgets: NDArray[np.void], now_ns: int, per_day_usdt: float) -> float:
    """Return what may still be sent between venues today (UTC), in USDT."""
    budget = budgets[0]
    day = now_ns // NS_PER_DAY
    if day != budget.transfer_day and day != budget.transfer_day - 1:
        if days_begun(budget.transfer_day, budget.transfer_high, day) > 0:
            budget.transferred_today = 0.0
        budget.transfer_day = day
        budget.transfer_high = max(budget.transfer_high, day)
    return max(0.0, per_day_usdt - budget.transferred_today)


@kernel
def spend_transfer(budgets: NDArray[np.void], amount_usdt: float) -> None:
    """Book a transfer against today's budget."""
    budgets[0].transferred_today += amount_usdt


@kernel
def equity_stopped(budgets: NDArray[np.void], limits: NDArray[np.void], equity: float) -> bool:
    """Tell whether equity has fallen to the stop."""
    return equity <= limits[0].equity_stop_share * budgets[0].equity_start


@kernel
def share_left(budgets: NDArray[np.void], equity: float) -> float:
    """Return equity as a share of that at the start; NaN where there was none to begin with."""
    return equity / budgets[0].equity_start if budgets[0].equity_start > 0.0 else np.nan


@kernel
def whole_lots(qty: float, lot: float) -> float:
    """Round an unsigned quantity down to whole lots, to the float nearest to that decimal."""
    lots = np.floor(qty / lot * (1.0 + 1e-15) + 1e-9)  # a whole number may come out a bit below
    return np.round(lots * lot * 1e8) / 1e8


# --- the guards, in the order of `Code` -------------------------------------------------------


@kernel
def allow_halted(state: int) -> float:
    """HALTED allows nothing."""
    return 0.0 if state >= 2 else np.inf


@kernel
def allow_reducing(state: int, delta: float) -> float:
    """REDUCING allows no lifting of the hedge."""
    return 0.0 if state >= 1 and delta < 0.0 else np.inf


@kernel
def allow_notional(delta: float, hedge: float, price: float, max_notional: float) -> float:
    """Cap the worth of the hedge after the trade."""
    if delta <= 0.0:
        return np.inf
    return max(0.0, max_notional / price - hedge)


@kernel
def allow_leverage(
    delta: float, position: float, hedge: float, price: float, equity: float, max_leverage: float
) -> float:
    """Cap the net exposure, relative to equity, that lifting the hedge may lead to."""
    if delta >= 0.0:
        return np.inf
    room = max_leverage * max(equity, 0.0) / price - abs(position - hedge)
    return max(0.0, room)


@kernel
def allow_ratio_step(delta: float, position: float, ratio_tokens: float) -> float:
    """Cap by how much the hedge ratio falls per minute; what protects is never slowed."""
    if delta > 0.0:
        return np.inf
    return max(0.0, ratio_tokens) * position


@kernel
def minute_reserve(per_minute: float) -> float:
    """Return how many orders of a minute are for protection only."""
    return min(1.0, per_minute - 1.0)


@kernel
def day_reserve(per_day: float) -> float:
    """Return how many orders of a day are for protection only: the last quarter."""
    return min(per_day - 1.0, np.ceil(per_day / 4.0))


@kernel
def allow_orders(delta: float, left: float, reserve: float) -> float:
    """Allow an order only while a whole one is left, and to lift the hedge only before the reserve.

    So that neither churn nor a venue that refuses can use up what saves the position.
    """
    return np.inf if left >= 1.0 + (reserve if delta < 0.0 else 0.0) else 0.0


@kernel
def allow_cost(delta: float, cost: float, equity: float, share: float) -> float:
    """Beyond the cost budget of a day or a week, allow only trades that protect."""
    if delta > 0.0 or cost < share * max(equity, 0.0):
        return np.inf
    return 0.0


@kernel
def allow_depth(depth_usdt: float, price: float, max_share: float) -> float:
    """Cap the order at a share of the visible depth; unknown depth does not speak."""
    if np.isnan(depth_usdt):
        return np.inf
    return max_share * max(depth_usdt, 0.0) / price


@kernel
def allow_margin(
    delta: float, hedge: float, price: float, backing: float, taken: float, buffer: float,
    tiers: Floats,
) -> float:  # fmt: skip
    """Keep a share of what backs the hedge leg free of maintenance after it grows.

    Maintenance is convex in size, so the largest allowed hedge is found by halving.
    """
    if delta <= 0.0:
        return np.inf
    room = (1.0 - buffer) * backing - taken
    if maintenance((hedge + delta) * price, tiers) <= room:
        return np.inf
    low = 0.0
    high = delta
    if maintenance(hedge * price, tiers) > room:
        return 0.0
    for _ in range(40):
        middle = 0.5 * (low + high)
        if maintenance((hedge + middle) * price, tiers) <= room:
            low = middle
        else:
            high = middle
    return low


@kernel
def allow_age(delta: float, age_s: float, max_age_s: float) -> float:
    """Do not add risk on an old price."""
    return 0.0 if delta < 0.0 and age_s > max_age_s else np.inf


@kernel
def allow_minimum(wanted: float, price: float, min_notional: float, is_reduce_only: bool) -> float:
    """Refuse what the venue would refuse: too small an order that does not reduce its own leg."""
    return 0.0 if wanted * price < min_notional and not is_reduce_only else np.inf


@kernel
def allowances(
    delta: float, position: float, hedge: float, price: float, equity: float, depth_usdt: float,
    age_s: float, backing: float, taken: float, is_reduce_only: bool,
    budgets: NDArray[np.void], limits: NDArray[np.void], tiers: Floats, lot: float,
    min_notional: float, out: Floats,
) -> float:  # fmt: skip
    """Run every guard on a wanted change of the hedge. Return the size to trade, in LTC.

    Parameters
    ----------
    delta
        Wanted change of the hedge in LTC; positive adds hedge.
    position, hedge
        Sizes of both legs in LTC, unsigned.
    backing, taken
        Equity behind the hedge leg, infinity without such a leg, and what of it the position
        needs as maintenance, in USDT.
    is_reduce_only
        Whether the order shrinks a leg at the venue.
    lot, min_notional
        The contract's smallest step in LTC and smallest order in USDT.
    out
        ``(N_GUARDS,)``: what each guard allows, in the order of `Code`.

    Returns
    -------
    float
        ``|delta|`` cut to the strictest guard and rounded down to whole lots; 0 means refused.
    """
    budget = budgets[0]
    limit = limits[0]
    wanted = abs(delta)
    out[0] = allow_halted(budget.state)
    out[1] = allow_reducing(budget.state, delta)
    out[2] = allow_notional(delta, hedge, price, limit.max_hedge_notional)
    out[3] = allow_leverage(delta, position, hedge, price, equity, limit.max_leverage)
    out[4] = allow_ratio_step(delta, position, budget.ratio_tokens)
    out[5] = allow_orders(delta, budget.order_tokens, minute_reserve(limit.max_orders_per_minute))
    out[6] = allow_orders(
        delta, limit.max_orders_per_day - budget.orders_today,
        day_reserve(limit.max_orders_per_day),
    )  # fmt: skip
    out[7] = allow_after_refusal(delta, budget.refused, budget.refilled_ns - budget.refused_ns)
    out[8] = allow_cost(delta, budget.cost_today, equity, limit.daily_cost_share)
    out[9] = allow_cost(delta, budget.cost_week, equity, limit.weekly_cost_share)
    out[10] = allow_depth(depth_usdt, price, limit.max_depth_share)
    out[11] = allow_margin(delta, hedge, price, backing, taken, limit.min_margin_buffer, tiers)
    out[12] = allow_age(delta, age_s, limit.max_price_age_s)
    out[13] = np.inf  # the parachute speaks in the engine, which knows what it watches
    size = wanted
    for i in range(N_GUARDS - 1):
        size = min(size, out[i])
    size = whole_lots(size, lot)
    out[14] = allow_minimum(size, price, min_notional, is_reduce_only)
    return min(size, out[14])

"""The cost governor: what hedging costs, by the day and by the week, and what follows from it.

Costs are fees and slippage of fills, and the funding that the hedge leg pays; funding that it
receives gives nothing back. The position's own funding does not count: no hedge would have saved
it. Days are UTC; a week is today and the six days before.

As a budget is used, the policy's band widens upwards, so that the hedge is let go later and taken
anew less often. Its lower edge stays: what protects is never put off. When the budget is used up
the band reaches the largest hedge, and nothing is lifted (the guards say so too, with their codes).
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from litehedge.jit import kernel
from litehedge.units import NS_PER_DAY

DAYS_BEFORE: Final = 6
"""Days before today that count to the week."""

EASE_FROM: Final = 0.75
"""Share of a budget from which on the band widens."""


@kernel
def days_begun(day_before: int, latest: int, day: int) -> int:
    """Return how many days began since `day_before`, where `latest` is the latest ever begun.

    A clock that is set back begins none, nor does it when it is set right again. Below the latest
    day, which a clock that ran ahead may have left, days count one by one as they pass.
    """
    if day_before < 0:
        return 1
    if day <= day_before:
        return 0
    if latest <= day_before or day == day_before + 1:
        return day - day_before
    return max(0, day - latest)


@kernel
def roll_days(budgets: NDArray[np.void], now_ns: int) -> None:
    """Begin a new day (UTC) in the budgets when one has begun; days without a word count too.

    A clock that is set back gives nothing back, also when it is set right again.
    """
    budget = budgets[0]
    day = now_ns // NS_PER_DAY
    passed = day - budget.day
    if passed == 0 or passed == -1:
        return
    begun = days_begun(budget.day, budget.day_high, day)
    was_none = budget.day < 0
    budget.day = day
    budget.day_high = max(budget.day_high, day)
    if begun == 0:
        return
    if not was_none:
        for _ in range(min(begun, DAYS_BEFORE + 1)):
            for i in range(DAYS_BEFORE - 1, 0, -1):
                budget.cost_before[i] = budget.cost_before[i - 1]
            budget.cost_before[0] = budget.cost_today
            budget.cost_today = 0.0
    budget.orders_today = 0.0
    budget.cost_today = 0.0
    budget.cost_week = 0.0
    for i in range(DAYS_BEFORE):
        budget.cost_week += budget.cost_before[i]


@kernel
def spend_cost(budgets: NDArray[np.void], cost_usdt: float) -> None:
    """Book fees and slippage of a fill; they belong to the day of the last decision."""
    if cost_usdt > 0.0:
        budgets[0].cost_today += cost_usdt
        budgets[0].cost_week += cost_usdt


@kernel
def spend_funding(budgets: NDArray[np.void], paid_usdt: float, now_ns: int) -> None:
    """Book what the hedge leg paid as funding; what it received (negative) counts as nothing.

    `now_ns` is that of the last price, so that backtest and engine book it on the same day.
    """
    if paid_usdt > 0.0:
        roll_days(budgets, now_ns)
        spend_cost(budgets, paid_usdt)


@kernel
def ease(used: float) -> float:
    """Return by what share of the room above it the band widens, for a used share of the budget.

    0 up to `EASE_FROM`, 1 when all is used, and smooth between: ``s² (3 - 2 s)``.
    """
    s = min(max((used - EASE_FROM) / (1.0 - EASE_FROM), 0.0), 1.0)
    return s * s * (3.0 - 2.0 * s)


@kernel
def used_share(budgets: NDArray[np.void], limits: NDArray[np.void], equity: float) -> float:
    """Return the share of the cost budget that is used, of the day or the week: the larger."""
    worth = max(equity, 1e-9)
    budget = budgets[0]
    limit = limits[0]
    return max(
        budget.cost_today / (limit.daily_cost_share * worth),
        budget.cost_week / (limit.weekly_cost_share * worth),
    )


@kernel
def eases_below(budgets: NDArray[np.void], limits: NDArray[np.void]) -> float:
    """Return the equity in USDT below which the band widens, for what was spent."""
    return used_share(budgets, limits, 1.0) / EASE_FROM


@kernel
def eased(
    hi: float, max_ratio: float, equity: float, now_ns: int,
    budgets: NDArray[np.void], limits: NDArray[np.void],
) -> float:  # fmt: skip
    """Return the band's upper edge, raised as the cost budget is used."""
    roll_days(budgets, now_ns)
    return hi + (max_ratio - hi) * ease(used_share(budgets, limits, equity))

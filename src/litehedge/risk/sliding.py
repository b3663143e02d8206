"""The last minute: what was sent in it, order by order.

A limit per minute counts in any sixty seconds, not from one full minute to the next: so it is kept
when each of the last orders was sent, and by how much it moved the hedge ratio.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from litehedge.jit import kernel
from litehedge.units import NS_PER_MINUTE

REMEMBERED: Final = 64
"""Orders of which the time is known: more than any limit per minute may be set to."""

LONG_AGO_NS: Final = -(1 << 60)


@kernel
def lately_sent(budgets: NDArray[np.void], now_ns: int) -> tuple[int, float]:
    """Return how many orders were sent in the minute before now, and how far they moved the ratio.

    A clock that was set back by more than that gives nothing back: what was sent last counts as
    sent just now.
    """
    budget = budgets[0]
    newest = budget.sent_ns[(budget.sent_to - 1) % REMEMBERED]
    if newest - now_ns > NS_PER_MINUTE:
        for i in range(REMEMBERED):
            if budget.sent_ns[i] > LONG_AGO_NS:
                budget.sent_ns[i] -= newest - now_ns
    count = 0
    ratio = 0.0
    while count < REMEMBERED:
        i = (budget.sent_to - 1 - count) % REMEMBERED
        if now_ns - budget.sent_ns[i] >= NS_PER_MINUTE:
            break
        ratio += budget.sent_ratio[i]
        count += 1
    return count, ratio


@kernel
def note_sent(budgets: NDArray[np.void], ratio: float, now_ns: int) -> None:
    """Remember an order that moves the hedge ratio by `ratio`.

    Where the oldest has to be forgotten within its minute, what it moved counts with the next.
    """
    budget = budgets[0]
    i = budget.sent_to
    if now_ns - budget.sent_ns[i] < NS_PER_MINUTE:
        budget.sent_ratio[(i + 1) % REMEMBERED] += budget.sent_ratio[i]
    budget.sent_ns[i] = now_ns
    budget.sent_ratio[i] = ratio
    budget.sent_to = (i + 1) % REMEMBERED


@kernel
def note_left(budgets: NDArray[np.void], now_ns: int) -> None:
    """Let the last order count from when it left, which may be later than it was decided."""
    budget = budgets[0]
    i = (budget.sent_to - 1) % REMEMBERED
    budget.sent_ns[i] = max(budget.sent_ns[i], now_ns)


@kernel
def forget_ratio(budgets: NDArray[np.void]) -> None:
    """Let the last order, which the venue did not take, have moved nothing; it was sent."""
    budget = budgets[0]
    budget.sent_ratio[(budget.sent_to - 1) % REMEMBERED] = 0.0

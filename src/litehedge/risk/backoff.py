"""A venue that refuses orders is left alone for a while, and what it refused costs no budget."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from litehedge.jit import kernel
from litehedge.risk.sliding import forget_ratio
from litehedge.units import NS_PER_MINUTE, NS_PER_SECOND

FIRST_WAIT_NS: Final = 5 * NS_PER_SECOND
"""How long nothing is sent after the venue refused an order; doubled with every other refusal."""

LONGEST_WAIT_NS: Final = 5 * NS_PER_MINUTE
PROTECTING_WAIT_NS: Final = 10 * NS_PER_SECOND
"""The longest such wait, for what lifts the hedge and for what protects: a venue that was down in a
crash must not be waited for when it is back."""


@kernel
def order_refused(budgets: NDArray[np.void], now_ns: int) -> None:
    """Give back what an order took that the venue did not: it moved nothing, and is not of the day.

    Of the minute it stays: the venue counts what it refuses too.
    """
    budget = budgets[0]
    budget.orders_today = max(0.0, budget.orders_today - 1.0)
    budget.ratio_tokens += budget.ratio_sent
    budget.ratio_sent = 0.0
    forget_ratio(budgets)
    budget.refused += 1
    budget.refused_ns = now_ns


@kernel
def orders_taken(budgets: NDArray[np.void]) -> None:
    """Note that the venue takes orders again."""
    budgets[0].refused = 0


@kernel
def wait_after(refused: int, delta: float) -> int:
    """Return how long nothing is sent after so many refusals in a row, in ns."""
    if refused <= 0:
        return 0
    longest = PROTECTING_WAIT_NS if delta > 0.0 else LONGEST_WAIT_NS
    return min(FIRST_WAIT_NS * 2 ** min(refused - 1, 10), longest)


@kernel
def allow_after_refusal(delta: float, refused: int, since_ns: int) -> float:
    """Let a venue that refuses rest: trying on and on would only use up its patience.

    A clock that was set back (a negative time since) does not speak.
    """
    return 0.0 if 0 <= since_ns < wait_after(refused, delta) else np.inf

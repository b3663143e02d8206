"""One frame's decision: policy, override, guards, size. The engine and the fast backtest call it.

Whatever else differs between live, paper and backtest, the numbers that lead to an order come
out of this one kernel.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from litehedge.config import Settings
from litehedge.hedge import signals as sg
from litehedge.hedge.costs import trade_cost
from litehedge.hedge.exposure import REDUCE, SAME_ACCOUNT, SECOND_VENUE
from litehedge.hedge.policies import decide
from litehedge.jit import kernel
from litehedge.margin.account import HEDGE, POSITION, Books, equity
from litehedge.margin.tiers import maintenance
from litehedge.risk.limits import allowances, equity_stopped, refill
from litehedge.units import BPS, LONG, SHORT

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]

LOCATIONS: Final = {
    "same_account": SAME_ACCOUNT,
    "second_venue": SECOND_VENUE,
    "reduce": REDUCE,
}

SETUP: Final = np.dtype(
    [
        ("side", np.float64),  # +1 long, -1 short
        ("location", np.int64),
        ("size", np.float64),  # LTC of the position as it was opened
        ("max_ratio", np.float64),
        ("collar", np.float64),  # fraction of the decision price
        ("tick", np.float64),  # USDT
    ]
)


def setup_array(settings: Settings, size_ltc: float) -> NDArray[np.void]:
    """Return what stays fixed while one position is guarded, a ``(1,)`` array of `SETUP`."""
    row = np.zeros(1, dtype=SETUP)
    row["side"] = LONG if settings.position.side == "long" else SHORT
    row["location"] = LOCATIONS[settings.hedge.location]
    row["size"] = size_ltc
    row["max_ratio"] = settings.hedge.max_ratio
    row["collar"] = settings.limits.collar_bps * BPS
    row["tick"] = settings.venue.tick_usdt
    return row


@kernel
def sizes(setup: NDArray[np.void], books: Books) -> tuple[float, float]:
    """Return the unsigned sizes of position and hedge in LTC.

    When reducing, the position is what it was at the start, and what was sold of it is the hedge.
    """
    account = books[0]
    held = abs(account.qty[POSITION])
    if setup[0].location == REDUCE:
        return setup[0].size, setup[0].size - held
    return held, abs(account.qty[HEDGE])


@kernel
def decision(
    kind: int, parameters: Floats, memory: Floats, signals: Singles, now_ns: int, price: float,
    depth_usdt: float, age_s: float, override: float, setup: NDArray[np.void], books: Books,
    budgets: NDArray[np.void], limits: NDArray[np.void], costs: NDArray[np.void], tiers: Floats,
    allowed: Floats,
) -> tuple[float, float, float, float]:  # fmt: skip
    """Decide what to do with the hedge at the end of a frame.

    Parameters
    ----------
    override
        Hedge ratio that a person set, NaN to follow the policy.
    allowed
        ``(N_GUARDS,)``, written: what each guard allows; infinity where the band asks nothing.

    Returns
    -------
    tuple
        Band edges ``lo`` and ``hi``; signed change of the hedge that was wanted and that is
        allowed, in LTC (positive adds hedge).
    """
    allowed[:] = np.inf
    fixed = setup[0]
    position, hedge = sizes(setup, books)
    if position <= 0.0:
        return 0.0, 0.0, 0.0, 0.0
    refill(budgets, limits, now_ns)
    worth = equity(books, price)
    if equity_stopped(budgets, limits, worth):
        budgets[0].state = 2
    notional = position * price
    ratio = hedge / position
    vol = signals[sg.VOL_RULE] / np.sqrt(5.0)
    cost = trade_cost(costs, vol, signals[sg.VOLUME], position, fixed.side, signals[sg.FUNDING])
    if np.isnan(override):
        lo, hi = decide(
            kind, parameters, memory, signals, now_ns, fixed.side, worth / notional,
            maintenance(notional, tiers) / notional, cost, fixed.location, fixed.max_ratio,
        )  # fmt: skip
    else:
        lo = min(max(override, 0.0), fixed.max_ratio)
        hi = lo
    wanted = 0.0
    if ratio < lo - 1e-9:
        wanted = (lo - ratio) * position
    elif ratio > hi + 1e-9:
        wanted = (hi - ratio) * position
    if wanted == 0.0:
        return lo, hi, 0.0, 0.0
    reduces_leg = wanted < 0.0 if fixed.location != REDUCE else wanted > 0.0
    size = allowances(
        wanted, position, hedge, price, worth, depth_usdt, age_s,
        fixed.location == SAME_ACCOUNT, reduces_leg, budgets, limits, tiers, allowed,
    )  # fmt: skip
    change = size if wanted > 0.0 else -size
    return lo, hi, wanted, change


@kernel
def order_quantity(setup: NDArray[np.void], change: float) -> tuple[int, float]:
    """Return the leg and signed quantity that change the hedge by `change` LTC.

    More hedge means selling for a long position: on the hedge leg, or, when reducing, on the
    position itself.
    """
    leg = POSITION if setup[0].location == REDUCE else HEDGE
    return leg, -setup[0].side * change


@kernel
def collar_price(setup: NDArray[np.void], price: float, qty: float) -> float:
    """Return the worst price of an order decided at `price`: inside the collar, on a tick."""
    tick = setup[0].tick
    if qty > 0.0:
        ticks = np.floor(price * (1.0 + setup[0].collar) / tick + 1e-9)
    else:
        ticks = np.ceil(price * (1.0 - setup[0].collar) / tick - 1e-9)
    return np.round(ticks * tick * 1e8) / 1e8

"""What every hedge ratio would have come to: prices are observed whatever was done.

From a decision on, the account is carried along the minutes that followed, once for each ratio:
brought to that ratio at the price of the decision, at the cost that the model of costs expects,
and then left alone, to the end of the horizon or to its liquidation. Our own impact on the market
after the trade is left out; everything else is the one margin account.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from litehedge.decision import order_quantity, sizes
from litehedge.hedge.costs import slippage_rate
from litehedge.hedge.terms import Terms
from litehedge.jit import kernel
from litehedge.margin.account import Books, apply_fill, apply_funding, equity
from litehedge.margin.liquidation import bounds, liquidate_within

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

RATIOS: Final[Floats] = np.arange(11) / 10.0
HORIZON_MIN: Final = 240
"""As far as forecasts of an onset look."""


@kernel
def expected_slippage(
    terms: Terms, volatility: float, volume: float, qty: float
) -> tuple[float, float]:
    """Return half spread and impact that the model of costs expects, as fractions of price."""
    half = slippage_rate(terms[0], volatility, np.nan, qty)
    return half, slippage_rate(terms[0], volatility, volume, qty) - half


@kernel
def bring_to(
    books: Books, terms: Terms, ratio: float, price: float, volatility: float, volume: float
) -> None:
    """Trade the hedge to a share of the position, in place, at the expected cost."""
    position, hedge = sizes(terms, books)
    change = ratio * position - hedge
    if abs(change) <= 1e-9 * position:
        return
    leg, qty = order_quantity(terms, change)
    rate = slippage_rate(terms[0], volatility, volume, qty)
    paid = price * (1.0 + (rate if qty > 0.0 else -rate))
    fee = abs(qty) * paid * terms[0].taker_fee
    apply_fill(books, leg, qty, paid, fee, abs(qty) * price * rate)


@kernel
def carry(
    books: Books, bars: Floats, first: int, last: int, funded_at: Ints, marks: Floats,
    rates: Floats, tiers: Floats, clearance: float,
) -> tuple[float, float, bool]:  # fmt: skip
    """Carry an account through bars ``first .. last - 1``, in place; nothing is traded.

    Returns
    -------
    tuple
        Equity at the end in USDT, the smallest distance to liquidation on the way as a fraction
        of price (0 when it was reached), whether it was.

    Shapes: `bars` ``(bar, 4)`` open, high, low, close; `funded_at` the bar of each settlement in
    rising order, with `marks` and `rates` ``(settlement,)``.
    """
    nearest = 1.0
    low, high = bounds(books, bars[first, 0], tiers)
    settled = 0
    while settled < funded_at.size and funded_at[settled] < first:
        settled += 1
    for i in range(first, last):
        open_ = bars[i, 0]
        reached = liquidate_within(
            books, low, high, open_, bars[i, 2], bars[i, 1], tiers, clearance
        )
        if not np.isnan(reached):
            return equity(books, reached), 0.0, True
        if low > 0.0:
            nearest = min(nearest, 1.0 - low / bars[i, 2])
        if high < np.inf:
            nearest = min(nearest, high / bars[i, 1] - 1.0)
        while settled < funded_at.size and funded_at[settled] == i:
            apply_funding(books, marks[settled], rates[settled])
            low, high = bounds(books, bars[i, 3], tiers)
            settled += 1
    return equity(books, bars[last - 1, 3]), nearest, False


@kernel
def outcomes_of_ratios(
    books: Books, terms: Terms, price: float, volatility: float, volume: float, ratios: Floats,
    bars: Floats, first: int, last: int, funded_at: Ints, marks: Floats, rates: Floats,
    out: Floats,
) -> None:  # fmt: skip
    """Write what each ratio would have come to; `books` stay as they are.

    Shapes: `ratios` ``(ratio,)``; `out` ``(ratio, 3)``: change of equity in USDT from the moment
    of the decision, smallest distance to liquidation, 1 where it was reached.
    """
    before = equity(books, price)
    for r in range(ratios.size):
        account = books.copy()
        bring_to(account, terms, ratios[r], price, volatility, volume)
        worth, nearest, died = carry(
            account, bars, first, last, funded_at, marks, rates, terms[0].tiers,
            terms[0].clearance,
        )  # fmt: skip
        out[r, 0] = worth - before
        out[r, 1] = nearest
        out[r, 2] = 1.0 if died else 0.0

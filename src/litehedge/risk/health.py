"""Margin health: how near liquidation is, and by how much a leg must shrink to be safe again.

Two numbers, as people know them from automated lending: above the *trigger* margin ratio
(maintenance / equity) something is closed, and enough of it that the ratio is at the *target*. Both
are looked at not where the mark is but where it may be before an order is done: the *reach*, a
move that is wide when the market is fast. So the same two numbers act late in a calm market and
early in a crash.

Nothing here knows of a model. Adding a hedge does not help a ratio (maintenance counts both legs):
only less exposure does, so what is done is always reduce-only.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_DOWN, ROUND_UP, Decimal
from math import inf, log, sqrt
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from litehedge.jit import kernel
from litehedge.margin.account import HEDGE, POSITION, Books, apply_fill, in_scope
from litehedge.margin.liquidation import (
    distance_apart,
    gap,
    is_second,
    margin_ratio_apart,
    scope_bounds,
)

Floats = NDArray[np.float64]
Pair = tuple[Floats, Floats]
"""Tiers of the first and of the second venue."""

DEVIATIONS: Final = 3.0
"""The reach: so many standard deviations of the move during an order's worst delay."""

HALF_LIFE_S: Final = 30.0
"""Of the volatility between decisions."""

LONGEST_STEP_S: Final = 60.0
N_WALLETS: Final = 2
_HALVINGS: Final = 40


class Preview(msgspec.Struct, frozen=True):
    """What an account would be after a fill; `distance` is the move to liquidation, a fraction."""

    margin_ratio: float
    distance: float
    position_ltc: float
    hedge_ltc: float


class Pace:
    """How fast the price moves now: an exponentially weighted variance of returns per second."""

    __slots__ = ("_price", "at_ns", "variance")

    def __init__(self) -> None:
        self._price = float("nan")
        self.at_ns = -1  # of the price that was taken in last
        self.variance = 0.0

    def see(self, now_ns: int, price: float) -> None:
        """Take in a price. Prices within a second of the last one are one with the next.

        What cannot be a price is not heard.
        """
        if not 0.0 < price < inf:
            return
        passed_s = (now_ns - self.at_ns) / 1e9
        if self.at_ns >= 0 and passed_s < 1.0:
            return
        if self.at_ns >= 0 and passed_s <= LONGEST_STEP_S:
            move = log(price / self._price)
            kept = 0.5 ** (passed_s / HALF_LIFE_S)
            self.variance = kept * self.variance + (1.0 - kept) * move * move / passed_s
        self._price, self.at_ns = price, now_ns

    def reach(self, reaction_s: float) -> float:
        """Return the move, as a fraction, that is possible before an order is done."""
        return min(0.5, DEVIATIONS * sqrt(self.variance * reaction_s))


def stricter(tiers: Floats, ratio: float) -> Floats:
    """Return tiers under which an account dies where its margin ratio is `ratio` under `tiers`.

    Shapes: `tiers` ``(tier, 4)`` as in `margin.tiers`; so is what is returned.
    """
    rows = np.array(tiers, dtype=np.float64)
    rows[:, 1:3] /= ratio
    return rows


def alarm_marks(books: Books, mark: float, tiers: Pair, reach: float) -> tuple[float, float]:
    """Return the marks (low, high) outside which something must be closed.

    `tiers` are those of the trigger (`stricter`), of the first and of the second venue.
    """
    low, high = _wallet_bounds(books, mark, tiers)
    return low / (1.0 - reach), high / (1.0 + reach)


@kernel
def _wallet_bounds(books: Books, mark: float, tiers: Pair) -> tuple[float, float]:
    """Return the marks at which the first of the wallets is liquidated."""
    low, high = 0.0, np.inf
    for scope in range(N_WALLETS):
        scope_low, scope_high = scope_bounds(books, scope, mark, tiers[scope])
        low, high = max(low, scope_low), min(high, scope_high)
    return low, high


def endangered(
    books: Books, mark: float, tiers: Pair, reach: float, lot: float = 0.0
) -> tuple[int, int, float, float]:
    """Return the leg to shrink, its scope, the mark to be judged at, and by how much at most.

    Of the scope that is nearest to its alarm, the leg that loses where the danger is; leg -1 for
    none. It is never closed further than the other leg covers it: what a hedge holds is safe
    where it is, and to take away one of the two would bring liquidation nearer. So where both are
    equal, to less than a lot, nothing is closed, whatever maintenance they need. An isolated leg
    is left to its stop: closing a part of it gives back its margin too, and helps nothing.
    """
    found, worst = (-1, 0, mark, 0.0), np.inf
    for scope in range(N_WALLETS):
        low, high = scope_bounds(books, scope, mark, tiers[scope])
        room = min(mark * (1.0 - reach) - low, high - mark * (1.0 + reach))
        if room > 0.0 or room >= worst:
            continue
        legs = [leg for leg in (POSITION, HEDGE) if in_scope(books, scope, leg)]
        net = sum(float(books["qty"][0, leg]) for leg in legs)
        if abs(net) < lot * (1.0 - 1e-6) or net == 0.0:
            continue
        falls = net > 0.0
        losing = [leg for leg in legs if books["qty"][0, leg] * (1.0 if falls else -1.0) > 0.0]
        if losing:
            at = mark * (1.0 - reach) if falls else mark * (1.0 + reach)
            most = min(abs(net), abs(float(books["qty"][0, losing[0]])))
            found, worst = (losing[0], scope, at, most), room
    return found


@kernel
def _gap_after(
    books: Books, scope: int, leg: int, qty: float, mark: float, judged_at: float, cost: float,
    tiers: Floats,
) -> float:  # fmt: skip
    """Return the gap of a scope at mark `judged_at`, after `qty` of a leg was closed at `mark`."""
    account = books[0]
    held = account.qty[leg]
    account.qty[leg] = held - np.copysign(qty, held)
    left = gap(books, scope, judged_at, tiers)
    profit = np.copysign(qty, held) * (mark - account.entry[leg]) - cost * qty * mark
    account.qty[leg] = held
    return left + profit


@kernel
def relief(
    books: Books, scope: int, leg: int, mark: float, judged_at: float, cost: float, tiers: Floats,
    most: float,
) -> float:  # fmt: skip
    """Return how much of a leg to close, unsigned LTC, for the target; `most` when it needs more.

    Parameters
    ----------
    cost
        Of closing, as a fraction of what is closed.
    tiers
        Those of the target (`stricter`).
    """
    if _gap_after(books, scope, leg, 0.0, mark, judged_at, cost, tiers) >= 0.0:
        return 0.0
    low = 0.0
    high = most
    if _gap_after(books, scope, leg, high, mark, judged_at, cost, tiers) < 0.0:
        return most
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        if _gap_after(books, scope, leg, middle, mark, judged_at, cost, tiers) >= 0.0:
            high = middle
        else:
            low = middle
    return high


def preview(
    books: Books, leg: int, qty_ltc: float, price: float, cost: float, tiers: Pair
) -> Preview:
    """Return what the account would be after a fill of signed `qty_ltc` at `price`."""
    after = books.copy()
    if qty_ltc != 0.0:
        apply_fill(after, leg, qty_ltc, price, cost * abs(qty_ltc) * price, 0.0)
    return Preview(
        margin_ratio=float(margin_ratio_apart(after, price, *tiers)),
        distance=float(distance_apart(after, price, *tiers)),
        position_ltc=float(after["qty"][0, POSITION]),
        hedge_ltc=float(after["qty"][0, HEDGE]),
    )


class StopLevel(msgspec.Struct, frozen=True):
    """A stop that should stand at the venue; `qty_ltc` is unsigned, 0 for none."""

    leg: int
    qty_ltc: Decimal
    trigger_usdt: Decimal

    def differs(self, qty_ltc: Decimal, trigger_usdt: Decimal, tolerance: float) -> bool:
        """Tell whether a stop does not do the same, within a fraction of the trigger."""
        if self.qty_ltc != qty_ltc:
            return True
        return abs(float(self.trigger_usdt - trigger_usdt)) > tolerance * float(trigger_usdt)


def wanted_stops(
    books: Books, mark: float, tiers: Pair, steps: Sequence[tuple[Decimal, Decimal]]
) -> list[StopLevel]:
    """Return the stops that should stand now, one for each leg that is held.

    What shares margin with another leg is closed as far as it is not hedged; then both legs hold
    each other. Where no price can endanger a scope, it needs none.

    Parameters
    ----------
    tiers
        Those of the margin ratio at which the stop triggers (`stricter`), by venue.
    steps
        Lot and tick of the venue where each leg lives, by leg.
    """
    levels = stop_levels(books, mark, tiers)
    stops = []
    for leg, held in enumerate(books["qty"][0].tolist()):
        qty, trigger = levels[2 * leg], levels[2 * leg + 1]
        lot, tick = steps[leg]
        lots = (Decimal(repr(qty)) / lot).to_integral_value(ROUND_DOWN) * lot
        if Decimal(repr(qty)) - lots > lot * Decimal("0.999999"):
            lots += lot
        rounding = ROUND_UP if held > 0.0 else ROUND_DOWN  # towards earlier
        ticks = (Decimal(repr(trigger)) / tick).to_integral_value(rounding) * tick
        stops.append(StopLevel(leg, lots, ticks))
    return stops


@kernel
def stop_levels(books: Books, mark: float, tiers: Pair) -> tuple[float, float, float, float]:
    """Return quantity and trigger of the stop of the position, and of the hedge; 0 for none."""
    account = books[0]
    found = np.zeros(4)
    for leg in range(2):
        held = account.qty[leg]
        scope = 0
        while not in_scope(books, scope, leg):
            scope += 1
        net = held
        if in_scope(books, scope, 1 - leg):
            net = held + account.qty[1 - leg]
        if not held * net > 0.0:
            continue
        low, high = scope_bounds(books, scope, mark, tiers[int(is_second(books, scope))])
        at = low if held > 0.0 else high
        if np.isfinite(at) and at > 0.0:
            found[2 * leg], found[2 * leg + 1] = min(abs(held), abs(net)), at
        elif (not np.isfinite(at) and held > 0.0) or (at == 0.0 and held < 0.0):
            found[2 * leg] = min(abs(held), abs(net))
            found[2 * leg + 1] = mark  # it is past already
    return found[0], found[1], found[2], found[3]


def top_up_usdt(
    equity_usdt: float, notional_usdt: float, maintenance_rate: float, severity: float
) -> float:
    """Return how much margin is missing for a squeeze of `severity` (a fraction of price).

    The buffer that the forecast asks for is what the position would lose in it, and maintenance.
    """
    if not np.isfinite(severity):
        return 0.0
    return max(0.0, notional_usdt * (severity + maintenance_rate) - equity_usdt)

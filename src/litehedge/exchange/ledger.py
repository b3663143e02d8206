"""The account on the fake venue: the margin kernels of `litehedge.margin`, told in decimals.

Leg 0 is the long leg, or the netted one in one-way mode; leg 1 is the short leg. The kernels count
in floats; a lot is never lost by that, since quantities are read back on the grid of lots.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final

import numpy as np

from litehedge.exchange.happenings import LegNow
from litehedge.exchange.terms import Side, Terms
from litehedge.margin.account import (
    apply_fill,
    apply_funding,
    auto_deleverage,
    deleveraging_rank,
    new_account,
    unrealised,
)
from litehedge.margin.liquidation import bounds, liquidate, margin_ratio
from litehedge.margin.tiers import CUM, FLOOR, MAX_LEVERAGE, RATE, TierTable, maintenance

CENTS: Final = Decimal("0.00000001")
LEGS: Final = (0, 1)


def money(usdt: float) -> Decimal:
    """Return a float as money, to 8 decimals."""
    return Decimal(repr(float(usdt))).quantize(CENTS)


@dataclass(frozen=True, slots=True)
class Forced:
    """What the venue closed of a leg; `qty_ltc` is the signed change."""

    leg: int
    qty_ltc: Decimal
    price_usdt: Decimal
    realised_usdt: Decimal
    fee_usdt: Decimal


class Ledger:
    """Wallet, legs, leverage and mode of one account."""

    def __init__(
        self, terms: Terms, tiers: TierTable, wallet_usdt: Decimal, *,
        leverage: int, hedge_mode: bool, isolated: bool,
    ) -> None:  # fmt: skip
        self.terms = terms
        self.tiers = tiers
        self.hedge_mode = hedge_mode
        self.leverage = leverage
        self.books = new_account(float(wallet_usdt), 0.0, 0.0, float(leverage))
        self.realised = [Decimal(0), Decimal(0)]
        self.started_usdt = wallet_usdt
        self.set_isolated(isolated)

    # --- reading --------------------------------------------------------------------------------

    @property
    def isolated(self) -> bool:
        """Whether margin is set aside for each leg."""
        return bool(self.books["is_isolated"][0, 0])

    def side_of(self, leg: int) -> Side:
        """Return what a leg is called."""
        if not self.hedge_mode:
            return "both"
        return "long" if leg == 0 else "short"

    def leg_of(self, side: Side) -> int:
        """Return the leg of a position side."""
        return 1 if side == "short" else 0

    def qty(self, leg: int) -> Decimal:
        """Return the signed quantity of a leg, on the grid of lots."""
        lot = self.terms.lot_ltc
        lots = round(float(self.books["qty"][0, leg]) / float(lot))
        return lots * lot

    def wallet(self) -> Decimal:
        """Return the wallet with margin that is set aside, without unrealised profit."""
        return money(self.books["wallet"][0, 0] + self.books["isolated"][0].sum())

    def cross_wallet(self) -> Decimal:
        """Return the wallet without margin that is set aside."""
        return money(self.books["wallet"][0, 0])

    def leg(self, leg: int, mark: float) -> LegNow:
        """Return a leg as it stands at a mark."""
        account = self.books[0]
        qty, entry = float(account["qty"][leg]), float(account["entry"][leg])
        notional = abs(qty) * mark
        return LegNow(
            self.side_of(leg), self.qty(leg), Decimal(repr(entry)).quantize(CENTS),
            self.realised[leg], money(qty * (mark - entry)), self.isolated,
            money(account["isolated"][leg]), money(maintenance(notional, self.tiers.rows)),
            money(notional / self.leverage),
        )  # fmt: skip

    def legs(self, mark: float) -> tuple[LegNow, ...]:
        """Return the legs of this mode."""
        return tuple(self.leg(leg, mark) for leg in (LEGS if self.hedge_mode else LEGS[:1]))

    def unrealised(self, mark: float) -> Decimal:
        """Return the unrealised profit of both legs."""
        return money(unrealised(self.books, mark))

    def available(self, mark: float) -> float:
        """Return the USDT that may back new positions."""
        account = self.books[0]
        free = float(account["wallet"][0])
        if not self.isolated:
            used = float(np.abs(account["qty"]).sum()) * mark / self.leverage
            free += float(unrealised(self.books, mark)) - used
        return free

    def liquidation_usdt(self, mark: float) -> Decimal | None:
        """Return the mark that liquidates the account, the nearer one; None without."""
        low, high = bounds(self.books, mark, self.tiers.rows)
        found = [price for price in (low, high) if 0.0 < price < np.inf]
        if not found:
            return None
        return money(min(found, key=lambda price: abs(price - mark)))

    def ratio(self, mark: float) -> float:
        """Return maintenance over equity: from 1 on the account is liquidated."""
        return float(margin_ratio(self.books, mark, self.tiers.rows))

    def rank(self, leg: int, mark: float) -> float:
        """Return how early a leg is deleveraged."""
        return float(deleveraging_rank(self.books, leg, mark))

    def is_flat(self) -> bool:
        """Whether nothing is held."""
        return all(self.qty(leg) == 0 for leg in LEGS)

    def most_notional(self, leverage: int) -> float:
        """Return the largest position that a leverage allows, USDT."""
        rows = self.tiers.rows
        fits = np.flatnonzero(rows[:, MAX_LEVERAGE] >= leverage)
        if fits.size == 0:
            return 0.0
        last = int(fits[-1])
        return float(rows[last + 1, FLOOR]) if last + 1 < len(rows) else self.tiers.cap_usdt

    # --- changing -------------------------------------------------------------------------------

    def fill(self, leg: int, qty: Decimal, price: Decimal, fee: Decimal) -> Decimal:
        """Book a fill of a signed quantity; return what it realised."""
        before = float(self.books["realised"][0])
        apply_fill(self.books, leg, float(qty), float(price), float(fee), 0.0)
        self._on_grid(leg)
        earned = money(float(self.books["realised"][0]) - before)
        self.realised[leg] += earned
        return earned

    def fund(self, mark: float, rate: float) -> Decimal:
        """Settle funding; return what was received (negative: paid)."""
        return -money(apply_funding(self.books, mark, rate))

    def liquidate(self, mark: float) -> tuple[list[Forced], Decimal]:
        """Liquidate what is under maintenance; return what was closed, and what insurance paid."""
        was = [self.qty(leg) for leg in LEGS]
        entries = [float(self.books["entry"][0, leg]) for leg in LEGS]
        paid = float(self.books["clearance"][0])
        fund = float(self.books["insurance"][0])
        before = float(self.books["realised"][0])
        if not liquidate(self.books, mark, self.tiers.rows, float(self.terms.clearance_fee)):
            return [], Decimal(0)
        for leg in LEGS:
            self._on_grid(leg)
        fee = money(float(self.books["clearance"][0]) - paid)
        changed = [self.qty(leg) - was[leg] for leg in LEGS]
        gone = sum((abs(change) for change in changed), Decimal(0))
        left = money(float(self.books["realised"][0]) - before)
        closings: list[Forced] = []
        for leg in LEGS:
            if changed[leg] != 0:
                earned = left
                if leg == 0 and changed[1] != 0:
                    earned = money(-float(changed[leg]) * (mark - entries[leg]))
                left -= earned
                self.realised[leg] += earned
                share = (fee * abs(changed[leg]) / gone).quantize(CENTS)
                closings.append(Forced(leg, changed[leg], money(mark), earned, share))
        return closings, money(float(self.books["insurance"][0]) - fund)

    def deleverage(self, leg: int, qty: Decimal, price: Decimal) -> Forced:
        """Close so much (unsigned) of a leg, as deleveraging does, without a fee."""
        held = self.qty(leg)
        before = float(self.books["realised"][0])
        share = float(min(qty, abs(held)) / abs(held))
        auto_deleverage(self.books, leg, share, float(price))
        self._on_grid(leg)
        earned = money(float(self.books["realised"][0]) - before)
        self.realised[leg] += earned
        return Forced(leg, self.qty(leg) - held, price, earned, Decimal(0))

    def receive(self, usdt: Decimal, *, insurance: bool = False) -> None:
        """Add money to the wallet."""
        self.books["wallet"][0, 0] += float(usdt)
        if insurance:
            self.books["insurance"][0] += float(usdt)
        else:
            self.started_usdt += usdt

    def set_leverage(self, leverage: int) -> None:
        """Set the leverage of both legs."""
        self.leverage = leverage
        self.books["leverage"][0, :] = leverage

    def set_isolated(self, on: bool) -> None:
        """Set margin aside for each leg, or let the wallet back all. Only when flat."""
        self.books["is_isolated"][0, :] = int(on)

    def harsher(self, factor: float = 1.5) -> None:
        """Let the venue raise every maintenance rate, and halve the leverages."""
        rows = self.tiers.rows.copy()
        rows[:, RATE] = np.minimum(rows[:, RATE] * factor, 0.9)
        rows[:, MAX_LEVERAGE] = np.maximum(1.0, np.floor(rows[:, MAX_LEVERAGE] / 2.0))
        rows[1:, CUM] = np.cumsum(rows[1:, FLOOR] * np.diff(rows[:, RATE]))
        self.tiers = replace(self.tiers, rows=rows, version=f"{self.tiers.version}, raised")

    def balance_usdt(self) -> Decimal:
        """Return what the wallet must be, from everything that was ever booked."""
        account = self.books[0]
        parts = (
            account["realised"], -account["fees"], -account["funding"],
            -account["clearance"], account["insurance"],
        )  # fmt: skip
        return self.started_usdt + money(float(sum(parts)))

    def _on_grid(self, leg: int) -> None:
        """Take rounding out of a quantity; partial liquidations leave fractions of a lot."""
        self.books["qty"][0, leg] = float(self.qty(leg))
        if self.books["qty"][0, leg] == 0.0:
            self.books["entry"][0, leg] = 0.0

"""A venue that outlives the engines that trade on it, and the time that both share."""

from __future__ import annotations

import mmap
import random
import struct
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from litehedge.orders.reports import AccountReport, Contract, LegReport, OrderReport, VenueOrder
from litehedge.units import NS_PER_MS, NS_PER_SECOND

BEGINS_NS = 1_767_571_200 * NS_PER_SECOND
CONTRACT = Contract(
    venue="true", symbol="LTCUSDT", is_trading=True, tick_usdt=Decimal("0.01"),
    lot_ltc=Decimal("0.001"), min_notional_usdt=Decimal(5), max_qty_ltc=Decimal(5000),
    price_band=Decimal("0.05"), taker_fee=Decimal("0.0005"), maker_fee=Decimal("0.0002"),
    clearance_fee=Decimal("0.0125"),
    tiers=[(Decimal(0), Decimal(10**7), Decimal(50), Decimal("0.01"), Decimal(0))],
)  # fmt: skip


class Time:
    """Market time, shared by all processes that are forked after it was made; never goes back.

    The market and the venue live in two processes. Each has a hand of its own, and the later one
    is the time.
    """

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, 16)
        self.by_market(BEGINS_NS)

    def __call__(self) -> int:
        return int(max(struct.unpack("qq", self._memory[:16])))

    def by_market(self, now_ns: int) -> None:
        self._memory[:8] = struct.pack("q", now_ns)

    def by_venue(self, now_ns: int) -> None:
        self._memory[8:] = struct.pack("q", now_ns)


@dataclass
class Held:
    """An order as the venue knows it."""

    order: VenueOrder
    status: str = "open"
    filled: Decimal = Decimal(0)
    notional: Decimal = Decimal(0)
    fee: Decimal = Decimal(0)


@dataclass
class TrueVenue:
    """What really happened. An order trades in up to three pieces, each at a later request.

    No two things happen at one moment: what an account holds is told after the fills it holds, and
    before those it does not.
    """

    now_ns: Time
    chance: random.Random
    wallet: Decimal = Decimal(2000)
    orders: dict[str, Held] = field(default_factory=dict)
    legs: dict[str, list[Decimal]] = field(
        default_factory=lambda: {
            "long": [Decimal(200), Decimal("84")], "short": [Decimal(0), Decimal(0)],
        }
    )  # fmt: skip
    news: list[OrderReport] = field(default_factory=list)

    def answer(self, name: str, *told: Any) -> tuple[str, Any, list[OrderReport]]:
        """Do what was asked. Return how it went, the answer, and what the stream tells."""
        for held in self.orders.values():
            if held.status == "open" and self.chance.random() < 0.5:
                self._trade(held)
        kind, result = getattr(self, name)(*told)
        news, self.news = self.news, []
        return kind, result, news

    def place(self, order: VenueOrder) -> tuple[str, Any]:
        assert order.client_id not in self.orders, f"{order.client_id} came twice"
        luck = self.chance.random()
        if luck < 0.04:
            return "down", "not reached"
        held = self.orders[order.client_id] = Held(order)
        if luck < 0.12:
            return "unknown", "503"
        if self.chance.random() < 0.5:
            self._trade(held)
        return "ok", self._report(held)

    def order(self, client_id: str) -> tuple[str, Any]:
        self._moment(NS_PER_SECOND)  # while it recovers no market moves time
        held = self.orders.get(client_id)
        return "ok", OrderReport(client_id, "missing") if held is None else self._report(held)

    def open_orders(self) -> tuple[str, Any]:
        return "ok", [name for name, held in self.orders.items() if held.status == "open"]

    def cancel_all(self) -> tuple[str, Any]:
        for held in self.orders.values():
            if held.status == "open":
                held.status = "expired"
                self.news.append(self._report(held))
        return "ok", None

    def account(self) -> tuple[str, Any]:
        legs = [
            LegReport(side, qty, entry, Decimal(10), False)  # type: ignore[arg-type]
            for side, (qty, entry) in self.legs.items()
        ]
        return "ok", AccountReport(self._moment(), self.wallet, legs, hedge_mode=True)

    def poll(self) -> tuple[str, Any]:
        return "ok", None

    def _trade(self, held: Held) -> None:
        order, left = held.order, held.order.qty_ltc - held.filled
        if self.chance.random() < 0.15:
            held.status = "expired"
        else:
            piece = left if self.chance.random() < 0.5 else (left / 2).quantize(Decimal("0.001"))
            self._fill(held, piece or left)
            held.status = "filled" if held.filled == order.qty_ltc else "open"
        self.news.append(self._report(held))

    def _fill(self, held: Held, qty: Decimal) -> None:
        order, price = held.order, Decimal("84.00") + Decimal(self.chance.randint(-3, 3)) / 100
        fee = qty * price * CONTRACT.taker_fee
        held.filled += qty
        held.notional += qty * price
        held.fee += fee
        self.wallet -= fee
        leg, signed = self.legs[order.position_side], qty if order.buys else -qty
        if leg[0] * signed >= 0:
            leg[1] = (abs(leg[0]) * leg[1] + qty * price) / (abs(leg[0]) + qty)
        else:
            assert qty <= abs(leg[0]), "a leg turned over"
            self.wallet += (price - leg[1]) * -signed
        leg[0] += signed

    def _report(self, held: Held) -> OrderReport:
        return OrderReport(
            held.order.client_id, held.status, held.filled, held.notional, held.fee, "",  # type: ignore[arg-type]
            self._moment(),
        )  # fmt: skip

    def _moment(self, after_ns: int = NS_PER_MS) -> int:
        """Let time pass; return the time then."""
        self.now_ns.by_venue(self.now_ns() + after_ns)
        return self.now_ns()

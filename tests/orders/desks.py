"""Contracts, orders and venues that tell badly, for tests of the desk."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import msgspec
from hypothesis import strategies as st

from litehedge.orders.manager import Order, new_order
from litehedge.orders.placing import Placement
from litehedge.orders.reports import Contract, OrderReport
from litehedge.units import NS_PER_SECOND

LOT, TICK = Decimal("0.001"), Decimal("0.01")
T0 = 1_700_000_000 * NS_PER_SECOND
NOT_TOLD = Decimal("NaN")


def contract(**changes: Any) -> Contract:
    made = Contract(
        venue="binance", symbol="LTCUSDT", is_trading=True, tick_usdt=TICK, lot_ltc=LOT,
        min_notional_usdt=Decimal(20), max_qty_ltc=Decimal(20_000), price_band=Decimal("0.05"),
        taker_fee=Decimal("0.0005"), maker_fee=Decimal("0.0002"), clearance_fee=Decimal("0.0125"),
        tiers=[],
    )  # fmt: skip
    return msgspec.structs.replace(made, **changes)


def placement(**changes: Any) -> Placement:
    return msgspec.structs.replace(Placement("long", "same_account", True), **changes)


def order(
    qty: float = -5.0, limit: float = 99.0, *, leg: int = 1, reduce_only: bool = False,
    number: int = 1,
) -> Order:  # fmt: skip
    return new_order(
        "desk", number, leg, qty, limit, lot=LOT, tick=TICK, reduce_only=reduce_only, decided_ns=T0
    )


@dataclass
class Truth:
    """What a venue did with one order: everything that it could report, in order."""

    order: Order
    reports: list[OrderReport] = field(default_factory=list)

    @property
    def last(self) -> OrderReport:
        return self.reports[-1]


@st.composite
def truths(draw: st.DrawFn, number: int = 1, leg: int | None = None) -> Truth:
    """An order with its fills: filled, partly filled and gone, refused, or never there."""
    sign = draw(st.sampled_from([1, -1]))
    leg = draw(st.sampled_from([0, 1])) if leg is None else leg
    closes = (sign > 0) == (leg == 1)
    lots = draw(st.integers(1000, 9000))
    made = order(sign * lots / 1000, 100.0, leg=leg, reduce_only=closes, number=number)
    name = made.client_id
    kind = draw(st.sampled_from(["filled", "expired", "expired", "rejected", "missing"]))
    if kind in ("rejected", "missing"):
        return Truth(made, [OrderReport(name, kind)])  # type: ignore[arg-type]
    left = lots if kind == "filled" else draw(st.integers(0, lots - 1))
    done = notional = fee = Decimal(0)
    told = Truth(made, [OrderReport(name, "open")])
    pieces = draw(st.lists(st.integers(1, lots), max_size=4))
    for wanted in [*pieces, lots]:
        piece = min(left, wanted)
        if piece == 0:
            break
        left -= piece
        price = Decimal(draw(st.integers(9900, 10100))) / 100
        done += piece * LOT
        notional += piece * LOT * price
        fee += piece * LOT * price * draw(st.sampled_from([Decimal("0.0005"), Decimal("0.0002")]))
        told.reports.append(
            OrderReport(name, "open", done, notional, fee, "", T0 + len(told.reports))
        )
    told.reports.append(
        msgspec.structs.replace(told.last, status=kind, reason="gone" if kind == "expired" else "")
    )
    return told

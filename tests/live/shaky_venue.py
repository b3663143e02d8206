"""A venue in memory whose every answer may fail, come late, twice, or in the wrong order."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field
from decimal import Decimal

import msgspec

from litehedge.errors import VenueDown, VenueRefused, VenueUnknown
from litehedge.orders.reports import (
    AccountReport,
    Contract,
    LegReport,
    OrderReport,
    StopReport,
    VenueOrder,
)

CONTRACT = Contract(
    venue="shaky", symbol="LTCUSDT", is_trading=True, tick_usdt=Decimal("0.01"),
    lot_ltc=Decimal("0.001"), min_notional_usdt=Decimal(5), max_qty_ltc=Decimal(5000),
    price_band=Decimal("0.05"), taker_fee=Decimal("0.0005"), maker_fee=Decimal("0.0002"),
    clearance_fee=Decimal("0.0125"),
    tiers=[(Decimal(0), Decimal(10**7), Decimal(50), Decimal("0.01"), Decimal(0))],
)  # fmt: skip


@dataclass
class Shakes:
    """How likely each misfortune is."""

    refuse: float = 0.0
    down: float = 0.0
    unknown: float = 0.0
    late_s: float = 0.0  # of execution, after an unknown outcome
    lose: float = 0.0  # of a report over the stream
    double: float = 0.0
    delay_s: float = 0.0
    partial: float = 0.0
    deaf: float = 0.0  # of a question
    forgets: float = 0.0  # "no such order" although it is there, for a while


@dataclass
class Held:
    """An order as the venue knows it."""

    order: VenueOrder
    status: str = "open"
    filled: Decimal = Decimal(0)
    notional: Decimal = Decimal(0)
    fee: Decimal = Decimal(0)
    since_s: float = 0.0
    sent: int = 0


@dataclass
class ShakyClient:
    """Implements `ports.VenueClient`; `truth` is what it really did."""

    shakes: Shakes
    chance: random.Random
    side: str = "long"
    name: str = "shaky"
    legs: dict[str, list[Decimal]] = field(default_factory=dict)  # side -> [qty, entry]
    wallet: Decimal = Decimal(1000)
    orders: dict[str, Held] = field(default_factory=dict)
    price: Decimal = Decimal("84.00")
    pending: set[asyncio.Task] = field(default_factory=set)
    tell: object = None
    stops: dict[str, StopReport] = field(default_factory=dict)
    tells_no_outcome: bool = False
    begins_ns: int = 0  # of the machine's clock

    def happens(self, share: float) -> bool:
        return self.chance.random() < share

    # --- the client ---------------------------------------------------------------------------

    async def open(self): ...

    async def close(self):
        for task in self.pending:
            task.cancel()

    async def clock_skew_ms(self):
        return 0.0

    async def contract(self):
        return CONTRACT

    async def set_protective_stop(self, closes, trigger_usdt):
        await asyncio.sleep(self.chance.uniform(0.001, 0.05))
        if self.happens(self.shakes.refuse):
            raise VenueRefused("too busy")
        if self.happens(self.shakes.down):
            raise VenueDown("not reached")
        unknown = self.happens(self.shakes.unknown)
        if not unknown or self.happens(0.6):
            side = closes.position_side
            name = closes.client_id
            self.stops[side] = StopReport(name, side, closes.buys, trigger_usdt, closes.qty_ltc)
        if unknown:
            raise VenueUnknown("503")

    async def protective_stops(self):
        await asyncio.sleep(self.chance.uniform(0.001, 0.05))
        if self.happens(self.shakes.deaf):
            raise VenueDown("no answer")
        return list(self.stops.values())

    async def remove_protective_stop(self, position_side):
        if self.happens(self.shakes.refuse):
            raise VenueRefused("too busy")
        self.stops.pop(position_side, None)

    async def stop_outcome(self, stop):
        if stop.client_id in self.orders:
            told = self.report(stop.client_id)  # on the clock of the machine, not from 0
            return msgspec.structs.replace(told, event_ns=told.event_ns + self.begins_ns)
        return OrderReport(stop.client_id, "missing" if self.tells_no_outcome else "expired")

    def trigger(self, side: str) -> None:
        """Let the stop of a leg trade, whatever is told of it."""
        stop = self.stops.pop(side, None)
        if stop is None:
            return
        qty = min(stop.qty_ltc, abs(self.legs[side][0]))
        self.price = stop.trigger_usdt
        order = VenueOrder(stop.client_id, stop.buys, side, qty, stop.trigger_usdt, True)
        if self.tells_no_outcome:
            held = Held(order)
            self.fill(held, qty, self.price)
            return
        held = self.orders[stop.client_id] = Held(order, since_s=asyncio.get_running_loop().time())
        self.fill(held, qty, self.price)
        held.status = "filled"
        self.stream(stop.client_id)

    async def arm_dead_man(self, after_ms):
        return True

    async def set_leverage(self, leverage): ...

    async def set_hedge_mode(self, on): ...

    async def cancel_all(self): ...

    async def open_orders(self):
        return [name for name, held in self.orders.items() if held.status == "open"]

    async def place(self, order):
        await asyncio.sleep(self.chance.uniform(0.001, 0.05))
        assert order.client_id not in self.orders, "sent twice"
        if self.happens(self.shakes.refuse):
            raise VenueRefused("too busy", raises_only=self.happens(0.5))
        if self.happens(self.shakes.down):
            raise VenueDown("not reached")
        self.price += Decimal(self.chance.randint(-10, 10)) / 100
        if self.happens(self.shakes.unknown):
            if self.happens(0.6):
                self.later(self.chance.uniform(0, self.shakes.late_s), self.execute, order)
            raise VenueUnknown("503")
        self.execute(order)
        if self.happens(0.5):
            return OrderReport(order.client_id, "open")
        return self.report(order.client_id)

    async def order(self, client_id):
        await asyncio.sleep(self.chance.uniform(0.001, 0.05))
        if self.happens(self.shakes.deaf):
            raise VenueDown("no answer")
        held = self.orders.get(client_id)
        young = held is not None and asyncio.get_running_loop().time() - held.since_s < 3.0
        if held is None or (young and self.happens(self.shakes.forgets)):
            return OrderReport(client_id, "missing")
        return self.report(client_id)

    async def account(self):
        asked = self.holding()
        await asyncio.sleep(self.chance.uniform(0.001, 0.5))
        if self.happens(self.shakes.deaf):
            raise VenueDown("no answer")
        return asked if self.happens(0.5) else self.holding()

    async def run(self, tell, out):
        self.tell = tell
        while True:
            await asyncio.sleep(self.chance.uniform(5, 120))
            tell(self.holding())  # as after a reconnect

    # --- what is true -------------------------------------------------------------------------

    def later(self, wait_s, work, *arguments):
        async def waits():
            await asyncio.sleep(wait_s)
            work(*arguments)

        task = asyncio.get_running_loop().create_task(waits())
        self.pending.add(task)
        task.add_done_callback(self.pending.discard)

    def execute(self, order: VenueOrder) -> None:
        share = self.chance.choice([0, 1, 2]) / 3 if self.happens(self.shakes.partial) else 1
        held = self.orders[order.client_id] = Held(order, since_s=asyncio.get_running_loop().time())
        self.stream(order.client_id)
        target = (order.qty_ltc * Decimal(share)).quantize(Decimal("0.001"))
        while held.filled < target:
            piece = min(
                target - held.filled, max(Decimal("0.001"), (target / 2).quantize(Decimal("0.001")))
            )
            price = self.price + Decimal(self.chance.randint(-3, 3)) / 100
            self.fill(held, piece, price)
            held.status = "filled" if held.filled == order.qty_ltc else "open"
            self.stream(order.client_id)
        if held.filled < order.qty_ltc:
            held.status = "expired"
            self.stream(order.client_id)

    def fill(self, held: Held, qty: Decimal, price: Decimal) -> None:
        order = held.order
        fee = qty * price * CONTRACT.taker_fee
        held.filled += qty
        held.notional += qty * price
        held.fee += fee
        self.wallet -= fee
        leg = self.legs[order.position_side]
        signed = qty if order.buys else -qty
        if leg[0] * signed >= 0:
            leg[1] = (abs(leg[0]) * leg[1] + qty * price) / (abs(leg[0]) + qty)
            leg[0] += signed
        else:
            assert qty <= abs(leg[0]), "a leg turned over"
            self.wallet += (price - leg[1]) * -signed
            leg[0] += signed

    def report(self, client_id: str) -> OrderReport:
        held = self.orders[client_id]
        when_ns = int(asyncio.get_running_loop().time() * 1e9)
        return OrderReport(
            client_id, held.status, held.filled, held.notional, held.fee, "", when_ns
        )

    def stream(self, client_id: str) -> None:
        """Tell over the account's stream: lost, twice, late, and so out of order."""
        report = self.report(client_id)
        for _ in range(2 if self.happens(self.shakes.double) else 1):
            if self.tell is not None and not self.happens(self.shakes.lose):
                self.later(self.chance.uniform(0, self.shakes.delay_s), self.tell, report)

    def holding(self) -> AccountReport:
        legs = [
            LegReport(side, qty, entry, Decimal(20), False)
            for side, (qty, entry) in self.legs.items()
        ]
        when_ns = int(asyncio.get_running_loop().time() * 1e9)
        return AccountReport(when_ns, self.wallet, legs, hedge_mode=True)

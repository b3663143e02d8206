"""What a venue changes about its contract reaches the engine."""

from __future__ import annotations

import asyncio
import random
import time
from decimal import Decimal

import msgspec
from shaky_venue import CONTRACT, Shakes, ShakyClient

from litehedge.live.trader import Account
from litehedge.market import events as ev
from litehedge.orders.desk import Desk
from litehedge.orders.placing import Placement


class Out:
    def __init__(self) -> None:
        self.heard: list[ev.AnyEvent] = []

    def now_ns(self) -> int:
        return time.time_ns()

    def put(self, event):
        self.heard.append(event)

    def bad(self, source, error, payload): ...

    def health(self, source, state, detail=""): ...


def test_a_change_is_told_once_and_orders_follow_it():
    told = [CONTRACT]

    class Client(ShakyClient):
        async def contract(self):
            return told[0]

    async def main():
        out = Out()
        second = Placement("long", "second_venue", hedge_mode=True, is_second=True)
        account = Account(Client(Shakes(), random.Random(1)), Desk(second, CONTRACT), out)
        await account._refresh()
        assert out.heard == []
        tiers = [(Decimal(0), Decimal(10**6), Decimal(20), Decimal("0.02"), Decimal(0))]
        told[0] = msgspec.structs.replace(CONTRACT, tiers=tiers, is_trading=False)
        await account._refresh()
        await account._refresh()
        [event] = out.heard
        assert isinstance(event, ev.ContractChanged)
        assert event.tiers == ((0.0, 0.02, 0.0, 20.0),)
        assert (event.is_trading, event.is_second, event.cap_usdt) == (False, True, 1e6)
        assert account.desk.contract is told[0]
        assert ev.decode(ev.encode(event)) == event

    asyncio.run(main())

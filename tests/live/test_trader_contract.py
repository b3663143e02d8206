"""What a venue changes about its contract reaches the engine."""

from __future__ import annotations

import asyncio
import random
import time
from decimal import Decimal

import msgspec
import pytest
from shaky_venue import CONTRACT, Shakes, ShakyClient
from virtual import VirtualLoop

from litehedge.live.checks import dead_man_check
from litehedge.live.trader import DEAD_MAN_MS, DEAD_MAN_S, Account
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


@pytest.mark.parametrize("is_on", [False, True])
def test_the_dead_mans_switch_never_has_orders_of_others_to_cancel(is_on):
    open_: list[str] = []
    asked: list[int] = []

    class Client(ShakyClient):
        async def open_orders(self):
            return list(open_)

        async def arm_dead_man(self, after_ms):
            asked.append(after_ms)
            return True

    async def main():
        client = Client(Shakes(), random.Random(1))
        desk = Desk(Placement("long", "same_account", hedge_mode=True), CONTRACT)
        account = Account(client, desk, Out(), dead_man=is_on)
        if not is_on:
            await account.disarm()
            listening = asyncio.create_task(account.run())
            await asyncio.sleep(3 * DEAD_MAN_S)
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)
            await account.disarm()
            assert asked == []  # neither armed nor disarmed: it may be the user's own
            return
        open_.append("lh-ours-1")
        await account._arm()
        assert asked == [DEAD_MAN_MS]
        open_.append("by-hand")
        await account._arm()
        await account._arm()
        assert asked == [DEAD_MAN_MS, 0]
        open_.remove("by-hand")
        await account._arm()
        await account.disarm()
        await account.disarm()
        assert asked == [DEAD_MAN_MS, 0, DEAD_MAN_MS, 0]

    loop = VirtualLoop()
    try:
        loop.run_until_complete(main())
    finally:
        loop.close()


def test_the_doctor_says_what_the_switch_would_do():
    assert dead_man_check(False, ["by-hand"]).outcome == "ok"
    assert "every open order" in dead_man_check(True, []).what
    told = dead_man_check(True, ["by-hand"])
    assert "not armed" in told.what
    assert "by-hand" in told.what

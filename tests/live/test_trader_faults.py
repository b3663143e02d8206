"""Whatever a venue does with our orders: none lost or doubled, books as the venue's in the end."""

from __future__ import annotations

import asyncio
import os
import random
from collections import Counter
from decimal import Decimal

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from shaky_venue import CONTRACT, Shakes, ShakyClient
from virtual import VirtualLoop

from forecasters import Moody
from litehedge.config import Settings
from litehedge.engine import step
from litehedge.engine_state import State, start
from litehedge.hedge.policies import policy_named
from litehedge.live.trader import Account, LiveVenue
from litehedge.margin.account import HEDGE, POSITION
from litehedge.market import events as ev
from litehedge.orders.desk import Desk
from litehedge.orders.manager import new_order
from litehedge.orders.placing import Placement
from litehedge.risk.state import TradingState
from litehedge.units import NS_PER_SECOND
from progress import passed
from synthetic import packaged_tiers

HISTORIES = int(os.environ.get("LITEHEDGE_SOAK_HISTORIES", "700"))
ORDERS = 4
EPOCH_NS = 1_767_571_200 * NS_PER_SECOND
SHARE = st.sampled_from([0.0, 0.1, 0.3, 0.6])
SHAKES = st.builds(
    Shakes, refuse=SHARE, down=SHARE, unknown=SHARE, late_s=st.sampled_from([0.0, 1.0, 6.0]),
    lose=st.sampled_from([0.0, 0.2, 0.6, 1.0]), double=SHARE,
    delay_s=st.sampled_from([0.0, 0.3, 3.0, 20.0]), partial=SHARE, deaf=SHARE, forgets=SHARE,
)  # fmt: skip


pytestmark = pytest.mark.usefixtures("silent")


class Outlet:
    """Gives what is put straight to the engine, on the clock of the loop."""

    def __init__(self, loop: VirtualLoop) -> None:
        self.loop = loop
        self.state: State | None = None
        self.heard: list[ev.AnyEvent] = []
        self.effects: list[object] = []

    def now_ns(self) -> int:
        return EPOCH_NS + int(self.loop.time() * NS_PER_SECOND)

    def put(self, event: ev.AnyEvent) -> None:
        # The venue's clock starts at 0.
        event = msgspec.structs.replace(event, event_ns=event.event_ns % 10**15 + EPOCH_NS)
        self.heard.append(event)
        assert self.state is not None
        self.state, effects = step(self.state, event)
        self.effects += effects

    def bad(self, source, error, payload):
        raise AssertionError(error)

    def health(self, source, state, detail=""): ...


class Thread:
    """Stands where the thread of the sockets is: here it is the same one."""

    def __init__(self, loop: VirtualLoop) -> None:
        self.loop = loop
        self.tasks: list[asyncio.Task] = []

    def start(self, work, name):
        self.tasks.append(self.loop.create_task(work, name=name))


def engine() -> State:
    made = Settings.model_validate({"position": {"leverage": 20.0}})
    return start(
        made, policy_named("unhedged", made), packaged_tiers(), Moody(), session="f",
        atom_ns=5 * NS_PER_SECOND, per_frame=12,
    )  # fmt: skip


async def history(loop: VirtualLoop, shakes: Shakes, seed: int) -> tuple[Outlet, ShakyClient]:
    chance = random.Random(seed)
    client = ShakyClient(shakes, chance)
    client.legs = {"long": [Decimal(200), Decimal(84)], "short": [Decimal(0), Decimal(0)]}
    out = Outlet(loop)
    out.state = engine()
    desk = Desk(Placement("long", "same_account", hedge_mode=True), CONTRACT)
    account = Account(client, desk, out)
    thread = Thread(loop)
    venue = LiveVenue(thread, out, {POSITION: account, HEDGE: account})
    venue.start()
    await asyncio.sleep(0)
    out.put(ev.Opened(out.now_ns(), out.now_ns(), 1000.0, None, 200.0, 84.0, 20.0, False))
    venue.on_market(ev.Mark(out.now_ns(), out.now_ns(), 84.0))
    for number in range(ORDERS):
        held = -float(out.state.books["qty"][0, HEDGE])
        grows = chance.random() < 0.6 or held < 1.0
        size = chance.randint(1, 60) if grows else min(chance.randint(1, 60), int(held))
        order = new_order(
            "f", number, HEDGE, -size if grows else size, 80.0 if grows else 88.0,
            lot=Decimal("0.001"), tick=Decimal("0.01"), reduce_only=not grows,
            decided_ns=out.now_ns(),
        )  # fmt: skip
        out.state.order = order
        venue.submit(order, out.now_ns())
        begun_s = loop.time()
        while out.state.order is not None:
            await asyncio.sleep(0.25)
            assert loop.time() - begun_s < 15 * 60, f"no end of {order.client_id}"
        await asyncio.sleep(chance.choice([0.0, 0.1, 5.0]))
    shakes.deaf = 0.0
    await asyncio.sleep(5 * 60)  # reports that were late, and the next look at the account
    for task in thread.tasks:
        task.cancel()
    await asyncio.gather(*thread.tasks, return_exceptions=True)
    await client.close()
    await asyncio.sleep(0)
    return out, client


@settings(max_examples=HISTORIES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(SHAKES, st.integers(0, 2**32))
def test_books_end_as_the_venues_after_any_schedule_of_faults(shakes, seed):
    loop = VirtualLoop()
    try:
        out, client = loop.run_until_complete(history(loop, shakes, seed))
    finally:
        loop.close()
    state = out.state
    assert state is not None
    told, ends = Counter(), Counter()
    for event in out.heard:
        if isinstance(event, ev.OrderFilled):
            told[event.client_id] += round(event.qty_ltc * 1000)
        elif isinstance(event, ev.OrderExpired | ev.OrderRejected):
            ends[event.client_id] += 1
    for name, held in client.orders.items():
        signed = held.filled if held.order.buys else -held.filled
        assert told[name] == round(float(signed) * 1000), f"{name} was filled otherwise"
    assert set(told) <= set(client.orders)
    assert all(count == 1 for count in ends.values())
    assert abs(float(state.books["qty"][0, HEDGE]) - float(client.legs["short"][0])) < 1e-9
    assert abs(float(state.books["wallet"][0, 0]) - float(client.wallet)) < 1e-6
    assert state.trading is TradingState.ACTIVE, [e for e in out.effects if hasattr(e, "text")]
    passed("sessions in virtual time", HISTORIES)

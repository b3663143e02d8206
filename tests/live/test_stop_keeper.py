"""Whatever a venue does with a stop: it stands in the end, and what it traded is booked once."""

from __future__ import annotations

import asyncio
import random
from decimal import Decimal

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from shaky_venue import CONTRACT, Shakes, ShakyClient
from test_trader_faults import EPOCH_NS, Thread, engine
from test_trader_faults import Outlet as Shared
from virtual import VirtualLoop

from litehedge.effects import KeepStop
from litehedge.engine import step
from litehedge.errors import VenueRefused
from litehedge.live.trader import Account, LiveVenue
from litehedge.margin.account import HEDGE, POSITION
from litehedge.market import events as ev
from litehedge.orders.desk import Desk
from litehedge.orders.placing import Placement
from litehedge.orders.stops import CANNOT

SHARE = st.sampled_from([0.0, 0.1, 0.3, 0.6])
SHAKES = st.builds(
    Shakes, refuse=SHARE, down=SHARE, unknown=SHARE, lose=st.sampled_from([0.0, 0.5, 1.0]),
    double=SHARE, delay_s=st.sampled_from([0.0, 0.3, 20.0]), deaf=SHARE,
)  # fmt: skip

pytestmark = pytest.mark.usefixtures("silent")


class Outlet(Shared):
    """Leaves what is on the machine's clock as it is; the venue's begins at 0."""

    def put(self, event: ev.AnyEvent) -> None:
        at_ns = event.event_ns + (EPOCH_NS if event.event_ns < EPOCH_NS else 0)
        event = msgspec.structs.replace(event, event_ns=at_ns)
        self.heard.append(event)
        assert self.state is not None
        self.state, effects = step(self.state, event)
        self.effects += effects


STOP = KeepStop(POSITION, Decimal(200), Decimal("80.004"))


async def begin(loop, client) -> tuple[Outlet, LiveVenue, Thread]:
    client.legs = {"long": [Decimal(200), Decimal(84)], "short": [Decimal(0), Decimal(0)]}
    out = Outlet(loop)
    out.state = engine()
    account = Account(
        client, Desk(Placement("long", "same_account", hedge_mode=True), CONTRACT), out
    )
    thread = Thread(loop)
    venue = LiveVenue(thread, out, {POSITION: account, HEDGE: account})
    venue.start()
    await asyncio.sleep(0)
    out.put(ev.Opened(out.now_ns(), out.now_ns(), 1000.0, None, 200.0, 84.0, 20.0, False))
    return out, venue, thread


async def end(thread, client) -> None:
    for task in thread.tasks:
        task.cancel()
    await asyncio.gather(*thread.tasks, return_exceptions=True)
    await client.close()
    await asyncio.sleep(0)


def lived(story, client):
    loop = VirtualLoop()

    async def whole():
        out, venue, thread = await begin(loop, client)
        await story(out, venue)
        await end(thread, client)
        return out

    try:
        return loop.run_until_complete(whole())
    finally:
        loop.close()


def told(out, kind):
    return [event for event in out.heard if isinstance(event, kind)]


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(SHAKES, st.integers(0, 2**32), st.sampled_from(["stays", "lost", "fires"]), st.booleans())
def test_it_stands_or_has_traded_once_after_any_schedule_of_faults(shakes, seed, fate, blind):
    client = ShakyClient(shakes, random.Random(seed), tells_no_outcome=blind)
    client.begins_ns = EPOCH_NS

    async def story(out, venue):
        venue.keep_stop(STOP, out.now_ns())
        for _ in range(200):
            await asyncio.sleep(30.0)
            if told(out, ev.StopArmed):
                break
        if fate == "lost":
            client.stops.clear()
        elif fate == "fires":
            client.trigger("long")
        await asyncio.sleep(150.0)
        shakes.deaf = shakes.refuse = shakes.down = shakes.unknown = 0.0
        await asyncio.sleep(150.0)

    out = lived(story, client)
    assert out.state is not None
    held = float(out.state.books["qty"][0, POSITION])
    closed = sum(event.qty_ltc for event in told(out, ev.StopFilled))
    assert held == float(client.legs["long"][0])
    assert float(out.state.books["wallet"][0, 0]) == pytest.approx(float(client.wallet), abs=1e-6)
    if fate == "fires":
        assert closed == -200.0
        assert not client.stops
    else:
        [stop] = client.stops.values()
        assert (stop.trigger_usdt, stop.qty_ltc) == (Decimal("80.01"), Decimal(200))
        assert closed == 0.0
        assert told(out, ev.StopArmed)[-1].trigger == 80.01
        assert fate != "lost" or told(out, ev.StopFailed)


def test_where_a_venue_cannot_it_is_told_once() -> None:
    client = ShakyClient(Shakes(), random.Random(0))

    async def cannot():
        raise VenueRefused("no stops here", code=CANNOT)

    client.protective_stops = cannot

    async def story(out, venue):
        venue.keep_stop(STOP, out.now_ns())
        await asyncio.sleep(400.0)

    out = lived(story, client)
    [failed] = told(out, ev.StopFailed)
    assert "no stops here" in failed.reason


def test_a_leg_that_is_gone_needs_no_stop_and_less_than_a_lot_is_refused() -> None:
    client = ShakyClient(Shakes(), random.Random(0))

    async def story(out, venue):
        venue.keep_stop(STOP, out.now_ns())
        await asyncio.sleep(90.0)
        assert client.stops
        client.legs["long"] = [Decimal(0), Decimal(0)]  # a person closed it
        await asyncio.sleep(300.0)
        assert not client.stops
        venue.keep_stop(KeepStop(HEDGE, Decimal("0.0001"), Decimal(90)), out.now_ns())
        await asyncio.sleep(90.0)

    out = lived(story, client)
    assert told(out, ev.StopArmed)[-1].qty_ltc == 0.0
    assert "less than the venue's lot" in told(out, ev.StopFailed)[0].reason


@pytest.mark.parametrize("is_ours", [True, False])
def test_what_an_order_of_ours_may_have_closed_no_stop_is_said_to_have(monkeypatch, is_ours):
    """Where the venue cannot tell: the order's fill comes later, and would be booked twice."""
    client = ShakyClient(Shakes(), random.Random(0), tells_no_outcome=True)

    async def story(out, venue):
        venue.keep_stop(STOP, out.now_ns())
        await asyncio.sleep(90.0)
        assert client.stops
        if is_ours:
            monkeypatch.setattr(Desk, "open_orders", property(lambda _: ["lh-p-000001"]))
        client.stops.clear()
        client.legs["long"] = [Decimal(0), Decimal(0)]
        await asyncio.sleep(150.0)

    assert bool(told(lived(story, client), ev.StopFilled)) != is_ours

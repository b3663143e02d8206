"""Keeps the protective stops of one account at its venue: placed, looked after, placed again.

The engine says which stop it wants for a leg. It is placed, and looked for after every
(re)connection, whenever a leg changed, and once a minute. One that is missing traded or was lost:
the venue is asked which. What fails is told and tried again, later and later. Nothing here takes a
stop away when a session ends.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from litehedge.effects import KeepStop
from litehedge.errors import VenueError, VenueRefused
from litehedge.market import events as ev
from litehedge.orders.desk import Desk
from litehedge.orders.placing import Refusal
from litehedge.orders.reports import AccountReport, OrderReport, PositionSide, StopReport
from litehedge.orders.stops import CANNOT, closes_as, is_same, stop_id, stop_order
from litehedge.ports import Outlet, VenueClient
from litehedge.units import NS_PER_SECOND

log = logging.getLogger("litehedge.live")

CHECK_S: Final = 60.0
RETRY_S: Final = 1.0  # doubles with every failure, up to CHECK_S
CLOCKS_NS: Final = 5 * NS_PER_SECOND  # by which the venue's clock may differ from ours
CALM_S: Final = 2.0  # between two looks that nobody is in a hurry for


@dataclass(slots=True)
class _Leg:
    wanted: KeepStop
    standing: StopReport | None = None  # as last seen at the venue
    told: tuple[float, float] | None = None  # quantity and trigger of the last `StopArmed`
    seen_ns: int = 0  # when that one was first seen
    held_ltc: Decimal = Decimal(0)  # unsigned, when it was last seen standing
    is_hopeless: bool = False  # this venue has no such thing


class StopKeeper:
    """The stops of one account, on the thread of the sockets.

    Parameters
    ----------
    desk
        Knows where legs live, what they hold, and what was told of a stop's fills.
    """

    def __init__(self, client: VenueClient, desk: Desk, out: Outlet) -> None:
        self._client = client
        self._desk = desk
        self._out = out
        self._legs: dict[int, _Leg] = {}
        self._wake = asyncio.Event()
        self._is_urgent = False
        self._wait_s = CHECK_S
        self._retry_s = RETRY_S
        self._last_number = 0

    def keep(self, stop: KeepStop) -> None:
        """Keep this stop, from now on and until another is wanted for its leg."""
        before = self._legs.get(stop.leg)
        ours = self._legs[stop.leg] = _Leg(stop)
        if before is not None:
            ours.standing, ours.seen_ns = before.standing, before.seen_ns
            ours.held_ltc = before.held_ltc
        self._retry_s = RETRY_S
        self.look(urgent=True)

    def look(self, *, urgent: bool = False) -> None:
        """See to the stops soon."""
        if self._legs:
            self._is_urgent |= urgent
            self._wake.set()

    def suspect(self, report: AccountReport) -> None:
        """Hurry where a leg that has a stop became smaller: a fill may not have been told."""
        for leg, ours in self._legs.items():
            parts = [x for x in report.legs if self._desk.placement.leg_of(x.position_side) == leg]
            left = sum((abs(x.qty_ltc) for x in parts), Decimal(0))
            if ours.standing is not None and left < ours.held_ltc:
                self.look(urgent=True)

    def fired(self, leg: int) -> None:
        """A stop traded: it is gone, and what its leg needs now the engine says."""
        self._legs.pop(leg, None)

    async def run(self) -> None:
        """Look after the stops until cancelled."""
        self._wake.set()
        while True:
            try:
                async with asyncio.timeout(self._wait_s):
                    await self._wake.wait()
                if not self._is_urgent:
                    await asyncio.sleep(CALM_S)
            except TimeoutError:
                pass
            self._wake.clear()
            self._is_urgent = False
            self._wait_s = CHECK_S
            if any(not ours.is_hopeless for ours in self._legs.values()):
                await self._see_to_all()

    async def _see_to_all(self) -> None:
        try:
            held = await self._client.protective_stops()
        except VenueError as error:
            for leg in list(self._legs):
                self._failed(leg, error)
            return
        for leg in list(self._legs):
            try:
                await self._see_to(leg, held)
            except VenueError as error:
                self._failed(leg, error)

    async def _see_to(self, leg: int, held: list[StopReport]) -> None:
        ours = self._legs.get(leg)
        if ours is None:
            return  # it traded meanwhile
        wanted = ours.wanted
        made = stop_order(
            leg, wanted.qty_ltc, wanted.trigger_usdt, self._desk.placement, self._desk.contract,
            self._new_id(leg),
        )  # fmt: skip
        if isinstance(made, Refusal):
            if wanted.qty_ltc == 0:
                self._tell_armed(leg, ours, 0.0, 0.0)
                return
            raise VenueRefused(made.why)
        order, trigger = made
        there = [one for one in held if closes_as(one, order)]
        before = ours.standing
        if before is not None and before not in there and await self._has_fired(leg, ours, before):
            return
        size = self._desk.held_ltc(leg)
        if size is None:  # no report of the account has come yet
            size = await self._size_of(order.position_side)
        if wanted.qty_ltc == 0 or size == 0:
            if there:
                await self._client.remove_protective_stop(order.position_side)
            ours.standing = None
            self._tell_armed(leg, ours, 0.0, 0.0)
            return
        same = [one for one in there if is_same(one, order, trigger)]
        if len(there) != 1 or not same:
            if before is not None and not there and ours.told is not None:
                self._tell_failed(leg, ours, "the venue lost it; it is placed again")
            await self._client.set_protective_stop(order, trigger)
            again = await self._client.protective_stops()
            same = [one for one in again if is_same(one, order, trigger)]
            if not same:
                raise VenueRefused("the venue took it, and does not have it")
        if self._legs.get(leg) is not ours:
            return  # another one is wanted by now
        if ours.standing != same[0]:
            ours.standing, ours.seen_ns = same[0], self._out.now_ns()
        ours.held_ltc = abs(size)
        self._retry_s = RETRY_S
        qty = abs(size) if same[0].qty_ltc is None else order.qty_ltc
        self._tell_armed(leg, ours, float(qty), float(trigger))

    async def _has_fired(self, leg: int, ours: _Leg, stop: StopReport) -> bool:
        """Find out what became of a stop that is not there; tell whether it traded.

        Where the venue cannot tell, a leg that became smaller by what the stop would close says
        so: then the trigger stands for its price, until the account's report sets the wallet right.
        While an order of ours is open, that may be what made it smaller.
        """
        report = await self._client.stop_outcome(stop)
        if report.status == "open":
            return False
        if report.status != "missing" and report.event_ns < ours.seen_ns - CLOCKS_NS:
            report = OrderReport(stop.client_id, "expired")  # it is of another one, from before
        if report.status == "missing":
            closed = ours.held_ltc - await self._size_of(stop.position_side)
            is_other = stop.qty_ltc is not None and closed != stop.qty_ltc
            if closed <= 0 or is_other or self._desk.open_orders:
                ours.standing = None
                return False
            report = OrderReport(
                stop.client_id or self._new_id(leg), "filled", closed, closed * stop.trigger_usdt
            )
        ours.standing = None
        return self.heard(report)

    async def _size_of(self, side: PositionSide) -> Decimal:
        """Return what a leg holds, unsigned, as the venue says now."""
        legs = (await self._client.account()).legs
        return sum((abs(x.qty_ltc) for x in legs if x.position_side == side), Decimal(0))

    def heard(self, report: OrderReport) -> bool:
        """Take a report of a stop; tell whether it traded anything new."""
        said = self._desk.on_report(report, self._out.now_ns())
        self.saw(said)
        for event in said:
            self._out.put(event)
        return bool(said)

    def saw(self, said: list[ev.AccountEvent]) -> None:
        """Note what the desk tells: stops that traded."""
        for event in said:
            if isinstance(event, ev.StopFilled):
                self.fired(event.leg)

    # --- telling ------------------------------------------------------------------------------

    def _tell_armed(self, leg: int, ours: _Leg, qty_ltc: float, trigger: float) -> None:
        if ours.told == (qty_ltc, trigger):
            return
        ours.told = (qty_ltc, trigger)
        now_ns = self._out.now_ns()
        self._out.put(ev.StopArmed(now_ns, now_ns, leg, qty_ltc, trigger))

    def _failed(self, leg: int, error: VenueError) -> None:
        ours = self._legs.get(leg)
        if ours is None or ours.is_hopeless:
            return
        ours.is_hopeless = isinstance(error, VenueRefused) and error.code == CANNOT
        log.warning("%s: the protective stop of leg %d: %s", self._client.name, leg, error)
        self._tell_failed(leg, ours, str(error))
        self._wait_s = min(self._wait_s, self._retry_s)
        self._retry_s = min(2.0 * self._retry_s, CHECK_S)

    def _tell_failed(self, leg: int, ours: _Leg, why: str) -> None:
        ours.told = None
        now_ns = self._out.now_ns()
        self._out.put(ev.StopFailed(now_ns, now_ns, leg, why))

    def _new_id(self, leg: int) -> str:
        side = self._desk.placement.side_of(leg) if self._desk.placement.hedge_mode else "both"
        self._last_number = max(self._out.now_ns() // NS_PER_SECOND, self._last_number + 1)
        return stop_id(side, self._last_number)

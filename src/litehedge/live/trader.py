"""A real account as the engine's venue: orders go out over its client, reports come back in.

Everything of an account happens on the thread of the sockets: sending, asking, listening. The
engine's thread hands orders over and returns at once; what the venue says reaches the engine
through the funnel, like the market, in the order in which it became known.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from litehedge.effects import KeepStop
from litehedge.errors import VenueError
from litehedge.live.sockets import SocketThread
from litehedge.live.stops import StopKeeper
from litehedge.margin.account import POSITION
from litehedge.market import events as ev
from litehedge.orders.desk import Desk
from litehedge.orders.manager import Order, is_ours
from litehedge.orders.reports import AccountReport, Contract, Report, VenueOrder
from litehedge.orders.transfers import MarginTransfer
from litehedge.ports import Outlet, VenueClient

log = logging.getLogger("litehedge.live")

LOOK_S: Final = 0.1  # how often the desk is asked whether an order is overdue
ACCOUNT_S: Final = 30.0  # how often our books are held against the venue's
CONTRACT_S: Final = 300.0  # how often the rules of the contract are read anew
CLOCK_S: Final = 60.0  # how often this machine's clock is held against the venue's
ANSWERED_S: Final = 0.5  # an answer that took longer says too little about the time
DEAD_MAN_S: Final = 30.0
RESTART_S: Final = 1.0
DEAD_MAN_MS: Final = 120_000


class Account:
    """One account on one venue, on the thread of the sockets.

    Parameters
    ----------
    dead_man
        Whether the venue may cancel all open orders of the contract when it hears nothing: even
        then only while none is there that is not ours.
    """

    def __init__(
        self, client: VenueClient, desk: Desk, out: Outlet, *, dead_man: bool = False
    ) -> None:
        self.client = client
        self.desk = desk
        self.stops = StopKeeper(client, desk, out)
        self._out = out
        self._dead_man = dead_man
        self._is_armed = False
        self._heard = 0  # reports so far: what was asked before the last one is stale
        self._asking: set[str] = set()
        self._sending: set[asyncio.Task[None]] = set()

    # --- what the engine wants ----------------------------------------------------------------

    def send(self, order: Order, mark_usdt: float, middle_usdt: float) -> None:
        """Send an order, once."""
        mark = Decimal(repr(mark_usdt)) if mark_usdt == mark_usdt else None
        wire, said = self.desk.place(
            order, self._out.now_ns(), mark_usdt=mark, middle_usdt=middle_usdt
        )
        self._put(said)
        if wire is not None:
            self._spawn(self._place(wire), f"place {order.client_id}")

    def ask(self, client_id: str) -> None:
        """Ask what became of an order."""
        if client_id not in self._asking:
            self._spawn(self._ask(client_id), f"ask {client_id}")

    def cancel_all(self) -> None:
        """Cancel every open order."""
        self._spawn(self._cancel_all(), "cancel all")

    # --- what goes on by itself ---------------------------------------------------------------

    async def run(self) -> None:
        """Listen to the account, and look after it, until cancelled. A failure begins it anew."""
        name = f"{self.client.name}.account"
        while True:
            try:
                self._out.health(name, "ok")
                await self._listen()
            except Exception as error:
                log.exception("%s failed", name)
                self._out.health(name, "down", f"{type(error).__name__}: {error}")
            await asyncio.sleep(RESTART_S)

    async def _listen(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.client.run(self._hear, self._out), name="account stream")
            tasks.create_task(self._every(LOOK_S, self._look), name="overdue orders")
            tasks.create_task(self._every(ACCOUNT_S, self._compare), name="account report")
            tasks.create_task(self._every(CONTRACT_S, self._refresh), name="contract")
            tasks.create_task(self._every(CLOCK_S, self._hold_clock), name="clock")
            if self._dead_man:
                tasks.create_task(self._every(DEAD_MAN_S, self._arm), name="dead man's switch")
            tasks.create_task(self.stops.run(), name="protective stops")

    async def disarm(self) -> None:
        """Disarm what would act without us; one that somebody else armed is theirs."""
        if not self._is_armed:
            return
        try:
            await self.client.arm_dead_man(0)
            self._is_armed = False
        except VenueError as error:
            log.warning("%s: the dead man's switch stays armed: %s", self.client.name, error)

    async def close(self) -> None:
        """Disarm what would act without us, and let go of the connections."""
        await self.disarm()
        await self.client.close()

    def _hear(self, report: Report) -> None:
        self._heard += 1
        if isinstance(report, AccountReport):
            self.stops.look()  # it may be the first word after a reconnection
            self.stops.suspect(report)
            if self.desk.open_orders:
                return  # what it tells of an order in flight is told by the order itself
        self._put(self.desk.on_report(report, self._out.now_ns()))

    async def _place(self, wire: VenueOrder) -> None:
        try:
            report = await self.client.place(wire)
        except VenueError as error:
            log.warning("%s: %s: %s", self.client.name, wire.client_id, error)
            self._put(self.desk.failed(wire.client_id, error, self._out.now_ns()))
        else:
            self._hear(report)

    async def _ask(self, client_id: str) -> None:
        self._asking.add(client_id)
        try:
            self._hear(await self.client.order(client_id))
        except VenueError as error:
            log.warning("%s: asking about %s: %s", self.client.name, client_id, error)
        finally:
            self._asking.discard(client_id)

    async def _cancel_all(self) -> None:
        try:
            await self.client.cancel_all()
        except VenueError as error:
            log.error("%s: open orders may still trade: %s", self.client.name, error)

    async def _look(self) -> None:
        for client_id in self.desk.questions(self._out.now_ns()):
            self.ask(client_id)

    async def _compare(self) -> None:
        before = self._heard
        report = await self.client.account()
        self.stops.suspect(report)
        if before == self._heard and not self.desk.open_orders:
            self._put(self.desk.on_report(report, self._out.now_ns()))

    async def _refresh(self) -> None:
        contract = await self.client.contract()
        news = changed(self.desk.contract, contract)
        for change in news:
            log.warning("%s: %s", self.client.name, change)
        self.desk.contract = contract
        if news:
            second = self.desk.placement.is_second
            self._put([contract_changed(contract, self._out.now_ns(), is_second=second)])

    async def _hold_clock(self) -> None:
        """Tell the engine how far this machine's clock is from the venue's, as far as is known.

        What was measured is wrong by half of the time that the answer took, at most.
        """
        clock = asyncio.get_running_loop().time
        began = clock()
        skew_ms = await self.client.clock_skew_ms()
        if clock() - began > ANSWERED_S:
            return
        now_ns, second = self._out.now_ns(), self.desk.placement.is_second
        self._out.put(ev.Vitals(now_ns, now_ns, skew_ms=skew_ms, is_second=second))

    async def _arm(self) -> None:
        foreign = [name for name in await self.client.open_orders() if not is_ours(name)]
        if not foreign:
            self._is_armed = True  # before: what has no answer may have been done
            self._is_armed = await self.client.arm_dead_man(DEAD_MAN_MS)
        elif self._is_armed:
            log.warning(
                "%s: the dead man's switch is disarmed: %s is not ours, and would be cancelled",
                self.client.name, foreign[0],
            )  # fmt: skip
            await self.disarm()

    async def _every(self, seconds: float, work: object) -> None:
        while True:
            await asyncio.sleep(seconds)
            try:
                await work()  # type: ignore[operator]
            except VenueError as error:
                log.warning("%s: %s", self.client.name, error)

    def _put(self, said: list[ev.AccountEvent]) -> None:
        self.stops.saw(said)
        for event in said:
            self._out.put(event)

    def _spawn(self, work: object, name: str) -> None:
        task = asyncio.get_running_loop().create_task(work, name=name)  # type: ignore[var-annotated, arg-type]
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)


class LiveVenue:
    """Implements `ports.Venue` over the accounts in which our legs live.

    Parameters
    ----------
    accounts
        Leg -> its account; with one account both legs have the same.
    """

    def __init__(self, thread: SocketThread, out: Outlet, accounts: Mapping[int, Account]) -> None:
        self._thread = thread
        self._out = out
        self._accounts = accounts
        self._mark = float("nan")
        self._middle = float("nan")
        self._leg_of: dict[str, int] = {}  # of orders that may be asked about

    def start(self) -> None:
        """Begin to listen."""
        for account in self._each:
            self._thread.start(account.run(), f"account on {account.client.name}")

    @property
    def _each(self) -> list[Account]:
        return list({id(account): account for account in self._accounts.values()}.values())

    def on_market(self, event: ev.MarketEvent) -> list[ev.AccountEvent]:
        """Remember the prices that orders are measured by."""
        if type(event) is ev.Book:
            self._middle = 0.5 * (event.bid + event.ask)
        elif type(event) is ev.Mark:
            self._mark = event.price
        return []

    def submit(self, order: Order, now_ns: int) -> list[ev.AccountEvent]:
        """Hand an order over; the answer comes through the funnel."""
        self._leg_of = {order.client_id: order.leg}  # one order at a time is in flight
        account = self._accounts[order.leg]
        self._call(account.send, order, self._mark, self._middle)
        return []

    def query(self, client_id: str, now_ns: int) -> list[ev.AccountEvent]:
        """Ask what became of an order."""
        leg = self._leg_of.get(client_id)
        for account in self._each if leg is None else [self._accounts[leg]]:
            self._call(account.ask, client_id)
        return []

    def cancel_all(self, now_ns: int) -> list[ev.AccountEvent]:
        """Cancel every open order on every venue."""
        for account in self._each:
            self._call(account.cancel_all)
        return []

    def keep_stop(self, stop: KeepStop, now_ns: int) -> list[ev.AccountEvent]:
        """Hand a stop over to the account of its leg; what comes of it comes through the funnel."""
        account = self._accounts.get(stop.leg)
        if account is not None:
            self._call(account.stops.keep, stop)
        return []

    def transfer(self, transfer: MarginTransfer, now_ns: int) -> list[ev.AccountEvent]:
        """Refuse: a key that could move money off a venue is a key that is refused."""
        to, away = ("position", "hedge") if transfer.target == POSITION else ("hedge", "position")
        why = (
            f"keys of litehedge cannot withdraw; send {transfer.amount_usdt} USDT by hand from "
            f"the {away}'s venue to the {to}'s"
        )
        return [ev.TransferRejected(now_ns, now_ns, transfer.transfer_id, why)]

    def query_transfer(self, transfer_id: str, now_ns: int) -> list[ev.AccountEvent]:
        """Say that it was never sent."""
        return [ev.TransferRejected(now_ns, now_ns, transfer_id, "it was never sent")]

    def _call(self, work: object, *arguments: object) -> None:
        self._thread.loop.call_soon_threadsafe(work, *arguments)  # type: ignore[arg-type]


def contract_changed(
    contract: Contract, now_ns: int, *, is_second: bool = False
) -> ev.ContractChanged:
    """Return the rules of a contract as the engine hears them."""
    return ev.ContractChanged(
        event_ns=now_ns,
        known_ns=now_ns,
        is_trading=contract.is_trading,
        tick_usdt=float(contract.tick_usdt),
        lot_ltc=float(contract.lot_ltc),
        min_notional_usdt=float(contract.min_notional_usdt),
        taker_fee=float(contract.taker_fee),
        clearance_fee=float(contract.clearance_fee),
        cap_usdt=float(contract.tiers[-1][1]),
        tiers=tuple(
            (float(floor), float(rate), float(cum), float(leverage))
            for floor, _, leverage, rate, cum in contract.tiers
        ),
        is_second=is_second,
    )


def changed(before: Contract, after: Contract) -> list[str]:
    """Return what a venue changed about its contract, in words."""
    told = []
    for field in Contract.__struct_fields__:
        old, new = getattr(before, field), getattr(after, field)
        if old != new:
            what = "the maintenance tiers" if field == "tiers" else f"{field} from {old} to {new}"
            told.append(f"the venue changed {what} of {after.symbol}")
    return told

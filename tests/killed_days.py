"""A day of trading in which the engine is killed again and again and the venue is not.

The venue lives in this process. The engine, with its journal on disk, its desk and its sockets'
thread, lives in a forked child that is ended by SIGKILL: at a request to the venue (before it is
heard, after it is done, after it is answered) and a random moment later. The next child begins
where the journal ends. Market time goes on in memory that both share.
"""

from __future__ import annotations

import asyncio
import mmap
import os
import random
import select
import signal
import struct
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from litehedge.config import Settings
from litehedge.errors import VenueDown, VenueUnknown
from litehedge.hedge.policies import policy_named
from litehedge.live import opening
from litehedge.live.funnel import Funnel
from litehedge.live.real import Seen, prepare
from litehedge.live.running import ATOM_NS, Plan, compile_kernels
from litehedge.live.setup import tiers_of
from litehedge.live.sockets import SocketThread
from litehedge.margin.account import HEDGE, POSITION
from litehedge.market import events as ev
from litehedge.model.baselines.blind import BlindForecaster
from litehedge.orders.reports import AccountReport, Contract, LegReport, OrderReport, VenueOrder
from litehedge.risk.state import RESUME_WORD, TradingState
from litehedge.store.steady import SteadyJournal
from litehedge.units import NS_PER_SECOND

BEGINS_NS = 1_767_571_200 * NS_PER_SECOND
PRICE = 84.0
SESSION = "kills"
AT = {"place": 0.3, "order": 0.03}  # how likely a request of a kind is the last one
SETTLE_S = 20.0  # that a child may take to come to rest before the test gives up
HALTS = 0.08  # of the lives in which a person halts
CONTRACT = Contract(
    venue="true", symbol="LTCUSDT", is_trading=True, tick_usdt=Decimal("0.01"),
    lot_ltc=Decimal("0.001"), min_notional_usdt=Decimal(5), max_qty_ltc=Decimal(5000),
    price_band=Decimal("0.05"), taker_fee=Decimal("0.0005"), maker_fee=Decimal("0.0002"),
    clearance_fee=Decimal("0.0125"),
    tiers=[(Decimal(0), Decimal(10**7), Decimal(50), Decimal("0.01"), Decimal(0))],
)  # fmt: skip


class Time:
    """Market time, shared by all processes that are forked after it was made."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, 8)
        self.set(BEGINS_NS)

    def __call__(self) -> int:
        return int(struct.unpack("q", self._memory[:8])[0])

    def set(self, now_ns: int) -> None:
        self._memory[:8] = struct.pack("q", now_ns)


# --- the venue ----------------------------------------------------------------------------------


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
    """What really happened. An order trades in up to three pieces, each at a later request."""

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
        self.now_ns.set(self.now_ns() + NS_PER_SECOND)  # while it recovers no market moves time
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
        return "ok", AccountReport(self.now_ns(), self.wallet, legs, hedge_mode=True)

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
            self.now_ns(),
        )  # fmt: skip


# --- the engine's process -----------------------------------------------------------------------


class PipedClient:
    """Implements `ports.VenueClient` over a pipe to the process in which the venue lives."""

    name = "true"

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self._tell: Callable[[Any], None] = lambda report: None

    def ask(self, name: str, *told: Any) -> Any:
        self._pipe.send((name, *told))
        kind, result, news = self._pipe.recv()
        for report in news:
            self._tell(report)
        if kind == "ok":
            return result
        raise {"down": VenueDown, "unknown": VenueUnknown}[kind](result)

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def contract(self) -> Contract:
        return CONTRACT

    async def account(self) -> AccountReport:
        return self.ask("account")

    async def place(self, order: VenueOrder) -> OrderReport:
        return self.ask("place", order)

    async def order(self, client_id: str) -> OrderReport:
        return self.ask("order", client_id)

    async def open_orders(self) -> list[str]:
        return self.ask("open_orders")

    async def cancel_all(self) -> None:
        self.ask("cancel_all")

    async def set_protective_stop(self, closes: VenueOrder, trigger_usdt: Decimal) -> None: ...

    async def arm_dead_man(self, after_ms: int) -> bool:
        return True

    async def run(self, tell: Callable[[Any], None], out: Any) -> None:
        self._tell = tell
        while True:
            await asyncio.sleep(0.002)
            self.ask("poll")


def second(now: int) -> list[ev.MarketEvent]:
    """Return what the market tells of a second."""
    price = PRICE + 0.5 * float(np.sin(now / NS_PER_SECOND / 40.0))
    book = ev.Book(now, now, price - 0.01, price + 0.01, 1e7, 1e7)
    trade = ev.Trade(now, now, price, 1.0, True)
    return [book, trade, ev.Mark(now, now, price), ev.Tick(now, now)]


class Day(Funnel):
    """A market that moves on by a second when the engine has done with the one before."""

    def __init__(self, now_ns: Time) -> None:
        super().__init__(now_ns)
        self._time = now_ns

    def events(self) -> Iterator[ev.AnyEvent]:
        while True:
            time.sleep(0.0002)  # the thread of the sockets must come to its work too
            while not self._queue.empty():
                told = self._queue.get()
                if told is None:
                    return
                yield told
            now = (self._time() // NS_PER_SECOND + 1) * NS_PER_SECOND
            self._time.set(now)
            self._given_ns = now
            yield from second(now)


def made_plan() -> Plan:
    """Return what every life guards with: no opinion of its own, and limits that stop nothing."""
    settings = Settings.model_validate({
        "position": {"leverage": 10.0, "wallet_usdt": 2000.0},
        "hedge": {"location": "same_account"},
        "limits": {
            "max_orders_per_minute": 10**6, "max_orders_per_day": 10**6, "daily_cost_share": 1.0,
            "weekly_cost_share": 1.0,
            "max_ratio_per_minute": 1e6, "max_hedge_notional_usdt": 1e9, "max_depth_share": 1.0,
            "equity_stop_share": 0.0,
        },
    })  # fmt: skip
    return Plan(
        settings, policy_named("unhedged", settings), tiers_of(CONTRACT), BlindForecaster(), "none",
        12 * ATOM_NS,
    )  # fmt: skip


def live(plan: Plan, folder: Path, pipe: Connection, now_ns: Time, seed: int, halts: float) -> None:
    """Recover from the journal, tell how it stands, and trade until killed."""
    opening.RETRY_S = 0.005  # type: ignore[misc]
    chance = random.Random(seed)
    journal = SteadyJournal(folder / "journal.sqlite")
    client = PipedClient(pipe)
    with SocketThread() as thread:
        funnel = Day(now_ns)
        seen = Seen(client, CONTRACT, thread.call(client.account()), 0.0)  # type: ignore[arg-type]
        session = prepare(thread, funnel, plan, journal, seen, session=SESSION)
        state = session.taken.state
        halts_at = chance.randint(5, 40) if chance.random() < halts else -1

        class People:
            looks = 0

            def take(self) -> Iterable[ev.Command]:
                if not state.is_open:
                    return
                self.looks += 1
                now = funnel.given_ns()
                if self.looks == halts_at:
                    pipe_tell("halting")
                    yield ev.Halt(now, now, "a test")
                    journal.flush()
                    pipe_tell("halted")
                elif state.trading is TradingState.HALTED and self.looks == 30:
                    pipe_tell("resuming")
                    yield ev.Resume(now, now, RESUME_WORD)
                    journal.flush()
                    pipe_tell("resumed")
                elif self.looks % 20 == 1:
                    ratio = round(chance.random(), 2)
                    yield ev.SetHedge(now, now, ratio, now + 3600 * NS_PER_SECOND)

        def pipe_tell(*told: Any) -> None:
            """Speak from the thread of the sockets: the pipe has one speaker."""

            async def says() -> None:
                client.ask("note", *told)

            thread.call(says())

        def observe(event: ev.AnyEvent, effects: list[Any]) -> None:
            if type(event) is ev.Opened:
                books = state.books[0]
                pipe_tell(
                    "ready", state.fixed.session, float(books["qty"][POSITION]),
                    float(books["qty"][HEDGE]), float(books["wallet"][0]), int(state.trading),
                    state.order is None and not state.needs_reconciling,
                )  # fmt: skip

        past = [
            event for ago in range(75, 0, -1) for event in second(now_ns() - ago * NS_PER_SECOND)
        ]
        session.run([], past, journal=journal, inbox=People(), observers=[observe])


# --- the day ------------------------------------------------------------------------------------


@dataclass
class Killed:
    """What a day of kills was like."""

    kills: Counter[str] = field(default_factory=Counter)
    recoveries: int = 0
    cuts: int = 0
    sessions: list[str] = field(default_factory=list)
    is_halted: bool | None = False  # None: the word for it is on its way


def kill_often(
    folder: Path, lives: int, seed: int, *, loses_power: bool = False
) -> tuple[TrueVenue, Killed]:
    """Let so many engines live and die on one account. Raises when one does not come back right.

    With `loses_power` half of them lose the end of what they wrote, and no person halts.
    """
    plan, now_ns, chance = made_plan(), Time(), random.Random(seed)
    compile_kernels(plan)
    venue, day = TrueVenue(now_ns, chance), Killed()
    for number in range(lives):
        halts = 0.0 if loses_power else HALTS
        _live_once(plan, folder, venue, day, chance, number, halts, is_last=number == lives - 1)
        log = folder / "journal.sqlite-wal"
        if loses_power and chance.random() < 0.5 and log.exists():
            os.truncate(log, int(chance.random() * log.stat().st_size))
            day.cuts += 1
        now_ns.set(now_ns() + chance.randint(1, 5) * NS_PER_SECOND)
    return venue, day


def _live_once(
    plan: Plan, folder: Path, venue: TrueVenue, day: Killed, chance: random.Random, number: int,
    halts: float, *, is_last: bool,
) -> None:  # fmt: skip
    ours, theirs = Pipe()
    seed = chance.getrandbits(32)
    child = os.fork()
    if child == 0:
        try:
            ours.close()
            signal.alarm(60)  # should the parent be gone
            live(plan, folder, theirs, venue.now_ns, seed, halts)
        except BaseException:
            traceback.print_exc()
            sys.stderr.flush()
        os._exit(1)
    theirs.close()
    # Some die while they recover; the last one of a day must come to rest.
    requests = chance.choice([chance.randint(0, 8), chance.randint(8, 60)])
    moment = chance.choice(["before it is heard", "before the answer", "after the answer"])
    is_ready = False
    try:
        while True:
            if not ours.poll(SETTLE_S):
                raise AssertionError(f"life {number} stands still")
            try:
                name, *told = ours.recv()
            except EOFError:
                raise AssertionError(f"life {number} ended by itself, see above") from None
            if name == "note":
                is_ready |= told[0] == "ready"
                _note(venue, day, *told)
                ours.send(("ok", None, []))
                continue
            requests -= 1
            is_due = requests < 0 or (chance.random() < AT.get(name, 0.0))
            is_due &= is_ready or not is_last
            if is_due and moment == "before it is heard":
                day.kills[f"{moment}: {name}"] += 1
                return
            answer = venue.answer(name, *told)
            assert not (name == "place" and day.is_halted), "sent while it was halted"
            if is_due and moment == "before the answer":
                day.kills[f"{moment}: {name}"] += 1
                return
            ours.send(answer)
            if is_due:
                select.select([], [], [], chance.random() * 0.004)
                day.kills[f"{moment}: {name}"] += 1
                return
    finally:
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        ours.close()
        assert os.WIFSIGNALED(status) or sys.exc_info()[0], f"life {number} was not killed"


def _note(venue: TrueVenue, day: Killed, what: str, *told: Any) -> None:
    if what != "ready":
        day.is_halted = {"halted": True, "resumed": False}.get(what)
        return
    name, position, hedge, wallet, trading, is_at_rest = told
    day.recoveries += 1
    assert name not in day.sessions, "ids come again"
    day.sessions.append(name)
    assert is_at_rest, "an order has no end"
    assert not [n for n, held in venue.orders.items() if held.status == "open"]
    truth = [float(venue.legs[side][0]) for side in ("long", "short")]
    assert [position, hedge] == truth, f"our books have {position}, {hedge}, the venue {truth}"
    assert abs(wallet - float(venue.wallet)) < 1e-6
    if day.is_halted is not None:
        wanted = TradingState.HALTED if day.is_halted else TradingState.ACTIVE
        assert trading == wanted, f"trading is {trading}, and was {wanted}"
    day.is_halted = trading == TradingState.HALTED

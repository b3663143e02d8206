"""Sessions as a user runs them, on a fake exchange over real sockets, in virtual time."""

from __future__ import annotations

import asyncio
import contextvars
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any
from unittest import mock

from litehedge.cli.replay import _replay
from litehedge.config import Hedge, PositionSide, Settings
from litehedge.effects import Alert, Submit
from litehedge.engine_state import State
from litehedge.errors import UsageError, VenueError
from litehedge.exchange.scene import Scene, Scripted
from litehedge.exchange.server import FakeExchange
from litehedge.exchange.terms import Ask, VenueName
from litehedge.hedge.policies import policy_named
from litehedge.live import trader
from litehedge.live.before import before_of
from litehedge.live.funnel import Funnel
from litehedge.live.real import RealSession, look, prepare, settings_of
from litehedge.live.running import ATOM_NS, Plan
from litehedge.live.setup import tiers_of
from litehedge.margin.account import HEDGE, POSITION
from litehedge.market import events as ev
from litehedge.model.baselines.blind import BlindForecaster
from litehedge.store import journal as journal_module
from litehedge.store.journal import Journal
from litehedge.units import NS_PER_SECOND
from litehedge.venues.binance import BinanceClient, Hosts, history, sources
from litehedge.venues.bybit import BybitClient
from litehedge.venues.bybit import Hosts as BybitHosts
from litehedge.venues.keys import Keys
from timeless import SIDE, LoopQueue, SameThread, TimelessLoop

BEGINS_S = 1_795_000_000
PAST_S = 600
FRAME_NS = 60 * NS_PER_SECOND
BESIDE = Settings(hedge=Hedge(location="same_account"))
COMPARED_S = 10.0  # the account is asked for more often than it is by default
Observer = Callable[[ev.AnyEvent, list[Any]], None]


def _quick(connection: Any, record: Any) -> None:
    """Write without waiting for the disk: here a process only pretends to die."""
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=OFF")


class Killed(BaseException):
    """Stands for the death of the process: nothing is closed, nothing is flushed."""


@dataclass
class World:
    """A fake exchange at work on a timeless loop, with a position of the user."""

    path: Sequence[tuple[float, float]] = ((0.0, 84.1),)
    qty_ltc: float = 100.0
    leverage: int = 50
    wallet_usdt: float = 1000.0
    venues: Sequence[VenueName] = ("binance",)
    home: VenueName = "binance"  # where the position is
    seed: int = 0
    hedge_mode: bool = True
    isolated: bool = False
    step_ms: int = 1000
    scene: Scene | None = None
    loop: TimelessLoop = field(init=False)
    exchange: FakeExchange = field(init=False)

    def __enter__(self) -> World:
        self.loop = TimelessLoop()
        asyncio.set_event_loop(self.loop)
        self._context = contextvars.copy_context()
        self._context.run(SIDE.set, "venue")
        self._context.run(self.loop.run_until_complete, self._open())
        return self

    def __exit__(self, *why: object) -> None:
        self.loop.cancel("ours")
        self._context.run(self.loop.run_until_complete, self.exchange.__aexit__(None, None, None))
        self.loop.run_until_complete(asyncio.sleep(0.1))
        self.loop.cancel("venue")
        self.loop.run_until_complete(self.loop.shutdown_asyncgens())
        asyncio.set_event_loop(None)
        self.loop.close()

    async def _open(self) -> None:
        scene = self.scene or Scripted(begins_s=BEGINS_S - PAST_S, path=self.path)
        self.exchange = FakeExchange(
            scene, venues=self.venues, wallet_usdt=Decimal(self.wallet_usdt),
            leverage=self.leverage, seed=self.seed, hedge_mode=self.hedge_mode,
            isolated=self.isolated, step_ms=self.step_ms, clock=self.now_ms,
        )  # fmt: skip
        while self.exchange.now_ms < BEGINS_S * 1000:
            self.exchange.step()
        if self.qty_ltc:
            long = self.qty_ltc > 0
            side = ("long" if long else "short") if self.hedge_mode else "both"
            limit = Decimal("86.00") if long else Decimal("82.00")
            qty = Decimal(str(abs(self.qty_ltc)))
            self.exchange.venues[self.home].matching.place(Ask("user-1", long, side, qty, limit))
        self.exchange.speed = 1.0
        await self.exchange.__aenter__()

    def now_ns(self) -> int:
        return BEGINS_S * NS_PER_SECOND + round(self.loop.time() * NS_PER_SECOND)

    def now_ms(self) -> int:
        return self.now_ns() // 1_000_000

    def wait(self, seconds: float) -> None:
        """Let time pass without a session."""
        self.loop.run_until_complete(asyncio.sleep(seconds))

    @property
    def hosts(self) -> Hosts:
        x = self.exchange
        return Hosts(x.url, x.url, x.ws_url, x.ws_url + "/ws-fapi/v1")

    def client(self, venue: VenueName) -> Any:
        if venue == "binance":
            return BinanceClient(
                Keys("binance", "key", "secret"), hosts=self.hosts, clock_ms=self.now_ms
            )
        ws = self.exchange.ws_url + "/v5/"
        hosts = BybitHosts(self.exchange.url, ws + "public/linear", ws + "private", ws + "trade")
        return BybitClient(Keys("bybit", "key", "secret"), hosts, clock_ms=self.now_ms)


@dataclass
class Script:
    """What people ask for and what is done to the session, by virtual second and by event."""

    commands: list[tuple[float, Callable[[int], ev.Command]]] = field(default_factory=list)
    watch: Callable[[ev.AnyEvent, list[Any], State], None] = lambda event, effects, state: None


def hold(at_s: float, ratio: float) -> tuple[float, Callable[[int], ev.Command]]:
    """Ask for a hedge ratio so many seconds after the start of the session."""
    return at_s, lambda now: ev.SetHedge(now, now, ratio, now + 10**15)


@dataclass
class Sitting:
    """One run of a process: from the first question until it is stopped or dies."""

    world: World
    folder: Path
    script: Script
    seconds: float
    settings: Settings = field(default_factory=lambda: BESIDE)
    second: VenueName | None = None
    session: RealSession | None = None
    effects: list[Any] = field(default_factory=list)
    events: list[ev.AnyEvent] = field(default_factory=list)
    bad: Counter[str] = field(default_factory=Counter)
    died: bool = False

    def run(self) -> Sitting:
        """Sit until the end, or until the script raises `Killed`."""
        compares = mock.patch.object(trader, "ACCOUNT_S", COMPARED_S)
        with compares, mock.patch.object(journal_module, "_durable", _quick):
            return self._run()

    def _run(self) -> Sitting:
        world = self.world
        thread = SameThread(world.loop)
        self.funnel = funnel = Funnel(clock=world.now_ns)
        funnel._queue = LoopQueue(world.loop)  # type: ignore[assignment]
        names = [world.home] if self.second is None else [world.home, self.second]
        clients = [world.client(name) for name in names]
        journal = Journal(self.folder / "journal.sqlite")
        try:
            seen = [look(thread, client) for client in clients]
            first, second = seen[0], seen[1] if len(seen) > 1 else None
            side: PositionSide = "long" if world.qty_ltc > 0 else "short"
            settings = settings_of(self.settings, first, side, before_of(journal))
            plan = Plan(
                settings, policy_named("unhedged", settings), tiers_of(first.contract),
                BlindForecaster(), "none", FRAME_NS,
            )  # fmt: skip
            self.session = prepare(thread, funnel, plan, journal, first, second, session="t")
        except (VenueError, UsageError):
            for client in clients:
                thread.call(client.close())
            journal.close()
            raise
        began_s = world.loop.time()
        due = sorted(self.script.commands, key=lambda pair: pair[0])
        state = self.session.taken.state

        class People:
            def take(self) -> Iterable[ev.Command]:
                told = []
                while due and world.loop.time() - began_s >= due[0][0]:
                    told.append(due.pop(0)[1](world.now_ns()))
                return told

        def observe(event: ev.AnyEvent, effects: list[Any]) -> None:
            self.effects += effects
            if type(event).__name__ not in ("Book", "Trade", "Tick", "Mark", "Bar"):
                self.events.append(event)
            self.script.watch(event, effects, state)

        market = sources("LTCUSDT", 0.01, ATOM_NS, world.hosts, has_btc=False)
        stop = world.loop.call_later(self.seconds, funnel.stop)
        try:
            self.state = self.session.run(
                market, thread.call(history(9, btc="", hosts=world.hosts)), journal=journal,
                inbox=People(), observers=[observe],
            )  # fmt: skip
        except Killed:
            self.died = True
            self.state = state
            journal._engine.dispose()
            world.loop.cancel("ours")
            for account in {id(a): a for a in self.session.venue._accounts.values()}.values():
                world.loop.run_until_complete(drop(account.client))
            return self
        except VenueError:
            self.session.close()
            world.loop.cancel("ours")
            journal.close()
            raise
        finally:
            stop.cancel()
        self.session.close()
        assert self.state is state
        journal.close()
        world.loop.cancel("ours")
        return self

    @property
    def alerts(self) -> list[str]:
        """What was told to people."""
        return [e.text for e in self.effects if isinstance(e, Alert)]

    @property
    def submitted(self) -> list[Any]:
        """The orders that the engine wanted."""
        return [e.order for e in self.effects if isinstance(e, Submit)]


async def drop(client: Any) -> None:
    """Let a dead process' sockets go, as the system does."""
    if client._session is not None:
        await client._session.close()


# --- laws ---------------------------------------------------------------------------------------


def journaled(folder: Path) -> tuple[Counter[str], Counter[str], list[Any]]:
    """Return from the disk what each order was told to have done (lots), its ends, the orders."""
    journal = Journal(folder / "journal.sqlite")
    done: Counter[str] = Counter()
    ends: Counter[str] = Counter()
    orders: dict[str, Any] = {}
    for number, _ in journal.runs():
        for _, effect in effects_of(journal, number):
            if isinstance(effect, Submit):
                assert effect.order.client_id not in orders, "an id came twice"
                orders[effect.order.client_id] = effect.order
    for number, _ in journal.runs():
        for event in journal.events(number):
            if isinstance(event, ev.OrderFilled):
                done[event.client_id] += round(event.qty_ltc * 1000)
                order = orders[event.client_id]
                ends[event.client_id] += done[event.client_id] == round(order.qty_ltc * 1000)
            elif isinstance(event, ev.OrderExpired | ev.OrderRejected):
                ends[event.client_id] += 1
    journal._engine.dispose()
    return done, ends, list(orders.values())


def effects_of(journal: Journal, number: int) -> Iterable[tuple[int, Any]]:
    from litehedge.store.journal import _EFFECT_DECODER

    for at, payload in journal.effects(number):
        yield at, _EFFECT_DECODER.decode(payload)


def check_orders(world: World, folder: Path) -> None:
    """No order was lost, doubled or is unexplained, by the disk and by the venues."""
    done, ends, orders = journaled(folder)
    ours = [
        held
        for venue in world.venues
        for held in world.exchange.truth(venue).orders
        if held.client_id.startswith("lh-")
    ]
    counted = Counter(held.client_id for held in ours)
    assert all(count == 1 for count in counted.values()), f"sent twice: {counted}"
    names = {order.client_id for order in orders}
    assert set(counted) <= names, "the venue knows orders that the journal does not"
    for held in ours:
        signed = held.filled_ltc if held.buys else -held.filled_ltc
        assert done[held.client_id] == round(signed * 1000), (
            f"{held.client_id} was filled by {signed}, told {done[held.client_id] / 1000}"
        )
        assert not held.is_open
    assert set(done) <= set(counted), "fills of orders that the venue does not know"
    assert ends == Counter(names), f"ends: {ends}, orders: {sorted(names)}"


def check_books(world: World, sitting: Sitting) -> None:
    """The engine's books are what the venues hold."""
    state, books = sitting.state, sitting.state.books[0]
    truth = world.exchange.truth(world.home)
    side = "long" if world.qty_ltc > 0 else "short"
    other = "short" if side == "long" else "long"
    both = "both"
    position = truth.qty_ltc(side) if world.hedge_mode else truth.qty_ltc(both)
    assert abs(float(books["qty"][POSITION]) - float(position)) < 1e-9
    assert abs(float(books["wallet"][0]) - float(truth.wallet_usdt)) < 1e-6
    if sitting.second is None:
        hedge = truth.qty_ltc(other) if world.hedge_mode else Decimal(0)
    else:
        apart = world.exchange.truth(sitting.second)
        hedge = apart.qty_ltc(other) if world.hedge_mode else apart.qty_ltc(both)
        assert abs(float(books["wallet"][1]) - float(apart.wallet_usdt)) < 1e-6
    assert abs(float(books["qty"][HEDGE]) - float(hedge)) < 1e-9
    assert state.order is None


def check_replay(folder: Path) -> None:
    """The journal decides the same when it is run again, and nothing is sent too early."""
    journal = Journal(folder / "journal.sqlite")
    for number, header in journal.runs():
        events = list(journal.events(number))
        if not events:
            continue
        result = _replay(journal, number, header, None)
        assert result["difference"] is None, result["difference"]
        opened = next((i for i, e in enumerate(events) if isinstance(e, ev.Opened)), len(events))
        for at, effect in effects_of(journal, number):
            assert not (isinstance(effect, Submit) and at < opened), "sent before it was reconciled"
    journal._engine.dispose()

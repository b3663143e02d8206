"""Claim: an order is on the wire 1 ms after its decision; 2 ms (p99: 10) after the tick behind it.

First the way out alone: from `LiveVenue.submit` to the order's arrival at the fake exchange, one
order after another, over the websocket API and over HTTP; beside it `create_order` of ccxt, with
its throttle as it comes and without.

Then the whole way: the exchange sends a book that ends an atom of five seconds; the frame becomes
features, a forecast, a band and an order, which is written to the journal before it leaves.
Everything is that of a live session but the clock, which waits for the exchange, and limits that
let an order pass each time. The policy follows the forecast, so that each one that differs from the
last is an order. At the end our books must hold what the exchange does.

``python -m bench.latency RUNS ORDERS [MODEL]`` runs the whole way alone, as often and as long as
wanted, and tells what each run measured.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np

from bench.far import BEGINS_S, MID_USDT, Far
from bench.market import walk_bars
from bench.timing import Figure
from bench.venues import LTC, opened, spread
from litehedge.config import Settings
from litehedge.effects import Alert, Effect, Submit
from litehedge.engine_state import State
from litehedge.hedge.policies import HAZARD, N_PARAMETERS, Policy
from litehedge.live.funnel import Funnel
from litehedge.live.real import look, prepare, settings_of
from litehedge.live.running import ATOM_NS, Plan, compile_kernels
from litehedge.live.setup import tiers_of
from litehedge.live.sockets import SocketThread
from litehedge.live.trader import Account, LiveVenue
from litehedge.margin.account import HEDGE, POSITION
from litehedge.market import events as ev
from litehedge.orders.desk import Desk
from litehedge.orders.holdings import reported
from litehedge.orders.manager import new_order
from litehedge.orders.placing import Placement
from litehedge.orders.reports import AccountReport, VenueOrder
from litehedge.shelf.models import choose_model
from litehedge.store.steady import SteadyJournal
from litehedge.units import NS_PER_MINUTE, NS_PER_MS, NS_PER_SECOND
from litehedge.venues.binance import BinanceClient, Hosts, sources
from litehedge.venues.keys import Keys

RUNS = 3
ORDERS = 250  # of the way out, with those to warm up, fewer than Binance takes in ten seconds
THROTTLED = 30
WARM = 20
LOT_LTC = 0.001
QTY = Decimal("1.000")
FRAME_NS = 300 * NS_PER_SECOND
MODELS = ("ltc-5m-logistic", "ltc-5m")
PAST_MINUTES = 2 * 24 * 60
PATIENT_NS = 900 * NS_PER_MS  # no tick for so long, so that a book is what ends an atom
STEPS = 10  # books between two decisions
TRADES = 3
HEARD = ("binance.depth", "binance.market")
GAIN = 1.0
SWAY = 5e-4  # of the middle, from book to book
MOST_TRIES = 3  # atoms for each order
AT_ONCE = 60  # orders, with what their stops cost: Binance takes 300 in 10 s and 1200 in 60 s
EVERY_S = 0.15
NOWHERE = "ws://127.0.0.1:9"  # the discard port: nobody listens

Late = list[float]
_ENDS = ev.OrderFilled | ev.OrderExpired | ev.OrderRejected


def measure() -> list[Figure]:
    """Time the way out, then the whole way."""
    ways: list[tuple[str, Callable[[Far], Late], str]] = [
        ("ours, websocket API", lambda far: _submits(far, over_http=False), "claim: 1 ms"),
        ("ours, HTTP", lambda far: _submits(far, over_http=True), ""),
        ("ccxt, its throttle off", lambda far: _creates(far, throttle=False), ""),
        ("ccxt as it comes", lambda far: _creates(far, throttle=True), "noted before: 202 ms"),
    ]  # fmt: skip
    figures = []
    for name, way, against in ways:
        runs = []
        for _ in range(RUNS):
            with Far() as far:
                runs.append(way(far))
        figures += _figures(f"order to its arrival, {name}", runs, against, "")
    for model in MODELS:
        runs, writings, others = [], [], []
        for _ in range(RUNS):
            with Far() as far, tempfile.TemporaryDirectory(dir=".", prefix=".bench-") as folder:
                session = _Session(far, model, Path(folder))
                runs.append(session.run())
                writings.append(session.written_ms[WARM:])
                others.append([a - b for a, b in zip(runs[-1], writings[-1], strict=True)])
        figures += _figures(
            f"book that ends an atom to order, {model}", runs, "claim: 2 ms", "claim: 10 ms"
        )
        figures += _figures("  of it writing the journal", writings, "", "")
        figures += _figures("  and everything else", others, "", "")
    return figures


def _figures(name: str, runs: Sequence[Late], p50: str, p99: str) -> list[Figure]:
    counts = min(len(run) for run in runs)
    return [
        Figure(f"{name}: p50 of {counts}",
               *spread([float(np.quantile(run, 0.5)) for run in runs], "ms", p50)),
        Figure("  p99", *spread([float(np.quantile(run, 0.99)) for run in runs], "ms", p99)),
    ]  # fmt: skip


def _hosts(far: Far, *, over_http: bool = False) -> Hosts:
    orders = NOWHERE if over_http else far.ws_url + "/ws-fapi/v1"
    return Hosts(far.url, "", far.ws_url, orders)


def _late_ms(began_ns: dict[str, int], arrived_ns: dict[str, int]) -> Late:
    assert began_ns.keys() <= arrived_ns.keys(), "an order did not arrive"
    return [(arrived_ns[name] - at_ns) / 1e6 for name, at_ns in began_ns.items()]


# --- the way out --------------------------------------------------------------------------------


def _submits(far: Far, *, over_http: bool) -> Late:
    began: dict[str, int] = {}
    funnel = Funnel()
    with SocketThread() as thread:
        client = BinanceClient(
            Keys("binance", "key", "secret"), hosts=_hosts(far, over_http=over_http)
        )
        thread.call(client.open())
        contract = thread.call(client.contract())
        account = Account(client, Desk(Placement("long", "same_account", True), contract), funnel)
        venue = LiveVenue(thread, funnel, {POSITION: account, HEDGE: account})
        venue.start()
        events = funnel.events()
        for number in range(-WARM, ORDERS):
            sells = number % 2 == 0
            qty, limit = (-1.0, MID_USDT - 1.0) if sells else (1.0, MID_USDT + 1.0)
            order = new_order(
                "out", number + WARM, HEDGE, qty, limit,
                lot=contract.lot_ltc, tick=contract.tick_usdt, reduce_only=not sells, decided_ns=0,
            )  # fmt: skip
            if number >= 0:
                began[order.client_id] = time.perf_counter_ns()
            venue.submit(order, 0)
            for event in events:
                if isinstance(event, _ENDS):
                    assert isinstance(event, ev.OrderFilled), event
                    break
        thread.call(account.close())
    return _late_ms(began, far.arrivals())


def _creates(far: Far, *, throttle: bool) -> Late:
    began: dict[str, int] = {}

    async def work() -> None:
        client = await opened(far, "binance", enableRateLimit=throttle)
        try:
            for number in range(-2 if throttle else -WARM, THROTTLED if throttle else ORDERS):
                name, sells = f"c{number + WARM}", number % 2 == 0
                own = {"timeInForce": "IOC", "positionSide": "SHORT", "newClientOrderId": name}
                side, limit = ("sell", MID_USDT - 1) if sells else ("buy", MID_USDT + 1)
                if number >= 0:
                    began[name] = time.perf_counter_ns()
                await client.create_order(LTC, "limit", side, float(QTY), limit, own)
        finally:
            await client.close()

    asyncio.run(work())
    return _late_ms(began, far.arrivals())


# --- the whole way ------------------------------------------------------------------------------


class _Clock:
    """Market time, which stands still until it is set.

    Where the sockets are it is a moment later than here: a book that ends an atom then does so
    itself, and no tick comes before it.
    """

    def __init__(self, now_ns: int) -> None:
        self._here = threading.get_ident()
        self.now_ns = self.there_ns = now_ns

    def __call__(self) -> int:
        return self.now_ns if threading.get_ident() == self._here else self.there_ns

    def set(self, now_ns: int, there_ns: int) -> None:
        """Set the time here and where the sockets are."""
        self.now_ns, self.there_ns = now_ns, there_ns


class _TimedJournal(SteadyJournal):
    """Knows how long its last writing took."""

    took_ms = 0.0

    def write(self) -> None:
        """Hand everything so far to the system."""
        began_ns = time.perf_counter_ns()
        super().write()
        self.took_ms = (time.perf_counter_ns() - began_ns) / 1e6


class _Turn:
    """Lets orders come no faster than the limits of Binance allow, which the client holds to."""

    def __init__(self) -> None:
        self._left = float(AT_ONCE)
        self._at_s = time.monotonic()

    def wait(self) -> None:
        """Return when the next order may come."""
        self._refill()
        if self._left < 1.0:
            time.sleep((1.0 - self._left) * EVERY_S)
            self._refill()
        self._left -= 1.0

    def _refill(self) -> None:
        now_s = time.monotonic()
        self._left = min(float(AT_ONCE), self._left + (now_s - self._at_s) / EVERY_S)
        self._at_s = now_s


@dataclass
class _Session:
    """A live session that is led from decision to decision by being an observer of itself."""

    far: Far
    model: str
    folder: Path
    sent_ns: list[int] = field(default_factory=list)
    orders: list[str] = field(default_factory=list)
    written_ms: list[float] = field(default_factory=list)
    stage: str = "begin"
    tries: int = 0
    left_ltc: float = 0.0  # of the order that is under way
    faults: list[str] = field(default_factory=list)
    mid: float = MID_USDT
    counts: bool = False
    name: str = ""
    took_ms: float = 0.0
    last_ns: int = 0
    count: int = ORDERS
    turn: _Turn = field(default_factory=_Turn)
    chance: np.random.Generator = field(default_factory=lambda: np.random.default_rng(7))

    def run(self) -> Late:
        """Return how late each order was."""
        begins_ns = (BEGINS_S + 120) * NS_PER_SECOND // NS_PER_MINUTE * NS_PER_MINUTE
        self.clock = _Clock(begins_ns - NS_PER_MS)
        self.funnel = Funnel(self.clock)
        self.ends_ns = begins_ns
        hosts = _hosts(self.far)
        with SocketThread() as thread:
            client = BinanceClient(Keys("binance", "key", "secret"), hosts=hosts)
            thread.call(client.open())
            thread.call(
                client.place(VenueOrder("user-1", True, "long", Decimal(5000), Decimal(85), False))
            )
            seen = look(thread, client)
            plan = self._plan(_free(settings_of(Settings(), seen)), tiers_of(seen.contract))
            compile_kernels(plan)
            self.journal = journal = _TimedJournal(self.folder / "journal.sqlite")
            session = prepare(thread, self.funnel, plan, journal, seen, session="bench")
            self.account = session.first
            every = sources("LTCUSDT", 0.01, ATOM_NS, hosts, has_btc=False)
            heard = [source for source in every if source.name in HEARD]
            try:
                ended = session.run(
                    heard, _past(begins_ns), journal=journal, observers=[self.observe]
                )
                self._compare(ended, thread.call(client.account()))
            finally:
                session.close()
                journal.close()
        arrived = self.far.arrivals()
        return [
            (arrived[name] - sent_ns) / 1e6
            for name, sent_ns in zip(self.orders, self.sent_ns, strict=True)
        ][WARM:]

    def _compare(self, ended: State, report: AccountReport) -> None:
        """Hold our books against what the exchange holds: nothing may be left over."""
        told = reported(report, self.account.desk.placement, 0)
        position, hedge = ended.books["qty"][0].tolist()
        apart = abs(position - told.qty_ltc) + abs(hedge - told.hedge_qty_ltc)
        if apart > 0.5 * LOT_LTC:
            self.faults.append(
                f"at the end we hold {position:.3f} and {hedge:.3f} LTC, the exchange "
                f"{told.qty_ltc:.3f} and {told.hedge_qty_ltc:.3f}"
            )
        if self.faults:
            raise RuntimeError("; ".join(self.faults))

    def _plan(self, settings: Settings, tiers: Any) -> Plan:
        parameters = np.zeros(N_PARAMETERS)
        parameters[0] = GAIN
        policy = Policy("follower", HAZARD, parameters, "in proportion to the forecast, no band")
        chosen = choose_model(self.model, FRAME_NS)
        return Plan(settings, policy, tiers, chosen.forecaster, chosen.folder, FRAME_NS)

    # --- from decision to decision ------------------------------------------------------------

    def observe(self, event: ev.AnyEvent, effects: list[Effect]) -> None:
        """Look at what happened; when it was what was waited for, let the next thing happen."""
        try:
            self._observe(event, effects)
        except RuntimeError as error:
            self.faults.append(str(error))
            self.funnel.stop()

    def _observe(self, event: ev.AnyEvent, effects: list[Effect]) -> None:
        ordered = [effect.order for effect in effects if isinstance(effect, Submit)]
        self.faults += [e.text for e in effects if isinstance(e, Alert) and e.key == "books"]
        for order in ordered:
            self.left_ltc = abs(float(order.qty_ltc))
        if self.stage == "begin":
            if type(event) is ev.Tick:  # the source waits for a change before it reads the book
                self.far.tell("books", steps=[(_ms(event.known_ns), MID_USDT)], trades=1)
            elif type(event) is ev.Book:
                self._prepare(event.known_ns)
        elif self.stage == "prepare":
            if ordered:
                self.stage, self.counts = "order", False
            elif type(event) is ev.Book and event.event_ns == self.last_ns:
                self.stage = "end"
                self.clock.set(self.ends_ns - PATIENT_NS, self.ends_ns)
                self._move([self.ends_ns], trades=0)
        elif self.stage == "end":
            ended = type(event) is ev.Book and event.event_ns == self.ends_ns
            if ordered:
                self.stage, self.counts = "order", ended
                self.name, self.took_ms = ordered[0].client_id, self.journal.took_ms
            elif ended:
                self._prepare(event.known_ns)
        elif isinstance(event, ev.OrderRejected):
            raise RuntimeError(f"order {event.client_id} was refused: {event.reason}")
        elif self._is_end(event):
            self._ended(event)

    def _is_end(self, event: ev.AnyEvent) -> bool:
        """Tell whether an order has its end: the last fill, and not only the first that was told.

        What the desk knows is not asked: it may be ahead of what has come through the funnel.
        """
        if isinstance(event, ev.OrderFilled):
            self.left_ltc -= abs(event.qty_ltc)
            return self.left_ltc < 0.5 * LOT_LTC
        return isinstance(event, _ENDS)

    def _ended(self, event: ev.AnyEvent) -> None:
        if self.counts:
            self.orders.append(self.name)
            self.written_ms.append(self.took_ms)
            self.sent_ns.append(self.far.ask("sent"))
        if len(self.orders) == WARM + self.count:
            self.stage = "done"
            self.funnel.stop()
        else:
            self.turn.wait()
            self._prepare(event.known_ns)

    def _prepare(self, now_ns: int) -> None:
        """Let some books of an atom pass."""
        self.tries += 1
        if self.tries > MOST_TRIES * (WARM + self.count):
            raise RuntimeError(f"only {len(self.orders)} orders in {self.tries} atoms")
        self.ends_ns = (max(now_ns, self.ends_ns) // ATOM_NS + 1) * ATOM_NS
        self.clock.set(self.ends_ns - PATIENT_NS, self.ends_ns - NS_PER_MS)
        self.stage = "prepare"
        self._move([self.ends_ns - (STEPS - step) * NS_PER_MS for step in range(STEPS)], TRADES)

    def _move(self, times_ns: list[int], trades: int) -> None:
        steps = []
        for at_ns in times_ns:
            self.mid *= float(np.exp(self.chance.normal(0.0, SWAY)))
            self.mid += 0.02 * (MID_USDT - self.mid)
            steps.append((_ms(at_ns), round(round(self.mid, 2) + 0.005, 3)))
        self.last_ns = times_ns[-1]
        self.far.tell("books", steps=steps, trades=trades)


def _ms(ns: int) -> int:
    return ns // NS_PER_MS


def _free(settings: Settings) -> Settings:
    """Return the settings with limits that stop no order."""
    limits = settings.limits.model_copy(
        update={
            "max_orders_per_minute": 10**6, "max_orders_per_day": 10**6, "daily_cost_share": 1.0,
            "weekly_cost_share": 1.0,
            "max_ratio_per_minute": 1e6, "max_hedge_notional_usdt": 1e9,
            "max_depth_share": 1.0, "equity_stop_share": 0.0,
        }
    )  # fmt: skip
    # Market time runs ahead of this machine's here: silence and lateness by it are none.
    never = dict.fromkeys(("silent_s", "mark_silent_s", "account_silent_s", "max_fill_s"), 1e9)
    chute = settings.parachute.model_copy(update={**never, "max_lag_ms": 1e9, "wild_bps": 1e9})
    return settings.model_copy(update={"limits": limits, "parachute": chute})


def _past(until_ns: int) -> list[ev.MarketEvent]:
    """Return minutes of both coins that end by `until_ns`."""
    made: list[ev.MarketEvent] = []
    ltc, btc = (walk_bars(PAST_MINUTES, seed) for seed in (1, 2))
    ltc[:, :4] *= MID_USDT / ltc[-1, 3]
    first_ns = until_ns // NS_PER_MINUTE * NS_PER_MINUTE - PAST_MINUTES * NS_PER_MINUTE
    for number in range(PAST_MINUTES):
        end_ns = first_ns + (number + 1) * NS_PER_MINUTE
        for asset, bars in (("LTC", ltc), ("BTC", btc)):
            open_, high, low, close, volume = bars[number].tolist()
            made.append(
                ev.Bar(
                    end_ns, end_ns, asset, NS_PER_MINUTE, open_, high, low, close, volume,  # type: ignore[arg-type]
                    0.5 * volume,
                )
            )  # fmt: skip
    return made


def _alone(runs: int, orders: int, model: str) -> None:
    for number in range(runs):
        with Far() as far, tempfile.TemporaryDirectory(dir=".", prefix=".bench-") as folder:
            session = _Session(far, model, Path(folder), count=orders)
            late = session.run()
        middle, high = np.quantile(late, 0.5), np.quantile(late, 0.99)
        writing = np.quantile(session.written_ms[WARM:], 0.5)
        print(
            f"run {number}: {orders} orders, p50 {middle:.2f} ms, p99 {high:.2f} ms, least "
            f"{min(late):.2f} ms; of it writing {writing:.2f} ms; books agree; "
            f"load {os.getloadavg()[0]:.1f}", flush=True,
        )  # fmt: skip


if __name__ == "__main__":
    _alone(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3] if len(sys.argv) > 3 else MODELS[0])

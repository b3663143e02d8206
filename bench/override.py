"""Claim: what a person asks counts within 100 ms (p99); looking for it costs under 1 % of a core.

A live session on the fake exchange, over sockets, on a clock that runs as ours does; the market is
silent, so that nothing but the asking wakes the engine. As the commands do, another connection
writes into the session's inbox, durably; the time ends when the first order arrives at the
exchange, or, for a halt, when the cancel was handed to the sockets.
"""

from __future__ import annotations

import queue
import tempfile
import threading
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np

from bench.far import BEGINS_S, MID_USDT, Far
from bench.latency import _free, _hosts, _past
from bench.timing import Figure
from litehedge.cli.guarding import watched
from litehedge.config import Settings
from litehedge.effects import CancelAll, Effect, Submit
from litehedge.hedge.policies import policy_named
from litehedge.live.funnel import Funnel
from litehedge.live.real import look, prepare, settings_of
from litehedge.live.running import ATOM_NS, Plan, compile_kernels
from litehedge.live.setup import tiers_of
from litehedge.live.sockets import SocketThread
from litehedge.market import events as ev
from litehedge.model.baselines.blind import BlindForecaster
from litehedge.orders.reports import VenueOrder
from litehedge.risk.state import RESUME_WORD
from litehedge.store.inbox import Inbox
from litehedge.store.inbox_watch import InboxWatch
from litehedge.store.journal import Journal
from litehedge.units import NS_PER_MINUTE, NS_PER_MS, NS_PER_SECOND
from litehedge.venues.binance import BinanceClient, sources
from litehedge.venues.keys import Keys

ASKED = 25  # of each kind
FRAME_NS = NS_PER_MINUTE
IDLE_S = 5.0
PATIENCE_S = 20.0
_ENDS = ev.OrderFilled | ev.OrderExpired | ev.OrderRejected


def measure() -> list[Figure]:
    """Time three kinds of asking, and the looking."""
    with Far() as far, tempfile.TemporaryDirectory(dir=".") as folder:
        late = _Asking(far, Path(folder)).run()
    figures = []
    for kind, times in late.items():
        figures.append(
            Figure(f"{kind}: p50 of {len(times)}", float(np.quantile(times, 0.5)), "ms", "")
        )
        figures.append(Figure("  p99", float(np.quantile(times, 0.99)), "ms", "claim: 100 ms"))
    return [*figures, Figure("looking into the inbox", _share(), "% of a core", "claim: 1 %")]


def _share() -> float:
    with tempfile.TemporaryDirectory(dir=".") as folder:
        path = Path(folder) / "inbox.sqlite"
        with Inbox(path), InboxWatch(path, lambda: None):
            began, from_s = time.process_time(), time.monotonic()
            time.sleep(IDLE_S)
            return 100.0 * (time.process_time() - began) / (time.monotonic() - from_s)


class _Asking:
    """A session, and a person who asks it one thing after the other."""

    def __init__(self, far: Far, folder: Path) -> None:
        self._far = far
        self._folder = folder
        self._seen: queue.Queue[tuple[str, str, int]] = queue.Queue()
        began_ns = time.perf_counter_ns()
        begins_ns = (BEGINS_S + 120) * NS_PER_SECOND // NS_PER_MINUTE * NS_PER_MINUTE
        self._begins_ns = begins_ns
        self._funnel = Funnel(lambda: begins_ns + time.perf_counter_ns() - began_ns)
        self._late: dict[str, list[float]] = {}
        self._orders: list[tuple[str, str, int]] = []
        self._failure: BaseException | None = None

    def run(self) -> dict[str, list[float]]:
        """Return how late each was, by kind, in milliseconds."""
        hosts = _hosts(self._far)
        path = self._folder / "inbox.sqlite"
        with SocketThread() as thread, Inbox(path, now_ns=self._funnel.now_ns) as inbox:
            client = BinanceClient(Keys("binance", "key", "secret"), hosts=hosts)
            thread.call(client.open())
            thread.call(
                client.place(VenueOrder("user-1", True, "long", Decimal(5000), Decimal(85), False))
            )
            seen = look(thread, client)
            free = _free(settings_of(Settings(), seen))
            # Small orders, so that there is enough to close for all of them
            limits = free.limits.model_copy(update={"max_depth_share": 1e-4})
            settings = free.model_copy(update={"limits": limits})
            plan = Plan(
                settings, policy_named("unhedged", settings), tiers_of(seen.contract),
                BlindForecaster(), "none", FRAME_NS,
            )  # fmt: skip
            compile_kernels(plan)
            journal = Journal(self._folder / "journal.sqlite")
            session = prepare(thread, self._funnel, plan, journal, seen, session="bench")
            every = sources("LTCUSDT", 0.01, ATOM_NS, hosts, has_btc=False)
            person = threading.Thread(target=self._ask_all, args=(path,))
            try:
                with watched(inbox, self._funnel):
                    person.start()
                    session.run(
                        [one for one in every if one.name == "binance.depth"],
                        _past(self._begins_ns), journal=journal,
                        inbox=inbox.attach(self._funnel.given_ns, journal.flush),
                        observers=[self._observe],
                    )  # fmt: skip
            finally:
                person.join()
                session.close()
                journal.close()
        if self._failure is not None:
            raise self._failure
        arrived = self._far.arrivals()
        for kind, name, asked_ns in self._orders:
            self._late.setdefault(kind, []).append((arrived[name] - asked_ns) / 1e6)
        return self._late

    def _observe(self, event: ev.AnyEvent, effects: list[Effect]) -> None:
        now_ns = time.perf_counter_ns()
        for effect in effects:
            if isinstance(effect, CancelAll):
                self._seen.put(("cancel", "", now_ns))
            elif isinstance(effect, Submit):
                self._seen.put(("order", effect.order.client_id, now_ns))
        if isinstance(event, _ENDS | ev.Command | ev.Book):
            self._seen.put((type(event).__name__, "", now_ns))

    def _ask_all(self, path: Path) -> None:
        try:
            while not self._funnel.given_ns():
                time.sleep(0.05)
            self._see_a_book()
            with Inbox(path, now_ns=self._funnel.now_ns) as inbox:
                for number in range(ASKED):
                    self._ask(inbox, number)
        except BaseException as error:
            self._failure = error
        finally:
            self._funnel.stop()

    def _see_a_book(self) -> None:
        """Have the book change until the session has read it: it sizes orders by its depth.

        The source reads it when it hears of a change, which it may not listen to yet.
        """
        for number in range(int(PATIENCE_S)):
            at_ms = (self._begins_ns + number * NS_PER_SECOND) // NS_PER_MS
            self._far.tell("books", steps=[(at_ms, MID_USDT)], trades=0)
            try:
                self._wait("Book", 1.0)
            except queue.Empty:
                continue
            return
        raise RuntimeError("the session does not read the book")

    def _ask(self, inbox: Inbox, number: int) -> None:
        for_ever = 2**62
        hold = ev.SetHedge(0, 0, 1.0, for_ever)
        self._orders.append(("hold a hedge, asked to its order", *self._order(inbox, hold)))
        self._said(inbox, ev.Freeze(0, 0, for_ever))
        close = ev.CloseAll(0, 0)
        self._orders.append(("close all, asked to its first order", *self._order(inbox, close)))
        self._said(inbox, ev.Resume(0, 0, RESUME_WORD))
        asked_ns = time.perf_counter_ns()
        inbox.write(ev.Halt(0, 0, "bench"))
        _, _, at_ns = self._wait("cancel")
        self._late.setdefault("halt, asked to its cancel", []).append((at_ns - asked_ns) / 1e6)
        self._said(inbox, ev.Resume(0, 0, RESUME_WORD))
        time.sleep(0.003 * (number % 11))  # not in step with the looking

    def _order(self, inbox: Inbox, command: ev.Command) -> tuple[str, int]:
        """Ask; return the id of the order that comes of it and when it was asked."""
        while not self._seen.empty():
            self._seen.get()
        asked_ns = time.perf_counter_ns()
        inbox.write(command)
        name = self._wait("order")[1]
        self._wait("OrderFilled")
        return name, asked_ns

    def _said(self, inbox: Inbox, command: ev.Command) -> None:
        inbox.write(command)
        self._wait(type(command).__name__)

    def _wait(self, what: str, patience_s: float = PATIENCE_S) -> Any:
        while True:
            seen = self._seen.get(timeout=patience_s)
            if seen[0] == what:
                return seen

"""A session that guards in a thread of the test: real engine, journal and inbox, made-up time."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

from litehedge.engine_state import start
from litehedge.hedge.policies import policy_named
from litehedge.live.session import held, session_at
from litehedge.market.events import AnyEvent
from litehedge.model.baselines.blind import BlindForecaster
from litehedge.runner import run
from litehedge.settings import load_settings
from litehedge.sim.opening import Opening
from litehedge.sim.venue import SimVenue
from litehedge.store.inbox import Inbox
from litehedge.store.journal import Journal
from litehedge.units import NS_PER_MINUTE
from litehedge_runs import header
from synthetic import T0, everything, market, packaged_tiers

PAST = 300
APART_S = 0.05


class Guarding:
    """Five hours of a market at once, then an event now and then until it is stopped."""

    def __init__(self, root: Path, name: str = "paper", apart_s: float = APART_S) -> None:
        self._apart_s = apart_s
        self.session = session_at(root, name)
        self._end = threading.Event()
        self._begun = threading.Event()
        self.failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run)
        self._now_ns = 0

    def __enter__(self) -> Guarding:
        self._thread.start()
        assert self._begun.wait(120.0), self.failure
        return self

    def __exit__(self, *told: object) -> None:
        self.stop()
        assert self.failure is None, self.failure

    def stop(self) -> None:
        """Let it end as after Ctrl-C."""
        self._end.set()
        self._thread.join(30.0)

    def _run(self) -> None:
        try:
            with held(self.session), Inbox(self.session.inbox) as inbox:
                self._guard(inbox)
        except BaseException as error:
            self.failure = error
        self._begun.set()

    def _guard(self, inbox: Inbox) -> None:
        settings = load_settings()
        journal = Journal(self.session.journal)
        facts = {"mode": "paper", "keeps_checkpoints": True, "held_every_ns": NS_PER_MINUTE}
        journal.begin(header(**facts))
        state = start(
            settings, policy_named("plugin", settings), packaged_tiers(), BlindForecaster(),
            session="t", atom_ns=NS_PER_MINUTE, held_every_ns=NS_PER_MINUTE,
            keeps_checkpoints=True,
        )  # fmt: skip
        venue = SimVenue(settings, packaged_tiers(), Opening(T0, reopens=False), NS_PER_MINUTE)
        run(
            state, self._events(), venue, journal=journal,
            inbox=inbox.attach(lambda: self._now_ns, journal.flush), flush_ns=1,
            flush_from_ns=T0 + PAST * NS_PER_MINUTE,
        )  # fmt: skip
        journal.close()

    def _events(self) -> Iterator[AnyEvent]:
        for event in everything(market(30_000, seed=3, vol=0.0005)).events():
            if self._end.is_set():
                return
            if event.known_ns > T0 + PAST * NS_PER_MINUTE:
                self._begun.set()
                time.sleep(self._apart_s)
            self._now_ns = event.known_ns
            yield event

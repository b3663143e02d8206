"""Journals of sessions that had a forecast: a day to warm up, then guarding until the end."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from litehedge.config import Settings
from litehedge.engine_state import start
from litehedge.hedge.policies import policy_named
from litehedge.market import events as ev
from litehedge.model.artefact import Artefact
from litehedge.runner import run
from litehedge.sim.opening import Opening
from litehedge.sim.venue import SimVenue
from litehedge.store.header import Header
from litehedge.store.journal import Journal
from litehedge.units import NS_PER_MINUTE, NS_PER_SECOND
from synthetic import T0, Crash, everything, market, packaged_tiers

ATOM_NS = 30 * NS_PER_SECOND
PER_FRAME = 2
OPENS_NS = T0 + 27 * 60 * NS_PER_MINUTE


@cache
def told_market() -> tuple[ev.MarketEvent, ...]:
    """Twenty-nine hours with a crash an hour before the end, in bars of 30 s, with all feeds."""
    crash = Crash(at=28 * 120, bars=30, depth=0.08)
    own = market(29 * 120, seed=3, bar_ns=ATOM_NS, vol=0.0012, price=80.0, crashes=(crash,))
    return tuple(everything(own).events())


def journaled(
    path: Path, loaded: Artefact, folder: Path | None = None, *, health: bool = False
) -> Path:
    """Write the journal of a session that guards a tenfold long with a model; return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    settings = Settings.model_validate({"position": {"leverage": 10.0}})
    policy, tiers = policy_named("plugin", settings), packaged_tiers()
    state = start(
        settings, policy, tiers, loaded.forecaster, session="told", atom_ns=ATOM_NS,
        per_frame=PER_FRAME, held_every_ns=NS_PER_MINUTE, keeps_checkpoints=True,
    )  # fmt: skip
    journal = Journal(path)
    journal.begin(
        Header(
            litehedge="0", created="now", mode="demo", settings=settings.model_dump(),
            policy=policy.name, free_ratio=policy.free_ratio, model_id=loaded.id,
            model_folder="" if folder is None else str(folder), session="told", atom_ns=ATOM_NS,
            per_frame=PER_FRAME, held_every_ns=NS_PER_MINUTE, trading_state=0, data="made",
            keeps_checkpoints=True, looks_between=True,
        )
    )  # fmt: skip

    def feed():
        told = told_market()
        if health:
            first_ns = told[0].known_ns
            yield ev.FeedHealth(first_ns, first_ns, "quotes", "ok")
        yield from told
        if health:
            last_ns = told[-1].known_ns
            name, why = "liquidations of bybit", "silent for 41 s"
            yield ev.FeedHealth(last_ns, last_ns, name, "stale", why, 0, 2)
            yield ev.FeedHealth(last_ns, last_ns, "funding of okx", "down", "refused", 12, 4)

    venue = SimVenue(settings, tiers, Opening(OPENS_NS, reopens=False), ATOM_NS)
    run(state, feed(), venue, journal=journal)
    journal.close()
    return path

"""A short guarded run with a journal, for tests of journals and crashes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from litehedge.engine_state import start
from litehedge.hedge.policies import policy_named
from litehedge.model.baselines.blind import BlindForecaster
from litehedge.runner import run
from litehedge.settings import load_settings
from litehedge.sim.opening import Opening
from litehedge.sim.venue import SimVenue
from litehedge.store.header import Header
from litehedge.store.journal import Journal
from litehedge.units import NS_PER_MINUTE
from synthetic import T0, Crash, everything, market, packaged_tiers


def header(**changes: Any) -> Header:
    """The header of `journaled_run`."""
    facts = {
        "litehedge": "0", "created": "2026-01-01", "mode": "backtest",
        "settings": load_settings().model_dump(), "policy": "plugin", "free_ratio": 0.0,
        "model_id": "none", "model_folder": "", "session": "t", "atom_ns": NS_PER_MINUTE,
        "per_frame": 1, "held_every_ns": 0, "trading_state": 0, "data": "made up",
        "looks_between": True,
    }  # fmt: skip
    return Header(**(facts | changes))


def journaled_run(
    path: Path, wire: Any = None, *, keeps_checkpoints: bool = False, observe: Any = None,
    held_every_ns: int = 0,
) -> None:  # fmt: skip
    """Guard a position through three hours and a crash; `wire.on_submit` sees each order sent.

    `observe` is given the engine's state, each event and its effects.
    """
    settings = load_settings()
    own = market(240, seed=3, vol=0.002, crashes=(Crash(at=150, bars=20, depth=0.12),))
    policy = policy_named("plugin", settings)
    journal = Journal(path)
    journal.begin(header(keeps_checkpoints=keeps_checkpoints, held_every_ns=held_every_ns))
    state = start(
        settings, policy, packaged_tiers(), BlindForecaster(), session="t",
        atom_ns=NS_PER_MINUTE, held_every_ns=held_every_ns, keeps_checkpoints=keeps_checkpoints,
    )  # fmt: skip
    venue = SimVenue(settings, packaged_tiers(), Opening(T0, reopens=False), NS_PER_MINUTE)
    if wire is not None:
        submit = venue.submit

        def watched(order, now_ns):
            wire.on_submit(order)
            return submit(order, now_ns)

        venue.submit = watched
    look = None if observe is None else lambda event, effects: observe(state, event, effects)
    run(state, everything(own).events(), venue, journal=journal, observe=look)
    journal.close()

"""Paper for many hours of market time on the fake exchange, with restarts, watched for leaks."""

from __future__ import annotations

import gc
import os
import random
import resource
import time
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import msgspec

from litehedge.config import Settings
from litehedge.exchange.scene import Scripted
from litehedge.hedge.policies import policy_named
from litehedge.live.funnel import Funnel
from litehedge.live.paper import PaperVenue
from litehedge.live.running import ATOM_NS, Plan, compile_kernels, guard, take_up
from litehedge.market import events as ev
from litehedge.model.baselines.blind import BlindForecaster
from litehedge.store import journal as journal_module
from litehedge.store.bundled import tier_table
from litehedge.store.journal import Journal
from litehedge.units import NS_PER_HOUR, NS_PER_MINUTE, NS_PER_SECOND
from litehedge.venues.binance import history, sources
from real_sessions import BEGINS_S, FRAME_NS, PAST_S, World, _quick
from timeless import LoopQueue, SameThread

PAGE = resource.getpagesize()


class Hour(msgspec.Struct, frozen=True):
    """How the process is at the end of an hour of market time."""

    hour: int
    wall_s: float
    rss_mb: float
    tasks: int  # on the loop, ours
    sources: int  # that the thread of the sockets keeps
    events: int
    decisions: int
    objects: int


def rss_mb() -> float:
    """Return the memory that this process holds now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE / 2**20


def wander(hours: float, seed: int) -> list[tuple[float, float]]:
    """Return a price path: a random walk in minutes."""
    chance, price, path = random.Random(seed), 84.0, []
    for minute in range(int(hours * 60) + 2 + PAST_S // 60):
        path.append((60.0 * minute, price))
        price *= 1.0 + chance.gauss(0.0, 0.0012)
    return path


def soak(
    folder: Path, hours: int, *, restart_every: int, seed: int = 0,
    tell: Callable[[Hour], None] = lambda hour: None,
) -> list[Hour]:  # fmt: skip
    """Run paper for so many hours; begin a new run of the same journal every so many.

    Streams break once an hour. Returns a line for each hour.
    """
    found: list[Hour] = []
    began = time.monotonic()
    scene = Scripted(begins_s=BEGINS_S - PAST_S, path=wander(hours, seed))
    with (
        World(qty_ltc=0.0, seed=seed, scene=scene) as world,
        mock.patch.object(journal_module, "_durable", _quick),
    ):

        def note(hour: Hour) -> None:
            found.append(msgspec.structs.replace(hour, wall_s=time.monotonic() - began))
            tell(found[-1])

        while len(found) < hours:
            done = len(found)
            sit(world, folder, done, min(hours, done + restart_every), note)
            world.wait(30.0)
    return found


def sit(world: World, folder: Path, first: int, last: int, note: Callable[[Hour], None]) -> None:
    """Run one process of paper from the end of hour `first` to the end of hour `last`."""
    settings = Settings.model_validate({"position": {"leverage": 10.0}})
    tiers = tier_table("binance", "LTCUSDT")
    thread, funnel = SameThread(world.loop), Funnel(clock=world.now_ns)
    funnel._queue = LoopQueue(world.loop)
    policy = policy_named("plugin", settings)
    plan = Plan(settings, policy, tiers, BlindForecaster(), "none", FRAME_NS)
    compile_kernels(plan)
    journal = Journal(folder / "journal.sqlite")
    minutes = 9 if first == 0 else 60
    past = thread.call(history(minutes, btc="", hosts=world.hosts))
    now_ns = max(funnel.now_ns(), past[-1].known_ns + 1)
    taken = take_up(plan, journal, session="soak", mode="paper", data="the fake", now_ns=now_ns)
    account = PaperVenue(settings, tiers, NS_PER_MINUTE, now_ns)
    if taken.ended_ns:
        account.resume(taken.state, taken.ended_ns, past)
    thread.run_sources(sources("LTCUSDT", 0.01, ATOM_NS, world.hosts, has_btc=False), funnel)
    done, decisions = first, 0

    def watch(event: ev.AnyEvent, effects: list[object]) -> None:
        nonlocal done, decisions
        decisions += sum(type(effect).__name__ == "Decision" for effect in effects)
        passed_ns = event.known_ns - BEGINS_S * NS_PER_SECOND
        if type(event) is not ev.Tick or passed_ns < (done + 1) * NS_PER_HOUR:
            return
        done += 1
        gc.collect()
        tasks = len(world.loop.tasks_of("ours"))
        objects = len(gc.get_objects())
        note(Hour(done, 0.0, rss_mb(), tasks, thread.running, funnel.count, decisions, objects))
        world.exchange.drop_connections()
        if done >= last:
            funnel.stop()

    guard(taken.state, account, funnel, past, journal=journal, observers=[watch])
    journal.close()
    world.loop.cancel("ours")
    assert thread.running == 0, "sources outlived their session"


def hours_of_soak() -> int:
    """Return how many hours a soak lasts: `LITEHEDGE_SOAK_HOURS`, a day by default."""
    return int(os.environ.get("LITEHEDGE_SOAK_HOURS", "24"))

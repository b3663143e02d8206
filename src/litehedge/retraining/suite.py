"""The frozen crises: the same for every challenger, with nothing to download.

Simulated worlds by scenario and seed, which the package carries, and real crises by name where the
lake holds them. What becomes of the worlds is hashed (`digest_of`): a verdict says which suite it
was of, and a test notices when a change to the simulator would thaw it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Final, NamedTuple

import numpy as np
import polars as pl

from litehedge.feeds.replay import EventArrays, merge
from litehedge.retraining.gate import Watched
from litehedge.retraining.shadow import Hedging, shadow_run, watched
from litehedge.sim.market.feed import tell
from litehedge.sim.market.step import run_world
from litehedge.sim.market.telling import Teller
from litehedge.sim.scenario import compose, load_scenario, shocks_array
from litehedge.sim.study import DAY_S, MINUTE_S, warmed_world
from litehedge.squeeze.crises import CRISES
from litehedge.squeeze.forecast import Forecaster
from litehedge.store.lake import Dataset, Lake
from litehedge.store.worlds import tables_of
from litehedge.units import NS_PER_MINUTE, NS_PER_SECOND, instant_ns

BEGIN: Final = "2001-01-01"
"""Worlds follow one another from here, long before any real crisis."""
APART_DAYS: Final = 30
WARM_DAYS: Final = 6
DAYS: Final = 6
SHOCK_AFTER_S: Final = DAY_S


class Crisis(NamedTuple):
    """A simulated crisis: a packaged scenario in the world of a seed."""

    scenario: str
    seed: int


FROZEN: Final = (
    Crisis("flash-crash", 71_001), Crisis("crash-2025-10", 71_002),
    Crisis("short-squeeze", 71_003), Crisis("slow-grind", 71_004),
    Crisis("squeeze-that-never-comes", 71_005), Crisis("regime-break", 71_006),
)  # fmt: skip

Chunk = tuple[EventArrays, pl.DataFrame]


def begin_s_of(number: int) -> int:
    """Return when the world of the crisis of that number begins to be watched, since 1970."""
    return instant_ns(BEGIN) // NS_PER_SECOND + number * APART_DAYS * DAY_S


@cache
def lived(crisis: Crisis, begin_s: int, bar_ns: int) -> Chunk:
    """Let the world of a crisis live; return what was told of it, and its bars."""
    parameters, shocks = compose([load_scenario(crisis.scenario)])
    array = shocks_array(shocks, begin_s + SHOCK_AFTER_S)
    start_s = begin_s - WARM_DAYS * DAY_S
    world = warmed_world(parameters, crisis.seed, start_s)
    record = run_world(world, (WARM_DAYS + DAYS) * DAY_S, atom_s=MINUTE_S, shocks=array)
    as_told = tell(record, start_s, MINUTE_S, array, None)
    told = Teller(crisis.seed, MINUTE_S).tell(as_told, start_s)
    tables = dict(tables_of(record, start_s, MINUTE_S, told, float(record["btc"][0])))
    tables["bars"] = coarser(tables.pop("ltc"), bar_ns)
    tables["btc"] = coarser(tables["btc"], bar_ns)
    filled = {role: table for role, table in tables.items() if table.height > 0}
    return merge(filled, bar_ns), tables["bars"]


def coarser(bars: pl.DataFrame, bar_ns: int) -> pl.DataFrame:
    """Return bars of a minute as longer ones; each is known at its close."""
    if bar_ns <= NS_PER_MINUTE:
        return bars
    summed = [pl.col(c).sum() for c in ("volume", "buy_volume") if c in bars.columns]
    return (
        bars.group_by(((pl.col("event_ns") - 1) // bar_ns).alias("number"), maintain_order=True)
        .agg(
            pl.col("event_ns").last(), pl.col("known_ns").last(), pl.col("open").first(),
            pl.col("high").max(), pl.col("low").min(), pl.col("close").last(), *summed,
        )
        .drop("number")
    )  # fmt: skip


def frozen_crises(
    models: tuple[Forecaster, Forecaster], hedging: Hedging, frame_ns: int,
    suite: Sequence[Crisis] = FROZEN, said: Callable[[str], None] = lambda name: None,
) -> list[Watched]:  # fmt: skip
    """Run champion and challenger through the simulated crises, in the order of their dates."""
    bar_ns = max(frame_ns, NS_PER_MINUTE)
    found = []
    for number, crisis in enumerate(suite):
        said(crisis.scenario)
        begin_s = begin_s_of(number)
        chunk = lived(crisis, begin_s, bar_ns)

        def chunks(one: Chunk = chunk) -> Iterator[Chunk]:
            yield one

        found.append(
            watched(
                crisis.scenario, bar_ns, chunks, models, hedging, begin_s * NS_PER_SECOND,
                chunk[1].height,
            )
        )  # fmt: skip
    return found


def real_crises(
    models: tuple[Forecaster, Forecaster], hedging: Hedging, lake: Lake, dataset: Dataset,
    until_ns: int, said: Callable[[str], None] = lambda name: None,
) -> list[Watched]:  # fmt: skip
    """Run both through the crises by name that a data set holds whole, before `until_ns`."""
    found = []
    for crisis in CRISES:
        start_ns, end_ns = instant_ns(crisis.start), instant_ns(crisis.end)
        if dataset.start_ns > start_ns or min(dataset.end_ns, until_ns) < end_ns:
            continue
        said(crisis.name)
        one = shadow_run(lake, dataset, models, hedging, start_ns, end_ns)
        if one is not None:
            found.append(
                Watched(
                    crisis.name,
                    one.end_ns,
                    one.times,
                    one.champion,
                    one.challenger,
                    one.kinds,
                    one.outcomes,
                )
            )
    return found


def digest_of(suite: Sequence[Crisis] = FROZEN, bar_ns: int = 5 * NS_PER_MINUTE) -> str:
    """Return a hash of what the simulated crises are: their prices to a thousandth of a cent."""
    hashed = hashlib.sha256()
    for number, crisis in enumerate(suite):
        closes = lived(crisis, begin_s_of(number), bar_ns)[1]["close"].to_numpy()
        hashed.update(f"{crisis.scenario} {crisis.seed}".encode())
        hashed.update(np.rint(closes * 1e5).astype("<i8").tobytes())
    return hashed.hexdigest()[:16]

"""Pasts of sessions made without an engine: a market with squeezes, and a model that is wrong."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np

from litehedge.learning.past import READ, Fill, Past
from litehedge.market import schema as sc
from litehedge.squeeze import forecast as fc
from litehedge.squeeze.hazard import N_ONSET, ONSET_EDGES
from litehedge.units import NS_PER_MINUTE
from synthetic import Crash, market

FRAME_NS = 5 * NS_PER_MINUTE
MODEL = "made@1"


@cache
def frames(days: int = 16, seed: int = 0):
    """Five-minute bars with a fall about every 9 hours."""
    rng = np.random.default_rng(seed)
    n = days * 288
    at = np.cumsum(rng.integers(60, 150, n // 60))
    crashes = tuple(
        Crash(at=int(a), bars=3, depth=float(rng.uniform(0.03, 0.06)), rebound=0.3,
              rebound_bars=12)
        for a in at if a < n - 100
    )  # fmt: skip
    return market(n, seed=seed, bar_ns=FRAME_NS, vol=0.0004, crashes=crashes)


def made(
    days: int = 16, seed: int = 0, *, odds: float = 1.0, low: float = 150.0, high: float = 1500.0,
    confidence: float = 0.9, skill: float = 0.0, fills: tuple[Fill, ...] = (),
) -> Past:  # fmt: skip
    """The past of a model that says the base rate times `odds`, of the long side.

    With `skill` it says more in the hour before a fall. `low` and `high` are the ends of its
    interval of severity in bps.
    """
    own = frames(days, seed)
    n = len(own)
    values = np.full((n, sc.N_COLUMNS), np.nan)
    for column, bar in ((sc.OPEN, 0), (sc.HIGH, 1), (sc.LOW, 2), (sc.CLOSE, 3)):
        values[:, column] = own.bars[:, bar]
    rng = np.random.default_rng(seed + 1)
    per_min = odds / (105 * 5.0)
    widths = np.diff(ONSET_EDGES)
    rows = np.empty((n, fc.N_FORECAST))
    hazards = np.empty((n, 2, N_ONSET))
    noise = np.exp(0.2 * rng.standard_normal(n))
    hazards[:, 0] = 1.0 - np.exp(-per_min * noise[:, np.newaxis] * widths)
    hazards[:, 1] = 1e-5
    rows[:, fc.ONSET_AT : fc.PEAK_AT] = hazards.reshape(n, -1)
    rows[:, fc.PEAK_AT : fc.SEVERITY_AT] = 0.1
    middle = np.sqrt(low * high)
    told = [low, middle, high, 1.2 * high, 1.5 * high]
    rows[:, fc.SEVERITY_AT : fc.PHASE_AT] = np.tile(told, 2)
    rows[:, fc.PHASE_AT : fc.VOL_AT] = 0.25
    rows[:, fc.VOL_AT : fc.CONFIDENCE_AT] = 1e-3
    rows[:, fc.CONFIDENCE_AT] = confidence
    rows[:, fc.STATE_AT] = 0.0
    past = Past(
        FRAME_NS, own.end_ns, np.arange(n) >= 288, np.full(n, MODEL), values, rows, rows,
        np.tile(rng.normal(-7.0, 0.5, n)[:, np.newaxis], (1, len(READ))), own.end_ns,
        own.bars[:, :4], [], list(fills), [], [],
    )  # fmt: skip
    if skill:
        for q in past.squeezes():
            near = (own.end_ns <= q.onset_ns) & (own.end_ns > q.onset_ns - 12 * FRAME_NS)
            rows[near, fc.ONSET_AT : fc.ONSET_AT + N_ONSET] *= 1.0 + skill
    return past


def cut(past: Past, now_ns: int) -> Past:
    """The same past as it was known at a moment."""
    n = int(np.searchsorted(past.end_ns, now_ns, side="right"))
    m = int(np.searchsorted(past.bar_ns, now_ns, side="right"))
    return replace(
        past, end_ns=past.end_ns[:n], is_live=past.is_live[:n], model=past.model[:n],
        values=past.values[:n], rows=past.rows[:n], served=past.served[:n], read=past.read[:n],
        bar_ns=past.bar_ns[:m], bars=past.bars[:m],
        asked=[a for a in past.asked if a.decision.time_ns <= now_ns],
        fills=[f for f in past.fills if f.known_ns <= now_ns],
    )  # fmt: skip


def fill(number: int, known_ns: int, paid_bps: float, half_bps: float = 1.0) -> Fill:
    """A fill that cost so much beyond the price of its decision; half spread alone was expected."""
    return Fill(
        f"t-{number}", known_ns, 1.0, 100.0 * (1.0 + 1e-4 * paid_bps), 0.05, 100.0, 1e-4 * half_bps,
        0.0,
    )  # fmt: skip

"""Series of one run that figures and charts share: profit by bar and by period, the two legs.

A run is a chain of lives, each with a fresh wallet. Its profit is the sum over lives of equity
minus wallet; while no position is held it stays where it was.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from litehedge.backtest import Run
from litehedge.config import Settings
from litehedge.errors import UsageError
from litehedge.sim.episode import N_PATH, PATH_EQUITY, PATH_HI, PATH_LO, PATH_RATIO
from litehedge.sim.opening import position_size
from litehedge.tape import Tape
from litehedge.units import NS_PER_DAY

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Periods(NamedTuple):
    """Profit by day or month: `start_ns` ``(period,)`` (UTC) and `pnl_usdt` ``(period,)``."""

    start_ns: Ints
    pnl_usdt: Floats


class Legs(NamedTuple):
    """Profit of position and hedge from price moves alone, in USDT, each ``(bar,)``."""

    position_usdt: Floats
    hedge_usdt: Floats


def align(run: Run, tape: Tape) -> Run:
    """Return the run on the bars of the tape; bars that it did not record are NaN.

    Raises
    ------
    UsageError
        When the run has bars that the tape does not have.
    """
    if np.array_equal(run.end_ns, tape.end_ns):
        return run
    places = np.searchsorted(tape.end_ns, run.end_ns)
    known = places < len(tape)
    known[known] = tape.end_ns[places[known]] == run.end_ns[known]
    if not known.all():
        raise UsageError(
            f"the run {run.policy!r} has bars that {tape.name} does not have",
            "give the report the tape on which the run was made",
        )
    path = np.full((len(tape), N_PATH), np.nan)
    path[places] = run.path
    lives = run.outcomes.copy()
    for life in lives:
        first, last = int(life["start"]), int(life["stop"]) - 1
        life["start"] = places[first] if first < places.size else len(tape)
        life["stop"] = places[last] + 1 if last >= first else life["start"]
    return replace(run, end_ns=tape.end_ns, path=path, outcomes=lives)


def filled_forward(values: Floats, before: float) -> Floats:
    """Replace each NaN with the last number, or with `before` where there is none yet."""
    known = np.isfinite(values)
    last = np.maximum.accumulate(np.where(known, np.arange(values.size), -1))
    return np.where(last >= 0, values[np.maximum(last, 0)], before)


def smallest(values: Floats) -> float:
    """Return the smallest number, NaN where there is none."""
    known = values[np.isfinite(values)]
    return float(known.min()) if known.size else float("nan")


def cumulated_pnl(run: Run) -> Floats:
    """Return the profit since the start in USDT, over all lives, ``(bar,)``.

    Flat while no position is held; at the last bar of a life it is settled exactly.
    """
    total = np.full(run.end_ns.size, np.nan)
    carried = 0.0
    for life in run.outcomes:
        start, stop = int(life["start"]), int(life["stop"])
        wallet = float(life["wallet"])
        total[start:stop] = carried + run.path[start:stop, PATH_EQUITY] - wallet
        carried += float(life["equity"]) - wallet
        if stop > start:
            total[stop - 1] = carried
    return filled_forward(total, 0.0)


def drawdown(cumulated_usdt: Floats) -> Floats:
    """Return how far the profit lies under its peak so far (at least 0), 0 or less, ``(bar,)``."""
    return cumulated_usdt - np.maximum(np.maximum.accumulate(cumulated_usdt), 0.0)


def daily_pnl(end_ns: Ints, cumulated_usdt: Floats) -> Periods:
    """Return the profit of each UTC day that has bars; a bar belongs to the day it began in.

    Shapes: `end_ns` and `cumulated_usdt` ``(bar,)``.
    """
    days = (end_ns - 1) // NS_PER_DAY * NS_PER_DAY
    return _by_period(days, cumulated_usdt)


def monthly_pnl(end_ns: Ints, cumulated_usdt: Floats) -> Periods:
    """Return the profit of each calendar month (UTC) that has bars."""
    months = (end_ns - 1).astype("datetime64[ns]").astype("datetime64[M]")
    return _by_period(months.astype("datetime64[ns]").astype(np.int64), cumulated_usdt)


def _by_period(period_ns: Ints, cumulated_usdt: Floats) -> Periods:
    last = np.append(np.flatnonzero(np.diff(period_ns)), period_ns.size - 1)
    return Periods(period_ns[last], np.diff(cumulated_usdt[last], prepend=0.0))


def legs_pnl(run: Run, tape: Tape, settings: Settings) -> Legs:
    """Return what price moves gave to the whole position and to its hedge, before all costs.

    A free hedge (a smaller position) counts as a hedge of the whole one. The run must be aligned
    with the tape. The bar of a liquidation counts for neither leg: its price is not recorded.
    """
    position = np.zeros(len(tape))
    hedge = np.zeros(len(tape))
    for life in run.outcomes:
        span = slice(int(life["start"]), int(life["stop"]))
        entry = float(life["entry"])
        opens, closes = tape.bars[span, 0], tape.bars[span, 3]
        if closes.size == 0:
            continue
        size = position_size(settings, entry, 0.0)
        before = np.concatenate(([entry], closes[:-1]))
        ratio = run.path[span, PATH_RATIO]
        ratio_before = np.concatenate(([0.0], ratio[:-1]))
        # An order fills at the open: until then the ratio of the last bar holds.
        hedged = ratio_before * (opens - before) + ratio * (closes - opens)
        alive = np.isfinite(ratio)
        position[span] = np.where(alive, size * (closes - before), 0.0)
        hedge[span] = np.where(alive, -size * hedged, 0.0)
    return Legs(position, hedge)


def band(run: Run) -> tuple[Floats, Floats]:
    """Return the band (lo, hi) of the hedge ratio by bar, NaN where it is not known.

    The fast path records it in every bar; the faithful path tells it with each decision, and it
    holds until the next one.
    """
    lo, hi = run.path[:, PATH_LO], run.path[:, PATH_HI]
    if np.isfinite(lo).any() or not run.decisions:
        return lo, hi
    times = np.array([decision.time_ns for decision in run.decisions], dtype=np.int64)
    edges = np.array([(d.recommendation.lo, d.recommendation.hi) for d in run.decisions])
    latest = np.searchsorted(times, run.end_ns, side="right") - 1
    held = np.isfinite(run.path[:, PATH_RATIO]) & (latest >= 0)
    told = np.where(held[:, None], edges[np.maximum(latest, 0)], np.nan)
    return told[:, 0], told[:, 1]

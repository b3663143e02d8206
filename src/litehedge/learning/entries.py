"""The ledger of recommendations: what was advised, what was done, what came of it, what else might.

An entry is made once its horizon is over: until then nothing is said of it. The outcome of every
hedge ratio is that of `outcomes`; the path is the price after the decision.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from litehedge.learning.outcomes import HORIZON_MIN, RATIOS, outcomes_of_ratios
from litehedge.learning.past import Asked, Fill, Past
from litehedge.units import NS_PER_DAY, NS_PER_MINUTE

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

PATH_MIN: Final = (5, 15, 30, 60, 120, 240)
LONGEST_GAP: Final = 5
"""Bars that may lack in a row."""
LEAST_CHANGES: Final = 10
"""Of fewer changes of the hedge nothing is said."""
DRAWS: Final = 400
LEVEL: Final = 0.90


class Filled(msgspec.Struct, frozen=True):
    """A trade that came of a recommendation; `slippage_bps` beyond the price of the decision."""

    time_ns: int
    qty_ltc: float
    price: float
    fee_usdt: float
    slippage_bps: float


class Entry(msgspec.Struct, frozen=True):
    """One recommendation and what came of it.

    `ratio` is the hedge as it was, `target` what was advised, `done` whether an order was sent.
    `path` are log returns after `PATH_MIN` minutes, `gains_usdt` and `nearest` what each of
    `RATIOS` would have come to by `until_ns`, `died` whether it was liquidated. `kept_usdt` is the
    outcome of leaving the hedge as it was, `advised_usdt` that of the target; None stands for what
    the data does not reach.
    """

    time_ns: int
    model: str
    features: str
    price: float
    state: str
    ratio: float
    target: float
    action: str
    done: bool
    confidence: float
    onset: list[float | None]
    until_ns: int
    path: list[float | None]
    fills: list[Filled]
    cost_usdt: float
    gains_usdt: list[float]
    nearest: list[float]
    died: list[bool]
    kept_usdt: float
    advised_usdt: float

    @property
    def worth_usdt(self) -> float:
        """What the advice was worth beside leaving the hedge alone, its costs included."""
        return self.advised_usdt - self.kept_usdt


def entries_of(past: Past, horizon_min: int = HORIZON_MIN) -> list[Entry]:
    """Return every recommendation whose horizon is over, in order of time."""
    by_order: dict[str, list[Fill]] = {}
    for fill in past.fills:
        by_order.setdefault(fill.client_id, []).append(fill)
    times = np.array([t for t, _, _ in past.funded], dtype=np.int64)
    marks = np.array([m for _, m, _ in past.funded], dtype=np.float64)
    rates = np.array([r for _, _, r in past.funded], dtype=np.float64)
    funded_at = np.searchsorted(past.bar_ns, times, side="left")
    spacing_ns = int(np.median(np.diff(past.bar_ns))) if past.bar_ns.size > 1 else NS_PER_MINUTE
    found = []
    for asked in past.asked:
        one = _entry(past, asked, by_order, (funded_at, marks, rates), horizon_min, spacing_ns)
        if one is not None:
            found.append(one)
    return found


def _entry(
    past: Past, asked: Asked, by_order: dict[str, list[Fill]],
    funded: tuple[Ints, Floats, Floats], horizon_min: int, spacing_ns: int,
) -> Entry | None:  # fmt: skip
    told = asked.decision
    until_ns = told.time_ns + horizon_min * NS_PER_MINUTE
    # Only whole minutes after the decision: the one that it was made in began before it.
    first = int(np.searchsorted(past.bar_ns, told.time_ns + spacing_ns, side="left"))
    last = int(np.searchsorted(past.bar_ns, until_ns, side="right"))
    held = float(asked.books["qty"][0].__abs__().sum())
    if first >= last or past.bar_ns[-1] < until_ns or held <= 0.0:
        return None
    apart = np.diff(past.bar_ns[first:last])
    if apart.size and apart.max() > LONGEST_GAP * spacing_ns:
        return None  # nobody knows what came
    advice = told.recommendation
    ratios = np.concatenate((RATIOS, [advice.ratio, advice.target]))
    out = np.empty((ratios.size, 3))
    outcomes_of_ratios(
        asked.books, asked.terms, told.price, asked.volatility, asked.volume, ratios, past.bars,
        first, last, *funded, out,
    )  # fmt: skip
    fills = by_order.get(told.order_id, []) if told.order_id else []
    n = RATIOS.size
    return Entry(
        told.time_ns, asked.model, asked.features, told.price, told.trading_state, advice.ratio,
        advice.target, str(advice.action), bool(told.order_id), advice.confidence,
        [p if p == p else None for p in told.onset],
        until_ns, _path(past, told.time_ns, told.price, horizon_min),
        [Filled(f.known_ns, f.qty_ltc, f.price, f.fee_usdt, 1e4 * f.slippage) for f in fills],
        float(sum(f.fee_usdt + f.slippage * f.middle * abs(f.qty_ltc) for f in fills)),
        out[:n, 0].tolist(), out[:n, 1].tolist(), (out[:n, 2] > 0.0).tolist(),
        float(out[n, 0]), float(out[n + 1, 0]),
    )  # fmt: skip


def _path(past: Past, time_ns: int, price: float, horizon_min: int) -> list[float | None]:
    path: list[float | None] = []
    for minutes in PATH_MIN:
        at = int(np.searchsorted(past.bar_ns, time_ns + minutes * NS_PER_MINUTE, side="right")) - 1
        known = minutes <= horizon_min and at >= 0 and past.bar_ns[at] > time_ns
        path.append(float(np.log(past.bars[at, 3] / price)) if known else None)
    return path


class Interval(msgspec.Struct, frozen=True):
    """A figure with its 90 % interval; `n` is of how many."""

    value: float
    low: float
    high: float
    n: int


class Sum(msgspec.Struct, frozen=True):
    """What a ledger comes to.

    `worth_usdt` is the mean worth of a change of the hedge beside leaving it alone, None below
    `LEAST_CHANGES`; `ratios_usdt` the mean outcome of each of `RATIOS` over windows that do not
    overlap, `windows` their number; `best` the ratio with the highest, in hindsight.
    """

    recommendations: int
    changes: int
    fills: int
    cost_usdt: float
    windows: int
    ratios_usdt: list[float]
    deaths: list[int]
    best: float | None
    worth_usdt: Interval | None


def sum_of(entries: Sequence[Entry]) -> Sum:
    """Sum up a ledger. Windows that overlap tell one story: intervals are drawn over days."""
    changes = [e for e in entries if e.done]
    apart: list[Entry] = []
    for one in entries:
        if not apart or one.time_ns >= apart[-1].until_ns:
            apart.append(one)
    gains = np.array([e.gains_usdt for e in apart]).reshape(len(apart), RATIOS.size)
    means = gains.mean(axis=0) if apart else np.full(RATIOS.size, np.nan)
    died = np.array([e.died for e in apart], dtype=np.int64).reshape(-1, RATIOS.size)
    return Sum(
        len(entries), len(changes), sum(len(e.fills) for e in changes),
        sum(e.cost_usdt for e in changes), len(apart),
        means.tolist() if apart else [], died.sum(axis=0).tolist() if apart else [],
        float(RATIOS[int(np.argmax(means))]) if apart else None, _worth(changes),
    )  # fmt: skip


def _worth(changes: Sequence[Entry]) -> Interval | None:
    if len(changes) < LEAST_CHANGES:
        return None
    worth = np.array([e.worth_usdt for e in changes])
    days = np.unique([e.time_ns // NS_PER_DAY for e in changes], return_inverse=True)[1]
    return interval_of(worth, days)


def interval_of(values: Floats, groups: Ints, seed: int = 0) -> Interval | None:
    """Return the mean and its bootstrap interval, drawn over groups that hang together.

    Shapes: both ``(n,)``, `groups` numbered from 0. None with one group: there is nothing to draw.
    """
    count = int(groups.max()) + 1
    total = np.bincount(groups, weights=values, minlength=count)
    size = np.bincount(groups, minlength=count).astype(np.float64)
    mean = float(values.mean())
    if count < 2:
        return None
    drawn = np.random.default_rng(seed).integers(0, count, (DRAWS, count))
    means = total[drawn].sum(axis=1) / size[drawn].sum(axis=1)
    low, high = np.quantile(means, [0.5 - LEVEL / 2, 0.5 + LEVEL / 2])
    return Interval(mean, float(low), float(high), values.size)

"""Where leveraged positions would be liquidated, estimated from what a venue tells of everybody.

No venue tells at which prices positions die. What it tells is open interest, which is how many LTC
are held long and, as many, short. The estimate follows a crowd that it has to assume:

- what open interest shows to be new was opened at the price of that moment, with the leverages of
  `Assumed`, isolated, so that a long of leverage L opened at P dies at ``P (1 - 1 / L + m)`` and a
  short at ``P (1 + 1 / L - m)``, m the maintenance rate (`margin.liquidation` of one leg alone);
- margins scatter about 1 / L, since people add to them and take from them;
- positions are closed after a while, those of high leverage sooner; open interest that stays the
  same was opened anew then. Open interest that falls takes of all alike;
- levels that the price reaches are emptied.

Maps of this kind that are public do the same and do not tell their numbers. The leverages, shares
and holding times here are assumptions, not measurements; `score` tells how much they are worth
against liquidations that were heard of.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from litehedge.market import events as ev
from litehedge.units import NS_PER_HOUR, NS_PER_MINUTE

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

STEP_NS: Final = 5 * NS_PER_MINUTE
"""As often as venues tell open interest."""

WIDTH: Final = 0.002
"""Levels are so far apart, in log price."""

LEVELS: Final = 2048
"""A ring of so many levels: a factor of seven to either side of the price."""

WINDOW_STEPS: Final = 12
LEAST_LEVELS: Final = 4
LONG, SHORT = 0, 1


@dataclass(frozen=True, slots=True)
class Assumed:
    """The crowd that is assumed. Shares are of open interest held, and sum to one."""

    leverages: tuple[float, ...] = (2.0, 3.0, 5.0, 10.0, 20.0, 50.0)
    shares: tuple[float, ...] = (0.35, 0.25, 0.20, 0.13, 0.06, 0.01)
    holding_h: tuple[float, ...] = (240.0, 168.0, 96.0, 36.0, 10.0, 2.0)
    maintenance: float = 0.01
    scatter: tuple[float, ...] = (0.7, 0.85, 1.0, 1.15, 1.3)  # of margins, equally often


@dataclass(frozen=True, slots=True)
class Forced:
    """A liquidation that was heard of: when, whose, how much, and the price then."""

    time_ns: int
    side: int
    usdt: float
    price: float


@dataclass(slots=True)
class Course:
    """What is known of a market step by step: ends, price ranges, open interest (NaN: unknown).

    A step lasts `STEP_NS`; steps without a price are left out.
    """

    end_ns: list[int] = field(default_factory=list)
    low: list[float] = field(default_factory=list)
    high: list[float] = field(default_factory=list)
    close: list[float] = field(default_factory=list)
    interest_ltc: list[float] = field(default_factory=list)
    forced: dict[str, list[Forced]] = field(default_factory=dict)  # by what the feed tells
    _low: float = math.inf
    _high: float = -math.inf
    _price: float = math.nan
    _interest: float = math.nan
    _step: int = -1

    def push(self, event: ev.AnyEvent) -> None:
        """Take in an event; those that tell nothing of price, interest or force are passed over."""
        kind = type(event)
        if kind is ev.Book:
            low = high = price = 0.5 * (event.bid + event.ask)  # type: ignore[union-attr]
        elif kind is ev.Trade or kind is ev.Mark:
            low = high = price = event.price  # type: ignore[union-attr]
        elif kind is ev.Bar and event.asset == "LTC":  # type: ignore[union-attr]
            low, high, price = event.low, event.high, event.close  # type: ignore[union-attr]
        elif kind is ev.OpenInterest:
            self._interest = event.oi_ltc  # type: ignore[union-attr]
            return
        elif kind is ev.Liquidation:
            self._note(event)  # type: ignore[arg-type]
            return
        else:
            return
        if not 0.0 < price < math.inf:
            return
        step = event.known_ns // STEP_NS
        if step != self._step:
            self._close()
            self._step = step
        self._low, self._high = min(self._low, low), max(self._high, high)
        self._price = price

    def _note(self, event: ev.Liquidation) -> None:
        if math.isfinite(self._price):
            self.forced.setdefault(event.feed, []).append(
                Forced(
                    event.known_ns, LONG if event.side == "long" else SHORT, event.notional_usdt,
                    self._price,
                )
            )  # fmt: skip

    def _close(self) -> None:
        if self._high > 0.0:
            self.end_ns.append((self._step + 1) * STEP_NS)
            self.low.append(self._low)
            self.high.append(self._high)
            self.close.append(self._price)
            self.interest_ltc.append(self._interest)
        self._low, self._high = math.inf, -math.inf

    def heard(self) -> list[Forced]:
        """Return the liquidations of the most complete feed, in order."""
        return self.forced.get("all") or self.forced.get("largest") or []


def level_of(price: float) -> int:
    """Return the level in which a price lies."""
    return math.floor(math.log(price) / WIDTH)


def price_of(level: int) -> float:
    """Return the price in the middle of a level."""
    return math.exp((level + 0.5) * WIDTH)


class Crowd:
    """The assumed crowd: `mass` ``(side, leverage, level)`` in LTC, levels on a ring."""

    def __init__(self, assumed: Assumed | None = None) -> None:
        self.assumed = assumed or Assumed()
        a = self.assumed
        self.mass = np.zeros((2, len(a.leverages), LEVELS))
        self._level = 0
        shares, holding = np.array(a.shares), np.array(a.holding_h)
        self._holding_h = holding
        opened = shares / holding  # what is opened most is what is held shortest
        self._opened = opened / opened.sum()
        self._held = shares / shares.sum()

    def advance(
        self, low: float, high: float, close: float, interest_ltc: float, hours: float
    ) -> None:
        """Let a step pass: what the range reached dies, some is closed, the rest is opened now."""
        if not self.mass.any():
            if interest_ltc > 0.0:
                self._level = level_of(close)
                self._open(close, interest_ltc * self._held)
            return
        self._clear(level_of(low), level_of(high))
        self._level = level_of(close)
        self.mass *= np.exp(-hours / self._holding_h)[:, np.newaxis]
        for side in (LONG, SHORT):
            held = float(self.mass[side].sum())
            if not interest_ltc > 0.0:
                continue  # not known: what died or was closed is not opened again
            if held > interest_ltc:
                self.mass[side] *= interest_ltc / held
            else:
                self._open(close, (interest_ltc - held) * self._opened, (side,))

    def usdt(self, side: int, first: int, last: int) -> Floats:
        """Return what would be liquidated, by level, from `first` to `last` inclusive, in USDT."""
        levels = np.arange(first, last + 1)
        prices = np.exp((levels + 0.5) * WIDTH)
        return np.asarray(self.mass[side].sum(axis=0)[levels % LEVELS] * prices)

    def _open(self, price: float, ltc: Floats, sides: Sequence[int] = (LONG, SHORT)) -> None:
        a = self.assumed
        for side in sides:
            sign = -1.0 if side == LONG else 1.0
            for i, leverage in enumerate(a.leverages):
                for scatter in a.scatter:
                    away = min(0.9, max(WIDTH, scatter / leverage - a.maintenance))
                    level = level_of(price * (1.0 + sign * away))
                    nearest = self._level + int(sign)
                    level = min(level, nearest) if side == LONG else max(level, nearest)
                    self.mass[side, i, level % LEVELS] += ltc[i] / len(a.scatter)

    def _clear(self, low: int, high: int) -> None:
        """Empty what lies between the last price and the range: longs below, shorts above."""
        half = LEVELS // 2
        down = np.arange(max(low, self._level - half), self._level + 1)
        up = np.arange(self._level, min(high, self._level + half) + 1)
        self.mass[LONG][:, down % LEVELS] = 0.0
        self.mass[SHORT][:, up % LEVELS] = 0.0


@dataclass(frozen=True, slots=True)
class Heat:
    """The estimate over time.

    Shapes: `end_ns` ``(column,)``; `prices` ``(level,)`` rising; `usdt` ``(column, level)``.
    """

    end_ns: Ints
    prices: Floats
    usdt: Floats


def heat_of(
    course: Course, *, columns: int = 96, every: int = 3, span: float = 0.12,
    assumed: Assumed | None = None,
) -> Heat | None:  # fmt: skip
    """Return the estimate of the last `columns` times `every` steps, `span` about the last price.

    None where open interest or prices are not known.
    """
    n = len(course.end_ns)
    if n == 0 or not np.isfinite(course.interest_ltc).any():
        return None
    first, last = (level_of(course.close[-1] * (1.0 + sign * span)) for sign in (-1.0, 1.0))
    crowd, ends, found = Crowd(assumed), [], []
    before_ns = course.end_ns[0] - STEP_NS
    for i in range(n):
        hours = (course.end_ns[i] - before_ns) / NS_PER_HOUR
        before_ns = course.end_ns[i]
        crowd.advance(course.low[i], course.high[i], course.close[i], course.interest_ltc[i], hours)
        ahead = n - 1 - i
        if ahead % every == 0 and ahead < columns * every:
            ends.append(course.end_ns[i])
            found.append(crowd.usdt(LONG, first, last) + crowd.usdt(SHORT, first, last))
    levels = np.arange(first, last + 1)
    return Heat(np.array(ends, dtype=np.int64), np.exp((levels + 0.5) * WIDTH), np.array(found))


@dataclass(frozen=True, slots=True)
class Worth:
    """How good an estimate was. Both are shares of `usdt` that was really liquidated.

    `inside` fell into the half of the levels that were estimated to hold most, of those that the
    price then went through; `uniform` is what a guess that knows nothing gets there.
    """

    inside: float
    uniform: float
    usdt: float
    windows: int


def score(
    course: Course, forced: Sequence[Forced] | None = None, assumed: Assumed | None = None
) -> Worth:
    """Hold the estimate against the liquidations that were heard of.

    The map is taken as it was at the begin of each hour. Of the levels that the price went
    through in that hour, on each side, the half with the most counts as its bands (odd ones out:
    by the share of levels). So it is not the price's way that is judged, nor how much there is,
    but where. Hours in which the price went through less than `LEAST_LEVELS` levels of a side, or
    nobody was liquidated there, are left out.
    """
    heard = course.heard() if forced is None else list(forced)
    crowd = Crowd(assumed)
    n, at = len(course.end_ns), 0
    inside = uniform = total = 0.0
    windows = 0
    before_ns = course.end_ns[0] - STEP_NS if n else 0
    for begin in range(0, n, WINDOW_STEPS):
        steps = range(begin, min(n, begin + WINDOW_STEPS))
        start_ns, stop_ns = before_ns, course.end_ns[steps[-1]]
        mine = []
        while at < len(heard) and heard[at].time_ns <= stop_ns:
            if heard[at].time_ns > start_ns:
                mine.append(heard[at])
            at += 1
        here = level_of(course.close[begin - 1]) if begin else level_of(course.close[0])
        reach = (
            level_of(min(course.low[i] for i in steps)),
            level_of(max(course.high[i] for i in steps)),
        )
        for side in (LONG, SHORT):
            first, last = (reach[0], here - 1) if side == LONG else (here + 1, reach[1])
            count = last - first + 1
            usdt = crowd.usdt(side, first, last) if count >= LEAST_LEVELS else np.empty(0)
            died = [f for f in mine if f.side == side and first <= level_of(f.price) <= last]
            if not usdt.any() or not died:
                continue
            bands = np.argsort(-usdt, kind="stable")[: (count + 1) // 2]
            weight = sum(f.usdt for f in died)
            inside += sum(f.usdt for f in died if level_of(f.price) - first in bands)
            uniform += weight * len(bands) / count
            total += weight
            windows += 1
        for i in steps:
            hours = (course.end_ns[i] - before_ns) / NS_PER_HOUR
            before_ns = course.end_ns[i]
            crowd.advance(
                course.low[i], course.high[i], course.close[i], course.interest_ltc[i], hours
            )
    if total <= 0.0:
        return Worth(math.nan, math.nan, 0.0, 0)
    return Worth(inside / total, uniform / total, total, windows)

"""What the guards know between two decisions: prices, their pace, what was asked of the venue."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import Final

import numpy as np
from numpy.typing import NDArray

from litehedge.config import Settings
from litehedge.margin.tiers import TierTable
from litehedge.market import events as ev
from litehedge.risk.health import Pace, Pair, stricter
from litehedge.risk.parachute import Parachute
from litehedge.units import NS_PER_SECOND

Floats = NDArray[np.float64]

FRESH_NS: Final = 30 * NS_PER_SECOND
"""A mark that is older than this is taken for the book's middle."""


@dataclass(slots=True)
class Guards:
    """What is known between decisions. Nothing of it must survive a restart."""

    chute: Parachute
    pace: Pace
    # Tiers of the first and of the second venue: at the trigger, at the target, at the stop
    trigger: Pair
    target: Pair
    stop: Pair
    is_watching: bool = False  # whether there is anything between frames
    middle: float = float("nan")
    bid: float = float("nan")
    ask: float = float("nan")
    book_ns: int = -1
    mark: float = float("nan")
    mark_ns: int = -1
    alarm: tuple[float, float] | None = None  # marks outside which something is closed
    wait_ns: int = -1  # before this time nothing else is closed
    stops_ns: int = -1
    stops_of: tuple[object, ...] | None = None  # what stops were last reckoned from; see `_basis`
    topped_ns: int = -1
    looked_ns: int = -1 << 61  # when every watch was judged last
    decided_ns: int = -1 << 61  # when a decision was last asked for between frames
    is_warming: bool = True  # whether the forecast of this start is still waited for
    warm_by_ns: int = -1  # until when it is
    failures: int = 0  # orders in a row of which nothing was done
    retry_ns: int = -1  # when the last of them is tried again

    def reckon(self, settings: Settings, tiers: TierTable, second: TierTable | None) -> None:
        """Reckon with other tiers from now on; None: the second venue's are those of the first."""
        health = settings.health
        self.trigger = _pair(tiers, second, health.trigger_ratio)
        self.target = _pair(tiers, second, health.target_ratio)
        self.stop = _pair(tiers, second, health.stop_ratio)
        self.alarm = None


def _pair(tiers: TierTable, second: TierTable | None, ratio: float) -> Pair:
    rows = stricter(tiers.rows, ratio)
    return rows, rows if second is None else stricter(second.rows, ratio)


def new_guards(settings: Settings, tiers: TierTable) -> Guards:
    """Return guards that have seen nothing."""
    health = settings.health
    return Guards(
        chute=Parachute(settings.parachute, settings.limits.max_clock_skew_ms),
        pace=Pace(),
        trigger=_pair(tiers, None, health.trigger_ratio),
        target=_pair(tiers, None, health.target_ratio),
        stop=_pair(tiers, None, health.stop_ratio),
    )


def observe(guards: Guards, event: ev.AnyEvent) -> None:
    """See a market event. A mark or an index that cannot be a price counts as silence."""
    kind, now_ns, chute = type(event), event.known_ns, guards.chute
    if kind is ev.Book:
        bid, ask = event.bid, event.ask  # type: ignore[union-attr]
        chute.on_book(now_ns, bid, ask)
        if 0.0 < bid < ask < inf:
            guards.bid = bid
            guards.ask = ask
            guards.middle = 0.5 * (bid + ask)
            guards.book_ns = now_ns
            guards.is_watching = True
            if now_ns - guards.pace.at_ns >= NS_PER_SECOND:  # else it is not looked at
                guards.pace.see(now_ns, guards.middle)
    elif kind is ev.Trade:
        chute.on_trade(now_ns)
    elif kind is ev.Mark and 0.0 < event.price < inf:  # type: ignore[union-attr]
        price = event.price  # type: ignore[union-attr]
        chute.on_mark(now_ns, price)
        guards.mark, guards.mark_ns = price, now_ns
        guards.is_watching = True  # a venue may be silent of its book from the first moment on
        if now_ns - guards.book_ns > FRESH_NS:
            guards.pace.see(now_ns, price)
    elif kind is ev.Index and 0.0 < event.price < inf:  # type: ignore[union-attr]
        chute.on_index(now_ns, event.price)  # type: ignore[union-attr]
    elif kind is ev.Bar and event.asset == "BTC":  # type: ignore[union-attr]
        chute.on_bitcoin(now_ns, event.close)  # type: ignore[union-attr]


def current_mark(guards: Guards, now_ns: int) -> float:
    """Return the mark price, or the book's middle where there is no fresh mark."""
    if now_ns - guards.mark_ns <= FRESH_NS or guards.book_ns <= guards.mark_ns:
        return guards.mark
    return guards.middle

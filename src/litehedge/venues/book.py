"""A local order book: absolute quantities by price step, and its depth around the middle.

A book is one row of quantities per side, one cell per price step, so that a change is one write
and depth is one short walk. It knows nothing of sequence numbers: when messages may be applied is
each venue's own rule.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from litehedge.errors import BadMessage
from litehedge.jit import kernel
from litehedge.market import events as ev

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Levels = Sequence[Sequence[float | str]]

CELLS: Final = 65_536
"""Price steps that are kept; with 0.01 USDT they reach 327 USDT to either side."""
BANDS: Final = (0.002, 0.01, 0.05)
"""Near, within 1 %, far: the depths that `events.Book` tells."""

_BASE: Final = 0  # price step of the first cell
_BID: Final = 1  # cell of the best bid, -1 without one
_ASK: Final = 2  # cell of the best ask, CELLS without one


@kernel
def _seek(qty: Floats, place: Ints) -> None:
    """Find the best prices anew, from where they were towards the worse."""
    bid = min(place[_BID], CELLS - 1)
    while bid >= 0 and qty[0, bid] == 0.0:
        bid -= 1
    place[_BID] = bid
    ask = max(place[_ASK], 0)
    while ask < CELLS and qty[1, ask] == 0.0:
        ask += 1
    place[_ASK] = ask


@kernel
def _move(qty: Floats, place: Ints, base: int) -> None:
    """Let the cells begin at another price step; what falls off is too far away to matter."""
    shift = base - place[_BASE]
    for side in range(2):
        if shift > 0:
            for cell in range(CELLS):
                source = cell + shift
                qty[side, cell] = qty[side, source] if source < CELLS else 0.0
        else:
            for cell in range(CELLS - 1, -1, -1):
                source = cell + shift
                qty[side, cell] = qty[side, source] if source >= 0 else 0.0
    place[_BASE] = base
    place[_BID] = CELLS - 1
    place[_ASK] = 0
    _seek(qty, place)


@kernel
def _write(qty: Floats, place: Ints, tick: float, side: int, levels: Floats) -> float:
    """Set absolute quantities, shape ``(level, 2)``.

    Return 0; NaN when a level is impossible; or, with nothing written, the price of a new best
    level that lies beyond the cells.
    """
    for level in range(levels.shape[0]):
        price, amount = levels[level]
        if not (price > 0.0 and np.isfinite(price) and amount >= 0.0 and np.isfinite(amount)):
            return np.nan
        step = np.rint(min(price / tick, 1e15)) - place[_BASE]
        if amount > 0.0 and ((side == 0 and step >= CELLS) or (side == 1 and step < 0)):
            return float(price)
    for level in range(levels.shape[0]):
        cell = np.int64(np.rint(min(levels[level, 0] / tick, 1e15))) - place[_BASE]
        if cell < 0 or cell >= CELLS:
            continue
        qty[side, cell] = levels[level, 1]
        if levels[level, 1] > 0.0:
            if side == 0 and cell > place[_BID]:
                place[_BID] = cell
            elif side == 1 and cell < place[_ASK]:
                place[_ASK] = cell
    _seek(qty, place)
    return 0.0


@kernel
def _depths(qty: Floats, place: Ints, tick: float, bands: Floats, out: Floats) -> None:
    """Sum price times quantity within each band around the middle; `out` is ``(side, band)``."""
    bid, ask, base = place[_BID], place[_ASK], place[_BASE]
    middle = 0.5 * (bid + ask) + base
    for side in range(2):
        total = 0.0
        step = 1 - 2 * (1 - side)  # bids walk down, asks up
        cell = bid if side == 0 else ask
        for band in range(bands.shape[0]):
            reach = bands[band] * middle
            while 0 <= cell < CELLS and abs(cell + base - middle) <= reach:
                total += qty[side, cell] * (cell + base) * tick
                cell += step
            out[side, band] = total


class LocalBook:
    """The book of one contract.

    Parameters
    ----------
    tick_usdt
        The price step.
    """

    def __init__(self, tick_usdt: float) -> None:
        self._tick = tick_usdt
        self._qty = np.zeros((2, CELLS))
        self._place = np.array([0, -1, CELLS], np.int64)
        self._bands = np.array(BANDS)
        self._out = np.zeros((2, len(BANDS)))

    def clear(self) -> None:
        """Forget everything: until `reset` there is no book."""
        self._qty[:] = 0.0
        self._place[:] = (0, -1, CELLS)

    def reset(self, bids: Levels, asks: Levels) -> None:
        """Begin anew from a snapshot of (price, quantity).

        Raises
        ------
        BadMessage
            When a level is impossible; the book is empty then.
        """
        self.clear()
        both = [_numbers(side) for side in (bids, asks)]
        # What cannot be a price is refused below, with the words for it.
        prices = [side[0, 0] for side in both if side.size and 0.0 < side[0, 0] < 1e15]
        if prices:
            self._place[_BASE] = self._base_around(float(np.mean(prices)))
        self._apply(both)

    def update(self, bids: Levels, asks: Levels) -> None:
        """Set absolute quantities at prices; 0 removes, and removing what is not there is normal.

        Raises
        ------
        BadMessage
            When a level is impossible; the book is empty then, and must be begun anew.
        """
        self._apply([_numbers(side) for side in (bids, asks)])
        bid, ask = int(self._place[_BID]), int(self._place[_ASK])
        edge = CELLS // 8
        at_edge = 0 <= bid < edge if self._place[_BASE] > 0 else False
        if at_edge or CELLS - edge < ask < CELLS:
            middle = (0.5 * (bid + ask) if bid >= 0 else ask) + self._place[_BASE]
            _move(self._qty, self._place, self._base_around(middle * self._tick))

    def best(self) -> tuple[float, float]:
        """Return the best bid and the best ask in USDT, NaN for an empty side."""
        base, bid, ask = self._place.tolist()
        return (
            _price(base + bid, self._tick) if bid >= 0 else ev.UNKNOWN,
            _price(base + ask, self._tick) if ask < CELLS else ev.UNKNOWN,
        )

    @property
    def is_crossed(self) -> bool:
        """Whether the best bid is at or above the best ask: then somebody is wrong."""
        _, bid, ask = self._place.tolist()
        return bool(bid >= 0 and ask < CELLS and bid >= ask)

    def levels(self, side: int) -> list[tuple[float, float]]:
        """Return (price, quantity) of the bids (0) or asks (1), best first: for checks."""
        cells = np.flatnonzero(self._qty[side])
        ordered = cells[::-1] if side == 0 else cells
        base = int(self._place[_BASE])
        return [(_price(base + int(c), self._tick), float(self._qty[side, c])) for c in ordered]

    def event(self, event_ns: int, known_ns: int) -> ev.Book | None:
        """Return what the engine is told; None when a side is empty or the book is crossed."""
        _, bid, ask = self._place.tolist()
        if bid < 0 or ask >= CELLS or bid >= ask:
            return None
        _depths(self._qty, self._place, self._tick, self._bands, self._out)
        (near_bid, bid_depth, far_bid), (near_ask, ask_depth, far_ask) = self._out.tolist()
        best_bid, best_ask = self.best()
        return ev.Book(
            event_ns, known_ns, best_bid, best_ask, bid_depth, ask_depth,
            near_bid, near_ask, far_bid, far_ask,
        )  # fmt: skip

    def _apply(self, both: list[Floats]) -> None:
        for side, levels in enumerate(both):
            beyond = self._write(side, levels)
            while beyond > 0.0:
                _move(self._qty, self._place, self._base_around(beyond))
                beyond = self._write(side, levels)
            if beyond != 0.0:
                self.clear()
                raise BadMessage("a book level has an impossible price or size", "it is read anew")

    def _write(self, side: int, levels: Floats) -> float:
        if not levels.size:
            return 0.0
        return _write(self._qty, self._place, self._tick, side, levels)

    def _base_around(self, price: float) -> int:
        return max(0, round(min(price / self._tick, 1e15)) - CELLS // 2)


def _price(step: int, tick: float) -> float:
    return round(step * tick, 8)


def _numbers(levels: Levels) -> Floats:
    """Return levels as ``(level, 2)``; further columns are dropped."""
    if not levels:
        return np.empty((0, 2))
    try:
        table = np.array(levels, np.float64)
    except (ValueError, TypeError, OverflowError):
        try:
            table = np.array([(float(level[0]), float(level[1])) for level in levels])
        except (ValueError, TypeError, IndexError, OverflowError):
            raise BadMessage("a book level is not price and size", "it is read anew") from None
    if table.ndim != 2 or table.shape[1] < 2:
        raise BadMessage("a book level is not price and size", "it is read anew")
    return np.ascontiguousarray(table[:, :2])

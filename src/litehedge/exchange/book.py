"""The book of the fake venue: whole ticks and lots, changed by steps, each change numbered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

Levels = dict[int, int]
"""Lots by price in ticks."""

_SHAPE: Final = (
    *((offset, 1, 1.0) for offset in range(10)),
    *((offset, 5, 3.0) for offset in range(10, 55, 5)),
    *((offset, 20, 8.0) for offset in range(60, 220, 20)),
    *((offset, 100, 24.0) for offset in range(300, 1100, 100)),
)
"""(ticks from the touch, grid, weight): levels get sparse and large away from the touch."""
_WITHIN_1_PERCENT: Final = 84
_WEIGHT: Final = sum(weight for offset, _, weight in _SHAPE if offset <= _WITHIN_1_PERCENT)

BIDS: Final = 0
ASKS: Final = 1


class Change(NamedTuple):
    """A step of the book: update ids from `first` to `last`, the last id of the step before.

    Levels are absolute: 0 lots removes one.
    """

    first: int
    last: int
    before: int
    bids: Levels
    asks: Levels


class Piece(NamedTuple):
    """What an order took of one level."""

    price_ticks: int
    lots: int


def _scatter(number: int) -> float:
    """Return a number in [0.5, 1.5) that depends on `number` alone."""
    mixed = (number * 0x9E3779B97F4A7C15) & 0xFFFFFFFFFFFFFFFF
    mixed ^= mixed >> 29
    mixed = (mixed * 0xBF58476D1CE4E5B9) & 0xFFFFFFFFFFFFFFFF
    return 0.5 + (mixed >> 40) / (1 << 24)


def shape_of(touch_ticks: int, side: int) -> dict[int, float]:
    """Return the weight of each price at which makers offer, from a touch outwards."""
    away = -1 if side == BIDS else 1
    weights: dict[int, float] = {}
    for offset, grid, weight in _SHAPE:
        price = touch_ticks + away * offset
        if grid > 1:
            price += -(price % grid) if side == BIDS else -price % grid
        if price > 0:
            weights.setdefault(price, weight)
    return weights


def lots_at(price: int, mean_lots: float, step: int) -> int:
    """Return what makers offer at a price: drawn anew at every eighth step."""
    return max(1, int(mean_lots * _scatter(price * 1_000_003 + (step + price) // 8)))


@dataclass(slots=True)
class DepthBook:
    """Bids and asks, and the id of the last change.

    What was eaten comes back by half each step: `eaten` is what is still missing of each level.
    """

    last_id: int = 1_000
    bids: Levels = field(default_factory=dict)
    asks: Levels = field(default_factory=dict)
    eaten: tuple[Levels, Levels] = field(default_factory=lambda: ({}, {}))
    _step: int = 0
    _places: list[tuple[int, float]] = field(default_factory=lambda: [(0, 0.0), (0, 0.0)])
    _offered: tuple[Levels, Levels] = field(default_factory=lambda: ({}, {}))
    _weights: list[dict[int, float]] = field(default_factory=lambda: [{}, {}])
    _told_id: int = 1_000
    _pending: tuple[Levels, Levels] = field(default_factory=lambda: ({}, {}))

    def follow(self, bid_ticks: int, ask_ticks: int, depth_lots: tuple[float, float]) -> None:
        """Move to a touch and a depth within 1 % of each side."""
        self._step += 1
        for side, touch in ((BIDS, bid_ticks), (ASKS, ask_ticks)):
            place = (touch, depth_lots[side])
            levels, eaten = self._offered[side], self.eaten[side]
            unit = depth_lots[side] / _WEIGHT
            moved = self._places[side] != place
            if moved:
                self._places[side] = place
                levels.clear()
                self._weights[side] = shape_of(touch, side)
            for price, weight in self._weights[side].items():
                if moved or (self._step + price) % 8 == 0:
                    levels[price] = lots_at(price, unit * weight, self._step)
            self._become(side, self._left(levels, eaten) if eaten else levels)

    def _left(self, levels: Levels, eaten: Levels) -> Levels:
        """Return what is offered less what is still missing, half of which comes back."""
        left = dict(levels)
        for price, lots in list(eaten.items()):
            if price in left:
                left[price] -= lots
                if left[price] <= 0:
                    del left[price]
            if lots <= 1:
                del eaten[price]
            else:
                eaten[price] = lots // 2
        return left

    def take(self, buys: bool, limit_ticks: int | None, lots: int) -> list[Piece]:
        """Let an order eat up to `lots` no further than its limit; return what it took."""
        side = ASKS if buys else BIDS
        levels = self.asks if buys else self.bids
        taken: list[Piece] = []
        for price in sorted(levels, reverse=not buys):
            if lots == 0:
                break
            if limit_ticks is not None and (price > limit_ticks if buys else price < limit_ticks):
                break
            piece = min(lots, levels[price])
            taken.append(Piece(price, piece))
            lots -= piece
            self.eaten[side][price] = self.eaten[side].get(price, 0) + piece
        for price, piece in taken:
            self._set(side, price, levels[price] - piece)
        return taken

    def within(self, buys: bool, limit_ticks: int | None) -> int:
        """Return the lots that an order could take within its limit."""
        levels = self.asks if buys else self.bids
        if limit_ticks is None:
            return sum(levels.values())
        if buys:
            return sum(lots for price, lots in levels.items() if price <= limit_ticks)
        return sum(lots for price, lots in levels.items() if price >= limit_ticks)

    def number_snapshot(self) -> int:
        """Return an id for a snapshot: one that the next change contains.

        Ids are not contiguous on the real venue either. So a client that follows the documented
        rule (the first change has ``U <= lastUpdateId <= u``) finds its first change also when
        nothing happens between snapshot and change.
        """
        self.last_id += 1
        return self.last_id

    def best(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """Return (ticks, lots) of the best bid and of the best ask; 0, 0 where a side is empty."""
        bid = max(self.bids, default=0)
        ask = min(self.asks, default=0)
        return (bid, self.bids.get(bid, 0)), (ask, self.asks.get(ask, 0))

    def change(self) -> Change | None:
        """Return what changed since this was asked last, None when nothing did."""
        bids, asks = self._pending
        if not bids and not asks:
            return None
        told = Change(self._told_id + 1, self.last_id, self._told_id, bids, asks)
        self._told_id = self.last_id
        self._pending = ({}, {})
        return told

    def _become(self, side: int, levels: Mapping[int, int]) -> None:
        now = self.bids if side == BIDS else self.asks
        for price in [price for price in now if price not in levels]:
            self._set(side, price, 0)
        for price, lots in levels.items():
            if now.get(price) != lots:
                self._set(side, price, lots)

    def _set(self, side: int, price: int, lots: int) -> None:
        now = self.bids if side == BIDS else self.asks
        if lots == 0:
            now.pop(price, None)
        else:
            now[price] = lots
        self.last_id += 1
        self._pending[side][price] = lots

"""What moves the fake exchange: a scripted price path, or the simulated market.

A scene is asked for one second after the other and says how the market is at its end. It knows no
wall clock: the exchange decides how fast its seconds pass.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, Protocol

from litehedge.market import events as ev
from litehedge.sim.market.feed import LiveMarket
from litehedge.sim.market.recording import Second
from litehedge.units import NS_PER_SECOND

Flow = tuple[float, float, bool]
"""A trade of others: price in USDT, LTC, whether the taker bought."""
BTC_USDT: Final = 60_000.0
"""The price of Bitcoin where a scene has none of its own."""
Closing = tuple[Literal["long", "short"], float, float]
"""Somebody's position that was liquidated: its side, LTC, price in USDT."""


@dataclass(frozen=True, slots=True)
class Moment:
    """The market at the end of a second. Prices and depths (within 1 %) in USDT."""

    bid: float
    ask: float
    bid_depth_usdt: float
    ask_depth_usdt: float
    mark: float
    index: float
    rate: float  # of funding, as it would be settled now
    open_interest_ltc: float
    settled_rate: float | None = None  # funding settles in this second
    flows: tuple[Flow, ...] = ()
    liquidated: tuple[Closing, ...] = ()
    btc_usdt: float = BTC_USDT


class Scene(Protocol):
    """A market, second by second."""

    @property
    def begins_s(self) -> int:
        """Return when it begins, seconds since 1970."""
        ...

    def next_second(self) -> Moment:
        """Let a second pass; the first call gives the market at the beginning."""
        ...

    def trade(self, usdt: float) -> None:
        """Let an order of ours eat the market; positive buys."""
        ...

    def deleverages(self, qty_ltc: float, rank: float) -> float:
        """Return how much of a winning leg is deleveraged in this second, unsigned LTC."""
        ...


@dataclass(slots=True)
class Scripted:
    """A price path that is given: the same calls always give the same market.

    Parameters
    ----------
    path
        (second since the beginning, mid in USDT); straight in between, flat outside.
    liquidations
        (second, side of the position, LTC, price in USDT) of others.
    funding
        (second, rate) at which funding settles, besides what falls due each `interval_s`.
    btc_path
        As `path`, of Bitcoin.
    begins_s
        Seconds since 1970.
    """

    path: Sequence[tuple[float, float]] = ((0.0, 84.105),)
    begins_s: int = 1_795_000_000
    spread_usdt: float = 0.01
    depth_usdt: float = 400_000.0
    rate: float = 0.0001
    open_interest_ltc: float = 2_310_450.0
    liquidations: Sequence[tuple[int, Literal["long", "short"], float, float]] = ()
    funding: Sequence[tuple[int, float]] = ()
    interval_s: int = 8 * 3600
    btc_path: Sequence[tuple[float, float]] = ((0.0, BTC_USDT),)
    _now_s: int = field(default=-1, init=False)

    def next_second(self) -> Moment:
        """Return the market a second later."""
        self._now_s += 1
        now = self._now_s
        mid = self.price(now)
        half = 0.5 * self.spread_usdt
        settled = dict(self.funding).get(now)
        if settled is None and now > 0 and (self.begins_s + now) % self.interval_s == 0:
            settled = self.rate
        flow = 0.05 + 0.01 * ((now * 7919) % 97)
        return Moment(
            mid - half, mid + half, self.depth_usdt, self.depth_usdt, mid, mid, self.rate,
            self.open_interest_ltc, settled,
            ((mid + half if now % 2 else mid - half, flow, bool(now % 2)),),
            tuple((side, qty, at) for second, side, qty, at in self.liquidations if second == now),
            _on_path(self.btc_path, now),
        )  # fmt: skip

    def price(self, second: float) -> float:
        """Return the mid of a second."""
        return _on_path(self.path, second)

    def trade(self, usdt: float) -> None:
        """Feel nothing: a script does not react."""

    def deleverages(self, qty_ltc: float, rank: float) -> float:
        """Deleverage nobody; the faults do."""
        return 0.0


_TOLD_TRADE_LTC: Final = 1e-9


class Simulated:
    """The simulated market. Its crowd sees our orders: they eat its book.

    Parameters
    ----------
    market
        With atoms of one second (`LiveMarket(world, 1)`); taken over.
    """

    def __init__(self, market: LiveMarket) -> None:
        self._market = market
        self.begins_s = market.world.second
        self._second: Second | None = None
        self._index = self._rate = float("nan")
        self._interest = float("nan")
        self._btc = BTC_USDT
        market.join(self._see)

    def next_second(self) -> Moment:
        """Let the world live for a second."""
        flows: list[Flow] = []
        liquidated: list[Closing] = []
        for event in self._market.events(1):
            kind = type(event)
            if kind is ev.Index:
                self._index = event.price  # type: ignore[union-attr]
            elif kind is ev.PredictedFunding and event.venue == "own":  # type: ignore[union-attr]
                self._rate = event.rate  # type: ignore[union-attr]
            elif kind is ev.OpenInterest:
                self._interest = event.oi_ltc  # type: ignore[union-attr]
            elif kind is ev.Bar and event.asset == "LTC":  # type: ignore[union-attr]
                flows = _flows(event)  # type: ignore[arg-type]
            elif kind is ev.Bar:
                self._btc = event.close  # type: ignore[union-attr]
            elif kind is ev.Liquidation and event.feed == "all":  # type: ignore[union-attr]
                at = float(self._seen().mark)
                liquidated.append((event.side, event.notional_usdt / at, at))  # type: ignore[union-attr]
        seen = self._seen()
        mark = float(seen.mark)
        return Moment(
            seen.bid, seen.ask, seen.bid_depth_usdt, seen.ask_depth_usdt, mark,
            mark if self._index != self._index else self._index,
            0.0001 if self._rate != self._rate else self._rate,
            2_310_450.0 if self._interest != self._interest else self._interest,
            None if seen.settled_rate != seen.settled_rate else float(seen.settled_rate),
            tuple(flows), tuple(liquidated), self._btc,
        )  # fmt: skip

    def trade(self, usdt: float) -> None:
        """Let an order of ours eat the world's book in the next second."""
        self._market.trade(usdt)

    def deleverages(self, qty_ltc: float, rank: float) -> float:
        """Ask the world whether its wave of deleveraging reaches a leg of that rank."""
        return self._market.deleverages(self._seen(), qty_ltc, rank)

    def _see(self, second: Second) -> None:
        self._second = second

    def _seen(self) -> Second:
        assert self._second is not None, "the world has not lived yet"
        return self._second


def _on_path(path: Sequence[tuple[float, float]], second: float) -> float:
    """Return a path's value: straight between its points, flat outside."""
    right = bisect_right([at for at, _ in path], second)
    if right == 0:
        return path[0][1]
    if right == len(path):
        return path[-1][1]
    (t0, p0), (t1, p1) = path[right - 1], path[right]
    return p0 + (p1 - p0) * (second - t0) / (t1 - t0)


def _flows(bar: ev.Bar) -> list[Flow]:
    """Tell a bar's volume as one trade of each side."""
    bought = bar.volume / 2.0 if bar.buy_volume != bar.buy_volume else bar.buy_volume
    sold = bar.volume - bought
    told = ((bar.close, bought, True), (bar.close, sold, False))
    return [flow for flow in told if flow[1] > _TOLD_TRADE_LTC]


def seconds_ns(second: float) -> int:
    """Return seconds as nanoseconds."""
    return round(second * NS_PER_SECOND)

"""Trades fold into bars: what a venue tells trade by trade, as bars of any length."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal

from litehedge.market import events as ev


class BarFold:
    """Folds prices of one coin into bars of `interval_ns`, laid on one clock: that of the caller.

    Live and recorded streams are cut by when things became known, a venue's own trades by when
    they happened. Then a trade may be too late: one of a bar that was given is dropped.

    A bar without any price is not made. Quotes stand in for trades where there were none: then the
    volume is 0.
    """

    def __init__(self, asset: Literal["LTC", "BTC"], interval_ns: int) -> None:
        self._asset: Literal["LTC", "BTC"] = asset
        self._interval_ns = interval_ns
        self._end_ns = 0
        self._given_ns = 0
        self._prices: tuple[float, float, float, float] | None = None  # open, high, low, close
        self._volume = 0.0
        self._bought = 0.0
        self._traded = False

    def trade(
        self, at_ns: int, price: float, qty: float, taker_buys: bool, known_ns: int | None = None
    ) -> ev.Bar | None:
        """Take a trade; return the bar that ended before it, if one did.

        Parameters
        ----------
        known_ns
            When the bar that ended is known; None: at its close.
        """
        if at_ns < self._given_ns or (self._prices and at_ns < self._end_ns - self._interval_ns):
            return None
        ended = self.until(at_ns, known_ns)
        if not self._traded:  # a real price takes the place of quotes
            self._prices = None
        self._traded = True
        self._take(at_ns, price)
        self._volume += qty
        self._bought += qty if taker_buys else 0.0
        return ended

    def quote(self, known_ns: int, bid: float, ask: float) -> ev.Bar | None:
        """Take a quote; return the bar that ended before it, if one did."""
        ended = self.until(known_ns)
        if not self._traded:
            self._take(known_ns, 0.5 * (bid + ask))
        return ended

    def bar(self, finer: ev.Bar) -> ev.Bar | None:
        """Take a shorter bar; return the bar that ended before it, if one did."""
        ended = self.until(finer.event_ns - 1)
        if not self._traded:
            self._prices = None
        self._traded = True
        for price in (finer.open, finer.high, finer.low, finer.close):
            self._take(finer.event_ns - 1, price)
        self._volume += finer.volume
        self._bought += finer.buy_volume
        return ended

    def until(self, now_ns: int, known_ns: int | None = None) -> ev.Bar | None:
        """Return the bar that has ended by `now_ns`, once; known at its close unless told."""
        if self._prices is None or now_ns < self._end_ns:
            return None
        open_, high, low, close = self._prices
        bar = ev.Bar(
            self._end_ns, self._end_ns if known_ns is None else known_ns, self._asset,
            self._interval_ns, open_, high, low, close, self._volume, self._bought,
        )  # fmt: skip
        self._given_ns = self._end_ns
        self._prices, self._volume, self._bought, self._traded = None, 0.0, 0.0, False
        return bar

    def _take(self, at_ns: int, price: float) -> None:
        if self._prices is None:
            self._end_ns = (at_ns // self._interval_ns + 1) * self._interval_ns
            self._prices = (price, price, price, price)
            return
        open_, high, low, _ = self._prices
        self._prices = (open_, max(high, price), min(low, price), price)


def as_bars(events: Iterable[ev.AnyEvent], interval_ns: int) -> Iterator[ev.AnyEvent]:
    """Yield the events with LTC trades told as bars of `interval_ns`; all others as they are.

    LTC bars that are in the stream already (the history before a live feed) are folded too.
    """
    fold = BarFold("LTC", interval_ns)
    for event in events:
        if isinstance(event, ev.Bar) and event.asset == "LTC":
            ended = fold.bar(event)
        elif isinstance(event, ev.Trade):
            ended = fold.trade(event.known_ns, event.price, event.qty_ltc, event.taker_buys)
        elif isinstance(event, ev.Book):
            ended = fold.quote(event.known_ns, event.bid, event.ask)
        else:
            ended = fold.until(event.known_ns)
        if ended is not None:
            yield ended
        if isinstance(event, ev.Bar) and event.asset == "LTC":
            if (closed := fold.until(event.event_ns)) is not None:
                yield closed
        elif not isinstance(event, ev.Trade):
            yield event

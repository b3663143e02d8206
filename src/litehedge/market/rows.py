"""Market events as rows of numbers: what compiled folds and recorded tables work with."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from litehedge.market import events as ev

Floats = NDArray[np.float64]

(
    KIND_BTC_BAR,
    KIND_BAR,
    KIND_TRADE,
    KIND_BOOK,
    KIND_LIQUIDATION,
    KIND_LARGEST_LIQUIDATION,
    KIND_FUNDING,
    KIND_OPEN_INTEREST,
    KIND_MARK,
    KIND_INDEX,
    KIND_LONG_SHORT_RATIO,
    KIND_TRANSFER,
    KIND_SENTIMENT,
    KIND_PREDICTED_FUNDING,
    KIND_TICK,
) = range(15)
"""Kinds of market events. At equal ``known_ns`` a lower kind comes first: the Litecoin bar closes
the atom, so its companion must come before it and a settlement at the same instant after it."""

N_VALUES: Final = 8

Row = tuple[int, float, float, float, float, float, float, float, float]


def row_of(event: ev.MarketEvent) -> Row:
    """Return the event as the fold sees it: its kind and eight numbers."""
    match event:
        case ev.Book():  # by far the most frequent
            return (
                KIND_BOOK, event.bid, event.ask, event.bid_depth_usdt, event.ask_depth_usdt,
                event.bid_depth_near_usdt, event.ask_depth_near_usdt, event.bid_depth_far_usdt,
                event.ask_depth_far_usdt,
            )  # fmt: skip
        case ev.Trade():
            buys = 1.0 if event.taker_buys else 0.0
            return KIND_TRADE, event.price, event.qty_ltc, buys, 0.0, 0.0, 0.0, 0.0, 0.0
        case ev.Bar():
            kind = KIND_BAR if event.asset == "LTC" else KIND_BTC_BAR
            return (
                kind, event.open, event.high, event.low, event.close, event.volume,
                event.buy_volume, 0.0, 0.0,
            )  # fmt: skip
        case ev.Liquidation():
            kind = KIND_LIQUIDATION if event.feed == "all" else KIND_LARGEST_LIQUIDATION
            if event.side == "long":
                return kind, event.notional_usdt, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
            return kind, 0.0, event.notional_usdt, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
        case ev.Mark():
            return _lone(KIND_MARK, event.price)
        case ev.Index():
            return _lone(KIND_INDEX, event.price)
        case ev.Funding():
            return _lone(KIND_FUNDING, event.rate)
        case ev.OpenInterest():
            return _lone(KIND_OPEN_INTEREST, event.oi_ltc)
        case ev.LongShortRatio():
            return _lone(KIND_LONG_SHORT_RATIO, event.ratio)
        case ev.Transfer():
            return _lone(KIND_TRANSFER, event.notional_usdt, 1.0 if event.to_exchange else 0.0)
        case ev.Sentiment():
            return _lone(KIND_SENTIMENT, event.score)
        case ev.PredictedFunding():
            venue = float(ev.FUNDING_VENUES.index(event.venue))
            return _lone(KIND_PREDICTED_FUNDING, venue, event.rate)
        case ev.Tick():
            return _lone(KIND_TICK)


def _lone(kind: int, a: float = 0.0, b: float = 0.0) -> Row:
    return kind, a, b, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0


def event_of(
    kind: int, event_ns: int, known_ns: int, values: Floats, interval_ns: int
) -> ev.MarketEvent:
    """Return the event that `row_of` would turn into (`kind`, `values`)."""
    a, b, c, d, e, f, g, h = (x if x == x else ev.UNKNOWN for x in values.tolist())
    match kind:
        case 0 | 1:
            asset = "LTC" if kind == KIND_BAR else "BTC"
            return ev.Bar(event_ns, known_ns, asset, interval_ns, a, b, c, d, e, f)  # type: ignore[arg-type]
        case 2:
            return ev.Trade(event_ns, known_ns, a, b, c > 0.0)
        case 3:
            return ev.Book(event_ns, known_ns, a, b, c, d, e, f, g, h)
        case 4 | 5:
            side, notional = ("long", a) if a > 0.0 else ("short", b)
            feed = "all" if kind == KIND_LIQUIDATION else "largest"
            return ev.Liquidation(event_ns, known_ns, side, notional, feed)  # type: ignore[arg-type]
        case 6:
            return ev.Funding(event_ns, known_ns, a)
        case 7:
            return ev.OpenInterest(event_ns, known_ns, a)
        case 8:
            return ev.Mark(event_ns, known_ns, a)
        case 9:
            return ev.Index(event_ns, known_ns, a)
        case 10:
            return ev.LongShortRatio(event_ns, known_ns, a)
        case 11:
            return ev.Transfer(event_ns, known_ns, a, b > 0.0)
        case 12:
            return ev.Sentiment(event_ns, known_ns, a)
        case 13:
            return ev.PredictedFunding(event_ns, known_ns, ev.FUNDING_VENUES[int(a)], b)
        case _:
            return ev.Tick(event_ns, known_ns)

"""Features of what feeds tell beside prices: forced orders, book, premium, funding, crowd.

The same rules as in `vector`: scale-free, past only, NaN until warm or while the feed is missing.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from litehedge.features.families import FAMILIES, INDEX
from litehedge.features.windows import mean_get, mean_push, ring_get, ring_push
from litehedge.jit import kernel
from litehedge.market import schema as sc
from litehedge.units import BPS, MINUTES_PER_DAY

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_WEEK: Final = 7 * MINUTES_PER_DAY
FEED_MEANS: Final[dict[str, tuple[float, float]]] = {
    "traded_15": (15, 45), "traded_60": (60, 180),
    "liq_long_15": (15, 45), "liq_long_60": (60, 180),
    "liq_short_15": (15, 45), "liq_short_60": (60, 180),
    "largest_long_15": (15, 45), "largest_long_60": (60, 180),
    "largest_short_15": (15, 45), "largest_short_60": (60, 180),
    "depth_1440": (1440, 1440), "depth_week": (_WEEK, 1440),
    "whales_60": (60, 180), "whales_240": (240, 720),
}  # fmt: skip
"""Exponential means: name -> (half-life, observations before it is warm), both in minutes."""
_TRADED: Final = 0
_FORCED: Final = 2  # (feed, side, window)
_DEPTH_1440, _DEPTH_WEEK, _WHALES_60, _WHALES_240 = range(_FORCED + 8, _FORCED + 12)

N_FEED_RINGS: Final = 1
_RING_RATIO: Final = 0

FEED_AGES: Final = np.array(
    [
        sc.FEED_BOOK, sc.FEED_MARK, sc.FEED_LIQUIDATIONS, sc.FEED_LARGEST_LIQUIDATIONS,
        sc.FEED_INDEX, sc.FEED_LONG_SHORT_RATIO, sc.FEED_TRANSFERS, sc.FEED_SENTIMENT,
        sc.FEED_FUNDING_OWN, sc.FEED_FUNDING_BYBIT, sc.FEED_FUNDING_OKX,
    ]
)  # fmt: skip

_FRESH_S: Final = 60.0  # streams: book, mark, index
_FRESH_DEPTH_S: Final = 10.0  # orders are sized by it
_FRESH_FUNDING_S: Final = 600.0
_FRESH_RATIO_S: Final = 1800.0
_FRESH_SENTIMENT_S: Final = 3.0 * 3600

_FORCED_AT, _BOOK, _PREMIUM, _VENUES, _CROWD, _WHALES, _SENTIMENT, _FEED_AGE = (
    INDEX[FAMILIES[family][0]]
    for family in (
        "liquidations", "book", "premium", "funding_venues", "crowd", "whales", "sentiment",
        "feed_age",
    )
)  # fmt: skip
_DEPTH: Final = INDEX["depth_usdt"]


@kernel
def _fresh(frame: Floats, column: int, feed: int, most_s: float) -> float:
    """Return a last-known value, NaN when it is older than `most_s` or was never told."""
    return frame[column] if frame[sc.FIRST_AGE + feed] <= most_s else np.nan


@kernel
def _log(x: float) -> float:
    return np.log(x) if x > 0.0 else np.nan


@kernel
def _balance(bids: float, asks: float) -> float:
    total = bids + asks
    return (bids - asks) / total if total > 0.0 else np.nan


@kernel
def _write_forced(
    frame: Floats, traded_usdt: float, m: Floats, first: int, decays: Floats, warm: Floats,
    out: Floats,
) -> None:  # fmt: skip
    for window in range(2):
        i = first + _TRADED + window
        mean_push(m, i, traded_usdt, decays[i])
    for feed in range(2):
        column = sc.LIQUIDATED_LONGS if feed == 0 else sc.LARGEST_LONGS
        for side in range(2):
            usdt = frame[column + side]
            for window in range(2):
                k = 4 * feed + 2 * side + window
                i = first + _FORCED + k
                mean_push(m, i, usdt, decays[i])
                if np.isnan(usdt):
                    continue
                traded = mean_get(m, first + _TRADED + window, warm[first + _TRADED + window])
                if traded > 0.0:
                    share = mean_get(m, i, warm[i]) / traded
                    out[_FORCED_AT + k] = np.log1p(1e3 * share)


@kernel
def _write_book(
    frame: Floats, m: Floats, first: int, decays: Floats, warm: Floats, out: Floats
) -> None:
    if not frame[sc.FIRST_AGE + sc.FEED_BOOK] <= _FRESH_S:
        return
    if frame[sc.FIRST_AGE + sc.FEED_BOOK] <= _FRESH_DEPTH_S:
        out[_DEPTH] = min(frame[sc.BID_DEPTH], frame[sc.ASK_DEPTH])
    depth = frame[sc.BID_DEPTH] + frame[sc.ASK_DEPTH]
    near = frame[sc.BID_DEPTH_NEAR] + frame[sc.ASK_DEPTH_NEAR]
    far = frame[sc.BID_DEPTH_FAR] + frame[sc.ASK_DEPTH_FAR]
    out[_BOOK] = _balance(frame[sc.BID_DEPTH], frame[sc.ASK_DEPTH])
    out[_BOOK + 1] = _balance(frame[sc.BID_DEPTH_NEAR], frame[sc.ASK_DEPTH_NEAR])
    for k in range(2):
        i = first + _DEPTH_1440 + k
        mean_push(m, i, depth, decays[i])
        out[_BOOK + 2 + k] = _log(depth / mean_get(m, i, warm[i]))
    out[_BOOK + 4] = _log(near / depth)
    out[_BOOK + 5] = _log(far / depth)
    middle = 0.5 * (frame[sc.BID] + frame[sc.ASK])
    out[_BOOK + 6] = (frame[sc.ASK] - frame[sc.BID]) / middle / BPS


@kernel
def _write_funding(frame: Floats, out: Floats) -> None:
    own = _fresh(frame, sc.FUNDING_OWN, sc.FEED_FUNDING_OWN, _FRESH_FUNDING_S)
    out[_VENUES] = own / BPS
    total = 0.0
    count = 0
    for venue in range(sc.FUNDING_OKX - sc.FUNDING_OWN):
        rate = _fresh(
            frame, sc.FUNDING_BYBIT + venue, sc.FEED_FUNDING_BYBIT + venue, _FRESH_FUNDING_S
        )
        if not np.isnan(rate):
            total += rate
            count += 1
    if count > 0:
        out[_VENUES + 1] = (total / count - own) / BPS


@kernel
def write_feeds(
    frame: Floats, close: float, volume: float, day_usdt: float, frame_minutes: float,
    horizons: Ints, n: int, rings: Floats, first_ring: int, m: Floats, first: int, decays: Floats,
    warm: Floats, out: Floats,
) -> None:  # fmt: skip
    """Take in what feeds tell in frame number `n` of a phase and write their families.

    Shapes: `frame` ``(column,)``; `rings` ``(ring, lag)`` from `first_ring` on; `m` ``(mean, 3)``,
    `decays` and `warm` ``(mean,)`` from `first` on; `out` ``(feature,)``.

    Parameters
    ----------
    day_usdt
        Usual volume of a day, NaN before it is known.
    """
    _write_forced(frame, volume * close, m, first, decays, warm, out)
    _write_book(frame, m, first, decays, warm, out)

    index = _fresh(frame, sc.INDEX, sc.FEED_INDEX, _FRESH_S)
    out[_PREMIUM] = (close / index - 1.0) / BPS
    mark = _fresh(frame, sc.MARK, sc.FEED_MARK, _FRESH_S)
    out[_PREMIUM + 1] = (mark / index - 1.0) / BPS

    _write_funding(frame, out)

    ratio = _fresh(frame, sc.LONG_SHORT_RATIO, sc.FEED_LONG_SHORT_RATIO, _FRESH_RATIO_S)
    log_ratio = _log(ratio)
    ring = first_ring + _RING_RATIO
    ring_push(rings, ring, n, log_ratio)
    out[_CROWD] = log_ratio
    for k in range(2):
        out[_CROWD + 1 + k] = log_ratio - ring_get(rings, ring, n, horizons[2 + k])

    net = frame[sc.TRANSFERS_IN] - frame[sc.TRANSFERS_OUT]
    for k in range(2):
        i = first + _WHALES_60 + k
        mean_push(m, i, net, decays[i])
        if day_usdt > 0.0 and not np.isnan(net):
            minutes = 60.0 if k == 0 else 240.0
            moved = mean_get(m, i, warm[i]) * minutes / frame_minutes
            out[_WHALES + k] = np.arcsinh(100.0 * moved / day_usdt)

    out[_SENTIMENT] = _fresh(frame, sc.SENTIMENT, sc.FEED_SENTIMENT, _FRESH_SENTIMENT_S)
    for k in range(FEED_AGES.size):
        out[_FEED_AGE + k] = np.log1p(frame[sc.FIRST_AGE + FEED_AGES[k]] / 60.0)

"""What a world tells of each atom (a few seconds), and of a second to those who trade in it."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

ATOM: Final = np.dtype(
    [
        # the perpetual, in USDT per LTC
        ("open", np.float64),
        ("high", np.float64),
        ("low", np.float64),
        ("close", np.float64),
        ("buy_usdt", np.float64),  # volume of takers that buy
        ("sell_usdt", np.float64),
        ("bid", np.float64),
        ("ask", np.float64),
        ("bid_depth_usdt", np.float64),  # within 1 % of mid
        ("ask_depth_usdt", np.float64),
        ("bid_depth_near_usdt", np.float64),  # within 0.2 %
        ("ask_depth_near_usdt", np.float64),
        ("bid_depth_far_usdt", np.float64),  # within 5 %
        ("ask_depth_far_usdt", np.float64),
        # other prices
        ("spot", np.float64),
        ("index", np.float64),
        ("mark", np.float64),
        ("btc", np.float64),
        # forced orders: complete, and as a feed of the largest order a second tells them
        ("liquidated_long_usdt", np.float64),
        ("liquidated_short_usdt", np.float64),
        ("reported_long_usdt", np.float64),
        ("reported_short_usdt", np.float64),
        ("stops_usdt", np.float64),
        ("deleveraged_usdt", np.float64),
        # the crowd
        ("open_interest_ltc", np.float64),
        ("long_short_ratio", np.float64),
        ("funding_rate", np.float64),  # of 8 hours, as it would be settled now
        ("premium", np.float64),  # its mean of 8 hours, from which funding is made
        ("whales_in_usdt", np.float64),  # transfers to exchanges, as they become known
        ("whales_out_usdt", np.float64),
        ("sentiment", np.float64),
        ("outage", np.float64),  # share of the atom's seconds
        # hidden: nobody in the world can see these
        ("hidden_regime", np.float64),
        ("hidden_long_usdt", np.float64),  # longs that die within 3 %
        ("hidden_short_usdt", np.float64),
        ("hidden_whales_usdt", np.float64),  # what whales still want to trade, signed
    ]
)
"""Volumes are sums over the atom, everything else is as it is at the atom's end."""

SECOND: Final = np.dtype(
    [
        ("bid", np.float64),
        ("ask", np.float64),
        ("bid_depth_usdt", np.float64),
        ("ask_depth_usdt", np.float64),
        ("mark", np.float64),
        ("settled_rate", np.float64),
        ("deleveraged_long_ltc", np.float64),
        ("deleveraged_short_ltc", np.float64),
    ]
)


class Second(NamedTuple):
    """The market as it truly is at the end of a second: time, then the fields of `SECOND`.

    `settled_rate` is NaN but in the seconds in which funding settles; what was deleveraged is that
    of this second, by the side of the winners.
    """

    now_ns: int
    bid: float
    ask: float
    bid_depth_usdt: float
    ask_depth_usdt: float
    mark: float
    settled_rate: float
    deleveraged_long_ltc: float
    deleveraged_short_ltc: float

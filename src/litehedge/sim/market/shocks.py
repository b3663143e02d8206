"""Shocks: what a scenario does to a world from outside, for a while."""

from __future__ import annotations

import enum
from typing import Final

import numpy as np


class Shock(enum.IntEnum):
    """Kinds of shock, and what `size` means for each."""

    BTC_MOVE = 0
    """Bitcoin moves by this log return, spread over the time; LTC by `beta` times that and 0.3."""
    OWN_MOVE = 1
    """LTC alone moves by this log return, spread over the time."""
    DEPTH = 2
    """Depth of the perpetual is this share of what it would be."""
    OUTAGE = 3
    """The venue takes no orders; size is ignored."""
    REFUSE = 4
    """The venue refuses orders that raise exposure; size is ignored."""
    FREEZE = 5
    """Feeds repeat their last value; size is ignored."""
    CROSS = 6
    """Quotes arrive crossed, bid above ask by this fraction of price."""
    PREMIUM = 7
    """The premium of the perpetual over spot is pushed by this fraction."""
    FLOW = 8
    """Somebody trades this many USDT a minute on the perpetual; negative sells."""
    REGIME = 9
    """The regime is this one (number in `REGIMES`) and does not change."""
    VOL = 10
    """Volatility is this factor times what it would be."""


SHOCK: Final = np.dtype(
    [
        ("kind", np.int64),
        ("start_s", np.int64),  # second of the world at which it begins
        ("stop_s", np.int64),  # first second without it
        ("size", np.float64),
    ]
)

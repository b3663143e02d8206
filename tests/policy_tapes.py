"""Short made-up tapes for tests of how policies are trained."""

from __future__ import annotations

from functools import cache

import numpy as np

from forecasters import logistic
from litehedge.features.vector import FeatureStream
from litehedge.hedge import signals as sg
from litehedge.market.rows import KIND_BAR, KIND_FUNDING
from litehedge.squeeze.forecast import from_scratch
from litehedge.tape import Tape
from litehedge.units import NS_PER_MINUTE
from synthetic import Crash, everything, market

FIVE = 5 * NS_PER_MINUTE


@cache
def tape(seed: int) -> Tape:
    """Five days of five-minute bars with three crashes; odd seeds are mirrored."""
    crashes = tuple(Crash(at, 4, 0.06, rebound_bars=12) for at in (600, 900, 1200))
    own = market(1500, seed=seed, bar_ns=FIVE, vol=0.0012, crashes=crashes, volume=3000.0)
    if seed % 2:
        own = own.mirrored()
    events = everything(own)
    is_bar = events.kinds == KIND_BAR
    ends, bars = events.known_ns[is_bar], np.ascontiguousarray(events.values[is_bar, :5])
    frames = events.frames(1)
    features = FeatureStream(FIVE, 1).batch(frames)
    rows = from_scratch(logistic(seed, FIVE), frames.end_ns, features)
    signals = np.full((sg.N_SIGNALS, ends.size), np.nan, dtype=np.float32)
    signals[sg.STATE] = 2
    sg.write_all_signals(rows, features, np.searchsorted(ends, frames.end_ns), signals)
    is_funding = events.kinds == KIND_FUNDING
    at = np.searchsorted(ends, events.known_ns[is_funding], side="right") - 1
    return Tape(
        "made", FIVE, ends, bars, at[at >= 0], events.values[is_funding, 0][at >= 0], signals,
        np.zeros(4), [],
    )  # fmt: skip

"""Claim: frames and features of 1 M bars/s in batch, one implementation for batch and stream."""

from __future__ import annotations

import numpy as np

from bench.market import NS, walk_bars
from bench.timing import Figure, best_seconds
from litehedge.features.vector import N_FEATURES, FeatureStream
from litehedge.market import schema as sc
from litehedge.market.frames import FrameFold, Frames
from litehedge.market.rows import KIND_BAR, N_VALUES

BARS = 200_000


def measure() -> list[Figure]:
    """Time the fold and the features, in batch and frame by frame."""
    bars = np.zeros((BARS, N_VALUES))
    bars[:, :5] = walk_bars(BARS)
    bars[:, 5] = np.nan  # what takers bought is not told
    known_ns = (np.arange(BARS, dtype=np.int64) + 1) * 60 * NS
    kinds = np.full(BARS, KIND_BAR, dtype=np.int8)
    fold = best_seconds(lambda: FrameFold(60 * NS).push_arrays(kinds, known_ns, bars))
    frames = FrameFold(60 * NS).push_arrays(kinds, known_ns, bars)
    values = frames.values.copy()
    values[:, sc.BTC_CLOSE] = bars[::-1, 3]
    values[:, sc.FIRST_AGE + sc.FEED_BTC] = 0.0
    values[:, sc.FUNDING_RATE] = 1e-4
    values[:, sc.FIRST_AGE + sc.FEED_FUNDING] = 60.0
    full = Frames(frames.end_ns, values, frames.atom_ns, 1)
    batch = best_seconds(lambda: FeatureStream(60 * NS).batch(full))
    few = 20_000

    def stream() -> None:
        features = FeatureStream(60 * NS)
        for end_ns, row in zip(full.end_ns[:few].tolist(), values[:few], strict=True):
            features.advance(end_ns, row)

    one = best_seconds(stream, 3)
    return [
        Figure("fold of bars into frames", BARS / fold / 1e6, "M bars/s"),
        Figure(f"{N_FEATURES} features in batch", BARS / batch / 1e6, "M bars/s", "claim: 1"),
        Figure("features of one frame, from Python", one / few * 1e6, "µs"),
    ]

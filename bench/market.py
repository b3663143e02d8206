"""The made-up bars that benchmarks run on: a random walk whose volatility comes and goes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from litehedge.hedge import signals as sg
from litehedge.sim.execution import new_liquidity
from litehedge.tape import Tape

NS = 1_000_000_000


def walk_bars(n: int, seed: int = 1) -> NDArray[np.float64]:
    """Return bars ``(bar, 5)``: open, high, low, close, volume."""
    rng = np.random.default_rng(seed)
    returns = rng.standard_normal(n) * 6e-4 * np.exp(0.6 * np.sin(np.arange(n) / 1500.0))
    close = 100.0 * np.exp(np.cumsum(returns - returns.mean()))
    open_ = np.concatenate(([100.0], close[:-1]))
    high = np.maximum(open_, close) * 1.0002
    low = np.minimum(open_, close) * 0.9998
    return np.stack([open_, high, low, close, rng.lognormal(9.0, 0.5, n)], axis=1)


def tape_of(bars: NDArray[np.float64], bar_s: int = 60) -> Tape:
    """Return a tape with a volatility signal, settlements every eight hours and no forecast."""
    n = bars.shape[0]
    end_ns = (np.arange(n, dtype=np.int64) + 1) * bar_s * NS + 1_600_000_000 * NS
    returns = np.diff(np.log(bars[:, 3]), prepend=np.log(100.0))
    signals = np.zeros((sg.N_SIGNALS, n), dtype=np.float32)
    signals[sg.STATE] = 2.0
    signals[sg.DEPTH] = np.nan
    signals[sg.VOL_RULE] = np.sqrt(5.0 * np.convolve(returns**2, np.ones(60) / 60.0)[:n])
    signals[sg.VOLUME] = 8_000.0
    every = 8 * 3600 // bar_s
    funding_at = np.arange(every - 1, n, every, dtype=np.int64)
    return Tape(
        "made up", bar_s * NS, end_ns, bars, funding_at, np.full(funding_at.size, 1e-4), signals,
        new_liquidity(), [],
    )  # fmt: skip

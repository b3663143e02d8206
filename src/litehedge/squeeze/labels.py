"""The squeeze catalogue: what a squeeze was, when it began, peaked and ended, how bad it was.

A *long squeeze* liquidates longs and price falls; a *short squeeze* mirrors it. On bars:

- **Trigger**: within 15 minutes the low (high) is at least max(150 bps, 4 sigma sqrt(15)) away
  from the close 15 minutes ago. Where a liquidation feed exists, liquidations of that side over
  15 minutes must also reach their trailing 99.5 % quantile; where open interest is fresh, it must
  have fallen by 0.5 %. Without either feed the squeeze is marked ``proxy``.
- **Onset**: the end of the last frame before the trigger that was within a tenth of the whole
  move from the opposite extreme of the 30 minutes before the trigger; where a liquidation feed
  exists, not before liquidations leave their trailing 95 % quantile.
- **Peak**: the price extreme between onset and end.
- **End**: no new extreme for 15 minutes while more than half of the move was taken back, or no
  new extreme for 30 minutes (and liquidations calm); or 4 hours; or the end of the data.

Every threshold is trailing; onset and peak are known only afterwards, which is what makes them
worth forecasting.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Final, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from litehedge.features.trigger import (
    FLOOR,
    MOVE_MINUTES,
    SIGMAS,
    SLOW_HALF_LIFE_DAYS,
    frames_per,
    threshold,
)
from litehedge.features.windows import decay_of_half_life, mean_get, mean_push
from litehedge.jit import kernel
from litehedge.market import schema as sc
from litehedge.market.frames import Frames, segments
from litehedge.units import BPS, MINUTES_PER_DAY, NS_PER_MINUTE

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Side = Literal["long", "short"]
SIDES: Final[tuple[Side, Side]] = ("long", "short")

SPEC_VERSION: Final = 1
WALK_BACK_MINUTES: Final = 30.0
QUIET_MINUTES: Final = 15.0
LONGEST_MINUTES: Final = 240.0
SILENT_MINUTES: Final = 30.0
RETRACED: Final = 0.5
NEAR_EXTREME: Final = 0.1
RETRACE_MINUTES: Final = 60.0
BEFORE_MINUTES: Final = 120.0
RECOVERY_MINUTES: Final = 120.0
SNAPSHOT_MINUTES: Final = 30.0
SECOND_TIER_BPS: Final = 300.0
SIGMA_WARM_MINUTES: Final = 120.0
TRAILING_DAYS: Final = 30
LIQUIDATION_QUANTILE: Final = 0.995
CALM_QUANTILE: Final = 0.95
OI_FALL: Final = -0.005
_OI_FRESH_S: Final = 900.0
_UNKNOWN, _CALM, _NOISY = -1, 0, 1


def spec_hash() -> str:
    """Return a short hash of the definition above: labels of different specs do not mix."""
    numbers = (
        SPEC_VERSION, MOVE_MINUTES, FLOOR, SIGMAS, SLOW_HALF_LIFE_DAYS, WALK_BACK_MINUTES,
        QUIET_MINUTES, SILENT_MINUTES, RETRACED, NEAR_EXTREME, LONGEST_MINUTES, SECOND_TIER_BPS,
        SIGMA_WARM_MINUTES, TRAILING_DAYS, LIQUIDATION_QUANTILE, CALM_QUANTILE, OI_FALL,
    )  # fmt: skip
    return hashlib.sha256(repr(numbers).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Squeeze:
    """One squeeze. Times are ends of frames, prices in USDT, `side` is who is liquidated.

    `severity_bps` is the log move from onset to peak; `severity_sigma` the same in slow
    volatilities over that time (at least 15 minutes); `retrace_60m` the share of the move that
    was taken back an hour after the peak; `liquidated_usdt` and `oi_change` are NaN without
    those feeds; `complete` is False when the data ended first.
    """

    side: Side
    onset_ns: int
    trigger_ns: int
    peak_ns: int
    end_ns: int
    onset_price: float
    peak_price: float
    severity_bps: float
    severity_sigma: float
    retrace_60m: float
    liquidated_usdt: float
    oi_change: float
    tier: int
    proxy: bool
    complete: bool

    @property
    def move(self) -> float:
        """Move from onset to peak as a signed fraction of price; `severity_bps` is logarithmic."""
        return self.peak_price / self.onset_price - 1.0

    def row(self) -> dict[str, object]:
        """Return the squeeze as a flat record."""
        return asdict(self)


COLUMNS_READ: Final = (
    sc.HIGH, sc.LOW, sc.CLOSE, sc.LIQUIDATED_LONGS, sc.LIQUIDATED_SHORTS, sc.OPEN_INTEREST,
    sc.FIRST_AGE + sc.FEED_OPEN_INTEREST,
)  # fmt: skip
"""Columns of frames that the catalogue looks at."""


@kernel
def slow_sigma(close: Floats, decay: float, warm: float, frame_minutes: float) -> Floats:
    """Return trailing slow volatility per root minute at each frame, ``(frame,)``."""
    table = np.zeros((1, 3))
    out = np.full(close.size, np.nan)
    for i in range(1, close.size):
        r = np.log(close[i] / close[i - 1])
        mean_push(table, 0, r * r, decay)
        out[i] = np.sqrt(mean_get(table, 0, warm) / frame_minutes)
    return out


@kernel
def fired(
    high: Floats, low: Floats, close: Floats, sigma: Floats, burst: Floats, unusual: Floats,
    oi_change: Floats, lag: int, minutes: float, side: float,
) -> NDArray[np.bool_]:  # fmt: skip
    """Return where the trigger of one side holds, ``(frame,)`` like all arrays here.

    Parameters
    ----------
    sigma
        Slow volatility per root minute.
    burst, unusual
        Liquidations of that side over `lag` frames in USDT, and their trailing quantile; NaN of
        either asks nothing.
    oi_change
        Log change of open interest over `lag` frames; NaN asks nothing.
    side
        1 for long squeezes, -1 for short ones.
    """
    out = np.zeros(close.size, np.bool_)
    for i in range(lag, close.size):
        move = np.log(low[i] / close[i - lag]) if side > 0.0 else np.log(close[i - lag] / high[i])
        out[i] = (
            -move >= threshold(sigma[i], minutes)
            and not burst[i] < unusual[i]
            and not oi_change[i] > OI_FALL
        )
    return out


@kernel
def noise_of(liquidated: Floats, usual: Floats) -> NDArray[np.int8]:
    """Tell of each frame whether liquidations are calm, noisy, or not known."""
    out = np.full(liquidated.size, _UNKNOWN, np.int8)
    for i in range(liquidated.size):
        if np.isfinite(liquidated[i]) and np.isfinite(usual[i]):
            out[i] = _NOISY if liquidated[i] > usual[i] else _CALM
    return out


@kernel
def find(
    fires: NDArray[np.bool_], against: Floats, along: Floats, noise: NDArray[np.int8],
    walk_back: int, quiet: int, silent: int, longest: int, out: Ints,
) -> int:  # fmt: skip
    """Walk through one segment for one side; return how many squeezes it holds.

    `out` rows, one per squeeze: frame of onset, trigger, peak, end; 1 when it is complete.

    `against` and `along` are log extremes turned so that the squeeze makes `along` fall: for a
    long squeeze high and low, for a short squeeze -low and -high. `noise` tells whether
    liquidations are calm, noisy, or not known.
    """
    n = fires.size
    found = 0
    last_end = -1
    i = 1
    while i < n:
        if not fires[i]:
            i += 1
            continue
        # The extreme it fell from; then where it ends; then how late the fall really began.
        first = max(0, i - walk_back, last_end)
        top = i - 1
        for j in range(i - 1, first - 1, -1):
            if against[j] > against[top]:
                top = j
        peak = i
        rebound = along[i]
        end = i
        ended = False
        while not ended and end + 1 < n:
            end += 1
            if along[end] < along[peak]:
                peak = end
                rebound = along[end]
            else:
                rebound = max(rebound, against[end])
            quiet_for = end - peak
            taken_back = rebound - along[peak] > RETRACED * (against[top] - along[peak])
            calm = noise[end] != _NOISY
            ended = calm and (quiet_for >= silent or (quiet_for >= quiet and taken_back))
            ended = ended or end - top >= longest
        near = against[top] - NEAR_EXTREME * (against[top] - along[peak])
        onset = i - 1
        while against[onset] < near:
            onset -= 1
        while onset < i - 1 and noise[onset + 1] == _CALM:
            onset += 1
        out[found, 0] = onset
        out[found, 1] = i
        out[found, 2] = peak
        out[found, 3] = end
        out[found, 4] = 1 if ended else 0
        found += 1
        last_end = end
        i = end + 1
    return found


def trailing_quantile(values: Floats, frame_minutes: float, quantile: float) -> Floats:
    """Quantile of the last 30 days, NaN before a day of observations."""
    window = frames_per(TRAILING_DAYS * MINUTES_PER_DAY, frame_minutes)
    rolled = (
        pl.Series(values, dtype=pl.Float64)
        .fill_nan(None)
        .rolling_quantile(
            quantile, window_size=window, min_samples=frames_per(MINUTES_PER_DAY, frame_minutes)
        )
    )
    return rolled.fill_null(np.nan).to_numpy()


def rolling_sum(values: Floats, window: int) -> Floats:
    """Sum of the last `window` values, NaN where one of them is missing."""
    rolled = pl.Series(values, dtype=pl.Float64).fill_nan(None).rolling_sum(window)
    return rolled.fill_null(np.nan).to_numpy()


def catalogue(frames: Frames) -> list[Squeeze]:
    """Find every squeeze in the frames, in order of onset.

    Frames must be of one phase (bars, or every `per_frame`-th frame). Each gap ends a segment.
    """
    squeezes: list[Squeeze] = []
    for segment in segments(frames):
        values = frames.values[segment]
        ends = frames.end_ns[segment]
        for side in SIDES:
            squeezes.extend(_in_segment(values, ends, frames.frame_ns, side))
    return sorted(squeezes, key=lambda squeeze: (squeeze.onset_ns, squeeze.side))


def _in_segment(values: Floats, ends: Ints, frame_ns: int, side: Side) -> Iterator[Squeeze]:
    minutes = frame_ns / NS_PER_MINUTE
    high, low, close = (np.ascontiguousarray(values[:, c]) for c in (sc.HIGH, sc.LOW, sc.CLOSE))
    sign = 1.0 if side == "long" else -1.0
    lag = frames_per(MOVE_MINUTES, minutes)
    decay = decay_of_half_life(SLOW_HALF_LIFE_DAYS * MINUTES_PER_DAY / minutes)
    sigma = slow_sigma(close, decay, SIGMA_WARM_MINUTES / minutes, minutes)
    column = sc.LIQUIDATED_LONGS if side == "long" else sc.LIQUIDATED_SHORTS
    liquidated = np.ascontiguousarray(values[:, column])
    burst = rolling_sum(liquidated, lag)
    oi = np.where(
        values[:, sc.FIRST_AGE + sc.FEED_OPEN_INTEREST] <= _OI_FRESH_S,
        values[:, sc.OPEN_INTEREST],
        np.nan,
    )
    oi_change = np.full(oi.size, np.nan)
    oi_change[lag:] = np.log(oi[lag:] / oi[:-lag])
    unusual = trailing_quantile(burst, minutes, LIQUIDATION_QUANTILE)
    fires = fired(high, low, close, sigma, burst, unusual, oi_change, lag, lag * minutes, sign)
    if not fires.any():
        return
    noise = noise_of(liquidated, trailing_quantile(liquidated, minutes, CALM_QUANTILE))

    against, along = np.log(high), np.log(low)
    if side == "short":
        against, along = -along, -against
    out = np.zeros((int(fires.sum()), 5), dtype=np.int64)
    found = find(
        fires, against, along, noise,
        frames_per(WALK_BACK_MINUTES, minutes), frames_per(QUIET_MINUTES, minutes),
        frames_per(SILENT_MINUTES, minutes), frames_per(LONGEST_MINUTES, minutes), out,
    )  # fmt: skip
    retrace_frames = frames_per(RETRACE_MINUTES, minutes)
    for onset, trigger, peak, end, complete in out[:found].tolist():
        move = float(against[onset] - along[peak])
        start_price = float(high[onset] if side == "long" else low[onset])
        peak_price = float(low[peak] if side == "long" else high[peak])
        later = peak + retrace_frames
        retrace = np.nan
        if later < close.size and move > 0.0:
            retrace = sign * np.log(close[later] / peak_price) / move
        lasted = max(QUIET_MINUTES, (peak - onset) * minutes)
        during = slice(onset, end + 1)
        yield Squeeze(
            side=side,
            onset_ns=int(ends[onset]),
            trigger_ns=int(ends[trigger]),
            peak_ns=int(ends[peak]),
            end_ns=int(ends[end]),
            onset_price=start_price,
            peak_price=peak_price,
            severity_bps=float(move / BPS),
            severity_sigma=float(move / (sigma[trigger] * np.sqrt(lasted))),
            retrace_60m=float(retrace),
            liquidated_usdt=float(liquidated[during].sum()),
            oi_change=float(oi_change[trigger]),
            tier=2 if move / BPS >= SECOND_TIER_BPS else 1,
            proxy=bool(np.isnan(unusual[trigger]) and np.isnan(oi_change[trigger])),
            complete=bool(complete),
        )

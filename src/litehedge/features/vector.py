"""The feature vector of a frame: one implementation for training, backtest, paper and live.

Every value is scale-free or in the stated unit, uses the past only, and is NaN until it is warm
or while its feed is missing. The state has one slot per phase, since frames of different phases
overlap and must not see each other.

Volatilities are per square root of a minute. ``sigma`` is the slow volatility (half-life 10
days), in whose units most moves are measured.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from litehedge.features.families import FAMILIES, INDEX, N_FEATURES, NAMES
from litehedge.features.feeds import FEED_MEANS, N_FEED_RINGS, write_feeds
from litehedge.features.trigger import (
    MOVE_MINUTES,
    SLOW_HALF_LIFE_DAYS,
    frames_per,
    threshold,
)
from litehedge.features.windows import (
    decay_of_half_life,
    decay_of_span,
    extreme_push,
    mean_get,
    mean_push,
    ring_get,
    ring_push,
)
from litehedge.jit import kernel
from litehedge.market import schema as sc
from litehedge.market.frames import Frames, phase_of
from litehedge.units import MINUTES_PER_DAY, NS_PER_DAY, NS_PER_HOUR, NS_PER_MINUTE

__all__ = ["FAMILIES", "INDEX", "NAMES", "N_FEATURES", "FeatureSchema", "FeatureStream", "advance"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

VERSION: Final = 2

_PRICE, _VOLATILITY, _VOLUME, _MEMORY, _FUNDING, _OI, _BTC, _CALENDAR, _AGE, _RAW = (
    INDEX[FAMILIES[family][0]]
    for family in (
        "price", "volatility", "volume", "memory", "funding", "open_interest", "btc", "calendar",
        "age", "raw",
    )
)  # fmt: skip
LOG_SIGMA: Final = INDEX["log_sigma"]
FUNDING_BPS: Final = INDEX["funding_bps"]
MOVE_15M, VOL_RULE, VOLUME_PER_MIN, DEPTH = (INDEX[name] for name in FAMILIES["raw"])

_HORIZONS: Final = (5, 15, 60, 240, 1440)  # minutes
_EXTREMES: Final = (60, 240, 1440)  # minutes
_FRESH_BTC_S: Final = 120.0
_FRESH_OI_S: Final = 1800.0
_FRESH_OI_DAY_S: Final = 90_000.0
_FRESH_FUNDING_S: Final = 9.0 * 3600

# Exponential means: name -> (half-life in minutes, observations before it counts as warm, in
# minutes). Negative half-life: span instead.
_WEEK: Final = 7 * MINUTES_PER_DAY
_MEANS: Final[dict[str, tuple[float, float]]] = {
    "sq_5": (5, 15), "sq_15": (15, 45), "sq_60": (60, 180), "sq_240": (240, 720),
    "sq_1440": (1440, 1440), "sq_slow": (SLOW_HALF_LIFE_DAYS * MINUTES_PER_DAY, 1440),
    "sq_rule": (-60, 60),
    "range_15": (15, 45), "range_60": (60, 180),
    "down_60": (60, 180), "up_60": (60, 180), "down_240": (240, 720), "up_240": (240, 720),
    "abs_60": (60, 180),
    "volume_15": (15, 45), "volume_60": (60, 180), "volume_1440": (1440, 1440),
    "volume_week": (_WEEK, 1440),
    "signed_15": (15, 45), "signed_60": (60, 180),
    "illiquid_60": (60, 180), "illiquid_week": (_WEEK, 1440),
    "trigger_down": (240, 240), "trigger_up": (240, 240),
    "funding": (1440, 1),
    "btc_15": (15, 45), "btc_60": (60, 180), "btc_1440": (1440, 720),
    "btc_slow": (SLOW_HALF_LIFE_DAYS * MINUTES_PER_DAY, 1440),
    "cross_1440": (1440, 720), "sq_with_btc": (1440, 720),
}  # fmt: skip
(
    _SQ_5, _SQ_15, _SQ_60, _SQ_240, _SQ_1440, _SQ_SLOW, _SQ_RULE, _RANGE_15, _RANGE_60,
    _DOWN_60, _UP_60, _DOWN_240, _UP_240, _ABS_60, _VOLUME_15, _VOLUME_60, _VOLUME_1440,
    _VOLUME_WEEK, _SIGNED_15, _SIGNED_60, _ILLIQUID_60, _ILLIQUID_WEEK, _TRIGGER_DOWN,
    _TRIGGER_UP, _FUNDING_MEAN, _BTC_15, _BTC_60, _BTC_1440, _BTC_SLOW, _CROSS, _SQ_WITH_BTC,
) = range(len(_MEANS))  # fmt: skip

_ALL_MEANS: Final = _MEANS | FEED_MEANS
_N_OWN_MEANS: Final = len(_MEANS)

_RING_CLOSE, _RING_BTC, _RING_OI, _FIRST_FEED_RING = range(4)
_N_RINGS: Final = _FIRST_FEED_RING + N_FEED_RINGS
# Counters of a phase
_COUNT, _LAST_DOWN, _LAST_UP = range(3)
_SINCE_CAP_MINUTES: Final = 2.0 * MINUTES_PER_DAY


@dataclass(frozen=True, slots=True)
class FeatureSchema:
    """What the vector means for one frame length; the model must have been trained on the same."""

    frame_ns: int

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the features, in order."""
        return NAMES

    @property
    def hash(self) -> str:
        """A short hash that changes with names, formulas (`VERSION`), columns or frame length."""
        text = f"{VERSION} {self.frame_ns} {sc.schema_hash()} {' '.join(NAMES)}"
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def warm_up_ns(self) -> int:
        """Time after which every feature with a live feed has a value."""
        return NS_PER_DAY + self.frame_ns


@kernel
def _log_ratio(a: float, b: float) -> float:
    if not (a > 0.0 and b > 0.0):
        return np.nan
    return np.log(a / b)


@kernel
def _share(down: float, up: float) -> float:
    total = down + up
    return (down - up) / total if total > 0.0 else np.nan


@kernel
def _reset(clock: Ints, counts: Ints, means: Floats, queue_ends: Ints) -> None:
    clock[0] = -1
    counts[:, 0] = -1
    counts[:, 1:] = -1
    means[:] = 0.0
    queue_ends[:] = 0


@kernel
def advance(
    frame: Floats, end_ns: int, phase: int, atom_ns: int, frame_minutes: float, horizons: Ints,
    windows: Ints, move_lag: int, decays: Floats, warm: Floats, clock: Ints, counts: Ints,
    means: Floats, rings: Floats, queue_values: Floats, queue_numbers: Ints, queue_ends: Ints,
    out: Floats,
) -> None:  # fmt: skip
    """Take in one frame and write its feature vector.

    Shapes: `frame` ``(column,)``; `out` ``(feature,)``; `means` ``(phase, mean, 3)``; `rings`
    ``(phase, ring, lag)``; queues ``(phase, 6, window)`` and ``(phase, 6, 2)``.
    """
    out[:] = np.nan
    close = frame[sc.CLOSE]
    if clock[0] >= 0 and end_ns - clock[0] != atom_ns:
        _reset(clock, counts, means, queue_ends)
    if np.isnan(close):
        _reset(clock, counts, means, queue_ends)
        return
    clock[0] = end_ns
    m = means[phase]
    ring = rings[phase]
    values = queue_values[phase]
    numbers = queue_numbers[phase]
    ends = queue_ends[phase]
    counts[phase, _COUNT] += 1
    n = counts[phase, _COUNT]

    # --- observe
    log_close = np.log(close)
    log_high = np.log(frame[sc.HIGH])
    log_low = np.log(frame[sc.LOW])
    ring_push(ring, _RING_CLOSE, n, log_close)
    r = log_close - ring_get(ring, _RING_CLOSE, n, 1)
    volume = frame[sc.VOLUME]
    sq = r * r
    for i in range(_SQ_5, _SQ_RULE + 1):
        mean_push(m, i, sq, decays[i])
    spread = log_high - log_low
    parkinson = spread * spread / (4.0 * np.log(2.0))
    mean_push(m, _RANGE_15, parkinson, decays[_RANGE_15])
    mean_push(m, _RANGE_60, parkinson, decays[_RANGE_60])
    if not np.isnan(r):
        down = sq if r < 0.0 else 0.0
        up = sq - down
        mean_push(m, _DOWN_60, down, decays[_DOWN_60])
        mean_push(m, _UP_60, up, decays[_UP_60])
        mean_push(m, _DOWN_240, down, decays[_DOWN_240])
        mean_push(m, _UP_240, up, decays[_UP_240])
        mean_push(m, _ABS_60, abs(r), decays[_ABS_60])
        bought = frame[sc.BUY_VOLUME]
        signed = volume * np.sign(r) if np.isnan(bought) else 2.0 * bought - volume
        mean_push(m, _SIGNED_15, signed, decays[_SIGNED_15])
        mean_push(m, _SIGNED_60, signed, decays[_SIGNED_60])
        if volume > 0.0:
            illiquid = abs(r) / (volume * close)
            mean_push(m, _ILLIQUID_60, illiquid, decays[_ILLIQUID_60])
            mean_push(m, _ILLIQUID_WEEK, illiquid, decays[_ILLIQUID_WEEK])
    for i in range(_VOLUME_15, _VOLUME_WEEK + 1):
        mean_push(m, i, volume, decays[i])

    btc = frame[sc.BTC_CLOSE]
    log_btc = np.log(btc) if btc > 0.0 else np.nan
    ring_push(ring, _RING_BTC, n, log_btc)
    rb = log_btc - ring_get(ring, _RING_BTC, n, 1)
    for i in range(_BTC_15, _BTC_SLOW + 1):
        mean_push(m, i, rb * rb, decays[i])
    mean_push(m, _CROSS, r * rb, decays[_CROSS])
    if not np.isnan(rb):
        mean_push(m, _SQ_WITH_BTC, sq, decays[_SQ_WITH_BTC])

    oi_age = frame[sc.FIRST_AGE + sc.FEED_OPEN_INTEREST]
    log_oi = np.log(frame[sc.OPEN_INTEREST]) if oi_age <= _FRESH_OI_DAY_S else np.nan
    ring_push(ring, _RING_OI, n, log_oi)
    funding_age = frame[sc.FIRST_AGE + sc.FEED_FUNDING]
    funding = frame[sc.FUNDING_RATE] if funding_age <= _FRESH_FUNDING_S else np.nan
    mean_push(m, _FUNDING_MEAN, funding, decays[_FUNDING_MEAN])

    # --- price
    per_root_min = 1.0 / np.sqrt(frame_minutes)
    sigma = np.sqrt(mean_get(m, _SQ_SLOW, warm[_SQ_SLOW])) * per_root_min
    out[_PRICE] = r / (sigma * np.sqrt(frame_minutes))
    for i in range(horizons.size):
        lag = horizons[i]
        move = log_close - ring_get(ring, _RING_CLOSE, n, lag)
        out[_PRICE + 1 + i] = move / (sigma * np.sqrt(lag * frame_minutes))
    for i in range(windows.size):
        highest = extreme_push(
            values, numbers, ends, i, n, log_high, windows[i], 1.0
        )  # fmt: skip
        lowest = extreme_push(
            values, numbers, ends, 3 + i, n, log_low, windows[i], -1.0
        )  # fmt: skip
        unit = sigma * np.sqrt(windows[i] * frame_minutes)
        out[_PRICE + 6 + i] = (log_close - highest) / unit
        out[_PRICE + 9 + i] = (log_close - lowest) / unit
    before = ring_get(ring, _RING_CLOSE, n, move_lag)
    out[_RAW] = log_close - before

    # --- volatility
    slow = mean_get(m, _SQ_SLOW, warm[_SQ_SLOW])
    o = _VOLATILITY
    out[o] = np.log(sigma) if sigma > 0.0 else np.nan
    for i in range(5):
        out[o + 1 + i] = 0.5 * _log_ratio(mean_get(m, _SQ_5 + i, warm[_SQ_5 + i]), slow)
    rule = mean_get(m, _SQ_RULE, warm[_SQ_RULE])
    out[_RAW + 1] = np.sqrt(rule * 5.0 / frame_minutes)
    out[o + 6] = 0.5 * _log_ratio(mean_get(m, _RANGE_15, warm[_RANGE_15]), slow)
    out[o + 7] = 0.5 * _log_ratio(mean_get(m, _RANGE_60, warm[_RANGE_60]), slow)
    out[o + 8] = _share(mean_get(m, _DOWN_60, warm[_DOWN_60]), mean_get(m, _UP_60, warm[_UP_60]))
    out[o + 9] = _share(
        mean_get(m, _DOWN_240, warm[_DOWN_240]), mean_get(m, _UP_240, warm[_UP_240])
    )
    rms = np.sqrt(mean_get(m, _SQ_60, warm[_SQ_60]))
    out[o + 10] = _log_ratio(mean_get(m, _ABS_60, warm[_ABS_60]), rms)
    out[o + 11] = np.log1p(spread / (sigma * np.sqrt(frame_minutes)))

    # --- volume
    o = _VOLUME
    week = mean_get(m, _VOLUME_WEEK, warm[_VOLUME_WEEK])
    for i in range(3):
        out[o + i] = _log_ratio(mean_get(m, _VOLUME_15 + i, warm[_VOLUME_15 + i]), week)
    hour_volume = mean_get(m, _VOLUME_60, warm[_VOLUME_60])
    out[_RAW + 2] = hour_volume / frame_minutes
    if hour_volume > 0.0:
        out[o + 3] = np.log1p(volume / hour_volume)
        out[o + 5] = mean_get(m, _SIGNED_60, warm[_SIGNED_60]) / hour_volume
    quarter_volume = mean_get(m, _VOLUME_15, warm[_VOLUME_15])
    if quarter_volume > 0.0:
        out[o + 4] = mean_get(m, _SIGNED_15, warm[_SIGNED_15]) / quarter_volume
    out[o + 6] = _log_ratio(
        mean_get(m, _ILLIQUID_60, warm[_ILLIQUID_60]),
        mean_get(m, _ILLIQUID_WEEK, warm[_ILLIQUID_WEEK]),
    )

    # --- memory of squeezes
    o = _MEMORY
    limit = threshold(sigma, move_lag * frame_minutes)
    fell = (before - log_low) / limit
    rose = (log_high - before) / limit
    out[o] = fell
    out[o + 1] = rose
    if not np.isnan(fell):
        mean_push(m, _TRIGGER_DOWN, 1.0 if fell >= 1.0 else 0.0, decays[_TRIGGER_DOWN])
        mean_push(m, _TRIGGER_UP, 1.0 if rose >= 1.0 else 0.0, decays[_TRIGGER_UP])
        if fell >= 1.0:
            counts[phase, _LAST_DOWN] = n
        if rose >= 1.0:
            counts[phase, _LAST_UP] = n
    out[o + 2] = mean_get(m, _TRIGGER_DOWN, warm[_TRIGGER_DOWN])
    out[o + 3] = mean_get(m, _TRIGGER_UP, warm[_TRIGGER_UP])
    for i in range(2):
        last = counts[phase, _LAST_DOWN + i]
        watched = (n if last < 0 else n - last) * frame_minutes
        if last >= 0 or watched >= _SINCE_CAP_MINUTES:
            out[o + 4 + i] = np.log1p(min(watched, _SINCE_CAP_MINUTES) / 60.0)

    # --- funding
    o = _FUNDING
    out[o] = funding * 1e4
    if not np.isnan(funding):
        out[o + 1] = mean_get(m, _FUNDING_MEAN, warm[_FUNDING_MEAN]) * 1e4
    interval = 8 * NS_PER_HOUR
    out[o + 2] = 1.0 - (end_ns % interval) / interval

    # --- open interest
    o = _OI
    for i in range(3):
        if i == 2 or oi_age <= _FRESH_OI_S:
            out[o + i] = log_oi - ring_get(ring, _RING_OI, n, horizons[2 + i])
    day_volume = mean_get(m, _VOLUME_1440, warm[_VOLUME_1440]) * (MINUTES_PER_DAY / frame_minutes)
    if day_volume > 0.0:
        out[o + 3] = log_oi - np.log(day_volume)

    # --- Bitcoin
    o = _BTC
    btc_age = frame[sc.FIRST_AGE + sc.FEED_BTC]
    if btc_age <= _FRESH_BTC_S and not np.isnan(log_btc):
        btc_sq = mean_get(m, _BTC_SLOW, warm[_BTC_SLOW])
        btc_sigma = np.sqrt(btc_sq) * per_root_min
        for i in range(4):
            lag = horizons[i]
            move = log_btc - ring_get(ring, _RING_BTC, n, lag)
            out[o + i] = move / (btc_sigma * np.sqrt(lag * frame_minutes))
        out[o + 4] = 0.5 * _log_ratio(mean_get(m, _BTC_15, warm[_BTC_15]), btc_sq)
        out[o + 5] = 0.5 * _log_ratio(mean_get(m, _BTC_60, warm[_BTC_60]), btc_sq)
        cross = mean_get(m, _CROSS, warm[_CROSS])
        own_sq = mean_get(m, _SQ_WITH_BTC, warm[_SQ_WITH_BTC])
        btc_day = mean_get(m, _BTC_1440, warm[_BTC_1440])
        if own_sq > 0.0 and btc_day > 0.0:
            out[o + 6] = cross / np.sqrt(own_sq * btc_day)
            beta = cross / btc_day
            out[o + 7] = beta
            for i in range(2):
                lag = horizons[1 + i]
                own = log_close - ring_get(ring, _RING_CLOSE, n, lag)
                theirs = log_btc - ring_get(ring, _RING_BTC, n, lag)
                unit = sigma * np.sqrt(lag * frame_minutes)
                out[o + 8 + i] = (own - beta * theirs) / unit

    write_feeds(
        frame, close, volume, day_volume * close, frame_minutes, horizons, n, ring,
        _FIRST_FEED_RING, m, _N_OWN_MEANS, decays, warm, out,
    )  # fmt: skip

    # --- calendar and ages
    o = _CALENDAR
    angle = 2.0 * np.pi * (end_ns % NS_PER_DAY) / NS_PER_DAY
    out[o] = np.sin(angle)
    out[o + 1] = np.cos(angle)
    weekday = (end_ns // NS_PER_DAY + 3) % 7  # 1970-01-01 was a Thursday; Monday is 0
    out[o + 2] = 1.0 if weekday >= 5 else 0.0
    o = _AGE
    out[o] = np.log1p(btc_age / 60.0)
    out[o + 1] = np.log1p(funding_age / 60.0)
    out[o + 2] = np.log1p(oi_age / 60.0)


@kernel
def _advance_all(
    frames: Floats, end_ns: Ints, phases: Ints, atom_ns: int, frame_minutes: float,
    horizons: Ints, windows: Ints, move_lag: int, decays: Floats, warm: Floats, clock: Ints,
    counts: Ints, means: Floats, rings: Floats, queue_values: Floats, queue_numbers: Ints,
    queue_ends: Ints, out: Floats,
) -> None:  # fmt: skip
    for i in range(end_ns.size):
        advance(
            frames[i], end_ns[i], phases[i], atom_ns, frame_minutes, horizons, windows, move_lag,
            decays, warm, clock, counts, means, rings, queue_values, queue_numbers, queue_ends,
            out[i],
        )  # fmt: skip


class FeatureStream:
    """The state of the feature vector, driven frame by frame or by many frames at once."""

    __slots__ = ("_out", "_parameters", "_state", "atom_ns", "per_frame", "schema")

    def __init__(self, atom_ns: int, per_frame: int = 1) -> None:
        self.atom_ns = atom_ns
        self.per_frame = per_frame
        self.schema = FeatureSchema(atom_ns * per_frame)
        frame_minutes = self.schema.frame_ns / NS_PER_MINUTE
        horizons = np.array([frames_per(h, frame_minutes) for h in _HORIZONS], dtype=np.int64)
        windows = np.array([frames_per(h, frame_minutes) for h in _EXTREMES], dtype=np.int64)
        decays = np.empty(len(_ALL_MEANS))
        warm = np.empty(len(_ALL_MEANS))
        for i, (half_life, needed) in enumerate(_ALL_MEANS.values()):
            scale = 1.0 / frame_minutes
            decays[i] = (
                decay_of_span(max(1.0, -half_life * scale))
                if half_life < 0
                else decay_of_half_life(half_life * scale)
            )
            warm[i] = max(1.0, math.ceil(needed * scale))
        move_lag = frames_per(MOVE_MINUTES, frame_minutes)
        self._parameters = (
            atom_ns, frame_minutes, horizons, windows, move_lag, decays, warm,
        )  # fmt: skip
        longest = 1 << int(horizons.max()).bit_length()  # a power of two above the longest lag
        n = per_frame
        clock = np.full(1, -1, dtype=np.int64)
        counts = np.full((n, 3), -1, dtype=np.int64)
        means = np.zeros((n, len(_ALL_MEANS), 3))
        rings = np.full((n, _N_RINGS, longest), np.nan)
        queue_values = np.zeros((n, 6, longest))
        queue_numbers = np.zeros((n, 6, longest), dtype=np.int64)
        queue_ends = np.zeros((n, 6, 2), dtype=np.int64)
        self._state = (clock, counts, means, rings, queue_values, queue_numbers, queue_ends)
        self._out = np.empty(N_FEATURES)

    def advance(self, end_ns: int, frame: Floats) -> Floats:
        """Take in one frame ``(column,)``; return its features ``(feature,)``, a fresh array."""
        out = np.empty(N_FEATURES)
        phase = (end_ns // self.atom_ns) % self.per_frame
        advance(frame, end_ns, phase, *self._parameters, *self._state, out)
        return out

    def batch(self, frames: Frames) -> Floats:
        """Take in many frames; return their features, ``(frame, feature)``.

        The same numbers, bit for bit, as `advance` on each frame in turn; a data set may be given
        in chunks.
        """
        out = np.empty((len(frames), N_FEATURES))
        phases = phase_of(frames.end_ns, self.atom_ns, self.per_frame)
        _advance_all(frames.values, frames.end_ns, phases, *self._parameters, *self._state, out)
        return out

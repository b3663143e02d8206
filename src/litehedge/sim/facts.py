"""Stylised facts of a market: what real Litecoin does, measured alike on history and on a world.

Returns are logarithmic. Facts of minutes need bars of 1 minute, facts of 5 minutes bars of at most
5, facts of hours and days bars of at most 60; longer returns and bars are put together from the
shorter ones on UTC boundaries, so that 1-minute bars of a world compare with 5-minute bars of
history. Nothing is measured across a gap: a return, a window or a day with a missing bar is left
out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from litehedge.errors import UsageError
from litehedge.sim.facts_targets import PROFILE, TARGETS, Row, Target, compare
from litehedge.units import (
    BPS,
    DAYS_PER_YEAR,
    MINUTES_PER_DAY,
    NS_PER_DAY,
    NS_PER_HOUR,
    NS_PER_MINUTE,
)

__all__ = ["TARGETS", "Minutes", "Row", "Target", "compare", "facts"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

FIVE: Final = 5
HOUR: Final = 60
BARS: Final = (1, FIVE, HOUR)
WINDOW: Final = 30 * MINUTES_PER_DAY  # returns of a minute in a window
FEWEST: Final = 30  # so few values tell nothing
TAIL: Final = 0.01
DAYS_PER_MONTH: Final = 365.25 / 12.0
LAGS_1M: Final = (1, 5, 10, 60, 360, 1440)
LAGS_1H: Final = (1, 6, 24, 72, 168)
ROUND_MINUTES: Final = (0, 1, 15, 30, 45)
HORIZONS: Final = {"5m": 5, "1h": 60, "4h": 240, "24h": 1440}
MILLION: Final = 1e6
AT_BASE: Final = 1e-8  # a rate this near to 1 bp is the base rate


@dataclass(frozen=True)
class Minutes:
    """Bars of a market, with what else is known of their time.

    Shapes: `end_ns` ``(minute,)`` int64, the closes, rising, whole multiples of the bar, gaps
    allowed; `close`, `high`, `low` ``(minute,)`` of the LTC perpetual; `volume_usdt`, `btc_close`
    (NaN where not known) ``(minute,)``; `funding_ns`, `funding_rate` ``(settlement,)``;
    `liquidated_long_usdt`, `liquidated_short_usdt`, `reported_usdt` (what a throttled feed tells of
    both sides) and `open_interest_usdt` ``(minute,)``. None is what is not known. `bar_min` is the
    length of a bar in minutes: 1, 5 or 60.
    """

    end_ns: Ints
    close: Floats
    high: Floats
    low: Floats
    volume_usdt: Floats | None = None
    btc_close: Floats | None = None
    funding_ns: Ints | None = None
    funding_rate: Floats | None = None
    liquidated_long_usdt: Floats | None = None
    liquidated_short_usdt: Floats | None = None
    reported_usdt: Floats | None = None
    open_interest_usdt: Floats | None = None
    bar_min: int = 1

    def __post_init__(self) -> None:
        """Refuse bars that do not lie on the clock.

        Raises
        ------
        UsageError
            When the length of the bars is none of 1, 5 and 60, or closes are off the clock or not
            rising.
        """
        if self.bar_min not in BARS:
            raise UsageError(f"bars of {self.bar_min} minutes", "give bars of 1, 5 or 60 minutes")
        off = np.any(self.end_ns % (self.bar_min * NS_PER_MINUTE))
        if self.end_ns.size == 0 or off or np.any(np.diff(self.end_ns) <= 0):
            raise UsageError(
                f"closes are not rising whole multiples of {self.bar_min} minutes",
                "give at least one bar, sorted, with times in nanoseconds since 1970",
            )


def facts(minutes: Minutes) -> dict[str, float]:
    """Return every fact of `TARGETS`, in their order and units; NaN where it cannot be known."""
    found = _of_funding(minutes) | _of_forced_orders(minutes)
    clock = _Clock(minutes)
    close = np.log(clock.spread(minutes.close))
    if minutes.bar_min == 1:
        found |= _of_minutes(_diff(close))
    if minutes.bar_min <= FIVE:
        k = FIVE // minutes.bar_min
        close_5m = _whole(close, k, lambda x: x[:, -1])
        high = _whole(np.log(clock.spread(minutes.high)), k, lambda x: x.max(axis=1))
        low = _whole(np.log(clock.spread(minutes.low)), k, lambda x: x.min(axis=1))
        found |= _of_five_minutes(close_5m, low, clock.first_day) | _of_episodes(close_5m)
        found |= retraces(close_5m, high, low, "fall")
        found |= retraces(-close_5m, -low, -high, "rise")
    found |= _of_returns(_diff(close), minutes.bar_min)
    if minutes.btc_close is not None:
        btc = np.log(clock.spread(minutes.btc_close))
        found |= _of_bitcoin(_diff(close), _diff(btc), minutes.bar_min)
    if minutes.volume_usdt is not None:
        day = clock.by_day(minutes.volume_usdt).sum(axis=1) / MILLION
        day = day[np.isfinite(day)]
        if day.size:
            found["volume_median"], found["volume_mean"] = float(np.median(day)), float(day.mean())
            found["volume_max"] = float(day.max())
    return {name: found.get(name, np.nan) for name in TARGETS}


# --- the clock --------------------------------------------------------------------------------


class _Clock:
    """Lays rows on a clock of whole UTC days, NaN where there is none: index is time."""

    def __init__(self, minutes: Minutes) -> None:
        bar_ns = minutes.bar_min * NS_PER_MINUTE
        self.first_day = int(minutes.end_ns[0] - 1) // NS_PER_DAY
        self.days = int(minutes.end_ns[-1] - 1) // NS_PER_DAY - self.first_day + 1
        self.per_day = MINUTES_PER_DAY // minutes.bar_min
        self.slot = (minutes.end_ns - self.first_day * NS_PER_DAY) // bar_ns - 1

    def spread(self, values: Floats) -> Floats:
        """Return ``(slot,)``."""
        out = np.full(self.days * self.per_day, np.nan)
        out[self.slot] = values
        return out

    def by_day(self, values: Floats) -> Floats:
        """Return ``(day, slot of day)``."""
        return self.spread(values).reshape(self.days, -1)


def _whole(values: Floats, k: int, fold: Callable[[Floats], Floats]) -> Floats:
    """Put `k` bars into one; it is NaN when one of them is missing."""
    groups = values.reshape(-1, k)
    out: Floats = np.where(np.isfinite(groups).all(axis=1), fold(groups), np.nan)
    return out


def _diff(log_price: Floats) -> Floats:
    """Return the return of every slot; NaN beside a gap."""
    return np.diff(log_price, prepend=np.nan)


def _sums(returns: Floats, k: int) -> Floats:
    """Return the return of every `k` bars on the clock; NaN when one is missing."""
    return returns.reshape(-1, k).sum(axis=1)


def _moves(log_close: Floats, k: int) -> Floats:
    """Return the change over the last `k` bars at every slot; NaN across a gap."""
    out = np.full(log_close.size, np.nan)
    if log_close.size <= k:
        return out
    missing = np.cumsum(np.isnan(log_close))
    whole = missing[k:] == missing[:-k]
    out[k:] = np.where(whole, log_close[k:] - log_close[:-k], np.nan)
    return out


# --- statistics -------------------------------------------------------------------------------


def known(values: Floats) -> Floats:
    """Return the values that are not NaN."""
    return values[np.isfinite(values)]


def excess_kurtosis(values: Floats) -> float:
    """Return the excess kurtosis: 0 for a normal distribution. NaN for fewer than 30 values."""
    x = known(values)
    if x.size < FEWEST:
        return float("nan")
    square = (x - x.mean()) ** 2
    variance = square.mean()
    return float((square**2).mean() / variance**2 - 3.0) if variance > 0.0 else float("nan")


def hill(values: Floats, share: float = TAIL) -> float:
    """Return Hill's tail index of the largest `share` of ``|values|``; NaN for fewer than 10."""
    x = np.abs(known(values))
    k = int(x.size * share)
    if k < 10:
        return float("nan")
    top = np.sort(np.partition(x, x.size - k - 1)[x.size - k - 1 :])
    return float(1.0 / np.log(top[1:] / top[0]).mean()) if 0.0 < top[0] < top[-1] else float("nan")


def autocorrelation(values: Floats, lag: int) -> float:
    """Return the autocorrelation; values are one step apart, and NaN where one is missing."""
    there = np.isfinite(values)
    if values.size <= lag or there.sum() < FEWEST:
        return float("nan")
    pairs = int(np.count_nonzero(there[lag:] & there[:-lag]))
    z = np.where(there, values - values[there].mean(), 0.0)
    variance = float(z @ z) / int(there.sum())
    if pairs < FEWEST or variance <= 0.0:
        return float("nan")
    return float(z[lag:] @ z[:-lag]) / pairs / variance


def volatility(returns: Floats, bar_min: int) -> float:
    """Return the annual volatility of returns over `bar_min` minutes; NaN for fewer than 30."""
    x = known(returns)
    if x.size < FEWEST:
        return float("nan")
    return float(x.std() * np.sqrt(DAYS_PER_YEAR * MINUTES_PER_DAY / bar_min))


def episodes(moves: Floats, threshold: float, apart: int) -> tuple[Ints, Ints]:
    """Return where episodes of ``|move| > threshold`` begin, and the signs of their first moves.

    Moves at most `apart` steps after the one before belong to the same episode.
    """
    hits = np.flatnonzero(np.abs(moves) > threshold)  # NaN is no hit
    first = hits[np.diff(hits, prepend=-apart - 1) > apart]
    return first, np.sign(moves[first]).astype(np.int64)


# --- the facts --------------------------------------------------------------------------------


def _of_minutes(returns: Floats) -> dict[str, float]:
    """Medians over windows of 30 days: history has no more in one piece to compare with."""
    there = np.flatnonzero(np.isfinite(returns))
    starts = range(0, there.size, WINDOW)
    cuts = [there[start : start + WINDOW] for start in starts]
    windows = [returns[cut[0] : cut[-1] + 1] for cut in cuts if 2 * cut.size >= WINDOW]
    if not windows:
        return {}
    found = {"kurtosis_1m": float(np.median([excess_kurtosis(x) for x in windows]))}
    for lag in LAGS_1M:
        values = [autocorrelation(np.abs(x), lag) for x in windows]
        found[f"acf_abs_1m_{lag}"] = float(np.median(values))
    of_hour = np.abs(returns).reshape(-1, HOUR)
    mean = np.nanmean(of_hour)
    for minute in ROUND_MINUTES if mean > 0.0 else ():
        found[f"minute_{minute:02d}"] = float(np.nanmean(of_hour[:, minute]) / mean)
    return found


def _of_five_minutes(close: Floats, low: Floats, first_day: int) -> dict[str, float]:
    returns = _diff(close)
    found = {
        "vol_5m": volatility(returns, FIVE),
        "kurtosis_5m": excess_kurtosis(returns),
        "hill_5m": hill(returns),
        "acf_5m_1": autocorrelation(returns, 1),
    }
    falls = known(low[1:] - close[:-1])
    if falls.size < FEWEST:
        return found
    found["worst_fall_5m"] = float(np.expm1(falls.min()))
    size = np.abs(returns).reshape(-1, 24, HOUR // FIVE)
    there = np.isfinite(size)
    count, total = there.sum(axis=(0, 2)), np.where(there, size, 0.0).sum(axis=(0, 2))
    if np.all(count >= FEWEST) and np.ptp(total / count) > 0.0:
        found["season_correlation"] = float(np.corrcoef(total / count, PROFILE)[0, 1])
    # Day 0, 1970-01-01, was a Thursday.
    weekend = (first_day + np.arange(size.shape[0]) + 3) % 7 >= 5
    parts = known(size[weekend]), known(size[~weekend])
    if min(part.size for part in parts) >= FEWEST and parts[1].any():
        found["weekend_ratio"] = float(parts[0].mean() / parts[1].mean())
    return found


def _of_returns(returns: Floats, bar_min: int) -> dict[str, float]:
    hour = _sums(returns, HOUR // bar_min)
    day = _sums(returns, MINUTES_PER_DAY // bar_min)
    found = {f"acf_abs_1h_{lag}": autocorrelation(np.abs(hour), lag) for lag in LAGS_1H}
    return found | {
        "vol_1d": volatility(day, MINUTES_PER_DAY),
        "kurtosis_1h": excess_kurtosis(hour),
        "kurtosis_1d": excess_kurtosis(day),
        "hill_1h": hill(hour),
    }


def _of_bitcoin(returns: Floats, btc: Floats, bar_min: int) -> dict[str, float]:
    found = {}
    for name, span in {"5m": FIVE, "1h": HOUR, "1d": MINUTES_PER_DAY}.items():
        if span < bar_min:
            continue
        pair = np.stack([_sums(returns, span // bar_min), _sums(btc, span // bar_min)])
        pair = pair[:, np.isfinite(pair).all(axis=0)]
        if pair.shape[1] < FEWEST:
            continue
        cov = np.cov(pair)
        if cov[0, 0] > 0.0 and cov[1, 1] > 0.0:
            found[f"btc_correlation_{name}"] = float(cov[0, 1] / np.sqrt(cov[0, 0] * cov[1, 1]))
            if name == "1h":
                found["btc_beta_1h"] = float(cov[0, 1] / cov[1, 1])
    return found


def _of_episodes(close: Floats) -> dict[str, float]:
    found: dict[str, float] = {}
    per_hour, per_day = HOUR // FIVE, MINUTES_PER_DAY // FIVE
    for name, hours, threshold, days in (
        ("1h_2", 1, 0.02, 7.0),
        ("1h_3", 1, 0.03, 7.0),
        ("1h_5", 1, 0.05, DAYS_PER_MONTH),
        ("4h_10", 4, 0.10, DAYS_PER_MONTH),
    ):
        moves = _moves(close, hours * per_hour)
        observed = np.count_nonzero(np.isfinite(moves))
        if observed < per_day:
            continue
        first, sign = episodes(moves, threshold, (6 if hours == 1 else 12) * per_hour)
        found[f"episodes_{name}"] = first.size / (observed / per_day) * days
        if first.size and threshold >= 0.05:
            found[f"down_share_{name}"] = float(np.mean(sign < 0))
    return found


def retraces(close: Floats, high: Floats, low: Floats, name: str) -> dict[str, float]:
    """Return the median share of a 3 % fall that is won back after each of `HORIZONS`.

    Bars of 5 minutes, in logarithms, ``(slot,)``. A fall begins where the price has lost 3 % in 30
    minutes (falls less than 6 hours after one before are part of it). Its bottom is the lowest low
    until an hour later, its height the distance from the highest high since half an hour before.
    Keys ``retrace_<name>_<horizon>``; NaN without a fall.
    """
    back, after, per_hour = 6, 12, HOUR // FIVE
    missing = np.cumsum(np.isnan(close))
    moves = np.minimum(_moves(close, back), 0.0)
    shares: dict[str, list[float]] = {horizon: [] for horizon in HORIZONS}
    for at in episodes(moves, 0.03, 6 * per_hour)[0]:
        start = at - back
        bottom = start + 1 + int(np.nanargmin(low[start + 1 : at + after + 1]))
        height = high[start : bottom + 1].max() - low[bottom]
        for horizon, minutes in HORIZONS.items():
            then = bottom + minutes // FIVE
            last = max(then, at + after)
            if last < close.size and missing[last] == missing[start]:
                shares[horizon].append(float((close[then] - low[bottom]) / height))
    return {
        f"retrace_{name}_{horizon}": float(np.median(some)) if some else float("nan")
        for horizon, some in shares.items()
    }


def _of_funding(minutes: Minutes) -> dict[str, float]:
    if minutes.funding_rate is None or minutes.funding_ns is None:
        return {}
    rate = minutes.funding_rate / BPS
    if rate.size < FEWEST:
        return {}
    apart = np.diff(minutes.funding_ns) == 8 * NS_PER_HOUR
    z = rate - rate.mean()
    found = {
        "funding_mean": float(rate.mean()),
        "funding_sd": float(rate.std()),
        "funding_min": float(rate.min()),
        "funding_max": float(rate.max()),
        "funding_at_base": float(np.mean(np.abs(minutes.funding_rate - BPS) < AT_BASE)),
        "funding_negative": float(np.mean(rate < 0.0)),
    }
    if apart.any() and found["funding_sd"] > 0.0:
        found["funding_acf_1"] = float((z[1:] * z[:-1])[apart].mean() / (z * z).mean())
    return found


def _of_forced_orders(minutes: Minutes) -> dict[str, float]:
    long_usdt, short_usdt = minutes.liquidated_long_usdt, minutes.liquidated_short_usdt
    if long_usdt is None or short_usdt is None:
        return {}
    liquidated, found = long_usdt + short_usdt, {}
    if minutes.reported_usdt is not None:
        told = np.isfinite(minutes.reported_usdt) & (liquidated >= 0.0)
        total = float(liquidated[told].sum())
        if total > 0.0:
            found["reported_share"] = float(minutes.reported_usdt[told].sum()) / total
    if minutes.open_interest_usdt is not None:
        clock = _Clock(minutes)
        # Against what was open when the day began: it is smaller after.
        opened = clock.by_day(minutes.open_interest_usdt)[:, 0]
        share = known(clock.by_day(liquidated).sum(axis=1) / opened)
        if share.size:
            found["liquidated_mean"] = float(share.mean())
            found["liquidated_median"] = float(np.median(share))
            found["liquidated_worst"] = float(share.max())
    return found

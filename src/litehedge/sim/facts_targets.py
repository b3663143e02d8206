"""What real Litecoin does, as numbers: targets for a simulated market, and how near is near enough.

A published value (2023-01 … 2024-05, the perpetual) is one draw of a market that changes, so what
is accepted follows from how far the fact varies between spans of real history (`SPANS`): from the
lowest span to the highest, each widened by a tenth of its value (by a tenth of their distance where
the two differ in sign). Shares and correlations end at 1; the published value is always accepted.
Facts of minutes leave out the lowest and the highest month first, because a world answers with the
median of many months.

The history tests in ``tests/sim/test_facts.py`` recompute all of it and fail where a number below
is off: ``LITEHEDGE_TEST_DATA=FOLDER make test``, with the folder of real history.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np

PROFILE: Final = (
    *(1.17, 1.13, 1.01, 0.89, 0.83, 0.83, 0.85, 0.89, 0.96, 0.93, 0.87, 0.86),
    *(1.02, 1.10, 1.24, 1.25, 1.23, 1.14, 1.04, 0.99, 0.94, 0.99, 0.93, 0.91),
)
"""Mean absolute 5-minute return by hour UTC over its mean: what was published."""

MONTHS: Final = "months of 1-minute bars since 2021, without the lowest and the highest"
HALVES: Final = "half-years of 5-minute bars since 2020-12"
LATE_HALVES: Final = "half-years of 5-minute bars since 2022: markets of 2021 were of another size"
YEARS: Final = "years 2020 … 2024, and three years at once, of 1-hour bars and of funding"
LATE_YEARS: Final = "years 2022 … 2024 and all at once: before, markets were of another size"
STUDIES: Final = (
    "no history of forced orders to measure: a high-leverage venue of 2020 lost 5.4 % of open "
    "interest a day, all venues 43 % on 2025-10-10, LTC 49 % on 2021-12-04; a wide guess"
)
FEEDS: Final = (
    "no history to measure: studies say up to 185 times too low on bad days; a wide guess"
)

_LATE: Final = (
    ("ltc_spot_5m", "2022-01-01", "2022-07-01"),
    ("ltc_spot_5m", "2022-07-01", "2023-01-01"),
    ("ltc_perp_5m", "2023-01-01", "2023-07-01"),
    ("ltc_perp_5m", "2023-07-01", "2024-01-01"),
    ("ltc_perp_5m", "2024-01-01", "2024-05-15"),
    ("ltc_spot_5m", "2024-05-15", "2024-09-07"),
    ("ltc_spot_5m", "2024-10-22", "2025-05-01"),
)
_YEARS: Final = (
    ("ltc_perp_1h", "2020-01-01", "2021-01-01"),
    ("ltc_perp_1h", "2021-01-01", "2022-01-01"),
    ("ltc_perp_1h", "2020-01-01", "2023-01-01"),
    ("ltc_perp_1h", "2022-01-01", "2023-01-01"),
    ("ltc_perp_1h", "2023-01-01", "2024-01-01"),
    ("ltc_perp_1h", "2024-01-01", "2025-01-01"),
    ("ltc_perp_1h", "2022-01-01", "2025-01-01"),
)
SPANS: Final[dict[str, tuple[tuple[str, str, str], ...]]] = {
    MONTHS: (
        ("ltc_spot_1m", "2021-04-02", "2021-05-01"),
        ("ltc_spot_1m", "2021-05-01", "2021-06-01"),
        ("ltc_spot_1m", "2021-09-17", "2021-10-18"),
        ("ltc_spot_1m", "2023-04-01", "2023-05-02"),
        ("ltc_perp_1m", "2023-07-03", "2023-08-02"),
        ("ltc_perp_1m", "2023-08-02", "2023-08-18"),
        ("ltc_perp_1m", "2024-12-19", "2025-01-19"),
    ),
    HALVES: (
        ("ltc_spot_5m", "2020-12-01", "2021-03-15"),
        ("ltc_spot_5m", "2021-03-15", "2021-07-18"),
        *_LATE,
    ),
    LATE_HALVES: _LATE,
    YEARS: _YEARS,
    LATE_YEARS: _YEARS[-4:],
}
"""Data set, first day, first day after; by the reason that a target gives as its source."""


class Target(NamedTuple):
    """A fact: what it is, its unit, the published value, what is accepted, and why that."""

    meaning: str
    unit: str
    real: float
    low: float
    high: float
    source: str


TARGETS: Final[dict[str, Target]] = {
    "vol_5m": Target("annual volatility of 5-minute returns", "", 0.75, 0.592, 1.21, LATE_HALVES),
    "vol_1d": Target("annual volatility of daily returns", "", 0.69, 0.587, 0.971, LATE_YEARS),
    "kurtosis_1m": Target(
        "excess kurtosis of 1-minute returns, median of 30-day windows",
        "",
        28.0,
        15.2,
        226.0,
        MONTHS,
    ),
    "kurtosis_5m": Target("excess kurtosis of 5-minute returns", "", 699.0, 16.4, 2700.0, HALVES),
    "kurtosis_1h": Target("excess kurtosis of hourly returns", "", 44.5, 14.7, 58.3, YEARS),
    "kurtosis_1d": Target("excess kurtosis of daily returns", "", 7.2, 2.21, 19.6, YEARS),
    "hill_5m": Target(
        "Hill tail index of the largest 1 % of 5-minute |r|", "", 2.83, 2.34, 4.01, HALVES
    ),
    "hill_1h": Target(
        "Hill tail index of the largest 1 % of hourly |r|", "", 2.73, 2.38, 4.18, YEARS
    ),
    "acf_abs_1m_1": Target(
        "autocorrelation of 1-minute |r|, 1 min, median of 30-day windows",
        "",
        0.277,
        0.249,
        0.416,
        MONTHS,
    ),
    "acf_abs_1m_5": Target(
        "autocorrelation of 1-minute |r|, 5 min, median of 30-day windows",
        "",
        0.269,
        0.171,
        0.311,
        MONTHS,
    ),
    "acf_abs_1m_10": Target(
        "autocorrelation of 1-minute |r|, 10 min, median of 30-day windows",
        "",
        0.227,
        0.152,
        0.29,
        MONTHS,
    ),
    "acf_abs_1m_60": Target(
        "autocorrelation of 1-minute |r|, 60 min, median of 30-day windows",
        "",
        0.172,
        0.0905,
        0.199,
        MONTHS,
    ),
    "acf_abs_1m_360": Target(
        "autocorrelation of 1-minute |r|, 360 min, median of 30-day windows",
        "",
        0.099,
        0.0399,
        0.129,
        MONTHS,
    ),
    "acf_abs_1m_1440": Target(
        "autocorrelation of 1-minute |r|, 1440 min, median of 30-day windows",
        "",
        0.087,
        0.038,
        0.087,
        MONTHS,
    ),
    "acf_abs_1h_1": Target("autocorrelation of hourly |r|, 1 h", "", 0.249, 0.183, 0.351, YEARS),
    "acf_abs_1h_6": Target("autocorrelation of hourly |r|, 6 h", "", 0.099, 0.0691, 0.215, YEARS),
    "acf_abs_1h_24": Target("autocorrelation of hourly |r|, 24 h", "", 0.089, 0.0512, 0.188, YEARS),
    "acf_abs_1h_72": Target("autocorrelation of hourly |r|, 72 h", "", 0.07, 0.0679, 0.138, YEARS),
    "acf_abs_1h_168": Target(
        "autocorrelation of hourly |r|, 168 h", "", 0.051, 0.0392, 0.126, YEARS
    ),
    "acf_5m_1": Target(
        "autocorrelation of 5-minute returns, lag 1", "", -0.043, -0.107, -0.013, HALVES
    ),
    "btc_correlation_5m": Target("correlation with BTC, 5m", "", 0.68, 0.586, 0.893, HALVES),
    "btc_correlation_1h": Target("correlation with BTC, 1h", "", 0.68, 0.556, 0.873, YEARS),
    "btc_correlation_1d": Target("correlation with BTC, 1d", "", 0.58, 0.48, 0.943, YEARS),
    "btc_beta_1h": Target("beta on BTC of hourly returns", "", 1.02, 0.854, 1.31, YEARS),
    "episodes_1h_2": Target("episodes of |1 h| > 2 %", "per week", 4.29, 2.75, 7.15, LATE_HALVES),
    "episodes_1h_3": Target("episodes of |1 h| > 3 %", "per week", 1.88, 0.924, 4.48, LATE_HALVES),
    "episodes_1h_5": Target("episodes of |1 h| > 5 %", "per month", 2.13, 0.893, 7.73, LATE_HALVES),
    "episodes_4h_10": Target(
        "episodes of |4 h| > 10 %", "per month", 0.73, 0.149, 2.29, LATE_HALVES
    ),
    "down_share_1h_5": Target(
        "share of falls among episodes of |1 h| > 5 %", "", 0.63, 0.412, 0.825, HALVES
    ),
    "down_share_4h_10": Target(
        "share of falls among episodes of |4 h| > 10 %", "", 0.75, 0.225, 1.0, HALVES
    ),
    "retrace_fall_5m": Target(
        "median share of a 3 % fall taken back 5m after its extreme", "", 0.35, 0.164, 0.468, HALVES
    ),
    "retrace_fall_1h": Target(
        "median share of a 3 % fall taken back 1h after its extreme", "", 0.48, 0.201, 0.567, HALVES
    ),
    "retrace_fall_4h": Target(
        "median share of a 3 % fall taken back 4h after its extreme", "", 0.48, 0.234, 0.633, HALVES
    ),
    "retrace_fall_24h": Target(
        "median share of a 3 % fall taken back 24h after its extreme",
        "",
        0.56,
        0.0367,
        0.724,
        HALVES,
    ),
    "retrace_rise_5m": Target(
        "median share of a 3 % rise taken back 5m after its extreme", "", 0.21, 0.136, 0.329, HALVES
    ),
    "retrace_rise_1h": Target(
        "median share of a 3 % rise taken back 1h after its extreme", "", 0.27, 0.107, 0.44, HALVES
    ),
    "retrace_rise_4h": Target(
        "median share of a 3 % rise taken back 4h after its extreme",
        "",
        0.22,
        0.0384,
        0.508,
        HALVES,
    ),
    "retrace_rise_24h": Target(
        "median share of a 3 % rise taken back 24h after its extreme",
        "",
        0.24,
        0.0255,
        0.629,
        HALVES,
    ),
    "volume_median": Target("volume per day, median", "M USDT", 306.0, 134.0, 348.0, LATE_YEARS),
    "volume_mean": Target("volume per day, mean", "M USDT", 365.0, 218.0, 421.0, LATE_YEARS),
    "volume_max": Target("volume per day, largest", "M USDT", 3168.0, 1050.0, 4100.0, YEARS),
    "funding_mean": Target("funding of 8 h, mean", "bp", 1.2, 0.237, 1.45, LATE_YEARS),
    "funding_sd": Target("funding of 8 h, standard deviation", "bp", 1.3, 0.686, 1.6, LATE_YEARS),
    "funding_min": Target("funding of 8 h, smallest", "bp", -2.6, -53.7, -0.881, YEARS),
    "funding_max": Target("funding of 8 h, largest", "bp", 11.0, 0.9, 41.9, YEARS),
    "funding_at_base": Target("share of settlements at 1 bp", "", 0.49, 0.296, 0.544, LATE_YEARS),
    "funding_negative": Target("share of settlements below 0", "", 0.06, 0.0475, 0.325, LATE_YEARS),
    "funding_acf_1": Target("autocorrelation of funding, lag 1", "", 0.87, 0.53, 0.954, LATE_YEARS),
    "liquidated_mean": Target(
        "liquidated per day / open interest at its start, mean", "", 0.054, 0.005, 0.06, STUDIES
    ),
    "liquidated_median": Target(
        "liquidated per day / open interest at its start, median",
        "",
        float("nan"),
        0.001,
        0.04,
        STUDIES,
    ),
    "liquidated_worst": Target(
        "liquidated per day / open interest at its start, worst day", "", 0.43, 0.15, 0.6, STUDIES
    ),
    "reported_share": Target(
        "liquidations that a throttled feed tells of / all", "", float("nan"), 0.03, 0.5, FEEDS
    ),
    "season_correlation": Target(
        "correlation of the hourly season with the published one", "", 1.0, 0.68, 1.0, LATE_HALVES
    ),
    "weekend_ratio": Target(
        "mean 5-minute |r| at weekends / on weekdays", "", 0.8, 0.613, 0.921, LATE_HALVES
    ),
    "minute_00": Target("mean |r| of minute :00 / of all minutes", "", 1.23, 1.03, 1.68, MONTHS),
    "minute_01": Target("mean |r| of minute :01 / of all minutes", "", 1.25, 1.1, 1.39, MONTHS),
    "minute_15": Target("mean |r| of minute :15 / of all minutes", "", 1.2, 1.02, 1.33, MONTHS),
    "minute_30": Target("mean |r| of minute :30 / of all minutes", "", 1.26, 1.07, 1.39, MONTHS),
    "minute_45": Target("mean |r| of minute :45 / of all minutes", "", 1.16, 0.969, 1.34, MONTHS),
    "worst_fall_5m": Target(
        "lowest low over the close 5 minutes before, less 1", "", -0.227, -0.25, -0.0516, HALVES
    ),
}


def accepted(values: Sequence[float], source: str, published: float) -> tuple[float, float]:
    """Return what is accepted of a fact that came out as `values` on the spans of `source`."""
    x = np.sort(np.array([value for value in values if np.isfinite(value)]))
    if source == MONTHS:
        x = x[1:-1]
    low, high = float(x[0]), float(x[-1])
    apart = 0.1 * (high - low)
    margins = (apart, apart) if low < 0.0 < high else (0.1 * abs(low), 0.1 * abs(high))
    return min(low - margins[0], published), max(high + margins[1], published)


# --- side by side -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Row:
    """One fact, for printing.

    `target` is the published value, `low` and `high` what is accepted, `real` what was computed
    here (NaN: not), `median`, `lowest` and `highest` are over worlds. `verdict` is ``inside`` or
    ``outside`` by the median, or ``not measured``.
    """

    fact: str
    unit: str
    target: float
    low: float
    high: float
    real: float
    median: float
    lowest: float
    highest: float
    verdict: str


def compare(
    simulated: Sequence[Mapping[str, float]], real: Mapping[str, float] | None
) -> list[Row]:
    """Return a row for every target: facts of worlds (one mapping per seed) beside the real ones.

    A world that does not know a fact does not count for it.
    """
    rows = []
    for fact, target in TARGETS.items():
        values = np.array([world.get(fact, np.nan) for world in simulated], dtype=np.float64)
        values = values[np.isfinite(values)]
        if values.size:
            median, lowest, highest = np.median(values), values.min(), values.max()
            verdict = "inside" if target.low <= median <= target.high else "outside"
        else:
            median = lowest = highest = np.float64("nan")
            verdict = "not measured"
        rows.append(
            Row(
                fact=fact,
                unit=target.unit,
                target=target.real,
                low=target.low,
                high=target.high,
                real=float("nan") if real is None else float(real.get(fact, np.nan)),
                median=float(median),
                lowest=float(lowest),
                highest=float(highest),
                verdict=verdict,
            )
        )
    return rows

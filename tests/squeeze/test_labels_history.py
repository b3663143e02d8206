"""The squeezes that everybody remembers are in the catalogue of the file that has the day."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest

from litehedge.feeds.archive import read
from litehedge.feeds.replay import merge
from litehedge.squeeze.labels import Squeeze, catalogue
from litehedge.units import NS_PER_DAY, NS_PER_MINUTE, instant_ns

pytestmark = pytest.mark.history


@cache
def squeezes_of(folder: Path, name: str) -> list[Squeeze]:
    series = read(folder / f"{name}.parquet")
    return catalogue(merge({"bars": series.table}, series.interval_ns).frames())


@pytest.mark.parametrize(
    ("name", "day", "onset", "peak", "at_least_bps"),
    [
        ("ltc_spot_1m", "2021-05-19", "12:33", "13:11", 4_500),
        ("ltc_spot_1m", "2021-04-18", "03:10", "03:37", 1_900),
        ("ltc_perp_5m", "2021-12-04", None, "05:30", 3_200),
        ("ltc_perp_5m", "2023-08-17", "21:35", "21:45", 2_700),
        ("ltc_perp_5m", "2023-06-10", "04:20", "04:30", 1_500),
        ("ltc_spot_5m", "2023-06-10", "04:20", "04:30", 1_400),
        ("ltc_spot_5m", "2025-02-03", "01:25", "02:10", 2_400),
    ],
)
def test_the_hour_of_the_crash(
    history: Path, name: str, day: str, onset: str | None, peak: str, at_least_bps: float
) -> None:
    """Onset and peak within ten minutes of what the chart shows."""
    at = instant_ns(f"{day}T{peak}")
    near = [
        q
        for q in squeezes_of(history, name)
        if q.side == "long" and abs(q.peak_ns - at) <= 10 * NS_PER_MINUTE
    ]
    [squeeze] = [q for q in near if q.severity_bps >= at_least_bps]
    if onset is not None:
        assert abs(squeeze.onset_ns - instant_ns(f"{day}T{onset}")) <= 10 * NS_PER_MINUTE
    assert squeeze.tier == 2
    assert squeeze.complete


@pytest.mark.parametrize(
    ("name", "day", "at_least_bps"),
    [
        ("ltc_spot_5m", "2024-08-05", 800),
        ("ltc_spot_5m", "2024-12-09", 800),
        ("ltc_spot_5m", "2022-05-11", 800),
        ("ltc_spot_5m", "2022-06-13", 700),  # a slow slide: its worst burst was 708 bps
        ("ltc_spot_5m", "2022-11-08", 800),
        ("ltc_perp_1h", "2020-03-12", 3_000),
        ("ltc_perp_1h", "2021-09-07", 2_500),
    ],
)
def test_the_day_of_the_crash(history: Path, name: str, day: str, at_least_bps: float) -> None:
    start = instant_ns(day)
    found = [
        q.severity_bps
        for q in squeezes_of(history, name)
        if q.side == "long" and start - NS_PER_DAY <= q.onset_ns < start + 2 * NS_PER_DAY
    ]
    assert max(found) >= at_least_bps


@pytest.mark.parametrize("name", ["ltc_spot_1m", "ltc_spot_5m", "ltc_perp_5m"])
def test_squeezes_are_rare_and_on_both_sides(history: Path, name: str) -> None:
    squeezes = squeezes_of(history, name)
    long = np.array([q.side == "long" for q in squeezes])
    assert 0.4 < long.mean() < 0.7
    days = np.unique([q.onset_ns // NS_PER_DAY for q in squeezes]).size
    assert len(squeezes) / days < 6
    assert all(q.proxy for q in squeezes)
    severity = np.array([q.severity_bps for q in squeezes])
    # A second wave that begins below the first one's start may trigger and yet be smaller.
    assert np.mean(severity < 150) < 0.005
    assert severity.min() > 100

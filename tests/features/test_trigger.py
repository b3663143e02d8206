"""The trigger's threshold: a floor, four sigma, and the square root of time."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from litehedge.features.trigger import FLOOR, MOVE_MINUTES, frames_per, threshold


def test_the_floor_is_150_bps_in_15_minutes() -> None:
    assert threshold(0.0, 15.0) == threshold(np.nan, 15.0) == 0.015
    assert threshold(1e-4, 15.0) == FLOOR
    assert threshold(2e-3, 15.0) == pytest.approx(4 * 2e-3 * np.sqrt(15))


@given(st.floats(0.0, 0.05), st.floats(0.0, 0.05), st.floats(1.0, 600.0))
def test_the_threshold_rises_with_volatility_and_time(a: float, b: float, minutes: float) -> None:
    low, high = sorted((a, b))
    assert threshold(low, minutes) <= threshold(high, minutes)
    assert threshold(low, minutes) < threshold(low, 2 * minutes)
    assert threshold(low, 4 * minutes) == pytest.approx(2 * threshold(low, minutes))


def test_frames_per_rounds_and_is_never_nothing() -> None:
    assert [frames_per(15.0, m) for m in (1.0, 5.0, 60.0)] == [15, 3, 1]
    assert frames_per(MOVE_MINUTES, 10.0) == 2
    assert frames_per(1.0, 60.0) == 1

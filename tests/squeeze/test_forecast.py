"""A forecast row and the same row with names."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from litehedge.squeeze import forecast as fc
from litehedge.squeeze.forecast import Forecast, ForecastState
from litehedge.squeeze.hazard import N_ONSET, N_PEAK, ONSET_EDGES
from litehedge.squeeze.labels import SIDES


def row() -> np.ndarray:
    out = np.arange(fc.N_FORECAST, dtype=np.float64)
    out[fc.ONSET_AT : fc.PEAK_AT] = np.repeat([0.02, 0.01], N_ONSET)
    out[fc.PEAK_AT : fc.SEVERITY_AT] = np.repeat([0.5, 0.1], N_PEAK)
    out[fc.CONFIDENCE_AT] = 0.75
    out[fc.STATE_AT] = 1.0
    return out


def test_the_parts_of_a_row_touch_and_do_not_overlap() -> None:
    edges = [fc.ONSET_AT, fc.PEAK_AT, fc.SEVERITY_AT, fc.PHASE_AT, fc.VOL_AT,
             fc.CONFIDENCE_AT, fc.STATE_AT, fc.N_FORECAST]  # fmt: skip
    assert np.diff(edges).tolist() == [26, 24, 10, 4, 3, 1, 1]


def test_a_row_with_names() -> None:
    forecast = Forecast.of_row(5, row())
    assert (forecast.end_ns, forecast.state, forecast.confidence) == (
        5, ForecastState.DEGRADED, 0.75,
    )  # fmt: skip
    assert forecast.onset_hazard.shape == forecast.onset_cif.shape == (2, 13)
    assert forecast.peak_hazard.shape == (2, 12)
    assert forecast.severity_bps.shape == (2, 5)
    assert forecast.severity_bps[1, 0] == forecast.severity_bps[0, -1] + 1
    assert forecast.phase.shape == (4,)
    assert forecast.vol.tolist() == [fc.VOL_AT, fc.VOL_AT + 1, fc.VOL_AT + 2]


def test_probabilities_and_times() -> None:
    forecast = Forecast.of_row(0, row())
    survival = (1 - 0.03) ** np.arange(1, N_ONSET + 1)
    np.testing.assert_allclose(forecast.onset_cif.sum(axis=0), 1 - survival)
    hour = forecast.onset_probability("long", 60.0)
    assert hour == pytest.approx(2 / 3 * (1 - 0.97**9))
    assert forecast.onset_probability("short", 60.0) == pytest.approx(hour / 2)
    assert forecast.onset_probability("long", 1e6) == forecast.onset_cif[0, -1]
    assert forecast.onset_minutes("long") == pytest.approx(forecast.onset_minutes("short"))
    assert 0.0 < forecast.onset_minutes("long", 0.1) < forecast.onset_minutes("long", 0.9)
    assert forecast.peak_minutes("long") == pytest.approx(1.0, abs=0.01)
    assert forecast.peak_minutes("short") > forecast.peak_minutes("long")
    assert forecast.onset_minutes("long", 1.0) == ONSET_EDGES[-1]


hazards = st.floats(0.0, 0.7)


@given(st.lists(hazards | st.just(float("nan")), min_size=fc.N_FORECAST, max_size=fc.N_FORECAST))
def test_what_people_are_shown_is_what_the_row_says(numbers: list[float]) -> None:
    told = np.array(numbers)
    told[fc.STATE_AT] = 0.0
    forecast, outlook = Forecast.of_row(0, told), fc.outlook_of(told)
    said = [
        [[forecast.onset_probability(s, m) for m in fc.OUTLOOK_MIN] for s in SIDES],
        [[forecast.onset_minutes(s, q) for q in fc.OUTLOOK_SHARES] for s in SIDES],
        [[forecast.peak_minutes(s, q) for q in fc.OUTLOOK_SHARES] for s in SIDES],
        forecast.severity_bps[:, 1:3].tolist(),
        [forecast.phase.tolist()],
    ]
    for ours, theirs in zip(
        (outlook.onset, outlook.onset_min, outlook.peak_min, outlook.severity_bps,
         [outlook.phase]), said, strict=True,
    ):  # fmt: skip
        np.testing.assert_array_equal(ours, theirs)

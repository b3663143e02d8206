"""From raw outputs to forecast rows, beside plain NumPy; calibration never changes an order."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from litehedge.errors import ArtefactError
from litehedge.model import layout as ly
from litehedge.model.calibration import (
    BAND_OF_BIN,
    N_BANDS,
    Calibration,
    calibrated,
    calibration_of,
)
from litehedge.model.distance import no_sample
from litehedge.model.outputs import NEVER_NS, write_forecast, write_passages, write_row
from litehedge.squeeze import forecast as fc
from litehedge.squeeze.forecast import ForecastState
from litehedge.squeeze.hazard import N_ONSET, N_PEAK

SAME = Calibration()


def raws(members, frames, seed=0, spread=2.0):
    rng = np.random.default_rng(seed)
    return rng.normal(0.0, spread, (members, frames, ly.N_RAW)).astype(np.float32)


def rows_of(raw, calibration=SAME):
    out = np.full((raw.shape[1], fc.N_FORECAST), 7.0)
    for i in range(raw.shape[1]):
        write_forecast(raw, i, calibration.lines(), calibration.shifts(), out, i)
    return out


def reference(raw):
    """The same in NumPy, without calibration: ``(frame, CONFIDENCE_AT)``."""
    raw = raw.astype(np.float64)
    m, n, _ = raw.shape
    onset = np.exp(raw[..., : ly.RAW_PASSAGE].reshape(m, n, 2, N_ONSET))
    onset = onset / (1.0 + onset.sum(axis=2, keepdims=True))
    peak = 1.0 / (1.0 + np.exp(-raw[..., ly.RAW_PEAK : ly.RAW_SEVERITY]))
    severity = raw[..., ly.RAW_SEVERITY : ly.RAW_PHASE].reshape(m, n, 2, fc.N_SEVERITY)
    steps = np.log1p(np.exp(severity))
    steps[..., 0] = severity[..., 0]
    phase = np.exp(raw[..., ly.RAW_PHASE : ly.RAW_VOL])
    phase /= phase.sum(axis=-1, keepdims=True)
    vol = np.exp(np.minimum(raw[..., ly.RAW_VOL :].mean(axis=0), 0.0))
    bps = np.exp(np.minimum(np.cumsum(steps, axis=-1).mean(axis=0), 9.2))
    parts = (onset.mean(axis=0), peak.mean(axis=0), bps, phase.mean(axis=0), vol)
    return np.concatenate([part.reshape(n, -1) for part in parts], axis=1)


@given(st.integers(1, 5), st.integers(0, 1000))
def test_rows_are_those_of_plain_numpy(members, seed):
    raw = raws(members, 6, seed)
    np.testing.assert_allclose(rows_of(raw)[:, : fc.CONFIDENCE_AT], reference(raw), rtol=1e-3)
    calm = raws(members, 6, seed, spread=0.5)
    np.testing.assert_allclose(rows_of(calm)[:, : fc.CONFIDENCE_AT], reference(calm), rtol=1e-10)


lines = st.tuples(st.floats(0.05, 5.0), st.floats(-5.0, 5.0))
banded = st.tuples(*[lines] * N_BANDS)
calibrations = st.builds(
    Calibration,
    onset=st.tuples(banded, banded),
    passage=st.tuples(st.tuples(banded, banded), st.tuples(banded, banded)),
    peak=st.tuples(lines, lines),
    severity=st.tuples(*[st.tuples(*[st.floats(-3.0, 3.0)] * fc.N_SEVERITY)] * 2),
)


@given(calibrations, st.floats(1.0, 30.0), st.integers(0, 1000))
def test_rows_are_forecasts_whatever_the_network_says(calibration, spread, seed):
    raw = raws(2, 8, seed, spread)
    rows = rows_of(raw, calibration)
    hazards = rows[:, fc.ONSET_AT : fc.SEVERITY_AT]
    assert ((hazards >= 0.0) & (hazards <= 1.0)).all()
    severity = rows[:, fc.SEVERITY_AT : fc.PHASE_AT].reshape(8, 2, fc.N_SEVERITY)
    assert (np.diff(severity, axis=2) > 0.0).all()
    np.testing.assert_allclose(rows[:, fc.PHASE_AT : fc.VOL_AT].sum(axis=1), 1.0)
    assert (rows[:, fc.VOL_AT : fc.CONFIDENCE_AT] >= 0.0).all()
    assert np.isfinite(rows[:, : fc.CONFIDENCE_AT]).all()


@given(calibrations, st.integers(0, 1000))
def test_calibration_keeps_the_order_within_a_bin(calibration, seed):
    raw = raws(3, 20, seed)
    before, after = rows_of(raw), rows_of(raw, calibration)
    for column in range(fc.ONSET_AT, fc.SEVERITY_AT):
        order = np.argsort(before[:, column])
        assert (np.diff(after[order, column]) >= 0.0).all()


def test_each_line_acts_on_its_own_head_and_side():
    raw = raws(1, 3)
    up = (1.0, 1.0)
    bands = ((1.0, 0.0),) * N_BANDS
    same = (bands, bands)
    places = np.arange(3)

    def passages(calibration):
        out = np.empty((3, 2, 2, N_ONSET))
        write_passages(raw, calibration.lines(), places, rows_of(raw), out)
        return out

    base, base_passage = rows_of(raw), passages(SAME)
    for side in range(2):
        lines = tuple(up if s == side else (1.0, 0.0) for s in range(2))
        banded = tuple((up,) * N_BANDS if s == side else bands for s in range(2))
        changed = rows_of(raw, Calibration(onset=banded)) != base
        assert set(np.flatnonzero(changed.all(axis=0))) == set(
            range(side * N_ONSET, (side + 1) * N_ONSET)
        )
        assert changed.any(axis=0).sum() == N_ONSET
        changed = (rows_of(raw, Calibration(peak=lines)) != base).any(axis=0)
        first = fc.PEAK_AT + side * N_PEAK
        assert set(np.flatnonzero(changed)) == set(range(first, first + N_PEAK))
        for kind in range(2):
            passage = tuple(banded if k == kind else same for k in range(2))
            changed = passages(Calibration(passage=passage)) != base_passage
            assert changed[:, kind, side].all()
            assert changed.sum() == 3 * N_ONSET


def test_a_line_moves_the_bins_of_its_band_alone():
    raw = raws(2, 3)
    base = rows_of(raw)
    for band in range(N_BANDS):
        lines = tuple((1.0, 1.0) if b == band else (1.0, 0.0) for b in range(N_BANDS))
        still = ((1.0, 0.0),) * N_BANDS
        changed = (rows_of(raw, Calibration(onset=(lines, still))) != base).any(axis=0)
        assert np.flatnonzero(changed).tolist() == np.flatnonzero(band == BAND_OF_BIN).tolist()


def test_passages_are_sigmoids_averaged_over_members_and_nan_where_cold():
    raw = raws(4, 5)
    rows = np.zeros((5, fc.N_FORECAST))
    rows[2, fc.STATE_AT] = ForecastState.COLD
    out = np.empty((5, 2, 2, N_ONSET))
    write_passages(raw, SAME.lines(), np.arange(5), rows, out)
    logits = raw[..., ly.RAW_PASSAGE : ly.RAW_PEAK].astype(np.float64)
    expected = (1.0 / (1.0 + np.exp(-logits))).mean(axis=0).reshape(5, 2, 2, N_ONSET)
    expected[2] = np.nan
    np.testing.assert_allclose(out, expected, rtol=1e-12)


def row_with(raw=None, *, seen=ly.AGES, end_ns=10, expires_ns=NEVER_NS, rms=0.5, missing=0):
    out = np.empty((1, fc.N_FORECAST))
    missing = np.repeat([1.0, 0.0], [missing, 4 - missing])
    finite = write_row(
        raws(1, 1) if raw is None else raw, 0, SAME.lines(), SAME.shifts(), seen, end_ns,
        expires_ns, rms, np.ones(1), missing, np.ones(4), np.zeros((2, 1, ly.HIDDEN), np.float32),
        no_sample(ly.HIDDEN), out, 0,
    )  # fmt: skip
    return finite, ForecastState(int(out[0, fc.STATE_AT])), out[0]


def test_states_and_confidence():
    assert row_with()[1:2] == (ForecastState.OK,)
    assert row_with()[2][fc.CONFIDENCE_AT] == 1.0
    assert row_with(rms=4.0)[2][fc.CONFIDENCE_AT] == 0.25
    assert row_with(rms=np.inf)[2][fc.CONFIDENCE_AT] == 0.0
    _, state, row = row_with(missing=2)
    assert (state, row[fc.CONFIDENCE_AT]) == (ForecastState.DEGRADED, 0.75)
    _, state, row = row_with(expires_ns=9, missing=2)
    assert (state, row[fc.CONFIDENCE_AT]) == (ForecastState.EXPIRED, 0.375)
    np.testing.assert_array_equal(row[: fc.CONFIDENCE_AT], row_with()[2][: fc.CONFIDENCE_AT])
    _, state, row = row_with(seen=ly.AGES - 1, expires_ns=9)
    assert (state, row[fc.CONFIDENCE_AT]) == (ForecastState.COLD, 0.0)
    assert np.isnan(row[: fc.CONFIDENCE_AT]).all()


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_finite_is_cold_and_told(value):
    raw = raws(2, 1)
    raw[1, 0, ly.RAW_PHASE] = value
    finite, state, row = row_with(raw)
    assert not finite
    assert state is ForecastState.COLD
    assert np.isnan(row[0])


def test_a_line_is_a_line_in_logits():
    lines = np.array([[2.0, -1.0]])
    h = calibrated(0.3, lines, 0)
    assert np.log(h / (1 - h)) == pytest.approx(2.0 * np.log(0.3 / 0.7) - 1.0)
    assert 0.0 < calibrated(0.0, lines, 0) < calibrated(1.0, lines, 0) <= 1.0


def test_a_calibration_comes_back_and_a_broken_one_is_refused():
    odd = Calibration(
        onset=(((0.5, 0.1),) * N_BANDS, ((2.0, -0.3),) * N_BANDS), severity=((0.1,) * 5, (0.2,) * 5)
    )
    assert calibration_of(odd.to_bytes()) == odd
    assert calibration_of(b"{}") == SAME
    broken = [
        b"{", b'{"onset": 3}', b'{"else": 1}', b'{"severity": [[0, 0], [0, 0]]}',
        b'{"peak": [[0, 0], [1, 0]]}', b'{"onset": [[-1, 0], [1, 0]]}',
    ]  # fmt: skip
    for payload in broken:
        with pytest.raises(ArtefactError, match="calibration") as error:
            calibration_of(payload)
        assert error.value.remedy


def test_members_that_disagree_lower_confidence_but_not_the_state():
    one = raws(1, 1)
    one[:, :, ly.ONSET] -= 6.0
    same = row_with(np.concatenate((one, one)))
    assert same[2][fc.CONFIDENCE_AT] == row_with(one)[2][fc.CONFIDENCE_AT] == 1.0
    other = one.copy()
    other[:, :, ly.ONSET] += 2.0  # some nats apart
    _, state, row = row_with(np.concatenate((one, other)))
    assert state == ForecastState.OK
    assert row[fc.CONFIDENCE_AT] < 0.7

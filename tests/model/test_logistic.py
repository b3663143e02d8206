"""The logistic forecaster: laws of its rows, and a fit that finds what was planted."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from forecasters import logistic
from litehedge.errors import UsageError
from litehedge.features import vector as fv
from litehedge.model.baselines.logistic import MODEL_FAMILIES, N_DESIGN, LogisticForecaster
from litehedge.model.baselines.logistic_fit import MIN_EVENTS, Sample, fit, last_bins
from litehedge.model.baselines.part import observed
from litehedge.model.evaluate import onset_probabilities
from litehedge.model.measures.calibration import calibration_slope
from litehedge.squeeze import forecast as fc
from litehedge.squeeze.hazard import N_ONSET, ONSET_EDGES
from litehedge.squeeze.targets import Targets
from made_parts import times


def features(n, seed=0, missing=0.0):
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(n, fv.N_FEATURES))
    values[rng.random(values.shape) < missing] = np.nan
    values[:, fv.LOG_SIGMA] = -7.0
    return values


@given(st.integers(0, 1000), st.floats(0.0, 0.9))
def test_rows_are_forecasts(seed, missing):
    rows = fc.from_scratch(logistic(seed), np.arange(20), features(20, seed, missing))
    onset = rows[:, fc.ONSET_AT : fc.SEVERITY_AT]
    assert ((onset >= 0.0) & (onset <= 1.0)).all()
    severity = rows[:, fc.SEVERITY_AT : fc.PHASE_AT].reshape(20, 2, fc.N_SEVERITY)
    assert (np.diff(severity, axis=2) > 0.0).all()
    np.testing.assert_allclose(rows[:, fc.PHASE_AT : fc.VOL_AT].sum(axis=1), 1.0)
    assert (rows[:, fc.VOL_AT : fc.CONFIDENCE_AT] > 0.0).all()
    confidence = rows[:, fc.CONFIDENCE_AT]
    assert ((confidence > 0.0) & (confidence <= 1.0)).all()


def test_batch_equals_steps_bit_for_bit():
    model = logistic(3)
    given_features = features(64, 3, 0.2)
    state = model.start(1)
    steps = [model.step(state, 0, i, row) for i, row in enumerate(given_features)]
    np.testing.assert_array_equal(
        fc.from_scratch(model, np.arange(64), given_features), np.array(steps)
    )


@given(st.integers(0, 1000), st.floats(0.0, 0.9), st.sampled_from([5.0, 30.0, 60.0, 240.0]))
def test_inputs_with_everything_give_the_forecast_to_the_last_bit(seed, missing, minutes):
    model = logistic(seed)
    for row in features(3, seed, missing):
        told = fc.Forecast.of_row(0, model.step(model.start(1), 0, 0, row))
        (found,) = model.onset_of_windows(model.inputs_of(row)[np.newaxis], minutes)
        assert found.tolist() == [told.onset_probability(s, minutes) for s in ("long", "short")]


def test_without_a_family_it_says_what_it_says_when_that_feed_is_gone():
    model = logistic(1)
    row = features(1, 1)[0]
    funding = MODEL_FAMILIES.index("funding")
    window = model.inputs_of(row)
    window[0, : model.family.size][model.family == funding] = 0.0
    window[0, model.family.size :][model.family == funding] = 1.0
    row[[fv.INDEX[name] for name in fv.FAMILIES["funding"]]] = np.nan
    told = fc.Forecast.of_row(0, model.step(model.start(1), 0, 0, row))
    assert model.onset_of_windows(window[np.newaxis], 30.0)[0].tolist() == [
        told.onset_probability("long", 30.0), told.onset_probability("short", 30.0),
    ]  # fmt: skip


def test_cold_features_give_a_cold_row_and_nothing_else():
    values = features(3)
    values[1, fv.LOG_SIGMA] = np.nan
    rows = fc.from_scratch(logistic(), np.arange(3), values)
    assert rows[:, fc.STATE_AT].tolist() == [0.0, fc.ForecastState.COLD, 0.0]
    assert rows[1, fc.CONFIDENCE_AT] == 0.0
    assert np.isnan(rows[1, : fc.CONFIDENCE_AT]).all()


def test_a_missing_family_degrades_and_lowers_confidence():
    whole = features(1)
    blind = whole.copy()
    for name in fv.FAMILIES["btc"]:
        blind[:, fv.INDEX[name]] = np.nan
    both = fc.from_scratch(logistic(), np.arange(2), np.concatenate((whole, blind)))
    assert both[:, fc.STATE_AT].tolist() == [0.0, fc.ForecastState.DEGRADED]
    assert both[1, fc.CONFIDENCE_AT] < both[0, fc.CONFIDENCE_AT]


def test_strange_features_lower_confidence_but_never_silence():
    usual = features(1, 1)
    strange = usual * 50.0
    strange[:, fv.LOG_SIGMA] = -7.0
    rows = fc.from_scratch(logistic(), np.arange(2), np.concatenate((usual, strange)))
    assert rows[1, fc.CONFIDENCE_AT] < rows[0, fc.CONFIDENCE_AT]
    assert np.isfinite(rows[1]).all()


def planted(n, seed):
    """Onsets of both sides whose hazard per minute depends on one feature each."""
    rng = np.random.default_rng(seed)
    values = features(n, seed)
    drive = np.stack([values[:, fv.INDEX["vol_60m"]], values[:, fv.INDEX["btc_ret_15m"]]], axis=1)
    rate = 2e-4 * np.exp(1.2 * drive)
    to_onset = rng.exponential(1.0 / rate)
    has = to_onset <= 600.0
    events = np.where(has, np.arange(2 * n).reshape(n, 2), -1)
    nothing = np.full((n, 2), np.nan)
    targets = Targets(
        to_onset_min=np.minimum(to_onset, 600.0), has_onset=has,
        at_risk=np.ones((n, 2), dtype=bool), inside=np.zeros((n, 2), dtype=bool),
        to_peak_min=nothing, to_come_bps=nothing, event=events,
        phase=rng.integers(0, 4, n), log_vol=np.log(0.001) + 0.1 * rng.normal(size=(n, 3)),
    )  # fmt: skip
    return Sample(values, targets, np.exp(rng.normal(6.0, 0.5, 2 * n))), drive, rate


def test_fit_finds_what_was_planted_and_is_calibrated():
    sample, _, _ = planted(40_000, 1)
    weights, counts = fit([sample], penalty=0.1)
    assert counts.frames == 40_000
    model = LogisticForecaster(weights, "m", "")
    fresh, drive, rate = planted(8_000, 2)
    p = onset_probabilities(fc.from_scratch(model, np.arange(8_000), fresh.features), 60.0)
    for side in range(2):
        assert np.corrcoef(np.log(p[:, side]), drive[:, side])[0, 1] > 0.95
        total = rate.sum(axis=1)
        truth = rate[:, side] / total * (1.0 - np.exp(-60.0 * total))
        assert p[:, side].mean() == pytest.approx(truth.mean(), rel=0.15)
        first = fresh.targets.to_onset_min
        happened = (first[:, side] <= 60.0) & (first[:, side] <= first[:, 1 - side])
        assert 0.8 < calibration_slope(happened, p[:, side]) < 1.25
    assert np.exp(weights.vol[0, 0]) == pytest.approx(0.001, rel=0.05)


def test_shuffled_labels_teach_nothing():
    sample, _, _ = planted(12_000, 3)
    order = np.random.default_rng(0).permutation(12_000)
    values = sample.features[order]
    weights, _ = fit([Sample(values, sample.targets, sample.severity_bps)], penalty=0.001)
    fresh, drive, _ = planted(4_000, 4)
    p = onset_probabilities(
        fc.from_scratch(LogisticForecaster(weights, "m", ""), np.arange(4_000), fresh.features),
        60.0,
    )
    assert abs(np.corrcoef(np.log(p[:, 0]), drive[:, 0])[0, 1]) < 0.3


@given(st.lists(st.tuples(st.sampled_from([0.0, 4.9, 5.0, 239.0, 240.0, 241.0]), st.booleans())))
def test_bins_are_counted_as_they_are_scored(rows):
    minutes, ended = np.array([r[0] for r in rows]), np.array([r[1] for r in rows], dtype=bool)
    bins = last_bins(minutes, ended, ONSET_EDGES)
    seen = observed(times(np.tile(minutes, (2, 1)).T, np.tile(ended, (2, 1)).T))
    assert np.where(ended & (bins < N_ONSET), bins + 1, bins).tolist() == seen.stop[:, 0].tolist()


def test_who_is_seen_to_the_last_edge_survived_as_who_is_seen_beyond_it():
    """240 minutes without a squeeze are as much survival as 600 without one."""
    sample, _, _ = planted(3_000, 6)
    asked, to_onset = sample.targets, sample.targets.to_onset_min
    cut = replace(asked, to_onset_min=np.minimum(to_onset, 240.0), has_onset=to_onset <= 240.0)
    long, _ = fit([sample], penalty=0.1)
    short, _ = fit([Sample(sample.features, cut, sample.severity_bps)], penalty=0.1)
    np.testing.assert_array_equal(short.onset, long.onset)
    np.testing.assert_array_equal(short.onset_share, long.onset_share)


def test_too_few_squeezes_are_refused():
    sample, _, _ = planted(200, 5)
    few = np.zeros_like(sample.targets.has_onset)
    few[: MIN_EVENTS // 2] = True
    with pytest.raises(UsageError, match="squeezes to learn from"):
        fit([Sample(sample.features, replace(sample.targets, has_onset=few), sample.severity_bps)])


def test_the_design_has_a_mask_for_each_family():
    families = [names for family, names in fv.FAMILIES.items() if family != "raw"]
    assert sum(len(names) for names in families) + len(families) == N_DESIGN


def without(sample, families, *, but=0):
    """The sample without some families, but for its first frames."""
    values = sample.features.copy()
    for family in families:
        values[but:, [fv.INDEX[name] for name in fv.FAMILIES[family]]] = np.nan
    return Sample(values, sample.targets, sample.severity_bps)


@pytest.mark.parametrize("few", [0, 50])
def test_what_training_did_not_see_does_not_act_when_it_appears(few):
    """Not by value, not by mask, not by confidence; nor what it saw in half a per cent."""
    sample, _, _ = planted(12_000, 1)
    lacking = ("book", "liquidations", "feed_age")
    weights, _ = fit([without(sample, lacking, but=few)], penalty=0.1)
    model = LogisticForecaster(weights, "m", "")
    fresh, _, _ = planted(300, 2)
    told, untold = fresh.features, without(fresh, lacking).features
    rows = [fc.from_scratch(model, np.arange(300), values) for values in (told, untold)]
    np.testing.assert_array_equal(*rows)
    assert (rows[0][:, fc.STATE_AT] == 0.0).all()
    assert weights.seen[:5].all()


def test_what_is_too_old_says_so_frame_by_frame_and_in_a_batch():
    given_features = features(10, 4)
    given_features[2, fv.LOG_SIGMA] = np.nan
    young, ends = logistic(4), np.arange(10)
    old = LogisticForecaster(young._weights, young.id, young.schema_hash, 5)
    rows = fc.from_scratch(old, ends, given_features)
    steps = [
        old.step(old.start(1), 0, int(i), row) for i, row in zip(ends, given_features, strict=True)
    ]
    np.testing.assert_array_equal(rows, np.array(steps))
    states = [fc.ForecastState(int(s)) for s in rows[:, fc.STATE_AT]]
    assert states[2] == fc.ForecastState.COLD
    assert set(states[6:]) == {fc.ForecastState.EXPIRED}
    assert fc.ForecastState.EXPIRED not in states[:6]
    as_young = fc.from_scratch(young, ends, given_features)
    np.testing.assert_array_equal(rows[:6], as_young[:6])
    np.testing.assert_array_equal(rows[6:, fc.CONFIDENCE_AT], 0.5 * as_young[6:, fc.CONFIDENCE_AT])

"""The inputs of the network: what is chosen, how it is scaled, what a missing one looks like."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from litehedge.errors import ArtefactError, UsageError
from litehedge.features import vector as fv
from litehedge.model.baselines.logistic import INPUTS, MODEL_FAMILIES
from litehedge.model.standards import Standards, fit_standards, write_inputs


def features(n, seed=0, missing=0.0):
    rng = np.random.default_rng(seed)
    values = rng.normal(3.0, 2.0, size=(n, fv.N_FEATURES))
    values[rng.random(values.shape) < missing] = np.nan
    values[:, fv.LOG_SIGMA] = rng.normal(-7.0, 0.3, n)
    return values


@given(st.integers(0, 1000), st.floats(0.0, 0.95))
def test_inputs_are_finite_bounded_and_masked_where_a_feature_is_missing(seed, missing):
    standards = fit_standards([features(200, 1)])
    values = features(20, seed, missing)
    values[0] *= 1e6
    u = standards.write(values)
    z, m = np.split(u, 2, axis=1)
    assert u.dtype == np.float32
    assert (np.abs(z) <= 8.0).all()
    np.testing.assert_array_equal(m == 1.0, np.isnan(values[:, standards.inputs]))
    assert (z[m == 1.0] == 0.0).all()


def test_what_was_fitted_is_centred_and_has_unit_deviation():
    values = features(5_000, 2, 0.2)
    standards = fit_standards([values[:2_000], values[2_000:]])
    z, m = np.split(standards.write(values), 2, axis=1)
    seen = np.where(m == 1.0, np.nan, z).astype(np.float64)
    np.testing.assert_allclose(np.nanmean(seen, axis=0), 0.0, atol=1e-3)
    np.testing.assert_allclose(np.nanstd(seen, axis=0), 1.0, atol=1e-2)
    np.testing.assert_allclose(standards.usual_rms, 1.0, atol=0.3)


def test_rare_inputs_and_raw_ones_are_left_out_and_rare_families_not_missed():
    values = features(1_000, 3)
    premium = [fv.INDEX[name] for name in fv.FAMILIES["premium"]]
    whales = [fv.INDEX[name] for name in fv.FAMILIES["whales"]]
    values[9:, premium] = np.nan
    values[100:, whales] = np.nan
    standards = fit_standards([values])
    assert set(standards.inputs) == set(INPUTS) - set(premium)
    trained = dict(zip(MODEL_FAMILIES, standards.trained, strict=True))
    assert trained.pop("premium") == trained.pop("whales") == 0.0
    assert set(trained.values()) == {1.0}


def test_cold_frames_do_not_count_and_nothing_but_cold_frames_is_refused():
    values = features(500, 4)
    cold = features(500, 5) * 100.0
    cold[:, fv.LOG_SIGMA] = np.nan
    both, alone = fit_standards([cold, values]), fit_standards([values])
    np.testing.assert_array_equal(both.mean, alone.mean)
    with pytest.raises(UsageError, match="no frame is warm"):
        fit_standards([cold])


def test_the_kernel_tells_which_families_lack_something_and_how_strange_inputs_are():
    standards = fit_standards([features(500, 6)])
    row = features(1, 7)[0]
    row[fv.INDEX["btc_corr"]] = np.nan
    u = np.empty(2 * len(standards), dtype=np.float32)
    missing = np.empty(len(MODEL_FAMILIES))
    parts = (standards.inputs, standards.family, standards.mean, standards.scale, u, missing)
    rms = write_inputs(row, *parts)
    assert [f for f, m in zip(MODEL_FAMILIES, missing, strict=True) if m] == ["btc"]
    z = u[: len(standards)].astype(np.float64)
    assert rms == pytest.approx(np.sqrt((z**2).sum() / (len(standards) - 1)), rel=1e-6)
    assert write_inputs(np.full(fv.N_FEATURES, np.nan), *parts) == np.inf


def test_round_trip_and_refusal_of_what_cannot_be():
    standards = fit_standards([features(300, 8)])
    tree = standards.to_json()
    again = Standards.from_json(tree)
    for name in ("inputs", "mean", "scale", "usual_rms", "trained"):
        np.testing.assert_array_equal(getattr(again, name), getattr(standards, name))
    wrong = [
        {"inputs": []}, {"inputs": tree["inputs"][::-1]}, {"inputs": [*tree["inputs"][:-1], 999]},
        {"mean": tree["mean"][:-1]}, {"scale": [0.0] * len(standards)}, {"usual_rms": [0.0]},
        {"trained": None}, {"mean": "text"},
    ]  # fmt: skip
    for change in wrong:
        with pytest.raises(ArtefactError, match="standards"):
            Standards.from_json(tree | change)
    with pytest.raises(ArtefactError, match="standards"):
        Standards.from_json(None)

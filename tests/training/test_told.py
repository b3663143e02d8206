"""What is said of a part: as it is served, joined, and with a family taken away."""

from dataclasses import replace

import numpy as np
import pytest

from litehedge.features import vector as fv
from litehedge.features.vector import FeatureSchema
from litehedge.model import layout as ly
from litehedge.model.calibration import Calibration
from litehedge.model.graph import onnx_bytes
from litehedge.model.serve import NetworkForecaster
from litehedge.model.standards import fit_standards
from litehedge.squeeze import forecast as fc
from litehedge.squeeze.hazard import N_ONSET
from litehedge.training.told import Said, by_forecaster, by_raw, family_features, without
from made_parts import made_part
from networks import weights


@pytest.fixture(scope="module")
def part():
    return made_part(2_500, 3)


@pytest.fixture(scope="module")
def model(part):
    found = fit_standards([made_part(3_000, 1).features])
    return NetworkForecaster(
        onnx_bytes([weights(seed, len(found)) for seed in range(2)]), found, Calibration(),
        frame_ns=part.frame_ns, id="m", schema_hash=FeatureSchema(part.frame_ns).hash,
    )  # fmt: skip


def test_raw_outputs_say_what_is_served(part, model):
    """With the identity as calibration, wherever serving is not cold."""
    served = by_forecaster(model, part)
    inside = model.inside_batch(
        model.start(1), np.zeros(part.end_ns.size, int), part.end_ns, part.features
    )
    found = by_raw(inside.raw)
    warm = np.isfinite(inside.rows[:, fc.ONSET_AT])
    assert warm.sum() > 1_000
    for task in ly.TASKS:
        np.testing.assert_array_equal(found.hazards[task][warm], served.hazards[task][warm])
    np.testing.assert_array_equal(found.peak[warm], served.peak[warm])
    np.testing.assert_array_equal(found.severity_bps[warm], served.severity_bps[warm])
    fed = np.isfinite(inside.raw).all(axis=(0, 2))
    assert (np.isfinite(found.hazards["sigma"]).all(axis=(1, 2)) == fed).all()


def test_parts_that_follow_one_another_are_joined():
    one = Said({task: np.full((40, 2, N_ONSET), 0.01) for task in ly.TASKS})
    both = Said.joined([one, one])
    assert both.peak is None
    for task in ly.TASKS:
        assert both.hazards[task].shape == (80, 2, N_ONSET)
    with pytest.raises(ValueError, match="only some"):
        Said.joined([replace(one, peak=np.ones((40, 2, 12))), one])


def test_a_family_taken_away_leaves_the_rest_and_what_came(part):
    lost = without(part, family_features("volatility"))
    gone = family_features("volatility")
    assert fv.LOG_SIGMA not in gone
    assert np.isnan(lost.features[:, gone]).all()
    kept = np.setdiff1d(np.arange(fv.N_FEATURES), gone)
    np.testing.assert_array_equal(lost.features[:, kept], part.features[:, kept])
    assert lost.tasks is part.tasks
    assert not np.isnan(part.features[-1, gone]).all()

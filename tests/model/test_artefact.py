"""An artefact that does not fit is refused, and one that was saved comes back the same."""

import msgspec
import numpy as np
import pytest

from forecasters import logistic_weights
from litehedge.errors import ArtefactError
from litehedge.features.vector import N_FEATURES, FeatureSchema
from litehedge.model import artefact
from litehedge.model.artefact import Card
from litehedge.model.baselines.logistic import LogisticForecaster
from litehedge.squeeze import forecast as fc
from litehedge.squeeze.labels import spec_hash
from litehedge.units import NS_PER_MINUTE


def card(**changes):
    facts = {
        "name": "m", "kind": "logistic", "format": artefact.FORMAT, "litehedge": "0",
        "created": "2026-01-01", "frame_s": 60,
        "feature_schema": FeatureSchema(NS_PER_MINUTE).hash, "label_spec": spec_hash(),
        "weights_sha256": "", "trained_on": [], "events_long": 1, "events_short": 1,
        "parameters": {}, "validated_on": [], "validation_note": "", "scores": {},
        "baseline_scores": {},
    }  # fmt: skip
    return Card(**(facts | changes))


def test_round_trip_gives_the_same_forecasts(tmp_path):
    weights = logistic_weights(seed=1)
    saved = artefact.save(tmp_path / "m", card(), weights)
    loaded = artefact.load(tmp_path / "m", NS_PER_MINUTE)
    assert loaded.card == saved
    assert loaded.id == loaded.forecaster.id == f"m@{saved.weights_sha256[:8]}"
    features = np.random.default_rng(0).normal(size=(50, N_FEATURES))
    ends = np.arange(50)
    direct = fc.from_scratch(LogisticForecaster(weights, "m", ""), ends, features)
    np.testing.assert_array_equal(fc.from_scratch(loaded.forecaster, ends, features), direct)


def test_saving_again_replaces_and_leaves_one_set_of_weights(tmp_path):
    artefact.save(tmp_path / "m", card(), logistic_weights(seed=1))
    second = artefact.save(tmp_path / "m", card(), logistic_weights(seed=2))
    assert artefact.load(tmp_path / "m", NS_PER_MINUTE).card == second
    assert len(list((tmp_path / "m").iterdir())) == 2


def test_weights_without_their_card_do_not_disturb_the_old_model(tmp_path):
    """What a process leaves that dies before it replaces the card."""
    first = artefact.save(tmp_path / "m", card(), logistic_weights(seed=1))
    (tmp_path / "m" / "weights-0123456789abcdef.json").write_text("{}")
    (tmp_path / "m" / ".card.json.partial").write_text('{"half": ')
    assert artefact.load(tmp_path / "m", NS_PER_MINUTE).card == first


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"frame_s": 300}, "frames of 300 s"),
        ({"feature_schema": "x"}, "feature schema x"),
        ({"label_spec": "y"}, "label spec y"),
        ({"format": 9}, "format 9"),
        ({"kind": "magic"}, "kind 'magic'"),
    ],
)
def test_a_model_for_something_else_is_refused(tmp_path, changes, what):
    artefact.save(tmp_path / "m", card(**changes), logistic_weights())
    with pytest.raises(ArtefactError, match=what) as error:
        artefact.load(tmp_path / "m", NS_PER_MINUTE)
    assert error.value.remedy
    assert error.value.exit_code == 2


def test_changed_lost_and_broken_parts_are_refused(tmp_path):
    folder = tmp_path / "m"
    with pytest.raises(ArtefactError, match="is not a model"):
        artefact.load(folder, NS_PER_MINUTE)
    saved = artefact.save(folder, card(), logistic_weights())
    path = folder / artefact.weights_file(saved)
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b"0.", b"1.", 1))
    with pytest.raises(ArtefactError, match="not the one the card was written for"):
        artefact.load(folder, NS_PER_MINUTE)
    path.unlink()
    with pytest.raises(ArtefactError, match="cannot be read"):
        artefact.load(folder, NS_PER_MINUTE)
    (folder / artefact.CARD).write_text("{")
    with pytest.raises(ArtefactError, match="cannot be read"):
        artefact.load(folder, NS_PER_MINUTE)


@pytest.mark.parametrize("part", ["onset", "vol", "mean"])
def test_weights_of_another_shape_or_with_nan_are_refused(tmp_path, part):
    tree = logistic_weights().to_json()
    for wrong in ([[1.0]], None, "text"):
        payload = msgspec.json.encode(tree | {part: wrong})
        with pytest.raises(ArtefactError, match=part):
            type(logistic_weights()).from_json(msgspec.json.decode(payload))
    del tree[part]
    with pytest.raises(ArtefactError, match=part):
        type(logistic_weights()).from_json(tree)


@pytest.mark.parametrize(
    ("name", "minutes"), [("ltc-1m-logistic", 1), ("ltc-5m-logistic", 5), ("ltc-5m", 5)]
)
def test_the_models_that_ship_load(name, minutes):
    from litehedge.store.bundled import pretrained_folder

    loaded = artefact.load(pretrained_folder() / name, minutes * NS_PER_MINUTE)
    assert loaded.card.scores["auc_30_long"].value > 0.6
    assert all(span.end <= "2024-01-01 00:00" for span in loaded.card.trained_on)

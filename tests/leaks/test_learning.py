"""What is learnt: nothing of chance, nothing that comes late; and served as it was learnt."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal

from lessons import announced
from litehedge.features import vector as fv
from litehedge.model import layout as ly
from litehedge.model import train as tr
from litehedge.model.baserates import base_rates
from litehedge.model.calibration import Calibration
from litehedge.model.graph import onnx_bytes
from litehedge.model.inputs import inputs_of
from litehedge.model.network import Network, NetworkConfig
from litehedge.model.serve import NetworkForecaster
from litehedge.model.standards import fit_standards
from litehedge.model.train import Recipe, train_member
from litehedge.squeeze.hazard import N_ONSET
from litehedge.training.ensemble import material_of
from made_parts import made_part

ANSWERS = ("onset_bin", "onset_cause", "passage_bin", "passage_hit", "vol")
CPU = torch.device("cpu")


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(tr, "WARM", 64)
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def learnt(lesson):
    recipe = Recipe(epochs=4, batch=8, chunk=64, run=128, rate=1e-2, average=0.8, lose_family=0.0)
    config = NetworkConfig(inputs=6, hidden=8, dropout=0.0)
    return train_member(config, recipe, [lesson], [lesson], [], 1, device=CPU).network


def log_loss(network, one, late):
    """Loss of the onsets when features come so many frames late."""
    z = np.full_like(one.z, np.nan)
    z[late:] = one.z[: len(one) - late]
    return tr.evaluate(network, [replace(one, z=z)], CPU)["squeeze"]


@torch.no_grad()
def aucs(network, one, within=6):
    """AUC per side of an onset in the first bins, and the number of frames with and without."""
    raw = network(inputs_of(torch.from_numpy(one.z))[None], network.start(1)).raw[0].numpy()
    e = np.exp(raw[:, ly.ONSET].reshape(-1, 2, N_ONSET))
    said = (e / (1.0 + e.sum(axis=1, keepdims=True)))[:, :, :within].sum(axis=2)
    for side in range(2):
        y = (one.onset_cause == side) & (one.onset_bin < within)
        rank = np.argsort(np.argsort(said[:, side])) + 1.0
        hits, others = int(y.sum()), int((~y).sum())
        yield (rank[y].sum() - hits * (hits + 1) / 2) / (hits * others), hits, others


def permuted(one, seed):
    """The same frames with the answers of others."""
    order = np.random.default_rng(seed).permutation(len(one))
    return replace(one, **{name: getattr(one, name)[order] for name in ANSWERS})


def base_loss(lesson, one):
    silent = Network(NetworkConfig(inputs=6, hidden=8))
    with torch.no_grad():
        for parameter in silent.parameters():
            parameter.zero_()
        silent.head.bias.copy_(torch.from_numpy(base_rates([lesson])))
    return log_loss(silent, one, 0)


def test_of_permuted_labels_nothing_is_learnt(small):
    """Judged on permuted labels too: of true ones any function of what announces them ranks
    well or badly, however little it says. Frames are independent then, and so is the interval."""
    lesson, fresh = permuted(announced(3_000, 1), 3), permuted(announced(6_000, 2), 4)
    network = learnt(lesson)
    for auc, hits, others in aucs(network, fresh):
        assert abs(auc - 0.5) < 4.0 * np.sqrt((1.0 / hits + 1.0 / others) / 12.0)
    assert log_loss(network, fresh, 0) > 0.995 * base_loss(lesson, fresh)


def test_of_true_labels_it_is(small):
    lesson, fresh = announced(3_000, 1), announced(6_000, 2)
    network = learnt(lesson)
    assert min(auc for auc, _, _ in aucs(network, fresh)) > 0.8
    assert log_loss(network, fresh, 0) < 0.99 * base_loss(lesson, fresh)


def test_skill_falls_with_latency_and_not_at_once(small):
    """A leak shows as skill that is gone when features come a frame late."""
    network, fresh = learnt(announced(3_000, 1)), announced(6_000, 2)
    losses = [log_loss(network, fresh, late) for late in (0, 1, 3, 30)]
    assert losses == sorted(losses)
    assert losses[1] - losses[0] < 0.35 * (losses[3] - losses[0])


def served(found, member, frame_ns):
    return NetworkForecaster(
        onnx_bytes([member.weights()]), found, Calibration(), frame_ns=frame_ns, id="m",
        schema_hash="",
    )  # fmt: skip


def test_training_and_serving_see_the_same_inputs():
    """Bit for bit, of features with holes; a cold frame is seen by neither."""
    part = made_part(1_200, 4)
    holes = part.features.copy()
    holes[np.random.default_rng(5).random(holes.shape) < 0.1] = np.nan
    holes[400:420, fv.LOG_SIGMA] = np.nan
    part = replace(part, features=holes)
    found = fit_standards([part.features])
    one = material_of("a", part, found)
    trained = inputs_of(torch.from_numpy(one.z)).numpy()
    model = served(found, Network(NetworkConfig(inputs=len(found))), part.frame_ns)
    memory, fed = model.start(1), []
    for end_ns, row, warm in zip(part.end_ns.tolist(), part.features, part.warm, strict=True):
        model.step(memory, 0, end_ns, row)
        if warm:
            fed.append(model._u[0].copy())
    assert_array_equal(np.array(fed), trained[part.warm])
    assert np.isnan(one.z[~part.warm]).all()
    asked = (one.onset_bin >= 0) | (one.passage_bin >= 0).any(axis=(1, 2)) | (one.phase >= 0)
    assert not asked[~part.warm].any()
    assert asked[part.warm].any()


def test_what_was_trained_is_what_is_served():
    """The same raw numbers of a fresh stream, from torch and from the graph."""
    part = made_part(700, 6)
    found = fit_standards([part.features])
    torch.manual_seed(0)
    network = Network(NetworkConfig(inputs=len(found))).eval()
    one = material_of("a", part, found)
    first = int(np.flatnonzero(part.warm)[0])
    with torch.no_grad():
        u = inputs_of(torch.from_numpy(one.z[first:]))[None]
        raw = network(u, network.start(1)).raw[0].numpy()
    model = served(found, network, part.frame_ns)
    inside = model.inside_batch(model.start(1), np.zeros(700, int), part.end_ns, part.features)
    np.testing.assert_allclose(inside.raw[0, first:], raw, atol=1e-5)

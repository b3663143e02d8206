"""A network policy on disk: the same numbers everywhere, and nothing that does not fit."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from litehedge.config import Hedge, Settings
from litehedge.errors import ArtefactError, UsageError
from litehedge.hedge import network_policy as net
from litehedge.model.artefact import Span
from litehedge.model.policy_artefact import (
    CARD,
    PolicyCard,
    load_policy,
    load_policy_card,
    open_policy,
    policy_onnx,
    save_policy,
)
from litehedge.model.train_policy import PolicyNetwork
from litehedge.shelf.policies import all_policies, choose_brain, choose_policy, require_policy

SPAN = Span("made up", "2020-01-01", "2020-02-01", 100)


def weights(seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (0.2 * rng.standard_normal(net.N_WEIGHTS)).astype(np.float32)


def card(name: str = "tried") -> PolicyCard:
    return PolicyCard(
        name, 0, "0", "2024-01-01", "", "", "logistic", [SPAN], SPAN, 0, [0], (0.2, 0.9),
        (3.0, 50.0), {"steps": 1.0}, {"score": 0.1},
    )  # fmt: skip


@given(seed=st.integers(0, 100))
def test_kernel_torch_and_onnx_runtime_agree(seed: int) -> None:
    rng = np.random.default_rng(seed)
    flat = weights(seed)
    inputs = rng.uniform(-net.MOST, net.MOST, (40, net.N_INPUTS)).astype(np.float32)
    session, read = open_policy(policy_onnx(flat))
    np.testing.assert_array_equal(read, flat)
    [by_runtime] = session.run(["band"], {"inputs": inputs})
    network = PolicyNetwork()
    network.set_flat(flat)
    np.testing.assert_array_equal(network.flat(), flat)
    with torch.no_grad():
        by_torch = torch.stack(network(torch.from_numpy(inputs)), dim=1).clamp(0.0, 1.0).numpy()
    hidden = np.empty((2, net.HIDDEN), dtype=np.float32)
    by_kernel = np.array([net.edges(*net.outputs(flat, x, hidden)) for x in inputs])
    np.testing.assert_allclose(by_kernel, by_runtime, atol=1e-5)
    np.testing.assert_allclose(by_kernel, by_torch, atol=1e-5)


def test_the_same_weights_give_the_same_file_and_come_back(tmp_path: Path) -> None:
    saved = save_policy(tmp_path, card(), weights())
    again, brain = load_policy(tmp_path)
    assert again == saved
    assert brain.id == f"tried@{saved.sha256[:8]}"
    np.testing.assert_array_equal(brain.weights, weights())
    assert policy_onnx(weights()) == policy_onnx(weights())
    save_policy(tmp_path, card(), weights(1))
    assert len(list(tmp_path.glob("*.onnx"))) == 1
    np.testing.assert_array_equal(load_policy(tmp_path)[1].weights, weights(1))


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtefactError, match=r"not a network policy"):
        load_policy(tmp_path)
    saved = save_policy(tmp_path, card(), weights())
    [model] = tmp_path.glob("*.onnx")
    whole = model.read_bytes()
    model.write_bytes(whole[:-1])
    with pytest.raises(ArtefactError, match="is not the one the card was written for"):
        load_policy(tmp_path)
    model.write_bytes(whole)
    for change, message in (
        ({"layout": "0123"}, "was trained with inputs 0123"),
        ({"format": 9}, "has format 9"),
    ):
        other = msgspec.structs.replace(saved, **change)
        (tmp_path / CARD).write_bytes(msgspec.json.encode(other))
        with pytest.raises(ArtefactError, match=message):
            load_policy_card(tmp_path)
    (tmp_path / CARD).write_bytes(b"{")
    with pytest.raises(ArtefactError, match="cannot be read"):
        load_policy(tmp_path)
    with pytest.raises(ArtefactError, match="ONNX Runtime cannot load"):
        open_policy(b"nothing")


def test_commands_find_it_by_name_and_by_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LITEHEDGE_HOME", str(tmp_path))
    save_policy(tmp_path / "policies" / "tried", card(), weights())
    for name in ("tried", str(tmp_path / "policies" / "tried")):
        settings = Settings(hedge=Hedge(policy="network", network=name))
        policy = choose_policy("network", settings)
        np.testing.assert_array_equal(policy.weights, weights())
        assert "network" in [p.name for p in all_policies(settings)]
        require_policy(policy, policy.brain_id)
        with pytest.raises(ArtefactError, match="the journal was written with network policy"):
            require_policy(policy, "another@00000000")
    with pytest.raises(UsageError, match="there is no network policy 'lost'"):
        choose_brain("lost")
    with pytest.raises(UsageError, match="there is no policy 'magic'"):
        choose_policy("magic", Settings())
    assert choose_policy("plugin", Settings()).name == "plugin"

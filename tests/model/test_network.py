"""The network: shapes, one past however the frames come, and the same numbers when served."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from beartype import beartype
from hypothesis import given, settings
from hypothesis import strategies as st
from jaxtyping import Float, jaxtyped
from torch import Tensor

from litehedge.features.vector import FeatureSchema
from litehedge.model.calibration import Calibration
from litehedge.model.graph import onnx_bytes
from litehedge.model.inputs import inputs_of
from litehedge.model.layout import AGES, HIDDEN, N_RAW, weight_shapes
from litehedge.model.network import NetState, Network, NetworkConfig
from litehedge.model.serve import NetworkForecaster
from litehedge.units import NS_PER_MINUTE
from networks import features, reference, standards

INPUTS = 5
VARIANTS = {
    "full": {}, "gru": {"cell": "gru"}, "no attention": {"attends": False},
    "no selection": {"selects": False}, "no skip": {"skips": False}, "pmf": {"pmf": True},
}  # fmt: skip


def network(seed=0, *, inputs=INPUTS, loud=1.0, **config):
    """A network whose every part matters; without dropout unless told."""
    torch.manual_seed(seed)
    made = Network(NetworkConfig(inputs=inputs, **({"hidden": 12} | config)))
    with torch.no_grad():
        made.skip.weight.normal_(0.0, 0.3)
        made.age_bias.normal_(0.0, 2.0)
        if made.query is not None:
            made.query.weight.mul_(3.0 * loud)
    return made.eval()


def frames(time, batch=2, inputs=INPUTS, seed=0):
    z = torch.randn(batch, time, inputs, generator=torch.Generator().manual_seed(seed))
    z[z > 1.8] = torch.nan
    return inputs_of(z)


Layer = tuple[Float[Tensor, "1 batch hidden"], Float[Tensor, "1 batch hidden"]]


@jaxtyped(typechecker=beartype)
def forward(
    made: Network, u: Float[Tensor, "batch time features"], first: Layer, second: Layer,
    ring: Float[Tensor, "batch 240 hidden"],
) -> tuple[
    Float[Tensor, "batch time 119"], Float[Tensor, "batch time hidden"], Layer, Layer,
    Float[Tensor, "batch 240 hidden"],
]:  # fmt: skip
    out = made(u, NetState(first, second, ring))
    return out.raw, out.trunk, out.state.first, out.state.second, out.state.ring


@pytest.mark.parametrize("variant", VARIANTS)
@torch.no_grad()
def test_every_variant_has_the_promised_shapes_and_starts_from_zeros(variant):
    made = network(**VARIANTS[variant])
    start = made.start(3)
    raw, trunk, *state = forward(made, frames(7, 3), *start)
    assert raw.shape[-1] == N_RAW
    assert trunk.shape[-1] == 12
    assert all(torch.isfinite(t).all() for t in (raw, trunk, state[2]))
    assert not start.ring.any()
    assert not start.first[0].any()


@pytest.mark.parametrize("variant", VARIANTS)
@settings(max_examples=3)
@given(st.integers(0, 100), st.lists(st.integers(1, 299), min_size=1, max_size=3, unique=True))
@torch.no_grad()
def test_whole_chunked_and_single_frames_agree(variant, seed, cuts):
    made = network(seed, **VARIANTS[variant])
    u = frames(300, seed=seed)
    whole = made(u, made.start(2))
    edges = [0, *sorted(cuts), 300]
    state, raws = made.start(2), []
    for a, b in pairwise(edges):
        out = made(u[:, a:b], state)
        state = out.state
        raws.append(out.raw)
    torch.testing.assert_close(torch.cat(raws, dim=1), whole.raw, atol=1e-5, rtol=0.0)
    torch.testing.assert_close(state.ring, whole.state.ring, atol=1e-5, rtol=0.0)
    single, state = [], made.start(2)
    for t in range(60):
        out = made(u[:, t : t + 1], state)
        state = out.state
        single.append(out.raw)
    torch.testing.assert_close(torch.cat(single, dim=1), whole.raw[:, :60], atol=1e-5, rtol=0.0)


@pytest.mark.parametrize("variant", VARIANTS)
@settings(max_examples=3)
@given(st.integers(1, 280), st.integers(0, 100))
@torch.no_grad()
def test_the_future_changes_nothing_and_the_past_does(variant, at, seed):
    made = network(seed, **VARIANTS[variant])
    u = frames(300, seed=seed)
    other = u.clone()
    other[:, at:] = frames(300 - at, seed=seed + 1)
    one, two = (made(x, made.start(2)).raw for x in (u, other))
    assert torch.equal(one[:, :at], two[:, :at])
    assert not torch.equal(one[:, at:], two[:, at:])
    other = u.clone()
    other[:, at - 1] += 1.0
    assert not torch.equal(made(other, made.start(2)).raw[:, at], one[:, at])


@torch.no_grad()
def test_streams_beside_each_other_do_not_mix():
    made = network()
    u = frames(50, 4)
    together = made(u, made.start(4)).raw
    for i in range(4):
        alone = made(u[i : i + 1], made.start(1)).raw[0]
        torch.testing.assert_close(together[i], alone, atol=1e-6, rtol=0.0)


@pytest.mark.parametrize("age", [1, 2, 37, AGES])
@torch.no_grad()
def test_a_bias_for_one_age_makes_attention_look_there(age):
    made = network(loud=0.01)
    made.age_bias.zero_()
    made.age_bias[age - 1] = 60.0
    past = torch.randn(2, AGES + 30, 12)
    context = made.attend(past[:, AGES:], past)
    torch.testing.assert_close(context, past[:, AGES - age : AGES - age + 30])


def test_dropout_only_in_training_and_gradients_reach_everything():
    made = network(dropout=0.5)
    u, start = frames(20), made.start(2)
    assert torch.equal(made(u, start).raw, made(u, start).raw)
    made.train()
    assert not torch.equal(made(u, start).raw, made(u, start).raw)
    torch.autograd.backward(made(u, start).raw.square().sum())
    for name, parameter in made.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
        assert parameter.grad.any(), name


def test_a_cut_state_lets_no_gradient_through():
    made = network()
    state = made(frames(5), made.start(2)).state
    assert state.ring.requires_grad
    assert not any(t.requires_grad for t in (*state.detached().first, state.detached().ring))


def test_a_network_begins_as_a_linear_model_of_nothing():
    """What is added to base rates grows from the heads, not from chance."""
    made = Network(NetworkConfig(inputs=3))
    assert not made.skip.weight.any()
    assert torch.equal(made.first.get_parameter("bias_ih_l0")[HIDDEN : 2 * HIDDEN],
                       torch.ones(HIDDEN))  # fmt: skip


# --- served


def served(members):
    return NetworkForecaster(
        onnx_bytes([m.weights() for m in members]), standards(), Calibration(),
        frame_ns=NS_PER_MINUTE, id="m", schema_hash=FeatureSchema(NS_PER_MINUTE).hash,
    )  # fmt: skip


def full(seed, **config):
    return network(seed, inputs=60, hidden=HIDDEN, **config)


def test_weights_have_the_shapes_of_the_layout():
    weights = full(0).weights()
    assert {name: w.shape for name, w in weights.items()} == weight_shapes(60)
    assert {w.dtype for w in weights.values()} == {np.dtype(np.float32)}
    with pytest.raises(ValueError, match="LSTM"):
        full(0, cell="gru").weights()


@pytest.mark.parametrize("config", [{}, {"attends": False}, {"selects": False}])
@torch.no_grad()
def test_torch_numpy_and_the_served_graph_give_the_same_numbers(config):
    """In batches and frame by frame, with features missing."""
    pytest.importorskip("onnxruntime")
    n = 320
    members = [full(seed, **config) for seed in range(2)]
    forecaster = served(members)
    values = features(n, 3, 0.1)
    ends = NS_PER_MINUTE * np.arange(n)
    inside = forecaster.inside_batch(forecaster.start(1), np.zeros(n, int), ends, values)
    u = standards().write(values)
    memory, stepped = forecaster.start(1), []
    for end_ns, row in zip(ends.tolist(), values, strict=True):
        forecaster.step(memory, 0, end_ns, row)
        stepped.append(forecaster._raw[:, 0].copy())
    for i, member in enumerate(members):
        out = member(torch.from_numpy(u)[None], member.start(1))
        np.testing.assert_allclose(inside.raw[i], out.raw[0].numpy(), atol=1e-5)
        np.testing.assert_allclose(inside.trunk[i], out.trunk[0].numpy(), atol=1e-5)
        np.testing.assert_allclose(np.array(stepped)[:, i], out.raw[0].numpy(), atol=1e-5)
        raw, _, _ = reference(member.weights(), u[:50])
        np.testing.assert_allclose(out.raw[0, :50].numpy(), raw, atol=1e-5)


def test_served_attention_counts_ages_as_torch_does():
    pytest.importorskip("onnxruntime")
    member = full(0, loud=0.01)
    with torch.no_grad():
        member.age_bias.zero_()
        member.age_bias[16] = 60.0
    forecaster = served([member])
    n = 30
    found = forecaster.inside_batch(
        forecaster.start(1), np.zeros(n, int), NS_PER_MINUTE * np.arange(n), features(n)
    )
    np.testing.assert_allclose(found.attention[0, :, 16], 1.0, atol=1e-5)

"""What was made fast in training gives what the plain formulas give."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from litehedge.model import loss
from litehedge.model.layout import AGES
from litehedge.model.network import BLOCK, Network, NetworkConfig

INPUTS = 5


def network(**changes) -> Network:
    torch.manual_seed(0)
    made = Network(NetworkConfig(inputs=INPUTS, **changes))
    torch.nn.init.normal_(made.age_bias)
    return made


def attended_plainly(model: Network, h: torch.Tensor, past: torch.Tensor) -> torch.Tensor:
    """Attend one frame at a time, to nothing but what it may see."""
    rows = []
    for t in range(h.shape[1]):
        keys = past[:, t : t + AGES]
        q = model.query(h[:, t])
        scores = torch.einsum("bd,bad->ba", q, keys) / math.sqrt(h.shape[-1])
        weights = torch.softmax(scores + model.age_bias.flip(0), dim=-1)
        rows.append(torch.einsum("ba,bad->bd", weights, keys))
    return torch.stack(rows, dim=1)


@pytest.mark.parametrize("time", [1, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK + 7])
def test_attention_in_blocks_is_attention_frame_by_frame(time):
    model = network()
    h = torch.randn(2, time, 64, requires_grad=True)
    ring = torch.randn(2, AGES, 64)
    found, grads = [], []
    for attend in (model.attend, lambda h, past: attended_plainly(model, h, past)):
        out = attend(h, torch.cat((ring, h), dim=1))
        found.append(out)
        grads.append(torch.autograd.grad(out.square().sum(), [h, model.age_bias]))
    torch.testing.assert_close(found[0], found[1], atol=1e-5, rtol=1e-5)
    for fast, plain in zip(*grads, strict=True):
        torch.testing.assert_close(fast, plain, atol=1e-4, rtol=1e-4)


def test_warming_up_leaves_the_state_that_forward_leaves():
    model = network().eval()
    u = torch.randn(3, 50, 2 * INPUTS)
    whole = model(u, model.start(3)).state
    warmed = model.warm(u, model.start(3))
    for one, other in zip((*whole.first, *whole.second, whole.ring),
                          (*warmed.first, *warmed.second, warmed.ring), strict=True):  # fmt: skip
        assert torch.equal(one, other)


def test_dropout_keeps_the_mean_and_is_off_when_it_should_be():
    model = network(dropout=0.2)
    x = torch.ones(400, 500)
    dropped = model._drop(x)
    kept = dropped > 0
    assert torch.all(dropped[kept] == 1.25)
    assert kept.double().mean().item() == pytest.approx(0.8, abs=0.004)
    assert torch.equal(model.eval()._drop(x), x)
    assert torch.equal(network(dropout=0.0)._drop(x), x)


@given(
    last=st.integers(-1, 12), hit=st.booleans(), seed=st.integers(0, 2**31),
    dtype=st.sampled_from([torch.int8, torch.int64]),
)  # fmt: skip
def test_a_hazard_costs_what_passed_and_what_came(last, hit, seed, dtype):
    logits = 5.0 * torch.randn(13, generator=torch.Generator().manual_seed(seed))
    passed = functional.softplus(logits[: max(last, 0)]).sum()
    came = functional.softplus(-logits[last]) if hit and last >= 0 else torch.tensor(0.0)
    cost = loss.hazard(logits, torch.tensor(last, dtype=dtype), torch.tensor(hit))
    torch.testing.assert_close(cost, passed + came)

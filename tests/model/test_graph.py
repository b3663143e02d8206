"""The ONNX graph is the network of plain NumPy, one frame at a time or many."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from litehedge.model.graph import onnx_bytes
from litehedge.model.layout import AGES, HIDDEN
from networks import reference, weights

onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("onnx")

N = 23
FRAMES = 300  # beyond what attention sees, so that the ring turns over


def inputs(frames=FRAMES, seed=0):
    rng = np.random.default_rng(seed)
    u = rng.normal(size=(frames, 2 * N)).astype(np.float32)
    u[:, N:] = u[:, N:] > 1.0
    return u


def session(payload):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(payload, options, providers=["CPUExecutionProvider"])


def run(net, members, u, sizes):
    """Feed `u` in chunks of these sizes, carrying the state on."""
    cells = np.zeros((4 * members, 1, HIDDEN), np.float32)
    ring = np.zeros((members, AGES, HIDDEN), np.float32)
    names = [one.name for one in net.get_outputs() if not one.name.endswith("_out")]
    parts, begin = [], 0
    for size in sizes:
        fed = {"u": u[begin : begin + size], "cells": cells, "ring": ring}
        *some, cells, ring = net.run([*names, "cells_out", "ring_out"], fed)
        parts.append(some)
        begin += size
    assert begin == len(u)
    found = [np.concatenate(column, axis=1) for column in zip(*parts, strict=True)]
    return dict(zip(names, found, strict=True)), (cells, ring)


@pytest.mark.parametrize("members", [1, 3])
def test_the_graph_is_the_network_of_plain_numpy(members):
    ensemble = [weights(seed, N) for seed in range(members)]
    u = inputs()
    found, _ = run(session(onnx_bytes(ensemble)), members, u, [FRAMES])
    for m, member in enumerate(ensemble):
        raw, trunk, attention = reference(member, u)
        assert_allclose(found["raw"][m], raw, atol=1e-5)
        assert_allclose(found["trunk"][m], trunk, atol=1e-5)
        assert_allclose(found["attention"][m], attention[:, ::-1], atol=1e-5)
        assert attention[-1].max() > 3.0 / AGES  # it does look somewhere
    assert members == 1 or np.abs(found["raw"][0] - found["raw"][1]).max() > 0.1


@pytest.mark.parametrize("members", [1, 2])
def test_steps_chunks_and_one_batch_agree(members):
    net = session(onnx_bytes([weights(seed, N) for seed in range(members)]))
    u = inputs()
    whole, after = run(net, members, u, [FRAMES])
    for sizes in ([1] * FRAMES, [7, 1, 250, 42], [240, 60]):
        parts, state = run(net, members, u, sizes)
        for name in whole:
            assert_allclose(parts[name], whole[name], atol=1e-5, err_msg=name)
        for one, other in zip(state, after, strict=True):
            assert_allclose(one, other, atol=1e-5)


@pytest.mark.parametrize(("selects", "attends"), [(False, True), (True, False), (False, False)])
def test_a_network_may_lack_selection_or_attention(selects, attends):
    member = weights(5, N, selects=selects, attends=attends)
    u = inputs(40)
    found, _ = run(session(onnx_bytes([member])), 1, u, [40])
    assert ("attention" in found) == attends
    assert_allclose(found["raw"][0], reference(member, u)[0], atol=1e-5)


def test_the_same_weights_give_the_same_bytes_and_others_do_not():
    assert onnx_bytes([weights(1, N)]) == onnx_bytes([weights(1, N)])
    assert onnx_bytes([weights(1, N)]) != onnx_bytes([weights(2, N)])


def test_weights_that_do_not_fit_are_refused():
    good = weights(1, N)
    wrong = [
        ({"gate_b": None}, "gate_b"), ({"more": np.zeros(1)}, "more"),
        ({"head_w": np.zeros((2, 2))}, "head_w has shape"),
        ({"age_bias": np.full(AGES, np.nan)}, "age_bias holds NaN"),
    ]  # fmt: skip
    for change, what in wrong:
        member = {k: v for k, v in (good | change).items() if v is not None}
        with pytest.raises(ValueError, match=what):
            onnx_bytes([good, member])
    with pytest.raises(ValueError, match="of one kind"):
        onnx_bytes([good, weights(1, N, attends=False)])
    with pytest.raises(ValueError, match="at least one member"):
        onnx_bytes([])
    with pytest.raises(ValueError, match=r"expected \(23"):
        onnx_bytes([good, weights(1, N + 1)])


def test_the_ring_out_is_the_last_past():
    net = session(onnx_bytes([weights(1, N)]))
    u = inputs(10)
    _, (_, ring) = run(net, 1, u, [10])
    assert_array_equal(ring[0, : AGES - 10], 0.0)
    assert (ring[0, AGES - 10 :] != 0.0).any(axis=1).all()

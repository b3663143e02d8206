"""Claim: a frame becomes a forecast in 100 µs on one core, with the network as with the rule."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from bench.timing import Figure, best_seconds
from litehedge.features import vector as fv
from litehedge.model.calibration import Calibration
from litehedge.model.graph import onnx_bytes
from litehedge.model.layout import HIDDEN, weight_shapes
from litehedge.model.serve import NetworkForecaster
from litehedge.model.standards import N_FAMILIES, Standards

INPUTS = 80
FRAMES = 4_096
STEPS = 2_000
WINDOW = 120
NS_PER_MINUTE = 60 * 10**9


def measure() -> list[Figure]:
    """Time one frame and many, for one member and five, beside an LSTM over a window."""
    figures = [figure for members in (1, 5) for figure in _network(members)]
    window = _window_seconds() * 1e6
    what = f"LSTM of the same width over {WINDOW} frames, anew for each frame"
    figures.append(Figure(what, window, "µs", f"{window / figures[0].value:.1f} times one step"))
    return figures


def _weights(seed: int) -> dict[str, NDArray[np.float32]]:
    rng = np.random.default_rng(seed)
    return {
        name: (rng.standard_normal(shape) / np.sqrt(shape[-1])).astype(np.float32)
        for name, shape in weight_shapes(INPUTS).items()
    }


def _network(members: int) -> list[Figure]:
    standards = Standards(
        np.arange(INPUTS), np.zeros(INPUTS), np.ones(INPUTS), np.ones(1), np.ones(N_FAMILIES)
    )
    model = NetworkForecaster(
        onnx_bytes([_weights(seed) for seed in range(members)]), standards, Calibration(),
        frame_ns=NS_PER_MINUTE, id="bench", schema_hash="",
    )  # fmt: skip
    features = np.random.default_rng(0).normal(size=(FRAMES, fv.N_FEATURES))
    end_ns = NS_PER_MINUTE * np.arange(FRAMES, dtype=np.int64)
    phases = np.zeros(FRAMES, dtype=np.int64)
    memory = model.start(1)
    rows = list(features[:STEPS])
    ends = end_ns[:STEPS].tolist()

    def step() -> None:
        memory["seen"] = 0
        for row, end in zip(rows, ends, strict=True):
            model.step(memory, 0, end, row)

    call = _bound_call(model)

    def network() -> None:
        for _ in range(STEPS):
            call()

    alone = best_seconds(network) / STEPS
    one = best_seconds(step) / STEPS
    batch = best_seconds(lambda: model.batch(model.start(1), phases, end_ns, features), 3) / FRAMES
    who = "network of one member" if members == 1 else f"ensemble of {members}"
    return [
        Figure(f"{who}, one step", alone * 1e6, "µs", "claim: 50" if members == 1 else ""),
        Figure(f"{who}, features to row", one * 1e6, "µs", "claim: 100" if members == 1 else ""),
        Figure(f"{who}, in batch", 1e-3 / batch, "k frames/s"),
    ]


def _bound_call(model: NetworkForecaster) -> Any:
    """Return the call of the graph alone, on the buffers that a step uses."""
    memory = model.start(1)
    model.step(memory, 0, 0, np.zeros(fv.N_FEATURES))
    binding = model._bounds[id(memory)].bindings[0]
    return lambda: model._session.run_with_iobinding(binding)


def _window_seconds() -> float:
    """Seconds of two LSTM layers over a window, from zero, with a head on the last output."""
    rng = np.random.default_rng(0)

    def constant(name: str, *shape: int) -> Any:
        values = (rng.standard_normal(shape) / np.sqrt(shape[-1])).astype(np.float32)
        return numpy_helper.from_array(values, name)

    nodes = [
        helper.make_node("LSTM", ["u", "w1", "r1"], ["y1"], hidden_size=HIDDEN),
        helper.make_node("Squeeze", ["y1", "axis"], ["x2"]),
        helper.make_node("LSTM", ["x2", "w2", "r2"], ["", "h2"], hidden_size=HIDDEN),
        helper.make_node("Reshape", ["h2", "flat"], ["h"]),
        helper.make_node("MatMul", ["h", "head"], ["raw"]),
    ]
    graph = helper.make_graph(
        nodes,
        "window",
        [helper.make_tensor_value_info("u", TensorProto.FLOAT, [WINDOW, 1, 2 * INPUTS])],
        [helper.make_tensor_value_info("raw", TensorProto.FLOAT, [1, 119])],
        [
            constant("w1", 1, 4 * HIDDEN, 2 * INPUTS), constant("r1", 1, 4 * HIDDEN, HIDDEN),
            constant("w2", 1, 4 * HIDDEN, HIDDEN), constant("r2", 1, 4 * HIDDEN, HIDDEN),
            constant("head", HIDDEN, 119),
            numpy_helper.from_array(np.array([1]), "axis"),
            numpy_helper.from_array(np.array([1, HIDDEN]), "flat"),
        ],
    )  # fmt: skip
    opsets = [helper.make_opsetid("", 20)]
    made: onnx.ModelProto = helper.make_model(graph, opset_imports=opsets, ir_version=9)
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(
        made.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    fed = {"u": rng.normal(size=(WINDOW, 1, 2 * INPUTS)).astype(np.float32)}

    def run() -> None:
        for _ in range(200):
            session.run(["raw"], fed)

    return best_seconds(run) / 200

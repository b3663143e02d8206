"""The network as one ONNX graph: an ensemble, one frame or thousands, with its state explicit.

Inputs: ``u (T, 2n)``; ``cells (4 * members, 1, D)``, the rows h1, c1, h2, c2 of each member;
``ring (members, AGES, D)``, past hidden states, oldest first. Outputs: ``raw (members, T,
N_RAW)``, ``cells_out`` and ``ring_out`` for the next call; and, for whoever asks, ``trunk
(members, T, D)`` and ``attention (members, T, AGES)``, oldest first like the ring.

Every product has the same shape per frame whatever T is, so that ONNX Runtime adds in the same
order: weights are two-dimensional constants, which it packs, and attention takes its keys frame
by frame out of ``[ring, h_1 .. h_T]`` instead of masking a band. One frame at a time, a batch and
its chunks then agree to the last bit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from litehedge.errors import UsageError
from litehedge.model.layout import AGES, HIDDEN, N_RAW, weight_shapes

Singles = NDArray[np.float32]
Weights = Mapping[str, Singles]

OPSET: Final = 20
IR_VERSION: Final = 9  # what ONNX Runtime 1.17 and later read
STATE_INPUTS: Final = ("cells", "ring")
STATE_OUTPUTS: Final = ("cells_out", "ring_out")


def onnx_bytes(members: Sequence[Weights]) -> bytes:
    """Return the graph of an ensemble; the same weights give the same bytes.

    Raises
    ------
    UsageError
        When the ``train`` extra is not installed.
    ValueError
        When a weight is missing, superfluous, has another shape or is not finite.
    """
    if not members:
        raise ValueError("an ensemble needs at least one member")
    n = members[0]["lstm1_wx"].shape[1] // 2
    for member in members:
        _check(member, n)
        if set(member) != set(members[0]):
            raise ValueError("the members of an ensemble must be of one kind")
    helper = _onnx("helper")
    graph = _Graph(helper, _onnx("numpy_helper"))
    _write(graph, members, n)
    float_ = _onnx("").TensorProto.FLOAT
    m = len(members)

    def info(name: str, *shape: int | str) -> Any:
        return helper.make_tensor_value_info(name, float_, list(shape))

    has_attention = "query_w" in members[0]
    made = helper.make_graph(
        graph.nodes,
        "litehedge",
        [info("u", "T", 2 * n), info("cells", 4 * m, 1, HIDDEN), info("ring", m, AGES, HIDDEN)],
        [
            info("raw", m, "T", N_RAW),
            info("cells_out", 4 * m, 1, HIDDEN),
            info("ring_out", m, AGES, HIDDEN),
            info("trunk", m, "T", HIDDEN),
            *([info("attention", m, "T", AGES)] if has_attention else []),
        ],
        graph.constants,
    )
    opset = helper.make_opsetid("", OPSET)
    model = helper.make_model(
        made, opset_imports=[opset], ir_version=IR_VERSION, producer_name="litehedge"
    )
    _onnx("checker").check_model(model, full_check=True)
    payload: bytes = model.SerializeToString(deterministic=True)
    return payload


def _onnx(module: str) -> Any:
    try:
        return import_module(f"onnx.{module}" if module else "onnx")
    except ImportError:
        raise UsageError(
            "writing a network needs onnx", "install it with: pip install 'litehedge[train]'"
        ) from None


def _check(member: Weights, n: int) -> None:
    shapes = weight_shapes(n)
    optional = {"gate_w", "gate_b"}, {"query_w", "age_bias"}
    for group in optional:
        if not group & set(member):
            for name in group:
                del shapes[name]
    wrong = set(member) ^ set(shapes)
    if wrong:
        raise ValueError(f"weights that are missing or unknown: {', '.join(sorted(wrong))}")
    for name, shape in shapes.items():
        if member[name].shape != shape:
            raise ValueError(f"{name} has shape {member[name].shape}, expected {shape}")
        if not np.isfinite(member[name]).all():
            raise ValueError(f"{name} holds NaN or infinity")


class _Graph:
    """Nodes and constants, named in the order in which they come."""

    def __init__(self, helper: Any, numpy_helper: Any) -> None:
        self._helper = helper
        self._numpy_helper = numpy_helper
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def constant(self, array: NDArray[Any]) -> str:
        name = f"c{len(self.constants)}"
        array = np.ascontiguousarray(array)
        self.constants.append(self._numpy_helper.from_array(array, name))
        return name

    def weight(self, array: NDArray[Any]) -> str:
        return self.constant(array.astype(np.float32))

    def ints(self, *values: int) -> str:
        return self.constant(np.array(values, dtype=np.int64))

    def op(self, kind: str, *inputs: str, out: str | None = None, **attributes: Any) -> str:
        return self.ops(kind, *inputs, outs=[out] if out else None, **attributes)[0]

    def ops(
        self, kind: str, *inputs: str, n: int = 1, outs: list[str] | None = None, **attributes: Any
    ) -> list[str]:
        if outs is None:
            outs = [f"v{len(self.nodes)}_{i}" for i in range(n)]
        self.nodes.append(self._helper.make_node(kind, list(inputs), outs, **attributes))
        return outs

    def stacked(self, parts: list[str], width: int, out: str | None = None) -> str:
        """Stack ``(T, width)`` of each member to ``(members, T, width)``."""
        whole = parts[0] if len(parts) == 1 else self.op("Concat", *parts, axis=0)
        return self.op("Reshape", whole, self.ints(len(parts), -1, width), out=out)


def _write(g: _Graph, members: Sequence[Weights], n: int) -> None:
    m = len(members)
    z, mask = g.ops("Split", "u", n=2, axis=1, num_outputs=2)
    cells = g.ops("Split", "cells", n=4 * m, axis=0, num_outputs=4 * m)
    flat, wide = g.ints(-1, HIDDEN), g.ints(-1, 1, 2 * n)
    hidden, after = [], []
    for i, w in enumerate(members):
        x = "u"
        if "gate_w" in w:
            gate = g.op(
                "Sigmoid", g.op("Gemm", "u", g.weight(w["gate_w"].T), g.weight(w["gate_b"]))
            )
            x = g.op("Concat", g.op("Mul", gate, z), mask, axis=1)
        x = g.op("Reshape", x, wide)
        y, h1, c1 = _lstm(g, x, w, "lstm1", cells[4 * i : 4 * i + 2])
        x = g.op("Squeeze", y, g.ints(1))  # (T, 1, D): the direction goes, the batch stays
        y, h2, c2 = _lstm(g, x, w, "lstm2", cells[4 * i + 2 : 4 * i + 4])
        hidden.append(g.op("Reshape", y, flat))
        after += [h1, c1, h2, c2]
    g.op("Concat", *after, out="cells_out", axis=0)
    frames = g.op("Shape", "u", start=0, end=1)
    stacked = g.stacked(hidden, HIDDEN)
    keys = g.op("Concat", "ring", stacked, axis=1)
    g.op("Slice", keys, frames, g.ints(np.iinfo(np.int64).max), g.ints(1), out="ring_out")
    contexts = None
    if "query_w" in members[0]:
        contexts = _attention(g, members, hidden, keys, frames)
    trunks, raws = [], []
    for i, w in enumerate(members):
        x, trunk_w = hidden[i], w["trunk_w"]
        if contexts is None:
            trunk_w = trunk_w[:, :HIDDEN]
        else:
            x = g.op("Concat", x, contexts[i], axis=1)
        x = g.op("Gemm", x, g.weight(trunk_w.T), g.weight(w["trunk_b"]))
        x = g.op("Mul", x, g.op("Sigmoid", x))
        trunks.append(x)
        both = g.op("Concat", x, "u", axis=1)
        out_w = np.concatenate((w["head_w"], w["skip_w"]), axis=1)
        raws.append(g.op("Gemm", both, g.weight(out_w.T), g.weight(w["head_b"])))
    g.stacked(raws, N_RAW, out="raw")
    g.stacked(trunks, HIDDEN, out="trunk")


def _lstm(g: _Graph, x: str, w: Weights, layer: str, state: list[str]) -> list[str]:
    """Return outputs ``(T, 1, 1, D)``, and the last h and c, ``(1, 1, D)``."""
    wx, wh, bias = (_in_onnx_order(w[f"{layer}_{part}"]) for part in ("wx", "wh", "b"))
    bias = np.concatenate((bias, np.zeros_like(bias)))  # ONNX has one for x and one for h
    return g.ops(
        "LSTM", x, g.weight(wx[np.newaxis]), g.weight(wh[np.newaxis]),
        g.weight(bias[np.newaxis]), "", *state, n=3, hidden_size=HIDDEN,
    )  # fmt: skip


def _in_onnx_order(gates: Singles) -> Singles:
    """Reorder input, forget, cell, output to input, output, forget, cell."""
    i, f, c, o = np.split(gates, 4, axis=0)
    return np.concatenate((i, o, f, c), axis=0)


def _attention(
    g: _Graph, members: Sequence[Weights], hidden: list[str], keys: str, frames: str
) -> list[str]:
    """Return what each member remembers, ``(T, D)``.

    Member by member, so that the keys of one are done with before those of the next are taken.
    """
    root = np.float32(np.sqrt(HIDDEN))
    first, second = g.ints(1), g.ints(2)
    frame = g.op("Range", g.constant(np.array(0)), g.op("Squeeze", frames), g.constant(np.array(1)))
    # Frame t looks at keys t .. t + AGES - 1; its own hidden state comes just after them.
    places = g.constant(np.arange(AGES)[np.newaxis])
    places = g.op("Add", g.op("Unsqueeze", frame, first), places)
    length = g.op("Add", frames, g.ints(AGES)) if len(members) > 1 else ""
    flat = g.op("Reshape", keys, g.ints(-1, HIDDEN))
    contexts, attentions = [], []
    for i, (h, w) in enumerate(zip(hidden, members, strict=True)):
        if i > 0:
            places = g.op("Add", places, length)
        band = g.op("Gather", flat, places, axis=0)  # (T, AGES, D)
        query = g.op("MatMul", h, g.weight(w["query_w"].T / root))
        score = g.op("MatMul", band, g.op("Unsqueeze", query, second))
        score = g.op("Add", g.op("Squeeze", score, second), g.weight(w["age_bias"][::-1]))
        attentions.append(g.op("Softmax", score, axis=-1))
        context = g.op("MatMul", g.op("Unsqueeze", attentions[-1], first), band)
        contexts.append(g.op("Squeeze", context, first))
    g.stacked(attentions, AGES, out="attention")
    return contexts

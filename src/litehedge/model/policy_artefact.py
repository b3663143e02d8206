"""A network policy on disk: ``policy.onnx`` and ``policy.json``, its card, refused on any mismatch.

The graph computes the band of any number of decisions, and hands out its own weights as further
outputs: kernels take those, so that the policy which ONNX Runtime shows and the one that trades are
the same numbers. Reading needs ONNX Runtime, writing needs onnx.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from litehedge.errors import ArtefactError
from litehedge.hedge.network_policy import (
    N_INPUTS,
    N_WEIGHTS,
    REACH,
    SHAPES,
    Brain,
    layout_hash,
)
from litehedge.model.artefact import Span, part_file, sha256_of, write_part
from litehedge.model.graph import IR_VERSION, OPSET
from litehedge.model.optional import train_module

Singles = NDArray[np.float32]

FORMAT: Final = 1
CARD: Final = "policy.json"
MODEL: Final = "policy.onnx"
AGAIN: Final = "train it again with: litehedge train-policy"


class PolicyCard(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a network policy is, what it was trained on and for, and how it did.

    `layout` is the hash of inputs and shape; `forecaster` the id of the model whose forecasts it
    learnt from. `budgets` and `leverages` are the ranges that it was trained for. `scores` are of
    the validation span, which chose among its states in training; `seeds` were trained, of which
    `seed` was the best there.
    """

    name: str
    format: int
    litehedge: str
    created: str
    layout: str
    sha256: str
    forecaster: str
    trained_on: list[Span]
    validated_on: Span
    seed: int
    seeds: list[int]
    budgets: tuple[float, float]
    leverages: tuple[float, float]
    parameters: dict[str, float]
    scores: dict[str, float]


def policy_onnx(weights: Singles) -> bytes:
    """Return the graph of a network policy; the same weights give the same bytes.

    Input ``inputs (decision, N_INPUTS)``; output ``band (decision, 2)``, and each weight by name.

    Raises
    ------
    UsageError
        When the ``train`` extra is not installed.
    """
    onnx = train_module("onnx")
    helper, as_tensor = onnx.helper, import_module("onnx.numpy_helper").from_array
    kind = onnx.TensorProto.FLOAT
    parts = _split(weights)
    constants = [as_tensor(np.ascontiguousarray(part), f"{name}_") for name, part in parts.items()]
    for name, value in (("reach", REACH), ("half", 0.5), ("zero", 0.0), ("one", 1.0)):
        constants.append(as_tensor(np.array(value, dtype=np.float32), name))
    constants.append(as_tensor(np.array([1, 1], dtype=np.int64), "two_columns"))

    def node(op: str, inputs: str, out: str, **attributes: Any) -> Any:
        return helper.make_node(op, inputs.split(), out.split(), **attributes)

    nodes = [
        node("Gemm", "inputs w1_ b1_", "a1"), node("Relu", "a1", "h1"),
        node("Gemm", "h1 w2_ b2_", "a2"), node("Relu", "a2", "h2"),
        node("Gemm", "h2 w3_ b3_", "raw"),
        node("Split", "raw two_columns", "centre width", axis=1),
        node("Tanh", "centre", "turned"), node("Mul", "turned reach", "off"),
        node("Add", "off half", "middle"),
        node("Sigmoid", "width", "open"), node("Mul", "open reach", "spread"),
        node("Sub", "middle spread", "from"), node("Add", "middle spread", "to"),
        node("Concat", "from to", "edges", axis=1), node("Clip", "edges zero one", "band"),
        *(node("Identity", f"{name}_", name) for name in parts),
    ]  # fmt: skip
    info = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes, "litehedge-policy", [info("inputs", kind, ["decision", N_INPUTS])],
        [info("band", kind, ["decision", 2]),
         *(info(name, kind, list(part.shape)) for name, part in parts.items())],
        constants,
    )  # fmt: skip
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION,
        producer_name="litehedge",
    )  # fmt: skip
    helper.set_model_props(model, {"layout": layout_hash()})
    onnx.checker.check_model(model, full_check=True)
    payload: bytes = model.SerializeToString(deterministic=True)
    return payload


def _split(weights: Singles) -> dict[str, Singles]:
    parts, at = {}, 0
    for name, shape in SHAPES:
        n = int(np.prod(shape))
        parts[name] = weights[at : at + n].reshape(shape)
        at += n
    return parts


def open_policy(payload: bytes) -> tuple[Any, Singles]:
    """Return the session of a graph, and its weights ``(N_WEIGHTS,)``.

    Raises
    ------
    ArtefactError
        When ONNX Runtime cannot load it, or it is no policy of this layout.
    """
    try:
        runtime = import_module("onnxruntime")
    except ImportError:
        raise ArtefactError(
            "a network policy needs onnxruntime", "install it with: pip install onnxruntime"
        ) from None
    options = runtime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    try:
        session = runtime.InferenceSession(payload, options, providers=["CPUExecutionProvider"])
        layout = session.get_modelmeta().custom_metadata_map.get("layout", "none")
        names = [name for name, _ in SHAPES]
        if layout != layout_hash():
            raise ArtefactError(
                f"the policy was trained with inputs {layout}, this version has {layout_hash()}",
                AGAIN,
            )
        nothing = np.zeros((1, N_INPUTS), dtype=np.float32)
        found = session.run(names, {"inputs": nothing})
    except ArtefactError:
        raise
    except Exception as error:  # the runtime's errors have no common base
        reason = str(error).splitlines()[0][:200]
        raise ArtefactError(f"ONNX Runtime cannot load the policy ({reason})", AGAIN) from None
    shapes = dict(SHAPES)
    for name, part in zip(names, found, strict=True):
        if part.shape != shapes[name] or not np.isfinite(part).all():
            raise ArtefactError(f"the policy's weight {name} is not what this version needs", AGAIN)
    flat = np.concatenate([part.ravel() for part in found]).astype(np.float32)
    assert flat.size == N_WEIGHTS
    return session, flat


def save_policy(folder: Path, card: PolicyCard, weights: Singles) -> PolicyCard:
    """Write a policy, the card last; an older one is replaced. Return the card with its hash."""
    payload = policy_onnx(weights)
    open_policy(payload)
    card = msgspec.structs.replace(
        card, format=FORMAT, layout=layout_hash(), sha256=sha256_of(payload)
    )
    folder.mkdir(parents=True, exist_ok=True)
    name = part_file(MODEL, card.sha256)
    write_part(folder / name, payload)
    write_part(folder / CARD, msgspec.json.format(msgspec.json.encode(card), indent=2) + b"\n")
    for stale in folder.glob("policy-*.onnx"):
        if stale.name != name:
            stale.unlink()
    return card


def load_policy_card(folder: Path) -> PolicyCard:
    """Read the card of a policy.

    Raises
    ------
    ArtefactError
        When there is none, or it is of another format or layout.
    """
    path = folder / CARD
    if not path.is_file():
        raise ArtefactError(f"{folder} is not a network policy: it has no {CARD}", AGAIN)
    try:
        card = msgspec.json.decode(path.read_bytes(), type=PolicyCard)
    except (OSError, UnicodeDecodeError, msgspec.DecodeError) as error:
        raise ArtefactError(f"{path} cannot be read ({error})", AGAIN) from None
    if card.format != FORMAT:
        raise ArtefactError(
            f"policy {card.name} ({folder}) has format {card.format}, this version reads {FORMAT}",
            AGAIN,
        )
    if card.layout != layout_hash():
        raise ArtefactError(
            f"policy {card.name} ({folder}) was trained with inputs {card.layout}, "
            f"this version has {layout_hash()}",
            AGAIN,
        )
    return card


def load_policy(folder: Path) -> tuple[PolicyCard, Brain]:
    """Load a network policy.

    Raises
    ------
    ArtefactError
        When it is incomplete, changed, or made for other inputs.
    """
    card = load_policy_card(folder)
    name = part_file(MODEL, card.sha256)
    try:
        payload = (folder / name).read_bytes()
    except OSError as error:
        raise ArtefactError(
            f"policy {card.name} ({folder}): {name} cannot be read ({error.strerror})", AGAIN
        ) from None
    if sha256_of(payload) != card.sha256:
        raise ArtefactError(
            f"policy {card.name} ({folder}): {name} is not the one the card was written for", AGAIN
        )
    _, weights = open_policy(payload)
    return card, Brain(f"{card.name}@{card.sha256[:8]}", weights)

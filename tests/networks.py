"""Networks for tests: random weights, and the network in plain NumPy, frame by frame."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from litehedge.features import vector as fv
from litehedge.features.vector import FeatureSchema
from litehedge.model import artefact
from litehedge.model.artefact import Card
from litehedge.model.baselines.logistic import MODEL_FAMILIES
from litehedge.model.calibration import Calibration
from litehedge.model.distance import Neighbours, fit_neighbours
from litehedge.model.graph import onnx_bytes
from litehedge.model.layout import AGES, HIDDEN, weight_shapes
from litehedge.model.serve import NetworkForecaster
from litehedge.model.squeeze_index import Seen, SqueezeIndex, build_index
from litehedge.model.standards import Standards
from litehedge.squeeze.labels import Squeeze, spec_hash
from litehedge.units import NS_PER_DAY, NS_PER_MINUTE, NS_PER_SECOND

Floats = NDArray[np.float64]
Weights = dict[str, NDArray[np.float32]]
_SCALE = {"query_w": 3.0, "age_bias": 8.0, "skip_w": 0.3, "lstm1_b": 4.0, "lstm2_b": 4.0}


def weights(seed: int, n: int, *, selects: bool = True, attends: bool = True) -> Weights:
    """Random weights of one member, large enough for every part to matter."""
    rng = np.random.default_rng(seed)
    left_out = set() if selects else {"gate_w", "gate_b"}
    left_out |= set() if attends else {"query_w", "age_bias"}
    found = {}
    for name, shape in weight_shapes(n).items():
        scale = _SCALE.get(name, 1.0) / np.sqrt(shape[-1])
        values = (scale * rng.standard_normal(shape)).astype(np.float32)
        if name not in left_out:
            found[name] = values
    return found


def standards(inputs: int = 60) -> Standards:
    """Standards that leave features of unit scale as they are."""
    numbers = np.arange(inputs)
    ones = np.ones(inputs)
    mean = np.where(numbers == fv.LOG_SIGMA, -7.0, 0.0)
    families = {f for f, names in enumerate(fv.FAMILIES.values()) if fv.INDEX[names[0]] < inputs}
    trained = np.array([float(f in families) for f in range(len(MODEL_FAMILIES))])
    return Standards(numbers, mean, ones, np.array([2.0]), trained)


def features(n: int, seed: int = 0, missing: float = 0.0) -> Floats:
    """Random features ``(frame, feature)``, warm, some of them missing."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(n, fv.N_FEATURES))
    values[rng.random(values.shape) < missing] = np.nan
    values[:, fv.LOG_SIGMA] = -7.0
    return values


def _sigmoid(x: Floats) -> Floats:
    return 1.0 / (1.0 + np.exp(-x))


def reference(member: Weights, u: NDArray[np.float32]) -> tuple[Floats, Floats, Floats]:
    """The network in float64 from a fresh start: raw, trunk, attention (youngest first)."""
    w = {name: value.astype(np.float64) for name, value in member.items()}
    n = u.shape[1] // 2
    cells = {layer: (np.zeros(HIDDEN), np.zeros(HIDDEN)) for layer in ("lstm1", "lstm2")}
    past = np.zeros((AGES, HIDDEN))  # youngest first
    raws, trunks, attentions = [], [], []
    for row in u.astype(np.float64):
        z, mask = row[:n], row[n:]
        gate = _sigmoid(w["gate_w"] @ row + w["gate_b"]) if "gate_w" in w else 1.0
        x = np.concatenate((gate * z, mask))
        for layer, (h, c) in cells.items():
            total = w[f"{layer}_wx"] @ x + w[f"{layer}_wh"] @ h + w[f"{layer}_b"]
            i, f, g, o = np.split(total, 4)
            c = _sigmoid(f) * c + _sigmoid(i) * np.tanh(g)
            x = _sigmoid(o) * np.tanh(c)
            cells[layer] = (x, c)
        context, share = np.zeros(HIDDEN), np.zeros(AGES)
        if "query_w" in w:
            score = past @ (w["query_w"] @ x) / np.sqrt(HIDDEN) + w["age_bias"]
            share = np.exp(score - score.max())
            share /= share.sum()
            context = share @ past
        r = w["trunk_w"] @ np.concatenate((x, context)) + w["trunk_b"]
        r = r * _sigmoid(r)
        raws.append(w["head_w"] @ r + w["skip_w"] @ row + w["head_b"])
        trunks.append(r)
        attentions.append(share)
        past = np.concatenate((x[np.newaxis], past[:-1]))
    return np.array(raws), np.array(trunks), np.array(attentions)


@cache
def model(members: int = 1, inputs: int = 60) -> bytes:
    """The ONNX graph of an ensemble with random weights, as `standards` feeds it."""
    return onnx_bytes([weights(seed, inputs) for seed in range(members)])


def network(
    members: int = 1, *, calibration: Calibration | None = None, frame_ns: int = NS_PER_MINUTE,
    expires_ns: int | None = None, neighbours: Neighbours | None = None,
) -> NetworkForecaster:  # fmt: skip
    """A network with random weights behind the forecaster interface."""
    return NetworkForecaster(
        model(members), standards(), Calibration() if calibration is None else calibration,
        frame_ns=frame_ns, id=f"random-{members}", schema_hash=FeatureSchema(frame_ns).hash,
        expires_ns=expires_ns, neighbours=neighbours,
    )  # fmt: skip


@cache
def sample(members: int = 1) -> Neighbours:
    """Training as the network of `network` saw it: random features of usual size."""
    n = 3_000
    _, trunk = network(members).trunk_batch(
        network(members).start(1), np.zeros(n, dtype=np.int64),
        NS_PER_MINUTE * np.arange(1, n + 1), features(n, 99),
    )  # fmt: skip
    kind = np.random.default_rng(0).integers(0, 4, n)
    return fit_neighbours(trunk.mean(axis=0), kind, 2 * NS_PER_DAY * np.arange(n), seed=0, size=256)


def card(**changes: object) -> Card:
    """The card of a network that nobody trained."""
    frame_s = changes.get("frame_s", 60)
    facts: dict[str, object] = {
        "name": "m", "kind": "network", "format": artefact.NETWORK_FORMAT, "litehedge": "0",
        "created": "2026-01-01", "frame_s": frame_s,
        "feature_schema": FeatureSchema(frame_s * NS_PER_SECOND).hash, "label_spec": spec_hash(),
        "weights_sha256": "", "trained_on": [], "events_long": 1, "events_short": 1,
        "parameters": {}, "validated_on": [], "validation_note": "", "scores": {},
        "baseline_scores": {},
    }  # fmt: skip
    return Card(**(facts | changes))


def squeezes_of_history(onsets_ns: list[int]) -> SqueezeIndex:
    """An index of falls of 5 % in 20 minutes, at random places."""
    rng = np.random.default_rng(7)
    ends = np.array([o - 30 * NS_PER_MINUTE for o in onsets_ns])
    squeezes = [
        Squeeze("long", o, 0, o + 20 * NS_PER_MINUTE, 0, 100.0, 95.0, 513.0, 5.0, 0.5, np.nan,
                np.nan, 2, True, True)
        for o in onsets_ns
    ]  # fmt: skip
    trunks = rng.normal(size=(len(ends), HIDDEN)).astype(np.float32)
    zeros, ones = np.zeros(HIDDEN, np.float32), np.ones(HIDDEN, np.float32)
    return build_index([Seen(trunks, ends, squeezes, "perp")], mean=zeros, scale=ones,
                       frame_ns=NS_PER_MINUTE)  # fmt: skip


def save_network(folder: Path, *, members: int = 1, onsets_ns: list[int] | None = None,
                 **changes: object) -> Card:  # fmt: skip
    """Save a random network with a sample of training, and squeezes if `onsets_ns` has some."""
    index = sample(members).arrays()
    if onsets_ns:
        index |= squeezes_of_history(onsets_ns).arrays()
    return artefact.save_network(
        folder, card(**({"name": folder.name} | changes)), model(members), standards(), None, index
    )

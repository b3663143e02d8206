"""The smallest network of one's own: python own_model.py LESSON GRAPH. Needs numpy, torch and onnx.

One linear layer from a frame's inputs to the hazards of an onset; everything else it puts out is
what was usual in training. It remembers nothing, so that its state passes through.
"""

import json
import sys
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper

lesson, graph = Path(sys.argv[1]), Path(sys.argv[2])
told = json.loads((lesson / "lesson.json").read_text())
parts = [np.load(path) for path in sorted(lesson.glob("train-*.npz"))]
warm = np.concatenate([part["warm"] for part in parts])


def column(name: str) -> np.ndarray:
    return np.concatenate([part[name] for part in parts])[warm]


u = column("u")
edges, n_raw, place = told["onset_edges_min"], told["n_raw"], told["raw"]
bins = len(edges) - 1

# In which bin the next onset of a side falls, and which bins were survived before that or before
# the observation was cut off.
until, happens, asked = column("to_onset_min"), column("has_onset"), column("at_risk")
at = np.searchsorted(edges[1:], np.where(np.isnan(until), 0.0, until), side="left")
survived = np.arange(bins) < at[:, :, None]
struck = (np.arange(bins) == at[:, :, None]) & happens[:, :, None]
counts = torch.from_numpy((survived | struck) & asked[:, :, None])
struck = torch.from_numpy(struck.astype(np.float32))

torch.manual_seed(0)
layer = torch.nn.Linear(u.shape[1], 2 * bins)
torch.nn.init.zeros_(layer.weight)
torch.nn.init.constant_(layer.bias, -5.0)
learning = torch.optim.Adam(layer.parameters(), lr=1e-2)
inputs = torch.from_numpy(u)
for _ in range(200):
    some = torch.randint(len(u), (4096,))
    logits = layer(inputs[some]).view(-1, 2, bins)
    # A side's hazard has the other side as its competitor: exp(a) / (1 + exp(a) + exp(b)).
    both = torch.cat([torch.zeros_like(logits[:, :1]), logits], dim=1)
    hazard = torch.softmax(both, dim=1)[:, 1:].clamp(1e-7, 1 - 1e-7)
    loss = -torch.where(struck[some] > 0, hazard.log(), (1 - hazard).log())[counts[some]].mean()
    learning.zero_grad()
    (loss + 1e-4 * layer.weight.abs().sum()).backward()
    learning.step()

weights = np.zeros((u.shape[1], n_raw), dtype=np.float32)
bias = np.zeros(n_raw, dtype=np.float32)
weights[:, place["onset"]["from"] : place["onset"]["to"]] = layer.weight.detach().numpy().T
bias[place["onset"]["from"] : place["onset"]["to"]] = layer.bias.detach().numpy()
for name in ("passage", "peak"):
    bias[place[name]["from"] : place[name]["to"]] = -3.0
levels = told["severity_levels"]
for side in range(2):
    left = column("to_come_bps")[:, side]
    logs = np.log(np.quantile(left[left > 0], levels)) if (left > 0).any() else np.arange(4.0, 9.0)
    steps = np.maximum(np.diff(logs[: len(levels)]), 1e-3)
    first = place["severity"]["from"] + side * len(levels)
    bias[first] = logs[0]
    bias[first + 1 : first + len(levels)] = np.log(np.expm1(steps))
shares = np.bincount(column("phase"), minlength=len(told["phases"])) / len(u)
bias[place["phase"]["from"] : place["phase"]["to"]] = np.log(shares + 1e-6)
bias[place["vol"]["from"] : place["vol"]["to"]] = np.nanmean(column("log_vol"), axis=0)

# raw = u @ weights + bias as (member, frame, n_raw); cells and ring as they were.
hidden, ages = told["hidden"], told["ages"]


def shaped(name: str, *shape: int | str) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, list(shape))


model = helper.make_model(
    helper.make_graph(
        [
            helper.make_node("MatMul", ["u", "weights"], ["product"]),
            helper.make_node("Add", ["product", "bias"], ["sum"]),
            helper.make_node("Unsqueeze", ["sum", "first"], ["raw"]),
            helper.make_node("Identity", ["cells"], ["cells_out"]),
            helper.make_node("Identity", ["ring"], ["ring_out"]),
        ],
        "own",
        [shaped("u", "T", u.shape[1]), shaped("cells", 4, 1, hidden),
         shaped("ring", 1, ages, hidden)],
        [shaped("raw", 1, "T", n_raw), shaped("cells_out", 4, 1, hidden),
         shaped("ring_out", 1, ages, hidden)],
        [numpy_helper.from_array(weights, "weights"), numpy_helper.from_array(bias, "bias"),
         numpy_helper.from_array(np.array([0]), "first")],
    ),
    opset_imports=[helper.make_opsetid("", 20)],
    ir_version=9,
)  # fmt: skip
onnx.checker.check_model(model)
graph.write_bytes(model.SerializeToString())
print(f"{len(u):,} frames, last loss {loss.item():.4f}, in {graph}")

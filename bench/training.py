"""Claim: training reads 40 k labelled frames per CPU-second, tens of times a network of windows.

One thread, the default recipe. Our frames are learnt from once each in streams that carry their
state; a window is read whole for one label. Every peer has the same width and inputs.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from bench.peers import WINDOW, Transformer, WindowLstm
from bench.timing import Figure, best_seconds
from litehedge.model.inputs import inputs_of
from litehedge.model.layout import HIDDEN
from litehedge.model.loss import Asked, parts, total
from litehedge.model.material import Material
from litehedge.model.network import NetworkConfig
from litehedge.model.train import Recipe, train_member
from litehedge.squeeze.hazard import N_ONSET, N_PEAK

FRAMES = 100_000
INPUTS = 56
FAMILIES = [np.arange(k, k + 7) for k in range(0, INPUTS, 7)]
BATCH = 64
LSTM_BATCHES = 16
TFT_BATCHES = 2
TASKS = 4
UNIT = "labels/CPU-s"


def measure() -> list[Figure]:
    """Train each for a while on the same synthetic frames."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        data = synthetic(FRAMES)
        ours = _ours(data)
        window = _windowed(data)
        figures = [
            Figure(f"training, streams of frames, {INPUTS} inputs", ours, UNIT, "claim: 40 k"),
            Figure(
                f"  LSTM over windows of {WINDOW} frames", window, UNIT,
                f"streams are {ours / window:,.0f} times as fast",
            ),
        ]  # fmt: skip
        what = f"  temporal fusion transformer, width {HIDDEN}"
        try:
            transformer = _transformer(data)
        except ImportError as missing:
            figures.append(Figure(what, float("nan"), UNIT, f"SKIPPED: {missing}"))
        else:
            against = f"streams are {ours / transformer:,.0f} times as fast"
            figures.append(Figure(what, transformer, UNIT, against))
    finally:
        torch.set_num_threads(threads)
    return figures


def synthetic(frames: int) -> Material:
    """Return noise with answers about as often as a market asks."""
    rng = np.random.default_rng(0)
    z = rng.normal(size=(frames, INPUTS)).astype(np.float32)
    z[rng.random(z.shape) < 0.05] = np.nan
    onset_bin = rng.integers(-1, N_ONSET + 1, frames)
    happens = (rng.random(frames) < 0.02) & (onset_bin >= 0) & (onset_bin < N_ONSET)
    pairs = (frames, 2)
    return Material(
        name="synthetic",
        z=z,
        onset_bin=onset_bin.astype(np.int8),
        onset_cause=np.where(happens, rng.integers(0, 2, frames), -1).astype(np.int8),
        onset_risk=np.ones((frames, 2), dtype=np.bool_),
        passage_bin=rng.integers(0, N_ONSET + 1, (frames, 2, 2)).astype(np.int8),
        passage_hit=rng.random((frames, 2, 2)) < 0.05,
        peak_bin=np.where(
            rng.random(pairs) < 0.03, rng.integers(0, N_PEAK, pairs), -1
        ).astype(np.int8),
        peak_hit=rng.random(pairs) < 0.5,
        severity=np.where(
            rng.random(pairs) < 0.05, rng.normal(4.0, 1.0, pairs), np.nan
        ).astype(np.float32),
        phase=rng.integers(0, 4, frames).astype(np.int8),
        vol=rng.normal(size=(frames, 3)).astype(np.float32),
        edges=np.array([0, frames // 3, frames]),
    )  # fmt: skip


def _ours(data: Material) -> float:
    """Return labels per CPU-second of an epoch: it draws as many runs as cover every frame once."""
    recipe = Recipe(epochs=1)

    def epoch() -> None:
        train_member(
            NetworkConfig(inputs=INPUTS), recipe, [data], [], FAMILIES, 0,
            device=torch.device("cpu"),
        )  # fmt: skip

    return len(data) / best_seconds(epoch)


def _windowed(data: Material) -> float:
    network = WindowLstm(INPUTS)
    u = inputs_of(torch.from_numpy(data.z))
    recipe = Recipe()

    def cost(last: torch.Tensor, windows: torch.Tensor) -> torch.Tensor:
        raw = network(u[windows])
        answers = [torch.from_numpy(getattr(data, name)[last.numpy()]) for name in
                   Asked._fields[:-1]]  # fmt: skip
        asked = Asked(*answers, weight=torch.ones(last.shape[0]))
        return total(parts(raw, asked), recipe.cost) / last.shape[0]

    return _labels_per_second(network, cost, LSTM_BATCHES)


def _transformer(data: Material) -> float:
    network = Transformer(INPUTS, TASKS)
    z = torch.nan_to_num(torch.from_numpy(data.z))
    came = torch.from_numpy(data.passage_hit).flatten(1).float()

    def cost(last: torch.Tensor, windows: torch.Tensor) -> torch.Tensor:
        return functional.binary_cross_entropy_with_logits(network(z[windows]), came[last])

    return _labels_per_second(network, cost, TFT_BATCHES)


def _labels_per_second(network: nn.Module, cost: Any, batches: int) -> float:
    """Return labels per CPU-second of training steps as our recipe has them."""
    recipe = Recipe()
    network.train()
    optimiser = torch.optim.AdamW(
        network.parameters(), lr=recipe.rate, weight_decay=recipe.decay, fused=True
    )
    chance = torch.Generator().manual_seed(0)
    back = torch.arange(WINDOW).flip(0)

    def steps() -> None:
        for _ in range(batches):
            last = torch.randint(WINDOW - 1, FRAMES, (BATCH,), generator=chance)
            optimiser.zero_grad(set_to_none=True)
            torch.autograd.backward(cost(last, last[:, None] - back))
            nn.utils.clip_grad_norm_(network.parameters(), recipe.clip, foreach=True)
            optimiser.step()

    return batches * BATCH / best_seconds(steps, 3)

"""The network's linear part, fitted first: a logistic hazard model with every head.

What is linear in the present features is most of what can be known, and a deep network that has
to find it by itself with a few hundred events finds less of it. So the skip connection is fitted
alone, with a ridge, and training of the whole begins there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from litehedge.model import layout as ly
from litehedge.model.baserates import base_rates
from litehedge.model.inputs import inputs_of
from litehedge.model.loss import Asked, parts, total
from litehedge.model.material import Material

RIDGE: Final = 3e-3
RATE: Final = 1e-2
BATCH: Final = 4096
STEPS: Final = 1_000
"""Four times as many change the validation loss in the fourth digit."""
PASSES: Final = 40
"""Over few frames, that is enough."""


def fit_linear(
    train: Sequence[Material], cost: dict[str, float], device: torch.device, *,
    ridge: float = RIDGE, steps: int = STEPS,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """Return weights ``(N_RAW, 2 * inputs)`` and biases ``(N_RAW,)``; no chance is involved.

    Minimises the loss per frame plus ``ridge * |weights|^2`` with Adam over shuffled frames.
    """
    n = train[0].z.shape[1]
    weights = torch.zeros(ly.N_RAW, 2 * n, device=device, requires_grad=True)
    biases = torch.from_numpy(base_rates(train)).to(device).requires_grad_()
    warm = [np.flatnonzero(~np.isnan(m.z).all(axis=1)) for m in train]
    frames = np.concatenate([np.stack((np.full(w.size, i), w), axis=1) for i, w in enumerate(warm)])
    optimiser = torch.optim.Adam([weights, biases], lr=RATE)
    steps = min(steps, PASSES * -(-len(frames) // BATCH))
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, RATE, total_steps=steps + 1, pct_start=0.1
    )
    shuffle = torch.Generator().manual_seed(0)
    order = torch.empty(0, dtype=torch.int64)
    for _ in range(steps):
        if order.numel() < min(BATCH, len(frames)):
            order = torch.randperm(len(frames), generator=shuffle)
        picked, order = order[:BATCH], order[BATCH:]
        z, asked = gather(train, frames[picked.numpy()])
        raw = inputs_of(z.to(device)) @ weights.T + biases
        asked = Asked(*(t.to(device) for t in asked))
        costs = parts(raw, asked)
        loss = total(costs, cost) / picked.numel() + ridge * weights.square().sum()
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        optimiser.step()
        schedule.step()
    return weights.detach(), biases.detach()


def gather(data: Sequence[Material], frames: NDArray[np.int64]) -> tuple[Tensor, Asked]:
    """Return values and answers of single frames, given as rows (data set, frame)."""
    found = []
    for i, one in enumerate(data):
        rows = frames[frames[:, 0] == i, 1]
        found.append((one.z[rows], [getattr(one, name)[rows] for name in Asked._fields[:-1]],
                      np.full(rows.size, one.weight, dtype=np.float32)))  # fmt: skip
    columns = [np.concatenate(column) for column in zip(*(f[1] for f in found), strict=True)]
    answers = {
        name: torch.from_numpy(a.astype(np.int64) if a.dtype == np.int8 else a)
        for name, a in zip(Asked._fields[:-1], columns, strict=True)
    }
    z = torch.from_numpy(np.concatenate([f[0] for f in found]))
    weight = torch.from_numpy(np.concatenate([f[2] for f in found]))
    return z, Asked(**answers, weight=weight)

"""The network: a gate that selects features, two LSTM layers, attention over the past, heads.

Everything is causal and has an explicit state, so that a stream of single frames, a chunk, and
years at once give the same numbers (Oxford's VSN + LSTM, arXiv 2603.01820; discrete hazards,
Kvamme and Borgan 2021). Per frame, with u = [z, m] the standardised features and what is missing:

    v = sigmoid(G u) * z               selection
    h = LSTM2(LSTM1([v, m]))
    c = sum_a softmax_a(q . h_{t-a} / sqrt(D) + b_a) h_{t-a},  q = Q h,  a = 1 .. 240
    r = silu(T [h, c])                 trunk
    raw = H r + S u                    heads; S u alone is a logistic hazard model
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from litehedge.model import layout as ly
from litehedge.model.layout import AGES, HIDDEN

BLOCK: Final = 64
"""Frames that attend at once. Each needs the 240 before it: the more at once, the more scores
are computed for nothing; the fewer, the smaller the matrices."""
DROPOUT: Final = 0.2


@dataclass(frozen=True, slots=True)
class NetworkConfig:
    """What the network is built of; `inputs` is how many features it sees."""

    inputs: int
    hidden: int = HIDDEN
    dropout: float = DROPOUT
    cell: Literal["lstm", "gru"] = "lstm"
    selects: bool = True
    attends: bool = True
    skips: bool = True
    pmf: bool = False


class NetState(NamedTuple):
    """State of `batch` streams: per layer (h, c) ``(1, batch, hidden)``, ring of past h, oldest
    first, ``(batch, 240, hidden)``. A GRU leaves its c alone."""

    first: tuple[Tensor, Tensor]
    second: tuple[Tensor, Tensor]
    ring: Tensor

    def detached(self) -> NetState:
        """Return the state cut off from the past's gradients."""
        return NetState(
            (self.first[0].detach(), self.first[1].detach()),
            (self.second[0].detach(), self.second[1].detach()),
            self.ring.detach(),
        )


class Outputs(NamedTuple):
    """`raw` ``(batch, time, N_RAW)``, `trunk` ``(batch, time, hidden)``, and the next state."""

    raw: Tensor
    trunk: Tensor
    state: NetState


class Network(nn.Module):
    """One member of the ensemble."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        n, d = config.inputs, config.hidden
        cell: type[nn.LSTM] | type[nn.GRU] = nn.LSTM if config.cell == "lstm" else nn.GRU
        self.gate = nn.Linear(2 * n, n) if config.selects else None
        self.first = cell(2 * n, d, batch_first=True)
        self.second = cell(d, d, batch_first=True)
        self.query = nn.Linear(d, d, bias=False) if config.attends else None
        self.age_bias = nn.Parameter(torch.zeros(AGES))
        self.trunk = nn.Linear(2 * d, d)
        self.head = nn.Linear(d, ly.N_RAW)
        self.skip = nn.Linear(2 * n, ly.N_RAW, bias=False)
        self._prepare()

    def _prepare(self) -> None:
        with torch.no_grad():
            if self.gate is not None:
                self.gate.weight.mul_(0.1)
                self.gate.bias.fill_(1.0)
            for layer in (self.first, self.second):
                if self.config.cell == "lstm":
                    d = self.config.hidden
                    layer.get_parameter("bias_ih_l0")[d : 2 * d] = 1.0  # remember, to begin with
            self.skip.weight.zero_()

    def start(self, batch: int) -> NetState:
        """Return the state before the first frame of `batch` streams."""
        like = self.head.weight
        d = self.config.hidden
        zero = like.new_zeros(1, batch, d)
        return NetState((zero, zero), (zero, zero), like.new_zeros(batch, AGES, d))

    def forward(self, u: Tensor, state: NetState) -> Outputs:
        """Advance every stream by `time` frames.

        Shapes: `u` ``(batch, time, 2 * inputs)``: standardised features, then 1 where missing.
        """
        h, past, state = self._recur(u, state)
        both = torch.cat((h, self.attend(h, past)), dim=-1)
        trunk = functional.silu(self.trunk(self._drop(both)))
        raw = self.head(trunk)
        if self.config.skips:
            raw = raw + self.skip(u)
        return Outputs(raw, trunk, state)

    def warm(self, u: Tensor, state: NetState) -> NetState:
        """Return the state that `forward` ends in, without what only its outputs need."""
        return self._recur(u, state)[2]

    def _recur(self, u: Tensor, state: NetState) -> tuple[Tensor, Tensor, NetState]:
        """Return hidden states, those with the ring before them, and the next state."""
        n = self.config.inputs
        z, missing = u[..., :n], u[..., n:]
        v = torch.sigmoid(self.gate(u)) * z if self.gate is not None else z
        one, first = self._run(self.first, torch.cat((v, missing), dim=-1), state.first)
        h, second = self._run(self.second, self._drop(one), state.second)
        past = torch.cat((state.ring, h), dim=1)
        return h, past, NetState(first, second, past[:, -AGES:])

    def _drop(self, x: Tensor) -> Tensor:
        """Return `x` after dropout; uniform numbers are drawn 2.6 times as fast as coins."""
        if not self.training or self.config.dropout == 0.0:
            return x
        keep = 1.0 - self.config.dropout
        return x * torch.rand_like(x).lt_(keep).div_(keep)

    def _run(
        self, layer: nn.Module, x: Tensor, state: tuple[Tensor, Tensor]
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        if self.config.cell == "lstm":
            out, (h, c) = layer(x, state)
            return out, (h, c)
        out, h = layer(x, state[0])
        return out, (h, state[1])

    def attend(self, h: Tensor, past: Tensor) -> Tensor:
        """Return what each frame remembers of the 240 frames before it.

        Shapes: `h` and the result ``(batch, time, hidden)``; `past` ``(batch, 240 + time,
        hidden)``.
        """
        if self.query is None:
            return torch.zeros_like(h)
        time = h.shape[1]
        asked = self.query(h) / math.sqrt(self.config.hidden)
        bias = self._bias_of_ages(min(BLOCK, time))
        mixed = []
        for at in range(0, time, BLOCK):
            q = asked[:, at : at + BLOCK]
            size = q.shape[1]
            keys = past[:, at : at + AGES + size]
            scores = torch.baddbmm(bias[:size, : AGES + size], q, keys.transpose(1, 2))
            mixed.append(torch.softmax(scores, dim=-1) @ keys)
        return torch.cat(mixed, dim=1)

    def _bias_of_ages(self, time: int) -> Tensor:
        """Return what is added to the scores ``(time, 240 + time)``: out of reach is -1e9."""
        frames = torch.arange(AGES + time, device=self.age_bias.device)
        ages = AGES + frames[:time, None] - frames
        bias = self.age_bias[ages.clamp(1, AGES) - 1]
        return bias.masked_fill((ages < 1) | (ages > AGES), -1e9)

    def weights(self) -> dict[str, NDArray[np.float32]]:
        """Return everything that was learnt, by the names that the exported graph takes.

        Raises
        ------
        ValueError
            For a GRU, which is trained as a comparison and never served.
        """
        if self.config.cell != "lstm":
            raise ValueError("only LSTM networks are exported")
        named: dict[str, Tensor] = {
            "trunk_w": self.trunk.weight,
            "trunk_b": self.trunk.bias,
            "head_w": self.head.weight,
            "skip_w": self.skip.weight,
            "head_b": self.head.bias,
        }
        if self.gate is not None:
            named |= {"gate_w": self.gate.weight, "gate_b": self.gate.bias}
        if self.query is not None:
            named |= {"query_w": self.query.weight, "age_bias": self.age_bias}
        for name, layer in (("lstm1", self.first), ("lstm2", self.second)):
            named[f"{name}_wx"] = layer.get_parameter("weight_ih_l0")
            named[f"{name}_wh"] = layer.get_parameter("weight_hh_l0")
            named[f"{name}_b"] = layer.get_parameter("bias_ih_l0") + layer.get_parameter(
                "bias_hh_l0"
            )
        return {k: t.detach().cpu().numpy().astype(np.float32) for k, t in named.items()}

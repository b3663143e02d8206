"""All policies behind one switch, so that backtest kernel and engine run the same code.

A policy maps (signals, margin state, cost) to a band ``(lo, hi)``. `POLICIES` names them for
people; `decide` is what kernels call.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from litehedge.config import Settings
from litehedge.errors import UsageError
from litehedge.hedge.baselines import (
    large_move,
    margin_aware_volatility,
    proportional_hazard,
    timing_oracle,
    volatility_target,
)
from litehedge.hedge.exposure import hedged_distance
from litehedge.hedge.plugin import band as plugin_band
from litehedge.jit import kernel

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]

N_PARAMETERS: Final = 4
N_MEMORY: Final = 1

(
    UNHEDGED,
    STATIC,
    VOLATILITY_TARGET,
    LARGE_MOVE,
    HAZARD,
    MARGIN_VOLATILITY,
    PLUGIN,
    ORACLE,
) = range(8)


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy with its parameters, ready for a kernel.

    Shapes: `parameters` ``(4,)``, meaning per kind.
    """

    name: str
    kind: int
    parameters: Floats
    about: str

    @property
    def free_ratio(self) -> float:
        """Hedge ratio that is there from the start at no cost: a smaller position."""
        return float(self.parameters[0]) if self.kind == STATIC else 0.0


def _policy(name: str, kind: int, about: str, *parameters: float) -> Policy:
    padded = np.zeros(N_PARAMETERS)
    padded[: len(parameters)] = parameters
    return Policy(name, kind, padded, about)


def static(ratio: float) -> Policy:
    """Return the static hedge of `ratio`: the same as a position that much smaller, and free."""
    name = "unhedged" if ratio == 0.0 else f"static-{100 * ratio:g}"
    kind = UNHEDGED if ratio == 0.0 else STATIC
    return _policy(name, kind, f"always {ratio:.0%} hedged, at no cost", ratio)


def policies(settings: Settings) -> dict[str, Policy]:
    """Return every policy by name, the plug-in with the parameters of `settings`."""
    p = settings.plugin
    known = [
        static(0.0),
        static(0.25),
        static(0.5),
        static(0.75),
        static(1.0),
        _policy(
            "vol-target", VOLATILITY_TARGET, "daily volatility of equity near a target", 0.25, 0.2
        ),
        _policy(
            "move-3pct", LARGE_MOVE, "fully hedged for 30 min after an adverse 3 % in 15 min",
            0.03, 30.0,
        ),
        _policy("hazard", HAZARD, "in proportion to the squeeze probability", 4.0, 0.1),
        _policy(
            "margin-vol", MARGIN_VOLATILITY,
            "fully hedged when volatile and near liquidation, until it is calm",
            0.004, 0.0008, 0.10,
        ),
        _policy(
            "plugin", PLUGIN, "keeps the probability of liquidation inside a band",
            p.horizon_min, p.enter_probability, p.release_probability, p.step,
        ),
        _policy("oracle", ORACLE, "knows onset and peak beforehand: the ceiling, not a policy"),
    ]  # fmt: skip
    return {policy.name: policy for policy in known}


def policy_named(name: str, settings: Settings) -> Policy:
    """Return one policy.

    Raises
    ------
    UsageError
        With the known names when there is no such policy.
    """
    known = policies(settings)
    if name not in known:
        raise UsageError(f"there is no policy {name!r}", f"choose one of {', '.join(known)}")
    return known[name]


@kernel
def decide(
    kind: int, parameters: Floats, memory: Floats, signals: Singles, now_ns: int, side: float,
    equity_share: float, maintenance_rate: float, cost: float, location: int, max_ratio: float,
) -> tuple[float, float]:  # fmt: skip
    """Return the band (lo, hi), within [0, max_ratio], of one policy in one frame.

    Shapes: `parameters` ``(4,)``; `memory` ``(1,)``, changed in place by policies that remember;
    `signals` ``(N_SIGNALS,)``.
    """
    lo = 0.0
    hi = 0.0
    if kind == STATIC:
        lo = parameters[0]
        hi = parameters[0]
    elif kind == VOLATILITY_TARGET:
        lo, hi = volatility_target(parameters[0], parameters[1], signals, equity_share)
    elif kind == LARGE_MOVE:
        lo, hi = large_move(parameters[0], parameters[1], memory, signals, side, now_ns)
    elif kind == HAZARD:
        lo, hi = proportional_hazard(parameters[0], parameters[1], signals, side)
    elif kind == MARGIN_VOLATILITY:
        naked = hedged_distance(side, 0.0, equity_share, maintenance_rate, location)
        lo, hi = margin_aware_volatility(
            parameters[0], parameters[1], parameters[2], signals, naked
        )
    elif kind == PLUGIN:
        lo, hi = plugin_band(
            parameters, signals, side, equity_share, maintenance_rate, cost, location
        )
    elif kind == ORACLE:
        lo, hi = timing_oracle(signals, side)
    lo = min(max(lo, 0.0), max_ratio)
    hi = min(max(hi, lo), max_ratio)
    return lo, hi

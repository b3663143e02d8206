"""All policies behind one switch, so that backtest kernel and engine run the same code.

A policy maps (signals, margin state, cost) to a band ``(lo, hi)``. `POLICIES` names them for
people; `decide` is what kernels call.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Final

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
from litehedge.hedge.network_policy import Brain
from litehedge.hedge.network_policy import band as network_band
from litehedge.hedge.plugin import SAFE_DISTANCE, SAFE_VOL_OFF, SAFE_VOL_ON
from litehedge.hedge.plugin import band as plugin_band
from litehedge.hedge.rules import Rules
from litehedge.jit import inlined_kernel

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]

N_PARAMETERS: Final = 8

(
    UNHEDGED,
    STATIC,
    VOLATILITY_TARGET,
    LARGE_MOVE,
    HAZARD,
    MARGIN_VOLATILITY,
    PLUGIN,
    ORACLE,
    NETWORK,
) = range(9)


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy with its parameters, ready for a kernel.

    Shapes: `parameters` ``(8,)``, meaning per kind; `weights` ``(N_WEIGHTS,)`` of a network, empty
    without one. `rules` are the user's, around it.
    """

    name: str
    kind: int
    parameters: Floats
    about: str
    rules: Rules | None = None
    weights: Singles = field(default_factory=lambda: np.empty(0, dtype=np.float32))
    brain_id: str = ""  # where the weights come from

    @property
    def label(self) -> str:
        """Its name, and that of the rules around it: ``plugin+balanced``."""
        return self.name if self.rules is None else f"{self.name}+{self.rules.name}"

    @property
    def guards(self) -> bool:
        """Whether it is meant to protect; the others are what protection is compared with."""
        return self.kind not in (UNHEDGED, STATIC, ORACLE) or self.rules is not None

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


def policies(settings: Settings, brain: Brain | None = None) -> dict[str, Policy]:
    """Return every policy by name, the plug-in with the parameters of `settings`.

    The network is among them when its weights come along: the core reads no files.
    """
    p = settings.plugin
    of_plugin = (
        p.horizon_min, p.enter_probability, p.release_horizon_min, p.release_probability, p.step,
        p.width, p.peak_release, p.tilt,
    )  # fmt: skip
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
            "margin-vol-safe", MARGIN_VOLATILITY,
            "the same, fitted like the plug-in; what is left when the forecast fails",
            SAFE_VOL_ON, SAFE_VOL_OFF, SAFE_DISTANCE,
        ),
        _policy(
            "plugin", PLUGIN, "keeps the probability of ruin inside a band", *of_plugin
        ),
        _policy("oracle", ORACLE, "knows onset and peak beforehand: the ceiling, not a policy"),
    ]  # fmt: skip
    if brain is not None:
        plain = _policy("network", NETWORK, "a network trained on the account itself", *of_plugin)
        known.append(replace(plain, weights=brain.weights, brain_id=brain.id))
    return {policy.name: policy for policy in known}


def policy_named(name: str, settings: Settings, brain: Brain | None = None) -> Policy:
    """Return one policy.

    Raises
    ------
    UsageError
        With the known names when there is no such policy.
    """
    known = policies(settings, brain)
    if name not in known:
        raise UsageError(f"there is no policy {name!r}", f"choose one of {', '.join(known)}")
    return known[name]


def with_rules(policy: Policy, rules: Rules | None) -> Policy:
    """Return the policy inside the user's rules.

    Raises
    ------
    UsageError
        For a static hedge: it is a smaller position, nothing that is traded.
    """
    if rules is not None and policy.free_ratio:
        raise UsageError(
            f"{policy.name} is a smaller position from the start, which rules cannot change",
            "combine rules with a policy that trades, or with unhedged",
        )
    return replace(policy, rules=rules)


@inlined_kernel
def decide(
    terms: Any, memory: float, signals: Singles, frame: int, now_ns: int, size: float,
    price: float, equity: float,
) -> tuple[float, float, float]:  # fmt: skip
    """Return the band (lo, hi), within [0, max_ratio], of one policy in one frame, and its memory.

    Parameters
    ----------
    terms
        A record of `terms.TERMS`: which policy, its parameters, and what stays fixed.
    memory
        What the policy returned as its memory last time, 0 at the beginning.
    signals, frame
        ``(N_SIGNALS, frame)`` and the frame's number.
    size
        Of the position, unsigned, in LTC.
    equity
        That backs the position, in USDT.
    """
    kind = terms.kind
    p = terms.parameters
    notional = size * price
    lo = 0.0
    hi = 0.0
    if kind == STATIC:
        lo = p[0]
        hi = p[0]
    elif kind == VOLATILITY_TARGET:
        lo, hi = volatility_target(p[0], p[1], signals, frame, equity / notional)
    elif kind == LARGE_MOVE:
        lo, hi, memory = large_move(p[0], p[1], memory, signals, frame, terms.side, now_ns)
    elif kind == HAZARD:
        lo, hi = proportional_hazard(p[0], p[1], signals, frame, terms.side)
    elif kind == MARGIN_VOLATILITY:
        lo, hi = margin_aware_volatility(p[0], p[1], p[2], terms, signals, frame, equity, notional)
    elif kind == PLUGIN:
        lo, hi = plugin_band(terms, signals, frame, size, equity, notional)
    elif kind == NETWORK:
        lo, hi = network_band(terms, signals, frame, size, equity, notional)
    elif kind == ORACLE:
        lo, hi = timing_oracle(signals, frame, terms.side)
    lo = min(max(lo, 0.0), terms.max_ratio)
    hi = min(max(hi, lo), terms.max_ratio)
    return lo, hi, memory

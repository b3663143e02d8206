"""The network policy: a small network that turns forecast and margin state into a band.

It knows nothing of the hedge that is there. It says a centre c and a half-width w, and whoever
calls moves the hedge to the nearest edge of ``[c - w, c + w]`` and no further: a no-transaction
band (Imaki et al. 2021, arXiv 2103.01775). What it was trained for is in
`litehedge.model.train_policy`.

All inputs are without dimension, bounded, and told from the side of the position: *ours* is the
squeeze that hurts it. A long and a short in mirrored markets therefore get the same band, but for
the maintenance that grows with price for one and shrinks for the other. An input that is not known
is 0, and the last input tells how many were not.

Where the network has nothing to go by (no forecast) or was never trained (a hedge whose profit does
not back the position), the plug-in policy answers.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from litehedge.hedge import signals as sg
from litehedge.hedge.costs import trade_cost
from litehedge.hedge.exposure import APART, REDUCED, hedged_distance
from litehedge.hedge.plugin import band as plugin_band
from litehedge.hedge.plugin import ruin_probability, safe_band
from litehedge.jit import kernel
from litehedge.margin.tiers import maintenance
from litehedge.squeeze.forecast import N_SEVERITY

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]

INPUTS: Final = (
    "distance to liquidation without hedge",
    "distance in units of volatility over 30 min",
    "distance in units of volatility over 240 min",
    "equity by notional",
    "equity by its value at the opening",
    "maintenance rate",
    "onset of our squeeze within 15 min",
    "onset of our squeeze within 60 min",
    "onset of our squeeze within 240 min",
    "onset of the other squeeze within 15 min",
    "onset of the other squeeze within 60 min",
    "onset of the other squeeze within 240 min",
    "median severity by distance",
    "severity at 90 % by distance",
    "severity at 99 % by distance",
    "before a squeeze",
    "in a squeeze",
    "after a squeeze",
    "minutes to the peak of our squeeze",
    "adverse move of 15 min in units of volatility",
    "volatility now by its slow level",
    "slow volatility",
    "funding that the position pays",
    "cost of a trade",
    "probability of liquidation within 240 min",
    "probability of liquidation within 240 min at half a hedge",
    "probability of liquidation within 30 min",
    "forecast lacks a feed",
    "confidence of the forecast",
    "risk budget",
    "the hedge is a smaller position",
    "inputs that are not known",
)
"""In this order; their meaning is fixed in `write_inputs`."""

# Where each of them is; onsets, severities and phases take three places.
DISTANCE, DISTANCE_30, DISTANCE_240, SHARE, KEPT, RATE = range(6)
ONSET, OTHER, SEVERE, PHASE = 6, 9, 12, 15
PEAK, MOVE, VOL_RATIO, SIGMA, FUNDING, COST, P_240, P_HALF, P_30 = range(18, 27)
DEGRADED, CONFIDENCE, BUDGET, SMALLER, UNKNOWN = range(27, 32)

N_INPUTS: Final = len(INPUTS)
HIDDEN: Final = 32
VERSION: Final = 1  # of the formulas
MOST: Final = 4.0  # bound of every input
SHAPES: Final = (
    ("w1", (N_INPUTS, HIDDEN)), ("b1", (HIDDEN,)), ("w2", (HIDDEN, HIDDEN)), ("b2", (HIDDEN,)),
    ("w3", (HIDDEN, 2)), ("b3", (2,)),
)  # fmt: skip
"""The weights, in this order one behind the other; products are ``x @ w + b``."""
N_WEIGHTS: Final = sum(int(np.prod(shape)) for _, shape in SHAPES)
REACH: Final = 0.75  # of centre and half-width beyond the middle of [0, 1]
LONG_MIN: Final = 240.0
SHORT_MIN: Final = 30.0

BUDGET_RANGE: Final = (0.2, 0.9)
"""The risk budgets that networks are trained for, as shares of the wallet."""


@dataclass(frozen=True, slots=True)
class Brain:
    """Trained weights under a name, from wherever they were kept.

    Shapes: `weights` ``(N_WEIGHTS,)`` float32, as `SHAPES` has them; all finite.
    """

    id: str
    weights: Singles

    def __post_init__(self) -> None:
        if self.weights.shape != (N_WEIGHTS,) or self.weights.dtype != np.float32:
            raise ValueError(f"the weights must be {N_WEIGHTS} float32 numbers")
        if not np.isfinite(self.weights).all():
            raise ValueError("the weights hold NaN or infinity")


def layout_hash() -> str:
    """Return a short hash that changes with inputs, their formulas, or the shape of the network."""
    text = f"{VERSION} {HIDDEN} {MOST} {REACH} {' | '.join(INPUTS)}"
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@kernel
def _put(inputs: Singles, i: int, value: float) -> int:
    """Write a bounded input; one that is not known becomes 0 and counts 1."""
    if np.isnan(value):
        inputs[i] = 0.0
        return 1
    inputs[i] = min(max(value, -MOST), MOST)
    return 0


@kernel
def _log(x: float, reference: float, floor: float) -> float:
    """Return log(x / reference), with x no less than `floor`; NaN stays NaN."""
    return x if np.isnan(x) else np.log(max(x, floor) / reference)


@kernel
def _logit(p: float) -> float:
    """Return the logit of a probability, bounded by 1e-5 on both sides; NaN stays NaN."""
    if np.isnan(p):
        return p
    p = min(max(p, 1e-5), 1.0 - 1e-5)
    return np.log(p / (1.0 - p))


@kernel
def write_inputs(
    terms: Any, signals: Singles, frame: int, size: float, equity: float, notional: float,
    inputs: Singles,
) -> None:  # fmt: skip
    """Write what the network sees in one frame, ``(N_INPUTS,)``, all of it finite.

    Parameters
    ----------
    size
        Of the position, unsigned, in LTC.
    equity, notional
        Of what backs the position, and of the position, in USDT.
    """
    side = terms.side
    risky = 0 if side > 0.0 else 1
    other = 1 - risky
    share = equity / notional
    rate = maintenance(notional, terms.tiers) / notional
    coupling = terms.coupling
    naked = hedged_distance(side, 0.0, share, rate, coupling)
    near = max(naked, 1e-3)
    vol_30 = signals[sg.VOL_30, frame]
    sigma = signals[sg.SIGMA, frame]
    vol_now = signals[sg.VOL_RULE, frame]
    lost = _put(inputs, DISTANCE, _log(naked, 0.1, 1e-3))
    lost += _put(inputs, DISTANCE_30, 0.7 * _log(near / (vol_30 * np.sqrt(SHORT_MIN)), 8.0, 1e-3))
    far = signals[sg.VOL_120, frame] * np.sqrt(LONG_MIN)
    lost += _put(inputs, DISTANCE_240, 0.7 * _log(near / far, 4.0, 1e-3))
    lost += _put(inputs, SHARE, _log(share, 0.1, 1e-3))
    lost += _put(inputs, KEPT, 4.0 * min(share * terms.leverage, 2.0) - 4.0)
    lost += _put(inputs, RATE, 2.0 * _log(rate, 0.008, 1e-4))
    for h in range(3):
        p = signals[sg.ONSET + 3 * risky + h, frame]
        lost += _put(inputs, ONSET + h, 0.5 * (_logit(p) + 4.0))
        p = signals[sg.ONSET + 3 * other + h, frame]
        lost += _put(inputs, OTHER + h, 0.5 * (_logit(p) + 4.0))
    first = sg.SEVERITY + risky * N_SEVERITY
    lost += _put(inputs, SEVERE, _log(signals[first + 1, frame] / near, 0.3, 1e-6))
    lost += _put(inputs, SEVERE + 1, _log(signals[first + 2, frame] / near, 0.6, 1e-6))
    lost += _put(inputs, SEVERE + 2, _log(signals[first + 4, frame] / near, 1.2, 1e-6))
    for k in range(3):
        lost += _put(inputs, PHASE + k, 2.0 * signals[sg.PHASE + k, frame])
    # Outside a squeeze nobody can say; that is no gap in knowledge.
    _put(inputs, PEAK, _log(signals[sg.PEAK + risky, frame] + 1.0, 30.0, 1.0))
    move = -side * signals[sg.MOVE_15M, frame] / (vol_now * np.sqrt(3.0))
    lost += _put(inputs, MOVE, move)
    lost += _put(inputs, VOL_RATIO, 1.5 * _log(vol_now / (sigma * np.sqrt(5.0)), 1.0, 1e-6))
    lost += _put(inputs, SIGMA, 1.5 * _log(sigma, 1e-3, 1e-6))
    lost += _put(inputs, FUNDING, side * signals[sg.FUNDING, frame] * 3e3)
    lost += _put(inputs, COST, 1.5 * _log(trade_cost(terms, signals, frame, size), 8e-4, 1e-6))
    p = ruin_probability(signals, frame, LONG_MIN, side, 0.0, share, 0.0, rate, coupling)
    lost += _put(inputs, P_240, 0.35 * (_logit(p) + 5.0))
    p = ruin_probability(signals, frame, LONG_MIN, side, 0.5, share, 0.0, rate, coupling)
    lost += _put(inputs, P_HALF, 0.35 * (_logit(p) + 5.0))
    p = ruin_probability(signals, frame, SHORT_MIN, side, 0.0, share, 0.0, rate, coupling)
    lost += _put(inputs, P_30, 0.35 * (_logit(p) + 5.0))
    inputs[DEGRADED] = 1.0 if signals[sg.STATE, frame] == 1.0 else 0.0
    lost += _put(inputs, CONFIDENCE, 2.0 * signals[sg.CONFIDENCE, frame] - 1.0)
    lost += _put(inputs, BUDGET, 4.0 * (terms.budget - 0.55))
    inputs[SMALLER] = 1.0 if coupling == REDUCED else 0.0
    inputs[UNKNOWN] = min(0.25 * lost, MOST)


@kernel
def outputs(weights: Singles, inputs: Singles, hidden: Singles) -> tuple[float, float]:
    """Return the two raw outputs of the network.

    Shapes: `weights` ``(N_WEIGHTS,)``; `inputs` ``(N_INPUTS,)``; `hidden` is scratch space
    ``(2, HIDDEN)``. Sums run over whole rows of weights, so that they need no reordering to be
    done several at once.
    """
    at = N_INPUTS * HIDDEN
    for j in range(HIDDEN):
        hidden[0, j] = weights[at + j]
    for i in range(N_INPUTS):
        x = inputs[i]
        for j in range(HIDDEN):
            hidden[0, j] += x * weights[i * HIDDEN + j]
    at += HIDDEN
    bias = at + HIDDEN * HIDDEN
    for j in range(HIDDEN):
        hidden[1, j] = weights[bias + j]
    for i in range(HIDDEN):
        x = max(hidden[0, i], np.float32(0.0))
        for j in range(HIDDEN):
            hidden[1, j] += x * weights[at + i * HIDDEN + j]
    at = bias + HIDDEN
    centre = weights[at + 2 * HIDDEN]
    width = weights[at + 2 * HIDDEN + 1]
    for i in range(HIDDEN):
        x = max(hidden[1, i], np.float32(0.0))
        centre += x * weights[at + 2 * i]
        width += x * weights[at + 2 * i + 1]
    return centre, width


@kernel
def spread(centre: float, width: float) -> tuple[float, float]:
    """Return the edges of two raw outputs, before they are cut to [0, 1]."""
    middle = 0.5 + REACH * np.tanh(centre)
    half = REACH / (1.0 + np.exp(-width))
    return middle - half, middle + half


@kernel
def edges(centre: float, width: float) -> tuple[float, float]:
    """Return the band of two raw outputs, within [0, 1]."""
    lo, hi = spread(centre, width)
    return min(max(lo, 0.0), 1.0), min(max(hi, 0.0), 1.0)


@kernel
def band(
    terms: Any, signals: Singles, frame: int, size: float, equity: float, notional: float
) -> tuple[float, float]:
    """Return the network's (lo, hi) for the hedge ratio; see `plugin.band` for the arguments."""
    if signals[sg.STATE, frame] >= 2.0 or np.isnan(signals[sg.VOL_30, frame]):
        return safe_band(terms, signals, frame, equity, notional)
    if terms.coupling == APART:
        return plugin_band(terms, signals, frame, size, equity, notional)
    inputs = np.empty(N_INPUTS, dtype=np.float32)
    hidden = np.empty((2, HIDDEN), dtype=np.float32)
    write_inputs(terms, signals, frame, size, equity, notional, inputs)
    centre, width = outputs(terms.weights, inputs, hidden)
    return edges(centre, width)

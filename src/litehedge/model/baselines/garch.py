"""Volatility that is forecast, and how far it is from the move that a task asks about.

EWMA: squared returns (or squared ranges), forgotten exponentially. GJR-GARCH-t: fitted with `arch`
on training returns, then filtered forward with fixed parameters,

    h_{i+1} = omega + (alpha + gamma [r_i < 0]) r_i^2 + beta h_i

(Glosten, Jagannathan and Runkle 1993). Over a gap or a missing price the return is replaced by
its expectation. The score of a frame is x = log(needed move / forecast volatility), with the
chance of first passage of a driftless walk, 2 Phi(-exp x), as a second term.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import erfc
from typing import Final

import numpy as np
from numpy.typing import NDArray

from litehedge.features import vector as fv
from litehedge.features.trigger import MOVE_MINUTES, frames_per, threshold
from litehedge.features.windows import decay_of_half_life
from litehedge.jit import kernel
from litehedge.market import schema as sc
from litehedge.model.baselines.part import Parameters, Part, Progress
from litehedge.model.baselines.scored import ScoredBaseline, both_sides
from litehedge.model.optional import train_module
from litehedge.squeeze.times import (
    PERCENT,
    SIGMA_HALF_LIFE_DAYS,
    SIGMA_MINUTES,
    SIGMA_WARM_DAYS,
    SIGMAS,
    weekly_sigma,
)
from litehedge.units import MINUTES_PER_DAY

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

EWMA_HALF_LIVES_MIN: Final = (5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 320.0, 640.0)
GARCH_HORIZONS_MIN: Final = (5.0, 15.0, 30.0, 60.0, 120.0, 240.0)
PASSAGE_MIN: Final = 60.0
MAX_GARCH_RETURNS: Final = 150_000
PARKINSON: Final = 1.0 / (4.0 * np.log(2.0))
LEAST_VARIANCE: Final = 1e-12  # per frame: a hundredth of a basis point, squared


def returns_of(part: Part) -> Floats:
    """Return the log return of each frame, ``(frame,)``; NaN after a gap or without a price."""
    log = np.log(part.values[:, sc.CLOSE])
    returns = np.diff(log, prepend=np.nan)
    returns[part.steps() != 1] = np.nan
    return returns


def needed_move(part: Part, task: str) -> Floats:
    """Return the log move that the task asks about, ``(frame,)``; NaN while not warm."""
    n = part.end_ns.size
    if task == "percent":
        return np.full(n, np.log1p(PERCENT))
    if task == "squeeze":
        sigma = np.exp(part.features[:, fv.LOG_SIGMA])
        minutes = max(MOVE_MINUTES, part.minutes)
        return np.array([threshold(s, minutes) for s in sigma])
    out = np.full(n, np.nan)
    decay = decay_of_half_life(SIGMA_HALF_LIFE_DAYS * MINUTES_PER_DAY / part.minutes)
    warm = frames_per(SIGMA_WARM_DAYS * MINUTES_PER_DAY, part.minutes)
    for segment in part.segments():
        log = np.log(np.ascontiguousarray(part.values[segment, sc.CLOSE]))
        out[segment] = weekly_sigma(log, decay, warm)
    return SIGMAS * np.sqrt(SIGMA_MINUTES / part.minutes) * out


def passage_score(part: Part, task: str, variance: Floats) -> Floats:
    """Return the score ``(frame, side, 2)`` of a forecast variance per frame ``(frame,)``."""
    over = variance * PASSAGE_MIN / part.minutes
    x = np.log(needed_move(part, task) / np.sqrt(np.maximum(over, LEAST_VARIANCE)))
    chance = np.empty(x.size)
    _passage_logits(x, chance)
    return both_sides(np.stack([x, chance], axis=1))


@kernel
def _passage_logits(x: Floats, out: Floats) -> None:
    for i in range(x.size):
        p = min(max(erfc(np.exp(min(x[i], 10.0)) / np.sqrt(2.0)), 1e-6), 1.0 - 1e-6)
        out[i] = np.log(p / (1.0 - p)) if not np.isnan(x[i]) else np.nan


@kernel
def ewma(squares: Floats, decay: float) -> Floats:
    """Return the exponentially weighted mean so far, ``(frame,)``; NaN counts as not seen."""
    out = np.full(squares.size, np.nan)
    weight = 0.0
    total = 0.0
    for i in range(squares.size):
        if not np.isnan(squares[i]):
            weight = decay * weight + 1.0
            total = decay * total + squares[i]
        if weight > 0.0:
            out[i] = total / weight
    return out


@kernel
def gjr_variance(
    returns: Floats, steps: Ints, omega: float, alpha: float, gamma: float, beta: float,
    start: float,
) -> Floats:  # fmt: skip
    """Return the variance of the next frame's return as known at the end of each frame.

    Shapes: `returns` ``(frame,)``, NaN where unknown; `steps` frames since the one before.
    `start` is the variance of the first return.
    """
    out = np.empty(returns.size)
    h = start
    kept = alpha + 0.5 * gamma + beta
    for i in range(returns.size):
        if np.isnan(returns[i]):
            for _ in range(min(max(steps[i], 1), 1000)):
                h = omega + kept * h
        else:
            square = returns[i] * returns[i]
            h = omega + (alpha + (gamma if returns[i] < 0.0 else 0.0)) * square + beta * h
        out[i] = h
    return out


class Ewma(ScoredBaseline):
    """Exponentially weighted volatility against the move that is needed."""

    name = "EWMA"

    def candidates(self) -> list[Parameters]:
        """Return half-lives, of squared returns and of squared ranges (Parkinson)."""
        return [
            {"of": of, "half_life_min": minutes}
            for of in ("returns", "ranges")
            for minutes in EWMA_HALF_LIVES_MIN
        ]

    def score(self, part: Part, task: str, parameters: Parameters) -> Floats:
        """Return distance and chance of passage."""
        if parameters["of"] == "returns":
            squares = returns_of(part) ** 2
        else:
            squares = np.log(part.values[:, sc.HIGH] / part.values[:, sc.LOW]) ** 2 * PARKINSON
        decay = decay_of_half_life(float(parameters["half_life_min"]) / part.minutes)
        return passage_score(part, task, ewma(squares, decay))


@dataclass(frozen=True, slots=True)
class Gjr:
    """Parameters of a GJR-GARCH(1, 1, 1) with Student's t, for returns as they are."""

    omega: float
    alpha: float
    gamma: float
    beta: float
    freedom: float

    @property
    def kept(self) -> float:
        """Share of a variance that is expected to be left a frame later."""
        return self.alpha + 0.5 * self.gamma + self.beta

    @property
    def usual(self) -> float:
        """Variance in the long run."""
        return self.omega / max(1.0 - self.kept, 1e-6)

    def mean_variance(self, part: Part, horizon_min: float) -> Floats:
        """Return the mean variance per frame over the horizon, ``(frame,)``."""
        ahead = gjr_variance(
            returns_of(part), part.steps(), self.omega, self.alpha, self.gamma, self.beta,
            self.usual,
        )  # fmt: skip
        n = max(horizon_min / part.minutes, 1.0)
        kept = min(self.kept, 1.0 - 1e-6)
        return self.usual + (ahead - self.usual) * (1.0 - kept**n) / (n * (1.0 - kept))


def fit_gjr(returns: Floats) -> Gjr:
    """Fit by maximum likelihood with `arch`; returns ``(frame,)`` without NaN.

    Raises
    ------
    UsageError
        When the ``train`` extra is not installed.
    """
    scale = float(returns.std())
    model = train_module("arch").arch_model(
        returns / scale, mean="Zero", vol="GARCH", p=1, o=1, q=1, dist="t", rescale=False
    )
    found = model.fit(disp="off", show_warning=False).params
    omega, alpha, gamma, beta, freedom = (float(value) for value in found.to_numpy())
    return Gjr(omega * scale**2, alpha, gamma, beta, freedom)


class Garch(ScoredBaseline):
    """Variance that GJR-GARCH-t expects over a horizon, against the move that is needed.

    Fitted on the latest `MAX_GARCH_RETURNS` returns of each training part; the fits, like the
    horizons, are candidates.
    """

    name = "GJR-GARCH-t"

    def __init__(self) -> None:
        super().__init__()
        self.fits: list[Gjr] = []

    def prepare(self, train: list[Part], say: Progress) -> None:
        """Fit the recursion to each part."""
        self.fits = []
        for part in train:
            say(f"{self.name}: {part.end_ns.size} frames")
            returns = returns_of(part)
            self.fits.append(fit_gjr(returns[np.isfinite(returns)][-MAX_GARCH_RETURNS:]))

    def candidates(self) -> list[Parameters]:
        """Return fits and horizons."""
        return [
            {"fit": float(i), "horizon_min": h}
            for i in range(len(self.fits))
            for h in GARCH_HORIZONS_MIN
        ]

    def score(self, part: Part, task: str, parameters: Parameters) -> Floats:
        """Return distance and chance of passage."""
        fit = self.fits[int(parameters["fit"])]
        return passage_score(part, task, fit.mean_variance(part, float(parameters["horizon_min"])))

"""Self-excitation: each past trigger of either side raises the intensity of the next.

Two point processes, triggers by a fall and by a rise, with exponential kernels,

    lambda_s(t) = mu_s + sum_r alpha_sr sum_{t_i of r, t_i < t} beta_s exp(-beta_s (t - t_i))

(Hawkes 1971). `alpha_sr` is the number of triggers of s that one of r brings on average. The
likelihood is exact for times at frame ends; stretches that were not seen add no expectation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from litehedge.features import vector as fv
from litehedge.jit import kernel
from litehedge.model.baselines.part import Parameters, Part, Progress
from litehedge.model.baselines.scored import ScoredBaseline
from litehedge.model.optional import train_module

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

LEVELS: Final = (0.25, 0.5, 1.0)
HALF_LIVES_MIN: Final = (60.0, 240.0, 720.0)
BOUNDS: Final = ((-16.0, 0.0), (-9.0, 1.0), (-9.0, 1.0), (-9.0, 1.0))
"""Of log mu (per minute), log alpha of the own and the other side, log beta (per minute)."""


@dataclass(frozen=True, slots=True)
class Kernel:
    """Of one side: base rate per minute, triggers per trigger of each side, decay per minute."""

    mu: float
    alpha: tuple[float, float]
    beta: float


def triggers(part: Part, level: float, first_only: bool) -> Bools:
    """Return where the move of 15 minutes is beyond `level` of the trigger, ``(frame, side)``.

    `first_only` keeps the first frame of each run.
    """
    columns = [fv.INDEX["squeezing_down"], fv.INDEX["squeezing_up"]]
    beyond = np.nan_to_num(part.features[:, columns]) >= level
    if first_only:
        beyond[1:] &= ~beyond[:-1]
    return beyond


@kernel
def log_likelihood(
    events: Bools, elapsed_min: Floats, seen: Bools, side: int, mu: float, alpha_long: float,
    alpha_short: float, beta: float,
) -> float:  # fmt: skip
    """Return the log-likelihood of one side's triggers.

    Shapes: `events` ``(frame, side)`` at frame ends; `elapsed_min` ``(frame,)`` since the frame
    before; `seen` whether that time was watched.
    """
    total = 0.0
    long = 0.0
    short = 0.0
    last_elapsed = -1.0
    kept = 1.0
    for i in range(events.shape[0]):
        if elapsed_min[i] != last_elapsed:
            last_elapsed = elapsed_min[i]
            kept = np.exp(-beta * last_elapsed)
        if seen[i]:
            total -= mu * elapsed_min[i] + (alpha_long * long + alpha_short * short) * (1.0 - kept)
        long *= kept
        short *= kept
        if seen[i] and events[i, side]:
            total += np.log(mu + beta * (alpha_long * long + alpha_short * short))
        if events[i, 0]:
            long += 1.0
        if events[i, 1]:
            short += 1.0
    return total


@kernel
def intensity(
    events: Bools, elapsed_min: Floats, mu: float, alpha_long: float, alpha_short: float,
    beta: float,
) -> Floats:  # fmt: skip
    """Return the intensity per minute after each frame and its triggers, ``(frame,)``."""
    out = np.empty(events.shape[0])
    long = 0.0
    short = 0.0
    for i in range(events.shape[0]):
        kept = np.exp(-beta * elapsed_min[i])
        long = long * kept + (1.0 if events[i, 0] else 0.0)
        short = short * kept + (1.0 if events[i, 1] else 0.0)
        out[i] = mu + beta * (alpha_long * long + alpha_short * short)
    return out


def fit_kernel(
    events: list[Bools], elapsed_min: list[Floats], seen: list[Bools], side: int,
    beta: float | None = None,
) -> Kernel:  # fmt: skip
    """Fit one side by maximum likelihood, of several markets at once; `beta` may be given.

    Raises
    ------
    UsageError
        When the ``train`` extra is not installed.
    """
    minutes = sum(float(e[s].sum()) for e, s in zip(elapsed_min, seen, strict=True))
    count = sum(int(one[:, side].sum()) for one in events)

    def loss(x: Floats) -> float:
        mu, long, short, decay = np.exp(x)
        if beta is not None:
            decay = beta
        return -sum(
            log_likelihood(one, elapsed, watched, side, mu, long, short, decay)
            for one, elapsed, watched in zip(events, elapsed_min, seen, strict=True)
        ) / max(count, 1)

    rate = max(count, 1) / max(minutes, 1.0)
    start = np.log([0.3 * rate, 0.4, 0.2, beta if beta is not None else 1.0 / 60.0])
    found = train_module("scipy.optimize").minimize(loss, start, method="L-BFGS-B", bounds=BOUNDS)
    mu, long, short, decay = (float(value) for value in np.exp(found.x))
    return Kernel(mu, (long, short), beta if beta is not None else decay)


class Hawkes(ScoredBaseline):
    """Log intensity of both sides' triggers."""

    name = "Hawkes"

    def __init__(self) -> None:
        super().__init__()
        self.kernels: dict[tuple[float, str, float | str], list[Kernel]] = {}

    def candidates(self) -> list[Parameters]:
        """Return what counts as a trigger, and half-lives: fitted or given."""
        return [
            {"level": level, "triggers": which, "half_life_min": half_life}
            for level in LEVELS
            for which in ("first", "all")
            for half_life in ("fitted", *HALF_LIVES_MIN)
        ]

    def prepare(self, train: list[Part], say: Progress) -> None:
        """Fit all candidates."""
        elapsed = [part.elapsed_min() for part in train]
        seen = [part.steps() == 1 for part in train]
        for parameters in self.candidates():
            say(f"{self.name}: {parameters['level']} of a trigger")
            events = [_events(part, parameters) for part in train]
            half_life = parameters["half_life_min"]
            beta = None if isinstance(half_life, str) else float(np.log(2.0) / half_life)
            self.kernels[_key(parameters)] = [
                fit_kernel(events, elapsed, seen, side, beta) for side in range(2)
            ]

    def score(self, part: Part, task: str, parameters: Parameters) -> Floats:
        """Return the log intensities of the own and of the other side."""
        events = _events(part, parameters)
        elapsed = part.elapsed_min()
        log = np.stack(
            [np.log(intensity(events, elapsed, k.mu, *k.alpha, k.beta))
             for k in self.kernels[_key(parameters)]], axis=1,
        )  # fmt: skip
        return np.stack([log, log[:, ::-1]], axis=2)


def _events(part: Part, parameters: Parameters) -> Bools:
    return triggers(part, float(parameters["level"]), parameters["triggers"] == "first")


def _key(parameters: Parameters) -> tuple[float, str, float | str]:
    return (
        float(parameters["level"]), str(parameters["triggers"]), parameters["half_life_min"]
    )  # fmt: skip

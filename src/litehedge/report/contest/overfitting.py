"""How much of a best result is the luck of having tried many: PBO and the deflated Sharpe ratio.

Both count every combination of parameters that was ever tried, not the winner alone.

- **PBO**, the probability of backtest overfitting: weeks are cut into stretches; half of them
  choose the best trial, the other half judge it; over all ways to choose the halves, the share in
  which the chosen one is below the median of all trials there. Bailey, Borwein, Lopez de Prado and
  Zhu, "The probability of backtest overfitting", Journal of Computational Finance 20 (2017):
  combinatorially symmetric cross-validation.
- **Deflated Sharpe ratio**: the probability that the true Sharpe ratio is above what the best of N
  worthless trials would show by luck, given length, skew and fat tails of the returns. Bailey and
  Lopez de Prado, "The deflated Sharpe ratio", Journal of Portfolio Management 40 (2014).

Sharpe ratios are per week: mean over standard deviation.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import NormalDist
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

STRETCHES: Final = 16
LEAST_WEEKS: Final = 4
"""In a stretch; shorter spans are cut into fewer, and into less than four not at all."""
_EULER: Final = float(np.euler_gamma)


@dataclass(frozen=True, slots=True)
class Trials:
    """What every trial returned in the same weeks.

    Shapes: `opens_ns` ``(week,)``; `returns` ``(week, trial)``, in wallets.
    """

    names: Sequence[str]
    opens_ns: NDArray[np.int64]
    returns: Floats


@dataclass(frozen=True, slots=True)
class Overfitting:
    """The probability of overfitting, and from what it was counted; NaN from too few weeks."""

    pbo: float
    trials: int
    weeks: int
    stretches: int
    ways: int  # to choose half of the stretches


def sharpe(returns: Floats) -> Floats:
    """Return mean over standard deviation of each column, ``(trial,)``; 0 where nothing moved."""
    deviation = returns.std(axis=0)
    moved = deviation > 0.0
    return np.where(moved, returns.mean(axis=0) / np.where(moved, deviation, 1.0), 0.0)


def probability_of_overfitting(returns: Floats, stretches: int = STRETCHES) -> Overfitting:
    """Return the PBO of choosing by the Sharpe ratio of a week.

    A tie within the judged half counts half: identical trials have a PBO of about one half.

    Shapes: `returns` ``(week, trial)``.
    """
    weeks, trials = returns.shape
    cut = min(stretches, 2 * (weeks // (2 * LEAST_WEEKS)))
    if cut < 4 or trials < 2:
        return Overfitting(float("nan"), trials, weeks, 0, 0)
    parts = np.array_split(returns, cut)
    size = np.array([part.shape[0] for part in parts], dtype=np.float64)
    sums = np.stack([part.sum(axis=0) for part in parts])
    squares = np.stack([(part**2).sum(axis=0) for part in parts])
    halves = np.array(list(combinations(range(cut), cut // 2)))
    chosen = np.zeros((halves.shape[0], cut))
    np.put_along_axis(chosen, halves, 1.0, axis=1)
    inside = _sharpes(chosen, size, sums, squares)
    outside = _sharpes(1.0 - chosen, size, sums, squares)
    best = inside.argmax(axis=1)
    judged = outside[np.arange(best.size), best][:, np.newaxis]
    rank = (outside < judged).sum(axis=1) + 0.5 * ((outside == judged).sum(axis=1) + 1.0)
    middle = 0.5 * (trials + 1)
    below = (rank < middle).mean() + 0.5 * (rank == middle).mean()
    return Overfitting(float(below), trials, weeks, cut, halves.shape[0])


def _sharpes(chosen: Floats, size: Floats, sums: Floats, squares: Floats) -> Floats:
    """Return the Sharpe ratios over the chosen stretches, ``(way, trial)``."""
    n = (chosen @ size)[:, np.newaxis]
    mean = chosen @ sums / n
    variance = np.maximum(chosen @ squares / n - mean**2, 0.0)
    moved = variance > 1e-18
    return np.where(moved, mean / np.sqrt(np.where(moved, variance, 1.0)), 0.0)


def luckiest_sharpe(trials: int, spread: float) -> float:
    """Return the Sharpe ratio that the best of so many worthless trials is expected to show.

    Parameters
    ----------
    spread
        Standard deviation of the Sharpe ratios over the trials.
    """
    if trials < 2:
        return 0.0
    normal = NormalDist()
    return spread * (
        (1.0 - _EULER) * normal.inv_cdf(1.0 - 1.0 / trials)
        + _EULER * normal.inv_cdf(1.0 - 1.0 / (trials * math.e))
    )


def deflated_sharpe(returns: Floats, trials: int, spread: float) -> float:
    """Return the probability that the Sharpe ratio of one policy is more than luck.

    NaN with less than three weeks, or when nothing moved. Shapes: `returns` ``(week,)``.
    """
    deviation = returns.std()
    if returns.size < 3 or deviation == 0.0:
        return float("nan")
    ratio = float(returns.mean() / deviation)
    units = (returns - returns.mean()) / deviation
    skew, kurtosis = float((units**3).mean()), float((units**4).mean())
    noise = 1.0 - skew * ratio + (kurtosis - 1.0) / 4.0 * ratio**2
    if noise <= 0.0:
        return float("nan")
    above = (ratio - luckiest_sharpe(trials, spread)) * math.sqrt(returns.size - 1)
    return NormalDist().cdf(above / math.sqrt(noise))


@dataclass(frozen=True, slots=True)
class Verdict:
    """PBO of the trials and of the compared policies, and every policy's deflated Sharpe ratio.

    `trials` counts everything that was tried: those of the file and those of the comparison.
    """

    trials: int
    tried: Overfitting | None
    compared: Overfitting
    sharpes: dict[str, float]
    deflated: dict[str, float]


def verdict(compared: Trials, tried: Trials | None) -> Verdict:
    """Judge the policies of a comparison, given what was tried before.

    The spread of Sharpe ratios is that of all trials, each on the weeks on which it was tried.
    """
    ratios = sharpe(compared.returns)
    everything = ratios if tried is None else np.concatenate((sharpe(tried.returns), ratios))
    spread = float(everything.std(ddof=1)) if everything.size > 1 else 0.0
    return Verdict(
        int(everything.size),
        None if tried is None else probability_of_overfitting(tried.returns),
        probability_of_overfitting(compared.returns),
        dict(zip(compared.names, ratios.tolist(), strict=True)),
        {
            name: deflated_sharpe(compared.returns[:, i], int(everything.size), spread)
            for i, name in enumerate(compared.names)
        },
    )

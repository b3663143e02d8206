"""What a probability is made of: Shapley values over feature families.

A family is absent when its feeds are: over the whole window that the network looks back on, its
inputs count as missing. The value of a set of families is the probability with all others absent,
and the Shapley value of a family is what it adds, averaged over every order in which families can
join. Exact up to `EXACT_FAMILIES` families; above, over sampled orders, each with its reverse.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from math import comb
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Inputs = NDArray[np.floating[Any]]

Probability = Callable[[Inputs], Floats]
"""From windows ``(batch, frame, 2n)`` to P(onset within 30 minutes) ``(batch, side)``."""

EXACT_FAMILIES: Final = 6
PAIRS: Final = 8
BATCH: Final = 32
POINTS: Final = 100.0


@dataclass(frozen=True, slots=True)
class Attribution:
    """Percentage points of probability by family.

    Shapes: `points` ``(family, side)``; `remainder`, `probability`, `masked` ``(side,)``.
    `masked` is the probability with every family absent, as a fraction like `probability`.
    `remainder` is what the window does not explain (what the network remembers of earlier
    frames), so that points and remainder sum to 100 (probability - masked).
    """

    families: tuple[str, ...]
    points: Floats
    remainder: Floats
    probability: Floats
    masked: Floats

    def ranked(self, side: int) -> list[tuple[str, float]]:
        """Return the families of one side with their points, the largest effect first."""
        order = np.argsort(-np.abs(self.points[:, side]), kind="stable")
        return [(self.families[i], float(self.points[i, side])) for i in order.tolist()]


def attribute(
    probability: Probability,
    window: Inputs,
    family: Ints,
    names: tuple[str, ...],
    *,
    seed: int,
    pairs: int = PAIRS,
    served: Floats | None = None,
) -> Attribution:
    """Attribute the probability of a frame to the families of the model.

    Families that are absent throughout the window get zero and cost nothing.

    Parameters
    ----------
    window
        Inputs ``(frame, 2n)`` of the last frames, values beside masks of missing, oldest first.
    family, names
        The family of each input ``(n,)`` as an index into `names`.
    pairs
        How many orders are drawn, each used forward and backward, beyond `EXACT_FAMILIES`.
    served
        The forecast's own probability ``(side,)``, which remembers more than the window. Without
        it, that of the window counts.

    Raises
    ------
    ValueError
        When `window` does not have two columns per input.
    """
    n = family.size
    if window.ndim != 2 or window.shape[1] != 2 * n:
        raise ValueError(f"a window of shape {window.shape} does not hold {n} inputs and masks")
    members = np.unique(family)
    active = [f for f in members.tolist() if not (window[:, n:][:, family == f] == 1.0).all()]
    values = _Values(probability, window, family, active)
    if len(active) <= EXACT_FAMILIES:
        shares = _exact(values, len(active))
    else:
        shares = _sampled(values, len(active), pairs, np.random.default_rng(seed))
    points = np.zeros((members.size, shares.shape[1]))
    points[np.isin(members, active)] = POINTS * shares
    masked, full = values[0], values[(1 << len(active)) - 1]
    whole = full if served is None else served
    remainder = POINTS * (whole - masked) - points.sum(axis=0)
    return Attribution(tuple(names[f] for f in members.tolist()), points, remainder, whole, masked)


class _Values:
    """Probabilities of sets of families (bit i: family ``active[i]`` is present), each once."""

    def __init__(
        self, probability: Probability, window: Inputs, family: Ints, active: list[int]
    ) -> None:
        self._probability = probability
        self._window = window
        self._family = family
        self._active = np.array(active, dtype=np.int64)
        self._known: dict[int, Floats] = {}

    def ask(self, sets: list[int]) -> None:
        """Evaluate what is not known yet, in batches."""
        new = [s for s in dict.fromkeys(sets) if s not in self._known]
        for at in range(0, len(new), BATCH):
            some = new[at : at + BATCH]
            batch = np.repeat(self._window[np.newaxis], len(some), axis=0)
            for row, present in zip(batch, some, strict=True):
                bits = (present >> np.arange(self._active.size)) & 1
                absent = np.isin(self._family, self._active[bits == 0])
                row[:, : absent.size][:, absent] = 0.0
                row[:, absent.size :][:, absent] = 1.0
            for s, value in zip(some, self._probability(batch), strict=True):
                self._known[s] = np.array(value, dtype=np.float64)

    def __getitem__(self, present: int) -> Floats:
        self.ask([present])
        return self._known[present]


def _exact(values: _Values, n: int) -> Floats:
    """Return Shapley values ``(family, side)`` from all sets of families."""
    values.ask(list(range(1 << n)))
    out = np.zeros((n, values[0].size))
    for present in range(1 << n):
        for i in range(n):
            if not present >> i & 1:
                weight = 1.0 / (n * comb(n - 1, present.bit_count()))
                out[i] += weight * (values[present | 1 << i] - values[present])
    return out


def _sampled(values: _Values, n: int, pairs: int, rng: np.random.Generator) -> Floats:
    """Return what each family adds on average over sampled orders and their reverses."""
    orders = []
    for _ in range(pairs):
        order = rng.permutation(n).tolist()
        orders += [order, order[::-1]]
    chains = []
    for order in orders:
        chain = [0]
        for i in order:
            chain.append(chain[-1] | 1 << i)
        chains.append(chain)
    values.ask([present for chain in chains for present in chain])
    out = np.zeros((n, values[0].size))
    for order, chain in zip(orders, chains, strict=True):
        for i, (before, after) in zip(order, pairwise(chain), strict=True):
            out[i] += (values[after] - values[before]) / len(orders)
    return out

"""Streaming statistics with O(1) work per observation, on plain arrays.

Every statistic is a few rows of a float array that its owner allocates; NaN means "not warm".
A missing observation (NaN) leaves a statistic as it was.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from litehedge.jit import kernel

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def decay_of_half_life(observations: float) -> float:
    """Return the factor by which a weight falls per observation, given its half-life."""
    return float(0.5 ** (1.0 / observations))


def decay_of_span(observations: float) -> float:
    """Return the factor of an exponential mean with the given span (1 - 2 / (span + 1))."""
    return 1.0 - 2.0 / (observations + 1.0)


@kernel
def mean_push(table: Floats, i: int, x: float, decay: float) -> None:
    """Add `x` to exponentially weighted mean number `i`.

    The weights are normalised by their own sum, so that early values are unbiased.

    Shapes: `table` ``(mean, 3)``: weighted sum, sum of weights, number of observations. Tables go
    whole into these kernels, because a view of a row costs more than the arithmetic.
    """
    if np.isnan(x):
        return
    table[i, 0] = decay * table[i, 0] + x
    table[i, 1] = decay * table[i, 1] + 1.0
    table[i, 2] += 1.0


@kernel
def mean_get(table: Floats, i: int, warm: float) -> float:
    """Return mean number `i`, NaN before `warm` observations."""
    if table[i, 2] < warm:
        return np.nan
    return table[i, 0] / table[i, 1]


@kernel
def ring_push(rings: Floats, i: int, count: int, x: float) -> None:
    """Write observation number `count` (from 0) into ring buffer `i`.

    Shapes: `rings` ``(ring, capacity)``; the capacity is a power of two, so that the slot is a
    mask and not a division.
    """
    rings[i, count & (rings.shape[1] - 1)] = x


@kernel
def ring_get(rings: Floats, i: int, count: int, lag: int) -> float:
    """Return what ring `i` saw `lag` observations before number `count`, NaN if nothing."""
    if lag > count or lag >= rings.shape[1]:
        return np.nan
    return rings[i, (count - lag) & (rings.shape[1] - 1)]


@kernel
def extreme_push(
    values: Floats, numbers: Ints, ends: Ints, i: int, count: int, x: float, window: int,
    sign: float,
) -> float:  # fmt: skip
    """Add observation number `count` to sliding maximum (sign 1) or minimum (sign -1) `i`.

    A monotonic queue: amortised O(1).

    Shapes: `values` and `numbers` ``(queue, capacity)`` with capacity a power of two >= `window`;
    `ends` ``(queue, 2)``: first and one past last slot, both counted without wrapping.

    Returns
    -------
    float
        The extreme of the last `window` observations, NaN before there are that many.
    """
    mask = values.shape[1] - 1
    head = ends[i, 0]
    tail = ends[i, 1]
    while tail > head and numbers[i, head & mask] <= count - window:
        head += 1
    while tail > head and sign * values[i, (tail - 1) & mask] <= sign * x:
        tail -= 1
    values[i, tail & mask] = x
    numbers[i, tail & mask] = count
    tail += 1
    ends[i, 0] = head
    ends[i, 1] = tail
    if count + 1 < window:
        return np.nan
    return values[i, head & mask]

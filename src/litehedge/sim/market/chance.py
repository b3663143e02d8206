"""Chance that is a function of (seed, second): futures that branch share it, what-ifs too.

SplitMix64 (Steele, Lea, Flood 2014), started anew for each second of the world.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from litehedge.jit import kernel

Chance = NDArray[np.uint64]
"""``(1,)``: the state of the generator."""


@kernel
def start_second(chance: Chance, seed: int, second: int) -> None:
    """Begin the stream of one second of one world."""
    chance[0] = np.uint64(seed) * np.uint64(0xD1342543DE82EF95) + np.uint64(second) * np.uint64(
        0xA24BAED4963EE407
    )


@kernel
def uniform(chance: Chance) -> float:
    """Return a number inside (0, 1)."""
    chance[0] += np.uint64(0x9E3779B97F4A7C15)
    z = chance[0]
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z = z ^ (z >> np.uint64(31))
    return (float(z >> np.uint64(11)) + 0.5) * (1.0 / 9007199254740992.0)


@kernel
def normals(chance: Chance) -> tuple[float, float]:
    """Return two independent standard normals (Box and Muller)."""
    radius = math.sqrt(-2.0 * math.log(uniform(chance)))
    angle = 2.0 * math.pi * uniform(chance)
    return radius * math.cos(angle), radius * math.sin(angle)


@kernel
def pareto(chance: Chance, smallest: float, exponent: float) -> float:
    """Return a Pareto-distributed size."""
    return smallest * uniform(chance) ** (-1.0 / exponent)

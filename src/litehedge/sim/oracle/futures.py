"""Many futures of one world: the same state, other chance."""

from __future__ import annotations

from typing import Any, Final

import numba
import numpy as np
from numpy.typing import NDArray

from litehedge.jit import kernel, parallel_kernel
from litehedge.sim.market.chance import start_second, uniform
from litehedge.sim.market.parameters import REGIMES
from litehedge.sim.market.recording import ATOM
from litehedge.sim.market.second import PUSH
from litehedge.sim.market.state import Floats, World
from litehedge.sim.market.step import NO_SHOCKS, NOBODY, run_seconds

NO_ORDERS: Final = np.zeros(0)
BRANCHES: Final = 0x0AC1E0AC1E


@kernel
def branch_seeds(seed: int, second: int, branches: int) -> NDArray[np.int64]:
    """Return the seeds of the branches of a world at an instant, ``(branch,)``.

    None of them is its own. Other instants have others, else their futures would share chance.
    """
    chance = np.empty(1, np.uint64)
    start_second(chance, seed ^ BRANCHES, second)
    seeds = np.empty(branches, np.int64)
    for b in range(branches):
        seeds[b] = int(uniform(chance) * 2.0**52)
        if seeds[b] == seed:
            seeds[b] += 1
    return seeds


def futures(
    world: World,
    seeds: NDArray[np.int64],
    seconds: int,
    *,
    atom_s: int = 60,
    shocks: NDArray[np.void] = NO_SHOCKS,
    own_usdt: Floats = NO_ORDERS,
) -> NDArray[np.void]:
    """Let a world go on in several ways. Return their records, `ATOM` ``(branch, atom)``.

    The world itself stays where it is. Chance is a function of (seed, second), so that two calls
    with the same seeds compare like with like: with an order of ours and without it, say. The
    branches run on all cores; each gives the same bytes as `run_world` of a copy with that seed.

    Parameters
    ----------
    seeds
        ``(branch,)``.
    seconds, atom_s, shocks, own_usdt
        As `run_world` takes them.
    """
    if atom_s < 1 or 60 % atom_s or seconds % atom_s:
        raise ValueError(f"{seconds} s are not whole atoms of {atom_s} s that make up minutes")
    atoms = np.zeros((seeds.size, seconds // atom_s), dtype=ATOM)
    _branch(
        world.parameters, world.state, world.mass, world.scale, world.total, world.mix, REGIMES,
        shocks, np.zeros(1, dtype=PUSH), seeds, world.second, seconds, atom_s, own_usdt, atoms,
    )  # fmt: skip
    return atoms


@parallel_kernel
def _branch(
    parameters: NDArray[np.void], state: NDArray[np.void], mass: Floats, scale: Floats,
    total: Floats, mix: Floats, regimes: NDArray[np.void], shocks: NDArray[np.void],
    push: NDArray[np.void], seeds: NDArray[np.int64], first: int, seconds: int, atom_s: int,
    own_usdt: Floats, atoms: Any,
) -> None:  # fmt: skip
    for b in numba.prange(seeds.size):
        run_seconds(
            parameters, state.copy(), mass.copy(), scale.copy(), total.copy(), mix.copy(),
            regimes, shocks, push.copy(), seeds[b], first, seconds, atom_s, 0, own_usdt, atoms[b],
            NOBODY,
        )  # fmt: skip

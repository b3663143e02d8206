"""Branches of a world: the same present, other chance, and nothing else that differs."""

import numpy as np
import pytest

from litehedge.sim.market.parameters import Parameters
from litehedge.sim.market.shocks import SHOCK, Shock
from litehedge.sim.market.state import World
from litehedge.sim.market.step import run_world
from litehedge.sim.oracle.futures import branch_seeds, futures
from litehedge.sim.study import warmed_world

BEGIN_S = 1_767_571_200


@pytest.fixture(scope="module")
def world() -> World:
    return warmed_world(Parameters(), 3, BEGIN_S, days=1)


def fall(world: World, size: float) -> np.ndarray:
    """Bitcoin falls by so much within ten minutes from now."""
    shocks = np.zeros(1, dtype=SHOCK)
    shocks[0] = (Shock.BTC_MOVE, world.second, world.second + 600, size)
    return shocks


def test_a_branch_is_a_copy_of_the_world_with_another_seed(world: World) -> None:
    seeds = branch_seeds(world.seed, world.second, 3)
    record = futures(world, seeds, 600, atom_s=5)
    for seed, branch in zip(seeds, record, strict=True):
        twin = world.copy()
        twin.seed = int(seed)
        assert run_world(twin, 600, atom_s=5).tobytes() == branch.tobytes()


def test_branching_leaves_the_world_as_it_was(world: World) -> None:
    before = world.copy()
    futures(world, branch_seeds(world.seed, world.second, 4), 300)
    assert world.second == before.second
    for name in ("state", "mass", "scale", "total", "mix"):
        assert getattr(world, name).tobytes() == getattr(before, name).tobytes()


def test_branches_differ_from_each_other_and_from_the_world() -> None:
    for seed in (0, 1, 2**40):
        seeds = branch_seeds(seed, 60, 500)
        assert np.unique(seeds).size == 500
        assert not np.isin(seeds, branch_seeds(seed, 120, 500)).any()
        assert seed not in seeds
        assert seeds.min() >= 0


def test_common_chance_makes_a_what_if_sharp(world: World) -> None:
    """An order of ours moves each future by about the same; chance alone moves them by more."""
    seeds = branch_seeds(world.seed, world.second, 24)
    order = np.zeros(300)
    order[0] = -200_000.0
    without = np.log(futures(world, seeds, 300)["close"][:, 0])
    with_order = np.log(futures(world, seeds, 300, own_usdt=order)["close"][:, 0])
    paired = with_order - without
    assert paired.mean() < 0.0
    assert paired.std() < 0.5 * without.std()


def test_squeezes_come_from_forced_orders_and_tails_from_leverage(world: World) -> None:
    """Ablations: the same fall of Bitcoin hurts less when forced orders leave no trace."""
    seeds = branch_seeds(world.seed, world.second, 12)
    shocks = fall(world, -0.08)
    whole = futures(world, seeds, 3600, shocks=shocks)
    calm = world.copy()
    calm.parameters["forced_impact"] = 0.0
    without_impact = futures(calm, seeds, 3600, shocks=shocks)
    unlevered = world.copy()
    unlevered.mass[:, 2:] = 0.0  # only the two lowest leverages stay
    unlevered.total[:, 2:] = 0.0
    without_leverage = futures(unlevered, seeds, 3600, shocks=shocks)

    def lowest(record: np.ndarray) -> np.ndarray:
        return np.log(record["low"].min(axis=1))

    start = float(np.exp(world.state["perp"][0]))
    fell = np.log(start) - lowest(whole)
    assert (lowest(without_impact) > lowest(whole)).mean() > 0.9
    assert (lowest(without_leverage) > lowest(whole)).mean() > 0.9
    assert np.median(np.log(start) - lowest(without_leverage)) < 0.9 * np.median(fell)
    assert (whole["liquidated_long_usdt"].sum(axis=1) > 0.0).all()


def test_odd_lengths_are_refused(world: World) -> None:
    with pytest.raises(ValueError, match="whole atoms"):
        futures(world, branch_seeds(1, 60, 2), 61)

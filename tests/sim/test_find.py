"""Standing before a squeeze: the same market, found from the future."""

from __future__ import annotations

import numpy as np
import pytest

from litehedge.errors import UsageError
from litehedge.sim.find import world_before_fall
from litehedge.sim.market.parameters import Parameters
from litehedge.sim.market.step import run_world
from litehedge.sim.study import warmed_world

MONDAY = 1_767_571_200


def test_the_fall_comes_when_it_was_said() -> None:
    world, high_s = world_before_fall(Parameters(), 1, MONDAY, fall=0.05, lead_s=7_200)
    assert world.second == high_s - 7_200
    before = world.copy()
    record = run_world(world, 7_200 + 2_400, atom_s=60)
    high = record["close"][119]
    assert record["low"][120:150].min() < high * 0.955
    straight = warmed_world(Parameters(), 1, MONDAY)
    run_world(straight, before.second - MONDAY, atom_s=60)
    assert straight.state.tobytes() == before.state.tobytes()
    np.testing.assert_array_equal(straight.mass, before.mass)


def test_where_nothing_falls_it_says_so() -> None:
    with pytest.raises(UsageError, match="nothing falls by 90%"):
        world_before_fall(Parameters(), 1, MONDAY, fall=0.9, lead_s=600, most_days=3)

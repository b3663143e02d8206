"""Claim: a world runs half a million market seconds a second on one core, all feeds as atoms."""

from __future__ import annotations

from bench.timing import Figure, best_seconds
from litehedge.sim.market.parameters import Parameters
from litehedge.sim.market.state import new_world
from litehedge.sim.market.step import run_world

MONDAY = 1_767_571_200
DAYS = 10


def measure() -> list[Figure]:
    """Time ten days, in atoms of five seconds and of a minute."""
    figures = []
    for atom_s in (5, 60):
        world = new_world(Parameters(), 1, MONDAY)
        seconds = best_seconds(lambda: run_world(world, DAYS * 86_400, atom_s=atom_s), 3)  # noqa: B023
        name = f"simulated market, atoms of {atom_s} s"
        figures.append(Figure(name, DAYS * 0.0864 / seconds, "M market s/s", "claim: 0.5"))
    return figures

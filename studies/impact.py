"""How far our own orders move the simulated market: ``python -m studies.impact``.

Eight states, six hours apart, of each of five worlds; bought and sold, in one second and over ten
minutes; beside the same future without the order. Medians in basis points, and the square-root
law: daily volatility times the root of size by daily volume.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from litehedge.sim.market.book import usual_variance
from litehedge.sim.market.parameters import Parameters
from litehedge.sim.market.state import World
from litehedge.sim.market.step import run_world
from litehedge.sim.study import warmed_world
from litehedge.units import NS_PER_SECOND, instant_ns

SIZES_USDT = (50e3, 1e6, 3e6)
SECONDS = 1_200
WORKED_S = 600


def moved(world: World, usdt: float, over_s: int) -> NDArray[np.float64]:
    """Return by how much an order moves the price for the worse, bp at each second's end."""
    alone = run_world(world.copy(), SECONDS, atom_s=1)["close"]
    own = np.zeros(SECONDS)
    own[:over_s] = usdt / over_s
    there = run_world(world.copy(), SECONDS, atom_s=1, own_usdt=own)["close"]
    return np.sign(usdt) * np.log(there / alone) * 1e4


def main() -> None:
    """Measure and print the table."""
    begin_s = instant_ns("2026-01-05") // NS_PER_SECOND
    states = []
    for seed in range(1, 6):
        world = warmed_world(Parameters(), seed, begin_s)
        for _ in range(8):
            run_world(world, 6 * 3600, atom_s=60)
            states.append(world.copy())
    p = states[0].parameters[0]
    daily = np.sqrt(usual_variance(p) * 86_400.0)
    table = Table(title=f"impact in bp, medians over {len(states)} states")
    for head in ("size", "in a second: peak", "after 1 min", "after 10 min",
                 "over 10 min: at the end", "10 min later", "square-root law"):  # fmt: skip
        table.add_column(head, justify="right")
    for usdt in SIZES_USDT:
        swept, worked = (
            np.array([moved(s, sign * usdt, over) for s in states for sign in (1.0, -1.0)])
            for over in (1, WORKED_S)
        )
        law = 1e4 * daily * np.sqrt(usdt / p["daily_volume_usdt"])
        figures = (
            swept.max(axis=1), swept[:, 60], swept[:, 600], worked[:, WORKED_S - 1],
            worked[:, -1],
        )  # fmt: skip
        table.add_row(
            f"{usdt / 1e3:,.0f} k", *(f"{np.median(x):.2f}" for x in figures), f"{law:.1f}"
        )
    Console().print(table)
    depth = np.median([s.state["depth"][0].mean() for s in states])
    Console().print(f"median depth within 1 %: {depth / 1e6:.1f} M USDT")


if __name__ == "__main__":
    main()

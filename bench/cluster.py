"""How worlds spread over workers: ``python -m bench.cluster [--worlds 8] [--days 30]``.

Worlds live for learning (`part_of_world`), once in processes of this machine and once on a Ray
cluster of so many workers, which are warm: code compiled, processes started. What is measured is
told with the load of the machine; what follows from it by arithmetic is told apart.
"""

from __future__ import annotations

import argparse
import os
import time
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from litehedge.cluster import AUTO, joined
from litehedge.model.baselines.part import Part
from litehedge.training.parts import part_of_world
from litehedge.training.workers import Workers, in_processes

BEGIN_S: Final = 1_609_459_200
BEYOND: Final = (4, 8, 16, 64)


class Seconds(NamedTuple):
    """Seconds on the clock, of this process's CPU, and of all workers' CPU."""

    wall: float
    own: float
    workers: float


def live(seed: int, days: int) -> tuple[Part, float]:
    """Let a world live; return it, and the CPU seconds that it took."""
    begun = time.process_time()
    part, _ = part_of_world(seed, begin_s=BEGIN_S, days=days, frame_minutes=5)
    return part, time.process_time() - begun


def lived(workers: Workers, seeds: range, days: int) -> tuple[Seconds, list[Part]]:
    """Let worlds live; return what it took and what they were."""
    begun, mine = time.perf_counter(), time.process_time()
    found = in_processes(
        partial(live, days=days), seeds, "lets a world live", processes=workers
    )  # fmt: skip
    took = Seconds(
        time.perf_counter() - begun, time.process_time() - mine, sum(cpu for _, cpu in found)
    )
    return took, [part for part, _ in found]


def main() -> None:
    """Measure one and two workers, here and on a cluster, and print the table."""
    asks = argparse.ArgumentParser()
    asks.add_argument("--worlds", type=int, default=8)
    asks.add_argument("--days", type=int, default=30)
    asked = asks.parse_args()
    seeds = range(1, 1 + asked.worlds)
    print(f"{asked.worlds} worlds of {asked.days} days, {os.cpu_count()} cores, load at the begin "
          f"{os.getloadavg()[0]:.1f}")  # fmt: skip
    live(0, asked.days)  # compiles
    _, first = lived(1, seeds, asked.days)
    print("\n| workers | here, wall | Ray, wall | Ray, CPU of workers | Ray, CPU of the command |")
    print("|---|---|---|---|---|")
    warm = Seconds(0.0, 0.0, 0.0)
    for count in (1, 2):
        here, parts = lived(count, seeds, asked.days)
        with joined(AUTO, cores=count) as crew:
            lived(crew, range(90, 90 + count), 2)  # starts the processes
            warm, remote = lived(crew, seeds, asked.days)
        for one in (parts, remote):
            for mine, theirs in zip(first, one, strict=True):
                np.testing.assert_array_equal(mine.features, theirs.features)
        print(f"| {count} | {here.wall:.1f} s | {warm.wall:.1f} s | {warm.workers:.2f} s | "
              f"{warm.own:.2f} s |")  # fmt: skip
    each, own = warm.workers / len(seeds), warm.own / len(seeds)
    print(f"\nA world: {each:.2f} CPU seconds of a worker, {own:.3f} of the command. By "
          "arithmetic, on cores of their own:\n\n| workers | worlds a minute |")  # fmt: skip
    print("|---|---|")
    for count in (1, 2, *BEYOND):
        print(f"| {count} | {60.0 / max(each / count, own):.0f} |")
    print(f"\nThe results were the same, bit for bit. Load at the end {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    # Workers import what they do by the name of its module, and find it from here.
    os.environ["PYTHONPATH"] = os.pathsep.join([str(Path.cwd()), os.environ.get("PYTHONPATH", "")])
    import_module("bench.cluster").main()

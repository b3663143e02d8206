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
from typing import Final

import numpy as np

from litehedge.cluster import AUTO, joined
from litehedge.model.baselines.part import Part
from litehedge.training.parts import part_of_world
from litehedge.training.workers import Workers, in_processes

BEGIN_S: Final = 1_609_459_200
BEYOND: Final = (4, 8, 16, 64)


def lived(workers: Workers, seeds: range, days: int) -> tuple[float, list[Part]]:
    """Let worlds live; return the seconds and what they were."""
    begun = time.perf_counter()
    live = partial(part_of_world, begin_s=BEGIN_S, days=days, frame_minutes=5)
    found = in_processes(live, seeds, "lets a world live", processes=workers)
    return time.perf_counter() - begun, [part for part, _ in found]


def main() -> None:
    """Measure one and two workers, here and on a cluster, and print the table."""
    asks = argparse.ArgumentParser()
    asks.add_argument("--worlds", type=int, default=8)
    asks.add_argument("--days", type=int, default=30)
    asked = asks.parse_args()
    seeds = range(1, 1 + asked.worlds)
    print(f"{asked.worlds} worlds of {asked.days} days, {os.cpu_count()} cores, load at the begin "
          f"{os.getloadavg()[0]:.1f}")  # fmt: skip
    lived(1, seeds[:1], asked.days)  # compiles
    print("\n| workers | processes here | Ray, with its start | Ray, warm |\n|---|---|---|---|")
    first: list[Part] = []
    warm = {}
    for count in (1, 2):
        local_s, parts = lived(count, seeds, asked.days)
        begun = time.perf_counter()
        with joined(AUTO, cores=count) as crew:
            _, remote = lived(crew, seeds, asked.days)
            cold_s = time.perf_counter() - begun
            warm[count], again = lived(crew, seeds, asked.days)
        first = first or parts
        for one in (parts, remote, again):
            for mine, theirs in zip(first, one, strict=True):
                np.testing.assert_array_equal(mine.features, theirs.features)
        print(f"| {count} | {local_s:.1f} s | {cold_s:.1f} s | {warm[count]:.1f} s |")
    # Amdahl's law through the two points: what does not spread is the driver's.
    apart_s = max(0.0, 2.0 * warm[2] - warm[1])
    spread_s = warm[1] - apart_s
    for count in BEYOND:
        shared = min(count, asked.worlds)
        print(f"| {count} | | | {apart_s + spread_s / shared:.1f} s by arithmetic |")
    print(f"\nThe results were the same, bit for bit. Load at the end {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()

"""How benchmarks measure: processor time, best of a few runs after a warm-up."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Figure:
    """One measured figure: what, how much, in what unit, and what it is held against."""

    what: str
    value: float
    unit: str
    against: str = ""

    def row(self) -> tuple[str, str, str]:
        """Return the figure as table cells."""
        return self.what, f"{self.value:,.4g} {self.unit}", self.against


def best_seconds(
    job: Callable[[], Any], repeats: int = 5, *, setup: Callable[[], Any] = int
) -> float:
    """Return the smallest processor time of `job` over `repeats` runs, after one warm-up.

    Processor time of this process, all threads: on a busy machine it moves less than the wall
    clock. `setup` runs before each run and is not counted.
    """
    setup()
    job()
    best = float("inf")
    for _ in range(repeats):
        setup()
        began = time.process_time()
        job()
        best = min(best, time.process_time() - began)
    return best

"""Claim: a backtest of one year of 5-second atoms stays under 1.5 GB.

Two fresh processes: one writes a made-up year into a lake, the other runs the backtest and reports
its own peak. The model is the default one, as in a backtest that names none: a network costs some
50 us a frame and member, a quarter of an hour for the 6.3 million frames of such a year, and says
nothing more about memory.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl

from bench.timing import Figure
from litehedge.backtest import walk, with_position
from litehedge.feeds.archive import Series
from litehedge.hedge.policies import policies
from litehedge.settings import load_settings
from litehedge.shelf.models import choose_model
from litehedge.store.bundled import tier_table
from litehedge.store.lake import Lake
from litehedge.tape import FRAME_NS, build_tape

BAR_NS = 5_000_000_000
DAYS = 365
START_NS = 1_640_995_200_000_000_000  # 2022-01-01


def measure() -> list[Figure]:
    """Run both processes and read what the second one says."""
    with tempfile.TemporaryDirectory() as folder:
        for step in ("write", "run"):
            done = subprocess.run(
                [sys.executable, "-m", "bench.memory", step, folder],
                check=True, capture_output=True, text=True,
            )  # fmt: skip
    bars, seconds, peak_mb = done.stdout.split()
    return [
        Figure(f"peak memory, {int(bars):,} atoms of 5 s, plug-in", float(peak_mb), "MB",
               "claim: under 1,500"),
        Figure("  from lake to result", float(seconds), "s"),
    ]  # fmt: skip


def write(folder: Path) -> None:
    """Write a year of atoms, a month at a time."""
    rng = np.random.default_rng(3)
    per_day = 86_400_000_000_000 // BAR_NS
    close_before = 100.0
    series = []
    for month in range(12):
        days = DAYS - 330 if month == 11 else 30
        n = days * per_day
        close = close_before * np.exp(np.cumsum(rng.standard_normal(n) * 2.5e-4))
        open_ = np.concatenate(([close_before], close[:-1]))
        close_before = float(close[-1])
        end_ns = START_NS + (month * 30 * per_day + np.arange(n, dtype=np.int64) + 1) * BAR_NS
        table = pl.DataFrame(
            {
                "event_ns": end_ns, "known_ns": end_ns, "open": open_,
                "high": np.maximum(open_, close), "low": np.minimum(open_, close),
                "close": close, "volume": rng.lognormal(4.0, 1.0, n),
            }
        )  # fmt: skip
        series.append(
            Series(
                kind="bars", asset="LTC", symbol="LTCUSDT", venue="made-up", market="perp",
                interval_ns=BAR_NS, unit="", table=table, source=f"month-{month}",
                sha256=f"{month:064x}", notes=(),
            )
        )  # fmt: skip
    Lake(folder / "lake").write(series, "year")


def run(folder: Path) -> None:
    """Backtest the year and print bars, seconds, peak megabytes."""
    began = time.perf_counter()
    lake = Lake(folder / "lake")
    dataset = lake.dataset("year")
    settings = with_position(load_settings(), "long", 2.0)
    model = choose_model(settings.model.name, FRAME_NS)
    tape = build_tape(lake, dataset, model.forecaster, dataset.start_ns, dataset.end_ns)
    walk(
        tape,
        settings,
        tier_table("binance", "LTCUSDT"),
        policies(settings)["plugin"],
        records=False,
    )
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(len(tape), f"{time.perf_counter() - began:.1f}", f"{peak_mb:.0f}")


if __name__ == "__main__":
    {"write": write, "run": run}[sys.argv[1]](Path(sys.argv[2]))

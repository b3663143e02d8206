"""Run the benchmarks: ``python -m bench [kernel features …]``."""

from __future__ import annotations

import platform
import sys
from importlib import import_module

from rich.console import Console
from rich.table import Table

ALL = (
    "kernel", "features", "events", "world", "memory", "forecaster", "training", "venues",
    "latency", "override", "alerts", "recovery", "screen",
)  # fmt: skip


def main() -> None:
    """Run what was asked for and print one table."""
    wanted = sys.argv[1:] or ALL
    unknown = [name for name in wanted if name not in ALL]
    if unknown:
        sys.exit(f"there is no benchmark {unknown[0]}; choose from: {', '.join(ALL)}")
    console = Console()
    table = Table(title=f"litehedge, Python {platform.python_version()}, {platform.machine()}")
    for heading in ("what", "measured", "held against"):
        table.add_column(heading, justify="right" if heading == "measured" else "left")
    for name in wanted:
        with console.status(f"{name} …"):
            figures = import_module(f"bench.{name}").measure()
        for figure in figures:
            table.add_row(*figure.row())
        table.add_section()
    console.print(table)


main()

"""A day of paper on the fake exchange, as fast as it goes: ``python -m bench.soak [hours]``.

Sources and sockets are real, market time is virtual; streams break every hour, and every six the
session is started again. Prints memory and tasks by the hour, then replays the journal.
"""

from __future__ import annotations

import logging
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from paper_soak import Hour, hours_of_soak, soak
from real_sessions import check_replay

RESTART_EVERY_H = 6
WARM_H = 8  # by then hedges were put on and taken off, and there was a restart
MOST_MB = 16.0


def say(hour: Hour) -> None:
    """Print how an hour ended."""
    print(
        f"{hour.hour:3d} h  {hour.wall_s:6.1f} s  {hour.rss_mb:7.1f} MB  {hour.objects:,} objects  "
        f"{hour.tasks} tasks  {hour.sources} sources  {hour.events:,} events  "
        f"{hour.decisions:,} decisions",
        flush=True,
    )  # fmt: skip


def main() -> None:
    """Soak, then compare the hours and replay."""
    hours = int(sys.argv[1]) if len(sys.argv) > 1 else hours_of_soak()
    logging.getLogger("litehedge").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        found = soak(folder, hours, restart_every=RESTART_EVERY_H, tell=say)
        warm = found[min(WARM_H, len(found)) - 1]
        grown = found[-1].rss_mb - warm.rss_mb
        print(f"from hour {warm.hour} to hour {found[-1].hour}: {grown:+.1f} MB")
        leaked = len({hour.tasks for hour in found}) > 1
        began = time.monotonic()
        check_replay(folder)
        print(f"the journal replays identically ({time.monotonic() - began:.0f} s)")
    if leaked:
        sys.exit("the number of tasks changed from hour to hour")
    if grown > MOST_MB:
        sys.exit(f"memory grew by more than {MOST_MB:.0f} MB")


if __name__ == "__main__":
    main()

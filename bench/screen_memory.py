"""Memory of the screen's server: ``python -m bench.screen_memory [minutes]``, 10 by default.

Thirty clients stay for so long, and read what is pushed. Then others come and go for half as long,
about one a second, which is as often as the guard lets one address open a page; then all leave.
Prints resident memory all along, and fails where what came and went stays.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from itertools import count
from pathlib import Path

import aiohttp

from bench.screen import PAGE_S, browsing, client, end, journaled, memory_mb, served

CLIENTS = 30
EVERY_S = 30.0
SETTLED_S = 60.0  # a page that lost its browser is kept for a while
GUESTS = 10
STAYS_S = 9.0
MOST_MB = 16.0
"""What thirty clients who stay, or all who came and went, may leave behind."""


class Memory:
    """What was measured, by what happened meanwhile."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._began_s = time.monotonic()

    def tell(self, what: str) -> float:
        """Print resident memory now, and return it, MB."""
        now_mb = memory_mb(self._pid)
        print(f"{time.monotonic() - self._began_s:6.0f} s  {now_mb:7.1f} MB  {what}", flush=True)
        return now_mb


async def measure(pid: int, link: str, lasts_s: float) -> tuple[float, float]:
    """Return by how much it grew while clients stayed, and while others came and went, MB."""
    memory = Memory(pid)
    async with browsing() as session:
        async with session.get(link) as answer:
            address = str(answer.url.origin())
        memory.tell("nobody looks")
        came = [0] * CLIENTS
        tasks = [
            asyncio.create_task(client(session, address, came, i, f"stays-{i}"))
            for i in range(CLIENTS)
        ]
        until_s = time.monotonic() + PAGE_S
        while not all(came) and time.monotonic() < until_s:
            await asyncio.sleep(0.5)
        assert all(came), "a client was pushed nothing"
        await asyncio.sleep(SETTLED_S)
        first = last = memory.tell(f"{CLIENTS} clients stay")
        until_s = time.monotonic() + lasts_s
        while time.monotonic() < until_s:
            before = list(came)
            await asyncio.sleep(EVERY_S)
            last = memory.tell(f"{CLIENTS} clients stay")
            assert all(b > a for a, b in zip(before, came, strict=True)), "one was pushed nothing"
        await end(tasks)
        await asyncio.sleep(SETTLED_S)
        left = memory.tell("they left")
        pages = 0
        numbers = count()
        until_s = time.monotonic() + lasts_s / 2
        while time.monotonic() < until_s:
            pages += await _guests(session, address, numbers, EVERY_S)
            memory.tell(f"{pages} pages were opened and left")
        await asyncio.sleep(SETTLED_S)
        after = memory.tell("nobody looks")
    return last - first, after - left


async def _guests(
    session: aiohttp.ClientSession, address: str, numbers: count[int], lasts_s: float
) -> int:
    """Let some come, stay for a while, and go. Return how many did."""
    until_s, came = time.monotonic() + lasts_s, 0

    async def comes(late_s: float) -> None:
        nonlocal came
        await asyncio.sleep(late_s)
        while time.monotonic() < until_s:
            came += 1
            read = [0]
            task = asyncio.create_task(client(session, address, read, 0, f"guest-{next(numbers)}"))
            await asyncio.sleep(STAYS_S)
            assert read[0], "a guest was pushed nothing"
            await end([task])
            await asyncio.sleep(1.0)

    await asyncio.gather(*(comes(float(i)) for i in range(GUESTS)))
    return came


def main() -> None:
    """Serve a session, let clients stay, come and go, and look what is left of them."""
    lasts_s = 60.0 * (float(sys.argv[1]) if len(sys.argv) > 1 else 10.0)
    with (
        tempfile.TemporaryDirectory(dir=".", prefix=".bench-") as folder, journaled(Path(folder)),
        served(Path(folder)) as (process, link),
    ):  # fmt: skip
        stayed, went = asyncio.run(measure(process.pid, link, lasts_s))
    print(
        f"while {CLIENTS} clients stayed: {stayed:+.1f} MB; by those who came and went: {went:+.1f}"
    )
    if max(stayed, went) > MOST_MB:
        sys.exit(f"memory grew by more than {MOST_MB:.0f} MB")


if __name__ == "__main__":
    main()

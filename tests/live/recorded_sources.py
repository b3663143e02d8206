"""Sources that need no network, and a process that records them until it is killed."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from litehedge.errors import BadMessage
from litehedge.live.recorder import Options, Recorder, record
from litehedge.market import events as ev
from litehedge.store.lake import Lake


class Steady:
    """Tells a trade every so often, each at a price one above the one before."""

    def __init__(self, name: str = "fake.trades", every_s: float = 0.001, count: int = 10**9):
        self.name = name
        self.every_s = every_s
        self.count = count
        self.told = 0

    async def run(self, out) -> None:
        out.health(self.name, "ok")
        while True:
            if self.told < self.count:
                self.told += 1
                now_ns = out.now_ns()
                out.put(ev.Trade(now_ns, now_ns, float(self.told), 1.0, True))
            await asyncio.sleep(self.every_s)


class Broken:
    """Tells one bad message and breaks, as no source should."""

    name = "fake.broken"

    async def run(self, out) -> None:
        out.bad(self.name, BadMessage("no price in it"), b"{}")
        raise RuntimeError("a mistake")


async def main(folder: Path) -> None:
    options = Options(flush_s=0.02, min_free_bytes=0)
    async with Recorder(folder / "recordings", Lake(folder / "lake"), options) as recorder:
        await record([Steady()], recorder, asyncio.Event())


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))

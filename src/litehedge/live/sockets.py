"""The thread of the sockets: one asyncio loop that nothing of the engine can hold up."""

from __future__ import annotations

import asyncio
import concurrent.futures
import logging
import threading
from collections.abc import Coroutine, Iterable
from typing import Any, Final, TypeVar

from litehedge.ports import Outlet, Source

log = logging.getLogger("litehedge.live")
T = TypeVar("T")

FIRST_RESTART_S: Final = 1.0
LONGEST_RESTART_S: Final = 60.0
STOP_S: Final = 10.0


class SocketThread:
    """Runs sources and clients on a loop of its own. Use it as a context manager."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._live, name="sockets", daemon=True)
        self._tasks: set[asyncio.Task[Any]] = set()

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The loop, for `call_soon_threadsafe`."""
        return self._loop

    def __enter__(self) -> SocketThread:
        self._thread.start()
        return self

    def __exit__(self, *why: object) -> None:
        self.close()

    def call(self, work: Coroutine[Any, Any, T], timeout_s: float | None = None) -> T:
        """Run a coroutine on the loop and wait for what it returns or raises."""
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result(timeout_s)
        except concurrent.futures.TimeoutError:
            future.cancel()
            raise TimeoutError from None

    def start(self, work: Coroutine[Any, Any, Any], name: str) -> None:
        """Run a coroutine on the loop until it ends or the thread is closed."""
        self._loop.call_soon_threadsafe(self._begin, work, name)

    def run_sources(self, sources: Iterable[Source], out: Outlet) -> None:
        """Run sources for ever; one that fails is told of and started again."""
        for source in sources:
            self.start(keep_running(source, out), source.name)

    @property
    def running(self) -> int:
        """Return how many tasks run on the loop: it must not grow."""
        return len(self._tasks)

    def close(self) -> None:
        """Cancel everything and end the thread."""
        if not self._thread.is_alive():
            return
        self.call(self.cancel(), STOP_S)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(STOP_S)
        self._loop.close()

    def _live(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    def _begin(self, work: Coroutine[Any, Any, Any], name: str) -> None:
        task = self._loop.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("%s ended: %r", task.get_name(), error, exc_info=error)

    async def cancel(self) -> None:
        """Cancel everything that runs on the loop but the caller, and wait for its end."""
        mine = asyncio.current_task()
        tasks = [task for task in asyncio.all_tasks(self._loop) if task is not mine]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._loop.shutdown_asyncgens()


async def keep_running(source: Source, out: Outlet) -> None:
    """Run a source; should it raise, which none should, say so and start it again."""
    pause_s = FIRST_RESTART_S
    clock = asyncio.get_running_loop().time
    while True:
        began = clock()
        try:
            await source.run(out)
            why = "it ended"
        except Exception as error:
            log.exception("%s failed", source.name)
            why = f"{type(error).__name__}: {error}"
        out.health(source.name, "down", why)
        pause_s = FIRST_RESTART_S if clock() - began > LONGEST_RESTART_S else pause_s
        await asyncio.sleep(pause_s)
        pause_s = min(LONGEST_RESTART_S, 2.0 * pause_s)

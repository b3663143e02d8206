"""Real sockets in virtual time: one loop, on which waiting takes no time and loopback is real.

Everything that speaks runs on the same loop, so what was sent is there before the loop would wait.
Only then does its clock move on, to the next timer. Minutes of timeouts pass in milliseconds, and
the same seed gives the same history.
"""

from __future__ import annotations

import asyncio
import contextvars
import queue
import selectors
from collections import deque
from collections.abc import Coroutine
from typing import Any

from litehedge.live.sockets import SocketThread

SIDE: contextvars.ContextVar[str] = contextvars.ContextVar("side", default="ours")


class _Selector(selectors.DefaultSelector):  # type: ignore[misc, valid-type]
    """Instead of waiting for a timeout, moves the loop's clock by it."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 0.0

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        if timeout is None:
            return super().select(1.0)
        self.now_s += timeout
        return super().select(0)


class TimelessLoop(asyncio.SelectorEventLoop):
    """A loop with a clock of its own. Tasks know whether they are ours or the venue's."""

    def __init__(self) -> None:
        self.virtual = _Selector()
        self.sides: dict[asyncio.Task[Any], str] = {}
        super().__init__(self.virtual)
        self.set_task_factory(self._make)

    def time(self) -> float:
        return self.virtual.now_s

    def tasks_of(self, side: str) -> list[asyncio.Task[Any]]:
        """Return the tasks that one side began and that have not ended."""
        return [task for task, whose in self.sides.items() if whose == side]

    def cancel(self, side: str) -> None:
        """Cancel everything that one side has under way."""
        tasks = self.tasks_of(side)
        for task in tasks:
            task.cancel()
        if tasks:
            self.run_until_complete(asyncio.wait(tasks))

    def _make(self, loop: Any, work: Any, **options: Any) -> asyncio.Task[Any]:
        task: asyncio.Task[Any] = asyncio.Task(work, loop=loop, **options)
        self.sides[task] = SIDE.get()
        task.add_done_callback(lambda done: self.sides.pop(done, None))
        return task


class SameThread(SocketThread):
    """Stands where the thread of the sockets is: here it is the thread of the engine too."""

    def __init__(self, loop: TimelessLoop) -> None:
        self._loop = loop
        self._tasks = set()

    def call(self, work: Coroutine[Any, Any, Any], timeout_s: float | None = None) -> Any:
        return self._loop.run_until_complete(asyncio.wait_for(work, timeout_s))

    def start(self, work: Coroutine[Any, Any, Any], name: str) -> None:
        self._begin(work, name)


class LoopQueue:
    """The funnel's queue: while the engine waits for an event, the loop runs."""

    def __init__(self, loop: TimelessLoop) -> None:
        self._loop = loop
        self._items: deque[Any] = deque()
        self._waits = False

    def put(self, item: Any) -> None:
        self._items.append(item)
        if self._waits:
            self._loop.stop()

    def qsize(self) -> int:
        return len(self._items)

    def get_nowait(self) -> Any:
        if not self._items:
            raise queue.Empty
        return self._items.popleft()

    def get(self, timeout: float) -> Any:
        if not self._items:
            handle = self._loop.call_later(timeout, self._loop.stop)
            self._waits = True
            try:
                self._loop.run_forever()
            finally:
                self._waits = False
                handle.cancel()
        return self.get_nowait()

"""Where all sockets end and the engine begins: one queue, one clock, one record of health."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from msgspec import structs

from litehedge.errors import BadMessage
from litehedge.market import events as ev
from litehedge.ports import Health
from litehedge.units import NS_PER_MS, NS_PER_SECOND

log = logging.getLogger("litehedge.live")

BAD_SHOWN: Final = 120  # characters of a bad message that go to the log
VITALS_NS: Final = 10 * NS_PER_SECOND
LATE_NS: Final = 500 * NS_PER_MS
TELL_BAD: Final = (1, 10, 100, 1000, 10_000, 100_000)  # counts that are worth a line


class SteadyClock:
    """This machine's time in nanoseconds since 1970, which never goes back.

    It follows the system's clock, which may be set; when that one is set back, it waits for it.
    """

    def __init__(self) -> None:
        self._last_ns = 0

    def __call__(self) -> int:
        """Return the time."""
        self._last_ns = max(self._last_ns, time.time_ns())
        return self._last_ns


@dataclass(frozen=True, slots=True)
class SourceState:
    """How a source is: its state since when, what it said last, how much came, how much was bad."""

    state: Health = "starting"
    detail: str = ""
    since_ns: int = 0
    bad: int = 0
    failures: int = 0


class Funnel:
    """Takes events from the thread of the sockets and gives them to the engine's thread.

    Implements `ports.Outlet`. Events leave in the order in which they came, a `Tick` among them at
    every whole second, so that time passes when the market is silent, and one when it was woken.

    Parameters
    ----------
    clock
        The time in nanoseconds; a fake exchange has its own.
    speed
        Seconds of that clock that pass in a second.
    """

    def __init__(self, clock: Callable[[], int] | None = None, speed: float = 1.0) -> None:
        self._clock = clock or SteadyClock()
        self._speed = speed
        self._queue: queue.SimpleQueue[ev.AnyEvent | None] = queue.SimpleQueue()
        self._states: dict[str, SourceState] = {}
        self._lock = threading.Lock()
        self._given_ns = 0
        self.count = 0

    # --- the sockets' side --------------------------------------------------------------------

    def now_ns(self) -> int:
        """Return the time of this machine, nanoseconds since 1970; never goes back."""
        return self._clock()

    def put(self, event: ev.AnyEvent) -> None:
        """Hand over an event."""
        self._queue.put(event)

    def wake(self) -> None:
        """Let the engine look around now, not at the next second. Any thread may call it."""
        now_ns = self._clock()
        self._queue.put(ev.Tick(now_ns, now_ns))

    def bad(self, source: str, error: BadMessage, payload: bytes) -> None:
        """Count a message that could not be read; tell of the first ones and of many."""
        with self._lock:
            now = self._states.get(source, SourceState())
            now = replace(now, bad=now.bad + 1)
            self._states[source] = now
        if now.bad in TELL_BAD:
            self._tell(source, now)
            start = payload[:BAD_SHOWN].decode("utf-8", "replace")
            log.warning("%s: bad message %d: %s: %s", source, now.bad, error.what, start)

    def health(self, source: str, state: Health, detail: str = "") -> None:
        """Note how a source is."""
        with self._lock:
            before = self._states.get(source, SourceState())
            if (before.state, before.detail) == (state, detail):
                return
            failed = state in ("down", "stale") and before.state not in ("down", "stale")
            since_ns = before.since_ns if before.state == state else self._clock()
            now = self._states[source] = replace(
                before, state=state, detail=detail, since_ns=since_ns or self._clock(),
                failures=before.failures + failed,
            )  # fmt: skip
        self._tell(source, now)
        level = logging.INFO if state in ("ok", "starting", "off") else logging.WARNING
        log.log(level, "%s is %s%s", source, state, f": {detail}" if detail else "")

    def _tell(self, source: str, now: SourceState) -> None:
        """Put how a source is among the events, so that the journal keeps it."""
        now_ns = self._clock()
        self._queue.put(
            ev.FeedHealth(now_ns, now_ns, source, now.state, now.detail, now.bad, now.failures)
        )

    def stop(self) -> None:
        """End the stream of events, after those that are in it."""
        self._queue.put(None)

    # --- the engine's side --------------------------------------------------------------------

    @property
    def sources(self) -> dict[str, SourceState]:
        """Return how every source is, by name."""
        with self._lock:
            return dict(self._states)

    @property
    def waiting(self) -> int:
        """Return how many events the engine has not taken yet."""
        return self._queue.qsize()

    def given_ns(self) -> int:
        """Return the time of the last event that the engine was given, 0 before the first."""
        return self._given_ns

    def events(self) -> Iterator[ev.AnyEvent]:
        """Yield events until `stop`, and a `Tick` at every whole second.

        How late events are when they are given is among them (`Vitals`): every ten seconds, and
        each second while it is much.
        """
        tick_ns = (self.now_ns() // NS_PER_SECOND + 1) * NS_PER_SECOND
        last_ns = late_ns = 0
        told_ns = self.now_ns()
        while True:
            wait_s = max(0.0, (tick_ns - self.now_ns()) / NS_PER_SECOND / self._speed)
            try:
                event = self._queue.get(timeout=wait_s) if wait_s else self._queue.get_nowait()
            except queue.Empty:
                event = ev.Tick(tick_ns, tick_ns)
            else:
                if event is None:
                    return
                if event.known_ns < last_ns:  # it was on its way while the tick was made
                    event = structs.replace(event, known_ns=last_ns)
                while event.known_ns > tick_ns:
                    self._given_ns = tick_ns
                    yield ev.Tick(tick_ns, tick_ns)
                    tick_ns += NS_PER_SECOND
            if event.known_ns >= tick_ns:
                behind = (event.known_ns - tick_ns) // NS_PER_SECOND
                tick_ns += (behind + 1) * NS_PER_SECOND
            self.count += 1
            self._given_ns = last_ns = event.known_ns
            late_ns = max(late_ns, round((self.now_ns() - event.known_ns) / self._speed))
            yield event
            since_ns = last_ns - told_ns
            if since_ns >= VITALS_NS or (late_ns >= LATE_NS and since_ns >= NS_PER_SECOND):
                told_ns = last_ns
                yield ev.Vitals(last_ns, last_ns, lag_ms=late_ns / NS_PER_MS)
                late_ns = 0

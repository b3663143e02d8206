"""A sign of life for somebody else's watch: a dead process cannot say that it is dead.

While the engine takes events, an address is asked every minute. A service such as healthchecks.io
misses that and tells people. What it cannot see is told by alerts; what they cannot, by it.
"""

from __future__ import annotations

import logging
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from http.client import HTTPException
from typing import Final

from litehedge.notify.places import redacted

log = logging.getLogger("litehedge.alerts")

EVERY_S: Final = 60.0
STALE_S: Final = 60.0  # without an event for so long the engine is not taken for alive
TIMEOUT_S: Final = 10.0


def ask(url: str) -> None:
    """Ask the address once.

    Raises
    ------
    OSError
        When nobody answers, or not with success.
    """
    request = urllib.request.Request(url, headers={"User-Agent": "litehedge"})
    with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
        answer.read(1024)


class Heartbeat:
    """Asks an address every minute while events come; an observer of `live.running.guard`.

    Parameters
    ----------
    url
        Begins with http:// or https://. Whoever has it can pretend that we are alive.
    """

    def __init__(
        self, url: str, every_s: float = EVERY_S, stale_s: float = STALE_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self.asked = 0
        self._url = url
        self._every_s = every_s
        self._stale_s = stale_s
        self._clock = clock
        self._seen_s = float("-inf")
        self._failing = False
        self._end = threading.Event()
        self._first = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)
        self._thread.start()

    def __call__(self, event: object, effects: object) -> None:
        """Note that the engine took an event."""
        self._seen_s = self._clock()
        if not self._first.is_set():
            self._first.set()

    def close(self) -> None:
        """Fall silent. Whoever watches tells people after a while, rightly: nobody guards now."""
        self._end.set()
        self._first.set()
        self._thread.join(TIMEOUT_S)

    def _run(self) -> None:
        self._first.wait()
        while not self._end.is_set():
            if self._clock() - self._seen_s <= self._stale_s:
                self._beat()
            self._end.wait(self._every_s)

    def _beat(self) -> None:
        try:
            ask(self._url)
        except (OSError, ValueError, HTTPException) as error:  # urllib's are OSErrors
            if not self._failing:
                why = redacted(str(getattr(error, "reason", error)), [self._url])
                log.warning("the heartbeat is not heard, tried on: %s", why)
            self._failing = True
            return
        if self._failing:
            log.info("the heartbeat is heard again")
        self._failing = False
        self.asked += 1

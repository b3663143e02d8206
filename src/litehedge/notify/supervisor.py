"""Signs of life for the service manager that started us: it starts a session anew that hangs.

systemd's protocol of `sd_notify(3)`: datagrams to the socket that ``NOTIFY_SOCKET`` names. The
engine's own thread sends them, so a hanging engine sends none, whatever other threads do.
"""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Callable, Mapping
from typing import Final

from litehedge.market.events import Tick

log = logging.getLogger("litehedge.alerts")

PER_TIMEOUT: Final = 3  # signs within the time after which we are taken for dead
US_PER_S: Final = 1e6


class Supervisor:
    """Tells the service manager that events are taken; an observer of `live.running.guard`.

    Ready it is with the first whole second of the present (`Tick`): the past is taken in by then.

    Parameters
    ----------
    address
        A path, or one that begins with ``@``: Linux' abstract names.
    every_s
        Least time between two signs.
    """

    def __init__(
        self, address: str, every_s: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._every_s = every_s
        self._clock = clock
        self._told_s = float("-inf")
        self._is_ready = False
        self._is_deaf = False
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)

    def __call__(self, event: object, effects: object) -> None:
        """Note that the engine took an event."""
        now_s = self._clock()
        if type(event) is Tick and not self._is_ready:
            self._is_ready = True
            self._send("READY=1\nWATCHDOG=1\nSTATUS=guarding")
        elif now_s - self._told_s >= self._every_s:
            self._send("WATCHDOG=1")
        else:
            return
        self._told_s = now_s

    def close(self) -> None:
        """Say that the end is meant."""
        self._send("STOPPING=1\nSTATUS=ended; position and hedge stay as they are")
        self._socket.close()

    def _send(self, text: str) -> None:
        try:
            self._socket.sendto(text.encode(), self._address)
        except OSError as error:
            if not self._is_deaf:
                log.warning("the service manager does not listen (%s)", error.strerror or error)
            self._is_deaf = True
        else:
            self._is_deaf = False


def supervisor_of(environment: Mapping[str, str]) -> Supervisor | None:
    """Return who tells the service manager of an environment, None where there is none."""
    address = environment.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return None
    timeout_us = environment.get("WATCHDOG_USEC", "")
    every_s = int(timeout_us) / US_PER_S / PER_TIMEOUT if timeout_us.isdecimal() else 60.0
    return Supervisor(address, every_s)

"""What runs beside a session offers it something new; the engine decides when to take it up.

Whatever goes wrong here, the session goes on with what it has.
"""

from __future__ import annotations

import logging
from abc import abstractmethod
from typing import Final

from litehedge.live.funnel import Funnel
from litehedge.store.looking import Looking

log = logging.getLogger("litehedge.live")

LOOK_S: Final = 5.0


class Offering(Looking):
    """Looks every few seconds for what it could offer, once the session has begun.

    Parameters
    ----------
    what
        What it looks for, for the log: "a new champion".
    look_s
        How often it looks, in seconds.
    """

    def __init__(
        self, name: str, what: str, funnel: Funnel, look_s: float, end_s: float | None = None
    ) -> None:
        super().__init__(name, end_s)
        self._what = what
        self._funnel = funnel
        self._look_s = look_s

    def _run(self) -> None:
        while not self._ends.wait(self._look_s):
            if not self._funnel.given_ns():
                continue  # it warms up: there is nothing to offer to yet
            try:
                self.look()
            except Exception:  # nothing of this may end, or stall, the guarding
                log.exception("looking for %s failed", self._what)

    @abstractmethod
    def look(self) -> None:
        """Look once."""

"""Looks whether somebody wrote into an inbox, so that nobody waits for the next second.

A thread asks SQLite on a connection of its own, every 20 ms, whether the file has changed: that
reads a few bytes. Only when a command came does it wake the session.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Final

from litehedge.store.looking import Looking

log = logging.getLogger("litehedge.store")

LOOK_S: Final = 0.02
TROUBLE_S: Final = 1.0  # between looks while the file cannot be read


class InboxWatch(Looking):
    """Calls `wake` soon after a command was written. Use it as a context manager.

    Parameters
    ----------
    path
        The inbox' file.
    wake
        Called on the watching thread; must not block.
    look_s
        How often it looks, in seconds.
    """

    def __init__(self, path: Path, wake: Callable[[], object], look_s: float = LOOK_S) -> None:
        super().__init__("inbox")
        self._path = path
        self._wake = wake
        self._look_s = look_s

    def _run(self) -> None:
        is_failing = False
        while not self._ends.is_set():
            try:
                self._watch()
            except sqlite3.Error as error:
                # The session looks by itself too, only less often.
                if not is_failing:
                    log.warning("the inbox %s cannot be watched (%s): trying on", self._path, error)
                is_failing = True
                self._ends.wait(TROUBLE_S)

    def _watch(self) -> None:
        file = sqlite3.connect(f"file:{self._path}?mode=ro", uri=True, timeout=0.0)
        try:
            last_id, seen = -1, -1
            while not self._ends.wait(self._look_s):
                (version,) = file.execute("PRAGMA data_version").fetchone()
                if version == seen:
                    continue
                # The session marks what it took, which is a change as well.
                (newest,) = file.execute("SELECT coalesce(max(id), 0) FROM inbox").fetchone()
                if newest > last_id:
                    self._wake()
                last_id, seen = newest, version
        finally:
            file.close()

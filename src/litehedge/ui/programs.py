"""Commands of litehedge, started by the screen as processes of their own.

The screen itself cannot reach a venue, and does no long work: it starts the commands that people
type. What was started goes on when the screen ends; a lock that the process inherits tells for as
long as it lives, whoever looks.
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from litehedge.errors import UsageError
from litehedge.live.session import locked
from litehedge.store.durable import is_locked

PATIENCE_S: Final = 8.0
"""How long a process may take to end after it was asked to."""
LAST_BYTES: Final = 16_384


@dataclass(frozen=True, slots=True)
class Answer:
    """What a short command said."""

    code: int
    out: str
    err: str


class Programs(Protocol):
    """What starts commands; tests have one that is fast."""

    def start(self, arguments: Sequence[str], log: Path, lock: Path | None = None) -> int:
        """Start a command that goes on by itself, and return its process id.

        Parameters
        ----------
        log
            Where everything it says goes.
        lock
            A file that stays locked for as long as it lives.

        Raises
        ------
        UsageError
            When it cannot be started.
        """
        ...

    def ask(self, arguments: Sequence[str], timeout_s: float) -> Answer:
        """Run a short command to its end.

        Raises
        ------
        UsageError
            When it cannot be started, or does not end in time.
        """
        ...


class Commands:
    """The commands of this installation, for a home folder.

    Parameters
    ----------
    root
        ``$LITEHEDGE_HOME``.
    begin
        What every command line begins with.
    """

    def __init__(
        self, root: Path, begin: Sequence[str] = (sys.executable, "-m", "litehedge")
    ) -> None:
        self._root = root
        self._begin = list(begin)

    def _environ(self) -> dict[str, str]:
        told = {
            "LITEHEDGE_HOME": str(self._root.absolute()), "LITEHEDGE_PROGRESS": "1",
            "COLUMNS": "200", "NO_COLOR": "1", "PYTHONUNBUFFERED": "1",
        }  # fmt: skip
        return os.environ | told

    def start(self, arguments: Sequence[str], log: Path, lock: Path | None = None) -> int:
        """Start a command that goes on by itself, and return its process id."""
        inherited: tuple[int, ...] = ()
        try:
            if lock is not None:
                inherited = (_locked(lock),)
            with log.open("wb") as said:
                one = subprocess.Popen(
                    [*self._begin, *arguments], stdin=subprocess.DEVNULL, stdout=said,
                    stderr=subprocess.STDOUT, env=self._environ(), start_new_session=True,
                    pass_fds=inherited,
                )  # fmt: skip
        except OSError as error:
            raise UsageError(f"{arguments[0]} cannot be started ({error.strerror})") from None
        finally:
            for descriptor in inherited:
                os.close(descriptor)
        threading.Thread(target=one.wait, daemon=True).start()  # else it stays as a zombie
        return one.pid

    def ask(self, arguments: Sequence[str], timeout_s: float) -> Answer:
        """Run a short command to its end."""
        try:
            done = subprocess.run(
                [*self._begin, *arguments], stdin=subprocess.DEVNULL, capture_output=True,
                env=self._environ(), timeout=timeout_s, check=False, text=True, errors="replace",
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise UsageError(
                f"{arguments[0]} did not end within {timeout_s:.0f} s", "try again"
            ) from None
        except OSError as error:
            raise UsageError(f"{arguments[0]} cannot be started ({error.strerror})") from None
        return Answer(done.returncode, done.stdout, done.stderr)


def _locked(lock: Path) -> int:
    """Return a descriptor that holds a lock, for a process to inherit."""
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
    if not locked(descriptor):
        os.close(descriptor)
        raise BlockingIOError(errno.EWOULDBLOCK, "another process holds it")
    return descriptor


def wish_end(pid: int) -> None:
    """Ask a process and its children to end, and leave it to them when."""
    if pid > 0:  # 0 would be this process and all its own
        with contextlib.suppress(OSError):
            os.killpg(pid, signal.SIGTERM)


def end(pid: int, lock: Path) -> bool:
    """Ask a process and its children to end, then insist. Return whether it is gone."""
    if pid <= 0:  # 0 would be this process and all its own
        return not is_locked(lock)
    for number in (signal.SIGTERM, signal.SIGKILL):
        if not is_locked(lock):
            return True
        try:
            os.killpg(pid, number)
        except OSError:
            return not is_locked(lock)
        until_s = time.monotonic() + PATIENCE_S
        while time.monotonic() < until_s:
            if not is_locked(lock):
                return True
            time.sleep(0.05)
    return not is_locked(lock)


def tail_of(log: Path) -> str:
    """Return the last of what a process said."""
    try:
        with log.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - LAST_BYTES))
            return file.read().decode("utf-8", "replace")
    except OSError:
        return ""

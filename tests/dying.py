"""Work that kills the process it is done in; light, since such a process imports it first."""

from __future__ import annotations

import os
import signal


def dies(*_: object, **__: object) -> None:
    """End this process as the kernel does when memory has run out."""
    os.kill(os.getpid(), signal.SIGKILL)

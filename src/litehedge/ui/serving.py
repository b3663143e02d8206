"""Serving the screen: the address, the server, and the end."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import uvicorn

from litehedge.errors import UsageError
from litehedge.ui.server import create
from litehedge.ui.watching import Home

LOOPBACK: Final = "127.0.0.1"
PARENT_S: Final = 1.0


def serve(root: Path, port: int, *, opens: Callable[[str], Any] | None, demo: bool = False) -> None:
    """Serve the screen until the process is asked to end.

    Raises
    ------
    UsageError
        When the port is taken.
    """
    try:
        taken = _listening(LOOPBACK, port)
    except UsageError:
        if not demo:
            raise
        taken = _listening(LOOPBACK, 0)  # a demo is shown wherever there is room
    address = f"http://{LOOPBACK}:{taken.getsockname()[1]}/"
    print(f"the screen is at {address}", flush=True)
    if opens is not None:
        opens(address)
    server = uvicorn.Server(uvicorn.Config(create(Home(root)), log_level="warning"))
    if demo:
        threading.Thread(target=_ends_with_parent, args=(server,), daemon=True).start()
    server.run(sockets=[taken])


def _ends_with_parent(server: uvicorn.Server) -> None:
    """End the server when the process that began it is gone, however that ended."""
    parent = os.getppid()
    while os.getppid() == parent:
        time.sleep(PARENT_S)
    server.should_exit = True


def _listening(host: str, port: int) -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind((host, port))
        made.listen(128)  # whoever comes before the server is ready waits
    except OSError as error:
        made.close()
        raise UsageError(
            f"port {port} cannot be used ({error.strerror})",
            "another screen may run already; give another --port, or 0 for any",
        ) from None
    return made

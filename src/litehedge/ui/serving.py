"""Serving the screen: the address, who is let in, the server, and the end."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import uvicorn

from litehedge.errors import UsageError
from litehedge.ui import login
from litehedge.ui.binding import Binding, bound
from litehedge.ui.door import Door
from litehedge.ui.server import create
from litehedge.ui.watching import Home

PARENT_S: Final = 1.0
LARGEST_FRAME: Final = 1_048_576
"""Of a websocket, bytes."""


@dataclass(frozen=True, slots=True)
class Where:
    """Where the screen is served: see `binding.bound`; port 0 takes any."""

    host: str = "127.0.0.1"
    port: int = 0
    names: Sequence[str] = ()
    cert: Path | None = None
    key: Path | None = None
    behind_proxy: bool = False


def serve(
    root: Path, where: Where, *, says: Callable[[str], Any], opens: Callable[[str], Any] | None,
    demo: bool = False, parent: int | None = None,
) -> None:  # fmt: skip
    """Serve the screen of a home folder until the process is asked to end.

    Parameters
    ----------
    says
        Is told where it is, and the link that lets a first person in.
    opens
        Opens an address in a browser, where there is one.
    demo
        The link lets in without a passphrase; the screen ends with the process that began it.
    parent
        The process that began it, by default whichever did. One that is gone already counts too.

    Raises
    ------
    UsageError
        When the port is taken, or others could read along, or come in.
    """
    first = bound(where.host, where.port or 1, names=where.names, cert=where.cert, key=where.key,
          behind_proxy=where.behind_proxy)  # fmt: skip
    if demo and not (first.is_local and not where.names and not where.behind_proxy):
        raise UsageError(
            "the screen of a demo lets in without a passphrase: it is for this machine alone",
            "leave --host, --name and --behind-proxy away",
        )
    try:
        taken = _listening(where.host, where.port)
    except UsageError:
        if not demo:
            raise
        taken = _listening(where.host, 0)  # a demo is shown wherever there is room
    binding = bound(
        where.host, taken.getsockname()[1], names=where.names, cert=where.cert, key=where.key,
        behind_proxy=where.behind_proxy,
    )  # fmt: skip
    door = Door(root / "ui", is_demo=demo)
    address = _told(door, binding, says)
    if opens is not None:
        opens(address)
    server = uvicorn.Server(
        uvicorn.Config(
            create(Home(root), door, binding), log_level="warning", access_log=False,
            server_header=False, ws_max_size=LARGEST_FRAME, ssl_certfile=where.cert,
            ssl_keyfile=where.key, proxy_headers=where.behind_proxy,
        )
    )  # fmt: skip
    if demo:
        began = os.getppid() if parent is None else parent
        threading.Thread(target=_ends_with, args=(began, server), daemon=True).start()
    server.run(sockets=[taken])


def _told(door: Door, binding: Binding, says: Callable[[str], Any]) -> str:
    """Say where the screen is, and how a first person comes in; return the address to open."""
    address = f"{binding.url}/"
    if not door.needs_link:
        says(f"the screen is at {address}")
        return address
    link = login.link_to(binding, door.invite())
    says(f"the screen is at {link}")
    if not door.is_demo:
        says("the link lets in once, within ten minutes; then you choose a passphrase")
        says(login.qr_text(link))
    return link


def _ends_with(parent: int, server: uvicorn.Server) -> None:
    """End the server when the process that began it is gone, however and whenever that ended."""
    while os.getppid() == parent:
        time.sleep(PARENT_S)
    server.should_exit = True


def _listening(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
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

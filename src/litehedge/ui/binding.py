"""Where the screen listens, and by which names it may be called.

On this machine alone unless a person has seen to encryption: on any other address passphrase and
cookie would travel readable.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from litehedge.errors import UsageError

PORT: Final = 8600
LOOPBACK: Final = ("127.0.0.1", "localhost", "[::1]")
_LABEL: Final = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_HOST: Final = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9.-]+)(?::([0-9]{1,5}))?")
_NAME: Final = re.compile(rf"{_LABEL}(\.{_LABEL})*")


@dataclass(frozen=True, slots=True)
class Binding:
    """Where it listens; `names` are the hosts by which it answers, lower case, IPv6 in brackets.

    With a proxy in front the port in a request is the proxy's: any is right.
    """

    host: str
    port: int
    cert: Path | None
    key: Path | None
    behind_proxy: bool
    names: frozenset[str]

    @property
    def is_encrypted(self) -> bool:
        """Whether browsers reach it by https: cookies are then sent over that alone."""
        return self.cert is not None or self.behind_proxy

    @property
    def is_local(self) -> bool:
        """Whether it listens to this machine alone."""
        return ipaddress.ip_address(self.host).is_loopback

    @property
    def scheme(self) -> str:
        """The scheme by which browsers reach it."""
        return "https" if self.is_encrypted else "http"

    @property
    def url(self) -> str:
        """Its address for people, without a slash at the end."""
        given = sorted(self.names - set(LOOPBACK))
        name = given[0] if given else "127.0.0.1"
        return f"{self.scheme}://{name}" + ("" if self.behind_proxy else f":{self.port}")

    def is_called(self, host: str) -> bool:
        """Return whether a Host header names this screen."""
        match = _HOST.fullmatch(host.lower())
        if match is None:
            return False
        name, port = match[1], match[2]
        if name not in self.names:
            return False
        if self.behind_proxy:
            return True
        if port is None:
            return self.port == (443 if self.cert else 80)
        return port == str(self.port)


def bound(
    host: str = "127.0.0.1", port: int = PORT, *, names: Iterable[str] = (),
    cert: Path | None = None, key: Path | None = None, behind_proxy: bool = False,
) -> Binding:  # fmt: skip
    """Return where to listen, or refuse.

    Parameters
    ----------
    host
        A name of this machine's loopback, or an address of it.
    names
        More names by which browsers may call it, such as ``ltc.tail1234.ts.net``.
    cert, key
        A certificate and its key (PEM), both or neither.
    behind_proxy
        Something in front ends TLS, and a person says so.

    Raises
    ------
    UsageError
        When others could read along, or it cannot be.
    """
    if not 1 <= port <= 65535:
        raise UsageError(f"there is no port {port}", "give one from 1 to 65535")
    if (cert is None) != (key is None):
        raise UsageError("--cert and --key belong together", "give both, or neither")
    for file in (cert, key):
        if file is not None and not file.is_file():
            raise UsageError(f"there is no file {file}", "give the path of a PEM file")
    address = _address(host)
    if not address.is_loopback and cert is None and not behind_proxy:
        raise UsageError(
            f"--host {host} can be reached from outside, and nothing encrypts what is sent",
            "leave it away and come through a tunnel (ssh -L, Tailscale, WireGuard), give --cert "
            "and --key, or --behind-proxy where a proxy of yours ends TLS",
        )
    allowed = set(LOOPBACK)
    if not address.is_unspecified:
        allowed.add(f"[{address}]" if address.version == 6 else str(address))
    for name in names:
        lowered = name.lower()
        if not _NAME.fullmatch(lowered) or len(lowered) > 253:
            raise UsageError(f"{name!r} is no name of a host", "write it as in ltc.example.org")
        allowed.add(lowered)
    return Binding(str(address), port, cert, key, behind_proxy, frozenset(allowed))


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    if host.lower() == "localhost":
        return ipaddress.IPv4Address("127.0.0.1")
    try:
        return ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        raise UsageError(
            f"{host!r} is no address to listen on", "write 127.0.0.1, 0.0.0.0, or one of this "
            "machine's; names by which it is called are given with --name",
        ) from None  # fmt: skip

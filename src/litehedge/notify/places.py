"""Where alerts go, by apprise: Telegram, ntfy, e-mail and some hundred more, each by a URL.

The URLs hold tokens and passwords. None is ever shown or logged: a place is called by its service,
and what apprise says of a failure has every piece of the URL taken out.
"""

from __future__ import annotations

import logging
import re
import socket
import warnings
from collections.abc import Sequence
from typing import Any, Final, Literal
from urllib.parse import unquote, urlsplit

from litehedge.errors import LitehedgeError, WrongSetup

Kind = Literal["info", "success", "warning"]
LONGEST: Final = 3000  # characters of a message
SHORTEST: Final = 120
SHOWN: Final = 4  # pieces of a URL that are shorter than this tell nothing
HIDDEN: Final = "…"

# Apprise tells of failures there, before anything is taken out; its results tell them too.
logging.getLogger("apprise").addHandler(logging.NullHandler())
logging.getLogger("apprise").propagate = False


class Undelivered(LitehedgeError):
    """A message did not reach a place, or nobody knows. It is tried again."""


class Place:
    """One receiver of alerts.

    Parameters
    ----------
    url
        As apprise understands it; a secret.
    number
        Which of several of the same service, 0 where it is the only one.
    """

    def __init__(self, url: str, service: Any, asset: Any, number: int = 0) -> None:
        from apprise import Apprise

        self.name = str(service.service_name) + (f" {number}" if number else "")
        self.room = max(SHORTEST, min(LONGEST, int(service.body_maxlen) - 100))
        self._url = url
        self._service = service
        self._apprise = Apprise(asset=asset)
        self._apprise.add(service)

    def __repr__(self) -> str:
        return f"Place({self.name})"

    def __reduce__(self) -> str | tuple[object, ...]:
        raise TypeError("the addresses of alerts are not written anywhere")

    def send(self, title: str, body: str, kind: Kind = "info") -> None:
        """Send one message and wait until the service has taken it.

        Raises
        ------
        Undelivered
            When it did not, as far as is known.
        """
        if len(body) > self.room:
            body = body[: self.room - 1] + HIDDEN
        try:
            result = self._apprise.notify(
                body=body, title=title, notify_type=kind, body_format="text"
            )
        except Exception as error:  # a plugin of somebody else's: it must not end the sending
            raise Undelivered(f"{self.name} failed ({type(error).__name__})") from None
        if not result:
            raise Undelivered(f"{self.name} did not take it", self._why(result))

    def address(self) -> tuple[str, int] | None:
        """Return host and port of the service, None where it does not say."""
        service = self._service
        for told in ("notify_url", "cloud_notify_url"):
            url = getattr(service, told, None)
            private = told == "cloud_notify_url" and getattr(service, "mode", "cloud") != "cloud"
            if isinstance(url, str) and not private and (found := urlsplit(url)).hostname:
                return found.hostname, found.port or (443 if found.scheme == "https" else 80)
        host = getattr(service, "smtp_host", None) or service.host
        port = getattr(service, "port", None) or (443 if service.secure else 80)
        is_host = isinstance(host, str) and ("." in host or host == "localhost")
        return (str(host), int(port)) if is_host else None

    def answers(self, timeout_s: float = 3.0) -> bool | None:
        """Return whether its server takes connections; nothing is sent. None: it has no address."""
        where = self.address()
        return None if where is None else answers(*where, timeout_s)

    def _why(self, result: Any) -> str:
        said = [str(entry.message) for entry in result.logs()]
        return redacted(said[-1], [self._url]) if said else "no reason was told"


def answers(host: str, port: int, timeout_s: float = 3.0) -> bool:
    """Return whether somebody takes connections there."""
    try:
        with socket.create_connection((host, port), timeout_s):
            return True
    except OSError:
        return False


def redacted(text: str, urls: Sequence[str]) -> str:
    """Return `text` without any piece of the URLs but their kind; rather too little than too much.

    A piece is what stands between signs, of four letters or more.
    """
    pieces: set[str] = set()
    for url in urls:
        rest = url.partition("://")[2]
        for form in (rest, unquote(rest)):
            pieces.update(re.split(r"[^\w-]+", form))
            pieces.update(re.split(r"[/?&=@:\s,]+", form))
        pieces.update(unquote(piece) for piece in re.split(r"[/?&=@:\s,]+", rest))
    for piece in sorted((p for p in pieces if len(p) >= SHOWN), key=len, reverse=True):
        text = text.replace(piece, HIDDEN)
    return text


def read_places(urls: str) -> list[Place]:
    """Return the places of URLs with blanks between them.

    Raises
    ------
    WrongSetup
        When apprise does not understand one: by its number, since it is a secret.
    """
    if not urls.split():
        return []
    from apprise import Apprise, AppriseAsset

    # In the thread that asks, with the services' own time limits; nothing on disk.
    asset = AppriseAsset(
        app_id="litehedge", async_mode=False, storage_mode="memory", service_timeout=0
    )
    made: list[tuple[str, Any]] = []
    for number, url in enumerate(urls.split(), start=1):
        with warnings.catch_warnings():  # of the modules that its plugins import
            warnings.simplefilter("ignore", DeprecationWarning)
            service = Apprise.instantiate(url, asset=asset)
        if service is None:
            raise WrongSetup(
                f"the {_ordinal(number)} address of alerts is none that apprise understands",
                "see docs/how-to/alerts.md for examples, then: litehedge keys set alerts",
            )
        made.append((url, service))
    names = [str(service.service_name) for _, service in made]
    seen: dict[str, int] = {}
    places = []
    for (url, service), name in zip(made, names, strict=True):
        seen[name] = seen.get(name, 0) + 1
        number = seen[name] if names.count(name) > 1 else 0
        places.append(Place(url, service, asset, number))
    return places


def _ordinal(number: int) -> str:
    return {1: "first", 2: "second", 3: "third"}.get(number, f"{number}th")

"""How a public server is asked again and again: as seldom as it wants, and never twice the same.

`Retry-After` (RFC 9110, 10.2.3) is a number of seconds or a date; `ETag` and `Last-Modified`
(RFC 9110, 8.8) let it answer that nothing is new.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Final

from litehedge.errors import VenueDown, WrongSetup
from litehedge.net import Answer
from litehedge.units import NS_PER_SECOND

LONGEST_WAIT_S: Final = 6 * 3600.0
BUSY_S: Final = 60.0
"""How long a server is left alone that does not say for how long."""
LARGEST_BODY: Final = 8 * 2**20


class Busy(VenueDown):
    """The server wants to be left alone for `wait_s` seconds."""

    def __init__(self, what: str, wait_s: float) -> None:
        super().__init__(what, f"it is left alone for {wait_s:.0f} s")
        self.wait_s = wait_s


def retry_after_s(value: str, now_ns: int) -> float:
    """Return the wait of a `Retry-After` header, 0 when it says nothing that can be read."""
    value = value.strip()
    if value.isascii() and value.isdigit():
        return min(LONGEST_WAIT_S, float(value[:9]))
    try:
        wait_s = parsedate_to_datetime(value).timestamp() - now_ns / NS_PER_SECOND
    except (ValueError, TypeError, OverflowError, IndexError):
        return 0.0
    return min(LONGEST_WAIT_S, max(0.0, wait_s)) if math.isfinite(wait_s) else 0.0


def checked(answer: Answer, now_ns: int) -> bytes | None:
    """Return the body of an answer, None when nothing is new.

    Raises
    ------
    Busy
        When the server wants to be left alone.
    WrongSetup
        When it refuses us: a key is missing, wrong, or not enough.
    VenueDown
        When it has no answer.
    """
    status = answer.status
    if status == 304:
        return None
    if status == 200:
        if len(answer.body) > LARGEST_BODY:
            raise VenueDown(f"an answer of {len(answer.body)} bytes", "it is not read")
        return answer.body
    if status in (401, 402, 403):
        raise WrongSetup(f"the server refuses us (status {status})", "look at the key")
    wait_s = retry_after_s(answer.headers.get("retry-after", ""), now_ns)
    if status == 429:
        wait_s = max(wait_s, BUSY_S)
    if wait_s > 0.0:
        raise Busy(f"the server is asked too often (status {status})", wait_s)
    raise VenueDown(f"the server answers with status {status}", "it is asked again")


@dataclass(slots=True)
class Seen:
    """What the server said of its last answer, for asking whether there is a newer one."""

    etag: str = ""
    modified: str = ""

    def headers(self) -> dict[str, str]:
        """Return the headers that ask for what is newer."""
        asked = {"If-None-Match": self.etag, "If-Modified-Since": self.modified}
        return {name: value for name, value in asked.items() if value}

    def note(self, answer: Answer) -> None:
        """Remember what an answer that was read says of itself."""
        self.etag = answer.headers.get("etag", "")[:512]
        self.modified = answer.headers.get("last-modified", "")[:128]

"""What Binance's refusals mean: status and body in, the right error out. Pure.

Codes: developers.binance.com, "USDS Margined Futures / Error Code"; the three meanings of HTTP 503
are in "General Info". Every message says what was not done, and what happens to the position
meanwhile.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, NamedTuple

import msgspec
from msgspec import Struct

from litehedge.errors import VenueDown, VenueError, VenueRefused, VenueUnknown, WrongSetup

_STAYS: Final = "position and hedge stay as they are"
_ASKED: Final = "it is asked what became of it before anything is sent again; " + _STAYS


class Meaning(NamedTuple):
    """Which error a code is, what to do, and whether reducing is still taken."""

    kind: type[VenueError]
    remedy: str
    raises_only: bool = False


_BUSY: Final = Meaning(VenueDown, f"nothing was done and it waits; {_STAYS}")
_LOST: Final = Meaning(VenueUnknown, _ASKED)
_KEYS: Final = Meaning(
    WrongSetup,
    "check key, secret, its futures permission and its list of addresses on Binance; "
    f"{_STAYS}, unguarded until this is mended",
)
_FORM: Final = Meaning(VenueRefused, f"the rules of the contract are read anew; {_STAYS}")
_BAND: Final = Meaning(
    VenueRefused, f"the limit lies outside Binance's band around the mark; {_STAYS}"
)
_MODE: Final = Meaning(
    WrongSetup,
    f"set one-way or hedge mode as the settings say, with no position and order open; {_STAYS}, "
    "unguarded until this is mended",
)
_CLOSED: Final = Meaning(
    VenueRefused, f"the contract does not trade now; {_STAYS} and cannot be closed there"
)
_REDUCE: Final = Meaning(
    VenueRefused, f"orders that reduce are still taken; {_STAYS}", raises_only=True
)

CODES: Final[Mapping[int, Meaning]] = {
    -1000: _LOST,
    -1001: _LOST,
    -1002: _KEYS,
    -1003: _BUSY,
    -1006: _LOST,
    -1007: _LOST,
    -1008: _REDUCE,
    -1013: _FORM,
    -1015: _BUSY,
    -1016: _CLOSED,
    -1021: Meaning(
        WrongSetup,
        f"set this machine's clock by a time server; {_STAYS}, unguarded until this is mended",
    ),
    -1022: _KEYS,
    -1111: _FORM,
    -1121: Meaning(WrongSetup, f"correct the symbol; {_STAYS}"),
    -1125: Meaning(VenueRefused, f"a new listen key is fetched; {_STAYS}"),
    -2011: Meaning(VenueRefused, f"there was nothing to cancel; {_STAYS}"),
    -2013: Meaning(VenueRefused, f"Binance does not know the order, or not yet; {_STAYS}"),
    -2014: _KEYS,
    -2015: _KEYS,
    -2018: _REDUCE,
    -2019: _REDUCE,
    -2021: Meaning(VenueRefused, f"the mark has passed the trigger already; {_STAYS}"),
    -2022: Meaning(VenueRefused, f"there is nothing left to reduce; {_STAYS}"),
    -2023: Meaning(VenueRefused, "Binance is liquidating the account and takes no orders"),
    -2027: _REDUCE,
    -2028: Meaning(VenueRefused, f"the margin does not allow this leverage; {_STAYS}"),
    -4003: _FORM,
    -4005: _FORM,
    -4014: _FORM,
    -4015: _FORM,
    -4016: _BAND,
    -4023: _FORM,
    -4024: _BAND,
    -4028: Meaning(VenueRefused, f"the contract does not have this leverage; {_STAYS}"),
    -4046: Meaning(VenueRefused, "it was so already"),
    -4047: _MODE,
    -4048: _MODE,
    -4059: Meaning(VenueRefused, "it was so already"),
    -4060: _MODE,
    -4061: _MODE,
    -4062: _MODE,
    -4067: _MODE,
    -4068: _MODE,
    -4108: _CLOSED,
    # An order with this id is there: it was sent before.
    -4116: Meaning(VenueUnknown, f"an order with this id is there already; {_ASKED}"),
    -4120: Meaning(VenueRefused, f"stops go to the algo service; {_STAYS}"),
    -4130: Meaning(VenueRefused, f"a stop that closes this side is there already; {_STAYS}"),
    -4131: _BAND,
    -4140: _CLOSED,
    -4161: Meaning(VenueRefused, f"leverage of an isolated position only rises; {_STAYS}"),
    -4164: Meaning(VenueRefused, f"the order is below Binance's smallest; {_STAYS}"),
    -4192: _REDUCE,
    -4400: _REDUCE,
    -5021: Meaning(VenueRefused, f"it could not be filled at once; {_STAYS}"),
    -5022: Meaning(VenueRefused, f"it would not have rested; {_STAYS}"),
}
NO_NEED: Final = frozenset({"-4046", "-4059"})
NOT_THERE: Final = frozenset({"-2011", "-2013"})

_BANNED: Final = re.compile(r"until (\d{13})")


class _Body(Struct):
    code: int | None = None
    msg: str = ""


_BODY: Final = msgspec.json.Decoder(_Body, strict=False)


def error_of(status: int, body: bytes, what: str, *, changes: bool) -> VenueError:
    """Return the error that an answer means.

    Parameters
    ----------
    status
        Of HTTP, or the `status` of an answer over the websocket API, which are the same.
    body
        The JSON of the error; anything else is taken as without code.
    what
        What was asked for, in words: "the order", "the balance".
    changes
        Whether the request changes something: only then can an outcome be unknown.
    """
    try:
        said = _BODY.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError):
        said = _Body()
    words = "".join(c for c in said.msg[:200] if c.isprintable()).strip().rstrip(".")
    code = "" if said.code is None else str(said.code)
    meaning = _by_status(status, words) if said.code is None else CODES.get(said.code)
    if status in (418, 429):
        meaning = _BUSY
    if meaning is None:
        meaning = _by_status(status, words)
    kind = VenueDown if meaning.kind is VenueUnknown and not changes else meaning.kind
    remedy = "it is asked again" if kind is VenueDown and not changes else meaning.remedy
    told = f": {words}" if words else ""
    number = code or f"HTTP {status}"
    verb = "did not answer for certain" if kind is VenueUnknown else "refused"
    return kind(
        f"Binance {verb} {what}{told} ({number})",
        remedy,
        code=code or str(status),
        raises_only=meaning.raises_only,
    )


def _by_status(status: int, words: str) -> Meaning:
    if status == 503:
        # "Unknown error ..." may have been done; "Service Unavailable" and -1008 were not.
        return _BUSY if words.startswith("Service Unavailable") else _LOST
    if status == 401:
        return _KEYS
    if status == 403:
        return Meaning(VenueDown, f"its firewall stopped the request; it waits; {_STAYS}")
    if status == 451:
        return Meaning(WrongSetup, f"Binance does not serve this country; {_STAYS}, unguarded")
    if status < 400 or status == 408 or status >= 500:
        return _LOST  # below 400: it was taken, and the answer says nothing of it
    return Meaning(VenueRefused, f"nothing was done; {_STAYS}")


def hold_s(status: int, retry_after: str | None, body: bytes, now_ms: int) -> float:
    """Return for how long nothing may be asked after an answer, in seconds; 0 when at once.

    After 429 asking on leads to 418, a ban of two minutes to three days that grows with every
    further request. The header ``Retry-After`` tells the seconds, the text of a ban its end.
    """
    if status not in (418, 429):
        return 0.0
    if retry_after is not None and retry_after.strip().isdecimal():
        return float(min(int(retry_after.strip()[:9]), 3 * 86_400))
    banned = _BANNED.search(body[:1000].decode("utf-8", "replace"))
    if banned is not None:
        return min(max(0.0, (int(banned[1]) - now_ms) / 1000.0), 3 * 86_400.0)
    return 120.0 if status == 418 else 10.0

"""What Bybit's refusals mean, and what happens to the position meanwhile. Pure.

Codes: https://bybit-exchange.github.io/docs/v5/error and `/v5/websocket/trade/guideline`. Bybit
puts the key into some of its texts, so none of those of signing and permission is passed on.
"""

from __future__ import annotations

import re
from typing import Final

from litehedge.errors import (
    VenueDown,
    VenueError,
    VenueRefused,
    VenueUnknown,
    WrongSetup,
)

UNCHANGED: Final = frozenset({110025, 110026, 110027, 110043, 34036, 34040})
"""What was asked for is so already."""
NO_SUCH_ORDER: Final = frozenset({110001, 110019})
ORDER_IS_OVER: Final = frozenset({110008, 110010})
TOO_OFTEN: Final = frozenset({10006, 10018, 10429})

_STANDS = "position and hedge stay as they are, and nothing of ours is sent"
AS_IT_WAS: Final = "nothing was done, the position is as it was"
ASKED: Final = (
    "it is asked for by its id before anything is sent again; the position is not known until then"
)

_SETUP: Final[dict[int, tuple[str, str]]] = {
    10002: ("this machine's clock differs from bybit's", "set the clock (NTP)"),
    10003: ("bybit does not know the key", "check the key, and whether it is for the testnet"),
    10004: ("bybit refuses the signature", "check the secret"),
    10005: ("the key may not do this", "give it the permissions for contract orders and positions"),
    10007: ("bybit does not accept the key", "check key and secret"),
    10008: ("bybit has banned the account", "ask bybit's support"),
    10009: ("bybit has banned this address", "wait, or ask bybit's support"),
    10010: ("the key is bound to another address", "add this machine's address to the key"),
    10024: ("bybit's rules do not let this account trade", "ask bybit's support"),
    10027: ("bybit has banned the account from trading", "ask bybit's support"),
    10028: ("the account is not a unified one", "upgrade it on bybit's site"),
    10029: ("the key may not trade this symbol", "check the symbols of the key"),
    10404: ("bybit does not know this request", "check the address of the venue"),
    33004: ("the key has expired", "make a new key"),
    100028: ("a unified account cannot do this", "check the kind of the account"),
    110024: ("the position mode cannot change while a position is open", "close it first"),
    110028: ("the position mode cannot change while orders are open", "cancel them first"),
    110029: ("this contract has no hedge mode", "hedge on a second venue, or reduce"),
    110036: ("leverage cannot change in this margin mode", "check the margin mode"),
    110038: ("leverage cannot change under portfolio margin", "check the margin mode"),
}
_RAISES_ONLY: Final[dict[int, str]] = {
    110004: "the wallet does not cover the order",
    110006: "the wallet does not cover the margin of the order",
    110007: "the available balance does not cover the order",
    110012: "the available balance does not cover the order",
    110014: "the available balance does not cover the margin",
    110016: "the order would exceed the risk limit",
    110021: "the order would exceed the share of the open interest that bybit allows",
    110022: "bybit limits the quantity, it cannot be raised",
    110023: "bybit takes only reducing orders on this contract",
    110040: "the order would cause a liquidation",
    110042: "bybit takes only reducing orders before the delivery",
    110044: "the available margin does not cover the order",
    110045: "the wallet does not cover the order",
    110051: "the available balance does not cover the order",
    110052: "the available balance does not cover the price",
    110053: "the available balance does not cover the order",
    110085: "bybit has changed the risk limit",
    110086: "the leverage is too high for the risk limit",
    3400139: "positions and orders would exceed the risk limit",
}
_REFUSED: Final[dict[int, tuple[str, str]]] = {
    110003: ("the price is beyond the band that bybit allows", "it is clamped to the band anew"),
    110009: ("there are too many stop orders", "cancel stops that are not needed"),
    110013: ("the risk limit does not allow this leverage", "choose a lower one"),
    110017: ("there is less to reduce than was ordered", "the account is read anew"),
    110020: ("there are 500 open orders", "cancel some"),
    110063: ("bybit settles the contract now", "it is tried again"),
    110066: ("bybit does not trade this contract now", "it is tried again"),
    110092: ("the trigger lies on the wrong side of the price", "choose it above the price"),
    110093: ("the trigger lies on the wrong side of the price", "choose it below the price"),
    110094: ("the order is smaller than bybit's least", "it is joined to the next"),
}
_NOT_BEGUN: Final[dict[int, str]] = {
    10006: "bybit was asked too often",
    10018: "bybit was asked too often from this address",
    10019: "bybit restarts its order service",
    10429: "bybit protects itself from too many requests",
    110079: "bybit still works on the order before",
}
_UNSURE: Final[dict[int, str]] = {
    10000: "bybit's server timed out",
    10016: "bybit's server failed",
    3400214: "bybit's server failed",
}
_SENT_BEFORE: Final = frozenset({10014, 20006, 110030, 110072})


def refusal(code: int, text: str, doing: str, *, changes: bool) -> VenueError:
    """Return the error that stands for a `retCode`.

    Parameters
    ----------
    text
        `retMsg`; told on only where it cannot hold anything secret.
    doing
        What was asked for, such as "the order lh-a-000001".
    changes
        Whether the request changes something: then a failed server leaves the outcome unknown.
    """
    number = str(code)
    if code in _SENT_BEFORE:
        what = f"{doing}: bybit knows the id already"
        return VenueUnknown(what, ASKED, code=number)
    if code in _UNSURE:
        if changes:
            return VenueUnknown(f"{doing}: {_UNSURE[code]}", ASKED, code=number)
        return VenueDown(f"{doing}: {_UNSURE[code]}", "it is asked again", code=number)
    if code in _NOT_BEGUN:
        return VenueDown(f"{doing}: {_NOT_BEGUN[code]}", AS_IT_WAS, code=number)
    if code in _SETUP:
        what, remedy = _SETUP[code]
        return WrongSetup(f"{doing}: {what}", f"{remedy}; {_STANDS}", code=number)
    if code == 10001 and re.search("symbol", text, re.IGNORECASE):
        what = f"{doing}: bybit does not know the symbol"
        return WrongSetup(what, f"check the symbol; {_STANDS}", code=number)
    if code in _RAISES_ONLY:
        remedy = f"{AS_IT_WAS}; what reduces is still taken"
        return VenueRefused(f"{doing}: {_RAISES_ONLY[code]}", remedy, code=number, raises_only=True)
    if code in _REFUSED:
        what, remedy = _REFUSED[code]
        return VenueRefused(f"{doing}: {what}", f"{AS_IT_WAS}; {remedy}", code=number)
    return VenueRefused(f"{doing}: bybit refuses ({code}: {_short(text)})", AS_IT_WAS, code=number)


def http_failure(status: int, doing: str, *, changes: bool) -> VenueError:
    """Return the error that stands for an HTTP status without an answer that can be read."""
    code = f"HTTP {status}"
    if status in (403, 429):
        what = f"{doing}: bybit was asked too often from this address, or does not serve it"
        return VenueDown(what, f"{AS_IT_WAS}; nothing is sent for a while", code=code)
    if status == 401:
        what = f"{doing}: bybit does not accept the key"
        return WrongSetup(what, f"check key and secret; {_STANDS}", code=code)
    if status in (400, 404, 405):
        what = f"{doing}: there is no such address at the venue"
        return WrongSetup(what, f"check the address; {_STANDS}", code=code)
    if changes:
        return VenueUnknown(f"{doing}: bybit answered {status}", ASKED, code=code)
    return VenueDown(f"{doing}: bybit answered {status}", "it is asked again", code=code)


def unreadable(doing: str, *, changes: bool) -> VenueError:
    """Return the error for an answer that is not one of Bybit's."""
    what = f"{doing}: bybit's answer cannot be read"
    if changes:
        return VenueUnknown(what, ASKED)
    return VenueDown(what, "it is asked again")


def _short(text: str) -> str:
    """Return a text that can be told on: one line, without what stands in brackets."""
    plain = re.sub(r"\[.*\]?", "", text, flags=re.DOTALL)
    return re.sub(r"[^\x20-\x7e]+", " ", plain)[:120].strip()

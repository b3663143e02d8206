"""ccxt's exceptions in our words: refused, not reached, unknown, or wrongly set up.

Unknown is the careful answer: it costs a question, while a wrong "refused" costs a second order.
ccxt raises a bare `ExchangeError` for every code that it does not know, the duplicate client id
among them, and `ExchangeNotAvailable` both for a connection that never was and for one that broke
after the order had gone out.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import localcontext
from typing import Final

from litehedge.errors import (
    BadMessage,
    LitehedgeError,
    VenueDown,
    VenueError,
    VenueRefused,
    VenueUnknown,
    WrongSetup,
)

_CODE: Final = re.compile(r'"(?:sCode|retCode|errorCode|code|label)"\s*:\s*"?(-?\w+)')
_DUPLICATE: Final = re.compile(
    r"duplicat|already exist|cliOrdIdAlreadyUsed|clientorderid is not unique|"
    r"\b(51016|40786|45111|110072|-4116)\b",
    re.IGNORECASE,
)
_MOST_TEXT: Final = 200


def _text(error: BaseException) -> str:
    """What was said, without the queries of addresses: they hold signatures."""
    said = re.sub(r"\?\S*", "?...", str(error))
    return said[:_MOST_TEXT]


def _code(error: BaseException) -> str:
    codes = [code for code in _CODE.findall(str(error)) if code not in ("0", "1", "200")]
    return codes[-1] if codes else ""


def in_our_words(
    error: Exception, venue: str, doing: str, *, changes: bool, places: bool
) -> VenueError:
    """Return what a failure means.

    Parameters
    ----------
    doing
        What was tried, for the message: "the order lh-x-000001 was not placed" and the like.
    changes
        Whether something would have been changed.
    places
        Whether an order was placed: then what is not surely refused is unknown.
    """
    import aiohttp
    import ccxt

    what = f"{venue}, {doing}: {type(error).__name__} {_text(error)}"
    code = _code(error)
    lost = VenueUnknown if changes else VenueDown
    is_unsure = lost(what, "it is asked what became of it" if changes else "it is tried again")
    is_unsure.code = code
    if not isinstance(error, ccxt.BaseError):
        return is_unsure  # ccxt stumbled over the answer: something was answered
    if isinstance(error, ccxt.DuplicateOrderId) or (places and _DUPLICATE.search(str(error))):
        told = "an order with this id is there already; it is asked what became of it"
        return VenueUnknown(what, told, code=code) if places else VenueRefused(what, code=code)
    if isinstance(error, (ccxt.AuthenticationError, ccxt.PermissionDenied)):
        return WrongSetup(what, "check the keys, what they may do, and from where", code=code)
    if isinstance(error, ccxt.InvalidNonce) and not isinstance(error, ccxt.ChecksumError):
        return WrongSetup(what, "set this machine's clock", code=code)
    if isinstance(error, (ccxt.BadSymbol, ccxt.NotSupported, ccxt.ArgumentsRequired)):
        return WrongSetup(what, "this venue cannot do that", code=code)
    if isinstance(error, ccxt.RestrictedLocation):
        return WrongSetup(what, "the venue does not serve this place", code=code)
    if isinstance(error, (ccxt.RateLimitExceeded, ccxt.DDoSProtection, ccxt.OnMaintenance)):
        return VenueDown(what, "the venue is too busy; it is tried again", code=code)
    if isinstance(error, ccxt.ExchangeNotAvailable):
        never_began = (aiohttp.ClientConnectorError, socket.gaierror)
        if isinstance(error.__cause__, never_began):
            return VenueDown(what, "check the network", code=code)
        return is_unsure
    if isinstance(error, ccxt.OperationFailed):
        return is_unsure  # timeouts, answers without sense
    if isinstance(error, ccxt.InsufficientFunds):
        return VenueRefused(what, "what reduces is still taken", code=code, raises_only=True)
    if type(error) is ccxt.ExchangeError:
        came_apart = isinstance(error.__cause__, aiohttp.ClientError)
        return is_unsure if places or came_apart else VenueRefused(what, code=code)
    return VenueRefused(what, code=code)


def _is_too_often(error: Exception) -> bool:
    import ccxt

    return isinstance(error, (ccxt.RateLimitExceeded, ccxt.DDoSProtection))


@contextmanager
def translated(
    venue: str,
    doing: str,
    *,
    changes: bool = False,
    places: bool = False,
    busy: Callable[[], None] = lambda: None,
) -> Iterator[None]:
    """Run calls of ccxt: failures come in our words, and our decimals stay as they were.

    `busy` is called when the venue says that it was asked too often.

    ccxt sets rounding and traps of the current decimal context; here it gets its own.

    Raises
    ------
    VenueError
        One of its kinds.
    """
    try:
        with localcontext():
            yield
    except BadMessage as error:
        lost = VenueUnknown if changes or places else VenueDown
        raise lost(f"{venue}, {doing}: {error.what}", "it is asked again") from None
    except LitehedgeError:
        raise
    except Exception as error:
        if _is_too_often(error):
            busy()
        raise in_our_words(error, venue, doing, changes=changes or places, places=places) from None

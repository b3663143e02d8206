"""Bybit v5 values: text, numbers and times as they stand in its messages, checked once.

Everything that Bybit sends may be wrong; what cannot be true raises `BadMessage` and nothing else.
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from math import isfinite
from typing import Annotated, Any, Final, TypeVar

import msgspec

from litehedge.errors import BadMessage

SKIPPED: Final = "it is skipped"
LARGEST: Final = 1e15
"""No price, quantity or amount of money is larger."""
LAST_MS: Final = 4_102_444_800_000  # the year 2100
NS_PER_MS: Final = 1_000_000

_NOT_JSON = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError, OverflowError)
T = TypeVar("T")

Whole = Annotated[int, msgspec.Meta(ge=-(2**53), le=2**53)]
"""An integer of a message. JSON has no largest one, and Python cannot even print the largest."""


class Wire(msgspec.Struct, frozen=True, rename="camel"):
    """A message or a part of one; names are written as Bybit writes them."""


def decode(decoder: msgspec.json.Decoder[T], payload: bytes | msgspec.Raw, what: str) -> T:
    """Read JSON of a known shape.

    Raises
    ------
    BadMessage
        When it is not of that shape.
    """
    try:
        return decoder.decode(payload)
    except _NOT_JSON as error:
        raise BadMessage(f"bybit {what} cannot be read ({str(error)[:120]})", SKIPPED) from None


def number(text: str, what: str, *, least: float = 0.0) -> float:
    """Return a finite number of at least `least`.

    Raises
    ------
    BadMessage
        When it is none.
    """
    try:
        value = float(text)
    except (ValueError, OverflowError):
        value = float("nan")
    if not (isfinite(value) and least <= value <= LARGEST):
        raise BadMessage(f"bybit {what} is {text[:40]!r}", SKIPPED)
    return value


def price(text: str, what: str) -> float:
    """Return a positive finite number.

    Raises
    ------
    BadMessage
        When it is none.
    """
    value = number(text, what)
    if value <= 0.0:
        raise BadMessage(f"bybit {what} is {text[:40]!r}", SKIPPED)
    return value


def money(text: str, what: str, *, signed: bool = False) -> Decimal:
    """Return an exact decimal; an empty text is 0, as Bybit writes it.

    Raises
    ------
    BadMessage
        When it is none, not finite, or of absurd size.
    """
    if text == "":
        return Decimal(0)
    try:
        value = Decimal(text) if len(text) <= 40 else Decimal("nan")
    except InvalidOperation:
        value = Decimal("nan")
    if value.is_finite() and value == 0:
        return Decimal(0)
    # The size is checked on the exponent, so that no arithmetic can overflow.
    if not value.is_finite() or not -40 <= value.adjusted() <= 15 or (value < 0 and not signed):
        raise BadMessage(f"bybit {what} is {text[:40]!r}", SKIPPED)
    return value


def time_ns(ms: int | str, what: str) -> int:
    """Return nanoseconds since 1970 from Bybit's milliseconds.

    Raises
    ------
    BadMessage
        When it is no time of this century.
    """
    if isinstance(ms, str):
        if not (ms.isascii() and ms.isdigit() and len(ms) <= 15):
            raise BadMessage(f"bybit {what} is {ms[:40]!r}", SKIPPED)
        ms = int(ms)
    if not 0 < ms <= LAST_MS:
        raise BadMessage(f"bybit {what} is {ms}", SKIPPED)
    return ms * NS_PER_MS


def plain(value: Decimal) -> str:
    """Return a decimal as Bybit wants it: digits without an exponent."""
    return format(value, "f")


def one_of(value: str, choices: dict[str, Any], what: str) -> Any:
    """Return what a word stands for.

    Raises
    ------
    BadMessage
        When it is none of the words that Bybit documents.
    """
    if value not in choices:
        raise BadMessage(f"bybit {what} is {value[:40]!r}", SKIPPED)
    return choices[value]

"""The look of reports: colours, and how numbers and times are written.

Red is for danger and green for what was done; neither ever stands without a word, sign or shape.
"""

from __future__ import annotations

import math
from typing import Final

from litehedge.units import iso_utc

GROUND: Final = "#0e1420"
CARD: Final = "#141b2a"
LINE: Final = "#263040"
INK: Final = "#e8eaed"
DIM: Final = "#9aa0a6"
BLUE: Final = "#5b9cf6"
AMBER: Final = "#f5a524"
RED: Final = "#e5484d"
GREEN: Final = "#30a46c"
TEAL: Final = "#4cc2c4"
VIOLET: Final = "#a78bfa"
ROSE: Final = "#e58fb1"
OLIVE: Final = "#b3b86b"

FONT: Final = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', sans-serif"
UNKNOWN: Final = "n/a"


def percent(share: float, digits: int = 1, *, signed: bool = False) -> str:
    """Write a fraction as ``36.0%``."""
    if not math.isfinite(share):
        return UNKNOWN
    return _without_minus_zero(f"{100.0 * share:{'+' if signed else ''},.{digits}f}") + "%"


def amount(amount_usdt: float, *, signed: bool = False) -> str:
    """Write an amount as ``1,234``, with cents below 100."""
    return number(amount_usdt, 2 if abs(amount_usdt) < 100.0 else 0, signed=signed)


def usdt(amount_usdt: float, *, signed: bool = False) -> str:
    """Write an amount as ``1,234 USDT``, with cents below 100."""
    written = amount(amount_usdt, signed=signed)
    return written if written == UNKNOWN else f"{written} USDT"


def number(value: float, digits: int = 1, *, signed: bool = False) -> str:
    """Write a number with thousands apart."""
    if not math.isfinite(value):
        return UNKNOWN
    return _without_minus_zero(f"{value:{'+' if signed else ''},.{digits}f}")


def _without_minus_zero(text: str) -> str:
    """Zero has no sign, whichever side it was rounded from."""
    return text.lstrip("+-") if text.strip("+-0.,") == "" else text


def day(time_ns: int) -> str:
    """Write the UTC date of a time: ``2021-05-19``."""
    return iso_utc(time_ns)[:10]


def counted(n: int, what: str) -> str:
    """Write ``1 trade`` or ``2 trades``."""
    return f"{n:,} {what}" if n == 1 else f"{n:,} {what}s"

"""Units, rounding and the words for time: everything here is exact or says how it rounds.

Times are integers in nanoseconds since 1970-01-01 UTC and their names end in ``_ns``.
Rates are fractions unless the name ends in ``_bps`` (1 bps = 1e-4).
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

from litehedge.errors import UsageError

NS_PER_MS: Final = 1_000_000
NS_PER_SECOND: Final = 1_000_000_000
NS_PER_MINUTE: Final = 60 * NS_PER_SECOND
NS_PER_HOUR: Final = 60 * NS_PER_MINUTE
NS_PER_DAY: Final = 24 * NS_PER_HOUR
MINUTES_PER_DAY: Final = 1440
DAYS_PER_YEAR: Final = 365
"""Litecoin trades every day: a 252-day year would understate every annual figure."""

BPS: Final = 1e-4

LONG: Final = 1
SHORT: Final = -1

_DURATION = re.compile(r"^\s*(\d+(?:\.\d+)?)\s*(ms|s|m|min|h|d|w)\s*$")
_DURATION_NS: Final = {
    "ms": NS_PER_MS,
    "s": NS_PER_SECOND,
    "m": NS_PER_MINUTE,
    "min": NS_PER_MINUTE,
    "h": NS_PER_HOUR,
    "d": NS_PER_DAY,
    "w": 7 * NS_PER_DAY,
}


def duration_ns(text: str) -> int:
    """Read ``"90s"``, ``"5m"``, ``"6h"``, ``"7d"`` or ``"2w"`` as nanoseconds.

    Raises
    ------
    UsageError
        When `text` is not a number followed by one of the units.

    Examples
    --------
    >>> duration_ns("5m") == 5 * NS_PER_MINUTE
    True
    """
    match = _DURATION.match(text)
    if match is None:
        raise UsageError(
            f"{text!r} is not a duration", "write a number and a unit: 90s, 5m, 6h, 7d"
        )
    nanoseconds = int(float(match[1]) * _DURATION_NS[match[2]])
    if nanoseconds <= 0:
        raise UsageError(f"{text!r} is not a duration above zero", "write for example 6h")
    return nanoseconds


def instant_ns(text: str) -> int:
    """Read an ISO date or time (UTC unless it carries an offset) as nanoseconds.

    Raises
    ------
    UsageError
        When `text` is not an ISO 8601 date or time.

    Examples
    --------
    >>> instant_ns("1970-01-02") == NS_PER_DAY
    True
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(
            f"{text!r} is not a date", "write 2021-05-19 or 2021-05-19T12:30 (UTC)"
        ) from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    delta = moment - epoch
    return (delta.days * 86_400 + delta.seconds) * NS_PER_SECOND + delta.microseconds * 1_000


def iso_utc(time_ns: int, *, seconds: bool = False) -> str:
    """Write a time as ``2021-05-19 12:45`` (UTC), with seconds when asked."""
    moment = datetime.fromtimestamp(time_ns // NS_PER_SECOND, tz=UTC)
    return moment.strftime("%Y-%m-%d %H:%M:%S" if seconds else "%Y-%m-%d %H:%M")


def describe_ns(span_ns: int) -> str:
    """Write a length of time with its largest fitting unit: ``5m``, ``6h``, ``1.5d``."""
    for unit, size in (("d", NS_PER_DAY), ("h", NS_PER_HOUR), ("m", NS_PER_MINUTE)):
        if span_ns >= size:
            return f"{span_ns / size:g}{unit}"
    return f"{span_ns / NS_PER_SECOND:g}s"

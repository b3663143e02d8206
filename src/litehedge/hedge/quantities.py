"""What a condition of a rule may read: one table, with units as people write them.

`QUANTITIES` is the only list; reader, words, kernel and the reference page follow it. A number of
a condition is kept in the base of its unit: a share as a fraction (``5 %`` is 0.05), funding in
bps, times in minutes, the hour of the day in hours.
"""

from __future__ import annotations

import math
import re
from decimal import Decimal, InvalidOperation
from typing import Any, Final

import msgspec

from litehedge.hedge import signals as sg
from litehedge.squeeze.forecast import N_SEVERITY
from litehedge.squeeze.hazard import PEAK_HORIZON_MIN

PERCENT: Final = "%"
BPS: Final = "bps"
MINUTES: Final = "min"
TIMES: Final = "x"
USDT: Final = "USDT"
LTC_PER_MIN: Final = "LTC/min"
CLOCK: Final = "o'clock (UTC)"
WORDS: Final = "word"

_SPELLINGS: Final[dict[str, dict[str, str]]] = {
    PERCENT: {"": "1", "%": "0.01", "percent": "0.01", "per cent": "0.01", "pct": "0.01",
              "bps": "0.0001", "bp": "0.0001"},
    BPS: {"": "1", "bps": "1", "bp": "1", "%": "100"},
    MINUTES: {"": "1", "min": "1", "minutes": "1", "minute": "1", "m": "1", "h": "60",
              "hours": "60", "hour": "60"},
    TIMES: {"": "1", "x": "1", "times": "1"},
    USDT: {"": "1", "usdt": "1", "usd": "1", "$": "1"},
    LTC_PER_MIN: {"": "1", "ltc": "1", "ltc/min": "1"},
}  # fmt: skip
"""Unit -> how people write it -> what one of it is in the base."""

_NUMBER = re.compile(r"\s*([+-]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?)\s*([^\d\s.,].*)?")
_TIME_OF_DAY = re.compile(r"\s*(\d{1,2})(?::(\d{2}))?\s*")

DAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
STATES: Final = ("ok", "degraded", "cold", "expired")
NO_YES: Final = ("no", "yes")

# What is not a row of the signals, as `rule_kernel` knows it
(
    DISTANCE, EQUITY_SHARE, LEVERAGE, HEDGE_NOW, EQUITY_LEFT, HOUR, WEEKDAY, WEEKEND,
) = range(8)  # fmt: skip


class Quantity(msgspec.Struct, frozen=True):
    """One thing that a condition may read.

    `words` is the subject of a sentence; `unit` one of this file's; `low` and `high` limit what
    may be written, in the base of the unit, and, when `is_bounded`, what can happen at all;
    `choices` replace numbers, each standing for its place. `rows` are the rows of the signals for
    a long and a short position, `factors` what they are multiplied with; without rows, `code` says
    what the kernel works out.
    """

    name: str
    group: str
    words: str
    about: str
    unit: str
    low: float
    high: float
    example: str
    rows: tuple[int, int] | None = None
    factors: tuple[float, float] = (1.0, 1.0)
    code: int = -1
    is_bounded: bool = True
    is_cyclic: bool = False
    choices: tuple[str, ...] = ()

    @property
    def range_words(self) -> str:
        """What may be written, for people."""
        if self.choices:
            return ", ".join(self.choices)
        return f"{shown(self, self.low)} to {shown(self, self.high)}"


def _of_horizon(minutes: int, place: int) -> list[Quantity]:
    row = sg.ONSET + place
    other = row + len(sg.HORIZONS_MIN)
    return [
        Quantity(
            f"squeeze_{minutes}min", "forecast",
            f"the probability of a squeeze against you within {minutes} min",
            "longs are squeezed when the price falls, shorts when it rises",
            PERCENT, 0.0, 1.0, f"squeeze_{minutes}min above 10 %", (row, other),
        ),
        Quantity(
            f"favourable_squeeze_{minutes}min", "forecast",
            f"the probability of a squeeze in your favour within {minutes} min",
            "a squeeze of the other side, which moves the price your way",
            PERCENT, 0.0, 1.0, f"favourable_squeeze_{minutes}min above 10 %", (other, row),
        ),
    ]  # fmt: skip


def _phase(name: str, words: str, place: int) -> Quantity:
    return Quantity(
        name, "forecast", f"the probability {words}", "a squeeze of either side",
        PERCENT, 0.0, 1.0, f"{name} above 40 %", (sg.PHASE + place,) * 2,
    )  # fmt: skip


def _severity(name: str, words: str, level: int, example: str) -> Quantity:
    row = sg.SEVERITY + level
    return Quantity(
        name, "forecast", f"{words} of a squeeze against you", "from its start to its peak, if one "
        "starts", PERCENT, 0.0, 1.0, f"{name} above {example}", (row, row + N_SEVERITY),
        is_bounded=False,
    )  # fmt: skip


_LISTED: Final = [
    *(q for place, minutes in enumerate((15, 60, 240)) for q in _of_horizon(minutes, place)),
    Quantity(
        "minutes_to_peak", "forecast", "the time to the peak of a squeeze against you",
        "the median, if one is running", MINUTES, 0.0, PEAK_HORIZON_MIN,
        "minutes_to_peak below 10 min", (sg.PEAK, sg.PEAK + 1),
    ),
    Quantity(
        "favourable_minutes_to_peak", "forecast",
        "the time to the peak of a squeeze in your favour", "the median, if one is running",
        MINUTES, 0.0, PEAK_HORIZON_MIN, "favourable_minutes_to_peak below 10 min",
        (sg.PEAK + 1, sg.PEAK),
    ),
    _phase("phase_before", "that it is shortly before a squeeze", 0),
    _phase("phase_during", "that a squeeze is running", 1),
    _phase("phase_after", "that a squeeze has just ended", 2),
    _severity("severity_median", "the usual size", 1, "4 %"),
    _severity("severity_95", "the size in one case of twenty", 3, "10 %"),
    Quantity(
        "forecast_volatility_30min", "forecast", "the move expected over the next 30 min",
        "its standard deviation, whichever way", PERCENT, 0.0, 0.5,
        "forecast_volatility_30min above 1 %", (sg.VOL_30,) * 2, (math.sqrt(30.0),) * 2,
        is_bounded=False,
    ),
    Quantity(
        "forecast_volatility_120min", "forecast", "the move expected over the next 120 min",
        "its standard deviation, whichever way", PERCENT, 0.0, 0.5,
        "forecast_volatility_120min above 2 %", (sg.VOL_120,) * 2, (math.sqrt(120.0),) * 2,
        is_bounded=False,
    ),
    Quantity(
        "confidence", "forecast", "the confidence of the forecast",
        "100 % is a forecast in familiar conditions", PERCENT, 0.0, 1.0, "confidence below 30 %",
        (sg.CONFIDENCE,) * 2,
    ),
    Quantity(
        "forecast_state", "forecast", "the forecast",
        "degraded: a feed is missing; cold: too little history; expired: the model is too old",
        WORDS, 0.0, 3.0, "forecast_state is not ok", (sg.STATE,) * 2, choices=STATES,
    ),
    Quantity(
        "volatility", "market", "the volatility of 5-minute returns", "over the last hour or so",
        PERCENT, 0.0, 0.2, "volatility above 0.4 %", (sg.VOL_RULE,) * 2, is_bounded=False,
    ),
    Quantity(
        "move_against_15min", "market", "the move against you over the last 15 min",
        "logarithmic; negative when the price moved your way", PERCENT, -0.5, 0.5,
        "move_against_15min above 2 %", (sg.MOVE_15M,) * 2, (-1.0, 1.0), is_bounded=False,
    ),
    Quantity(
        "funding", "market", "the last funding rate",
        "positive: longs pay shorts; unknown without funding data", BPS, -300.0, 300.0,
        "funding below -2 bps", (sg.FUNDING,) * 2, (1e4, 1e4), is_bounded=False,
    ),
    Quantity(
        "funding_you_pay", "market", "the funding that your position pays",
        "negative when it is paid to you, and then a hedge pays it; unknown without funding data",
        BPS, -300.0, 300.0, "funding_you_pay above 3 bps", (sg.FUNDING,) * 2, (1e4, -1e4),
        is_bounded=False,
    ),
    Quantity(
        "depth", "market", "the depth of the book", "within 1 % of mid, of its thinner side; "
        "unknown without a book feed", USDT, 0.0, 1e9, "depth below 50,000 USDT", (sg.DEPTH,) * 2,
        is_bounded=False,
    ),
    Quantity(
        "volume", "market", "the traded volume", "mean of about an hour", LTC_PER_MIN, 0.0, 1e7,
        "volume below 20 LTC/min", (sg.VOLUME,) * 2, is_bounded=False,
    ),
    Quantity(
        "distance_to_liquidation", "margin", "the distance to liquidation",
        "how far the price may move against you without a hedge", PERCENT, 0.0, 1.0,
        "distance_to_liquidation below 8 %", code=DISTANCE,
    ),
    Quantity(
        "equity_share", "margin", "the equity behind the position",
        "as a share of what the position is worth; 10 % is 10x", PERCENT, -1.0, 10.0,
        "equity_share below 8 %", code=EQUITY_SHARE, is_bounded=False,
    ),
    Quantity(
        "leverage_now", "margin", "the leverage now", "it grows as the position loses",
        TIMES, 0.0, 1000.0, "leverage_now above 15x", code=LEVERAGE, is_bounded=False,
    ),
    Quantity(
        "hedge_now", "margin", "the hedge now", "as a share of the position", PERCENT, 0.0, 1.0,
        "hedge_now below 20 %", code=HEDGE_NOW,
    ),
    Quantity(
        "equity_left", "margin", "what is left of the equity", "as a share of that at the start",
        PERCENT, -1.0, 100.0, "equity_left below 60 %", code=EQUITY_LEFT, is_bounded=False,
    ),
    Quantity(
        "hour", "time", "the hour", "of the day; a span may go over midnight", CLOCK, 0.0, 24.0,
        "hour between 22:00 and 06:00", code=HOUR, is_cyclic=True,
    ),
    Quantity(
        "weekday", "time", "the weekday", "UTC; a span may go over Sunday", WORDS, 0.0, 6.0,
        "weekday between friday and sunday", code=WEEKDAY, is_cyclic=True, choices=DAYS,
    ),
    Quantity(
        "weekend", "time", "it", "Saturday and Sunday, UTC", WORDS, 0.0, 1.0, "weekend is yes",
        code=WEEKEND, choices=NO_YES,
    ),
]  # fmt: skip

QUANTITIES: Final[dict[str, Quantity]] = {quantity.name: quantity for quantity in _LISTED}
"""Everything that a condition may read, by name."""


def shown(quantity: Quantity, value: float) -> str:
    """Write a value as people do; `read_value` reads the same value from it."""
    if quantity.choices:
        return quantity.choices[int(value)]
    if quantity.unit == CLOCK:
        minutes = round(value * 60.0)
        return f"{minutes // 60:02d}:{minutes % 60:02d}"
    if quantity.unit == PERCENT:
        return share_words(value)
    space = "" if quantity.unit == TIMES else " "
    return f"{_plain(Decimal(repr(value)))}{space}{quantity.unit}"


def share_words(share: float) -> str:
    """Write a fraction as ``5 %``, exactly."""
    return f"{_plain(Decimal(repr(share)) * 100)} %"


def _plain(number: Decimal) -> str:
    text = f"{number:,f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def read_value(quantity: Quantity, raw: Any) -> float:
    """Read what a person wrote beside a comparator.

    Raises
    ------
    ValueError
        When it is not a value of this quantity; the text says what may be written.
    """
    if quantity.choices:
        return _read_choice(quantity, raw)
    value = _read_clock(raw) if quantity.unit == CLOCK else read_number(quantity.unit, raw)
    if not math.isfinite(value):
        raise ValueError(f"must be a finite number, as in: {quantity.example}")
    if not quantity.low <= value <= quantity.high:
        is_bare = not isinstance(raw, str) or re.fullmatch(r"[\d.+-]+", raw.strip())
        hint = ""
        if quantity.unit == PERCENT and is_bare and quantity.low <= value / 100 <= quantity.high:
            hint = f". Did you mean {_plain(Decimal(repr(value)))} %?"
        raise ValueError(f"must be from {quantity.range_words}{hint}")
    return value


def _read_choice(quantity: Quantity, raw: Any) -> float:
    if isinstance(raw, bool) and quantity.choices == NO_YES:
        return float(raw)
    word = raw.strip().lower() if isinstance(raw, str) else ""
    if quantity.choices == NO_YES:
        word = {"true": "yes", "false": "no"}.get(word, word)
    for place, choice in enumerate(quantity.choices):
        if word == choice or (choice in DAYS and len(word) > 2 and choice.startswith(word)):
            return float(place)
    raise ValueError(f"must be one of {quantity.range_words}")


def _read_clock(raw: Any) -> float:
    found = _TIME_OF_DAY.fullmatch(raw) if isinstance(raw, str) else None
    if found is not None and int(found[2] or 0) < 60:
        return (int(found[1]) * 60 + int(found[2] or 0)) / 60.0
    if isinstance(raw, int) and not isinstance(raw, bool) and 0 <= raw <= 24:
        return float(raw)
    raise ValueError("must be a time of the day (UTC); write for example 22:30")


def read_number(unit: str, raw: Any) -> float:
    """Read a number with its unit, such as ``"2 %"``, ``0.02``, ``"30 min"``, ``"50,000 USDT"``.

    Raises
    ------
    ValueError
        When it is not a number, or in another unit.
    """
    spellings = _SPELLINGS[unit]
    known = ", ".join(spelling for spelling in spellings if spelling)
    if isinstance(raw, bool) or not isinstance(raw, int | float | str):
        raise ValueError(f"must be a number in {unit}")
    if isinstance(raw, int | float):
        try:
            return float(raw)
        except OverflowError:
            return math.inf
    found = _NUMBER.fullmatch(raw) if raw.isascii() and len(raw) < 400 else None
    if found is None:
        raise ValueError(f"must be a number in {unit}; write for example 1.5{_space(unit)}{unit}")
    written = " ".join((found[2] or "").lower().split())
    if written not in spellings:
        raise ValueError(f"is measured in {unit}, not in {written!r}; units are {known}")
    try:
        return float(Decimal(found[1].replace(",", "")) * Decimal(spellings[written]))
    except InvalidOperation:
        return math.inf


def _space(unit: str) -> str:
    return "" if unit == TIMES else " "

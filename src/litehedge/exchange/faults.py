"""What goes wrong on the fake exchange: each fault for the next requests or messages, or by chance.

The same seed and the same sequence of requests and messages give the same faults. A fault that
was set for the next `n` strikes just these; a chance strikes until it is lifted.
"""

from __future__ import annotations

import enum
import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final


class Fault(enum.StrEnum):
    """Everything that can be made to go wrong, by what it strikes."""

    # messages of streams
    SILENCE = "silence"  # swallowed, while the connection stays and answers pings
    GAP = "gap"  # a message is lost
    DUPLICATE = "duplicate"  # told twice
    REORDER = "reorder"  # told after the one that follows
    DELAY = "delay"  # told `seconds` of market time late; what follows overtakes it
    MALFORMED = "malformed"  # cut off in the middle
    DISCONNECT = "disconnect"  # the connection ends instead
    # pings
    NO_PONG = "no pong"  # pings get no answer, messages go on
    # requests
    SLOW = "slow"  # the answer comes `seconds` of wall time later
    LOST_ANSWER = "lost answer"  # done, and the connection breaks instead of an answer
    UNKNOWN_DONE = "503 unknown, done"
    UNKNOWN_LATE = "503 unknown, done late"  # not known for `seconds` of market time, then done
    UNKNOWN_NOT_DONE = "503 unknown, not done"
    UNAVAILABLE = "503 unavailable"  # not done
    THROTTLED = "throttled"  # -1008: only of orders that raise exposure
    TOO_MANY = "429"
    BANNED = "418"
    SKEW = "skew"  # as if the venue's clock were `ms` ahead
    REFUSED = "refused"  # with the venue's own `code` and `msg`
    HIDDEN = "hidden"  # a query is told that there is no such order
    # orders and the account
    PARTIAL = "partial"  # at most `share` of an order fills
    LIQUIDATE = "liquidate"  # at the next second: a wick of the mark, until the tiers are content
    DELEVERAGE = "deleverage"  # at the next second: `share` of the leg `side`
    TIERS = "tiers"  # at the next second: every maintenance rate rises by `factor`
    INSURANCE_CLEAR = "insurance clear"  # at the next second: `usdt` come from the fund
    STOP_LOST = "stop lost"  # at the next second: conditional orders are gone, nobody is told
    KEY_EXPIRES = "key expires"  # at the next second: every listen key
    DAY_END = "day end"  # at the next second: every stream is closed, as after 24 hours


MESSAGES: Final = (
    Fault.SILENCE, Fault.DISCONNECT, Fault.GAP, Fault.MALFORMED, Fault.DELAY, Fault.REORDER,
    Fault.DUPLICATE,
)  # fmt: skip
SECONDS: Final = (
    Fault.LIQUIDATE, Fault.DELEVERAGE, Fault.TIERS, Fault.INSURANCE_CLEAR, Fault.KEY_EXPIRES,
    Fault.DAY_END, Fault.STOP_LOST,
)  # fmt: skip

Terms = Mapping[str, float | str]
_NONE: Final[Terms] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Planned:
    """A fault that is set when so many seconds of market time have passed (see `Faults.next`)."""

    second: int
    fault: Fault
    n: int = 1
    match: str = ""
    terms: Terms = field(default_factory=lambda: _NONE)


@dataclass(slots=True)
class _Rule:
    match: str
    left: int | None  # None: goes on
    chance: float
    terms: Terms
    skip: int


@dataclass(slots=True)
class Faults:
    """The faults that are set, and how often each has struck."""

    seed: int = 0
    struck: Counter[Fault] = field(default_factory=Counter)
    _rules: dict[Fault, list[_Rule]] = field(default_factory=dict)
    _chances: dict[Fault, random.Random] = field(default_factory=dict)

    def next(
        self, fault: Fault, n: int = 1, *, match: str = "", skip: int = 0,
        **terms: float | str,
    ) -> None:  # fmt: skip
        """Set a fault for the next `n` requests or messages whose name holds `match`.

        Parameters
        ----------
        match
            Part of the subject: `binance POST /fapi/v1/order`, `binance depth`,
            `binance ORDER_TRADE_UPDATE TRADE`, `bybit orderbook.50`, ...
        skip
            How many that match pass first.
        """
        self._rules.setdefault(fault, []).append(_Rule(match, n, 1.0, terms, skip))

    def set_planned(self, planned: Planned) -> None:
        """Set a fault whose time has come."""
        rule = _Rule(planned.match, planned.n, 1.0, planned.terms, 0)
        self._rules.setdefault(planned.fault, []).append(rule)

    def by_chance(
        self, fault: Fault, chance: float, *, match: str = "", **terms: float | str
    ) -> None:
        """Let a fault strike each that matches with a chance, until `lift`."""
        self._rules.setdefault(fault, []).append(_Rule(match, None, chance, terms, 0))

    def lift(self, fault: Fault | None = None) -> None:
        """End a fault, or all."""
        if fault is None:
            self._rules.clear()
        else:
            self._rules.pop(fault, None)

    def strikes(self, fault: Fault, subject: str) -> Terms | None:
        """Tell whether a fault strikes a subject now: its terms, None when it does not."""
        for rule in self._rules.get(fault, ()):
            if rule.match not in subject or rule.left == 0:
                continue
            if rule.skip > 0:
                rule.skip -= 1
                continue
            if rule.chance < 1.0 and self._draw(fault) >= rule.chance:
                continue
            if rule.left is not None:
                rule.left -= 1
            self.struck[fault] += 1
            return rule.terms or _NONE
        return None

    def __bool__(self) -> bool:
        """Whether any fault is set."""
        return bool(self._rules)

    def _draw(self, fault: Fault) -> float:
        if fault not in self._chances:
            self._chances[fault] = random.Random(f"{self.seed} {fault}")
        return self._chances[fault].random()

"""The user's rules inside a decision: what their conditions say, and what becomes of the band.

Rules travel as numbers in `terms.TERMS`: one row per rule, one per condition. The engine and the
compiled loop call `under_rules` right after the policy. Caps act first and floors after them, so
that a floor wins: where an "at least" and a "never above" of different rules meet, more hedge is
the safer reading. A quantity that is not known (NaN) fulfils no condition, unless a floor asks
for it: what is unknown never lowers the hedge by itself.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from litehedge.hedge import quantities as qt
from litehedge.hedge import signals as sg
from litehedge.hedge.exposure import hedged_distance
from litehedge.jit import kernel
from litehedge.margin.tiers import maintenance
from litehedge.units import NS_PER_DAY, NS_PER_HOUR

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]

MAX_RULES: Final = 16
MAX_CONDITIONS: Final = 8

FLOOR, CAP = range(2)
N_MEMORY: Final = 1 + MAX_RULES
"""What a decision remembers: the policy's number, then until when (ns) each rule holds."""

# Columns of a rule
KIND, RATIO, FOR_NS, IS_ANY, HOLDS_UNKNOWN, N_CONDITIONS = range(6)
N_RULE: Final = 6

# Columns of a condition: the row of the signals (from N_SIGNALS on a code of `quantities`), what
# it is multiplied with, the closed interval in which it must lie, or must not; its group, -1 for
# none, and whether one of that group is enough
SOURCE, FACTOR, LOW, HIGH, IS_NOT, GROUP, GROUP_IS_ANY = range(7)
N_CONDITION: Final = 7

# Local names: numba takes module globals of this file as constants
_DISTANCE: Final = qt.DISTANCE
_EQUITY_SHARE: Final = qt.EQUITY_SHARE
_LEVERAGE: Final = qt.LEVERAGE
_HEDGE_NOW: Final = qt.HEDGE_NOW
_EQUITY_LEFT: Final = qt.EQUITY_LEFT
_HOUR: Final = qt.HOUR
_WEEKDAY: Final = qt.WEEKDAY
_FIRST_DAY: Final = 3  # 1970-01-01 was a Thursday


def new_memory() -> Floats:
    """Return the memory of a decision at the beginning, ``(N_MEMORY,)``."""
    return np.zeros(N_MEMORY)


@kernel
def worked_out(
    code: int, terms: Any, now_ns: int, ratio: float, equity: float, notional: float,
    equity_left: float,
) -> float:  # fmt: skip
    """Return a quantity of margin state or time, in the base of its unit."""
    if code == _DISTANCE:
        rate = maintenance(notional, terms.tiers) / notional
        return hedged_distance(terms.side, 0.0, equity / notional, rate, terms.coupling)
    if code == _EQUITY_SHARE:
        return equity / notional
    if code == _LEVERAGE:
        return notional / equity if equity > 0.0 else np.inf
    if code == _HEDGE_NOW:
        return ratio
    if code == _EQUITY_LEFT:
        return equity_left
    if code == _HOUR:
        return (now_ns % NS_PER_DAY) / NS_PER_HOUR
    day = (now_ns // NS_PER_DAY + _FIRST_DAY) % 7
    if code == _WEEKDAY:
        return float(day)
    return 1.0 if day >= 5 else 0.0


@kernel
def _fulfilled(
    r: int, c: int, terms: Any, signals: Singles, frame: int, now_ns: int, ratio: float,
    equity: float, notional: float, equity_left: float,
) -> bool:  # fmt: skip
    source = int(terms.conditions[r, c, SOURCE])
    if source < sg.N_SIGNALS:
        x = terms.conditions[r, c, FACTOR] * signals[source, frame]
    else:
        x = worked_out(
            source - sg.N_SIGNALS, terms, now_ns, ratio, equity, notional, equity_left
        )  # fmt: skip
    if np.isnan(x):
        return terms.rules[r, HOLDS_UNKNOWN] != 0.0
    inside = terms.conditions[r, c, LOW] <= x <= terms.conditions[r, c, HIGH]
    return inside != (terms.conditions[r, c, IS_NOT] != 0.0)


@kernel
def holds(
    r: int, terms: Any, signals: Singles, frame: int, now_ns: int, ratio: float, equity: float,
    notional: float, equity_left: float,
) -> bool:  # fmt: skip
    """Tell whether the conditions of rule number `r` hold in a frame; without any they do."""
    is_any = terms.rules[r, IS_ANY] != 0.0
    n = int(terms.rules[r, N_CONDITIONS])
    result = not is_any
    c = 0
    while c < n:
        group = terms.conditions[r, c, GROUP]
        one = _fulfilled(
            r, c, terms, signals, frame, now_ns, ratio, equity, notional, equity_left
        )  # fmt: skip
        c += 1
        while group >= 0.0 and c < n and terms.conditions[r, c, GROUP] == group:
            other = _fulfilled(
                r, c, terms, signals, frame, now_ns, ratio, equity, notional, equity_left
            )  # fmt: skip
            one = (one or other) if terms.conditions[r, c, GROUP_IS_ANY] != 0.0 else one and other
            c += 1
        result = (result or one) if is_any else result and one
    return result


@kernel
def under_rules(
    terms: Any, memory: Floats, signals: Singles, frame: int, now_ns: int, ratio: float,
    equity: float, notional: float, equity_left: float, lo: float, hi: float,
) -> tuple[float, float]:  # fmt: skip
    """Return the policy's band (lo, hi) as the rules leave it, within [0, max_ratio].

    Parameters
    ----------
    terms
        A record of `terms.TERMS`, with the rules.
    memory
        ``(N_MEMORY,)``, changed in place: until when each rule holds; it was in force in this
        frame if that is not before now.
    ratio
        The hedge ratio now.
    equity, notional
        What backs the position, and what it is worth, in USDT.
    equity_left
        Equity as a share of that at the start.
    """
    floor = 0.0
    cap = np.inf
    for r in range(terms.n_rules):
        if holds(r, terms, signals, frame, now_ns, ratio, equity, notional, equity_left):
            memory[1 + r] = now_ns + terms.rules[r, FOR_NS]
        elif now_ns > memory[1 + r]:
            continue
        if terms.rules[r, KIND] == FLOOR:
            floor = max(floor, terms.rules[r, RATIO])
        else:
            cap = min(cap, terms.rules[r, RATIO])
    floor = min(floor, terms.max_ratio)
    lo = max(min(lo, cap), floor)
    hi = max(min(hi, cap), lo)
    return lo, hi

"""The trading state machine, as a table: what is not in it is not possible.

ACTIVE trades; REDUCING only lowers the user's net exposure; HALTED sends nothing but cancels.
A halt survives restarts, and only a person's typed word ends it.
"""

from __future__ import annotations

import enum
from typing import Final

RESUME_WORD: Final = "RESUME"


class TradingState(enum.IntEnum):
    """How much the engine may do; higher is stricter."""

    ACTIVE = 0
    REDUCING = 1
    HALTED = 2


class Cause(enum.StrEnum):
    """Why the trading state may change."""

    HALT_COMMAND = "halt command"
    RESUME_COMMAND = "resume command"
    EQUITY_STOP = "equity stop"
    CLOCK_SKEW = "clock skew"
    ORDER_PROTOCOL = "order told something impossible"
    PRICE_STALE = "price feed stale"
    PRICE_FRESH = "price feed back"


A, R, H = TradingState.ACTIVE, TradingState.REDUCING, TradingState.HALTED

TRANSITIONS: Final[dict[tuple[TradingState, Cause], TradingState]] = {
    (A, Cause.PRICE_STALE): R,
    (R, Cause.PRICE_FRESH): A,
    **{
        (state, cause): H
        for state in (A, R, H)
        for cause in (
            Cause.HALT_COMMAND,
            Cause.EQUITY_STOP,
            Cause.CLOCK_SKEW,
            Cause.ORDER_PROTOCOL,
        )
    },
    (H, Cause.RESUME_COMMAND): A,
}


def next_state(state: TradingState, cause: Cause) -> TradingState:
    """Return the state after `cause`; causes without a row change nothing."""
    return TRANSITIONS.get((state, cause), state)


def table() -> str:
    """Return the transition table as Markdown, for the manual."""
    rows = ["| state | cause | becomes |", "|---|---|---|"]
    rows += [
        f"| {state.name} | {cause.value} | {after.name} |"
        for (state, cause), after in TRANSITIONS.items()
        if after is not state
    ]
    return "\n".join(rows)

"""The trading state machine, as a table: what is not in it is not possible.

ACTIVE trades; REDUCING only lowers the user's net exposure; HALTED sends nothing but cancels.
The journal holds the state for a restart. A person's typed word ends them; REDUCING ends with that
position too, and, where it came of books that differ, when a person takes over the venue's.
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
    NEW_POSITION = "new position"
    EQUITY_STOP = "equity stop"
    CLOCK_SKEW = "clock skew"
    ORDER_PROTOCOL = "order told something impossible"
    BOOKS_DIFFER = "our books differ from the venue's"
    ADOPTED = "the venue's books were taken over"


A, R, H = TradingState.ACTIVE, TradingState.REDUCING, TradingState.HALTED

TRANSITIONS: Final[dict[tuple[TradingState, Cause], TradingState]] = {
    # Equity is nearly gone: go on protecting, take no new risk.
    (A, Cause.EQUITY_STOP): R,
    (R, Cause.EQUITY_STOP): R,
    (H, Cause.EQUITY_STOP): H,
    # Somebody or something else traded: protect what is there, until a person has looked.
    (A, Cause.BOOKS_DIFFER): R,
    (R, Cause.BOOKS_DIFFER): R,
    (H, Cause.BOOKS_DIFFER): H,
    **{
        (state, cause): H
        for state in (A, R, H)
        for cause in (
            Cause.HALT_COMMAND,
            Cause.CLOCK_SKEW,
            Cause.ORDER_PROTOCOL,
        )
    },
    (R, Cause.ADOPTED): A,  # asked for only where the books were why
    (R, Cause.NEW_POSITION): A,
    (R, Cause.RESUME_COMMAND): A,
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

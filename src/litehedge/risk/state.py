"""The trading state machine, as a table: what is not in it is not possible.

ACTIVE trades; REDUCING only lowers the user's net exposure; HALTED sends nothing but cancels, and
what closes everything where a person asked for that. The journal holds the state for a restart. A
person's typed word ends them; REDUCING ends with that position too, and, where it came of books
that differ, when a person takes over the venue's or leaves the difference to themselves.
"""

from __future__ import annotations

import enum
from typing import Final

RESUME_WORD: Final = "RESUME"
CLOSE_WORDS: Final = "CLOSE ALL"


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
    RECORD_FAILS = "the journal cannot be written"
    RECORD_KEPT = "the journal is written again"
    IGNORED = "what differs was left to a person"
    CLOSE_ALL = "close-all command"


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
    # What is done could not be told after a crash: protect, take no new risk.
    (A, Cause.RECORD_FAILS): R,
    (R, Cause.RECORD_FAILS): R,
    (H, Cause.RECORD_FAILS): H,
    **{
        (state, cause): H
        for state in (A, R, H)
        for cause in (
            Cause.HALT_COMMAND,
            Cause.CLOCK_SKEW,
            Cause.ORDER_PROTOCOL,
            Cause.CLOSE_ALL,  # its own orders, which only reduce, are sent all the same
        )
    },
    (R, Cause.ADOPTED): A,  # asked for only where the books were why
    (R, Cause.RECORD_KEPT): A,  # asked for only where the journal was why
    (R, Cause.IGNORED): A,
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


def _arrows() -> list[tuple[TradingState, TradingState, str]]:
    """Return every change that the table allows, with its cause."""
    return [
        (state, after, cause.value)
        for (state, cause), after in TRANSITIONS.items()
        if after is not state
    ]


def mermaid() -> str:
    """Return the table as a Mermaid state diagram."""
    rows = ["stateDiagram-v2", f"    [*] --> {TradingState.ACTIVE.name}"]
    rows += [f"    {before.name} --> {after.name}: {why}" for before, after, why in _arrows()]
    return "\n".join(rows)


def drawing() -> str:
    """Return the table drawn in characters: a column per state, an arrow per cause."""
    arrows = _arrows()
    room = max(len(why) for *_, why in arrows) + 6
    width = room + 1
    heads = "".join(state.name.center(width) for state in TradingState)
    rows = [heads.rstrip()]
    for before, after, why in arrows:
        row = list((" " * (width // 2) + "│" + " " * (width - width // 2 - 1)) * len(TradingState))
        left, right = sorted((before, after))
        begin, end = left * width + width // 2 + 1, right * width + width // 2
        row[begin:end] = f" {why} ".center(end - begin, "─")
        if after > before:
            row[end - 1] = "▶"
        else:
            row[begin] = "◀"
        rows.append("".join(row).rstrip())
    return "\n".join(rows)

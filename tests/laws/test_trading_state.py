"""The trading state's table: what is not in it is not possible."""

from __future__ import annotations

import pytest

from litehedge.risk.state import (
    TRANSITIONS,
    Cause,
    TradingState,
    drawing,
    mermaid,
    next_state,
    table,
)

ACTIVE, REDUCING, HALTED = TradingState
HALTING = {Cause.CLOSE_ALL, Cause.HALT_COMMAND, Cause.CLOCK_SKEW, Cause.ORDER_PROTOCOL}


@pytest.mark.parametrize("state", list(TradingState))
@pytest.mark.parametrize("cause", list(Cause))
def test_every_state_and_cause(state: TradingState, cause: Cause) -> None:
    after = next_state(state, cause)
    if cause in HALTING:
        assert after is HALTED
    elif state is HALTED:
        assert after is (ACTIVE if cause is Cause.RESUME_COMMAND else HALTED)
    elif cause in (Cause.EQUITY_STOP, Cause.BOOKS_DIFFER, Cause.RECORD_FAILS):
        assert after is REDUCING
    else:  # a person, a new position, or the end of what was why ends REDUCING
        ends = (
            Cause.RESUME_COMMAND, Cause.NEW_POSITION, Cause.ADOPTED, Cause.IGNORED,
            Cause.RECORD_KEPT,
        )  # fmt: skip
        assert cause in ends
        assert after is ACTIVE


def test_only_a_person_ends_a_halt() -> None:
    ways_out = {c for (s, c), after in TRANSITIONS.items() if s is HALTED and after is not HALTED}
    assert ways_out == {Cause.RESUME_COMMAND}


def test_every_cause_does_something() -> None:
    assert {cause for _, cause in TRANSITIONS} == set(Cause)


def test_a_later_state_is_stricter() -> None:
    assert ACTIVE < REDUCING < HALTED


def test_the_manual_shows_every_row_that_changes_something() -> None:
    text = table()
    for (state, cause), after in TRANSITIONS.items():
        row = f"| {state.name} | {cause.value} | {after.name} |"
        assert (row in text) == (state is not after)


def test_both_drawings_show_every_row_that_changes_something_and_no_other() -> None:
    arrows = [(s, c, after) for (s, c), after in TRANSITIONS.items() if s is not after]
    heads, *rows = drawing().splitlines()
    assert heads.split() == [state.name for state in TradingState]
    assert len(rows) == len(arrows) == len(mermaid().splitlines()) - 2
    places = [i for i, c in enumerate(rows[0]) if c == "│"]
    middles = [heads.index(state.name) + len(state.name) // 2 for state in TradingState]
    for row, (state, cause, after) in zip(rows, arrows, strict=True):
        assert f" {cause.value} " in row
        assert f"    {state.name} --> {after.name}: {cause.value}" in mermaid().splitlines()
        head = row.index("▶") if after > state else row.index("◀")
        end = min(range(3), key=lambda i: abs(middles[i] - head))
        assert end == after
    assert len(places) == len(TradingState)

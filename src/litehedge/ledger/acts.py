"""What counts as an act of a person, when it begins, and when it is over.

An act changed something: a halt of a session that stood halted already is none. A second override
takes the place of the first, and `Follow` and `Resume` end one; neither ends what it did not begin.
A plan that came true is an act too: the person's command that it stands for, given by the plan.
"""

from __future__ import annotations

from typing import Final

import msgspec
import numpy as np

from litehedge.effects import PlanFired
from litehedge.engine_state import State
from litehedge.market import events as ev
from litehedge.plans import command_of, reason_of
from litehedge.risk.state import TradingState
from litehedge.units import describe_ns

OPEN_NS: Final = int(np.iinfo(np.int64).max)
"""The end of an act that is not over."""


class Act(msgspec.Struct, frozen=True):
    """Something that a person did: what, when, in words, and the command itself.

    `plan` is the name of the plan that did it for them, empty where they did it by hand.
    """

    kind: str
    begins_ns: int
    text: str
    command: ev.Command
    plan: str = ""


def act_of(command: ev.Command, before: State, after: State) -> Act | None:
    """Return the act that a command was; None where it ended one, or changed nothing.

    Parameters
    ----------
    before, after
        What the engine knew before the command, and after it.
    """
    text = ""
    match command:
        case ev.SetHedge():
            lasts = describe_ns(max(0, command.until_ns - command.known_ns))
            kind, text = "set hedge", f"hold a hedge of {command.ratio:.0%} for {lasts}"
        case ev.Freeze():
            lasts = describe_ns(max(0, command.until_ns - command.known_ns))
            kind, text = "freeze", f"leave the hedge as it is for {lasts}"
        case ev.Halt():
            if before.trading is not TradingState.HALTED:
                kind, text = "halt", f"halt: {command.reason}"
        case ev.Resume():
            if after.trading is not before.trading:
                kind, text = "resume", f"resume, against {before.trading.name}"
        case ev.CloseAll():
            kind, text = "close all", f"close position and hedge: {command.reason}"
        case ev.Adopt():
            was, now = before.books["qty"][0].tolist(), after.books["qty"][0].tolist()
            if was != now:
                kind = "by hand"
                text = f"traded by hand: {now[0] - was[0]:+.3f} LTC of the position, "
                text += f"{now[1] - was[1]:+.3f} LTC of the hedge"
        case _:
            pass
    return Act(kind, command.known_ns, text, command) if text else None


def act_of_plan(fired: PlanFired, before: State, after: State) -> Act | None:
    """Return the act that a plan was; None where it only told, or changed nothing."""
    command = command_of(before, fired.then, fired.name, fired.time_ns, fired.until_ns)
    act = None if command is None else act_of(command, before, after)
    if act is None:
        return None
    what = act.text.removesuffix(f": {reason_of(fired.name)}")
    text = f'by your plan "{fired.name}": {what}'
    return msgspec.structs.replace(act, text=text, plan=fired.name)


def ends_ns(act: Act, state: State, now_ns: int) -> int:
    """Return when an act was over, `OPEN_NS` while it is not.

    Parameters
    ----------
    state
        What the engine knows now.
    """
    command = act.command
    if isinstance(command, ev.SetHedge | ev.Freeze):
        if now_ns >= command.until_ns:
            return command.until_ns
        return OPEN_NS if state.override == command else now_ns
    if isinstance(command, ev.Halt):
        return OPEN_NS if state.trading is TradingState.HALTED else now_ns
    return act.begins_ns

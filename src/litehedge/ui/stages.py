"""How far a command has come, as the journal tells: asked, received, done. Pure."""

from __future__ import annotations

from math import nan
from typing import Final

from litehedge.live.asking import when
from litehedge.market import events as ev
from litehedge.report.style import number, percent
from litehedge.risk.state import TradingState
from litehedge.ui.seen import Seen

NEAR: Final = 0.02
"""A hedge is as it was asked for within this share of the position."""

GOALS: Final[dict[str, str]] = {
    "halt": "trading is halted",
    "resume": "trading is active",
    "close_all": "position and hedge are closed",
}
"""What a command brings about, by its kind; the others are done when they are received."""

_NAMES: Final[dict[type, str]] = {
    ev.Halt: "Halt", ev.Resume: "Resume", ev.SetHedge: "Hold the hedge", ev.Freeze: "Freeze",
    ev.Follow: "Follow", ev.CloseAll: "Close all", ev.Adopt: "Adopt", ev.Ignore: "Ignore",
}  # fmt: skip
_AFTER: Final[dict[type, str]] = {
    ev.Halt: "Trading is HALTED; position and hedge are as they were.",
    ev.Resume: "The session trades again.",
    ev.CloseAll: "Position and hedge are closed; trading stays halted.",
}


def kind_of(command: ev.AnyEvent) -> str:
    """Return the kind of a command, as it is written down: ``halt``, ``close_all``."""
    return str(type(command).__struct_config__.tag)


def last_ns(seen: Seen, kind: str) -> int:
    """Return when the last command of a kind came to the engine, 0 where none did."""
    commands = tuple(seen.commands)  # asked in a thread, while more may come
    return max((one.known_ns for one in commands if kind_of(one) == kind), default=0)


def is_received(seen: Seen, kind: str, before_ns: int) -> bool:
    """Tell whether the journal shows a command of a kind behind the last one before it."""
    return last_ns(seen, kind) > before_ns


def is_done(seen: Seen, kind: str, ratio: float = nan) -> bool:
    """Tell whether what was received has come about; `ratio` of a hedge to be held, where known."""
    if kind == "halt":
        return seen.trading is TradingState.HALTED
    if kind == "resume":
        return seen.trading is TradingState.ACTIVE
    if kind == "close_all":
        return seen.state is not None and seen.state.closing is None and not seen.holds
    if ratio == ratio and (account := seen.account()) is not None:
        return abs(account.ratio - ratio) <= NEAR
    return True


def sending(command: ev.Command) -> str:
    """Say that a command is on its way to the disk: a locked inbox takes seconds."""
    return f"{_NAMES[type(command)]}: being sent. Nothing is asked yet."


def stage(command: ev.Command, seen: Seen, *, received: bool, runs: bool) -> str:
    """Say how far a command has come."""
    name = _NAMES[type(command)]
    if not received:
        if not runs:
            return f"{name}: asked. The session: {when(command, runs=False)}."
        return f"{name}: asked, 1 of 3. It is in the inbox, on disk."
    ratio = command.ratio if isinstance(command, ev.SetHedge) else nan
    if is_done(seen, kind_of(command), ratio):
        return f"{name}: done, 3 of 3. {_AFTER.get(type(command), '')}".strip()
    return f"{name}: received, 2 of 3. The session took it up{_on_its_way(command, seen)}."


def _on_its_way(command: ev.Command, seen: Seen) -> str:
    account = seen.account()
    if isinstance(command, ev.SetHedge) and account is not None:
        return f"; the hedge is {percent(account.ratio, 0)} of {percent(command.ratio, 0)}"
    if isinstance(command, ev.CloseAll) and account is not None:
        return f"; {number(account.held_ltc, 2)} LTC are left to close"
    return ""

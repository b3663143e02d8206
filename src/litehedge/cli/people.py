"""``litehedge halt``, ``resume``, ``adopt``, ``override``: what people ask of a running session.

Each writes one command into the session's inbox; the session takes it within a second.
"""

from __future__ import annotations

import sys
import time
from typing import Annotated, Final

import typer

from litehedge.cli.common import console, home
from litehedge.errors import UsageError
from litehedge.live.session import Session, is_held, session_at, sessions
from litehedge.market import events as ev
from litehedge.risk.state import RESUME_WORD
from litehedge.store.inbox import Inbox
from litehedge.units import NS_PER_DAY, duration_ns, iso_utc

LONGEST_NS: Final = 7 * NS_PER_DAY

Name = Annotated[
    str | None,
    typer.Option(help="The session. Default: the only one that runs, or the only one there is."),
]
Lasting = Annotated[str, typer.Option("--for", help="How long: 30m, 6h and so on, up to 7d.")]

override = typer.Typer(
    help="Hold the hedge by hand for a while. The limits still count: an override is what a policy "
    "wants, not what may be done.",
    no_args_is_help=True,
)


def halt(
    name: Name = None,
    reason: Annotated[str, typer.Option(help="Why; it is in the journal.")] = "a person asked",
) -> None:
    """Stop trading: cancel what is open and send nothing until you resume.

    Position, hedge and the stops on the venue stay as they are. Asked of a session that does not
    run, it counts at the next start, however late that is.
    """
    _ask(name, ev.Halt(0, 0, reason), "halt")


def resume(
    name: Name = None,
    word: Annotated[
        str | None, typer.Option(help=f"The word {RESUME_WORD}, instead of typing it.")
    ] = None,
) -> None:
    """Go on after a halt. Asks for a typed word."""
    session = _session(name)
    if word is None:
        if not sys.stdin.isatty():
            raise UsageError(
                "resume asks for a typed word, and nobody is at the terminal",
                f"run it in a terminal, or give --word {RESUME_WORD} where you mean it",
            )
        word = typer.prompt(f"type {RESUME_WORD} to let {session.name} trade again")
    if word.strip() != RESUME_WORD:
        raise UsageError("not confirmed", f"nothing was asked; the word is {RESUME_WORD}")
    _ask(session.name, ev.Resume(0, 0, RESUME_WORD), "resume")


def adopt(name: Name = None) -> None:
    """Take over what the venue holds, where the session's books differ from it."""
    _ask(name, ev.Adopt(0, 0), "adopt the venue's books")


@override.command("set")
def set_hedge(
    ratio: Annotated[float, typer.Argument(help="The hedge as a share of the position, 0 to 1.")],
    lasting: Lasting,
    name: Name = None,
) -> None:
    """Hold this hedge, whatever the policy says."""
    if not 0.0 <= ratio <= 1.0:
        raise UsageError(f"{ratio} is no share of the position", "give a number from 0 to 1")
    until_ns = _until_ns(lasting)
    _ask(name, ev.SetHedge(0, 0, ratio, until_ns), f"hold a hedge of {ratio:.0%} {_till(until_ns)}")


@override.command()
def freeze(lasting: Lasting, name: Name = None) -> None:
    """Leave the hedge as it is."""
    until_ns = _until_ns(lasting)
    _ask(name, ev.Freeze(0, 0, until_ns), f"leave the hedge as it is {_till(until_ns)}")


@override.command()
def follow(name: Name = None) -> None:
    """End the override: the policy decides again."""
    _ask(name, ev.Follow(0, 0), "follow the policy again")


def _ask(name: str | None, command: ev.Command, what: str) -> None:
    """Write a command into a session's inbox, and say when it will count."""
    session = _session(name)
    with Inbox(session.inbox) as inbox:
        inbox.write(command)
    if is_held(session):
        when = f"it takes that up within a second, or when it is warm; its log is {session.log}"
    elif isinstance(command, ev.Halt):
        when = "it does not run: this counts at its next start"
    else:
        when = "it does not run: this counts at its next start, if that is within a minute"
    console.print(f"asked session {session.name} to {what}", highlight=False, soft_wrap=True)
    console.print(when, highlight=False, soft_wrap=True)


def _session(name: str | None) -> Session:
    """Return the session called `name`, or the only one that can be meant.

    Raises
    ------
    UsageError
        When there is none, or more than one.
    """
    there = sessions(home())
    names = ", ".join(session.name for session in there)
    if not there:
        raise UsageError(f"there are no sessions in {home()}", "begin one with: litehedge paper")
    if name is not None:
        session = session_at(home(), name)
        if session not in there:
            raise UsageError(f"there is no session {name}", f"the sessions are: {names}")
        return session
    running = [session for session in there if is_held(session)]
    meant = running or there
    if len(meant) > 1:
        raise UsageError(
            f"there are {len(meant)} sessions{' that run' if running else ''}",
            f"give --name; they are: {', '.join(session.name for session in meant)}",
        )
    return meant[0]


def _until_ns(lasting: str) -> int:
    lasts_ns = duration_ns(lasting)
    if lasts_ns > LONGEST_NS:
        raise UsageError(f"--for {lasting} is too long", "give at most 7d")
    return time.time_ns() + lasts_ns


def _till(until_ns: int) -> str:
    return f"until {iso_utc(until_ns, seconds=True)}"

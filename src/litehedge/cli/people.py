"""``litehedge halt``, ``resume``, ``adopt``, ``ignore``, ``override``: what people ask.

Each writes one command into the session's inbox; a session that runs takes it at once.
"""

from __future__ import annotations

import sys
import time
from typing import Annotated, Final

import msgspec
import typer

from litehedge.cli.common import console, write_json
from litehedge.errors import UsageError
from litehedge.live.asking import hold, keep, resumed, when
from litehedge.live.session import Session, is_held, session_at, sessions
from litehedge.market import events as ev
from litehedge.risk.state import CLOSE_WORDS, RESUME_WORD
from litehedge.shelf.home import home
from litehedge.store.inbox import Inbox
from litehedge.units import duration_ns, iso_utc

_NAMES: Final[dict[type[ev.Event], str]] = {
    ev.Halt: "halt",
    ev.Resume: "resume",
    ev.Adopt: "adopt",
    ev.Ignore: "ignore",
    ev.SetHedge: "set",
    ev.Freeze: "freeze",
    ev.Follow: "follow",
    ev.CloseAll: "close-all",
}

Name = Annotated[
    str | None,
    typer.Option(help="The session. Default: the only one that runs, or the only one there is."),
]
Lasting = Annotated[str, typer.Option("--for", help="How long: 30m, 6h and so on, up to 7d.")]

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]

override = typer.Typer(
    help="Hold the hedge by hand for a while. The limits still count: an override is what a policy "
    "wants, not what may be done.",
    no_args_is_help=True,
)


def halt(
    name: Name = None,
    reason: Annotated[str, typer.Option(help="Why; it is in the journal.")] = "a person asked",
    as_json: Json = False,
) -> None:
    """Stop trading: cancel what is open and send nothing until you resume.

    Position, hedge and the stops on the venue stay as they are. Asked of a session that does not
    run, it counts at the next start, however late that is.
    """
    _ask(name, ev.Halt(0, 0, reason), "halt", as_json=as_json)


def resume(
    name: Name = None,
    word: Annotated[
        str | None, typer.Option(help=f"The word {RESUME_WORD}, instead of typing it.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Go on after a halt. Asks for a typed word."""
    session = meant_session(name)
    if word is None:
        if not sys.stdin.isatty():
            raise UsageError(
                "resume asks for a typed word, and nobody is at the terminal",
                f"run it in a terminal, or give --word {RESUME_WORD} where you mean it",
            )
        word = typer.prompt(f"type {RESUME_WORD} to let {session.name} trade again")
    _ask(session.name, resumed(word), "resume", as_json=as_json)


def adopt(name: Name = None, as_json: Json = False) -> None:
    """Take over what the venue holds, where the session's books differ from it.

    For when you traded by hand and litehedge shall guard what there is now.
    """
    _ask(name, ev.Adopt(0, 0), "adopt the venue's books", as_json=as_json)


def ignore(name: Name = None, as_json: Json = False) -> None:
    """Mind yourself what differs at the venue; the session guards what its books hold.

    For when you traded by hand and want to keep that apart. It ends with adopt, or when the
    difference is gone.
    """
    _ask(name, ev.Ignore(0, 0), "leave what differs to you", as_json=as_json)


@override.command("set")
def set_hedge(
    ratio: Annotated[float, typer.Argument(help="The hedge as a share of the position, 0 to 1.")],
    lasting: Lasting,
    name: Name = None,
    as_json: Json = False,
) -> None:
    """Hold this hedge, whatever the policy says."""
    command = hold(ratio, duration_ns(lasting), time.time_ns())
    what = f"hold a hedge of {ratio:.0%} {_till(command.until_ns)}"
    _ask(name, command, what, as_json=as_json)


@override.command()
def freeze(lasting: Lasting, name: Name = None, as_json: Json = False) -> None:
    """Leave the hedge as it is."""
    command = keep(duration_ns(lasting), time.time_ns())
    what = f"leave the hedge as it is {_till(command.until_ns)}"
    _ask(name, command, what, as_json=as_json)


@override.command()
def follow(name: Name = None, as_json: Json = False) -> None:
    """End the override: the policy decides again. It also ends a close-all that is under way."""
    _ask(name, ev.Follow(0, 0), "follow the policy again", as_json=as_json)


@override.command("close-all")
def close_all(
    name: Name = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for the typed words.")] = False,
    reason: Annotated[str, typer.Option(help="Why; it is in the journal.")] = "a person asked",
    as_json: Json = False,
) -> None:
    """Close position and hedge, also while trading is halted; then only watch.

    It goes on until both are closed, after a restart too. Trading stays halted until you resume.
    """
    session = meant_session(name)
    if not yes:
        if not sys.stdin.isatty():
            raise UsageError(
                "close-all asks for typed words, and nobody is at the terminal",
                "run it in a terminal, or give --yes where you mean it",
            )
        asked = f"type {CLOSE_WORDS} to close position and hedge of {session.name}"
        if typer.prompt(asked).strip() != CLOSE_WORDS:
            raise UsageError("not confirmed", f"nothing was asked; the words are {CLOSE_WORDS}")
    what = "close position and hedge, and then only watch"
    _ask(session.name, ev.CloseAll(0, 0, reason), what, as_json=as_json)


def _ask(name: str | None, command: ev.Command, what: str, *, as_json: bool) -> None:
    """Write a command into a session's inbox, and say when it will count."""
    session = meant_session(name)
    session.check_here()
    with Inbox(session.inbox) as inbox:
        inbox.write(command)
    runs = is_held(session)
    counts = when(command, runs=runs)
    if runs:
        counts += f"; its log is {session.log}"
    if as_json:
        fields = {
            field: value for field, value in msgspec.to_builtins(command).items()
            if field not in ("type", "event_ns", "known_ns")
        }  # fmt: skip
        told = {"session": session.name, "asked": _NAMES[type(command)], **fields, "runs": runs}
        write_json({**told, "what": what, "when": counts}, "-")
        return
    console.print(f"asked session {session.name} to {what}", highlight=False, soft_wrap=True)
    console.print(counts, highlight=False, soft_wrap=True)


def meant_session(name: str | None) -> Session:
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


def _till(until_ns: int) -> str:
    return f"until {iso_utc(until_ns, seconds=True)}"

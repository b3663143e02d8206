"""Paper sessions started and stopped from the screen. Live ones never are."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Final

from litehedge.errors import LitehedgeError, UsageError
from litehedge.live.session import Session, holder, is_held
from litehedge.store.durable import is_locked, write_whole
from litehedge.store.header import Header
from litehedge.store.lookback import Past
from litehedge.ui.begin_view import Start, start_of
from litehedge.ui.programs import Programs, end, tail_of

LOG: Final = "started.log"
LOCK: Final = "started.lock"
ASKED: Final = "started.json"


@dataclass(frozen=True, slots=True)
class Known:
    """What the card of sessions shows of one: its mode is "" before its first run."""

    session: Session
    mode: str
    runs: bool


def header_of(session: Session) -> Header | None:
    """Return the header of a session's last run, None where it never ran or cannot be read."""
    if not session.has_journal:
        return None
    try:
        with closing(Past(session.journal)) as past:  # for reading alone: it may be a live one's
            return past.newest_header()
    except LitehedgeError:
        return None


def known(session: Session) -> Known:
    """Return what there is to know of a session."""
    header = header_of(session)
    return Known(session, "" if header is None else header.mode, is_held(session))


def start(
    programs: Programs, session: Session, arguments: Sequence[str], asked: Mapping[str, Any]
) -> int:
    """Start a paper session, which goes on by itself, and return its process id.

    Raises
    ------
    UsageError
        When it runs already, or cannot be started.
    """
    if arguments[0] != "paper":
        raise UsageError("only sessions on paper are started from the screen", "use the terminal")
    if is_held(session) or is_locked(session.folder / LOCK):
        raise UsageError(f"session {session.name} runs already", "look at the desk")
    told: dict[str, Any] = {"arguments": list(arguments), "asked": dict(asked), "pid": 0}
    try:
        session.folder.mkdir(parents=True, exist_ok=True)
        _keep(session, told)
        pid = programs.start(arguments, session.folder / LOG, session.folder / LOCK)
        _keep(session, told | {"pid": pid})
    except OSError as error:
        raise UsageError(
            f"{session.folder} cannot be used ({error.strerror})", "look at its permissions"
        ) from None
    return pid


def _keep(session: Session, told: Mapping[str, Any]) -> None:
    write_whole(session.folder / ASKED, json.dumps(told).encode())


def _kept(session: Session) -> dict[str, Any]:
    try:
        found = json.loads((session.folder / ASKED).read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def call_off(session: Session) -> bool:
    """End a start that was begun from the screen. Return whether it is gone."""
    pid = _kept(session).get("pid")
    return isinstance(pid, int) and pid > 1 and end(pid, session.folder / LOCK)


def again(session: Session) -> list[str]:
    """Return the arguments that let a paper session go on.

    Raises
    ------
    UsageError
        When it is no paper session.
    """
    header = header_of(session)
    if header is None or header.mode != "paper":
        raise UsageError(f"{session.name} is no session on paper", "use the terminal")
    kept = _kept(session).get("arguments")
    if isinstance(kept, list) and kept[:1] == ["paper"]:
        return [str(one) for one in kept]
    return [
        "paper", f"--name={session.name}", f"--venue={header.data}", f"--policy={header.policy}",
        "--no-ui",
    ]  # fmt: skip


def stop(session: Session) -> None:
    """Ask a paper session politely to end; position and hedge stay in its journal.

    Raises
    ------
    UsageError
        When it does not run, or is no paper session. Nothing was done.
    """
    if not is_held(session):
        raise UsageError(f"session {session.name} does not run", "there is nothing to stop")
    header = header_of(session)
    began_here = header is None and is_locked(session.folder / LOCK)  # only paper is
    mode = "of an unknown kind" if header is None else header.mode
    if mode != "paper" and not began_here:
        raise UsageError(
            f"session {session.name} is {mode}: it is stopped where it was started",
            "use HALT to stop its trading",
        )
    try:
        process = holder(session)
        if process is None:
            raise UsageError(
                f"which process runs {session.name} is not known here",
                "try again; one in another container is stopped where it was started",
            )
        os.kill(process, signal.SIGTERM)
    except OSError as error:
        raise UsageError(
            f"session {session.name} cannot be asked ({error.strerror})", "stop it by hand"
        ) from None


def progress(session: Session) -> Start:
    """Return how far the start of a session is."""
    alive = is_locked(session.folder / LOCK)
    return start_of(head_and_tail(session), alive=alive)


def head_and_tail(session: Session) -> str:
    """Return what a process that was started here said: its first and last words."""
    log = session.folder / LOG
    tail = tail_of(log)
    try:
        with log.open("rb") as file:
            head = file.read(4096).decode("utf-8", "replace")
    except OSError:
        return tail
    return tail if tail.startswith(head) else f"{head}\n{tail}"

"""What the retraining is doing, in a file that the screen and the terminal read."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec

from litehedge.errors import DataError
from litehedge.retraining.gate import Verdict
from litehedge.store.durable import is_locked, write_whole
from litehedge.units import iso_utc

FOLDER: Final = "retraining"
FILE: Final = "state.json"
WORK: Final = "work"


class State(msgspec.Struct, frozen=True):
    """What is being done, how far it is, and what came of it last.

    `share` is how much of the step is done; `next_ns` when a retraining is due, 0 where nobody
    watches; `trouble` why the last one came to nothing; `labels` names challenger and champion of
    `verdict`.
    """

    step: str = ""
    share: float = 0.0
    cause: str = ""
    began_ns: int = 0
    told_ns: int = 0
    next_ns: int = 0
    trouble: str = ""
    acted: str = ""
    verdict: Verdict | None = None
    verdict_ns: int = 0
    labels: list[str] = []


def lines_of(state: State, *, is_running: bool) -> list[str]:
    """Say what the retraining is doing, and what came of the last one."""
    if is_running and state.step:
        found = [f"{state.step}, {state.share:.0%} done, since {_when(state.began_ns)}"]
    elif is_running:
        found = ["watching"]
    else:
        found = ["nobody retrains or watches now: litehedge retrain --watch"]
    if state.next_ns and is_running:
        found.append(f"the next retraining is due on {_when(state.next_ns)}")
    if state.trouble:
        found.append(f"the last one came to nothing: {state.trouble}")
    if state.acted:
        found.append(state.acted)
    return found


def _when(time_ns: int) -> str:
    return iso_utc(time_ns)[:16].replace("T", " ")


class StateFile:
    """Keeps the state of a home folder's retraining.

    Parameters
    ----------
    root
        The home folder.
    """

    def __init__(self, root: Path) -> None:
        self.folder = root / FOLDER
        self.work = self.folder / WORK
        self._path = self.folder / FILE

    def read(self) -> State:
        """Return the state; the first one where there is none yet.

        Raises
        ------
        DataError
            When the file cannot be read.
        """
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=State)
        except FileNotFoundError:
            return State()
        except (OSError, msgspec.DecodeError) as error:
            raise DataError(
                f"{self._path} cannot be read ({error})", "remove it: it is only for people to see"
            ) from None

    def note(self, **changes: object) -> State:
        """Change the state and keep it; a file that cannot be read is begun anew."""
        try:
            before = self.read()
        except DataError:
            before = State()
        state = msgspec.structs.replace(before, **changes)
        self.folder.mkdir(parents=True, exist_ok=True)
        write_whole(self._path, msgspec.json.encode(state))
        return state

    @property
    def is_running(self) -> bool:
        """Whether a process retrains, or watches, in this home folder right now."""
        return is_locked(self.folder / ".lock")

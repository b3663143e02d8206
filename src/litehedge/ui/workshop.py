"""Reports that were asked for on the screen: made by commands, kept on the shelf, deletable.

The work goes on when the page is closed, and when the screen ends.
"""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal

from litehedge.errors import UsageError
from litehedge.shelf.reports import ASKED, FOLDER, RESULT, SHEET, new_name, write_asked
from litehedge.store.durable import is_locked
from litehedge.ui.programs import Programs, end, tail_of, wish_end
from litehedge.units import NS_PER_SECOND

Kind = Literal["backtest", "session", "ledger", "blowup"]
State = Literal["running", "done", "failed"]

AT_ONCE: Final = 2
"""So many run at a time; each takes a core and up to a gigabyte."""

SETTLES_S: Final = 2.0
"""A folder that changed so lately may belong to a command that is just being started."""

MARK: Final = "@progress "
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,79}")


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a command is: `done` of `of`, in any unit, or in ns of a market from `begin_ns`."""

    what: str
    done: float
    of: float
    begin_ns: int = 0


@dataclass(frozen=True, slots=True)
class Report:
    """One report: `asked` as it was typed, `said` the last words of its command.

    One that was cancelled is done all the same where its command had something to tell by then.
    """

    id: str
    kind: Kind
    asked: dict[str, Any]
    begun_s: float
    state: State
    progress: Progress | None
    said: str
    result: dict[str, Any] | None
    cancelled: bool = False


class Workshop:
    """The reports of a home folder.

    Parameters
    ----------
    root
        ``$LITEHEDGE_HOME``.
    programs
        What starts commands.
    """

    def __init__(self, root: Path, programs: Programs) -> None:
        self._folder = root / FOLDER
        self._programs = programs
        self._settled: dict[str, tuple[int, Report]] = {}

    def begin(self, kind: Kind, arguments: Sequence[str], asked: Mapping[str, Any]) -> str:
        """Start the making of a report, and return its id.

        Raises
        ------
        UsageError
            When as many are being made as may, or it cannot be started. Nothing was begun.
        """
        running = sum(is_locked(folder / "lock") for folder in self._folders())
        if running >= AT_ONCE:
            raise UsageError(
                f"{running} reports are being made", "wait for one of them, or cancel it"
            )
        made = datetime.now(UTC)
        name = new_name(kind, made)
        folder = self._folder / name
        try:
            folder.mkdir(parents=True)
            write_asked(folder, kind, asked, made.timestamp())
        except OSError as error:
            raise UsageError(f"{folder} cannot be made ({error.strerror})") from None
        outs = ["--json", str(folder / RESULT), "--report", str(folder / SHEET)]
        try:
            pid = self._programs.start([*arguments, *outs], folder / "log.txt", folder / "lock")
        except UsageError:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        write_asked(folder, kind, asked, made.timestamp(), pid)
        return name

    def reports(self) -> list[Report]:
        """Return all reports, the newest first; a folder that cannot be read is left out."""
        folders = self._folders()
        names = {folder.name for folder in folders}
        for gone in [name for name in self._settled if name not in names]:
            del self._settled[gone]
        found = (self._report(folder) for folder in reversed(folders))
        return [report for report in found if report is not None]

    def report(self, name: str) -> Report | None:
        """Return one report, None where there is none."""
        folder = self._at(name)
        return None if folder is None else self._report(folder)

    def sheet(self, name: str) -> Path | None:
        """Return the file of a report's sheet, None where there is none."""
        folder = self._at(name)
        sheet = None if folder is None else folder / SHEET
        return sheet if sheet is not None and sheet.is_file() else None

    def cancel(self, name: str) -> None:
        """Ask a command to end; what it found until then becomes the report, where it can.

        Raises
        ------
        UsageError
            When the disk refuses.
        """
        folder = self._at(name)
        if folder is None or not is_locked(folder / "lock"):
            return
        told = _read(folder / ASKED)
        pid = int(told.get("pid", 0))
        try:
            write_asked(folder, told["kind"], told["asked"], told["begun_s"], pid, cancelled=True)
        except (OSError, KeyError) as error:
            raise UsageError(f"{folder} cannot be changed ({error})", "look at the disk") from None
        wish_end(pid)

    def delete(self, name: str) -> None:
        """Delete a report; one that is being made is ended first. Nothing half-done stays.

        Raises
        ------
        UsageError
            When its process does not end.
        """
        folder = self._at(name)
        if folder is None:
            return
        told = _read(folder / ASKED)
        if is_locked(folder / "lock") and not end(int(told.get("pid", 0)), folder / "lock"):
            raise UsageError("the command does not end", "try again in a while")
        self._settled.pop(name, None)
        gone = folder.with_name(f".{folder.name}")
        folder.replace(gone)
        shutil.rmtree(gone, ignore_errors=True)

    # --- folders ----------------------------------------------------------------------------------

    def _folders(self) -> list[Path]:
        if not self._folder.is_dir():
            return []
        return sorted(f for f in self._folder.iterdir() if _NAME.fullmatch(f.name) and f.is_dir())

    def _at(self, name: str) -> Path | None:
        folder = self._folder / name
        return folder if _NAME.fullmatch(name) and folder.is_dir() else None

    def _report(self, folder: Path) -> Report | None:
        """Return a report; one at which nobody works is read again only when its folder changed."""
        try:
            changed_ns = folder.stat().st_mtime_ns
        except OSError:
            return None
        known = self._settled.get(folder.name)
        if known is not None and known[0] == changed_ns:
            return known[1]
        report = self._read(folder)
        if report is None or report.state == "running":
            return report
        # What is done stays so. What seems to have failed may be about to begin.
        if report.state == "done" or now_s() - changed_ns / NS_PER_SECOND > SETTLES_S:
            self._settled[folder.name] = changed_ns, report
        return report

    def _read(self, folder: Path) -> Report | None:
        is_running = is_locked(folder / "lock")  # before the files: it may end in between
        told = _read(folder / ASKED)
        kind = told.get("kind")
        if kind not in ("backtest", "session", "ledger", "blowup"):
            return None
        result = None
        if (folder / RESULT).is_file() and (folder / SHEET).is_file() and not is_running:
            result = _read(folder / RESULT)
            result.pop("decisions", None)  # long, and in the sheet
        said = tail_of(folder / "log.txt")
        progress, words = split(said)
        state: State = "running" if is_running else "done" if result else "failed"
        return Report(
            folder.name, kind, told.get("asked", {}), float(told.get("begun_s", 0.0)), state,
            progress, words, result or None, bool(told.get("cancelled")),
        )  # fmt: skip


def split(said: str) -> tuple[Progress | None, str]:
    """Return the newest progress that a command told, and its other words."""
    progress = None
    words = []
    for line in said.splitlines():
        if not line.startswith(MARK):
            words.append(line)
            continue
        try:
            progress = Progress(**json.loads(line[len(MARK) :]))
        except (ValueError, TypeError):
            continue
    return progress, "\n".join(words).strip()


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def now_s() -> float:
    """Return the time of this machine in seconds, for the age of what is being made."""
    return time.time()

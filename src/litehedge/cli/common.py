"""What all commands share: home folder, settings, printing, complaining."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Timer
from typing import Annotated, Any, Final

import msgspec
import numpy as np
import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from litehedge.config import Settings
from litehedge.errors import ConfigError, LitehedgeError, UsageError
from litehedge.settings import load_settings
from litehedge.shelf.home import stderr
from litehedge.store.durable import write_whole

console = Console()
"""Results for people go here (stdout); progress and complaints go to `stderr`."""

FOLDED_WIDTH = 110
PATIENCE_S = 3.0  # what takes longer is told, also where nothing can be drawn

PROGRESS: Final = "LITEHEDGE_PROGRESS"
"""Set by a program that started a command: progress is told in lines that it can read."""
PROGRESS_MARK: Final = "@progress "
TELLS_EVERY_S: Final = 0.25

JsonTarget = Annotated[
    str | None,
    typer.Option("--json", metavar="FILE", help="Write the result as JSON; - is the terminal."),
]


def print_table(table: Table, *, folds: bool = False) -> None:
    """Print a table at its full width: in a narrow window its lines are longer than the window.

    Cut-off names and times are of no use, least of all in a pipe. A table that `folds` has a
    column of long text and keeps to a terminal's width.
    """
    room = Console(width=10_000)
    width = table.__rich_measure__(room, room.options).maximum
    if folds and console.is_terminal:
        width = min(width, max(FOLDED_WIDTH, console.width))
    Console(width=max(console.width, width)).print(table)


def settings_from(file: Path | None, overrides: Mapping[str, Any] | None = None) -> Settings:
    """Read the settings file (``litehedge.toml`` here, if there is one), environment, overrides.

    Raises
    ------
    ConfigError
        When a file that was asked for is missing, or with every mistake in it.
    """
    path = file if file is not None else Path("litehedge.toml")
    text = ""
    if path.is_file():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            raise ConfigError(f"{path} is not UTF-8 text", "save it as UTF-8") from None
    elif file is not None:
        raise ConfigError(f"there is no settings file {file}", "give the path of a TOML file")
    return load_settings(text, os.environ, overrides, where=str(path))


def to_json(value: Any) -> bytes:
    """Return indented JSON; NaN and infinity become null."""
    return msgspec.json.format(msgspec.json.encode(value, enc_hook=_plain), indent=2)


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{type(value).__name__} has no place in JSON")


def write_json(value: Any, target: str) -> None:
    """Write JSON to a file, or to stdout when `target` is ``-``."""
    payload = to_json(value) + b"\n"
    if target == "-":
        sys.stdout.buffer.write(payload)
        sys.stdout.buffer.flush()
    else:
        write_file(Path(target), payload)


def write_file(path: Path, payload: bytes) -> None:
    """Write a file whole or not at all, with the folders above it.

    Raises
    ------
    UsageError
        When the disk refuses.
    """
    check_writable(path)
    try:
        write_whole(path, payload, 0o666)
    except OSError as error:
        raise _cannot_write(path, error) from None


def check_writable(path: Path | None) -> None:
    """Refuse a path that cannot become a file, before the work for it begins; None is fine.

    Raises
    ------
    UsageError
        When it is a folder, or its own folder cannot be made.
    """
    if path is None:
        return
    if path.is_dir():
        raise UsageError(f"cannot write {path}: it is a folder", "give the name of a file")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _cannot_write(path, error) from None


def _cannot_write(path: Path, error: OSError) -> UsageError:
    return UsageError(f"cannot write {path}: {error.strerror or error}", "give another path")


def numbers(option: str, text: str) -> list[float]:
    """Read the value of an option as numbers with commas between them.

    Raises
    ------
    UsageError
        When it is none.
    """
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise UsageError(f"{option} {text} is not a list of numbers", "write 5 or 3,5,10") from None


@contextmanager
def progress(what: str, total: float, *, begin_ns: int = 0) -> Iterator[Callable[..., None]]:
    """Show progress and the time left on stderr; yields a function that is told how far it is.

    Parameters
    ----------
    total
        How much there is to do, in any unit.
    begin_ns
        Where progress is time of a market in ns: when that begins.
    """
    if os.environ.get(PROGRESS):
        yield _told_in_lines(what, total, begin_ns)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(),
               TimeRemainingColumn())  # fmt: skip
    with Progress(*columns, console=stderr, transient=True, disable=not stderr.is_terminal) as bar:
        task = bar.add_task(what, total=total)

        def reach(done: float, label: str = what) -> None:
            bar.update(task, completed=done, description=label)

        yield reach


@contextmanager
def cancellable() -> Iterator[Callable[[], bool]]:
    """Let the wish to end (SIGTERM, as the screen's Cancel sends it) end a part of the work early.

    Yields what tells whether it came: who asks goes on with what there is by then. A second one
    ends the process at once, as one outside of this part does.
    """
    came = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield came.is_set  # only the main thread hears signals
        return

    def note_it(number: int, frame: object) -> None:
        came.set()
        signal.signal(signal.SIGTERM, before)

    before = signal.signal(signal.SIGTERM, note_it)
    try:
        yield came.is_set
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def patience(text: str) -> Iterator[None]:
    """Say what takes long: on a terminal while it lasts, elsewhere in one line if it does."""
    if stderr.is_terminal:
        with stderr.status(f"{text} …"):
            yield
        return
    timer = Timer(PATIENCE_S, stderr.print, [f"{text}: compiling, about a minute, once"])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _told_in_lines(what: str, total: float, begin_ns: int) -> Callable[..., None]:
    """Return what tells progress as a line of JSON, a few times a second at most."""
    last_s = -TELLS_EVERY_S

    def reach(done: float, label: str = what) -> None:
        nonlocal last_s
        now_s = time.monotonic()
        if now_s - last_s < TELLS_EVERY_S and done < total:
            return
        last_s = now_s
        line = {"what": label, "done": float(done), "of": float(total), "begin_ns": begin_ns}
        print(PROGRESS_MARK + json.dumps(line), file=sys.stderr, flush=True)

    reach(0.0)
    return reach


def note(problems: Sequence[str]) -> None:
    """Print what a reader must know although nothing failed."""
    for problem in problems:
        stderr.print(f"[yellow]note:[/] {escape(problem)}", highlight=False, soft_wrap=True)


def complain(error: LitehedgeError) -> None:
    """Print an error: what is wrong, then what to do."""
    stderr.print(f"[bold red]error:[/] {escape(error.what)}", highlight=False, soft_wrap=True)
    if error.remedy:
        stderr.print(f"  {error.remedy}", highlight=False, soft_wrap=True, markup=False)

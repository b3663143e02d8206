"""Backup of what cannot be had again: journals, models and who serves, rules, the screen's door.

A backup is a folder of plain files and a manifest with their checksums. It comes into being whole
or not at all. Databases are copied by SQLite itself, so that a session may go on writing meanwhile:
the copy is as of one moment. What can be fetched or made again (`LEFT_OUT`) is not in it. Keys
never are: they do not lie in the home folder.
"""

from __future__ import annotations

import hashlib
import os
import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Final

import msgspec

import litehedge
from litehedge.errors import DataError, UsageError
from litehedge.live.session import sessions
from litehedge.store.durable import is_locked, move, remove_tree, sync_tree, write_synced
from litehedge.units import NS_PER_SECOND

FORMAT: Final = 1
MANIFEST: Final = "manifest.json"
LEFT_OUT: Final = frozenset(("lake", "archive", "recordings", "training", "oracle"))
_NAME: Final = re.compile(r"litehedge-\d{8}T\d{6}Z")
_DATABASE: Final = ".sqlite"
_NO_FILES: Final = ("-wal", "-shm", ".partial")
_LOCKS: Final = frozenset(("lock", ".lock"))
_ASIDE: Final = ("replaced-", ".restoring")
_PIECE: Final = 2**20

Reached = Callable[[int, int], object]
"""Told how many files are done, and of how many."""


class Kept(msgspec.Struct, frozen=True):
    """A file of a backup, by its path in the home folder; a database may have come unsound."""

    path: str
    size: int
    sha256: str
    is_sound: bool = True


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is in a backup, when it was made (ISO, UTC), and by which version."""

    format: int
    litehedge: str
    made: str
    files: list[Kept]

    @property
    def unsound(self) -> list[str]:
        """The databases that were damaged when they were copied."""
        return [kept.path for kept in self.files if not kept.is_sound]


# --- making one ---------------------------------------------------------------------------------


def back_up(
    root: Path, target: Path, now_ns: int, reached: Reached = lambda done, of: None
) -> tuple[Path, Manifest]:
    """Copy the home folder `root` into a new folder in `target`; return that and what is in it.

    Raises
    ------
    UsageError
        When there is nothing to copy, `target` lies inside of what is copied, or the disk refuses.
        Nothing half-done stays.
    """
    stamp = datetime.fromtimestamp(now_ns // NS_PER_SECOND, tz=UTC)
    folder = target / f"litehedge-{stamp:%Y%m%dT%H%M%SZ}"
    if target.resolve().is_relative_to(root.resolve()):
        raise UsageError(
            f"{target} lies in {root}, which is to be copied",
            "give a folder somewhere else, best on another disk",
        )
    if folder.exists():
        raise UsageError(f"there is a backup {folder} already", "wait a second")
    found = list(_files(root))
    if not found:
        raise UsageError(f"there is nothing in {root} yet", "begin with: litehedge paper")
    partial = folder.with_name(f".{folder.name}.partial")
    try:
        remove_tree(partial)
        partial.mkdir(parents=True, mode=0o700)
        kept = []
        for number, path in enumerate(found):
            reached(number, len(found))
            kept.append(_copy(root, path, partial))
        reached(len(found), len(found))
        manifest = Manifest(FORMAT, litehedge.__version__, stamp.isoformat(), kept)
        write_synced(partial / MANIFEST, msgspec.json.format(msgspec.json.encode(manifest)))
        sync_tree(partial)
        move(partial, folder)
    except OSError as error:
        remove_tree(partial)
        raise UsageError(
            f"{target} cannot be written ({error.strerror or error})", "give another folder"
        ) from None
    return folder, manifest


def prune(target: Path, keep: int) -> list[Path]:
    """Remove all backups in a folder but the newest `keep`; return those that went."""
    gone = backups(target)[:-keep] if keep > 0 else []
    for folder in gone:
        remove_tree(folder)
    return gone


def backups(target: Path) -> list[Path]:
    """Return the backups in a folder, the oldest first."""
    found = target.iterdir() if target.is_dir() else ()
    return sorted(f for f in found if _NAME.fullmatch(f.name) and (f / MANIFEST).is_file())


def _files(root: Path) -> Iterator[Path]:
    for here, folders, names in os.walk(root):
        is_top = Path(here) == root
        folders[:] = sorted(
            f for f in folders
            if not (is_top and (f in LEFT_OUT or f.startswith(_ASIDE))) and not f.startswith(".")
        )  # fmt: skip
        for name in sorted(names):
            path = Path(here) / name
            if name not in _LOCKS and not name.endswith(_NO_FILES) and path.is_file():
                yield path


def _copy(root: Path, path: Path, to: Path) -> Kept:
    inside = path.relative_to(root)
    copy = to / inside
    copy.parent.mkdir(parents=True, exist_ok=True)
    is_sound = _copy_database(path, copy) if path.suffix == _DATABASE else False
    if not is_sound:
        copy.unlink(missing_ok=True)
        write_synced(copy, path.read_bytes(), path.stat().st_mode & 0o777)
    size, digest = _digest(copy)
    sound = is_sound or path.suffix != _DATABASE
    return Kept(PurePosixPath(inside).as_posix(), size, digest, sound)


def _copy_database(path: Path, copy: Path) -> bool:
    """Copy a database as of one moment; return whether copy and original are sound."""
    address = f"{path.resolve().as_uri()}?mode=ro"
    try:
        with (
            closing(sqlite3.connect(address, uri=True, timeout=10.0)) as there,
            closing(sqlite3.connect(copy)) as here,
        ):
            there.backup(here)
            here.execute("PRAGMA journal_mode=DELETE")  # one file, no log beside it
        copy.chmod(path.stat().st_mode & 0o777)
        return _is_sound(copy)
    except sqlite3.Error:
        return False


def _is_sound(path: Path) -> bool:
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?immutable=1", uri=True)) as file:
            return bool(file.execute("PRAGMA quick_check").fetchone() == ("ok",))
    except sqlite3.Error:
        return False


def _digest(path: Path) -> tuple[int, str]:
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            digest.update(piece)
            size += len(piece)
    return size, digest.hexdigest()


# --- bringing one back --------------------------------------------------------------------------


def newest(folder: Path) -> Path:
    """Return `folder` if it is a backup, else the newest backup in it.

    Raises
    ------
    UsageError
        When there is none.
    """
    if (folder / MANIFEST).is_file():
        return folder
    found = backups(folder)
    if not found:
        raise UsageError(
            f"there is no backup in {folder}", "make one with: litehedge backup FOLDER"
        )
    return found[-1]


def check(folder: Path, reached: Reached = lambda done, of: None) -> Manifest:
    """Read a backup from end to end; return what is in it.

    Raises
    ------
    DataError
        When a file is missing, or is not what was copied.
    """
    try:
        manifest = msgspec.json.decode((folder / MANIFEST).read_bytes(), type=Manifest)
    except (OSError, msgspec.DecodeError) as error:
        raise DataError(
            f"{folder / MANIFEST} cannot be read ({error})", "take another backup"
        ) from None
    if manifest.format != FORMAT:
        raise DataError(
            f"backup {folder} has format {manifest.format}, this version reads {FORMAT}",
            "bring it back with the version that made it, then upgrade",
        )
    for number, kept in enumerate(manifest.files):
        reached(number, len(manifest.files))
        inside = PurePosixPath(kept.path)
        if inside.is_absolute() or ".." in inside.parts:
            raise DataError(f"backup {folder} names the file {kept.path}", "do not trust it")
        try:
            same = _digest(folder / inside) == (kept.size, kept.sha256)
        except OSError as error:
            raise DataError(
                f"{folder / inside} cannot be read ({error.strerror})", "take another backup"
            ) from None
        if not same:
            raise DataError(
                f"{folder / inside} is not what was copied: its checksum differs",
                "take another backup",
            )
    reached(len(manifest.files), len(manifest.files))
    return manifest


def restore(
    folder: Path, root: Path, now_ns: int, *, replace: bool = False,
    reached: Reached = lambda done, of: None,
) -> tuple[Manifest, Path | None]:  # fmt: skip
    """Bring a backup back into the home folder `root`; return what it held.

    Everything is copied and checked before anything that is there is touched. With `replace` what
    is there goes into a folder beside, which is returned too: nothing is deleted.

    Raises
    ------
    DataError
        When the backup is damaged.
    UsageError
        When a session runs, something is there already, or the disk refuses.
    """
    manifest = check(folder, reached)
    running = [one.name for one in sessions(root) if is_locked(one.folder / "lock")]
    if running:
        raise UsageError(
            f"session {running[0]} runs in {root}",
            "stop it first (its position stays as it is at the venue)",
        )
    there = _present(root)
    if there and not replace:
        raise UsageError(
            f"{root} holds {', '.join(sorted(path.name for path in there)[:4])} already",
            "give --replace: what is there is kept in a folder beside",
        )
    stamp = datetime.fromtimestamp(now_ns // NS_PER_SECOND, tz=UTC)
    partial, aside = root / ".restoring", root / f"replaced-{stamp:%Y%m%dT%H%M%SZ}"
    try:
        remove_tree(partial)
        for kept in manifest.files:
            copy = partial / kept.path
            copy.parent.mkdir(parents=True, exist_ok=True)
            original = folder / kept.path
            write_synced(copy, original.read_bytes(), original.stat().st_mode & 0o777)
        sync_tree(partial)
        for path in there:
            aside.mkdir(exist_ok=True)
            move(path, aside / path.name)
        for path in sorted(partial.iterdir()):
            remove_tree(root / path.name)  # a folder without files, if any
            move(path, root / path.name)
        partial.rmdir()
    except OSError as error:
        raise UsageError(
            f"{root} cannot be written ({error.strerror or error})",
            f"nothing is lost: what was there is in it or in {aside}; try again with --replace",
        ) from None
    return manifest, aside if there else None


def _present(root: Path) -> list[Path]:
    """Return what a backup would bring: not what it leaves out."""
    if not root.is_dir():
        return []
    return [
        path for path in sorted(root.iterdir())
        if path.name not in LEFT_OUT and path.name not in _LOCKS
        and not path.name.startswith(_ASIDE) and _holds_files(path)
    ]  # fmt: skip


def _holds_files(path: Path) -> bool:
    return path.is_file() or any(inner.is_file() for inner in path.rglob("*"))

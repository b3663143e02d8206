"""What the screen keeps secret on disk: hashes of a passphrase, sessions, devices, links, tokens.

One small file that only its owner can read, replaced whole and durably. Nothing in it opens a door
by itself: of random tokens it holds SHA-256, of the passphrase argon2id. Several processes may
change it (the screen, and commands beside it); each reads it again when it has changed.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, Literal, TypeVar

import msgspec

from litehedge.errors import DataError
from litehedge.store.durable import exclusive, write_whole

TRIES: Final = 100
RETRY_S: Final = 0.02
Scope = Literal["read", "command"]
T = TypeVar("T")


class Kept(msgspec.Struct, forbid_unknown_fields=True):
    """A session or a device: when it began and was last used, nanoseconds since 1970."""

    since_ns: int
    seen_ns: int


class Token(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A token of the API: who made it for what, and what it may."""

    name: str
    scope: Scope
    since_ns: int


class Secrets(msgspec.Struct, forbid_unknown_fields=True):
    """All of it. Keys are hashes; `link` is the hash of the one-time link, "" where none is out."""

    passphrase: str = ""
    link: str = ""
    link_until_ns: int = 0
    sessions: dict[str, Kept] = {}
    devices: dict[str, Kept] = {}
    tokens: dict[str, Token] = {}


class Vault:
    """The file, and what this process knows of it.

    Parameters
    ----------
    folder
        ``$LITEHEDGE_HOME/ui``; made for its owner alone when it is not there.

    Raises
    ------
    DataError
        When it cannot be used.
    """

    def __init__(self, folder: Path) -> None:
        self._file = folder / "secrets.json"
        self._guard = threading.RLock()
        self._reading = threading.Lock()  # its own: who reads does not wait for who writes
        self._known: tuple[int, int, int] | None = None
        self._secrets = Secrets()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            folder.chmod(0o700)
        except OSError as error:
            raise DataError(
                f"the folder {folder} cannot be used ({error.strerror})",
                "set LITEHEDGE_HOME to a folder that can be written",
            ) from None
        self.read()

    def read(self) -> Secrets:
        """Return what is kept now. It is not to be changed: see `change`.

        Raises
        ------
        DataError
            When the file is damaged: nobody gets in until it is mended or reset.
        """
        with self._reading:
            try:
                told = self._file.stat()
            except FileNotFoundError:
                self._known, self._secrets = None, Secrets()
                return self._secrets
            known = told.st_ino, told.st_mtime_ns, told.st_size
            if known != self._known:
                self._secrets = self._decoded()
                self._known = known
            return self._secrets

    def change(self, how: Callable[[Secrets], T]) -> T:
        """Let `how` change what is kept; when this returns it is on disk.

        What `how` raises is passed on, and nothing is changed.

        Raises
        ------
        DataError
            When another process holds the file too long, or the disk refuses.
        """
        with self._held():
            secrets = msgspec.json.decode(msgspec.json.encode(self.read()), type=Secrets)
            told = how(secrets)
            self._write(msgspec.json.encode(secrets))
            return told

    def forget(self) -> None:
        """Begin anew: passphrase, sessions, devices, links and tokens are gone.

        Raises
        ------
        DataError
            When another process holds the file too long, or the disk refuses.
        """
        with self._held():
            self._write(msgspec.json.encode(Secrets()))

    # --- pieces -------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _held(self) -> Iterator[None]:
        """Keep threads and processes apart; nobody holds it for longer than a write takes."""
        with self._guard, contextlib.ExitStack() as stack:
            for left in range(TRIES - 1, -1, -1):
                try:
                    stack.enter_context(exclusive(self._file.parent))
                    break
                except DataError:
                    if not left:
                        raise
                    time.sleep(RETRY_S)
            yield

    def _decoded(self) -> Secrets:
        try:
            return msgspec.json.decode(self._file.read_bytes(), type=Secrets)
        except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
            raise DataError(
                f"{self._file} cannot be read ({error}), so nobody gets in",
                "begin anew with: litehedge ui --reset",
            ) from None

    def _write(self, payload: bytes) -> None:
        try:
            write_whole(self._file, payload, 0o600)
        except OSError as error:
            raise DataError(
                f"{self._file} cannot be written ({error.strerror})", "nothing was changed"
            ) from None

"""A real PostgreSQL server for tests: Debian's binaries, a folder of its own, a free port."""

from __future__ import annotations

import contextlib
import itertools
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import psycopg

START_S = 30.0
SUPERUSER = "litehedge"
_NUMBERS = itertools.count()


def binaries() -> Path | None:
    """Return the folder of the newest server that is installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=_version)
    if found:
        return found[-1].parent
    there = shutil.which("initdb")
    return None if there is None else Path(there).resolve().parent


def _version(path):
    return float(path.parent.parent.name)


class Server:
    """A server that can be stopped, killed, frozen and started again on the same port."""

    def __init__(self) -> None:
        self.bin = binaries()
        self.folder = Path(tempfile.mkdtemp(prefix="litehedge-pg-"))
        self.data = self.folder / "data"
        self._as = _unprivileged()
        if self._as:
            shutil.chown(self.folder, self._as["user"])
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self._process = None
        self._run(
            "initdb", "-D", self.data, "-U", SUPERUSER, "-A", "trust", "-E", "UTF8",
            "--locale=C", "--no-sync",
        )  # fmt: skip
        self.start()

    def url(self, name: str) -> str:
        """The URL of a database, with a password that nobody may ever see."""
        return f"postgresql://{SUPERUSER}:hushhush@127.0.0.1:{self.port}/{name}"

    def database(self) -> str:
        """Make a new database and return its URL."""
        name = f"t{os.getpid()}_{next(_NUMBERS)}"
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return self.url(name)

    def start(self) -> None:
        """Start it and wait until it answers."""
        assert self._process is None
        with (self.folder / "log").open("ab") as told:
            self._process = self._launched(told)
        until = time.monotonic() + START_S
        while True:
            try:
                psycopg.connect(self.url("postgres")).close()
                return
            except psycopg.OperationalError:
                if time.monotonic() > until or self._process.poll() is not None:
                    raise RuntimeError((self.folder / "log").read_text()) from None
                time.sleep(0.02)

    def _launched(self, told):
        return subprocess.Popen(
            [
                self.bin / "postgres", "-D", self.data, "-p", str(self.port), "-k", self.folder,
                "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off",  # the power does not fail
                "-c", "shared_buffers=16MB", "-c", "autovacuum=off",
            ],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=told, cwd="/", **self._as,
        )  # fmt: skip

    def stop(self, number: int = signal.SIGQUIT) -> None:
        """Stop it as it stands; connections break."""
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(START_S)
            self._process = None

    def freeze(self) -> None:
        """Let nothing of it run: connections stay, and nobody answers."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def end(self) -> None:
        """Stop it and remove all."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _signal(self, number: int) -> None:
        assert self._process is not None
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        for pid in [self._process.pid, *map(int, children.read_text().split())]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def _run(self, name: str, *arguments: object) -> None:
        subprocess.run(
            [self.bin / name, *map(str, arguments)], check=True, cwd="/", capture_output=True,
            **self._as,
        )  # fmt: skip


def _unprivileged() -> dict:
    """Return how to be somebody else: PostgreSQL refuses to run as root."""
    if os.getuid() != 0:
        return {}
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            found = pwd.getpwnam(name)
            return {"user": found.pw_uid, "group": found.pw_gid, "extra_groups": []}
    raise RuntimeError("there is nobody to run PostgreSQL as")

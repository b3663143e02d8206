"""The screen of a demo: a home folder that lasts as long, and a process that shows it."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from litehedge.cli.common import console
from litehedge.live.session import Aside, Session, held
from litehedge.shelf.home import stderr
from litehedge.store.durable import write_whole
from litehedge.store.inbox import Inbox

APART_S = 0.25
ENDS_S = 5.0


@dataclass(slots=True)
class DemoScreen:
    """What a demo needs of its screen."""

    session: Session
    inbox: Inbox
    child: subprocess.Popen[bytes]
    _told: tuple[str, ...] = ()
    _told_s: float = 0.0

    def tell(self, sentences: Sequence[str]) -> None:
        """Show sentences beside the session; a few times a second is enough."""
        now_s = time.monotonic()
        if tuple(sentences) == self._told or now_s - self._told_s < APART_S:
            return
        self._told, self._told_s = tuple(sentences), now_s
        self._put(Aside(self._told))

    def _put(self, aside: Aside) -> None:
        write_whole(self.session.aside, msgspec.json.encode(aside))

    def stay(self, ending: str) -> None:
        """Say on the screen how it ended, and leave it so until a person has seen enough."""
        self._put(Aside(self._told, ending))
        console.print("The screen stays as it is; Ctrl-C ends it.", highlight=False)
        try:
            self.child.wait()
        except KeyboardInterrupt:
            return


@contextmanager
def screened(port: int) -> Iterator[DemoScreen]:
    """Serve a screen for a session called demo, until the block ends."""
    with tempfile.TemporaryDirectory(prefix="litehedge-demo-") as folder:
        session = Session("demo", Path(folder) / "sessions" / "demo")
        with held(session), Inbox(session.inbox) as inbox:
            child = subprocess.Popen(
                [sys.executable, "-m", "litehedge", "ui", "--home", folder, "--port", str(port),
                 "--demo", "--parent", str(os.getpid())],
            )  # fmt: skip
            try:
                yield DemoScreen(session, inbox, child)
            finally:
                child.terminate()
                try:
                    child.wait(ENDS_S)
                except subprocess.TimeoutExpired:
                    child.kill()
                stderr.print("the screen is closed", highlight=False)

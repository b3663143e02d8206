"""The screen's side of the process that tries drafts: begun when needed, begun again if it ends."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from litehedge.ui.builder_market import Question
from litehedge.ui.builder_test import Answer

log = logging.getLogger("litehedge.ui")

WORKER: Final = "litehedge.ui.builder_worker"
LONGEST_LINE: Final = 1 << 20
PATIENCE_S: Final = 5.0

Hear = Callable[[Answer], None]


class Tests:
    """Asks what drafts would have done, for all pages; every page hears only of its newest.

    Parameters
    ----------
    root
        ``$LITEHEDGE_HOME``.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._process: asyncio.subprocess.Process | None = None
        self._listening: asyncio.Task[None] | None = None
        self._asked: dict[str, tuple[Question, Hear]] = {}
        self._starting = asyncio.Lock()

    async def ask(self, question: Question, hear: Hear) -> None:
        """Ask; `hear` is told of the progress and of the answer, unless the page asks again."""
        self._asked[question.page] = question, hear
        try:
            process = await self._started()
        except OSError as error:
            _tell(hear, Answer(question.page, question.number, problem="The test cannot be started "
                               f"({error.strerror}). Change anything to try again."))  # fmt: skip
            return
        assert process.stdin is not None
        with contextlib.suppress(ConnectionError):  # its end is told by who listens
            process.stdin.write(msgspec.json.encode(question) + b"\n")
            await process.stdin.drain()

    def forget(self, page: str) -> None:
        """Hear no more for a page."""
        self._asked.pop(page, None)

    async def _started(self) -> asyncio.subprocess.Process:
        async with self._starting:
            if self._process is None or self._process.returncode is not None:
                self._process = await asyncio.create_subprocess_exec(
                    sys.executable, "-m", WORKER, str(self._root),
                    stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
                    limit=LONGEST_LINE,
                    env={**os.environ, "LITEHEDGE_HOME": str(self._root)},
                )  # fmt: skip
                self._listening = asyncio.create_task(self._listen(self._process))
            return self._process

    async def _listen(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        async for row in process.stdout:
            try:
                answer = msgspec.json.decode(row, type=Answer)
            except msgspec.DecodeError:
                log.exception("the process that tries drafts said what is no answer")
                continue
            asked = self._asked.get(answer.page)
            if asked is not None and asked[0].number == answer.number:
                _tell(asked[1], answer)
        code = await process.wait()
        if code == 0 or process is not self._process:
            return
        log.warning("the process that tries drafts ended with %s", code)
        for question, hear in list(self._asked.values()):
            _tell(hear, Answer(question.page, question.number, problem="The test stopped. Change "
                               "anything to try again."))  # fmt: skip

    async def close(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        self._asked.clear()
        if process is None or process.returncode is not None:
            return
        assert process.stdin is not None
        process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), PATIENCE_S)
        except TimeoutError:
            process.kill()
            await process.wait()
        if self._listening is not None:
            await self._listening


def _tell(hear: Hear, answer: Answer) -> None:
    try:
        hear(answer)
    except Exception:  # of a page that goes away: the others wait for theirs
        log.exception("an answer could not be shown")

"""Who listens to the process that tries drafts goes on, whatever a page does with an answer."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import msgspec

from litehedge.ui.builder_ask import Tests as Trials
from litehedge.ui.builder_market import Question
from litehedge.ui.builder_worker import Answer


class _Process(SimpleNamespace):
    code = 0

    async def wait(self) -> int:
        return self.code


def test_a_page_that_fails_with_its_answer_takes_none_from_the_others(tmp_path):
    async def rows():
        for page in ("closed", "open"):
            yield msgspec.json.encode(Answer(page, 1, problem="x")) + b"\n"

    def fails(answer):
        raise RuntimeError("the page is gone")

    heard = []
    trying = Trials(tmp_path)
    trying._asked = {
        "closed": (SimpleNamespace(number=1), fails),
        "open": (SimpleNamespace(number=1), heard.append),
    }
    asyncio.run(trying._listen(_Process(stdout=rows())))
    assert [answer.page for answer in heard] == ["open"]


def test_a_line_that_is_no_answer_is_left_out(tmp_path):
    async def rows():
        yield b"not JSON\n"
        yield msgspec.json.encode(Answer("open", 1, problem="x")) + b"\n"

    heard = []
    trying = Trials(tmp_path)
    trying._asked = {"open": (SimpleNamespace(number=1), heard.append)}
    asyncio.run(trying._listen(_Process(stdout=rows())))
    assert [answer.page for answer in heard] == ["open"]


def test_a_page_that_fails_with_the_end_leaves_nobody_waiting(tmp_path):
    async def rows():
        return
        yield

    def fails(answer):
        raise RuntimeError("the page is gone")

    heard = []
    trying = Trials(tmp_path)
    trying._asked = {
        "closed": (SimpleNamespace(page="closed", number=1), fails),
        "open": (SimpleNamespace(page="open", number=1), heard.append),
    }
    trying._process = _Process(stdout=rows(), code=-9)
    asyncio.run(trying._listen(trying._process))
    assert [answer.problem[:16] for answer in heard] == ["The test stopped"]


def test_a_process_that_cannot_be_started_is_told(tmp_path, monkeypatch):
    async def refuses(*told, **more):
        raise OSError(12, "Cannot allocate memory")

    heard = []
    monkeypatch.setattr(asyncio, "create_subprocess_exec", refuses)
    asked = Question("p", 1, "", "made", "none", "long", 5.0, {})
    asyncio.run(Trials(tmp_path).ask(asked, heard.append))
    assert [answer.problem for answer in heard] == [
        "The test cannot be started (Cannot allocate memory). Change anything to try again."
    ]

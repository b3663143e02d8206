"""Progress for programs that started a command: lines of JSON, not too many, and the last one."""

from __future__ import annotations

import json

from litehedge.cli import common


def test_progress_is_told_in_lines_to_who_asked_for_them(capsys, monkeypatch):
    monkeypatch.setenv(common.PROGRESS, "1")
    with common.progress("reading", 1000.0, begin_ns=5) as reach:
        for done in range(1001):
            reach(done)
    lines = capsys.readouterr().err.splitlines()
    assert all(line.startswith(common.PROGRESS_MARK) for line in lines)
    told = [json.loads(line.removeprefix(common.PROGRESS_MARK)) for line in lines]
    assert told[0] == {"what": "reading", "done": 0.0, "of": 1000.0, "begin_ns": 5}
    assert told[-1]["done"] == 1000.0
    assert len(told) < 20


def test_nobody_else_sees_them(capsys, monkeypatch):
    monkeypatch.delenv(common.PROGRESS, raising=False)
    with common.progress("reading", 10.0) as reach:
        reach(10.0)
    assert common.PROGRESS_MARK not in capsys.readouterr().err

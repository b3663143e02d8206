"""A process that is killed at any moment leaves a journal that replays to the same decisions."""

import os
import signal
import sqlite3
import sys

import pytest

from litehedge.cli.replay import _replay
from litehedge.store import journal as journal_module
from litehedge.store.journal import Journal
from litehedge_runs import journaled_run


def _run_until(path, statement):
    """Run in a child that kills itself before the n-th statement that changes the database."""
    child = os.fork()
    if child:
        _, status = os.waitpid(child, 0)
        return os.WIFSIGNALED(status)
    try:
        seen = 0

        class Deadly(sqlite3.Connection):
            def commit(self):
                nonlocal seen
                seen += 1
                if seen == statement:
                    os.kill(os.getpid(), signal.SIGKILL)
                super().commit()

        real = sqlite3.connect
        journal_module.BATCH = 60  # more moments to die at
        sqlite3.connect = sqlite3.dbapi2.connect = lambda *a, **k: real(*a, **k, factory=Deadly)
        journaled_run(path)
        os._exit(0)
    except BaseException as error:
        sys.stderr.write(repr(error))
        os._exit(1)


def test_killed_at_every_commit(tmp_path):
    replayed = 0
    for statement in range(1, 400):
        path = tmp_path / f"{statement}.db"
        died = _run_until(path, statement)
        journal = Journal(path)
        for number, header in journal.runs():
            if next(journal.events(number), None) is None:
                continue
            result = _replay(journal, number, header, None)
            assert result["difference"] is None
            replayed += 1
        if not died:
            break
    else:
        pytest.fail("the run needs more commits than this test kills it at")
    assert statement > 10
    assert replayed > 10

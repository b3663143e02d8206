"""A session belongs to one process at a time, and its names are safe as folders."""

from __future__ import annotations

import logging

import pytest

from litehedge.errors import UsageError
from litehedge.live.session import held, is_held, session_at, sessions


def test_a_second_process_is_refused_and_the_next_one_is_not(tmp_path):
    session = session_at(tmp_path, "main")
    with held(session):
        with pytest.raises(UsageError, match="another process"), held(session):
            pass
        logging.getLogger("litehedge.live").warning("something happened")
    with held(session):
        pass
    assert "something happened" in session.log.read_text()


@pytest.mark.parametrize("name", ["", "../x", "A", "a b", "-a", "x" * 41, "a/b"])
def test_names_that_could_leave_the_folder_are_refused(tmp_path, name):
    with pytest.raises(UsageError, match="no name for a session"):
        session_at(tmp_path, name)


def test_others_can_see_whether_it_is_held(tmp_path):
    session = session_at(tmp_path, "main")
    assert not is_held(session)
    with held(session):
        assert is_held(session)
    assert not is_held(session)


def test_sessions_are_those_with_a_journal(tmp_path):
    assert sessions(tmp_path) == []
    one = session_at(tmp_path, "one")
    with held(one):
        pass
    assert sessions(tmp_path) == []
    one.journal.write_bytes(b"")
    assert [s.name for s in sessions(tmp_path)] == ["one"]


def test_a_folder_that_cannot_be_written_is_one_clear_message(tmp_path):
    (tmp_path / "sessions").write_text("a file")
    with pytest.raises(UsageError, match="LITEHEDGE_HOME"), held(session_at(tmp_path, "main")):
        pass

"""A journal of a guarded session, made once; and a screen on a copy of it."""

from __future__ import annotations

import pytest
from screens import MINUTES, Screen, Sitting, copy_session

from litehedge.live.session import session_at


@pytest.fixture(scope="session")
def left_session(tmp_path_factory):
    """The folder of a session that lived for two hours."""
    session = session_at(tmp_path_factory.mktemp("left"), "paper")
    sitting = Sitting(session)
    sitting.go(MINUTES)
    sitting.close()
    session.inbox.unlink()
    return session.folder


@pytest.fixture
def session(left_session, tmp_path):
    """A session on a screen's machine."""
    return copy_session(left_session, tmp_path)


@pytest.fixture
def screen(session, tmp_path):
    """A screen with that session; nobody came in yet."""
    made = Screen(tmp_path)
    yield made
    made.home.close()

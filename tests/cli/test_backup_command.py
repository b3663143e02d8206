"""``litehedge backup`` and ``restore``, as a person uses them: a journal comes back and replays."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from litehedge_runs import journaled_run


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A journal of a guarded run."""
    path = tmp_path_factory.mktemp("made") / "journal.sqlite"
    journaled_run(path)
    return path


@pytest.fixture
def session(tmp_path, made):
    folder = tmp_path / "home" / "sessions" / "main"
    folder.mkdir(parents=True)
    shutil.copy(made, folder / "journal.sqlite")
    return folder


def test_what_was_lost_is_back_and_replays(litehedge, session, tmp_path):
    first = litehedge("backup", "disk", "--keep", "2", "--json").json
    assert (first["files"], first["unsound"], first["removed"]) == (1, [], [])
    assert "is sound: 1 file" in litehedge("restore", "disk", "--check").out
    shutil.rmtree(session)
    told = litehedge("restore", "disk")
    assert told.code == 0, told.err
    assert "is back in" in told.out
    assert litehedge("replay", str(session / "journal.sqlite")).code == 0


def test_what_is_there_is_kept_and_the_way_is_said(litehedge, session):
    folder = litehedge("backup", "disk", "--json").json["folder"]
    told = litehedge("restore", folder)
    assert told.code == 2
    assert "--replace" in told.err
    aside = litehedge("restore", folder, "--replace", "--json").json["aside"]
    assert (Path(aside) / "sessions" / "main" / "journal.sqlite").is_file()


def test_a_damaged_journal_is_copied_and_said(litehedge, session):
    (session / "journal.sqlite").write_bytes(b"torn" * 5000)
    told = litehedge("backup", "disk")
    assert told.code == 1
    assert "damaged already" in told.err
    assert litehedge("restore", "nowhere").code == 2

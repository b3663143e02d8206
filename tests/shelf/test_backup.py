"""A backup brings back what was there, is whole or not there, and never deletes anything."""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from litehedge.errors import DataError, UsageError
from litehedge.live.session import held, session_at
from litehedge.shelf import backup as bk
from litehedge.units import NS_PER_SECOND

NOW_NS = 1_795_000_000 * NS_PER_SECOND
ROWS = 500


def database(path: Path, rows: int = ROWS) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with sqlite3.connect(path) as file:
        file.execute("PRAGMA journal_mode=WAL")
        file.execute("CREATE TABLE told (number INTEGER PRIMARY KEY, text TEXT)")
        file.executemany("INSERT INTO told VALUES (?, ?)", ((i, "x" * 50) for i in range(rows)))
    file.close()


def rows_of(path: Path) -> list[int]:
    with sqlite3.connect(path) as file:
        found = [number for (number,) in file.execute("SELECT number FROM told ORDER BY number")]
    file.close()
    return found


@pytest.fixture
def root(tmp_path):
    root = tmp_path / "home"
    session = session_at(root, "main")
    database(session.journal)
    (session.folder / "lock").write_text("process 1")
    (root / "rules").mkdir()
    (root / "rules" / "mine.toml").write_text("[[rules]]")
    (root / "ui").mkdir()
    (root / "ui" / "door.json").write_text("secret")
    (root / "ui" / "door.json").chmod(0o600)
    (root / "lake" / "ltc").mkdir(parents=True)
    (root / "lake" / "ltc" / "bars.parquet").write_bytes(b"many")
    return root


def test_what_was_copied_comes_back(root, tmp_path):
    folder, manifest = bk.back_up(root, tmp_path / "disk", NOW_NS)
    assert [kept.path for kept in manifest.files] == [
        "rules/mine.toml", "sessions/main/journal.sqlite", "ui/door.json",
    ]  # fmt: skip
    there = tmp_path / "new"
    told, aside = bk.restore(folder, there, NOW_NS)
    assert (told, aside) == (manifest, None)
    assert rows_of(session_at(there, "main").journal) == list(range(ROWS))
    assert (there / "rules" / "mine.toml").read_text() == "[[rules]]"
    assert (there / "ui" / "door.json").stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o077 == 0
    assert not (there / "lake").exists()


@given(written=st.integers(0, 40))
def test_a_database_that_is_written_meanwhile_is_as_of_one_moment(
    tmp_path_factory: pytest.TempPathFactory, written: int
) -> None:
    root = tmp_path_factory.mktemp("home")
    journal = session_at(root, "main").journal
    database(journal, rows=10)
    file = sqlite3.connect(journal)
    file.executemany("INSERT INTO told VALUES (?, '')", ((100 + i,) for i in range(written)))
    if written % 2:
        file.commit()
    folder, _ = bk.back_up(root, tmp_path_factory.mktemp("disk"), NOW_NS)
    file.close()
    committed = [100 + i for i in range(written)] if written % 2 else []
    assert rows_of(folder / "sessions" / "main" / "journal.sqlite") == [*range(10), *committed]


def test_what_ends_in_the_middle_leaves_no_backup(root, tmp_path, monkeypatch):
    disk, count = tmp_path / "disk", 0
    whole = bk.write_synced

    def dying(*arguments):
        nonlocal count
        count -= 1
        if count < 0:
            raise KeyboardInterrupt
        whole(*arguments)

    monkeypatch.setattr(bk, "write_synced", dying)
    for last in range(3):
        count = last
        with pytest.raises(KeyboardInterrupt):
            bk.back_up(root, disk, NOW_NS)
        assert bk.backups(disk) == []
    count = 3
    folder, _ = bk.back_up(root, disk, NOW_NS)
    assert bk.backups(disk) == [folder]
    assert [path.name for path in disk.iterdir()] == [folder.name]


def test_a_restore_that_ends_in_the_middle_loses_nothing(root, tmp_path, monkeypatch):
    folder, manifest = bk.back_up(root, tmp_path / "disk", NOW_NS)
    (root / "rules" / "mine.toml").write_text("newer")
    whole, count = bk.move, 0

    def dying(source, target):
        nonlocal count
        count -= 1
        if count < 0:
            raise KeyboardInterrupt
        whole(source, target)

    monkeypatch.setattr(bk, "move", dying)
    died = 0
    for last in range(6):  # how many moves there are depends on where the one before ended
        count = last
        with suppress(KeyboardInterrupt):
            bk.restore(folder, root, NOW_NS + last * NS_PER_SECOND, replace=True)
        died += count < 0
        assert "newer" in [path.read_text() for path in root.rglob("mine.toml")]
    assert died >= 3
    count = 100
    told, _ = bk.restore(folder, root, NOW_NS + 60 * NS_PER_SECOND, replace=True)
    assert told == manifest
    assert (root / "rules" / "mine.toml").read_text() == "[[rules]]"
    assert "newer" in [path.read_text() for path in root.glob("replaced-*/**/mine.toml")]
    assert not (root / ".restoring").exists()


def test_what_is_there_is_touched_only_when_asked(root, tmp_path):
    folder, _ = bk.back_up(root, tmp_path / "disk", NOW_NS)
    with pytest.raises(UsageError, match="already"):
        bk.restore(folder, root, NOW_NS)
    _, aside = bk.restore(folder, root, NOW_NS, replace=True)
    assert aside is not None
    assert (aside / "rules" / "mine.toml").is_file()
    assert (root / "lake" / "ltc" / "bars.parquet").read_bytes() == b"many"


def test_a_session_that_runs_is_copied_and_not_replaced(root, tmp_path):
    with held(session_at(root, "main")):
        folder, _ = bk.back_up(root, tmp_path / "disk", NOW_NS)
        with pytest.raises(UsageError, match="session main runs"):
            bk.restore(folder, root, NOW_NS, replace=True)


@pytest.mark.parametrize("name", ["rules/mine.toml", "sessions/main/journal.sqlite"])
def test_a_damaged_backup_is_refused_before_anything_is_touched(root, tmp_path, name):
    folder, _ = bk.back_up(root, tmp_path / "disk", NOW_NS)
    payload = bytearray((folder / name).read_bytes())
    payload[len(payload) // 2] ^= 1
    (folder / name).write_bytes(payload)
    with pytest.raises(DataError, match="checksum"):
        bk.restore(folder, tmp_path / "new", NOW_NS)
    assert not (tmp_path / "new").exists()
    (folder / name).unlink()
    with pytest.raises(DataError, match="cannot be read"):
        bk.check(folder)


def test_a_manifest_cannot_lead_out_of_the_folder(root, tmp_path):
    folder, _ = bk.back_up(root, tmp_path / "disk", NOW_NS)
    told = (folder / bk.MANIFEST).read_text()
    (folder / bk.MANIFEST).write_text(told.replace("rules/mine.toml", "../../mine.toml"))
    with pytest.raises(DataError, match="names the file"):
        bk.restore(folder, tmp_path / "new", NOW_NS)


def test_a_database_that_is_torn_is_kept_as_it_is_and_said(root, tmp_path):
    journal = session_at(root, "main").journal
    payload = bytearray(journal.read_bytes())
    payload[4096:12_000] = b"\xff" * (12_000 - 4096)
    journal.write_bytes(payload)
    folder, manifest = bk.back_up(root, tmp_path / "disk", NOW_NS)
    assert manifest.unsound == ["sessions/main/journal.sqlite"]
    assert (folder / "sessions" / "main" / "journal.sqlite").read_bytes() == payload


def test_the_newest_so_many_stay(root, tmp_path):
    disk = tmp_path / "disk"
    made = [bk.back_up(root, disk, NOW_NS + i * NS_PER_SECOND)[0] for i in range(4)]
    (disk / "something else").mkdir()
    assert bk.newest(disk) == made[-1]
    assert bk.prune(disk, 0) == []
    assert bk.prune(disk, 2) == made[:2]
    assert bk.backups(disk) == made[2:]
    assert (disk / "something else").is_dir()


def test_places_that_make_no_sense_are_refused(root, tmp_path):
    with pytest.raises(UsageError, match="which is to be copied"):
        bk.back_up(root, root / "backups", NOW_NS)
    with pytest.raises(UsageError, match="nothing in"):
        bk.back_up(tmp_path / "empty", tmp_path / "disk", NOW_NS)
    with pytest.raises(UsageError, match="no backup"):
        bk.newest(tmp_path / "disk")

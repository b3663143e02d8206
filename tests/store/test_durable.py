"""Files are whole or not there, for their owner alone where that is asked, and nothing else is."""

from __future__ import annotations

import fcntl
import threading

import pytest

from litehedge.store import durable
from litehedge.store.durable import is_locked, write_whole


@pytest.mark.parametrize("mode", [0o600, 0o644])
def test_a_file_is_replaced_whole_and_has_the_mode_that_was_asked(tmp_path, mode):
    path = tmp_path / "kept.json"
    path.write_bytes(b"a longer one that was there before")
    path.chmod(0o640)
    write_whole(path, b"new", mode)
    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o777 == mode
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("step", ["write_synced", "move"])
def test_where_the_disk_refuses_the_old_one_stays_and_nothing_beside_it(
    tmp_path, monkeypatch, step
):
    path = tmp_path / "kept.json"
    path.write_bytes(b"old")
    real = durable.write_synced

    def refuses(*given, **more):
        if step == "write_synced":
            real(*given, **more)  # it is there when the disk says no
        raise OSError(28, "no space left")

    monkeypatch.setattr(durable, step, refuses)
    with pytest.raises(OSError, match="no space"):
        write_whole(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_dead_writer_left_is_no_hindrance(tmp_path, monkeypatch):
    path = tmp_path / "kept.json"

    def dies(source, target):
        raise SystemExit

    with monkeypatch.context() as patched:
        patched.setattr(durable, "move", dies)
        patched.setattr("pathlib.Path.unlink", lambda path, missing_ok=False: None)
        with pytest.raises(SystemExit):
            write_whole(path, b"never")
    assert len(list(tmp_path.iterdir())) == 1
    write_whole(path, b"new")
    assert list(tmp_path.iterdir()) == [path]


def test_those_who_write_at_once_leave_one_of_theirs(tmp_path):
    path = tmp_path / "kept.json"
    payloads = [bytes([65 + i]) * 100_000 for i in range(8)]
    threads = [threading.Thread(target=write_whole, args=(path, one)) for one in payloads]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert path.read_bytes() in payloads
    assert list(tmp_path.iterdir()) == [path]


def test_a_lock_is_seen_for_as_long_as_somebody_holds_it(tmp_path):
    path = tmp_path / "lock"
    assert not is_locked(path)
    with path.open("a+") as file:
        assert not is_locked(path)
        fcntl.flock(file, fcntl.LOCK_EX)
        assert is_locked(path)
    assert not is_locked(path)

"""The lake changes whole or not at all, and only when everything is on the disk."""

from __future__ import annotations

import fcntl
import os
import stat
from pathlib import Path

import pytest
from lake_series import bars

from litehedge.errors import DataError
from litehedge.store import durable
from litehedge.store.lake import Dataset, Lake


def test_one_writer_at_a_time(lake: Lake) -> None:
    lake.write([bars(10)], "x")
    descriptor = os.open(lake.root / ".lock", os.O_RDWR)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        with pytest.raises(DataError, match="another process is writing"):
            lake.write([bars(12)], "x", replace=True)
        assert lake.read("x").height == 10
    finally:
        os.close(descriptor)
    lake.write([bars(12)], "x", replace=True)


def test_leftovers_of_dead_imports_are_swept(lake: Lake) -> None:
    lake.write([bars(10)], "x")
    for stale in (".incoming-dead/abc", "x/0123456789abcdef/bars", "half/fedcba9876543210"):
        (lake.root / stale).mkdir(parents=True)
    (lake.root / "x" / "notes").mkdir()
    lake.write([bars(10)], "y")
    assert sorted(path.name for path in lake.root.iterdir()) == [".lock", "half", "x", "y"]
    assert list((lake.root / "half").iterdir()) == []
    assert (lake.root / "x" / "notes").is_dir(), "what is not ours stays"
    assert lake.read("x").height == 10


def test_a_full_disk_leaves_the_old_content(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    lake.write([bars(10)], "x")

    def full(path: Path, payload: bytes | memoryview) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(durable, "write_synced", full)
    with pytest.raises(DataError, match="No space left on device: make room"):
        lake.write([bars(12)], "x", replace=True)
    assert lake.read("x").height == 10
    assert sorted(path.name for path in lake.root.iterdir()) == [".lock", "x"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission(tmp_path: Path) -> None:
    tmp_path.chmod(stat.S_IRUSR | stat.S_IXUSR)
    with pytest.raises(DataError, match="cannot be written"):
        Lake(tmp_path / "lake").write([bars(10)], "x")


def test_a_file_where_the_lake_should_be(tmp_path: Path) -> None:
    (tmp_path / "lake").write_text("")
    with pytest.raises(DataError, match="cannot be read"):
        Lake(tmp_path / "lake").datasets()
    with pytest.raises(DataError, match="cannot be written"):
        Lake(tmp_path / "lake").write([bars(10)], "x")


def test_everything_is_on_the_disk_before_readers_see_it(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake.write([bars(10)], "x")
    opened: dict[int, str] = {}
    dirty: set[str] = set()
    moves: list[str] = []
    real_open, real_sync, real_replace = os.open, os.fsync, os.replace

    def watched_open(path: str, flags: int, *args: int, **more: int) -> int:
        descriptor = real_open(path, flags, *args, **more)
        opened[descriptor] = str(path)
        if flags & os.O_CREAT and not str(path).endswith(".lock"):
            dirty.update((str(path), str(Path(path).parent)))
        return descriptor

    def watched_sync(descriptor: int) -> None:
        real_sync(descriptor)
        dirty.discard(opened[descriptor])

    def watched_replace(source: str, target: str) -> None:
        moves.append(Path(target).name)
        unsynced = {path for path in dirty if not path.endswith(source.parent.name)}  # type: ignore[attr-defined]
        assert not unsynced, f"moved into place before these were durable: {unsynced}"
        real_replace(source, target)
        dirty.add(str(Path(target).parent))

    monkeypatch.setattr(os, "open", watched_open)
    monkeypatch.setattr(os, "fsync", watched_sync)
    monkeypatch.setattr(os, "replace", watched_replace)
    dataset = lake.write([bars(24 * 40)], "x", replace=True)
    assert moves == [dataset.version, "manifest.json"]
    assert not {path for path in dirty if ".incoming-" not in path}


def test_a_reader_whose_version_is_replaced_starts_over(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = lake.write([bars(10)], "x")
    lake.write([bars(12)], "x", replace=True)
    asked = iter([old])
    now = lake.dataset

    def stale_once(name: str) -> Dataset:
        return next(asked, None) or now(name)

    monkeypatch.setattr(lake, "dataset", stale_once)
    assert lake.read("x").height == 12

"""``kill -9`` at any instant of an import leaves the lake with the old content or the new."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from litehedge.store.lake import Lake

# Runs in a process of its own, which never touches polars itself: a fork of a process with polars'
# threads would hang. Child n imports a file and kills itself at its n-th change of the file system;
# a write is cut in half first. The last child is the one that gets through.
DRIVER = """
import os, shutil, signal, sys
from litehedge.cli import main

base, file, count = sys.argv[1:4]
CALLS = ("open", "write", "fsync", "mkdir", "rename", "replace", "unlink", "rmdir")

def die_at(n):
    left = [n]
    def watched(name, real):
        def call(*args, **more):
            left[0] -= 1
            if left[0] == 0:
                if name == "write":
                    real(args[0], bytes(args[1])[: len(args[1]) // 2])
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*args, **more)
        return call
    for name in CALLS:
        setattr(os, name, watched(name, getattr(os, name)))

for n in range(1, int(count)):
    home = f"{base}-{n}"
    if os.path.isdir(base):
        shutil.copytree(base, home)
    pid = os.fork()
    if pid == 0:
        os.environ["LITEHEDGE_HOME"] = home
        sys.argv = ["litehedge", "data", "import", file, "--name", "x", "--replace"]
        sys.stdout = open(os.devnull, "w")
        die_at(n)
        try:
            main()
        except SystemExit as stopped:
            os._exit(stopped.code)
        os._exit(70)
    status = os.waitpid(pid, 0)[1]
    if os.WIFEXITED(status):
        print(n, os.WEXITSTATUS(status))
        break
    assert os.WTERMSIG(status) == signal.SIGKILL
"""

START = datetime(2021, 5, 30)  # noqa: DTZ001 - the files hold naive UTC


def candles(n: int) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "ts": [START + i * timedelta(hours=1) for i in range(n)],
            "open": [100.0] * n,
            "high": [102.0] * n,
            "low": [99.0] * n,
            "close": [101.0] * n,
            "volume": [float(n)] * n,
        }
    )


def litehedge(home: Path, *words: object) -> str:
    command = [sys.executable, "-m", "litehedge", "data", *map(str, words)]
    environment = {**os.environ, "LITEHEDGE_HOME": str(home)}
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, check=True
    ).stdout


@pytest.mark.parametrize("there_before", [True, False], ids=["replace", "first import"])
def test_kill_at_every_change_of_the_file_system(tmp_path: Path, there_before: bool) -> None:
    base, old, new = tmp_path / "home", tmp_path / "ltc_1h.csv", tmp_path / "new_1h.csv"
    candles(72).write_csv(old)
    candles(96).write_csv(new)
    if there_before:
        litehedge(base, "import", old, "--name", "x")
    done = subprocess.run(
        [sys.executable, "-c", DRIVER, str(base), str(new), "400"],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    last, code = map(int, done.stdout.split())
    assert code == 0, done.stderr
    assert last > 30, "the driver sees the calls that change the file system"

    seen = []
    for n in range(1, last + 1):
        lake = Lake(tmp_path / f"home-{n}" / "lake")
        assert lake.broken() == []
        datasets = lake.datasets()
        if datasets:
            (dataset,) = datasets
            assert lake.problems(dataset) == []
            rows = lake.read("x")
            assert rows["volume"].unique().to_list() == [float(rows.height)], "no mixture"
            seen.append(rows.height)
        else:
            seen.append(0)
    before = 72 if there_before else 0
    switch = seen.index(96)
    assert seen == [before] * switch + [96] * (last - switch), "old until an instant, then new"
    assert 0 < switch < last - 1

    # What the dead left behind is swept up by the next import, whichever instant they died at.
    whole = json.loads(litehedge(tmp_path / f"home-{last}", "list", "--json"))["datasets"][0]
    for n in (1, switch // 2, switch, switch + 1, last - 1):
        home = tmp_path / f"home-{n}"
        litehedge(home, "import", new, "--name", "x", "--replace")
        lake = Lake(home / "lake")
        assert lake.read("x").height == whole["rows"] == 96
        assert sorted(path.name for path in lake.root.iterdir()) == [".lock", "x"]
        kept = {lake.dataset("x").version, "manifest.json"}
        assert {path.name for path in (lake.root / "x").iterdir()} == kept

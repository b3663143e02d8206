"""Serving the screen of a demo: for this machine alone, and no longer than the demo."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from litehedge.errors import UsageError
from litehedge.ui.serving import Where, serve

ENDS_S = 60.0


@pytest.fixture
def cert(tmp_path):
    files = tmp_path / "cert.pem", tmp_path / "key.pem"
    for file in files:
        file.write_text("never read")
    return files


@pytest.mark.parametrize("how", ["host", "name", "proxy"])
def test_the_screen_of_a_demo_is_for_this_machine_alone(tmp_path, cert, how):
    where = {
        "host": Where("0.0.0.0", 0, (), *cert),
        "name": Where("127.0.0.1", 0, ("ltc.example.org",)),
        "proxy": Where("127.0.0.1", 0, (), None, None, True),
    }[how]
    said = []
    with pytest.raises(UsageError, match="this machine alone"):
        serve(tmp_path, where, says=said.append, opens=None, demo=True)
    assert said == []
    assert list(tmp_path.glob("ui/*")) == []


def test_a_screen_whose_demo_died_before_it_was_up_ends_by_itself(tmp_path):
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    screen = subprocess.run(
        [sys.executable, "-m", "litehedge", "ui", "--home", str(tmp_path), "--port", "0",
         "--no-browser", "--demo", "--parent", str(gone.pid)],
        timeout=ENDS_S, capture_output=True, check=False, env={**os.environ, "COLUMNS": "300"},
    )  # fmt: skip
    assert screen.returncode == 0, screen.stderr

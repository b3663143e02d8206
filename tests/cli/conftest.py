"""The command line, run in this process, on a lake of its own."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path

import keyring
import pytest

from keyrings import NoRing
from litehedge.cli.app import main
from litehedge.store.lake import Lake
from made_lakes import CRASH_AT, store, store_companions
from synthetic import Crash, market


@dataclass
class Result:
    """What a command said."""

    code: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)


@pytest.fixture(autouse=True)
def ring(monkeypatch):
    """No test finds, or tells, what a developer has in his keyring."""
    before = keyring.get_keyring()
    keyring.set_keyring(NoRing())
    monkeypatch.delenv("LITEHEDGE_ALERTS", raising=False)
    yield
    keyring.set_keyring(before)


@pytest.fixture
def litehedge(capfdbinary, monkeypatch, tmp_path):
    """Run ``litehedge ARGS...`` with an empty home folder."""
    monkeypatch.setenv("LITEHEDGE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object) -> Result:
        monkeypatch.setattr(sys, "argv", ["litehedge", *map(str, arguments)])
        capfdbinary.readouterr()
        code = 0
        try:
            main()
        except SystemExit as end:
            code = int(end.code or 0)
        out, err = capfdbinary.readouterr()
        return Result(code, out.decode(), err.decode())

    return run


@pytest.fixture
def lake(tmp_path) -> Lake:
    """The lake of that home folder."""
    return Lake(tmp_path / "home" / "lake")


@pytest.fixture
def crashed(lake) -> Path:
    """A lake with four days of one-minute bars and a crash of 30 % on the third."""
    own = market(5_760, seed=5, crashes=(Crash(at=CRASH_AT, bars=25, depth=0.35),))
    store(lake, "crash", own)
    store_companions(lake, own)
    return lake.root

"""``litehedge retrain``."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from breaking_markets import DAY_NS, breaking
from litehedge.cli.app import app
from litehedge.errors import ArtefactError, LitehedgeError, UsageError
from litehedge.shelf.lineage import promote
from litehedge.store.lake import Lake
from litehedge.store.registry import registry_at
from litehedge.units import iso_utc
from made_lakes import store
from synthetic import T0


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("LITEHEDGE_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("litehedge.cli.retrain.yield_to_others", lambda: None)
    store(Lake(tmp_path / "lake"), "ltc", breaking(60, 3, announced=True))
    return tmp_path


def run(*arguments):
    found = CliRunner().invoke(app, ["retrain", *arguments])
    if isinstance(found.exception, LitehedgeError):
        raise found.exception
    return found


def test_a_retraining_makes_a_challenger_that_serves_nobody(home):
    promote("ltc-5m-logistic", "to learn on")
    until = iso_utc(T0 + 50 * DAY_NS)
    told = json.loads(run("--data", "ltc", "--until", until, "--json").stdout)
    assert told["challenger"] == "ltc-5m-logistic@2"
    registry = registry_at(home)
    assert registry.holder("champion", 300).label == "ltc-5m-logistic@1"
    assert registry.holder("challenger", 300).label == "ltc-5m-logistic@2"
    parent = registry.holder("challenger", 300).lineage.parent
    assert parent == registry.holder("champion", 300).id
    registry.close()
    judged = json.loads(run("judge", "--data", "ltc", "--json").stdout)
    assert judged["verdict"]["decision"] == "wait"
    assert not judged["promoted"]
    shown = run("status").stdout
    assert "nobody retrains" in shown
    assert "not yet" in shown


def test_a_network_says_that_it_cannot_learn_on(home):
    promote("ltc-5m", "it serves")
    with pytest.raises(ArtefactError, match="cannot learn on"):
        run("--data", "ltc")
    assert "cannot learn on" in run("status").stdout


def test_bad_input_is_refused_before_anything_begins(home):
    with pytest.raises(UsageError, match="nothing to learn from"):
        run()
    with pytest.raises(UsageError, match="--watch"):
        run("--data", "ltc", "--watch", "--until", "2024-01-01")
    with pytest.raises(LitehedgeError):
        run("--data", "no such data")
    with pytest.raises(UsageError, match="no challenger"):
        run("judge", "--data", "ltc")
    assert json.loads(run("status", "--json").stdout)["running"] is False

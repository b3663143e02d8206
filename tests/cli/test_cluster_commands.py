"""``--cluster`` and a lake elsewhere, from the command line."""

import fsspec
import pytest

from litehedge.store import remote as rm
from litehedge.store.lake import Lake
from made_lakes import store
from synthetic import market


def test_a_cluster_that_nobody_runs_is_one_clear_message(litehedge):
    for arguments in (
        ("study", "blowup", "--worlds", 2, "--days", 2),
        ("train", "--model", "network", "--worlds", 1),
    ):
        done = litehedge(*arguments, "--cluster", "127.0.0.1:9")
        assert done.code == 2
        assert "error: nothing answers at 127.0.0.1:9" in done.err
        assert "leave out --cluster" in done.err
        assert "Traceback" not in done.err


def test_what_a_cluster_is_not_for_is_refused(litehedge, lake):
    assert "--cluster is of networks" in litehedge("train", "--cluster", "auto").err
    store(lake, "ltc", market(2_000))
    alone = litehedge("backtest", "--data", "ltc", "--cluster", "auto")
    assert alone.code == 2
    assert "one run is of one machine" in alone.err


@pytest.fixture
def elsewhere(monkeypatch):
    """An object store in memory."""
    files = fsspec.filesystem("memory")
    files.store.clear()
    monkeypatch.setattr(rm, "_opened", lambda url: (files, "/lakes"))
    yield "s3://lakes"
    files.store.clear()


def test_data_sets_go_and_come(litehedge, lake, elsewhere, tmp_path, monkeypatch):
    store(lake, "ltc", market(2_000))
    rows = lake.read("ltc")
    gone = litehedge("data", "push", "ltc", "--to", elsewhere)
    assert gone.code == 0
    assert "ltc is now at s3://lakes: 2,000 rows" in gone.out
    lake.remove("ltc")
    come = litehedge("data", "pull", "ltc", "--from", elsewhere)
    assert come.code == 0
    assert "ltc is here, as at s3://lakes: 2,000 rows" in come.out
    assert lake.read("ltc").equals(rows)
    lake.remove("ltc")
    assert litehedge("data", "push", "ltc").code == 2  # nowhere to
    monkeypatch.setenv("LITEHEDGE_LAKE", elsewhere)
    assert [one["name"] for one in litehedge("data", "list", "--json").json["datasets"]] == ["ltc"]
    checked = litehedge("data", "check", "ltc", "--json").json
    assert checked["rows"] == 2_000
    assert not lake.datasets(), "what was read lies apart from the lake here"
    (fetched,) = (tmp_path / "home" / "fetched-lakes").iterdir()
    assert Lake(fetched).read("ltc").equals(rows)

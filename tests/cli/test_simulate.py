"""``litehedge simulate``: worlds as data sets, files and facts."""

from pathlib import Path

import polars as pl
import pytest

from litehedge.cli import simulate
from litehedge.store.worlds import DATA_SETS, series_of


def test_a_world_becomes_data_sets_that_other_commands_use(litehedge, lake):
    result = litehedge(
        "simulate", "--days", 2, "--seed", 3, "--scenario", "crash-2025-10", "--json", "-"
    )
    assert result.code == 0, result.err
    assert set(result.json["data"]) == {f"sim_{what}" for what in DATA_SETS}
    own = lake.dataset("sim_ltc")
    assert own.rows == 2 * 1440
    assert set(lake.companions(own)) == set(DATA_SETS) - {"ltc"}
    assert not any(lake.problems(one) for one in lake.datasets())
    squeezes = litehedge("label", "--data", "sim_ltc", "--json", "-").json["squeezes"]
    assert min(q["peak_price"] / q["onset_price"] for q in squeezes) < 0.6
    run = litehedge(
        "backtest", "--data", "sim_ltc", "--leverage", 5, "--policy", "margin-vol-safe",
        "--json", "-",
    )  # fmt: skip
    assert run.code == 0, run.err
    assert run.json["meta"]["liquidated"]["unhedged"]
    again = litehedge("simulate", "--days", 2)
    assert again.code == 2
    assert "there already are sim_ltc" in again.err


def test_worlds_keep_to_themselves(litehedge, lake):
    for name in ("one", "two"):
        assert litehedge("simulate", "--days", 1, "--name", name).code == 0
    found = lake.companions(lake.dataset("two_ltc"))
    assert {one.name for one in found.values()} == {
        f"two_{what}" for what in set(DATA_SETS) - {"ltc"}
    }


def test_replacing_a_world_leaves_nothing_of_the_old_one(litehedge, lake, monkeypatch):
    assert litehedge("simulate", "--days", 2, "--scenario", "crash-2025-10").code == 0
    old = lake.dataset("sim_liquidations")

    def calm(*arguments):
        for what, series in series_of(*arguments):
            if what != "liquidations":
                yield what, series

    monkeypatch.setattr(simulate, "series_of", calm)
    result = litehedge("simulate", "--days", 1, "--replace", "--json", "-")
    assert "sim_liquidations" not in result.json["data"]
    assert "sim_liquidations" not in {one.name for one in lake.datasets()}
    assert not (lake.root / "sim_liquidations" / old.version).exists()
    assert "liquidations" not in lake.companions(lake.dataset("sim_ltc"))


def test_forced_orders_are_labelled_and_bars_tell_who_bought(litehedge, lake):
    assert litehedge("simulate", "--days", 2, "--scenario", "crash-2025-10").code == 0
    forced = lake.read("sim_liquidations").group_by("feed").agg(pl.col("notional_usdt").sum())
    told = dict(forced.iter_rows())
    assert 0.0 < told["largest"] < told["all"]
    bars = lake.read("sim_ltc")
    assert (bars["buy_volume"] < bars["volume"]).all()
    assert (bars["buy_volume"] > 0.0).all()


def test_bars_in_the_lake_are_true_while_quotes_are_frozen(litehedge, lake):
    done = litehedge("simulate", "--days", 1, "--scenario", "frozen-feed")
    assert done.code == 0, done.err
    bars = lake.read("sim_ltc").head(14)
    quotes = lake.read("sim_book").head(14)
    assert bars["close"].n_unique() == 14, "behind the frozen feed the market went on"
    assert bars["low"].min() < 0.97 * bars["open"][0]
    assert quotes["ask_depth_usdt"].n_unique() == 1


def test_files_hold_everything_and_the_same_seed_gives_the_same_bytes(litehedge, tmp_path):
    for folder in ("a", "b"):
        done = litehedge(
            "simulate", "--days", 31, "--seed", 5, "--bars", "1min", "--out", tmp_path / folder
        )
        assert done.code == 0, done.err
    names = sorted(p.name for p in (tmp_path / "a").iterdir())
    assert names == ["sim-000.parquet", "sim-001.parquet"]
    for name in names:
        one, other = (tmp_path / folder / name for folder in ("a", "b"))
        assert one.read_bytes() == other.read_bytes()
    table = pl.read_parquet(tmp_path / "a" / "sim-000.parquet")
    assert table.height == 30 * 1440
    assert "hidden_regime" in table.columns


def test_the_oracle_lies_beside_the_data_and_goes_with_it(litehedge, tmp_path):
    """It is no data set: nothing that learns from the lake can come across it."""
    wanted = ("simulate", "--days", 2, "--name", "w")
    with_oracle = (*wanted, "--oracle", "6h", "--branches", 8)
    done = litehedge(*with_oracle, "--json", "-")
    assert done.code == 0, done.err
    path = Path(done.json["oracle"])
    truth = pl.read_parquet(path)
    assert truth.height == 3 * 2  # the first day has no thresholds
    assert (truth["end_ns"] % (6 * 3600 * 10**9) == 0).all()
    assert truth.select(pl.col("^p_onset_.*$")).width == 13
    assert not any("oracle" in name for name in done.json["data"])
    refused = litehedge(*with_oracle)
    assert refused.code == 2
    assert "another --name" in refused.err
    assert litehedge(*wanted, "--replace").code == 0
    assert not path.exists(), "the truth of a world that is no more"
    out = litehedge(*with_oracle, "--out", tmp_path / "w")
    assert out.code == 0, out.err
    again = litehedge(*wanted, "--seed", 2, "--out", tmp_path / "w")
    assert again.code == 2
    assert "exists" in again.err
    assert pl.read_parquet(tmp_path / "w" / "w-oracle.parquet").equals(truth)


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (("--oracle", "20s", "--days", 3), "minutes"),
        (("--oracle", "1h", "--days", 1), "no room"),
        (("--scenario", "crash-2025"), "no scenario"),
        (("--bars", "7s"), "do not make up a minute"),
        (("--bars", "1h"), "do not make up a minute"),
        (("--facts", "--scenario", "flash-crash"), "a market left alone"),
        (("--name", "../x"), "name"),
        (("--out", "/proc/none"), "cannot write"),
    ],
)
def test_bad_input(litehedge, arguments, what):
    result = litehedge("simulate", "--days", 1, *arguments)
    assert result.code == 2
    assert what in result.err


def test_scenarios_are_listed(litehedge):
    assert "crash-2025-10" in litehedge("simulate", "--list").out


def test_facts_are_measured(litehedge, tmp_path):
    told = tmp_path / "facts.json"
    result = litehedge("simulate", "--facts", "--days", 20, "--seeds", 1, "--json", told)
    assert result.code == 0, result.err
    assert "vol_5m" in result.out
    assert told.exists()

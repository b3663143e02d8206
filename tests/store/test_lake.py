"""What is written to the lake is what is read, whole, merged or in part."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lake_series import HOUR, T0, bars, funding, liquidations, series

from litehedge.errors import DataError
from litehedge.feeds.archive import Series
from litehedge.store.lake import Lake
from litehedge.units import NS_PER_MINUTE, instant_ns

# --- write and read ---------------------------------------------------------------------------


def test_what_is_written_is_read(lake: Lake) -> None:
    given_bars = bars(96)
    dataset = lake.write([given_bars], "ltc_spot_1h")
    assert lake.read("ltc_spot_1h").equals(given_bars.table)
    assert lake.dataset("ltc_spot_1h") == dataset
    assert lake.datasets() == [dataset]
    assert lake.broken() == []
    assert lake.problems(dataset) == []
    assert (dataset.rows, dataset.interval, dataset.kind) == (96, "1h", "bars")
    assert (dataset.start_ns, dataset.end_ns) == (T0, T0 + 96 * HOUR)
    assert [source.file for source in dataset.sources] == ["a.csv"]
    assert dataset.span == "2021-05-30 00:00 .. 2021-06-03 00:00"


def test_layout_of_the_files(lake: Lake) -> None:
    dataset = lake.write([bars(96, market="coin-m perp")], "x")
    months = sorted((lake.root / "x" / dataset.version).rglob("*.parquet"))
    below = [path.relative_to(lake.root / "x" / dataset.version).as_posix() for path in months]
    assert below == [
        "bars/binance-coin-m-perp/LTCUSDT/2021-05.parquet",
        "bars/binance-coin-m-perp/LTCUSDT/2021-06.parquet",
    ]
    # The bar that closes when May ends is the last one of May.
    assert pl.read_parquet(months[0])["known_ns"].max() == instant_ns("2021-06-01")
    assert sorted(path.name for path in lake.root.iterdir()) == [".lock", "x"]


@settings(max_examples=40, deadline=None)
@given(
    steps=st.lists(st.integers(1, 40 * 24), min_size=1, max_size=60),
    ask=st.tuples(st.integers(-10, 1500), st.integers(1, 1500)),
)
def test_any_table_comes_back_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, steps: list[int], ask: tuple[int, int]
) -> None:
    lake = Lake(tmp_path_factory.mktemp("lake"))
    times = T0 + HOUR * np.cumsum(np.array(steps, dtype=np.int64))
    rates = np.where(np.arange(times.size) % 5 == 0, np.nan, 1e-4)
    table = pl.DataFrame({"event_ns": times - 1, "known_ns": times, "rate": rates})
    lake.write([series("funding", table)], "f")
    assert lake.read("f").equals(table)
    start_ns, end_ns = T0 + ask[0] * HOUR, T0 + (ask[0] + ask[1]) * HOUR
    expected = table.filter((pl.col("known_ns") > start_ns) & (pl.col("known_ns") <= end_ns))
    if expected.is_empty():
        with pytest.raises(DataError, match="has nothing between"):
            lake.read("f", start_ns, end_ns)
    else:
        assert lake.read("f", start_ns, end_ns).equals(expected)


def test_range_excludes_its_start_and_includes_its_end(lake: Lake) -> None:
    lake.write([bars(96)], "x")
    table = lake.read("x", T0 + HOUR, T0 + 3 * HOUR)
    assert table["known_ns"].to_list() == [T0 + 2 * HOUR, T0 + 3 * HOUR]
    june = instant_ns("2021-06-01")
    assert lake.read("x", june).row(0)[0] == june + HOUR
    assert lake.read("x", None, june).row(-1)[0] == june


def test_empty_range_says_what_is_covered(lake: Lake) -> None:
    lake.write([bars(96)], "x")
    with pytest.raises(DataError, match=r"2022-01-01.*it covers 2021-05-30 00:00 .. 2021-06-03"):
        lake.read("x", instant_ns("2022-01-01"))


def test_only_the_months_in_question_are_read(lake: Lake) -> None:
    dataset = lake.write([bars(24 * 40)], "x")
    june = next((lake.root / "x").rglob("2021-06.parquet"))
    june.unlink()
    assert lake.read("x", None, instant_ns("2021-06-01")).height == 48
    with pytest.raises(DataError, match=r"missing or damaged.*--replace"):
        lake.read("x")
    assert "2021-06.parquet is missing" in lake.problems(dataset)[0]


def test_damage_is_told(lake: Lake) -> None:
    dataset = lake.write([bars(10)], "x")
    part = next((lake.root / "x").rglob("*.parquet"))
    part.write_bytes(part.read_bytes()[:-20])
    assert "cannot be read" in lake.problems(dataset)[0]
    with pytest.raises(DataError, match="missing or damaged"):
        lake.read("x")
    bars(9).table.write_parquet(part)
    assert "has 9 rows, the manifest says 10" in lake.problems(dataset)[0]


def test_folder_names_are_no_patterns(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "la[k]e*")
    lake.write([bars(10)], "x")
    assert lake.read("x").height == 10


def test_unknown_name_has_near_misses(lake: Lake) -> None:
    with pytest.raises(DataError, match=r"is empty: import files first"):
        lake.dataset("ltc_spot_1h")
    lake.write([bars(10)], "ltc_spot_1h")
    with pytest.raises(DataError, match=r"did you mean ltc_spot_1h\? 'litehedge data list'"):
        lake.dataset("ltc_sport_1h")
    with pytest.raises(DataError, match=r"no data set \.\./x"):
        lake.dataset("../x")


def test_names_that_are_no_folders(lake: Lake) -> None:
    for name in ("", ".hidden", "../up", "a/b", "x" * 101):
        with pytest.raises(DataError, match="cannot be the name"):
            lake.write([bars(10)], name)
    assert lake.datasets() == []


def test_broken_manifests_are_entries_not_exceptions(lake: Lake) -> None:
    for name in ("good", "newer", "torn", "moved"):
        lake.write([bars(10)], name)
    newer = lake.root / "newer" / "manifest.json"
    newer.write_text(json.dumps({**json.loads(newer.read_text()), "format": 2}))
    torn = lake.root / "torn" / "manifest.json"
    torn.write_bytes(torn.read_bytes()[:100])
    (lake.root / "moved").rename(lake.root / "renamed")
    (lake.root / "half").mkdir()
    assert [dataset.name for dataset in lake.datasets()] == ["good"]
    reasons = dict(lake.broken())
    assert sorted(reasons) == ["newer", "renamed", "torn"]
    assert "has format 2, this litehedge reads format 1" in reasons["newer"]
    assert "damaged" in reasons["torn"]
    assert "that of a data set moved" in reasons["renamed"]
    with pytest.raises(DataError, match="format 2"):
        lake.dataset("newer")
    lake.write([bars(12)], "torn", replace=True)
    assert lake.dataset("torn").rows == 12
    version = json.loads(newer.read_text())["version"]
    assert (lake.root / "newer" / version).is_dir(), "what others understand is left alone"


# --- replace and merge ------------------------------------------------------------------------


def test_taken_names_need_replace(lake: Lake) -> None:
    old = lake.write([bars(10)], "x")
    with pytest.raises(DataError, match="already is a data set x: replace it"):
        lake.write([bars(12)], "x")
    assert lake.dataset("x") == old
    new = lake.write([bars(12)], "x", replace=True)
    assert lake.read("x").height == 12
    assert not (lake.root / "x" / old.version).exists()
    assert (lake.root / "x" / new.version).is_dir()


def test_files_in_any_order_become_one_table(lake: Lake) -> None:
    whole = bars(60).table
    parts = [
        bars(20, start=T0 + 40 * HOUR, source="c"),
        bars(20, source="a"),
        bars(30, start=T0 + 15 * HOUR, source="b"),
    ]
    dataset = lake.write(parts, "x")
    assert lake.read("x").equals(whole)
    assert [(one.file, one.rows) for one in dataset.sources] == [("c", 20), ("a", 20), ("b", 30)]


def test_a_file_may_fill_the_gap_of_another(lake: Lake) -> None:
    lake.write([bars(20, drop=(5, 6)), bars(4, start=T0 + 4 * HOUR, source="b")], "x")
    assert lake.read("x").equals(bars(20).table)


def test_mark_prices_overlap_although_nan_is_not_itself(lake: Lake) -> None:
    lake.write([bars(20, market="mark"), bars(20, market="mark", source="b")], "x")
    assert lake.dataset("x").rows == 20


def test_contradicting_overlap_names_the_first_time(lake: Lake) -> None:
    wrong = bars(10, start=T0 + 5 * HOUR, source="b.csv")
    table = wrong.table.with_columns(
        close=pl.when(pl.col("event_ns") >= T0 + 8 * HOUR)
        .then(pl.col("close") + 0.25)
        .otherwise(pl.col("close"))
    )
    wrong = series("bars", table, market="spot", interval_ns=HOUR, source="b.csv")
    with pytest.raises(DataError, match=r"b\.csv contradicts .* at 2021-05-30 08:00:00: open"):
        lake.write([bars(10), wrong], "x")
    assert lake.datasets() == []


def test_liquidations_of_one_instant_all_stay(lake: Lake) -> None:
    first = liquidations([T0, T0, T0 + 1], [1.0, 1.0, 2.0])
    second = liquidations([T0 + 1, T0 + 2], [2.0, 3.0], source="b")
    lake.write([first, second], "x")
    assert lake.read("x")["qty"].to_list() == [1.0, 1.0, 2.0, 3.0]
    short = liquidations([T0, T0 + 1], [1.0, 2.0], source="c")
    with pytest.raises(DataError, match="c contradicts"):
        lake.write([first, short], "y")


@pytest.mark.parametrize(
    ("other", "what"),
    [
        (funding(), "kind is bars and funding"),
        (bars(asset="BTC"), "symbol is LTCUSDT and BTCUSDT"),
        (bars(market="perp"), "market is spot and perp"),
        (bars(step=NS_PER_MINUTE), "interval is 1h and 1m"),
    ],
)
def test_files_of_different_things_do_not_merge(lake: Lake, other: Series, what: str) -> None:
    with pytest.raises(DataError, match=what):
        lake.write([bars(), other], "x")
    assert lake.datasets() == []


def test_nothing_to_write(lake: Lake) -> None:
    with pytest.raises(DataError, match="no file"):
        lake.write([], "x")
    with pytest.raises(DataError, match="holds no rows"):
        lake.write([bars(0)], "x")


# --- remove, optional columns -----------------------------------------------------------------


def test_what_is_removed_is_gone_and_the_rest_stays(lake: Lake) -> None:
    lake.write([bars(10)], "x")
    lake.write([bars(12)], "y")
    lake.remove("x")
    lake.remove("x")
    assert [one.name for one in lake.datasets()] == ["y"]
    assert not (lake.root / "x").exists()
    lake.write([bars(11)], "x")
    assert lake.read("x").height == 11
    with pytest.raises(DataError, match="cannot be the name"):
        lake.remove("../y")


def test_what_takers_bought_comes_along_where_it_is_known(lake: Lake) -> None:
    told = bars(10)
    told = series(
        "bars", told.table.with_columns(buy_volume=pl.lit(1.0)), market="spot", interval_ns=HOUR
    )
    lake.write([told], "told")
    lake.write([bars(10)], "untold")
    assert lake.read("told")["buy_volume"].to_list() == [1.0] * 10
    assert "buy_volume" not in lake.read("untold").columns

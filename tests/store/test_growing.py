"""Data sets that grow: the same rows however they came, each once, and old days untouched."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lake_series import T0, bars, funding, series

from litehedge.errors import DataError
from litehedge.store import durable, growing
from litehedge.store.lake import Lake
from litehedge.units import NS_PER_DAY, NS_PER_HOUR, iso_utc


def trades(hours: list[int], source: str):
    times = [T0 + hour * NS_PER_HOUR for hour in hours]
    table = pl.DataFrame(
        {
            "event_ns": times, "known_ns": times, "price": [float(hour) for hour in hours],
            "qty_ltc": [1.0] * len(hours), "taker_buys": [True] * len(hours),
        },
        schema_overrides={"event_ns": pl.Int64, "known_ns": pl.Int64, "price": pl.Float64},
    )  # fmt: skip
    return series("trades", table, source=source)


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(st.integers(1, 90), min_size=1, max_size=6), min_size=1, max_size=4))
def test_any_cut_of_the_rows_gives_the_same_data_set(tmp_path_factory, cuts) -> None:
    lake = Lake(tmp_path_factory.mktemp("lake"))
    for number, hours in enumerate(cuts):
        one = trades(sorted(hours), f"{number:04d}")
        growing.append(lake, one, "t", is_chain=True)
        assert growing.append(lake, one, "t", is_chain=True).rows == lake.dataset("t").rows
    told = sorted(hour for hours in cuts for hour in hours)
    dataset = lake.dataset("t")
    assert lake.read("t")["price"].to_list() == told
    assert dataset.rows == len(told)
    assert (dataset.start_ns, dataset.end_ns) == (
        T0 + told[0] * NS_PER_HOUR,
        T0 + told[-1] * NS_PER_HOUR,
    )
    assert lake.problems(dataset) == []


def test_days_that_are_over_are_never_written_again(lake: Lake) -> None:
    growing.append(lake, trades([1, 2, 25], "0001"), "t", is_chain=True)
    first = lake.part(lake.dataset("t"), "2021-05-30").stat().st_ino
    growing.append(lake, trades([26, 60], "0002"), "t", is_chain=True)
    dataset = lake.dataset("t")
    assert lake.part(dataset, "2021-05-30").stat().st_ino == first
    assert [part.month for part in dataset.parts] == ["2021-05-30", "2021-05-31", "2021-06-01"]
    assert growing.mark_of(dataset) == "0002"
    inside = lake.read("t", T0 + 2 * NS_PER_HOUR, T0 + 26 * NS_PER_HOUR)
    assert inside["price"].to_list() == [25.0, 26.0]


def test_a_disk_without_links_gets_copies(lake: Lake, monkeypatch) -> None:
    def refuse(self, target):
        raise PermissionError(1, "no links here")

    growing.append(lake, trades([1], "0001"), "t", is_chain=True)
    monkeypatch.setattr(type(lake.root), "hardlink_to", refuse)
    growing.append(lake, trades([30], "0002"), "t", is_chain=True)
    assert lake.read("t")["price"].to_list() == [1.0, 30.0]


def test_a_period_is_replaced(lake: Lake) -> None:
    growing.append(lake, trades([1, 25, 26, 50], "days.csv"), "t")
    period = (T0 + NS_PER_DAY, T0 + 2 * NS_PER_DAY)
    growing.append(lake, trades([30], "corrected.csv"), "t", period_ns=period)
    assert lake.read("t")["price"].to_list() == [1.0, 30.0, 50.0]


def test_a_full_disk_leaves_what_was(lake: Lake, monkeypatch) -> None:
    growing.append(lake, trades([1], "0001"), "t", is_chain=True)

    def full(path, payload):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(durable, "write_synced", full)
    with pytest.raises(DataError, match="No space left on device: make room"):
        growing.append(lake, trades([2], "0002"), "t", is_chain=True)
    monkeypatch.undo()
    assert growing.mark_of(lake.dataset("t")) == "0001"
    assert lake.read("t").height == 1


def test_what_does_not_belong_is_refused(lake: Lake) -> None:
    lake.write([bars(10)], "whole")
    with pytest.raises(DataError, match="imported as a whole"):
        growing.append(lake, bars(3), "whole")
    growing.append(lake, trades([1], "0001"), "t")
    with pytest.raises(DataError, match="holds kind trades, not funding"):
        growing.append(lake, funding(), "t")


def test_the_oldest_days_go_first(lake: Lake) -> None:
    for name in ("t", "u"):
        growing.append(lake, trades([1, 25, 50, 75], "0001"), name)
    assert growing.retain(lake, ["t", "u"], before_day="2021-05-31") == 2
    assert iso_utc(lake.dataset("t").start_ns)[:10] == "2021-05-31"
    sizes = growing.size_bytes(lake, lake.dataset("t"))
    room = 2 * sizes["2021-06-02"] + 10
    growing.retain(lake, ["t", "u", "none"], max_bytes=room)
    for name in ("t", "u"):
        assert lake.read(name)["price"].to_list() == [75.0]
        assert lake.problems(lake.dataset(name)) == []
    growing.retain(lake, ["t"], max_bytes=0)
    assert lake.read("t").height == 1, "the last day stays"

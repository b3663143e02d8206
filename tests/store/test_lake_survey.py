"""What the lake tells about a data set: its gaps, its oddities, and what belongs to it."""

from __future__ import annotations

import polars as pl
import pytest
from lake_series import HOUR, T0, bars, funding, liquidations, open_interest

from litehedge.errors import DataError
from litehedge.store.lake import Lake
from litehedge.store.survey import longest_silence, survey_bars
from litehedge.units import NS_PER_DAY, NS_PER_MINUTE


def test_gaps_lie_between_a_close_and_the_next_open(lake: Lake) -> None:
    dataset = lake.write([bars(20, drop=(4, 5, 12))], "x")
    gaps = [(T0 + 4 * HOUR, T0 + 6 * HOUR), (T0 + 12 * HOUR, T0 + 13 * HOUR)]
    assert lake.gaps(dataset) == gaps
    assert lake.gaps(lake.write([bars(20)], "y")) == []
    assert lake.gaps(lake.write([funding()], "f")) == []


def test_survey(lake: Lake) -> None:
    dataset = lake.write([bars(20, drop=(3, 8, 9, 10))], "x")
    table = lake.read("x")
    row = pl.int_range(pl.len())
    table = table.with_columns(
        close=pl.when(row == 7).then(pl.col("open") * 0.8).otherwise(pl.col("close")),
        low=pl.when(row == 7).then(pl.col("open") * 0.8).otherwise(pl.col("low")),
        volume=pl.when(row == 2).then(0.0).otherwise(pl.col("volume")),
    )
    survey = survey_bars(dataset, table)
    assert survey.coverage == pytest.approx(16 / 20)
    assert [gap.length_ns // HOUR for gap in survey.gaps] == [3, 1]
    assert (survey.flat_bars, survey.zero_volume_bars) == (0, 1)
    assert len(survey.largest_moves) == 5
    assert survey.largest_moves[0].fraction == pytest.approx(-0.2)
    assert survey.largest_moves[0].open_ns == table["event_ns"][7] - HOUR
    mark = lake.write([bars(20, market="mark")], "m")
    assert survey_bars(mark, lake.read("m")).zero_volume_bars is None
    silence = longest_silence(table)
    assert silence is not None
    assert silence.length_ns == 4 * HOUR
    assert longest_silence(table[:1]) is None


def test_companions(lake: Lake) -> None:
    main = lake.write([bars(market="perp")], "ltc_perp_1h")
    assert lake.companions(main) == {}
    lake.write([bars(asset="BTC", market="spot")], "btc_spot_1h")
    assert lake.companions(main)["btc"].name == "btc_spot_1h", "another market is better than none"
    lake.write([bars(24, asset="BTC", market="perp")], "a_btc_perp_1h_short")
    lake.write([bars(asset="BTC", market="perp")], "btc_perp_1h")
    lake.write([bars(asset="BTC", market="perp")], "btc_perp_1h_twin")
    lake.write([bars(480, step=NS_PER_MINUTE, asset="BTC", market="perp")], "btc_perp_1m")
    lake.write([bars(market="mark")], "ltc_mark_1h")
    lake.write([bars(480, step=NS_PER_MINUTE, market="mark")], "ltc_mark_1m")
    lake.write([funding()], "ltc_funding")
    lake.write([funding(asset="BTC")], "btc_funding")
    lake.write([funding(start=T0 + 365 * NS_PER_DAY)], "another_year")
    lake.write([open_interest(HOUR)], "a_oi_1h")
    lake.write([open_interest(5 * NS_PER_MINUTE)], "oi_5m")
    lake.write([open_interest(NS_PER_MINUTE, unit="contracts")], "oi_contracts")
    lake.write([liquidations([T0, T0 + HOUR], [1.0, 2.0])], "forced")
    found = {key: dataset.name for key, dataset in lake.companions(main).items()}
    assert found == {
        "btc": "btc_perp_1h",
        "funding": "ltc_funding",
        "open_interest": "oi_5m",
        "mark": "ltc_mark_1h",
        "liquidations": "forced",
    }
    assert "btc" not in lake.companions(lake.dataset("btc_perp_1h"))
    with pytest.raises(DataError, match="holds funding, not bars"):
        lake.companions(lake.dataset("ltc_funding"))

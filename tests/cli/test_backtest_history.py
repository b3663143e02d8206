"""The main job on real history: through the crash of 2021-05-19, and 20x as it usually ends."""

from __future__ import annotations

import json

import pytest

pytestmark = pytest.mark.history


@pytest.fixture
def imported(litehedge, history):
    def load(*names: str) -> None:
        done = litehedge("data", "import", *(history / f"{name}.parquet" for name in names))
        assert done.code == 0, done.err

    return load


def test_the_crash_of_may_2021(litehedge, imported, tmp_path):
    imported("ltc_spot_1m", "btc_spot_1m", "ltc_funding")
    report, told, journal = (tmp_path / name for name in ("out.html", "out.json", "out.journal"))
    result = litehedge(
        "backtest", "--data", "ltc_spot_1m", "--from", "2021-05-10", "--to", "2021-05-25",
        "--side", "long", "--leverage", 5, "--policy", "plugin",
        "--report", report, "--json", told, "--journal", journal,
    )  # fmt: skip
    assert result.code == 0, result.err
    page = json.loads(told.read_text())
    died = page["meta"]["liquidated"]
    assert "2021-05-19" in [moment[:10] for moment in died["unhedged"]]
    assert died["plugin"] == []
    rows = {row["policy"]: row for row in page["rows"]}
    assert rows["unhedged"]["worst"] == pytest.approx(-1.0)
    assert rows["plugin"]["worst"] > -1.0
    assert rows["plugin"]["cost_fees"] > 0.0
    increases = [
        d
        for d in page["decisions"]
        if d["recommendation"]["action"] == "increase" and d["order_id"]
    ]
    assert increases
    assert all("P(ruin" in d["recommendation"]["reason"] for d in increases)
    assert report.stat().st_size < 5_000_000
    again = litehedge("replay", journal, "--json")
    assert again.code == 0, again.err


def test_most_unhedged_20x_positions_die_within_a_week(litehedge, imported):
    """About 70 %, as a throwaway simulation with 1.5 % maintenance found; Binance asks for less."""
    imported("ltc_spot_5m", "ltc_funding")
    result = litehedge(
        "backtest", "--data", "ltc_spot_5m", "--from", "2024-01-01", "--to", "2025-05-01",
        "--episodes", "7d", "--every", "6h", "--leverage", 20, "--side", "both",
        "--compare", "unhedged,plugin", "--json", "-",
    )  # fmt: skip
    assert result.code == 0, result.err
    for side in ("long", "short"):
        rows = {r["policy"]: r for r in result.json["rows"] if r["side"] == side}
        assert rows["unhedged"]["episodes"] > 1_000
        assert 0.55 < rows["unhedged"]["liquidation_rate"] < 0.8
        assert rows["plugin"]["liquidation_rate"] < 0.1

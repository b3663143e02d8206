"""Chart options: golden where small, laws where large; always plain JSON without NaN."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import made
import numpy as np
import pytest

from litehedge.backtest import STATIC_GRID
from litehedge.hedge.band import Action
from litehedge.report import charts
from litehedge.report.axes import IN_PERCENT, IN_USDT, Option
from litehedge.report.metrics import Period, run_summary
from litehedge.report.style import AMBER, BLUE, RED
from litehedge.report.summary_charts import cost_chart, frontier_chart, monthly_chart
from litehedge.report.thin import MOST_POINTS
from litehedge.units import NS_PER_MS, instant_ns

CLOSES = np.array([100.0, 101.5, 99.25, 98.0, 97.5, 99.0])
TAPE = made.tape_of(CLOSES)
MS = (TAPE.end_ns // NS_PER_MS).tolist()
LONG = made.squeeze_at(TAPE, 1, 4, 5)
SHORT = made.squeeze_at(TAPE, 4, 5, 5, side="short", peak_price=99.5)


def named(option: Option, name: str) -> Option:
    """The series of that name."""
    (found,) = [one for one in option["series"] if one["name"] == name]
    return found


def column(option: Option, i: int) -> list[float | None]:
    return [row[i] for row in option["dataset"]["source"]]


def long_path(n: int = 60_000) -> tuple[np.ndarray, np.ndarray]:
    return made.T0 + 60 * 10**9 * np.arange(1, n + 1), made.wandering(n)


# --- price ------------------------------------------------------------------------------------


def test_price_is_golden() -> None:
    option = charts.price_chart(
        TAPE.end_ns, CLOSES, [LONG, SHORT], [charts.Liquidation(int(TAPE.end_ns[3]), 98.0)]
    )
    assert option["useUTC"] is True
    assert option["dataset"]["source"] == [list(row) for row in zip(MS, CLOSES, strict=True)]
    assert [one["name"] for one in option["series"]] == [
        "Price", "Long squeeze", "Short squeeze", "Liquidated",
    ]  # fmt: skip
    areas = named(option, "Price")["markArea"]["data"]
    assert [(a["xAxis"], b["xAxis"]) for a, b in areas] == [(MS[1], MS[4]), (MS[4], MS[5])]
    assert named(option, "Long squeeze")["data"] == [[MS[4], 97.5, -3.94]]
    assert named(option, "Short squeeze")["data"] == [[MS[5], 99.5, 2.05]]
    assert named(option, "Liquidated")["data"] == [[MS[3], 98.0]]
    assert named(option, "Price")["tooltip"] == {":valueFormatter": IN_USDT}


def test_squeezes_are_told_apart_by_shape_and_filling_not_by_colour() -> None:
    option = charts.price_chart(TAPE.end_ns, CLOSES, [LONG, SHORT], [])
    long, short = named(option, "Long squeeze"), named(option, "Short squeeze")
    assert long["symbol"] != short["symbol"]
    assert long["itemStyle"]["color"] == AMBER == short["itemStyle"]["borderColor"]
    assert [one["name"] for one in option["series"]][-1] != "Liquidated"


def test_a_long_price_is_thinned_and_keeps_its_extremes() -> None:
    end_ns, close = long_path()
    option = charts.price_chart(end_ns, close, [], [])
    drawn = column(option, 1)
    assert len(drawn) <= MOST_POINTS
    assert max(drawn) == pytest.approx(close.max(), abs=1e-4)
    assert min(drawn) == pytest.approx(close.min(), abs=1e-4)


# --- profit, drawdown, distance ---------------------------------------------------------------


def test_runs_share_their_bars_so_that_one_tooltip_tells_all() -> None:
    end_ns, close = long_path()
    option = charts.equity_chart(end_ns, {"plugin": close, "unhedged": -close, "oracle": 2 * close})
    assert [one["name"] for one in option["series"]] == ["plugin", "without hedge", "oracle"]
    assert [one["encode"]["y"] for one in option["series"]] == [1, 2, 3]
    assert len(column(option, 0)) <= MOST_POINTS
    for i, line in enumerate((close, -close, 2 * close), 1):
        assert max(column(option, i)) == pytest.approx(line.max(), abs=1e-2)
        assert min(column(option, i)) == pytest.approx(line.min(), abs=1e-2)


def test_without_hedge_is_dashed_and_the_chosen_run_blue() -> None:
    option = charts.equity_chart(TAPE.end_ns, {"plugin": CLOSES, "unhedged": CLOSES})
    chosen, naked = option["series"]
    assert chosen["lineStyle"]["color"] == BLUE
    assert "type" not in chosen["lineStyle"]
    assert naked["lineStyle"]["type"] == [5, 4]


def test_a_report_on_no_hedge_shows_it_as_the_chosen_run() -> None:
    option = charts.equity_chart(TAPE.end_ns, {"unhedged": CLOSES})
    assert option["series"][0]["name"] == "without hedge"
    assert option["series"][0]["lineStyle"]["color"] == BLUE


def test_a_drawdown_hangs_from_zero() -> None:
    option = charts.drawdown_chart(TAPE.end_ns, {"plugin": CLOSES - 101.5})
    assert option["yAxis"]["max"] == 0
    assert "areaStyle" in option["series"][0]


def test_distance_is_in_percent_and_says_where_danger_begins() -> None:
    distance = np.array([0.18, 0.15, 0.03, np.nan, np.nan, 1.0])
    option = charts.distance_chart(
        TAPE.end_ns, {"plugin": distance}, {"plugin": [int(TAPE.end_ns[3])]}
    )
    assert column(option, 1) == [18.0, 15.0, 3.0, None, None, 100.0]
    assert option["yAxis"]["max"] == 20.0
    danger = option["series"][0]["markArea"]["data"][0]
    assert danger == [{"yAxis": 0, "name": "danger: under 5%"}, {"yAxis": 5.0}]
    dead = named(option, "Liquidated: plugin")
    assert dead["data"] == [[MS[3], 0.0]]
    assert dead["itemStyle"]["color"] == RED


@pytest.mark.parametrize(
    ("distance", "roof"), [(0.05, 10.0), (0.4, 50.0), (0.7, 100.0), (np.nan, 100.0), (1.0, 100.0)]
)
def test_the_roof_of_the_distance_fits_what_is_near(distance: float, roof: float) -> None:
    option = charts.distance_chart(TAPE.end_ns, {"plugin": np.full(6, distance)}, {})
    assert option["yAxis"]["max"] == roof


# --- hedge ------------------------------------------------------------------------------------


def test_the_band_is_a_lower_edge_and_a_width_on_top_of_it() -> None:
    ratio, lo, hi = np.full(6, 0.5), np.full(6, 0.25), np.array([0.75] * 5 + [np.nan])
    option = charts.hedge_chart(TAPE.end_ns, ratio, lo, hi, [])
    assert column(option, 2)[0] == 25.0
    assert column(option, 4) == [50.0] * 5 + [None]
    lower, upper = named(option, "Band from"), named(option, "Band to")
    assert lower["stack"] == upper["stack"]
    assert (lower["encode"]["y"], upper["encode"]["y"]) == (2, 4)
    assert upper["encode"]["tooltip"] == [3]
    assert "areaStyle" in upper
    assert named(option, "Hedge ratio")["tooltip"] == {":valueFormatter": IN_PERCENT}


def test_decisions_are_points_of_three_shapes() -> None:
    times = TAPE.end_ns.tolist()
    moves = charts.moves_of(
        [
            made.decision_at(times[0], Action.MAINTAIN, 0.0, 0.0),
            made.decision_at(times[1], Action.INCREASE, 0.0, 0.5),
            made.decision_at(times[2], Action.DECREASE, 0.5, 0.25),
            made.decision_at(times[3], Action.DECREASE, 0.5, 0.0, refused=True),
        ]
    )
    assert [move.kind for move in moves] == ["increase", "decrease", "refused"]
    option = charts.hedge_chart(TAPE.end_ns, *np.zeros((3, 6)), moves)
    drawn = [named(option, name) for name in ("Increase", "Decrease", "Refused")]
    assert [one["data"] for one in drawn] == [[[MS[1], 50.0]], [[MS[2], 25.0]], [[MS[3], 0.0]]]
    assert len({one["symbol"] for one in drawn}) == 3


def test_very_many_decisions_are_thinned() -> None:
    times = made.T0 + np.arange(10_000) * 10**9
    moves = [charts.Move(int(t), "increase", 0.5) for t in times]
    option = charts.hedge_chart(TAPE.end_ns, *np.zeros((3, 6)), moves)
    assert len(named(option, "Increase")["data"]) <= MOST_POINTS


# --- figures ----------------------------------------------------------------------------------


def test_costs_stack_and_what_was_received_is_negative() -> None:
    chosen = made.settings()
    s = run_summary(made.run_of(TAPE, chosen, fees_usdt=3.0), TAPE, chosen)
    option = cost_chart([replace(s, funding_usdt=-1.5), replace(s, policy="other")])
    assert option["yAxis"]["data"] == ["plugin", "other"]
    assert named(option, "Fees")["data"] == [3.0, 3.0]
    assert named(option, "Funding")["data"] == [-1.5, 0.0]
    assert {one["stack"] for one in option["series"]} == {"cost"}


def test_months_lie_in_rows_of_years_that_end_with_their_sum() -> None:
    months = [
        Period(instant_ns(start), 1000 * share, share)
        for start, share in (("2023-12-01", -0.5), ("2024-01-01", 0.1), ("2024-03-01", 0.15))
    ]
    option = monthly_chart(months)
    assert option["yAxis"]["data"] == ["2023", "2024"]
    assert option["xAxis"]["data"][-1] == "Year"
    cells = {(x, y): v for x, y, v in option["series"][0]["data"]}
    assert cells == {(11, 0): -50.0, (12, 0): -50.0, (0, 1): 10.0, (2, 1): 15.0, (12, 1): 25.0}
    assert (option["visualMap"]["min"], option["visualMap"]["max"]) == (-50.0, 50.0)


def test_every_policy_stands_on_the_frontier() -> None:
    comparison = made.comparison_of()
    option = frontier_chart(comparison, "plugin", "liquidation_rate")
    curve = option["series"][0]
    assert len(curve["data"]) == STATIC_GRID.size
    assert curve["data"][0] == [0.0, 30.0]
    points = {p["name"]: p for one in option["series"][2:] for p in one["data"]}
    assert set(points) == {"unhedged", "static-50", "plugin", "oracle"}
    row = comparison.rows[2]
    assert points["plugin"]["value"][:2] == [
        round(100 * row["avg_hedge"], 2), round(100 * row["liquidation_rate"], 3),
    ]  # fmt: skip
    assert points["plugin"]["label"]["formatter"] == "plugin"
    assert "ceiling" in named(option, "Oracle: the ceiling")["name"]


def test_an_oracle_off_the_chart_stands_at_its_edge_with_its_figure() -> None:
    comparison = made.comparison_of()
    comparison.rows[3]["mean_return"] = 0.9
    option = frontier_chart(comparison, "plugin", "mean_return")
    (point,) = named(option, "Oracle: the ceiling")["data"]
    assert point["value"][1] == option["yAxis"]["max"] < 90.0
    assert point["value"][2] == 90.0
    assert point["label"]["formatter"] == "oracle +90.0%, off the chart"


@pytest.mark.parametrize(("hedge", "end"), [(0.1, 25.0), (0.3, 50.0), (0.49, 100.0)])
def test_the_hedge_axis_ends_where_the_policies_do(hedge: float, end: float) -> None:
    comparison = made.comparison_of(["unhedged", "static-50", "plugin"])
    comparison.rows[1]["avg_hedge"] = 0.5
    comparison.rows[2]["avg_hedge"] = hedge
    option = frontier_chart(comparison, "plugin", "mean_return")
    assert option["xAxis"]["max"] == end
    points = {p["name"] for one in option["series"][2:] for p in one["data"]}
    assert ("static-50" in points) == (end >= 50.0)


def test_a_policy_without_figures_is_left_out() -> None:
    comparison = made.comparison_of()
    comparison.rows[0]["avg_hedge"] = float("nan")
    option = frontier_chart(comparison, "plugin", "liquidation_rate")
    assert "unhedged" not in json.dumps(option, allow_nan=False)


# --- laws of all ------------------------------------------------------------------------------

HOLED = np.array([np.nan, 1.0, np.nan, np.inf, 2.0, np.nan])
ALL: dict[str, Callable[[], Option]] = {
    "price": lambda: charts.price_chart(TAPE.end_ns, HOLED, [LONG, SHORT], []),
    "equity": lambda: charts.equity_chart(TAPE.end_ns, {"a": HOLED, "unhedged": HOLED}),
    "drawdown": lambda: charts.drawdown_chart(TAPE.end_ns, {"a": HOLED}),
    "distance": lambda: charts.distance_chart(TAPE.end_ns, {"a": HOLED}, {}),
    "hedge": lambda: charts.hedge_chart(TAPE.end_ns, HOLED, HOLED, CLOSES, []),
    "rate": lambda: frontier_chart(made.comparison_of(episodes=3), "plugin", "liquidation_rate"),
    "return": lambda: frontier_chart(made.comparison_of(episodes=3), "plugin", "mean_return"),
    "months": lambda: monthly_chart([Period(made.T0, 0.0, 0.0)]),
}


@pytest.mark.parametrize("name", ALL)
def test_options_are_json_without_nan(name: str) -> None:
    json.dumps(ALL[name](), allow_nan=False)


@pytest.mark.parametrize("name", ALL)
def test_options_do_not_share_state(name: str) -> None:
    spoiled = ALL[name]()
    for value in spoiled.values():
        if isinstance(value, dict):
            _spoil(value)
    assert "spoiled" not in json.dumps(ALL[name]())


def _spoil(value: dict[str, Any]) -> None:
    for inner in value.values():
        if isinstance(inner, dict):
            _spoil(inner)
    value["spoiled"] = True


@pytest.mark.parametrize("name", ["price", "equity", "drawdown", "distance", "hedge"])
def test_time_is_in_utc_and_a_finger_can_scroll_past(name: str) -> None:
    option = ALL[name]()
    assert option["useUTC"] is True
    assert "UTC" in option["xAxis"]["axisPointer"]["label"][":formatter"]
    inside, slider = option["dataZoom"]
    assert inside["moveOnMouseMove"] is inside["preventDefaultMouseMove"] is False
    assert slider["type"] == "slider"


@pytest.mark.parametrize("name", [name for name in ALL if name != "months"])
def test_a_legend_names_each_series_once_and_makes_room_on_a_phone(name: str) -> None:
    option = ALL[name]()
    entries = [entry["name"] for entry in option["legend"]["data"]]
    assert set(entries) == {one["name"] for one in option["series"]}
    assert len(entries) == len(set(entries))
    narrow, wide = option["media"]
    assert narrow["query"] == {"maxWidth": 520}
    assert wide["option"]["grid"]["top"] == option["grid"]["top"]

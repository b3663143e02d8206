"""Charts of figures instead of paths: costs, months, and the cost-protection frontier."""

from __future__ import annotations

import calendar
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final, Literal

from litehedge.backtest import STATIC_GRID
from litehedge.report.axes import IN_USDT, Option, base, marks, value_axis, with_legend
from litehedge.report.metrics import Comparison, Period, RunSummary
from litehedge.report.style import AMBER, BLUE, CARD, DIM, INK, LINE, RED, TEAL
from litehedge.units import NS_PER_SECOND

MONTHS: Final = tuple(calendar.month_abbr[1:])
ORACLE: Final = "oracle"
_SIGNED = "p => (p.value[2] > 0 ? '+' : '') + p.value[2].toFixed(1) + '%'"
_AT_HEDGE = "v => v[1].toFixed(1) + '% at ' + v[0].toFixed(1) + '% average hedge'"

Measure = Literal["liquidation_rate", "mean_return"]
MEASURES: Final[dict[Measure, str]] = {
    "liquidation_rate": "Liquidated",
    "mean_return": "Mean return",
}


def cost_chart(summaries: Sequence[RunSummary]) -> Option:
    """Draw what each run paid in USDT; what it received is negative."""
    option = base()
    option["grid"] = {"left": 96, "right": 24, "top": 36, "bottom": 28}
    option["tooltip"] |= {"trigger": "axis", "axisPointer": {"type": "shadow"}}
    option["xAxis"] = value_axis(axisLabel={"color": DIM, "fontSize": 11})
    option["yAxis"] = value_axis(
        type="category", inverse=True, data=[s.policy for s in summaries],
        axisLabel={"color": INK, "fontSize": 12}, splitLine={"show": False},
    )  # fmt: skip
    parts = (
        ("Fees", BLUE, [s.fees_usdt for s in summaries]),
        ("Slippage", TEAL, [s.slippage_usdt for s in summaries]),
        ("Funding", DIM, [s.funding_usdt for s in summaries]),
        ("Liquidation clearance", RED, [s.clearance_usdt for s in summaries]),
    )
    option["series"] = [
        {
            "type": "bar", "name": name, "stack": "cost", "barMaxWidth": 22,
            "itemStyle": {"color": colour, "borderColor": CARD, "borderWidth": 1},
            "tooltip": {":valueFormatter": IN_USDT},
            "data": [round(amount, 2) for amount in amounts],
        }
        for name, colour, amounts in parts
    ]  # fmt: skip
    return option


def monthly_chart(months: Sequence[Period]) -> Option:
    """Draw the profit of each month in percent of one wallet, a row per year with its sum."""
    cells: dict[tuple[int, int], float] = {}
    for month in months:
        when = datetime.fromtimestamp(month.start_ns // NS_PER_SECOND, tz=UTC)
        cells[when.year, when.month - 1] = 100.0 * month.share
        cells[when.year, 12] = cells.get((when.year, 12), 0.0) + 100.0 * month.share
    years = sorted({year for year, _ in cells})
    most = max(1e-9, *(abs(v) for (_, column), v in cells.items() if column < 12))
    option = base()
    del option["legend"]
    option["grid"] = {"left": 44, "right": 8, "top": 28, "bottom": 8}
    option["xAxis"] = _heat_axis([*MONTHS, "Year"], position="top")
    option["yAxis"] = _heat_axis([str(year) for year in years], inverse=True)
    option["tooltip"]["show"] = False
    option["visualMap"] = {
        "show": False, "min": -round(most, 2), "max": round(most, 2), "dimension": 2,
        "inRange": {"color": ["#b8741a", "#5a4426", CARD, "#27446e", "#3d7bd9"]},
    }  # fmt: skip
    option["series"] = [
        {
            "type": "heatmap",
            "name": "Profit and loss",
            "data": [[m, years.index(y), round(v, 2)] for (y, m), v in cells.items()],
            "itemStyle": {"borderColor": LINE, "borderWidth": 1},
            "label": {"show": True, "color": INK, "fontSize": 11, ":formatter": _SIGNED},
            "emphasis": {"disabled": True},
        }
    ]
    return option


def _heat_axis(data: list[str], **more: Any) -> Option:
    return value_axis(type="category", data=data, splitLine={"show": False}, **more)


def frontier_chart(comparison: Comparison, chosen: str, measure: Measure) -> Option:
    """Draw every policy over its average hedge, beside the static hedges that cost nothing.

    `measure` is the height: the liquidation rate or the mean return per episode, in percent.
    """
    statics = (
        comparison.static_liquidation_rates
        if measure == "liquidation_rate"
        else comparison.static_mean_returns
    )
    option = base()
    option["grid"] = {"left": 56, "right": 20, "top": 36, "bottom": 52}
    percent_labels = {"color": DIM, "fontSize": 11, "formatter": "{value}%"}
    option["xAxis"] = value_axis(
        name="average hedge", nameLocation="middle", nameGap=30, min=0, max=100,
        axisLabel=percent_labels,
    )  # fmt: skip
    option["yAxis"] = value_axis(axisLabel=percent_labels, name=MEASURES[measure])
    curve = [
        [round(100.0 * h, 1), round(100.0 * v, 3)]
        for h, v in zip(STATIC_GRID.tolist(), statics.tolist(), strict=True)
    ]
    series = [
        {
            "type": "line", "name": "Less leverage (static hedge)", "data": curve,
            "showSymbol": False, "lineStyle": {"color": DIM, "width": 1.5, "type": [5, 4]},
            "itemStyle": {"color": DIM}, "tooltip": {":valueFormatter": _AT_HEDGE},
            "emphasis": {"disabled": True},
        },
        _whiskers(comparison, measure),
        *_policy_points(comparison, chosen, measure),
    ]  # fmt: skip
    return with_legend(option, series)


def _whiskers(comparison: Comparison, measure: Measure) -> Option:
    """Draw the intervals as upright lines; they break between policies."""
    data: list[list[float | None]] = []
    for row, interval in zip(comparison.rows, comparison.intervals, strict=True):
        low, high = getattr(interval, measure)
        if low == low and not _is_static(row["policy"]):
            x = round(100.0 * row["avg_hedge"], 2)
            data += [[x, round(100.0 * low, 3)], [x, round(100.0 * high, 3)], [x, None]]
    return {
        "type": "line", "name": "90% interval", "data": data, "showSymbol": False,
        "lineStyle": {"color": INK, "width": 1, "opacity": 0.7}, "itemStyle": {"color": INK},
        "silent": True, "tooltip": {"show": False}, "emphasis": {"disabled": True}, "z": 3,
    }  # fmt: skip


def _policy_points(comparison: Comparison, chosen: str, measure: Measure) -> list[Option]:
    groups: dict[str, list[Option]] = {"chosen": [], "others": [], "oracle": [], "statics": []}
    for row in comparison.rows:
        policy = row["policy"]
        x, y = round(100.0 * row["avg_hedge"], 2), round(100.0 * row[measure], 3)
        label = {"position": "left" if x > 70.0 else "right"}
        point = {"name": policy, "value": [x, y], "label": label}
        if policy == chosen:
            groups["chosen"].append(point)
        elif policy == ORACLE:
            groups["oracle"].append(point | {"name": "oracle (ceiling)"})
        else:
            groups["statics" if _is_static(policy) else "others"].append(point)
    looks = (
        ("statics", "Static policies", "rect", DIM, 5),
        ("others", "Policies", "circle", TEAL, 9),
        ("oracle", "Oracle: the ceiling", "diamond", AMBER, 12),
        ("chosen", chosen, "circle", BLUE, 13),
    )
    return [
        marks(
            name, symbol, colour, groups[key], _AT_HEDGE, symbolSize=size,
            label={"show": True, "formatter": "{b}", "color": DIM if key == "statics" else INK,
                   "fontSize": 11, "distance": 6},
            labelLayout={"moveOverlap": "shiftY"},
        )
        for key, name, symbol, colour, size in looks
        if groups[key]
    ]  # fmt: skip


def _is_static(policy: str) -> bool:
    return policy.startswith("static-")

"""Charts of figures instead of paths: costs, months, and the cost-protection frontier."""

from __future__ import annotations

import calendar
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final, Literal, NamedTuple

from litehedge.backtest import STATIC_GRID
from litehedge.report.axes import IN_USDT, Option, base, clean, marks, value_axis, with_legend
from litehedge.report.metrics import Comparison, ComparisonRow, Period, RunSummary
from litehedge.report.placing import placed_labels, round_ends
from litehedge.report.style import AMBER, BLUE, CARD, DIM, INK, LINE, RED, TEAL, percent
from litehedge.units import NS_PER_SECOND

MONTHS: Final = tuple(calendar.month_abbr[1:])
ORACLE: Final = "oracle"
STATIC: Final = "Static hedge (free)"
PLOT_PX: Final = (250.0, 230.0)
"""Size of a frontier's plot on the narrowest phone."""

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
    series: list[Option] = [
        {
            "type": "bar", "name": name, "stack": "cost", "barMaxWidth": 22,
            "itemStyle": {"color": colour, "borderColor": CARD, "borderWidth": 1},
            "tooltip": {":valueFormatter": IN_USDT},
            "data": [round(amount, 2) for amount in amounts],
        }
        for name, colour, amounts in parts
    ]  # fmt: skip
    return with_legend(option, series)


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


def frontier_chart(
    comparison: Comparison, chosen: str, measure: Measure, lines: Sequence[Option] = ()
) -> Option:
    """Draw every policy over its average hedge, beside the static hedges that cost nothing.

    `lines` are further series, of families of policies, drawn below the points.

    `measure` is the height: the liquidation rate or the mean return per episode, in percent. The
    axes fit the policies; an oracle beyond them stands at their edge with its figure.
    """
    statics = (
        comparison.static_liquidation_rates
        if measure == "liquidation_rate"
        else comparison.static_mean_returns
    )
    curve = [
        [round(100.0 * h, 1), clean(100.0 * v, 3)]
        for h, v in zip(STATIC_GRID.tolist(), statics.tolist(), strict=True)
    ]
    whiskers = _whiskers(comparison, measure)
    heights = [y for _, y in curve + whiskers if y is not None]
    heights += [100.0 * r[measure] for r in comparison.rows if r["policy"] != ORACLE]
    if measure == "liquidation_rate":
        heights.append(0.0)
    low, high = round_ends(*_ends(heights))
    reach = _reach(comparison)
    option = base()
    option["grid"] = {"left": 52, "right": 20, "top": 56, "bottom": 52}
    percent_labels = {"color": DIM, "fontSize": 11, "formatter": "{value}%"}
    option["xAxis"] = value_axis(
        name="average hedge", nameLocation="middle", nameGap=30, min=0, max=100.0 * reach,
        axisLabel=percent_labels,
    )  # fmt: skip
    option["yAxis"] = value_axis(axisLabel=percent_labels, min=low, max=high)
    series = [
        _plain_line(STATIC, curve, DIM, {"type": [5, 4], "width": 1.5}),
        *lines,
        _plain_line("90% interval", whiskers, INK, {"width": 1, "opacity": 0.6}),
        *_policy_points(comparison, chosen, measure, low, high, reach),
    ]
    return with_legend(option, series)


def _reach(comparison: Comparison) -> float:
    """Return the end of the hedge axis: the least of 25, 50, 100 % that holds the policies."""
    hedges = [r["avg_hedge"] for r in comparison.rows if not _is_static(r["policy"])]
    most = max((h for h in hedges if h == h), default=1.0)
    return next(end for end in (0.25, 0.5, 1.0) if 1.1 * most <= end or end == 1.0)


def _ends(heights: Sequence[float]) -> tuple[float, float]:
    known = [y for y in heights if y == y]
    return (min(known), max(known)) if known else (0.0, 0.0)


def _plain_line(name: str, data: list[list[float | None]], colour: str, look: Option) -> Option:
    return {
        "type": "line", "name": name, "data": data, "symbol": "none", "silent": True,
        "lineStyle": {"color": colour} | look, "itemStyle": {"color": colour},
        "tooltip": {"show": False}, "emphasis": {"disabled": True},
    }  # fmt: skip


def _whiskers(comparison: Comparison, measure: Measure) -> list[list[float | None]]:
    """Return the intervals as upright lines that break between policies."""
    data: list[list[float | None]] = []
    for row, interval in zip(comparison.rows, comparison.intervals, strict=True):
        low, high = getattr(interval, measure)
        if row["policy"] != ORACLE and not _is_static(row["policy"]):
            x = clean(100.0 * row["avg_hedge"], 2)
            data += [[x, clean(100.0 * low, 3)], [x, clean(100.0 * high, 3)], [x, None]]
    return data


class _Group(NamedTuple):
    """How one kind of policy is drawn."""

    name: str
    symbol: str
    colour: str
    size: int


def _policy_points(
    comparison: Comparison, chosen: str, measure: Measure, low: float, high: float, reach: float
) -> list[Option]:
    groups = {
        "chosen": _Group(chosen, "circle", BLUE, 13),
        "oracle": _Group("Oracle: the ceiling", "diamond", AMBER, 12),
        "others": _Group("Policies", "circle", TEAL, 9),
        "statics": _Group(STATIC, "rect", DIM, 6),
    }
    names = list(groups)
    rows = [
        (_kind(row["policy"], chosen), row)
        for row in comparison.rows
        if row["avg_hedge"] <= reach and row[measure] == row[measure]
    ]
    rows.sort(key=lambda pair: names.index(pair[0]))
    texts = [_point_text(row, measure, high) for _, row in rows]
    spots = [
        (row["avg_hedge"] / reach, (high - min(100.0 * row[measure], high)) / (high - low))
        for _, row in rows
    ]
    places = placed_labels(spots, texts, PLOT_PX[0], PLOT_PX[1])
    data: dict[str, list[Option]] = {name: [] for name in names}
    for (kind, row), text, place in zip(rows, texts, places, strict=True):
        y = min(100.0 * row[measure], high)
        label = {"position": place.position, "offset": [0, place.down_px], "formatter": text}
        value = [round(100.0 * row["avg_hedge"], 2), round(y, 3), round(100.0 * row[measure], 3)]
        data[kind].append({"name": row["policy"], "value": value, "label": label})
    return [
        marks(
            group.name, group.symbol, group.colour, data[kind], _AT_HEDGE,
            symbolSize=group.size, encode={"x": 0, "y": 1, "tooltip": [0, 2]},
            label={"show": kind != "statics", "color": INK, "fontSize": 11, "distance": 4},
        )
        for kind, group in groups.items()
        if data[kind]
    ]  # fmt: skip


def _kind(policy: str, chosen: str) -> str:
    if policy == chosen:
        return "chosen"
    if policy == ORACLE:
        return "oracle"
    return "statics" if _is_static(policy) else "others"


def _point_text(row: ComparisonRow, measure: Measure, high: float) -> str:
    policy = row["policy"]
    if policy != ORACLE:
        return "" if _is_static(policy) else policy
    beyond = 100.0 * row[measure] > high
    return f"oracle {percent(row[measure], signed=True)}, off the chart" if beyond else "oracle"


def _is_static(policy: str) -> bool:
    return policy.startswith("static-")

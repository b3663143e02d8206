"""What all charts have in common: axes, legend, tooltip, zoom, and rows of data.

Options are plain dicts for ECharts 6. A key that starts with a colon holds JavaScript instead of
a value, as NiceGUI has it; those are constants here, never text from outside.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from litehedge.report.style import BLUE, CARD, DIM, FONT, INK, LINE, OLIVE, ROSE, TEAL, VIOLET
from litehedge.report.thin import kept_bars, outages
from litehedge.units import NS_PER_MS

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Option = dict[str, Any]

UNHEDGED: Final = "unhedged"
OTHERS: Final = (TEAL, VIOLET, ROSE, OLIVE)

_FIXED = "toLocaleString('en-US', {minimumFractionDigits: 1, maximumFractionDigits: 1})"
IN_PERCENT: Final = f"v => v == null || isNaN(v) ? 'n/a' : v.{_FIXED} + '%'"
IN_USDT: Final = (
    "v => v == null || isNaN(v) ? 'n/a' : v.toLocaleString('en-US', "
    "{minimumFractionDigits: 2, maximumFractionDigits: 2}) + ' USDT'"
)
_MINUTE = (
    "p => typeof p.value === 'number' "
    "? new Date(p.value).toISOString().slice(0, 16).replace('T', ' ') + ' UTC' : p.value"
)


_NARROW_PX: Final = 520
_PHONE_PX: Final = 330.0
_TIME_LABELS: Final = {
    "year": "{yyyy}",
    "month": "{MMM} {yyyy}",
    "day": "{d} {MMM}",
    "hour": "{HH}:{mm}",
    "minute": "{HH}:{mm}",
    "second": "{HH}:{mm}:{ss}",
}


def milliseconds(time_ns: int) -> int:
    """Return a time as ECharts counts it."""
    return int(time_ns) // NS_PER_MS


def clean(value: float, digits: int) -> float | None:
    """Round a value for a chart; what is not a number becomes a gap."""
    return round(value, digits) if math.isfinite(value) else None


def dataset(
    end_ns: Ints, columns: Sequence[Floats], digits: int, derived: Sequence[Floats] = ()
) -> Option:
    """Return a dataset with rows of (milliseconds, columns, derived columns), thinned.

    The extremes of `columns` stay; `derived` are shown at the same bars. Lines break where data
    are missing for long. Shapes: all ``(bar,)``.
    """
    breaks = outages(end_ns)
    kept = kept_bars(np.stack(list(columns)), breaks)
    times = (end_ns[kept] // NS_PER_MS).tolist()
    shown = [[clean(v, digits) for v in column[kept].tolist()] for column in (*columns, *derived)]
    rows: list[list[float | None]] = []
    for bar, row in zip(kept.tolist(), zip(times, *shown, strict=True), strict=True):
        rows.append(list(row))
        if bar in breaks:
            rows.append([row[0] + 1, *(None for _ in shown)])
    return {"source": rows}


def base() -> Option:
    """Return the part of an option that every chart shares."""
    return {
        "backgroundColor": "transparent",
        "animation": False,
        "useUTC": True,
        "textStyle": {"color": INK, "fontFamily": FONT},
        "legend": {
            "top": 0, "left": 0, "itemWidth": 16, "itemHeight": 10,
            "itemGap": 16, "textStyle": {"color": INK, "fontSize": 12},
            "inactiveColor": LINE,
        },
        "tooltip": {
            "trigger": "item", "confine": True, "backgroundColor": CARD, "borderColor": LINE,
            "borderWidth": 1, "textStyle": {"color": INK, "fontSize": 12},
        },
    }  # fmt: skip


def value_axis(**more: Any) -> Option:
    """Return an axis of numbers in the house look."""
    return {
        "type": "value",
        "axisLine": {"show": False},
        "axisTick": {"show": False},
        "axisLabel": {"color": DIM, "fontSize": 11},
        "nameTextStyle": {"color": DIM, "fontSize": 11},
        "splitLine": {"lineStyle": {"color": LINE, "width": 1}},
    } | more


def time_chart(y_axis: Option, **more: Any) -> Option:
    """Return an option over a time axis in UTC that can be zoomed."""
    option = base()
    option["grid"] = {"left": 56, "right": 16, "top": 36, "bottom": 56}
    option["tooltip"] |= {"trigger": "axis", "axisPointer": {"lineStyle": {"color": DIM}}}
    option["xAxis"] = {
        "type": "time",
        "axisLine": {"lineStyle": {"color": LINE}},
        "axisTick": {"show": False},
        "axisLabel": {
            "color": DIM,
            "fontSize": 11,
            "hideOverlap": True,
            "formatter": dict(_TIME_LABELS),
        },
        "splitLine": {"show": False},
        "axisPointer": {"label": {":formatter": _MINUTE}},
    }
    option["yAxis"] = y_axis
    option["dataZoom"] = [
        {"type": "inside", "zoomOnMouseWheel": "ctrl", "moveOnMouseMove": False,
         "preventDefaultMouseMove": False},
        {"type": "slider", "height": 20, "bottom": 4, "showDetail": False, "brushSelect": False,
         "borderColor": LINE, "backgroundColor": "transparent", "fillerColor": "#5b9cf622",
         "handleStyle": {"color": CARD, "borderColor": DIM}, "moveHandleSize": 0,
         "dataBackground": {"lineStyle": {"color": LINE}, "areaStyle": {"color": LINE}},
         "selectedDataBackground": {"lineStyle": {"color": DIM}, "areaStyle": {"color": LINE}}},
    ]  # fmt: skip
    return option | more


def line(name: str, column: int, colour: str, formatter: str, **more: Any) -> Option:
    """Return a line series over `column` of the dataset."""
    return {
        "type": "line",
        "name": name,
        "encode": {"x": 0, "y": column, "tooltip": [column]},
        "symbol": "none",
        "lineStyle": {"color": colour, "width": 1.5},
        "itemStyle": {"color": colour},
        "emphasis": {"disabled": True},
        "tooltip": {":valueFormatter": formatter},
    } | more


def with_legend(option: Option, series: list[Option]) -> Option:
    """Return the option with its series, and a legend that shows each as it is drawn.

    On a narrow screen the legend breaks into lines, and the chart below makes room for them.
    """
    entries: dict[str, Option] = {}
    for one in series:
        icon: Option = {}
        if one["type"] == "line":
            is_dashed = "type" in one["lineStyle"]
            icon = {"icon": _AREA if "areaStyle" in one else _DASHES if is_dashed else _STROKE}
        entries.setdefault(one["name"], {"name": one["name"]} | icon)
    rows = _legend_rows(list(entries))
    narrow = {"grid": {"top": 16 + 20 * rows}}
    wide = {"grid": {"top": option["grid"]["top"]}}
    return option | {
        "series": series,
        "legend": option["legend"] | {"data": list(entries.values())},
        "media": [{"query": {"maxWidth": _NARROW_PX}, "option": narrow}, {"option": wide}],
    }


def _legend_rows(names: Sequence[str]) -> int:
    """Count the lines of a legend on the narrowest phone, from the usual width of a letter."""
    rows, used = 1, 0.0
    for name in names:
        width = 38.0 + 6.8 * len(name)
        if used > 0.0 and used + width > _PHONE_PX:
            rows, used = rows + 1, 0.0
        used += width
    return rows


def run_line(name: str, column: int, formatter: str, **more: Any) -> Option:
    """Return the line of one run: the first is blue, the one without hedge grey and dashed."""
    if column > 1 and name == UNHEDGED:
        look = {"lineStyle": {"color": DIM, "width": 1.5, "type": [5, 4]}}
        return line("without hedge", column, DIM, formatter, **look, **more)
    if column == 1:
        shown = "without hedge" if name == UNHEDGED else name
        return line(shown, column, BLUE, formatter, **more)
    colour = OTHERS[column % len(OTHERS)]
    return line(name, column, colour, formatter, lineStyle={"color": colour, "width": 1}, **more)


def marks(
    name: str, symbol: str, colour: str, data: Sequence[Any], formatter: str, **more: Any
) -> Option:
    """Return a series of points, told apart by shape as well as by colour."""
    return {
        "type": "scatter",
        "name": name,
        "symbol": symbol,
        "symbolSize": 9,
        "data": list(data),
        "itemStyle": {"color": colour, "borderColor": CARD, "borderWidth": 1},
        "tooltip": {":valueFormatter": formatter},
        "z": 5,
    } | more


_STROKE: Final = "path://M0,8 L24,8 L24,10.5 L0,10.5 Z"
_DASHES: Final = "path://M0,8 L10,8 L10,10.5 L0,10.5 Z M14,8 L24,8 L24,10.5 L14,10.5 Z"
_AREA: Final = "roundRect"
CROSS: Final = "path://M0,2 L2,0 L6,4 L10,0 L12,2 L8,6 L12,10 L10,12 L6,8 L2,12 L0,10 L4,6 Z"
UP: Final = "triangle"
DOWN: Final = "path://M0,0 L10,0 L5,9 Z"

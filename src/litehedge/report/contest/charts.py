"""Charts of a contest: worst weeks over mean, cost, kinds of market; and the frontier as an SVG."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from litehedge.report.axes import Option, base, clean, marks, value_axis, with_legend
from litehedge.report.contest.families import PLUGIN, RULE, Trace, envelope
from litehedge.report.contest.judge import Cell
from litehedge.report.contest.words import is_judged, title_of
from litehedge.report.style import (
    AMBER,
    BLUE,
    CARD,
    DIM,
    FONT,
    INK,
    LINE,
    RED,
    TEAL,
    VIOLET,
    percent,
)

Floats = NDArray[np.float64]

COLOURS: Final = {RULE: AMBER, PLUGIN: VIOLET}
NAMES: Final = {RULE: "Volatility rule, best mixtures", PLUGIN: "Plug-in, over its risk"}
ORACLE: Final = "oracle"
_AT_TAIL = "v => v[1].toFixed(1) + '% mean, worst 5%: ' + v[0].toFixed(1) + '%'"
_AT_COST = "v => v == null || isNaN(v) ? 'n/a' : v.toFixed(2) + '% of the wallet'"
_IN_CELL = "p => p.value[2].toFixed(1) + '%'"


def _labels() -> Option:
    return {"color": DIM, "fontSize": 11, "formatter": "{value}%"}


def curve_of(one: Trace) -> list[tuple[float, float]]:
    """Return average hedge and liquidation rate along a family: the rule's envelope, the others."""
    if one.family == RULE:
        places = envelope(one.hedge, one.figures["liquidation_rate"])
    else:
        places = np.argsort(one.hedge, kind="stable")
    return [
        (float(one.hedge[i]), float(one.figures["liquidation_rate"][i])) for i in places.tolist()
    ]


def family_lines(cell: Cell) -> list[Option]:
    """Return the families as lines for the chart of liquidation rate over average hedge."""
    return [
        {
            "type": "line", "name": NAMES.get(one.family, one.family), "symbol": "none",
            "silent": True,
            "data": [[clean(100 * h, 2), clean(100 * r, 3)] for h, r in curve_of(one)],
            "lineStyle": {"color": COLOURS.get(one.family, TEAL), "width": 1.5},
            "itemStyle": {"color": COLOURS.get(one.family, TEAL)},
            "tooltip": {"show": False}, "emphasis": {"disabled": True},
        }
        for one in cell.families
    ]  # fmt: skip


def tail_chart(cell: Cell, chosen: str) -> Option:
    """Draw the mean return over the mean of the worst 5 %, in percent, beside static hedges.

    The oracle is left out: its mean is on another scale.
    """
    option = base()
    option["grid"] = {"left": 52, "right": 20, "top": 56, "bottom": 52}
    option["xAxis"] = value_axis(
        name="mean of the worst 5%", nameLocation="middle", nameGap=30, scale=True,
        axisLabel=_labels(),
    )  # fmt: skip
    option["yAxis"] = value_axis(axisLabel=_labels(), scale=True)
    order = np.argsort(cell.statics.hedge, kind="stable").tolist()
    statics = [
        [clean(100 * cell.statics.figures["cvar5"][i], 2),
         clean(100 * cell.statics.figures["mean_return"][i], 3)]
        for i in order
    ]  # fmt: skip
    series: list[Option] = [
        {
            "type": "line", "name": "Static hedge (free)", "data": statics, "symbol": "none",
            "silent": True, "lineStyle": {"color": DIM, "type": [5, 4], "width": 1.5},
            "itemStyle": {"color": DIM}, "tooltip": {"show": False},
            "emphasis": {"disabled": True},
        }
    ]  # fmt: skip
    for name, symbol, colour, size in (
        (chosen, "circle", BLUE, 13), ("Policies", "circle", TEAL, 9),
    ):  # fmt: skip
        points = [
            {
                "name": r["policy"],
                "value": [clean(100 * r["cvar5"], 2), clean(100 * r["mean_return"], 3)],
                "label": {"formatter": r["policy"], "position": "top"},
            }
            for r in cell.rows
            if is_judged(r["policy"])
            and r["policy"] != ORACLE
            and (r["policy"] == chosen) == (name == chosen)
        ]
        if points:
            series.append(
                marks(
                    name, symbol, colour, points, _AT_TAIL, symbolSize=size,
                    label={"show": True, "color": INK, "fontSize": 11},
                )
            )  # fmt: skip
    return with_legend(option, series)


def cost_bars(cell: Cell) -> Option:
    """Draw what each policy paid per episode in percent of the wallet; received is negative."""
    rows = [r for r in cell.rows if is_judged(r["policy"]) or r["policy"] == "unhedged"]
    option = base()
    option["grid"] = {"left": 110, "right": 24, "top": 36, "bottom": 28}
    option["tooltip"] |= {"trigger": "axis", "axisPointer": {"type": "shadow"}}
    option["xAxis"] = value_axis(axisLabel=_labels())
    option["yAxis"] = value_axis(
        type="category", inverse=True, data=[r["policy"] for r in rows],
        axisLabel={"color": INK, "fontSize": 12}, splitLine={"show": False},
    )  # fmt: skip
    parts: tuple[tuple[str, str, list[float]], ...] = (
        ("Fees", BLUE, [r["cost_fees"] - r["cost_clearance"] for r in rows]),
        ("Slippage", TEAL, [r["cost_slippage"] for r in rows]),
        ("Funding", DIM, [r["cost_funding"] for r in rows]),
        ("Liquidation clearance", RED, [r["cost_clearance"] for r in rows]),
    )
    series: list[Option] = [
        {
            "type": "bar", "name": name, "stack": "cost", "barMaxWidth": 22,
            "itemStyle": {"color": colour, "borderColor": CARD, "borderWidth": 1},
            "tooltip": {":valueFormatter": _AT_COST},
            "data": [clean(100 * share, 3) for share in shares],
        }
        for name, colour, shares in parts
    ]  # fmt: skip
    return with_legend(option, series)


def strata_chart(cell: Cell) -> Option:
    """Draw the liquidation rate of every policy in every kind of market, in percent."""
    names = [r["policy"] for r in cell.rows if is_judged(r["policy"]) or r["policy"] == "unhedged"]
    kinds = list(dict.fromkeys(s["stratum"] for s in cell.strata))
    data: list[list[float]] = [
        [names.index(s["policy"]), kinds.index(s["stratum"]),
         round(100.0 * s["liquidation_rate"], 2)]
        for s in cell.strata
        if s["policy"] in names
    ]  # fmt: skip
    option = base()
    del option["legend"]
    option["grid"] = {"left": 104, "right": 8, "top": 84, "bottom": 8}
    option["xAxis"] = _heat_axis(names, position="top", axisLabel=_turned())
    option["yAxis"] = _heat_axis(kinds, inverse=True)
    option["tooltip"]["show"] = False
    option["visualMap"] = {
        "show": False, "min": 0.0, "max": max([1.0, *(row[2] for row in data)]), "dimension": 2,
        "inRange": {"color": [CARD, "#5a4426", "#b8741a"]},
    }  # fmt: skip
    option["series"] = [
        {
            "type": "heatmap", "name": "Liquidated", "data": data,
            "itemStyle": {"borderColor": LINE, "borderWidth": 1},
            "label": {"show": True, "color": INK, "fontSize": 11, ":formatter": _IN_CELL},
            "emphasis": {"disabled": True},
        }
    ]  # fmt: skip
    return option


def _turned() -> Option:
    return {"color": DIM, "fontSize": 11, "rotate": 60, "interval": 0}


def _heat_axis(data: list[str], **more: Any) -> Option:
    return value_axis(type="category", data=data, splitLine={"show": False}) | more


# --- the same without a browser ---------------------------------------------------------------

_PANEL: Final = (250.0, 170.0)
_ACROSS: Final = 3
_LEFT: Final = 52.0
_TOP: Final = 44.0
_STEP: Final = (320.0, 250.0)
_TICKS: Final = (0, 25, 50, 75, 100)


def frontier_svg(cells: Sequence[Cell], chosen: str) -> str:
    """Return liquidation rate over average hedge, a panel per cell, as the text of one SVG file."""
    across = min(_ACROSS, len(cells))
    down = -(-len(cells) // across)
    width, height = _STEP[0] * across + 10.0, _STEP[1] * down + 40.0
    drawn = "".join(
        _panel(cell, chosen, _LEFT + _STEP[0] * (i % across), _TOP + _STEP[1] * (i // across))
        for i, cell in enumerate(cells)
    )
    legend, x, y = "", _LEFT, height - 14.0
    for name, colour in (
        ("static, free", DIM), ("volatility rule", AMBER), ("plug-in over its risk", VIOLET),
        (chosen, BLUE), ("other policies", TEAL),
    ):  # fmt: skip
        legend += f'<path d="M{x:.1f},{y - 4.0:.1f}h18" stroke="{colour}" stroke-width="2.5"/>'
        legend += _text(x + 24.0, y, name, INK)
        x += 40.0 + 7.0 * len(name)
    width = max(width, x)
    says = "Share of positions liquidated over the average hedge"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" role="img" '
        f'aria-label="{escape(says)}" font-family="{escape(FONT)}" font-size="12">'
        f"<title>{escape(says)}</title>"
        f'<rect width="{width:g}" height="{height:g}" rx="8" fill="{CARD}"/>{drawn}{legend}</svg>\n'
    )


def _panel(cell: Cell, chosen: str, left: float, top: float) -> str:
    width, height = _PANEL
    points = list(zip(cell.statics.hedge, cell.statics.figures["liquidation_rate"], strict=True))
    most = max(0.01, *(rate for _, rate in points), *(r["liquidation_rate"] for r in cell.rows))

    def at(hedge: float, rate: float) -> str:
        return f"{left + width * hedge:.1f},{top + height * (1.0 - rate / most):.1f}"

    parts = [_text(left, top - 12.0, title_of(cell), INK, 'font-weight="600"')]
    for share in (0.0, 0.5, 1.0):
        y = top + height * (1.0 - share)
        parts.append(
            f'<line x1="{left:.1f}" x2="{left + width:.1f}" y1="{y:.1f}" y2="{y:.1f}" '
            f'stroke="{LINE}"/>'
        )
        parts.append(_text(left - 6.0, y + 4.0, percent(share * most, 0), DIM, 'text-anchor="end"'))
    parts.extend(
        _text(left + width * tick / 100.0, top + height + 16.0, f"{tick}%", DIM,
              'text-anchor="middle"')
        for tick in _TICKS
    )  # fmt: skip
    lines = [(DIM, ' stroke-dasharray="5 4"', points)]
    lines += [(COLOURS.get(one.family, TEAL), "", curve_of(one)) for one in cell.families]
    for colour, dashes, curve in lines:
        path = "L".join(at(h, r) for h, r in curve if np.isfinite(h))
        parts.append(
            f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="1.8"{dashes}/>'
        )
    for r in cell.rows:
        if is_judged(r["policy"]) and r["policy"] != ORACLE:
            x, y_ = at(r["avg_hedge"], r["liquidation_rate"]).split(",")
            own = r["policy"] == chosen
            parts.append(
                f'<circle cx="{x}" cy="{y_}" r="{5 if own else 3.5}" '
                f'fill="{BLUE if own else TEAL}"><title>{escape(r["policy"])}</title></circle>'
            )
    return "".join(parts)


def _text(x: float, y: float, text: str, colour: str, more: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" fill="{colour}" {more}>{escape(text)}</text>'

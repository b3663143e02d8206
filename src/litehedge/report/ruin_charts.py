"""Who is still alive, day by day: a chart for the report, and the same as an SVG for a page."""

from __future__ import annotations

from html import escape
from typing import Any, Final, NamedTuple

import numpy as np

from litehedge.blowup.wrong import Wrong
from litehedge.report.axes import IN_PERCENT, Option, base, value_axis, with_legend
from litehedge.report.ruin import AS_SAFE, GUARDED, SMALLER, UNGUARDED, UNHEDGED, Key, RuinStudy
from litehedge.report.style import AMBER, BLUE, CARD, DIM, FONT, INK, LINE, OLIVE, TEAL

RIGHT: Final = (
    Key(UNHEDGED, Wrong.NOT), Key(SMALLER, Wrong.NOT), Key(AS_SAFE, Wrong.NOT),
    Key(UNGUARDED, Wrong.NOT), Key(GUARDED, Wrong.NOT),
)  # fmt: skip
WRONG: Final = (
    Key(UNHEDGED, Wrong.NOT), Key(UNGUARDED, Wrong.FLIPS), Key(GUARDED, Wrong.FLIPS),
    Key(UNGUARDED, Wrong.STUCK), Key(GUARDED, Wrong.STUCK),
)  # fmt: skip
"""The arms of each chart, in the order in which they are drawn."""

_COLOURS: Final = {
    UNHEDGED: DIM, SMALLER: OLIVE, AS_SAFE: TEAL, UNGUARDED: AMBER, GUARDED: BLUE,
}  # fmt: skip


class _Look(NamedTuple):
    name: str
    colour: str
    dashes: list[int]


def _look(key: Key) -> _Look:
    name = key.arm if key.wrong is Wrong.NOT else f"{key.arm}, {key.wrong.name.lower()}"
    dashes = [5, 4] if key.arm == UNHEDGED else [2, 3] if key.wrong is Wrong.STUCK else []
    return _Look(name, _COLOURS[key.arm], dashes)


def alive_chart(study: RuinStudy, keys: tuple[Key, ...]) -> Option:
    """Draw the share of the mix that is not ruined yet over the days, in percent."""
    option = base()
    option["grid"] = {"left": 52, "right": 20, "top": 36, "bottom": 48}
    option["tooltip"] |= {"trigger": "axis", "axisPointer": {"lineStyle": {"color": DIM}}}
    option["xAxis"] = value_axis(
        name="days", nameLocation="middle", nameGap=28, min=0, max=study.days
    )
    option["yAxis"] = value_axis(
        min=0, max=100, axisLabel={"color": DIM, "fontSize": 11, "formatter": "{value}%"}
    )
    series: list[Option] = []
    for key in keys:
        look = _look(key)
        stroke: dict[str, Any] = {"color": look.colour, "width": 1.5}
        if look.dashes:
            stroke["type"] = look.dashes
        points = [[day, round(100.0 * a, 2)] for day, a in enumerate(study.alive[key].tolist())]
        series.append(
            {
                "type": "line", "name": look.name, "data": points, "step": "end", "symbol": "none",
                "lineStyle": stroke, "itemStyle": {"color": look.colour},
                "emphasis": {"disabled": True}, "tooltip": {":valueFormatter": IN_PERCENT},
            }
        )  # fmt: skip
    return with_legend(option, series)


# --- the same without a browser ---------------------------------------------------------------

_WIDTH: Final = 900
_HEIGHT: Final = 390
_PLOT: Final = (370.0, 250.0)
_TOP: Final = 48.0
_LEFTS: Final = (56.0, 506.0)
_TICKS: Final = (0, 25, 50, 75, 100)


def alive_svg(study: RuinStudy) -> str:
    """Return both charts beside each other as the text of one SVG file."""
    panels = (("The forecaster as it is", RIGHT), ("Forecasters gone wrong", WRONG))
    drawn = "".join(
        _panel(study, left, title, keys) for left, (title, keys) in zip(_LEFTS, panels, strict=True)
    )
    says = f"Share of traders not ruined by day, {study.worlds} simulated worlds"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
        f'aria-label="{escape(says)}" font-family="{escape(FONT)}" font-size="12">'
        f"<title>{escape(says)}</title>"
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" rx="8" fill="{CARD}"/>{drawn}</svg>\n'
    )


def _panel(study: RuinStudy, left: float, title: str, keys: tuple[Key, ...]) -> str:
    width, height = _PLOT
    bottom = _TOP + height
    parts = [_text(left, 28.0, title, INK, 'font-size="14" font-weight="600"')]
    for tick in _TICKS:
        y = bottom - height * tick / 100.0
        parts.append(
            f'<line x1="{left:.1f}" x2="{left + width:.1f}" y1="{y:.1f}" y2="{y:.1f}" '
            f'stroke="{LINE}"/>'
        )
        parts.append(_text(left - 8.0, y + 4.0, f"{tick}%", DIM, 'text-anchor="end"'))
    for day in _day_ticks(study.days):
        x = left + width * day / study.days
        parts.append(_text(x, bottom + 18.0, f"{day}", DIM, 'text-anchor="middle"'))
    parts.append(_text(left + width, bottom + 34.0, "days", DIM, 'text-anchor="end"'))
    for i, key in enumerate(keys):
        look = _look(key)
        dashes = f' stroke-dasharray="{" ".join(map(str, look.dashes))}"' if look.dashes else ""
        stroke = f'fill="none" stroke="{look.colour}" stroke-width="1.8"{dashes}'
        alive = study.alive[key]
        path = f"M{left:.1f},{bottom - height * float(alive[0]):.1f}"
        for day in np.flatnonzero(np.diff(alive)).tolist():
            x = left + width * (day + 1) / study.days
            path += f"H{x:.1f}V{bottom - height * float(alive[day + 1]):.1f}"
        parts.append(f'<path d="{path}H{left + width:.1f}" {stroke}/>')
        x, y = left + 132.0 * (i % 3), bottom + 56.0 + 20.0 * (i // 3)
        parts.append(f'<path d="M{x:.1f},{y - 4.0:.1f}h20" {stroke}/>')
        parts.append(_text(x + 26.0, y, look.name, INK))
    return "".join(parts)


def _day_ticks(days: int) -> range:
    step = next((s for s in (1, 2, 5, 10, 30, 60) if days / s <= 8), 90)
    return range(0, days + 1, step)


def _text(x: float, y: float, text: str, colour: str, more: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" fill="{colour}" {more}>{escape(text)}</text>'

"""Charts of forecast skill: by horizon, reliability, alarms, what is lost without a part."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, Final

from litehedge.model.measures.result import Ablation, Evaluation, Skill
from litehedge.model.measures.trial import HORIZONS_MIN
from litehedge.report.axes import IN_PERCENT, Option, base, clean, marks, value_axis, with_legend
from litehedge.report.skill_words import Shown, shown_as
from litehedge.report.style import AMBER, BLUE, DIM, LINE, OLIVE, ROSE, TEAL, VIOLET

COLOURS: Final = (BLUE, AMBER, TEAL, VIOLET, ROSE, OLIVE)
MOST_SHOWN: Final = len(COLOURS)
MOST_FALSE: Final = 8.0
"""False alarms a day beyond which nobody would listen: the axis ends there."""

AS_NUMBER: Final = "v => v == null || isNaN(v) ? 'n/a' : v.toFixed(3)"
AT_BIN: Final = "v => v[0].toFixed(2) + '% foretold, ' + v[1].toFixed(2) + '% came'"
AT_ALARM: Final = (
    "v => v[1].toFixed(0) + '% caught at ' + v[0].toFixed(2) + ' false a day, median lead ' "
    "+ (v[2] == null || isNaN(v[2]) ? 'n/a' : v[2].toFixed(0) + ' min')"
)
AT_PART: Final = "v => v.toFixed(4)"


def _chart(x_axis: Option, y_axis: Option) -> Option:
    option = base()
    option["grid"] = {"left": 52, "right": 20, "top": 40, "bottom": 48}
    option["xAxis"] = x_axis
    option["yAxis"] = y_axis
    return option


def _named(name: str, **more: Any) -> Option:
    return value_axis(name=name, nameLocation="middle", nameGap=28, **more)


def _in_percent(**more: Any) -> Option:
    label = {"color": DIM, "fontSize": 11, "formatter": "{value}%"}
    return value_axis(axisLabel=label, **more)


def _line(name: str, colour: str, data: list[Any], formatter: str, **more: Any) -> Option:
    return {
        "type": "line", "name": name, "data": data, "symbol": "circle", "symbolSize": 5,
        "lineStyle": {"color": colour, "width": 1.5}, "itemStyle": {"color": colour},
        "tooltip": {":valueFormatter": formatter},
    } | more  # fmt: skip


def _drawn(evaluation: Evaluation, task: str, side: str) -> Iterator[tuple[Skill, str]]:
    """Return the forecasters that charts show, each with its colour."""
    for name, colour in zip(evaluation.shown[:MOST_SHOWN], COLOURS, strict=False):
        skill = evaluation.skill(name, task, side)
        if skill is not None:
            yield skill, colour


def horizon_chart(evaluation: Evaluation, task: str, side: str, family: str) -> Option:
    """Draw a measure (``auc``, ``brier_skill``) over the horizons."""
    shown = shown_as(f"{family}_30")
    x_axis = {
        "type": "category", "data": [f"{h}" for h in HORIZONS_MIN], "name": "minutes ahead",
        "nameLocation": "middle", "nameGap": 28, "nameTextStyle": {"color": DIM, "fontSize": 11},
        "axisLine": {"lineStyle": {"color": LINE}}, "axisTick": {"show": False},
        "axisLabel": {"color": DIM, "fontSize": 11},
    }  # fmt: skip
    is_share = shown.unit == "%"
    option = _chart(x_axis, _in_percent(scale=True) if is_share else value_axis(scale=True))
    option["tooltip"] |= {"trigger": "axis", "axisPointer": {"lineStyle": {"color": DIM}}}
    series = []
    for skill, colour in _drawn(evaluation, task, side):
        scores = [skill.score(f"{family}_{h}") for h in HORIZONS_MIN]
        data = [None if s is None else clean((100.0 if is_share else 1.0) * s.value, 4)
                for s in scores]  # fmt: skip
        formatter = IN_PERCENT if is_share else AS_NUMBER
        series.append(_line(skill.forecaster, colour, data, formatter))
    return with_legend(option, series)


def reliability_chart(evaluation: Evaluation, task: str, side: str) -> Option:
    """Draw what came against what was foretold, in percent, by quantile bin; right is diagonal."""
    top = 0.0
    series = []
    for skill, colour in _drawn(evaluation, task, side):
        data = [
            [round(100.0 * b.foretold, 4), round(100.0 * b.came.value, 4)]
            for b in skill.reliability
        ]
        top = max([top, *(x for point in data for x in point)])
        line = _line(skill.forecaster, colour, data, AT_BIN, encode={"tooltip": [0, 1]})
        series.append(line)
    top = math.ceil(top) if top > 0.0 else 1.0
    look = {"color": DIM, "width": 1, "type": [5, 4]}
    series.append(
        _line("right", DIM, [[0, 0], [top, top]], AT_BIN, symbol="none", silent=True,
              lineStyle=look)
    )  # fmt: skip
    label = {"color": DIM, "fontSize": 11, "formatter": "{value}%"}
    option = _chart(_named("foretold for 30 minutes", axisLabel=label, max=top), _in_percent())
    return with_legend(option, series)


def alarm_chart(evaluation: Evaluation, task: str, side: str) -> Option:
    """Draw the share of events caught against false alarms a day, one point per threshold."""
    series = []
    for skill, colour in _drawn(evaluation, task, side):
        data = [
            [round(p.false_per_day, 4), round(100.0 * p.recall, 2),
             None if p.lead_min is None else round(p.lead_min, 1)]
            for p in skill.alarms
            if p.false_per_day <= MOST_FALSE
        ]  # fmt: skip
        series.append(
            _line(skill.forecaster, colour, data, AT_ALARM, symbolSize=4,
                  encode={"x": 0, "y": 1, "tooltip": [0, 1, 2]})
        )  # fmt: skip
    if series:
        series[0]["markLine"] = {
            "silent": True, "symbol": "none", "data": [{"xAxis": 1}],
            "lineStyle": {"color": DIM, "type": [2, 3]},
            "label": {"color": DIM, "fontSize": 11, "formatter": "one a day"},
        }  # fmt: skip
    option = _chart(
        _named("false alarms a day", min=0, max=MOST_FALSE), _in_percent(min=0, max=100)
    )
    return with_legend(option, series)


def ablation_chart(rows: Sequence[Ablation]) -> Option:
    """Draw what each part is worth with its interval, one line of the chart each."""
    names = [f"{row.name}\n{row.task}, {row.side}" for row in rows]
    shown: Shown = shown_as(rows[0].measure)
    option = _chart(
        _named(f"{shown.head}, difference", scale=True),
        {
            "type": "category", "data": names, "inverse": True, "axisTick": {"show": False},
            "axisLine": {"show": False},
            "axisLabel": {"color": DIM, "fontSize": 11, "lineHeight": 14},
        },
    )  # fmt: skip
    option["grid"]["left"] = 168
    bars: list[list[Any]] = []
    for i, row in enumerate(rows):
        bars += [[row.score.low, i], [row.score.high, i], [None, i]]
    points = [[row.score.value, i] for i, row in enumerate(rows)]
    interval = _line("90% interval", DIM, bars, AT_PART, symbol="none", silent=True)
    interval["markLine"] = {
        "silent": True, "symbol": "none", "data": [{"xAxis": 0}], "label": {"show": False},
        "lineStyle": {"color": LINE, "type": "solid"},
    }  # fmt: skip
    value = marks("difference", "circle", BLUE, points, AT_PART, encode={"tooltip": [0]})
    return with_legend(option, [interval, value])

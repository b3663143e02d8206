"""The charts of a report, as ECharts options: pure functions of arrays, UTC on every time axis.

Values on percent axes are in percent. Lines that share a chart share its thinned bars, so that
one tooltip tells all of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from litehedge.effects import Decision
from litehedge.hedge.band import Action
from litehedge.report.axes import (
    CROSS,
    DOWN,
    IN_PERCENT,
    IN_USDT,
    UP,
    Option,
    dataset,
    line,
    marks,
    milliseconds,
    run_line,
    time_chart,
    value_axis,
    with_legend,
)
from litehedge.report.style import AMBER, BLUE, CARD, GREEN, INK, RED
from litehedge.report.thin import kept_moments
from litehedge.squeeze.labels import SIDES, Squeeze

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

DANGER_PERCENT: Final = 5.0
"""A distance to liquidation below this is drawn as danger."""

MANY_MARKS: Final = 60
AT_SQUEEZE = "v => v[0].toFixed(2) + ' USDT at the peak, move ' + v[1].toFixed(1) + '%'"


class Liquidation(NamedTuple):
    """When a position was closed by force, and the close of that bar in USDT."""

    time_ns: int
    price: float


class Move(NamedTuple):
    """A change of the hedge that was decided: `kind` is increase, decrease or refused."""

    time_ns: int
    kind: str
    target: float


def price_chart(
    end_ns: Ints, close: Floats, squeezes: Sequence[Squeeze], liquidations: Sequence[Liquidation]
) -> Option:
    """Draw the price, squeezes as areas from onset to peak, and liquidations.

    Shapes: `end_ns` and `close` ``(bar,)``.
    """
    option = time_chart(value_axis(scale=True))
    option["dataset"] = dataset(end_ns, [close], 4)
    are_many = len(squeezes) > MANY_MARKS
    size = 5 if are_many else 9
    price = line("Price", 1, BLUE, IN_USDT)
    price["markArea"] = {
        "silent": True,
        "data": [_area(q, 0.4 if are_many else 1.0) for q in squeezes],
    }
    series = [price]
    for side, name, symbol in zip(
        SIDES, ("Long squeeze", "Short squeeze"), (DOWN, UP), strict=True
    ):
        data = [
            [milliseconds(q.peak_ns), round(q.peak_price, 4), round(100 * q.move, 2)]
            for q in squeezes
            if q.side == side
        ]
        if data:
            look: Option = {"encode": {"x": 0, "y": 1, "tooltip": [1, 2]}, "symbolSize": size}
            if side == "short":
                look["itemStyle"] = {"color": CARD, "borderColor": AMBER, "borderWidth": 1.5}
            series.append(marks(name, symbol, AMBER, data, AT_SQUEEZE, **look))
    if liquidations:
        data = [[milliseconds(when), round(at, 4)] for when, at in liquidations]
        series.append(marks("Liquidated", CROSS, RED, data, IN_USDT, symbolSize=12, z=6))
    return with_legend(option, series)


def _area(squeeze: Squeeze, strength: float) -> list[Option]:
    opacity = strength * (0.35 if squeeze.side == "long" else 0.15)
    look = {"color": AMBER, "opacity": opacity, "borderColor": AMBER, "borderWidth": 0.5}
    return [
        {"xAxis": milliseconds(squeeze.onset_ns), "itemStyle": look},
        {"xAxis": milliseconds(squeeze.peak_ns)},
    ]


def equity_chart(end_ns: Ints, lines: Mapping[str, Floats]) -> Option:
    """Draw the cumulated profit of each run in USDT, ``(bar,)`` each; the first one in front."""
    return _lines(end_ns, lines, value_axis(scale=True), IN_USDT)


def drawdown_chart(end_ns: Ints, lines: Mapping[str, Floats]) -> Option:
    """Draw how far the cumulated profit in USDT lies under its peak, 0 or less, ``(bar,)``."""
    option = _lines(end_ns, lines, value_axis(max=0), IN_USDT)
    option["series"][0]["areaStyle"] = {"color": BLUE, "opacity": 0.15}
    return option


def distance_chart(
    end_ns: Ints, lines: Mapping[str, Floats], liquidations: Mapping[str, Sequence[int]]
) -> Option:
    """Draw the distance to liquidation (fractions of price, ``(bar,)``) and where it was reached.

    The axis ends where a position is out of danger: what lies above is cut off.
    """
    percents = {name: 100.0 * values for name, values in lines.items()}
    top = _roof(percents)
    axis = value_axis(min=0, max=top, axisLabel={"formatter": "{value}%"})
    axis["axisLabel"] |= value_axis()["axisLabel"]
    option = _lines(end_ns, percents, axis, IN_PERCENT)
    option["series"][0]["markArea"] = {
        "silent": True,
        "itemStyle": {"color": RED, "opacity": 0.16},
        "label": {"color": INK, "fontSize": 11, "position": "insideBottomRight"},
        "data": [[{"yAxis": 0, "name": f"danger: under {DANGER_PERCENT:g}%"},
                  {"yAxis": DANGER_PERCENT}]],
    }  # fmt: skip
    for i, name in enumerate(lines):
        deaths = [[milliseconds(when), 0.0] for when in liquidations.get(name, ())]
        if deaths:
            shown = f"Liquidated: {option['series'][i]['name']}"
            option["series"].append(marks(shown, CROSS, RED, deaths, IN_PERCENT, symbolSize=11))
    return with_legend(option, option["series"])


def _roof(percents: Mapping[str, Floats]) -> float:
    """Return the lowest of 10, 20, 50, 100 % above nine tenths of all distances under 100 %."""
    values = np.concatenate(list(percents.values()))
    values = values[np.isfinite(values) & (values < 99.99)]
    high = float(np.quantile(values, 0.9)) if values.size else 100.0
    return next(roof for roof in (10.0, 20.0, 50.0, 100.0) if high <= roof or roof == 100.0)


def hedge_chart(
    end_ns: Ints, ratio: Floats, lo: Floats, hi: Floats, moves: Sequence[Move]
) -> Option:
    """Draw the hedge ratio, its band as a shaded area, and the decisions as points.

    Shapes: `ratio`, `lo` and `hi` ``(bar,)``, fractions, NaN where unknown.
    """
    axis = value_axis(min=0, max=100, axisLabel={"formatter": "{value}%"})
    axis["axisLabel"] |= value_axis()["axisLabel"]
    option = time_chart(axis)
    lines = [100.0 * ratio, 100.0 * lo, 100.0 * hi]
    option["dataset"] = dataset(end_ns, lines, 2, derived=[lines[2] - lines[1]])
    edge: Option = {"stack": "band", "step": "end", "lineStyle": {"color": BLUE, "width": 0.8}}
    edge["lineStyle"]["opacity"] = 0.5
    shade = {"color": BLUE, "opacity": 0.2}
    upper = line("Band to", 4, BLUE, IN_PERCENT, **edge, areaStyle=shade)
    upper["encode"]["tooltip"] = [3]
    series = [line("Band from", 2, BLUE, IN_PERCENT, **edge), upper]
    series.append(line("Hedge ratio", 1, INK, IN_PERCENT, step="end", z=4))
    for kind, symbol, colour in (
        ("increase", UP, GREEN), ("decrease", DOWN, BLUE), ("refused", CROSS, RED),
    ):  # fmt: skip
        chosen = [move for move in moves if move.kind == kind]
        few = kept_moments(np.array([move.time_ns for move in chosen], dtype=np.int64))
        if few.size:
            data = [
                [milliseconds(chosen[i].time_ns), round(100.0 * chosen[i].target, 2)]
                for i in few.tolist()
            ]
            series.append(marks(kind.capitalize(), symbol, colour, data, IN_PERCENT, symbolSize=10))
    return with_legend(option, series)


def moves_of(decisions: Sequence[Decision]) -> list[Move]:
    """Return the decisions that asked for a change, with what became of it."""
    moves = []
    for decision in decisions:
        advice = decision.recommendation
        if advice.action is Action.MAINTAIN:
            continue
        refused = decision.order_id == ""
        kind = "refused" if refused else str(advice.action)
        moves.append(Move(decision.time_ns, kind, advice.target))
    return moves


def _lines(
    end_ns: Ints, lines: Mapping[str, Floats], y_axis: Option, formatter: str
) -> dict[str, Any]:
    option = time_chart(y_axis)
    option["dataset"] = dataset(end_ns, list(lines.values()), 2)
    series = [run_line(name, i + 1, formatter) for i, name in enumerate(lines)]
    series[0]["z"] = 4
    return with_legend(option, series)

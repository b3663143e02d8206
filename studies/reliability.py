"""The reliability plot of the leverage advice, as SVG."""

from __future__ import annotations

from html import escape

import numpy as np

from litehedge.report.style import AMBER, BLUE, CARD, DIM, FONT, INK, LINE, OLIVE, ROSE, TEAL

WIDTH, HEIGHT = 900, 430
PLOT = 330.0
TOP = 52.0
LEFTS = {"long": 70.0, "short": 510.0}
TICKS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
LOWEST, HIGHEST = 0.005, 0.7
COLOURS = (BLUE, TEAL, OLIVE, AMBER, ROSE)


def reliability_svg(points: dict[str, list[tuple[float, float]]], says: str) -> str:
    """Draw (promised, lost) of every kind of position, long and short beside each other.

    `points` go by names like ``"long 7d"``. Both axes are logarithmic; the diagonal is advice that
    keeps its word, the dashed lines 3 and 7 where 5 was promised, at every level.
    """
    title = f"Promised and realised share of liquidated positions, {says}"
    panels = "".join(_panel(side, points) for side in LEFTS)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{escape(title)}" font-family="{escape(FONT)}" font-size="12">'
        f"<title>{escape(title)}</title>"
        f'<rect width="{WIDTH}" height="{HEIGHT}" rx="8" fill="{CARD}"/>{panels}</svg>\n'
    )


def _at(share: float) -> float:
    inside = min(max(share, LOWEST), HIGHEST)
    return PLOT * float(np.log(inside / LOWEST) / np.log(HIGHEST / LOWEST))


def _panel(side: str, points: dict[str, list[tuple[float, float]]]) -> str:
    left, height = LEFTS[side], PLOT * 0.85
    bottom = TOP + height

    def x(share: float) -> float:
        return left + _at(share)

    def y(share: float) -> float:
        return bottom - 0.85 * _at(share)

    parts = [_text(left, 30.0, f"{side} positions", INK, 'font-size="14" font-weight="600"')]
    for tick in TICKS:
        parts.append(
            f'<path d="M{left:.1f},{y(tick):.1f}H{left + PLOT:.1f}M{x(tick):.1f},{bottom:.1f}'
            f'V{TOP:.1f}" stroke="{LINE}" fill="none"/>'
        )
        parts.append(_text(left - 8.0, y(tick) + 4.0, f"{tick:.0%}", DIM, 'text-anchor="end"'))
        parts.append(_text(x(tick), bottom + 18.0, f"{tick:.0%}", DIM, 'text-anchor="middle"'))
    for factor, dashes in ((1.0, ""), (0.6, "4 4"), (1.4, "4 4")):
        low, high = max(LOWEST, LOWEST / factor), min(HIGHEST, HIGHEST / factor)
        parts.append(
            f'<path d="M{x(low):.1f},{y(low * factor):.1f}L{x(high):.1f},{y(high * factor):.1f}" '
            f'stroke="{DIM}" stroke-dasharray="{dashes}" fill="none"/>'
        )
    own = {name: told for name, told in points.items() if name.startswith(side)}
    for i, ((name, told), colour) in enumerate(zip(own.items(), COLOURS, strict=False)):
        line = "L".join(f"{x(p):.1f},{y(q):.1f}" for p, q in told)
        dots = "".join(f'<circle cx="{x(p):.1f}" cy="{y(q):.1f}" r="3"/>' for p, q in told)
        parts.append(f'<path d="M{line}" stroke="{colour}" stroke-width="1.6" fill="none"/>')
        parts.append(f'<g fill="{colour}">{dots}</g>')
        at = left + 62.0 * i
        parts.append(f'<path d="M{at:.1f},{bottom + 56.0:.1f}h14" stroke="{colour}"/>')
        parts.append(_text(at + 18.0, bottom + 60.0, name.split()[1], INK))
    parts.append(_text(left + PLOT, bottom + 36.0, "promised", DIM, 'text-anchor="end"'))
    parts.append(_text(left - 8.0, TOP - 6.0, "lost", DIM, 'text-anchor="end"'))
    return "".join(parts)


def _text(x: float, y: float, text: str, colour: str, more: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" fill="{colour}" {more}>{escape(text)}</text>'

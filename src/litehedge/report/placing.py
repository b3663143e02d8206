"""Where the labels of points go, and round numbers for the ends of an axis."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

LETTER_PX: Final = 6.2
LINE_PX: Final = 14.0
MARK_PX: Final = 7.0


class Place(NamedTuple):
    """Position of a label, in the words of ECharts, and how far it is moved down, in pixels."""

    position: str
    down_px: float


class _Box(NamedTuple):
    left: float
    top: float
    right: float
    bottom: float

    def overlap(self, other: _Box) -> float:
        wide = min(self.right, other.right) - max(self.left, other.left)
        high = min(self.bottom, other.bottom) - max(self.top, other.top)
        return wide * high if wide > 0.0 and high > 0.0 else 0.0


_CANDIDATES: Final = tuple(
    Place(position, down)
    for down in (0.0, -LINE_PX, LINE_PX, -2 * LINE_PX, 2 * LINE_PX)
    for position in (("right", "left", "top", "bottom") if down == 0.0 else ("right", "left"))
)


def placed_labels(
    points: Sequence[tuple[float, float]], texts: Sequence[str], width_px: float, height_px: float
) -> list[Place]:
    """Choose a place for each label where it covers no mark and no label before it.

    Parameters
    ----------
    points
        Shares of the plot, from the left and from the top, 0 to 1.
    width_px, height_px
        The smallest size at which the plot is shown: what fits there fits everywhere.
    """
    marks = [(x * width_px, y * height_px) for x, y in points]
    taken = [_Box(x - MARK_PX, y - MARK_PX, x + MARK_PX, y + MARK_PX) for x, y in marks]
    room = _Box(0.0, -LINE_PX, width_px + LINE_PX, height_px + LINE_PX / 2)
    places = []
    for i, ((x, y), text) in enumerate(zip(marks, texts, strict=True)):
        others = taken[:i] + taken[i + 1 :]

        def covered(place: Place, at: tuple[float, float, str] = (x, y, text)) -> float:
            box = _label_box(*at, place)
            outside = (box.right - box.left) * LINE_PX - box.overlap(room)
            return outside + sum(box.overlap(other) for other in others)  # noqa: B023

        best = min(_CANDIDATES, key=covered)
        places.append(best)
        taken.append(_label_box(x, y, text, best))
    return places


def _label_box(x: float, y: float, text: str, place: Place) -> _Box:
    width, half = LETTER_PX * len(text), LINE_PX / 2
    middle = y + place.down_px
    if place.position == "right":
        return _Box(x + MARK_PX, middle - half, x + MARK_PX + width, middle + half)
    if place.position == "left":
        return _Box(x - MARK_PX - width, middle - half, x - MARK_PX, middle + half)
    above = y - MARK_PX - LINE_PX if place.position == "top" else y + MARK_PX
    return _Box(x - width / 2, above, x + width / 2, above + LINE_PX)


def round_ends(low: float, high: float) -> tuple[float, float]:
    """Return round numbers around a range: some four steps of 1, 2, 2.5 or 5 times a power of 10.

    Examples
    --------
    >>> round_ends(-14.2, 8.9)
    (-15.0, 10.0)
    """
    spread = high - low
    if not spread > 0.0:
        return low - 1.0, high + 1.0
    power = 10.0 ** math.floor(math.log10(spread / 4.0))
    step = next(s * power for s in (1.0, 2.0, 2.5, 5.0, 10.0) if s * power >= spread / 5.0)
    return math.floor(low / step) * step, math.ceil(high / step) * step

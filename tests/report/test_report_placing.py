"""Labels cover neither marks nor each other; the ends of an axis are round."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from litehedge.report.placing import Place, _Box, _label_box, placed_labels, round_ends

WIDTH_PX, HEIGHT_PX = 250.0, 230.0


def boxes(points: list[tuple[float, float]], texts: list[str]) -> list[_Box]:
    places = placed_labels(points, texts, WIDTH_PX, HEIGHT_PX)
    return [
        _label_box(x * WIDTH_PX, y * HEIGHT_PX, text, place)
        for (x, y), text, place in zip(points, texts, places, strict=True)
    ]


def test_a_lone_label_stands_to_the_right() -> None:
    assert placed_labels([(0.5, 0.5)], ["plugin"], WIDTH_PX, HEIGHT_PX) == [Place("right", 0.0)]


def test_a_label_at_the_right_edge_stands_to_the_left() -> None:
    assert placed_labels([(1.0, 0.5)], ["plugin"], WIDTH_PX, HEIGHT_PX) == [Place("left", 0.0)]


@given(st.floats(0.1, 0.9), st.floats(0.1, 0.9))
def test_three_at_one_spot_do_not_cover_each_other(x: float, y: float) -> None:
    placed = boxes([(x, y)] * 3, ["hazard", "plugin", "vol"])
    for i, box in enumerate(placed):
        assert all(box.overlap(other) == 0.0 for other in placed[:i])


def test_labels_of_a_crowd_cover_no_mark() -> None:
    points = [(0.0, 0.3), (0.02, 0.27), (0.26, 0.63), (0.31, 0.94), (0.35, 0.99), (0.51, 0.89)]
    texts = ["unhedged", "move-3pct", "hazard", "vol-target", "plugin", "margin-vol"]
    for i, box in enumerate(boxes(points, texts)):
        for j, (x, y) in enumerate(points):
            mark = _Box(x * WIDTH_PX - 4, y * HEIGHT_PX - 4, x * WIDTH_PX + 4, y * HEIGHT_PX + 4)
            assert i == j or box.overlap(mark) == 0.0


@given(st.floats(-1e4, 1e4), st.floats(0.01, 1e4))
def test_round_ends_hold_the_range_and_little_more(low: float, spread: float) -> None:
    first, last = round_ends(low, low + spread)
    assert first <= low + 1e-9
    assert last >= low + spread - 1e-9
    assert last - first <= 2.0 * spread + 1e-9


@pytest.mark.parametrize(
    ("low", "high", "ends"),
    [(-14.2, 8.9, (-15.0, 10.0)), (0.0, 42.7, (0.0, 50.0)), (0.0, 0.0, (-1.0, 1.0))],
)
def test_round_ends_by_example(low: float, high: float, ends: tuple[float, float]) -> None:
    assert round_ends(low, high) == ends

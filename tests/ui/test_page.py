"""What is pushed to a page."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from litehedge.ui.page import newer, packed


def _placed(before: list, told: object) -> list:
    """Do what the page does with a list."""
    if isinstance(told, dict):
        return [*told["fresh"], *before][: told["most"]]
    assert isinstance(told, list)
    return told


@given(st.lists(st.integers(0, 3), max_size=6), st.lists(st.integers(0, 3), max_size=6))
def test_a_page_that_was_told_what_is_newer_has_the_list(before, now):
    assert _placed(before, newer(before, now)) == now


@given(st.lists(st.integers(), min_size=8, max_size=8), st.integers(0, 3))
def test_of_a_list_that_grew_in_front_only_that_is_sent(before, count):
    fresh = [("new", i) for i in range(count)]
    told = newer(before, [*fresh, *before][:8])
    assert told == {"fresh": fresh, "most": 8}


def test_what_is_sent_cannot_end_the_script():
    assert "</script" not in packed({"text": "</script><script>alert(1)</script>"})

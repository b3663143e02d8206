"""A draft of rules: nothing is lost or doubled, every step can be taken back."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from draft_steps import draft_of, keys, steps
from litehedge.ui import builder_model as bm
from rule_files import rule_sets

drafts = rule_sets().map(draft_of)


def pieces(draft: bm.Draft) -> Counter[object]:
    """Every block and condition as it is, wherever it stands, and every key."""
    found: Counter[object] = Counter()
    for block in draft.blocks:
        found[(block.key, block.does, block.name, block.ratio, block.lasts)] += 1
    for _, part in draft.parts():
        found[part if isinstance(part, bm.Line) else (part.key, part.mode)] += 1
    return found


@given(draft=drafts, data=st.data())
def test_a_move_neither_loses_nor_doubles_a_piece(draft: bm.Draft, data: st.DataObject) -> None:
    for _ in range(4):
        there = st.sampled_from([*keys(draft), 0, 999])
        try:
            moved = bm.move(
                draft, data.draw(there), data.draw(there), data.draw(st.integers(-2, 9))
            )
        except bm.Refused:
            continue
        assert pieces(moved) == pieces(draft)
        draft = moved


@given(draft=drafts, data=st.data())
def test_a_moved_condition_stands_where_it_was_put(draft: bm.Draft, data: st.DataObject) -> None:
    lines = [part for _, part in draft.parts() if isinstance(part, bm.Line)]
    if not lines:
        return
    line = data.draw(st.sampled_from(lines))
    holder = data.draw(st.sampled_from([block.key for block in draft.blocks]))
    others = [one.key for one in draft.held(holder) if one.key != line.key]
    index = data.draw(st.integers(0, len(others)))
    held = bm.move(draft, line.key, holder, index).held(holder)
    assert held[index] == line
    assert [one.key for one in held if one.key != line.key] == others


@given(draft=drafts, data=st.data())
def test_undo_after_any_steps_leads_back_and_redo_forth(
    draft: bm.Draft, data: st.DataObject
) -> None:
    history = bm.History(draft)
    for _ in range(data.draw(st.integers(1, 8))):
        field = data.draw(st.sampled_from(["", "3.value", "file.name"]))
        history = history.do(data.draw(steps(history.now)), field)
        if data.draw(st.booleans()):
            history = history.undo().redo()
    last, back = history.now, history
    while back.past:
        back = back.undo()
    assert back.now == draft
    assert back.undo() == back
    while back.future:
        back = back.redo()
    assert back.now == last
    assert back.redo() == back


@given(draft=drafts, data=st.data())
def test_keys_stay_apart_and_plans_stay_behind_rules(draft: bm.Draft, data: st.DataObject) -> None:
    for _ in range(6):
        draft = data.draw(steps(draft))
    found = keys(draft)
    assert len(set(found)) == len(found)
    assert all(key < draft.next_key for key in found)
    kinds = [block.is_plan for block in draft.blocks]
    assert kinds == sorted(kinds)
    for _, part in draft.parts():
        if isinstance(part, bm.Box):
            assert all(isinstance(line, bm.Line) for line in part.lines)


def test_up_and_down_move_among_neighbours_and_stop_at_the_ends() -> None:
    draft = bm.add_block(bm.Draft(), "hedge_at_least")
    for quantity in ("volatility", "volume", "depth"):
        draft = bm.add_line(draft, 1, 9, quantity)
    first, _, last = (part.key for _, part in draft.parts())

    def order(of: bm.Draft) -> list[str]:
        return [part.quantity for _, part in of.parts() if isinstance(part, bm.Line)]

    assert order(bm.shift(draft, first, 1)) == ["volume", "volatility", "depth"]
    assert order(bm.shift(draft, last, -1)) == ["volatility", "depth", "volume"]
    assert bm.shift(draft, first, -1) == draft
    assert bm.shift(draft, last, 1) == draft


def test_a_group_in_a_group_and_a_condition_outside_of_rules_are_refused() -> None:
    draft = bm.add_block(bm.Draft(), "hedge_at_least")
    draft = bm.add_box(bm.add_box(draft, 1, 0, "any"), 1, 1, "all")
    one, other = (part.key for _, part in draft.parts())
    with pytest.raises(bm.Refused, match="plain conditions only"):
        bm.move(draft, one, other, 0)
    with pytest.raises(bm.Refused, match="stand in rules and plans"):
        bm.add_line(draft, bm.ROOT, 0, "volume")
    with pytest.raises(bm.Refused, match="not there any more"):
        bm.move(draft, 77, 1, 0)


def test_typing_on_in_one_field_is_one_step() -> None:
    start = bm.add_line(bm.add_block(bm.Draft(), "hedge_at_least"), 1, 0, "volatility")
    history = bm.History(start)
    for text in ("6", "60", "60 %"):
        history = history.do(bm.set_value(history.now, 2, 0, text), "2.0")
    history = history.do(bm.change_block(history.now, 1, ratio="7"), "1.ratio")
    assert history.undo().undo().now == start


def test_a_comparator_with_two_values_keeps_the_first() -> None:
    draft = bm.add_line(bm.add_block(bm.Draft(), "never_above"), 1, 0, "volatility")
    wide = bm.set_comparator(bm.set_value(draft, 2, 0, "3 %"), 2, "between")
    line = wide.part(2)
    assert isinstance(line, bm.Line)
    assert line.values == ("3 %", "3 %")
    back = bm.set_comparator(wide, 2, "below").part(2)
    assert isinstance(back, bm.Line)
    assert back.values == ("3 %",)


def test_plans_get_names_that_differ() -> None:
    draft = bm.Draft()
    for _ in range(3):
        draft = bm.add_block(draft, "hedge_fully")
    assert len({block.name for block in draft.blocks}) == 3

"""Anything that a person can do to a draft of rules."""

from __future__ import annotations

from hypothesis import strategies as st

from litehedge.hedge.quantities import QUANTITIES
from litehedge.hedge.rules import Rules, tree_of
from litehedge.ui import builder_model as bm
from litehedge.ui.builder_text import draft_of_tree


def draft_of(rules: Rules) -> bm.Draft:
    draft, _ = draft_of_tree(tree_of(rules))
    return draft


def keys(draft: bm.Draft) -> list[int]:
    return [one.key for one in draft.blocks] + [part.key for _, part in draft.parts()]


@st.composite
def steps(draw: st.DrawFn, draft: bm.Draft) -> bm.Draft:
    """Anything that a person can do to a draft; what is refused leaves it as it was."""
    there = st.sampled_from([*keys(draft), 0, 999])
    place, key, holder = draw(st.integers(-1, 9)), draw(there), draw(there)
    text = draw(st.sampled_from(["", "5 %", "x", "60", "between"]))
    quantity = draw(st.sampled_from(sorted(QUANTITIES)))
    act = draw(st.integers(0, 11))
    try:
        match act:
            case 0:
                return bm.add_line(draft, holder, place, quantity)
            case 1:
                return bm.add_box(draft, holder, place, "any")
            case 2:
                return bm.add_block(draft, draw(st.sampled_from(bm.ACTIONS)), place)
            case 3 | 4 | 5:
                return bm.move(draft, key, holder, place)
            case 6:
                return bm.shift(draft, key, draw(st.sampled_from([-1, 1])))
            case 7:
                return bm.remove(draft, key)
            case 8:
                return bm.change_block(draft, key, does=draw(st.sampled_from(bm.ACTIONS)))
            case 9:
                return bm.set_value(draft, key, 0, text)
            case 10:
                return bm.set_comparator(draft, key, draw(st.sampled_from(["above", "between"])))
            case _:
                return bm.change_file(draft, name=text)
    except bm.Refused:
        return draft

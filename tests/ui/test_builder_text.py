"""What a draft says: a file, words, and every mistake beside its field."""

from __future__ import annotations

import tomllib
from dataclasses import replace

import pytest
from hypothesis import assume, event, given
from hypothesis import strategies as st

from draft_steps import draft_of, steps
from litehedge.errors import ConfigError
from litehedge.hedge.quantities import QUANTITIES
from litehedge.hedge.rule_reading import parse_rules, read_rules, rules_of
from litehedge.hedge.rules import Rules, to_toml, words_of
from litehedge.store.bundled import preset_names, preset_text
from litehedge.ui import builder_model as bm
from litehedge.ui import builder_text as bt
from rule_files import rule_sets


@given(rule_sets())
def test_a_draft_says_the_rules_that_it_was_made_of(rules: Rules) -> None:
    assert read_rules(bt.tree_of_draft(draft_of(rules)))[0] == rules


@given(rule_sets().map(draft_of), st.data())
def test_a_saved_draft_is_read_as_itself(draft: bm.Draft, data: st.DataObject) -> None:
    for _ in range(data.draw(st.integers(0, 4))):
        draft = data.draw(steps(draft))
    draft = bm.change_file(draft, name="mine")
    text = bt.file_of(draft)
    event("right" if text is not None else "wrong")
    assume(text is not None)
    saved, left_out = bt.draft_of_text(str(text), "mine")
    assert left_out == []
    assert bt.file_of(saved) == text
    again, _ = bt.draft_of_text(str(bt.file_of(saved)), "mine")
    assert again == saved
    assert bt.rules_of_draft(saved) == bt.rules_of_draft(draft)


@given(rule_sets().map(draft_of), st.data())
def test_a_draft_without_problems_parses_and_one_with_problems_does_not(
    draft: bm.Draft, data: st.DataObject
) -> None:
    for _ in range(data.draw(st.integers(0, 5))):
        draft = data.draw(steps(draft))
    draft = bm.change_file(draft, name="mine")
    tree = bt.tree_of_draft(draft)
    if bt.problems(draft):
        assert bt.file_of(draft) is None
        with pytest.raises(ConfigError):
            rules_of(tree)
    else:
        assert parse_rules(str(bt.file_of(draft)), "mine.toml", "mine") == rules_of(tree)


@given(rule_sets().map(draft_of), st.data())
def test_every_problem_names_a_field_that_is_there(draft: bm.Draft, data: st.DataObject) -> None:
    for _ in range(5):
        draft = data.draw(steps(draft))
    lines = {p.key for _, p in draft.parts() if isinstance(p, bm.Line)}
    boxes = {p.key for _, p in draft.parts() if isinstance(p, bm.Box)}
    blocks = {b.key for b in draft.blocks}
    for field, text in bt.problems(draft).items():
        of, _, name = field.partition(".")
        assert text
        if name == "line":
            assert int(of) in lines
        elif name == "box":
            assert int(of) in boxes
        elif of == "file":
            assert name in ("", "name", "about", "policy")
        else:
            assert int(of) in blocks
            assert name in ("name", "ratio", "does", "parts", "lasts", "unknown", "block")


@given(rule_sets())
def test_sentences_are_those_of_the_core(rules: Rules) -> None:
    draft = bm.change_file(draft_of(rules), name="mine")
    assume(not bt.problems(draft))
    assert [text for _, text in bt.sentences(draft)] == words_of(rules)


@pytest.mark.parametrize("name", preset_names())
def test_presets_can_be_forked(name: str) -> None:
    draft, left_out = bt.draft_of_text(preset_text(name), name)
    assert left_out == ["comments"]
    assert list(bt.problems(draft)) == ["file.name"]  # the name is taken
    mine = bm.change_file(draft, name="mine")
    assert bt.problems(mine) == {}
    told = parse_rules(str(bt.file_of(mine)), "mine.toml", "mine")
    assert words_of(told) == words_of(parse_rules(preset_text(name), "x", name))


def rule(**more: object) -> bm.Draft:
    block = bm.Block(1, "hedge_at_least", ratio="50 %")
    return bm.Draft("mine", blocks=(replace(block, **more),), next_key=9)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("draft", "field", "says"),
    [
        (rule(ratio="60"), "1.ratio", "Did you mean 60 %?"),
        (rule(ratio=""), "1.ratio", "a number in %"),
        (rule(lasts="soon"), "1.lasts", "30 min"),
        (rule(parts=(bm.Line(2, "volatility", "above", ("hot",)),)), "2.line", "a number in %"),
        (rule(parts=(bm.Line(2, "volatilty", "above", ("1 %",)),)), "2.line", "volatility"),
        (rule(parts=(bm.Line(2, "nonsense", "", ()),)), "2.line", "not a condition"),
        (rule(parts=(bm.Box(2, "any"),)), "2.box", "Drop a condition"),
        (
            rule(parts=(bm.Box(2, "any", (bm.Line(3, "hour", "between", ("8", "x")),)),)),
            "3.line", "time of the day",
        ),
        (rule(does="never_above", when_unknown=True), "1.unknown", "Leave it out"),
        (rule(does="alert", ratio="", name="x"), "1.parts", "drop one here"),
        (rule(does="alert", ratio="", parts=(bm.Line(2, "weekend", "is", ("yes",)),)), "1.name",
         "Give the plan a name"),
        (rule(does="halt", ratio="", name="x", lasts="2 h"), "1.lasts", "no end by itself"),
        (bm.Draft("mine"), "file", "to begin"),
        (bm.change_file(rule(), name="balanced"), "file.name", "preset"),
        (bm.change_file(rule(), name="../x"), "file.name", "names the file"),
        (bm.change_file(rule(), policy="luck"), "file.policy", "no policy"),
    ],
)  # fmt: skip
def test_a_mistake_stands_beside_its_field(draft: bm.Draft, field: str, says: str) -> None:
    told = bt.problems(draft)
    assert says in told[field]
    assert "when_all = [" not in told[field]
    assert bt.file_of(draft) is None


def test_what_cannot_hold_is_told_at_what_holds_it() -> None:
    lines = (
        bm.Line(2, "volatility", "above", ("5 %",)),
        bm.Line(3, "volatility", "below", ("2 %",)),
    )
    assert "can never hold" in bt.problems(rule(parts=lines))["1.parts"].lower()


def test_a_broken_file_is_taken_over_as_it_is() -> None:
    text = (
        'policy = "plugin"\ncolour = "red"\n[[rules]]\nhedge_at_least = 60\n'
        'when_all = ["volatilty above 0.4 %", { quantity = "hour", between = ["22:00"] }]\n'
    )
    draft, left_out = bt.draft_of_text(text, "mine")
    assert left_out == ["colour"]
    [block] = draft.blocks
    assert block.ratio == "60"
    assert [part.quantity for _, part in draft.parts()] == ["volatilty", "hour"]  # type: ignore[union-attr]
    assert set(bt.problems(draft)) == {"1.ratio", "2.line", "3.line"}


def test_what_is_no_toml_is_refused_with_its_line() -> None:
    with pytest.raises(ConfigError, match=r"mine\.toml:1"):
        bt.draft_of_text("= 1", "mine")


@pytest.mark.parametrize("quantity", sorted(QUANTITIES))
def test_every_quantity_comes_from_the_shelf_as_a_whole_condition(quantity: str) -> None:
    draft = bm.add_line(rule(), 1, 0, quantity)
    assert bt.problems(draft) == {}
    line = draft.part(9)
    assert isinstance(line, bm.Line)
    assert line.comparator in bt.comparators_for(quantity)
    words = bt.line_words(line)
    assert words[0].isupper()


def test_words_of_a_line_that_is_wrong_are_what_was_typed() -> None:
    assert bt.line_words(bm.Line(1, "volatility", "above", ("hot",))).endswith("above hot")
    assert bt.line_words(bm.Line(1, "nonsense", "", ())) == "Nonsense"


def test_a_block_that_is_wrong_has_no_sentence_and_the_others_do() -> None:
    draft = bm.add_block(rule(ratio="60"), "never_above")
    (_, first), (_, second) = bt.sentences(draft)
    assert first.startswith("Not a rule yet")
    assert second == "Never hedge above 75 %, always."


def test_the_file_is_toml_with_the_policy_and_plans() -> None:
    draft = bm.add_block(bm.change_file(rule(), policy="plugin"), "close_all")
    draft = bm.add_line(draft, draft.blocks[-1].key, 0, "equity_left")
    tree = tomllib.loads(str(bt.file_of(draft)))
    assert tree["policy"] == "plugin"
    assert tree["plan"][0]["then"] == "close_all"
    assert to_toml(rules_of(tree)) == bt.file_of(draft)


def test_menus_offer_every_other_container_and_no_group_for_a_group() -> None:
    draft = bm.add_block(bm.add_box(rule(), 1, 0, "any"), "never_above")
    draft = bm.add_line(draft, 1, 1, "volume")
    box, line = (part.key for _, part in draft.parts())
    assert [key for key, _ in bt.targets(draft, line)] == [box, draft.blocks[1].key]
    assert [key for key, _ in bt.targets(draft, box)] == [draft.blocks[1].key]

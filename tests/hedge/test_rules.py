"""Rules as files and words: what is written is read, and every mistake is told."""

from __future__ import annotations

import itertools
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, event, given, settings
from hypothesis import strategies as st

from litehedge.errors import ConfigError
from litehedge.hedge.policies import policy_named, with_rules
from litehedge.hedge.quantities import QUANTITIES, Quantity, read_value, shown
from litehedge.hedge.rule_reading import parse_rules, rules_of
from litehedge.hedge.rules import (
    Condition,
    Group,
    Rule,
    Rules,
    plan_words,
    to_toml,
    tree_of,
    words_of,
)
from litehedge.hedge.terms import terms_of
from litehedge.settings import load_settings
from litehedge.store.bundled import preset_names, preset_text
from litehedge.units import NS_PER_HOUR
from rule_files import conditions, fulfilled, rule_sets, rules_alone
from synthetic import packaged_tiers

HEAD = '[[rules]]\nhedge_at_least = "50 %"\n'


def parsed(text: str) -> Rules:
    return parse_rules(text, "my.toml", "my")


def refused(text: str) -> list[str]:
    with pytest.raises(ConfigError) as told:
        parsed(text)
    assert told.value.remedy == "nothing was started"
    return told.value.what.splitlines()


def complaint(line: str) -> str:
    """What is said of one condition, on the third line."""
    [told] = refused(f"{HEAD}when_all = [{line}]")
    assert told.startswith("my.toml:3  rule 1: ")
    return told


def table(rules: Rules, side: str) -> bytes:
    here = load_settings(f"[position]\nside = '{side}'")
    policy = with_rules(policy_named("plugin", here), rules)
    row = terms_of(here, policy, packaged_tiers(), 1.0)
    return b"".join(row[name].tobytes() for name in ("n_rules", "rules", "conditions"))


# --- round trips ------------------------------------------------------------------------------


def told_of(read: Any) -> list[str]:
    """What `read` complains of; nothing else may go wrong."""
    try:
        read()
    except ConfigError as error:
        return error.what.splitlines()
    return []


@given(rule_sets())
def test_what_is_written_is_read(rules: Rules) -> None:
    text = to_toml(rules)
    told = told_of(lambda: parsed(text))
    assert all("can never hold" in one or "cannot lie above" in one for one in told)
    assume(not told)
    again = parsed(text)
    assert again == rules
    for side in ("long", "short"):
        assert table(again, side) == table(rules, side)
    assert rules_of(json.loads(json.dumps(tree_of(rules)))) == rules  # a screen's way


@given(rule_sets())
def test_words_mention_every_condition(rules: Rules) -> None:
    for rule, said in zip(rules.rules, words_of(rules), strict=True):
        assert said.endswith(".")
        assert said.count("\n") == 0
        for leaf in rule.leaves():
            assert leaf.words() in said
            if leaf.quantity not in ("weekend", "weekday"):
                assert all(shown(leaf.of, value) in said for value in leaf.values)


@given(st.sampled_from(list(QUANTITIES.values())), st.floats(0.0, 1.0))
def test_values_are_read_as_they_are_shown(quantity: Quantity, where: float) -> None:
    value = quantity.low + where * (quantity.high - quantity.low)
    if quantity.choices:
        value = float(round(value))
    if quantity.name == "hour":
        value = round(value * 60.0) / 60.0
    assume(quantity.low <= value <= quantity.high)
    assert read_value(quantity, shown(quantity, value)) == value


@given(conditions(), st.floats(allow_nan=False))
def test_an_interval_is_what_the_comparator_says(condition: Condition, x: float) -> None:
    for value in (x, *condition.values, *np.nextafter(condition.values, x).tolist()):
        low, high, is_not = condition.interval()
        assert ((low <= value <= high) != is_not) == fulfilled(
            condition, value, holds_unknown=False
        )


# --- as people write it -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "quantity", "comparator", "values"),
    [
        ('"distance_to_liquidation below 8 %"', "distance_to_liquidation", "below", (0.08,)),
        ('"distance to liquidation < 8%"', "distance_to_liquidation", "below", (0.08,)),
        ('"Distance-to-liquidation<0.08"', "distance_to_liquidation", "below", (0.08,)),
        ('"volatility >= 0.4 percent"', "volatility", "at least", (0.004,)),
        ('"volatility at  most 40 bps"', "volatility", "at most", (0.004,)),
        ('{ quantity = "volatility", above = 0.004 }', "volatility", "above", (0.004,)),
        ('{ quantity = "volatility", ">" = "0.4 %" }', "volatility", "above", (0.004,)),
        ('{ quantity = "volatility", at_least = "0.4 %" }', "volatility", "at least", (0.004,)),
        ('{ quantity = "hour", between = ["22:30", "6:00"] }', "hour", "between", (22.5, 6.0)),
        ('"hour between 22 and 6"', "hour", "between", (22.0, 6.0)),
        ('"minutes_to_peak below 2 h"', "minutes_to_peak", "below", (120.0,)),
        ('"minutes_to_peak below 30 min"', "minutes_to_peak", "below", (30.0,)),
        ('"funding < -0.02 %"', "funding", "below", (-2.0,)),
        ('"funding_you_pay above 3bps"', "funding_you_pay", "above", (3.0,)),
        ('"leverage_now above 15x"', "leverage_now", "above", (15.0,)),
        ('"depth below 50,000 USDT"', "depth", "below", (50000.0,)),
        ('"weekday is Sat"', "weekday", "is", (5.0,)),
        ('"weekday between friday and monday"', "weekday", "between", (4.0, 0.0)),
        ('"weekend"', "weekend", "is", (1.0,)),
        ('{ quantity = "weekend", is = false }', "weekend", "is", (0.0,)),
        ('"forecast_state is not ok"', "forecast_state", "is not", (0.0,)),
        ('"squeeze_60min between 5 % and 10 %"', "squeeze_60min", "between", (0.05, 0.1)),
    ],
)
def test_conditions(written: str, quantity: str, comparator: str, values: Any) -> None:
    [rule] = parsed(f"{HEAD}when_all = [{written}]").rules
    assert rule.conditions == (Condition(quantity, comparator, values),)  # type: ignore[arg-type]


def test_a_rule_with_everything() -> None:
    text = """
name = "mine"
about = "For me."
policy = "margin-vol"
[[rules]]
name = "a"
never_above = 0.25
when_any = ["weekend", { all = ["volatility below 0.1 %", "funding_you_pay < -1 bps"] }]
for = "90 minutes"
[[rules]]
hedge_at_least = "5 %"
always = true
"""
    rules = parsed(text)
    assert (rules.name, rules.about, rules.policy) == ("mine", "For me.", "margin-vol")
    first, second = rules.rules
    assert first.for_ns == 1.5 * NS_PER_HOUR
    assert isinstance(first.conditions[1], Group)
    said, always = words_of(rules)
    assert said == (
        "Never hedge above 25 % when it is the weekend (UTC) or (the volatility of 5-minute "
        "returns is below 0.1 % and the funding that your position pays is below -1 bps); keep "
        "that up for 90 min."
    )
    assert always == "Hedge at least 5 %, always."
    assert second == Rule("hedge_at_least", 0.05)


@pytest.mark.parametrize("name", preset_names())
def test_presets(name: str) -> None:
    rules = parse_rules(preset_text(name), f"{name}.toml", name)
    assert rules.name == name
    assert rules.policy
    assert rules.about.endswith(".")
    assert all(rule.name for rule in rules.rules)
    assert parsed(to_toml(rules)) == rules


def test_there_are_six_presets_and_an_example_for_every_quantity() -> None:
    assert len(preset_names()) == 6
    for quantity in QUANTITIES.values():
        [rule] = parsed(f'{HEAD}when_all = ["{quantity.example}"]').rules
        [leaf] = rule.leaves()
        assert leaf.quantity == quantity.name
        assert leaf.text() == quantity.example


# --- mistakes ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ('"distance below 8 %"', 'no quantity "distance"'),
        ('"volatilty above 0.4 %"', "Did you mean volatility?"),
        ('"zzz above 0.4 %"', "There are: squeeze_15min, "),
        ('"volatility above 30 %"', "must be from 0 % to 20 %"),
        ('"squeeze_60min above 5"', "must be from 0 % to 100 %. Did you mean 5 %?"),
        ('"squeeze_60min above 30 min"', "is measured in %, not in 'min'"),
        ('"minutes_to_peak below 5 %"', "is measured in min, not in '%'"),
        ('"volatility above 1,5 %"', "must be a number in %; write for example 1.5 %"),
        ('"volatility above"', "must be a number in %"),
        ('"volatility"', "needs a comparator and a value, for example: volatility above 0.4 %"),
        ('"volatility abov 3 %"', "has no comparator"),
        ('"volatility is 3 %"', "is a number: write above, below or between"),
        ('"volatility between 2 % and 1 %"', "must not be above the second"),
        ('"volatility between 2 %"', "between needs two values"),
        ('"forecast_state above cold"', "is a word: write is or is not"),
        ('"forecast_state is warm"', "must be one of ok, degraded, cold, expired"),
        ('"weekday is someday"', "must be one of monday, "),
        ('"hour above 25:00"', "must be from 00:00 to 24:00"),
        ('"hour above noon"', "must be a time of the day (UTC)"),
        ("0.5", "must be a condition in quotes"),
        ("{ above = 3 }", "needs a quantity"),
        ('{ quantity = "volatility" }', "needs one comparator"),
        ('{ quantity = "volatility", abov = 3 }', "abov is not a comparator. Did you mean above?"),
        ('{ quantity = "volatility", above = 0.01, below = 0.02 }', "needs one comparator"),
        ('{ quantity = "volatility", above = true }', "must be a number in %"),
        ('{ quantity = "volatility", above = nan }', "must be a finite number"),
        ('{ quantity = "volatility", above = 2020-01-01 }', "must be a number in %"),
        ('{ any = [{ all = ["weekend"] }] }', "is a group inside a group"),
        ("{ any = [] }", "any must be a list of conditions"),
        ('"squeeze_60min above 100 %"', "can never hold"),
        ('"weekend is yes", "weekday is monday"', "can never hold"),
        ('"volatility above 5 %", "volatility below 2 %"', "can never hold"),
        ('"hour above 12:00", { any = ["hour < 06:00", "hour < 07:00"] }', "can never hold"),
    ],
)  # fmt: skip
def test_a_bad_condition(written: str, told: str) -> None:
    assert told in complaint(written)


@pytest.mark.parametrize(
    ("text", "line", "told"),
    [
        ("", 0, "there is no rule; begin one with [[rules]]"),
        ("rules = 3", 1, "must be sections that begin with [[rules]]"),
        ("a = 1\n" + HEAD + "always = true", 1, "a is not known here"),
        ("policy = 'plugn'\n" + HEAD + "always = true", 1, "Did you mean plugin?"),
        ("policy = 'static-50'\n" + HEAD + "always = true", 1, "is a smaller position"),
        ("policy = 3\n" + HEAD + "always = true", 1, "policy = 3: must be text in quotes"),
        ("[[rules]]\nalways = true", 1, "needs one of hedge_at_least, never_above"),
        (HEAD, 1, "needs one of when_all, when_any, always"),
        (HEAD + "always = true\nnever_above = 0.6", 4, "has both hedge_at_least and never_above"),
        (HEAD + "always = false", 3, "always must be true"),
        (HEAD + "when_all = []", 3, "must be a list of conditions"),
        (HEAD + "when_all = 'weekend'", 3, "must be a list of conditions"),
        (HEAD + "when_al = ['weekend']\nalways = true", 3, "Did you mean when_all?"),
        (HEAD + "always = true\nfor = '30'", 4, "must be a length of time"),
        (HEAD + "always = true\nfor = '90 d'", 4, "must be a length of time of up to 30 d"),
        (HEAD + "always = true\nwhen_unknown = 'x'", 4, 'must be "hedge"'),
        ("[[rules]]\nnever_above = '5 %'\nalways = true\nwhen_unknown = 'hedge'", 4,
         "is for hedge_at_least only"),
        ("[[rules]]\nhedge_at_least = 50\nalways = true", 2, "Did you mean 50 %?"),
        ("[[rules]]\nhedge_at_least = '150 %'\nalways = true", 2, "must be from 0 % to 100 %"),
        (HEAD + "when_any = [" + '"weekend", ' * 9 + "]", 3, "there may be 8 in a rule"),
        ((HEAD + "always = true\n") * 17, 49, "there may be 16 rules"),
        ('name = "a\\nb"\n' + HEAD + "always = true", 1, "must be one line of plain text"),
        ("a = = 2", 1, "is not valid TOML"),
        ("a = " + "9" * 5000, 0, "is not valid TOML"),
        ("a = " + "[" * 20000, 0, "nested too deeply"),
    ],
)  # fmt: skip
def test_a_bad_file(text: str, line: int, told: str) -> None:
    lines = refused(text)
    assert any(told in one for one in lines), lines
    assert lines[0].startswith(f"my.toml:{line}  " if line else "my.toml")


def test_every_mistake_is_told_at_once_where_it_is() -> None:
    text = """polcy = "plugin"
[[rules]]
name = "near"
hedge_at_least = 50
when_all = [
    # a comment with "quotes" and [brackets]
    "distance_to_liquidation below 8 %", "volatilty above 1 %",
    { any = [
        "minutes_to_peak below 3 %",
        "weekend is perhaps",
    ] },
]
[[rules]]
never_above = "20 %"
always = 1
for = 3
"""
    told = refused(text)
    assert [one.split("  ")[0].removeprefix("my.toml:") for one in told] == [
        "1", "4", "7", "9", "10", "15", "16",
    ]  # fmt: skip
    assert all('rule 1 "near"' in one for one in told[1:5])


def test_contradictions_are_told_beside_other_mistakes() -> None:
    told = refused(
        HEAD + "always = true\n" + HEAD + "alwys = true\n"
        "[[rules]]\nnever_above = 0.2\nwhen_all = ['weekend']\n"
    )  # fmt: skip
    assert [one.split("  ")[0].removeprefix("my.toml:") for one in told] == ["4", "6", "7"]
    assert "a floor cannot lie above a cap" in told[-1]


# --- contradictions ---------------------------------------------------------------------------

FLOOR = '[[rules]]\nhedge_at_least = "60 %"\n'
CEILING = '[[rules]]\nnever_above = "40 %"\n'
BOTH = (
    "when_all = [{any = ['weekend', 'hour above 12:00']}, "
    "{any = ['weekend', 'confidence above 50 %']}]"
)


@pytest.mark.parametrize(
    ("at_floor", "at_cap", "is_refused"),
    [
        ("always = true", "always = true", True),
        ("when_all = ['weekend']", "when_any = ['weekend']", True),
        ("when_all = ['weekend']", "always = true", True),
        ("always = true", "when_all = ['funding_you_pay below -3 bps']", True),
        ("when_all = ['volatility above 1 %']", "when_all = ['volatility above 0.5 %']", True),
        ("when_all = ['volatility above 0.5 %']", "when_all = ['volatility above 1 %']", True),
        ("when_all = ['weekday is sunday']", "when_all = ['weekend']", True),
        ("when_all = ['weekend', 'volatility above 1 %']", "when_any = ['weekend']", True),
        ("when_all = ['volatility above 1 %']", "when_all = ['volatility below 1 %']", False),
        ("when_all = ['volatility above 1 %']", "when_all = ['weekend']", False),
        ("when_any = ['weekend', 'volatility above 1 %']",
         "when_any = ['weekend', 'volatility below 0.5 %']", False),
        (BOTH, "when_any = ['weekend', 'hour above 12:00']", True),
    ],
)  # fmt: skip
def test_a_floor_above_a_cap(at_floor: str, at_cap: str, is_refused: bool) -> None:
    one, other = f"{FLOOR}{at_floor}\n", f"{CEILING}{at_cap}\n"
    for text in (one + other, other + one):
        if is_refused:
            [told] = refused(text)
            assert told.startswith("my.toml:4  rule 2: asks for")
            assert "a floor cannot lie above a cap" in told
        else:
            assert len(parsed(text).rules) == 2
    lower = FLOOR.replace("60", "40") + at_floor + "\n" + CEILING + at_cap
    assert len(parsed(lower).rules) == 2


@given(rules_alone("hedge_at_least", ("volatility", "weekday", "weekend")))
@settings(max_examples=30)
def test_a_rule_that_is_refused_as_impossible_is_never_met(rule: Rule) -> None:
    """Tried on a grid of every value at which something could change."""
    told = told_of(lambda: rules_of(tree_of(Rules("x", (rule,)))))
    event("refused" if told else "can hold")
    if not told:
        return
    grid: dict[str, set[float]] = {}
    for leaf in rule.leaves():
        name = "weekday" if leaf.quantity == "weekend" else leaf.quantity
        near = [QUANTITIES[name].low, QUANTITIES[name].high, *leaf.values]
        near += np.nextafter(near, 9.0).tolist() + np.nextafter(near, -9.0).tolist()
        grid.setdefault(name, set()).update(range(7) if name == "weekday" else near)

    def met(one: Condition | Group, at: dict[str, float]) -> bool:
        if isinstance(one, Group):
            return (all if one.mode == "all" else any)(met(leaf, at) for leaf in one.conditions)
        x = float(at["weekday"] >= 5) if one.quantity == "weekend" else at[one.quantity]
        return fulfilled(one, x, holds_unknown=False)

    for picks in itertools.product(*grid.values()):
        at = dict(zip(grid, picks, strict=True))
        # of any, one branch at least is dead
        assert not all(met(one, at) for one in rule.conditions)


# --- whatever is given ------------------------------------------------------------------------

plain = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12)
words = st.sampled_from(
    ["volatility above 1 %", "weekend", "hour between 3 and 4", "50 %", "30 min", "hedge", "all",
     "volatility above 1e9 %", "hour is 3", "between", "is", "volatility > ٣ %"]
)  # fmt: skip
keys = st.sampled_from(
    ["rules", "policy", "name", "hedge_at_least", "never_above", "when_all", "when_any", "always",
     "for", "when_unknown", "quantity", "above", "between", "is", "any", "all"]
) | st.text(max_size=6)  # fmt: skip
trees = st.recursive(
    plain | words,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=5),
    max_leaves=25,
)


@given(st.dictionaries(keys, trees, max_size=4), st.lists(st.dictionaries(keys, trees), max_size=3))
def test_any_tree_is_rules_or_a_config_error(tree: dict[str, Any], rules: list[Any]) -> None:
    for one in (tree, {"rules": rules}, tree | {"rules": rules}):
        told_of(lambda one=one: rules_of(one))


GOOD = preset_text("balanced")
damage = st.text("[]{}=\"'#,.%abz09 \n-", max_size=6)


@given(st.integers(0, len(GOOD) - 1), st.integers(0, 12), damage)
def test_any_damage_to_a_file_is_rules_or_a_config_error(at: int, cut: int, put: str) -> None:
    told = told_of(lambda: parsed(GOOD[:at] + put + GOOD[at + cut :]))
    assert all(one.startswith("my.toml") for one in told)


@given(st.text(max_size=60))
def test_any_text_as_a_condition(text: str) -> None:
    rule = {"hedge_at_least": text, "when_all": [text], "for": text}
    told_of(lambda: rules_of({"rules": [rule]}))


# --- plans ------------------------------------------------------------------------------------

PLAN = """[[plan]]
name = "near the end"
when_all = ["distance_to_liquidation below 4 %", { any = ["volatility above 1 %", "weekend"] }]
then = "hedge_fully"
for = "30m"
"""


def test_a_plan_is_read_said_and_written() -> None:
    rules = parsed(PLAN)
    assert rules.rules == ()
    [said] = plan_words(rules)
    assert said == (
        "When the distance to liquidation is below 4 % and (the volatility of 5-minute returns is "
        "above 1 % or it is the weekend (UTC)): hedge fully for 30 min, unless you say otherwise, "
        "and alert you."
    )
    assert parsed(to_toml(rules)) == rules
    assert rules_of(json.loads(json.dumps(tree_of(rules)))) == rules
    both = parsed(f"{HEAD}always = true\n{PLAN.replace('30m', '2 h')}")
    assert parsed(to_toml(both)) == both


@pytest.mark.parametrize(
    ("text", "line", "told"),
    [
        (PLAN.replace("hedge_fully", "hedge_full"), 4, "Did you mean hedge_fully?"),
        (PLAN.replace("hedge_fully", "halt"), 5, "for goes with freeze and hedge_fully only"),
        (PLAN.replace('then = "hedge_fully"\n', ""), 1, "needs what is to be done"),
        (PLAN.replace('name = "near the end"\n', ""), 1, "needs a name"),
        (PLAN.replace("30m", "soon"), 5, "must be a length of time"),
        (PLAN.replace("below 4 %", "below 4"), 3, "Did you mean 4 %?"),
        (PLAN.replace("when_all", "when"), 1, "needs one of when_all, when_any"),
        (PLAN + PLAN, 7, "has the name of plan 1"),
        (PLAN.replace('"weekend"', '"weekend is yes"').replace(
            '"distance_to_liquidation below 4 %"', '"depth below 1 USDT", "depth above 2 USDT"'
        ), 3, "can never hold"),
        (PLAN + "always = true\n", 6, "always is not known here"),
        ("plan = 3\n", 1, "must be sections that begin with [[plan]]"),
        (PLAN.replace("end", "\\u001b"), 2, "one line of plain text"),
    ],
)  # fmt: skip
def test_a_bad_plan(text: str, line: int, told: str) -> None:
    said = refused(text)
    assert any(one.startswith(f"my.toml:{line}  ") and told in one for one in said), said


@pytest.mark.parametrize("name", preset_names())
def test_the_plan_of_a_preset_is_off_until_it_is_switched_on(name: str) -> None:
    text = preset_text(name)
    assert parsed(text).plans == ()
    off, on = text.split("# [[plan]]")
    switched = off + "".join(
        line.removeprefix("# ") + "\n" for line in ("# [[plan]]" + on).splitlines()
    )
    rules = parsed(switched)
    assert len(rules.plans) == 1
    assert rules.rules == parsed(text).rules

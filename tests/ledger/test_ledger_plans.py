"""Plans that came true, scored as what people do by hand is, and told apart from it."""

from __future__ import annotations

import math
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acted import MINUTE, at, journaled, ledger_of, set_hedge
from litehedge.ledger.scores import By, Until, Verdict, ledger_in_words
from litehedge.market import events as ev
from synthetic import Crash, market

TAIL = 30 * MINUTE
CALM = market(160, seed=3, vol=0.0003)
WILD = market(200, seed=3, vol=0.001, crashes=(Crash(at=120, bars=15, depth=0.12),))
DEEP = market(300, seed=3, vol=0.001, crashes=(Crash(at=120, bars=15, depth=0.3),))


def clock(minute, lasts=12):
    """A condition that is true from a minute of the market on."""
    first, last = (f"{m // 60:02d}:{m % 60:02d}" for m in (minute, minute + lasts))
    return f'when_all = ["hour between {first} and {last}"]'


def plan(name, when, then, more=""):
    return f'[[plan]]\nname = "{name}"\n{when}\nthen = "{then}"\n{more}\n'


def kept(rules, commands=(), own=WILD, policy="unhedged", **options):
    with tempfile.TemporaryDirectory() as folder:
        journal = journaled(
            Path(folder) / "j", own, commands, policy=policy, rules=rules, **options
        )
        told = ledger_of(journal, tail_ns=TAIL)
        journal.close()
        return told


@settings(max_examples=6, deadline=None)
@given(st.integers(10, 100), st.sampled_from(["freeze", "halt"]))
def test_a_plan_that_is_what_the_model_does_anyway_is_worth_nothing(minute, then):
    told = kept(plan("calm", clock(minute), then), own=CALM)
    (score,) = told.scores
    assert score.by is By.PLAN
    assert score.pnl_usdt == 0.0
    assert score.verdict in (Verdict.SAME, Verdict.NOT_YET)
    assert (score.with_act.equity_usdt == score.without.equity_usdt).all()


def test_what_only_tells_or_was_done_already_is_no_act():
    assert kept(plan("bell", clock(60), "alert")).scores == []
    stood = [ev.Halt(at(30), at(30), "coffee")]
    told = kept(plan("late", clock(60), "halt"), stood, own=CALM)
    assert [[act.plan for act in score.acts] for score in told.scores] == [[""]]


def test_a_plan_before_a_crash_helped_and_says_whose_it_was():
    rules = plan("storm", clock(100), "hedge_fully", 'for = "1 h"')
    told = kept(rules, own=DEEP, leverage=5.0)
    (score,) = told.scores
    (act,) = score.acts
    assert (act.kind, act.plan, score.begins_ns) == ("set hedge", "storm", at(100))
    assert act.text == 'by your plan "storm": hold a hedge of 100% for 1h'
    assert score.over_ns == at(160)
    assert (score.until, score.verdict) == (Until.TAIL, Verdict.HELPED)
    assert score.liquidation == "avoided"
    assert score.with_act.trades > 0 == score.without.trades  # the other course has no plans
    assert ledger_in_words(told).startswith("your plans, which acted 1 time: 1 helped (+")


@pytest.mark.parametrize(("side", "verdict"), [("long", Verdict.HELPED), ("short", Verdict.COST)])
def test_closing_all_by_plan(side, verdict):
    """As closing all by hand: afterwards nothing moves, and what it cost is told."""
    told = kept(plan("out", clock(100), "close_all"), own=WILD, leverage=3, side=side)
    (score,) = told.scores
    assert [act.text for act in score.acts] == ['by your plan "out": close position and hedge']
    assert score.verdict is verdict
    last = score.with_act.equity_usdt[-10:]
    assert last.max() == last.min()
    assert abs(score.with_act.pnl_usdt) < 0.1 * abs(score.without.pnl_usdt)


def test_it_is_worth_what_the_same_command_by_hand_is():
    """A minute's bar lies between the two: the command comes before it, the plan acts on it."""
    rules = plan("storm", clock(100), "hedge_fully", 'for = "1 h"')
    by_plan = kept(rules, own=DEEP, leverage=5.0).scores[0]
    by_hand = kept("", [set_hedge(100, 1.0, 60)], own=DEEP, leverage=5.0).scores[0]
    assert by_plan.verdict is by_hand.verdict
    assert by_plan.pnl_usdt == pytest.approx(by_hand.pnl_usdt, rel=0.02)


def test_hand_and_plan_that_overlap_are_one_score_and_others_are_apart():
    rules = plan("night", clock(60), "freeze", 'for = "20 min"') + plan("bell", clock(90), "alert")
    told = kept(rules, [set_hedge(50, 0.5, 30)], own=CALM)
    (both,) = told.scores
    assert both.by is By.BOTH
    assert [act.plan for act in both.acts] == ["", "night"]
    apart = kept(rules, [set_hedge(20, 0.5, 10), set_hedge(100, 0.3, 10)], own=CALM)
    assert [score.by for score in apart.scores] == [By.HAND, By.PLAN, By.HAND]
    assert apart.scores[0].until is Until.NEXT
    assert apart.scores[1].until_ns <= at(100)
    assert "your 2 overrides: " in ledger_in_words(apart)
    assert ". Your plans, which acted 1 time: " in ledger_in_words(apart)
    assert ". All together " in ledger_in_words(apart)


def test_a_resume_after_a_plans_halt_ends_it():
    back = [ev.Resume(at(90), at(90), "RESUME")]
    told = kept(plan("stop", clock(60), "halt"), back, own=CALM)
    (score,) = told.scores
    assert [act.text for act in score.acts] == ['by your plan "stop": halt']
    assert (score.begins_ns, score.over_ns) == (at(60), at(90))


minutes = st.integers(10, 140)
thens = st.sampled_from(["freeze", "hedge_fully", "halt", "close_all"])


@settings(max_examples=4, deadline=None)
@given(st.lists(st.tuples(minutes, thens), min_size=1, max_size=3, unique_by=lambda one: one[1]),
       st.lists(st.tuples(minutes, st.floats(0.0, 1.0), st.integers(5, 40)), max_size=2,
                unique_by=lambda one: one[0]))  # fmt: skip
def test_acts_and_plans_add_up_tell_the_truth_and_are_the_same_each_time(plans, acts):
    rules = "".join(
        plan(
            f"p{i}",
            clock(minute),
            then,
            'for = "20 min"' if then in ("freeze", "hedge_fully") else "",
        )
        for i, (minute, then) in enumerate(plans)
    )
    commands = [set_hedge(minute, round(ratio, 2), lasts) for minute, ratio, lasts in acts]
    told, again = kept(rules, commands, policy="plugin"), kept(rules, commands, policy="plugin")
    assert told.differing == 0
    for score, same in zip(told.scores, again.scores, strict=True):
        assert (score.pnl_usdt, score.acts) == (same.pnl_usdt, same.acts)
        assert score.without.equity_usdt.tolist() == same.without.equity_usdt.tolist()
        # The account was a simulated one on the same bars: told with the acts it is what it was.
        assert score.with_act.pnl_usdt == pytest.approx(score.true_pnl_usdt, abs=1e-9)
    for name in told.total.__struct_fields__:
        parts = math.fsum(getattr(part, name) for part in told.by.values())
        assert parts == pytest.approx(getattr(told.total, name), abs=1e-9), name
    for who, part in told.by.items():
        own = [score for score in told.scores if score.by is who]
        judged = [score.pnl_usdt for score in own if score.verdict is not Verdict.NOT_YET]
        assert part.pnl_usdt == pytest.approx(math.fsum(judged), abs=1e-9)

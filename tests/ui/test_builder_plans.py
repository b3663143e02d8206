"""Plans of a draft: followed by the engine, told as often as they fired, put aside by newer."""

from __future__ import annotations

import msgspec
import pytest

from litehedge.config import Settings
from litehedge.store.bundled import preset_text
from litehedge.store.lake import Lake
from litehedge.ui import builder_plans as plans
from litehedge.ui import builder_test as bt
from litehedge.ui.builder_market import Question
from litehedge.ui.builder_worker import Trier, Waiting
from litehedge.units import NS_PER_MINUTE
from made_lakes import store, store_companions
from synthetic import Crash, market

QUIET = """
[[plan]]
name = "tell me"
when_all = ["distance_to_liquidation < 50 %"]
then = "alert"

[[plan]]
name = "never"
when_all = ["leverage_now > 90"]
then = "close_all"
"""
OUT = """
[[plan]]
name = "get out"
when_all = ["move_against_15min > 4 %"]
then = "close_all"
"""


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A home whose lake holds ten days that crash twice."""
    root = tmp_path_factory.mktemp("home")
    crashes = tuple(Crash(at, 6, 0.25) for at in (1_200, 2_200))
    own = market(2_880, seed=3, bar_ns=5 * NS_PER_MINUTE, vol=0.0004, crashes=crashes)
    store(Lake(root / "lake"), "made", own)
    store_companions(Lake(root / "lake"), own)
    return root


def tried(root, text, waiting=None):
    """All answers to the preset with these plans."""
    told: list[bt.Answer] = []
    rules = preset_text("cost-saver") + text
    asked = Question(
        "p", 1, rules, "made", "none", "long", 5.0, Settings().model_dump(mode="json")
    )  # fmt: skip
    Trier(Lake(root / "lake"), waiting or Waiting(), told.append).answer(asked)
    return told


def test_plans_that_do_nothing_change_nothing_and_are_counted(root):
    told = tried(root, QUIET)
    answer = told[-1]
    assert answer.followed is not None, answer
    assert {one.doing for one in told if one.figures and not one.followed} == {plans.DOING}
    quiet, never = answer.followed.plans
    assert quiet.times >= 1
    assert quiet.first_ns <= quiet.last_ns
    assert (never.times, never.first_ns) == (0, 0)
    # The engine's run is that of the compiled loop: only plans could part them.
    assert answer.followed.pnl == pytest.approx(answer.figures.pnl, abs=1e-9)
    assert answer.followed.cost == pytest.approx(answer.figures.cost, abs=1e-9)
    assert answer.followed.liquidated == answer.figures.liquidated
    said = bt.told(answer)["test_plans"]
    assert said[0].startswith("tell me: would have fired ")
    assert said[1] == "never: would never have fired."
    assert "With the plans" not in " ".join(said)


def test_a_plan_that_closes_is_told_with_what_came_of_it(root):
    answer = tried(root, OUT)[-1]
    assert answer.followed is not None, answer
    [out] = answer.followed.plans
    assert out.times == 1
    assert answer.followed.pnl != pytest.approx(answer.figures.pnl, abs=1e-4)
    said = bt.told(answer)["test_plans"]
    assert "(2" in said[0]
    assert said[0].endswith("close position and hedge, then only watch.")
    assert said[1].startswith("With the plans: result ")


def test_rules_without_plans_are_answered_at_once(root):
    answer = tried(root, "")[-1]
    assert answer.figures is not None
    assert answer.followed is None
    assert bt.told(answer)["test_plans"] == []


def test_a_newer_draft_puts_the_plans_of_the_older_aside(root):
    waiting, told = Waiting(), []
    newer = Question("p", 2, "", "made", "none", "long", 5.0, {})

    def hear(answer):
        told.append(answer)
        if answer.doing == plans.DOING:
            waiting.put(newer)

    asked = msgspec.structs.replace(
        newer, number=1, rules=preset_text("cost-saver") + QUIET,
        settings=Settings().model_dump(mode="json"),
    )  # fmt: skip
    Trier(Lake(root / "lake"), waiting, hear).answer(asked)
    assert told[-1].doing == plans.DOING
    assert told[-1].done == 0.0
    assert told[-1].figures is not None

"""What drafts would have done: judged as reports judge, said honestly."""

from __future__ import annotations

import asyncio
import math

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from litehedge.backtest import walk, with_position
from litehedge.config import Settings
from litehedge.hedge.policies import policy_named, with_rules
from litehedge.hedge.rule_reading import parse_rules
from litehedge.report.calls import Call, squeeze_calls
from litehedge.report.metrics import run_summary
from litehedge.store.bundled import preset_text, tier_table
from litehedge.store.lake import Lake
from litehedge.ui import builder_ask
from litehedge.ui import builder_market as market_of
from litehedge.ui import builder_test as bt
from litehedge.ui.builder_worker import Trier, Waiting
from litehedge.units import NS_PER_MINUTE
from made_lakes import store, store_companions
from synthetic import Crash, market

SETTINGS = Settings().model_dump(mode="json")


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A home whose lake holds forty days that crash now and then."""
    root = tmp_path_factory.mktemp("home")
    crashes = tuple(Crash(at, 6, 0.08) for at in range(1_500, 11_000, 1_500))
    own = market(11_520, seed=3, bar_ns=5 * NS_PER_MINUTE, vol=0.0004, crashes=crashes)
    store(Lake(root / "lake"), "made", own)
    store_companions(Lake(root / "lake"), own)
    return root


def question(**more) -> market_of.Question:
    asked = market_of.Question(
        "p", 1, preset_text("balanced"), "made", "none", "long", 10.0, SETTINGS
    )
    return msgspec.structs.replace(asked, **more)


@pytest.fixture(scope="module")
def trier(root):
    """A trier, what waits, and what it tells."""
    told: list[bt.Answer] = []
    waiting = Waiting()
    return Trier(Lake(root / "lake"), waiting, told.append), waiting, told


def test_figures_are_those_of_backtest_and_report(trier, root):
    trying, _, told = trier
    trying.answer(question())
    figures = told[-1].figures
    assert figures is not None, told[-1]
    tape, _ = market_of.tape_for(Lake(root / "lake"), question(), lambda doing, done: None)
    settings = with_position(Settings(), "long", 10.0)
    rules = parse_rules(preset_text("balanced"), "x", "balanced")
    policy = with_rules(policy_named("plugin", settings), rules)
    run = walk(tape, settings, tier_table(settings.venue.name, settings.venue.symbol), policy)
    summary = run_summary(run, tape, settings)
    calls = [c for c in squeeze_calls(run, tape, settings) if c.squeeze.side == "long"]
    assert figures.squeezes == len(calls) > 3
    assert figures.caught == sum(c.call is Call.CAUGHT for c in calls)
    assert figures.liquidated == len(summary.liquidated_ns)
    assert figures.cost == pytest.approx(summary.cost_usdt / summary.invested_usdt)
    assert figures.avg_hedge == pytest.approx(summary.avg_hedge)
    assert figures.naked_liquidated > 0


def test_a_second_draft_reads_no_market_again(trier):
    trying, _, told = trier
    trying.answer(question())
    told.clear()
    trying.answer(question(number=2, rules=preset_text("squeeze-only")))
    assert [answer.doing for answer in told] == [""]
    assert told[0].number == 2


def test_a_newer_draft_puts_the_older_one_aside(trier):
    trying, waiting, told = trier
    trying.answer(question())  # the market is read, the position walked
    told.clear()
    waiting.put(question(number=8))
    waiting.put(question(number=9))
    trying.answer(question(number=7))
    assert told == []
    taken = waiting.take()
    assert taken is not None
    assert taken.number == 9
    assert waiting.newer(taken) is None


def test_a_tape_that_the_newer_draft_needs_too_is_built_on(root):
    told: list[bt.Answer] = []
    waiting = Waiting()
    waiting.put(question(number=2))
    Trier(Lake(root / "lake"), waiting, told.append).answer(question())
    assert [answer.number for answer in told] == [2] * len(told)
    assert told
    assert all(answer.figures is None for answer in told)
    gone: list[bt.Answer] = []
    waiting.put(question(number=3, data=market_of.SIMULATED))
    Trier(Lake(root / "lake"), waiting, gone.append).answer(question())
    assert gone == []


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"data": "nothing"}, "no data set nothing"),
        ({"model": "nobody"}, "no model 'nobody'"),
        ({"leverage": 120.0}, "above the maximum"),
        ({"rules": "[[rules]]\nnever_above = 7\nalways = true"}, "never_above"),
    ],
)
def test_trouble_is_an_answer(trier, more, says):
    trying, _, told = trier
    trying.answer(question(**more))
    assert says in told[-1].problem
    assert bt.told(told[-1])["test_state"] == "bad"


def test_the_process_answers_and_ends(root):
    heard: list[bt.Answer] = []

    async def asking() -> int | None:
        tests, over = builder_ask.Tests(root), asyncio.Event()

        def hear(answer: bt.Answer) -> None:
            heard.append(answer)
            if answer.figures is not None or answer.problem:
                over.set()

        await tests.ask(question(), hear)
        await asyncio.wait_for(over.wait(), 240)
        process = tests._process
        await tests.close()
        assert process is not None
        return process.returncode

    assert asyncio.run(asking()) == 0
    assert heard[-1].figures is not None, heard[-1]
    assert heard[0].doing


# --- pure ---------------------------------------------------------------------------------------


@given(st.lists(st.floats(0.0, 1.0) | st.just(math.nan), max_size=40))
def test_a_rise_is_counted_once_and_small_ones_never(ratio):
    times = bt.times_raised(np.array(ratio))
    steps = np.diff(np.nan_to_num(np.array([0.0, *ratio])))
    assert times <= (steps > 0).sum()
    assert bt.times_raised(np.array(ratio) * 0.09) == 0
    assert bt.times_raised(np.repeat(ratio, 3)) == times


@pytest.mark.parametrize(
    ("ratio", "times"),
    [
        ([], 0), ([0.0, 0.5, 0.5], 1), ([0.25] * 5, 1), ([0.0, 0.5, 0.45, 0.5], 1),
        ([0.0, 0.5, 0.2, 0.5], 2), ([0.0, 0.06, 0.12, 0.18], 1), ([0.5, math.nan, 0.5], 2),
    ],
)  # fmt: skip
def test_rises(ratio, times):
    assert bt.times_raised(np.array(ratio)) == times


FIGURES = bt.Figures(14, 6, 11, 19.0, 0.0014, 0.0002, 0, 2, 0.31, -0.02, -0.4)
MARKET = market_of.Market("ltc_spot_5m", 0, 90 * 86_400 * 10**9, 1.0, "m", False, False)


def test_the_line_reads_as_promised():
    assert bt.line(FIGURES) == (
        "Would have hedged 14 times, caught 6 of 11, median 19 min early, cost 0.14%."
    )
    assert bt.more(FIGURES).startswith("2 of 2 liquidations avoided.")


def test_what_is_not_history_or_was_learnt_from_says_so():
    assert bt.notes(MARKET) == []
    said = " ".join(bt.notes(msgspec.structs.replace(MARKET, saw=True)))
    assert "learnt from these days" in said
    made = msgspec.structs.replace(MARKET, is_simulated=True, data=market_of.SIMULATED)
    assert "simulated" in bt.title(made)
    assert "not history" in " ".join(bt.notes(made))
    gaps = msgspec.structs.replace(MARKET, covered=0.48, model="none")
    assert "48%" in bt.notes(gaps)[1]


@pytest.mark.parametrize(
    ("minutes", "says"),
    [(19.0, "median 19 min early"), (-7.0, "median 7 min late"), (300.0, "median 5 h early"),
     (4_000.0, "hedged for days before them")],
)  # fmt: skip
def test_how_early(minutes, says):
    assert bt.lead_words(minutes) == says


def test_mistakes_and_waiting_are_said():
    answer = bt.Answer("p", 1, figures=FIGURES, market=MARKET)
    assert "2 fields to mend" in bt.told(answer, ["1.ratio", "2.line"])["test_line"]
    assert bt.told(None)["test_busy"] is True
    assert bt.told(bt.Answer("p", 1, doing="reading x", done=0.41))["test_done"] == 41
    assert bt.told(answer)["test_state"] == "good"


def test_an_empty_lake_offers_a_simulated_market_and_no_other(tmp_path, root):
    assert list(market_of.data_choices(Lake(tmp_path / "lake"))) == [market_of.SIMULATED]
    assert list(market_of.data_choices(Lake(root / "lake"))) == ["made", market_of.SIMULATED]

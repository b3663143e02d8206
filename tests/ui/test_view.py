"""What the screen says."""

from __future__ import annotations

import itertools
import json
import math
from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from litehedge.market import events as ev
from litehedge.risk.state import TradingState
from litehedge.store.tail import Tail
from litehedge.ui import view
from litehedge.ui.adjust import stays
from litehedge.ui.seen import Account, Seen
from litehedge.ui.stages import stage
from litehedge.units import NS_PER_DAY, NS_PER_HOUR, NS_PER_MS, NS_PER_SECOND
from litehedge_runs import journaled_run


@pytest.fixture(scope="module")
def news(tmp_path_factory):
    path = tmp_path_factory.mktemp("view") / "journal.sqlite"
    journaled_run(path, keeps_checkpoints=True, held_every_ns=NS_PER_HOUR)
    return Tail(path, NS_PER_DAY).news()


def _seen(news, share: float = 1.0) -> Seen:
    seen = Seen("paper")
    seen.begin(news.run_id, news.header)
    seen.take(news.items[: int(share * len(news.items))])
    return seen


@pytest.mark.parametrize("share", [0.0, 0.05, 0.3, 0.6, 0.7, 0.8, 1.0])
def test_all_that_is_said_can_be_sent_and_read(news, share):
    said = view.desk(_seen(news, share))
    text = json.dumps(said, allow_nan=False)
    assert "nan" not in text.lower().replace("financ", "")
    assert "None" not in text


def test_an_empty_session_says_what_it_waits_for():
    said = view.header(Seen("paper"), age_s=9.0, runs=True) | view.desk(Seen("paper"))
    assert said["age_s"] == 0.0
    assert said["warming"] == view.WARMING
    assert said["to_liquidation"] == "no position is guarded now"
    assert "warming up" in said["forecast_state"]


def test_an_open_position_is_not_denied_before_a_price_is_known(news):
    seen = next(s for s in (_seen(news, x / 20) for x in range(20, 0, -1)) if s.holds)
    seen.price = math.nan
    said = view.desk(seen)
    assert said["position"] == "position open"
    assert said["to_liquidation"] == "a position is open; no price is known yet"
    assert stays(seen).startswith("Your open position")
    assert "3 of 3" not in stage(ev.CloseAll(1, 1, "x"), seen, received=True, runs=True)


def test_a_leverage_that_there_is_not_is_left_out():
    account = Account("long", 10.0, 10.0, 0.0, 0.0, -5.0, math.nan, 0.0, 80.0)
    assert view.position_of(account) == "long 10.00 LTC"


def test_the_same_keys_are_said_at_all_times(news):
    assert set(view.desk(_seen(news))) == set(view.desk(Seen("paper")))


def test_a_session_that_does_not_run_says_that_nobody_guards(news):
    said = view.header(_seen(news), age_s=60.0, runs=False)
    assert "nobody guards the position" in said["stale_says"]
    assert said["age_s"] == 60.0


def test_what_is_over_is_not_stale(news):
    said = view.header(_seen(news), age_s=60.0, runs=False, over="The demo is over.")
    assert said["over"] == "The demo is over."
    assert said["stale_says"] == ""
    assert view.header(_seen(news), age_s=60.0, runs=False)["over"] == ""


def test_a_refusal_is_told_with_its_reason(news):
    refused = [d for d in _seen(news).decisions if view.is_refused(d)]
    for told in refused:
        line = view.decision_line("paper", told)
        assert line["state"] == "bad"
        assert line["text"].startswith("Refused: ")
    acted = [d for d in _seen(news).decisions if d.order_id]
    assert acted
    assert all("LTC" in view.sentence(d) for d in acted)
    assert all(f"at={d.time_ns}" in view.decision_line("paper", d)["href"] for d in acted)


@given(away=st.floats(0, 1), further=st.floats(0, 1))
def test_further_away_is_never_more_dangerous(away, further):
    order = ["near", "careful", "far"]
    low, high = sorted((away, further))
    assert order.index(view.danger(low)) <= order.index(view.danger(high))


@given(share=st.floats(0, 1) | st.just(float("nan")))
def test_a_probability_has_no_decimals(share):
    told = view.probability(share)
    assert told in (view.NOTHING, "under 1%") or told == f"{round(100 * share):.0f}%"


def test_points_that_were_sent_are_not_sent_again(news):
    seen = _seen(news)
    whole = view.chart_points(seen)
    half_ns = seen.prices[len(seen.prices) // 2][0]
    rest = view.chart_points(seen, half_ns)
    assert whole["price"][-len(rest["price"]) :] == rest["price"]
    assert all(ms * 1_000_000 > half_ns for ms, _ in rest["price"])
    assert view.chart_points(seen, seen.now_ns) == {}


@given(st.lists(st.integers(1, 5)), st.integers(0, 60))
def test_the_newest_points_are_those_behind_a_moment(steps, after_ns):
    times = list(itertools.accumulate(steps))
    seen = Seen("t", prices=deque((ns * NS_PER_MS, 80.0) for ns in times))
    told = view.chart_points(seen, after_ns * NS_PER_MS)
    assert [ms for ms, _ in told.get("price", [])] == [t for t in times if t > after_ns]


def test_to_tell_what_is_new_the_past_is_not_looked_at():
    looked = []

    class Counted(deque):
        def __reversed__(self):
            for row in super().__reversed__():
                looked.append(row)
                yield row

        def __iter__(self):
            raise AssertionError("from the oldest on")

    seen = Seen("t", prices=Counted((i * NS_PER_SECOND, 80.0) for i in range(3600)))
    assert len(view.chart_points(seen, 3597 * NS_PER_SECOND)["price"]) == 2
    assert len(looked) == 3


def test_the_stages_of_a_halt_are_told_to_the_end(news):
    seen = _seen(news)
    halt = ev.Halt(0, 0, "a test")
    assert "asked, 1 of 3" in stage(halt, seen, received=False, runs=True)
    assert stage(halt, seen, received=False, runs=False).endswith("counts at its next start.")
    follow = stage(ev.Follow(0, 0), seen, received=False, runs=False)
    assert follow.endswith("if that is within a minute.")
    assert "received, 2 of 3" in stage(halt, seen, received=True, runs=True)
    assert seen.state is not None
    seen.state.trading = TradingState.HALTED
    assert "done, 3 of 3" in stage(halt, seen, received=True, runs=True)


def test_a_halt_says_what_it_leaves_as_it_is(news):
    assert "stay as they are" in stays(_seen(news))
    assert stays(Seen("paper")) == "No position is guarded now."


def test_a_hold_is_done_when_the_hedge_is_there(news):
    seen = _seen(news)
    account = seen.account()
    assert account is not None
    there = ev.SetHedge(0, 0, account.ratio, seen.now_ns + 1)
    elsewhere = ev.SetHedge(0, 0, abs(account.ratio - 0.5), seen.now_ns + 1)
    assert "done" in stage(there, seen, received=True, runs=True)
    assert "received" in stage(elsewhere, seen, received=True, runs=True)

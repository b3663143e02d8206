"""What differs and is left to a person: compared apart, never traded against, over restarts."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_venues_truth import World

from litehedge.effects import Checkpoint
from litehedge.engine_state import take_checkpoint
from litehedge.market import events as ev
from litehedge.risk.state import TradingState
from litehedge.store.journal import decode_checkpoint, encode_effect

ACTIVE, REDUCING = TradingState.ACTIVE, TradingState.REDUCING


def ignoring(theirs: float, hedge: float = 0.0) -> World:
    """Our books hold 50 LTC, the venue `theirs`, and a person minds the rest."""
    here = World(keeps_checkpoints=True).open(
        hedge_qty_ltc=-hedge, hedge_entry_usdt=100.0 if hedge else 0.0
    )
    here.tell(ev.Freeze(here.now, here.now, here.now + 10**15))
    here.bar()
    here.report(qty_ltc=theirs)
    here.wait(6)
    here.tell(ev.Ignore(here.now, here.now))
    return here


def test_trading_goes_back_and_the_books_stay() -> None:
    here = ignoring(30.0)
    assert here.state.trading is ACTIVE
    assert here.held() == (50.0, 0.0)
    assert "-20.000 LTC beside our position" in here.alerts()
    here.now += 1
    here.report(qty_ltc=30.0)
    here.wait(10)
    assert here.state.trading is ACTIVE
    assert here.state.reports == [None, None]


@given(
    theirs=st.integers(0, 100).filter(lambda n: n != 50), hedge=st.integers(0, 50),
    ratio=st.integers(0, 10),
)  # fmt: skip
@settings(max_examples=40)
def test_nothing_is_done_that_the_venue_does_not_bear(theirs: int, hedge: int, ratio: int) -> None:
    here = ignoring(float(theirs), float(hedge))
    here.hold(ratio / 10)
    for _ in range(3):
        here.bar()
        if here.state.order is not None:
            here.fill()
    position, short = here.held()
    assert position == 50.0
    raised = -short - hedge
    if raised > 0.0:  # no more hedge than there is to hedge at the venue
        assert raised <= max(0.0, theirs - hedge) + 1e-9
    for order in here.sent:
        assert order.leg == 1


def test_another_difference_is_told_again() -> None:
    here = ignoring(30.0)
    here.now += 1
    here.report(qty_ltc=25.0)
    here.wait(6)
    assert here.state.trading is REDUCING
    assert "our position is 30.000 LTC, the venue's 25.000" in here.alerts()


def test_it_ends_when_the_difference_is_gone() -> None:
    here = ignoring(30.0)
    here.now += 1
    here.report(qty_ltc=50.0)
    assert here.state.ignored_ltc == [0.0, 0.0]
    assert "what differed of the position is gone" in here.alerts()
    assert here.state.trading is ACTIVE


def test_adopting_ends_it_and_takes_the_difference_over() -> None:
    here = ignoring(30.0)
    here.tell(ev.Adopt(here.now, here.now))
    assert here.held() == (30.0, 0.0)
    assert here.state.ignored_ltc == [0.0, 0.0]


def test_it_outlives_a_restart() -> None:
    before = ignoring(30.0)
    last = [e for e in before.said if isinstance(e, Checkpoint)][-1]
    assert last.ignored_ltc == [-20.0, 0.0]
    here = World(checkpoint=decode_checkpoint(encode_effect(last)), needs_reconciling=True)
    here.now = before.now
    here.tell(ev.Opened(here.now, here.now, 990.0, None, 30.0, 90.0, 5.0, False, 0.0, 0.0, True))
    assert here.held() == (50.0, 0.0)
    assert float(here.state.books["entry"][0, 0]) == 100.0
    here.now += 1
    here.report(qty_ltc=30.0)
    here.wait(6)
    assert here.state.trading is ACTIVE


def test_what_cannot_be_apart_any_more_is_ours_again() -> None:
    before = ignoring(80.0)
    point = take_checkpoint(before.state, before.now)
    here = World(checkpoint=point, needs_reconciling=True)
    here.now = before.now
    here.tell(ev.Opened(here.now, here.now, 990.0, None, 20.0, 90.0, 5.0, False, 0.0, 0.0, True))
    assert here.held() == (20.0, 0.0)
    assert here.state.ignored_ltc == [0.0, 0.0]


@pytest.mark.parametrize(
    ("theirs", "bought"), [(0.0, 0.0), (-5.0, 0.0), (20.0, 20.0), (45.0, 20.0)]
)
def test_of_a_position_that_a_person_closed_nothing_is_bought_back(
    theirs: float, bought: float
) -> None:
    """We had sold 20 of 50 LTC; then a person traded too, and minds that."""
    here = World("reduce").open()
    here.hold(0.4)
    here.bar()
    here.fill()
    assert here.held() == (30.0, 0.0)
    here.now += 1
    here.report(qty_ltc=theirs)
    here.wait(6)
    here.tell(ev.Ignore(here.now, here.now))
    sent = len(here.sent)
    here.hold(0.0)
    here.bar()
    assert sum(float(order.qty_ltc) for order in here.sent[sent:]) == bought


def test_without_a_difference_there_is_nothing_to_ignore() -> None:
    here = World().open()
    here.bar()
    here.tell(ev.Ignore(here.now, here.now))
    assert "nothing differs" in here.alerts()
    assert here.state.ignored_ltc == [0.0, 0.0]

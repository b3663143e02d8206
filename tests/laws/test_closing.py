"""Close all: whatever the venue does, legs only shrink, until both are flat; then nothing is sent.

The net exposure never grows beyond what it was, or a slice.
"""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_venues_truth import PLACES, World

from litehedge.closing import closing_change, is_flat
from litehedge.effects import Alert, CancelAll, Checkpoint, Decision, StateChange
from litehedge.engine import relive
from litehedge.engine_state import take_checkpoint
from litehedge.market import events as ev
from litehedge.risk.state import TradingState
from litehedge.store.journal import decode_checkpoint, encode_effect
from litehedge.units import NS_PER_HOUR, NS_PER_SECOND

APART = ("same_account", "second_venue")


def closing(location: str, hedge: float = 0.0) -> World:
    """A world at 100 USDT in which a person has just asked to close everything."""
    here = World(location, keeps_checkpoints=True)
    second = 800.0 if location == "second_venue" else None
    here.tell(
        ev.Opened(
            here.now, here.now, 1000.0, second, 50.0, 100.0, 5.0, False, -hedge,
            100.0 if hedge else 0.0,
        )
    )  # fmt: skip
    here.tell(ev.Freeze(here.now, here.now, here.now + NS_PER_HOUR))
    here.bar()
    here.tell(ev.CloseAll(here.now, here.now, "enough"))
    return here


def test_it_halts_at_once_and_sends_at_once() -> None:
    here = closing("same_account")
    assert here.state.trading is TradingState.HALTED
    [change] = [e for e in here.said if isinstance(e, StateChange)]
    assert change.cause == "close-all command"
    [order] = here.sent
    assert order.reduce_only
    assert (order.leg, float(order.qty_ltc)) == (0, -50.0)
    assert float(order.limit_usdt) == 97.0  # twice the collar
    here.fill()
    here.wait(1)
    assert is_flat(here.state)
    assert here.state.closing is None
    assert not here.state.is_open
    assert "position and hedge are closed (enough)" in here.alerts()
    here.bar()
    here.wait(60)
    assert len(here.sent) == 1


@given(
    location=st.sampled_from(PLACES), hedge=st.integers(0, 50_000),
    story=st.lists(
        st.tuples(st.sampled_from("fffprxwbk"), st.floats(0.0, 1.0)), min_size=1, max_size=30
    ),
)  # fmt: skip
@settings(max_examples=60)
def test_legs_only_shrink_until_both_are_flat(
    location: str, hedge: int, story: list[tuple[str, float]]
) -> None:
    here = closing(location, hedge / 1000 if location in APART else 0.0)
    slice_ltc = 0.0 if here.state.closing is None else here.state.closing.slice_ltc
    last_ns = here.now
    most = max(abs(sum(here.held())), slice_ltc)

    def look() -> None:
        nonlocal last_ns
        held = here.held()
        assert held[0] >= -1e-9
        assert held[1] <= 1e-9
        assert abs(sum(held)) <= most + 1e-6
        assert here.state.trading is TradingState.HALTED
        order = here.state.order
        if order is not None and order.decided_ns != last_ns and len(here.sent) > 1:
            assert order.decided_ns - last_ns >= NS_PER_SECOND
            last_ns = order.decided_ns
        if order is not None:
            assert order.reduce_only
            assert abs(float(order.qty_ltc)) <= abs(held[order.leg]) + 1e-9

    for what, share in story:
        look()
        if what in "fprx" and here.state.order is not None:
            if what == "r":
                here.refuse()
            else:
                here.fill({"f": 1.0, "p": share, "x": 0.0}[what])
        elif what == "b":
            here.bar()
        elif what == "k":
            depth = 1e6 * share
            here.tell(ev.Book(here.now, here.now, 99.99, 100.01, depth, depth))
        else:
            here.wait(1)
    here.tell(ev.Book(here.now, here.now, 99.99, 100.01, 1e6, 1e6))
    for _ in range(60):
        if here.state.closing is None:
            break
        here.wait(31)
        look()
        if here.state.order is not None:
            here.fill()
    assert here.state.closing is None
    assert is_flat(here.state)
    sent = len(here.sent)
    here.bar()
    here.wait(60)
    assert len(here.sent) == sent


def test_every_refusal_is_told_and_tried_again_later_each_time() -> None:
    here = closing("same_account")
    for seconds in (2, 4, 8, 16, 30, 30):
        here.refuse()
        here.wait(seconds - 1)
        assert here.state.order is None
        here.wait(1)
        assert here.state.order is not None
        assert f"did not trade: throttled; again in {seconds} s" in here.alerts()
    here.fill()
    assert here.state.trading is TradingState.HALTED


def test_legs_that_are_alike_are_closed_in_turns() -> None:
    here = closing("same_account", hedge=50.0)
    for _ in range(20):
        if here.state.order is not None:
            here.fill()
        here.wait(1)
    assert [order.leg for order in here.sent] == [0, 1] * 4
    assert {abs(float(order.qty_ltc)) for order in here.sent} == {12.5}


def test_the_larger_leg_goes_first_down_to_the_other() -> None:
    here = closing("same_account", hedge=20.0)
    assert (here.sent[-1].leg, float(here.sent[-1].qty_ltc)) == (0, -30.0)
    here.state.books["qty"][0, 0] = 10.0
    assert closing_change(here.state, 100.0) == (1, 10.0)


def test_a_hedge_that_stands_alone_is_closed() -> None:
    here = World("same_account").open(hedge_qty_ltc=-20.0, hedge_entry_usdt=100.0)
    here.bar()
    here.state.books["qty"][0, 0] = 0.0
    here.state.is_open = False
    assert closing_change(here.state, 100.0) == (1, 20.0)
    here.tell(ev.CloseAll(here.now, here.now))
    assert (here.sent[-1].leg, float(here.sent[-1].qty_ltc)) == (1, 20.0)


def test_it_goes_on_after_a_restart_once_the_account_was_told() -> None:
    before = closing("same_account", hedge=20.0)
    last = [e for e in before.said if isinstance(e, Checkpoint)][-1]
    assert last.closing is not None
    order = before.sent[-1]
    fill = ev.OrderFilled(before.now, before.now, order.client_id, 0, -30.0, 100.0, 0.1, 0.1)
    here = World(checkpoint=decode_checkpoint(encode_effect(last)), needs_reconciling=True)
    here.state = relive(here.state, [fill])
    here.now = before.now
    here.wait(5)
    assert here.sent == []
    here.tell(
        ev.Opened(here.now, here.now, 950.0, None, 20.0, 100.0, 5.0, False, -20.0, 100.0, True)
    )
    for _ in range(4):
        here.bar()
    assert here.sent
    assert here.sent[0].reduce_only


def test_when_it_is_done_a_restart_does_not_begin_anew() -> None:
    here = closing("same_account")
    here.fill()
    here.wait(1)
    assert here.state.closing is None
    last = [e for e in here.said if isinstance(e, Checkpoint)][-1]
    assert last.closing is None
    assert not last.is_open


@pytest.mark.parametrize("ends", ["halt", "resume", "follow"])
def test_a_person_ends_it(ends: str) -> None:
    here = closing("same_account", hedge=50.0)
    here.fill()
    now = here.now
    here.tell(
        {
            "halt": ev.Halt(now, now, "wait"), "resume": ev.Resume(now, now, "RESUME"),
            "follow": ev.Follow(now, now),
        }[ends]
    )  # fmt: skip
    assert here.state.closing is None
    assert "37.500 LTC of the position and 50.000 LTC of the hedge are left" in here.alerts()
    sent = len(here.sent)
    here.wait(5)
    assert len(here.sent) == sent
    wanted = TradingState.ACTIVE if ends == "resume" else TradingState.HALTED
    assert here.state.trading is wanted


def test_what_was_in_flight_is_cancelled_and_then_it_closes() -> None:
    here = World().open()
    here.bar()
    here.hold(0.4)
    assert here.state.order is not None
    said = here.tell(ev.CloseAll(here.now, here.now))
    assert any(isinstance(e, CancelAll) for e in said)
    assert len(here.sent) == 1
    here.tell(ev.OrderExpired(here.now, here.now, here.sent[0].client_id, "cancelled"))
    assert len(here.sent) == 2
    assert here.sent[-1].reduce_only


def test_in_a_halt_it_closes_too() -> None:
    here = World().open()
    here.bar()
    here.tell(ev.Halt(here.now, here.now, "enough"))
    here.tell(ev.CloseAll(here.now, here.now))
    assert len(here.sent) == 1


def test_no_more_is_closed_than_the_venue_holds_too() -> None:
    here = World().open()
    here.bar()
    here.report(qty_ltc=30.0)
    here.tell(ev.CloseAll(here.now, here.now))
    assert float(here.sent[-1].qty_ltc) == -30.0


def test_a_part_that_was_reduced_is_gone_and_no_hedge() -> None:
    here = World("reduce").open()
    here.bar()
    here.hold(0.4)
    here.fill()
    here.tell(ev.CloseAll(here.now, here.now))
    here.wait(1)
    here.fill()
    here.wait(1)
    assert here.state.closing is None
    assert float(here.state.terms["size"][0]) == 0.0
    here.tell(ev.Resume(here.now, here.now, "RESUME"))
    here.bar()
    assert not [e for e in here.said[-3:] if isinstance(e, Decision)]


def test_nothing_to_close_is_told() -> None:
    here = World()
    here.bar()
    here.tell(ev.CloseAll(here.now, here.now))
    assert here.state.closing is None
    assert here.sent == []
    assert here.state.trading is TradingState.HALTED
    assert any(isinstance(e, Alert) and "closed" in e.text for e in here.said)


def test_a_book_without_depth_still_lets_small_orders_out() -> None:
    here = closing("same_account")
    here.refuse()
    here.wait(2)
    here.fill(0.0)
    here.tell(ev.Book(here.now, here.now, 99.99, 100.01, 0.0, 0.0))
    leg, qty = closing_change(here.state, 100.0)
    assert (leg, qty) == (0, -0.4)  # two of the smallest orders
    assert take_checkpoint(here.state, here.now).closing is not None

"""What protects goes on while everything is closed, without depth, after a restart, or is off.

Stops stand for what is left and no more; what closes waits for no book; nothing that a run knew
and that a decision needs is lost by a restart.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from math import nan

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from laws.test_protecting import PRICE, SIDES, TIERS, WALLET, Desk, S
from litehedge.effects import Alert, KeepStop, Submit, Watched
from litehedge.engine import step
from litehedge.engine_state import restore, start, take_checkpoint
from litehedge.hedge import signals as sg
from litehedge.margin.account import HEDGE, POSITION
from litehedge.margin.liquidation import scope_bounds
from litehedge.market import events as ev
from litehedge.model.baselines.blind import BlindForecaster
from litehedge.risk.health import endangered, relief, stricter
from litehedge.risk.limits import new_budget, share_left
from litehedge.risk.parachute import Watch
from litehedge.squeeze.forecast import ForecastState
from litehedge.store.journal import decode_checkpoint, encode_effect


def again(desk: Desk, **sections: object) -> Desk:
    """Return the desk after its process ended and began anew from the last checkpoint."""
    point = decode_checkpoint(encode_effect(take_checkpoint(desk.state, desk.now_ns)))
    tree = desk.settings.model_copy(update=sections)
    desk.settings = tree
    desk.state = start(
        tree, desk.state.fixed.policy, TIERS, BlindForecaster(), session="p", atom_ns=5 * S,
        per_frame=12, needs_reconciling=True,
    )  # fmt: skip
    restore(desk.state, point)
    return desk


def reopened(desk: Desk) -> None:
    account = desk.state.books[0]
    qty, entry = account["qty"].tolist(), account["entry"].tolist()
    desk.tell(
        ev.Opened, float(account["wallet"][0]), None, qty[0], entry[0], 20.0, False, qty[1],
        entry[1], True,
    )  # fmt: skip


# --- stops --------------------------------------------------------------------------------------


@SIDES
def test_while_all_is_closed_the_stop_stands_for_what_is_left(side, way):
    """A stop for more than there is would close nothing in hedge mode, or open the other side."""
    desk = Desk(side, policy="hazard")
    desk.quiet(3)
    first = desk.of(KeepStop)[-1].qty_ltc
    held = Decimal(repr(abs(float(desk.state.books["qty"][0, POSITION]))))
    assert first == held
    desk.tell(ev.Book, PRICE - 0.005, PRICE + 0.005, 10_000.0, 10_000.0)  # orders of 25 LTC
    desk.tell(ev.CloseAll, "enough")
    for _ in range(30):
        if desk.state.order is not None:
            desk.fill()
        desk.now_ns += S
        desk.tell(ev.Book, PRICE - 0.005, PRICE + 0.005, 10_000.0, 10_000.0)
        desk.tell(ev.Mark, PRICE)
        desk.tell(ev.Tick)
        stop = desk.of(KeepStop)[-1].qty_ltc
        left = abs(float(desk.state.books["qty"][0, POSITION]))
        assert float(stop) <= left + 3 * 25.001, "three orders behind at most"
    assert len({stop.qty_ltc for stop in desk.of(KeepStop)}) > 3
    desk.quiet(4)
    assert desk.state.closing is None
    assert desk.of(KeepStop)[-1].qty_ltc == 0


@SIDES
def test_without_margin_health_no_stop_of_an_earlier_run_stands(side, way):
    desk = Desk(side, policy="hazard")
    desk.quiet(3)
    stop = desk.of(KeepStop)[-1]
    desk.tell(ev.StopArmed, POSITION, float(stop.qty_ltc), float(stop.trigger_usdt))
    desk = again(desk, health=desk.settings.health.model_copy(update={"enabled": False}))
    desk.effects.clear()
    reopened(desk)
    desk.quiet(5)
    asked = {effect.leg: effect.qty_ltc for effect in desk.of(KeepStop)}
    assert asked == {POSITION: 0, HEDGE: 0}
    assert len(desk.of(KeepStop)) == 2, "and it is said once"


# --- what closes waits for no book --------------------------------------------------------------


@SIDES
@pytest.mark.parametrize("depth", [0.0, 1.0, nan])
@pytest.mark.parametrize("is_fresh", [True, False])
def test_a_book_without_depth_does_not_hold_what_protects(side, way, depth, is_fresh):
    desk = Desk(side, policy="hazard")
    desk.state.signals[sg.DEPTH, 0] = depth
    for number in range(1, 70):
        desk.now_ns += S
        price = PRICE * (1.0 + 0.047 * way * number / 69)
        if is_fresh:
            desk.tell(ev.Book, price - 0.005, price + 0.005, depth, depth)
        desk.tell(ev.Mark, price)
        desk.state.signals[sg.DEPTH, 0] = depth
        said = desk.tell(ev.Tick)
        if any(isinstance(e, Submit) for e in said) or desk.state.order is not None:
            break
    order = desk.state.order
    assert order is not None
    assert order.reduce_only
    if depth == depth:
        worth = abs(float(order.qty_ltc)) * price
        least = 2.0 * desk.settings.venue.min_notional_usdt
        assert worth <= least * 1.01, "no more than the smallest orders"


# --- a hedge on the wrong side ------------------------------------------------------------------


@SIDES
@pytest.mark.parametrize("share", [0.2, 0.8, 1.0])
def test_a_hedge_that_stands_with_the_position_is_closed_whole(side, way, share):
    """A person closed the position, opened one on the other side, and adopted that."""
    desk = Desk(side, leverage=3.0, policy="hazard", hedge={"location": "same_account"})
    held = float(desk.state.books["qty"][0, POSITION])
    hedge = round(-share * held, 3)
    desk.state.books["qty"][0, HEDGE] = hedge
    desk.state.books["entry"][0, HEDGE] = PRICE
    desk.tell(
        ev.Reported, qty_ltc=-held, entry_usdt=PRICE, hedge_qty_ltc=hedge, hedge_entry_usdt=PRICE,
        wallet_usdt=WALLET,
    )  # fmt: skip
    desk.quiet(7)
    desk.tell(ev.Adopt)
    assert desk.state.books["qty"][0].tolist() == [-held, hedge]
    for _ in range(30):
        desk.market(PRICE)
        if (order := desk.state.order) is not None:
            assert order.leg == HEDGE
            assert order.reduce_only
            desk.fill()
    assert desk.state.books["qty"][0].tolist() == [-held, 0.0]


# --- what is closed brings no liquidation nearer ------------------------------------------------


@given(
    position=st.floats(-500.0, 500.0).filter(lambda q: abs(q) > 0.01), share=st.floats(-1.2, 1.2),
    wallet=st.floats(1.0, 4_000.0), mark=st.floats(40.0, 160.0), reach=st.floats(0.0, 0.2),
    is_apart=st.booleans(),
)  # fmt: skip
@settings(max_examples=300)
def test_what_is_closed_gives_room_on_the_side_of_the_danger(
    position, share, wallet, mark, reach, is_apart
):
    """Also where the net exposure points the other way than the danger: then nothing is closed."""
    desk = Desk(leverage=3.0)
    books = desk.state.books
    books["qty"][0] = position, -share * position
    books["entry"][0] = 80.0
    books["wallet"][0] = wallet, wallet
    books["wallet_of"][0, HEDGE] = int(is_apart)
    trigger = (stricter(TIERS.rows, 0.6),) * 2
    leg, scope, at, most = endangered(books, mark, trigger, reach, 0.001)
    if leg < 0:
        return
    target = stricter(TIERS.rows, 0.4)
    qty = float(relief(books, scope, leg, mark, at, 0.0, target, most))
    net = float(books["qty"][0][books["wallet_of"][0] == scope].sum())
    assert qty <= abs(net) + 1e-9, "what a hedge holds is not uncovered"
    if qty == 0.0:
        return
    before = scope_bounds(books, scope, mark, TIERS.rows)
    held = float(books["qty"][0, leg])
    after = books.copy()
    after["wallet"][0, scope] += (1 if held > 0 else -1) * qty * (mark - 80.0)
    after["qty"][0, leg] = held - qty * (1 if held > 0 else -1)
    low, high = scope_bounds(after, scope, mark, TIERS.rows)
    if net > 0.0:
        assert low <= before[0] + 1e-6
    else:
        assert high >= before[1] - 1e-6


# --- a forecast that is on its way ---------------------------------------------------------------


def alerts_of_forecast(desk: Desk) -> list[str]:
    return [e.level for e in desk.of(Alert) if e.key == Watch.FORECAST_MISSING]


def test_a_forecast_that_warms_up_is_told_when_it_is_late_and_not_before():
    """Meanwhile the rule that needs none decides: the watch is open all the same."""
    desk = Desk(leverage=3.0, policy="hazard", parachute={"enabled": True})
    desk.quiet(30)
    assert Watch.FORECAST_MISSING in desk.state.guards.chute.open
    assert [e.watch for e in desk.of(Watched)] == [Watch.FORECAST_MISSING]
    assert alerts_of_forecast(desk) == []
    desk.quiet(15 * 60 - 130)
    assert alerts_of_forecast(desk) == []
    desk.quiet(20)
    assert alerts_of_forecast(desk) == ["act_now"]


def test_an_expired_model_is_told_at_once():
    desk = Desk(leverage=3.0, policy="hazard", parachute={"enabled": False})
    desk.settings = desk.settings.model_copy(
        update={"parachute": desk.settings.parachute.model_copy(update={"enabled": True})}
    )
    desk.state.fixed = replace(desk.state.fixed, settings=desk.settings)
    desk.state.signals[sg.STATE, 0] = float(ForecastState.EXPIRED)
    desk.quiet(2)
    assert alerts_of_forecast(desk) == ["act_now"]


# --- after a restart ----------------------------------------------------------------------------


def changed(desk: Desk, *, is_trading: bool, is_second: bool = False) -> None:
    venue = desk.settings.venue
    desk.state, _ = step(
        desk.state,
        ev.ContractChanged(
            desk.now_ns, desk.now_ns, is_trading=is_trading, tick_usdt=venue.tick_usdt,
            lot_ltc=venue.lot_ltc, min_notional_usdt=venue.min_notional_usdt, taker_fee=0.0005,
            clearance_fee=TIERS.clearance_fee, cap_usdt=TIERS.cap_usdt,
            tiers=tuple(tuple(float(x) for x in row) for row in TIERS.rows), is_second=is_second,
        ),
    )  # fmt: skip


@pytest.mark.parametrize("is_second", [False, True])
def test_a_contract_that_does_not_trade_is_remembered(is_second):
    desk = Desk(policy="hazard")
    changed(desk, is_trading=False, is_second=is_second)
    desk = again(desk)
    assert desk.state.is_stopped == [not is_second, is_second]
    changed(desk, is_trading=True, is_second=is_second)
    assert desk.state.is_stopped == [False, False]


@pytest.mark.parametrize("wallet", [0.0, -5.0])
def test_an_account_that_began_with_nothing_is_taken_up_too(wallet):
    """What was said and spent counts after a restart, whatever the equity was at the opening."""
    desk = Desk(policy="hazard")
    desk.tell(ev.Opened, wallet, None, 250.0, PRICE, 20.0, False)
    assert float(desk.state.budgets["equity_start"][0]) <= 0.0
    desk.state.budgets["orders_today"] = 7.0
    desk.tell(ev.Halt, "wait")
    desk.tell(ev.Freeze, desk.now_ns + 10**15)
    was = desk.state.trading, desk.state.override
    desk = again(desk)
    reopened(desk)
    assert (desk.state.trading, desk.state.override) == was
    assert float(desk.state.budgets["orders_today"][0]) == 7.0


def test_a_checkpoint_of_before_tells_whether_there_was_an_account():
    desk = Desk(policy="hazard")
    point = structs.replace(take_checkpoint(desk.state, desk.now_ns), is_begun=None)
    desk.state.is_begun = False
    restore(desk.state, decode_checkpoint(encode_effect(point)))
    assert desk.state.is_begun


def test_without_equity_at_the_start_no_share_of_it_is_left():
    assert share_left(new_budget(200.0), 50.0) == 0.25
    assert share_left(new_budget(0.0), 50.0) != share_left(new_budget(0.0), 50.0)
    assert share_left(new_budget(-5.0), -10.0) != 2.0

"""What venues say they hold: taken over if it agrees, told if it differs, adopted by people.

Before a restart is reconciled nothing is sent. Where hedges are refused the position is reduced,
never by more than the hedge would have been.
"""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from litehedge.config import Hedge, Position, Settings
from litehedge.decision import sizes
from litehedge.effects import Alert, Checkpoint, Effect, StateChange, Submit
from litehedge.engine import relive, step
from litehedge.engine_state import State, start, take_checkpoint
from litehedge.hedge.policies import policy_named
from litehedge.market import events as ev
from litehedge.model.baselines.blind import BlindForecaster
from litehedge.orders.manager import Order
from litehedge.risk.state import TradingState
from litehedge.store.journal import decode_checkpoint, encode_effect
from litehedge.units import NS_PER_HOUR, NS_PER_MINUTE, NS_PER_SECOND
from synthetic import T0, packaged_tiers

MINUTE = NS_PER_MINUTE
TIERS = packaged_tiers()
PLACES = ("same_account", "second_venue", "reduce")


def engine(location: str = "same_account", **changes: Any) -> State:
    settings_ = Settings(
        position=Position(leverage=5.0),
        hedge=Hedge(location=location),  # type: ignore[arg-type]
    )
    return start(
        settings_, policy_named("unhedged", settings_), TIERS, BlindForecaster(), session="truth",
        atom_ns=MINUTE, **changes,
    )  # fmt: skip


def opened(now: int = T0, location: str = "same_account", **changes: Any) -> ev.Opened:
    second = 800.0 if location == "second_venue" else None
    return ev.Opened(now, now, 1000.0, second, 50.0, 100.0, 5.0, False, **changes)


class World:
    """An engine on bars of one minute at 100 USDT, whose orders a test answers."""

    def __init__(self, location: str = "same_account", **changes: Any) -> None:
        self.state = engine(location, **changes)
        self.location = location
        self.now = T0
        self.sent: list[Order] = []
        self.said: list[Effect] = []

    def tell(self, event: ev.AnyEvent) -> list[Effect]:
        self.state, effects = step(self.state, event)
        self.sent += [e.order for e in effects if isinstance(e, Submit)]
        self.said += effects
        return effects

    def open(self, **changes: Any) -> World:
        self.tell(opened(self.now, self.location, **changes))
        return self

    def hold(self, ratio: float) -> None:
        self.tell(ev.SetHedge(self.now, self.now, ratio, self.now + 100 * NS_PER_HOUR))

    def bar(self, price: float = 100.0) -> list[Effect]:
        self.now = (self.now // MINUTE + 1) * MINUTE
        return self.tell(ev.Bar(self.now, self.now, "LTC", MINUTE, price, price, price, price, 1e5))

    def wait(self, seconds: int) -> list[Effect]:
        self.now += seconds * NS_PER_SECOND
        return self.tell(ev.Tick(self.now, self.now))

    def fill(self, share: float = 1.0) -> list[Effect]:
        order = self.sent[-1]
        qty = round(float(order.qty_ltc) * share, 3)
        name, now = order.client_id, self.now
        effects: list[Effect] = []
        if qty:
            effects = self.tell(ev.OrderFilled(now, now, name, order.leg, qty, 100.0, 0.1, 0.1))
        if self.state.order is not None:
            effects = effects + self.tell(ev.OrderExpired(now, now, name, "gone"))
        return effects

    def refuse(self, *, raises_only: bool = True) -> None:
        name = self.sent[-1].client_id
        self.tell(ev.OrderRejected(self.now, self.now, name, "throttled", raises_only))

    def report(self, **changes: Any) -> list[Effect]:
        """Let the venue tell what our books have, but for the changes."""
        account = self.state.books[0]
        told = {
            "wallet_usdt": float(account["wallet"][0]),
            "qty_ltc": float(account["qty"][0]), "entry_usdt": float(account["entry"][0]),
            "hedge_qty_ltc": float(account["qty"][1]),
            "hedge_entry_usdt": float(account["entry"][1]),
        }  # fmt: skip
        if self.location == "second_venue":
            told = {k: v for k, v in told.items() if "hedge" not in k}
        return self.tell(ev.Reported(self.now, self.now, **(told | changes)))

    def held(self) -> tuple[float, float]:
        return tuple(self.state.books["qty"][0].tolist())  # type: ignore[return-value]

    def alerts(self) -> str:
        return " | ".join(e.text for e in self.said if isinstance(e, Alert))


# --- reports ------------------------------------------------------------------------------------


@given(
    location=st.sampled_from(PLACES), ratio=st.integers(0, 10), dust=st.floats(-4e-4, 4e-4),
    gap=st.floats(-50.0, 50.0), entry=st.floats(50.0, 200.0),
)  # fmt: skip
@settings(max_examples=30)
def test_books_that_agree_follow_the_venue_and_no_size_changes(
    location: str, ratio: int, dust: float, gap: float, entry: float
) -> None:
    here = World(location).open()
    here.hold(ratio / 10)
    here.bar()
    if here.sent:
        here.fill()
    before = sizes(here.state.terms, here.state.books)
    cash = float(here.state.books["wallet"][0, 0])
    qty = here.held()[0]
    here.report(qty_ltc=qty + dust if qty else 0.0, wallet_usdt=cash + gap, entry_usdt=entry)
    after = sizes(here.state.terms, here.state.books)
    assert abs(after[0] - before[0]) <= abs(dust) + 1e-12
    assert abs(after[1] - before[1]) <= abs(dust) + 1e-12
    assert here.state.books["wallet"][0, 0] == pytest.approx(cash + gap)
    assert here.state.books["entry"][0, 0] == (entry if qty else 0.0)
    assert here.state.trading is TradingState.ACTIVE
    assert here.state.reports == [None, None]
    small = abs(gap) < 1.0
    assert ("USDT" in here.alerts()) != small or not small


@given(
    location=st.sampled_from(PLACES), theirs=st.floats(-60.0, 60.0), hedge=st.floats(-60.0, 0.0),
    ratio=st.integers(0, 10), bars=st.integers(1, 4),
)  # fmt: skip
@settings(max_examples=30)
def test_while_books_differ_no_trade_raises_exposure_in_either(
    location: str, theirs: float, hedge: float, ratio: int, bars: int
) -> None:
    if abs(theirs - 50.0) < 1e-3:
        return
    here = World(location).open()
    here.bar()
    told = {"qty_ltc": theirs, "wallet_usdt": 900.0}
    told |= {"hedge_qty_ltc": hedge} if location == "same_account" else {}
    here.report(**told)
    here.hold(ratio / 10)
    assert not here.sent
    here.wait(6)
    assert here.state.trading is TradingState.REDUCING
    assert "somebody or something else traded" in here.alerts()
    assert here.held() == (50.0, 0.0)  # no trade is invented
    net = max(0.0, theirs + (hedge if location == "same_account" else 0.0))
    for _ in range(bars):
        here.bar()
        if here.state.order is not None:
            order = here.sent[-1]
            assert order.qty_ltc < 0
            assert float(-order.qty_ltc) <= net + 1e-9
            net -= float(-order.qty_ltc)
            return


@given(told=st.integers(0, 20), seconds=st.integers(0, 20))
@settings(max_examples=20)
def test_a_report_of_the_moment_of_a_fill_says_nothing_and_a_later_one_does(
    told: int, seconds: int
) -> None:
    here = World().open()
    here.hold(0.4)
    here.bar()
    here.fill()
    here.report(hedge_qty_ltc=-float(told))  # the order had filled so far, at the first prices
    here.wait(6)
    assert here.state.trading is TradingState.ACTIVE
    assert here.state.differs_ns < 0
    assert here.held() == (50.0, -20.0)
    here.wait(seconds)
    here.report(hedge_qty_ltc=-float(told))
    here.wait(6)
    assert (here.state.trading is TradingState.REDUCING) == (told != 20)


def test_a_report_during_an_order_is_judged_after_it() -> None:
    here = World().open()
    here.hold(0.4)
    here.bar()
    assert here.report(hedge_qty_ltc=-20.0) == []  # it has seen the fill before us
    here.fill()
    here.wait(10)
    assert here.state.trading is TradingState.ACTIVE
    assert here.held() == (50.0, -20.0)
    assert here.state.reports == [None, None]


def test_what_explains_a_difference_may_come_late() -> None:
    here = World().open(hedge_qty_ltc=-20.0, hedge_entry_usdt=100.0)
    here.bar()
    here.now += 1
    here.report(hedge_qty_ltc=-15.0)
    here.tell(ev.Deleveraged(here.now, here.now, 1, 5.0, 100.0))
    here.wait(20)
    assert here.state.trading is TradingState.ACTIVE
    assert here.state.differs_ns == -1


def test_an_old_report_says_nothing() -> None:
    here = World().open()
    here.hold(0.4)
    here.bar()
    here.report()  # of before the fill
    here.now += NS_PER_SECOND
    here.fill()
    here.wait(10)
    assert here.state.trading is TradingState.ACTIVE
    assert here.state.reports == [None, None]


def test_a_person_adopts() -> None:
    here = World().open()
    here.bar()
    here.report(qty_ltc=30.0, wallet_usdt=900.0)
    here.wait(6)
    here.tell(ev.Resume(here.now, here.now, "RESUME"))
    assert "adopt the venue's first" in here.alerts()
    assert here.state.trading is TradingState.REDUCING
    here.tell(ev.Adopt(here.now, here.now))
    assert here.state.trading is TradingState.ACTIVE
    assert here.held() == (30.0, 0.0)
    assert "our position is 50.000 LTC, the venue's 30.000" in here.alerts()
    here.hold(0.5)
    here.bar()
    assert float(here.sent[-1].qty_ltc) == -15.0


def test_adopting_does_not_end_an_equity_stop_or_a_halt() -> None:
    here = World().open()
    here.tell(ev.Halt(here.now, here.now, "enough"))
    here.report(qty_ltc=30.0)
    here.wait(6)
    here.tell(ev.Adopt(here.now, here.now))
    assert here.state.trading is TradingState.HALTED
    assert here.held()[0] == 30.0


def test_funding_and_forced_closings_end_at_the_venues_amounts() -> None:
    here = World().open()
    here.bar()
    here.tell(ev.FundingPaid(here.now, here.now, amount_usdt=-1.25))
    assert here.state.books["wallet"][0, 0] == 998.75
    here.now += 1
    here.report(wallet_usdt=997.0)
    here.tell(ev.FundingPaid(here.now, here.now, amount_usdt=-1.75))  # the wallet has it
    assert here.state.books["wallet"][0, 0] == 997.0
    assert here.state.books["funding"][0] == 3.0
    here.now += 1
    here.tell(ev.Liquidated(here.now, here.now, 90.0, True, 0, -10.0, 12.5))
    assert here.held()[0] == 40.0
    assert here.state.books["wallet"][0, 0] == pytest.approx(997.0 - 100.0 - 12.5)
    assert here.state.is_open


# --- restarts -----------------------------------------------------------------------------------


@given(st.lists(st.sampled_from("bbbwrofa"), max_size=25), st.sampled_from(PLACES))
@settings(max_examples=30)
def test_before_it_is_reconciled_nothing_is_sent(story: list[str], location: str) -> None:
    before = World(location).open()
    before.bar()
    checkpoint = take_checkpoint(before.state, before.now)
    here = World(location, checkpoint=checkpoint, needs_reconciling=True)
    here.now = before.now
    here.hold(1.0)
    for what in story:
        match what:
            case "b":
                here.bar()
            case "w":
                here.wait(70)
            case "r":
                here.report(qty_ltc=20.0)
            case "o":
                here.tell(opened(here.now, location))
            case "f":
                here.tell(ev.Resume(here.now, here.now, "RESUME"))
            case _:
                here.tell(ev.Adopt(here.now, here.now))
    assert here.sent == []
    here.tell(ev.Adopt(here.now, here.now))
    here.open(is_resumed=True)
    assert not here.state.needs_reconciling
    here.hold(1.0)
    for _ in range(2):  # after a gap the first bar may close nothing
        here.bar()
    assert len(here.sent) == 1


def test_a_restart_takes_up_what_was_decided_and_spent() -> None:
    here = World(keeps_checkpoints=True).open()
    here.hold(0.4)
    here.bar()
    last = [e for e in here.said if isinstance(e, Checkpoint)][-1]
    order = here.sent[-1]
    assert last.order == order
    fill = ev.OrderFilled(here.now, here.now, order.client_id, 1, -10.0, 100.0, 0.5, 0.1)
    here.tell(fill)
    again = engine(checkpoint=decode_checkpoint(encode_effect(last)))
    again = relive(again, [fill])
    twin = copy.deepcopy(here.state)
    assert again.books.tobytes() == twin.books.tobytes()
    assert again.budgets.tobytes() == twin.budgets.tobytes()
    assert again.order == twin.order
    assert (again.terms["floor"], again.orders_made) == (twin.terms["floor"], 1)
    assert again.override == twin.override


def test_a_restart_says_what_happened_meanwhile() -> None:
    before = World().open()
    before.hold(0.4)
    before.bar()
    before.fill()
    start_equity = float(before.state.budgets["equity_start"][0])
    floor = float(before.state.terms["floor"][0])
    checkpoint = take_checkpoint(before.state, before.now)
    here = World(checkpoint=checkpoint, needs_reconciling=True)
    here.now = before.now
    opening = ev.Opened(
        here.now, here.now, 950.0, None, 45.0, 100.0, 5.0, False, -20.0, 100.0, True
    )
    here.tell(opening)
    assert "the position went from 50.000 to 45.000 LTC" in here.alerts()
    assert "the wallet from 999.90 to 950.00 USDT" in here.alerts()
    assert float(here.state.budgets["equity_start"][0]) == start_equity
    assert float(here.state.terms["floor"][0]) == floor
    assert here.state.override is not None
    assert here.state.books["fees"][0] == pytest.approx(0.1)


def test_an_order_without_an_end_keeps_it_from_opening() -> None:
    before = World().open()
    before.hold(0.4)
    before.bar()
    here = World(checkpoint=take_checkpoint(before.state, before.now), needs_reconciling=True)
    here.now = before.now
    here.open(is_resumed=True)
    assert here.state.needs_reconciling
    assert "has no end yet" in here.alerts()
    here.tell(ev.OrderRejected(here.now, here.now, before.sent[-1].client_id, "never came"))
    here.open(is_resumed=True)
    assert not here.state.needs_reconciling


@given(
    sold=st.integers(0, 10), share=st.sampled_from([0.0, 0.25, 0.8, 1.0, 1.2, 3.0]),
    restarts=st.booleans(),
)  # fmt: skip
@example(sold=4, share=0.0, restarts=False)
@example(sold=10, share=0.0, restarts=True)
@settings(max_examples=30)
@example(sold=4, share=3.0, restarts=False)
def test_what_others_closed_of_a_reduced_position_never_comes_back(
    sold: int, share: float, restarts: bool
) -> None:
    here = World("reduce").open()
    here.hold(sold / 10)
    here.bar()
    if here.sent:
        here.fill()
    ours = here.held()[0]
    left = round(share * ours, 3)
    here.now += NS_PER_SECOND
    if restarts:
        point, now = take_checkpoint(here.state, here.now), here.now
        here = World("reduce", checkpoint=point, needs_reconciling=True)
        here.now = now
        here.tell(ev.Opened(now, now, 1000.0, None, left, 100.0, 5.0, False, is_resumed=True))
    else:
        here.report(qty_ltc=left)
        here.wait(6)
        here.tell(ev.Adopt(here.now, here.now))
    is_over = left == 0.0 < ours
    assert here.state.is_open != is_over
    assert ("not bought back" in here.alerts()) == (is_over and sold > 0)
    here.hold(0.0)
    for _ in range(4):
        here.bar()
        if here.state.order is not None:
            here.fill()
    # What others bought counts as bought back.
    most = max(left, min(50.0, left + 50.0 - ours))
    assert here.held()[0] == pytest.approx(0.0 if is_over else most)


@pytest.mark.parametrize("how", ["stop", "deleveraged", "liquidated"])
@pytest.mark.parametrize("later", [0.0, 20.0])
def test_what_ended_before_is_not_revived_by_taking_over_books(how: str, later: float) -> None:
    here = World("reduce").open()
    here.hold(0.4)
    here.bar()
    here.fill()
    now = here.now = here.now + NS_PER_SECOND
    if how == "stop":
        here.tell(ev.StopFilled(now, now, 0, -30.0, 100.0, 0.1))
    elif how == "deleveraged":
        here.tell(ev.Deleveraged(now, now, 0, -30.0, 100.0))
    else:
        here.tell(ev.Liquidated(now, now, 100.0, False, 0, -30.0, 0.1))
    assert here.held()[0] == 0.0
    assert not here.state.is_open
    here.now += NS_PER_SECOND
    here.report(qty_ltc=later, entry_usdt=100.0)
    here.wait(6)
    here.tell(ev.Adopt(here.now, here.now))
    assert here.state.is_open == (later > 0.0)
    here.hold(0.0)
    for _ in range(3):
        here.bar()
    assert here.held()[0] == later
    assert len(here.sent) == 1


def test_of_a_position_that_is_over_a_new_one_is_guarded_whole() -> None:
    here = World("reduce").open()
    here.hold(0.4)
    here.bar()
    here.fill()
    for qty in (0.0, -5.0, 20.0):
        here.now += NS_PER_SECOND
        here.report(qty_ltc=qty, entry_usdt=100.0)
        here.wait(6)
        here.tell(ev.Adopt(here.now, here.now))
        assert here.state.is_open == (qty > 0.0)
    assert sizes(here.state.terms, here.state.books) == (20.0, 0.0)


# --- falling back -------------------------------------------------------------------------------


@given(
    st.lists(st.tuples(st.sampled_from("rfphb"), st.integers(0, 10)), min_size=1, max_size=25),
    st.sampled_from(["same_account", "second_venue"]), st.booleans(),
)  # fmt: skip
@settings(max_examples=30)
def test_falling_back_never_raises_gross_exposure(
    story: list[tuple[str, int]], location: str, falls_back: bool
) -> None:
    here = World(location)
    changed = Settings(
        position=Position(leverage=5.0),
        hedge=Hedge(location=location, fall_back_to_reduce=falls_back),  # type: ignore[arg-type]
    )
    here.state = start(
        changed, policy_named("unhedged", changed), TIERS, BlindForecaster(), session="truth",
        atom_ns=MINUTE,
    )  # fmt: skip
    here.open()
    position = 50.0
    for what, number in story:
        if what == "h":
            here.hold(number / 10)
        here.bar()
        if here.state.order is None:
            continue
        order = here.sent[-1]
        if order.leg == 0:
            assert falls_back
            assert order.reduce_only
            assert float(order.qty_ltc) < 0.0
        before = sum(abs(q) for q in here.held())
        if what == "r" and order.leg == 1 and not order.reduce_only:
            here.refuse()
        else:
            here.fill(number / 10)
        after = sum(abs(q) for q in here.held())
        if order.leg == 0:
            assert after <= before
        held, hedge = here.held()
        assert 0.0 <= held <= position  # what is closed does not come back
        assert -hedge <= 50.0 + 1e-9
        position = held
        if not here.state.is_open:
            return


def test_where_hedges_are_refused_the_position_is_reduced_once() -> None:
    here = World().open()
    here.hold(0.4)
    here.bar()
    here.refuse()
    here.bar()
    order = here.sent[-1]
    assert (order.leg, float(order.qty_ltc), order.reduce_only) == (0, -20.0, True)
    assert "the position is reduced by 20.000 LTC instead" in here.alerts()
    here.fill()
    for _ in range(3):
        here.bar()
    assert len(here.sent) == 2  # 0.4 of it is gone: nothing more to do
    for _ in range(3):
        here.bar()
    assert here.sent[-1].leg == 1  # after a while it hedges what is left
    here.refuse()
    for _ in range(4):
        here.bar()
    assert len(here.sent) == 3


def test_where_the_hedge_is_deleveraged_the_position_is_reduced_instead() -> None:
    here = World().open()
    here.hold(0.4)
    here.bar()
    here.fill()
    assert here.sent[-1].leg == 1
    here.tell(ev.Deleveraged(here.now, here.now, 1, 20.0, 100.0))
    here.bar()
    order = here.sent[-1]
    assert (order.leg, float(order.qty_ltc), order.reduce_only) == (0, -20.0, True)


def test_a_refusal_that_says_nothing_about_raising_changes_nothing() -> None:
    here = World().open()
    here.hold(0.4)
    here.bar()
    here.refuse(raises_only=False)
    here.bar()
    assert [order.leg for order in here.sent] == [1, 1]


def test_what_is_told_of_it() -> None:
    here = World().open()
    here.bar()
    here.report(qty_ltc=30.0)
    here.wait(6)
    [change] = [e for e in here.said if isinstance(e, StateChange)]
    assert change.cause == "our books differ from the venue's"

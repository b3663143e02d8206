"""The desk's law: whatever order reports come in, the engine is told each thing once."""

from __future__ import annotations

import os
from decimal import Decimal
from itertools import pairwise

import msgspec
import pytest
from desks import NOT_TOLD, T0, Truth, contract, order, placement, truths
from hypothesis import given, settings
from hypothesis import strategies as st

from litehedge.errors import VenueDown, VenueRefused, VenueUnknown
from litehedge.market import events as ev
from litehedge.orders.desk import PATIENT_NS, Desk
from litehedge.orders.manager import OrderState, advance
from litehedge.orders.reports import (
    AccountReport,
    ForcedReport,
    FundingReport,
    LegReport,
    OrderReport,
    VenueOrder,
)
from litehedge.units import NS_PER_MS, NS_PER_SECOND

HISTORIES = int(os.environ.get("LITEHEDGE_SOAK_HISTORIES", "1600"))
MISSING = "missing"


def is_final(state: OrderState) -> bool:
    return state in (OrderState.FILLED, OrderState.EXPIRED, OrderState.REJECTED)


class Teller:
    """Feeds a desk, and follows the order as the engine does: what is impossible raises."""

    def __init__(self, truth: Truth) -> None:
        self.truth = truth
        self.desk = Desk(placement(), contract())
        self.now = T0
        self.followed = truth.order
        self.fills: list[ev.OrderFilled] = []
        self.ends = 0

    def take(self, said: list[ev.AccountEvent]) -> None:
        for event in said:
            before = self.followed
            self.followed = advance(before, event)  # type: ignore[arg-type]
            self.ends += is_final(self.followed.state) and not is_final(before.state)
            if isinstance(event, ev.OrderFilled):
                self.fills.append(event)

    def hear(self, report: OrderReport) -> None:
        self.take(self.desk.on_report(report, self.now))

    def ask_until_it_ends(self) -> None:
        for _ in range(300):
            if not self.desk.open_orders:
                return
            self.now += 500 * NS_PER_MS
            for name in self.desk.questions(self.now):
                assert name == self.truth.order.client_id
                self.hear(self.truth.last)
        raise AssertionError("the order never ended")


@given(st.data(), truths())
@settings(max_examples=HISTORIES)
def test_whatever_comes_the_engine_is_told_the_truth_once(
    data: st.DataObject, truth: Truth
) -> None:
    draw = data.draw
    here = Teller(truth)
    wire, said = here.desk.place(truth.order, here.now, middle_usdt=100.0)
    assert isinstance(wire, VenueOrder)
    assert said == []
    name = truth.order.client_id
    stream = draw(st.lists(st.sampled_from(truth.reports), max_size=2 * len(truth.reports) + 2))
    if truth.last.status == MISSING:
        stream = []
    answer = draw(st.sampled_from(["unknown", "a report", "nothing"]))
    vague = draw(st.integers(0, 3))  # not enough to end anybody's patience
    steps = ["report"] * len(stream) + ["missing"] * vague + ["answer"]
    feeless, untold = False, 0
    for step in draw(st.permutations(steps)):
        here.now += draw(st.sampled_from([0, NS_PER_MS, NS_PER_SECOND, 20 * NS_PER_SECOND]))
        if step == "answer" and answer == "unknown":
            here.take(here.desk.failed(name, VenueUnknown("no answer"), here.now))
        elif step == "answer" and answer == "a report" and truth.last.status != MISSING:
            here.hear(draw(st.sampled_from(truth.reports)))
        elif step == "missing":
            here.hear(OrderReport(name, "missing"))
        elif step == "report":
            report = stream.pop()
            if untold < 3 and draw(st.integers(0, 5)) == 0 and report.filled_ltc > 0:
                untold += 1
                report = msgspec.structs.replace(report, notional_usdt=NOT_TOLD)
            if draw(st.integers(0, 5)) == 0:
                report = msgspec.structs.replace(report, fee_usdt=None)
                feeless = True
            here.hear(report)
        assert here.desk.place(truth.order, here.now) == (None, [])  # never twice
    here.ask_until_it_ends()
    for report in truth.reports:  # and the echo of it all
        here.hear(report)
    assert here.ends == 1
    assert is_final(here.followed.state)
    sign = 1.0 if truth.order.qty_ltc > 0 else -1.0
    assert here.followed.filled_ltc == Decimal(int(sign)) * truth.last.filled_ltc
    assert sum(f.qty_ltc for f in here.fills) * sign == pytest.approx(float(truth.last.filled_ltc))
    notional = sum(abs(f.qty_ltc) * f.price for f in here.fills)
    assert notional == pytest.approx(float(truth.last.notional_usdt), rel=1e-9)
    slippage = sum(f.qty_ltc * (f.price - 100.0) for f in here.fills)
    assert sum(f.slippage_usdt for f in here.fills) == pytest.approx(slippage, abs=1e-6)
    if not feeless:
        fee = sum(f.fee_usdt for f in here.fills)
        assert fee == pytest.approx(float(truth.last.fee_usdt or 0), abs=1e-9)


@given(truths(), st.integers(0, 5))
@settings(max_examples=150)
def test_after_a_restart_only_what_is_new_is_told(truth: Truth, known: int) -> None:
    """The order is asked about and never sent; fills that the journal has are not told again."""
    told = truth.reports[min(known, len(truth.reports) - 1)]
    sign = 1 if truth.order.qty_ltc > 0 else -1
    state = OrderState.PARTLY_FILLED if told.filled_ltc else OrderState.INTENDED
    before = msgspec.structs.replace(truth.order, state=state, filled_ltc=sign * told.filled_ltc)
    if abs(before.filled_ltc) == abs(before.qty_ltc):
        return
    here = Teller(truth)
    here.followed = before
    here.desk.resume(before, here.now)
    assert here.desk.place(before, here.now) == (None, [])
    assert here.desk.questions(here.now) == [before.client_id]
    here.ask_until_it_ends()
    assert here.ends == 1
    assert here.followed.filled_ltc == sign * truth.last.filled_ltc


def placed(now: int = T0) -> Desk:
    desk = Desk(placement(), contract())
    desk.place(order(), now)
    return desk


def test_a_missing_order_is_not_given_up_at_once() -> None:
    desk, name = placed(), order().client_id
    [said] = desk.failed(name, VenueUnknown("503"), T0)
    assert isinstance(said, ev.OrderUnknown)
    missing = OrderReport(name, "missing")
    for at in range(9):
        assert desk.on_report(missing, T0 + at * NS_PER_SECOND) == []
    filled = OrderReport(name, "filled", Decimal(5), Decimal(495), Decimal("0.2"))
    assert [type(e) for e in desk.on_report(filled, T0 + 10 * NS_PER_SECOND)] == [ev.OrderFilled]


def test_a_missing_order_is_given_up_after_enough_answers_over_long_enough() -> None:
    desk, name = placed(), order().client_id
    desk.failed(name, VenueUnknown("503"), T0)
    missing = OrderReport(name, "missing")
    said: list[ev.AccountEvent] = []
    times = [T0, T0 + NS_PER_SECOND, T0 + 2 * NS_PER_SECOND, T0 + PATIENT_NS + 1]
    for now in times:
        assert said == []
        said = desk.on_report(missing, now)
    [end] = said
    assert isinstance(end, ev.OrderRejected)
    assert "asked 4 times in 10 s" in end.reason


def test_an_order_on_its_way_is_not_missing() -> None:
    desk, name = placed(), order().client_id
    for at in range(12):
        assert desk.on_report(OrderReport(name, "missing"), T0 + at * 4 * NS_PER_SECOND) == []


def test_a_price_that_nobody_tells_is_guessed_at_the_limit() -> None:
    desk, name = placed(), order().client_id
    report = OrderReport(name, "filled", Decimal(5), NOT_TOLD)
    said: list[ev.AccountEvent] = []
    for at in (0, 1, 2, 11):
        assert said == []
        said = desk.on_report(report, T0 + at * NS_PER_SECOND)
    [fill] = said
    assert isinstance(fill, ev.OrderFilled)
    assert (fill.price, fill.fee_usdt) == (99.0, pytest.approx(5 * 99 * 0.0005))


@pytest.mark.parametrize("raises_only", [False, True])
def test_a_refusal_says_whether_reducing_would_do(raises_only: bool) -> None:
    desk = placed()
    error = VenueRefused("throttled", code="-1008", raises_only=raises_only)
    [said] = desk.failed(order().client_id, error, T0)
    assert isinstance(said, ev.OrderRejected)
    assert said.raises_only is raises_only


def test_a_venue_that_was_not_reached_has_nothing() -> None:
    desk = placed()
    [said] = desk.failed(order().client_id, VenueDown("no route"), T0)
    assert isinstance(said, ev.OrderRejected)
    assert desk.open_orders == []


def test_the_stream_outruns_the_answer() -> None:
    desk, name = placed(), order().client_id
    desk.on_report(OrderReport(name, "filled", Decimal(5), Decimal(495), Decimal(0)), T0)
    assert desk.failed(name, VenueUnknown("503"), T0) == []
    assert desk.failed(name, VenueRefused("no"), T0) == []


def test_a_fill_after_the_end_is_not_hidden() -> None:
    """A venue that said no and then traded: the engine halts rather than not know."""
    desk, name = placed(), order().client_id
    desk.failed(name, VenueRefused("no"), T0)
    report = OrderReport(name, "filled", Decimal(5), Decimal(495), Decimal(0))
    assert [type(e) for e in desk.on_report(report, T0)] == [ev.OrderFilled]
    assert desk.on_report(report, T0) == []


def test_a_smaller_order_than_was_asked_ends_with_a_word() -> None:
    desk = Desk(placement(), contract(lot_ltc=Decimal("0.1")))
    wire, _ = desk.place(order(-5.05), T0)
    assert wire is not None
    assert wire.qty_ltc == Decimal("5.0")
    report = OrderReport(wire.client_id, "filled", wire.qty_ltc, Decimal(495), Decimal(0))
    said = desk.on_report(report, T0)
    assert [type(e) for e in said] == [ev.OrderFilled, ev.OrderExpired]


def test_a_refusal_before_the_wire() -> None:
    desk = Desk(placement(hedge_mode=False), contract())
    wire, [said] = desk.place(order(), T0)
    assert wire is None
    assert isinstance(said, ev.OrderRejected)
    assert "one-way mode" in said.reason


def test_orders_of_others_are_not_told() -> None:
    assert placed().on_report(OrderReport("app-1", "filled", Decimal(1), Decimal(99)), T0) == []


def test_questions_come_less_and_less_often() -> None:
    desk = placed()
    asked = [s for s in range(120) if desk.questions(T0 + s * NS_PER_SECOND)]
    assert asked[0] == 2
    gaps = [b - a for a, b in pairwise(asked)]
    assert gaps == sorted(gaps)
    assert gaps[-1] >= 30


# --- the account ------------------------------------------------------------------------------


def account(qty: str = "10", hedge: str = "-4", *, at: int = T0) -> AccountReport:
    legs = [
        LegReport("long", Decimal(qty), Decimal(100), Decimal(10), False),
        LegReport("short", Decimal(hedge), Decimal(101), Decimal(10), False),
    ]
    return AccountReport(at, Decimal(500), legs, hedge_mode=True)


def test_an_account_in_the_engines_words() -> None:
    [said] = Desk(placement(), contract()).on_report(account(), T0 + 1)
    assert said == ev.Reported(
        T0, T0 + 1, wallet_usdt=500.0, qty_ltc=10.0, entry_usdt=100.0, hedge_qty_ltc=-4.0,
        hedge_entry_usdt=101.0,
    )  # fmt: skip


def test_the_second_account_tells_of_the_hedge_alone() -> None:
    there = placement(location="second_venue", hedge_mode=False, is_second=True)
    leg = LegReport("both", Decimal(-4), Decimal(101), Decimal(10), False)
    report = AccountReport(T0, Decimal(300), [leg], hedge_mode=False)
    [said] = Desk(there, contract()).on_report(report, T0)
    assert said == ev.Reported(
        T0, T0, second_wallet_usdt=300.0, hedge_qty_ltc=-4.0, hedge_entry_usdt=101.0
    )


def test_forced_closings_and_funding_are_told_once() -> None:
    desk = Desk(placement(), contract())
    desk.on_report(account(), T0)
    adl = ForcedReport("deleveraging", "short", Decimal(1), Decimal(90), Decimal(0), T0, "7")
    assert desk.on_report(adl, T0) == [ev.Deleveraged(T0, T0, 1, 1.0, 90.0)]
    assert desk.on_report(adl, T0) == []
    dead = ForcedReport("liquidation", "long", Decimal(-10), Decimal(80), Decimal(9), T0, "8")
    assert desk.on_report(dead, T0) == [ev.Liquidated(T0, T0, 80.0, False, 0, -10.0, 9.0)]
    assert desk.on_report(dead, T0) == []
    paid = FundingReport(T0, Decimal("-0.25"))
    assert desk.on_report(paid, T0) == [ev.FundingPaid(T0, T0, amount_usdt=-0.25)]
    assert desk.on_report(paid, T0) == []


def test_a_forced_closing_that_overtakes_a_fill_waits_for_it() -> None:
    desk = Desk(placement(), contract())
    desk.on_report(account(hedge="0"), T0)
    desk.place(order(-5.0), T0)
    adl = ForcedReport("deleveraging", "short", Decimal(3), Decimal(90), Decimal(0), T0, "9")
    assert desk.on_report(adl, T0 + 1) == []
    name = order(-5.0).client_id
    done = OrderReport(name, "filled", Decimal(5), Decimal(495), Decimal("0.25"), "", T0)
    filled, closed = desk.on_report(done, T0 + 2)
    assert isinstance(filled, ev.OrderFilled)
    assert closed == ev.Deleveraged(T0, T0 + 2, 1, 3.0, 90.0)
    assert desk.on_report(adl, T0 + 3) == []


def test_a_forced_closing_that_no_fill_explains_is_told_all_the_same() -> None:
    desk = Desk(placement(), contract())
    desk.on_report(account(hedge="0"), T0)
    desk.place(order(-5.0), T0)
    adl = ForcedReport("deleveraging", "short", Decimal(3), Decimal(90), Decimal(0), T0, "9")
    assert desk.on_report(adl, T0 + 1) == []
    rejected, closed = desk.failed(order(-5.0).client_id, VenueRefused("no"), T0 + 2)
    assert isinstance(rejected, ev.OrderRejected)
    assert isinstance(closed, ev.Deleveraged)

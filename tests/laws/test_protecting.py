"""What is done between two decisions only ever lowers risk, and does not wait for a frame."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from litehedge.config import Settings
from litehedge.decision import sizes
from litehedge.effects import Alert, Decision, KeepStop, Protection, Submit, Watched
from litehedge.engine import step
from litehedge.engine_state import start
from litehedge.hedge.policies import policy_named
from litehedge.margin.account import HEDGE, POSITION
from litehedge.margin.liquidation import margin_ratio
from litehedge.market import events as ev
from litehedge.model.baselines.blind import BlindForecaster
from litehedge.risk.parachute import Watch
from litehedge.risk.state import RESUME_WORD, TradingState
from litehedge.units import NS_PER_SECOND
from synthetic import packaged_tiers

TIERS = packaged_tiers()
S = NS_PER_SECOND
T0 = 1_767_571_200 * S
PRICE = 80.0
WALLET = 1000.0


class Desk:
    """An engine whose orders are filled as a test likes."""

    def __init__(self, side="long", leverage=20.0, policy="plugin", **sections):
        if policy == "hazard":  # which does nothing without a forecast, nor shall anything else
            sections = {"parachute": {"enabled": False}} | sections
        tree = {"position": {"side": side, "leverage": leverage, "wallet_usdt": WALLET}} | sections
        self.settings = Settings.model_validate(tree)
        self.state = start(
            self.settings, policy_named(policy, self.settings), TIERS, BlindForecaster(),
            session="p", atom_ns=5 * S, per_frame=12,
        )  # fmt: skip
        self.now_ns = T0
        self.price = PRICE
        self.effects = []
        sign = 1.0 if side == "long" else -1.0
        qty = sign * round(WALLET * leverage / PRICE, 3)
        self.quiet(90)
        self.tell(ev.Opened, WALLET, None, qty, PRICE, leverage, False)

    def tell(self, kind, *facts, **named):
        self.state, effects = step(self.state, kind(self.now_ns, self.now_ns, *facts, **named))
        self.effects += effects
        return effects

    def market(self, price):
        """One second passes, in which book and mark come at a price."""
        self.now_ns += S
        self.price = price
        said = self.tell(ev.Book, price - 0.005, price + 0.005, 1e6, 1e6)
        said = said + self.tell(ev.Trade, price, 1.0, True)
        said = said + self.tell(ev.Mark, price)
        return said + self.tell(ev.Tick)

    def quiet(self, seconds):
        for _ in range(seconds):
            self.market(self.price)

    def fall(self, to, seconds):
        """Let the price go somewhere in equal steps; stop at the first order."""
        begin = self.price
        for number in range(1, seconds + 1):
            said = self.market(begin + (to - begin) * number / seconds)
            if any(isinstance(e, Submit) for e in said):
                return said
        return []

    def fill(self, share=1.0):
        order = self.state.order
        qty = float(order.qty_ltc) * share
        self.tell(ev.OrderAccepted, order.client_id)
        self.tell(ev.OrderFilled, order.client_id, order.leg, qty, self.price, 0.0, 0.0)
        if share < 1.0:
            self.tell(ev.OrderExpired, order.client_id, "the rest found nothing")

    def of(self, kind):
        return [e for e in self.effects if isinstance(e, kind)]

    @property
    def ratio(self):
        return float(margin_ratio(self.state.books, self.price, TIERS.rows))


SIDES = pytest.mark.parametrize(("side", "way"), [("long", -1.0), ("short", 1.0)])


@SIDES
def test_near_liquidation_a_part_is_closed_before_the_next_frame(side, way):
    desk = Desk(side, policy="hazard")
    said = desk.fall(PRICE * (1.0 + 0.05 * way), 50)
    (order,) = [e.order for e in said if isinstance(e, Submit)]
    (told,) = [e for e in said if isinstance(e, Protection)]
    assert order.reduce_only
    assert order.leg == POSITION
    assert order.qty_ltc * Decimal(way) > 0
    assert told.order_id == order.client_id
    assert told.after.margin_ratio < told.before.margin_ratio
    assert desk.now_ns % (60 * S), "not at a frame"
    desk.fill()
    assert desk.ratio <= 0.6


@SIDES
@given(st.lists(st.floats(-0.004, 0.004), min_size=60, max_size=200))
def test_whatever_the_market_does_it_only_reduces(side, way, moves):
    desk = Desk(side, policy="hazard")
    held = abs(float(desk.state.books["qty"][0, POSITION]))
    for move in moves:
        said = desk.market(desk.price * (1.0 + move))
        for effect in said:
            if isinstance(effect, Protection):
                assert effect.after.margin_ratio <= effect.before.margin_ratio + 1e-12
                assert effect.after.distance >= effect.before.distance - 1e-12
        if desk.state.order is not None and desk.state.order.reduce_only:
            desk.fill()
        elif desk.state.order is not None:
            desk.tell(ev.OrderRejected, desk.state.order.client_id, "not now")
        now = abs(float(desk.state.books["qty"][0, POSITION]))
        assert now <= held + 1e-9
        held = now


def test_halted_sends_nothing_and_keeps_its_stop():
    desk = Desk(policy="hazard")
    desk.quiet(3)
    assert desk.of(KeepStop)
    desk.tell(ev.Halt, "a person asked")
    desk.effects.clear()
    for number in range(60):
        desk.market(PRICE * (1.0 - 0.0008 * number))
    assert not desk.of(Submit)
    assert not desk.of(Protection)


@SIDES
def test_a_stop_is_kept_from_the_first_second_and_moves_with_the_books(side, way):
    desk = Desk(side, policy="hazard")
    desk.quiet(3)
    (stop,) = [e for e in desk.of(KeepStop) if e.qty_ltc]
    assert stop.leg == POSITION
    assert float(stop.trigger_usdt) * way > PRICE * way
    before = len(desk.of(KeepStop))
    desk.quiet(30)
    assert len(desk.of(KeepStop)) == before, "nothing changed, nothing is asked for again"
    desk.fall(PRICE * (1.0 + 0.05 * way), 50)
    desk.fill()
    desk.quiet(5)
    last = desk.of(KeepStop)[-1]
    assert float(last.qty_ltc) == pytest.approx(abs(float(desk.state.books["qty"][0, POSITION])))


def test_a_hedge_that_stands_alone_is_closed():
    desk = Desk(policy="hazard")
    desk.state.books["qty"][0, HEDGE] = -100.0
    desk.state.books["entry"][0, HEDGE] = PRICE
    held = float(desk.state.books["qty"][0, POSITION])
    desk.tell(ev.Deleveraged, POSITION, -held, PRICE)
    said = desk.market(PRICE)
    (order,) = [e.order for e in said if isinstance(e, Submit)]
    assert (order.leg, order.qty_ltc, order.reduce_only) == (HEDGE, Decimal("100.000"), True)
    desk.fill()
    assert not desk.state.books["qty"][0].any()


def test_a_hedge_larger_than_the_position_is_cut_to_it():
    desk = Desk(policy="hazard")
    held = float(desk.state.books["qty"][0, POSITION])
    desk.state.books["qty"][0, HEDGE] = -held
    desk.state.books["entry"][0, HEDGE] = PRICE
    desk.tell(ev.Deleveraged, POSITION, -0.5 * held, PRICE)
    desk.market(PRICE)
    (order,) = [e.order for e in desk.of(Submit)]
    assert order.leg == HEDGE
    assert float(order.qty_ltc) == pytest.approx(0.5 * held)


def test_after_deleveraging_the_policy_decides_at_once():
    desk = Desk(leverage=10.0, policy="plugin", hedge={"location": "same_account"})
    desk.tell(ev.SetHedge, 1.0, T0 + 10**15)
    assert desk.state.order is not None, "an override is acted upon at once"
    desk.fill()
    hedge = float(desk.state.books["qty"][0, HEDGE])
    desk.tell(ev.Deleveraged, HEDGE, -hedge, PRICE)
    order = desk.state.order
    assert order is not None
    assert order.leg == POSITION, "it would be deleveraged again: the position is reduced"
    assert order.reduce_only


@pytest.mark.parametrize("policy", ["unhedged", "oracle"])
def test_what_protection_is_compared_with_is_left_alone(policy):
    desk = Desk(policy=policy)
    desk.fall(PRICE * 0.955, 50)
    assert not desk.of(Protection)
    assert not desk.of(KeepStop)


def test_it_can_be_switched_off():
    desk = Desk(policy="hazard", health={"enabled": False})
    desk.fall(PRICE * 0.955, 50)
    assert not desk.of(Protection)
    assert not desk.of(KeepStop)


def test_the_parachute_is_journaled_and_told():
    desk = Desk(leverage=3.0)
    desk.quiet(70)
    for _ in range(40):
        desk.now_ns += S
        desk.tell(ev.Tick)
    (opened,) = [e for e in desk.of(Watched) if e.watch == Watch.PRICE_SILENT]
    assert opened.is_open
    assert any("neither book nor trades" in e.text for e in desk.of(Alert))


def test_a_hedge_of_the_rule_says_that_the_rule_decided_and_why():
    desk = Desk(policy="move-3pct")
    desk.quiet(70)
    for _ in range(40):
        desk.now_ns += S
        desk.tell(ev.Tick)
    acted = [e for e in desk.of(Decision) if e.order_id]
    assert acted
    assert acted[0].recommendation.reason.startswith("there is no forecast")
    assert "needs no forecast hedges more than the policy" in acted[0].recommendation.reason


def test_a_wrong_clock_halts():
    desk = Desk(leverage=3.0)
    desk.tell(ev.Vitals, skew_ms=-5000.0)
    desk.quiet(8)
    assert desk.state.trading is TradingState.HALTED
    (said,) = desk.tell(ev.Resume, RESUME_WORD)
    assert desk.state.trading is TradingState.HALTED
    assert "clock differs" in said.text
    assert "-5000 ms" in said.text
    desk.tell(ev.Vitals, skew_ms=3.0)
    desk.quiet(120)
    desk.tell(ev.Resume, RESUME_WORD)
    assert desk.state.trading is TradingState.ACTIVE


@pytest.mark.parametrize("location", ["same_account", "reduce"])
def test_nothing_is_lifted_under_the_parachute(location):
    desk = Desk(leverage=3.0, policy="move-3pct", hedge={"location": location})
    desk.tell(ev.SetHedge, 0.5, desk.now_ns + 2 * S)
    desk.fill()
    desk.tell(ev.Vitals, lag_ms=9000.0)
    desk.quiet(180)
    assert desk.state.order is None
    assert sizes(desk.state.terms, desk.state.books)[1] > 0.0
    held = [d for d in desk.of(Decision) if d.recommendation.size_ltc and not d.order_id]
    assert any(v.allowed_ltc == 0.0 for d in held for v in d.verdicts)


def test_a_run_without_anything_between_frames_does_nothing_between_them():
    desk = Desk(policy="hazard")
    other = start(
        desk.settings, desk.state.fixed.policy, TIERS, BlindForecaster(), session="p",
        atom_ns=5 * S, per_frame=12, looks_between=False,
    )  # fmt: skip
    assert not other.guards.is_watching
    other, _ = step(other, ev.Book(T0, T0, 79.9, 80.1, 1e6, 1e6))
    assert not other.guards.is_watching

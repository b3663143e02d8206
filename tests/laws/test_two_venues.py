"""Two venues with rules of their own: every order obeys those of the venue that it goes to."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from litehedge.config import Hedge, Position, Settings
from litehedge.decision import cost_of_hedge
from litehedge.effects import Alert, KeepStop, Submit
from litehedge.engine import step
from litehedge.engine_state import distance_now, start, taker_fee
from litehedge.hedge.policies import policy_named
from litehedge.live.trader import contract_changed
from litehedge.margin.account import HEDGE, POSITION
from litehedge.margin.liquidation import scope_bounds
from litehedge.margin.tiers import maintenance
from litehedge.margin.transfers import standing
from litehedge.market import events as ev
from litehedge.model.baselines.blind import BlindForecaster
from litehedge.orders.placing import Placement, Refusal, venue_order
from litehedge.orders.reports import Contract
from litehedge.orders.stops import stop_order
from litehedge.risk.health import stricter
from litehedge.units import NS_PER_HOUR, NS_PER_SECOND
from synthetic import T0, packaged_tiers

S = NS_PER_SECOND
TIERS = packaged_tiers()
STEPS = st.sampled_from(["0.001", "0.01", "0.02", "0.1", "0.5", "1"])
TICKS = st.sampled_from(["0.001", "0.01", "0.05", "0.1"])


def contract(
    lot: str, tick: str, least: int, name: str = "here", *, harder: float = 1.0, fee: str = "0.0005"
) -> Contract:
    """Return a contract whose maintenance is `harder` times that of the packaged tiers."""
    rows = [
        (Decimal(str(floor)), Decimal(10**9), Decimal(str(leverage)), Decimal(str(harder * rate)),
         Decimal(str(harder * cum)))
        for floor, rate, cum, leverage in TIERS.rows.tolist()
        if harder * rate < 0.95
    ]  # fmt: skip
    return Contract(
        venue=name, symbol="LTCUSDT", is_trading=True, tick_usdt=Decimal(tick),
        lot_ltc=Decimal(lot), min_notional_usdt=Decimal(least), max_qty_ltc=Decimal(10**6),
        price_band=None, taker_fee=Decimal(fee), maker_fee=Decimal("0.0002"),
        clearance_fee=Decimal("0.0125"), tiers=rows,
    )  # fmt: skip


class Pair:
    """An engine whose legs live on two venues; each order is held against its venue's rules."""

    def __init__(
        self, first: Contract, second: Contract, *, falls_back: bool = False,
        policy: str = "unhedged",
    ) -> None:  # fmt: skip
        self.contracts = {POSITION: first, HEDGE: second}
        settings_ = Settings(
            position=Position(leverage=5.0),
            hedge=Hedge(location="second_venue", fall_back_to_reduce=falls_back),
        )
        venue = settings_.venue.model_copy(
            update={
                "tick_usdt": float(first.tick_usdt), "lot_ltc": float(first.lot_ltc),
                "min_notional_usdt": float(first.min_notional_usdt),
            }
        )  # fmt: skip
        settings_ = settings_.model_copy(update={"venue": venue})
        self.state = start(
            settings_, policy_named(policy, settings_), TIERS, BlindForecaster(), session="t",
            atom_ns=5 * S, per_frame=12,
        )  # fmt: skip
        self.now = T0
        self.price = 100.0
        self.orders: list[int] = []
        self.put(contract_changed(second, self.now, is_second=True))
        assert self.state.hedge_tiers is not None
        self.put(ev.Opened(self.now, self.now, 1000.0, 800.0, 50.0, 100.0, 5.0, False))

    def put(self, event: ev.AnyEvent) -> None:
        self.state, effects = step(self.state, event)
        for effect in effects:
            if isinstance(effect, Submit):
                self.check(effect)
            elif isinstance(effect, KeepStop) and effect.qty_ltc:
                rules = self.contracts[effect.leg]
                placed = stop_order(
                    effect.leg, effect.qty_ltc, effect.trigger_usdt, self.place(effect.leg), rules
                )
                assert not isinstance(placed, Refusal), placed
                assert (placed[0].qty_ltc, placed[1]) == (effect.qty_ltc, effect.trigger_usdt)

    def place(self, leg: int) -> Placement:
        return Placement("long", "second_venue", True, is_second=leg == HEDGE)

    def check(self, sent: Submit) -> None:
        order, rules = sent.order, self.contracts[sent.order.leg]
        assert order.qty_ltc % rules.lot_ltc == 0
        assert order.limit_usdt % rules.tick_usdt == 0
        wire = venue_order(order, self.place(order.leg), rules, Decimal(repr(self.price)))
        assert not isinstance(wire, Refusal), wire
        assert (wire.qty_ltc, wire.limit_usdt) == (abs(order.qty_ltc), order.limit_usdt)
        self.orders.append(order.leg)

    def answer(self) -> None:
        order = self.state.order
        if order is not None:
            now, name, qty = self.now, order.client_id, float(order.qty_ltc)
            self.put(ev.OrderFilled(now, now, name, order.leg, qty, self.price, 0.1, 0.0))

    def second(self, move: float = 0.0) -> None:
        self.now += S
        self.price = round(self.price * (1.0 + move), 3)
        self.put(ev.Book(self.now, self.now, self.price - 0.005, self.price + 0.005, 1e6, 1e6))
        self.put(ev.Trade(self.now, self.now, self.price, 10.0, True))
        self.put(ev.Mark(self.now, self.now, self.price))
        self.put(ev.Tick(self.now, self.now))
        self.answer()

    def hold(self, ratio: float) -> None:
        self.put(ev.SetHedge(self.now, self.now, ratio, self.now + NS_PER_HOUR))
        self.answer()


@settings(max_examples=40)
@given(
    lots=st.tuples(STEPS, STEPS), ticks=st.tuples(TICKS, TICKS),
    least=st.tuples(st.sampled_from([5, 20, 100]), st.sampled_from([5, 20, 100])),
    ratios=st.lists(st.floats(0.0, 1.0), min_size=1, max_size=5), closes=st.booleans(),
    moves=st.lists(st.floats(-0.004, 0.003), min_size=5, max_size=12),
)  # fmt: skip
def test_every_order_is_a_multiple_of_its_own_venues_steps(
    lots, ticks, least, ratios, closes, moves
) -> None:
    here = Pair(*(contract(*rules) for rules in zip(lots, ticks, least, strict=True)))
    for _ in range(65):
        here.second()
    for ratio in ratios:
        here.hold(ratio)
        for move in moves:
            here.second(move)
    event(f"{len(here.orders)} orders")
    if closes:
        here.put(ev.CloseAll(here.now, here.now, "a person"))
        for _ in range(200):
            here.second()
        held = abs(here.state.books["qty"][0])
        assert held[POSITION] < float(lots[0])
        assert held[HEDGE] < float(lots[1])


def test_a_hedge_below_the_second_venues_smallest_order_is_not_asked_for() -> None:
    here = Pair(contract("0.001", "0.01", 5), contract("0.1", "0.05", 400))
    for _ in range(65):
        here.second()
    here.hold(0.05)  # 250 USDT
    assert here.orders == []
    here.hold(0.5)
    assert here.orders == [HEDGE]
    assert here.state.books["qty"][0, HEDGE] == pytest.approx(-25.0)


def test_where_the_hedge_is_refused_the_position_is_reduced_by_its_own_steps() -> None:
    here = Pair(contract("0.001", "0.01", 5), contract("1", "0.05", 5), falls_back=True)
    for _ in range(65):
        here.second()
    stopped = contract_changed(here.contracts[HEDGE], here.now, is_second=True)
    here.put(
        ev.ContractChanged(**{
            name: getattr(stopped, name) for name in stopped.__struct_fields__
        } | {"is_trading": False})
    )  # fmt: skip
    here.hold(0.333)
    here.second()
    assert set(here.orders) == {POSITION}


def test_a_change_at_the_first_venue_does_not_undo_the_seconds_rules() -> None:
    here = Pair(contract("0.001", "0.01", 5), contract("0.5", "0.05", 20))
    for _ in range(65):
        here.second()
    here.contracts[POSITION] = contract("0.01", "0.1", 10)
    here.put(contract_changed(here.contracts[POSITION], here.now))
    here.hold(0.333)
    assert here.orders == [HEDGE]
    here.contracts[HEDGE] = contract("0.02", "0.01", 5)
    here.put(contract_changed(here.contracts[HEDGE], here.now, is_second=True))
    here.hold(0.777)
    assert here.orders == [HEDGE, HEDGE]


def hedged(harder: float = 1.0, fee: str = "0.0005", ratio: float = 0.8) -> Pair:
    """Return a pair, on whose second venue maintenance and fee are others, that holds a hedge."""
    here = Pair(
        contract("0.001", "0.01", 5), contract("0.001", "0.01", 5, harder=harder, fee=fee),
        policy="plugin",
    )  # fmt: skip
    for _ in range(65):
        here.second()
    here.hold(ratio)
    for _ in range(5):
        here.second()
    return here


@settings(max_examples=15, deadline=None)
@given(harder=st.floats(1.0, 20.0), more=st.floats(1.01, 2.0))
def test_a_hedge_keeps_the_margin_that_its_own_venue_asks_for(harder: float, more: float) -> None:
    sizes = []
    for factor in (harder, harder * more):
        here = hedged(factor, ratio=1.0)
        books, limits = here.state.books, here.state.fixed.settings.limits
        size = abs(float(books["qty"][0, HEDGE]))
        needed = factor * maintenance(size * here.price, TIERS.rows)
        assert needed <= (1.0 - limits.min_margin_buffer) * 800.0 * (1.0 + 1e-9)
        sizes.append(size)
    event("cut" if sizes[1] < sizes[0] else "whole")
    assert sizes[1] <= sizes[0]


def test_each_leg_dies_and_is_stopped_by_its_own_venues_tiers() -> None:
    same, other = hedged(), hedged(harder=4.0)
    stops = [here.state.stops for here in (same, other)]
    before, after = (stop[POSITION].wanted.trigger_usdt for stop in stops)
    assert before == after
    before, after = (stop[HEDGE].wanted.trigger_usdt for stop in stops)
    assert after < before  # a short one: nearer
    books, price = other.state.books, other.price
    health = other.state.fixed.settings.health
    own = other.contracts[HEDGE]
    rows = np.array([[float(a), float(r), float(c), float(m)] for a, _, m, r, c in own.tiers])
    _, high = scope_bounds(books, 1, price, stricter(rows, health.stop_ratio))
    assert float(after) == pytest.approx(high, abs=0.01)
    alone = [float(scope_bounds(books, scope, price, table)[scope])
             for scope, table in ((0, TIERS.rows), (1, rows))]  # fmt: skip
    nearest = min(1.0 - alone[0] / price, alone[1] / price - 1.0)
    assert distance_now(other.state, price) == pytest.approx(nearest)


def test_a_hedge_in_danger_by_its_own_venues_tiers_is_made_smaller_there() -> None:
    same, other = hedged(ratio=0.5), hedged(harder=30.0, ratio=0.5)
    for here in (same, other):
        here.orders.clear()
        for _ in range(8):
            here.second(0.01)
    assert same.orders == []
    assert HEDGE in other.orders


def test_what_a_hedge_costs_is_what_its_own_venue_takes() -> None:
    cheap, dear = hedged(), hedged(fee="0.0025")
    costs = []
    for here in (cheap, dear):
        here.put(contract_changed(here.contracts[POSITION], here.now))  # changes nothing of it
        costs.append(float(cost_of_hedge(here.state.terms, here.state.signals, 0, 1.0)))
        assert taker_fee(here.state, POSITION) == 0.0005
    assert costs[1] - costs[0] == pytest.approx(0.002)
    assert taker_fee(dear.state, HEDGE) == 0.0025
    for lot, words in (("0.001", "the taker fee from 0.0025 to 0.001"), ("0.01", "step")):
        told = contract_changed(contract(lot, "0.01", 5, fee="0.001"), dear.now, is_second=True)
        dear.state, effects = step(dear.state, told)
        assert words in " ".join(e.text for e in effects if isinstance(e, Alert))


def test_money_is_asked_for_by_the_tiers_of_each_venue() -> None:
    same, other = hedged(), hedged(harder=8.0)
    for here in (same, other):
        terms = here.state.terms
        _, _, kept = standing(here.state.books, HEDGE, here.price, 0.0, terms["hedge_tiers"][0])
        _, _, held = standing(here.state.books, POSITION, here.price, 0.0, terms["tiers"][0])
        size = abs(float(here.state.books["qty"][0, HEDGE]))
        factor = 8.0 if here is other else 1.0
        assert kept == pytest.approx(factor * maintenance(size * here.price, TIERS.rows))
        assert held == pytest.approx(maintenance(50.0 * here.price, TIERS.rows))

"""Two venues with rules of their own: every order obeys those of the venue that it goes to."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from litehedge.config import Hedge, Position, Settings
from litehedge.effects import KeepStop, Submit
from litehedge.engine import step
from litehedge.engine_state import start
from litehedge.hedge.policies import policy_named
from litehedge.live.trader import contract_changed
from litehedge.margin.account import HEDGE, POSITION
from litehedge.market import events as ev
from litehedge.model.baselines.blind import BlindForecaster
from litehedge.orders.placing import Placement, Refusal, venue_order
from litehedge.orders.reports import Contract
from litehedge.orders.stops import stop_order
from litehedge.units import NS_PER_HOUR, NS_PER_SECOND
from synthetic import T0, packaged_tiers

S = NS_PER_SECOND
TIERS = packaged_tiers()
STEPS = st.sampled_from(["0.001", "0.01", "0.02", "0.1", "0.5", "1"])
TICKS = st.sampled_from(["0.001", "0.01", "0.05", "0.1"])


def contract(lot: str, tick: str, least: int, name: str = "here") -> Contract:
    rows = [
        (Decimal(str(floor)), Decimal(10**9), Decimal(str(leverage)), Decimal(str(rate)),
         Decimal(str(cum)))
        for floor, rate, cum, leverage in TIERS.rows.tolist()
    ]  # fmt: skip
    return Contract(
        venue=name, symbol="LTCUSDT", is_trading=True, tick_usdt=Decimal(tick),
        lot_ltc=Decimal(lot), min_notional_usdt=Decimal(least), max_qty_ltc=Decimal(10**6),
        price_band=None, taker_fee=Decimal("0.0005"), maker_fee=Decimal("0.0002"),
        clearance_fee=Decimal("0.0125"), tiers=rows,
    )  # fmt: skip


class Pair:
    """An engine whose legs live on two venues; each order is held against its venue's rules."""

    def __init__(self, first: Contract, second: Contract, *, falls_back: bool = False) -> None:
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
            settings_, policy_named("unhedged", settings_), TIERS, BlindForecaster(), session="t",
            atom_ns=5 * S, per_frame=12,
        )  # fmt: skip
        self.now = T0
        self.price = 100.0
        self.orders: list[int] = []
        self.put(contract_changed(second, self.now, is_second=True))
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

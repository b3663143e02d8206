"""Stops on the wire: rounded to fire earlier, closing no more than is held; fills counted once."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from litehedge.margin.account import HEDGE, POSITION
from litehedge.orders.placing import Placement, Refusal
from litehedge.orders.reports import Contract, OrderReport, StopReport
from litehedge.orders.stops import StopFills, is_same, side_of, stop_id, stop_order

CONTRACT = Contract(
    venue="made", symbol="LTCUSDT", is_trading=True, tick_usdt=Decimal("0.01"),
    lot_ltc=Decimal("0.1"), min_notional_usdt=Decimal(5), max_qty_ltc=Decimal(5000),
    price_band=None, taker_fee=Decimal("0.0005"), maker_fee=Decimal("0.0002"),
    clearance_fee=Decimal("0.0125"), tiers=[],
)  # fmt: skip
SIDES = st.sampled_from(["long", "short"])


@given(
    SIDES, st.booleans(), st.sampled_from([POSITION, HEDGE]),
    st.decimals("0.1", 6000, places=3), st.decimals(1, 500, places=4),
)  # fmt: skip
def test_it_closes_its_leg_early_and_no_more_than_was_asked(side, hedge_mode, leg, qty, trigger):
    placement = Placement(side, "same_account", hedge_mode)
    made = stop_order(leg, qty, trigger, placement, CONTRACT, "x")
    assert not isinstance(made, Refusal)
    order, at = made
    is_long = placement.side_of(leg) == "long"
    assert order.buys != is_long
    assert at >= trigger if is_long else at <= trigger
    assert abs(at - trigger) < CONTRACT.tick_usdt
    assert at % CONTRACT.tick_usdt == 0
    assert 0 < order.qty_ltc <= min(qty, CONTRACT.max_qty_ltc)
    assert order.qty_ltc % CONTRACT.lot_ltc == 0
    assert order.reduce_only == (not hedge_mode)
    same = StopReport("", order.position_side, order.buys, at, order.qty_ltc)
    whole = StopReport("", order.position_side, order.buys, at, None)
    moved = StopReport("", order.position_side, order.buys, at + 1, None)
    assert is_same(same, order, at)
    assert is_same(whole, order, at)
    assert not is_same(moved, order, at)


@given(st.decimals(1, 6000, places=1), st.none() | st.decimals(1, 6000, places=1))
def test_it_asks_for_no_more_than_the_venue_takes_without_a_limit(qty, most):
    contract = msgspec.structs.replace(CONTRACT, max_market_qty_ltc=most)
    made = stop_order(
        POSITION, qty, Decimal(80), Placement("long", "same_account", True), contract, "x"
    )
    assert not isinstance(made, Refusal)
    largest = min(CONTRACT.max_qty_ltc, CONTRACT.max_qty_ltc if most is None else most)
    assert made[0].qty_ltc == min(qty, largest)


def test_what_lives_elsewhere_or_is_too_small_is_refused():
    second = Placement("long", "second_venue", False, is_second=True)
    one, at = Decimal(1), Decimal(80)
    assert isinstance(stop_order(POSITION, one, at, second, CONTRACT), Refusal)
    assert not isinstance(stop_order(HEDGE, one, at, second, CONTRACT), Refusal)
    assert isinstance(stop_order(HEDGE, Decimal("0.05"), at, second, CONTRACT), Refusal)


@pytest.mark.parametrize("side", ["both", "long", "short"])
def test_ids_name_their_leg(side):
    assert side_of(stop_id(side, 1_795_000_000)) == side
    assert side_of(f"lhs-{side}-12345") == side


@pytest.mark.parametrize(
    "name", ["", "lh-t-000001", "lhs-", "lhs-up-1", "lh-stopx-000001", "web_1"]
)
def test_other_ids_are_no_stops(name):
    assert side_of(name) is None


@given(
    st.lists(st.tuples(st.integers(1, 50), st.integers(70, 90)), min_size=1, max_size=6),
    st.randoms(use_true_random=False), st.booleans(),
)  # fmt: skip
def test_reports_in_any_order_and_number_add_up(fills, chance, has_fee):
    placement = Placement("long", "same_account", hedge_mode=True)
    reports, qty, usdt = [], Decimal(0), Decimal(0)
    for lots, price in fills:
        qty += lots
        usdt += lots * price
        fee = usdt / 1000 if has_fee else None
        reports.append(OrderReport("lhs-long-1", "open", qty, usdt, fee, "", 5))
    last = reports[-1]
    told = [*reports, *reports]
    chance.shuffle(told)
    desk, said = StopFills(), []
    for report in [*told, last]:
        said += desk.take(report, placement, CONTRACT, 9)
    assert sum(one.qty_ltc for one in said) == pytest.approx(-float(qty))
    assert -sum(one.qty_ltc * one.price for one in said) == pytest.approx(float(usdt))
    rate = 1 / 1000 if has_fee else 0.0005
    assert sum(one.fee_usdt for one in said) == pytest.approx(float(usdt) * rate)
    assert all(one.leg == POSITION for one in said)


def test_a_report_without_a_price_waits_for_one():
    placement = Placement("long", "same_account", hedge_mode=True)
    desk = StopFills()
    vague = OrderReport("lhs-short-1", "filled", Decimal(5), Decimal("NaN"))
    clear = OrderReport("lhs-short-1", "filled", Decimal(5), Decimal(400), Decimal("0.2"), "", 7)
    assert desk.take(vague, placement, CONTRACT, 9) == []
    [fill] = desk.take(clear, placement, CONTRACT, 9)
    assert (fill.leg, fill.qty_ltc, fill.price, fill.event_ns) == (HEDGE, 5.0, 80.0, 7)
    assert desk.take(OrderReport("lh-t-000001", "filled", Decimal(1), Decimal(80)), placement,
                     CONTRACT, 9) == []  # fmt: skip

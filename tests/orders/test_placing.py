"""Orders on the wire: exact, on the grid, inside the band, and never worse than the collar."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from desks import LOT, T0, contract, order, placement
from hypothesis import given, settings
from hypothesis import strategies as st

from litehedge.orders.placing import Refusal, setup_faults, venue_order
from litehedge.orders.reports import AccountReport, LegReport, VenueOrder

grid = st.sampled_from([Decimal("0.001"), Decimal("0.01"), Decimal("0.1"), Decimal("0.5")])
places = st.sampled_from(["same_account", "second_venue", "reduce"])


@given(
    lots=st.integers(1, 10**7), ticks=st.integers(2000, 40_000), buys=st.booleans(),
    leg=st.sampled_from([0, 1]), side=st.sampled_from(["long", "short"]), location=places,
    hedge_mode=st.booleans(), is_second=st.booleans(), lot=grid, tick=grid,
    mark=st.none() | st.integers(2000, 40_000), band=st.none() | st.just(Decimal("0.05")),
)  # fmt: skip
@settings(max_examples=400)
def test_what_goes_out_is_what_was_meant_or_more_careful(
    lots: int, ticks: int, buys: bool, leg: int, side: Any, location: Any, hedge_mode: bool,
    is_second: bool, lot: Decimal, tick: Decimal, mark: int | None, band: Decimal | None,
) -> None:  # fmt: skip
    there = placement(
        side=side, location=location, hedge_mode=hedge_mode,
        is_second=is_second and location == "second_venue",
    )  # fmt: skip
    closes = buys == (there.side_of(leg) == "short")
    wanted = order((lots if buys else -lots) / 1000, ticks / 100, leg=leg, reduce_only=closes)
    rules = contract(lot_ltc=lot, tick_usdt=tick, price_band=band)
    at = None if mark is None else Decimal(mark) / 100
    sent = venue_order(wanted, there, rules, at)
    if isinstance(sent, Refusal):
        assert sent.why
        return
    assert there.holds(leg)
    assert hedge_mode or is_second or leg == 0
    assert sent.buys is buys
    assert 0 < sent.qty_ltc <= min(abs(wanted.qty_ltc), rules.max_qty_ltc)
    assert sent.qty_ltc % lot == 0
    assert abs(wanted.qty_ltc) - sent.qty_ltc < lot or sent.qty_ltc == rules.max_qty_ltc
    assert sent.limit_usdt % tick == 0
    assert (
        (sent.limit_usdt <= wanted.limit_usdt) if buys else (sent.limit_usdt >= wanted.limit_usdt)
    )
    if band is not None and at is not None:
        inside = sent.limit_usdt <= at * (1 + band) if buys else sent.limit_usdt >= at * (1 - band)
        assert inside
    assert sent.position_side == (there.side_of(leg) if hedge_mode else "both")
    assert sent.reduce_only == (closes and not hedge_mode)
    if not closes:
        assert sent.qty_ltc * sent.limit_usdt >= 20


def test_closing_a_long_in_hedge_mode() -> None:
    """LONG + SELL, and nothing about reduceOnly."""
    sent = venue_order(order(-5.0, leg=0, reduce_only=True), placement(), contract(), None)
    assert sent == VenueOrder(
        "lh-desk-000001", False, "long", Decimal("5.000"), Decimal("99.00"), False
    )


def test_opening_a_hedge_in_hedge_mode() -> None:
    sent = venue_order(order(-5.0), placement(), contract(), None)
    assert isinstance(sent, VenueOrder)
    assert (sent.buys, sent.position_side) == (False, "short")


def test_reducing_in_one_way_mode() -> None:
    there = placement(location="reduce", hedge_mode=False)
    sent = venue_order(order(-5.0, leg=0, reduce_only=True), there, contract(), None)
    assert isinstance(sent, VenueOrder)
    assert (sent.position_side, sent.reduce_only) == ("both", True)


@pytest.mark.parametrize(
    ("asked", "where", "rules", "word"),
    [
        (order(), {"hedge_mode": False}, {}, "one-way mode"),
        (order(-0.1), {}, {}, "below 20 USDT"),
        (order(-0.05), {}, {"lot_ltc": Decimal("0.1")}, "lot of 0.1"),
        (order(), {}, {"is_trading": False}, "stopped trading"),
        (order(), {"location": "reduce"}, {}, "does not live"),
        (order(-5.0, leg=1, reduce_only=True), {}, {}, "make its leg larger"),
    ],
)
def test_refusals_in_words(asked: Any, where: Any, rules: Any, word: str) -> None:
    said = venue_order(asked, placement(**where), contract(**rules), None)
    assert isinstance(said, Refusal)
    assert word in said.why


def test_what_closes_may_be_small() -> None:
    sent = venue_order(order(0.001, 101.0, reduce_only=True), placement(), contract(), None)
    assert isinstance(sent, VenueOrder)
    assert sent.qty_ltc == LOT


def test_a_limit_beyond_the_band_is_clamped() -> None:
    sent = venue_order(order(-5.0, 90.0), placement(), contract(), Decimal("100.003"))
    assert isinstance(sent, VenueOrder)
    assert sent.limit_usdt == Decimal("95.01")


def test_what_does_not_fit_is_said() -> None:
    leg = LegReport("short", Decimal(-3), Decimal(99), Decimal(5), False)
    report = AccountReport(T0, Decimal(1), [leg], True, can_trade=False, can_withdraw=True)
    faults = setup_faults(report, placement(location="reduce"))
    assert [len(faults), *("-3 LTC short" in f for f in faults)] == [3, False, False, True]
    one_way = AccountReport(T0, Decimal(1), [], False)
    assert "hedge mode is expected" in setup_faults(one_way, placement())[0]

"""Laws of the fake exchange: money adds up, books follow, nothing fills beyond its limit."""

from __future__ import annotations

import contextlib
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from litehedge.exchange.book import DepthBook
from litehedge.exchange.faults import Fault, Faults
from litehedge.exchange.happenings import BookMoved, Happening, OrderMoved
from litehedge.exchange.ledger import Ledger
from litehedge.exchange.matching import Matching
from litehedge.exchange.scene import Scripted, Simulated
from litehedge.exchange.server import FakeExchange
from litehedge.exchange.terms import BINANCE, Ask, Refused
from litehedge.sim.market.feed import LiveMarket
from litehedge.sim.market.parameters import Parameters
from litehedge.sim.market.state import new_world
from litehedge.store.bundled import tier_table

QUICK = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
CENT = Decimal("0.000001")

orders = st.tuples(
    st.booleans(),
    st.sampled_from(["long", "short"]),
    st.integers(1, 400),
    st.integers(-40, 40),
    st.sampled_from(["IOC", "GTC"]),
)
acts = st.lists(
    st.one_of(orders, st.integers(1, 25), st.sampled_from(["fund", "liquidate", "adl"])),
    max_size=25,
)


def do(exchange: FakeExchange, act: Any) -> None:
    """Do one thing of a random history."""
    venue = exchange.binance
    if isinstance(act, int):
        for _ in range(act):
            exchange.step()
    elif act == "fund":
        venue.settle(0.001)
    elif act == "liquidate":
        venue.self_liquidate()
    elif act == "adl":
        venue.deleverage(1, 0.5)
    else:
        buys, side, lots, away, tif = act
        limit = (Decimal(f"{venue.mark:.2f}") + Decimal(away) / 100).quantize(Decimal("0.01"))
        ask = Ask("", buys, side, Decimal(lots) / 10, limit, tif)
        with contextlib.suppress(Refused):
            venue.matching.place(ask)


@QUICK
@given(acts, st.booleans(), st.integers(0, 3))
def test_money_adds_up(acts: list[Any], isolated: bool, slope: int) -> None:
    path = ((0.0, 84.0), (60.0, 84.0 - 4.0 * slope))
    exchange = FakeExchange(Scripted(path), isolated=isolated, wallet_usdt=Decimal(500))
    for act in acts:
        do(exchange, act)
    venue, truth = exchange.binance, exchange.truth()
    fills = [fill for order in truth.orders for fill in order.fills]
    earned = sum((fill.realised_usdt - fill.fee_usdt for fill in fills), Decimal(0))
    insurance = Decimal(repr(float(venue.ledger.books["insurance"][0])))
    owed = Decimal(500) + earned + truth.funding_usdt + insurance
    assert abs(truth.wallet_usdt - owed) < CENT
    assert abs(truth.wallet_usdt - venue.ledger.balance_usdt()) < CENT


@QUICK
@given(acts)
def test_positions_are_the_sum_of_their_fills(acts: list[Any]) -> None:
    exchange = FakeExchange(Scripted(((0.0, 84.0), (60.0, 80.0))), wallet_usdt=Decimal(500))
    for act in acts:
        do(exchange, act)
    truth = exchange.truth()
    for side in ("long", "short"):
        signed = [o.filled_ltc * (1 if o.buys else -1) for o in truth.orders if o.side == side]
        assert truth.qty_ltc(side) == sum(signed, Decimal(0))


@QUICK
@given(acts)
def test_nothing_fills_beyond_its_limit_or_its_size(acts: list[Any]) -> None:
    exchange = FakeExchange(Scripted(((0.0, 84.0), (60.0, 86.0))))
    for act in acts:
        do(exchange, act)
    for order in exchange.truth().orders:
        assert order.filled_ltc <= order.qty_ltc
        if order.kind == "limit":
            assert order.limit_usdt is not None
            for fill in order.fills:
                beyond = fill.price_usdt - order.limit_usdt
                assert beyond <= 0 if order.buys else beyond >= 0


@QUICK
@given(acts, st.integers(0, 20))
def test_whoever_applies_the_changes_has_the_book(acts: list[Any], joins: int) -> None:
    told: list[BookMoved] = []
    exchange = FakeExchange(Scripted(((0.0, 84.0), (5.0, 84.3), (60.0, 83.0))))
    exchange._tellers["binance"] = lambda happening: (
        told.append(happening) if isinstance(happening, BookMoved) else None
    )
    book = exchange.binance.matching.book
    for _ in range(joins):
        exchange.step()
    last, bids, asks = book.number_snapshot(), dict(book.bids), dict(book.asks)
    told.clear()
    for act in acts:
        do(exchange, act)
    exchange.step()
    for number, moved in enumerate(told):
        change = moved.change
        if number == 0:
            assert change.first <= last <= change.last
        else:
            assert change.before == last
        last = change.last
        for mine, theirs in ((bids, change.bids), (asks, change.asks)):
            mine.update(theirs)
            for price in [price for price, lots in mine.items() if lots == 0]:
                del mine[price]
    assert (bids, asks) == (book.bids, book.asks)


@QUICK
@given(st.integers(1, 5_000), st.integers(7_000, 9_000), st.integers(1, 100_000), st.booleans())
def test_an_order_eats_the_best_prices_first(depth: int, touch: int, lots: int, buys: bool) -> None:
    book = DepthBook()
    book.follow(touch, touch + 1, (float(depth), float(depth)))
    before = dict(book.asks if buys else book.bids)
    pieces = book.take(buys, None, lots)
    prices = [piece.price_ticks for piece in pieces]
    assert prices == sorted(prices, reverse=not buys)
    assert sum(piece.lots for piece in pieces) == min(lots, sum(before.values()))
    after = book.asks if buys else book.bids
    assert sum(before.values()) - sum(after.values()) == sum(piece.lots for piece in pieces)


@QUICK
@given(acts)
def test_a_script_plays_the_same_twice(acts: list[Any]) -> None:
    tapes = []
    for _ in range(2):
        tape: list[str] = []
        exchange = FakeExchange(Scripted(((0.0, 84.0), (60.0, 80.0))), seed=3)
        exchange._tellers["binance"] = lambda happening, tape=tape: tape.append(repr(happening))
        exchange.faults.by_chance(Fault.PARTIAL, 0.3)
        for act in acts:
            do(exchange, act)
        tapes.append(tape)
    assert tapes[0] == tapes[1]


def test_orders_eat_the_simulated_market() -> None:
    def prices(buys_ltc: int) -> list[float]:
        world = new_world(Parameters(), 1, 1_795_000_020)
        exchange = FakeExchange(
            Simulated(LiveMarket(world, 1)), wallet_usdt=Decimal(9_000_000), leverage=5
        )
        venue = exchange.binance
        seen = []
        for _ in range(20):
            for _ in range(10):
                exchange.step()
            seen.append(venue.mark)
            if buys_ltc:
                limit = Decimal(f"{venue.mark * 1.03:.2f}")
                venue.matching.place(Ask("", True, "long", Decimal(buys_ltc), limit, "IOC"))
        return seen

    assert prices(0) == prices(0)
    assert prices(1_000)[-1] > prices(0)[-1]


def test_the_wallet_of_a_dead_account_never_ends_below_zero() -> None:
    scene = Scripted(((0.0, 84.0), (3.0, 84.0), (4.0, 60.0)))
    exchange = FakeExchange(scene, wallet_usdt=Decimal(200), leverage=20)
    moved: list[Happening] = []
    exchange._tellers["binance"] = moved.append
    exchange.binance.matching.place(Ask("", True, "long", Decimal(40), Decimal("84.5"), "IOC"))
    for _ in range(60):
        exchange.step()
    truth = exchange.truth()
    assert truth.qty_ltc("long") == 0
    assert truth.wallet_usdt == 0
    closing = [m for m in moved if isinstance(m, OrderMoved) and m.move == "calculated"]
    assert [m.order.client_id[:10] for m in closing] == ["autoclose-"]


def test_a_chance_is_a_function_of_the_seed() -> None:
    def struck(seed: int) -> list[bool]:
        faults = Faults(seed)
        faults.by_chance(Fault.GAP, 0.5)
        return [faults.strikes(Fault.GAP, "x") is not None for _ in range(50)]

    assert struck(1) == struck(1)
    assert struck(1) != struck(2)


def test_a_matching_engine_needs_no_server() -> None:
    tiers = tier_table("binance", "LTCUSDT")
    ledger = Ledger(BINANCE, tiers, Decimal(100), leverage=5, hedge_mode=False, isolated=False)
    matching = Matching(ledger, lambda _: None, felt=lambda _: None, partial=lambda: None)
    matching.mark = 84.0
    matching.book.follow(8_400, 8_401, (10_000.0, 10_000.0))
    with pytest.raises(Refused) as refused:
        matching.place(Ask("a", True, "both", Decimal(100), Decimal("84.01"), "IOC"))
    assert refused.value.why == "margin"
    order = matching.place(Ask("a", True, "both", Decimal(1), Decimal("84.50"), "IOC"))
    assert order.status == "filled"

"""The simulated venue: fills inside collar and volume, no position no fills, honest answers."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from litehedge.config import Costs, Hedge, Position, Settings
from litehedge.hedge.policies import static
from litehedge.hedge.terms import terms_of
from litehedge.margin.account import HEDGE, POSITION
from litehedge.market import events as ev
from litehedge.orders.manager import Order, new_order
from litehedge.sim.execution import execute, new_liquidity, observe_bars
from litehedge.sim.market.gateway import Reply
from litehedge.sim.market.recording import Second
from litehedge.sim.opening import Opening, open_account, position_size
from litehedge.sim.venue import SimVenue
from litehedge.units import NS_PER_DAY, NS_PER_MINUTE, NS_PER_SECOND
from strategies import log_floats
from synthetic import T0, packaged_tiers

TIERS = packaged_tiers()
MINUTE = NS_PER_MINUTE
BESIDE = Hedge(location="same_account")


class Made:
    """A market that is made up: it shows what seconds it is told to, and notes what is traded."""

    def __init__(self, *replies: Reply, down: bool = False, closes_ltc: float = 0.0) -> None:
        self.felt: list[float] = []
        self.replies = list(replies)
        self.is_down = down
        self.closes_ltc = closes_ltc
        self.ranks: list[float] = []
        self.traders: list[Callable[[Second], None]] = []

    def join(self, trader: Callable[[Second], None]) -> None:
        self.traders.append(trader)

    def trade(self, usdt: float) -> None:
        self.felt.append(usdt)

    def reply(self, number: int, *, reduce_only: bool, latency_ns: int) -> Reply:
        return self.replies.pop(0) if self.replies else Reply(True, True, "", latency_ns)

    def deleverages(self, second: Second, qty_ltc: float, rank: float) -> float:
        self.ranks.append(rank)
        return min(abs(qty_ltc), self.closes_ltc) if rank > 0.0 else 0.0

    def second(
        self, number: int, price: float, depth: float = 1e6, *, deleveraged: float = 0.0
    ) -> None:
        now = T0 + number * NS_PER_SECOND
        nothing = float("nan")
        for trader in self.traders:
            trader(Second(now, price - 0.05, price + 0.05, depth, depth, price, nothing,
                          deleveraged, deleveraged))  # fmt: skip


def live(market: Made, **changes: object) -> SimVenue:
    """A venue in that market, its position open at 100."""
    settings = Settings(position=Position(leverage=5.0), **{"hedge": BESIDE, **changes})  # type: ignore[arg-type]
    here = SimVenue(settings, TIERS, Opening(T0, reopens=False), MINUTE, market)
    market.second(0, 100.0)
    assert isinstance(told(here, 0)[0], ev.Opened)
    return here


def told(here: SimVenue, number: int) -> list[ev.AccountEvent]:
    """What the venue says when a feed that stands still tells its last price once more."""
    now = T0 + number * NS_PER_SECOND
    return here.on_market(ev.Book(now, now, 99.95, 100.05, 1e6, 1e6))


def venue(**costs: float) -> SimVenue:
    settings = Settings(position=Position(leverage=5.0), hedge=BESIDE, costs=Costs(**costs))
    return SimVenue(settings, TIERS, Opening(T0, reopens=True), MINUTE)


def bar(
    number: int, open_: float, high: float, low: float, close: float, volume: float = 1e4
) -> ev.Bar:
    end = T0 + number * MINUTE
    return ev.Bar(end, end, "LTC", MINUTE, open_, high, low, close, volume)


def flat(number: int, price: float = 100.0, volume: float = 1e4) -> ev.Bar:
    return bar(number, price, price, price, price, volume)


def order(qty: float, limit: float, number: int = 0, leg: int = HEDGE) -> Order:
    return new_order(
        "v", number, leg, qty, limit, lot=Decimal("0.001"), tick=Decimal("0.01"),
        reduce_only=False, decided_ns=T0,
    )  # fmt: skip


# --- execution --------------------------------------------------------------------------------


@given(
    st.integers(1, 10**7), st.booleans(), log_floats(20.0, 400.0), st.floats(-0.05, 0.05),
    st.one_of(st.just(0.0), log_floats(1e-3, 1e6)), st.floats(0.01, 1.0), st.floats(0.0, 3.0),
    st.lists(st.tuples(st.floats(-0.02, 0.02), st.floats(0.0, 1e5)), max_size=5),
)  # fmt: skip
def test_fills_lie_within_collar_volume_and_order(
    lots: int, buys: bool, open_: float, collar: float, volume: float, share: float,
    impact: float, before: list[tuple[float, float]],
) -> None:  # fmt: skip
    direction = 1.0 if buys else -1.0
    wanted = direction * lots / 1000
    limit = open_ * (1.0 + collar)
    settings = Settings(costs=Costs(max_bar_share=share, impact=impact))
    terms = terms_of(settings, static(0.0), TIERS, 1.0)
    liquidity = new_liquidity()
    seen = np.array([[open_, open_, open_, open_ * (1 + m), v] for m, v in before]).reshape(-1, 5)
    observe_bars(liquidity, seen, 0.9, 0.9)
    qty, price, fee, slippage = execute(wanted, limit, open_, volume, 1.0, liquidity, terms)
    if qty == 0.0:
        assert (price, fee, slippage) == (0.0, 0.0, 0.0)
        return
    assert qty * direction > 0.0
    assert abs(qty) <= abs(wanted)
    assert abs(qty) <= share * volume * (1 + 1e-9) + 1e-9
    assert direction * (limit - price) >= 0.0
    assert direction * (price / open_ - 1.0) >= 1e-4 * (1 - 1e-9)  # half the spread at least
    assert fee == pytest.approx(abs(qty) * price * 5e-4)
    assert slippage == pytest.approx(abs(qty) * abs(price - open_))
    assert abs(qty) == pytest.approx(round(abs(qty) * 1000) / 1000, rel=1e-12)


def test_what_the_venue_knows_of_its_market() -> None:
    liquidity = new_liquidity()
    observe_bars(liquidity, np.array([[100, 1, 1, 101, 50], [101, 1, 1, 99, 70]]), 0.5, 0.25)
    assert liquidity.tolist() == [0.5 * 1 + 4, 1.5, 0.25 * 50 + 70, 1.25]


# --- the venue --------------------------------------------------------------------------------


def test_the_position_opens_at_the_first_open() -> None:
    here = venue()
    early = ev.Bar(T0, T0, "LTC", MINUTE, 90.0, 90.0, 90.0, 90.0, 1.0)
    assert here.on_market(early) == []
    assert not here.is_open
    [opened] = here.on_market(bar(1, 100.0, 101.0, 99.0, 100.5))
    assert isinstance(opened, ev.Opened)
    assert (opened.qty_ltc, opened.entry_usdt, opened.event_ns) == (50.0, 100.0, T0)
    assert here.sizes() == (50.0, 0.0)
    assert here.equity() == pytest.approx(1000.0 + 50 * 0.5)


def test_without_a_position_there_are_no_fills() -> None:
    here = venue()
    [said] = here.submit(order(-1.0, 90.0), T0)
    assert isinstance(said, ev.OrderRejected)
    assert said.reason == "no position"
    here.on_market(ev.Bar(T0, T0, "LTC", MINUTE, 90.0, 90.0, 90.0, 90.0, 1e6))
    assert not here.books["qty"].any()


def test_an_order_fills_at_the_next_open_after_the_latency() -> None:
    here = venue(latency_ms=70_000.0, half_spread_bps=2.0, impact=0.0)
    here.on_market(flat(1))
    [accepted] = here.submit(order(-20.0, 90.0), T0 + MINUTE)
    assert isinstance(accepted, ev.OrderAccepted)
    assert here.on_market(flat(2)) == []
    [fill] = here.on_market(flat(3, 99.0))
    assert isinstance(fill, ev.OrderFilled)
    assert (fill.leg, fill.qty_ltc, fill.event_ns) == (HEDGE, -20.0, T0 + 130 * NS_PER_SECOND)
    assert fill.price == pytest.approx(99.0 * (1 - 2e-4))
    assert here.sizes() == (50.0, 20.0)
    assert here.query("lh-v-000000", T0) == [fill]


def test_what_does_not_fit_is_gone() -> None:
    here = venue()
    here.on_market(flat(1))
    here.submit(order(-20.0, 90.0), T0 + MINUTE)
    fill, rest = here.on_market(flat(2, volume=50.0))
    assert isinstance(fill, ev.OrderFilled)
    assert fill.qty_ltc == -5.0
    assert isinstance(rest, ev.OrderExpired)
    assert rest.reason == "the rest found no volume"
    assert here.on_market(flat(3)) == []


def test_beyond_the_collar_nothing_happens() -> None:
    here = venue()
    here.on_market(flat(1))
    here.submit(order(-20.0, 100.0), T0 + MINUTE)
    [gone] = here.on_market(flat(2, 99.0))
    assert isinstance(gone, ev.OrderExpired)
    assert gone.reason == "beyond the collar"
    assert here.sizes() == (50.0, 0.0)


@given(st.text(max_size=20))
def test_an_order_that_was_never_seen_was_never_accepted(client_id: str) -> None:
    [said] = venue().query(client_id, T0)
    assert isinstance(said, ev.OrderRejected)
    assert (said.client_id, said.reason) == (client_id, "the venue has no such order")


def test_cancelling_takes_back_what_has_not_arrived() -> None:
    here = venue()
    here.on_market(flat(1))
    here.submit(order(-20.0, 90.0), T0 + MINUTE)
    [gone] = here.cancel_all(T0 + MINUTE)
    assert isinstance(gone, ev.OrderExpired)
    assert gone.reason == "cancelled"
    assert here.on_market(flat(2)) == []
    assert here.cancel_all(T0 + MINUTE) == []


def test_a_liquidation_cancels_and_opens_anew_at_midnight() -> None:
    here = venue(latency_ms=90_000.0)
    here.on_market(flat(1))
    here.submit(order(-20.0, 10.0), T0 + MINUTE)
    gone, dead = here.on_market(bar(2, 100.0, 100.0, 70.0, 75.0))
    assert isinstance(gone, ev.OrderExpired)
    assert isinstance(dead, ev.Liquidated)
    assert not dead.alive
    assert dead.price == pytest.approx((50 * 100 - 1000) / (50 * (1 - 0.005)))
    assert not here.is_open
    assert here.on_market(flat(3)) == []
    midnight = T0 + NS_PER_DAY
    late = ev.Bar(midnight, midnight, "LTC", MINUTE, 80.0, 80.0, 80.0, 80.0, 1.0)
    assert here.on_market(late) == []
    next_ = ev.Bar(midnight + MINUTE, midnight + MINUTE, "LTC", MINUTE, 80.0, 80.0, 80.0, 80.0, 1.0)
    [opened] = here.on_market(next_)
    assert isinstance(opened, ev.Opened)
    assert opened.qty_ltc == 62.5
    assert here.equity() == 1000.0


def test_funding_is_paid_at_the_last_price() -> None:
    here = venue()
    funding = ev.Funding(T0, T0, 1e-3)
    assert here.on_market(funding) == []
    here.on_market(flat(1, 100.0))
    [paid] = here.on_market(funding)
    assert paid == ev.FundingPaid(T0, T0, 100.0, 1e-3)
    assert here.books["funding"][0] == pytest.approx(50 * 100 * 1e-3)


def test_quotes_drive_the_account_once_there_are_any() -> None:
    here = venue()
    [opened] = here.on_market(ev.Trade(T0, T0, 100.0, 1.0, True))
    assert isinstance(opened, ev.Opened)
    now = T0 + NS_PER_SECOND
    here.submit(order(-20.0, 99.0), T0)
    [fill] = here.on_market(ev.Book(now, now, 99.5, 100.5, 1e6, 1e6))
    assert isinstance(fill, ev.OrderFilled)
    taken = 20.0 * 99.5 / 1e6  # of the depth within 1 %
    assert fill.price == pytest.approx(99.5 * np.exp(-0.002 * taken - 0.002 * taken**2), rel=1e-12)
    assert fill.slippage_usdt == pytest.approx(20 * (100.0 - fill.price))
    assert here.on_market(ev.Trade(now, now, 50.0, 1.0, True)) == []
    [dead] = here.on_market(ev.Book(now, now, 49.0, 51.0, 1e6, 1e6))
    assert isinstance(dead, ev.Liquidated)


def test_the_mark_liquidates_where_there_is_one() -> None:
    here = venue()
    here.on_market(ev.Trade(T0, T0, 100.0, 1.0, True))
    now = T0 + NS_PER_SECOND
    assert here.on_market(ev.Mark(now, now, 100.0)) == []
    assert here.on_market(ev.Book(now, now, 49.0, 51.0, 1e6, 1e6)) == []  # a wick of last price
    assert isinstance(here.on_market(ev.Mark(now, now, 50.0))[0], ev.Liquidated)


# --- in a market ------------------------------------------------------------------------------


def test_a_large_order_walks_the_book_to_its_limit_and_is_felt() -> None:
    market = Made()
    here = live(market)
    here.submit(order(-20.0, 99.0), T0)
    market.second(1, 100.0, depth=1e3)
    fill, rest = told(here, 1)
    assert isinstance(fill, ev.OrderFilled)
    assert isinstance(rest, ev.OrderExpired)
    assert -11.0 < fill.qty_ltc < -9.0
    assert 99.0 < fill.price < 100.0
    assert market.felt == [fill.qty_ltc * fill.price]


def test_what_is_told_moves_nothing_but_the_clock() -> None:
    market = Made()
    here = live(market)
    assert told(here, 1) == []
    here.on_market(ev.Mark(T0, T0 + NS_PER_SECOND, 1.0))  # a feed that is wrong
    assert here.is_open
    market.second(1, 100.0)
    market.second(2, 70.0)
    assert told(here, 1) == []  # not known yet
    [dead] = told(here, 2)
    assert isinstance(dead, ev.Liquidated)
    assert (dead.event_ns, dead.alive) == (T0 + 2 * NS_PER_SECOND, False)
    assert market.felt == [pytest.approx(-50.0 * 70.0)]  # the forced sale eats the book too


def test_who_only_looks_is_not_felt() -> None:
    market = Made()
    twin = SimVenue(Settings(), TIERS, Opening(T0, False), MINUTE, market, is_felt=False)
    market.second(0, 100.0)
    twin.submit(order(-1.0, 99.0), T0)
    market.second(1, 100.0)
    market.second(2, 40.0)
    kinds = [type(one) for one in told(twin, 2)]
    assert kinds == [ev.Opened, ev.OrderFilled, ev.Liquidated]
    assert market.felt == []


def test_an_order_meets_the_book_of_the_second_in_which_it_arrives() -> None:
    market = Made(Reply(True, True, "", 2_400_000_000))
    here = live(market)
    here.submit(order(-20.0, 90.0), T0)
    for number, price in ((1, 99.0), (2, 98.0), (3, 97.0), (4, 96.0)):
        market.second(number, price)
    [fill] = told(here, 4)
    assert isinstance(fill, ev.OrderFilled)
    assert fill.event_ns == T0 + 3 * NS_PER_SECOND
    assert fill.price == pytest.approx(96.95, abs=1e-2)


def test_a_venue_that_refuses_says_why() -> None:
    here = live(Made(Reply(False, True, "the venue is down", 0)))
    [refused] = here.submit(order(-20.0, 99.0), T0)
    assert isinstance(refused, ev.OrderRejected)
    assert refused.reason == "the venue is down"


@pytest.mark.parametrize("is_taken", [True, False])
def test_an_order_without_an_answer_is_known_by_query_once_the_venue_is_up(is_taken: bool) -> None:
    market = Made(Reply(is_taken, False, "", NS_PER_SECOND), down=True)
    here = live(market)
    [unknown] = here.submit(order(-20.0, 90.0), T0)
    assert isinstance(unknown, ev.OrderUnknown)
    assert here.query("lh-v-000000", T0) == []
    assert here.cancel_all(T0) == []  # it does not hear of it
    market.is_down = False
    [word] = here.query("lh-v-000000", T0)
    assert isinstance(word, ev.OrderAccepted if is_taken else ev.OrderRejected)
    market.second(1, 100.0)
    assert [type(one) for one in told(here, 1)] == [ev.OrderFilled] * is_taken


def test_a_fill_that_is_on_its_way_is_not_told_twice() -> None:
    market = Made()
    here = live(market)
    here.submit(order(-20.0, 90.0), T0)
    market.second(1, 100.0)
    [word] = here.query("lh-v-000000", T0)
    assert isinstance(word, ev.OrderAccepted)
    [fill] = told(here, 1)
    assert isinstance(fill, ev.OrderFilled)
    assert here.query("lh-v-000000", T0) == [fill]


def test_the_winning_leg_is_deleveraged_at_the_mark_and_the_other_is_not() -> None:
    market = Made(closes_ltc=12.3456)
    here = live(market)
    here.submit(order(-20.0, 90.0), T0)
    market.second(1, 100.0)
    market.second(2, 95.0)
    before = here.equity()
    market.second(3, 95.0, deleveraged=500.0)
    *_, closed = told(here, 3)
    lots = pytest.approx(12.345, abs=1e-9)
    assert closed == ev.Deleveraged(closed.event_ns, closed.known_ns, HEDGE, lots, 95.0)
    assert here.sizes() == (50.0, pytest.approx(20.0 - 12.345))
    assert here.equity() == pytest.approx(before)
    assert market.ranks[0] == 0.0 < market.ranks[1]
    assert market.felt == [pytest.approx(-20.0 * 99.95, rel=1e-3)]  # ADL is not in the book
    market.closes_ltc = 1e9
    market.second(4, 95.0, deleveraged=500.0)
    [rest] = told(here, 4)
    assert here.books["qty"][0, HEDGE] == 0.0
    assert rest.qty_ltc == pytest.approx(20.0 - 12.345)  # type: ignore[union-attr]
    market.second(5, 95.0, deleveraged=500.0)
    assert told(here, 5) == []


def test_a_winning_position_may_go_too_and_ends_the_life() -> None:
    market = Made(closes_ltc=1e9)
    here = live(market)
    here.submit(order(-20.0, 120.0), T0)
    market.second(1, 110.0, deleveraged=1e9)
    gone, closed = [one for one in told(here, 1) if not isinstance(one, ev.OrderFilled)]
    assert isinstance(gone, ev.OrderExpired)
    assert (closed.leg, closed.qty_ltc) == (POSITION, -50.0)  # type: ignore[union-attr]
    assert not here.is_open
    assert here.equity() == pytest.approx(1000.0 + 50.0 * 10.0)


def test_an_order_that_reduces_finds_no_more_than_is_left() -> None:
    market = Made(closes_ltc=15.0)
    here = live(market)
    here.submit(order(-20.0, 90.0), T0)
    market.second(1, 100.0)
    lift = new_order(
        "v", 1, HEDGE, 20.0, 120.0, lot=Decimal("0.001"), tick=Decimal("0.01"),
        reduce_only=True, decided_ns=T0,
    )  # fmt: skip
    market.replies = [Reply(True, True, "", 2 * NS_PER_SECOND)]  # deleveraged on its way
    here.submit(lift, T0 + NS_PER_SECOND)
    market.second(2, 95.0, deleveraged=500.0)
    market.second(3, 95.0)
    *_, closed, fill, rest = told(here, 3)
    assert isinstance(closed, ev.Deleveraged)
    assert (fill.qty_ltc, rest.reason) == (5.0, "there is nothing left to reduce")  # type: ignore[union-attr]
    assert here.books["qty"][0, HEDGE] == 0.0


# --- the plan ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("location", "wallets"), [("same_account", (1000.0, None)), ("second_venue", (700.0, 300.0))]
)
def test_where_the_capital_lies(location: str, wallets: tuple[float, float | None]) -> None:
    settings = Settings(
        position=Position(side="short", leverage=4.0),
        hedge=Hedge(location=location, second_wallet_share=0.3),  # type: ignore[arg-type]
    )
    plan = open_account(settings, 81.7, 0.25)
    assert (plan.wallet_usdt, plan.second_wallet_usdt) == wallets
    expected = -np.floor(4.0 * wallets[0] * 0.75 / 81.7 * 1000) / 1000
    assert plan.qty_ltc == pytest.approx(expected)
    assert position_size(settings, 81.7, 1.0) == 0.0


def test_reducing_sells_the_position_itself() -> None:
    settings = Settings(hedge=Hedge(location="reduce"))
    here = SimVenue(settings, TIERS, Opening(T0, reopens=True), MINUTE)
    here.on_market(flat(1))
    here.submit(order(-50.0, 90.0, leg=POSITION), T0 + MINUTE)
    here.on_market(flat(2))
    assert here.sizes() == (50.0, 50.0)
    assert here.is_open  # the position waits to be bought back
    assert here.on_market(flat(3)) == []

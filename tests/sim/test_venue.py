"""The simulated venue: fills inside collar and volume, no position no fills, honest answers."""

from __future__ import annotations

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
from litehedge.sim.venue import Opening, SimVenue, open_account, position_size
from litehedge.units import NS_PER_DAY, NS_PER_MINUTE, NS_PER_SECOND
from strategies import log_floats
from synthetic import T0, packaged_tiers

TIERS = packaged_tiers()
MINUTE = NS_PER_MINUTE


class Reacting:
    """A market that notes what is traded, and may refuse."""

    def __init__(self, why: str = "") -> None:
        self.felt: list[float] = []
        self.why = why

    def trade(self, usdt: float) -> None:
        self.felt.append(usdt)

    def refuses(self, *, reduce_only: bool) -> str:
        return self.why


def venue(**costs: float) -> SimVenue:
    settings = Settings(position=Position(leverage=5.0), costs=Costs(**costs))
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


def test_a_large_order_walks_the_book_to_its_limit_and_is_felt() -> None:
    market = Reacting()
    felt = market.felt
    here = SimVenue(Settings(), packaged_tiers(), Opening(T0, reopens=False), MINUTE, market)
    here.on_market(ev.Trade(T0, T0, 100.0, 1.0, True))
    now = T0 + NS_PER_SECOND
    here.submit(order(-20.0, 99.0), T0)
    fill, rest = here.on_market(ev.Book(now, now, 100.0, 100.1, 1e3, 1e3))
    assert isinstance(fill, ev.OrderFilled)
    assert isinstance(rest, ev.OrderExpired)
    assert -11.0 < fill.qty_ltc < -9.0
    assert 99.0 < fill.price < 100.0
    assert felt == [fill.qty_ltc * fill.price]


def test_a_venue_that_refuses_says_why() -> None:
    market = Reacting("the venue is down")
    here = SimVenue(Settings(), packaged_tiers(), Opening(T0, reopens=False), MINUTE, market)
    here.on_market(ev.Trade(T0, T0, 100.0, 1.0, True))
    [refused] = here.submit(order(-20.0, 99.0), T0)
    assert isinstance(refused, ev.OrderRejected)
    assert refused.reason == "the venue is down"


def test_the_mark_liquidates_where_there_is_one() -> None:
    here = venue()
    here.on_market(ev.Trade(T0, T0, 100.0, 1.0, True))
    now = T0 + NS_PER_SECOND
    assert here.on_market(ev.Mark(now, now, 100.0)) == []
    assert here.on_market(ev.Book(now, now, 49.0, 51.0, 1e6, 1e6)) == []  # a wick of last price
    assert isinstance(here.on_market(ev.Mark(now, now, 50.0))[0], ev.Liquidated)


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

"""What a screen knows of a session is what the engine knew."""

from __future__ import annotations

import itertools
import math

import pytest

from litehedge.decision import sizes
from litehedge.margin.account import equity
from litehedge.margin.liquidation import distance
from litehedge.market import events as ev
from litehedge.store.tail import Tail
from litehedge.ui.seen import Seen
from litehedge.units import NS_PER_DAY, NS_PER_HOUR
from litehedge_runs import journaled_run


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    """A journal, and what the engine knew after each event: (position, hedge, price, state)."""
    path = tmp_path_factory.mktemp("seen") / "journal.sqlite"
    knew = []

    def observe(state, event, effects):
        position, hedge = sizes(state.terms, state.books)
        price = state.last_price
        tiers = state.fixed.tiers.rows
        account = None
        if state.is_open and price > 0.0:
            account = (
                float(position), float(hedge), float(equity(state.books, price)),
                float(distance(state.books, price, tiers)),
            )  # fmt: skip
        knew.append((event, price, account, state.trading))

    journaled_run(path, keeps_checkpoints=True, observe=observe, held_every_ns=NS_PER_HOUR)
    return path, knew


def test_the_account_on_the_screen_is_the_engines_after_every_event(guarded):
    path, knew = guarded
    news = Tail(path, NS_PER_DAY).news()
    seen = Seen("t")
    seen.begin(news.run_id, news.header)
    events = iter(knew)
    checked = 0
    for i, item in enumerate(news.items):
        seen.take([item])
        following = news.items[i + 1] if i + 1 < len(news.items) else None
        if following is not None and not isinstance(following, ev.Event):
            continue  # its effects come first
        event, price, account, trading = next(events)
        assert seen.trading is trading
        told = seen.account(price)
        assert (told is None) == (account is None), event
        if told is not None:
            checked += 1
            assert (told.position_ltc, told.hedge_ltc) == account[:2]
            assert (told.equity_usdt, told.away) == account[2:]
    assert checked > 200
    assert any(abs(d.recommendation.size_ltc) > 0 for d in seen.decisions)


def test_the_price_of_liquidation_is_where_the_distance_ends(guarded):
    path, _ = guarded
    news = Tail(path, NS_PER_DAY).news()
    seen = Seen("t")
    seen.begin(news.run_id, news.header)
    found = 0
    for item in news.items:
        seen.take([item])
        account = seen.account()
        if account is not None and math.isfinite(account.liquidation):
            found += 1
            assert abs(1.0 - account.liquidation / seen.price) == pytest.approx(account.away)
    assert found > 100


def test_it_is_the_same_however_news_are_cut(guarded):
    path, _ = guarded
    news = Tail(path, NS_PER_DAY).news()
    whole, cut = Seen("t"), Seen("t")
    for seen in (whole, cut):
        seen.begin(news.run_id, news.header)
    whole.take(news.items)
    for item in news.items:
        cut.take([item])
    assert whole.account() == cut.account()
    assert (whole.prices, whole.decisions, whole.alerts) == (
        cut.prices, cut.decisions, cut.alerts,
    )  # fmt: skip


def test_nothing_is_known_before_anything_came():
    seen = Seen("t")
    assert seen.account() is None
    assert seen.decision is None
    assert seen.mode == ""


def test_prices_are_kept_a_second_apart():
    seen = Seen("t")
    quarter = 250_000_000
    seen.take([ev.Trade(i * quarter, i * quarter, 80.0 + i, 1.0, True) for i in range(1, 41)])
    times = [ns for ns, _ in seen.prices]
    assert all(b - a >= 4 * quarter for a, b in itertools.pairwise(times))
    assert seen.price == 120.0
    assert seen.prices[-1][1] == 120.0


def test_a_price_that_is_none_changes_nothing():
    seen = Seen("t")
    seen.take([ev.Trade(1, 1, 80.0, 1.0, True), ev.Trade(2, 2, 0.0, 1.0, True)])
    assert seen.price == 80.0


def test_what_an_earlier_run_told_is_not_said_of_now(guarded):
    path, _ = guarded
    news = Tail(path, NS_PER_DAY).news()
    seen = Seen("t")
    seen.begin(news.run_id, news.header)
    seen.take(news.items)
    assert seen.decision is seen.decisions[-1]
    told, prices, count = list(seen.decisions), list(seen.prices), seen.count
    seen.begin(news.run_id + 1, news.header)
    assert seen.count > count
    assert math.isnan(seen.price)
    assert seen.decision is None
    assert [*seen.heard_ns, *seen.last, *seen.funding, *seen.interest] == []
    assert (list(seen.decisions), list(seen.prices)) == (told, prices)  # the past stays
    seen.take([ev.Trade(seen.now_ns + 1, seen.now_ns + 1, 90.0, 1.0, True)])
    assert seen.price == 90.0


def test_what_is_held_is_known_before_a_price_is(guarded):
    path, _ = guarded
    news = Tail(path, NS_PER_DAY).news()
    seen = Seen("t")
    assert not seen.holds
    seen.begin(news.run_id, news.header)
    for item in news.items:
        seen.take([item])
        if seen.holds and seen.price > 0.0:
            break
    assert seen.account() is not None
    seen.price = math.nan
    assert seen.holds
    assert seen.account() is None


def test_what_was_forgotten_is_as_if_it_had_never_been_seen(guarded):
    path, _ = guarded
    news = Tail(path, NS_PER_DAY).news()
    seen, fresh = Seen("t"), Seen("t")
    seen.begin(news.run_id, news.header)
    seen.take(news.items)
    count = seen.count
    seen.forget()
    assert seen.count > count
    fresh.count = fresh.since = seen.count
    assert repr(seen) == repr(fresh)


def test_a_run_whose_clock_was_set_back_is_a_past_of_its_own(guarded):
    path, _ = guarded
    news = Tail(path, NS_PER_DAY).news()
    seen = Seen("t")
    seen.begin(news.run_id, news.header)
    seen.take(news.items)
    since, later_ns = seen.since, seen.now_ns
    seen.begin(news.run_id + 1, news.header)
    seen.take([ev.Trade(later_ns + 1, later_ns + 1, 90.0, 1.0, True)])
    assert seen.since == since
    assert len(seen.prices) > 100
    early_ns = later_ns - NS_PER_HOUR
    seen.begin(news.run_id + 2, news.header)
    seen.take([ev.Trade(early_ns + i, early_ns + i, 91.0, 1.0, True) for i in range(2)])
    assert seen.since > since
    assert seen.now_ns == early_ns + 1
    assert list(seen.prices) == [(early_ns, 91.0)]

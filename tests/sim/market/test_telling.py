"""What feeds tell of a world: labelled, late, with gaps, silent in an outage, never invented."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from litehedge.engine import step
from litehedge.engine_state import start
from litehedge.feeds.replay import merge
from litehedge.hedge.policies import static
from litehedge.market import events as ev
from litehedge.market import rows as rw
from litehedge.market import schema as sc
from litehedge.market.frames import FrameFold
from litehedge.model.baselines.blind import BlindForecaster
from litehedge.settings import load_settings
from litehedge.sim.market.feed import LiveMarket, events_of
from litehedge.sim.market.parameters import Parameters
from litehedge.sim.market.second import predicted_funding
from litehedge.sim.market.state import new_world
from litehedge.sim.market.step import run_world
from litehedge.sim.market.telling import FEEDS, Teller, Told, is_gap, venue_premium
from litehedge.sim.opening import Opening
from litehedge.sim.venue import SimVenue
from litehedge.store.bundled import tier_table
from litehedge.store.worlds import series_of
from litehedge.units import NS_PER_SECOND

MONDAY = 1_767_571_200
ATOM_NS = 5 * NS_PER_SECOND
HOUR = 3_600


@pytest.fixture(scope="module")
def record() -> NDArray[np.void]:
    """Two days with an outage of twenty minutes in the second."""
    atoms = run_world(new_world(Parameters(), 1, MONDAY), 2 * 86_400)
    atoms["outage"][26_000:26_240] = 1.0  # 20 minutes, over an hour's end
    return atoms


@pytest.fixture(scope="module")
def told(record: NDArray[np.void]) -> Told:
    return Teller(1, 5).tell(record, MONDAY)


def of(told: Told, *kinds: int) -> Told:
    return told.chosen(np.isin(told.kinds, kinds))


def same(one: Told, other: Told) -> None:
    for a, b in zip(one, other, strict=True):
        assert a.tobytes() == b.tobytes()


# --- order and time ---------------------------------------------------------------------------


def test_nothing_is_known_before_it_happened_and_order_is_that_of_knowing(told: Told) -> None:
    assert (told.known_ns >= told.event_ns).all()
    assert (np.diff(told.known_ns) >= 0).all()
    same_time = np.diff(told.known_ns) == 0
    assert (np.diff(told.kinds)[same_time] >= 0).all()


@pytest.mark.parametrize("size", [1, 7, 1_024, 5_000])
def test_one_atom_at_a_time_or_months_are_the_same(
    record: NDArray[np.void], told: Told, size: int
) -> None:
    some = record[: 4 * HOUR // 5 * 4]
    whole = Teller(1, 5).tell(some, MONDAY)
    teller = Teller(1, 5)
    parts = [teller.tell(some[i : i + size], MONDAY + 5 * i) for i in range(0, some.size, size)]
    same(whole, Told(*(np.concatenate(column) for column in zip(*parts, strict=True))))


def test_what_is_late_is_late_by_what_the_table_says(told: Told) -> None:
    for kind, name in (
        (rw.KIND_OPEN_INTEREST, "open interest"),
        (rw.KIND_LONG_SHORT_RATIO, "long/short ratio"),
        (rw.KIND_SENTIMENT, "sentiment"),
    ):
        late_s = (of(told, kind).known_ns - of(told, kind).event_ns) / NS_PER_SECOND
        feed = FEEDS[name]
        assert late_s.min() >= feed.least_late_s
        assert late_s.max() <= feed.most_late_s
        assert np.unique(late_s).size > 0.9 * late_s.size
        assert (of(told, kind).event_ns % (int(feed.every_s) * NS_PER_SECOND) == 0).all()


def test_an_atom_holds_what_was_told_in_it(record: NDArray[np.void], told: Told) -> None:
    frames = FrameFold(ATOM_NS).push_arrays(told.kinds, told.known_ns, told.values)
    known = np.searchsorted(MONDAY + 5 * np.arange(1, record.size + 1), frames.end_ns // 10**9)
    priced = ~np.isnan(frames.values[:, sc.CLOSE])
    rows = record[known[priced]]
    for column, name in (
        (sc.CLOSE, "close"), (sc.BID, "bid"), (sc.MARK, "mark"), (sc.INDEX, "index"),
        (sc.BTC_CLOSE, "btc"), (sc.ASK_DEPTH_NEAR, "ask_depth_near_usdt"),
    ):  # fmt: skip
        np.testing.assert_array_equal(frames.values[priced, column], rows[name])
    np.testing.assert_allclose(
        frames.values[priced, sc.BUY_VOLUME] * rows["close"], rows["buy_usdt"]
    )


# --- gaps and outages -------------------------------------------------------------------------

OWN = {
    rw.KIND_BOOK, rw.KIND_MARK, rw.KIND_INDEX, rw.KIND_BAR, rw.KIND_BTC_BAR, rw.KIND_LIQUIDATION,
    rw.KIND_LARGEST_LIQUIDATION, rw.KIND_OPEN_INTEREST, rw.KIND_LONG_SHORT_RATIO,
}  # fmt: skip


def test_in_an_outage_our_venue_is_silent_and_others_are_not(told: Told) -> None:
    begin, end = ((MONDAY + 5 * i) * NS_PER_SECOND for i in (26_000, 26_240))
    inside = told.chosen((told.event_ns > begin) & (told.event_ns < end))
    assert not OWN & set(inside.kinds.tolist())
    ticks = of(inside, rw.KIND_TICK)
    assert ticks.kinds.size == 239, "time goes on"
    venues = of(inside, rw.KIND_PREDICTED_FUNDING).values[:, 0]
    assert set(venues.tolist()) == {1.0, 2.0}
    frames = FrameFold(ATOM_NS).push_arrays(told.kinds, told.known_ns, told.values)
    later = (frames.end_ns > begin + ATOM_NS) & (frames.end_ns < end)
    assert later.any()
    assert np.isnan(frames.values[later, sc.CLOSE]).all()


@pytest.mark.parametrize("number", range(len(FEEDS)))
def test_gaps_come_as_often_and_last_as_long_as_the_table_says(number: int) -> None:
    feed = list(FEEDS.values())[number]
    chance = np.empty(1, np.uint64)
    step = max(1, int(feed.gap_s / 8))
    lost = np.array(
        [
            is_gap(chance, 5, number, MONDAY + i * step, feed.gaps_per_day, feed.gap_s)
            for i in range(200_000)
        ]
    )
    expected = feed.gaps_per_day * feed.gap_s / 86_400
    days = 200_000 * step / 86_400
    gaps = feed.gaps_per_day * days
    assert lost.mean() == pytest.approx(expected, rel=6.0 / np.sqrt(gaps))
    other = [
        is_gap(chance, 6, number, MONDAY + i * step, feed.gaps_per_day, feed.gap_s)
        for i in range(200_000)
    ]
    assert (lost != other).any(), "another world loses other messages"


def test_a_gap_takes_messages_and_leaves_nan_not_zero(record: NDArray[np.void], told: Told) -> None:
    quiet = record[: 6 * HOUR // 5].copy()
    for name in ("whales_in_usdt", "whales_out_usdt", "liquidated_long_usdt",
                 "liquidated_short_usdt", "reported_long_usdt", "reported_short_usdt"):  # fmt: skip
        quiet[name] = 0.0
    heard = Teller(1, 5).tell(quiet, MONDAY)
    frames = FrameFold(ATOM_NS).push_arrays(heard.kinds, heard.known_ns, heard.values)
    for column in (sc.TRANSFERS_IN, sc.LIQUIDATED_LONGS, sc.LARGEST_SHORTS):
        assert np.isnan(frames.values[:, column]).all()
    due = np.arange(2 * 24 * 12) + 1
    ratio = of(told, rw.KIND_LONG_SHORT_RATIO).event_ns // NS_PER_SECOND
    assert set(ratio.tolist()) < {MONDAY + 300 * int(i) for i in due}


def test_the_same_seed_tells_the_same_bytes(record: NDArray[np.void], told: Told) -> None:
    same(told, Teller(1, 5).tell(record, MONDAY))
    other = Teller(2, 5).tell(record, MONDAY)
    assert of(other, rw.KIND_OPEN_INTEREST).known_ns.tolist() != (
        of(told, rw.KIND_OPEN_INTEREST).known_ns.tolist()
    )


# --- what is told -----------------------------------------------------------------------------


def test_the_throttled_feed_never_tells_more_than_there_was(told: Told) -> None:
    every, largest = of(told, rw.KIND_LIQUIDATION), of(told, rw.KIND_LARGEST_LIQUIDATION)
    assert 0.0 < largest.values.sum() < every.values.sum()
    sums = dict(zip(
        zip(every.event_ns.tolist(), (every.values[:, 0] > 0.0).tolist(), strict=True),
        every.values[:, :2].sum(axis=1).tolist(), strict=True,
    ))  # fmt: skip
    for at, is_long, usdt in zip(
        largest.event_ns.tolist(), (largest.values[:, 0] > 0.0).tolist(),
        largest.values[:, :2].sum(axis=1).tolist(), strict=True,
    ):  # fmt: skip
        assert usdt <= sums[at, is_long] * (1.0 + 1e-12)


def test_bands_of_the_book_lie_in_one_another(record: NDArray[np.void]) -> None:
    for side in ("bid", "ask"):
        near, middle, far = (
            record[f"{side}_depth{band}_usdt"] for band in ("_near", "", "_far")
        )  # fmt: skip
        assert (near > 0.0).all()
        assert (near < middle).all()
        assert (middle < far).all()


def test_three_venues_predict_funding_and_ours_is_what_would_be_settled(
    record: NDArray[np.void], told: Told
) -> None:
    rates = of(told, rw.KIND_PREDICTED_FUNDING)
    own = rates.chosen(rates.values[:, 0] == 0.0)
    at = (own.event_ns + 10**6) // NS_PER_SECOND
    rows = record[(at - MONDAY) // 5 - 1]
    np.testing.assert_array_equal(own.values[:, 1], rows["funding_rate"])
    np.testing.assert_array_equal(
        rows["funding_rate"], [predicted_funding(x) for x in rows["premium"]]
    )
    chance = np.empty(1, np.uint64)
    for venue in (1, 2):
        other = rates.chosen(rates.values[:, 0] == venue)
        seconds = other.event_ns // NS_PER_SECOND
        premium = record[(seconds - MONDAY) // 5 - 1]["premium"]
        beyond = [venue_premium(chance, 1, venue, s) for s in seconds.tolist()]
        expected = [predicted_funding(x) for x in premium + beyond]
        np.testing.assert_allclose(other.values[:, 1], expected, rtol=1e-12)


def test_the_own_part_of_another_venue_reverts_within_hours() -> None:
    chance = np.empty(1, np.uint64)
    ours, theirs = (
        np.array([venue_premium(chance, 3, venue, MONDAY + HOUR * h) for h in range(20_000)])
        for venue in (1, 2)
    )
    assert abs(ours.mean()) < 0.15e-4
    assert ours.std() == pytest.approx(1.5e-4, rel=0.1)
    assert np.corrcoef(ours[8:], ours[:-8])[0, 1] == pytest.approx(0.5, abs=0.06)
    assert abs(np.corrcoef(ours, theirs)[0, 1]) < 0.06


# --- who listens ------------------------------------------------------------------------------


def test_neighbouring_worlds_share_no_chance() -> None:
    chance = np.empty(1, np.uint64)
    seen = {
        (seed, venue): tuple(venue_premium(chance, seed, venue, 3600 * h) for h in (500, 900))
        for seed in range(8) for venue in range(3)
    }  # fmt: skip
    assert len(set(seen.values())) == len(seen)


def test_predicted_funding_is_not_paid() -> None:
    settings, tiers = load_settings(), tier_table("binance", "LTCUSDT")
    venue = SimVenue(settings, tiers, Opening(0, reopens=False), ATOM_NS)
    venue.on_market(ev.Book(1, 1, 99.99, 100.01, 1e6, 1e6))
    assert venue.is_open
    before = venue.books.copy()
    for name in ev.FUNDING_VENUES:
        assert venue.on_market(ev.PredictedFunding(2, 2, name, 0.01)) == []
    assert venue.books.tobytes() == before.tobytes()
    assert venue.on_market(ev.Funding(3, 3, 0.01))
    assert venue.books.tobytes() != before.tobytes()


def test_the_engine_takes_in_every_kind(record: NDArray[np.void]) -> None:
    state = start(
        load_settings(), static(0.0), tier_table("binance", "LTCUSDT"), BlindForecaster(),
        session="t", atom_ns=ATOM_NS, per_frame=12,
    )  # fmt: skip
    kinds: set[type] = set()
    for event in events_of(record[: 12 * HOUR // 5], MONDAY, 5, 1):
        kinds.add(type(event))
        state, _ = step(state, event)
    assert kinds >= set(ev.MarketEvent.__args__) - {ev.Trade, ev.Tick}


# --- live, and from the lake ------------------------------------------------------------------


def test_a_lake_tells_what_was_told_live_but_for_bars_and_ticks(
    record: NDArray[np.void], told: Told
) -> None:
    """Bars are complete in the lake: the venue publishes those of an outage afterwards."""
    tables = {
        what: series.table
        for what, series in series_of(record, MONDAY, 5, told, float(record["btc"][0]), "w", "s")
    }
    tables["bars"] = tables.pop("ltc")
    stored = merge(tables, ATOM_NS)
    stored_told = Told(stored.kinds, stored.event_ns, stored.known_ns, stored.values)
    bars = (rw.KIND_BAR, rw.KIND_BTC_BAR)
    others = [k for k in range(rw.KIND_TICK) if k not in bars]
    same(of(told, *others), of(stored_told, *others))
    assert of(stored_told, rw.KIND_BAR).kinds.size == record.size
    live = of(told, rw.KIND_BAR)
    assert live.kinds.size < record.size
    kept = of(stored_told, rw.KIND_BAR)
    same(live, kept.chosen(np.isin(kept.known_ns, live.known_ns)))


def test_live_is_what_is_recorded() -> None:
    atoms = run_world(new_world(Parameters(), 4, MONDAY), 3 * HOUR)
    live: Sequence[ev.MarketEvent] = list(
        LiveMarket(new_world(Parameters(), 4, MONDAY)).events(atoms.size)
    )
    assert live == list(events_of(atoms, MONDAY, 5, 4))

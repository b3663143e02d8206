"""The book stays in step: whatever is lost, repeated or reordered, a live book is the true one."""

from __future__ import annotations

import math
import random

import pytest
from binance_samples import fixture, raw
from hypothesis import given, settings
from hypothesis import strategies as st

from litehedge.errors import BadMessage
from litehedge.venues import binance_rest as rest
from litehedge.venues import binance_wire as wire
from litehedge.venues.binance_book import MOST_DROPPED, BookSync, Step
from litehedge.venues.book import LocalBook

TICK = 0.01


def levels(book):
    return book.levels(0), book.levels(1)


def update(first, last, before, bids=(), asks=()):
    return wire.DepthUpdate("LTCUSDT", 1, first, last, before, list(bids), list(asks))


class Venue:
    """A true book: every update it makes, and what the book was after each."""

    def __init__(self, seed, count):
        chance = random.Random(seed)
        sides = (
            {round(80 + 0.01 * k, 2): 1.0 for k in range(5)},
            {round(85 + 0.01 * k, 2): 1.0 for k in range(5)},
        )
        self.updates, self.states = [], {}
        last = chance.randrange(1, 1000)
        self.states[last] = tuple(dict(s) for s in sides)
        for _ in range(count):
            first = last + 1 + chance.randrange(3)  # ids between belong to other contracts
            end = first + chance.randrange(4)
            changes = []
            for side, low in zip(sides, (80.0, 85.0), strict=True):
                picked = {
                    round(low + 0.01 * chance.randrange(8), 2): chance.choice((0.0, 1.5, 2.5))
                    for _ in range(chance.randrange(3))
                }
                side.update(picked)
                for price in [p for p, q in side.items() if q == 0.0]:
                    del side[price]
                changes.append(list(picked.items()))
            self.updates.append(update(first, end, last, *changes))
            self.states[end] = tuple(dict(s) for s in sides)
            last = end

    def snapshot(self, last_id):
        bids, asks = self.states[last_id]
        return rest.Snapshot(last_id, list(bids.items()), list(asks.items()))

    def is_book(self, sync):
        bids, asks = self.states[sync.last_id]
        return levels(sync.book) == (sorted(bids.items(), reverse=True), sorted(asks.items()))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.data())
def test_a_live_book_is_the_true_one_after_any_gap_repeat_and_disorder(seed, data):
    venue = Venue(seed, 25)
    chance = random.Random(seed + 1)
    told = []
    for made in venue.updates:
        kind = chance.choice(("", "", "", "", "lose", "repeat", "late", "very late"))
        if kind == "lose":
            continue
        told.append(made)
        if kind == "repeat":
            told.append(made)
        elif kind == "late" and len(told) > 1:
            told[-1], told[-2] = told[-2], told[-1]
        elif kind == "very late":
            told.insert(max(0, len(told) - 5), told.pop())
    sync = BookSync(LocalBook(TICK))
    ids = sorted(venue.states)
    for number, made in enumerate(told):
        step = sync.update(made)
        if step in (Step.BUFFERED, Step.LOST) and data.draw(st.booleans()):
            place = number + data.draw(st.integers(-3, 3))
            sync.snapshot(venue.snapshot(ids[max(0, min(len(ids) - 1, place))]))
        assert not sync.is_live or venue.is_book(sync)
        assert sync.is_live or math.isnan(sync.book.best()[0])


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 29))
def test_without_faults_one_snapshot_is_enough(seed, taken):
    venue = Venue(seed, 30)
    sync = BookSync(LocalBook(TICK))
    for made in venue.updates[: taken + 1]:
        assert sync.update(made) is Step.BUFFERED
    assert sync.snapshot(venue.snapshot(venue.updates[taken].u)) is Step.APPLIED
    for made in venue.updates[taken + 1 :]:
        assert sync.update(made) is Step.APPLIED
    assert sync.last_id == venue.updates[-1].u
    assert venue.is_book(sync)


def test_the_fixture_with_a_gap():
    sequence = fixture("ws_depth_sequence_LTCUSDT")
    told = [wire.read_stream(raw(m)) for m in sequence["events"]]
    sync = BookSync(LocalBook(TICK))
    assert [sync.update(m) for m in told[:3]] == [Step.BUFFERED] * 3
    assert sync.snapshot(rest.snapshot(raw(fixture("rest_depth_LTCUSDT")))) is Step.APPLIED
    expected = sequence["expected_after_event_2"]
    assert levels(sync.book) == tuple(
        [(float(p), float(q)) for p, q in expected[side]] for side in ("bids", "asks")
    )
    assert sync.update(told[3]) is Step.LOST
    assert not sync.is_live


def test_a_snapshot_that_is_too_old_is_not_used():
    sync = BookSync(LocalBook(TICK))
    sync.update(update(20, 25, 15))
    assert sync.snapshot(rest.Snapshot(10, [(80.0, 1.0)], [(81.0, 1.0)])) is Step.LOST
    assert sync.snapshot(rest.Snapshot(22, [(80.0, 1.0)], [(81.0, 1.0)])) is Step.APPLIED
    assert sync.last_id == 25


def test_ids_that_begin_anew_are_no_silence():
    sync = BookSync(LocalBook(TICK))
    sync.update(update(20, 25, 19))
    sync.snapshot(rest.Snapshot(22, [(80.0, 1.0)], [(81.0, 1.0)]))
    steps = [sync.update(update(n, n, n - 1)) for n in range(1, 20)] * MOST_DROPPED
    assert steps[0] is Step.DROPPED
    for _ in range(MOST_DROPPED):
        last = sync.update(update(3, 4, 2))
    assert last is not Step.DROPPED
    assert not sync.is_live


def test_an_impossible_update_ends_the_book():
    sync = BookSync(LocalBook(TICK))
    sync.update(update(20, 25, 19))
    sync.snapshot(rest.Snapshot(22, [(80.0, 1.0)], [(81.0, 1.0)]))
    with pytest.raises(BadMessage):
        sync.update(update(30, 26, 25))
    assert not sync.is_live

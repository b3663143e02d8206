"""The local book against a plain dictionary, and the depths it tells."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from litehedge.errors import BadMessage
from litehedge.venues.book import LocalBook

TICK = 0.01
LEVEL = st.tuples(
    st.integers(1, 60_000).map(lambda step: round(step * TICK, 2)),
    st.one_of(st.just(0.0), st.floats(0.001, 1e6)),
)
SIDE = st.lists(LEVEL, max_size=12)


def apply(book: dict[float, float], levels: list[tuple[float, float]]) -> None:
    for price, qty in levels:
        if qty == 0.0:
            book.pop(price, None)
        else:
            book[price] = qty


@given(st.lists(st.tuples(SIDE, SIDE), min_size=1, max_size=20))
def test_equals_a_dictionary_after_any_updates(changes):
    ours, bids, asks = LocalBook(TICK), {}, {}
    for bid_levels, ask_levels in changes:
        ours.update(bid_levels, ask_levels)
        apply(bids, bid_levels)
        apply(asks, ask_levels)
        best_bid, best_ask = ours.best()
        assert best_bid == max(bids) if bids else math.isnan(best_bid)
        assert best_ask == min(asks) if asks else math.isnan(best_ask)
    assert ours.levels(0) == sorted(bids.items(), reverse=True)
    assert ours.levels(1) == sorted(asks.items())


@given(SIDE.filter(bool), SIDE.filter(bool))
def test_depth_is_the_sum_of_what_lies_within_each_band(bid_levels, ask_levels):
    ours, bids, asks = LocalBook(TICK), {}, {}
    ours.reset(bid_levels, ask_levels)
    apply(bids, bid_levels)
    apply(asks, ask_levels)
    told = ours.event(1, 2)
    if not bids or not asks or max(bids) >= min(asks):
        assert told is None
        return
    middle = 0.5 * (max(bids) + min(asks))

    def depth(side, band):
        # half a step of grace: the bounds of a band may fall on a level
        return [
            sum(p * q for p, q in side.items() if abs(p - middle) <= band * middle + grace)
            for grace in (-TICK / 4, TICK / 4)
        ]

    for value, side, band in (
        (told.bid_depth_usdt, bids, 0.01), (told.ask_depth_usdt, asks, 0.01),
        (told.bid_depth_near_usdt, bids, 0.002), (told.ask_depth_near_usdt, asks, 0.002),
        (told.bid_depth_far_usdt, bids, 0.05), (told.ask_depth_far_usdt, asks, 0.05),
    ):  # fmt: skip
        low, high = depth(side, band)
        assert low - 1e-6 * high <= value <= high * (1 + 1e-6)


def test_a_price_that_wanders_off_takes_the_window_along():
    book = LocalBook(TICK)
    book.reset([(84.00, 5.0)], [(84.01, 7.0)])
    for step in range(1, 200):
        price = round(84.0 + 10.0 * step, 2)
        book.update(
            [(price, 1.0)], [(round(price + TICK, 2), 2.0), (round(price - 10 + TICK, 2), 0)]
        )
        assert book.best() == (price, round(price + TICK, 2))
    for step in range(199, 0, -1):
        price = round(84.0 + 10.0 * (step - 1), 2)
        book.update([(round(price + 10, 2), 0)], [(round(price + TICK, 2), 1.0)])
    assert book.best()[1] == 84.01


@pytest.mark.parametrize(
    "levels", [[("x", "1")], [(float("nan"), 1)], [(-1.0, 1)], [(84.0, -1.0)], [(1,)], ["ab"], [5]]
)
def test_impossible_levels_empty_the_book_in_one_clear_message(levels):
    book = LocalBook(TICK)
    book.reset([(84.0, 1.0)], [(84.1, 1.0)])
    with pytest.raises(BadMessage, match="book level"):
        book.update(levels, [])


def test_strings_and_further_columns_are_read():
    book = LocalBook(TICK)
    book.reset([["84.10", "120.5", "0", "4"]], [["84.11", "95.2", "0", "3"]])
    assert book.best() == (84.10, 84.11)
    assert not book.is_crossed
    book.update([["84.11", "1"]], [])
    assert book.is_crossed
    assert book.event(1, 1) is None

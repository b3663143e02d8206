"""The margin account on accounts small enough to check by hand."""

from __future__ import annotations

import numpy as np
import pytest
from books import CLEARANCE, ROWS

from litehedge.margin.account import (
    HEDGE,
    POSITION,
    Books,
    apply_fill,
    apply_funding,
    auto_deleverage,
    deleveraging_rank,
    equity,
    new_account,
    transfer,
    unrealised,
)
from litehedge.margin.liquidation import (
    bounds,
    distance,
    gap,
    liquidate,
    liquidate_within,
    margin_ratio,
    scope_bounds,
)

close = pytest.approx


def hedge(books: Books, qty: float, price: float) -> None:
    apply_fill(books, HEDGE, qty, price, 0.0, 0.0)


# --- liquidation prices -----------------------------------------------------------------------


@pytest.mark.parametrize("isolated", [False, True])
def test_short_of_100_litecoin_at_ten_times(isolated: bool) -> None:
    """At 109.4 the position is worth more than 10,000 USDT: bracket 2 counts, not bracket 1."""
    books = new_account(1000.0, -100.0, 100.0, 10.0, isolated=isolated)
    low, high = bounds(books, 100.0, ROWS)
    assert low == 0.0
    assert high == close((1000 + 50 + 100 * 100) / (100 * (0.01 + 1)), rel=1e-13)
    assert round(high, 3) == 109.406


def test_long_of_100_litecoin_at_twenty_times_isolated() -> None:
    books = new_account(5000.0, 100.0, 84.10, 20.0, isolated=True)
    assert books["isolated"][0].tolist() == [420.5, 0.0]
    assert books["wallet"][0, 0] == 5000.0 - 420.5
    low, high = bounds(books, 84.10, ROWS)
    assert round(low, 3) == 80.296
    assert high == np.inf
    assert distance(books, 84.10, ROWS) == close(0.0452, abs=5e-5)


def test_a_long_whose_wallet_exceeds_its_worth_cannot_be_liquidated() -> None:
    assert bounds(new_account(1001.0, 10.0, 100.0, 1.0), 100.0, ROWS) == (0.0, np.inf)


def test_no_position_has_no_bounds() -> None:
    books = new_account(1000.0, 0.0, 0.0, 1.0)
    assert bounds(books, 100.0, ROWS) == (0.0, np.inf)
    assert distance(books, 100.0, ROWS) == 1.0
    assert margin_ratio(books, 100.0, ROWS) == 0.0
    assert not liquidate(books, 100.0, ROWS, CLEARANCE)


def test_an_account_under_maintenance_dies_at_every_price() -> None:
    books = new_account(40.0, 100.0, 100.0, 10.0)
    assert bounds(books, 100.0, ROWS) == (np.inf, 0.0)
    assert distance(books, 100.0, ROWS) == 0.0
    assert margin_ratio(books, 100.0, ROWS) > 1.0
    assert liquidate_within(books, np.inf, 0.0, 100.0, 99.0, 101.0, ROWS, CLEARANCE) == 100.0


def test_margin_ratio_is_one_at_the_liquidation_price() -> None:
    books = new_account(1000.0, -100.0, 100.0, 10.0)
    _, high = bounds(books, 100.0, ROWS)
    assert margin_ratio(books, high, ROWS) == close(1.0, rel=1e-9)
    assert gap(books, 0, high, ROWS) == close(0.0, abs=1e-9)


# --- hedge mode -------------------------------------------------------------------------------


def test_a_fully_hedged_account_survives_a_fall_of_half() -> None:
    books = new_account(1000.0, 100.0, 100.0, 10.0)
    hedge(books, -100.0, 100.0)
    low, high = bounds(books, 100.0, ROWS)
    assert low == 0.0
    assert np.isnan(liquidate_within(books, low, high, 100.0, 50.0, 100.0, ROWS, CLEARANCE))
    assert equity(books, 50.0) == 1000.0
    assert unrealised(books, 50.0) == 0.0


def test_a_fully_hedged_account_dies_of_maintenance_alone() -> None:
    """Two legs of 100 at p in bracket 3 need 2 (100 p 1.5 % - 300): 1,000 USDT at 533.33."""
    books = new_account(1000.0, 100.0, 100.0, 10.0)
    hedge(books, -100.0, 100.0)
    _, high = bounds(books, 100.0, ROWS)
    assert high == close((1000 + 2 * 300) / (2 * 100 * 0.015))
    liquidate(books, high, ROWS, CLEARANCE)
    # What both legs had in common was closed against each other, free of charge.
    assert books["qty"][0].tolist() == [0.0, 0.0]
    assert books["wallet"][0, 0] == close(1000.0)
    assert books["clearance"][0] == 0.0


def test_half_a_hedge_halves_the_loss() -> None:
    books = new_account(1000.0, 100.0, 100.0, 10.0)
    hedge(books, -50.0, 100.0)
    low, _ = bounds(books, 100.0, ROWS)
    # Bracket 1 for both legs: 1000 - 50 (100 - p) = 0.005 * 150 p
    assert low == close((50 * 100 - 1000) / (50 - 0.75))


# --- two wallets ------------------------------------------------------------------------------


def test_profit_on_the_second_venue_does_not_save_the_first() -> None:
    books = new_account(500.0, 90.0, 100.0, 18.0, second_wallet_usdt=500.0)
    hedge(books, -90.0, 100.0)
    low, high = bounds(books, 100.0, ROWS)
    assert low == close((90 * 100 - 500) / (90 * (1 - 0.005)))
    assert high == close((500 + 50 + 90 * 100) / (90 * (1 + 0.01)) if high > 111.1 else high)
    assert scope_bounds(books, 0, 100.0, ROWS)[1] == np.inf
    assert scope_bounds(books, 1, 100.0, ROWS)[0] == 0.0
    price = liquidate_within(books, low, high, 100.0, 80.0, 100.0, ROWS, CLEARANCE)
    assert price == low
    assert books["qty"][0, POSITION] == 0.0
    assert books["qty"][0, HEDGE] == -90.0
    assert equity(books, 80.0) == close(books["wallet"][0, 0] + 500 + 90 * 20)
    assert books["liquidations"][0] == 1


def test_cash_moves_between_venues() -> None:
    books = new_account(500.0, 90.0, 100.0, 18.0, second_wallet_usdt=500.0)
    low, _ = bounds(books, 100.0, ROWS)
    transfer(books, 1, 0, 200.0)
    assert books["wallet"][0].tolist() == [700.0, 300.0]
    assert bounds(books, 100.0, ROWS)[0] < low


# --- fills, funding, deleveraging -------------------------------------------------------------


def test_fills_average_the_entry_and_realise_what_they_close() -> None:
    books = new_account(1000.0, 10.0, 100.0, 5.0)
    apply_fill(books, POSITION, 10.0, 110.0, 0.5, 0.1)
    assert books["entry"][0, POSITION] == 105.0
    apply_fill(books, POSITION, -5.0, 115.0, 0.25, 0.1)
    account = books[0]
    assert (account["qty"][POSITION], account["entry"][POSITION]) == (15.0, 105.0)
    assert account["realised"] == 50.0
    assert account["wallet"][0] == 1000.0 - 0.5 - 0.25 + 50.0
    assert (account["fees"], account["slippage"]) == (0.75, 0.2)
    assert account["traded"] == 10 * 110 + 5 * 115
    apply_fill(books, POSITION, -20.0, 100.0, 0.0, 0.0)
    assert (account["qty"][POSITION], account["entry"][POSITION]) == (-5.0, 100.0)
    assert account["realised"] == 50.0 - 75.0
    apply_fill(books, POSITION, 5.0, 100.0, 0.0, 0.0)
    assert (account["qty"][POSITION], account["entry"][POSITION]) == (0.0, 0.0)


def test_an_isolated_leg_takes_its_margin_and_gives_it_back() -> None:
    books = new_account(1000.0, 10.0, 100.0, 5.0, isolated=True)
    hedge(books, -5.0, 100.0)
    assert books["isolated"][0].tolist() == [200.0, 100.0]
    hedge(books, 2.5, 100.0)
    assert books["isolated"][0].tolist() == [200.0, 50.0]
    hedge(books, 2.5, 90.0)
    assert books["isolated"][0].tolist() == [200.0, 0.0]
    assert books["wallet"][0, 0] == 800.0 + 25.0


def test_longs_pay_shorts_positive_funding() -> None:
    books = new_account(1000.0, 10.0, 100.0, 5.0)
    hedge(books, -4.0, 100.0)
    assert apply_funding(books, 120.0, 1e-3) == close((10 - 4) * 120 * 1e-3)
    assert books["wallet"][0, 0] == close(1000 - 0.72)
    assert books["funding"][0] == close(0.72)


def test_an_isolated_leg_pays_funding_from_its_own_margin() -> None:
    books = new_account(1000.0, 10.0, 100.0, 5.0, isolated=True)
    low, _ = bounds(books, 100.0, ROWS)
    apply_funding(books, 100.0, 1e-2)
    assert books["isolated"][0, POSITION] == close(190.0)
    assert books["wallet"][0, 0] == 800.0
    assert bounds(books, 100.0, ROWS)[0] > low


def test_the_venue_deleverages_a_winning_hedge() -> None:
    books = new_account(1000.0, 100.0, 100.0, 10.0)
    hedge(books, -100.0, 100.0)
    assert auto_deleverage(books, HEDGE, 0.4, 80.0) == close(40.0)
    assert books["qty"][0, HEDGE] == close(-60.0)
    assert books["wallet"][0, 0] == close(1000 + 40 * 20)
    assert books["fees"][0] == 0.0
    assert bounds(books, 80.0, ROWS)[0] > 0.0  # what is left is no full hedge any more


def test_winners_are_ranked_by_profit_and_leverage() -> None:
    """A hedge beside a loser has little equity behind it: it leads the queue."""
    books = new_account(1000.0, 100.0, 100.0, 10.0)
    hedge(books, -50.0, 100.0)
    for mark, worth in ((98.0, 1000 - 200 + 100), (90.1, 1000 - 990 + 495)):
        expected = (100.0 - mark) / 100.0 * 50.0 * mark / worth
        assert deleveraging_rank(books, HEDGE, mark) == close(expected)
        assert deleveraging_rank(books, POSITION, mark) == 0.0
    assert deleveraging_rank(books, HEDGE, 79.0) == np.inf  # nothing is left behind it
    assert deleveraging_rank(books, POSITION, 101.0) == close(0.01 * 10100.0 / 1050.0)
    apart = new_account(1000.0, 100.0, 100.0, 10.0, second_wallet_usdt=1000.0)
    hedge(apart, -50.0, 100.0)
    assert deleveraging_rank(apart, HEDGE, 90.0) == close(0.1 * 4500.0 / 1500.0)
    alone = new_account(1000.0, 100.0, 100.0, 10.0, isolated=True)
    assert deleveraging_rank(alone, POSITION, 105.0) == close(0.05 * 10500.0 / 1500.0)
    assert deleveraging_rank(alone, HEDGE, 105.0) == 0.0


# --- liquidation ------------------------------------------------------------------------------


def test_a_small_position_is_closed_whole_and_pays_clearance() -> None:
    books = new_account(1000.0, 90.0, 100.0, 9.0)
    low, high = bounds(books, 100.0, ROWS)
    assert liquidate_within(books, low, high, 100.0, 50.0, 100.0, ROWS, CLEARANCE) == low
    account = books[0]
    assert account["qty"].tolist() == account["entry"].tolist() == [0.0, 0.0]
    left = 1000 - 90 * (100 - low)
    fee = min(90 * low * CLEARANCE, left)
    assert account["clearance"] == close(fee)
    assert account["wallet"][0] == close(left - fee, abs=1e-9)
    assert account["insurance"] == 0.0


def test_a_gap_beyond_bankruptcy_is_paid_by_the_insurance_fund() -> None:
    books = new_account(1000.0, 90.0, 100.0, 9.0)
    low, high = bounds(books, 100.0, ROWS)
    assert liquidate_within(books, low, high, 70.0, 60.0, 72.0, ROWS, CLEARANCE) == 70.0
    assert books["wallet"][0, 0] == 0.0
    assert books["insurance"][0] == close(90 * 30 - 1000)


def test_a_large_position_is_cut_tier_by_tier() -> None:
    """60,000 USDT long in bracket 3 are cut to bracket 2, and are compliant there."""
    books = new_account(0.0, 600.0, 100.0, 20.0)
    books["wallet"][0, 0] = 590.0
    assert gap(books, 0, 100.0, ROWS) == close(-10.0)
    assert liquidate(books, 100.0, ROWS, 0.001)
    account = books[0]
    assert account["qty"][POSITION] == close(500.0)
    assert account["clearance"] == close(10_000 * 0.001)
    assert account["wallet"][0] == close(580.0)
    assert gap(books, 0, 100.0, ROWS) == close(580 - 450)
    assert account["liquidations"] == 1


@pytest.mark.parametrize(
    ("open_", "price"), [(99.0, "low"), (101.0, "high"), (94.0, "open"), (106.0, "open")]
)
def test_the_bound_nearer_to_the_open_counts(open_: float, price: str) -> None:
    books = new_account(1000.0, 0.0, 0.0, 1.0)
    expected = {"low": 95.0, "high": 105.0, "open": open_}[price]
    assert liquidate_within(books, 95.0, 105.0, open_, 90.0, 110.0, ROWS, CLEARANCE) == expected

"""What counts as a whale's transfer: told once, never a HogEx, never an exchange's own change."""

from __future__ import annotations

import math
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from onchain_made import COLD, ELSE, HOT, OTHER, SOMEBODY, TAGS, fixture, txid

from litehedge.feeds.onchain_whales import Remembered, Whales, exchange_flows
from litehedge.feeds.onchain_wire import LITOSHI, Output, Spend, Transaction, core_transaction

PRICE = 100.0
ADDRESSES = st.sampled_from([HOT, COLD, OTHER, SOMEBODY, ELSE, ""])
AMOUNTS = st.sampled_from([0, 1, 14_999, 15_000, 40_000, 200_000]).map(lambda ltc: ltc * LITOSHI)


def made(
    n: int, spent: list[tuple[str, float] | None], sent: list[tuple[str, float]]
) -> Transaction:
    spends = tuple(
        Spend(txid(1000 + n), k, s and Output(k, s[0], round(s[1] * LITOSHI)))
        for k, s in enumerate(spent)
    )
    outputs = tuple(Output(k, a, round(v * LITOSHI)) for k, (a, v) in enumerate(sent))
    return Transaction(txid(n), spends, outputs)


def told(whales: Whales, tx: Transaction, price: float = PRICE) -> list[tuple[float, bool]]:
    return [(t.notional_usdt, t.to_exchange) for t in whales.tell(tx, price, 5, 6)]


COINS = st.builds(Output, st.just(0), ADDRESSES, AMOUNTS)


@st.composite
def transactions(draw: st.DrawFn) -> Transaction:
    held = draw(st.lists(st.none() | COINS, max_size=4))
    spends = tuple(Spend(txid(draw(st.integers(1, 40))), k, o) for k, o in enumerate(held))
    outputs = tuple(draw(st.lists(COINS, max_size=4)))
    return Transaction(txid(draw(st.integers(1, 9))), spends, outputs)


# --- laws -------------------------------------------------------------------------------------


@given(st.lists(transactions(), max_size=12), st.data())
def test_a_transfer_told_twice_counts_once(txs: list[Transaction], data: st.DataObject) -> None:
    again = [txs[k] for k in data.draw(st.permutations(range(len(txs))))]
    whales = Whales(TAGS)
    seen: set[str] = set()
    for tx in txs + again:
        if whales.tell(tx, PRICE, 1, 2):
            assert tx.txid not in seen
            seen.add(tx.txid)


@given(AMOUNTS, ADDRESSES, st.lists(st.builds(Output, st.just(1), ADDRESSES, AMOUNTS), max_size=3))
def test_the_balance_of_the_extension_block_never_alarms(
    litoshi: int, address: str, pegged_out: list[Output]
) -> None:
    balance = Output(0, address, litoshi, is_balance=True)
    before = Spend(txid(3), 0, Output(0, address, litoshi + 5, is_balance=True))
    hogex = Transaction(txid(1), (before,), (balance, *pegged_out))
    assert told(Whales(TAGS), replace(hogex, outputs=(balance,))) == []
    without = Transaction(txid(1), (), tuple(pegged_out))
    assert exchange_flows(hogex, TAGS) == exchange_flows(without, TAGS)


@given(transactions())
def test_what_is_not_known_never_counts_as_a_deposit(tx: Transaction) -> None:
    hidden = replace(tx, spends=(*tx.spends, Spend(txid(50), 9)))
    assert exchange_flows(hidden, TAGS)[0] == 0


@given(transactions())
def test_no_more_moves_than_was_sent(tx: Transaction) -> None:
    into, out = exchange_flows(tx, TAGS)
    assert 0 <= into <= tx.moved_litoshi
    assert 0 <= out <= sum(s.output.litoshi for s in tx.spends if s.output is not None)


@given(transactions(), st.sampled_from([math.nan, math.inf, 0.0, -5.0]))
def test_without_a_price_nothing_is_told(tx: Transaction, price: float) -> None:
    assert told(Whales(TAGS), tx, price) == []


# --- examples ---------------------------------------------------------------------------------


def test_a_deposit_and_a_withdrawal() -> None:
    whales = Whales(TAGS)
    assert told(whales, made(1, [(SOMEBODY, 30_001)], [(HOT, 20_000), (ELSE, 10_000)])) == [
        (2_000_000.0, True)
    ]
    assert told(whales, made(2, [(COLD, 50_000)], [(SOMEBODY, 20_000), (COLD, 29_999)])) == [
        (2_000_100.0, False)
    ]


def test_coins_that_an_exchange_moves_about_are_nothing() -> None:
    assert told(Whales(TAGS), made(1, [(COLD, 90_000)], [(HOT, 89_999)])) == []


def test_from_one_exchange_to_another_is_both() -> None:
    assert told(Whales(TAGS), made(1, [(HOT, 20_000)], [(OTHER, 20_000)])) == [
        (2_000_000.0, True),
        (2_000_000.0, False),
    ]


def test_change_goes_back_to_an_address_that_was_spent_together() -> None:
    tx = made(1, [(HOT, 10), (ELSE, 50_000)], [(SOMEBODY, 20_000), (ELSE, 30_000)])
    assert told(Whales(TAGS), tx) == [(2_001_000.0, False)]


def test_small_ones_are_not_told() -> None:
    tx = made(1, [(SOMEBODY, 14_999)], [(HOT, 14_999)])
    assert told(Whales(TAGS), tx) == []
    assert told(Whales(TAGS), tx, price=100.01) == [(14_999 * 100.01, True)], "not told before"


def test_a_transfer_that_spends_nothing_is_told_once_too() -> None:
    whales = Whales(TAGS)
    assert told(whales, made(1, [], [(HOT, 20_000)]))
    assert told(whales, made(1, [], [(HOT, 20_000)])) == []


def test_a_replacement_with_a_higher_fee_is_the_same_transfer() -> None:
    whales = Whales(TAGS)
    first = made(1, [(SOMEBODY, 30_000)], [(HOT, 29_999)])
    assert told(whales, first)
    assert told(whales, replace(first, txid=txid(2))) == []


def test_the_hogex_of_a_block() -> None:
    assert told(Whales(TAGS), core_transaction(fixture("ltc_hogex_vout_false_whale"))) == []


def test_memory_is_bounded() -> None:
    memory = Remembered(3)
    assert [memory.add(n) for n in (1, 2, 3, 1, 4, 2)] == [True, True, True, False, True, True]
    assert len(memory) == 3
    assert 1 in memory
    assert 3 not in memory

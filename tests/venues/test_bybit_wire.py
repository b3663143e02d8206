"""Bybit's public messages: what they say, and the book that must never be wrong."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from litehedge.errors import BadMessage
from litehedge.market import events as ev
from litehedge.units import NS_PER_MINUTE
from litehedge.venues import bybit_history as past
from litehedge.venues import bybit_wire as wire

FIXTURES = Path(__file__).parents[1] / "fixtures" / "venues"
KNOWN = 1_795_000_000_500_000_000
MS = 1_000_000
START_MS = 1_795_000_000_000


def read(name: str) -> wire.Public:
    return wire.public((FIXTURES / f"bybit_ws_{name}.json").read_bytes())


def result(name: str) -> msgspec.Raw:
    body = json.loads((FIXTURES / f"bybit_rest_{name}.json").read_bytes())
    return msgspec.Raw(json.dumps(body["result"]).encode())


def test_trades() -> None:
    when = 1_794_999_999_997 * MS
    assert wire.trades(read("publicTrade_LTCUSDT"), "LTCUSDT", KNOWN) == [
        ev.Trade(when, KNOWN, 84.10, 3.2, taker_buys=False)
    ]


def test_a_buy_in_the_liquidations_is_a_long_that_was_liquidated() -> None:
    told = wire.liquidations(read("allLiquidation_LTCUSDT"), "LTCUSDT", KNOWN)
    assert [(x.side, x.feed) for x in told] == [("long", "all")] * 2
    assert told[0].notional_usdt == pytest.approx(152.3 * 82.40)
    assert told[0].event_ns == 1_794_999_999_800 * MS


def test_minutes_of_bitcoin_when_they_are_closed() -> None:
    message = read("kline_BTCUSDT")
    (told,) = wire.closed_bars(message, "BTC", KNOWN)
    assert (told.open, told.high, told.low, told.close) == (101000, 101100, 100990, 101050.5)
    assert told.event_ns == 1_794_999_960_000 * MS
    assert told.interval_ns == NS_PER_MINUTE
    running = msgspec.Raw(bytes(message.data).replace(b"true", b"false"))
    assert wire.closed_bars(msgspec.structs.replace(message, data=running), "BTC", KNOWN) == []


def test_tickers_tell_what_changed_and_nothing_else() -> None:
    fold = wire.TickerFold("LTCUSDT")
    now = START_MS * MS
    assert fold.take(read("tickers_snapshot_LTCUSDT"), KNOWN) == [
        ev.Mark(now, KNOWN, 84.10),
        ev.Index(now, KNOWN, 84.12),
        ev.OpenInterest(now, KNOWN, 1_250_000.5),
        ev.PredictedFunding(now, KNOWN, "own", 0.0001),
    ]
    assert fold.take(read("tickers_delta_LTCUSDT"), KNOWN) == [
        ev.Mark(now + 100 * MS, KNOWN, 84.07)
    ]


def ticker(ts_ms: int, **fields: str) -> wire.Public:
    data = {"symbol": "LTCUSDT", **fields}
    body = {"topic": "tickers.LTCUSDT", "type": "delta", "ts": ts_ms, "data": data}
    return wire.public(json.dumps(body).encode())


def settled(fold: wire.TickerFold, message: wire.Public) -> list[ev.Funding]:
    return [e for e in fold.take(message, KNOWN) if isinstance(e, ev.Funding)]


def test_funding_is_settled_once_at_the_rate_that_was_valid_last() -> None:
    fold, due = wire.TickerFold("LTCUSDT"), START_MS + 60_000
    first = ticker(START_MS, fundingRate="0.0003", nextFundingTime=str(due))
    after = ticker(due + 50, fundingRate="0.0001", nextFundingTime=str(due + 28_800_000))
    assert settled(fold, first) == []
    assert settled(fold, ticker(due - 10, markPrice="84")) == []
    assert settled(fold, after) == [ev.Funding(due * MS, KNOWN, 0.0003)]
    assert settled(fold, after) == []
    assert settled(fold, first) == []  # an old message
    assert settled(fold, after) == []


def test_a_rate_that_nobody_heard_is_not_invented() -> None:
    fold, due = wire.TickerFold("LTCUSDT"), START_MS + 3_600_000
    fold.take(ticker(START_MS, fundingRate="0.0003", nextFundingTime=str(due)), KNOWN)
    assert settled(fold, ticker(due + 5, nextFundingTime=str(due + 28_800_000))) == []


def test_rates_of_a_shorter_interval_are_told_for_eight_hours() -> None:
    fold = wire.TickerFold("LTCUSDT", "bybit")
    (told,) = fold.take(ticker(START_MS, fundingRate="0.0001", fundingIntervalHour="4"), KNOWN)
    assert told == ev.PredictedFunding(START_MS * MS, KNOWN, "bybit", 0.0002)


def test_the_past() -> None:
    bars = past.bars_of(result("kline_LTCUSDT"), "LTCUSDT", "LTC")
    assert [b.close for b in bars] == [84.1, 84.0]
    assert bars[0].known_ns == bars[0].event_ns == 1_794_999_960_000 * MS
    (funding,) = past.funding_of(result("funding_history_LTCUSDT"), "LTCUSDT")
    assert (funding.rate, funding.event_ns) == (0.0001, 1_794_988_800_000 * MS)
    rows, cursor = past.interest_of(result("open_interest_LTCUSDT"))
    assert (rows[0].oi_ltc, cursor) == (1_250_000.5, "")


@pytest.mark.parametrize("text", ["nan", "inf", "-1", "1e400", "", "x", "0"])
def test_prices_that_cannot_be_are_bad_messages(text: str) -> None:
    body = json.loads((FIXTURES / "bybit_ws_publicTrade_LTCUSDT.json").read_bytes())
    body["data"][0]["p"] = text
    with pytest.raises(BadMessage):
        wire.trades(wire.public(json.dumps(body).encode()), "LTCUSDT", KNOWN)


def test_messages_of_another_contract_are_bad() -> None:
    with pytest.raises(BadMessage, match="LTCUSDT"):
        wire.trades(read("publicTrade_LTCUSDT"), "BTCUSDT", KNOWN)


# --- the book -----------------------------------------------------------------------------------


def book(kind: str, u: int, bids: dict[int, int], asks: dict[int, int]) -> wire.Public:
    """Prices are in cents."""
    levels = [[[f"{p / 100:.2f}", str(q)] for p, q in side.items()] for side in (bids, asks)]
    body: dict[str, Any] = {"topic": "orderbook.50.LTCUSDT", "type": kind, "ts": START_MS + u}
    body |= {"cts": START_MS + u, "data": {"s": "LTCUSDT", "b": levels[0], "a": levels[1], "u": u}}
    return wire.public(json.dumps(body).encode())


def levels(sync: wire.BookSync) -> tuple[dict[int, float], dict[int, float]]:
    one, two = ({round(p * 100): q for p, q in sync.levels(side)} for side in (0, 1))
    return one, two


def test_snapshot_and_delta() -> None:
    sync = wire.BookSync("LTCUSDT", 0.01, 50)
    assert sync.event(KNOWN) is None
    assert sync.take(read("orderbook50_snapshot_LTCUSDT")) == "applied"
    assert sync.take(read("orderbook50_delta_LTCUSDT")) == "applied"
    told = sync.event(KNOWN)
    assert told is not None
    assert (told.bid, told.ask, told.event_ns) == (84.09, 84.11, 1_795_000_000_018 * MS)
    assert told.bid_depth_near_usdt == pytest.approx(84.09 * 310)
    # 50 price steps of a cent reach half a dollar: what is within 1 % is not known
    assert told.bid_depth_usdt != told.bid_depth_usdt


def test_a_restart_of_the_service_begins_the_book_anew() -> None:
    sync = wire.BookSync("LTCUSDT", 0.01)
    sync.take(book("snapshot", 500, {8410: 1}, {8411: 1}))
    assert sync.take(book("delta", 1, {8400: 2}, {8402: 3})) == "applied"
    assert levels(sync) == ({8400: 2}, {8402: 3})
    assert sync.take(book("delta", 2, {8401: 5}, {})) == "applied"


def test_before_a_snapshot_and_after_a_gap_there_is_no_book() -> None:
    sync = wire.BookSync("LTCUSDT", 0.01)
    assert sync.take(book("delta", 7, {8410: 1}, {})) == "lost"
    sync.take(book("snapshot", 7, {8410: 1}, {8411: 1}))
    assert sync.take(book("delta", 9, {8409: 1}, {})) == "lost"
    assert sync.event(KNOWN) is None
    assert sync.take(book("delta", 10, {8409: 1}, {})) == "lost"
    assert sync.take(book("snapshot", 11, {8410: 1}, {8411: 1})) == "applied"


def test_a_bad_or_crossed_message_loses_the_book() -> None:
    sync = wire.BookSync("LTCUSDT", 0.01)
    sync.take(book("snapshot", 7, {8410: 1}, {8411: 1}))
    assert sync.take(book("delta", 8, {8412: 1}, {})) == "lost"
    sync.take(book("snapshot", 9, {8410: 1}, {8411: 1}))
    with pytest.raises(BadMessage):
        sync.take(msgspec.structs.replace(book("delta", 10, {}, {}), data=msgspec.Raw(b"{}")))
    assert sync.event(KNOWN) is None


@pytest.mark.parametrize("text", ["nan", "inf", "-inf", "1e400", "0", "-84", "x", ""])
def test_a_level_that_cannot_be_is_a_bad_message(text: str) -> None:
    sync = wire.BookSync("LTCUSDT", 0.01)
    message = book("snapshot", 7, {8410: 1}, {8411: 1})
    for price in ("84.10", "84.11"):
        broken = bytes(message.data).replace(price.encode(), text.encode())
        with pytest.raises(BadMessage):
            sync.take(msgspec.structs.replace(message, data=msgspec.Raw(broken)))
        assert sync.event(KNOWN) is None


def stream(seed: int, length: int) -> list[tuple[wire.Public, tuple[dict, dict]]]:
    """A true stream, and the book after each of its messages."""
    chance = random.Random(seed)
    bids, asks = {8410 - i: 5 for i in range(5)}, {8411 + i: 5 for i in range(5)}
    out = [(book("snapshot", 100, bids, asks), (dict(bids), dict(asks)))]
    for u in range(101, 101 + length):
        change: tuple[dict[int, int], dict[int, int]] = ({}, {})
        for side, known, start, way in ((0, bids, 8410, -1), (1, asks, 8411, 1)):
            price = start + way * chance.randrange(8)
            change[side][price] = qty = chance.choice([0, 1, 3])
            known[price] = qty
            if not qty:
                del known[price]
        out.append((book("delta", u, *change), (dict(bids), dict(asks))))
    return out


@given(
    seed=st.integers(0, 1000),
    faults=st.lists(
        st.tuples(st.sampled_from(["drop", "twice", "swap", "old"]), st.integers(1, 28)), max_size=4
    ),
)
def test_the_book_is_the_reference_or_asks_to_be_begun_anew(seed: int, faults: list) -> None:
    true = stream(seed, 28)
    sent = list(true)
    for fault, at in faults:
        at = min(at, len(sent) - 2)
        if fault == "drop":
            del sent[at]
        elif fault == "twice":
            sent.insert(at, sent[at])
        elif fault == "swap":
            sent[at], sent[at + 1] = sent[at + 1], sent[at]
        else:
            sent.insert(at + 1, sent[max(1, at - 3)])
    sync, truth, lost = wire.BookSync("LTCUSDT", 0.01), None, False
    for message, after in sent:
        taken = sync.take(message)
        if taken == "applied":
            truth, lost = after, False
        lost = lost or taken == "lost"
        if lost:
            assert sync.event(KNOWN) is None
        else:
            assert levels(sync) == truth
    if not faults:
        assert not lost

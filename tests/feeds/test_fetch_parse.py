"""Formats of archives and interfaces."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from misbehaving import gzipped, zipped

from litehedge.errors import BadMessage, DataError, UsageError
from litehedge.feeds import fetch_parse as parse
from litehedge.feeds import fetch_plan as plan
from litehedge.units import NS_PER_DAY, NS_PER_MINUTE, instant_ns

VENUES = Path(__file__).parents[1] / "fixtures" / "venues"
T0_MS = 1_760_000_000_000
AGG = f"1,83.5,2.0,1,1,{T0_MS},true\n2,83.6,1.0,2,2,{T0_MS + 5},false\n"
AGG_HEADER = (
    "agg_trade_id,price,quantity,first_trade_id,last_trade_id,transact_time,is_buyer_maker\n"
)
PARSERS = (
    parse.agg_trades, parse.book_depth, parse.liquidation_snapshot, parse.long_short_ratio,
    parse.bybit_trades,
)  # fmt: skip


@pytest.mark.parametrize("text", [AGG, AGG_HEADER + AGG])
def test_trades_with_and_without_a_header_line(text) -> None:
    table = parse.agg_trades(zipped(text), "x.zip")
    assert table["price"].to_list() == [83.5, 83.6]
    assert table["taker_buys"].to_list() == [False, True]
    assert table["known_ns"][0] == T0_MS * 1_000_000


def test_depth_becomes_a_book() -> None:
    lines = [
        "timestamp,percentage,depth,notional",
        *(f"2025-10-10 00:00:07,{p},1.0,{1000 * abs(p)}" for p in (-5, -1, -0.2, 0.2, 1, 5)),
        "2025-10-10 00:00:37,-1,1.0,7.0",
    ]
    table = parse.book_depth(zipped("\n".join(lines)), "x.zip")
    assert table.height == 2
    first = table.row(0, named=True)
    assert first["event_ns"] == instant_ns("2025-10-10T00:00:07")
    assert (first["ask_depth_usdt"], first["bid_depth_near_usdt"], first["ask_depth_far_usdt"]) == (
        1000.0, 200.0, 5000.0,
    )  # fmt: skip
    assert table["ask_depth_usdt"].is_nan().to_list() == [False, True]


def test_forced_orders_of_the_snapshot_count_once() -> None:
    row = f"{T0_MS},SELL,LIMIT,IOC,5,82.0,83.0,FILLED,5,5"
    table = parse.liquidation_snapshot(zipped(f"{row}\n{row}\n"), "x.zip")
    assert table.select("side", "notional_usdt", "feed").rows() == [("long", 415.0, "largest")]


def test_the_ratio_of_accounts_is_known_late() -> None:
    text = "create_time,symbol,count_long_short_ratio\n2025-10-10 00:05:00,LTCUSDT,1.7\n"
    table = parse.long_short_ratio(zipped(text), "x.zip")
    assert table["ratio"].to_list() == [1.7]
    assert (table["known_ns"] - table["event_ns"])[0] == 5 * NS_PER_MINUTE


def test_trades_of_bybit_and_their_bars() -> None:
    text = (
        "timestamp,symbol,side,size,price\n1760000000.1234,LTCUSDT,Buy,2,83.5\n"
        "1760000030.5,LTCUSDT,Sell,1,83.1\n1760000100,LTCUSDT,Sell,1,84\n"
    )
    trades = parse.bybit_trades(gzipped(text), "x.csv.gz")
    assert trades["event_ns"][0] == 1_760_000_000_123_400_000
    bars = parse.minute_bars(trades)
    assert bars["close"].to_list() == [83.1, 84.0]
    assert bars["buy_volume"].to_list() == [2.0, 0.0]
    assert bars["event_ns"][0] % NS_PER_MINUTE == 0


def test_sums_of_coinalyze() -> None:
    payload = (VENUES / "coinalyze_liquidation_history.json").read_bytes()
    table = parse.coinalyze_liquidations(payload, NS_PER_DAY)
    assert table.select("side", "notional_usdt", "feed").rows() == [
        ("long", 15234.1, "largest"), ("short", 2210.4, "largest"),
    ]  # fmt: skip
    assert set(table["event_ns"]) == {1_759_968_000 * 10**9 + NS_PER_DAY}


def test_forced_executions_of_kraken() -> None:
    payload = (VENUES / "kraken_history_executions_PF_LTCUSD_liquidation.json").read_bytes()
    page = parse.kraken_page(payload)
    (one,) = page.forced
    assert (one.side, one.qty, one.price, one.time_ms) == ("SELL", "17", "83.05", 1795000000000)
    assert (page.rows, page.token) == (1, "YWJj")
    usual = payload.replace(b"PartialLiquidation", b"Limit")
    assert parse.kraken_page(usual).forced == ()


@given(st.binary(max_size=60), st.binary(max_size=60))
def test_anything_else_is_refused_in_words(junk, more) -> None:
    for parser in PARSERS:
        texts = (junk, more, zipped(junk.decode("latin-1")), zipped(AGG_HEADER + repr(more)))
        for payload in (*texts, gzipped("timestamp,side,size,price\n" + repr(junk))):
            try:
                parser(payload, "x.zip")
            except DataError:
                continue
    for answer in (lambda b: parse.coinalyze_liquidations(b, 1), parse.kraken_page):
        for payload in (junk, b'{"elements": ' + junk + b"}"):
            try:
                answer(payload)
            except BadMessage:
                continue


def test_whole_months_come_as_months_and_the_rest_as_days() -> None:
    first, last, today = date(2025, 1, 30), date(2025, 3, 2), date(2025, 6, 1)
    some = plan.binance("LTCUSDT", ["klines"], first, last, today, "http://x")
    assert [one.period for one in some] == [
        "2025-01-30", "2025-01-31", "2025-02", "2025-03-01", "2025-03-02",
    ]  # fmt: skip
    assert some[2].url == (
        "http://x/data/futures/um/monthly/klines/LTCUSDT/1m/LTCUSDT-1m-2025-02.zip"
    )
    assert len(some[2].instead) == 28
    funding = plan.binance("LTCUSDT", ["fundingRate"], first, last, today)
    assert [one.period for one in funding] == ["2025-01", "2025-02", "2025-03"]
    with pytest.raises(UsageError, match="there is no kind candles"):
        plan.binance("LTCUSDT", ["candles"], first, last, today)
    (day,) = plan.bybit("LTCUSDT", last, date(2026, 1, 1), date(2025, 3, 3))
    assert day.url == "https://public.bybit.com/trading/LTCUSDT/LTCUSDT2025-03-02.csv.gz"


@given(st.dates(date(2020, 1, 1), date(2024, 12, 31)), st.integers(0, 200))
def test_every_day_is_asked_for_once(first, days) -> None:
    last = date.fromordinal(first.toordinal() + days)
    told = plan.binance("LTCUSDT", ["klines"], first, last, date(2026, 1, 1))
    each = [day.period for one in told for day in (one.instead or (one,))]
    assert each == [date.fromordinal(first.toordinal() + i).isoformat() for i in range(days + 1)]

"""Binance's market messages and answers: the fixtures, value by value."""

from __future__ import annotations

import math
from decimal import Decimal

import pytest
from binance_samples import COMMISSION, EXCHANGE_INFO, FUNDING_INFO, RATIOS, fixture, raw

from litehedge.errors import BadMessage, WrongSetup
from litehedge.market import events as ev
from litehedge.store.bundled import tier_table
from litehedge.units import NS_PER_MINUTE, NS_PER_MS
from litehedge.venues import binance_rest as rest
from litehedge.venues import binance_wire as wire

NOW = 1_795_000_000_500 * NS_PER_MS


def heard(name):
    return wire.read_stream(raw(fixture(name)))


def test_a_trade():
    got = wire.trade(heard("ws_aggTrade_LTCUSDT"), NOW)
    assert got == ev.Trade(1_794_999_999_995 * NS_PER_MS, NOW, 84.11, 3.25, True)


def test_the_top_of_the_book_does_not_tell_depth():
    got = wire.top_of_book(heard("ws_bookTicker_LTCUSDT"), NOW)
    assert (got.bid, got.ask) == (84.09, 84.11)
    assert math.isnan(got.bid_depth_usdt)


def test_mark_index_and_predicted_funding():
    at = 1_795_000_000_000 * NS_PER_MS
    assert wire.mark_events(heard("ws_markPrice_1s_LTCUSDT"), NOW) == [
        ev.Mark(at, NOW, 84.10472131),
        ev.Index(at, NOW, 84.1265),
        ev.PredictedFunding(at, NOW, "own", 0.0001),
    ]


def test_predicted_funding_of_four_hours_is_told_for_eight():
    told = wire.mark_events(heard("ws_markPrice_1s_LTCUSDT"), NOW, interval_h=4.0)[2]
    assert told.rate == pytest.approx(0.0002)


def test_a_liquidation_in_the_wrapper_is_of_a_long_when_the_order_sells():
    got = wire.liquidation(heard("ws_forceOrder_LTCUSDT"), "LTCUSDT", NOW)
    assert (got.side, got.feed) == ("long", "largest")
    assert got.notional_usdt == pytest.approx(152.3 * 83.05)  # all fills at their average


def test_a_liquidation_is_of_a_short_when_the_order_buys():
    got = wire.liquidation(heard("ws_forceOrder_arr_LTCUSDT"), "LTCUSDT", NOW)
    assert got.side == "short"
    assert got.notional_usdt == pytest.approx(20.0 * 85.11)


def test_coin_margined_contracts_and_others_are_not_ours():
    coin = fixture("ws_forceOrder_arr_COINM_must_be_filtered")
    assert wire.liquidation(wire.read_stream(raw(coin)), "LTCUSDT", NOW) is None
    coin["o"]["s"] = "LTCUSDT"  # even under our name
    assert wire.liquidation(wire.read_stream(raw(coin)), "LTCUSDT", NOW) is None
    assert wire.liquidation(heard("ws_forceOrder_LTCUSDT"), "BTCUSDT", NOW) is None


def test_a_bar_is_known_when_it_is_closed():
    message = fixture("ws_kline_1m_LTCUSDT")
    got = wire.bar(wire.read_stream(raw(message)), "LTC", NOW)
    close = 1_795_000_000_000 * NS_PER_MS
    assert got == ev.Bar(
        close, NOW, "LTC", NS_PER_MINUTE, 84.02, 84.15, 83.98, 84.11, 5120.331, 2711.02
    )
    message["k"]["x"] = False
    assert wire.bar(wire.read_stream(raw(message)), "LTC", NOW) is None


def test_answers_to_subscriptions():
    assert wire.read_stream(b'{"result":null,"id":1}') == wire.Reply(1)
    refused = wire.read_stream(b'{"error":{"code":2,"msg":"Invalid request"},"id":1}')
    assert "Invalid request" in refused.error
    assert wire.read_stream(b'{"code":3,"msg":"Invalid JSON"}').error == "Invalid JSON"


@pytest.mark.parametrize("at", ["p", "q"])
@pytest.mark.parametrize("odd", ["NaN", "Infinity", "-1", "1e400", None, True, [], "84,11"])
def test_impossible_numbers_are_bad_messages(at, odd):
    message = fixture("ws_aggTrade_LTCUSDT") | {at: odd}
    with pytest.raises(BadMessage):
        wire.read_stream(raw(message))


# --- funding is told once -------------------------------------------------------------------------

HOUR_MS = 3_600_000
DUE = 1_795_003_600_000 // (8 * HOUR_MS) * 8 * HOUR_MS


def mark(at_ms, rate, next_ms):
    return wire.MarkPrice("LTCUSDT", at_ms, 84.0, 84.0, rate, next_ms)


def test_a_settlement_shows_by_the_next_one_moving_on():
    clock = wire.FundingClock()
    assert clock.heard(mark(DUE - 1000, 0.0003, DUE), NOW) is None
    told = clock.heard(mark(DUE + 1000, 0.0001, DUE + 8 * HOUR_MS), NOW)
    assert told == ev.Funding(DUE * NS_PER_MS, NOW, 0.0003)
    assert clock.heard(mark(DUE + 2000, 0.0001, DUE + 8 * HOUR_MS), NOW) is None
    # REST tells the same one a few milliseconds later
    assert clock.asked(ev.Funding((DUE + 7) * NS_PER_MS, NOW, 0.00031)) is None


def test_after_a_silence_the_rate_is_not_guessed():
    clock = wire.FundingClock()
    clock.heard(mark(DUE - HOUR_MS, 0.0003, DUE), NOW)
    assert clock.heard(mark(DUE + 1000, 0.0001, DUE + 8 * HOUR_MS), NOW) is None
    settled = ev.Funding(DUE * NS_PER_MS, NOW, 0.0007)
    assert clock.asked(settled) == settled
    assert clock.asked(settled) is None


def test_a_mark_out_of_order_settles_nothing():
    clock = wire.FundingClock()
    clock.heard(mark(DUE + 1000, 0.0001, DUE + 8 * HOUR_MS), NOW)
    assert clock.heard(mark(DUE - 1000, 0.0009, DUE), NOW) is None
    assert clock.heard(mark(DUE + 2000, 0.0001, DUE + 8 * HOUR_MS), NOW) is None


def test_a_stream_that_is_silent_among_others_is_named():
    watch = wire.StreamWatch({"trades": 60.0, "mark": 10.0})
    watch.start(0.0)
    watch.heard("mark", 59.0)
    watch.heard("forced", 59.0)
    assert watch.silent(60.0) == []
    assert watch.silent(61.0) == ["trades"]


# --- answers ------------------------------------------------------------------------------------


def test_market_answers():
    taken = rest.snapshot(raw(fixture("rest_depth_LTCUSDT")))
    assert taken.lastUpdateId == 1000
    assert taken.bids[0] == (84.10, 120.5)
    assert rest.open_interest(raw(fixture("rest_openInterest_LTCUSDT")), "LTCUSDT", NOW) == (
        ev.OpenInterest(1_795_000_000_000 * NS_PER_MS, NOW, 2310450.12)
    )
    past = rest.past_open_interest(raw(fixture("rest_openInterestHist_LTCUSDT")), "LTCUSDT")
    assert [(e.known_ns, e.oi_ltc) for e in past] == [(1_795_000_300_000 * NS_PER_MS, 2310450.12)]
    assert rest.long_short_ratio(raw(RATIOS), "LTCUSDT", NOW).ratio == 2.5
    settled = rest.funding(raw(fixture("rest_fundingRate_LTCUSDT")), "LTCUSDT")
    at = 1_794_971_200_000 * NS_PER_MS
    assert settled == [ev.Funding(at, at, 0.0001)]
    assert rest.premium(raw(fixture("rest_premiumIndex_LTCUSDT")), "LTCUSDT").nextFundingTime == (
        1_795_003_600_000
    )
    assert rest.adl_risk(raw(fixture("rest_symbolAdlRisk_LTCUSDT")), "LTCUSDT") == "low"


def test_past_bars_are_those_that_were_closed():
    body = raw(fixture("rest_klines_LTCUSDT"))
    (bar,) = rest.bars(body, "LTC", 1_795_000_000_000)
    assert bar.event_ns == bar.known_ns == 1_795_000_000_000 * NS_PER_MS
    assert (bar.close, bar.buy_volume) == (84.11, 2711.02)
    assert rest.bars(body, "LTC", 1_794_999_999_999) == []


def contract(info=EXCHANGE_INFO, symbol="LTCUSDT"):
    return rest.contract_of(
        raw(info),
        symbol,
        tiers=rest.tiers(raw(fixture("rest_leverageBracket_LTCUSDT")), "LTCUSDT"),
        maker_taker=rest.fees(raw(COMMISSION), "LTCUSDT"),
        interval_h=rest.funding_interval_h(raw(FUNDING_INFO), symbol),
    )


def test_the_contract():
    got = contract()
    assert got.is_trading
    assert (got.tick_usdt, got.lot_ltc) == (Decimal("0.01"), Decimal("0.001"))
    assert (got.min_notional_usdt, got.max_qty_ltc) == (Decimal(20), Decimal(20000))
    assert got.price_band == Decimal("0.05")
    assert (got.maker_fee, got.taker_fee) == (Decimal("0.0002"), Decimal("0.0005"))
    assert got.clearance_fee == Decimal("0.0125")
    assert got.funding_interval_h == 8.0
    assert len(got.tiers) == 10
    assert got.tiers[1] == tuple(map(Decimal, ("10000", "50000", "50", "0.01", "50")))


def test_the_tiers_are_those_that_ship():
    shipped = tier_table("binance", "LTCUSDT")
    told = rest.tiers(raw(fixture("rest_leverageBracket_LTCUSDT")), "LTCUSDT")
    rows = [[float(t[0]), float(t[3]), float(t[4]), float(t[2])] for t in told]
    assert shipped.rows.tolist() == rows


def test_tiers_that_do_not_join_are_refused():
    table = fixture("rest_leverageBracket_LTCUSDT")
    table[0]["brackets"][3]["cum"] = 5000.0
    with pytest.raises(BadMessage, match="do not join at 160000"):
        rest.tiers(raw(table), "LTCUSDT")


def test_an_unknown_symbol_is_a_wrong_setup():
    with pytest.raises(WrongSetup, match="no contract LTCUSDX"):
        contract(symbol="LTCUSDX")


def test_a_missing_rule_is_named():
    info = {"symbols": [EXCHANGE_INFO["symbols"][1] | {"filters": []}]}
    with pytest.raises(BadMessage, match="PRICE_FILTER"):
        contract(info)

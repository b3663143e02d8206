"""Broken messages of Binance: every parser raises `BadMessage` and nothing else.

`MUTATIONS` messages in CI; set LITEHEDGE_MUTATIONS to a million for a soak.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import binance_samples as samples
import pytest
from binance_samples import fixture, raw
from mutate import mutated

from litehedge.errors import BadMessage, VenueError, WrongSetup
from litehedge.market.bars import BarFold
from litehedge.orders.reports import AccountReport, LegReport
from litehedge.venues import binance_account as account
from litehedge.venues import binance_errors as errors
from litehedge.venues import binance_rest as rest
from litehedge.venues import binance_wire as wire
from litehedge.venues.binance_book import BookSync
from litehedge.venues.binance_user import UserStream
from litehedge.venues.book import LocalBook

MUTATIONS = int(os.environ.get("LITEHEDGE_MUTATIONS", "100000"))
NOW = 1_795_000_000_500_000_000

MARKET = [
    fixture("ws_aggTrade_LTCUSDT"), fixture("ws_bookTicker_LTCUSDT"),
    fixture("ws_markPrice_1s_LTCUSDT"), fixture("ws_forceOrder_LTCUSDT"),
    fixture("ws_forceOrder_arr_LTCUSDT"), fixture("ws_forceOrder_arr_COINM_must_be_filtered"),
    fixture("ws_kline_1m_LTCUSDT"), *fixture("ws_depth_sequence_LTCUSDT")["events"],
    {"result": None, "id": 1},
]  # fmt: skip
USER = [
    fixture("uds_account_config_update_leverage"), fixture("uds_account_update_FUNDING_FEE_cross"),
    fixture("uds_account_update_ORDER"), fixture("uds_listenKeyExpired"),
    fixture("uds_margin_call"), fixture("uds_order_adl"),
    *fixture("uds_order_liquidation_autoclose"),
    *fixture("uds_order_sequence_IOC_partial_then_expired"), samples.ALGO_UPDATE,
    samples.TRADE_LITE,
]  # fmt: skip
ACCOUNT = AccountReport(
    0, Decimal(100),
    [LegReport(side, Decimal(0), Decimal(0), Decimal(5), False) for side in ("long", "short")],
    True,
)  # fmt: skip


def market() -> Callable[[bytes], Any]:
    clock, fold = wire.FundingClock(), BarFold("BTC", 5_000_000_000)

    def use(payload: bytes) -> None:
        match wire.read_stream(payload):
            case wire.AggTrade() as heard:
                wire.trade(heard, NOW)
                fold.trade(heard.T * 1_000_000, heard.p, heard.q, not heard.m, NOW)
            case wire.BookTicker() as heard:
                wire.top_of_book(heard, NOW)
            case wire.MarkPrice() as heard:
                wire.mark_events(heard, NOW)
                clock.heard(heard, NOW)
            case wire.ForceOrder() as heard:
                wire.liquidation(heard, "LTCUSDT", NOW)
            case wire.Kline() as heard:
                wire.bar(heard, "LTC", NOW)

    return use


def user() -> Callable[[bytes], Any]:
    stream = UserStream("LTCUSDT")
    stream.begin(ACCOUNT)
    return stream.read


def contract(payload: bytes) -> None:
    tiers = rest.tiers(raw(fixture("rest_leverageBracket_LTCUSDT")), "LTCUSDT")
    rest.contract_of(
        payload, "LTCUSDT", tiers=tiers, maker_taker=(Decimal(0), Decimal(0)), interval_h=8.0
    )


def the_account(place: int) -> Callable[[bytes], Any]:
    parts = [samples.ACCOUNT_CONFIG, samples.SYMBOL_CONFIG, samples.POSITIONS, samples.BALANCES]

    def use(payload: bytes) -> None:
        bodies = [raw(part) for part in parts]
        bodies[place] = payload
        account.account_of(*bodies, "LTCUSDT", event_ns=0, can_withdraw=None)

    return use


def refusal(payload: bytes) -> None:
    for status in (400, 503):
        got = errors.error_of(status, payload, "the order", changes=True)
        assert isinstance(got, VenueError)
    assert 0.0 <= errors.hold_s(418, None, payload, 0) <= 3 * 86_400.0


S = "LTCUSDT"
ANSWERS: list[tuple[str, Any, Callable[[bytes], Any]]] = [
    ("depth", fixture("rest_depth_LTCUSDT"), rest.snapshot),
    ("open interest", fixture("rest_openInterest_LTCUSDT"),
     lambda b: rest.open_interest(b, S, NOW)),
    ("past open interest", fixture("rest_openInterestHist_LTCUSDT"),
     lambda b: rest.past_open_interest(b, S)),
    ("ratios", samples.RATIOS, lambda b: rest.long_short_ratio(b, S, NOW)),
    ("funding", fixture("rest_fundingRate_LTCUSDT"), lambda b: rest.funding(b, S)),
    ("premium", fixture("rest_premiumIndex_LTCUSDT"), lambda b: rest.premium(b, S)),
    ("klines", fixture("rest_klines_LTCUSDT"), lambda b: rest.bars(b, "LTC", 2 * NOW)),
    ("adl", fixture("rest_symbolAdlRisk_LTCUSDT"), lambda b: rest.adl_risk(b, S)),
    ("time", {"serverTime": 1_795_000_000_000}, rest.server_time_ms),
    ("tiers", fixture("rest_leverageBracket_LTCUSDT"), lambda b: rest.tiers(b, S)),
    ("fees", samples.COMMISSION, lambda b: rest.fees(b, S)),
    ("intervals", samples.FUNDING_INFO, lambda b: rest.funding_interval_h(b, S)),
    ("contract", samples.EXCHANGE_INFO, contract),
    ("order", fixture("rest_order_ack_IOC_LTCUSDT"), lambda b: account.order_report(b, S)),
    ("open orders", [fixture("rest_order_ack_IOC_LTCUSDT")], lambda b: account.open_orders(b, S)),
    ("stops", [samples.ALGO], lambda b: account.stops(b, S)),
    ("account", samples.ACCOUNT_CONFIG, the_account(0)),
    ("configuration", samples.SYMBOL_CONFIG, the_account(1)),
    ("positions", samples.POSITIONS, the_account(2)),
    ("balances", samples.BALANCES, the_account(3)),
    ("permissions", samples.RESTRICTIONS, account.may_withdraw),
    ("listen key", {"listenKey": "k" * 64}, account.listen_key),
    ("ws answer", samples.WS_ANSWER, account.ws_answer),
    ("refusal", fixture("rest_errors")[0]["body"], refusal),
]  # fmt: skip


def survive(
    use: Callable[[bytes], Any], sound: list[Any], count: int, seed: int, least: float = 0.2
) -> None:
    """Feed broken messages; anything but `BadMessage` (or a wrong setup, which is one) is a bug."""
    bad = 0
    for payload in mutated([raw(value) for value in sound], count, seed):
        try:
            use(payload)
        except (BadMessage, WrongSetup):
            bad += 1
        except BaseException as error:
            pytest.fail(f"{type(error).__name__}: {error}\n{payload[:2000]!r}")
    assert bad >= least * count  # they were really broken


def test_market_messages():
    survive(market(), MARKET, int(0.4 * MUTATIONS), seed=1)


def test_user_messages():
    survive(user(), USER, int(0.3 * MUTATIONS), seed=2)


@pytest.mark.parametrize(("name", "sound", "use"), ANSWERS, ids=[name for name, _, _ in ANSWERS])
def test_answers(name, sound, use):
    # A refusal is read whatever it says, and few fields of some answers are looked at.
    least = 0.0 if name in ("refusal", "intervals") else 0.2
    survive(use, [sound], int(0.3 * MUTATIONS / len(ANSWERS)), seed=3, least=least)


def test_a_book_fed_with_broken_updates_is_sound_or_not_live():
    sync = BookSync(LocalBook(0.01))
    taken = rest.snapshot(raw(fixture("rest_depth_LTCUSDT")))
    updates = [raw(m) for m in fixture("ws_depth_sequence_LTCUSDT")["events"]]
    for payload in mutated(updates, min(3000, MUTATIONS // 30), seed=4):
        try:
            heard = wire.read_stream(payload)
            if isinstance(heard, wire.DepthUpdate):
                sync.update(heard)
                if not sync.is_live:
                    sync.snapshot(taken)
        except BadMessage:
            continue
        if sync.is_live:
            bid, ask = sync.book.best()
            assert not bid <= 0.0
            assert not ask <= 0.0

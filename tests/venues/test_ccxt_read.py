"""Ids there and back, ccxt's shapes in our words, and what its exceptions mean."""

from __future__ import annotations

import asyncio
import socket
from decimal import ROUND_DOWN, Decimal, getcontext, localcontext
from itertools import pairwise
from typing import Any

import aiohttp
import ccxt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from litehedge.errors import BadMessage, VenueDown, VenueRefused, VenueUnknown, WrongSetup
from litehedge.venues import ccxt_account, ccxt_read
from litehedge.venues.ccxt_errors import in_our_words, translated
from litehedge.venues.ccxt_facts import VENUES
from litehedge.venues.ccxt_forced import forced
from litehedge.venues.ccxt_ids import from_venue, to_venue

# --- ids ------------------------------------------------------------------------------------------

sessions = st.text(st.characters(codec="utf-8", exclude_characters="\n"), min_size=1, max_size=40)
numbers = st.integers(0, 10**9)
venues = st.sampled_from(sorted(VENUES))


@given(venues, sessions, numbers)
def test_an_id_fits_the_venue_and_comes_back_or_is_not_taken_for_another(
    name: str, session: str, number: int
) -> None:
    rule = VENUES[name].ids
    ours = f"lh-{session}-{number:06d}"
    spelt = to_venue(rule, ours)
    assert spelt == to_venue(rule, ours)
    assert from_venue(rule, spelt) in (ours, None)
    if rule.style == "hex":
        assert len(spelt) == 34
        assert int(spelt, 16) >= 0
    else:
        body = spelt.removeprefix(rule.prefix)
        assert len(body) <= rule.longest
        assert body.isascii()
        assert set("".join(c for c in body if not c.isalnum())) <= set("_-.")


@given(venues, st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=1, max_size=10), numbers)
def test_an_ordinary_id_always_comes_back(name: str, session: str, number: int) -> None:
    ours = f"lh-{session.replace('z', 'y')}-{number % 10**6:06d}"
    assert from_venue(VENUES[name].ids, to_venue(VENUES[name].ids, ours)) == ours


@given(venues, st.text(max_size=40))
def test_what_is_not_ours_is_nobodys(name: str, foreign: str) -> None:
    ours = from_venue(VENUES[name].ids, foreign)
    assert ours is None or to_venue(VENUES[name].ids, ours) == foreign


@given(venues, st.lists(st.tuples(sessions, numbers), min_size=2, max_size=2, unique=True))
def test_two_ids_are_never_one(name: str, two: list[tuple[str, int]]) -> None:
    first, second = (f"lh-{session}-{number:06d}" for session, number in two)
    if first != second:
        assert to_venue(VENUES[name].ids, first) != to_venue(VENUES[name].ids, second)


# --- orders ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("told", "status", "filled"),
    [
        ({"status": "open", "filled": 0, "amount": 20}, "open", 0),
        ({"status": "closed", "filled": 20, "amount": 20, "average": 83.0}, "filled", 2),
        ({"status": "closed", "filled": 5, "amount": 20, "average": 83.0}, "expired", 0.5),
        ({"status": "canceled", "remaining": 15, "amount": 20}, "expired", 0.5),
        ({"status": "closed"}, "open", 0),  # ended, but how? it is asked again
        ({"status": "rejected"}, "rejected", 0),
        ({"status": None}, "open", 0),
    ],
)
def test_orders(told: dict[str, Any], status: str, filled: float) -> None:
    report = ccxt_read.order_report(told, "lh-a-000001", Decimal("0.1"))
    assert (report.status, report.filled_ltc) == (status, Decimal(str(filled)))
    assert report.notional_usdt.is_nan() == (filled > 0 and "average" not in told)


def test_fees_in_coins_are_not_told() -> None:
    assert ccxt_read.fee_of({"fee": {"cost": 0.05, "currency": "USDT"}}) == Decimal("0.05")
    assert ccxt_read.fee_of({"fee": {"cost": 0.05, "currency": "BNB"}}) is None
    assert ccxt_read.fee_of({"fees": []}) is None


json_like = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=6,
)
KEYS = ["status", "filled", "amount", "remaining", "average", "timestamp", "side", "price",
        "contracts", "entryPrice", "leverage", "bids", "asks", "minNotional", "maxNotional",
        "maintenanceMarginRate", "maxLeverage"]  # fmt: skip
scalars = st.none() | st.floats() | st.integers() | st.sampled_from(
    ["1", "nan", "", "long", "buy", "closed", "open", "-1"]
)  # fmt: skip
levels = st.lists(st.lists(st.floats() | st.just("x"), max_size=3), max_size=4)


@given(st.dictionaries(st.sampled_from(KEYS), scalars), levels, levels)
@settings(max_examples=200, deadline=None)
def test_odd_shapes_are_bad_messages(told: dict[str, Any], bids: Any, asks: Any) -> None:
    for read in (
        lambda: ccxt_read.order_report(told, "a", Decimal(1)),
        lambda: ccxt_read.leg(told, Decimal(1), hedge_mode=False, leverage=1),
        lambda: ccxt_read.tiers([told, told], base_usdt=None),
        lambda: ccxt_read.trade(told, 10**18, 1.0),
        lambda: ccxt_read.book({"bids": bids, "asks": asks}, 10**18, 1.0),
    ):
        try:
            read()
        except BadMessage:
            continue


@given(json_like, venues)
def test_odd_balances_are_bad_messages(info: Any, name: str) -> None:
    try:
        assert ccxt_read.wallet(name, info).is_finite()
    except BadMessage:
        return


def test_wallets_leave_out_profit_that_is_not_realised() -> None:
    cases: dict[str, Any] = {
        "krakenfutures": {"accounts": {"flex": {"balanceValue": "1000", "portfolioValue": "1012"}}},
        "hyperliquid": {
            "marginSummary": {"accountValue": "1012"},
            "assetPositions": [{"position": {"coin": "LTC", "unrealizedPnl": "12"}}],
        },
        "bitget": [{"marginCoin": "USDT", "accountEquity": "1012", "unrealizedPL": "12"}],
        "gate": [{"total": "1000", "unrealised_pnl": "12"}],
        "kucoin": {"data": {"accountEquity": 1012, "unrealisedPNL": 12}},
        "binanceusdm": {"assets": [{"asset": "USDT", "walletBalance": "1000"}]},
        "bybit": {"result": {"list": [{"coin": [{"coin": "USDT", "walletBalance": "1000",
                                                 "equity": "1012"}]}]}},
    }  # fmt: skip
    assert {name: ccxt_read.wallet(name, info) for name, info in cases.items()} == (
        dict.fromkeys(cases, Decimal(1000))
    )


@given(st.lists(st.tuples(st.integers(1, 10**6), st.integers(1, 50)), min_size=1, max_size=6))
def test_maintenance_has_no_steps(raw: list[tuple[int, int]]) -> None:
    """At each floor the tier below and the tier above ask for the same."""
    floor, told, rate = 0, [], Decimal(0)
    for width, more in raw:
        rate += Decimal(more) / 1000
        told.append({"minNotional": floor, "maxNotional": floor + width,
                     "maintenanceMarginRate": rate, "maxLeverage": 10})  # fmt: skip
        floor += width
    rows = ccxt_read.tiers(told, base_usdt=None)
    for (*_, low, before), (at, _, _, high, after) in pairwise(rows):
        assert at * low - before == at * high - after


def test_hyperliquid_tiers_come_from_its_margin_tables() -> None:
    meta = {
        "universe": [{"name": "LTC", "maxLeverage": 10, "marginTableId": 52}],
        "marginTables": [[52, {"marginTiers": [{"lowerBound": "0.0", "maxLeverage": 10},
                                               {"lowerBound": "20000000.0", "maxLeverage": 5}]}]],
    }  # fmt: skip
    rows = ccxt_read.tiers(ccxt_account._hyperliquid_tiers(meta), base_usdt=None)
    assert [(row[2], row[3]) for row in rows] == [
        (Decimal(10), Decimal("0.05")), (Decimal(5), Decimal("0.1")),
    ]  # fmt: skip


# --- the market -----------------------------------------------------------------------------------


def test_depth_in_bands() -> None:
    told = {
        "bids": [[99.95, 10.0], [99.5, 20.0], [97.0, 30.0], [90.0, 40.0]],
        "asks": [[100.05, 1.0], [100.5, 2.0]],
        "timestamp": 1_795_000_000_000,
    }
    book = ccxt_read.book(told, 2 * 10**18, 0.1)
    assert (book.bid, book.ask) == (99.95, 100.05)
    assert book.bid_depth_near_usdt == pytest.approx(99.95)
    assert book.bid_depth_usdt == pytest.approx(99.95 + 199.0)
    assert book.bid_depth_far_usdt == pytest.approx(99.95 + 199.0 + 291.0)
    assert book.ask_depth_usdt == pytest.approx(10.005 + 20.1)
    assert book.ask_depth_far_usdt != book.ask_depth_far_usdt  # the book ends before 5 %


# --- what the venue closed of ours ----------------------------------------------------------------


def test_what_the_venue_did_is_told_apart() -> None:
    told = {"id": "7", "side": "sell", "filled": 3.5, "average": 82.0, "status": "closed",
            "timestamp": 1_795_000_000_000}  # fmt: skip

    def kind(venue: str, **info: str) -> Any:
        report = forced(venue, told | {"info": info}, Decimal(1))
        return report and report.kind

    assert kind("okx", category="full_liquidation") == "liquidation"
    assert kind("okx", category="adl") == "deleveraging"
    assert kind("okx", category="normal") is None
    assert kind("bybit", createType="CreateByLiq") == "liquidation"
    assert kind("bybit", createType="CreateByAdl_PassThrough") == "deleveraging"
    assert kind("gate", finish_as="auto_deleveraged") == "deleveraging"
    assert kind("gate", finish_as="liquidated") == "liquidation"
    assert kind("gate", finish_as="filled") is None
    report = forced("okx", told | {"info": {"category": "adl", "posSide": "long"}}, Decimal(1))
    assert report is not None
    assert (report.qty_ltc, report.position_side) == (Decimal("-3.5"), "long")


# --- what exceptions mean -------------------------------------------------------------------------


def caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "placing", "asking"),
    [
        (ccxt.RequestTimeout("x"), VenueUnknown, VenueDown),
        (ccxt.ExchangeNotAvailable("503"), VenueUnknown, VenueDown),
        (caused(ccxt.ExchangeNotAvailable("x"), aiohttp.ServerDisconnectedError()),
         VenueUnknown, VenueDown),
        (caused(ccxt.ExchangeNotAvailable("x"), socket.gaierror("no host")), VenueDown, VenueDown),
        (caused(ccxt.ExchangeNotAvailable("x"), aiohttp.ClientOSError(104, "reset while sending")),
         VenueUnknown, VenueDown),
        (ccxt.OnMaintenance("x"), VenueDown, VenueDown),
        (ccxt.RateLimitExceeded("x"), VenueDown, VenueDown),
        (ccxt.DDoSProtection("x"), VenueDown, VenueDown),
        (ccxt.BadResponse("x"), VenueUnknown, VenueDown),
        (KeyError("ccxt stumbled"), VenueUnknown, VenueDown),
        (ccxt.ExchangeError("x"), VenueUnknown, VenueRefused),
        (ccxt.DuplicateOrderId("x"), VenueUnknown, VenueRefused),
        (ccxt.InvalidOrder('{"code":"40786","msg":"Duplicate clientOid"}'), VenueUnknown,
         VenueRefused),
        (ccxt.InvalidOrder("x"), VenueRefused, VenueRefused),
        (ccxt.InsufficientFunds("x"), VenueRefused, VenueRefused),
        (ccxt.MarketClosed("x"), VenueRefused, VenueRefused),
        (ccxt.AuthenticationError("x"), WrongSetup, WrongSetup),
        (ccxt.PermissionDenied("x"), WrongSetup, WrongSetup),
        (ccxt.InvalidNonce("x"), WrongSetup, WrongSetup),
        (ccxt.BadSymbol("x"), WrongSetup, WrongSetup),
        (ccxt.NotSupported("x"), WrongSetup, WrongSetup),
    ],
)  # fmt: skip
def test_exceptions(error: Exception, placing: type, asking: type) -> None:
    place = in_our_words(error, "okx", "order x", changes=True, places=True)
    assert type(place) is placing
    assert type(in_our_words(error, "okx", "asking", changes=False, places=False)) is asking


def test_addresses_lose_their_queries() -> None:
    url = "https://host/api?apiKey=K&signature=S3CR3T&timestamp=1"
    told = in_our_words(
        ccxt.RequestTimeout(f"okx GET {url}"), "okx", "x", changes=False, places=False
    )
    assert "S3CR3T" not in str(told)
    assert "host/api" in str(told)


def test_ccxt_does_not_change_our_decimals() -> None:
    """It sets rounding and traps of the context that it finds."""

    async def play() -> str:
        exchange = ccxt.okx()
        with translated("okx", "x"):
            exchange.decimal_to_precision("1.25", 1, 1, 2)
            assert getcontext().rounding != ROUND_DOWN
        return getcontext().rounding

    with localcontext() as ours:
        ours.rounding = ROUND_DOWN
        assert asyncio.run(play()) == ROUND_DOWN


# --- Kraken forgets orders after five seconds -----------------------------------------------------


def test_an_order_that_kraken_forgot_is_found_by_its_fills() -> None:
    class Kraken:
        async def fetch_orders(self, *_: Any) -> list[Any]:
            return []

        async def fetch_my_trades(self, *_: Any) -> list[Any]:
            ours = {"info": {"cliOrdId": "lh-a-000001"}, "timestamp": 1_795_000_000_000}
            return [
                ours | {"amount": 1.0, "price": 83.0}, ours | {"amount": 0.5, "price": 82.0},
                {"info": {"cliOrdId": "other"}, "amount": 9.0, "price": 1.0},
            ]  # fmt: skip

    async def play(client_id: str) -> Any:
        venue = VENUES["krakenfutures"]
        return await ccxt_account.order(venue, Kraken(), client_id, Decimal(1))

    found = asyncio.run(play("lh-a-000001"))
    assert (found.status, found.filled_ltc) == ("expired", Decimal("1.5"))
    assert found.notional_usdt == Decimal("124.0")
    assert asyncio.run(play("lh-a-000002")).status == "missing"

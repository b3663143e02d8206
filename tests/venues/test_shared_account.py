"""What else an account holds, and whose orders are cancelled, on every kind of client."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import pytest
from binance_samples import POSITIONS
from binance_stub import KEYS, stub
from fake_okx import DATA, POSITION, FakeOkx
from hypothesis import given
from hypothesis import strategies as st

from litehedge.live.checks import (
    MOST_SHARED,
    MOVE,
    account_checks,
    at_stake_usdt,
    foreign_orders_checks,
    sharing_checks,
)
from litehedge.orders.manager import is_ours
from litehedge.orders.reports import AccountReport, OtherPosition
from litehedge.venues.binance import BinanceClient
from litehedge.venues.bybit_account import others_of
from litehedge.venues.ccxt_facts import VENUES
from litehedge.venues.ccxt_ids import from_venue, is_hashed, to_venue
from litehedge.venues.ccxt_venue import CcxtClient
from litehedge.venues.keys import Keys

BTC: dict[str, Any] = {
    "symbol": "BTCUSDT", "positionSide": "LONG", "positionAmt": "0.5", "entryPrice": "90000",
    "notional": "44500", "maintMargin": "178", "unRealizedProfit": "-500", "marginAsset": "USDT",
}  # fmt: skip


def test_binance_tells_what_else_shares_the_wallet():
    rows = [
        *POSITIONS, BTC,
        BTC | {"symbol": "ETHUSDT", "isolatedWallet": "100"},
        BTC | {"symbol": "BTCUSDC", "marginAsset": "USDC"},
        BTC | {"symbol": "XRPUSDT", "positionAmt": "0"},
    ]  # fmt: skip

    async def main():
        async with stub() as venue:
            venue.on("GET", "/fapi/v3/positionRisk", 200, rows)
            client = BinanceClient(KEYS, hosts=venue.hosts)
            await client.open()
            try:
                report = await client.account()
            finally:
                await client.close()
            asked = [params for _, path, params in venue.asked if path.endswith("positionRisk")]
            assert "symbol" not in asked[-1]
        [btc, eth] = report.others
        assert (btc.symbol, btc.qty, btc.isolated) == ("BTCUSDT", Decimal("0.5"), False)
        assert eth.isolated
        assert [leg.qty_ltc for leg in report.legs if leg.qty_ltc] == [Decimal(-6)]
        assert at_stake_usdt(report) == 178 + 500 + MOVE * 44500

    asyncio.run(main())


def test_bybit_tells_what_else_shares_the_wallet():
    payload = b"""{"list": [
        {"symbol": "LTCUSDT", "side": "Buy", "size": "100", "positionValue": "8410"},
        {"symbol": "BTCUSDT", "side": "Sell", "size": "0.2", "positionValue": "18000",
         "positionMM": "90.5", "unrealisedPnl": "-12.5"},
        {"symbol": "ETHUSDT", "side": "", "size": "0"}], "nextPageCursor": ""}"""
    [other] = others_of(payload, "LTCUSDT", isolated=False)
    assert other == OtherPosition(
        "BTCUSDT", Decimal("-0.2"), Decimal(18000), Decimal("90.5"), Decimal("-12.5")
    )


def test_ccxt_tells_what_else_shares_the_wallet(monkeypatch):
    others = [
        POSITION,
        POSITION | {"instId": "BTC-USDT-SWAP", "pos": "2", "notionalUsd": "1800", "mmr": "9"},
    ]
    instrument = DATA["/api/v5/public/instruments"][0]
    btc = instrument | {"instId": "BTC-USDT-SWAP", "uly": "BTC-USDT", "instFamily": "BTC-USDT",
                        "ctVal": "0.01", "ctValCcy": "BTC"}  # fmt: skip
    monkeypatch.setitem(DATA, "/api/v5/account/positions", others)
    for path in ("/api/v5/public/instruments", "/api/v5/account/instruments"):
        monkeypatch.setitem(DATA, path, [instrument, btc])

    async def main():
        async with FakeOkx() as fake:
            keys = Keys("okx", "k", "s", "p")
            client = CcxtClient("okx", keys, rewrite=fake.rewrite)
            await client.open()
            try:
                report = await client.account()
            finally:
                await client.close()
        assert [leg.qty_ltc for leg in report.legs] == [Decimal("-3.5")]
        [other] = report.others
        assert (other.symbol, other.notional_usdt) == ("BTC/USDT:USDT", Decimal(1800))

    asyncio.run(main())


amounts = st.decimals(0, 10**6, places=2)
somebody = st.builds(
    OtherPosition, st.just("BTCUSDT"), st.decimals(-10, 10, places=3), amounts, amounts,
    st.decimals(-(10**5), 10**5, places=2), st.booleans(),
)  # fmt: skip


@given(st.decimals(1, 10**6, places=2), st.lists(somebody, max_size=4))
def test_more_than_the_stated_share_is_a_fault_and_less_is_a_note(wallet, others):
    report = AccountReport(0, wallet, [], True, others=others)
    sharing = [one for one in others if not one.isolated]
    checks = sharing_checks(report)
    assert bool(checks) == bool(sharing)
    if checks:
        [check] = checks
        is_much = at_stake_usdt(report) > MOST_SHARED * float(wallet)
        assert check.outcome == ("fault" if is_much else "note")
        assert "BTCUSDT" in check.what
        assert check in account_checks(report, [])
    alone = AccountReport(0, wallet, [], True, others=[o for o in others if o.isolated])
    assert at_stake_usdt(alone) == 0.0


def test_binance_cancels_our_orders_and_leaves_the_others():
    async def main():
        async with stub() as venue:
            names = ("lh-a-000001", "web_x", "lhs-long-1", "lh-b-000007")
            venue.open = [{"symbol": "LTCUSDT", "clientOrderId": name} for name in names]
            client = BinanceClient(KEYS, hosts=venue.hosts)
            await client.open()
            try:
                await client.cancel_all()
                assert await client.open_orders() == ["web_x", "lhs-long-1"]
                await client.cancel_all()
            finally:
                await client.close()
            assert venue.count("DELETE", "/fapi/v1/order") == 2
            assert venue.count("DELETE", "/fapi/v1/allOpenOrders") == 0

    asyncio.run(main())


@pytest.mark.parametrize("name", VENUES)
@given(st.text(max_size=40), st.integers(0, 10**6))
def test_an_order_of_ours_is_known_by_its_id_on_every_venue(name, session, number):
    rule = VENUES[name].ids
    spelt = to_venue(rule, f"lh-{session}-{number:06d}")
    assert is_hashed(rule, spelt) or is_ours(from_venue(rule, spelt) or "")
    for foreign in ("web_1", "", "0x" + "ab" * 16):
        assert not is_hashed(rule, foreign)
        assert from_venue(rule, foreign) is None


def test_people_are_told_of_orders_that_are_not_ours():
    assert foreign_orders_checks([]) == []
    [check] = foreign_orders_checks(["web_1", "web_2", "web_3", "web_4"])
    assert check.outcome == "note"
    assert "4 open orders" in check.what

"""ccxt runs on the fake exchange with nothing changed but its host names."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from conftest import run, to_loopback
from litehedge.exchange.faults import Fault
from litehedge.exchange.scene import Scripted
from litehedge.exchange.server import FakeExchange

LTC = "LTC/USDT:USDT"
SCENE = Scripted(liquidations=((3, "long", 152.3, 83.05), (4, "short", 20.0, 85.0)))

LINEAR = {"options": {"fetchMarkets": {"types": ["linear"]}, "defaultType": "swap"}}


@pytest.fixture(scope="module")
def ccxt() -> Any:
    """Importing ccxt is slow: once is enough."""
    import ccxt.pro

    return ccxt.pro


def hosts(urls: Any) -> set[str]:
    """Return the hosts of all addresses in a tree."""
    if isinstance(urls, dict):
        return {host for value in urls.values() for host in hosts(value)}
    return {urls.split("/")[2].split(":")[0]}


def with_ccxt(client: Any, fake: FakeExchange, work: Callable[[Any], Awaitable[None]]) -> None:
    """Run something with a ccxt client on the fake."""

    async def inside() -> None:
        async with fake:
            client.urls["api"] = to_loopback(client.urls["api"], fake)
            assert hosts(client.urls["api"]) == {"127.0.0.1"}
            client.has["fetchCurrencies"] = False
            try:
                await client.load_markets()
                await work(client)
            finally:
                await client.close()

    run(inside())


async def hear(fake: FakeExchange, told: Awaitable[Any], seconds: float = 0.5) -> Any:
    """Let market time pass until a watcher is told something."""
    task = asyncio.ensure_future(told)
    for _ in range(100):
        await fake.advance(seconds)
        done, _ = await asyncio.wait({task}, timeout=0.05)
        if done:
            return task.result()
    task.cancel()
    raise AssertionError("nothing was told")


def test_binance_orders_positions_and_tiers(ccxt: Any) -> None:
    fake = FakeExchange()

    async def work(client: Any) -> None:
        sell = {"timeInForce": "IOC", "positionSide": "SHORT", "newClientOrderId": "lh-1"}
        order = await client.create_order(LTC, "limit", "sell", 2, 83.9, sell)
        assert order["clientOrderId"] == "lh-1"
        order = await client.fetch_order("", LTC, {"origClientOrderId": "lh-1"})
        assert (order["status"], order["filled"]) == ("closed", 2.0)
        (position,) = await client.fetch_positions([LTC])
        assert (position["side"], position["contracts"]) == ("short", 2.0)
        assert position["liquidationPrice"] > 84
        rest = {"positionSide": "LONG", "newClientOrderId": "lh-2"}
        order = await client.create_order(LTC, "limit", "buy", 1, 82.0, rest)
        assert [o["clientOrderId"] for o in await client.fetch_open_orders(LTC)] == ["lh-2"]
        await client.cancel_order(order["id"], LTC)
        tiers = (await client.fetch_leverage_tiers([LTC]))[LTC]
        assert [tier["maxLeverage"] for tier in tiers][:3] == [75, 50, 40]
        assert (await client.fetch_funding_rate(LTC))["fundingRate"] == 0.0001
        balance = (await client.fetch_balance())["USDT"]["total"]
        assert balance == pytest.approx(float(fake.truth().wallet_usdt), abs=0.1)
        fake.faults.next(Fault.UNKNOWN_DONE, match="POST /fapi/v1/order")
        with pytest.raises(ccxt.ExchangeNotAvailable):
            await client.create_order(
                LTC, "limit", "sell", 1, 83.9, sell | {"newClientOrderId": "u"}
            )
        done = await client.fetch_order("", LTC, {"origClientOrderId": "u"})
        assert done["status"] == "closed"

    with_ccxt(ccxt.binanceusdm({"apiKey": "key", "secret": "secret"}), fake, work)


def test_binance_refuses_a_wrong_secret(ccxt: Any) -> None:
    async def work(client: Any) -> None:
        with pytest.raises(Exception, match="-1022"):
            await client.fetch_balance()

    with_ccxt(ccxt.binanceusdm({"apiKey": "key", "secret": "wrong"}), FakeExchange(), work)


def test_binance_streams(ccxt: Any) -> None:
    fake = FakeExchange(SCENE)

    async def work(client: Any) -> None:
        book = await hear(fake, client.watch_order_book(LTC), 0.1)
        for _ in range(5):
            book = await hear(fake, client.watch_order_book(LTC), 0.1)
        mine = fake.binance.matching.book
        await asyncio.sleep(0.05)
        assert [ticks for ticks, _ in book["bids"][:3]] == [
            ticks / 100 for ticks in sorted(mine.bids, reverse=True)[:3]
        ]
        assert (await hear(fake, client.watch_liquidations(LTC)))[0]["info"]["s"] == "LTCUSDT"
        assert (await hear(fake, client.watch_trades(LTC)))[0]["amount"] > 0

        async def trade() -> Any:
            told = asyncio.ensure_future(client.watch_orders(LTC))
            for number in range(50):
                await asyncio.sleep(0.05)
                sell = {
                    "timeInForce": "IOC",
                    "positionSide": "SHORT",
                    "newClientOrderId": f"o{number}",
                }
                await client.create_order(LTC, "limit", "sell", 1, 83.9, sell)
                if (await asyncio.wait({told}, timeout=0.1))[0]:
                    return told.result()
            raise AssertionError("no order was told")

        assert (await trade())[0]["symbol"] == LTC

    with_ccxt(ccxt.binanceusdm({"apiKey": "key", "secret": "secret"}), fake, work)


def test_bybit_orders_positions_and_tiers(ccxt: Any) -> None:
    fake = FakeExchange(venues=("bybit",), hedge_mode=False)

    async def work(client: Any) -> None:
        sell = {"timeInForce": "IOC", "clientOrderId": "lh-1"}
        made = await client.create_order(LTC, "limit", "sell", 2, 83.9, sell)
        order = await client.fetch_order(made["id"], LTC, {"acknowledged": True})
        assert (order["status"], order["filled"], order["clientOrderId"]) == ("closed", 2.0, "lh-1")
        (position,) = await client.fetch_positions([LTC])
        assert (position["side"], position["contracts"]) == ("short", 2.0)
        made = await client.create_order(LTC, "limit", "buy", 1, 82.0, {"clientOrderId": "lh-2"})
        assert [o["clientOrderId"] for o in await client.fetch_open_orders(LTC)] == ["lh-2"]
        await client.cancel_order(made["id"], LTC)
        assert await client.fetch_open_orders(LTC) == []
        tiers = await client.fetch_market_leverage_tiers(LTC)
        assert tiers[0]["maxLeverage"] == 75
        assert (await client.fetch_funding_rate(LTC))["fundingRate"] == 0.0001
        balance = (await client.fetch_balance())["USDT"]["total"]
        assert balance == pytest.approx(float(fake.truth("bybit").wallet_usdt), abs=0.1)

    with_ccxt(ccxt.bybit({"apiKey": "key", "secret": "secret"} | LINEAR), fake, work)


def test_bybit_refuses_a_wrong_secret(ccxt: Any) -> None:
    async def work(client: Any) -> None:
        with pytest.raises(ccxt.AuthenticationError):
            await client.fetch_balance()

    client = ccxt.bybit({"apiKey": "key", "secret": "wrong"} | LINEAR)
    with_ccxt(client, FakeExchange(venues=("bybit",)), work)


def test_bybit_streams(ccxt: Any) -> None:
    liquidated = tuple((second, "long", 152.3, 83.05) for second in range(1, 200))
    fake = FakeExchange(Scripted(liquidations=liquidated), venues=("bybit",), hedge_mode=False)

    async def work(client: Any) -> None:
        for _ in range(5):
            book = await hear(fake, client.watch_order_book(LTC), 0.1)
        mine = fake.bybit.matching.book
        assert len(book["bids"]) > 10
        assert book["bids"][0][0] == max(mine.bids) / 100
        assert (await hear(fake, client.watch_liquidations(LTC)))[0]["info"]["S"] == "Buy"
        assert (await hear(fake, client.watch_trades(LTC)))[0]["amount"] > 0
        told = asyncio.ensure_future(client.watch_orders(LTC))
        for number in range(50):
            sell = {"timeInForce": "IOC", "clientOrderId": f"o{number}"}
            await client.create_order(LTC, "limit", "sell", 1, 83.9, sell)
            if (await asyncio.wait({told}, timeout=0.1))[0]:
                break
        assert told.result()[0]["symbol"] == LTC
        ws = {"timeInForce": "IOC", "clientOrderId": "ws"}
        await client.create_order_ws(LTC, "limit", "sell", 1, 83.9, ws)
        assert fake.truth("bybit").order("ws") is not None

    with_ccxt(ccxt.bybit({"apiKey": "key", "secret": "secret"} | LINEAR), fake, work)

"""Bybit's words: who may ask, what is refused and how, what the streams tell, what goes wrong."""

from __future__ import annotations

import json
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from conftest import heard, run
from litehedge.exchange.access import sign
from litehedge.exchange.faults import Fault
from litehedge.exchange.scene import Scripted
from litehedge.exchange.server import FakeExchange

FIXTURES = Path(__file__).parents[1] / "fixtures" / "venues"
CREATE = "/v5/order/create"


def fixture(name: str) -> Any:
    return json.loads((FIXTURES / f"bybit_ws_{name}_LTCUSDT.json").read_text())


class Bybit:
    """Asks as Bybit's documentation says."""

    def __init__(self, fake: FakeExchange, session: aiohttp.ClientSession) -> None:
        self.fake, self.session = fake, session

    async def ask(
        self, path: str, body: dict[str, Any] | None = None, *, query: str = "",
        secret: str = "secret", ahead_ms: int = 0,
    ) -> Any:  # fmt: skip
        at = str(int(time.time() * 1000) + ahead_ms)
        text = query if body is None else json.dumps(body)
        headers = {
            "X-BAPI-API-KEY": "key", "X-BAPI-TIMESTAMP": at, "X-BAPI-RECV-WINDOW": "5000",
            "X-BAPI-SIGN": sign(secret, f"{at}key5000{text}"), "Content-Type": "application/json",
        }  # fmt: skip
        url = f"{self.fake.url}{path}" + (f"?{query}" if query else "")
        method, data = ("GET", None) if body is None else ("POST", text)
        async with self.session.request(method, url, headers=headers, data=data) as response:
            return await response.json()

    async def order(self, link: str, **changes: Any) -> Any:
        body = {
            "category": "linear", "symbol": "LTCUSDT", "side": "Sell", "orderType": "Limit",
            "qty": "2", "price": "83.90", "timeInForce": "IOC", "orderLinkId": link,
            "positionIdx": 2,
        }  # fmt: skip
        return await self.ask(CREATE, body | changes)

    async def socket(self, path: str, *topics: str) -> aiohttp.ClientWebSocketResponse:
        socket = await self.session.ws_connect(self.fake.ws_url + path)
        if path != "/v5/public/linear":
            expires = str(int(time.time() * 1000) + 10_000)
            args = ["key", expires, sign("secret", f"GET/realtime{expires}")]
            await socket.send_json({"op": "auth", "args": args})
            told = await socket.receive_json(timeout=5)
            assert told.get("success", told.get("retCode") == 0)
        if topics:
            await socket.send_json({"op": "subscribe", "args": list(topics)})
            assert (await socket.receive_json(timeout=5))["success"]
        return socket


def with_bybit(fake: FakeExchange, work: Any) -> None:
    async def inside() -> None:
        async with fake, aiohttp.ClientSession() as session:
            await work(Bybit(fake, session))

    run(inside())


@pytest.fixture
def bybit() -> FakeExchange:
    return FakeExchange(venues=("bybit",))


def test_signatures_and_times_are_checked(bybit: FakeExchange) -> None:
    async def work(client: Bybit) -> None:
        path = "/v5/account/wallet-balance"
        assert (await client.ask(path, query="accountType=UNIFIED"))["retCode"] == 0
        assert (await client.ask(path, secret="wrong"))["retCode"] == 10004
        assert (await client.ask(path, ahead_ms=-6_000))["retCode"] == 10002
        assert (await client.ask(path, ahead_ms=2_000))["retCode"] == 10002

    with_bybit(bybit, work)


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"symbol": "XYZUSDT"}, 10001),
        ({"positionIdx": 0}, 10001),
        ({"qty": "1.05"}, 10001),
        ({"qty": "many"}, 10001),
        ({"price": "83.905"}, 10001),
        ({"price": "70"}, 110003),
        ({"qty": "0.0"}, 10001),
        ({"side": "Buy", "positionIdx": 2, "reduceOnly": True, "price": "84.5"}, 110017),
        ({"qty": "2500"}, 110007),
    ],
)
def test_wrong_orders_are_refused_by_code(
    bybit: FakeExchange, wrong: dict[str, Any], code: int
) -> None:
    async def work(client: Bybit) -> None:
        assert (await client.order("x", **wrong))["retCode"] == code
        assert bybit.truth("bybit").orders == ()

    with_bybit(bybit, work)


def test_an_order_is_only_accepted_and_the_topics_tell_the_rest(bybit: FakeExchange) -> None:
    async def work(client: Bybit) -> None:
        private = await client.socket("/v5/private", "order", "execution", "position", "wallet")
        made = await client.order("lh-1")
        assert set(made["result"]) == {"orderId", "orderLinkId"}
        told = await heard(private)
        assert [m["topic"] for m in told] == [
            "order", "execution", "order", "position", "wallet",
        ]  # fmt: skip
        assert [m["data"][0]["orderStatus"] for m in told if m["topic"] == "order"] == [
            "New", "Filled",
        ]  # fmt: skip
        position = next(m for m in told if m["topic"] == "position")["data"][0]
        assert (position["positionIdx"], position["side"], position["size"]) == (2, "Sell", "2.0")
        again = await client.order("lh-1")
        assert again["retCode"] == 110072  # a link id serves once, also when its order has ended
        query = "category=linear&symbol=LTCUSDT&orderLinkId=lh-1"
        (row,) = (await client.ask("/v5/order/realtime", query=query))["result"]["list"]
        assert (row["orderStatus"], row["cumExecQty"]) == ("Filled", "2.0")
        none = await client.ask("/v5/order/realtime", query="category=linear&orderLinkId=no")
        assert none["result"]["list"] == []
        await private.close()

    with_bybit(bybit, work)


def test_whoever_follows_the_deltas_has_the_book(bybit: FakeExchange) -> None:
    async def work(client: Bybit) -> None:
        socket = await client.socket("/v5/public/linear", "orderbook.50.LTCUSDT")
        await bybit.advance(2.0)
        await client.order("eats", qty="30")
        await bybit.advance(1.0)
        first, *deltas = await heard(socket)
        assert first.keys() == fixture("orderbook50_snapshot").keys()
        assert deltas[0].keys() == fixture("orderbook50_delta").keys()
        number = first["data"]["u"]
        sides = {side: dict(first["data"][side]) for side in "ba"}
        for delta in deltas:
            assert (delta["type"], delta["data"]["u"]) == ("delta", number + 1)
            number += 1
            for side, levels in sides.items():
                levels.update(delta["data"][side])
                sides[side] = {price: size for price, size in levels.items() if size != "0"}
        book, lot = bybit.bybit.matching.book, Decimal("0.1")
        for side, mine in (("b", book.bids), ("a", book.asks)):
            true = {f"{ticks / 100:.2f}": f"{lots * lot:.1f}" for ticks, lots in mine.items()}
            assert sides[side] == true
        await socket.close()

    with_bybit(bybit, work)


def test_every_liquidation_is_told_by_the_side_of_the_position() -> None:
    closed = ((1, "long", 152.3, 82.40), (1, "long", 10.0, 82.31), (1, "short", 1.0, 83.0))
    fake = FakeExchange(Scripted(liquidations=closed), venues=("bybit", "binance"))

    async def work(client: Bybit) -> None:
        topics = ("allLiquidation.LTCUSDT", "publicTrade.LTCUSDT", "tickers.LTCUSDT")
        socket = await client.socket("/v5/public/linear", *topics)
        await fake.advance(1.0)
        told = {m["topic"].split(".")[0]: m for m in await heard(socket)}
        rows = told["allLiquidation"]["data"]
        assert [(row["S"], row["v"]) for row in rows] == [
            ("Buy", "152.3"), ("Buy", "10.0"), ("Sell", "1.0"),
        ]  # fmt: skip
        assert told["allLiquidation"].keys() == fixture("allLiquidation").keys()
        assert rows[0].keys() == fixture("allLiquidation")["data"][0].keys()
        assert told["publicTrade"]["data"][0].keys() == fixture("publicTrade")["data"][0].keys()
        await socket.send_json({"op": "ping", "req_id": "7"})
        pong = await socket.receive_json(timeout=5)
        assert (pong["ret_msg"], pong["req_id"]) == ("pong", "7")
        await socket.send_json({"op": "subscribe", "args": ["liquidation.LTCUSDT"]})
        assert (await socket.receive_json(timeout=5))["success"] is False
        await socket.close()

    with_bybit(fake, work)


def test_a_stop_of_a_leg_is_replaced_and_removed(bybit: FakeExchange) -> None:
    async def work(client: Bybit) -> None:
        stop = {"category": "linear", "symbol": "LTCUSDT", "positionIdx": 2, "stopLoss": "90",
                "slTriggerBy": "MarkPrice", "tpslMode": "Full"}  # fmt: skip
        path = "/v5/position/trading-stop"
        assert (await client.ask(path, stop))["retCode"] == 10001  # nothing is held
        await client.order("lh-1")
        for price in ("90", "89"):
            assert (await client.ask(path, stop | {"stopLoss": price}))["retCode"] == 0
        assert [str(a.trigger_usdt) for a in bybit.bybit.open_algos()] == ["89"]
        assert (await client.ask(path, stop | {"stopLoss": "0"}))["retCode"] == 0
        assert bybit.bybit.open_algos() == []

    with_bybit(bybit, work)


def test_a_conditional_order_waits_is_listed_and_closes_its_quantity(bybit: FakeExchange) -> None:
    async def work(client: Bybit) -> None:
        await client.order("lh-1")  # opens the short leg
        stop = {
            "category": "linear", "symbol": "LTCUSDT", "positionIdx": 2, "side": "Buy",
            "orderType": "Market", "qty": "1.0", "triggerPrice": "90", "triggerDirection": 1,
            "triggerBy": "MarkPrice", "reduceOnly": True, "orderLinkId": "lhs-short-1",
        }  # fmt: skip
        path = "/v5/order/create"
        assert (await client.ask(path, stop | {"triggerDirection": 2}))["retCode"] == 10001
        assert (await client.ask(path, stop | {"triggerPrice": "70"}))["retCode"] == 10001
        for name in ("lhs-short-1", "lhs-short-2"):
            assert (await client.ask(path, stop | {"orderLinkId": name}))["retCode"] == 0
        gone = {"category": "linear", "symbol": "LTCUSDT", "orderLinkId": "lhs-short-2"}
        assert (await client.ask("/v5/order/cancel", gone))["retCode"] == 0
        query = "category=linear&symbol=LTCUSDT&orderFilter=StopOrder"
        only = await client.ask("/v5/order/realtime", query=query)
        [row] = only["result"]["list"]
        assert (row["orderLinkId"], row["orderStatus"]) == ("lhs-short-1", "Untriggered")
        assert (row["qty"], row["triggerPrice"], row["stopOrderType"]) == ("1.0", "90.00", "Stop")
        query = "category=linear&symbol=LTCUSDT&orderLinkId=lhs-short-2"
        assert (await client.ask("/v5/order/realtime", query=query))["result"]["list"] == []

    with_bybit(bybit, work)


@pytest.mark.parametrize(
    ("fault", "code", "is_done"),
    [
        (Fault.UNKNOWN_DONE, 10000, True),
        (Fault.UNKNOWN_NOT_DONE, 10000, False),
        (Fault.TOO_MANY, 10006, False),
        (Fault.SKEW, 10002, False),
        (Fault.REFUSED, 10016, False),
    ],
)
def test_requests_fail_as_they_fail_there(
    bybit: FakeExchange, fault: Fault, code: int, is_done: bool
) -> None:
    bybit.faults.next(fault, match=CREATE)

    async def work(client: Bybit) -> None:
        assert (await client.order("lh-1"))["retCode"] == code
        assert (bybit.truth("bybit").order("lh-1") is not None) == is_done

    with_bybit(bybit, work)


def test_liquidation_and_deleveraging_are_told_as_executions(bybit: FakeExchange) -> None:
    async def work(client: Bybit) -> None:
        await client.order("lh-1", qty="10")
        private = await client.socket("/v5/private", "execution", "order")
        bybit.faults.next(Fault.DELEVERAGE, side="short", share=0.5)
        await bybit.advance(1.0)
        bybit.faults.next(Fault.LIQUIDATE)
        await bybit.advance(1.0)
        told = [m["data"][0] for m in await heard(private) if m["topic"] == "execution"]
        assert [row["execType"] for row in told] == ["AdlTrade", "BustTrade"]
        assert told[0]["execQty"] == "5.0"
        # Without a clearance fee a part is enough: the venue closes what its tiers demand.
        left = -5 + Decimal(told[1]["execQty"])
        assert bybit.truth("bybit").qty_ltc("short") == left > -5
        await private.close()

    with_bybit(bybit, work)

"""Binance's words: who may ask, what is refused and how, what the streams tell."""

from __future__ import annotations

import json
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from conftest import at_work, heard, run
from litehedge.exchange.access import Key, sign
from litehedge.exchange.scene import Scripted
from litehedge.exchange.server import FakeExchange

FIXTURES = Path(__file__).parents[1] / "fixtures" / "venues"


def shape(value: Any) -> Any:
    """Return names and kinds of a message, without its numbers."""
    if isinstance(value, dict):
        return {name: shape(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [shape(inner) for inner in value[:1]]
    return type(value).__name__


def fixture(name: str) -> Any:
    return json.loads((FIXTURES / f"{name}.json").read_text())


def test_the_clock_and_the_rules_need_no_key(fake: FakeExchange) -> None:
    async def work() -> None:
        async with at_work(fake) as client:
            _, told = await client.plain("GET", "/fapi/v1/time")
            assert abs(told["serverTime"] - time.time() * 1000) < 5_000
            _, info = await client.plain("GET", "/fapi/v1/exchangeInfo")
            rules = {f["filterType"]: f for f in info["symbols"][0]["filters"]}
            assert rules["MIN_NOTIONAL"]["notional"] == "20"
            assert rules["PRICE_FILTER"]["tickSize"] == "0.01"
            assert (await client.plain("GET", "/fapi/v1/nothing"))[0] == 404

    run(work())


@pytest.mark.parametrize(
    ("keys", "code"),
    [
        ({"secret": "wrong"}, -1022),
        ({"key": "nobody"}, -2015),
        ({"key": ""}, -2014),
        ({"ahead_ms": 2_000}, -1021),
        ({"ahead_ms": -6_000}, -1021),
        ({"ahead_ms": -6_000, "recvWindow": 10_000}, None),
        ({"recvWindow": 70_000}, -1131),
        ({}, None),
    ],
)
def test_signatures_and_times_are_checked(
    fake: FakeExchange, keys: dict[str, Any], code: int | None
) -> None:
    async def work() -> None:
        async with at_work(fake) as client:
            status, told = await client.ask("GET", "/fapi/v3/balance", **keys)
            assert (status, told if code is None else told["code"]) == (
                (200, told) if code is None else (400 if code not in (-2015, -2014) else 401, code)
            )

    run(work())


def test_the_signature_covers_every_byte(fake: FakeExchange) -> None:
    async def work() -> None:
        async with at_work(fake) as client:
            query = f"symbol=LTCUSDT&timestamp={int(time.time() * 1000)}"
            good = sign("secret", query)
            headers = {"X-MBX-APIKEY": "key"}
            path = "/fapi/v1/openOrders?"
            assert (await client.plain("GET", f"{path}{query}&signature={good}", headers))[0] == 200
            swapped = "&".join(reversed(query.split("&")))
            status, told = await client.plain("GET", f"{path}{swapped}&signature={good}", headers)
            assert (status, told["code"]) == (400, -1022)

    run(work())


ORDERS: list[tuple[dict[str, Any], int]] = [
    ({"symbol": "XYZUSDT"}, -1121),
    ({"positionSide": "BOTH"}, -4061),
    ({"reduceOnly": "true"}, -1106),
    ({"quantity": "1.0001"}, -1111),
    ({"quantity": "0"}, -4003),
    ({"quantity": "30000"}, -4005),
    ({"price": "84.005"}, -4014),
    ({"price": "84.0050001"}, -1111),
    ({"price": "79.00"}, -4024),
    ({"quantity": "0.1"}, -4164),
    ({"quantity": "3000"}, -2019),
    ({"quantity": "20000"}, -2027),
    ({"type": "STOP_MARKET"}, -4120),
    ({"type": "OTHER"}, -1116),
    ({"timeInForce": "XXX"}, -1115),
    ({"newClientOrderId": "a b"}, -4015),
    ({"side": "SIDEWAYS"}, -1117),
    ({"timeInForce": "FOK", "quantity": "2000"}, -5021),
    ({"timeInForce": "GTX"}, -5022),
    ({"positionSide": "LONG"}, -2022),
    ({"quantity": ""}, -1102),
]  # fmt: skip


@pytest.mark.parametrize(("wrong", "code"), ORDERS)
def test_wrong_orders_are_refused_by_code(
    fake: FakeExchange, wrong: dict[str, Any], code: int
) -> None:
    right = {
        "symbol": "LTCUSDT", "side": "SELL", "positionSide": "SHORT", "type": "LIMIT",
        "timeInForce": "IOC", "quantity": "2", "price": "83.90", "newClientOrderId": "lh-1",
    }  # fmt: skip

    async def work() -> None:
        async with at_work(fake) as client:
            status, told = await client.ask("POST", "/fapi/v1/order", **(right | wrong))
            assert (status, told["code"]) == (400, code)
            assert fake.truth().orders == ()

    run(work())


def test_an_order_is_partly_filled_and_its_rest_expires(fake: FakeExchange) -> None:
    async def work() -> None:
        async with at_work(fake) as client:
            user = await client.user()
            depth = sum(lots for lots in fake.binance.matching.book.bids.values())
            best = max(fake.binance.matching.book.bids)
            lots = fake.binance.matching.book.bids[best]
            assert depth > lots
            status, ack = await client.order(
                "SELL", "SHORT", f"{lots / 1000 + 10:.3f}", f"{best / 100:.2f}",
                newClientOrderId="lh-1",
            )  # fmt: skip
            assert (status, ack["status"], ack["executedQty"]) == (200, "NEW", "0.000")
            assert shape(ack) == shape(fixture("binance_rest_order_ack_IOC_LTCUSDT"))
            _, now = await client.ask(
                "GET", "/fapi/v1/order", symbol="LTCUSDT", origClientOrderId="lh-1"
            )
            assert (now["status"], Decimal(now["executedQty"])) == ("EXPIRED", Decimal(lots) / 1000)
            told = await heard(user)
            moves = [m["o"] for m in told if m["e"] == "ORDER_TRADE_UPDATE"]
            assert [(m["x"], m["X"], m["er"]) for m in moves] == [
                ("NEW", "NEW", "0"), ("TRADE", "PARTIALLY_FILLED", "0"),
                ("EXPIRED", "EXPIRED", "2"),
            ]  # fmt: skip
            official = fixture("binance_uds_order_sequence_IOC_partial_then_expired")
            assert [shape(m) for m in told if m["e"] == "ORDER_TRADE_UPDATE"] == shape_each(
                official
            )
            account = next(m for m in told if m["e"] == "ACCOUNT_UPDATE")
            assert shape(account) == shape(fixture("binance_uds_account_update_ORDER"))
            await user.close()

    run(work())


def shape_each(values: list[Any]) -> list[Any]:
    return [shape(value) for value in values]


def test_the_streams_have_the_documented_shapes() -> None:
    scene = Scripted(liquidations=((1, "long", 152.3, 83.05), (1, "long", 12.0, 83.0)))
    fake = FakeExchange(scene)

    async def work() -> None:
        async with at_work(fake) as client:
            names = {
                "depth@100ms": ("public", None), "bookTicker": ("public", "bookTicker_LTCUSDT"),
                "aggTrade": ("market", "aggTrade_LTCUSDT"),
                "markPrice@1s": ("market", "markPrice_1s_LTCUSDT"),
                "kline_1m": ("market", "kline_1m_LTCUSDT"), "forceOrder": ("market", None),
            }  # fmt: skip
            sockets = {}
            for name, (route, _) in names.items():
                path = f"/{route}/stream?streams=ltcusdt@{name}"
                sockets[name] = await client.listen(path)
            wrong = await client.listen("/public/ws", "ltcusdt@forceOrder")
            await fake.advance(1.0)
            for name, (_, file) in names.items():
                got = await heard(sockets[name], 0.05)
                assert got, name
                assert {m["stream"] for m in got} == {f"ltcusdt@{name}"}
                if file is not None:
                    assert shape(got[0]["data"]) == shape(fixture(f"binance_ws_{file}"))
            assert await heard(wrong, 0.05) == []  # taken, and silent
            for socket in [*sockets.values(), wrong]:
                await socket.close()

    run(work())


def test_force_orders_tell_only_the_largest_of_a_second() -> None:
    closed = ((1, "long", 2.0, 83.0), (1, "long", 9.0, 83.1), (1, "short", 1.0, 83.0))
    fake = FakeExchange(Scripted(liquidations=closed))

    async def work() -> None:
        async with at_work(fake) as client:
            market = await client.listen("/market/ws", "!forceOrder@arr")
            await fake.advance(2.0)
            told = await heard(market)
            assert [(m["o"]["S"], m["o"]["z"]) for m in told] == [("SELL", "9.000")]
            assert shape(told[0]) == shape(fixture("binance_ws_forceOrder_arr_LTCUSDT"))
            await market.close()

    run(work())


def test_modes_leverage_and_permissions() -> None:
    fake = FakeExchange(hedge_mode=False, keys=(Key(), Key("out", "s", can_withdraw=True)))

    async def work() -> None:
        async with at_work(fake) as client:
            dual = "/fapi/v1/positionSide/dual"
            assert (await client.ask("GET", dual))[1] == {"dualSidePosition": False}
            assert (await client.ask("POST", dual, dualSidePosition="false"))[1]["code"] == -4059
            assert (await client.ask("POST", dual, dualSidePosition="true"))[1]["code"] == 200
            _, told = await client.ask("POST", "/fapi/v1/leverage", symbol="LTCUSDT", leverage=21)
            assert told == {"leverage": 21, "maxNotionalValue": "800000", "symbol": "LTCUSDT"}
            assert (await client.order("BUY", "LONG", "1", "84.50"))[0] == 200
            assert (await client.ask("POST", dual, dualSidePosition="false"))[1]["code"] == -4068
            path = "/sapi/v1/account/apiRestrictions"
            assert (await client.ask("GET", path))[1]["enableWithdrawals"] is False
            told = (await client.ask("GET", path, key="out", secret="s"))[1]
            assert told["enableWithdrawals"] is True
            _, brackets = await client.ask("GET", "/fapi/v1/leverageBracket")
            assert brackets == fixture("binance_rest_leverageBracket_LTCUSDT")

    run(work())


def test_a_duplicate_client_id_is_refused_while_the_first_is_open(fake: FakeExchange) -> None:
    async def work() -> None:
        async with at_work(fake) as client:
            one = {"tif": "GTC", "newClientOrderId": "x"}
            assert (await client.order("BUY", "LONG", "1", "83.00", **one))[0] == 200
            assert (await client.order("BUY", "LONG", "1", "83.00", **one))[1]["code"] == -4116
            cancel = {"symbol": "LTCUSDT", "origClientOrderId": "x"}
            assert (await client.ask("DELETE", "/fapi/v1/order", **cancel))[1][
                "status"
            ] == "CANCELED"
            assert (await client.ask("DELETE", "/fapi/v1/order", **cancel))[1]["code"] == -2011
            assert (await client.order("BUY", "LONG", "1", "83.00", **one))[0] == 200

    run(work())


def test_a_stop_closes_the_leg_and_survives_cancel_all_and_the_dead_man() -> None:
    fake = FakeExchange(Scripted(((0.0, 84.0), (4.0, 84.0), (5.0, 80.0))), step_ms=500)

    async def work() -> None:
        async with at_work(fake) as client:
            await client.order("BUY", "LONG", "5", "84.50")
            await client.order("BUY", "LONG", "1", "83.00", tif="GTC")
            stop = {
                "symbol": "LTCUSDT", "algoType": "CONDITIONAL", "side": "SELL",
                "positionSide": "LONG", "type": "STOP_MARKET", "triggerPrice": "82.00",
                "closePosition": "true", "workingType": "MARK_PRICE", "clientAlgoId": "stop",
            }  # fmt: skip
            assert (await client.ask("POST", "/fapi/v1/algoOrder", **stop))[1][
                "algoStatus"
            ] == "NEW"
            high = stop | {"triggerPrice": "90.00", "clientAlgoId": "other"}
            assert (await client.ask("POST", "/fapi/v1/algoOrder", **high))[1]["code"] == -2021
            arm = {"symbol": "LTCUSDT", "countdownTime": 1}
            _, armed = await client.ask("POST", "/fapi/v1/countdownCancelAll", **arm)
            assert armed == {"symbol": "LTCUSDT", "countdownTime": "1"}
            time.sleep(0.005)
            await fake.advance(1.0)
            assert (await client.ask("GET", "/fapi/v1/openOrders"))[1] == []
            assert len((await client.ask("GET", "/fapi/v1/openAlgoOrders"))[1]) == 1
            await fake.advance(5.0)
            assert fake.truth().qty_ltc("long") == 0
            _, gone = await client.ask("GET", "/fapi/v1/algoOrder", clientAlgoId="stop")
            assert gone["algoStatus"] == "FINISHED"
            _, positions = await client.ask("GET", "/fapi/v3/positionRisk")
            assert positions == []

    run(work())


def test_orders_go_over_the_websocket_api(fake: FakeExchange) -> None:
    async def work() -> None:
        async with at_work(fake) as client:
            socket = await client.listen("/ws-fapi/v1")

            async def ask(method: str, secret: str = "secret", **params: Any) -> Any:
                params |= {"apiKey": "key", "timestamp": int(time.time() * 1000)}
                text = "&".join(f"{name}={params[name]}" for name in sorted(params))
                params["signature"] = sign(secret, text)
                await socket.send_json({"id": "1", "method": method, "params": params})
                return await socket.receive_json(timeout=5)

            order = {
                "symbol": "LTCUSDT", "side": "SELL", "positionSide": "SHORT", "type": "LIMIT",
                "timeInForce": "IOC", "quantity": "2.000", "price": "83.90",
                "newClientOrderId": "ws-1", "newOrderRespType": "RESULT",
            }  # fmt: skip
            assert (await ask("order.place", "wrong", **order))["error"]["code"] == -1022
            told = await ask("order.place", **order)
            assert (told["status"], told["result"]["status"]) == (200, "FILLED")
            told = await ask("order.status", symbol="LTCUSDT", origClientOrderId="ws-1")
            assert told["result"]["executedQty"] == "2.000"
            await socket.send_str("no json")
            assert (await socket.receive_json(timeout=5))["status"] == 400
            await socket.close()

    run(work())


def test_limits_are_counted_and_enforced(fake: FakeExchange) -> None:
    async def work() -> None:
        async with at_work(fake) as client:
            url = fake.url + "/fapi/v1/depth?symbol=LTCUSDT&limit=1000"
            used = 0
            for _ in range(120):
                async with client.session.get(url) as response:
                    assert response.status == 200
                    used = int(response.headers["X-MBX-USED-WEIGHT-1M"])
            assert used == 2_400
            async with client.session.get(url) as response:
                assert (response.status, (await response.json())["code"]) == (429, -1003)
                assert int(response.headers["Retry-After"]) > 0

    run(work())

"""Each fault does what it says, as often as it was set, and nothing else."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import aiohttp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import Client, at_work, heard, run
from litehedge.exchange.binance_orders import is_exempt
from litehedge.exchange.binance_wire import UNKNOWN
from litehedge.exchange.faults import Fault, Planned
from litehedge.exchange.scene import Scripted
from litehedge.exchange.server import FakeExchange

ORDER = "POST /fapi/v1/order"
HIT = "lh-1"


async def place(client: Client, side: str = "SELL", leg: str = "SHORT", qty: str = "2") -> Any:
    price = "83.90" if side == "SELL" else "84.50"
    return await client.order(side, leg, qty, price, newClientOrderId=HIT)


async def query(client: Client) -> Any:
    return await client.ask("GET", "/fapi/v1/order", symbol="LTCUSDT", origClientOrderId=HIT)


@pytest.mark.parametrize(
    ("fault", "status", "code", "is_done"),
    [
        (Fault.UNKNOWN_DONE, 503, None, True),
        (Fault.UNKNOWN_NOT_DONE, 503, None, False),
        (Fault.UNAVAILABLE, 503, None, False),
        (Fault.THROTTLED, 503, -1008, False),
        (Fault.TOO_MANY, 429, -1003, False),
        (Fault.BANNED, 418, -1003, False),
        (Fault.SKEW, 400, -1021, False),
        (Fault.REFUSED, 400, -1000, False),
    ],
)
def test_requests_fail_as_they_fail_there(
    fake: FakeExchange, fault: Fault, status: int, code: int | None, is_done: bool
) -> None:
    fake.faults.next(fault, match=ORDER, seconds=0)

    async def work() -> None:
        async with at_work(fake) as client:
            got, told = await place(client)
            assert (got, told.get("code")) == (status, code)
            if fault in (Fault.UNKNOWN_DONE, Fault.UNKNOWN_NOT_DONE):
                assert told == {"msg": UNKNOWN}
            assert (fake.truth().order(HIT) is not None) == is_done
            if not is_done:
                assert (await place(client))[0] == 200  # only the next one was struck
            assert fake.faults.struck == {fault: 1}

    run(work())


def test_a_lost_answer_was_done(fake: FakeExchange) -> None:
    fake.faults.next(Fault.LOST_ANSWER, match=ORDER)

    async def work() -> None:
        async with at_work(fake) as client:
            with pytest.raises(aiohttp.ClientError):
                await place(client)
            assert (await query(client))[1]["status"] == "FILLED"

    run(work())


def test_an_order_may_be_unknown_first_and_fill_later(fake: FakeExchange) -> None:
    fake.faults.next(Fault.UNKNOWN_LATE, match=ORDER, seconds=1.0)

    async def work() -> None:
        async with at_work(fake) as client:
            user = await client.user()
            assert (await place(client))[0] == 503
            assert (await query(client))[1]["code"] == -2013
            assert (await client.ask("GET", "/fapi/v1/openOrders"))[1] == []
            assert await heard(user, 0.05) == []
            await fake.advance(1.1)
            assert (await query(client))[1]["status"] == "FILLED"
            assert fake.truth().qty_ltc("short") == -2
            assert [m["o"]["x"] for m in await heard(user) if "o" in m] == ["NEW", "TRADE"]
            await user.close()

    run(work())


def test_a_slow_answer_comes_late_and_a_hidden_order_is_denied_once(fake: FakeExchange) -> None:
    fake.faults.next(Fault.SLOW, match=ORDER, seconds=0.2)
    fake.faults.next(Fault.HIDDEN)

    async def work() -> None:
        async with at_work(fake) as client:
            asked = asyncio.create_task(place(client))
            done, _ = await asyncio.wait({asked}, timeout=0.05)
            assert not done
            assert (await asked)[0] == 200
            assert (await query(client))[1]["code"] == -2013
            assert (await query(client))[0] == 200

    run(work())


asked = st.fixed_dictionaries(
    {"side": st.sampled_from(["BUY", "SELL"])},
    optional={
        "positionSide": st.sampled_from(["BOTH", "LONG", "SHORT"]),
        "reduceOnly": st.sampled_from(["true", "false"]),
        "closePosition": st.sampled_from(["true", "false"]),
    },
)


@settings(max_examples=100, deadline=None)
@given(asked)
def test_protection_lets_through_exactly_the_four_forms(order: dict[str, str]) -> None:
    side, leg = order["side"], order.get("positionSide", "BOTH")
    closing = {("SELL", "LONG"), ("BUY", "SHORT")}
    reduces = leg == "BOTH" and order.get("reduceOnly") == "true"
    expected = (side, leg) in closing or reduces or order.get("closePosition") == "true"
    assert is_exempt(order) == expected


def test_protection_never_stops_what_reduces(fake: FakeExchange) -> None:
    async def work() -> None:
        async with at_work(fake) as client:
            await client.order("SELL", "SHORT", "5", "83.90")
            fake.faults.by_chance(Fault.THROTTLED, 1.0)
            for _ in range(3):
                status, told = await client.order("SELL", "SHORT", "1", "83.90")
                assert (status, told["code"]) == (503, -1008)
                assert (await client.order("BUY", "SHORT", "1", "84.50"))[0] == 200
            assert fake.truth().qty_ltc("short") == -2

    run(work())


MARKS = ("/market/ws", "ltcusdt@markPrice@1s")


@pytest.mark.parametrize(
    ("fault", "terms", "expected"),
    [
        (Fault.GAP, {}, [1, 3, 4]),
        (Fault.SILENCE, {}, [1, 3, 4]),
        (Fault.DUPLICATE, {}, [1, 2, 2, 3, 4]),
        (Fault.REORDER, {}, [1, 3, 2, 4]),
        (Fault.DELAY, {"seconds": 2.0}, [1, 3, 4, 2]),
        (Fault.MALFORMED, {}, [1, "cut", 3, 4]),
    ],
)
def test_messages_are_struck(
    fake: FakeExchange, fault: Fault, terms: dict[str, float], expected: list[Any]
) -> None:
    fake.faults.next(fault, match="markPrice@1s", skip=1, **terms)

    async def work() -> None:
        async with at_work(fake) as client:
            socket = await client.listen(*MARKS)
            other = await client.listen("/public/ws", "ltcusdt@depth@100ms")
            began = fake.now_ms
            await fake.advance(4.0)
            told = await heard(socket)
            seconds = ["cut" if isinstance(m, str) else (m["E"] - began) // 1000 for m in told]
            assert seconds == expected
            assert len(await heard(other)) == 40  # the rest of the venue is well
            await socket.close()
            await other.close()

    run(work())


def test_connections_end_and_pings_go_unanswered(fake: FakeExchange) -> None:
    fake.faults.next(Fault.DISCONNECT, match="markPrice")
    fake.faults.next(Fault.NO_PONG)

    async def work() -> None:
        async with at_work(fake) as client:
            url = fake.ws_url + "/market/ws/ltcusdt@aggTrade"
            quiet = await client.session.ws_connect(url, autoping=False)
            for answered in (False, True):
                await quiet.ping(b"x")
                if answered:
                    assert (await quiet.receive(timeout=5)).type is aiohttp.WSMsgType.PONG
                else:
                    with pytest.raises(TimeoutError):
                        await quiet.receive(timeout=0.1)
            socket = await client.listen(*MARKS)
            await fake.advance(1.0)
            assert (await heard(socket))[-1] is aiohttp.WSMsgType.CLOSE
            fake.faults.next(Fault.DAY_END)
            await fake.advance(1.0)
            kinds = [m for m in await heard(quiet) if not isinstance(m, dict)]
            assert kinds == [aiohttp.WSMsgType.CLOSE]

    run(work())


def test_trades_come_late_while_the_rest_of_the_stream_does_not(fake: FakeExchange) -> None:
    fake.faults.next(Fault.DELAY, match="ORDER_TRADE_UPDATE TRADE", seconds=1.0)

    async def work() -> None:
        async with at_work(fake) as client:
            user = await client.user()
            await place(client)
            names = [m["e"] for m in await heard(user)]
            assert names == ["ORDER_TRADE_UPDATE", "TRADE_LITE", "ACCOUNT_UPDATE"]
            await fake.advance(1.0)
            assert [m["o"]["x"] for m in await heard(user)] == ["TRADE"]
            await user.close()

    run(work())


def test_a_listen_key_expires_once_and_can_be_made_anew(fake: FakeExchange) -> None:
    fake.faults.next(Fault.KEY_EXPIRES)

    async def work() -> None:
        async with at_work(fake) as client:
            user = await client.user()
            await fake.advance(1.0)
            told = await heard(user)
            assert [(m["e"], type(m["E"])) for m in told] == [("listenKeyExpired", str)]
            await place(client)
            assert await heard(user, 0.05) == []
            headers = {"X-MBX-APIKEY": "key"}
            assert (await client.plain("PUT", "/fapi/v1/listenKey", headers))[1]["code"] == -1125
            again = await client.user()
            await client.order("BUY", "SHORT", "2", "84.50")
            assert await heard(again)
            await user.close()
            await again.close()

    run(work())


def test_the_venue_liquidates_deleverages_and_pays_insurance(fake: FakeExchange) -> None:
    async def work() -> None:
        async with at_work(fake) as client:
            user = await client.user()
            await client.order("SELL", "SHORT", "10", "83.90")
            await heard(user)
            fake.faults.next(Fault.DELEVERAGE, side="short", share=0.4)
            await fake.advance(1.0)
            told = await heard(user)
            order = next(m["o"] for m in told if m["e"] == "ORDER_TRADE_UPDATE")
            assert (order["c"], order["x"], order["S"], order["z"]) == (
                "adl_autoclose", "CALCULATED", "BUY", "4.000",
            )  # fmt: skip
            fake.faults.next(Fault.LIQUIDATE)
            await fake.advance(1.0)
            told = await heard(user)
            moves = [m["o"] for m in told if m["e"] == "ORDER_TRADE_UPDATE"]
            assert [m["x"] for m in moves] == ["NEW", "CALCULATED"]
            assert moves[0]["c"].startswith("autoclose-")
            assert moves[0]["o"] == "LIQUIDATION"
            assert fake.truth().qty_ltc("short") == 0
            fake.faults.next(Fault.INSURANCE_CLEAR, usdt=3)
            await fake.advance(1.0)
            cleared = [m["a"] for m in await heard(user) if m["e"] == "ACCOUNT_UPDATE"]
            assert [(a["m"], Decimal(a["B"][0]["bc"])) for a in cleared] == [("INSURANCE_CLEAR", 3)]
            assert abs(fake.truth().wallet_usdt - fake.binance.ledger.balance_usdt()) < 1e-6
            await user.close()

    run(work())


def test_tiers_rise_and_orders_fill_in_part(fake: FakeExchange) -> None:
    fake.faults.next(Fault.TIERS, factor=2.0)
    fake.faults.next(Fault.PARTIAL, share=0.25)

    async def work() -> None:
        async with at_work(fake) as client:
            await place(client, qty="4")
            order = fake.truth().order(HIT)
            assert order is not None
            assert (order.filled_ltc, order.status) == (1, "expired")
            await fake.advance(1.0)
            _, told = await client.ask("GET", "/fapi/v1/leverageBracket")
            first = told[0]["brackets"][0]
            assert (first["maintMarginRatio"], first["initialLeverage"]) == (0.01, 37)

    run(work())


def test_funding_is_settled_and_told() -> None:
    fake = FakeExchange(Scripted(funding=((2, 0.001),)))

    async def work() -> None:
        async with at_work(fake) as client:
            await client.order("SELL", "SHORT", "10", "83.90")
            user = await client.user()
            await fake.advance(2.0)
            (told,) = await heard(user)
            assert (told["a"]["m"], told["a"]["P"]) == ("FUNDING_FEE", [])
            assert Decimal(told["a"]["B"][0]["bc"]) == Decimal("0.84105000")
            _, rates = await client.plain("GET", "/fapi/v1/fundingRate?symbol=LTCUSDT")
            assert rates[0]["fundingRate"] == "0.00100000"
            await user.close()

    run(work())


def test_a_plan_sets_faults_by_market_time() -> None:
    planned = Planned(3, Fault.DELEVERAGE, terms={"side": "short", "share": 0.5})
    fake = FakeExchange(plan=[planned, Planned(1, Fault.GAP, 2, "markPrice")])

    async def work() -> None:
        async with at_work(fake) as client:
            await client.order("SELL", "SHORT", "10", "83.90")
            socket = await client.listen(*MARKS)
            await fake.advance(2.0)
            assert await heard(socket, 0.05) == []
            assert fake.truth().qty_ltc("short") == -10
            await fake.advance(1.0)
            assert len(await heard(socket, 0.05)) == 1
            assert fake.truth().qty_ltc("short") == -5
            await socket.close()

    run(work())


def test_time_passes_by_itself_at_a_speed() -> None:
    fake = FakeExchange(speed=100.0)

    async def work() -> None:
        async with at_work(fake) as client:
            socket = await client.listen(*MARKS)
            first = await socket.receive_json(timeout=5)
            second = await socket.receive_json(timeout=5)
            assert second["E"] - first["E"] == 1_000
            await socket.close()

    run(work())

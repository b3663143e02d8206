"""Bybit's client and sources against a small Bybit on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest
from aiohttp import web
from bybit_stub import ANSWERS, KEY, SECRET, Heard, Stub, fixture, serving

from litehedge.errors import VenueDown, VenueError, VenueRefused, VenueUnknown, WrongSetup
from litehedge.market import events as ev
from litehedge.orders.reports import AccountReport, FundingReport, OrderReport, VenueOrder
from litehedge.units import NS_PER_MS
from litehedge.venues.bybit import BybitClient, BybitMarket, Hosts, Keys

ORDER = VenueOrder("lh-a-000001", False, "short", Decimal("10.0"), Decimal("84.00"), False)
CLOSES = VenueOrder("lh-a-000002", False, "long", Decimal("10.0"), Decimal("84.00"), False)


def refuses(code: int, text: str = "") -> dict[str, Any]:
    return {"retCode": code, "retMsg": text, "result": {}, "time": 1_795_000_000_000}


@contextlib.asynccontextmanager
async def client(**options: Any) -> AsyncIterator[tuple[BybitClient, Stub, Hosts]]:
    """A client whose trading socket is logged in, unless `rest_only`."""
    rest_only = options.pop("rest_only", False)
    async with serving() as (stub, hosts):
        stub.accepts_login = not rest_only
        made = BybitClient(Keys("bybit", KEY, options.pop("secret", SECRET)), hosts, **options)
        try:
            await made.open()
            if not rest_only:
                async with asyncio.timeout(30):
                    while not made._trade.is_ready:  # type: ignore[union-attr]
                        await asyncio.sleep(0.005)
            yield made, stub, hosts
        finally:
            await made.close()


def asked(stub: Stub, path: str) -> list[dict[str, Any]]:
    return [given for at, given in stub.asked if at == path]


def test_what_the_account_and_the_contract_are() -> None:
    async def scene() -> None:
        async with client(rest_only=True) as (bybit, stub, _):
            account = await bybit.account()
            assert (account.wallet_usdt, account.hedge_mode) == (Decimal("1000.25"), True)
            assert account.can_withdraw is False
            rules = await bybit.contract()
            assert (rules.symbol, rules.lot_ltc) == ("LTCUSDT", Decimal("0.1"))
            assert len(asked(stub, "/v5/user/query-api")) == 1  # rights are kept for a while
            assert isinstance(await bybit.clock_skew_ms(), float)
            assert await bybit.arm_dead_man(1000) is False
            assert "institutions" in bybit.why_no_dead_man
            assert KEY not in repr(bybit)
            assert SECRET not in repr(bybit)

    asyncio.run(scene())


@pytest.mark.parametrize("early", ["/v5/account/wallet-balance", "/v5/position/list"])
def test_an_account_is_of_the_time_of_its_earliest_answer(early: str) -> None:
    async def scene() -> None:
        async with client(rest_only=True) as (bybit, stub, _):
            for path, name in ANSWERS.items():
                if path in ("/v5/account/wallet-balance", "/v5/position/list"):
                    told = fixture(f"rest_{name}")
                    stub.says[path] = told | {"time": 1_795_000_000_000 + 700 * (path != early)}
            assert (await bybit.account()).event_ns == 1_795_000_000_000 * NS_PER_MS

    asyncio.run(scene())


def test_an_order_goes_over_the_socket_and_is_only_accepted() -> None:
    async def scene() -> None:
        async with client() as (bybit, stub, _):
            report = await bybit.place(ORDER)
            assert (report.status, report.filled_ltc) == ("open", 0)
            assert asked(stub, "/v5/order/create") == []
            (sent,) = [c for kind, c in stub.commands if c["op"] == "order.create"]
            body = sent["args"][0]
            assert (body["side"], body["positionIdx"], body["timeInForce"]) == ("Sell", 2, "IOC")
            assert (body["qty"], body["price"], body["reduceOnly"]) == ("10.0", "84.00", False)

    asyncio.run(scene())


def test_without_the_socket_an_order_goes_by_rest() -> None:
    async def scene() -> None:
        async with client(rest_only=True) as (bybit, stub, _):
            await bybit.place(CLOSES)
            (body,) = asked(stub, "/v5/order/create")
            assert (body["orderLinkId"], body["reduceOnly"]) == ("lh-a-000002", True)

    asyncio.run(scene())


@pytest.mark.parametrize(
    ("code", "kind"),
    [(110007, VenueRefused), (110072, VenueUnknown), (10016, VenueUnknown), (10005, WrongSetup)],
)
def test_refusals_over_the_socket_are_final_there(code: int, kind: type[VenueError]) -> None:
    async def scene() -> None:
        async with client() as (bybit, stub, _):
            stub.orders = {"retCode": code, "retMsg": f"no [{KEY}]"}
            with pytest.raises(kind) as caught:
                await bybit.place(ORDER)
            assert caught.value.code == str(code)
            assert KEY not in str(caught.value)
            assert asked(stub, "/v5/order/create") == [], "nothing is ever sent twice"

    asyncio.run(scene())


def test_what_the_socket_did_not_begin_goes_by_rest() -> None:
    async def scene() -> None:
        async with client() as (bybit, stub, _):
            stub.orders = {"retCode": 10019, "retMsg": "restarting"}
            assert (await bybit.place(ORDER)).status == "open"
            assert len(asked(stub, "/v5/order/create")) == 1

    asyncio.run(scene())


def test_a_socket_that_ends_or_is_silent_leaves_the_outcome_unknown() -> None:
    async def scene() -> None:
        async with client() as (bybit, stub, _):
            stub.orders, bybit._trade._timeout_s = None, 0.3  # type: ignore[union-attr]
            with pytest.raises(VenueUnknown, match="asked for by its id"):
                await bybit.place(ORDER)
            bybit._trade._timeout_s = 30.0  # type: ignore[union-attr]
            placing = asyncio.create_task(bybit.place(ORDER))
            await stub.until(lambda: sum(c["op"] == "order.create" for _, c in stub.commands) == 2)
            await stub.sockets["trade"][-1].close()
            with pytest.raises(VenueUnknown):
                await placing
            assert asked(stub, "/v5/order/create") == []

    asyncio.run(scene())


def test_failures_of_rest_are_told_apart() -> None:
    async def scene() -> None:
        async with client(rest_only=True) as (bybit, stub, _):
            create = "/v5/order/create"
            for says, kind in (
                (lambda _: web.Response(status=502), VenueUnknown),
                (lambda _: web.Response(text="<html>"), VenueUnknown),
                (refuses(110003), VenueRefused),
                (refuses(110023), VenueRefused),
                (refuses(10010, "Unmatched IP"), WrongSetup),
            ):
                stub.says[create] = says
                with pytest.raises(kind) as caught:
                    await bybit.place(ORDER)
                assert type(caught.value) is kind
                assert "position" in str(caught.value)
            stub.says["/v5/order/realtime"] = lambda _: web.Response(status=503)
            with pytest.raises(VenueDown):
                await bybit.order("x")
            stub.says["/v5/order/realtime"] = {"retCode": 0, "result": {"list": 5}}
            with pytest.raises(VenueDown, match="cannot be read"):
                await bybit.order("x")

    asyncio.run(scene())


def test_after_a_ban_nothing_is_sent() -> None:
    async def scene() -> None:
        async with client(rest_only=True) as (bybit, stub, _):
            stub.says["/v5/order/create"] = lambda _: web.Response(status=403, text="too frequent")
            with pytest.raises(VenueDown):
                await bybit.place(ORDER)
            before = len(stub.asked)
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr("litehedge.venues.bybit_rest.PATIENCE_S", 0.01)
                with pytest.raises(VenueDown, match="limits"):
                    await bybit.place(CLOSES)
            assert len(stub.asked) == before

    asyncio.run(scene())


def test_limits_that_the_venue_tells_count() -> None:
    async def scene() -> None:
        async with client(rest_only=True) as (bybit, stub, _):
            stub.headers = {"X-Bapi-Limit": "10", "X-Bapi-Limit-Status": "1"}
            await bybit.place(ORDER)
            waiter = bybit._asks.waiter
            assert waiter.limiter.used("/v5/order/create", waiter.now_s()) == 9.0

    asyncio.run(scene())


def test_a_wrong_secret_and_a_wrong_clock_are_one_clear_message() -> None:
    async def scene() -> None:
        with pytest.raises(
            WrongSetup, match=r"signature.*secret.*position and hedge stay"
        ) as caught:
            async with client(secret="wrong"):
                pass
        assert KEY not in str(caught.value)
        async with serving() as (stub, hosts):
            stub.says["/v5/user/query-api"] = refuses(10002, "invalid request")
            bybit = BybitClient(Keys("bybit", KEY, SECRET), hosts)
            with pytest.raises(WrongSetup, match=r"clock.*NTP.*position and hedge stay"):
                await bybit.open()
        with pytest.raises(VenueDown, match="not open"):
            await bybit.account()
        nobody = BybitClient(Keys("bybit", KEY, SECRET), Hosts("http://127.0.0.1:9", "", "", ""))
        with pytest.raises(VenueDown, match="cannot be reached"):
            await nobody.open()

    asyncio.run(scene())


def test_where_an_order_stands() -> None:
    async def scene() -> None:
        async with client(rest_only=True) as (bybit, stub, _):
            assert (await bybit.order("lh-a-000001")).status == "filled"
            assert (await bybit.order("lh-a-000009")).status == "missing"
            assert asked(stub, "/v5/order/history")
            stub.says["/v5/order/realtime"] = refuses(110001)
            assert (await bybit.order("lh-a-000001")).status == "missing"

    asyncio.run(scene())


def test_open_orders_over_pages_without_stops() -> None:
    def page(given: dict[str, str]) -> dict[str, Any]:
        row = {"symbol": "LTCUSDT", "orderStatus": "New", "orderId": "foreign"}
        if "cursor" in given:
            assert given["cursor"] == "a:1"
            rows = [row, row | {"orderStatus": "Untriggered", "orderLinkId": "stop"}]
            return {"retCode": 0, "result": {"list": rows, "nextPageCursor": ""}, "time": 1}
        rows = [row | {"orderLinkId": "lh-1"}, row | {"orderLinkId": "x", "orderStatus": "Filled"}]
        return {"retCode": 0, "result": {"list": rows, "nextPageCursor": "a%3A1"}, "time": 1}

    async def scene() -> None:
        async with client(rest_only=True) as (bybit, stub, _):
            stub.says["/v5/order/realtime"] = page
            assert await bybit.open_orders() == ["lh-1", "foreign"]

    asyncio.run(scene())


def resting(*names: str) -> Any:
    row = {"symbol": "LTCUSDT", "orderStatus": "New", "orderId": "1"}
    rows = [row | {"orderLinkId": name} for name in names]
    return lambda _: {"retCode": 0, "result": {"list": rows, "nextPageCursor": ""}, "time": 1}


def test_settings_and_stops() -> None:
    async def scene() -> None:
        async with client(rest_only=True) as (bybit, stub, _):
            await bybit.set_leverage(20)
            assert asked(stub, "/v5/position/set-leverage")[0]["sellLeverage"] == "20"
            stub.says["/v5/position/set-leverage"] = refuses(110043)
            await bybit.set_leverage(20)  # it is so already
            await bybit.set_hedge_mode(on=True)
            assert asked(stub, "/v5/position/switch-mode")[0]["mode"] == 3
            stub.says["/v5/position/switch-mode"] = refuses(110024)
            with pytest.raises(WrongSetup, match="while a position is open"):
                await bybit.set_hedge_mode(on=False)
            stub.says["/v5/order/realtime"] = resting("lh-1", "", "lhs-1", "mine")
            stub.says["/v5/order/cancel"] = refuses(110001)  # it has just ended
            await bybit.cancel_all()
            assert [s["orderLinkId"] for s in asked(stub, "/v5/order/cancel")] == ["lh-1"]

    asyncio.run(scene())


def waiting(*stops: tuple[str, str, str, str]) -> Any:
    rows = [
        {"symbol": "LTCUSDT", "orderStatus": "Untriggered", "orderId": name, "orderLinkId": name,
         "side": side, "qty": qty, "triggerPrice": trigger}
        for name, side, qty, trigger in stops
    ]  # fmt: skip
    return lambda _: {"retCode": 0, "result": {"list": rows, "nextPageCursor": ""}, "time": 1}


def test_a_stop_of_its_own_quantity_is_armed_before_the_old_one_goes() -> None:
    async def scene() -> None:
        async with client(rest_only=True) as (bybit, stub, _):
            others = ("mine", "Sell", "3", "70"), ("lhs-short-4", "Buy", "10.0", "90")
            stub.says["/v5/order/realtime"] = waiting(("lhs-long-3", "Sell", "10.0", "80"), *others)
            await bybit.set_protective_stop(CLOSES, Decimal("80.5"))
            changes = [
                (path, given) for path, given in stub.asked
                if path in ("/v5/order/create", "/v5/order/cancel")
            ]  # fmt: skip
            (first, placed), (then, gone) = changes
            assert (first, then) == ("/v5/order/create", "/v5/order/cancel")
            assert placed["orderLinkId"].startswith("lhs-long-")
            assert (placed["qty"], placed["triggerPrice"], placed["reduceOnly"]) == (
                "10.0", "80.5", True,
            )  # fmt: skip
            assert gone["orderLinkId"] == "lhs-long-3"
            stub.asked.clear()
            await bybit.set_protective_stop(CLOSES, Decimal("80"))  # it stands already
            assert not asked(stub, "/v5/order/create")
            assert not asked(stub, "/v5/order/cancel")
            assert {stop.client_id: stop.qty_ltc for stop in await bybit.protective_stops()} == {
                "lhs-long-3": Decimal(10), "lhs-short-4": Decimal(10),
            }  # fmt: skip
            stub.says["/v5/order/cancel"] = refuses(110001)  # it has just traded
            await bybit.remove_protective_stop("long")
            assert [s["orderLinkId"] for s in asked(stub, "/v5/order/cancel")] == ["lhs-long-3"]
            stub.says["/v5/order/realtime"] = waiting(("lhs-long-3", "Sell", "0", "80"))
            with pytest.raises(VenueDown, match="no quantity"):
                await bybit.protective_stops()

    asyncio.run(scene())


@contextlib.asynccontextmanager
async def running(bybit: BybitClient) -> AsyncIterator[Heard]:
    heard = Heard()
    task = asyncio.create_task(bybit.run(heard.tell, heard))
    try:
        yield heard
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def test_the_private_stream_tells_orders_fills_funding_and_the_account() -> None:
    async def scene() -> None:
        async with client() as (bybit, stub, _), running(bybit) as heard:
            await heard.until(lambda: any(isinstance(r, AccountReport) for r in heard.events))
            heard.events.clear()
            for name in ("execution_trade", "order_partial_then_cancelled", "position", "wallet"):
                await stub.say("private", fixture(f"ws_{name}"))
            await heard.until(lambda: len(heard.events) >= 5)
            kinds = [type(r) for r in heard.events]
            assert kinds == [OrderReport] * 3 + [AccountReport] * 2
            assert heard.events[-1].legs[0].qty_ltc == Decimal("90.0")
            assert heard.events[-1].wallet_usdt == Decimal("999.75")
            await stub.sockets["private"][-1].send_str("{")
            await heard.until(lambda: heard.bads)

    asyncio.run(scene())


def test_after_a_reconnection_what_was_missed_is_told() -> None:
    async def scene() -> None:
        async with client() as (bybit, stub, _), running(bybit) as heard:
            await heard.until(lambda: any(isinstance(r, AccountReport) for r in heard.events))
            rows = fixture("ws_execution_forced_and_funding")["data"]
            missed = {"retCode": 0, "result": {"list": rows[::-1]}, "time": 1}
            stub.says["/v5/execution/list"] = missed
            heard.events.clear()
            await stub.sockets["private"][-1].close()
            await heard.until(lambda: any(isinstance(r, AccountReport) for r in heard.events))
            assert sum(isinstance(r, FundingReport) for r in heard.events) == 1
            assert isinstance(heard.events[-1], AccountReport)
            # told again over the socket, it is not told again to us
            heard.events.clear()
            await stub.say("private", fixture("ws_execution_forced_and_funding"))
            await stub.say("private", fixture("ws_order_partial_then_cancelled"))
            await heard.until(lambda: heard.events)
            assert [type(r) for r in heard.events] == [OrderReport]
            assert ("bybit.account", "ok", "") in heard.states

    asyncio.run(scene())


def test_something_foreign_makes_the_account_be_read_anew() -> None:
    async def scene() -> None:
        async with client() as (bybit, stub, _), running(bybit) as heard:
            await heard.until(lambda: any(isinstance(r, AccountReport) for r in heard.events))
            message = fixture("ws_execution_trade")
            for row in message["data"]:
                row["orderLinkId"] = ""
            heard.events.clear()
            await stub.say("private", message)
            await heard.until(lambda: any(isinstance(r, AccountReport) for r in heard.events))
            assert [type(r) for r in heard.events] == [AccountReport]

    asyncio.run(scene())


# --- the market ---------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def listening(source: Any) -> AsyncIterator[Heard]:
    heard = Heard()
    task = asyncio.create_task(source.run(heard))
    try:
        yield heard
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def test_the_sources_tell_their_topics() -> None:
    async def scene() -> None:
        async with serving() as (stub, hosts):
            market = BybitMarket(hosts, depth=50)
            names = [source.name for source in market.sources()]
            assert len(set(names)) == len(names) == 5
            by_name = {source.name: source for source in market.sources()}
            for name, file, kind in (
                ("trades", "publicTrade_LTCUSDT", ev.Trade),
                ("liquidations", "allLiquidation_LTCUSDT", ev.Liquidation),
                ("tickers", "tickers_snapshot_LTCUSDT", ev.Mark),
                ("btc", "kline_BTCUSDT", ev.Bar),
                ("depth", "orderbook50_snapshot_LTCUSDT", ev.Book),
            ):
                before = len(stub.commands)
                async with listening(by_name[f"bybit.{name}"]) as heard:
                    await stub.until(lambda before=before: len(stub.commands) > before)
                    await stub.say("public", fixture(f"ws_{file}"))
                    await heard.until(lambda heard=heard: heard.events)
                    assert isinstance(heard.events[0], kind)
                    assert heard.states[-1] == (f"bybit.{name}", "ok", "")

    asyncio.run(scene())


def test_a_gap_begins_the_book_anew_on_a_new_socket() -> None:
    async def scene() -> None:
        whole, delta = (fixture(f"ws_orderbook50_{k}_LTCUSDT") for k in ("snapshot", "delta"))
        delta["data"]["u"] += 5
        async with serving() as (stub, hosts):
            source = BybitMarket(hosts, depth=50).depth()
            async with listening(source) as heard:
                await stub.until(lambda: len(stub.commands) == 1)
                await stub.say("public", whole)
                await stub.say("public", delta)
                await stub.until(lambda: len(stub.commands) == 2)
                await stub.say("public", whole)
                await heard.until(lambda: len(heard.events) == 2)
                assert any("gap" in detail for _, _, detail in heard.states)

    asyncio.run(scene())


def test_silence_of_a_topic_while_connected_is_told_and_left() -> None:
    async def scene() -> None:
        async with serving() as (stub, hosts):
            source = BybitMarket(hosts, depth=50).depth()
            source.silence_s, source.first_s, source.ping_every_s = 0.1, 5.0, 0.02
            async with listening(source) as heard:
                await stub.until(lambda: stub.commands)
                await stub.say("public", fixture("ws_orderbook50_snapshot_LTCUSDT"))
                await heard.until(lambda: any(state == "stale" for _, state, _ in heard.states))
                assert "silent" in heard.states[-1][2]
                subscribed = sum(c["op"] == "subscribe" for _, c in stub.commands)
                await stub.until(
                    lambda: sum(c["op"] == "subscribe" for _, c in stub.commands) > subscribed
                )

    asyncio.run(scene())


def test_a_topic_that_never_begins_is_told() -> None:
    async def scene() -> None:
        async with serving() as (stub, hosts):
            stub.silent.add("allLiquidation.LTCUSDT")
            source = next(s for s in BybitMarket(hosts).sources() if "liq" in s.name)
            source.first_s = 0.1  # type: ignore[attr-defined]
            async with listening(source) as heard:
                await heard.until(lambda: any("did not begin" in d for _, _, d in heard.states))
                assert not any(state == "ok" for _, state, _ in heard.states)

    asyncio.run(scene())


def test_broken_messages_are_counted_and_the_rest_goes_on() -> None:
    async def scene() -> None:
        async with serving() as (stub, hosts):
            source = next(s for s in BybitMarket(hosts).sources() if "trades" in s.name)
            async with listening(source) as heard:
                await stub.until(lambda: stub.commands)
                broken = json.dumps(fixture("ws_publicTrade_LTCUSDT")).replace("84.10", "nan")
                await stub.sockets["public"][-1].send_str(broken)
                await stub.say("public", fixture("ws_publicTrade_LTCUSDT"))
                await heard.until(lambda: heard.events)
                assert len(heard.bads) == 1

    asyncio.run(scene())


def test_the_past_comes_in_the_order_in_which_it_was_known() -> None:
    def klines(given: dict[str, str]) -> dict[str, Any]:
        body = fixture("rest_kline_LTCUSDT")
        body["result"]["symbol"] = given["symbol"]
        assert int(given["end"]) < 1_795_000_000_000 - 60_000 + 1
        return body

    async def scene() -> list[ev.MarketEvent]:
        async with serving() as (stub, hosts):
            stub.says["/v5/market/kline"] = klines
            return await BybitMarket(hosts).history(10)

    told = asyncio.run(scene())
    assert [e.known_ns for e in told] == sorted(e.known_ns for e in told)
    bars = [e for e in told if isinstance(e, ev.Bar)]
    assert [b.asset for b in bars].count("BTC") == [b.asset for b in bars].count("LTC") == 2
    assert {type(e) for e in told} == {ev.Bar, ev.Funding, ev.OpenInterest}

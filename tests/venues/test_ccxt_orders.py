"""What goes out to each venue for one of our orders, caught at the door."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs

import pytest

from litehedge.errors import VenueDown, VenueRefused, VenueUnknown, WrongSetup
from litehedge.orders.reports import VenueOrder
from litehedge.venues.ccxt_facts import VENUES, order_params, rewritten, venue_named
from litehedge.venues.ccxt_ids import to_venue
from litehedge.venues.ccxt_venue import CcxtClient
from litehedge.venues.keys import Keys

SECRET = "c2VjcmV0c2VjcmV0"


def keys(name: str) -> Keys:
    if name == "hyperliquid":
        return Keys(name, "0x" + "ab" * 20, "0x" + "11" * 32)
    return Keys(name, "key", SECRET, "word")


IDS = {
    "okx": "LTC-USDT-SWAP", "krakenfutures": "PF_LTCUSD", "hyperliquid": "LTC",
    "bitget": "LTCUSDT", "gate": "LTC_USDT", "kucoin": "LTCUSDTM",
    "binanceusdm": "LTCUSDT", "bybit": "LTCUSDT",
}  # fmt: skip
SIZES = {"gate": 0.1, "kucoin": 0.1}
LOTS = {"okx": 0.1, "gate": 1.0, "kucoin": 1.0}
ACCEPTED: dict[str, Any] = {
    "okx": {"code": "0", "data": [{"ordId": "7", "clOrdId": "x", "sCode": "0", "sMsg": ""}]},
    "krakenfutures": {"result": "success", "sendStatus": {"order_id": "7", "status": "placed"}},
    "hyperliquid": {
        "status": "ok",
        "response": {"type": "order", "data": {"statuses": [{"resting": {"oid": 7}}]}},
    },
    "bitget": {"code": "00000", "msg": "success", "data": {"orderId": "7", "clientOid": "x"}},
    "gate": {"id": 7, "status": "open", "size": -20, "left": -20, "contract": "LTC_USDT"},
    "kucoin": {"code": "200000", "data": {"orderId": "7", "clientOid": "x"}},
    "binanceusdm": {"orderId": 7, "symbol": "LTCUSDT", "status": "NEW", "clientOrderId": "x"},
    "bybit": {"retCode": 0, "retMsg": "OK", "result": {"orderId": "7", "orderLinkId": "x"}},
}


def order(**changes: Any) -> VenueOrder:
    base = {
        "client_id": "lh-s1-000042", "buys": False, "position_side": "both",
        "qty_ltc": Decimal("2.0"), "limit_usdt": Decimal("83.15"), "reduce_only": False,
    }  # fmt: skip
    return VenueOrder(**(base | changes))


def market(exchange: Any, name: str) -> dict[str, Any]:
    venue = VENUES[name]
    quote, settle = venue.symbol.split("/")[1].split(":")
    return exchange.safe_market_structure(
        {
            "id": IDS[name], "symbol": venue.symbol, "base": "LTC", "quote": quote,
            "settle": settle, "baseId": "2" if name == "hyperliquid" else "LTC",
            "quoteId": quote, "settleId": settle.lower() if name == "gate" else settle,
            "type": "swap", "spot": False, "margin": False, "swap": True, "future": False,
            "option": False, "active": True, "contract": True, "linear": True, "inverse": False,
            "contractSize": SIZES.get(name, 1.0),
            "precision": {"amount": LOTS.get(name, 0.01), "price": 0.01},
            "limits": {}, "info": {"orderTypes": ["LIMIT", "STOP_MARKET"], "timeInForce": ["IOC"]},
        }
    )  # fmt: skip


async def sent(
    name: str, *orders: VenueOrder, stop: str = "", **settings: Any
) -> list[tuple[str, str, Any]]:
    """Return (method, path, body) of what goes out for orders, or for a stop in their place."""
    client = CcxtClient(name, keys(name), **settings)
    went: list[tuple[str, str, Any]] = []
    from litehedge.venues import ccxt_venue

    exchange = ccxt_venue.make_exchange(client.venue, keys(client.name), None, 1000)
    exchange.set_markets([market(exchange, name)])
    for option in ("uta", "unifiedAccount", "enableUnifiedAccount", "enableUnifiedMargin"):
        exchange.options[option] = option == "enableUnifiedAccount"

    async def catch(url: str, method: str, headers: Any, body: Any) -> Any:
        path, _, query = url.partition("?")
        text = body if isinstance(body, str) and body else query
        value: Any = None
        if text:
            value = (
                json.loads(text)
                if text[0] in "[{"
                else {key: values[0] for key, values in parse_qs(text).items()}
            )
        went.append((method, path, value))
        return ACCEPTED[name]

    async def no_orders(*_: Any) -> list[Any]:
        return []

    if stop:
        exchange.fetch_open_orders = no_orders
    exchange.fetch = catch
    client._exchange = exchange
    client._contract_ltc = Decimal(str(SIZES.get(name, 1.0)))
    for one in orders if stop else ():
        await client.set_protective_stop(one, Decimal(stop))
    for one in () if stop else orders:
        report = await client.place(one)
        assert report.status == "open"
        assert report.client_id == one.client_id
    await client.close()
    return went


def fields(name: str, body: Any) -> dict[str, Any]:
    """The order in one vocabulary."""
    if name == "hyperliquid":
        [raw] = body["action"]["orders"]
        return {
            "id": raw["c"], "sells": not raw["b"], "size": raw["s"], "price": raw["p"],
            "ioc": raw["t"] == {"limit": {"tif": "Ioc"}}, "reduces": raw["r"],
        }  # fmt: skip
    body = body[0] if isinstance(body, list) else body
    first = lambda *keys: next((body[key] for key in keys if key in body), None)  # noqa: E731
    size = str(first("sz", "size", "quantity", "qty"))
    side = str(first("side") or ("sell" if size.startswith("-") else "buy")).lower()
    reduces = first("reduceOnly", "reduce_only")
    tif = first("timeInForce", "force", "tif", "ordType", "orderType")
    return {
        "id": first("clOrdId", "cliOrdId", "clientOid", "text", "newClientOrderId", "orderLinkId"),
        "sells": side == "sell", "size": size.lstrip("-"),
        "price": str(first("px", "limitPrice", "price")), "ioc": str(tif).lower() == "ioc",
        "reduces": str(reduces).lower() in ("true", "yes"),
    }  # fmt: skip


@pytest.mark.parametrize("name", VENUES)
def test_an_order_goes_out_once_exactly_and_never_rests(name: str) -> None:
    went = asyncio.run(sent(name, order(), order(client_id="lh-s1-000043", reduce_only=True)))
    assert len(went) == 2, went  # nothing before the first, nothing twice
    contracts = Decimal("2.0") / Decimal(str(SIZES.get(name, 1)))
    for (_, _, body), reduces, number in zip(went, (False, True), ("42", "43"), strict=True):
        told = fields(name, body)
        assert told["id"] == to_venue(VENUES[name].ids, f"lh-s1-0000{number}")
        assert told["sells"]
        assert Decimal(told["size"]) == contracts
        assert Decimal(told["price"]) == Decimal("83.15")
        assert told["ioc"]
        assert told["reduces"] is reduces


def test_a_leg_is_named_as_each_venue_wants_it() -> None:
    opens = order(position_side="short")
    closes = order(position_side="long", reduce_only=True)

    def bodies(name: str) -> list[Any]:
        return [body for _, _, body in asyncio.run(sent(name, opens, closes, hedge_mode=True))]

    okx = bodies("okx")
    assert [one["posSide"] for one in okx] == ["short", "long"]
    binance = bodies("binanceusdm")
    assert [one["positionSide"] for one in binance] == ["SHORT", "LONG"]
    assert all("reduceOnly" not in one for one in binance)  # the venue refuses it there
    assert [one["positionIdx"] for one in bodies("bybit")] == [2, 1]
    bitget = bodies("bitget")
    assert [one["tradeSide"].lower() for one in bitget] == ["open", "close"]
    assert bitget[1]["side"] == "buy"  # closing a long is side `buy` there, in hedge mode
    assert [one["positionSide"] for one in bodies("kucoin")] == ["SHORT", "LONG"]


@pytest.mark.parametrize("name", VENUES)
@pytest.mark.parametrize("leg", ["both", "long"])
def test_a_stop_waits_for_its_price(name: str, leg: str) -> None:
    """ccxt takes a trigger that it does not understand for none, and sells at once."""
    if leg == "long" and not VENUES[name].hedges:
        return
    closes = order(position_side=leg, reduce_only=True)
    went = asyncio.run(sent(name, closes, stop="71.5", hedge_mode=leg == "long"))
    [(_, path, body)] = [one for one in went if one[0] == "POST"]
    told = json.dumps(body).replace('"true"', "true")
    assert "71.5" in told, (path, told)
    assert "ioc" not in told.lower() or name == "gate"  # there every stop at market is one
    marks = {"okx": '"slTriggerPxType": "mark"', "krakenfutures": '"triggerSignal": "mark"',
             "bitget": '"triggerType": "mark_price"', "gate": '"price_type": 1',
             "kucoin": '"stopPriceType": "MP"', "bybit": '"triggerBy": "MarkPrice"',
             "binanceusdm": '"workingType": "MARK_PRICE"', "hyperliquid": '"tpsl"'}  # fmt: skip
    assert marks[name] in told, told
    reducing = {"okx": '"posSide": "long"' if leg == "long" else '"reduceOnly": true',
                "binanceusdm": '"positionSide": "LONG"' if leg == "long" else "educeOnly",
                "hyperliquid": '"r": true', "gate": '"reduce_only": true',
                "bitget": "holdSide"}  # fmt: skip
    assert reducing.get(name, '"reduceOnly": true') in told, told


@pytest.mark.parametrize("name", ["krakenfutures", "hyperliquid"])
def test_a_venue_that_nets_takes_no_legs(name: str) -> None:
    with pytest.raises(WrongSetup, match="nets"):
        asyncio.run(sent(name, order(position_side="short")))
    with pytest.raises(WrongSetup, match="hedge mode"):
        asyncio.run(CcxtClient(name, keys(name), hedge_mode=True).open())


def test_margin_mode_and_leverage_are_not_left_to_defaults() -> None:
    [(_, _, kucoin)] = asyncio.run(sent("kucoin", order(), leverage=7))
    assert (kucoin["leverage"], kucoin["marginMode"]) == (7, "CROSS")
    [(_, _, bitget)] = asyncio.run(sent("bitget", order()))
    assert bitget["marginMode"] == "crossed"
    [(_, _, okx)] = asyncio.run(sent("okx", order(), isolated=True))
    assert okx["tdMode"] == "isolated"


def test_what_is_not_on_the_grid_is_refused_instead_of_rounded() -> None:
    for bad in (
        order(qty_ltc=Decimal("2.05")), order(qty_ltc=Decimal(0)),
        order(limit_usdt=Decimal("83.155")),
    ):  # fmt: skip
        with pytest.raises(VenueRefused):
            asyncio.run(sent("okx", bad))


def test_hyperliquid_approves_no_builder_and_pays_none() -> None:
    [(_, _, body)] = asyncio.run(sent("hyperliquid", order()))
    assert "builder" not in body["action"]


def test_keys_are_not_shown() -> None:
    assert SECRET not in repr(keys("okx"))
    with pytest.raises(WrongSetup, match="password") as raised:
        asyncio.run(CcxtClient("okx", Keys("okx", "key", "hush")).open())
    assert "hush" not in str(raised.value)


def test_an_unknown_venue_is_named() -> None:
    with pytest.raises(WrongSetup, match="okx"):
        venue_named("bitmex")


def test_order_params_are_the_same_for_the_same_order() -> None:
    for venue in VENUES.values():
        first = order_params(venue, order(), isolated=False, leverage=3)
        assert first == order_params(venue, order(), isolated=False, leverage=3)


@pytest.mark.parametrize("name", VENUES)
def test_no_host_remains(name: str) -> None:
    """A test that talks to a fake venue must not be able to talk to a real one."""
    from litehedge.venues.ccxt_venue import make_exchange

    def rewrite(urls: Any) -> Any:
        return rewritten(urls, "http://127.0.0.1:1", "ws://127.0.0.1:1")

    exchange = make_exchange(VENUES[name], keys(name), rewrite, 1000)

    def leaves(tree: Any) -> list[str]:
        if isinstance(tree, dict):
            return [leaf for value in tree.values() for leaf in leaves(value)]
        return [tree] if isinstance(tree, str) else []

    addresses = leaves(exchange.urls["api"])
    assert addresses
    assert all("//127.0.0.1:1" in address for address in addresses if "//" in address)
    asyncio.run(exchange.close())


def test_a_bare_exchange_error_leaves_the_outcome_unknown() -> None:
    import ccxt

    async def play() -> None:
        client = CcxtClient("okx", keys("okx"))
        from litehedge.venues import ccxt_venue

        exchange = ccxt_venue.make_exchange(client.venue, keys(client.name), None, 1000)
        exchange.set_markets([market(exchange, "okx")])

        async def refuse(*_: Any) -> Any:
            raise ccxt.ExchangeError('okx {"code":"1","data":[{"sCode":"59999"}]}')

        exchange.fetch = refuse
        client._exchange = exchange
        with pytest.raises(VenueUnknown) as raised:
            await client.place(order())
        assert raised.value.code == "59999"
        assert client.unsettled() == ["lh-s1-000042"]
        await client.close()

    asyncio.run(play())


def test_the_account_on_kraken() -> None:
    """Collateral of many kinds, one net position, and no leverage told."""
    answers = {
        "accounts": {"result": "success", "serverTime": "2026-11-18T11:06:40.000Z", "accounts": {
            "flex": {"type": "multiCollateralMarginAccount", "currencies": {},
                     "balanceValue": "1000.5", "portfolioValue": "1012", "pnl": "11.5"}}},
        "openpositions": {"result": "success", "openPositions": [
            {"side": "short", "symbol": "PF_LTCUSD", "price": 84.2, "size": 3.5,
             "fillTime": "2026-11-18T11:06:40.000Z", "unrealizedFunding": 0.0}]},
    }  # fmt: skip

    async def play() -> Any:
        client = CcxtClient("krakenfutures", keys("krakenfutures"), leverage=3)
        from litehedge.venues import ccxt_venue

        exchange = ccxt_venue.make_exchange(client.venue, keys(client.name), None, 1000)
        exchange.set_markets([market(exchange, "krakenfutures")])

        async def answer(url: str, *_: Any) -> Any:
            return answers[url.rpartition("/")[2]]

        exchange.fetch = answer
        client._exchange = exchange
        account = await client.account()
        answers["accounts"] = {"result": "success", "accounts": {"flex": {}}}
        with pytest.raises(VenueDown, match="balance"):
            await client.account()
        await client.close()
        return account

    account = asyncio.run(play())
    assert account.wallet_usdt == Decimal("1000.5")
    [held] = account.legs
    assert (held.qty_ltc, held.entry_usdt, held.leverage) == (
        Decimal("-3.5"), Decimal("84.2"), Decimal(3),
    )  # fmt: skip


@pytest.mark.parametrize("name", VENUES)
def test_an_order_is_asked_for_by_our_id(name: str) -> None:
    """An answer that names no order is never taken for one that is open."""
    answers: dict[str, Any] = {
        "hyperliquid": {"status": "unknownOid"}, "bybit": {"retCode": 0, "result": {"list": []}},
        "krakenfutures": {"result": "success", "orders": [], "fills": []},
    }  # fmt: skip
    went: list[str] = []

    async def play() -> Any:
        from litehedge.venues import ccxt_venue

        client = CcxtClient(name, keys(name))
        exchange = ccxt_venue.make_exchange(client.venue, keys(client.name), None, 1000)
        exchange.set_markets([market(exchange, name)])
        for option in ("uta", "unifiedAccount", "enableUnifiedAccount", "enableUnifiedMargin"):
            exchange.options[option] = option == "enableUnifiedAccount"

        async def answer(url: str, method: str, headers: Any, body: Any) -> Any:
            went.append(f"{url} {body}")
            return answers.get(name, {"code": "200000", "data": {}})

        exchange.fetch = answer
        client._exchange = exchange
        try:
            return (await client.order("lh-s1-000042")).status
        except VenueDown:
            return "asked again"
        finally:
            await client.close()

    assert asyncio.run(play()) == ("missing" if name in answers else "asked again")
    assert to_venue(VENUES[name].ids, "lh-s1-000042") in went[0]


def test_an_order_that_meets_nobody_ended_and_was_not_refused() -> None:
    async def play() -> Any:
        from litehedge.venues import ccxt_venue

        client = CcxtClient("krakenfutures", keys("krakenfutures"))
        exchange = ccxt_venue.make_exchange(client.venue, keys(client.name), None, 1000)
        exchange.set_markets([market(exchange, "krakenfutures")])

        async def answer(*_: Any) -> Any:
            return {"result": "success", "sendStatus": {"status": "iocWouldNotExecute"}}

        exchange.fetch = answer
        client._exchange = exchange
        report = await client.place(order())
        await client.close()
        return report, client.unsettled()

    report, unsettled = asyncio.run(play())
    assert (report.status, report.filled_ltc, unsettled) == ("expired", 0, [])


def test_ccxt_is_imported_only_when_it_is_needed() -> None:
    """It takes seconds, and most of those who import litehedge never trade."""
    code = "import sys, litehedge.venues.ccxt_feed; sys.exit('ccxt' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

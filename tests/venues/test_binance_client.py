"""Our account on Binance, over real sockets on loopback."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from decimal import Decimal

import pytest
from binance_samples import fixture
from binance_stub import KEYS, Out, running, stub, until

from litehedge.errors import VenueDown, VenueRefused, VenueUnknown, WrongSetup
from litehedge.orders.reports import AccountReport, OrderReport, VenueOrder
from litehedge.ports import VenueClient
from litehedge.venues.binance import BinanceClient
from litehedge.venues.binance_link import Quiet, sign
from litehedge.venues.keys import Keys

HEDGE = VenueOrder("lh-a-000001", False, "short", Decimal("10.000"), Decimal("83.90"), False)
STOP = VenueOrder("", False, "long", Decimal("10"), Decimal(0), True)


@asynccontextmanager
async def opened(**options):
    async with stub() as venue:
        client: VenueClient = BinanceClient(KEYS, hosts=venue.hosts, **options)
        await client.open()
        try:
            yield venue, client
        finally:
            await client.close()


def test_keys_are_never_shown():
    keys = Keys("binance", "AKEY", "ASECRET")
    client = BinanceClient(keys)
    assert "AKEY" not in f"{keys!r} {keys} {client!r} {vars(client)}"
    assert "ASECRET" not in f"{keys!r} {keys} {client!r} {vars(client)}"


def test_the_signature_is_that_of_the_documentation():
    # The example in "General Info / SIGNED Endpoint Examples" of the Binance documentation.
    keys = Keys("binance", "", "2b5eb11e18796d12d88f13dc27dbbd02c2cc51ff7059765ed9821957d82bb4d9")
    text = (
        "symbol=BTCUSDT&side=BUY&type=LIMIT&quantity=1&price=9000&timeInForce=GTC"
        "&recvWindow=5000&timestamp=1591702613943"
    )
    assert sign(keys, text) == "3c661234138461fcc7a7d8746c6558c9842d4e10870d2ecbedf7777cad694af9"


def test_the_listen_key_is_not_told_in_health():
    quiet, out = Quiet(), Out()
    quiet.out, quiet.secret = out, "abc123"
    quiet.health("binance.user", "down", "404, url='ws://x/private/ws?listenKey=abc123&events=A'")
    assert "abc123" not in out.states[0][2]


def test_contract_and_account():
    async def main():
        async with opened() as (_, client):
            contract = await client.contract()
            assert (contract.symbol, contract.is_trading) == ("LTCUSDT", True)
            account = await client.account()
            assert account.can_withdraw is False
            assert account.wallet_usdt == Decimal("9999.7983")

    asyncio.run(main())


def test_an_order_goes_over_the_kept_socket():
    async def main():
        async with opened() as (venue, client):
            got = await client.place(HEDGE)
            assert (got.client_id, got.status, got.filled_ltc) == (
                "lh-a-000001", "expired", Decimal(6)
            )  # fmt: skip
            assert got.notional_usdt.is_nan()
            (sent,) = venue.ws_asked
            assert sent["method"] == "order.place"
            assert isinstance(sent["params"]["timestamp"], int)
            assert sent["params"]["quantity"] == "10.000"
            text = "&".join(
                f"{k}={v}" for k, v in sorted(sent["params"].items()) if k != "signature"
            )
            assert sent["params"]["signature"] == sign(KEYS, text)
            assert venue.count("POST", "/fapi/v1/order") == 0

    asyncio.run(main())


def test_an_order_goes_over_http_while_the_socket_is_not_there():
    async def main():
        async with opened() as (venue, client):
            await client._links[1].stop()
            assert (await client.place(HEDGE)).status == "expired"
            assert venue.count("POST", "/fapi/v1/order") == 1
            assert venue.ws_asked == []

    asyncio.run(main())


def test_an_order_whose_answer_was_lost_is_unknown_and_not_sent_again():
    async def main():
        async with opened() as (venue, client):
            venue.mute_ws = True
            with pytest.raises(VenueUnknown, match="broke"):
                await client.place(HEDGE)
            assert len(venue.ws_asked) == 1
            assert venue.count("POST", "/fapi/v1/order") == 0

    asyncio.run(main())


def test_refusals_over_the_socket_and_what_comes_after():
    async def main():
        async with opened() as (venue, client):
            venue.ws_answers = [
                (503, {"code": -1008, "msg": "Request throttled by system-level protection."}),
                (400, {"code": -1021, "msg": "Timestamp."}),
                (503, {"code": -1007, "msg": "Timeout waiting for response."}),
                (400, {"code": -1021, "msg": "Timestamp."}),
                (400, {"code": -1021, "msg": "Timestamp."}),
            ]
            with pytest.raises(VenueRefused) as refused:
                await client.place(HEDGE)
            assert refused.value.raises_only
            clocks = venue.count("GET", "/fapi/v1/time")
            with pytest.raises(VenueUnknown):  # sent again after the clocks were compared
                await client.place(HEDGE)
            assert venue.count("GET", "/fapi/v1/time") == clocks + 1
            with pytest.raises(WrongSetup, match="clock"):  # twice: the clock is really wrong
                await client.place(HEDGE)

    asyncio.run(main())


def test_an_id_that_is_there_already_is_asked_for():
    async def main():
        async with opened() as (venue, client):
            venue.ws_answers = [(400, {"code": -4116, "msg": "clientOrderId is duplicated"})]
            order = fixture("rest_order_ack_IOC_LTCUSDT") | {
                "clientOrderId": "lh-a-000001", "status": "FILLED", "executedQty": "10.000",
                "avgPrice": "84.00", "cumQuote": "840.00",
            }  # fmt: skip
            venue.on("GET", "/fapi/v1/order", 200, order)
            got = await client.place(HEDGE)
            assert (got.status, got.notional_usdt) == ("filled", Decimal(840))

    asyncio.run(main())


def test_an_order_that_binance_does_not_know_is_missing():
    async def main():
        async with opened() as (venue, client):
            venue.on("GET", "/fapi/v1/order", 400, {"code": -2013, "msg": "Order does not exist."})
            assert (await client.order("lh-a-000001")).status == "missing"

    asyncio.run(main())


@pytest.mark.parametrize(
    ("code", "error"), [(-2015, WrongSetup), (-2014, WrongSetup), (-1022, WrongSetup)]
)
def test_a_wrong_key_is_told_at_the_start(code, error):
    async def main():
        async with stub() as venue:
            venue.on("GET", "/fapi/v1/accountConfig", 401, {"code": code, "msg": "Invalid key."})
            client = BinanceClient(KEYS, hosts=venue.hosts)
            await client.open()
            try:
                with pytest.raises(error, match="check key") as told:
                    await client.account()
                assert "the-key" not in str(told.value)
                assert "position" in str(told.value)
            finally:
                await client.close()

    asyncio.run(main())


def test_a_clock_that_is_off_is_measured_and_allowed_for():
    async def main():
        async with stub() as venue:
            venue.skew_ms = -7000  # Binance's clock is behind ours, by more than the window
            client = BinanceClient(KEYS, hosts=venue.hosts)
            await client.open()
            try:
                assert abs(await client.clock_skew_ms() - 7000) < 2000
                await client.account()  # signed with Binance's time
            finally:
                await client.close()

    asyncio.run(main())


def test_a_clock_that_moved_is_compared_again():
    async def main():
        async with opened() as (venue, client):
            venue.skew_ms = 60_000
            await client.account()
            assert abs(await client.clock_skew_ms() + 60_000) < 2000

    asyncio.run(main())


def test_after_a_429_nothing_is_asked_until_it_may_be():
    async def main():
        async with opened() as (venue, client):
            venue.on("GET", "/fapi/v1/openOrders", 429, {"code": -1003, "msg": "Too many."})
            with pytest.raises(VenueDown):
                await client.open_orders()
            asked = len(venue.asked)
            with pytest.raises(VenueDown, match="wait"):
                await client.open_orders()
            with pytest.raises(VenueDown, match="wait"):
                await client.place(HEDGE)
            assert len(venue.asked) == asked
            assert venue.ws_asked == []

    asyncio.run(main())


def test_settings_that_are_so_already_are_no_error():
    async def main():
        async with opened() as (venue, client):
            venue.on("POST", "/fapi/v1/positionSide/dual", 400, {"code": -4059, "msg": "No need."})
            await client.set_hedge_mode(True)
            await client.set_leverage(10)
            assert await client.arm_dead_man(120_000)
            await client.cancel_all()
            sent = {path: params for _, path, params in venue.asked}
            assert "symbol" not in sent["/fapi/v1/positionSide/dual"]
            assert sent["/fapi/v1/leverage"]["leverage"] == "10"
            assert sent["/fapi/v1/countdownCancelAll"]["countdownTime"] == "120000"
            assert venue.stops == {}
            venue.on("POST", "/fapi/v1/positionSide/dual", 400, {"code": -4068, "msg": "Position."})
            with pytest.raises(WrongSetup, match="mode"):
                await client.set_hedge_mode(True)

    asyncio.run(main())


# --- protective stops ---------------------------------------------------------------------------


@pytest.mark.parametrize("qty", [Decimal(10), Decimal(0)], ids=["quantity", "closes all"])
def test_a_stop_is_replaced_without_a_moment_without_one(qty):
    async def main():
        async with opened() as (venue, client):
            venue.on("GET", "/fapi/v3/positionRisk", 200, [
                {"symbol": "LTCUSDT", "positionSide": "LONG", "positionAmt": "12.5",
                 "entryPrice": "84"},
            ])  # fmt: skip
            order = VenueOrder("", False, "long", qty, Decimal(0), True)
            await client.set_protective_stop(order, Decimal("80.5"))
            assert venue.stops
            for trigger in ("81.0", "81.5"):
                await client.set_protective_stop(order, Decimal(trigger))
                (held,) = venue.stops.values()
                assert held["triggerPrice"] == trigger
                assert held["closePosition"] is (qty == 0)
            assert venue.least_stops >= 1
            armed = venue.count("POST", "/fapi/v1/algoOrder")
            await client.set_protective_stop(order, Decimal("81.5"))  # as it is: nothing is sent
            assert venue.count("POST", "/fapi/v1/algoOrder") == armed

    asyncio.run(main())


def test_a_stop_that_cannot_be_armed_leaves_the_old_one():
    async def main():
        async with opened() as (venue, client):
            await client.set_protective_stop(STOP, Decimal("80.5"))
            venue.on("POST", "/fapi/v1/algoOrder", 400, {"code": -2021, "msg": "Would trigger."})
            with pytest.raises(VenueRefused, match="trigger"):
                await client.set_protective_stop(STOP, Decimal("85"))
            venue.on("POST", "/fapi/v1/algoOrder", 503, {"msg": "Unknown error, please check"})
            with pytest.raises(VenueUnknown):
                await client.set_protective_stop(STOP, Decimal("82"))
            (held,) = venue.stops.values()
            assert held["triggerPrice"] == "80.5"

    asyncio.run(main())


def test_a_stop_whose_answer_was_lost_is_looked_for():
    async def main():
        async with opened() as (venue, client):
            await client.set_protective_stop(STOP, Decimal("80.5"))

            def armed_but_silent(params):
                venue.arm(params)
                return 503, {"msg": "Unknown error, please check"}

            venue.answers["POST", "/fapi/v1/algoOrder"] = armed_but_silent
            await client.set_protective_stop(STOP, Decimal("82"))
            (held,) = venue.stops.values()
            assert held["triggerPrice"] == "82"

    asyncio.run(main())


def test_the_stop_of_the_other_leg_is_left_alone():
    async def main():
        async with opened() as (venue, client):
            await client.set_protective_stop(STOP, Decimal("80.5"))
            short = VenueOrder("", True, "short", Decimal(5), Decimal(0), True)
            await client.set_protective_stop(short, Decimal("90"))
            await client.set_protective_stop(STOP, Decimal("81"))
            assert {s["triggerPrice"] for s in venue.stops.values()} == {"81", "90"}

    asyncio.run(main())


# --- the user stream ----------------------------------------------------------------------------


def test_the_account_is_told_after_every_connection_then_what_happens():
    async def main():
        async with opened() as (venue, client):
            told, out = [], Out()
            async with running(client.run(told.append, out)):
                await until(lambda: told and venue.users)
                assert isinstance(told[0], AccountReport)
                for message in fixture("uds_order_sequence_IOC_partial_then_expired"):
                    await venue.users[0].send_json(message)
                await until(lambda: len(told) == 4)
                assert [r.status for r in told[1:]] == ["open", "open", "expired"]
                await venue.users[0].send_str("{broken")
                await until(lambda: out.wrong)
                await until(lambda: isinstance(told[-1], AccountReport))  # it may have mattered
                await venue.users[0].close()
                await until(lambda: len(venue.users) == 2)
                await until(lambda: isinstance(told[-1], AccountReport))
            assert venue.keys == 2
            assert not any("key1" in detail for _, _, detail in out.states)

    asyncio.run(main())


def test_a_liquidation_of_ours_is_told_and_the_account_asked_for():
    async def main():
        async with opened() as (venue, client):
            told = []
            async with running(client.run(told.append, Out())):
                await until(lambda: told and venue.users)
                before = venue.count("GET", "/fapi/v3/balance")
                for message in fixture("uds_order_liquidation_autoclose"):
                    await venue.users[0].send_json(message)
                await until(lambda: venue.count("GET", "/fapi/v3/balance") > before)
                await until(lambda: len(told) >= 3)
            kinds = [type(report).__name__ for report in told[:3]]
            assert kinds == ["AccountReport", "ForcedReport", "AccountReport"]

    asyncio.run(main())


def test_a_listen_key_that_ends_is_replaced():
    async def main():
        async with opened() as (venue, client):
            told, out = [], Out()
            async with running(client.run(told.append, out)):
                await until(lambda: told and venue.users)
                await venue.users[0].send_json(fixture("uds_listenKeyExpired"))
                await until(lambda: len(venue.users) == 2 and len(told) == 2)
            assert venue.keys == 2

    asyncio.run(main())


def test_a_listen_key_is_kept_alive_and_replaced_when_it_is_gone():
    async def main():
        async with opened(keep_key_s=0.05) as (venue, client):
            told = []
            async with running(client.run(told.append, Out())):
                await until(lambda: venue.count("PUT", "/fapi/v1/listenKey") >= 2)
                assert venue.keys == 1
                gone = {"code": -1125, "msg": "This listenKey does not exist."}
                venue.on("PUT", "/fapi/v1/listenKey", 400, gone)
                await until(lambda: venue.keys >= 2)

    asyncio.run(main())


def test_a_key_that_is_taken_away_does_not_end_the_listening():
    async def main():
        async with opened() as (venue, client):
            told, out = [], Out()
            venue.on("POST", "/fapi/v1/listenKey", 401, {"code": -2015, "msg": "Invalid API-key."})
            async with running(client.run(told.append, out)) as task:
                await until(lambda: any("Invalid API-key" in d for _, _, d in out.states))
                assert not task.done()
                del venue.answers["POST", "/fapi/v1/listenKey"]
                await until(lambda: told)
            assert not isinstance(told[0], OrderReport)

    asyncio.run(main())

"""One client for any venue: the right one, below its limits, with its own keys only."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest

from litehedge.errors import WrongSetup
from litehedge.exchange.server import FakeExchange
from litehedge.live.clients import VENUES, client_for
from litehedge.live.places import TESTNET, Places
from litehedge.live.sources import VENUES as HEARD
from litehedge.orders.reports import VenueOrder
from litehedge.venues import binance, bybit
from litehedge.venues.ccxt_venue import CcxtClient, make_exchange
from litehedge.venues.keys import Keys
from litehedge.venues.limiter import Waiter


@pytest.mark.parametrize("venue", VENUES)
def test_every_venue_has_a_client(venue: str) -> None:
    client = client_for(venue, Keys(venue, "key-of-mine", "hush-hush", "word"))
    assert client.name == venue
    assert "hush" not in repr(client)
    if isinstance(client, CcxtClient):
        assert isinstance(client._limiter, Waiter)


def test_venues_that_are_heard_are_those_that_are_traded_on() -> None:
    assert set(HEARD) == set(VENUES)


def test_wrong_names_and_keys_are_told() -> None:
    with pytest.raises(WrongSetup, match="no venue is called 'mtgox'"):
        client_for("mtgox", Keys("mtgox", "k", "s"))
    with pytest.raises(WrongSetup, match="keys of bybit, not of okx"):
        client_for("okx", Keys("bybit", "k", "s"))


def test_a_testnet_is_another_place() -> None:
    native = client_for("binance", Keys("binance", "k", "s"), testnet=True)
    assert native._hosts == TESTNET.binance  # type: ignore[attr-defined]

    async def ccxt_goes(venue: str) -> str:
        client = client_for(venue, Keys(venue, "k", "s", "p"), testnet=True)
        assert isinstance(client, CcxtClient)
        exchange = make_exchange(client.venue, None, None, 1000, testnet=client._testnet)
        try:
            return str(exchange.urls["api"])
        finally:
            await exchange.close()

    assert "demo" in asyncio.run(ccxt_goes("krakenfutures"))


@pytest.mark.parametrize("venue", ["binance", "bybit"])
def test_an_order_goes_to_the_place_that_is_given(venue: str) -> None:
    async def work() -> None:
        async with FakeExchange(venues=("binance", "bybit")) as fake:
            ws = fake.ws_url
            places = Places(
                binance=binance.Hosts(fake.url, fake.url, ws, ws + "/ws-fapi/v1"),
                bybit=bybit.Hosts(
                    fake.url, ws + "/v5/public/linear", ws + "/v5/private", ws + "/v5/trade"
                ),
            )
            client = client_for(venue, Keys(venue, "key", "secret"), places=places)
            await client.open()
            try:
                qty, limit = Decimal(2), Decimal("84.5")
                await client.place(VenueOrder("lh-t-000001", True, "long", qty, limit, False))
                report = await client.order("lh-t-000001")
                assert (report.status, report.filled_ltc) == ("filled", qty)
            finally:
                await client.close()
            other = "bybit" if venue == "binance" else "binance"
            assert fake.truth(venue).qty_ltc("long") == 2  # type: ignore[arg-type]
            assert fake.truth(other).orders == ()  # type: ignore[arg-type]

    asyncio.run(asyncio.wait_for(work(), 30))

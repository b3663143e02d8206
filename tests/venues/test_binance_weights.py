"""What requests cost of Binance's limits, and that the client waits below them."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest
from binance_stub import KEYS, stub
from hypothesis import given
from hypothesis import strategies as st

from litehedge.errors import VenueDown
from litehedge.orders.reports import VenueOrder
from litehedge.venues.binance import BinanceClient
from litehedge.venues.binance_weights import costs, is_urgent, used
from litehedge.venues.limits import LIMITS

RULES = {rule.name: rule.limit for rule in LIMITS["binance"].rules}
PATHS = st.sampled_from(
    ["/fapi/v1/order", "/fapi/v1/algoOrder", "/fapi/v1/openOrders", "/fapi/v1/depth", "/new",
     "/fapi/v1/klines", "/fapi/v1/commissionRate"]
)  # fmt: skip
TEN_AT_84 = (Decimal("10"), Decimal("84"))
METHODS = st.sampled_from(["GET", "POST", "PUT", "DELETE"])


@given(METHODS, PATHS, st.dictionaries(st.sampled_from(["symbol", "limit"]), st.integers(1, 5000)))
def test_every_request_costs_something_that_the_usual_lane_can_spend(method, path, params):
    spent = costs(method, path, params)
    assert spent
    for rule, cost in spent.items():
        assert 0.0 < cost <= 0.8 * RULES[rule]


@given(st.dictionaries(st.sampled_from(["x-mbx-used-weight-1m", "x-mbx-order-count-10s", "date"]),
                       st.text(max_size=20)))  # fmt: skip
def test_whatever_an_answer_says_is_read_or_left(headers):
    for rule, value in used(headers).items():
        assert rule in RULES
        assert 0.0 <= value <= 1e6


def test_orders_and_stops_count_as_orders_and_the_rest_as_weight():
    assert costs("POST", "/fapi/v1/algoOrder", {}) == {"orders_10s": 1.0, "orders_1m": 1.0}
    assert costs("GET", "/fapi/v1/order", {}) == {"weight": 1.0}
    assert costs("GET", "/fapi/v1/depth", {"limit": 1000}) == {"weight": 20.0}
    assert costs("GET", "/fapi/v1/klines", {"limit": 1500}) == {"weight": 10.0}
    assert costs("GET", "/fapi/v1/openOrders", {}) == {"weight": 40.0}
    assert is_urgent("POST", "/fapi/v1/order")
    assert is_urgent("DELETE", "/fapi/v1/algoOrder")
    assert not is_urgent("GET", "/fapi/v3/balance")


def test_what_polls_have_used_up_does_not_hold_up_an_order_or_a_cancel():
    async def main():
        async with stub() as venue:
            client = BinanceClient(KEYS, hosts=venue.hosts)
            await client.open()
            rest = client._rest
            rest._patience_s = 0.05
            try:
                rest.waiter.told("weight", 2000.0)  # others behind the address
                asked = len(venue.asked)
                with pytest.raises(VenueDown, match="limits are used up"):
                    await client.account()
                assert len(venue.asked) == asked
                order = VenueOrder("lh-a-1", False, "short", *TEN_AT_84, False)
                assert (await client.place(order)).client_id == "lh-a-1"
                await client.cancel_all()
                assert rest.waiter.limiter.used("orders_10s", rest.waiter.now_s()) == 1.0
            finally:
                await client.close()

    asyncio.run(main())


def test_what_answers_say_is_used_counts():
    async def main():
        async with stub() as venue:
            venue.headers = {"X-MBX-USED-WEIGHT-1M": "1234", "X-MBX-ORDER-COUNT-10S": "7"}
            client = BinanceClient(KEYS, hosts=venue.hosts)
            await client.open()
            try:
                await client.account()
                waiter = client._rest.waiter
                now_s = waiter.now_s()
                assert waiter.limiter.used("weight", now_s) >= 1234.0
                assert waiter.limiter.used("orders_10s", now_s) >= 7.0
            finally:
                await client.close()

    asyncio.run(main())

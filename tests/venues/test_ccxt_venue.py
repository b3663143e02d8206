"""The real ccxt against a fake OKX on loopback: what is read, and what becomes of an order."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import pytest
from fake_okx import FakeOkx

from litehedge.errors import VenueDown, VenueRefused, VenueUnknown, WrongSetup
from litehedge.orders.reports import AccountReport, LegReport, OrderReport, VenueOrder
from litehedge.units import NS_PER_MS
from litehedge.venues.ccxt_venue import CcxtClient, Unlimited
from litehedge.venues.keys import Keys
from litehedge.venues.limits import LIMITS

KEYS = Keys("okx", "key", "hush-hush", "word")


def order(number: int = 1, **changes: Any) -> VenueOrder:
    base = {
        "client_id": f"lh-s1-{number:06d}", "buys": False, "position_side": "both",
        "qty_ltc": Decimal("2.0"), "limit_usdt": Decimal("83.15"), "reduce_only": False,
    }  # fmt: skip
    return VenueOrder(**(base | changes))


def play(
    act: Callable[[CcxtClient, FakeOkx], Awaitable[Any]], *, timeout_ms: int = 5000, **settings: Any
) -> Any:
    async def run() -> Any:
        async with FakeOkx() as fake:
            client = CcxtClient(
                "okx", KEYS, rewrite=fake.rewrite, timeout_ms=timeout_ms, **settings
            )
            await client.open()
            try:
                return await act(client, fake)
            finally:
                await client.close()

    return asyncio.run(run())


def test_the_contract_as_the_venue_states_it() -> None:
    async def act(client: CcxtClient, fake: FakeOkx) -> Any:
        return await client.contract()

    contract = play(act)
    assert (contract.venue, contract.symbol) == ("okx", "LTC-USDT-SWAP")
    assert (contract.tick_usdt, contract.lot_ltc) == (Decimal("0.01"), Decimal("0.1"))
    assert (contract.taker_fee, contract.maker_fee) == (Decimal("0.0005"), Decimal("0.0002"))
    assert contract.funding_interval_h == 4.0
    price = Decimal("84.10")  # tiers are told in contracts
    first, second = contract.tiers
    assert first == (Decimal(0), 100 * price, Decimal(50), Decimal("0.01"), Decimal(0))
    assert second[0] == 100 * price
    assert second[4] == 100 * price * Decimal("0.01")  # both rates charge the same at the step


def test_the_account_without_unrealised_profit() -> None:
    async def act(client: CcxtClient, fake: FakeOkx) -> Any:
        return await client.account()

    account = play(act)
    assert account.wallet_usdt == Decimal(1000)  # ccxt's total is 1012
    assert not account.hedge_mode
    assert account.legs == [
        LegReport(
            "both", Decimal("-3.5"), Decimal("84.2"), Decimal(5), False,
            liquidation_usdt=Decimal("101.5"),
        )
    ]  # fmt: skip


def test_an_order_is_sent_once_and_found_again() -> None:
    async def act(client: CcxtClient, fake: FakeOkx) -> Any:
        sent = await client.place(order())
        assert client.unsettled() == ["lh-s1-000001"]
        found = await client.order("lh-s1-000001")
        assert client.unsettled() == []
        return sent, found, await client.order("lh-s1-000009"), fake

    sent, found, unknown, fake = play(act)
    assert (sent.status, sent.filled_ltc) == ("open", Decimal(0))
    assert found == OrderReport(
        "lh-s1-000001", "expired", Decimal("1.5"), Decimal("1.5") * Decimal("83.2"),
        Decimal("0.0624"), "", 1_795_000_000_005 * 10**6,
    )  # fmt: skip
    assert unknown == OrderReport("lh-s1-000009", "missing")
    assert fake.asked.count("POST /api/v5/trade/order") == 1
    [(spelt, told)] = fake.orders.items()
    assert spelt == "lhZs1Z000001"
    assert (told["sz"], told["px"], told["ordType"]) == ("2", "83.15", "ioc")


@pytest.mark.parametrize("fault", ["silent", "broken", "503", "nonsense"])
def test_no_answer_after_it_was_accepted_is_unknown_and_not_sent_again(fault: str) -> None:
    async def act(client: CcxtClient, fake: FakeOkx) -> Any:
        fake.fault = fault
        with pytest.raises(VenueUnknown) as raised:
            await client.place(order())
        assert "hush" not in str(raised.value)
        fake.fault = ""
        return await client.order("lh-s1-000001"), fake

    found, fake = play(act, timeout_ms=700)
    assert found.filled_ltc == Decimal("1.5")
    assert fake.asked.count("POST /api/v5/trade/order") == 1


def test_a_duplicate_id_is_no_refusal() -> None:
    """The order is there: saying that it was refused would have it hedged twice."""

    async def act(client: CcxtClient, fake: FakeOkx) -> None:
        await client.place(order())
        with pytest.raises(VenueUnknown, match="there already") as raised:
            await client.place(order())
        assert raised.value.code == "51016"

    play(act)


def test_refusals_are_told_apart() -> None:
    async def act(client: CcxtClient, fake: FakeOkx) -> None:
        fake.fault = "no money"
        with pytest.raises(VenueRefused) as refused:
            await client.place(order())
        assert refused.value.raises_only
        assert refused.value.code == "51008"
        fake.fault = "wrong key"
        with pytest.raises(WrongSetup, match="keys"):
            await client.place(order(2))
        fake.fault = "busy"
        with pytest.raises(VenueDown, match="busy"):
            await client.place(order(3))
        assert client.unsettled() == []
        assert fake.orders == {}

    play(act)


def test_nobody_there_is_down() -> None:
    async def act(client: CcxtClient, fake: FakeOkx) -> None:
        await fake.__aexit__()
        with pytest.raises(VenueDown):
            await client.account()  # on the connection that was kept
        with pytest.raises(VenueDown, match="network"):
            await client.place(order())  # on a new one: it never went out
        assert client.unsettled() == []

    async def run() -> None:
        fake = await FakeOkx().__aenter__()
        client = CcxtClient("okx", KEYS, rewrite=fake.rewrite)
        await client.open()
        try:
            await act(client, fake)
        finally:
            await client.close()

    asyncio.run(run())


def test_the_dead_man_switch_keeps_to_the_venues_range() -> None:
    async def act(client: CcxtClient, fake: FakeOkx) -> list[str]:
        for after_ms in (1_000, 60_000, 10**7, 0):
            assert await client.arm_dead_man(after_ms)
        return fake.deadman

    assert [str(told) for told in play(act)] == ["10", "60", "120", "0"]


def test_a_switch_that_takes_the_stop_with_it_is_not_armed() -> None:
    client = CcxtClient("krakenfutures", KEYS)
    client._has_stop = True
    assert not asyncio.run(client.arm_dead_man(60_000))
    assert not asyncio.run(CcxtClient("bitget", KEYS).arm_dead_man(60_000))


def test_emergencies_are_told_to_the_limiter() -> None:
    waits: list[tuple[str, bool]] = []

    class Limit(Unlimited):
        async def wait(self, cost: str, emergency: bool = False) -> None:
            waits.append((cost, emergency))

    async def act(client: CcxtClient, fake: FakeOkx) -> None:
        await client.place(order())
        await client.cancel_all()
        await client.account()

    play(act, limiter=Limit())
    assert waits == [("order", True), ("query", True), ("account", False)]


def test_a_venue_that_is_asked_too_often_is_left_alone() -> None:
    waiter = LIMITS["okx"].waiter()

    async def act(client: CcxtClient, fake: FakeOkx) -> bool:
        async def refuse(*_: Any) -> Any:
            import ccxt

            client.exchange().last_response_headers = {"Retry-After": "7"}
            raise ccxt.RateLimitExceeded("50011")

        client.exchange().fetch_open_orders = refuse
        with pytest.raises(VenueDown, match="too busy"):
            await client.open_orders()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.02):
                await client.open_orders()
        return True

    assert play(act, limiter=waiter)


def test_the_clock_is_compared() -> None:
    async def act(client: CcxtClient, fake: FakeOkx) -> Any:
        client.exchange().milliseconds = lambda: 1_795_000_002_000
        return await client.clock_skew_ms()

    assert play(act) == 2000.0


def test_an_account_is_of_the_moment_before_it_was_asked_for() -> None:
    """A fill between two of its answers is in one of them alone: it must count as newer."""

    async def act(client: CcxtClient, fake: FakeOkx) -> Any:
        exchange = client.exchange()
        now_ms = [1_795_000_002_000]
        exchange.milliseconds = lambda: now_ms[0]
        await client.clock_skew_ms()  # we are two seconds ahead
        now_ms[0] += 500
        ask = exchange.fetch

        async def slow(*asked: Any, **named: Any) -> Any:
            now_ms[0] += 300
            return await ask(*asked, **named)

        exchange.fetch = slow
        report = await client.account()
        assert now_ms[0] > 1_795_000_002_500
        return report

    assert play(act).event_ns == 1_795_000_000_500 * NS_PER_MS


def test_before_it_is_opened_nothing_is_sent() -> None:
    with pytest.raises(VenueDown, match="open it first"):
        asyncio.run(CcxtClient("okx", KEYS).account())


class Heard:
    """An outlet that remembers."""

    def __init__(self) -> None:
        self.states: list[tuple[str, str]] = []
        self.bads = 0

    def now_ns(self) -> int:
        return 1_795_000_001 * 10**9

    def put(self, event: Any) -> None:
        raise AssertionError(event)

    def bad(self, source: str, error: Any, payload: bytes) -> None:
        self.bads += 1

    def health(self, source: str, state: str, detail: str = "") -> None:
        self.states.append((source, state))


def test_what_is_unsettled_is_asked_for_until_it_is() -> None:
    """The stream of orders is down all the time; the order is found out all the same."""

    async def act(client: CcxtClient, fake: FakeOkx) -> list[Any]:
        told: list[Any] = []
        done = asyncio.Event()

        def tell(report: Any) -> None:
            told.append(report)
            kinds = {type(one) for one in told}
            if {OrderReport, AccountReport} <= kinds:
                done.set()

        fake.fault = "503"
        with pytest.raises(VenueUnknown):
            await client.place(order())
        task = asyncio.create_task(client.run(tell, Heard()))
        async with asyncio.timeout(10):
            await done.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return told

    told = play(act, poll_s=0.05)
    [found] = [one for one in told if isinstance(one, OrderReport)][:1]
    assert (found.status, found.filled_ltc) == ("expired", Decimal("1.5"))

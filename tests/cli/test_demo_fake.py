"""What the demo on the fake exchange tells of its end."""

from __future__ import annotations

from decimal import Decimal

import pytest

from litehedge.cli.demo_fake import at_speed, was_liquidated
from litehedge.config import Settings
from litehedge.exchange.faults import Fault
from litehedge.exchange.scene import Scripted
from litehedge.exchange.server import FakeExchange
from litehedge.exchange.terms import Ask


@pytest.fixture
def exchange() -> FakeExchange:
    made = FakeExchange(Scripted(path=((0.0, 84.1),)), wallet_usdt=Decimal(1000), leverage=50)
    made.step()
    ask = Ask("user-1", True, "long", Decimal(100), Decimal("86.00"))
    made.binance.matching.place(ask)
    assert made.truth().qty_ltc("long") == 100
    return made


def test_a_position_that_was_reduced_to_nothing_was_not_liquidated(exchange: FakeExchange) -> None:
    assert not was_liquidated(exchange.truth())
    ask = Ask("lh-1", False, "long", Decimal(100), Decimal("82.00"))
    exchange.binance.matching.place(ask)
    assert exchange.truth().qty_ltc("long") == 0
    assert not was_liquidated(exchange.truth())


def test_one_that_the_venue_closed_was(exchange: FakeExchange) -> None:
    exchange.faults.next(Fault.LIQUIDATE)
    for _ in range(20):
        exchange.step()
    assert exchange.truth().qty_ltc("long") == 0
    assert was_liquidated(exchange.truth())


def test_a_faster_clock_waits_as_much_longer_for_the_account() -> None:
    asked = Settings().parachute.account_silent_s
    assert at_speed(Settings(), 60.0).parachute.account_silent_s == 60.0 * asked
    assert at_speed(Settings(), 0.5).parachute.account_silent_s == asked

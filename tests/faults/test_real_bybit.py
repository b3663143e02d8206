"""A real session on Bybit's fake, and one whose hedge lives on Bybit while Binance has the rest."""

from __future__ import annotations

import pytest

from fault_cases import BYBIT, STATES, When, lead_to
from litehedge.config import Settings
from litehedge.risk.state import TradingState
from real_sessions import (
    Killed,
    Script,
    Sitting,
    World,
    check_books,
    check_orders,
    check_replay,
    hold,
)

BOTH = ("binance", "bybit")


def check(world, folder, sitting):
    check_orders(world, folder)
    check_books(world, sitting)
    check_replay(folder)
    assert sitting.state.trading is TradingState.ACTIVE, sitting.alerts


@pytest.mark.parametrize("number", range(len(BYBIT)))
def test_books_end_as_bybits(tmp_path, number):
    fault = list(BYBIT)[number]
    state = STATES[number % len(STATES)]
    with World(venues=BOTH, home="bybit") as world:
        lead_to(world, state, "bybit")
        when = When(world, state, BYBIT[fault])
        script = Script([hold(3.0, 0.5), hold(21.0, 0.2)], when)
        sitting = Sitting(world, tmp_path, script, 75.0).run()
        assert when.struck, f"the order was never {state}: {when.reached}"
        check(world, tmp_path, sitting)


@pytest.mark.parametrize("state", STATES)
def test_killed_in_any_state_it_is_reconciled_before_anything_is_sent(tmp_path, state):
    with World(venues=BOTH, home="bybit") as world:
        lead_to(world, state, "bybit")
        when = When(world, state, lambda world: None)

        def watch(event, effects, now):
            when(event, effects, now)
            if when.struck:
                raise Killed

        first = Sitting(world, tmp_path, Script([hold(3.0, 0.5)], watch), 62.0).run()
        assert first.died
        world.wait(0.5)
        again = Sitting(world, tmp_path, Script([hold(20.0, 0.3)]), 62.0).run()
        check(world, tmp_path, again)
        assert abs(world.exchange.truth("bybit").qty_ltc("short")) == 30


APART = Settings.model_validate({"hedge": {"location": "second_venue"}})


@pytest.mark.parametrize("number", range(6))
def test_a_hedge_on_a_second_venue(tmp_path, number):
    faults = ["503, done late", "disconnect", "our hedge deleveraged", "answer lost", "delay", ""]
    fault, state = faults[number], STATES[number % len(STATES)]
    with World(venues=BOTH) as world:
        strike = BYBIT.get(fault, lambda world: None)
        if fault == "our hedge deleveraged":
            world.exchange.bybit.faults = world.exchange.faults
        lead_to(world, state, "bybit")
        when = When(world, state, strike)
        script = Script([hold(3.0, 0.5), hold(21.0, 0.2)], when)
        sitting = Sitting(world, tmp_path, script, 75.0, APART, second="bybit").run()
        assert when.struck, f"the order was never {state}: {when.reached}"
        check(world, tmp_path, sitting)
        assert world.exchange.truth("bybit").qty_ltc("short") != 0 or fault
        assert world.exchange.truth().qty_ltc("short") == 0

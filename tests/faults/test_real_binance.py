"""A real session on Binance's fake, over sockets: each fault in each state of an order."""

from __future__ import annotations

import pytest

from fault_cases import BINANCE, STATES, When, lead_to
from litehedge.config import Settings
from litehedge.exchange.faults import Fault
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

TAKES_OUR_LEGS = ("liquidation", "our hedge deleveraged", "our position deleveraged")
SECONDS = {"slower than anybody waits": 110.0}


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("fault", BINANCE)
def test_books_end_as_the_venues(tmp_path, fault, state):
    with World() as world:
        lead_to(world, state, "binance")
        when = When(world, state, BINANCE[fault])
        script = Script([hold(3.0, 0.5), hold(21.0, 0.2)], when)
        seconds = SECONDS.get(fault, 62.0)
        sitting = Sitting(world, tmp_path, script, seconds).run()
        assert when.struck, f"the order was never {state}: {when.reached}"
        check_orders(world, tmp_path)
        check_books(world, sitting)
        check_replay(tmp_path)
        assert sitting.state.trading is TradingState.ACTIVE, sitting.alerts
        if fault not in TAKES_OUR_LEGS:
            assert sitting.submitted


@pytest.mark.parametrize("code", [-1008, -2019])
def test_where_no_hedge_is_taken_the_position_is_reduced(tmp_path, code):
    with World() as world:
        raises = "binance WS order.place"
        if code == -1008:
            world.exchange.faults.next(Fault.THROTTLED, 1, match=raises)
        else:
            msg = "Margin is insufficient."
            world.exchange.faults.next(Fault.REFUSED, 1, match=raises, code=code, msg=msg)
        sitting = Sitting(world, tmp_path, Script([hold(3.0, 0.4)]), 40.0).run()
        truth = world.exchange.truth()
        assert truth.qty_ltc("long") == 60
        assert truth.qty_ltc("short") == 0
        assert any("the position is reduced by 40.000 LTC instead" in x for x in sitting.alerts)
        check_orders(world, tmp_path)
        check_books(world, sitting)
        check_replay(tmp_path)


def test_without_the_fallback_the_position_stays(tmp_path):
    with World() as world:
        world.exchange.faults.by_chance(Fault.THROTTLED, 1.0, match="order")
        beside = {"location": "same_account", "fall_back_to_reduce": False}
        stays = Settings.model_validate({"hedge": beside})
        script = Script([hold(3.0, 0.4)])
        sitting = Sitting(world, tmp_path, script, 40.0, stays).run()
        assert world.exchange.truth().qty_ltc("long") == 100
        check_orders(world, tmp_path)
        check_books(world, sitting)


@pytest.mark.parametrize("state", [*STATES, "sent"])
@pytest.mark.parametrize("away_s", [0.5, 30.0])
def test_killed_in_any_state_it_is_reconciled_before_anything_is_sent(tmp_path, state, away_s):
    with World() as world:
        lead_to(world, state, "binance")
        when = When(world, "placing" if state == "sent" else state, lambda world: None)

        def watch(event, effects, now):
            when(event, effects, now)
            # Sent: not at the moment of the decision, but with the request under way.
            if when.struck and (state != "sent" or not effects):
                raise Killed

        first = Sitting(world, tmp_path, Script([hold(3.0, 0.5), hold(20.0, 0.1)], watch), 62.0)
        assert first.run().died
        world.wait(away_s)
        placed = [held.client_id for held in world.exchange.truth().orders]
        again = Sitting(world, tmp_path, Script([hold(20.0, 0.3)]), 62.0).run()
        assert not again.died
        check_orders(world, tmp_path)
        check_books(world, again)
        check_replay(tmp_path)
        assert again.state.trading is TradingState.ACTIVE, again.alerts
        assert len({o.client_id for o in again.submitted} & set(placed)) == 0
        assert abs(world.exchange.truth().qty_ltc("short")) == 30

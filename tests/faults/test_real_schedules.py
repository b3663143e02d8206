"""Random schedules of faults, commands and kills over real sockets: the laws hold after each.

`LITEHEDGE_SOCKET_HISTORIES` says how many. The pure histories, of which there are thousands, are
in `tests/live/test_trader_faults.py` and `tests/orders`.
"""

from __future__ import annotations

import os
import random

import pytest

from fault_cases import FAULTS
from litehedge.errors import VenueDown
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

HISTORIES = int(os.environ.get("LITEHEDGE_SOCKET_HISTORIES", "40"))
BUSY_S = 75.0
CALM_S = 75.0  # a ban, the patience with an order that is missing, and a look at the account
# They end what the schedule is about, or leave a position that is adopted by a person.
ENDS = ("liquidation", "our position deleveraged", "our hedge deleveraged")
DIES = 0.4


@pytest.mark.parametrize("seed", range(HISTORIES))
def test_books_end_as_the_venues(tmp_path, seed):
    chance = random.Random(seed)
    home = chance.choice(["binance", "binance", "bybit"])
    faults = [name for name in FAULTS[home] if name not in ENDS]
    with World(venues=("binance", "bybit"), home=home, seed=seed) as world:
        for _ in range(chance.randint(1, 5)):
            strike = FAULTS[home][chance.choice(faults)]
            world.loop.call_later(chance.uniform(0.5, BUSY_S), strike, world)
        world.loop.call_later(BUSY_S, world.exchange.faults.lift)
        wishes = [hold(at, chance.choice([0.0, 0.2, 0.5, 0.8])) for at in (3, 17, 31, 45, 59)]
        dies_at = chance.randint(20, 900) if chance.random() < DIES else -1
        seen = 0

        def watch(event, effects, state):
            nonlocal seen
            seen += 1
            if seen == dies_at or (dies_at > 0 and seen > dies_at and effects):
                raise Killed

        sitting = Sitting(world, tmp_path, Script(wishes, watch), BUSY_S + CALM_S).run()
        while sitting.died:
            world.wait(chance.choice([0.1, 2.0, 20.0]))
            try:
                sitting = Sitting(world, tmp_path, Script(wishes), BUSY_S + CALM_S).run()
            except VenueDown:
                continue  # the venue was not to be had: nothing was started
        check_orders(world, tmp_path)
        check_books(world, sitting)
        check_replay(tmp_path)
        assert sitting.state.trading.name == "ACTIVE", sitting.alerts

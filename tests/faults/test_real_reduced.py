"""Real sessions that reduce the position itself, on fakes over sockets: down to nothing, and back.

A position that was reduced to nothing leaves no trace at the venue. The journal knows it: its side,
its size, its margin mode. What its owner closed is not bought back.
"""

from __future__ import annotations

from decimal import Decimal

import pytest

from litehedge.config import Hedge, Settings
from litehedge.effects import Submit
from litehedge.errors import UsageError, WrongSetup
from litehedge.exchange.terms import Ask
from litehedge.margin.account import POSITION
from litehedge.market import events as ev
from litehedge.risk.state import TradingState
from real_sessions import (
    BESIDE,
    Killed,
    Script,
    Sitting,
    World,
    check_books,
    check_orders,
    check_replay,
    hold,
)

REDUCE = Settings(hedge=Hedge(location="reduce"))


def held(world: World) -> float:
    return float(sum(leg.qty_ltc for leg in world.exchange.truth(world.home).legs))


def trade_by_hand(world: World, name: str, qty: float) -> None:
    """Let the user trade signed `qty` LTC of the long leg on the venue."""
    limit = Decimal("86.00") if qty > 0 else Decimal("82.00")
    ask = Ask(name, qty > 0, "long", abs(Decimal(str(qty))), limit)
    world.exchange.venues[world.home].matching.place(ask)


@pytest.mark.parametrize("venue", ["binance", "bybit"])
@pytest.mark.parametrize("hedge_mode", [True, False])
@pytest.mark.parametrize("qty", [100.0, -100.0])
def test_reduced_to_nothing_it_goes_on_and_buys_back(tmp_path, qty, hedge_mode, venue):
    with World(
        qty_ltc=qty, hedge_mode=hedge_mode, venues=("binance", "bybit"), home=venue
    ) as world:
        first = Sitting(world, tmp_path, Script([hold(3.0, 1.0)]), 30.0, REDUCE).run()
        assert held(world) == 0.0
        again = Sitting(world, tmp_path, Script([hold(5.0, 0.4)]), 40.0, REDUCE).run()
        assert held(world) == pytest.approx(0.6 * qty)
        assert again.state.is_open
        assert again.state.trading is TradingState.ACTIVE, again.alerts
        check_orders(world, tmp_path)
        check_books(world, again)
        check_replay(tmp_path)
        was, now = first.state.fixed.settings.position, again.state.fixed.settings.position
        assert now == was  # what is left of it says nothing about how it was opened


@pytest.mark.parametrize("later", [0, 1, 3])
def test_killed_while_the_last_of_it_is_sold_it_goes_on(tmp_path, later):
    with World() as world:
        passed = []

        def watch(event, effects, state):
            if passed or any(isinstance(e, Submit) for e in effects):
                passed.append(event)
            if len(passed) > later:
                raise Killed

        assert Sitting(world, tmp_path, Script([hold(3.0, 1.0)], watch), 30.0, REDUCE).run().died
        world.wait(65.0)  # longer than what was sold counts against limits per minute
        again = Sitting(world, tmp_path, Script([hold(10.0, 0.5)]), 40.0, REDUCE).run()
        assert held(world) == 50.0
        check_orders(world, tmp_path)
        check_books(world, again)
        check_replay(tmp_path)


def test_an_isolated_one_that_was_reduced_to_nothing_is_isolated_still(tmp_path):
    with World(isolated=True, leverage=10) as world:
        Sitting(world, tmp_path, Script([hold(3.0, 1.0)]), 30.0, REDUCE).run()
        assert held(world) == 0.0
        again = Sitting(world, tmp_path, Script([hold(5.0, 0.4)]), 40.0, REDUCE).run()
        assert held(world) == 60.0
        books, ledger = again.state.books[0], world.exchange.venues["binance"].ledger
        assert again.state.fixed.settings.position.margin_mode == "isolated"
        assert books["is_isolated"][POSITION]
        assert float(books["isolated"][POSITION]) == pytest.approx(
            float(ledger.books["isolated"][0, POSITION]), rel=1e-3
        )
        check_orders(world, tmp_path)
        check_replay(tmp_path)


@pytest.mark.parametrize("was_isolated", [True, False])
def test_another_margin_mode_is_refused_while_nothing_is_held(tmp_path, was_isolated):
    was, now = ("isolated", "cross") if was_isolated else ("cross", "isolated")
    with World(isolated=was_isolated, leverage=10) as world:
        Sitting(world, tmp_path, Script([hold(3.0, 1.0)]), 30.0, REDUCE).run()
        world.exchange.venues["binance"].set_isolated(not was_isolated)
        orders = len(world.exchange.truth().orders)
        again = Sitting(world, tmp_path, Script([hold(5.0, 0.4)]), 30.0, REDUCE)
        with pytest.raises(WrongSetup, match=f"{was} margin .* is {now} now") as told:
            again.run()
        assert f"set the margin mode of LTCUSDT to {was}" in told.value.remedy
        assert len(world.exchange.truth().orders) == orders


def test_what_its_owner_closed_is_not_bought_back_after_he_adopts(tmp_path):
    with World() as world:

        def closes(now):
            trade_by_hand(world, "user-2", -60.0)
            return hold(0.0, 0.4)[1](now)

        script = Script([
            hold(3.0, 0.4), (15.0, closes), (45.0, lambda now: ev.Adopt(now, now)), hold(47.0, 0.0),
        ])  # fmt: skip
        sitting = Sitting(world, tmp_path, script, 120.0, REDUCE).run()
        assert len(sitting.submitted) == 1
        assert held(world) == 0.0
        assert not sitting.state.is_open
        assert any("40.000 LTC that were sold of it before are not bought" in x
                   for x in sitting.alerts)  # fmt: skip
        check_books(world, sitting)
        check_replay(tmp_path)


def test_what_its_owner_closed_while_it_was_stopped_is_refused_at_the_start(tmp_path):
    with World() as world:
        Sitting(world, tmp_path, Script([hold(3.0, 0.4)]), 30.0, REDUCE).run()
        trade_by_hand(world, "user-2", -60.0)
        with pytest.raises(WrongSetup, match="holds no LTCUSDT position"):
            Sitting(world, tmp_path, Script(), 30.0, REDUCE).run()


def test_another_place_is_refused_while_a_hedge_stands_and_taken_when_it_is_gone(tmp_path):
    with World() as world:
        Sitting(world, tmp_path, Script([hold(3.0, 0.4)]), 30.0, BESIDE).run()
        assert world.exchange.truth().qty_ltc("short") == -40
        with pytest.raises(UsageError, match=r"40\.000 LTC stands there") as told:
            Sitting(world, tmp_path, Script(), 30.0, REDUCE).run()
        assert 'hedge.location = "same_account"' in told.value.remedy
        assert "override set 0" in told.value.remedy
        limit = Decimal("86.00")  # its owner closes it by hand
        ask = Ask("user-2", True, "short", Decimal(40), limit)
        world.exchange.venues["binance"].matching.place(ask)
        again = Sitting(world, tmp_path, Script([hold(5.0, 0.3)]), 40.0, REDUCE).run()
        assert world.exchange.truth().qty_ltc("long") == 70
        assert "the hedge went from -40.000 to 0.000 LTC" in " ".join(again.alerts)
        check_orders(world, tmp_path)
        check_books(world, again)
        check_replay(tmp_path)


def test_another_place_is_refused_while_something_of_the_position_is_sold(tmp_path):
    with World() as world:
        Sitting(world, tmp_path, Script([hold(3.0, 0.4)]), 30.0, REDUCE).run()
        with pytest.raises(UsageError, match=r"40\.000 LTC of it are sold"):
            Sitting(world, tmp_path, Script(), 30.0, BESIDE).run()
        Sitting(world, tmp_path, Script([hold(5.0, 0.0)]), 40.0, REDUCE).run()
        assert held(world) == 100.0
        again = Sitting(world, tmp_path, Script([hold(5.0, 0.3)]), 40.0, BESIDE).run()
        assert world.exchange.truth().qty_ltc("short") == -30
        check_books(world, again)
        check_replay(tmp_path)

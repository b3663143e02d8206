"""A protective stop of a real session on the fakes, over sockets, in every fault: books as theirs.

The stop is asked of the session's venue as the engine would ask for it.
"""

from __future__ import annotations

from decimal import Decimal

import pytest

from litehedge.effects import KeepStop
from litehedge.exchange.faults import Fault
from litehedge.margin.account import POSITION
from litehedge.market import events as ev
from real_sessions import PAST_S, Killed, Script, Sitting, World, check_books

FALLS_S = 80.0
PATH = ((0.0, 84.1), (PAST_S + FALLS_S, 84.1), (PAST_S + FALLS_S + 5.0, 82.0))
STOP = KeepStop(POSITION, Decimal(100), Decimal("83.00"))
SECONDS = 150.0


def sit(world, folder, *acts, seconds=SECONDS, stop=STOP) -> Sitting:
    """Sit with a stop that is wanted from second 2 on; `acts` are (second, what is done)."""
    began_s = world.loop.time()
    todo = sorted([(2.0, None), *acts], key=lambda pair: pair[0])

    def watch(event, effects, state):
        while todo and world.loop.time() - began_s >= todo[0][0]:
            _, act = todo.pop(0)
            if act is None:
                sitting.session.venue.keep_stop(stop, world.now_ns())
            else:
                act(world)

    sitting = Sitting(world, folder, Script(watch=watch), seconds)
    return sitting.run()


def told(sitting, kind):
    return [event for event in sitting.events if isinstance(event, kind)]


def stops_of(world):
    return world.exchange.venues[world.home].open_algos()


def refuse(match, n):
    def act(world):
        world.exchange.faults.next(
            Fault.REFUSED, n, match=match, code=-4005 if "algo" in match else 110009, msg="no"
        )

    return act


def strike(fault, n=1, match="", **terms):
    return lambda world: world.exchange.faults.next(fault, n, match=match, **terms)


def silence(seconds, match):
    def act(world):
        world.exchange.faults.by_chance(Fault.SILENCE, 1.0, match=match)
        world.loop.call_later(seconds, world.exchange.faults.lift, Fault.SILENCE)

    return act


def drop(world):
    for venue in world.venues:
        world.exchange.drop_connections(venue)


VENUES = {"binance": ("binance",), "bybit": ("binance", "bybit")}  # prices come from Binance
PLACE = {"binance": "algoOrder", "bybit": "POST /v5/order/create"}
CASES = {
    "nothing": lambda v: [],
    "refused": lambda v: [(1.0, refuse(PLACE[v], 3))],
    "answer lost": lambda v: [(1.0, strike(Fault.LOST_ANSWER, 2, PLACE[v]))],
    "503, done": lambda v: [(1.0, strike(Fault.UNKNOWN_DONE, 1, PLACE[v]))],
    "503, not done": lambda v: [(1.0, strike(Fault.UNKNOWN_NOT_DONE, 1, PLACE[v]))],
    "lost": lambda v: [(10.0, strike(Fault.STOP_LOST, 1, v))],
    "dropped before": lambda v: [(FALLS_S - 5.0, drop)],
    "dropped in the middle": lambda v: [(FALLS_S + 2.0, drop)],
    "not heard": lambda v: [(FALLS_S - 2.0, silence(12.0, v))],
    "partial": lambda v: [(FALLS_S - 2.0, strike(Fault.PARTIAL, 1, share=0.4))],
    "twice": lambda v: [
        (FALLS_S - 2.0, strike(Fault.DUPLICATE, 12, "_UPDATE" if v == "binance" else "bybit"))
    ],
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("venue", ["binance", "bybit"])
def test_it_stands_fires_and_is_booked_once(tmp_path, venue, case):
    with World(venues=VENUES[venue], home=venue, path=PATH) as world:
        sitting = sit(world, tmp_path, *CASES[case](venue))
        assert told(sitting, ev.StopArmed), sitting.alerts
        # What a venue did not fill is gone with the stop: it takes a new one.
        left = 60 if case == "partial" else 0
        closed = sum(event.qty_ltc for event in told(sitting, ev.StopFilled))
        assert closed == pytest.approx(left - 100.0), sitting.alerts
        if case in ("refused", "lost"):
            assert told(sitting, ev.StopFailed)
        assert world.exchange.truth(venue).qty_ltc("long") == left
        check_books(world, sitting)
        assert sitting.state.is_open == (left > 0)
        assert not any("somebody or something" in text for text in sitting.alerts)


@pytest.mark.parametrize("venue", ["binance", "bybit"])
def test_killed_it_stands_and_the_next_run_finds_it(tmp_path, venue):
    def die(world):
        raise Killed

    with World(venues=VENUES[venue], home=venue, path=PATH) as world:
        first = sit(world, tmp_path, (8.0, die), seconds=30.0)
        assert first.died
        [before] = stops_of(world)
        second = sit(world, tmp_path, seconds=20.0)
        assert stops_of(world) == [before]  # found, not placed anew
        assert told(second, ev.StopArmed)
        check_books(world, second)


@pytest.mark.parametrize("venue", ["binance", "bybit"])
def test_it_closes_what_is_wanted_and_no_more(tmp_path, venue):
    most = KeepStop(POSITION, Decimal(60), Decimal("83.00"))
    with World(venues=VENUES[venue], home=venue, path=PATH) as world:
        sitting = sit(world, tmp_path, stop=most)
        assert sum(event.qty_ltc for event in told(sitting, ev.StopFilled)) == pytest.approx(-60.0)
        assert world.exchange.truth(venue).qty_ltc("long") == 40
        check_books(world, sitting)


@pytest.mark.parametrize("venue", ["binance", "bybit"])
def test_it_fires_while_nobody_is_here(tmp_path, venue):
    most = KeepStop(POSITION, Decimal(60), Decimal("83.00"))
    with World(venues=VENUES[venue], home=venue, path=PATH) as world:
        sit(world, tmp_path, seconds=20.0, stop=most)
        assert len(stops_of(world)) == 1  # the session ended, the stop did not
        world.wait(FALLS_S)
        assert world.exchange.truth(venue).qty_ltc("long") == 40
        none = KeepStop(POSITION, Decimal(0), Decimal(0))
        later = sit(world, tmp_path, seconds=20.0, stop=none)
        check_books(world, later)  # Bybit tells executions of before too: they count once
        assert venue == "bybit" or not told(later, ev.StopFilled)
        assert any("went from 100.000 to 40.000" in text for text in later.alerts)
        assert not stops_of(world)


@pytest.mark.parametrize("venue", ["binance", "bybit"])
def test_it_is_moved_and_taken_away(tmp_path, venue):
    later = KeepStop(POSITION, Decimal(100), Decimal("82.5"))
    none = KeepStop(POSITION, Decimal(0), Decimal(0))
    seen = []
    with World(venues=VENUES[venue], home=venue) as world:
        holder = []

        def keep(stop):
            return lambda world: holder[0].session.venue.keep_stop(stop, world.now_ns())

        def watch_count(world):
            seen.append([a.trigger_usdt for a in stops_of(world)])

        began_s = world.loop.time()
        todo = [(2.0, keep(STOP)), (8.0, watch_count), (9.0, keep(later)), (15.0, watch_count),
                (16.0, keep(none)), (22.0, watch_count)]  # fmt: skip

        def watch(event, effects, state):
            while todo and world.loop.time() - began_s >= todo[0][0]:
                todo.pop(0)[1](world)

        holder.append(Sitting(world, tmp_path, Script(watch=watch), 30.0))
        sitting = holder[0].run()
        assert seen == [[Decimal("83.00")], [Decimal("82.50")], []]
        armed = [(e.qty_ltc, e.trigger) for e in told(sitting, ev.StopArmed)]
        assert armed == [(100.0, 83.0), (100.0, 82.5), (0.0, 0.0)]

"""Killed at any instant of a trading day, it comes back to what the venue holds, each time."""

from __future__ import annotations

import os
from collections import Counter

import pytest

from killed_days import kill_often, said_by_people
from litehedge.effects import Submit
from litehedge.market import events as ev
from litehedge.orders.manager import Order
from litehedge.store.journal import Journal
from real_sessions import effects_of

KILLS = int(os.environ.get("LITEHEDGE_KILLS", "1000"))
PARTS = 4


@pytest.mark.parametrize("part", range(PARTS))
def test_killed_anywhere_nothing_is_lost_or_doubled(tmp_path, part):
    seed = int(os.environ.get("LITEHEDGE_KILL_SEED", "0")) + part
    venue, day = kill_often(tmp_path, KILLS // PARTS, seed)
    assert sum(day.kills.values()) == KILLS // PARTS
    assert day.recoveries >= 0.3 * KILLS // PARTS
    if KILLS >= 1000:
        assert len({what for what in day.kills if what.endswith(": place")}) == 3
        assert len(venue.orders) > KILLS // PARTS // 4
        assert {ev.Halt, ev.Resume} == set(day.said)
        assert day.doubts, "no word of a person was on its way when the engine was killed"
    assert said_by_people(tmp_path) == day.said
    _check_record(tmp_path, venue)


def test_what_a_loss_of_power_took_is_taken_over_from_the_venue(tmp_path):
    _, day = kill_often(tmp_path, KILLS // 20, 99, loses_power=True)
    assert day.cuts > KILLS // 100
    assert day.recoveries > KILLS // 100
    assert said_by_people(tmp_path) == day.said


def _check_record(folder, venue):
    """The journal knows every order that the venue knows, and no fill that it does not."""
    journal = Journal(folder / "journal.sqlite")
    orders: dict[str, Order] = {}
    done: Counter[str] = Counter()
    ended: set[str] = set()
    for number, _ in journal.runs():
        for _, effect in effects_of(journal, number):
            if isinstance(effect, Submit):
                assert effect.order.client_id not in orders, "an id came twice"
                orders[effect.order.client_id] = effect.order
        for event in journal.events(number):
            if isinstance(event, ev.OrderFilled):
                done[event.client_id] += round(event.qty_ltc * 1000)
            if isinstance(event, ev.OrderFilled | ev.OrderExpired | ev.OrderRejected):
                ended.add(event.client_id)
    journal.close()
    assert set(venue.orders) <= set(orders), "the venue knows orders that the journal does not"
    for name, held in venue.orders.items():
        filled = round(float(held.filled if held.order.buys else -held.filled) * 1000)
        assert abs(done[name]) <= abs(filled), f"{name} was told more than was filled"
        assert done[name] * filled >= 0
    assert set(done) <= set(venue.orders)

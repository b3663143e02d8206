"""The report's comparison without a hedge, and positions told apart."""

from __future__ import annotations

import numpy as np
import pytest
from msgspec.structs import replace

from acted import MINUTE, at, begin, journaled, set_hedge
from litehedge.ledger.seat import Seat
from litehedge.live.recount import run_of, unhedged_of
from litehedge.market import events as ev
from litehedge.market.bars import as_bars
from synthetic import Crash, market

OWN = market(200, seed=3, vol=0.001, crashes=(Crash(at=80, bars=15, depth=0.3),))


def both(path, commands, extra=lambda events: events, **options):
    """The run of a session, and the same without a hedge."""
    journal = journaled(path, OWN, commands, policy="unhedged", **options)
    ((number, head),) = journal.runs()
    state, other = begin(head), begin(head)
    sent = {order.client_id: order for order in journal.orders(number)}
    events = list(as_bars(extra(list(journal.events(number))), MINUTE))
    fixed = state.fixed
    seat = Seat(fixed.settings, fixed.tiers, MINUTE, is_on_bars=True)
    run = run_of(events, state, [], sent, name="paper")
    return run, unhedged_of(events, other, seat, reopens=False)


@pytest.mark.parametrize("leverage", [2, 5])
def test_a_session_that_never_hedged_is_its_own_unhedged_run(tmp_path, leverage):
    run, naked = both(tmp_path / "j", [], leverage=leverage)
    np.testing.assert_array_equal(run.end_ns, naked.end_ns)
    np.testing.assert_allclose(run.path[:, 0], naked.path[:, 0], atol=1e-9)
    assert run.outcomes["liquidated"].tolist() == naked.outcomes["liquidated"].tolist()
    assert bool(run.outcomes["liquidated"][0]) is (leverage == 5)


def test_one_that_hedged_before_the_fall_is_better_than_that(tmp_path):
    run, naked = both(tmp_path / "j", [set_hedge(60, 0.9, 60)], leverage=5)
    assert naked.outcomes["liquidated"].tolist() == [1]
    assert run.outcomes["liquidated"].tolist() == [0]
    assert naked.outcomes["trades"].tolist() == [0]


def test_positions_that_follow_one_another_are_told_apart(tmp_path):
    def another(events):
        (opened,) = [event for event in events if isinstance(event, ev.Opened)]
        place = next(i for i, event in enumerate(events) if event.known_ns > at(50))
        again = replace(opened, event_ns=at(50), known_ns=at(50), wallet_usdt=500.0)
        return [*events[:place], again, *events[place:]]

    run, naked = both(tmp_path / "j", [], another, leverage=2)
    assert run.outcomes.size == naked.outcomes.size == 2
    first, second = run.outcomes
    assert first["stop"] == second["start"] == 50
    assert first["equity"] == pytest.approx(run.path[49, 0])
    assert second["wallet"] == pytest.approx(500.0, rel=0.05)

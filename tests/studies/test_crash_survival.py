"""The pure parts of the crash study, and that its short cuts change nothing."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parents[2]))  # studies are no part of the package

from studies.crash_accounts import ATOM_S, PER_FRAME, Crash
from studies.crash_fates import (
    LEAST_LEAD_S,
    MONDAY_S,
    MOST_LEAD_S,
    PERFECT,
    UNHEDGED,
    Arm,
    Fate,
    Timing,
    cause,
    could_be_kept,
    share_of,
    timing,
    wilson,
    word_of,
)
from studies.crash_survival import arms_of, cause_table, survival_table, without

from forecasters import Moody
from litehedge.backtest import with_location, with_position
from litehedge.config import Settings
from litehedge.engine_state import start
from litehedge.hedge.policies import policy_named
from litehedge.market import events as ev
from litehedge.runner import run
from litehedge.sim.market.feed import LiveMarket
from litehedge.sim.market.gateway import BUSY, DOWN
from litehedge.sim.opening import Opening
from litehedge.sim.scenario import compose, load_scenario, shocks_array
from litehedge.sim.study import warmed_world
from litehedge.sim.venue import SimVenue
from litehedge.units import NS_PER_SECOND
from synthetic import packaged_tiers

SCENARIO = load_scenario("crash-2025-10")


def fate(seed: int, died_s: float | None = None, arm: str = "plugin", **more: str) -> Fate:
    return Fate(seed, arm, more.get("location", "same_account"), "long", 5.0, died_s)


# --- shares -------------------------------------------------------------------------------------


@given(st.integers(1, 500), st.data())
def test_an_interval_holds_its_share_and_narrows_with_more_trials(
    trials: int, data: st.DataObject
) -> None:
    hits = data.draw(st.integers(0, trials))
    low, high = wilson(hits, trials)
    assert 0.0 <= low <= hits / trials + 1e-12
    assert hits / trials - 1e-12 <= high <= 1.0
    wider = wilson(10 * hits, 10 * trials)
    assert wider[1] - wider[0] < high - low


@given(st.lists(st.booleans(), min_size=1, max_size=30), st.integers(1, 5))
def test_more_accounts_of_the_same_worlds_are_no_more_evidence(
    dead: list[bool], copies: int
) -> None:
    once = [fate(seed, 1.0 if is_dead else None) for seed, is_dead in enumerate(dead)]
    share = share_of(once, lambda one: one.died_s is None)
    again = share_of(once * copies, lambda one: one.died_s is None)
    assert again[:3] == pytest.approx(share[:3])
    assert again.accounts == copies * share.accounts
    assert share.low <= share.value <= share.high


def test_no_deaths_in_forty_worlds_still_allow_some() -> None:
    share = share_of([fate(seed) for seed in range(40)], lambda one: one.died_s is None)
    assert share.value == 1.0
    assert share.low == pytest.approx(0.9366, abs=1e-3)


def test_an_account_that_no_operator_keeps_could_not_be_kept() -> None:
    fates = [
        fate(1, 5.0, PERFECT), fate(1, None, PERFECT, location="reduce"),
        fate(2, 5.0, PERFECT), fate(2, 5.0, PERFECT, location="reduce"),
        fate(2, None, "operator, at the news"),
    ]  # fmt: skip
    assert could_be_kept(fates) == {(1, "long", 5.0)}


# --- words --------------------------------------------------------------------------------------


def test_the_last_word_before_a_death_is_the_cause() -> None:
    last = "nothing was tried"
    for event, after in (
        (ev.OrderAccepted(0, 0, "a"), "on its way"),
        (ev.OrderRejected(0, 0, "a", BUSY), "refused"),
        (ev.Tick(0, 0), "refused"),
        (ev.OrderRejected(0, 0, "a", DOWN), "venue down"),
        (ev.OrderUnknown(0, 0, "b"), "no answer"),
        (ev.OrderRejected(0, 0, "b", "the venue has no such order"), "no answer"),
        (ev.OrderExpired(0, 0, "c", "beyond the collar"), "book or collar"),
        (ev.OrderExpired(0, 0, "c", "cancelled"), "book or collar"),
    ):
        last = word_of(event, last)
        assert last == after
    assert cause(10.0, last, hedge_deleveraged=False) == "book or collar"
    assert cause(10.0, last, hedge_deleveraged=True) == "hedge deleveraged"
    assert cause(-10.0, last, hedge_deleveraged=True) == "before the crash"


@given(st.integers(0, 10_000))
def test_a_position_is_opened_between_two_hours_and_a_day_before_the_news(seed: int) -> None:
    when = timing(seed)
    assert LEAST_LEAD_S <= when.crash_s - when.opens_s <= MOST_LEAD_S
    assert when.begins_s % 60 == when.crash_s % 60 == 0
    assert when == timing(seed)


def test_parts_of_the_scenario_can_be_taken_away() -> None:
    calm = without(SCENARIO, ["refusals", "deleveraging"])
    assert [one.kind for one in SCENARIO.shocks if one not in calm.shocks] == ["refuse"]
    assert calm.parameters.fund_position_usdt == 1e10
    assert calm.overrides.keys() == SCENARIO.overrides.keys()
    assert without(SCENARIO, []) == SCENARIO


def test_tables_name_everything_that_was_done() -> None:
    arms = arms_of(["plugin"])
    fates = [
        Fate(seed, arm.name, arm.location, "long", 5.0, 1.0 if arm == UNHEDGED else None)
        for seed in (1, 2)
        for arm in arms
    ]
    assert survival_table(fates).row_count == len(arms)
    assert cause_table(fates).row_count == 1


# --- the short cuts -----------------------------------------------------------------------------


@pytest.mark.parametrize("location", ["same_account", "reduce"])
def test_shared_eyes_and_quiet_floors_change_nothing(location: str) -> None:
    """Beside the run that `litehedge demo` would make of the same account, through the plunge."""
    when = Timing(MONDAY_S, MONDAY_S + 300, MONDAY_S + 360)
    atoms = (360 + 32 * 60) // ATOM_S
    settings, tiers = Settings(), packaged_tiers()
    together = Crash(3, SCENARIO, settings, tiers, Moody(), when)
    opens_ns = when.opens_s * NS_PER_SECOND
    for _ in range(300 // ATOM_S):
        together.live()
    together.open(Arm("plugin", location, "plugin"), "long", 10.0)
    together.open(UNHEDGED, "long", 5.0)  # somebody else at the same market
    for _ in range(atoms - 300 // ATOM_S):
        together.live()
    ours = together.accounts[0]

    parameters, shocks = compose([SCENARIO])
    world = warmed_world(parameters, 3, when.begins_s)
    market = LiveMarket(world, ATOM_S, shocks_array(shocks, when.crash_s))
    placed = with_location(with_position(settings, "long", 10.0), location)
    atom_ns = ATOM_S * NS_PER_SECOND
    # Who stands in the market already opens in the very second, who comes then in the next one.
    opening = Opening(opens_ns + NS_PER_SECOND, False)
    venue = SimVenue(placed, tiers, opening, atom_ns, market, is_felt=False)
    state = start(
        placed, policy_named("plugin", placed), tiers, Moody(), session="s3", atom_ns=atom_ns,
        per_frame=PER_FRAME,
    )  # fmt: skip
    alone = run(state, market.events(atoms), venue)

    assert ours.state is not None
    assert alone.orders_made > 3
    assert ours.state.orders_made == alone.orders_made
    assert np.array_equal(ours.venue.books, venue.books)
    assert np.array_equal(ours.state.books, alone.books)
    assert ours.fate.died_s is None or not venue.is_open  # alive may be flat

"""A forecaster that means harm, behind the guards, in scenarios of the simulator.

The whole of it is ``python -m studies.adversaries``; here is what runs in seconds.
"""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parents[2]))  # studies are no part of the package

from decimal import Decimal

from studies.adversary_audit import Audit, maintenance
from studies.adversary_minds import MINDS, Mind
from studies.adversary_worlds import SAFE, Ending, excess, live_through, truth_of

from litehedge.config import Hedge, Settings
from litehedge.effects import StateChange, Submit
from litehedge.hedge import signals as sg
from litehedge.margin.tiers import maintenance as charged
from litehedge.market import events as ev
from litehedge.orders.manager import Order
from litehedge.sim.scenario import load_scenario
from litehedge.squeeze import forecast as fc
from litehedge.squeeze.hazard import N_ONSET
from litehedge.units import NS_PER_SECOND
from synthetic import packaged_tiers

SCENARIOS = ("flash-crash", "exchange-outage")


@cache
def endings() -> list[Ending]:
    """Every mind, long and short, in short worlds."""
    found: list[Ending] = []
    for name in SCENARIOS:
        found += live_through(
            load_scenario(name), 2, Settings(), packaged_tiers(), leverages=(20.0,),
            pre_roll_s=3_600, lead_s=300, after_s=300, most_s=2_700,
        )  # fmt: skip
    return found


def test_no_mind_takes_an_order_beyond_a_hard_limit() -> None:
    told = [(e.case, breach) for e in endings() for breach in e.breaches]
    assert told == []
    assert sum(e.orders for e in endings()) > 50  # there was something to judge


def test_no_mind_can_stop_the_engine() -> None:
    assert [(e.case, e.crashed) for e in endings() if e.crashed] == []


def test_an_account_dies_only_where_the_safe_hedge_died_too() -> None:
    assert [(e.case, e.died_s, e.why) for e in excess(endings())] == []


def test_every_mind_was_there() -> None:
    assert {e.case.mind for e in endings()} == {SAFE, *MINDS}
    assert {e.case.side for e in endings()} == {"long", "short"}


# --- the minds ----------------------------------------------------------------------------------


def _signals(row: np.ndarray) -> np.ndarray:
    from litehedge.features.vector import N_FEATURES

    out = np.full((sg.N_SIGNALS, 1), np.nan, dtype=np.float32)
    sg.write_signals(row, np.zeros(N_FEATURES), np.empty((2, N_ONSET)), out, 0)
    return out[:, 0]


@pytest.mark.parametrize("name", [n for n in MINDS if n not in ("raises", "garbage")])
def test_who_claims_to_be_well_is_heard_if_it_knows_a_number(name: str) -> None:
    mind = Mind(name, 3, lambda end_ns: (0.05, 0.0))
    row = fc.heard(mind, mind.start(12), 0, 10**18, np.zeros(1))
    well = name not in ("nan", "everything nan")  # who knows no number knows nothing
    assert sg.is_sound(row) == well
    assert _signals(row)[sg.STATE] == (fc.ForecastState.OK if well else fc.ForecastState.COLD)


@given(st.lists(st.floats(), min_size=fc.N_FORECAST, max_size=fc.N_FORECAST))
def test_whatever_a_forecaster_says_signals_are_sane(values: list[float]) -> None:
    signals = _signals(np.array(values))
    assert signals[sg.STATE] in (0.0, 1.0, 2.0, 3.0)
    onset = signals[sg.ONSET : sg.SEVERITY]
    if signals[sg.STATE] < fc.ForecastState.COLD:
        assert np.all(np.isnan(onset) | ((onset >= -1e-3) & (onset <= 1.001)))
        assert not np.isinf(signals[sg.ONSET : sg.SIGMA]).any()


def test_a_forecaster_that_breaks_its_word_knows_nothing() -> None:
    raising = Mind("raises", 1, lambda end_ns: (0.0, 0.0))
    heard = fc.heard(raising, raising.start(1), 0, 0, np.zeros(1))
    assert heard[fc.STATE_AT] == fc.ForecastState.COLD

    class Short(Mind):
        def step(self, *args: object) -> np.ndarray:  # type: ignore[override]
            return np.zeros(3)

    short = Short("always 0", 1, lambda end_ns: (0.0, 0.0))
    assert fc.heard(short, short.start(1), 0, 0, np.zeros(1))[fc.STATE_AT] == 2.0


def test_the_anti_oracle_knows_the_future() -> None:
    marks = np.concatenate((np.full(800, 100.0), np.full(800, 90.0)))
    truth = truth_of(marks, 0)
    assert truth(5 * NS_PER_SECOND) == (0.0, 0.0)
    assert truth(500 * 5 * NS_PER_SECOND) == pytest.approx((0.1, 0.0))
    lies = Mind("anti-oracle", 1, truth).step(np.empty(0), 0, 500 * 5 * NS_PER_SECOND, np.empty(0))
    hazards = lies[fc.ONSET_AT : fc.PEAK_AT].reshape(2, -1)
    assert hazards[0].max() == 0.0
    assert hazards[1].min() == 0.5


# --- the audit: it sees what it is there for ----------------------------------------------------


@given(st.floats(1.0, 5e7))
def test_the_audit_reads_tiers_as_the_venue_does(notional: float) -> None:
    rows = packaged_tiers().rows
    assert maintenance(notional, rows.tolist()) == pytest.approx(charged(notional, rows))


def _order(qty: str, limit: str = "99.00", *, number: int = 0, **more: object) -> Submit:
    leg = int(more.get("leg", 1))  # type: ignore[call-overload]
    reduce_only = bool(more.get("reduce_only", False))
    return Submit(Order(f"o{number}", leg, Decimal(qty), Decimal(limit), reduce_only, 0))


def _audit(leverage: float = 5.0) -> Audit:
    beside = Settings(hedge=Hedge(location="same_account"))
    audit = Audit(beside, packaged_tiers().rows.tolist())
    audit.event(ev.Opened(0, 0, 1000.0, None, 10.0 * leverage, 100.0, leverage, False))
    audit.event(ev.Book(0, 0, 99.99, 100.01, 50_000.0, 50_000.0))
    return audit


def _limits(audit: Audit) -> set[str]:
    return {breach.limit for breach in audit.breaches}


def test_the_audit_finds_nothing_in_a_good_order() -> None:
    audit = _audit()
    audit.effect(_order("-10.000"))
    audit.event(ev.OrderFilled(1, 1, "o0", 1, -10.0, 99.99, 0.5, 0.1))
    assert audit.breaches == []


@pytest.mark.parametrize(
    ("order", "limit"),
    [
        (_order("-10.0005"), "lot"),
        (_order("-10.000", "99.005"), "tick"),
        (_order("-0.100"), "min notional"),
        (_order("-10.000", "95.00"), "collar"),
        (_order("-50.500"), "hedge ratio"),
        (_order("5.000", "101.00", leg=0), "position"),
        (_order("-60.000", leg=0, reduce_only=True), "reduce only"),
    ],
)
def test_the_audit_finds_an_order_that_breaks_a_limit(order: Submit, limit: str) -> None:
    audit = _audit()
    audit.effect(order)
    assert limit in _limits(audit)


def test_the_audit_counts_minutes_depth_and_margin() -> None:
    audit = _audit()
    audit.event(ev.Book(0, 0, 99.99, 100.01, 1_000.0, 50_000.0))
    audit.effect(_order("-10.000"))
    assert _limits(audit) == {"depth share"}
    audit = _audit(leverage=90.0)
    audit.effect(_order("-800.000"))
    assert "margin buffer" in _limits(audit)
    audit = _audit()
    for number in range(13):
        audit.effect(_order("-1.000", number=number))
        audit.event(ev.OrderFilled(1, 1, f"o{number}", 1, -1.0, 99.99, 0.5, 0.1))
    assert _limits(audit) == {"orders per minute"}


def test_the_audit_knows_the_trading_state_and_the_cost_of_the_day() -> None:
    audit = _audit()
    audit.effect(_order("-10.000"))
    audit.event(ev.OrderFilled(1, 1, "o0", 1, -10.0, 99.99, 20.0, 20.0))
    audit.effect(StateChange(1, "ACTIVE", "HALTED", "halt command"))
    audit.effect(_order("5.000", "101.00", number=1, reduce_only=True))
    audit.event(ev.OrderExpired(2, 2, "o1", "x"))
    assert _limits(audit) == {"daily cost", "reducing"}
    audit.effect(_order("-5.000", number=2))
    assert "halted" in _limits(audit)

"""The plan of a start: nothing is opened before everything was asked, in order."""

from __future__ import annotations

from decimal import Decimal

from desks import T0, placement
from hypothesis import given, settings
from hypothesis import strategies as st

from litehedge.market import events as ev
from litehedge.orders.reconcile import Reconciliation
from litehedge.orders.reports import AccountReport, LegReport

ORDER = "lh-desk-000007"
LEGS = [
    LegReport("long", Decimal(10), Decimal(100), Decimal(5), False),
    LegReport("short", Decimal(-4), Decimal(101), Decimal(5), False),
]
FIRST = AccountReport(T0, Decimal(500), LEGS, True)
SECOND = AccountReport(T0, Decimal(300), [LEGS[1]], True)


@given(
    st.lists(st.sampled_from(["end", "other", "cancel", "first", "second"]), max_size=12),
    st.booleans(),
    st.booleans(),
)
@settings(max_examples=200)
def test_it_opens_only_after_each_step_in_turn(
    story: list[str], has_order: bool, has_second: bool
) -> None:
    place = placement(location="second_venue") if has_second else placement()
    there = placement(location="second_venue", is_second=True) if has_second else None
    plan = Reconciliation(ORDER if has_order else "", place, there)
    done: list[str] = []
    for what in story:
        if what == "end":
            plan.on_event(ev.OrderExpired(T0, T0, ORDER, "gone"))
        elif what == "other":
            plan.on_event(ev.OrderRejected(T0, T0, "lh-desk-000008", "no"))
        elif what == "cancel":
            plan.cancelled()
        else:
            plan.told(FIRST if what == "first" else SECOND, is_second=what == "second")
        done.append(what)
    needed = [*(["end"] if has_order else []), "cancel"]
    at = 0
    for name in needed:
        at = done.index(name, at) + 1 if name in done[at:] else len(done) + 1
    rest = done[at:]
    complete = at <= len(done) and "first" in rest and (not has_second or "second" in rest)
    assert (plan.step == "open") == complete


def test_what_it_opens() -> None:
    plan = Reconciliation("", placement())
    assert plan.step == "cancel"
    plan.cancelled()
    assert plan.step == "ask the account"
    plan.told(FIRST)
    opened, told = plan.events(T0 + 1, is_resumed=True)
    assert opened == ev.Opened(T0, T0 + 1, 500.0, None, 10.0, 100.0, 5.0, False, -4.0, 101.0, True)
    assert isinstance(told, ev.Reported)
    assert plan.faults == []


def test_of_a_leg_that_the_venue_does_not_tell_what_we_know_is_kept() -> None:
    plan = Reconciliation("", placement(location="reduce"))
    plan.cancelled()
    plan.told(AccountReport(T0, Decimal(500), [], True))
    opened = plan.events(T0, is_resumed=True, kept=(12.5, True))[0]
    assert isinstance(opened, ev.Opened)
    assert (opened.qty_ltc, opened.leverage, opened.isolated) == (0.0, 12.5, True)
    plan = Reconciliation("", placement(location="reduce"))
    plan.cancelled()
    plan.told(FIRST)
    opened = plan.events(T0, is_resumed=True, kept=(12.5, True))[0]
    assert isinstance(opened, ev.Opened)
    assert (opened.leverage, opened.isolated) == (5.0, False)

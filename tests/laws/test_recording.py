"""While the journal cannot be written trading only reduces; then it goes on by itself."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from litehedge.effects import StateChange, Submit
from litehedge.engine import step
from litehedge.engine_state import restore, start, take_checkpoint
from litehedge.hedge.policies import policy_named
from litehedge.market import events as ev
from litehedge.model.baselines.blind import BlindForecaster
from litehedge.risk.state import RESUME_WORD, TradingState
from litehedge.runner import run
from litehedge.settings import load_settings
from litehedge.units import NS_PER_MINUTE
from synthetic import packaged_tiers

ACTIVE, REDUCING, HALTED = TradingState
SAID = {
    "fails": ev.Recording(1, 1, "the disk is full"),
    "kept": ev.Recording(1, 1, ""),
    "halt": ev.Halt(1, 1, "a person"),
    "resume": ev.Resume(1, 1, RESUME_WORD),
}


def engine():
    settings = load_settings()
    return start(
        settings, policy_named("unhedged", settings), packaged_tiers(), BlindForecaster(),
        session="t", atom_ns=NS_PER_MINUTE,
    )  # fmt: skip


@given(st.lists(st.sampled_from(sorted(SAID)), max_size=12))
def test_it_is_never_active_unrecorded_and_always_again_afterwards(said):
    state = engine()
    for name in said:
        state, _ = step(state, SAID[name])
        assert not (state.is_unrecorded and state.trading is ACTIVE)
    state, _ = step(state, SAID["kept"])
    assert state.trading in (ACTIVE, HALTED)
    assert not state.is_reduced_by_record


def test_a_restart_lifts_what_the_journal_was_the_reason_for():
    state, effects = step(engine(), SAID["fails"])
    assert [e.after for e in effects if isinstance(e, StateChange)] == ["REDUCING"]
    again = engine()
    restore(again, take_checkpoint(state, 1))
    assert (again.trading, again.is_unrecorded) == (REDUCING, False)
    again, _ = step(again, SAID["kept"])
    assert again.trading is ACTIVE


@pytest.mark.parametrize("first", ["books", "journal"])
def test_books_that_differ_hold_it_after_the_journal_is_back(first):
    state = engine()
    if first == "journal":
        state, _ = step(state, SAID["fails"])
    state.is_differing = True
    if first == "books":
        state, _ = step(state, SAID["fails"])
    state, _ = step(state, SAID["kept"])
    assert state.trading is REDUCING
    assert state.is_reduced_by_books


class Told:
    """A journal and a venue that note in which order they are asked."""

    trouble = ""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def event(self, event) -> None: ...

    def effect(self, effect) -> None:
        self.calls += ["record the order"] if isinstance(effect, Submit) else []

    def write(self) -> None:
        self.calls.append("write")

    def keep(self) -> None:
        self.calls.append("keep")

    def flush(self) -> None:
        self.calls.append("flush")

    def on_market(self, event):
        return []

    def query(self, client_id, now_ns):
        return []

    def submit(self, order, now_ns):
        self.calls.append("send")
        return []


@pytest.mark.parametrize("flush_ns", [None, 1])
def test_an_order_is_written_before_it_is_sent_and_nothing_else_is_waited_for(flush_ns):
    told, minute = Told(), NS_PER_MINUTE
    price = (100.0, 100.0, 100.0, 100.0, 1e5)
    feed = [
        ev.Opened(minute, minute, 1000.0, None, 50.0, 100.0, 5.0, False),
        ev.SetHedge(minute, minute, 0.5, 10**9 * minute),
        *(ev.Bar(at * minute, at * minute, "LTC", minute, *price) for at in (2, 3)),
    ]
    run(engine(), feed, told, journal=told, flush_ns=flush_ns, flush_from_ns=10 * minute)
    first = told.calls.index("record the order")
    assert told.calls[first : first + 4] == ["record the order", "write", "send", "keep"]
    assert told.calls[-1] == "flush"
    assert told.calls.count("write") == told.calls.count("send")  # the past is not written apart

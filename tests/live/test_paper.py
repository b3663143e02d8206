"""A paper session: it wakes, is killed, goes on where it was, and can be told again."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from forecasters import Moody
from litehedge.config import Settings
from litehedge.decision import sizes
from litehedge.effects import Alert, Decision, Submit
from litehedge.errors import UsageError
from litehedge.hedge.policies import policy_named
from litehedge.live.digest import Digest
from litehedge.live.funnel import Funnel
from litehedge.live.paper import PaperVenue
from litehedge.live.recount import recount
from litehedge.live.running import ATOM_NS, Plan, guard, take_up
from litehedge.margin.account import HEDGE, POSITION, equity
from litehedge.market import events as ev
from litehedge.sim.market.feed import LiveMarket
from litehedge.sim.market.parameters import Parameters
from litehedge.sim.market.state import new_world
from litehedge.store.journal import Journal
from litehedge.units import NS_PER_MINUTE, NS_PER_SECOND
from synthetic import packaged_tiers

MONDAY = 1_767_571_200
BEGIN_NS = MONDAY * NS_PER_SECOND
WAKES_NS = BEGIN_NS + 10 * NS_PER_MINUTE


@pytest.fixture(scope="module")
def market() -> list[ev.MarketEvent]:
    """An hour of a market with quotes, as a feed tells it."""
    feed = LiveMarket(new_world(Parameters(), seed=5, second=MONDAY), 5)
    return list(feed.events(60 * 12))


def plan(policy: str = "plugin", location: str = "reduce") -> Plan:
    settings = Settings.model_validate(
        {"position": {"leverage": 20.0}, "hedge": {"location": location}}
    )
    return Plan(
        settings, policy_named(policy, settings), packaged_tiers(), Moody(), "none",
        NS_PER_MINUTE,
    )  # fmt: skip


class Given(Funnel):
    """A funnel of events that are known beforehand."""

    def __init__(self, events):
        super().__init__()
        self._given = events

    def events(self):
        for event in self._given:
            yield event
            if event.known_ns % NS_PER_MINUTE == 0:
                yield ev.Tick(event.known_ns, event.known_ns)


class People:
    """Commands at given times."""

    def __init__(self, *commands):
        self.commands = list(commands)
        self.now_ns = 0

    def take(self):
        while self.commands and self.commands[0].known_ns <= self.now_ns:
            yield self.commands.pop(0)

    def __call__(self, event, effects):
        self.now_ns = event.known_ns


def hold(at_ns: int, ratio: float) -> ev.SetHedge:
    return ev.SetHedge(at_ns, at_ns, ratio, at_ns + 24 * 60 * NS_PER_MINUTE)


def run_part(
    path, events, *commands, past=(), wakes_ns=WAKES_NS, observers=(), missed=None,
    policy="plugin", location="reduce",
):  # fmt: skip
    journal = Journal(path)
    here = plan(policy, location)
    taken = take_up(here, journal, session="test", mode="paper", data="made", now_ns=wakes_ns)
    venue = PaperVenue(here.settings, here.tiers, ATOM_NS, wakes_ns)
    happened = []
    if taken.ended_ns:
        happened = venue.resume(taken.state, taken.ended_ns, missed or [])
    people = People(*commands)
    seen = []
    state = guard(
        taken.state, venue, Given(events), list(past), journal=journal, inbox=people,
        observers=[people, lambda event, effects: seen.append((event, effects)), *observers],
    )  # fmt: skip
    journal.flush()
    return state, venue, seen, happened


def sent_orders(seen):
    return [effect.order for effect in effects_of(seen, Submit)]


def effects_of(seen, kind):
    return [e for _, effects in seen for e in effects if isinstance(e, kind)]


def test_nothing_happens_before_it_wakes_and_then_the_position_opens(tmp_path, market):
    past = [event for event in market if event.known_ns < WAKES_NS]
    rest = [event for event in market if event.known_ns >= WAKES_NS]
    state, venue, seen, _ = run_part(tmp_path / "j", rest, past=past)
    opened = [event for event, _ in seen if isinstance(event, ev.Opened)]
    assert len(opened) == 1
    assert opened[0].known_ns >= WAKES_NS
    assert not [d for d in effects_of(seen, Decision) if d.time_ns < opened[0].known_ns]
    assert state.is_open
    assert venue.books["qty"][0, POSITION] == state.books["qty"][0, POSITION]
    assert sizes(state.terms, state.books)[0] == opened[0].qty_ltc > 0


@pytest.mark.parametrize("location", ["same_account", "reduce"])
@pytest.mark.parametrize("cut", [0.3, 0.55, 0.8])
def test_killed_and_started_again_it_goes_on_with_the_same_account(tmp_path, market, cut, location):
    rest = [event for event in market if event.known_ns >= WAKES_NS]
    at = int(cut * len(rest))
    first, second = rest[:at], rest[at:]
    commands = hold(WAKES_NS + 3 * NS_PER_MINUTE, 0.6), hold(WAKES_NS + 30 * NS_PER_MINUTE, 0.2)
    early = [c for c in commands if c.known_ns <= first[-1].known_ns]
    late = [c for c in commands if c.known_ns > first[-1].known_ns]
    before, _, seen_before, _ = run_part(tmp_path / "j", first, *early, location=location)
    woken = second[0].known_ns
    after, venue, seen, happened = run_part(
        tmp_path / "j", second, *late, past=first, wakes_ns=woken, location=location
    )
    assert not happened
    resumed = [event for event, _ in seen if isinstance(event, ev.Opened)]
    assert [event.is_resumed for event in resumed] == [True]
    assert resumed[0].qty_ltc == before.books["qty"][0, POSITION]
    assert resumed[0].hedge_qty_ltc == before.books["qty"][0, HEDGE]
    assert resumed[0].wallet_usdt == pytest.approx(before.books["wallet"][0, 0], abs=1e-9)
    for name in ("qty", "entry", "wallet", "fees", "slippage", "funding"):
        np.testing.assert_allclose(after.books[name], venue.books[name], rtol=0, atol=1e-9)
    assert after.books["fees"][0] >= before.books["fees"][0]
    ids = [e.order.client_id for e in effects_of(seen_before, Submit) + effects_of(seen, Submit)]
    assert len(ids) == len(set(ids))
    assert ids


def test_reduced_to_nothing_it_goes_on_and_buys_back(tmp_path, market):
    rest = [event for event in market if event.known_ns >= WAKES_NS]
    first, second = rest[: len(rest) // 2], rest[len(rest) // 2 :]
    flat, *_ = run_part(
        tmp_path / "j", first, hold(WAKES_NS + 3 * NS_PER_MINUTE, 1.0), policy="unhedged"
    )
    whole = float(flat.terms["size"][0])
    assert flat.is_open
    assert flat.books["qty"][0, POSITION] == 0.0
    after, venue, *_ = run_part(
        tmp_path / "j", second, hold(second[0].known_ns + 3 * NS_PER_MINUTE, 0.6), past=first,
        wakes_ns=second[0].known_ns, policy="unhedged",
    )  # fmt: skip
    assert after.is_open
    assert after.terms["size"][0] == whole
    assert after.books["qty"][0, POSITION] == pytest.approx(0.4 * whole, abs=2e-3)
    assert venue.books["qty"][0, POSITION] == after.books["qty"][0, POSITION]


@pytest.mark.parametrize(
    ("then", "now", "why"),
    [("same_account", "reduce", "stands there"), ("reduce", "same_account", "of it are sold")],
)
def test_another_place_of_the_hedge_is_refused_while_it_stands(tmp_path, market, then, now, why):
    rest = [event for event in market if event.known_ns >= WAKES_NS]
    third = len(rest) // 3
    parts = rest[:third], rest[third : 2 * third], rest[2 * third :]
    early = hold(WAKES_NS + 3 * NS_PER_MINUTE, 0.6)
    run_part(tmp_path / "j", parts[0], early, policy="unhedged", location=then)
    again = {"past": parts[0], "wakes_ns": parts[1][0].known_ns, "policy": "unhedged"}
    with pytest.raises(UsageError, match=why) as told:
        run_part(tmp_path / "j", parts[1], location=now, **again)
    assert f"(hedge.location = {then})" in told.value.what
    assert f'set hedge.location = "{then}"' in told.value.remedy
    gone = hold(parts[1][0].known_ns + 1, 0.0)
    run_part(tmp_path / "j", parts[1], gone, location=then, **again)
    again |= {"past": parts[1], "wakes_ns": parts[2][0].known_ns}
    state, *_ = run_part(tmp_path / "j", parts[2], location=now, **again)
    assert state.is_open
    assert sizes(state.terms, state.books)[1] == pytest.approx(0.0)


def test_a_liquidation_that_was_missed_is_lived_through_and_told(tmp_path, market):
    rest = [event for event in market if event.known_ns >= WAKES_NS]
    first = rest[: len(rest) // 2]
    before, *_ = run_part(tmp_path / "j", first, policy="unhedged")
    entry = float(before.books["entry"][0, POSITION])
    gone_ns = first[-1].known_ns
    at_ns = (gone_ns // NS_PER_MINUTE + 2) * NS_PER_MINUTE
    crash = ev.Bar(at_ns, at_ns, "LTC", NS_PER_MINUTE, entry, entry, 0.7 * entry, 0.9 * entry, 9.0)
    later = [
        replace_times(event, 10 * NS_PER_MINUTE)
        for event in rest[len(rest) // 2 : len(rest) // 2 + 600]
    ]
    state, venue, _, happened = run_part(
        tmp_path / "j",
        later,
        past=[*first, crash],
        wakes_ns=later[0].known_ns,
        missed=[crash],
        policy="unhedged",
    )
    forced = [event for event in happened if isinstance(event, ev.Liquidated)]
    assert forced
    assert not forced[-1].alive
    assert not venue.is_open
    assert not state.is_open


def replace_times(event, shift_ns):
    import msgspec

    return msgspec.structs.replace(
        event, event_ns=event.event_ns + shift_ns, known_ns=event.known_ns + shift_ns
    )


def test_told_again_it_is_the_run_it_was_and_the_gap_adds_up(tmp_path, market):
    rest = [event for event in market if event.known_ns >= WAKES_NS]
    past = [event for event in market if event.known_ns < WAKES_NS]
    state, _, seen, _ = run_part(
        tmp_path / "j", rest, hold(WAKES_NS + 5 * NS_PER_MINUTE, 0.5), past=past
    )
    journal = Journal(tmp_path / "j")
    ((run_id, header),) = journal.runs()
    fresh = take_up(
        plan(), Journal(tmp_path / "other"), session="test", mode="paper", data="", now_ns=WAKES_NS
    ).state
    told = recount(
        lambda: itertools.chain(journal.events(run_id)), fresh, Moody(),
        list(journal.decisions(run_id)), {o.client_id: o for o in sent_orders(seen)}, name="paper",
    )  # fmt: skip
    last = told.run.outcomes[-1]
    assert last["trades"] == sum(isinstance(e, ev.OrderFilled) for e, _ in seen)
    assert last["fees"] == pytest.approx(float(state.books["fees"][0]))
    assert last["equity"] == pytest.approx(
        float(equity(state.books, told.tape.bars[-1, 3])), rel=1e-6
    )
    gap = told.gap
    parts = gap.fees_bps + gap.slippage_bps + gap.funding_bps + gap.forced_bps + gap.timing_bps
    assert gap.whole_bps == pytest.approx(parts)
    assert header.mode == "paper"


def test_a_digest_counts_what_was_paid(tmp_path, market):
    rest = [event for event in market if event.known_ns >= WAKES_NS]
    days, made = [], []

    class Late:
        """Built when the state is known."""

        def __init__(self):
            self.digest = None

        def __call__(self, event, effects):
            if self.digest is None:
                return
            self.digest(event, effects)

    late = Late()
    journal = Journal(tmp_path / "j")
    taken = take_up(plan(), journal, session="d", mode="paper", data="", now_ns=WAKES_NS)
    late.digest = Digest(taken.state, dict, days.append)
    people = People(hold(WAKES_NS + 5 * NS_PER_MINUTE, 0.5))
    state = guard(
        taken.state, PaperVenue(plan().settings, plan().tiers, ATOM_NS, WAKES_NS), Given(rest), [],
        journal=journal, inbox=people,
        observers=[people, late, lambda e, f: made.append(f)],
    )  # fmt: skip
    day = late.digest.finish()
    assert day is not None
    assert day.trades > 0
    assert day.fees == pytest.approx(float(state.books["fees"][0]))
    assert day.date in day.text()
    assert day.alerts == sum(
        isinstance(e, Alert) and e.level == "act_now" for effects in made for e in effects
    )

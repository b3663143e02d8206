"""What was learnt is taken up between two frames, within bounds, and the same when replayed."""

from __future__ import annotations

import numpy as np
import pytest

from forecasters import Moody
from litehedge.effects import Alert, Checkpoint, Decision, Learnt
from litehedge.engine import step
from litehedge.engine_state import start
from litehedge.hedge.policies import policy_named
from litehedge.lessons import forget
from litehedge.market import events as ev
from litehedge.settings import load_settings
from litehedge.squeeze import forecast as fc
from litehedge.squeeze.learnt import HIGHEST, SHIPPED
from litehedge.store.journal import encode_effect
from litehedge.units import NS_PER_MINUTE
from synthetic import Crash, everything, market, packaged_tiers

SHIFTED = (1.1, 0.3, 0.9, -0.2, 0.1, 0.25, 2.0, 1.5)


class Steady(Moody):
    """Moody, but never silent and never sure of a squeeze."""

    def step(self, memory, phase, end_ns, features):
        row = super().step(memory, phase, end_ns, features)
        while row[-1] >= 2.0:
            end_ns += NS_PER_MINUTE
            row = super().step(memory, phase, end_ns, features)
        row[fc.PHASE_AT : fc.VOL_AT] = [1.0, 0.0, 0.0, 0.0]
        return row


@pytest.fixture(scope="module")
def calm():
    return list(everything(market(120, seed=3, vol=0.0002)).events())


@pytest.fixture(scope="module")
def falling():
    own = market(160, seed=3, vol=0.0002, crashes=(Crash(at=60, bars=20, depth=0.12),))
    return list(everything(own).events())


def begun():
    settings = load_settings()
    return start(
        settings, policy_named("unhedged", settings), packaged_tiers(), Steady(), session="t",
        atom_ns=NS_PER_MINUTE, held_every_ns=0, keeps_checkpoints=True,
    )  # fmt: skip


def offer(now_ns, values=SHIFTED, model="moody", **changes):
    return ev.LessonOffered(now_ns, now_ns, model, values, 3, "two squeezes came", **changes)


def live(events, offers):
    """Live through a market; `offers` are made before the event of their number."""
    state, record = begun(), []
    opened = ev.Opened(events[0].known_ns, events[0].known_ns, 200.0, None, 10.0, 100.0, 5.0, False)
    state, effects = step(state, opened)
    record.append((opened, effects))
    for number, event in enumerate(events):
        if number in offers:
            said = offer(event.known_ns, *offers[number])
            state, effects = step(state, said)
            record.append((said, effects))
        state, effects = step(state, event)
        record.append((event, effects))
    return state, record


def found(record, kind):
    return [e for _, effects in record for e in effects if isinstance(e, kind)]


def replayed(record):
    state, said = begun(), []
    for event, _ in record:
        state, effects = step(state, event)
        said.append([encode_effect(e) for e in effects])
    return said


def test_a_lesson_is_taken_up_at_the_next_frame_and_replays_to_the_bit(calm):
    number = len(calm) // 2
    _, alone = live(calm, {})
    state, record = live(calm, {number: ()})
    [learnt] = found(record, Learnt)
    assert learnt.before == list(SHIPPED)
    assert learnt.after == list(SHIFTED)
    assert learnt.time_ns >= calm[number].known_ns
    assert state.learnt == SHIFTED
    assert replayed(record) == [[encode_effect(e) for e in effects] for _, effects in record]
    mine, theirs = found(record, Decision), found(alone, Decision)
    assert len(mine) == len(theirs)  # nothing pauses
    before = [d for d in mine if d.time_ns < learnt.time_ns]
    assert [encode_effect(d) for d in before] == [
        encode_effect(d) for d in theirs if d.time_ns < learnt.time_ns
    ]
    assert [d.onset for d in mine] != [d.onset for d in theirs]


def test_reverting_gives_back_the_same_bits(calm):
    one, two = len(calm) // 3, 2 * len(calm) // 3
    _, alone = live(calm, {})
    state, record = live(calm, {one: (), two: (SHIPPED,)})
    first, back = found(record, Learnt)
    assert back.after == first.before
    after = back.time_ns
    mine = [d.onset for d in found(record, Decision) if d.time_ns >= after]
    theirs = [d.onset for d in found(alone, Decision) if d.time_ns >= after]
    assert mine == theirs
    fresh = begun()
    for name in ("half_spread", "impact"):
        assert state.terms[name][0] == fresh.terms[name][0]


@pytest.mark.parametrize(
    "values", [(HIGHEST[0] + 1e-9, *SHIFTED[1:]), (float("nan"), *SHIFTED[1:]), SHIFTED[:-1]]
)
def test_what_lies_beyond_the_bounds_is_never_taken_up(calm, values):
    state, record = live(calm, {10: (values,)})
    assert found(record, Learnt) == []
    assert state.learnt == SHIPPED
    [alert] = [a for a in found(record, Alert) if a.key == "learning"]
    assert "not taken up" in alert.text


def test_a_lesson_of_another_model_counts_for_nothing(calm):
    state, record = live(calm, {10: (SHIFTED, "another")})
    assert found(record, Learnt) == []
    assert state.learnt == SHIPPED


def test_in_a_squeeze_nothing_is_learnt(falling):
    starts = next(n for n, e in enumerate(falling) if e.known_ns >= falling[0].known_ns
                  + 72 * NS_PER_MINUTE)  # fmt: skip
    state, record = live(falling, {starts: ()})
    taken = found(record, Learnt)
    assert state.learnt == SHIFTED
    assert taken[0].time_ns > falling[0].known_ns + 80 * NS_PER_MINUTE


def test_costs_are_what_the_engine_counts_with(calm):
    state, _ = live(calm, {10: ()})
    shipped = begun()
    assert state.terms["half_spread"][0] == pytest.approx(2.0 * shipped.terms["half_spread"][0])
    assert state.terms["impact"][0] == pytest.approx(1.5 * shipped.terms["impact"][0])
    forget(state)
    assert state.terms["impact"][0] == shipped.terms["impact"][0]
    assert state.learnt == SHIPPED


def test_the_watch_is_told_once_and_that_it_is_over_once(calm):
    state = begun()
    said = []
    for watch in ("fine", "drift", "drift", "watch", "fine", "drift"):
        event = ev.LessonOffered(1, 1, "moody", watch=watch, detail="its intervals miss")
        state, effects = step(state, event)
        said.append([(e.level, e.clears) for e in effects])
    assert said == [[], [("act_now", False)], [], [("done", True)], [], [("act_now", False)]]


def test_the_event_survives_the_journal():
    event = offer(5, watch="drift", detail="why")
    assert ev.decode(ev.encode(event)) == event
    state, effects = step(begun(), event)
    assert not [e for e in effects if isinstance(e, Checkpoint)]
    assert np.isfinite(state.lesson.values).all()

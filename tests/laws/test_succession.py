"""Another model takes over between two frames: warm, never in a squeeze, the same when replayed."""

from __future__ import annotations

import numpy as np
import pytest

from litehedge.effects import Alert, Decision, ModelChange
from litehedge.engine import relive, step
from litehedge.engine_state import start
from litehedge.hedge import signals as sg
from litehedge.hedge.policies import policy_named
from litehedge.market import events as ev
from litehedge.model import artefact
from litehedge.settings import load_settings
from litehedge.squeeze import forecast as fc
from litehedge.squeeze.hazard import N_ONSET
from litehedge.squeeze.history import FRAMES, History, warmed
from litehedge.store.bundled import pretrained_folder
from litehedge.store.journal import encode_effect
from litehedge.succession import WORD_NS, in_squeeze
from litehedge.units import NS_PER_HOUR, NS_PER_MINUTE
from synthetic import Crash, everything, market, packaged_tiers


class Remembering:
    """What it says depends on all that it was ever fed; it speaks after `cold` frames a phase."""

    schema_hash = ""

    def __init__(self, name, cold=3, during=0.0, state=fc.ForecastState.OK):
        self.id = name
        self._cold, self._during, self._state = cold, during, state

    def start(self, phases):
        return np.zeros((phases, 2))

    def step(self, memory, phase, end_ns, features):
        memory[phase, 0] += 1
        memory[phase, 1] = 0.9 * memory[phase, 1] + np.nansum(np.abs(features)) % 1.0
        if memory[phase, 0] <= self._cold:
            return fc.cold_row()
        row = np.empty(fc.N_FORECAST)
        row[fc.ONSET_AT : fc.PEAK_AT] = 1e-3 * (memory[phase, 1] % 1.0) / (2 * N_ONSET)
        row[fc.PEAK_AT : fc.SEVERITY_AT] = 0.1
        row[fc.SEVERITY_AT : fc.PHASE_AT] = np.tile([150.0, 300.0, 700.0, 900.0, 1500.0], 2)
        row[fc.PHASE_AT : fc.VOL_AT] = [1.0 - self._during, 0.0, self._during, 0.0]
        row[fc.VOL_AT : fc.CONFIDENCE_AT] = 1e-3
        row[fc.CONFIDENCE_AT] = (memory[phase, 1] + 0.1 * len(self.id)) % 1.0
        row[fc.STATE_AT] = self._state
        return row

    def batch(self, memory, phases, end_ns, features):
        frames = zip(phases.tolist(), end_ns.tolist(), features, strict=True)
        return np.array([self.step(memory, *frame) for frame in frames])


@pytest.fixture(scope="module")
def calm():
    return list(everything(market(300, seed=3, vol=0.0002)).events())


@pytest.fixture(scope="module")
def falling():
    own = market(300, seed=3, vol=0.0002, crashes=(Crash(at=150, bars=20, depth=0.12),))
    return list(everything(own).events())


def begun(forecaster):
    settings = load_settings()
    return start(
        settings, policy_named("plugin", settings), packaged_tiers(), forecaster, session="t",
        atom_ns=NS_PER_MINUTE, held_every_ns=0, keeps_checkpoints=True,
    )  # fmt: skip


def opened(now_ns):
    return ev.Opened(now_ns, now_ns, 200.0, None, 10.0, 100.0, 5.0, False)


def offer_of(state, forecaster, now_ns, why="better"):
    """An offer and its model, as the shell makes them."""
    rows = state.history.to_feed()
    mind = warmed(forecaster, state.fixed.per_frame, rows)
    ends = rows.end_ns
    spans = (int(ends[0]), int(ends[-1])) if ends.size else (0, 0)
    return ev.ModelOffered(now_ns, now_ns, forecaster.id, "there", why, *spans), mind


def live(market_events, forecaster, offers, *, late=0):
    """Live through a market; `offers` holds models by the number of the event before which they
    are offered, `late` for how many events loading takes. Return what a journal would hold.
    """
    state, record, waiting = begun(forecaster), [], []
    state, effects = step(state, opened(market_events[0].known_ns))
    record.append((opened(market_events[0].known_ns), effects))
    for number, event in enumerate(market_events):
        if number in offers:
            waiting.append((number + late, *offer_of(state, offers[number], event.known_ns)))
        while waiting and waiting[0][0] <= number:
            _, offered, mind = waiting.pop(0)
            state, effects = step(state, offered, mind)
            record.append((offered, effects))
        state, effects = step(state, event)
        record.append((event, effects))
    return state, record


def found(record, kind):
    return [e for _, effects in record for e in effects if isinstance(e, kind)]


def replayed(record, forecaster, models):
    """The same events through a fresh engine, which is given the models anew."""
    state, said = begun(forecaster), []
    for event, _ in record:
        mind = None
        if isinstance(event, ev.ModelOffered) and event.model_id in models:
            rows = state.history.between(event.from_ns, event.to_ns)
            mind = warmed(models[event.model_id], state.fixed.per_frame, rows)
        state, effects = step(state, event, mind)
        said.append([encode_effect(e) for e in effects])
    return said


@pytest.mark.parametrize("late", [0, 40])
def test_it_takes_over_warm_without_a_missing_decision_and_replays_to_the_bit(calm, late):
    number = 2 * len(calm) // 3
    _, alone = live(calm, Remembering("old"), {})
    state, record = live(calm, Remembering("old"), {number: Remembering("newer")}, late=late)
    [change] = found(record, ModelChange)
    assert (change.before, change.after, change.folder) == ("old", "newer", "there")
    assert state.fixed.forecaster.id == "newer"
    assert state.heir is None
    ours, theirs = found(record, Decision), found(alone, Decision)
    assert [d.time_ns for d in ours] == [d.time_ns for d in theirs]  # none is missing
    states = [d.forecast_state for d in ours if d.time_ns >= change.time_ns]
    assert states
    assert set(states) == {fc.ForecastState.OK}
    kept = [encode_effect(d) for d in ours if d.time_ns < change.time_ns]
    assert kept == [encode_effect(d) for d in theirs if d.time_ns < change.time_ns]
    assert [d.recommendation.confidence for d in ours] != [
        d.recommendation.confidence for d in theirs
    ]
    again = replayed(record, Remembering("old"), {"newer": Remembering("newer")})
    assert again == [[encode_effect(e) for e in effects] for _, effects in record]
    assert any(e.text.startswith("newer forecasts from now on") for e in found(record, Alert))


def shipped():
    folder = pretrained_folder() / "ltc-1m"
    return artefact.load(folder, NS_PER_MINUTE).forecaster


def test_a_network_takes_over_with_what_it_would_remember_and_replays_to_the_bit():
    long = list(everything(market(1_800, seed=6, vol=0.0002)).events())
    number = 19 * len(long) // 20
    _, record = live(long, Remembering("old"), {number: shipped()}, late=30)
    [change] = found(record, ModelChange)
    assert change.time_ns - long[number].known_ns < 6 * NS_PER_MINUTE
    states = [d.forecast_state for d in found(record, Decision) if d.time_ns >= change.time_ns]
    assert max(states) < fc.ForecastState.COLD
    again = replayed(record, Remembering("old"), {change.after: shipped()})
    assert again == [[encode_effect(e) for e in effects] for _, effects in record]


def test_what_is_left_out_of_a_replay_shows(calm):
    _, record = live(calm, Remembering("old"), {len(calm) // 2: Remembering("newer")})
    assert replayed(record, Remembering("old"), {}) != [
        [encode_effect(e) for e in effects] for _, effects in record
    ]


def test_it_does_not_take_over_in_a_squeeze(falling):
    def is_inside(state):
        return bool(in_squeeze(state))

    state = begun(Remembering("old"))
    inside = []
    for event in falling:
        state, _ = step(state, event)
        inside.append(is_inside(state))
    first = inside.index(True) + 1
    last = first + inside[first:].index(False) - 1
    assert falling[last].known_ns - falling[first].known_ns > 10 * NS_PER_MINUTE
    _, record = live(falling, Remembering("old"), {first: Remembering("newer")})
    [change] = found(record, ModelChange)
    assert change.time_ns > falling[last].known_ns
    [waits] = [a for a in found(record, Alert) if "waits" in a.text]
    assert "the price moves very fast" in waits.text
    [done] = [a for a in found(record, Alert) if "from now on" in a.text]
    assert "it waited" in done.text
    assert "the price moves very fast" in done.text
    assert done.clears
    again = replayed(record, Remembering("old"), {"newer": Remembering("newer")})
    assert again == [[encode_effect(e) for e in effects] for _, effects in record]


def test_the_word_of_the_model_that_serves_puts_it_off_for_hours_not_for_ever():
    long = list(everything(market(600, seed=4, vol=0.0002)).events())
    number = len(long) // 4
    _, record = live(long, Remembering("old", during=0.9), {number: Remembering("newer")})
    [change] = found(record, ModelChange)
    waited_ns = change.time_ns - long[number].known_ns
    assert WORD_NS - NS_PER_HOUR / 10 < waited_ns < WORD_NS + NS_PER_HOUR / 10
    [waits] = [a for a in found(record, Alert) if "waits" in a.text]
    assert "probability of 90%" in waits.text


def test_a_model_that_is_cold_waits_until_it_is_not(calm):
    number = len(calm) // 3
    _, record = live(calm, Remembering("old"), {number: Remembering("newer", cold=150)})
    [change] = found(record, ModelChange)
    assert change.time_ns > calm[number].known_ns + 10 * NS_PER_MINUTE
    [waits] = [a for a in found(record, Alert) if "waits" in a.text]
    assert "not seen enough" in waits.text
    late = [d.forecast_state for d in found(record, Decision) if d.time_ns >= change.time_ns]
    assert set(late) == {fc.ForecastState.OK}


def test_one_that_never_speaks_never_takes_over(calm):
    _, record = live(
        calm, Remembering("old"), {90: Remembering("newer", state=fc.ForecastState.EXPIRED)}
    )
    assert found(record, ModelChange) == []


def test_the_champion_that_serves_again_sends_the_other_away(calm):
    state = begun(Remembering("old", cold=0))
    for event in calm[:400]:
        state, _ = step(state, event)
    now_ns = calm[400].known_ns
    state, _ = step(state, *offer_of(state, Remembering("newer", cold=9_999), now_ns))
    assert state.heir is not None
    state, effects = step(state, ev.ModelOffered(now_ns, now_ns, "old"))
    assert state.heir is None
    assert [e.text for e in effects] == ["old serves on: it is the champion again"]
    state, effects = step(state, ev.ModelOffered(now_ns, now_ns, "old"))
    assert effects == []


def test_a_new_offer_takes_the_place_of_one_that_waits(calm):
    third = 2 * len(calm) // 3
    offers = {third - 40: Remembering("second", cold=9_999), third: Remembering("third")}
    _, record = live(calm, Remembering("old"), offers)
    assert [c.after for c in found(record, ModelChange)] == ["third"]


def test_trouble_is_told_and_nothing_changes(calm):
    state = begun(Remembering("old"))
    told = ev.ModelOffered(1, 1, "new@1", trouble="the new champion cannot be used: it is damaged")
    state, effects = step(state, told)
    assert [(e.level, e.text) for e in effects] == [
        ("act_now", "the new champion cannot be used: it is damaged; old goes on")
    ]
    state, effects = step(state, ev.ModelOffered(1, 1, "", trouble="the registry is gone"))
    assert [(e.level, e.text) for e in effects] == [("digest", "the registry is gone; old goes on")]
    state, effects = step(state, ev.ModelOffered(1, 1, ""))
    assert effects[0].clears
    assert (state.heir, state.fixed.forecaster.id) == (None, "old")


def test_a_restart_lives_through_offers_without_them(calm):
    offered = ev.ModelOffered(1, 1, "new", "there", "better", 0, 0)
    state = relive(begun(Remembering("old")), [offered])
    assert (state.heir, state.fixed.forecaster.id) == (None, "old")


def test_offers_outlive_being_written_down():
    offered = ev.ModelOffered(5, 6, "new@1", "there", "why", 3, 4, "trouble")
    assert ev.decode(ev.encode(offered)) == offered


def test_history_keeps_the_last_frames_and_tells_what_is_gone():
    history = History(2, 1)
    for number in range(1, 1001):
        history.add(number % 2, 10 * number, np.array([float(number)]))
    rows = history.to_feed()
    assert rows.end_ns.tolist() == [10 * n for n in range(1001 - 2 * FRAMES, 1001)]
    assert (rows.features[:, 0] * 10 == rows.end_ns).all()
    assert (rows.phases == rows.end_ns // 10 % 2).all()
    assert history.between(9_000, 9_020).end_ns.tolist() == [9_000, 9_010, 9_020]
    assert history.holds(int(rows.end_ns[0]))
    assert not history.holds(10)
    assert History(2, 1).holds(0)


def test_signals_of_a_squeeze_are_read(calm):
    state = begun(Remembering("old"))
    assert in_squeeze(state) == ""  # nothing is known yet
    for event in calm[:400]:
        state, _ = step(state, event)
    assert in_squeeze(state) == ""
    state.signals[sg.PHASE, 0], state.signals[sg.PHASE + 1, 0] = 0.3, 0.3
    assert "60%" in in_squeeze(state)
    assert in_squeeze(state, is_heard=False) == ""
    state.signals[sg.MOVE_15M, 0] = -0.05
    assert "5.0%" in in_squeeze(state, is_heard=False)

"""A session that runs takes a new champion: nothing pauses, and trouble changes nothing."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import msgspec
import numpy as np
import pytest

from forecasters import logistic_weights
from litehedge.cli.guarding import candidate
from litehedge.cli.replay import _replay
from litehedge.config import Settings
from litehedge.effects import Alert, Decision, ModelChange
from litehedge.features.vector import FeatureSchema
from litehedge.hedge.policies import policy_named
from litehedge.live.following import Following
from litehedge.live.funnel import Funnel
from litehedge.live.paper import PaperVenue
from litehedge.live.running import ATOM_NS, Plan, guard, take_up
from litehedge.market import events as ev
from litehedge.model import artefact
from litehedge.model.artefact import Span
from litehedge.shelf import lineage
from litehedge.shelf.champion import opened
from litehedge.shelf.models import choose_model
from litehedge.shelf.reopened import reopen
from litehedge.sim.market.feed import LiveMarket
from litehedge.sim.market.parameters import Parameters
from litehedge.sim.market.state import new_world
from litehedge.squeeze.forecast import ForecastState
from litehedge.store.journal import Journal
from litehedge.store.lookback import Past, last_folder
from litehedge.store.registry import registry_folder
from litehedge.units import NS_PER_MINUTE, NS_PER_SECOND
from networks import card
from synthetic import packaged_tiers

MONDAY = 1_767_571_200
BEGIN_NS = MONDAY * NS_PER_SECOND
WAKES_NS = BEGIN_NS + 5 * NS_PER_MINUTE
PAST_MIN = 1_560
"""A forecast needs a day of market."""
PATIENCE_S = 60.0


@pytest.fixture(scope="module")
def market():
    """Half an hour of a market with quotes, as a feed tells it."""
    feed = LiveMarket(new_world(Parameters(), seed=5, second=MONDAY), 5)
    return list(feed.events(30 * 12))


@pytest.fixture(scope="module")
def past(market):
    """A day of minutes before that, as a venue tells it."""
    price = next(e for e in market if isinstance(e, ev.Book)).bid
    steps = np.random.default_rng(3).normal(0.0, 3e-4, PAST_MIN)
    closes = price * np.exp(np.cumsum(steps) - steps.sum())
    bars = []
    for number, close in enumerate(closes.tolist()):
        end_ns = BEGIN_NS - (PAST_MIN - number - 1) * NS_PER_MINUTE
        bars.append(
            ev.Bar(end_ns, end_ns, "LTC", NS_PER_MINUTE, close, 1.0002 * close, 0.9998 * close,
                   close, 500.0)
        )  # fmt: skip
    return bars


def at(market, minutes):
    """Return the number of the first event after so many minutes."""
    return next(n for n, e in enumerate(market) if e.known_ns >= BEGIN_NS + minutes * NS_PER_MINUTE)


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home whose registry has `one` as champion and `two` beside it, for frames of a minute."""
    monkeypatch.setenv("LITEHEDGE_HOME", str(tmp_path))
    for seed, name in enumerate(("one", "two")):
        registered(tmp_path, name, seed)
    promoted("one")
    return tmp_path


def registered(home, name, seed, **changes):
    facts = {"name": name, "kind": "logistic", "format": artefact.FORMAT,
             "feature_schema": FeatureSchema(NS_PER_MINUTE).hash}  # fmt: skip
    artefact.save(home / "made" / name, card(**(facts | changes)), logistic_weights(seed))
    registry = opened()
    known = lineage.lineage_of(artefact.load_card(home / "made" / name))
    version = registry.register(home / "made" / name, name, known, now_ns=1, who="test", why="made")
    registry.close()
    return version


def promoted(name):
    """Promote without the checks of people's commands, as another program might."""
    registry = opened()
    registry.promote(
        registry.find(name), now_ns=time.time_ns(), who="test", why=f"{name} is better"
    )
    registry.close()


class Driven(Funnel):
    """A funnel of known events. `acts` are called before the event of their number.

    Then it waits until somebody has something to say to the engine; or, with `goes_on`, the feed
    goes on meanwhile.
    """

    def __init__(self, given, acts, *, goes_on=False):
        super().__init__(clock=lambda: self._given_ns)
        self._given, self._acts, self._goes_on = given, acts, goes_on
        self.heard = []

    def events(self):
        slow_until = 0.0
        for number, event in enumerate(self._given):
            if number in self._acts:
                self._acts[number]()
                ends = time.monotonic() + PATIENCE_S
                slow_until = ends if self._goes_on else 0.0
                while not self._goes_on and self._queue.empty() and time.monotonic() < ends:
                    time.sleep(0.002)
            self._given_ns = event.known_ns
            yield event
            while not self._queue.empty():
                said = self._queue.get()
                slow_until = 0.0
                self.heard.append(said)
                yield msgspec.structs.replace(said, known_ns=event.known_ns)
            if time.monotonic() < slow_until:
                time.sleep(0.003)


def plan():
    settings = Settings.model_validate({"position": {"leverage": 20.0}})
    chosen = choose_model("auto", NS_PER_MINUTE)
    return Plan(
        settings, policy_named("plugin", settings), packaged_tiers(), chosen.forecaster,
        chosen.folder, NS_PER_MINUTE,
    )  # fmt: skip


def session(
    path, events, acts=None, past=(), watch=lambda event, effects: None, follows=True, goes_on=False
):
    journal = Journal(path)
    here = plan()
    wakes_ns = max(WAKES_NS, events[0].known_ns)
    taken = take_up(here, journal, session="test", mode="paper", data="made", now_ns=wakes_ns)
    venue = PaperVenue(here.settings, here.tiers, ATOM_NS, wakes_ns)
    if taken.ended_ns:
        venue.resume(taken.state, taken.ended_ns, [])
    funnel, seen = Driven(events, acts or {}, goes_on=goes_on), []
    following = Following(taken.state, funnel, lambda: candidate(60), look_s=0.01)
    observers = [lambda event, effects: seen.append((event, effects)), following, watch]

    def run():
        return guard(
            taken.state,
            venue,
            funnel,
            list(past),
            journal=journal,
            observers=observers,
            minds=following.mind,
        )

    if follows:
        with following:
            state = run()
    else:
        state = run()
    journal.flush()
    journal.close()
    return state, seen, funnel


def found(seen, kind):
    return [e for _, effects in seen for e in effects if isinstance(e, kind)]


def texts(seen):
    return [e.text for e in found(seen, Alert)]


def check_replays(path):
    journal = Journal(path)
    for number, header in journal.runs():
        result = _replay(journal, number, header, None)
        assert result["difference"] is None
        assert result["decisions"]
    journal.close()


def test_a_new_champion_takes_over_under_load_and_no_frame_is_missed(home, tmp_path, market, past):
    other, alone, _ = session(tmp_path / "alone", market, past=past, follows=False)
    state, seen, _ = session(
        tmp_path / "j", market, {at(market, 18): lambda: promoted("two")}, past, goes_on=True
    )
    [change] = found(seen, ModelChange)
    assert (change.before[:4], change.after[:4]) == ("one@", "two@")
    assert change.why == "two is better"
    assert state.fixed.forecaster.id == change.after
    frames = [one.history.between(0).end_ns for one in (state, other)]
    assert frames[0].size > 1_000
    np.testing.assert_array_equal(*frames)  # each was heard
    times = [d.time_ns for d in found(seen, Decision)]
    assert max(np.diff(times)) <= NS_PER_MINUTE + ATOM_NS
    assert [t for t in times if t < change.time_ns] == [
        d.time_ns for d in found(alone, Decision) if d.time_ns < change.time_ns
    ]
    outlooks = {d.time_ns: d.outlook for d in found(alone, Decision)}
    early = [d for d in found(seen, Decision) if d.time_ns < change.time_ns]
    late = [d for d in found(seen, Decision) if d.time_ns >= change.time_ns]
    assert all(d.outlook == outlooks[d.time_ns] for d in early)
    assert max(d.forecast_state for d in (*early[-3:], *late)) < ForecastState.COLD
    assert len(late) > 5
    assert not np.array_equal(state.row, other.row, equal_nan=True)  # another model speaks
    assert any("forecasts from now on" in text for text in texts(seen))
    check_replays(tmp_path / "j")
    assert last_folder(tmp_path / "j") == change.folder
    check_reopened(tmp_path / "j", early[-1], change.before)
    check_reopened(tmp_path / "j", late[-1], change.after)


def check_reopened(path, decision, model_id):
    """A decision is taken apart with the model that made it, and comes out as it was."""
    journal = Past(path)
    [one] = journal.decisions(lambda d: d.time_ns == decision.time_ns, most=1)
    used = journal.model_at(one.run_id, one.event)
    assert used.model_id == model_id
    loaded = artefact.load(Path(used.folder), NS_PER_MINUTE)
    assert reopen(journal, one, loaded, from_ns=used.from_ns).is_same
    journal.close()


@pytest.mark.parametrize("after", [1, 700])
def test_killed_after_the_change_it_goes_on_with_the_right_model(
    home, tmp_path, market, past, after
):
    half = at(market, 20)
    child = os.fork()
    if child == 0:
        left = [-1]

        def watch(event, effects):
            if any(isinstance(e, ModelChange) for e in effects):
                left[0] = after
            elif left[0] > 0:
                left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)

        session(tmp_path / "j", market, {at(market, 10): lambda: promoted("two")}, watch=watch)
        os._exit(1)
    assert os.WIFSIGNALED(os.waitpid(child, 0)[1])
    state, seen, _ = session(tmp_path / "j", market[half:], past=market[:half])
    assert state.fixed.forecaster.id.startswith("two@")
    assert found(seen, ModelChange) == []
    journal = Journal(tmp_path / "j")
    assert [h.model_id[:4] for _, h in journal.runs()] == ["one@", "two@"]
    journal.close()
    check_replays(tmp_path / "j")


def damage(home):
    [weights] = registry_folder(home).root.glob("*/two/weights-*")
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-3])
    return weights, whole


def test_a_corrupt_artefact_leaves_the_old_model_and_says_why(home, tmp_path, market):
    def act():
        damage_done.append(damage(home))
        registry = opened()  # it was whole when it was promoted
        with registry._writes() as connection:
            version = registry.find("two")
            registry._give(connection, 60, "champion", version.key, 2, "test", "two is better")
        registry.close()

    damage_done = []
    state, seen, _ = session(tmp_path / "j", market, {at(market, 18): act})
    assert state.fixed.forecaster.id.startswith("one@")
    assert found(seen, ModelChange) == []
    [told] = [e for e in found(seen, Alert) if "cannot be used" in e.text]  # once, however often
    assert told.level == "act_now"
    assert "the new champion two@1 cannot be used" in told.text
    assert "not what was registered" in told.text
    assert told.text.endswith("goes on")
    check_replays(tmp_path / "j")
    # Mended, it is taken while the session runs.
    weights, whole = damage_done[0]
    acts = {at(market, 18): lambda: weights.write_bytes(whole)}
    state, seen, _ = session(tmp_path / "again", market, acts)
    assert [c.after[:4] for c in found(seen, ModelChange)] == ["two@"]
    check_replays(tmp_path / "again")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"feature_schema": "other"}, "was trained with feature schema other"),
        ({"trained_on": [Span("ltc", "2024-01-01", "2024-02-01", 5)], "expires_days": 45},
         "expired on 2024-03-17"),
    ],
    ids=["schema", "expired"],
)  # fmt: skip
def test_one_that_does_not_fit_or_is_too_old_is_not_taken(
    home, tmp_path, market, past, changes, words
):
    registered(home, "odd", 3, **changes)
    state, seen, _ = session(
        tmp_path / "j", market, {at(market, 18): lambda: promoted("odd")}, past
    )
    assert state.fixed.forecaster.id.startswith("one@")
    assert any(words in text and "goes on" in text for text in texts(seen))
    check_replays(tmp_path / "j")


def test_a_registry_that_cannot_be_reached_is_told_once_and_so_is_its_return(
    home, tmp_path, market
):
    file = home / "registry" / "registry.sqlite"
    whole = []

    def put(payload):
        """Another file, since who has the old one open may still write into that."""
        (home / "other").write_bytes(payload)
        (home / "other").replace(file)

    def break_it():
        whole.append(file.read_bytes())
        put(b"x" * 5000)

    acts = {at(market, 10): break_it, at(market, 20): lambda: put(whole[0])}
    state, seen, _ = session(tmp_path / "j", market, acts)
    told = [text for text in texts(seen) if "registry" in text]
    assert len(told) == 2
    assert "cannot be read" in told[0]
    assert told[0].endswith("goes on")
    assert "can be read again" in told[1]
    assert state.fixed.forecaster.id.startswith("one@")
    assert found(seen, Decision)[-1].time_ns > market[-1].known_ns - 2 * NS_PER_MINUTE


def test_a_session_follows_only_a_change(home, tmp_path, market):
    _, seen, funnel = session(tmp_path / "j", market, {})
    assert funnel.heard == []
    assert not [e for e, _ in seen if isinstance(e, ev.ModelOffered)]

"""A session that runs takes a new champion: nothing pauses, and trouble changes nothing."""

from __future__ import annotations

import os
import signal
import time

import msgspec
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
from litehedge.store.journal import Journal
from litehedge.store.lookback import Past, last_folder
from litehedge.store.registry import registry_folder
from litehedge.units import NS_PER_MINUTE, NS_PER_SECOND
from networks import card
from synthetic import packaged_tiers

MONDAY = 1_767_571_200
BEGIN_NS = MONDAY * NS_PER_SECOND
WAKES_NS = BEGIN_NS + 125 * NS_PER_MINUTE
"""A forecast needs two hours of market."""
PATIENCE_S = 60.0


@pytest.fixture(scope="module")
def market():
    """Two and a half hours of a market with quotes, as a feed tells it."""
    feed = LiveMarket(new_world(Parameters(), seed=5, second=MONDAY), 5)
    return list(feed.events(150 * 12))


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
    """A funnel of known events. `acts` are called before the event of their number; the feed then
    goes on, slower, until the engine was told something, or `patience` events have gone by.
    """

    def __init__(self, given, acts):
        super().__init__(clock=lambda: self._given_ns)
        self._given, self._acts = given, acts
        self.heard = []

    def events(self):
        waits_until = 0.0
        for number, event in enumerate(self._given):
            if number in self._acts:
                self._acts[number]()
                waits_until = time.monotonic() + PATIENCE_S
                before = len(self.heard)
            self._given_ns = event.known_ns
            yield event
            while not self._queue.empty():
                said = self._queue.get()
                self.heard.append(said)
                yield msgspec.structs.replace(said, known_ns=event.known_ns)
            if waits_until and len(self.heard) > before:
                waits_until = 0.0
            if time.monotonic() < waits_until:
                time.sleep(0.002)


def plan():
    settings = Settings.model_validate({"position": {"leverage": 20.0}})
    chosen = choose_model("auto", NS_PER_MINUTE)
    return Plan(
        settings, policy_named("plugin", settings), packaged_tiers(), chosen.forecaster,
        chosen.folder, NS_PER_MINUTE,
    )  # fmt: skip


def session(path, events, acts=None, past=(), watch=lambda event, effects: None, follows=True):
    journal = Journal(path)
    here = plan()
    wakes_ns = events[0].known_ns if past else WAKES_NS
    taken = take_up(here, journal, session="test", mode="paper", data="made", now_ns=wakes_ns)
    venue = PaperVenue(here.settings, here.tiers, ATOM_NS, wakes_ns)
    if taken.ended_ns:
        venue.resume(taken.state, taken.ended_ns, [])
    funnel, seen = Driven(events, acts or {}), []
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


def test_a_new_champion_takes_over_under_load_and_no_frame_is_missed(home, tmp_path, market):
    _, alone, _ = session(tmp_path / "alone", market, follows=False)
    state, seen, _ = session(tmp_path / "j", market, {at(market, 138): lambda: promoted("two")})
    [change] = found(seen, ModelChange)
    assert (change.before[:4], change.after[:4]) == ("one@", "two@")
    assert change.why == "two is better"
    assert state.fixed.forecaster.id == change.after
    frames = [d.time_ns for d in found(seen, Decision)]
    assert frames == [d.time_ns for d in found(alone, Decision)]
    outlooks = {d.time_ns: d.outlook for d in found(alone, Decision)}
    early = [d for d in found(seen, Decision) if d.time_ns < change.time_ns]
    late = [d for d in found(seen, Decision) if d.time_ns >= change.time_ns]
    assert all(d.outlook == outlooks[d.time_ns] for d in early)
    assert [d.forecast_state for d in (*early[-3:], *late)] == [0] * (3 + len(late))
    assert len(late) > 5
    assert any(d.outlook != outlooks[d.time_ns] for d in late)
    assert any("forecasts from now on" in text for text in texts(seen))
    check_replays(tmp_path / "j")
    assert last_folder(tmp_path / "j") == change.folder


def test_a_decision_after_the_change_is_reopened_with_the_model_that_made_it(
    home, tmp_path, market
):
    _, seen, _ = session(tmp_path / "j", market, {at(market, 138): lambda: promoted("two")})
    [change] = found(seen, ModelChange)
    past = Past(tmp_path / "j")
    for decision in (found(seen, Decision)[-1], found(seen, Decision)[2]):
        [one] = past.decisions(lambda d, t=decision.time_ns: d.time_ns == t, most=1)
        used = past.model_at(one.run_id, one.event)
        is_late = decision.time_ns >= change.time_ns
        assert used.model_id == (change.after if is_late else change.before)
        loaded = artefact.load(type(tmp_path)(used.folder), NS_PER_MINUTE)
        assert reopen(past, one, loaded, from_ns=used.from_ns).is_same
    past.close()


@pytest.mark.parametrize("after", [1, 700])
def test_killed_after_the_change_it_goes_on_with_the_right_model(home, tmp_path, market, after):
    half = at(market, 140)
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

        session(tmp_path / "j", market, {at(market, 130): lambda: promoted("two")}, watch=watch)
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
    state, seen, _ = session(tmp_path / "j", market, {at(market, 138): act})
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
    acts = {at(market, 138): lambda: weights.write_bytes(whole)}
    registry = opened()
    registry.close()
    state, seen, _ = session(tmp_path / "again", market, acts)
    assert [c.after[:4] for c in found(seen, ModelChange)] in (["two@"], [])
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
def test_one_that_does_not_fit_or_is_too_old_is_not_taken(home, tmp_path, market, changes, words):
    registered(home, "odd", 3, **changes)
    state, seen, _ = session(tmp_path / "j", market, {at(market, 138): lambda: promoted("odd")})
    assert state.fixed.forecaster.id.startswith("one@")
    assert any(words in text and "goes on" in text for text in texts(seen))
    check_replays(tmp_path / "j")


def test_a_registry_that_cannot_be_reached_is_told_once_and_so_is_its_return(
    home, tmp_path, market
):
    file = home / "registry" / "registry.sqlite"
    whole = []

    def break_it():
        whole.append(file.read_bytes())
        for part in file.parent.glob("registry.sqlite-*"):
            part.unlink()
        file.write_bytes(b"x" * 5000)

    acts = {at(market, 130): break_it, at(market, 140): lambda: file.write_bytes(whole[0])}
    state, seen, _ = session(tmp_path / "j", market, acts)
    told = [text for text in texts(seen) if "registry" in text]
    assert len(told) == 2
    assert "cannot be read" in told[0]
    assert told[0].endswith("goes on")
    assert "can be read again" in told[1]
    assert state.fixed.forecaster.id.startswith("one@")
    assert found(seen, Decision)[-1].time_ns > market[-1].known_ns - 2 * NS_PER_MINUTE


def test_a_session_follows_only_a_change(home, tmp_path, market):
    _, seen, funnel = session(tmp_path / "j", market)
    assert funnel.heard == []
    assert not [e for e, _ in seen if isinstance(e, ev.ModelOffered)]

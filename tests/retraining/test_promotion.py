"""The challenger before the gate: what the registry is told, and the way back."""

from __future__ import annotations

import msgspec
import pytest

import litehedge
from breaking_markets import BAR_NS, DAY_NS, blank, breaking, hedging, learnt, poisoned, replay
from litehedge.errors import ArtefactError, RegistryError, UsageError
from litehedge.features.vector import FeatureSchema
from litehedge.model import artefact
from litehedge.model.artefact import Card, Span
from litehedge.model.baselines.logistic_anchor import refit
from litehedge.retraining.gate import Reason, Terms
from litehedge.retraining.judging import WHO, Court
from litehedge.squeeze.labels import spec_hash
from litehedge.store.lake import Lake
from litehedge.store.registry import Registry
from litehedge.store.versions import Lineage
from litehedge.units import iso_utc
from made_lakes import store
from synthetic import T0

pytestmark = pytest.mark.xdist_group("promotion")  # what it prepares is prepared once

MADE_NS = T0 + 40 * DAY_NS
NOW_NS = T0 + 80 * DAY_NS
FRAME_S = 300


@pytest.fixture(scope="module")
def weights():
    """The champion's, a better one's, and one that learnt from shuffled labels."""
    kept, features = learnt(100, 1, False)
    champion = refit(blank(features), replay(kept), strength=100.0)
    new, _ = learnt(60, 2, True, T0 + 100 * DAY_NS)
    better = refit(champion, replay(new), strength=100.0)
    return champion, better, poisoned("labels shuffled", champion, new, 5)


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    lake = Lake(tmp_path_factory.mktemp("lake"))
    store(lake, "ltc", breaking(80, 3, announced=True))
    return lake


def saved(folder, weights, trained_until_ns=MADE_NS):
    card = Card(
        name="m", kind="logistic", format=artefact.FORMAT, litehedge=litehedge.__version__,
        created="2026-01-01", frame_s=FRAME_S, feature_schema=FeatureSchema(BAR_NS).hash,
        label_spec=spec_hash(), weights_sha256="",
        trained_on=[Span("ltc", iso_utc(T0), iso_utc(trained_until_ns), 1)], events_long=20,
        events_short=20, parameters={}, validated_on=[], validation_note="", scores={},
        baseline_scores={},
    )  # fmt: skip
    artefact.save(folder, card, weights)
    return folder


LINEAGE = Lineage({}, "", "", "")


class Bench:
    def __init__(self, tmp_path, lake, weights):
        self.registry = Registry(tmp_path / "registry")
        self.folder = tmp_path
        self.court = Court(
            self.registry, lake, lake.bars("ltc"), hedging(5.0), Terms(), suite=()
        )  # fmt: skip
        self.champion = self.add("champion", weights[0], T0)
        self.registry.promote(self.champion, now_ns=T0, who="t", why="first")

    def add(self, name, weights, now_ns, **more):
        folder = saved(self.folder / name, weights, **more)
        return self.registry.register(folder, name, LINEAGE, now_ns=now_ns, who="t", why="made")

    def holder(self, role):
        found = self.registry.holder(role, FRAME_S)
        return None if found is None else found.name


@pytest.fixture
def bench(tmp_path, lake, weights):
    one = Bench(tmp_path, lake, weights)
    yield one
    one.registry.close()


def test_a_better_challenger_is_promoted_and_the_history_says_why(bench, weights):
    bench.add("better", weights[1], MADE_NS)
    found = bench.court.judge(FRAME_S, NOW_NS)
    assert found.verdict.decision == "promote", found.verdict.words()
    assert (bench.holder("champion"), bench.holder("previous")) == ("better", "champion")
    acts = [(c.act, c.who) for c in bench.registry.history(FRAME_S)[:2]]
    assert acts == [("promote", WHO), ("judge", WHO)]
    assert "passed the gate" in bench.registry.history(FRAME_S)[0].why
    assert bench.registry.judgements(FRAME_S) == 1
    assert bench.court.watch_champion(FRAME_S, NOW_NS) is None  # nothing was recorded since


def test_a_poisoned_challenger_is_refused_counted_and_challenges_no_more(bench, weights):
    poisoned_one = bench.add("poisoned", weights[2], MADE_NS)
    found = bench.court.judge(FRAME_S, NOW_NS)
    assert found.verdict.decision == "refuse"
    assert (bench.holder("champion"), bench.holder("challenger")) == ("champion", None)
    assert "refused" in bench.registry.history(FRAME_S)[0].why
    assert bench.registry.judgements(FRAME_S) == 1
    assert bench.registry.find("poisoned").key == poisoned_one.key  # it stays registered
    assert not bench.court.is_due(FRAME_S, NOW_NS)


def test_a_poisoned_champion_is_rolled_back(bench, weights):
    version = bench.add("poisoned", weights[2], MADE_NS)
    bench.registry.promote(version, now_ns=MADE_NS, who="somebody", why="in a hurry")
    change = bench.court.watch_champion(FRAME_S, NOW_NS)
    assert change is not None
    assert change.act == "rollback"
    assert bench.holder("champion") == "champion"
    assert "failed in service" in bench.registry.history(FRAME_S)[0].why
    assert bench.court.watch_champion(FRAME_S, NOW_NS) is None  # and stays


def test_a_good_champion_stays(bench, weights):
    version = bench.add("better", weights[1], MADE_NS)
    bench.registry.promote(version, now_ns=MADE_NS, who="somebody", why="it is good")
    assert bench.court.watch_champion(FRAME_S, NOW_NS) is None
    assert bench.holder("champion") == "better"


def test_too_early_is_no_judgement(bench, weights):
    bench.add("better", weights[1], MADE_NS)
    found = bench.court.judge(FRAME_S, MADE_NS + 2 * DAY_NS)
    assert found.verdict.decision == "wait"
    assert [f.reason for f in found.verdict.findings] == [Reason.FEW]
    assert bench.registry.judgements(FRAME_S) == 0
    assert bench.holder("challenger") == "better"


def test_one_that_learnt_from_what_it_is_judged_on_is_refused(bench, weights):
    bench.add("leaky", weights[1], MADE_NS, trained_until_ns=NOW_NS)
    found = bench.court.judge(FRAME_S, NOW_NS)
    assert [f.reason for f in found.verdict.findings] == [Reason.SEEN]
    assert bench.holder("champion") == "champion"


def test_a_challenger_is_judged_again_when_half_as_much_again_was_seen(bench, weights):
    bench.add("same", weights[0], MADE_NS)
    assert bench.court.is_due(FRAME_S, MADE_NS + 14 * DAY_NS)
    bench.registry.note_judgement(
        bench.registry.find("same"), bench.champion, now_ns=MADE_NS + 14 * DAY_NS, who="t", why="-"
    )
    assert not bench.court.is_due(FRAME_S, MADE_NS + 20 * DAY_NS)
    assert bench.court.is_due(FRAME_S, MADE_NS + 21 * DAY_NS)


# --- bad input ------------------------------------------------------------------------------------


def test_a_corrupt_challenger_changes_nothing(bench, weights):
    version = bench.add("better", weights[1], MADE_NS)
    folder = bench.registry.folder(version)
    next(folder.glob("weights-*.json")).write_text("{}")
    with pytest.raises(ArtefactError, match=r"better|not"):
        bench.court.judge(FRAME_S, NOW_NS)
    assert bench.holder("champion") == "champion"
    assert bench.registry.judgements(FRAME_S) == 0


def test_a_challenger_of_another_schema_changes_nothing(bench, weights):
    folder = saved(bench.folder / "strange", weights[1])
    card = msgspec.structs.replace(artefact.load_card(folder), feature_schema="0" * 16)
    (folder / artefact.CARD).write_bytes(msgspec.json.encode(card))
    bench.registry.register(folder, "strange", LINEAGE, now_ns=MADE_NS, who="t", why="-")
    with pytest.raises(ArtefactError, match="feature schema"):
        bench.court.judge(FRAME_S, NOW_NS)
    assert bench.holder("champion") == "champion"


def test_a_registry_that_cannot_be_read_says_so(bench, weights):
    bench.add("better", weights[1], MADE_NS)
    bench.registry.close()
    for file in (bench.folder / "registry").glob("registry.sqlite*"):
        file.write_bytes(b"x" * 5_000)
    with pytest.raises(RegistryError, match="sessions go on"):
        bench.court.judge(FRAME_S, NOW_NS)


def test_without_a_challenger_there_is_nothing_to_judge(bench):
    with pytest.raises(UsageError, match="no challenger"):
        bench.court.judge(FRAME_S, NOW_NS)

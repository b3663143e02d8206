"""The registry: what was registered is whole or not there, and roles change together or not."""

from __future__ import annotations

import os
import signal
import sqlite3
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from forecasters import logistic_weights
from litehedge.errors import ArtefactError, RegistryError, UsageError
from litehedge.features.vector import FeatureSchema
from litehedge.model import artefact
from litehedge.store.places import hidden
from litehedge.store.registry import FILE, Registry, registry_at
from litehedge.store.versions import Lineage
from litehedge.units import NS_PER_SECOND
from networks import card, save_network

LINEAGE = Lineage({"ltc": "ab"}, "0.1", "labels", "features", "parent@1")


def made(folder, seed=0, frame_s=60, **changes):
    """A small logistic artefact."""
    facts = {"name": folder.name, "kind": "logistic", "format": artefact.FORMAT,
             "frame_s": frame_s, "seeds": [seed],
             "feature_schema": FeatureSchema(frame_s * NS_PER_SECOND).hash}  # fmt: skip
    artefact.save(folder, card(**(facts | changes)), logistic_weights(seed))
    return folder


@pytest.fixture(params=["", pytest.param("postgres", marks=pytest.mark.xdist_group("postgres"))])
def url(request):
    """Where versions and roles are: in a file, or on a server."""
    return request.param and request.getfixturevalue("pg_url")


@pytest.fixture
def registry(tmp_path, url):
    found = Registry(tmp_path / "registry", url)
    yield found
    found.close()


def register(registry, folder, name="deep", now_ns=1, **more):
    return registry.register(folder, name, LINEAGE, now_ns=now_ns, who="me", why="new", **more)


def roles(registry, frame_s=60):
    return {h.role: h.version.label for h in registry.held(frame_s)}


def promote(registry, version, now_ns=2, **more):
    return registry.promote(version, now_ns=now_ns, who="me", why="better", **more)


def back(registry, frame_s=60):
    return registry.roll_back(frame_s, now_ns=3, who="me", why="worse")


def test_what_was_registered_is_the_same_model_with_its_facts(registry, tmp_path):
    source = made(tmp_path / "made")
    one = register(registry, source)
    assert (one.label, one.frame_s, one.who, one.why, one.time_ns) == ("deep@1", 60, "me", "new", 1)
    assert one.lineage == LINEAGE
    loaded = artefact.load(registry.folder(one), 60 * NS_PER_SECOND)
    assert loaded.card.weights_sha256 == artefact.load_card(source).weights_sha256
    assert loaded.id == one.id
    assert one.id.startswith("deep@")
    assert registry.find("deep") == registry.find("deep@1") == one
    source.joinpath("card.json").unlink()
    assert registry.folder(one).is_dir()  # it is a copy


def test_the_same_artefact_is_one_version_and_another_the_next(registry, tmp_path):
    one = register(registry, made(tmp_path / "a"))
    assert register(registry, tmp_path / "a", now_ns=9) == one
    two = register(registry, made(tmp_path / "b", seed=1))
    assert (two.number, registry.find("deep")) == (2, two)
    assert len(registry.versions()) == 2
    assert [c.version.label for c in registry.history()] == ["deep@2", "deep@1"]


def test_a_network_and_its_counts_are_kept_whole(registry, tmp_path):
    save_network(tmp_path / "net")
    one = register(registry, tmp_path / "net", "net")
    assert artefact.load(registry.folder(one), 60 * NS_PER_SECOND).index is not None


def test_a_card_may_be_given_an_end(registry, tmp_path):
    one = register(registry, made(tmp_path / "a"), expires_days=45)
    assert one.card.expires_days == 45
    assert artefact.load_card(registry.folder(one)).expires_days == 45


def test_roles_follow_promotions_and_rollbacks(registry, tmp_path):
    one, two, three = (register(registry, made(tmp_path / str(n), seed=n)) for n in range(3))
    assert roles(registry) == {"challenger": "deep@3"}
    promote(registry, one)
    promote(registry, two)
    promote(registry, three)
    assert roles(registry) == {"champion": "deep@3", "previous": "deep@2"}
    change = back(registry)
    assert (change.version, change.before) == (two, three)
    assert roles(registry) == {"champion": "deep@2", "previous": "deep@1"}
    back(registry)
    assert roles(registry) == {"champion": "deep@1"}
    with pytest.raises(UsageError, match="no previous champion"):
        back(registry)
    acts = [(c.act, c.version.label, c.before and c.before.label) for c in registry.history()]
    assert acts[:3] == [
        ("rollback", "deep@1", "deep@2"),
        ("rollback", "deep@2", "deep@3"),
        ("promote", "deep@3", "deep@2"),
    ]


def test_what_served_before_there_was_a_champion_can_come_back(registry, tmp_path):
    shipped = register(registry, made(tmp_path / "shipped"), "shipped", challenges=False)
    one = register(registry, made(tmp_path / "one", seed=1))
    promote(registry, one, incumbent=shipped)
    assert roles(registry) == {"champion": "deep@1", "previous": "shipped@1"}
    back(registry)
    assert roles(registry) == {"champion": "shipped@1"}


def test_lengths_of_frames_do_not_mix(registry, tmp_path):
    fast = register(registry, made(tmp_path / "fast"), "fast")
    slow = register(registry, made(tmp_path / "slow", frame_s=300), "slow")
    promote(registry, fast)
    promote(registry, slow)
    assert roles(registry, 60) == {"champion": "fast@1"}
    assert roles(registry, 300) == {"champion": "slow@1"}
    assert registry.holder("champion", 300) == slow
    with pytest.raises(UsageError):
        back(registry, 300)
    assert roles(registry, 60) == {"champion": "fast@1"}


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.sampled_from(["0", "1", "2", "3", "back"]), max_size=14))
def test_whatever_is_done_nobody_holds_two_roles_and_history_tells_the_champion(
    tmp_path_factory, acts
):
    folder = tmp_path_factory.mktemp("registry")
    registry = Registry(folder)
    known = [register(registry, made(folder / f"m{n}", seed=n)) for n in range(4)]
    for act in acts:
        before = registry.held()
        try:
            back(registry) if act == "back" else promote(registry, known[int(act)])
        except UsageError:
            assert registry.held() == before
        held = roles(registry)
        assert len(set(held.values())) == len(held)
        done = [c for c in registry.history() if c.act != "register"]
        assert (done[0].version.label if done else None) == held.get("champion")
    registry.close()


def test_what_is_damaged_is_refused_and_nothing_changes(registry, tmp_path):
    source = made(tmp_path / "a")
    weights = next(source.glob("weights-*"))
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-1])
    with pytest.raises(ArtefactError, match="not the one the card was written for"):
        register(registry, source)
    assert registry.versions() == []
    weights.write_bytes(whole)
    one = register(registry, source)
    kept = registry.folder(one)
    for file in kept.iterdir():
        before = file.read_bytes()
        file.write_bytes(before + b" ")
        with pytest.raises(ArtefactError, match="not what was registered"):
            promote(registry, one)
        file.write_bytes(before)
    assert roles(registry) == {"challenger": "deep@1"}
    next(kept.glob("weights-*")).unlink()
    with pytest.raises(ArtefactError, match="not what was registered"):
        registry.folder(one)
    assert registry.folder(register(registry, source)) == kept  # registered again, it is mended


def test_names_that_are_not_there_are_told(registry, tmp_path):
    register(registry, made(tmp_path / "a"))
    for name in ("other", "deep@2", "deep@x", "deep@²"):
        with pytest.raises(UsageError, match="the registry has no model"):
            registry.find(name)


def test_a_registry_that_cannot_be_opened_says_that_trading_goes_on(tmp_path):
    (tmp_path / "registry").mkdir()
    (tmp_path / "registry" / FILE).write_bytes(b"this is no database" * 100)
    with pytest.raises(RegistryError, match="sessions go on with the model"):
        registry_at(tmp_path)
    with pytest.raises(RegistryError, match="sessions go on"):
        Registry(tmp_path, "nothing://x:secret@y/z")
    assert "secret" not in hidden("postgresql://x:secret@y/z")


def test_where_there_is_none_none_is_made(tmp_path):
    assert registry_at(tmp_path) is None
    assert not (tmp_path / "registry").exists()


def test_one_of_another_format_is_refused(tmp_path):
    Registry(tmp_path / "registry").close()
    with sqlite3.connect(tmp_path / "registry" / FILE) as file:
        file.execute("UPDATE registry_format SET format = 99")
    with pytest.raises(RegistryError, match="format 99"):
        Registry(tmp_path / "registry")


def test_two_who_promote_at_once_leave_one_champion(registry, tmp_path, url):
    one, two = (register(registry, made(tmp_path / str(n), seed=n)) for n in range(2))
    children = []
    for version in (one, two) * 3:
        child = os.fork()
        if child == 0:
            try:
                promote(Registry(tmp_path / "registry", url), version)
            except UsageError:
                pass  # it serves already
            except BaseException as error:
                sys.stderr.write(repr(error))
                os._exit(1)
            os._exit(0)
        children.append(child)
    assert all(os.waitpid(child, 0)[1] == 0 for child in children)
    held = roles(registry)
    assert sorted(held.values()) == ["deep@1", "deep@2"]
    assert set(held) == {"champion", "previous"}
    newest = registry.history()[0]
    assert newest.version.label == held["champion"]
    assert newest.before.label == held["previous"]


CALLS = ("open", "write", "fsync", "mkdir", "rename", "replace", "unlink", "rmdir")


def _dies_at(n, work):
    """Run in a child that kills itself before its n-th change of disk or database."""
    child = os.fork()
    if child:
        _, status = os.waitpid(child, 0)
        assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
        return os.WIFSIGNALED(status)
    try:
        left = [n]

        def count():
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)

        def watched(real):
            def call(*args, **more):
                count()
                return real(*args, **more)

            return call

        class Deadly(sqlite3.Connection):
            def commit(self):
                count()
                super().commit()
                count()

            def cursor(self, *args):
                count()
                return super().cursor(*args)

        real = sqlite3.connect
        sqlite3.connect = sqlite3.dbapi2.connect = lambda *a, **k: real(*a, **k, factory=Deadly)
        for name in CALLS:
            setattr(os, name, watched(getattr(os, name)))
        work()
        os._exit(0)
    except BaseException as error:
        sys.stderr.write(repr(error))
        os._exit(1)


def test_killed_anywhere_it_is_whole_and_can_go_on(tmp_path):
    first, second = made(tmp_path / "a"), made(tmp_path / "b", seed=1)
    seen = set()
    for n in range(1, 400):
        home = tmp_path / f"home-{n}"
        registry = Registry(home)
        one = register(registry, first)
        promote(registry, one)
        registry.close()

        def work(home=home):
            mine = Registry(home)
            promote(mine, register(mine, second))

        died = _dies_at(n, work)
        registry = Registry(home)
        held = roles(registry)
        newest = next(c for c in registry.history() if c.act == "promote")
        assert newest.version.label == held["champion"]
        assert held.get("previous") == (newest.before and newest.before.label)
        for version in registry.versions():
            registry.folder(version)  # whole
        seen.add((len(registry.versions()), held["champion"]))
        two = register(registry, second)
        if held["champion"] != two.label:
            promote(registry, two)
        assert roles(registry) == {"champion": "deep@2", "previous": "deep@1"}
        folders = sorted(f.name for f in (home / "artefacts").iterdir() if f.is_dir())
        assert folders == sorted(v.sha256[:16] for v in registry.versions())
        registry.close()
        if not died:
            break
    else:
        pytest.fail("it needs more steps than this test kills it at")
    assert n > 30
    assert seen == {(1, "deep@1"), (2, "deep@1"), (2, "deep@2")}

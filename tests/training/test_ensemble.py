"""Members: one seed each, in processes or not, resumable, and of one lesson alone."""

import multiprocessing
import os
import signal
from dataclasses import replace

import numpy as np
import pytest
import torch

from litehedge.errors import UsageError
from litehedge.features import vector as fv
from litehedge.model.material import NOT_ASKED
from litehedge.model.network import NetworkConfig
from litehedge.model.train import Recipe
from litehedge.training import ensemble
from litehedge.training.ensemble import lesson_of, material_of, train_ensemble
from made_parts import COLD, made_part

RECIPE = Recipe(epochs=2, batch=8, chunk=128, run=256, rate=1e-2, average=0.8)


@pytest.fixture(autouse=True)
def one_thread():
    """As in the processes of members."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def lesson():
    return lesson_of([("a", made_part(1_500, 1), 1.0)], [("v", made_part(900, 2))])


@pytest.fixture(scope="module")
def config(lesson):
    return NetworkConfig(inputs=len(lesson.standards), hidden=8)


def assert_same(one, two):
    for a, b in zip(one, two, strict=True):
        assert a.seed == b.seed
        assert a.score == b.score
        assert a.pretrained == b.pretrained
        mine, theirs = a.network.state_dict(), b.network.state_dict()
        for name, value in mine.items():
            assert torch.equal(value, theirs[name]), name


# --- the lesson


def test_material_has_the_units_of_the_standards_and_keeps_what_is_missing(lesson):
    part = made_part(1_500, 1)
    one = material_of("a", part, lesson.standards, 0.5)
    n = len(lesson.standards)
    u = lesson.standards.write(part.features)
    assert one.weight == 0.5
    assert np.isnan(one.z[:COLD]).all()
    assert (one.onset_bin[:COLD] == NOT_ASKED).all()
    np.testing.assert_array_equal(np.isnan(one.z[COLD:]), u[COLD:, n:] == 1.0)
    np.testing.assert_array_equal(np.nan_to_num(one.z[COLD:]), u[COLD:, :n])


def test_standards_are_of_the_own_market_alone():
    own, other = made_part(800, 1), made_part(800, 2)
    loud = replace(other, features=other.features * 50.0)
    alone = lesson_of([("a", own, 1.0)], [("v", own)])
    pooled = lesson_of(
        [("a", own, 1.0), ("b", loud, 0.3)], [("v", own)], [("w", other)], own=1
    )  # fmt: skip
    assert alone.standards.to_json() == pooled.standards.to_json()
    assert pooled.own == 1
    assert [m.weight for m in pooled.train] == [1.0, 0.3]
    assert [m.name for m in pooled.before] == ["w"]


def test_the_key_covers_everything_but_the_seed(lesson, config):
    part = made_part(1_500, 1)
    key = ensemble.key_of(lesson, config, RECIPE)
    assert key == ensemble.key_of(
        lesson_of([("a", part, 1.0)], [("v", made_part(900, 2))]), config, RECIPE
    )  # fmt: skip

    def changed(**what):
        return replace(lesson, train=[replace(lesson.train[0], **what)])

    z, cause = lesson.train[0].z.copy(), lesson.train[0].onset_cause.copy()
    z[700, 2] += 1.0
    cause[900] = 1 - cause[900]
    others = [
        (changed(z=z), config, RECIPE), (changed(onset_cause=cause), config, RECIPE),
        (changed(weight=2.0), config, RECIPE), (replace(lesson, own=0), config, RECIPE),
        (replace(lesson, train=lesson.train + lesson.valid, valid=[]), config, RECIPE),
        (replace(lesson, valid=[], before=lesson.valid), config, RECIPE),
        (lesson, replace(config, dropout=0.3), RECIPE), (lesson, config, replace(RECIPE, clip=2.0)),
    ]  # fmt: skip
    keys = {ensemble.key_of(*one) for one in others}
    assert len(keys) == len(others)
    assert key not in keys


# --- training


def test_members_differ_by_their_seed_and_are_kept(tmp_path, lesson, config):
    heard = []
    members = train_ensemble(
        lesson, config, RECIPE, [3, 4], tmp_path, processes=1,
        told=lambda seed, epoch, left: heard.append((seed, epoch.number, left)),
    )  # fmt: skip
    assert [(s, e) for s, e, _ in heard] == [(3, 1), (3, 2), (4, 1), (4, 2)]
    assert heard[0][2] > 0.0
    assert heard[1][2] == 0.0
    assert not torch.equal(members[0].network.head.weight, members[1].network.head.weight)
    heard.clear()
    again = train_ensemble(
        lesson, config, RECIPE, [4, 3], tmp_path, told=lambda *news: heard.append(news)
    )
    assert not heard
    assert_same(again[::-1], members)
    assert not any(m.network.training for m in again)
    more = train_ensemble(lesson, config, RECIPE, [3, 5], tmp_path, processes=1)
    assert_same(more[:1], members[:1])
    (tmp_path / "seed-3.pt").write_bytes(b"half of a fi")
    assert_same(train_ensemble(lesson, config, RECIPE, [3], tmp_path), members[:1])


def test_another_lesson_in_the_same_folder_is_another_training(tmp_path, lesson, config):
    recipe = replace(RECIPE, epochs=1)
    (first,) = train_ensemble(lesson, config, recipe, [1], tmp_path)
    turned = lesson.train[0].onset_cause.copy()
    turned[turned >= 0] = 1 - turned[turned >= 0]
    other = replace(lesson, train=[replace(lesson.train[0], onset_cause=turned)])
    (second,) = train_ensemble(other, config, recipe, [1], tmp_path)
    assert not torch.equal(first.network.head.weight, second.network.head.weight)


def test_pre_training_comes_first_and_is_resumed(tmp_path, lesson, config):
    taught = replace(lesson, before=[material_of("w", made_part(800, 5), lesson.standards)])
    recipe = replace(RECIPE, epochs=2)
    (whole,) = train_ensemble(taught, config, recipe, [1], tmp_path / "a")
    assert whole.pretrained == 1
    assert [e.number for e in whole.epochs] == [1, 1, 2]

    class Killed(BaseException):
        pass

    def dies(seed, epoch, left):
        heard.append(epoch)
        if len(heard) == 2:
            raise Killed

    heard = []
    with pytest.raises(Killed):
        train_ensemble(taught, config, recipe, [1], tmp_path / "b", told=dies)
    assert_same(train_ensemble(taught, config, recipe, [1], tmp_path / "b"), [whole])


def test_a_process_that_is_killed_does_not_hang_and_the_next_try_completes(
    tmp_path, lesson, config
):
    """With kill -9 after its first epoch; the other member goes on meanwhile."""
    recipe = replace(RECIPE, epochs=5, patience=9)
    heard = []

    def kill(seed, epoch, left):
        heard.append((seed, epoch.number))
        if seed == 1:
            victims = [p for p in multiprocessing.active_children() if p.name == "seed-1"]
            for process in victims:
                os.kill(process.pid, signal.SIGKILL)

    with pytest.raises(UsageError, match="seed 1 stopped early") as error:
        train_ensemble(lesson, config, recipe, [0, 1], tmp_path, processes=2, told=kill)
    assert "goes on from" in error.value.remedy
    assert (0, 5) in heard
    assert (1, 5) not in heard
    heard.clear()
    members = train_ensemble(
        lesson, config, recipe, [0, 1], tmp_path,
        told=lambda seed, epoch, left: heard.append((seed, epoch.number)),
    )  # fmt: skip
    assert {seed for seed, _ in heard} == {1}
    assert heard[0][1] > 1
    here = train_ensemble(lesson, config, recipe, [0, 1], tmp_path / "here", processes=1)
    assert_same(members, here)


def test_an_error_in_a_process_is_raised_here(tmp_path, lesson, config):
    empty = replace(lesson, train=[], own=0)
    with pytest.raises((IndexError, ValueError)):
        ensemble._in_processes(
            empty, config, RECIPE, None, [1], tmp_path, "key", None, lambda *news: None
        )
    assert not multiprocessing.active_children()


def test_under_torchrun_each_process_takes_its_share(tmp_path, lesson, config, monkeypatch):
    recipe = replace(RECIPE, epochs=1)
    trained = []
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setattr(ensemble, "_in_processes", lambda *a: trained.extend(a[4]))
    real = ensemble._train
    monkeypatch.setattr(
        ensemble, "_train", lambda *a: (trained.append(a[4]), real(*a))
    )  # fmt: skip
    monkeypatch.setenv("RANK", "1")
    with pytest.raises(SystemExit) as end:
        train_ensemble(lesson, config, recipe, [7, 8], tmp_path)
    assert end.value.code == 0
    assert trained == [8]
    monkeypatch.setenv("RANK", "0")
    members = train_ensemble(lesson, config, recipe, [7, 8], tmp_path)
    assert [m.seed for m in members] == [7, 8]
    assert trained == [8, 7]


def test_inputs_are_those_that_training_has(lesson):
    assert fv.LOG_SIGMA in lesson.standards.inputs
    assert "funding_bps" not in lesson.standards.names

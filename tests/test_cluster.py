"""A Ray cluster: what its workers make is what processes here make, whoever dies on the way."""

import os
import signal
import socket
import sys
import threading
import time
import warnings
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from dying import dies
from litehedge import cluster as cl
from litehedge.cluster import Cluster, ClusterError, joined
from litehedge.errors import UsageError
from litehedge.model.network import NetworkConfig
from litehedge.model.train import Recipe
from litehedge.store import kept
from litehedge.training import ensemble
from litehedge.training.ensemble import lesson_of, train_ensemble
from litehedge.training.judging.field import Span, baselines
from litehedge.training.parts import part_of_world
from litehedge.training.workers import in_processes
from made_parts import made_part

pytestmark = pytest.mark.xdist_group("cluster")

pytest.importorskip("ray")
STORE = 100 * 2**20
RECIPE = Recipe(epochs=3, batch=8, chunk=128, run=256, rate=1e-2, average=0.8)


@pytest.fixture(scope="module")
def crew(tmp_path_factory):
    """Two workers, which find the modules of the tests."""
    before = os.environ.get("PYTHONPATH", "")
    os.environ["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parent), before])
    folder = tmp_path_factory.mktemp("cluster")
    try:
        with (
            warnings.catch_warnings(action="ignore"),
            joined("auto", cores=2, store_bytes=STORE, kept=folder) as cluster,
        ):
            yield cluster
    finally:
        os.environ["PYTHONPATH"] = before


_given = {}


def begins(*given):
    _given["at"] = given


def told(number):
    return number, os.getpid(), _given["at"]


def tells(number, tell):
    tell(("begun", number))
    return number


def doubles(array):
    array *= 2.0
    _given["at"][0][:] += array - 1.0
    return array + _given["at"][0] - 1.0


def fails(number):
    if number == 3:
        raise UsageError("three is odd", "give four")
    return number // 2


def leaves_a_mark(folder, number):
    with (folder / str(number)).open("a") as file:
        file.write("done ")
    return number


def waits_once(one):
    """Tell who works, and wait to be killed; the second time be quick."""
    folder, number = one
    if number == 1 and not (folder / "killed").exists():
        (folder / "pid.part").write_text(str(os.getpid()))
        (folder / "pid.part").rename(folder / "pid")
        time.sleep(60.0)
    return number * 2


def dies_after_an_epoch(seed, tell):
    """Train a seed, and die in the middle the first time."""
    folder = ensemble._taught["work"]
    assert folder.name == "there", "the folder of the training is seen"

    def killed(news):
        tell(news)
        mark = folder / f"killed-{seed}"
        if not mark.exists():
            mark.touch()
            dies()

    return trains(seed, killed)


trains = ensemble._taught_seed


# --- laws


def test_results_are_in_order_and_each_is_told_as_it_comes(crew):
    heard = []
    found = in_processes(
        told, [3, 1, 2], "counts", processes=crew, begin=begins, given=("a", 1), done=heard.append
    )
    assert [number for number, _, _ in found] == [3, 1, 2]
    assert sorted(heard) == sorted(found)
    assert {given for _, _, given in found} == {("a", 1)}
    assert os.getpid() not in {pid for _, pid, _ in found}
    assert in_processes(told, [], "counts", processes=crew) == []
    assert crew.workers == 2


def test_worlds_are_the_same_as_in_processes_here(crew):
    live = partial(part_of_world, begin_s=1_609_459_200, days=30, frame_minutes=5)
    (here, squeezes), (there, same) = live(7), in_processes(live, [7], "lives", processes=crew)[0]
    assert squeezes == same
    np.testing.assert_array_equal(here.features, there.features)
    np.testing.assert_array_equal(here.end_ns, there.end_ns)


def test_a_worker_that_is_killed_changes_nothing(crew, tmp_path):
    def kills():
        while not (tmp_path / "pid").exists():
            time.sleep(0.02)
        (tmp_path / "killed").touch()
        os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)

    killer = threading.Thread(target=kills, daemon=True)
    killer.start()
    items = [(tmp_path, number) for number in range(4)]
    assert crew.each(waits_once, items, "waits") == [0, 2, 4, 6]
    killer.join(1.0)
    assert (tmp_path / "killed").exists()


def test_baselines_are_the_same_as_in_processes_here(crew):
    part = made_part(1_500, 1)
    span = Span([part], made_part(900, 2), made_part(900, 3))
    names = ["base rate", "volatility"]
    for here, there in zip(
        baselines(span, names, 0, 1), baselines(span, names, 0, crew), strict=True
    ):
        assert here.name == there.name
        for task, hazards in here.test.hazards.items():
            np.testing.assert_array_equal(hazards, there.test.hazards[task])


@pytest.fixture(scope="module")
def lesson():
    return lesson_of([("a", made_part(1_500, 1), 1.0)], [("v", made_part(900, 2))])


def test_seeds_are_the_same_though_their_workers_are_killed_in_the_middle(
    crew, lesson, tmp_path, monkeypatch
):
    config = NetworkConfig(inputs=len(lesson.standards), hidden=8)
    here = train_ensemble(lesson, config, RECIPE, [3, 4], tmp_path / "here", processes=1)
    monkeypatch.setattr(ensemble, "_taught_seed", dies_after_an_epoch)
    work, heard = tmp_path / "there", []
    there = train_ensemble(
        lesson, config, RECIPE, [3, 4], work, processes=crew,
        told=lambda seed, epoch, left: heard.append((seed, epoch.number)),
    )  # fmt: skip
    assert (work / "killed-3").exists()
    assert (work / "killed-4").exists()
    assert {(3, 3), (4, 3)} <= set(heard)
    for one, other in zip(here, there, strict=True):
        assert (one.seed, one.score) == (other.seed, other.score)
        for name, value in one.network.state_dict().items():
            assert torch.equal(value, other.network.state_dict()[name]), name


def test_arrays_are_a_workers_own_to_write_to(crew):
    """Kernels write into what they are given; out of Ray's store it would be read-only."""
    (found,) = crew.each(doubles, [np.ones(3)], "doubles", begin=begins, given=(np.ones(3),))
    np.testing.assert_array_equal(found, [3.0, 3.0, 3.0])
    found[0] = 0.0


# --- what was done is not done again


def test_a_second_try_finds_what_the_first_one_did_and_leaves_nothing(crew, tmp_path):
    def stops(result):
        raise KeyboardInterrupt

    work = partial(leaves_a_mark, tmp_path)
    with pytest.raises(KeyboardInterrupt):
        in_processes(work, [1, 2, 3], "leaves a mark", processes=crew, done=stops)
    first = {one.name for one in tmp_path.iterdir()}
    assert first
    results = list(crew._kept.iterdir())
    assert results
    assert in_processes(work, [1, 2, 3], "leaves a mark", processes=crew) == [1, 2, 3]
    once = [one for one in tmp_path.iterdir() if one.read_text() == "done "]
    assert once, "one of them was not done again"
    marks = {one.name: one.read_text() for one in tmp_path.iterdir()}
    assert in_processes(work, [3, 1], "leaves a mark", processes=crew) == [3, 1]
    assert marks == {one.name: one.read_text() for one in tmp_path.iterdir()}
    for path in results:
        path.write_bytes(b"half of a fi")
    assert in_processes(work, [1, 2, 3], "leaves a mark", processes=crew) == [1, 2, 3]
    crew.forget()
    assert not list(crew._kept.iterdir())
    assert in_processes(work, [3], "leaves a mark", processes=crew) == [3]
    assert (tmp_path / "3").read_text() != marks["3"]


def test_what_is_kept_is_of_the_same_inputs_alone():
    names = {
        kept.name_of(one)
        for one in [(fails, 1), (fails, 2), (told, 1), (np.zeros(3), 1), (np.ones(3), 1)]
    }
    assert len(names) == 5
    assert kept.name_of((fails, np.ones(3))) == kept.name_of((fails, np.ones(3)))


# --- what goes wrong


def test_an_error_of_a_worker_is_raised_here_as_it_was(crew):
    with pytest.raises(UsageError, match="three is odd") as error:
        in_processes(fails, [2, 3, 4], "halves", processes=crew)
    assert error.value.remedy == "give four"


def test_one_that_dies_again_and_again_is_an_error(crew, monkeypatch):
    monkeypatch.setattr(cl, "RETRIES", 1)
    weak = Cluster(crew._ray)
    with pytest.raises(ClusterError, match="a worker that lives died 2 times"):
        weak.each(dies, [1], "lives")
    assert in_processes(fails, [2], "halves", processes=crew) == [1]


def test_a_worker_with_another_litehedge_is_refused(crew, monkeypatch):
    monkeypatch.setattr(cl, "same_code", lambda: "another")
    with pytest.raises(ClusterError, match=r"the litehedge on .* is another one"):
        crew.each(fails, [2], "halves")


@pytest.mark.parametrize("address", ["there", "host:", ":6379", "host:port", "host:70000"])
def test_what_is_no_address_is_refused(address):
    with pytest.raises(UsageError, match="is no address of a cluster"), joined(address):
        pass


def test_an_address_where_nobody_answers_is_refused_in_seconds():
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        port = silent.getsockname()[1]
    begun = time.monotonic()
    for address in (f"127.0.0.1:{port}", f"ray://127.0.0.1:{port}"):
        with pytest.raises(ClusterError, match="nothing answers at") as error, joined(address):
            pass
        assert "leave out --cluster" in error.value.remedy
    assert time.monotonic() - begun < cl.REACH_S


def test_a_server_that_is_no_cluster_is_refused(monkeypatch):
    monkeypatch.setattr(cl, "JOIN_S", 1.0)
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"127.0.0.1:{other.getsockname()[1]}"
        with pytest.raises(ClusterError, match="is no Ray cluster, or hangs"), joined(address):
            pass


def test_without_ray_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ClusterError, match="needs Ray") as error, joined("auto"):
        pass
    assert "litehedge[cluster]" in error.value.remedy

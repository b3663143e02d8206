"""A Ray cluster: what its workers make is what processes here make, whoever dies on the way."""

import os
import signal
import socket
import time
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from litehedge.cluster import Cluster, ClusterError, joined, same_code
from litehedge.errors import UsageError
from litehedge.model.network import NetworkConfig
from litehedge.model.train import Recipe
from litehedge.training.ensemble import lesson_of, train_ensemble
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
    kept = tmp_path_factory.mktemp("cluster") / "kept"
    try:
        with (
            warnings.catch_warnings(action="ignore"),
            joined("auto", cores=2, store_bytes=STORE, kept=kept) as cluster,
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


def fails(number):
    if number == 3:
        raise UsageError("three is odd", "give four")
    return number // 2


def leaves_a_mark(one):
    folder, number = one
    (folder / f"{number}-{os.getpid()}").touch()
    return number


def waits_once(one):
    """Tell who works, and wait to be killed; the second time be quick."""
    folder, number = one
    if number == 1 and not (folder / "killed").exists():
        (folder / "pid.part").write_text(str(os.getpid()))
        (folder / "pid.part").rename(folder / "pid")
        time.sleep(60.0)
    return number * 2


def always_dies(number):
    os.kill(os.getpid(), signal.SIGKILL)


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
    from functools import partial

    live = partial(part_of_world, begin_s=1_609_459_200, days=30, frame_minutes=5)
    (here, squeezes), (there, same) = live(7), in_processes(live, [7], "lives", processes=crew)[0]
    assert squeezes == same
    np.testing.assert_array_equal(here.features, there.features)
    np.testing.assert_array_equal(here.end_ns, there.end_ns)


def test_a_worker_that_is_killed_changes_nothing(crew, tmp_path):
    import threading

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

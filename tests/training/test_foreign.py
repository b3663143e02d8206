"""A network that was made elsewhere becomes a model like ours, or is refused with a reason."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest

from litehedge.errors import ArtefactError, DataError
from litehedge.model import artefact
from litehedge.model.graph import onnx_bytes
from litehedge.model.layout import N_RAW
from litehedge.squeeze.forecast import ForecastState, from_scratch
from litehedge.store.lake import Lake
from litehedge.training.foreign import PLAN, RAW, Plan, adopt, read_plan, write_lesson
from litehedge.training.network import Sources, sources_of
from litehedge.units import NS_PER_DAY, NS_PER_MINUTE, NS_PER_SECOND
from made_lakes import store
from networks import weights
from synthetic import T0, Crash, market

pytestmark = pytest.mark.xdist_group("foreign")  # what it prepares is prepared once

EXAMPLE = Path(__file__).parents[2] / "docs" / "how-to" / "own_model.py"
PLANNED = Plan(["ltc"], 1, 2, 3)


@pytest.fixture(scope="module")
def sources(tmp_path_factory) -> Sources:
    """Five-minute bars with a squeeze of either side twice a day."""
    days = 30
    crashes = tuple(
        Crash(at=at, bars=4, depth=0.06 if i % 2 else -0.06)
        for i, at in enumerate(range(400, days * 288 - 300, 150))
    )
    own = market(days * 288, bar_ns=5 * NS_PER_MINUTE, vol=0.0008, seed=1, crashes=crashes)
    lake = Lake(tmp_path_factory.mktemp("home") / "lake")
    store(lake, "ltc", own)
    edge = T0 + 16 * NS_PER_DAY
    return sources_of(
        lake, [lake.dataset("ltc")], [], until_ns=edge, validate_from_ns=edge,
        validate_until_ns=T0 + days * NS_PER_DAY, worlds=0, world_days=30,
    )  # fmt: skip


@pytest.fixture(scope="module")
def lesson(sources, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("lesson")
    write_lesson(folder, PLANNED, sources)
    return folder


@pytest.fixture(scope="module")
def own(lesson, tmp_path_factory) -> bytes:
    graph = tmp_path_factory.mktemp("own") / "own.onnx"
    command = [sys.executable, EXAMPLE, lesson, graph]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return graph.read_bytes()


def adopted(graph, lesson, sources, folder, **changes):
    return adopt(graph, lesson, sources, "own", folder, created="2026-01-01", **changes)


def test_the_example_of_the_docs_becomes_a_model_that_forecasts(own, lesson, sources, tmp_path):
    card = adopted(own, lesson, sources, tmp_path / "own", expires_days=400)
    frame_ns = sources.frame_ns
    loaded = artefact.load(tmp_path / "own", frame_ns)
    part = sources.valid[0].part
    rows = from_scratch(loaded.forecaster, part.end_ns, part.features)
    states = rows[:, -1].astype(int)
    assert (states[-100:] != ForecastState.COLD).all()
    assert card.members == 1
    assert card.frame_s == frame_ns // NS_PER_SECOND
    assert card.expires_days == 400
    assert card.events_long + card.events_short > 0
    assert loaded.index is None  # it offers no trunk: nothing is looked up


def test_a_lesson_says_what_our_own_network_sees_and_is_asked(lesson, sources):
    part = sources.train[0].part
    with np.load(lesson / "train-0.npz") as kept:
        assert kept["u"].shape[0] == part.end_ns.size
        assert np.array_equal(kept["end_ns"], part.end_ns)
        assert np.array_equal(kept["warm"], part.warm)
        assert np.array_equal(kept["to_onset_min"], part.targets.to_onset_min, equal_nan=True)
    told = msgspec.json.decode((lesson / PLAN).read_bytes())
    assert len(told["inputs"]) == np.load(lesson / "train-0.npz")["u"].shape[1]
    assert read_plan(lesson) == PLANNED


def test_the_raw_output_is_told_whole_and_nothing_twice():
    places = [i for at, _ in RAW.values() for i in range(at.start, at.stop)]
    assert places == list(range(N_RAW))


def test_a_graph_that_looks_ahead_is_refused_and_nothing_is_saved(lesson, sources, tmp_path):
    from onnx import TensorProto, helper, numpy_helper

    n = np.load(lesson / "train-0.npz")["u"].shape[1]
    model = helper.make_model(helper.make_graph(
        [
            helper.make_node("MatMul", ["u", "w"], ["product"]),
            # Every frame is told the mean of all that were given with it, later ones too.
            helper.make_node("ReduceMean", ["product", "axis"], ["mean"], keepdims=1),
            helper.make_node("Add", ["product", "mean"], ["sum"]),
            helper.make_node("Unsqueeze", ["sum", "axis"], ["raw"]),
            helper.make_node("Identity", ["cells"], ["cells_out"]),
            helper.make_node("Identity", ["ring"], ["ring_out"]),
        ],
        "ahead",
        [helper.make_tensor_value_info("u", TensorProto.FLOAT, ["T", n]),
         helper.make_tensor_value_info("cells", TensorProto.FLOAT, [4, 1, 64]),
         helper.make_tensor_value_info("ring", TensorProto.FLOAT, [1, 240, 64])],
        [helper.make_tensor_value_info("raw", TensorProto.FLOAT, [1, "T", N_RAW]),
         helper.make_tensor_value_info("cells_out", TensorProto.FLOAT, [4, 1, 64]),
         helper.make_tensor_value_info("ring_out", TensorProto.FLOAT, [1, 240, 64])],
        [numpy_helper.from_array(
            np.random.default_rng(1).normal(0, 0.3, (n, N_RAW)).astype(np.float32), "w"),
         numpy_helper.from_array(np.array([0]), "axis")],
    ), opset_imports=[helper.make_opsetid("", 20)], ir_version=9)  # fmt: skip
    with pytest.raises(ArtefactError, match="frame by frame"):
        adopted(model.SerializeToString(), lesson, sources, tmp_path / "ahead")
    assert not (tmp_path / "ahead").exists()


def test_a_graph_of_another_lesson_and_what_is_no_graph_are_refused(lesson, sources, tmp_path):
    with pytest.raises(ArtefactError, match="interface"):
        adopted(onnx_bytes([weights(1, 7)]), lesson, sources, tmp_path / "a")
    with pytest.raises(ArtefactError, match="cannot load"):
        adopted(b"no graph", lesson, sources, tmp_path / "b")


def test_other_data_than_the_lesson_s_are_noticed(own, lesson, sources, tmp_path):
    (kept,) = sources.train
    features = kept.part.features.copy()
    features[1000:, 0] += 1e-3
    changed = replace(kept, part=replace(kept.part, features=features))
    with pytest.raises(DataError, match="no more those"):
        adopted(own, lesson, replace(sources, train=[changed]), tmp_path / "own")


def test_what_is_no_lesson_is_one_clear_message(tmp_path):
    with pytest.raises(DataError, match="models lesson"):
        read_plan(tmp_path)
    (tmp_path / PLAN).write_text("{}")
    with pytest.raises(DataError, match="models lesson"):
        read_plan(tmp_path)

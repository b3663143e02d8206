"""A network's artefact: what was saved comes back, what does not fit is refused by name."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
from numpy.testing import assert_array_equal

from litehedge.errors import ArtefactError
from litehedge.model import artefact
from litehedge.model.artefact import Span
from litehedge.model.calibration import Calibration
from litehedge.squeeze import forecast as fc
from litehedge.squeeze.forecast import ForecastState, from_scratch
from litehedge.units import NS_PER_DAY, NS_PER_MINUTE, instant_ns
from networks import card, features, model, network, sample, standards

pytest.importorskip("onnxruntime")
onnx = pytest.importorskip("onnx")

ODD = Calibration(peak=((0.5, 0.1), (2.0, -0.3)))
FRAMES = 260


def save(folder, *, payload=None, index=None, **changes):
    return artefact.save_network(
        folder, card(**changes), model() if payload is None else payload, standards(), ODD, index
    )


def load(folder):
    return artefact.load(folder, NS_PER_MINUTE)


def ends(begin_ns=0):
    return begin_ns + NS_PER_MINUTE * np.arange(1, FRAMES + 1)


def parts(folder):
    return {path.name.split("-")[0]: path for path in folder.glob("*-*")}


def test_round_trip_gives_the_same_forecasts(tmp_path):
    index = {"trunk": np.arange(6.0).reshape(2, 3), "end_ns": np.array([1, 2])}
    saved = save(tmp_path, index=index, seeds=[3], expires_days=90, feeds=["btc"])
    loaded = load(tmp_path)
    assert loaded.card == saved
    assert saved.members == 1
    assert loaded.id == loaded.forecaster.id == f"m@{saved.weights_sha256[:8]}"
    rows = from_scratch(loaded.forecaster, ends(), features(FRAMES))
    assert_array_equal(rows, from_scratch(network(calibration=ODD), ends(), features(FRAMES)))
    for name, array in index.items():
        assert_array_equal(loaded.index[name], array)


def test_what_training_looked_like_is_stored_and_served(tmp_path):
    far = replace(sample(), points=sample().points + np.float32(30.0))
    save(tmp_path, index=far.arrays())
    mine = from_scratch(load(tmp_path).forecaster, ends(), features(FRAMES))
    built = network(calibration=ODD, neighbours=far)
    assert_array_equal(mine, from_scratch(built, ends(), features(FRAMES)))
    save(tmp_path)  # an artefact without an index serves too
    plain = load(tmp_path).forecaster
    assert plain.neighbours is None
    rows = from_scratch(plain, ends(), features(FRAMES))
    assert rows[-1, fc.CONFIDENCE_AT] > mine[-1, fc.CONFIDENCE_AT] > 0.0


def test_half_a_sample_of_training_is_refused(tmp_path):
    arrays = sample().arrays()
    save(tmp_path, index={k: v for k, v in arrays.items() if "usual" not in k})
    with pytest.raises(ArtefactError, match="sample of training frames is incomplete"):
        load(tmp_path)
    narrow = {"training_mean": arrays["training_mean"][:5],
              "training_scale": arrays["training_scale"][:5],
              "training_points": arrays["training_points"][:5]}  # fmt: skip
    save(tmp_path, index=arrays | narrow)
    with pytest.raises(ArtefactError, match="has 5 columns, expected 64"):
        load(tmp_path)


def test_the_same_parts_make_the_same_artefact_and_every_part_counts(tmp_path):
    index = {"a": np.arange(3)}
    base = save(tmp_path / "a", index=index)
    again = save(tmp_path / "b", index=index)
    assert base == again
    files = [sorted(p.name for p in (tmp_path / x).iterdir()) for x in "ab"]
    assert files[0] == files[1]
    others = [
        save(tmp_path / "c"), save(tmp_path / "c", index={"a": np.arange(4)}),
        save(tmp_path / "c", payload=model(2), index=index),
        artefact.save_network(tmp_path / "c", card(), model(), standards(), None, index),
    ]  # fmt: skip
    assert len({one.weights_sha256 for one in [base, *others]}) == 5


def test_saving_again_replaces_and_leaves_nothing_behind(tmp_path):
    save(tmp_path, index={"a": np.arange(3)})
    second = save(tmp_path, payload=model(2))
    assert load(tmp_path).card == second
    assert sorted(parts(tmp_path)) == ["calibration", "model", "standards"]
    assert len(list(tmp_path.iterdir())) == 4


def test_a_process_that_dies_before_the_card_leaves_the_old_model(tmp_path, monkeypatch):
    """Killed after any number of files were written."""
    first = save(tmp_path, index={"a": np.arange(3)})
    write = artefact.write_part
    for survived in range(4):
        left = [survived]

        def dies(path, payload, left=left):
            if left[0] == 0:
                path.with_name(f".{path.name}.partial").write_bytes(payload[: len(payload) // 2])
                raise KeyboardInterrupt
            left[0] -= 1
            write(path, payload)

        monkeypatch.setattr(artefact, "write_part", dies)
        with pytest.raises(KeyboardInterrupt):
            artefact.save_network(tmp_path, card(), model(2), standards())
        assert load(tmp_path).card == first


@pytest.mark.parametrize("part", ["model", "standards", "calibration", "index"])
def test_a_part_that_is_lost_cut_or_changed_is_refused_by_name(tmp_path, part):
    save(tmp_path, index={"a": np.arange(3)})
    path = parts(tmp_path)[part]
    whole = path.read_bytes()
    for broken in (whole[: len(whole) // 2], b"", whole[:-1] + bytes([whole[-1] ^ 1])):
        path.write_bytes(broken)
        with pytest.raises(ArtefactError, match=f"{path.name} is not the one") as error:
            load(tmp_path)
        assert "train the model again" in error.value.remedy
    path.unlink()
    with pytest.raises(ArtefactError, match=f"{path.name} cannot be read"):
        load(tmp_path)


def forged(folder, name, payload):
    """Replace a part, with a card that fits: not damage, but another content."""
    saved = artefact.load_card(folder)
    files = saved.files | {name: artefact.sha256_of(payload)}
    sha = artefact._sha256_of_files(files)
    (folder / artefact.part_file(name, files[name])).write_bytes(payload)
    changed = msgspec.structs.replace(saved, files=files, weights_sha256=sha)
    (folder / artefact.CARD).write_bytes(msgspec.json.encode(changed))


@pytest.mark.parametrize(
    ("name", "payload", "what"),
    [
        (artefact.MODEL, b"no graph at all", "ONNX Runtime cannot load the network"),
        (artefact.MODEL, b"", "ONNX Runtime cannot load the network"),
        (artefact.STANDARDS, b"{", "standards cannot be read"),
        (artefact.STANDARDS, b'{"inputs": [1]}', "standards cannot be read"),
        (artefact.CALIBRATION, b'{"onset": 1}', "calibration cannot be read"),
        (artefact.INDEX, b"PK\x03\x04 and no more", "index cannot be read"),
    ],
)
def test_parts_that_make_no_sense_are_refused(tmp_path, name, payload, what):
    save(tmp_path, index={"a": np.arange(3)})
    forged(tmp_path, name, payload)
    with pytest.raises(ArtefactError, match=what) as error:
        load(tmp_path)
    assert "model m" in error.value.what
    assert "again" in error.value.remedy


def test_an_index_of_objects_is_not_unpickled(tmp_path):
    import io

    save(tmp_path, index={"a": np.arange(3)})
    buffer = io.BytesIO()
    np.savez(buffer, a=np.array([{}], dtype=object))
    forged(tmp_path, artefact.INDEX, buffer.getvalue())
    with pytest.raises(ArtefactError, match="index cannot be read"):
        load(tmp_path)


def changed_graph(change):
    graph = onnx.load_from_string(model())
    change(graph.graph)
    return graph.SerializeToString()


def rename(graph, old, new):
    for one in [*graph.input, *graph.output]:
        if one.name == old:
            one.name = new
    for node in graph.node:
        for names in (node.input, node.output):
            for i, name in enumerate(names):
                if name == old:
                    names[i] = new


@pytest.mark.parametrize(
    ("payload", "what"),
    [
        (lambda: changed_graph(lambda g: rename(g, "u", "x")), "lacks the input u; .* input x"),
        (lambda: changed_graph(lambda g: rename(g, "raw", "y")), "lacks the output raw"),
        (lambda: model(1, 50), r"input u is .*100\], expected float32 \(T, 120\)"),
    ],
)  # fmt: skip
def test_a_graph_with_another_interface_is_refused_when_saved_and_when_loaded(
    tmp_path, payload, what
):
    with pytest.raises(ArtefactError, match=what):
        save(tmp_path / "new", payload=payload())
    assert not (tmp_path / "new").exists()
    save(tmp_path)
    forged(tmp_path, artefact.MODEL, payload())
    with pytest.raises(ArtefactError, match=what) as error:
        load(tmp_path)
    assert "litehedge.model.graph" in error.value.remedy


def test_a_graph_of_another_hand_is_welcome(tmp_path):
    """The interface counts: here without the optional outputs."""

    def strip(graph):
        kept = [one for one in graph.output if one.name not in ("trunk", "attention")]
        del graph.output[:]
        graph.output.extend(kept)

    save(tmp_path, payload=changed_graph(strip))
    forecaster = load(tmp_path).forecaster
    rows = from_scratch(forecaster, ends(), features(FRAMES))
    assert_array_equal(rows, from_scratch(network(calibration=ODD), ends(), features(FRAMES)))
    memory = forecaster.start(1)
    stepped = forecaster.step(memory, 0, NS_PER_MINUTE, features(1)[0])
    assert stepped[fc.STATE_AT] == ForecastState.COLD
    inside = forecaster.inside_batch(forecaster.start(1), np.zeros(5, int), ends()[:5], features(5))
    assert np.isnan(inside.trunk).all()


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"frame_s": 300}, "frames of 300 s"),
        ({"feature_schema": "x"}, "feature schema x"),
        ({"label_spec": "y"}, "label spec y"),
        ({"format": 1}, "format 1 and kind 'network'"),
        ({"kind": "logistic"}, "format 2 and kind 'logistic'"),
        ({"members": 5}, "has 1 members, its card says 5"),
        ({"weights_sha256": "0" * 64}, "contradict"),
        ({"files": {}}, "lists the files none"),
        ({"files": {"model.onnx": "a", "../evil": "b"}}, r"lists the files \.\./evil"),
    ],
)
def test_a_card_that_does_not_fit_is_refused(tmp_path, changes, what):
    saved = save(tmp_path)
    changed = msgspec.structs.replace(saved, **changes)
    (tmp_path / artefact.CARD).write_bytes(msgspec.json.encode(changed))
    with pytest.raises(ArtefactError, match=what) as error:
        load(tmp_path)
    assert error.value.remedy


def test_an_old_model_expires_by_the_time_of_the_frames(tmp_path):
    spans = [
        Span("a", "2023-01-01", "2024-01-01 00:00", 1),
        Span("b", "2022-01-01", "2023-06-01", 1),
    ]
    save(tmp_path, trained_on=spans, expires_days=30)
    forecaster = load(tmp_path).forecaster
    last = instant_ns("2024-01-01") + 30 * NS_PER_DAY
    begin = last - 250 * NS_PER_MINUTE
    states = from_scratch(forecaster, ends(begin), features(FRAMES))[:, fc.STATE_AT]
    assert (states[240:250] == ForecastState.OK).all()
    assert (states[250:] == ForecastState.EXPIRED).all()
    save(tmp_path, trained_on=spans)
    states = from_scratch(load(tmp_path).forecaster, ends(begin), features(FRAMES))[:, fc.STATE_AT]
    assert (states[240:] == ForecastState.OK).all()


def test_forecasting_needs_no_torch_and_no_onnx(tmp_path):
    save(tmp_path)
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "import numpy as np\n"
        "from litehedge.model import artefact\n"
        "assert 'onnxruntime' not in sys.modules\n"
        "from litehedge.features.vector import N_FEATURES\n"
        f"model = artefact.load(Path({str(tmp_path)!r}), 60 * 10**9).forecaster\n"
        "memory = model.start(1)\n"
        "rows = model.batch(memory, np.zeros(300, int), 60 * 10**9 * np.arange(300),\n"
        "                   np.full((300, N_FEATURES), 0.5))\n"
        "row = model.step(memory, 0, 60 * 10**9 * 300, np.full(N_FEATURES, 0.5))\n"
        "assert np.isfinite(row).all() and np.isfinite(rows[-1]).all()\n"
        "print(sorted({'torch', 'onnx', 'sklearn'} & set(sys.modules)))\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False,
        cwd=Path(artefact.__file__).parents[2],
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip() == "[]"

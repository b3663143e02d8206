"""``models``: what there is, what a card says, and what may come in."""

import msgspec
import numpy as np
import pytest

from litehedge.model import artefact
from litehedge.model.artefact import Score, Span
from networks import card, save_network, standards

pytest.importorskip("onnxruntime")
onnx = pytest.importorskip("onnx")

FACTS = {
    "trained_on": [Span("a", "2020-01-01 00:00", "2023-12-31 00:00", 10)],
    "events_long": 7,
    "scores": {"auc_30_long": Score(0.876, 0.8, 0.9)},
    "baseline_scores": {"base_rate_30_long": Score(0.012, 0.01, 0.02)},
    "seeds": [11, 12],
}


@pytest.fixture
def made(tmp_path):
    """An artefact outside of home."""
    save_network(tmp_path / "made", members=2, **FACTS)
    return tmp_path / "made"


@pytest.fixture
def own(tmp_path):
    return tmp_path / "home" / "models"


def files(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_packaged_models_are_listed_and_yours_come_first(litehedge, own):
    packaged = litehedge("models", "--json").json["models"]
    assert {m["kind"] for m in packaged} >= {"logistic"}
    assert not any(m["own"] for m in packaged)
    save_network(own / "deep", members=2, **FACTS)
    listed = litehedge("models", "--json").json["models"]
    assert listed[1:] == packaged
    mine = listed[0]
    assert (mine["name"], mine["kind"], mine["members"]) == ("deep", "network", 2)
    assert mine["frame_s"] == 60
    assert mine["trained_until"] == "2023-12-31 00:00"
    assert mine["scores"]["auc_30_long"] == 0.876
    assert mine["scores"]["ap_30_short"] is None
    assert mine["bytes"] == sum(len(payload) for payload in files(own / "deep").values())
    out = litehedge("models").out
    for text in ("deep", "network", "2023-12-31", "0.876 / -", "7 + 1", str(own / "deep")):
        assert text in out


def test_a_broken_card_is_named_and_hides_no_other(litehedge, own):
    (own / "bad").mkdir(parents=True)
    (own / "bad" / artefact.CARD).write_text("{")
    result = litehedge("models")
    assert result.code == 0
    assert "broken: bad: " in result.err
    assert "logistic" in result.out
    assert litehedge("models", "--json").json["broken"][0]["name"] == "bad"


def test_show_prints_the_whole_card(litehedge, made):
    out = litehedge("models", "show", made).out
    saved = artefact.load_card(made)
    for text in ("seeds 11, 12", "2020-01-01 00:00 .. 2023-12-31 00:00", "auc_30_long",
                 "0.876  [0.800, 0.900]", "base_rate_30_long", saved.weights_sha256,
                 saved.files["model.onnx"]):  # fmt: skip
        assert text in out
    told = litehedge("models", "show", made, "--json").json
    assert msgspec.convert(told["card"], artefact.Card) == saved
    assert litehedge("models", "show", "nothing").code == 2


def test_what_is_registered_is_found_by_name_and_is_the_same_model(litehedge, made, own):
    before = files(made)
    result = litehedge("models", "register", made, "--name", "deep")
    assert result.code == 0, result.err
    assert files(made) == before
    new = files(own / "deep")
    assert {n: p for n, p in new.items() if n != artefact.CARD} == {
        n: p for n, p in before.items() if n != artefact.CARD
    }
    saved = artefact.load_card(own / "deep")
    assert saved == msgspec.structs.replace(artefact.load_card(made), name="deep")
    assert litehedge("models", "--json").json["models"][0]["name"] == "deep"


def test_a_logistic_model_registers_too(litehedge, own):
    name = litehedge("models", "--json").json["models"][0]
    result = litehedge("models", "register", name["folder"], "--name", "again", "--json")
    assert result.code == 0, result.err
    assert result.json["card"]["name"] == "again"
    assert (own / "again" / artefact.CARD).is_file()


def test_a_model_of_that_name_is_replaced_only_when_asked(litehedge, made, own, tmp_path):
    assert litehedge("models", "register", made, "--name", "deep").code == 0
    again = litehedge("models", "register", made, "--name", "deep")
    assert again.code == 2
    assert "there already is a model deep" in again.err
    save_network(tmp_path / "other", members=1)
    assert litehedge("models", "register", tmp_path / "other", "--name", "deep",
                     "--replace").code == 0  # fmt: skip
    assert artefact.load_card(own / "deep").members == 1
    assert len(files(own / "deep")) == 5
    same = litehedge("models", "register", own / "deep", "--name", "deep", "--replace")
    assert "registered already" in same.err
    assert len(files(own / "deep")) == 5


@pytest.mark.parametrize("name", ["", "auto", "none", "../x", "a/b", "a b", ".hidden"])
def test_a_name_that_cannot_be_found_again_is_refused(litehedge, made, own, name):
    assert litehedge("models", "register", made, "--name", name).code == 2
    assert not own.exists()


def test_a_changed_part_or_another_version_is_refused_and_nothing_copied(litehedge, made, own):
    model = next(made.glob("model-*"))
    whole = model.read_bytes()
    model.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    result = litehedge("models", "register", made, "--name", "deep")
    assert result.code == 2
    assert "is not the one the card was written for" in result.err
    model.write_bytes(whole)
    saved = artefact.load_card(made)
    changed = msgspec.structs.replace(saved, label_spec="other")
    (made / artefact.CARD).write_bytes(msgspec.json.encode(changed))
    assert "label spec other" in litehedge("models", "register", made, "--name", "deep").err
    assert not own.exists()
    assert "is not a model" in litehedge("models", "register", own, "--name", "deep").err


def forgetful():
    """A graph with the interface, which returns no state but zeros: a step knows no past."""
    from networks import model

    graph = onnx.load_from_string(model())
    for node in graph.graph.node:
        for i, name in enumerate(node.output):
            if name == "ring_out":
                node.output[i] = "ring_kept"
    zero = onnx.numpy_helper.from_array(np.zeros(1, np.float32), "zero")
    graph.graph.initializer.append(zero)
    graph.graph.node.append(onnx.helper.make_node("Mul", ["ring_kept", "zero"], ["ring_out"]))
    return graph.SerializeToString()


def test_a_graph_that_says_other_things_in_a_batch_is_refused(litehedge, own, tmp_path):
    artefact.save_network(tmp_path / "odd", card(name="odd"), forgetful(), standards())
    result = litehedge("models", "register", tmp_path / "odd", "--name", "odd")
    assert result.code == 2
    assert "frame by frame than in a batch" in result.err
    assert not own.exists()

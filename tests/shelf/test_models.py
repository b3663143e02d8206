"""Which model is chosen, and that one whose card cannot be read hides no other."""

import pytest

from litehedge.errors import ArtefactError
from litehedge.model import artefact
from litehedge.shelf.models import choose_explained, choose_model
from litehedge.units import NS_PER_MINUTE
from networks import save_network

FIVE_NS = 5 * NS_PER_MINUTE


@pytest.fixture
def own(tmp_path, monkeypatch):
    """The folder of own models; in it only ``bad``."""
    monkeypatch.setenv("LITEHEDGE_HOME", str(tmp_path))
    broken(tmp_path / "models" / "bad")
    return tmp_path / "models"


def broken(folder, card=b"{"):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / artefact.CARD).write_bytes(card)


def notes(capsys):
    return [line for line in capsys.readouterr().err.splitlines() if line.startswith("note:")]


@pytest.mark.parametrize("card", [b"{", b"{}", b'{"name": "\xff"}'])
def test_auto_leaves_out_what_cannot_be_read_and_says_so_once(own, card, capsys):
    broken(own / "bad", card)
    assert choose_model("auto", FIVE_NS).card.name == "ltc-5m-logistic"
    [note] = notes(capsys)
    assert note.startswith("note: model bad is left out: ")
    assert "cannot be read" in note
    save_network(own / "deep")
    assert choose_model("auto", NS_PER_MINUTE).card.name == "deep"


def test_a_network_is_found_beside_a_model_that_cannot_be_read(own, capsys):
    assert choose_explained("auto", FIVE_NS).card.name == "ltc-5m"
    assert len(notes(capsys)) == 1
    save_network(own / "deep")
    assert choose_explained("auto", NS_PER_MINUTE).card.name == "deep"
    capsys.readouterr()
    assert choose_explained("deep", NS_PER_MINUTE).card.name == "deep"
    assert notes(capsys) == []


@pytest.mark.parametrize("choose", [choose_model, choose_explained])
def test_asked_for_by_name_it_raises(own, choose):
    for name in ("bad", str(own / "bad")):
        with pytest.raises(ArtefactError, match="cannot be read"):
            choose(name, FIVE_NS)


def test_an_own_model_that_cannot_be_read_does_not_hide_the_default_of_its_name(own):
    broken(own / "ltc-5m-logistic")
    chosen = choose_model("auto", FIVE_NS)
    assert chosen.card.name == "ltc-5m-logistic"
    assert not chosen.folder.startswith(str(own))
    with pytest.raises(ArtefactError, match="cannot be read"):
        choose_model("ltc-5m-logistic", FIVE_NS)

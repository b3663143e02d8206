"""What the page of models asks of the registry."""

from __future__ import annotations

import pytest

from litehedge.errors import RegistryError, UsageError
from litehedge.shelf.champion import champion_of
from litehedge.shelf.lineage import RegistryLineage
from litehedge.ui import models_view as view
from litehedge.ui.models import read_shelf
from litehedge.ui.tools import Tools


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("LITEHEDGE_HOME", str(tmp_path))
    return tmp_path


def test_it_tells_who_serves_and_lets_another_serve_and_the_first_again(home):
    lineage: view.Lineage = RegistryLineage()
    assert lineage.standings() == []
    assert "ltc-5m@1 is the champion" in lineage.promote("ltc-5m")
    champion, previous = lineage.standings()
    assert (champion.name, champion.role) == ("ltc-5m@1", "champion, frames of 5m")
    assert (champion.can_promote, champion.can_bring_back) == (False, False)
    assert (previous.name, previous.role) == ("ltc-5m-logistic@1", "previous, frames of 5m")
    assert previous.can_bring_back
    assert "the screen" in view.standing_words(champion)
    assert "again" in lineage.roll_back(previous.frame_s)
    assert champion_of(300).version.label == "ltc-5m-logistic@1"
    assert {s.name: s.can_promote for s in lineage.standings()} == {
        "ltc-5m-logistic@1": False,
        "ltc-5m@1": True,
    }
    with pytest.raises(UsageError):
        lineage.roll_back(previous.frame_s)


def test_a_registry_that_cannot_be_read_hides_no_model(home):
    RegistryLineage().promote("ltc-5m-logistic")
    (home / "registry" / "registry.sqlite").write_bytes(b"x" * 5000)
    with pytest.raises(RegistryError):
        RegistryLineage().standings()
    shelf = read_shelf(Tools.at(home))
    assert "sessions go on with the model that they have" in shelf.trouble
    assert shelf.models

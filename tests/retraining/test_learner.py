"""One retraining: resumed where it was killed, and the same as one that was not."""

from __future__ import annotations

from itertools import pairwise

import pytest

from breaking_markets import DAY_NS, breaking
from litehedge.errors import ArtefactError, UsageError
from litehedge.model import artefact
from litehedge.retraining import material
from litehedge.retraining.learner import learn_on
from litehedge.retraining.material import months_of
from litehedge.retraining.service import is_overdue
from litehedge.retraining.state import State, StateFile
from litehedge.store.bundled import pretrained_folder
from litehedge.store.lake import Lake
from litehedge.units import NS_PER_DAY
from made_lakes import store
from synthetic import T0

CHAMPION = pretrained_folder() / "ltc-5m-logistic"
UNTIL_NS = T0 + 70 * DAY_NS


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    lake = Lake(tmp_path_factory.mktemp("lake"))
    store(lake, "ltc", breaking(80, 3, announced=True))
    return lake


def learnt(lake, folder, told=lambda what, share: None, champion=CHAMPION):
    return learn_on(
        lake, [lake.bars("ltc")], champion, "ltc", folder / "made", folder / "work",
        until_ns=UNTIL_NS, created="2026-01-01", told=told,
    )  # fmt: skip


class Killed(BaseException):
    """What no code of the retraining catches."""


def test_it_goes_on_where_it_was_killed_and_comes_to_the_same(lake, tmp_path, monkeypatch):
    shares = []
    whole = learnt(lake, tmp_path / "whole", told=lambda what, share: shares.append(share))
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    card = artefact.load(tmp_path / "whole" / "made", 300 * 10**9).card
    assert card.weights_sha256 == whole.weights_sha256
    assert card.events_long + card.events_short > 20
    assert card.trained_on[0].end <= "2023-05-15T00:00:00Z"

    def dies(what, share):
        if share > 0.5:
            raise Killed

    with pytest.raises(Killed):
        learnt(lake, tmp_path / "killed", told=dies)
    assert not (tmp_path / "killed" / "made").exists()
    months = len(list((tmp_path / "killed" / "work" / "replay").glob("*.npz")))
    assert 0 < months < len(months_of(lake.bars("ltc"), UNTIL_NS))
    read = []
    real = material.prepare
    monkeypatch.setattr(material, "prepare", lambda *a, **k: read.append(a) or real(*a, **k))
    again = learnt(lake, tmp_path / "killed")
    assert again.weights_sha256 == whole.weights_sha256
    assert len(read) == len(months_of(lake.bars("ltc"), UNTIL_NS)) - months


def test_a_month_that_cannot_be_read_back_is_read_again(lake, tmp_path):
    whole = learnt(lake, tmp_path)
    for path in (tmp_path / "work" / "replay").glob("*.npz"):
        path.write_bytes(path.read_bytes()[:1000])
    assert learnt(lake, tmp_path).weights_sha256 == whole.weights_sha256


def test_what_cannot_learn_on_is_refused(lake, tmp_path):
    with pytest.raises(ArtefactError, match="cannot learn on"):
        learnt(lake, tmp_path, champion=pretrained_folder() / "ltc-5m")
    with pytest.raises(ArtefactError, match="frames"):
        learnt(lake, tmp_path, champion=pretrained_folder() / "ltc-1m-logistic")
    with pytest.raises(UsageError, match="nothing to learn from"):
        learn_on(
            lake, [lake.bars("ltc")], CHAMPION, "ltc", tmp_path / "made", tmp_path / "work",
            until_ns=T0, created="2026-01-01",
        )  # fmt: skip


def test_months_cover_a_data_set_once(lake):
    spans = months_of(lake.bars("ltc"), UNTIL_NS)
    assert spans[0][0] == lake.bars("ltc").start_ns
    assert spans[-1][1] == UNTIL_NS
    assert all(a[1] == b[0] for a, b in pairwise(spans))


def test_the_state_is_for_people_and_never_in_the_way(tmp_path):
    file = StateFile(tmp_path)
    assert file.read() == State()
    file.note(step="reading", share=0.5)
    assert file.read().step == "reading"
    (tmp_path / "retraining" / "state.json").write_bytes(b"{")
    assert file.note(share=0.6).share == 0.6
    assert not file.is_running


def test_a_month_that_was_missed_is_made_up_for():
    now_ns = T0
    assert not is_overdue(0, now_ns)
    assert not is_overdue(now_ns - 20 * NS_PER_DAY, now_ns)
    assert is_overdue(now_ns - 40 * NS_PER_DAY, now_ns)

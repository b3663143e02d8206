"""``litehedge learning`` and ``litehedge report learning`` on the journal of a session."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest

from acted import journaled, set_hedge
from learnt_pasts import MODEL, made
from litehedge.cli.learning import changes_in
from litehedge.learning import kept as kp
from litehedge.learning.watch import Word
from litehedge.squeeze import forecast as fc
from litehedge.squeeze.learnt import SHIPPED
from litehedge.units import NS_PER_DAY
from synthetic import Crash, market

OWN = market(400, seed=3, vol=0.001, crashes=(Crash(at=80, bars=15, depth=0.12),))


@pytest.fixture
def session(tmp_path):
    """A session in which a person hedged before a crash, twice."""
    folder = tmp_path / "home" / "sessions" / "paper"
    folder.mkdir(parents=True)
    acts = [set_hedge(70, 0.8, 40), set_hedge(130, 0.4, 20)]
    journaled(folder / "journal.sqlite", OWN, acts, policy="unhedged").close()
    return folder


def test_it_is_told_what_was_learnt_and_that_it_is_too_little(litehedge, session):
    told = litehedge("report", "learning", "--report", "page.html")
    assert told.code == 0, told.err
    assert "calibration: not enough yet" in told.out
    assert "costs: not enough yet" in told.out
    assert "updates: 0 from squeezes" in told.out
    assert not (session / kp.UPDATES).exists()  # a report learns nothing
    page = Path("page.html").read_text(encoding="utf-8")
    assert "What session paper learnt" in page
    assert "half spread" in page
    assert page.count("litehedgeDraw(") >= 1
    assert litehedge("report", "learning", "paper", "--json", "all.json").code == 0
    everything = json.loads(Path("all.json").read_text())
    figures = litehedge("report", "learning", "paper", "--json", "-").json
    assert "entries" not in figures
    assert figures["sum"]["recommendations"] == len(everything["entries"]) > 0
    assert len(everything["entries"][0]["gains_usdt"]) == 11
    assert figures["judged"]["log_loss"] is None
    assert figures["watch"]["word"] == "too little yet"


def test_an_update_keeps_offers_and_can_be_taken_back(litehedge, session):
    told = litehedge("learning", "update", "--json").json
    learnt = told["learnt"]
    assert [one["number"] for one in learnt] == list(range(1, len(learnt) + 1))
    assert learnt
    assert told["offered"]["values"] == list(SHIPPED)  # too little to be used
    assert litehedge("learning", "update", "--json").json["learnt"] == []
    assert kp.watch_in(session) is not None
    back = litehedge("learning", "revert", "--to", "0", "--json").json
    assert back["values"] == list(SHIPPED)
    assert back["number"] == len(learnt) + 1
    assert [u.number for u in kp.updates_of(session)] == list(range(1, len(learnt) + 2))
    assert msgspec.to_builtins(kp.updates_of(session)[:-1]) == learnt
    assert "nothing was changed" in litehedge("learning", "revert", "--to", "0").err


def test_what_cannot_be_done_is_one_message(litehedge, session):
    assert litehedge("learning", "revert").code == 2
    assert "there is no session other" in litehedge("report", "learning", "other").err
    assert "what is 'more'" in litehedge("report", "paper", "more").err


def test_a_log_loss_that_rises_is_found_by_the_triggers_and_only_warns():
    pytest.importorskip("river")
    past = made(days=16, odds=1.0)
    assert [f for f in changes_in(past, MODEL) if f.about == "log_loss"] == []
    rows = past.rows.copy()
    late = past.end_ns > past.end_ns[-1] - 5 * NS_PER_DAY
    rows[late, : fc.PEAK_AT] = 0.3  # hazards of both sides, far too high
    found = changes_in(replace(past, rows=rows), MODEL)
    assert [(f.about, f.word) for f in found if f.about == "log_loss"] == [("log_loss", Word.WATCH)]
    assert changes_in(replace(past, is_live=np.zeros_like(late)), MODEL) == []

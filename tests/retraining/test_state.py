"""What a retraining does is said in words, by a file that survives whatever is in it."""

from __future__ import annotations

import math

from litehedge.retraining.gate import Finding, Reason, Verdict
from litehedge.retraining.state import State, StateFile, lines_of
from litehedge.ui.models import doing

REFUSED = Verdict(
    "refuse", [Finding(Reason.SKILL, "its log-loss is 3 % worse", True)], 20.0, 12, 3, math.nan,
    math.nan, math.nan, None, None, [], [],
)  # fmt: skip


def test_what_is_done_how_far_and_when_it_is_due_next():
    state = State(step="learning", share=0.4, began_ns=0, next_ns=10**18)
    first, due = lines_of(state, is_running=True)
    assert first == "learning, 40% done, since 1970-01-01 00:00"
    assert due == "the next retraining is due on 2001-09-09 01:46"
    (idle,) = lines_of(state, is_running=False)
    assert "litehedge retrain --watch" in idle


def test_the_page_of_models_says_it_with_the_last_verdict(tmp_path):
    file = StateFile(tmp_path)
    assert len(doing(tmp_path)) == 1
    file.note(verdict=REFUSED, labels=["own@2", "own@1"], trouble="too few squeezes")
    told = doing(tmp_path)
    assert told[1:] == [
        "the last one came to nothing: too few squeezes",
        "own@2 against own@1: refused: its log-loss is 3 % worse",
    ]


def test_a_file_that_cannot_be_read_is_said_and_the_next_note_begins_it_anew(tmp_path):
    file = StateFile(tmp_path)
    file.note(acted="own@2 serves")
    (file.folder / "state.json").write_text("{")
    assert "cannot be read" in doing(tmp_path)[0]
    file.note(acted="own@3 serves")
    assert doing(tmp_path)[-1] == "own@3 serves"

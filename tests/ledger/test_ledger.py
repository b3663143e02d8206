"""Acts of people, and what they were worth."""

from __future__ import annotations

import sqlite3

import pytest

from acted import MINUTE, at, journaled, ledger_of, part_of, set_hedge
from litehedge.errors import JournalError
from litehedge.ledger.scores import By, Total, Until, Verdict, in_words, ledger_in_words
from litehedge.ledger.walk import keep
from litehedge.market import events as ev
from litehedge_runs import header
from synthetic import Crash, market

CRASH = market(300, seed=3, vol=0.001, crashes=(Crash(at=120, bars=15, depth=0.3),))


def halt(minute):
    return ev.Halt(at(minute), at(minute), "I know better")


def resume(minute):
    return ev.Resume(at(minute), at(minute), "RESUME")


def test_a_halt_over_a_crash_that_liquidates_is_a_liquidation_caused(tmp_path):
    journal = journaled(tmp_path / "j", CRASH, [halt(100), resume(150)], is_full=True, leverage=5)
    (score,) = ledger_of(journal, tail_ns=60 * MINUTE).scores
    assert [act.kind for act in score.acts] == ["halt"]
    assert score.liquidation == "caused"
    assert score.verdict is Verdict.COST
    assert score.with_act.nearest == 0.0 < score.without.nearest
    assert score.with_act.liquidated_ns > score.begins_ns
    assert score.without.liquidated_ns == -1
    assert score.with_act.pnl_usdt == pytest.approx(score.true_pnl_usdt, abs=1e-6)


def test_a_hedge_before_a_crash_helped_and_avoided_a_liquidation(tmp_path):
    acts = [set_hedge(100, 0.9, 60)]
    journal = journaled(tmp_path / "j", CRASH, acts, policy="unhedged", leverage=5.0)
    told = ledger_of(journal, tail_ns=30 * MINUTE)
    (score,) = told.scores
    assert score.liquidation == "avoided"
    assert score.verdict is Verdict.HELPED
    assert score.over_ns == at(160)
    assert score.until is Until.TAIL
    assert at(189) <= score.until_ns <= at(190)
    assert score.fees_usdt < 0.0  # it was paid for
    assert ledger_in_words(told).startswith("your 1 override: 1 helped (+")


def test_acts_that_overlap_are_one_score_and_others_are_cut_where_the_next_begins(tmp_path):
    acts = [
        set_hedge(20, 0.5, 30), ev.Freeze(at(40), at(40), at(60)),
        set_hedge(70, 0.2, 60), ev.Follow(at(80), at(80)),
    ]  # fmt: skip
    journal = journaled(tmp_path / "j", CRASH, acts, policy="unhedged")
    first, second = ledger_of(journal, tail_ns=30 * MINUTE).scores
    assert [act.kind for act in first.acts] == ["set hedge", "freeze"]
    assert first.over_ns == at(60)
    assert first.until is Until.NEXT
    assert [act.kind for act in second.acts] == ["set hedge"]
    assert second.over_ns == at(80)  # where the policy was followed again
    later = ledger_of(journal, tail_ns=30 * MINUTE, since_ns=at(65))
    assert [score.begins_ns for score in later.scores] == [at(70)]


def test_what_goes_on_or_has_just_ended_cannot_be_told_yet(tmp_path):
    going = ledger_of(journaled(tmp_path / "a", CRASH, [halt(200)]))
    assert [score.verdict for score in going.scores] == [Verdict.NOT_YET]
    assert going.scores[0].over_ns == -1
    assert going.total.pnl_usdt == 0.0
    just = ledger_of(journaled(tmp_path / "b", CRASH, [set_hedge(250, 0.5, 30)]))
    assert [score.until for score in just.scores] == [Until.DATA]
    assert [score.verdict for score in just.scores] == [Verdict.NOT_YET]


def test_what_changes_nothing_is_no_act(tmp_path):
    acts = [halt(50), halt(60), resume(70), ev.Follow(at(75), at(75)), resume(76)]
    told = ledger_of(journaled(tmp_path / "j", CRASH, acts), tail_ns=30 * MINUTE)
    assert [[act.begins_ns for act in score.acts] for score in told.scores] == [[at(50)]]
    assert told.scores[0].over_ns == at(70)
    nothing = ledger_of(journaled(tmp_path / "k", CRASH, []))
    assert nothing.scores == []
    assert ledger_in_words(nothing) == "you have done nothing by hand yet"


def test_the_sentence():
    total = Total(8, 7, 2, 5, 0, 0, 12.0, 84.0, -72.0, 1, 0)
    assert in_words(total) == (
        "your 7 overrides: 2 helped (+12.00 USDT), 5 cost 84.00 USDT (8 acts; those that overlap "
        "are scored together); 1 liquidation caused"
    )
    assert in_words(total, By.PLAN).startswith("your plans, which acted 7 times: 2 helped (+12.00 ")
    assert in_words(total, By.BOTH).startswith("7 times your hand and a plan at once: 2 helped")


def test_a_torn_journal_gives_one_clear_message(tmp_path):
    journal = journaled(tmp_path / "j", CRASH, [set_hedge(100, 0.5, 30)])
    ((number, head),) = journal.runs()
    part = part_of(journal, number, head)
    with sqlite3.connect(tmp_path / "j") as file:
        file.execute("UPDATE event_batches SET payload = substr(payload, 1, 1000)")
    file.close()
    with pytest.raises(JournalError, match=r"events of run 1 cannot be read .* damaged, or was"):
        keep([part])


def test_a_window_ends_where_the_plan_changes(tmp_path):
    journal = journaled(tmp_path / "j", CRASH, [set_hedge(100, 0.5, 300)])
    ((number, head),) = journal.runs()
    changed = header(settings=head.settings, policy="unhedged")
    parts = [part_of(journal, number, head), part_of(journal, number, changed)]
    first = keep(parts).scores[0]
    assert first.until is Until.PLAN
    same = [part_of(journal, number, head), part_of(journal, number, head)]
    assert keep(same).scores[0].until is not Until.PLAN

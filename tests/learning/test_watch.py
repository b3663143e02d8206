"""The watch: silent on what the card tells, at the rate that it states; loud where things broke."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from learnt_pasts import FRAME_NS, MODEL, made
from litehedge.learning import watch as wa
from litehedge.learning.steps import seen_by
from litehedge.learning.watch import Finding, Look, Word
from litehedge.model.artefact import Span
from litehedge.model.measures.measure import measure, scores_of
from litehedge.model.measures.trial import Trial, base_rates
from litehedge.squeeze.times import squeeze_times
from litehedge.units import NS_PER_DAY
from networks import card


def look(word, number, model=MODEL):
    return Look(number, model, 1, 1, [Finding("x", word, "because")], [])


def told_by(past, model=MODEL):
    """A card that says of a model what was measured on some past."""
    known = seen_by(past, past.squeezes(), model, past.now_ns)
    trial = Trial.of(squeeze_times(known.asked), known.end_ns)
    rates = base_rates(trial.times, trial.end_ns)
    trial_scores = {}
    for side, one in zip(("long", "short"), measure(trial, known.hazards, rates), strict=False):
        trial_scores |= {f"{n}_{side}": s for n, s in scores_of(one.drawn).items()}
    return card(scores=trial_scores)


def words(found, about):
    return [f.word for f in found.findings if f.about.startswith(about)]


def test_a_model_as_good_as_its_card_is_left_in_peace_and_one_that_broke_is_not():
    good = [made(seed=s, skill=4.0) for s in range(4)]
    its_card = told_by(good[0])
    alarms = 0
    for past in good[1:]:
        found = wa.look_at(past, MODEL, its_card, 0)
        [skill] = words(found, "auc, long")
        assert skill in (Word.FINE, Word.WATCH)
        alarms += skill is Word.WATCH
    assert alarms <= 2
    broken = made(seed=1, skill=0.0)
    found = wa.look_at(broken, MODEL, its_card, 0)
    assert words(found, "auc, long") == [Word.DRIFT]
    assert found.word is Word.DRIFT
    assert "on its card" in found.why
    assert words(found, "auc, short") == [Word.FEW]


def test_coverage_alarms_by_chance_no_more_often_than_it_says():
    rng = np.random.default_rng(0)
    looks = [wa.coverage_of((rng.random(20) < 0.8).astype(float).tolist()) for _ in range(4000)]
    said = np.array([one.word for one in looks])
    worse = (said != Word.FINE).mean()
    assert worse <= wa.COVERAGE_CHANCE[0]
    assert (said == Word.DRIFT).mean() <= wa.COVERAGE_CHANCE[1] + 0.001
    assert wa.coverage_of([0.0] * 11 + [1.0] * 9).word is Word.DRIFT
    assert wa.coverage_of([1.0] * 9).word is Word.FEW
    assert wa.coverage_of([1.0] * 20).word is Word.FINE
    assert wa.at_most(20, 20, 0.8) == pytest.approx(1.0)


def test_intervals_that_do_not_hold_are_found_on_a_market():
    narrow = wa.look_at(made(low=440.0, high=441.0), MODEL, None, 0)
    assert words(narrow, "coverage") == [Word.DRIFT]
    fine = wa.look_at(made(low=100.0, high=2000.0), MODEL, None, 0)
    assert words(fine, "coverage") == [Word.FINE]


def test_inputs_and_age():
    ends = FRAME_NS * np.arange(1, 3000, dtype=np.int64)
    sure = np.full(ends.size, 0.9)
    assert wa.inputs_of(ends, sure).word is Word.FINE
    for share, word in ((0.15, Word.WATCH), (0.3, Word.DRIFT)):
        odd = sure.copy()
        odd[-int(share * 2016) :] = 0.3
        assert wa.inputs_of(ends, odd).word is word
    old = sure.copy()
    old[:500] = 0.1  # more than a week ago
    assert wa.inputs_of(ends, old).word is Word.FINE
    assert wa.inputs_of(ends[:20], sure[:20]).word is Word.FEW
    told = card(trained_on=[Span("x", "2024-01-01", "2024-06-01", 1)], expires_days=45)
    expires = told.expires_ns
    assert wa.age_of(told, expires - 20 * NS_PER_DAY).word is Word.FINE
    assert wa.age_of(told, expires - 3 * NS_PER_DAY).word is Word.WATCH
    assert wa.age_of(told, expires).word is Word.DRIFT
    assert wa.age_of(None, 0).word is Word.FEW


@settings(max_examples=50)
@given(st.lists(st.sampled_from([Word.FINE, Word.WATCH, Word.DRIFT]), min_size=1, max_size=12))
def test_one_odd_look_neither_alarms_nor_calms(said):
    standing = None
    history = []
    for number, word in enumerate(said, 1):
        before = standing
        standing = wa.stands(before, look(word, number))
        history.append(standing.word)
        if before is not None and standing.word is not before.word:
            needed = wa.WORSE if wa._RANK[standing.word] > wa._RANK[before.word] else wa.BETTER
            assert said[number - needed : number] == [standing.word] * needed
    assert history[0] is not Word.DRIFT


def test_the_same_market_looked_at_twice_counts_once():
    standing = wa.stands(None, look(Word.FINE, 1))
    for _ in range(5):
        standing = wa.stands(standing, look(Word.DRIFT, 2))
    assert standing.word is Word.FINE
    assert wa.stands(standing, look(Word.DRIFT, 3)).word is Word.DRIFT
    other = wa.stands(wa.stands(standing, look(Word.DRIFT, 3)), look(Word.FINE, 4, "next@1"))
    assert other.word is Word.FINE


def test_what_it_finds_can_be_written_and_read():
    found = wa.look_at(made(), MODEL, told_by(made()), 0)
    standing = wa.stands(None, found)
    assert msgspec.json.decode(msgspec.json.encode(standing), type=wa.Fit) == standing
    assert sum(one.frames for one in found.strata) <= found.frames
    assert {one.name for one in found.strata} == {"calm", "usual", "wild"}
    silent = made()
    silent = replace(silent, is_live=np.zeros_like(silent.is_live))
    assert wa.look_at(silent, MODEL, None, 0).frames == 0

"""A running session is offered what was learnt from it, once, and nothing of another model."""

from __future__ import annotations

import msgspec
import pytest

from litehedge.effects import ModelChange
from litehedge.engine_state import start
from litehedge.hedge.policies import policy_named
from litehedge.learning import kept as kp
from litehedge.learning.watch import Finding, Fit, Look, Word
from litehedge.live.lessons import Lessons
from litehedge.market import events as ev
from litehedge.model.baselines.blind import BlindForecaster
from litehedge.settings import load_settings
from litehedge.squeeze.learnt import SHIPPED
from synthetic import packaged_tiers

VALUES = (1.1, *SHIPPED[1:])


class Heard:
    """A funnel that keeps what was put into it."""

    def __init__(self):
        self.said = []

    def now_ns(self):
        return 5

    def given_ns(self):
        return 1

    def put(self, event):
        self.said.append(event)


@pytest.fixture
def offering(tmp_path):
    def made(**changes):
        chosen = load_settings()
        state = start(chosen, policy_named("unhedged", chosen), packaged_tiers(),
                      BlindForecaster(), session="t", atom_ns=60_000_000_000)  # fmt: skip
        funnel = Heard()
        return Lessons(state, funnel, tmp_path, **({"is_used": True} | changes)), funnel

    return made


def lesson(values=VALUES, model="none", number=3):
    return kp.Lesson(model, list(values), number, "a squeeze")


def standing(word, model="none"):
    return Fit(model, word, 1, Look(1, model, 1, 1, [Finding("x", word, "why")], []))


def test_it_is_offered_once_and_again_when_it_changes(tmp_path, offering):
    lessons, funnel = offering()
    lessons.look()
    assert funnel.said == []
    kp.offer(tmp_path, lesson())
    lessons.look()
    lessons.look()
    [said] = funnel.said
    assert isinstance(said, ev.LessonOffered)
    assert said.values == VALUES
    assert said.number == 3
    kp.offer(tmp_path, lesson(SHIPPED, number=4))
    lessons.look()
    assert funnel.said[-1].values == SHIPPED


def test_of_another_model_or_switched_off_nothing_is_offered_but_the_watch(tmp_path, offering):
    kp.offer(tmp_path, lesson(model="other@1"))
    lessons, funnel = offering()
    lessons.look()
    assert funnel.said == []
    lessons(None, [ModelChange(1, "none", "other@1", "", 0, "")])
    lessons.look()
    assert funnel.said[-1].values == VALUES
    off, funnel = offering(is_used=False)
    kp.offer(tmp_path, lesson())
    kp.say_watch(tmp_path, standing(Word.DRIFT))
    off.look()
    off.look()
    [said] = funnel.said
    assert said.values == ()
    assert (said.watch, said.detail) == ("drift", "why")


def test_a_torn_file_changes_nothing(tmp_path, offering):
    lessons, funnel = offering()
    (tmp_path / kp.LESSON).write_bytes(b'{"model": "none", "val')
    (tmp_path / kp.WATCH).write_bytes(b"")
    lessons.look()
    assert funnel.said == []


def test_updates_are_kept_in_order_and_a_line_cut_short_is_made_good(tmp_path):
    one = kp.reverted([kp.Update(1, 5, "m", "squeeze", "x", 1, [], list(VALUES))], 0, 9)
    first = kp.Update(1, 5, "m", "squeeze", "x", 1, [], list(VALUES))
    kp.keep(tmp_path, [first])
    with (tmp_path / kp.UPDATES).open("ab") as file:
        file.write(b'{"number": 2, "time')
    assert kp.updates_of(tmp_path) == [first]
    kp.keep(tmp_path, [one])
    assert kp.updates_of(tmp_path) == [first, one]
    path = tmp_path / kp.UPDATES
    path.write_bytes(b"{broken\n" + msgspec.json.encode(first) + b"\n")
    with pytest.raises(kp.JournalError, match="line 1"):
        kp.updates_of(tmp_path)


def test_there_is_no_way_back_to_what_never_was():
    first = kp.Update(1, 5, "m", "squeeze", "x", 1, [], list(VALUES))
    for updates, to in (([], 0), ([first], 7), ([first], 1)):
        with pytest.raises(kp.UsageError):
            kp.reverted(updates, to, 9)

"""Cards in words, and the registry that the page is ready for."""

from __future__ import annotations

import msgspec
import pytest

from litehedge.learning.kept import say_watch
from litehedge.learning.watch import Finding, Fit, Look, Word
from litehedge.model import artefact
from litehedge.model.artefact import Span
from litehedge.model.policy_artefact import load_policy_card
from litehedge.shelf.models import model_folders
from litehedge.shelf.policies import policy_folders
from litehedge.ui import models_view as view
from litehedge.ui.models import read_shelf
from litehedge.ui.tools import Tools
from litehedge.units import NS_PER_DAY, instant_ns

CARDS = {name: artefact.load_card(folder) for name, folder in model_folders().items()}


@pytest.mark.parametrize("name", sorted(CARDS))
def test_every_model_that_ships_is_told_in_words(name):
    told = dict(view.card_lines(CARDS[name], 0))
    assert set(told) == {
        "What it is",
        "Learnt from",
        "Tuned on",
        "Squeezes seen",
        "Expires",
        "Made",
    }
    assert all(told.values())
    rows = view.score_rows(CARDS[name])
    assert rows
    assert all(" to " in row[1] or row[1] == "n/a" for row in rows)


def test_policies_that_ship_are_told_too():
    for folder in policy_folders().values():
        assert all(text for _, text in view.policy_lines(load_policy_card(folder)))


def test_a_model_says_when_it_is_too_old():
    card = next(iter(CARDS.values()))
    span = Span("ltc", "2024-01-01", "2024-02-01", 10)
    old = msgspec.structs.replace(card, trained_on=[span], expires_days=30)
    last = instant_ns("2024-03-02")
    assert old.expires_ns == last
    assert view.expiry(old, last - 10 * NS_PER_DAY) == "on 2024-03-02, in 10 days"
    assert not view.is_expired(old, last - 1)
    assert "5 days ago; train it again" in view.expiry(old, last + 5 * NS_PER_DAY)
    assert view.is_expired(old, last + 1)
    assert view.expiry(msgspec.structs.replace(card, expires_days=None), 0) == "never"


def test_worlds_are_counted_and_history_is_named():
    spans = [Span("ltc", "2024-01-01", "2024-02-01", 10), Span("world 1", "x", "y", 5),
             Span("world 2", "x", "y", 6)]  # fmt: skip
    assert view.spans(spans) == "ltc, 2024-01-01 to 2024-02-01; 2 simulated worlds (11 frames)"


def test_who_uses_a_model_is_told():
    assert view.used_by("a", {"paper": "a", "live": "b"}) == "Used by paper."
    assert view.used_by("c", {"paper": "a"}) == ""


def test_what_cannot_be_read_is_told_and_hides_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("LITEHEDGE_HOME", str(tmp_path))
    (tmp_path / "models" / "mine").mkdir(parents=True)
    (tmp_path / "models" / "mine" / "card.json").write_text("{")
    shelf = read_shelf(Tools.at(tmp_path))
    assert set(shelf.broken) == {"mine"}
    assert set(shelf.models) == set(CARDS)


def test_a_standing_says_role_and_day():
    one = view.Standing("ltc-5m", "champion", instant_ns("2026-01-02"), "chosen by hand")
    assert view.standing_words(one) == "champion since 2026-01-02 UTC: chosen by hand"


def test_what_a_look_found_is_shown_the_worst_first():
    findings = [Finding("age", Word.FINE, "age: young"), Finding("auc", Word.DRIFT, "auc: gone"),
                Finding("coverage", Word.FEW, "intervals: 2 squeezes")]  # fmt: skip
    standing = Fit("m@1", Word.DRIFT, 1, Look(0, "m@1", 9, 3, findings, []))
    lines = view.fit_lines(standing, 2 * NS_PER_DAY)
    assert lines == [
        ("Model", "m@1"), ("Looked at", "3 squeezes here, until 2 days ago"),
        ("Drift", "auc: gone"), ("Fine", "age: young"), ("Too little yet", "intervals: 2 squeezes"),
    ]  # fmt: skip
    assert set(view.FIT) < set(Word)


def test_the_looks_of_all_sessions_are_on_the_shelf(tmp_path, monkeypatch):
    monkeypatch.setenv("LITEHEDGE_HOME", str(tmp_path))
    folder = tmp_path / "sessions" / "paper"
    folder.mkdir(parents=True)
    (folder / "journal.sqlite").touch()
    assert read_shelf(Tools.at(tmp_path)).here == {}
    standing = Fit("m@1", Word.FINE, 1, Look(0, "m@1", 9, 3, [], []))
    say_watch(folder, standing)
    assert read_shelf(Tools.at(tmp_path)).here == {"paper": standing}

"""How glad a text is: bounded for any text; about Litecoin or not; the same news known again."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from litehedge.errors import DataError
from litehedge.feeds.sentiment_score import (
    MARKET_WEIGHT,
    Repeats,
    Scorer,
    clean,
    read_slang,
    relevance,
)
from litehedge.feeds.sentiment_wire import Text
from litehedge.units import NS_PER_DAY

SCORER = Scorer()
T0 = 1_777_300_000 * 10**9
WORDS = st.text() | st.text(st.sampled_from("litecoin LTC but no!?<>&;🚀😡\x00\x1b\u202e\ud800 "))


def text(title: str, body: str = "", **more: object) -> Text:
    return Text(T0, title, body, **more)  # type: ignore[arg-type]


# --- laws -------------------------------------------------------------------------------------


@settings(deadline=None)
@given(WORDS, WORDS, st.just(math.nan) | st.floats(-1, 1))
def test_any_text_has_a_bounded_score(title: str, body: str, votes: float) -> None:
    one = text(title, body, votes=votes)
    assert -1.0 <= SCORER.score_of(one) <= 1.0
    assert relevance(one) in (0.0, MARKET_WEIGHT, 1.0)
    assert Repeats().is_new("a", one)


@pytest.mark.parametrize(
    "piece",
    ["but good ", "🚀", "<", "&amp;", "&#", "a", "\x00", "no no ", "to the ", "! ", "(((", "{"],
)
def test_a_megabyte_is_only_begun(piece: str) -> None:
    huge = piece * (10**6 // len(piece))
    assert math.isfinite(SCORER.score_of(text(huge, huge)))
    assert relevance(text(huge, huge)) >= 0.0
    assert Repeats().is_new("a", text(huge))
    assert len(clean(huge)) <= 600


# --- examples ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "good",
    [
        "Litecoin to the moon 🚀",
        "LTC soars to all-time high",
        "Spot Litecoin ETF approval expected",
        "Golden cross: Litecoin rallies 12%",
    ],
)
def test_good_news(good: str) -> None:
    assert SCORER.score(good) > 0.3


@pytest.mark.parametrize(
    "bad",
    [
        "Longs got rekt as Litecoin plunges",
        "Exchange halts withdrawals after hack",
        "LTC tumbles, $40M liquidated",
        "Rug pull: founders exit scam",
        "Traders dump Litecoin on delisting",
    ],
)
def test_bad_news(bad: str) -> None:
    assert SCORER.score(bad) < -0.3


def test_words_of_this_market_are_no_praise() -> None:
    for dull in ("Grayscale Litecoin Trust", "Litecoin open interest", "Fear and Greed index"):
        assert abs(SCORER.score(dull)) < 0.05, dull
    assert SCORER.score("Grayscale Litecoin Trust") < Scorer({}).score("Grayscale Litecoin Trust")


def test_votes_are_half_of_it() -> None:
    plain = SCORER.score_of(text("Litecoin today"))
    assert SCORER.score_of(text("Litecoin today", votes=1.0)) == pytest.approx(0.5 * plain + 0.5)


@pytest.mark.parametrize(
    ("title", "weight"),
    [
        ("Litecoin wins", 1.0),
        ("$LTC is up", 1.0),
        ("LTC/USDT breaks out", 1.0),
        ("LTC and other altcoins fall", 1.0),
        ("Bitcoin falls below 80,000", MARKET_WEIGHT),
        ("LTC homes for the elderly accept crypto", MARKET_WEIGHT),
        ("LTC beds are missing in Ontario", 0.0),
        ("Weather tomorrow", 0.0),
    ],
)
def test_what_a_text_is_about(title: str, weight: float) -> None:
    assert relevance(text(title)) == weight


def test_the_source_may_say_that_it_is_about_litecoin() -> None:
    assert relevance(text("Up only", about_litecoin=True)) == 1.0


def test_the_same_news_is_known_again() -> None:
    repeats = Repeats()
    assert repeats.is_new("a", text("Litecoin surges 12% after ETF approval by the SEC", link="x"))
    assert not repeats.is_new("b", text("Litecoin Surges 12% After SEC ETF Approval - News"))
    assert not repeats.is_new("b", text("Another title altogether for it", link="x"))
    assert repeats.is_new("b", text("Litecoin falls 12% before the halving of August"))
    later = Text(T0 + 3 * NS_PER_DAY, "Litecoin surges 12% after ETF approval by the SEC")
    assert repeats.is_new("a", later), "three days later it is another day's news"


def test_a_flooded_source_does_not_make_old_news_new() -> None:
    repeats = Repeats(most=20)
    assert repeats.is_new("quiet", text("Litecoin halving is one month away"))
    for n in range(200):
        repeats.is_new("flood", text(f"spam{n} more{n} of{n} it{n}"))
    assert not repeats.is_new("quiet", text("Litecoin halving is one month away"))


def test_a_lexicon_of_ones_own(tmp_path: Path) -> None:
    file = tmp_path / "mine.csv"
    file.write_text("phrase,valence\nchikun wins,4.0  # a joke\n", encoding="utf-8")
    assert Scorer(read_slang(file)).score("Chikun wins") > 0.5
    for wrong in ("word\n", "word,much\n", "word,9\n", ",1\n"):
        file.write_text(wrong, encoding="utf-8")
        with pytest.raises(DataError, match="line 1"):
            read_slang(file)
    with pytest.raises(DataError, match="none"):
        read_slang(tmp_path / "none.csv")

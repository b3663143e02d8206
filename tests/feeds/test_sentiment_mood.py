"""One score out of many sources: bounded, on the taught scale, never made up, hard to flood."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from litehedge.feeds.sentiment_mood import (
    FEAR_GREED,
    GDELT_TONE,
    LUNARCRUSH,
    MOST_DEVIATIONS,
    SOURCE_DEVIATIONS,
    TAUGHT_DEVIATION,
    Mood,
    Running,
)
from litehedge.feeds.sentiment_score import Scorer
from litehedge.feeds.sentiment_wire import Reading, Text
from litehedge.units import NS_PER_DAY, NS_PER_HOUR

SCORER = Scorer()
T0 = 1_777_248_000 * 10**9
MOST = TAUGHT_DEVIATION * MOST_DEVIATIONS
VALUES = st.floats(-1e6, 1e6)
TIMES = st.integers(T0 - 100 * NS_PER_DAY, T0 + NS_PER_DAY)


def news(n: int, words: str, at_ns: int = T0) -> Text:
    return Text(at_ns, f"Litecoin {words} a{n} b{n} c{n} d{n}")


# --- laws -------------------------------------------------------------------------------------


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.builds(Text, TIMES, st.text(), st.text(), st.text(), st.booleans()), max_size=8),
    st.lists(st.builds(Reading, TIMES, st.floats()), max_size=8),
    st.lists(st.integers(0, 40), max_size=6),
)
def test_the_score_is_bounded_and_finite_or_missing(
    texts: list[Text], readings: list[Reading], hours: list[int]
) -> None:
    mood, now_ns = Mood(SCORER), T0
    for hour in hours:
        mood.take_texts("texts", texts, now_ns)
        mood.take_readings("numbers", FEAR_GREED, readings, now_ns)
        score = mood.score(now_ns)
        assert score is None or abs(score) <= MOST
        now_ns += hour * NS_PER_HOUR


@given(st.lists(st.tuples(VALUES, st.integers(0, 10**6)), max_size=30), VALUES)
def test_a_mean_that_forgets_is_always_finite(
    values: list[tuple[float, int]], value: float
) -> None:
    running = Running(50.0, 20.0)
    at_ns = T0
    for each, minutes in values:
        at_ns += minutes * 60 * 10**9
        running.add(each, at_ns)
    assert math.isfinite(running.deviations(value))
    assert running.deviations(value + 1.0) >= running.deviations(value)


def test_nothing_is_known_of_silence() -> None:
    mood = Mood(SCORER)
    assert mood.score(T0) is None
    mood.take_texts("rss", [], T0)
    mood.take_texts("rss", [Text(T0, "Weather tomorrow")], T0)
    mood.take_readings("fng", FEAR_GREED, [Reading(T0 + 1, 50.0)], T0)  # the future's
    assert mood.score(T0) is None


def test_a_source_that_fell_silent_says_nothing_more() -> None:
    mood = Mood(SCORER)
    mood.take_texts("rss", [news(1, "soars")], T0)
    mood.take_readings("fng", FEAR_GREED, [Reading(T0, 50.0)], T0)
    assert set(mood.parts(T0)) == {"rss", "fng"}
    assert set(mood.parts(T0 + 3 * NS_PER_HOUR)) == {"fng"}
    assert mood.score(T0 + 37 * NS_PER_HOUR) is None


@pytest.mark.parametrize("others", [1, 2, 3])
def test_a_flooded_source_moves_the_score_by_a_bounded_share(others: int) -> None:
    def parts(flood: int) -> float:
        mood = Mood(SCORER)
        for k in range(others):
            mood.take_texts(f"s{k}", [news(100 + 10 * k + n, "today") for n in range(4)], T0)
        mood.take_texts("spam", [news(1000, "today")], T0)
        mood.take_texts("spam", [news(2000 + n, "crashes, scam, rekt") for n in range(flood)], T0)
        said = mood.parts(T0)
        whole = sum(part.weight for part in said.values())
        assert said["spam"].weight <= whole / 2 + 1e-9
        return sum(part.deviations * part.weight for part in said.values()) / whole

    calm, flooded = parts(0), parts(300)
    assert abs(flooded - calm) <= SOURCE_DEVIATIONS
    assert abs(parts(300) - parts(150)) < 0.15, "more of the same adds next to nothing"


def test_the_same_news_from_two_sources_counts_once() -> None:
    mood = Mood(SCORER)
    one = Text(T0, "Litecoin surges after ETF approval by the SEC")
    assert mood.take_texts("a", [one, one], T0) == 1
    assert mood.take_texts("b", [one], T0) == 0
    assert mood.take_texts("a", [one], T0 + NS_PER_HOUR) == 0, "a feed shows it for days"
    assert set(mood.parts(T0)) == {"a"}


# --- scale ------------------------------------------------------------------------------------


def test_the_scale_is_the_one_that_was_taught() -> None:
    """Sources that move at random for a year: mean about 0, deviation that of the simulation."""
    chance = random.Random(5)
    mood = Mood(SCORER)
    fear, tone, glad = 60.0, 1.0, 80.0
    scores = []
    for hour in range(24 * 300):
        now_ns = T0 + hour * NS_PER_HOUR
        if hour % 24 == 0:
            fear = min(100.0, max(0.0, 0.9 * fear + 4.5 + chance.gauss(0, 8)))
            mood.take_readings("fng", FEAR_GREED, [Reading(now_ns, fear)], now_ns)
        tone = 0.95 * tone + 0.05 + chance.gauss(0, 0.4)
        glad = min(100.0, max(0.0, 0.9 * glad + 8.0 + chance.gauss(0, 2)))
        mood.take_readings("tone", GDELT_TONE, [Reading(now_ns, tone)], now_ns)
        mood.take_readings("lunar", LUNARCRUSH, [Reading(now_ns, glad)], now_ns)
        score = mood.score(now_ns)
        assert score is not None
        scores.append(score)
    late = scores[24 * 60 :]
    mean = sum(late) / len(late)
    deviation = math.sqrt(sum((s - mean) ** 2 for s in late) / len(late))
    assert abs(mean) < 0.15
    assert 0.55 < deviation < 0.85


def test_good_news_raise_the_score_and_bad_news_lower_it() -> None:
    scores = []
    for words in ("soars to all-time high", "is", "crashes, longs rekt"):
        mood = Mood(SCORER)
        mood.take_texts("rss", [news(n, words) for n in range(5)], T0)
        scores.append(mood.score(T0))
    good, dull, bad = scores
    assert good is not None
    assert dull is not None
    assert bad is not None
    assert good > dull > bad
    assert good > 0.2 > -0.2 > bad


def test_news_fade() -> None:
    mood = Mood(SCORER)
    mood.take_texts("rss", [news(n, "crashes") for n in range(5)], T0)
    before = mood.parts(T0)["rss"]
    mood.take_texts("rss", [], T0 + 12 * NS_PER_HOUR)
    after = mood.parts(T0 + 12 * NS_PER_HOUR)["rss"]
    assert after.weight < before.weight
    assert abs(after.deviations) < abs(before.deviations)


def test_old_news_are_not_taken_in() -> None:
    mood = Mood(SCORER)
    assert mood.take_texts("rss", [news(1, "soars", T0 - 3 * NS_PER_DAY)], T0) == 0


def test_history_sets_what_is_usual() -> None:
    mood = Mood(SCORER)
    past = [Reading(T0 - n * NS_PER_DAY, 20.0 + n % 3) for n in range(60)]
    mood.take_readings("fng", FEAR_GREED, [*past, Reading(T0, 45.0)], T0)
    assert mood.parts(T0)["fng"].deviations > 1.0, "45 is glad after two months about 21"

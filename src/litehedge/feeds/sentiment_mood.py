"""One score out of many sources of mood, about 0, on the scale that the models were taught.

Each source is measured by itself first: texts as a mean that forgets (half-life six hours), drawn
towards nothing while there are few; numbers as they are. Each is then compared with its own past,
since a source that is always glad says nothing by being glad. The sources are averaged; none
weighs more than all others together, so that one that is flooded moves the score by a bounded
amount. The average is compared with its own past again.

Time is an argument. What is not known is `None`, never 0.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from litehedge.feeds.sentiment_score import Repeats, Scorer, relevance
from litehedge.feeds.sentiment_wire import Reading, Text
from litehedge.units import NS_PER_HOUR

TAUGHT_DEVIATION: Final = 0.7
"""Deviation of what the simulated market tells, measured over 18 days of three worlds."""
MOST_DEVIATIONS: Final = 4.0
"""The score ends here: 2.8, the largest that those worlds told."""
SOURCE_DEVIATIONS: Final = 3.0

TEXT_HALF_LIFE_H: Final = 6.0
TEXT_OLDEST_H: Final = 48.0
TEXT_ALIVE_H: Final = 2.0
"""A source of texts that did not answer for so long has nothing to say."""
TEXT_PRIOR: Final = 1.0
"""Texts that are taken to say nothing, about Litecoin and as fresh as can be."""
LEAST_WEIGHT: Final = 0.05

MEMORY_H: Final = 30 * 24.0
PRIOR_H: Final = 48.0
"""Hours for which the usual values below are taken to have been seen."""


@dataclass(slots=True)
class Running:
    """A mean and a deviation that forget (half-life 30 days), from usual values on.

    The deviation is never 0, and both are finite for finite values.
    """

    usual: float
    deviation: float
    _hours: float = 0.0
    _sum: float = 0.0
    _squares: float = 0.0
    _last_ns: int | None = None

    def add(self, value: float, at_ns: int) -> None:
        """Take in a value; it weighs as many hours as passed since the last, at most a day."""
        hours = 1.0
        if self._last_ns is not None:
            if at_ns <= self._last_ns:
                return
            hours = (at_ns - self._last_ns) / NS_PER_HOUR
            kept = 0.5 ** (hours / MEMORY_H)
            self._hours *= kept
            self._sum *= kept
            self._squares *= kept
        hours = min(hours, 24.0)
        apart = value - self.usual
        self._hours += hours
        self._sum += hours * apart
        self._squares += hours * apart * apart
        self._last_ns = at_ns

    def deviations(self, value: float) -> float:
        """Return by how many deviations a value is above the mean."""
        whole = PRIOR_H + self._hours
        mean = self._sum / whole
        variance = (PRIOR_H * self.deviation**2 + self._squares) / whole - mean * mean
        least = self.deviation * math.sqrt(PRIOR_H / whole)
        return (value - self.usual - mean) / max(math.sqrt(max(0.0, variance)), least)


class NumberKind(NamedTuple):
    """What is usual for a source of numbers (assumed), how long a value holds, its weight."""

    usual: float
    deviation: float
    holds_h: float
    weight: float


FEAR_GREED: Final = NumberKind(50.0, 20.0, 36.0, 0.5)
GDELT_TONE: Final = NumberKind(0.0, 1.5, 6.0, 0.5)
LUNARCRUSH: Final = NumberKind(78.0, 6.0, 4.0, 1.0)


@dataclass(slots=True)
class _Numbers:
    kind: NumberKind
    past: Running
    last: Reading | None = None


@dataclass(slots=True)
class _Texts:
    past: Running = field(default_factory=lambda: Running(0.05, 0.2))
    weight: float = 0.0
    glad: float = 0.0
    at_ns: int = 0
    heard_ns: int = 0

    def forget(self, now_ns: int) -> None:
        if now_ns > self.at_ns:
            kept = 0.5 ** ((now_ns - self.at_ns) / NS_PER_HOUR / TEXT_HALF_LIFE_H)
            self.weight *= kept
            self.glad *= kept
            self.at_ns = now_ns


class Part(NamedTuple):
    """What a source says now: deviations from its own past, and its weight."""

    deviations: float
    weight: float


class Mood:
    """Takes in texts and numbers, and says the score.

    One is shared by all sources. Nothing is raised; what came before is not counted again.
    """

    def __init__(self, scorer: Scorer | None = None) -> None:
        self._scorer = scorer or Scorer()
        self._repeats = Repeats()
        self._numbers: dict[str, _Numbers] = {}
        self._texts: dict[str, _Texts] = {}
        self._past = Running(0.0, 0.6)

    def take_texts(self, source: str, texts: Iterable[Text], now_ns: int) -> int:
        """Take in what a source of texts answered; return how many were news about us.

        A text from the future is dated now: clocks of servers differ.
        """
        mine = self._texts.setdefault(source, _Texts())
        mine.forget(now_ns)
        mine.heard_ns = now_ns
        news = 0
        for text in texts:
            age_h = max(0.0, (now_ns - text.at_ns) / NS_PER_HOUR)
            if age_h > TEXT_OLDEST_H:
                continue
            weight = relevance(text)
            if weight > 0.0 and self._repeats.is_new(source, text):
                weight *= 0.5 ** (age_h / TEXT_HALF_LIFE_H)
                mine.weight += weight
                mine.glad += weight * self._scorer.score_of(text)
                news += 1
        return news

    def take_readings(
        self, source: str, kind: NumberKind, readings: Iterable[Reading], now_ns: int
    ) -> None:
        """Take in what a source of numbers answered, its history too; nothing of the future."""
        mine = self._numbers.setdefault(source, _Numbers(kind, Running(kind.usual, kind.deviation)))
        for reading in sorted(readings, key=lambda reading: reading.at_ns):
            if reading.at_ns <= now_ns and math.isfinite(reading.value):
                mine.past.add(reading.value, reading.at_ns)
                if mine.last is None or reading.at_ns >= mine.last.at_ns:
                    mine.last = reading

    def parts(self, now_ns: int) -> dict[str, Part]:
        """Return what each source says now; silent ones are left out."""
        said: dict[str, Part] = {}
        for name, numbers in self._numbers.items():
            last = numbers.last
            if last is not None and now_ns - last.at_ns <= numbers.kind.holds_h * NS_PER_HOUR:
                said[name] = Part(_within(numbers.past.deviations(last.value)), numbers.kind.weight)
        for name, texts in self._texts.items():
            texts.forget(now_ns)
            if now_ns - texts.heard_ns <= TEXT_ALIVE_H * NS_PER_HOUR:
                weight = texts.weight / (texts.weight + TEXT_PRIOR)
                if weight >= LEAST_WEIGHT:
                    said[name] = Part(_within(texts.past.deviations(_level(texts))), weight)
        whole = sum(part.weight for part in said.values())
        return {
            name: Part(part.deviations, min(part.weight, whole - part.weight))
            if len(said) > 1
            else part
            for name, part in said.items()
        }

    def score(self, now_ns: int) -> float | None:
        """Return the score, `None` when no source says anything; it is within ±2.8."""
        said = self.parts(now_ns)
        if not said:
            return None
        for name in said:
            if name in self._texts:
                self._texts[name].past.add(_level(self._texts[name]), now_ns)
        whole = sum(part.weight for part in said.values())
        mean = sum(part.deviations * part.weight for part in said.values()) / whole
        self._past.add(mean, now_ns)
        deviations = self._past.deviations(mean)
        return TAUGHT_DEVIATION * max(-MOST_DEVIATIONS, min(MOST_DEVIATIONS, deviations))


def _level(texts: _Texts) -> float:
    return texts.glad / (texts.weight + TEXT_PRIOR)


def _within(deviations: float) -> float:
    return max(-SOURCE_DEVIATIONS, min(SOURCE_DEVIATIONS, deviations))

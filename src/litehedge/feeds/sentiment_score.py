"""How glad a text is, how much it is about Litecoin, and whether it was told before.

VADER (Hutto and Gilbert 2014), with its own lexicon and a file of what words mean in this market.
Everything is a function of the texts and the lexicon: no clock, no network.
"""

from __future__ import annotations

import csv
import html
import math
import re
from collections import OrderedDict
from pathlib import Path
from typing import Final, TypeVar

from litehedge.errors import DataError
from litehedge.feeds.sentiment_wire import Text
from litehedge.units import NS_PER_HOUR

T = TypeVar("T")

SLANG: Final = Path(__file__).with_name("sentiment_slang.csv")
READ: Final = 600
"""Characters of a text that are scored; headlines and the first sentences say it."""
MARKET_WEIGHT: Final = 0.25
"""Weight of a text about the market as a whole beside one about Litecoin."""
ALIKE: Final = 0.6
"""Share of common words (Jaccard) from which on two headlines tell the same news."""
REMEMBERED_NS: Final = 48 * NS_PER_HOUR
REMEMBERED: Final = 600
"""Of each source: three times what one answer may hold."""

_TAG: Final = re.compile(r"<[^<>]{0,500}>")
_NOT_TEXT: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\ud800-\udfff]+")
_LITECOIN: Final = re.compile(r"\blitecoins?\b|[$#]ltc\b|\bltc[/-]?(?:usd[tc]?|btc|eur)\b", re.I)
_LTC: Final = re.compile(r"\bLTC\b")
_CARE: Final = re.compile(
    r"\b(?:long[ -]term care|nursing|care homes?|ltc (?:beds?|homes?))\b", re.I
)
_MARKET: Final = re.compile(
    r"\b(?:crypto(?:s|currency|currencies)?|bitcoin|btc|altcoins?|blockchain|stablecoins?|tether"
    r"|usdt|ether(?:eum)?|binance|coinbase|digital assets?|memecoins?)\b",
    re.I,
)
_WORD: Final = re.compile(r"[a-z0-9%]+")
_COMMON_WORDS: Final = """
a an and are as at be but by for from has have in is it its of on or
says that the this to was will with after over amid new here why how what
"""
_COMMON: Final = frozenset(_COMMON_WORDS.split())


def read_slang(path: Path = SLANG) -> dict[str, float]:
    """Return phrase -> valence of a lexicon file.

    Raises
    ------
    DataError
        When it cannot be read, or a line is wrong.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: {error}", "give a lexicon that can be read") from None
    slang: dict[str, float] = {}
    for number, line in enumerate(lines, 1):
        cells = next(csv.reader([line.split("#", 1)[0].strip()]), [])
        if not cells or cells == ["phrase", "valence"]:
            continue
        try:
            phrase, valence = cells[0].strip().lower(), float(cells[1])
        except (IndexError, ValueError):
            raise DataError(
                f"{path}, line {number}: not a phrase and a valence", "mend it"
            ) from None
        if not phrase or not -4.0 <= valence <= 4.0:
            raise DataError(f"{path}, line {number}: a valence is -4 to 4", "mend it")
        slang[phrase] = valence
    return slang


def clean(text: str, most: int = READ) -> str:
    """Return the beginning of a text without markup and control characters, in linear time."""
    text = html.unescape(_TAG.sub(" ", text[: 4 * most]))
    return _NOT_TEXT.sub(" ", text)[:most].strip()


class Scorer:
    """VADER with the words of this market.

    `slang`: phrase -> valence; phrases of several words are joined before words are looked up.
    """

    def __init__(self, slang: dict[str, float] | None = None) -> None:
        from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

        slang = read_slang() if slang is None else slang
        self._vader = SentimentIntensityAnalyzer()
        self._vader.lexicon.update({_joined(phrase): valence for phrase, valence in slang.items()})
        longest_first = sorted((p for p in slang if " " in p), key=len, reverse=True)
        whole = "|".join(re.escape(phrase) for phrase in longest_first)
        self._phrases = re.compile(rf"(?<!\w)(?:{whole})(?!\w)", re.I) if whole else None

    def score(self, text: str) -> float:
        """Return -1 (as bad as can be) to 1; 0 for what says nothing."""
        text = clean(text)
        if self._phrases is not None:
            text = self._phrases.sub(lambda found: _joined(found[0]), text)
        try:
            compound = float(self._vader.polarity_scores(text)["compound"])
        except (IndexError, ValueError, ZeroDivisionError):  # of texts nobody writes
            return 0.0
        return max(-1.0, min(1.0, compound)) if math.isfinite(compound) else 0.0

    def score_of(self, text: Text) -> float:
        """Return how glad a headline and its body are, and the votes on it where there are any."""
        score = self.score(f"{clean(text.title)}. {clean(text.body)}")
        return score if math.isnan(text.votes) else 0.5 * score + 0.5 * text.votes


def _joined(phrase: str) -> str:
    return phrase.lower().replace(" ", "_")


def relevance(text: Text) -> float:
    """Return the weight of a text: 1 about Litecoin, less about the market, 0 about neither.

    `LTC` alone is also long-term care: it counts in capitals, beside words of this market.
    """
    words = f"{clean(text.title)} {clean(text.body)}"
    if text.about_litecoin or _LITECOIN.search(words):
        return 1.0
    if _MARKET.search(words) is None:
        return 0.0
    if _LTC.search(words) and _CARE.search(words) is None:
        return 1.0
    return MARKET_WEIGHT


def words_of(title: str) -> frozenset[str]:
    """Return the words by which a headline is known again."""
    return frozenset(_WORD.findall(clean(title).lower())) - _COMMON


class Repeats:
    """Knows news again that was told before, by whichever source, in other words or the same.

    Each source has a memory of its own, so that one that is flooded does not make the others'
    news new again.
    """

    def __init__(self, most: int = REMEMBERED) -> None:
        self._most = most
        self._links: dict[str, OrderedDict[str, int]] = {}
        self._titles: dict[str, OrderedDict[frozenset[str], int]] = {}

    def is_new(self, source: str, text: Text) -> bool:
        """Remember a text; tell whether its news was not told within two days of it."""
        words = words_of(text.title)
        told = (
            any(text.link in links for links in self._links.values() if text.link)
            or any(_near(titles.get(words), text) for titles in self._titles.values())
            or any(
                _near(at_ns, text) and _alike(words, other)
                for titles in self._titles.values()
                for other, at_ns in titles.items()
            )
        )
        if text.link:
            _keep(self._links.setdefault(source, OrderedDict()), text.link, text, self._most)
        _keep(self._titles.setdefault(source, OrderedDict()), words, text, self._most)
        return not told


def _near(at_ns: int | None, text: Text) -> bool:
    return at_ns is not None and abs(at_ns - text.at_ns) <= REMEMBERED_NS


def _keep(things: OrderedDict[T, int], thing: T, text: Text, most: int) -> None:
    things[thing] = text.at_ns
    things.move_to_end(thing)
    if len(things) > most:
        things.popitem(last=False)


def _alike(one: frozenset[str], other: frozenset[str]) -> bool:
    common = len(one & other)
    return common >= 3 and common >= ALIKE * (len(one) + len(other) - common)

"""What sources of mood send: bytes in, dated texts or numbers out. No I/O.

Formats: alternative.me/crypto/fear-and-greed-index (all strings), RSS and Atom (feedparser),
GDELT DOC 2.0 (`artlist`, `timelinetone`), LunarCrush v4 topic time series, CryptoPanic v2 posts.
Every reader raises `BadMessage`, and nothing else, for what it cannot read.
"""

from __future__ import annotations

import calendar
import io
import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Final, TypeVar

import msgspec

from litehedge.errors import BadMessage
from litehedge.units import NS_PER_SECOND

LARGEST_FEED: Final = 2 * 2**20
"""An RSS feed that is longer is not read: feeds hold some ten kilobytes."""
MOST_ENTRIES: Final = 200
"""Of one answer; the newest."""
LONGEST_TEXT: Final = 2000

Second = Annotated[int, msgspec.Meta(ge=1_230_000_000, le=2**33)]
Number = Annotated[float, msgspec.Meta(ge=-1e12, le=1e12)]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Text:
    """A headline and what follows it; `at_ns` is when it was published."""

    at_ns: int
    title: str
    body: str = ""
    link: str = ""
    about_litecoin: bool = False
    """Whether the source itself says that it is about Litecoin."""
    votes: float = math.nan
    """What readers voted, -1 to 1; NaN where nobody did."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A number that a source computes; `at_ns` is from when it holds."""

    at_ns: int
    value: float


def _decoded(decoder: Callable[[bytes], T], payload: bytes, what: str) -> T:
    try:
        return decoder(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadMessage(f"not {what} ({error})", "it is skipped") from None


# --- Fear & Greed -----------------------------------------------------------------------------


class _FearGreedDay(msgspec.Struct):
    value: str
    timestamp: str


class _FearGreedMeta(msgspec.Struct):
    error: Any = None


class _FearGreed(msgspec.Struct):
    data: list[_FearGreedDay]
    metadata: _FearGreedMeta = msgspec.field(default_factory=_FearGreedMeta)


_FEAR_GREED = msgspec.json.Decoder(_FearGreed)


def fear_greed(payload: bytes) -> list[Reading]:
    """Read `/fng/`, oldest first: 0 is fear, 100 greed. The value of a day holds from 00:00 UTC."""
    got = _decoded(_FEAR_GREED.decode, payload, "a Fear & Greed index")
    if got.metadata.error is not None:
        raise BadMessage(f"the index says {str(got.metadata.error)[:80]!r}", "it is skipped")
    readings = []
    for day in got.data:
        if not (_is_number(day.value) and _is_number(day.timestamp)):
            raise BadMessage(f"a value of {day.value[:40]!r} at {day.timestamp[:40]!r}", "skipped")
        value, second = int(day.value), int(day.timestamp)
        if value > 100 or not 1_500_000_000 <= second <= 2**33:
            raise BadMessage(f"a value of {value} at second {second}", "it is skipped")
        readings.append(Reading((second - second % 86_400) * NS_PER_SECOND, float(value)))
    return sorted(readings, key=lambda reading: reading.at_ns)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 12


# --- RSS --------------------------------------------------------------------------------------


def rss(payload: bytes) -> list[Text]:
    """Read an RSS or Atom feed, newest first. Entries without a date are left out."""
    if len(payload) > LARGEST_FEED:
        raise BadMessage(f"a feed of {len(payload)} bytes", "it is not read")
    import feedparser

    try:
        # Bytes would be taken for the name of a file; a stream never is.
        got = feedparser.parse(io.BytesIO(payload))
        texts = [_entry(entry) for entry in got.entries]
    except Exception as error:  # the parser promises no type of error
        raise BadMessage(f"not a feed ({type(error).__name__}: {error})", "skipped") from None
    if not texts and (got.get("bozo") or not got.get("version")):
        raise BadMessage(f"not a feed ({got.get('bozo_exception', 'no entries')})", "skipped")
    return _newest([text for text in texts if text is not None])


def _entry(entry: Any) -> Text | None:
    """`dict.get` leaves out a mapping of old names that warns."""
    date = dict.get(entry, "published_parsed") or dict.get(entry, "updated_parsed")
    title = str(entry.get("title", ""))[:LONGEST_TEXT]
    if date is None or not title.strip():
        return None
    second = calendar.timegm(date)
    if not 1_230_000_000 <= second <= 2**33:
        return None
    body = str(entry.get("summary", ""))[:LONGEST_TEXT]
    return Text(second * NS_PER_SECOND, title, body, str(entry.get("link", ""))[:500])


def _newest(texts: list[Text]) -> list[Text]:
    return sorted(texts, key=lambda text: -text.at_ns)[:MOST_ENTRIES]


# --- GDELT ------------------------------------------------------------------------------------


class _Article(msgspec.Struct):
    title: str
    seendate: str
    url: str = ""
    language: str = "English"


class _Articles(msgspec.Struct):
    articles: list[_Article] = []


class _Tone(msgspec.Struct):
    date: str
    value: Annotated[float, msgspec.Meta(ge=-100, le=100)]


class _Series(msgspec.Struct):
    data: list[_Tone]
    series: str = ""


class _Timeline(msgspec.Struct):
    timeline: list[_Series] = []


_ARTICLES = msgspec.json.Decoder(_Articles)
_TIMELINE = msgspec.json.Decoder(_Timeline)


def gdelt_articles(payload: bytes) -> list[Text]:
    """Read `mode=artlist`, newest first; English alone, since the lexicon is."""
    got = _decoded(_ARTICLES.decode, payload, "a list of articles")
    return _newest(
        [
            Text(_gdelt_ns(a.seendate), a.title[:LONGEST_TEXT], "", a.url[:500])
            for a in got.articles
            if a.language == "English"
        ]
    )


def gdelt_tone(payload: bytes) -> list[Reading]:
    """Read `mode=timelinetone`, oldest first: the mean tone of articles, usually -10 to 10."""
    got = _decoded(_TIMELINE.decode, payload, "a timeline of tone")
    readings = [
        Reading(_gdelt_ns(tone.date), tone.value) for series in got.timeline for tone in series.data
    ]
    return sorted(readings, key=lambda reading: reading.at_ns)


def _gdelt_ns(text: str) -> int:
    try:
        at = datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        raise BadMessage(f"a date of {text[:40]!r}", "it is skipped") from None
    return _ns(at)


def _ns(at: datetime) -> int:
    if not 2009 <= at.year <= 2200:
        raise BadMessage(f"a date in {at.year}", "it is skipped")
    return calendar.timegm(at.astimezone(UTC).timetuple()) * NS_PER_SECOND


# --- LunarCrush -------------------------------------------------------------------------------


class _LunarHour(msgspec.Struct):
    time: Second
    sentiment: Annotated[float, msgspec.Meta(ge=0, le=100)] | None = None
    interactions: Number | None = None


class _Lunar(msgspec.Struct):
    data: list[_LunarHour]


_LUNAR = msgspec.json.Decoder(_Lunar)


def lunarcrush(payload: bytes) -> list[Reading]:
    """Read a topic's time series, oldest first: per cent of posts that are positive.

    A bucket is stamped with its beginning and grows until its end; each is taken as it is told.
    """
    got = _decoded(_LUNAR.decode, payload, "a time series of LunarCrush")
    readings = [
        Reading(hour.time * NS_PER_SECOND, hour.sentiment)
        for hour in got.data
        if hour.sentiment is not None
    ]
    return sorted(readings, key=lambda reading: reading.at_ns)


# --- CryptoPanic ------------------------------------------------------------------------------

Votes = Annotated[int, msgspec.Meta(ge=0, le=10**9)]


class _Votes(msgspec.Struct):
    positive: Votes = 0
    negative: Votes = 0


class _Instrument(msgspec.Struct):
    code: str = ""


class _Post(msgspec.Struct):
    title: str
    published_at: datetime
    description: str | None = None
    url: str | None = None
    votes: _Votes = msgspec.field(default_factory=_Votes)
    instruments: list[_Instrument] | None = None


class _Posts(msgspec.Struct):
    results: list[_Post]


_POSTS = msgspec.json.Decoder(_Posts)
_DOUBT: Final = 5
"""Votes that are taken to be there for neither side."""


def cryptopanic(payload: bytes) -> list[Text]:
    """Read posts, newest first."""
    got = _decoded(_POSTS.decode, payload, "posts of CryptoPanic")
    return _newest([_post(post) for post in got.results])


def _post(post: _Post) -> Text:
    at = post.published_at
    if at.tzinfo is None:
        at = at.replace(tzinfo=UTC)
    for_it, against = post.votes.positive, post.votes.negative
    votes = (for_it - against) / (for_it + against + _DOUBT) if for_it + against else math.nan
    try:
        at_ns = _ns(at)
    except (ValueError, OverflowError):
        raise BadMessage(f"a date of {at}", "it is skipped") from None
    return Text(
        at_ns,
        post.title[:LONGEST_TEXT],
        (post.description or "")[:LONGEST_TEXT],
        (post.url or "")[:500],
        any(instrument.code == "LTC" for instrument in post.instruments or []),
        votes,
    )

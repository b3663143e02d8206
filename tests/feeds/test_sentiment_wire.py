"""What sources of mood send: every format read, and nothing raised but BadMessage."""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onchain_made import dumps, fixture

from litehedge.errors import BadMessage
from litehedge.feeds import sentiment_wire as wire
from litehedge.units import NS_PER_DAY, NS_PER_SECOND

RSS = b"""<?xml version="1.0" encoding="UTF-8"?><rss version="2.0"><channel><title>News</title>
<item><title>Litecoin surges &amp; rallies</title><link>https://a.b/1</link>
<pubDate>Mon, 27 Apr 2026 10:00:00 +0200</pubDate><description>&lt;b&gt;Bulls&lt;/b&gt; are back
</description></item>
<item><title>Older</title><link>https://a.b/2</link><pubDate>Sun, 26 Apr 2026 10:00:00 GMT</pubDate>
</item><item><title>Never dated</title></item></channel></rss>"""
ATOM = b"""<feed xmlns="http://www.w3.org/2005/Atom"><title>N</title><entry><title>LTC falls</title>
<updated>2026-04-27T08:00:00Z</updated><link href="https://a.b/3"/></entry></feed>"""
ARTICLES = {
    "articles": [
        {
            "url": "https://a.b/1", "title": "Litecoin up", "seendate": "20260427T081500Z",
            "domain": "a.b", "language": "English", "sourcecountry": "US",
        },
        {"title": "Litecoin sube", "seendate": "20260427T081500Z", "language": "Spanish"},
    ]
}  # fmt: skip
TONE = {
    "timeline": [{"series": "Average Tone", "data": [{"date": "20260427T080000Z", "value": -1.25}]}]
}
POSTS = {
    "results": [
        {
            "id": 1, "title": "LTC to the moon", "published_at": "2026-04-27T08:00:00Z",
            "kind": "news", "votes": {"positive": 9, "negative": 1, "liked": 3},
            "instruments": [{"code": "LTC"}], "url": "https://c.p/1",
        },
        {"id": 2, "title": "Quiet", "published_at": "2026-04-27T07:00:00"},
    ]
}  # fmt: skip

READERS: list[tuple[Callable[[bytes], Any], bytes]] = [
    (wire.fear_greed, fixture("alternative_me_fng")),
    (wire.gdelt_articles, dumps(ARTICLES)),
    (wire.gdelt_tone, dumps(TONE)),
    (wire.lunarcrush, fixture("lunarcrush_topic_timeseries_v2")),
    (wire.cryptopanic, dumps(POSTS)),
    (wire.rss, RSS),
    (wire.rss, ATOM),
]
EIGHT_NS = 1_777_276_800 * NS_PER_SECOND  # 2026-04-27 08:00 UTC


# --- laws -------------------------------------------------------------------------------------


@pytest.mark.parametrize("k", range(len(READERS)))
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_mutated_message_raises_only_bad_message(k: int, data: st.DataObject) -> None:
    read, payload = READERS[k]
    assert read(payload)
    at = data.draw(st.integers(0, len(payload)))
    gone = data.draw(st.integers(0, 12))
    new = data.draw(
        st.binary(max_size=8)
        | st.sampled_from([b"null", b"-1", b"1e400", b"NaN", b"[" * 5000, b"9" * 400, b"<a>" * 300])
    )
    with contextlib.suppress(BadMessage):
        for thing in read(payload[:at] + new + payload[at + gone :]):
            assert thing.at_ns > 0
            assert math.isfinite(getattr(thing, "value", 0.0))


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_bytes_raise_only_bad_message(payload: bytes) -> None:
    for read, _ in READERS[:6]:
        with contextlib.suppress(BadMessage):
            read(payload)


# --- examples ---------------------------------------------------------------------------------


def test_fear_and_greed_holds_from_the_beginning_of_its_day() -> None:
    readings = wire.fear_greed(fixture("alternative_me_fng"))
    assert [r.value for r in readings] == [33.0, 47.0], "oldest first"
    assert all(r.at_ns % NS_PER_DAY == 0 for r in readings)


@pytest.mark.parametrize(
    ("old", "new"),
    [('"47"', '"101"'), ('"47"', '"-1"'), ('"47"', '"4\u00b2"'), ('"1777248000"', '"soon"')],
)
def test_an_index_that_cannot_be_is_refused(old: str, new: str) -> None:
    with pytest.raises(BadMessage):
        wire.fear_greed(fixture("alternative_me_fng").decode().replace(old, new).encode())


def test_an_index_that_says_it_failed_is_refused() -> None:
    with pytest.raises(BadMessage, match="overload"):
        wire.fear_greed(dumps({"data": [], "metadata": {"error": "overload"}}))


def test_rss_and_atom() -> None:
    texts = wire.rss(RSS)
    assert [t.title for t in texts] == ["Litecoin surges & rallies", "Older"], "dated, newest first"
    assert texts[0].at_ns == EIGHT_NS
    assert "Bulls" in texts[0].body
    (text,) = wire.rss(ATOM)
    assert (text.title, text.link, text.at_ns) == ("LTC falls", "https://a.b/3", EIGHT_NS)


def test_a_feed_never_opens_a_file_or_expands_entities() -> None:
    for payload in (b"/etc/passwd", b"file:///etc/passwd", b"http://127.0.0.1:9/"):
        with pytest.raises(BadMessage):
            wire.rss(payload)
    doctype = b'<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd"><!ENTITY y "boom">]>'
    doctype = RSS.replace(b"<rss", doctype + b"<rss", 1).replace(b"&amp;", b"&x;&y;")
    with contextlib.suppress(BadMessage):
        assert all("root:" not in text.title for text in wire.rss(doctype))


def test_a_feed_without_end_is_not_read() -> None:
    with pytest.raises(BadMessage, match="bytes"):
        wire.rss(RSS + b" " * wire.LARGEST_FEED)
    many = RSS.replace(b"<item>", b"<item><title>x</title></item><item>" * 400, 1)
    assert len(wire.rss(many)) <= wire.MOST_ENTRIES


def test_gdelt() -> None:
    (text,) = wire.gdelt_articles(dumps(ARTICLES))
    assert (text.title, text.at_ns) == ("Litecoin up", EIGHT_NS + 900 * NS_PER_SECOND)
    assert wire.gdelt_articles(b"{}") == [], "what it says when it found nothing"
    assert wire.gdelt_tone(dumps(TONE)) == [wire.Reading(EIGHT_NS, -1.25)]
    with pytest.raises(BadMessage):
        wire.gdelt_articles(b"Please limit requests to one every 5 seconds")


def test_lunarcrush() -> None:
    payload = fixture("lunarcrush_topic_timeseries_v2")
    assert wire.lunarcrush(payload) == [wire.Reading(1_759_968_000 * NS_PER_SECOND, 78.0)]
    gone = json.loads(payload)
    gone["data"][0]["sentiment"] = None
    assert wire.lunarcrush(dumps(gone)) == [], "what is not told is not made up"


def test_cryptopanic() -> None:
    moon, quiet = wire.cryptopanic(dumps(POSTS))
    assert moon.about_litecoin
    assert moon.votes == pytest.approx(8 / 15)
    assert moon.at_ns == EIGHT_NS
    assert math.isnan(quiet.votes)
    assert quiet.at_ns == EIGHT_NS - 3600 * NS_PER_SECOND, "without a zone it is UTC"

"""Servers of mood on loopback: asked politely, absent without harm, keys never shown."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from onchain_made import Kept, ended, fixture, until
from test_onchain_sources import serving
from test_sentiment_wire import ARTICLES, POSTS, RSS, TONE, dumps

from litehedge.feeds.polite import BUSY_S, LONGEST_WAIT_S, retry_after_s
from litehedge.feeds.sentiment import (
    MoodTold,
    Polled,
    cryptopanic,
    fear_greed,
    gdelt_news,
    gdelt_tone,
    lunarcrush,
    rss,
)
from litehedge.feeds.sentiment_mood import FEAR_GREED, Mood
from litehedge.feeds.sentiment_score import Scorer
from litehedge.feeds.sentiment_wire import Reading
from litehedge.net import Pause
from litehedge.units import NS_PER_HOUR, NS_PER_SECOND

SCORER = Scorer()
NOW_NS = 1_777_278_000 * NS_PER_SECOND  # 2026-04-27 08:20 UTC
KEY = "s3cret&key"


class Server:
    """Answers each path with what it is given; keeps what it was asked."""

    def __init__(self) -> None:
        self.bodies: dict[str, bytes] = {}
        self.status = 200
        self.headers: dict[str, str] = {}
        self.asked: list[web.Request] = []

    async def get(self, request: web.Request) -> web.Response:
        self.asked.append(request)
        etag = self.headers.get("ETag")
        if etag is not None and request.headers.get("If-None-Match") == etag:
            return web.Response(status=304, headers=self.headers)
        body = self.bodies.get(request.path, b"")
        return web.Response(status=self.status, headers=self.headers, body=body)


Made = Callable[[aiohttp.ClientSession, Mood, str], Any]


def with_server(
    made: Made, scene: Callable[[Server, Kept, Mood, Any], Any], mood: Mood | None = None
) -> Kept:
    out, server, mood = Kept(NOW_NS), Server(), mood or Mood(SCORER)

    async def main() -> None:
        app = web.Application()
        app.router.add_get("/{path:.*}", server.get)
        async with serving(app) as where, aiohttp.ClientSession() as session:
            source = made(session, mood, f"http://{where}")
            task = asyncio.create_task(source.run(out))
            await scene(server, out, mood, source)
            await ended(task)

    asyncio.run(main())
    return out


SOURCES: list[tuple[Made, str, bytes]] = [
    (lambda s, m, base: fear_greed(s, m, base=base), "/fng/", fixture("alternative_me_fng")),
    (lambda s, m, base: rss(s, m, f"{base}/feed/"), "/feed/", RSS),
    (lambda s, m, base: gdelt_news(s, m, base=base), "/api/v2/doc/doc", dumps(ARTICLES)),
    (
        lambda s, m, base: gdelt_tone(s, m, base=base, first_after_s=0.0),
        "/api/v2/doc/doc", dumps(TONE),
    ),
    (
        lambda s, m, base: lunarcrush(s, m, KEY, base=base),
        "/api4/public/topic/litecoin/time-series/v2",
        fixture("lunarcrush_topic_timeseries_v2").replace(b"1759968000", b"1777276800"),
    ),
    (
        lambda s, m, base: cryptopanic(s, m, KEY, base=base),
        "/api/developer/v2/posts/", dumps(POSTS),
    ),
]  # fmt: skip


@pytest.mark.parametrize(("made", "path", "body"), SOURCES)
def test_each_source_is_taken_into_the_mood(made: Made, path: str, body: bytes) -> None:
    async def scene(server: Server, out: Kept, mood: Mood, source: Polled) -> None:
        server.bodies[path] = body
        await until(lambda: out.state(source.name) == "ok")
        assert list(mood.parts(NOW_NS)) == [source.name]
        assert mood.score(NOW_NS) is not None

    with_server(made, scene)


@pytest.mark.parametrize(("made", "path", "body"), SOURCES)
@pytest.mark.parametrize("status", [200, 500, 404, 403, 429])
def test_a_failing_source_never_raises_and_makes_nothing_up(
    made: Made, path: str, body: bytes, status: int
) -> None:
    async def scene(server: Server, out: Kept, mood: Mood, source: Polled) -> None:
        server.status = status
        server.bodies[path] = b"<html>Please limit requests</html>" if status == 200 else body
        await until(lambda: out.state(source.name) == "down")
        assert (len(out.bads) == 1) == (status == 200)
        assert mood.score(NOW_NS) is None
        shown = out.words() + repr(source) + repr(out.bads)
        assert "s3cret" not in shown

    with_server(made, scene)


def test_absent_servers_are_down_and_keys_are_not_shown() -> None:
    async def main() -> None:
        out, mood = Kept(NOW_NS), Mood(SCORER)
        async with aiohttp.ClientSession() as session:
            sources = [made(session, mood, "http://127.0.0.1:9") for made, _, _ in SOURCES]
            tasks = [asyncio.create_task(source.run(out)) for source in sources]
            await until(lambda: all(out.state(source.name) == "down" for source in sources))
            for task in tasks:
                await ended(task)
        assert "s3cret" not in out.words()
        assert mood.score(NOW_NS) is None

    asyncio.run(main())


@pytest.mark.parametrize("made", [lunarcrush, cryptopanic])
def test_without_its_key_a_source_is_off(made: Any) -> None:
    async def scene(server: Server, out: Kept, mood: Mood, source: Polled) -> None:
        await until(lambda: out.state(source.name) == "off")
        assert "key" in out.words()
        assert server.asked == []

    with_server(lambda s, m, base: made(s, m, "", base=base), scene)


def test_keys_are_sent_where_they_belong_and_follow_no_redirect() -> None:
    async def scene(server: Server, out: Kept, mood: Mood, source: Polled) -> None:
        await until(lambda: out.state(source.name) == "down")
        assert len(server.asked) == 1, "the other place is not asked"

    def made(keyed: Any) -> Made:
        return lambda s, m, base: keyed(s, m, KEY, base=base)

    async def redirected(server: Server, out: Kept, mood: Mood, source: Polled) -> None:
        server.status, server.headers = 302, {"Location": "/elsewhere"}
        await scene(server, out, mood, source)
        asked = server.asked[0]
        in_query = asked.query.get("auth_token") == KEY
        assert in_query or asked.headers.get("Authorization") == f"Bearer {KEY}"

    for keyed in (lunarcrush, cryptopanic):
        with_server(made(keyed), redirected)


def test_only_what_is_newer_is_asked_for() -> None:
    async def scene(server: Server, out: Kept, mood: Mood, source: Polled) -> None:
        server.bodies["/feed"], server.headers = RSS, {"ETag": '"v1"'}
        await until(lambda: len(server.asked) >= 3)
        assert "If-None-Match" not in server.asked[0].headers
        assert server.asked[2].headers["If-None-Match"] == '"v1"'
        out.now += 3 * NS_PER_HOUR
        asked = len(server.asked)
        await until(lambda: len(server.asked) > asked + 1)
        assert mood.parts(out.now), "a feed that says that nothing is new is alive"

    with_server(lambda s, m, base: rss(s, m, f"{base}/feed", every_s=0.01), scene)


def test_retry_after_is_heeded() -> None:
    async def scene(server: Server, out: Kept, mood: Mood, source: Polled) -> None:
        server.status, server.headers = 503, {"Retry-After": "3600"}
        await until(lambda: out.state(source.name) == "down")
        await asyncio.sleep(0.1)
        assert len(server.asked) == 1

    quick = Pause(first_s=0.001, longest_s=0.001)

    def made(session: aiohttp.ClientSession, mood: Mood, base: str) -> Polled:
        return Polled("x", session, base, 0.001, lambda body, now_ns: None, pause=quick)

    assert "3600 s" in with_server(made, scene).words()


def test_retry_after_is_seconds_or_a_date() -> None:
    now = datetime(2026, 4, 27, 8, 0, tzinfo=UTC)
    now_ns = int(now.timestamp()) * NS_PER_SECOND
    in_a_minute = (now + timedelta(minutes=1)).strftime("%a, %d %b %Y %H:%M:%S GMT")
    assert retry_after_s("17", now_ns) == 17.0
    assert retry_after_s(in_a_minute, now_ns) == pytest.approx(60.0)
    assert retry_after_s(in_a_minute, now_ns + 10 * NS_PER_HOUR) == 0.0
    assert retry_after_s("9" * 30, now_ns) == LONGEST_WAIT_S
    for nonsense in ("", "soon", "-5", "\u00b2", "Mon, 99 Foo 0000 99:99:99 GMT"):
        assert retry_after_s(nonsense, now_ns) == 0.0
    assert BUSY_S > 0.0


# --- the score --------------------------------------------------------------------------------


def test_nothing_is_told_until_a_source_says_something_then_hourly() -> None:
    out, mood = Kept(NOW_NS), Mood(SCORER)

    async def main() -> None:
        told = MoodTold(mood, every_s=0.01, look_s=0.005)
        task = asyncio.create_task(told.run(out))
        await until(lambda: out.state("sentiment") == "starting")
        await asyncio.sleep(0.05)
        assert out.events == []
        mood.take_readings("fng", FEAR_GREED, [Reading(NOW_NS, 80.0)], NOW_NS)
        await until(lambda: len(out.events) >= 2)
        assert out.state("sentiment") == "ok"
        out.now += 48 * NS_PER_HOUR
        await until(lambda: out.state("sentiment") == "stale")
        n = len(out.events)
        await asyncio.sleep(0.05)
        assert len(out.events) == n
        await ended(task)

    asyncio.run(main())
    assert out.events[0].score > 0.0
    assert out.events[0].known_ns == NOW_NS


def test_the_hour_is_full_when_it_is_told() -> None:
    wait_s = MoodTold(Mood(SCORER))._wait_s(NOW_NS)
    assert wait_s == pytest.approx(2400.0), "it is 08:20"

"""Mood over the network: servers that are asked now and then, and the score, told every hour.

Every source is optional. One without its key is `off`; one that fails, or sends what cannot be
read, says so in its health and is asked more and more seldom. Nothing is told while no source has
anything to say, so that the feature is missing rather than made up. Keys come as arguments and
go into no message.

All sources share one `Mood`; `MoodTold` tells its score, on the hour, as the models were taught.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterable
from typing import Final
from urllib.parse import quote, urlsplit

import aiohttp

from litehedge.errors import BadMessage, VenueError, WrongSetup
from litehedge.feeds import sentiment_wire as wire
from litehedge.feeds.polite import Busy, Seen, checked
from litehedge.feeds.sentiment_mood import (
    FEAR_GREED,
    GDELT_TONE,
    LUNARCRUSH,
    Mood,
    NumberKind,
)
from litehedge.market.events import Sentiment
from litehedge.net import Pause, ask
from litehedge.ports import Health, Outlet
from litehedge.units import NS_PER_SECOND

HOUR_S: Final = 3600.0
REFUSED_S: Final = 3600.0
"""A server that refuses a key is asked again after so long: somebody may have paid."""

FEAR_GREED_URL: Final = "https://api.alternative.me"
GDELT_URL: Final = "https://api.gdeltproject.org"
LUNARCRUSH_URL: Final = "https://lunarcrush.com"
CRYPTOPANIC_URL: Final = "https://cryptopanic.com"

Take = Callable[[bytes, int], object]
"""Takes an answer and the time into the mood; raises `BadMessage` for what cannot be read."""


class Polled:
    """A server that is asked every `every_s` seconds; what it answers is taken into the mood.

    It asks only for what is newer (ETag, Last-Modified) and heeds Retry-After. With `missing` it
    is off, and says what is missing.
    """

    def __init__(
        self,
        name: str,
        session: aiohttp.ClientSession,
        url: str,
        every_s: float,
        take: Take,
        *,
        bearer: str = "",
        has_key: bool = False,
        missing: str = "",
        first_after_s: float = 0.0,
        unchanged: Callable[[int], object] = lambda now_ns: None,
        pause: Pause | None = None,
    ) -> None:
        self._name = name
        self._session = session
        self._url = url
        self._every_s = every_s
        self._take = take
        self._bearer = bearer
        self._has_key = has_key or bool(bearer)
        self._missing = missing
        self._first_after_s = first_after_s
        self._unchanged = unchanged
        self._pause = pause or Pause(first_s=5.0, longest_s=max(5.0, every_s))
        self._seen = Seen()

    @property
    def name(self) -> str:
        """The source's name."""
        return self._name

    def __repr__(self) -> str:
        return f"Polled({self._name})"

    async def run(self, out: Outlet) -> None:
        """Ask until cancelled."""
        if self._missing:
            out.health(self._name, "off", self._missing)
            await asyncio.Event().wait()
        out.health(self._name, "starting")
        await asyncio.sleep(self._first_after_s)
        said: tuple[Health, str] | None = None
        pause = Pause(self._pause.first_s, self._pause.longest_s)
        while True:
            state, words, wait_s = await self._once(out)
            if state == "ok":
                pause = Pause(self._pause.first_s, self._pause.longest_s)
            else:
                wait_s = max(wait_s, pause.after(0.0))
            if said != (state, words):
                said = state, words
                out.health(self._name, state, words)
            await asyncio.sleep(wait_s)

    async def _once(self, out: Outlet) -> tuple[Health, str, float]:
        """Ask once; return health, its words, and the least time to wait."""
        headers = {**self._seen.headers(), "User-Agent": "litehedge"}
        if self._bearer:
            headers["Authorization"] = f"Bearer {self._bearer}"
        try:
            answer = await ask(
                self._session, "GET", self._url, headers=headers,
                allow_redirects=not self._has_key,  # a key goes to nobody else
            )  # fmt: skip
            body = checked(answer, out.now_ns())
        except Busy as error:
            return "down", str(error), error.wait_s
        except WrongSetup as error:
            return "down", str(error), REFUSED_S
        except VenueError as error:
            return "down", str(error), 0.0
        if body is None:
            self._unchanged(out.now_ns())
            return "ok", "", self._every_s
        try:
            self._take(body, out.now_ns())
        except BadMessage as error:
            out.bad(self._name, error, body[:4096])
            return "down", str(error), 0.0
        self._seen.note(answer)
        return "ok", "", self._every_s


def _texts(mood: Mood, name: str, read: Callable[[bytes], Iterable[wire.Text]]) -> Take:
    return lambda body, now_ns: mood.take_texts(name, read(body), now_ns)


def _numbers(
    mood: Mood, name: str, kind: NumberKind, read: Callable[[bytes], Iterable[wire.Reading]]
) -> Take:
    return lambda body, now_ns: mood.take_readings(name, kind, read(body), now_ns)


def fear_greed(
    session: aiohttp.ClientSession, mood: Mood, *, base: str = FEAR_GREED_URL, every_s: float = 1800
) -> Polled:
    """Return the Fear & Greed index of alternative.me: daily, of Bitcoin, free."""
    name = "sentiment.fear_greed"
    take = _numbers(mood, name, FEAR_GREED, wire.fear_greed)
    return Polled(name, session, f"{base}/fng/?limit=60", every_s, take)


def rss(session: aiohttp.ClientSession, mood: Mood, url: str, *, every_s: float = 300.0) -> Polled:
    """Return an RSS or Atom feed; its name is its host and path."""
    parts = urlsplit(url)
    name = f"sentiment.rss.{parts.hostname}{parts.path.rstrip('/')}"
    return Polled(
        name, session, url, every_s, _texts(mood, name, wire.rss),
        unchanged=lambda now_ns: mood.take_texts(name, (), now_ns),
    )  # fmt: skip


def gdelt_news(
    session: aiohttp.ClientSession, mood: Mood, *, base: str = GDELT_URL, every_s: float = 900.0
) -> Polled:
    """Return headlines about Litecoin that GDELT saw: free, on a grid of 15 minutes."""
    name = "sentiment.gdelt_news"
    url = (
        f"{base}/api/v2/doc/doc?query=litecoin%20sourcelang%3Aenglish&mode=artlist&format=json"
        "&timespan=1d&maxrecords=75&sort=datedesc"
    )
    return Polled(name, session, url, every_s, _texts(mood, name, wire.gdelt_articles))


def gdelt_tone(
    session: aiohttp.ClientSession,
    mood: Mood,
    *,
    base: str = GDELT_URL,
    every_s: float = 900.0,
    first_after_s: float = 20.0,
) -> Polled:
    """Return the tone of articles about Litecoin; it begins later, since GDELT counts requests."""
    name = "sentiment.gdelt_tone"
    url = f"{base}/api/v2/doc/doc?query=litecoin&mode=timelinetone&format=json&timespan=1w"
    take = _numbers(mood, name, GDELT_TONE, wire.gdelt_tone)
    return Polled(name, session, url, every_s, take, first_after_s=first_after_s)


def lunarcrush(
    session: aiohttp.ClientSession,
    mood: Mood,
    key: str,
    *,
    base: str = LUNARCRUSH_URL,
    every_s: float = 1800.0,
) -> Polled:
    """Return LunarCrush's share of posts about Litecoin that are positive; needs a paid key."""
    name = "sentiment.lunarcrush"
    url = f"{base}/api4/public/topic/litecoin/time-series/v2?bucket=hour&interval=1w"
    take = _numbers(mood, name, LUNARCRUSH, wire.lunarcrush)
    missing = "" if key else "no LunarCrush key"
    return Polled(name, session, url, every_s, take, bearer=key, missing=missing)


def cryptopanic(
    session: aiohttp.ClientSession,
    mood: Mood,
    key: str,
    *,
    base: str = CRYPTOPANIC_URL,
    every_s: float = 600.0,
) -> Polled:
    """Return CryptoPanic's posts about Litecoin with their votes; needs a key."""
    name = "sentiment.cryptopanic"
    url = f"{base}/api/developer/v2/posts/?auth_token={quote(key, safe='')}&currencies=LTC"
    take = _texts(mood, name, wire.cryptopanic)
    missing = "" if key else "no CryptoPanic key"
    return Polled(name, session, url, every_s, take, has_key=True, missing=missing)


class MoodTold:
    """Tells the score of a mood: once there is one, and then whenever the hour is full."""

    name = "sentiment"

    def __init__(self, mood: Mood, *, every_s: float = HOUR_S, look_s: float = 10.0) -> None:
        self._mood = mood
        self._every_s = every_s
        self._look_s = look_s

    async def run(self, out: Outlet) -> None:
        """Put a score each hour until cancelled; nothing while no source says anything."""
        out.health(self.name, "starting")
        said: tuple[Health, str] | None = None
        told = False
        while True:
            now_ns = out.now_ns()
            score = self._mood.score(now_ns)
            state: Health = "ok"
            if score is None:
                state, words = ("stale" if told else "starting"), "no source says anything"
            else:
                words = f"{len(self._mood.parts(now_ns))} sources"
                out.put(Sentiment(now_ns, now_ns, score))
                told = True
            if said != (state, words):
                said = state, words
                out.health(self.name, state, words)
            await asyncio.sleep(self._wait_s(now_ns) if told else self._look_s)

    def _wait_s(self, now_ns: int) -> float:
        """Return the time until the next full hour."""
        now_s = now_ns / NS_PER_SECOND
        return max(0.01, (math.floor(now_s / self._every_s) + 1) * self._every_s - now_s)

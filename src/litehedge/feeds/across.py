"""Funding and open interest across venues: polled, each venue optional, each with its health.

The rates of Bybit and OKX become `PredictedFunding`. Open interest is *linked*: the sum of the
venues that answer, carried on by the changes of those that were seen before and now. A venue that
falls silent, comes back or joins changes which venues are in, never the level: a fall of the level
means that positions were closed somewhere.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

import aiohttp

from litehedge.errors import BadMessage, VenueDown
from litehedge.feeds.across_wire import HOSTS, QUESTIONS, AcrossVenue, Question, Reading
from litehedge.market.events import FUNDING_VENUES, OpenInterest, PredictedFunding
from litehedge.net import Pause, ask
from litehedge.ports import Outlet
from litehedge.units import NS_PER_SECOND

EVERY_S: Final = 15.0
LONGEST_BACK_OFF_S: Final = 300.0
SILENT_NS: Final = 120 * NS_PER_SECOND


@dataclass(slots=True)
class Linked:
    """Open interest of several venues as one level that only changes of positions move.

    Until every venue has answered or failed once there is no level. It then is the sum of those
    that answered. From there each new value moves it by the ratio of the sums with and without the
    change, over the venues that are in. A venue out for longer than `silent_ns` joins anew: what it
    did meanwhile is not counted as done now.
    """

    venues: tuple[str, ...]
    silent_ns: int = SILENT_NS
    level_ltc: float | None = field(default=None, init=False)
    _last: dict[str, tuple[float, int]] = field(default_factory=dict, init=False)
    _asked: set[str] = field(default_factory=set, init=False)

    def tell(self, venue: str, oi_ltc: float, now_ns: int) -> float | None:
        """Take a new value; return the level, None while it has not begun."""
        before = self._sum(now_ns)
        known = self._last.get(venue)
        was_in = known is not None and now_ns - known[1] <= self.silent_ns
        self._last[venue] = (oi_ltc, now_ns)
        if self.level_ltc is None:
            self._asked.add(venue)
            self._begin(now_ns)
        elif was_in and known is not None:
            self.level_ltc *= (before - known[0] + oi_ltc) / before
        return self.level_ltc

    def missed(self, venue: str, now_ns: int) -> float | None:
        """Take note that a venue did not answer; return the level."""
        if self.level_ltc is None:
            self._asked.add(venue)
            self._begin(now_ns)
        return self.level_ltc

    def inside(self, now_ns: int) -> tuple[str, ...]:
        """Return the venues that are in."""
        return tuple(
            venue
            for venue in self.venues
            if venue in self._last and now_ns - self._last[venue][1] <= self.silent_ns
        )

    def age_ns(self, venue: str, now_ns: int) -> int | None:
        """Return how long ago a venue answered, None where it never did."""
        return now_ns - self._last[venue][1] if venue in self._last else None

    def _sum(self, now_ns: int) -> float:
        return sum(self._last[venue][0] for venue in self.inside(now_ns))

    def _begin(self, now_ns: int) -> None:
        if self._asked.issuperset(self.venues) and self.inside(now_ns):
            self.level_ltc = self._sum(now_ns)


class Across:
    """Source of other venues' funding and open interest.

    Parameters
    ----------
    venues
        Whom to ask; any may fail without harm to the others.
    hosts
        Where each venue is, for tests and mirrors.
    own
        The venue whose own feed tells its funding: it is not told again as another's.
    puts_open_interest
        Whether the linked level is put as `OpenInterest`. Only where nothing else puts it: the
        level of one venue and that of six must not be told in turn.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        venues: Iterable[AcrossVenue] = tuple(HOSTS),
        *,
        hosts: Mapping[AcrossVenue, str] = HOSTS,
        every_s: float = EVERY_S,
        own: str = "",
        puts_open_interest: bool = False,
    ) -> None:
        self._session, self._hosts, self._every_s = session, hosts, every_s
        self._venues: tuple[AcrossVenue, ...] = tuple(venues)
        self._puts_open_interest, self._own = puts_open_interest, own
        silent_ns = max(SILENT_NS, int(4 * every_s * NS_PER_SECOND))
        self.open_interest = Linked(self._venues, silent_ns)
        self.rates_8h: dict[str, float] = {}

    @property
    def name(self) -> str:
        """Name of the source; the health of a venue is told as `across.VENUE`."""
        return "across"

    async def run(self, out: Outlet) -> None:
        """Put events until cancelled."""
        async with asyncio.TaskGroup() as polls:
            for venue in self._venues:
                polls.create_task(self._poll(venue, out))

    async def _poll(self, venue: AcrossVenue, out: Outlet) -> None:
        source = f"across.{venue}"
        pause = Pause(first_s=self._every_s, longest_s=LONGEST_BACK_OFF_S)
        out.health(source, "starting")
        while True:
            failed = ""
            for question in QUESTIONS[venue]:
                try:
                    self._take(venue, await self._ask(venue, question, out), out)
                except VenueDown as error:
                    failed = str(error)
            if not failed:
                out.health(source, "ok")
                pause = Pause(first_s=self._every_s, longest_s=LONGEST_BACK_OFF_S)
                await asyncio.sleep(self._every_s)
                continue
            self.open_interest.missed(venue, out.now_ns())
            age_ns = self.open_interest.age_ns(venue, out.now_ns())
            is_young = age_ns is not None and age_ns <= self.open_interest.silent_ns
            out.health(source, "stale" if is_young else "down", failed)
            await asyncio.sleep(pause.after(0.0))

    async def _ask(self, venue: AcrossVenue, question: Question, out: Outlet) -> Reading:
        """Return the answer.

        Raises
        ------
        VenueDown
            When there is none, or none that can be read: then it is counted, too.
        """
        headers = {"Content-Type": "application/json"} if question.body else None
        answer = await ask(
            self._session,
            question.method,
            self._hosts[venue] + question.path,
            headers=headers,
            body=question.body,
        )
        if answer.status != 200:
            raise VenueDown(f"{venue} answered with status {answer.status}", "it is asked again")
        try:
            return question.read(answer.body)
        except BadMessage as error:
            out.bad(f"across.{venue}", error, answer.body)
            raise VenueDown(error.what, "it is asked again") from None

    def _take(self, venue: AcrossVenue, reading: Reading, out: Outlet) -> None:
        now_ns = out.now_ns()
        event_ns = min(reading.event_ns or now_ns, now_ns)
        if reading.rate_8h is not None:
            self.rates_8h[venue] = reading.rate_8h
            for told in FUNDING_VENUES:
                if told == venue != self._own:
                    out.put(PredictedFunding(event_ns, now_ns, told, reading.rate_8h))
        if reading.oi_ltc is not None:
            level = self.open_interest.tell(venue, reading.oi_ltc, now_ns)
            if level is not None and self._puts_open_interest:
                out.put(OpenInterest(now_ns, now_ns, level))

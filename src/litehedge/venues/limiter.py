"""How often a venue may be asked: its limits as rules, and who may ask next.

Every rule is held over *each* window of its length, not on average: no stretch of that length ever
holds more than the limit. Requests wait in two lanes. A share of every limit is kept free for the
emergency lane, which orders, cancels and stops use, and nothing else: they pass everything that
waits, and wait themselves only when the venue would refuse. Within a lane the first to come is
served first; only a request that needs none of the limits for which an earlier one waits may pass
it.

`Limiter` decides and knows no clock: times are seconds that come in, from whatever beginning.
`Waiter` is the thin part that sleeps. What each venue allows is in `limits.py`.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

SHARE: Final = 0.2
"""What of every limit is kept for the emergency lane."""
ALL: Final = "*"
"""In `Limiter.pause`: every rule."""


@dataclass(frozen=True, slots=True)
class Rule:
    """At most `limit` (requests, or weight) in any `window_s` seconds.

    `slack_s` makes the window longer, since requests that leave far enough apart may arrive closer
    together.
    """

    name: str
    limit: float
    window_s: float
    slack_s: float = 0.1


@dataclass(slots=True)
class _Log:
    """What was spent under one rule, newest last."""

    rule: Rule
    limit: float
    spent: deque[tuple[float, float]] = field(default_factory=deque)  # (time, weight)
    total: float = 0.0
    paused_until_s: float = float("-inf")

    def forget(self, now_s: float) -> None:
        while self.spent and self.free_again_s(self.spent[0][0]) <= now_s:
            self.total -= self.spent.popleft()[1]
        if not self.spent:
            self.total = 0.0  # no rounding is carried on

    def free_again_s(self, sent_s: float) -> float:
        # The one place that adds these up: two ways to round would never meet.
        return sent_s + self.rule.window_s + self.rule.slack_s

    def add(self, now_s: float, weight: float) -> None:
        self.spent.append((now_s, weight))
        self.total += weight

    def cap(self, emergency: bool, share: float) -> float:
        """Return what a lane may fill; the usual one always fits one plain request."""
        return self.limit if emergency else max(self.limit * (1.0 - share), min(self.limit, 1.0))

    def room(self, emergency: bool, share: float) -> float:
        return self.cap(emergency, share) - self.total

    def free_at_s(self, now_s: float, weight: float, emergency: bool, share: float) -> float:
        """Return when so much is free, were nothing else sent until then."""
        at_s = max(now_s, self.paused_until_s)
        missing = weight - self.room(emergency, share)
        for when_s, spent in self.spent:
            if missing <= _EPSILON:
                break
            missing -= spent
            at_s = max(at_s, self.free_again_s(when_s))
        return at_s


_EPSILON: Final = 1e-9


@dataclass(frozen=True, slots=True)
class Ticket:
    """A request that waits for its turn; `costs` is what it spends, by the name of the rule."""

    number: int
    costs: Mapping[str, float]
    emergency: bool


class Limiter:
    """Who may ask a venue, and when.

    Parameters
    ----------
    rules
        The venue's limits. A cost under a name that is no rule costs nothing.
    share
        What of every limit is kept for the emergency lane, from 0 to below 1.
    """

    def __init__(self, rules: tuple[Rule, ...], share: float = SHARE) -> None:
        if not 0.0 <= share < 1.0:
            raise ValueError(f"the emergency share is {share}, it must lie in [0, 1)")
        self._share = share
        self._logs = {rule.name: _Log(rule, limit=rule.limit) for rule in rules}
        self._lanes: tuple[deque[Ticket], deque[Ticket]] = (deque(), deque())  # usual, emergency
        self._number = 0

    def ask(self, costs: Mapping[str, float], emergency: bool = False) -> Ticket:
        """Queue a request; `granted` tells when it may go.

        Raises
        ------
        ValueError
            When it costs more than the lane may ever spend at once: it would wait for ever.
        """
        known = {name: cost for name, cost in costs.items() if name in self._logs and cost > 0.0}
        for name, cost in known.items():
            limit = self._logs[name].cap(emergency, self._share)
            if not cost <= limit + _EPSILON:
                raise ValueError(f"a request costs {cost:g} of {name}, of which {limit:g} exist")
        self._number += 1
        ticket = Ticket(self._number, known, emergency)
        self._lanes[emergency].append(ticket)
        return ticket

    def drop(self, ticket: Ticket) -> None:
        """Take a request back that still waits."""
        lane = self._lanes[ticket.emergency]
        if ticket in lane:
            lane.remove(ticket)

    def granted(self, now_s: float) -> list[Ticket]:
        """Return the requests that may go now, in this order; they count as sent."""
        for log in self._logs.values():
            log.forget(now_s)
        return [*self._serve(now_s, emergency=True), *self._serve(now_s, emergency=False)]

    def _serve(self, now_s: float, emergency: bool) -> list[Ticket]:
        lane = self._lanes[emergency]
        taken: set[str] = set()  # what an earlier one of this lane waits for
        served, waiting = [], deque[Ticket]()
        while lane:
            ticket = lane.popleft()
            logs = [self._logs[name] for name in ticket.costs]
            fits = taken.isdisjoint(ticket.costs) and all(
                now_s >= log.paused_until_s
                and ticket.costs[log.rule.name] <= log.room(emergency, self._share) + _EPSILON
                for log in logs
            )
            if fits:
                for log in logs:
                    log.add(now_s, ticket.costs[log.rule.name])
                served.append(ticket)
            else:
                taken.update(ticket.costs)
                waiting.append(ticket)
        lane.extend(waiting)
        return served

    def next_s(self, now_s: float) -> float | None:
        """Return when it is worth calling `granted` again, None when nobody waits."""
        times = []
        for lane in self._lanes:
            taken: set[str] = set()
            for ticket in lane:
                if taken.isdisjoint(ticket.costs):  # else it goes no sooner than an earlier one
                    free_s = (
                        self._logs[name].free_at_s(now_s, cost, ticket.emergency, self._share)
                        for name, cost in ticket.costs.items()
                    )
                    times.append(max(free_s, default=now_s))
                taken.update(ticket.costs)
        return min(times) if times else None

    def told(self, name: str, used: float, now_s: float, limit: float | None = None) -> None:
        """Take in what the venue says was used under a rule in its current window.

        Others behind the same address count too: what we did not send ourselves is counted as sent
        now. A venue that says less than we count changes nothing. `limit` is what the venue says
        the account may spend; what already waits must fit, or it would wait for ever.
        """
        log = self._logs.get(name)
        if log is None:
            return
        log.forget(now_s)
        if limit is not None and limit >= 1.0:
            waiting = (
                ticket.costs.get(name, 0.0) / (1.0 if ticket.emergency else 1.0 - self._share)
                for lane in self._lanes
                for ticket in lane
            )
            log.limit = max(limit, *waiting, 1.0)
        if used > log.total:
            log.add(now_s, used - log.total)

    def pause(self, for_s: float, now_s: float, name: str = ALL) -> None:
        """Let nobody through for so long: the venue said so. A pause is never made shorter."""
        for rule, log in self._logs.items():
            if name in (ALL, rule):
                log.paused_until_s = max(log.paused_until_s, now_s + for_s)

    def used(self, name: str, now_s: float) -> float:
        """Return what counts as spent under a rule in the window that ends now."""
        log = self._logs[name]
        log.forget(now_s)
        return log.total


class Waiter:
    """Waits for a `Limiter`: one per venue and account, shared by all that ask it.

    Parameters
    ----------
    limiter
        What decides.
    kinds
        What each kind of request costs (`limits.LIMITS[venue].kinds`); a kind that is not listed
        costs one of the first rule.
    clock
        Seconds; the loop's own clock when left out.
    """

    def __init__(
        self,
        limiter: Limiter,
        kinds: Mapping[str, Mapping[str, float]] | None = None,
        general: str = "",
        clock: Callable[[], float] | None = None,
    ) -> None:
        self.limiter = limiter
        self._kinds = kinds or {}
        self._general = general
        self._clock = clock
        self._waiting: dict[int, asyncio.Future[None]] = {}
        self._timer: asyncio.TimerHandle | None = None

    def now_s(self) -> float:
        """Return the time that the limiter goes by."""
        return self._clock() if self._clock else asyncio.get_running_loop().time()

    def costs(self, cost: float | str | Mapping[str, float]) -> Mapping[str, float]:
        """Return what a request spends: a kind by its name, or so much of the general rule."""
        if isinstance(cost, str):
            return self._kinds.get(cost, {self._general: 1.0})
        return {self._general: cost} if isinstance(cost, (int, float)) else cost

    def at_once(self, cost: float | str | Mapping[str, float], emergency: bool = False) -> bool:
        """Spend at once where nobody waits and there is room; else spend nothing, and say no."""
        if self._waiting:
            return False
        ticket = self.limiter.ask(self.costs(cost), emergency)
        if self.limiter.granted(self.now_s()):
            return True
        self.limiter.drop(ticket)
        return False

    async def wait(self, cost: float | str | Mapping[str, float], emergency: bool = False) -> None:
        """Return when the request may be sent. `emergency`: an order, a cancel, a stop."""
        ticket = self.limiter.ask(self.costs(cost), emergency)
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[ticket.number] = future
        self._pump()
        try:
            await future
        except asyncio.CancelledError:
            self._waiting.pop(ticket.number, None)
            self.limiter.drop(ticket)
            self._pump()
            raise

    def told(self, name: str, used: float, limit: float | None = None) -> None:
        """Take in what the venue says was used."""
        self.limiter.told(name, used, self.now_s(), limit)

    def pause(self, for_s: float, name: str = ALL) -> None:
        """Let nobody through for so long."""
        self.limiter.pause(for_s, self.now_s(), name)

    def _pump(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        now_s = self.now_s()
        for ticket in self.limiter.granted(now_s):
            future = self._waiting.pop(ticket.number, None)
            if future is not None and not future.done():
                future.set_result(None)
        next_s = self.limiter.next_s(now_s)
        if next_s is not None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(max(0.001, next_s - now_s), self._pump)

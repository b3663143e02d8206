"""Protective stops at a simulated venue, and the desk that keeps them there.

A stop closes up to its quantity of a leg once the mark passes its trigger. It lives in the venue's
engine: it fires while our side is silent, and while the venue answers nobody. What is asked for
arrives late, like an order; what was refused or not answered is asked for again, later and later.
The stop of before stands until the new one has arrived.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import inf
from typing import Final

from litehedge.effects import KeepStop
from litehedge.margin.account import HEDGE, POSITION, Books
from litehedge.market import events as ev
from litehedge.sim.market.gateway import Reply
from litehedge.units import NS_PER_SECOND

ASK_NS: Final = 5 * NS_PER_SECOND
"""After this time a request without an answer is asked about, and one that was refused sent anew;
the time doubles with every try."""
LONGEST_NS: Final = 60 * NS_PER_SECOND

AT_ONCE: Final = "the mark is past its trigger: it would fire at once"
UNANSWERED: Final = "the venue did not answer, and does not have it"
LIQUIDATED: Final = "the venue took it away when it liquidated"


@dataclass(frozen=True, slots=True)
class Armed:
    """A stop in the venue's engine; one that `falls` fires at or below its trigger."""

    number: int  # of the request that it came from: a later one is newer
    qty_ltc: float  # unsigned
    trigger_usdt: float
    falls: bool

    def is_hit(self, low: float, high: float) -> bool:
        """Tell whether marks in this range fire it."""
        return low <= self.trigger_usdt if self.falls else high >= self.trigger_usdt

    def price_from(self, at: float) -> float:
        """Return the mark at which it fires when the mark is at `at` now."""
        return min(self.trigger_usdt, at) if self.falls else max(self.trigger_usdt, at)


@dataclass(slots=True)
class _Wanted:
    """What one leg should have, and when it is seen to next (-1: nothing is to be done)."""

    stop: KeepStop
    number: int
    look_ns: int
    wait_ns: int = ASK_NS
    is_taken: bool = False  # as the venue knows it
    is_told: bool = True  # whether the venue said what it did


class Stops:
    """The stops of one simulated account.

    Parameters
    ----------
    ask
        Returns what becomes of request number so and so.
    """

    def __init__(self, ask: Callable[[int], Reply]) -> None:
        self._ask = ask
        self._asked = 0
        self._wanted: dict[int, _Wanted] = {}
        self._coming: list[tuple[int, int, KeepStop]] = []  # arrival time, number, stop
        self.armed: dict[int, Armed] = {}

    # --- the desk -----------------------------------------------------------------------------

    def keep(self, stop: KeepStop, now_ns: int) -> list[ev.AccountEvent]:
        """Ask for a stop, from now on and until another is wanted for its leg."""
        self._wanted[stop.leg] = _Wanted(stop, 0, -1)
        return self._send(self._wanted[stop.leg], now_ns)

    def _send(self, wanted: _Wanted, now_ns: int) -> list[ev.AccountEvent]:
        self._asked += 1
        reply = self._ask(self._asked)
        wanted.number = self._asked
        wanted.is_taken, wanted.is_told = reply.is_taken, reply.is_told
        if reply.is_taken:
            self._coming.append((now_ns + reply.latency_ns, wanted.number, wanted.stop))
        wanted.look_ns = -1
        if reply.is_told and reply.is_taken:
            return []
        self._later(wanted, now_ns)
        if not reply.is_told:
            return []
        return [ev.StopFailed(now_ns, now_ns, wanted.stop.leg, reply.why)]

    def _later(self, wanted: _Wanted, now_ns: int) -> None:
        wanted.look_ns = now_ns + wanted.wait_ns
        wanted.wait_ns = min(2 * wanted.wait_ns, LONGEST_NS)

    @property
    def is_busy(self) -> bool:
        """Whether a request is on its way, or is seen to once more some time."""
        return bool(self._coming) or any(one.look_ns >= 0 for one in self._wanted.values())

    def is_quiet_at(self, mark: float) -> bool:
        """Tell whether nothing is busy, and no stop fires at this mark. Asked at every quote."""
        if self._coming:
            return False
        for one in self._wanted.values():
            if one.look_ns >= 0:
                return False
        for armed in self.armed.values():
            if mark <= armed.trigger_usdt if armed.falls else mark >= armed.trigger_usdt:
                return False
        return True

    def look(self, now_ns: int) -> list[ev.AccountEvent]:
        """See to what was refused or not answered."""
        said: list[ev.AccountEvent] = []
        for leg, wanted in self._wanted.items():
            if 0 <= wanted.look_ns <= now_ns:
                wanted.look_ns = -1
                if wanted.is_taken:  # it only was not told
                    continue
                if not wanted.is_told:
                    said.append(ev.StopFailed(now_ns, now_ns, leg, UNANSWERED))
                said += self._send(wanted, now_ns)
        return said

    # --- the venue ----------------------------------------------------------------------------

    def arrive(self, books: Books, mark: float, until_ns: int) -> list[ev.AccountEvent]:
        """Let what is due reach the venue's engine."""
        due = [one for one in self._coming if one[0] <= until_ns]
        if not due:
            return []
        self._coming = [one for one in self._coming if one[0] > until_ns]
        said: list[ev.AccountEvent] = []
        for arrives_ns, number, stop in sorted(due, key=lambda one: one[:2]):
            said += self._arrived(books, mark, arrives_ns, number, stop)
        return said

    def _arrived(
        self, books: Books, mark: float, now_ns: int, number: int, stop: KeepStop
    ) -> list[ev.AccountEvent]:
        leg, before = stop.leg, self.armed.get(stop.leg)
        if before is not None and before.number > number:
            return []  # a newer one overtook it
        held = float(books["qty"][0, leg])
        if stop.qty_ltc == 0 or held == 0.0:
            self.armed.pop(leg, None)
            return [ev.StopArmed(now_ns, now_ns, leg, 0.0, 0.0)]
        one = Armed(number, float(stop.qty_ltc), float(stop.trigger_usdt), held > 0.0)
        if one.is_hit(mark, mark):
            wanted = self._wanted.get(leg)
            if wanted is not None and wanted.number == number:
                wanted.is_taken, wanted.is_told = False, True
                self._later(wanted, now_ns)
            return [ev.StopFailed(now_ns, now_ns, leg, AT_ONCE)]
        self.armed[leg] = one
        return [ev.StopArmed(now_ns, now_ns, leg, one.qty_ltc, one.trigger_usdt)]

    def is_hit(self, low: float, high: float) -> bool:
        """Tell whether marks in this range fire any stop."""
        for one in self.armed.values():
            if low <= one.trigger_usdt if one.falls else high >= one.trigger_usdt:
                return True
        return False

    def first(
        self, at: float, low: float, high: float, bounds: tuple[float, float]
    ) -> tuple[int, float] | None:
        """Return the leg whose stop fires next, and the mark at which it does.

        Parameters
        ----------
        at
            Where the mark is now.
        low, high
            How far the mark goes either way, in an order that nobody knows.
        bounds
            The marks at which the account is liquidated.

        Returns
        -------
        tuple or None
            None where nothing fires before liquidation. Where both are reached a stop comes first
            only if its trigger lies before the liquidation price on the way there; where the mark
            jumped past both, or the way goes both up and down, liquidation does.
        """
        hits = {leg: one for leg, one in self.armed.items() if one.is_hit(low, high)}
        dies_low, dies_high = low <= bounds[0], high >= bounds[1]
        if dies_low and (not dies_high or at - bounds[0] <= bounds[1] - at):
            dead_at = min(bounds[0], at)
            hits = {leg: one for leg, one in hits.items() if one.falls}
            hits = {leg: one for leg, one in hits.items() if one.price_from(at) > dead_at}
        elif dies_high:
            dead_at = max(bounds[1], at)
            hits = {leg: one for leg, one in hits.items() if not one.falls}
            hits = {leg: one for leg, one in hits.items() if one.price_from(at) < dead_at}
        nearest, found = inf, None
        for leg in sorted(hits):
            price = hits[leg].price_from(at)
            if abs(price - at) < nearest:
                nearest, found = abs(price - at), (leg, price)
        return found

    def fired(self, leg: int) -> float:
        """Take a stop that was triggered out of the engine; return its unsigned quantity."""
        wanted = self._wanted.get(leg)
        one = self.armed.pop(leg)
        if wanted is not None and wanted.number == one.number:
            del self._wanted[leg]
        return one.qty_ltc

    def drop_gone(self, books: Books, now_ns: int) -> list[ev.AccountEvent]:
        """A leg that is gone takes its stop with it."""
        gone = [leg for leg in (POSITION, HEDGE) if books["qty"][0, leg] == 0.0]
        return self._drop(gone, now_ns)

    def cancel(self, legs: Iterable[int], now_ns: int) -> list[ev.AccountEvent]:
        """The venue takes the stops of these legs away; the desk wants them back."""
        said: list[ev.AccountEvent] = []
        for leg in legs:
            self._coming = [one for one in self._coming if one[2].leg != leg]
            if self.armed.pop(leg, None) is None and leg not in self._wanted:
                continue
            wanted = self._wanted.get(leg)
            if wanted is not None and wanted.stop.qty_ltc > 0:
                wanted.is_taken, wanted.is_told = False, True
                self._later(wanted, now_ns)
            said.append(ev.StopFailed(now_ns, now_ns, leg, LIQUIDATED))
        return said

    def _drop(self, legs: Iterable[int], now_ns: int) -> list[ev.AccountEvent]:
        said: list[ev.AccountEvent] = []
        for leg in legs:
            self._wanted.pop(leg, None)
            self._coming = [one for one in self._coming if one[2].leg != leg]
            if self.armed.pop(leg, None) is not None:
                said.append(ev.StopArmed(now_ns, now_ns, leg, 0.0, 0.0))
        return said

    def forget(self) -> None:
        """A fresh account has no stops."""
        self._wanted, self._coming, self.armed = {}, [], {}

    def take_up(self, leg: int, qty_ltc: float, trigger_usdt: float, *, falls: bool) -> None:
        """Arm what stood before a restart."""
        self.armed[leg] = Armed(0, qty_ltc, trigger_usdt, falls)

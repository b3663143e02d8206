"""Brings alerts to people from threads of their own: the engine never waits for it.

Each place has its own thread, so that one that is down holds up no other. What is not delivered is
tried again, with a pause that grows; meanwhile what comes is joined to it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from litehedge.effects import AlertLevel
from litehedge.notify.places import Kind, Undelivered
from litehedge.notify.sieve import LEVELS, Line, Note, Rules, Sieve
from litehedge.ports import Notifier

log = logging.getLogger("litehedge.alerts")

WAITING: Final = 1000  # notes that a place's thread has not taken yet
FIRST_PAUSE_S: Final = 1.0
LONGEST_PAUSE_S: Final = 60.0
CLOSE_S: Final = 10.0
AGAIN_S: Final = 0.5  # between the tries while it closes
LONGEST_WAIT_S: Final = 3600.0
_TITLES: Final = {"act_now": "act now", "done": "for your information", "digest": "digest"}


class Receiver(Protocol):
    """What a message can be sent to; see `places.Place`."""

    name: str
    room: int

    def send(self, title: str, body: str, kind: Kind = "info") -> None:
        """Send one message. Raises `Undelivered`."""
        ...


def message(lines: Sequence[Line], who: str, now_s: float, lost: int = 0) -> tuple[str, str, Kind]:
    """Return title, body and kind of the message that tells these lines, at `now_s` since 1970."""
    wrong = [line.rank for line in lines if not line.note.clears]
    title = _TITLES[LEVELS[min(wrong)]] if wrong else "resolved"
    body = "\n".join(line.text(now_s) for line in lines)
    if lost:
        body += f"\n{lost} more were left out: see the log"
    kind: Kind = "info" if wrong else "success"
    return f"{who}: {title}", body, "warning" if 0 in wrong else kind


class Post:
    """The thread that serves one place.

    Parameters
    ----------
    who
        Begins every title: which session this is.
    clock, wall
        A clock that never jumps, and the time since 1970; in seconds.
    """

    def __init__(
        self,
        place: Receiver,
        rules: Rules,
        who: str,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.place = place
        self.delivered = 0  # messages
        self._who = who
        self._clock = clock
        self._wall = wall
        self._sieve = Sieve(rules)
        self._came: dict[AlertLevel, deque[tuple[int, Note]]] = {one: deque() for one in LEVELS}
        self._number = 0
        self._out: list[Line] = []  # on its way now
        self._missed = 0
        self._told_lost = 0
        self._pause_s = 0.0
        self._next_s = float("-inf")  # no try before
        self._close_s: float | None = None
        self._changed = threading.Condition()
        self._thread = threading.Thread(
            target=self._run, name=f"alerts to {place.name}", daemon=True
        )
        self._thread.start()

    def put(self, note: Note) -> None:
        """Hand a note over; never waits for the network."""
        with self._changed:
            self._number += 1
            self._came[note.level].append((self._number, note))
            if self._waiting() > WAITING:  # it hangs: what is new and urgent is worth more
                next(self._came[level] for level in LEVELS[::-1] if self._came[level]).popleft()
                self._missed += 1
            self._changed.notify()

    def begin_closing(self, within_s: float) -> None:
        """Ask the thread to send what it has, and to end within that time."""
        with self._changed:
            self._close_s = self._clock() + within_s
            self._next_s = float("-inf")
            self._changed.notify()

    def wait_closed(self, within_s: float) -> None:
        """Wait until the thread has ended; tell the log what was not delivered."""
        self._thread.join(within_s)
        with self._changed:
            left = [*self._out, *self._sieve.lines]
            waiting = self._take_all()
            missed = self._missed + self._sieve.lost
        for line in left:
            more = f" ({line.more} more times)" if line.more else ""
            log.warning(
                "not delivered to %s: %s: %s%s", self.place.name, line.note.level, line.note.text,
                more,
            )  # fmt: skip
        for note in waiting:
            log.warning("not delivered to %s: %s: %s", self.place.name, note.level, note.text)
        if missed:
            log.warning("%d alerts were left out of what %s was sent", missed, self.place.name)

    # --- the thread ---------------------------------------------------------------------------

    def _run(self) -> None:
        while True:
            with self._changed:
                self._wait()
                lines, lost = self._due(), self._lost()
                closing = self._close_s
                is_over = closing is not None and (
                    not (lines or self._sieve.lines) or self._clock() >= closing
                )
                self._out = lines
                if is_over:
                    return
            if lines:
                self._send(lines, lost)

    def _wait(self) -> None:
        """Wait until something came, or something is due."""
        now_s = self._clock()
        closing = self._close_s is not None
        wait_s = 0.0 if closing else self._sieve.wait_s(now_s, self._wall())
        wait_s = max(wait_s, self._next_s - now_s)
        if wait_s > 0.0 and (closing or not self._waiting()):
            self._changed.wait(min(wait_s, LONGEST_WAIT_S))

    def _due(self) -> list[Line]:
        now_s, wall_s = self._clock(), self._wall()
        for note in self._take_all():
            self._sieve.take(note, now_s)
        if now_s < self._next_s:
            return []
        if self._close_s is not None:
            return self._sieve.rest(wall_s, self.place.room)
        return self._sieve.next(now_s, wall_s, self.place.room)

    def _waiting(self) -> int:
        return sum(map(len, self._came.values()))

    def _take_all(self) -> list[Note]:
        """Return what came, in order, and forget it."""
        came = sorted((one for notes in self._came.values() for one in notes), key=_number)
        for notes in self._came.values():
            notes.clear()
        return [note for _, note in came]

    def _lost(self) -> int:
        lost = self._missed + self._sieve.lost
        return lost - self._told_lost

    def _send(self, lines: list[Line], lost: int) -> None:
        try:
            self.place.send(*message(lines, self._who, self._wall(), lost))
        except Exception as error:  # whatever it was, the alert must not be lost, nor this thread
            with self._changed:
                self._sieve.put_back(lines)
                self._out = []
                first = self._pause_s == 0.0
                is_closing = self._close_s is not None
                self._pause_s = min(LONGEST_PAUSE_S, max(FIRST_PAUSE_S, 2.0 * self._pause_s))
                self._next_s = self._clock() + (AGAIN_S if is_closing else self._pause_s)
            if first:
                told = str(error) if isinstance(error, Undelivered) else type(error).__name__
                log.warning("alerts do not get through, tried on: %s", told)
            return
        with self._changed:
            self._out = []
            self._told_lost += lost
            was_down = self._pause_s > 0.0
            self._pause_s, self._next_s = 0.0, float("-inf")
            self.delivered += 1
        if was_down:
            log.info("alerts get through to %s again", self.place.name)


def _number(one: tuple[int, Note]) -> int:
    return one[0]


class Alerts:
    """Brings every alert to every place; implements `ports.Notifier`.

    Parameters
    ----------
    also
        Is told every alert at once, on the thread of who tells it: the log.
    """

    def __init__(
        self,
        places: Sequence[Receiver],
        rules: Rules,
        who: str,
        also: Notifier | None = None,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.posts = [Post(place, rules, who, wall=wall) for place in places]
        self._also = also
        self._wall = wall

    def alert(self, level: AlertLevel, text: str, key: str = "", *, clears: bool = False) -> None:
        """Hand over one alert; returns at once."""
        if self._also is not None:
            self._also.alert(level, text, key, clears=clears)
        note = Note(self._wall(), level, text, key, clears)
        for post in self.posts:
            post.put(note)

    def close(self, within_s: float = CLOSE_S) -> None:
        """Deliver what waits, within that time; what does not get through is told in the log."""
        for post in self.posts:
            post.begin_closing(within_s)
        until_s = time.monotonic() + within_s + AGAIN_S
        for post in self.posts:
            post.wait_closed(max(0.0, until_s - time.monotonic()))

"""What of the alerts becomes a message, and when; pure, times come as arguments.

Three things keep a telephone readable without hiding anything. Who says the same again within a
window is counted, and told once when it ends. What goes to and fro is told a few times, then how
it stands. And messages leave at a limited rate: what waits is joined into one, the urgent first.

Nothing is left out silently: every alert is told, counted in one that is, or among the few that
`lost` counts when people could not be reached for very long.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, NamedTuple

import msgspec

from litehedge.effects import AlertLevel

LEVELS: Final[tuple[AlertLevel, ...]] = ("act_now", "done", "digest")
"""From the most urgent on."""

TURNS: Final = 3  # changes between wrong and right again that are told within a window
STANDING_S: Final = 60.0  # what turned more often is told after so long
HELD: Final = 200  # lines that wait at most
REMEMBERED: Final = 500  # things of which repetitions are counted
BURST: Final = 5  # messages at once
EVERY_S: Final = 6.0  # after those, one in so long
HOUR_S: Final = 3600.0
DAY_S: Final = 86_400.0
_ACT_NOW, _DONE, _DIGEST = range(3)


class Note(msgspec.Struct, frozen=True):
    """One alert as it came; `at_s` is the time in seconds since 1970."""

    at_s: float
    level: AlertLevel
    text: str
    key: str = ""  # what it is about: the same each time
    clears: bool = False  # what the key is about is right again


class Rules(msgspec.Struct, frozen=True):
    """What people want to be told, and when. Hours are UTC; quiet ones may pass midnight."""

    least: AlertLevel = "digest"
    window_s: float = 600.0
    quiet: tuple[int, int] | None = None
    digest_hour: int = 7


class Line(NamedTuple):
    """A note on its way; `rank` is how urgent (0 is the most), `more` what it also stands for."""

    rank: int
    number: int
    note: Note
    more: int
    due_s: float  # since 1970

    def text(self, now_s: float) -> str:
        """Return the line as people read it, `now_s` since 1970."""
        at = datetime.fromtimestamp(self.note.at_s, tz=UTC)
        today = datetime.fromtimestamp(now_s, tz=UTC).date()
        when = at.strftime("%H:%M:%S UTC" if at.date() == today else "%Y-%m-%d %H:%M:%S UTC")
        often = f" ({self.more} more time{'s' if self.more > 1 else ''})" if self.more else ""
        return f"{when} {self.note.text}{often}"


@dataclass(slots=True)
class _Record:
    """What was last told about something, and what was said since."""

    note: Note
    rank: int
    until_s: float
    turns: int = 0
    count: int = 0
    latest: Note | None = field(default=None)


class Sieve:
    """Takes notes; gives the lines of the next message when it is time for one.

    `now_s` is a clock that never jumps, for windows and rates; `wall_s` is the time since 1970.
    """

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._records: dict[str, _Record] = {}
        self._lines: list[Line] = []
        self._number = 0
        self._tokens = float(BURST)
        self._filled_s = float("-inf")
        self.lost = 0

    @property
    def lines(self) -> list[Line]:
        """What waits, the most urgent first."""
        return sorted(self._lines)

    def take(self, note: Note, now_s: float) -> None:
        """Take a note in."""
        self._end_windows(now_s)
        name = note.key or note.text
        record = self._records.get(name)
        rank = LEVELS.index(note.level)
        if note.clears and record is not None:
            # Who was told that something is wrong is told that it is right again.
            rank = min(rank, record.rank)
        if rank > LEVELS.index(self._rules.least):
            return
        if record is None and len(self._records) >= REMEMBERED:
            self._emit(note, rank, 0)
            return
        if record is None or now_s >= record.until_s:
            self._records[name] = _Record(note, rank, now_s + self._rules.window_s)
            self._emit(note, rank, 0)
            return
        turned = record.note.clears != note.clears or (not note.clears and rank < record.rank)
        if turned and record.turns < TURNS:
            record.turns += 1
            self._emit(note, rank, record.count)
            record.note, record.rank, record.count, record.latest = note, rank, 0, None
            return
        record.count += 1
        record.latest = note
        if turned:
            record.until_s = min(record.until_s, now_s + STANDING_S)

    def next(self, now_s: float, wall_s: float, room: int) -> list[Line]:
        """Return the lines of the message that is due now, none when none is.

        Parameters
        ----------
        room
            Characters that a message may have; one line always fits, whoever sends it cuts it.
        """
        self._end_windows(now_s)
        if now_s > self._filled_s:
            waited = (now_s - self._filled_s) / EVERY_S
            self._tokens = min(float(BURST), self._tokens + waited)
            self._filled_s = now_s
        due = [line for line in self.lines if self._due_s(line, wall_s) <= wall_s]
        if not due or self._tokens < 1.0:
            return []
        self._tokens -= 1.0
        return self._pick(due, wall_s, room)

    def rest(self, wall_s: float, room: int) -> list[Line]:
        """Return the lines of a last message: neither windows nor hours nor rates hold them."""
        for record in self._records.values():
            if record.count and record.latest is not None:
                self._emit(record.latest, self._rank_of(record), record.count - 1)
                record.count = 0
        return self._pick(self.lines, wall_s, room)

    def put_back(self, lines: list[Line]) -> None:
        """Take lines back that could not be delivered."""
        self._lines += lines
        self._forget_some()

    def wait_s(self, now_s: float, wall_s: float) -> float:
        """Return after how many seconds there may be something to send; infinity for nothing."""
        token = max(0.0, 1.0 - self._tokens) * EVERY_S
        waits = [max(token, self._due_s(line, wall_s) - wall_s) for line in self._lines]
        waits += [r.until_s - now_s for r in self._records.values() if r.count]
        return max(0.0, min(waits, default=float("inf")))

    # --- inside -------------------------------------------------------------------------------

    def _emit(self, note: Note, rank: int, more: int) -> None:
        self._number += 1
        due_s = note.at_s
        if rank == _DIGEST:
            since = (note.at_s - self._rules.digest_hour * HOUR_S) % DAY_S
            due_s += 0.0 if since < HOUR_S else DAY_S - since
        self._lines.append(Line(rank, self._number, note, more, due_s))
        self._forget_some()

    def _forget_some(self) -> None:
        while len(self._lines) > HELD:
            worst = max(line.rank for line in self._lines)
            oldest = min(line for line in self._lines if line.rank == worst)
            self._lines.remove(oldest)
            self.lost += 1 + oldest.more

    def _end_windows(self, now_s: float) -> None:
        for name, record in list(self._records.items()):
            if now_s < record.until_s:
                continue
            if record.count and record.latest is not None:
                rank = self._rank_of(record)
                self._emit(record.latest, rank, record.count - 1)
                until_s = now_s + self._rules.window_s
                self._records[name] = _Record(record.latest, rank, until_s)
            elif not record.note.key or record.note.clears:
                del self._records[name]  # what is wrong is kept: it may become right again

    def _rank_of(self, record: _Record) -> int:
        assert record.latest is not None
        rank = LEVELS.index(record.latest.level)
        return min(rank, record.rank) if record.latest.clears else rank

    def _due_s(self, line: Line, wall_s: float) -> float:
        due_s = min(line.due_s, wall_s + DAY_S)  # a clock that was set back does not hold it long
        if line.rank != _DONE or self._rules.quiet is None:
            return due_s
        begin, end = self._rules.quiet
        at_s = max(due_s, wall_s)
        into = (at_s - begin * HOUR_S) % DAY_S
        length = (end - begin) % 24 * HOUR_S
        return at_s + length - into if into < length else due_s

    def _pick(self, due: list[Line], wall_s: float, room: int) -> list[Line]:
        picked: list[Line] = []
        used = 0
        for line in due:
            used += len(line.text(wall_s)) + 1
            if picked and used > room:
                break
            picked.append(line)
        taken = {line.number for line in picked}
        self._lines = [line for line in self._lines if line.number not in taken]
        return picked

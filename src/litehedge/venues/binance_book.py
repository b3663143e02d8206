"""The local book of Binance USD-M: a snapshot and a chain of updates, in step or not at all. Pure.

The rules are those of "How to manage a local order book correctly" (USD-M): updates are buffered
until a snapshot comes; those that end before it are dropped; the first that is used must span it;
from then on each names the one before (`pu`). A break in the chain means that something was lost:
the book is then unknown, and a new snapshot is needed.
"""

from __future__ import annotations

import enum
from collections import deque
from typing import Final

from litehedge.errors import BadMessage
from litehedge.venues.binance_rest import Snapshot
from litehedge.venues.binance_wire import DepthUpdate
from litehedge.venues.book import LocalBook

LONGEST_BUFFER: Final = 3000  # five minutes of updates each 100 ms
MOST_DROPPED: Final = 100  # so many old updates on end, and the ids have begun anew


class Step(enum.Enum):
    """What became of a message."""

    BUFFERED = "buffered"  # waits for the snapshot
    APPLIED = "applied"  # the book changed
    DROPPED = "dropped"  # older than the book
    LOST = "lost"  # the chain is broken: a new snapshot is needed


class BookSync:
    """Keeps a book in step with Binance.

    Whenever `is_live`, the book is what Binance's was after update `last_id`.
    """

    def __init__(self, book: LocalBook) -> None:
        self.book = book
        self.last_id = 0
        self.is_live = False
        self._linked = False  # whether an update followed the snapshot
        self._dropped = 0  # on end
        self._buffer: deque[DepthUpdate] = deque(maxlen=LONGEST_BUFFER)

    def restart(self) -> None:
        """Forget everything: a connection begins."""
        self._lose()
        self._buffer.clear()

    def update(self, heard: DepthUpdate) -> Step:
        """Take an update.

        Raises
        ------
        BadMessage
            When the update contradicts itself, or holds an impossible level. The book is then
            not live, as after `Step.LOST`.
        """
        if not (heard.u >= heard.U and heard.pu <= heard.u):
            self._lose()
            raise BadMessage("Binance: a depth update ends before it begins", "the book is reread")
        if not self.is_live:
            self._buffer.append(heard)
            return Step.BUFFERED
        return self._follow(heard)

    def snapshot(self, taken: Snapshot) -> Step:
        """Take a snapshot, and the updates that were buffered after it.

        `Step.LOST` when it is too old for what was buffered: another one is needed.

        Raises
        ------
        BadMessage
            When the snapshot or a buffered update holds an impossible level.
        """
        self._lose()
        self.book.reset(taken.bids, taken.asks)
        self.last_id = taken.lastUpdateId
        self.is_live = True
        waiting = [heard for heard in self._buffer if heard.u >= self.last_id]
        self._buffer.clear()
        for place, heard in enumerate(waiting):
            if self._follow(heard) is Step.LOST:
                # keep what may still follow a newer snapshot
                self._buffer.extend(waiting[place + 1 :])
                return Step.LOST
        return Step.APPLIED

    def _follow(self, heard: DepthUpdate) -> Step:
        if heard.u < self.last_id or (self._linked and heard.u == self.last_id):
            self._dropped += 1
            if self._dropped <= MOST_DROPPED:
                return Step.DROPPED  # told before, or part of the snapshot
        if self._linked:
            in_step = heard.pu == self.last_id
        else:
            # The rule asks for an update that spans the snapshot. One that names the snapshot as
            # the one before it is as good: nothing can lie between.
            in_step = self.last_id >= heard.U or heard.pu == self.last_id
        if not in_step or self._dropped > MOST_DROPPED:
            self._lose()
            self._buffer.append(heard)
            return Step.LOST
        try:
            self.book.update(heard.b, heard.a)
        except BadMessage:
            self._lose()
            raise
        self.last_id, self._linked, self._dropped = heard.u, True, 0
        return Step.APPLIED

    def _lose(self) -> None:
        self.is_live = self._linked = False
        self._dropped = 0
        self.book.clear()

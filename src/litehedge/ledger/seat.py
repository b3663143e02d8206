"""A simulated venue that an account can be put into in the middle of its market."""

from __future__ import annotations

import copy
from typing import Final, Self

import numpy as np

from litehedge.config import Settings
from litehedge.engine_state import State
from litehedge.margin.tiers import TierTable
from litehedge.market import events as ev
from litehedge.sim.opening import Opening
from litehedge.sim.venue import SimVenue

NEVER_NS: Final = int(np.iinfo(np.int64).max)
_QUOTES: Final = (ev.Book, ev.Trade, ev.Mark)


class Seat(SimVenue):
    """A venue that knows its market and has no account of ours, until one is seated.

    Parameters
    ----------
    bar_ns
        Length of the bars that stand in for quotes where there are none.
    is_on_bars
        Whether it lives on bars alone, as the venue of a backtest does.
    reopens
        Whether a position that was seated and died is opened again at the next midnight (UTC).
    """

    def __init__(
        self, settings: Settings, tiers: TierTable, bar_ns: int, *, is_on_bars: bool,
        reopens: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(settings, tiers, Opening(NEVER_NS, reopens), bar_ns)
        self._is_on_bars = is_on_bars
        self._lets_pass = False

    @property
    def price(self) -> float:
        """The last price in USDT, NaN before the first."""
        return self._price

    def seated(self, state: State) -> Self:
        """Return a venue of the same market that holds a session's account.

        The next event of the market has done to that account what it did already: of it only the
        price is new.
        """
        shared = {id(self._settings): self._settings, id(self._tiers): self._tiers}
        venue = copy.deepcopy(self, shared)
        venue.books = state.books.copy()
        venue._terms["size"] = state.terms["size"]
        venue._is_open = state.is_open
        venue._lets_pass = True
        if state.order is not None:
            venue._pending.append((state.order.decided_ns + self._latency_ns, state.order))
        if state.transfer is not None:
            venue._transfers.take_up(state.transfer, int(self._terms["transfer_delay_ns"][0]))
        venue._set_bounds(self._price)
        return venue

    def take_over(self, state: State) -> None:
        """Hold from now on what the engine's books hold: somebody traded by hand."""
        self.books = state.books.copy()
        self._terms["size"] = state.terms["size"]
        self._is_open = state.is_open
        self._set_bounds(self._price)

    def restart(self) -> None:
        """Live on bars until there are quotes again, as after a pause of the session."""
        self._has_book = self._has_mark = False
        self._mark = float("nan")

    def on_market(self, event: ev.MarketEvent) -> list[ev.AccountEvent]:
        """Let the market move; return what happened to the account, in order."""
        if self._is_on_bars and type(event) in _QUOTES:
            self._lets_pass = False
            return []
        if not self._lets_pass:
            return super().on_market(event)
        self._lets_pass = False
        is_open, self._is_open = self._is_open, False
        pending, self._pending = self._pending, []
        transfers, self._transfers = self._transfers, type(self._transfers)()
        super().on_market(event)
        self._is_open, self._pending, self._transfers = is_open, pending, transfers
        self._set_bounds(self._price)
        return []

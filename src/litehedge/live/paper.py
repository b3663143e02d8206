"""Paper: the real market, and an account that is only written down.

The simulated venue of the backtests fills orders against the live book, after the same latency
and with the same fees, and liquidates by the same tiers. It outlives the process: started again,
it first lives through what it missed, on the bars of that time, without trading.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import numpy as np

from litehedge.config import Settings
from litehedge.engine_state import State
from litehedge.margin.account import HEDGE, POSITION
from litehedge.margin.tiers import TierTable
from litehedge.market import events as ev
from litehedge.orders.manager import Order
from litehedge.sim.opening import Opening
from litehedge.sim.venue import SimVenue

NEVER_NS: Final = int(np.iinfo(np.int64).max)


class PaperVenue(SimVenue):
    """A simulated venue that wakes at a moment, with a new position or the one it had.

    Parameters
    ----------
    bar_ns
        Length of the bars that stand in for quotes where there are none.
    wakes_ns
        Before this the market only warms up statistics: nothing is opened and nothing happens.
        `wake` may tell it later.
    reopens
        Whether the same position with a fresh wallet follows a liquidation at the next midnight.
    """

    def __init__(
        self,
        settings: Settings,
        tiers: TierTable,
        bar_ns: int,
        wakes_ns: int = NEVER_NS,
        *,
        reopens: bool = True,
    ) -> None:
        super().__init__(settings, tiers, Opening(wakes_ns, reopens), bar_ns)
        self._wakes_ns = wakes_ns
        self._is_resumed = False
        self._lost: Order | None = None

    def wake(self, now_ns: int) -> None:
        """Begin to live now."""
        self._wakes_ns = self._opens_ns = now_ns

    def resume(
        self, state: State, ended_ns: int, missed: Iterable[ev.MarketEvent]
    ) -> list[ev.AccountEvent]:
        """Take up the account of an earlier run and let it live through what it missed.

        What happened meanwhile is returned; the engine learns of it by the account that it is told
        when the venue wakes. An order that was on its way died with the process.

        Parameters
        ----------
        state
            The engine's, taken up from the journal: its books are the account.
        ended_ns
            When the earlier run ended.
        missed
            Bars and fundings since then, in order.
        """
        self.books = state.books.copy()
        self._terms["size"] = state.terms["size"]
        self._is_open = state.is_open
        for leg, stop in state.stops.items():  # they stood while nobody was here
            held = float(self.books["qty"][0, leg])
            if stop.armed_ltc > 0.0 and held != 0.0:
                self._stops.take_up(leg, stop.armed_ltc, stop.armed_usdt, falls=held > 0.0)
        self._lost = state.order
        happened: list[ev.AccountEvent] = []
        for event in missed:
            if event.known_ns <= ended_ns or not self._is_alive:
                continue
            if self._price != self._price and isinstance(event, ev.Bar) and event.asset == "LTC":
                self._set_bounds(event.open)
            happened += super().on_market(event)
        # The engine is told, even that nothing is left.
        holds = state.is_open or bool(state.books["qty"][0, HEDGE] != 0.0)
        self._is_resumed = holds or state.closing is not None
        if not state.is_open and state.books["wallet"][0, 0] != 0.0:
            self._end_life(ended_ns)  # it had died before: nothing opens before the midnight after
        self._has_book = self._has_mark = False
        return happened

    def on_market(self, event: ev.MarketEvent) -> list[ev.AccountEvent]:
        """Let the market move, once awake."""
        if event.known_ns < self._wakes_ns:
            return []
        said: list[ev.AccountEvent] = []
        if self._lost is not None:
            why = "the process ended before it was filled"
            said.append(ev.OrderExpired(event.known_ns, event.known_ns, self._lost.client_id, why))
            self._lost = None
        if self._is_resumed:
            self._is_resumed = False
            said.append(self._account(event.known_ns))
        return said + super().on_market(event)

    def _account(self, now_ns: int) -> ev.Opened:
        account = self.books[0]
        is_second = self._settings.hedge.location == "second_venue"
        return ev.Opened(
            event_ns=now_ns,
            known_ns=now_ns,
            wallet_usdt=float(account["wallet"][0]),
            second_wallet_usdt=float(account["wallet"][1]) if is_second else None,
            qty_ltc=float(account["qty"][POSITION]),
            entry_usdt=float(account["entry"][POSITION]),
            leverage=float(account["leverage"][POSITION]),
            isolated=bool(account["is_isolated"][POSITION]),
            hedge_qty_ltc=float(account["qty"][HEDGE]),
            hedge_entry_usdt=float(account["entry"][HEDGE]),
            is_resumed=True,
        )

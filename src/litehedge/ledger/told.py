"""A session told again event by event: the engine as it stood, and the market beside it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from litehedge.effects import Effect, KeepStop, PlanFired, Submit
from litehedge.engine import step
from litehedge.engine_state import State
from litehedge.ledger.heard import Heard
from litehedge.ledger.seat import Seat
from litehedge.margin.account import equity
from litehedge.market import events as ev
from litehedge.orders.manager import Order
from litehedge.squeeze.history import Mind

_TAKEN_OVER = (ev.Reported, ev.Adopt, ev.Opened)


class Told:
    """One run of a journal, lived through again.

    What the account was told is taken from the journal. Where this version decides otherwise than
    the one that wrote it, the order that was sent counts, and the difference is counted.

    Parameters
    ----------
    state
        As the run began.
    sent
        The orders that the run sent, by client id.
    minds
        Gives the model that an offer speaks of, for the state as it is then.
    """

    def __init__(
        self, state: State, seat: Seat, sent: Mapping[str, Order],
        minds: Callable[[State, ev.ModelOffered], Mind | None] = lambda state, offered: None,
    ) -> None:  # fmt: skip
        self.state = state
        self.seat = seat
        self.heard = Heard()
        self.heard.listen(state)
        self.moved_usdt = 0.0  # by what the venue's reports changed the books, so far
        self.differing = 0  # orders that were decided otherwise
        self._sent = sent
        self._minds = minds

    @property
    def earned_usdt(self) -> float:
        """Equity without what the venue's reports put in or took out, in USDT."""
        return float(equity(self.state.books, self.seat.price)) - self.moved_usdt

    def market(self, event: ev.MarketEvent) -> list[PlanFired]:
        """Take in an event of the market; return the plans that came true at it."""
        self.heard.frames = []
        self.seat.on_market(event)
        return [effect for effect in self._step(event) if isinstance(effect, PlanFired)]

    def other(self, event: ev.AnyEvent) -> None:
        """Take in what the venue, or a person, said."""
        sent = self._sent.get(getattr(event, "client_id", ""))
        order = self.state.order
        if sent is not None and (order is None or order.client_id != sent.client_id):
            self.state.order = sent
            self.differing += 1
        if not isinstance(event, _TAKEN_OVER):
            self._step(event)
            return
        before = self.earned_usdt
        self._step(event)
        gap = self.earned_usdt - before
        self.moved_usdt += gap if gap == gap else 0.0

    def _step(self, event: ev.AnyEvent) -> list[Effect]:
        mind = None
        if isinstance(event, ev.ModelOffered):
            mind = self.heard.listened(self._minds(self.state, event))
        self.state, effects = step(self.state, event, mind)
        for effect in effects:
            if isinstance(effect, KeepStop):
                self.seat.keep_stop(effect, event.known_ns)
            elif isinstance(effect, Submit) and effect.order.client_id not in self._sent:
                self.state.order = None
                self.differing += 1
        return effects

"""Money on its way between the two venues of a simulated account."""

from __future__ import annotations

from litehedge.hedge.terms import Terms
from litehedge.margin.account import HEDGE, POSITION, Books
from litehedge.margin.transfers import arrive, send, spare, standing
from litehedge.market import events as ev
from litehedge.orders.transfers import MarginTransfer


class Transfers:
    """What was asked for, what is under way, and what was said of it last.

    The delay is a constant (`transfer.delay_min`): an assumption, not a measurement.
    """

    def __init__(self) -> None:
        self._under_way: list[tuple[int, MarginTransfer]] = []  # arrival time, transfer
        self._said: dict[str, ev.AccountEvent] = {}

    def take(
        self, transfer: MarginTransfer, books: Books, price: float, terms: Terms, now_ns: int
    ) -> list[ev.AccountEvent]:
        """Let the money leave if the sender's venue pays it out; the same id never twice."""
        name = transfer.transfer_id
        if name in self._said:
            return [self._said[name]]
        source = POSITION if transfer.target == HEDGE else HEDGE
        amount = float(transfer.amount_usdt)
        cash, owned, needed = standing(books, source, price, 0.0, terms["tiers"][0])
        if amount > spare(cash, owned, needed, 1.0):
            why = "it is more than the venue pays out"
            return self._say(name, ev.TransferRejected(now_ns, now_ns, name, why))
        send(books, transfer.target, amount, float(terms["transfer_fee"][0]))
        self._under_way.append((now_ns + int(terms["transfer_delay_ns"][0]), transfer))
        return self._say(name, ev.TransferSent(now_ns, now_ns, name))

    def take_up(self, transfer: MarginTransfer, delay_ns: int) -> None:
        """Go on with a transfer that left another account of the same books."""
        self._under_way.append((transfer.decided_ns + delay_ns, transfer))

    def query(self, name: str, now_ns: int) -> list[ev.AccountEvent]:
        """Return the last word on a transfer; one that we never saw was never sent."""
        if name in self._said:
            return [self._said[name]]
        return [ev.TransferRejected(now_ns, now_ns, name, "the venue has no such transfer")]

    @property
    def is_busy(self) -> bool:
        """Whether anything is under way."""
        return bool(self._under_way)

    def arrivals(self, books: Books, until_ns: int) -> list[ev.AccountEvent]:
        """Let arrive what is due."""
        said: list[ev.AccountEvent] = []
        for arrives_ns, transfer in self._under_way:
            if arrives_ns <= until_ns:
                amount = float(books["under_way"][0, transfer.target])
                arrive(books, transfer.target)
                name = transfer.transfer_id
                said += self._say(name, ev.TransferArrived(arrives_ns, until_ns, name, amount))
        if said:
            self._under_way = [entry for entry in self._under_way if entry[0] > until_ns]
        return said

    def forget(self) -> None:
        """A fresh account: what was under way belongs to the one before."""
        self._under_way = []

    def _say(self, name: str, event: ev.AccountEvent) -> list[ev.AccountEvent]:
        self._said[name] = event
        return [event]

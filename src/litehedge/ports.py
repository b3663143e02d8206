"""What the core needs from the world, as protocols. Shell modules implement them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from litehedge.effects import Effect
from litehedge.market.events import AccountEvent, AnyEvent, Command, MarketEvent
from litehedge.orders.manager import Order
from litehedge.orders.transfers import MarginTransfer


class Feed(Protocol):
    """A source of market events in the order in which they became known."""

    def events(self) -> Iterable[MarketEvent]:
        """Yield the events until the feed ends."""
        ...


class Venue(Protocol):
    """Where orders go. Everything it has to say comes back as account events."""

    def on_market(self, event: MarketEvent) -> Iterable[AccountEvent]:
        """Let the venue see the market; return what happened to our account before we decide.

        A real venue's account events come over its own stream and this returns nothing.
        """
        ...

    def submit(self, order: Order, now_ns: int) -> Iterable[AccountEvent]:
        """Send an order; return what is known at once."""
        ...

    def query(self, client_id: str, now_ns: int) -> Iterable[AccountEvent]:
        """Ask what became of an order whose outcome is unknown."""
        ...

    def transfer(self, transfer: MarginTransfer, now_ns: int) -> Iterable[AccountEvent]:
        """Send margin from one of our venues to the other; return what is known at once.

        An id that was sent before is not sent again.
        """
        ...

    def query_transfer(self, transfer_id: str, now_ns: int) -> Iterable[AccountEvent]:
        """Ask what became of a transfer."""
        ...

    def cancel_all(self, now_ns: int) -> Iterable[AccountEvent]:
        """Cancel every open order."""
        ...


class Journal(Protocol):
    """The append-only record. `flush` returns only when everything before it is on disk."""

    def event(self, event: AnyEvent) -> None:
        """Record an event before the engine sees it."""
        ...

    def effect(self, effect: Effect) -> None:
        """Record what the engine wanted done."""
        ...

    def flush(self) -> None:
        """Make everything so far durable."""
        ...


class Inbox(Protocol):
    """Commands of people, in order."""

    def take(self) -> Iterable[Command]:
        """Return the commands that came since the last call."""
        ...


class Notifier(Protocol):
    """Carries alerts to people."""

    def alert(self, level: str, text: str) -> None:
        """Deliver one alert."""
        ...

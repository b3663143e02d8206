"""What the core needs from the world, as protocols. Shell modules implement them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Literal, Protocol

from litehedge.effects import AlertLevel, Effect, KeepStop
from litehedge.errors import BadMessage
from litehedge.market.events import AccountEvent, AnyEvent, Command, MarketEvent
from litehedge.orders.manager import Order
from litehedge.orders.reports import (
    AccountReport,
    Contract,
    OrderReport,
    PositionSide,
    Report,
    StopReport,
    VenueOrder,
)
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
        """Cancel every open order; protective stops stay."""
        ...

    def keep_stop(self, stop: KeepStop, now_ns: int) -> Iterable[AccountEvent]:
        """Keep a protective stop, from now on and until another is wanted for its leg."""
        ...


class Journal(Protocol):
    """The append-only record."""

    @property
    def trouble(self) -> str:
        """Why what happens is not kept now, "" when it is: nothing may raise risk meanwhile."""
        ...

    def event(self, event: AnyEvent) -> None:
        """Record an event before the engine sees it."""
        ...

    def effect(self, effect: Effect) -> None:
        """Record what the engine wanted done."""
        ...

    def write(self) -> None:
        """Hand everything so far to the system: it outlives this process, if not the power."""
        ...

    def keep(self) -> None:
        """Begin to make durable what was written; does not wait."""
        ...

    def flush(self) -> None:
        """Make everything so far durable: it outlives a loss of power."""
        ...


class Inbox(Protocol):
    """Commands of people, in order."""

    def take(self) -> Iterable[Command]:
        """Return the commands that came since the last call."""
        ...


class Notifier(Protocol):
    """Carries alerts to people."""

    def alert(self, level: AlertLevel, text: str, key: str = "", *, clears: bool = False) -> None:
        """Deliver one alert, without making the caller wait; see `effects.Alert`."""
        ...


# --- what speaks over sockets -------------------------------------------------------------------

Health = Literal["starting", "ok", "stale", "down", "off"]
"""`stale`: connected, but silent for too long; `off`: not set up, which is no fault."""


class Outlet(Protocol):
    """Where sources put what they hear. Called on the thread of the sockets, never blocks."""

    def now_ns(self) -> int:
        """Return the time of this machine, nanoseconds since 1970; never goes back."""
        ...

    def put(self, event: AnyEvent) -> None:
        """Hand over an event; its `known_ns` is `now_ns()`."""
        ...

    def bad(self, source: str, error: BadMessage, payload: bytes) -> None:
        """Count a message that could not be read."""
        ...

    def health(self, source: str, state: Health, detail: str = "") -> None:
        """Say how a source is; said again only when something changed."""
        ...


class Source(Protocol):
    """A feed over the network. `run` goes on for ever: it reconnects by itself and says so."""

    @property
    def name(self) -> str:
        """Unique name, such as `binance.depth` or `sentiment.fear_greed`."""
        ...

    async def run(self, out: Outlet) -> None:
        """Put events until cancelled. No trouble of the network ends it, or raises."""
        ...


class VenueClient(Protocol):
    """One account on one venue, over the network; the same for every venue.

    Raised by all that ask: `VenueRefused` (not done), `VenueDown` (not reached, not done),
    `VenueUnknown` (may have been done), `WrongSetup` (keys, permissions, mode, symbol, clock).
    """

    @property
    def name(self) -> str:
        """The venue."""
        ...

    async def open(self) -> None:
        """Connect what is kept connected, and load what signing needs."""
        ...

    async def close(self) -> None:
        """Let go of every connection."""
        ...

    async def clock_skew_ms(self) -> float:
        """Return by how much this machine's clock is ahead of the venue's, in milliseconds."""
        ...

    async def contract(self) -> Contract:
        """Return the rules of the contract, its tiers, and our fees."""
        ...

    async def account(self) -> AccountReport:
        """Return what the account holds."""
        ...

    async def place(self, order: VenueOrder) -> OrderReport:
        """Send an order once. Return what is known at once; the rest comes over `run`."""
        ...

    async def order(self, client_id: str) -> OrderReport:
        """Return where an order stands; `missing` when the venue does not know it."""
        ...

    async def open_orders(self) -> list[str]:
        """Return the client ids of the orders that may still trade."""
        ...

    async def cancel_all(self) -> None:
        """Cancel every open order of ours; those of others and protective stops stay."""
        ...

    async def set_protective_stop(self, closes: VenueOrder, trigger_usdt: Decimal) -> None:
        """Place or replace the reduce-only stop that closes a leg when the mark passes a price."""
        ...

    async def protective_stops(self) -> list[StopReport]:
        """Return our protective stops that wait for their trigger."""
        ...

    async def remove_protective_stop(self, position_side: PositionSide) -> None:
        """Take the protective stop of a leg away; one that is not there is what was wanted."""
        ...

    async def stop_outcome(self, stop: StopReport) -> OrderReport:
        """Return what a stop traded that does not wait any more; `missing` if nobody can tell."""
        ...

    async def arm_dead_man(self, after_ms: int) -> bool:
        """Ask the venue to cancel our orders when it hears nothing for so long; 0 disarms.

        Return whether the venue can do that. It never closes a position.
        """
        ...

    async def set_leverage(self, leverage: int) -> None:
        """Set the leverage of the contract."""
        ...

    async def set_hedge_mode(self, on: bool) -> None:
        """Hold long and short legs apart (on), or netted."""
        ...

    async def run(self, tell: Callable[[Report], None], out: Outlet) -> None:
        """Tell what happens to the account until cancelled; reconnects by itself.

        After every (re)connection an `AccountReport` is told, since what happened meanwhile was
        missed.
        """
        ...

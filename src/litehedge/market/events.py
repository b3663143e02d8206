"""Everything that can happen, as frozen values with two times.

``event_ns`` is when it happened, ``known_ns`` when we knew. Nothing may use an event before its
``known_ns``. Market events come from feeds, account events from the venue, commands from people;
how the feeds themselves are is told beside them.
"""

from __future__ import annotations

import math
from typing import Final, Literal, get_args

import msgspec

from litehedge.errors import BadMessage
from litehedge.market.beside import Event as Event
from litehedge.market.beside import FeedHealth as FeedHealth
from litehedge.market.beside import LessonOffered as LessonOffered
from litehedge.market.beside import ModelOffered as ModelOffered

UNKNOWN: Final = math.nan
"""What a feed does not tell. The same object everywhere, so that equal events compare equal."""

FundingVenue = Literal["own", "bybit", "okx"]
"""Whose funding: `own` is the venue where we trade."""
FUNDING_VENUES: Final[tuple[FundingVenue, ...]] = get_args(FundingVenue)


# --- the market -------------------------------------------------------------------------------


class Bar(Event, frozen=True, tag="bar", gc=False):
    """A closed bar; ``event_ns`` is its close. Prices in USDT, volumes in coins.

    `buy_volume` is what takers bought, NaN where the source does not tell.
    """

    asset: Literal["LTC", "BTC"]
    interval_ns: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    buy_volume: float = UNKNOWN


class Trade(Event, frozen=True, tag="trade", gc=False):
    """One (aggregated) trade; `taker_buys` tells which side crossed the spread."""

    price: float
    qty_ltc: float
    taker_buys: bool


class Book(Event, frozen=True, tag="book", gc=False):
    """The top of the book and the depth on each side, in USDT, in bands around mid.

    Within 1 %; `near` within 0.2 %, `far` within 5 %, both NaN where the source does not tell.
    """

    bid: float
    ask: float
    bid_depth_usdt: float
    ask_depth_usdt: float
    bid_depth_near_usdt: float = UNKNOWN
    ask_depth_near_usdt: float = UNKNOWN
    bid_depth_far_usdt: float = UNKNOWN
    ask_depth_far_usdt: float = UNKNOWN


class Liquidation(Event, frozen=True, tag="liquidation", gc=False):
    """Forced closing of somebody's position; `side` is the side of the *position*.

    `feed` tells what the source tells: `all` forced orders, or only the `largest` of each second,
    as Binance does. The two are never added up.
    """

    side: Literal["long", "short"]
    notional_usdt: float
    feed: Literal["all", "largest"] = "all"


class Funding(Event, frozen=True, tag="funding", gc=False):
    """A funding settlement: longs pay shorts `rate` of the notional when it is positive."""

    rate: float


class OpenInterest(Event, frozen=True, tag="open_interest", gc=False):
    """Open interest of the contract, in LTC."""

    oi_ltc: float


class Mark(Event, frozen=True, tag="mark", gc=False):
    """The venue's mark price, at which it values margin."""

    price: float


class Index(Event, frozen=True, tag="index", gc=False):
    """The index: the spot price over several exchanges, around which a venue marks."""

    price: float


class LongShortRatio(Event, frozen=True, tag="long_short_ratio", gc=False):
    """Accounts that are long over accounts that are short."""

    ratio: float


class Transfer(Event, frozen=True, tag="transfer", gc=False):
    """Coins that a whale moved on the chain, to an exchange or from one."""

    notional_usdt: float
    to_exchange: bool


class Sentiment(Event, frozen=True, tag="sentiment", gc=False):
    """The mood of what people write, about 0; 1 is a usual deviation."""

    score: float


class PredictedFunding(Event, frozen=True, tag="predicted_funding", gc=False):
    """The rate that a venue would settle now, as a fraction of 8 hours.

    Information alone: what settles our account is `Funding`.
    """

    venue: FundingVenue
    rate: float


class Tick(Event, frozen=True, tag="tick", gc=False):
    """The clock: time has passed, whether or not the market spoke."""


# --- our account ------------------------------------------------------------------------------


class Opened(Event, frozen=True, tag="opened", gc=False):
    """The account as the venue reports it when we start to guard a position (again).

    With `is_resumed` it is the position that was guarded before: what was decided and spent then
    still counts.
    """

    wallet_usdt: float
    second_wallet_usdt: float | None
    qty_ltc: float
    entry_usdt: float
    leverage: float
    isolated: bool
    hedge_qty_ltc: float = 0.0
    hedge_entry_usdt: float = 0.0
    is_resumed: bool = False


class Reported(Event, frozen=True, tag="reported", gc=False):
    """What a venue holds for us now; NaN where this report does not tell.

    With hedges on a second venue each venue tells of its own wallet and leg alone. A wallet counts
    without unrealised profit and with what is set aside for isolated legs.
    """

    wallet_usdt: float = UNKNOWN
    second_wallet_usdt: float = UNKNOWN
    qty_ltc: float = UNKNOWN
    entry_usdt: float = UNKNOWN
    hedge_qty_ltc: float = UNKNOWN
    hedge_entry_usdt: float = UNKNOWN
    isolated_usdt: float = UNKNOWN  # set aside for the position, where it is isolated
    hedge_isolated_usdt: float = UNKNOWN


class OrderAccepted(Event, frozen=True, tag="accepted", gc=False):
    """The venue took the order."""

    client_id: str


class OrderRejected(Event, frozen=True, tag="rejected", gc=False):
    """The venue refused the order; nothing of it was done.

    `raises_only` tells that it still takes orders that reduce.
    """

    client_id: str
    reason: str
    raises_only: bool = False


class OrderFilled(Event, frozen=True, tag="filled", gc=False):
    """A (partial) fill: signed quantity, price, fee and slippage (both USDT, positive = cost)."""

    client_id: str
    leg: int
    qty_ltc: float
    price: float
    fee_usdt: float
    slippage_usdt: float


class OrderExpired(Event, frozen=True, tag="expired", gc=False):
    """What was left of an order is gone; `reason` says why."""

    client_id: str
    reason: str


class OrderUnknown(Event, frozen=True, tag="unknown", gc=False):
    """We cannot tell whether the venue has the order: it must be queried before any resend."""

    client_id: str


class FundingPaid(Event, frozen=True, tag="funding_paid", gc=False):
    """The venue settled funding on our legs at `mark` with `rate`.

    Where the venue tells what it paid, that counts: `amount_usdt`, positive when we received it,
    in the wallet of leg `leg`. Mark and rate may be NaN then.
    """

    mark: float = UNKNOWN
    rate: float = UNKNOWN
    amount_usdt: float = UNKNOWN
    leg: int = 0


class Liquidated(Event, frozen=True, tag="liquidated", gc=False):
    """The venue liquidated at `price`; `alive` tells whether any position is left.

    Where the venue tells what it closed, that counts: signed `qty_ltc` of leg `leg` for
    `fee_usdt`. Else it is what the venue's tiers ask for.
    """

    price: float
    alive: bool
    leg: int = 0
    qty_ltc: float = UNKNOWN
    fee_usdt: float = 0.0


class Deleveraged(Event, frozen=True, tag="deleveraged", gc=False):
    """The venue closed signed `qty_ltc` of a leg that wins, against somebody's liquidation."""

    leg: int
    qty_ltc: float
    price: float


class StopArmed(Event, frozen=True, tag="stop_armed", gc=False):
    """The venue holds a stop that closes `qty_ltc` (unsigned) of a leg at the mark `trigger`.

    A `qty_ltc` of 0 tells that it holds none any more.
    """

    leg: int
    qty_ltc: float
    trigger: float


class StopFailed(Event, frozen=True, tag="stop_failed", gc=False):
    """The venue did not take a stop, or lost it; what it held before may be there or not."""

    leg: int
    reason: str


class StopFilled(Event, frozen=True, tag="stop_filled", gc=False):
    """A stop of ours traded: signed change of its leg, price, fee (USDT)."""

    leg: int
    qty_ltc: float
    price: float
    fee_usdt: float


class Vitals(Event, frozen=True, tag="vitals", gc=False):
    """How this machine is: its clock ahead of the venue's, and how late the engine is, in ms.

    NaN where it was not measured. `is_second` tells that the clock is of the hedge's own venue.
    """

    skew_ms: float = UNKNOWN
    lag_ms: float = UNKNOWN
    is_second: bool = False


class ContractChanged(Event, frozen=True, tag="contract_changed", gc=False):
    """The venue changed the rules of a contract while we trade it; all of them as they are now.

    `tiers` are rows of `margin.tiers`: floor USDT, maintenance rate, cumulative USDT, maximum
    leverage. `is_second` tells that it is the contract on the hedge's own venue.
    """

    is_trading: bool
    tick_usdt: float
    lot_ltc: float
    min_notional_usdt: float
    taker_fee: float  # fraction
    clearance_fee: float  # fraction
    cap_usdt: float
    tiers: tuple[tuple[float, float, float, float], ...]
    is_second: bool = False


class Recording(Event, frozen=True, tag="recording", gc=False):
    """Whether the journal keeps what happens: `trouble` says why not, "" when it does."""

    trouble: str = ""


class TransferSent(Event, frozen=True, tag="transfer_sent", gc=False):
    """Money left one of our venues for the other; until it arrives it backs nothing."""

    transfer_id: str


class TransferArrived(Event, frozen=True, tag="transfer_arrived", gc=False):
    """Money that was sent is there: what was sent, less fees."""

    transfer_id: str
    amount_usdt: float


class TransferRejected(Event, frozen=True, tag="transfer_rejected", gc=False):
    """The venue did not send the money: it is where it was."""

    transfer_id: str
    reason: str


class TransferUnknown(Event, frozen=True, tag="transfer_unknown", gc=False):
    """We cannot tell whether the money was sent: the venue must be asked before any resend."""

    transfer_id: str


# --- people -----------------------------------------------------------------------------------


class Halt(Event, frozen=True, tag="halt", gc=False):
    """Stop: nothing but cancels and reducing orders until `Resume`."""

    reason: str


class Resume(Event, frozen=True, tag="resume", gc=False):
    """Go on; `word` must be the word that the screen asked to be typed."""

    word: str


class SetHedge(Event, frozen=True, tag="set_hedge", gc=False):
    """Hold this hedge ratio until `until_ns`, whatever the model says."""

    ratio: float
    until_ns: int


class Freeze(Event, frozen=True, tag="freeze", gc=False):
    """Leave the hedge as it is until `until_ns`."""

    until_ns: int


class Follow(Event, frozen=True, tag="follow", gc=False):
    """End any override: the policy decides again."""


class Adopt(Event, frozen=True, tag="adopt", gc=False):
    """Take over what the venue holds where our books differ, and go on from there."""


class Ignore(Event, frozen=True, tag="ignore", gc=False):
    """Leave what differs at the venue to the person who traded it; guard what our books hold."""


class CloseAll(Event, frozen=True, tag="close_all", gc=False):
    """Close position and hedge, in any trading state; then only watch."""

    reason: str = "a person asked"


MarketEvent = (
    Bar
    | Trade
    | Book
    | Liquidation
    | Funding
    | OpenInterest
    | Mark
    | Index
    | LongShortRatio
    | Transfer
    | Sentiment
    | PredictedFunding
    | Tick
)
AccountEvent = (
    Opened
    | Reported
    | OrderAccepted
    | OrderRejected
    | OrderFilled
    | OrderExpired
    | OrderUnknown
    | FundingPaid
    | Liquidated
    | Deleveraged
    | StopArmed
    | StopFailed
    | StopFilled
    | Vitals
    | ContractChanged
    | Recording
    | TransferSent
    | TransferArrived
    | TransferRejected
    | TransferUnknown
)
Command = Halt | Resume | SetHedge | Freeze | Follow | Adopt | Ignore | CloseAll
AnyEvent = MarketEvent | AccountEvent | Command | FeedHealth | ModelOffered | LessonOffered

_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(AnyEvent)
_BATCH_DECODER = msgspec.msgpack.Decoder(list[AnyEvent])
_NOT_OURS = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def encode(event: AnyEvent) -> bytes:
    """Return the event as bytes; `decode` gives back an equal event."""
    return _ENCODER.encode(event)


def encode_batch(events: list[AnyEvent]) -> bytes:
    """Return a list of events as bytes."""
    return _ENCODER.encode(events)


def decode(payload: bytes) -> AnyEvent:
    """Read one event.

    Raises
    ------
    BadMessage
        When the bytes are not an event.
    """
    try:
        return _DECODER.decode(payload)
    except _NOT_OURS as error:
        raise BadMessage(f"not an event ({error})", "it is skipped") from None


def decode_batch(payload: bytes) -> list[AnyEvent]:
    """Read a list of events.

    Raises
    ------
    BadMessage
        When the bytes are not a list of events.
    """
    try:
        return _BATCH_DECODER.decode(payload)
    except _NOT_OURS as error:
        raise BadMessage(f"not a batch of events ({error})", "it is skipped") from None

"""What the engine wants done, as data: the shell does it and the journal keeps it."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from litehedge.hedge.band import Recommendation
from litehedge.hedge.leverage import LeverageAdvice
from litehedge.market.events import Freeze, SetHedge
from litehedge.orders.manager import Order
from litehedge.orders.transfers import MarginTransfer
from litehedge.risk.limits import Verdict


class Submit(msgspec.Struct, frozen=True, tag="submit"):
    """Send this order; it must be in the journal first."""

    order: Order


class Query(msgspec.Struct, frozen=True, tag="query"):
    """Ask the venue what became of an order."""

    client_id: str


class Transfer(msgspec.Struct, frozen=True, tag="transfer"):
    """Move margin between our two venues; it must be in the journal first."""

    transfer: MarginTransfer


class QueryTransfer(msgspec.Struct, frozen=True, tag="query_transfer"):
    """Ask the venue what became of a transfer."""

    transfer_id: str


class CancelAll(msgspec.Struct, frozen=True, tag="cancel_all"):
    """Cancel every open order."""

    reason: str


class Alert(msgspec.Struct, frozen=True, tag="alert"):
    """Tell a person: what, why, what happens next."""

    level: Literal["act_now", "done", "digest"]
    text: str


class Decision(msgspec.Struct, frozen=True, tag="decision"):
    """One frame's decision with everything that made it; held and refused ones too.

    `onset` are the probabilities of a squeeze within 15, 60, 240 minutes, first of the long, then
    of the short side. Distances are fractions of price.
    """

    time_ns: int
    price: float
    trading_state: str
    recommendation: Recommendation
    verdicts: list[Verdict]
    order_id: str
    equity_usdt: float
    distance: float
    advice: LeverageAdvice
    onset: list[float]
    forecast_state: int


class StateChange(msgspec.Struct, frozen=True, tag="state_change"):
    """The trading state changed."""

    time_ns: int
    before: str
    after: str
    cause: str


class Checkpoint(msgspec.Struct, frozen=True, tag="checkpoint"):
    """What a restart takes up again; what came from the account and people after it is relived.

    `books` and `budgets` are the fields of their records by name.
    """

    time_ns: int
    trading: int
    is_open: bool
    books: dict[str, Any]
    budgets: dict[str, Any]
    size_ltc: float
    floor_usdt: float
    memory: list[float]
    order: Order | None
    orders_made: int
    transfer: MarginTransfer | None
    transfers_made: int
    transfer_wait_ns: int
    override: SetHedge | Freeze | None
    hedge_wait_ns: int
    closed_ltc: float
    is_reduced_by_books: bool


Effect = (
    Submit
    | Query
    | Transfer
    | QueryTransfer
    | CancelAll
    | Alert
    | Decision
    | StateChange
    | Checkpoint
)

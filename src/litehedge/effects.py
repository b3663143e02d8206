"""What the engine wants done, as data: the shell does it and the journal keeps it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Literal

import msgspec

from litehedge.hedge.band import Recommendation
from litehedge.hedge.leverage import LeverageAdvice
from litehedge.hedge.rules import Then
from litehedge.market.events import Freeze, SetHedge
from litehedge.orders.manager import Order
from litehedge.orders.transfers import MarginTransfer
from litehedge.risk.health import Preview
from litehedge.risk.verdicts import Verdict
from litehedge.squeeze.forecast import Outlook


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


class KeepStop(msgspec.Struct, frozen=True, tag="keep_stop"):
    """Keep a reduce-only stop at the venue: it closes `qty_ltc` (unsigned) of a leg at a mark.

    The last one for a leg counts; 0 takes it away. It must stand at every moment, also while this
    machine is off: it is placed again whenever the venue turns out not to have it.
    """

    leg: int
    qty_ltc: Decimal
    trigger_usdt: Decimal


class PlanFired(msgspec.Struct, frozen=True, tag="plan_fired"):
    """A plan that was written beforehand came true and was carried out.

    `until_ns` is when what it holds ends, 0 where it holds nothing.
    """

    time_ns: int
    name: str
    then: Then
    until_ns: int


class CancelAll(msgspec.Struct, frozen=True, tag="cancel_all"):
    """Cancel every open order."""

    reason: str


AlertLevel = Literal["act_now", "done", "digest"]


class Alert(msgspec.Struct, frozen=True, tag="alert", omit_defaults=True):
    """Tell a person: what, why, what happens next.

    `key` names what it is about, the same each time it is told: repetitions are counted, and an
    alert that `clears` says that it is right again. Without one it stands for itself.
    """

    level: AlertLevel
    text: str
    key: str = ""
    clears: bool = False


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
    outlook: Outlook | None = None


class Protection(msgspec.Struct, frozen=True, tag="protection"):
    """Something was closed between two decisions: why, what, and the account before and after."""

    time_ns: int
    why: str
    leg: int
    qty_ltc: float
    price: float
    before: Preview
    after: Preview
    order_id: str


class Watched(msgspec.Struct, frozen=True, tag="watched"):
    """A watch of the parachute opened or closed; `detail` holds what was measured."""

    time_ns: int
    watch: str
    is_open: bool
    detail: str


class ModelChange(msgspec.Struct, frozen=True, tag="model_change"):
    """Another model forecasts from now on: ids before and after, its folder, why it was offered.

    It lived through the frames that ended from `from_ns` on (0: none before its offer).
    """

    time_ns: int
    before: str
    after: str
    folder: str
    from_ns: int
    why: str


class Learnt(msgspec.Struct, frozen=True, tag="learnt"):
    """What was learnt about a model's forecasts counts from now on: see `squeeze.learnt.NAMES`.

    `number` is that of the update, `before` and `after` are all values.
    """

    time_ns: int
    model: str
    number: int
    before: list[float]
    after: list[float]
    why: str


class StateChange(msgspec.Struct, frozen=True, tag="state_change"):
    """The trading state changed."""

    time_ns: int
    before: str
    after: str
    cause: str


class Closing(msgspec.Struct, frozen=True):
    """Position and hedge are being closed, as somebody asked.

    `slice_ltc` is the largest order while both legs are alike; before `next_ns` none is sent;
    `misses` counts the orders in a row of which nothing traded.
    """

    reason: str
    slice_ltc: float
    next_ns: int = 0
    misses: int = 0


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
    closing: Closing | None = None
    ignored_ltc: list[float] = []
    plans_true_ns: dict[str, int] = {}
    stops: dict[int, tuple[float, float]] = {}  # leg -> quantity and trigger that the venue holds
    is_reduced_by_record: bool = False
    is_begun: bool | None = None  # whether there was an account; None: the version did not tell
    is_stopped: list[bool] = []  # whether a venue does not trade the contract: position, second


Effect = (
    Submit
    | Query
    | Transfer
    | QueryTransfer
    | KeepStop
    | PlanFired
    | CancelAll
    | Alert
    | Decision
    | Protection
    | Watched
    | StateChange
    | ModelChange
    | Learnt
    | Checkpoint
)

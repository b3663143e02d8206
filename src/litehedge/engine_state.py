"""What the engine knows between two events, and how it begins."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from litehedge.config import Settings, VenueRules
from litehedge.effects import (
    Alert,
    CancelAll,
    Checkpoint,
    Closing,
    Effect,
    KeepStop,
    StateChange,
)
from litehedge.features.vector import N_FEATURES, FeatureStream
from litehedge.hedge import signals as sg
from litehedge.hedge.plan_kernel import terms_of_plans
from litehedge.hedge.policies import Policy, policy_named
from litehedge.hedge.rule_kernel import new_memory
from litehedge.hedge.terms import Terms, terms_of
from litehedge.margin.account import new_account
from litehedge.margin.liquidation import distance_apart
from litehedge.margin.tiers import TierTable
from litehedge.market import events as ev
from litehedge.market.frames import FrameFold
from litehedge.orders.manager import Order
from litehedge.orders.transfers import MarginTransfer
from litehedge.risk.guards import Guards, new_guards
from litehedge.risk.limits import N_GUARDS, limits_array, new_budget
from litehedge.risk.state import Cause, TradingState, next_state
from litehedge.squeeze.forecast import Forecaster, Memory, cold_row
from litehedge.squeeze.hazard import N_ONSET
from litehedge.squeeze.history import Heir, History
from litehedge.squeeze.learnt import SHIPPED, Values
from litehedge.units import BPS, NS_PER_HOUR

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Fixed:
    """What does not change while the engine runs."""

    settings: Settings
    policy: Policy
    tiers: TierTable
    forecaster: Forecaster
    session: str
    atom_ns: int
    per_frame: int
    held_every_ns: int  # how often a decision that changes nothing is recorded; 0 = always
    keeps_checkpoints: bool = False  # whether effects hold what a restart needs
    looks_between: bool = True  # whether anything is done between two frames: see `protecting`

    @property
    def frame_ns(self) -> int:
        """How long a frame is."""
        return self.atom_ns * self.per_frame


@dataclass(slots=True)
class Stop:
    """A protective stop of one leg: what is wanted, and what the venue last said that it holds."""

    wanted: KeepStop | None = None
    armed_ltc: float = 0.0  # unsigned; 0: it holds none, as far as we know
    armed_usdt: float = 0.0  # the mark at which it fires
    failed_ns: int = -1  # when people last heard that it does not stand; -1 while it does
    is_known: bool = True  # whether what the venue holds is known: not right after a restart


@dataclass(slots=True)
class State:
    """What the engine knows. Owned by `step`."""

    fixed: Fixed
    fold: FrameFold
    features: FeatureStream
    model: Memory
    books: NDArray[np.void]
    budgets: NDArray[np.void]
    limits: NDArray[np.void]
    terms: Terms
    memory: Floats
    guards: Guards
    safe: Terms  # of the rule that needs no forecast
    trading: TradingState = TradingState.ACTIVE
    is_begun: bool = False  # whether there ever was an account: before the first `Opened`, none
    is_open: bool = False  # whether there is a position to guard
    needs_reconciling: bool = False  # after a restart: nothing is sent until the account was told
    order: Order | None = None  # the one order in flight
    asked_ns: int = -1  # when the venue was last asked about that order
    orders_made: int = 0
    moves_money: bool = False  # whether margin moves between two venues
    transfer: MarginTransfer | None = None  # the one transfer under way
    transfer_asked_ns: int = -1  # when the venue was last asked about it
    transfer_wait_ns: int = -1  # before this time no other is tried
    transfers_made: int = 0
    hedge_wait_ns: int = -1  # before this time the venue is taken to refuse new hedges
    refused: int = 0  # orders in a row
    refused_told_ns: int = -1  # when people last heard of it
    closed_ltc: float = 0.0  # of the position, closed instead of hedged in this danger
    # What venues say they hold, of the position's account and of the second one: see `truth`.
    reports: list[ev.Reported | None] = field(default_factory=lambda: [None, None])
    truth_ns: list[int] = field(default_factory=lambda: [-1, -1])  # of what was taken over last
    # Of the hedge's own venue, as it told them; None: as at the position's
    hedge_rules: VenueRules | None = None
    hedge_tiers: TierTable | None = None
    hedge_fee: float | None = None  # taker, fraction
    booked_ns: list[int] = field(default_factory=lambda: [-1, -1])  # of what we booked last
    differs_ns: int = -1  # since when our books differ from that; -1 when they do not
    is_differing: bool = False  # whether a person was told, and has not taken over yet
    is_reduced_by_books: bool = False  # whether that is why trading is REDUCING
    is_unrecorded: bool = False  # whether the journal does not keep what happens
    is_reduced_by_record: bool = False  # whether that is why trading is REDUCING
    override: ev.SetHedge | ev.Freeze | None = None
    price_ns: int = -1
    is_silent: bool = False  # whether the price feed has been silent for too long
    refusals: int = 0  # frames in which guards cut or refused what the band wanted
    refusal_ns: int = -1  # when the last refusal was told
    held_ns: int = -1
    decide_soon: bool = False  # whether something happened that the next frame is too late for
    price: float = float("nan")  # of the last frame
    signals: NDArray[np.float32] = field(
        default_factory=lambda: np.full((sg.N_SIGNALS, 1), np.nan, dtype=np.float32)
    )
    row: Floats = field(default_factory=cold_row)  # the last frame's forecast
    cif: Floats = field(default_factory=lambda: np.empty((2, N_ONSET)))
    allowed: Floats = field(default_factory=lambda: np.empty(N_GUARDS))
    # By leg. What is wanted is in no checkpoint: after every start the venue is told anew.
    stops: dict[int, Stop] = field(default_factory=dict)
    # Whether the position's venue, and the second one, do not trade the contract: see `contract`.
    is_stopped: list[bool] = field(default_factory=lambda: [False, False])
    last_price: float = float("nan")  # of the last trade, middle of a book, or bar
    last_depth_usdt: float = float("nan")  # of the thinner side of the last book
    again_ns: int = -1  # when what a person holds was last looked at between frames
    closing: Closing | None = None  # everything is being closed: see `closing`
    # What venues hold beside our books and a person minds: of the position, of the hedge
    ignored_ltc: list[float] = field(default_factory=lambda: [0.0, 0.0])
    plans_true_ns: dict[str, int] = field(default_factory=dict)  # plans that fired: last held
    plans_looked_ns: int = -1
    plan_terms: Terms | None = None  # terms with the plans for rules; None without plans
    history: History | None = None  # of a session that goes on: what another model begins with
    heir: Heir | None = None  # a model that waits to take over: see `succession`
    learnt: Values = SHIPPED  # what was learnt about the model's forecasts: see `lessons`
    lesson: ev.LessonOffered | None = None  # what waits to be taken up
    watch: str = ""  # what the watch over the model said last


def start(
    settings: Settings,
    policy: Policy,
    tiers: TierTable,
    forecaster: Forecaster,
    *,
    session: str,
    atom_ns: int,
    per_frame: int = 1,
    held_every_ns: int = NS_PER_HOUR,
    trading: TradingState = TradingState.ACTIVE,
    keeps_checkpoints: bool = False,
    checkpoint: Checkpoint | None = None,
    needs_reconciling: bool = False,
    looks_between: bool = True,
) -> State:
    """Return the state before the first event.

    Parameters
    ----------
    trading
        From the journal on a restart; a checkpoint outranks it.
    keeps_checkpoints
        Whether checkpoints are among the effects, for a restart.
    checkpoint
        Where an earlier run stood: see `store.journal.Journal.last_checkpoint`.
    needs_reconciling
        Whether nothing is sent until an `Opened` with `is_resumed` came.
    looks_between
        Whether the guards look at the account between two frames; not where a run has to do the
        same as the compiled loop, which sees frames alone.
    """
    fixed = Fixed(
        settings, policy, tiers, forecaster, session, atom_ns, per_frame, held_every_ns,
        keeps_checkpoints, looks_between,
    )  # fmt: skip
    state = State(
        fixed=fixed,
        fold=FrameFold(atom_ns, per_frame),
        features=FeatureStream(atom_ns, per_frame),
        model=forecaster.start(per_frame),
        books=new_account(0.0, 0.0, 0.0, 1.0),
        budgets=new_budget(0.0),
        limits=limits_array(settings.limits),
        terms=terms_of(settings, policy, tiers, 0.0),
        memory=new_memory(),
        guards=new_guards(settings, tiers),
        safe=terms_of(settings, policy_named("plugin", settings), tiers, 0.0),
        trading=trading,
        needs_reconciling=needs_reconciling,
        moves_money=settings.transfer.enabled and settings.hedge.location == "second_venue",
    )
    state.plan_terms = terms_of_plans(state.terms, policy.rules)
    if keeps_checkpoints:
        state.history = History(per_frame, N_FEATURES)
    if checkpoint is not None:
        restore(state, checkpoint)
    return state


def rules_of(state: State, leg: int) -> VenueRules:
    """Return the steps and the smallest order of the venue where a leg lives."""
    is_apart = int(state.books["wallet_of"][0, leg]) == 1
    if is_apart and state.hedge_rules is not None:
        return state.hedge_rules
    return state.fixed.settings.venue


def tiers_by_venue(state: State) -> tuple[Floats, Floats]:
    """Return the maintenance tiers of the position's venue and of the hedge's own."""
    rows, second = state.fixed.tiers.rows, state.hedge_tiers
    return rows, rows if second is None else second.rows


def taker_fee(state: State, leg: int) -> float:
    """Return the fee of the venue where a leg lives, as a fraction."""
    is_apart = int(state.books["wallet_of"][0, leg]) == 1
    if is_apart and state.hedge_fee is not None:
        return state.hedge_fee
    return state.fixed.settings.costs.taker_fee_bps * BPS


def distance_now(state: State, price: float) -> float:
    """Return how far the mark must move until the first liquidation, as a fraction."""
    return float(distance_apart(state.books, price, *tiers_by_venue(state)))


# --- checkpoints --------------------------------------------------------------------------------


def take_checkpoint(state: State, now_ns: int) -> Checkpoint:
    """Return what a restart needs of the state."""
    return Checkpoint(
        time_ns=now_ns,
        trading=int(state.trading),
        is_open=state.is_open,
        books=_told(state.books),
        budgets=_told(state.budgets),
        size_ltc=float(state.terms["size"][0]),
        floor_usdt=float(state.terms["floor"][0]),
        memory=state.memory.tolist(),
        order=state.order,
        orders_made=state.orders_made,
        transfer=state.transfer,
        transfers_made=state.transfers_made,
        transfer_wait_ns=state.transfer_wait_ns,
        override=state.override,
        hedge_wait_ns=state.hedge_wait_ns,
        closed_ltc=state.closed_ltc,
        is_reduced_by_books=state.is_reduced_by_books,
        stops={
            leg: (stop.armed_ltc, stop.armed_usdt)
            for leg, stop in state.stops.items()
            if stop.armed_ltc > 0.0
        },
        is_reduced_by_record=state.is_reduced_by_record,
        closing=state.closing,
        ignored_ltc=list(state.ignored_ltc),
        plans_true_ns=dict(state.plans_true_ns),
        is_begun=state.is_begun,
        is_stopped=list(state.is_stopped),
    )


def restore(state: State, checkpoint: Checkpoint) -> None:
    """Take up what an earlier run knew. Statistics of the market and the forecast warm up anew.

    A field that the checkpoint does not know, because it came later, stays as it is.
    """
    for record, told in ((state.books, checkpoint.books), (state.budgets, checkpoint.budgets)):
        for name, value in told.items():
            if name in (record.dtype.names or ()):
                record[name][0] = value
    state.terms["size"] = checkpoint.size_ltc
    state.terms["floor"] = checkpoint.floor_usdt
    memory = checkpoint.memory[: state.memory.size]
    state.memory[: len(memory)] = memory
    state.trading = TradingState(checkpoint.trading)
    state.is_open = checkpoint.is_open
    state.order = checkpoint.order
    state.orders_made = checkpoint.orders_made
    state.transfer = checkpoint.transfer
    state.transfers_made = checkpoint.transfers_made
    state.transfer_wait_ns = checkpoint.transfer_wait_ns
    state.override = checkpoint.override
    state.hedge_wait_ns = checkpoint.hedge_wait_ns
    state.closed_ltc = checkpoint.closed_ltc
    state.is_reduced_by_books = checkpoint.is_reduced_by_books
    state.stops = {leg: Stop(None, *armed) for leg, armed in checkpoint.stops.items()}
    state.is_reduced_by_record = checkpoint.is_reduced_by_record
    state.closing = checkpoint.closing
    state.ignored_ltc = [*checkpoint.ignored_ltc, 0.0, 0.0][:2]
    state.plans_true_ns = dict(checkpoint.plans_true_ns)
    if checkpoint.is_begun is not None:
        state.is_begun = checkpoint.is_begun
    else:  # of an earlier version, which did not tell
        state.is_begun = checkpoint.is_open or float(state.budgets["equity_start"][0]) > 0.0
    state.is_stopped = [*checkpoint.is_stopped, False, False][:2]


def _told(record: NDArray[np.void]) -> dict[str, Any]:
    values = record.tolist()[0]  # of all fields at once: asking for each costs ten times as much
    return {
        name: value.tolist() if isinstance(value, np.ndarray) else value
        for name, value in zip(record.dtype.names or (), values, strict=True)
    }


# --- the trading state --------------------------------------------------------------------------

_NOTHING: Final[list[Effect]] = []


def transition(state: State, cause: Cause, now_ns: int) -> list[Effect]:
    """Move the trading state by its table; say so if it moved."""
    before = state.trading
    after = next_state(before, cause)
    if after is before:
        return _NOTHING
    if after is TradingState.ACTIVE and (held := _held_by(state)) is not None:
        after, cause = TradingState.REDUCING, held
    state.is_reduced_by_books = cause is Cause.BOOKS_DIFFER
    state.is_reduced_by_record = cause is Cause.RECORD_FAILS
    if after is before:
        return [Alert("done", f"trading stays {after.name}: {cause.value}")]
    state.trading = after
    level: Literal["act_now", "done"] = "act_now" if after > before else "done"
    text = f"trading is {after.name}: {cause.value}"
    return [
        StateChange(now_ns, before.name, after.name, cause.value),
        *([CancelAll(cause.value)] if after is TradingState.HALTED else []),
        Alert(level, text, "trading", clears=after is TradingState.ACTIVE),
    ]


def _held_by(state: State) -> Cause | None:
    """Return what does not let trading be ACTIVE again, whatever ended; it ends by itself."""
    if state.is_differing:
        return Cause.BOOKS_DIFFER
    return Cause.RECORD_FAILS if state.is_unrecorded else None

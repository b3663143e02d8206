"""What the engine knows between two events, and how it begins."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from litehedge.config import Settings
from litehedge.features.vector import FeatureStream
from litehedge.hedge import signals as sg
from litehedge.hedge.policies import Policy
from litehedge.hedge.rule_kernel import new_memory
from litehedge.hedge.terms import Terms, terms_of
from litehedge.margin.account import new_account
from litehedge.margin.tiers import TierTable
from litehedge.market import events as ev
from litehedge.market.frames import FrameFold
from litehedge.orders.manager import Order
from litehedge.orders.transfers import MarginTransfer
from litehedge.risk.limits import N_GUARDS, limits_array, new_budget
from litehedge.risk.state import TradingState
from litehedge.squeeze.forecast import Forecaster, Memory
from litehedge.squeeze.hazard import N_ONSET
from litehedge.units import NS_PER_HOUR

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
    trading: TradingState = TradingState.ACTIVE
    is_open: bool = False  # whether there is a position to guard
    order: Order | None = None  # the one order in flight
    asked_ns: int = -1  # when the venue was last asked about that order
    orders_made: int = 0
    moves_money: bool = False  # whether margin moves between two venues
    transfer: MarginTransfer | None = None  # the one transfer under way
    transfer_asked_ns: int = -1  # when the venue was last asked about it
    transfer_wait_ns: int = -1  # before this time no other is tried
    transfers_made: int = 0
    override: ev.SetHedge | ev.Freeze | None = None
    price_ns: int = -1
    is_silent: bool = False  # whether the price feed has been silent for too long
    refusals: int = 0  # frames in which guards cut or refused what the band wanted
    refusal_ns: int = -1  # when the last refusal was told
    held_ns: int = -1
    signals: NDArray[np.float32] = field(
        default_factory=lambda: np.full((sg.N_SIGNALS, 1), np.nan, dtype=np.float32)
    )
    cif: Floats = field(default_factory=lambda: np.empty((2, N_ONSET)))
    allowed: Floats = field(default_factory=lambda: np.empty(N_GUARDS))


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
) -> State:
    """Return the state before the first event. `trading` comes from the journal on a restart."""
    fixed = Fixed(
        settings, policy, tiers, forecaster, session, atom_ns, per_frame, held_every_ns
    )  # fmt: skip
    return State(
        fixed=fixed,
        fold=FrameFold(atom_ns, per_frame),
        features=FeatureStream(atom_ns, per_frame),
        model=forecaster.start(per_frame),
        books=new_account(0.0, 0.0, 0.0, 1.0),
        budgets=new_budget(0.0),
        limits=limits_array(settings.limits),
        terms=terms_of(settings, policy, tiers, 0.0),
        memory=new_memory(),
        trading=trading,
        moves_money=settings.transfer.enabled and settings.hedge.location == "second_venue",
    )

"""What a screen knows of a session: the journal's news, folded.

Pure: news come in as data, time as an argument. The account between two checkpoints is what the
engine itself would make of it, so the distance to liquidation on the screen is the engine's.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from math import nan
from typing import Final, get_args

from litehedge.config import Settings
from litehedge.decision import sizes
from litehedge.effects import (
    Alert,
    Checkpoint,
    Decision,
    Effect,
    PlanFired,
    Protection,
    StateChange,
    Watched,
)
from litehedge.engine import relive
from litehedge.engine_state import State, restore, start, tiers_by_venue
from litehedge.hedge.policies import policy_named
from litehedge.margin.account import equity
from litehedge.margin.liquidation import bounds_apart, distance_apart
from litehedge.market import events as ev
from litehedge.market.events import AnyEvent
from litehedge.model.baselines.blind import BlindForecaster
from litehedge.risk.state import TradingState
from litehedge.store.bundled import tier_table
from litehedge.store.header import Header
from litehedge.store.journal import decode_checkpoint
from litehedge.units import NS_PER_HOUR, NS_PER_SECOND

PRICES: Final = 3600
"""So many prices are kept, one a second at most."""

KEPT: Final = 200
_PERSONAL: Final = frozenset(get_args(ev.AccountEvent) + get_args(ev.Command))


@dataclass(frozen=True, slots=True)
class Account:
    """The account at a price, money in USDT; `away` is a fraction of the price, signed sizes LTC.

    `liquidation` is the nearest price at which the venue closes, NaN where there is none.
    """

    side: str
    position_ltc: float  # as the person opened it, unsigned
    held_ltc: float  # of it, now at the venue
    hedge_ltc: float
    ratio: float
    equity_usdt: float
    leverage: float  # net exposure / equity
    away: float
    liquidation: float


@dataclass(slots=True)
class Seen:
    """One session as far as its journal tells. `count` are the items taken in so far.

    Prices and forecasts are ``(event time in ns, value)``; a forecast is the probability of a
    squeeze within an hour, of longs and of shorts.
    """

    name: str
    header: Header | None = None
    run_id: int = 0
    settings: Settings = field(default_factory=Settings)
    state: State | None = None
    count: int = 0
    since: int = 0  # the count at which its past begins: another, and charts are drawn anew
    now_ns: int = 0  # of the newest event
    run_ns: int = 0  # of the newest event of this run, 0 before the first
    price: float = nan
    price_ns: int = 0
    prices: deque[tuple[int, float]] = field(default_factory=lambda: deque(maxlen=PRICES))
    onsets: deque[tuple[int, float, float]] = field(default_factory=lambda: deque(maxlen=KEPT))
    hedges: deque[tuple[int, float]] = field(default_factory=lambda: deque(maxlen=KEPT))
    decision: Decision | None = None  # the newest of this run
    decisions: deque[Decision] = field(default_factory=lambda: deque(maxlen=KEPT))
    alerts: deque[tuple[int, Alert]] = field(default_factory=lambda: deque(maxlen=50))
    changes: deque[StateChange] = field(default_factory=lambda: deque(maxlen=50))
    protections: deque[Protection] = field(default_factory=lambda: deque(maxlen=50))
    plans: deque[PlanFired] = field(default_factory=lambda: deque(maxlen=50))
    commands: deque[AnyEvent] = field(default_factory=lambda: deque(maxlen=50))
    fills: deque[ev.OrderFilled] = field(default_factory=lambda: deque(maxlen=50))
    watches: dict[str, Watched] = field(default_factory=dict)  # open ones
    heard_ns: dict[str, int] = field(default_factory=dict)  # by kind of event: when known last
    last: dict[str, AnyEvent] = field(default_factory=dict)  # by kind: the newest
    sources: dict[str, ev.FeedHealth] = field(default_factory=dict)  # of this run, by name
    funding: dict[str, ev.PredictedFunding] = field(default_factory=dict)  # by venue
    liquidations: deque[ev.Liquidation] = field(default_factory=lambda: deque(maxlen=2000))
    interest: deque[tuple[int, float]] = field(default_factory=lambda: deque(maxlen=PRICES))

    # --- taking in ----------------------------------------------------------------------------

    def begin(self, run_id: int, header: Header) -> None:
        """Take in that a run began.

        What an earlier one told stays as the past. What is said of now does not: the price, the
        decision that counts, watches and sources are those of this run.
        """
        self.count += 1
        self.price, self.price_ns = nan, 0
        self.decision = None
        self.last.clear()
        self.heard_ns.clear()
        self.funding.clear()
        self.interest.clear()
        self.run_ns = 0
        self.run_id, self.header = run_id, header
        self.settings = Settings.model_validate(header.settings)
        venue = self.settings.venue
        tiers = tier_table(venue.name, venue.symbol) if header.tiers is None else header.tiers.table
        self.state = start(
            self.settings, policy_named("plugin", self.settings), tiers, BlindForecaster(),
            session=header.session, atom_ns=header.atom_ns, per_frame=header.per_frame,
            trading=TradingState(header.trading_state),
            checkpoint=decode_checkpoint(header.checkpoint),
        )  # fmt: skip
        self.watches.clear()
        self.sources.clear()

    def forget(self) -> None:
        """Begin anew, as if nothing had been seen."""
        fresh = Seen(self.name, count=self.count + 1, since=self.count + 1)
        for one in fields(self):
            setattr(self, one.name, getattr(fresh, one.name))

    def take(self, items: Iterable[AnyEvent | Effect]) -> None:
        """Take in events and effects in order."""
        for item in items:
            self.count += 1
            if isinstance(item, ev.Event):
                self._event(item)
            else:
                self._effect(item)

    def _event(self, event: AnyEvent) -> None:
        if not self.run_ns and event.known_ns < self.now_ns:
            self._goes_back()
        self.run_ns = self.now_ns = max(self.now_ns, event.known_ns)
        kind = type(event)
        if isinstance(event, ev.FeedHealth):
            self.sources[event.source] = event
            return
        name = str(kind.__struct_config__.tag)
        if kind in _PERSONAL:
            self._personal(event)
        elif kind is not ev.Tick:
            self.heard_ns[name] = event.known_ns
            self.last[name] = event
        if isinstance(event, ev.Book):
            self._priced(event.known_ns, 0.5 * (event.bid + event.ask))
        elif isinstance(event, ev.Trade):
            self._priced(event.known_ns, event.price)
        elif isinstance(event, ev.Bar) and event.asset == "LTC":
            self._priced(event.known_ns, event.close)
        elif isinstance(event, ev.PredictedFunding):
            self.funding[event.venue] = event
        elif isinstance(event, ev.Liquidation):
            self.liquidations.append(event)
        elif isinstance(event, ev.OpenInterest):
            self.interest.append((event.known_ns, event.oi_ltc))

    def _goes_back(self) -> None:
        """Drop what has times: this run began before the last one ended, by its own clock."""
        self.since, self.now_ns = self.count, 0
        for past in (self.prices, self.onsets, self.hedges, self.liquidations):
            past.clear()

    def clock_ns(self, wall_ns: int) -> int:
        """Return the time by the session's own clock, given this machine's.

        A demo's market has its own, which runs faster: what is to last an hour there, lasts an
        hour of that market.
        """
        return wall_ns if self.mode in ("paper", "live") else self.now_ns

    def _priced(self, now_ns: int, price: float) -> None:
        if not price > 0.0:
            return
        self.price, self.price_ns = price, now_ns
        if self.prices and now_ns - self.prices[-1][0] < NS_PER_SECOND:
            self.prices[-1] = (self.prices[-1][0], price)
        else:
            self.prices.append((now_ns, price))

    def _personal(self, event: AnyEvent) -> None:
        if isinstance(event, ev.Command):
            self.commands.append(event)
        elif isinstance(event, ev.OrderFilled):
            self.fills.append(event)
        if self.state is not None:
            self.state = relive(self.state, [event])

    def _effect(self, effect: Effect) -> None:
        if isinstance(effect, Checkpoint):
            if self.state is not None:
                restore(self.state, effect)
        elif isinstance(effect, Decision):
            self.decisions.append(effect)
            self.decision = effect
            self.onsets.append((effect.time_ns, effect.onset[1], effect.onset[4]))
            self.hedges.append((effect.time_ns, effect.recommendation.ratio))
        elif isinstance(effect, Alert):
            self.alerts.append((self.now_ns, effect))
        elif isinstance(effect, StateChange):
            self.changes.append(effect)
            if self.state is not None:
                self.state.trading = TradingState[effect.after]
        elif isinstance(effect, Protection):
            self.protections.append(effect)
        elif isinstance(effect, PlanFired):
            self.plans.append(effect)
        elif isinstance(effect, Watched):
            if effect.is_open:
                self.watches[effect.watch] = effect
            else:
                self.watches.pop(effect.watch, None)

    # --- what follows from it -----------------------------------------------------------------

    @property
    def mode(self) -> str:
        """Paper, live, demo or backtest; "" before anything is known."""
        return "" if self.header is None else self.header.mode

    @property
    def trading(self) -> TradingState:
        """The trading state."""
        return TradingState.ACTIVE if self.state is None else self.state.trading

    @property
    def holds(self) -> bool:
        """Whether there is a position or a hedge, as far as the books tell; no price is needed."""
        state = self.state
        return state is not None and state.is_open and bool(state.books["qty"][0].any())

    def account(self, price: float = nan) -> Account | None:
        """Return the account at `price`, by default the newest.

        None where there is no position, and where no price of this run is known yet: see `holds`.
        """
        state = self.state
        price = self.price if price != price else price
        if state is None or not state.is_open or not price > 0.0:
            return None
        tiers, second = tiers_by_venue(state)
        position, hedge = sizes(state.terms, state.books)
        worth = float(equity(state.books, price))
        low, high = bounds_apart(state.books, price, tiers, second)
        qty = state.books["qty"][0]
        near = nan
        if low > 0.0 or high < float("inf"):
            near = float(low) if price - low < high - price else float(high)
        return Account(
            side=self.settings.position.side,
            position_ltc=float(position),
            held_ltc=abs(float(qty[0])),
            hedge_ltc=float(hedge),
            ratio=float(hedge / position) if position > 0.0 else 0.0,
            equity_usdt=worth,
            leverage=abs(float(qty.sum())) * price / worth if worth > 0.0 else nan,
            away=float(distance_apart(state.books, price, tiers, second)),
            liquidation=near,
        )


RECENT_NS: Final = NS_PER_HOUR
"""How much of the past a screen reads when it opens a session."""

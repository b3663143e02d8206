"""Many accounts in one crash, each with an engine and a venue of its own, in one world.

The world runs once. Whoever trades in it is too small to be felt, so that all see the same market.
All engines look through the same `Eyes`: an event is folded, measured and forecast once. Everything
after that is each engine's own, and it is the engine that would run live. A venue whose account
cannot change in a second (`Floor`) is not shown that second.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from math import isnan
from typing import Any, Final, cast, get_args

import numpy as np
from numpy.typing import NDArray

from litehedge.backtest import with_location, with_position
from litehedge.blowup.lives import opened
from litehedge.config import Settings
from litehedge.decision import sizes
from litehedge.effects import Decision, Effect, Submit
from litehedge.engine import step
from litehedge.engine_state import State, start
from litehedge.features.vector import FeatureStream
from litehedge.hedge.policies import policy_named
from litehedge.margin.account import HEDGE, POSITION, equity
from litehedge.margin.liquidation import bounds
from litehedge.margin.tiers import TierTable
from litehedge.market import events as ev
from litehedge.market.frames import FrameFold
from litehedge.runner import run
from litehedge.sim.market.feed import LiveMarket
from litehedge.sim.market.gateway import Reply
from litehedge.sim.market.recording import Second
from litehedge.sim.scenario import Scenario, compose, shocks_array
from litehedge.sim.study import warmed_world
from litehedge.sim.venue import Opening, SimVenue
from litehedge.squeeze.forecast import Forecaster, Memory
from litehedge.units import NS_PER_DAY, NS_PER_SECOND
from studies.crash_fates import (
    AFTER_S,
    CANCELLED,
    PLUNGE_S,
    REFUSALS,
    UNHEDGED,
    Arm,
    Fate,
    Timing,
    cause,
    timing,
    word_of,
)

ATOM_S: Final = 5
PER_FRAME: Final = 12
WHOLE: Final = 0.999
"""A hedge of this share of the position is whole, but for lots."""

_TELLING: Final = (ev.Bar, ev.Book, ev.Trade, ev.Mark, ev.Index, ev.Tick)
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Eyes:
    """Fold, features and forecaster of all engines of a world: each event is worked on once.

    `see` takes in the events of an atom; then `push`, `advance` and `step` answer every engine as
    a `FrameFold`, a `FeatureStream` and a `Forecaster` of its own would.
    """

    def __init__(self, forecaster: Forecaster) -> None:
        self._fold = FrameFold(ATOM_S * NS_PER_SECOND, PER_FRAME)
        self._stream = FeatureStream(ATOM_S * NS_PER_SECOND, PER_FRAME)
        self._forecaster = forecaster
        self._memory = forecaster.start(PER_FRAME)
        self._frames: dict[int, list[tuple[int, Floats]]] = {}
        self._seen: dict[int, tuple[Floats, Floats]] = {}  # features and forecast by end

    def see(self, events: Sequence[ev.MarketEvent]) -> None:
        """Take in events, which must stay alive until the next call."""
        self._frames = {}
        self._seen = {}
        for event in events:
            frames = self._fold.push(event)
            if not frames:
                continue
            self._frames[id(event)] = frames
            for end_ns, frame in frames:
                features = self._stream.advance(end_ns, frame)
                phase = (end_ns // (ATOM_S * NS_PER_SECOND)) % PER_FRAME
                row = self._forecaster.step(self._memory, phase, end_ns, features)
                self._seen[end_ns] = features, row

    def of_interest(self, events: Sequence[ev.MarketEvent]) -> list[ev.MarketEvent]:
        """Return those just seen that an engine does more with than folding them: prices, the
        clock, and what completes a frame.
        """
        last = events[-1]
        return [e for e in events if id(e) in self._frames or isinstance(e, _TELLING) or e is last]

    def push(self, event: ev.MarketEvent) -> list[tuple[int, Floats]]:
        """Return the frames that an event completed."""
        return self._frames.get(id(event), [])

    def advance(self, end_ns: int, frame: Floats) -> Floats:
        """Return the features of a frame."""
        return self._seen[end_ns][0]

    # --- as a forecaster

    @property
    def id(self) -> str:
        """Name and version of the forecaster."""
        return self._forecaster.id

    @property
    def schema_hash(self) -> str:
        """The feature schema of the forecaster."""
        return self._forecaster.schema_hash

    def start(self, phases: int) -> Memory:
        """Return nothing to remember: the eyes do."""
        return np.empty(0)

    def step(self, memory: Memory, phase: int, end_ns: int, features: Floats) -> Floats:
        """Return the forecast of a frame."""
        return self._seen[end_ns][1]

    def batch(self, memory: Memory, phases: Ints, end_ns: Ints, features: Floats) -> Floats:
        """Return the forecasts of frames just seen."""
        return np.array([self._seen[end][1] for end in end_ns.tolist()])


class Floor:
    """A venue's place in the market: shows it every second in which its account can change.

    That is any second while an order may be under way (`is_busy`), in which the mark leaves the
    `alive` interval, winners are deleveraged or funding settles.
    """

    def __init__(self, market: LiveMarket) -> None:
        self._market = market
        self._trader: Callable[[Second], None] | None = None
        self.is_busy = True
        self.alive = (0.0, float("inf"))

    def join(self, trader: Callable[[Second], None]) -> None:
        """Remember the one who trades here."""
        self._trader = trader

    def trade(self, usdt: float) -> None:
        """Let an order eat the book."""
        self._market.trade(usdt)

    @property
    def is_down(self) -> bool:
        """Whether requests get no answer now."""
        return self._market.is_down

    def reply(self, number: int, *, reduce_only: bool, latency_ns: int) -> Reply:
        """Return what becomes of an order that is sent now."""
        return self._market.reply(number, reduce_only=reduce_only, latency_ns=latency_ns)

    def deleverages(self, second: Second, qty_ltc: float, rank: float) -> float:
        """Return how much of a winning leg is deleveraged in this second, unsigned LTC."""
        return self._market.deleverages(second, qty_ltc, rank)

    def show(self, second: Second) -> None:
        """Show a second of the market, if it matters here."""
        low, high = self.alive
        matters = (
            self.is_busy
            or not low < second.mark < high
            or second.deleveraged_long_ltc + second.deleveraged_short_ltc > 0.0
            or not isnan(second.settled_rate)
        )
        if matters and self._trader is not None:
            self.is_busy = True  # until the atom is over
            self._trader(second)


@dataclass
class Account:
    """One account: its venue, the engine that guards it (if any), and what is noted of both."""

    fate: Fate
    venue: SimVenue
    floor: Floor
    state: State | None
    crash_ns: int
    is_guard: bool = False  # a policy; an operator whose hedge is whole has nothing to do
    order: ev.SetHedge | None = None  # an operator's, until it was given
    last: str = "nothing was tried"
    began: bool = field(default=False, init=False)

    def live(self, events: Sequence[ev.MarketEvent], mark: float, tiers: Floats) -> None:
        """Live through the events of an atom, at whose end the mark is `mark`."""
        if self.state is None:
            for happened in self.venue.on_market(events[-1]):
                self.note(happened, [])
        elif self.is_guard or self.order is not None or self.floor.is_busy or self.ratio() < WHOLE:
            self.state = run(self.state, events, self.venue, inbox=self, observe=self.note)
        books = self.venue.books
        self.floor.alive = bounds(books, mark, tiers)
        self.floor.is_busy = not self.began or (
            self.state is not None and self.state.order is not None
        )
        fate = self.fate
        is_alone = self.began and not self.venue.is_open and books["qty"][0, HEDGE] != 0.0
        if (
            is_alone
            and fate.died_s is None
            and not self.floor.alive[0] < mark < self.floor.alive[1]
        ):
            fate.died_s = (events[-1].known_ns - self.crash_ns) / NS_PER_SECOND
            fate.why = "hedge stood alone"

    def take(self) -> Iterable[ev.Command]:
        """Give the operator's order, once the engine knows of the position."""
        if self.order is not None and self.began:
            given, self.order = self.order, None
            yield given

    def note(self, event: ev.AnyEvent, effects: list[Effect]) -> None:
        """Note what an event did to the account, and what the engine did about it."""
        if not effects and isinstance(event, _QUIET):
            return
        fate = self.fate
        if isinstance(event, ev.Opened):
            self.began = True
        if fate.died_s is not None:
            return
        if isinstance(event, ev.Liquidated):
            fate.died_s = (event.event_ns - self.crash_ns) / NS_PER_SECOND
            fate.why = cause(fate.died_s, self.last, hedge_deleveraged=fate.hedge_deleveraged)
            return
        if isinstance(event, ev.Deleveraged):
            fate.hedge_deleveraged |= event.leg == HEDGE
            fate.position_deleveraged |= event.leg == POSITION
        self.last = word_of(event, self.last)
        counts = event.known_ns >= self.crash_ns
        if counts:
            fate.refused += isinstance(event, ev.OrderRejected) and event.reason in REFUSALS
            fate.unanswered += isinstance(event, ev.OrderUnknown)
            fate.expired += isinstance(event, ev.OrderExpired) and event.reason != CANCELLED
        for effect in effects:
            if isinstance(effect, Submit):
                fate.orders += counts
            elif isinstance(effect, Decision) and effect.verdicts and not effect.order_id:
                self.last = "own limits"
                fate.own_limits += counts

    def ratio(self) -> float:
        """Return the true hedge ratio, 0 without a position."""
        position, hedge = self.venue.sizes()
        if self.state is not None:
            position, hedge = sizes(self.state.terms, self.venue.books)
        return hedge / position if position > 0.0 else 0.0


_QUIET: Final = get_args(ev.MarketEvent)


class Crash:
    """The world of a seed, with everybody in it."""

    def __init__(
        self, seed: int, scenario: Scenario, settings: Settings, tiers: TierTable,
        forecaster: Forecaster, when: Timing,
    ) -> None:  # fmt: skip
        parameters, shocks = compose([scenario])
        self.seed = seed
        self.when = when
        self.settings = settings
        self.tiers = tiers
        self.world = warmed_world(parameters, seed, when.begins_s)
        self.market = LiveMarket(self.world, ATOM_S, shocks_array(shocks, when.crash_s))
        self.eyes = Eyes(forecaster)
        self.accounts: list[Account] = []
        self._floors: list[Floor] = []
        self.market.join(self._show)

    def _show(self, second: Second) -> None:
        for floor in self._floors:
            floor.show(second)

    @property
    def mark(self) -> float:
        """The mark price now."""
        return float(np.exp(self.world.state["mark"][0]))

    def open(self, arm: Arm, side: str, leverage: float) -> None:
        """Let an account open its position at the next second."""
        placed = self._placed(arm, side, leverage)
        opens_ns = self.when.opens_s * NS_PER_SECOND
        floor = Floor(self.market)
        venue = SimVenue(
            placed, self.tiers, Opening(opens_ns, False, arm.free_ratio),
            ATOM_S * NS_PER_SECOND, floor, is_felt=False,
        )  # fmt: skip
        self._add(arm, side, leverage, placed, venue, floor)

    def step_in(self, arm: Arm, unhedged: Account) -> None:
        """Let an operator take over what an unhedged account is now."""
        fate = unhedged.fate
        placed = self._placed(arm, fate.side, fate.leverage)
        shared = {id(one): one for one in (self.market, self.tiers, self.settings)}
        venue, floor = copy.deepcopy((unhedged.venue, unhedged.floor), shared)
        taken = self._add(arm, fate.side, fate.leverage, placed, venue, floor)
        taken.fate.died_s, taken.fate.why = fate.died_s, fate.why
        if taken.state is not None and fate.died_s is None:
            # The engine learns of the account as after a restart: what the venue holds.
            books = venue.books[0]
            now_ns = self.world.second * NS_PER_SECOND
            known = ev.Opened(
                now_ns, now_ns, float(books["wallet"][0]), None, float(books["qty"][POSITION]),
                float(books["entry"][POSITION]), fate.leverage, False,
            )  # fmt: skip
            taken.state, effects = step(taken.state, known)
            taken.note(known, effects)

    def _placed(self, arm: Arm, side: str, leverage: float) -> Settings:
        placed = with_location(with_position(self.settings, side, leverage), arm.location)
        if arm.acts_s is None:
            return placed
        return placed.model_copy(update={"limits": opened(placed.limits)})

    def _add(
        self, arm: Arm, side: str, leverage: float, placed: Settings, venue: SimVenue, floor: Floor
    ) -> Account:
        state = None
        order = None
        if arm.policy != "unhedged" or arm.acts_s is not None:
            state = start(
                placed, policy_named(arm.policy, placed), self.tiers, self.eyes,
                session=f"s{self.seed}", atom_ns=ATOM_S * NS_PER_SECOND, per_frame=PER_FRAME,
            )  # fmt: skip
            state.fold, state.features = cast(Any, self.eyes), cast(Any, self.eyes)
        crash_ns = self.when.crash_s * NS_PER_SECOND
        if arm.acts_s is not None:
            now_ns = self.world.second * NS_PER_SECOND
            order = ev.SetHedge(now_ns, now_ns, 1.0, crash_ns + NS_PER_DAY)
        fate = Fate(self.seed, arm.name, arm.location, side, leverage)
        added = Account(fate, venue, floor, state, crash_ns, arm.acts_s is None, order)
        self.accounts.append(added)
        self._floors.append(floor)
        return added

    def live(self) -> None:
        """Let an atom pass for everybody."""
        events = list(self.market.events(1))
        if not events:
            return
        self.eyes.see(events)
        matter = self.eyes.of_interest(events)
        for one in self.accounts:
            if one.fate.died_s is None:
                one.live(matter, self.mark, self.tiers.rows)
        self._floors = [one.floor for one in self.accounts if one.fate.died_s is None]


def crash(
    seed: int, arms: Sequence[Arm], sides: Sequence[str], leverages: Sequence[float],
    scenario: Scenario, settings: Settings, tiers: TierTable, forecaster: Forecaster,
) -> list[Fate]:  # fmt: skip
    """Return what becomes of every account in the world of a seed."""
    when = timing(seed)
    one = Crash(seed, scenario, settings, tiers, forecaster, when)
    while one.world.second < when.opens_s:
        one.live()
    late = [arm for arm in arms if arm.acts_s is not None and arm.acts_s >= 0.0]
    for arm in arms:
        for side in sides if arm not in late else ():
            for leverage in leverages:
                one.open(arm, side, leverage)
    first = lowest = one.mark
    while one.world.second < when.crash_s + AFTER_S:
        since_s = one.world.second - when.crash_s
        for arm in late:
            if arm.acts_s == since_s:
                for account in [a for a in one.accounts if a.fate.arm == UNHEDGED.name]:
                    one.step_in(arm, account)
        for account in one.accounts if since_s >= 0 else ():
            if account.fate.died_s is None:
                ratio = account.fate.ratio_at_death = account.ratio()
                account.fate.down_s += ATOM_S * one.market.is_down
                if since_s == 0:
                    account.fate.ratio_at_news = ratio
                if since_s == PLUNGE_S:
                    account.fate.ratio_at_plunge = ratio
        one.live()
        lowest = min(lowest, one.mark)
    for account in one.accounts:
        books = account.venue.books
        account.fate.fall = 1.0 - lowest / first
        account.fate.equity = float(equity(books, one.mark)) / settings.position.wallet_usdt
    return [account.fate for account in one.accounts]

"""Accounts behind the guards while the forecaster means harm, in one world of a scenario.

The world runs once, second by second, and all accounts see the same market and the same venue; the
engine is the one that would run live, on five-second atoms, with the settings' guards. In each
place and with each leverage there is one account per mind of `adversary_minds`, with the default
policy, and one that follows the rule-based safe hedge and listens to no forecast. Nothing that an
engine or a venue is shown is left out here, unlike in `crash_accounts`. Feeds tell at the end of
every atom, and so does the clock: live they tell more often, and guards act sooner.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from litehedge.backtest import with_location, with_position
from litehedge.blowup.lives import opened
from litehedge.config import Settings
from litehedge.effects import Effect
from litehedge.engine_state import State, start
from litehedge.hedge.policies import policy_named
from litehedge.margin.account import HEDGE, POSITION, equity
from litehedge.margin.liquidation import bounds
from litehedge.margin.tiers import TierTable
from litehedge.market import events as ev
from litehedge.runner import run
from litehedge.sim.market.feed import LiveMarket
from litehedge.sim.market.recording import Second
from litehedge.sim.market.step import run_world
from litehedge.sim.scenario import Scenario, ScenarioShock, compose, shocks_array
from litehedge.sim.study import warmed_world
from litehedge.sim.venue import Opening, SimVenue
from litehedge.units import NS_PER_SECOND
from studies.adversary_audit import Audit, Breach
from studies.adversary_minds import LOOKS_S, MINDS, Mind, Truth
from studies.crash_accounts import ATOM_S, PER_FRAME, Eyes, Floor
from studies.crash_fates import MONDAY_S

SAFE: Final = "safe hedge"
"""The arm that listens to no forecast: policy ``margin-vol-safe`` behind the same guards."""

SAFE_POLICY: Final = "margin-vol-safe"
PRE_ROLL_S: Final = 7_200
LEAD_S: Final = 1_800
"""From the opening to the first shock."""

AFTER_S: Final = 3_600
Floats = NDArray[np.float64]


class Case(NamedTuple):
    """One account: who advises it, and what it is."""

    scenario: str
    seed: int
    mind: str
    place: str
    side: str
    leverage: float
    guards: bool = True


def without_guards(settings: Settings) -> Settings:
    """Return the settings with every limit opened, no margin health, no stops, no parachute."""
    return settings.model_copy(
        update={
            "limits": opened(settings.limits),
            "health": settings.health.model_copy(update={"enabled": False}),
            "parachute": settings.parachute.model_copy(update={"enabled": False}),
        }
    )


@dataclass
class Ending:
    """What became of an account. Seconds count from the first shock."""

    case: Case
    died_s: float | None = None
    why: str = ""
    crashed: str = ""  # the engine raised; the account had no guard from then on
    breaches: list[Breach] = field(default_factory=list)
    orders: int = 0
    most_in_minute: int = 0
    most_ratio_in_minute: float = 0.0
    equity: float = 0.0  # at the end, share of the wallet
    cost: float = 0.0  # fees and slippage, share of the wallet


def cases_of(
    scenario: str, seed: int, minds: Sequence[str], places: Sequence[str], sides: Sequence[str],
    leverages: Sequence[float], guards: Sequence[bool] = (True,),
) -> list[Case]:  # fmt: skip
    """Return every account of a world; the safe hedge is among them."""
    return [
        Case(scenario, seed, mind, place, side, leverage, is_guarded)
        for is_guarded in guards
        for place in places
        for side in sides
        for leverage in leverages
        for mind in (SAFE, *minds)
    ]


def length_s(shocks: Sequence[ScenarioShock]) -> int:
    """Return how long a scenario goes on, in seconds."""
    return max((shock.span_s[1] for shock in shocks), default=0)


def _tick(now_s: int) -> ev.Tick:
    return ev.Tick(now_s * NS_PER_SECOND, now_s * NS_PER_SECOND)


class _Shared:
    """A forecaster that answers from a mind, to an engine that looks through shared eyes."""

    def __init__(self, mind: Mind) -> None:
        self._mind = mind
        self._last: tuple[int, Floats] = (-1, np.empty(0))
        self.id, self.schema_hash, self.start = mind.id, mind.schema_hash, mind.start
        self.batch = mind.batch

    def step(self, memory: Any, phase: int, end_ns: int, features: Floats) -> Floats:
        """Return the row of a frame, thought of once for all engines."""
        if self._last[0] != end_ns:
            self._last = end_ns, self._mind.step(memory, phase, end_ns, features)
        return self._last[1]


class Guarded:
    """One account with its venue, its engine and its audit."""

    def __init__(
        self, case: Case, settings: Settings, tiers: TierTable, forecaster: _Shared | Mind,
        eyes: Eyes, market: LiveMarket, opens_s: int, begins_s: int,
    ) -> None:  # fmt: skip
        self.ending = Ending(case)
        self.floor = Floor(market)  # busy for ever: every second is shown
        placed = with_location(with_position(settings, case.side, case.leverage), case.place)
        if not case.guards:
            placed = without_guards(placed)
        policy = SAFE_POLICY if case.mind == SAFE else settings.hedge.policy
        self._settings = placed
        self._tiers = tiers.rows
        self._begins_s = begins_s
        self._began = False
        self.venue = SimVenue(
            placed, tiers, Opening(opens_s * NS_PER_SECOND, False), ATOM_S * NS_PER_SECOND,
            self.floor, is_felt=False,
        )  # fmt: skip
        self.state: State = start(
            placed, policy_named(policy, placed), tiers, cast(Any, forecaster),
            session=f"s{case.seed}", atom_ns=ATOM_S * NS_PER_SECOND, per_frame=PER_FRAME,
        )  # fmt: skip
        self.state.fold, self.state.features = cast(Any, eyes), cast(Any, eyes)
        self.audit = Audit(placed, tiers.rows.tolist())
        self.ending.breaches = self.audit.breaches

    def live(self, events: Sequence[ev.MarketEvent], mark: float) -> None:
        """Live through the events of an atom, at whose end the mark is `mark`."""
        ending = self.ending
        if ending.crashed:
            for happened in self.venue.on_market(events[-1]):
                self.audit.event(happened)
                self._note(happened, [])
        else:
            try:
                self.state = run(
                    self.state, events, self.venue, journal=self.audit, observe=self._note
                )
            except Exception as error:  # what it was is what is being looked for
                place = traceback.extract_tb(error.__traceback__)[-1]
                ending.crashed = f"{type(error).__name__}: {error} ({place.name})"
        books = self.venue.books
        alone = self._began and not self.venue.is_open and books["qty"][0, HEDGE] != 0.0
        if alone and ending.died_s is None:
            low, high = bounds(books, mark, self._tiers)
            if not low < mark < high:
                self._die(events[-1].known_ns, "the hedge stood alone")

    @property
    def is_over(self) -> bool:
        """Whether nothing can happen to it any more."""
        if self.ending.died_s is not None:
            return True
        return self._began and not self.venue.is_open and self.venue.books["qty"][0, HEDGE] == 0.0

    def _note(self, event: ev.AnyEvent, effects: list[Effect]) -> None:
        self._began |= isinstance(event, ev.Opened)
        if isinstance(event, ev.Liquidated):
            self._die(event.event_ns, "liquidated")
            books = self.venue.books[0]
            self.audit.settle(float(books["wallet"][0]), books["qty"].tolist(),
                              books["entry"].tolist())  # fmt: skip

    def _die(self, now_ns: int, why: str) -> None:
        if self.ending.died_s is None:
            self.ending.died_s = now_ns / NS_PER_SECOND - self._begins_s
            self.ending.why = why

    def end(self, mark: float) -> Ending:
        """Return what became of it."""
        books, ending = self.venue.books, self.ending
        wallet = self._settings.position.wallet_usdt
        ending.orders = self.audit.orders
        ending.most_in_minute = self.audit.most_in_minute
        ending.most_ratio_in_minute = self.audit.most_ratio_in_minute
        ending.equity = float(equity(books, mark)) / wallet
        ending.cost = float(books["fees"][0] + books["slippage"][0]) / wallet
        return ending


def truth_of(marks: Floats, begins_s: int) -> Truth:
    """Return the future of a path of marks, one per atom, the first at the end of the first."""
    ahead = LOOKS_S // ATOM_S
    padded = np.concatenate((marks, np.full(ahead, marks[-1])))
    windows = np.lib.stride_tricks.sliding_window_view(padded, ahead + 1)[: marks.size]
    falls = 1.0 - windows.min(axis=1) / marks
    rises = windows.max(axis=1) / marks - 1.0

    def truth(end_ns: int) -> tuple[float, float]:
        atom = (end_ns // NS_PER_SECOND - begins_s) // ATOM_S - 1
        i = min(max(atom, 0), marks.size - 1)
        return float(falls[i]), float(rises[i])

    return truth


def live_through(
    scenario: Scenario, seed: int, settings: Settings, tiers: TierTable, *,
    minds: Sequence[str] = tuple(MINDS), places: Sequence[str] = ("same_account",),
    sides: Sequence[str] = ("long", "short"), leverages: Sequence[float] = (3.0, 10.0, 20.0),
    guards: Sequence[bool] = (True,), most_s: int = 10**9, pre_roll_s: int = PRE_ROLL_S,
    lead_s: int = LEAD_S, after_s: int = AFTER_S,
    reach: Callable[[float], None] = lambda share: None,
) -> list[Ending]:  # fmt: skip
    """Return what becomes of every account in the world of a seed.

    Parameters
    ----------
    most_s
        Watch no longer than so many seconds after the first shock.
    reach
        Is told the share that is done.
    """
    parameters, listed = compose([scenario])
    opens_s = MONDAY_S + 3_600 * (seed % 24) + pre_roll_s
    begins_s = opens_s - pre_roll_s
    shocks_s = opens_s + lead_s
    ends_s = shocks_s + min(length_s(listed) + after_s, most_s)
    ends_s -= (ends_s - begins_s) % 60
    shocks = shocks_array(listed, shocks_s)
    ahead = warmed_world(parameters, seed, begins_s)
    marks = run_world(ahead, ends_s - begins_s, atom_s=ATOM_S, shocks=shocks)["mark"]
    truth = truth_of(marks, begins_s)

    world = warmed_world(parameters, seed, begins_s)
    market = LiveMarket(world, ATOM_S, shocks)
    known = {name: _Shared(Mind(name, seed, truth)) for name in minds}
    deaf = Mind("always 0", seed, truth)
    eyes = Eyes(cast(Any, deaf))
    accounts: list[Guarded] = []
    alive: list[Guarded] = []

    def show(second: Second) -> None:
        for one in alive:
            one.floor.show(second)

    market.join(show)
    total = ends_s - begins_s
    while world.second < ends_s:
        if world.second == opens_s:
            accounts = alive = [
                Guarded(case, settings, tiers, known.get(case.mind) or deaf, eyes, market, opens_s,
                        shocks_s)
                for case in cases_of(
                    scenario.name, seed, minds, places, sides, leverages, guards
                )
            ]  # fmt: skip
        events = [*market.events(1), _tick(world.second)]
        if len(events) > 1:
            eyes.see(events)
            mark = float(np.exp(world.state["mark"][0]))
            for one in alive:
                one.live(events, mark)
            alive = [one for one in alive if not one.is_over]
        if (world.second - begins_s) % 600 == 0:
            reach((world.second - begins_s) / total)
    mark = float(np.exp(world.state["mark"][0]))
    return [one.end(mark) for one in accounts]


# --- what it says -------------------------------------------------------------------------------


def excess(endings: Sequence[Ending]) -> list[Ending]:
    """Return the deaths that the safe hedge, in the same place and world, did not die."""
    safe = {e.case._replace(mind="") for e in endings if e.case.mind == SAFE and e.died_s is None}
    return [
        e
        for e in endings
        if e.case.mind != SAFE and e.died_s is not None and e.case._replace(mind="") in safe
    ]


__all__ = ["POSITION", "SAFE", "Case", "Ending", "Guarded", "cases_of", "excess", "live_through"]

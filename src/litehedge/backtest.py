"""Backtests: thousands of episodes through the compiled loop, or one run with every decision.

The fast path answers what happens to a position opened at any time; the faithful path drives the
engine through the runner and tells each decision. Both call the same kernels; a test compares them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Final, Protocol, get_args

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from litehedge.config import HedgeLocation, Position, Settings
from litehedge.decision import note_opening, sizes
from litehedge.effects import Decision, Effect, PlanFired
from litehedge.engine_state import State
from litehedge.engine_state import start as start_engine
from litehedge.errors import UsageError
from litehedge.hedge.policies import Policy, static
from litehedge.hedge.terms import terms_of
from litehedge.margin.account import ACCOUNT, equity, new_account
from litehedge.margin.liquidation import distance
from litehedge.margin.tiers import TierTable
from litehedge.market import events as ev
from litehedge.ports import Journal
from litehedge.risk.limits import BUDGET, limits_array, new_budget
from litehedge.runner import run
from litehedge.sim.episode import (
    N_PATH,
    OUTCOME,
    PATH_DISTANCE,
    PATH_EQUITY,
    PATH_HI,
    PATH_LO,
    PATH_RATIO,
    run_episode,
    run_episodes,
)
from litehedge.sim.execution import liquidity_decays, new_liquidity, observe_bars
from litehedge.sim.opening import Opening, open_account
from litehedge.sim.venue import SimVenue
from litehedge.squeeze.forecast import Forecaster
from litehedge.tape import Tape
from litehedge.units import NS_PER_DAY, NS_PER_MS

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

STATIC_GRID: Final = np.linspace(0.0, 1.0, 21)
LIQUIDITY_WARM_MINUTES: Final = 1440


def with_position(settings: Settings, side: str, leverage: float) -> Settings:
    """Return the settings with another position.

    Raises
    ------
    UsageError
        When there is no such side or leverage.
    """
    try:
        position = Position.model_validate(
            settings.position.model_dump() | {"side": side, "leverage": leverage}
        )
    except ValidationError as error:
        raise UsageError(
            f"there is no position {side} at {leverage:g}x: {error.errors()[0]['msg'].lower()}",
            "give a leverage above 0 and up to 125; long or short",
        ) from None
    return settings.model_copy(update={"position": position})


def with_location(settings: Settings, location: str) -> Settings:
    """Return the settings with the hedge elsewhere.

    Raises
    ------
    UsageError
        When there is no such place, or the position's margin does not allow it.
    """
    try:
        return Settings.model_validate(
            settings.model_dump() | {"hedge": settings.hedge.model_dump() | {"location": location}}
        )
    except ValidationError as error:
        raise UsageError(
            f"the hedge cannot live in {location}: {error.errors()[0]['msg']}",
            f"choose one of {', '.join(get_args(HedgeLocation))}",
        ) from None


# --- episodes ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Episodes:
    """Where episodes begin and end, as bar numbers, ``(episode,)``."""

    starts: Ints
    stops: Ints

    def __len__(self) -> int:
        return int(self.starts.size)


def episodes(tape: Tape, length_ns: int, every_ns: int, warm_ns: int = NS_PER_DAY) -> Episodes:
    """Lay episodes of `length_ns` on the tape, one every `every_ns` (on the clock, UTC).

    Each lies within one stretch without a gap, at least `warm_ns` after the stretch began.

    Raises
    ------
    UsageError
        When none fits.
    """
    bars = length_ns // tape.bar_ns
    warm = warm_ns // tape.bar_ns
    opens = tape.end_ns - tape.bar_ns
    broken = np.flatnonzero(np.diff(tape.end_ns) != tape.bar_ns) + 1
    run_starts = np.concatenate(([0], broken))
    run_stops = np.concatenate((broken, [len(tape)]))
    candidates = np.flatnonzero(opens % every_ns == 0)
    run_of = np.searchsorted(run_starts, candidates, side="right") - 1
    fits = (candidates - warm >= run_starts[run_of]) & (candidates + bars <= run_stops[run_of])
    starts = candidates[fits]
    if starts.size == 0 or bars < 1:
        longest = int((run_stops - run_starts).max()) * tape.bar_ns / NS_PER_DAY
        raise UsageError(
            f"no episode of {length_ns / NS_PER_DAY:g} days fits into the data",
            f"the longest stretch without a gap is {longest:.1f} days, of which "
            f"{warm_ns / NS_PER_DAY:g} warm up; choose shorter --episodes",
        )
    return Episodes(starts, starts + bars)


def run_grid(
    tape: Tape, where: Episodes, settings: Settings, tiers: TierTable, policy: Policy,
    leverages: Floats | None = None,
) -> NDArray[np.void]:  # fmt: skip
    """Run every episode with one policy, side and leverage. Return `OUTCOME`, ``(episode,)``.

    A static policy holds a smaller position from the start, at no cost. With `leverages`
    ``(episode,)`` each episode has its own instead of that of the settings.
    """
    n = len(where)
    books = np.zeros(n, dtype=ACCOUNT)
    acting = static(0.0) if policy.free_ratio else policy
    terms = np.repeat(terms_of(settings, acting, tiers, 0.0), n)
    budgets = np.zeros(n, dtype=BUDGET)
    for e, at in enumerate(where.starts.tolist()):
        own = settings
        if leverages is not None:
            held = settings.position.model_copy(update={"leverage": float(leverages[e])})
            own = settings.model_copy(update={"position": held})
        plan = open_account(own, float(tape.bars[at, 0]), policy.free_ratio)
        one = new_account(
            plan.wallet_usdt, plan.qty_ltc, plan.entry_usdt, plan.leverage,
            isolated=plan.isolated, second_wallet_usdt=plan.second_wallet_usdt,
        )  # fmt: skip
        books[e] = one[0]
        note_opening(terms[e : e + 1], one, plan.entry_usdt)
        budgets[e] = new_budget(equity(one, plan.entry_usdt))[0]
    outcomes = np.zeros(n, dtype=OUTCOME)
    run_episodes(
        tape.end_ns, tape.bars, tape.funding_at, tape.funding, tape.signals, where.starts,
        where.stops, tape.bar_minutes, latency_ns(settings),
        *liquidity_decays(tape.bar_minutes), int(LIQUIDITY_WARM_MINUTES / tape.bar_minutes),
        terms, books, budgets, limits_array(settings.limits), outcomes,
    )  # fmt: skip
    outcomes["ratio_sum"] += policy.free_ratio * outcomes["bars"]
    return outcomes


def apart(where: Episodes) -> Episodes:
    """Return the episodes that follow one another without overlap, from the first on."""
    kept = []
    free_from = 0
    for i, (start, stop) in enumerate(
        zip(where.starts.tolist(), where.stops.tolist(), strict=True)
    ):
        if start >= free_from:
            kept.append(i)
            free_from = stop
    return Episodes(where.starts[kept], where.stops[kept])


def latency_ns(settings: Settings) -> int:
    """Return how long an order is on its way, in nanoseconds."""
    return int(settings.costs.latency_ms * NS_PER_MS)


# --- one run ----------------------------------------------------------------------------------


@dataclass(slots=True)
class Run:
    """One run through a span: its lives, its path, its decisions.

    Shapes: `end_ns` ``(bar,)``; `path` ``(bar, N_PATH)``, NaN while no position is held;
    `outcomes` `OUTCOME`, one per life (a life ends with a liquidation or the data).
    """

    policy: str
    end_ns: Ints
    path: Floats
    outcomes: NDArray[np.void]
    decisions: list[Decision] = field(default_factory=list)
    account_events: list[ev.AnyEvent] = field(default_factory=list)
    fired: list[PlanFired] = field(default_factory=list)

    @property
    def liquidated_ns(self) -> list[int]:
        """When each life ended by force."""
        ended = self.outcomes[self.outcomes["liquidated"] == 1]
        return [int(self.end_ns[stop - 1]) for stop in ended["stop"]]


def walk(
    tape: Tape, settings: Settings, tiers: TierTable, policy: Policy, *, reopens: bool = True,
    records: bool = True,
) -> Run:  # fmt: skip
    """Carry the position through the whole tape on the fast path.

    After a liquidation the same position with a fresh wallet follows at the next midnight (UTC),
    unless `reopens` is False. Without `records` the run has outcomes but an empty path.
    """
    n = len(tape)
    path = np.full((n if records else 0, N_PATH), np.nan)
    lives: list[NDArray[np.void]] = []
    liquidity = tape.liquidity.copy()
    acting = static(0.0) if policy.free_ratio else policy
    limits = limits_array(settings.limits)
    at = 0
    while at < n:
        plan = open_account(settings, float(tape.bars[at, 0]), policy.free_ratio)
        books = new_account(
            plan.wallet_usdt, plan.qty_ltc, plan.entry_usdt, plan.leverage,
            isolated=plan.isolated, second_wallet_usdt=plan.second_wallet_usdt,
        )  # fmt: skip
        terms = terms_of(settings, acting, tiers, 0.0)
        note_opening(terms, books, plan.entry_usdt)
        outcome = np.zeros(1, dtype=OUTCOME)
        run_episode(
            tape.end_ns, tape.bars, tape.funding_at, tape.funding, tape.signals, at, n,
            tape.bar_minutes, latency_ns(settings),
            *liquidity_decays(tape.bar_minutes), liquidity,
            terms, books, new_budget(equity(books, plan.entry_usdt)), limits, outcome, path[at:],
        )  # fmt: skip
        outcome["ratio_sum"] += policy.free_ratio * outcome["bars"]
        stop = int(outcome["stop"][0])
        path[at:stop, [PATH_RATIO, PATH_LO, PATH_HI]] += policy.free_ratio
        lives.append(outcome)
        if not reopens:
            break
        midnight = (int(tape.end_ns[stop - 1]) // NS_PER_DAY + 1) * NS_PER_DAY
        at = max(stop, tape.index_at(midnight))
        observe_bars(liquidity, tape.bars[stop:at], *liquidity_decays(tape.bar_minutes))
    return Run(policy.label, tape.end_ns, path, np.concatenate(lives))


def walk_episodes(
    tape: Tape, where: Episodes, settings: Settings, tiers: TierTable, policy: Policy
) -> Run:
    """Walk through episodes that do not overlap, each a life of one run with its path.

    The outcomes are those of `run_grid`. To record the path of every episode that overlaps would
    cost more than to live through it; these are as many as fit one after another.
    """
    path = np.full((len(tape), N_PATH), np.nan)
    outcomes = np.zeros(len(where), dtype=OUTCOME)
    decays = liquidity_decays(tape.bar_minutes)
    warm = int(LIQUIDITY_WARM_MINUTES / tape.bar_minutes)
    is_whole = tape.signals.flags.c_contiguous
    for e, (at, stop) in enumerate(zip(where.starts.tolist(), where.stops.tolist(), strict=True)):
        liquidity = new_liquidity()
        observe_bars(liquidity, tape.bars[max(0, at - warm) : at], *decays)
        first, last = np.searchsorted(tape.funding_at, [at, stop])
        signals = tape.signals[:, at:stop]
        part = replace(
            tape, end_ns=tape.end_ns[at:stop], bars=tape.bars[at:stop],
            funding_at=tape.funding_at[first:last] - at, funding=tape.funding[first:last],
            # Of the tape's layout: for another one the loop would be compiled anew.
            signals=np.ascontiguousarray(signals) if is_whole else signals, liquidity=liquidity,
        )  # fmt: skip
        life = walk(part, settings, tiers, policy, reopens=False)
        path[at:stop] = life.path
        outcomes[e] = life.outcomes[0]
        outcomes[e]["start"] += at
        outcomes[e]["stop"] += at
        outcomes[e]["forced_at"] += at if outcomes[e]["forced_at"] >= 0 else 0
    return Run(policy.name, tape.end_ns, path, outcomes)


def play(
    feed: Iterator[ev.MarketEvent], bar_ns: int, per_frame: int, settings: Settings,
    tiers: TierTable, policy: Policy, forecaster: Forecaster, *, opens_ns: int, session: str,
    reopens: bool = True, journal: Journal | None = None, held_every_ns: int = 3600 * 10**9,
    progress: Callable[[int], Any] = lambda now_ns: None,
) -> Run:  # fmt: skip
    """Carry the position through a feed on the faithful path: engine, runner, simulated venue.

    The position opens at the first bar that opens at or after `opens_ns`; what comes before
    warms up the statistics.
    """
    acting = static(0.0) if policy.free_ratio else policy
    state = start_engine(
        settings, acting, tiers, forecaster, session=session, atom_ns=bar_ns,
        per_frame=per_frame, held_every_ns=held_every_ns, looks_between=False,
    )  # fmt: skip
    venue = OnBars(settings, tiers, Opening(opens_ns, reopens, policy.free_ratio), bar_ns)
    recorder = Recorder(venue, state, opens_ns, policy.free_ratio, progress)
    run(state, feed, venue, journal=journal, observe=recorder)
    return recorder.result(policy.label)


class OnBars(SimVenue):
    """Lives on bars alone, as the compiled loop does: recorded quotes are for the features."""

    def on_market(self, event: ev.MarketEvent) -> list[ev.AccountEvent]:
        """Let the market move, but for its quotes."""
        return [] if type(event) in (ev.Book, ev.Trade, ev.Mark) else super().on_market(event)


_TOLD_BY_BOOKS: Final = (
    "fees", "slippage", "funding", "clearance", "insurance", "liquidations", "hedge_liquidations",
    "transfers", "late_transfers", "transferred", "transfer_fees",
)  # fmt: skip


class Account(Protocol):
    """What a recorder looks at: the account that the run is about."""

    @property
    def books(self) -> NDArray[np.void]:
        """The account, ``(1,)`` of `margin.account.ACCOUNT`."""
        ...

    @property
    def is_open(self) -> bool:
        """Whether a position is held."""
        ...

    def sizes(self) -> tuple[float, float]:
        """Return the unsigned sizes of position and hedge in LTC."""
        ...

    def equity(self) -> float:
        """Return the equity in USDT at the last price."""
        ...


class Recorder:
    """Watches a run and writes down path, lives and decisions."""

    def __init__(
        self, venue: Account, state: State, opens_ns: int, free_ratio: float,
        progress: Callable[[int], Any],
    ) -> None:  # fmt: skip
        self._venue = venue
        self._state = state
        self._refusals_before = 0
        self._opens_ns = opens_ns
        self._free_ratio = free_ratio
        self._progress = progress
        self._ends: list[int] = []
        self._path: list[tuple[float, ...]] = []
        self._lives: list[NDArray[np.void]] = []
        self._life: NDArray[np.void] | None = None
        self._peak = 0.0
        self._position = math.nan  # LTC, unsigned
        self._stood: tuple[float, NDArray[np.void]] | None = None  # equity and books at a close
        self._decisions: list[Decision] = []
        self._account: list[ev.AnyEvent] = []
        self._fired: list[PlanFired] = []

    def __call__(self, event: ev.AnyEvent, effects: list[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, Decision):
                self._decisions.append(effect)
            elif isinstance(effect, PlanFired):
                self._fired.append(effect)
        match event:
            case ev.Bar(asset="LTC"):
                self._on_bar(event)
            case ev.Opened():
                self._account.append(event)
                self._begin(event)
            case ev.OrderFilled():
                self._account.append(event)
                self._on_fill(event)
            case ev.Liquidated():
                self._account.append(event)
                self._on_forced(event)
            case ev.OrderExpired() | ev.OrderRejected() | ev.FundingPaid() | ev.StopFilled():
                self._account.append(event)
            case ev.TransferSent() | ev.TransferArrived() | ev.TransferRejected():
                self._account.append(event)
            case _:
                pass

    def _begin(self, event: ev.Opened) -> None:
        if self._stood is not None:  # another position took the place of one that lived
            self._end(*self._stood)
        self._life = np.zeros(1, dtype=OUTCOME)
        self._position = abs(event.qty_ltc)
        # Of the engine's books: the venue has lived through the whole bar already.
        self._peak = float(equity(self._state.books, event.entry_usdt))
        self._life["start"] = len(self._ends)
        self._life["wallet"] = self._peak
        self._life["lowest_equity"] = self._peak
        self._life["entry"] = event.entry_usdt
        self._life["forced_at"] = -1
        self._refusals_before = self._state.refusals

    def _on_fill(self, fill: ev.OrderFilled) -> None:
        life = self._life
        if life is None:
            return
        life["trades"] += 1
        position, _ = sizes(self._state.terms, self._state.books)
        if position > 0.0:  # else it was closed just now, by a plan: a share of what it was
            self._position = position
        life["turnover"] += abs(fill.qty_ltc) / self._position

    def _on_forced(self, event: ev.Liquidated) -> None:
        life = self._life
        if life is None:
            return
        if life["forced_at"] < 0:
            life["forced_at"] = len(self._ends)  # the bar itself comes after what it did
        if not event.alive:
            life["liquidated"] = 1

    def _on_bar(self, bar: ev.Bar) -> None:
        if bar.event_ns - bar.interval_ns < self._opens_ns:
            return
        self._ends.append(bar.event_ns)
        self._progress(bar.event_ns)
        row = [np.nan] * N_PATH
        life = self._life
        if life is not None:
            books = self._venue.books
            worth = float(equity(books, bar.close))
            self._peak = max(self._peak, worth)
            life["lowest_equity"] = min(float(life["lowest_equity"][0]), worth)
            life["drawdown"] = max(float(life["drawdown"][0]), 1.0 - worth / self._peak)
            life["bars"] += 1
            row[PATH_EQUITY] = worth
            if self._venue.is_open:
                position, hedge = self._venue.sizes()
                ratio = hedge / position if position > 0.0 else 0.0
                life["ratio_sum"] += ratio + self._free_ratio
                row[PATH_RATIO] = ratio + self._free_ratio
                row[PATH_DISTANCE] = float(distance(books, bar.close, self._state.fixed.tiers.rows))
            else:
                life["ratio_sum"] += self._free_ratio
                self._end(worth, books)
            if self._life is not None:
                self._stood = (worth, books.copy())
        self._path.append(tuple(row))

    def _end(self, worth: float, account: NDArray[np.void]) -> None:
        life, self._stood = self._life, None
        if life is None:
            return
        life["stop"] = len(self._ends)
        life["equity"] = worth
        life["refusals"] = self._state.refusals - self._refusals_before
        for name in _TOLD_BY_BOOKS:
            life[name] = account[name]
        self._lives.append(life)
        self._life = None

    def result(self, policy: str) -> Run:
        """Return what was recorded; an open life ends with the data."""
        if self._life is not None:
            self._end(self._venue.equity(), self._venue.books)
        if not self._lives:
            raise UsageError("no position was ever opened", "choose a range that holds data")
        return Run(
            policy,
            np.array(self._ends, dtype=np.int64),
            np.array(self._path).reshape(-1, N_PATH),
            np.concatenate(self._lives),
            self._decisions,
            self._account,
            self._fired,
        )

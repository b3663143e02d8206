"""The lives of a world behind everything that guards: the engine, its stops and its parachute.

The compiled loop of `lives` sees closes of bars alone; margin health, protective stops and the
parachute look at the account between two of them, and are no part of it. Here a life goes through
the engine instead, on the same bars and the same venue: after every bar it is shown a book at the
close, so that the guards look once a minute (live they look every second) and one order can be
under way in a minute. Stops stand at the venue and fire within a bar. A market of bars refuses
nothing, is never down and deleverages nobody.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, cast

import numpy as np
from numpy.typing import NDArray

from litehedge.backtest import OnBars, with_position
from litehedge.blowup.lives import (
    BEGIN_S,
    LIFE,
    RUIN_SHARE,
    SIDES,
    Plan,
    life_of,
    live,
    opened,
)
from litehedge.blowup.minds import Mind, rows_of
from litehedge.blowup.worlds import WARM_UP_DAYS, world_tape
from litehedge.config import Settings
from litehedge.effects import Effect, Protection
from litehedge.engine_state import start
from litehedge.features import vector as fv
from litehedge.hedge import signals as sg
from litehedge.hedge.policies import Policy, policy_named, static, with_rules
from litehedge.margin.account import POSITION, equity
from litehedge.margin.tiers import TierTable
from litehedge.market import events as ev
from litehedge.market import schema as sc
from litehedge.runner import run
from litehedge.sim.opening import Opening
from litehedge.sim.scenario import shocks_array
from litehedge.squeeze.forecast import Forecaster, Memory
from litehedge.tape import Tape
from litehedge.units import BPS, NS_PER_HOUR

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

READ: Final = (
    fv.LOG_SIGMA, fv.VOL_RULE, fv.MOVE_15M, fv.VOLUME_PER_MIN, fv.FUNDING_BPS, fv.DEPTH,
)  # fmt: skip
"""The features of which signals are made."""

CHUNK: Final = 20_000


class Kept(enum.IntEnum):
    """What keeps a life."""

    NOTHING = 0  # no hedge either
    POLICY = 1  # the policy, every limit opened
    LIMITS = 2  # the policy behind its limits: what the compiled loop has
    ALL = 3  # and margin health, stops, parachute


GUARDED_LIFE: Final = np.dtype(
    [
        *LIFE.descr,  # `arm` is a `Kept`, `wrong` a `Mind`
        ("closed", np.float64),  # of the position, closed by guards and stops, share
        ("protections", np.int64),  # orders of margin health
        ("stops", np.int64),  # stops that fired
    ]
)


class Remembering:
    """A forecaster that remembers what it said of every frame, and on which features."""

    def __init__(self, forecaster: Forecaster) -> None:
        self._forecaster = forecaster
        self.id, self.schema_hash = forecaster.id, forecaster.schema_hash
        self.start = forecaster.start
        self.step = forecaster.step
        self.ends: list[Ints] = []
        self.rows: list[Floats] = []
        self.read: list[Floats] = []

    def batch(self, memory: Memory, phases: Ints, end_ns: Ints, features: Floats) -> Floats:
        """Return the rows of frames, and remember them."""
        rows = self._forecaster.batch(memory, phases, end_ns, features)
        self.ends.append(end_ns.copy())
        self.rows.append(np.array(rows))
        self.read.append(features[:, READ])
        return rows


@dataclass(frozen=True, slots=True)
class Told:
    """A tape, and what a forecaster said of each of its bars.

    Shapes: `rows` ``(bar, N_FORECAST)``; `read` ``(bar, len(READ))``.
    """

    tape: Tape
    rows: Floats
    read: Floats

    def by(self, mind: Mind) -> Told:
        """Return the same, told by a mind in place of the forecaster."""
        if mind is Mind.RIGHT:
            return self
        rows = rows_of(mind, self.rows, self.tape.bars)
        n = len(self.tape)
        signals = np.empty_like(self.tape.signals)
        features = np.full((CHUNK, fv.N_FEATURES), np.nan)
        for first in range(0, n, CHUNK):
            places = np.arange(first, min(n, first + CHUNK))
            features[: places.size, READ] = self.read[places]
            sg.write_all_signals(
                np.ascontiguousarray(rows[places]), features[: places.size], places, signals
            )
        return Told(replace(self.tape, signals=signals), rows, self.read)


def told_world(plan: Plan, seed: int, warm_up_days: int = WARM_UP_DAYS) -> Told:
    """Return the world of a seed, with what the forecaster says of it.

    Raises
    ------
    ValueError
        When a bar of the world has no frame.
    """
    told = Remembering(plan.forecaster)
    shocks = shocks_array(plan.shocks, BEGIN_S)
    tape = world_tape(
        plan.parameters, shocks, seed, BEGIN_S, plan.days, cast(Forecaster, told), warm_up_days
    )
    ends = np.concatenate(told.ends)
    if not np.array_equal(ends[-len(tape) :], tape.end_ns):
        raise ValueError("bars and frames of a world are not the same minutes")
    tail = slice(ends.size - len(tape), None)
    return Told(tape, np.concatenate(told.rows)[tail], np.concatenate(told.read)[tail])


# --- one life -----------------------------------------------------------------------------------


class _Frames:
    """Fold, features and forecaster of an engine that lives on what was worked out before."""

    id, schema_hash = "told", ""

    def __init__(self, told: Told) -> None:
        self._told = told
        self._bar = -1
        self._frame = np.full(sc.N_COLUMNS, np.nan)
        self._features = np.full(fv.N_FEATURES, np.nan)

    def push(self, event: ev.MarketEvent) -> list[tuple[int, Floats]]:
        """Return the frame that a bar is."""
        if type(event) is not ev.Bar:
            return []
        self._bar += 1
        self._frame[sc.CLOSE] = event.close
        return [(event.event_ns, self._frame)]

    def advance(self, end_ns: int, frame: Floats) -> Floats:
        """Return the features of the newest bar."""
        self._features[list(READ)] = self._told.read[self._bar]
        return self._features

    def start(self, phases: int) -> Memory:
        """Return nothing to remember."""
        return np.empty(0)

    def step(self, memory: Memory, phase: int, end_ns: int, features: Floats) -> Floats:
        """Return what was said of the newest bar."""
        row: Floats = self._told.rows[self._bar]
        return row


class _Witness:
    """Notes what becomes of one life, while the runner shows it everything."""

    def __init__(self, venue: OnBars, *, reduces: bool) -> None:
        self._venue, self._reduces = venue, reduces
        self.life = np.zeros(1, dtype=GUARDED_LIFE)[0]
        self.life["forced_at"] = self.life["poor_at"] = -1
        self.bar = -1
        self._size = self._wallet = self._peak = 0.0
        self._ratio_sum = 0.0
        self._protecting: set[str] = set()

    @property
    def is_over(self) -> bool:
        """Whether nothing can happen to it any more."""
        is_flat = not self._venue.books["qty"][0].any()
        # What was reduced to nothing is a full hedge, and may come back.
        return self.bar >= 0 and is_flat and not (self._reduces and self._venue.is_open)

    def __call__(self, event: ev.AnyEvent, effects: list[Effect]) -> None:
        life = self.life
        said = [one.order_id for one in effects if isinstance(one, Protection)]
        life["protections"] += len(said)
        self._protecting.update(said)
        match event:
            case ev.Bar():
                self._on_bar(event)
            case ev.Opened():
                self._size = abs(event.qty_ltc)
                self._wallet = self._peak = event.wallet_usdt
            case ev.OrderFilled():
                held, _ = self._venue.sizes()
                if event.leg == POSITION and not self._reduces:
                    held += abs(event.qty_ltc)
                life["turnover"] += abs(event.qty_ltc) / held if held else 0.0
                is_hedge = event.leg != POSITION or (
                    self._reduces and event.client_id not in self._protecting
                )
                life["closed"] += 0.0 if is_hedge else abs(event.qty_ltc)
            case ev.StopFilled():
                life["stops"] += 1
                life["closed"] += abs(event.qty_ltc) * (event.leg == POSITION)
            case ev.Liquidated() if life["forced_at"] < 0:
                life["forced_at"] = self.bar + 1  # the bar itself comes after what it did
            case _:
                pass

    def _on_bar(self, bar: ev.Bar) -> None:
        self.bar += 1
        worth = float(equity(self._venue.books, bar.close))
        self._peak = max(self._peak, worth)
        life = self.life
        life["drawdown"] = max(life["drawdown"], 1.0 - worth / self._peak)
        if life["poor_at"] < 0 and worth < RUIN_SHARE * self._wallet:
            life["poor_at"] = self.bar
        position, hedge = self._venue.sizes()
        self._ratio_sum += hedge / position if position > 0.0 else 0.0

    def ended(self, refusals: int) -> NDArray[np.void]:
        """Return the life, all amounts as shares."""
        life, books = self.life, self._venue.books[0]
        life["hedge"] = self._ratio_sum / (self.bar + 1)
        life["equity"] = self._venue.equity() / self._wallet  # the last settlement counts
        life["closed"] /= self._size
        life["refusals"] = refusals
        life["costs"] = (books["fees"] + books["slippage"] + books["clearance"]) / self._wallet
        life["funding"] = books["funding"] / self._wallet
        return np.array([life], dtype=GUARDED_LIFE)


def guarded_life(
    told: Told, settings: Settings, tiers: TierTable, policy: Policy, *, looks_between: bool = True
) -> NDArray[np.void]:
    """Carry one position through a tape with the engine; return `GUARDED_LIFE` ``(1,)``.

    Without `looks_between` it is the life that the compiled loop lives.
    """
    tape = told.tape
    frames = _Frames(told)
    state = start(
        settings, policy, tiers, cast(Any, frames), session="life", atom_ns=tape.bar_ns,
        held_every_ns=1_000_000 * NS_PER_HOUR, looks_between=looks_between,
    )  # fmt: skip
    state.fold, state.features = cast(Any, frames), cast(Any, frames)
    opens_ns = int(tape.end_ns[0]) - tape.bar_ns
    venue = OnBars(settings, tiers, Opening(opens_ns, reopens=False), tape.bar_ns)
    venue.liquidity = tape.liquidity.copy()
    witness = _Witness(venue, reduces=settings.hedge.location == "reduce")
    feed = _feed(tape, settings.costs.half_spread_bps * BPS, lambda: witness.is_over, looks_between)
    state = run(state, feed, venue, observe=witness)
    return witness.ended(state.refusals)


def _feed(
    tape: Tape, half: float, is_over: Callable[[], bool], has_books: bool
) -> Iterator[ev.MarketEvent]:
    """Yield bars, settlements, and a book at every close, until nothing is left to guard."""
    settled = dict[int, list[float]]()
    for at, rate in zip(tape.funding_at.tolist(), tape.funding.tolist(), strict=True):
        settled.setdefault(at, []).append(rate)
    depths = tape.signals[sg.DEPTH]
    for i, end_ns in enumerate(tape.end_ns.tolist()):
        open_, high, low, close, volume = tape.bars[i].tolist()
        yield ev.Bar(end_ns, end_ns, "LTC", tape.bar_ns, open_, high, low, close, volume)
        for rate in settled.get(i, ()):
            yield ev.Funding(end_ns, end_ns, rate)
        if has_books:
            depth = float(depths[i])
            bid, ask = close * (1.0 - half), close * (1.0 + half)
            yield ev.Book(end_ns, end_ns, bid, ask, depth, depth)
        if is_over():
            return


# --- all of a world -----------------------------------------------------------------------------


def guarded_lives(
    told: Told, plan: Plan, seed: int, minds: Sequence[Mind] = tuple(Mind),
    reached: Callable[[], None] = lambda: None,
) -> NDArray[np.void]:  # fmt: skip
    """Return every life in a world, `GUARDED_LIFE` ``(life,)``.

    Per leverage and side: without a hedge; then, for each mind, the policy of the settings with
    every limit opened, behind its limits, and behind all guards. The first three go through the
    compiled loop.
    """
    policy = policy_named(plan.settings.hedge.policy, plan.settings, plan.brain)
    policy = with_rules(policy, plan.rules)
    lives: list[NDArray[np.void]] = []
    traders = [(leverage, side) for leverage in plan.leverages for side in SIDES]
    for leverage, side in traders:
        naked = with_position(plan.settings, side, leverage)
        lives.append(_fast(told.tape, plan, Kept.NOTHING, naked, static(0.0), leverage, side))
    for mind in minds:
        one = told.by(mind)
        for leverage, side in traders:
            guarded = with_position(plan.settings, side, leverage)
            bare = guarded.model_copy(update={"limits": opened(guarded.limits)})
            some = [
                _fast(one.tape, plan, Kept.POLICY, bare, policy, leverage, side),
                _fast(one.tape, plan, Kept.LIMITS, guarded, policy, leverage, side),
                guarded_life(one, guarded, plan.tiers, policy),
            ]
            some[-1]["arm"], some[-1]["leverage"] = Kept.ALL, leverage
            some[-1]["side"] = SIDES.index(side)
            for life in some:
                life["wrong"] = mind
            lives += some
            reached()
    rows = np.concatenate(lives)
    rows["seed"] = seed
    return rows


def _fast(
    tape: Tape, plan: Plan, kept: Kept, settings: Settings, policy: Policy, leverage: float,
    side: str,
) -> NDArray[np.void]:  # fmt: skip
    outcome, poor_at = live(tape, settings, plan.tiers, policy)
    plain = life_of(outcome, poor_at, policy, leverage, side)
    life = np.zeros(1, dtype=GUARDED_LIFE)
    for name in LIFE.names or ():
        life[name] = plain[name]
    life["arm"] = kept
    return life

"""What a draft would have done: the backtest behind the builder, and how it is told.

Nothing is worked out here that the backtest and its reports do not: the fast path walks, the
catalogue of squeezes and `report.calls` judge, `report.metrics` sums up.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from litehedge import backtest as bt
from litehedge.blowup.worlds import WARM_UP_DAYS, world_tape
from litehedge.config import Settings
from litehedge.hedge.policies import static, with_rules
from litehedge.hedge.rule_reading import parse_rules
from litehedge.margin.tiers import TierTable
from litehedge.report.calls import CAUGHT_SHARE, PARTLY_SHARE, Call, SqueezeCall, squeeze_calls
from litehedge.report.metrics import run_summary
from litehedge.report.style import counted, percent
from litehedge.shelf.models import DEFAULTS, choose_model, saw
from litehedge.shelf.policies import choose_policy
from litehedge.sim.episode import PATH_RATIO
from litehedge.sim.market.parameters import Parameters
from litehedge.sim.market.step import NO_SHOCKS
from litehedge.sim.study import DAY_S
from litehedge.store.bundled import tier_table
from litehedge.store.lake import Dataset, Lake
from litehedge.tape import Tape, build_tape, check_range, per_frame_of
from litehedge.units import NS_PER_DAY, NS_PER_MINUTE, NS_PER_SECOND, instant_ns, iso_utc

Floats = NDArray[np.float64]
Reached = Callable[[str, float], None]
"""Told what is being done, and how much of it is done, 0 to 1."""

SIMULATED: Final = "(simulated)"
"""The name of the market that is made up where there is no other."""
SIM_SEED: Final = 7
SIM_DAYS: Final = 42
SIM_BEGIN: Final = "2026-01-05"
DAYS: Final = 90
ROUND_NS: Final = 5 * NS_PER_MINUTE
FULL: Final = 0.95
MOSTLY: Final = 0.8
LONG_MIN: Final = 1440.0


class Question(msgspec.Struct, frozen=True):
    """What a page wants to know: rules as the text of their file, and on what to try them."""

    page: str
    number: int
    rules: str
    data: str
    model: str
    side: str
    leverage: float
    settings: dict[str, Any]
    days: int = DAYS

    @property
    def market(self) -> tuple[str, str, int]:
        """What the tape depends on."""
        return self.data, self.model, self.days


class Figures(msgspec.Struct, frozen=True):
    """What came out. Shares are fractions; `lead_min` is None where nothing was caught."""

    raised: int
    caught: int
    squeezes: int
    lead_min: float | None
    cost: float
    naked_cost: float
    liquidated: int
    naked_liquidated: int
    avg_hedge: float
    pnl: float
    naked_pnl: float


class Market(msgspec.Struct, frozen=True):
    """On what it was tried."""

    data: str
    start_ns: int
    end_ns: int
    covered: float  # share of the span that has bars
    model: str
    saw: bool  # the model has learnt from these days
    is_simulated: bool


class Answer(msgspec.Struct, frozen=True):
    """What is known so far of a question: how far it is, what came out, or what went wrong."""

    page: str
    number: int
    doing: str = ""
    done: float = 0.0
    market: Market | None = None
    figures: Figures | None = None
    problem: str = ""


# --- which data ---------------------------------------------------------------------------------


def data_choices(lake: Lake, asset: str = "LTC") -> dict[str, str]:
    """Return what can be tried on, name and label, the best first; a simulated market comes last.

    Best is what a model fits, without large gaps, that ends last, of the contract itself, in bars
    of about five minutes: a quarter of them is read in a second or two.
    """
    found = [
        one for one in lake.datasets()
        if one.kind == "bars" and one.asset == asset and one.market != "mark"
    ]  # fmt: skip
    found.sort(key=_worth, reverse=True)
    choices = {one.name: f"{one.name}, to {iso_utc(one.end_ns)[:10]}" for one in found}
    return {**choices, SIMULATED: f"a simulated market of {SIM_DAYS // 7} weeks"}


def _worth(one: Dataset) -> tuple[bool, bool, int, bool, float]:
    frame_s = one.interval_ns * per_frame_of(one.interval_ns) // NS_PER_SECOND
    months = one.end_ns // (30 * NS_PER_DAY)
    size = -abs(math.log(one.interval_ns / ROUND_NS))
    return frame_s in DEFAULTS, _covered(one) >= MOSTLY, months, one.market == "perp", size


def _covered(one: Dataset, days: int = DAYS) -> float:
    """Return which share of about the last `days` has bars, by the months of the data set."""
    first = iso_utc(max(one.start_ns, one.end_ns - days * NS_PER_DAY))[:7]
    since_ns = max(one.start_ns, instant_ns(f"{first}-01"))
    rows = sum(part.rows for part in one.parts if part.month >= first)
    return rows * one.interval_ns / max(one.end_ns - since_ns, 1)


def tape_for(lake: Lake, question: Question, reached: Reached) -> tuple[Tape, Market]:
    """Return the tape that a question is about.

    Raises
    ------
    LitehedgeError
        When there is no such data set or model, or it holds nothing.
    """
    if question.data == SIMULATED:
        return _simulated(question, reached)
    dataset = lake.bars(question.data)
    start_ns, end_ns = check_range(dataset, dataset.end_ns - question.days * NS_PER_DAY, None)
    frame_ns = dataset.interval_ns * per_frame_of(dataset.interval_ns)
    model = choose_model(question.model, frame_ns)
    doing = f"reading {question.data}"
    reached(doing, 0.0)
    tape = build_tape(
        lake, dataset, model.forecaster, start_ns, end_ns,
        lambda done, total: reached(doing, done / total),
    )  # fmt: skip
    covered = len(tape) * tape.bar_ns / (end_ns - start_ns)
    market = Market(
        dataset.name, start_ns, end_ns, covered, model.forecaster.id,
        saw(model.card, start_ns, end_ns), False,
    )  # fmt: skip
    return tape, market


def _simulated(question: Question, reached: Reached) -> tuple[Tape, Market]:
    model = choose_model(question.model, NS_PER_MINUTE)
    begin_s = instant_ns(SIM_BEGIN) // NS_PER_SECOND
    begun_s = begin_s - WARM_UP_DAYS * DAY_S
    total_s = (WARM_UP_DAYS + SIM_DAYS) * DAY_S
    doing = "making a simulated market"
    reached(doing, 0.0)
    tape = world_tape(
        Parameters(), NO_SHOCKS, SIM_SEED, begin_s, SIM_DAYS, model.forecaster,
        reached=lambda now_ns: reached(doing, (now_ns / NS_PER_SECOND - begun_s) / total_s),
    )  # fmt: skip
    span_ns = SIM_DAYS * NS_PER_DAY
    start_ns = begin_s * NS_PER_SECOND
    return tape, Market(SIMULATED, start_ns, start_ns + span_ns, 1.0, model.forecaster.id, False,
                        True)  # fmt: skip


# --- what came out ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Ground:
    """What every draft is held against: a tape, a position, and the position without hedge."""

    tape: Tape
    settings: Settings
    tiers: TierTable
    naked: bt.Run


def ground_of(tape: Tape, question: Question) -> Ground:
    """Carry the position of a question through a tape without hedge.

    Raises
    ------
    LitehedgeError
        When the venue allows no such position.
    """
    settings = Settings.model_validate(question.settings)
    settings = bt.with_position(settings, question.side, question.leverage)
    tiers = tier_table(settings.venue.name, settings.venue.symbol)
    tiers.check_leverage(question.leverage, question.leverage * settings.position.wallet_usdt)
    # One layout for all: for another one the loop would be compiled anew.
    tape = replace(tape, signals=np.ascontiguousarray(tape.signals))
    return Ground(tape, settings, tiers, bt.walk(tape, settings, tiers, static(0.0)))


def figures_of(ground: Ground, rules: str) -> Figures:
    """Carry the position through with the rules of a file around their policy.

    Raises
    ------
    LitehedgeError
        When the rules are wrong, or do not go with the policy.
    """
    found = parse_rules(rules, "these rules", "draft")
    settings, tape = ground.settings, ground.tape
    policy = with_rules(choose_policy(found.policy or settings.hedge.policy, settings), found)
    run = bt.walk(tape, settings, ground.tiers, policy)
    hedged, naked = run_summary(run, tape, settings), run_summary(ground.naked, tape, settings)
    against = [
        one for one in squeeze_calls(run, tape, settings)
        if one.squeeze.side == settings.position.side
    ]  # fmt: skip
    caught = [one for one in against if one.call is Call.CAUGHT]
    ratio = run.path[:, PATH_RATIO]
    leads = [lead for one in caught if math.isfinite(lead := lead_min(one, run.end_ns, ratio))]
    return Figures(
        raised=times_raised(ratio),
        caught=len(caught),
        squeezes=len(against),
        lead_min=float(np.median(leads)) if leads else None,
        cost=hedged.cost_usdt / hedged.invested_usdt,
        naked_cost=naked.cost_usdt / naked.invested_usdt,
        liquidated=len(hedged.liquidated_ns),
        naked_liquidated=len(naked.liquidated_ns),
        avg_hedge=hedged.avg_hedge,
        pnl=hedged.pnl_share,
        naked_pnl=naked.pnl_share,
    )


def times_raised(ratio: Floats, by: float = PARTLY_SHARE) -> int:
    """Return how often the hedge rose by at least `by`, as a share of the position.

    A rise ends when the hedge has fallen by as much from its highest. NaN (no position) is no
    hedge.
    """
    times, low, high, rising = 0, 0.0, 0.0, False
    for value in np.nan_to_num(ratio).tolist():
        if rising:
            high = max(high, value)
            if value <= high - by + 1e-9:
                rising, low = False, value
        else:
            low = min(low, value)
            if value >= low + by - 1e-9:
                times, rising, high = times + 1, True, value
    return times


def lead_min(call: SqueezeCall, end_ns: NDArray[np.int64], ratio: Floats) -> float:
    """Return how many minutes before the onset the hedge that caught a squeeze was there.

    It was there from when half of the position was covered without a break. Negative: it came
    after the onset. NaN where it never was.
    """
    onset = int(np.searchsorted(end_ns, call.squeeze.onset_ns, side="left"))
    peak = int(np.searchsorted(end_ns, call.squeeze.peak_ns, side="left"))
    covered = ratio >= CAUGHT_SHARE
    if onset < covered.size and covered[onset]:
        bare = np.flatnonzero(~covered[:onset])
        at = int(bare[-1]) + 1 if bare.size else 0
    else:
        later = np.flatnonzero(covered[onset : peak + 1])
        if later.size == 0:
            return math.nan
        at = onset + int(later[0])
    return float(call.squeeze.onset_ns - int(end_ns[at])) / NS_PER_MINUTE


# --- words --------------------------------------------------------------------------------------


def told(answer: Answer | None, wrong: Sequence[str] = ()) -> dict[str, Any]:
    """Return what the card of the test says, by key."""
    if wrong:
        return _said(
            line="Not tested: " + counted(len(wrong), "field") + " to mend first.", state="wait"
        )
    if answer is None:
        return _said(line="Getting ready …", state="wait", busy=True)
    if answer.problem:
        return _said(line=answer.problem, state="bad")
    if answer.figures is None or answer.market is None:
        doing = answer.doing or "getting ready"
        return _said(line=f"{doing[:1].upper()}{doing[1:]} …", state="wait", busy=True,
                     done=round(100.0 * answer.done))  # fmt: skip
    return _said(
        title=title(answer.market), line=line(answer.figures), state="good",
        more=more(answer.figures), notes=" ".join(notes(answer.market)),
    )  # fmt: skip


def _said(**given: Any) -> dict[str, Any]:
    empty = {"title": "", "line": "", "more": "", "notes": "", "state": "", "busy": False,
             "done": 0}  # fmt: skip
    return {f"test_{key}": value for key, value in {**empty, **given}.items()}


def title(market: Market) -> str:
    """Say on what it was tried."""
    days = round((market.end_ns - market.start_ns) / NS_PER_DAY)
    if market.is_simulated:
        return f"{days} days of a simulated market"
    span = f"{iso_utc(market.start_ns)[:10]} to {iso_utc(market.end_ns)[:10]}"
    return f"Last {days} days of {market.data} ({span})"


def line(figures: Figures) -> str:
    """Say what came out, in one line."""
    times = counted(figures.raised, "time")
    early = "" if figures.lead_min is None else f", {lead_words(figures.lead_min)}"
    caught = f"caught {figures.caught} of {figures.squeezes}"
    if figures.squeezes == 0:
        caught = "no squeeze against you to catch"
    return f"Would have hedged {times}, {caught}{early}, cost {percent(figures.cost, 2)}."


def lead_words(minutes: float) -> str:
    """Say how early a hedge was: ``median 19 min early``; one that stood anyway was not early."""
    size = abs(minutes)
    if size >= LONG_MIN:
        return "hedged for days before them"
    span = f"{size:.0f} min" if size < 120.0 else f"{size / 60.0:.0f} h"
    return f"median {span} {'late' if minutes < 0.0 else 'early'}"


def more(figures: Figures) -> str:
    """Say the rest: liquidations, result, average hedge, beside no hedge at all."""
    died, naked = figures.liquidated, figures.naked_liquidated
    if naked == 0 and died == 0:
        ends = "No liquidation, with or without it."
    elif died <= naked:
        ends = f"{naked - died} of {counted(naked, 'liquidation')} avoided."
    else:
        ends = f"{counted(died, 'liquidation')}, {naked} without it."
    return (
        f"{ends} Result {percent(figures.pnl, signed=True)} of the money put in, without hedge "
        f"{percent(figures.naked_pnl, signed=True)}; cost without hedge "
        f"{percent(figures.naked_cost, 2)}; hedged {percent(figures.avg_hedge, 0)} on average."
    )


def notes(market: Market) -> list[str]:
    """Say what a reader must know about the ground."""
    said = []
    if market.is_simulated:
        said.append("Made up, not history: it shows what the rules do, not what they earn.")
    if market.saw:
        said.append("The model has learnt from these days: its forecasts look better here than "
                    "they will be.")  # fmt: skip
    if market.model == "none":
        said.append("Without a model nothing is known of squeezes ahead: conditions on it never "
                    "hold.")  # fmt: skip
    if market.covered < FULL:
        said.append(f"Only {percent(market.covered, 0)} of the span has bars.")
    return said

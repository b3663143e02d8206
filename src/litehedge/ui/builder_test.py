"""What a draft would have done: the backtest behind the builder, and how it is told.

Nothing is worked out here that the backtest and its reports do not: the fast path walks, the
catalogue of squeezes and `report.calls` judge, `report.metrics` sums up.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from litehedge import backtest as bt
from litehedge.config import Settings
from litehedge.hedge.policies import Policy, static, with_rules
from litehedge.hedge.rule_reading import parse_rules
from litehedge.margin.tiers import TierTable
from litehedge.report.calls import CAUGHT_SHARE, PARTLY_SHARE, Call, SqueezeCall, squeeze_calls
from litehedge.report.metrics import run_summary
from litehedge.report.style import counted, percent
from litehedge.shelf.policies import choose_policy
from litehedge.sim.episode import PATH_RATIO
from litehedge.store.bundled import tier_table
from litehedge.tape import Tape
from litehedge.ui.builder_market import Market, Question
from litehedge.ui.builder_plans import Followed, plan_lines
from litehedge.units import NS_PER_DAY, NS_PER_MINUTE, iso_utc

Floats = NDArray[np.float64]

FULL: Final = 0.95
LONG_MIN: Final = 1440.0


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


class Answer(msgspec.Struct, frozen=True):
    """What is known so far of a question: how far it is, what came out, or what went wrong.

    With figures and still `doing` something, plans are being followed.
    """

    page: str
    number: int
    doing: str = ""
    done: float = 0.0
    market: Market | None = None
    figures: Figures | None = None
    problem: str = ""
    followed: Followed | None = None  # where the draft has plans, once they were followed


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


def policy_of(settings: Settings, rules: str) -> Policy:
    """Return the rules of a file around their policy.

    Raises
    ------
    LitehedgeError
        When the rules are wrong, or do not go with the policy.
    """
    found = parse_rules(rules, "these rules", "draft")
    return with_rules(choose_policy(found.policy or settings.hedge.policy, settings), found)


def figures_of(ground: Ground, rules: str) -> Figures:
    """Carry the position through with the rules of a file around their policy.

    Raises
    ------
    LitehedgeError
        When the rules are wrong, or do not go with the policy.
    """
    settings, tape = ground.settings, ground.tape
    policy = policy_of(settings, rules)
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
        busy=bool(answer.doing), done=round(100.0 * answer.done), plans=_of_plans(answer),
    )  # fmt: skip


def _of_plans(answer: Answer) -> list[str]:
    """Say what became of the plans, by the line."""
    figures, followed = answer.figures, answer.followed
    if figures is None or followed is None:
        return [f"{answer.doing[:1].upper()}{answer.doing[1:]} …"] if answer.doing else []
    return plan_lines(followed, figures.pnl, figures.cost, figures.liquidated)


def _said(**given: Any) -> dict[str, Any]:
    empty = {"title": "", "line": "", "more": "", "notes": "", "state": "", "busy": False,
             "done": 0, "plans": []}  # fmt: skip
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

"""What the plans of a draft would have done: followed by the engine itself, bar by bar.

The compiled loop behind the other figures has no plans: they halt, freeze and close, which only the
engine does. So the market is lived through a second time, on the faithful path.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

import msgspec

from litehedge import backtest as bt
from litehedge.config import Settings
from litehedge.hedge.policies import Policy
from litehedge.hedge.rules import DOES, Then
from litehedge.margin.tiers import TierTable
from litehedge.market.events import MarketEvent
from litehedge.report.metrics import run_summary
from litehedge.report.series import align
from litehedge.report.style import counted, percent
from litehedge.squeeze.forecast import Forecaster
from litehedge.tape import WARM_UP_NS, Tape, per_frame_of
from litehedge.units import describe_ns, iso_utc

DOING: Final = "following your plans"
LOOKS: Final = 1_000
"""Progress is told once in so many events."""


class Fired(msgspec.Struct, frozen=True):
    """One plan: how often it came true, and when first and last, 0 where it never did."""

    name: str
    then: Then
    times: int
    first_ns: int = 0
    last_ns: int = 0


class Followed(msgspec.Struct, frozen=True):
    """What came of a draft with its plans carried out; shares are fractions."""

    plans: list[Fired]
    bar_ns: int
    liquidated: int
    pnl: float
    cost: float


def follow(
    events: Iterator[MarketEvent], tape: Tape, settings: Settings, tiers: TierTable, policy: Policy,
    forecaster: Forecaster, reached: Callable[[float], None],
) -> Followed:  # fmt: skip
    """Carry the position through a market with the plans of the policy's rules.

    Parameters
    ----------
    events
        The market, with what warms up the statistics before the tape begins.
    tape
        The same market, as the run without plans saw it.
    reached
        Told now and then how much is done, 0 to 1; what it raises ends the work.
    """
    opens_ns = int(tape.end_ns[0]) - tape.bar_ns
    end_ns = int(tape.end_ns[-1])
    run = bt.play(
        _watched(events, opens_ns, end_ns, reached), tape.bar_ns, per_frame_of(tape.bar_ns),
        settings, tiers, policy, forecaster, opens_ns=opens_ns, session="plans",
    )  # fmt: skip
    summary = run_summary(align(run, tape), tape, settings)
    plans = [] if policy.rules is None else policy.rules.plans
    fired = []
    for plan in plans:
        at = [one.time_ns for one in run.fired if one.name == plan.name]
        when = (at[0], at[-1]) if at else (0, 0)
        fired.append(Fired(plan.name, plan.then, len(at), *when))
    return Followed(
        fired, tape.bar_ns, len(summary.liquidated_ns), summary.pnl_share,
        summary.cost_usdt / summary.invested_usdt,
    )  # fmt: skip


def _watched(
    events: Iterator[MarketEvent], opens_ns: int, end_ns: int, reached: Callable[[float], None]
) -> Iterator[MarketEvent]:
    begin_ns = opens_ns - WARM_UP_NS
    for number, event in enumerate(events):
        if number % LOOKS == 0:
            reached(min(1.0, max(0.0, (event.known_ns - begin_ns) / (end_ns - begin_ns))))
        yield event


def plan_lines(followed: Followed, pnl: float, cost: float, liquidated: int) -> list[str]:
    """Say how often each plan would have fired, and what came of all of them together.

    Parameters
    ----------
    pnl, cost, liquidated
        Of the same draft without its plans.
    """
    lines = [_of_plan(one) for one in followed.plans]
    if any(one.times and one.then != "alert" for one in followed.plans):
        lines.append(
            f"With the plans: result {percent(followed.pnl, signed=True)} instead of "
            f"{percent(pnl, signed=True)}, cost {percent(followed.cost, 2)} instead of "
            f"{percent(cost, 2)}, {counted(followed.liquidated, 'liquidation')} instead of "
            f"{liquidated}."
        )
    lines.append(
        f"Plans are looked at here at the end of every bar ({describe_ns(followed.bar_ns)}), in a "
        "session at every price: there they may fire sooner, and more often."
    )
    return lines


def _of_plan(one: Fired) -> str:
    if not one.times:
        return f"{one.name}: would never have fired."
    first, last = (f"{iso_utc(at)} UTC" for at in (one.first_ns, one.last_ns))
    when = first if one.times == 1 else f"first {first}, last {last}"
    return f"{one.name}: would have fired {counted(one.times, 'time')} ({when}): {DOES[one.then]}."
